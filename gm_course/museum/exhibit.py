"""What an exhibit of the failure museum is, and the stored ranges of its signal."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gm_course.errors import DataError


@dataclass(frozen=True)
class Outcome:
    """What one training run of an exhibit left behind.

    Attributes:
        signal: The measured number that tells failure from health.
        model: The trained networks or whatever else the exhibit's figure needs.
    """

    signal: float
    model: Any


@dataclass(frozen=True)
class Exhibit:
    """One failure: a switch, and a signal that shows how it is set.

    Attributes:
        name: Such as ``"mode-collapse"``.
        signal: What is measured, with its unit.
        settings: The positions of the switch; the first one is healthy.
        run: Trains with one setting and seed on a device.
    """

    name: str
    signal: str
    settings: tuple[str, ...]
    run: Callable[[str, int, torch.device], Outcome]


@dataclass(frozen=True)
class Range:
    """The signal's smallest and largest value over several seeds."""

    low: float
    high: float
    seeds: int

    def __str__(self) -> str:
        return f"{self.low:.3g} to {self.high:.3g} over {self.seeds} seeds"


def read_ranges(path: str | Path, exhibit: Exhibit) -> dict[str, Range]:
    """Return the stored ranges of an exhibit's signal by setting.

    Args:
        path: The file that ``benchmarks/failure_museum.py`` writes.
        exhibit: Whose ranges.

    Raises:
        DataError: If the file is missing or does not hold the exhibit's ranges.
    """
    try:
        stored: Mapping[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        by_setting = stored["exhibits"][exhibit.name]["settings"]
        return {
            setting: Range(min(values), max(values), len(values))
            for setting, values in ((s, by_setting[s]["values"]) for s in exhibit.settings)
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"read_ranges: {path} must hold the ranges of {exhibit.name}; got "
            f"{type(error).__name__}: {error}. Restore the file, or measure them again with "
            "python -m benchmarks.failure_museum."
        ) from error
