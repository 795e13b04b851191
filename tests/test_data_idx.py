"""IDX files made by hand: good ones are read exactly, damaged ones are named and refused."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gm_course.data import read_idx
from gm_course.data.idx import read_digit_pair
from gm_course.errors import DataError


def idx_bytes(array, *, kind=0x08):
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, kind, array.ndim]) + sizes + array.tobytes()


def write(path, content):
    """Write the bytes, gzipped if the name says so."""
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    return path


IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4) * 10  # no symmetry to hide behind
LABELS = np.array([7, 0, 9], dtype=np.uint8)
DIGITS = np.arange(3 * 28 * 28).reshape(3, 28, 28).astype(np.uint8)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """One folder for all examples of a property, which hypothesis runs inside one test."""
    return tmp_path_factory.mktemp("idx")


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("array", [IMAGES, LABELS, IMAGES[:1], IMAGES[:0], LABELS[:0]])
def test_good_files_are_read_exactly(tmp_path, array, suffix):
    result = read_idx(write(tmp_path / f"file{suffix}", idx_bytes(array)))
    assert result.dtype == np.uint8
    assert result.shape == array.shape
    assert np.array_equal(result, array)
    assert not result.flags.writeable


def test_the_path_may_be_text(tmp_path):
    path = write(tmp_path / "labels", idx_bytes(LABELS))
    assert read_idx(str(path)).tolist() == [7, 0, 9]


def test_gzip_in_several_members_is_read_whole(tmp_path):
    content = idx_bytes(LABELS)
    path = tmp_path / "labels.gz"
    path.write_bytes(gzip.compress(content[:9]) + gzip.compress(content[9:]))
    assert read_idx(path).tolist() == [7, 0, 9]


GOOD = idx_bytes(IMAGES)
DAMAGED = {
    "empty": (b"", "it is empty"),
    "inside the magic": (GOOD[:3], "begins with 0x000008, not with 0x00000801"),
    "inside the header": (GOOD[:10], "ends inside its header"),
    "element type": (idx_bytes(IMAGES, kind=0x0D), "begins with 0x00000d03, not with"),
    "two dimensions": (idx_bytes(IMAGES[0]), "begins with 0x00000802, not with"),
    "a web page": (b"<!DOCTYPE html><html></html>", "begins with 0x3c21444f, not with"),
    "one byte more": (GOOD + b"\0", "promises 2 x 3 x 4 = 24 bytes of data, but more follow"),
    "absurd sizes": (
        GOOD[:4] + b"\xff" * 12 + GOOD[16:],
        r"promises 4294967295 x 4294967295 x 4294967295 = .* bytes on disk cannot hold",
    ),
}


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(("content", "finding"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_content_is_named(tmp_path, content, finding, suffix):
    path = write(tmp_path / f"train-images-idx3-ubyte{suffix}", content)
    with pytest.raises(DataError, match=finding) as caught:
        read_idx(path)
    assert str(caught.value).startswith(f"read_idx: {path} must be a complete IDX file; it")


def test_the_whole_message(tmp_path):
    path = write(tmp_path / "images.gz", GOOD[:-5])
    with pytest.raises(DataError) as caught:
        read_idx(path)
    assert str(caught.value) == (
        f"read_idx: {path} must be a complete IDX file; its header promises 2 x 3 x 4 = 24 bytes "
        "of data, but only 19 follow. Replace the file with a fresh copy."
    )


def test_absurd_sizes_reserve_no_memory(tmp_path):
    # 256 MiB promised by a file of 30 bytes: more than deflate could ever pack into it.
    header = struct.pack(">4sI", bytes([0, 0, 8, 1]), 2**28)
    for path in (write(tmp_path / "plain", header), write(tmp_path / "packed.gz", header)):
        tracemalloc.start()
        with pytest.raises(DataError, match="cannot hold"):
            read_idx(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2**20


@settings(deadline=None)
@given(cut=st.integers(0, len(GOOD) - 1), is_packed=st.booleans())
def test_a_file_cut_anywhere_is_refused(scratch, cut, is_packed):
    path = write(scratch / ("cut.gz" if is_packed else "cut"), GOOD[:cut])
    with pytest.raises(DataError):
        read_idx(path)


PACKED = gzip.compress(idx_bytes(np.tile(IMAGES, (5, 1, 1))), mtime=0)


@settings(deadline=None)
@given(cut=st.integers(0, len(PACKED) - 1))
def test_a_gzip_stream_cut_anywhere_is_refused(scratch, cut):
    path = scratch / "stream.gz"
    path.write_bytes(PACKED[:cut])
    with pytest.raises(DataError, match=r"gzip layer is damaged|it is empty"):
        read_idx(path)


@settings(deadline=None)
@given(position=st.integers(0, len(PACKED) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_never_changes_what_is_read(scratch, position, bit):
    # Some header bits (time, operating system) mean nothing, so the file may still be good.
    content = bytearray(PACKED)
    content[position] ^= 1 << bit
    path = scratch / "flipped.gz"
    path.write_bytes(content)
    try:
        result = read_idx(path)
    except DataError:
        return
    assert np.array_equal(result, np.tile(IMAGES, (5, 1, 1)))


def test_killer_without_its_checksum_a_flipped_bit_would_pass(tmp_path):
    # The last eight bytes are checksum and length. A stored (level 0) stream has no other guard.
    content = bytearray(gzip.compress(GOOD, compresslevel=0, mtime=0))
    content[-12] ^= 1  # a pixel
    path = tmp_path / "images.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"gzip layer is damaged .*CRC check failed"):
        read_idx(path)


def test_suffix_and_content_must_agree(tmp_path):
    fake = tmp_path / "images.gz"
    fake.write_bytes(GOOD)
    with pytest.raises(DataError, match=r"Not a gzipped file.*drop the \.gz suffix"):
        read_idx(fake)
    hidden = tmp_path / "images"
    hidden.write_bytes(gzip.compress(GOOD))
    with pytest.raises(DataError, match=r"a gzip file without its \.gz suffix\?"):
        read_idx(hidden)


def test_absent_directory_and_unreadable(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"nowhere must be .*; there is no such file"):
        read_idx(tmp_path / "nowhere")
    with pytest.raises(DataError, match="it is a directory"):
        read_idx(tmp_path)

    def refuse(path, mode):
        raise PermissionError(13, "Permission denied", str(path))

    path = write(tmp_path / "images", GOOD)
    monkeypatch.setattr(type(path), "open", refuse)  # chmod would not stop an administrator
    with pytest.raises(DataError, match=r"cannot be read \(Permission denied\)\. Check the file's"):
        read_idx(path)


# --- pairs -----------------------------------------------------------------------------------


@pytest.fixture
def pair(tmp_path):
    """Return a function that writes two contents and gives their paths."""

    def write_pair(images, labels):
        paths = (tmp_path / "the-images", tmp_path / "the-labels")
        return tuple(write(p, c) for p, c in zip(paths, (images, labels), strict=True))

    return write_pair


def test_a_good_pair(pair):
    images, labels = read_digit_pair(*pair(idx_bytes(DIGITS), idx_bytes(LABELS)))
    assert np.array_equal(images, DIGITS)
    assert labels.tolist() == [7, 0, 9]


MISMATCHED = {
    "label count one less": (
        DIGITS,
        LABELS[:2],
        "have the same count; got 3 images and 2 labels. Take both from the same split",
    ),
    "label count one more": (DIGITS[:2], LABELS, "got 2 images and 3 labels"),
    "swapped": (LABELS, DIGITS, r"the images file is a label file \(0x00000801\)"),
    "images twice": (DIGITS, DIGITS, r"the labels file is an image file \(0x00000803\)"),
    "label ten": (
        DIGITS,
        np.array([7, 10, 255], dtype=np.uint8),
        "labels from 0 to 9; got 10 at position 1",
    ),
    "other size": (DIGITS[:, :8, :9].copy(), LABELS, "hold 28x28 images; got 8x9"),
    "nothing inside": (DIGITS[:0], LABELS[:0], "hold at least one image; got none"),
}


@pytest.mark.parametrize(("images", "labels", "finding"), MISMATCHED.values(), ids=MISMATCHED)
def test_a_pair_that_does_not_fit_names_both_files(pair, images, labels, finding):
    paths = pair(idx_bytes(images), idx_bytes(labels))
    with pytest.raises(DataError, match=finding) as caught:
        read_digit_pair(*paths)
    opening = f"read_digit_pair: images {paths[0]} and labels {paths[1]} must "
    assert str(caught.value).startswith(opening)


def test_a_damaged_half_is_named(pair):
    paths = pair(idx_bytes(DIGITS), idx_bytes(LABELS)[:-1])
    with pytest.raises(DataError, match="the-labels must be a complete IDX file"):
        read_digit_pair(*paths)
