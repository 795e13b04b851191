"""The two players of a GAN and of a W-GAN, ready for the training loop.

Algorithms 13.1 and 13.2 are written out in lectures 6 and 9; this is the same, for all who train
many of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from gm_course.errors import ArgumentError
from gm_course.gan import (
    clip_weights,
    critic_generator_loss,
    critic_loss,
    discriminator_loss,
    gradient_penalty,
    nonsaturating_loss,
)
from gm_course.training import Player
from gm_course.validation import require_positive


def gan_players(
    generator_network: nn.Module,
    discriminator: nn.Module,
    *,
    generator_optimiser: torch.optim.Optimizer,
    discriminator_optimiser: torch.optim.Optimizer,
    discriminator_steps: int = 1,
    generator_loss: Callable[[Tensor], Tensor] = nonsaturating_loss,
) -> dict[str, Player]:
    """Return the players of Algorithm 13.1: ``"discriminator"``, then ``"generator"``.

    Args:
        generator_network: Has ``sample(n, generator=...)``.
        discriminator: Maps examples to logits (B,).
        generator_optimiser: Over the generator network's parameters.
        discriminator_optimiser: Over the discriminator's parameters.
        discriminator_steps: K, discriminator steps per iteration.
        generator_loss: Maps the logits of samples to a scalar.

    Source:
        Chapter 13.3.3, Algorithm 13.1.
    """

    def discriminator_terms(real: Tensor, generator: torch.Generator) -> Mapping[str, Tensor]:
        fake = _fixed_samples(generator_network, len(real), generator)
        return {"loss": discriminator_loss(discriminator(real), discriminator(fake))}

    def generator_terms(real: Tensor, generator: torch.Generator) -> Mapping[str, Tensor]:
        fake = _samples(generator_network, len(real), generator)
        with _frozen(discriminator):
            return {"loss": generator_loss(discriminator(fake))}

    return {
        "discriminator": Player(
            discriminator,
            discriminator_optimiser,
            discriminator_terms,
            repeats=discriminator_steps,
        ),
        "generator": Player(generator_network, generator_optimiser, generator_terms),
    }


def wgan_players(
    generator_network: nn.Module,
    critic: nn.Module,
    *,
    generator_optimiser: torch.optim.Optimizer,
    critic_optimiser: torch.optim.Optimizer,
    critic_steps: int = 5,
    clip: float | None = None,
    penalty: float | None = None,
) -> dict[str, Player]:
    """Return the players of Algorithm 13.2: ``"critic"``, then ``"generator"``.

    The critic's recorded terms are ``"loss"``, what it minimises, and ``"distance"``, the
    difference of its mean scores, which tracks the Wasserstein distance up to the critic's
    Lipschitz constant.

    Args:
        generator_network: Has ``sample(n, generator=...)``.
        critic: Maps examples to scores (B,).
        generator_optimiser: Over the generator network's parameters.
        critic_optimiser: Over the critic's parameters.
        critic_steps: K, critic steps per iteration.
        clip: c, to clip the critic's weights to [−c, c] after each of its steps.
        penalty: Weight of the gradient penalty. Without ``clip`` and ``penalty`` the critic must
            be Lipschitz by construction, with spectral normalisation for example.

    Raises:
        ArgumentError: If both constraints are given, or one is not positive.

    Source:
        Chapter 13.3.6, Algorithm 13.2; Gulrajani et al., "Improved Training of Wasserstein GANs",
        2017, for the penalty.
    """
    if clip is not None and penalty is not None:
        raise ArgumentError(
            "wgan_players: clip or penalty must be None, because one constraint is enough; got "
            f"clip={clip} and penalty={penalty}."
        )
    for name, value in (("clip", clip), ("penalty", penalty)):
        if value is not None:
            require_positive("wgan_players", name, value)

    def critic_terms(real: Tensor, generator: torch.Generator) -> Mapping[str, Tensor]:
        fake = _fixed_samples(generator_network, len(real), generator)
        loss = critic_loss(critic(real), critic(fake))
        distance = -loss
        if penalty is not None:
            loss = loss + penalty * gradient_penalty(critic, real, fake, generator=generator)
        return {"loss": loss, "distance": distance}

    def generator_terms(real: Tensor, generator: torch.Generator) -> Mapping[str, Tensor]:
        fake = _samples(generator_network, len(real), generator)
        with _frozen(critic):
            return {"loss": critic_generator_loss(critic(fake))}

    def clip_critic(module: nn.Module) -> None:
        if clip is not None:
            clip_weights(module, clip)

    return {
        "critic": Player(
            critic, critic_optimiser, critic_terms, repeats=critic_steps, after_step=clip_critic
        ),
        "generator": Player(generator_network, generator_optimiser, generator_terms),
    }


def _samples(network: nn.Module, n: int, generator: torch.Generator) -> Tensor:
    samples: Tensor = network.sample(n, generator=generator)  # type: ignore[operator]
    return samples


def _fixed_samples(network: nn.Module, n: int, generator: torch.Generator) -> Tensor:
    """Draw samples for the other network's step: they keep nothing for a gradient."""
    with torch.no_grad():
        return _samples(network, n, generator)


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Let gradients flow through the network, and spend no time on those of its own weights."""
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in learning:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)
