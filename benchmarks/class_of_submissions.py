"""A class of students who hand in exercises: notebooks whose right verdicts are known."""

from __future__ import annotations

import copy
import functools
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.corpus import ROOT, Variant, load_corpus
from gm_course.checks import exercise, find_check
from gm_course.checks.registry import ANSWERS

# Of 100 answers so many are right, wrong and untouched.
SHARES = {"right": 70, "wrong": 20, "untouched": 10}
# Of 100 answers that use helpers or imports so many have them in a cell of their own, above.
SUPPORT_APART = 25
# Of 100 written answers so many are left as handed out, and so many deleted.
WRITTEN_UNTOUCHED, WRITTEN_DELETED = 10, 3

_SENTENCES = (
    "We start from the definition and write the expectation as a sum over all values.",
    "By Jensen's inequality $\\log E[x]\\ge E[\\log x]$, with equality iff $x$ is constant.",
    "The constant $\\frac{D}{2}\\log 2\\pi\\lambda$ does not depend on the parameters.",
    "Hence $D_{KL}(q\\,\\|\\,p)=\\int q\\log\\frac{q}{p}\\,dz\\ge 0$.",
    "Suppose there were a constant $K$; then for $x=K+1$ the slope is larger. Contradiction.",
    "So the **stationary point** is a maximum, because the second derivative is negative:",
    "$$\\frac{\\partial^2}{\\partial f^2}=-\\frac{p_1}{f^2}-\\frac{p_2}{(1-f)^2}<0.$$",
    "Weak duality: for any plan $\\gamma$ and any 1-Lipschitz $f$ the gap is not negative.",
    "- first, the row sums of $\\gamma$ are $p$;\n- second, its column sums are $q$.",
    "I am not sure about this step, but numerically it holds (see the plot above).",
    "证毕。",
    "Therefore `lam` multiplies the divergence and not the squared error.",
)


@dataclass(frozen=True)
class ExpectedAnswer:
    """The verdict an answer should get.

    Attributes:
        label: What it is, for people: the corpus's label, or ``"untouched"``.
        status: The contract's status.
        score: Points.
        hint: The hint that goes with the verdict.
    """

    label: str
    status: str
    score: float
    hint: str


@dataclass(frozen=True)
class ExpectedResult:
    """What grading a submission should find.

    Attributes:
        exercise: ``"13-1"`` …
        answers: The verdicts, by the answer's name.
        written: The status of the written answer.
    """

    exercise: str
    answers: dict[str, ExpectedAnswer]
    written: str


@dataclass(frozen=True)
class Submission:
    """One student's notebook.

    Attributes:
        student: ``"student-0001"`` …
        content: The notebook as a file holds it.
        expected: What grading it should find.
    """

    student: str
    content: bytes
    expected: ExpectedResult


def submissions(students: int, *, seed: int = 0) -> Iterator[Submission]:
    """Make one submission per student, each of one exercise, one after the other.

    A class is the beginning of every larger class of the same seed.

    Args:
        students: How many.
        seed: Another seed is another class.

    Example:
        >>> [submission.student for submission in submissions(2)]
        ['student-0001', 'student-0002']
    """
    for number in range(1, students + 1):
        yield _submission(f"student-{number:04d}", random.Random(f"{seed}/{number}"))


def untouched(number: str) -> Submission:
    """Make the submission of somebody who has run an exercise and answered nothing."""
    notebook = copy.deepcopy(_executed_exercise(number))
    expected = {name: _expected_of_stub(name) for name in ANSWERS[number]}
    result = ExpectedResult(number, expected, "empty")
    return Submission(f"untouched-{number}", _content(notebook), result)


def variants_skipped() -> list[str]:
    """Labels of corpus entries that no submission can hold, as they have no plain source."""
    return [label for number in ANSWERS for label in load_corpus(number).skipped]


def variants_used() -> int:
    """Number of different answers that submissions are made of."""
    return sum(len(load_corpus(number).variants) for number in ANSWERS)


def _submission(student: str, choices: random.Random) -> Submission:
    number = choices.choice(list(ANSWERS))
    corpus = load_corpus(number)
    notebook = copy.deepcopy(_executed_exercise(number))
    cells = {_grade_id(cell): cell for cell in notebook["cells"] if _grade_id(cell)}
    expected = {}
    for name in ANSWERS[number]:
        (kind,) = choices.choices(list(SHARES), list(SHARES.values()))
        if kind == "untouched":
            expected[name] = _expected_of_stub(name)
            continue
        variant = choices.choice((corpus.right if kind == "right" else corpus.wrong)[name])
        if variant.support and choices.randrange(100) < SUPPORT_APART:
            cells[name]["source"] = variant.source
            place = notebook["cells"].index(cells[name])
            support = _cell("code", variant.support, cell_id=f"{name}-support")
            notebook["cells"].insert(place, support)
        else:
            cells[name]["source"] = variant.cell
        expected[name] = _expected(variant)
    text = _written_answer(choices)
    if text is not None:
        cells[exercise(number).written_name]["source"] = text
    title = _cell("markdown", f"**{student}**, exercise {number}", cell_id="student")
    notebook["cells"].insert(0, title)
    written = "needs_review" if text else "empty"
    return Submission(student, _content(notebook), ExpectedResult(number, expected, written))


def _expected(variant: Variant) -> ExpectedAnswer:
    verdict = variant.verdict
    return ExpectedAnswer(variant.label, verdict.status, verdict.score, verdict.hint)


@functools.cache
def _expected_of_stub(name: str) -> ExpectedAnswer:
    def stub(*_arguments: object, **_keywords: object) -> None:
        raise NotImplementedError

    verdict = find_check(name).grade(stub)
    return ExpectedAnswer("untouched", verdict.status, verdict.score, verdict.hint)


def _written_answer(choices: random.Random) -> str | None:
    """Markdown; None where it is left as handed out."""
    kind = choices.randrange(100)
    if kind < WRITTEN_UNTOUCHED:
        return None
    if kind < WRITTEN_UNTOUCHED + WRITTEN_DELETED:
        return ""
    return "\n\n".join(choices.choices(_SENTENCES, k=choices.randint(2, 15)))


@functools.cache
def _executed_exercise(number: str) -> dict[str, Any]:
    """The exercise with the figures a student's own run leaves in it, as files handed in have."""
    handed_out = json.loads((ROOT / f"exercises/{number}.ipynb").read_bytes())
    worked = json.loads((ROOT / f"solutions/{number}.ipynb").read_bytes())
    outputs = {cell["id"]: cell["outputs"] for cell in worked["cells"] if "outputs" in cell}
    for cell in handed_out["cells"]:
        if cell["cell_type"] == "code" and not _grade_id(cell):
            cell["outputs"] = outputs[cell["id"]]
    return dict(handed_out)


def _content(notebook: dict[str, Any]) -> bytes:
    return json.dumps(notebook, ensure_ascii=False, indent=1).encode()


def _cell(kind: str, source: str, *, cell_id: str) -> dict[str, Any]:
    cell = {"cell_type": kind, "id": cell_id, "metadata": {}, "source": source}
    return cell | {"execution_count": None, "outputs": []} if kind == "code" else cell


def _grade_id(cell: dict[str, Any]) -> str:
    return str(cell["metadata"].get("nbgrader", {}).get("grade_id", ""))
