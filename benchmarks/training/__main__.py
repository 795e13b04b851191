"""Time VAE and DCGAN done the usual way and by the course, and the arithmetic alone.

Writes ``benchmarks/results/training.json`` and the tables ``training.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import ROOT, machine
from benchmarks.training import measures
from benchmarks.training.digits import digits, write_for_torchvision
from benchmarks.training.tables import tables
from gm_course.files import replace_file
from gm_course.runtime import pick_device

RESULTS = ROOT / "benchmarks" / "results"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure everything and write the results; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--device", help="cpu, cuda, ... (default: the best one present)")
    parser.add_argument("--rounds", type=int, default=9, help="turns of every way (default 9)")
    parser.add_argument("--quick", action="store_true", help="a trial: few steps, figures rough")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error("--rounds must be at least 1.")
    device = pick_device(options.device)
    cores, rounds = _available_cores(), options.rounds
    scale = 20 if options.quick else 1
    facts = machine(packages=("torch", "torchvision"))
    images, labels, source = digits()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_for_torchvision(folder, images, labels)
        measured = {
            "machine": facts,
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
            "threads": cores,
            "digits": source,
            "first_step": measures.seconds_to_first_step(max(1, 5 // scale)),
            "vae": measures.vae_times(
                folder, images, rounds=rounds, cores=cores, device=device, scale=scale
            ),
            "by_threads": measures.times_by_threads(
                images, rounds=rounds, cores=cores, steps=30 // scale
            ),
            "by_size": measures.times_by_size(
                images, rounds=rounds, device=device, steps=468 // scale
            ),
            "memory": measures.memory_growth(images, epochs=30 // scale, device=device),
            "dcgan": measures.dcgan_times(
                folder, images, rounds=max(1, rounds // 2), cores=cores, device=device
            ),
        }
    stored = _rounded(measured)  # the tables too must follow from what the file says
    file = options.results / "training.json"
    replace_file(file, [json.dumps(stored, indent=1).encode(), b"\n"])
    replace_file(file.with_suffix(".md"), [tables(stored).encode()])
    print(tables(stored), end="")
    return 0


def _available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_rounded(entry) for entry in value]
    return round(value, 3) if isinstance(value, float) else value


if __name__ == "__main__":
    sys.exit(main())
