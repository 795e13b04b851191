r"""Divergences between distributions, in nats.

The Kullback-Leibler divergence (KL 散度) of Gaussians in closed form, and KL and Jensen-Shannon
divergence (JS 散度) of any two densities on a quadrature grid.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gm_course.errors import ArgumentError, ShapeError
from gm_course.validation import require_features, require_same_shape


def gaussian_kl(mean: Tensor, var: Tensor) -> Tensor:
    r"""KL divergence from N(mean, diag var) to the prior N(0, I), in nats.

    .. math:: \tfrac12 \sum_j (\sigma_j^2 + \mu_j^2 - 1 - \log\sigma_j^2)

    The second term of the ELBO, and part of every training step; values are therefore not
    inspected: variance 0 gives inf, a negative variance or a NaN gives NaN in its own row.
    Rounding leaves an error of a few units in the last place of the largest of the four terms,
    so in float32 a divergence that is truly 0 may come out as ±1e-7 per coordinate.

    Args:
        mean: Means μ, shape (B, d).
        var: Variances σ² (not σ, not log σ²), same shape.

    Returns:
        Shape (B,); summed over the d coordinates, not averaged.

    Raises:
        ShapeError: If the shapes differ.

    Source:
        Chapter 13.2.6, ``gaussian-kl-standard``; Kingma & Welling, "Auto-Encoding Variational
        Bayes", 2014, appendix B.

    Example:
        >>> gaussian_kl(torch.tensor([[1.0, 0.0]]), torch.ones(1, 2))
        tensor([0.5000])
    """
    require_same_shape("gaussian_kl", mean=mean, var=var)
    return 0.5 * (var + mean.square() - 1 - var.log()).sum(dim=-1)


def gaussian_kl_general(mean1: Tensor, cov1: Tensor, mean2: Tensor, cov2: Tensor) -> Tensor:
    r"""KL divergence from N(mean1, cov1) to N(mean2, cov2), in nats.

    .. math:: \tfrac12 \left( \mathrm{tr}(\Sigma_2^{-1}\Sigma_1)
        + (\mu_2-\mu_1)^\top \Sigma_2^{-1} (\mu_2-\mu_1)
        - d + \log\frac{|\Sigma_2|}{|\Sigma_1|} \right)

    Args:
        mean1: Shape (d,).
        cov1: Symmetric positive definite, shape (d, d).
        mean2: Shape (d,).
        cov2: Symmetric positive definite, shape (d, d).

    Returns:
        A scalar tensor; NaN if a mean is NaN.

    Raises:
        ShapeError: If the shapes do not fit together.
        ArgumentError: If a covariance is not symmetric positive definite.

    Source:
        Chapter 13.2.6, ``gaussian-kl-general``.

    Example:
        >>> identity = torch.eye(2)
        >>> gaussian_kl_general(torch.zeros(2), identity, torch.ones(2), identity)
        tensor(1.)
    """
    if mean1.ndim != 1:
        raise ShapeError(
            f"gaussian_kl_general: mean1 must have shape (d,); got {tuple(mean1.shape)}. "
            "It compares one pair of Gaussians; call it once per pair."
        )
    require_same_shape("gaussian_kl_general", mean1=mean1, mean2=mean2)
    dim = mean1.shape[0]
    root1 = _cholesky("cov1", cov1, dim)
    root2 = _cholesky("cov2", cov2, dim)
    # Σ = R Rᵀ turns both quadratic terms into squared norms of triangular solves with R₂.
    ratio: Tensor = torch.linalg.solve_triangular(root2, root1, upper=False)
    shift: Tensor = torch.linalg.solve_triangular(root2, (mean2 - mean1)[:, None], upper=False)
    log_det_ratio = 2 * (root2.diagonal().log() - root1.diagonal().log()).sum()
    return 0.5 * (ratio.square().sum() + shift.square().sum() - dim + log_det_ratio)


def kl_divergence(log_p: Tensor, log_q: Tensor, weights: Tensor) -> Tensor:
    r"""KL divergence :math:`\mathrm{KL}(p, q) = \int p \log(p/q)` on a quadrature grid, in nats.

    Points where p = 0 count nothing, whatever q is there (0 · log 0 = 0), and p > 0 where q = 0
    makes the result inf. Forward and reverse KL are two calls with swapped arguments. The result
    is as good as the grid: nothing outside it is seen. Differentiable; NaN in, NaN out.

    Args:
        log_p: Natural log of the first density at n grid points, shape (..., n); -inf where the
            density is 0. For discrete distributions the log-probabilities.
        log_q: The same of the second density, same shape.
        weights: Quadrature weights, shape (n,); ones for discrete distributions.

    Returns:
        Shape (...,), one divergence per row.

    Raises:
        ShapeError: If the shapes do not fit together.
        ArgumentError: If a weight is not positive and finite.

    Source:
        Chapter 13.3.5; S. Kullback and R. Leibler, "On information and sufficiency", 1951.

    Example:
        >>> p, q = torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.25, 0.25, 0.5])
        >>> kl_divergence(p.log(), q.log(), torch.ones(3))  # log 2
        tensor(0.6931)
        >>> kl_divergence(q.log(), p.log(), torch.ones(3))
        tensor(inf)
    """
    _require_grid("kl_divergence", log_p, log_q, weights)
    return _kl(log_p, log_q, weights)


def js_divergence(log_p: Tensor, log_q: Tensor, weights: Tensor) -> Tensor:
    r"""Jensen-Shannon divergence of two densities on a quadrature grid, in nats.

    .. math:: \mathrm{JS}(p, q) = \tfrac12 \mathrm{KL}(p, m) + \tfrac12 \mathrm{KL}(q, m),
        \qquad m = \tfrac12 (p + q)

    Symmetric, from 0 for equal densities to log 2 for disjoint supports (with the square root
    taken it is a metric; this is not the root). Differentiable also where a density is 0.

    Args:
        log_p: Natural log of the first density at n grid points, shape (..., n); -inf where the
            density is 0.
        log_q: The same of the second density, same shape.
        weights: Quadrature weights, shape (n,); ones for discrete distributions.

    Returns:
        Shape (...,), one divergence per row. It exceeds log 2 by no more than the quadrature lets
        the densities' mass exceed 1.

    Raises:
        ShapeError: If the shapes do not fit together.
        ArgumentError: If a weight is not positive and finite.

    Source:
        Chapter 13.3.5, ``gan-value-is-js`` and ``js-bounds``; J. Lin, "Divergence measures based
        on the Shannon entropy", 1991.

    Example:
        >>> p, q = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
        >>> js_divergence(p.log(), q.log(), torch.ones(2))  # log 2
        tensor(0.6931)
    """
    _require_grid("js_divergence", log_p, log_q, weights)
    # Where both densities are 0, logaddexp would have no derivative; such points count nothing.
    is_empty = (log_p == -math.inf) & (log_q == -math.inf)
    total = torch.logaddexp(log_p.masked_fill(is_empty, 0), log_q.masked_fill(is_empty, 0))
    log_middle = total - math.log(2)
    return 0.5 * (_kl(log_p, log_middle, weights) + _kl(log_q, log_middle, weights))


def _kl(log_p: Tensor, log_q: Tensor, weights: Tensor) -> Tensor:
    # Masked before the arithmetic, not after: 0 · inf would come back as NaN in the gradient.
    is_zero = log_p == -math.inf
    log_p = log_p.masked_fill(is_zero, 0)
    log_q = log_q.masked_fill(is_zero, 0)
    is_infinite = log_q == -math.inf  # also where p > 0 is too small for its exponential
    integrand = log_p.exp() * (log_p - log_q.masked_fill(is_infinite, 0))
    integrand = integrand.masked_fill(is_zero, 0).masked_fill(is_infinite, math.inf)
    return (integrand * weights).sum(dim=-1)


def _require_grid(function: str, log_p: Tensor, log_q: Tensor, weights: Tensor) -> None:
    require_same_shape(function, log_p=log_p, log_q=log_q)
    if weights.ndim != 1:
        raise ShapeError(
            f"{function}: weights must have shape (n,), one per grid point; got "
            f"{tuple(weights.shape)}. Flatten the grid of several dimensions."
        )
    require_features(function, "log_p", log_p, weights.shape[0])
    if not ((weights > 0) & weights.isfinite()).all():
        raise ArgumentError(
            f"{function}: weights must be positive and finite; got {weights.min().item()} to "
            f"{weights.max().item()}. Leave out grid points that count nothing."
        )


def _cholesky(name: str, cov: Tensor, dim: int) -> Tensor:
    if cov.shape != (dim, dim):
        raise ShapeError(
            f"gaussian_kl_general: {name} must have shape ({dim}, {dim}) to fit the means; got "
            f"{tuple(cov.shape)}. For a diagonal covariance pass torch.diag(var)."
        )
    root: Tensor
    root, failure = torch.linalg.cholesky_ex(cov)
    # The factorisation reads the lower triangle only, so symmetry needs a look of its own.
    if failure or not torch.allclose(cov, cov.T):
        raise ArgumentError(
            f"gaussian_kl_general: {name} must be symmetric positive definite; got "
            f"{cov.tolist()}. Check that it is a covariance, not its root or its inverse."
        )
    return root
