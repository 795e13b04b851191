"""Wasserstein-1: three ways to one number, against SciPy, closed forms and the metric's axioms."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance, wasserstein_distance_nd
from torch import nn

from gm_course.errors import ArgumentError, ShapeError
from gm_course.metrics import gradient_norms
from gm_course.wasserstein import (
    kantorovich_potential,
    layerwise_lipschitz_bound,
    sliced_wasserstein1,
    transport_plan,
    wasserstein1_1d,
)

# The solver's vertices are solutions of small linear systems: a few units in the last place of
# numbers around 1, times the condition of the system. 1e-9 leaves six orders of magnitude.
LP = 1e-9
# A sum of at most 60 products of numbers around 1 in float64.
SUM = 1e-13


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def points(seed: int, n: int, dim: int) -> torch.Tensor:
    return torch.randn(n, dim, generator=generator(seed), dtype=torch.float64)


def weights(seed: int, n: int) -> torch.Tensor:
    """Weights of different sizes that do not sum to 1; the first one is 0."""
    values = torch.rand(n, generator=generator(seed), dtype=torch.float64) * 3
    values[0] = 0
    return values


def by_plan(x, y, **options):
    return transport_plan(x, y, **options).distance


def by_potential(x, y, **options):
    return kantorovich_potential(x, y, **options).difference


def by_area(x, y, **options):
    return wasserstein1_1d(x[:, 0], y[:, 0], **options)


WAYS_ON_A_LINE = [by_area, by_plan, by_potential]
WAYS_IN_SPACE = [by_plan, by_potential]


@pytest.mark.parametrize("way", WAYS_ON_A_LINE)
@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 7), (6, 6), (12, 5)])
def test_on_a_line_it_is_scipys(way, n, m):
    x, y, p, q = points(1, n, 1), points(2, m, 1) + 1, weights(3, n) + 0.1, weights(4, m) + 0.1
    plain = wasserstein_distance(x[:, 0], y[:, 0])
    weighted = wasserstein_distance(x[:, 0], y[:, 0], p, q)
    assert float(way(x, y)) == pytest.approx(plain, abs=LP)
    assert float(way(x, y, x_weights=p, y_weights=q)) == pytest.approx(weighted, abs=LP)


@pytest.mark.parametrize("way", WAYS_IN_SPACE)
@pytest.mark.parametrize(("n", "m", "dim"), [(5, 5, 2), (4, 9, 2), (6, 7, 3)])
def test_in_space_it_is_scipys(way, n, m, dim):
    x, y, p, q = points(5, n, dim), points(6, m, dim), weights(7, n), weights(8, m)
    weighted = wasserstein_distance_nd(x, y, p, q)
    assert float(way(x, y)) == pytest.approx(wasserstein_distance_nd(x, y), abs=LP)
    assert float(way(x, y, x_weights=p, y_weights=q)) == pytest.approx(weighted, abs=LP)


@pytest.mark.parametrize("way", WAYS_IN_SPACE)
def test_equal_weights_are_the_best_of_all_pairings(way):
    x, y = points(9, 5, 3), points(10, 5, 3)
    best = min(
        (x - y[list(order)]).norm(dim=1).mean() for order in itertools.permutations(range(5))
    )
    assert float(way(x, y)) == pytest.approx(float(best), abs=LP)
    assert float(way(x, y, x_weights=torch.full((5,), 7.0))) == pytest.approx(float(best), abs=LP)


@pytest.mark.parametrize("way", WAYS_IN_SPACE)
def test_a_shifted_sample_is_as_far_as_the_shift(way):
    x, p = points(11, 9, 2), weights(12, 9)
    shift = torch.tensor([3.0, -4.0], dtype=torch.float64)
    distance = way(x, x + shift, x_weights=p, y_weights=p)
    assert float(distance) == pytest.approx(5.0, abs=LP)


def test_two_normal_distributions_on_a_line():
    # W(N(0, 1), N(1, 4)) = E|1 + (2 - 1)Z| for their quantiles are 1 apart plus the difference of
    # the standard deviations times Z: the mean of a folded normal distribution N(1, 1).
    exact = math.sqrt(2 / math.pi) * math.exp(-0.5) + math.erf(1 / math.sqrt(2))
    n = 100_000
    z = torch.randn(2, n, generator=generator(13), dtype=torch.float64)
    # The empirical distance is off by O(1/√n) with a constant near the standard deviations, 2.
    assert float(wasserstein1_1d(z[0], 1 + 2 * z[1])) == pytest.approx(exact, abs=5 * 2 / n**0.5)


@pytest.mark.parametrize("way", WAYS_ON_A_LINE)
def test_it_is_a_metric(way):
    a, b, c = points(14, 6, 1), points(15, 4, 1) + 1, points(16, 7, 1) - 2
    assert float(way(a, b)) == pytest.approx(float(way(b, a)), abs=LP)
    assert float(way(a, a.flip(0))) == pytest.approx(0, abs=LP)
    assert float(way(a, c)) <= float(way(a, b)) + float(way(b, c)) + LP
    assert float(way(a, b)) > 0
    assert float(way(3 * a - 7, 3 * b - 7)) == pytest.approx(3 * float(way(a, b)), abs=LP)


@pytest.mark.parametrize("scale", [1e-9, 1e6])
def test_programmes_do_not_depend_on_the_unit_of_length(scale):
    x, y, p = points(17, 8, 2), points(18, 8, 2), weights(19, 8)
    expected = float(by_plan(x, y, x_weights=p)) * scale
    assert float(by_plan(scale * x, scale * y, x_weights=p)) == pytest.approx(expected, rel=LP)
    assert float(by_potential(scale * x, scale * y, x_weights=p)) == pytest.approx(expected, rel=LP)


def test_all_mass_in_one_place():
    x, y = torch.ones(3, 2), torch.ones(4, 2)
    assert by_plan(x, y) == 0
    assert by_potential(x, y) == 0


@pytest.mark.parametrize("has_weights", [False, True])
def test_plan_has_the_right_marginals_and_cost(has_weights):
    x, y = points(20, 6, 2), points(21, 6, 2)
    p, q = (
        (weights(22, 6), weights(23, 6))
        if has_weights
        else (torch.ones(6).double(), torch.ones(6).double())
    )
    options = {"x_weights": p, "y_weights": q} if has_weights else {}
    distance, plan = transport_plan(x, y, **options)
    assert plan.min() >= 0
    assert torch.allclose(plan.sum(dim=1), p / p.sum(), rtol=0, atol=LP)
    assert torch.allclose(plan.sum(dim=0), q / q.sum(), rtol=0, atol=LP)
    assert float((plan * torch.cdist(x, y)).sum()) == pytest.approx(float(distance), abs=LP)


def test_plan_cannot_be_improved_by_exchanging_targets():
    x, y = points(24, 30, 2), points(25, 30, 2)
    costs = (x[:, None] - y).norm(dim=2)
    matched = costs[:, transport_plan(x, y).plan.argmax(dim=1)]  # from i to j's target
    pair, swapped = matched.diagonal(), matched
    assert (pair[:, None] + pair <= swapped + swapped.T + SUM).all()


@pytest.mark.parametrize("lipschitz", [0.25, 1.0, 8.0])
def test_potential_is_lipschitz_and_attains_its_difference(lipschitz):
    x, y, p, q = points(26, 8, 2), points(27, 6, 2), weights(28, 8), weights(29, 6)
    found = kantorovich_potential(x, y, x_weights=p, y_weights=q, lipschitz=lipschitz)
    f, everything = torch.cat([found.on_x, found.on_y]), torch.cat([x, y])
    distances = (everything[:, None] - everything).norm(dim=2)
    assert ((f[:, None] - f).abs() <= lipschitz * distances + LP).all()
    assert f.min() == 0
    attained = (p / p.sum() * found.on_x).sum() - (q / q.sum() * found.on_y).sum()
    assert float(attained) == pytest.approx(float(found.difference), abs=LP)
    weighted = float(by_plan(x, y, x_weights=p, y_weights=q))
    assert float(found.difference) == pytest.approx(lipschitz * weighted, abs=LP * lipschitz)


def test_potential_falls_by_the_distance_along_every_move():
    x, y, p = points(30, 7, 2), points(31, 9, 2), weights(32, 7)
    plan = transport_plan(x, y, x_weights=p).plan
    found = kantorovich_potential(x, y, x_weights=p)
    falls = found.on_x[:, None] - found.on_y
    moved = plan > 1e-6
    distances = (x[:, None] - y).norm(dim=2)
    assert torch.allclose(falls[moved], distances[moved], rtol=0, atol=LP)


def test_gradient_of_the_area_is_the_derivative():
    x, y = points(33, 5, 1)[:, 0].requires_grad_(), points(34, 7, 1)[:, 0].requires_grad_()
    assert torch.autograd.gradcheck(wasserstein1_1d, (x, y))


def test_projections_of_a_shift():
    # E|⟨u, s⟩| = 2‖s‖/π for u uniform on the circle; |cos| has the variance 1/2 - 4/π².
    x = points(35, 20, 2)
    shift = torch.tensor([3.0, -4.0], dtype=torch.float64)
    count = 20_000
    found = sliced_wasserstein1(x, x + shift, projections=count, generator=generator(36))
    error = 5 * math.sqrt(0.5 - 4 / math.pi**2)
    assert float(found) == pytest.approx(5 * 2 / math.pi, abs=5 * error / count**0.5)
    # Killer: an axis or an unnormalised direction has another mean.
    for wrong in (5 * 0.5, 5 * 2 / math.pi * math.sqrt(math.pi / 2)):
        assert float(found) != pytest.approx(wrong, abs=5 * error / count**0.5)


def test_projections_are_those_of_scipy_one_by_one():
    x, y = points(37, 9, 3), points(38, 6, 3)
    found = sliced_wasserstein1(x, y, projections=4, generator=generator(39))
    directions = torch.randn(3, 4, generator=generator(39), dtype=torch.float64)
    directions = directions / directions.norm(dim=0)
    each = [wasserstein_distance(x @ u, y @ u) for u in directions.T]
    assert float(found) == pytest.approx(np.mean(each), abs=SUM)


def test_projections_never_exceed_the_distance():
    x, y = points(40, 15, 2), points(41, 15, 2) * 2
    found = sliced_wasserstein1(x, y, projections=50, generator=generator(42))
    assert 0 < found < by_plan(x, y)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_results_have_the_dtype_of_the_points(dtype):
    x, y = points(43, 4, 1).to(dtype), points(44, 5, 1).to(dtype)
    plan, potential = transport_plan(x, y), kantorovich_potential(x, y)
    sliced = sliced_wasserstein1(x, y, projections=2, generator=generator(45))
    for result in (*plan, *potential, sliced, wasserstein1_1d(x[:, 0], y[:, 0])):
        assert result.dtype == dtype
    assert torch.isclose(plan.distance, sliced, rtol=1e-5)


def test_nothing_of_a_plan_carries_a_gradient():
    x = points(46, 3, 2).requires_grad_()
    assert not transport_plan(x, x + 1).distance.requires_grad
    assert not kantorovich_potential(x, x + 1).difference.requires_grad


def network(seed: int) -> nn.Sequential:
    """Weights drawn here, so that the global generator plays no part."""
    layers = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1))
    with torch.no_grad():
        for parameter in layers.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator(seed)))
    return layers.double()


def test_network_bound_is_the_product_of_largest_singular_values():
    layers = network(47)
    singular = [np.linalg.svd(layers[i].weight.detach().numpy())[1] for i in (0, 2, 4)]
    found = layerwise_lipschitz_bound(layers)
    assert float(found) == pytest.approx(math.prod(s[0] for s in singular), rel=SUM)
    assert not found.requires_grad
    # Killer: the Frobenius norm bounds, too, but more loosely.
    assert float(found) < 0.95 * math.prod(math.hypot(*s) for s in singular)


def test_network_bound_is_never_exceeded():
    layers, x = network(48), points(49, 300, 3)
    assert gradient_norms(lambda x: layers(x)[:, 0], x).max() <= layerwise_lipschitz_bound(layers)


def test_network_bound_is_attained_by_rotations_without_activation():
    layers = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    nn.init.orthogonal_(layers[0].weight)
    nn.init.orthogonal_(layers[1].weight, gain=3)
    # float32: a few units in the last place of 3
    assert float(layerwise_lipschitz_bound(layers)) == pytest.approx(3, abs=1e-5)


@pytest.mark.parametrize(
    ("layer", "name"), [(nn.BatchNorm1d(3), "BatchNorm1d"), (nn.LeakyReLU(2.0), "LeakyReLU")]
)
def test_network_bound_refuses_layers_that_may_stretch(layer, name):
    with pytest.raises(ArgumentError) as caught:
        layerwise_lipschitz_bound(nn.Sequential(nn.Linear(3, 3), layer))
    assert str(caught.value) == (
        "layerwise_lipschitz_bound: network must consist of Linear, ReLU, LeakyReLU and Tanh; got "
        f"{name}. Measure it with gradient_norms instead."
    )


def _wrong_means(x, y):
    return (x.mean() - y.mean()).abs()


def _wrong_in_the_order_given(x, y):
    return (x - y).abs().mean()


def _wrong_squares(x, y):
    return (x.sort().values - y.sort().values).square().mean().sqrt()


@pytest.mark.parametrize("wrong", [_wrong_means, _wrong_in_the_order_given, _wrong_squares])
def test_oracle_tells_wrong_distances_apart(wrong):
    x, y = points(1, 6, 1)[:, 0], points(2, 6, 1)[:, 0]
    assert float(wrong(x, y)) != pytest.approx(wasserstein_distance(x, y), abs=1e-3)


PAIR = torch.zeros(2, 2)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: wasserstein1_1d(PAIR, torch.zeros(2)),
            ShapeError,
            "wasserstein1_1d: x must have shape (points,); got (2, 2). For points in space use "
            "transport_plan.",
        ),
        (
            lambda: wasserstein1_1d(torch.zeros(2), torch.zeros(0)),
            ArgumentError,
            "wasserstein1_1d: y must hold at least one point; got none. An empty side has no mass "
            "to carry.",
        ),
        (
            lambda: transport_plan(torch.zeros(2), PAIR),
            ShapeError,
            "transport_plan: x must have shape (batch, features); got (2,). Flatten each example, "
            "or add a batch dimension with x[None].",
        ),
        (
            lambda: transport_plan(PAIR, torch.zeros(2, 3)),
            ShapeError,
            "transport_plan: y must have 2 features in its last dimension; got shape (2, 3). "
            "Flatten each example, and check that x and z are not swapped.",
        ),
        (
            lambda: transport_plan(PAIR, PAIR, x_weights=torch.ones(3)),
            ShapeError,
            "transport_plan: x_weights must have shape (2,), one per point; got (3,).",
        ),
        (
            lambda: transport_plan(PAIR, PAIR, y_weights=torch.tensor([2.0, -1.0])),
            ArgumentError,
            "transport_plan: y_weights must be at least 0 with a positive, finite sum; got "
            "[2.0, -1.0]. They are masses, not logarithms of masses.",
        ),
        (
            lambda: kantorovich_potential(PAIR, PAIR, x_weights=torch.zeros(2)),
            ArgumentError,
            "kantorovich_potential: x_weights must be at least 0 with a positive, finite sum; got "
            "[0.0, 0.0]. They are masses, not logarithms of masses.",
        ),
        (
            lambda: kantorovich_potential(PAIR, PAIR, x_weights=torch.tensor([1.0, math.nan])),
            ArgumentError,
            "kantorovich_potential: x_weights must be at least 0 with a positive, finite sum; got "
            "[1.0, nan]. They are masses, not logarithms of masses.",
        ),
        (
            lambda: kantorovich_potential(PAIR, PAIR, lipschitz=0.0),
            ArgumentError,
            "kantorovich_potential: lipschitz must be positive and finite; got 0.0.",
        ),
        (
            lambda: kantorovich_potential(PAIR, PAIR + math.nan),
            ArgumentError,
            "kantorovich_potential: y must be finite; got NaN or inf. Look at where the points "
            "come from.",
        ),
        (
            lambda: transport_plan(PAIR, PAIR + math.inf),
            ArgumentError,
            "transport_plan: y must be finite; got NaN or inf. Look at where the points come from.",
        ),
        (
            lambda: sliced_wasserstein1(PAIR, PAIR, projections=0, generator=generator(0)),
            ArgumentError,
            "sliced_wasserstein1: projections must be a whole number of at least 1; got 0.",
        ),
    ],
)
def test_messages(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


def test_nan_reaches_the_area():
    assert wasserstein1_1d(torch.tensor([0.0, math.nan]), torch.zeros(2)).isnan()
