"""Every lecture runs to its end in JupyterLab, and its explorers follow keyboard and mouse."""

import pytest

from tests.browser.explorer import explorers, stored_labels
from tests.browser.notebook import opened
from tests.notebook_files import ROOT, read

NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))


def intended_labels(name):
    """What the stored notebook says that the controls of each explorer are called."""
    outputs = [cell.get("outputs", []) for cell in read(ROOT / f"notebooks/{name}.ipynb").cells]
    return [labels for _, labels in stored_labels(outputs)]


WITH_EXPLORERS = [name for name in NOTEBOOKS if intended_labels(name)]


@pytest.fixture(scope="module")
def lecture(request, lab, browser):
    """The notebook, run from top to bottom."""
    with opened(browser, lab, f"notebooks/{request.param}.ipynb") as notebook:
        notebook.run_all()
        yield request.param, notebook


every_notebook = pytest.mark.parametrize("lecture", NOTEBOOKS, indirect=True)
every_lecture_with_explorers = pytest.mark.parametrize("lecture", WITH_EXPLORERS, indirect=True)


def assert_steady(seen):
    """Another picture in the place of the last: never two, never none, never smaller on the way."""
    assert seen.is_changed
    assert (seen.pictures, seen.outputs) == (1, 1)
    assert min(seen.heights) >= min(seen.heights[0], seen.heights[-1]) - 0.5  # subpixels
    assert seen.heights[-1] > 50  # pixels; a broken image is about 16


@every_notebook
def test_runs_to_the_end(lecture):
    _, notebook = lecture
    outputs = [output for cell in notebook.outputs() for output in cell]
    assert [o for o in outputs if o["output_type"] == "error"] == []
    printed = [o for o in outputs if o["output_type"] == "stream"]
    assert [o["text"] for o in printed if o["name"] == "stderr"] == []
    assert [o["text"] for o in printed if "✗" in o["text"]] == []
    assert notebook.complaints == []


@every_lecture_with_explorers
def test_labels_are_the_intended_ones_and_not_cut_off(lecture):
    name, notebook = lecture
    shown = [[c.label.inner_text() for c in e.controls] for e in explorers(notebook)]
    assert shown == intended_labels(name)
    for explorer in explorers(notebook):
        for control in explorer.controls:
            assert control.label.is_visible()
            width, room = control.label.evaluate("e => [e.scrollWidth, e.clientWidth]")
            assert width <= room, f"{control.label.inner_text()!r} is cut off"


@every_lecture_with_explorers
def test_tab_reaches_every_control(lecture):
    _, notebook = lecture
    for explorer in explorers(notebook):
        everything = list(range(len(explorer.controls)))
        assert explorer.walk("Tab") == everything
        assert explorer.walk("Shift+Tab") == everything[::-1]


@every_lecture_with_explorers
def test_keys_redraw_the_picture(lecture, latencies):
    name, notebook = lecture
    for explorer in explorers(notebook):
        times = []
        for control in explorer.controls:
            for part, key in control.moves():
                part.focus()
                with explorer.redraw() as seen:
                    notebook.page.keyboard.press(key)
                assert_steady(seen)
                times.append(seen.milliseconds)
        latencies.add(name, explorer.number + 1, times, explorer.drawing_milliseconds())
    assert notebook.complaints == []


@every_lecture_with_explorers
def test_mouse_redraws_the_picture(lecture, keep_screenshot):
    name, notebook = lecture
    for explorer in explorers(notebook):
        for control in explorer.controls:
            with explorer.redraw() as seen:
                control.move_by_mouse()
            explorer.wait_until_current()
            assert_steady(seen)
        explorer.output.evaluate("area => area.scrollIntoView({block: 'end'})")
        keep_screenshot(f"explorer-{name}-{explorer.number + 1}")
    assert notebook.complaints == []
