"""Imports inside the package point one way, and some modules stay light."""

import subprocess
import sys
from pathlib import Path

import pytest

from gm_course.module_graph import read_module_graph

ROOT = Path(__file__).parent.parent
GRAPH = read_module_graph(ROOT)

# A module may import what stands above it, never what stands below.
ORDER = (
    "errors",
    "files",
    "validation",
    "claims",
    "profiles",
    "runtime",
    "distributions",
    "data",
    "divergences",
    "wasserstein",
    "em",
    "estimators",
    "networks",
    "vae",
    "gan",
    "dcgan",
    "interrupts",
    "checkpoint",
    "progress",
    "history",
    "arithmetic",
    "training",
    "adversarial_training",
    "metrics",
    "evaluation",
    "museum",
    "plotting",
    "widgets",
    "ledger",
    "checks",
    "sandbox",
    "module_graph",
    "grading",
    "notebooks",
    "lab",
    "cli",
    "__main__",
)


def part(module: str) -> str:
    """The entry of ORDER that a module belongs to; "" for the package itself."""
    return module.partition(".")[2].partition(".")[0]


def test_order_names_every_module_once():
    assert sorted(ORDER) == sorted({part(name) for name in GRAPH.texts} - {""})


@pytest.mark.parametrize("module", sorted(GRAPH.texts))
def test_imports_point_upwards(module):
    if module == "gm_course":
        assert {part(name) for name in GRAPH.imports[module]} == {"runtime"}
        return
    below = {
        imported
        for imported in GRAPH.imports[module]
        if part(imported) and ORDER.index(part(imported)) > ORDER.index(part(module))
    }
    assert not below


@pytest.mark.parametrize("start", ["checks", "notebooks"])
def test_checks_and_builder_never_reach_the_figures(start):
    names = [name for name in GRAPH.texts if part(name) == start]
    assert not {part(name) for name in GRAPH.reachable(names)} & {"plotting", "widgets"}


def test_a_wrong_direction_would_be_seen():
    # The order is only worth something if the real imports use it: training does import data.
    assert "data" in {part(name) for name in GRAPH.imports["gm_course.training"]}


def imported_by(statement: str) -> set[str]:
    program = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert not done.stderr
    return set(done.stdout.split())


def test_importing_the_package_or_the_command_loads_no_heavy_library():
    loaded = imported_by("import gm_course, gm_course.cli")
    assert not loaded & {"torch", "torchvision", "numpy", "matplotlib", "jupytext", "nbclient"}


def test_no_module_takes_torchvision_with_it():
    parts = [name for name in GRAPH.texts if not name.startswith("gm_course.notebooks")]
    assert "torchvision" not in imported_by("import " + ", ".join(parts))


def test_importing_changes_no_global_state():
    program = """
import os, random, warnings
import numpy, torch, matplotlib
def state():
    return (
        random.getstate(), str(numpy.random.get_state()), torch.get_rng_state().tolist(),
        torch.get_num_threads(), torch.get_default_dtype(), dict(os.environ),
        dict(matplotlib.rcParams), numpy.geterr(), warnings.filters[:],
    )
import sklearn, scipy.stats, tqdm.auto  # libraries may do as they like; the package may not
before = state()
import gm_course, gm_course.training, gm_course.vae, gm_course.plotting, gm_course.metrics
assert state() == before
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
