"""Grading one submission: the sandbox runs its answers, the checks here judge what came back."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import torch

from gm_course.checks import AnswerCheck, Exercise, exercise
from gm_course.checks.registry import ANSWERS
from gm_course.checks.verdict import Verdict
from gm_course.errors import UnreadableError
from gm_course.grading import submission
from gm_course.grading.limits import ANSWERS_IN_ALL, DEFAULT_TIMEOUT, SPARE_SECONDS
from gm_course.grading.results import AnswerResult, AnswerStatus, Result, WrittenResult
from gm_course.grading.sandbox import Sandbox, Session, SessionError
from gm_course.sandbox.codec import (
    ProtocolError,
    decode_raised,
    decode_responses,
    parse_json,
)

PLAN_SECONDS = 10.0  # for finding the answers, nothing of which is the student's code
MAX_TEXT = 2_000

_ENDS = {
    "exit": "the process ended before the answer did: something called os._exit or the like",
    "memory": "the answer used more memory or temporary files than the 4 GiB allowed",
    "tasks": "the answer started more than the 64 processes and threads allowed",
    "output": "the answer returned more data than can be read",
    "protocol": "what came back is not what calling the answer gives",
    "session": "the process that runs the submission ended",
}
_HINTS = {
    "timeout": "Look for a loop that never ends, or for work that grows too fast with the size of "
    "the input.",
    "crashed": "Call the function yourself in a fresh kernel: it must return normally.",
    "error": "Restart the kernel, run the notebook from the top, and read the whole traceback.",
    "missing": "Keep the function's name as the exercise gives it, and its cell in the notebook.",
}


class Grader:
    """Grades submissions, one at a time, with a sandbox that stays warm between them.

    Args:
        timeout: Seconds an answer may take; a submission may take five times that.
        sandboxed: False runs the submissions' code without isolation.

    Raises:
        SandboxError: On entering the context, if the sandbox cannot be started.
    """

    def __init__(self, *, timeout: float = DEFAULT_TIMEOUT, sandboxed: bool = True) -> None:
        self._timeout = timeout
        self._sandboxed = sandboxed

    def __enter__(self) -> Grader:
        torch.set_num_threads(1)
        calls = {
            number: {check.name: check.calls for check in exercise(number).checks}
            for number in ANSWERS
        }
        self._sandbox = Sandbox(
            calls,
            session_seconds=ANSWERS_IN_ALL * self._timeout + SPARE_SECONDS,
            sandboxed=self._sandboxed,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._sandbox.close()

    def grade(self, content: bytes) -> Result:
        """Grade a notebook.

        Args:
            content: The bytes of its file.

        Raises:
            SandboxError: If the sandbox itself failed.
        """
        try:
            found = submission.parse(content)
        except UnreadableError as error:
            return Result("unreadable", message=str(error))
        if found.exercise is None:
            return Result(
                "unknown_exercise", message="it has none of the answers of exercises 13-1 to 13-6"
            )
        sheet = exercise(found.exercise)
        run = _Run(self._sandbox, found, sheet, timeout=self._timeout)
        return Result(
            "graded",
            exercise=found.exercise,
            answers=tuple(run.answers()),
            written=tuple(
                WrittenResult(
                    item.name,
                    "empty" if item.is_empty else "needs_review",
                    sheet.written_points,
                    item.text,
                )
                for item in found.written
            ),
        )


@dataclass
class _Outcome:
    """What one answer has come to so far."""

    status: AnswerStatus
    score: float = 0.0
    mistake: str = ""
    diagnosis: str = ""
    hint: str = ""
    report: str = ""


class _Run:
    """The answers of one submission on their way through the sandbox.

    All answers are run together first: one process is enough for most submissions. An answer that
    did not pass, after others that may have changed a library or left a thread behind, gets a
    process of its own, and that second outcome counts. Nothing is gained by the first: an answer
    passes by returning right values only.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        found: submission.Submission,
        sheet: Exercise,
        *,
        timeout: float,
    ) -> None:
        self._sandbox = sandbox
        self._found = found
        self._checks = {check.name: check for check in sheet.checks}
        self._number = sheet.number
        self._timeout = timeout
        self._end = time.monotonic() + ANSWERS_IN_ALL * timeout
        self._session: Session | None = None
        self._plan: dict[str, dict[str, Any]] = {}
        self._outcomes: dict[str, _Outcome] = {}

    def answers(self) -> Iterable[AnswerResult]:
        try:
            self._run_all()
        finally:
            self._close()
        for name, check in self._checks.items():
            outcome, plan = self._outcomes[name], self._plan.get(name, {})
            yield AnswerResult(
                name=name,
                status=outcome.status,
                score=outcome.score,
                max_score=check.points,
                mistake=outcome.mistake,
                diagnosis=outcome.diagnosis[:MAX_TEXT],
                hint=outcome.hint[:MAX_TEXT],
                report=outcome.report[: 5 * MAX_TEXT],
                code=str(plan.get("source", "")),
                fingerprint=str(plan.get("fingerprint", "")),
            )

    def _run_all(self) -> None:
        try:
            self._open()
        except SessionError:
            self._outcomes = {name: _crashed("session") for name in self._checks}
            self._sandbox.restart()
            return
        runnable = []
        for name in self._checks:
            if not self._plan[name]["is_found"]:
                self._outcomes[name] = _missing(name)
            elif self._plan[name]["problem"]:
                self._outcomes[name] = _unparsable(*self._plan[name]["problem"])
            else:
                runnable.append(name)
        undisturbed = self._run_together(runnable)
        again = [
            name
            for name in runnable
            if name not in undisturbed and self._deserves_another_run(name)
        ]
        # Last those that would use up the time of the others.
        for name in sorted(again, key=lambda name: self._status(name) == "timeout"):
            self._run([name])
        for name in runnable:
            self._outcomes.setdefault(name, _timed_out(self._timeout, in_all=True))

    def _run_together(self, names: Sequence[str]) -> set[str]:
        """Run the answers in as few processes as possible.

        Returns:
            Those that nothing could disturb: only tame answers ran before them in the process.
        """
        undisturbed: set[str] = set()
        while names and (reached := self._run(names)):
            for name in names[:reached]:
                undisturbed.add(name)
                if not self._plan[name]["is_tame"]:
                    break
            names = names[reached:]
        return undisturbed

    def _deserves_another_run(self, name: str) -> bool:
        status = self._status(name)
        if status == "not_attempted":  # a stub cannot come to anything else
            return not self._plan[name]["is_stub"]
        return status != "passed"

    def _status(self, name: str) -> str:
        return self._outcomes[name].status if name in self._outcomes else ""

    def _run(self, names: Sequence[str]) -> int:
        """Run answers in one process and note their outcomes, as far as it gets.

        Returns:
            How many answers it got to.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            return 0
        messages: list[bytes] = []
        try:
            session = self._session or self._open()
            messages, end = session.run(names, seconds=self._timeout, in_all=left)
        except SessionError:
            self._close()
            self._sandbox.restart()
            end = "session"
        for name, message in zip(names, messages, strict=False):
            self._outcomes[name] = self._judge(self._checks[name], message)
        if len(messages) == len(names):
            return len(names)
        broken = names[len(messages)]
        if end == "time":
            in_all = time.monotonic() >= self._end
            self._outcomes[broken] = _timed_out(self._timeout, in_all=in_all)
        else:
            self._outcomes[broken] = _crashed(end)
        return len(messages) + 1

    def _judge(self, check: AnswerCheck, message: bytes) -> _Outcome:
        try:
            content = parse_json(message)
            if type(content) is not dict or len(content) != 1:
                raise ProtocolError("answer")
            if "raised" in content:
                raised = decode_raised(content["raised"])
                return _raised(raised.class_name, raised.message, raised.line)
            if "absent" in content:
                return _missing(check.name)
            responses = decode_responses(content.get("responses"), at_most=len(check.calls))
        except ProtocolError:
            return _crashed("protocol")
        return _judged(check.judge(responses))

    def _open(self) -> Session:
        """Return a new session; try twice, because the one before may have left a mess."""
        try:
            self._session = self._new_session()
        except SessionError:
            self._sandbox.restart()
            self._session = self._new_session()
        self._plan = self._session.plan
        return self._session

    def _new_session(self) -> Session:
        session = self._sandbox.session(self._number, self._found.cells, seconds=PLAN_SECONDS)
        if set(session.plan) != set(self._checks):
            raise SessionError("plan")
        return session

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None


def _judged(verdict: Verdict) -> _Outcome:
    return _Outcome(
        verdict.status,
        verdict.score,
        verdict.mistake,
        verdict.diagnosis,
        verdict.hint,
        verdict.text,
    )


def _raised(class_name: str, message: str, line: int) -> _Outcome:
    where = f" at line {line}" if line else ""
    text = f": {message}" if message else ""
    diagnosis = f"running the cell raised {class_name}{where}{text}"
    return _outcome("error", "raised", diagnosis)


def _unparsable(message: str, line: int) -> _Outcome:
    where = f" at line {line}" if line else ""
    return _outcome("error", "syntax", f"the cell is not valid Python{where}: {message}")


def _missing(name: str) -> _Outcome:
    return _outcome("missing", "missing", f"the notebook defines no function {name}")


def _timed_out(seconds: float, *, in_all: bool) -> _Outcome:
    limit = "the submission used up its time" if in_all else f"it took longer than {seconds:g} s"
    return _outcome("timeout", "timeout", limit)


def _crashed(end: str) -> _Outcome:
    return _outcome("crashed", end, _ENDS.get(end, f"the process died: {end}"))


def _outcome(status: AnswerStatus, mistake: str, diagnosis: str) -> _Outcome:
    return _Outcome(status, 0.0, mistake, diagnosis, _HINTS[status])
