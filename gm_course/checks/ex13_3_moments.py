"""Checks of exercise 13-3 about the codes' distribution: ``aggregate_moments``, ``prior_gap``.

The contract leaves the size of the codes open. Subtracting products of means from mean products is
then as correct as centring first, and the tolerances allow for its cancellation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from gm_course.checks.calls import Call
from gm_course.checks.engine import AnswerCheck, Case, in_both_dtypes
from gm_course.checks.expected import Items, Values
from gm_course.checks.gaussians import covariance, general_kl
from gm_course.checks.inputs import Wide, log_uniform, narrow, normal, rounding, wide
from gm_course.checks.misconceptions import Misconception

# --- aggregate_moments ------------------------------------------------------------------------


def _moment_cases(dtype: torch.dtype) -> Iterator[Case]:
    for label, (mu_i, var_i) in _posteriors(dtype).items():
        yield Case(label, Call({"mu_i": mu_i, "var_i": var_i}), _moments_expected(mu_i, var_i))


def _moments_expected(mu_i: Tensor, var_i: Tensor) -> Items:
    mu, var, count = wide(mu_i), wide(var_i), len(mu_i)
    mean = mu.mean(0)
    cov: Wide = (mu - mean).T @ (mu - mean) / count + np.diag(var.mean(0))
    # Second moments may be averaged first and the product of the means subtracted afterwards.
    mean_scale = np.abs(mu).mean(0)
    cov_scale: Wide = np.abs(mu).T @ np.abs(mu) / count + mean_scale * mean_scale[:, None]
    cov_scale += np.diag(var.mean(0))
    return Items({"mean": _values(mean, mean_scale, mu_i), "cov": _values(cov, cov_scale, mu_i)})


def _values(exact: Wide, scale: Wide, like: Tensor) -> Values:
    return Values(narrow(exact), rounding(like.dtype, scale), like.dtype)


def _posteriors(dtype: torch.dtype) -> dict[str, tuple[Tensor, Tensor]]:
    def posterior(
        seed: int, count: int, dim: int, *, low: float = 0.1, high: float = 2.0, offset: float = 0.5
    ) -> tuple[Tensor, Tensor]:
        mixing = normal(seed, (dim, dim), dtype=torch.float64)  # correlates the dimensions
        mu = normal(seed + 1, (count, dim), dtype=torch.float64) @ mixing + offset
        return mu.to(dtype), log_uniform(seed + 2, (count, dim), low=low, high=high, dtype=dtype)

    typical = posterior(700, 5, 3)
    alone = posterior(710, 1, 3)
    nothing = torch.zeros_like(typical[1])
    return {
        "typical values": typical,
        "as many examples as dimensions": posterior(720, 3, 3),
        "forty examples": posterior(730, 40, 2),
        "ten dimensions": posterior(740, 6, 10),
        "two examples": posterior(750, 2, 2),
        "one latent dimension": posterior(760, 4, 1),
        "one example": alone,
        "one example of one dimension": posterior(770, 1, 1),
        "point codes, variance 0": (typical[0], nothing),
        "one point code": (alone[0], torch.zeros_like(alone[1])),
        "some variances 0": (typical[0], typical[1] * (typical[1] > typical[1].median())),
        "every posterior the prior": (nothing, torch.ones_like(nothing)),
        "equal means": (typical[0][:1].expand(5, 3).clone(), typical[1]),
        "codes around 10": posterior(780, 5, 3, offset=10.0),
        "variances near 1e-6": posterior(790, 5, 3, low=1e-6, high=2e-6),
        "variances near 1e6": posterior(800, 5, 3, low=5e5, high=1e6),
        "variances from 1e-6 to 1e6": posterior(810, 5, 4, low=1e-6, high=1e6),
    }


def _spread(mu_i: Tensor) -> Tensor:
    """Population covariance of the means, (d, d)."""
    centred = mu_i - mu_i.mean(0)
    return centred.T @ centred / len(mu_i)


def _moments(mu_i: Tensor, var_i: Tensor) -> tuple[Tensor, Tensor]:
    return mu_i.mean(0), _spread(mu_i) + var_i.mean(0).diag()


def _unbiased(mu_i: Tensor, var_i: Tensor) -> tuple[Tensor, Tensor]:
    mean, cov = _moments(mu_i, torch.zeros_like(var_i))
    return mean, cov * len(mu_i) / (len(mu_i) - 1) + var_i.mean(0).diag()


def _correlation(mu_i: Tensor, var_i: Tensor) -> tuple[Tensor, Tensor]:
    mean, cov = _moments(mu_i, var_i)
    std = cov.diagonal().sqrt()
    return mean, cov / torch.outer(std, std)


AGGREGATE_MOMENTS = AnswerCheck(
    name="aggregate_moments",
    points=3.0,
    meaning="mean and covariance of the mixture of all posteriors",
    hint="Draw n first and then z ~ N(mu_i[n], diag var_i[n]). What are the mean and the "
    "covariance of z? The covariance has two sources (law of total variance).",
    build_cases=in_both_dtypes(_moment_cases),
    misconceptions=(
        Misconception(
            "means-only",
            "the covariance of the posterior means, without the posteriors' own variances",
            "Even if all means were equal, z would vary: each posterior has a width.",
            lambda mu_i, var_i: (mu_i.mean(0), _spread(mu_i)),
        ),
        Misconception(
            "widths-only",
            "the average posterior variance, without the spread of the posterior means",
            "Point codes have no width at all, and yet the codes of the data differ.",
            lambda mu_i, var_i: (mu_i.mean(0), var_i.mean(0).diag()),
        ),
        Misconception(
            "unbiased",
            "a covariance of the means divided by N − 1",
            "The mixture is a distribution known exactly, not a sample of something unknown: "
            "population moments.",
            _unbiased,
        ),
        Misconception(
            "not-centred",
            "second moments that were not centred",
            "A covariance is about deviations from the mean.",
            lambda mu_i, var_i: (
                mu_i.mean(0),
                mu_i.T @ mu_i / len(mu_i) + var_i.mean(0).diag(),
            ),
        ),
        Misconception(
            "diagonal-only",
            "a covariance with zeros off the diagonal",
            "Each posterior is diagonal, but the means of two dimensions may move together.",
            lambda mu_i, var_i: (
                mu_i.mean(0),
                (_spread(mu_i).diagonal() + var_i.mean(0)).diag(),
            ),
        ),
        Misconception(
            "variances-only",
            "a vector of variances in place of the covariance matrix",
            "The second item is the whole matrix, of shape (d, d).",
            lambda mu_i, var_i: (mu_i.mean(0), _spread(mu_i).diagonal() + var_i.mean(0)),
        ),
        Misconception(
            "widths-everywhere",
            "posterior variances added to every entry of a row, not only on the diagonal",
            "Adding a vector to a matrix broadcasts. Within one posterior, are two dimensions "
            "correlated?",
            lambda mu_i, var_i: (mu_i.mean(0), _spread(mu_i) + var_i.mean(0)),
        ),
        Misconception(
            "widths-summed",
            "posterior variances summed over the examples",
            "Every posterior has weight 1/N in the mixture.",
            lambda mu_i, var_i: (mu_i.mean(0), _spread(mu_i) + var_i.sum(0).diag()),
        ),
        Misconception(
            "variance-of-average",
            "the variance of an average of N independent draws",
            "A mixture draws from one posterior at a time; it does not average N codes.",
            lambda mu_i, var_i: (
                mu_i.mean(0),
                _spread(mu_i) + (var_i.sum(0) / len(var_i) ** 2).diag(),
            ),
        ),
        Misconception(
            "scatter",
            "a sum of deviations' products over the examples, not divided by N",
            "Every posterior has weight 1/N in the mixture.",
            lambda mu_i, var_i: (
                mu_i.mean(0),
                len(mu_i) * _spread(mu_i) + var_i.mean(0).diag(),
            ),
        ),
        Misconception(
            "var-as-std",
            "var_i squared: it was taken for σ, but it is σ² already",
            "`var_i` holds σ_I².",
            lambda mu_i, var_i: _moments(mu_i, var_i**2),
        ),
        Misconception(
            "std-for-var",
            "σ used where σ² is meant",
            "Variances add up, standard deviations do not.",
            lambda mu_i, var_i: _moments(mu_i, var_i.sqrt()),
        ),
        Misconception(
            "correlation",
            "a correlation matrix",
            "The covariance keeps its scale: nothing is divided by standard deviations.",
            _correlation,
        ),
        Misconception(
            "other-order",
            "mean and covariance exchanged",
            "Return (mean, cov) in this order.",
            lambda mu_i, var_i: tuple(reversed(_moments(mu_i, var_i))),
        ),
    ),
)

# --- prior_gap --------------------------------------------------------------------------------


def _gap_cases(dtype: torch.dtype) -> Iterator[Case]:
    for label, (mean, cov) in _aggregates(dtype).items():
        prior = torch.zeros_like(mean), torch.eye(len(mean), dtype=dtype)
        exact, scale = general_kl(mean, cov, *prior)
        yield Case(label, Call({"mean": mean, "cov": cov}), _values(exact, scale, mean))


def _aggregates(dtype: torch.dtype) -> dict[str, tuple[Tensor, Tensor]]:
    def gaussian(
        seed: int, dim: int, variance: float, *, condition: float = 10.0, mean_scale: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        mean = mean_scale * normal(seed, (dim,), dtype=dtype)
        return mean, covariance(seed + 1, dim, variance=variance, condition=condition, dtype=dtype)

    def axes(low: float, high: float) -> tuple[Tensor, Tensor]:
        exponents = torch.linspace(math.log10(low), math.log10(high), 4, dtype=torch.float64)
        return torch.zeros(4, dtype=dtype), torch.diag(10**exponents).to(dtype)

    typical = gaussian(900, 4, 1.3)
    prior = torch.zeros(4, dtype=dtype), torch.eye(4, dtype=dtype)
    steep = 1e2 if dtype is torch.float32 else 1e6  # float32 could not be right for more
    return {
        "typical values": typical,
        "two dimensions": gaussian(910, 2, 0.5),
        "one dimension": gaussian(920, 1, 0.4),
        "ten dimensions": gaussian(930, 10, 1.5),
        "the prior itself": prior,
        "close to the prior": gaussian(940, 3, 1.0, condition=1.01, mean_scale=1e-2),
        "the prior's mean": (prior[0], typical[1]),
        "the prior's covariance": (typical[0], prior[1]),
        "strong correlations": gaussian(950, 4, 1.0, condition=steep),
        "means near 1e3": gaussian(960, 3, 0.8, mean_scale=1e3),
        "ten variances near 1e-6": gaussian(970, 10, 3e-6),
        "ten variances near 1e6": gaussian(980, 10, 2e5),
        "variances from 1e-6 to 0.1": axes(1e-6, 1e-1),
        "variances from 10 to 1e6": axes(1e1, 1e6),
    }


def _gap(mean: Tensor, cov: Tensor) -> Tensor:
    return 0.5 * (cov.trace() + mean @ mean - len(mean) - torch.logdet(cov))


def _reversed_gap(mean: Tensor, cov: Tensor) -> Tensor:
    inverse: Tensor = torch.linalg.inv(cov)
    distance = mean @ inverse @ mean
    return 0.5 * (inverse.trace() + distance - len(mean) + torch.logdet(cov))


def _plain_determinant(mean: Tensor, cov: Tensor) -> Tensor:
    return 0.5 * (cov.trace() + mean @ mean - len(mean) - torch.det(cov).log())


PRIOR_GAP = AnswerCheck(
    name="prior_gap",
    points=2.0,
    meaning="KL(N(mean, cov), N(0, I)) in nats",
    hint="Set the second Gaussian of the general KL divergence to the prior and simplify each "
    "term; a Gaussian equal to the prior must give 0.",
    build_cases=in_both_dtypes(_gap_cases),
    misconceptions=(
        Misconception(
            "reversed",
            "KL(N(0, I), N(mean, cov)), the arguments exchanged",
            "The expectation is taken under the first argument, the Gaussian of the codes.",
            _reversed_gap,
        ),
        Misconception(
            "no-half",
            "a missing factor ½ in front",
            "A Gaussian's log-density carries ½ before its quadratic form and its log determinant.",
            lambda mean, cov: 2 * _gap(mean, cov),
        ),
        Misconception(
            "log-sign",
            "the log determinant with the wrong sign",
            "The divergence must grow without bound as the codes collapse onto a point.",
            lambda mean, cov: _gap(mean, cov) + torch.logdet(cov),
        ),
        Misconception(
            "no-dimension",
            "a missing constant: the prior itself gets a positive divergence",
            "What must come out for mean = 0, cov = I?",
            lambda mean, cov: _gap(mean, cov) + 0.5 * len(mean),
        ),
        Misconception(
            "minus-one",
            "the constant of one dimension instead of d",
            "What must come out for mean = 0, cov = I in d dimensions?",
            lambda mean, cov: _gap(mean, cov) + 0.5 * (len(mean) - 1),
        ),
        Misconception(
            "no-mean",
            "a divergence that ignores the mean",
            "Codes centred away from 0 miss the prior, however well their covariance fits.",
            lambda mean, cov: _gap(torch.zeros_like(mean), cov),
        ),
        Misconception(
            "mean-not-squared",
            "the length of the mean where its square belongs",
            "What is the expectation of ‖z‖² under N(mean, cov)?",
            lambda mean, cov: _gap(mean, cov) + 0.5 * (mean.norm() - mean @ mean),
        ),
        Misconception(
            "diagonal-only",
            "a covariance reduced to its diagonal",
            "Correlated codes do not fill a round prior: off-diagonal entries matter.",
            lambda mean, cov: _gap(mean, cov.diagonal().diag()),
        ),
        Misconception(
            "all-entries",
            "the sum of all entries of cov where only some of them belong",
            "Take E‖z‖²: which entries of the covariance appear in it?",
            lambda mean, cov: _gap(mean, cov) + 0.5 * (cov.sum() - cov.trace()),
        ),
        Misconception(
            "no-log",
            "a divergence without its log determinant",
            "Something must keep the codes from shrinking to a point.",
            lambda mean, cov: _gap(mean, cov) + 0.5 * torch.logdet(cov),
        ),
        Misconception(
            "mean-over-dimensions",
            "a divergence divided by the number of dimensions",
            "Log-densities of independent dimensions add up; nothing is averaged.",
            lambda mean, cov: _gap(mean, cov) / len(mean),
        ),
        Misconception(
            "negated",
            "the negative of the divergence",
            "A KL divergence is never negative.",
            lambda mean, cov: -_gap(mean, cov),
        ),
        Misconception(
            "plain-determinant",
            "a determinant that leaves the range of float32 before its log is taken",
            "The determinant of ten small variances underflows, its logarithm does not: look for "
            "a way to it that never forms the determinant.",
            _plain_determinant,
        ),
    ),
)
