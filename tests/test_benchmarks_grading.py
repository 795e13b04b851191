"""The class the grading benchmark grades: the same every time, valid, its verdicts known."""

import sys
from collections import Counter

import nbformat
import pytest

from benchmarks.class_of_submissions import submissions, untouched, variants_skipped, variants_used
from benchmarks.corpus import Sources, load_corpus, load_module
from benchmarks.grader_runs import differences
from benchmarks.process_tree import run
from gm_course.checks import exercise, find_check
from gm_course.checks.registry import ANSWERS

STUDENTS = 8


@pytest.fixture(scope="module")
def made():
    return list(submissions(STUDENTS))


def function_of(sources, name):
    """The answer's function, from source that may rely on nothing else."""
    namespace = {}
    for source in sources:
        exec(compile(source, "<answer>", "exec"), namespace)
    return namespace[name]


def answer_sources(content):
    """By answer: the sources of the cell itself and, before it, of the one with its helpers."""
    sources, above = {}, {}
    for cell in nbformat.reads(content.decode(), as_version=4).cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        if cell.id.endswith("-support"):
            above[cell.id.removesuffix("-support")] = [cell.source]
        elif any(name in names for names in ANSWERS.values()):
            sources[name] = [*above.get(name, []), cell.source]
    return sources


def test_class_is_the_same_every_time(made):
    assert list(submissions(STUDENTS)) == made


def test_smaller_class_is_the_beginning_of_a_larger_one(made):
    assert list(submissions(3)) == made[:3]


def test_another_seed_is_another_class(made):
    assert [item.content for item in submissions(3, seed=1)] != [item.content for item in made[:3]]


def test_notebooks_are_valid_and_no_two_are_equal(made):
    for submission in [*made, *map(untouched, ANSWERS)]:
        nbformat.validate(nbformat.reads(submission.content.decode(), as_version=4))
    assert len({submission.content for submission in made}) == STUDENTS


def test_notebooks_keep_the_cells_nbgrader_needs(made):
    for submission in made:
        notebook = nbformat.reads(submission.content.decode(), as_version=4)
        tagged = [c.metadata.nbgrader.grade_id for c in notebook.cells if "nbgrader" in c.metadata]
        number = submission.expected.exercise
        expected = [name for answer in ANSWERS[number] for name in (answer, f"check_{answer}")]
        assert tagged == [*expected, exercise(number).written_name]


def test_answers_stand_alone_and_get_the_expected_verdicts(made):
    labels = Counter()
    for submission in made:
        sources = answer_sources(submission.content)
        assert list(sources) == list(submission.expected.answers)
        for name, expected in submission.expected.answers.items():
            verdict = find_check(name).grade(function_of(sources[name], name))
            got = (verdict.status, verdict.score, verdict.hint)
            assert got == (expected.status, expected.score, expected.hint), expected.label
            labels[expected.status] += 1
    assert {"passed", "failed", "not_attempted"} <= labels.keys()


def test_expected_verdicts_are_those_the_corpus_states(made):
    for submission in made:
        corpus = load_corpus(submission.expected.exercise)
        for name, expected in submission.expected.answers.items():
            right = {variant.label for variant in corpus.right[name]}
            wrong = {variant.label: variant for variant in corpus.wrong[name]}
            points = find_check(name).points
            if expected.label in right:
                assert (expected.status, expected.score) == ("passed", points)
            elif expected.label in wrong:
                assert expected.status in ("failed", "error")
                assert expected.score < points
                assert wrong[expected.label].verdict.mistake == wrong[expected.label].mistake
            else:
                assert expected.label == "untouched"
                assert (expected.status, expected.score) == ("not_attempted", 0)


def test_every_answer_of_the_corpora_is_used():
    assert variants_skipped() == []
    assert variants_used() > 800


def test_every_answer_of_the_corpora_compiles_under_the_answer_s_name():
    taken = {name for names in ANSWERS.values() for name in names}
    for number in ANSWERS:
        for variant in load_corpus(number).variants:
            assert function_of([variant.cell], variant.answer).__name__ == variant.answer
            # A helper of that name would replace another answer of the notebook.
            namespace = {}
            exec(variant.support, namespace)
            assert not taken & namespace.keys(), variant.label


SOURCE = '''
import functools
import math as m
from os import path, sep

SCALE = 2.0
UNUSED = m.e


def helper(x):
    return SCALE * x


def remembered(function):
    return functools.cache(function)


@remembered
def decorated(x, y=m.pi):
    """Calls decorated(…)."""
    path = "a local name, not the import"
    return helper(x) + y if path else decorated(x)


def factory(scale):
    def made(x):
        return scale * x
    return made


made = factory(3)
a_lambda = lambda x: x
partial = functools.partial(helper, 1)
'''


@pytest.fixture
def module(tmp_path):
    path = tmp_path / "few_answers.py"
    path.write_text(SOURCE)
    return load_module(path)


def test_source_comes_with_all_it_uses_and_nothing_else(module):
    support, source = Sources(module).of(module.decorated, renamed="answer")
    assert support == (
        "import functools\nimport math as m\n\n\nSCALE = 2.0\n\n\n"
        "def helper(x):\n    return SCALE * x\n\n\n"
        "def remembered(function):\n    return functools.cache(function)"
    )
    assert source.startswith("@remembered\ndef answer(x, y=m.pi):")
    assert source.endswith("else answer(x)")
    assert function_of([support, source], "answer")(1, 0) == 2


@pytest.mark.parametrize("name", ["made", "a_lambda", "partial"])
def test_functions_without_source_of_their_own_are_left_out(module, name):
    assert Sources(module).of(getattr(module, name), renamed="answer") is None


# --- comparing results ------------------------------------------------------------------------


def result_as_expected(expected):
    return {
        "status": "graded",
        "exercise": expected.exercise,
        "answers": [
            {"name": name, "status": answer.status, "score": answer.score, "hint": answer.hint}
            for name, answer in expected.answers.items()
        ],
        "written": [{"status": expected.written}],
    }


def test_results_as_expected_have_no_differences(made):
    for submission in made:
        assert differences(result_as_expected(submission.expected), submission.expected) == []


def _other_score(found):
    found["answers"][0]["score"] += 0.5


def _other_status(found):
    found["answers"][1]["status"] = "timeout"


def _other_hint(found):
    found["answers"][-1]["hint"] += "?"


def _answer_left_out(found):
    del found["answers"][0]


def _answer_too_many(found):
    found["answers"].append({"name": "more", "status": "passed", "score": 0.0, "hint": ""})


def _unreadable(found):
    found.update(status="unreadable", exercise=None)


def _other_exercise(found):
    found["exercise"] = "13-7"


def _other_written(found):
    found["written"][0]["status"] = "unread"


def _no_written(found):
    found["written"] = []


@pytest.mark.parametrize(
    "spoil",
    [
        _other_score,
        _other_status,
        _other_hint,
        _answer_left_out,
        _answer_too_many,
        _unreadable,
        _other_exercise,
        _other_written,
        _no_written,
    ],
)
def test_any_other_result_is_told_once(made, spoil):
    found = result_as_expected(made[0].expected)
    spoil(found)
    assert len(differences(found, made[0].expected)) == 1


# --- watching a command -----------------------------------------------------------------------

HOLDS_MEMORY = """
import subprocess, sys, time
child = "import time; held = bytearray(80_000_000); time.sleep(1.5)"
print("begun", flush=True)
subprocess.run([sys.executable, "-c", child])
sys.exit(3)
"""


def test_run_sees_output_exit_status_and_the_memory_of_children(tmp_path):
    watched = run([sys.executable, "-c", HOLDS_MEMORY], folder=tmp_path)
    assert (watched.returncode, watched.output) == (3, "begun\n")
    assert 80e6 < watched.peak_memory < 200e6
    assert watched.peak_memory == watched.peak_memory_between(0, 1)
