"""The importance-weighted bound: its limits, its order in K, and its range."""

import itertools
import math

import pytest
import torch

from gm_course.errors import ShapeError
from gm_course.estimators import importance_weighted_bound


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
