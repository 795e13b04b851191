"""Measures of samples against data: closed forms, SciPy, brute force, and what fools them."""

import math

import numpy as np
import pytest
import scipy.linalg
import torch

from gm_course.errors import ArgumentError, ShapeError
from gm_course.evaluation import (
    class_score,
    frechet_distance,
    nearest_neighbours,
    precision_recall,
)


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# class_score


def test_class_score_is_the_mean_divergence():
    log_probabilities = normal(50, 4).log_softmax(dim=1)
    p = log_probabilities.exp().numpy()
    mean = p.mean(axis=0)
    divergences = [(row * np.log(row / mean)).sum() for row in p]
    found = class_score(log_probabilities).item()
    assert found == pytest.approx(math.exp(np.mean(divergences)), rel=1e-12)


@pytest.mark.parametrize("classes", [1, 2, 10])
def test_class_score_bounds(classes):
    certain = torch.eye(classes, dtype=torch.float64).log()
    assert class_score(certain).item() == pytest.approx(classes, rel=1e-12)
    assert class_score(certain.repeat(3, 1)).item() == pytest.approx(classes, rel=1e-12)
    assert class_score(certain[:1].repeat(5, 1)).item() == pytest.approx(1, rel=1e-12)
    uncertain = torch.full((6, classes), -math.log(classes), dtype=torch.float64)
    assert class_score(uncertain).item() == pytest.approx(1, rel=1e-12)


# frechet_distance


def by_matrix_roots(first, second):
    """The formula as it is published, with SciPy's matrix square root."""
    mean1, mean2 = first.mean(axis=0), second.mean(axis=0)
    cov1, cov2 = np.atleast_2d(np.cov(first.T)), np.atleast_2d(np.cov(second.T))
    root = scipy.linalg.sqrtm(cov1 @ cov2).real
    return ((mean1 - mean2) ** 2).sum() + np.trace(cov1 + cov2 - 2 * root)


@pytest.mark.parametrize("dim", [1, 3, 8])
def test_frechet_distance_against_scipy(dim):
    first = normal(40, dim) @ normal(dim, dim, seed=1) + 1
    second = normal(30, dim, seed=2) @ normal(dim, dim, seed=3)
    oracle = by_matrix_roots(first.numpy(), second.numpy())
    # sqrtm of a product of two matrices loses half of the digits
    assert frechet_distance(first, second).item() == pytest.approx(oracle, rel=1e-6)


def test_frechet_distance_is_a_squared_distance():
    first, second = normal(30, 5), 2 * normal(30, 5, seed=1) + 1
    assert frechet_distance(first, first).item() == pytest.approx(0, abs=1e-12)
    assert frechet_distance(first, second).item() == pytest.approx(
        frechet_distance(second, first).item(), rel=1e-12
    )
    shift = torch.tensor([3.0, 0.0, 4.0, 0.0, 0.0], dtype=torch.float64)
    assert frechet_distance(first, first + shift).item() == pytest.approx(25, rel=1e-12)
    # covariances Σ and 9Σ: (3 − 1)² tr Σ
    spread = frechet_distance(first, 3 * (first - first.mean(0)) + first.mean(0)).item()
    assert spread == pytest.approx(4 * first.T.cov().trace().item(), rel=1e-10)


def test_frechet_distance_with_more_dimensions_than_points():
    first, second = normal(6, 20), normal(5, 20, seed=1)
    oracle = by_matrix_roots(first.numpy(), second.numpy())
    assert frechet_distance(first, second).item() == pytest.approx(oracle, rel=1e-5)


def test_frechet_distance_sees_only_two_moments():
    """A limit of the measure: coin flips and a Gaussian with the same moments are one to it."""
    coins = torch.tensor([[-1.0], [1.0]], dtype=torch.float64).repeat(500, 1)
    gaussian = normal(1000, 1)
    gaussian = (gaussian - gaussian.mean()) / gaussian.std() * coins.std()
    assert frechet_distance(coins, gaussian).item() == pytest.approx(0, abs=1e-12)


# precision_recall


def shares_by_brute_force(samples, data, k):
    def reach(points, i):
        return sorted(math.dist(points[i], p) for j, p in enumerate(points) if j != i)[k - 1]

    def share(points, region):
        inside = [
            any(math.dist(p, q) <= reach(region, j) for j, q in enumerate(region)) for p in points
        ]
        return sum(inside) / len(points)

    samples, data = samples.tolist(), data.tolist()
    return share(samples, data), share(data, samples)


@pytest.mark.parametrize("k", [1, 3])
def test_precision_and_recall_against_brute_force(k):
    samples, data = normal(25, 2), 1.5 * normal(30, 2, seed=1) + 0.5
    found = precision_recall(samples, data, neighbours=k)
    assert tuple(found) == shares_by_brute_force(samples, data, k)
    assert 0 < found.recall < found.precision


def test_precision_and_recall_tell_quality_from_coverage():
    data = torch.cat([normal(100, 2), normal(100, 2, seed=1) + 20])
    one_mode = normal(100, 2, seed=2)
    found = precision_recall(one_mode, data)
    assert found.precision > 0.85
    assert 0.4 < found.recall <= 0.5
    too_wide = torch.cat([data, normal(200, 2, seed=3) + 200])
    found = precision_recall(too_wide, data)
    assert found.precision == 0.5
    assert found.recall == 1


def test_copies_get_full_marks_and_swapping_swaps():
    data = normal(20, 3)
    assert precision_recall(data, data) == (1.0, 1.0)
    other = normal(20, 3, seed=1)
    assert precision_recall(data, other) == precision_recall(other, data)[::-1]


# nearest_neighbours


def test_nearest_neighbours_against_brute_force():
    points, reference = normal(10, 4), normal(15, 4, seed=1)
    found = nearest_neighbours(points, reference, count=3)
    for point, distances, indices in zip(points, *found, strict=True):
        exact = torch.tensor([math.dist(point, other) for other in reference])
        assert indices.tolist() == exact.argsort()[:3].tolist()
        torch.testing.assert_close(distances.float(), exact.sort().values[:3])


def test_a_copy_is_at_distance_zero_in_float32_too():
    reference = 1000 + normal(50, 784).float()
    found = nearest_neighbours(reference[:5].clone(), reference)
    assert found.distances.max() == 0
    assert found.indices[:, 0].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: class_score(torch.zeros(0, 3)),
            "class_score: log_probabilities must have at least 1 row; got 0. Draw more samples.",
        ),
        (
            lambda: class_score(torch.tensor([[0.0, math.nan], [0.0, 0.0]])),
            "class_score: log_probabilities must hold numbers; got NaN in 1 of 2 rows. Look for "
            "the step at which training broke down.",
        ),
        (
            lambda: frechet_distance(torch.zeros(1, 3), torch.zeros(5, 3)),
            "frechet_distance: first must have at least 2 rows; got 1. Draw more samples.",
        ),
        (
            lambda: precision_recall(torch.zeros(3, 2), torch.zeros(9, 2)),
            "precision_recall: samples must have at least 4 rows; got 3. Draw more samples.",
        ),
        (
            lambda: precision_recall(torch.zeros(9, 2), torch.zeros(9, 2), neighbours=0),
            "precision_recall: neighbours must be a whole number of at least 1; got 0.",
        ),
        (
            lambda: nearest_neighbours(torch.zeros(1, 2), torch.zeros(1, 2), count=2),
            "nearest_neighbours: reference must have at least 2 rows; got 1. Draw more samples.",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ArgumentError) as caught:
        call()
    assert str(caught.value) == message


@pytest.mark.parametrize("measure", [frechet_distance, precision_recall, nearest_neighbours])
def test_sets_of_different_dimension(measure):
    with pytest.raises(ShapeError, match="features in its last dimension"):
        measure(torch.zeros(9, 2), torch.zeros(9, 3))
