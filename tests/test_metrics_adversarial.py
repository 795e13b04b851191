"""Mode coverage, gradient norms and the empirical Lipschitz constant."""

import math

import pytest
import torch
from torch import nn

from gm_course.data import toy
from gm_course.errors import ArgumentError, ShapeError
from gm_course.metrics import empirical_lipschitz, gradient_norms, mode_coverage

CENTRES = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_samples_of_the_mixture_itself():
    mixture = toy.ring()
    count = 20_000
    found = mode_coverage(mixture.sample(count, generator=seeded()), mixture.means, std=0.02)
    assert found.modes == 8
    # In the plane P(distance > 3 std) = exp(-9/2) = 1.11 %; five standard errors of a share.
    expected = 1 - math.exp(-4.5)
    assert abs(found.high_quality - expected) < 5 * math.sqrt(expected * (1 - expected) / count)
    # Each mode has an eighth: standard deviation of a count √(n/8·7/8) = 47.
    assert (found.counts / found.high_quality - count / 8).abs().max() < 5 * 47 * 1.02


def test_one_mode_only_and_between_the_modes():
    on_one = CENTRES[1] + 0.01 * torch.randn(100, 2, generator=seeded())
    assert mode_coverage(on_one, CENTRES, std=0.02)[:2] == (1, 1.0)
    between = torch.full((10, 2), 0.5)
    assert mode_coverage(between, CENTRES, std=0.02)[:2] == (0, 0.0)


def test_the_radius_counts_standard_deviations_and_includes_its_edge():
    samples = torch.tensor([[0.25, 0.0], [0.0, 0.5]])
    assert mode_coverage(samples, CENTRES, std=0.125, radius=2.0).high_quality == 0.5
    assert mode_coverage(samples, CENTRES, std=0.125, radius=4.0).high_quality == 1.0
    # killer: the variance in place of the standard deviation
    assert mode_coverage(samples, CENTRES, std=0.125**2, radius=2.0).high_quality == 0.0


def test_a_nan_is_of_no_quality():
    samples = torch.tensor([[math.nan, 0.0], [0.0, 0.0]])
    assert mode_coverage(samples, CENTRES, std=0.1)[:2] == (1, 0.5)


def test_order_and_duplicates_do_not_matter():
    samples = torch.randn(200, 2, generator=seeded())
    found = mode_coverage(samples, CENTRES, std=0.2)
    shuffled = mode_coverage(samples.flip(0).repeat(2, 1), CENTRES, std=0.2)
    assert shuffled[:2] == found[:2]
    assert torch.equal(shuffled.counts, 2 * found.counts)


def test_gradient_norms_against_the_closed_form():
    points = torch.randn(20, 3, generator=seeded(), dtype=torch.float64)
    found = gradient_norms(lambda x: x.square().sum(dim=1), points)
    torch.testing.assert_close(found, 2 * points.norm(dim=1))
    images = points.reshape(5, 1, 4, 3)
    found = gradient_norms(lambda x: x.square().flatten(1).sum(dim=1), images)
    torch.testing.assert_close(found, 2 * images.flatten(1).norm(dim=1))
    assert not found.requires_grad


def test_gradient_norms_leave_the_network_alone():
    network = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0))
    gradient_norms(network, torch.zeros(2, 3))
    assert all(p.grad is None for p in network.parameters())


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: 3 * x, 3.0),
        (lambda x: -x.abs(), 1.0),
        # the steepest pair of x² on a grid over [-1, 1] is next to the end: 1 + (1 - h)
        (lambda x: x.square(), 2 - 2 / 200),
        (torch.zeros_like, 0.0),
    ],
)
def test_empirical_lipschitz_on_a_grid(function, expected):
    points = torch.linspace(-1, 1, 201, dtype=torch.float64)[:, None]
    found = empirical_lipschitz(function(points[:, 0]), points)
    # slopes of neighbours at distance 0.01: rounding of 1e-16 / 0.01
    assert abs(found - expected) < 1e-12


def test_empirical_lipschitz_is_the_largest_slope_of_all_pairs():
    points = torch.randn(30, 2, generator=seeded(), dtype=torch.float64)
    values = points.norm(dim=1).sin()
    slopes = [
        abs(values[i] - values[j]) / (points[i] - points[j]).norm()
        for i in range(30)
        for j in range(i)
    ]
    assert empirical_lipschitz(values, points) == max(slopes) <= 1


def test_nearly_equal_points_keep_their_precision():
    """A distance by ‖x‖² + ‖y‖² − 2⟨x,y⟩ would be 0 or twice too large here."""
    points = torch.tensor([[100.0, 0.0], [100.0 + 2**-12, 0.0]])
    assert empirical_lipschitz(torch.tensor([0.0, 2**-12]), points) == 1


def test_equal_points_are_left_out_and_a_nan_shows():
    points = torch.tensor([[1.0], [1.0], [2.0]])
    assert empirical_lipschitz(torch.tensor([0.0, 5.0, 1.0]), points) == 4
    assert empirical_lipschitz(torch.tensor([0.0, math.nan, 1.0]), points).isnan()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: mode_coverage(torch.zeros(0, 2), CENTRES, std=1.0),
            ArgumentError,
            "mode_coverage: samples and centres must hold at least one point each; got 0 and 3. "
            "Draw samples from the model first.",
        ),
        (
            lambda: mode_coverage(torch.zeros(4, 3), CENTRES, std=1.0),
            ShapeError,
            "mode_coverage: samples must have 2 features in its last dimension; got shape (4, 3). "
            "Flatten each example, and check that x and z are not swapped.",
        ),
        (
            lambda: mode_coverage(CENTRES, CENTRES, std=0.0),
            ArgumentError,
            "mode_coverage: std must be positive and finite; got 0.0.",
        ),
        (
            lambda: gradient_norms(lambda x: x, torch.zeros(4, 3)),
            ShapeError,
            "gradient_norms: function must return one number per point, shape (4,); got (4, 3). "
            "Squeeze its last dimension.",
        ),
        (
            lambda: empirical_lipschitz(torch.zeros(3, 1), torch.zeros(3, 1)),
            ShapeError,
            "empirical_lipschitz: values must have shape (3,), one per point; got (3, 1).",
        ),
        (
            lambda: empirical_lipschitz(torch.zeros(3), torch.zeros(3, 1)),
            ArgumentError,
            "empirical_lipschitz: points must hold two different ones; got 3 equal points. Draw "
            "more of them.",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message
