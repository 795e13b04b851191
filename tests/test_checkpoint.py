"""Checkpoint files: replaced only as a whole, read only as plain data."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from gm_course.checkpoint import read_checkpoint, write_checkpoint
from gm_course.errors import CheckpointError


def test_round_trip(tmp_path):
    state = {"step": 3, "weights": {"a": torch.arange(4.0)}, "curve": [1.0, 2.0]}
    write_checkpoint(tmp_path / "run.pt", state)
    loaded = read_checkpoint(tmp_path / "run.pt")
    assert loaded["step"] == 3
    assert loaded["curve"] == [1.0, 2.0]
    assert torch.equal(loaded["weights"]["a"], torch.arange(4.0))


def test_failed_write_leaves_the_previous_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "run.pt"
    write_checkpoint(path, {"step": 1})

    def half_a_write(_state, file):
        file.write(b"half of a checkpoi")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", half_a_write)
    with pytest.raises(CheckpointError, match=r"writing .*run\.pt failed \(No space left"):
        write_checkpoint(path, {"step": 2})
    assert read_checkpoint(path) == {"step": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_process_killed_while_writing_leaves_a_whole_checkpoint(tmp_path):
    path = tmp_path / "run.pt"
    write_checkpoint(path, {"step": 0, "weights": torch.zeros(1)})
    program = (
        "import sys, torch\n"
        "from gm_course.checkpoint import write_checkpoint\n"
        "print('ready', flush=True)\n"
        "step = 0\n"
        "while True:\n"
        "    step += 1\n"
        "    weights = torch.full((200_000,), step)\n"
        "    write_checkpoint(sys.argv[1], {'step': step, 'weights': weights})\n"
    )
    for delay in (0.02, 0.05, 0.11):
        writer = subprocess.Popen(
            [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True
        )
        with writer:
            assert writer.stdout.readline() == "ready\n"
            time.sleep(delay)
            os.kill(writer.pid, signal.SIGKILL)
        state = read_checkpoint(path)
        assert bool((state["weights"] == state["step"]).all())


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"cannot write in .*nowhere.* Create the folder"):
        write_checkpoint(tmp_path / "nowhere" / "run.pt", {})


def test_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"there is no file .*run\.pt"):
        read_checkpoint(tmp_path / "run.pt")


class Surprise:
    def __reduce__(self):
        return os.system, ("echo owned",)


@pytest.mark.parametrize("kind", ["empty", "text", "cut off", "code", "no dict"])
def test_damaged_or_hostile_file_is_refused(tmp_path, kind):
    path = tmp_path / "run.pt"
    write_checkpoint(path, {"weights": torch.zeros(1000)})
    whole = path.read_bytes()
    if kind == "code":
        torch.save({"weights": Surprise()}, path)
    elif kind == "no dict":
        torch.save([1, 2], path)
    else:
        path.write_bytes({"empty": b"", "text": b"hello\n", "cut off": whole[:-100]}[kind])
    with pytest.raises(CheckpointError, match=r"damaged or not a checkpoint|holds a list"):
        read_checkpoint(path)
