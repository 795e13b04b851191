"""Every worked answer stands alone: its cell, in an empty namespace, passes its check."""

from pathlib import Path

import nbformat
import pytest

from gm_course.checks import exercise

ROOT = Path(__file__).parent.parent
NUMBERS = [f"13-{number}" for number in range(1, 7)]


@pytest.mark.parametrize("number", NUMBERS)
def test_answer_cells_pass_on_their_own(number):
    notebook = nbformat.read(ROOT / f"solutions/{number}.ipynb", as_version=4)
    cells = {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution")
    }
    checks = exercise(number).checks
    assert list(cells) == [check.name for check in checks]
    for check in checks:
        namespace: dict[str, object] = {}
        exec(cells[check.name], namespace)
        verdict = check.grade(namespace[check.name])
        assert verdict.status == "passed", verdict.text
