r"""Divergences between distributions, in nats: the Kullback-Leibler divergence of Gaussians."""

from __future__ import annotations

import torch
from torch import Tensor

from gm_course.errors import ArgumentError, ShapeError
from gm_course.validation import require_same_shape


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
