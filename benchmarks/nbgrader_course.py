"""nbgrader's autograder on given notebooks, in a course directory of its own."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.class_of_submissions import Submission
from benchmarks.corpus import ROOT
from benchmarks.process_tree import Run, run
from gm_course.checks.registry import ANSWERS

ASSIGNMENT = "ps13"
_NEXT_STUDENT = re.compile(r"Creating/updating student with ID '(.+?)'")


@dataclass(frozen=True)
class Autograded:
    """What nbgrader did.

    Attributes:
        seconds: Wall time of ``nbgrader autograde``, its start included.
        start_up: Seconds until it turned to the first submission.
        seconds_each: Seconds by student.
        scores: Points that it gave, by student and answer.
        peak_memory: Bytes (PSS) of it and its kernel.
    """

    seconds: float
    start_up: float
    seconds_each: dict[str, float]
    scores: dict[str, dict[str, float]]
    peak_memory: int


def autograde(submissions: Sequence[Submission], *, folder: Path) -> Autograded:
    """Make a course of the six exercises in an empty folder, hand in, and run the autograder.

    Only the autograder is timed. It gets all submissions in one process, with its defaults.
    """
    (folder / "nbgrader_config.py").write_text("c = get_config()\n")
    source = folder / "source" / ASSIGNMENT
    source.mkdir(parents=True)
    for number in ANSWERS:
        (source / f"{number}.ipynb").write_bytes((ROOT / f"solutions/{number}.ipynb").read_bytes())
    _nbgrader("generate_assignment", folder=folder)
    for submission in submissions:
        target = folder / "submitted" / submission.student / ASSIGNMENT
        target.mkdir(parents=True)
        (target / f"{submission.expected.exercise}.ipynb").write_bytes(submission.content)
    done = _nbgrader("autograde", folder=folder)
    begun = {
        match[1]: second for second, line in done.lines if (match := _NEXT_STUDENT.search(line))
    }
    ends = [*begun.values(), done.seconds][1:]
    return Autograded(
        done.seconds,
        start_up=min(begun.values()),
        seconds_each={
            student: end - second
            for (student, second), end in zip(begun.items(), ends, strict=True)
        },
        scores=_scores(submissions, folder=folder),
        peak_memory=done.peak_memory,
    )


def _nbgrader(command: str, *, folder: Path) -> Run:
    # nbgrader starts alembic by its name, as an activated environment finds it.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = run(
        [sys.executable, "-m", "nbgrader", command, ASSIGNMENT],
        folder=folder,
        environment={"PATH": path},
    )
    if done.returncode != 0:
        raise RuntimeError(f"nbgrader {command} ended with {done.returncode}:\n{done.output}")
    return done


def _scores(submissions: Sequence[Submission], *, folder: Path) -> dict[str, dict[str, float]]:
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as book:
        return {
            submission.student: {
                grade.cell.name.removeprefix("check_"): grade.auto_score
                for grade in book.find_submission_notebook(
                    submission.expected.exercise, ASSIGNMENT, submission.student
                ).grades
                if grade.cell.name.startswith("check_")
            }
            for submission in submissions
        }
