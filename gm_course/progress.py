"""A live progress bar for training, in a terminal and in a notebook."""

import time
from collections.abc import Callable, Mapping
from typing import Self

from tqdm.auto import tqdm
from tqdm.notebook import tqdm as notebook_tqdm

# A bar redrawn more often than this costs time and flickers.
REDRAW_SECONDS = 0.2


class ProgressBar:
    """Steps done, speed, time left and the current losses; silent where nobody is looking.

    A terminal gets tqdm's text bar, and a pipe or log file nothing. A notebook gets a widget that
    disappears when the run is over.
    """

    def __init__(self, *, total: int, initial: int, is_shown: bool) -> None:
        is_notebook = issubclass(tqdm, notebook_tqdm)
        options = {"display": False} if is_notebook else {}
        # For a text bar, disable=None means: only where stderr is a terminal.
        disable = not is_shown if is_notebook or not is_shown else None
        self._bar = tqdm(
            total=total, initial=initial, disable=disable, leave=False, mininterval=0, miniters=1,
            unit="step", **options,
        )  # fmt: skip
        self._total = total
        self._next_draw = 0.0
        if is_notebook and is_shown:
            _display_without_text(self._bar.container)

    def update(self, step: int, losses: Callable[[], Mapping[str, float]]) -> None:
        """Move to ``step``; ``losses`` is only called when the bar is redrawn."""
        now = time.monotonic()
        if self._bar.disable or (now < self._next_draw and step < self._total):
            return
        self._next_draw = now + REDRAW_SECONDS
        numbers = {name: f"{value:.4g}" for name, value in losses().items()}
        self._bar.set_postfix(numbers, refresh=False)
        self._bar.update(step - self._bar.n)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._bar.close()


def _display_without_text(widget: object) -> None:
    """Show a widget with no plain-text twin, so that no dead bar stays in a stored notebook."""
    from IPython.display import display

    bundle = widget._repr_mimebundle_()  # type: ignore[attr-defined]
    bundle.pop("text/plain", None)
    display(bundle, raw=True)
