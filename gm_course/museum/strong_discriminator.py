"""A discriminator too strong for the saturating loss: the generator's gradient is gone.

Eight narrow Gaussians on a ring, and a fresh generator whose samples all lie in its middle. A
discriminator with a head start learns to reject every sample; the saturating loss then pushes the
generator with a force proportional to D(G(z)), which is next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gm_course.adversarial_training import gan_players
from gm_course.data import Batches
from gm_course.data.toy import ring
from gm_course.errors import ArgumentError
from gm_course.gan import NoiseGenerator, ScoreNetwork, nonsaturating_loss, saturating_loss
from gm_course.museum.exhibit import Exhibit, Outcome
from gm_course.runtime import precise_dtype
from gm_course.training import Player, Trainer

ITERATIONS = 40


@dataclass(frozen=True)
class Match:
    """How strong the discriminator is, and what the generator minimises.

    Attributes:
        head_start: Discriminator steps before the generator's first one.
        steps: K, discriminator steps per iteration.
        generator_loss: Maps the logits of samples to a scalar.
    """

    head_start: int
    steps: int
    generator_loss: Callable[[Tensor], Tensor]


MATCHES = {
    "healthy": Match(0, 5, saturating_loss),
    "too strong": Match(1_000, 10, saturating_loss),
    "too strong, non-saturating": Match(1_000, 10, nonsaturating_loss),
}


@dataclass(frozen=True)
class Contest:
    """Both networks after the match, and how hard the generator was pushed on the way.

    Attributes:
        generator_network: Maps noise (B, 2) to points (B, 2).
        discriminator: Maps points (B, 2) to logits (B,).
        gradient_norms: Norm of the gradient in all parameters θ of the generator's own loss, in
            nats per unit of θ, one number per iteration, shape (iterations,), on the CPU.
    """

    generator_network: NoiseGenerator
    discriminator: ScoreNetwork
    gradient_norms: Tensor


def run(setting: str, seed: int, device: torch.device, *, iterations: int = ITERATIONS) -> Outcome:
    """Train with one setting of the switch; the outcome's model is a :class:`Contest`.

    Args:
        setting: A key of ``MATCHES``.
        seed: Of weights, data and noise; the global random state is left alone.
        device: Where to train, in float64 (float32 on Apple's GPU, which has no float64).
        iterations: Generator steps.

    Raises:
        ArgumentError: If there is no such setting.

    Source:
        Chapter 13.3.2, ``saturating-gradient``; M. Arjovsky and L. Bottou, "Towards principled
        methods for training generative adversarial networks", 2017.
    """
    if setting not in MATCHES:
        known = ", ".join(map(repr, MATCHES))
        raise ArgumentError(
            f"strong_discriminator.run: setting must be one of {known}; got "
            f"{setting!r}. Copy one of them."
        )
    match = MATCHES[setting]
    dtype = precise_dtype(device)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would touch the GPUs', too
        generator_network = NoiseGenerator(2, 2, hidden=(64, 64)).to(device, dtype)
        discriminator = ScoreNetwork(2, hidden=(64, 64), activation=nn.LeakyReLU).to(device, dtype)
    noise = torch.Generator(device).manual_seed(seed)
    data = ring(std=0.1, dtype=dtype).to(device).sample(4_000, generator=noise)
    batches = Batches(data, 128, generator=noise)
    players = gan_players(
        generator_network,
        discriminator,
        generator_optimiser=_adam(generator_network),
        discriminator_optimiser=_adam(discriminator),
        discriminator_steps=match.steps,
        generator_loss=match.generator_loss,
    )
    norms: list[Tensor] = []

    def record(network: nn.Module) -> None:
        gradients = [p.grad.flatten() for p in network.parameters() if p.grad is not None]
        norms.append(torch.cat(gradients).norm())

    players["generator"].after_step = record
    alone = {"discriminator": _with_repeats(players["discriminator"], 1)}
    Trainer(alone, batches, generator=noise).run(match.head_start, show_progress=False)
    Trainer(players, batches, generator=noise).run(iterations, show_progress=False)
    contest = Contest(generator_network, discriminator, torch.stack(norms).cpu())
    return Outcome(contest.gradient_norms.median().item(), contest)


def _adam(network: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(network.parameters(), lr=1e-3, betas=(0.5, 0.9))


def _with_repeats(player: Player, repeats: int) -> Player:
    return Player(player.module, player.optimiser, player.loss, repeats=repeats)


EXHIBIT = Exhibit(
    name="strong-discriminator",
    signal="norm of the generator's gradient, median over the iterations (nats per unit of θ)",
    settings=tuple(MATCHES),
    run=run,
)
