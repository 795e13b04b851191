"""Measures of a trained model: which latent units it uses."""

from __future__ import annotations

from torch import Tensor

from gm_course.errors import ArgumentError
from gm_course.validation import require_matrix, require_positive


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
