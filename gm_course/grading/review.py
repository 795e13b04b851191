"""The points that a person gives for written answers, merged into the final scores."""

from __future__ import annotations

import copy
import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, get_args

from gm_course.errors import GradingError
from gm_course.files import replace_file
from gm_course.grading.results import AnswerStatus, SubmissionStatus, WrittenStatus
from gm_course.grading.tables import spreadsheet_safe

COLUMNS = ("submission", "name", "points", "comment")
MAX_PROBLEMS = 20  # that one message names

_MOST_POINTS = 1e6
_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")


@dataclass(frozen=True)
class GivenPoints:
    """One row of an assistant's table.

    Attributes:
        place: File and line, for messages.
        submission: The submission as the table calls it.
        name: The written answer.
        points: Its points; None while it has not been reviewed.
        comment: What the assistant says about it; may be empty.
    """

    place: str
    submission: str
    name: str
    points: float | None
    comment: str


@dataclass(frozen=True)
class Review:
    """A class with the points for its written answers.

    Attributes:
        entries: The contract's objects; every written answer has its ``score`` and the status
            ``"reviewed"`` if it was given points, and every submission has ``final_score`` and
            ``final_max_score``, both None if it could not be graded. ``final_score`` is None, too,
            while a written answer needs review. An empty one scores 0 unless it was given points.
        comments: The comments on each entry.
    """

    entries: tuple[dict[str, Any], ...]
    comments: tuple[str, ...]

    @property
    def waiting(self) -> list[tuple[str, str]]:
        """Submission and name of the written answers that still need review."""
        return [
            (entry["submission"], written["name"])
            for entry in self.entries
            for written in entry["written"]
            if written["status"] == "needs_review"
        ]


def read_results(path: Path) -> list[dict[str, Any]]:
    """Read what ``gm-course grade --json`` wrote.

    Raises:
        GradingError: If it is anything else.
    """
    try:
        entries = json.loads(path.read_bytes(), parse_constant=_refuse_constant)
    except OSError as error:
        problem = error.strerror or "it cannot be read"
    except (ValueError, RecursionError):
        problem = "it is no JSON"
    else:
        problem = _problem_of_entries(entries)
        if not problem:
            found: list[dict[str, Any]] = entries
            return found
    raise GradingError(
        f"review: RESULTS must be the file that `gm-course grade --json` wrote; got "
        f"{_shown(path)}: {problem}. Pass the right file, or grade the submissions again."
    )


def read_points(path: Path) -> list[GivenPoints]:
    """Read an assistant's table of points.

    It is CSV in UTF-8, with or without a byte order mark, whose header has the columns submission,
    name, points and comment in any order; others are ignored. Cells are separated by commas,
    semicolons or tabs, decimals by a point or, unless commas separate the cells, by a comma. A row
    without points stands for an answer that is not reviewed yet.

    Raises:
        GradingError: If it is anything else; one line for each row that cannot be understood.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise GradingError(
            f"review: POINTS must be files that can be read; got {_shown(path)} "
            f"({error.strerror}). Check its name and permissions."
        ) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise GradingError(
            f"review: {_place(path, line)}: the file must be UTF-8; got other bytes. Save it from "
            "the spreadsheet as CSV UTF-8."
        ) from None
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    rows = _rows(path, text, delimiter)
    place, header = next(rows, (_place(path, 1), []))
    columns = [cell.strip().casefold() for cell in header]
    if any(columns.count(column) != 1 for column in COLUMNS):
        raise GradingError(
            f"review: {place}: the first line must be the header {','.join(COLUMNS)}; got "
            f"{','.join(header)!r:.200}. Keep the line that the feedback's tables begin with."
        )
    found, problems = [], []
    for place, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        if any(cell.strip() for cell in cells[len(columns) :]):
            problems.append(
                f"review: {place}: a row must have {len(columns)} cells, like the header; got "
                f"{len(cells)}. Put a cell that contains {delimiter!r} in double quotes."
            )
            continue
        row = dict(zip(columns, [*cells, *[""] * len(columns)], strict=False))
        points = row["points"].strip()
        if delimiter != "," and "." not in points:
            points = points.replace(",", ".")
        if points and not _NUMBER.fullmatch(points):
            problems.append(
                f"review: {place}: points must be a number, 0 or more; got {points!r:.50}. Correct "
                "it, or leave the cell empty if the answer is not reviewed yet."
            )
            continue
        found.append(
            GivenPoints(
                place=place,
                submission=row["submission"],
                name=row["name"].strip(),
                points=float(points) if points else None,
                comment=_unprotected(row["comment"].strip()),
            )
        )
    _raise_if_any(problems)
    return found


def merge_points(entries: Sequence[Mapping[str, Any]], rows: Iterable[GivenPoints]) -> Review:
    """Merge points into the results of a class.

    Args:
        entries: What :func:`read_results` returned; left as it is.
        rows: The rows of all tables. An answer may occur several times: its points must then be
            the same wherever they are given, and the comments are joined.

    Raises:
        GradingError: If a row does not fit the results or another row; one line for each.
    """
    known = _KnownAnswers(entries)
    given: dict[tuple[str, str], GivenPoints] = {}
    comments: dict[tuple[str, str], dict[str, None]] = {}
    problems = []
    for row in rows:
        try:
            key = known.find(row)
        except GradingError as error:
            problems.append(str(error))
            continue
        if row.comment:
            comments.setdefault(key, {})[row.comment] = None
        before = given.setdefault(key, row)
        if before.points is None:
            given[key] = row
        elif row.points not in (None, before.points):
            problems.append(
                f"review: {row.place}: points must be those of {before.place}, which is about the "
                f"same answer, {before.points:g}; got {row.points:g}. Correct one of the two."
            )
    _raise_if_any(problems)
    points = {key: row.points for key, row in given.items() if row.points is not None}
    return Review(
        entries=tuple(_reviewed(entry, points) for entry in entries),
        comments=tuple(
            " ".join(
                comment
                for written in entry["written"]
                for comment in comments.get((entry["submission"], written["name"]), ())
            )
            for entry in entries
        ),
    )


def write_final_csv(path: Path, review: Review) -> None:
    """Write a table for a spreadsheet: a header and one row per submission.

    Args:
        path: The file to write or replace.
        review: The class.

    Raises:
        GradingError: If the file cannot be written.
    """
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    columns = ["submission", "exercise", "status", "score", "max_score"]
    last = ["final_score", "final_max_score"]
    writer.writerow([*columns, "written_score", "written_max_score", *last, "comment"])
    for entry, comment in zip(review.entries, review.comments, strict=True):
        cells = [entry[column] for column in columns]
        scores = [written["score"] for written in entry["written"]]
        is_complete = scores and None not in scores
        cells.append(math.fsum(scores) if is_complete else None)
        cells.append(math.fsum(written["max_score"] for written in entry["written"]))
        cells += [*(entry[column] for column in last), comment]
        writer.writerow([spreadsheet_safe(c) if isinstance(c, str) else c for c in cells])
    try:
        replace_file(path, [table.getvalue().encode("utf-8-sig")])
    except OSError as error:
        raise GradingError(
            f"write_final_csv: path must be a file that can be written; got {_shown(path)} "
            f"({error.strerror}). Choose another place and run the same command again."
        ) from error


class _KnownAnswers:
    """The written answers of a class, to be found as a table calls them."""

    def __init__(self, entries: Sequence[Mapping[str, Any]]) -> None:
        self._entries = {entry["submission"]: entry for entry in entries}
        self._names: dict[str, set[str]] = {}
        for name in self._entries:
            for form in (name, spreadsheet_safe(name)):
                self._names.setdefault(form, set()).add(name)

    def find(self, row: GivenPoints) -> tuple[str, str]:
        """Return submission and name of the written answer that a row is about.

        Raises:
            GradingError: If there is no such answer, or it is not worth that many points.
        """
        names = self._names.get(row.submission, set())
        if len(names) != 1:
            several = f" which fits {len(names)} of them" if names else ""
            advice = "Rename the files and grade again" if names else "Write it as the results do"
            raise GradingError(
                f"review: {row.place}: submission must be one of the results; got "
                f"{row.submission!r:.200}{several}. {advice}."
            )
        (submission,) = names
        entry = self._entries[submission]
        if entry["status"] != "graded":
            raise GradingError(
                f"review: {row.place}: submission must be one that could be graded; got "
                f"{submission!r}, which is {entry['status']}. Remove the row, or grade it again."
            )
        for written in entry["written"]:
            if written["name"] != row.name:
                continue
            if row.points is not None and row.points > written["max_score"]:
                raise GradingError(
                    f"review: {row.place}: points must be at most {written['max_score']:g}; got "
                    f"{row.points:g}. Correct them."
                )
            return submission, row.name
        expected = " or ".join(written["name"] for written in entry["written"])
        raise GradingError(
            f"review: {row.place}: name must be that of a written answer, {expected}; got "
            f"{row.name!r:.200}. Correct it; points of the other answers come from the checks."
        )


def _reviewed(entry: Mapping[str, Any], points: Mapping[tuple[str, str], float]) -> dict[str, Any]:
    reviewed = copy.deepcopy(dict(entry))
    for written in reviewed["written"]:
        key = entry["submission"], written["name"]
        if key in points:
            written.update(status="reviewed", score=points[key])
        elif written["status"] == "empty":
            written["score"] = 0.0
    scores = [written["score"] for written in reviewed["written"]]
    is_graded = entry["status"] == "graded"
    is_final = is_graded and None not in scores
    max_scores = [written["max_score"] for written in reviewed["written"]]
    reviewed["final_score"] = math.fsum([entry["score"], *scores]) if is_final else None
    reviewed["final_max_score"] = (
        math.fsum([entry["max_score"], *max_scores]) if is_graded else None
    )
    return reviewed


def _rows(path: Path, text: str, delimiter: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the place and the cells of each row."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            yield _place(path, line), cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise GradingError(
            f"review: {_place(path, line)}: a row must be valid CSV; got an error ({error}). "
            "Double every quotation mark inside a quoted cell, and close the cell with one."
        ) from None


def _place(path: Path, line: int) -> str:
    return f"{_shown(path)}:{line}"


def _shown(path: Path) -> str:
    name = str(path)
    return name if name.isprintable() else repr(name)


def _unprotected(text: str) -> str:
    """Undo what keeps a spreadsheet from taking a text for a formula."""
    plain = text.removeprefix("'")
    is_protected = spreadsheet_safe(plain)[:2] == text[:2]
    return plain if is_protected else text


def _raise_if_any(problems: Sequence[str]) -> None:
    if not problems:
        return
    named = list(problems[:MAX_PROBLEMS])
    if len(problems) > len(named):
        named.append(f"review: {len(problems) - len(named)} more rows have such problems.")
    raise GradingError("\n".join(named))


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_text_or_none(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _is_none(value: object) -> bool:
    return value is None


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= _MOST_POINTS


_Form = Mapping[str, Callable[[object], bool]]
_ENTRY: _Form = {
    "submission": _is_text,
    "exercise": _is_text_or_none,
    "status": get_args(SubmissionStatus).__contains__,
    "score": _is_number,
    "max_score": _is_number,
    "message": _is_text,
    "answers": _is_list,
    "written": _is_list,
}
_ANSWER: _Form = {
    "name": _is_text,
    "status": get_args(AnswerStatus).__contains__,
    "score": _is_number,
    "max_score": _is_number,
}
_WRITTEN: _Form = {
    "name": _is_text,
    "status": get_args(WrittenStatus).__contains__,
    "score": _is_none,
    "max_score": _is_number,
}


def _problem_of_entries(entries: object) -> str:
    """Return why something is not the contract's list; empty if it is."""
    if not isinstance(entries, list):
        return "it is no list of submissions"
    for number, entry in enumerate(entries, start=1):
        problem = _problem(entry, _ENTRY)
        if not problem:
            problems = [_problem(answer, _ANSWER) for answer in entry["answers"]]
            problems += [_problem(written, _WRITTEN) for written in entry["written"]]
            problem = next(filter(None, problems), "")
        if problem:
            return f"submission {number} has {problem}"
    return ""


def _problem(item: object, form: _Form) -> str:
    if not isinstance(item, dict):
        return f"{item!r:.50} in the place of an object"
    for key, is_valid in form.items():
        if key not in item:
            return f"no {key!r}"
        if not is_valid(item[key]):
            return f"the {key} {item[key]!r:.50}"
    return ""
