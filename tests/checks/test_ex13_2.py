"""Exercise 13-2: the oracles against other routes to the same numbers, and the cases' reach."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, linalg, stats
from torch.distributions import Independent, Normal, kl_divergence

from gm_course.checks import exercise, find_check
from gm_course.checks.calls import Response
from gm_course.checks.expected import Items, Values
from gm_course.checks.gaussians import covariance, diagonal_kl, general_kl
from gm_course.checks.inputs import normal

EPS = np.finfo(np.float64).eps
CHECKS = exercise("13-2").checks


def _cases(name):
    return find_check(name).cases


def _double(case):
    """The case's arguments in float64 NumPy or plain numbers."""
    return [
        value.double().numpy() if isinstance(value, torch.Tensor) else value
        for value in case.call.arguments.values()
    ]


# --- oracles ----------------------------------------------------------------------------------


def test_diagonal_kl_is_the_integral():
    for mu, var in [(0.0, 1.0), (0.7, 0.3), (-2.0, 1e-2), (1.5, 40.0)]:
        q, p = stats.norm(mu, math.sqrt(var)), stats.norm()
        low, high = q.ppf(1e-15), q.ppf(1 - 1e-15)
        integral, _ = integrate.quad(
            lambda z, q=q, p=p: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), low, high, epsabs=1e-12
        )
        exact, _ = diagonal_kl(*torch.tensor([[[mu]], [[var]]], dtype=torch.float64))
        # the tails cut off hold 1e-15 of the mass, where the integrand is at most about 1e3
        assert float(exact[0]) == pytest.approx(integral, abs=1e-11)


def test_diagonal_kl_is_that_of_torch_distributions():
    for case in _cases("gaussian_kl"):
        mu, var = (torch.from_numpy(value) for value in _double(case))
        q = Independent(Normal(mu, var.sqrt()), 1)
        other = kl_divergence(q, Independent(Normal(torch.zeros_like(mu), 1.0), 1))
        _, scale = diagonal_kl(mu, var)
        # both add up d terms with a few roundings each
        assert np.all(np.abs(other.numpy() - case.expected.values.numpy()) <= 32 * EPS * scale)


def test_general_kl_is_a_sum_over_generalised_eigenvalues():
    for case in _cases("gaussian_kl_general"):
        mu1, cov1, mu2, cov2 = _double(case)
        ratios, vectors = linalg.eigh(cov1, cov2)  # vectorsᵀ cov2 vectors = I
        steps = vectors.T @ (mu2 - mu1)
        other = 0.5 * (ratios - 1 - np.log(ratios) + steps**2).sum()
        _, scale = general_kl(*(torch.from_numpy(value) for value in _double(case)))
        # eigh errs by eps·‖·‖: relative to the smallest ratio by eps·(largest/smallest) more
        spread = ratios.max() / ratios.min()
        assert abs(other - float(case.expected.values)) <= 32 * EPS * (float(scale) + spread)


def test_general_kl_of_diagonal_covariances_is_the_diagonal_kl():
    mu, var = (
        normal(1, (5,), dtype=torch.float64),
        torch.tensor([1e-6, 0.1, 1.0, 7.0, 1e6], dtype=torch.float64),
    )
    general, _ = general_kl(mu, var.diag(), torch.zeros_like(mu), torch.eye(5).double())
    (diagonal,), (scale,) = diagonal_kl(mu[None], var[None])
    assert abs(general - diagonal) <= 32 * EPS * scale


def test_general_kl_does_not_change_with_coordinates():
    first = (
        normal(1, (3,), dtype=torch.float64),
        covariance(2, 3, variance=1.0, condition=5.0, dtype=torch.float64),
    )
    second = (
        normal(3, (3,), dtype=torch.float64),
        covariance(4, 3, variance=2.0, condition=5.0, dtype=torch.float64),
    )
    axes = normal(5, (3, 3), dtype=torch.float64)

    def moved(gaussian):
        mean, cov = axes @ gaussian[0] + 1, axes @ gaussian[1] @ axes.T
        return mean, (cov + cov.T) / 2

    before, scale = general_kl(*first, *second)
    after, _ = general_kl(*moved(first), *moved(second))
    # the products themselves err by the condition of the map, squared, times eps
    condition = float(torch.linalg.cond(axes)) ** 2
    assert abs(before - after) <= 64 * EPS * scale * condition


def test_elbo_is_what_scipy_gives():
    for case in _cases("elbo_one_sample"):
        x, mu_g, mu_i, var_i, lam = _double(case)
        log_p = stats.norm.logpdf(x, mu_g, math.sqrt(lam)).sum(-1)
        kl, scale = diagonal_kl(torch.from_numpy(mu_i), torch.from_numpy(var_i))
        scale = scale + np.abs(stats.norm.logpdf(x, mu_g, math.sqrt(lam))).sum(-1) + 14 * x.shape[1]
        other = log_p - np.asarray(kl, dtype=float)
        assert np.all(np.abs(other - case.expected.values.numpy()) <= 32 * EPS * scale)


def test_affine_map_leads_from_the_elbo_to_the_objective():
    for elbo, objective in zip(_cases("elbo_one_sample"), _cases("objective_13_28"), strict=True):
        *_, lam = _double(elbo)
        data_dim = elbo.call.arguments["x"].shape[1]
        b = lam * data_dim / 2 * math.log(2 * math.pi * lam)
        moved = lam * elbo.expected.values + b
        scale = lam * elbo.expected.values.abs() + abs(b) + objective.expected.values.abs()
        assert torch.all((moved - objective.expected.values).abs() <= 32 * EPS * scale)


def test_affine_map_is_the_line_through_two_points():
    # J and ELBO of two reconstructions, D = data_dim: a is the slope, b the rest
    for case in _cases("affine_map"):
        data_dim, lam = case.call.arguments.values()
        elbos = [data_dim * stats.norm.logpdf(error, 0, math.sqrt(lam)) for error in (0.0, 2.0)]
        objectives = [-0.5 * data_dim * error**2 for error in (0.0, 2.0)]
        a = (objectives[1] - objectives[0]) / (elbos[1] - elbos[0])
        b = objectives[0] - lam * elbos[0]
        # the difference of two ELBOs cancels their common constant
        lost = (abs(elbos[0]) + abs(elbos[1])) / abs(elbos[1] - elbos[0])
        assert abs(a - case.expected.items["a"].value) <= 8 * EPS * lam * (1 + lost)
        slack = case.expected.items["b"].tolerance
        assert abs(b - case.expected.items["b"].value) <= slack


def _evidence(case):
    return [item.value for item in case.expected.items.values()]


def test_evidence_is_the_marginal_density():
    for case in _cases("evidence_terms"):
        x, w, lam, _, _ = _double(case)
        total = lam + w @ w
        other = stats.multivariate_normal.logpdf(
            x, np.zeros(len(x)), np.outer(w, w) + lam * np.eye(len(x))
        )
        # the matrix that SciPy decomposes has this condition number
        scale = total / lam * (len(x) + x @ x / lam) + abs(other)
        assert abs(other - _evidence(case)[0]) <= 32 * EPS * scale


def test_evidence_terms_satisfy_the_decomposition():
    for case in _cases("evidence_terms"):
        log_evidence, elbo, kl = _evidence(case)
        slack = case.expected.items["kl"].tolerance
        assert kl >= -slack
        assert abs(log_evidence - elbo - kl) <= slack


def test_elbo_is_its_integral():
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)  # exact: the integrand is quadratic
    weights = weights / weights.sum()
    for case in _cases("evidence_terms"):
        x, w, lam, m, s2 = _double(case)
        z = m + math.sqrt(s2) * nodes
        log_joint = stats.norm.logpdf(x, np.outer(z, w), math.sqrt(lam)).sum(1) + stats.norm.logpdf(
            z
        )
        integral = weights @ (log_joint - stats.norm.logpdf(z, m, math.sqrt(s2)))
        scale = np.abs(log_joint).max() + len(x) * (2 + abs(math.log(lam))) + abs(math.log(s2))
        assert abs(integral - _evidence(case)[1]) <= 64 * EPS * scale


# --- reach of the cases -----------------------------------------------------------------------


def _tensors(check, name):
    found = [case.call.arguments[name] for case in check.cases]
    return [value for value in found if isinstance(value, torch.Tensor)]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_both_dtypes_and_sizes_of_one(check):
    tensors = [
        t
        for case in check.cases
        for t in case.call.arguments.values()
        if isinstance(t, torch.Tensor)
    ]
    if tensors:
        assert {t.dtype for t in tensors} == {torch.float32, torch.float64}
        for axis in range(max(t.ndim for t in tensors)):
            assert any(t.shape[axis] == 1 for t in tensors if t.ndim > axis)
    else:
        assert any(case.call.arguments["data_dim"] == 1 for case in check.cases)


def test_ranges_of_the_contract_are_reached():
    diagonals = torch.cat([cov.diagonal().double() for cov in _tensors(CHECKS[0], "cov1")])
    assert diagonals.min() < 2e-6
    assert diagonals.max() >= 1e6
    assert max(len(cov) for cov in _tensors(CHECKS[0], "cov1")) == 10
    for name, argument in [
        ("gaussian_kl", "var"),
        ("elbo_one_sample", "var_i"),
        ("objective_13_28", "var_i"),
    ]:
        values = torch.cat([var.double().flatten() for var in _tensors(find_check(name), argument)])
        assert values.min() < 2e-6
        assert values.max() > 5e5
    for name in ("elbo_one_sample", "objective_13_28", "affine_map", "evidence_terms"):
        assert {1e-6, 1e6} <= {case.call.arguments["lam"] for case in _cases(name)}
    assert {1e-6, 1e6} <= {case.call.arguments["s2"] for case in _cases("evidence_terms")}


@pytest.mark.parametrize(
    ("name", "argument"),
    [("gaussian_kl", "var"), ("elbo_one_sample", "var_i"), ("objective_13_28", "var_i")],
)
def test_products_of_variances_leave_the_range(name, argument):
    for dtype in (torch.float32, torch.float64):
        variances = [v for v in _tensors(find_check(name), argument) if v.dtype == dtype]
        products = torch.cat([v.prod(1) for v in variances] + [v.sqrt().prod(1) for v in variances])
        assert (products == 0).sum() == (products.isinf()).sum() == 4  # two rows, σ² and σ


@pytest.mark.parametrize("name", ["elbo_one_sample", "evidence_terms"])
def test_powers_of_lam_leave_the_range(name):
    powers = [
        torch.tensor(2 * math.pi * case.call.arguments["lam"], dtype=torch.float64)
        ** case.call.arguments["x"].shape[-1]
        for case in _cases(name)
    ]
    assert sum(power == 0 for power in powers) == sum(power.isinf() for power in powers) == 2


def test_lam_is_not_always_round():
    lams = [case.call.arguments["lam"] for case in _cases("affine_map")]
    assert sum(lam > 0.5 and lam != round(lam) for lam in lams) >= 5


def test_covariances_are_exactly_symmetric_and_positive_definite():
    for case in _cases("gaussian_kl_general"):
        for name in ("cov1", "cov2"):
            cov = case.call.arguments[name]
            assert torch.equal(cov, cov.T)
            assert torch.linalg.eigvalsh(cov.double()).min() > 0


def _response(expected, *, error=0.0):
    """A response with the exact result, but for a relative error."""
    if isinstance(expected, Values):
        return Response((expected.values * (1 + error)).to(expected.dtype))
    assert isinstance(expected, Items)
    return Response(tuple(item.value * (1 + error) for item in expected.items.values()))


def _dtype(expected):
    return (
        expected.dtype if isinstance(expected, Values) else expected.items.copy().popitem()[1].dtype
    )


def _magnitude(expected):
    values = (
        expected.values
        if isinstance(expected, Values)
        else torch.tensor([item.value for item in expected.items.values()])
    )
    return float(values.abs().max())


# Relative errors that no input's conditioning excuses. float32: 32 eps times a condition of 1e2 is
# 4e-4, times 1e3 (lam = 1e-6 in evidence_terms) 4e-3; float64: 32 eps times 1e6 is 7e-9.
KILLING_ERROR = {torch.float32: 2e-2, torch.float64: 2e-7}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_a_small_error_on_any_single_input_is_rejected(check):
    exact = [_response(case.expected) for case in check.cases]
    assert check.judge(exact).status == "passed"
    for index, case in enumerate(check.cases):
        if _magnitude(case.expected) < 1e-3:
            continue  # rounding is relative to the terms, and these cancel
        error = KILLING_ERROR[_dtype(case.expected)]
        spoilt = [*exact]
        spoilt[index] = _response(case.expected, error=error)
        assert check.judge(spoilt).status == "failed", (case.label, error)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_rounding_of_the_result_is_accepted(check):
    for sign in (-1, 1):
        rounded = [
            _response(case.expected, error=sign * 2 * torch.finfo(_dtype(case.expected)).eps)
            for case in check.cases
        ]
        assert check.judge(rounded).status == "passed"


def test_points():
    assert [check.points for check in CHECKS] == [3.0, 2.0, 2.0, 2.0, 2.0, 3.0]
    assert exercise("13-2").max_score == 14.0
    assert exercise("13-2").written_points == 4.0
