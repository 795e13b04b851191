"""`check()` as a student meets it, and the package's promises."""

import ast
import math
import sys
from pathlib import Path

import pytest
import torch

import gm_course.checks
from gm_course.checks import check, exercise, find_check
from gm_course.checks.engine import Exercise
from gm_course.checks.registry import ANSWERS, NotPassedError, UnknownAnswerError
from gm_course.errors import ArgumentError


def affine_map(data_dim, lam):
    return lam, lam * data_dim / 2 * math.log(2 * math.pi * lam)


def test_check_prints_the_verdict_and_returns_nothing(capsys, monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    assert check(affine_map) is None
    assert capsys.readouterr() == ("affine_map: passed, 2 of 2 points.\n", "")


def test_check_raises_in_nbgrader_unless_passed(capsys, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    check(affine_map)

    def wrong(data_dim, lam):
        return lam, 0.0

    wrong.__name__ = "affine_map"
    with pytest.raises(NotPassedError) as caught:
        check(wrong)
    assert str(caught.value) == "affine_map: failed, 0 of 2 points"
    assert caught.value._render_traceback_() == [
        "NotPassedError: affine_map: failed, 0 of 2 points"
    ]
    printed = capsys.readouterr()
    assert "b = 0: the constants forgotten" in printed.out
    assert printed.err == ""  # nbgrader takes anything on stderr for a failure


def test_a_stub_raises_in_nbgrader_too(capsys, monkeypatch):
    def affine_map(data_dim, lam):
        raise NotImplementedError

    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    with pytest.raises(NotPassedError, match="not_attempted"):
        check(affine_map)
    assert "not attempted" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (lambda mu, var: mu, "got a lambda. Pass the function itself"),
        ("gaussian_kl", "got an object of type str. Pass the function itself"),
        (torch.zeros(2), "got an object of type Tensor"),
        (None, "got an object of type NoneType"),
        (math.sqrt, "got 'sqrt'. Rename it to the one the exercise asks for"),
    ],
)
def test_check_of_something_else_says_what_to_give(thing, message):
    with pytest.raises(UnknownAnswerError, match="check: function must") as caught:
        check(thing)
    assert message in str(caught.value)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UnknownAnswerError) as caught:
        find_check("gausian_kl")
    assert all(name in str(caught.value) for names in ANSWERS.values() for name in names)


def test_an_unknown_exercise_is_refused():
    with pytest.raises(ArgumentError, match=r"exercise: number must be one of 13-1, .*got '13.2'"):
        exercise("13.2")


# --- the package ------------------------------------------------------------------------------

MODULES = sorted(Path(gm_course.checks.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_checks_import_nothing_of_the_course_but_errors(path):
    imported = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported += [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            imported.append(node.module)
    own = [name for name in imported if name.startswith("gm_course")]
    assert all(name.startswith(("gm_course.checks", "gm_course.errors")) for name in own)
    others = {name.split(".")[0] for name in imported} - {"gm_course"}
    assert others <= sys.stdlib_module_names | {"torch", "numpy", "scipy"}


def test_calls_know_nothing_of_expected_results():
    # The grader lets this module into the sandbox.
    tree = ast.parse(next(path for path in MODULES if path.stem == "calls").read_text("utf-8"))
    names = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not any(name.startswith("gm_course") for name in names)


@pytest.mark.parametrize(
    "number", [n for n in ANSWERS if any(p.stem == f"ex{n.replace('-', '_')}" for p in MODULES)]
)
def test_every_answer_of_the_contract_has_its_check(number):
    found = exercise(number)
    assert isinstance(found, Exercise)
    assert found.number == number
    assert tuple(item.name for item in found.checks) == ANSWERS[number]
    assert found.written_name == f"written_{number.replace('-', '_')}"
    assert found.max_score == sum(item.points for item in found.checks)
    assert found.written_points > 0
    assert all(find_check(name).name == name for name in ANSWERS[number])


def test_every_exercise_has_its_corpus_tested():
    here = Path(__file__).parent
    for kind in ("corpus", "test_corpus"):
        files = [path.stem for path in here.glob(f"{kind}_13_*.py")]
        assert sorted(files) == [f"{kind}_{number.replace('-', '_')}" for number in sorted(ANSWERS)]
    for number in ANSWERS:
        source = (here / f"test_corpus_{number.replace('-', '_')}.py").read_text(encoding="utf-8")
        assert f'number = "{number}"' in source
