"""Which module of the package imports which, read from the source text without importing it.

Two things rest on it: a built notebook is outdated when a module it reaches changes, and a test
holds the order in which modules may import each other.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gm_course.errors import BuildError

PACKAGE = "gm_course"


@dataclass(frozen=True)
class ModuleGraph:
    """The modules of one copy of the package and the imports between them.

    Attributes:
        texts: Source text of every module, by dotted name; a package goes by its own name.
        imports: For every module the modules that its import statements name, wherever they
            stand (inside functions and ``if TYPE_CHECKING`` too). Parent packages, which Python
            loads without being asked to, are left out here and followed by :meth:`reachable`.
    """

    texts: Mapping[str, str]
    imports: Mapping[str, frozenset[str]]

    def reachable(self, names: Iterable[str]) -> frozenset[str]:
        """Return the named modules with all that importing them loads, parents included."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name in found:
                continue
            found.add(name)
            waiting += self.imports[name]
            parent = name.rpartition(".")[0]
            if parent:
                waiting.append(parent)
        return frozenset(found)


def read_module_graph(root: Path) -> ModuleGraph:
    """Read the package in the folder ``root``; without one there, the graph is empty.

    Raises:
        BuildError: If a module is not valid Python.
    """
    files = {_module_name(path.relative_to(root)): path for path in root.glob(f"{PACKAGE}/**/*.py")}
    texts = {name: path.read_text(encoding="utf-8") for name, path in sorted(files.items())}
    imports = {
        name: imported_modules(
            text,
            known=texts,
            file=files[name].relative_to(root),
            package=name if files[name].name == "__init__.py" else name.rpartition(".")[0],
        )
        for name, text in texts.items()
    }
    return ModuleGraph(texts=texts, imports=imports)


def imported_modules(
    text: str, *, known: Collection[str], file: Path, package: str = ""
) -> frozenset[str]:
    """Return the modules, among the known ones, that the import statements of a text name.

    Args:
        text: Python source.
        known: Dotted names of the modules that exist.
        file: Where the text comes from, for the error message.
        package: The package the text belongs to, from which relative imports count.

    Raises:
        BuildError: If the text is not valid Python.

    Example:
        >>> modules = ["gm_course", "gm_course.data", "gm_course.vae"]
        >>> text = "import numpy; from gm_course import vae; from .data import moons"
        >>> found = imported_modules(text, known=modules, file=Path("a.py"), package="gm_course")
        >>> sorted(found)
        ['gm_course.data', 'gm_course.vae']
    """
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise BuildError(
            f"build: {file.as_posix()}:{error.lineno}: the file must be valid Python; "
            f"got {error.msg}. In a notebook source write magics as comments: # %matplotlib inline."
        ) from None
    named: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            named.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute_name(node, package)
            # `from a import b` names the module a.b if there is one, else something inside a
            members = {f"{base}.{alias.name}" for alias in node.names}
            named |= members & set(known)
            if not members <= set(known):
                named.add(base)
    return frozenset(named & set(known))


def _absolute_name(node: ast.ImportFrom, package: str) -> str:
    """Spell out the module of a ``from … import``; each dot after the first goes one up."""
    if not node.level:
        return node.module or ""
    ancestors = package.split(".")
    base = ancestors[: len(ancestors) - node.level + 1]
    return ".".join([*base, node.module] if node.module else base)


def _module_name(file: Path) -> str:
    parts = file.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
