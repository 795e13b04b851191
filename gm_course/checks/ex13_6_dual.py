"""Checks of exercise 13-6's dual side: ``wasserstein_dual`` and ``k_lipschitz_value``."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from gm_course.checks.calls import Call, Plain
from gm_course.checks.engine import AnswerCheck, Case, in_both_dtypes
from gm_course.checks.ex13_6_measures import (
    Measures,
    as_pair,
    euclidean,
    pairs_of_measures,
    solver_tolerance,
    steepest_potential,
)
from gm_course.checks.expected import AnyTensor, Items, Rule, Values
from gm_course.checks.inputs import rounding
from gm_course.checks.misconceptions import Misconception

Solution = tuple[Tensor, Tensor]

# --- wasserstein_dual -------------------------------------------------------------------------


def _dual_cases(dtype: torch.dtype) -> Iterator[Case]:
    for label, given in pairs_of_measures(dtype).items():
        call = Call({"p": given.p, "q": given.q, "points": given.points})
        yield Case(label, call, _optimal_potential(given))


def _optimal_potential(given: Measures) -> Rule:
    dtype = given.p.dtype
    n = len(given.p)
    limits = torch.from_numpy(given.distances.astype(np.float64))
    difference = given.p.double() - given.q.double()
    diameter = float(limits.max())
    tolerance = solver_tolerance(dtype, diameter)
    # A potential such as f(x) = x is as large as the points, and rounded in proportion.
    size = diameter + float(given.points.double().norm(dim=1).max())
    slack = tolerance + float(rounding(dtype, np.longdouble(size)))

    def allowed(f: Tensor) -> float:
        # A constant in f costs it digits: each entry is rounded by up to half an eps of its size.
        # Where that exceeds a thousandth of the diameter, too little is left of f to judge.
        rounded = float(rounding(dtype, np.longdouble(float(f.abs().max())), operations=2))
        return slack + min(rounded, 1e-3 * diameter)

    def attained(f: Tensor) -> float:
        centred = f.double() - f[0]  # a constant in f meets masses that differ by rounding
        return float((difference * centred).sum())

    def broken_by(result: tuple[Tensor, Tensor]) -> str:
        f = result[1].double()
        excess = f[:, None] - f[None, :] - limits
        if float(excess.max()) > allowed(f):
            i, j = divmod(int(excess.argmax()), n)
            return (
                f"a potential that is not 1-Lipschitz: f[{i}] − f[{j}] = "
                f"{float(f[i] - f[j]):.4g} exceeds the distance of the points by "
                f"{100 * float(excess[i, j] / limits[i, j]):.3g} %"
            )
        if abs(attained(f) - given.optimum) > tolerance + allowed(f):
            return f"a potential with Σ p f − Σ q f = {attained(f):.4g}, not the value beside it"
        return ""

    def residuals(value: Plain) -> Tensor | None:
        pair = as_pair(value)
        if pair is None or pair[1].shape != (n,):
            return None
        returned, f = pair
        is_steep = float((f[:, None] - f[None, :] - limits).max()) > allowed(f)
        errors = [returned - given.optimum, attained(f) - given.optimum, diameter * is_steep]
        return torch.tensor([error / slack for error in errors], dtype=dtype)

    return Rule(
        Items(
            {
                "value": Values(torch.tensor(given.optimum, dtype=torch.float64), tolerance, dtype),
                "f": AnyTensor((n,), dtype),
            }
        ),
        broken_by,
        "f being 1-Lipschitz on the points and attaining the value",
        residuals,
    )


def _value_of(f: Tensor, p: Tensor, q: Tensor) -> Tensor:
    return ((p - q) * (f - f[0])).sum()


def _within(limits_of: Callable[[Tensor], Tensor]) -> Callable[..., Solution]:
    """The supremum over the potentials that keep other limits than the distances."""

    def wrong(p: Tensor, q: Tensor, points: Tensor) -> Solution:
        f = steepest_potential(p, q, limits_of(points))
        return _value_of(f, p, q), f

    return wrong


def _right(p: Tensor, q: Tensor, points: Tensor) -> Solution:
    return _within(lambda support: euclidean(support, support))(p, q, points)


def _negated_potential(p: Tensor, q: Tensor, points: Tensor) -> Solution:
    value, f = _right(p, q, points)
    return value, -f


def _negated_value(p: Tensor, q: Tensor, points: Tensor) -> Solution:
    value, f = _right(p, q, points)
    return -value, f


def _doubled(p: Tensor, q: Tensor, points: Tensor) -> Solution:
    value, f = _right(p, q, points)
    return 2 * value, f


def _magnitudes(p: Tensor, q: Tensor, points: Tensor) -> Solution:
    f = _right(p, q, points)[1]
    return ((p - q) * f).abs().sum(), f


def _bounded(p: Tensor, q: Tensor, points: Tensor) -> Solution:
    f = torch.sign(p - q)
    return ((p - q) * f).sum(), f


def _bounded_lipschitz(p: Tensor, q: Tensor, points: Tensor) -> Solution:
    f = steepest_potential(p, q, euclidean(points, points), bound=1.0)
    return _value_of(f, p, q), f


def _linear(p: Tensor, q: Tensor, points: Tensor) -> Solution:
    shift = ((p - q)[:, None] * points).sum(0)
    f = points @ (shift / shift.norm().clamp_min(torch.finfo(points.dtype).tiny))
    return _value_of(f, p, q), f


def _manhattan(points: Tensor) -> Tensor:
    return (points[:, None] - points[None]).abs().sum(-1)


def _largest_coordinate(points: Tensor) -> Tensor:
    return (points[:, None] - points[None]).abs().amax(-1)


def _neighbours(points: Tensor) -> Tensor:
    between = euclidean(points, points)
    order = torch.arange(len(points))
    return between.masked_fill((order[:, None] - order[None]).abs() > 1, torch.inf)


WASSERSTEIN_DUAL = AnswerCheck(
    name="wasserstein_dual",
    points=3.0,
    meaning="the largest Σ p f − Σ q f over 1-Lipschitz f",
    hint="A linear programme in the numbers f[i]: for which pairs of points must their difference "
    "be limited, and by what?",
    build_cases=in_both_dtypes(_dual_cases),
    misconceptions=(
        Misconception(
            "negated-potential",
            "a potential for p and q exchanged, or its negative",
            "f must be large where p has more mass than q.",
            _negated_potential,
        ),
        Misconception(
            "negated-value",
            "the value with the wrong sign",
            "A solver that minimises returns the least value of its own objective. The supremum "
            "is never negative: a constant f gives 0.",
            _negated_value,
        ),
        Misconception(
            "doubled",
            "twice the supremum",
            "Every pair of points limits f once in each direction; the objective counts once.",
            _doubled,
        ),
        Misconception(
            "magnitudes",
            "the magnitudes of the terms added up",
            "Terms of both signs occur in Σ p f − Σ q f, and they offset each other.",
            _magnitudes,
        ),
        Misconception(
            "squared-distance",
            "slopes limited by squared distances",
            "‖f‖_L ≤ 1 compares |f(x) − f(y)| with the distance itself.",
            _within(lambda points: euclidean(points, points) ** 2),
        ),
        Misconception(
            "manhattan-distance",
            "the distance that adds the coordinates' differences",
            "The cost is the Euclidean distance.",
            _within(_manhattan),
        ),
        Misconception(
            "largest-coordinate",
            "the distance that takes the largest coordinate's difference",
            "The cost is the Euclidean distance.",
            _within(_largest_coordinate),
        ),
        Misconception(
            "neighbours-only",
            "limits between consecutive points only",
            "Points that do not follow each other may be close too. How many pairs are there?",
            _within(_neighbours),
        ),
        Misconception(
            "bounded-instead",
            "f limited to values between −1 and 1, which gives the total variation",
            "Lipschitz continuity limits how fast f changes, not how large it is.",
            _bounded,
        ),
        Misconception(
            "bounded-too",
            "f limited in slope and also to values between −1 and 1",
            "The critic's range is unbounded; only its slope is limited.",
            _bounded_lipschitz,
        ),
        Misconception(
            "linear-potential",
            "a linear f, which only sees the difference of the means",
            "1-Lipschitz functions may bend: f has a free value at every point.",
            _linear,
        ),
    ),
)

# --- k_lipschitz_value ------------------------------------------------------------------------

_SLOPES = {
    "five points in the plane": (2.5,),
    "points on a line, unordered": (0.7,),
    "twelve points": (1.7,),
    "disjoint supports": (3.0,),
    "equal distributions": (2.0,),
    "one point": (5.0,),
    "sums that are 1 up to rounding": (1.0,),
}
_EXTREME_SLOPES = {"k = 0": 0.0, "k = 1e-3": 1e-3, "k = 1e3": 1e3}


def _slope_cases(dtype: torch.dtype) -> Iterator[Case]:
    measures = pairs_of_measures(dtype)
    for label, slopes in _SLOPES.items():
        for k in slopes:
            yield _slope_case(label, measures[label], k)
    for label, k in _EXTREME_SLOPES.items():
        yield _slope_case(label, measures["five points in the plane"], k)


def _slope_case(label: str, given: Measures, k: float) -> Case:
    dtype = given.p.dtype
    diameter = float(given.distances.max())
    # Answers may scale W or solve with the limits k·distance; for k = 0 rounding in f remains.
    tolerance = solver_tolerance(dtype, k * diameter) + torch.finfo(dtype).eps * diameter
    exact = torch.tensor(k * given.optimum, dtype=torch.float64)
    call = Call({"p": given.p, "q": given.q, "points": given.points, "k": k})
    return Case(label, call, Values(exact, tolerance, dtype))


def _distance(p: Tensor, q: Tensor, points: Tensor) -> Tensor:
    return _right(p, q, points)[0]


K_LIPSCHITZ_VALUE = AnswerCheck(
    name="k_lipschitz_value",
    points=2.0,
    meaning="the largest Σ p f − Σ q f over f with ‖f‖_L ≤ k",
    hint="What turns a k-Lipschitz function into a 1-Lipschitz one, and back? Or change the limits "
    "of the programme for the dual.",
    build_cases=in_both_dtypes(_slope_cases),
    misconceptions=(
        Misconception(
            "k-ignored",
            "the value for k = 1",
            "A critic that may be steeper separates the distributions further.",
            lambda p, q, points, k: _distance(p, q, points),
        ),
        Misconception(
            "divided-by-k",
            "a value that falls as k grows",
            "A larger k admits more functions: can a supremum over more of them be smaller?",
            lambda p, q, points, k: _distance(p, q, points) / k,
        ),
        Misconception(
            "k-squared",
            "k counted twice",
            "The limits and the objective are both linear in f: k may scale one of them.",
            lambda p, q, points, k: k**2 * _distance(p, q, points),
        ),
        Misconception(
            "k-added",
            "k added",
            "Multiplying f by a number multiplies the objective: what does that do to the largest "
            "value?",
            lambda p, q, points, k: k + _distance(p, q, points),
        ),
        Misconception(
            "range-k",
            "f limited to values between −k and k",
            "k limits how fast f changes, not how large it is.",
            lambda p, q, points, k: k * (p - q).abs().sum(),
        ),
        Misconception(
            "squared-distance",
            "slopes limited by squared distances",
            "‖f‖_L ≤ k compares |f(x) − f(y)| with the distance itself.",
            lambda p, q, points, k: (
                k * _within(lambda support: euclidean(support, support) ** 2)(p, q, points)[0]
            ),
        ),
        Misconception(
            "manhattan-distance",
            "the distance that adds the coordinates' differences",
            "The distance is the Euclidean one.",
            lambda p, q, points, k: k * _within(_manhattan)(p, q, points)[0],
        ),
        Misconception(
            "negated",
            "the infimum, with the wrong sign",
            "A solver that minimises returns the least value of its own objective.",
            lambda p, q, points, k: -k * _distance(p, q, points),
        ),
        Misconception(
            "linear-potential",
            "k times the distance of the means: only linear functions",
            "k-Lipschitz functions may bend.",
            lambda p, q, points, k: k * ((p - q)[:, None] * points).sum(0).norm(),
        ),
    ),
)
