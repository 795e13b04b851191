"""Ledger of lecture 5, section 13.2.6: the Monte-Carlo ELBO, the Gaussian KL and (13.28)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

import numpy as np
import torch
from scipy.stats import multivariate_normal, norm
from torch import Tensor

from gm_course.distributions import DiagonalGaussian, LinearGaussianModel, reparameterise
from gm_course.divergences import gaussian_kl, gaussian_kl_general
from gm_course.ledger.draws import normal
from gm_course.ledger.equation import Equation
from gm_course.vae import elbo_from_objective, objective_13_28

_NOTEBOOK = "05-training-a-vae"
_SECTION = "13.2.6"

# Log-densities of Gaussians are quadratic, so Gauss-Hermite rules of two nodes or more integrate
# them exactly; what is left is rounding of sums of about 100 terms up to 1e3, so 1e-13 of each.
_ROUNDING = 1e-10


def _hermite(dim: int, nodes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Nodes (nodes^dim, dim) and weights (nodes^dim,) of E[f(ε)] for ε ~ N(0, I)."""
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    grid = np.array(list(product(points, repeat=dim)))
    return grid, np.prod(list(product(weights / math.sqrt(2 * math.pi), repeat=dim)), axis=1)


# --- monte-carlo-elbo -------------------------------------------------------------------------

Elbo = Callable[[LinearGaussianModel, Tensor, DiagonalGaussian, Tensor], Tensor]

_REPETITIONS = 20_000


def _log_weights(
    model: LinearGaussianModel, x: Tensor, q: DiagonalGaussian, noise: Tensor
) -> Tensor:
    """Return log p(x,z) − log q(z), shape (n, M), for noise (n, M, d)."""
    z = reparameterise(q.mean, q.var, noise.flatten(0, 1)[:, None])[:, 0]  # (n·M, d)
    return (model.joint_log_prob(x, z) - q.log_prob(z)).reshape(noise.shape[:2])


def monte_carlo_elbo(
    model: LinearGaussianModel, x: Tensor, q: DiagonalGaussian, noise: Tensor
) -> Tensor:
    """Average log p(x,z) − log q(z) over M samples; noise (n, M, d) gives n estimates (n,)."""
    return _log_weights(model, x, q, noise).mean(dim=1)


def _monte_carlo_error(elbo: Elbo) -> float:
    """Deviation of mean and variance from their exact values, in standard errors."""
    model = LinearGaussianModel(normal(3, 2, seed=1), normal(3, seed=2), var=0.5)
    x = normal(1, 3, seed=3)
    mean, cov = model.posterior(x)
    q = DiagonalGaussian(mean + 0.3, 1.4 * cov.diagonal()[None])
    gap = gaussian_kl_general(q.mean[0], q.var[0].diag(), mean[0], cov)
    exact_mean = (model.log_evidence(x) - gap).item()
    exact_variance = _variance_of_log_weight(model, q, mean, cov)
    errors = []
    for samples in (1, 4, 16):
        noise = normal(_REPETITIONS, samples, 2, seed=samples)
        estimates = elbo(model, x, q, noise)
        variance = estimates.var()
        kurtosis = ((estimates - estimates.mean()) ** 4).mean() / variance.square()
        variance_error = variance * ((kurtosis - 1) / _REPETITIONS).sqrt()
        errors += [
            (estimates.mean() - exact_mean).abs() / (variance / _REPETITIONS).sqrt(),
            (variance - exact_variance / samples).abs() / variance_error,
        ]
    return max(float(error) for error in errors)


def _variance_of_log_weight(
    model: LinearGaussianModel, q: DiagonalGaussian, mean: Tensor, cov: Tensor
) -> float:
    """Var of log p(z|x) − log q(z) under q; that is quadratic in ε: bᵀε + ½ εᵀAε + constant."""
    std = q.var[0].sqrt().diag()
    precision = torch.linalg.inv(cov)
    slope = std @ precision @ (mean - q.mean)[0]  # b
    curvature = torch.eye(2, dtype=torch.float64) - std @ precision @ std  # A
    return float(slope.square().sum() + 0.5 * curvature.square().sum())


def _tightened(model: LinearGaussianModel, x: Tensor, q: DiagonalGaussian, noise: Tensor) -> Tensor:
    log_weights = _log_weights(model, x, q, noise)
    return log_weights.logsumexp(dim=1) - math.log(noise.shape[1])


def _without_entropy(
    model: LinearGaussianModel, x: Tensor, q: DiagonalGaussian, noise: Tensor
) -> Tensor:
    z = q.mean + q.var.sqrt() * noise.flatten(0, 1)
    return model.joint_log_prob(x, z).reshape(noise.shape[:2]).mean(dim=1)


# --- gaussian-kl-general ----------------------------------------------------------------------


def _gaussian_pairs() -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    for dim in (1, 2, 3):
        for seed in (10, 20):
            roots = normal(2, dim, dim, seed=seed + dim)
            cov1, cov2 = roots @ roots.mT + 0.3 * torch.eye(dim, dtype=torch.float64)
            mean1, mean2 = normal(2, dim, seed=seed - dim)
            yield mean1, cov1, mean2, cov2


def _general_kl_error(kl: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> float:
    errors = []
    for mean1, cov1, mean2, cov2 in _gaussian_pairs():
        nodes, weights = _hermite(len(mean1))
        points = mean1.numpy() + nodes @ np.linalg.cholesky(cov1.numpy()).T
        first = multivariate_normal(mean1.numpy(), cov1.numpy()).logpdf(points)
        second = multivariate_normal(mean2.numpy(), cov2.numpy()).logpdf(points)
        oracle = float(weights @ (first - second))
        errors.append(abs(float(kl(mean1, cov1, mean2, cov2)) - oracle) / oracle)
    return max(errors)


def _kl_with_inverse_of_the_first(m1: Tensor, c1: Tensor, m2: Tensor, c2: Tensor) -> Tensor:
    shift = m2 - m1
    inner: Tensor = torch.trace(torch.linalg.solve(c1, c2)) + shift @ torch.linalg.solve(c1, shift)
    return 0.5 * (inner - len(m1) + torch.logdet(c2) - torch.logdet(c1))


# --- gaussian-kl-standard ---------------------------------------------------------------------


def _posteriors() -> Iterator[tuple[Tensor, Tensor]]:
    """Means and variances (B, d), some of the variances small."""
    for dim in (1, 3):
        for seed in (30, 40):
            mean, log_var = 2 * normal(2, 5, dim, seed=seed + dim)
            yield mean, log_var.exp()


def _kl_to_prior_by_quadrature(mean: Tensor, var: Tensor) -> Tensor:
    """Σ_j E_q[log q − log p], coordinate by coordinate; shape (B,)."""
    nodes, weights = _hermite(1)
    std = var.sqrt().numpy()[..., None]
    points = mean.numpy()[..., None] + std * nodes[:, 0]  # (B, d, nodes)
    integrand = norm.logpdf(points, mean.numpy()[..., None], std) - norm.logpdf(points)
    return torch.from_numpy((integrand @ weights).sum(axis=1))


def _standard_kl_error(kl: Callable[[Tensor, Tensor], Tensor]) -> float:
    errors = []
    for mean, var in _posteriors():
        oracle = _kl_to_prior_by_quadrature(mean, var)
        errors.append(((kl(mean, var) - oracle).abs() / oracle).max().item())
    return max(errors)


# --- (13.28) ----------------------------------------------------------------------------------

Objective = Callable[[Tensor, Tensor, Tensor, Tensor, float], Tensor]


def _decoded() -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor, float]]:
    """Images x and μ_G (B, D), μ_I and σ_I² (B, d), and λ."""
    for lam, (mean, var) in zip((0.01, 0.5, 1.0, 3.0), _posteriors(), strict=True):
        x, mean_g = normal(2, len(mean), 7, seed=50)
        yield x, mean_g, mean, var, lam


def _objective_error(objective: Objective) -> float:
    errors = []
    for x, mean_g, mean, var, lam in _decoded():
        distance = np.linalg.norm((x - mean_g).numpy(), axis=1)
        oracle = -torch.from_numpy(distance**2) / 2 - lam * _kl_to_prior_by_quadrature(mean, var)
        deviation = (objective(x, mean_g, mean, var, lam) - oracle).abs() / oracle.abs()
        errors.append(deviation.max().item())
    return max(errors)


def _misprint(x: Tensor, mean_g: Tensor, mean: Tensor, var: Tensor, lam: float) -> Tensor:
    return -(x - mean_g).square().sum(dim=1) + gaussian_kl(mean, var)


def _without_lambda(x: Tensor, mean_g: Tensor, mean: Tensor, var: Tensor, lam: float) -> Tensor:
    return -0.5 * (x - mean_g).square().sum(dim=1) - gaussian_kl(mean, var)


def scaled_elbo(elbo: Tensor, lam: float, data_dim: int) -> Tensor:
    """J = λ ELBO₁ + (λD/2) log(2πλ), the inverse of :func:`gm_course.vae.elbo_from_objective`."""
    return lam * elbo + 0.5 * lam * data_dim * math.log(2 * math.pi * lam)


def _affine_error(objective_from_elbo: Callable[[Tensor, float, int], Tensor]) -> float:
    """Deviation from J, and of the way back from the ELBO₁ that SciPy's densities give."""
    errors = []
    for x, mean_g, mean, var, lam in _decoded():
        reconstruction = norm.logpdf(x.numpy(), mean_g.numpy(), math.sqrt(lam)).sum(axis=1)
        elbo = torch.from_numpy(reconstruction) - _kl_to_prior_by_quadrature(mean, var)
        objective = objective_13_28(x, mean_g, mean, var, lam)
        data_dim = x.shape[1]
        there = objective_from_elbo(elbo, lam, data_dim)
        back = elbo_from_objective(there, lam=lam, data_dim=data_dim)
        errors += [
            ((there - objective).abs() / objective.abs()).max().item(),
            ((back - elbo).abs() / elbo.abs()).max().item(),
        ]
    return max(errors)


_equation = partial(Equation, section=_SECTION, notebook=_NOTEBOOK)

EQUATIONS: tuple[Equation, ...] = (
    _equation(
        name="monte-carlo-elbo",
        oracle="exact mean and variance in a linear-Gaussian model",
        measure="deviation in standard errors",
        tolerance=5.0,  # one normal deviate in 1.7 million is larger
        formula=monte_carlo_elbo,
        error=_monte_carlo_error,
        killers={
            "the average inside the logarithm": _tightened,
            "the entropy of q left out": _without_entropy,
            "one sample used M times": lambda model, x, q, noise: monte_carlo_elbo(
                model, x, q, noise[:, :1].expand_as(noise)
            ),
        },
    ),
    _equation(
        name="gaussian-kl-general",
        oracle="Gauss-Hermite quadrature of SciPy's densities",
        measure="relative error",
        tolerance=_ROUNDING,
        formula=gaussian_kl_general,
        error=_general_kl_error,
        killers={
            "arguments swapped": lambda m1, c1, m2, c2: gaussian_kl_general(m2, c2, m1, c1),
            "the dimension left out": lambda m1, c1, m2, c2: (
                gaussian_kl_general(m1, c1, m2, c2) + len(m1) / 2
            ),
            "the first covariance inverted": _kl_with_inverse_of_the_first,
        },
    ),
    _equation(
        name="gaussian-kl-standard",
        oracle="Gauss-Hermite quadrature of SciPy's densities",
        measure="relative error",
        tolerance=_ROUNDING,
        formula=gaussian_kl,
        error=_standard_kl_error,
        killers={
            "standard deviation for variance": lambda mean, var: gaussian_kl(mean, var.sqrt()),
            "logarithm of σ, not σ²": lambda mean, var: (
                gaussian_kl(mean, var) + 0.25 * var.log().sum(dim=1)
            ),
            "mean over the coordinates": lambda mean, var: gaussian_kl(mean, var) / mean.shape[1],
        },
    ),
    _equation(
        name="objective-13-28",
        oracle="squared distance by NumPy, KL by quadrature",
        measure="relative error",
        tolerance=_ROUNDING,
        formula=objective_13_28,
        error=_objective_error,
        killers={
            "the misprint, factor and sign": _misprint,
            "KL not weighted by λ": _without_lambda,
        },
    ),
    _equation(
        name="objective-is-scaled-elbo",
        oracle="one-sample ELBO from SciPy's densities",
        measure="relative error",
        tolerance=_ROUNDING,
        formula=scaled_elbo,
        error=_affine_error,
        killers={
            "constant subtracted": lambda elbo, lam, data_dim: (
                2 * lam * elbo - scaled_elbo(elbo, lam, data_dim)
            ),
            "constant for one feature only": lambda elbo, lam, _: scaled_elbo(elbo, lam, 1),
        },
    ),
)
