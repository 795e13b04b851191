"""Comparing what came back with what is expected.

What came back is hostile plain data: exact types only, nothing of it is ever called.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeGuard

import torch
from torch import Tensor

from gm_course.checks.calls import Elsewhere, Foreign, Plain, dtype_name
from gm_course.checks.expected import (
    AnyNumber,
    AnyTensor,
    Entries,
    Expected,
    Items,
    Number,
    Rule,
    Values,
)

# How many times coarser float32 is than float64: computing in float32 somewhere makes an answer
# miss a float64 tolerance by less than this. So do other ways of losing digits.
FLOAT32_COARSENESS = torch.finfo(torch.float32).eps / torch.finfo(torch.float64).eps

EXACT = "exact up to rounding"
EXACT_TRUTH = "right in every entry"
FINITE = "finite"


@dataclass(frozen=True)
class Finding:
    """One thing wrong with one response.

    Attributes:
        kind: Machine-readable name: ``"shape"``, ``"value"`` …
        returned: What came back, in words.
        expected: What was expected of it, in words, never the expected number.
        part: The part of the check, and entry of the dict, it belongs to; empty for all of it.
        is_near: Whether the error is small enough for float32 used where the inputs are float64.
        is_float32: Whether all that came back are numbers that float32 has too. Few others are,
            so they were rounded to it at last.
        topic: What :data:`gm_course.checks.verdict.GENERIC_HINTS` is asked for; ``kind`` if empty.
    """

    kind: str
    returned: str
    expected: str
    part: str = ""
    is_near: bool = False
    is_float32: bool = False
    topic: str = ""


def describe(expected: Expected) -> str:
    """Return the form of an expected result in words.

    Example:
        >>> describe(Items({"a": AnyNumber(), "b": AnyTensor((2,), torch.float32)}))
        'a tuple (a, b)'
    """
    match expected:
        case Values():
            return _tensor_form(tuple(expected.values.shape), expected.dtype)
        case AnyTensor():
            return _tensor_form(expected.shape, expected.dtype)
        case Number() | AnyNumber():
            return "a float"
        case Items():
            return f"a tuple ({', '.join(expected.items)})"
        case Entries():
            return f"a dict with the keys {', '.join(map(repr, expected.entries))}"
        case Rule():
            return f"{describe(expected.form)}, {expected.requirement}"


def compare(expected: Expected, value: Plain) -> list[Finding]:
    """Return what is wrong with ``value``; empty if nothing is.

    Example:
        >>> [finding.kind for finding in compare(AnyTensor((2,), torch.float32), torch.zeros(3))]
        ['shape']
    """
    match expected:
        case Values() | AnyTensor():
            return _compare_tensor(expected, value)
        case Number() | AnyNumber():
            return _compare_number(expected, value)
        case Items():
            return _compare_items(expected, value)
        case Entries():
            return _compare_entries(expected, value)
        case Rule():
            found = compare(expected.form, value)
            if not found:
                broken = expected.broken_by(tuple(value) if type(value) is list else value)
                if broken:
                    found = [Finding("rule", broken, describe(expected))]
            return found


def agrees(expected: Expected, value: Plain, model: Plain) -> bool:
    """Whether a wrong ``value`` is explained by ``model``, the result of a misconception."""
    match expected:
        case Values() | AnyTensor():
            return _tensors_agree(expected, value, model)
        case Number() | AnyNumber():
            return (
                _is_number(value)
                and _is_number(model)
                and _tensors_agree(_as_tensor(expected), _scalar(value), _scalar(model))
            )
        case Items():
            return (
                _is_sequence(value)
                and _is_sequence(model)
                and len(value) == len(model) == len(expected.items)
                and all(map(agrees, expected.items.values(), value, model))
            )
        case Entries():
            return (
                type(value) is dict
                and type(model) is dict
                and all(
                    key in value and key in entries and agrees(entries[key], value[key], item)
                    for entries in [expected.entries]
                    for key, item in model.items()
                )
            )
        case Rule():
            if expected.residuals is None:
                return agrees(expected.form, value, model)
            return _residuals_agree(expected.residuals(value), expected.residuals(model))


def _compare_tensor(expected: Values | AnyTensor, value: Plain) -> list[Finding]:
    if not _is_tensor(value):
        return [_wrong_type(value, expected)]
    shape = expected.values.shape if isinstance(expected, Values) else expected.shape
    if value.shape != shape:
        return [Finding("shape", _describe_value(value), describe(expected))]
    if value.dtype != expected.dtype:
        return [Finding("dtype", _describe_value(value), describe(expected))]
    return _compare_values(expected, value.to(torch.float64))


def _compare_number(expected: Number | AnyNumber, value: Plain) -> list[Finding]:
    if not _is_number(value):
        return [_wrong_type(value, expected)]
    return _compare_values(_as_tensor(expected), _scalar(value))


def _compare_items(expected: Items, value: Plain) -> list[Finding]:
    if not _is_sequence(value):
        return [_wrong_type(value, expected)]
    if len(value) != len(expected.items):
        return [Finding("length", _describe_value(value), describe(expected))]
    return [
        replace(_inner(finding), returned=f"{name}: {finding.returned}")
        for (name, item), got in zip(expected.items.items(), value, strict=True)
        for finding in compare(item, got)
    ]


def _compare_entries(expected: Entries, value: Plain) -> list[Finding]:
    form = describe(expected)
    if type(value) is not dict:
        return [_wrong_type(value, expected)]
    surplus = [key for key in value if key not in expected.entries]
    if surplus:
        return [Finding("keys", f"a dict with the key {surplus[0]!r}", form)]
    found = []
    for key, entry in expected.entries.items():
        part = str(key)
        if key in value:
            found += [replace(_inner(item), part=part) for item in compare(entry, value[key])]
        else:
            found.append(Finding("keys", "missing", form, part=part))
    return found


def _inner(finding: Finding) -> Finding:
    """The finding about an item or an entry, not about the whole result."""
    return replace(finding, topic="none-inside") if finding.kind == "none" else finding


def _compare_values(expected: Values | AnyTensor, got: Tensor) -> list[Finding]:
    """Compare the numbers of a tensor of the right form, given in float64."""
    if isinstance(expected, AnyTensor):
        if bool(got.isfinite().all()):
            return []
        return [Finding("nonfinite", _entry(got, ~got.isfinite(), expected.dtype), FINITE)]
    exact = expected.values
    error = (got - exact).abs()
    # Tolerances are finite, so an infinity only equals itself; NaN equals nothing.
    is_close = (got == exact) | (error <= expected.tolerance)
    if bool(is_close.all()):
        return []
    is_overflow = exact.isfinite() & ~got.isfinite()
    if bool(is_overflow.any()):
        return [Finding("nonfinite", _entry(got, is_overflow, expected.dtype), FINITE)]
    is_near = is_close | (error <= FLOAT32_COARSENESS * expected.tolerance)
    return [
        Finding(
            "value",
            f"{_entry(got, ~is_close, expected.dtype)}, which is wrong",
            EXACT_TRUTH if expected.dtype is torch.bool else EXACT,
            is_near=expected.dtype is torch.float64 and bool(is_near.all()),
            is_float32=bool((got.float().double() == got).all()),
        )
    ]


def _tensors_agree(expected: Values | AnyTensor, value: Plain, model: Plain) -> bool:
    if not (_is_tensor(value) and _is_tensor(model) and value.shape == model.shape):
        return False
    if value.is_complex():
        return False
    got, wrong = value.to(torch.float64), model.to(torch.float64)
    # Two ways of writing one wrong formula differ by rounding that nobody has bounded: half the
    # digits are granted. But the formula must explain the error, so it may miss what came back
    # by a twentieth of that error at most.
    eps = torch.finfo(expected.dtype).eps if expected.dtype.is_floating_point else 0.0
    slack = math.sqrt(eps) * wrong.abs()
    if isinstance(expected, Values) and expected.values.shape == got.shape:
        error = (got - expected.values).abs()
        slack = torch.minimum(slack, 0.05 * error) + 2 * expected.tolerance
    is_same = (got == wrong) | (got.isnan() & wrong.isnan())
    is_finite = got.isfinite() & wrong.isfinite()
    return bool((is_same | (is_finite & ((got - wrong).abs() <= slack))).all())


def _residuals_agree(value: Tensor | None, model: Tensor | None) -> bool:
    if value is None or model is None:
        return False
    exact = Values(torch.zeros_like(model, dtype=torch.float64), 1.0, model.dtype)
    return _tensors_agree(exact, value, model)


def _as_tensor(expected: Number | AnyNumber) -> Values | AnyTensor:
    if isinstance(expected, AnyNumber):
        return AnyTensor((), torch.float64)
    return Values(_scalar(expected.value), expected.tolerance, expected.dtype)


def _scalar(value: float) -> Tensor:
    return torch.tensor(float(value), dtype=torch.float64, device="cpu")


def _is_tensor(value: Plain) -> TypeGuard[Tensor]:
    return type(value) is Tensor


def _is_number(value: Plain) -> TypeGuard[float]:
    return type(value) is float or type(value) is int


def _is_sequence(value: Plain) -> TypeGuard[tuple[Plain, ...] | list[Plain]]:
    return type(value) is tuple or type(value) is list


def _wrong_type(value: Plain, expected: Expected) -> Finding:
    form = describe(expected)
    if value is None:
        return Finding("none", "None", form)
    kind = "device" if type(value) is Elsewhere else "type"
    return Finding(kind, _describe_value(value), form)


def _tensor_form(shape: tuple[int, ...], dtype: torch.dtype) -> str:
    article = "an" if dtype_name(dtype)[0] in "aeiou" else "a"
    return f"{article} {dtype_name(dtype)} tensor of shape {shape}"


def _describe_value(value: Plain) -> str:
    if _is_tensor(value):
        return _tensor_form(tuple(value.shape), value.dtype)
    if type(value) is Elsewhere:
        return f"a tensor on the device {value.device}"
    if type(value) is Foreign:
        return value.description
    if _is_sequence(value) or type(value) is dict:
        return f"a {type(value).__name__} of {len(value)} items"
    if type(value) is bool:
        return str(value)
    return "a number" if _is_number(value) else "something unreadable"


def _entry(values: Tensor, is_wrong: Tensor, dtype: torch.dtype) -> str:
    """Name the first wrong entry and show it to four digits, too few to copy an answer from."""
    index = tuple(int(i) for i in is_wrong.nonzero()[0])
    first = values[index]
    if dtype is torch.bool:
        return f"entry {list(index)} = {bool(first)}" if index else f"the truth value {bool(first)}"
    return f"entry {list(index)} = {first:.4g}" if index else f"the number {first:.4g}"
