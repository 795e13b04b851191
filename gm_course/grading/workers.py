"""Worker processes on this machine: each grades one submission at a time, and any may die.

The pool is small on purpose: it takes contents only as fast as they are graded, replaces a worker
that is gone, and leaves no process behind, however the run ends.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import Protocol

from gm_course.errors import CourseError, SandboxError
from gm_course.grading.results import Result
from gm_course.interrupts import deferred_interrupt

# Time for a worker to take down its sandbox before it is killed.
GRACE_SECONDS = 5.0

_ATTEMPTS = 2
_LONGEST_REASON = 1000

# A forked copy of a process that has used threads may hang, so workers start from scratch.
_PROCESSES = multiprocessing.get_context("spawn")


class SubmissionGrader(Protocol):
    """What a worker grades with."""

    def grade(self, content: bytes) -> Result:
        """Return what was found in a submission with this content."""


MakeGrader = Callable[[], AbstractContextManager[SubmissionGrader]]


@dataclass(frozen=True)
class LostResult(Result):
    """Stands for the result of a submission that the grader itself failed on; never to be kept."""


def start_grader(*, timeout: float, sandboxed: bool) -> AbstractContextManager[SubmissionGrader]:
    """Return the real grader; only the process that calls this loads the libraries it needs."""
    from gm_course.grading.grader import Grader

    return Grader(timeout=timeout, sandboxed=sandboxed)


def usable_cores() -> int:
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def grade_all(
    contents: Iterable[tuple[int, bytes]],
    make_grader: MakeGrader,
    jobs: int,
    *,
    patience: float,
) -> Generator[tuple[int, Result], None, None]:
    """Grade submissions in worker processes; yield their results as they are finished.

    A worker that dies, fails or takes too long is replaced, and its submission is tried once more;
    failing again, it gets a :class:`LostResult`. Closing the iterator, or an exception in it such
    as KeyboardInterrupt, ends all workers at once. They also end when this process is killed.

    Args:
        contents: A number and the file's bytes for each submission. At most ``jobs`` of them are
            taken ahead of the results.
        make_grader: Called in each worker; can be pickled.
        jobs: Workers to run at once; there are never more than submissions.
        patience: Seconds after which a worker that is starting or grading counts as hanging. A
            last resort: the grader itself keeps to a submission's time.

    Yields:
        The number and the result of a submission.

    Raises:
        SandboxError: If a worker or its grader cannot start.
    """
    source = iter(contents)
    seats: list[_Seat] = []
    vacated: list[_Seat] = []
    is_complete = False
    try:
        for item in islice(source, jobs):
            seats.append(_Seat(_Task(*item), lambda: _Worker(make_grader, patience)))
        while seats:
            for seat in _with_news(seats):
                result = seat.proceed()
                if result is None:
                    continue
                number = seat.task.number
                # First the next submission is handed over: no worker should wait for what the
                # caller does with a result.
                upcoming = next(source, None)
                if upcoming is None:
                    seat.worker.dismiss()
                    seats.remove(seat)
                    vacated.append(seat)
                else:
                    seat.take_on(_Task(*upcoming))
                yield number, result
        is_complete = True
    finally:
        with deferred_interrupt():
            _end([seat.worker for seat in [*seats, *vacated]], at_once=not is_complete)


@dataclass
class _Task:
    """One submission on its way."""

    number: int
    content: bytes
    failures: int = 0


@dataclass(frozen=True)
class _Ready:
    """A worker's message: the grader is set up."""


@dataclass(frozen=True)
class _CannotStart:
    """A worker's message: the grader cannot be set up."""

    reason: str


@dataclass(frozen=True)
class _Failed:
    """The worker is no longer of use: it raised, hung or died."""

    reason: str


_Message = Result | _Ready | _CannotStart | _Failed


class _Worker:
    """A worker process, as the main process sees it.

    Attributes:
        connection: The pipe to it.
        process: The process.
        deadline: When it counts as hanging, by the monotonic clock.
    """

    def __init__(self, make_grader: MakeGrader, patience: float) -> None:
        self.connection, theirs = _PROCESSES.Pipe()
        self.process = _PROCESSES.Process(
            target=_work, args=(make_grader, theirs), name="gm-course-worker", daemon=True
        )
        self._patience = patience
        self.deadline = time.monotonic() + patience
        try:
            with _interrupts_held_back():
                self.process.start()
        except OSError as error:
            raise SandboxError(
                f"grade: jobs must be no more processes than the system allows; got "
                f"{error.strerror}. Give a smaller --jobs."
            ) from error
        finally:
            theirs.close()

    @property
    def signs(self) -> tuple[Connection, int]:
        """What becomes ready when it has sent a message or has ended."""
        return self.connection, self.process.sentinel

    def send(self, content: bytes) -> None:
        """Send a submission to grade; to a process that has just died, do nothing."""
        self.deadline = time.monotonic() + self._patience
        with suppress(OSError):
            self.connection.send_bytes(content)

    def receive(self) -> _Message:
        """Return its message; call this when there is one, it has ended, or it is overdue."""
        try:
            if self.connection.poll():
                message: _Message = self.connection.recv()
                return message
        except (EOFError, OSError):
            pass  # it has died, perhaps in the middle of a message
        else:
            if time.monotonic() >= self.deadline and self.process.is_alive():
                return _Failed(f"its process took more than {self._patience:g} s")
        self.process.join(GRACE_SECONDS)
        return _Failed(f"its process died ({_ending(self.process.exitcode)})")

    def dismiss(self) -> None:
        """Let it end by itself, now that it has nothing more to do."""
        self.connection.close()


class _Seat:
    """A place for one worker after another, with the submission that is graded there.

    Attributes:
        task: The submission.
        worker: Who is at it; may have ended once the result is there.
    """

    def __init__(self, task: _Task, hire: Callable[[], _Worker]) -> None:
        self.task = task
        self.worker = hire()
        self._hire = hire
        self._is_ready = False
        self._failed_starts = 0

    def take_on(self, task: _Task) -> None:
        """Go on with another submission."""
        self.task = task
        if self._is_ready:
            self.worker.send(task.content)
        else:
            self.worker = self._hire()

    def proceed(self) -> Result | None:
        """Take the worker's message, and do what follows from it.

        Returns:
            The submission's result if there is one now.

        Raises:
            SandboxError: If the grader cannot be set up.
        """
        message = self.worker.receive()
        match message:
            case Result():
                return message
            case _Ready():
                self._is_ready = True
                self._failed_starts = 0
                self.worker.send(self.task.content)
                return None
            case _CannotStart(reason):
                raise SandboxError(reason)
            case _Failed(reason):
                return self._replace_worker(reason)

    def _replace_worker(self, reason: str) -> LostResult | None:
        _end([self.worker], at_once=True)
        if self._is_ready:
            self._is_ready = False
            self.task.failures += 1
            if self.task.failures == _ATTEMPTS:
                return LostResult(
                    status="unreadable",
                    message=f"grade: the grader failed {_ATTEMPTS} times on this submission, the "
                    f"last time because {reason}. Grade it by hand, or try again with --jobs 1.",
                )
        else:
            self._failed_starts += 1
            if self._failed_starts == _ATTEMPTS:
                raise SandboxError(
                    f"grade: the grader must be able to start; got {_ATTEMPTS} failures in a row, "
                    f"the last one because {reason}. Try --jobs 1 if memory is short."
                )
        self.worker = self._hire()
        return None


def _with_news(seats: Sequence[_Seat]) -> list[_Seat]:
    """Wait until a worker has sent a message, has ended or is overdue; return such seats."""
    signs = [sign for seat in seats for sign in seat.worker.signs]
    overdue_in = min(seat.worker.deadline for seat in seats) - time.monotonic()
    happened = wait(signs, timeout=max(0.0, overdue_in))
    now = time.monotonic()
    return [
        seat
        for seat in seats
        if seat.worker.deadline <= now or any(sign in happened for sign in seat.worker.signs)
    ]


def _end(workers: Sequence[_Worker], *, at_once: bool) -> None:
    """End the processes, by force those that do not end by themselves in time."""
    for worker in workers:
        worker.dismiss()
    processes = [worker.process for worker in workers]
    if at_once:
        for process in processes:
            process.terminate()
    for force in ("terminate", "kill"):
        give_up = time.monotonic() + GRACE_SECONDS
        for process in processes:
            process.join(max(0.0, give_up - time.monotonic()))
            if process.is_alive():
                getattr(process, force)()
    for process in processes:
        process.join()


def _ending(exit_code: int | None) -> str:
    if exit_code is None:
        return "it does not end"
    if exit_code < 0:
        return f"killed by signal {-exit_code}"
    return f"exit status {exit_code}"


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Start processes that Ctrl-C, which reaches the whole group, does not hit while they load."""
    resource_tracker.ensure_running()  # starting it would let interrupts through again
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


def _work(make_grader: MakeGrader, connection: Connection) -> None:
    """Grade what comes through the pipe until it is closed: the main function of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # blocked already, but a library may lift that
    signal.signal(signal.SIGTERM, _leave)
    # Nothing that is started from here may hold the pipe, or write a result into it.
    os.set_inheritable(connection.fileno(), False)
    threading.Thread(target=_leave_after_parent, daemon=True).start()
    try:
        with suppress(BrokenPipeError, ConnectionResetError):
            _grade_what_comes(make_grader, connection)
    finally:
        # What is left is the interpreter's own end, which should not be told as an error.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _grade_what_comes(make_grader: MakeGrader, connection: Connection) -> None:
    with ExitStack() as stack:
        try:
            grader = stack.enter_context(make_grader())
        except Exception as error:
            connection.send(_CannotStart(described(error)))
            return
        connection.send(_Ready())
        while True:
            try:
                content = connection.recv_bytes()
            except EOFError:
                return
            try:
                message: _Message = grader.grade(content)
            except Exception as error:
                message = _Failed(f"it met {described(error)}")
            connection.send(message)


def _leave(_number: int, _frame: FrameType | None) -> None:
    """End this worker, taking down the grader on the way."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(1)


def _leave_after_parent() -> None:
    """End this worker when the main process is gone, even in the middle of a submission."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def described(error: Exception) -> str:
    """Return an exception in one line, not too long."""
    text = str(error) if isinstance(error, CourseError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())[:_LONGEST_REASON]
