"""Checks of exercise 13-2's divergences: ``gaussian_kl_general`` and ``gaussian_kl``."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from gm_course.checks.calls import Call
from gm_course.checks.engine import AnswerCheck, Case, in_both_dtypes
from gm_course.checks.expected import Values
from gm_course.checks.gaussians import covariance, diagonal_kl, general_kl
from gm_course.checks.inputs import log_uniform, narrow, normal, rounding
from gm_course.checks.misconceptions import Misconception

# --- gaussian_kl_general ----------------------------------------------------------------------


def _general_kl_cases(dtype: torch.dtype) -> Iterator[Case]:
    for label, ((mu1, cov1), (mu2, cov2)) in _gaussian_pairs(dtype).items():
        call = Call({"mu1": mu1, "cov1": cov1, "mu2": mu2, "cov2": cov2})
        exact, scale = general_kl(mu1, cov1, mu2, cov2)
        yield Case(label, call, Values(narrow(exact), rounding(dtype, scale), dtype))


def _gaussian_pairs(
    dtype: torch.dtype,
) -> dict[str, tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]]:
    def gaussian(
        seed: int, dim: int, variance: float, condition: float = 10.0
    ) -> tuple[Tensor, Tensor]:
        mean = math.sqrt(variance) * normal(seed, (dim,), dtype=torch.float64)
        cov = covariance(seed, dim, variance=variance, condition=condition, dtype=dtype)
        return mean.to(dtype), cov

    def axes(low: float, high: float) -> tuple[Tensor, Tensor]:
        exponents = torch.linspace(math.log10(low), math.log10(high), 4, dtype=torch.float64)
        return torch.zeros(4, dtype=dtype), torch.diag(10**exponents).to(dtype)

    first, second = gaussian(1, 4, 1.3), gaussian(2, 4, 0.7)
    standard = torch.zeros(4, dtype=dtype), torch.eye(4, dtype=dtype)
    steep = 1e2 if dtype is torch.float32 else 1e6  # float32 could not be right for more
    return {
        "typical values": (first, second),
        "two dimensions": (gaussian(3, 2, 0.5), gaussian(4, 2, 2.0)),
        "one dimension": (gaussian(5, 1, 0.5), gaussian(6, 1, 2.0)),
        "ten dimensions": (gaussian(7, 10, 1.0), gaussian(8, 10, 1.5)),
        "equal covariances": (first, (second[0], first[1])),
        "equal means": (first, (first[0], second[1])),
        "equal distributions": (first, first),
        "a standard normal second": (first, standard),
        "a standard normal first": (standard, second),
        "strong correlations": (gaussian(9, 4, 1.0, steep), gaussian(10, 4, 1.0, steep)),
        "ten variances near 1e-6": (gaussian(11, 10, 3e-6), gaussian(12, 10, 2e-6)),
        "ten variances near 1e6": (gaussian(13, 10, 2e5), gaussian(14, 10, 3e5)),
        "variances 1e-6 against 1e6": (gaussian(15, 3, 3e-6), gaussian(16, 3, 3e5)),
        "variances 1e6 against 1e-6": (gaussian(17, 3, 3e5), gaussian(18, 3, 3e-6)),
        "variances from 1e-6 to 0.1": (axes(1e-6, 1e-1), axes(1e-1, 1e-6)),
        "variances from 10 to 1e6": (axes(1e1, 1e6), axes(1e6, 1e1)),
    }


def _general_terms(
    mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor
) -> tuple[Tensor, Tensor, Tensor, int]:
    """Trace, squared distance, log|Σ2|/|Σ1| and dimension, which mistakes put together wrongly."""
    trace = torch.linalg.solve(cov2, cov1).trace()
    distance = (mu2 - mu1) @ torch.linalg.solve(cov2, mu2 - mu1)
    return trace, distance, torch.logdet(cov2) - torch.logdet(cov1), len(mu1)


def _general_kl(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> Tensor:
    return 0.5 * _general_without_half(mu1, cov1, mu2, cov2)


def _general_without_half(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> Tensor:
    trace, distance, log_ratio, dim = _general_terms(mu1, cov1, mu2, cov2)
    return trace + distance - dim + log_ratio


def _general_flipped_log(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> Tensor:
    trace, distance, log_ratio, dim = _general_terms(mu1, cov1, mu2, cov2)
    return 0.5 * (trace + distance - dim - log_ratio)


def _general_euclidean(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> Tensor:
    trace, _, log_ratio, dim = _general_terms(mu1, cov1, mu2, cov2)
    distance = ((mu2 - mu1) ** 2).sum()
    return 0.5 * (trace + distance - dim + log_ratio)


def _general_distance_in_first(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> Tensor:
    trace, _, log_ratio, dim = _general_terms(mu1, cov1, mu2, cov2)
    distance = torch.dot(mu2 - mu1, torch.linalg.solve(cov1, mu2 - mu1))
    return 0.5 * (trace + distance - dim + log_ratio)


def _general_trace_flipped(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> Tensor:
    _, distance, log_ratio, dim = _general_terms(mu1, cov1, mu2, cov2)
    trace = torch.trace(torch.linalg.solve(cov1, cov2))
    return 0.5 * (trace + distance - dim + log_ratio)


def _general_plain_det(mu1: Tensor, cov1: Tensor, mu2: Tensor, cov2: Tensor) -> Tensor:
    trace, distance, _, dim = _general_terms(mu1, cov1, mu2, cov2)
    log_ratio = torch.log(torch.det(cov2) / torch.det(cov1))
    return 0.5 * (trace + distance - dim + log_ratio)


GAUSSIAN_KL_GENERAL = AnswerCheck(
    name="gaussian_kl_general",
    points=3.0,
    meaning="KL(N(mu1, cov1), N(mu2, cov2)) in nats",
    hint="Write the expectation of log p1 − log p2 under the first Gaussian, term by term: which "
    "matrix is inverted in each term, and what is left when the two are equal?",
    build_cases=in_both_dtypes(_general_kl_cases),
    misconceptions=(
        Misconception(
            "swapped",
            "the divergence from the second Gaussian to the first",
            "KL is not symmetric: the expectation is taken under the first argument.",
            lambda mu1, cov1, mu2, cov2: _general_kl(mu2, cov2, mu1, cov1),
        ),
        Misconception(
            "no-half",
            "a missing factor ½ in front",
            "A Gaussian's log-density carries ½ before its quadratic form and its log determinant.",
            _general_without_half,
        ),
        Misconception(
            "log-ratio-flipped",
            "the log determinants with their signs exchanged",
            "log p1 − log p2: which of the two normalising constants ends up in the denominator?",
            _general_flipped_log,
        ),
        Misconception(
            "no-dimension",
            "a missing constant: equal distributions get a positive divergence",
            "What is the expected quadratic form of a Gaussian under itself?",
            lambda mu1, cov1, mu2, cov2: _general_kl(mu1, cov1, mu2, cov2) + 0.5 * len(mu1),
        ),
        Misconception(
            "diagonal-only",
            "covariances reduced to their diagonals",
            "Off-diagonal entries matter: use the matrix inverse and the determinant.",
            lambda mu1, cov1, mu2, cov2: _general_kl(
                mu1, cov1.diagonal().diag(), mu2, cov2.diagonal().diag()
            ),
        ),
        Misconception(
            "euclidean-distance",
            "the plain squared distance of the means",
            "A distance between means counts relative to a covariance. Which one?",
            _general_euclidean,
        ),
        Misconception(
            "distance-in-first",
            "the distance of the means measured with cov1",
            "The quadratic form comes from log p2: whose covariance stands in it?",
            _general_distance_in_first,
        ),
        Misconception(
            "trace-flipped",
            "the trace of Σ1⁻¹Σ2",
            "Take E under the first Gaussian of the second one's quadratic form.",
            _general_trace_flipped,
        ),
        Misconception(
            "plain-determinant",
            "a determinant that leaves the range of float32 before its log is taken",
            "The determinant of ten small variances underflows, its logarithm does not: compute "
            "the logarithm directly (`torch.logdet`, or the diagonal of a Cholesky factor).",
            _general_plain_det,
        ),
    ),
)

# --- gaussian_kl ------------------------------------------------------------------------------


def _kl_cases(dtype: torch.dtype) -> Iterator[Case]:
    for label, (mu, var) in _means_and_variances(dtype).items():
        exact, scale = diagonal_kl(mu, var)
        expected = Values(narrow(exact), rounding(dtype, scale), dtype)
        yield Case(label, Call({"mu": mu, "var": var}), expected)


def _means_and_variances(dtype: torch.dtype) -> dict[str, tuple[Tensor, Tensor]]:
    def mean(seed: int, *shape: int) -> Tensor:
        return normal(seed, shape, dtype=dtype)

    def var(seed: int, low: float, high: float, *shape: int) -> Tensor:
        return log_uniform(seed, shape, low=low, high=high, dtype=dtype)

    prior = torch.zeros(2, 3, dtype=dtype), torch.ones(2, 3, dtype=dtype)
    many = many_dimensions(dtype)
    return {
        "typical values": (mean(21, 4, 3), var(22, 0.1, 4.0, 4, 3)),
        "as many examples as dimensions": (mean(23, 3, 3), var(24, 0.1, 4.0, 3, 3)),
        "one example": (mean(25, 1, 3), var(26, 0.1, 4.0, 1, 3)),
        "one latent dimension": (mean(27, 3, 1), var(28, 0.1, 4.0, 3, 1)),
        "one example of one dimension": (mean(29, 1, 1), var(30, 0.1, 4.0, 1, 1)),
        "many dimensions": (mean(31, 2, 40), var(32, 0.1, 4.0, 2, 40)),
        "the prior itself": prior,
        "close to the prior": (1e-3 * mean(33, 2, 3), var(34, 0.999, 1.001, 2, 3)),
        "means near 1e3": (1e3 * mean(35, 3, 2), var(36, 0.1, 4.0, 3, 2)),
        "variances near 1e-6": (mean(37, 3, 2), var(38, 1e-6, 2e-6, 3, 2)),
        "variances near 1e6": (mean(39, 3, 2), var(40, 5e5, 1e6, 3, 2)),
        "variances from 1e-6 to 1e6": (mean(41, 4, 8), var(42, 1e-6, 1e6, 4, 8)),
        "many variances near 1e-6": (mean(43, 2, many), var(44, 1e-6, 2e-6, 2, many)),
        "many variances near 1e6": (mean(45, 2, many), var(46, 5e5, 1e6, 2, many)),
    }


def many_dimensions(dtype: torch.dtype) -> int:
    """How many variances, or σ, of about 1e-6 or 1e6 have a product beyond the dtype's range."""
    return 20 if dtype is torch.float32 else 120


def kl(mu: Tensor, var: Tensor) -> Tensor:
    """KL(N(mu, diag var), N(0, I)) of each row, for mistakes to spoil."""
    return 0.5 * (var + mu**2 - 1 - var.log()).sum(-1)


def kl_with_product(mu: Tensor, var: Tensor) -> Tensor:
    """KL(N(mu, diag var), N(0, I)) of each row, by the determinant of diag var."""
    return 0.5 * ((var + mu**2 - 1).sum(-1) - var.prod(-1).log())


# Name, diagnosis and hint of that mistake.
PRODUCT_OF_VARIANCES = (
    "product-of-variances",
    "a product of variances that leaves the range of the dtype before its log is taken",
    "The product of many small variances underflows, that of many large ones overflows: sum the "
    "logarithms instead.",
)


GAUSSIAN_KL = AnswerCheck(
    name="gaussian_kl",
    points=2.0,
    meaning="the KL divergence of each example in nats, summed over the latent dimensions",
    hint="Set Σ2 = I and Σ1 = diag(var) in the general formula and simplify each term.",
    build_cases=in_both_dtypes(_kl_cases),
    misconceptions=(
        Misconception(
            "var-as-std",
            "var squared: it was taken for σ, but it is σ² already",
            "`var` holds σ². Where the formula says σ², write `var`.",
            lambda mu, var: kl(mu, var**2),
        ),
        Misconception(
            "std-for-var",
            "σ used where σ² is meant",
            "The formula is in σ², which `var` holds: no square root is needed.",
            lambda mu, var: kl(mu, var.sqrt()),
        ),
        Misconception(
            "var-as-log-var",
            "var taken for log σ² and exponentiated",
            "Many networks output log σ²; here `var` holds σ² itself.",
            lambda mu, var: 0.5 * (var.exp() + mu**2 - 1 - var).sum(-1),
        ),
        Misconception(
            "log-std",
            "log σ where log σ² is meant",
            "log σ² = 2 log σ: count the factor ½ in front only once.",
            lambda mu, var: 0.5 * (var + mu**2 - 1 - 0.5 * var.log()).sum(-1),
        ),
        Misconception(
            "no-half",
            "a missing factor ½ in front",
            "Every term of a Gaussian's log-density carries ½.",
            lambda mu, var: 2 * kl(mu, var),
        ),
        Misconception(
            "no-minus-one",
            "a missing constant per dimension: the prior itself gets a positive divergence",
            "What must come out for mu = 0, var = 1?",
            lambda mu, var: kl(mu, var) + 0.5 * mu.shape[-1],
        ),
        Misconception(
            "minus-one",
            "the constant of one dimension instead of d",
            "What must come out for mu = 0, var = 1 in d dimensions?",
            lambda mu, var: kl(mu, var) + 0.5 * (mu.shape[-1] - 1),
        ),
        Misconception(
            "log-sign",
            "the logarithm with the wrong sign",
            "The divergence must grow without bound as var goes to 0.",
            lambda mu, var: 0.5 * (var + mu**2 - 1 + var.log()).sum(-1),
        ),
        Misconception(
            "negated",
            "the negative of the divergence",
            "A KL divergence is never negative; the ELBO subtracts it, this function returns it.",
            lambda mu, var: -kl(mu, var),
        ),
        Misconception(
            "mean-over-dimensions",
            "an average over the latent dimensions instead of their sum",
            "Independent dimensions: the log-densities add up.",
            lambda mu, var: kl(mu, var) / mu.shape[-1],
        ),
        Misconception(
            "reversed",
            "KL(N(0, I), N(mu, diag var)), the arguments exchanged",
            "The expectation is taken under the first argument, the approximate posterior.",
            lambda mu, var: 0.5 * (1 / var + mu**2 / var - 1 + var.log()).sum(-1),
        ),
        Misconception(*PRODUCT_OF_VARIANCES, kl_with_product),
        Misconception(
            "batch-sum",
            "a sum over the whole batch",
            "Keep one number per example: sum over the last axis only.",
            lambda mu, var: kl(mu, var).sum(),
        ),
        Misconception(
            "batch-mean",
            "an average over the batch",
            "Keep one number per example: sum over the last axis only.",
            lambda mu, var: kl(mu, var).mean(),
        ),
    ),
)
