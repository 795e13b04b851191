"""The oracles of exercise 13-3 against means that share nothing with them."""

import math

import pytest
import torch
from scipy import integrate, optimize
from torch.distributions import MultivariateNormal, kl_divergence

from gm_course.checks import exercise, find_check
from gm_course.vae import objective_13_28

DOUBLE = torch.float64


def cases(name):
    """Arguments, keywords and expectation of the check's float64 cases."""
    return [
        pytest.param(
            tuple(case.call.arguments.values()), case.call.keywords, case.expected, id=case.label
        )
        for case in find_check(name).cases
        if next(iter(case.call.arguments.values())).dtype is DOUBLE
    ]


@pytest.mark.parametrize(("given", "_keywords", "expected"), cases("autoencoder_objective"))
def test_reconstruction_is_the_limit_of_objective_13_28(given, _keywords, expected):
    x, x_hat = given
    batch = len(x)
    # With lam = 1e-12 the KL, here ½(4 + 1 − log 4), changes the objective by less than 1e-11.
    mean, var = torch.full((batch, 1), 1.0, dtype=DOUBLE), torch.full((batch, 1), 4.0, dtype=DOUBLE)
    limit = objective_13_28(x, x_hat, mean, var, 1e-12)
    # Both sums round, by eps·64 dimensions relative at most.
    torch.testing.assert_close(expected.values, limit, rtol=2e-14, atol=1e-11)


@pytest.mark.parametrize(("given", "_keywords", "expected"), cases("optimal_posterior_variance"))
def test_variance_maximises_the_expected_objective_13_28(given, _keywords, expected):
    w, lam = given
    x = torch.linspace(-1.0, 1.0, len(w), dtype=DOUBLE)[None]
    mean = 0.3

    def expected_objective(log_var):
        """(13.28), averaged over z by the two-point rule, exact for quadratics in z."""
        var = torch.tensor([[log_var]], dtype=DOUBLE).exp()
        centre = torch.full((1, 1), mean, dtype=DOUBLE)
        nodes = [mean + sign * var.sqrt() for sign in (-1, 1)]
        values = [objective_13_28(x, z * w[None], centre, var, lam) for z in nodes]
        return float(sum(values) / 2)

    best = float(torch.tensor(expected.value, dtype=DOUBLE).log())
    # In log σ² the objective has curvature lam/2 at its maximum: 0.3 away it is lower by about
    # lam/2·0.3²/2 = 0.0225·lam. That is seen where the rest, of size J, rounds to less.
    top = expected_objective(best)
    if 0.01 * lam > 1e-14 * abs(top):
        assert top > expected_objective(best - 0.3) + 0.01 * lam
        assert top > expected_objective(best + 0.3) + 0.01 * lam


def test_variance_agrees_with_a_numerical_maximum():
    (case,) = [
        case
        for case in find_check("optimal_posterior_variance").cases
        if case.label == "four dimensions" and case.call.arguments["w"].dtype is DOUBLE
    ]
    w, lam = case.call.arguments["w"].numpy(), case.call.arguments["lam"]

    def loss(var):
        def integrand(z):
            density = math.exp(-((z - 0.7) ** 2) / (2 * var)) / math.sqrt(2 * math.pi * var)
            return density * 0.5 * ((1.0 - z * w) ** 2).sum()

        spread = 12 * math.sqrt(var)
        square, _ = integrate.quad(integrand, 0.7 - spread, 0.7 + spread)
        return square + lam * 0.5 * (var + 0.7**2 - 1 - math.log(var))

    found = optimize.minimize_scalar(loss, bounds=(1e-3, 1.0), options={"xatol": 1e-8}).x
    # quad's relative error 1.5e-8 moves a flat minimum by its square root at most.
    assert found == pytest.approx(case.expected.value, rel=1e-3)


@pytest.mark.parametrize(("given", "_keywords", "expected"), cases("aggregate_moments"))
def test_moments_are_those_of_a_sigma_point_sample(given, _keywords, expected):
    mu, var = given
    count, dim = mu.shape
    # 2d points per component, mu ± √(d·var_j) e_j, have its mean and covariance exactly.
    steps = (dim * var).sqrt().diag_embed()  # (N, d, d)
    points = torch.cat([mu[:, None] + steps, mu[:, None] - steps], dim=1).reshape(-1, dim)
    mean = points.mean(0)
    cov = torch.cov(points.T, correction=0).reshape(dim, dim)
    # √, square and the 2d·N-term sum: some 100·eps of the largest squared point, 1e7 here.
    scale = float(points.abs().max()) ** 2 + 1
    torch.testing.assert_close(expected.items["mean"].values, mean, rtol=0, atol=1e-13 * scale**0.5)
    torch.testing.assert_close(expected.items["cov"].values, cov, rtol=0, atol=1e-13 * scale)
    assert points.shape == (2 * dim * count, dim)


@pytest.mark.parametrize(("given", "_keywords", "expected"), cases("prior_gap"))
def test_gap_agrees_with_torch_distributions(given, _keywords, expected):
    mean, cov = given
    prior = MultivariateNormal(torch.zeros_like(mean), torch.eye(len(mean), dtype=DOUBLE))
    other = kl_divergence(MultivariateNormal(mean, cov), prior)
    assert abs(expected.values - other) <= expected.tolerance
    # The tolerance itself is no loophole: far below what float32 arithmetic would leave.
    assert expected.tolerance <= 1e-7 * (1 + expected.values)


@pytest.mark.parametrize(("given", "keywords", "expected"), cases("active_units"))
def test_units_agree_with_torch_and_keep_off_the_threshold(given, keywords, expected):
    (mu,) = given
    threshold = keywords.get("threshold", 0.01)
    if len(mu) == 1:
        assert not expected.values.any()
        return
    var = mu.var(0)
    assert torch.equal(expected.values.bool(), var > threshold)
    # At a threshold of 0 a constant 0 is the only variance below 1.35 times it, and exact.
    assert ((var > 1.35 * threshold) | (var < 0.65 * threshold) | (mu == 0).all(0)).all()


def test_some_case_tells_n_from_n_minus_one():
    told = [
        ((mu.var(0) > limit) != (mu.var(0, correction=0) > limit)).any()
        for case in find_check("active_units").cases
        for mu, limit in [(case.call.arguments["mu_i"], case.call.keywords.get("threshold", 0.01))]
        if len(mu) > 1
    ]
    assert sum(told) >= 4


def test_thresholds_reach_zero():
    thresholds = {
        case.call.keywords["threshold"]
        for case in find_check("active_units").cases
        if "threshold" in case.call.keywords
    }
    assert {0.0, 1e-6, 1e-4, 4.0} <= thresholds


def test_points_of_the_exercise():
    found = exercise("13-3")
    assert [(check.name, check.points) for check in found.checks] == [
        ("autoencoder_objective", 2.0),
        ("optimal_posterior_variance", 3.0),
        ("aggregate_moments", 3.0),
        ("prior_gap", 2.0),
        ("active_units", 2.0),
    ]
    assert (found.max_score, found.written_points) == (12.0, 4.0)
    assert all(len(check.misconceptions) >= 10 for check in found.checks)
