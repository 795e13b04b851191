"""Divergences of two densities that move apart, Gaussian fits, and samples during training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor

from gm_course.errors import ShapeError
from gm_course.plotting.figures import COLOURS, new_figure, use_few_ticks

_DASHES = ("-", "--", "-.", ":")
_CURVE_COLOURS = (COLOURS[1], COLOURS[2], COLOURS[3], COLOURS[5])


@dataclass(frozen=True)
class Separation:
    """A pair of densities at one separation, and how divergences depend on the separation.

    Attributes:
        title: What the densities are.
        x: Where the densities are given, shape (n,).
        real: Density of the data, shape (n,).
        model: Density of the model at this separation, shape (n,).
        theta: The separation shown.
        thetas: Separations of the curves, shape (m,).
        divergences: Curves by name, each of shape (m,); what is not finite is not drawn.
        slopes: Their derivatives with respect to the separation, by the same names.
    """

    title: str
    x: Tensor
    real: Tensor
    model: Tensor
    theta: float
    thetas: Tensor
    divergences: Mapping[str, Tensor]
    slopes: Mapping[str, Tensor]


def separation_panels(cases: Sequence[Separation]) -> Figure:
    """Draw each case in a row: both densities, the divergences, and their derivatives.

    A vertical line marks the separation shown. The curves' ranges are those of the values up to 3,
    so that a divergence that grows without bound leaves the panel.
    """
    figure, axes = new_figure(3, rows=len(cases), size=(3.5, 2.7))
    for row, case in enumerate(cases):
        densities, values, slopes = axes[3 * row : 3 * row + 3]
        for density, colour, name in (
            (case.real, COLOURS[0], "data $p_r$"), (case.model, COLOURS[1], "model $p_θ$"),
        ):  # fmt: skip
            densities.fill_between(
                case.x, density, step="mid", color=colour, alpha=0.45, linewidth=0, label=name
            )
        top = 1.45 * float(case.real.max())
        densities.set(title=case.title, xlabel="x", ylabel="density", ylim=(0, top))
        densities.legend(loc="upper left", ncols=2, frameon=False)
        for axis, curves in ((values, case.divergences), (slopes, case.slopes)):
            for (name, curve), colour, dash in zip(
                curves.items(), _CURVE_COLOURS, _DASHES, strict=False
            ):
                label = name.replace("p_r", "$p_r$").replace("p_θ", "$p_θ$")
                axis.plot(case.thetas, curve, dash, color=colour, linewidth=2, label=label)
            axis.axvline(case.theta, color="black", linewidth=1)
            axis.set_xlabel("separation θ")
        values.set(title="divergences", ylabel="nats (W: units of x)", ylim=(-0.1, 3.1))
        slopes.set(title="slopes, d/dθ", ylabel="per unit of x", ylim=(-3.1, 3.1))
        slopes.legend(loc="lower right", fontsize=8)
        use_few_ticks(densities, values, slopes)
    return figure


def gaussian_fits(
    grid: Tensor,
    density: Tensor,
    fits: Mapping[str, tuple[Tensor, Tensor]],
    *,
    limit: float = 5,
) -> Figure:
    """Draw the contours of a density in the plane and, in a panel each, a Gaussian fitted to it.

    Args:
        grid: Coordinates along both axes, shape (n,).
        density: Values on the grid, shape (n, n); rows belong to the second coordinate.
        fits: Mean (2,) and covariance (2, 2) by title. Ellipses at 1 and 2 standard deviations.
        limit: Largest coordinate shown.

    Raises:
        ShapeError: If the density does not fit the grid.
    """
    if density.shape != (len(grid), len(grid)):
        raise ShapeError(
            f"gaussian_fits: density must have shape ({len(grid)}, {len(grid)}), as the grid; got "
            f"{tuple(density.shape)}. Reshape it, the second coordinate along the rows."
        )
    figure, axes = new_figure(len(fits), size=(3.2, 3.3))
    angle = torch.linspace(0, 2 * torch.pi, 200, dtype=grid.dtype)
    circle = torch.stack([angle.cos(), angle.sin()])  # (2, 200)
    for axis, (title, (mean, cov)) in zip(axes, fits.items(), strict=True):
        axis.contour(grid, grid, density, levels=8, colors=COLOURS[0], linewidths=1)
        root = torch.linalg.cholesky(cov)
        for radius in (1, 2):
            x, y = mean[:, None] + radius * root @ circle
            axis.plot(x, y, color=COLOURS[1], linewidth=2, linestyle=_DASHES[radius - 1])
        axis.plot(*mean.tolist(), marker="x", color=COLOURS[1], markersize=8)
        axis.set(title=title, xlabel="$x_1$", aspect="equal")
        axis.set(xlim=(-limit, limit), ylim=(-limit, limit))
    axes[0].set_ylabel("$x_2$")
    return figure


def sample_snapshots(
    rows: Mapping[str, Tensor], centres: Tensor, *, times: Sequence[int], limit: float = 3.5
) -> Figure:
    """Draw samples during training: a row for each run, a column for each time.

    Args:
        rows: Samples by the run's name, each of shape (times, n, 2).
        centres: The modes of the data, shape (K, 2).
        times: The iteration of each column.
        limit: Largest coordinate shown.

    Raises:
        ShapeError: If a run has another number of times.
    """
    for name, snapshots in rows.items():
        if len(snapshots) != len(times):
            raise ShapeError(
                f"sample_snapshots: {name!r} must have {len(times)} snapshots, one per time; got "
                f"shape {tuple(snapshots.shape)}. Select the same times from every run."
            )
    figure, axes = new_figure(len(times), rows=len(rows), size=(1.55, 1.65))
    x_centres, y_centres = centres.detach().cpu().T
    for row, (name, snapshots) in enumerate(rows.items()):
        for column, (time, samples) in enumerate(zip(times, snapshots, strict=True)):
            axis = axes[row * len(times) + column]
            x, y = samples.detach().cpu().T
            axis.scatter(x_centres, y_centres, color=COLOURS[0], marker="o", s=30, alpha=0.5)
            axis.scatter(x, y, color=COLOURS[1], s=2, linewidths=0)
            axis.set(xlim=(-limit, limit), ylim=(-limit, limit), xticks=[], yticks=[])
            axis.set_aspect("equal")
            if row == 0:
                axis.set_title(f"iteration {time}", fontsize=9)
        axes[row * len(times)].set_ylabel(name, fontsize=9)
    return figure
