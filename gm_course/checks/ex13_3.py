"""Exercise 13-3, VAE versus autoencoder: the objective without a prior, and the best code variance.

Oracles are closed forms in extended precision. The scale of a tolerance sums the magnitudes of the
terms that a correct answer adds up, each times its condition number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from gm_course.checks.calls import Call
from gm_course.checks.engine import AnswerCheck, Case, Exercise, in_both_dtypes
from gm_course.checks.ex13_3_moments import AGGREGATE_MOMENTS, PRIOR_GAP
from gm_course.checks.ex13_3_units import ACTIVE_UNITS
from gm_course.checks.expected import Number, Values
from gm_course.checks.inputs import narrow, normal, rounding, wide
from gm_course.checks.misconceptions import Misconception

# --- autoencoder_objective --------------------------------------------------------------------


def _reconstruction_cases(dtype: torch.dtype) -> Iterator[Case]:
    for label, (x, x_hat) in _reconstructions(dtype).items():
        data, copy = wide(x), wide(x_hat)
        exact = -((data - copy) ** 2).sum(-1) / 2
        # The square may be expanded before it is summed: then the lengths set the scale. It may be
        # a log-density freed of its constant, log(2π)/2 < 1 per dimension: hence the 1.
        scale = (data**2 + copy**2 + 1).sum(-1)
        expected = Values(narrow(exact), rounding(dtype, scale), dtype)
        yield Case(label, Call({"x": x, "x_hat": x_hat}), expected)


def _reconstructions(dtype: torch.dtype) -> dict[str, tuple[Tensor, Tensor]]:
    def pair(seed: int, *shape: int, scale: float = 1.0) -> tuple[Tensor, Tensor]:
        return scale * normal(seed, shape, dtype=dtype), scale * normal(
            seed + 1, shape, dtype=dtype
        )

    typical = pair(400, 4, 3)
    return {
        "typical values": typical,
        "as many examples as dimensions": pair(410, 3, 3),
        "one example": pair(420, 1, 4),
        "one data dimension": pair(430, 3, 1),
        "one example of one dimension": pair(440, 1, 1),
        "an image's dimensions": pair(450, 2, 64),
        "a perfect reconstruction": (typical[0], typical[0]),
        "nothing but zeros reconstructed": (typical[0], torch.zeros_like(typical[1])),
        "small errors": pair(460, 3, 4, scale=0.1),
        "errors near 1e3": pair(470, 3, 4, scale=1e3),
    }


def _square(x: Tensor, x_hat: Tensor) -> Tensor:
    return ((x - x_hat) ** 2).sum(-1)


AUTOENCODER_OBJECTIVE = AnswerCheck(
    name="autoencoder_objective",
    points=2.0,
    meaning="−½‖x − x_hat‖² of each example",
    hint="Of the two terms of (13.28) only one is left: a sum of squares over the data dimensions, "
    "with its factor and its sign.",
    build_cases=in_both_dtypes(_reconstruction_cases),
    misconceptions=(
        Misconception(
            "no-half",
            "a squared error without its factor ½",
            "Keep the factor that (13.28) has in front of the square.",
            lambda x, x_hat: -_square(x, x_hat),
        ),
        Misconception(
            "negated",
            "a loss, the negative of the objective",
            "(13.28) is maximised: no reconstruction may score higher than a perfect one.",
            lambda x, x_hat: 0.5 * _square(x, x_hat),
        ),
        Misconception(
            "plain-square",
            "the squared error itself, neither halved nor negated",
            "Compare sign and factor with the first term of (13.28).",
            _square,
        ),
        Misconception(
            "mean-over-dimensions",
            "a squared error averaged over the data dimensions",
            "‖·‖² is a sum of squares. Library functions average unless told otherwise.",
            lambda x, x_hat: -0.5 * _square(x, x_hat) / x.shape[-1],
        ),
        Misconception(
            "norm-not-squared",
            "the norm of the error, not squared",
            "The exponent of a Gaussian holds the squared distance.",
            lambda x, x_hat: -0.5 * _square(x, x_hat).sqrt(),
        ),
        Misconception(
            "absolute-error",
            "a sum of absolute errors",
            "That belongs to a Laplace decoder; here p(x|z) is Gaussian.",
            lambda x, x_hat: -0.5 * (x - x_hat).abs().sum(-1),
        ),
        Misconception(
            "summed-before-squaring",
            "the square of the summed error, in which errors of opposite sign cancel",
            "Square each dimension's error first, then sum.",
            lambda x, x_hat: -0.5 * (x - x_hat).sum(-1) ** 2,
        ),
        Misconception(
            "log-density",
            "log N(x; x_hat, I), normalising constant included",
            "(13.28) has dropped that constant already: a perfect reconstruction scores 0.",
            lambda x, x_hat: -0.5 * _square(x, x_hat) - 0.5 * x.shape[-1] * math.log(2 * math.pi),
        ),
        Misconception(
            "code-penalty",
            "a squared error with a penalty on the length of the reconstruction",
            "Nothing pulls anything towards zero here: the prior is gone.",
            lambda x, x_hat: -0.5 * (_square(x, x_hat) + (x_hat**2).sum(-1)),
        ),
        Misconception(
            "batch-sum",
            "a sum over the whole batch",
            "Keep one number per example: sum over the last axis only.",
            lambda x, x_hat: -0.5 * _square(x, x_hat).sum(),
        ),
        Misconception(
            "batch-mean",
            "an average over the batch",
            "Keep one number per example: sum over the last axis only.",
            lambda x, x_hat: -0.5 * _square(x, x_hat).mean(),
        ),
    ),
)

# --- optimal_posterior_variance ---------------------------------------------------------------

# An answer may find the maximum instead of writing it down: a root finder on the derivative with
# respect to log σ², stopping at scipy's default of 2e-12, errs by as much relative to σ².
ROOT_FINDER = 1e-11


def _variance_cases(dtype: torch.dtype) -> Iterator[Case]:
    for label, (w, lam) in _linear_generators(dtype).items():
        exact = lam / (lam + (wide(w) ** 2).sum())
        # Sums of positive numbers and a quotient: every error is relative to the result.
        tolerance = float(rounding(dtype, exact)) + ROOT_FINDER * float(exact)
        yield Case(label, Call({"w": w, "lam": lam}), Number(float(exact), tolerance, dtype))


def _linear_generators(dtype: torch.dtype) -> dict[str, tuple[Tensor, float]]:
    def weights(seed: int, dim: int, *, scale: float = 1.0) -> Tensor:
        return scale * normal(seed, (dim,), dtype=dtype)

    return {
        "typical values": (weights(500, 3), 0.5),
        "four dimensions": (weights(510, 4), 1.7),
        "one dimension": (weights(520, 1), 0.8),
        "an image's dimensions": (weights(530, 64, scale=0.1), 0.1),
        "lam = 1": (weights(540, 3), 1.0),
        "w = 0": (torch.zeros(3, dtype=dtype), 0.3),
        "lam = 1e-6": (weights(550, 4), 1e-6),
        "lam = 1e6": (weights(560, 4), 1e6),
        "lam = 1e6, w near 1e3": (weights(570, 4, scale=1e3), 1e6),
        "lam = 1e-6, w near 1e-3": (weights(580, 4, scale=1e-3), 1e-6),
        "w near 1e3": (weights(590, 4, scale=1e3), 2.0),
        "w near 1e-3": (weights(600, 4, scale=1e-3), 2.0),
    }


def _length_squared(w: Tensor) -> float:
    return float((w.double() ** 2).sum())


def _best_variance(square: float, lam: float) -> float:
    return lam / (lam + square)


OPTIMAL_POSTERIOR_VARIANCE = AnswerCheck(
    name="optimal_posterior_variance",
    points=3.0,
    meaning="the σ_I² at which the expected (13.28) is largest",
    hint="Take the expectation of ‖x − w z‖² under z ~ N(μ_I, σ_I²), differentiate the expected "
    "(13.28) with respect to σ_I², and set the derivative to zero.",
    build_cases=in_both_dtypes(_variance_cases),
    misconceptions=(
        Misconception(
            "std",
            "σ_I, the square root of what is asked",
            "Return the variance σ_I².",
            lambda w, lam: math.sqrt(_best_variance(_length_squared(w), lam)),
        ),
        Misconception(
            "precision-returned",
            "one over the variance",
            "More noise in the decoder must leave a wider posterior, not a narrower one.",
            lambda w, lam: 1 / _best_variance(_length_squared(w), lam),
        ),
        Misconception(
            "complement",
            "the share of the prior's variance that the data remove, not the share that is left",
            "What should happen to σ_I² when the generator ignores z, w = 0?",
            lambda w, lam: 1 - _best_variance(_length_squared(w), lam),
        ),
        Misconception(
            "no-prior",
            "the variance of the likelihood alone, as if the prior were flat",
            "Differentiate the whole KL: it contains σ_I² itself, not only its logarithm.",
            lambda w, lam: lam / square if (square := _length_squared(w)) else math.inf,
        ),
        Misconception(
            "lam-forgotten",
            "lam set to 1: a KL divergence without its weight",
            "In (13.28) the KL divergence is multiplied by lam.",
            lambda w, lam: _best_variance(_length_squared(w), 1.0),
        ),
        Misconception(
            "no-weight-in-numerator",
            "1/(lam + ‖w‖²): lam in the denominator only",
            "If the generator ignores z, w = 0, the prior's variance 1 must come out.",
            lambda w, lam: _best_variance(_length_squared(w), lam) / lam,
        ),
        Misconception(
            "decoder-variance",
            "lam itself, the variance of the decoder",
            "σ_I² is a variance of z, not of x: how does it change if w is doubled?",
            lambda w, lam: lam,
        ),
        Misconception(
            "lam-as-std",
            "lam taken for the decoder's standard deviation",
            "`lam` is the variance λ: the decoder is N(x; μ_G, λ·I).",
            lambda w, lam: _best_variance(_length_squared(w), lam**2),
        ),
        Misconception(
            "lam-as-precision",
            "lam taken for a precision, or put on the squared error instead of the KL divergence",
            "A larger lam makes the decoder more tolerant: may σ_I² then shrink?",
            lambda w, lam: _best_variance(_length_squared(w), 1 / lam),
        ),
        Misconception(
            "no-half",
            "the stationary point of an objective with ‖x − μ_G‖² in place of half of it",
            "Both the squared error and the KL divergence carry a factor ½; lose neither.",
            lambda w, lam: _best_variance(2 * _length_squared(w), lam),
        ),
        Misconception(
            "kl-no-half",
            "the stationary point of an objective whose KL divergence has lost its ½",
            "Both the squared error and the KL divergence carry a factor ½; lose neither.",
            lambda w, lam: _best_variance(_length_squared(w) / 2, lam),
        ),
        Misconception(
            "norm-not-squared",
            "the length of w where its square belongs",
            "Var(w z) summed over the dimensions: how does it scale if w is doubled?",
            lambda w, lam: _best_variance(math.sqrt(_length_squared(w)), lam),
        ),
        Misconception(
            "mean-over-dimensions",
            "a squared error averaged over the data dimensions",
            "Every dimension of x tells something about z: their squares add up.",
            lambda w, lam: _best_variance(_length_squared(w) / len(w), lam),
        ),
        Misconception(
            "sum-of-weights",
            "the square of the sum of w where the sum of squares belongs",
            "The squared length of w is meant; its entries may have opposite signs.",
            lambda w, lam: _best_variance(float(w.double().sum()) ** 2, lam),
        ),
        Misconception(
            "point-code",
            "zero: the code of an autoencoder, not of a VAE",
            "What happens to the KL divergence when σ_I² goes to 0?",
            lambda w, lam: 0.0,
        ),
        Misconception(
            "prior",
            "one: the variance of the prior",
            "That is best for the KL divergence alone. What does z's spread cost in the squared "
            "error?",
            lambda w, lam: 1.0,
        ),
    ),
)

EXERCISE = Exercise(
    "13-3",
    checks=(
        AUTOENCODER_OBJECTIVE,
        OPTIMAL_POSTERIOR_VARIANCE,
        AGGREGATE_MOMENTS,
        PRIOR_GAP,
        ACTIVE_UNITS,
    ),
    written_points=4.0,
)
