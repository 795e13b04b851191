"""The profiles: how large the networks of lectures 5, 7 and 10 are and how long they train."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

MOST_PASSES = 80
"""No lecture passes more often over its training images, whatever the table says: longer training
needs more data. With the 4,000 digits that come with the course this ends the long runs of the
profile ``full``; the quick ones, and those on the full MNIST, are shorter anyway."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """One row of the table. What has no field here is the same in every profile.

    Numbers of steps are upper limits; see :data:`MOST_PASSES`.

    Attributes:
        vae_hidden: Lecture 5, hidden layers of the inference and the generator network.
        vae_steps: Lecture 5, steps of training, with batches of 128.
        dcgan_image_size: Lecture 7, side of the images in pixels.
        dcgan_base_width: Lecture 7, channels of the largest feature maps.
        dcgan_batch_size: Lecture 7, images per batch.
        dcgan_steps: Lecture 7, iterations.
        dcgan_rate_g: Lecture 7, learning rate of the generator.
        dcgan_rate_d: Lecture 7, learning rate of the discriminator.
        contest_hidden: Lecture 10, hidden layers of every network that is compared.
        contest_updates: Lecture 10, updates of each generator network, with batches of 64.
    """

    vae_hidden: tuple[int, ...]
    vae_steps: int
    dcgan_image_size: int
    dcgan_base_width: int
    dcgan_batch_size: int
    dcgan_steps: int
    dcgan_rate_g: float
    dcgan_rate_d: float
    contest_hidden: tuple[int, ...]
    contest_updates: int


PROFILES: Mapping[str, Sizes] = MappingProxyType(
    {
        # Each lecture within a minute or two on one CPU core; what the stored notebooks show.
        "quick": Sizes(
            vae_hidden=(200, 200),
            vae_steps=2_000,
            dcgan_image_size=32,
            dcgan_base_width=16,
            dcgan_batch_size=32,
            dcgan_steps=1_200,
            dcgan_rate_g=2e-3,
            dcgan_rate_d=1e-3,
            contest_hidden=(256,),
            contest_updates=1_500,
        ),
        # The papers' sizes, meant for a GPU and the full MNIST.
        "full": Sizes(
            vae_hidden=(500, 500),  # the 500 units of Kingma and Welling 2014, in two layers
            vae_steps=40_000,
            dcgan_image_size=64,  # size, width, batches and rates: Radford and others 2016
            dcgan_base_width=128,
            dcgan_batch_size=128,
            dcgan_steps=12_000,  # 26 passes over the full MNIST
            dcgan_rate_g=2e-4,
            dcgan_rate_d=2e-4,
            contest_hidden=(500,),  # as in the VAE's paper
            contest_updates=50_000,
        ),
    }
)
"""The table: a row by the name that ``GM_COURSE_PROFILE`` gives."""
