"""Real worker processes, with graders that die, hang and raise."""

import functools
import os
import signal
import subprocess
import sys
import time
from contextlib import closing

import pytest

from gm_course.errors import SandboxError
from gm_course.grading import workers
from gm_course.grading.workers import LostResult, grade_all, usable_cores
from tests.grading.fake_graders import (
    DiesAtStart,
    FakeGrader,
    NoSandbox,
    calls,
    graded,
    is_running,
    kill_workers,
    started,
    wait_until,
)
from tests.grading.submissions import ROOT

PATIENCE = 600.0  # never used up, unless a test says so


@pytest.fixture(autouse=True)
def _importable_in_workers(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))


def numbered(*texts):
    return [(number, text.encode()) for number, text in enumerate(texts)]


def run(notes, texts, *, jobs=2, make=FakeGrader, patience=PATIENCE):
    """Grade to the end; no process may be left."""
    results = list(
        grade_all(numbered(*texts), functools.partial(make, notes), jobs, patience=patience)
    )
    assert not any(is_running(process) for process in started(notes))
    assert sorted(number for number, _ in results) == list(range(len(texts)))
    return dict(results)


def test_each_submission_is_graded_once_and_keeps_its_number(tmp_path):
    texts = [f"submission-{number}" for number in range(20)]
    assert run(tmp_path, texts) == {n: graded(text.encode()) for n, text in enumerate(texts)}
    assert sorted(calls(tmp_path)) == sorted(texts)
    assert len(started(tmp_path)) == 2
    # all were taken down properly
    assert len(list(tmp_path.glob("closed-*"))) == 2


@pytest.mark.parametrize(("count", "jobs", "expected"), [(0, 3, 0), (1, 3, 1), (3, 2, 2)])
def test_no_more_workers_than_submissions(tmp_path, count, jobs, expected):
    run(tmp_path, [str(number) for number in range(count)], jobs=jobs)
    assert len(started(tmp_path)) == expected


def test_results_come_as_they_are_finished(tmp_path):
    texts = ["a sleep 2", "b", "c"]
    make = functools.partial(FakeGrader, tmp_path)
    numbers = [number for number, _ in grade_all(numbered(*texts), make, 2, patience=PATIENCE)]
    assert numbers[-1] == 0


def test_contents_are_taken_only_as_they_are_graded(tmp_path):
    taken = 0

    def contents():
        nonlocal taken
        for number in range(30):
            taken += 1
            yield number, b"text"

    make = functools.partial(FakeGrader, tmp_path)
    ahead = []
    for count, _ in enumerate(grade_all(contents(), make, 3, patience=PATIENCE)):
        ahead.append(taken - count)
    # The one just yielded counts, too: it is no longer held.
    assert max(ahead) == 3 + 1
    assert taken == 30


def test_a_large_submission_and_a_large_result_pass_through(tmp_path):
    text = "x" * 3_000_000  # many times what a pipe holds
    assert run(tmp_path, [text, text + "y"])[1].answers[0].code == text + "y"


@pytest.mark.parametrize("command", ["kill", "exit", "raise", "sandbox"])
def test_a_worker_that_fails_once_is_replaced_and_its_submission_tried_again(tmp_path, command):
    texts = ["a", f"b {command} once", "c", "d"]
    assert run(tmp_path, texts) == {n: graded(text.encode()) for n, text in enumerate(texts)}
    assert calls(tmp_path).count(texts[1]) == 2
    assert len(started(tmp_path)) == 3


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("kill", "its process died (killed by signal 9)"),
        ("exit", "its process died (exit status 3)"),
        ("raise", "it met ValueError: no luck"),
        ("sandbox", "it met sandbox: has ended."),
    ],
)
def test_a_submission_that_fails_twice_is_given_up(tmp_path, command, reason):
    texts = [f"a {command}", "b", "c", f"d {command}", "e"]
    results = run(tmp_path, texts)
    for number in (0, 3):
        assert results[number] == LostResult(
            status="unreadable",
            message="grade: the grader failed 2 times on this submission, the last time because "
            f"{reason}. Grade it by hand, or try again with --jobs 1.",
        )
        assert calls(tmp_path).count(texts[number]) == 2
    for number in (1, 2, 4):
        assert results[number] == graded(texts[number].encode())
        assert calls(tmp_path).count(texts[number]) == 1


def test_a_lost_result_can_be_told_from_a_found_one():
    assert LostResult(status="unreadable") != workers.Result(status="unreadable")


def test_a_worker_that_hangs_is_replaced(tmp_path):
    results = run(tmp_path, ["a hang", "b"], jobs=1, patience=4.0)
    assert "because its process took more than 4 s." in results[0].message
    assert isinstance(results[0], LostResult)
    assert results[1] == graded(b"b")


def test_a_grader_that_cannot_start_ends_the_run(tmp_path):
    with pytest.raises(SandboxError, match=r"^sandbox: bubblewrap was not found\. Install it\.$"):
        run(tmp_path, ["a", "b", "c"], make=NoSandbox)
    assert not any(is_running(process) for process in started(tmp_path))


def test_a_worker_that_dies_while_starting_gets_a_second_chance(tmp_path):
    make = functools.partial(DiesAtStart, deaths=1)
    assert run(tmp_path, ["a", "b"], jobs=1, make=make) == {0: graded(b"a"), 1: graded(b"b")}


def test_workers_that_die_while_starting_end_the_run(tmp_path):
    make = functools.partial(DiesAtStart, deaths=9)
    with pytest.raises(SandboxError, match=r"2 failures in a row.*killed by signal 9.*--jobs 1"):
        run(tmp_path, ["a", "b"], jobs=1, make=make)
    assert calls(tmp_path) == []


def test_closing_the_iterator_ends_workers_at_work(tmp_path):
    make = functools.partial(FakeGrader, tmp_path)
    texts = ["a", "b", "c hang", "d hang", "e"]
    with closing(grade_all(numbered(*texts), make, 2, patience=PATIENCE)) as results:
        assert {next(results)[0], next(results)[0]} == {0, 1}
        wait_until(lambda: len(calls(tmp_path)) == 4)
        assert all(is_running(process) for process in started(tmp_path))
    assert len(started(tmp_path)) == 2
    assert not any(is_running(process) for process in started(tmp_path))
    # ended politely: the graders could take down their sandboxes
    assert len(list(tmp_path.glob("closed-*"))) == 2


def test_a_worker_that_is_told_to_end_while_ending_is_silent(tmp_path, capfd):
    make = functools.partial(FakeGrader, tmp_path)
    with closing(grade_all(numbered("a linger"), make, 1, patience=PATIENCE)) as results:
        assert next(results) == (0, graded(b"a linger"))
        wait_until(lambda: list(tmp_path.glob("lingers-*")))
    assert not any(is_running(process) for process in started(tmp_path))
    assert capfd.readouterr() == ("", "")


def test_an_error_in_the_contents_ends_the_workers(tmp_path):
    def contents():
        yield 0, b"a"
        yield 1, b"b hang"
        raise RuntimeError("disk on fire")

    make = functools.partial(FakeGrader, tmp_path)
    with pytest.raises(RuntimeError, match="disk on fire"):
        list(grade_all(contents(), make, 2, patience=PATIENCE))
    assert not any(is_running(process) for process in started(tmp_path))


MAIN = """
import functools, sys
from gm_course.grading.workers import grade_all
from tests.grading.fake_graders import FakeGrader

if __name__ == "__main__":
    contents = [(number, f"{number} hang".encode()) for number in range(5)]
    try:
        list(grade_all(contents, functools.partial(FakeGrader, sys.argv[1]), 2, patience=600))
    except KeyboardInterrupt:
        print("interrupted")
"""


@pytest.fixture
def busy_program(tmp_path):
    """A program with two workers at work, in a process group of its own."""
    file = tmp_path / "main.py"
    file.write_text(MAIN)
    program = subprocess.Popen(
        [sys.executable, file, tmp_path],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until(lambda: len(calls(tmp_path)) == 2)
    yield program
    program.kill()
    kill_workers(tmp_path)
    program.communicate()


def test_ctrl_c_reaches_the_program_and_leaves_no_process(tmp_path, busy_program):
    os.killpg(busy_program.pid, signal.SIGINT)  # what a terminal does
    assert busy_program.communicate(timeout=60) == ("interrupted\n", "")
    assert not any(is_running(process) for process in started(tmp_path))


def test_ctrl_c_while_the_workers_are_starting_prints_no_traceback(tmp_path):
    file = tmp_path / "main.py"
    file.write_text(MAIN)
    for delay in (0.2, 0.4, 0.6):
        program = subprocess.Popen(
            [sys.executable, file, tmp_path],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        wait_until(lambda: b"spawn_main" in command_lines(program.pid))  # noqa: B023
        time.sleep(delay)
        os.killpg(program.pid, signal.SIGINT)
        assert program.communicate(timeout=60) == ("interrupted\n", "")
        assert not any(is_running(process) for process in started(tmp_path))


def command_lines(session):
    """The command lines of all processes of a session, as one text."""
    listed = subprocess.run(["ps", "-ww", "-s", str(session), "-o", "args="], capture_output=True)
    return listed.stdout


def test_workers_end_when_the_program_is_killed(tmp_path, busy_program):
    busy_program.kill()
    busy_program.wait()
    wait_until(lambda: not any(is_running(process) for process in started(tmp_path)))
    # also then the graders could take down their sandboxes
    assert len(list(tmp_path.glob("closed-*"))) == 2


def test_usable_cores():
    assert 1 <= usable_cores() <= os.cpu_count()
