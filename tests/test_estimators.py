"""The importance-weighted bound, gradients of expectations, and relaxed categories."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats

from gm_course.errors import ArgumentError, ShapeError
from gm_course.estimators import (
    gumbel_noise,
    importance_weighted_bound,
    pathwise_gradients,
    relaxed_one_hot,
    score_function_gradients,
)


def log_weights(samples, examples, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn((samples, examples), generator=generator, dtype=torch.float64)


def test_one_sample_is_returned_as_it_is():
    weights = log_weights(1, 5)
    torch.testing.assert_close(importance_weighted_bound(weights), weights[0])


def test_equal_weights_give_their_common_value():
    constant = torch.tensor([[-3.0, 0.0, 700.0]]).double().expand(9, 3)
    torch.testing.assert_close(importance_weighted_bound(constant), constant[0])


def test_it_is_the_log_of_the_mean_weight():
    weights = log_weights(12, 5)
    expected = weights.exp().mean(dim=0).log()
    torch.testing.assert_close(importance_weighted_bound(weights), expected)
    killers = [weights.mean(dim=0), weights.logsumexp(dim=0), weights.logsumexp(dim=1)[:5]]
    for killer in killers:
        assert ((killer - expected).abs() > 1e-3).all()


@pytest.mark.parametrize("shift", [-1e4, 1e4])
def test_it_shifts_with_the_weights_far_outside_the_range_of_exp(shift):
    weights = log_weights(12, 5)
    # Adding 1e4 rounds each weight by 1e4 · 1.1e-16; five such errors stay below 1e-11.
    expected = importance_weighted_bound(weights) + shift
    torch.testing.assert_close(
        importance_weighted_bound(weights + shift), expected, rtol=0, atol=1e-11
    )


def test_it_grows_with_the_number_of_samples_on_average_over_subsets():
    # Averaging over all subsets of size K of one fixed set leaves no Monte-Carlo error: by
    # Jensen's inequality the average must rise with every K, from the ELBO to log mean weight.
    weights = log_weights(8, 3)
    averages = []
    for size in range(1, 9):
        subsets = itertools.combinations(range(8), size)
        bounds = torch.stack([importance_weighted_bound(weights[list(rows)]) for rows in subsets])
        averages.append(bounds.mean(dim=0))
    torch.testing.assert_close(averages[0], weights.mean(dim=0))
    assert all((after > before).all() for before, after in itertools.pairwise(averages))


def test_gradient_is_the_normalised_weight():
    weights = log_weights(6, 3).requires_grad_()
    importance_weighted_bound(weights).sum().backward()
    torch.testing.assert_close(weights.grad, weights.detach().softmax(dim=0))


def test_impossible_samples_nan_and_empty_batch():
    weights = torch.zeros(2, 3)
    weights[0, 0] = -math.inf  # one of two samples is impossible: half the weight is left
    weights[:, 1] = -math.inf
    weights[0, 2] = math.nan
    bound = importance_weighted_bound(weights)
    assert abs(bound[0].item() + math.log(2)) < 1e-6
    assert bound[1] == -math.inf
    assert bound[2].isnan()
    assert importance_weighted_bound(torch.zeros(4, 0)).shape == (0,)


@pytest.mark.parametrize("shape", [(0, 3), (3,), (2, 3, 4)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ShapeError) as error:
        importance_weighted_bound(torch.zeros(shape))
    assert str(error.value) == (
        "importance_weighted_bound: log_weights must have shape (K, B) with K of at least 1; "
        f"got {shape}. Stack one row per sample."
    )


MEAN = torch.tensor([0.7, -1.2], dtype=torch.float64)
STD = torch.tensor([0.8, 1.5], dtype=torch.float64)


def quartic(z):
    """z₁⁴ + z₁ z₂², of which every expectation below is a Gaussian moment."""
    return z[:, 0] ** 4 + z[:, 0] * z[:, 1] ** 2


def exact_quartic_gradients():
    """From E f = μ₁⁴ + 6μ₁²σ₁² + 3σ₁⁴ + μ₁(μ₂² + σ₂²); shapes (2,), (2,)."""
    (m1, m2), (s1, s2) = MEAN.tolist(), STD.tolist()
    mean = [4 * m1**3 + 12 * m1 * s1**2 + m2**2 + s2**2, 2 * m1 * m2]
    std = [12 * m1**2 * s1 + 12 * s1**3, 2 * m1 * s2]
    return torch.tensor([mean, std], dtype=torch.float64)


def gauss_hermite(nodes, dims):
    """Noise (nodes^dims, dims) and weights that integrate polynomials over N(0, I) exactly."""
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    grid = torch.cartesian_prod(*[torch.from_numpy(points)] * dims).reshape(-1, dims)
    product = torch.cartesian_prod(*[torch.from_numpy(weights / weights.sum())] * dims)
    return grid, product.reshape(-1, dims).prod(dim=1)


NOISE, WEIGHTS = gauss_hermite(8, 2)  # exact up to degree 15; the products below have at most 6
ESTIMATORS = {
    "pathwise": pathwise_gradients,
    "score": score_function_gradients,
    "baseline": lambda *inputs: score_function_gradients(*inputs, baseline=3.7),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_contributions_average_to_the_exact_gradient(name):
    averages = [WEIGHTS @ part for part in ESTIMATORS[name](quartic, MEAN, STD, NOISE)]
    # 64 terms of size below 1e4, rounded to 1e-16 each: 1e-10 is generous.
    exact = exact_quartic_gradients()
    torch.testing.assert_close(torch.stack(averages), exact, rtol=0, atol=1e-10)


def test_killers_do_not_average_to_the_exact_gradient():
    z = MEAN + STD * NOISE
    values = quartic(z)[:, None]
    exact = exact_quartic_gradients()
    wrong_means = {
        "divided by the variance": values * NOISE / STD.square(),
        "times the density": values * NOISE / STD * (-0.5 * NOISE.square()).exp(),
        "baseline that knows the sample": (values - z[:, :1]) * NOISE / STD,
    }
    for name, terms in wrong_means.items():
        assert (WEIGHTS @ terms - exact[0]).abs().max() > 0.1, name
    wrong_stds = {
        "gradient in the variance": values * (NOISE.square() - 1) / (2 * STD.square()),
        "without the −1": values * NOISE.square() / STD,
    }
    for name, terms in wrong_stds.items():
        assert (WEIGHTS @ terms - exact[1]).abs().max() > 0.1, name


def test_a_row_depends_on_its_own_noise_only():
    for estimator in ESTIMATORS.values():
        whole = estimator(quartic, MEAN, STD, NOISE)
        single = estimator(quartic, MEAN, STD, NOISE[5:6])
        for part, row in zip(whole, single, strict=True):
            torch.testing.assert_close(part[5:6], row)


def test_variances_on_the_squared_distance_are_those_of_the_lecture():
    # f = ‖z − a‖², one σ, C = ‖μ − a‖²: the lecture derives these traces; d = 2 needs degree 6.
    target, std = torch.tensor([0.4, 0.9], dtype=torch.float64), torch.full((2,), 0.6).double()
    offset, var = (MEAN - target).square().sum().item(), 0.36

    def squared_distance(z):
        return (z - target).square().sum(dim=1)

    def variance(terms):
        return (WEIGHTS @ (terms - WEIGHTS @ terms).square()).sum().item()

    inputs = (squared_distance, MEAN, std, NOISE)
    raw = offset**2 * 2 / var + 16 * offset + 48 * var + 12 * offset
    centred = offset + 2 * var
    assert variance(pathwise_gradients(*inputs).mean) == pytest.approx(8 * var)
    assert variance(score_function_gradients(*inputs).mean) == pytest.approx(raw)
    with_baseline = score_function_gradients(*inputs, baseline=centred)
    assert variance(with_baseline.mean) == pytest.approx(24 * var + 12 * offset)


def test_at_a_jump_only_the_score_function_is_right():
    noise = torch.randn((40_000, 1), generator=torch.Generator().manual_seed(2)).double()
    mean, std = torch.tensor([0.3]).double(), torch.tensor([0.7]).double()
    exact = stats.norm.pdf(0, loc=-0.3, scale=0.7)  # d/dμ P(z > 0)

    def step(z):
        return (1 + z.sign()).sum(dim=1) / 2

    assert not pathwise_gradients(step, mean, std, noise).mean.any()
    terms = score_function_gradients(step, mean, std, noise).mean
    standard_error = terms.std().item() / 40_000**0.5
    assert abs(terms.mean().item() - exact) < 5 * standard_error
    assert exact > 50 * standard_error  # so that the zero is told apart


def test_gradients_carry_no_graph_and_need_no_outer_one():
    mean = MEAN.clone().requires_grad_()
    with torch.no_grad():
        pathwise_gradients(quartic, mean, STD, NOISE)
    for estimator in ESTIMATORS.values():
        assert not any(part.requires_grad for part in estimator(quartic, mean, STD, NOISE))


@pytest.mark.parametrize("estimator", [pathwise_gradients, score_function_gradients])
def test_wrong_inputs_of_the_gradients_are_named(estimator):
    name = estimator.__name__
    with pytest.raises(ShapeError) as error:
        estimator(quartic, MEAN, STD, NOISE[0])
    assert str(error.value) == (
        f"{name}: mean and std must have shape (d,) and noise (M, d); got (2,) and (2,). "
        "Draw one row of noise per sample."
    )
    with pytest.raises(ShapeError, match=rf"^{name}: mean and std must have the same shape"):
        estimator(quartic, MEAN, STD[:1], NOISE)
    with pytest.raises(ShapeError) as error:
        estimator(torch.square, MEAN, STD, NOISE)
    assert str(error.value) == (
        f"{name}: f must return one number per row, shape (64,); got (64, 2). "
        "Sum over the coordinates, dim=1, inside f."
    )


def test_a_comparison_is_refused_by_the_pathwise_gradient():
    with pytest.raises(ArgumentError) as error:
        pathwise_gradients(lambda z: (z[:, 0] > 0).double(), MEAN, STD, NOISE)
    assert str(error.value) == (
        "pathwise_gradients: f must be differentiable in z; got a result that does not depend on "
        "z through differentiable operations. Use score_function_gradients."
    )


LOGITS = torch.tensor([0.5, -1.0, 1.2], dtype=torch.float64)


def test_gumbel_noise_has_its_distribution():
    like = torch.zeros(1, dtype=torch.float64)
    noise = gumbel_noise(5_000, 2, like=like, generator=torch.Generator().manual_seed(3))
    assert noise.dtype == torch.float64
    # A fixed seed; a right sampler has a p-value below 1e-4 once in 10,000 seeds.
    assert stats.kstest(noise.flatten().numpy(), stats.gumbel_r.cdf).pvalue > 1e-4
    assert stats.kstest(-noise.flatten().numpy(), stats.gumbel_r.cdf).pvalue < 1e-4
    float_noise = gumbel_noise(2, 2, like=torch.zeros(1), generator=torch.Generator())
    assert float_noise.dtype == torch.float32


def test_the_largest_entry_has_the_softmax_probabilities():
    count = 20_000
    noise = gumbel_noise(count, 3, like=LOGITS, generator=torch.Generator().manual_seed(4))
    expected = LOGITS.softmax(dim=0)
    deviation = (expected * (1 - expected) / count).sqrt()
    for temperature in (0.2, 3.0):
        winners = relaxed_one_hot(LOGITS, noise, temperature=temperature).argmax(dim=1)
        shares = winners.bincount(minlength=3) / count
        assert ((shares - expected).abs() < 5 * deviation).all()
    normal = torch.randn((count, 3), generator=torch.Generator().manual_seed(4)).double()
    shares = (LOGITS + normal).argmax(dim=1).bincount(minlength=3) / count
    assert ((shares - expected).abs() > 5 * deviation).any()  # killer: Gaussian noise


def test_relaxed_samples_in_both_limits():
    noise = gumbel_noise(50, 3, like=LOGITS, generator=torch.Generator().manual_seed(5))
    hard = torch.nn.functional.one_hot((LOGITS + noise).argmax(dim=1), 3).double()
    cold = relaxed_one_hot(LOGITS, noise, temperature=1e-5)
    warm = relaxed_one_hot(LOGITS, noise, temperature=1e5)
    # The seed leaves no gap of the two largest below 1e-3, so cold entries are off by e^-100;
    # warm ones by less than the range of ℓ + G, about 10, over 1e5.
    torch.testing.assert_close(cold, hard, rtol=0, atol=1e-12)
    torch.testing.assert_close(warm, torch.full_like(warm, 1 / 3), rtol=0, atol=2e-4)
    torch.testing.assert_close(warm.sum(dim=1), torch.ones(50).double())


def test_relaxed_samples_are_differentiable_in_the_logits():
    noise = gumbel_noise(4, 3, like=LOGITS, generator=torch.Generator().manual_seed(6))
    logits = LOGITS.clone().requires_grad_()
    torch.autograd.gradcheck(lambda x: relaxed_one_hot(x, noise, temperature=0.6), (logits,))


def test_wrong_inputs_of_the_relaxation_are_named():
    with pytest.raises(ArgumentError, match=r"^gumbel_noise: samples must be a whole number"):
        gumbel_noise(0, 3, like=LOGITS, generator=torch.Generator())
    with pytest.raises(ArgumentError, match=r"^gumbel_noise: categories must be a whole number"):
        gumbel_noise(1, 0, like=LOGITS, generator=torch.Generator())
    with pytest.raises(ShapeError, match=r"^relaxed_one_hot: noise must have 3 features"):
        relaxed_one_hot(LOGITS, torch.zeros(5, 2), temperature=1.0)
    for temperature in (0.0, -1.0, math.inf):
        with pytest.raises(ArgumentError) as error:
            relaxed_one_hot(LOGITS, torch.zeros(5, 3), temperature=temperature)
        assert str(error.value) == (
            f"relaxed_one_hot: temperature must be positive and finite; got {temperature}."
        )
