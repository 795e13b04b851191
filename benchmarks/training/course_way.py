"""The same VAE and DCGAN by the course: data on the device, batches by index, fused optimisers."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from gm_course.adversarial_training import gan_players
from gm_course.data import Batches
from gm_course.dcgan import DCGANDiscriminator, DCGANGenerator
from gm_course.networks import BernoulliGenerator, InferenceNetwork
from gm_course.training import Player, Trainer
from gm_course.vae import VAE


def vae_trainer(
    images: Tensor, batch_size: int, *, device: torch.device, rough: bool = False
) -> Trainer:
    """Return the trainer of the 784-400-20-400-784 VAE on uint8 images (N, 28, 28)."""
    vae = VAE(InferenceNetwork(784, 20), BernoulliGenerator(20, 784)).to(device)

    def loss(x: Tensor, generator: torch.Generator) -> Mapping[str, Tensor]:
        return {"loss": -vae.elbo(x, generator=generator).elbo.mean()}

    optimiser = torch.optim.Adam(vae.parameters(), lr=1e-3, fused=True)
    data = (images.flatten(start_dim=1).float() / 255).to(device)
    batches = Batches(data, batch_size, generator=_seeded(device, 0))
    players = {"vae": Player(vae, optimiser, loss)}
    return Trainer(players, batches, generator=_seeded(device, 1), rough=rough)


def dcgan_trainer(
    images: Tensor,
    batch_size: int,
    width: int,
    *,
    device: torch.device,
    autocast: torch.dtype | None = None,
) -> Trainer:
    """Return the trainer of a DCGAN on uint8 images (N, 28, 28), enlarged to 64 × 64 once."""
    size = {"image_size": 64, "image_channels": 1, "base_width": width}
    generator = DCGANGenerator(**size).to(device, memory_format=torch.channels_last)
    discriminator = DCGANDiscriminator(**size).to(device, memory_format=torch.channels_last)

    def optimiser(network: torch.nn.Module) -> torch.optim.Optimizer:
        return torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)

    players = gan_players(
        generator,
        discriminator,
        generator_optimiser=optimiser(generator),
        discriminator_optimiser=optimiser(discriminator),
    )
    grey = images[:, None].float() / 127.5 - 1
    data = functional.interpolate(grey, size=64, mode="bilinear").to(device)
    batches = Batches(data, batch_size, generator=_seeded(device, 0))
    return Trainer(players, batches, generator=_seeded(device, 1), autocast=autocast)


def _seeded(device: torch.device, seed: int) -> torch.Generator:
    return torch.Generator(device).manual_seed(seed)
