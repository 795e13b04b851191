"""One HTML page per submission: the verdicts, and the written answer beside its rubric.

A page needs nothing else: no network, no other file. Whatever a student wrote is escaped or
sanitised, and a Content-Security-Policy admits no script but ours.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING
from urllib.parse import quote

from markupsafe import Markup, escape

from gm_course.errors import GradingError
from gm_course.files import replace_file
from gm_course.grading.page_names import page_names, page_stem
from gm_course.grading.pages import page_templates
from gm_course.grading.rendering import render_markdown
from gm_course.grading.results import AnswerResult, Result
from gm_course.grading.review import COLUMNS
from gm_course.grading.rubrics import remark, rubric
from gm_course.grading.summary import summary_page
from gm_course.grading.tables import spreadsheet_safe

if TYPE_CHECKING:
    from gm_course.grading.similarity import SimilarPairs

# symbol, words and kind of each status: colour, which goes by the kind, is never alone
_LABELS = {
    "passed": ("✓", "passed", "good"),
    "failed": ("✗", "not passed", "bad"),
    "not_attempted": ("○", "not attempted", "idle"),
    "error": ("!", "raised an error", "bad"),
    "timeout": ("…", "took too long", "bad"),
    "missing": ("?", "not found", "idle"),
    "crashed": ("×", "crashed", "bad"),
}

_POINTS_FILE = re.compile(r"points(-[0-9]+)?\.csv")


@dataclass(frozen=True)
class PointsTables:
    """File names of the tables for the points of the written answers.

    Attributes:
        left: Tables that were there already.
        written: The new one; None if the others have all rows.
    """

    left: tuple[str, ...]
    written: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return self.left if self.written is None else (*self.left, self.written)


def feedback_page(name: str, result: Result) -> str:
    """Return the page of one submission as HTML, at most 5 MB in UTF-8.

    Args:
        name: The submission as it is called in the results.
        result: What was found; a submission that is not graded gets a page that says why.
    """
    graded = result.exercise if result.written else None
    template = page_templates().get_template("feedback.html")
    return template.render(
        result=result,
        file=PurePath(name).name or name,
        submission=_exactly(spreadsheet_safe(name)),
        stem=page_stem(name),
        label=_label,
        rubric=_rendered_rubric(graded) if graded else (),
        remark=render_markdown(remark(graded)) if graded and remark(graded) else "",
    )


def write_feedback(
    folder: Path,
    results: Sequence[tuple[str, Result]],
    *,
    similar: SimilarPairs,
    progress: Callable[[], object],
) -> PointsTables:
    """Write a page per submission, the summary ``index.html`` and a table for the points.

    The table has a row for each written answer to be graded by hand. A table that is there already
    may hold the assistant's work and is never touched: rows that no ``points.csv``,
    ``points-2.csv``, … has yet go into the next of these. Pages of an earlier run are replaced;
    other files in the folder are left alone.

    Args:
        folder: Where to write; created if need be.
        results: Name and result of every submission.
        similar: From :func:`~gm_course.grading.similarity.similar_pairs`, for the summary.
        progress: Called after each submission's page.

    Returns:
        The tables that were left and the one that was written.

    Raises:
        GradingError: If something cannot be written.
    """
    pages = page_names([name for name, _ in results])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, result in results:
            _write(folder / pages[name], feedback_page(name, result).encode())
            progress()
        tables = _write_points(folder, results)
        addresses = {name: quote(page) for name, page in pages.items()}
        index = summary_page(results, addresses, similar=similar, tables=tables.names)
        _write(folder / "index.html", index.encode())
    except OSError as error:
        raise GradingError(
            f"write_feedback: folder must be one that can be written; got {str(folder)!r} "
            f"({error.strerror}). Choose another folder, or make room, and run the same command "
            "again."
        ) from error
    return tables


def _exactly(text: str) -> Markup:
    """Return a text for an attribute that a script reads: as in the table, nothing written out."""
    return Markup(escape(text).encode("ascii", "xmlcharrefreplace").decode())


def _label(answer: AnswerResult) -> tuple[str, str, str]:
    """Return symbol, words and kind for the verdict on an answer."""
    if answer.status == "failed" and answer.score > 0:
        return "◐", "partly right", "part"
    return _LABELS[answer.status]


@cache
def _rendered_rubric(number: str) -> tuple[tuple[float, Markup], ...]:
    return tuple((row.points, render_markdown(row.text)) for row in rubric(number))


def _write(path: Path, content: bytes) -> None:
    if path.is_symlink():  # it may lead out of the folder
        path.unlink()
    replace_file(path, [content])


def _write_points(folder: Path, results: Sequence[tuple[str, Result]]) -> PointsTables:
    """Write the rows that no table of points has yet into a new one."""
    tables = [path for path in folder.glob("points*.csv") if _POINTS_FILE.fullmatch(path.name)]
    tables.sort(key=lambda path: (len(path.name), path.name))
    left = tuple(path.name for path in tables)
    known = {key for path in tables for key in _rows_in(path)}
    wanted = [
        (spreadsheet_safe(name), written.name)
        for name, result in results
        for written in result.written
        if written.status == "needs_review" and (name, written.name) not in known
    ]
    missing = [row for row in dict.fromkeys(wanted) if row not in known]
    if left and not missing:
        return PointsTables(left, written=None)
    number = 1
    while (name := "points.csv" if number == 1 else f"points-{number}.csv") in left:
        number += 1
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows((*row, "", "") for row in missing)
    _write(folder / name, text.getvalue().encode("utf-8-sig"))
    return PointsTables(left, written=name)


def _rows_in(path: Path) -> list[tuple[str, str]]:
    """Return submission and name of each row; none if it is no such table any more.

    Unlike :func:`~gm_course.grading.review.read_points` it does not mind what the points are:
    a mistake there is for the review to tell.
    """
    try:
        text = path.read_text("utf-8-sig")
        delimiter = max(",;\t", key=text.partition("\n")[0].count)
        rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
        return [(row["submission"], row["name"]) for row in rows]
    except (OSError, ValueError, KeyError, csv.Error):
        return []
