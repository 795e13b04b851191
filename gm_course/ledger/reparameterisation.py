"""The equations of lecture 4: reparameterisation and the score function, 13.2.5.

Nothing is sampled here. Expectations over the noise are taken by Gauss-Hermite quadrature, those
over z by the trapezoidal rule with the density in the integrand, so both rows are free of
Monte-Carlo error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from scipy.special import roots_hermitenorm
from torch import Tensor

from gm_course.distributions import reparameterise
from gm_course.estimators import (
    GaussianGradients,
    Integrand,
    pathwise_gradients,
    score_function_gradients,
)
from gm_course.ledger.equation import Equation, Formula

PARAMETERS = ((0.0, 1.0), (0.7, 0.3), (-1.3, 2.0))
"""Pairs of a mean and a variance at which the one-dimensional cases are checked."""

SMOOTH: tuple[Callable[[Tensor], Tensor], ...] = (
    lambda z: z,
    lambda z: (z - 0.4) ** 4,
    lambda z: torch.cos(1.5 * z),
    lambda z: z * torch.exp(-0.1 * z.square()),
)


def gauss_hermite(nodes: int, dims: int) -> tuple[Tensor, Tensor]:
    """Return points (n, dims) and weights (n,) for expectations over N(0, I), n = nodes^dims."""
    roots, weights = (torch.from_numpy(array) for array in roots_hermitenorm(nodes))
    points = torch.cartesian_prod(*[roots] * dims).reshape(-1, dims)
    products = torch.cartesian_prod(*[weights / weights.sum()] * dims).reshape(-1, dims)
    return points, products.prod(dim=1)


def _reparameterisation_error(sample: Formula) -> float:
    """Compare E f(sample) and its gradients with ∫ f(z) q(z) dz and its gradients."""
    noise, weights = gauss_hermite(80, 1)
    errors: list[float] = []
    for mean_value, var_value in PARAMETERS:
        for f in SMOOTH:
            mean = torch.tensor([[mean_value]], dtype=torch.float64, requires_grad=True)
            var = torch.tensor([[var_value]], dtype=torch.float64, requires_grad=True)
            # (M, 1) noise as M samples of one row: (M, 1, 1)
            expectation = weights @ f(sample(mean, var, noise[:, :, None]))[:, 0, 0]
            integral = _integral(f, mean, var)
            errors.append((expectation - integral).abs().item())
            errors += [
                (ours - theirs).abs().item()
                for ours, theirs in zip(
                    _gradients(expectation, mean, var), _gradients(integral, mean, var), strict=True
                )
            ]
    return max(errors)


def _integral(f: Callable[[Tensor], Tensor], mean: Tensor, var: Tensor) -> Tensor:
    """∫ f(z) N(z; mean, var) dz on a grid of z that does not depend on the parameters.

    For a smooth integrand that has died out at both ends the trapezoidal rule converges faster
    than any power of the step.
    """
    z = torch.linspace(-25, 25, 4_001, dtype=torch.float64)
    density = torch.exp(-0.5 * (z - mean).square() / var) / (2 * torch.pi * var).sqrt()
    return torch.trapezoid(f(z) * density, z).squeeze()


def _gradients(value: Tensor, mean: Tensor, var: Tensor) -> tuple[Tensor, ...]:
    """Gradients as training would see them: zero where the graph was cut."""
    if not value.requires_grad:
        return torch.zeros_like(mean), torch.zeros_like(var)
    return torch.autograd.grad(value, (mean, var), materialize_grads=True)


class _QuadraticCase(NamedTuple):
    """f(z) = ‖z − a‖² under N(μ, σ²I), the lecture's example, with what is known of it."""

    f: Integrand
    mean: Tensor
    std: Tensor
    exact: GaussianGradients
    score_variance: float
    pathwise_variance: float


def _quadratic_case(dims: int, mean_value: float, var: float) -> _QuadraticCase:
    target = torch.linspace(-0.5, 0.8, dims, dtype=torch.float64)
    mean = torch.full((dims,), mean_value, dtype=torch.float64)
    std = torch.full((dims,), var**0.5, dtype=torch.float64)
    offset = (mean - target).square().sum().item()  # C = ‖μ − a‖²
    return _QuadraticCase(
        f=lambda z: (z - target).square().sum(dim=1),
        mean=mean,
        std=std,
        exact=GaussianGradients(2 * (mean - target), 2 * std),  # of E f = C + Σ σ_j²
        score_variance=(
            offset**2 * dims / var
            + 2 * offset * dims * (dims + 2)
            + var * dims * (dims + 2) * (dims + 4)
            + 4 * offset * (dims + 1)
        ),
        pathwise_variance=4 * var * dims,
    )


def _score_function_error(contributions: Formula) -> float:
    """Relative error of mean and variance, and by how much the variance falls below pathwise."""
    errors: list[float] = []
    for dims in (1, 2, 4):
        # f times the score has degree 4, its square 8: five nodes are exact up to degree 9.
        noise, weights = gauss_hermite(5, dims)
        for mean_value, var in PARAMETERS:
            case = _quadratic_case(dims, mean_value, var)
            inputs = (case.f, case.mean, case.std, noise)
            terms: GaussianGradients = contributions(*inputs)
            for part, exact in zip(terms, case.exact, strict=True):
                errors.append(((weights @ part - exact).norm() / (1 + exact.norm())).item())
            variance = _total_variance(terms.mean, weights)
            pathwise = _total_variance(pathwise_gradients(*inputs).mean, weights)
            errors.append(abs(variance / case.score_variance - 1))
            errors.append(abs(pathwise / case.pathwise_variance - 1))
            errors.append(max(0.0, 1 - variance / pathwise))
    return max(errors)


def _total_variance(terms: Tensor, weights: Tensor) -> float:
    """Trace of the covariance of the rows of ``terms`` (n, d) under ``weights`` (n,)."""
    return float((weights @ (terms - weights @ terms).square()).sum())


def _density_gradient(f: Integrand, mean: Tensor, std: Tensor, noise: Tensor) -> GaussianGradients:
    density = torch.exp(-0.5 * noise.square().sum(dim=1, keepdim=True)) / std.prod()
    right = score_function_gradients(f, mean, std, noise)
    return GaussianGradients(density * right.mean, density * right.std)


def _also_through_f(f: Integrand, mean: Tensor, std: Tensor, noise: Tensor) -> GaussianGradients:
    score = score_function_gradients(f, mean, std, noise)
    path = pathwise_gradients(f, mean, std, noise)
    return GaussianGradients(score.mean + path.mean, score.std + path.std)


def _score_without_std(f: Integrand, mean: Tensor, std: Tensor, noise: Tensor) -> GaussianGradients:
    right = score_function_gradients(f, mean, std, noise)
    return GaussianGradients(right.mean * std, right.std)


EQUATIONS: tuple[Equation, ...] = (
    Equation(
        name="reparameterisation",
        section="13.2.5",
        notebook="04-reparameterisation",
        oracle="integral over z with the density in the integrand, differentiated under it",
        measure="error of values and gradients",
        # Values up to 60 and gradients up to 1e2 on 4,001 points: rounding stays below 1e-11. The
        # quadrature with 80 nodes converges below 1e-12 for these functions.
        tolerance=1e-10,
        formula=reparameterise,
        error=_reparameterisation_error,
        killers={
            "the variance used as standard deviation": lambda mean, var, noise: mean + var * noise,
            "exp(σ²/2) as the scale: the variance read as its logarithm": lambda mean, var, noise: (
                mean + (0.5 * var).exp() * noise
            ),
            "the sample detached: right values, no gradient": lambda mean, var, noise: (
                reparameterise(mean, var, noise).detach()
            ),
            "the noise term detached: no gradient in the variance": lambda mean, var, noise: (
                mean + (var.sqrt() * noise).detach()
            ),
        },
    ),
    Equation(
        name="score-function",
        section="13.2.5",
        notebook="04-reparameterisation",
        oracle="closed forms of gradient and variance for a squared distance",
        measure="relative error of mean, variance and order of the variances",
        # Sums of at most 625 products, each rounded to 1e-16 of at most 1e4 times the result.
        tolerance=1e-10,
        formula=score_function_gradients,
        error=_score_function_error,
        killers={
            "∇q in place of ∇log q": _density_gradient,
            "the score of the mean without 1/σ": _score_without_std,
            "f differentiated as well": _also_through_f,
            "the pathwise gradient: right mean, smaller variance": pathwise_gradients,
        },
    ),
)
