"""Reading of IDX files, the format in which MNIST is distributed.

An IDX file is a four-byte magic number (two zero bytes, the element type, the number of
dimensions), one big-endian 32-bit size per dimension, and the elements in row-major order.
MNIST uses unsigned bytes throughout: images have three dimensions, labels one.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from gm_course.errors import DataError

LABELS_MAGIC = 0x00000801
IMAGES_MAGIC = 0x00000803
DIGIT_SIZE = (28, 28)

_DIMENSIONS = {LABELS_MAGIC: 1, IMAGES_MAGIC: 3}
_DEFLATE_LIMIT = 1032  # zlib's documented bound: one compressed byte yields at most 1032
_REPLACE = "Replace the file with a fresh copy."


def read_idx(path: Path | str) -> NDArray[np.uint8]:
    """Read one IDX file of unsigned bytes, plain or (by its ``.gz`` suffix) gzipped.

    The whole file is checked: magic number, sizes, exact length and, for gzip, the checksum. A
    header that promises more than the file can hold is refused before any memory is reserved.

    Args:
        path: The file.

    Returns:
        A read-only array, (count,) for labels, (count, height, width) for images.

    Raises:
        DataError: If the file is missing, unreadable or damaged; the message names it.

    Source:
        Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits", 1998.
    """
    path = Path(path)
    if path.is_dir():
        raise _refusal(path, "it is a directory", "Give the path of the file inside it.")
    try:
        with _open(path) as stream:
            return _parse(path, stream)
    except FileNotFoundError as error:
        raise _refusal(path, "there is no such file", "Check the path.") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _refusal(
            path,
            f"its gzip layer is damaged ({error})",
            f"{_REPLACE} If it is not compressed at all, drop the .gz suffix.",
        ) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise _refusal(
            path, f"it cannot be read ({reason})", "Check the file's permissions and its disk."
        ) from error


def read_digit_pair(
    images_path: Path | str, labels_path: Path | str
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read an image file and the label file that belongs to it.

    Args:
        images_path: IDX file of 28x28 images, plain or gzipped.
        labels_path: IDX file with one label from 0 to 9 for each image.

    Returns:
        Images (count, 28, 28) and labels (count,), count ≥ 1, both read-only.

    Raises:
        DataError: If either file is damaged, has the other's role, or they do not fit each
            other; the message names both files.
    """
    images = read_idx(images_path)
    labels = read_idx(labels_path)
    pair = f"read_digit_pair: images {images_path} and labels {labels_path} must"
    if images.ndim != 3:
        raise DataError(
            f"{pair} begin with {IMAGES_MAGIC:#010x} and {LABELS_MAGIC:#010x}; the images file "
            f"is a label file ({LABELS_MAGIC:#010x}). Check that the two were not swapped."
        )
    if labels.ndim != 1:
        raise DataError(
            f"{pair} begin with {IMAGES_MAGIC:#010x} and {LABELS_MAGIC:#010x}; the labels file "
            f"is an image file ({IMAGES_MAGIC:#010x}). Check that the two were not swapped."
        )
    if images.shape[1:] != DIGIT_SIZE:
        height, width = images.shape[1:]
        raise DataError(f"{pair} hold 28x28 images; got {height}x{width}. Use the MNIST files.")
    if len(images) != len(labels):
        raise DataError(
            f"{pair} have the same count; got {len(images):,} images and {len(labels):,} labels. "
            "Take both from the same split (train or t10k)."
        )
    if not len(images):
        raise DataError(f"{pair} hold at least one image; got none. Use the MNIST files.")
    if labels.max() > 9:
        position = int(np.argmax(labels > 9))
        raise DataError(
            f"{pair} have labels from 0 to 9; got {labels[position]} at position {position:,}. "
            "Replace the label file with a fresh copy."
        )
    return images, labels


def _open(path: Path) -> BinaryIO | gzip.GzipFile:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _parse(path: Path, stream: BinaryIO | gzip.GzipFile) -> NDArray[np.uint8]:
    head = stream.read(4)
    if not head:
        raise _refusal(path, "it is empty", _REPLACE)
    magic = int.from_bytes(head, "big")
    if len(head) < 4 or magic not in _DIMENSIONS:
        packed = " (a gzip file without its .gz suffix?)" if head[:2] == b"\x1f\x8b" else ""
        raise _refusal(
            path,
            f"it begins with 0x{head.hex()}{packed}, not with {LABELS_MAGIC:#010x} (labels) or "
            f"{IMAGES_MAGIC:#010x} (images)",
            "Check that it is an MNIST file.",
        )
    sizes = stream.read(4 * _DIMENSIONS[magic])
    if len(sizes) < 4 * _DIMENSIONS[magic]:
        raise _refusal(path, "it ends inside its header", _REPLACE)
    shape = struct.unpack(f">{_DIMENSIONS[magic]}I", sizes)
    promised = math.prod(shape)
    claim = f"its header promises {' x '.join(map(str, shape))} = {promised:,} bytes of data"

    on_disk = path.stat().st_size
    if promised > on_disk * (_DEFLATE_LIMIT if path.suffix == ".gz" else 1):
        raise _refusal(path, f"{claim}, which {on_disk:,} bytes on disk cannot hold", _REPLACE)
    elements = stream.read(promised)
    if len(elements) < promised:
        raise _refusal(path, f"{claim}, but only {len(elements):,} follow", _REPLACE)
    if stream.read(1):  # at the end of a gzip stream this read also verifies the checksum
        raise _refusal(path, f"{claim}, but more follow", _REPLACE)
    return np.frombuffer(elements, dtype=np.uint8).reshape(shape)


def _refusal(path: Path, finding: str, remedy: str) -> DataError:
    return DataError(f"read_idx: {path} must be a complete IDX file; {finding}. {remedy}")
