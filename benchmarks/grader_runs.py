"""``gm-course grade`` on a folder, timed, its verdicts compared with the expected ones."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.class_of_submissions import ExpectedResult
from benchmarks.process_tree import Run, run


@dataclass(frozen=True)
class Graded:
    """One run of the command.

    Attributes:
        run: What was seen of it.
        disagreements: One line for each answer whose verdict is not the expected one.
    """

    run: Run
    disagreements: list[str]


def grade(submissions: Path, expected: Mapping[str, ExpectedResult], *, jobs: int) -> Graded:
    """Run the command on a folder of submissions, with nothing graded before.

    Args:
        submissions: The folder.
        expected: What to find, by the file's name.
        jobs: Worker processes.

    Raises:
        RuntimeError: If the command fails, or its results are not one for each file.
    """
    with tempfile.TemporaryDirectory(prefix="results-", dir=submissions.parent) as folder:
        table, store = Path(folder, "results.json"), Path(folder, "store")
        done = run(
            [
                *(sys.executable, "-m", "gm_course", "grade", submissions.name),
                *("--jobs", str(jobs), "--json", str(table)),
                *("--store", str(store), "--fresh"),
            ],
            folder=submissions.parent,
        )
        if done.returncode != 0:
            raise RuntimeError(f"gm-course grade ended with {done.returncode}:\n{done.output}")
        results = json.loads(table.read_text(encoding="utf-8"))
    found = {Path(result["submission"]).name: result for result in results}
    if found.keys() != expected.keys() or len(results) != len(expected):
        raise RuntimeError(f"gm-course grade gave {len(results)} results, not {len(expected)}")
    disagreements = [
        f"{file}: {difference}"
        for file, result in expected.items()
        for difference in differences(found[file], result)
    ]
    return Graded(done, disagreements)


def differences(found: Mapping[str, Any], expected: ExpectedResult) -> list[str]:
    """Say in what a result in the contract's JSON is not as it should be."""
    if (found["status"], found["exercise"]) != ("graded", expected.exercise):
        return [f"{found['status']} as {found['exercise']}, expected {expected.exercise}"]
    answers = {
        answer["name"]: (answer["status"], answer["score"], answer["hint"])
        for answer in found["answers"]
    }
    lines = []
    for name, answer in expected.answers.items():
        wanted = (answer.status, answer.score, answer.hint)
        got = answers.pop(name, None)
        if got != wanted:
            lines.append(f"{name} ({answer.label}): got {got}, expected {wanted}")
    lines += [f"{name}: got a verdict, expected none" for name in answers]
    written = [item["status"] for item in found["written"]]
    if written != [expected.written]:
        lines.append(f"written answer: got {written}, expected {[expected.written]}")
    return lines
