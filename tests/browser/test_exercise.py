"""A student's way through one answer of an exercise: untouched, wrong, right."""

import pytest

from tests.browser.notebook import opened

ANSWER = "def lipschitz_constants("
CHECK = "check(lipschitz_constants)"
DOMAIN_IGNORED = """import math

def lipschitz_constants():
    return {1: math.inf, 2: math.inf, 3: 1.0, 4: math.inf}"""
RIGHT = DOMAIN_IGNORED.replace("{1: math.inf", "{1: 2.0")


@pytest.fixture(scope="module")
def exercise(lab, browser):
    with opened(browser, lab, "exercises/13-5.ipynb") as notebook:
        notebook.run_up_to(notebook.find(ANSWER))
        yield notebook


def test_verdict_follows_the_answer(exercise, keep_screenshot):
    answer, check = exercise.find(ANSWER), exercise.find(CHECK)

    def verdict():
        exercise.run(answer)
        exercise.run(check)
        exercise.scroll_to(answer)
        return exercise.text(check)

    assert verdict().startswith("lipschitz_constants: not attempted, 0 of 2 points.")
    keep_screenshot("exercise-not-attempted")

    exercise.write(answer, DOMAIN_IGNORED)
    diagnosis = verdict()
    assert diagnosis.startswith("lipschitz_constants: not passed, 1.5 of 2 points.")
    assert "looks like x² on all of R, where it has no constant" in diagnosis
    assert "hint       Number 1 lives on [−1, 1] only" in diagnosis
    keep_screenshot("exercise-diagnosis")

    exercise.write(answer, RIGHT)
    assert verdict() == "lipschitz_constants: passed, 2 of 2 points.\n"
    keep_screenshot("exercise-passed")
    assert exercise.complaints == []


def test_a_check_cell_cannot_be_edited(exercise):
    check = exercise.find(CHECK)
    exercise.write(check, "pass")
    assert exercise.source(check) == CHECK
