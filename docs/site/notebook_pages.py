"""A notebook of the course as a page of the site.

The stored outputs are what the page shows; nothing is executed. What only works in JupyterLab is
taken out, answers are folded, and every named equation gets a place that the ledger can link to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

_FORMULA = re.compile(r"\$[^$]+\$")


def page(path: Path, equations: Iterable[str]) -> NotebookNode:
    """Return the page of a notebook.

    Args:
        path: The notebook, in ``notebooks``, ``exercises`` or ``solutions``.
        equations: Names of the equations that this notebook shows.

    Raises:
        ValueError: If the notebook shows no place for one of them.
    """
    notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    kind = path.parent.name
    _replace_explorers(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _keep_bars_in_tables(cell.source)
    for name in equations:
        _mark_equation(notebook, name, path)
    title, _, rest = notebook.cells[0].source.partition("\n")
    if kind == "solutions":
        _fold_answers(notebook)
        title = title.replace("# Exercise", "# Solution")
    notebook.cells[0].source = f"{title}\n\n{_note(kind, path)}\n{rest}"
    return notebook


def _note(kind: str, path: Path) -> str:
    """What a reader of the page should know, below its title."""
    file = f"`{kind}/{path.name}`"
    text = {
        "notebooks": f"Open {file} in JupyterLab to run this page and to change things in it.",
        "exercises": (
            f"This is the exercise before anything is answered. Open {file} in JupyterLab and "
            "write your answers there; the cells that say `check(…)` judge them. When you are "
            f"done, compare with [the solution](../solutions/{path.name})."
        ),
        "solutions": (
            f"The answers to [the exercise](../exercises/{path.name}) are folded; click on one to "
            f"read it. Open {file} in JupyterLab to run them."
        ),
    }
    return f":::{{admonition}} A notebook\n:class: note\n\n{text[kind]}\n:::"


def _replace_explorers(notebook: NotebookNode) -> None:
    """Keep the picture of each explorer; its sliders need a kernel."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if WIDGET_VIEW in output.get("data", {}):
                del output.data[WIDGET_VIEW]
                _add_tag(cell, "explorer")


def _fold_answers(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        if not cell.metadata.get("nbgrader", {}).get("solution"):
            continue
        if cell.cell_type == "code":
            _add_tag(cell, "hide-input")
        else:
            cell.source = (
                "<details>\n<summary>Show the written answer</summary>\n\n"
                f"{cell.source}\n\n</details>"
            )


def _keep_bars_in_tables(source: str) -> str:
    """Write the bars of formulas in table rows as commands; a bar would end the table's cell."""

    def without_bars(formula: re.Match[str]) -> str:
        return formula[0].replace(r"\|", r"\Vert ").replace("|", r"\vert ")

    lines = source.split("\n")
    return "\n".join(
        _FORMULA.sub(without_bars, line) if line.startswith("|") else line for line in lines
    )


def _mark_equation(notebook: NotebookNode, name: str, path: Path) -> None:
    """Make the first mention of an equation in the prose a target, which links to its row."""
    mention = f"`{name}`"
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and mention in cell.source:
            link = f"[[{mention}](#ledger-{name})]{{#equation-{name}}}"
            cell.source = cell.source.replace(mention, link, 1)
            return
    raise ValueError(f"{path} does not mention {mention}; the ledger says that it shows it.")


def _add_tag(cell: NotebookNode, tag: str) -> None:
    cell.metadata.setdefault("tags", []).append(tag)
