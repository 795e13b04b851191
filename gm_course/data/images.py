"""Labelled images on a device, and the small 8x8 digits of scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gm_course.errors import ArgumentError, ShapeError

Split = Literal["train", "test"]


@dataclass(frozen=True, eq=False, repr=False)
class ImageSet:
    """Greyscale images with their labels.

    Attributes:
        images: Flattened images, shape (N, height * width), float32 in [0, 1].
        labels: Classes, shape (N,), int64.
        size: Height and width in pixels.
        source: What was loaded, for people to read.

    Raises:
        ShapeError: If images, labels and size do not fit each other.

    Example:
        >>> load_digits8("test")
        ImageSet(364 images of 8x8, 8x8 digits, test split (scikit-learn))
    """

    images: Tensor
    labels: Tensor
    size: tuple[int, int]
    source: str

    def __post_init__(self) -> None:
        height, width = self.size
        expected = (len(self.labels), height * width)
        if self.labels.ndim != 1 or tuple(self.images.shape) != expected:
            raise ShapeError(
                f"ImageSet: images must have shape (N, {height * width}) and labels (N,); got "
                f"{tuple(self.images.shape)} and {tuple(self.labels.shape)}. "
                "Flatten each image, and give one label per image."
            )

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    def __repr__(self) -> str:
        """Return the count, size and source on one line; never the pixels."""
        height, width = self.size
        return f"ImageSet({len(self):,} images of {height}x{width}, {self.source})"

    def to(self, device: torch.device | str) -> ImageSet:
        """Return the set on ``device``; tensors that are there already are shared."""
        return ImageSet(self.images.to(device), self.labels.to(device), self.size, self.source)

    def as_images(self) -> Tensor:
        """Return the images as (N, 1, height, width), a view for convolutions and plots."""
        return self.images.view(len(self), 1, *self.size)


def load_digits8(split: Split = "train", *, device: torch.device | str = "cpu") -> ImageSet:
    """Load scikit-learn's 8x8 handwritten digits, split once and for all.

    Args:
        split: ``"train"`` (1,433 images) or ``"test"`` (364); no image is in both.
        device: Where the tensors go.

    Returns:
        Images (N, 64) of 17 grey levels, k / 16; always fresh tensors.

    Raises:
        ArgumentError: If ``split`` is neither ``"train"`` nor ``"test"``.

    Source:
        E. Alpaydin and C. Kaynak, "Optical recognition of handwritten digits", UCI, 1998.

    Example:
        >>> load_digits8().as_images().shape
        torch.Size([1433, 1, 8, 8])
    """
    require_split("load_digits8", split)
    from sklearn.datasets import load_digits  # takes a second to import

    digits = load_digits()
    chosen = stratified_split(digits.target, split)
    return image_set_from_pixels(
        digits.images[chosen],
        digits.target[chosen],
        white=16,
        source=f"8x8 digits, {split} split (scikit-learn)",
        device=device,
    )


def image_set_from_pixels(
    pixels: NDArray[Any],
    labels: NDArray[Any],
    *,
    white: int,
    source: str,
    device: torch.device | str,
) -> ImageSet:
    """Copy raw pixels (N, height, width), from 0 to ``white``, into an ImageSet on ``device``."""
    count, height, width = pixels.shape
    scaled = np.divide(pixels.reshape(count, height * width), white, dtype=np.float32)
    return ImageSet(
        images=torch.from_numpy(scaled).to(device),
        labels=torch.from_numpy(labels.astype(np.int64)).to(device),
        size=(height, width),
        source=source,
    )


def stratified_split(labels: NDArray[Any], split: Split) -> NDArray[np.intp]:
    """Return a split's indices in a fixed shuffled order; every fifth of a class is for testing.

    The legacy generator is meant: NumPy has frozen its stream, so the split never changes.
    """
    order = np.random.RandomState(0).permutation(len(labels))
    rank = np.empty_like(order)  # of each image among its class, in shuffled order
    for label in np.unique(labels):
        members = labels[order] == label
        rank[members] = np.arange(members.sum())
    is_test = rank % 5 == 0
    chosen: NDArray[np.intp] = order[is_test if split == "test" else ~is_test]
    return chosen


def require_split(function: str, split: str) -> None:
    """Raise ArgumentError unless ``split`` is one of the two names."""
    if split not in ("train", "test"):
        raise ArgumentError(f"{function}: split must be 'train' or 'test'; got {split!r}.")
