"""The student's code runs here, in a process that has nothing left to lose."""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
from collections.abc import Sequence
from types import CodeType

from gm_course.checks.calls import Call, collect, describe_error
from gm_course.sandbox import isolation
from gm_course.sandbox.cells import Plan
from gm_course.sandbox.codec import encode_raised, encode_responses

_LENGTH = struct.Struct(">I")


def write_answers(
    writing: int, work: Sequence[tuple[Plan, str, Sequence[Call]]], *, seconds: float
) -> None:
    """Run the answers one after the other, write what each of them did, and end the process.

    Args:
        writing: File descriptor of the pipe to the session.
        work: Plan, name and calls of each answer.
        seconds: CPU time for all of them together.
    """
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if os.getppid() == 1:
        isolation.become_untrusted(seconds)
    else:
        isolation.limit_resources(seconds)
    os.closerange(3, writing)
    os.closerange(writing + 1, isolation.OPEN_FILES)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
    for plan, name, calls in work:
        content = json.dumps(_answer(plan, name, calls)).encode()
        message = memoryview(_LENGTH.pack(len(content)) + content)
        while message:
            message = message[os.write(writing, message) :]
    os._exit(0)


def _answer(plan: Plan, name: str, calls: Sequence[Call]) -> dict[str, object]:
    namespace: dict[str, object] = {"__name__": "__main__", "display": _display}
    step: CodeType | None = None
    try:
        for step in plan.steps:
            exec(step, namespace)
    except BaseException as error:  # whatever it raises, the other answers go on
        return {"raised": encode_raised(describe_error(error, step, "call"))}
    function = namespace.get(name)
    if not callable(function):
        return {"absent": True}
    return {"responses": encode_responses(collect(function, calls))}


def _display(*objects: object, **options: object) -> None:
    """Stand in for IPython's, which notebooks have without an import."""
