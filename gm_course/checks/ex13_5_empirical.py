"""Check of exercise 13-5's measurement: ``empirical_lipschitz``."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from gm_course.checks.calls import Call
from gm_course.checks.engine import AnswerCheck, Case, in_both_dtypes
from gm_course.checks.expected import Values
from gm_course.checks.inputs import narrow, normal, rounding, wide
from gm_course.checks.misconceptions import Misconception

# torch.cdist expands ‖a − b‖² from this many points on, which costs it digits.
_MANY_POINTS = 26


def _empirical_cases(dtype: torch.dtype) -> Iterator[Case]:
    for label, (x, y) in _samples(dtype).items():
        yield Case(label, Call({"x": x, "y": y}), _empirical_expected(x, y))


def _samples(dtype: torch.dtype) -> dict[str, tuple[Tensor, Tensor]]:
    def sample(seed: int, count: int, dim: int) -> tuple[Tensor, Tensor]:
        return normal(seed, (count, dim), dtype=dtype), normal(seed + 1, (count,), dtype=dtype)

    def repeated(seed: int, count: int, dim: int) -> tuple[Tensor, Tensor]:
        """Points of which every third occurs again, with another value."""
        x, y = sample(seed, count, dim)
        return torch.cat([x, x[::3]]), torch.cat([y, y[::3] + 1.5])

    x, y = sample(500, 6, 3)
    line = torch.linspace(-1, 1, 9, dtype=torch.float64)[:, None].to(dtype)
    # Small differences of large coordinates, the same in both dtypes.
    coarse = x.float()
    close = torch.cat([coarse, coarse[:1] * (1 + 1e-3)]).to(dtype)
    far = (coarse + torch.tensor([1e3, -2e3, 500.0], dtype=torch.float32)).to(dtype)
    # Steps of a few units in the last place of coordinates near 1; their differences are exact.
    hair = {torch.float32: 4.8e-7, torch.float64: 1e-10}[dtype] * torch.tensor([1.0, -1.0, 1.0])
    touching = torch.cat([x, (x[:1] + hair).to(dtype)])
    far_touching = torch.cat([far, (far[:1] + 1000 * hair).to(dtype)])
    grid = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1], [2, 0], [2, 1]], dtype=dtype)
    return {
        "typical values": (x, y),
        "equal points with other values": repeated(510, 8, 2),
        "equal points with equal values": (torch.cat([x, x]), torch.cat([y, y])),
        "one input dimension": sample(520, 7, 1),
        "equal points in one dimension": repeated(535, 6, 1),
        "a square function": (line, line[:, 0] ** 2),
        "decreasing values": (line, -3 * line[:, 0]),
        "two points": sample(540, 2, 4),
        "two points, one of them twice": (x[[0, 1, 0]], y[[0, 1, 3]]),
        "forty points": sample(550, 40, 3),
        "forty points, some equal": repeated(560, 30, 2),
        "ten dimensions": sample(570, 12, 10),
        "constant values": (x, torch.ones_like(y)),
        "two points close together": (close, torch.cat([y, y[:1] + 0.1])),
        "two points a hair apart": (touching, torch.cat([y, y[:1] + 0.1])),
        "points far from the origin": (far, y),
        "points far from the origin, two of them close": (
            far_touching,
            torch.cat([y, y[:1] + 0.1]),
        ),
        "points on a grid": (grid, torch.tensor([0, 3, 1, 0.5, 2, -1], dtype=dtype)),
        "small inputs": (1e-6 * x, y),
        "large values": (x, 1e6 * y),
        "large inputs": (1e6 * x, y),
    }


def _empirical_expected(x: Tensor, y: Tensor) -> Values:
    points, values = wide(x), wide(y)
    steps = points[:, None] - points[None]
    squares = (steps**2).sum(-1)  # (N, N)
    is_pair = squares > 0
    distances = np.sqrt(squares[is_pair])
    slopes = abs(values[:, None] - values[None])[is_pair] / distances
    # The differences are right to an eps each, and so is the slope. Where an answer may expand
    # ‖a − b‖² = ‖a‖² + ‖b‖² − 2⟨a, b⟩, its square errs by eps·(‖a‖ + ‖b‖)².
    condition = np.ones_like(slopes)
    if len(points) >= _MANY_POINTS:
        norms = np.sqrt((points**2).sum(-1))
        condition += ((norms[:, None] + norms[None])[is_pair] / distances) ** 2
    # Rounding may let another pair win: the maximum lies between these two.
    error = wide(rounding(x.dtype, slopes * condition))
    exact = slopes.max()
    tolerance = np.maximum((slopes + error).max() - exact, exact - (slopes - error).max())
    return Values(narrow(exact), narrow(tolerance), x.dtype)


def _slopes(x: Tensor, y: Tensor, *, norm: float = 2.0) -> Tensor:
    """Slopes of all pairs of distinct points, both orders, in a row."""
    steps = x[:, None] - x[None]
    rises = (y[:, None] - y[None]).abs()
    is_pair = steps.abs().amax(-1) > 0
    distances = torch.linalg.vector_norm(steps[is_pair], ord=norm, dim=-1)
    return torch.div(rises[is_pair], distances)


def _signed_slopes(x: Tensor, y: Tensor) -> Tensor:
    first, second = torch.triu_indices(len(x), len(x), offset=1)
    steps = x[second] - x[first]
    is_pair = steps.abs().amax(-1) > 0
    return torch.max(((y[second] - y[first]) / steps.norm(dim=-1))[is_pair])


def _without_close_points(x: Tensor, y: Tensor) -> Tensor:
    is_close = torch.isclose(x[:, None], x[None]).all(-1)
    slopes = (y[:, None] - y[None]).abs() / (x[:, None] - x[None]).norm(dim=-1)
    return torch.max(slopes[~is_close])


def _without_shared_coordinates(x: Tensor, y: Tensor) -> Tensor:
    is_pair = (x[:, None] != x[None]).all(-1)
    slopes = (y[:, None] - y[None]).abs() / (x[:, None] - x[None]).norm(dim=-1)
    return torch.max(slopes[is_pair])


def _first_occurrences(x: Tensor, y: Tensor) -> Tensor:
    is_equal = (x[:, None] == x[None]).all(-1)
    is_first = ~is_equal.tril(-1).any(1)
    return _slopes(x[is_first], y[is_first]).max()


def _squared_distance(x: Tensor, y: Tensor) -> Tensor:
    squares = (x[:, None] - x[None]).square().sum(-1)
    is_pair = squares > 0
    return torch.max((y[:, None] - y[None]).abs()[is_pair] / squares[is_pair])


def _neighbours(x: Tensor, y: Tensor) -> Tensor:
    distances = x.diff(dim=0).norm(dim=-1)
    is_pair = distances > 0
    return torch.max(y.diff().abs()[is_pair] / distances[is_pair])


def _sorted_neighbours(x: Tensor, y: Tensor) -> Tensor:
    order = x[:, 0].argsort()
    return _neighbours(x[order], y[order])


def _from_first(x: Tensor, y: Tensor) -> Tensor:
    distances = (x - x[0]).norm(dim=-1)
    is_pair = distances > 0
    return torch.max((y - y[0]).abs()[is_pair] / distances[is_pair])


def _ratio_of_extremes(x: Tensor, y: Tensor) -> Tensor:
    distances = (x[:, None] - x[None]).norm(dim=-1)
    return torch.div(y.max() - y.min(), distances.max())


def _equal_points_counted(x: Tensor, y: Tensor) -> Tensor:
    rises = (y[:, None] - y[None]).abs()
    slopes = rises / (x[:, None] - x[None]).norm(dim=-1)
    return torch.max(slopes.nan_to_num(nan=0.0, posinf=torch.inf))


def _distance_padded(x: Tensor, y: Tensor) -> Tensor:
    distances = (x[:, None] - x[None]).norm(dim=-1)
    return torch.max((y[:, None] - y[None]).abs() / (distances + 1e-8))


EMPIRICAL_LIPSCHITZ = AnswerCheck(
    name="empirical_lipschitz",
    points=2.0,
    meaning="the largest slope between two distinct points",
    hint="Do it by hand for three points in the plane: three pairs, a rise and a distance each.",
    build_cases=in_both_dtypes(_empirical_cases),
    misconceptions=(
        Misconception(
            "equal-points-counted",
            "pairs with equal x that were not left out",
            "Such a pair has distance 0 and says nothing about a slope; drop it before dividing.",
            _equal_points_counted,
        ),
        Misconception(
            "close-points-as-equal",
            "points that are close to each other treated as equal",
            "Two points a hair apart are distinct, and may be where the function is steepest. "
            "Only a distance of exactly 0 is to be left out.",
            _without_close_points,
        ),
        Misconception(
            "float32-inside",
            "float32 arithmetic on float64 inputs",
            "Points that differ with 16 digits may coincide with 7: look for `.float()`, or for a "
            "tensor created without a dtype.",
            lambda x, y: _slopes(x.float(), y.float()).max().to(x.dtype),
        ),
        Misconception(
            "one-coordinate-equal",
            "pairs left out that have one coordinate in common",
            "Two points are equal only if all of their coordinates are.",
            _without_shared_coordinates,
        ),
        Misconception(
            "repeated-points-dropped",
            "a point that occurs again dropped, together with its value",
            "Only the pair of the two equal points has no slope. With all the others, each of the "
            "two makes a pair of its own.",
            _first_occurrences,
        ),
        Misconception(
            "distance-padded",
            "distances with a small number added",
            "That changes every slope a little, and makes pairs of equal points count a lot. Leave "
            "those pairs out instead.",
            _distance_padded,
        ),
        Misconception(
            "squared-distance",
            "the squared distance in the denominator",
            "Multiply all x and y by 10: a slope must stay as it is.",
            _squared_distance,
        ),
        Misconception(
            "l1-distance",
            "distances measured by the sum of the coordinates' differences",
            "‖·‖ is the Euclidean norm.",
            lambda x, y: _slopes(x, y, norm=1.0).max(),
        ),
        Misconception(
            "largest-coordinate",
            "distances measured by the largest of the coordinates' differences",
            "‖·‖ is the Euclidean norm.",
            lambda x, y: _slopes(x, y, norm=math.inf).max(),
        ),
        Misconception(
            "neighbours-only",
            "slopes between consecutive rows only",
            "In more than one dimension points have no order; every pair counts.",
            _neighbours,
        ),
        Misconception(
            "neighbours-after-sorting",
            "slopes between neighbours in the order of the first coordinate",
            "On a line that would do, for distinct points. In the plane, a close pair may be far "
            "apart in that order.",
            _sorted_neighbours,
        ),
        Misconception(
            "from-first-point",
            "slopes from the first point only",
            "The maximum is over both i and j.",
            _from_first,
        ),
        Misconception(
            "signed",
            "slopes with their sign, of which the largest positive one was taken",
            "A function that falls steeply has a large Lipschitz constant, too.",
            _signed_slopes,
        ),
        Misconception(
            "signed-other-order",
            "slopes of (y[i] − y[j]) for i < j, with their sign",
            "Such a loop sees each pair in one order only: what if the later point has the larger "
            "value?",
            lambda x, y: _signed_slopes(x, -y),
        ),
        Misconception(
            "ratio-of-extremes",
            "the largest rise over the largest distance",
            "Those two need not belong to the same pair. Divide first, then take the maximum.",
            _ratio_of_extremes,
        ),
        Misconception(
            "mean-slope",
            "the average slope",
            "‖f‖_L is a supremum over pairs.",
            lambda x, y: _slopes(x, y).mean(),
        ),
        Misconception(
            "smallest-slope",
            "the smallest slope",
            "A Lipschitz constant has to hold for every pair.",
            lambda x, y: _slopes(x, y).min(),
        ),
    ),
)
