"""Exercise 13-1, the gradient of an expectation over a discrete variable.

Every oracle enumerates the categories in extended precision: a check of the score-function terms
on every category is a check of the estimator's expectation and variance. Tolerances are
``rounding(dtype, scale)``; each scale is derived beside its oracle.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from gm_course.checks.calls import Call
from gm_course.checks.engine import AnswerCheck, Case, Exercise, in_both_dtypes
from gm_course.checks.ex13_1_baseline import OPTIMAL_BASELINE
from gm_course.checks.ex13_1_categorical import (
    UNSTABLE_SOFTMAX,
    bound,
    probabilities,
    probability_error,
    unshifted_softmax,
)
from gm_course.checks.ex13_1_gumbel import GUMBEL_SOFTMAX
from gm_course.checks.ex13_1_terms import SCORE_FUNCTION_TERMS
from gm_course.checks.expected import Values
from gm_course.checks.inputs import narrow, normal, wide
from gm_course.checks.misconceptions import Misconception


def _gradient_cases(dtype: torch.dtype) -> Iterator[Case]:
    for label, (logits, values) in _logits_and_values(dtype).items():
        yield Case(label, Call({"logits": logits, "values": values}), _gradient(logits, values))


def _logits_and_values(dtype: torch.dtype) -> dict[str, tuple[Tensor, Tensor]]:
    def numbers(seed: int, size: int) -> Tensor:
        return normal(seed, (size,), dtype=dtype)

    typical = numbers(1, 4), 2 * numbers(2, 4)
    below = numbers(3, 5).abs()
    return {
        "typical values": typical,
        "six categories": (2 * numbers(4, 6), numbers(5, 6)),
        "two categories": (numbers(6, 2), numbers(7, 2)),
        "one category": (numbers(8, 1), numbers(9, 1)),
        "fifty categories": (numbers(10, 50), numbers(11, 50)),
        "equal probabilities": (torch.full((4,), 0.5, dtype=dtype), typical[1]),
        "equal values": (typical[0], torch.full((4,), 0.7, dtype=dtype)),
        "negative values": (numbers(12, 5), -1 - numbers(13, 5).abs()),
        "values near 1e4": (numbers(14, 5), 1e4 * numbers(15, 5)),
        "values around 100": (numbers(16, 5), 100 + numbers(17, 5)),
        "a probability close to 1": (numbers(18, 4).sort().values * 4, numbers(19, 4)),
        "logits near 1000": (1000 - below, numbers(20, 5)),
        "logits near -1000": (below - 1000, numbers(21, 5)),
        "logits from -1000 to 1000": (torch.linspace(-1000, 1000, 5).to(dtype), numbers(22, 5)),
    }


def _gradient(logits: Tensor, values: Tensor) -> Values:
    p, f = probabilities(logits), wide(values)
    # The flow between each pair of categories: Σ_j p_k p_j (f_k − f_j).
    exact = p * ((f[:, None] - f) @ p)
    # Answers subtract p_k f_k and p_k Σ_j p_j f_j, each as uncertain as the probabilities are.
    magnitudes = p * (np.abs(f) + p @ np.abs(f))
    scale = probability_error(logits) * magnitudes
    tolerance = bound(values.dtype, scale, magnitude=float(values.abs().max()))
    return Values(narrow(exact), tolerance, values.dtype)


def _softmax(logits: Tensor) -> Tensor:
    return logits.softmax(0)


def _weighted(p: Tensor, values: Tensor) -> Tensor:
    """The right combination, of probabilities that may be wrong."""
    return p * (values - (p * values).sum())


def _diagonal_only(logits: Tensor, values: Tensor) -> Tensor:
    p = _softmax(logits)
    return p * (1 - p) * values


EXPECTATION_GRADIENT = AnswerCheck(
    name="expectation_gradient",
    points=2.0,
    meaning="the gradient of E[f(z)] with respect to each logit",
    hint="Write E[f(z)] as a sum over the categories. Each logit changes every probability, for "
    "they must keep adding up to 1.",
    build_cases=in_both_dtypes(_gradient_cases),
    misconceptions=(
        Misconception(
            "normaliser-constant",
            "a softmax differentiated as if its denominator did not depend on the logits",
            "Raise one logit: what happens to the probabilities of the other categories?",
            lambda logits, values: _softmax(logits) * values,
        ),
        Misconception(
            "diagonal-only",
            "the effect of each logit on the probability of its own category alone",
            "The Jacobian of the softmax has off-diagonal entries too.",
            _diagonal_only,
        ),
        Misconception(
            "gradient-in-p",
            "the gradient with respect to the probabilities",
            "The parameters are the logits: the chain rule needs one factor more.",
            lambda logits, values: values.clone(),
        ),
        Misconception(
            "not-weighted",
            "f(k) − E[f] without the probability of the category",
            "Can the logit of a category that almost never occurs matter much?",
            lambda logits, values: values - (_softmax(logits) * values).sum(),
        ),
        Misconception(
            "plain-mean",
            "values compared with their plain average instead of their expectation",
            "Categories are not equally likely: which average does E[f(z)] stand for?",
            lambda logits, values: _softmax(logits) * (values - values.mean()),
        ),
        Misconception(
            "negated",
            "the gradient with its sign exchanged",
            "Raising the logit of the category with the largest f must raise E[f(z)].",
            lambda logits, values: -_weighted(_softmax(logits), values),
        ),
        Misconception(
            "log-gradient",
            "the gradient of log E[f(z)], divided by the expectation",
            "No logarithm of the expectation is asked for; f may be negative.",
            lambda logits, values: (
                _weighted(_softmax(logits), values) / (_softmax(logits) * values).sum()
            ),
        ),
        Misconception(
            "logits-as-log-p",
            "logits exponentiated but not normalised",
            "Logits are log-probabilities up to a common constant only.",
            lambda logits, values: _weighted(logits.exp(), values),
        ),
        Misconception(
            "logits-as-p",
            "logits used as if they were probabilities",
            "Logits are any real numbers; which function turns them into probabilities?",
            lambda logits, values: _weighted(logits, values),
        ),
        Misconception(
            "sigmoid",
            "a sigmoid for each category, as if the categories were independent switches",
            "Exactly one category occurs, so the probabilities compete.",
            lambda logits, values: logits.sigmoid() * (1 - logits.sigmoid()) * values,
        ),
        Misconception(
            "expectation-instead",
            "the expectation itself, not its gradient",
            "One number per logit is asked for: by how much the expectation changes with it.",
            lambda logits, values: (_softmax(logits) * values).sum(),
        ),
        Misconception(
            *UNSTABLE_SOFTMAX,
            lambda logits, values: _weighted(unshifted_softmax(logits), values),
        ),
    ),
)

EXERCISE = Exercise(
    "13-1",
    checks=(EXPECTATION_GRADIENT, SCORE_FUNCTION_TERMS, OPTIMAL_BASELINE, GUMBEL_SOFTMAX),
    written_points=4.0,
)
