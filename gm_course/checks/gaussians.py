"""Oracles for divergences between Gaussians, with the scale of their rounding errors.

Each returns the exact result and, beside it, the sum of the magnitudes of the terms that a correct
answer adds up, each times its condition number: the scale for :func:`inputs.rounding`.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from gm_course.checks.inputs import Wide, normal, wide


def covariance(
    seed: int, dim: int, *, variance: float, condition: float, dtype: torch.dtype
) -> Tensor:
    """Return a symmetric positive definite matrix of this mean variance and condition number."""
    basis, _ = torch.linalg.qr(normal(seed, (dim, dim), dtype=torch.float64))
    spectrum = torch.logspace(0, -math.log10(condition), dim, dtype=torch.float64)
    matrix = ((basis * (variance * spectrum / spectrum.mean())) @ basis.T).to(dtype)
    return torch.triu(matrix) + torch.triu(matrix, 1).T  # exactly symmetric


def diagonal_kl(mu: Tensor, var: Tensor) -> tuple[Wide, Wide]:
    """KL(N(mu, diag var), N(0, I)) of each row, and its scale; shapes (B, d) → (B,), (B,)."""
    mean, variance = wide(mu), wide(var)
    log = np.log(variance)
    exact = (variance + mean**2 - 1 - log).sum(-1) / 2
    # Via exp(log var) the variance errs by eps·|log var| relative; everything else by a few eps.
    scale = (variance * (1 + np.abs(log)) + mean**2 + 1 + np.abs(log)).sum(-1) / 2
    return exact, scale


def general_kl(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> tuple[Wide, Wide]:
    """KL(N(mu1, cov1), N(mu2, cov2)) and its scale, both 0-dimensional."""
    dim = len(mu1)
    lower1, lower2 = _cholesky(wide(cov1)), _cholesky(wide(cov2))
    trace = (_solve_lower(lower2, lower1) ** 2).sum()
    distance = (_solve_lower(lower2, wide(mu2) - wide(mu1)) ** 2).sum()
    log_det1, log_det2 = (2 * np.log(lower.diagonal()) for lower in (lower1, lower2))
    exact = (trace + distance - dim + log_det2.sum() - log_det1.sum()) / 2
    # A backward stable solve with Σ errs by eps·κ relative to the trace and to the distance, both
    # being Σ⁻¹ against something positive; each eigenvalue, hence its log, by eps·κ.
    condition1, condition2 = _condition(cov1), _condition(cov2)
    scale = condition2 * (trace + distance) + dim * (1 + condition1 + condition2)
    scale = (scale + np.abs(log_det1).sum() + np.abs(log_det2).sum()) / 2
    return np.asarray(exact), np.asarray(scale)


def _cholesky(matrix: Wide) -> Wide:
    # NumPy's own does not know extended precision.
    lower = np.zeros_like(matrix)
    for j in range(len(matrix)):
        rest = matrix[j:, j] - lower[j:, :j] @ lower[j, :j]
        lower[j:, j] = rest / np.sqrt(rest[0])
    return lower


def _solve_lower(lower: Wide, right: Wide) -> Wide:
    solution = np.zeros_like(right)
    for j in range(len(lower)):
        solution[j] = (right[j] - lower[j, :j] @ solution[:j]) / lower[j, j]
    return solution


def _condition(cov: Tensor) -> float:
    if torch.equal(cov, cov.diagonal().diag()):
        return 1.0  # solved without error, however far apart its entries are
    return float(torch.linalg.cond(cov.double()))
