r"""The networks of DCGAN (13.3.4): one grows an image from noise, one shrinks it to a number.

Letters in the shape comments: B images, C channels, S the image's side, d numbers of noise z. Both
networks keep their layers in ``layers``, an ``nn.Sequential`` in the order of computation, so that
``for name, layer in network.layers.named_children(): x = layer(x)`` is the forward pass, one step
at a time. The number in a layer's name is the side of the feature map that it returns.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise

import torch
from torch import Tensor, nn

from gm_course.distributions import standard_normal
from gm_course.errors import ArgumentError, ShapeError
from gm_course.validation import require_count, require_matrix

FIRST_SIDE = 4
"""Side of the smallest feature map, in either network."""

WEIGHT_STD = 0.02
"""Standard deviation of the initial weights."""

LEAK = 0.2
"""Slope of LeakyReLU for negative numbers."""


class DCGANGenerator(nn.Module):
    r"""Generator network (生成网络) of DCGAN: noise → 4 × 4 maps → twice the side a layer → image.

    A fully connected layer makes 4 × 4 feature maps; each fractionally-strided convolution
    (微步卷积; kernel 4, stride 2, padding 1) then doubles the side and halves the channels, the
    last of which are the image's. Batch normalisation (批量归一化) and ReLU follow every layer but
    the last, which has Tanh. A layer before a batch normalisation has no offset of its own: it
    would be subtracted again.

    Args:
        image_size: S, a power of two from 8; 64 in the chapter.
        image_channels: C, 3 for colour and 1 for grey images.
        noise_dim: d, numbers of noise per image.
        base_width: Channels before the last layer; the 4 × 4 maps have ``base_width · S / 8``
            channels: with 128 and S = 64 the chapter's 1024.
        generator: Source of the initial weights, on the CPU; ``None`` for torch's global one.

    Raises:
        ArgumentError: If a number is out of range, or ``image_size`` is no power of two.

    Source:
        Chapter 13.3.4; Radford, Metz & Chintala, "Unsupervised Representation Learning with Deep
        Convolutional Generative Adversarial Networks", 2016 (whose kernels are 5 wide).

    Example:
        >>> small = DCGANGenerator(image_size=32, image_channels=1, base_width=16)
        >>> small.sample(5, generator=torch.Generator()).shape
        torch.Size([5, 1, 32, 32])
    """

    def __init__(
        self,
        *,
        image_size: int = 64,
        image_channels: int = 3,
        noise_dim: int = 100,
        base_width: int = 128,
        generator: torch.Generator | None = None,
    ) -> None:
        widths = _widths("DCGANGenerator", image_size, image_channels, base_width)[::-1]
        require_count("DCGANGenerator", "noise_dim", noise_dim)
        super().__init__()
        self.noise_dim = noise_dim
        side, first = FIRST_SIDE, widths[0]
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            project=nn.Linear(noise_dim, first * side**2, bias=False),
            reshape=nn.Unflatten(1, (first, side, side)),
        )
        for width_in, width_out in pairwise(widths):
            layers[f"norm_{side}"] = nn.BatchNorm2d(width_in)
            layers[f"relu_{side}"] = nn.ReLU()
            side *= 2
            layers[f"up_{side}"] = nn.ConvTranspose2d(
                width_in, width_out, 4, stride=2, padding=1, bias=side == image_size
            )
        layers["tanh"] = nn.Tanh()
        self.layers = nn.Sequential(layers)
        _initialise(self, generator)

    def forward(self, z: Tensor) -> Tensor:
        """Return images (B, C, S, S) with values in [−1, 1] for the noise ``z`` (B, d).

        Raises:
            ShapeError: If ``z`` is not (B, d).
        """
        require_matrix("DCGANGenerator", "z", z)
        images: Tensor = self.layers(z)
        return images

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """Draw ``n`` images (n, C, S, S): first z ~ N(0, I), then G(z); gradients flow to θ."""
        require_count("DCGANGenerator.sample", "n", n)
        weight = next(self.parameters())
        z = standard_normal((n, self.noise_dim), like=weight, generator=generator)
        images: Tensor = self(z)
        return images


class DCGANDiscriminator(nn.Module):
    r"""Discriminator (判别网络) of DCGAN: image → half the side a layer → 4 × 4 maps → one logit.

    Each strided convolution (kernel 4, stride 2, padding 1) halves the side; there is no pooling
    (汇聚). Batch normalisation follows every layer but the first and the last, LeakyReLU(0.2) every
    layer but the last. A convolution whose kernel covers the whole 4 × 4 map returns the logit.

    Args:
        image_size: S, a power of two from 8; 64 in the chapter.
        image_channels: C, 3 for colour and 1 for grey images.
        base_width: Channels after the first layer; they double with every further one.
        generator: Source of the initial weights, on the CPU; ``None`` for torch's global one.

    Raises:
        ArgumentError: If a number is out of range, or ``image_size`` is no power of two.

    Source:
        Chapter 13.3.4; Radford, Metz & Chintala, 2016.

    Example:
        >>> small = DCGANDiscriminator(image_size=32, image_channels=1, base_width=16)
        >>> small(torch.zeros(5, 1, 32, 32)).shape
        torch.Size([5])
    """

    def __init__(
        self,
        *,
        image_size: int = 64,
        image_channels: int = 3,
        base_width: int = 128,
        generator: torch.Generator | None = None,
    ) -> None:
        widths = _widths("DCGANDiscriminator", image_size, image_channels, base_width)
        super().__init__()
        self.image_shape = (image_channels, image_size, image_size)
        side = image_size
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for width_in, width_out in pairwise(widths):
            is_first = side == image_size
            side //= 2
            layers[f"down_{side}"] = nn.Conv2d(
                width_in, width_out, 4, stride=2, padding=1, bias=is_first
            )
            if not is_first:
                layers[f"norm_{side}"] = nn.BatchNorm2d(width_out)
            layers[f"leaky_{side}"] = nn.LeakyReLU(LEAK)
        layers["logit_1"] = nn.Conv2d(widths[-1], 1, FIRST_SIDE)
        self.layers = nn.Sequential(layers)
        _initialise(self, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Return one logit s per image, shape (B,), for ``x`` (B, C, S, S); D(x) = σ(s).

        Raises:
            ShapeError: If ``x`` is not (B, C, S, S).
        """
        if x.ndim != 4 or tuple(x.shape[1:]) != self.image_shape:
            expected = ", ".join(map(str, self.image_shape))
            raise ShapeError(
                f"DCGANDiscriminator: x must have shape (batch, {expected}); got "
                f"{tuple(x.shape)}. Turn flat images into (batch, channels, side, side) with "
                ".reshape; other sizes need another image_size."
            )
        logits: Tensor = self.layers(x).reshape(-1)  # (B, 1, 1, 1) -> (B,)
        return logits


def _widths(function: str, image_size: int, image_channels: int, base_width: int) -> list[int]:
    """Return the channels from the image to the 4 × 4 maps: (C, W, 2W, 4W, …)."""
    require_count(function, "image_size", image_size)
    require_count(function, "image_channels", image_channels)
    require_count(function, "base_width", base_width)
    doublings = image_size.bit_length() - FIRST_SIDE.bit_length()
    if doublings < 1 or image_size != FIRST_SIDE << doublings:
        raise ArgumentError(
            f"{function}: image_size must be a power of two of at least {2 * FIRST_SIDE}; got "
            f"{image_size}. Pad or resize the images (28 × 28 digits fit into 32 × 32)."
        )
    return [image_channels, *(base_width << i for i in range(doublings))]


def _initialise(network: nn.Module, generator: torch.Generator | None) -> None:
    """Draw all weights from N(0, 0.02²); offsets start at 0, batch normalisation's scales at 1."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0.0, WEIGHT_STD, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
