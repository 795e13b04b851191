"""The judge: verdicts, points, and the recognition of misconceptions."""

import math
import sys

import pytest
import torch

from gm_course.checks import AnswerCheck, Case
from gm_course.checks.calls import (
    Call,
    Derivative,
    Response,
    collect,
)
from gm_course.checks.expected import AnyNumber, Entries, Items, Number, Rule, Values
from gm_course.checks.misconceptions import Misconception
from gm_course.checks.verdict import GENERIC_HINTS
from gm_course.errors import ArgumentError

X = torch.tensor([1.0, -2.0, 4.0])


def double(values, **options):
    return Values(torch.tensor(values, dtype=torch.float64), 1e-6, torch.float32, **options)


def _square_cases():
    inputs = {"typical values": [1.0, -2.0, 3.0], "a zero": [0.0, 5.0], "one entry": [7.0]}
    return [
        Case(label, Call({"x": torch.tensor(x)}), double([v * v for v in x]))
        for label, x in inputs.items()
    ]


SQUARE = AnswerCheck(
    name="square",
    points=2.0,
    meaning="the square of every entry",
    hint="Multiply.",
    build_cases=_square_cases,
    misconceptions=(
        Misconception("doubled", "twice the number", "2² is not typical.", lambda x: 2 * x),
        Misconception("cubed", "the cube", "Count the factors.", lambda x: x**3),
        Misconception("summed", "a sum", "Keep the axis.", lambda x: (x * x).sum()),
    ),
)


def test_right_and_wrong():
    right, wrong = SQUARE.grade(lambda x: x * x), SQUARE.grade(lambda x: x + x)
    assert (right.status, right.score, right.text) == (
        "passed",
        2.0,
        "square: passed, 2 of 2 points.",
    )
    assert (wrong.status, wrong.score, wrong.mistake) == ("failed", 0.0, "doubled")
    assert wrong.diagnosis == "twice the number"
    assert "3 of 3 inputs" in wrong.text


def test_responses_are_judged_without_the_function():
    responses = collect(lambda x: x**3, SQUARE.calls)
    assert SQUARE.judge(responses).mistake == "cubed"
    assert SQUARE.judge([]).mistake == "missing"
    assert SQUARE.judge([Response(torch.tensor([1.0, 4.0, 9.0]))]).status == "failed"
    with pytest.raises(ArgumentError, match="judge: responses must number at most 3"):
        SQUARE.judge(responses * 2)


def test_an_unknown_mistake_gets_the_general_hint():
    verdict = SQUARE.grade(lambda x: x * x + 1)
    assert (verdict.mistake, verdict.hint) == ("value", "Multiply.")


def test_a_mistake_in_shape_can_be_recognised():
    assert SQUARE.grade(lambda x: torch.sum(x * x)).mistake == "summed"
    assert SQUARE.grade(lambda x: (x * x)[None]).mistake == "shape"


def test_failing_only_beside_the_typical_inputs_is_said():
    verdict = SQUARE.grade(lambda x: x * x + (len(x) == 1))
    assert verdict.mistake == "special-inputs"
    assert "1 of 3 inputs: one entry" in verdict.text


def test_two_misconceptions_that_explain_equally_well_are_not_named():
    twins = tuple(
        Misconception(name, name, "?", lambda x: 2 * x) for name in ("first-twin", "second-twin")
    )
    ambiguous = AnswerCheck("square", 2.0, "m", "h", _square_cases, twins)
    assert ambiguous.grade(lambda x: 2 * x).mistake == "value"


def test_a_misconception_must_explain_the_error_not_only_come_near():
    near = (Misconception("near", "n", "?", lambda x: x * x * (1 + 1e-4)),)
    close = AnswerCheck("square", 2.0, "m", "h", _square_cases, near)
    assert close.grade(lambda x: x * x * (1 + 1e-4)).mistake == "near"
    assert close.grade(lambda x: x * x * (1 - 1e-4)).mistake == "value"
    assert close.grade(lambda x: x * x * (1 + 2e-4)).mistake == "value"


def test_a_typical_input_that_fails_is_no_special_one():
    def cases():
        for label, x in [("typical", 3.0), ("typical, long", 4.0), ("a", 5.0), ("b", 6.0)]:
            yield Case(label, Call({"x": x}), Number(x * x, 1e-9, torch.float64))

    check = AnswerCheck("square", 2.0, "m", "h", lambda: list(cases()), ())
    assert check.grade(lambda x: x * x + (x == 6)).mistake == "special-inputs"
    assert check.grade(lambda x: x * x + (x == 4)).mistake == "value"  # labelled typical too
    assert check.grade(lambda x: x * x + (x > 4)).mistake == "value"  # most must be right


def test_an_error_small_on_typical_inputs_and_large_elsewhere_shows_the_large_one():
    def cases():
        for label, x in [("typical", 3.0), ("one", 1.0), ("tiny", 1e-6)]:
            yield Case(label, Call({"x": x}), Number(math.log(x), 1e-15, torch.float64))

    check = AnswerCheck("log", 2.0, "m", "h", lambda: list(cases()), ())
    text = check.grade(lambda x: math.log(x + 1e-7)).text
    assert "(x=1e-06), tiny" in text
    assert "looks like an answer that is close on typical inputs only" in text


def _precise_square():
    def cases():
        for label, numbers in [("typical", [1 / 3, 0.7]), ("exact", [0.5]), ("tiny", [0.1, 1e-3])]:
            x = torch.tensor(numbers, dtype=torch.float64)
            yield Case(label, Call({"x": x}), Values(x * x, 2e-16, torch.float64))

    return AnswerCheck("square", 2.0, "m", "h", lambda: list(cases()), ())


def test_float32_arithmetic_on_float64_inputs_is_recognised():
    verdict = _precise_square().grade(lambda x: (x.float() ** 2).double())
    assert (verdict.mistake, verdict.diagnosis, verdict.hint) == (
        "precision",
        "float32 arithmetic on float64 inputs",
        GENERIC_HINTS["float32"],
    )


@pytest.mark.parametrize(
    "answer",
    [
        lambda x: (x + 1e-9) ** 2,  # a constant added for safety
        lambda x: x * x * 1.0000000001,  # a constant with few digits
        lambda x: (x * x + 1000) - 1000,  # cancellation
        lambda x: x * x.float().double(),  # float32, but not for all of it
    ],
)
def test_other_ways_of_losing_digits_are_not_called_float32(answer):
    verdict = _precise_square().grade(answer)
    assert (verdict.mistake, verdict.diagnosis, verdict.hint) == (
        "precision",
        "fewer digits than float64 has",
        GENERIC_HINTS["precision"],
    )


def test_digits_lost_on_special_inputs_only_are_no_matter_of_float32():
    precise = _precise_square()
    assert precise.grade(lambda x: x * x).status == "passed"
    assert precise.grade(lambda x: x.clamp(min=1.00001e-3) ** 2).mistake == "special-inputs"
    assert precise.grade(lambda x: x * x * 1.001).mistake == "value"


def test_requires_grad_set_on_an_input_is_not_called_a_change_in_place():
    verdict = SQUARE.grade(lambda x: (x.requires_grad_() * x).detach())
    assert verdict.mistake == "modified"
    assert verdict.diagnosis == "returned with requires_grad set on x"
    assert verdict.hint == GENERIC_HINTS["requires-grad"]
    assert SQUARE.grade(lambda x: x.mul_(x)).diagnosis == "returned with x changed in place"


def test_one_answer_does_not_change_the_settings_of_the_next():
    def careless(x):
        torch.set_default_dtype(torch.float64)
        return x * x

    assert SQUARE.grade(careless).status == "passed"
    assert SQUARE.grade(lambda x: x * x * torch.ones(())).status == "passed"
    assert SQUARE.grade(lambda x: x * torch.tensor(x.tolist())).status == "passed"


def test_gradient_and_detached_result():
    weights = torch.ones(3, dtype=torch.float64)

    def cases():
        call = Call({"x": X}, derivative=Derivative("x", weights))
        value, slope = double([1.0, 4.0, 16.0]), double([2.0, -4.0, 8.0])
        return [Case("typical", call, value, expected_gradient=slope)]

    smooth = AnswerCheck("square", 2.0, "m", "h", cases, ())
    assert smooth.grade(lambda x: x * x).status == "passed"
    assert smooth.grade(lambda x: (x * x).detach()).mistake == "detached"
    assert smooth.grade(lambda x: x.detach() * x).mistake == "gradient"


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_gets_the_hint_on_finite_numbers(number):
    def cases():
        call = Call({"x": X}, derivative=Derivative("x", torch.ones(3, dtype=torch.float64)))
        yield Case("typical", call, double([0.0] * 3), expected_gradient=double([1.0] * 3))

    class Broken(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 0

        @staticmethod
        def backward(ctx, gradient):
            return gradient * factor

    smooth = AnswerCheck("zero", 2.0, "m", "general hint", lambda: list(cases()), ())
    factor = number
    verdict = smooth.grade(Broken.apply)
    assert (verdict.mistake, verdict.hint) == ("gradient", GENERIC_HINTS["nonfinite"])
    factor = 2.0
    verdict = smooth.grade(Broken.apply)
    assert (verdict.mistake, verdict.hint) == ("gradient", "general hint")


def test_a_wrong_formula_that_is_also_detached_is_named():
    weights = torch.ones(1, dtype=torch.float64)

    def cases():
        for label, x in [("typical", 3.0), ("one", 1.0)]:
            call = Call({"x": torch.tensor([x])}, derivative=Derivative("x", weights))
            yield Case(label, call, double([x * x]), expected_gradient=double([2 * x]))

    rounded = (Misconception("cubed", "the cube", "?", lambda x: x.detach() ** 3),)
    smooth = AnswerCheck("square", 2.0, "m", "h", lambda: list(cases()), rounded)
    assert smooth.grade(lambda x: x.detach() * x.detach() * x.detach()).mistake == "cubed"


PARTED = AnswerCheck(
    name="constants",
    points=2.0,
    meaning="the constants",
    hint="Think.",
    build_cases=lambda: [
        Case(
            "the call",
            Call({}),
            Entries({k: Number(float(k), 1e-9, torch.float64) for k in (1, 2, 3, 4)}),
        )
    ],
    misconceptions=(
        Misconception("one", "one too much", "?", lambda: {1: 2.0}, part="1"),
        Misconception("two", "two too much", "?", lambda: {2: 4.0}, part="2"),
    ),
    parts=("1", "2", "3", "4"),
)


@pytest.mark.parametrize(
    ("result", "status", "score", "mistake"),
    [
        ({1: 1, 2: 2, 3: 3, 4: 4}, "passed", 2.0, ""),
        ({1: 2, 2: 2, 3: 3, 4: 4}, "failed", 1.5, "one"),
        ({1: 1, 2: 4, 3: 3, 4: 9}, "failed", 1.0, "two"),
        ({1: 1, 2: 2, 3: 3}, "failed", 1.5, "keys"),
        ({1: 1, 2: 2, 3: 3, 4: 4, 5: 5}, "failed", 0.0, "keys"),
        ([1, 2, 3, 4], "failed", 0.0, "type"),
        ({1: 5, 2: 5, 3: 5, 4: 5}, "failed", 0.0, "value"),
    ],
)
def test_parts_earn_points_separately(result, status, score, mistake):
    verdict = PARTED.grade(lambda: result)
    assert (verdict.status, verdict.score, verdict.mistake) == (status, score, mistake)


def test_a_problem_of_several_parts_is_told_once():
    assert PARTED.grade(lambda: [1]).text.count("returned") == 1
    assert PARTED.grade(lambda: {1: 2, 2: 4, 3: 3, 4: 4}).text.count("looks like") == 2


def test_equal_problems_of_several_entries_are_told_once_and_name_them():
    verdict = PARTED.grade(lambda: {1: None, 2: None, 3: 3, 4: None})
    assert verdict.diagnosis == "returned entries 1, 2, 4: None"
    assert verdict.hint == GENERIC_HINTS["none-inside"]
    assert (verdict.score, verdict.text.count("returned")) == (0.5, 1)
    verdict = PARTED.grade(lambda: {1: None, 2: 2, 3: "three", 4: 4})
    assert verdict.text.count("returned   entry") == 2
    assert PARTED.grade(lambda: None).hint == GENERIC_HINTS["none"]
    assert PARTED.grade(lambda: {4: 4}).diagnosis == "returned entries 1, 2, 3: missing"


def test_an_item_that_is_none_gets_the_hint_on_items():
    pair = Items({"a": AnyNumber(), "b": AnyNumber()})
    check = AnswerCheck("pair", 1.0, "m", "h", lambda: [Case("typical", Call({}), pair)], ())
    verdict = check.grade(lambda: (1.0, None))
    assert (verdict.mistake, verdict.hint) == ("none", GENERIC_HINTS["none-inside"])
    assert verdict.diagnosis == "returned b: None"


# --- results of which many are right ----------------------------------------------------------


def _root_check(misconceptions, residuals=None):
    """Asks for a number whose square is at least n."""

    def cases():
        for n in (4.0, 9.0, 25.0):
            rule = Rule(
                AnyNumber(),
                lambda x, n=n: "" if x * x >= n else "a number too small",
                "whose square is at least n",
                residuals and (lambda x, n=n: residuals(x, n)),
            )
            yield Case("typical", Call({"n": n}), rule)

    return AnswerCheck("root", 1.0, "a root", "h", lambda: list(cases()), misconceptions)


def test_a_mistake_with_many_results_is_recognised_by_its_residuals():
    def residuals(x, n):
        return torch.tensor([max(n - x * x, 0.0) / 1e-6]) if isinstance(x, float) else None

    halved = Misconception("halved", "half the root", "?", lambda n: -0.5 * n**0.5)
    by_residual, by_value = _root_check((halved,), residuals), _root_check((halved,))
    for check, mistake in ((by_residual, "halved"), (by_value, "rule")):
        assert check.grade(lambda n: n**0.5 + 1).status == "passed"
        assert check.grade(lambda n: 0.5 * n**0.5).mistake == mistake
    assert by_value.grade(lambda n: -0.5 * n**0.5).mistake == "halved"
    assert by_residual.grade(lambda n: 0.6 * n**0.5).mistake == "rule"
    assert by_residual.grade(lambda n: "text").mistake == "type"


def test_a_mistake_may_show_in_what_the_failures_have_in_common():
    seen = []

    def is_fixed(failures):
        seen.append([call.arguments["n"] for call, _ in failures])
        return len({response.value for _, response in failures}) == 1

    check = _root_check(
        (
            Misconception("fixed", "f", "?", lambda n: 1.0, shows_in=is_fixed),
            Misconception("short", "s", "?", lambda n: 1.0, shows_in=lambda failures: True),
            Misconception("zero", "z", "?", lambda n: 0.0),
        )
    )
    assert check.grade(lambda n: 1.5).mistake == "fixed"
    assert check.grade(lambda n: 0.5 * n**0.5).mistake == "short"  # the first that shows
    assert check.grade(lambda n: 3.0).mistake == "fixed"
    assert seen == [[4.0, 9.0, 25.0], [4.0, 9.0, 25.0], [25.0]]


def test_formulas_are_only_called_where_they_may_explain():
    called = []

    def tripled(x):
        called.append(len(x))
        return 3 * x

    check = AnswerCheck(
        "square", 1.0, "m", "h", _square_cases, (Misconception("tripled", "t", "?", tripled),)
    )
    assert check.grade(lambda x: x * x + 1).mistake == "value"
    assert called == [3]  # the first case rules it out
    assert check.grade(lambda x: x + x + x).mistake == "tripled"
    assert check.grade(lambda x: x * 3).mistake == "tripled"
    assert called == [3, 2, 1]  # each case once


def test_parts_can_be_cases():
    def cases():
        return [
            Case("the call", Call({"n": n}), Number(float(n), 0.0, torch.float64), part=str(n))
            for n in (1, 2)
        ]

    parted = AnswerCheck("same", 3.0, "m", "h", cases, (), parts=("1", "2"))

    def half(n):
        if n == 2:
            raise NotImplementedError
        return n

    assert parted.grade(lambda n: n).status == "passed"
    verdict = parted.grade(half)
    assert (verdict.status, verdict.score, verdict.mistake) == ("failed", 1.5, "raised")
    assert parted.grade(lambda n: 1 / 0).status == "error"


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_leaving_the_program_ends_the_check_only(error):
    def answer(x):
        calls.append(x)
        raise error

    calls = []
    verdict = SQUARE.grade(answer)
    assert (verdict.status, verdict.mistake) == ("error", "raised")
    assert error.__name__ in verdict.text
    assert len(calls) == 1


def test_prints_and_warnings_of_an_answer_stay_quiet(capsys):
    import warnings

    def answer(x):
        print("debugging")
        print("more", file=sys.stderr)
        warnings.warn("careful", stacklevel=1)
        return x * x

    assert SQUARE.grade(answer).status == "passed"
    assert capsys.readouterr() == ("", "")
