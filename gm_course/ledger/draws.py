"""Random numbers for the ledger's cases: the same on every run."""

from __future__ import annotations

import torch
from torch import Tensor


def seeded(seed: int) -> torch.Generator:
    """Return a fresh generator on the CPU."""
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int) -> Tensor:
    """Draw N(0, 1) numbers of the given shape in float64."""
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)
