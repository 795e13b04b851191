"""Mode collapse (模型坍塌): a GAN on a ring of eight Gaussians, healthy or collapsed.

The switch is the number of generator steps per discriminator step. With one, the generator covers
the ring. With five, it comes close to its best answer to a discriminator that stands still, which
is to put everything on the point where D is largest; then D learns to reject that point, and the
samples jump on.
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
from gm_course.gan import NoiseGenerator, ScoreNetwork, nonsaturating_loss
from gm_course.metrics import mode_coverage
from gm_course.museum.exhibit import Exhibit, Outcome
from gm_course.runtime import precise_dtype
from gm_course.training import Player, Trainer
from gm_course.validation import require_count

STD = 0.05  # of every Gaussian of the ring
ITERATIONS = 700
SNAPSHOT_INTERVAL = 50
GENERATOR_STEPS = {"healthy": 1, "collapsed": 5}


@dataclass(frozen=True)
class RingRun:
    """What a run on the ring leaves for figures.

    Attributes:
        generator_network: The trained generator, 2 numbers of noise to points in the plane.
        discriminator: Its opponent.
        snapshots: Samples during training, shape (times, 1000, 2).
        iterations: When they were drawn, one whole number for each.
    """

    generator_network: NoiseGenerator
    discriminator: ScoreNetwork
    snapshots: Tensor
    iterations: tuple[int, ...]


def ring_players(
    seed: int,
    device: torch.device,
    *,
    generator_loss: Callable[[Tensor], Tensor] = nonsaturating_loss,
) -> dict[str, Player]:
    """Return a discriminator and a generator for the ring, ready for the training loop.

    Both are fully connected with two hidden layers of 64 tanh units, in float64 (float32 on Apple's
    GPU, which has no float64), and use Adam with the same learning rate, 0.002. Each makes one step
    per iteration.

    Args:
        seed: Of the initial weights; the global generators are left as they were.
        device: Where the networks are.
        generator_loss: Maps the logits of samples to a scalar.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # initialised on the CPU, so the same on every device
        generator_network = NoiseGenerator(2, 2, hidden=(64, 64), activation=nn.Tanh)
        discriminator = ScoreNetwork(2, hidden=(64, 64), activation=nn.Tanh)
    generator_network.to(device, precise_dtype(device))
    discriminator.to(device, precise_dtype(device))

    def adam(network: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.Adam(network.parameters(), lr=2e-3, betas=(0.5, 0.9), fused=True)

    return gan_players(
        generator_network,
        discriminator,
        generator_optimiser=adam(generator_network),
        discriminator_optimiser=adam(discriminator),
        generator_loss=generator_loss,
    )


def train_on_ring(
    players: dict[str, Player], *, seed: int, iterations: int = ITERATIONS
) -> RingRun:
    """Train the players on the ring and draw samples every 50 iterations and at the end.

    Args:
        players: Those of :func:`ring_players`, changed as the experiment needs.
        seed: Of data, batches and noise.
        iterations: To train for.

    Raises:
        ArgumentError: If ``iterations`` is not a whole number of at least 1.
    """
    require_count("train_on_ring", "iterations", iterations)
    generator_network, discriminator = players["generator"].module, players["discriminator"].module
    assert isinstance(generator_network, NoiseGenerator)
    assert isinstance(discriminator, ScoreNetwork)
    device = next(generator_network.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    target = ring(std=STD, dtype=precise_dtype(device)).to(device)
    data = target.sample(8_192, generator=generator)
    trainer = Trainer(players, Batches(data, 128, generator=generator), generator=generator)
    stops = (*range(SNAPSHOT_INTERVAL, iterations, SNAPSHOT_INTERVAL), iterations)
    snapshots = []
    for stop in stops:
        trainer.run(stop, show_progress=False)
        with torch.no_grad():
            snapshots.append(generator_network.sample(1_000, generator=generator))
    return RingRun(generator_network, discriminator, torch.stack(snapshots), stops)


def covered_modes(samples: Tensor) -> int:
    """Return how many of the ring's eight modes have a sample within 3 standard deviations."""
    centres = ring(dtype=samples.dtype).means
    return mode_coverage(samples, centres.to(samples.device), std=STD).modes


def run(setting: str, seed: int, device: torch.device) -> Outcome:
    """Train a GAN on the ring; the outcome's model is a :class:`RingRun`.

    Raises:
        ArgumentError: If the setting is unknown.
    """
    if setting not in GENERATOR_STEPS:
        raise ArgumentError(
            f"mode_collapse: setting must be one of {', '.join(GENERATOR_STEPS)}; got {setting!r}."
        )
    players = ring_players(seed, device)
    players["generator"].repeats = GENERATOR_STEPS[setting]
    trained = train_on_ring(players, seed=seed)
    return Outcome(signal=float(covered_modes(trained.snapshots[-1])), model=trained)


EXHIBIT = Exhibit("mode-collapse", "modes with samples, of 8", tuple(GENERATOR_STEPS), run)
