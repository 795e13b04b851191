"""The rubrics in the package are those that the students read."""

import re
from pathlib import Path

import pytest

from gm_course.checks import exercise
from gm_course.errors import ArgumentError
from gm_course.grading.rubrics import remark, rubric

ROOT = Path(__file__).parent.parent.parent
NUMBERS = [f"13-{number}" for number in range(1, 7)]


def question(number: str) -> str:
    """The Markdown cell above the written answer, from the exercise's source."""
    text = (ROOT / f"sources/exercises/{number}.py").read_text(encoding="utf-8")
    cells = re.split(r"(?m)^# %%.*\n", text)
    heads = re.findall(r"(?m)^# %%.*\n", text)
    written = f'"written_{number.replace("-", "_")}"'
    index = next(at for at, head in enumerate(heads) if written in head)
    assert "[markdown]" in heads[index - 1]
    return "\n".join(line.removeprefix("#").strip() for line in cells[index].splitlines())


def stated_rows(number: str) -> list[tuple[float, str]]:
    """Points and text of each row: of a table, or of a numbered list that names the points."""
    text = question(number)
    table = re.findall(r"(?m)^\| *([0-9.]+) *\| *(.+?) *\|$", text)
    if table:
        return [(float(points), row) for points, row in table]
    items = re.split(r"(?m)^[0-9]+\. ", text)[1:]
    found = []
    for item in items:
        joined = " ".join(item.split())
        points = re.search(r" \(([0-9.]+) points?\)", joined)
        found.append((float(points[1]), joined.replace(points[0], "")))
    return found


@pytest.mark.parametrize("number", NUMBERS)
def test_the_rows_are_those_of_the_exercise(number):
    stated = stated_rows(number)
    assert len(stated) == 4
    assert [(row.points, row.text) for row in rubric(number)] == stated


@pytest.mark.parametrize("number", NUMBERS)
def test_points_add_up_to_the_written_points(number):
    assert sum(row.points for row in rubric(number)) == exercise(number).written_points


@pytest.mark.parametrize("number", NUMBERS)
def test_remarks_are_those_of_the_exercise(number):
    _, _, below = question(number).rpartition("|\n")
    after = " ".join(below.split())
    for paragraph in filter(None, remark(number).split("\n\n")):
        assert paragraph in after
    # Whatever speaks of points below a table is part of the rubric, too.
    if re.search(r"½ point|earns", after):
        assert remark(number)


@pytest.mark.parametrize("function", [rubric, remark])
def test_an_unknown_exercise_is_refused(function):
    with pytest.raises(ArgumentError, match=rf"^{function.__name__}: number must .* got '13_1'\."):
        function("13_1")
