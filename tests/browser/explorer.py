"""An explorer on the page: its controls, its picture, and how the picture changes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Locator

from tests.browser.notebook import KERNEL, NotebookPage

WATCH = Path(__file__).with_name("watch.js").read_text(encoding="utf-8")
CONTENT = "async picture => (await (await fetch(picture.src)).bytes()).toBase64()"
# Code that runs in the kernel without leaving names behind.
IN_KERNEL = """exec('''
import base64, statistics, time
explorer = [value for value in values if type(value).__name__ == "Explorer"][{number}]
{code}
''', {{"values": [Out[key] for key in sorted(Out)]}})"""
DRAW = 'print(base64.b64encode(explorer._png()).decode(), end="")'
MEDIAN_OF_TEN_DRAWINGS = """
times = []
for _ in range(10):
    start = time.process_time()
    explorer._png()
    times.append(time.process_time() - start)
print(1000 * statistics.median(times))
"""
CATCHING_UP_S = 60


@dataclass
class Redraw:
    """What was seen from an action until the new picture stood there."""

    milliseconds: float  # from the key or button to the loaded picture
    heights: list[float]  # of the picture, frame by frame
    pictures: int  # on the page at the end
    outputs: int  # of the cell at the end
    is_changed: bool  # the picture is another one than before


class Control:
    """A slider, or a row of buttons of which one is pressed."""

    def __init__(self, box: Locator) -> None:
        self.box = box
        self.label = box.locator(".widget-label").first
        self.buttons = box.locator("button")
        self.handle = box.locator(".noUi-handle")
        self.has_buttons = self.buttons.count() > 0

    def moves(self) -> list[tuple[Locator, str]]:
        """What to focus and which key to press there; each move changes the control."""
        if self.has_buttons:
            others = range(self.buttons.count())
            return [(self.buttons.nth(i), "Space") for i in [*others[1:], *others[:-1][::-1]]]
        low, now, high = (
            float(self.handle.get_attribute(f"aria-value{name}")) for name in ("min", "now", "max")
        )
        there, back = "ArrowRight", "ArrowLeft"
        if now > (low + high) / 2:
            there, back = back, there
        return [(self.handle, key) for key in [there, back] * 2]  # some sliders have few steps

    def has_focus(self) -> bool:
        """Whether the slider's handle or one of the buttons has the keyboard's focus."""
        return self.box.evaluate(
            """box => box.contains(document.activeElement)
                && document.activeElement.matches(".noUi-handle, button")"""
        )

    def focus(self, *, last: bool) -> None:
        """Give the focus to the first or the last part that keys can move."""
        parts = self.buttons if self.has_buttons else self.handle
        (parts.last if last else parts.first).focus()

    def move_by_mouse(self) -> None:
        """Click the second button, or drag the slider's handle to the other half."""
        if self.has_buttons:
            self.buttons.nth(1).click()
            return
        mouse = self.box.page.mouse
        self.handle.scroll_into_view_if_needed()
        track, handle = self.box.locator(".noUi-base").bounding_box(), self.handle.bounding_box()
        x, y = handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2
        share = 0.25 if x > track["x"] + track["width"] / 2 else 0.75
        mouse.move(x, y)
        mouse.down()
        mouse.move(track["x"] + share * track["width"], y, steps=5)
        mouse.up()


class ExplorerOnPage:
    """The explorer in one cell."""

    def __init__(self, notebook: NotebookPage, index: int, number: int) -> None:
        self.notebook = notebook
        self.number = number
        self.cell = notebook.cell(index)
        self.output = self.cell.locator(".jp-Cell-outputArea")
        self.picture = self.output.locator("img").first
        self.picture.wait_for()
        boxes = self.output.locator(".widget-slider, .widget-toggle-buttons")
        self.controls = [Control(boxes.nth(i)) for i in range(boxes.count())]

    @contextmanager
    def redraw(self) -> Iterator[Redraw]:
        """Watch the picture during the action in the block; filled in at its end."""
        page = self.notebook.page
        seen = Redraw(0, [], 0, 0, is_changed=False)
        before = self.picture.evaluate(CONTENT)
        self.picture.evaluate(WATCH)
        yield seen
        page.wait_for_function(
            f"() => window.redraw.isShown && {KERNEL}.status === 'idle'", polling="raf"
        )
        result = page.evaluate("window.redraw.end()")
        seen.milliseconds, seen.heights = result["milliseconds"], result["heights"]
        seen.is_changed = self.picture.evaluate(CONTENT) != before
        seen.pictures = self.output.locator("img").count()
        seen.outputs = self.output.locator(".jp-OutputArea-child").count()

    def walk(self, key: str) -> list[int]:
        """Press Tab or Shift+Tab until the focus leaves the explorer; the controls that had it."""
        is_backwards = key.startswith("Shift")
        self.controls[-1 if is_backwards else 0].focus(last=is_backwards)
        visited: list[int] = []
        while self.output.evaluate("area => area.contains(document.activeElement)"):
            for i, control in enumerate(self.controls):
                if control.has_focus() and visited[-1:] != [i]:
                    visited.append(i)
            self.notebook.page.keyboard.press(key)
        return visited

    def drawing_milliseconds(self) -> float:
        """How long the kernel alone computes to draw this explorer's picture."""
        return float(self._in_kernel(MEDIAN_OF_TEN_DRAWINGS))

    def wait_until_current(self) -> None:
        """Wait until the picture is the one that belongs to the controls' values."""
        deadline = time.monotonic() + CATCHING_UP_S
        while self.picture.evaluate(CONTENT) != self._in_kernel(DRAW):
            assert time.monotonic() < deadline, "the picture is not that of the controls' values"

    def _in_kernel(self, code: str) -> str:
        return self.notebook.execute(IN_KERNEL.format(number=self.number, code=code))


def explorers(notebook: NotebookPage) -> Iterator[ExplorerOnPage]:
    """The notebook's explorers, from top to bottom, each scrolled into view."""
    for number, (index, _) in enumerate(stored_labels(notebook.outputs())):
        yield ExplorerOnPage(notebook, index, number)


def stored_labels(outputs: list[list[dict]]) -> list[tuple[int, list[str]]]:
    """Cell and labels of each explorer, from the text that is stored with it."""
    found = []
    for index, cell in enumerate(outputs):
        for output in cell:
            text = "".join(output.get("data", {}).get("text/plain", ""))
            if text.startswith("explorer with "):
                found.append((index, text.partition(": ")[2].split(", ")))
    return found
