"""The equations of section 13.2.1: joint, posterior, evidence and its lower bound."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy import integrate, stats
from torch import Tensor

from gm_course.distributions import LOG_2PI, LinearGaussianModel
from gm_course.ledger.equation import Equation

NOTEBOOK, SECTION = "02-latent-variables-and-the-elbo", "13.2.1"


# The joint density and the posterior, on linear-Gaussian models of several sizes.


def _models() -> list[tuple[LinearGaussianModel, Tensor]]:
    """Models with (D, d) = (1, 1), (2, 1), (3, 2), two noises each, and four data points each."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    models = []
    for (data_dim, latent_dim), var in itertools.product([(1, 1), (2, 1), (3, 2)], [0.3, 1.7]):
        model = LinearGaussianModel(normal(data_dim, latent_dim), normal(data_dim), var)
        models.append((model, normal(4, data_dim)))
    return models


MODELS = _models()


def joint_error(log_joint: Callable[[LinearGaussianModel, Tensor, Tensor], Tensor]) -> float:
    """Largest deviation from the one Gaussian that (x, z) follow together, in nats."""
    errors = []
    for model, x in MODELS:
        data_dim, latent_dim = model.weight.shape
        z = torch.linspace(-2, 2, 4 * latent_dim, dtype=torch.float64).reshape(4, latent_dim)
        weight = model.weight.numpy()
        mean = np.concatenate([model.offset.numpy(), np.zeros(latent_dim)])
        cov = np.block(
            [
                [weight @ weight.T + model.var * np.eye(data_dim), weight],
                [weight.T, np.eye(latent_dim)],
            ]
        )
        exact = stats.multivariate_normal(mean, cov).logpdf(np.concatenate([x, z], axis=1))
        errors.append(np.abs(log_joint(model, x, z).numpy() - exact).max())
    return float(max(errors))


def log_posterior(model: LinearGaussianModel, x: Tensor, z: Tensor) -> Tensor:
    """Return log p(z|x) of the package's posterior; x (D,), z (n, d) -> (n,)."""
    mean, cov = model.posterior(x[None])
    log_density: Tensor = torch.distributions.MultivariateNormal(mean[0], cov).log_prob(z)
    return log_density


def _log_posterior_without_prior(model: LinearGaussianModel, x: Tensor, z: Tensor) -> Tensor:
    """p(x|z) normalised over z, as if the prior were flat."""
    precision = model.weight.T @ model.weight / model.var
    mean = torch.linalg.solve(precision, model.weight.T @ (x - model.offset) / model.var)
    posterior = torch.distributions.MultivariateNormal(mean, precision_matrix=precision)
    log_density: Tensor = posterior.log_prob(z)
    return log_density


def posterior_error(
    formula: Callable[[LinearGaussianModel, Tensor, Tensor], Tensor],
) -> float:
    """Largest deviation of log p(z|x) from p(x|z)p(z) normalised by quadrature, in nats."""
    errors = []
    for model, points in MODELS:
        x, latent_dim = points[0], model.weight.shape[1]
        z = torch.linspace(-1, 1, 3 * latent_dim, dtype=torch.float64).reshape(3, latent_dim)
        # Unnormalised density in plain numpy, integrated by the trapezoidal rule on [-9, 9]^d.
        axis = np.linspace(-9, 9, 361)
        grid = np.stack(np.meshgrid(*[axis] * latent_dim, indexing="ij"), axis=-1)
        cell = (axis[1] - axis[0]) ** latent_dim
        log_evidence = np.log(np.exp(_log_joint_in_numpy(model, x, grid)).sum() * cell)
        exact = _log_joint_in_numpy(model, x, z.numpy()) - log_evidence
        errors.append(np.abs(formula(model, x, z).numpy() - exact).max())
    return float(max(errors))


def _log_joint_in_numpy(
    model: LinearGaussianModel, x: Tensor, z: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    mean = z @ model.weight.numpy().T + model.offset.numpy()
    likelihood = stats.norm.logpdf(x.numpy(), mean, model.var**0.5).sum(axis=-1)
    prior = stats.norm.logpdf(z).sum(axis=-1)
    total: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = likelihood + prior
    return total


# The bound, on problems with one latent variable whose expectations are finite sums.


@dataclass(frozen=True, eq=False)
class Problem:
    """One x, one q, and everything the bound needs at the nodes of a sum over z.

    Attributes:
        weights: Width of each node, shape (n,); ones if z is discrete.
        log_prior: log p(z), shape (n,).
        log_likelihood: log p(x|z), shape (n,).
        log_q: log q(z), shape (n,).
        log_posterior: log p(z|x) by a formula of its own, shape (n,).
        log_evidence: log p(x) by another route.
        reconstruction: E_q[log p(x|z)] in closed form.
        kl_to_prior: KL(q, p(z)) in closed form.
    """

    weights: Tensor
    log_prior: Tensor
    log_likelihood: Tensor
    log_q: Tensor
    log_posterior: Tensor
    log_evidence: float
    reconstruction: float
    kl_to_prior: float

    @property
    def log_joint(self) -> Tensor:
        """Log p(x,z), shape (n,)."""
        return self.log_likelihood + self.log_prior

    def expectation(self, log_density: Tensor, values: Tensor) -> float:
        """Sum of weights · density · values."""
        return float((self.weights * log_density.exp() * values).sum())


def elbo(problem: Problem) -> float:
    """E_q[log p(x,z) − log q(z)], in nats."""
    return problem.expectation(problem.log_q, problem.log_joint - problem.log_q)


def elbo_plus_kl(problem: Problem) -> float:
    """ELBO + KL(q, p(z|x)), in nats."""
    return elbo(problem) + problem.expectation(problem.log_q, problem.log_q - problem.log_posterior)


def _normal(z: Tensor, mean: float, std: float) -> Tensor:
    return -0.5 * ((z - mean) / std).square() - float(np.log(std)) - 0.5 * LOG_2PI


# dz = 0.01 and |z| ≤ 10: for densities with σ ≥ 0.2 the trapezoidal rule and the cut tails are
# both exact to rounding.
GRID = torch.linspace(-10, 10, 2001, dtype=torch.float64)
DECODER_VAR = 0.4


def _gaussian_problem(x: float, mean: float, std: float, curvature: float) -> Problem:
    """Prior N(0,1), x|z ~ N(z + curvature·z², DECODER_VAR), q = N(mean, std²)."""

    def decoder(z: Tensor) -> Tensor:
        return z + curvature * z.square()

    def joint(z: float) -> float:
        latent = torch.tensor(z, dtype=torch.float64)
        return float(
            (_normal(decoder(latent) - x, 0.0, DECODER_VAR**0.5) + _normal(latent, 0, 1)).exp()
        )

    # The fourth moments of a Gaussian give E_q of the squared error.
    m2 = mean**2 + std**2
    m3 = mean**3 + 3 * mean * std**2
    m4 = mean**4 + 6 * mean**2 * std**2 + 3 * std**4
    squared_error = (
        x**2 - 2 * x * (mean + curvature * m2) + m2 + 2 * curvature * m3 + curvature**2 * m4
    )
    log_likelihood = _normal(decoder(GRID) - x, 0.0, DECODER_VAR**0.5)
    if curvature == 0:
        evidence = stats.norm.pdf(x, 0, (1 + DECODER_VAR) ** 0.5)
        log_posterior = _normal(
            GRID, x / (1 + DECODER_VAR), (DECODER_VAR / (1 + DECODER_VAR)) ** 0.5
        )
    else:
        evidence = integrate.quad(joint, -10, 10, epsabs=1e-14, epsrel=1e-12, limit=200)[0]
        # Normalised on the grid, so that log p(x) does not enter on both sides of an identity.
        log_joint = log_likelihood + _normal(GRID, 0, 1)
        log_posterior = log_joint - (0.01 * log_joint.exp()).sum().log()
    return Problem(
        weights=torch.full_like(GRID, 0.01),
        log_prior=_normal(GRID, 0, 1),
        log_likelihood=log_likelihood,
        log_q=_normal(GRID, mean, std),
        log_posterior=log_posterior,
        log_evidence=float(np.log(evidence)),
        reconstruction=-0.5 * (squared_error / DECODER_VAR + float(np.log(DECODER_VAR)) + LOG_2PI),
        kl_to_prior=0.5 * (std**2 + mean**2 - 1 - 2 * float(np.log(std))),
    )


def _two_state_problem(x: float, r: float) -> Problem:
    """States 1 and 2 with prior 0.3 and 0.7, x|z ~ N(−1, 1) or N(2, 1), q(z=1) = r."""
    prior = np.array([0.3, 0.7])
    likelihood = stats.norm.pdf(x, [-1, 2], 1)
    # Log-odds of state 1: log 0.3/0.7 + ((x − 2)² − (x + 1)²)/2 = log 0.3/0.7 + (3 − 6x)/2.
    odds = 3 / 7 * np.exp((3 - 6 * x) / 2)
    q = np.array([r, 1 - r])
    return Problem(
        weights=torch.ones(2, dtype=torch.float64),
        log_prior=torch.from_numpy(np.log(prior)),
        log_likelihood=torch.from_numpy(np.log(likelihood)),
        log_q=torch.from_numpy(np.log(q)),
        log_posterior=torch.from_numpy(np.log(np.array([odds, 1.0]) / (1 + odds))),
        log_evidence=float(np.log(prior @ likelihood)),
        reconstruction=float(q @ np.log(likelihood)),
        kl_to_prior=float(stats.entropy(q, prior)),
    )


def _problems() -> list[Problem]:
    choices = itertools.product([-1.0, 0.8], [-0.7, 0.5], [0.25, 0.7, 1.0], [0.0, 0.5])
    return [
        *(_gaussian_problem(x, mean, std, curvature) for x, mean, std, curvature in choices),
        *(_two_state_problem(x, r) for x in (-1.0, 0.5, 2.0) for r in (0.1, 0.5, 0.85)),
    ]


PROBLEMS = _problems()


def at_posterior(problem: Problem) -> Problem:
    """Return the same problem with q replaced by the posterior."""
    values = {name: getattr(problem, name) for name in problem.__dataclass_fields__}
    return Problem(**{**values, "log_q": problem.log_posterior})


def decomposition_error(total: Callable[[Problem], float]) -> float:
    """Largest deviation of the sum from log p(x), in nats."""
    return max(abs(total(problem) - problem.log_evidence) for problem in PROBLEMS)


def definition_error(formula: Callable[[Problem], float]) -> float:
    """Largest deviation from reconstruction − KL to the prior, both in closed form, in nats."""
    return max(
        abs(formula(problem) - (problem.reconstruction - problem.kl_to_prior))
        for problem in PROBLEMS
    )


def bound_error(formula: Callable[[Problem], float]) -> float:
    """Largest violation of the bound, of its tightness at the posterior, and of its strictness.

    For every other q the gap must be at least ½‖q − p(z|x)‖₁² (Pinsker's inequality), which is
    positive and uses no logarithm of the densities.
    """
    errors = []
    for problem in PROBLEMS:
        difference = (problem.log_q.exp() - problem.log_posterior.exp()).abs()
        pinsker = 0.5 * float((problem.weights * difference).sum()) ** 2
        errors.append(formula(problem) - (problem.log_evidence - pinsker))
        errors.append(abs(formula(at_posterior(problem)) - problem.log_evidence))
    return max(errors)


def _log_weight_at_likely_draw(problem: Problem) -> float:
    """A single draw of log p(x,z) − log q(z): the 90 % quantile of its distribution under q."""
    log_weights = problem.log_joint - problem.log_q
    order = log_weights.argsort()
    mass = (problem.weights * problem.log_q.exp())[order].cumsum(0)
    return float(log_weights[order][int((mass >= 0.9 * mass[-1]).nonzero()[0])])


EQUATIONS: tuple[Equation, ...] = (
    Equation(
        name="joint-factorisation",
        section=SECTION,
        notebook=NOTEBOOK,
        oracle="the Gaussian of (x, z) together, scipy",
        measure="deviation of log p(x,z) in nats",
        # Log-densities below 100 from matrices of condition below 1e3: 1e-16 · 1e2 · 1e3 = 1e-11.
        tolerance=1e-10,
        formula=LinearGaussianModel.joint_log_prob,
        error=joint_error,
        killers={
            "x and z taken as independent": lambda model, x, z: (
                model.log_evidence(x) + (-0.5 * (z.square() + LOG_2PI)).sum(dim=1)
            ),
            "prior forgotten": lambda model, x, z: model.likelihood(z).log_prob(x),
            "posterior in place of the likelihood": lambda model, x, z: (
                torch.stack([log_posterior(model, x[i], z[i : i + 1])[0] for i in range(len(x))])
                + (-0.5 * (z.square() + LOG_2PI)).sum(dim=1)
            ),
        },
    ),
    Equation(
        name="evidence-decomposition",
        section=SECTION,
        notebook=NOTEBOOK,
        oracle="log p(x) by closed form, enumeration or scipy's quadrature",
        measure="deviation of ELBO + KL from log p(x) in nats",
        # As above; scipy's quadrature is asked for 1e-12.
        tolerance=1e-10,
        formula=elbo_plus_kl,
        error=decomposition_error,
        killers={
            "KL the other way round": lambda problem: (
                elbo(problem)
                + problem.expectation(problem.log_posterior, problem.log_posterior - problem.log_q)
            ),
            "KL subtracted": lambda problem: 2 * elbo(problem) - elbo_plus_kl(problem),
            "KL to the prior": lambda problem: elbo(problem) + problem.kl_to_prior,
            "KL forgotten": elbo,
        },
    ),
    Equation(
        name="elbo-definition",
        section=SECTION,
        notebook=NOTEBOOK,
        oracle="closed-form reconstruction minus closed-form KL to the prior",
        measure="deviation of the ELBO in nats",
        # 2,001 terms of size below 1e3 · 0.01, summed in float64: rounding below 1e-11.
        tolerance=1e-10,
        formula=elbo,
        error=definition_error,
        killers={
            "expectation under the prior": lambda problem: problem.expectation(
                problem.log_prior, problem.log_joint - problem.log_q
            ),
            "entropy term forgotten": lambda problem: problem.expectation(
                problem.log_q, problem.log_joint
            ),
            "sign of log q": lambda problem: problem.expectation(
                problem.log_q, problem.log_joint + problem.log_q
            ),
            "likelihood in place of the joint": lambda problem: problem.expectation(
                problem.log_q, problem.log_likelihood - problem.log_q
            ),
        },
    ),
    Equation(
        name="posterior",
        section=SECTION,
        notebook=NOTEBOOK,
        oracle="p(x|z)p(z) normalised by quadrature",
        measure="deviation of log p(z|x) in nats",
        # The grid's step 0.05 is a sixth of the narrowest posterior's σ or less, where the
        # trapezoidal rule errs by 2·exp(−2π²·36), nothing; rounding stays below 1e-11.
        tolerance=1e-10,
        formula=log_posterior,
        error=posterior_error,
        killers={
            "not normalised": lambda model, x, z: model.joint_log_prob(x.expand(len(z), -1), z),
            "prior forgotten": _log_posterior_without_prior,
            "offset not subtracted": lambda model, x, z: log_posterior(model, x + model.offset, z),
        },
    ),
    Equation(
        name="elbo-is-bound",
        section=SECTION,
        notebook=NOTEBOOK,
        oracle="log p(x) and Pinsker's inequality",
        measure="violation of the bound or of its tightness in nats",
        tolerance=1e-10,  # as above
        formula=elbo,
        error=bound_error,
        killers={
            "a single sample in place of the expectation": _log_weight_at_likely_draw,
            "expectation under the prior": lambda problem: problem.expectation(
                problem.log_prior, problem.log_joint - problem.log_q
            ),
            "entropy term forgotten": lambda problem: problem.expectation(
                problem.log_q, problem.log_joint
            ),
            "log of the average weight, which is tight for every q": lambda problem: float(
                (
                    problem.weights.log() + problem.log_q + (problem.log_joint - problem.log_q)
                ).logsumexp(dim=0)
            ),
        },
    ),
)
