"""One file that holds the whole state of a training run, replaced only as a whole."""

import os
import tempfile
from pathlib import Path
from typing import Any

import torch

from gm_course.errors import CheckpointError


def write_checkpoint(path: str | Path, state: dict[str, Any]) -> None:
    """Write ``state`` so that ``path`` always holds either the old or the new checkpoint.

    Args:
        path: Target file; its folder must exist.
        state: Tensors, numbers, strings and (nested) lists, tuples and dicts of them.

    Raises:
        CheckpointError: If the file cannot be written (no such folder, no space, no permission).
    """
    target = Path(path)
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise CheckpointError(
            f"write_checkpoint: cannot write in {target.parent} ({error.strerror}). "
            "Create the folder, or choose another path."
        ) from error
    try:
        with os.fdopen(handle, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except OSError as error:
        raise CheckpointError(
            f"write_checkpoint: writing {target} failed ({error.strerror}). "
            "The previous checkpoint, if any, is untouched."
        ) from error
    finally:
        Path(name).unlink(missing_ok=True)


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a file made by :func:`write_checkpoint`; tensors come back on the CPU.

    Only plain data is read (``weights_only``), so a hostile file cannot run code.

    Raises:
        CheckpointError: If the file is missing, damaged or holds anything else.
    """
    source = Path(path)
    try:
        state = torch.load(source, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(
            f"read_checkpoint: there is no file {source}. Train and save first, or check the path."
        ) from error
    except Exception as error:  # torch raises nearly anything on bytes that are no checkpoint
        raise CheckpointError(
            f"read_checkpoint: {source} is damaged or not a checkpoint of this course. "
            "Delete it and train again, or restore a copy."
        ) from error
    if not isinstance(state, dict):
        raise CheckpointError(
            f"read_checkpoint: {source} holds a {type(state).__name__}, not a training state. "
            "Use a file written by Trainer.save."
        )
    return state
