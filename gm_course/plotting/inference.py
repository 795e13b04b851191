"""Pictures of inference: positive maps, posteriors with their Gaussians, and ascent of the ELBO."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from torch import Tensor

from gm_course.errors import ArgumentError, ShapeError
from gm_course.plotting.figures import COLOURS, MARKERS, new_figure

DASHES = ("-", "--", "-.", ":")
ELLIPSE_STDS = 2.0
"""Half axes of a drawn Gaussian in standard deviations; in the plane it holds 86 % of its mass."""
GRID_STDS = 3.5
"""How far a view's grid reaches beyond the means, in the largest standard deviation."""
GRID_POINTS = 81
"""Grid points of a view along each side."""


def function_panels(
    x: Tensor, panels: Mapping[str, Mapping[str, Tensor]], *, xlabel: str
) -> Figure:
    """Draw several functions of one variable, a panel for each group.

    Args:
        x: Where the functions were evaluated, shape (n,).
        panels: By panel title the values by function name, each of shape (n,). A function has
            the same place, and so the same colour and dash, in every panel.
        xlabel: The variable.
    """
    figure, axes = new_figure(len(panels), size=(3.4, 3.0))
    for axis, (title, functions) in zip(axes, panels.items(), strict=True):
        for (name, values), colour, dash in zip(
            functions.items(), COLOURS, (*DASHES, *DASHES), strict=False
        ):
            axis.plot(x.cpu(), values.detach().cpu(), dash, color=colour, label=name)
        axis.set(title=title, xlabel=xlabel)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names))
    return figure


@dataclass(frozen=True, eq=False)
class PosteriorView:
    """A posterior on a grid of the plane, with the Gaussians that approximate it.

    Attributes:
        title: What is shown.
        image: The example x as a picture, shape (height, width), values in [0, 1].
        density: p(z|x) up to a factor, shape (rows, columns); rows along z₂, columns along z₁,
            both ascending.
        extent: Smallest and largest z₁ and z₂ of the grid: (z₁, z₁, z₂, z₂).
        gaussians: Mean (2,) and variance (2,) by name.
    """

    title: str
    image: Tensor
    density: Tensor
    extent: tuple[float, float, float, float]
    gaussians: Mapping[str, tuple[Tensor, Tensor]]


def posterior_view(
    title: str,
    image: Tensor,
    log_joint: Callable[[Tensor], Tensor],
    gaussians: Mapping[str, tuple[Tensor, Tensor]],
) -> PosteriorView:
    """Return the view of a posterior on a square grid that holds all of its Gaussians.

    Args:
        title: What is shown.
        image: The example x as a picture, shape (height, width).
        log_joint: log p(x, z) up to a constant, for points z of shape (n, 2); returns shape (n,).
        gaussians: Mean (2,) and variance (2,) by name; the grid lies on their device.

    Raises:
        ArgumentError: If there is no Gaussian.
    """
    if not gaussians:
        raise ArgumentError(
            "posterior_view: gaussians must have at least one entry; got none. They decide what "
            "part of the plane is shown."
        )
    means = torch.stack([mean for mean, _ in gaussians.values()])
    stds = torch.stack([var.sqrt() for _, var in gaussians.values()])
    centre = means.mean(dim=0)
    reach = GRID_STDS * stds.max() + (means - centre).abs().max()  # half the side of the square
    offsets = torch.linspace(-1, 1, GRID_POINTS, device=means.device, dtype=means.dtype) * reach
    rows, columns = torch.meshgrid(centre[1] + offsets, centre[0] + offsets, indexing="ij")
    heights = log_joint(torch.stack([columns, rows], dim=-1).reshape(-1, 2))
    (left, bottom), (right, top) = (centre - reach).tolist(), (centre + reach).tolist()
    return PosteriorView(
        title=title,
        image=image,
        density=(heights - heights.max()).exp().reshape(GRID_POINTS, GRID_POINTS),
        extent=(left, right, bottom, top),
        gaussians=gaussians,
    )


def posterior_views(views: Sequence[PosteriorView]) -> Figure:
    """Draw posteriors as grey clouds, and each Gaussian as the ellipse of two standard deviations.

    The black line encloses as much of the posterior's mass as an ellipse does of its Gaussian's:
    where q is the posterior, line and ellipse coincide.

    Args:
        views: One or more; each becomes a column, the picture of x above the plane. A single one
            is drawn larger, with the picture beside the plane.

    Raises:
        ArgumentError: If there is no view.
        ShapeError: If a density is not a matrix.

    Source:
        Chapter 13.2.2, the inference network; the posterior is that of 13.2.1.
    """
    if not views:
        raise ArgumentError("posterior_views: views must have at least one entry; got none.")
    if len(views) == 1:
        figure, (picture, plane) = new_figure(2, size=(3.7, 3.7))
        _draw_image(picture, views[0])
        _draw_posterior(plane, views[0])
        plane.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0))
        return figure
    figure, axes = new_figure(len(views), rows=2, size=(2.7, 2.5))
    for picture, view in zip(axes[: len(views)], views, strict=True):
        _draw_image(picture, view)
    for plane, view in zip(axes[len(views) :], views, strict=True):
        _draw_posterior(plane, view)
    handles, names = axes[-1].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names))
    return figure


def ascent_paths(
    x: Tensor,
    y: Tensor,
    objective: Tensor,
    paths: Mapping[str, Tensor],
    *,
    xlabel: str,
    ylabel: str,
    levels: Sequence[float],
) -> Figure:
    """Draw the contours of an objective of two parameters, and paths that climb it.

    Args:
        x: First parameter, shape (n,).
        y: Second parameter, shape (m,).
        objective: Shape (m, n): rows along y.
        paths: Points (steps, 2) by name, the start first.
        xlabel: Name of the first parameter.
        ylabel: Name of the second.
        levels: Heights of the contours, ascending.

    Raises:
        ShapeError: If the objective does not fit the parameters.
    """
    if objective.shape != (len(y), len(x)):
        raise ShapeError(
            f"ascent_paths: objective must have shape ({len(y)}, {len(x)}), one row per value of "
            f"y; got {tuple(objective.shape)}. Transpose it if the parameters are swapped."
        )
    figure, (axis,) = new_figure(size=(5.4, 3.9))
    axis.contour(
        x, y, objective, levels=list(levels), colors="#BBBBBB", linewidths=0.8, linestyles="solid"
    )
    for (name, path), colour, marker in zip(paths.items(), COLOURS, MARKERS, strict=False):
        axis.plot(
            path[:, 0], path[:, 1], "-", color=colour, marker=marker, markersize=4, label=name
        )
    start = next(iter(paths.values()))[0]
    axis.plot(*start.tolist(), "k*", markersize=12, linestyle="none", label="start")
    axis.set(
        xlabel=xlabel, ylabel=ylabel, xlim=(float(x[0]), float(x[-1])),
        ylim=(float(y[0]), float(y[-1])),
    )  # fmt: skip
    axis.grid(visible=False)
    axis.legend(loc="lower right")
    return figure


def mass_level(density: Tensor, share: float) -> float:
    """Return the height above which a gridded density has the given share of its mass.

    Args:
        density: Values on an even grid, at least 0, any shape.
        share: Between 0 and 1.

    Raises:
        ArgumentError: If the share is not between 0 and 1.

    Example:
        >>> mass_level(torch.tensor([1.0, 5.0, 4.0]), share=0.8)
        4.0
    """
    if not 0 < share < 1:
        raise ArgumentError(f"mass_level: share must be between 0 and 1; got {share!r}.")
    heights = density.double().flatten().sort(descending=True).values
    cumulative = heights.cumsum(0) / heights.sum()
    return float(heights[int((cumulative < share).sum())])


def _draw_image(axis: Axes, view: PosteriorView) -> None:
    axis.imshow(view.image.cpu().numpy(), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    axis.set(title=view.title, xticks=[], yticks=[])
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)


def _draw_posterior(axis: Axes, view: PosteriorView) -> None:
    if view.density.ndim != 2:
        raise ShapeError(
            "posterior_views: density must have shape (rows, columns); got "
            f"{tuple(view.density.shape)}. Reshape it to the grid it was computed on."
        )
    density = view.density.cpu()
    left, right, bottom, top = view.extent
    z1, z2 = (
        torch.linspace(left, right, density.shape[1]),
        torch.linspace(bottom, top, len(density)),
    )
    axis.imshow(
        density.numpy(), cmap="Greys", origin="lower", extent=view.extent, aspect="equal",
        vmax=1.6 * float(density.max()), interpolation="bilinear",
    )  # fmt: skip
    # An ellipse of r standard deviations in the plane holds 1 − exp(−r²/2) of the mass.
    share = 1 - math.exp(-(ELLIPSE_STDS**2) / 2)
    axis.contour(
        z1, z2, density, levels=[mass_level(density, share)], colors="black", linewidths=1.2
    )
    axis.plot([], [], color="black", linewidth=1.2, label="exact posterior")
    for (name, (mean, var)), colour, dash in zip(
        view.gaussians.items(), COLOURS, ("--", "-", "-.", ":"), strict=False
    ):
        width, height = (2 * ELLIPSE_STDS * var.sqrt()).tolist()
        axis.add_patch(
            Ellipse(
                tuple(mean.tolist()), width, height, fill=False, edgecolor=colour, linestyle=dash,
                linewidth=2,
            )
        )  # fmt: skip
        axis.plot([], [], dash, color=colour, linewidth=2, label=name)
    axis.set(xlabel="$z_1$", ylabel="$z_2$", xlim=(left, right), ylim=(bottom, top))
    axis.grid(visible=False)
