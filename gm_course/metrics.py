"""Measures of trained models: latent units in use, modes covered, steepness of a critic."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from gm_course.errors import ArgumentError, ShapeError
from gm_course.validation import require_features, require_matrix, require_positive


def active_units(posterior_mean: Tensor, *, threshold: float = 0.01) -> Tensor:
    r"""Tell which latent units carry information about the data.

    Unit j is active when its posterior mean moves with the input: the variance over examples of
    :math:`\mu_{I,j}(x)` (unbiased, divided by N − 1) exceeds the threshold. A unit that has
    collapsed onto the prior has the same mean for every x. One example shows no variation, so no
    unit is active then.

    Args:
        posterior_mean: Means of the inference network on N ≥ 1 examples, shape (N, d).
        threshold: Smallest variance that counts as moving; the paper uses 0.01.

    Returns:
        Booleans, shape (d,); ``.sum()`` is the number of active units.

    Raises:
        ShapeError: If ``posterior_mean`` is not (N, d).
        ArgumentError: If there is no example, a mean is not finite, or the threshold not positive.

    Source:
        Burda, Grosse & Salakhutdinov, "Importance Weighted Autoencoders", 2016, section 5.

    Example:
        >>> import torch
        >>> active_units(torch.tensor([[-1.0, 0.5], [1.0, 0.5]]))
        tensor([ True, False])
    """
    require_matrix("active_units", "posterior_mean", posterior_mean)
    require_positive("active_units", "threshold", threshold)
    count = posterior_mean.shape[0]
    if count == 0 or not posterior_mean.isfinite().all():
        raise ArgumentError(
            "active_units: posterior_mean must hold at least one example and only finite numbers; "
            f"got shape {tuple(posterior_mean.shape)}"
            f"{' with NaN or inf' if count else ''}. Check the inference network's output."
        )
    deviation = posterior_mean - posterior_mean.mean(dim=0)  # (N, d)
    variance = deviation.square().sum(dim=0) / max(count - 1, 1)  # (d,)
    return variance > threshold


class ModeCoverage(NamedTuple):
    """What :func:`mode_coverage` found.

    Attributes:
        modes: Number of modes with at least one high-quality sample.
        high_quality: Share of the samples that are of high quality, from 0 to 1.
        counts: High-quality samples nearest to each mode, shape (K,).
    """

    modes: int
    high_quality: float
    counts: Tensor


def mode_coverage(
    samples: Tensor, centres: Tensor, *, std: float, radius: float = 3.0
) -> ModeCoverage:
    """Count the modes of a mixture that samples reach, and the samples that lie in one.

    A sample is of high quality if its distance from the nearest centre is at most ``radius``
    standard deviations. In the plane the mixture itself has a share of 1 − exp(−radius²/2) of
    such samples, 98.9 % for 3. A sample with a NaN is of no quality.

    Args:
        samples: Points, shape (N, D), N ≥ 1.
        centres: The modes' centres, shape (K, D).
        std: Standard deviation of every mode.
        radius: Largest distance of a high-quality sample, in standard deviations.

    Raises:
        ShapeError: If samples and centres are not matrices with the same number of columns.
        ArgumentError: If there is no sample, or ``std`` or ``radius`` is not positive.

    Source:
        Srivastava, Valkov, Russell, Gutmann & Sutton, "VEEGAN: Reducing Mode Collapse in GANs
        using Implicit Variational Learning", 2017, section 4.

    Example:
        >>> centres = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
        >>> samples = torch.tensor([[0.1, 0.0], [0.0, 0.2], [0.5, 0.0], [0.0, 0.0]])
        >>> mode_coverage(samples, centres, std=0.1)
        ModeCoverage(modes=1, high_quality=0.75, counts=tensor([3, 0]))
    """
    require_matrix("mode_coverage", "samples", samples)
    require_matrix("mode_coverage", "centres", centres)
    require_features("mode_coverage", "samples", samples, centres.shape[1])
    require_positive("mode_coverage", "std", std)
    require_positive("mode_coverage", "radius", radius)
    if len(samples) == 0 or len(centres) == 0:
        raise ArgumentError(
            "mode_coverage: samples and centres must hold at least one point each; got "
            f"{len(samples)} and {len(centres)}. Draw samples from the model first."
        )
    offsets = samples[:, None, :] - centres.to(samples)  # (N, K, D)
    distance, nearest = offsets.norm(dim=2).min(dim=1)  # (N,)
    is_good = distance <= radius * std
    counts = torch.bincount(nearest[is_good], minlength=len(centres))
    share = is_good.sum().item() / len(samples)
    return ModeCoverage(int((counts > 0).sum()), share, counts)


def gradient_norms(function: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    """Euclidean norm of a function's gradient at each point.

    Args:
        function: Maps (N, ...) to (N,), each value depending on its own point only.
        points: Shape (N, ...); the norm is over all features of a point.

    Returns:
        Shape (N,), without a graph. The largest is a lower bound of the Lipschitz constant.

    Raises:
        ShapeError: If the function does not return one number per point.

    Example:
        >>> gradient_norms(lambda x: 3 * x[:, 0] + 4 * x[:, 1], torch.zeros(2, 2))
        tensor([5., 5.])
    """
    inputs = points.detach().clone().requires_grad_()
    values = function(inputs)
    if values.shape != points.shape[:1]:
        raise ShapeError(
            f"gradient_norms: function must return one number per point, shape "
            f"({points.shape[0]},); got {tuple(values.shape)}. Squeeze its last dimension."
        )
    (gradient,) = torch.autograd.grad(values.sum(), inputs)
    norms: Tensor = gradient.flatten(start_dim=1).norm(dim=1)
    return norms


def empirical_lipschitz(values: Tensor, points: Tensor) -> Tensor:
    r"""Largest slope :math:`|f(x)-f(y)| / \|x-y\|` between any two of N points.

    A lower bound of the Lipschitz constant, the larger the more points there are. Pairs of equal
    points are left out; a NaN makes it NaN. Takes memory for N² numbers.

    Args:
        values: f at the points, shape (N,).
        points: Shape (N, D), N ≥ 2, not all equal.

    Returns:
        A scalar, at least 0.

    Raises:
        ShapeError: If there is not one value per point.
        ArgumentError: If no two points differ.

    Source:
        Chapter 13.3.6, ``lipschitz-norm``.

    Example:
        >>> points = torch.tensor([[0.0], [1.0], [3.0]])
        >>> empirical_lipschitz(points[:, 0].square(), points)  # (9 - 1) / (3 - 1)
        tensor(4.)
    """
    require_matrix("empirical_lipschitz", "points", points)
    if values.shape != points.shape[:1]:
        raise ShapeError(
            f"empirical_lipschitz: values must have shape ({points.shape[0]},), one per point; "
            f"got {tuple(values.shape)}."
        )
    # Not cdist: its matrix-product form loses the small distances that matter here.
    distances: Tensor = (points[:, None, :] - points).norm(dim=2)  # (N, N)
    rises = (values[:, None] - values).abs()
    is_pair = distances != 0  # true for NaN
    if not is_pair.any():
        raise ArgumentError(
            f"empirical_lipschitz: points must hold two different ones; got {len(points)} equal "
            "points. Draw more of them."
        )
    return (rises[is_pair] / distances[is_pair]).max()
