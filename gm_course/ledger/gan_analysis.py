"""Equations of lecture 8: what a GAN minimises (13.3.5)."""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Callable, Mapping

import scipy.integrate
import scipy.optimize
import torch
from torch import Tensor

from gm_course.divergences import js_divergence, kl_divergence
from gm_course.ledger.equation import Equation, Formula
from gm_course.ledger.gaussian_fits import (
    component,
    covers_error,
    largest,
    moment_matching,
    moments,
    seeks_error,
    within_components,
    without_price,
)

# Densities of most rows: Gaussians on the line, as pairs of (mean, std) for p_r and p_θ. On this
# grid the trapezoid rule is exact for them to about 1e-13, and scipy's quad to 1e-10.
_PAIRS = (((0.0, 1.0), (0.5, 1.0)), ((0.0, 1.0), (-2.0, 0.6)), ((1.0, 0.5), (0.0, 2.0)))
_X = torch.linspace(-15, 15, 3_001, dtype=torch.float64)
_W = torch.full_like(_X, 0.01)
_QUADRATURE_TOLERANCE = 1e-8

Gaussian = tuple[float, float]


def _log_density(gaussian: Gaussian) -> Tensor:
    mean, std = gaussian
    return -0.5 * ((_X - mean) / std) ** 2 - math.log(std * math.sqrt(2 * math.pi))


def _integral(integrand: Callable[[float], float]) -> float:
    value, _ = scipy.integrate.quad(integrand, -15, 15, points=(-2, 0, 2), limit=200, epsabs=1e-11)
    return float(value)


def _log_optimal(real: Gaussian, model: Gaussian, x: float) -> tuple[float, float]:
    """Both log D*(x) and log(1 − D*(x)), by way of the difference of the logits."""
    logit = math.log(_pdf(real, x)) - math.log(_pdf(model, x))
    return -math.log1p(math.exp(-logit)), -math.log1p(math.exp(logit))


def _pdf(gaussian: Gaussian, x: float) -> float:
    return statistics.NormalDist(*gaussian).pdf(x)


@functools.cache
def _optimal_value(real: Gaussian, model: Gaussian) -> float:
    """L(G|D*) = E_{p_r} log D* + E_{p_θ} log(1 − D*) by adaptive quadrature."""

    def integrand(x: float) -> float:
        log_d, log_rest = _log_optimal(real, model, x)
        return _pdf(real, x) * log_d + _pdf(model, x) * log_rest

    return _integral(integrand)


@functools.cache
def _model_log_optimal(real: Gaussian, model: Gaussian) -> float:
    """E_{p_θ} log D* by adaptive quadrature."""
    return _integral(lambda x: _pdf(model, x) * _log_optimal(real, model, x)[0])


# optimal-discriminator ---------------------------------------------------------------------------


def _optimal_discriminator(real: Tensor, model: Tensor) -> Tensor:
    return real / (real + model)


def _optimal_discriminator_error(formula: Formula) -> float:
    generator = torch.Generator().manual_seed(0)
    real, model = torch.rand(2, 40, generator=generator, dtype=torch.float64) + 0.01

    def best(a: float, b: float) -> float:
        found = scipy.optimize.minimize_scalar(
            lambda d: -a * math.log(d) - b * math.log1p(-d),
            bounds=(1e-9, 1 - 1e-9), method="bounded", options={"xatol": 1e-10},
        )  # fmt: skip
        return float(found.x)

    expected = [best(a, b) for a, b in zip(real.tolist(), model.tolist(), strict=True)]
    actual: Tensor = formula(real, model)
    return float((actual - torch.tensor(expected, dtype=torch.float64)).abs().max())


# gan-value-is-js ---------------------------------------------------------------------------------


def _value_by_kl(log_r: Tensor, log_g: Tensor, weights: Tensor) -> Tensor:
    log_a = torch.logaddexp(log_r, log_g) - math.log(2)
    to_average = kl_divergence(log_r, log_a, weights) + kl_divergence(log_g, log_a, weights)
    return to_average - 2 * math.log(2)


def _value_by_js(log_r: Tensor, log_g: Tensor, weights: Tensor) -> Tensor:
    return 2 * js_divergence(log_r, log_g, weights) - 2 * math.log(2)


def _value_is_js(log_r: Tensor, log_g: Tensor, weights: Tensor) -> Tensor:
    arguments = (log_r, log_g, weights)
    return torch.stack([_value_by_kl(*arguments), _value_by_js(*arguments)])


def _value_is_js_error(formula: Formula) -> float:
    return max(
        float((formula(_log_density(r), _log_density(g), _W) - _optimal_value(r, g)).abs().max())
        for r, g in _PAIRS
    )


# gan-optimum -------------------------------------------------------------------------------------


def _optimum(log_r: Tensor, weights: Tensor) -> Tensor:
    """JS, L and the extremes of D*, at p_θ = p_r."""
    discriminator = _optimal_discriminator(log_r.exp(), log_r.exp())
    divergence = js_divergence(log_r, log_r, weights)
    log_d, log_rest = discriminator.log(), (1 - discriminator).log()
    value = (log_r.exp() * (log_d + log_rest)) @ weights
    return torch.stack([divergence, value, discriminator.min(), discriminator.max()])


def _optimum_error(formula: Formula) -> float:
    expected = torch.tensor([0, -math.log(4), 0.5, 0.5], dtype=torch.float64)
    errors = []
    for real, model in _PAIRS:
        found: Tensor = formula(_log_density(real), _W)
        errors.append(float((found - expected).abs().max()))
        # An optimum: every other model has a larger value, here by the independent quadrature.
        errors.append(float(found[1]) - _optimal_value(real, model))
    return max(errors)


# js-bounds ---------------------------------------------------------------------------------------


def _bounds_error(formula: Formula) -> float:
    generator = torch.Generator().manual_seed(1)
    spread = torch.logspace(-2, 2, 9, dtype=torch.float64)[:, None]
    p, q = (
        (spread * torch.randn(9, 30, generator=generator, dtype=torch.float64)).log_softmax(dim=1)
        for _ in range(2)
    )
    ones = torch.ones(30, dtype=torch.float64)
    within: Tensor = formula(p, q, ones)
    is_left = torch.arange(30) < 12
    left = p.masked_fill(~is_left, -math.inf).log_softmax(dim=1)
    right = q.masked_fill(is_left, -math.inf).log_softmax(dim=1)
    apart: Tensor = formula(left, right, ones)
    violations = (
        -within.min(),  # 0 ≤ JS
        within.max() - math.log(2),  # JS ≤ log 2
        (apart - math.log(2)).abs().max(),  # attained by disjoint supports
        formula(p, p, ones).abs().max(),  # 0 is attained too
    )
    return max(0.0, *(float(v) for v in violations))


# js-vanishing-gradient ---------------------------------------------------------------------------


def _bump(shift: Tensor) -> Tensor:
    """Log-density 315/256 · (1 − u²)⁴ on |u| < 1, u = x − shift: smooth, with bounded support."""
    u = _X - shift
    is_outside = u.abs() >= 1
    inside = 4 * torch.log1p(-u.masked_fill(is_outside, 0).square()) + math.log(315 / 256)
    return inside.masked_fill(is_outside, -math.inf)


def _slope(divergence: Formula, theta: float) -> float:
    shift = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(divergence(_bump(torch.zeros_like(shift)), _bump(shift)), shift)
    return float(slope)


def _bump_value(theta: float) -> float:
    """L(G|D*) for two bumps at distance ``theta``, by adaptive quadrature."""

    def integrand(x: float) -> float:
        real, model = (
            315 / 256 * max(0.0, 1 - u**2) ** 4 if abs(u) < 1 else 0.0 for u in (x, x - theta)
        )
        value = real * math.log(real / (real + model)) if real else 0.0
        return value + (model * math.log(model / (real + model)) if model else 0.0)

    edges = sorted({-1.0, 1.0, theta - 1, theta + 1})
    value, _ = scipy.integrate.quad(
        integrand, edges[0], edges[-1], points=edges[1:-1], limit=200, epsabs=1e-12
    )
    return float(value)


@functools.cache
def _bump_slope(theta: float) -> float:
    return (_bump_value(theta + 1e-4) - _bump_value(theta - 1e-4)) / 2e-4


def _vanishing_error(formula: Formula) -> float:
    apart = [abs(_slope(formula, theta)) for theta in (2.1, 3.0, -5.0)]  # the statement
    overlapping = [  # that this is not a gradient which is always zero
        abs(_slope(formula, theta) - _bump_slope(theta)) for theta in (0.4, -1.0)
    ]
    return max(apart + overlapping)


def _area_between_cdfs(log_p: Tensor, log_q: Tensor) -> Tensor:
    return ((log_p.exp() - log_q.exp()) * _W).cumsum(dim=0).abs() @ _W


# nonsaturating-decomposition ---------------------------------------------------------------------


def _decomposition(log_r: Tensor, log_g: Tensor, weights: Tensor) -> Tensor:
    return (
        -kl_divergence(log_g, log_r, weights)
        + 2 * js_divergence(log_r, log_g, weights)
        - 2 * math.log(2)
        - _real_log_optimal(log_r, log_g, weights)
    )


def _real_log_optimal(log_r: Tensor, log_g: Tensor, weights: Tensor) -> Tensor:
    """E_{p_r} log D* on the grid."""
    return (log_r.exp() * (log_r - torch.logaddexp(log_r, log_g))) @ weights


def _decomposition_error(formula: Formula) -> float:
    return max(
        abs(float(formula(_log_density(r), _log_density(g), _W)) - _model_log_optimal(r, g))
        for r, g in _PAIRS
    )


def _row(
    name: str,
    *,
    oracle: str,
    measure: str,
    tolerance: float,
    formula: Formula,
    error: Callable[[Formula], float],
    killers: Mapping[str, Formula],
) -> Equation:
    return Equation(
        name, "13.3.5", "08-gan-analysis", oracle, measure, tolerance, formula, error, killers
    )


EQUATIONS: tuple[Equation, ...] = (
    _row(
        "optimal-discriminator",
        oracle="numerical maximisation, point by point",
        measure="largest error of D*",
        tolerance=1e-6,  # a maximum is found to the root of the rounding error, 1e-8
        formula=_optimal_discriminator,
        error=_optimal_discriminator_error,
        killers={
            "upside down": lambda real, model: model / (real + model),
            "ratio without the sum": lambda real, model: real / model,
            "squared densities": lambda real, model: real**2 / (real**2 + model**2),
        },
    ),
    _row(
        "gan-value-is-js",
        oracle="adaptive quadrature of L(G|D*)",
        measure="largest error of both right-hand sides (nats)",
        tolerance=_QUADRATURE_TOLERANCE,
        formula=_value_is_js,
        error=_value_is_js_error,
        killers={
            "JS without its factor 2": lambda *a: _value_is_js(*a) - js_divergence(*a),
            "plus 2 log 2": lambda *a: _value_is_js(*a) + 4 * math.log(2),
            "log 2 for 2 log 2": lambda *a: _value_is_js(*a) + math.log(2),
            "KL between the two": lambda p, q, w: kl_divergence(p, q, w) - 2 * math.log(2),
        },
    ),
    _row(
        "gan-optimum",
        oracle="exact values, and adaptive quadrature at other models",
        measure="largest error of JS, L and D*",
        tolerance=_QUADRATURE_TOLERANCE,
        formula=_optimum,
        error=_optimum_error,
        killers={
            "mean of the two logarithms": lambda p, w: (
                _optimum(p, w) * torch.tensor([1, 0.5, 1, 1])
            ),
            "positive value": lambda p, w: _optimum(p, w).abs(),
            "D* = 1": lambda p, w: _optimum(p, w) * torch.tensor([1, 1, 2, 2]),
        },
    ),
    _row(
        "js-bounds",
        oracle="the bounds 0 and log 2, and that both are attained",
        measure="largest violation (nats)",
        tolerance=1e-12,  # sums of 30 terms of size 1 in float64
        formula=js_divergence,
        error=_bounds_error,
        killers={
            "without the half": lambda *a: 2 * js_divergence(*a),
            "mean of both KL": lambda p, q, w: (
                0.5 * (kl_divergence(p, q, w) + kl_divergence(q, p, w))
            ),
            "bits": lambda *a: js_divergence(*a) / math.log(2),
            "root": lambda *a: js_divergence(*a).clamp(min=0).sqrt(),
        },
    ),
    _row(
        "js-vanishing-gradient",
        oracle="exactly zero apart; differences of adaptive quadrature where supports overlap",
        measure="largest error of dL/dθ (nats per unit)",
        tolerance=1e-6,  # central differences: step² = 1e-8 times a third derivative below 100
        formula=lambda p, q: _value_by_js(p, q, _W),
        error=_vanishing_error,
        killers={
            "JS for 2 JS": lambda p, q: js_divergence(p, q, _W),
            "Wasserstein distance": _area_between_cdfs,
            "squared distance of the means": lambda p, q: (
                (p.exp() - q.exp()) @ (_W * _X)
            ).square(),
        },
    ),
    _row(
        "nonsaturating-decomposition",
        oracle="adaptive quadrature of E_{p_θ} log D*",
        measure="largest error (nats)",
        tolerance=_QUADRATURE_TOLERANCE,
        formula=_decomposition,
        error=_decomposition_error,
        killers={
            "minus 2 JS": lambda *a: _decomposition(*a) - 4 * js_divergence(*a),
            "plus KL": lambda p, q, w: _decomposition(p, q, w) + 2 * kl_divergence(q, p, w),
            "forward KL": lambda p, q, w: (
                _decomposition(p, q, w) + kl_divergence(q, p, w) - kl_divergence(p, q, w)
            ),
            "without E_{p_r} log D*": lambda *a: _decomposition(*a) + _real_log_optimal(*a),
            "without 2 log 2": lambda *a: _decomposition(*a) + 2 * math.log(2),
        },
    ),
    _row(
        "forward-kl-covers",
        oracle="numerical minimisation of KL(p_r, p_θ) in the plane",
        measure="largest error of mean and covariance",
        tolerance=1e-4,  # gradients below 1e-8 · (scale of the search), curvatures above 0.01
        formula=moments,
        error=covers_error,
        killers={
            "covariance within the components only": within_components,
            "the heavier mode": lambda mixture: largest(mixture, 0)[:6],
        },
    ),
    _row(
        "reverse-kl-seeks",
        oracle="numerical minimisation of KL(p_θ, p_r) from four starts",
        measure="largest error of mean, covariance and divergence log(1/weight)",
        tolerance=1e-3,  # ten standard deviations apart: the other mode counts less than 1e-4
        formula=component,
        error=seeks_error,
        killers={
            "matches the moments": moment_matching,
            "always the heavier mode": largest,
            "a mode for nothing": without_price,
        },
    ),
)
