"""Exercise 13-5: its oracles by other routes, the cases' reach, and how pairs are judged."""

import itertools
import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from gm_course.checks import exercise, find_check
from gm_course.checks.ex13_5_pairs import chord_excess

EPS = np.finfo(np.float64).eps
DOMAINS = {1: (-1, 1), 2: (-1e6, 1e6), 3: (-1e6, 1e6), 4: (0, 1)}


def _cases(name):
    return find_check(name).cases


def _double_cases(name):
    return [case for case in _cases(name) if case.expected.dtype == torch.float64]


# --- chords -----------------------------------------------------------------------------------


def _decimal(number, x):
    x = Decimal(x)
    return {1: x * x, 2: x * x, 3: (x * x + 1).sqrt(), 4: x.sqrt() if x >= 0 else x}[number]


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_chord_excess_agrees_with_hundred_digits(data):
    number = data.draw(st.sampled_from([1, 2, 3, 4]))
    low, high = DOMAINS[number]
    a, b = (data.draw(st.floats(low, high, allow_subnormal=False)) for _ in "ab")
    slope = data.draw(st.floats(1e-6, 1e9))
    if a == b or min(abs(a), abs(b), abs(a - b)) < 1e-30:
        return
    with localcontext(prec=200):
        rise = abs(_decimal(number, a) - _decimal(number, b))
        run = Decimal(slope) * abs(Decimal(a) - Decimal(b))
        # Two hundred digits, of which cancellation costs fewer than eighty here.
        if abs(rise - run) <= Decimal("1e-100") * (rise + run):
            return
        excess = 1 if rise > run else -1
    assert chord_excess(number, Fraction(a), Fraction(b), Fraction(slope)) == excess


@pytest.mark.parametrize(
    ("number", "a", "b", "slope"),
    [
        (1, Fraction(1), Fraction(1, 2), Fraction(3, 2)),
        (2, Fraction(5), Fraction(2), Fraction(7)),
        (3, Fraction(3, 4), Fraction(4, 3), Fraction(5, 7)),  # f = 5/4 and 5/3
        (3, Fraction(-1), Fraction(1), Fraction(0)),
        (4, Fraction(0), Fraction(1, 9), Fraction(3)),
        (4, Fraction(1, 4), Fraction(1, 16), Fraction(4, 3)),
    ],
)
def test_chord_excess_at_equality_and_a_hair_off(number, a, b, slope):
    hair = Fraction(1, 10**40)
    assert chord_excess(number, a, b, slope) == 0
    assert chord_excess(number, b, a, slope) == 0
    assert chord_excess(number, a, b, slope + hair) == -1
    assert chord_excess(number, a, b, slope - hair) == 1


def test_pairs_are_judged_exactly_where_floats_cannot_tell():
    steep, extremal = find_check("steep_pair"), find_check("near_extremal_pair")
    # Floats round 1/slope² to either side; the one below is right and its neighbour is not.
    for slope in (3.0, 10.0, 123.456, 7.3e8, 1e9):
        case = next(c for c in steep.cases if c.call.arguments == {"number": 4, "slope": slope})
        b = float(1 / Fraction(slope) ** 2)
        below = b if Fraction(b) < 1 / Fraction(slope) ** 2 else math.nextafter(b, 0)
        assert case.expected.broken_by((0.0, below)) == ""
        assert case.expected.broken_by((0, math.nextafter(below, 1))) != ""
    case = next(c for c in extremal.cases if c.call.arguments == {"number": 1, "eps": 1e-12})
    # 1 − 1e-12 rounds to a multiple of 2^-53: one neighbour is steep enough, the other is not.
    near = 1 - 1e-12
    verdicts = [case.expected.broken_by((1, near + k * 2**-53)) == "" for k in (-1, 0, 1)]
    assert verdicts == sorted(verdicts)
    assert {True, False} <= set(verdicts)


def test_ranges_of_the_contract_are_reached():
    slopes = [case.call.arguments["slope"] for case in _cases("steep_pair")]
    epsilons = [case.call.arguments["eps"] for case in _cases("near_extremal_pair")]
    assert (min(slopes), max(slopes)) == (1e-6, 1e9)
    assert min(epsilons) == 1e-12
    shapes = [tuple(case.call.arguments["x"].shape) for case in _cases("empirical_lipschitz")]
    assert max(n for n, _ in shapes) == 40
    assert min(n for n, _ in shapes) == 2
    assert {d for _, d in shapes} >= {1, 10}
    widths = [[w.shape for w in c.call.arguments["weights"]] for c in _cases("mlp_lipschitz_bound")]
    assert {len(shapes) for shapes in widths} >= {1, 2, 3}
    assert any((1, 1) in shapes for shapes in widths)
    for shapes in widths:  # layers fit together
        assert all(out == inp for (out, _), (_, inp) in itertools.pairwise(shapes))


def test_points():
    checks = exercise("13-5").checks
    assert [check.points for check in checks] == [2, 2, 3, 2, 2, 2]
    assert exercise("13-5").written_points == 4


# --- constants --------------------------------------------------------------------------------


def test_finite_constants_are_suprema_of_derivatives():
    entries = find_check("lipschitz_constants").cases[0].expected.entries
    on_interval = optimize.minimize_scalar(lambda x: -abs(2 * x), bounds=(0.5, 1), method="bounded")
    assert entries[1].value == pytest.approx(-on_interval.fun, rel=1e-4)  # optimiser's xatol: 1e-5
    assert entries[3].value == pytest.approx(1e9 / math.hypot(1e9, 1), rel=1e-15)
    assert entries[2].value == entries[4].value == math.inf


def test_every_constant_is_worth_a_quarter():
    check = find_check("lipschitz_constants")
    right = {1: 2.0, 2: math.inf, 3: 1.0, 4: math.inf}
    for count in range(5):
        answer = {k: v if k > count else -1.0 for k, v in right.items()}
        verdict = check.grade(lambda answer=answer: answer)
        assert verdict.score == pytest.approx(2 - count / 2)
        assert (verdict.status == "passed") == (count == 0)


def test_half_a_pair_check_is_worth_half():
    for name, right, wrong in [
        ("steep_pair", 2, 4),
        ("steep_pair", 4, 2),
        ("near_extremal_pair", 1, 3),
        ("near_extremal_pair", 3, 1),
    ]:
        check = find_check(name)

        def answer(number, asked, right=right):
            if number != right:
                raise ValueError(number)
            small = 0.2 * min(asked, 1.0)
            return {
                2: (0, asked + 1),
                4: (0, (asked + 1) ** -2),
                1: (1, 1 - small),
                3: (1 / small, 2 / small),
            }[number]

        verdict = check.grade(answer)
        assert verdict.score == check.points / 2
        assert verdict.status == "failed"
        assert f"number={wrong}" in verdict.text


# --- empirical_lipschitz ----------------------------------------------------------------------


def test_empirical_oracle_is_the_largest_slope_over_fractions():
    for case in _cases("empirical_lipschitz"):
        x, y = (
            np.vectorize(Fraction, otypes=[object])(value.tolist())
            for value in case.call.arguments.values()
        )
        best = Fraction(0)  # the square of the slope is rational
        for i, j in itertools.combinations(range(len(x)), 2):
            square = ((x[i] - x[j]) ** 2).sum()
            if square:
                best = max(best, (y[i] - y[j]) ** 2 / square)
        exact = math.sqrt(best)
        # the oracle rounds a few times, in float64 at worst
        assert float(case.expected.values) == pytest.approx(exact, rel=8 * EPS, abs=0)


def test_empirical_tolerance_is_tight():
    for case in _double_cases("empirical_lipschitz"):
        # A slope of 3 with 10 digits is the least that any case asks for.
        assert float(case.expected.tolerance) <= 1e-10 * float(case.expected.values)


def test_distinct_points_may_be_a_hair_apart():
    slopes = {
        (case.label, case.call.arguments["x"].dtype): float(case.expected.values)
        for case in find_check("empirical_lipschitz").cases
    }
    assert 1e8 < slopes["two points a hair apart", torch.float64] <= 1e9
    assert slopes["two points a hair apart", torch.float32] > 1e5


# --- mlp_lipschitz_bound and clipping_bound ---------------------------------------------------


def test_spectral_oracle_on_known_singular_values():
    by_label = {case.label: case for case in _double_cases("mlp_lipschitz_bound")}
    assert float(by_label["one number"].expected.values) == 2.5
    assert float(by_label["a layer of zeros"].expected.values) == 0
    # (1, 4; 0, 1) has the singular values √5 ± 2
    assert float(by_label["a shear"].expected.values) == pytest.approx(
        2 + math.sqrt(5), rel=EPS * 4
    )
    assert float(by_label["orthogonal layers"].expected.values) == pytest.approx(1, rel=EPS * 16)
    case = by_label["a layer of rank one"]
    frobenius = torch.linalg.vector_norm(case.call.arguments["weights"][0])
    assert float(case.expected.values) == pytest.approx(float(frobenius), rel=EPS * 16)


def test_spectral_oracle_is_the_root_of_the_largest_eigenvalue():
    for case in _cases("mlp_lipschitz_bound"):
        weights = [weight.double().numpy() for weight in case.call.arguments["weights"]]
        eigenvalues = [np.linalg.eigvalsh(weight @ weight.T)[-1] for weight in weights]
        # an eigenvalue errs by the matrix's size times eps
        other = math.sqrt(max(np.prod(eigenvalues), 0))
        assert float(case.expected.values) == pytest.approx(other, rel=200 * EPS, abs=0)


def test_bounds_hold_for_relu_networks():
    for case in _double_cases("mlp_lipschitz_bound"):
        weights = case.call.arguments["weights"]
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(50, weights[0].shape[1], generator=generator, dtype=torch.float64)
        h = x
        for weight in weights[:-1]:
            h = torch.relu(h @ weight.T)
        y = h @ weights[-1].T
        slopes = torch.pdist(y) / torch.pdist(x)
        assert slopes.max() <= case.expected.values * (1 + 1e-12)


def test_clipping_bound_is_attained_by_constant_matrices():
    for case in _cases("clipping_bound"):
        shapes, c = case.call.arguments.values()
        norms = [np.linalg.norm(np.full(shape, c), 2) for shape in shapes]
        assert case.expected.value == pytest.approx(math.prod(norms), rel=1e-13)


def test_clipping_bound_holds_for_random_signs():
    for case in _cases("clipping_bound")[:5]:
        shapes, c = case.call.arguments.values()
        shapes = [shape for shape in shapes if math.prod(shape) <= 10_000]
        generator = np.random.default_rng(0)
        for shape in shapes:
            weight = c * generator.choice([-1.0, 1.0], size=shape)
            assert np.linalg.norm(weight, 2) <= c * math.sqrt(math.prod(shape)) * (1 + 1e-12)
