"""The course's figures: functions that take tensors and return a matplotlib Figure.

Nothing is shown or saved here, and no global style is touched. A notebook displays a figure by
making it the last expression of a cell.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.style
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from torch import Tensor

from gm_course.errors import ShapeError

# Paul Tol's "bright" and "muted" qualitative schemes: distinct for colour-blind readers.
COLOURS = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#BBBBBB")
CLASS_COLOURS = (
    "#CC6677", "#332288", "#DDCC77", "#117733", "#88CCEE",
    "#882255", "#44AA99", "#999933", "#AA4499", "#888888",
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

STYLE = Path(__file__).with_name("course.mplstyle")


def new_figure(
    columns: int = 1, *, size: tuple[float, float] = (4.2, 3.2), rows: int = 1
) -> tuple[Figure, list[Axes]]:
    """Return a figure in the course's style with its axes, row by row.

    Args:
        columns: Panels side by side.
        size: Width and height of one panel in inches.
        rows: Panels on top of each other.
    """
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(size[0] * columns, size[1] * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
    return figure, list(axes.flat)


def loss_curves(
    curves: Mapping[str, Tensor],
    *,
    ylabel: str = "nats per example",
    window: int = 50,
    reference: Mapping[str, float] | None = None,
) -> Figure:
    """Draw one panel per curve: every iteration faintly, its moving average on top.

    Args:
        curves: Values per iteration by name, each of shape (iterations,).
        ylabel: The unit of the values.
        window: Iterations in the moving average.
        reference: Values to mark by a dashed line, by curve name (a test-set value, say).
    """
    figure, axes = new_figure(len(curves), size=(3.6, 2.8))
    for axis, (name, values), colour in zip(axes, curves.items(), COLOURS, strict=False):
        values = values.detach().cpu()
        steps = torch.arange(1, len(values) + 1)
        axis.plot(steps, values, color=colour, alpha=0.25, linewidth=0.8)
        width = min(window, len(values))
        average = values.unfold(0, width, 1).mean(-1)
        axis.plot(steps[width - 1 :], average, color=colour, label=f"mean of {width} iterations")
        if reference and name in reference:
            axis.axhline(reference[name], color="black", linestyle="--", label="test set, now")
        # The first iterations dwarf the rest, so the view follows the later three quarters.
        later = values[len(values) // 50 :]
        margin = 0.05 * float(later.max() - later.min()) + 1e-9
        axis.set(title=name, xlabel="iteration")
        axis.set_ylim(float(later.min()) - margin, float(later.max()) + margin)
        axis.legend()
    axes[0].set_ylabel(ylabel)
    return figure


def estimate_histograms(
    estimates: Mapping[str, Tensor], *, lines: Mapping[str, float], xlabel: str
) -> Figure:
    """Draw the distributions of estimates on one axis with vertical lines at exact values.

    Args:
        estimates: Samples of each estimator by name, each of shape (repetitions,).
        lines: Exact values by name.
        xlabel: What is estimated, with its unit.
    """
    figure, (axis,) = new_figure(size=(6.5, 3.2))
    everything = torch.cat([values.detach().cpu().double() for values in estimates.values()])
    low, high = everything.quantile(torch.tensor([0.001, 0.9999], dtype=torch.float64)).tolist()
    bins = torch.linspace(low, high, 90).tolist()
    for (name, values), colour in zip(estimates.items(), COLOURS, strict=False):
        axis.hist(
            values.detach().cpu().numpy(), bins=bins, density=True, alpha=0.55, color=colour,
            label=name,
        )  # fmt: skip
    for (name, value), dash in zip(lines.items(), ("-", "--", ":"), strict=False):
        axis.axvline(value, color="black", linestyle=dash, label=name)
    axis.set(xlabel=xlabel, ylabel="density of the estimates")
    axis.legend()
    return figure


def image_grid(images: Tensor, *, columns: int, title: str = "") -> Figure:
    """Draw grey images in a grid, row by row, without gaps.

    Args:
        images: Shape (n, height, width), values in [0, 1].
        columns: Images per row; the last row is padded with white.
        title: Drawn above the grid.
    """
    mosaic = _mosaic(images, columns)
    rows = mosaic.shape[0] // images.shape[1]
    figure, (axis,) = new_figure(size=(0.62 * columns, 0.62 * rows + (0.3 if title else 0)))
    _show_grey(axis, mosaic)
    axis.set_title(title)
    return figure


def image_rows(rows: Mapping[str, Tensor], *, scale: float = 0.7) -> Figure:
    """Draw labelled rows of grey images below each other, for comparing column by column.

    Args:
        rows: Images by row label, each of shape (n, height, width) with the same n.
        scale: Inches per image.
    """
    count = max(len(images) for images in rows.values())
    figure, axes = new_figure(1, rows=len(rows), size=(scale * count + 1.3, scale))
    for axis, (label, images) in zip(axes, rows.items(), strict=True):
        _show_grey(axis, _mosaic(images, count))
        axis.set_ylabel(label, rotation=0, ha="right", va="center")
    return figure


def latent_manifold(
    codes: Tensor, labels: Tensor, decoded: Tensor, *, coordinates: Sequence[float]
) -> Figure:
    """Draw the latent manifold (隐变量流形): encoded examples by class, and a decoded grid.

    Args:
        codes: Posterior means, shape (n, 2).
        labels: Classes 0–9, shape (n,).
        decoded: Images of a square grid of codes, shape (rows, columns, height, width); row 0 is
            the largest second coordinate, so that both panels are oriented alike.
        coordinates: Grid positions along one axis, ascending; used as tick labels.

    Raises:
        ShapeError: If the codes are not two-dimensional.
    """
    if codes.ndim != 2 or codes.shape[1] != 2:
        raise ShapeError(
            f"latent_manifold: codes must have shape (n, 2); got {tuple(codes.shape)}. "
            "Train with a two-dimensional latent variable, or pass two of its columns."
        )
    figure, (left, right) = new_figure(2, size=(5.0, 4.8))
    points, classes = codes.detach().cpu(), labels.cpu()
    for digit in classes.unique().tolist():
        members = points[classes == digit]
        left.scatter(
            members[:, 0], members[:, 1], s=9, alpha=0.65, linewidths=0,
            color=CLASS_COLOURS[digit], marker=MARKERS[digit % len(MARKERS)],
        )  # fmt: skip
    for digit in classes.unique().tolist():
        x, y = points[classes == digit].median(0).values.tolist()
        left.annotate(
            str(digit), (x, y), fontsize=15, weight="bold", color=CLASS_COLOURS[digit],
            ha="center", va="center", path_effects=[withStroke(linewidth=3, foreground="white")],
        )  # fmt: skip
    left.set(title="test digits, encoded (posterior means)", xlabel="$z_1$", ylabel="$z_2$")
    left.set_aspect("equal", adjustable="datalim")

    rows, columns, height, width = decoded.shape
    _show_grey(right, _mosaic(decoded.reshape(rows * columns, height, width), columns))
    ticks = range(0, columns, max(1, columns // 6))
    right.set_xticks([(i + 0.5) * width for i in ticks], [f"{coordinates[i]:.1f}" for i in ticks])
    right.set_yticks(
        [(rows - i - 0.5) * height for i in ticks], [f"{coordinates[i]:.1f}" for i in ticks]
    )
    right.set(title="a grid of codes, decoded", xlabel="$z_1$", ylabel="$z_2$")
    return figure


def _mosaic(images: Tensor, columns: int) -> Tensor:
    """Arrange (n, height, width) images in rows of ``columns``: (rows·height, columns·width)."""
    if images.ndim != 3:
        raise ShapeError(
            f"plotting: images must have shape (n, height, width); got {tuple(images.shape)}. "
            "Reshape flat images with .reshape(-1, height, width)."
        )
    count, height, width = images.shape
    rows = -(-count // columns)
    padded = torch.zeros(rows * columns, height, width)  # 0 is drawn white
    padded[:count] = images.detach().cpu().float()
    # (rows, columns, height, width) -> (rows, height, columns, width)
    grid = padded.reshape(rows, columns, height, width).permute(0, 2, 1, 3)
    return grid.reshape(rows * height, columns * width)


def _show_grey(axis: Axes, image: Tensor) -> None:
    height, width = image.shape
    axis.imshow(
        image.numpy(), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest",
        extent=(0, width, height, 0),
    )  # fmt: skip
    axis.set_xticks([])
    axis.set_yticks([])
    axis.grid(visible=False)
    for spine in axis.spines.values():
        spine.set_visible(False)
