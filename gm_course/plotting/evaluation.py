"""Samples beside their nearest training images, and contestants ranked by several measures."""

import math
from collections.abc import Mapping, Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from gm_course.errors import ShapeError
from gm_course.plotting.figures import COLOURS, new_figure
from gm_course.plotting.images import mosaic, show_grey


def neighbour_pairs(rows: Mapping[str, tuple[Tensor, Tensor]], *, scale: float = 0.6) -> Figure:
    """Draw samples and, right below each, the image that is nearest to it.

    Args:
        rows: Samples and nearest images by name, each of shape (n, height, width) with the same n.
        scale: Inches per image.
    """
    count = max(len(samples) for samples, _ in rows.values())
    figure, axes = new_figure(1, rows=len(rows), size=(scale * count + 1.6, 2 * scale + 0.15))
    for axis, (label, (samples, nearest)) in zip(axes, rows.items(), strict=True):
        show_grey(axis, mosaic(torch.cat([samples, nearest]), len(samples)))
        axis.set_ylabel(f"{label}\n(nearest below)", rotation=0, ha="right", va="center")
    return figure


def sample_and_neighbours(
    sample: Tensor, nearest: Tensor, distances: Sequence[float], probabilities: Tensor
) -> Figure:
    """Draw one sample, its nearest images with their distances, and what a classifier says of it.

    Args:
        sample: Shape (height, width).
        nearest: Shape (k, height, width), nearest first.
        distances: k Euclidean distances.
        probabilities: p(y|x) of the ten digits, shape (10,).
    """
    figure, axes = new_figure(len(nearest) + 2, size=(1.7, 2.4))
    titles = ["sample", *(f"distance {distance:.1f}" for distance in distances)]
    for axis, image, title in zip(axes, [sample, *nearest], titles, strict=False):
        show_grey(axis, image.detach().cpu().float())
        axis.set_title(title)
    axes[-1].barh(range(10), probabilities.tolist(), color=COLOURS[0])
    axes[-1].set(title="classifier", xlabel="p(y|x)", xlim=(0, 1), yticks=range(10))
    axes[-1].tick_params(axis="y", labelsize=8)
    axes[-1].invert_yaxis()
    return figure


def rank_table(values: Tensor, *, rows: Sequence[str], columns: Sequence[str]) -> Figure:
    """Draw a table of measures with each column's ranks as shades; the best is darkest and bold.

    Args:
        values: Shape (rows, columns), larger is better in every column; NaN for not defined.
        rows: Contestants.
        columns: Measures; a name that starts with a minus sign is shown with its sign reversed.

    Raises:
        ShapeError: If the names do not fit the values.
    """
    if values.shape != (len(rows), len(columns)):
        raise ShapeError(
            f"rank_table: values must have shape ({len(rows)}, {len(columns)}), one row per "
            f"contestant and one column per measure; got {tuple(values.shape)}. "
            "Give every row and every column one name."
        )
    figure, (axis,) = new_figure(size=(1.25 * len(columns) + 1.8, 0.42 * len(rows) + 0.9))
    # NaN compares false with everything; as −∞ it takes the last rank, and any number beats it
    ranked = values.nan_to_num(nan=-math.inf, posinf=math.inf, neginf=-math.inf)
    worse = (ranked[:, None] > ranked[None]).sum(dim=1)  # how many are worse
    axis.imshow(worse.cpu().numpy(), cmap="Blues", vmin=0, vmax=2 * (len(rows) - 1), aspect="auto")
    for i in range(len(rows)):
        for j, column in enumerate(columns):
            value = float(values[i, j]) * (-1 if column.startswith("-") else 1)
            is_best = worse[i, j] == worse[:, j].max() and not math.isnan(value)
            axis.text(
                j, i, "not defined" if math.isnan(value) else f"{value:.3g}",
                ha="center", va="center", weight="bold" if is_best else "normal",
            )  # fmt: skip
        axis.axhline(i - 0.5, color="white", linewidth=2)
    axis.set_xticks(range(len(columns)), [column.removeprefix("-") for column in columns])
    axis.set_yticks(range(len(rows)), rows)
    axis.xaxis.tick_top()
    axis.tick_params(length=0)
    axis.grid(visible=False)
    for spine in axis.spines.values():
        spine.set_visible(False)
    return figure
