"""Telling answers that only compute from answers that may leave something behind.

This spares time, and guards nothing: after a tame answer the next one runs in the same process and
its outcome counts; after any other, an outcome that is not right is checked in a process of its
own. Whoever gets around the rules below harms the other answers of the same submission, no one
else's.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

_LIBRARIES = frozenset(
    {"cmath", "collections", "dataclasses", "fractions", "functools", "itertools", "math"}
    | {"numbers", "numpy", "operator", "scipy", "statistics", "torch", "typing", "__future__"}
)
# Built-in functions that reach beyond what is written in the answer.
_REACHING = frozenset(
    {"__builtins__", "__import__", "breakpoint", "compile", "delattr", "eval", "exec", "exit"}
    | {"globals", "input", "open", "quit", "setattr", "vars"}
)
# Attributes that an answer may set: a tensor's.
_OWN_ATTRIBUTES = frozenset({"data", "grad", "requires_grad"})
# Functions of the libraries that change settings for the whole process begin like this, and
# modules that reach outside can be had through them under these names.
_SETTING = ("_", "enable_", "disable_", "register", "set_", "seterr", "setbufsize", "use_")
_OUTSIDE = frozenset(
    {"backends", "ctypeslib", "library", "multiprocessing", "os", "sys", "testing"}
)


def is_tame(statements: Iterable[ast.stmt]) -> bool:
    r"""Whether code does nothing that a later answer in the same process could notice.

    Example:
        >>> is_tame(ast.parse("import torch\ndef f(x): return torch.exp(x)").body)
        True
        >>> is_tame(ast.parse("import torch\ntorch.exp = torch.log").body)
        False
    """
    return all(_is_tame(node) for statement in statements for node in ast.walk(statement))


def _is_tame(node: ast.AST) -> bool:
    match node:
        case ast.Import(names=names):
            return all(_is_library(alias.name) for alias in names)
        case ast.ImportFrom(module=module, names=names):
            return (
                node.level == 0
                and _is_library(module or "")
                and not any(map(_reaches_out, (alias.name for alias in names)))
            )
        case ast.Attribute(attr=name, ctx=ast.Load()):
            return not _reaches_out(name)
        case ast.Attribute(attr=name):
            return name in _OWN_ATTRIBUTES
        case ast.Name(id=name):
            return name not in _REACHING
        case ast.Global():
            return False
    return True


def _is_library(module: str) -> bool:
    root, *parts = module.split(".")
    return root in _LIBRARIES and not any(map(_reaches_out, parts))


def _reaches_out(name: str) -> bool:
    return name in _OUTSIDE or name.startswith(_SETTING)
