"""The course's data: toy distributions, images of digits, and batches on the training device."""

from gm_course.data.batches import Batches
from gm_course.data.idx import read_idx
from gm_course.data.images import ImageSet, load_digits8
from gm_course.data.mnist import load_mnist
from gm_course.data.toy import TwoMoons, grid, moons, ring

__all__ = [
    "Batches",
    "ImageSet",
    "TwoMoons",
    "grid",
    "load_digits8",
    "load_mnist",
    "moons",
    "read_idx",
    "ring",
]
