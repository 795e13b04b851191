"""Answers with known verdicts, cut out of the test corpora as source that stands alone."""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
import symtable
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from gm_course.checks import exercise, find_check
from gm_course.checks.verdict import Verdict

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, eq=False)
class Variant:
    """One answer of a corpus.

    Attributes:
        answer: Name of the answer in the contract.
        label: What the corpus calls it, for people.
        function: The corpus's own function.
        mistake: The finding the corpus expects; empty if the answer is right.
        support: Source of the imports, helpers and constants it uses; may be empty.
        source: Source of the function, renamed to the answer's name.
    """

    answer: str
    label: str
    function: Callable[..., object]
    mistake: str
    support: str
    source: str

    @property
    def cell(self) -> str:
        """The whole answer as one cell."""
        return "\n\n\n".join(part for part in (self.support, self.source) if part)

    @functools.cached_property
    def verdict(self) -> Verdict:
        """The verdict on the corpus's function, judged in this process."""
        return find_check(self.answer).grade(self.function)


@dataclass(frozen=True)
class Corpus:
    """The answers to one exercise.

    Attributes:
        right: Right answers by the answer's name.
        wrong: Wrong answers by the answer's name.
        skipped: Labels of entries that have no source of their own (lambdas, partials, closures).
    """

    right: dict[str, list[Variant]]
    wrong: dict[str, list[Variant]]
    skipped: list[str]

    @property
    def variants(self) -> list[Variant]:
        """All of them."""
        kinds = (self.right, self.wrong)
        return [variant for kind in kinds for listed in kind.values() for variant in listed]


@functools.cache
def load_corpus(number: str) -> Corpus:
    """Return the corpus of an exercise, ``"13-1"`` …, from ``tests/checks/``."""
    module = load_module(ROOT / f"tests/checks/corpus_{number.replace('-', '_')}.py")
    sources = Sources(module)
    right: dict[str, list[Variant]] = {}
    wrong: dict[str, list[Variant]] = {}
    skipped = []
    for check in exercise(number).checks:
        right[check.name], wrong[check.name] = [], []
        entries = [(function.__name__, function, "") for function in module.CORRECT[check.name]]
        for label, function, mistake in entries + module.WRONG[check.name]:
            found = sources.of(function, renamed=check.name)
            if found is None:
                skipped.append(f"{check.name}: {label}")
                continue
            kind = wrong if mistake else right
            kind[check.name].append(Variant(check.name, label, function, mistake, *found))
    return Corpus(right, wrong, skipped)


def load_module(path: Path) -> ModuleType:
    """Import a file that belongs to no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Sources:
    """The top-level definitions of a module, and which of them each one uses."""

    def __init__(self, module: ModuleType) -> None:
        assert module.__file__ is not None
        text = Path(module.__file__).read_text(encoding="utf-8")
        self._module = module
        self._texts: dict[str, str] = {}  # by the name they define, in the module's order
        self._imported: set[str] = set()
        self._functions: set[str] = set()
        for node in ast.parse(text).body:
            match node:
                case ast.Import() | ast.ImportFrom():
                    for alias in node.names:
                        name = alias.asname or alias.name.partition(".")[0]
                        self._texts[name] = _import_of(node, alias)
                        self._imported.add(name)
                case ast.FunctionDef(name=name):
                    self._texts[name] = _segment(text, node)
                    self._functions.add(name)
                case ast.ClassDef(name=name) | ast.Assign(targets=[ast.Name(id=name)]):
                    self._texts[name] = _segment(text, node)

    def of(self, function: Callable[..., object], *, renamed: str) -> tuple[str, str] | None:
        """Return what a function uses, and the function under another name; None if no source."""
        name = getattr(function, "__name__", "")
        if name not in self._functions or getattr(self._module, name) is not function:
            return None
        used = self._used_by(name)
        imports = [text for key, text in self._texts.items() if key in used & self._imported]
        others = [text for key, text in self._texts.items() if key in used - self._imported]
        support = "\n\n\n".join(filter(None, ["\n".join(imports), *others]))
        return support, re.sub(rf"\b{name}\b", renamed, self._texts[name])

    def _used_by(self, name: str) -> set[str]:
        """Names of the top level that a definition needs, directly or through others."""
        used = {name}
        waiting = [name]
        while waiting:
            new = _global_names(self._texts[waiting.pop()]) & self._texts.keys() - used
            used |= new
            waiting += new
        return used - {name}


def _import_of(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> str:
    """The statement that imports one of the names an import statement brings."""
    if isinstance(node, ast.Import):
        return ast.unparse(ast.Import(names=[alias]))
    return ast.unparse(ast.ImportFrom(module=node.module, names=[alias], level=node.level))


def _segment(text: str, node: ast.stmt) -> str:
    """The source of a statement, its decorators included."""
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    return "\n".join(text.splitlines()[first - 1 : node.end_lineno])


def _global_names(text: str) -> set[str]:
    """Names that a definition looks up outside itself: those of its body, decorators, defaults."""
    names = set()
    tables: list[symtable.SymbolTable] = [symtable.symtable(text, "<definition>", "exec")]
    while tables:
        table = tables.pop()
        is_module = table.get_type() == "module"
        names |= {
            symbol.get_name()
            for symbol in table.get_symbols()
            if symbol.is_referenced() and (is_module or symbol.is_global())
        }
        tables += table.get_children()
    return names
