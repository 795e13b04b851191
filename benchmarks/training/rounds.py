"""Timing of several ways in turn, so that a busy machine slows all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

Run = Callable[[int], object]


@dataclass(frozen=True)
class Way:
    """One way to do a step.

    Attributes:
        run: Called with a number of steps to do.
        steps: How many to do per round.
        threads: CPU threads it gets.
        warm_up: How many to do before the first round, not measured.
        settle: How many to do at the start of each turn, not measured: the processor's caches
            hold another way's data, and the number of threads may have changed.
    """

    run: Run
    steps: int
    threads: int
    warm_up: int = 5
    settle: int = 0


def milliseconds_per_step(
    ways: Mapping[str, Way], rounds: int, *, wait: Callable[[], None] = lambda: None
) -> dict[str, list[float]]:
    """Return the milliseconds of a step in each round, by way.

    Args:
        ways: The ways by name.
        rounds: How often each has its turn.
        wait: Called before the clock is read, to let a GPU finish.
    """
    before = torch.get_num_threads()
    times: dict[str, list[float]] = {name: [] for name in ways}
    try:
        for way in ways.values():
            torch.set_num_threads(way.threads)
            way.run(way.warm_up)
        for _ in range(rounds):
            for name, way in ways.items():
                torch.set_num_threads(way.threads)
                way.run(way.settle)
                wait()
                started = time.perf_counter()
                way.run(way.steps)
                wait()
                times[name].append((time.perf_counter() - started) * 1e3 / way.steps)
    finally:
        torch.set_num_threads(before)
    return times


def median_ratio(slow: list[float], quick: list[float]) -> float:
    """Return the median over the rounds of ``slow / quick``."""
    return statistics.median(a / b for a, b in zip(slow, quick, strict=True))
