"""Reading the repository's notebooks in tests."""

from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[1]


def read(path: Path) -> nbformat.NotebookNode:
    """The notebook in a file, in format 4."""
    return nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
