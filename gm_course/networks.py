r"""The two networks of a VAE (13.2.2, 13.2.3): inference (推断网络) and generator (生成网络).

Letters in the shape comments: B examples, D features of x, d coordinates of z, H hidden units.
Weights are initialised by ``torch.nn`` from torch's global random generator (seeded by
``gm_course.setup``). Shapes are not checked here but by :class:`gm_course.vae.VAE`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from gm_course.distributions import Bernoulli, DiagonalGaussian
from gm_course.validation import require_count, require_positive

VAR_FLOOR = 1e-6
"""What is added to every softplus variance. At −104 and below, softplus is exactly 0 in float32,
and the logarithm of 0 would turn the KL infinite. It also bounds the density of a feature that
never varies, such as a picture's black border, which a learned variance would otherwise drive to
infinity."""


class InferenceNetwork(nn.Module):
    r"""Inference network (推断网络) q(z|x;φ) = N(z; μ_I, diag σ_I²).

    :math:`h = \sigma(W_1 x + b_1)`, :math:`\mu_I = W_2 h + b_2`,
    :math:`\sigma_I^2 = \mathrm{softplus}(W_3 h + b_3)`; ``VAR_FLOOR`` is added to σ_I².

    Args:
        data_dim: D, features of x.
        latent_dim: d, coordinates of z.
        hidden: Width of each hidden layer; ``()`` makes mean and pre-softplus variance linear.
        activation: Builds the nonlinearity after each hidden layer.

    Raises:
        ArgumentError: If a width is not a whole number of at least 1.

    Source:
        Chapter 13.2.2.

    Example:
        >>> posterior = InferenceNetwork(data_dim=784, latent_dim=2)(torch.zeros(5, 784))
        >>> posterior.mean.shape, posterior.var.shape
        (torch.Size([5, 2]), torch.Size([5, 2]))
    """

    def __init__(
        self,
        data_dim: int,
        latent_dim: int,
        *,
        hidden: Sequence[int] = (400,),
        activation: Callable[[], nn.Module] = nn.ReLU,
    ) -> None:
        _require_widths("InferenceNetwork", data_dim, latent_dim, hidden)
        super().__init__()
        self.data_dim = data_dim
        self.latent_dim = latent_dim
        self.body, width = hidden_layers(data_dim, hidden, activation)
        self.mean = nn.Linear(width, latent_dim)
        self.raw_var = nn.Linear(width, latent_dim)

    def forward(self, x: Tensor) -> DiagonalGaussian:
        """Return q(z|x) with mean and variance (B, d) for ``x`` (B, D)."""
        h = self.body(x)  # (B, D) -> (B, H)
        return DiagonalGaussian(self.mean(h), functional.softplus(self.raw_var(h)) + VAR_FLOOR)


class BernoulliGenerator(nn.Module):
    """Generator network (生成网络) for binary x: p(x|z;θ) = Π_d Bernoulli(x_d; γ_d(z)).

    Args:
        latent_dim: d, coordinates of z.
        data_dim: D, features of x.
        hidden: Width of each hidden layer.
        activation: Builds the nonlinearity after each hidden layer.

    Raises:
        ArgumentError: If a width is not a whole number of at least 1.

    Source:
        Chapter 13.2.3, ``bernoulli-likelihood``.

    Example:
        >>> BernoulliGenerator(latent_dim=2, data_dim=784)(torch.zeros(5, 2)).mean.shape
        torch.Size([5, 784])
    """

    def __init__(
        self,
        latent_dim: int,
        data_dim: int,
        *,
        hidden: Sequence[int] = (400,),
        activation: Callable[[], nn.Module] = nn.ReLU,
    ) -> None:
        _require_widths("BernoulliGenerator", data_dim, latent_dim, hidden)
        super().__init__()
        self.data_dim = data_dim
        self.latent_dim = latent_dim
        self.body, width = hidden_layers(latent_dim, hidden, activation)
        self.logits = nn.Linear(width, data_dim)

    def forward(self, z: Tensor) -> Bernoulli:
        """Return p(x|z) with logits (..., D) for ``z`` (..., d)."""
        return Bernoulli(self.logits(self.body(z)))


class GaussianGenerator(nn.Module):
    """Generator network (生成网络) for continuous x: p(x|z;θ) = N(x; μ_G, diag σ_G²).

    Args:
        latent_dim: d, coordinates of z.
        data_dim: D, features of x.
        var: λ, one fixed variance for all features; ``None`` to learn one per feature and z,
            softplus plus ``VAR_FLOOR``. The mean μ_G is linear in the last hidden layer, unbounded.
        hidden: Width of each hidden layer; ``()`` with a fixed variance is the linear-Gaussian
            model.
        activation: Builds the nonlinearity after each hidden layer.

    Raises:
        ArgumentError: If a width is not a whole number of at least 1, or ``var`` not positive.

    Source:
        Chapter 13.2.3, ``gaussian-likelihood``.

    Example:
        >>> likelihood = GaussianGenerator(2, 784, var=0.1)(torch.zeros(5, 2))
        >>> likelihood.mean.shape, likelihood.var.unique()
        (torch.Size([5, 784]), tensor([0.1000]))
    """

    def __init__(
        self,
        latent_dim: int,
        data_dim: int,
        *,
        var: float | None,
        hidden: Sequence[int] = (400,),
        activation: Callable[[], nn.Module] = nn.ReLU,
    ) -> None:
        _require_widths("GaussianGenerator", data_dim, latent_dim, hidden)
        super().__init__()
        self.data_dim = data_dim
        self.latent_dim = latent_dim
        self.fixed_var = var
        self.body, width = hidden_layers(latent_dim, hidden, activation)
        self.mean = nn.Linear(width, data_dim)
        if var is None:
            self.raw_var = nn.Linear(width, data_dim)
        else:
            require_positive("GaussianGenerator", "var", var)

    def forward(self, z: Tensor) -> DiagonalGaussian:
        """Return p(x|z) with mean and variance (..., D) for ``z`` (..., d)."""
        h = self.body(z)  # (..., d) -> (..., H)
        mean = self.mean(h)
        if self.fixed_var is None:
            var = functional.softplus(self.raw_var(h)) + VAR_FLOOR
        else:
            var = torch.full_like(mean, self.fixed_var)
        return DiagonalGaussian(mean, var)


def hidden_layers(
    in_dim: int, hidden: Sequence[int], activation: Callable[[], nn.Module]
) -> tuple[nn.Sequential, int]:
    """Return fully connected layers from ``in_dim`` through ``hidden``, and the last width."""
    widths = [in_dim, *hidden]
    layers: list[nn.Module] = []
    for width_in, width_out in pairwise(widths):
        layers += [nn.Linear(width_in, width_out), activation()]
    return nn.Sequential(*layers), widths[-1]


def _require_widths(function: str, data_dim: int, latent_dim: int, hidden: Sequence[int]) -> None:
    require_count(function, "data_dim", data_dim)
    require_count(function, "latent_dim", latent_dim)
    for width in hidden:
        require_count(function, "each hidden width", width)
