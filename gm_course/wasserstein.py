r"""The Wasserstein-1 distance (推土机距离) of samples and weighted points, chapter 13.3.6.

Three ways to the same number: the area between distribution functions on a line, the cheapest
transport plan, and the best 1-Lipschitz function; and a bound on how steep a network is. Plan and
function are linear programmes, solved on the CPU in float64; they are meant for up to a few
hundred points.

Letters in the shape comments: n points x, m points y, D their features. Weights are any
non-negative numbers with a positive sum; they are divided by that sum, and left out they are equal.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment, linprog
from scipy.sparse import csr_array, eye_array, kron, vstack
from torch import Tensor, nn

from gm_course.errors import ArgumentError, ShapeError
from gm_course.validation import (
    require_count,
    require_features,
    require_matrix,
    require_positive,
)


class TransportPlan(NamedTuple):
    """What :func:`transport_plan` found.

    Attributes:
        distance: W, a scalar in the unit of the points.
        plan: γ, the mass that moves from point i of x to point j of y, shape (n, m); its row sums
            are the weights of x and its column sums those of y.
    """

    distance: Tensor
    plan: Tensor


class Potential(NamedTuple):
    """What :func:`kantorovich_potential` found.

    Attributes:
        difference: E f(x) − E f(y), a scalar: the largest one.
        on_x: f at the points x, shape (n,).
        on_y: f at the points y, shape (m,); the smallest of all values is 0.
    """

    difference: Tensor
    on_x: Tensor
    on_y: Tensor


def wasserstein1_1d(
    x: Tensor, y: Tensor, *, x_weights: Tensor | None = None, y_weights: Tensor | None = None
) -> Tensor:
    r"""W between weighted points on a line, as the area between their distribution functions.

    .. math:: W = \int_{-\infty}^{\infty} |F_x(t) - F_y(t)|\,dt

    Sorts, so n and m may be large. Gradients flow to the points. A NaN makes it NaN.

    Args:
        x: Positions in any order, shape (n,).
        y: Positions in any order, shape (m,).
        x_weights: Shape (n,).
        y_weights: Shape (m,).

    Returns:
        A scalar, at least 0, in the unit of the positions.

    Raises:
        ShapeError: If the positions are not vectors, or weights do not fit them.
        ArgumentError: If a side has no points, or weights are not valid.

    Source:
        Chapter 13.3.6, ``wasserstein-primal``; Vallender, "Calculation of the Wasserstein Distance
        Between Probability Distributions on the Line", 1974.

    Example:
        >>> wasserstein1_1d(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 5.0]))  # (1 + 3) / 2
        tensor(2.)
    """
    for name, positions in (("x", x), ("y", y)):
        if positions.ndim != 1:
            raise ShapeError(
                f"wasserstein1_1d: {name} must have shape (points,); got "
                f"{tuple(positions.shape)}. For points in space use transport_plan."
            )
    p, q = _masses("wasserstein1_1d", x, y, x_weights, y_weights)
    return _area_between(torch.cat([x, y]), torch.cat([p, -q]).to(x))


def sliced_wasserstein1(
    x: Tensor, y: Tensor, *, projections: int, generator: torch.Generator
) -> Tensor:
    r"""Mean of the W between projections of two samples on random directions.

    Every projection can only bring points closer, so it is at most W; in the plane it is 2/π of W
    where one sample is the other one, moved. It costs a sort for each direction, where W itself is
    a linear programme. Gradients flow to the points.

    Args:
        x: Sample, shape (n, D).
        y: Sample, shape (m, D).
        projections: Number of directions, drawn uniformly from the unit sphere.
        generator: Source of the directions, on the samples' device.

    Returns:
        A scalar, at least 0; random through the directions.

    Raises:
        ShapeError: If the samples are not matrices with the same number of columns.
        ArgumentError: If a sample is empty or ``projections`` is not a count.

    Source:
        Bonneel, Rabin, Peyré & Pfister, "Sliced and Radon Wasserstein Barycenters of Measures",
        2015.

    Example:
        >>> x = torch.zeros(5, 1)
        >>> sliced_wasserstein1(x, x + 3, projections=2, generator=torch.Generator())
        tensor(3.)
    """
    _require_points("sliced_wasserstein1", x, y)
    require_count("sliced_wasserstein1", "projections", projections)
    p, q = _masses("sliced_wasserstein1", x, y, None, None)
    shape = (x.shape[1], projections)
    directions = torch.randn(shape, generator=generator, dtype=x.dtype, device=x.device)
    directions = directions / directions.norm(dim=0)
    positions = (torch.cat([x, y]) @ directions).T  # (projections, n + m)
    masses = torch.cat([p, -q]).to(x)
    return _area_between(positions, masses.expand_as(positions)).mean()


def transport_plan(
    x: Tensor, y: Tensor, *, x_weights: Tensor | None = None, y_weights: Tensor | None = None
) -> TransportPlan:
    r"""Find the cheapest way to carry the mass of x to that of y (运输方案).

    .. math:: W = \min_{\gamma \ge 0} \sum_{ij} \gamma_{ij} \|x_i - y_j\|
        \quad\text{with row sums } p \text{ and column sums } q

    Equally many points without weights are an assignment, the rest is a linear programme. Where
    several plans are cheapest, one of them is returned. Nothing carries a gradient.

    Args:
        x: Sources, shape (n, D).
        y: Targets, shape (m, D).
        x_weights: p, shape (n,).
        y_weights: q, shape (m,).

    Returns:
        The distance and the plan, in the dtype and on the device of x.

    Raises:
        ShapeError: If the points are not matrices with the same number of columns, or weights do
            not fit them.
        ArgumentError: If a side has no points, a coordinate is not finite, or weights are not
            valid.

    Source:
        Chapter 13.3.6, ``wasserstein-primal``.

    Example:
        >>> x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([[2.0], [1.0]])
        >>> transport_plan(x, y, x_weights=torch.tensor([3.0, 1.0])).distance
        tensor(1.2500)
    """
    _require_points("transport_plan", x, y)
    _require_finite("transport_plan", x, y)
    p, q = _masses("transport_plan", x, y, x_weights, y_weights)
    costs = _distances(x, y)
    if x_weights is None and y_weights is None and len(x) == len(y):
        rows, columns = linear_sum_assignment(costs)
        plan = np.zeros_like(costs)
        plan[rows, columns] = 1 / len(x)
    else:
        n, m = costs.shape
        # The plan's rows, one after the other, are the unknowns; γ_ij has the index i·m + j.
        row_sums = kron(eye_array(n), np.ones((1, m)))
        column_sums = kron(np.ones((1, n)), eye_array(m))
        marginals = np.concatenate([p.numpy(), q.numpy()])
        # The solver's tolerances are absolute, so costs are brought to at most 1.
        solution = linprog(
            costs.ravel() / (costs.max() or 1.0),
            A_eq=vstack([row_sums, column_sums]),
            b_eq=marginals,
            bounds=(0, None),
        )
        assert solution.success, solution.message  # p qᵀ is a plan, and costs are at least 0
        plan = solution.x.reshape(n, m).clip(0)
    distance = torch.tensor((plan * costs).sum())
    return TransportPlan(distance.to(x), torch.from_numpy(plan).to(x))


def kantorovich_potential(
    x: Tensor,
    y: Tensor,
    *,
    x_weights: Tensor | None = None,
    y_weights: Tensor | None = None,
    lipschitz: float = 1.0,
) -> Potential:
    r"""Find the function with a bounded Lipschitz constant whose means on x and y differ most.

    .. math:: \max_f \sum_i p_i f(x_i) - \sum_j q_j f(y_j)
        \quad\text{with } |f(a) - f(b)| \le K \|a - b\| \text{ for all points } a, b

    For K = 1 the largest difference is W. Where several functions attain it, one of them is
    returned; f + constant always is another. Nothing carries a gradient.

    Args:
        x: Points where f should be large, shape (n, D).
        y: Points where f should be small, shape (m, D).
        x_weights: p, shape (n,).
        y_weights: q, shape (m,).
        lipschitz: K, the largest slope that f may have.

    Returns:
        The difference and the values of f, in the dtype and on the device of x.

    Raises:
        ShapeError: If the points are not matrices with the same number of columns, or weights do
            not fit them.
        ArgumentError: If a side has no points, a coordinate is not finite, or weights or
            ``lipschitz`` are not valid.

    Source:
        Chapter 13.3.6, (13.54) ``kantorovich-rubinstein`` and ``k-lipschitz-scaling``.

    Example:
        >>> x, y = torch.tensor([[0.0], [4.0]]), torch.tensor([[1.0], [2.0]])
        >>> kantorovich_potential(x, y).difference  # each side inward: (1 + 2) / 2
        tensor(1.5000)
    """
    _require_points("kantorovich_potential", x, y)
    _require_finite("kantorovich_potential", x, y)
    require_positive("kantorovich_potential", "lipschitz", lipschitz)
    p, q = _masses("kantorovich_potential", x, y, x_weights, y_weights)
    points = torch.cat([x, y])
    distances = _distances(points, points)
    # An inequality f_a − f_b ≤ K‖a − b‖ for each ordered pair of points.
    first, second = np.nonzero(~np.eye(len(points), dtype=bool))
    row = np.arange(len(first))
    entries = (np.repeat([1.0, -1.0], len(row)), (np.tile(row, 2), np.append(first, second)))
    unit = lipschitz * (distances.max() or 1.0)  # the solver's tolerances are absolute
    solution = linprog(
        np.concatenate([-p.numpy(), q.numpy()]),  # linprog minimises
        A_ub=csr_array(entries, shape=(len(row), len(points))),
        b_ub=lipschitz * distances[first, second] / unit,
        bounds=(0, None),  # f + constant is as good as f
    )
    assert solution.success, solution.message  # f = 0 is allowed, and W bounds the difference
    values = torch.from_numpy(unit * (solution.x - solution.x.min())).to(x)
    difference = torch.tensor(-unit * solution.fun).to(x)
    return Potential(difference, values[: len(x)], values[len(x) :])


def layerwise_lipschitz_bound(network: nn.Module) -> Tensor:
    r"""Bound a fully connected network's Lipschitz constant by its layers' spectral norms.

    .. math:: \|f\|_L \le \prod_l \|W_l\|_2

    A matrix stretches a difference by at most its spectral norm, its largest singular value, and
    the activations allowed here never stretch one. The bound is loose, the looser the deeper.

    Args:
        network: Linear layers and ReLU, LeakyReLU (slope at most 1) or tanh in between.

    Returns:
        A scalar without a graph, in the weights' dtype; 1 if there is no linear layer.

    Raises:
        ArgumentError: If the network has another kind of layer.

    Source:
        Chapter 13.3.6, ``clipping-bounds-lipschitz``; Miyato, Kataoka, Koyama & Yoshida, "Spectral
        Normalization for Generative Adversarial Networks", 2018, section 2.1.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> _ = nn.init.constant_(layer.weight, 0.5)
        >>> layerwise_lipschitz_bound(layer)  # √(0.5² + 0.5²)
        tensor(0.7071)
    """
    bound = torch.ones(())
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            bound = bound.to(layer.weight) * torch.linalg.matrix_norm(layer.weight.detach(), ord=2)
        elif not any(layer.children()) and not _never_stretches(layer):
            raise ArgumentError(
                "layerwise_lipschitz_bound: network must consist of Linear, ReLU, LeakyReLU and "
                f"Tanh; got {type(layer).__name__}. Measure it with gradient_norms instead."
            )
    return bound


def _never_stretches(layer: nn.Module) -> bool:
    if isinstance(layer, nn.LeakyReLU):
        return abs(layer.negative_slope) <= 1
    return isinstance(layer, nn.ReLU | nn.Tanh)


def _area_between(positions: Tensor, masses: Tensor) -> Tensor:
    """Integral of |Σ masses up to t| over t, along the last dimension; masses sum to 0."""
    order = positions.argsort(dim=-1)
    # Constant between neighbouring positions; behind the last one it is 0.
    heights = masses.gather(-1, order).cumsum(dim=-1)[..., :-1].abs()
    widths = positions.gather(-1, order).diff(dim=-1)
    return (heights * widths).sum(dim=-1)


def _distances(x: Tensor, y: Tensor) -> NDArray[np.float64]:
    a, b = (points.detach().cpu().double() for points in (x, y))
    # Not cdist: its matrix-product form loses the small distances.
    distances: NDArray[np.float64] = (a[:, None] - b).norm(dim=2).numpy()
    return distances


def _require_finite(function: str, x: Tensor, y: Tensor) -> None:
    for name, points in (("x", x), ("y", y)):
        if not points.isfinite().all():
            raise ArgumentError(
                f"{function}: {name} must be finite; got NaN or inf. Look at where the points "
                "come from."
            )


def _require_points(function: str, x: Tensor, y: Tensor) -> None:
    require_matrix(function, "x", x)
    require_matrix(function, "y", y)
    require_features(function, "y", y, x.shape[1])


def _masses(
    function: str, x: Tensor, y: Tensor, x_weights: Tensor | None, y_weights: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return both sides' weights with sum 1, float64 on the CPU."""
    sides = (("x", x, x_weights), ("y", y, y_weights))
    p, q = (_normalised(function, name, len(points), w) for name, points, w in sides)
    return p, q


def _normalised(function: str, name: str, count: int, weights: Tensor | None) -> Tensor:
    if count == 0:
        raise ArgumentError(
            f"{function}: {name} must hold at least one point; got none. An empty side has no "
            "mass to carry."
        )
    if weights is None:
        return torch.full((count,), 1 / count, dtype=torch.float64)
    if weights.shape != (count,):
        raise ShapeError(
            f"{function}: {name}_weights must have shape ({count},), one per point; got "
            f"{tuple(weights.shape)}."
        )
    masses = weights.detach().cpu().double()
    total = masses.sum()
    if not (masses >= 0).all() or not 0 < total < float("inf"):
        raise ArgumentError(
            f"{function}: {name}_weights must be at least 0 with a positive, finite sum; got "
            f"{weights.tolist()}. They are masses, not logarithms of masses."
        )
    return masses / total
