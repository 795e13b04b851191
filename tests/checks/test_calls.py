"""Calling an answer and recording what it did as plain data."""

import collections
import math
import random
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch

from gm_course.checks.calls import (
    Call,
    Derivative,
    Elsewhere,
    Foreign,
    Raised,
    collect,
    plain,
    respond,
)

X = torch.tensor([1.0, -2.0, 4.0])


def test_arguments_are_fresh_copies_in_order():
    seen = []

    def answer(a, b, option=None):
        seen.append((a, b, option))
        return a

    call = Call({"first": X, "second": [X]}, keywords={"option": 3})
    collect(answer, [call, call])
    (a, b, option), (again, _, _) = seen
    assert torch.equal(a, X)
    assert a is not X
    assert b[0] is not X
    assert again is not a
    assert option == 3


def test_call_is_made_with_grad_whatever_surrounds_it():
    for context in (torch.no_grad(), torch.inference_mode()):
        with context:
            response = respond(lambda x: torch.tensor(torch.is_grad_enabled()), Call({"x": X}))
        assert response.value.item() is True


@pytest.mark.parametrize(
    ("value", "recorded"),
    [
        (True, True),
        (np.bool_(True), True),
        (3, 3),
        (np.int64(3), 3),
        (0.5, 0.5),
        (np.float32(0.5), 0.5),
        (np.longdouble(0.5), 0.5),
        (Fraction(1, 2), 0.5),
        (Decimal("0.5"), 0.5),
        (np.array(0.5), 0.5),
        (math.inf, math.inf),
        (None, None),
        ((1, [2.0]), (1, [2.0])),
        ({1: 0.5, "a": np.int64(1)}, {1: 0.5, "a": 1}),
        (collections.namedtuple("Pair", "a b")(1.0, 2.0), (1.0, 2.0)),
        (collections.OrderedDict({2: 1.0}), {2: 1.0}),
    ],
)
def test_plain_values(value, recorded):
    got = plain(value)
    assert got == recorded
    assert type(got) is type(recorded)


@pytest.mark.parametrize(
    "value",
    [
        "text",
        1j,
        np.zeros(2),
        np.zeros(1),
        object(),
        iter([1]),
        10**400,
        {1.5: 2},
        list(range(2000)),
        [[[[[1]]]]],
        torch.zeros(2).to_sparse(),
        torch.zeros(1).expand(10**7),
    ],
)
def test_what_no_answer_may_return_is_only_described(value):
    got = plain([value])[0] if not isinstance(value, list) else plain(value)
    while type(got) is list:
        got = got[0]
    assert type(got) is Foreign


def test_a_list_inside_itself_ends():
    endless = []
    endless.append(endless)
    assert "Foreign" in repr(plain(endless))


def test_tensors_are_recorded_detached_contiguous_and_plain():
    class Odd(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            raise AssertionError("a subclass's code must not run")

    wide = torch.zeros(3, 2, requires_grad=True).T
    assert plain(wide).is_contiguous()
    assert not plain(wide).requires_grad
    assert type(plain(torch.nn.Parameter(X))) is torch.Tensor
    assert type(plain(X.as_subclass(Odd))) is torch.Tensor
    assert plain(torch.zeros(2, device="meta")) == Elsewhere("meta")


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda x, xs: x.add_(1), ("x",)),
        (lambda x, xs: x.unsqueeze_(0), ("x",)),
        (lambda x, xs: x.data.mul_(2), ("x",)),
        (lambda x, xs: xs[1].zero_(), ("xs",)),
        (lambda x, xs: xs.pop(), ("xs",)),
        (lambda x, xs: xs.reverse(), ("xs",)),
        (lambda x, xs: x.add(1), ()),
    ],
)
def test_changed_inputs_are_named(change, names):
    def answer(x, xs):
        change(x, xs)
        return 0.0

    call = Call({"x": X, "xs": [X, 2 * X]})
    assert respond(answer, call).modified == names
    assert respond(lambda x, xs: 0.0, call).modified == ()  # the originals are untouched


@pytest.mark.parametrize(
    ("change", "modified", "grad_switched"),
    [
        (lambda x, xs: x.requires_grad_(), (), ("x",)),
        (lambda x, xs: xs[1].requires_grad_(), (), ("xs",)),
        (lambda x, xs: x.add_(1).requires_grad_(), ("x",), ()),
        (lambda x, xs: (x.requires_grad_(), xs.pop()), ("xs",), ("x",)),
        (lambda x, xs: x.detach().clone().requires_grad_(), (), ()),
    ],
)
def test_inputs_on_which_grad_was_switched_are_told_from_changed_ones(
    change, modified, grad_switched
):
    def answer(x, xs):
        change(x, xs)
        return 0.0

    response = respond(answer, Call({"x": X, "xs": [X, 2 * X]}))
    assert (response.modified, response.grad_switched) == (modified, grad_switched)


def test_grad_switched_off_where_it_was_asked_for_is_noticed():
    call = Call({"x": X}, derivative=Derivative("x", torch.ones(3, dtype=torch.float64)))
    assert respond(lambda x: x * x, call).grad_switched == ()
    assert respond(lambda x: x.requires_grad_(False) * x, call).grad_switched == ("x",)


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_global_settings_and_generators_are_put_back(error):
    def answer(x):
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")
        np.seterr(over="raise")
        torch.manual_seed(0)
        np.random.seed(0)  # noqa: NPY002
        random.seed(0)
        if error:
            raise error

    def settings():
        return torch.get_default_dtype(), torch.empty(0).device, np.geterr()

    def drawn():
        return torch.rand(()).item(), np.random.random(), random.random()  # noqa: NPY002

    for seed in (1, 2):
        before = settings()
        torch.manual_seed(seed), np.random.seed(seed), random.seed(seed)  # noqa: NPY002
        undisturbed = drawn()
        torch.manual_seed(seed), np.random.seed(seed), random.seed(seed)  # noqa: NPY002
        collect(answer, [Call({"x": X}), Call({"x": X})])
        assert settings() == before
        assert drawn() == undisturbed


def test_a_default_device_that_was_chosen_before_stays():
    torch.set_default_device("meta")
    try:
        collect(lambda x: torch.set_default_device("cpu"), [Call({"x": X})])
        assert torch.get_default_device().type == "meta"
    finally:
        torch.set_default_device(None)
    with torch.device("meta"):
        collect(lambda x: x, [Call({"x": X})])
        assert torch.empty(0).device.type == "meta"


def test_gradient_is_that_of_the_projected_result():
    weights = torch.tensor([1.0, 10.0, 100.0], dtype=torch.float64)
    call = Call({"x": X, "k": 3}, derivative=Derivative("x", weights))
    response = respond(lambda x, k: k * x**2, call)
    # d/dx Σ w·3x² = 6·w·x, exact in these small integers
    assert torch.equal(response.gradient, 6 * weights.float() * X)
    assert response.modified == ()
    assert respond(lambda x, k: (k * x**2).detach(), call).gradient is None
    assert respond(lambda x, k: (k * x).sum(), call).gradient is None
    assert respond(lambda x, k: torch.ones(3, requires_grad=True), call).gradient is None
    elsewhere = respond(lambda x, k: (k * x).to("meta"), call)
    assert (elsewhere.value, elsewhere.raised) == (Elsewhere("meta"), None)


def test_exceptions_are_recorded_in_one_short_line():
    def answer(x):
        raise KeyError("a\nb" + "c" * 500)

    raised = respond(answer, Call({"x": X})).raised
    assert raised.class_name == "KeyError"
    assert raised.during == "call"
    assert raised.line == answer.__code__.co_firstlineno + 1
    assert len(raised.message) <= 200
    assert "\n" not in raised.message


def test_an_exception_that_cannot_be_printed_is_recorded():
    class RudeError(Exception):
        def __str__(self):
            raise RuntimeError

    def answer(x):
        raise RudeError

    assert respond(answer, Call({"x": X})).raised == Raised(
        "RudeError", "", answer.__code__.co_firstlineno + 1, "call"
    )


def test_not_implemented_counts_only_in_the_call_itself():
    class Late(float):
        def __float__(self):
            raise NotImplementedError

    def stub(x):
        raise NotImplementedError

    assert respond(stub, Call({"x": X})).is_not_attempted
    late = respond(lambda x: Late(1.0), Call({"x": X}))
    assert late.raised.during == "reading"
    assert not late.is_not_attempted
