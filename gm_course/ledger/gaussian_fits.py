"""Gaussians fitted to a mixture by either KL divergence, for lecture 8."""

from __future__ import annotations

import functools

import numpy as np
import scipy.optimize
import torch
from torch import Tensor

from gm_course.distributions import GaussianMixture
from gm_course.ledger.equation import Formula


def _plane() -> tuple[Tensor, Tensor]:
    axis = torch.linspace(-6, 6, 41, dtype=torch.float64)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=1), torch.full(
        (41**2,), 0.09, dtype=torch.float64
    )


_POINTS, _AREAS = _plane()
_HILLS = GaussianMixture(  # ten standard deviations apart
    torch.tensor([[-2.5, -1.0], [2.0, 1.5]], dtype=torch.float64),
    std=torch.tensor([0.5, 0.5], dtype=torch.float64),
    weights=torch.tensor([0.3, 0.7], dtype=torch.float64),
)


@functools.cache
def _fit(direction: str, start: tuple[float, float]) -> Tensor:
    """Mean (2), covariance (4) and divergence (1) of the Gaussian that a search arrives at."""
    log_r = _HILLS.log_prob(_POINTS)

    def gaussian(p: Tensor) -> tuple[Tensor, Tensor]:
        zero = torch.zeros_like(p[0])
        root = torch.stack([torch.stack([p[2].exp(), zero]), torch.stack([p[4], p[3].exp()])])
        return p[:2], root

    def objective(values: np.ndarray) -> tuple[float, np.ndarray]:
        p = torch.from_numpy(values.copy()).requires_grad_()
        mean, root = gaussian(p)
        log_q = torch.distributions.MultivariateNormal(mean, scale_tril=root).log_prob(_POINTS)
        pair = (log_r, log_q) if direction == "forward" else (log_q, log_r)
        divergence = ((pair[0].exp() * (pair[0] - pair[1])) * _AREAS).sum()
        (gradient,) = torch.autograd.grad(divergence, p)
        return divergence.item(), gradient.numpy()

    found = scipy.optimize.minimize(objective, [*start, 0.0, 0.0, 0.0], jac=True, tol=1e-8)
    mean, root = gaussian(torch.from_numpy(found.x))
    return torch.cat([mean, (root @ root.T).flatten(), mean.new_tensor([found.fun])])


def moments(mixture: GaussianMixture) -> Tensor:
    """Mean (2) and covariance (4) of a mixture in the plane."""
    w, means, eye = mixture.weights, mixture.means, torch.eye(2, dtype=torch.float64)
    mean = w @ means
    centred = means - mean
    cov = (w @ mixture.std.square()) * eye + centred.T @ (w[:, None] * centred)
    return torch.cat([mean, cov.flatten()])


def within_components(mixture: GaussianMixture) -> Tensor:
    """Return the mixture's mean, and its covariance without the distance between the modes."""
    eye = torch.eye(2, dtype=torch.float64)
    cov = (mixture.weights @ mixture.std.square()) * eye
    return torch.cat([mixture.weights @ mixture.means, cov.flatten()])


def covers_error(formula: Formula) -> float:
    """Return the largest deviation from the fits by forward KL, over two starts."""
    found = [_fit("forward", start)[:6] for start in ((-1.0, 0.0), (1.0, 2.0))]
    return max(float((fit - formula(_HILLS)).abs().max()) for fit in found)


def component(mixture: GaussianMixture, index: int) -> Tensor:
    """One component's mean and covariance, and log(1/weight)."""
    cov = mixture.std[index].square() * torch.eye(2, dtype=torch.float64)
    price = -mixture.weights[index].log()
    return torch.cat([mixture.means[index], cov.flatten(), price[None]])


def largest(mixture: GaussianMixture, _index: int) -> Tensor:
    """Return what belongs to the component of largest weight, wherever the search starts."""
    return component(mixture, int(mixture.weights.argmax()))


def moment_matching(mixture: GaussianMixture, index: int) -> Tensor:
    """Return the mixture's moments, with the price of a single component."""
    return torch.cat([moments(mixture), component(mixture, index)[6:]])


def without_price(mixture: GaussianMixture, index: int) -> Tensor:
    """Return a component as if its fit had divergence 0."""
    return component(mixture, index) * torch.tensor([1, 1, 1, 1, 1, 1, 0]).double()


def seeks_error(formula: Formula) -> float:
    """Return the largest deviation from the fits by reverse KL, over four starts."""
    starts = {(-2.0, 0.0): 0, (-3.0, -2.0): 0, (2.5, 0.5): 1, (1.0, 2.0): 1}
    return max(
        float((_fit("reverse", start) - formula(_HILLS, index)).abs().max())
        for start, index in starts.items()
    )
