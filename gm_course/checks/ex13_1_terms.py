"""Check of exercise 13-1's ``score_function_terms``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from gm_course.checks.calls import Call
from gm_course.checks.engine import AnswerCheck, Case, in_both_dtypes
from gm_course.checks.ex13_1_categorical import (
    UNSTABLE_SOFTMAX,
    bound,
    probabilities,
    probability_error,
    scores,
    unshifted_softmax,
)
from gm_course.checks.expected import Values
from gm_course.checks.inputs import narrow, normal, wide
from gm_course.checks.misconceptions import Misconception


class _Drawn(NamedTuple):
    """A categorical variable, its values and samples of it."""

    logits: Tensor
    values: Tensor
    z: Tensor


def _terms_cases(dtype: torch.dtype) -> Iterator[Case]:
    for label, (given, baseline) in _samples_and_baselines(dtype).items():
        keywords = {} if baseline is None else {"baseline": baseline}
        call = Call(given._asdict(), keywords=keywords)
        yield Case(label, call, _terms(given, baseline or 0.0))


def _samples_and_baselines(dtype: torch.dtype) -> dict[str, tuple[_Drawn, float | None]]:
    def drawn(seed: int, size: int, z: list[int] | None = None) -> _Drawn:
        """Every category once, or the samples given."""
        categories = torch.arange(size) if z is None else torch.tensor(z)
        return _Drawn(
            normal(seed, (size,), dtype=dtype),
            2 * normal(seed + 1, (size,), dtype=dtype),
            categories,
        )

    typical = drawn(30, 4, [2, 0, 3, 3, 1, 0])
    spread = torch.linspace(-1000, 1000, 5).to(dtype)
    below = normal(32, (5,), dtype=dtype).abs()
    return {
        "typical samples, no baseline": (typical, None),
        "typical samples and baseline": (typical, 0.75),
        "every category once": (drawn(34, 5), -0.4),
        "many samples of three categories": (drawn(36, 3, [0, 2, 1, 1, 0] * 8), 1.3),
        "the first category only": (drawn(38, 3, [0]), 0.5),
        "the middle category only": (drawn(38, 3, [1]), 0.5),
        "the last category only": (drawn(38, 3, [2]), 0.5),
        "two categories": (drawn(40, 2, [1, 0, 1]), -1.2),
        "one category": (drawn(42, 1, [0, 0, 0]), 0.3),
        "one sample of one category": (drawn(44, 1, [0]), None),
        "fifty categories": (drawn(46, 50, [49, 0, 17]), 0.6),
        "a large baseline": (drawn(48, 4, [0, 3, 2, 1, 1]), 1e4),
        "a baseline that one value equals": (
            typical._replace(values=torch.tensor([0.5, -1.0, 2.0, 0.25], dtype=dtype)),
            0.5,
        ),
        "values near 1e4": (typical._replace(values=1e4 * typical.values), 250.0),
        "logits near 1000": (drawn(50, 5)._replace(logits=1000 - below), 0.2),
        "logits near -1000": (drawn(52, 5)._replace(logits=below - 1000), -0.3),
        "logits from -1000 to 1000": (drawn(54, 5)._replace(logits=spread), 0.8),
    }


def _terms(given: _Drawn, baseline: float) -> Values:
    z, f, b = given.z.numpy(), wide(given.values), np.longdouble(baseline)
    exact = (f[z] - b)[:, None] * scores(given.logits)[z]
    # A score is 1 or 0 less a probability; the difference f − b may be multiplied out.
    p = probabilities(given.logits) * probability_error(given.logits)
    scale = (np.abs(f[z]) + abs(b))[:, None] * (np.eye(len(p))[z] + p)
    magnitude = float(given.values.abs().max()) + abs(baseline)
    dtype = given.values.dtype
    return Values(narrow(exact), bound(dtype, scale, magnitude=magnitude), dtype)


def _one_hot(logits: Tensor, z: Tensor) -> Tensor:
    return one_hot(z, len(logits)).to(logits.dtype)


def _score(logits: Tensor, z: Tensor) -> Tensor:
    return _one_hot(logits, z) - logits.softmax(0)


def _product(logits: Tensor, values: Tensor, z: Tensor, baseline: float = 0.0) -> Tensor:
    return (values[z] - baseline)[:, None] * _score(logits, z)


def _value_forgotten(logits: Tensor, values: Tensor, z: Tensor, baseline: float = 0.0) -> Tensor:
    return _score(logits, z)


def _baseline_ignored(logits: Tensor, values: Tensor, z: Tensor, baseline: float = 0.0) -> Tensor:
    return _product(logits, values, z)


def _baseline_added(logits: Tensor, values: Tensor, z: Tensor, baseline: float = 0.0) -> Tensor:
    return _product(logits, values, z, -baseline)


def _baseline_outside(logits: Tensor, values: Tensor, z: Tensor, baseline: float = 0.0) -> Tensor:
    return _product(logits, values, z) - baseline


def _weighted_by_p(logits: Tensor, values: Tensor, z: Tensor, baseline: float = 0.0) -> Tensor:
    return logits.softmax(0)[z][:, None] * _product(logits, values, z, baseline)


def _divided_by_p(logits: Tensor, values: Tensor, z: Tensor, baseline: float = 0.0) -> Tensor:
    return (values[z] - baseline)[:, None] * _one_hot(logits, z) / logits.softmax(0)


def _logit_alone(logits: Tensor, values: Tensor, z: Tensor, baseline: float = 0.0) -> Tensor:
    return (values[z] - baseline)[:, None] * _one_hot(logits, z)


def _own_logit(logits: Tensor, values: Tensor, z: Tensor, baseline: float = 0.0) -> Tensor:
    return _product(logits, values, z, baseline) * _one_hot(logits, z)


def _by_column(logits: Tensor, values: Tensor, z: Tensor, baseline: float = 0.0) -> Tensor:
    return (values - baseline) * _score(logits, z)


def _negated(logits: Tensor, values: Tensor, z: Tensor, baseline: float = 0.0) -> Tensor:
    return -_product(logits, values, z, baseline)


def _averaged(logits: Tensor, values: Tensor, z: Tensor, baseline: float = 0.0) -> Tensor:
    return _product(logits, values, z, baseline).mean(0)


def _summed(logits: Tensor, values: Tensor, z: Tensor, baseline: float = 0.0) -> Tensor:
    return _product(logits, values, z, baseline).sum(0)


def _divided_by_n(logits: Tensor, values: Tensor, z: Tensor, baseline: float = 0.0) -> Tensor:
    return _product(logits, values, z, baseline) / len(z)


def _transposed(logits: Tensor, values: Tensor, z: Tensor, baseline: float = 0.0) -> Tensor:
    return _product(logits, values, z, baseline).T


def _unstable_terms(logits: Tensor, values: Tensor, z: Tensor, baseline: float = 0.0) -> Tensor:
    score = _one_hot(logits, z) - unshifted_softmax(logits)
    return (values[z] - baseline)[:, None] * score


SCORE_FUNCTION_TERMS = AnswerCheck(
    name="score_function_terms",
    points=2.0,
    meaning="(f(z_n) − baseline)·∇ log p(z_n) in row n, the gradient being in the logits",
    hint="Write log p(z) in terms of the logits first. It consists of two terms, and every logit "
    "occurs in one of them.",
    build_cases=in_both_dtypes(_terms_cases),
    misconceptions=(
        Misconception(
            "baseline-ignored",
            "terms that do not use the baseline",
            "What is the sampled value compared with before it multiplies the score?",
            _baseline_ignored,
        ),
        Misconception(
            "baseline-added",
            "the baseline added to the value",
            "A baseline is what the value is measured against.",
            _baseline_added,
        ),
        Misconception(
            "baseline-outside",
            "the baseline subtracted from the term instead of the value",
            "Only a multiple of the score has expectation 0 and leaves the estimate unbiased.",
            _baseline_outside,
        ),
        Misconception(
            "weighted-by-p",
            "terms multiplied by the probability of the sample, or ∇p in place of ∇ log p",
            "Likely categories are drawn more often already; weighting as well counts them twice.",
            _weighted_by_p,
        ),
        Misconception(
            "gradient-in-p",
            "the derivative with respect to the probabilities instead of the logits",
            "Apply the chain rule once more: p itself depends on every logit.",
            _divided_by_p,
        ),
        Misconception(
            "normaliser-forgotten",
            "log p(z) taken to be the logit of z, without the softmax's denominator",
            "The score must have expectation 0. Does yours, summed over z with its probabilities?",
            _logit_alone,
        ),
        Misconception(
            "own-logit",
            "rows that are 0 outside the sampled category",
            "Every logit changes the probability of the sample, not only its own.",
            _own_logit,
        ),
        Misconception(
            "values-by-column",
            "the value of the column's category instead of the sampled one",
            "Row n belongs to the sample z[n]: its value is one number for the whole row.",
            _by_column,
        ),
        Misconception(
            "value-forgotten",
            "the score alone, without the value",
            "A score says how to make the sample likelier; what says whether that is desirable?",
            _value_forgotten,
        ),
        Misconception(
            "negated",
            "terms with their sign exchanged",
            "If f exceeds the baseline, a step along the term must make the sample likelier.",
            _negated,
        ),
        Misconception(
            "averaged",
            "the average over the samples",
            "Keep one row per sample: the variance needs them.",
            _averaged,
        ),
        Misconception(
            "summed",
            "the sum over the samples",
            "Keep one row per sample: the variance needs them.",
            _summed,
        ),
        Misconception(
            "divided-by-n",
            "every row divided by the number of samples",
            "A row is one sample's term; whoever averages the rows divides by N.",
            _divided_by_n,
        ),
        Misconception(
            "transposed",
            "samples along the columns",
            "Rows are samples, columns are logits.",
            _transposed,
        ),
        Misconception(*UNSTABLE_SOFTMAX, _unstable_terms),
    ),
)
