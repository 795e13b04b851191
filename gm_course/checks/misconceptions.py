"""Recognising which mistake a wrong answer makes, by making it too and comparing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

from gm_course.checks.calls import Call, Response, collect
from gm_course.checks.comparison import agrees
from gm_course.checks.expected import Expected

# Ways of writing one mistake may part on extreme inputs (one overflows, another does not), so
# not every case must agree.
MIN_AGREEMENT = 0.8


@dataclass(frozen=True)
class Misconception:
    """A wrong way to answer.

    Attributes:
        name: Short and machine-readable: ``"var-as-std"``.
        diagnosis: Completes "this looks like …".
        hint: What to think about; it does not give the answer away.
        formula: The wrong answer; called as the student's answer is, on every case.
        part: The part of the check it is about; empty for all.
    """

    name: str
    diagnosis: str
    hint: str
    formula: Callable[..., object]
    part: str = ""


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

    @cached_property
    def _models(self) -> list[list[Response]]:
        return [collect(item.formula, self._calls) for item in self._misconceptions]

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
        ranked: list[tuple[float, float, Misconception]] = []
        for misconception, models in zip(self._misconceptions, self._models, strict=True):

            def explains(index: int, models: Sequence[Response] = models) -> bool:
                return _explained(self._expected[index], responses[index], models[index])

            if misconception.part not in ("", part) or not explains(shown):
                continue
            explained = {index for index in cases if explains(index)}
            of_failing = len(explained.intersection(failing)) / len(failing)
            of_all = len(explained) / len(cases)
            if min(of_failing, of_all) >= MIN_AGREEMENT:
                ranked.append((of_failing, of_all, misconception))
        ranked.sort(key=lambda item: item[:2], reverse=True)
        if len(ranked) > 1 and ranked[0][:2] == ranked[1][:2]:
            return None
        return ranked[0][2] if ranked else None


def _explained(expected: Expected, response: Response, model: Response) -> bool:
    if response.raised or model.raised:
        return False
    return agrees(expected, response.value, model.value)
