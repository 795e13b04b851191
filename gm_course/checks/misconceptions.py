"""Recognising which mistake a wrong answer makes, by making it too and comparing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gm_course.checks.calls import Call, Response, collect
from gm_course.checks.comparison import agrees
from gm_course.checks.expected import Expected

# Ways of writing one mistake may part on extreme inputs (one overflows, another does not), so
# not every case must agree.
MIN_AGREEMENT = 0.8

Failure: TypeAlias = tuple[Call, Response]
"""A call that the answer got wrong, and what it did."""


@dataclass(frozen=True)
class Misconception:
    """A wrong way to answer.

    Attributes:
        name: Short and machine-readable: ``"var-as-std"``.
        diagnosis: Completes "this looks like …".
        hint: What to think about; it does not give the answer away.
        formula: The wrong answer; called as the student's answer is, on every case.
        part: The part of the check it is about; empty for all.
        shows_in: Recognises the mistake by what the wrong results have in common, where it can
            lead to many; ``formula`` then only gives an example. Called with the failures of one
            part, the one that the student is told first. The first mistake that shows is named.
    """

    name: str
    diagnosis: str
    hint: str
    formula: Callable[..., object]
    part: str = ""
    shows_in: Callable[[Sequence[Failure]], bool] | None = None


class Recogniser:
    """Compares wrong answers with the misconceptions of one check, computed once when needed."""

    def __init__(
        self,
        misconceptions: Sequence[Misconception],
        calls: Sequence[Call],
        expected: Sequence[Expected],
    ) -> None:
        self._misconceptions = misconceptions
        self._calls = calls
        self._expected = expected
        self._models: dict[tuple[Misconception, int], Response] = {}

    def recognise(
        self,
        responses: Sequence[Response],
        *,
        shown: int,
        failing: Collection[int],
        cases: Collection[int],
        part: str,
    ) -> Misconception | None:
        """Return the misconception that explains the responses best, None if none or two do.

        Args:
            responses: What the answer did, one response per case.
            shown: Index of the failing case that the student is told; it must be explained.
            failing: Indices of the cases that the answer got wrong.
            cases: Indices of all the cases of this part, ``failing`` included.
            part: The part in question; misconceptions about others are left out.
        """
        candidates = [item for item in self._misconceptions if item.part in ("", part)]
        others = sorted(set(failing).intersection(cases) - {shown})
        failures = [(self._calls[index], responses[index]) for index in (shown, *others)]
        for misconception in candidates:
            if misconception.shows_in and misconception.shows_in(failures):
                return misconception
        ranked: list[tuple[float, float, Misconception]] = []
        for misconception in candidates:
            # Most are ruled out by the first comparison, and some formulas are slow.
            if misconception.shows_in or not self._explains(misconception, shown, responses):
                continue
            explained = {i for i in cases if self._explains(misconception, i, responses)}
            of_failing = len(explained.intersection(failing)) / len(failing)
            of_all = len(explained) / len(cases)
            if min(of_failing, of_all) >= MIN_AGREEMENT:
                ranked.append((of_failing, of_all, misconception))
        ranked.sort(key=lambda item: item[:2], reverse=True)
        if len(ranked) > 1 and ranked[0][:2] == ranked[1][:2]:
            return None
        return ranked[0][2] if ranked else None

    def _explains(
        self, misconception: Misconception, index: int, responses: Sequence[Response]
    ) -> bool:
        response, model = responses[index], self._model(misconception, index)
        if response.raised or model.raised:
            return False
        return agrees(self._expected[index], response.value, model.value)

    def _model(self, misconception: Misconception, index: int) -> Response:
        """What the misconception's formula does on a case."""
        key = misconception, index
        if key not in self._models:
            (self._models[key],) = collect(misconception.formula, [self._calls[index]])
        return self._models[key]
