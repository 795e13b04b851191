"""What the checks of exercise 13-6 share: pairs of measures, their exact distance, and judging
results of which many are right.

Every distribution has probabilities ``counts / total``. Split into ``total`` atoms of equal mass,
optimal transport becomes an assignment (Birkhoff's theorem: the extreme points of the doubly
stochastic matrices are the permutations), so the oracle solves no linear programme.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment, linprog
from torch import Tensor

from gm_course.checks.calls import Plain
from gm_course.checks.inputs import OPERATIONS, Wide, normal, wide

Counts = Sequence[int]

# What a good linear-programming solver attains, relative to the largest cost. Rounding of the
# inputs' dtype comes on top: probabilities need not sum to exactly 1, so renormalising, or not,
# moves up to eps of mass.
SOLVER_ACCURACY = 1e-7


class Measures(NamedTuple):
    """Two distributions on common points, their distances and the Wasserstein distance.

    Attributes:
        p: First probabilities, shape (n,).
        q: Second probabilities, shape (n,).
        points: The support, shape (n, d).
        distances: Between the points, shape (n, n).
        optimum: The exact Wasserstein distance.
    """

    p: Tensor
    q: Tensor
    points: Tensor
    distances: Wide
    optimum: float


def probabilities(counts: Counts, dtype: torch.dtype) -> Tensor:
    """Return ``counts / sum(counts)``, rounded to the dtype."""
    weights = torch.tensor(counts, dtype=torch.float64)
    return (weights / weights.sum()).to(dtype)


def distances(points: Tensor, others: Tensor | None = None) -> Wide:
    """Return Euclidean distances, shape (n, k); between the points themselves by default."""
    starts, ends = wide(points), wide(points if others is None else others)
    return np.asarray(np.sqrt(((starts[:, None] - ends[None]) ** 2).sum(-1)))


def optimal_cost(p: Counts, q: Counts, cost: Wide) -> float:
    """Return the least cost of transport between two distributions given as equal totals."""
    atoms = np.repeat(np.repeat(cost.astype(np.float64), p, axis=0), q, axis=1)
    rows, columns = linear_sum_assignment(atoms)
    return float(atoms[rows, columns].mean())


def solver_tolerance(dtype: torch.dtype, scale: float) -> float:
    """Return the largest error of a linear programme whose costs are at most ``scale``."""
    return (SOLVER_ACCURACY + OPERATIONS * torch.finfo(dtype).eps) * scale


def pairs_of_measures(dtype: torch.dtype) -> dict[str, Measures]:
    """Return pairs of distributions on at most 12 distinct points, typical ones first."""

    def pair(seed: int, p: Counts, q: Counts, dim: int, *, spread: float = 2.0) -> Measures:
        return on((spread * normal(seed, (len(p), dim), dtype=torch.float64)).to(dtype), p, q)

    def on(points: Tensor, p: Counts, q: Counts) -> Measures:
        between = distances(points)
        return Measures(
            probabilities(p, dtype),
            probabilities(q, dtype),
            points,
            between,
            optimal_cost(p, q, between),
        )

    line = torch.tensor([[3.0], [-1.5], [0.25], [1.75], [-4.0]], dtype=dtype)
    twelve = (5, 1, 9, 4, 7, 2, 6, 10, 3, 8, 4, 5), (8, 6, 2, 5, 1, 9, 3, 2, 10, 7, 5, 6)
    return {
        "five points in the plane": pair(200, (10, 2, 7, 9, 4), (3, 12, 5, 2, 10), 2),
        "four points in three dimensions": pair(2, (3, 10, 1, 6), (7, 2, 8, 3), 3),
        "points on a line, unordered": on(line, (1, 8, 2, 9, 12), (9, 3, 11, 2, 7)),
        "twelve points": pair(4, *twelve, 2),
        "six points in ten dimensions": pair(5, (4, 9, 3, 6, 8, 2), (7, 1, 10, 3, 2, 9), 10),
        "disjoint supports": pair(6, (5, 0, 4, 0, 7, 0), (0, 6, 0, 7, 0, 3), 2),
        # Seed 17 puts the points without mass where a potential left free there goes wrong.
        "points without any mass": pair(17, (6, 0, 2, 0, 8, 0), (1, 0, 9, 0, 6, 0), 2),
        "equal distributions": pair(8, (3, 1, 4, 2), (3, 1, 4, 2), 2),
        "all mass on one point each": pair(9, (1, 0, 0), (0, 0, 1), 2),
        "two points": pair(10, (3, 5), (6, 2), 2),
        "one point": pair(11, (1,), (1,), 3),
        "sums that are 1 up to rounding": pair(12, (17, 33, 9, 41), (31, 7, 43, 19), 2),
        "points about 1000 apart": pair(13, (4, 7, 2, 3), (6, 1, 3, 6), 2, spread=1e3),
        "points about 0.001 apart": pair(14, (4, 7, 2, 3), (6, 1, 3, 6), 2, spread=1e-3),
    }


# --- Judging results that are not unique ------------------------------------------------------


def as_pair(value: Plain) -> tuple[float, Tensor] | None:
    """Return a number and a float64 tensor if that is what came back, else None."""
    match value:
        case [Tensor() as first, Tensor() as second]:
            if first.numel() == 1 and not (first.is_complex() or second.is_complex()):
                return float(first), second.double()
    return None


# --- Programmes that mistakes are made with ---------------------------------------------------


def transport_plan(p: Tensor, q: Tensor, cost: Tensor) -> Tensor:
    """Return an optimal plan for any costs, negative ones included."""
    n, m = cost.shape
    sources, targets = np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))
    supply, demand = p.double() / p.double().sum(), q.double() / q.double().sum()
    solution = linprog(
        cost.double().numpy().ravel(),
        A_eq=np.vstack([sources, targets]),
        b_eq=torch.cat([supply, demand]).numpy(),
    )
    return torch.from_numpy(solution.x).reshape(n, m).to(cost.dtype)


def steepest_potential(
    p: Tensor, q: Tensor, limits: Tensor, *, bound: float | None = None
) -> Tensor:
    """Return f that maximises Σ p f − Σ q f with ``f[i] − f[j] ≤ limits[i, j]``.

    Args:
        p: First probabilities, shape (n,).
        q: Second probabilities, shape (n,).
        limits: Shape (n, n), infinite where there is no limit.
        bound: Largest absolute value of f, if it is bounded; ``f[0] = 0`` otherwise.
    """
    n = len(p)
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j and limits[i, j] < np.inf]
    differences = np.zeros((len(pairs), n))
    for row, (i, j) in enumerate(pairs):
        differences[row, i], differences[row, j] = 1.0, -1.0
    bounds = [(0.0, 0.0)] + [(None, None)] * (n - 1) if bound is None else [(-bound, bound)] * n
    solution = linprog(
        (q.double() - p.double()).numpy(),
        A_ub=differences if pairs else None,
        b_ub=_entries(limits, pairs) if pairs else None,
        bounds=bounds,
    )
    return torch.from_numpy(solution.x).to(p.dtype)


def _entries(matrix: Tensor, pairs: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    return np.array([float(matrix[pair]) for pair in pairs])


def euclidean(points: Tensor, others: Tensor) -> Tensor:
    """Return Euclidean distances, shape (n, k), without the cancellation of matrix products."""
    between: Tensor = torch.linalg.vector_norm(points[:, None] - others[None], dim=-1)
    return between
