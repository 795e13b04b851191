"""Sixty thousand digits on disk, as torchvision wants them and as the course loads them."""

from __future__ import annotations

import struct
from pathlib import Path

import torch
from torch import Tensor

from gm_course.data import load_mnist
from gm_course.files import replace_file

COUNT = 60_000
GREY_LEVELS = 255


def digits() -> tuple[Tensor, Tensor, str]:
    """Return uint8 images (60,000, 28, 28), labels (60,000,) and where they come from.

    Without the full MNIST set the digits that come with the course are repeated until there are
    as many: what a step costs does not depend on what the pictures show.
    """
    image_set = load_mnist("train")
    indices = torch.arange(COUNT) % len(image_set)
    is_full = len(image_set) == COUNT
    source = "full MNIST" if is_full else f"{len(image_set):,} digits, repeated to {COUNT:,}"
    images = grey_levels(image_set.images).view(-1, *image_set.size)
    return images[indices], image_set.labels[indices], source


def grey_levels(images: Tensor) -> Tensor:
    """Return images with values k / 255 as the whole numbers k, uint8."""
    return (images * GREY_LEVELS).round().to(torch.uint8)


def write_for_torchvision(folder: Path, images: Tensor, labels: Tensor) -> None:
    """Write the IDX files that ``torchvision.datasets.MNIST(folder)`` reads."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for split in ("train", "t10k"):  # torchvision insists on both
        header = struct.pack(">4i", 0x0803, *images.shape)
        replace_file(raw / f"{split}-images-idx3-ubyte", [header, images.numpy().tobytes()])
        header = struct.pack(">2i", 0x0801, len(labels))
        data = labels.to(torch.uint8).numpy().tobytes()
        replace_file(raw / f"{split}-labels-idx1-ubyte", [header, data])
