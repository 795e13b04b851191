"""Fingerprints of answers: equal for answers that are the same up to names and formatting."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

# Of the 34 worked answers four are the same as an answer of the tests' corpora, which were written
# independently; these four have 11, 14, 18 and 31 nodes.
LEAST_NODES = 40

_MAX_PATH = 200  # a hostile module name, repeated at each use, would not take linear time

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom

# Where a name stands and what type is expected there is no part of what an answer does.
_LEFT_OUT = frozenset({"ctx", "kind", "returns", "annotation", "type_comment", "type_params"})
_BODIES = frozenset({"body", "orelse", "finalbody"})


def answer_fingerprint(tree: ast.Module, name: str) -> str:
    r"""Return a digest of an answer that is blind to names and formatting.

    It covers the last definition of ``name`` at the top level and whatever that one reaches of
    the helpers, classes and constants at the top level. These make no difference: names of
    parameters, variables and helpers (each stands for the place where it first occurs), the order
    of helpers, docstrings, comments, formatting, annotations, and how something was imported
    (``np.exp``, ``numpy.exp`` and ``exp`` after ``from numpy import exp`` are the same). All else
    does: structure, constants, operators, attributes, what is taken from a library.

    The time is proportional to the size of the tree, and nothing recurses.

    Args:
        tree: The answer's cell, or several cells at once, as parsed; it should hold the imports
            that the answer relies on.
        name: The answer's name.

    Returns:
        32 hexadecimal digits; empty if the answer is not there, untouched, or so short that
        others would write the same.

    Example:
        >>> def fingerprint(source):
        ...     return answer_fingerprint(ast.parse(source), "mean")
        >>> source = "def mean(x):\n    " + "x = 2 * x + 1; " * 8 + "return x"
        >>> renamed = source.replace("x", "values").replace("; ", "\n    ")
        >>> fingerprint(source) == fingerprint(renamed) != ""
        True
        >>> fingerprint(source) == fingerprint(source.replace("1", "3"))
        False
    """
    writer = _Writer(tree)
    writer.write(name)
    return writer.digest.hexdigest() if writer.nodes >= LEAST_NODES else ""


@dataclass(eq=False)
class _Binding:
    """What a name stands for in a scope.

    Attributes:
        path: Of an imported name its full name, such as ``torch.nn.functional``.
        parameters: Of a function's name the place of each parameter that can be passed by name.
        statements: Of a name at the top level what defines it.
        number: How many names were written before this one; None until it is written.
    """

    path: str = ""
    parameters: dict[str, int] = field(default_factory=dict)
    statements: list[ast.stmt] = field(default_factory=list)
    number: int | None = None


@dataclass(eq=False)
class _Scope:
    """The names bound by a function, a comprehension or a top-level statement.

    Attributes:
        around: Of a comprehension the scope in which its ``:=`` binds.
        bound: The names.
        elsewhere: The names declared ``global`` or ``nonlocal``.
    """

    around: _Scope | None = None
    bound: dict[str, _Binding] = field(default_factory=dict)
    elsewhere: set[str] = field(default_factory=set)

    def bind(self, name: str, *, path: str = "", parameters: dict[str, int] | None = None) -> None:
        known = self.bound.get(name)
        path = path[:_MAX_PATH]
        if known is not None and known.path != path:
            path = ""  # sometimes something else than what was imported
        self.bound[name] = _Binding(path, parameters or {})


@dataclass(frozen=True)
class _Reference:
    """A name, with the attributes that follow it where it stands for something imported."""

    name: str
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Border:
    """The beginning or the end of a scope."""

    scope: _Scope
    is_beginning: bool


_Part: TypeAlias = ast.AST | _Reference | _Border | str


class _Writer:
    """Writes a normal form of syntax trees into a digest.

    Texts go in with their length, lists with their size, nodes with their kind: different normal
    forms never give the same bytes.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.digest = hashlib.blake2b(digest_size=16)
        self.nodes = 0
        self._names = 0
        self._scopes: dict[ast.AST, _Scope] = {}
        self._definitions: dict[str, _Binding] = {}
        self._visible: dict[str, list[_Binding]] = {}  # in the scopes begun, the innermost last
        self._reached: list[ast.stmt] = []
        for statement in tree.body:
            self._define(statement)

    def write(self, name: str) -> None:
        """Write the definition of a name and all that it reaches."""
        self._write_text(self._text(_Reference(name)))
        written: set[ast.stmt] = set()
        for statement in self._reached:  # grows meanwhile
            if statement not in written:
                written.add(statement)
                self._write_tree(statement)

    def _define(self, statement: ast.stmt) -> None:
        for name, binding in _bind_names(statement, self._scopes).items():
            before = self._definitions.get(name)
            if before is None or isinstance(statement, _Definition):
                self._definitions[name] = binding
                binding.statements = [] if binding.path else [statement]
            else:  # `scale = 2`, then `scale *= 3`
                before.statements.append(statement)
                before.path = ""

    def _write_tree(self, tree: ast.AST) -> None:
        parts: list[_Part] = [tree]
        while parts:
            part = parts.pop()
            if isinstance(part, ast.AST):
                self.nodes += 1
                parts += reversed(list(self._parts(part)))
            elif isinstance(part, _Border):
                for name, binding in part.scope.bound.items():
                    if part.is_beginning:
                        self._visible.setdefault(name, []).append(binding)
                    else:
                        self._visible[name].pop()
            else:
                self._write_text(part if isinstance(part, str) else self._text(part))

    def _write_text(self, text: str) -> None:
        data = text.encode("utf-8", "surrogatepass")
        self.digest.update(b"%d:" % len(data))
        self.digest.update(data)

    def _binding(self, name: str) -> _Binding | None:
        visible = self._visible.get(name)
        return visible[-1] if visible else self._definitions.get(name)

    def _text(self, reference: _Reference) -> str:
        binding = self._binding(reference.name)
        if binding is None or binding.path:
            root = binding.path if binding else reference.name
            return ".".join([f"library {root}", *reference.attributes])
        if binding.number is None:
            binding.number = self._names
            self._names += 1
            self._reached += binding.statements
        return f"name {binding.number}"

    def _parts(self, node: ast.AST) -> Iterator[_Part]:
        """Yield what a node consists of, in an order that depends on its kind only."""
        match node:
            case ast.Name():
                yield _Reference(node.id)
                return
            case ast.Attribute():
                yield from self._attribute_parts(node)
                return
            case ast.AnnAssign(value=ast.expr() as value):
                yield from ("Assign", "1", node.target, value)
                return
        yield type(node).__name__
        match node:
            case ast.Constant():
                yield type(node.value).__name__
                yield _constant_text(node.value)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                yield from self._function_parts(node)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                yield from self._comprehension_parts(node)
            case ast.ClassDef():
                yield _Reference(node.name)
                yield from _field_parts(node, without="name")
            case ast.Call():
                yield node.func
                yield from _list_parts(node.args)
                yield from self._keyword_parts(node)
            case ast.Global() | ast.Nonlocal():
                yield str(len(node.names))
                yield from map(_Reference, node.names)
            case ast.ExceptHandler() | ast.MatchAs() | ast.MatchStar():
                yield _Reference(node.name) if node.name else "none"
                yield from _field_parts(node, without="name")
            case ast.MatchMapping():
                yield _Reference(node.rest) if node.rest else "none"
                yield from _field_parts(node, without="rest")
            case _:
                yield from _field_parts(node)

    def _attribute_parts(self, node: ast.Attribute) -> Iterator[_Part]:
        attributes = [node.attr]
        base = node.value
        while isinstance(base, ast.Attribute):
            attributes.append(base.attr)
            base = base.value
        attributes.reverse()
        if isinstance(base, ast.Name):
            binding = self._binding(base.id)
            if binding is None or binding.path:
                yield _Reference(base.id, tuple(attributes))
                return
        yield from ("Attribute", str(len(attributes)), *attributes)
        yield base

    def _function_parts(self, node: _Function) -> Iterator[_Part]:
        if not isinstance(node, ast.Lambda):
            yield _Reference(node.name)
            yield from _list_parts(node.decorator_list)
        yield from _list_parts(node.args.defaults)
        yield from _list_parts(node.args.kw_defaults)
        yield _Border(self._scopes[node], is_beginning=True)
        for group in (node.args.posonlyargs, node.args.args, node.args.kwonlyargs):
            yield str(len(group))
            yield from (_Reference(parameter.arg) for parameter in group)
        for rest in (node.args.vararg, node.args.kwarg):
            yield _Reference(rest.arg) if rest else "none"
        if isinstance(node, ast.Lambda):
            yield node.body
        else:
            yield from _body_parts(node.body)
        yield _Border(self._scopes[node], is_beginning=False)

    def _comprehension_parts(self, node: _Comprehension) -> Iterator[_Part]:
        outside, inside = _split(node)
        yield str(len(node.generators))
        yield from outside
        yield _Border(self._scopes[node], is_beginning=True)
        yield from inside
        for part in node.generators:
            yield f"{part.is_async} {len(part.ifs)}"
        yield _Border(self._scopes[node], is_beginning=False)

    def _keyword_parts(self, node: ast.Call) -> Iterator[_Part]:
        binding = self._binding(node.func.id) if isinstance(node.func, ast.Name) else None
        places = binding.parameters if binding else {}
        yield str(len(node.keywords))
        for keyword in node.keywords:
            if keyword.arg is None:
                yield "**"
            elif keyword.arg in places:
                yield f"parameter {places[keyword.arg]}"
            else:
                yield f"keyword {keyword.arg}"
            yield keyword.value


def _field_parts(node: ast.AST, *, without: str = "") -> Iterator[_Part]:
    for name, value in ast.iter_fields(node):
        if name in _LEFT_OUT or name == without:
            continue
        if not isinstance(value, list):
            yield _single_part(value)
        elif name in _BODIES:
            yield from _body_parts(value)
        else:
            yield from _list_parts(value)


def _list_parts(items: Sequence[object]) -> Iterator[_Part]:
    yield str(len(items))
    for item in items:
        yield _single_part(item)


def _single_part(value: object) -> _Part:
    if isinstance(value, ast.AST):
        return value
    return "none" if value is None else f"{type(value).__name__} {value}"


def _body_parts(body: Sequence[ast.stmt]) -> Iterator[_Part]:
    """Yield the statements that do something other than to import, declare or explain."""
    kept = []
    for statement in body:
        match statement:
            case ast.Import() | ast.ImportFrom() | ast.AnnAssign(value=None):
                pass
            case ast.Expr(value=ast.Constant()):
                pass
            case _:
                kept.append(statement)
    return _list_parts(kept)


def _constant_text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, int):
        return hex(value)  # str() refuses thousands of digits, and is slow before that
    return str(value)


def _bind_names(statement: ast.stmt, scopes: dict[ast.AST, _Scope]) -> dict[str, _Binding]:
    """Return what a top-level statement binds, and enter the scopes inside it in ``scopes``."""
    top = _Scope()
    found = [top]
    waiting: list[tuple[ast.AST, _Scope]] = [(statement, top)]
    while waiting:
        node, scope = waiting.pop()
        _bind(node, scope)
        outside, inside = _split(node)
        waiting += ((child, scope) for child in outside)
        if inside:
            is_comprehension = isinstance(node, _Comprehension)
            inner = _Scope((scope.around or scope) if is_comprehension else None)
            found.append(inner)
            scopes[node] = inner
            waiting += ((child, inner) for child in inside)
    for scope in found:
        for name in scope.elsewhere & scope.bound.keys():
            del scope.bound[name]
    return top.bound


def _split(node: ast.AST) -> tuple[list[ast.AST], list[ast.AST]]:
    """Return the parts of a node that stand outside and inside the scope it opens."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
            form = node.args
            parameters = [*form.posonlyargs, *form.args, *form.kwonlyargs]
            rest = [parameter for parameter in (form.vararg, form.kwarg) if parameter]
            defaults = [default for default in [*form.defaults, *form.kw_defaults] if default]
            if isinstance(node, ast.Lambda):
                return [*defaults], [*parameters, *rest, node.body]
            return [*node.decorator_list, *defaults], [*parameters, *rest, *node.body]
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            first, *later = node.generators
            inside = [first.target, *first.ifs]
            for part in later:
                inside += [part.target, part.iter, *part.ifs]
            if isinstance(node, ast.DictComp):
                return [first.iter], [*inside, node.key, node.value]
            return [first.iter], [*inside, node.elt]
        case ast.ClassDef():
            return [*node.decorator_list, *node.bases, *node.keywords], [*node.body]
        case ast.NamedExpr():
            return [node.value], []  # the target is not always bound where it stands
    # operators and contexts, half of all nodes, have no fields
    return [child for child in ast.iter_child_nodes(node) if child._fields], []


def _bind(node: ast.AST, scope: _Scope) -> None:
    """Enter in a scope what a node in it binds."""
    match node:
        case ast.Name(ctx=ast.Store() | ast.Del()):
            scope.bind(node.id)
        case ast.arg():
            scope.bind(node.arg)
        case ast.NamedExpr():
            (scope.around or scope).bind(node.target.id)
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            named = [*node.args.args, *node.args.kwonlyargs]
            places = {parameter.arg: place for place, parameter in enumerate(named)}
            scope.bind(node.name, parameters=places)
        case ast.ClassDef():
            scope.bind(node.name)
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
            scope.bind(name)
        case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            scope.bind(name)
        case ast.Global() | ast.Nonlocal():
            scope.elsewhere.update(node.names)
        case ast.Import():
            for alias in node.names:
                if alias.asname:
                    scope.bind(alias.asname, path=alias.name)
                else:
                    root = alias.name.partition(".")[0]
                    scope.bind(root, path=root)
        case ast.ImportFrom():
            start = "." * node.level + (f"{node.module[:_MAX_PATH]}." if node.module else "")
            for alias in node.names:
                scope.bind(alias.asname or alias.name, path=start + alias.name)
