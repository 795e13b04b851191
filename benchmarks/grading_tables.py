"""The figures of ``benchmarks.grading`` as a page in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

GOAL = 100  # times nbgrader's throughput

_HEAD = """\
# `gm-course grade` beside `nbgrader autograde`

Written by `python -m benchmarks.grading`; the [README](../README.md) says what is measured and how.
Ratios are the statement: seconds differ from machine to machine."""


def as_markdown(record: Mapping[str, Any]) -> str:
    """Return the page, from the record that is written as JSON."""
    parts = [
        _HEAD,
        _table(_beside_nbgrader(record)),
        _table(_whole_class(record)),
        _verdicts(record),
        _by_exercise(record),
        _table([("machine", ""), *record["machine"].items()]),
    ]
    return "\n\n".join(parts) + "\n"


def _beside_nbgrader(record: Mapping[str, Any]) -> list[Sequence[str]]:
    sample, whole = record["sample"], record["whole_class"]
    theirs, ours = sample["nbgrader"], sample["gm_course"]
    same = f"the same {sample['submissions']} notebooks, one process each"
    rows: list[Sequence[str]] = [
        ("", "nbgrader autograde", "gm-course grade", "ratio"),
        (
            f"{same}: seconds per submission",
            f"{theirs['seconds_per_submission']:.2f}",
            f"{ours['seconds_per_submission']:.4f}",
            f"**{sample['ratio']:.0f}** (goal: {GOAL})",
        ),
        (
            f"{same}: seconds in all, start included",
            f"{theirs['seconds']:.1f}",
            f"{ours['seconds']:.1f}",
            f"{sample['ratio_with_start_up']:.1f}",
        ),
        (
            f"{same}: largest memory, MiB",
            f"{theirs['peak_memory_mib']:.0f}",
            f"{ours['peak_memory_mib']:.0f}",
            "",
        ),
    ]
    for run, ratio in zip(record["runs"], whole["ratios"], strict=True):
        rows.append(
            (
                f"all {record['class']['submissions']}, start included: seconds in all",
                f"{whole['nbgrader_seconds_extrapolated']:.0f} (extrapolated)",
                f"{run['seconds']:.1f} ({_jobs(run)})",
                f"{ratio:.0f}",
            )
        )
    return rows


def _whole_class(record: Mapping[str, Any]) -> list[Sequence[str]]:
    runs = record["runs"]
    return [
        (
            f"all {record['class']['submissions']} submissions",
            "seconds",
            "of them start-up",
            "ms per submission, start excluded",
            "start included",
            "speed-up",
            "largest memory in MiB: first quarter",
            "last quarter",
            "whole run",
        ),
        *(
            (
                _jobs(run),
                f"{run['seconds']:.1f}",
                f"{run['start_up_seconds']:.1f}",
                f"{run['ms_per_submission']:.1f}",
                f"{run['ms_per_submission_with_start_up']:.1f}",
                f"{runs[0]['ms_per_submission'] / run['ms_per_submission']:.2f}",
                f"{run['peak_memory_first_quarter_mib']:.0f}",
                f"{run['peak_memory_last_quarter_mib']:.0f}",
                f"{run['peak_memory_mib']:.0f}",
            )
            for run in runs
        ),
    ]


def _jobs(run: Mapping[str, Any]) -> str:
    return "1 job" if run["jobs"] == 1 else f"{run['jobs']} jobs"


def _verdicts(record: Mapping[str, Any]) -> str:
    facts, sample = record["class"], record["sample"]
    kinds = ", ".join(f"{count} {kind}" for kind, count in facts["expected"].items())
    wrong = len(sample["gm_course"]["disagreements"])
    wrong += sum(len(run["disagreements"]) for run in record["runs"])
    return (
        f"Verdicts: the class holds {facts['answers']} answers ({kinds}), made from "
        f"{facts['corpus_variants']} different ones. Over all runs gm-course gave {wrong} that "
        f"were not the expected ones, nbgrader {len(sample['nbgrader']['disagreements'])} on its "
        "sample."
    )


def _by_exercise(record: Mapping[str, Any]) -> str:
    seconds = record["sample"]["nbgrader"]["seconds_per_submission_by_exercise"]
    listed = ", ".join(f"{number}: {value:.1f}" for number, value in seconds.items())
    return f"nbgrader's seconds per submission, by exercise: {listed}."


def _table(rows: Sequence[Sequence[object]]) -> str:
    head, *body = [f"| {' | '.join(map(str, row))} |" for row in rows]
    rule = "|" + "---|" * len(rows[0])
    return "\n".join([head, rule, *body])
