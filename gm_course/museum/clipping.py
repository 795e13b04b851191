"""Exhibit: a clipping limit c that is too small or too large for the depth of the critic."""

from __future__ import annotations

import torch
from torch import Tensor

from gm_course.errors import ArgumentError
from gm_course.gan import ScoreNetwork, clip_weights, critic_loss
from gm_course.metrics import gradient_norms
from gm_course.museum.exhibit import Exhibit, Outcome
from gm_course.runtime import precise_dtype

LIMITS = {"healthy": 0.1, "too small": 0.01, "too large": 0.5}
"""The clipping limit c by the position of the switch."""

WIDTHS = (32, 32, 32, 32)


def train(setting: str, seed: int, device: torch.device, *, steps: int = 300) -> ScoreNetwork:
    """Train a clipped critic between a ring of radius 2 and a blob at the origin, both fixed.

    The critic's half of Algorithm 13.2: RMSProp, and clipping after every step. In float64
    (float32 on Apple's GPU, which has no float64).

    Args:
        setting: A key of :data:`LIMITS`.
        seed: Of the critic's initial weights and of the samples.
        device: Where to train.
        steps: Steps of the critic.

    Raises:
        ArgumentError: If the setting is not a key of :data:`LIMITS`.

    Source:
        Chapter 13.3.6, Algorithm 13.2; Arjovsky, Chintala & Bottou, "Wasserstein GAN", 2017.
    """
    if setting not in LIMITS:
        raise ArgumentError(
            f"clipping: setting must be one of {', '.join(LIMITS)}; got {setting!r}."
        )
    limit = LIMITS[setting]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        critic = ScoreNetwork(2, hidden=WIDTHS).to(device, precise_dtype(device))
    generator = torch.Generator(device).manual_seed(seed)
    optimiser = torch.optim.RMSprop(critic.parameters(), lr=5e-3)
    for _ in range(steps):
        real, fake = ring_sample(128, generator), blob_sample(128, generator)
        optimiser.zero_grad()
        critic_loss(critic(real), critic(fake)).backward()
        optimiser.step()
        clip_weights(critic, limit)
    return critic


def ring_sample(n: int, generator: torch.Generator) -> Tensor:
    """Draw ``n`` real points, (n, 2): at distance 2 from the origin in a random direction."""
    direction = _normal(n, generator)
    points: Tensor = 2 * direction / direction.norm(dim=1, keepdim=True)
    return points


def blob_sample(n: int, generator: torch.Generator) -> Tensor:
    """Draw ``n`` generated points, (n, 2): normal around the origin, standard deviation 0.5."""
    return 0.5 * _normal(n, generator)


def _normal(n: int, generator: torch.Generator) -> Tensor:
    device = generator.device
    return torch.randn(n, 2, generator=generator, dtype=precise_dtype(device), device=device)


def _run(setting: str, seed: int, device: torch.device) -> Outcome:
    critic = train(setting, seed, device)
    points = blob_sample(512, torch.Generator(device).manual_seed(seed + 1))
    return Outcome(gradient_norms(critic, points).mean().item(), critic)


EXHIBIT = Exhibit(
    name="clipping",
    signal="mean norm of the critic's gradient at generated samples (score per unit of length)",
    settings=tuple(LIMITS),
    run=_run,
)
