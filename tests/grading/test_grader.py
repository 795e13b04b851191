"""One submission through the real sandbox: statuses, points, and what answers can do to others."""

import textwrap

import pytest

from gm_course.checks import exercise, find_check
from tests.grading.submissions import NUMBERS, code_cell, submission, untouched, worked

RIGHT = """
def autoencoder_objective(x, x_hat):
    return -0.5 * ((x - x_hat) ** 2).sum(1)
"""


def answers(result) -> dict[str, str]:
    return {answer.name: answer.status for answer in result.answers}


def first(result):
    return result.answers[0]


@pytest.fixture
def grade_first(grader):
    """Grade the worked 13-3 with another first answer (autoencoder_objective)."""

    def grade(code: str, **cells):
        source = textwrap.dedent(code)
        return grader.grade(
            submission("13-3", {"autoencoder_objective": source}, base=worked("13-3"), **cells)
        )

    return grade


@pytest.mark.parametrize("number", NUMBERS)
def test_worked_exercise_has_full_score(grader, number):
    result = grader.grade(worked(number))
    assert result.status == "graded"
    assert result.exercise == number
    assert set(answers(result).values()) == {"passed"}
    assert result.score == result.max_score == exercise(number).max_score
    assert [written.status for written in result.written] == ["needs_review"]


@pytest.mark.parametrize("number", NUMBERS)
def test_untouched_exercise_has_none(grader, number):
    result = grader.grade(untouched(number))
    assert set(answers(result).values()) == {"not_attempted"}
    assert (result.score, result.max_score) == (0, exercise(number).max_score)
    assert [written.status for written in result.written] == ["empty"]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("passed", RIGHT),
        ("failed", "def autoencoder_objective(x, x_hat): return -((x - x_hat) ** 2).sum(1)"),
        ("error", "def autoencoder_objective(x, x_hat): return missing_name"),
        ("error", "def autoencoder_objective(x, x_hat): raise SystemExit"),
        ("error", "def autoencoder_objective(x, x_hat): raise KeyboardInterrupt"),
        ("error", f"{RIGHT}\n1 / 0"),
        ("error", "def autoencoder_objective(x, x_hat:"),
        ("not_attempted", "def autoencoder_objective(x, x_hat): raise NotImplementedError"),
        ("crashed", "import os\ndef autoencoder_objective(x, x_hat): os._exit(0)"),
        ("crashed", f"{RIGHT}\nimport os; os._exit(0)"),
        ("missing", "def autoencoder_loss(x, x_hat): return -0.5 * ((x - x_hat) ** 2).sum(1)"),
        ("missing", "autoencoder_objective = 3"),
    ],
)
def test_status_of_one_answer_leaves_the_others_alone(grade_first, status, code):
    result = grade_first(code)
    assert first(result).status == status
    assert first(result).score == (first(result).max_score if status == "passed" else 0)
    assert (first(result).diagnosis == "") == (status in ("passed", "not_attempted"))
    assert {answer.status for answer in result.answers[1:]} == {"passed"}


def test_endless_loop_is_a_timeout(grader, monkeypatch):
    monkeypatch.setattr(grader, "_timeout", 1.0)
    code = "def autoencoder_objective(x, x_hat):\n    while True: pass"
    result = grader.grade(submission("13-3", {"autoencoder_objective": code}, base=worked("13-3")))
    assert first(result).status == "timeout"
    assert {answer.status for answer in result.answers[1:]} == {"passed"}


def test_not_implemented_while_the_result_is_read_is_an_error(grade_first):
    result = grade_first(
        """
        import numbers

        @numbers.Real.register
        class Lazy:
            def __float__(self):
                raise NotImplementedError

        def autoencoder_objective(x, x_hat):
            return Lazy()
        """
    )
    assert first(result).status == "error"


def test_library_patched_by_one_answer_is_not_seen_by_the_others(grade_first):
    result = grade_first(
        """
        import torch

        torch.Tensor.sum = torch.Tensor.mean = torch.cov = torch.logdet = None
        torch.linalg.slogdet = torch.linalg.cholesky = torch.var = torch.Tensor.var = None

        def autoencoder_objective(x, x_hat):
            return -0.5 * torch.einsum("bd,bd->b", x - x_hat, x - x_hat)
        """
    )
    assert {answer.status for answer in result.answers} == {"passed"}


def test_daemon_of_one_answer_cannot_end_the_others(grade_first):
    result = grade_first(
        """
        import os

        if os.fork() == 0:
            os.setsid()
            while True:
                try:
                    os.kill(-1, 9)
                except OSError:
                    pass

        def autoencoder_objective(x, x_hat):
            return -0.5 * ((x - x_hat) ** 2).sum(1)
        """
    )
    assert {answer.status for answer in result.answers[1:]} == {"passed"}


def test_results_forged_by_one_answer_gain_nothing(grade_first):
    forged = b'{"responses": []}'
    result = grade_first(
        f"""
        import os, struct

        def autoencoder_objective(x, x_hat):
            for descriptor in range(3, 256):
                for _ in range(9):
                    try:
                        os.write(descriptor, struct.pack(">I", {len(forged)}) + {forged!r})
                    except OSError:
                        break
            os._exit(0)
        """
    )
    assert first(result).status in ("crashed", "failed", "error")
    assert {answer.status for answer in result.answers[1:]} == {"passed"}


def test_checks_cannot_be_imported_in_the_sandbox(grade_first):
    result = grade_first(
        """
        from gm_course.checks import check
        from gm_course.checks.ex13_3 import EXERCISE

        def autoencoder_objective(x, x_hat):
            return x
        """
    )
    assert first(result).status == "error"
    assert "ModuleNotFoundError" in first(result).diagnosis


def test_helpers_and_constants_of_the_student_are_found(grade_first):
    code = "def autoencoder_objective(x, x_hat):\n    return scaled(squares(x - x_hat))"
    cells = ["FACTOR = -0.5", "def scaled(v):\n    return FACTOR * v"]
    result = grade_first(code, before=[*cells, "def squares(v):\n    return np.square(v).sum(1)"],
                         after=["import numpy as np"])  # fmt: skip
    assert first(result).status == "passed"


def test_source_of_an_answer_can_be_read(grade_first):
    result = grade_first(
        """
        import inspect

        def autoencoder_objective(x, x_hat):
            assert "inspect.getsource" in inspect.getsource(autoencoder_objective)
            return -0.5 * ((x - x_hat) ** 2).sum(1)
        """
    )
    assert first(result).status == "passed"


def test_training_loops_and_plots_are_not_run(grade_first):
    result = grade_first(RIGHT, before=["while True:\n    pass"], after=["import os; os._exit(1)"])
    assert {answer.status for answer in result.answers} == {"passed"}


def test_moved_answer_without_its_metadata_is_found_by_name(grader):
    notebook = submission("13-3", {"autoencoder_objective": "x = 1"}, after=[RIGHT])
    assert first(grader.grade(notebook)).status == "passed"


def test_repeated_grade_id_counts_once(grader):
    result = grader.grade(
        submission("13-3", {"autoencoder_objective": RIGHT}).replace(
            b'"cells": [',
            b'"cells": [' + _cell_with_id(RIGHT, "autoencoder_objective") + b", ",
            1,
        )
    )
    assert result.score == first(result).max_score


def _cell_with_id(source: str, grade_id: str) -> bytes:
    import json

    cell = code_cell(source, metadata={"nbgrader": {"grade_id": grade_id, "points": 1000}})
    return json.dumps(cell).encode()


def test_partial_points_are_the_share_of_the_right_parts(grader):
    check = find_check("lipschitz_constants")
    code = (
        "import math\ndef lipschitz_constants():\n"
        "    return {1: -1.0, 2: math.inf, 3: -1.0, 4: math.inf}"
    )
    answer = first(grader.grade(submission("13-5", {"lipschitz_constants": code})))
    assert (answer.status, answer.score) == ("failed", check.points / 2)


@pytest.mark.parametrize("number", NUMBERS)
def test_verdicts_are_those_of_the_notebook(grader, number):
    """The same wrong answer gets the same diagnosis here as from ``check`` in the notebook."""
    for check in exercise(number).checks:
        code = f"def {check.name}(*arguments):\n    return arguments and arguments[0]"
        namespace: dict[str, object] = {}
        exec(code, namespace)
        expected = check.grade(namespace[check.name])
        answer = next(
            item
            for item in grader.grade(submission(number, {check.name: code})).answers
            if item.name == check.name
        )
        assert (answer.status, answer.score) == (expected.status, expected.score)
        assert (answer.mistake, answer.report) == (expected.mistake, expected.text)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", "unreadable"),
        (b"\xff\xfe{", "unreadable"),
        (b"[" * 100_000, "unreadable"),
        (b'{"cells": [], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}', "unknown_exercise"),
    ],
)
def test_what_cannot_be_graded_says_why(grader, content, status):
    result = grader.grade(content)
    assert (result.status, result.exercise, result.answers) == (status, None, ())
    assert result.message
    assert "\n" not in result.message


def test_killed_server_is_started_again(grader):
    grader._sandbox._process.kill()
    grader._sandbox._process.wait()
    assert grader.grade(worked("13-3")).score == exercise("13-3").max_score
