"""The six exercises in nbgrader's hands: an instructor's release, submissions, gradebook.

Everything happens in a temporary course directory, with nbgrader's own commands and defaults.
"""

import copy
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from gm_course.checks import exercise
from tests.notebook_files import ROOT, read

NUMBERS = [f"13-{number}" for number in range(1, 7)]
# What each student hands in. One notebook takes nbgrader some seconds, so not all do everything.
WORKED = NUMBERS
UNTOUCHED = ["13-1", "13-5"]
HALF = ["13-2", "13-4", "13-6"]


def nbgrader(command: str, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *command.split()],
        cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def answer_cells(notebook: nbformat.NotebookNode) -> dict[str, nbformat.NotebookNode]:
    """The cells in which a student writes code, by grade_id."""
    return {
        cell.metadata.nbgrader.grade_id: cell
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution")
    }


def right_half(number: str) -> list[str]:
    return [check.name for check in exercise(number).checks][::2]


@pytest.fixture(scope="module", autouse=True)
def _active_environment():
    """As after `source .venv/bin/activate`: nbgrader calls alembic by its name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
        yield


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("course")
    (folder / "nbgrader_config.py").write_text("c = get_config()\n")
    source = folder / "source" / "ps13"
    source.mkdir(parents=True)
    for number in NUMBERS:
        (source / f"{number}.ipynb").write_bytes((ROOT / f"solutions/{number}.ipynb").read_bytes())
    nbgrader("generate_assignment ps13", folder)

    for number in NUMBERS:
        release = read(folder / "release" / "ps13" / f"{number}.ipynb")
        worked = read(ROOT / f"solutions/{number}.ipynb")
        half = copy.deepcopy(release)
        for name in right_half(number):
            answer_cells(half)[name].source = answer_cells(worked)[name].source
        for student, numbers, notebook in (
            ("worked", WORKED, worked),
            ("untouched", UNTOUCHED, release),
            ("half", HALF, half),
        ):
            if number in numbers:
                target = folder / "submitted" / student / "ps13" / f"{number}.ipynb"
                target.parent.mkdir(parents=True, exist_ok=True)
                nbformat.write(notebook, target)
    nbgrader("autograde ps13", folder)
    return folder


@pytest.fixture(scope="module")
def gradebook(course):
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        yield book


@pytest.mark.parametrize("number", NUMBERS)
def test_release_shows_what_our_exercise_shows(course, number):
    release = read(course / "release" / "ps13" / f"{number}.ipynb")
    ours = read(ROOT / f"exercises/{number}.ipynb")
    for theirs, mine in zip(release.cells, ours.cells, strict=True):
        tags = dict(theirs.metadata.get("nbgrader", {}))
        # nbgrader adds these two, by which it recognises changes of locked cells
        assert tags.pop("cell_type", mine.cell_type) == mine.cell_type
        tags.pop("checksum", None)
        assert tags == mine.metadata.get("nbgrader", {})
        if not tags.get("solution"):
            assert theirs.source == mine.source  # the stubs differ: nbgrader's default is longer


@pytest.mark.parametrize("number", NUMBERS)
def test_points_are_those_of_the_checks(gradebook, number):
    notebook = gradebook.find_notebook(number, "ps13")
    worth = {cell.name: cell.max_score for cell in notebook.grade_cells}
    expected = {f"check_{check.name}": check.points for check in exercise(number).checks}
    written = {exercise(number).written_name: exercise(number).written_points}
    assert worth == expected | written


def scores(gradebook, student: str, number: str) -> dict[str, float]:
    submission = gradebook.find_submission_notebook(number, "ps13", student)
    return {
        grade.cell.name.removeprefix("check_"): grade.auto_score
        for grade in submission.grades
        if grade.cell.name.startswith("check_")
    }


@pytest.mark.parametrize("number", WORKED)
def test_worked_solution_earns_every_automatic_point(gradebook, number):
    expected = {check.name: check.points for check in exercise(number).checks}
    assert scores(gradebook, "worked", number) == expected


@pytest.mark.parametrize("number", UNTOUCHED)
def test_untouched_exercise_earns_nothing(gradebook, number):
    expected = {check.name: 0 for check in exercise(number).checks}
    assert scores(gradebook, "untouched", number) == expected


@pytest.mark.parametrize("number", HALF)
def test_half_right_exercise_earns_exactly_its_share(gradebook, number):
    expected = {
        check.name: check.points if check.name in right_half(number) else 0
        for check in exercise(number).checks
    }
    assert scores(gradebook, "half", number) == expected


def test_written_answers_wait_for_a_person(gradebook):
    for number in NUMBERS:
        submission = gradebook.find_submission_notebook(number, "ps13", "worked")
        (written,) = [g for g in submission.grades if g.cell.name == exercise(number).written_name]
        assert written.needs_manual_grade
        assert written.auto_score is None
