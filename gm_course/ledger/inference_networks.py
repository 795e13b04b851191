r"""The equations of lecture 3: objective of the inference network, two likelihoods, the split ELBO.

The ELBO is computed as the course does, reconstruction minus KL; its expectation is taken by
Gauss-Hermite quadrature instead of sampling, so that equations can be checked to many digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import integrate, optimize, special, stats
from torch import Tensor

from gm_course.distributions import Bernoulli, DiagonalGaussian, LinearGaussianModel, reparameterise
from gm_course.divergences import gaussian_kl
from gm_course.ledger.equation import Equation
from gm_course.vae import ElboTerms

NOTEBOOK = "03-inference-and-generator-networks"
F64 = torch.float64

FloatArray = NDArray[np.float64]
Decoder = Callable[[Tensor], Bernoulli | DiagonalGaussian]
Elbo = Callable[[Decoder, Tensor, Tensor, Tensor], Tensor]
LogProb = Callable[[Tensor, Tensor], Tensor]


def _reconstruction(decode: Decoder, x: Tensor, mean: Tensor, var: Tensor) -> Tensor:
    """E_q[log p(x|z)] for x (1, D) and q = N(mean, diag var) of shape (1, d); shape (1,)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    latent_dim = mean.shape[1]
    grid = np.array(list(product(nodes, repeat=latent_dim)))  # (K, d)
    shares = np.array([math.prod(row) for row in product(weights, repeat=latent_dim)])
    noise = torch.tensor(grid, dtype=F64)[:, None]  # (K, 1, d)
    z = reparameterise(mean, var, noise)
    share = torch.tensor(shares / shares.sum(), dtype=F64)[:, None]  # (K, 1)
    return (share * decode(z).log_prob(x)).sum(dim=0)


def elbo(decode: Decoder, x: Tensor, mean: Tensor, var: Tensor) -> Tensor:
    """Reconstruction − KL for one example, shape (1,), in nats; ``elbo-split``."""
    terms = ElboTerms(_reconstruction(decode, x, mean, var), gaussian_kl(mean, var))
    return terms.elbo


def _added_kl(decode: Decoder, x: Tensor, mean: Tensor, var: Tensor) -> Tensor:
    return _reconstruction(decode, x, mean, var) + gaussian_kl(mean, var)


def _half_kl(decode: Decoder, x: Tensor, mean: Tensor, var: Tensor) -> Tensor:
    return _reconstruction(decode, x, mean, var) - 0.5 * gaussian_kl(mean, var)


def _mean_decoded(decode: Decoder, x: Tensor, mean: Tensor, var: Tensor) -> Tensor:
    return decode(mean).log_prob(x) - gaussian_kl(mean, var)


def _std_for_var(decode: Decoder, x: Tensor, mean: Tensor, var: Tensor) -> Tensor:
    return _reconstruction(decode, x, mean, var) - gaussian_kl(mean, var.sqrt())


def _linear_models() -> list[tuple[LinearGaussianModel, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    models = []
    for data_dim, latent_dim, var in ((1, 1, 0.5), (3, 1, 0.1), (3, 2, 0.25), (2, 2, 2.0)):
        weight = torch.randn(data_dim, latent_dim, generator=generator, dtype=F64)
        offset = torch.randn(data_dim, generator=generator, dtype=F64)
        model = LinearGaussianModel(weight, offset, var=var)
        models.append((model, model.sample(1, generator=generator)))
    return models


def _posterior_by_conditioning(
    model: LinearGaussianModel, x: Tensor
) -> tuple[FloatArray, FloatArray]:
    """Mean and precision of p(z|x) from the joint Gaussian of (z, x), by NumPy alone."""
    weight, offset = model.weight.numpy(), model.offset.numpy()
    cov_x = weight @ weight.T + model.var * np.eye(len(offset))
    gain = weight.T @ np.linalg.inv(cov_x)  # Cov(z, x) Cov(x)⁻¹, (d, D)
    cov = np.eye(weight.shape[1]) - gain @ weight
    mean: FloatArray = gain @ (x.numpy()[0] - offset)
    return mean, np.linalg.inv(cov)


def _maximiser(objective: Callable[[Tensor, Tensor], Tensor], latent_dim: int) -> FloatArray:
    """Mean and log-variance that maximise the objective, concatenated; by BFGS from N(0, I)."""

    def loss_and_gradient(parameters: FloatArray) -> tuple[float, FloatArray]:
        point = torch.tensor(parameters, dtype=F64, requires_grad=True)
        mean, log_var = point.reshape(2, 1, latent_dim)
        loss = -objective(mean, log_var.exp()).sum()
        (gradient,) = torch.autograd.grad(loss, point)
        return loss.item(), gradient.numpy()

    start = np.zeros(2 * latent_dim)
    found: FloatArray = optimize.minimize(
        loss_and_gradient, start, jac=True, method="BFGS", options={"gtol": 1e-9, "maxiter": 100}
    ).x
    return found


def _inference_objective_error(formula: Elbo) -> float:
    """Distance of argmax ELBO from argmin KL, and of ∇ELBO from −∇KL; infinity for divergence."""
    deviations = []
    for model, x in _linear_models():
        best_mean, precision = _posterior_by_conditioning(model, x)
        diagonal = precision.diagonal()
        # KL(q, p) has mean terms ½(μ−m)ᵀΛ(μ−m) and variance terms ½ Σ (Λ_jj σ_j² − log σ_j²).
        best = np.concatenate([best_mean, -np.log(diagonal)])
        found = _maximiser(partial(formula, model.likelihood, x), len(best_mean))
        deviations.append(np.abs(found - best).max())

        mean = torch.full((1, len(best_mean)), 0.7, dtype=F64, requires_grad=True)
        var = torch.full((1, len(best_mean)), 0.4, dtype=F64, requires_grad=True)
        gradients = torch.autograd.grad(formula(model.likelihood, x, mean, var).sum(), (mean, var))
        kl_gradients = (precision @ (0.7 - best_mean), 0.5 * (diagonal - 1 / 0.4))
        for ours, kl_gradient in zip(gradients, kl_gradients, strict=True):
            deviations.append(np.abs(ours.numpy()[0] + kl_gradient).max())
    deviations.append(_curved_posterior_error(formula))
    return float(max(deviations)) if np.isfinite(deviations).all() else math.inf


def _curved_posterior_error(formula: Elbo) -> float:
    """Deviation of ∇ELBO from −∇KL where the posterior is no Gaussian: p(x=1|z) = sigmoid(2z−1)."""

    def log_joint(z: float) -> float:
        return float(special.log_expit(2 * z - 1) + stats.norm.logpdf(z))

    evidence = integrate.quad(lambda z: math.exp(log_joint(z)), -12, 12, epsabs=1e-13)[0]

    def kl(mean: float, var: float) -> float:
        def integrand(z: float) -> float:
            log_q = stats.norm.logpdf(z, mean, math.sqrt(var))
            return float(math.exp(log_q) * (log_q - log_joint(z) + math.log(evidence)))

        width = 12 * math.sqrt(var)
        return float(integrate.quad(integrand, mean - width, mean + width, epsabs=1e-13)[0])

    mean = torch.tensor([[0.3]], dtype=F64, requires_grad=True)
    var = torch.tensor([[0.5]], dtype=F64, requires_grad=True)
    x = torch.ones(1, 1, dtype=F64)
    value = formula(lambda z: Bernoulli(2 * z - 1), x, mean, var).sum()
    slopes = torch.autograd.grad(value, (mean, var))
    h = 1e-3
    # central differences of fourth order: error about h⁴ = 1e-12, rounding 1e-13 / h
    kl_slopes = [
        (8 * (kl(0.3 + h * a, 0.5 + h * b) - kl(0.3 - h * a, 0.5 - h * b))
         - kl(0.3 + 2 * h * a, 0.5 + 2 * h * b) + kl(0.3 - 2 * h * a, 0.5 - 2 * h * b)) / (12 * h)
        for a, b in ((1, 0), (0, 1))
    ]  # fmt: skip
    return max(abs(s.item() + k) for s, k in zip(slopes, kl_slopes, strict=True))


def _bernoulli_error(formula: LogProb) -> float:
    """Deviation from products of exact fractions, and of the total over all 2^D images from 1."""
    generator = torch.Generator().manual_seed(0)
    deviations = []
    for data_dim in (1, 4, 9):
        sixteenths = torch.randint(1, 16, (data_dim,), generator=generator)
        gammas = [Fraction(int(k), 16) for k in sixteenths]
        odds = torch.tensor([float(gamma / (1 - gamma)) for gamma in gammas], dtype=F64)
        images = torch.tensor(list(product((0.0, 1.0), repeat=data_dim)), dtype=F64)  # (2^D, D)
        values = formula(odds.log()[None], images).broadcast_to(len(images))
        exact = [
            math.log(math.prod(g if on else 1 - g for g, on in zip(gammas, image, strict=True)))
            for image in images.tolist()
        ]
        deviations.append((values - torch.tensor(exact, dtype=F64)).abs().max().item())
        deviations.append(abs(values.exp().sum().item() - 1))
    return max(deviations)


def _bernoulli(logits: Tensor, x: Tensor) -> Tensor:
    return Bernoulli(logits).log_prob(x)


def _gaussian(mean: Tensor, var: Tensor, x: Tensor) -> Tensor:
    return DiagonalGaussian(mean, var).log_prob(x)


def _gaussian_error(formula: Callable[[Tensor, Tensor, Tensor], Tensor]) -> float:
    """Deviation from SciPy's multivariate normal, and of the integral over the plane from 1."""
    generator = torch.Generator().manual_seed(0)
    deviations = []
    for data_dim, scale in ((1, 1.0), (3, 0.01), (8, 4.0)):
        mean, x = torch.randn(2, 1, data_dim, generator=generator, dtype=F64)
        var = scale * (0.2 + torch.rand(1, data_dim, generator=generator, dtype=F64))
        x = mean + var.sqrt() * x
        oracle = stats.multivariate_normal(mean[0].numpy(), np.diag(var[0].numpy()))
        value = formula(mean, var, x).item()
        deviations.append(abs(value - float(oracle.logpdf(x[0].numpy()))))

    # The trapezoidal rule on [−9, 9]² with spacing 0.1 is exact to rounding for variances of order
    # one: its error falls as exp(−2π²·var/spacing²), and what lies outside is below 1e-15.
    axis = torch.arange(-9, 9.05, 0.1, dtype=F64)
    plane = torch.cartesian_prod(axis, axis)
    mean, var = torch.tensor([[0.3, -0.2]], dtype=F64), torch.tensor([[0.5, 1.2]], dtype=F64)
    density = formula(mean, var, plane).exp()
    deviations.append(abs(density.sum().item() * 0.1**2 - 1))
    return max(deviations)


def _two_pixel_decoder(z: Tensor) -> Bernoulli:
    """A curved decoder: logits sin and products of z, shape (..., d) -> (..., 2)."""
    total = z.sum(dim=-1)
    return Bernoulli(torch.stack([2 * torch.sin(total), 1.5 * z[..., 0] - 0.5], dim=-1))


def _split_error(formula: Elbo) -> float:
    """Deviation from E_q[log p(x,z) − log q(z)], a sum over a fine grid of z.

    The joint density is taken as a whole: one Gaussian of (z, x), or a product of probabilities.
    """
    deviations = []
    for model, x in _linear_models():
        weight, offset = model.weight.numpy(), model.offset.numpy()
        data_dim, latent_dim = weight.shape
        cov_x = weight @ weight.T + model.var * np.eye(data_dim)
        joint = stats.multivariate_normal(
            np.concatenate([np.zeros(latent_dim), offset]),
            np.block([[np.eye(latent_dim), weight.T], [weight, cov_x]]),
        )

        def log_joint(
            z: FloatArray, joint: stats.rv_continuous = joint, x: Tensor = x
        ) -> FloatArray:
            return np.asarray(joint.logpdf(np.hstack([z, np.tile(x.numpy(), (len(z), 1))])))

        deviations.append(
            _deviation_from_definition(formula, model.likelihood, log_joint, x, latent_dim)
        )

    for latent_dim in (1, 2):

        def log_joint_bernoulli(z: FloatArray) -> FloatArray:
            gamma = special.expit(2 * np.sin(z.sum(axis=1))), special.expit(1.5 * z[:, 0] - 0.5)
            probability = gamma[0] * (1 - gamma[1]) * stats.norm.pdf(z).prod(axis=1)
            return np.asarray(np.log(probability))

        x = torch.tensor([[1.0, 0.0]], dtype=F64)
        deviations.append(
            _deviation_from_definition(
                formula, _two_pixel_decoder, log_joint_bernoulli, x, latent_dim
            )
        )
    return max(deviations)


def _deviation_from_definition(
    formula: Elbo,
    decode: Decoder,
    log_joint: Callable[[FloatArray], FloatArray],
    x: Tensor,
    latent_dim: int,
) -> float:
    mean, std = np.array([0.4, -0.6])[:latent_dim], np.array([0.8, 0.5])[:latent_dim]
    # ±9 standard deviations in steps of 1/8: the trapezoidal rule is exact to rounding here
    steps = np.arange(-9, 9.01, 0.125)
    noise = np.array(list(product(steps, repeat=latent_dim)))
    q = stats.multivariate_normal(mean, np.diag(std**2))
    z = mean + std * noise  # (K, d)
    mass = q.pdf(z) * (0.125**latent_dim) * std.prod()
    exact = float((mass * (log_joint(z) - q.logpdf(z))).sum())
    ours = formula(decode, x, torch.tensor(mean[None]), torch.tensor(std[None] ** 2)).item()
    return abs(ours - exact)


EQUATIONS: tuple[Equation, ...] = (
    Equation(
        name="inference-objective",
        section="13.2.2",
        notebook=NOTEBOOK,
        oracle="minimiser and gradient of the KL, by conditioning a Gaussian and by quadrature",
        measure="largest deviation of argmax and of gradient",
        # BFGS stops at gradients of 1e-9, or where rounding of 1e-15 in the value hides a further
        # gain, which leaves the argument uncertain by its root, 3e-8; the quadratures err by 1e-10
        tolerance=1e-6,
        formula=elbo,
        error=_inference_objective_error,
        killers={
            "half the KL": _half_kl,
            "the mean decoded instead of samples": _mean_decoded,
            "σ in place of σ² in the KL": _std_for_var,
        },
    ),
    Equation(
        name="bernoulli-likelihood",
        section="13.2.3",
        notebook=NOTEBOOK,
        oracle="products of exact fractions, summing to 1 over all images",
        measure="largest error (nats)",
        # logs below 30 in size, each of at most 9 terms correct to a few units of 1e-16
        tolerance=1e-12,
        formula=_bernoulli,
        error=_bernoulli_error,
        killers={
            "γ and 1−γ swapped": lambda logits, x: _bernoulli(-logits, x),
            "only the black pixels counted": lambda logits, x: (x * logits.sigmoid().log()).sum(-1),
            "mean over pixels": lambda logits, x: _bernoulli(logits, x) / x.shape[-1],
        },
    ),
    Equation(
        name="gaussian-likelihood",
        section="13.2.3",
        notebook=NOTEBOOK,
        oracle="scipy's multivariate normal, and an integral of 1",
        measure="largest error (nats)",
        # values below 100 nats, a few units of 1e-16 relative; the integral likewise
        tolerance=1e-11,
        formula=_gaussian,
        error=_gaussian_error,
        killers={
            "σ in place of σ²": lambda mean, var, x: _gaussian(mean, var.sqrt(), x),
            "no normaliser": lambda mean, var, x: -0.5 * ((x - mean).square() / var).sum(-1),
            "no factor ½ before the error": lambda mean, var, x: (
                _gaussian(mean, var, x) - 0.5 * ((x - mean).square() / var).sum(-1)
            ),
        },
    ),
    Equation(
        name="elbo-split",
        section="13.2.4",
        notebook=NOTEBOOK,
        oracle="E_q[log p(x,z) − log q(z)] on a grid of z",
        measure="largest error (nats)",
        # Gauss-Hermite with 40 nodes: the curved decoder's integrand is analytic up to π/2 from the
        # real axis, where its error is of order 1e-9.
        tolerance=1e-7,
        formula=elbo,
        error=_split_error,
        killers={
            "KL added": _added_kl,
            "the mean decoded instead of samples": _mean_decoded,
            "σ in place of σ² in the KL": _std_for_var,
        },
    ),
)
