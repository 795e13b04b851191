"""The results of a class as files: the contract's JSON, and a table for a spreadsheet.

A file is replaced as a whole or not at all, so that whoever reads it never sees half of one.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from unicodedata import category

from gm_course.errors import GradingError
from gm_course.files import replace_file
from gm_course.grading.results import Result
from gm_course.grading.submission import shown_name

# One student's entry may not swell the file that holds the whole class.
MAX_ENTRY_BYTES = 100_000

# A spreadsheet's cell ends after 32,767 characters; what follows would be lost or refused.
MAX_CELL_CHARACTERS = 30_000

# A cell that begins like this is a formula to a spreadsheet, and formulas can send data away. The
# full-width forms count, too, where they are typed in Chinese or Japanese.
_FORMULA_STARTS = tuple("=+-@＝＋－＠")
_LINE_STARTS = tuple("\t\r\n")

_CUT = " …"


def write_json(path: Path, entries: Iterable[Mapping[str, Any]]) -> None:
    """Write the contract's JSON: a list with one object per submission.

    It is strict: valid UTF-8, no NaN, no Infinity, no half surrogate pairs. The texts of an entry
    that would take more than :data:`MAX_ENTRY_BYTES` bytes are shortened, the longest first.

    Args:
        path: The file to write or replace.
        entries: As :meth:`~gm_course.grading.results.Result.entry` gives them.

    Raises:
        GradingError: If the file cannot be written.
    """

    def parts() -> Iterable[bytes]:
        yield b"["
        for number, entry in enumerate(entries):
            text = json.dumps(_fitted(entry), ensure_ascii=False, allow_nan=False, indent=1)
            yield (",\n" if number else "\n").encode() + text.encode()
        yield b"\n]\n"

    _write("write_json", path, parts())


def write_csv(path: Path, results: Sequence[tuple[str, Result]]) -> None:
    """Write a table for a spreadsheet: a header and one row per submission.

    The columns: submission, exercise, status, score, max_score; for every answer of the exercises
    that occur its score under the answer's name, then its status; for every written answer an
    empty one under its name, for the points to be given by hand; message. Excel and LibreOffice
    recognise the encoding (UTF-8 with a byte order mark), Python reads it as ``utf-8-sig``.

    Args:
        path: The file to write or replace.
        results: Name and result of every submission.

    Raises:
        GradingError: If the file cannot be written.
    """
    by_exercise = sorted((result for _, result in results), key=lambda item: item.exercise or "")
    answers = list(dict.fromkeys(item.name for result in by_exercise for item in result.answers))
    written = list(dict.fromkeys(item.name for result in by_exercise for item in result.written))
    header = ["submission", "exercise", "status", "score", "max_score"]
    header += [column for name in answers for column in (name, f"{name} status")]
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, [*header, *written, "message"], restval="")
    writer.writeheader()
    for name, result in results:
        row: dict[str, object] = {
            "submission": spreadsheet_safe(name),
            "exercise": spreadsheet_safe(result.exercise or ""),
            "status": result.status,
            "score": result.score,
            "max_score": result.max_score,
            "message": spreadsheet_safe(result.message),
        }
        for answer in result.answers:
            row[answer.name] = answer.score
            row[f"{answer.name} status"] = answer.status
        writer.writerow(row)
    _write("write_csv", path, [table.getvalue().encode("utf-8-sig")])


def spreadsheet_safe(text: str) -> str:
    """Return a text that a spreadsheet shows and does not compute.

    What would start a formula gets an apostrophe before it; control characters, which some
    spreadsheets refuse, become spaces; a text longer than a cell is cut.

    Example:
        >>> spreadsheet_safe("=HYPERLINK(1)"), spreadsheet_safe("5 = 4 + 1")
        ("'=HYPERLINK(1)", '5 = 4 + 1')
    """
    plain = "".join(" " if category(character) == "Cc" else character for character in _valid(text))
    is_risky = text.startswith(_LINE_STARTS) or plain.lstrip().startswith(_FORMULA_STARTS)
    return ("'" if is_risky else "") + _shortened(plain, MAX_CELL_CHARACTERS)


def _write(function: str, path: Path, parts: Iterable[bytes]) -> None:
    try:
        replace_file(path, parts)
    except OSError as error:
        raise GradingError(
            f"{function}: path must be a file that can be written; got {shown_name(path)!r} "
            f"({error.strerror}). What it held before is untouched; choose another place and run "
            "the same command again."
        ) from error


def _valid(text: str) -> str:
    """Return the text with half surrogate pairs, which UTF-8 cannot say, written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _fitted(entry: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON data
    """Return the entry with valid texts, cut to the longest length that lets it fit."""

    def cut(limit: int) -> dict[str, Any]:
        return {
            key: _valid(value) if key == "submission" else _cut(value, limit)
            for key, value in entry.items()
        }

    if _is_small(whole := cut(MAX_ENTRY_BYTES)):
        return whole
    fits, too_long = 0, MAX_ENTRY_BYTES
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if _is_small(cut(middle)):
            fits = middle
        else:
            too_long = middle
    return cut(fits)


def _is_small(entry: Mapping[str, Any]) -> bool:
    # Measured with every character beyond ASCII written as \uXXXX, the longest form of the entry
    # that a program may turn it into.
    return len(json.dumps(entry, indent=1)) <= MAX_ENTRY_BYTES


def _cut(value: Any, limit: int) -> Any:  # noqa: ANN401 - JSON data
    if isinstance(value, str):
        return _shortened(_valid(value), limit)
    if isinstance(value, Mapping):
        return {key: _cut(item, limit) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cut(item, limit) for item in value]
    return value


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit] + _CUT
