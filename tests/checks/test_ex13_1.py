"""Exercise 13-1: the oracles against other routes to the same numbers, and the cases' reach."""

import numpy as np
import pytest
import torch
from scipy import optimize, special, stats
from torch.distributions import Categorical
from torch.func import jacrev

from gm_course.checks import exercise, find_check
from gm_course.checks.calls import Response
from gm_course.checks.ex13_1_categorical import probabilities, scores

EPS = np.finfo(np.float64).eps
CHECKS = exercise("13-1").checks


def _cases(name):
    """Cases, each with its arguments in float64 NumPy (integers as they are)."""
    return [(case, [_double(v) for v in case.call.arguments.values()]) for case in CASES[name]]


def _double(value):
    if not isinstance(value, torch.Tensor):
        return value
    return value.double().numpy() if value.is_floating_point() else value.numpy()


CASES = {check.name: check.cases for check in CHECKS}


# --- oracles ----------------------------------------------------------------------------------


def test_probabilities_are_scipys():
    for _, (logits, _) in _cases("expectation_gradient"):
        exact = probabilities(torch.from_numpy(logits))
        # SciPy subtracts the maximum exactly here or errs by eps of the difference
        slack = 8 * EPS * (1 + np.abs(logits).max())
        assert np.allclose(exact.astype(float), special.softmax(logits), rtol=slack, atol=0)


def test_scores_are_the_jacobian_of_log_softmax():
    for _, (logits, _) in _cases("expectation_gradient"):
        parameters = torch.from_numpy(logits)
        jacobian = jacrev(lambda x: x.log_softmax(0))(parameters).numpy()
        slack = 8 * EPS * (1 + np.abs(logits).max())
        assert np.abs(scores(parameters).astype(float) - jacobian).max() <= slack


def test_scores_have_expectation_zero_and_fisher_covariance():
    logits = torch.tensor([0.3, -1.0, 2.0, 0.0], dtype=torch.float64)
    p, rows = probabilities(logits), scores(logits)
    assert np.abs(p @ rows).max() < 4 * EPS
    fisher = np.diag(p) - np.outer(p, p)  # the Hessian of the log normaliser
    assert np.abs((p[:, None] * rows).T @ rows - fisher).max() < 4 * EPS


def test_gradient_is_the_derivative_of_the_expectation():
    for case, (logits, f) in _cases("expectation_gradient"):
        parameters = torch.from_numpy(logits).requires_grad_(True)
        expectation = Categorical(logits=parameters).probs @ torch.from_numpy(f)
        (other,) = torch.autograd.grad(expectation, parameters)
        slack = 32 * EPS * (1 + np.abs(logits).max()) * np.abs(f).max()
        assert (other - case.expected.values).abs().max() <= slack


def test_gradient_is_a_difference_quotient_of_the_expectation():
    for case, (logits, f) in _cases("expectation_gradient"):
        if np.abs(logits).max() > 20:
            continue
        step = 1e-5
        for k in range(len(f)):
            up, down = (special.softmax(logits + s * np.eye(len(f))[k]) @ f for s in (step, -step))
            # third derivatives of a softmax are below 1; rounding eps/step
            slack = np.abs(f).max() * (step**2 + 4 * EPS / step)
            assert abs((up - down) / (2 * step) - float(case.expected.values[k])) <= slack


def test_terms_average_to_the_gradient_whatever_the_baseline():
    # Enumeration: each category once, weighted by its probability, is the exact expectation.
    for logits, f in (arguments for _, arguments in _cases("expectation_gradient")):
        parameters = torch.from_numpy(logits)
        p, rows = probabilities(parameters), scores(parameters)
        exact = p @ (f[:, None] * rows)
        for baseline in (0.0, -3.0, 7.5):
            mean = p @ ((f - baseline)[:, None] * rows)
            slack = 8 * EPS * (np.abs(f).max() + abs(baseline)) * len(f)
            assert np.abs(mean - exact).max() <= slack


def test_terms_are_products_of_value_and_autograd_score():
    for case, (logits, f, z) in _cases("score_function_terms"):
        baseline = case.call.keywords.get("baseline", 0.0)
        for row, k in enumerate(z.tolist()):
            parameters = torch.from_numpy(logits).requires_grad_(True)
            (score,) = torch.autograd.grad(parameters.log_softmax(0)[k], parameters)
            other = (f[k] - baseline) * score
            slack = 16 * EPS * (1 + np.abs(logits).max()) * (abs(f[k]) + abs(baseline))
            assert (other - case.expected.values[row]).abs().max() <= slack


def _total_variance(logits, f, baseline):
    p, rows = special.softmax(logits), np.eye(len(f)) - special.softmax(logits)
    terms = (f - baseline)[:, None] * rows
    return float(p @ ((terms - p @ terms) ** 2).sum(1))


def test_baseline_is_the_vertex_of_the_total_variance():
    for case, (logits, f) in _cases("optimal_baseline"):
        if np.ptp(f) == 0:
            assert float(case.expected.values) == pytest.approx(f[0], rel=4 * EPS)
            continue
        centre, width = f.mean(), np.ptp(f)
        low, middle, high = (_total_variance(logits, f, centre + s * width) for s in (-1, 0, 1))
        vertex = centre + width * (low - high) / (2 * (low + high - 2 * middle))
        # where one probability is almost 1 the variances are of the size of what is left of it
        rest = 1 - special.softmax(logits).max()
        assert abs(vertex - float(case.expected.values)) <= 256 * EPS / rest * (
            width + np.abs(f).max()
        )


def test_baseline_is_where_scipy_finds_the_minimum():
    for case, (logits, f) in _cases("optimal_baseline"):
        found = optimize.minimize_scalar(
            lambda b, logits=logits, f=f: _total_variance(logits, f, b),
            bounds=(f.min() - 1, f.max() + 1),
            method="bounded",
            options={"xatol": 1e-9 * (1 + np.ptp(f))},
        )
        # a minimum is found to the square root of the precision of the heights
        assert abs(found.x - float(case.expected.values)) <= 1e-5 * (1 + np.abs(f).max())


def test_samples_are_a_softmax_of_perturbed_logits():
    for case, (logits, u, temperature) in _cases("gumbel_softmax"):
        noise = stats.gumbel_r.ppf(u)
        other = special.softmax((logits + noise) / temperature, axis=1)
        slack = 16 * EPS * (1 + np.abs(logits).max() + np.abs(noise).max()) / temperature
        assert np.abs(other - case.expected.values.numpy()).max() <= slack


def test_gumbel_gradient_is_autograds():
    for case, (logits, u, temperature) in _cases("gumbel_softmax"):
        if case.call.derivative is None:
            continue
        parameters = torch.from_numpy(logits).requires_grad_(True)
        noise = torch.from_numpy(stats.gumbel_r.ppf(u))
        samples = ((parameters + noise) / temperature).softmax(1)
        weights = case.call.derivative.weights.double()
        (other,) = torch.autograd.grad((weights * samples).sum(), parameters)
        relative = EPS * (1 + np.abs(logits).max() + float(noise.abs().max())) / temperature
        slack = 32 * relative * float(weights.abs().sum()) / temperature
        assert (other - case.expected_gradient.values).abs().max() <= slack


def test_samples_and_gradient_pass_gradcheck():
    logits = torch.tensor([0.2, -0.7, 1.1], dtype=torch.float64, requires_grad=True)
    u = torch.tensor([[0.3, 0.9, 0.5], [0.01, 0.4, 0.99]], dtype=torch.float64)

    def samples(parameters):
        return ((parameters - (-u.log()).log()) / 0.6).softmax(1)

    assert torch.autograd.gradcheck(samples, logits)


# --- reach of the cases -----------------------------------------------------------------------


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_both_dtypes_and_extreme_logits(check):
    logits = [case.call.arguments["logits"] for case in check.cases]
    assert {t.dtype for t in logits} == {torch.float32, torch.float64}
    extreme = 50 if check.name == "optimal_baseline" else 1000
    for dtype in (torch.float32, torch.float64):
        reached = torch.cat([t.double() for t in logits if t.dtype == dtype])
        assert reached.min() == -extreme
        assert reached.max() == extreme
        assert reached.abs().max() == extreme
    smallest = 2 if check.name == "optimal_baseline" else 1
    assert min(len(t) for t in logits) == smallest


def test_every_sample_is_judged():
    for case, (_, f, z) in _cases("score_function_terms"):
        assert case.call.arguments["z"].dtype == torch.int64
        assert 0 <= z.min() <= z.max() < len(f)
    singles = {
        (case.call.arguments["logits"].dtype, int(z[0]))
        for case, (_, f, z) in _cases("score_function_terms")
        if len(z) == 1 and len(f) == 3
    }
    assert len(singles) == 6  # each of three categories alone, in both dtypes
    assert any(not case.call.keywords for case in CASES["score_function_terms"])


def test_no_probability_is_one_where_the_baseline_is_asked_for():
    for case in CASES["optimal_baseline"]:
        assert case.call.arguments["logits"].softmax(0).max() < 1


def test_uniforms_and_temperatures_reach_their_ends():
    temperatures = {case.call.arguments["temperature"] for case in CASES["gumbel_softmax"]}
    assert (min(temperatures), max(temperatures)) == (0.05, 10.0)
    for dtype, step in ((torch.float32, 2.0**-24), (torch.float64, 2.0**-53)):
        uniforms = torch.cat(
            [
                case.call.arguments["uniforms"].flatten()
                for case in CASES["gumbel_softmax"]
                if case.call.arguments["uniforms"].dtype == dtype
            ]
        )
        assert 0 < uniforms.min() < 10 * step
        assert 0 < 1 - uniforms.max() < 10 * step


def test_high_temperatures_bring_back_what_underflows():
    for dtype in (torch.float32, torch.float64):
        found = [
            case
            for case in CASES["gumbel_softmax"]
            if case.expected.dtype == dtype
            and case.call.arguments["temperature"] >= 5
            and (case.call.arguments["logits"].softmax(0) == 0).any()
        ]
        assert len(found) == 2
        for case in found:
            is_far = case.call.arguments["logits"] < -100
            # exp(−200/10) is seen beside the tolerance, in the samples and in the gradient
            tolerance = torch.as_tensor(case.expected.tolerance)
            assert (case.expected.values > 10 * tolerance)[:, is_far].any()
            gradient = case.expected_gradient
            assert (gradient.values.abs() > 10 * gradient.tolerance)[is_far].any()


# --- strictness -------------------------------------------------------------------------------


def _exact(case, *, error=0.0):
    expected, gradient = case.expected, case.expected_gradient
    return Response(
        value=(expected.values * (1 + error)).to(expected.dtype),
        gradient=None if gradient is None else gradient.values.to(gradient.dtype),
    )


# Relative errors that the conditioning of ordinary logits (below 20) does not excuse: about ten
# times 32 eps, times the cancellation in p (f − E f) for values of similar size.
KILLING_ERROR = {torch.float32: 1e-3, torch.float64: 1e-12}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_a_small_error_on_any_ordinary_input_is_rejected(check):
    exact = [_exact(case) for case in check.cases]
    assert check.judge(exact).status == "passed"
    for index, case in enumerate(check.cases):
        arguments = case.call.arguments
        is_ordinary = (
            arguments["logits"].abs().max() < 20
            and 0.05 < float(case.expected.values.abs().max()) < 20
            and "close to 1" not in case.label
            and "around 100" not in case.label
        )
        if is_ordinary:
            spoilt = [*exact]
            spoilt[index] = _exact(case, error=KILLING_ERROR[case.expected.dtype])
            assert check.judge(spoilt).status == "failed", case.label


def test_a_wrong_gradient_alone_is_rejected():
    check = find_check("gumbel_softmax")
    exact = [_exact(case) for case in check.cases]
    for index, case in enumerate(check.cases):
        # A gradient errs by eps·(|logits| + |noise|)/temperature², relative to the weights.
        is_ordinary = case.call.arguments["logits"].abs().max() < 20
        if case.expected_gradient is None or not is_ordinary or "0.05" in case.label:
            continue
        spoilt = [*exact]
        gradient = case.expected_gradient.values * (1 + 10 * KILLING_ERROR[case.expected.dtype])
        if (gradient - case.expected_gradient.values).abs().max() < 1e-12:
            continue  # saturated samples
        spoilt[index] = Response(exact[index].value, gradient=gradient.to(case.expected.dtype))
        assert check.judge(spoilt).mistake == "gradient", case.label


def test_tolerances_leave_extreme_inputs_judged():
    # The largest tolerance anywhere is a small part of what a wrong answer would be off by.
    for name, cases in CASES.items():
        for case in cases:
            size = float(case.call.arguments["values"].abs().max()) if name[0] != "g" else 1.0
            tolerance = float(torch.as_tensor(case.expected.tolerance).max())
            bound = {torch.float32: 2e-2, torch.float64: 1e-5}[case.expected.dtype]
            baseline = abs(case.call.keywords.get("baseline", 0.0))
            assert tolerance <= bound * (size + baseline), (name, case.label)


def test_points():
    assert [check.points for check in CHECKS] == [2.0, 2.0, 2.0, 2.0]
    assert exercise("13-1").max_score == 8.0
    assert exercise("13-1").written_points == 4.0
