"""Run all notebooks, strictly compared, as other machines would: ``python -m tests.portability``.

Each setting makes this machine resemble another: other vector instructions, other numbers of
threads, little memory, folders that cannot be written. Where a setting does not take effect on
this processor or system, its row says so and nothing is said to have passed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.notebook_files import ROOT, copy_course

NOTEBOOKS = tuple(
    sorted(
        str(path.relative_to(ROOT))
        for folder in ("notebooks", "solutions", "exercises")
        for path in (ROOT / folder).glob("*.ipynb")
    )
)

# As `gm-course lab` starts a kernel: with another home directory if the user's cannot be written.
PYTEST_IN_LAB = """
import sys, pytest
from gm_course.lab import writable_home
with writable_home():
    sys.exit(pytest.main(sys.argv[1:]))
"""

# Lets each library say what it uses; Settings name the words that must be in it.
PROBE = """
import torch
from gm_course.runtime import setup
print(f"threads:{setup().threads},{torch.get_num_threads()}")
print(f"aten:{torch.backends.cpu.get_cpu_capability()}")
torch.nn.functional.conv2d(torch.ones(2, 3, 8, 8), torch.ones(4, 3, 3, 3))
torch.ones(20, 30) @ torch.ones(30, 20)
"""
MEMORY = 4 << 30
FOR_THE_REST = 3 << 29  # bytes that the system, JupyterLab and a browser need


@dataclass(frozen=True)
class Place:
    """Where a setting runs the notebooks: a folder, variables, and a command put in front."""

    folder: Path = ROOT
    variables: Mapping[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()


@dataclass(frozen=True)
class Setting:
    """One row of the table.

    Attributes:
        title: Its name.
        place: Makes its place in an empty folder.
        evidence: What the probe prints where the setting takes effect.
        tool: A program that it needs.
    """

    title: str
    place: Callable[[Path], Place]
    evidence: str = "aten"
    tool: str | None = None


def with_variables(**variables: str) -> Callable[[Path], Place]:
    return lambda folder: Place(variables=variables)


def with_threads(count: int) -> Setting:
    # Threads that spin while they wait make a busy machine ten times slower.
    return Setting(
        f"{count} thread{'s' if count > 1 else ''}",
        with_variables(GM_COURSE_THREADS=str(count), OMP_WAIT_POLICY="passive"),
        evidence=f"threads:{count},{count}",
    )


def strange_path(folder: Path) -> Place:
    course = folder / "deep models 深度生成模型" / "my course"
    copy_course(course)
    return Place(course, {"PYTHONPATH": str(course), "LC_ALL": "C"})


def nothing_writable(folder: Path) -> Place:
    home = folder / "home"
    home.mkdir()
    read_only = ("--ro-bind", str(ROOT), str(ROOT), "--ro-bind", str(home), str(home))
    return Place(
        variables={"HOME": str(home)},
        prefix=("bwrap", "--die-with-parent", "--dev-bind", "/", "/", *read_only),
    )


def little_memory(folder: Path) -> Place:
    return Place(prefix=("prlimit", f"--data={MEMORY - FOR_THE_REST}"))


# Their order decides who runs what in a sample: oneDNN, which convolves, gets lecture 7.
SETTINGS = (
    with_threads(1),
    with_threads(2),
    Setting("oneDNN: AVX2", with_variables(ONEDNN_MAX_CPU_ISA="AVX2"), "isa:Intel AVX2\n"),
    Setting("MKL: compatible", with_variables(MKL_CBWR="COMPATIBLE"), "CNR:COMPATIBLE"),
    Setting("ATen: no vectors", with_variables(ATEN_CPU_CAPABILITY="default"), "aten:DEFAULT"),
    Setting("ATen: AVX2", with_variables(ATEN_CPU_CAPABILITY="avx2"), "aten:AVX2"),
    Setting("ATen: AVX-512", with_variables(ATEN_CPU_CAPABILITY="avx512"), "aten:AVX512"),
    with_threads(4),
    Setting("path with spaces, Chinese; locale C", strange_path),
    Setting("course and home read-only", nothing_writable, tool="bwrap"),
    Setting("4 GiB of memory", little_memory, tool="prlimit"),
)


@dataclass(frozen=True)
class Row:
    """What a setting gave: its result in words, and the seconds it took."""

    setting: Setting
    result: str
    seconds: float
    output: str = ""
    failed: bool = False


def run(setting: Setting, notebooks: Sequence[str]) -> Row:
    """Run notebooks in a setting."""
    started = time.monotonic()
    if setting.tool and shutil.which(setting.tool) is None:
        return Row(setting, f"not run: needs {setting.tool}", 0)
    with tempfile.TemporaryDirectory(prefix="portability-") as folder:
        place = setting.place(Path(folder))
        probe = python(place, "-c", PROBE, ONEDNN_VERBOSE="1", MKL_VERBOSE="1")
        if probe.returncode:
            return Row(setting, "FAILED", time.monotonic() - started, probe.stdout, failed=True)
        if setting.evidence not in probe.stdout:
            return Row(setting, "not run: no effect on this machine", time.monotonic() - started)
        # One after the other: two kernels that start at the same moment may take the same port.
        done = python(place, "-c", PYTEST_IN_LAB, "-p", "no:cacheprovider", *notebooks)
    summary = re.search(r"=+ (.*) in [\d.]+s.* =+\s*$", done.stdout)
    result = summary[1] if summary else f"exit status {done.returncode}"
    failed = done.returncode != 0
    return Row(setting, result, time.monotonic() - started, done.stdout if failed else "", failed)


def python(place: Place, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*place.prefix, sys.executable, *arguments],
        cwd=place.folder, env={**os.environ, **place.variables, **variables},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", check=False,
    )  # fmt: skip


def share(setting: Setting) -> tuple[str, ...]:
    """The notebooks that a setting runs in a sample: all settings together run each once."""
    return NOTEBOOKS[SETTINGS.index(setting) :: len(SETTINGS)]


def table(rows: Sequence[Row]) -> str:
    lines = ["| setting | notebooks' cells | seconds |", "|---|---|---|"]
    lines += [f"| {row.setting.title} | {row.result} | {row.seconds:.0f} |" for row in rows]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the settings and print their table; 1 if a notebook failed, 2 for wrong usage."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.portability", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument(
        "--sample", action="store_true", help="share the notebooks out over the settings"
    )
    parser.add_argument(
        "--only", metavar="WORDS", default="", help="settings whose title has these words"
    )
    options = parser.parse_args(arguments)
    settings = [setting for setting in SETTINGS if options.only in setting.title]
    if not settings:
        titles = "; ".join(setting.title for setting in SETTINGS)
        parser.error(f"--only must name one of these: {titles}.")
    rows = []
    for setting in settings:
        notebooks = share(setting) if options.sample else NOTEBOOKS
        print(f"{setting.title}: {len(notebooks)} notebooks ...", flush=True)
        rows.append(run(setting, notebooks))
        print(rows[-1].output, end="", flush=True)
    print(table(rows))
    return int(any(row.failed for row in rows))


if __name__ == "__main__":
    sys.exit(main())
