"""Two-dimensional toy distributions whose true densities are known.

Each one has ``sample(n, generator=...)`` and ``log_prob(x)``, so a model trained on samples can
be compared with the truth. The mixtures' parameters are made on the CPU; ``.to(device)`` moves
them to where the generator is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from gm_course.distributions import GaussianMixture
from gm_course.errors import ArgumentError, ShapeError
from gm_course.validation import require_count, require_matrix, require_positive

_ARC_NODES = 128
_MIN_NOISE = 0.05  # 128 nodes integrate a bump of this width to rounding error; see _moon_nodes


def ring(
    modes: int = 8,
    *,
    radius: float = 2.0,
    std: float = 0.02,
    dtype: torch.dtype = torch.float32,
) -> GaussianMixture:
    """Equally likely Gaussians at equal angles on a circle; the first lies on the positive axis.

    Args:
        modes: Number of Gaussians.
        radius: Distance of every mean from the origin.
        std: Standard deviation of every Gaussian, the same in both directions.
        dtype: Of the means, and so of the samples.

    Returns:
        The mixture; its mode centres are ``.means``, shape (modes, 2).

    Raises:
        ArgumentError: If ``modes`` is not a count, or ``radius`` or ``std`` is not positive.

    Source:
        L. Metz, B. Poole, D. Pfau and J. Sohl-Dickstein, "Unrolled generative adversarial
        networks", 2017: 8 modes, radius 2, standard deviation 0.02.

    Example:
        >>> ring(4).means.round().abs()
        tensor([[2., 0.], [0., 2.], [2., 0.], [0., 2.]])
    """
    require_count("ring", "modes", modes)
    require_positive("ring", "radius", radius)
    require_positive("ring", "std", std)
    angles = torch.arange(modes, dtype=torch.float64) * (2 * math.pi / modes)
    means = radius * torch.stack([angles.cos(), angles.sin()], dim=1)
    return GaussianMixture(means.to(dtype), std)


def grid(
    side: int = 5,
    *,
    spacing: float = 2.0,
    std: float = 0.05,
    dtype: torch.dtype = torch.float32,
) -> GaussianMixture:
    """Equally likely Gaussians on a square grid centred at the origin, row by row from below.

    Args:
        side: Gaussians along one side; side² in all.
        spacing: Distance of neighbouring means.
        std: Standard deviation of every Gaussian, the same in both directions.
        dtype: Of the means, and so of the samples.

    Returns:
        The mixture; its mode centres are ``.means``, shape (side², 2).

    Raises:
        ArgumentError: If ``side`` is not a count, or ``spacing`` or ``std`` is not positive.

    Source:
        A. Srivastava, L. Valkov, C. Russell, M. Gutmann and C. Sutton, "VEEGAN: reducing mode
        collapse in GANs using implicit variational learning", 2017.

    Example:
        >>> grid(2).means
        tensor([[-1., -1.], [ 1., -1.], [-1.,  1.], [ 1.,  1.]])
    """
    require_count("grid", "side", side)
    require_positive("grid", "spacing", spacing)
    require_positive("grid", "std", std)
    axis = spacing * (torch.arange(side, dtype=torch.float64) - (side - 1) / 2)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    means = torch.stack([x.flatten(), y.flatten()], dim=1)
    return GaussianMixture(means.to(dtype), std)


def moons(*, noise: float = 0.1, dtype: torch.dtype = torch.float32) -> TwoMoons:
    """Two interleaved half circles, blurred by Gaussian noise; see :class:`TwoMoons`.

    Example:
        >>> moons().sample(3, generator=torch.Generator().manual_seed(0)).shape
        torch.Size([3, 2])
    """
    return TwoMoons(noise, dtype)


@dataclass(frozen=True)
class TwoMoons:
    r"""A point uniform on one of two half circles, each as likely, plus N(0, noise² I).

    The arcs are (cos t, sin t) and (1 − cos t, ½ − sin t) for t in [0, π], as in scikit-learn's
    ``make_moons``. With both arcs written c₁(t) and c₂(t), the density is

    .. math:: p(x) = \frac1{2\pi} \sum_{i=1}^{2} \int_0^\pi N(x; c_i(t), \text{noise}^2 I)\,dt

    Attributes:
        noise: Standard deviation of the blur in each direction, at least 0.05.
        dtype: Floating-point type of the samples.

    Raises:
        ArgumentError: If the noise is below 0.05 (or not finite), where the density's quadrature
            would no longer be exact.
    """

    noise: float = 0.1
    dtype: torch.dtype = torch.float32

    def __post_init__(self) -> None:
        if not _MIN_NOISE <= self.noise < math.inf:
            raise ArgumentError(
                f"TwoMoons: noise must be finite and at least {_MIN_NOISE}; got {self.noise!r}. "
                "Below that the density cannot be computed exactly; take a larger noise."
            )

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """Draw ``n`` points, shape (n, 2), on the generator's device.

        Raises:
            ArgumentError: If ``n`` is not a whole number of at least 1.
        """
        require_count("TwoMoons.sample", "n", n)
        device = generator.device
        angle = math.pi * torch.rand(n, generator=generator, device=device, dtype=self.dtype)
        is_lower = torch.randint(2, (n,), generator=generator, device=device) == 1
        x = torch.where(is_lower, 1 - angle.cos(), angle.cos())
        y = torch.where(is_lower, 0.5 - angle.sin(), angle.sin())
        blur = torch.randn(n, 2, generator=generator, device=device, dtype=self.dtype)
        return torch.stack([x, y], dim=1) + self.noise * blur

    def log_prob(self, x: Tensor) -> Tensor:
        """Natural log of the density, computed in the dtype and on the device of ``x``.

        Gauss-Legendre quadrature with 128 nodes on each arc. In float64 and within distance 4 of
        an arc's centre the error is below 1e-9 nats for noise 0.1. It is largest for noise 0.05:
        1e-10 on the arcs, 1e-5 at distance 2 from a centre, 2e-3 at distance 4, where the log
        density is about -1800. Float32 adds its own rounding. Differentiable; NaN in, NaN out.

        Args:
            x: Points, shape (batch, 2), floating point; the batch may be empty.

        Returns:
            Shape (batch,).

        Raises:
            ShapeError: If ``x`` is not (batch, 2).
            ArgumentError: If ``x`` is not floating point.
        """
        require_matrix("TwoMoons.log_prob", "x", x)
        if x.shape[1] != 2:
            raise ShapeError(
                f"TwoMoons.log_prob: x must have shape (batch, 2); got {tuple(x.shape)}. "
                "Give one point in the plane per row."
            )
        if not x.is_floating_point():
            raise ArgumentError(
                f"TwoMoons.log_prob: x must be floating point; got {x.dtype}. Call x.float()."
            )
        # One dtype and device at a time: Apple's GPU cannot hold the float64 originals.
        points, log_weights = (t.to(x.dtype).to(x.device) for t in _moon_nodes())
        squares = (x[:, None] - points).square().sum(dim=2)  # (batch, nodes)
        terms = log_weights - squares / (2 * self.noise**2)
        return terms.logsumexp(dim=1) - math.log(2 * math.pi * self.noise**2)


@lru_cache(maxsize=1)
def _moon_nodes() -> tuple[Tensor, Tensor]:
    """Quadrature points on both arcs (nodes, 2) and the logs of their weights, which sum to 1.

    On an arc the integrand is a bump of width ``noise`` in t. Bounding it on the Bernstein ellipse
    gives a relative error of about exp(−2 n² / a²) with a = (π/2) / noise: 4e-15 at noise 0.05.
    At distance ρ from an arc's centre the bump is √ρ times narrower, so a² grows by ρ.
    """
    roots, weights = np.polynomial.legendre.leggauss(_ARC_NODES)
    t = torch.from_numpy(roots + 1) * (math.pi / 2)
    upper = torch.stack([t.cos(), t.sin()], dim=1)
    lower = torch.stack([1 - t.cos(), 0.5 - t.sin()], dim=1)
    log_weights = torch.from_numpy(weights / 4).log()  # ½ from the interval, ½ from the choice
    return torch.cat([upper, lower]), log_weights.repeat(2)
