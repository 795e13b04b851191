"""Comparing what came back with what is expected."""

import math

import torch

from gm_course.checks.calls import (
    Elsewhere,
)
from gm_course.checks.comparison import compare
from gm_course.checks.expected import AnyNumber, Items, Number, Rule, Values


def double(values, **options):
    return Values(torch.tensor(values, dtype=torch.float64), 1e-6, torch.float32, **options)


def kinds(expected, value):
    return [finding.kind for finding in compare(expected, value)]


def test_values_need_shape_dtype_and_tolerance():
    expected = double([1.0, 2.0])
    assert kinds(expected, torch.tensor([1.0, 2.0])) == []
    assert kinds(expected, torch.tensor([1.0, 2.0 + 5e-7])) == []
    assert kinds(expected, torch.tensor([1.0, 2.0 + 5e-6])) == ["value"]
    assert kinds(expected, torch.tensor([[1.0, 2.0]])) == ["shape"]
    assert kinds(expected, torch.tensor([1.0, 2.0], dtype=torch.float64)) == ["dtype"]
    assert kinds(expected, torch.tensor([1.0, 2.0], dtype=torch.complex64)) == ["dtype"]
    assert kinds(expected, torch.tensor([1.0, math.nan])) == ["nonfinite"]
    assert kinds(expected, [1.0, 2.0]) == ["type"]
    assert kinds(expected, None) == ["none"]
    assert kinds(expected, Elsewhere("cuda:0")) == ["device"]


def test_truth_values_are_told_as_such():
    expected = Values(torch.tensor([1.0, 0.0], dtype=torch.float64), 0.0, torch.bool)
    assert kinds(expected, torch.tensor([True, False])) == []
    assert kinds(expected, torch.tensor([1.0, 0.0])) == ["dtype"]
    (finding,) = compare(expected, torch.tensor([True, True]))
    assert finding.returned == "entry [1] = True, which is wrong"
    assert finding.expected == "right in every entry"
    whole = Values(torch.tensor(1.0, dtype=torch.float64), 0.0, torch.bool)
    (finding,) = compare(whole, torch.tensor(False))
    assert finding.returned == "the truth value False, which is wrong"


def test_infinities_only_equal_themselves():
    expected = double([-math.inf, 1.0])
    assert kinds(expected, torch.tensor([-math.inf, 1.0])) == []
    assert kinds(expected, torch.tensor([math.inf, 1.0])) == ["value"]
    assert kinds(expected, torch.tensor([-1e30, 1.0])) == ["value"]
    assert kinds(expected, torch.tensor([math.nan, 1.0])) == ["value"]
    assert kinds(Number(math.inf, 0.0, torch.float64), math.inf) == []
    assert kinds(Number(math.inf, 0.0, torch.float64), 1e300) == ["value"]


def test_an_interval_is_a_middle_with_half_its_width():
    expected = Values(torch.full((3,), 0.5, dtype=torch.float64), 0.5, torch.float32)
    assert kinds(expected, torch.tensor([0.0, 0.3, 1.0])) == []
    assert kinds(expected, torch.tensor([0.0, 0.3, 1.01])) == ["value"]


def test_numbers_are_no_tensors_and_no_booleans():
    expected = Number(1.0, 1e-9, torch.float64)
    assert kinds(expected, 1) == kinds(expected, 1.0) == []
    assert kinds(expected, True) == ["type"]
    assert kinds(expected, torch.tensor(1.0)) == ["type"]
    assert kinds(expected, (1.0,)) == ["type"]
    assert kinds(AnyNumber(), math.inf) == ["nonfinite"]


def test_items_may_be_a_tuple_or_a_list():
    expected = Items({"a": Number(1.0, 0.0, torch.float64), "b": AnyNumber()})
    assert kinds(expected, (1.0, 5)) == kinds(expected, [1.0, 5]) == []
    assert kinds(expected, (1.0,)) == kinds(expected, (1.0, 2.0, 3.0)) == ["length"]
    assert kinds(expected, {"a": 1.0, "b": 2.0}) == ["type"]
    (finding,) = compare(expected, (2.0, 5))
    assert finding.returned.startswith("a: ")


def test_a_rule_sees_only_values_of_the_right_form():
    ordered = Rule(
        Items({"low": AnyNumber(), "high": AnyNumber()}),
        lambda pair: "" if pair[0] < pair[1] else "a pair that is not in order",
        "in order",
    )
    assert kinds(ordered, [1.0, 2.0]) == []
    assert kinds(ordered, (2.0, 1.0)) == ["rule"]
    assert kinds(ordered, (2.0, "x")) == ["type"]


def test_hostile_objects_are_never_asked():
    class Agreeable(float):
        def __eq__(self, other):
            raise AssertionError

        def __sub__(self, other):
            raise AssertionError

        __hash__ = None

    class Pretender(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            raise AssertionError

    class Both(tuple):
        def __len__(self):
            raise AssertionError

    assert kinds(Number(1.0, 1.0, torch.float64), Agreeable(1.0)) == ["type"]
    assert kinds(double([1.0]), torch.ones(1).as_subclass(Pretender)) == ["type"]
    assert kinds(Items({"a": AnyNumber()}), Both((1.0,))) == ["type"]
