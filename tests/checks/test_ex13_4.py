"""The oracles of exercise 13-4 against arithmetic with 60 digits, numerical search and quadrature.

``Decimal`` shares no code and no formula's rounding with the oracles, which use extended precision.
"""

import math
from decimal import Context, Decimal, localcontext

import pytest
import torch
from scipy import integrate, optimize, stats

from gm_course.checks import exercise
from gm_course.checks.expected import Items

CHECKS = {check.name: check for check in exercise("13-4").checks}
WITH_WEIGHTS = ("classifier_objective", "optimal_value")


def _decimals(tensor):
    return [Decimal(value) for value in tensor.tolist()]  # exact, also for float32


def _p_log(p, value):
    if p == 0:
        return Decimal(0)
    return p * value.ln() if value > 0 else Decimal("-Infinity")


def _share(a, b):
    return a / (a + b) if a + b else Decimal("0.5")


def objective(f, p1, p2, weights):
    rows = zip(*map(_decimals, (f, p1, p2, weights)), strict=True)
    return sum(w * (_p_log(a, x) + _p_log(b, 1 - x)) for x, a, b, w in rows)


def derivatives(f, p1, p2):
    rows = list(zip(*map(_decimals, (f, p1, p2)), strict=True))
    return (
        [a / x - b / (1 - x) for x, a, b in rows],
        [-(a * (1 - x) ** 2 + b * x**2) / (x * (1 - x)) ** 2 for x, a, b in rows],
    )


def classifier(p1, p2):
    return [_share(a, b) for a, b in zip(*map(_decimals, (p1, p2)), strict=True)]


def from_logs(log_p1, log_p2):
    return [
        _share(a.exp(), b.exp()) for a, b in zip(*map(_decimals, (log_p1, log_p2)), strict=True)
    ]


def value(p1, p2, weights):
    rows = zip(*map(_decimals, (p1, p2, weights)), strict=True)
    return sum(w * (_p_log(a, _share(a, b)) + _p_log(b, 1 - _share(a, b))) for a, b, w in rows)


def with_prior(p1, p2, prior1):
    prior = Decimal(prior1)
    rows = zip(*map(_decimals, (p1, p2)), strict=True)
    return [_share(prior * a, (1 - prior) * b) for a, b in rows]


ORACLES = {
    "classifier_objective": objective,
    "objective_derivatives": derivatives,
    "optimal_classifier": classifier,
    "optimal_classifier_from_logs": from_logs,
    "optimal_value": value,
    "optimal_classifier_with_prior": with_prior,
}


def _flat(result):
    if isinstance(result, list | tuple):
        return [float(item) for part in result for item in _flat(part)]
    return [float(result)]


@pytest.mark.parametrize("name", CHECKS)
def test_expected_values_agree_with_sixty_digits(name):
    # Decimal's own exponents reach far beyond exp(±1e4).
    with localcontext(Context(prec=60, Emax=10**9, Emin=-(10**9))):
        for case in CHECKS[name].cases:
            exact = _flat(ORACLES[name](*case.call.arguments.values()))
            leaves = [case.expected]
            if isinstance(case.expected, Items):
                leaves = list(case.expected.items.values())
            expected = [x for leaf in leaves for x in leaf.values.reshape(-1).tolist()]
            tolerance = [
                t
                for leaf in leaves
                for t in torch.as_tensor(leaf.tolerance).expand(leaf.values.shape).reshape(-1)
            ]
            assert len(exact) == len(expected)
            for right, got, allowed in zip(exact, expected, tolerance, strict=True):
                # Ten times closer than an answer has to be.
                assert got == right or abs(got - right) <= 0.1 * float(allowed), case.label


@pytest.mark.parametrize("name", CHECKS)
def test_tolerance_is_near_rounding_on_typical_values(name):
    # 32 roundings of terms of size one, some of them with a condition number of ten or so.
    bound = {torch.float32: 2e-3, torch.float64: 2e-9}
    if name != "optimal_classifier_from_logs":  # whose tolerance is the contract's
        bound = {torch.float32: 1e-3, torch.float64: 2e-12}
    for case in CHECKS[name].cases:
        if case.label != "typical values":
            continue
        leaves = (
            case.expected.items.values() if isinstance(case.expected, Items) else [case.expected]
        )
        for leaf in leaves:
            size = leaf.values.abs().clamp(min=1)
            assert bool((torch.as_tensor(leaf.tolerance) <= bound[leaf.dtype] * size).all())


@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_densities_have_mass_one(name):
    for case in CHECKS[name].cases:
        given = case.call.arguments
        for density in (given["p1"], given["p2"]):
            mass = float(given["weights"].double() @ density.double())
            # Weights are rounded before, densities after normalising: half an eps each entry.
            assert abs(mass - 1) <= torch.finfo(density.dtype).eps


def test_optimal_classifier_is_found_by_search():
    case = CHECKS["optimal_classifier"].cases[0]
    p1, p2 = (_as_floats(case.call.arguments[name]) for name in ("p1", "p2"))
    for a, b, expected in zip(p1, p2, case.expected.values.tolist(), strict=True):

        def loss(t, a=a, b=b):
            return -(a * math.log(t) + b * math.log(1 - t))

        found = optimize.minimize_scalar(
            loss, bounds=(1e-9, 1 - 1e-9), method="bounded", options={"xatol": 1e-12}
        )
        # A search through values finds a quadratic optimum to the root of eps, about 1e-8.
        assert found.x == pytest.approx(expected, abs=1e-6)


def test_value_of_two_gaussians_is_that_of_the_integral():
    first, second = stats.norm(-0.7, 1.0), stats.norm(0.9, 1.4)

    def integrand(x):
        a, b = first.pdf(x), second.pdf(x)
        return a * math.log(a / (a + b)) + b * math.log(b / (a + b))

    by_quadrature, _ = integrate.quad(integrand, -12, 12, epsabs=1e-11)
    grid = torch.linspace(-12, 12, 601, dtype=torch.float64)
    weights = torch.full_like(grid, float(grid[1] - grid[0]))
    p1, p2 = torch.from_numpy(first.pdf(grid.numpy())), torch.from_numpy(second.pdf(grid.numpy()))
    with localcontext(Context(prec=40)):
        on_grid = float(value(p1, p2, weights))
    # The rectangle rule converges faster than any power for functions as smooth as this one.
    assert on_grid == pytest.approx(by_quadrature, abs=1e-9)


def _as_floats(tensor):
    return tensor.double().tolist()
