"""The arithmetic that a training step cannot do without: its matrix products and convolutions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

VAE_LAYERS = ((784, 400), (400, 20), (400, 20), (20, 400), (400, 784))


def vae_products(batch_size: int, *, device: torch.device) -> Callable[[], None]:
    """Return a function that does all matrix products of one step of the 784-400-20 VAE.

    Of each layer the output and the gradient of the weights, and of all but the first the
    gradient of the input.
    """

    def operands(width_in: int, width_out: int) -> tuple[Tensor, Tensor, Tensor]:
        x = torch.randn(batch_size, width_in, device=device)
        weight = torch.randn(width_out, width_in, device=device)
        return x, weight, torch.randn(batch_size, width_out, device=device)

    layers = [operands(*widths) for widths in VAE_LAYERS]

    def products() -> None:
        for number, (x, weight, gradient) in enumerate(layers):
            x @ weight.T
            gradient.T @ x
            if number > 0:
                gradient @ weight

    return products


@dataclass(frozen=True)
class _Convolution:
    """One layer: strides and padding as in DCGAN, transposed in the generator."""

    x: Tensor
    weight: Tensor
    stride: int
    padding: int
    is_transposed: bool

    def forward(self) -> Tensor:
        zeros = [0, 0]
        return torch.ops.aten.convolution(
            self.x, self.weight, None, [self.stride] * 2, [self.padding] * 2, [1, 1],
            self.is_transposed, zeros, 1,
        )  # fmt: skip

    def backward(self, gradient: Tensor, *, of_input: bool, of_weight: bool) -> None:
        torch.ops.aten.convolution_backward(
            gradient, self.x, self.weight, None, [self.stride] * 2, [self.padding] * 2, [1, 1],
            self.is_transposed, [0, 0], 1, [of_input, of_weight, False],
        )  # fmt: skip


def dcgan_convolutions(batch_size: int, width: int, *, device: torch.device) -> Callable[[], None]:
    """Return a function that does all convolutions of one iteration of a 64 × 64 DCGAN.

    The discriminator sees real and generated images in its own step and generated ones in the
    generator's; only its own step needs the gradients of its weights. The generator makes one
    batch of images for both.
    """
    channels = (1, width, 2 * width, 4 * width, 8 * width)

    def layer(width_in: int, width_out: int, side: int, *, is_transposed: bool) -> _Convolution:
        widths = (width_in, width_out) if is_transposed else (width_out, width_in)
        is_end = (side == 4 and 1 in widths) or side == 1
        return _Convolution(
            torch.randn(batch_size, width_in, side, side, device=device),
            torch.randn(*widths, 4, 4, device=device),
            stride=1 if is_end else 2,
            padding=0 if is_end else 1,
            is_transposed=is_transposed,
        )

    discriminator = [
        layer(channels[i], channels[i + 1], 64 >> i, is_transposed=False) for i in range(4)
    ] + [layer(8 * width, 1, 4, is_transposed=False)]
    generator = [layer(100, 8 * width, 1, is_transposed=True)] + [
        layer(channels[i + 1], channels[i], 32 >> i, is_transposed=True) for i in reversed(range(4))
    ]

    def convolutions() -> None:
        gradients = [[c.forward() for c in network] for network in (generator, discriminator)]
        for number, (c, gradient) in enumerate(zip(discriminator, gradients[1], strict=True)):
            for _ in range(2):  # real and generated
                c.forward()
                c.backward(gradient, of_input=number > 0, of_weight=True)
            c.backward(gradient, of_input=True, of_weight=False)
        for number, (c, gradient) in enumerate(zip(generator, gradients[0], strict=True)):
            c.backward(gradient, of_input=number > 0, of_weight=True)

    return convolutions
