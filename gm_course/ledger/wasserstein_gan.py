"""The equations of lecture 9: the Wasserstein distance, its dual, and what a critic needs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from gm_course.gan import ScoreNetwork, clip_weights, critic_loss, gan_value, saturating_loss
from gm_course.ledger.equation import Equation
from gm_course.metrics import empirical_lipschitz, gradient_norms
from gm_course.wasserstein import kantorovich_potential, transport_plan, wasserstein1_1d

SECTION, NOTEBOOK = "13.3.6", "09-wasserstein-gan"

# A linear programme's vertex is the solution of a small linear system with entries 0 and ±1: a few
# units in the last place of numbers around 1, so 1e-9 leaves six orders of magnitude.
PROGRAMME = 1e-9
# Sums of at most a few thousand products of numbers around 1 in float64.
ROUNDING = 1e-12

Case = tuple[Tensor, Tensor, Tensor, Tensor]  # x (n, D), y (m, D) and their weights p, q


def _points(seed: int, n: int, dim: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, dim, generator=generator, dtype=torch.float64)


def _weights(seed: int, n: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    weights = torch.rand(n, generator=generator, dtype=torch.float64) + 0.1
    return weights / weights.sum()


def _costs(x: Tensor, y: Tensor) -> Tensor:
    costs: Tensor = (x[:, None] - y).norm(dim=2)
    return costs


def _on_a_line() -> Iterator[Case]:
    """Weighted points, for which W is the area between distribution functions."""
    for seed, (n, m) in enumerate([(1, 4), (6, 6), (9, 5)]):
        x, y = _points(2 * seed, n, 1), _points(2 * seed + 1, m, 1) + 0.5
        yield x, y, _weights(seed, n), _weights(seed + 10, m)


def _few_in_space() -> Iterator[Case]:
    """Five points a side with equal weights, for which all pairings can be tried."""
    equal = torch.full((5,), 0.2, dtype=torch.float64)
    for dim in (2, 3):
        yield _points(20 + dim, 5, dim), _points(30 + dim, 5, dim), equal, equal


def _area(case: Case) -> float:
    x, y, p, q = case
    return float(wasserstein1_1d(x[:, 0], y[:, 0], x_weights=p, y_weights=q))


def _best_pairing(case: Case) -> float:
    costs = _costs(case[0], case[1])
    orders = itertools.permutations(range(len(costs)))
    return min(float(costs[range(len(costs)), order].mean()) for order in orders)


def _cases_with_distance() -> Iterator[tuple[Case, float]]:
    for case in _on_a_line():
        yield case, _area(case)
    for case in _few_in_space():
        yield case, _best_pairing(case)


# --- wasserstein-primal: a formula returns a plan γ, (n, m) -------------------------------------


def _cheapest_plan(x: Tensor, y: Tensor, p: Tensor, q: Tensor) -> Tensor:
    return transport_plan(x, y, x_weights=p, y_weights=q).plan


def _primal_error(formula: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> float:
    worst = 0.0
    for case, distance in _cases_with_distance():
        x, y, p, q = case
        plan = formula(*case)
        rows, columns = plan.sum(dim=1) - p, plan.sum(dim=0) - q
        off = abs(float((plan * _costs(x, y)).sum()) - distance)
        worst = max(worst, off, float(rows.abs().max()), float(columns.abs().max()))
    return worst


def _to_the_nearest(x: Tensor, y: Tensor, p: Tensor, q: Tensor) -> Tensor:
    plan = torch.zeros(len(p), len(q), dtype=p.dtype)
    plan[range(len(p)), _costs(x, y).argmin(dim=1)] = p
    return plan


# --- wasserstein-disjoint: a formula returns (W, JS, KL) for segments at distance θ ---------------


def _parallel_segments(theta: float) -> tuple[float, float, float]:
    return (abs(theta), math.log(2), math.inf) if theta else (0.0, 0.0, 0.0)


def _disjoint_error(formula: Callable[[float], tuple[float, float, float]]) -> float:
    heights = torch.linspace(0, 1, 12, dtype=torch.float64)
    worst = 0.0
    for theta in (-2.0, -0.3, 0.0, 0.01, 1.0, 4.0):  # 0.01 is closer than neighbours on a segment
        real = torch.stack([torch.zeros_like(heights), heights], dim=1)
        fake = torch.stack([torch.full_like(heights, theta), heights], dim=1)
        weights = torch.full((12,), 1 / 12, dtype=torch.float64)
        distance = transport_plan(real, fake, x_weights=weights, y_weights=weights).distance
        js, kl = _js_and_kl(real, fake)
        w_off = abs(formula(theta)[0] - float(distance))
        js_off = abs(formula(theta)[1] - js)
        kl_off = abs(math.exp(-formula(theta)[2]) - math.exp(-kl))  # e^{−∞} = 0 can be compared
        worst = max(worst, w_off, js_off, kl_off)
    return worst


def _js_and_kl(real: Tensor, fake: Tensor) -> tuple[float, float]:
    """Sum over the union of both supports, point by point."""
    support = torch.cat([real, fake]).unique(dim=0)
    p, q = ((points[:, None] == support).all(dim=2).double().mean(dim=0) for points in (real, fake))
    middle = (p + q) / 2

    def kl(a: Tensor, b: Tensor) -> float:
        held = a > 0
        return float((a[held] * (a[held] / b[held]).log()).sum())

    return (kl(p, middle) + kl(q, middle)) / 2, kl(p, q)


# --- kantorovich-rubinstein and k-lipschitz-scaling: a formula returns a number -------------------


def _largest_difference(x: Tensor, y: Tensor, p: Tensor, q: Tensor) -> float:
    return float(kantorovich_potential(x, y, x_weights=p, y_weights=q).difference)


def _dual_error(formula: Callable[[Tensor, Tensor, Tensor, Tensor], float]) -> float:
    pairs = [(formula(*case), distance) for case, distance in _cases_with_distance()]
    for seed, dim in ((50, 2), (51, 3)):  # against the primal programme
        x, y = _points(seed, 8, dim), _points(seed + 5, 6, dim) + 0.5
        p, q = _weights(seed, 8), _weights(seed + 5, 6)
        primal = transport_plan(x, y, x_weights=p, y_weights=q).distance
        pairs.append((formula(x, y, p, q), float(primal)))
    return max(abs(value - distance) for value, distance in pairs)


def _over_linear_functions(x: Tensor, y: Tensor, p: Tensor, q: Tensor) -> float:
    return float((p @ x - q @ y).norm())  # sup over ‖a‖ ≤ 1 of ⟨a, difference of the means⟩


def _over_bounded_functions(_x: Tensor, _y: Tensor, p: Tensor, q: Tensor) -> float:
    return float(p.sum() + q.sum())  # f = 1 on x and −1 on y, whatever their distance


def _scaling_error(formula: Callable[[float, float], float]) -> float:
    worst = 0.0
    for case, distance in _cases_with_distance():
        x, y, p, q = case
        for k in (0.3, 1.0, 2.5, 10.0):
            found = kantorovich_potential(x, y, x_weights=p, y_weights=q, lipschitz=k).difference
            worst = max(worst, abs(formula(k, distance) / float(found) - 1))
    return worst


# --- lipschitz-norm: a formula takes values (N,) and points (N, D) --------------------------------


def _lipschitz_error(formula: Callable[[Tensor, Tensor], Tensor]) -> float:
    h = 0.01
    line = torch.arange(-1, 1 + h / 2, h, dtype=torch.float64)[:, None]
    side = torch.arange(-2, 3, dtype=torch.float64)
    plane = torch.cartesian_prod(side, side)  # holds pairs in the direction (3, 4)
    slope = torch.tensor([3.0, 4.0], dtype=torch.float64)
    # Chords of length h approach the supremum: 2 − h for x² and sin(h)/h for the sine.
    known: list[tuple[Tensor, Tensor, float]] = [
        (line[:, 0].square(), line, 2 - h),
        (line[:, 0].abs(), line, 1.0),
        (-3 * line[:, 0] - 7, line, 3.0),
        (line[:, 0].sin(), line, math.sin(h) / h),
        (plane @ slope, plane, 5.0),
        (plane.norm(dim=1), plane, 1.0),
        (torch.full((25,), 4.0, dtype=torch.float64), plane, 0.0),
    ]
    return max(abs(float(formula(values, points)) - norm) for values, points, norm in known)


def _along_axes(values: Tensor, points: Tensor) -> Tensor:
    """Divide by the largest coordinate difference instead of the Euclidean distance."""
    steps = (points[:, None] - points).abs().amax(dim=2)
    rises = (values[:, None] - values).abs()
    return (rises[steps > 0] / steps[steps > 0]).max()


# --- critic-objective: a formula takes scores on real and on generated examples -------------------


def _critic_objective(real: Tensor, fake: Tensor) -> Tensor:
    return -critic_loss(real, fake)


def _critic_objective_error(formula: Callable[[Tensor, Tensor], Tensor]) -> float:
    """Expectations over dice by enumeration; homogeneous, so unbounded; no gradient fades."""
    worst = 0.0
    dice = torch.arange(1, 7, dtype=torch.float64)
    for scale in (1.0, 1e3):
        for square, linear in ((1.0, 0.0), (0.5, -3.0)):
            real = (scale * (square * dice.square() + linear * dice)).requires_grad_()
            fake = (scale * linear * dice[:4]).requires_grad_()
            # E x² = 91/6 and E x = 7/2 of a die; E x = 5/2 of a die with four faces.
            exact = scale * (square * 91 / 6 + linear * 7 / 2 - linear * 5 / 2)
            value = formula(real, fake)
            up, down = torch.autograd.grad(value, (real, fake))
            slopes = max(float((up - 1 / 6).abs().max()), float((down + 1 / 4).abs().max()))
            worst = max(worst, abs(value.item() - exact) / scale, slopes)
    return worst


# --- clipping-bounds-lipschitz: a formula takes the layers' (in, out) and c ----------------------


def _clipping_bound(shapes: list[tuple[int, int]], limit: float) -> float:
    return math.prod(limit * math.sqrt(width_in * width_out) for width_in, width_out in shapes)


def _clipping_error(formula: Callable[[list[tuple[int, int]], float], float]) -> float:
    """Relative: how far a clipped critic exceeds the bound, or the steepest one misses it."""
    worst = 0.0
    for hidden, limit in (((7,), 0.01), ((16, 16), 0.05), ((5, 9, 4), 1.0)):
        widths = (3, *hidden, 1)
        bound = formula(list(itertools.pairwise(widths)), limit)
        for scale in (0.0, 0.1, 1.0, 10.0):  # of weights before clipping; 0: all of them at c
            critic = _random_critic(hidden, scale=scale, steepest=limit)
            clip_weights(critic, limit)
            steepness = float(gradient_norms(critic, _points(70, 200, 3)).max())
            worst = max(worst, steepness / bound - 1)
            if scale == 0:
                worst = max(worst, 1 - steepness / bound)
    return worst


def _random_critic(hidden: tuple[int, ...], *, scale: float, steepest: float) -> ScoreNetwork:
    generator = torch.Generator().manual_seed(71)
    with torch.random.fork_rng(devices=[]):  # overwritten below
        critic = ScoreNetwork(3, hidden=hidden).double()
    with torch.no_grad():
        for parameter in critic.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.copy_(scale * noise if scale else torch.full_like(noise, steepest))
    return critic


# --- critic-gradient-alive: a formula returns the generator's gradient ∂L/∂θ ----------------------


def _critic_gradient(real: Tensor, noise: Tensor, theta: Tensor) -> Tensor:
    """Through the best critic: f(y) = max_i f_i − ‖y − x_i‖ goes through its values f_i at x."""
    fake = _generate(noise, theta)
    at_real = kantorovich_potential(real, fake.detach()).on_x
    scores = (at_real - _costs(fake, real)).max(dim=1).values
    return torch.autograd.grad(-scores.mean(), theta)[0]


def _generate(noise: Tensor, theta: Tensor) -> Tensor:
    return torch.stack([theta.expand_as(noise), noise], dim=1)  # G_θ(z) = (θ, z)


def _alive_error(formula: Callable[[Tensor, Tensor, Tensor], Tensor]) -> float:
    """Deviation from the slope of W, and that of JS from 0; infinite if a gradient is 0."""
    step = 1e-4
    worst = 0.0
    for at in (-1.5, -0.2, 0.4, 3.0):
        noise = torch.linspace(0, 1, 9, dtype=torch.float64)
        real = torch.stack([torch.zeros_like(noise), noise], dim=1)
        theta = torch.tensor(at, dtype=torch.float64, requires_grad=True)
        nearby = [_generate(noise, theta.detach() + sign * step) for sign in (1, -1)]
        slope_w, slope_js = (
            (values[0] - values[1]) / (2 * step)
            for values in (
                [float(transport_plan(real, fake).distance) for fake in nearby],
                [_js_and_kl(real, fake)[0] for fake in nearby],
            )
        )
        gradient = float(formula(real, noise, theta))
        if gradient == 0:
            return math.inf
        worst = max(worst, abs(gradient - slope_w), abs(slope_js))
    return worst


def _discriminator_gradient(real: Tensor, noise: Tensor, theta: Tensor) -> Tensor:
    """Through a discriminator whose logit is 50 near real samples and −50 elsewhere."""
    fake = _generate(noise, theta)
    halfway = theta.detach().abs() / 2
    logits = (1e4 * (halfway - _costs(fake, real).amin(dim=1))).clamp(-50, 50)
    return torch.autograd.grad(saturating_loss(logits), theta)[0]


EQUATIONS = (
    Equation(
        "wasserstein-primal", SECTION, NOTEBOOK,
        oracle="all pairings tried; area between distribution functions",
        measure="error of the cost and of the marginals",
        tolerance=PROGRAMME,
        formula=_cheapest_plan,
        error=_primal_error,
        killers={
            "the independent coupling": lambda _x, _y, p, q: torch.outer(p, q),
            "everything to the nearest target": _to_the_nearest,
        },
    ),
    Equation(
        "wasserstein-disjoint", SECTION, NOTEBOOK,
        oracle="linear programme; sums over the union of the supports",
        measure="error of W, JS and exp(−KL)",
        tolerance=PROGRAMME,
        formula=_parallel_segments,
        error=_disjoint_error,
        killers={
            "W = θ²": lambda theta: (theta**2, *_parallel_segments(theta)[1:]),
            "JS = 2 log 2": lambda theta: (abs(theta), 2 * _parallel_segments(theta)[1], math.inf),
            "KL finite": lambda theta: (*_parallel_segments(theta)[:2], abs(theta)),
        },
    ),
    Equation(
        "kantorovich-rubinstein", SECTION, NOTEBOOK,
        oracle="primal programme; all pairings tried; area between distribution functions",
        measure="difference of dual and primal",
        tolerance=PROGRAMME,
        formula=_largest_difference,
        error=_dual_error,
        killers={
            "linear functions only": _over_linear_functions,
            "bounded functions in place of Lipschitz ones": _over_bounded_functions,
        },
    ),
    Equation(
        "k-lipschitz-scaling", SECTION, NOTEBOOK,
        oracle="linear programme with slopes up to K",
        measure="relative error",
        tolerance=PROGRAMME,
        formula=lambda k, distance: k * distance,
        error=_scaling_error,
        killers={
            "W whatever K": lambda _k, distance: distance,
            "W/K": lambda k, distance: distance / k,
        },
    ),
    Equation(
        "lipschitz-norm", SECTION, NOTEBOOK,
        oracle="closed forms",
        measure="error",
        # Differences of numbers around 5, rounded, over the grid's spacing of 0.01.
        tolerance=1e-11,
        formula=empirical_lipschitz,
        error=_lipschitz_error,
        killers={
            "largest coordinate difference as the distance": _along_axes,
            "largest rise, not divided": lambda values, _points: values.max() - values.min(),
        },
    ),
    Equation(
        "critic-objective", SECTION, NOTEBOOK,
        oracle="enumeration of dice",
        measure="error of value and gradient",
        tolerance=ROUNDING,
        formula=_critic_objective,
        error=_critic_objective_error,
        killers={
            "sign flipped": critic_loss,
            "scores through a sigmoid": lambda r, f: r.sigmoid().mean() - f.sigmoid().mean(),
            "logarithms kept": gan_value,
        },
    ),
    Equation(
        "clipping-bounds-lipschitz", SECTION, NOTEBOOK,
        oracle="autograd through clipped critics, the steepest one included",
        measure="relative excess over the bound, or gap at the steepest",
        tolerance=ROUNDING,
        formula=_clipping_bound,
        error=_clipping_error,
        killers={
            "widths forgotten": lambda shapes, c: c ** len(shapes),
            "larger width in place of √(in·out)": lambda shapes, c: math.prod(
                c * max(shape) for shape in shapes
            ),
        },
    ),
    Equation(
        "critic-gradient-alive", SECTION, NOTEBOOK,
        oracle="finite differences of W and of JS",
        measure="deviation from the slope of W, and of the slope of JS from 0",
        # W is linear in θ here: only rounding of W by 1e-15, divided by the step 2e-4.
        tolerance=1e-9,
        formula=_critic_gradient,
        error=_alive_error,
        killers={
            "discriminator in place of the critic": _discriminator_gradient,
            "sign of the generator's loss flipped": lambda *inputs: -_critic_gradient(*inputs),
        },
    ),
)  # fmt: skip
