"""The course's style: colours, markers and empty figures."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Paul Tol's "bright" and "muted" qualitative schemes: distinct for colour-blind readers.
COLOURS = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#BBBBBB")
CLASS_COLOURS = (
    "#CC6677", "#332288", "#DDCC77", "#117733", "#88CCEE",
    "#882255", "#44AA99", "#999933", "#AA4499", "#888888",
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

STYLE = Path(__file__).parent.parent / "course.mplstyle"


# What the next new figure may be made of; see `drawing_over`.
_TO_REUSE: ContextVar[Figure | None] = ContextVar("_TO_REUSE", default=None)


def new_figure(
    columns: int = 1, *, size: tuple[float, float] = (4.2, 3.2), rows: int = 1
) -> tuple[Figure, list[Axes]]:
    """Return a figure in the course's style with its axes, row by row.

    Args:
        columns: Panels side by side.
        size: Width and height of one panel in inches.
        rows: Panels on top of each other.
    """
    figsize = (size[0] * columns, size[1] * rows)
    old = _TO_REUSE.get()
    _TO_REUSE.set(None)
    with matplotlib.style.context(STYLE):
        if old is not None and _is_reusable(old, (rows, columns), figsize):
            _empty(old)
            return old, list(old.axes)
        figure = Figure(figsize=figsize, layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
    return figure, list(axes.flat)


def use_few_ticks(*axes: Axes) -> None:
    """Give linear axes about five ticks each: ticks take most of the time of drawing a figure."""
    for axis in axes:
        axis.locator_params(nbins=5)


@contextmanager
def drawing_over(figure: Figure | None) -> Iterator[None]:
    """In the block, the first new figure is this one, emptied, if it has the same panels and size.

    Half the time of drawing a small figure goes into making panels and ticks. What was set by
    ``tick_params`` and ``grid`` stays, and the room of a heading: only reuse a figure for what drew
    it before.

    Args:
        figure: A figure from :func:`new_figure` that nobody needs any more, or none.
    """
    token = _TO_REUSE.set(figure)
    try:
        yield
    finally:
        _TO_REUSE.reset(token)


def _panels(figure: Figure) -> list[Axes]:
    """The figure's axes without those of colour bars."""
    return [axis for axis in figure.axes if axis.get_label() != "<colorbar>"]


def _is_reusable(figure: Figure, shape: tuple[int, int], figsize: tuple[float, float]) -> bool:
    panels = _panels(figure)
    return (
        tuple(figure.get_size_inches()) == figsize
        and len(panels) == shape[0] * shape[1]
        and all(
            (grid := axis.get_gridspec()) is not None
            and grid.get_geometry() == shape
            and not (axis.xaxis.have_units() or axis.yaxis.have_units())
            for axis in panels
        )
    )


def _empty(figure: Figure) -> None:
    """Bring a figure back to how :func:`new_figure` makes it, but keep its ticks."""
    for axis in _panels(figure):
        _empty_panel(axis)
    heading = figure.suptitle("") if figure.get_suptitle() else None
    for artist in (*figure.legends, *figure.texts):
        if artist is not heading:
            artist.remove()
    figure.set_layout_engine("constrained")


def _empty_panel(axis: Axes) -> None:
    for mappable in (*axis.images, *axis.collections):
        if mappable.colorbar is not None:
            mappable.colorbar.remove()
    drawn = (axis.lines, axis.patches, axis.collections, axis.images, axis.texts, axis.child_axes)
    for artist in [artist for kind in drawn for artist in kind]:
        artist.remove()
    axis.containers.clear()  # of bars, which legends would still list
    if (legend := axis.get_legend()) is not None:
        legend.remove()
    axis.relim()  # forgets the limits of the data
    axis.set(
        xscale="linear", yscale="linear", xlim=(0, 1), ylim=(0, 1), autoscale_on=True,
        aspect="auto", adjustable="box", xlabel="", ylabel="", in_layout=True, visible=True,
    )  # fmt: skip
    axis.set_title("", y=1.0)  # a given height saves matplotlib the search for a free one
    axis.set_prop_cycle(None)
    axis.set_axis_on()
    axis.spines[["left", "bottom"]].set_visible(True)
    axis.spines[["right", "top"]].set_visible(False)
