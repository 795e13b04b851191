"""The course's files in tests: reading its notebooks, copying it."""

import shutil
import subprocess
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[1]


def read(path: Path) -> nbformat.NotebookNode:
    """The notebook in a file, in format 4."""
    return nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)


def copy_course(target: Path) -> None:
    """Copy the files that git knows, as they are now, and borrow the environment."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():  # a file deleted but not yet committed is listed, too
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    (target / ".venv").symlink_to(ROOT / ".venv")
