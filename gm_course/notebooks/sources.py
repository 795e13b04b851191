"""Read a notebook source, and take the answers out of an exercise.

A source is Python text in jupytext's percent format: a line ``# %%`` starts a code cell,
``# %% [markdown]`` a text cell written in comments. Behind the marker may stand, as JSON,

- ``tags=["nbval-ignore-output"] reason="..."``: the output differs from run to run, and why;
- ``tags=["raises-exception"]``: the cell is meant to fail, and does;
- ``nbgrader={"grade_id": "13-1-gradient", "solution": true}``: nbgrader's own cell metadata. Keys
  left out take nbgrader's defaults.

Whatever stands between ``### BEGIN SOLUTION`` and ``### END SOLUTION`` in a solution cell is the
answer; a text cell with ``"solution": true`` is an answer as a whole.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jupytext
from nbformat import NotebookNode, ValidationError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell

from gm_course.errors import BuildError

IGNORE_OUTPUT = "nbval-ignore-output"
RAISES = "raises-exception"
KNOWN_TAGS = (IGNORE_OUTPUT, RAISES)
KNOWN_KEYS = ("nbgrader", "reason", "tags")

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
ANSWER_STUB = "raise NotImplementedError"
TEXT_STUB = "*Write your answer here, in place of this line.*"

_MARKER = re.compile(r"# %%( |$)")
_NBVAL_COMMENT = re.compile(r"^\s*#+\s*(NBVAL_\w+|PYTEST_VALIDATE_\w+)\s*$", re.MULTILINE)
_NEW_CELL: dict[str, Callable[..., NotebookNode]] = {
    "code": new_code_cell,
    "markdown": new_markdown_cell,
    "raw": new_raw_cell,
}
# jupytext's memory of how the text was laid out: nothing that belongs in a notebook
_LAYOUT_KEYS = ("cell_marker", "lines_to_next_cell")


@dataclass(frozen=True)
class Source:
    """One notebook source, read and found well formed.

    Attributes:
        file: Its path from the project's root.
        text: All of its text.
        cells: Its cells, not executed, with ids that tell their position.
        lines: For each cell the line, counted from 1, on which its marker stands.
    """

    file: Path
    text: str
    cells: list[NotebookNode]
    lines: list[int]

    def error(self, index: int, must: str, got: str, advice: str) -> BuildError:
        """Return the error that a cell breaks a rule, naming the cell and where it stands."""
        where = f"{self.file.as_posix()}:{self.lines[index]}: cell {index + 1}"
        return BuildError(f"build: {where} must {must}; got {got}. {advice}")


def read_source(path: Path, *, root: Path) -> Source:
    """Read and check the notebook source ``path`` of the project in the folder ``root``.

    Raises:
        BuildError: If it has no cells, or a cell breaks a rule that the module's docstring gives.
    """
    file = path.relative_to(root)
    text = path.read_text(encoding="utf-8")
    rows = text.splitlines()
    starts = [row for row, line in enumerate(rows) if _MARKER.match(line)]
    if not starts or any(line and not line.startswith("#") for line in rows[: starts[0]]):
        raise BuildError(
            f"build: {file.as_posix()} must start its first cell with a line # %% and have only "
            "comments before it; got other text or no cell. Add the marker."
        )
    try:
        parsed = jupytext.reads("\n".join(rows[starts[0] :]), fmt="py:percent").cells
    except ValidationError as error:
        raise BuildError(
            f"build: {file.as_posix()} must have cell metadata that fits the notebook format; "
            f"got {error.message}. Look behind the # %% markers."
        ) from None
    if len(parsed) != len(starts):
        raise BuildError(
            f"build: {file.as_posix()} must contain # %% at the start of a line only to start a "
            f"cell; got {len(starts)} such lines for {len(parsed)} cells. Look for a marker that "
            "is indented or inside a string."
        )
    cells = [_clean_cell(cell, index) for index, cell in enumerate(parsed)]
    source = Source(file=file, text=text, cells=cells, lines=[start + 1 for start in starts])
    for index, cell in enumerate(cells):
        _check_cell(source, index, cell)
    if any("nbgrader" in cell.metadata for cell in cells):
        _check_nbgrader(source)
    return source


def without_answers(source: Source) -> list[NotebookNode]:
    """Return the cells as a student gets them: answers replaced by stubs, given cells locked.

    The steps are those of nbgrader's ``generate_assignment`` that change cells, so that a release
    made with nbgrader from the solutions shows the same text.

    Raises:
        BuildError: If a region that marks an answer, a hidden test or a marking scheme is not
            closed, or stands in a cell of the wrong kind.
    """
    from nbgrader.preprocessors import (
        ClearHiddenTests,
        ClearMarkScheme,
        ClearSolutions,
        LockCells,
    )

    steps = (
        LockCells(),
        ClearSolutions(code_stub={"python": ANSWER_STUB}, text_stub=TEXT_STUB),
        ClearHiddenTests(),
        ClearMarkScheme(),
    )
    cells = copy.deepcopy(source.cells)
    for index, cell in enumerate(cells):
        for step in steps:
            try:
                step.preprocess_cell(cell, {"language": "python"}, index)
            except RuntimeError as error:
                raise source.error(
                    index, "mark its answer as nbgrader expects", str(error), "See its BEGIN lines."
                ) from None
    return cells


def _clean_cell(cell: NotebookNode, index: int) -> NotebookNode:
    metadata = {key: value for key, value in cell.metadata.items() if key not in _LAYOUT_KEYS}
    if isinstance(metadata.get("nbgrader"), dict):
        defaults = {"grade": False, "solution": False, "locked": False, "task": False}
        metadata["nbgrader"] = {**defaults, **metadata["nbgrader"], "schema_version": 3}
    return _NEW_CELL[cell.cell_type](
        cell.source.rstrip("\n"), id=f"cell-{index + 1:03d}", metadata=metadata
    )


def _check_cell(source: Source, index: int, cell: NotebookNode) -> None:
    for key, value in cell.metadata.items():
        if key not in KNOWN_KEYS:
            raise source.error(
                index,
                f"carry no metadata but {', '.join(KNOWN_KEYS)}",
                f"{key} {value!r}",
                'Write it as JSON, for example tags=["raises-exception"].',
            )
    tags = cell.metadata.get("tags", [])
    for tag in tags:
        if tag not in KNOWN_TAGS:
            raise source.error(
                index, f"have only the tags {', '.join(KNOWN_TAGS)}", repr(tag), "Correct the tag."
            )
    reason = cell.metadata.get("reason", "")
    if IGNORE_OUTPUT in tags and not (isinstance(reason, str) and reason.strip()):
        raise source.error(
            index,
            f"say why it is tagged {IGNORE_OUTPUT}",
            f"reason {reason!r}",
            'Add reason="..." behind the tags, or print what holds on every machine.',
        )
    if cell.cell_type != "code":
        return
    if not cell.source.strip():
        raise source.error(index, "contain code", "nothing", "Remove the cell.")
    comment = _NBVAL_COMMENT.search(cell.source)
    if comment:
        raise source.error(
            index,
            "steer nbval by tags, not comments",
            comment[1],
            f'Use tags=["{IGNORE_OUTPUT}"] reason="...".',
        )


def _check_nbgrader(source: Source) -> None:
    from nbgrader.nbgraderformat import MetadataValidator, ValidationError

    validator = MetadataValidator()
    seen: set[str] = set()
    for index, cell in enumerate(source.cells):
        entry = cell.metadata.get("nbgrader", {})
        if not isinstance(entry, dict):
            raise source.error(
                index,
                "have an object as its nbgrader metadata",
                repr(entry),
                'Write nbgrader={"grade_id": "...", ...}.',
            )
        try:
            validator.validate_cell(cell)
        except ValidationError as error:
            raise source.error(
                index,
                "have metadata that nbgrader accepts",
                error.message,
                "See nbgrader's documentation of cell metadata.",
            ) from None
        grade_id = entry.get("grade_id")
        if grade_id in seen:
            raise source.error(
                index, "have a grade_id of its own", f"{grade_id!r} again", "Rename one of them."
            )
        if grade_id:
            seen.add(grade_id)
        if entry.get("solution") and cell.cell_type == "code" and BEGIN not in cell.source:
            raise source.error(
                index,
                f"enclose its answer in {BEGIN} and {END}",
                "a solution cell without them",
                "Leave the signature and docstring outside.",
            )
