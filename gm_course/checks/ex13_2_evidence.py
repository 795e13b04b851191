"""Checks of exercise 13-2's numbers: ``affine_map`` and ``evidence_terms``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor

from gm_course.checks.calls import Call
from gm_course.checks.engine import AnswerCheck, Case, in_both_dtypes
from gm_course.checks.expected import Items, Number
from gm_course.checks.inputs import LOG_TWO_PI, Wide, log_uniform, normal, rounding, wide
from gm_course.checks.misconceptions import Failure, Misconception

# --- affine_map -------------------------------------------------------------------------------


def _affine_cases() -> list[Case]:
    kinds = {
        "typical values": (3, 0.5),
        "more dimensions": (10, 2.0),
        "an image's dimensions": (784, 0.01),
        "one dimension": (1, 0.3),
        "lam = 1": (4, 1.0),
        "lam = 1/(2π)": (5, 1 / (2 * math.pi)),
        "lam = 1e-6": (2, 1e-6),
        "lam = 1e6": (5, 1e6),
        "lam = 0.7": (6, 0.7),
        "lam = 2.5": (7, 2.5),
        "lam = 37.3": (13, 37.3),
        "lam = 4e3": (100, 4e3),
        "lam = 3e-4": (6, 3e-4),
    }
    drawn = log_uniform(290, (3,), low=0.05, high=50.0, dtype=torch.float64).tolist()
    for data_dim, lam in zip((11, 29, 256), drawn, strict=True):
        kinds[f"{data_dim} dimensions"] = data_dim, round(lam, 4)
    return [
        Case(label, Call({"data_dim": data_dim, "lam": lam}), _affine_expected(data_dim, lam))
        for label, (data_dim, lam) in kinds.items()
    ]


def _affine_expected(data_dim: int, lam: float) -> Items:
    # A float argument has float64's precision, so the results are judged by it.
    exact = wide(lam)
    half = exact * data_dim / 2
    b, b_scale = half * (LOG_TWO_PI + np.log(exact)), half * (LOG_TWO_PI + abs(np.log(exact)))
    return Items(
        {"a": _number(exact, exact, torch.float64), "b": _number(b, b_scale, torch.float64)}
    )


def _number(exact: Wide | np.longdouble, scale: Wide | np.longdouble, dtype: torch.dtype) -> Number:
    return Number(float(exact), float(rounding(dtype, scale)), dtype)


def _b(data_dim: int, lam: float) -> float:
    return 0.5 * lam * data_dim * math.log(2 * math.pi * lam)


AFFINE_MAP = AnswerCheck(
    name="affine_map",
    points=2.0,
    meaning="a and b with objective_13_28 = a·elbo_one_sample + b, whatever the networks return",
    hint="Compare the coefficients of the squared error to find a; then collect what does not "
    "depend on the networks.",
    build_cases=_affine_cases,
    misconceptions=(
        Misconception(
            "inverse-map",
            "the map back, from the objective to the ELBO",
            "Which of the two is multiplied by a?",
            lambda data_dim, lam: (1 / lam, -_b(data_dim, lam) / lam),
        ),
        Misconception(
            "b-sign",
            "b with the wrong sign",
            "b must undo the constant that a·ELBO still contains.",
            lambda data_dim, lam: (lam, -_b(data_dim, lam)),
        ),
        Misconception(
            "b-unscaled",
            "b without the factor lam",
            "The constant inside the ELBO was multiplied by a as well.",
            lambda data_dim, lam: (lam, _b(data_dim, lam) / lam),
        ),
        Misconception(
            "b-one-dimension",
            "b for a single data dimension",
            "The normalising constant of N(x; mu_g, lam·I) depends on the dimension of x.",
            lambda data_dim, lam: (lam, _b(1, lam)),
        ),
        Misconception(
            "b-no-half",
            "b without its factor ½",
            "Take the log of the normalising constant of a Gaussian again.",
            lambda data_dim, lam: (lam, 2 * _b(data_dim, lam)),
        ),
        Misconception(
            "b-no-two-pi",
            "b without 2π",
            "Take the log of the normalising constant of a Gaussian again.",
            lambda data_dim, lam: (lam, 0.5 * lam * data_dim * math.log(lam)),
        ),
        Misconception(
            "b-lam-as-std",
            "b with lam taken for a standard deviation",
            "`lam` is the variance λ: the covariance is λ·I.",
            lambda data_dim, lam: (lam, 0.5 * lam * data_dim * math.log(2 * math.pi * lam**2)),
        ),
        Misconception(
            "a-one",
            "a = 1: only constants dropped, nothing rescaled",
            "What must the ELBO be multiplied by to turn ‖x − mu_g‖²/(2 lam) into ½‖x − mu_g‖²?",
            lambda data_dim, lam: (1.0, _b(data_dim, lam) / lam),
        ),
        Misconception(
            "b-zero",
            "b = 0: the constants forgotten",
            "Scaling alone does not remove the normalising constant.",
            lambda data_dim, lam: (lam, 0.0),
        ),
        Misconception(
            "swapped",
            "a and b exchanged",
            "Return the factor first, then the constant.",
            lambda data_dim, lam: (_b(data_dim, lam), lam),
        ),
    ),
)

# --- evidence_terms ---------------------------------------------------------------------------


_Terms: TypeAlias = tuple[float, float, float]
"""log_evidence, elbo and kl."""


class _Given(NamedTuple):
    x: Tensor
    w: Tensor
    lam: float
    m: float
    s2: float


def _evidence_cases(dtype: torch.dtype) -> Iterator[Case]:
    for label, given in _linear_models(dtype).items():
        yield Case(label, Call(given._asdict()), _evidence_expected(given))


def _linear_models(dtype: torch.dtype) -> dict[str, _Given]:
    # The covariance w wᵀ + lam·I has condition number κ = 1 + ‖w‖²/lam. Answers that build it must
    # stay right in the dtype, so κ is about 1e3 in float32 and 1e7 in float64 where lam is small.
    small_w = 1e-2 if dtype is torch.float32 else 1.0

    def model(
        seed: int, dim: int, lam: float, m: float, s2: float, *, w_scale: float = 1.0
    ) -> _Given:
        w = w_scale * normal(seed, (dim,), dtype=torch.float64)
        z = normal(seed + 1, (), dtype=torch.float64)
        x = w * z + math.sqrt(lam) * normal(seed + 2, (dim,), dtype=torch.float64)
        return _Given(x.to(dtype), w.to(dtype), lam, m, s2)

    def with_posterior(given: _Given) -> _Given:
        x, w = given.x.double(), given.w.double()
        precision = float(w @ w) + given.lam
        return given._replace(m=float(w @ x) / precision, s2=given.lam / precision)

    typical = model(300, 4, 0.5, 0.3, 0.4)
    nothing = torch.zeros(3, dtype=dtype)
    return {
        "typical values": typical,
        "two dimensions": model(310, 2, 1.5, -0.7, 1.6),
        "one dimension": model(320, 1, 0.8, 0.2, 0.3),
        "ten dimensions": model(330, 10, 0.2, 0.5, 0.1),
        "q equal to the posterior": with_posterior(typical),
        "q equal to the prior": typical._replace(m=0.0, s2=1.0),
        "q far from the posterior": typical._replace(m=20.0),
        "x = 0": typical._replace(x=torch.zeros_like(typical.x)),
        "w = 0": model(340, 3, 0.6, 0.4, 0.5)._replace(w=nothing),
        "lam = 1e-6": with_posterior(model(350, 3, 1e-6, 0.0, 1.0, w_scale=small_w)),
        "lam = 1e-6, q off": model(360, 8, 1e-6, 0.1, 1e-3, w_scale=small_w),
        "lam = 1e6": model(370, 8, 1e6, 0.3, 0.8, w_scale=1e2),
        "s2 = 1e-6": model(380, 4, 0.5, 0.3, 1e-6),
        "s2 = 1e6": model(390, 4, 0.5, 0.3, 1e6),
        # lam to the power of 64 is beyond float64; ‖w‖² grows with the dimension, so w shrinks.
        "lam = 1e-6, 64 dimensions": model(400, 64, 1e-6, 0.1, 1e-2, w_scale=small_w / 10),
        "lam = 1e6, 64 dimensions": model(410, 64, 1e6, 0.3, 0.8, w_scale=1e2),
    }


def _evidence_expected(given: _Given) -> Items:
    x, w = wide(given.x), wide(given.w)
    lam, m, s2 = wide(given.lam), wide(given.m), wide(given.s2)
    dim, ww = len(x), w @ w
    total = lam + ww
    solved = (x - w * (w @ x) / total) / lam  # (w wᵀ + lam·I)⁻¹ x by Sherman and Morrison
    log_det = (dim - 1) * np.log(lam) + np.log(total)
    log_evidence = -(dim * LOG_TWO_PI + log_det + x @ solved) / 2

    var, mean = lam / total, (w @ x) / total  # of the posterior
    kl = (s2 / var + (m - mean) ** 2 / var - 1 + np.log(var) - np.log(s2)) / 2

    error = x - w * m
    likelihood = -(dim * (LOG_TWO_PI + np.log(lam)) + (error @ error + s2 * ww) / lam) / 2
    elbo = likelihood - (s2 + m**2 - 1 - np.log(s2)) / 2

    # log_evidence: each eigenvalue of a covariance that was built errs by eps·κ, κ = total/lam,
    # the quadratic form by eps·total·‖C⁻¹x‖²; without building it, by eps·‖x‖²/lam.
    logs = dim * (1 + LOG_TWO_PI + abs(np.log(lam))) + abs(np.log(total)) + abs(np.log(s2))
    evidence_scale = logs + dim * total / lam + total * (solved @ solved) + (x @ x) / lam
    # elbo: the square may be expanded before it is summed.
    length, slope = np.sqrt(x @ x), np.sqrt(ww)
    elbo_scale = logs + ((length + abs(m) * slope) ** 2 + s2 * ww) / lam + s2 + m**2
    # kl: the posterior mean errs by eps·‖w‖‖x‖/total.
    kl_scale = logs + (s2 + (abs(m) + slope * length / total) ** 2) / var
    # Any of the three may come from the other two by the evidence decomposition.
    scale = (evidence_scale + elbo_scale + kl_scale) / 2
    dtype = given.x.dtype
    return Items(
        {
            "log_evidence": _number(log_evidence, scale, dtype),
            "elbo": _number(elbo, scale, dtype),
            "kl": _number(kl, scale, dtype),
        }
    )


def _log_evidence(x: Tensor, w: Tensor, lam: float) -> float:
    total = lam + float(w @ w)
    quadratic = (float(x @ x) - float(w @ x) ** 2 / total) / lam
    log_det = (len(x) - 1) * math.log(lam) + math.log(total)
    return -0.5 * (len(x) * math.log(2 * math.pi) + log_det + quadratic)


def _posterior(x: Tensor, w: Tensor, lam: float) -> tuple[float, float]:
    total = lam + float(w @ w)
    return float(w @ x) / total, lam / total


def _kl(m1: float, var1: float, m2: float, var2: float) -> float:
    return 0.5 * (var1 / var2 + (m1 - m2) ** 2 / var2 - 1 + math.log(var2 / var1))


def _terms(x: Tensor, w: Tensor, lam: float, m: float, s2: float) -> _Terms:
    """The three numbers, in double precision, for mistakes to spoil."""
    x, w = x.double(), w.double()
    error = x - w * m
    expected_square = float(error @ error) + s2 * float(w @ w)
    likelihood = -0.5 * (len(x) * math.log(2 * math.pi * lam) + expected_square / lam)
    elbo = likelihood - _kl(m, s2, 0.0, 1.0)
    return _log_evidence(x, w, lam), elbo, _kl(m, s2, *_posterior(x, w, lam))


def _kl_to_prior(x: Tensor, w: Tensor, lam: float, m: float, s2: float) -> _Terms:
    log_evidence, elbo, _ = _terms(x, w, lam, m, s2)
    return log_evidence, elbo, _kl(m, s2, 0.0, 1.0)


def _kl_reversed(x: Tensor, w: Tensor, lam: float, m: float, s2: float) -> _Terms:
    log_evidence, elbo, _ = _terms(x, w, lam, m, s2)
    return log_evidence, elbo, _kl(*_posterior(x.double(), w.double(), lam), m, s2)


def _kl_negated(x: Tensor, w: Tensor, lam: float, m: float, s2: float) -> _Terms:
    log_evidence, elbo, kl = _terms(x, w, lam, m, s2)
    return log_evidence, elbo, -kl


def _independent_dimensions(x: Tensor, w: Tensor, lam: float, m: float, s2: float) -> _Terms:
    _, elbo, kl = _terms(x, w, lam, m, s2)
    variances = w.double() ** 2 + lam
    squares = x.double() ** 2 / variances
    return -0.5 * float((squares + torch.log(2 * math.pi * variances)).sum()), elbo, kl


def _likelihood_at_mean(x: Tensor, w: Tensor, lam: float, m: float, s2: float) -> _Terms:
    _, elbo, kl = _terms(x, w, lam, m, s2)
    error = x.double() - w.double() * m
    square = float(error @ error)
    return -0.5 * (len(x) * math.log(2 * math.pi * lam) + square / lam), elbo, kl


def _posterior_without_lam(x: Tensor, w: Tensor, lam: float, m: float, s2: float) -> _Terms:
    log_evidence, elbo, _ = _terms(x, w, lam, m, s2)
    mean, var = _posterior(x.double(), w.double(), lam)
    return log_evidence, elbo, _kl(m, s2, mean, var / lam)


def _elbo_with_power(x: Tensor, w: Tensor, lam: float, m: float, s2: float) -> _Terms:
    log_evidence, elbo, kl = _terms(x, w, lam, m, s2)
    base = torch.tensor(2 * math.pi * lam, dtype=torch.float64)
    power = base ** len(x)
    return log_evidence, elbo + 0.5 * float(len(x) * base.log() - power.log()), kl


def _shows_power(failures: Sequence[Failure]) -> bool:
    """Whether the answer leaves the range of floats in many dimensions and fails nowhere else."""
    return all(
        isinstance(x := call.arguments["x"], Tensor)
        and len(x) >= 8
        and isinstance(response.value, tuple | list)
        and any(isinstance(item, float) and not math.isfinite(item) for item in response.value)
        for call, response in failures
    )


def _no_entropy(x: Tensor, w: Tensor, lam: float, m: float, s2: float) -> _Terms:
    log_evidence, elbo, kl = _terms(x, w, lam, m, s2)
    return log_evidence, elbo - 0.5 * math.log(2 * math.pi * math.e * s2), kl


def _plug_in(x: Tensor, w: Tensor, lam: float, m: float, s2: float) -> _Terms:
    log_evidence, elbo, kl = _terms(x, w, lam, m, s2)
    return log_evidence, elbo + s2 * float(w.double() @ w.double()) / (2 * lam), kl


def _in_another_order(x: Tensor, w: Tensor, lam: float, m: float, s2: float) -> _Terms:
    log_evidence, elbo, kl = _terms(x, w, lam, m, s2)
    return elbo, log_evidence, kl


EVIDENCE_TERMS = AnswerCheck(
    name="evidence_terms",
    points=3.0,
    meaning="log p(x), the ELBO of q, and KL from q to the posterior, in nats",
    hint="Marginally x is Gaussian: what are its mean and covariance? The posterior of z is "
    "Gaussian too. Your three numbers must satisfy log_evidence = elbo + kl.",
    build_cases=in_both_dtypes(_evidence_cases),
    misconceptions=(
        Misconception(
            "kl-to-prior",
            "kl measured from q to the prior",
            "The gap between log p(x) and the ELBO is a divergence from the posterior p(z|x).",
            _kl_to_prior,
        ),
        Misconception(
            "kl-reversed",
            "the divergence from the posterior to q",
            "In the evidence decomposition the expectation is taken under q.",
            _kl_reversed,
        ),
        Misconception(
            "kl-negated",
            "elbo − log_evidence in place of kl",
            "A KL divergence is never negative, and the ELBO is a lower bound.",
            _kl_negated,
        ),
        Misconception(
            "posterior-without-lam",
            "a posterior variance of 1/(lam + ‖w‖²)",
            "If w = 0, x says nothing about z: what must the posterior then be?",
            _posterior_without_lam,
        ),
        Misconception(
            "power-in-log",
            "a determinant or power that leaves the range of floats before its log is taken",
            "The determinant of a covariance in many dimensions under- or overflows, its logarithm "
            "does not: take logarithms first, then multiply or add.",
            _elbo_with_power,
            shows_in=_shows_power,
        ),
        Misconception(
            "independent-dimensions",
            "an evidence that treats the dimensions of x as independent",
            "All dimensions share one z: what is the covariance of x_i and x_j?",
            _independent_dimensions,
        ),
        Misconception(
            "likelihood-at-mean",
            "the likelihood at z = m in place of the evidence",
            "log p(x) integrates over z ~ N(0, 1); q plays no part in it.",
            _likelihood_at_mean,
        ),
        Misconception(
            "no-entropy",
            "an ELBO without the entropy of q",
            "ELBO = E_q[log p(x, z) − log q(z)]: the last term is missing.",
            _no_entropy,
        ),
        Misconception(
            "plug-in",
            "an ELBO with the square taken at z = m only",
            "Under q, E‖x − w z‖² is more than ‖x − w m‖²: z varies.",
            _plug_in,
        ),
        Misconception(
            "s2-as-std",
            "s2 taken for the standard deviation of q",
            "`s2` is the variance of q.",
            lambda x, w, lam, m, s2: _terms(x, w, lam, m, s2**2),
        ),
        Misconception(
            "lam-as-std",
            "lam taken for the standard deviation of the noise",
            "`lam` is the variance λ: the noise covariance is λ·I.",
            lambda x, w, lam, m, s2: _terms(x, w, lam**2, m, s2),
        ),
        Misconception(
            "other-order",
            "log_evidence and elbo exchanged",
            "Return (log_evidence, elbo, kl) in this order; the ELBO is the smaller one.",
            _in_another_order,
        ),
    ),
)
