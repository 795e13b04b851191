r"""The variational autoencoder (变分自编码器) of chapter 13.2, its ELBO and objective (13.28).

Letters in the shape comments: B examples, D features of x, d coordinates of z, M samples of z per
example. Every draw takes an explicit generator, which must live on the model's device.

Shapes are checked, values are not: inspecting them would stall a GPU at each training step. A NaN
in one example makes that example's terms NaN and leaves the others alone. An empty batch gives
empty results.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gm_course.distributions import (
    LOG_2PI,
    Bernoulli,
    DiagonalGaussian,
    reparameterise,
    standard_normal,
    standard_normal_log_prob,
)
from gm_course.divergences import gaussian_kl
from gm_course.errors import ArgumentError
from gm_course.estimators import importance_weighted_bound
from gm_course.networks import BernoulliGenerator, GaussianGenerator, InferenceNetwork
from gm_course.validation import (
    require_count,
    require_features,
    require_matrix,
    require_positive,
    require_same_shape,
)


class ElboTerms(NamedTuple):
    """The two halves of the ELBO (证据下界), in nats per example; ``elbo-split``.

    Attributes:
        reconstruction: Estimate of E_q[log p(x|z)], shape (B,).
        kl: KL(q(z|x), p(z)) in closed form, shape (B,).
    """

    reconstruction: Tensor
    kl: Tensor

    @property
    def elbo(self) -> Tensor:
        """Reconstruction − KL, shape (B,); a training loss is ``-terms.elbo.mean()``."""
        return self.reconstruction - self.kl


class VAE(nn.Module):
    """Inference and generator network trained together on the ELBO; prior N(0, I).

    Args:
        inference: q(z|x;φ), maps x (B, D) to a ``DiagonalGaussian``.
        generator: p(x|z;θ), maps z (..., d) to a ``Bernoulli`` or a ``DiagonalGaussian``.
            Networks of your own serve as well if they have ``data_dim`` and ``latent_dim`` and
            treat all but the last dimension as batch.

    Raises:
        ArgumentError: If the two networks disagree on D or d.

    Source:
        Chapter 13.2.4; Kingma & Welling, "Auto-Encoding Variational Bayes", 2014.

    Example:
        >>> vae = VAE(InferenceNetwork(784, 2), BernoulliGenerator(2, 784))
        >>> terms = vae.elbo(torch.zeros(5, 784), generator=torch.Generator())
        >>> loss = -terms.elbo.mean()
        >>> terms.elbo.shape, loss.shape
        (torch.Size([5]), torch.Size([]))
    """

    def __init__(
        self, inference: InferenceNetwork, generator: BernoulliGenerator | GaussianGenerator
    ) -> None:
        for dim in ("data_dim", "latent_dim"):
            ours, theirs = getattr(inference, dim), getattr(generator, dim)
            if ours != theirs:
                raise ArgumentError(
                    f"VAE: inference and generator must have the same {dim}; got {ours} and "
                    f"{theirs}. The inference network takes (data_dim, latent_dim), the generator "
                    "network (latent_dim, data_dim)."
                )
        super().__init__()
        self.inference = inference
        self.generator = generator

    def posterior(self, x: Tensor) -> DiagonalGaussian:
        """Return q(z|x), mean and variance (B, d), for ``x`` (B, D)."""
        require_matrix("VAE.posterior", "x", x)
        require_features("VAE.posterior", "x", x, self.inference.data_dim)
        posterior: DiagonalGaussian = self.inference(x)
        return posterior

    def decode(self, z: Tensor) -> Bernoulli | DiagonalGaussian:
        """Return p(x|z), parameters (..., D), for ``z`` (..., d); ``.mean`` is the picture."""
        require_features("VAE.decode", "z", z, self.generator.latent_dim)
        likelihood: Bernoulli | DiagonalGaussian = self.generator(z)
        return likelihood

    def elbo(self, x: Tensor, *, generator: torch.Generator, samples: int = 1) -> ElboTerms:
        """Estimate the ELBO: M reparameterised samples, and the closed-form Gaussian KL.

        Args:
            x: Shape (B, D).
            generator: Source of the noise ε.
            samples: M, samples of z per example.

        Returns:
            Unbiased terms, shape (B,) each, differentiable in θ and φ; the variance of the
            reconstruction falls as 1/M.

        Raises:
            ShapeError: If ``x`` is not (B, D).
            ArgumentError: If ``samples`` is not a whole number of at least 1.

        Source:
            Chapter 13.2.6, ``monte-carlo-elbo`` and ``gaussian-kl-standard``.
        """
        require_count("VAE.elbo", "samples", samples)
        q = self.posterior(x)
        noise = standard_normal((samples, *q.mean.shape), like=q.mean, generator=generator)
        z = reparameterise(q.mean, q.var, noise)  # (M, B, d)
        reconstruction = self.decode(z).log_prob(x).mean(dim=0)  # (M, B) -> (B,)
        return ElboTerms(reconstruction, gaussian_kl(q.mean, q.var))

    def log_weights(self, x: Tensor, *, samples: int, generator: torch.Generator) -> Tensor:
        """Log importance weights log p(x,z) − log q(z|x) at samples z of q(z|x).

        Their exponentials average to p(x), their own average is the ELBO.

        Args:
            x: Shape (B, D).
            samples: K, samples of z per example, all decoded at once: memory grows as K·B·D.
            generator: Source of the noise.

        Returns:
            Shape (K, B), differentiable in θ and φ.

        Raises:
            ShapeError: If ``x`` is not (B, D).
            ArgumentError: If ``samples`` is not a whole number of at least 1.

        Source:
            Chapter 13.2.1, ``elbo-definition``; Burda, Grosse & Salakhutdinov, "Importance
            Weighted Autoencoders", 2016.
        """
        require_count("VAE.log_weights", "samples", samples)
        q = self.posterior(x)
        noise = standard_normal((samples, *q.mean.shape), like=q.mean, generator=generator)
        z = reparameterise(q.mean, q.var, noise)  # (K, B, d)
        log_joint = self.decode(z).log_prob(x) + standard_normal_log_prob(z)  # (K, B)
        return log_joint - q.log_prob(z)

    def log_likelihood(
        self, x: Tensor, *, samples: int, generator: torch.Generator, chunk: int = 16
    ) -> Tensor:
        """Estimate log p(x) by importance sampling from q(z|x); no gradient.

        From below in expectation, ever closer as K grows; exact for any K when q is the posterior.

        Args:
            x: Shape (B, D). Pass a large data set in batches of a few hundred rows.
            samples: K, importance samples per example.
            generator: Source of the noise; another ``chunk`` draws it in another order.
            chunk: Samples decoded at once. Memory grows as chunk·B·D, beside one number for each
                of the K·B weights.

        Returns:
            Shape (B,), in nats.

        Raises:
            ShapeError: If ``x`` is not (B, D).
            ArgumentError: If ``samples`` or ``chunk`` is not a whole number of at least 1.

        Source:
            Burda, Grosse & Salakhutdinov, "Importance Weighted Autoencoders", 2016.
        """
        require_count("VAE.log_likelihood", "samples", samples)
        require_count("VAE.log_likelihood", "chunk", chunk)
        with torch.no_grad():
            chunks = [
                self.log_weights(x, samples=min(chunk, samples - done), generator=generator)
                for done in range(0, samples, chunk)
            ]
        return importance_weighted_bound(torch.cat(chunks))  # (K, B) -> (B,)

    def sample_prior(self, n: int, *, generator: torch.Generator) -> Tensor:
        """Draw ``n`` latent points z ~ N(0, I), shape (n, d)."""
        require_count("VAE.sample_prior", "n", n)
        parameter = next(self.parameters())
        return standard_normal((n, self.generator.latent_dim), like=parameter, generator=generator)

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """Draw ``n`` examples x, shape (n, D), by ancestral sampling; no gradient.

        First z ~ p(z), then x ~ p(x|z), noise of the features included. Pictures are usually
        shown without that noise: ``vae.decode(vae.sample_prior(n, generator=g)).mean``.

        Source:
            Chapter 13.1.2, ``ancestral-sampling``.
        """
        with torch.no_grad():
            z = self.sample_prior(n, generator=generator)
            return self.decode(z).sample(generator=generator)


def objective_13_28(
    x: Tensor, mean_g: Tensor, posterior_mean: Tensor, posterior_var: Tensor, lam: float
) -> Tensor:
    r"""Objective (13.28) of a VAE whose decoder is N(x; μ_G, λI), to be maximised.

    .. math:: J = -\tfrac12 \|x - \mu_G\|^2 - \lambda\,\mathrm{KL}(N(\mu_I, \sigma_I^2 I), N(0, I))

    Some drafts print it as −‖x−μ_G‖² + KL: factor and sign are wrong there.

    Args:
        x: Shape (B, D).
        mean_g: μ_G at one sample of z per example, same shape.
        posterior_mean: μ_I, shape (B, d).
        posterior_var: σ_I² (not σ_I), shape (B, d).
        lam: λ, the decoder's variance.

    Returns:
        Shape (B,); in squared units of x, not nats. ``elbo_from_objective`` converts.

    Raises:
        ShapeError: If the shapes do not fit together.
        ArgumentError: If ``lam`` is not positive.

    Source:
        Chapter 13.2.6, ``objective-13-28``.

    Example:
        >>> x, zeros = torch.tensor([[1.0, 2.0]]), torch.zeros(1, 1)
        >>> objective_13_28(x, torch.zeros(1, 2), zeros, zeros + 1, lam=0.5)
        tensor([-2.5000])
    """
    require_same_shape("objective_13_28", x=x, mean_g=mean_g)
    require_positive("objective_13_28", "lam", lam)
    squared_error = (x - mean_g).square().sum(dim=-1)  # (B, D) -> (B,)
    return -0.5 * squared_error - lam * gaussian_kl(posterior_mean, posterior_var)


def elbo_from_objective(objective: Tensor, *, lam: float, data_dim: int) -> Tensor:
    r"""Convert (13.28) to the one-sample ELBO in nats: an affine map, so the maximisers agree.

    .. math:: \mathrm{ELBO}_1 = J / \lambda - \tfrac{D}{2} \log(2\pi\lambda)

    Args:
        objective: J of ``objective_13_28``, shape (B,).
        lam: λ, the decoder's variance.
        data_dim: D, features of x.

    Returns:
        Shape (B,).

    Raises:
        ArgumentError: If ``lam`` is not positive or ``data_dim`` not a whole number of at least 1.

    Source:
        Chapter 13.2.6, ``objective-is-scaled-elbo``.

    Example:
        >>> elbo_from_objective(torch.zeros(1), lam=1.0, data_dim=2)  # -log(2π)
        tensor([-1.8379])
    """
    require_positive("elbo_from_objective", "lam", lam)
    require_count("elbo_from_objective", "data_dim", data_dim)
    return objective / lam - 0.5 * data_dim * (LOG_2PI + math.log(lam))
