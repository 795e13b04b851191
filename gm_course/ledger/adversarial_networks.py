"""The equations of lecture 6: the two players' losses, and sampling without a density."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from scipy.integrate import quad
from scipy.stats import chi2, lognorm, norm, uniform
from torch import Tensor
from torch.nn import functional

from gm_course.gan import discriminator_loss, gan_value, nonsaturating_loss, saturating_loss
from gm_course.ledger.equation import Equation

NOTEBOOK = "06-generative-adversarial-networks"

# Sums of at most some dozens of numbers of size 1 to 30 in float64.
ROUNDING = 1e-12

Losses = Callable[[Tensor, Tensor], Tensor]  # logits of real and generated examples -> scalar


def _randn(seed: int, n: int) -> Tensor:
    return torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- discriminator-cross-entropy ----------------------------------------------------------------


def _half_the_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    return 0.5 * discriminator_loss(real_logits, fake_logits)


def _joint_cross_entropy(real_logits: Tensor, fake_logits: Tensor) -> float:
    """−E[y log D + (1−y) log(1−D)], enumerated: y is 0 or 1 with ½ each, then x given y."""
    total = 0.0
    for y, logits in ((1, real_logits.tolist()), (0, fake_logits.tolist())):
        for s in logits:
            probability = 1 / (1 + math.exp(-s))
            log_likelihood = y * math.log(probability) + (1 - y) * math.log(1 - probability)
            total -= 0.5 / len(logits) * log_likelihood
    return total


def _cross_entropy_error(formula: Losses) -> float:
    worst = 0.0
    for seed, (n, m) in enumerate([(1, 1), (5, 5), (8, 3)]):
        real = (2 * _randn(2 * seed, n)).requires_grad_()
        fake = (2 * _randn(2 * seed + 1, m) - 1).requires_grad_()
        value = formula(real, fake)
        worst = max(worst, abs(value.item() - _joint_cross_entropy(real, fake)))
        if n != m:
            continue  # torch weighs every example alike, the chapter both classes
        labels = torch.cat([torch.ones_like(real), torch.zeros_like(fake)])
        expected = functional.binary_cross_entropy_with_logits(torch.cat([real, fake]), labels)
        # Equal gradients too: minimising the one is maximising the other.
        for ours, theirs in zip(
            torch.autograd.grad(value, (real, fake)),
            torch.autograd.grad(expected, (real, fake)),
            strict=True,
        ):
            worst = max(worst, float((ours - theirs).abs().max()))
        worst = max(worst, abs(value.item() - expected.item()))
    return worst


# --- generator-pushforward: a formula returns E_z[h(G(z))] for z ~ N(0, 1) ----------------------

Function = Callable[[np.ndarray], np.ndarray]
Expectation = Callable[[Function, Function], float]


class _Known(Protocol):
    """What is asked of scipy's distributions."""

    def support(self) -> tuple[float, float]: ...
    def median(self) -> float: ...
    def pdf(self, x: float) -> float: ...


# Gauss-Hermite quadrature for weight exp(−z²/2).
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(120)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


def _average_over_noise(h: Function, g: Function) -> float:
    return float(_WEIGHTS @ h(g(_NODES)))


def _derivative(g: Function, z: np.ndarray) -> np.ndarray:
    step = 1e-5
    slope: np.ndarray = (g(z + step) - g(z - step)) / (2 * step)
    return slope


def _without_jacobian(h: Function, g: Function) -> float:
    """∫ h(x) p_z(G⁻¹(x)) dx, that is the density of x taken for p_z(G⁻¹(x)); dx = |G′(z)| dz."""
    return float(_WEIGHTS @ (h(g(_NODES)) * np.abs(_derivative(g, _NODES))))


def _pushforward_error(formula: Expectation) -> float:
    # Generators with densities that scipy knows; z² is not invertible, and needs not be.
    generators: Sequence[tuple[Function, _Known]] = (
        (lambda z: 0.5 - 1.5 * z, norm(0.5, 1.5)),
        (lambda z: np.exp(0.4 * z), lognorm(0.4)),
        (norm.cdf, uniform()),
        (np.square, chi2(1)),
    )
    functions: Sequence[Function] = (
        lambda x: x,
        np.square,
        np.cos,
        lambda x: x / (1 + 0.1 * x**2),
    )
    worst = 0.0
    for (g, distribution), h in itertools.product(generators, functions):
        expected = _integral(h, distribution)
        worst = max(worst, abs(formula(h, g) - expected))
    return worst


def _integral(h: Function, distribution: _Known) -> float:
    """∫ h(x) p_θ(x) dx by adaptive quadrature, without z or G."""
    low, high = distribution.support()
    middle = distribution.median()

    def integrand(x: float) -> float:
        return float(h(np.asarray(x)) * distribution.pdf(x))

    pieces = ((low, middle), (middle, high))
    return math.fsum(quad(integrand, a, b, epsabs=1e-10, limit=200)[0] for a, b in pieces)


# --- saturating-gradient: a formula returns both derivatives at the logits s ---------------------

Derivatives = Callable[[Tensor], tuple[Tensor, Tensor]]


def _closed_form(s: Tensor) -> tuple[Tensor, Tensor]:
    return -torch.sigmoid(s), 1 - torch.sigmoid(s)


def _over_the_probability(s: Tensor) -> tuple[Tensor, Tensor]:
    probability = torch.sigmoid(s)
    return -1 / (1 - probability), 1 / probability


def _gradient_error(formula: Derivatives) -> float:
    s = torch.linspace(-30, 30, 121, dtype=torch.float64).requires_grad_()
    # Means over the batch, and the second one is of −log σ: hence the factors.
    (saturating,) = torch.autograd.grad(saturating_loss(s) * len(s), s)
    (alive,) = torch.autograd.grad(-nonsaturating_loss(s) * len(s), s)
    with torch.no_grad():
        first, second = formula(s)
        worst = max(float((first - saturating).abs().max()), float((second - alive).abs().max()))
        # The limits as D → 0, where σ(s) = eˢ − e²ˢ + …: the first relative to eˢ.
        rejected = torch.tensor([-40.0, -35.0], dtype=torch.float64)
        first, second = formula(rejected)
        worst = max(worst, float((first / rejected.exp() + 1).abs().max()))
    return max(worst, float((second - 1).abs().max()))


# --- minimax-objective: a formula returns the value of the game from both sets of logits ----------

_PLACES, _QUANTA = 3, 6
_REAL = (3, 2, 1)  # p_r = (½, ⅓, ⅙)


def _generators() -> Iterator[tuple[int, ...]]:
    """Every distribution on three places whose probabilities are multiples of 1/6."""
    for counts in itertools.product(range(_QUANTA + 1), repeat=_PLACES):
        if sum(counts) == _QUANTA:
            yield counts


def _at_places(counts: Sequence[int], logits: Tensor) -> Tensor:
    """The logit of each of the six examples that stand for a distribution, shape (6,)."""
    return logits.repeat_interleave(torch.tensor(counts))


def _enumerated_value(fake: Sequence[int], logits: Sequence[float]) -> float:
    total = 0.0
    for s, real_count, fake_count in zip(logits, _REAL, fake, strict=True):
        probability = 1 / (1 + math.exp(-s))
        total += real_count / _QUANTA * math.log(probability)
        total += fake_count / _QUANTA * math.log(1 - probability)
    return total


def _best_value(formula: Losses, fake: Sequence[int]) -> float:
    """The largest value over φ, by bisection of the slope in every place's logit at once."""
    low = torch.full((_PLACES,), -30.0, dtype=torch.float64)
    high = -low
    for _ in range(45):
        logits = ((low + high) / 2).requires_grad_()
        value = formula(_at_places(_REAL, logits), _at_places(fake, logits))
        (slope,) = torch.autograd.grad(value, logits)
        middle = logits.detach()
        low, high = torch.where(slope > 0, middle, low), torch.where(slope > 0, high, middle)
    return float(formula(_at_places(_REAL, low), _at_places(fake, low)))


def _minimax_error(formula: Losses) -> float:
    worst = 0.0
    best = {}
    for seed, fake in enumerate(_generators()):
        logits = 2 * _randn(seed, _PLACES)
        value = float(formula(_at_places(_REAL, logits), _at_places(fake, logits)))
        worst = max(worst, abs(value - _enumerated_value(fake, logits.tolist())))
        best[fake] = _best_value(formula, fake)
    # Minimised at p_θ = p_r and nowhere else, with −2 log 2 there: D = ½ is all that is left.
    runner_up = min(value for fake, value in best.items() if fake != _REAL)
    worst = max(worst, abs(best[_REAL] + 2 * math.log(2)), best[_REAL] - runner_up)
    return max(worst, _wrong_way(formula))


def _wrong_way(formula: Losses) -> float:
    """How far small steps of both players move the value the wrong way; 0 if they do not."""
    worst = 0.0
    for seed in range(5):
        logits = _randn(seed, _PLACES).requires_grad_()
        scores = _randn(seed + 20, _PLACES)  # p_θ = softmax(scores)
        value = formula(_at_places(_REAL, logits), _at_places((2, 2, 2), logits))
        (ascent,) = torch.autograd.grad(value, logits)
        with torch.no_grad():
            moved = logits + 1e-3 * ascent
            after = formula(_at_places(_REAL, moved), _at_places((2, 2, 2), moved))
            worst = max(worst, float(value - after))
            # The generator: dV/d scores from one place at a time, V being linear in p_θ.
            at_place = torch.stack([formula(_at_places(_REAL, logits), s[None]) for s in logits])
            p = scores.softmax(dim=0)
            descent = p * (at_place - p @ at_place)
            moved_p = (scores - 1e-3 * descent).softmax(dim=0)
            worst = max(worst, float(moved_p @ at_place - p @ at_place))
    return worst


EQUATIONS: tuple[Equation, ...] = (
    Equation(
        name="discriminator-cross-entropy",
        section="13.3.2",
        notebook=NOTEBOOK,
        oracle="enumeration of label and example; torch's binary cross-entropy and its gradient",
        measure="absolute error (nats)",
        tolerance=ROUNDING,
        formula=_half_the_loss,
        error=_cross_entropy_error,
        killers={
            "the ½ forgotten": discriminator_loss,
            "labels swapped": lambda real, fake: _half_the_loss(fake, real),
            "log D where log(1 − D) is meant": lambda real, fake: _half_the_loss(real, -fake),
        },
    ),
    Equation(
        name="generator-pushforward",
        section="13.3.2",
        notebook=NOTEBOOK,
        oracle="adaptive quadrature over the known density of G(z)",
        measure="absolute error",
        # The adaptive quadrature's own bound is 1e-10 a piece, or 1.5e-8 relative where it is
        # larger; no integral exceeds 4.
        tolerance=1e-7,
        formula=_average_over_noise,
        error=_pushforward_error,
        killers={
            "the Jacobian forgotten": _without_jacobian,
            "h at the mean sample": lambda h, g: float(h(_WEIGHTS @ g(_NODES))),
            "h of the noise itself": lambda h, _g: float(_WEIGHTS @ h(_NODES)),
        },
    ),
    Equation(
        name="saturating-gradient",
        section="13.3.2",
        notebook=NOTEBOOK,
        oracle="automatic differentiation; the series of the sigmoid as D → 0",
        measure="absolute error, relative in the limit",
        tolerance=ROUNDING,
        formula=_closed_form,
        error=_gradient_error,
        killers={
            "the two gradients swapped": lambda s: (torch.sigmoid(s) - 1, torch.sigmoid(s)),
            "derivatives over D instead of s": _over_the_probability,
            "sign of the first lost": lambda s: (torch.sigmoid(s), 1 - torch.sigmoid(s)),
        },
    ),
    Equation(
        name="minimax-objective",
        section="13.3.3",
        notebook=NOTEBOOK,
        oracle="enumeration of all generators on three places, the best D by bisection",
        measure="absolute error (nats)",
        # 45 halvings of an interval of 60 leave 2e-12 of the logit, and the value is flat there:
        # an error of the order of 1e-24, so rounding is all that remains.
        tolerance=ROUNDING,
        formula=gan_value,
        error=_minimax_error,
        killers={
            "labels swapped": lambda real, fake: gan_value(fake, real),
            "both players want a large D(G(z))": lambda real, fake: gan_value(real, -fake),
            "no logarithm": lambda real, fake: (
                torch.sigmoid(real).mean() - torch.sigmoid(fake).mean()
            ),
        },
    ),
)
