"""Grading on a Dask cluster: a scheduler hands the submissions to workers on many machines.

A worker process grades one submission at a time, so it should have one thread::

    dask scheduler
    dask worker tcp://SCHEDULER:8786 --nworkers -1 --nthreads 1

All machines, the scheduler's included, need this package, in the same version and with the same
libraries.
"""

from __future__ import annotations

import functools
import importlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from gm_course.errors import GradingError, SandboxError
from gm_course.grading.results import Result
from gm_course.grading.store import grading_fingerprint
from gm_course.grading.workers import LostResult, SubmissionGrader, described, start_grader
from gm_course.interrupts import deferred_interrupt

CONNECT_SECONDS = 10.0
# A worker that was killed is back within seconds; a cluster that stays without any is of no use.
WORKERLESS_SECONDS = 60.0

_AHEAD = 2  # submissions per worker: one that is being graded, and one on its way
_ATTEMPTS = 2
_LOOK_EVERY = 1.0  # seconds
_RESULT_SECONDS = 30.0

StartGrader = Callable[..., AbstractContextManager[SubmissionGrader]]


def grade_on_cluster(
    contents: Iterable[tuple[int, bytes]], address: str, *, timeout: float, sandboxed: bool
) -> Generator[tuple[int, Result], None, None]:
    """Grade submissions on a Dask cluster; yield their results as they are finished.

    If a worker dies, its submissions go to others, and each still has one result. One that several
    workers died on is tried once more when all others are done, alone, so that it takes no other
    submission with it. If they die again, or the grader fails on it twice, it gets a
    :class:`~gm_course.grading.workers.LostResult`. Closing the iterator, or an exception in it
    such as KeyboardInterrupt, cancels what has not been started.

    Args:
        contents: A number and the file's bytes for each submission. At most two for each worker
            are taken ahead of the results.
        address: The scheduler's, such as ``"tcp://host:8786"``.
        timeout: Seconds an answer may take.
        sandboxed: Whether the workers isolate the students' code.

    Yields:
        The number and the result of a submission.

    Raises:
        GradingError: If the package ``distributed`` is missing; if the scheduler cannot be reached
            or has no workers, be it later on; if a worker has other code than this machine.
        SandboxError: If a worker's grader cannot start.
    """
    client = _connect(address)
    try:
        yield from _Run(client, contents, address, timeout=timeout, sandboxed=sandboxed).results()
    finally:
        with deferred_interrupt():
            client.close()  # the scheduler then drops what this client has asked for


# --- on this machine ---------------------------------------------------------------------------


def _connect(address: str) -> Any:  # noqa: ANN401 - distributed has no types for what is used here
    try:
        distributed = importlib.import_module("distributed")
    except ImportError as error:
        raise GradingError(
            "grade: --cluster must have the package distributed installed; got none. Install it: "
            "pip install distributed."
        ) from error
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def connect() -> None:
        try:
            # A client that fails at such an address complains once more when it is collected.
            distributed.comm.get_address_host_port(address)
            client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except Exception as error:  # of any kind, where another service answers
            answers.put(error)
        else:
            answers.put(client)

    # Dask has a limit of its own, but waits forever where a service listens and says nothing.
    threading.Thread(target=connect, daemon=True).start()
    try:
        answer = answers.get(timeout=2 * CONNECT_SECONDS)
    except queue.Empty:
        answer = TimeoutError("no answer")
    if not isinstance(answer, Exception):
        return answer
    raise GradingError(
        "grade: --cluster must be the address of a Dask scheduler that answers; got "
        f"{address!r} ({described(answer)}). Check the address, and start the scheduler with: "
        "dask scheduler."
    ) from answer


@dataclass
class _Task:
    """One submission on its way."""

    number: int
    content: bytes
    failures: int = 0
    deaths: int = 0


class _Run:
    """What of the submissions is where."""

    def __init__(
        self,
        client: Any,  # noqa: ANN401
        contents: Iterable[tuple[int, bytes]],
        address: str,
        *,
        timeout: float,
        sandboxed: bool,
    ) -> None:
        self._client = client
        self._source = iter(contents)
        self._address = address
        self._timeout = timeout
        self._sandboxed = sandboxed
        self._again: deque[_Task] = deque()
        self._suspects: deque[_Task] = deque()
        self._running: dict[str, tuple[Any, _Task]] = {}
        self._finished: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._workers = 0
        self._workers_seen_at = self._looked_at = time.monotonic()

    def results(self) -> Generator[tuple[int, Result], None, None]:
        """Yield the results."""
        self._look_at_workers()
        while True:
            self._submit_more()
            if not self._running:
                return
            with suppress(queue.Empty):
                result = self._take(self._finished.get(timeout=_LOOK_EVERY))
                if result is not None:
                    yield result
            if time.monotonic() - self._looked_at > _LOOK_EVERY:
                self._look_at_workers()

    def _submit_more(self) -> None:
        import dask

        while len(self._running) < _AHEAD * max(1, self._workers):
            task = self._next_task()
            if task is None:
                return
            # Dask would have large data kept on the workers; but there a worker's death loses it.
            with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 GiB"}):
                future = self._client.submit(
                    grade_here,
                    start_grader,
                    task.content,
                    timeout=self._timeout,
                    sandboxed=self._sandboxed,
                    code=code_version(),
                    pure=False,  # the same bytes twice are two submissions
                )
            self._running[future.key] = future, task
            future.add_done_callback(self._finished.put)

    def _next_task(self) -> _Task | None:
        if self._again:
            return self._again.popleft()
        item = next(self._source, None)
        if item is not None:
            return _Task(*item)
        return self._suspects.popleft() if self._suspects and not self._running else None

    def _look_at_workers(self) -> None:
        try:
            self._workers = len(self._client.nthreads())
        except (OSError, RuntimeError) as error:
            raise self._lost_connection() from error
        self._looked_at = time.monotonic()
        if self._workers:
            self._workers_seen_at = self._looked_at
        elif self._looked_at - self._workers_seen_at > WORKERLESS_SECONDS:
            raise GradingError(
                f"grade: --cluster must have workers; got a scheduler, {self._address!r}, that has "
                f"had none for {WORKERLESS_SECONDS:g} s. Start some with: dask worker "
                f"{self._address} --nworkers -1 --nthreads 1."
            )

    def _take(self, future: Any) -> tuple[int, Result] | None:  # noqa: ANN401
        """Return what came of a submission, or see to it that it is tried again."""
        from distributed import KilledWorker

        if future.cancelled():
            raise self._lost_connection()
        try:
            outcome: Outcome = future.result(timeout=_RESULT_SECONDS)
        except TimeoutError:  # its worker has died with the result, and others have to repeat it
            future.add_done_callback(self._finished.put)
            return None
        except KilledWorker:
            outcome = {"kind": "died", "record": {}, "reason": "the workers died that were at it"}
        except Exception as error:
            raise GradingError(
                "grade: --cluster must have this version of gm-course on all of its machines, the "
                f"scheduler's included; got {described(error)}. Install it there, and restart "
                "the scheduler and the workers."
            ) from error
        task = self._running.pop(future.key)[1]
        match outcome["kind"]:
            case "graded":
                return task.number, Result.from_record(outcome["record"])
            case "other code":
                raise GradingError(
                    "grade: --cluster must have workers with the same versions of gm-course, "
                    "Python, torch, NumPy and SciPy as this machine; got others at "
                    f"{outcome['reason']}. Install them there, and restart the workers."
                )
            case "cannot start":
                raise SandboxError(outcome["reason"])
            case "died":
                task.deaths += 1
                again = self._suspects
            case "failed":
                task.failures += 1
                again = self._again
        if max(task.deaths, task.failures) < _ATTEMPTS:
            again.append(task)
            return None
        message = (
            f"grade: the grader failed {_ATTEMPTS} times on this submission, the last time because "
            f"{outcome['reason']}. Grade it by hand, or try again without --cluster."
        )
        return task.number, LostResult("unreadable", message=message)

    def _lost_connection(self) -> GradingError:
        return GradingError(
            "grade: --cluster must stay within reach; got no answer any more from "
            f"{self._address!r}. Run the same command again to go on."
        )


# --- on the workers ----------------------------------------------------------------------------


class Outcome(TypedDict):
    """What a worker sends back: plain data, no objects.

    Attributes:
        kind: What happened; ``"died"`` is what is noted for a worker that sends nothing.
        record: If graded, what :meth:`~gm_course.grading.results.Result.record` returned.
        reason: If not, why; of other code, the worker that has it.
    """

    kind: Literal["graded", "failed", "cannot start", "other code", "died"]
    record: dict[str, Any]
    reason: str


@functools.cache
def code_version() -> str:
    """Return a digest of the code and the libraries that this process grades with.

    It is remembered: files that change later are not what has been loaded.
    """
    return grading_fingerprint(timeout=1.0, sandboxed=True)


def grade_here(
    start: StartGrader, content: bytes, *, timeout: float, sandboxed: bool, code: str
) -> Outcome:
    """Grade a submission in this worker process.

    Args:
        start: Returns a grader; called with ``timeout`` and ``sandboxed``.
        content: The file's bytes.
        timeout: Seconds an answer may take.
        sandboxed: Whether to isolate the submission's code.
        code: The :func:`code_version` that has to be used.
    """
    if code_version() != code:
        from distributed import get_worker

        return {"kind": "other code", "record": {}, "reason": str(get_worker().address)}
    return _WARM_GRADER.grade(start, content, timeout=timeout, sandboxed=sandboxed)


class _WarmGrader:
    """The grader of this process; it stays until other settings are asked for, or it fails."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # a worker may have several threads, which take turns
        self._stack = ExitStack()
        self._settings: tuple[object, ...] = ()
        self._grader: SubmissionGrader | None = None

    def grade(
        self, start: StartGrader, content: bytes, *, timeout: float, sandboxed: bool
    ) -> Outcome:
        with self._lock:
            settings = (start, timeout, sandboxed)
            if self._grader is None or self._settings != settings:
                self._stop()
                try:
                    grader = self._stack.enter_context(start(timeout=timeout, sandboxed=sandboxed))
                except Exception as error:
                    return {"kind": "cannot start", "record": {}, "reason": described(error)}
                self._grader, self._settings = grader, settings
            try:
                record = self._grader.grade(content).record()
            except Exception as error:
                self._stop()
                return {"kind": "failed", "record": {}, "reason": f"it met {described(error)}"}
            return {"kind": "graded", "record": record, "reason": ""}

    def _stop(self) -> None:
        self._grader = None
        with suppress(Exception):  # one that has failed may fail at that, too
            self._stack.close()


_WARM_GRADER = _WarmGrader()
