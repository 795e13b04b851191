"""Check of exercise 13-6's fifth answer, ``lipschitz_extension``."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from gm_course.checks.calls import Call
from gm_course.checks.engine import AnswerCheck, Case, in_both_dtypes
from gm_course.checks.ex13_6_measures import distances, euclidean
from gm_course.checks.expected import AnyTensor, Rule
from gm_course.checks.inputs import narrow, normal, rounding, wide
from gm_course.checks.misconceptions import Misconception


def _extension_cases(dtype: torch.dtype) -> Iterator[Case]:
    def some(seed: int, count: int, dim: int, *, spread: float = 2.0) -> Tensor:
        return (spread * normal(seed, (count, dim), dtype=torch.float64)).to(dtype)

    def steepest(points: Tensor) -> Tensor:
        """A 1-Lipschitz f that goes up from two points at full slope and stays off the limit."""
        between = distances(points)
        return 0.999 * narrow(np.minimum(between[0], between[-1] + 0.5 * between[0, -1]))

    def case(label: str, points: Tensor, f: Tensor, queries: Tensor) -> Case:
        call = Call({"points": points, "f": f.to(dtype), "queries": queries})
        return Case(label, call, _extension(points, f.to(dtype), queries))

    def scattered(label: str, seed: int, n: int, k: int, dim: int) -> Case:
        points, queries = some(seed, n, dim), some(seed + 1, k, dim)
        return case(label, points, steepest(points), queries)

    plane, line = some(50, 6, 2), torch.tensor([[0.5], [-2.0], [3.0]], dtype=dtype)
    many = some(52, 40, 2)
    yield scattered("typical values", 200, 5, 7, 2)
    yield scattered("as many queries as points", 62, 6, 6, 3)
    yield case("queries at the points", plane, steepest(plane), plane.flip(0))
    close = torch.cat([plane + 1e-3, plane - 1e-3, some(54, 2, 2)])
    yield case("queries close to each other", plane, steepest(plane), close)
    grid = torch.linspace(-4, 5, 19, dtype=torch.float64)[:, None].to(dtype)
    yield case("a line", line, torch.tensor([0.5, -1.75, 2.75], dtype=dtype), grid)
    yield case("negative f", plane, -3 - steepest(plane), some(55, 8, 2))
    yield case("a constant f", plane, torch.full((6,), 1.5, dtype=dtype), some(56, 5, 2))
    yield case("queries far away", plane, steepest(plane), some(57, 5, 2, spread=1e3))
    yield scattered("one query", 64, 4, 1, 2)
    yield scattered("ten dimensions", 66, 8, 6, 10)
    yield case("one point", plane[:1], torch.tensor([0.7], dtype=dtype), some(58, 4, 2))
    yield case("one point, query and dimension", line[:1], torch.ones(1), line[1:2])
    yield case("forty points", many, steepest(many), torch.cat([many[:10], some(59, 10, 2)]))


def _extension(points: Tensor, f: Tensor, queries: Tensor) -> Rule:
    dtype, exact_f = points.dtype, wide(f)
    to_points, between = distances(queries, points), distances(queries)
    size = np.abs(exact_f).max() + to_points.max() + np.linalg.norm(points.double(), axis=1).max()
    # Sums of f and a distance, in an order of the answer's own. The given f keeps the limit up to
    # rounding, too.
    tolerance = float(rounding(dtype, np.longdouble(size)))
    if max(len(points), len(queries)) > 25:
        # torch.cdist then multiplies matrices: a squared distance errs by eps·size², so that a
        # distance near 0 errs by √eps·size.
        tolerance = 8 * torch.finfo(dtype).eps ** 0.5 * float(size)

    def broken_by(result: Tensor) -> str:
        values = wide(result.double())
        # (k, n): how far each query is from what each point allows
        excess = np.abs(values[:, None] - exact_f) - to_points - tolerance
        if excess.max() > 0:
            j, i = np.unravel_index(excess.argmax(), excess.shape)
            if to_points[j, i] == 0:
                return (
                    f"entry [{j}] = {float(values[j]):.4g} at a query that is point {i}, where "
                    f"f = {float(exact_f[i]):.4g}"
                )
            return (
                f"entry [{j}] = {float(values[j]):.4g}, which is too steep: point {i}, at a "
                f"distance of {float(to_points[j, i]):.4g}, has f = {float(exact_f[i]):.4g}"
            )
        excess = np.abs(values[:, None] - values) - between - tolerance
        if excess.max() > 0:
            i, j = np.unravel_index(excess.argmax(), excess.shape)
            return (
                f"entries [{i}] = {float(values[i]):.4g} and [{j}] = {float(values[j]):.4g}, too "
                f"steep for queries at a distance of {float(between[i, j]):.4g}"
            )
        return ""

    return Rule(
        AnyTensor((len(queries),), dtype),
        broken_by,
        "the values of one 1-Lipschitz function that equals f on the points",
    )


def _combined(
    combine: Callable[[Tensor, Tensor], Tensor],
) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """An answer made of f and the distances, shape (k, n)."""
    return lambda points, f, queries: combine(f, euclidean(queries, points))


def _manhattan(points: Tensor, f: Tensor, queries: Tensor) -> Tensor:
    return (f + (queries[:, None] - points[None]).abs().sum(-1)).amin(1)


def _manhattan_below(points: Tensor, f: Tensor, queries: Tensor) -> Tensor:
    return (f - (queries[:, None] - points[None]).abs().sum(-1)).amax(1)


def _inverse_distance(f: Tensor, between: Tensor) -> Tensor:
    weights = 1 / between.clamp_min(torch.finfo(between.dtype).eps)
    return (weights * f).sum(1) / weights.sum(1)


_CONE_HINT = (
    "Each point (x_i, f_i) allows a cone of values around it. Every query must stay inside all "
    "cones at once: which boundary of which cone is the strictest?"
)

LIPSCHITZ_EXTENSION = AnswerCheck(
    name="lipschitz_extension",
    points=3.0,
    meaning="values of one 1-Lipschitz function that equals f on the points",
    hint=_CONE_HINT,
    build_cases=in_both_dtypes(_extension_cases),
    misconceptions=(
        Misconception(
            "nearest-point",
            "the value of the nearest point",
            "That function jumps half-way between two points: is it Lipschitz there?",
            _combined(lambda f, between: f[between.argmin(1)]),
        ),
        Misconception(
            "largest-upper",
            "the loosest of the upper limits in place of the strictest",
            _CONE_HINT,
            _combined(lambda f, between: (f + between).amax(1)),
        ),
        Misconception(
            "smallest-lower",
            "the loosest of the lower limits in place of the strictest",
            _CONE_HINT,
            _combined(lambda f, between: (f - between).amin(1)),
        ),
        Misconception(
            "f-subtracted",
            "f with the wrong sign: the transform, not the extension",
            "At a point itself, where the distance is 0, the result must be f there.",
            _combined(lambda f, between: (between - f).amin(1)),
        ),
        Misconception(
            "distance-only",
            "the distance to the nearest point, without f",
            "At a point itself the result must be f there.",
            _combined(lambda f, between: between.amin(1)),
        ),
        Misconception(
            "squared-distance",
            "squared distances",
            "‖x − y‖² grows faster than the slope 1 allows, far from the points.",
            _combined(lambda f, between: (f + between**2).amin(1)),
        ),
        Misconception(
            "squared-distance-below",
            "squared distances, from below",
            "‖x − y‖² grows faster than the slope 1 allows, far from the points.",
            _combined(lambda f, between: (f - between**2).amax(1)),
        ),
        Misconception(
            "half-slope",
            "a function with slope ½ only",
            "f may change as fast as the distance between its points; a flatter extension cannot "
            "follow it.",
            _combined(lambda f, between: (f + between / 2).amin(1)),
        ),
        Misconception(
            "manhattan-distance",
            "the distance that adds the coordinates' differences",
            "1-Lipschitz refers to the Euclidean distance; the other one is up to √d times larger.",
            _manhattan,
        ),
        Misconception(
            "manhattan-distance-below",
            "the distance that adds the coordinates' differences, from below",
            "1-Lipschitz refers to the Euclidean distance; the other one is up to √d times larger.",
            _manhattan_below,
        ),
        Misconception(
            "weighted-average",
            "an average of f weighted by inverse distances",
            "Averages agree with f on the points, but nothing limits their slope to 1.",
            _combined(_inverse_distance),
        ),
        Misconception(
            "mean",
            "the mean of f everywhere",
            "At a point itself the result must be f there.",
            _combined(lambda f, between: f.mean().expand(len(between))),
        ),
        Misconception(
            "one-per-point",
            "one value for each point instead of each query",
            "The extension is evaluated at the queries; the extremum runs over the points.",
            _combined(lambda f, between: (f + between).amin(0)),
        ),
    ),
)
