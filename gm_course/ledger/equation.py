"""What one row of the ledger is, and how it is checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gm_course.claims import claim

Formula = Callable[..., Any]


@dataclass(frozen=True)
class Row:
    """The verdict on one equation; the fields are those of ``gm-course ledger --json``.

    Attributes:
        name: The equation's name in the chapter.
        section: The chapter's section, such as ``"13.2.6"``.
        notebook: Stem of the lecture that shows it.
        error: Largest deviation from the oracle, in the equation's own measure.
        tolerance: Largest deviation that passes.
        passed: Whether the error is within the tolerance; an error of NaN is not.
    """

    name: str
    section: str
    notebook: str
    error: float
    tolerance: float
    passed: bool


@dataclass(frozen=True)
class Equation:
    """A named equation with its check.

    Attributes:
        name: The equation's name in the chapter.
        section: The chapter's section.
        notebook: Stem of the lecture that shows it.
        oracle: The independent way by which the same thing is computed, in a few words.
        measure: What the error is, in a few words, such as ``"relative error"``.
        tolerance: Largest error that passes; a comment beside it derives it.
        formula: The equation as the course computes it.
        error: Takes a formula and returns its largest deviation from the oracle.
        killers: Plausible wrong formulas by what is wrong with them; each must exceed the
            tolerance.
    """

    name: str
    section: str
    notebook: str
    oracle: str
    measure: str
    tolerance: float
    formula: Formula
    error: Callable[[Formula], float]
    killers: Mapping[str, Formula]

    def check(self, formula: Formula | None = None) -> Row:
        """Return the verdict on the equation, or on another formula put in its place."""
        error = float(self.error(self.formula if formula is None else formula))
        passed = error <= self.tolerance
        return Row(self.name, self.section, self.notebook, error, self.tolerance, passed)


def show_equations(equations: Sequence[Equation]) -> None:
    """Check a lecture's equations and print a claim for each, with the bound that it met.

    Args:
        equations: The ``EQUATIONS`` of the lecture's module.
    """
    for equation in equations:
        claim(
            f"{equation.name}: {equation.measure} at most {equation.tolerance:g} "
            f"(oracle: {equation.oracle})",
            equation.check().passed,
        )
