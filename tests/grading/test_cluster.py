"""A real scheduler with two worker processes on loopback, graders that misbehave, and real ones."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from gm_course.errors import GradingError, SandboxError
from gm_course.grading import cluster
from gm_course.grading.workers import LostResult
from tests.grading.fake_graders import (
    FakeGrader,
    calls,
    graded,
    is_running,
    started,
    wait_until,
)
from tests.grading.submissions import NUMBERS, ROOT, untouched, worked

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")


@dataclass(frozen=True)
class Running:
    """A cluster, the folder in which its fake graders take notes, and processes seen there."""

    cluster: Any
    notes: Path
    processes: list[psutil.Process]


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory):
    """A cluster of two worker processes."""
    notes = tmp_path_factory.mktemp("notes")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        patch.setenv("FAKE_GRADER_NOTES", str(notes))
        # Two deaths are enough to blame a submission, and quicker than Dask's four.
        with (
            dask.config.set({"distributed.scheduler.allowed-failures": 1}),
            distributed.LocalCluster(
                n_workers=2,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address=None,
                silence_logs="CRITICAL",
            ) as workers,
        ):
            running = Running(workers, notes, [])
            yield running
    assert not any(is_running(process) for process in started(notes))
    assert not psutil.wait_procs(running.processes, timeout=30)[1]


class FakeGraderThatTakesItsTime(FakeGrader):
    """Like a real one: Dask gives up a worker that dies in the moment in which it is ready."""

    def __enter__(self):
        time.sleep(0.5)
        return super().__enter__()


def start_fake_grader(*, timeout, sandboxed):
    """The workers find the folder in their environment."""
    return FakeGraderThatTakesItsTime(os.environ["FAKE_GRADER_NOTES"])


@pytest.fixture
def workers(two_workers, monkeypatch):
    """The same cluster, with two workers and no notes of earlier tests."""
    monkeypatch.setattr(cluster, "start_grader", start_fake_grader)
    scheduler = two_workers.cluster.scheduler
    wait_until(lambda: len(scheduler.workers) == 2 and not scheduler.tasks)
    two_workers.notes.joinpath("calls").unlink(missing_ok=True)
    return two_workers


def grade(workers, contents, *, timeout=10.0):
    address = workers.cluster.scheduler_address
    return cluster.grade_on_cluster(contents, address, timeout=timeout, sandboxed=True)


def numbered(*texts):
    return [(number, text.encode()) for number, text in enumerate(texts)]


def results(workers, *texts):
    """Result by number; each submission has exactly one."""
    found = list(grade(workers, numbered(*texts)))
    assert sorted(number for number, _ in found) == list(range(len(texts)))
    return dict(found)


def expected(*texts):
    return {number: graded(text.encode()) for number, text in enumerate(texts)}


def test_a_class_with_a_worker_killed_in_mid_run(workers):
    texts = [f"submission-{number} sleep 0.05" for number in range(40)]
    found = []
    for result in grade(workers, numbered(*texts)):
        found.append(result)
        if len(found) == 5:
            os.kill(workers.cluster.workers[0].pid, signal.SIGKILL)
    assert len(found) == 40
    assert dict(found) == expected(*texts)
    # Only what the killed worker had was done again: at most two submissions and two results.
    assert 40 <= len(calls(workers.notes)) <= 44


def test_the_same_bytes_are_graded_as_often_as_they_are_given(workers):
    assert results(workers, "same", "same", "same", "other") == expected(*["same"] * 3, "other")
    assert sorted(calls(workers.notes)) == ["other", "same", "same", "same"]


def test_nothing_to_grade(workers):
    assert results(workers) == {}


def test_a_submission_that_kills_workers_takes_no_other_with_it(workers):
    texts = ["a", "b kill", "c", "d"]
    found = results(workers, *texts)
    lost = found.pop(1)
    assert isinstance(lost, LostResult)
    assert lost.status == "unreadable"
    assert "failed 2 times on this submission, the last time because the workers d" in lost.message
    everything = expected(*texts)
    del everything[1]
    assert found == everything


def test_a_grader_that_fails_is_replaced_and_the_submission_tried_again(workers):
    texts = ["a", "b raise once", "c raise", "d"]
    found = results(workers, *texts)
    assert isinstance(found[2], LostResult)
    assert "because it met ValueError: no luck. " in found[2].message
    assert [found[number] for number in (0, 1, 3)] == [
        graded(texts[number].encode()) for number in (0, 1, 3)
    ]
    assert sorted(calls(workers.notes)) == sorted(["a", "d", *texts[1:3] * 2])
    assert list(workers.notes.glob("closed-*"))


def test_a_worker_keeps_its_grader_until_other_settings_are_asked_for(workers):
    notes = workers.notes
    list(grade(workers, numbered(*"abcdef"), timeout=20.0))
    for note in [*notes.glob("started-*"), *notes.glob("closed-*")]:
        note.rename(notes / f"old-{note.name}")
    try:
        list(grade(workers, numbered(*"ghijkl"), timeout=20.0))
        assert not [*notes.glob("started-*"), *notes.glob("closed-*")]
        list(grade(workers, numbered(*"mnopqr"), timeout=21.0))
        assert started(notes)
        assert set(started(notes)) == {int(n.name[7:]) for n in notes.glob("closed-*")}
        pids = {worker.pid for worker in workers.cluster.workers.values()}
        assert set(started(notes)) <= pids
    finally:
        for note in notes.glob("old-*"):
            note.rename(notes / note.name.removeprefix("old-"))


def test_contents_are_taken_only_as_they_are_graded(workers):
    taken = done = most = 0

    def contents():
        nonlocal taken, most
        for number in range(30):
            taken += 1
            most = max(most, taken - done)
            yield number, b"text"

    for _ in grade(workers, contents()):
        done += 1
    assert taken == done == 30
    assert most <= 2 * 2 + 1  # two for each worker, and the one that takes a result's place


def test_large_submissions_go_through_without_a_warning(workers):
    content = b"large " + b"x" * 12_000_000
    ((number, result),) = grade(workers, [(7, content)])
    assert (number, result) == (7, graded(content))


def test_closing_the_iterator_cancels_what_has_not_started(workers):
    with closing(grade(workers, numbered(*[f"{n} sleep 0.5" for n in range(20)]))) as found:
        next(found)
    wait_until(lambda: not workers.cluster.scheduler.tasks)
    assert len(calls(workers.notes)) <= 1 + 2 + 1  # the result, what ran, and what just followed
    assert set(workers.cluster.scheduler.clients) <= {"fire-and-forget"}


def test_ctrl_c_cancels_what_has_not_started(workers):

    def contents():
        for number in range(20):
            if number == 5:
                os.kill(os.getpid(), signal.SIGINT)
            yield number, f"{number} sleep 0.5".encode()

    with pytest.raises(KeyboardInterrupt):
        list(grade(workers, contents()))
    wait_until(lambda: not workers.cluster.scheduler.tasks)
    assert len(calls(workers.notes)) <= 5
    assert set(workers.cluster.scheduler.clients) <= {"fire-and-forget"}


# --- what the workers cannot do ----------------------------------------------------------------


def test_other_code_on_the_workers_is_refused(workers, monkeypatch):
    monkeypatch.setattr(cluster, "code_version", lambda: "another")
    with pytest.raises(GradingError, match=r"same versions of gm-course.*got others at tcp://127"):
        list(grade(workers, numbered("a")))
    assert calls(workers.notes) == []


def no_sandbox(*, timeout, sandboxed):
    raise SandboxError("sandbox: bubblewrap was not found. Install it.")


def test_a_grader_that_cannot_start_ends_the_run(workers, monkeypatch):
    monkeypatch.setattr(cluster, "start_grader", no_sandbox)
    with pytest.raises(SandboxError, match=r"^sandbox: bubblewrap was not found\. Install it\.$"):
        list(grade(workers, numbered("a", "b")))


# --- what the scheduler cannot do --------------------------------------------------------------


def refusal(address):
    with pytest.raises(GradingError, match="must be the address of a Dask scheduler") as caught:
        list(cluster.grade_on_cluster([(0, b"a")], address, timeout=1.0, sandboxed=True))
    message = str(caught.value)
    assert "\n" not in message
    assert repr(address) in message
    return message


def test_a_scheduler_that_does_not_answer_is_an_error(monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.3)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and does not listen
        port = unused.getsockname()[1]
        assert "Timed out trying to connect" in refusal(f"tcp://127.0.0.1:{port}")


@pytest.mark.parametrize("address", ["", "host", "other://host:8786", "tcp://host:port"])
def test_an_address_that_is_none_is_an_error(address):
    refusal(address)


def test_a_service_that_says_nothing_is_an_error():
    # In a process of its own: Dask goes on waiting, and keeps later clients of the process waiting.
    program = """
import socket
from gm_course.grading import cluster
cluster.CONNECT_SECONDS = 0.5
with socket.create_server(("127.0.0.1", 0)) as mute:
    address = f"tcp://127.0.0.1:{mute.getsockname()[1]}"
    try:
        list(cluster.grade_on_cluster([(0, b"a")], address, timeout=1.0, sandboxed=True))
    except cluster.GradingError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert "(TimeoutError: no answer)" in done.stdout
    assert (done.returncode, done.stderr) == (0, "")


def test_the_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(GradingError, match="pip install distributed"):
        next(cluster.grade_on_cluster([], "tcp://a:1", timeout=1.0, sandboxed=True))


@pytest.fixture
def lonely_scheduler(tmp_path):
    """Process and address of a scheduler without workers."""
    file = tmp_path / "scheduler.json"
    options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", file]
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", *map(str, options)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: file.exists() and file.read_text().endswith("}"))
            yield process, json.loads(file.read_text())["address"]
        finally:
            process.kill()


def test_a_cluster_without_workers_and_then_without_scheduler(lonely_scheduler, monkeypatch):
    process, address = lonely_scheduler
    monkeypatch.setattr(cluster, "WORKERLESS_SECONDS", 0.2)
    with pytest.raises(GradingError, match=r"must have workers; got .* none for 0\.2 s"):
        list(cluster.grade_on_cluster([(0, b"a")], address, timeout=1.0, sandboxed=True))
    monkeypatch.setattr(cluster, "WORKERLESS_SECONDS", 600.0)
    timer = threading.Timer(0.5, process.kill)
    timer.start()
    with pytest.raises(GradingError, match="must stay within reach; got no answer any more"):
        list(cluster.grade_on_cluster([(0, b"a")], address, timeout=1.0, sandboxed=True))
    timer.join()


# --- the real grader ---------------------------------------------------------------------------


def test_real_submissions_with_a_worker_killed_in_mid_run(two_workers, sandbox_tool):
    contents = [make(number) for number in NUMBERS[:3] for make in (worked, untouched)]
    found = {}
    for number, result in grade(two_workers, enumerate(contents)):
        if not found:
            for worker in two_workers.cluster.workers.values():
                process = psutil.Process(worker.pid)
                two_workers.processes.extend([process, *process.children(recursive=True)])
            assert len(two_workers.processes) > 2  # the sandboxes, too
            two_workers.processes[0].kill()
        assert number not in found
        found[number] = result
    shares = [found[number].score / found[number].max_score for number in range(6)]
    assert shares == [1, 0] * 3
    assert [found[number].exercise for number in (0, 2, 4)] == list(NUMBERS[:3])
