"""What the checks of exercise 13-1 share: the softmax, and how far rounding may move it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gm_course.checks.inputs import OPERATIONS, Wide, rounding, wide


def probabilities(logits: Tensor) -> Wide:
    """Return softmax(logits) in extended precision, shape (K,)."""
    exact = wide(logits)
    unnormalised: Wide = np.exp(exact - exact.max())
    normalised: Wide = unnormalised / unnormalised.sum()
    return normalised


def scores(logits: Tensor) -> Wide:
    """Return the gradient of log p(k) with respect to the logits in row k, shape (K, K)."""
    p = probabilities(logits)
    rows: Wide = -np.tile(p, (len(p), 1))
    for k in range(len(p)):
        rows[k, k] = p.sum(where=np.arange(len(p)) != k)  # 1 − p[k], exact near p[k] = 1 too
    return rows


def probability_error(logits: Tensor) -> float:
    """Return the relative rounding error of a probability, in units of OPERATIONS·eps.

    Subtracting the maximum or the logsumexp rounds by eps/2 of numbers up to twice the largest
    logit each, and exp makes an absolute error relative: 2·eps·max|logits| leaves a margin.
    """
    return 1 + 2 * float(logits.abs().max()) / OPERATIONS


def bound(dtype: torch.dtype, scale: Wide, *, magnitude: float) -> Tensor:
    """Return the rounding bound of ``scale``, plus what taking tiny probabilities for 0 changes.

    Args:
        dtype: The inputs' dtype.
        scale: As for :func:`gm_course.checks.inputs.rounding`.
        magnitude: Largest factor that a probability is multiplied by.
    """
    # In both dtypes those that float32 flushes to 0, so that float32 used on float64 inputs
    # shows as a loss of digits only.
    return rounding(dtype, scale) + 4 * torch.finfo(torch.float32).tiny * magnitude


def unshifted_softmax(logits: Tensor) -> Tensor:
    """Return softmax(logits) as a mistake computes it, without subtracting the maximum."""
    return logits.exp() / logits.exp().sum()


# Name, diagnosis and hint of that mistake.
UNSTABLE_SOFTMAX = (
    "unstable-softmax",
    "a softmax whose exponentials overflow or all vanish",
    "exp(1000) has no floating-point value. The softmax does not change when the same number is "
    "added to all logits: choose that number well, or use a function that does.",
)
