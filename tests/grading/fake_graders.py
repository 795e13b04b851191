"""Graders that behave in ways a real one should not; the submission's text says how."""

import atexit
import os
import signal
import time
from pathlib import Path

from gm_course.errors import SandboxError
from gm_course.grading.results import AnswerResult, Result


def graded(content):
    """The result that every fake gives to a submission with this content."""
    return Result(
        "graded",
        exercise="13-1",
        answers=(AnswerResult("expectation_gradient", "passed", 1.0, 2.0, code=content.decode()),),
    )


class FakeGrader:
    """Notes in a folder which process was started and what it graded, and obeys the text.

    ``sleep 3`` sleeps, ``hang`` never ends, ``linger`` has the process take its time when it ends,
    ``exit`` and ``kill`` end the process, ``raise`` and ``sandbox`` raise; with ``once`` behind,
    only the first time.
    """

    def __init__(self, notes):
        self._notes = Path(notes)

    def __enter__(self):
        self._notes.joinpath(f"started-{os.getpid()}").touch()
        return self

    def __exit__(self, *_exception):
        self._notes.joinpath(f"closed-{os.getpid()}").touch()

    def grade(self, content):
        text = content.decode()
        earlier = text in calls(self._notes)
        with (self._notes / "calls").open("a") as file:
            file.write(f"{text}\n")
        command, *rest = text.split()[1:] or ["pass"]
        if not ("once" in rest and earlier):
            self._obey(command, rest)
        return graded(content)

    def _obey(self, command, rest):
        if command == "sleep":
            time.sleep(float(rest[0]))
        elif command == "hang":
            while True:
                time.sleep(60)
        elif command == "linger":
            atexit.register(self._linger)
        elif command == "exit":
            os._exit(3)
        elif command == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif command == "raise":
            raise ValueError("no\nluck")
        elif command == "sandbox":
            raise SandboxError("sandbox: has ended.")

    def _linger(self):
        self._notes.joinpath(f"lingers-{os.getpid()}").touch()
        time.sleep(60)


def start_fake_grader(*, timeout, sandboxed):
    """In place of the command's own function; workers find the folder in the environment."""
    return FakeGrader(os.environ["FAKE_GRADER_NOTES"])


class NoSandbox:
    """Cannot start."""

    def __init__(self, notes):
        self._notes = Path(notes)

    def __enter__(self):
        self._notes.joinpath(f"started-{os.getpid()}").touch()
        raise SandboxError("sandbox: bubblewrap was not found. Install it.")

    def __exit__(self, *_exception):
        raise AssertionError("never entered")


class DiesAtStart:
    """Takes its process with it while starting; from a number of starts on it works."""

    def __init__(self, notes, deaths):
        self._notes = Path(notes)
        self._deaths = deaths

    def __enter__(self):
        self._notes.joinpath(f"started-{os.getpid()}").touch()
        if len(started(self._notes)) <= self._deaths:
            os.kill(os.getpid(), signal.SIGKILL)
        return FakeGrader(self._notes)

    def __exit__(self, *_exception):
        pass


def calls(notes):
    """What has been graded so far, in order."""
    file = Path(notes) / "calls"
    return file.read_text().splitlines() if file.exists() else []


def started(notes):
    """The ids of the worker processes started so far."""
    return [int(file.name.partition("-")[2]) for file in Path(notes).glob("started-*")]


def is_running(process):
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def kill_workers(notes):
    """Leave nothing behind even where a test has failed."""
    for process in filter(is_running, started(notes)):
        os.kill(process, signal.SIGKILL)


def wait_until(condition, *, seconds=60.0):
    """Wait for something that other processes do; it happens, or the test has failed."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(0.01)
