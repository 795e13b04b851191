"""The judge: verdicts, points, and the recognition of misconceptions."""

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
from gm_course.checks.expected import Entries, Number, Values
from gm_course.checks.misconceptions import Misconception
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


def test_float32_arithmetic_on_float64_inputs_is_recognised():
    def cases():
        x = torch.tensor([1 / 3, 2 / 3], dtype=torch.float64)
        return [Case("typical", Call({"x": x}), Values(x * x, 1e-15, torch.float64))]

    precise = AnswerCheck("square", 2.0, "m", "h", cases, ())
    assert precise.grade(lambda x: x * x).status == "passed"
    assert precise.grade(lambda x: (x.float() ** 2).double()).mistake == "precision"
    assert precise.grade(lambda x: x * x * 1.001).mistake == "value"


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
