"""Exercise 13-2, derive (13.28): the one-sample ELBO, the objective, and where the constants go.

Oracles are closed forms in extended precision. Every tolerance is ``rounding(dtype, scale)``; the
scale sums the magnitudes of the terms that a correct answer adds up, each times its condition
number, so that any order of evaluation passes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gm_course.checks.calls import Call
from gm_course.checks.engine import AnswerCheck, Case, Exercise, in_both_dtypes
from gm_course.checks.ex13_2_divergences import (
    GAUSSIAN_KL,
    GAUSSIAN_KL_GENERAL,
    PRODUCT_OF_VARIANCES,
    kl,
    kl_with_product,
    many_dimensions,
)
from gm_course.checks.ex13_2_evidence import AFFINE_MAP, EVIDENCE_TERMS
from gm_course.checks.expected import Values
from gm_course.checks.gaussians import diagonal_kl
from gm_course.checks.inputs import LOG_TWO_PI, Wide, log_uniform, narrow, normal, rounding, wide
from gm_course.checks.misconceptions import Misconception

# --- elbo_one_sample and objective_13_28 ------------------------------------------------------


class _Outputs(NamedTuple):
    """Observations, what both networks make of them, and the decoder's variance."""

    x: Tensor
    mu_g: Tensor
    mu_i: Tensor
    var_i: Tensor
    lam: float


def _network_outputs(dtype: torch.dtype) -> dict[str, _Outputs]:
    def outputs(
        seed: int,
        sizes: tuple[int, int, int],
        lam: float,
        *,
        var: tuple[float, float] = (0.1, 2.0),
    ) -> _Outputs:
        batch, data_dim, latent_dim = sizes
        return _Outputs(
            normal(seed, (batch, data_dim), dtype=dtype),
            normal(seed + 1, (batch, data_dim), dtype=dtype),
            normal(seed + 2, (batch, latent_dim), dtype=dtype),
            log_uniform(seed + 3, (batch, latent_dim), low=var[0], high=var[1], dtype=dtype),
            lam,
        )

    typical = outputs(100, (4, 5, 2), 0.3)
    many = many_dimensions(dtype)
    return {
        "typical values": typical,
        "as many examples as dimensions": outputs(110, (3, 3, 3), 2.5),
        "one example": outputs(120, (1, 4, 3), 0.7),
        "one data dimension": outputs(130, (3, 1, 2), 1.7),
        "one latent dimension": outputs(140, (3, 4, 1), 0.2),
        "every size one": outputs(150, (1, 1, 1), 0.6),
        "an image's dimensions": outputs(160, (2, 64, 10), 0.05),
        "a perfect reconstruction": typical._replace(mu_g=typical.x),
        "lam = 1": outputs(170, (3, 4, 2), 1.0),
        "lam = 1e-6": outputs(180, (3, 4, 2), 1e-6),
        "lam = 1e6": outputs(190, (3, 4, 2), 1e6),
        "variances near 1e-6": outputs(200, (3, 4, 2), 0.4, var=(1e-6, 2e-6)),
        "variances near 1e6": outputs(210, (3, 4, 2), 0.4, var=(5e5, 1e6)),
        # lam to the power of 64 is beyond float64.
        "lam = 1e-6, 64 dimensions": outputs(220, (2, 64, 2), 1e-6),
        "lam = 1e6, 64 dimensions": outputs(230, (2, 64, 2), 1e6),
        "many variances near 1e-6": outputs(240, (2, 4, many), 0.4, var=(1e-6, 2e-6)),
        "many variances near 1e6": outputs(250, (2, 4, many), 0.4, var=(5e5, 1e6)),
    }


def _elbo_and_scale(given: _Outputs) -> tuple[Wide, Wide]:
    square = ((wide(given.x) - wide(given.mu_g)) ** 2).sum(-1)
    dim, lam = given.x.shape[-1], np.longdouble(given.lam)
    kl, kl_scale = diagonal_kl(given.mu_i, given.var_i)
    elbo = -(dim * (LOG_TWO_PI + np.log(lam)) + square / lam) / 2 - kl
    scale = (dim * (LOG_TWO_PI + abs(np.log(lam))) + square / lam) / 2 + kl_scale
    return elbo, scale


def _objective_and_scale(given: _Outputs) -> tuple[Wide, Wide]:
    square = ((wide(given.x) - wide(given.mu_g)) ** 2).sum(-1)
    kl, _ = diagonal_kl(given.mu_i, given.var_i)
    lam = np.longdouble(given.lam)
    # It may be computed as lam·ELBO plus the constants of the affine map, which then cancel.
    _, elbo_scale = _elbo_and_scale(given)
    return -square / 2 - lam * kl, lam * elbo_scale


def _output_cases(
    exact_and_scale: Callable[[_Outputs], tuple[Wide, Wide]],
) -> Callable[[], list[Case]]:
    def build(dtype: torch.dtype) -> Iterator[Case]:
        for label, given in _network_outputs(dtype).items():
            exact, scale = exact_and_scale(given)
            expected = Values(narrow(exact), rounding(dtype, scale), dtype)
            yield Case(label, Call(given._asdict()), expected)

    return in_both_dtypes(build)


# What mistakes put together wrongly.


def _square(x: Tensor, mu_g: Tensor) -> Tensor:
    return ((x - mu_g) ** 2).sum(-1)


def _log_constant(x: Tensor, variance: float) -> float:
    return 0.5 * x.shape[-1] * math.log(2 * math.pi * variance)


def _log_likelihood(x: Tensor, mu_g: Tensor, variance: float) -> Tensor:
    return -_square(x, mu_g) / (2 * variance) - _log_constant(x, variance)


def _elbo(x: Tensor, mu_g: Tensor, mu_i: Tensor, var_i: Tensor, lam: float) -> Tensor:
    return _log_likelihood(x, mu_g, lam) - kl(mu_i, var_i)


def _elbo_with_power(x: Tensor, mu_g: Tensor, mu_i: Tensor, var_i: Tensor, lam: float) -> Tensor:
    power = x.new_tensor(2 * math.pi * lam) ** x.shape[-1]
    return -0.5 * power.log() - _square(x, mu_g) / (2 * lam) - kl(mu_i, var_i)


def _objective(x: Tensor, mu_g: Tensor, mu_i: Tensor, var_i: Tensor, lam: float) -> Tensor:
    return -0.5 * _square(x, mu_g) - lam * kl(mu_i, var_i)


_VAR_AS_STD = (
    "var-as-std",
    "var_i squared: it was taken for σ, but it is σ² already",
    "`var_i` holds σ². Where the KL's formula says σ², write `var_i`.",
)
_BATCH_MEAN = (
    "batch-mean",
    "an average over the batch",
    "Keep one number per example: sum over the last axis only.",
)
_BATCH_SUM = ("batch-sum", "a sum over the whole batch", _BATCH_MEAN[2])

ELBO_ONE_SAMPLE = AnswerCheck(
    name="elbo_one_sample",
    points=2.0,
    meaning="log N(x; mu_g, lam·I) − KL of each example, in nats",
    hint="Write the log-density of a D-dimensional Gaussian with covariance lam·I in full, then "
    "subtract the divergence of the approximate posterior from the prior.",
    build_cases=_output_cases(_elbo_and_scale),
    misconceptions=(
        Misconception(
            "no-constant",
            "a log-density without its normalising constant",
            "A bound on log p(x) needs every constant; only an optimiser may drop them.",
            lambda x, mu_g, mu_i, var_i, lam: -_square(x, mu_g) / (2 * lam) - kl(mu_i, var_i),
        ),
        Misconception(
            "no-two-pi",
            "a normalising constant without 2π",
            "What is log N(0; 0, 1) in one dimension?",
            lambda x, mu_g, mu_i, var_i, lam: (
                _elbo(x, mu_g, mu_i, var_i, lam) + 0.5 * x.shape[-1] * math.log(2 * math.pi)
            ),
        ),
        Misconception(
            "constant-once",
            "the normalising constant of one dimension instead of D",
            "The density of D independent dimensions is a product: how often does log lam occur?",
            lambda x, mu_g, mu_i, var_i, lam: (
                _elbo(x, mu_g, mu_i, var_i, lam) + _log_constant(x[:, 1:], lam)
            ),
        ),
        Misconception(
            "constant-of-latent",
            "the normalising constant of a density in as many dimensions as z has",
            "Which variable does the decoder's density belong to?",
            lambda x, mu_g, mu_i, var_i, lam: (
                _elbo(x, mu_g, mu_i, var_i, lam) + _log_constant(x, lam) - _log_constant(mu_i, lam)
            ),
        ),
        Misconception(
            "power-in-log",
            "a determinant or power of 2π·lam that leaves the range of floats before its log is "
            "taken",
            "log aᴰ = D log a, and only the right-hand side stays finite for every D.",
            _elbo_with_power,
        ),
        Misconception(
            "lam-as-std",
            "lam taken for the decoder's standard deviation",
            "`lam` is the variance λ: the covariance is λ·I.",
            lambda x, mu_g, mu_i, var_i, lam: _log_likelihood(x, mu_g, lam**2) - kl(mu_i, var_i),
        ),
        Misconception(
            "lam-as-precision",
            "lam taken for a precision, one over the variance",
            "A larger lam makes the decoder more tolerant of a bad reconstruction.",
            lambda x, mu_g, mu_i, var_i, lam: _log_likelihood(x, mu_g, 1 / lam) - kl(mu_i, var_i),
        ),
        Misconception(
            "no-half",
            "a squared error without its factor ½",
            "Look at the exponent of a Gaussian density again.",
            lambda x, mu_g, mu_i, var_i, lam: (
                _elbo(x, mu_g, mu_i, var_i, lam) - _square(x, mu_g) / (2 * lam)
            ),
        ),
        Misconception(
            "kl-added",
            "the KL divergence added",
            "The ELBO lies below log p(x): which sign must a non-negative penalty have?",
            lambda x, mu_g, mu_i, var_i, lam: _log_likelihood(x, mu_g, lam) + kl(mu_i, var_i),
        ),
        Misconception(
            "no-kl",
            "the log-likelihood alone",
            "What keeps the approximate posterior near the prior?",
            lambda x, mu_g, mu_i, var_i, lam: _log_likelihood(x, mu_g, lam),
        ),
        Misconception(
            "kl-weighted",
            "the KL divergence multiplied by lam",
            "That weight appears in (13.28), after a rescaling; the ELBO itself has none.",
            lambda x, mu_g, mu_i, var_i, lam: _log_likelihood(x, mu_g, lam) - lam * kl(mu_i, var_i),
        ),
        Misconception(
            "mean-over-dimensions",
            "the log-likelihood averaged over the data dimensions",
            "Independent dimensions: the log-densities add up.",
            lambda x, mu_g, mu_i, var_i, lam: (
                _log_likelihood(x, mu_g, lam) / x.shape[-1] - kl(mu_i, var_i)
            ),
        ),
        Misconception(
            "square-averaged",
            "a squared error averaged over the data dimensions",
            "The exponent of a Gaussian holds a sum of squares.",
            lambda x, mu_g, mu_i, var_i, lam: (
                -_square(x, mu_g) / (2 * lam * x.shape[-1])
                - _log_constant(x, lam)
                - kl(mu_i, var_i)
            ),
        ),
        Misconception(
            "negated",
            "a loss, the negative of the ELBO",
            "The ELBO is maximised; return it, not what an optimiser would minimise.",
            lambda x, mu_g, mu_i, var_i, lam: -_elbo(x, mu_g, mu_i, var_i, lam),
        ),
        Misconception(
            "objective-instead",
            "the simplified objective (13.28)",
            "This step still keeps every constant of the Gaussian log-density.",
            _objective,
        ),
        Misconception(
            *_VAR_AS_STD,
            lambda x, mu_g, mu_i, var_i, lam: _elbo(x, mu_g, mu_i, var_i**2, lam),
        ),
        Misconception(
            *PRODUCT_OF_VARIANCES,
            lambda x, mu_g, mu_i, var_i, lam: (
                _log_likelihood(x, mu_g, lam) - kl_with_product(mu_i, var_i)
            ),
        ),
        Misconception(
            *_BATCH_SUM,
            lambda x, mu_g, mu_i, var_i, lam: _elbo(x, mu_g, mu_i, var_i, lam).sum(),
        ),
        Misconception(
            *_BATCH_MEAN,
            lambda x, mu_g, mu_i, var_i, lam: _elbo(x, mu_g, mu_i, var_i, lam).mean(),
        ),
    ),
)

OBJECTIVE_13_28 = AnswerCheck(
    name="objective_13_28",
    points=2.0,
    meaning="−½‖x − mu_g‖² − lam·KL of each example",
    hint="Both terms follow from the statement: a sum of squares over the data dimensions, and the "
    "divergence of the previous answer times lam.",
    build_cases=_output_cases(_objective_and_scale),
    misconceptions=(
        Misconception(
            "book-slip",
            "−‖x − mu_g‖² + KL, as some drafts of the book print it",
            "Both the factor of the first term and the sign of the second are wrong there: derive "
            "them from the ELBO.",
            lambda x, mu_g, mu_i, var_i, lam: -_square(x, mu_g) + kl(mu_i, var_i),
        ),
        Misconception(
            "no-half",
            "a squared error without its factor ½",
            "Multiply the Gaussian log-density by lam: what remains before the square?",
            lambda x, mu_g, mu_i, var_i, lam: -_square(x, mu_g) - lam * kl(mu_i, var_i),
        ),
        Misconception(
            "kl-added",
            "the KL divergence added",
            "The objective is maximised: may a larger divergence improve it?",
            lambda x, mu_g, mu_i, var_i, lam: -0.5 * _square(x, mu_g) + lam * kl(mu_i, var_i),
        ),
        Misconception(
            "kl-unweighted",
            "the KL divergence without its weight",
            "Scaling the ELBO to free the squared error of 1/lam scales its other term too.",
            lambda x, mu_g, mu_i, var_i, lam: -0.5 * _square(x, mu_g) - kl(mu_i, var_i),
        ),
        Misconception(
            "lam-squared",
            "the KL divergence weighted with lam²",
            "The ELBO has no weight on the KL divergence: how often is it multiplied by lam?",
            lambda x, mu_g, mu_i, var_i, lam: -0.5 * _square(x, mu_g) - lam**2 * kl(mu_i, var_i),
        ),
        Misconception(
            "no-kl",
            "the squared error alone",
            "What keeps the approximate posterior near the prior?",
            lambda x, mu_g, mu_i, var_i, lam: -0.5 * _square(x, mu_g),
        ),
        Misconception(
            "divided-by-lam",
            "the ELBO without constants: the squared error still divided by lam",
            "(13.28) is that, multiplied by lam.",
            lambda x, mu_g, mu_i, var_i, lam: -_square(x, mu_g) / (2 * lam) - kl(mu_i, var_i),
        ),
        Misconception(
            "lam-on-error",
            "lam on the squared error instead of the KL divergence",
            "A large lam stands for a noisy decoder: which term should it make matter less?",
            lambda x, mu_g, mu_i, var_i, lam: -0.5 * lam * _square(x, mu_g) - kl(mu_i, var_i),
        ),
        Misconception(
            "negated",
            "a loss, the negative of the objective",
            "(13.28) is maximised; return it as it stands.",
            lambda x, mu_g, mu_i, var_i, lam: -_objective(x, mu_g, mu_i, var_i, lam),
        ),
        Misconception(
            "mean-over-dimensions",
            "the squared error averaged over the data dimensions",
            "‖·‖² is a sum of squares; an average changes its weight against the KL divergence.",
            lambda x, mu_g, mu_i, var_i, lam: (
                -0.5 * _square(x, mu_g) / x.shape[-1] - lam * kl(mu_i, var_i)
            ),
        ),
        Misconception(
            "norm-not-squared",
            "the norm of the error, not squared",
            "The exponent of a Gaussian holds the squared distance.",
            lambda x, mu_g, mu_i, var_i, lam: (
                -0.5 * _square(x, mu_g).sqrt() - lam * kl(mu_i, var_i)
            ),
        ),
        Misconception(
            "elbo-instead",
            "the one-sample ELBO with all its constants",
            "(13.28) is what is left after scaling it and dropping what θ and φ cannot change.",
            _elbo,
        ),
        Misconception(
            *_VAR_AS_STD,
            lambda x, mu_g, mu_i, var_i, lam: _objective(x, mu_g, mu_i, var_i**2, lam),
        ),
        Misconception(
            *PRODUCT_OF_VARIANCES,
            lambda x, mu_g, mu_i, var_i, lam: (
                -0.5 * _square(x, mu_g) - lam * kl_with_product(mu_i, var_i)
            ),
        ),
        Misconception(
            *_BATCH_SUM,
            lambda x, mu_g, mu_i, var_i, lam: _objective(x, mu_g, mu_i, var_i, lam).sum(),
        ),
        Misconception(
            *_BATCH_MEAN,
            lambda x, mu_g, mu_i, var_i, lam: _objective(x, mu_g, mu_i, var_i, lam).mean(),
        ),
    ),
)

EXERCISE = Exercise(
    "13-2",
    checks=(
        GAUSSIAN_KL_GENERAL,
        GAUSSIAN_KL,
        ELBO_ONE_SAMPLE,
        OBJECTIVE_13_28,
        AFFINE_MAP,
        EVIDENCE_TERMS,
    ),
    written_points=4.0,
)
