"""Check of exercise 13-1's ``gumbel_softmax``: its samples and their derivative."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gm_course.checks.calls import Call, Derivative
from gm_course.checks.engine import AnswerCheck, Case, in_both_dtypes
from gm_course.checks.ex13_1_categorical import bound, probabilities
from gm_course.checks.expected import Values
from gm_course.checks.inputs import OPERATIONS, Wide, narrow, normal, uniform, wide
from gm_course.checks.misconceptions import Misconception


class _Given(NamedTuple):
    logits: Tensor
    uniforms: Tensor
    temperature: float


def _cases(dtype: torch.dtype) -> Iterator[Case]:
    for seed, (label, given) in enumerate(_noise_and_temperatures(dtype).items()):
        samples, scale = _samples(given)
        expected = Values(narrow(samples), bound(dtype, scale, magnitude=1.0), dtype)
        if len(given.logits) == 1:  # the samples are constant, and an arg max would be right
            yield Case(label, Call(given._asdict()), expected)
            continue
        weights = normal(100 + seed, tuple(given.uniforms.shape), dtype=dtype)
        yield Case(
            label,
            Call(given._asdict(), derivative=Derivative("logits", weights)),
            expected,
            expected_gradient=_gradient(given, weights, samples, scale),
        )


def _noise_and_temperatures(dtype: torch.dtype) -> dict[str, _Given]:
    # The smallest number that torch.rand can return beside 0, and the distance to 1 of its
    # largest one.
    step = 2.0**-24 if dtype is torch.float32 else 2.0**-53
    steps = step * (1 + uniform(90, (4, 3), low=0, high=40, dtype=torch.float64).floor())

    def given(seed: int, shape: tuple[int, int], temperature: float, spread: float = 1.0) -> _Given:
        return _Given(
            spread * normal(seed, shape[1:], dtype=dtype),
            uniform(seed + 1, shape, low=0.01, high=0.99, dtype=dtype),
            temperature,
        )

    typical = given(120, (4, 3), 0.7)
    below = typical.logits.abs()
    far = torch.tensor([0.0, -1000.0, -200.0], dtype=dtype)
    mixed = typical.uniforms.double().where(typical.uniforms < 0.5, 1 - steps)
    return {
        "typical values": typical,
        "as many samples as categories": given(122, (3, 3), 0.4),
        "a spread of logits": given(124, (5, 4), 1.6, spread=3.0),
        "one sample": given(126, (1, 4), 0.5),
        "two categories": given(128, (4, 2), 0.3),
        "one category": given(130, (3, 1), 0.8),
        "one sample of one category": given(132, (1, 1), 0.5),
        "forty categories": given(134, (3, 40), 2.0),
        "equal logits": typical._replace(logits=torch.full((3,), 0.5, dtype=dtype)),
        "temperature 1": given(136, (4, 3), 1.0),
        "temperature 0.05": given(138, (4, 5), 0.05, spread=0.2),
        "temperature 10": given(140, (4, 3), 10.0, spread=3.0),
        "uniforms close to 0": typical._replace(uniforms=steps.to(dtype)),
        "uniforms close to 1": typical._replace(uniforms=(1 - steps).to(dtype)),
        "some uniforms close to 1": typical._replace(uniforms=mixed.to(dtype), temperature=5.0),
        "logits near 1000": typical._replace(logits=1000 - below),
        "logits near -1000": typical._replace(logits=below - 1000),
        # Probabilities below the range of floats, which a high temperature makes matter.
        "logits down to -1000, temperature 5": typical._replace(logits=far, temperature=5.0),
        "logits down to -1000, temperature 10": typical._replace(logits=far, temperature=10.0),
        "logits from -1000 to 1000, temperature 0.05": typical._replace(
            logits=torch.tensor([-1000.0, 1000.0, 999.9], dtype=dtype), temperature=0.05
        ),
    }


def _samples(given: _Given) -> tuple[Wide, Wide]:
    """The relaxed samples, shape (N, K), and the scale of their rounding errors."""
    noise = -np.log(-np.log(wide(given.uniforms)))
    temperature = np.longdouble(given.temperature)
    perturbed = wide(given.logits) + noise
    differences = (perturbed[:, None, :] - perturbed[:, :, None]) / temperature  # j minus k
    with np.errstate(over="ignore"):
        samples: Wide = 1 / np.exp(differences).sum(-1)
    # The noise errs by a few eps·(1 + |noise|). Sums, the division and the subtraction of a
    # maximum or logsumexp round by eps/2 of up to twice the largest |logit| + |noise| each, all
    # divided by the temperature: 4·eps leaves a margin.
    largest = np.abs(wide(given.logits)).max() + np.abs(noise).max(-1, keepdims=True)
    exponent_error = (1 + 4 * largest / OPERATIONS) / temperature
    # exp makes an absolute error relative: once in the numerator, once in the denominator.
    return samples, samples * (1 + 2 * exponent_error)


def _gradient(given: _Given, weights: Tensor, samples: Wide, scale: Wide) -> Values:
    w = wide(weights)
    size = np.abs(w)
    temperature = np.longdouble(given.temperature)
    mean = (w * samples).sum(-1, keepdims=True)
    exact = (samples * (w - mean)).sum(0) / temperature
    # Products of samples with errors of their own; the difference may be multiplied out.
    mean_size = (size * samples).sum(-1, keepdims=True)
    mean_error = (size * scale).sum(-1, keepdims=True)
    terms = scale * (size + mean_size) + samples * mean_error
    total = terms.sum(0) / temperature
    # If the logits are normalised first, backward subtracts p times a sum that should be 0.
    total = total + probabilities(given.logits) * total.sum()
    dtype = weights.dtype
    magnitude = float(weights.abs().sum()) / given.temperature
    return Values(narrow(exact), bound(dtype, total, magnitude=magnitude), dtype)


# What mistakes put together wrongly.

# Small numbers that students add, or clamp to, to protect a logarithm that needs no protection.
_GUARD = 1e-10


def _noise(uniforms: Tensor) -> Tensor:
    return -(-uniforms.log()).log()


def _guarded_noise(uniforms: Tensor) -> Tensor:
    return -(-(uniforms + _GUARD).log() + _GUARD).log()


def _log_of_softmax(
    logits: Tensor, uniforms: Tensor, temperature: float, *, smallest: float = 0.0
) -> Tensor:
    log_p = logits.softmax(0).clamp(min=smallest).log()
    return ((log_p + _noise(uniforms)) / temperature).softmax(1)


def _unstable(logits: Tensor, uniforms: Tensor, temperature: float) -> Tensor:
    unnormalised = ((logits + _noise(uniforms)) / temperature).exp()
    return unnormalised / unnormalised.sum(1, keepdim=True)


def _hard(logits: Tensor, uniforms: Tensor, temperature: float) -> Tensor:
    winner = (logits + _noise(uniforms)).argmax(1)
    return torch.nn.functional.one_hot(winner, len(logits)).to(logits.dtype)


# Diagnosis and hint of the two.
_UNDERFLOW = (
    "the logarithm, or a power, of probabilities that underflowed",
    "exp(−1000) is 0 in floating point, and a guard against log 0 puts another number in its "
    "place. Logits are log-probabilities up to a constant already.",
)


GUMBEL_SOFTMAX = AnswerCheck(
    name="gumbel_softmax",
    points=2.0,
    meaning="one relaxed one-hot sample per row of the uniforms",
    hint="Take the Gumbel-max trick step by step: noise, perturbed logits, and then a softmax at "
    "the given temperature where the arg max stood.",
    build_cases=in_both_dtypes(_cases),
    misconceptions=(
        Misconception(
            "noise-negated",
            "Gumbel noise with its sign exchanged",
            "A uniform number close to 1 must give a large positive noise.",
            lambda logits, uniforms, temperature: (
                (logits - _noise(uniforms)) / temperature
            ).softmax(1),
        ),
        Misconception(
            "one-logarithm",
            "noise from a single logarithm: exponential, not Gumbel",
            "Gumbel noise takes two logarithms and is negative about a third of the time.",
            lambda logits, uniforms, temperature: ((logits - uniforms.log()) / temperature).softmax(
                1
            ),
        ),
        Misconception(
            "one-minus-u",
            "noise made from 1 − u",
            "That is Gumbel noise too, but not the one that the contract makes from u.",
            lambda logits, uniforms, temperature: (
                (logits + _noise(1 - uniforms)) / temperature
            ).softmax(1),
        ),
        Misconception(
            "no-noise",
            "a softmax of the logits without noise",
            "Without noise every row is the same, and nothing is sampled.",
            lambda logits, uniforms, temperature: (
                (logits / temperature).softmax(0).expand_as(uniforms)
            ),
        ),
        Misconception(
            "uniform-noise",
            "the uniform numbers themselves added as noise",
            "The arg max has the right distribution only if the noise is Gumbel.",
            lambda logits, uniforms, temperature: ((logits + uniforms) / temperature).softmax(1),
        ),
        Misconception(
            "no-temperature",
            "a softmax that ignores the temperature",
            "What should happen to the samples as the temperature goes to 0?",
            lambda logits, uniforms, temperature: (logits + _noise(uniforms)).softmax(1),
        ),
        Misconception(
            "temperature-multiplied",
            "a softmax multiplied by the temperature inside",
            "Cold means sharp: a small temperature must bring the samples close to one-hot.",
            lambda logits, uniforms, temperature: (
                (logits + _noise(uniforms)) * temperature
            ).softmax(1),
        ),
        Misconception(
            "temperature-on-logits",
            "the temperature applied to the logits and not to the noise",
            "The largest entry must not depend on the temperature, or samples follow another "
            "distribution.",
            lambda logits, uniforms, temperature: (logits / temperature + _noise(uniforms)).softmax(
                1
            ),
        ),
        Misconception(
            "temperature-on-noise",
            "the temperature applied to the noise and not to the logits",
            "The largest entry must not depend on the temperature, or samples follow another "
            "distribution.",
            lambda logits, uniforms, temperature: (logits + _noise(uniforms) / temperature).softmax(
                1
            ),
        ),
        Misconception(
            "noise-on-probabilities",
            "noise added to the probabilities",
            "The Gumbel-max trick perturbs logits, or log-probabilities, which differ by a "
            "constant.",
            lambda logits, uniforms, temperature: (
                (logits.softmax(0) + _noise(uniforms)) / temperature
            ).softmax(1),
        ),
        Misconception(
            "over-samples",
            "a softmax over the samples",
            "Each row is one sample and must add up to 1.",
            lambda logits, uniforms, temperature: (
                (logits + _noise(uniforms)) / temperature
            ).softmax(0),
        ),
        Misconception(
            "hard",
            "exact one-hot samples: an arg max",
            "A relaxed sample is one-hot only in the limit of temperature 0. Return the softmax "
            "that stands in for the arg max: its values as well as its gradient.",
            _hard,
        ),
        Misconception(
            "no-softmax",
            "perturbed logits without a softmax",
            "A relaxed one-hot vector has non-negative entries that add up to 1.",
            lambda logits, uniforms, temperature: (logits + _noise(uniforms)) / temperature,
        ),
        Misconception(
            "log-samples",
            "the logarithm of the samples",
            "A relaxed one-hot vector has non-negative entries that add up to 1.",
            lambda logits, uniforms, temperature: (
                (logits + _noise(uniforms)) / temperature
            ).log_softmax(1),
        ),
        Misconception(
            "guarded-logarithms",
            "a small number such as 1e-10 added inside the logarithms",
            "The uniforms lie strictly between 0 and 1, where both logarithms are finite; the "
            "guard distorts the largest noise.",
            lambda logits, uniforms, temperature: (
                (logits + _guarded_noise(uniforms)) / temperature
            ).softmax(1),
        ),
        Misconception(
            "log-of-underflow",
            *_UNDERFLOW,
            _log_of_softmax,
        ),
        Misconception(
            "log-of-clamped",
            *_UNDERFLOW,
            lambda logits, uniforms, temperature: _log_of_softmax(
                logits, uniforms, temperature, smallest=1e-30
            ),
        ),
        Misconception(
            "unstable-softmax",
            "a softmax whose exponentials overflow or all vanish",
            "Logits, noise and a small temperature make large exponents. The softmax does not "
            "change when the same number is added to all of them.",
            _unstable,
        ),
    ),
)
