"""`make gpu-test`: everything on the GPU where there is one, and no false comfort where not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests import gpu

ROOT = Path(__file__).parent.parent


class Recorder:
    """Stands in for the runs; returns the given exit statuses in turn."""

    def __init__(self, *statuses):
        self.statuses = list(statuses)
        self.runs = []

    def __call__(self, command, environment):
        self.runs.append((command, environment))
        return self.statuses.pop(0)


def have_gpus(monkeypatch, count, *, is_available):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: is_available)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a card")


@pytest.mark.parametrize(("count", "is_available"), [(0, False), (1, False), (0, True)])
def test_without_a_gpu_nothing_runs_and_nothing_passes(monkeypatch, capsys, count, is_available):
    have_gpus(monkeypatch, count, is_available=is_available)
    recorder = Recorder()
    assert gpu.main(recorder) == 0
    assert recorder.runs == []
    assert capsys.readouterr().out == "skipped: no GPU (torch sees none)\n"


def test_with_a_gpu_all_notebooks_run_on_it(monkeypatch, capsys):
    have_gpus(monkeypatch, 1, is_available=True)
    monkeypatch.setenv("GM_COURSE_DEVICE", "cpu")
    monkeypatch.setenv("GM_COURSE_PROFILE", "full")
    recorder = Recorder(0, 0)
    assert gpu.main(recorder) == 0
    (tests, _), (notebooks, _) = recorder.runs
    assert tests[-2:] == ("-k", "cuda")
    assert notebooks[-3:] == ("notebooks", "solutions", "exercises")
    for _, environment in recorder.runs:
        assert environment["GM_COURSE_DEVICE"] == "cuda"
        assert environment["GM_COURSE_PROFILE"] == "full"  # inherited, like everything else
    assert os.environ["GM_COURSE_DEVICE"] == "cpu"
    assert "on a card" in capsys.readouterr().out


@pytest.mark.parametrize(("statuses", "runs"), [((1,), 1), ((0, 1), 2)])
def test_the_first_failure_ends_it_and_is_reported(monkeypatch, statuses, runs):
    have_gpus(monkeypatch, 1, is_available=True)
    recorder = Recorder(*statuses)
    assert gpu.main(recorder) == 1
    assert len(recorder.runs) == runs


def test_the_exit_status_of_a_run_is_the_commands_own():
    command = (sys.executable, "-c", "import os; raise SystemExit(int(os.environ['STATUS']))")
    assert gpu.execute(command, os.environ | {"STATUS": "5"}) == 5


def test_the_runs_collect_every_notebook():
    done = subprocess.run(
        [*gpu.RUNS[1], "--collect-only", "-q", "--no-header"],
        capture_output=True, text=True, cwd=ROOT, check=True,
    )  # fmt: skip
    collected = {line.partition("::")[0] for line in done.stdout.splitlines() if "::" in line}
    folders = ("notebooks", "solutions", "exercises")
    expected = {f"{folder}/{p.name}" for folder in folders for p in (ROOT / folder).glob("*.ipynb")}
    assert collected == expected


def test_make_says_so_when_there_is_no_gpu():
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}  # hides a card that is there
    done = subprocess.run(
        ["make", "--silent", "gpu-test"],
        capture_output=True, text=True, cwd=ROOT, env=environment, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "skipped: no GPU (torch sees none)"
    assert "passed" not in done.stdout
