"""Convolutions: small matrices with their numbers, overlaps, and a network's feature maps."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle
from matplotlib.ticker import MaxNLocator
from torch import Tensor
from torch.nn import functional

from gm_course.errors import ArgumentError, ShapeError
from gm_course.plotting.figures import COLOURS, new_figure

_CELL = 0.34  # inches per number


def number_grids(grids: Mapping[str, Tensor]) -> Figure:
    """Draw small matrices side by side with their entries; zeros stay pale.

    Args:
        grids: Matrices by title, each of shape (rows, columns); whole numbers or short decimals.

    Raises:
        ShapeError: If an entry is not a matrix.

    Example:
        >>> len(number_grids({"x": torch.eye(2), "y": torch.ones(2, 3)}).axes)
        2
    """
    for title, grid in grids.items():
        if grid.ndim != 2:
            raise ShapeError(
                f"number_grids: {title!r} must have shape (rows, columns); got "
                f"{tuple(grid.shape)}. Leave out batch and channel dimensions with [0, 0]."
            )
    widths = [max(grid.shape[1], 3) for grid in grids.values()]
    tallest = max(grid.shape[0] for grid in grids.values())
    mean_width = sum(widths) / len(widths)
    figure, axes = new_figure(len(grids), size=(_CELL * mean_width + 0.5, _CELL * tallest + 0.6))
    grid_spec = axes[0].get_gridspec()
    assert grid_spec is not None
    grid_spec.set_width_ratios(widths)
    for axis, (title, grid) in zip(axes, grids.items(), strict=True):
        _show_numbers(axis, grid.detach().cpu().double())
        axis.set_title(title)
    return figure


def overlap_patterns(settings: Sequence[tuple[int, int, int]], *, inputs: int = 6) -> Figure:
    """Draw how often a transposed convolution (转置卷积) writes to each output, per setting.

    First, one row per input of a line: the outputs it writes to, and how often each is hit. Then
    the same count in two dimensions: below, or beside it if there is only one setting.

    Args:
        settings: Triples (kernel, stride, padding).
        inputs: Inputs of the line, and side of the input in two dimensions.

    Raises:
        ArgumentError: If a padding crops the whole output away.
    """
    columns, rows = (len(settings), 2) if len(settings) > 1 else (2, 1)
    figure, axes = new_figure(columns, rows=rows, size=(3.5, 2.8))
    for column, (kernel, stride, padding) in enumerate(settings):
        size = (inputs - 1) * stride - 2 * padding + kernel
        if size < 1:
            raise ArgumentError(
                f"overlap_patterns: padding must leave at least one output; got kernel={kernel}, "
                f"stride={stride}, padding={padding}, which leave {size}. Take a smaller padding."
            )
        counts = functional.conv_transpose1d(
            torch.ones(1, 1, inputs), torch.ones(1, 1, kernel), stride=stride, padding=padding
        )[0, 0]
        line, plane = axes[column], axes[len(settings) + column]
        for i in range(inputs):
            first = max(i * stride - padding, 0)
            last = min(i * stride - padding + kernel, size)
            if first < last:
                line.add_patch(
                    Rectangle(
                        (first - 0.5, i), last - first, 0.8,
                        facecolor=COLOURS[i % 2], edgecolor="white",
                    )
                )  # fmt: skip
        for position, count in enumerate(counts.int().tolist()):
            line.text(position, -0.9, str(count), ha="center", va="center", fontsize=8)
        line.set(
            title=f"kernel {kernel}, stride {stride}, padding {padding}\n{inputs} → {size}",
            xlim=(-0.8, size - 0.2), ylim=(-1.5, inputs + 0.1), xlabel="output position",
        )  # fmt: skip
        line.set_yticks(
            [-0.9, *(i + 0.4 for i in range(inputs))], ["hits", *map(str, range(inputs))]
        )
        image = plane.imshow(torch.outer(counts, counts).numpy(), cmap="cividis", vmin=0)
        plane.set_xlabel("output column")
        plane.grid(visible=False)
        for whole in (line.xaxis, plane.xaxis, plane.yaxis):
            whole.set_major_locator(MaxNLocator(5, integer=True))
        figure.colorbar(image, ax=plane, label="hits", ticks=MaxNLocator(5, integer=True))
    axes[0].set_ylabel("input position")
    axes[len(settings)].set_ylabel("output row")
    return figure


def feature_maps(maps: Mapping[str, tuple[int, int]]) -> Figure:
    """Draw a network's feature maps as blocks: face for the side, thickness for the channels.

    The scales are compressed, so that 4 × 4 and 1024 channels both remain visible.

    Args:
        maps: (channels, side) by the name of the layer that makes them, in order.

    Example:
        >>> len(feature_maps({"project": (1024, 4), "image": (3, 8)}).axes)
        1
    """
    figure, (axis,) = new_figure(size=(1.75 * len(maps), 2.9))
    left = 0.0
    for (name, (channels, side)), colour in zip(maps.items(), COLOURS * 2, strict=False):
        face = side**0.5 / 4
        thickness = 0.12 * (1 + channels) ** 0.4
        slant = 0.35 * face
        middle = left + (thickness + slant) / 2
        top_left, top_right = (slant, face + slant), (thickness + slant, face + slant)
        for corners, shade in (
            ([(0, 0), (thickness, 0), (thickness, face), (0, face)], 0.85),
            ([(0, face), (thickness, face), top_right, top_left], 0.55),
            ([(thickness, 0), (thickness + slant, slant), top_right, (thickness, face)], 0.35),
        ):
            axis.add_patch(
                Polygon(
                    [(left + x, y) for x, y in corners],
                    facecolor=colour, alpha=shade, edgecolor="black", linewidth=0.8,
                )
            )  # fmt: skip
        axis.text(middle, -0.15, f"{side} × {side}\n× {channels}", ha="center", va="top")
        axis.text(middle, face + slant + 0.1, name, ha="center", va="bottom")
        left += thickness + slant + 0.75
    axis.set(xlim=(-0.3, left - 0.4), ylim=(-0.9, 3.3), aspect="equal")
    axis.set_axis_off()
    return figure


def _show_numbers(axis: Axes, grid: Tensor) -> None:
    rows, columns = grid.shape
    bound = float(grid.abs().max()) or 1.0
    # A scale twice as wide as the numbers keeps the colours pale and the text legible.
    axis.imshow(grid.numpy(), cmap="PuOr", vmin=-2 * bound, vmax=2 * bound)
    for row in range(rows):
        for column in range(columns):
            value = float(grid[row, column]) + 0.0  # turns -0 into 0
            axis.text(
                column, row, f"{value:g}".replace("-", "−"), ha="center", va="center",
                fontsize=9, color="#AAAAAA" if value == 0 else "black",
            )  # fmt: skip
    axis.set_xticks([])
    axis.set_yticks([])
    axis.grid(visible=False)
    for edge in axis.spines.values():
        edge.set_visible(True)
