"""What grading one submission found, and its form in the contract's JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

AnswerStatus = Literal[
    "passed", "failed", "not_attempted", "error", "timeout", "missing", "crashed"
]
WrittenStatus = Literal["needs_review", "empty"]
SubmissionStatus = Literal["graded", "unreadable", "unknown_exercise"]


@dataclass(frozen=True)
class AnswerResult:
    """What was found about one answer.

    Attributes:
        name: The answer's name in the contract.
        status: The contract's status.
        score: Points earned.
        max_score: Points it is worth.
        mistake: Machine-readable name of the misconception or finding; empty if passed.
        diagnosis: The mistake in words; empty if passed.
        hint: What to think about; empty if passed.
        report: The whole verdict as the student reads it in the notebook, several lines.
        code: The source of the answer as submitted, possibly shortened.
        fingerprint: Equal for answers that are the same up to names and formatting; empty if
            there is nothing to compare (not attempted, too short, not found).
    """

    name: str
    status: AnswerStatus
    score: float
    max_score: float
    mistake: str = ""
    diagnosis: str = ""
    hint: str = ""
    report: str = ""
    code: str = ""
    fingerprint: str = ""


@dataclass(frozen=True)
class WrittenResult:
    """The written answer: found or not, with its text for the person who grades it.

    Attributes:
        name: Its ``grade_id``.
        status: ``"needs_review"`` or ``"empty"``.
        max_score: Points it is worth.
        text: The student's Markdown, possibly shortened.
    """

    name: str
    status: WrittenStatus
    max_score: float
    text: str = ""


@dataclass(frozen=True)
class Result:
    """What grading one submission found; the same for every file with the same content.

    Attributes:
        status: The contract's status.
        exercise: ``"13-1"`` …; None unless graded.
        message: Why it is not graded, or a remark; may be empty.
        answers: One per answer of the exercise, in its order; none unless graded.
        written: The written answers; none unless graded.
    """

    status: SubmissionStatus
    exercise: str | None = None
    message: str = ""
    answers: tuple[AnswerResult, ...] = ()
    written: tuple[WrittenResult, ...] = ()

    @property
    def score(self) -> float:
        """Points earned by the automatically graded answers."""
        return sum((answer.score for answer in self.answers), 0.0)

    @property
    def max_score(self) -> float:
        """Points the automatically graded answers are worth."""
        return sum((answer.max_score for answer in self.answers), 0.0)

    def entry(self, submission: str) -> dict[str, Any]:
        """Return the contract's JSON object for a submission of this name."""
        return {
            "submission": submission,
            "exercise": self.exercise,
            "status": self.status,
            "score": self.score,
            "max_score": self.max_score,
            "message": self.message,
            "answers": [
                {
                    "name": answer.name,
                    "status": answer.status,
                    "score": answer.score,
                    "max_score": answer.max_score,
                    "diagnosis": answer.diagnosis,
                    "hint": answer.hint,
                }
                for answer in self.answers
            ],
            "written": [
                {
                    "name": written.name,
                    "status": written.status,
                    "score": None,
                    "max_score": written.max_score,
                }
                for written in self.written
            ],
        }

    def record(self) -> dict[str, Any]:
        """Return everything as plain JSON data, for keeping and for sending."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Result:
        """Return the result that :meth:`record` was called on.

        Raises:
            TypeError, KeyError: If this is not such a record.
        """
        return cls(
            status=record["status"],
            exercise=record["exercise"],
            message=record["message"],
            answers=tuple(AnswerResult(**item) for item in record["answers"]),
            written=tuple(WrittenResult(**item) for item in record["written"]),
        )
