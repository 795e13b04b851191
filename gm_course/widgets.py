"""Explorers: a figure under controls that redraw it.

The picture is an image whose content is replaced, so it neither flickers nor stacks up, and it is
stored with the notebook: a reader without a kernel sees the figure for the initial settings.
"""

from __future__ import annotations

import base64
import gc
import io
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ipywidgets
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from gm_course.errors import ArgumentError
from gm_course.plotting.figures import drawing_over

_LABEL = {"description_width": "14em"}
_CONTROL_LAYOUT = {"width": "39em", "max_width": "100%"}


def slider(
    label: str, low: float, high: float, *, start: float, step: float
) -> ipywidgets.FloatSlider:
    """Return a labelled slider for numbers, usable by mouse and by the arrow keys.

    Args:
        label: What is set, with its unit if it has one.
        low: Smallest value.
        high: Largest value.
        start: Initial value, within the bounds.
        step: Distance of neighbouring values.

    Raises:
        ArgumentError: If the bounds, the start or the step do not fit together.
    """
    if not (low <= start <= high and low < high and 0 < step <= high - low):
        raise ArgumentError(
            f"slider: low ≤ start ≤ high and 0 < step ≤ high - low must hold; got low={low}, "
            f"start={start}, high={high}, step={step}."
        )
    decimals = max(0, len(f"{step:f}".rstrip("0").partition(".")[2]))
    return ipywidgets.FloatSlider(
        value=start, min=low, max=high, step=step, description=label, style=_LABEL,
        layout=_CONTROL_LAYOUT, readout_format=f".{decimals}f",
    )  # fmt: skip


def whole_number_slider(label: str, low: int, high: int, *, start: int) -> ipywidgets.IntSlider:
    """Return a labelled slider for whole numbers; see :func:`slider`."""
    if not low <= start <= high or low == high:
        raise ArgumentError(
            f"whole_number_slider: low ≤ start ≤ high must hold, with low < high; got low={low}, "
            f"start={start}, high={high}."
        )
    return ipywidgets.IntSlider(
        value=start, min=low, max=high, description=label, style=_LABEL, layout=_CONTROL_LAYOUT
    )


def choice(label: str, options: Sequence[Any]) -> ipywidgets.ToggleButtons:
    """Return a labelled row of buttons, one per option; the first is chosen at the start.

    Buttons, because JupyterLab takes the arrow keys and letters away from a closed menu.

    Args:
        label: What is chosen.
        options: The values, or pairs of a text to show and a value.

    Raises:
        ArgumentError: If there is no option.
    """
    if not options:
        raise ArgumentError("choice: options must have at least one entry; got none.")
    buttons = ipywidgets.ToggleButtons(
        options=list(options), description=label, style={**_LABEL, "button_width": "auto"}
    )
    return buttons.add_class("widget-inline-hbox")  # the label beside the buttons, as for sliders


class Explorer(ipywidgets.VBox):  # type: ignore[misc] # ipywidgets has no annotations
    """A figure that follows its controls; display it by making it the last expression of a cell.

    A drawing function that raises leaves the last picture in place and shows the error under it.

    Args:
        draw: Called with the controls' values by name, returns a Figure; it should take less than
            a tenth of a second.
        controls: Sliders and choices by the name of the argument of ``draw`` that they set.

    Raises:
        ArgumentError: If there is no control.

    Example:
        >>> from gm_course import plotting
        >>> def draw(height):
        ...     figure, (axis,) = plotting.new_figure()
        ...     _ = axis.bar(["height"], [height])
        ...     return figure
        >>> Explorer(draw, height=slider("height (m)", 0, 3, start=1, step=0.1))
        explorer with one control: height (m)
    """

    def __init__(self, draw: Callable[..., Figure], **controls: ipywidgets.ValueWidget) -> None:
        if not controls:
            raise ArgumentError("Explorer: controls must name at least one; got none.")
        self._draw = draw
        self._controls = controls
        self._positions: list[Bbox] = []
        self._canvas: FigureCanvasAgg | None = None
        self._lock = threading.Lock()
        self._picture = ipywidgets.Image(format="png", layout={"max_width": "100%"})
        self._picture.layout.align_self = "flex-start"  # keeps its proportions
        self._message = ipywidgets.Label()
        super().__init__([*controls.values(), self._picture, self._message])
        for control in controls.values():
            control.observe(self._redraw, names="value")
        self._picture.value = self._png()

    def _png(self) -> bytes:
        # JupyterLab moves controls in another thread than the one that runs cells.
        with self._lock:
            values = {name: control.value for name, control in self._controls.items()}
            picture = self._as_png(self._figure(values))
            if self._is_crowded():  # labels have grown, and need more room than panels left them
                self._positions = []
                picture = self._as_png(self._figure(values))
            return picture

    def _figure(self, values: dict[str, Any]) -> Figure:
        with drawing_over(self._canvas.figure if self._canvas else None):
            return self._draw(**values)

    def _is_crowded(self) -> bool:
        """Whether a label of the last picture lies over another panel or reaches beyond the edge.

        Asking matplotlib for the extent of everything would take a tenth of the time of drawing.
        """
        assert self._canvas is not None  # a picture has been drawn
        figure = self._canvas.figure
        for axis in figure.axes:
            others = [other.bbox for other in figure.axes if other is not axis]
            for label in (axis.title, axis.xaxis.label, axis.yaxis.label):
                box = label.get_window_extent()
                corners = box.get_points()
                is_outside = ((corners < 0) | (corners > figure.bbox.size)).any()
                if label.get_text() and (is_outside or box.count_overlaps(others)):
                    return True
        # Of anything else, such as the numbers at the ticks: the pads at the edge must be blank.
        pixels = np.asarray(self._canvas.buffer_rgba())
        edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        return bool((edge != edge[0]).any())

    def _as_png(self, figure: Figure) -> bytes:
        if self._canvas is None:
            self._canvas = FigureCanvasAgg(figure)
        else:  # one canvas for all pictures: it remembers how formulas and labels are typeset
            self._canvas.figure = figure
            figure.set_canvas(self._canvas)
        # Arranging the panels takes as long as drawing them, and moving panels would be a nuisance.
        if len(figure.axes) == len(self._positions):
            figure.set_layout_engine("none")
            for axis, position in zip(figure.axes, self._positions, strict=True):
                axis.set_position(position)
        buffer = io.BytesIO()
        self._canvas.print_png(buffer, pil_kwargs={"compress_level": 1})
        self._positions = [axis.get_position() for axis in figure.axes]
        return buffer.getvalue()

    def _redraw(self, _change: object) -> None:
        try:
            with _garbage_left_lying():
                self._picture.value = self._png()
            self._message.value = ""
        except Exception as error:  # the notebook's own function; its error belongs on the screen
            self._message.value = f"{type(error).__name__}: {error}"

    def __repr__(self) -> str:
        labels = ", ".join(control.description for control in self._controls.values())
        count = len(self._controls)
        return f"explorer with {'one control' if count == 1 else f'{count} controls'}: {labels}"

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        bundle: dict[str, Any] = super()._repr_mimebundle_(**options)
        # for viewers that know no widgets
        return {
            **bundle,
            "text/plain": repr(self),
            "image/png": base64.b64encode(self._picture.value).decode(),
        }


@contextmanager
def _garbage_left_lying() -> Iterator[None]:
    """Collect no garbage in the block: beside big libraries it may take longer than a picture."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
