"""What a training run recorded: every loss of every iteration, eight bytes each."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor


class History:
    """The losses of every iteration, by player and term: ``history["vae"]["kl"]``.

    Attributes:
        values: The same as arrays of doubles, which grow without being copied at every step.

    Example:
        >>> history = History({"vae": {"kl": [1.0, 2.0]}})
        >>> history["vae"]["kl"]
        tensor([1., 2.], dtype=torch.float64)
    """

    def __init__(self, values: Mapping[str, Mapping[str, Iterable[float]]] | None = None) -> None:
        self.values = {
            player: {term: array("d", numbers) for term, numbers in curves.items()}
            for player, curves in (values or {}).items()
        }

    def append(self, player: str, terms: Mapping[str, float]) -> None:
        """Add one iteration's terms of one player."""
        curves = self.values.setdefault(player, {})
        for term, value in terms.items():
            curves.setdefault(term, array("d")).append(value)

    def __getitem__(self, player: str) -> dict[str, Tensor]:
        """Return the player's curves as float64 tensors of shape (iterations,)."""
        return {
            term: torch.tensor(numbers, dtype=torch.float64)
            for term, numbers in self.values[player].items()
        }

    def last(self) -> dict[str, float]:
        """Return the newest value of every term, named ``term`` or ``player term``."""
        is_single = len(self.values) == 1
        return {
            term if is_single else f"{player} {term}": numbers[-1]
            for player, curves in self.values.items()
            for term, numbers in curves.items()
        }

    def newest(self, player: str, term: str) -> float | None:
        """Return the newest value of one term; ``None`` if there is none yet."""
        numbers = self.values.get(player, {}).get(term)
        return numbers[-1] if numbers else None

    def state_dict(self) -> dict[str, dict[str, Tensor]]:
        """Return all curves as tensors; ``History(state)`` makes the same history again."""
        return {player: self[player] for player in self.values}
