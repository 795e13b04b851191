"""Making submissions for tests: an exercise notebook with some answers replaced."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
NUMBERS = tuple(f"13-{number}" for number in range(1, 7))


def untouched(number: str) -> bytes:
    """The exercise as handed out."""
    return (ROOT / f"exercises/{number}.ipynb").read_bytes()


def worked(number: str) -> bytes:
    """The worked solution."""
    return (ROOT / f"solutions/{number}.ipynb").read_bytes()


def grade_id(cell: Mapping[str, Any]) -> str:
    return str(cell["metadata"].get("nbgrader", {}).get("grade_id", ""))


def code_cell(source: str, *, metadata: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": dict(metadata or {}),
        "outputs": [],
        "source": source,
    }


def submission(
    number: str,
    answers: Mapping[str, str],
    *,
    base: bytes | None = None,
    written: str | None = None,
    before: Sequence[str] = (),
    after: Sequence[str] = (),
) -> bytes:
    """An exercise with the sources of some answers replaced.

    Args:
        answers: Sources of answer cells by name.
        base: The notebook to start from; the untouched exercise by default.
        written: Markdown of the written answer; None leaves it.
        before: Sources of code cells added at the top.
        after: Sources of code cells added at the end.
    """
    notebook = json.loads(untouched(number) if base is None else base)
    left = dict(answers)
    if written is not None:
        left[f"written_{number.replace('-', '_')}"] = written
    for cell in notebook["cells"]:
        if grade_id(cell) in left:
            cell["source"] = left.pop(grade_id(cell))
    assert not left, f"{number} has no answers {', '.join(left)}"
    notebook["cells"] = [
        *map(code_cell, before),
        *notebook["cells"],
        *map(code_cell, after),
    ]
    return json.dumps(notebook).encode()
