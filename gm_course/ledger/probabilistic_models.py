"""Section 13.1: densities with hidden causes, sampling, and generative classifiers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import scipy.integrate
import scipy.special
import scipy.stats
import torch
from numpy.typing import NDArray
from torch import Tensor

from gm_course.distributions import GaussianMixture, LinearGaussianModel
from gm_course.em import FullGaussianMixture, em_step, m_step, responsibilities
from gm_course.ledger.draws import normal, seeded
from gm_course.ledger.equation import Equation
from gm_course.ledger.generative_classifiers import (
    bayes_error,
    gda_error,
    likelihood_only,
    logit_weights,
    logit_with_cov,
    logit_without_half,
    logit_without_prior,
    normalised_over_x,
)

_NOTEBOOK = "01-probabilistic-generative-models"

Model = GaussianMixture | LinearGaussianModel
Cdf = Callable[[NDArray[np.float64]], NDArray[np.float64]]
Distribution = Callable[[Tensor], Tensor]  # values to distribution-function values, elementwise


# --- marginal-density ---------------------------------------------------------------------------


def _marginal_density(model: Model, x: Tensor) -> Tensor:
    """p(x) as the package computes it; ``x`` (N, D) -> (N,)."""
    if isinstance(model, LinearGaussianModel):
        return model.log_evidence(x).exp()
    return model.log_prob(x).exp()


def _average_log_likelihood(model: Model, x: Tensor) -> Tensor:
    """Exp E_z log p(x|z), the average taken on the wrong side of the exponential."""
    if isinstance(model, LinearGaussianModel):
        spread = model.weight.square().sum() / (2 * model.var)
        at_mean = model.likelihood(torch.zeros(1, model.weight.shape[1]).double())
        return (at_mean.log_prob(x) - spread).exp()
    parts = [
        GaussianMixture(mean[None], float(std)).log_prob(x) for mean, std in _components(model)
    ]
    return (model.weights @ torch.stack(parts)).exp()


def _at_prior_mean(model: Model, x: Tensor) -> Tensor:
    """p(x | E z) in place of E p(x|z): the hidden cause is not averaged over."""
    if isinstance(model, LinearGaussianModel):
        return model.likelihood(torch.zeros(1, model.weight.shape[1]).double()).log_prob(x).exp()
    centre, std = model.weights @ model.means, float(model.weights @ model.std)
    return GaussianMixture(centre[None], std).log_prob(x).exp()


def _components(mixture: GaussianMixture) -> Iterator[tuple[Tensor, Tensor]]:
    return zip(mixture.means, mixture.std, strict=True)


def _marginal_error(formula: Callable[[Model, Tensor], Tensor]) -> float:
    """Largest relative deviation from ∫ p(x|z) p(z) dz (continuous z) or Σ p(x|z) p(z)."""
    errors = []
    for seed, (data_dim, latent_dim) in enumerate([(1, 1), (3, 1), (2, 2)]):
        weight = normal(data_dim, latent_dim, seed=seed)
        model = LinearGaussianModel(weight, normal(data_dim, seed=10 + seed), var=0.4)
        for x in normal(3, data_dim, seed=20 + seed):
            exact = _integral_over_z(model, x)
            errors.append(abs(float(formula(model, x[None])) / exact - 1))
    for dim in (1, 3):
        std = torch.tensor([0.5, 1.0, 2.0]).double()
        mixture = GaussianMixture(normal(3, dim, seed=30), std, torch.tensor([1.0, 2.0, 5.0]))
        for x in normal(3, dim, seed=40):
            exact = sum(
                float(share) * scipy.stats.multivariate_normal(mean, float(std) ** 2).pdf(x.numpy())
                for share, (mean, std) in zip(mixture.weights, _components(mixture), strict=True)
            )
            errors.append(abs(float(formula(mixture, x[None])) / exact - 1))
    return max(errors)


def _integral_over_z(model: LinearGaussianModel, x: Tensor) -> float:
    weight, offset, point = model.weight.numpy(), model.offset.numpy(), x.numpy()

    def integrand(z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Likelihood times prior at the points z (n, d)."""
        distance = np.square(point - z @ weight.T - offset).sum(axis=1)
        likelihood = np.exp(-distance / (2 * model.var))
        prior = np.exp(-np.square(z).sum(axis=1) / 2)
        return np.asarray(likelihood * prior)

    dim = weight.shape[1]
    constant = (2 * math.pi * model.var) ** (-len(point) / 2) * (2 * math.pi) ** (-dim / 2)
    result = scipy.integrate.cubature(
        integrand, [-9.0] * dim, [9.0] * dim, rtol=1e-10, atol=0, rule="gauss-kronrod"
    )
    return float(constant * result.estimate)


# --- em-monotone --------------------------------------------------------------------------------


def _em_error(step: Callable[[FullGaussianMixture, Tensor], FullGaussianMixture]) -> float:
    """Largest fall of Σ log p(x_n) in a step, in nats, at the start and near a maximum."""
    falls = []
    for seed, (dim, components) in enumerate([(1, 2), (2, 3), (3, 2)]):
        centres = 1.5 * normal(components, dim, seed=seed)
        counts = torch.arange(components) * 40 + 20
        x = centres.repeat_interleave(counts, dim=0) + normal(
            int(counts.sum()), dim, seed=100 + seed
        )
        mixture = FullGaussianMixture(
            torch.full((components,), 1 / components).double(),
            centres + 0.5 * normal(components, dim, seed=200 + seed),
            torch.eye(dim).double().repeat(components, 1, 1),
        )
        for _ in range(40):
            falls.append(_log_likelihood(mixture, x) - _log_likelihood(step(mixture, x), x))
            mixture = em_step(mixture, x)  # the path is the same for every formula
    return max(0.0, *falls)


def _log_likelihood(mixture: FullGaussianMixture, x: Tensor) -> float:
    joint = [
        math.log(float(weight))
        + scipy.stats.multivariate_normal(mean.numpy(), cov.numpy()).logpdf(x.numpy())
        for weight, mean, cov in zip(mixture.weights, mixture.means, mixture.covs, strict=True)
    ]
    return float(scipy.special.logsumexp(joint, axis=0).sum())


def _em_without_weights(mixture: FullGaussianMixture, x: Tensor) -> FullGaussianMixture:
    return m_step(x, likelihood_only(mixture, x))


def _em_with_hard_assignments(mixture: FullGaussianMixture, x: Tensor) -> FullGaussianMixture:
    nearest = responsibilities(mixture, x).argmax(dim=1)
    return m_step(x, torch.nn.functional.one_hot(nearest, len(mixture.weights)).to(x))


def _em_with_unweighted_covs(mixture: FullGaussianMixture, x: Tensor) -> FullGaussianMixture:
    correct = em_step(mixture, x)
    centred = x[:, None, :] - correct.means
    covs = torch.einsum("nki,nkj->kij", centred, centred) / len(x)
    return FullGaussianMixture(correct.weights, correct.means, covs)


# --- ancestral-sampling -------------------------------------------------------------------------


def _ancestral_sample(model: Model, n: int, generator: torch.Generator) -> Tensor:
    return model.sample(n, generator=generator)


def _without_second_step(model: Model, n: int, generator: torch.Generator) -> Tensor:
    """Only z is drawn; x is the mean of p(x|z)."""
    if isinstance(model, LinearGaussianModel):
        z = torch.randn(n, model.weight.shape[1], generator=generator, dtype=torch.float64)
        return model.likelihood(z).mean
    return model.means[torch.multinomial(model.weights, n, replacement=True, generator=generator)]


def _with_equal_weights(model: Model, n: int, generator: torch.Generator) -> Tensor:
    if isinstance(model, GaussianMixture):
        model = GaussianMixture(model.means, model.std)
    return model.sample(n, generator=generator)


def _projected_cdf(
    x: NDArray[np.float64],
    *,
    means: NDArray[np.float64],
    scale: NDArray[np.float64],
    shares: NDArray[np.float64],
) -> NDArray[np.float64]:
    return np.asarray(scipy.stats.norm.cdf(x[:, None], means, scale) @ shares)


def _ancestral_error(sample: Callable[[Model, int, torch.Generator], Tensor]) -> float:
    """Largest √n · Kolmogorov-Smirnov distance from the exact marginal of a projection."""
    n = 4_000
    distances = []
    for dim in (1, 3):
        direction = normal(dim, seed=50 + dim)
        std = torch.tensor([0.3, 0.8]).double()
        mixture = GaussianMixture(normal(2, dim, seed=1), std, torch.tensor([1.0, 4.0]))
        means = (mixture.means @ direction).numpy()
        scale = (std * direction.norm()).numpy()
        shares = mixture.weights.numpy()
        model = LinearGaussianModel(normal(dim, 2, seed=60), normal(dim, seed=70), var=0.3)
        cov = model.weight @ model.weight.T + model.var * torch.eye(dim).double()
        width = float((direction @ cov @ direction).sqrt())
        gaussian_cdf = scipy.stats.norm(float(model.offset @ direction), width).cdf
        exact: list[tuple[Model, Cdf]] = [
            (mixture, partial(_projected_cdf, means=means, scale=scale, shares=shares)),
            (model, gaussian_cdf),
        ]
        for chosen, cdf in exact:
            draws = (sample(chosen, n, seeded(80 + dim)) @ direction).numpy()
            distances.append(scipy.stats.kstest(draws, cdf).statistic)
    return float(math.sqrt(n) * max(distances))


# --- pushforward-sampling -----------------------------------------------------------------------


def _push(noise: Tensor, noise_cdf: Distribution, cdf: Distribution) -> Tensor:
    """G(z) = F⁻¹(F_noise(z)), the inverse by bisection between -50 and 50."""
    u = noise_cdf(noise)
    low, high = torch.full_like(u, -50.0), torch.full_like(u, 50.0)
    for _ in range(60):
        middle = (low + high) / 2
        is_below = cdf(middle) < u
        low, high = torch.where(is_below, middle, low), torch.where(is_below, high, middle)
    return (low + high) / 2


def _uniform_cdf(u: Tensor) -> Tensor:
    return u.clamp(0, 1)


def _mixture_cdf(x: Tensor) -> Tensor:
    mixed: Tensor = 0.3 * torch.special.ndtr((x + 2) / 0.5) + 0.7 * torch.special.ndtr(x - 1)
    return mixed


def _pushforward_error(push: Callable[[Tensor, Distribution, Distribution], Tensor]) -> float:
    """Largest distance between the distribution of G(z) and p_r, whose density is integrated.

    The noise is not drawn: 1,000 values that split it into equal probabilities stand for it.
    """
    n = 1_000
    equal = (np.arange(n) + 0.5) / n
    targets: list[tuple[Distribution, Callable[[float], float]]] = [
        (_mixture_cdf, lambda x: 0.3 * _bell((x + 2) / 0.5) / 0.5 + 0.7 * _bell(x - 1)),
        (torch.sigmoid, lambda x: math.exp(-abs(x)) / (1 + math.exp(-abs(x))) ** 2),
    ]
    noises: list[tuple[NDArray[np.float64], Distribution]] = [
        (equal, _uniform_cdf),
        (scipy.stats.norm.ppf(equal), torch.special.ndtr),
    ]
    distances = []
    for cdf, density in targets:
        for noise, noise_cdf in noises:
            samples = push(torch.from_numpy(noise), noise_cdf, cdf)
            for x in (-3.0, -1.5, 0.0, 0.5, 2.0):
                exact = scipy.integrate.quad(density, -40, x, points=[-2, 1], limit=200)[0]
                distances.append(abs(float((samples <= x).double().mean()) - exact))
    return float(max(distances))


def _bell(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _push_without_inverse(noise: Tensor, noise_cdf: Distribution, cdf: Distribution) -> Tensor:
    return cdf(noise)


def _push_as_if_uniform(noise: Tensor, noise_cdf: Distribution, cdf: Distribution) -> Tensor:
    return _push(noise, _uniform_cdf, cdf)


EQUATIONS: tuple[Equation, ...] = (
    Equation(
        name="marginal-density",
        section="13.1.1",
        notebook=_NOTEBOOK,
        oracle="cubature over z, sum over components",
        measure="relative error",
        tolerance=1e-8,  # the cubature is asked for 1e-10; its tails beyond 9 are below 1e-17
        formula=_marginal_density,
        error=_marginal_error,
        killers={
            "average of log p(x|z)": _average_log_likelihood,
            "p(x|z) at the mean of z": _at_prior_mean,
        },
    ),
    Equation(
        name="em-monotone",
        section="13.1.1",
        notebook=_NOTEBOOK,
        oracle="SciPy's multivariate normal",
        measure="largest fall of the log-likelihood in nats",
        # A sum of 120 terms of size below 20, each rounded a few times: 120 · 20 · 10 · 2e-16.
        tolerance=1e-11,
        formula=em_step,
        error=_em_error,
        killers={
            "responsibilities without the weights": _em_without_weights,
            "hard assignments": _em_with_hard_assignments,
            "covariances not weighted by the responsibilities": _em_with_unweighted_covs,
        },
    ),
    Equation(
        name="ancestral-sampling",
        section="13.1.2",
        notebook=_NOTEBOOK,
        oracle="Kolmogorov-Smirnov, exact marginal",
        measure="√n times the largest distance of distribution functions",
        tolerance=2.5,  # exceeded by chance with probability 2·exp(-2·2.5²) = 7e-6
        formula=_ancestral_sample,
        error=_ancestral_error,
        killers={
            "the mean of p(x|z) in place of a draw": _without_second_step,
            "components drawn equally often": _with_equal_weights,
        },
    ),
    Equation(
        name="pushforward-sampling",
        section="13.1.2",
        notebook=_NOTEBOOK,
        oracle="integrated density",
        measure="largest distance of distribution functions",
        tolerance=5.1e-4,  # 1,000 values cannot come closer than 1/2,000; 1e-5 for the rest
        formula=_push,
        error=_pushforward_error,
        killers={
            "F in place of its inverse": _push_without_inverse,
            "normal noise as if it were uniform": _push_as_if_uniform,
        },
    ),
    Equation(
        name="bayes-rule",
        section="13.1.3",
        notebook=_NOTEBOOK,
        oracle="P(y | x in a small box) from distribution functions",
        measure="largest deviation of a probability",
        # Differences of distribution functions of 2e-3·density lose 13 digits to 10; squared
        # differences in h leave h⁴, 1e-12 times a derivative below 100.
        tolerance=1e-8,
        formula=responsibilities,
        error=bayes_error,
        killers={
            "the prior p(y) left out": likelihood_only,
            "normalised over x instead of y": normalised_over_x,
        },
    ),
    Equation(
        name="gda-is-logistic",
        section="13.1.3",
        notebook=_NOTEBOOK,
        oracle="SciPy's multivariate normal",
        measure="largest deviation of the log-odds",
        tolerance=1e-10,  # terms below 1e3, condition below 1e2, eps 2e-16: 1e-11
        formula=logit_weights,
        error=gda_error,
        killers={
            "prior log-odds left out": logit_without_prior,
            "the ½ in b left out": logit_without_half,
            "Σ in place of its inverse": logit_with_cov,
        },
    ),
)
