"""Check of exercise 13-1's ``optimal_baseline``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from gm_course.checks.calls import Call
from gm_course.checks.engine import AnswerCheck, Case, in_both_dtypes
from gm_course.checks.ex13_1_categorical import probabilities, probability_error, scores
from gm_course.checks.expected import Values
from gm_course.checks.inputs import narrow, normal, rounding, wide
from gm_course.checks.misconceptions import Misconception


def _cases(dtype: torch.dtype) -> Iterator[Case]:
    for label, (logits, values) in _logits_and_values(dtype).items():
        yield Case(label, Call({"logits": logits, "values": values}), _expected(logits, values))


def _logits_and_values(dtype: torch.dtype) -> dict[str, tuple[Tensor, Tensor]]:
    def numbers(seed: int, size: int) -> Tensor:
        return normal(seed, (size,), dtype=dtype)

    # The contract asks for no probability that is exactly 1, so the rest must show in the dtype:
    # it is e⁻⁷ in float32 and e⁻²⁰ in float64, far above eps.
    gap = 7.0 if dtype is torch.float32 else 20.0
    typical = numbers(60, 4), 2 * numbers(61, 4)
    far_apart = torch.tensor([50.0, 50.0 - gap, 0.0, -50.0], dtype=dtype)
    return {
        "typical values": typical,
        "three categories": (numbers(62, 3), numbers(63, 3)),
        "six categories": (2 * numbers(64, 6), numbers(65, 6)),
        "two categories": (numbers(66, 2), numbers(67, 2)),
        "fifty categories": (numbers(68, 50), numbers(69, 50)),
        "equal probabilities": (torch.full((4,), 0.5, dtype=dtype), typical[1]),
        "equal values": (typical[0], torch.full((4,), 0.7, dtype=dtype)),
        "negative values": (numbers(70, 5), -1 - numbers(71, 5).abs()),
        "values near 1e4": (numbers(72, 5), 1e4 * numbers(73, 5)),
        "values around 100": (numbers(74, 5), 100 + numbers(75, 5)),
        "a probability close to 1": (torch.tensor([0.5, gap, -0.5], dtype=dtype), numbers(76, 3)),
        "logits near 50": (50 - numbers(77, 5).abs(), numbers(78, 5)),
        "logits near -50": (numbers(79, 5).abs() - 50, numbers(80, 5)),
        "logits from -50 to 50": (far_apart, numbers(81, 4)),
    }


def _expected(logits: Tensor, values: Tensor) -> Values:
    p, f, score = probabilities(logits), wide(values), scores(logits)
    weights = p * (score**2).sum(1)
    total = weights.sum()
    exact = weights @ f / total
    # Answers may expand the squared norm of the score to 1 − 2p_k + Σ_j p_j², whose terms are
    # rounded before they cancel; and an error of the probabilities moves weights and scores.
    rounded = p * (1 + 2 * p + p @ p)
    moved = probability_error(logits) * (weights + 2 * p * (np.abs(score) @ p))
    scale = (rounded + moved) @ (np.abs(f) + abs(exact)) / total
    dtype = values.dtype
    return Values(narrow(exact), rounding(dtype, scale), dtype)


# What mistakes put together wrongly.


def _p_and_scores(logits: Tensor) -> tuple[Tensor, Tensor]:
    p = logits.softmax(0)
    return p, torch.eye(len(p), dtype=p.dtype) - p


def _square(logits: Tensor) -> Tensor:
    """Squared norm of the score of each category."""
    return (_p_and_scores(logits)[1] ** 2).sum(1)


def _average(weights: Tensor, values: Tensor) -> Tensor:
    return (weights * values).sum() / weights.sum()


def _per_logit(logits: Tensor, values: Tensor) -> Tensor:
    p, scores = _p_and_scores(logits)
    weights = p[:, None] * scores**2
    return (weights * values[:, None]).sum(0) / weights.sum(0)


def _variance(logits: Tensor, values: Tensor) -> Tensor:
    p, scores = _p_and_scores(logits)
    weights = p * _square(logits)
    terms = (values - _average(weights, values))[:, None] * scores
    mean = p @ terms
    return (p[:, None] * (terms - mean) ** 2).sum()


def _guarded(logits: Tensor, values: Tensor) -> Tensor:
    weights = logits.softmax(0) * _square(logits)
    return (weights * values).sum() / (weights.sum() + 1e-8)


OPTIMAL_BASELINE = AnswerCheck(
    name="optimal_baseline",
    points=2.0,
    meaning="the constant baseline with the smallest total variance of the terms",
    hint="The expectation of the terms does not depend on the baseline, so minimise the "
    "expectation of their squared length: it is a parabola in the baseline.",
    build_cases=in_both_dtypes(_cases),
    misconceptions=(
        Misconception(
            "expected-value",
            "E[f(z)], which is a good baseline but not the best",
            "Categories whose score is long contribute more to the variance.",
            lambda logits, values: _average(logits.softmax(0), values),
        ),
        Misconception(
            "plain-mean",
            "the plain average of the values",
            "Neither how often a category occurs nor how long its score is has been used.",
            lambda logits, values: values.mean(),
        ),
        Misconception(
            "midrange",
            "the middle between the smallest and the largest value",
            "The variance is an expectation; every category takes part in it.",
            lambda logits, values: (values.min() + values.max()) / 2,
        ),
        Misconception(
            "not-weighted-by-p",
            "an average in which every category counts as if it were equally likely",
            "The variance is an expectation under p: how often does each category occur?",
            lambda logits, values: _average(_square(logits), values),
        ),
        Misconception(
            "norm-not-squared",
            "the length of the score where its square is meant",
            "A variance is the expectation of squares.",
            lambda logits, values: _average(logits.softmax(0) * _square(logits).sqrt(), values),
        ),
        Misconception(
            "own-logit",
            "the variance of the sampled category's own entry alone",
            "The total variance adds up the variances of all K entries of a term.",
            lambda logits, values: _average(
                logits.softmax(0) * (1 - logits.softmax(0)) ** 2, values
            ),
        ),
        Misconception(
            "variance-of-indicator",
            "weights p(1 − p), the variance of the indicator of a category",
            "The score is a vector: its squared length has a term for every logit.",
            lambda logits, values: _average(logits.softmax(0) * (1 - logits.softmax(0)), values),
        ),
        Misconception(
            "inverse-weights",
            "an average that divides by the squared length of the score",
            "Which categories make the variance large, and so deserve the baseline's attention?",
            lambda logits, values: _average(logits.softmax(0) / _square(logits), values),
        ),
        Misconception(
            "not-normalised",
            "a weighted sum that is not divided by the sum of its weights",
            "If all values equal c, the best baseline is c.",
            lambda logits, values: (logits.softmax(0) * _square(logits) * values).sum(),
        ),
        Misconception(
            "negated",
            "the baseline with its sign exchanged",
            "The baseline is subtracted from the value: if all values equal c, it should be c.",
            lambda logits, values: -_average(logits.softmax(0) * _square(logits), values),
        ),
        Misconception(
            "guarded-denominator",
            "a small number such as 1e-8 added to the denominator",
            "No probability is exactly 1, so the denominator is positive; it may be smaller than "
            "your guard.",
            _guarded,
        ),
        Misconception(
            "per-logit",
            "a baseline of its own for every logit",
            "One constant is asked for: minimise the sum of the K variances, not each.",
            _per_logit,
        ),
        Misconception(
            "variance-instead",
            "the smallest variance instead of the baseline that attains it",
            "Return where the minimum lies, not how low it is.",
            _variance,
        ),
    ),
)
