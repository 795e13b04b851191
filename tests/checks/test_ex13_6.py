"""Exercise 13-6: the oracles against other routes to the same numbers, and the cases' reach."""

import math
import re

import numpy as np
import pytest
import torch
from scipy import optimize, stats

from gm_course.checks import exercise, find_check
from gm_course.checks.comparison import compare
from gm_course.checks.ex13_6_measures import (
    distances,
    optimal_cost,
    pairs_of_measures,
    steepest_potential,
    transport_plan,
)

EPS = np.finfo(np.float64).eps
CHECKS = exercise("13-6").checks
MEASURES = pairs_of_measures(torch.float64)


def _cases(name):
    return [c for c in find_check(name).cases if _first(c).dtype == torch.float64]


def _first(case):
    return next(iter(case.call.arguments.values()))


# --- oracles ----------------------------------------------------------------------------------


def _by_linear_programme(p, q, cost):
    n, m = cost.shape
    equations = np.vstack([np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))])
    solved = optimize.linprog(cost.ravel(), A_eq=equations, b_eq=np.concatenate([p, q]))
    return solved.fun


def test_optimal_cost_is_that_of_the_linear_programme():
    for case in _cases("wasserstein_primal"):
        p, q, cost = (value.numpy() for value in case.call.arguments.values())
        value = case.expected.form.items["value"]
        # HiGHS keeps constraints to 1e-7; on a vertex it is far better
        assert abs(_by_linear_programme(p, q, cost) - float(value.values)) <= 1e-8 * cost.max()


def test_optimal_cost_of_unequal_marginals_by_hand():
    # 3 of 4 units at the first source, 1 of 2 halves wanted at each target: 2/4 stay, 1/4 moves
    cost = np.array([[0.0, 1.0], [5.0, 0.0]])
    assert optimal_cost((3, 1), (2, 2), cost) == 0.25


def test_optimum_on_a_line_is_scipys_wasserstein_distance():
    given = MEASURES["points on a line, unordered"]
    line = given.points[:, 0].numpy()
    other = stats.wasserstein_distance(line, line, given.p.numpy(), given.q.numpy())
    assert given.optimum == pytest.approx(other, rel=8 * EPS)


def test_area_is_scipys_wasserstein_distance():
    for case in _cases("wasserstein_1d"):
        points, p, q = (value.numpy() for value in case.call.arguments.values())
        other = stats.wasserstein_distance(points, points, p, q)
        # n masses are added up, and n areas
        size = np.abs(points).max() + np.ptp(points)
        assert abs(other - float(case.expected.values)) <= 4 * len(points) * EPS * size


@pytest.mark.parametrize("label", MEASURES)
def test_potential_meets_plan(label):
    given = MEASURES[label]
    lengths = torch.from_numpy(given.distances.astype(float))
    f = steepest_potential(given.p, given.q, lengths)
    plan = transport_plan(given.p, given.q, lengths)
    slack = 1e-8 * float(lengths.max())
    assert float(((given.p - given.q) * f).sum()) == pytest.approx(given.optimum, abs=slack)
    assert float((plan * lengths).sum()) == pytest.approx(given.optimum, abs=slack)


def test_totals_of_p_and_q_agree():
    for check in CHECKS:
        for case in check.cases:
            given = case.call.arguments
            if {"p", "q"} <= given.keys():
                for masses in (given["p"], given["q"]):
                    eps = torch.finfo(masses.dtype).eps
                    assert abs(float(masses.double().sum()) - 1) <= len(masses) * eps


def test_k_lipschitz_value_is_that_of_the_programme_with_these_limits():
    for case in _cases("k_lipschitz_value"):
        p, q, points, k = case.call.arguments.values()
        f = steepest_potential(p, q, k * torch.cdist(points, points))
        size = max(k, 1e-3) * float(torch.cdist(points, points).max())
        assert abs(float(((p - q) * f).sum()) - float(case.expected.values)) <= 1e-8 * size


def test_gap_is_the_expected_slack():
    for case in _cases("duality_gap"):
        f, plan, points = (value.numpy() for value in case.call.arguments.values())
        slack = sum(
            plan[i, j] * (math.dist(points[i], points[j]) - f[i] + f[j])
            for i in range(len(f))
            for j in range(len(f))
        )
        scale = np.abs(f).max() + np.abs(points).max()
        assert abs(slack - float(case.expected.values)) <= 64 * EPS * scale


def test_gap_of_an_optimal_pair_is_zero():
    (case,) = [c for c in _cases("duality_gap") if "optimal" in c.label]
    assert abs(float(case.expected.values)) <= 4 * EPS


def test_given_potentials_are_lipschitz():
    for case in find_check("lipschitz_extension").cases:
        points, f, _ = case.call.arguments.values()
        steps = np.abs(f.double().numpy()[:, None] - f.double().numpy())
        eps = torch.finfo(f.dtype).eps
        # f itself is rounded
        assert (steps <= distances(points) + 2 * eps * float(f.abs().max())).all()


# --- rules: sharp from both sides -------------------------------------------------------------


def _kinds(case, value):
    return [finding.kind for finding in compare(case.expected, value)]


def test_every_mixture_of_two_optimal_plans_passes():
    (case,) = [c for c in _cases("wasserstein_primal") if c.label == "several optimal plans"]
    p, q, cost = case.call.arguments.values()
    jitter = torch.tensor([[3.0, 1, 2, 0], [0, 2, 1, 3], [1, 0, 3, 2]], dtype=p.dtype) * 1e-3
    first, second = (transport_plan(p, q, cost + sign * jitter) for sign in (1, -1))
    assert not torch.allclose(first, second)
    for share in (0.0, 0.3, 1.0):
        plan = share * first + (1 - share) * second
        assert _kinds(case, ((plan * cost).sum(), plan)) == []


@pytest.mark.parametrize("amount", [1e-3, -1e-3])
def test_a_plan_that_moves_too_much_anywhere_is_caught(amount):
    case = _cases("wasserstein_primal")[0]
    p, q, cost = case.call.arguments.values()
    plan = transport_plan(p, q, cost)
    value = (plan * cost).sum()
    assert _kinds(case, (value, plan)) == []
    for cell in range(cost.numel()):
        changed = plan.clone()
        changed.view(-1)[cell] += amount
        assert _kinds(case, (value, changed)) == ["rule"]


def test_both_extreme_extensions_pass_and_anything_beyond_does_not():
    for case in _cases("lipschitz_extension"):
        points, f, queries = case.call.arguments.values()
        reach = torch.linalg.vector_norm(queries[:, None] - points, dim=-1)
        upper, lower = (f + reach).amin(1), (f - reach).amax(1)
        assert (lower <= upper + 1e-12).all()
        assert _kinds(case, upper) == []
        assert _kinds(case, lower) == []
        assert _kinds(case, 0.25 * lower + 0.75 * upper) == []
        step = torch.zeros_like(upper)
        step[-1] = 1e-3 * (1 + reach.max())
        assert _kinds(case, upper + step) == ["rule"]
        assert _kinds(case, lower - step) == ["rule"]


def test_a_potential_may_be_shifted_but_not_steepened():
    for case in _cases("wasserstein_dual")[:6]:
        p, q, points = case.call.arguments.values()
        f = steepest_potential(p, q, torch.cdist(points, points))
        value = ((p - q) * f).sum()
        assert _kinds(case, (value, f + 3)) == []
        assert _kinds(case, (value, f.mean() - (f - f.mean()))) == ["rule"]
        assert _kinds(case, (value, f * (1 + 1e-5))) == ["rule"]
        assert _kinds(case, (value * (1 + 1e-5), f)) == ["value"]


def test_a_huge_constant_does_not_buy_tolerance():
    case = _cases("wasserstein_dual")[0]
    value = case.expected.form.items["value"].values
    f = torch.full((5,), 1e12, dtype=torch.float64)
    assert _kinds(case, (value, f)) == ["rule"]


def test_a_constant_costs_digits_but_hides_no_slope():
    cases = [c for c in find_check("wasserstein_dual").cases if _first(c).dtype == torch.float32]
    for case in cases[:3] + [c for c in cases if "0.001" in c.label]:
        p, q, points = (value.double() for value in case.call.arguments.values())
        f = steepest_potential(p, q, torch.cdist(points, points))
        value = ((p - q) * f).sum().float()
        assert _kinds(case, (value, (f + 2).float())) == []
        (finding,) = compare(case.expected, (value, (1.01 * f + 2).float()))
        # Not two numbers that look the same.
        assert re.search(
            r"exceeds the distance of the points by (1|1\.0\d?|0\.9\d+) %", finding.returned
        )


# --- reach of the cases -----------------------------------------------------------------------


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_both_dtypes_and_sizes_of_one(check):
    tensors = [
        value
        for case in check.cases
        for value in case.call.arguments.values()
        if isinstance(value, torch.Tensor)
    ]
    assert {tensor.dtype for tensor in tensors} == {torch.float32, torch.float64}
    names = {name for case in check.cases for name in case.call.arguments} - {"k"}
    for name in names:
        shapes = [c.call.arguments[name].shape for c in check.cases]
        assert any(1 in shape for shape in shapes)


def test_ranges_of_the_contract_are_reached():
    largest = {check.name: max(len(_first(case)) for case in check.cases) for check in CHECKS}
    assert largest == {
        "wasserstein_primal": 12,
        "wasserstein_dual": 12,
        "wasserstein_1d": 40,
        "c_transform": 40,
        "lipschitz_extension": 40,
        "duality_gap": 40,
        "k_lipschitz_value": 12,
    }
    slopes = {case.call.arguments["k"] for case in find_check("k_lipschitz_value").cases}
    assert 0 in slopes
    for name in ("wasserstein_primal", "wasserstein_dual", "wasserstein_1d"):
        assert any((case.call.arguments["p"] == 0).any() for case in find_check(name).cases)
        assert any((case.call.arguments["q"] == 0).any() for case in find_check(name).cases)


def test_points_are_distinct():
    for name in ("wasserstein_dual", "k_lipschitz_value"):
        for case in find_check(name).cases:
            points = case.call.arguments["points"]
            assert len(points.unique(dim=0)) == len(points)
