"""Exercise 13-6, prove (13.54): the c-transform and the duality gap.

The other answers have modules of their own. Tolerances are ``rounding(dtype,
scale)`` wherever no linear programme is solved.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from gm_course.checks.calls import Call
from gm_course.checks.engine import AnswerCheck, Case, Exercise, in_both_dtypes
from gm_course.checks.ex13_6_dual import K_LIPSCHITZ_VALUE, WASSERSTEIN_DUAL
from gm_course.checks.ex13_6_extension import LIPSCHITZ_EXTENSION
from gm_course.checks.ex13_6_line import WASSERSTEIN_1D
from gm_course.checks.ex13_6_measures import distances, euclidean
from gm_course.checks.ex13_6_primal import WASSERSTEIN_PRIMAL
from gm_course.checks.expected import Values
from gm_course.checks.inputs import narrow, normal, rounding, uniform, wide
from gm_course.checks.misconceptions import Misconception

# --- c_transform ------------------------------------------------------------------------------


def _transform_cases(dtype: torch.dtype) -> Iterator[Case]:
    def given(seed: int, n: int, m: int, *, size: float = 2.0) -> tuple[Tensor, Tensor]:
        f = (size * normal(seed, (n,), dtype=torch.float64)).to(dtype)
        return f, uniform(seed + 1, (n, m), low=0.0, high=2 * size, dtype=dtype)

    points = normal(19, (5, 2), dtype=dtype)
    between = narrow(distances(points)).to(dtype)
    lipschitz = (0.9 * between[:, 0]).to(dtype)
    kinds = {
        "as many rows as columns": given(20, 4, 4),
        "five rows and columns": given(22, 5, 5),
        "more columns than rows": given(24, 3, 5),
        "more rows than columns": given(26, 6, 4),
        "seven rows and columns": given(28, 7, 7),
        "f equal to zero": (torch.zeros(4, dtype=dtype), given(30, 4, 4)[1]),
        "distances and a Lipschitz f": (lipschitz, between),
        "one row": given(32, 1, 4),
        "one column": given(34, 4, 1),
        "one row and column": given(36, 1, 1),
        "forty rows and columns": given(38, 40, 40),
        "costs up to 1e4": given(40, 5, 5, size=5e3),
        "costs up to 1e-4": given(42, 5, 5, size=5e-5),
    }
    for label, (f, cost) in kinds.items():
        exact = (wide(cost) - wide(f)[:, None]).min(0)
        # One subtraction; the minimum makes no error of its own.
        scale = np.full(exact.shape, np.abs(wide(f)).max() + wide(cost).max())
        expected = Values(narrow(exact), rounding(dtype, scale, operations=4), dtype)
        yield Case(label, Call({"f": f, "cost": cost}), expected)


C_TRANSFORM = AnswerCheck(
    name="c_transform",
    points=2.0,
    meaning="the smallest cost[i, j] − f[i] for each j",
    hint="Fix one column j and write the list of numbers whose minimum is taken.",
    build_cases=in_both_dtypes(_transform_cases),
    misconceptions=(
        Misconception(
            "maximum",
            "the maximum in place of the minimum",
            "f[i] + g[j] ≤ cost[i, j] must hold for every i: which i is the strictest?",
            lambda f, cost: (cost - f[:, None]).amax(0),
        ),
        Misconception(
            "f-added",
            "f added to the cost",
            "Solve f[i] + g[j] ≤ cost[i, j] for g[j].",
            lambda f, cost: (cost + f[:, None]).amin(0),
        ),
        Misconception(
            "wrong-axis",
            "the minimum over the columns, one number for each row",
            "The result lives where the targets are: one number for each column j.",
            lambda f, cost: (cost - f[:, None]).amin(1),
        ),
        Misconception(
            "negated",
            "the negative of the transform",
            "The largest f[i] − cost[i, j] is not the smallest cost[i, j] − f[i].",
            lambda f, cost: (f[:, None] - cost).amax(0),
        ),
        Misconception(
            "f-ignored",
            "the cheapest cost of each column, without f",
            "The transform depends on f: what does every unit of f[i] leave for the others?",
            lambda f, cost: cost.amin(0),
        ),
        Misconception(
            "magnitude",
            "magnitudes of the differences",
            "A transform may be negative; keep the sign.",
            lambda f, cost: (cost - f[:, None]).abs().amin(0),
        ),
        Misconception(
            "mean",
            "an average in place of the minimum",
            "f[i] + g[j] ≤ cost[i, j] must hold for every i, not on average.",
            lambda f, cost: (cost - f[:, None]).mean(0),
        ),
        Misconception(
            "soft-minimum",
            "a soft minimum, −log Σ exp(−·)",
            "That is the transform of entropic transport; here the minimum is exact.",
            lambda f, cost: -torch.logsumexp(f[:, None] - cost, dim=0),
        ),
        Misconception(
            "not-reduced",
            "the whole matrix cost[i, j] − f[i]",
            "The minimum over i is still to be taken.",
            lambda f, cost: cost - f[:, None],
        ),
    ),
)


# --- duality_gap ------------------------------------------------------------------------------


def _gap_cases(dtype: torch.dtype) -> Iterator[Case]:
    def plan(seed: int, n: int) -> Tensor:
        masses = uniform(seed, (n, n), low=0.0, high=1.0, dtype=torch.float64) ** 3
        return (masses / masses.sum()).to(dtype)

    def given(seed: int, n: int, dim: int, *, spread: float = 1.0) -> tuple[Tensor, ...]:
        f, points = (
            (spread * normal(seed + step, shape, dtype=torch.float64)).to(dtype)
            for step, shape in enumerate([(n,), (n, dim)])
        )
        return f, plan(seed + 2, n), points

    f, joint, points = given(70, 5, 2)
    still = torch.diag(torch.tensor([0.125, 0.5, 0.25, 0.0, 0.125], dtype=dtype))
    symmetric = ((joint + joint.T) / 2).to(dtype)
    moved = torch.zeros(5, 5, dtype=dtype)
    moved[3, 1] = 1.0
    tight = narrow(distances(points)[:, 1]).to(dtype)  # complementary slackness with ``moved``
    kinds = {
        "a potential that is too steep": (6 * f, joint, points),
        "three dimensions": given(80, 4, 3),
        "a gentle potential": (f / 5, joint, points),
        "a line": given(90, 6, 1),
        "a potential and a plan that are optimal": (tight, moved, points),
        "a plan that moves nothing": (f, still, points),
        "a symmetric plan": (f, symmetric, points),
        "a plan of total mass 2": (f, 2 * joint, points),
        "f equal to zero": (torch.zeros_like(f), joint, points),
        "a large constant in f": (f + 100, joint, points),
        "two points": given(100, 2, 2),
        "one point": (f[:1], torch.ones(1, 1, dtype=dtype), points[:1]),
        "points about 1e4 apart": given(110, 5, 2, spread=1e4),
        "forty points": given(120, 40, 2),
        "ten dimensions": given(130, 4, 10),
    }
    for label, (potential, coupling, support) in kinds.items():
        call = Call({"f": potential, "plan": coupling, "points": support})
        yield Case(label, call, _exact_gap(potential, coupling, support))


def _exact_gap(f: Tensor, plan: Tensor, points: Tensor) -> Values:
    dtype = f.dtype
    coupling, between, potential = wide(plan), distances(points), np.abs(wide(f))
    rows, columns = coupling.sum(1), coupling.sum(0)
    exact = (coupling * between).sum() - (wide(f) * (rows - columns)).sum()
    # The magnitudes of all terms that are added up: n² distances and 2n potentials.
    scale = (coupling * between).sum() + (potential * (rows + columns)).sum()
    tolerance = rounding(dtype, scale)
    if len(points) > 25:
        # torch.cdist then multiplies matrices: each distance errs by up to √eps·size, at 0.
        size = float(points.double().norm(dim=1).max())
        tolerance = tolerance + 4 * torch.finfo(dtype).eps ** 0.5 * size * float(plan.trace())
        tolerance = tolerance + rounding(dtype, np.longdouble(size**2) / between[between > 0].min())
    return Values(narrow(exact), tolerance, dtype)


def _spent(plan: Tensor, points: Tensor) -> Tensor:
    return (plan * euclidean(points, points)).sum()


def _earned(f: Tensor, plan: Tensor) -> Tensor:
    return (f * (plan.sum(1) - plan.sum(0))).sum()


def _gap(f: Tensor, plan: Tensor, points: Tensor) -> Tensor:
    return _spent(plan, points) - _earned(f, plan)


def _squared_gap(f: Tensor, plan: Tensor, points: Tensor) -> Tensor:
    return (plan * euclidean(points, points) ** 2).sum() - _earned(f, plan)


def _manhattan_gap(f: Tensor, plan: Tensor, points: Tensor) -> Tensor:
    return (plan * (points[:, None] - points[None]).abs().sum(-1)).sum() - _earned(f, plan)


def _magnitude_gap(f: Tensor, plan: Tensor, points: Tensor) -> Tensor:
    return _spent(plan, points) - (plan * (f[:, None] - f[None]).abs()).sum()


DUALITY_GAP = AnswerCheck(
    name="duality_gap",
    points=2.0,
    meaning="what the plan costs less what the potential attains between the plan's marginals",
    hint="Compute the two sides of weak duality one by one: the expected distance under the plan, "
    "and the difference of f's expectations under its marginals.",
    build_cases=in_both_dtypes(_gap_cases),
    misconceptions=(
        Misconception(
            "dual-added",
            "the dual value with its sign exchanged: columns less rows",
            "p, where mass starts, is the plan's row sums; (13.54) subtracts the other "
            "expectation.",
            lambda f, plan, points: _spent(plan, points) + _earned(f, plan),
        ),
        Misconception(
            "negated",
            "dual less primal",
            "Which of the two is never smaller, if f is 1-Lipschitz?",
            lambda f, plan, points: -_gap(f, plan, points),
        ),
        Misconception(
            "primal-only",
            "the cost of the plan alone",
            "A gap lies between two numbers. What does f attain?",
            lambda f, plan, points: _spent(plan, points),
        ),
        Misconception(
            "dual-only",
            "the value of the potential alone",
            "A gap lies between two numbers. What does the plan cost?",
            lambda f, plan, points: _earned(f, plan),
        ),
        Misconception(
            "clamped",
            "a gap cut off at 0",
            "A potential that is too steep shows up as a negative gap. Do not hide it.",
            lambda f, plan, points: _gap(f, plan, points).clamp_min(0),
        ),
        Misconception(
            "magnitude",
            "the magnitude of the gap",
            "A potential that is too steep shows up as a negative gap. Do not hide it.",
            lambda f, plan, points: _gap(f, plan, points).abs(),
        ),
        Misconception(
            "potential-magnitudes",
            "|f(x) − f(y)| expected under the plan",
            "The dual takes the difference of two expectations, in which signs offset each other.",
            _magnitude_gap,
        ),
        Misconception(
            "squared-distance",
            "squared distances",
            "The cost of moving mass is ‖x − y‖ itself.",
            _squared_gap,
        ),
        Misconception(
            "manhattan-distance",
            "the distance that adds the coordinates' differences",
            "The cost is the Euclidean distance.",
            _manhattan_gap,
        ),
        Misconception(
            "column-term-forgotten",
            "the expectation of f under the row sums alone",
            "The dual is a difference of two expectations.",
            lambda f, plan, points: _spent(plan, points) - (f * plan.sum(1)).sum(),
        ),
        Misconception(
            "marginals-added",
            "the expectations of f under both marginals added",
            "For a constant f the dual value is 0, whatever the constant.",
            lambda f, plan, points: _spent(plan, points) - (f * (plan.sum(0) + plan.sum(1))).sum(),
        ),
        Misconception(
            "unweighted-distances",
            "distances added up without the plan's masses",
            "An expectation weighs each distance by the mass that travels it.",
            lambda f, plan, points: euclidean(points, points).sum() - _earned(f, plan),
        ),
    ),
)

EXERCISE = Exercise(
    "13-6",
    checks=(
        WASSERSTEIN_PRIMAL,
        WASSERSTEIN_DUAL,
        WASSERSTEIN_1D,
        C_TRANSFORM,
        LIPSCHITZ_EXTENSION,
        DUALITY_GAP,
        K_LIPSCHITZ_VALUE,
    ),
    written_points=4.0,
)
