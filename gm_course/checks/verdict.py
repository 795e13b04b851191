"""The outcome of a check and its wording."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

Status = Literal["passed", "failed", "not_attempted", "error"]

LINE_WIDTH = 88

# What to do about a finding that says nothing about the mathematics.
GENERIC_HINTS = {
    "raised": "Call the function yourself on inputs of these shapes to see the whole traceback.",
    "missing": "Something ended the run; let the function return normally.",
    "none": "End the function with `return …`; printing a result does not return it.",
    "none-inside": "Give every item a value: None is what an unfinished line, or a function "
    "without `return …`, leaves there.",
    "type": "Look at what the contract above the cell says the function returns.",
    "length": "Return every item the contract names, in its order.",
    "keys": "Use exactly the keys the contract names.",
    "shape": "Follow the shapes line by line; a sum or a product over the wrong axis, or "
    "broadcasting, is the usual cause.",
    "dtype": "Give every tensor you create the dtype named above; where that is the inputs', say "
    "`dtype=x.dtype`.",
    "device": "Give every tensor you create the device of the inputs, e.g. `device=x.device`.",
    "modified": "Work on new tensors: `y = x + 1` instead of `x += 1`, `x.clone()` before any "
    "method ending in `_`.",
    "requires-grad": "The inputs are not yours to change: where you need a derivative, work on "
    "`x.detach().clone().requires_grad_()`.",
    "detached": "The result must stay differentiable: no `.item()`, `.detach()`, NumPy or rounding "
    "on the way from input to result.",
    "nonfinite": "Some intermediate number is too large, too small, or 0/0 for this dtype; look "
    "for an exp, a log or a division, and rewrite the formula so that it cannot happen.",
    "special-inputs": "Look at what is special about these inputs: a small constant added for "
    "safety, a clamp, digits lost by cancellation, an overflow that was papered over, an argument "
    "treated as an integer, or an axis of length 1.",
    "float32": "The inputs have 16 digits, the result 7: look for `.float()`, "
    "`dtype=torch.float32` or a tensor created without a dtype.",
    "precision": "The inputs have 16 digits, the result fewer. Look for float32 inside, a constant "
    "typed in with few digits, a small constant or a clamp added for safety, digits lost by "
    "cancellation, or a solver stopped too early.",
}


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    Attributes:
        name: The answer's name.
        status: ``"passed"``, ``"failed"`` (ran, wrong), ``"not_attempted"`` or ``"error"``
            (raised, and no part was right).
        fraction: Share of the parts that are right, from 0 to 1; 1 only if passed.
        points: What the whole answer is worth.
        mistake: Machine-readable name of the misconception or finding; empty if passed.
        diagnosis: The mistake in words; empty if passed.
        hint: What to think about; empty if passed.
        text: The whole verdict as a student reads it.
    """

    name: str
    status: Status
    fraction: float
    points: float
    mistake: str
    diagnosis: str
    hint: str
    text: str

    @property
    def score(self) -> float:
        """Points earned."""
        return self.fraction * self.points


@dataclass(frozen=True)
class Problem:
    """What is wrong with an answer, or with some of its parts, ready to be told.

    Attributes:
        mistake: Machine-readable name.
        looks_like: The mistake in words, completes "this looks like …"; empty if not recognised.
        hint: What to think about.
        called: The call that shows it.
        returned: What came back.
        expected: What was expected of it.
        fails_on: On which inputs it happens; empty if that does not help.
        entries: The entries of a dict that it is about; none if it is about the whole result.
    """

    mistake: str
    looks_like: str
    hint: str
    called: str
    returned: str
    expected: str
    fails_on: str = ""
    entries: tuple[str, ...] = ()

    @property
    def diagnosis(self) -> str:
        """The mistake in words, or else what came back."""
        return self.looks_like or f"returned {self._entries_returned}"

    @property
    def rows(self) -> list[tuple[str, str]]:
        """Label and text of each line of the report."""
        rows = [
            ("called", self.called),
            ("returned", self._entries_returned),
            ("expected", self.expected),
            ("fails on", self.fails_on),
            ("looks like", self.looks_like),
            ("hint", self.hint),
        ]
        return [(label, text) for label, text in rows if text]

    @property
    def _entries_returned(self) -> str:
        if not self.entries:
            return self.returned
        noun = "entry" if len(self.entries) == 1 else "entries"
        return f"{noun} {', '.join(self.entries)}: {self.returned}"


def passed(name: str, points: float) -> Verdict:
    """Return the verdict of an answer that is right."""
    text = f"{name}: passed, {points:g} of {points:g} points."
    return Verdict(name, "passed", 1.0, points, "", "", "", text)


def not_attempted(name: str, points: float, message: str) -> Verdict:
    """Return the verdict of an untouched stub; ``message`` is what its exception said."""
    hint = "Replace the line that raises NotImplementedError by your answer and run both cells."
    rows = [("hint", hint)]
    if message:  # a library may raise the same class: then its message is what matters
        rows.insert(0, ("returned", f"nothing: it raised NotImplementedError: {message}"))
    text = _layout(f"{name}: not attempted, 0 of {points:g} points.", rows)
    return Verdict(name, "not_attempted", 0.0, points, "", "", hint, text)


def wrong(
    name: str, points: float, problems: Sequence[Problem], *, fraction: float, raised: bool
) -> Verdict:
    """Return the verdict of an answer with at least one problem; the first one names it.

    What several parts share is told once.
    """
    problems = _merged(problems)
    status: Status = "error" if raised and fraction == 0 else "failed"
    headline = f"{name}: not passed, {fraction * points:.3g} of {points:g} points."
    rows = [row for problem in problems for row in problem.rows]
    first = problems[0]
    return Verdict(
        name,
        status,
        fraction,
        points,
        first.mistake,
        first.diagnosis,
        first.hint,
        _layout(headline, rows),
    )


def _merged(problems: Sequence[Problem]) -> list[Problem]:
    """Make problems that differ in their entries only into one."""
    entries: dict[Problem, tuple[str, ...]] = {}
    for problem in problems:
        shared = replace(problem, entries=())
        entries[shared] = entries.get(shared, ()) + problem.entries
    return [replace(shared, entries=names) for shared, names in entries.items()]


def _layout(headline: str, rows: Sequence[tuple[str, str]]) -> str:
    lines = [headline]
    for label, text in rows:
        lead = f"  {label:<11}"
        lines += textwrap.wrap(
            text,
            LINE_WIDTH,
            initial_indent=lead,
            subsequent_indent=" " * len(lead),
            break_long_words=True,
            break_on_hyphens=False,
        )
    return "\n".join(lines)
