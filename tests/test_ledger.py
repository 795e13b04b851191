"""The equation ledger: complete, shown in the lectures, right, and able to be wrong."""

import json
import math
import re

import pytest
from click.testing import CliRunner

from gm_course.cli import main
from gm_course.ledger import cli
from gm_course.ledger.catalogue import EQUATIONS
from gm_course.ledger.equation import Equation, Row, show_equations
from tests.notebook_files import ROOT, read

# The chapter's tables, in their order.
NAMES = [
    "marginal-density",
    "em-monotone",
    "ancestral-sampling",
    "pushforward-sampling",
    "bayes-rule",
    "gda-is-logistic",
    "joint-factorisation",
    "evidence-decomposition",
    "elbo-definition",
    "posterior",
    "elbo-is-bound",
    "inference-objective",
    "bernoulli-likelihood",
    "gaussian-likelihood",
    "elbo-split",
    "reparameterisation",
    "score-function",
    "monte-carlo-elbo",
    "gaussian-kl-general",
    "gaussian-kl-standard",
    "objective-13-28",
    "objective-is-scaled-elbo",
    "discriminator-cross-entropy",
    "generator-pushforward",
    "saturating-gradient",
    "minimax-objective",
    "optimal-discriminator",
    "gan-value-is-js",
    "gan-optimum",
    "js-bounds",
    "js-vanishing-gradient",
    "nonsaturating-decomposition",
    "forward-kl-covers",
    "reverse-kl-seeks",
    "wasserstein-primal",
    "wasserstein-disjoint",
    "kantorovich-rubinstein",
    "k-lipschitz-scaling",
    "lipschitz-norm",
    "critic-objective",
    "clipping-bounds-lipschitz",
    "critic-gradient-alive",
]


def marked(*values, name, label=""):
    mark = pytest.mark.equation(name)
    return pytest.param(*values, marks=mark, id=f"{name}: {label}" if label else name)


each_equation = pytest.mark.parametrize(
    "equation", [marked(equation, name=equation.name) for equation in EQUATIONS]
)


def test_every_equation_of_the_chapter_is_there_once_and_in_order():
    assert len(NAMES) == 42
    assert [equation.name for equation in EQUATIONS] == NAMES


@each_equation
def test_the_equation_holds(equation):
    row = equation.check()
    assert row.passed, row
    # An error of exactly 0 may be luck; a negative one would be a fault of the check.
    assert row.error >= 0


@each_equation
def test_the_check_repeats_itself(equation):
    assert equation.check() == equation.check()


@pytest.mark.parametrize(
    ("equation", "killer"),
    [
        marked(equation, killer, name=equation.name, label=wrong)
        for equation in EQUATIONS
        for wrong, killer in equation.killers.items()
    ],
)
def test_a_plausible_wrong_formula_fails(equation, killer):
    row = equation.check(killer)
    assert not row.passed, row
    assert not row.error <= 2 * equation.tolerance, "the check is too close to missing it"


@each_equation
def test_the_equation_has_a_killer_and_says_what_it_is_compared_with(equation):
    assert equation.killers
    assert equation.oracle
    assert equation.measure
    assert 0 <= equation.tolerance < math.inf


@each_equation
def test_the_lecture_shows_the_equation(equation):
    cells = read(ROOT / "notebooks" / f"{equation.notebook}.ipynb").cells
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert f"`{equation.name}`" in prose
    assert re.search(r"^\*Sections? 13\.", prose, re.MULTILINE)
    printed = "\n".join(
        output.get("text", "") for cell in cells for output in cell.get("outputs", [])
    )
    assert f"✓ {equation.name}: " in printed


def example(error):
    return Equation(
        name="two",
        section="13.1",
        notebook="01-x",
        oracle="counting",
        measure="absolute error",
        tolerance=0.5,
        formula=lambda: 2,
        error=error,
        killers={},
    )


def test_an_error_at_the_tolerance_passes_and_one_above_does_not():
    equation = example(lambda formula: abs(formula() - 2))
    assert equation.check() == Row("two", "13.1", "01-x", 0.0, 0.5, True)
    assert equation.check(lambda: 2.5).passed
    assert not equation.check(lambda: 2.6).passed


def test_an_error_of_nan_does_not_pass():
    assert not example(lambda _formula: math.nan).check().passed


def test_show_equations_prints_a_claim_for_each(capsys):
    show_equations([example(lambda _: 0.1), example(lambda _: 1.0)])
    assert capsys.readouterr().out == (
        "✓ two: absolute error at most 0.5 (oracle: counting)\n"
        "✗ two: absolute error at most 0.5 (oracle: counting)\n"
    )


@pytest.fixture
def short_catalogue(monkeypatch):
    """A ledger of two rows, the second one failing."""
    equations = (example(lambda _: 0.25), example(lambda _: math.nan))
    monkeypatch.setattr("gm_course.ledger.catalogue.EQUATIONS", equations)


def run(*arguments):
    result = CliRunner().invoke(main, ["ledger", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def test_the_command_prints_every_name_and_writes_json(tmp_path):
    status, out, err = run("--json", tmp_path / "ledger.json")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[-1] == "42 of 42 equations hold"
    assert [line.split()[:2] for line in lines[:-1]] == [["✓", name] for name in NAMES]
    entries = json.loads((tmp_path / "ledger.json").read_text())
    assert [entry["name"] for entry in entries] == NAMES
    for entry in entries:
        assert list(entry) == ["name", "section", "notebook", "error", "tolerance", "passed"]
        assert entry["passed"] is (entry["error"] <= entry["tolerance"]) is True


@pytest.mark.usefixtures("short_catalogue")
def test_the_command_fails_if_an_equation_fails(tmp_path):
    status, out, err = run("--json", tmp_path / "ledger.json")
    assert (status, err) == (1, "")
    assert out == (
        "✓ two  13.1  01-x   2.5e-01 ≤ 5.0e-01\n"
        "✗ two  13.1  01-x       nan > 5.0e-01\n"
        "1 of 2 equations hold\n"
    )
    entries = json.loads((tmp_path / "ledger.json").read_text())
    assert [(entry["error"], entry["passed"]) for entry in entries] == [(0.25, True), (None, False)]


@pytest.mark.usefixtures("short_catalogue")
def test_a_file_that_cannot_be_written(tmp_path):
    file = tmp_path / "missing" / "ledger.json"
    status, _, err = run("--json", file)
    assert status == 1
    assert err == (
        f"gm-course: error: ledger: --json must name a file that can be written; got {file} "
        "(No such file or directory). Choose a folder that exists and is yours.\n"
    )


def test_columns_are_as_wide_as_needed():
    rows = [Row("a", "13.1", "b", 0.0, 1.0, True), Row("long", "13.1.1", "c", 2.0, 1.0, False)]
    assert cli.table(rows)[:2] == [
        "✓ a     13.1    b   0.0e+00 ≤ 1.0e+00",
        "✗ long  13.1.1  c   2.0e+00 > 1.0e+00",
    ]
