"""Check of exercise 13-6's third answer, ``wasserstein_1d``."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from gm_course.checks.calls import Call
from gm_course.checks.engine import AnswerCheck, Case, in_both_dtypes
from gm_course.checks.ex13_6_measures import Counts, probabilities
from gm_course.checks.expected import Values
from gm_course.checks.inputs import OPERATIONS, narrow, normal, rounding, wide
from gm_course.checks.misconceptions import Misconception


def _cases(dtype: torch.dtype) -> Iterator[Case]:
    def scattered(seed: int, size: int, *, spread: float = 2.0) -> Tensor:
        return (spread * normal(seed, (size,), dtype=torch.float64)).to(dtype)

    spaced = torch.tensor([2.0, -1.0, 0.0, 1.0], dtype=dtype)
    repeated = torch.tensor([1.5, -0.5, 1.5, 3.0, -0.5], dtype=dtype)
    ascending = scattered(5, 6).sort().values
    forty = [(7 * i * i) % 20 for i in range(40)]
    kinds: dict[str, tuple[Tensor, Counts, Counts]] = {
        "points in any order": (scattered(208, 5), (10, 2, 7, 9, 4), (3, 12, 5, 2, 10)),
        "seven points in any order": (
            scattered(2, 7),
            (3, 9, 1, 7, 2, 8, 5),
            (6, 2, 8, 1, 9, 4, 5),
        ),
        "forty points": (scattered(3, 40), forty, forty[::-1]),
        "points one apart": (spaced, (1, 6, 2, 3), (5, 1, 4, 2)),
        "points in ascending order": (ascending, (4, 9, 3, 6, 8, 2), (7, 1, 10, 3, 2, 9)),
        "points in descending order": (ascending.flip(0), (4, 9, 3, 6, 8, 2), (7, 1, 10, 3, 2, 9)),
        "a point given twice": (repeated, (3, 1, 4, 2, 5), (2, 6, 1, 5, 1)),
        "disjoint supports": (scattered(6, 6), (5, 0, 4, 0, 7, 0), (0, 6, 0, 7, 0, 3)),
        "all mass on one point each": (scattered(7, 4), (0, 1, 0, 0), (0, 0, 0, 1)),
        "equal distributions": (scattered(8, 4), (3, 1, 4, 2), (3, 1, 4, 2)),
        "two points": (scattered(9, 2), (3, 5), (6, 2)),
        "one point": (scattered(10, 1), (1,), (1,)),
        "sums that are 1 up to rounding": (scattered(11, 4), (17, 33, 9, 41), (31, 7, 43, 19)),
        "points about 1000 apart": (scattered(12, 5, spread=1e3), (4, 7, 2, 3, 4), (6, 1, 3, 6, 4)),
        "points about 0.001 apart": (
            scattered(13, 5, spread=1e-3),
            (4, 7, 2, 3, 4),
            (6, 1, 3, 6, 4),
        ),
    }
    for label, (points, p, q) in kinds.items():
        exact = _mean_quantile_distance(points, p, q)
        # Each distribution function adds up to n terms, and each of the n areas its own error;
        # quantiles and potentials, other ways, handle numbers as large as the points.
        size = np.abs(wide(points)).max() + np.ptp(wide(points))
        tolerance = rounding(dtype, size, operations=OPERATIONS + len(points))
        call = Call({"points": points, "p": probabilities(p, dtype), "q": probabilities(q, dtype)})
        yield Case(label, call, Values(narrow(exact), tolerance, dtype))


def _mean_quantile_distance(points: Tensor, p: Counts, q: Counts) -> np.longdouble:
    """Return the mean distance of the sorted atoms: W of equally many atoms of equal mass."""
    first, second = (np.sort(np.repeat(wide(points), counts)) for counts in (p, q))
    return np.longdouble(np.abs(first - second).mean())


def _steps(points: Tensor, p: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    """Gaps between sorted points, and how far the distribution functions differ on each."""
    order = points.argsort()
    return points[order].diff(), (p - q)[order].cumsum(0)[:-1]


def _area(power: float) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    def wrong(points: Tensor, p: Tensor, q: Tensor) -> Tensor:
        gaps, differences = _steps(points, p, q)
        return (gaps * differences.abs() ** power).sum()

    return wrong


def _unsorted(points: Tensor, p: Tensor, q: Tensor) -> Tensor:
    return (points.diff() * (p - q).cumsum(0)[:-1].abs()).sum()


def _unsorted_magnitudes(points: Tensor, p: Tensor, q: Tensor) -> Tensor:
    return (points.diff().abs() * (p - q).cumsum(0)[:-1].abs()).sum()


def _masses_unsorted(points: Tensor, p: Tensor, q: Tensor) -> Tensor:
    return (points.sort().values.diff() * (p - q).cumsum(0)[:-1].abs()).sum()


def _shifted(points: Tensor, p: Tensor, q: Tensor) -> Tensor:
    order = points.argsort()
    return (points[order].diff() * (p - q)[order].cumsum(0)[1:].abs()).sum()


def _densities(points: Tensor, p: Tensor, q: Tensor) -> Tensor:
    order = points.argsort()
    return (points[order].diff() * (p - q)[order][:-1].abs()).sum()


def _no_gaps(points: Tensor, p: Tensor, q: Tensor) -> Tensor:
    return _steps(points, p, q)[1].abs().sum()


def _largest_gap(points: Tensor, p: Tensor, q: Tensor) -> Tensor:
    return (p - q)[points.argsort()].cumsum(0).abs().max()


def _signed(points: Tensor, p: Tensor, q: Tensor) -> Tensor:
    gaps, differences = _steps(points, p, q)
    return (gaps * differences).sum()


def _second_order(points: Tensor, p: Tensor, q: Tensor) -> Tensor:
    edges = torch.cat([p[points.argsort()].cumsum(0), q[points.argsort()].cumsum(0)]).sort().values
    middles = (edges + torch.cat([edges.new_zeros(1), edges[:-1]])) / 2
    lengths = edges.diff(prepend=edges.new_zeros(1))
    first, second = (_quantiles(points, masses, middles) for masses in (p, q))
    return (lengths * (first - second) ** 2).sum().sqrt()


def _quantiles(points: Tensor, masses: Tensor, levels: Tensor) -> Tensor:
    order = points.argsort()
    index = torch.searchsorted(masses[order].cumsum(0).contiguous(), levels.contiguous())
    return points[order][index.clamp_max(len(points) - 1)]


_SORT_HINT = (
    "A distribution function adds up mass from left to right: bring points and masses into that "
    "order, together."
)

WASSERSTEIN_1D = AnswerCheck(
    name="wasserstein_1d",
    points=2.0,
    meaning="the area between the two distribution functions",
    hint="Draw both distribution functions as stairs: between two neighbouring points they are "
    "constant. What is the area between them there?",
    build_cases=in_both_dtypes(_cases),
    misconceptions=(
        Misconception(
            "unsorted",
            "points taken in the order given, as if it were ascending",
            _SORT_HINT,
            _unsorted,
        ),
        Misconception(
            "unsorted-magnitudes",
            "points taken in the order given, with the steps' magnitudes",
            _SORT_HINT,
            _unsorted_magnitudes,
        ),
        Misconception(
            "masses-unsorted",
            "sorted points with the masses left in the old order",
            "A mass belongs to its point: sort both by the same permutation.",
            _masses_unsorted,
        ),
        Misconception(
            "no-gaps",
            "differences of the distribution functions added up without the points' spacing",
            "An area is height times width. What is the width of each stair?",
            _no_gaps,
        ),
        Misconception(
            "signed-area",
            "areas of both signs, which cancel: the difference of the means",
            "Area is never negative, whichever function is on top.",
            _signed,
        ),
        Misconception(
            "absolute-mean",
            "the distance between the means",
            "Distributions with equal means may still be far apart. Where does the magnitude go?",
            lambda points, p, q: _signed(points, p, q).abs(),
        ),
        Misconception(
            "squared-difference",
            "the difference of the distribution functions squared",
            "That is the Cramér distance; an area has the difference itself as its height.",
            _area(2.0),
        ),
        Misconception(
            "largest-difference",
            "the largest difference of the distribution functions",
            "That is the Kolmogorov–Smirnov distance, which knows nothing of distances.",
            _largest_gap,
        ),
        Misconception(
            "densities",
            "probabilities compared instead of distribution functions",
            "Mass that has to pass a place counts there, not only mass that differs there.",
            _densities,
        ),
        Misconception(
            "shifted",
            "each gap multiplied by the difference at its right end",
            "Between two points the distribution functions have the values reached at the left "
            "one.",
            _shifted,
        ),
        Misconception(
            "total-variation",
            "the total variation, which knows nothing of distances",
            "Moving a mass ten times further must cost ten times more.",
            lambda points, p, q: (p - q).abs().sum() / 2,
        ),
        Misconception(
            "second-order",
            "the distance with squared costs",
            "Here moving a mass costs |x − y|, not its square.",
            _second_order,
        ),
    ),
)
