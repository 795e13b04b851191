"""Finding in a notebook what an answer needs: its own cells, and definitions it uses elsewhere.

Nothing is run here. The cells of an answer count whole; of the other cells only the statements
that define a name the answer uses: imports, functions, classes, constants. Loops are never taken,
so training loops and plots are not run.
"""

from __future__ import annotations

import ast
import builtins
import dis
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from types import CodeType

MAX_CODE = 10_000

_TIMING_MAGIC = re.compile(r"\s*%%(time|timeit|capture|prun)\b")
_SHELL_OR_MAGIC = re.compile(r"(\s*)([%!?]|.*\?\s*$)")
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_STUB = ast.dump(ast.parse("raise NotImplementedError").body[0])
_LOOPS = (ast.For, ast.AsyncFor, ast.While)


@dataclass(frozen=True)
class Cell:
    """A code cell of a submission: its number in the notebook, source and ``grade_id``."""

    number: int
    source: str
    grade_id: str

    @property
    def file_name(self) -> str:
        """What tracebacks call it."""
        return f"<cell {self.number}>"


@dataclass(frozen=True)
class Unparsable:
    """Why a cell is not Python.

    Attributes:
        message: The parser's words.
        line: Line of the cell.
    """

    message: str
    line: int


@dataclass(frozen=True)
class Plan:
    """What to run for one answer.

    Attributes:
        steps: Compiled statements in the order to run them, none if there is no such answer.
        statements: The same as syntax trees.
        source: The text of its own cells.
        problem: Why its own cell cannot be run, if that is so.
    """

    steps: tuple[CodeType, ...] = ()
    statements: tuple[ast.stmt, ...] = ()
    source: str = ""
    problem: Unparsable | None = None

    @property
    def is_found(self) -> bool:
        """Whether the notebook has this answer."""
        return bool(self.steps) or self.problem is not None

    def is_stub(self, name: str) -> bool:
        """Whether the answer is as it was handed out: it only raises NotImplementedError."""
        return any(
            isinstance(node, ast.FunctionDef)
            and node.name == name
            and isinstance(last := node.body[-1], ast.Raise)
            and ast.dump(last) == _STUB
            and all(isinstance(item, ast.Expr) for item in node.body[:-1])
            for node in self.statements
        )


@dataclass(eq=False)
class _Statement:
    node: ast.stmt
    cell: Cell
    bound: frozenset[str]
    code: CodeType | None = field(default=None, repr=False)

    def compiled(self) -> CodeType:
        if self.code is None:
            tree = ast.Module([self.node], type_ignores=[])
            self.code = compile(tree, self.cell.file_name, "exec", dont_inherit=True)
        return self.code


class Notebook:
    """The code cells of a submission, parsed."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._cells = cells
        self._parsed: dict[int, list[_Statement]] = {}
        self._problems: dict[int, Unparsable] = {}
        for cell in cells:
            try:
                tree = _parse(cell.source)
            except Exception as error:  # the parser fails in many ways on hostile text
                line = error.lineno if isinstance(error, SyntaxError) else 0
                message = error.msg if isinstance(error, SyntaxError) else "too complex to parse"
                self._problems[cell.number] = Unparsable(message, line or 0)
                self._parsed[cell.number] = []
            else:
                self._parsed[cell.number] = [
                    _Statement(node, cell, frozenset(_bound_names(node))) for node in tree.body
                ]

    def plan(self, name: str) -> Plan:
        """Return what to run for the answer of this name.

        Its cells are those with its ``grade_id``, if they define it (two after a cell was split or
        copied: the later definition counts, as in the notebook). Otherwise it is the last
        definition of that name anywhere in the notebook, without the rest of its cell.
        """
        marked = [cell for cell in self._cells if cell.grade_id == name]
        own = [item for cell in marked for item in self._parsed[cell.number]]
        if not any(name in item.bound for item in own):
            for cell in marked:
                if cell.number in self._problems:
                    return Plan(source=cell.source, problem=self._problems[cell.number])
            elsewhere = self._last_definition(name)
            if elsewhere is None:
                return self._unparsable_definition(name)
            own, marked = [elsewhere], [elsewhere.cell]
        try:
            steps = self._with_what_they_need(own)
            return Plan(
                steps=tuple(item.compiled() for item in steps),
                statements=tuple(item.node for item in steps),
                source="\n\n".join(cell.source for cell in marked)[:MAX_CODE],
            )
        except (SyntaxError, ValueError, RecursionError) as error:
            line = error.lineno if isinstance(error, SyntaxError) else 0
            message = error.msg if isinstance(error, SyntaxError) else "too complex to compile"
            problem = Unparsable(message, line or 0)
            return Plan(source=marked[0].source[:MAX_CODE], problem=problem)

    def _last_definition(self, name: str) -> _Statement | None:
        found = None
        for cell in self._cells:
            for item in self._parsed[cell.number]:
                if name in item.bound and not isinstance(item.node, _LOOPS):
                    found = item
        return found

    def _unparsable_definition(self, name: str) -> Plan:
        pattern = re.compile(rf"^\s*(async\s+)?def\s+{re.escape(name)}\s*\(", re.MULTILINE)
        for cell in self._cells:
            if cell.number in self._problems and pattern.search(cell.source):
                return Plan(source=cell.source[:MAX_CODE], problem=self._problems[cell.number])
        return Plan()

    def _with_what_they_need(self, own: Sequence[_Statement]) -> list[_Statement]:
        order = {cell.number: position for position, cell in enumerate(self._cells)}
        first = order[own[0].cell.number]
        taken = dict.fromkeys(own)
        bound = {name for item in own for name in item.bound}
        wanted = [name for item in own for name in _used_names(item.compiled())]
        seen: set[str] = set()
        while wanted:
            name = wanted.pop()
            if name in seen or name in bound:
                continue
            seen.add(name)
            for item in self._definitions(name, first, order):
                if item not in taken:
                    taken[item] = None
                    wanted += _used_names(item.compiled())
        unresolved = seen - {name for item in taken for name in item.bound} - set(dir(builtins))
        if unresolved:
            taken.update(dict.fromkeys(self._star_imports()))
        others = [item for item in taken if item not in set(own)]
        others.sort(key=lambda item: (order[item.cell.number], item.node.lineno))
        return [*others, *own]

    def _definitions(self, name: str, first: int, order: dict[int, int]) -> list[_Statement]:
        """The statements that give a name its value: those above the answer, or else those below.

        A built-in function that is redefined below was not meant.
        """
        above: list[_Statement] = []
        below: list[_Statement] = []
        for cell in self._cells:
            side = above if order[cell.number] <= first else below
            for item in self._parsed[cell.number]:
                if name in item.bound and not isinstance(item.node, _LOOPS):
                    side.append(item)
        return above or ([] if hasattr(builtins, name) else below)

    def _star_imports(self) -> Iterator[_Statement]:
        for cell in self._cells:
            for item in self._parsed[cell.number]:
                if isinstance(item.node, ast.ImportFrom) and item.node.names[0].name == "*":
                    yield item


def _parse(source: str) -> ast.Module:
    """Parse a cell; where IPython's own syntax stands in the way, without those lines."""
    source = _TIMING_MAGIC.sub("#", source, count=1) if source.lstrip()[:2] == "%%" else source
    try:
        return ast.parse(source)
    except SyntaxError:
        lines = [
            f"{found[1]}pass" if (found := _SHELL_OR_MAGIC.match(line)) else line
            for line in source.split("\n")
        ]
        return ast.parse("\n".join(lines))


def _bound_names(node: ast.AST) -> Iterator[str]:
    """Names that a statement gives a value in the notebook's own scope."""
    waiting = [node]
    while waiting:
        item = waiting.pop()
        if isinstance(item, ast.Import | ast.ImportFrom):
            for alias in item.names:
                yield alias.asname or alias.name.partition(".")[0]
        elif isinstance(item, _SCOPES):
            if not isinstance(item, ast.Lambda):
                yield item.name
        elif isinstance(item, ast.Name):
            if isinstance(item.ctx, ast.Store):
                yield item.id
        elif not isinstance(item, _COMPREHENSIONS):
            waiting += ast.iter_child_nodes(item)


def _used_names(code: CodeType) -> Iterable[str]:
    """Global names that a piece of code, or a function in it, may read."""
    names: dict[str, None] = {}
    waiting = [code]
    while waiting:
        item = waiting.pop()
        for step in dis.get_instructions(item):
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"):
                names[step.argval] = None
        waiting += [part for part in item.co_consts if isinstance(part, CodeType)]
    return names
