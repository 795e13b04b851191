"""What is measured: each function returns plain numbers for the results file."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import torch
from torch import Tensor

from benchmarks.machine import ROOT
from benchmarks.training import limit, usual_way
from benchmarks.training.course_way import dcgan_trainer, vae_trainer
from benchmarks.training.rounds import Run, Way, milliseconds_per_step
from gm_course.training import Trainer

VAE_BATCH = 128
VAE_WARM_UP = 1_500  # three epochs: by then denormal numbers have appeared, if nobody flushes them
VAE_SETTLE = 10
DCGAN_BATCH = 64
DCGAN_WIDTH = 64
DCGAN_IMAGES = 2_000  # enlarged to 64 x 64 these are 33 MB; more would cost memory and show nothing

Times = dict[str, list[float]]


def vae_times(
    folder: Path, images: Tensor, *, rounds: int, cores: int, device: torch.device, scale: int = 1
) -> Times:
    """Return ms per step of the VAE 784-400-20: usual way, course, limit; ``threads`` in the name.

    Args:
        folder: Where torchvision finds the digits.
        images: The same digits, uint8 (N, 28, 28).
        rounds: How often each way has its turn.
        cores: Threads of the ways that use all of them.
        device: Where to train.
        scale: Divides the number of steps, for a quick trial.
    """
    ways = {
        "usual": Way(
            taking(usual_way.train_vae(folder, VAE_BATCH, device)),
            40, cores, VAE_WARM_UP, VAE_SETTLE,
        )
    }  # fmt: skip
    for threads in sorted({1, cores}):
        for name, rough in (("course", False), ("rough", True)):
            trainer = vae_trainer(images, VAE_BATCH, device=device, rough=rough)
            ways[f"{name} {threads}"] = Way(going_on(trainer), 80, threads, VAE_WARM_UP, VAE_SETTLE)
        products = limit.vae_products(VAE_BATCH, device=device)
        ways[f"limit {threads}"] = Way(_repeating(products), 80, threads, settle=VAE_SETTLE)
    return milliseconds_per_step(_scaled(ways, scale), rounds, wait=_wait(device))


def dcgan_times(
    folder: Path, images: Tensor, *, rounds: int, cores: int, device: torch.device
) -> Times:
    """Return ms per iteration of the DCGAN 64 × 64; arguments as for :func:`vae_times`."""
    few = images[:DCGAN_IMAGES]
    usual = usual_way.train_dcgan(folder, DCGAN_BATCH, DCGAN_WIDTH, device)
    course, mixed = (
        dcgan_trainer(few, DCGAN_BATCH, DCGAN_WIDTH, device=device, autocast=autocast)
        for autocast in (None, torch.bfloat16)
    )
    convolutions = limit.dcgan_convolutions(DCGAN_BATCH, DCGAN_WIDTH, device=device)
    steps = 1 if device.type == "cpu" else 50
    ways = {
        "usual": Way(taking(usual), steps, cores, steps),
        "course": Way(going_on(course), steps, cores, steps),
        "bfloat16": Way(going_on(mixed), steps, cores, steps),
        "limit": Way(_repeating(convolutions), steps, cores, steps),
    }
    return milliseconds_per_step(ways, rounds, wait=_wait(device))


def times_by_size(images: Tensor, *, rounds: int, device: torch.device, steps: int = 468) -> Times:
    """Return ms per step of the course's VAE on 5,000 and on all images, epochs' ends included."""
    ways = {
        f"{count:,}": Way(going_on(vae_trainer(images[:count], VAE_BATCH, device=device)), steps, 1)
        for count in (5_000, len(images))
    }
    return milliseconds_per_step(ways, rounds, wait=_wait(device))


def memory_growth(images: Tensor, *, epochs: int, device: torch.device) -> dict[str, float]:
    """Return the process's memory in MiB after a few epochs on 5,000 images, and its growth."""
    trainer = vae_trainer(images[:5_000], VAE_BATCH, device=device)
    per_epoch = trainer.batches.steps_per_epoch
    process = psutil.Process()
    trainer.run(3 * per_epoch, show_progress=False)
    before = process.memory_info().rss
    trainer.run((3 + epochs) * per_epoch, show_progress=False)
    growth = process.memory_info().rss - before
    return {"mib": before / 2**20, "epochs": epochs, "growth_mib": growth / 2**20}


def seconds_to_first_step(runs: int) -> list[float]:
    """Return the seconds that new processes take from ``import gm_course`` to their first step."""
    command = [sys.executable, "-m", "benchmarks.training.first_step"]
    outputs = (
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        for _ in range(runs)
    )
    return [float(output) for output in outputs]


def times_by_threads(
    images: Tensor, *, rounds: int, cores: int, steps: int = 30
) -> dict[str, Times]:
    """Return ms per step of the course's VAE with one and with all threads, quiet and busy.

    Busy: beside as many other processes that compute without end as there are cores.
    """
    cpu = torch.device("cpu")
    ways = {
        f"{threads}": Way(
            going_on(vae_trainer(images, VAE_BATCH, device=cpu)), steps, threads, settle=VAE_SETTLE
        )
        for threads in sorted({1, cores})
    }
    quiet = milliseconds_per_step(ways, rounds)
    with _busy_cores(cores):
        busy = milliseconds_per_step(ways, rounds)
    return {"quiet": quiet, "busy": busy}


@contextmanager
def _busy_cores(count: int) -> Iterator[None]:
    command = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(command) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _scaled(ways: dict[str, Way], scale: int) -> dict[str, Way]:
    return {
        name: replace(way, steps=max(1, way.steps // scale), warm_up=way.warm_up // scale)
        for name, way in ways.items()
    }


def taking(training: Iterator[None]) -> Run:
    """Return what takes so many steps of a training that yields after each."""

    def run(steps: int) -> None:
        for _ in itertools.islice(training, steps):
            pass

    return run


def going_on(trainer: Trainer) -> Run:
    """Return what lets the course's trainer do so many more steps."""
    return lambda steps: trainer.run(trainer.step + steps, show_progress=False)


def _repeating(work: Callable[[], None]) -> Run:
    def run(steps: int) -> None:
        for _ in range(steps):
            work()

    return run


def _wait(device: torch.device) -> Callable[[], None]:
    return torch.cuda.synchronize if device.type == "cuda" else lambda: None
