"""Calls and responses as JSON: what passes between the grader and a student's process.

Nothing is unpickled. Decoding trusts nothing: types, sizes and dtypes are checked before any
memory is taken.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gm_course.checks.calls import (
    MAX_DEPTH,
    MAX_ENTRIES,
    MAX_ITEMS,
    MAX_MESSAGE,
    MAX_TYPE_NAME,
    Argument,
    Call,
    Derivative,
    Elsewhere,
    Foreign,
    Plain,
    Raised,
    Response,
    dtype_name,
)

MAX_VALUES = 1_000_000  # in a message, about: an empty list in it takes sixty bytes in memory
MAX_DIMENSIONS = 16
MAX_NAMES = 20
MAX_TEXT = 500

_DTYPES = {
    dtype_name(dtype): dtype
    for dtype in (
        torch.float16,
        torch.bfloat16,
        torch.float32,
        torch.float64,
        torch.complex64,
        torch.complex128,
        torch.bool,
        torch.uint8,
        torch.int8,
        torch.int16,
        torch.int32,
        torch.int64,
    )
}


class ProtocolError(ValueError):
    """A message is not what the other side may send."""


def encode_calls(calls: Sequence[Call]) -> list[Any]:
    """Return the calls as JSON data."""
    return [
        {
            "arguments": [[name, encode(value)] for name, value in call.arguments.items()],
            "keywords": [[name, encode(value)] for name, value in call.keywords.items()],
            "derivative": call.derivative
            and [call.derivative.argument, encode(call.derivative.weights)],
        }
        for call in calls
    ]


def decode_calls(message: list[Any]) -> list[Call]:
    """Return the calls that :func:`encode_calls` was given; for messages of the grader only."""
    return [
        Call(
            arguments={name: _argument(value) for name, value in item["arguments"]},
            keywords={name: _argument(value) for name, value in item["keywords"]},
            derivative=item["derivative"] and _derivative(*item["derivative"]),
        )
        for item in message
    ]


def encode_responses(responses: Sequence[Response]) -> list[Any]:
    """Return the responses as JSON data."""
    return [
        {
            "value": encode(response.value),
            "raised": response.raised and encode_raised(response.raised),
            "modified": list(response.modified),
            "grad_switched": list(response.grad_switched),
            "gradient": None if response.gradient is None else encode(response.gradient),
        }
        for response in responses
    ]


def decode_responses(message: object, *, at_most: int) -> list[Response]:
    """Return the responses in a message of the sandbox.

    Args:
        message: What was decoded from JSON.
        at_most: The number of calls.

    Raises:
        ProtocolError: If it is anything but a list of valid responses.
    """
    items = _list(message, at_most)
    return [_response(item) for item in items]


def encode_raised(raised: Raised) -> list[Any]:
    """Return what is known of an exception as JSON data."""
    return [raised.class_name, raised.message, raised.line, raised.during]


def decode_raised(message: object) -> Raised:
    """Return what a message of the sandbox says of an exception.

    Raises:
        ProtocolError: If it says it in another form.
    """
    class_name, message_text, line, during = _list(message, 4, at_least=4)
    if type(line) is not int or not 0 <= line < 10**9:
        raise ProtocolError("line")
    if during not in ("call", "reading", "differentiating"):
        raise ProtocolError("during")
    return Raised(_text(class_name, MAX_TYPE_NAME), _text(message_text, MAX_MESSAGE), line, during)


def encode(value: Plain | Argument) -> Any:  # noqa: ANN401 - JSON data
    """Return a plain value as JSON data; what JSON has no form for stands in an object."""
    if isinstance(value, Tensor):
        if dtype_name(value.dtype) not in _DTYPES:
            return {"foreign": f"a tensor of dtype {dtype_name(value.dtype)}"}
        entries = value.detach().resolve_conj().resolve_neg().contiguous().flatten()
        text = base64.b64encode(entries.view(torch.uint8).numpy().tobytes()).decode("ascii")
        return {"tensor": [dtype_name(value.dtype), list(value.shape), text]}
    if isinstance(value, list):
        return {"list": [encode(item) for item in value]}
    if isinstance(value, tuple):
        return {"tuple": [encode(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[key, encode(item)] for key, item in value.items()]}
    if isinstance(value, Foreign):
        return {"foreign": value.description}
    if isinstance(value, Elsewhere):
        return {"elsewhere": value.device}
    return value


def decode(message: object, *, depth: int = 0) -> Plain:
    """Return the plain value in a message.

    Raises:
        ProtocolError: If there is none, or one beyond the limits of
            :func:`gm_course.checks.calls.plain`.
    """
    if message is None or type(message) in (bool, float):
        return message  # type: ignore[return-value]
    if type(message) is int:
        if message.bit_length() >= 1024:
            raise ProtocolError("integer")
        return message
    if type(message) is not dict or len(message) != 1:
        raise ProtocolError("value")
    ((kind, content),) = message.items()
    if kind == "tensor":
        return _tensor(*_list(content, 3, at_least=3))
    if kind == "foreign":
        return Foreign(_text(content, MAX_TEXT))
    if kind == "elsewhere":
        return Elsewhere(_text(content, MAX_TEXT))
    if depth >= MAX_DEPTH:
        raise ProtocolError("depth")
    if kind == "list":
        return [decode(item, depth=depth + 1) for item in _list(content, MAX_ITEMS)]
    if kind == "tuple":
        return tuple(decode(item, depth=depth + 1) for item in _list(content, MAX_ITEMS))
    if kind == "dict":
        pairs = (_list(pair, 2, at_least=2) for pair in _list(content, MAX_ITEMS))
        return {_key(key): decode(item, depth=depth + 1) for key, item in pairs}
    raise ProtocolError("kind of value")


def parse_json(message: bytes) -> Any:  # noqa: ANN401 - JSON data
    """Return the JSON data in a message.

    Raises:
        ProtocolError: If it is not valid JSON in UTF-8, or has too many values.
    """
    if sum(map(message.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise ProtocolError("number of values")
    try:
        return json.loads(message.decode())
    except (ValueError, RecursionError) as error:
        raise ProtocolError("JSON") from error


def _response(message: object) -> Response:
    names = {"value", "raised", "modified", "grad_switched", "gradient"}
    if type(message) is not dict or set(message) != names:
        raise ProtocolError("response")
    gradient = None if message["gradient"] is None else decode(message["gradient"])
    if gradient is not None and type(gradient) is not Tensor:
        raise ProtocolError("gradient")
    return Response(
        value=decode(message["value"]),
        raised=None if message["raised"] is None else decode_raised(message["raised"]),
        modified=_names(message["modified"]),
        grad_switched=_names(message["grad_switched"]),
        gradient=gradient,
    )


def _tensor(dtype: object, shape: object, text: object) -> Tensor:
    if type(dtype) is not str or dtype not in _DTYPES:
        raise ProtocolError("dtype")
    sizes = _list(shape, MAX_DIMENSIONS)
    if not all(type(size) is int and size >= 0 for size in sizes):
        raise ProtocolError("shape")
    # Without the zeros, too: even an empty tensor's strides must not overflow.
    if math.prod(size or 1 for size in sizes) > MAX_ENTRIES:
        raise ProtocolError("shape")
    entries = math.prod(sizes)
    kind = _DTYPES[dtype]
    if type(text) is not str or len(text) != 4 * math.ceil(entries * kind.itemsize / 3):
        raise ProtocolError("size of tensor")
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProtocolError("base64") from error
    if len(content) != entries * kind.itemsize:
        raise ProtocolError("size of tensor")
    if not entries:
        return torch.empty(sizes, dtype=kind)
    flat = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    # Not every byte is a bool.
    return (flat != 0 if kind is torch.bool else flat.view(kind)).reshape(sizes)


def _argument(message: object) -> Argument:
    value: Any = decode(message)
    return value  # type: ignore[no-any-return]


def _derivative(argument: str, weights: object) -> Derivative:
    value = decode(weights)
    assert isinstance(value, Tensor)
    return Derivative(argument, value)


def _list(message: object, at_most: int, *, at_least: int = 0) -> list[Any]:
    if type(message) is not list or not at_least <= len(message) <= at_most:
        raise ProtocolError("list")
    return message


def _names(message: object) -> tuple[str, ...]:
    return tuple(_text(item, MAX_TEXT) for item in _list(message, MAX_NAMES))


def _key(message: object) -> int | str:
    if type(message) is int and message.bit_length() < 1024:
        return message
    return _text(message, MAX_TEXT)


def _text(message: object, at_most: int) -> str:
    if type(message) is not str:
        raise ProtocolError("text")
    return message[:at_most].encode("utf-8", "replace").decode("utf-8")
