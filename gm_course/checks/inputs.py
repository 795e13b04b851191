"""Deterministic inputs and rounding bounds for the checks' cases.

Everything is drawn by CPU generators from a seed, in float64, and then rounded to the dtype: both
dtypes see nearly the same inputs.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Extended precision where the platform has it (x86); float64 elsewhere, which the bounds allow.
Wide: TypeAlias = NDArray[np.longdouble]

LOG_TWO_PI = np.log(2 * np.longdouble(np.pi))

# Rounding errors that a correct answer may add up, in units of eps: an answer makes some ten
# operations per term, in an order of its own, at most a few eps each.
OPERATIONS = 32


def normal(seed: int, shape: tuple[int, ...], *, dtype: torch.dtype) -> Tensor:
    """Return standard normal numbers."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def uniform(
    seed: int, shape: tuple[int, ...], *, low: float, high: float, dtype: torch.dtype
) -> Tensor:
    """Return uniform numbers in [low, high)."""
    generator = torch.Generator().manual_seed(seed)
    unit = torch.rand(shape, generator=generator, dtype=torch.float64)
    return (low + (high - low) * unit).to(dtype)


def log_uniform(
    seed: int, shape: tuple[int, ...], *, low: float, high: float, dtype: torch.dtype
) -> Tensor:
    """Return positive numbers in [low, high) whose logarithm is uniform."""
    exponent = uniform(
        seed, shape, low=float(np.log(low)), high=float(np.log(high)), dtype=torch.float64
    )
    return exponent.exp().to(dtype)


def wide(value: Tensor | float) -> Wide:
    """Return exactly the number or tensor that an answer is given, in extended precision.

    Example:
        >>> float(wide(torch.tensor(0.1, dtype=torch.float32)))
        0.10000000149011612
    """
    return np.asarray(value.numpy() if isinstance(value, Tensor) else value, dtype=np.longdouble)


def narrow(value: Wide | np.longdouble) -> Tensor:
    """Return extended-precision numbers as a float64 tensor, for ``Values``."""
    return torch.from_numpy(np.array(value, dtype=np.float64))


def rounding(
    dtype: torch.dtype, scale: Wide | np.longdouble, *, operations: int = OPERATIONS
) -> Tensor:
    """Return the largest error that rounding can leave: ``operations * eps * scale``.

    Args:
        dtype: The inputs' dtype.
        scale: Sum of the magnitudes of the terms that the result is added up from, each times its
            condition number; the result itself would be too small where terms cancel.
        operations: Rounding errors per term, in units of eps.

    Returns:
        A float64 tensor of the shape of ``scale``.
    """
    return narrow(operations * torch.finfo(dtype).eps * scale)
