r"""Densities and samplers of chapter 13: Gaussian, Bernoulli, mixture, linear-Gaussian model.

Shapes: a distribution holds parameters of shape ``(B, D)``, one row per example, and ``log_prob``
returns one number per row, **summed** over the features. Leading dimensions broadcast, so the same
``x (B, D)`` can be scored under M sets of parameters ``(M, B, D)``, giving ``(M, B)``.

Values are not inspected here, because on a GPU that would stop the training loop at every call:
a negative variance or a NaN comes out as NaN in its own row, and only there. Results have the
dtype of the parameters; an empty batch gives an empty result.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from gm_course.errors import ArgumentError, ShapeError
from gm_course.validation import (
    require_count,
    require_features,
    require_matrix,
    require_positive,
    require_same_shape,
)

LOG_2PI = math.log(2 * math.pi)


def standard_normal_log_prob(z: Tensor) -> Tensor:
    r"""Log-density of the prior :math:`p(z) = N(0, I)`, in nats.

    Args:
        z: Latent points, shape (..., d).

    Returns:
        Shape (...,); summed over the d coordinates.

    Source:
        Chapter 13.2.3, the prior of the generator network.

    Example:
        >>> standard_normal_log_prob(torch.zeros(1, 2))  # -log(2π)
        tensor([-1.8379])
    """
    return -0.5 * (z.square() + LOG_2PI).sum(dim=-1)


def standard_normal(shape: tuple[int, ...], *, like: Tensor, generator: torch.Generator) -> Tensor:
    """Draw N(0, I) noise of the given shape, in the dtype and on the device of ``like``.

    The generator must live on that device too: ``Runtime.generator`` makes one.
    """
    return torch.randn(shape, generator=generator, dtype=like.dtype, device=like.device)


def reparameterise(mean: Tensor, var: Tensor, noise: Tensor) -> Tensor:
    r"""Turn independent noise into samples of N(mean, diag var): :math:`z = \mu + \sigma\epsilon`.

    The sample is a deterministic, differentiable function of mean and variance (再参数化).

    Args:
        mean: Shape (B, d).
        var: Variances σ² (not σ), shape (B, d).
        noise: Draws of N(0, I), shape (B, d), or (M, B, d) for M samples per row.

    Returns:
        Shape of ``noise``.

    Raises:
        ShapeError: If the shapes do not fit together.

    Source:
        Chapter 13.2.5, ``reparameterisation``; Kingma & Welling, "Auto-Encoding Variational
        Bayes", 2014.

    Example:
        >>> reparameterise(torch.ones(1, 2), torch.tensor([[4.0, 9.0]]), torch.ones(1, 2))
        tensor([[3., 4.]])
    """
    require_same_shape("reparameterise", mean=mean, var=var)
    if noise.shape[-mean.ndim :] != mean.shape:
        raise ShapeError(
            f"reparameterise: noise must have shape {tuple(mean.shape)}, or (M, ...) in front of "
            f"it for M samples; got {tuple(noise.shape)}. Draw one number per coordinate."
        )
    return mean + var.sqrt() * noise


@dataclass(frozen=True, eq=False)
class DiagonalGaussian:
    r"""Gaussian :math:`N(\mu, \mathrm{diag}\,\sigma^2)` with independent coordinates.

    Attributes:
        mean: Shape (B, D).
        var: Variances σ² (not σ, not log σ²), same shape, above zero.

    Raises:
        ShapeError: If the shapes differ.

    Source:
        Chapter 13.2.2 (posterior of the inference network) and 13.2.3, ``gaussian-likelihood``.

    Example:
        >>> gaussian = DiagonalGaussian(torch.zeros(1, 2), torch.ones(1, 2))
        >>> gaussian.log_prob(torch.zeros(1, 2))  # -log(2π)
        tensor([-1.8379])
    """

    mean: Tensor
    var: Tensor

    def __post_init__(self) -> None:
        require_same_shape("DiagonalGaussian", mean=self.mean, var=self.var)

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density of ``x`` (B, D) in nats, shape (B,); summed over D."""
        require_features("DiagonalGaussian.log_prob", "x", x, self.mean.shape[-1])
        squared_error = (x - self.mean).square()
        return -0.5 * (squared_error / self.var + self.var.log() + LOG_2PI).sum(dim=-1)

    def sample(self, *, generator: torch.Generator) -> Tensor:
        """Draw one sample per row, shape (B, D); gradients flow to mean and variance."""
        noise = standard_normal(self.mean.shape, like=self.mean, generator=generator)
        return reparameterise(self.mean, self.var, noise)


@dataclass(frozen=True, eq=False)
class Bernoulli:
    r"""Independent binary features with success probabilities γ = sigmoid(logits).

    Attributes:
        logits: log γ/(1−γ), shape (B, D). Kept instead of γ so that the logarithms stay finite
            where γ rounds to 0 or 1.

    Source:
        Chapter 13.2.3, ``bernoulli-likelihood``.

    Example:
        >>> Bernoulli(torch.tensor([[0.0, 1000.0]])).log_prob(torch.tensor([[1.0, 1.0]]))
        tensor([-0.6931])
    """

    logits: Tensor

    @property
    def mean(self) -> Tensor:
        """The probabilities γ, shape (B, D); what a picture of the decoder shows."""
        return self.logits.sigmoid()

    def log_prob(self, x: Tensor) -> Tensor:
        r"""Return :math:`\sum_d x_d \log\gamma_d + (1-x_d)\log(1-\gamma_d)` in nats, shape (B,).

        Args:
            x: Binary features, shape (B, D). Grey values between 0 and 1 are accepted; the
                result is then minus the cross-entropy, usual as a reconstruction term, but not
                the logarithm of a density: it does not integrate to 1 over grey pictures.

        Raises:
            ShapeError: If ``x`` has another number of features.
        """
        require_features("Bernoulli.log_prob", "x", x, self.logits.shape[-1])
        x, logits = torch.broadcast_tensors(x.to(self.logits.dtype), self.logits)
        # One kernel for the formula above, finite for all logits; and one for its gradient, x - γ.
        cross_entropy = functional.binary_cross_entropy_with_logits(logits, x, reduction="none")
        return -cross_entropy.sum(dim=-1)

    def sample(self, *, generator: torch.Generator) -> Tensor:
        """Draw zeros and ones, shape (B, D), in the dtype of the logits; carries no gradient."""
        return torch.bernoulli(self.mean.detach(), generator=generator)


class GaussianMixture:
    r"""Mixture of K isotropic Gaussians, :math:`\sum_k w_k N(\mu_k, \sigma_k^2 I)`.

    Args:
        means: Component means, shape (K, D), floating point.
        std: Standard deviations σ (not σ²): one number, or shape (K,).
        weights: Shape (K,), not negative, normalised here to sum 1; default: equal.

    Attributes:
        means: Shape (K, D).
        std: Shape (K,).
        weights: Shape (K,), summing to 1.

    Raises:
        ShapeError: If the shapes do not fit together.
        ArgumentError: If a mean is not finite, a standard deviation not positive, or the weights
            cannot be normalised.

    Source:
        Chapter 13.1.1, ``marginal-density`` with a discrete latent variable.

    Example:
        >>> mixture = GaussianMixture(torch.tensor([[-1.0], [1.0]]), std=1.0)
        >>> mixture.log_prob(torch.zeros(1, 1))  # log N(1; 0, 1)
        tensor([-1.4189])
    """

    def __init__(self, means: Tensor, std: float | Tensor, weights: Tensor | None = None) -> None:
        require_matrix("GaussianMixture", "means", means)
        if not means.is_floating_point():
            raise ArgumentError(
                f"GaussianMixture: means must be floating point; got {means.dtype}. "
                "Convert them with means.float()."
            )
        components = means.shape[0]
        if isinstance(std, float | int):
            std = means.new_full((components,), std)
        if weights is None:
            weights = means.new_ones(components)
        for name, value in (("std", std), ("weights", weights)):
            if value.shape != (components,):
                raise ShapeError(
                    f"GaussianMixture: {name} must have one entry per mean, shape "
                    f"({components},); got {tuple(value.shape)}. Means are rows, (K, D)."
                )
        _require_values("means", means, means.isfinite(), "be finite")
        _require_values("std", std, (std > 0) & std.isfinite(), "be positive and finite")
        _require_values("weights", weights, (weights >= 0) & weights.isfinite(), "be at least 0")
        if not weights.sum() > 0:  # also when there is no component at all
            raise ArgumentError(
                "GaussianMixture: weights must have a positive sum; got "
                f"{weights.tolist()}. Give at least one component some weight."
            )
        self.means = means
        self.std = std.to(means)
        self.weights = (weights / weights.sum()).to(means)

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """Draw ``n`` points, shape (n, D): first the component, then a point of it."""
        require_count("GaussianMixture.sample", "n", n)
        component = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        noise = standard_normal((n, self.means.shape[1]), like=self.means, generator=generator)
        return self.means[component] + self.std[component, None] * noise

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density of ``x`` (N, D) in nats, shape (N,); ShapeError for another D."""
        require_matrix("GaussianMixture.log_prob", "x", x)
        dim = self.means.shape[1]
        require_features("GaussianMixture.log_prob", "x", x, dim)
        squared_distance = (x[:, None, :] - self.means).square().sum(dim=-1)  # (N, K)
        log_normaliser = dim * (self.std.log() + 0.5 * LOG_2PI)  # (K,)
        log_component = -0.5 * squared_distance / self.std.square() - log_normaliser  # (N, K)
        return (self.weights.log() + log_component).logsumexp(dim=1)

    def to(self, device: torch.device | str) -> GaussianMixture:
        """Return the same mixture with its parameters on ``device``."""
        return GaussianMixture(self.means.to(device), self.std.to(device), self.weights.to(device))


@dataclass(frozen=True, eq=False)
class LinearGaussianModel:
    r"""The latent-variable model whose posterior and evidence are known exactly.

    :math:`z \sim N(0, I)`, :math:`x|z \sim N(Wz + b, \lambda I)`; hence
    :math:`x \sim N(b, WW^\top + \lambda I)` and the posterior is Gaussian too. The lectures
    measure every bound and estimate against it.

    Attributes:
        weight: W, shape (D, d).
        offset: b, shape (D,).
        var: λ, the variance of each feature given z.

    Raises:
        ShapeError: If weight and offset do not fit together.
        ArgumentError: If ``var`` is not positive.

    Source:
        Chapter 13.2.1, ``joint-factorisation``, ``marginal-density``, ``posterior``;
        Tipping & Bishop, "Probabilistic Principal Component Analysis", 1999.

    Example:
        >>> model = LinearGaussianModel(torch.ones(1, 1), torch.zeros(1), var=1.0)
        >>> mean, cov = model.posterior(torch.ones(1, 1))
        >>> mean, cov
        (tensor([[0.5000]]), tensor([[0.5000]]))
    """

    weight: Tensor
    offset: Tensor
    var: float

    def __post_init__(self) -> None:
        require_matrix("LinearGaussianModel", "weight", self.weight)
        if self.offset.shape != self.weight.shape[:1]:
            raise ShapeError(
                f"LinearGaussianModel: offset must have shape ({self.weight.shape[0]},), one "
                f"entry per row of weight; got {tuple(self.offset.shape)}."
            )
        require_positive("LinearGaussianModel", "var", self.var)

    def likelihood(self, z: Tensor) -> DiagonalGaussian:
        """Return p(x|z) for ``z`` (B, d): a Gaussian with mean and variance (B, D)."""
        require_features("LinearGaussianModel.likelihood", "z", z, self.weight.shape[1])
        mean = z @ self.weight.T + self.offset  # (B, d) @ (d, D) -> (B, D)
        return DiagonalGaussian(mean, torch.full_like(mean, self.var))

    def joint_log_prob(self, x: Tensor, z: Tensor) -> Tensor:
        """Return log p(x,z) = log p(x|z) + log p(z), shape (B,); ``joint-factorisation``."""
        return self.likelihood(z).log_prob(x) + standard_normal_log_prob(z)

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """Draw ``n`` points x, shape (n, D), by ancestral sampling: first z, then x given z."""
        require_count("LinearGaussianModel.sample", "n", n)
        latent_dim = self.weight.shape[1]
        z = standard_normal((n, latent_dim), like=self.weight, generator=generator)
        return self.likelihood(z).sample(generator=generator)

    def log_evidence(self, x: Tensor) -> Tensor:
        """Return log p(x) exactly, shape (B,), for ``x`` (B, D); ``marginal-density``."""
        require_matrix("LinearGaussianModel.log_evidence", "x", x)
        data_dim = self.weight.shape[0]
        require_features("LinearGaussianModel.log_evidence", "x", x, data_dim)
        cov = self.weight @ self.weight.T + self.var * self._identity(data_dim)
        cholesky: Tensor = torch.linalg.cholesky(cov)
        centred = (x - self.offset).T  # (D, B)
        whitened: Tensor = torch.linalg.solve_triangular(cholesky, centred, upper=False)  # (D, B)
        log_det = 2 * cholesky.diagonal().log().sum()
        return -0.5 * (whitened.square().sum(dim=0) + log_det + data_dim * LOG_2PI)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean (B, d) and the covariance (d, d), the same for every x, of p(z|x)."""
        require_matrix("LinearGaussianModel.posterior", "x", x)
        data_dim, latent_dim = self.weight.shape
        require_features("LinearGaussianModel.posterior", "x", x, data_dim)
        precision = self._identity(latent_dim) + self.weight.T @ self.weight / self.var
        cov: Tensor = torch.linalg.inv(precision)
        mean = (x - self.offset) @ self.weight @ cov / self.var  # (B, D) -> (B, d)
        return mean, cov

    def _identity(self, dim: int) -> Tensor:
        return torch.eye(dim, dtype=self.weight.dtype, device=self.weight.device)


def _require_values(name: str, value: Tensor, is_valid: Tensor, rule: str) -> None:
    if not is_valid.all():
        wrong = value[~is_valid].flatten()[0].item()
        raise ArgumentError(f"GaussianMixture: {name} must {rule}; got {wrong}. Check its values.")
