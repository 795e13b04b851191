"""Finding in a notebook what an answer needs: its own cells, and definitions it uses elsewhere.

Nothing is run here. The cells of an answer count whole; of the other cells only the statements
that give a value to a name the answer uses: imports, functions, classes, constants. Loops are
never taken, so training loops and plots are not run.
"""

from __future__ import annotations
import __future__

import ast
import builtins
import dis
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.machinery import PathFinder
from types import CodeType

MAX_CODE = 10_000
MAX_STATEMENTS = 10_000  # at the top level of all cells
MAX_MAGICS = 50  # lines of a cell in IPython's own syntax

_READS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS", "DELETE_NAME"})
_LINE_END = re.compile(r"\r\n|\r|\n")
_CELL_MAGIC = re.compile(r"\s*+%%(\w*+)")
_PYTHON_MAGICS = ("time", "timeit", "capture", "prun")  # the rest of the cell is Python
_TIMED_STATEMENT = re.compile(r"(\s*+)%time\s++(.+)")
_ASSIGNED_MAGIC = re.compile(r"(\s*+[\w., ]++=\s*+)[%!]")
_MAGIC = re.compile(r"(\s*+)([%!?]|.*\?\s*$)")


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
        line: Line of the cell, 0 if unknown.
    """

    message: str
    line: int


@dataclass(frozen=True)
class Plan:
    """What to run for one answer.

    Attributes:
        steps: Compiled statements in the order to run them, none if there is no such answer.
        statements: The same as syntax trees.
        source: The text of its own cells, at most ``MAX_CODE`` characters.
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
        named = [node for node in self.statements if getattr(node, "name", None) == name]
        return bool(named) and _is_stub(named[-1])


@dataclass(eq=False)
class _Statement:
    """A statement at the top level of a cell.

    Attributes:
        place: How many come before it in the notebook.
        flags: The compiler's, for what was imported from ``__future__``.
        bound: Names that it gives a value outside of loops; ``*`` if it is a star import.
        changed: Names that it deletes, or whose items or attributes it sets.
    """

    node: ast.stmt
    cell: Cell
    place: int
    flags: int
    bound: frozenset[str]
    changed: frozenset[str]

    @cached_property
    def code(self) -> CodeType:
        tree = ast.Module([self.node], type_ignores=[])
        with warnings.catch_warnings(action="ignore"):
            code: CodeType = compile(
                tree, self.cell.file_name, "exec", self.flags, dont_inherit=True
            )
            return code

    @cached_property
    def names(self) -> tuple[dict[str, None], set[str]]:
        """Names that it, or a function in it, may read from elsewhere; and names it stores."""
        return _read_and_stored(self.code)

    @cached_property
    def is_valid(self) -> bool:
        """Whether it compiles: the parser lets `return` outside of a function pass."""
        try:
            return bool(self.names)
        except Exception:  # the compiler fails in as many ways as the parser
            return False


class Notebook:
    """The code cells of a submission, parsed."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._statements: list[_Statement] = []
        self._affecting: dict[str, list[_Statement]] = {}
        self._problems: dict[Cell, Unparsable] = {}
        flags = 0
        for cell in cells:
            try:
                tree = _parse(cell.source)
            except Exception as error:  # the parser fails in many ways on hostile text
                self._problems[cell] = _problem(error)
                continue
            if len(self._statements) + len(tree.body) > MAX_STATEMENTS:
                self._problems[cell] = Unparsable("too many statements", 0)
                continue
            has_walrus = ":=" in cell.source
            for node in tree.body:
                flags |= _future_flags(node)  # in Jupyter they hold for the cells below, too
                bound, changed = _bound_and_changed(node, has_walrus=has_walrus)
                item = _Statement(node, cell, len(self._statements), flags, bound, changed)
                self._statements.append(item)
                for name in bound | changed:
                    self._affecting.setdefault(name, []).append(item)

    def plan(self, name: str) -> Plan:
        """Return what to run for the answer of this name.

        Its cells are those with its ``grade_id``, if they define it (two after a cell was split or
        copied: the later definition counts, as in the notebook). Otherwise it is the last
        definition of that name anywhere in the notebook, without the rest of its cell. So it is
        below a cell that was left as it was handed out.
        """
        own = [item for item in self._statements if item.cell.grade_id == name]
        named = [item.node for item in own if name in item.bound]
        last = self._last_definition(name)
        if not named:
            broken = self._broken_cell(name, is_elsewhere=last is not None)
            if broken:
                return Plan(source=broken.source[:MAX_CODE], problem=self._problems[broken])
        if last is None:
            return Plan()
        if not named or (_is_stub(named[-1]) and last.place > own[-1].place):
            own = [last]
        source = "\n\n".join(dict.fromkeys(item.cell.source for item in own))[:MAX_CODE]
        try:
            steps = self._with_what_they_need(own)
            return Plan(
                steps=tuple(item.code for item in steps),
                statements=tuple(item.node for item in steps),
                source=source,
            )
        except Exception as error:  # as above
            return Plan(source=source, problem=_problem(error))

    def _last_definition(self, name: str) -> _Statement | None:
        found = [item for item in self._affecting.get(name, ()) if name in item.bound]
        return found[-1] if found else None

    def _broken_cell(self, name: str, *, is_elsewhere: bool) -> Cell | None:
        """The cell that would define the answer if it were Python."""
        pattern = re.compile(rf"^[ \t]*+(async +)?def +{re.escape(name)} *\(", re.MULTILINE)
        marked = [cell for cell in self._problems if cell.grade_id == name]
        for cell in marked:
            if pattern.search(cell.source):
                return cell
        if is_elsewhere:
            return None
        defining = [cell for cell in self._problems if pattern.search(cell.source)]
        return next(iter(marked + defining), None)

    def _with_what_they_need(self, own: Sequence[_Statement]) -> list[_Statement]:
        first = own[0].place
        end = 1 + max(item.place for item in self._statements if item.cell == own[-1].cell)
        wanted: list[str] = []
        stored_so_far: set[str] = set()
        stored_by_own: set[str] = set()
        for item in own:
            read, stored = item.names
            wanted += read.keys() - stored_so_far
            stored_by_own |= stored
            if _binds_for_sure(item.node):
                stored_so_far |= stored
        taken = set(own)
        seen: set[str] = set()
        while wanted:
            name = wanted.pop()
            if name in seen:
                continue
            seen.add(name)
            is_known = name in stored_by_own or hasattr(builtins, name)
            for item in self._definitions(name, end, is_known=is_known):
                if item not in taken:
                    taken.add(item)
                    wanted += item.names[0]
        unresolved = seen.difference(*(item.bound for item in taken))
        taken.update(self._star_imports(unresolved, end))
        return _in_order(taken, first, end)

    def _definitions(self, name: str, end: int, *, is_known: bool) -> list[_Statement]:
        """The statements that make a name's value: those up to the answer, or else those below.

        Args:
            name: The name.
            end: The place after the answer's last cell.
            is_known: Whether it has a value without those below: a built-in function that is
                redefined below was not meant.
        """
        affecting = [item for item in self._affecting.get(name, ()) if item.is_valid]
        above = [item for item in affecting if item.place < end]
        for chosen in (above, [] if is_known else affecting):
            if any(name in item.bound for item in chosen):
                return chosen
        return []

    def _star_imports(self, unresolved: set[str], end: int) -> Iterator[_Statement]:
        """Those that may bind names of which no other statement is known to bind them.

        All of them where a name would have no value. For those that hide built-in functions, as
        in `from torch import *`, the imports that could also fail are left out.
        """
        is_lost = not all(hasattr(builtins, name) for name in unresolved)
        for item in self._affecting.get("*", ()):
            if is_lost or (unresolved and item.place < end and _is_installed(item.node)):
                yield item


def _in_order(taken: set[_Statement], first: int, end: int) -> list[_Statement]:
    """Sort as in the notebook, with what stands below the answer in front of it.

    Imports from below come before everything, since definitions above may rely on them.
    """

    def group(item: _Statement) -> int:
        if item.place >= end:
            return 0 if isinstance(item.node, ast.Import | ast.ImportFrom) else 2
        return 1 if item.place < first else 3

    return sorted(taken, key=lambda item: (group(item), item.place))


def _parse(source: str) -> ast.Module:
    """Parse a cell; where IPython's own syntax stands in the way, without those lines."""
    lines = _LINE_END.split(source)
    first = next((index for index, line in enumerate(lines) if line.strip()), 0)
    magic = _CELL_MAGIC.match(lines[first])
    if magic:
        if magic[1] not in _PYTHON_MAGICS:
            return ast.Module([], type_ignores=[])
        lines[first] = "#"
    # Jupyter, too, accepts a cell that is indented as a whole.
    indent = lines[first].removesuffix(lines[first].lstrip(" \t"))
    lines = [line.removeprefix(indent) for line in lines]
    with warnings.catch_warnings(action="ignore"):
        for _ in range(MAX_MAGICS):
            try:
                return ast.parse("\n".join(lines))
            except SyntaxError as error:
                if not _remove_magic(lines, (error.lineno or 0) - 1):
                    raise
        return ast.parse("\n".join(lines))


def _remove_magic(lines: list[str], index: int) -> bool:
    """Put Python in place of a line that is IPython's own syntax; return whether it is."""
    if not 0 <= index < len(lines):
        return False
    line = lines[index]
    if found := _TIMED_STATEMENT.match(line):
        lines[index] = found[1] + found[2]
        return True
    if found := _ASSIGNED_MAGIC.match(line):
        lines[index] = f"{found[1]}[]"
    elif found := _MAGIC.match(line):
        lines[index] = f"{found[1]}pass"
    else:
        return False
    while line.endswith("\\") and index + 1 < len(lines):
        index += 1
        line, lines[index] = lines[index], ""
    return True


def _problem(error: Exception) -> Unparsable:
    if isinstance(error, SyntaxError):
        return Unparsable(error.msg, error.lineno or 0)
    return Unparsable("too complex to parse", 0)


def _is_stub(node: ast.stmt) -> bool:
    """Whether a function only raises NotImplementedError."""
    match node:
        case ast.FunctionDef(
            body=[*before, ast.Raise(exc=ast.Name(id="NotImplementedError"), cause=None)]
        ):
            return all(isinstance(item, ast.Expr) for item in before)
    return False


def _binds_for_sure(node: ast.stmt) -> bool:
    """Whether nothing else is needed for the names that a statement stores."""
    if isinstance(node, ast.Import):
        return not any("." in alias.name for alias in node.names)  # `import a.b` has no a.c
    return not isinstance(node, ast.If | ast.Try | ast.TryStar | ast.Match)


def _future_flags(node: ast.stmt) -> int:
    flags = 0
    if isinstance(node, ast.ImportFrom) and node.module == "__future__":
        for alias in node.names:
            if alias.name in __future__.all_feature_names:
                flags |= getattr(__future__, alias.name).compiler_flag
    return flags


def _bound_and_changed(
    node: ast.stmt, *, has_walrus: bool
) -> tuple[frozenset[str], frozenset[str]]:
    """What a statement does, outside of loops, to names in the notebook's own scope."""
    bound: set[str] = set()
    changed: set[str] = set()
    waiting = [(item, False) for item in _places_of_names(node, has_walrus=has_walrus)]
    while waiting:
        item, in_comprehension = waiting.pop()
        match item:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                bound.add(item.name)
                continue
            case ast.Lambda() | ast.For() | ast.AsyncFor() | ast.While():
                continue
            case ast.Import() | ast.ImportFrom():
                bound.update(alias.asname or alias.name.partition(".")[0] for alias in item.names)
            case ast.NamedExpr():
                bound.add(item.target.id)  # in a comprehension, too
            case ast.Name(ctx=ast.Store()) if not in_comprehension:
                bound.add(item.id)
            case ast.Name(ctx=ast.Del()):
                changed.add(item.id)
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                bound.add(name)
            case ast.MatchMapping(rest=str(name)):
                bound.add(name)
            case ast.Attribute() | ast.Subscript() if not isinstance(item.ctx, ast.Load):
                base: ast.AST = item
                while isinstance(base, ast.Attribute | ast.Subscript):
                    base = base.value
                if isinstance(base, ast.Name):
                    changed.add(base.id)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                in_comprehension = True
        # operators and contexts, half of all nodes, have no fields
        waiting += [
            (child, in_comprehension) for child in ast.iter_child_nodes(item) if child._fields
        ]
    return frozenset(bound), frozenset(changed)


def _places_of_names(node: ast.stmt, *, has_walrus: bool) -> list[ast.AST]:
    """The parts of a statement that can bind or change a name: without a walrus, no expression."""
    if not has_walrus:
        match node:
            case ast.Expr():
                return []
            case ast.Assign():
                return list(node.targets)
            case ast.AugAssign() | ast.AnnAssign():
                return [node.target]
    return [node]


def _is_installed(node: ast.stmt) -> bool:
    """Whether the libraries that a statement imports from are there."""
    modules = [item.module for item in ast.walk(node) if isinstance(item, ast.ImportFrom)]
    roots = {(module or "").partition(".")[0] for module in modules}
    return all(
        root in sys.stdlib_module_names or (root and PathFinder.find_spec(root)) for root in roots
    )


def _read_and_stored(code: CodeType) -> tuple[dict[str, None], set[str]]:
    """Names that a piece of code reads before it stores them itself, and those it stores."""
    read: dict[str, None] = {}
    stored: set[str] = set()
    for step in dis.get_instructions(code):
        if step.opname in _READS:
            if step.argval not in stored:
                read[step.argval] = None
        elif isinstance(step.argval, CodeType):
            inner, _ = _read_and_stored(step.argval)
            read |= {name: None for name in inner if name not in stored}
        elif step.opname == "STORE_NAME":
            stored.add(step.argval)
    return read, stored
