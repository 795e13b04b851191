"""How fast ``gm-course grade`` is, beside nbgrader's autograder on the same notebooks.

Run ``python -m benchmarks.grading`` from the project's root; README.md says what is measured.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.class_of_submissions import (
    ExpectedResult,
    Submission,
    submissions,
    untouched,
    variants_skipped,
    variants_used,
)
from benchmarks.grader_runs import Graded, grade
from benchmarks.grading_tables import as_markdown
from benchmarks.machine import machine
from benchmarks.nbgrader_course import Autograded, autograde
from gm_course.checks import exercise
from gm_course.checks.registry import ANSWERS

PACKAGES = ("gm-course", "torch", "numpy", "scipy", "nbgrader", "ipykernel", "psutil")
# Our command takes a fraction of a second for the sample; so many copies of it can be timed.
COPIES = 10
START_UPS = 3
MIB = 2**20


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--students",
    type=click.IntRange(min=6),
    default=1000,
    show_default=True,
    help="Submissions, one exercise each.",
)
@click.option(
    "--nbgrader",
    "sample_size",
    type=click.IntRange(min=1),
    default=6,
    show_default=True,
    help="How many of them nbgrader grades, too; it takes seconds for each.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Worker processes of the second run of the class; the first has one.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Another is another class.")
@click.option(
    "--results",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("benchmarks/results/grading.json"),
    show_default=True,
    help="Where the figures go; a table in Markdown goes beside them.",
)
def main(students: int, sample_size: int, jobs: int, seed: int, results: Path) -> None:
    """Measure gm-course grade and nbgrader autograde on the same notebooks.

    Exit status: 0 all verdicts were the expected ones, 1 some were not, 2 wrong usage.
    """
    facts = machine(packages=PACKAGES)
    with tempfile.TemporaryDirectory(prefix="grading-") as name:
        folder = Path(name)
        click.echo(f"making {students} submissions and the verdicts they should get")
        expected = _write(submissions(students, seed=seed), folder / "class")
        sample = _sample(submissions(students, seed=seed), sample_size)

        click.echo(f"nbgrader autograde on {len(sample)} of them")
        (folder / "course").mkdir()
        theirs = autograde(sample, folder=folder / "course")

        click.echo(f"gm-course grade on the same {len(sample)}, and on {COPIES} copies of them")
        once = _grade(folder / "sample", sample, jobs=1)
        often = _grade(folder / "copies", _copies(sample), jobs=1)

        runs = []
        for count in sorted({1, jobs}):
            click.echo(f"gm-course grade on all {students}, {count} jobs")
            start_up = _start_up(folder / f"untouched-{count}", jobs=count)
            graded = grade(folder / "class", expected, jobs=count)
            runs.append(_class_figures(graded, start_up, submissions=students, jobs=count))

    kinds = Counter(
        answer.status for result in expected.values() for answer in result.answers.values()
    )
    exercises = Counter(result.exercise for result in expected.values())
    on_sample = _sample_figures(sample, theirs, once, often)
    record = {
        "machine": facts,
        "class": {
            "submissions": students,
            "seed": seed,
            "answers": kinds.total(),
            "expected": dict(sorted(kinds.items())),
            "exercises": dict(sorted(exercises.items())),
            "corpus_variants": variants_used(),
            "corpus_variants_skipped": variants_skipped(),
        },
        "runs": runs,
        "sample": on_sample,
        "whole_class": _whole_class(exercises, on_sample, runs),
    }
    table = as_markdown(record)
    _write_text(results, json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    _write_text(results.with_suffix(".md"), table)
    click.echo(f"\n{table}\nwritten to {results} and {results.with_suffix('.md')}")
    disagreements = [*once.disagreements, *often.disagreements]
    disagreements += [line for graded in runs for line in graded["disagreements"]]
    if disagreements:
        raise click.ClickException(
            "verdicts that were not the expected ones:\n" + "\n".join(disagreements)
        )


def _write(made: Iterable[Submission], folder: Path) -> dict[str, ExpectedResult]:
    """Write submissions as files; return what to expect of them, by the file's name."""
    folder.mkdir()
    expected = {}
    for submission in made:
        file = f"{submission.student}_{submission.expected.exercise}.ipynb"
        (folder / file).write_bytes(submission.content)
        expected[file] = submission.expected
    return expected


def _grade(folder: Path, made: Sequence[Submission], *, jobs: int) -> Graded:
    return grade(folder, _write(made, folder), jobs=jobs)


def _sample(made: Iterable[Submission], size: int) -> list[Submission]:
    """Take the first submissions of each exercise, as many of one as of another."""
    by_exercise: dict[str, list[Submission]] = {number: [] for number in ANSWERS}
    share = -(-size // len(by_exercise))
    for submission in made:
        listed = by_exercise[submission.expected.exercise]
        if len(listed) < share:
            listed.append(submission)
    rounds = [
        listed[place]
        for place in range(share)
        for listed in by_exercise.values()
        if place < len(listed)
    ]
    return rounds[:size]


def _copies(sample: Sequence[Submission]) -> list[Submission]:
    """The same answers from several students: equal files would be graded once only."""
    return [
        Submission(
            f"{submission.student}-{copy}",
            submission.content.replace(
                f"**{submission.student}**".encode(), f"**{submission.student}-{copy}**".encode()
            ),
            submission.expected,
        )
        for copy in range(COPIES)
        for submission in sample
    ]


def _start_up(folder: Path, *, jobs: int) -> float:
    """Seconds for the exercises as handed out: all libraries and checks loaded, nothing to do."""
    expected = _write(map(untouched, ANSWERS), folder)
    return statistics.median(
        grade(folder, expected, jobs=jobs).run.seconds for _ in range(START_UPS)
    )


def _class_figures(
    graded: Graded, start_up: float, *, submissions: int, jobs: int
) -> dict[str, Any]:
    watched = graded.run
    return {
        "jobs": jobs,
        "seconds": watched.seconds,
        "start_up_seconds": start_up,
        "ms_per_submission": 1e3 * (watched.seconds - start_up) / submissions,
        "ms_per_submission_with_start_up": 1e3 * watched.seconds / submissions,
        "peak_memory_mib": watched.peak_memory / MIB,
        "peak_memory_first_quarter_mib": watched.peak_memory_between(0, 0.25) / MIB,
        "peak_memory_last_quarter_mib": watched.peak_memory_between(0.75, 1) / MIB,
        "disagreements": graded.disagreements,
    }


def _sample_figures(
    sample: Sequence[Submission], theirs: Autograded, once: Graded, often: Graded
) -> dict[str, Any]:
    """Seconds per submission on the same notebooks, both tools with one process."""
    size = len(sample)
    their_seconds = sum(theirs.seconds_each.values()) / size
    # What one more copy of the sample adds: the start-up cancels.
    our_seconds = (often.run.seconds - once.run.seconds) / ((COPIES - 1) * size)
    return {
        "submissions": size,
        "nbgrader": {
            "seconds": theirs.seconds,
            "start_up_seconds": theirs.start_up,
            "seconds_per_submission": their_seconds,
            "seconds_per_submission_by_exercise": {
                number: statistics.mean(seconds)
                for number, seconds in _by_exercise(sample, theirs).items()
            },
            "peak_memory_mib": theirs.peak_memory / MIB,
            "disagreements": _nbgrader_disagreements(sample, theirs),
        },
        "gm_course": {
            "seconds": once.run.seconds,
            "seconds_of_copies": often.run.seconds,
            "copies": COPIES,
            "seconds_per_submission": our_seconds,
            "peak_memory_mib": once.run.peak_memory / MIB,
            "disagreements": [*once.disagreements, *often.disagreements],
        },
        "ratio": their_seconds / our_seconds,
        "ratio_with_start_up": theirs.seconds / once.run.seconds,
    }


def _by_exercise(sample: Sequence[Submission], theirs: Autograded) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {}
    for submission in sample:
        listed = seconds.setdefault(submission.expected.exercise, [])
        listed.append(theirs.seconds_each[submission.student])
    return dict(sorted(seconds.items()))


def _nbgrader_disagreements(sample: Sequence[Submission], theirs: Autograded) -> list[str]:
    """Answers to which nbgrader gave other points: it gives all or none."""
    lines = []
    for submission in sample:
        result = submission.expected
        for check in exercise(result.exercise).checks:
            answer = result.answers[check.name]
            wanted = check.points if answer.status == "passed" else 0.0
            got = theirs.scores[submission.student][check.name]
            if got != wanted:
                place = f"{submission.student}: {check.name} ({answer.label})"
                lines.append(f"{place}: got {got}, expected {wanted}")
    return lines


def _whole_class(
    exercises: Mapping[str, int], sample: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """What nbgrader would need for the class, from its seconds for each exercise, and ratios."""
    theirs = sample["nbgrader"]
    each = theirs["seconds_per_submission_by_exercise"]
    expected = theirs["start_up_seconds"] + sum(
        count * each.get(number, theirs["seconds_per_submission"])
        for number, count in exercises.items()
    )
    return {
        "nbgrader_seconds_extrapolated": expected,
        "ratios": [expected / run["seconds"] for run in runs],
    }


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


if __name__ == "__main__":
    main()
