"""Divergences against torch.distributions, scipy, quadrature and each other.

Tolerances. A KL is a sum of terms of size s, each rounded a few times, so its error stays under
8 · eps · (sum of the terms' sizes); the tests compute that sum.
"""

import math

import pytest
import scipy.integrate
import scipy.spatial.distance
import scipy.stats
import torch

from gm_course.divergences import gaussian_kl, gaussian_kl_general, js_divergence, kl_divergence
from gm_course.errors import ArgumentError, ShapeError


def normal(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=dtype)


def covariance(dim, seed):
    root = normal(dim, dim, seed=seed)
    return root @ root.T + 0.5 * torch.eye(dim).double()


def torch_kl(mean, var):
    gaussian = torch.distributions.Normal(mean, var.sqrt())
    prior = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    return torch.distributions.kl_divergence(gaussian, prior).sum(dim=-1)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_gaussian_kl_matches_torch_distributions(dtype):
    mean, var = 3 * normal(50, 6, dtype=dtype), (2 * normal(50, 6, seed=1, dtype=dtype)).exp()
    expected = torch_kl(mean.double(), var.double())
    sizes = (var + mean.square() + 1 + var.log().abs()).sum(dim=-1).double()
    error = (gaussian_kl(mean, var).double() - expected).abs()
    assert (error <= 8 * torch.finfo(dtype).eps * sizes).all()


@pytest.mark.parametrize("var", [1e-6, 1e-3, 1.0, 1e3, 1e6])
def test_gaussian_kl_is_stable_over_twelve_orders_of_magnitude_in_float32(var):
    exact_var = torch.tensor([[var]], dtype=torch.float32)  # what float32 makes of it
    expected = 0.5 * (exact_var.item() + 4 - 1 - math.log(exact_var.item()))
    actual = gaussian_kl(torch.tensor([[2.0]]), exact_var).item()
    assert abs(actual - expected) <= 8 * 1.2e-7 * (var + 5 + abs(math.log(var)))


@pytest.mark.parametrize(("mean", "var"), [(0.0, 1.0), (1.5, 0.2), (-0.3, 4.0)])
def test_gaussian_kl_matches_quadrature(mean, var):
    gaussian = scipy.stats.norm(mean, math.sqrt(var))
    prior = scipy.stats.norm(0, 1)

    def integrand(z):
        return gaussian.pdf(z) * (gaussian.logpdf(z) - prior.logpdf(z))

    width = 12 * math.sqrt(var)
    expected, _ = scipy.integrate.quad(integrand, mean - width, mean + width)
    row = torch.tensor([[mean, var]], dtype=torch.float64)
    actual = gaussian_kl(row[:, :1], row[:, 1:]).item()
    assert abs(actual - expected) < 1.5e-8  # quad's default error


def test_gaussian_kl_is_zero_at_the_prior_and_positive_elsewhere():
    assert gaussian_kl(torch.zeros(2, 3), torch.ones(2, 3)).tolist() == [0.0, 0.0]
    mean, var = 0.1 * normal(200, 2), (0.1 * normal(200, 2, seed=1)).exp()
    assert (gaussian_kl(mean, var) > 0).all()


def test_gaussian_kl_adds_over_coordinates():
    mean, var = normal(5, 3), normal(5, 3, seed=1).exp()
    separate = sum(gaussian_kl(mean[:, [j]], var[:, [j]]) for j in range(3))
    torch.testing.assert_close(gaussian_kl(mean, var), separate)


def test_gaussian_kl_gradient_matches_the_closed_form():
    mean, var = normal(5, 3).requires_grad_(), normal(5, 3, seed=1).exp().requires_grad_()
    gaussian_kl(mean, var).sum().backward()
    torch.testing.assert_close(mean.grad, mean.detach())
    torch.testing.assert_close(var.grad, 0.5 * (1 - 1 / var.detach()))
    assert torch.autograd.gradcheck(gaussian_kl, (mean, var))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda mean, var: gaussian_kl(mean, var.sqrt()),
        lambda mean, var: gaussian_kl(mean, var.log()),
        lambda mean, var: gaussian_kl(mean, var) / mean.shape[-1],
        lambda mean, var: 2 * gaussian_kl(mean, var),
        lambda mean, var: -gaussian_kl(mean, var),
        lambda mean, var: 0.5 * (var + mean.square() - 1 - var.sqrt().log()).sum(dim=-1),
        lambda mean, var: 0.5 * (1 / var + mean.square() / var - 1 + var.log()).sum(dim=-1),
    ],
    ids=["std for var", "log-var for var", "mean for sum", "no half", "sign", "log std", "swapped"],
)
def test_killer_wrong_gaussian_kl_is_caught(wrong):
    mean, var = normal(20, 3), normal(20, 3, seed=1).exp() + 1.1
    difference = (wrong(mean, var) - torch_kl(mean, var)).abs()
    assert (difference > 1e-3).all()


def test_gaussian_kl_at_the_edges():
    mean = torch.zeros(4, 1)
    var = torch.tensor([[0.0], [-1.0], [math.nan], [2.0]])
    kl = gaussian_kl(mean, var)
    assert kl[0] == math.inf
    assert kl.isnan().tolist() == [False, True, True, False]
    assert gaussian_kl(mean[:0], var[:0]).shape == (0,)
    torch.testing.assert_close(gaussian_kl(mean[3:], var[3:]), kl[3:])
    with pytest.raises(ShapeError, match="gaussian_kl: mean and var must have the same shape"):
        gaussian_kl(mean, var[:1])


def general_pair(dim=4):
    return normal(dim), covariance(dim, seed=1), normal(dim, seed=2), covariance(dim, seed=3)


def test_general_kl_matches_torch_distributions():
    mean1, cov1, mean2, cov2 = general_pair()
    first = torch.distributions.MultivariateNormal(mean1, cov1)
    second = torch.distributions.MultivariateNormal(mean2, cov2)
    expected = torch.distributions.kl_divergence(first, second)
    # Both covariances have condition numbers below 100, so 1e-12 leaves a factor 40 over eps · 100.
    torch.testing.assert_close(gaussian_kl_general(*general_pair()), expected, rtol=1e-12, atol=0)
    single = gaussian_kl_general(*[argument.float() for argument in general_pair()])
    torch.testing.assert_close(single.double(), expected, rtol=1e-3, atol=0)


def test_general_kl_contains_the_standard_one():
    mean, var = normal(3), normal(3, seed=1).exp()
    prior = (torch.zeros(3).double(), torch.eye(3).double())
    general = gaussian_kl_general(mean, torch.diag(var), *prior)
    torch.testing.assert_close(general, gaussian_kl(mean[None], var[None])[0])


def test_general_kl_is_zero_only_between_equals_and_not_symmetric():
    mean1, cov1, mean2, cov2 = general_pair()
    assert abs(gaussian_kl_general(mean1, cov1, mean1, cov1).item()) < 1e-12
    forward = gaussian_kl_general(mean1, cov1, mean2, cov2)
    reverse = gaussian_kl_general(mean2, cov2, mean1, cov1)
    assert forward > 0.1
    assert (forward - reverse).abs() > 0.1  # kills swapped arguments


def test_general_kl_does_not_depend_on_the_coordinates():
    mean1, cov1, mean2, cov2 = general_pair()
    A, shift = normal(4, 4, seed=5) + 3 * torch.eye(4).double(), normal(4, seed=6)
    moved = gaussian_kl_general(
        A @ mean1 + shift, A @ cov1 @ A.T, A @ mean2 + shift, A @ cov2 @ A.T
    )
    torch.testing.assert_close(
        moved, gaussian_kl_general(mean1, cov1, mean2, cov2), rtol=1e-10, atol=0
    )


def test_general_kl_gradient_passes_gradcheck():
    mean1, cov1, mean2, cov2 = general_pair(2)
    mean1.requires_grad_()
    root = torch.linalg.cholesky(cov1).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda m, r: gaussian_kl_general(m, r @ r.T, mean2, cov2), (mean1, root)
    )


def test_general_kl_in_one_dimension_is_the_textbook_formula():
    arguments = [torch.tensor(value).double() for value in ([1.0], [[4.0]], [0.0], [[9.0]])]
    expected = math.log(3 / 2) + (4 + 1) / 18 - 0.5
    assert abs(gaussian_kl_general(*arguments).item() - expected) < 1e-14


@pytest.mark.parametrize(
    ("cov", "shown"),
    [
        ([[1.0, 2.0], [2.0, 1.0]], "[[1.0, 2.0], [2.0, 1.0]]"),
        ([[1.0, 0.0], [0.0, 0.0]], "[[1.0, 0.0], [0.0, 0.0]]"),
        ([[2.0, 1.0], [0.0, 2.0]], "[[2.0, 1.0], [0.0, 2.0]]"),
        ([[math.nan, 0.0], [0.0, 1.0]], "[[nan, 0.0], [0.0, 1.0]]"),
    ],
    ids=["indefinite", "singular", "asymmetric", "nan"],
)
def test_general_kl_refuses_what_is_no_covariance(cov, shown):
    mean, good = torch.zeros(2), torch.eye(2)
    for name, pair in (("cov1", (torch.tensor(cov), good)), ("cov2", (good, torch.tensor(cov)))):
        with pytest.raises(ArgumentError) as error:
            gaussian_kl_general(mean, pair[0], mean, pair[1])
        assert str(error.value) == (
            f"gaussian_kl_general: {name} must be symmetric positive definite; got {shown}. "
            "Check that it is a covariance, not its root or its inverse."
        )


def test_general_kl_refuses_shapes_that_do_not_fit():
    mean, cov = torch.zeros(2), torch.eye(2)
    with pytest.raises(ShapeError, match=r"mean1 must have shape \(d,\); got \(1, 2\)"):
        gaussian_kl_general(mean[None], cov, mean, cov)
    with pytest.raises(ShapeError, match="mean1 and mean2 must have the same shape"):
        gaussian_kl_general(mean, cov, torch.zeros(3), cov)
    with pytest.raises(ShapeError) as error:
        gaussian_kl_general(mean, torch.ones(2), mean, cov)
    assert str(error.value) == (
        "gaussian_kl_general: cov1 must have shape (2, 2) to fit the means; got (2,). "
        "For a diagonal covariance pass torch.diag(var)."
    )


def test_general_kl_passes_a_nan_mean_on():
    assert gaussian_kl_general(
        torch.tensor([math.nan]), torch.eye(1), torch.zeros(1), torch.eye(1)
    ).isnan()


# Divergences on a grid. A sum of n terms of total size s is rounded to within n · eps · s at most;
# the cases have n ≤ 4,000 points and s ≤ 20, so 1e-10 is generous for float64.
GRID_TOLERANCE = 1e-10


def probabilities(*shape, seed=0):
    return torch.softmax(normal(*shape, seed=seed), dim=-1)


def gaussian_grid(mean=0.0, std=1.0):
    """Log-density on 4,000 points of [-20, 20]; the trapezoid rule is exact to rounding there."""
    x = torch.linspace(-20, 20, 4_000, dtype=torch.float64)
    weights = torch.full_like(x, 40 / 3_999)
    return -0.5 * ((x - mean) / std) ** 2 - math.log(std * math.sqrt(2 * math.pi)), weights


def test_kl_of_probabilities_matches_scipy():
    p, q = probabilities(5, 30), probabilities(5, 30, seed=1)
    expected = torch.from_numpy(scipy.stats.entropy(p.numpy(), q.numpy(), axis=1))
    actual = kl_divergence(p.log(), q.log(), torch.ones(30).double())
    torch.testing.assert_close(actual, expected, rtol=0, atol=GRID_TOLERANCE)


def test_js_of_probabilities_matches_scipy():
    p, q = probabilities(5, 30), probabilities(5, 30, seed=1)
    p[:, :10], q[:, 5:12] = 0, 0  # points where either or both are zero
    p, q = p / p.sum(dim=1, keepdim=True), q / q.sum(dim=1, keepdim=True)
    distance = scipy.spatial.distance.jensenshannon(p.numpy(), q.numpy(), axis=1)
    actual = js_divergence(p.log(), q.log(), torch.ones(30).double())
    expected = torch.from_numpy(distance**2)  # scipy returns the root
    torch.testing.assert_close(actual, expected, rtol=0, atol=GRID_TOLERANCE)


def test_kl_on_a_grid_matches_the_closed_form():
    log_p, weights = gaussian_grid(0.5, 1.2)
    log_q, _ = gaussian_grid(-1.0, 2.0)
    values = ([0.5], [[1.44]], [-1.0], [[4.0]])
    expected = gaussian_kl_general(*[torch.tensor(v, dtype=torch.float64) for v in values])
    assert abs(kl_divergence(log_p, log_q, weights) - expected) < GRID_TOLERANCE


def test_js_is_symmetric_zero_for_equals_and_log_2_for_disjoint_supports():
    p, q = probabilities(30).log(), probabilities(30, seed=1).log()
    ones = torch.ones(30).double()
    assert abs(js_divergence(p, q, ones) - js_divergence(q, p, ones)) < 1e-15
    assert js_divergence(p, p, ones).abs() < 1e-15
    left = (torch.arange(30) < 15).double() / 15
    right = 1 / 15 - left
    assert abs(js_divergence(left.log(), right.log(), ones) - math.log(2)) < 1e-14
    assert 0 < js_divergence(p, q, ones) < math.log(2)


def test_kl_where_a_density_is_zero():
    p = torch.tensor([0.5, 0.5, 0.0, 0.0]).log()
    q = torch.tensor([0.25, 0.25, 0.5, 0.0]).log()
    ones = torch.ones(4)
    assert kl_divergence(p, q, ones) == pytest.approx(math.log(2), abs=1e-6)
    assert kl_divergence(q, p, ones) == math.inf
    # p > 0 that underflows is still positive: the divergence is infinite, not NaN.
    assert kl_divergence(torch.tensor([0.0, -1e4]), torch.tensor([0.0, -math.inf]), ones[:2]) == (
        math.inf
    )


def test_gradients_exist_where_densities_are_zero():
    logits = normal(6).requires_grad_()
    keep = torch.tensor([True, True, True, True, False, False])

    def log_p():
        return torch.where(keep, logits, -math.inf).log_softmax(dim=0)

    q = torch.tensor([0.2, 0.0, 0.3, 0.1, 0.4, 0.0], dtype=torch.float64).log()
    ones = torch.ones(6).double()
    (gradient,) = torch.autograd.grad(js_divergence(log_p(), q, ones), logits)
    step = 1e-6
    for index in range(6):
        shift = torch.zeros(6).double()
        shift[index] = step
        with torch.no_grad():
            logits += shift
            above = js_divergence(log_p(), q, ones)
            logits -= 2 * shift
            below = js_divergence(log_p(), q, ones)
            logits += shift
        # Central differences: step² of truncation and eps/step = 2e-10 of rounding.
        assert abs(gradient[index] - (above - below) / (2 * step)) < 1e-8


def test_a_nan_stays_in_its_row():
    p = probabilities(2, 5).log()
    q = p.clone()
    q[0, 3] = math.nan
    weights = torch.ones(5).double()
    for divergence in (kl_divergence, js_divergence):
        assert divergence(p, q, weights).isnan().tolist() == [True, False]
        assert divergence(q, p, weights).isnan().tolist() == [True, False]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda p, q, w: 2 * js_divergence(p, q, w),
        lambda p, q, w: kl_divergence(p, q, w) + kl_divergence(q, p, w),
        lambda p, q, w: 0.5 * (kl_divergence(p, q, w) + kl_divergence(q, p, w)),
        lambda p, q, w: js_divergence(p, q, w).sqrt(),
        lambda p, q, w: js_divergence(p, q, w) / math.log(2),
    ],
    ids=["without the half", "Jeffreys", "half Jeffreys", "root", "bits"],
)
def test_killer_wrong_js_is_caught(wrong):
    p, q = probabilities(30), probabilities(30, seed=1)
    expected = scipy.spatial.distance.jensenshannon(p.numpy(), q.numpy()) ** 2
    assert abs(wrong(p.log(), q.log(), torch.ones(30).double()) - expected) > 1e-2


@pytest.mark.parametrize("divergence", [kl_divergence, js_divergence])
def test_grid_divergences_refuse_what_does_not_fit(divergence):
    name = divergence.__name__
    p = torch.zeros(2, 3)
    with pytest.raises(ShapeError, match=f"{name}: log_p and log_q must have the same shape"):
        divergence(p, p[:1], torch.ones(3))
    with pytest.raises(ShapeError, match=f"{name}: log_p must have 4 features"):
        divergence(p, p, torch.ones(4))
    with pytest.raises(ShapeError) as error:
        divergence(p, p, torch.ones(1, 3))
    assert str(error.value) == (
        f"{name}: weights must have shape (n,), one per grid point; got (1, 3). "
        "Flatten the grid of several dimensions."
    )
    with pytest.raises(ArgumentError) as error:
        divergence(p, p, torch.tensor([1.0, 0.0, 2.0]))
    assert str(error.value) == (
        f"{name}: weights must be positive and finite; got 0.0 to 2.0. "
        "Leave out grid points that count nothing."
    )
