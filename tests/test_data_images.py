"""Image sets, the fixed split, and the 8x8 digits."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from gm_course.data import ImageSet, load_digits8
from gm_course.data.images import stratified_split
from gm_course.errors import ArgumentError, ShapeError


def small_set(count=2):
    images = torch.arange(count * 6.0).reshape(count, 6)
    return ImageSet(images, torch.arange(count), size=(2, 3), source="made by hand")


def test_the_representation_is_one_line_without_pixels():
    assert repr(small_set()) == "ImageSet(2 images of 2x3, made by hand)"
    many = ImageSet(torch.zeros(12345, 1), torch.zeros(12345), size=(1, 1), source="s")
    assert repr(many) == "ImageSet(12,345 images of 1x1, s)"


@pytest.mark.parametrize("count", [0, 1, 2])
def test_images_keep_rows_and_columns_apart(count):
    images = small_set(count).as_images()
    assert images.shape == (count, 1, 2, 3)
    assert len(small_set(count)) == count
    if count:
        assert images[0, 0].tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]


def test_moving_keeps_everything_else():
    moved = small_set().to("meta")
    assert moved.images.device.type == moved.labels.device.type == "meta"
    assert repr(moved) == repr(small_set())


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (torch.zeros(2, 5), torch.zeros(2)),
        (torch.zeros(2, 6), torch.zeros(3)),
        (torch.zeros(2, 2, 3), torch.zeros(2)),
        (torch.zeros(2, 6), torch.zeros(2, 1)),
    ],
)
def test_shapes_must_fit(images, labels):
    with pytest.raises(ShapeError, match=r"^ImageSet: images must have shape \(N, 6\)"):
        ImageSet(images, labels, size=(2, 3), source="")


def test_the_split_is_a_partition_with_a_fifth_of_every_class():
    labels = np.repeat([0, 1, 2], [5, 12, 100])
    train, test = stratified_split(labels, "train"), stratified_split(labels, "test")
    assert sorted([*train, *test]) == list(range(117))
    assert np.bincount(labels[test]).tolist() == [1, 3, 20]
    assert (np.diff(labels[train]) < 0).any()  # shuffled, not class after class


def test_the_split_never_changes():
    # NumPy promises this stream for all versions; another one would mix old results with new.
    assert stratified_split(np.arange(20) % 2, "test").tolist() == [18, 1, 2, 9]
    np.random.seed(5)  # noqa: NPY002 - the global generator must not matter
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    assert stratified_split(np.arange(20) % 2, "test").tolist() == [18, 1, 2, 9]
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_digits8_are_scikit_learns_digits_scaled():
    train, test = load_digits8("train"), load_digits8(split="test")
    assert (len(train), len(test), train.size) == (1433, 364, (8, 8))
    assert train.images.dtype == torch.float32
    assert train.labels.dtype == torch.int64

    images = torch.cat([train.images, test.images])
    labels = torch.cat([train.labels, test.labels])
    rows = torch.cat([16 * images, labels[:, None]], dim=1).to(torch.int64).tolist()
    truth = load_digits()
    expected = np.column_stack([truth.data, truth.target]).astype(int).tolist()
    assert sorted(rows) == sorted(expected)  # every digit once, with its own label
    assert images.mul(16).frac().eq(0).all()


def test_digits8_are_fresh_every_time():
    load_digits8().images.zero_()
    assert load_digits8().images.sum() > 0


def test_digits8_has_two_splits():
    with pytest.raises(ArgumentError, match=r"^load_digits8: split must be 'train' or 'test'"):
        load_digits8("validation")
