"""How a training run computes: threads, denormal numbers, the precision of matrix products."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

DENORMAL = 1e-39  # below float32's smallest normal number, 1.2e-38


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Let numbers too small for float32's normal format become 0 inside the block.

    Processors compute with such denormal numbers many times more slowly, and training makes
    them: an optimiser's running mean of a gradient that has become 0, a dead ReLU's for example,
    shrinks by a constant factor at each step and gets there after some 800. Holds for the calling
    thread and for threads that it starts inside the block; changes nothing where the processor
    cannot do it.
    """
    if _denormals_are_flushed():
        yield
        return
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def _denormals_are_flushed() -> bool:
    # Torch can set this state but not tell it.
    return torch.full((1,), DENORMAL, dtype=torch.float64).float().item() == 0


@contextmanager
def thread_count(threads: int | None) -> Iterator[None]:
    """Use so many CPU threads, at least 1, inside the block; ``None`` leaves the setting alone."""
    if threads is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def rough_products(is_on: bool) -> Iterator[None]:
    """Let float32 matrix products round their factors to bfloat16 inside the block.

    Sums are kept in float32. Processors with bfloat16 units (recent x86 servers, most GPUs)
    multiply several times faster that way; others go on as before, so results depend on the
    machine in the third digit. ``False`` leaves the setting alone.
    """
    if not is_on:
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
