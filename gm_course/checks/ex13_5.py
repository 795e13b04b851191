"""Exercise 13-5, Lipschitz continuity: four functions, their chords, and bounds for networks."""

from __future__ import annotations

import math

import torch

from gm_course.checks.calls import Call
from gm_course.checks.engine import AnswerCheck, Case, Exercise
from gm_course.checks.ex13_5_bounds import CLIPPING_BOUND, MLP_LIPSCHITZ_BOUND
from gm_course.checks.ex13_5_empirical import EMPIRICAL_LIPSCHITZ
from gm_course.checks.ex13_5_pairs import NEAR_EXTREMAL_PAIR, STEEP_PAIR
from gm_course.checks.expected import Entries, Number
from gm_course.checks.inputs import OPERATIONS
from gm_course.checks.misconceptions import Misconception

# Whole numbers, but an answer may find them by arithmetic: a limit, a maximum of |f'|.
_ROUNDING = OPERATIONS * torch.finfo(torch.float64).eps


def _constants_case() -> list[Case]:
    constants = {1: 2.0, 2: math.inf, 3: 1.0, 4: math.inf}
    expected = Entries(
        {
            number: Number(constant, 2 * _ROUNDING, torch.float64)
            for number, constant in constants.items()
        }
    )
    return [Case("the four functions", Call({}), expected)]


def _claims(name: str, number: int, constant: float, diagnosis: str, hint: str) -> Misconception:
    """A misconception about the constant of one function."""
    return Misconception(name, diagnosis, hint, lambda: {number: constant}, part=str(number))


LIPSCHITZ_CONSTANTS = AnswerCheck(
    name="lipschitz_constants",
    points=2.0,
    meaning="the smallest constant, or math.inf where there is none",
    hint="Simplify |f(a) − f(b)| / |a − b| and find its supremum over the function's own domain.",
    build_cases=_constants_case,
    parts=("1", "2", "3", "4"),
    misconceptions=(
        _claims(
            "1-domain-ignored",
            1,
            math.inf,
            "x² on all of R, where it has no constant",
            "Number 1 lives on [−1, 1] only: how steep does the parabola get there?",
        ),
        _claims(
            "1-largest-value",
            1,
            1.0,
            "the largest value of x² in place of its largest slope",
            "A Lipschitz constant bounds slopes, not values. Try two points near 1.",
        ),
        _claims(
            "1-end-to-end",
            1,
            0.0,
            "the slope between the two ends of the interval",
            "The supremum is over all pairs of points, not over that one.",
        ),
        _claims(
            "1-not-smallest",
            1,
            4.0,
            "a valid constant, but not the smallest one",
            "|a + b| and |a − b| are not at their largest at the same time, and only one of them "
            "is the slope.",
        ),
        _claims(
            "2-domain-ignored",
            2,
            2.0,
            "x² on [−1, 1]",
            "Number 2 is defined on all of R.",
        ),
        _claims(
            "2-largest-float",
            2,
            torch.finfo(torch.float64).max,
            "the largest float for a constant that does not exist",
            "The contract has a value of its own for “there is none”.",
        ),
        _claims(
            "2-zero-for-none",
            2,
            0.0,
            "a zero for a constant that does not exist",
            "Only constant functions have the constant 0. The contract has a value of its own for "
            "“there is none”.",
        ),
        _claims(
            "3-unbounded-function",
            3,
            math.inf,
            "an unbounded function taken for one with unbounded slopes",
            "x itself is unbounded, too, and is Lipschitz continuous. How steep does √(x² + 1) "
            "get?",
        ),
        _claims(
            "3-slope-at-one",
            3,
            1 / math.sqrt(2),
            "the slope at x = 1",
            "The domain does not end there.",
        ),
        _claims(
            "3-half",
            3,
            0.5,
            "the factor ½ of the square root's derivative without its inner derivative",
            "Apply the chain rule to √(x² + 1) once more.",
        ),
        _claims(
            "3-inner-derivative",
            3,
            2.0,
            "the inner derivative without the factor ½ of the square root's",
            "Apply the chain rule to √(x² + 1) once more.",
        ),
        _claims(
            "3-slope-at-zero",
            3,
            0.0,
            "the slope at x = 0",
            "That is where the function is flattest.",
        ),
        _claims(
            "4-compact-domain",
            4,
            1.0,
            "the slope between the ends of [0, 1]",
            "A continuous function on a closed interval is bounded, but its slopes need not be. "
            "Take one end of the chord in 0 and move the other one.",
        ),
        _claims(
            "4-slope-at-one",
            4,
            0.5,
            "the slope at x = 1",
            "That is where √x is flattest. Where is it steepest?",
        ),
        _claims(
            "4-zero-for-none",
            4,
            0.0,
            "a zero for a constant that does not exist",
            "Only constant functions have the constant 0. The contract has a value of its own for "
            "“there is none”.",
        ),
    ),
)

EXERCISE = Exercise(
    "13-5",
    checks=(
        LIPSCHITZ_CONSTANTS,
        STEEP_PAIR,
        NEAR_EXTREMAL_PAIR,
        EMPIRICAL_LIPSCHITZ,
        MLP_LIPSCHITZ_BOUND,
        CLIPPING_BOUND,
    ),
    written_points=4.0,
)
