"""Monte-Carlo estimators: the importance-weighted bound on the log-likelihood."""

from __future__ import annotations

import math

from torch import Tensor

from gm_course.errors import ShapeError


def importance_weighted_bound(log_weights: Tensor) -> Tensor:
    r"""Log of the average importance weight, :math:`\log \tfrac1K \sum_k w_k`, in nats.

    With :math:`w_k = p(x, z_k) / q(z_k|x)` and :math:`z_k \sim q(z|x)` the weights average to
    p(x), so this estimates log p(x): from below in expectation, more closely the larger K is.
    One weight (K = 1) gives the one-sample ELBO. A row with a NaN gives NaN.

    Args:
        log_weights: log w, shape (K, B): K samples for each of B examples, K ≥ 1.

    Returns:
        Shape (B,).

    Raises:
        ShapeError: If ``log_weights`` is not (K, B) with at least one sample.

    Source:
        Burda, Grosse & Salakhutdinov, "Importance Weighted Autoencoders", 2016, section 3.

    Example:
        >>> import torch
        >>> importance_weighted_bound(torch.tensor([[1.0], [3.0]]).log())  # log 2
        tensor([0.6931])
    """
    if log_weights.ndim != 2 or log_weights.shape[0] == 0:
        raise ShapeError(
            "importance_weighted_bound: log_weights must have shape (K, B) with K of at least 1; "
            f"got {tuple(log_weights.shape)}. Stack one row per sample."
        )
    return log_weights.logsumexp(dim=0) - math.log(log_weights.shape[0])
