"""The tables of the results file, in Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from benchmarks.training.rounds import median_ratio

Times = Mapping[str, list[float]]


def tables(stored: Mapping[str, Any]) -> str:
    """Return all tables of one run of the benchmark."""
    cores = stored["threads"]
    vae, dcgan, threads = stored["vae"], stored["dcgan"], stored["by_threads"]
    return "\n".join(
        [
            "# Speed of training",
            "",
            f"Written by `make bench` on {stored['machine']['date']}: "
            f"{stored['machine']['processor']}, {cores} cores, torch "
            f"{stored['machine']['torch']}, {stored['device']}; {stored['digits']}. Medians over "
            "rounds in which every way has its turn; a ratio is the median of the rounds' ratios.",
            "",
            *_vae_table(vae, cores),
            "",
            *_dcgan_table(dcgan),
            "",
            *_threads_table(threads),
            "",
            *_own_table(stored["by_size"], stored["memory"], stored["first_step"]),
            "",
        ]
    )


def vae_speed_up(times: Times, way: str) -> float:
    """Return how many times as long the usual way takes as ``way``."""
    return median_ratio(times["usual"], times[way])


def _vae_table(times: Times, cores: int) -> list[str]:
    lines = [
        "| VAE 784-400-20, batch 128 | threads | ms per step | times the usual way's speed | "
        "times the matrix products' time |",
        "|---|---|---|---|---|",
        f"| usual way | {cores} | {_median(times['usual'])} | 1 | |",
    ]
    titles = {"course": "course", "rough": "course, products in bfloat16"}
    for threads in sorted({1, cores}):
        limit = times[f"limit {threads}"]
        for name, title in titles.items():
            own = times[f"{name} {threads}"]
            lines.append(
                f"| {title} | {threads} | {_median(own)} | "
                f"{vae_speed_up(times, f'{name} {threads}'):.1f} | {median_ratio(own, limit):.2f} |"
            )
        lines.append(
            f"| matrix products alone, float32 | {threads} | {_median(limit)} | "
            f"{median_ratio(times['usual'], limit):.1f} | 1 |"
        )
    return lines


def _dcgan_table(times: Times) -> list[str]:
    titles = {
        "usual": "usual way",
        "course": "course",
        "bfloat16": "course, bfloat16",
        "limit": "convolutions alone, float32",
    }
    lines = [
        "| DCGAN 64 × 64, width 64, batch 64 | ms per iteration | times the usual way's speed | "
        "times the convolutions' time |",
        "|---|---|---|---|",
    ]
    for name, title in titles.items():
        lines.append(
            f"| {title} | {_median(times[name], '.0f')} | "
            f"{median_ratio(times['usual'], times[name]):.2f} | "
            f"{median_ratio(times[name], times['limit']):.2f} |"
        )
    return lines


def _threads_table(by_load: Mapping[str, Times]) -> list[str]:
    lines = ["| the course's VAE, ms per step | quiet cores | all cores busy |", "|---|---|---|"]
    for threads in by_load["quiet"]:
        quiet, busy = (_median(by_load[load][threads]) for load in ("quiet", "busy"))
        lines.append(f"| {threads} thread{'' if threads == '1' else 's'} | {quiet} | {busy} |")
    return lines


def _own_table(by_size: Times, memory: Mapping[str, float], first_step: list[float]) -> list[str]:
    (small, few), (large, many) = by_size.items()
    growth = f"{memory['growth_mib']:.1f} MiB of {memory['mib']:.0f}"
    return [
        "| the course's own | measured | goal |",
        "|---|---|---|",
        f"| step on {large} images, over one on {small} | {median_ratio(many, few):.2f} | 1 |",
        f"| growth of memory over {memory['epochs']} epochs | {growth} | 0 |",
        "| `import gm_course` to the first training step | "
        f"{statistics.median(first_step):.1f} s | < 5 s |",
    ]


def _median(numbers: list[float], form: str = ".2f") -> str:
    return f"{statistics.median(numbers):{form}}"
