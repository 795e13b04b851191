"""Finished results kept on disk by content, so that finished work is never repeated.

A result is found again only for the same bytes, graded by the same code and libraries with the
same settings. One small file each: whatever moment a run is cut off at, the files are whole.
"""

from __future__ import annotations

import hashlib
import json
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path

from platformdirs import user_cache_path

import gm_course
from gm_course.files import replace_file
from gm_course.grading.results import Result
from gm_course.grading.submission import shown_name
from gm_course.module_graph import PACKAGE, read_module_graph

FORMAT = 1  # raise it when the files' form changes: older ones then count as absent

# A verdict depends on these parts of the package, and on all modules that they import.
_GRADING_CODE = ("checks", "sandbox", "grading.grader")
_LIBRARIES = ("torch", "numpy", "scipy")


def default_folder() -> Path | None:
    """Return the folder for kept results among the user's caches; None without a home directory."""
    try:
        folder = user_cache_path("gm-course", appauthor=False) / "grades"
    except RuntimeError:
        return None
    return folder if folder.is_absolute() else None  # older versions leave a "~" as it is


def grading_fingerprint(*, timeout: float, sandboxed: bool) -> str:
    """Return a digest of all that decides a result besides the submission.

    Args:
        timeout: Seconds an answer may take.
        sandboxed: Whether the student's code is isolated.

    Raises:
        BuildError: If a module of the package is not valid Python.
    """
    graph = read_module_graph(Path(gm_course.__file__).parent.parent)
    starts = tuple(f"{PACKAGE}.{part}" for part in _GRADING_CODE)
    code = graph.reachable(
        name
        for name in graph.texts
        if name.startswith(tuple(f"{start}." for start in starts)) or name in starts
    )
    facts = {
        "format": str(FORMAT),
        "timeout": repr(float(timeout)),
        "sandboxed": repr(sandboxed),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "machine": platform.machine(),
        **{library: version(library) for library in _LIBRARIES},
        **{name: graph.texts[name] for name in code},
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


class ResultStore:
    """A folder of results, private to the user; students' work is in it.

    Never raises because of the folder: one that cannot be used merely keeps nothing, and
    :attr:`problem` then says why.

    Attributes:
        problem: Why results are not kept; empty as long as they are.
    """

    def __init__(self, folder: Path | None, *, fingerprint: str) -> None:
        """Create the folder if need be, and try whether it can be written.

        Args:
            folder: Where the results are; several runs may share it at the same time. None keeps
                nothing.
            fingerprint: From :func:`grading_fingerprint`.
        """
        self._folder = folder
        self._fingerprint = fingerprint
        self.problem = ""
        if folder is None:
            self.problem = "there is no home directory to keep them in"
            return
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            self._note(folder, error)

    def key(self, content: bytes) -> str:
        """Return under which name the result of a submission with this content is kept."""
        return hashlib.sha256(self._fingerprint.encode() + content).hexdigest()

    def find(self, key: str) -> Result | None:
        """Return the result kept under a key; None if there is none, or its file is damaged."""
        if self._folder is None:
            return None
        try:
            kept = json.loads((self._folder / _file_name(key)).read_bytes())
            if kept["key"] != key or kept["digest"] != _digest(kept["result"]):
                return None
            return Result.from_record(kept["result"])
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None

    def keep(self, key: str, result: Result) -> None:
        """Keep a result under a key, in place of one that is there already."""
        if self._folder is None or self.problem:
            return
        record = result.record()
        kept = {"key": key, "digest": _digest(record), "result": record}
        try:
            text = json.dumps(kept).encode()
            replace_file(self._folder / _file_name(key), [text], mode=0o600)
        except OSError as error:
            self._note(self._folder, error)

    def _note(self, folder: Path, error: OSError) -> None:
        self.problem = f"{shown_name(folder)!r} cannot be written ({error.strerror})"


def _file_name(key: str) -> str:
    return f"{key}.json"


def _digest(record: object) -> str:
    """Digest JSON data, so that a damaged text in it does not pass as what was kept."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
