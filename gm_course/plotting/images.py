"""Grey images in grids and rows, and the latent manifold."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from torch import Tensor

from gm_course.errors import ShapeError
from gm_course.plotting.figures import CLASS_COLOURS, MARKERS, new_figure


def image_grid(images: Tensor, *, columns: int, title: str = "") -> Figure:
    """Draw grey images in a grid, row by row, without gaps.

    Args:
        images: Shape (n, height, width), values in [0, 1].
        columns: Images per row; the last row is padded with white.
        title: Drawn above the grid.
    """
    picture = mosaic(images, columns)
    rows = picture.shape[0] // images.shape[1]
    figure, (axis,) = new_figure(size=(0.62 * columns, 0.62 * rows + (0.3 if title else 0)))
    show_grey(axis, picture)
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
        show_grey(axis, mosaic(images, count))
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
    show_grey(right, mosaic(decoded.reshape(rows * columns, height, width), columns))
    ticks = range(0, columns, max(1, columns // 6))
    tick_labels = [f"{coordinates[i]:.1f}".replace("-", "−") for i in ticks]
    right.set_xticks([(i + 0.5) * width for i in ticks], tick_labels)
    right.set_yticks([(rows - i - 0.5) * height for i in ticks], tick_labels)
    right.set(title="a grid of codes, decoded", xlabel="$z_1$", ylabel="$z_2$")
    return figure


def decoded_code(codes: Tensor, labels: Tensor, code: tuple[float, float], image: Tensor) -> Figure:
    """Draw one place among the encoded examples, and what it decodes to.

    Args:
        codes: Posterior means, shape (n, 2).
        labels: Classes 0–9, shape (n,).
        code: The place.
        image: What the generator network makes of it, shape (height, width).
    """
    figure, (left, right) = new_figure(2, size=(3.6, 3.4))
    colours = [CLASS_COLOURS[digit] for digit in labels.tolist()]
    left.scatter(codes[:, 0], codes[:, 1], s=7, alpha=0.5, linewidths=0, color=colours)
    for digit in labels.unique().tolist():
        x, y = codes[labels == digit].median(0).values.tolist()
        left.annotate(
            str(digit), (x, y), fontsize=11, weight="bold", color=CLASS_COLOURS[digit],
            ha="center", va="center", path_effects=[withStroke(linewidth=2, foreground="white")],
        )  # fmt: skip
    left.plot(*code, "x", color="black", markersize=11, markeredgewidth=2.5)
    left.set(title="where you are", xlabel="$z_1$", ylabel="$z_2$", xlim=(-4.5, 4.5))
    left.set_ylim(-4.5, 4.5)
    show_grey(right, image.detach().cpu().float())
    right.set_title("what it decodes to")
    return figure


def mosaic(images: Tensor, columns: int) -> Tensor:
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


def show_grey(axis: Axes, image: Tensor) -> None:
    """Draw a grey image (height, width) with values in [0, 1], without ticks and frame."""
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
