"""Posterior collapse (后验坍塌) by a squared error that is averaged over the pixels."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gm_course.data import Batches, load_digits8
from gm_course.divergences import gaussian_kl
from gm_course.metrics import active_units
from gm_course.museum.exhibit import Exhibit, Outcome
from gm_course.networks import GaussianGenerator, InferenceNetwork
from gm_course.training import Player, Trainer
from gm_course.vae import VAE

SUM, MEAN = "sum over pixels", "mean over pixels"

LAM = 0.1  # the decoder's variance λ
STEPS = 1_000


def negative_elbo(vae: VAE, x: Tensor, generator: torch.Generator, *, reduction: str) -> Tensor:
    """Squared error over 2λ plus KL, per example (B,); only the sum over pixels is an ELBO."""
    q = vae.posterior(x)
    squared_error = (x - vae.decode(q.sample(generator=generator)).mean).square()  # (B, D)
    error = squared_error.sum(dim=1) if reduction == SUM else squared_error.mean(dim=1)
    return error / (2 * LAM) + gaussian_kl(q.mean, q.var)


def run(setting: str, seed: int, device: torch.device) -> Outcome:
    """Train a VAE with ten latent units on the 8 × 8 digits; the outcome's model is the VAE."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        decoder = GaussianGenerator(10, 64, hidden=(64,), var=LAM)
        vae = VAE(InferenceNetwork(64, 10, hidden=(64,)), decoder).to(device)

    def loss(x: Tensor, generator: torch.Generator) -> Mapping[str, Tensor]:
        return {"loss": negative_elbo(vae, x, generator, reduction=setting).mean()}

    def generator() -> torch.Generator:
        return torch.Generator(device).manual_seed(seed)

    optimiser = torch.optim.Adam(vae.parameters(), lr=3e-3)
    batches = Batches(load_digits8("train", device=device).images, 128, generator=generator())
    trainer = Trainer({"vae": Player(vae, optimiser, loss)}, batches, generator=generator())
    trainer.run(STEPS, show_progress=False)
    with torch.no_grad():
        means = vae.posterior(load_digits8("test", device=device).images).mean
    return Outcome(signal=float(active_units(means).sum()), model=vae)


EXHIBIT = Exhibit("posterior-collapse", "active units of 10", (SUM, MEAN), run)
