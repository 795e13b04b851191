"""Checks of exercise 13-4's objective: ``classifier_objective`` and ``objective_derivatives``."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from gm_course.checks.calls import Call
from gm_course.checks.engine import AnswerCheck, Case, in_both_dtypes
from gm_course.checks.ex13_4_grids import Grid, grids, log_or_zero, wide_grid
from gm_course.checks.expected import Items, Values
from gm_course.checks.inputs import OPERATIONS, Wide, narrow, rounding, uniform, wide
from gm_course.checks.misconceptions import Misconception

# --- classifier_objective ---------------------------------------------------------------------


def _objective_cases(dtype: torch.dtype) -> Iterator[Case]:
    for label, f, grid in _classifiers(dtype):
        p1, p2, weights = wide_grid(grid)
        exact, scale = _objective_and_scale(wide(f), p1, p2, weights)
        # Adding N terms up one by one leaves up to N more rounding errors.
        tolerance = rounding(dtype, scale, operations=OPERATIONS + len(f))
        call = Call({"f": f, **grid._asdict()})
        yield Case(label, call, Values(narrow(exact), tolerance, dtype))


def _classifiers(dtype: torch.dtype) -> Iterator[tuple[str, Tensor, Grid]]:
    for seed, (label, grid) in enumerate(grids(dtype), start=700):
        yield label, uniform(seed, grid.p1.shape, low=0.03, high=0.97, dtype=dtype), grid

    by_label = dict(grids(dtype))
    typical, disjoint = by_label["typical values"], by_label["disjoint supports"]
    inside = uniform(720, typical.p1.shape, low=0.2, high=0.8, dtype=dtype)
    yield "f = ½ everywhere", torch.full_like(typical.p1, 0.5), typical
    yield "f near 1e-8", 1e-8 * inside, typical
    yield "f near 1e-30", 1e-30 * inside, typical
    yield "1 − f near 1e-7", 1 - 2.0**-23 * torch.ceil(8 * inside), typical
    # Every log 0 here is multiplied by a density that is zero.
    for label in ("one density zero in places", "both densities zero in places"):
        grid = by_label[label]
        f = uniform(730, grid.p1.shape, low=0.2, high=0.8, dtype=dtype)
        f = torch.where(grid.p1 == 0, 0.0, torch.where(grid.p2 == 0, 1.0, f))
        yield "f = 0 where p1 = 0 and f = 1 where p2 = 0", f, grid
    right = (disjoint.p1 > 0).to(dtype)
    yield "f = 0 where p1 = 0 and f = 1 where p2 = 0", right, disjoint
    # Here it is not.
    yield "f = 0 at a point with p1 > 0", torch.cat([torch.zeros(1), inside[1:]]).to(dtype), typical
    yield "f = 1 at a point with p2 > 0", torch.cat([inside[1:], torch.ones(1)]).to(dtype), typical
    yield "certain and always wrong", 1 - right, disjoint


def _objective_and_scale(f: Wide, p1: Wide, p2: Wide, weights: Wide) -> tuple[Wide, Wide]:
    if bool(((f == 0) & (p1 > 0)).any() or ((f == 1) & (p2 > 0)).any()):
        return np.asarray(np.longdouble(-np.inf)), np.asarray(np.longdouble(0))
    log_f, log_rest = log_or_zero(f), log_or_zero(1 - f)
    exact = (weights * (p1 * log_f + p2 * log_rest)).sum()
    # 1 − f may be rounded, which moves its log by eps where f is small; likewise log f, if it is
    # computed from 1 − f. Hence the 1.
    scale = (weights * (p1 * (1 + np.abs(log_f)) + p2 * (1 + np.abs(log_rest)))).sum()
    return np.asarray(exact), np.asarray(scale)


def _integrand(f: Tensor, p1: Tensor, p2: Tensor) -> Tensor:
    terms: Tensor = torch.special.xlogy(p1, f) + torch.special.xlog1py(p2, -f)
    return terms


def _objective(f: Tensor, p1: Tensor, p2: Tensor, weights: Tensor) -> Tensor:
    return (weights * _integrand(f, p1, p2)).sum()


def _plain_logs(f: Tensor, p1: Tensor, p2: Tensor, weights: Tensor) -> Tensor:
    return (weights * (p1 * f.log() + p2 * (1 - f).log())).sum()


def _masked_by_f(f: Tensor, p1: Tensor, p2: Tensor, weights: Tensor) -> Tensor:
    log_f, log_rest = f.log(), torch.log1p(-f)
    log_f, log_rest = log_f.where(f > 0, 0.0), log_rest.where(f < 1, 0.0)
    return (weights * (p1 * log_f + p2 * log_rest)).sum()


def _clamped_logs(f: Tensor, p1: Tensor, p2: Tensor, weights: Tensor) -> Tensor:
    log_f, log_rest = f.log().clamp(min=-100.0), torch.log1p(-f).clamp(min=-100.0)
    return (weights * (p1 * log_f + p2 * log_rest)).sum()


def _log_outside(f: Tensor, p1: Tensor, p2: Tensor, weights: Tensor) -> Tensor:
    return (weights * p1 * f).sum().log() + (weights * p2 * (1 - f)).sum().log()


_WEIGHTS_HINT = (
    "An integral becomes a sum over grid points, and each point stands for a stretch of the axis: "
    "how long is it?"
)

CLASSIFIER_OBJECTIVE = AnswerCheck(
    name="classifier_objective",
    points=2.0,
    meaning="L(f) in nats, a number that is maximised",
    hint="Replace both expectations by sums over the grid. Then think through the points where f "
    "is 0 or 1, or a density is 0: impossible events cost nothing, a possible event that was ruled "
    "out costs infinitely much.",
    build_cases=in_both_dtypes(_objective_cases),
    misconceptions=(
        Misconception(
            "negated",
            "a loss, the cross-entropy that is minimised",
            "The objective of this exercise is maximised; return it as it stands.",
            lambda f, p1, p2, weights: -_objective(f, p1, p2, weights),
        ),
        Misconception(
            "same-log",
            "log f in both terms",
            "f is the probability of the first class: which probability does the classifier give "
            "to the second?",
            lambda f, p1, p2, weights: (weights * torch.special.xlogy(p1 + p2, f)).sum(),
        ),
        Misconception(
            "classes-swapped",
            "the two classes exchanged",
            "f predicts the first class, c1: in which expectation does log f stand?",
            lambda f, p1, p2, weights: _objective(f, p2, p1, weights),
        ),
        Misconception(
            "one-class",
            "the term of the first class alone",
            "What would keep f from being 1 everywhere?",
            lambda f, p1, p2, weights: (weights * torch.special.xlogy(p1, f)).sum(),
        ),
        Misconception(
            "unweighted",
            "a plain sum over the grid, without the weights",
            _WEIGHTS_HINT,
            lambda f, p1, p2, weights: _integrand(f, p1, p2).sum(),
        ),
        Misconception(
            "plain-mean",
            "a plain mean over the grid, without the weights",
            _WEIGHTS_HINT,
            lambda f, p1, p2, weights: _integrand(f, p1, p2).mean(),
        ),
        Misconception(
            "weighted-mean",
            "the weighted sum divided once more, by the number of points",
            "The weights already turn the sum into an integral.",
            lambda f, p1, p2, weights: (weights * _integrand(f, p1, p2)).mean(),
        ),
        Misconception(
            "weights-normalised",
            "a weighted average, divided by the sum of the weights",
            "The densities are normalised: Σ weights·p = 1. The weights themselves need not be.",
            lambda f, p1, p2, weights: _objective(f, p1, p2, weights / weights.sum()),
        ),
        Misconception(
            "densities-dropped",
            "logarithms that are not averaged over the classes",
            "An expectation under p(x|c1) weighs each x by how often class c1 produces it.",
            lambda f, p1, p2, weights: (weights * (f.log() + torch.log1p(-f))).sum(),
        ),
        Misconception(
            "probability-twice",
            "f·log f: each logarithm weighted by the classifier's own probability, too",
            "The expectations are over the data alone; f occurs only inside the logarithms.",
            lambda f, p1, p2, weights: (
                weights * (p1 * torch.special.xlogy(f, f) + p2 * torch.special.xlogy(1 - f, 1 - f))
            ).sum(),
        ),
        Misconception(
            "log-outside",
            "the logarithm of an average in place of the average of a logarithm",
            "E[log f] is not log E[f]: take the logarithm at each point first.",
            _log_outside,
        ),
        Misconception(
            "halved",
            "the expectations averaged over the classes, each with weight ½",
            "Equal priors suggest the factor ½, but L as the problem states it has none.",
            lambda f, p1, p2, weights: _objective(f, p1, p2, weights) / 2,
        ),
        Misconception(
            "bits",
            "logarithms to base 2",
            "All quantities of this course are in nats.",
            lambda f, p1, p2, weights: _objective(f, p1, p2, weights) / math.log(2),
        ),
        Misconception(
            "zero-times-log-zero",
            "0·log 0 computed as 0·(−∞), which is not a number",
            "A density of zero must remove its term, whatever f is there. Multiplying cannot do "
            "that; what else can?",
            _plain_logs,
        ),
        Misconception(
            "masked-by-f",
            "terms left out wherever f is 0 or 1",
            "f = 0 at a point that class c1 can produce is the worst mistake of all. Which "
            "quantity being zero makes a term vanish?",
            _masked_by_f,
        ),
        Misconception(
            "logs-clamped",
            "logarithms cut off at −100, as PyTorch's own binary cross-entropy does",
            "That is meant to keep a training loss finite; here log 0 is −∞.",
            _clamped_logs,
        ),
        Misconception(
            "log-jitter",
            "1e-8 added inside the logarithms",
            "That changes the value, and hides that a certain and wrong classifier scores −∞. "
            "Treat the points where a density is zero by themselves.",
            lambda f, p1, p2, weights: (
                weights * (p1 * (f + 1e-8).log() + p2 * (1 - f + 1e-8).log())
            ).sum(),
        ),
    ),
)

# --- objective_derivatives --------------------------------------------------------------------


def _derivative_cases(dtype: torch.dtype) -> Iterator[Case]:
    for label, f, p1, p2 in _interior_points(dtype):
        call = Call({"f": f, "p1": p1, "p2": p2})
        yield Case(label, call, _derivatives_expected(f, p1, p2))


def _interior_points(dtype: torch.dtype) -> Iterator[tuple[str, Tensor, Tensor, Tensor]]:
    for seed, (label, grid) in enumerate(grids(dtype), start=800):
        f = uniform(seed, grid.p1.shape, low=0.05, high=0.95, dtype=dtype)
        yield label, f, grid.p1, grid.p2

    p1, p2, _ = dict(grids(dtype))["typical values"]
    inside = uniform(820, p1.shape, low=0.2, high=0.8, dtype=dtype)
    zero = dict(grids(dtype))["both densities zero in places"]
    yield "f = ½ everywhere", torch.full_like(p1, 0.5), p1, p2
    yield "the derivative near zero", p1 / (p1 + p2), p1, p2
    yield "f near 1e-6", 1e-6 * inside, p1, p2
    yield "1 − f near 1e-6", 1 - 1e-6 * inside, p1, p2
    yield "f near 1e-12", 1e-12 * inside, p1, p2
    yield "f near 1e-6, densities zero in places", torch.full_like(zero.p1, 1e-6), zero.p1, zero.p2


def _derivatives_expected(f: Tensor, p1: Tensor, p2: Tensor) -> Items:
    a, b, x = wide(p1), wide(p2), wide(f)
    first, second = a / x - b / (1 - x), -a / x**2 - b / (1 - x) ** 2
    # Both terms may share the denominator f(1 − f), or its square, and the numerator then cancels.
    first_scale, second_scale = (a + b) / (x * (1 - x)), (a + b) / (x * (1 - x)) ** 2
    return Items(
        {
            "first": Values(narrow(first), rounding(f.dtype, first_scale), f.dtype),
            "second": Values(narrow(second), rounding(f.dtype, second_scale), f.dtype),
        }
    )


def _first(f: Tensor, p1: Tensor, p2: Tensor) -> Tensor:
    return p1 / f - p2 / (1 - f)


def _second(f: Tensor, p1: Tensor, p2: Tensor) -> Tensor:
    return -p1 / f**2 - p2 / (1 - f) ** 2


OBJECTIVE_DERIVATIVES = AnswerCheck(
    name="objective_derivatives",
    points=2.0,
    meaning="the derivatives of the integrand with respect to f at each point",
    hint="Hold x fixed: p1 and p2 are then two numbers, and the integrand is an ordinary function "
    "of the number f. Differentiate it twice, and mind the inner derivative of 1 − f.",
    build_cases=in_both_dtypes(_derivative_cases),
    misconceptions=(
        Misconception(
            "chain-rule",
            "the inner derivative of log(1 − f) forgotten",
            "What is the derivative of 1 − f with respect to f?",
            lambda f, p1, p2: (p1 / f + p2 / (1 - f), -p1 / f**2 + p2 / (1 - f) ** 2),
        ),
        Misconception(
            "first-sign",
            "a sum in the first derivative, while the second one is right",
            "A larger f is good for class c1 and bad for class c2: can both terms have the same "
            "sign?",
            lambda f, p1, p2: (p1 / f + p2 / (1 - f), _second(f, p1, p2)),
        ),
        Misconception(
            "second-sign",
            "a second derivative whose second term has the wrong sign",
            "Differentiate the term of class c2 once more: the inner derivative enters again.",
            lambda f, p1, p2: (_first(f, p1, p2), -p1 / f**2 + p2 / (1 - f) ** 2),
        ),
        Misconception(
            "second-positive",
            "a positive second derivative",
            "That would make every stationary point a minimum. Which way does log bend?",
            lambda f, p1, p2: (_first(f, p1, p2), -_second(f, p1, p2)),
        ),
        Misconception(
            "negated",
            "the derivatives of the loss, the negative of the integrand",
            "The objective of this exercise is maximised; differentiate it as it stands.",
            lambda f, p1, p2: (-_first(f, p1, p2), -_second(f, p1, p2)),
        ),
        Misconception(
            "no-square",
            "a second derivative without squares",
            "What is the derivative of 1/f?",
            lambda f, p1, p2: (_first(f, p1, p2), -p1 / f - p2 / (1 - f)),
        ),
        Misconception(
            "square-of-first",
            "the square of the first derivative in place of the second",
            "(h′)² is not h″: differentiate once more.",
            lambda f, p1, p2: (_first(f, p1, p2), _first(f, p1, p2) ** 2),
        ),
        Misconception(
            "order",
            "the two derivatives exchanged",
            "Return the first derivative first.",
            lambda f, p1, p2: (_second(f, p1, p2), _first(f, p1, p2)),
        ),
        Misconception(
            "one-too-few",
            "the integrand and its first derivative",
            "The integrand itself is not asked for; differentiate once more.",
            lambda f, p1, p2: (_integrand(f, p1, p2), _first(f, p1, p2)),
        ),
        Misconception(
            "classes-swapped",
            "the two classes exchanged",
            "f predicts the first class, c1: which density belongs to log f?",
            lambda f, p1, p2: (_first(f, p2, p1), _second(f, p2, p1)),
        ),
        Misconception(
            "densities-dropped",
            "the derivatives of log f + log(1 − f), without the densities",
            "With x fixed the densities are constant factors, and those stay.",
            lambda f, p1, p2: (1 / f - 1 / (1 - f), -1 / f**2 - 1 / (1 - f) ** 2),
        ),
        Misconception(
            "log-kept",
            "logarithms where their derivatives belong",
            "The derivative of log f is no logarithm any more.",
            lambda f, p1, p2: (p1 * f.log() - p2 * (1 - f).log(), _first(f, p1, p2)),
        ),
    ),
)
