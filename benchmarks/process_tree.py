"""A command run to its end while somebody watches its memory."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

SAMPLE_SECONDS = 0.5


@dataclass
class Run:
    """What was seen of one run.

    Attributes:
        seconds: Wall time.
        returncode: Exit status.
        lines: Output and errors, line by line, each with the second it came.
        memory: Seconds and bytes of the process and all its descendants, one pair per sample.
            Bytes are PSS (a page that processes share is divided among them, so that the sum
            counts it once), or where the system does not tell, RSS less shared pages.
    """

    seconds: float = 0.0
    returncode: int = 0
    lines: list[tuple[float, str]] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)

    @property
    def output(self) -> str:
        """What it printed."""
        return "".join(line for _, line in self.lines)

    @property
    def peak_memory(self) -> int:
        """Largest sample, in bytes."""
        return max((size for _, size in self.memory), default=0)

    def peak_memory_between(self, start: float, end: float) -> int:
        """Largest sample of a part of the run, in bytes; 0.0 and 1.0 are its ends."""
        return max(
            (size for at, size in self.memory if start <= at / self.seconds <= end), default=0
        )


def run(command: Sequence[str], *, folder: Path, environment: dict[str, str] | None = None) -> Run:
    """Run a command to its end.

    Args:
        command: Program and arguments.
        folder: Its working directory.
        environment: Variables added to those of this process.
    """
    watched = Run()
    started = time.monotonic()
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        ended = threading.Event()
        watcher = threading.Thread(target=_watch, args=(process.pid, watched, started, ended))
        watcher.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                watched.lines.append((time.monotonic() - started, line))
            process.wait()
        finally:
            ended.set()
            watcher.join()
    watched.seconds = time.monotonic() - started
    watched.returncode = process.returncode
    return watched


def _watch(pid: int, watched: Run, started: float, ended: threading.Event) -> None:
    while not ended.wait(SAMPLE_SECONDS):
        watched.memory.append((time.monotonic() - started, _memory_of_tree(pid)))


def _memory_of_tree(pid: int) -> int:
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    return sum(_memory(member) for member in family)


def _memory(process: psutil.Process) -> int:
    try:
        try:
            return int(process.memory_full_info().pss)
        except psutil.AccessDenied:  # inside a sandbox, seen from an ordinary user's account
            memory = process.memory_info()
            return int(memory.rss - memory.shared)
    except psutil.NoSuchProcess:
        return 0
