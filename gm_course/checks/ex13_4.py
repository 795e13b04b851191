"""Exercise 13-4, the optimal classifier: its value, and the list of all its checks.

Oracles are closed forms in extended precision, with every zero treated by itself. Tolerances are
``rounding(dtype, scale)``, the scale being the sum of the magnitudes of what a correct answer adds
up, each times its condition number; ``optimal_classifier_from_logs`` has the contract's own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from gm_course.checks.calls import Call
from gm_course.checks.engine import AnswerCheck, Case, Exercise, in_both_dtypes
from gm_course.checks.ex13_4_classifiers import (
    OPTIMAL_CLASSIFIER,
    OPTIMAL_CLASSIFIER_WITH_PRIOR,
)
from gm_course.checks.ex13_4_grids import Grid, grids, log_or_zero, wide_grid
from gm_course.checks.ex13_4_logs import OPTIMAL_CLASSIFIER_FROM_LOGS
from gm_course.checks.ex13_4_objective import CLASSIFIER_OBJECTIVE, OBJECTIVE_DERIVATIVES
from gm_course.checks.expected import Values
from gm_course.checks.inputs import OPERATIONS, Wide, narrow, rounding
from gm_course.checks.misconceptions import Misconception

# --- optimal_value ----------------------------------------------------------------------------


def _value_cases(dtype: torch.dtype) -> Iterator[Case]:
    for label, grid in grids(dtype):
        exact, scale = _value_and_scale(grid)
        # Adding N terms up one by one leaves up to N more rounding errors. The masses of the
        # rounded densities miss 1 by about eps, which moves 2·JS − 2·log 2 against L(f*) by
        # 2·log 2 times that: covered as well.
        tolerance = rounding(dtype, scale, operations=OPERATIONS + len(grid.p1))
        yield Case(label, Call(grid._asdict()), Values(narrow(exact), tolerance, dtype))


def _value_and_scale(grid: Grid) -> tuple[Wide, Wide]:
    p1, p2, weights = wide_grid(grid)
    # Through entropies: L(f*) = Σ w (p1 log p1 + p2 log p2 − (p1 + p2) log(p1 + p2)).
    logs1, logs2, logs = log_or_zero(p1), log_or_zero(p2), log_or_zero(p1 + p2)
    exact = (weights * (p1 * logs1 + p2 * logs2 - (p1 + p2) * logs)).sum()
    # An answer may add up these very terms, or the logs of quotients, which are smaller; the 1 is
    # for the rounding of a quotient or of 1 − f*, the last term for the constant.
    scale = weights * (
        p1 * (1 + np.abs(logs1) + np.abs(logs)) + p2 * (1 + np.abs(logs2) + np.abs(logs))
    )
    return np.asarray(exact), np.asarray(scale.sum() + 2 * math.log(2))


def _divergence(p: Tensor, q: Tensor, weights: Tensor) -> Tensor:
    """KL(p, q) = Σ w p log(p/q), with 0·log 0 = 0."""
    terms: Tensor = torch.special.xlogy(p, p) - torch.special.xlogy(p, q)
    return (weights * terms).sum()


def _js(p1: Tensor, p2: Tensor, weights: Tensor) -> Tensor:
    mixture = (p1 + p2) / 2
    return (_divergence(p1, mixture, weights) + _divergence(p2, mixture, weights)) / 2


def _value(p1: Tensor, p2: Tensor, weights: Tensor) -> Tensor:
    return 2 * _js(p1, p2, weights) - math.log(4)


def _without_zero_rule(p1: Tensor, p2: Tensor, weights: Tensor) -> Tensor:
    total = p1 + p2
    return (weights * (p1 * (p1 / total).log() + p2 * (p2 / total).log())).sum()


def _with_kl(p1: Tensor, p2: Tensor, weights: Tensor) -> Tensor:
    return 2 * _divergence(p1, p2, weights) - math.log(4)


def _swapped(p1: Tensor, p2: Tensor, weights: Tensor) -> Tensor:
    """The objective of 1 − f* in place of f*."""
    total = p1 + p2
    confused = torch.where(total > 0, p2 / total, 0.5)
    integrand: Tensor = torch.special.xlogy(p1, confused) + torch.special.xlog1py(p2, -confused)
    return (weights * integrand).sum()


def _total_as_mixture(p1: Tensor, p2: Tensor, weights: Tensor) -> Tensor:
    total = p1 + p2
    both = _divergence(p1, total, weights) + _divergence(p2, total, weights)
    return both - math.log(4)


_CONSTANT_HINT = "Two equal densities are a quick test: what does a classifier score that says ½?"

OPTIMAL_VALUE = AnswerCheck(
    name="optimal_value",
    points=3.0,
    meaning="L(f*) in nats, the largest value of the objective",
    hint="Put f* into the objective. Or divide numerator and denominator of f* by 2 so that the "
    "average of the two densities appears, and see which divergences you get. Mind the points "
    "where a density is zero.",
    build_cases=in_both_dtypes(_value_cases),
    misconceptions=(
        Misconception(
            "js-alone",
            "the JS divergence itself",
            _CONSTANT_HINT,
            lambda p1, p2, weights: _js(p1, p2, weights),
        ),
        Misconception(
            "no-constant",
            "2·JS, with the constant lost",
            _CONSTANT_HINT,
            lambda p1, p2, weights: 2 * _js(p1, p2, weights),
        ),
        Misconception(
            "js-once",
            "JS counted once, beside the right constant",
            "JS is the average of two divergences: how many of them does L(f*) hold?",
            lambda p1, p2, weights: _js(p1, p2, weights) - math.log(4),
        ),
        Misconception(
            "constant-once",
            "2·JS with half of the constant",
            "Each of the two expectations leaves a constant behind.",
            lambda p1, p2, weights: 2 * _js(p1, p2, weights) - math.log(2),
        ),
        Misconception(
            "constant-added",
            "2·JS with the constant added",
            "Logarithms of probabilities are never positive, and L is made of them.",
            lambda p1, p2, weights: 2 * _js(p1, p2, weights) + math.log(4),
        ),
        Misconception(
            "halved",
            "half of L(f*): the expectations averaged over the classes",
            "Equal priors suggest the factor ½, but L as the problem states it has none.",
            lambda p1, p2, weights: _value(p1, p2, weights) / 2,
        ),
        Misconception(
            "negated",
            "the smallest cross-entropy, the negative of L(f*)",
            "L is maximised; its value is not positive.",
            lambda p1, p2, weights: -_value(p1, p2, weights),
        ),
        Misconception(
            "kl-for-js",
            "KL(p1, p2) where the JS divergence belongs",
            "L(f*) is finite also where one density is zero and the other is not. Which "
            "distribution do p1 and p2 get compared with?",
            _with_kl,
        ),
        Misconception(
            "sum-for-average",
            "divergences from p1 + p2, which is no density",
            "The sum has mass 2. Compare with it or with the average, but settle the factor 2 only "
            "once.",
            _total_as_mixture,
        ),
        Misconception(
            "undecided",
            "the value of the classifier that always says ½",
            "f* is better than that, unless the densities are equal.",
            lambda p1, p2, weights: -math.log(2) * (weights * (p1 + p2)).sum(),
        ),
        Misconception(
            "classes-swapped",
            "the value of 1 − f*, the classifier that confuses the classes",
            "Which class does f* predict, and which density belongs to log f?",
            _swapped,
        ),
        Misconception(
            "unweighted",
            "a plain sum over the grid, without the weights",
            "An integral becomes a sum over grid points, and each point stands for a stretch of "
            "the axis: how long is it?",
            lambda p1, p2, weights: (
                _divergence(p1, p1 + p2, torch.ones_like(p1))
                + _divergence(p2, p1 + p2, torch.ones_like(p1))
            ),
        ),
        Misconception(
            "bits",
            "logarithms to base 2",
            "All quantities of this course are in nats.",
            lambda p1, p2, weights: _value(p1, p2, weights) / math.log(2),
        ),
        Misconception(
            "zero-times-log-zero",
            "0·log 0 or 0/0 where a density is zero",
            "Points that a class never produces contribute nothing to its expectation. Decide "
            "that before the logarithm is taken.",
            _without_zero_rule,
        ),
    ),
)

EXERCISE = Exercise(
    "13-4",
    checks=(
        CLASSIFIER_OBJECTIVE,
        OBJECTIVE_DERIVATIVES,
        OPTIMAL_CLASSIFIER,
        OPTIMAL_CLASSIFIER_FROM_LOGS,
        OPTIMAL_VALUE,
        OPTIMAL_CLASSIFIER_WITH_PRIOR,
    ),
    written_points=4.0,
)
