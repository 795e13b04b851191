"""Build the notebooks that are outdated, and say which ones are."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from gm_course.errors import ArgumentError, BuildError
from gm_course.files import replace_file
from gm_course.module_graph import ModuleGraph, imported_modules, read_module_graph
from gm_course.notebooks.execution import execute
from gm_course.notebooks.sources import Source, read_source, without_answers
from gm_course.validation import require_count

FORMAT = 2  # raise it when the builder's output changes: every notebook is then outdated

# folder under sources/, folder of the built notebooks, whether answers are removed
_KINDS = (
    ("lectures", "notebooks", False),
    ("exercises", "solutions", False),
    ("exercises", "exercises", True),
)


@dataclass(frozen=True)
class _Recipe:
    """From which source which notebook is built; paths count from the project's root."""

    source: Path
    target: Path
    is_stripped: bool


def build(
    root: Path,
    *,
    names: Sequence[str] = (),
    force: bool = False,
    jobs: int = 1,
    cell_timeout: int = 300,
    report: Callable[[str], None] = print,
) -> list[Path]:
    """Build every notebook that does not match its source; leave the others untouched.

    A notebook replaces its predecessor only when all of its cells ran, in one step, and never
    where that one was edited by hand (answers typed into an exercise), unless forced. A notebook
    that cannot be built does not keep the others from being built.

    Args:
        root: The project's root, which contains ``sources/``.
        names: Stems of the notebooks to look at, such as ``"05-training-a-vae"``; none means all.
            Paths to sources or notebooks do as well.
        force: Build the up-to-date ones too, and replace those edited by hand.
        jobs: How many notebooks to run at the same time.
        cell_timeout: Seconds that one cell may take.
        report: Called with one line for each notebook, as it is finished.

    Returns:
        The paths of the notebooks written.

    Raises:
        ArgumentError: If a name is unknown, or a number is not positive.
        BuildError: If a source is malformed or a notebook did not run; one line for each.
    """
    require_count("build", "jobs", jobs)
    require_count("build", "cell_timeout", cell_timeout)
    root = root.resolve()
    recipes = _recipes(root, names)
    graph = read_module_graph(root)
    built: list[Path] = []
    failures: list[BuildError] = []

    async def build_one(recipe: _Recipe, gate: asyncio.Semaphore) -> None:
        async with gate:
            started = time.monotonic()
            target = root / recipe.target
            try:
                source = read_source(root / recipe.source, root=root)
                plain = _assemble(recipe, source, graph)
                if not force and _difference(target, plain) is None:
                    report(f"up to date  {recipe.target.as_posix()}")
                    return
                if not force:
                    _refuse_to_lose_edits(target, recipe)
                target.parent.mkdir(exist_ok=True)
                notebook = await execute(
                    source,
                    plain,
                    root=root,
                    folder=target.parent,
                    cell_timeout=cell_timeout,
                    report=report,
                )
            except BuildError as error:
                report(f"failed      {recipe.target.as_posix()}")
                failures.append(error)
                return
            _write(notebook, target)
            built.append(target)
            seconds = time.monotonic() - started
            report(f"built       {recipe.target.as_posix()} in {seconds:.1f} s")

    async def build_all() -> None:
        gate = asyncio.Semaphore(jobs)
        async with asyncio.TaskGroup() as tasks:
            for recipe in recipes:
                tasks.create_task(build_one(recipe, gate))

    asyncio.run(build_all())
    if failures:
        raise BuildError("\n".join(str(failure) for failure in failures))
    return built


def stale(root: Path, *, names: Sequence[str] = ()) -> list[str]:
    """Return, one line each, in what the built notebooks differ from what the sources say.

    Nothing is run: a notebook is taken at its word that its outputs came from its cells.

    Args:
        root: The project's root, which contains ``sources/``.
        names: As for :func:`build`; notebooks without a source are only looked for without names.

    Raises:
        ArgumentError: If a name is unknown.
        BuildError: If there is no ``sources/`` or a module of the package is not valid Python.
    """
    root = root.resolve()
    recipes = _recipes(root, names)
    graph = read_module_graph(root)
    problems = []
    for recipe in recipes:
        try:
            source = read_source(root / recipe.source, root=root)
            difference = _difference(root / recipe.target, _assemble(recipe, source, graph))
        except BuildError as error:
            problems.append(str(error))
        else:
            if difference:
                problems.append(f"{recipe.target.as_posix()}: {difference}")
    if not names:
        expected = {root / recipe.target for recipe in recipes}
        for _, folder, _ in _KINDS:
            for path in sorted(set((root / folder).glob("*.ipynb")) - expected):
                problems.append(f"{path.relative_to(root).as_posix()}: it has no source")
    return problems


def _recipes(root: Path, names: Sequence[str]) -> list[_Recipe]:
    if not (root / "sources").is_dir():
        raise BuildError(
            f"build: root must contain a folder sources; got {root}. "
            "Run from the project's root, or pass it."
        )
    recipes = [
        _Recipe(source.relative_to(root), Path(folder, f"{source.stem}.ipynb"), is_stripped)
        for kind, folder, is_stripped in _KINDS
        for source in sorted((root / "sources" / kind).glob("*.py"))
    ]
    known = {recipe.source.stem for recipe in recipes}
    wanted = {Path(name).name.removesuffix(".py").removesuffix(".ipynb") for name in names}
    if not wanted <= known:
        raise ArgumentError(
            f"build: names must be among {', '.join(sorted(known))}; "
            f"got {', '.join(sorted(wanted - known))}. Leave them out to build everything."
        )
    return [recipe for recipe in recipes if not wanted or recipe.source.stem in wanted]


def _assemble(recipe: _Recipe, source: Source, graph: ModuleGraph) -> NotebookNode:
    """Return the notebook as it goes into the kernel, with a record of what it was made from."""
    cells = without_answers(source) if recipe.is_stripped else source.cells
    metadata = {
        "gm_course": {
            "source": source.file.as_posix(),
            "fingerprint": _fingerprint(source, graph),
            "cells": _cells_digest(cells),
        },
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    notebook: NotebookNode = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    return notebook


def _fingerprint(source: Source, graph: ModuleGraph) -> str:
    """Digest all text that decides what the notebook shows: its own and that of its modules."""
    imported = imported_modules(source.text, known=graph.texts, file=source.file)
    parts = [("format", str(FORMAT)), ("source", source.text)]
    parts += [(name, graph.texts[name]) for name in sorted(graph.reachable(imported))]
    digest = hashlib.sha256()
    for label, text in parts:
        digest.update(f"{label}\0{text}\0".encode())
    return digest.hexdigest()


def _cells_digest(cells: Sequence[NotebookNode]) -> str:
    """Digest what the cells say, so that a later change by hand can be told from a build."""
    texts = "\0".join(f"{cell.cell_type}\0{cell.source}" for cell in cells)
    return hashlib.sha256(texts.encode()).hexdigest()


def _refuse_to_lose_edits(target: Path, recipe: _Recipe) -> None:
    """Raise BuildError if the notebook holds changes made by hand: a student's answers, say."""
    try:
        stored = nbformat.reads(target.read_text(encoding="utf-8"), as_version=4)
    except (FileNotFoundError, ValueError):
        return
    recorded = stored.metadata.get("gm_course", {}).get("cells")
    if recorded is not None and recorded != _cells_digest(stored.cells):
        raise BuildError(
            f"build: {recipe.target.as_posix()} must be as it was built to be replaced; got cells "
            f"that were edited by hand. Keep a copy of it if they matter, and carry changes over "
            f"to {recipe.source.as_posix()}; --force then replaces it."
        )


def _difference(target: Path, plain: NotebookNode) -> str | None:
    """Say how a built notebook differs from the one that would be run now; None if it does not."""
    if not target.exists():
        return "it has not been built"
    try:
        stored = nbformat.reads(target.read_text(encoding="utf-8"), as_version=4)
    except ValueError:  # not JSON, not a notebook, or not UTF-8
        return "it is not a readable notebook"
    if stored.metadata.get("gm_course") != plain.metadata.gm_course:
        return "its source, or a module it imports, has changed since it was built"
    if len(stored.cells) != len(plain.cells):
        return f"it has {len(stored.cells)} cells, its source {len(plain.cells)}"
    count = 0
    for number, (cell, wanted) in enumerate(zip(stored.cells, plain.cells, strict=True), start=1):
        if any(cell[key] != wanted[key] for key in ("id", "cell_type", "source", "metadata")):
            return f"cell {number} differs from the source"
        if cell.cell_type == "code":
            count += 1
            if cell.execution_count != count:
                return f"cell {number} was not run in its turn"
    return None


def _write(notebook: NotebookNode, target: Path) -> None:
    replace_file(target, [nbformat.writes(notebook).encode(), b"\n"])
