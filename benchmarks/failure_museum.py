"""Measure the normal ranges of the failure museum: every exhibit, setting and seed.

Writes ``benchmarks/results/failure_museum.json``, which lectures 5, 6, 8 and 9 read, and a table
``failure_museum.md``. Exhibits that are not measured this time keep what the files say of them.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import ROOT, machine
from gm_course.files import replace_file
from gm_course.museum.exhibit import Exhibit

RESULTS = ROOT / "benchmarks" / "results"
SEEDS = range(5)
EXHIBITS = ("posterior-collapse", "strong-discriminator", "mode-collapse", "clipping")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the exhibits named on the command line, or all; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.failure_museum", description=__doc__.splitlines()[0]
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"among {', '.join(EXHIBITS)}")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in EXHIBITS]
    if unknown:
        parser.error(f"no such exhibit: {', '.join(unknown)}; there are {', '.join(EXHIBITS)}")
    torch.set_num_threads(1)
    measured = {name: measure(load_exhibit(name)) for name in options.names or EXHIBITS}
    file = options.results / "failure_museum.json"
    stored = json.loads(file.read_text()) if file.exists() else {"exhibits": {}}
    merged = {name: measured.get(name, stored["exhibits"].get(name)) for name in EXHIBITS}
    results = {"exhibits": {name: entry for name, entry in merged.items() if entry is not None}}
    text = json.dumps(results, indent=1, ensure_ascii=False)
    replace_file(file, [text.encode(), b"\n"])
    replace_file(file.with_suffix(".md"), [table(results["exhibits"]).encode()])
    print(table(results["exhibits"]), end="")
    return 0


def load_exhibit(name: str) -> Exhibit:
    """Return the exhibit, from its module in ``gm_course.museum``."""
    module = importlib.import_module(f"gm_course.museum.{name.replace('-', '_')}")
    return module.EXHIBIT


def measure(exhibit: Exhibit, *, seeds: Sequence[int] = SEEDS) -> dict[str, Any]:
    """Return the signal's values for every setting and seed, with where they were measured."""
    settings = {}
    for setting in exhibit.settings:
        started = time.perf_counter()
        values = [exhibit.run(setting, seed, torch.device("cpu")).signal for seed in seeds]
        seconds = (time.perf_counter() - started) / len(seeds)
        settings[setting] = {"values": values, "seconds_per_run": round(seconds, 2)}
        print(f"{exhibit.name}, {setting}: {values}", file=sys.stderr)
    return {
        "signal": exhibit.signal,
        "seeds": list(seeds),
        "settings": settings,
        "machine": machine(packages=("torch", "numpy")),
    }


def table(exhibits: Mapping[str, Any]) -> str:
    """Return the ranges as a Markdown table."""
    lines = [
        "# The failure museum: ranges of its signals",
        "",
        "Written by `python -m benchmarks.failure_museum`; every value is in the JSON file.",
        "",
        "| exhibit | signal | setting | seeds | smallest | median | largest |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, entry in exhibits.items():
        for setting, measured in entry["settings"].items():
            values = torch.tensor(measured["values"], dtype=torch.float64)
            low, middle, high = (f"{v:.3g}" for v in (values.min(), values.median(), values.max()))
            count = len(measured["values"])
            lines.append(
                f"| {name} | {entry['signal']} | {setting} | {count} | {low} | {middle} | {high} |"
            )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
