"""Checks of exercise 13-4's classifiers: ``optimal_classifier``, and the one with a prior."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from gm_course.checks.calls import Call
from gm_course.checks.engine import AnswerCheck, Case, in_both_dtypes
from gm_course.checks.ex13_4_grids import grids, share, share_scale, tails
from gm_course.checks.expected import Values
from gm_course.checks.inputs import narrow, rounding, wide
from gm_course.checks.misconceptions import Misconception


def _pairs(dtype: torch.dtype) -> Iterator[tuple[str, Tensor, Tensor]]:
    for label, grid in grids(dtype):
        yield label, grid.p1, grid.p2
    yield from tails(dtype)


def _share(p1: Tensor, p2: Tensor) -> Tensor:
    total = p1 + p2
    return torch.where(total > 0, p1 / total, 0.5)


# --- optimal_classifier -----------------------------------------------------------------------


def _classifier_cases(dtype: torch.dtype) -> Iterator[Case]:
    for label, p1, p2 in _pairs(dtype):
        exact, scale = share(wide(p1), wide(p2)), share_scale(wide(p1), wide(p2))
        expected = Values(narrow(exact), rounding(dtype, scale), dtype)
        yield Case(label, Call({"p1": p1, "p2": p2}), expected)


OPTIMAL_CLASSIFIER = AnswerCheck(
    name="optimal_classifier",
    points=2.0,
    meaning="f* at each point",
    hint="Set the first derivative to zero and solve for f. Then look at the points where one "
    "density is zero, and at those where both are.",
    build_cases=in_both_dtypes(_classifier_cases),
    misconceptions=(
        Misconception(
            "classes-swapped",
            "the probability of the second class",
            "f predicts the first class, c1: where only c1 occurs, what should it say?",
            lambda p1, p2: 1 - _share(p1, p2),
        ),
        Misconception(
            "density-ratio",
            "the ratio of the two densities, which is no probability",
            "The ratio tells how many times likelier one class is; turn these odds into a "
            "probability.",
            lambda p1, p2: p1 / p2,
        ),
        Misconception(
            "log-ratio",
            "the logarithm of the density ratio",
            "That is what goes into a sigmoid, not what comes out of it.",
            lambda p1, p2: p1.log() - p2.log(),
        ),
        Misconception(
            "signed",
            "a number between −1 and 1",
            "A probability lies between 0 and 1; where the densities are equal it should be ½.",
            lambda p1, p2: ((p1 - p2) / (p1 + p2)).where(p1 + p2 > 0, 0.0),
        ),
        Misconception(
            "half-mixture",
            "the density divided by the average of the two",
            "Where p2 = 0 this is 2. What must a probability be there?",
            lambda p1, p2: p1 / ((p1 + p2) / 2),
        ),
        Misconception(
            "hard-decision",
            "the likelier class alone, without a probability",
            "The objective charges −∞ for a certain answer that is sometimes wrong: how sure "
            "should f be?",
            lambda p1, p2: torch.where(p1 == p2, 0.5, (p1 > p2).to(p1.dtype)),
        ),
        Misconception(
            "softmax-of-densities",
            "a softmax of the densities",
            "Softmax exponentiates what it is given: of which quantities would it be right?",
            lambda p1, p2: torch.sigmoid(p1 - p2),
        ),
        Misconception(
            "normalised-over-grid",
            "a density divided by a sum over the whole grid",
            "Every x is a problem of its own: f*(x) depends on the densities at x only.",
            lambda p1, p2: p1 / (p1 + p2).sum(),
        ),
        Misconception(
            "squares",
            "squares of the densities, as if a squared norm were to be normalised",
            "Solve p1/f = p2/(1 − f) again: no density gets squared.",
            lambda p1, p2: (p1**2 / (p1**2 + p2**2)).where(p1 + p2 > 0, 0.5),
        ),
        Misconception(
            "zero-over-zero",
            "0/0 where both densities are zero",
            "At such a point every f is equally good; the contract asks for the one that takes no "
            "side.",
            lambda p1, p2: p1 / (p1 + p2),
        ),
        Misconception(
            "nothing-as-zero",
            "f* = 0 where both densities are zero",
            "A point that neither class produces speaks for neither: what does an undecided "
            "classifier say?",
            lambda p1, p2: torch.where(p1 > 0, p1 / (p1 + p2), 0.0),
        ),
        Misconception(
            "jitter",
            "1e-8 added to the denominator",
            "Densities may be smaller than that. Treat the points where both are zero by "
            "themselves.",
            lambda p1, p2: p1 / (p1 + p2 + 1e-8),
        ),
    ),
)

# --- optimal_classifier_with_prior ------------------------------------------------------------


def _prior_cases(dtype: torch.dtype) -> Iterator[Case]:
    for (label, p1, p2), prior1 in zip(_pairs(dtype), _PRIORS, strict=True):
        yield _prior_case(label, p1, p2, prior1)
    p1, p2, _ = dict(grids(dtype))["typical values"]
    for prior1 in (0.5, 1e-6, 1 - 1e-6):
        yield _prior_case(f"prior1 = {prior1:g}", p1, p2, prior1)


# One for each of the pairs.
_PRIORS = (0.3, 0.8, 0.05, 0.6, 0.2, 0.7, 0.9, 0.4, 0.1, 0.35, 0.75, 0.85, 0.25, 0.65, 0.15)


def _prior_case(label: str, p1: Tensor, p2: Tensor, prior1: float) -> Case:
    prior = np.longdouble(prior1)
    joint1, joint2 = prior * wide(p1), (1 - prior) * wide(p2)
    exact = share(joint1, joint2)
    # An answer through logarithms adds those of the priors, twice: they may cancel against log p.
    scale = share_scale(joint1, joint2) - 2 * exact * (np.log(prior) + np.log1p(-prior))
    # If 1 − prior1 is formed in the inputs' dtype, its relative error is eps/(1 − prior1), and
    # that moves f by f(1 − f) times as much.
    scale = scale + exact * (1 - exact) / (1 - prior)
    tolerance = rounding(p1.dtype, scale)
    # Where both densities are zero any probability will do: ½ ± ½.
    tolerance[(p1 == 0) & (p2 == 0)] = 0.5
    call = Call({"p1": p1, "p2": p2, "prior1": prior1})
    return Case(label, call, Values(narrow(exact), tolerance, p1.dtype))


OPTIMAL_CLASSIFIER_WITH_PRIOR = AnswerCheck(
    name="optimal_classifier_with_prior",
    points=2.0,
    meaning="the best f at each point, a number in [0, 1]",
    hint="The expectation of log-probability over both classes weighs each class by its prior. "
    "Carry the two weights through the derivation; what does Bayes' rule say?",
    build_cases=in_both_dtypes(_prior_cases),
    misconceptions=(
        Misconception(
            "prior-ignored",
            "the optimum for equal priors",
            "If class c1 is rare, the classifier should be harder to convince of it.",
            lambda p1, p2, prior1: _share(p1, p2),
        ),
        Misconception(
            "priors-exchanged",
            "the prior of c1 put on class c2, or densities divided by their priors",
            "`prior1` is P(c1). Should a larger one make the classifier say c1 more or less "
            "readily?",
            lambda p1, p2, prior1: _share((1 - prior1) * p1, prior1 * p2),
        ),
        Misconception(
            "second-prior-missing",
            "a prior on class c1 only",
            "Class c2 has a prior, too, and the two add up to 1.",
            lambda p1, p2, prior1: _share(prior1 * p1, p2),
        ),
        Misconception(
            "evidence-without-prior",
            "a denominator that does not know the prior",
            "What is the density of x when the class is drawn from the prior? As a test: what must "
            "f be where p2 = 0, and what is yours there?",
            lambda p1, p2, prior1: prior1 * _share(p1, p2),
        ),
        Misconception(
            "prior-dropped-above",
            "a numerator that does not know the prior",
            "Bayes' rule: likelihood times prior, over the evidence.",
            lambda p1, p2, prior1: p1 / (prior1 * p1 + (1 - prior1) * p2),
        ),
        Misconception(
            "posterior-odds",
            "the posterior odds, which are no probability",
            "Odds may exceed 1; turn them into a probability.",
            lambda p1, p2, prior1: prior1 * p1 / ((1 - prior1) * p2),
        ),
        Misconception(
            "mixture-density",
            "the density of x under both classes together",
            "That is the denominator of Bayes' rule.",
            lambda p1, p2, prior1: prior1 * p1 + (1 - prior1) * p2,
        ),
        Misconception(
            "linear-mix",
            "the average of the prior and the optimum for equal priors",
            "Prior and likelihood multiply; they are not averaged.",
            lambda p1, p2, prior1: (prior1 + _share(p1, p2)) / 2,
        ),
        Misconception(
            "classes-swapped",
            "the probability of the second class",
            "f predicts the first class, c1: where only c1 occurs, what should it say?",
            lambda p1, p2, prior1: 1 - _share(prior1 * p1, (1 - prior1) * p2),
        ),
        Misconception(
            "zero-over-zero",
            "0/0 where both densities are zero",
            "At such a point every probability is right, but NaN is none.",
            lambda p1, p2, prior1: prior1 * p1 / (prior1 * p1 + (1 - prior1) * p2),
        ),
        Misconception(
            "jitter",
            "1e-8 added to the denominator",
            "Densities may be smaller than that. Treat the points where both are zero by "
            "themselves.",
            lambda p1, p2, prior1: prior1 * p1 / (prior1 * p1 + (1 - prior1) * p2 + 1e-8),
        ),
    ),
)
