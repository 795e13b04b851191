"""Calling an answer and writing down what it did, as plain data.

This module runs where the answer runs (the notebook, or the grader's sandbox). It knows nothing
of expected results, so that nothing can be read off it there.
"""

from __future__ import annotations

import contextlib
import io
import numbers
import random
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from types import CodeType
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

MAX_DEPTH = 4
MAX_ITEMS = 1_000
MAX_ENTRIES = 10_000
MAX_MESSAGE = 200
MAX_TYPE_NAME = 60

Argument: TypeAlias = "Tensor | float | int | list[Argument] | tuple[Argument, ...]"


@dataclass(frozen=True)
class Foreign:
    """Stands for a returned object that no answer may return; ``description`` says what it was."""

    description: str


@dataclass(frozen=True)
class Elsewhere:
    """Stands for a returned tensor that is not on the inputs' device, the CPU."""

    device: str


Plain: TypeAlias = (
    "bool | int | float | Tensor | Foreign | Elsewhere"
    " | list[Plain] | tuple[Plain, ...] | dict[int | str, Plain] | None"
)


@dataclass(frozen=True, eq=False)
class Derivative:
    """Asks for the gradient of ``(weights * result).sum()`` with respect to one argument.

    Attributes:
        argument: Name of the tensor argument; its copy requires grad during the call.
        weights: Fixed projection of the single tensor the answer returns, same shape.
    """

    argument: str
    weights: Tensor


@dataclass(frozen=True, eq=False)
class Call:
    """One call of an answer.

    Attributes:
        arguments: Name → value in the contract's order, passed by position, so that an answer
            may name its parameters as it likes; the names serve the messages.
        keywords: Arguments for which the contract states a default, passed by keyword.
        derivative: The gradient to record, if derivatives are part of the contract.
    """

    arguments: Mapping[str, Argument]
    keywords: Mapping[str, Argument] = field(default_factory=dict)
    derivative: Derivative | None = None

    def describe(self, name: str) -> str:
        """Return the call in one line, tensors by dtype and shape: ``f(x: float32 (3,), k=2)``."""
        given = {**self.arguments, **self.keywords}
        return f"{name}({', '.join(_describe_argument(*item) for item in given.items())})"


@dataclass(frozen=True)
class Raised:
    """An exception that came out of an answer.

    Attributes:
        class_name: Name of the exception's class.
        message: Its text in one line, shortened.
        line: Line of the answer's source where it happened, 0 if unknown.
        during: ``"call"``, ``"reading"`` (of the result) or ``"differentiating"``.
    """

    class_name: str
    message: str
    line: int
    during: str


@dataclass(frozen=True, eq=False)
class Response:
    """What one call did, as plain data that can be sent from one process to another.

    Attributes:
        value: The result; tensors are detached, contiguous copies on the CPU.
        raised: The exception, if one came out; then ``value`` means nothing.
        modified: Names of the arguments whose values, dtype or shape the call changed.
        grad_switched: Names of the others on which the call set ``requires_grad``.
        gradient: What the call's derivative asks for; None also if the result is detached.
    """

    value: Plain = None
    raised: Raised | None = None
    modified: tuple[str, ...] = ()
    grad_switched: tuple[str, ...] = ()
    gradient: Tensor | None = None

    @property
    def is_not_attempted(self) -> bool:
        """Whether the call itself, not the reading of its result, raised NotImplementedError."""
        return (
            self.raised is not None
            and self.raised.class_name == "NotImplementedError"
            and self.raised.during == "call"
        )


def collect(function: Callable[..., object], calls: Sequence[Call]) -> list[Response]:
    """Make the calls one after the other, with the answer's prints and warnings kept quiet.

    Global settings and random number generators that the answer touches are put back at the end.
    Stops after a call that was not attempted, interrupted or left by ``SystemExit``; the list
    is then shorter than ``calls``.
    """
    responses: list[Response] = []
    with _quiet(), _settings_kept():
        for call in calls:
            responses.append(respond(function, call))
            raised = responses[-1].raised
            if raised and raised.class_name in ("KeyboardInterrupt", "SystemExit"):
                break
            if len(responses) == 1 and responses[0].is_not_attempted:
                break
    return responses


def respond(function: Callable[..., object], call: Call) -> Response:
    """Call the answer once, on fresh copies and with grad enabled, and record what it did."""
    given = {**call.arguments, **call.keywords}
    copies = {name: _copy(value) for name, value in given.items()}
    leaf = copies[call.derivative.argument] if call.derivative else None
    if isinstance(leaf, Tensor):
        leaf.requires_grad_(True)
    positional = [copies[name] for name in call.arguments]
    keywords = {name: copies[name] for name in call.keywords}
    gradient = None
    during = "call"
    try:
        with torch.inference_mode(False), torch.enable_grad():
            result = function(*positional, **keywords)
            during = "reading"
            value = plain(result)
            during = "differentiating"
            if type(value) is Tensor:
                gradient = _gradient(result, leaf, call.derivative)
    except BaseException as error:  # SystemExit and interrupts must not end the caller either
        code = getattr(function, "__code__", None)
        return Response(raised=describe_error(error, code, during))
    modified = tuple(
        name for name, before in given.items() if not _is_unchanged(before, copies[name])
    )
    grad_switched = tuple(
        name
        for name, copy in copies.items()
        if name not in modified and _requires_grad(copy) != (copy is leaf)
    )
    return Response(value=value, modified=modified, grad_switched=grad_switched, gradient=gradient)


def plain(value: object, *, depth: int = 0) -> Plain:
    """Return ``value`` as plain data; real numbers of any library become float, int or bool.

    Example:
        >>> plain((np.float32(0.5), [np.int64(2), "text"]))
        (0.5, [2, Foreign(description='an object of type str')])
    """
    if isinstance(value, Tensor):
        return _plain_tensor(value)
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, numbers.Integral):
        whole = int(value)
        return whole if whole.bit_length() < 1024 else Foreign("an integer too large for a float")
    if isinstance(value, numbers.Real | Decimal):
        return float(value)
    if isinstance(value, list | tuple | dict) and (depth == MAX_DEPTH or len(value) > MAX_ITEMS):
        return Foreign(f"a {_type_name(value)} too long or too deeply nested")
    if isinstance(value, tuple):
        return tuple(plain(item, depth=depth + 1) for item in value)
    if isinstance(value, list):
        return [plain(item, depth=depth + 1) for item in value]
    if isinstance(value, dict):
        return _plain_dict(value, depth)
    return Foreign(f"an object of type {_type_name(value)}")


def _plain_dict(value: dict[object, object], depth: int) -> Plain:
    items: dict[int | str, Plain] = {}
    for key, item in value.items():
        if not isinstance(key, int | str | np.integer):
            return Foreign(f"a dict with a key of type {_type_name(key)}")
        if not isinstance(key, str) and int(key).bit_length() >= 1024:
            return Foreign("a dict with a key too large for a float")
        items[str(key) if isinstance(key, str) else int(key)] = plain(item, depth=depth + 1)
    return items


def _plain_tensor(value: Tensor) -> Plain:
    with torch._C.DisableTorchFunctionSubclass():  # a subclass may have redefined every method
        if value.device.type != "cpu":
            return Elsewhere(str(value.device))
        if value.layout is not torch.strided:
            return Foreign("a sparse tensor")
        if value.numel() > MAX_ENTRIES:
            return Foreign(f"a tensor of shape {tuple(value.shape)}")
        copy = torch.empty(value.shape, dtype=value.dtype, device="cpu")
        return copy.copy_(value.detach())


def _gradient(
    result: object, leaf: Argument | None, derivative: Derivative | None
) -> Tensor | None:
    if derivative is None or not isinstance(leaf, Tensor):
        return None
    if not isinstance(result, Tensor) or not result.requires_grad:
        return None
    if result.shape != derivative.weights.shape:
        return None  # the wrong shape is the finding that matters
    # A scalar, because autograd's `grad_outputs` would import sympy on its first use: seconds.
    projection = (derivative.weights.to(result.dtype) * result).sum()
    (gradient,) = torch.autograd.grad(projection, leaf, allow_unused=True)
    found = None if gradient is None else _plain_tensor(gradient)
    return found if isinstance(found, Tensor) else None


def _copy(value: Argument) -> Argument:
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, list):
        return [_copy(item) for item in value]
    if isinstance(value, tuple):
        return tuple(_copy(item) for item in value)
    return value


def _is_unchanged(before: Argument, after: Argument) -> bool:
    if isinstance(before, Tensor):
        return (
            isinstance(after, Tensor) and after.dtype == before.dtype and torch.equal(after, before)
        )
    if isinstance(before, list | tuple):
        return (
            isinstance(after, list | tuple)
            and len(after) == len(before)
            and all(map(_is_unchanged, before, after))
        )
    return before == after


def _requires_grad(value: Argument) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_requires_grad, value))
    return isinstance(value, Tensor) and value.requires_grad


def _describe_argument(name: str, value: Argument) -> str:
    if isinstance(value, Tensor):
        return f"{name}: {dtype_name(value.dtype)} {tuple(value.shape)}"
    if isinstance(value, list):
        return f"{name}: list of {len(value)}"
    return f"{name}={value:.6g}" if isinstance(value, float) else f"{name}={value}"


def dtype_name(dtype: torch.dtype) -> str:
    """Return ``"float32"`` for ``torch.float32``."""
    return str(dtype).removeprefix("torch.")


def describe_error(error: BaseException, code: CodeType | None, during: str) -> Raised:
    """Return what a student should know of an exception; ``code`` is what they wrote."""
    try:
        message = " ".join(str(error).split())
    except Exception:  # __str__ of a student's own exception may fail
        message = ""
    if len(message) > MAX_MESSAGE:
        message = message[: MAX_MESSAGE - 1] + "…"
    line = 0
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code is code:
            line = step.tb_lineno
        step = step.tb_next
    return Raised(_type_name(error), message, line, during)


def _type_name(value: object) -> str:
    return type(value).__name__[:MAX_TYPE_NAME]


class _Nowhere(io.TextIOBase):
    """Takes any amount of text and keeps none of it."""

    def write(self, text: str, /) -> int:
        return len(text)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep prints and warnings of an answer, one per call, from burying its verdict."""
    sink = _Nowhere()
    with (
        contextlib.redirect_stdout(sink),
        contextlib.redirect_stderr(sink),
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
    ):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _settings_kept() -> Iterator[None]:
    """Put back what an answer may set for the whole process, and later answers would meet."""
    dtype, device = torch.get_default_dtype(), torch.get_default_device()
    torch_state, python_state = torch.get_rng_state(), random.getstate()
    numpy_state = np.random.get_state()  # noqa: NPY002 - answers may use the global generator
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        # Only if changed: a `with torch.device(…)` around the check must not be left early.
        if torch.get_default_device() != device:
            torch.set_default_device(None if device.type == "cpu" else device)
        torch.set_rng_state(torch_state)
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
