"""The command ``gm-course grade``, with fake graders: what it prints, writes, keeps and refuses."""

import functools
import inspect
import json
import os
import pty
import random
import re
import select
import signal
import subprocess
import sys
import termios
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from gm_course.cli import main
from gm_course.errors import SandboxError
from gm_course.grading import cli as module
from gm_course.grading.class_run import grade_class
from gm_course.grading.results import AnswerResult, Result, WrittenResult
from gm_course.grading.similarity import SimilarPair, SimilarPairs
from gm_course.grading.store import ResultStore, grading_fingerprint
from gm_course.grading.workers import LostResult, grade_all
from gm_course.module_graph import read_module_graph
from tests.grading.fake_graders import calls, is_running, kill_workers, started, wait_until
from tests.grading.submissions import ROOT

RESULTS = {
    b"good": Result(
        "graded",
        exercise="13-1",
        answers=(
            AnswerResult("expectation_gradient", "passed", 2.0, 2.0),
            AnswerResult("gumbel_softmax", "passed", 3.0, 3.0),
        ),
        written=(WrittenResult("written_13_1", "needs_review", 4.0, "text"),),
    ),
    b"mixed": Result(
        "graded",
        exercise="13-4",
        answers=(
            AnswerResult("classifier_objective", "not_attempted", 0.0, 2.0),
            AnswerResult("optimal_value", "failed", 0.5, 2.0, "m", "wrong\x1b[2J", "think"),
            AnswerResult("optimal_classifier", "passed", 2.0, 2.0),
            AnswerResult("objective_derivatives", "failed", 0.0, 2.0, "m", "wrong", "think"),
        ),
        written=(WrittenResult("written_13_4", "empty", 4.0),),
    ),
    b"broken": Result("unreadable", message="grade: submission must be\n a\x1b]0;notebook\x07."),
    b"other": Result("unknown_exercise", message="it has none of the answers"),
    b"lost": LostResult("unreadable", message="grade: the grader failed 2 times"),
}


class FakeMachine:
    """Grades in this process, noting what it is given; may raise after some submissions."""

    def __init__(self):
        self.graded = []
        self.settings = []
        self.error = None
        self.error_after = 0

    def __call__(self, jobs, *, timeout, sandboxed):
        self.settings.append((jobs, timeout, sandboxed))
        return self.grade_all

    def grade_all(self, contents):
        for done, (number, content) in enumerate(contents):
            if self.error is not None and done == self.error_after:
                raise self.error
            self.graded.append(content)
            yield number, RESULTS[content]


@functools.cache
def module_graph():
    return read_module_graph(ROOT)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "gm-course" / "grades"


@pytest.fixture
def machine(monkeypatch):
    graph = module_graph()
    monkeypatch.setattr("gm_course.grading.store.read_module_graph", lambda _root: graph)
    fake = FakeMachine()
    monkeypatch.setattr(module, "_on_this_machine", fake)
    return fake


@pytest.fixture
def group(tmp_path, monkeypatch):
    """A folder with submissions a to d; the current directory is the one above."""
    folder = tmp_path / "group"
    folder.mkdir()
    for name, content in zip("abcd", (b"good", b"mixed", b"broken", b"other"), strict=True):
        (folder / f"{name}.ipynb").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    return folder


def run(*arguments):
    """Return exit status, standard output and standard error."""
    result = CliRunner().invoke(main, ["grade", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


TABLE = r"""exercise  score  answers                              submission
13-1      5/5    2 passed                             group/a.ipynb
13-4      2.5/8  1 passed, 2 failed, 1 not attempted  group/b.ipynb
-         -      unreadable                           group/c.ipynb: grade: submission must be\n a\x1b]0;notebook\x07.
-         -      unknown exercise                     group/d.ipynb: it has none of the answers
4 submissions: 2 graded, 1 unknown exercise, 1 unreadable
"""  # noqa: E501 - one line for each submission


class TestOutput:
    def test_table(self, group, machine):
        assert run("group") == (1, TABLE, "")

    def test_all_graded(self, group, machine):
        status, out, err = run(group / "b.ipynb", group / "a.ipynb")
        assert (status, err) == (0, "")
        assert [line.split()[-1] for line in out.splitlines()[1:3]] == [
            str(group / "b.ipynb"),
            str(group / "a.ipynb"),
        ]
        assert out.splitlines()[-1] == "2 submissions: 2 graded"

    def test_json_takes_the_place_of_the_table(self, group, machine):
        status, out, err = run("group/d.ipynb", "group", "--json", "out.json")
        assert (status, err) == (1, "")
        assert out == "5 submissions: 2 graded, 2 unknown exercise, 1 unreadable\n"
        entries = json.loads(Path("out.json").read_text("utf-8"))
        order = {"d": b"other", "a": b"good", "b": b"mixed", "c": b"broken"}
        expected = [RESULTS[order[name]].entry(f"group/{name}.ipynb") for name in "dabcd"]
        assert entries == expected

    def test_csv(self, group, machine):
        assert run("group", "--csv", "out.csv") == (1, TABLE, "")
        assert len(Path("out.csv").read_text("utf-8-sig").splitlines()) == 5

    def test_feedback(self, group, machine):
        assert run("group", "--feedback", "pages") == (1, TABLE, "")
        pages = {path.name for path in Path("pages").iterdir()}
        assert pages == {"a.html", "b.html", "c.html", "d.html", "index.html", "points.csv"}

    def test_old_outputs_are_replaced(self, group, machine):
        Path("out.json").write_text("old")
        run("group", "--json", "out.json")
        assert len(json.loads(Path("out.json").read_text("utf-8"))) == 4
        assert {path.name for path in Path.cwd().iterdir()} == {"group", "cache", "out.json"}

    def test_an_output_that_fails_in_the_end_is_an_error_of_one_line(
        self, group, machine, monkeypatch
    ):
        def no_room(*_arguments, **_options):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("gm_course.grading.tables.replace_file", no_room)
        status, out, err = run("group", "--json", "out.json")
        assert (status, out) == (1, "")
        assert err.startswith("gm-course: error: write_json: path must be a file")
        assert err.count("\n") == 1

    @pytest.mark.parametrize(
        ("name", "shown", "written"),
        [
            ("\x1b[31mred\x07", "\\x1b[31mred\\x07", "\x1b[31mred\x07"),
            ("\u202egnp", "\\u202egnp", "\u202egnp"),
            ("a\nb", "a\\nb", "a\nb"),
            ("\udce9", "\\xe9", "\\xe9"),
            ("张伟 😀", "张伟 😀", "张伟 😀"),
        ],
    )
    def test_odd_names(self, tmp_path, machine, name, shown, written):
        (tmp_path / f"{name}.ipynb").write_bytes(b"broken")
        run(tmp_path, "--json", tmp_path / "out.json")
        status, out, err = run(tmp_path)
        assert (status, err) == (1, "")
        assert f"{tmp_path}/{shown}.ipynb: grade" in out.splitlines()[1]
        assert len(out.splitlines()) == 3
        assert all(line.isprintable() for line in out.splitlines())
        (entry,) = json.loads((tmp_path / "out.json").read_bytes().decode())
        assert entry["submission"] == f"{tmp_path}/{written}.ipynb"

    def test_few_similar_pairs(self, group, machine, monkeypatch):
        pair = SimilarPair("group/a\x1b.ipynb", "group/b.ipynb", "13-1", ("f", "g"), True)
        other = SimilarPair("group/c.ipynb", "group/d.ipynb", "13-1", ("h",), False)
        found = SimilarPairs([pair, other], left_out=0)
        monkeypatch.setattr("gm_course.grading.similarity.similar_pairs", lambda named: found)
        lines = (
            "the same up to names and layout (no verdict; short right answers look alike):\n"
            "  group/a\\x1b.ipynb  group/b.ipynb  f, g, the written answer\n"
            "  group/c.ipynb  group/d.ipynb  h\n"
        )
        assert run("group") == (1, TABLE + lines, "")

    @pytest.mark.parametrize(("count", "left_out", "more"), [(20, 0, None), (21, 0, 1), (20, 7, 7)])
    def test_many_similar_pairs(self, group, machine, monkeypatch, count, left_out, more):
        pairs = [SimilarPair("a", "b", "13-1", (f"f{n}",), False) for n in range(count)]
        found = SimilarPairs(pairs, left_out=left_out)
        monkeypatch.setattr("gm_course.grading.similarity.similar_pairs", lambda named: found)
        _, out, _ = run("group", "--json", "out.json")
        lines = out.splitlines()[2:]
        assert lines[:20] == [f"  a  b  f{n}" for n in range(20)]
        last = f"  … and {more} more in the summary page (--feedback)"
        assert lines[20:] == ([last] if more else [])

    def test_similar_pairs_are_looked_for_in_the_results(self, group, machine, monkeypatch):
        seen = []

        def similar_pairs(named):
            seen.append(named)
            return SimilarPairs([], left_out=0)

        monkeypatch.setattr("gm_course.grading.similarity.similar_pairs", similar_pairs)
        run("group/b.ipynb", "group/a.ipynb")
        pairs = [("group/b.ipynb", RESULTS[b"mixed"]), ("group/a.ipynb", RESULTS[b"good"])]
        assert seen == [pairs]


class TestKeeping:
    def test_finished_work_is_not_repeated(self, group, machine):
        first = run("group")
        assert sorted(machine.graded) == [b"broken", b"good", b"mixed", b"other"]
        assert run("group") == first
        assert len(machine.graded) == 4

    def test_a_changed_submission_alone_is_graded_again(self, group, machine):
        run("group")
        (group / "d.ipynb").write_bytes(b"mixed")
        (group / "c.ipynb").write_bytes(b"good")
        (group / "e.ipynb").write_bytes(b"lost")
        machine.graded.clear()
        run("group")
        assert machine.graded == [b"lost"]  # the contents of the others are known

    def test_what_the_grader_itself_failed_on_is_tried_again(self, group, machine):
        (group / "b.ipynb").write_bytes(b"lost")
        for _ in range(2):
            status, out, _ = run("group")
            assert status == 1
            assert "group/b.ipynb: grade: the grader failed 2 times\n" in out
        assert machine.graded.count(b"lost") == 2
        assert machine.graded.count(b"good") == 1

    def test_fresh_grades_everything_again_and_keeps_that(self, group, machine, monkeypatch):
        run("group")
        monkeypatch.setitem(RESULTS, b"good", RESULTS[b"mixed"])
        assert run("group/a.ipynb")[1].splitlines()[1].startswith("13-1")
        assert run("group/a.ipynb", "--fresh")[1].splitlines()[1].startswith("13-4")
        assert machine.graded.count(b"good") == 2
        assert run("group/a.ipynb")[1].splitlines()[1].startswith("13-4")

    @pytest.mark.parametrize("options", [["--timeout", "20"], ["--unsafe-no-sandbox"]])
    def test_other_settings_are_other_results(self, group, machine, options):
        run("group")
        run("group", *options)
        assert len(machine.graded) == 8
        run("group", *options)
        assert len(machine.graded) == 8

    @pytest.mark.parametrize("options", [[], ["--fresh"]])
    def test_equal_submissions_are_graded_once(self, group, machine, options):
        for name in "efg":
            (group / f"{name}.ipynb").write_bytes(b"good")
        _, out, _ = run("group", "group/a.ipynb", *options)
        assert machine.graded.count(b"good") == 1
        assert out.count("5/5") == 5

    def test_default_folder_and_another(self, group, machine, cache):
        run("group")
        assert len(list(cache.iterdir())) == 4
        run("group", "--store", "kept")
        assert len(list(Path("kept").iterdir())) == 4
        assert len(machine.graded) == 8

    def test_a_folder_that_cannot_be_written_is_noted_once(self, group, machine):
        for _ in range(2):
            status, out, err = run("group", "--store", "/proc/kept")
            assert (status, out) == (1, TABLE)
            assert re.fullmatch(
                r"gm-course: note: results are not kept for another run: "
                r"'/proc/kept' cannot be written \(.*\)\n",
                err,
            )
        assert len(machine.graded) == 8

    def test_a_disk_that_fills_up_during_the_run_is_noted_once(self, group, machine, monkeypatch):
        def no_room(*_arguments, **_options):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("gm_course.grading.store.replace_file", no_room)
        status, out, err = run("group")
        assert (status, out) == (1, TABLE)
        assert err.count("No space left on device") == 1

    def test_equal_submissions_taken_at_the_same_time_are_graded_once(self, group, tmp_path):
        files = [group / "a.ipynb", group / "b.ipynb", group / "a.ipynb", group / "a.ipynb"]
        taken = []

        def last_first(contents):
            taken.extend(contents)
            for number, content in reversed(taken):
                yield number, RESULTS[content]

        store = ResultStore(tmp_path / "kept", fingerprint="f")
        found = []
        grade_class(files, last_first, store=store, report=lambda *item: found.append(item))
        assert taken == [(0, b"good"), (1, b"mixed")]
        good, mixed = RESULTS[b"good"], RESULTS[b"mixed"]
        assert found == [(1, mixed), (0, good), (2, good), (3, good)]


class TestReadingFiles:
    def test_a_file_that_cannot_be_read_is_an_entry(self, group, machine):
        (group / "pipe").mkdir()
        (group / "c.ipynb").unlink()
        os.mkfifo(group / "pipe" / "c.ipynb")
        status, out, err = run("group/a.ipynb", "group/pipe/c.ipynb", "group/b.ipynb")
        assert (status, err) == (1, "")
        lines = out.splitlines()
        assert "group/pipe/c.ipynb: grade: submission must be a regular file" in lines[2]
        assert lines[-1] == "3 submissions: 2 graded, 1 unreadable"
        assert machine.graded == [b"good", b"mixed"]

    def test_files_are_read_one_by_one_as_they_are_graded(self, tmp_path, machine):
        """A file is gone when the one before it is graded: so it was not read before."""
        files = [tmp_path / f"{name}.ipynb" for name in "abc"]
        for file, content in zip(files, (b"good", b"mixed", b"other"), strict=True):
            file.write_bytes(content)

        def remove_next(contents):
            for number, content in contents:
                if number == 0:
                    files[1].unlink()
                yield number, RESULTS[content]

        found = {}
        grade_class(
            files,
            remove_next,
            store=ResultStore(tmp_path / "kept", fingerprint="f"),
            report=lambda number, result: found.update({number: result.status}),
        )
        assert found == {0: "graded", 1: "unreadable", 2: "unknown_exercise"}


def wrong(*arguments):
    """Run what must be refused; return the message."""
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    message = err.splitlines()[-1]
    assert message.startswith("Error: ")
    assert message.isprintable()
    return message


class TestWrongUsage:
    @pytest.fixture(autouse=True)
    def _nothing_is_graded(self, group, machine):
        yield
        assert machine.graded == []

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ([], "Missing argument 'SUBMISSION...'"),
            (["nowhere.ipynb"], "must be an existing file or folder; got 'nowhere.ipynb'"),
            (["group", "no\x1bwhere"], "got 'no\\x1bwhere'"),
            (["group", "--jobs", "0"], "0 is not in the range x>=1"),
            (["group", "--jobs", "many"], "'many' is not a valid integer"),
            (["group", "--timeout", "0"], "0 is not in the range 0<x<=3600"),
            (["group", "--timeout", "-1"], "-1 is not in the range"),
            (["group", "--timeout", "nan"], "nan is not in the range"),
            (["group", "--timeout", "inf"], "inf is not in the range"),
            (["group", "--timeout", "soon"], "'soon' is not a valid float"),
            (["group", "--quickly"], "No such option"),
            (["group", "--cluster", "tcp://a:1", "--jobs", "2"], "--jobs counts processes here"),
            (["group", "--store", "group/a.ipynb"], "is a file"),
            (["group", "--json", "-"], "--json: it must be a file; standard output"),
            (["group", "--json", "gone/out.json"], "--json: its folder must exist"),
            (["group", "--csv", "gone/out.csv"], "--csv: its folder must exist"),
            (["group", "--csv", "/proc/out.csv"], "--csv: its folder must be writable"),
            (["group", "--json", "group"], "--json: it must be a regular file; got 'group'"),
            (["group", "--json", "/dev/null"], "--json: it must be a regular file"),
            (["group", "--json", "n" * 256], "--json: it must be a path that is possible"),
            (["group", "--json", "out", "--csv", "./group/../out"], "name the same file"),
            (["group", "--json", "group/a.ipynb"], "--json would overwrite the submission"),
            (["group", "--csv", "./group/b.ipynb"], "--csv would overwrite the submission"),
            (["group", "--feedback", "group/a.ipynb"], "--feedback: it must be a folder"),
            (["group", "--feedback", "gone/pages"], "--feedback: its folder must exist"),
            (["group", "--feedback", "/proc/pages"], "--feedback: its folder must be writable"),
            (["group", "--feedback", "out", "--json", "out"], "'out' may not be there"),
            (["group", "--feedback", ".", "--json", "out.html"], "'out.html' may not be there"),
            (["group", "--feedback", ".", "--csv", "Points.csv"], "'Points.csv' may not be there"),
        ],
    )
    def test_it_is_refused_before_anything_is_graded(self, arguments, message):
        assert message in wrong(*arguments)

    def test_a_folder_without_notebooks(self, tmp_path):
        (tmp_path / "empty").mkdir()
        (tmp_path / "empty" / "notes.txt").write_text("good")
        assert "holds no notebook" in wrong("empty")

    def test_a_link_to_a_submission_is_that_submission(self, tmp_path):
        (tmp_path / "link.json").symlink_to("group/a.ipynb")
        assert "would overwrite the submission" in wrong("group", "--json", "link.json")

    @pytest.mark.parametrize("option", ["--json", "--csv", "--feedback"])
    def test_links_in_a_circle(self, tmp_path, option):
        (tmp_path / "round").symlink_to("round")
        assert f"{option}: " in wrong("group", option, "round")

    def test_old_outputs_stay(self, tmp_path):
        (tmp_path / "out.json").write_text("old")
        wrong("group", "--json", "out.json", "--csv", "gone/out.csv")
        assert (tmp_path / "out.json").read_text() == "old"


def test_outputs_beside_the_submissions_are_fine(group, machine):
    outputs = ["--feedback", "group", "--json", "group/a.json", "--csv", "group/a.csv"]
    assert run("group", *outputs)[0] == 1
    assert len(machine.graded) == 4


def test_settings_reach_the_grader(group, machine, monkeypatch):
    run("group")
    run("group", "--jobs", "3", "--timeout", "2.5", "--unsafe-no-sandbox")
    assert machine.settings == [(None, 10.0, True), (3, 2.5, False)]


def test_default_timeout_is_that_of_the_grader():
    from gm_course.grading.grader import Grader

    (option,) = (p for p in main.commands["grade"].params if p.name == "timeout")
    assert option.default == inspect.signature(Grader).parameters["timeout"].default


def test_workers_are_given_more_patience_than_the_grader_needs(monkeypatch):
    from gm_course.grading import grader, sandbox

    chosen = module._on_this_machine(None, timeout=7.0, sandboxed=True)
    assert chosen.func is grade_all
    assert chosen.keywords["jobs"] == len(os.sched_getaffinity(0))
    assert chosen.keywords["patience"] >= grader.ANSWERS_IN_ALL * 7.0 + 60 + 10
    assert chosen.keywords["patience"] > sandbox.START_SECONDS
    made = chosen.keywords["make_grader"]
    monkeypatch.setattr(grader, "Grader", lambda **settings: settings)
    assert made() == {"timeout": 7.0, "sandboxed": True}


def test_a_cluster_grades_in_place_of_this_machine(group, machine, monkeypatch):
    seen = []

    def grade_on_cluster(contents, address, *, timeout, sandboxed):
        seen.append((address, timeout, sandboxed))
        return machine.grade_all(contents)

    monkeypatch.setattr("gm_course.grading.cluster.grade_on_cluster", grade_on_cluster)
    assert run("group", "--cluster", "tcp://host:8786", "--timeout", "3") == (1, TABLE, "")
    assert seen == [("tcp://host:8786", 3.0, True)]
    assert machine.settings == []


def test_a_failing_sandbox_is_an_error_of_one_line(group, machine):
    machine.error = SandboxError("sandbox: not \x1b[2Jhere.\nInstall it.")
    machine.error_after = 2
    Path("out.json").write_text("old")
    status, out, err = run("group", "--json", "out.json")
    assert (status, out) == (1, "")
    assert err == "gm-course: error: sandbox: not \\x1b[2Jhere.\\nInstall it.\n"
    assert Path("out.json").read_text() == "old"


class TestInterrupt:
    @pytest.mark.parametrize("after", [0, 3])
    def test_it_keeps_what_is_done(self, group, machine, after):
        machine.error = KeyboardInterrupt()
        machine.error_after = after
        Path("out.json").write_text("old")
        line = f"gm-course: interrupted: {after} of 4 graded; run the same command again to go on\n"
        assert run("group", "--json", "out.json", "--feedback", "pages") == (130, "", line)
        assert Path("out.json").read_text() == "old"
        assert not Path("pages").exists()

        machine.error = None
        assert run("group", "--json", "out.json")[0] == 1
        assert sorted(machine.graded) == [b"broken", b"good", b"mixed", b"other"]
        assert len(json.loads(Path("out.json").read_text("utf-8"))) == 4

    def test_it_promises_nothing_if_nothing_could_be_kept(self, group, machine):
        machine.error = KeyboardInterrupt()
        _, _, err = run("group", "--store", "/proc/kept")
        last = "gm-course: interrupted: 0 of 4 graded; nothing could be kept"
        assert err.splitlines()[-1] == last

    def test_it_never_cuts_the_keeping_of_a_result_short(self, group, machine, cache, monkeypatch):
        keep = ResultStore.keep

        def interrupted_keep(store, key, result):
            signal.raise_signal(signal.SIGINT)
            keep(store, key, result)

        monkeypatch.setattr(ResultStore, "keep", interrupted_keep)
        line = "gm-course: interrupted: 1 of 4 graded; run the same command again to go on\n"
        assert run("group") == (130, "", line)
        assert len(list(cache.iterdir())) == 1

    @pytest.mark.parametrize("moment", ["similarity.similar_pairs", "submission.find_submissions"])
    def test_it_may_come_at_any_moment(self, group, machine, monkeypatch, moment):
        def interrupt(*_arguments):
            raise KeyboardInterrupt

        monkeypatch.setattr(f"gm_course.grading.{moment}", interrupt)
        status, out, err = run("group")
        assert (status, out) == (130, "")
        assert re.fullmatch(r"gm-course: interrupted: [04] of [04] graded; run .* to go on\n", err)


PROGRAM = """
import sys
from gm_course.cli import main
from gm_course.grading import workers
from tests.grading.fake_graders import start_fake_grader

if __name__ == "__main__":
    workers.start_grader = start_fake_grader
    main(["grade", *sys.argv[1:]], prog_name="gm-course")
"""


class TestProcesses:
    """The whole command with real processes; only the grader in them is a fake."""

    @pytest.fixture
    def notes(self, tmp_path):
        (tmp_path / "notes").mkdir()
        (tmp_path / "program.py").write_text(PROGRAM)
        return tmp_path / "notes"

    @pytest.fixture
    def start(self, tmp_path, notes):
        programs = []

        def start(*arguments, stderr=subprocess.PIPE, **environment):
            program = subprocess.Popen(
                [sys.executable, tmp_path / "program.py", *map(str, arguments)],
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                cwd=tmp_path,
                env={
                    **os.environ,
                    "PYTHONPATH": str(ROOT),
                    "FAKE_GRADER_NOTES": str(notes),
                    **environment,
                },
                start_new_session=True,
            )
            programs.append(program)
            return program

        yield start
        for program in programs:
            program.kill()
            kill_workers(notes)
            program.communicate()

    def submit(self, folder, texts):
        folder.mkdir()
        for number, text in enumerate(texts):
            (folder / f"{number:03}.ipynb").write_text(text)

    def test_ctrl_c_and_again(self, group, notes, cache, start):
        texts = [*(f"{number}" for number in range(4)), "x hang once", "y hang once", "z"]
        self.submit(group / "real", texts)
        json_file = group / "out.json"
        json_file.write_text("old")
        program = start(group / "real", "--jobs", 2, "--json", json_file)
        wait_until(lambda: len(calls(notes)) == 6 and len(list(cache.glob("*.json"))) == 4)
        os.killpg(program.pid, signal.SIGINT)
        out, err = program.communicate(timeout=60)
        assert (program.returncode, out) == (130, "")
        assert err == (
            "gm-course: interrupted: 4 of 7 graded; run the same command again to go on\n"
        )
        assert json_file.read_text() == "old"
        assert not any(is_running(process) for process in started(notes))

        again = start(group / "real", "--jobs", 2, "--json", json_file)
        assert again.communicate(timeout=60) == ("7 submissions: 7 graded\n", "")
        assert again.returncode == 0
        assert sorted(calls(notes)) == sorted([*texts, "x hang once", "y hang once"])
        entries = json.loads(json_file.read_text())
        assert [entry["submission"][-9:] for entry in entries] == [
            f"{number:03}.ipynb" for number in range(7)
        ]

    def test_killed_at_any_moment_it_goes_on_where_it_stopped(self, group, notes, cache, start):
        texts = [f"{number} sleep 0.02" for number in range(30)]
        self.submit(group / "real", texts)
        fingerprint = grading_fingerprint(timeout=10.0, sandboxed=True)
        store = ResultStore(cache, fingerprint=fingerprint)
        moments = random.Random(4)
        kept = set()
        for _ in range(4):
            before = len(calls(notes))
            wanted = before + moments.randint(2, 6)
            program = start(group / "real", "--jobs", 2, "--json", group / "out.json")
            wait_until(lambda wanted=wanted: len(calls(notes)) >= wanted)
            program.kill()
            program.wait()
            wait_until(lambda: not any(is_running(process) for process in started(notes)))
            assert not kept & set(calls(notes)[before:]), "finished work was repeated"
            kept = {text for text in texts if store.find(store.key(text.encode()))}
            assert len(list(cache.glob("*.json"))) == len(kept), "a result is not whole"
            assert not (group / "out.json").exists()
        program = start(group / "real", "--jobs", 2, "--json", group / "out.json")
        assert program.communicate(timeout=60) == ("30 submissions: 30 graded\n", "")
        assert set(calls(notes)) == set(texts)
        # Lost with each kill: what both workers had in hand, and one result on its way to disk.
        assert 30 <= len(calls(notes)) <= 30 + 4 * 3

    def test_the_bar_goes_to_the_terminal_and_the_table_to_the_output(self, group, start):
        self.submit(group / "real", ["a", "b sleep 0.3", "c sleep 0.3"])
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, 80))
        program = start(group / "real", "--jobs", 1, stderr=theirs)
        os.close(theirs)
        shown = b""
        while select.select([ours], [], [], 60)[0]:
            try:
                shown += os.read(ours, 1000)
            except OSError:  # the other end is closed
                break
        os.close(ours)
        out = program.communicate(timeout=60)[0]
        assert b"grading:" in shown
        assert b"3/3" in shown
        assert re.search(rb"<\d\d:\d\d", shown), "no time left"
        assert out.splitlines()[-1] == "3 submissions: 3 graded"
        assert "grading" not in out
        assert "\r" not in out

    def test_an_output_that_cannot_show_a_name_shows_an_escape(self, group, start):
        self.submit(group / "张伟", ["a"])
        program = start(group / "张伟", PYTHONIOENCODING="ascii")
        out, err = program.communicate(timeout=60)
        assert (program.returncode, err) == (0, "")
        assert "\\u5f20\\u4f1f/000.ipynb" in out

    def test_a_submission_that_kills_its_worker_twice_is_not_kept(self, group, notes, start):
        self.submit(group / "real", ["a", "b kill", "c"])
        for attempts in (2, 4):
            program = start(group / "real", "--jobs", 1)
            out, err = program.communicate(timeout=60)
            assert (program.returncode, err) == (1, "")
            assert "its process died (killed by signal 9)" in out
            assert calls(notes).count("b kill") == attempts
        assert calls(notes).count("a") == 1


def test_help_names_the_limits():
    (option,) = (p for p in main.commands["grade"].params if p.name == "timeout")
    assert isinstance(option, click.Option)
    words = " ".join(run("--help")[1].split())
    for limit in (
        "4 GiB of memory",
        "1 GiB",
        "64 processes",
        "not kept",
        "bubblewrap",
        "five times",
    ):
        assert limit in words
