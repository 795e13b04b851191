"""Checks of exercise 13-5's bounds: ``mlp_lipschitz_bound`` and ``clipping_bound``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from gm_course.checks.calls import Call
from gm_course.checks.engine import AnswerCheck, Case, in_both_dtypes
from gm_course.checks.expected import Number, Values
from gm_course.checks.inputs import narrow, normal, rounding, wide
from gm_course.checks.misconceptions import Misconception

# --- mlp_lipschitz_bound ----------------------------------------------------------------------


def _mlp_cases(dtype: torch.dtype) -> Iterator[Case]:
    for label, weights in _networks(dtype).items():
        exact = np.prod([_spectral_norm(weight) for weight in weights])
        # Each norm is right to a few eps, times the square root of its matrix's larger side if
        # it comes from a product WᵀW; relative errors of factors add up.
        steps = sum(math.sqrt(max(weight.shape)) for weight in weights)
        tolerance = rounding(dtype, exact * steps)
        yield Case(label, Call({"weights": [*weights]}), Values(narrow(exact), tolerance, dtype))


def _networks(dtype: torch.dtype) -> dict[str, list[Tensor]]:
    def network(seed: int, widths: tuple[int, ...]) -> list[Tensor]:
        """Weights of layers from ``widths[0]`` inputs to ``widths[-1]`` outputs."""
        shapes = [(widths[i + 1], widths[i]) for i in range(len(widths) - 1)]
        return [normal(seed + i, shape, dtype=dtype) for i, shape in enumerate(shapes)]

    small, typical = network(650, (3, 4, 2)), network(600, (3, 5, 4, 1))
    orthogonal = torch.linalg.qr(normal(640, (4, 4), dtype=torch.float64))[0].to(dtype)
    column, row = normal(670, (5, 1), dtype=dtype), normal(671, (1, 4), dtype=dtype)
    return {
        "typical values": typical,
        "two layers": network(610, (4, 6, 2)),
        "square layers": network(620, (3, 3, 3, 3)),
        "five layers": network(680, (3, 4, 3, 4, 2, 3)),
        "one layer": network(630, (5, 3)),
        "one layer, more outputs than inputs": network(635, (2, 6)),
        "layers of width one": network(645, (1, 1, 1)),
        "one number": [torch.full((1, 1), -2.5, dtype=dtype)],
        "orthogonal layers": [orthogonal, orthogonal.T.contiguous()],
        "a shear": [torch.tensor([[1.0, 4.0], [0.0, 1.0]], dtype=dtype)],
        "a layer of rank one": [column @ row],
        "a layer of zeros": [small[0], torch.zeros(2, 4, dtype=dtype)],
        "a wide network": network(660, (20, 40, 30, 1)),
        "small weights": [1e-6 * weight for weight in small],
        "large weights": [1e6 * weight for weight in small],
    }


def _spectral_norm(weight: Tensor) -> np.longdouble:
    # An error δ of the singular vector costs ‖W v‖/‖v‖ only δ², so that a vector with 16 digits
    # gives every digit of extended precision.
    vector = wide(torch.from_numpy(np.linalg.svd(weight.double().numpy())[2][0]))
    image = wide(weight) @ vector
    return np.longdouble(np.sqrt((image @ image) / (vector @ vector)))


def _product(factor: Callable[[Tensor], Tensor]) -> Callable[[list[Tensor]], Tensor]:
    """The wrong answer that multiplies another number per layer, in double precision."""

    def formula(weights: list[Tensor]) -> Tensor:
        factors = torch.stack([factor(weight.double()) for weight in weights])
        return factors.prod().to(weights[0].dtype)

    return formula


def _norm(weight: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.matrix_norm(weight, ord=2)
    return norm


def _norms(weights: list[Tensor]) -> Tensor:
    return torch.stack([_norm(weight) for weight in weights])


def _norm_of_product(weights: list[Tensor]) -> Tensor:
    product = weights[0].double()
    for weight in weights[1:]:
        product = weight.double() @ product
    return _norm(product).to(weights[0].dtype)


MLP_LIPSCHITZ_BOUND = AnswerCheck(
    name="mlp_lipschitz_bound",
    points=2.0,
    meaning="the bound that follows from the spectral norms of the layers",
    hint="How much longer can one layer make the difference of two inputs, and what happens to "
    "that factor in the next layer?",
    build_cases=in_both_dtypes(_mlp_cases),
    misconceptions=(
        Misconception(
            "frobenius",
            "Frobenius norms, the root of the sum of all squared weights",
            "That is an upper bound, but a looser one. Look up what your library's `norm` of a "
            "matrix means by default.",
            _product(lambda weight: weight.square().sum().sqrt()),
        ),
        Misconception(
            "singular-value-squared",
            "largest eigenvalues of WᵀW in place of spectral norms",
            "Doubling W doubles its spectral norm. What does it do to WᵀW?",
            _product(lambda weight: _norm(weight) ** 2),
        ),
        Misconception(
            "sum-of-norms",
            "the spectral norms added up",
            "Two layers that each stretch by 3: by how much do they stretch together?",
            lambda weights: _norms(weights).sum(),
        ),
        Misconception(
            "largest-layer",
            "the largest of the spectral norms",
            "Every layer stretches what the one before it has stretched already.",
            lambda weights: _norms(weights).max(),
        ),
        Misconception(
            "norm-of-product",
            "the spectral norm of the product of all matrices",
            "That is the constant of the network without its ReLUs. A ReLU may pass one layer's "
            "stretch on and block what would have cancelled it.",
            _norm_of_product,
        ),
        Misconception(
            "smallest-singular-value",
            "the smallest singular values",
            "A bound must hold for the direction that is stretched most.",
            _product(lambda weight: torch.linalg.svdvals(weight)[-1]),
        ),
        Misconception(
            "row-sums",
            "the largest row sums, which bound the stretch in the maximum norm",
            "Lengths are Euclidean here, in every layer.",
            _product(lambda weight: weight.abs().sum(1).max()),
        ),
        Misconception(
            "column-sums",
            "the largest column sums, which bound the stretch in the 1-norm",
            "Lengths are Euclidean here, in every layer.",
            _product(lambda weight: weight.abs().sum(0).max()),
        ),
        Misconception(
            "largest-weight",
            "the largest weight of each layer",
            "Several inputs may move at once, and their contributions add up.",
            _product(lambda weight: weight.abs().max()),
        ),
        Misconception(
            "last-layer-left-out",
            "all layers but the last",
            "The last layer has no ReLU behind it, but it does stretch.",
            lambda weights: (
                _norms(weights[:-1]).prod()
                if len(weights) > 1
                else torch.ones((), dtype=weights[0].dtype)
            ),
        ),
    ),
)

# --- clipping_bound ---------------------------------------------------------------------------


def _clipping_cases() -> Iterator[Case]:
    kinds: dict[str, tuple[list[tuple[int, int]], float]] = {
        "typical values": ([(5, 2), (7, 5), (1, 7)], 0.1),
        "the critic of W-GAN's size": ([(512, 784), (512, 512), (1, 512)], 0.01),
        "two layers": ([(3, 4), (2, 3)], 0.5),
        "one layer": ([(6, 3)], 0.3),
        "one weight": ([(1, 1)], 0.7),
        "one output": ([(1, 9)], 0.2),
        "one input": ([(8, 1)], 0.2),
        "square layers": ([(4, 4)] * 3, 0.05),
        "width one": ([(1, 1)] * 4, 0.9),
        "c = 1": ([(3, 2), (5, 3)], 1.0),
        "c above one": ([(2, 3), (3, 2), (1, 3)], 2.5),
        "c = 1e-6": ([(3, 2), (1, 3)], 1e-6),
        "c = 1e3": ([(3, 2), (1, 3)], 1e3),
        "ten layers": ([(10, 10)] * 10, 0.01),
    }
    for label, (shapes, c) in kinds.items():
        exact = np.prod([wide(c) * np.sqrt(np.longdouble(out * inp)) for out, inp in shapes])
        # Relative errors of the factors add up. An answer may build each matrix of c's and have a
        # library find its norm, which adds up out·in squares. A float argument has float64's
        # precision.
        steps = sum(math.sqrt(out * inp) for out, inp in shapes)
        tolerance = rounding(torch.float64, exact * steps)
        expected = Number(float(exact), float(tolerance), torch.float64)
        yield Case(label, Call({"shapes": list(shapes), "c": c}), expected)


def _layers(
    factor: Callable[[int, int, float], float],
) -> Callable[[list[tuple[int, int]], float], float]:
    """The wrong answer that multiplies another number per layer."""
    return lambda shapes, c: math.prod(factor(out, inp, c) for out, inp in shapes)


CLIPPING_BOUND = AnswerCheck(
    name="clipping_bound",
    points=2.0,
    meaning="the bound that holds for every network of these shapes with weights in [−c, c]",
    hint="Which matrix with entries in [−c, c] stretches most, and by how much? Then go through "
    "the layers as in the previous answer.",
    build_cases=lambda: list(_clipping_cases()),
    misconceptions=(
        Misconception(
            "no-root",
            "c times the number of weights, for each layer",
            "Take a layer whose weights are all c, and feed it a vector of length 1.",
            _layers(lambda out, inp, c: c * out * inp),
        ),
        Misconception(
            "c-once",
            "c counted once instead of once per layer",
            "The weights of every layer are clipped.",
            lambda shapes, c: c * math.prod(math.sqrt(out * inp) for out, inp in shapes),
        ),
        Misconception(
            "c-only",
            "a bound that ignores how many weights a layer has",
            "A layer with many inputs adds up many contributions of at most c each.",
            _layers(lambda out, inp, c: c),
        ),
        Misconception(
            "inputs-only",
            "a single output per layer",
            "Every output contributes to the length of the result.",
            _layers(lambda out, inp, c: c * math.sqrt(inp)),
        ),
        Misconception(
            "outputs-only",
            "a single input per layer",
            "Each output adds up contributions of all inputs.",
            _layers(lambda out, inp, c: c * math.sqrt(out)),
        ),
        Misconception(
            "row-sum",
            "c times the number of inputs, which bounds the stretch in the maximum norm",
            "Lengths are Euclidean here.",
            _layers(lambda out, inp, c: c * inp),
        ),
        Misconception(
            "random-matrix",
            "c·(√out + √in), which is what random weights typically have",
            "The bound must hold for every network that clipping allows, also for an unlucky one.",
            _layers(lambda out, inp, c: c * (math.sqrt(out) + math.sqrt(inp))),
        ),
        Misconception(
            "sum-of-layers",
            "the layers' bounds added up",
            "Each layer stretches what the one before it has stretched already.",
            lambda shapes, c: sum(c * math.sqrt(out * inp) for out, inp in shapes),
        ),
        Misconception(
            "largest-layer",
            "the largest of the layers' bounds",
            "Each layer stretches what the one before it has stretched already.",
            lambda shapes, c: max(c * math.sqrt(out * inp) for out, inp in shapes),
        ),
        Misconception(
            "sum-of-sides",
            "out + in where the number of weights belongs",
            "How many weights does an (out, in) matrix have?",
            _layers(lambda out, inp, c: c * math.sqrt(out + inp)),
        ),
    ),
)
