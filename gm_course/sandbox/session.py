"""One submission in the sandbox: finds its answers, runs them, watches the runs."""

from __future__ import annotations

import ast
import contextlib
import json
import linecache
import os
import select
import signal
import socket
import struct
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gm_course.checks.calls import Call
from gm_course.sandbox import isolation, messages
from gm_course.sandbox.answers import write_answers
from gm_course.sandbox.cells import Cell, Notebook, Plan
from gm_course.sandbox.fingerprints import answer_fingerprint
from gm_course.sandbox.tameness import is_tame

MAX_ANSWER = 16 * 2**20
_LOOK_EVERY = 0.05  # seconds between looks at memory and tasks
_LENGTH = struct.Struct(">I")


def serve(connection: socket.socket, calls: Mapping[str, Mapping[str, Sequence[Call]]]) -> None:
    """Answer the grader's messages about one submission until it closes the connection.

    Args:
        connection: To the grader.
        calls: Exercise → answer → the calls to make.
    """
    kind, content = messages.receive(connection)
    assert kind == messages.NOTEBOOK
    request = json.loads(content)
    wanted = calls[request["exercise"]]
    cells = [Cell(number, *item) for number, item in enumerate(request["cells"], start=1)]
    for cell in cells:  # some tools, torch.jit among them, read a function's source
        lines = cell.source.splitlines(keepends=True)
        linecache.cache[cell.file_name] = (len(cell.source), None, lines, cell.file_name)
    notebook = Notebook(cells)
    plans = {name: notebook.plan(name) for name in wanted}
    found = {name: _describe(name, plan) for name, plan in plans.items()}
    messages.send(connection, messages.PLAN, json.dumps(found).encode())
    while True:
        try:
            kind, content = messages.receive(connection)
        except messages.ClosedError:
            return
        assert kind == messages.RUN
        run = json.loads(content)
        work = [(plans[name], name, wanted[name]) for name in run["names"]]
        _run(connection, work, seconds=run["seconds"], in_all=run["in_all"])


def _describe(name: str, plan: Plan) -> dict[str, object]:
    tree = ast.Module(list(plan.statements), type_ignores=[])
    return {
        "is_found": plan.is_found,
        "is_stub": plan.is_stub(name),
        "is_tame": is_tame(plan.statements),
        "source": plan.source,
        "fingerprint": answer_fingerprint(tree, name),
        "problem": plan.problem and [plan.problem.message[:200], plan.problem.line],
    }


@dataclass
class _Output:
    """What the student's process has written, cut into answers."""

    buffer: bytearray
    count: int = 0

    def take(self) -> bytes | None:
        """Return the next whole answer, if there is one."""
        if len(self.buffer) < _LENGTH.size:
            return None
        (size,) = _LENGTH.unpack_from(self.buffer)
        end = _LENGTH.size + size
        if len(self.buffer) < end:
            return None
        answer = bytes(self.buffer[_LENGTH.size : end])
        del self.buffer[:end]
        self.count += 1
        return answer

    @property
    def is_too_long(self) -> bool:
        return len(self.buffer) > MAX_ANSWER


def _run(
    connection: socket.socket,
    work: Sequence[tuple[Plan, str, Sequence[Call]]],
    *,
    seconds: float,
    in_all: float,
) -> None:
    """Run answers in a process of their own, and tell how it ended.

    Args:
        connection: To the grader.
        work: Plan, name and calls of each answer.
        seconds: Time for each of them.
        in_all: Time for all of them together.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            connection.close()
            os.close(reading)
            write_answers(writing, work, seconds=in_all)
        except BaseException:
            traceback.print_exc()  # for the grader's log, as long as it is not a student's
        finally:
            os._exit(1)
    os.close(writing)
    run = _Child(pid)
    end = _watch(connection, run, reading, answers=len(work), seconds=seconds, in_all=in_all)
    os.close(reading)
    status = run.end_all()
    if end == "exit" and os.WIFSIGNALED(status):
        end = signal.strsignal(os.WTERMSIG(status)) or "signal"
    messages.send(connection, messages.END, json.dumps(end).encode())


class _Child:
    """The process that runs a student's code, and all that it has started."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._status: int | None = None

    def has_ended(self) -> bool:
        """Whether it has ended, which a process it left behind may hide by holding the pipe."""
        if self._status is None:
            ended, status = os.waitpid(self._pid, os.WNOHANG)
            self._status = status if ended else None
        return self._status is not None

    def end_all(self) -> int:
        """End it and, in the sandbox, everything that it has started; return its status."""
        if os.getpid() == 1:
            # All in this pid namespace but this process: at once, so that no fork escapes.
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        else:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while True:
                ended, status = os.waitpid(-1, 0)
                self._status = status if ended == self._pid else self._status
        return self._status or 0


def _watch(
    connection: socket.socket,
    run: _Child,
    reading: int,
    *,
    answers: int,
    seconds: float,
    in_all: float,
) -> str:
    """Pass on answers as they come; return "done" or why there are no more of them."""
    output = _Output(bytearray())
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    now = time.monotonic()
    last, look = now + in_all, now + _LOOK_EVERY
    deadline = min(now + seconds, last)
    while True:
        if poll.poll(max(0.0, min(deadline, look) - time.monotonic()) * 1000 + 1):
            part = os.read(reading, 2**16)
            if not part:
                return "exit"
            output.buffer += part
            while (answer := output.take()) is not None:
                messages.send(connection, messages.ANSWER, answer)
                deadline = min(time.monotonic() + seconds, last)
                if output.count == answers:
                    return "done"
            if output.is_too_long:
                return "output"
        elif run.has_ended():
            return "exit"
        now = time.monotonic()
        if now >= deadline:
            return "time"
        if now >= look:
            excess = isolation.excess() if os.getpid() == 1 else ""
            if excess:
                return excess
            look = time.monotonic() + _LOOK_EVERY
