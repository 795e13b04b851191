"""The course's style: colours, markers and empty figures."""

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
