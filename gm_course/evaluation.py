"""Measures of samples against data: class scores, Fréchet distance, precision, recall, copying.

All compare sets of vectors, either images or features that a classifier computes of them. They work
in the dtype they are given, and none of them looks at a model's density, so they serve for VAE and
GAN alike. A NaN in the input is refused: no measure means anything then.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from gm_course.errors import ArgumentError
from gm_course.validation import require_count, require_features, require_matrix


def class_score(log_probabilities: Tensor) -> Tensor:
    r"""Exponential of the mean divergence of a sample's classes from all samples' classes.

    .. math:: \exp\Big(\tfrac1N \sum_n \mathrm{KL}\big(p(y|x_n),\, \bar p(y)\big)\Big),
        \qquad \bar p = \tfrac1N \sum_n p(y|x_n)

    From 1 (the classifier says the same of every sample) to the number of classes (it is certain
    of every sample, and all classes are as many). The inception score is this with one particular
    classifier. It sees nothing within a class: one sample per class gets the best score.

    Args:
        log_probabilities: log p(y|x) of a classifier, shape (N, classes), N ≥ 1, rows normalised.

    Returns:
        A scalar.

    Raises:
        ShapeError: If it is not a matrix.
        ArgumentError: If there is no sample, or an entry is NaN.

    Source:
        Salimans et al., "Improved Techniques for Training GANs", 2016, section 4.

    Example:
        >>> certain = torch.tensor([[0.0, -torch.inf], [-torch.inf, 0.0]])
        >>> class_score(certain)
        tensor(2.)
    """
    require_matrix("class_score", "log_probabilities", log_probabilities)
    _require_points("class_score", log_probabilities=log_probabilities)
    probabilities = log_probabilities.exp()
    # xlogy makes 0 log 0 = 0; the mean is 0 only where all its entries are
    own: Tensor = torch.special.xlogy(probabilities, probabilities).sum(dim=1)  # (N,)
    mean = probabilities.mean(dim=0)
    overall: Tensor = torch.special.xlogy(mean, mean).sum()
    return (own.mean() - overall).exp()


def frechet_distance(first: Tensor, second: Tensor) -> Tensor:
    r"""Squared 2-Wasserstein distance of the Gaussians that fit two sets of vectors.

    .. math:: \|\mu_1 - \mu_2\|^2
        + \mathrm{tr}\Sigma_1 + \mathrm{tr}\Sigma_2
        - 2 \,\mathrm{tr}\big(\Sigma_1^{1/2} \Sigma_2 \Sigma_1^{1/2}\big)^{1/2}

    Of the features of one particular classifier this is the Fréchet inception distance (FID).
    It is biased upwards for small sets, so only sets of equal size can be compared. Beyond means
    and covariances it sees nothing.

    Args:
        first: Shape (N, d), N ≥ 2. Unbiased covariances (division by N − 1) are used.
        second: Shape (M, d), M ≥ 2.

    Returns:
        A scalar in squared units of the vectors, at least 0 up to rounding.

    Raises:
        ShapeError: If these are not matrices with as many columns.
        ArgumentError: If a set has fewer than two vectors, or a number is NaN.

    Source:
        Heusel, Ramsauer, Unterthiner, Nessler & Hochreiter, "GANs Trained by a Two Time-Scale
        Update Rule Converge to a Local Nash Equilibrium", 2017.

    Example:
        >>> points = torch.tensor([[0.0], [2.0]])
        >>> frechet_distance(points, points + 3)
        tensor(9.)
    """
    require_matrix("frechet_distance", "first", first)
    require_matrix("frechet_distance", "second", second)
    require_features("frechet_distance", "second", second, first.shape[1])
    _require_points("frechet_distance", minimum=2, first=first, second=second)
    centred1, centred2 = (points - points.mean(dim=0) for points in (first, second))
    # Σ = RᵀR with R = centred/√(n−1). The trace of (Σ₁^½ Σ₂ Σ₁^½)^½ is the sum of the singular
    # values of R₁R₂ᵀ, a form that never squares a small number nor takes the root of a negative.
    root1 = centred1 / (len(first) - 1) ** 0.5
    root2 = centred2 / (len(second) - 1) ** 0.5
    triangle1: Tensor = torch.linalg.qr(root1, mode="r").R
    triangle2: Tensor = torch.linalg.qr(root2, mode="r").R
    overlap: Tensor = torch.linalg.svdvals(triangle1 @ triangle2.T).sum()
    shift: Tensor = (first.mean(dim=0) - second.mean(dim=0)).square().sum()
    spread: Tensor = root1.square().sum() + root2.square().sum()
    return shift + spread - 2 * overlap


class PrecisionRecall(NamedTuple):
    """What :func:`precision_recall` found.

    Attributes:
        precision: Share of the samples that lie where data lie: quality.
        recall: Share of the data that lie where samples lie: coverage.
    """

    precision: float
    recall: float


def precision_recall(samples: Tensor, data: Tensor, *, neighbours: int = 3) -> PrecisionRecall:
    """Quality and coverage of samples, each as a share from 0 to 1.

    A set's region is the union of balls around its points, each reaching to the point's k-th
    nearest neighbour in the same set. Precision is the share of samples in the data's region,
    recall the share of data in the samples' region.

    Args:
        samples: Shape (N, d), N > ``neighbours``.
        data: Shape (M, d), M > ``neighbours``; as many as samples, for a fair comparison.
        neighbours: k.

    Raises:
        ShapeError: If these are not matrices with as many columns.
        ArgumentError: If a set has not more than k points, or a number is NaN.

    Source:
        Kynkäänniemi, Karras, Laine, Lehtinen & Aila, "Improved Precision and Recall Metric for
        Assessing Generative Models", 2019.

    Example:
        >>> data = torch.arange(6.0)[:, None]
        >>> precision_recall(data[:3] - 0.1, data, neighbours=1)
        PrecisionRecall(precision=1.0, recall=0.5)
    """
    require_matrix("precision_recall", "samples", samples)
    require_matrix("precision_recall", "data", data)
    require_features("precision_recall", "samples", samples, data.shape[1])
    require_count("precision_recall", "neighbours", neighbours)
    _require_points("precision_recall", minimum=neighbours + 1, samples=samples, data=data)
    between = _distances(samples, data)  # (N, M)
    is_in_data = (between <= _reach(data, neighbours)).any(dim=1)
    is_in_samples = (between <= _reach(samples, neighbours)[:, None]).any(dim=0)
    return PrecisionRecall(
        precision=is_in_data.sum().item() / len(samples),
        recall=is_in_samples.sum().item() / len(data),
    )


class NearestNeighbours(NamedTuple):
    """What :func:`nearest_neighbours` found.

    Attributes:
        distances: Euclidean distances, ascending, shape (N, k).
        indices: Whose distances these are, rows of the reference, shape (N, k).
    """

    distances: Tensor
    indices: Tensor


def nearest_neighbours(points: Tensor, reference: Tensor, *, count: int = 1) -> NearestNeighbours:
    """Find the nearest vectors of a reference set; on training images, a look for copies.

    Args:
        points: Shape (N, d), N ≥ 1.
        reference: Shape (M, d), M ≥ ``count``.
        count: k, neighbours for each point.

    Raises:
        ShapeError: If these are not matrices with as many columns.
        ArgumentError: If the reference is too small, or a number is NaN.

    Example:
        >>> nearest_neighbours(torch.tensor([[0.9]]), torch.tensor([[3.0], [1.0]])).indices
        tensor([[1]])
    """
    require_matrix("nearest_neighbours", "points", points)
    require_matrix("nearest_neighbours", "reference", reference)
    require_features("nearest_neighbours", "points", points, reference.shape[1])
    require_count("nearest_neighbours", "count", count)
    _require_points("nearest_neighbours", points=points)
    _require_points("nearest_neighbours", minimum=count, reference=reference)
    nearest = _distances(points, reference).topk(count, largest=False)
    return NearestNeighbours(nearest.values, nearest.indices)


def _distances(first: Tensor, second: Tensor) -> Tensor:
    # Exact differences: with its matrix product cdist would not see that a copy is a copy.
    return torch.cdist(first, second, compute_mode="donot_use_mm_for_euclid_dist")


def _reach(points: Tensor, neighbours: int) -> Tensor:
    """Distance of each point to its k-th nearest other point, shape (N,)."""
    distances = _distances(points, points).fill_diagonal_(torch.inf)
    return distances.kthvalue(neighbours, dim=1).values


def _require_points(function: str, *, minimum: int = 1, **sets: Tensor) -> None:
    for name, points in sets.items():
        if len(points) < minimum:
            raise ArgumentError(
                f"{function}: {name} must have at least {minimum} row{'s' * (minimum > 1)}; got "
                f"{len(points)}. Draw more samples."
            )
        spoilt = int(points.isnan().any(dim=1).sum())
        if spoilt:
            raise ArgumentError(
                f"{function}: {name} must hold numbers; got NaN in {spoilt} of {len(points)} rows. "
                "Look for the step at which training broke down."
            )
