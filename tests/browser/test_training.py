"""The stop button during training: what was trained is kept, and running again goes on from it."""

import json
import re

import pytest

from tests.browser.notebook import opened

TRAINING = "history = trainer.run(steps)"
MESSAGE = (
    r"Interrupted after step ([\d,]+) of ([\d,]+); what was trained is kept\. "
    r"Call run\((\d+)\) again to go on\.\n"
)


def number(text):
    return int(text.replace(",", ""))


@pytest.fixture(scope="module")
def lecture(lab, browser):
    with opened(browser, lab, "notebooks/05-training-a-vae.ipynb") as notebook:
        notebook.run_up_to(notebook.find(TRAINING))
        yield notebook


def losses(lecture):
    """The training losses so far."""
    return json.loads(lecture.execute("print(trainer.history['vae']['loss'].tolist())"))


def test_training_stops_keeps_what_it_has_and_goes_on(lecture, keep_screenshot):
    cell = lecture.find(TRAINING)
    lecture.start(cell)
    # The progress bar, once it has moved: "12/2000 [00:01<…", with wide spaces.
    lecture.cell(cell).get_by_text(re.compile(r"[1-9]\d*/\d+\s\[")).wait_for()
    lecture.stop()
    lecture.wait_for([cell])
    keep_screenshot("training-interrupted")

    found = re.fullmatch(MESSAGE, lecture.text(cell))
    assert found, lecture.text(cell)
    done, steps, again = map(number, found.groups())
    kept = losses(lecture)
    assert len(kept) == done < steps == again

    lecture.run(cell)
    assert lecture.text(cell) == ""
    assert len(losses(lecture)) == steps
    assert losses(lecture)[:done] == kept
    assert lecture.complaints == []
