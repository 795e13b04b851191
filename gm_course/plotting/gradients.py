"""Gradient estimates: moved samples, variances, bands of curves, and the simplex."""

import math
from collections.abc import Mapping, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from gm_course.errors import ShapeError
from gm_course.plotting.figures import COLOURS, MARKERS, new_figure

ARROW_STEP = 0.6
"""By how much μ or σ grows to move a sample from the tail of its arrow to the head."""


def reparameterised_samples(settings: Sequence[tuple[float, float]], noise: Tensor) -> Figure:
    """Draw samples z = μ + σε of fixed noise, with arrows for how μ and σ move each of them.

    Every ε has a row of its own, below the density of N(μ, σ²).

    Args:
        settings: Pairs of a mean μ and a standard deviation σ; one panel each.
        noise: The ε, shape (n,), in the order of the rows from the bottom.
    """
    figure, axes = new_figure(len(settings), size=(4.6, 3.7))
    epsilon = noise.detach().cpu().double()
    rows = torch.arange(len(epsilon), dtype=torch.float64)
    grid = torch.linspace(-7, 7, 400, dtype=torch.float64)
    base = len(epsilon) - 0.2  # where the density stands
    for axis, (mean, std) in zip(axes, settings, strict=True):
        density = torch.exp(-0.5 * ((grid - mean) / std).square()) / (std * math.sqrt(2 * math.pi))
        axis.fill_between(grid, base, base + 2.5 * density, color=COLOURS[6], alpha=0.6)
        axis.plot([mean, mean], [-0.7, base], color="black", linewidth=0.8, linestyle=":")
        z = mean + std * epsilon
        _arrows(axis, z, rows + 0.2, torch.ones_like(z), COLOURS[0], "$dz/d\\mu=1$")
        _arrows(axis, z, rows - 0.2, epsilon, COLOURS[1], "$dz/d\\sigma=\\varepsilon$")
        axis.plot(z, rows, "o", color="black", markersize=5)
        axis.set(
            title=f"$\\mu={mean:.1f}$, $\\sigma={std:.1f}$", xlabel="$z=\\mu+\\sigma\\varepsilon$",
            xlim=(-7, 7), ylim=(-0.7, base + 2.2),
        )  # fmt: skip
        axis.set_yticks(rows.tolist(), [f"{value:.1f}" for value in epsilon.tolist()])
    axes[0].set_ylabel("$\\varepsilon$ of each sample")
    axes[0].legend(loc="upper left", fontsize=9)
    return figure


def exact_and_measured(
    axis: Axes,
    grid: Tensor,
    exact: Mapping[str, Tensor],
    points: Tensor,
    measured: Mapping[str, Tensor],
) -> None:
    """Draw exact curves as lines and measured values of the same names as markers on them.

    Args:
        axis: Where to draw; scales, labels and legend are the caller's.
        grid: Arguments of the curves, shape (n,).
        exact: Curves by name, shape (n,) each.
        points: Arguments of the measurements, shape (m,).
        measured: Measurements by name, shape (m,) each; a name may be missing.
    """
    for (name, curve), colour, marker in zip(exact.items(), COLOURS, MARKERS, strict=False):
        axis.plot(grid.cpu(), curve.cpu(), color=colour, label=name)
        if name in measured:
            axis.plot(points.cpu(), measured[name].cpu(), marker, color=colour, markersize=5)


def loss_bands(curves: Mapping[str, Tensor], *, ylabel: str) -> Figure:
    """Draw the median over repetitions of each curve, in a band from smallest to largest.

    Args:
        curves: Values by name, shape (repetitions, iterations) each, positive.
        ylabel: What they are, with the unit.
    """
    figure, (axis,) = new_figure(size=(6.0, 3.5))
    for (name, values), colour in zip(curves.items(), COLOURS, strict=False):
        rows = values.detach().cpu()
        steps = torch.arange(rows.shape[1])
        axis.fill_between(
            steps, rows.amin(dim=0), rows.amax(dim=0), color=colour, alpha=0.25, linewidth=0
        )
        axis.semilogy(steps, rows.median(dim=0).values, color=colour, label=name)
    axis.set(xlabel="iteration", ylabel=ylabel)
    axis.legend()
    return figure


def simplex_samples(panels: Mapping[str, Tensor]) -> Figure:
    """Draw points of the simplex of three categories, coloured by their largest entry.

    Args:
        panels: Points by title, shape (n, 3) each, rows summing to 1.

    Raises:
        ShapeError: If points do not have three entries.
    """
    corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, math.sqrt(0.75)]], dtype=torch.float64)
    figure, axes = new_figure(len(panels), size=(3.0, 3.1))
    for axis, (title, points) in zip(axes, panels.items(), strict=True):
        if points.ndim != 2 or points.shape[1] != 3:
            raise ShapeError(
                f"simplex_samples: points must have shape (n, 3); got {tuple(points.shape)}. "
                "A triangle shows exactly three categories."
            )
        weights = points.detach().cpu().double()
        places, largest = weights @ corners, weights.argmax(dim=1)
        outline = corners[[0, 1, 2, 0]]
        axis.plot(outline[:, 0], outline[:, 1], color="black", linewidth=1)
        for category, (colour, marker) in enumerate(zip(COLOURS[:3], MARKERS[:3], strict=True)):
            members = places[largest == category]
            axis.plot(
                members[:, 0], members[:, 1], marker, color=colour, markersize=4, alpha=0.5,
                markeredgewidth=0, clip_on=False,
            )  # fmt: skip
            x, y = torch.lerp(corners.mean(dim=0), corners[category], 1.13).tolist()
            axis.text(
                x, y, f"{category + 1}", ha="center", va="center", color=colour, fontsize=12,
                weight="bold",
            )  # fmt: skip
        axis.set(title=title, aspect="equal", xlim=(-0.12, 1.12), ylim=(-0.12, 1.04))
        axis.axis("off")
    return figure


def _arrows(axis: Axes, z: Tensor, rows: Tensor, slope: Tensor, colour: str, label: str) -> None:
    axis.quiver(
        z, rows, ARROW_STEP * slope, torch.zeros_like(z), color=colour, label=label,
        angles="xy", scale_units="xy", scale=1, width=0.008, headwidth=4, headlength=4,
        headaxislength=3.6,
    )  # fmt: skip
