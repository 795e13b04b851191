"""Finding submissions, reading their bytes without ever hanging, and parsing them as notebooks.

Files come from strangers, so nothing in one is taken at its word. An exercise is recognised by
its answers, not by the file's name. Of a cell's metadata only nbgrader's ``grade_id`` counts, and
it only says which answer the cell belongs to; points, locks and ``solution`` mean nothing here.

Importing this module is cheap: only :func:`parse` loads the checks, and torch with them.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gm_course.errors import ArgumentError, UnreadableError

MAX_BYTES = 50_000_000  # of a file
MAX_VALUES = 2_000_000  # in its JSON, about: a few bytes of "[[],[],…" take a hundred in memory
MAX_CELLS = 5_000
MAX_CODE_BYTES = 1_000_000  # of the code in all cells together, as UTF-8
MAX_WRITTEN = 50_000  # characters of the written answer that are kept

TEXT_STUB = "*Write your answer here, in place of this line.*"  # what exercises are handed out with

_CUT = f"\n\n*[Cut here: only the first {MAX_WRITTEN:,} characters are kept.]*"
_CHUNK = 1 << 20
_LONGEST_GRADE_ID = 200

_AGAIN = "Ask for the notebook again, saved in JupyterLab."
_SMALLER = "Clear the outputs of all cells in JupyterLab, save, and hand in again."

_SURROGATE = re.compile("[\ud800-\udfff]")
# A function or a name bound on the first level; possessive, so that no line is scanned twice.
_DEFINITION = re.compile(
    r"^(?:(?:async[ \t]++)?+def[ \t]++(\w++)|(\w++)[ \t]*+(?::[^=\n]*+)?+=(?!=))", re.MULTILINE
)
# The given cell that asks for the written answer has this heading and a list of points; the
# reading list comes after the answer.
_WRITTEN_HEADING = re.compile(r"\s*+#++ *+(?:the +)?written (?:answer|part)", re.IGNORECASE)
_RUBRIC = re.compile(r"\| *+points *+\||\(1 point\)")
_READING_HEADING = re.compile(r"\s*+#++ *+where to read on", re.IGNORECASE)


@dataclass(frozen=True)
class CodeCell:
    """One code cell.

    Attributes:
        source: Its code, valid Unicode.
        grade_id: nbgrader's name for it; empty if it has none.
    """

    source: str
    grade_id: str


@dataclass(frozen=True)
class WrittenAnswer:
    """The written answer.

    Attributes:
        name: Its ``grade_id``, such as ``"written_13_2"``.
        text: The student's Markdown without the line it was handed out with, valid Unicode; empty
            if nothing was written. Cut, with a remark, behind ``MAX_WRITTEN`` characters.
    """

    name: str
    text: str

    @property
    def is_empty(self) -> bool:
        """Whether nothing was written."""
        return not self.text


@dataclass(frozen=True)
class Submission:
    """What a notebook contains that grading needs.

    Attributes:
        exercise: ``"13-1"`` …; None if nothing in it belongs to an exercise.
        cells: All code cells in the notebook's order.
        written: The exercise's written answer; none without an exercise.
    """

    exercise: str | None
    cells: tuple[CodeCell, ...]
    written: tuple[WrittenAnswer, ...]


@dataclass(frozen=True)
class _Cell:
    """One well-formed cell of any type."""

    cell_type: str
    source: str
    grade_id: str


def find_submissions(paths: Sequence[Path]) -> list[Path]:
    """Return the files to grade, in the order given.

    A folder stands for the ``*.ipynb`` files in it (not in its subfolders), sorted by name:
    regular files, hidden ones too, and links to regular files. Pipes, devices, folders and links
    that lead nowhere are left out there. A path that is not a folder stays as it is, even if it
    cannot be read, so that it gets an entry in the result. Nothing is opened.

    Args:
        paths: Files and folders; names need not be UTF-8.

    Raises:
        ArgumentError: If there is nothing at a path, or a folder cannot be listed.
    """
    found: list[Path] = []
    for path in paths:
        if _is_folder(path):
            found += _notebooks_in(path)
        else:
            found.append(path)
    return found


def shown_name(path: Path) -> str:
    r"""Return the path as given, as text that can be encoded in UTF-8.

    Bytes that are not UTF-8 become ``\xNN``. Everything else stays, control characters included:
    quoting them is up to the format that the name is written to.

    Example:
        >>> print(shown_name(Path("Zo\udceb.ipynb")))
        Zo\xeb.ipynb
    """
    return _SURROGATE.sub(_escaped, str(path))


def read_bytes(path: Path) -> bytes:
    """Return a file's content, at most ``MAX_BYTES``; never wait for anything but the disk.

    Raises:
        UnreadableError: If it is not a regular file or a link to one, is too large, or cannot be
            read; the message, one line, says why and what to do.
    """
    try:
        _require_regular(path.stat())  # before opening, which alone may start a device
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            _require_regular(os.fstat(descriptor))  # it may have been exchanged in between
            return _read_all(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _refusal("be a file that can be read", str(error.strerror), _advice(error)) from error
    except ValueError as error:  # a null character in the path
        raise _refusal("be a file that can be read", str(error), "Check the path.") from error


def parse(content: bytes) -> Submission:
    """Return what a notebook file contains; takes time and memory linear in its size.

    A malformed cell (no object, no type, or a source that is not text) is skipped. Characters that
    are no valid Unicode are replaced by U+FFFD.

    The exercise is the one with the most answers found by ``grade_id``, by a function or by an
    assignment of that name; the written answer counts as well. Where several have equally many,
    the one with more of them by ``grade_id`` is taken, then the first.

    The written answer is every cell with its ``grade_id``, of any type (splitting a cell in
    JupyterLab leaves it on both halves), and the Markdown cells without a ``grade_id`` between the
    exercise's text that asks for it and the next given cell, joined in the notebook's order.

    Args:
        content: A file's bytes, as :func:`read_bytes` returns them.

    Raises:
        UnreadableError: If it is not a notebook of format 4 in UTF-8, or too large in some
            respect; the message, one line, says why and what to do, and quotes nothing from it.
    """
    cells = _cells(_json_value(_text(content)))
    code = tuple(CodeCell(cell.source, cell.grade_id) for cell in cells if cell.cell_type == "code")
    size = sum(len(cell.source.encode()) for cell in code)
    if size > MAX_CODE_BYTES:
        raise _refusal(
            f"have at most {MAX_CODE_BYTES:,} bytes of code",
            f"{size:,}",
            "Ask for a notebook without pasted data.",
        )
    exercise = _exercise(cells)
    if exercise is None:
        return Submission(None, code, ())
    name = _written_name(exercise)
    return Submission(exercise, code, (WrittenAnswer(name, _written_text(cells, name)),))


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        if os.path.lexists(path):
            return False
        raise ArgumentError(
            f"grade: submission must be an existing file or folder; got {shown_name(path)!r}. "
            "Check the path."
        ) from None
    except OSError:
        return False


def _notebooks_in(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [
                entry.name
                for entry in entries
                if entry.name.endswith(".ipynb") and _leads_to_regular_file(entry)
            ]
    except OSError as error:
        raise ArgumentError(
            f"grade: submission must be a folder that can be listed; got {shown_name(folder)!r} "
            f"({error.strerror}). Give yourself read permission."
        ) from error
    return [folder / name for name in sorted(names)]


def _leads_to_regular_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except PermissionError:
        return True  # an entry that says so is better than a submission lost
    except OSError:
        return False


def _escaped(surrogate: re.Match[str]) -> str:
    code = ord(surrogate[0])
    # Python keeps an undecodable byte of a file name as U+DC00 plus the byte.
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def _require_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
        kind = kinds.get(stat.S_IFMT(status.st_mode), "a device")
        raise _refusal("be a regular file", kind, "Give the notebook itself.")
    if status.st_size > MAX_BYTES:
        raise _too_large(f"{status.st_size / 1e6:,.1f} MB")


def _read_all(descriptor: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while chunk := os.read(descriptor, _CHUNK):
        size += len(chunk)
        if size > MAX_BYTES:  # it grows, or reported no size
            raise _too_large("more")
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(got: str) -> UnreadableError:
    return _refusal(f"be at most {MAX_BYTES / 1e6:.0f} MB", got, _SMALLER)


def _advice(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "Give yourself read permission."
    if isinstance(error, FileNotFoundError):
        return "Put the file back, or correct the link that leads to it."
    return "Copy the file here again."


def _text(content: bytes) -> str:
    if not content.strip():
        raise _refusal("be a notebook", "an empty file", _AGAIN)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        got = f"bytes that are not, first at {error.start:,}"
        raise _refusal("be UTF-8 text", got, _AGAIN) from None


def _json_value(text: str) -> Any:  # noqa: ANN401 - any JSON value
    values = text.count("[") + text.count("{") + text.count(",")
    if values > MAX_VALUES:
        raise _refusal(f"have at most {MAX_VALUES:,} values", f"about {values:,}", _SMALLER)
    try:
        return json.loads(text, parse_int=_number)
    except RecursionError:
        raise _refusal("be a notebook", "JSON nested too deep", _AGAIN) from None
    except json.JSONDecodeError as error:
        if text.lstrip().startswith("{") and _is_cut_off(text.rstrip(), error):
            raise _refusal("be a whole notebook", "one that is cut off", _AGAIN) from None
        where = f"line {error.lineno:,}, column {error.colno:,}"
        got = f"text that is not JSON at {where}"
        raise _refusal("be a notebook", got, _AGAIN) from None


def _number(digits: str) -> float:
    """Return an integer; beyond 18 digits a float, which takes linear time to convert."""
    return int(digits) if len(digits) <= 18 else float(digits)


def _is_cut_off(text: str, error: json.JSONDecodeError) -> bool:
    if error.msg == "Extra data":
        return False
    return error.pos >= len(text) or not text.endswith("}")


def _cells(notebook: object) -> list[_Cell]:
    if not isinstance(notebook, dict) or "nbformat" not in notebook:
        raise _refusal("be a notebook", "JSON of something else", _AGAIN)
    version = notebook["nbformat"]
    if isinstance(version, int | float) and version < 4:
        advice = "Open it in JupyterLab, save it, and hand in again."
        raise _refusal("be a notebook of format 4", f"format {version}", advice)
    if version != 4:
        raise _refusal("be a notebook of format 4", "another format", _AGAIN)
    cells = notebook.get("cells")
    if not isinstance(cells, list):
        raise _refusal("have a list of cells", "none", _AGAIN)
    if len(cells) > MAX_CELLS:
        raise _refusal(
            f"have at most {MAX_CELLS:,} cells", f"{len(cells):,}", "Ask for a smaller notebook."
        )
    return [cell for cell in map(_well_formed, cells) if cell is not None]


def _well_formed(cell: object) -> _Cell | None:
    if not isinstance(cell, dict):
        return None
    source = cell.get("source")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        return None
    cell_type = cell.get("cell_type")
    if not isinstance(cell_type, str):
        return None
    return _Cell(cell_type, _valid_unicode(source), _grade_id(cell))


def _grade_id(cell: dict[str, Any]) -> str:
    metadata = cell.get("metadata")
    entry = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    name = entry.get("grade_id") if isinstance(entry, dict) else None
    if not isinstance(name, str) or len(name) > _LONGEST_GRADE_ID:
        return ""
    return _valid_unicode(name)


def _valid_unicode(text: str) -> str:
    return _SURROGATE.sub("\ufffd", text)


def _exercise(cells: Sequence[_Cell]) -> str | None:
    from gm_course.checks.registry import ANSWERS

    marked = {cell.grade_id for cell in cells}
    defined = {
        match[1] or match[2]
        for cell in cells
        if cell.cell_type == "code"
        for match in _DEFINITION.finditer(cell.source)
    }

    def hits(number: str) -> tuple[int, int]:
        names = {*ANSWERS[number], _written_name(number)}
        return len(names & (marked | defined)), len(names & marked)

    best = max(ANSWERS, key=hits)
    return best if any(hits(best)) else None


def _written_name(exercise: str) -> str:
    return f"written_{exercise.replace('-', '_')}"


def _written_text(cells: Sequence[_Cell], name: str) -> str:
    parts: list[str] = []
    is_asked_for = False
    for cell in cells:
        if cell.grade_id == name:
            parts.append(cell.source)
        elif cell.grade_id:
            is_asked_for = False
        elif cell.cell_type != "markdown":
            continue
        elif _READING_HEADING.match(cell.source):
            is_asked_for = False
        elif _WRITTEN_HEADING.match(cell.source) and _RUBRIC.search(cell.source):
            is_asked_for = True
        elif is_asked_for:
            parts.append(cell.source)
    parts = [part.replace(TEXT_STUB, "").strip("\n") for part in parts]
    text = "\n\n".join(part for part in parts if part.strip())
    if not _says_something(text):
        return ""
    return text if len(text) <= MAX_WRITTEN else text[:MAX_WRITTEN] + _CUT


def _says_something(text: str) -> bool:
    """Return whether there is more than white space and HTML comments; in doubt there is."""
    *closed, rest = text.split("-->")
    for piece in closed:
        before, opening, _ = piece.partition("<!--")
        if before.strip() or not opening:
            return True
    return bool(rest.strip())


def _refusal(must: str, got: str, advice: str) -> UnreadableError:
    return UnreadableError(f"grade: submission must {must}; got {got}. {advice}")
