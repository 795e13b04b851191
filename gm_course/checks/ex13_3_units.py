"""Check of exercise 13-3's ``active_units``.

Booleans are compared exactly. So no variance lies within a factor 1.4 of the threshold, which is
more than rounding, cancellation of squares included, changes for codes of this size.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from gm_course.checks.calls import Call
from gm_course.checks.engine import AnswerCheck, Case, in_both_dtypes
from gm_course.checks.expected import Values
from gm_course.checks.inputs import Wide, normal, wide
from gm_course.checks.misconceptions import Misconception

DEFAULT_THRESHOLD = 0.01


def _unit_cases(dtype: torch.dtype) -> Iterator[Case]:
    for label, (mu_i, threshold) in _codes(dtype).items():
        keywords = {} if threshold is None else {"threshold": threshold}
        limit = DEFAULT_THRESHOLD if threshold is None else threshold
        exact = torch.from_numpy(_unbiased_variance(mu_i) > limit)
        expected = Values(exact.to(torch.float64), 0.0, torch.bool)
        yield Case(label, Call({"mu_i": mu_i}, keywords), expected)


def _unbiased_variance(mu_i: Tensor) -> Wide:
    mu = wide(mu_i)
    variance: Wide = ((mu - mu.mean(0)) ** 2).sum(0) / max(len(mu) - 1, 1)
    return variance


def _codes(dtype: torch.dtype) -> dict[str, tuple[Tensor, float | None]]:
    def codes(
        seed: int, count: int, ratios: list[float], *, threshold: float | None = None,
        offset: float = 1.0,
    ) -> tuple[Tensor, float | None]:  # fmt: skip
        """Codes whose unbiased variances are these multiples of the threshold."""
        limit = DEFAULT_THRESHOLD if threshold is None else threshold
        raw = normal(seed, (count, len(ratios)), dtype=torch.float64)
        variances = limit * torch.tensor(ratios, dtype=torch.float64)
        # Every second dimension sits away from 0, so that size and variation differ.
        centre = offset * (torch.arange(len(ratios)) % 2)
        if count > 1:
            raw = (raw - raw.mean(0)) / raw.std(0) * variances.sqrt()
        return (raw + centre).to(dtype), threshold

    # A threshold of 0 leaves nothing to be a multiple of: rounding may not make a constant vary.
    still = (
        1e-3 * normal(1140, (6, 4), dtype=dtype) * torch.tensor([0.0, 1.0, 0.0, 100.0]).to(dtype)
    )
    # As far as a difference of mean squares still shows the variance in this dtype.
    far = 100.0 if dtype is torch.float32 else 1e5

    spread = [100.0, 0.01, 0.04, 30.0, 0.0, 2.0, 0.5, 0.0]
    return {
        "typical values": codes(1000, 6, spread),
        "as many examples as dimensions": codes(1010, 8, spread),
        "forty examples": codes(1020, 40, spread),
        "another threshold": codes(1030, 7, spread, threshold=0.3),
        "a small threshold": codes(1040, 5, spread, threshold=1e-4),
        "a large threshold": codes(1050, 5, spread, threshold=4.0, offset=5.0),
        "a tiny threshold": codes(1150, 5, spread, threshold=1e-6, offset=2.0**-7),
        "threshold 0": (still, 0.0),
        "codes far from 0": codes(1160, 5, spread, threshold=4.0, offset=far),
        "codes from -1e5 to 1e5": (
            1e5 * torch.tensor([[-1.0, 0.0, 1.0], [1.0, 0.0, -1.0]], dtype=dtype),
            None,
        ),
        # With so few examples N and N − 1 differ enough to fall on two sides of the threshold.
        "two examples": codes(1060, 2, [1.4, 0.6, 5.0, 1.4, 0.0, 1.4]),
        "two examples, another threshold": codes(1070, 2, [1.4, 0.6, 1.4, 1.4], threshold=0.2),
        "all units active": codes(1080, 6, [3.0, 10.0, 50.0]),
        "no unit active": codes(1090, 6, [0.3, 0.01, 0.1]),
        "one latent dimension": codes(1100, 6, [4.0]),
        "one collapsed dimension": codes(1110, 6, [0.0]),
        "one example": codes(1120, 1, spread),
        "one example of one dimension": codes(1130, 1, [1.0]),
    }


def _varies(mu_i: Tensor, threshold: float) -> Tensor:
    return mu_i.var(0) > threshold


ACTIVE_UNITS = AnswerCheck(
    name="active_units",
    points=2.0,
    meaning="True where the posterior mean varies over the data by more than the threshold",
    hint="Take the sample variance of each column of mu_i and compare it with the threshold.",
    build_cases=in_both_dtypes(_unit_cases),
    misconceptions=(
        Misconception(
            "population",
            "a variance divided by N",
            "The contract asks for the unbiased sample variance.",
            lambda mu_i, threshold=DEFAULT_THRESHOLD: mu_i.var(0, correction=0) > threshold,
        ),
        Misconception(
            "std",
            "a comparison in which only one side is squared: standard deviation and variance mixed",
            "The threshold is one for the variance, as it is given.",
            lambda mu_i, threshold=DEFAULT_THRESHOLD: mu_i.std(0) > threshold,
        ),
        Misconception(
            "second-moment",
            "a mean square compared with the threshold, not centred",
            "A code that is large but the same for every example carries no information.",
            lambda mu_i, threshold=DEFAULT_THRESHOLD: (mu_i**2).mean(0) > threshold,
        ),
        Misconception(
            "size",
            "the size of the average code compared with the threshold",
            "A code that is large but the same for every example carries no information.",
            lambda mu_i, threshold=DEFAULT_THRESHOLD: mu_i.mean(0).abs() > threshold,
        ),
        Misconception(
            "inverted",
            "the inactive units marked True",
            "A unit is active when it varies.",
            lambda mu_i, threshold=DEFAULT_THRESHOLD: mu_i.var(0) < threshold,
        ),
        Misconception(
            "fixed-threshold",
            "a threshold that is always 0.01",
            "Use the argument `threshold`; 0.01 is only its default.",
            lambda mu_i, threshold=DEFAULT_THRESHOLD: _varies(mu_i, DEFAULT_THRESHOLD),
        ),
        Misconception(
            "any-variation",
            "every unit that varies at all marked active",
            "A collapsed unit never stands perfectly still; that is what the threshold is for.",
            lambda mu_i, threshold=DEFAULT_THRESHOLD: mu_i.var(0, correction=0) > 0,
        ),
        Misconception(
            "at-threshold",
            "units whose variance equals the threshold marked active",
            "A unit is active when its variance lies above the threshold. Can a unit that never "
            "moves be active?",
            lambda mu_i, threshold=DEFAULT_THRESHOLD: mu_i.var(0) >= threshold,
        ),
        Misconception(
            "zero-taken-for-missing",
            "the default in place of a threshold of 0",
            "0 is a number too, although Python takes it for false.",
            lambda mu_i, threshold=DEFAULT_THRESHOLD: _varies(mu_i, threshold or DEFAULT_THRESHOLD),
        ),
        Misconception(
            "one-is-active",
            "all units active when there is one example only",
            "One example shows no variation. What does your variance give for N = 1, and how does "
            "a comparison treat that?",
            lambda mu_i, threshold=DEFAULT_THRESHOLD: ~(mu_i.var(0) <= threshold),
        ),
        Misconception(
            "over-dimensions",
            "the variance over the latent dimensions of each example",
            "The question is what changes from one example to the next: which axis is that?",
            lambda mu_i, threshold=DEFAULT_THRESHOLD: _varies(mu_i.T, threshold),
        ),
        Misconception(
            "total-variance",
            "the variances of all units together compared with the threshold",
            "Each unit is judged by its own variance.",
            lambda mu_i, threshold=DEFAULT_THRESHOLD: (
                mu_i.var(0).sum().expand(mu_i.shape[1]) > threshold
            ),
        ),
    ),
)
