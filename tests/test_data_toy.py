"""Toy sets: their densities against quadrature and closed forms, their samples against those."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from gm_course.data import TwoMoons, grid, moons, ring
from gm_course.errors import ArgumentError, ShapeError

F64 = torch.float64


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def lattice(low, high, step):
    axes = [torch.arange(a, b, step, dtype=F64) for a, b in zip(low, high, strict=True)]
    return torch.cartesian_prod(*axes)


def plane_integral(log_prob, std, low, high, function=lambda x: 1.0):
    """Trapezoidal rule over the plane.

    For a density blurred by N(0, std²) the rule's relative error is about
    4 exp(-2 π² (std / step)²) = 2e-13 at step 0.8 std; the box must leave 8 std on every side.
    """
    step = 0.8 * std
    x = lattice(low, high, step)
    return float((log_prob(x).exp() * function(x)).sum() * step**2)


def moons_integral(density, function=lambda x: 1.0):
    margin = 8 * density.noise
    low, high = (-1 - margin, -0.5 - margin), (2 + margin, 1 + margin)
    return plane_integral(density.log_prob, density.noise, low, high, function)


def moons_log_prob_by_scipy(x, noise):
    """Adaptive quadrature, a method of its own; the largest term is taken out first."""
    arcs = (
        lambda t: np.array([np.cos(t), np.sin(t)]),
        lambda t: np.array([1 - np.cos(t), 0.5 - np.sin(t)]),
    )
    t = np.linspace(0, np.pi, 2001)
    nearest = min(((arc(t) - x[:, None]) ** 2).sum(0).min() for arc in arcs)

    def integrand(angle, arc):
        return np.exp((nearest - ((arc(angle) - x) ** 2).sum()) / (2 * noise**2))

    total = 0.0
    for arc in arcs:
        peak = t[((arc(t) - x[:, None]) ** 2).sum(0).argmin()]
        points = [p for p in (peak - 4 * noise, peak, peak + 4 * noise) if 0 < p < np.pi]
        total += integrate.quad(
            integrand, 0, np.pi, args=(arc,), points=points, epsabs=1e-13, epsrel=1e-12, limit=200
        )[0]
    return (
        np.log(total / (2 * np.pi)) - nearest / (2 * noise**2) - np.log(2 * np.pi * noise**2)
    )  # the arcs' density is 1 / (2π) per unit of angle


# --- ring and grid ---------------------------------------------------------------------------


def test_ring_lies_on_its_circle_at_equal_angles():
    means = ring(8, radius=3.0, dtype=F64).means
    assert means.shape == (8, 2)
    torch.testing.assert_close(means[0], torch.tensor([3.0, 0.0], dtype=F64))
    torch.testing.assert_close(means.norm(dim=1), torch.full((8,), 3.0, dtype=F64))
    chord = (means - means.roll(1, dims=0)).norm(dim=1)
    torch.testing.assert_close(chord, torch.full((8,), 6 * math.sin(math.pi / 8), dtype=F64))


def test_grid_is_centred_and_evenly_spaced():
    means = grid(5, spacing=2.0).means
    axis = [-4.0, -2.0, 0.0, 2.0, 4.0]
    assert means.tolist() == [[x, y] for y in axis for x in axis]


@pytest.mark.parametrize("make", [ring, grid])
def test_one_mode_is_a_plain_gaussian(make):
    mixture = make(1, std=0.5)
    x = torch.randn(6, 2, generator=seeded())
    expected = torch.distributions.Normal(mixture.means[0], 0.5).log_prob(x).sum(dim=1)
    torch.testing.assert_close(mixture.log_prob(x), expected)


def test_defaults_are_those_of_the_literature():
    assert (len(ring().means), len(grid().means)) == (8, 25)
    assert ring().means.norm(dim=1).allclose(torch.tensor(2.0))
    assert ring().std.unique().allclose(torch.tensor(0.02))
    assert grid().std.unique().allclose(torch.tensor(0.05))


@pytest.mark.parametrize(("make", "extent"), [(ring, 2.0), (grid, 4.0)])
def test_mixture_density_integrates_to_one(make, extent):
    mixture = make(dtype=F64)
    std = mixture.std[0].item()
    edge = extent + 8 * std
    total = plane_integral(mixture.log_prob, std, (-edge, -edge), (edge, edge))
    # Beyond 8 std lies less than 1e-14; the rule itself is off by 2e-13.
    assert abs(total - 1) < 1e-11


def mode_pvalue(samples, means):
    """Chi-square test of equal mode counts; the nearest mean is the mode."""
    counts = torch.cdist(samples, means).argmin(dim=1).bincount(minlength=len(means))
    return stats.chisquare(counts.numpy()).pvalue


def spread_pvalue(samples, means, std):
    """KS test: the distance from the mode in units of std follows Rayleigh's law."""
    distance = torch.cdist(samples.to(F64), means.to(F64)).min(dim=1).values
    return stats.kstest(distance.numpy() / std, stats.rayleigh.cdf).pvalue


@pytest.mark.parametrize(("make", "std"), [(ring, 0.02), (grid, 0.05)])
def test_mixture_samples_follow_the_density(make, std):
    mixture = make()
    samples = mixture.sample(5000, generator=seeded())
    assert samples.dtype == torch.float32
    assert mode_pvalue(samples, mixture.means) > 1e-3
    assert spread_pvalue(samples, mixture.means, std) > 1e-3


def test_killers_wrong_mixture_samples_are_noticed():
    mixture = ring()
    samples = mixture.sample(5000, generator=seeded())
    is_first = torch.cdist(samples, mixture.means).argmin(dim=1) == 0
    assert mode_pvalue(samples[~is_first], mixture.means) < 1e-9  # a mode dropped
    assert spread_pvalue(samples, mixture.means, 0.02**2) < 1e-9  # std taken for variance
    assert spread_pvalue(samples, mixture.means, 0.022) < 1e-9  # ten per cent too narrow


@pytest.mark.parametrize(
    ("make", "options", "text"),
    [
        (ring, {"modes": 0}, "ring: modes must be a whole number of at least 1; got 0"),
        (ring, {"radius": -1.0}, "ring: radius must be positive and finite; got -1.0"),
        (ring, {"std": 0.0}, "ring: std must be positive and finite; got 0.0"),
        (grid, {"side": 2.5}, "grid: side must be a whole number of at least 1; got 2.5"),
        (grid, {"spacing": math.inf}, "grid: spacing must be positive and finite; got inf"),
        (grid, {"std": math.nan}, "grid: std must be positive and finite; got nan"),
    ],
)
def test_mixture_arguments_are_checked(make, options, text):
    with pytest.raises(ArgumentError, match=f"^{text}"):
        make(**options)


# --- moons -----------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [0.05, 0.1, 0.7])
def test_moons_density_integrates_to_one(noise):
    # The density's own quadrature is off by at most 1e-10 where there is mass.
    assert abs(moons_integral(moons(noise=noise, dtype=F64)) - 1) < 1e-9


@pytest.mark.parametrize("noise", [0.05, 0.1, 0.7])
def test_moons_density_has_the_known_moments(noise):
    density = TwoMoons(noise)
    mean = [moons_integral(density, lambda x, d=d: x[:, d]) for d in range(2)]
    square = [moons_integral(density, lambda x, d=d: x[:, d] ** 2) for d in range(2)]
    # Over a half circle sin averages 2/π and its square ½; the two arcs are averaged.
    expected_square = [1 + noise**2, (1.25 - 2 / math.pi) / 2 + noise**2]
    assert mean == pytest.approx([0.5, 0.25], abs=1e-9)
    assert square == pytest.approx(expected_square, abs=1e-8)


@pytest.mark.parametrize(
    ("noise", "radius", "tolerance"),
    # Distance from the first arc's centre; the tolerances are the docstring's, plus 1e-9 for the
    # oracle.
    [(0.05, 1.02, 1e-8), (0.05, 2.0, 1e-5), (0.1, 0.0, 1e-8), (0.1, 3.0, 1e-8), (0.7, 4.0, 1e-8)],
)
def test_moons_density_matches_adaptive_quadrature(noise, radius, tolerance):
    angle = torch.arange(5, dtype=F64) * 1.3
    x = radius * torch.stack([angle.cos(), angle.sin()], dim=1)
    expected = [moons_log_prob_by_scipy(point.numpy(), noise) for point in x]
    assert TwoMoons(noise).log_prob(x).tolist() == pytest.approx(expected, rel=0, abs=tolerance)


def test_moons_have_the_geometry_of_scikit_learn():
    from sklearn.datasets import make_moons

    points, _ = make_moons(400, noise=None)
    noise = 0.05
    log_prob = TwoMoons(noise).log_prob(torch.from_numpy(points))
    # On a long thin arc the density is (1 / 2π) N(0; 0, noise²) across, and half that at an end;
    # curvature changes it by noise²/2 or so.
    on_arc = -math.log(2 * math.pi) - 0.5 * math.log(2 * math.pi * noise**2)
    assert log_prob.median().item() == pytest.approx(on_arc, abs=0.01)
    assert log_prob.min().item() == pytest.approx(on_arc - math.log(2), abs=0.01)


def moons_projection_pvalue(samples, coordinate, noise):
    """KS test of one coordinate against its law, an average of normal CDFs over the arcs."""
    t = (np.arange(400) + 0.5) * np.pi / 400  # midpoint rule, smooth in t on the scale of noise
    upper, lower = (np.cos(t), 1 - np.cos(t)) if coordinate == 0 else (np.sin(t), 0.5 - np.sin(t))
    centres = np.concatenate([upper, lower])

    # 1,000 points over the support and 8 noises beyond; between them a straight line is off by
    # step² max|p'| / 8 < 1e-4, far below the 0.01 that the test resolves.
    support = np.linspace(centres.min() - 8 * noise, centres.max() + 8 * noise, 1000)
    cumulative = stats.norm.cdf((support[:, None] - centres) / noise).mean(axis=1)

    def cdf(values):
        return np.interp(values, support, cumulative)

    return stats.kstest(samples[:, coordinate].double().numpy(), cdf).pvalue


@pytest.mark.parametrize("noise", [0.05, 0.3])
@pytest.mark.parametrize("coordinate", [0, 1])
def test_moons_samples_follow_the_density(noise, coordinate):
    samples = moons(noise=noise).sample(20_000, generator=seeded(1))
    assert moons_projection_pvalue(samples, coordinate, noise) > 1e-3


def test_moons_mean_log_prob_is_minus_the_entropy():
    # Ties samples and density together in both coordinates at once, which projections cannot.
    density = TwoMoons(0.1, F64)
    log_prob = density.log_prob(density.sample(4000, generator=seeded()))
    entropy = -moons_integral(density, density.log_prob)
    standard_error = log_prob.std().item() / math.sqrt(4000)
    assert abs(log_prob.mean().item() + entropy) < 4 * standard_error


def test_killers_wrong_moons_are_noticed():
    samples = moons(noise=0.1).sample(3000, generator=seeded(1))
    uniform_in_x = samples.clone()
    uniform_in_x[:, 0] = torch.rand(3000, generator=seeded()) * 3 - 1
    assert moons_projection_pvalue(samples, 0, 0.1**0.5) < 1e-4  # noise taken for variance
    assert moons_projection_pvalue(uniform_in_x, 0, 0.1) < 1e-4  # arc length forgotten
    assert moons_projection_pvalue(samples[samples[:, 1] > 0.25], 1, 0.1) < 1e-4  # one moon only

    x, density = torch.tensor([[0.3, 0.8]], dtype=F64), TwoMoons(0.1)
    oracle = moons_log_prob_by_scipy(x[0].numpy(), 0.1)
    wrong_noise = TwoMoons(0.1**0.5).log_prob(x).item()
    forgets_half = density.log_prob(x).item() + math.log(2)
    assert abs(wrong_noise - oracle) > 0.01
    assert abs(forgets_half - oracle) > 0.01


def test_moons_log_prob_in_float32_agrees_with_float64():
    # Exponents reach r² / (2 noise²) = 50 within 1 of the arcs; four roundings of 6e-8 each
    # make 1.2e-5.
    x = torch.rand(200, 2, generator=seeded(), dtype=F64) * 2 - 0.5
    single, double = TwoMoons().log_prob(x.float()), TwoMoons().log_prob(x.float().double())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), double, rtol=0, atol=1e-4)


def test_moons_log_prob_is_differentiable():
    x = torch.tensor([[0.2, 0.9], [1.0, 0.5], [2.5, -1.0]], dtype=F64, requires_grad=True)
    assert torch.autograd.gradcheck(TwoMoons().log_prob, (x,))


def test_moons_edge_cases():
    density = moons()
    assert density.log_prob(torch.zeros(0, 2)).shape == (0,)
    assert density.log_prob(torch.zeros(1, 2)).shape == (1,)
    with_nan = density.log_prob(torch.tensor([[0.0, 1.0], [math.nan, 0.0]]))
    assert with_nan.isnan().tolist() == [False, True]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_moons_samples_have_the_dtype_asked_for_and_repeat(dtype):
    density = moons(dtype=dtype)
    before = torch.get_rng_state()
    first, again = (density.sample(5, generator=seeded(7)) for _ in range(2))
    assert first.dtype == dtype
    assert first.shape == (5, 2)
    assert first.equal(again)
    assert torch.get_rng_state().equal(before)


@pytest.mark.parametrize("noise", [0.0, 0.049, -1.0, math.inf, math.nan])
def test_moons_refuse_a_noise_the_quadrature_cannot_resolve(noise):
    with pytest.raises(ArgumentError, match=r"^TwoMoons: noise must be finite and at least 0\.05"):
        moons(noise=noise)


def test_moons_check_their_points():
    with pytest.raises(ShapeError, match=r"must have shape \(batch, features\); got \(2,\)"):
        moons().log_prob(torch.zeros(2))
    with pytest.raises(ShapeError, match=r"must have shape \(batch, 2\); got \(4, 3\)"):
        moons().log_prob(torch.zeros(4, 3))
    with pytest.raises(ArgumentError, match=r"floating point; got torch\.int64"):
        moons().log_prob(torch.zeros(4, 2, dtype=torch.int64))
    with pytest.raises(ArgumentError, match="n must be a whole number of at least 1; got 0"):
        moons().sample(0, generator=seeded())
