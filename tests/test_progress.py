"""The progress bar: silent where nobody looks, and without a plain-text twin in notebooks."""

import io
import sys

import pytest
from tqdm.notebook import tqdm as notebook_tqdm

from gm_course import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_pipe_gets_nothing(capsys):
    with progress.ProgressBar(total=3, initial=0, is_shown=True) as bar:
        for step in (1, 2, 3):
            bar.update(step, lambda: {"loss": 1.0})
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("is_shown", "seen"), [(True, True), (False, False)])
def test_terminal_shows_steps_and_losses_if_asked(monkeypatch, is_shown, seen):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress.ProgressBar(total=3, initial=1, is_shown=is_shown) as bar:
        bar.update(3, lambda: {"loss": 0.123456, "KL": 2.0})
    assert ("3/3" in terminal.getvalue()) == seen
    assert ("loss=0.1235, KL=2" in terminal.getvalue()) == seen


def test_losses_are_only_read_when_the_bar_is_redrawn(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(progress, "REDRAW_SECONDS", 1e9)
    reads = []
    with progress.ProgressBar(total=100, initial=0, is_shown=True) as bar:
        for step in range(1, 100):
            bar.update(step, lambda step=step: reads.append(step) or {})
    assert reads == [1]


def test_notebook_bar_is_a_widget_without_plain_text(monkeypatch):
    shown = []
    monkeypatch.setattr(progress, "tqdm", notebook_tqdm)
    monkeypatch.setattr("IPython.display.display", lambda data, *, raw: shown.append((data, raw)))
    with progress.ProgressBar(total=2, initial=0, is_shown=True) as bar:
        bar.update(2, lambda: {"loss": 1.5})
        text = bar._bar.container.children[2].value
    (bundle, raw), *others = shown
    assert not others
    assert raw
    assert set(bundle) == {"application/vnd.jupyter.widget-view+json"}
    assert "2/2" in text
    assert "loss=1.5" in text.replace("\u2007", " ")
