"""Check of exercise 13-4's numerically hard answer: ``optimal_classifier_from_logs``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from gm_course.checks.calls import Call
from gm_course.checks.engine import AnswerCheck, Case, in_both_dtypes
from gm_course.checks.expected import Values
from gm_course.checks.inputs import narrow, normal, uniform, wide
from gm_course.checks.misconceptions import Misconception

# As the contract states it. In float32 a log near 1e4 has steps of 1e-3, so an answer that rounds
# log(p1 + p2) once errs by half a step, and one that rounds the log-ratio not at all.
_LOGS_TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-9}


def _log_cases(dtype: torch.dtype) -> Iterator[Case]:
    for label, log_p1, log_p2 in _log_pairs(dtype):
        exact = _share_of_logs(log_p1, log_p2)
        call = Call({"log_p1": log_p1, "log_p2": log_p2})
        yield Case(label, call, Values(exact, _LOGS_TOLERANCE[dtype], dtype))


def _share_of_logs(log_p1: Tensor, log_p2: Tensor) -> Tensor:
    a, b = wide(log_p1), wide(log_p2)
    is_nothing = np.isneginf(a) & np.isneginf(b)
    with np.errstate(over="ignore"):  # exp(2e4) is infinite, and 1/(1 + ∞) = 0 is right
        odds_against = np.exp(b - np.where(is_nothing, 0, a))
    return narrow(np.where(is_nothing, np.longdouble(0.5), 1 / (1 + odds_against)))


def _log_pairs(dtype: torch.dtype) -> Iterator[tuple[str, Tensor, Tensor]]:
    def logs(seed: int, count: int, at: float, spread: float) -> Tensor:
        values = at + spread * normal(seed, (count,), dtype=torch.float64)
        return values.clamp(-1e4, 1e4).to(dtype)

    def pair(
        seed: int, count: int, *, at: float = 0.0, spread: float = 2.0
    ) -> tuple[Tensor, Tensor]:
        return logs(seed, count, at, spread), logs(seed + 1, count, at, spread)

    def impossible(log_p: Tensor, *indices: int) -> Tensor:
        log_p = log_p.clone()
        log_p[list(indices)] = -torch.inf
        return log_p

    first, second = pair(900, 6)
    yield "typical values", first, second
    yield "typical values", *pair(902, 9)
    yield "typical values", *pair(904, 4, spread=5.0)
    yield "one point", *pair(906, 1)
    yield "two points", *pair(908, 2)
    yield "equal log-densities", first, first
    yield "log-densities near −50", *pair(910, 6, at=-50.0)
    yield "log-densities near −1000", *pair(912, 6, at=-1000.0)
    yield "log-densities near 1000", *pair(914, 6, at=1000.0)
    yield "log-densities near −1e4", *pair(916, 6, at=-9990.0)
    yield "log-densities near 1e4", *pair(918, 6, at=9990.0)
    levels = uniform(920, (8,), low=-9e3, high=9e3, dtype=torch.float64)
    close1, close2 = pair(921, 8)
    yield "log-densities from −1e4 to 1e4", close1 + levels.to(dtype), close2 + levels.to(dtype)
    yield "log-densities far apart", *pair(923, 8, spread=4e3)
    ends = torch.tensor([-1e4, -1e4, 1e4, 1e4], dtype=dtype)
    yield "log-densities ±1e4", ends, ends[[1, 2, 0, 3]]
    # The smallest logarithms in range are not those of zero, however close a floor comes.
    smallest = torch.tensor([-1e4, -1e4, -9990.0, -9990.0], dtype=dtype)
    yield (
        "p = 0 beside log-densities near −1e4",
        impossible(smallest, 0, 2),
        impossible(smallest, 1, 3),
    )
    yield "p1 = 0 in places", impossible(first, 0, 3), second
    yield "p2 = 0 in places", first, impossible(second, 1)
    yield "both densities 0 in places", impossible(first, 2, 5), impossible(second, 1, 2, 5)
    yield "both densities 0 in places", impossible(first[:1], 0), impossible(first[:1], 0)


def _exponentiated(log_p1: Tensor, log_p2: Tensor) -> Tensor:
    return log_p1.exp() / (log_p1.exp() + log_p2.exp())


def _sigmoid(log_p1: Tensor, log_p2: Tensor) -> Tensor:
    ratio = log_p1 - log_p2
    return torch.sigmoid(torch.where(ratio.isnan(), 0.0, ratio))


def _one_common_shift(log_p1: Tensor, log_p2: Tensor) -> Tensor:
    largest = torch.cat([log_p1, log_p2]).max()
    return _exponentiated(log_p1 - largest, log_p2 - largest)


OPTIMAL_CLASSIFIER_FROM_LOGS = AnswerCheck(
    name="optimal_classifier_from_logs",
    points=3.0,
    meaning="f* at each point, also where the densities are too small or too large to be formed",
    hint="f* depends on the two densities only through their ratio. What becomes of a ratio under "
    "the logarithm, and which well-behaved function leads from there to a probability?",
    build_cases=in_both_dtypes(_log_cases),
    misconceptions=(
        Misconception(
            "exponentiated",
            "densities formed with exp, which underflow to 0 or overflow",
            "exp(−1000) is 0 and exp(1000) is ∞ in floating point, but the ratio of two such "
            "densities may be harmless. Form that without forming them.",
            _exponentiated,
        ),
        Misconception(
            "exponentiated-then-half",
            "densities formed with exp, and ½ wherever that gives 0/0 or ∞/∞",
            "Two densities that underflow are not zero: their logarithms still tell which is "
            "larger. ½ is right only where both logarithms are −∞.",
            lambda log_p1, log_p2: torch.nan_to_num(_exponentiated(log_p1, log_p2), nan=0.5),
        ),
        Misconception(
            "jitter",
            "densities formed with exp, with 1e-12 added to the denominator",
            "That avoids 0/0 but not the underflow: everything smaller than 1e-12 is lost. Do not "
            "form the densities.",
            lambda log_p1, log_p2: log_p1.exp() / (log_p1.exp() + log_p2.exp() + 1e-12),
        ),
        Misconception(
            "one-common-shift",
            "one maximum of the whole grid subtracted before exp",
            "Far from that maximum exp still underflows. Every point is a problem of its own.",
            _one_common_shift,
        ),
        Misconception(
            "clamped",
            "logarithms cut off at ±80 before exp",
            "Two logarithms beyond the cut-off become equal, and f* becomes ½. Only their "
            "difference has to be moderate.",
            lambda log_p1, log_p2: _exponentiated(log_p1.clamp(-80, 80), log_p2.clamp(-80, 80)),
        ),
        Misconception(
            "infinity-minus-infinity",
            "−∞ − (−∞), which is not a number, where both densities are zero",
            "Such a point needs a rule of its own, as it does without logarithms.",
            lambda log_p1, log_p2: torch.sigmoid(log_p1 - log_p2),
        ),
        Misconception(
            "nothing-as-zero",
            "f* = 0 where both densities are zero",
            "A point that neither class produces speaks for neither: what does an undecided "
            "classifier say?",
            lambda log_p1, log_p2: torch.nan_to_num(torch.sigmoid(log_p1 - log_p2), nan=0.0),
        ),
        Misconception(
            "classes-swapped",
            "the probability of the second class",
            "f predicts the first class, c1: it grows with log_p1.",
            lambda log_p1, log_p2: _sigmoid(log_p2, log_p1),
        ),
        Misconception(
            "ratio-of-logs",
            "the formula for densities applied to their logarithms",
            "The arguments are log p, not p, and log(p1 + p2) is not log p1 + log p2.",
            lambda log_p1, log_p2: log_p1 / (log_p1 + log_p2),
        ),
        Misconception(
            "density-ratio",
            "the ratio of the two densities, which is no probability",
            "The ratio tells how many times likelier one class is; turn these odds into a "
            "probability.",
            lambda log_p1, log_p2: (log_p1 - log_p2).exp(),
        ),
        Misconception(
            "log-of-result",
            "log f* instead of f*",
            "The inputs are logarithms, the result is a probability.",
            lambda log_p1, log_p2: torch.nn.functional.logsigmoid(log_p1 - log_p2),
        ),
        Misconception(
            "log-ratio",
            "the logarithm of the density ratio",
            "That can be any number; which function turns it into a probability?",
            lambda log_p1, log_p2: log_p1 - log_p2,
        ),
        Misconception(
            "sum-of-logs",
            "a sigmoid of the sum of the logarithms",
            "A sum of logarithms belongs to a product of densities.",
            lambda log_p1, log_p2: torch.sigmoid(log_p1 + log_p2),
        ),
        Misconception(
            "hard-decision",
            "the likelier class alone, without a probability",
            "Close to the boundary f* must say how close.",
            lambda log_p1, log_p2: torch.where(
                log_p1 == log_p2, 0.5, (log_p1 > log_p2).to(log_p1.dtype)
            ),
        ),
    ),
)
