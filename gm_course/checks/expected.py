"""What an answer should return: data that :mod:`gm_course.checks.comparison` compares with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Values:
    """A tensor with exactly this shape and dtype, and these values within ``tolerance``.

    Attributes:
        values: The exact result, float64; infinities are compared for equality.
        tolerance: Largest absolute error, finite; float64 of the same shape, or one number.
        dtype: The dtype that the answer must have.
    """

    values: Tensor
    tolerance: Tensor | float
    dtype: torch.dtype


@dataclass(frozen=True)
class Number:
    """A real number, not a tensor, within ``tolerance`` of ``value``.

    Attributes:
        value: The exact result; an infinity is compared for equality.
        tolerance: Largest absolute error, finite.
        dtype: Precision of the inputs, which the tolerance follows.
    """

    value: float
    tolerance: float
    dtype: torch.dtype


@dataclass(frozen=True)
class AnyTensor:
    """A finite tensor of exactly this shape and dtype; which values it holds is a Rule's matter."""

    shape: tuple[int, ...]
    dtype: torch.dtype


@dataclass(frozen=True)
class AnyNumber:
    """A finite real number, not a tensor; which one is a Rule's matter."""


@dataclass(frozen=True)
class Items:
    """A tuple (or list); ``items`` maps the items' names, in order, to what each should be."""

    items: Mapping[str, Expected]


@dataclass(frozen=True)
class Entries:
    """A dict with exactly these keys; each key, as text, is a part of the check.

    A misconception may return only the entries it is about.
    """

    entries: Mapping[int | str, Expected]


@dataclass(frozen=True)
class Rule:
    """A result of the given form that must also obey a rule, where no single result is right.

    Attributes:
        form: What is compared first.
        broken_by: Called with a value of that form (a tuple for Items, CPU tensors, float or int);
            returns what is wrong with it, completing "the answer returned …", or ``""``.
        requirement: What any valid result does, in words.
        residuals: What a mistake is recognised by, in place of the result itself, where it can
            lead to many results. Called with anything that came back; returns a vector of the
            inputs' dtype, in units of its tolerance, that is zero for every valid result and the
            same for every result of one mistake; None where the form is too far off.
    """

    form: Expected
    broken_by: Callable[[Any], str]
    requirement: str
    residuals: Callable[[Any], Tensor | None] | None = None


Expected: TypeAlias = Values | Number | AnyTensor | AnyNumber | Items | Entries | Rule
