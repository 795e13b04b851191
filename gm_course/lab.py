"""JupyterLab on the course, also where the home directory or the course cannot be written."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gm_course.errors import DataError

START_PAGE = "notebooks/00-start-here.ipynb"


def open_course(arguments: Sequence[str] = ()) -> None:
    """Start JupyterLab on the course's start page and serve it until it is shut down.

    Args:
        arguments: Further options of JupyterLab, such as ``--no-browser``.

    Raises:
        DataError: If the notebooks are not beside the package.
    """
    course = course_folder()
    if not can_be_written(course):
        _note(
            f"{str(course)!r} cannot be written: you can run everything, but not save it there. "
            "Copy the folder to keep your changes, or use File > Download."
        )
    from jupyterlab.labapp import main

    with writable_home():
        main(
            [
                f"--ServerApp.root_dir={course}",
                f"--LabApp.default_url=/lab/tree/{START_PAGE}",
                f"--LabApp.app_settings_dir={course / 'lab-settings'}",
                # Jupyter refuses to run as root unless told so; in a container there is often
                # nobody else.
                *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
                *arguments,
            ]
        )


def course_folder() -> Path:
    """Return the folder of the course, in which the package is installed as editable.

    Raises:
        DataError: If the notebooks are not there.
    """
    folder = Path(__file__).resolve().parent.parent
    if not (folder / START_PAGE).is_file():
        raise DataError(
            f"course_folder: {START_PAGE} must stand beside the package; it is not in "
            f"{str(folder)!r}. In the folder of the course, run: pip install --editable ."
        )
    return folder


@contextmanager
def writable_home() -> Iterator[None]:
    """Give this process and its children a temporary home directory if theirs cannot be written.

    Jupyter, IPython and matplotlib keep settings and the files of running servers there.
    """
    home = Path.home()
    if can_be_written(home):
        yield
        return
    before = os.environ.get("HOME")
    with tempfile.TemporaryDirectory(prefix="gm-course-home-") as folder:
        _note(f"{str(home)!r} cannot be written: settings are kept in {folder!r} until the end.")
        os.environ["HOME"] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["HOME"]
            else:
                os.environ["HOME"] = before


def can_be_written(folder: Path) -> bool:
    """Tell whether new files can be made in a folder, by making one."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _note(text: str) -> None:
    print(f"gm-course: note: {text}", file=sys.stderr, flush=True)
