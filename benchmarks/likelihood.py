"""Test log-likelihood of the VAE of Burda et al. on MNIST, beside their figures.

One stochastic layer, 784-200-200-50 with tanh, pictures binarised anew at every step, the authors'
eight stages of the learning rate. The test pictures are binarised once; log p(x) is the
importance-weighted bound with 5,000 samples. The state is saved every few minutes, and the same
command goes on from there. Writes ``benchmarks/results/likelihood.json`` and ``likelihood.md``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.machine import ROOT, machine
from benchmarks.training.digits import GREY_LEVELS, grey_levels
from gm_course.data import Batches, load_mnist
from gm_course.estimators import importance_weighted_bound
from gm_course.files import replace_file
from gm_course.history import History
from gm_course.networks import BernoulliGenerator, InferenceNetwork
from gm_course.runtime import pick_device
from gm_course.training import Player, Trainer
from gm_course.vae import VAE

RESULTS = ROOT / "benchmarks" / "results"
STAGES = 8  # stage i lasts 3^i epochs of 3,280, at 10^(-i/7) of the first rate
SAVE_SECONDS = 120

# Burda, Grosse & Salakhutdinov, "Importance Weighted Autoencoders", 2016, one stochastic layer.
PUBLISHED = {1: -86.76, 5: -85.54, 50: -84.78}


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, or go on training, and measure; return the exit status."""
    options = _options(arguments)
    torch.set_num_threads(options.threads)
    device = pick_device(options.device)
    train_set = load_mnist("train", root=options.data)
    trainer = build(
        grey_levels(train_set.images).to(device), options.samples, options.batch, options.seed
    )
    name = (
        f"k{options.samples}-epochs{options.epochs}-batch{options.batch}-rate{options.rate}"
        f"-seed{options.seed}-{len(train_set.images)}"
    )
    run = Run(trainer, options.runs / f"likelihood-{name}.pt")
    deadline = time.monotonic() + 60 * options.minutes
    while trainer.step < options.epochs * trainer.batches.steps_per_epoch:
        if time.monotonic() > deadline:
            print(f"Stopped after {trainer.batches.epoch} epochs; the same command goes on.")
            return 0
        run.one_epoch(rate_at(trainer.batches.epoch / options.epochs, options.rate))
    run.save()
    test_set = load_mnist("test", root=options.data)
    test = _binarise(
        grey_levels(test_set.images), torch.Generator().manual_seed(10_000 + options.seed)
    )
    scores = log_likelihoods(trainer, test.to(device), options.test_samples)
    report = {
        "name": name,
        "samples": options.samples,
        "epochs": options.epochs,
        "batch": options.batch,
        "rate": options.rate,
        "pictures": [len(train_set.images), len(test)],
        "test_samples": options.test_samples,
        "log_likelihood": round(scores.mean().item(), 3),
        "standard_error": round((scores.std() / len(scores) ** 0.5).item(), 3),
        "training_loss": round(run.newest_loss, 3),
        "training_seconds": round(run.seconds),
        "device": str(device),
        "threads": options.threads,
        "machine": machine(packages=("torch",)),
    }
    file = options.results / "likelihood.json"
    stored = json.loads(file.read_text()) if file.exists() else {}
    stored[name] = report
    replace_file(file, [json.dumps(stored, indent=1, sort_keys=True).encode(), b"\n"])
    replace_file(file.with_suffix(".md"), [table(stored).encode()])
    print(table(stored), end="")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.likelihood", description=(__doc__ or "").splitlines()[0]
    )
    add = parser.add_argument
    add("--data", type=Path, help="folder of the full MNIST set (default: GM_COURSE_DATA)")
    add("--samples", type=int, default=1, help="k: 1 trains on the ELBO, more on the IWAE bound")
    add("--epochs", type=int, default=3280, help="in all; the stages are scaled (default 3280)")
    add("--batch", type=int, default=20, help="pictures per step (default 20)")
    add("--rate", type=float, default=1e-3, help="first learning rate (default 0.001)")
    add("--seed", type=int, default=0)
    add("--minutes", type=float, default=float("inf"), help="stop after so many; run again later")
    add("--test-samples", type=int, default=5000, help="importance samples (default 5000)")
    add("--device", help="cpu, cuda, ... (default: the best one present)")
    add("--threads", type=int, default=1, help="CPU threads (default 1)")
    add("--runs", type=Path, default=ROOT / "checkpoints", help="folder for unfinished runs")
    add("--results", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args(arguments)
    for name in ("samples", "epochs", "batch", "rate", "test_samples", "threads"):
        if getattr(options, name) <= 0:
            parser.error(f"--{name.replace('_', '-')} must be above 0.")
    return options


def rate_at(progress: float, first: float) -> float:
    """Return the learning rate of the stage that the share ``progress`` of the training is in."""
    ends = [(3 ** (stage + 1) - 1) / (3**STAGES - 1) for stage in range(STAGES)]
    stage = next(stage for stage, end in enumerate(ends) if progress < end)
    return float(first * 10 ** (-stage / (STAGES - 1)))


def build(grey: Tensor, samples: int, batch: int, seed: int) -> Trainer:
    """Return the trainer of a new VAE on pictures of uint8 grey levels (N, 784)."""
    device = grey.device
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vae = VAE(
            InferenceNetwork(784, 50, hidden=(200, 200), activation=nn.Tanh),
            BernoulliGenerator(50, 784, hidden=(200, 200), activation=nn.Tanh),
        )
    _start_at_mean_picture(vae, grey)
    vae.to(device)

    def loss(batch_of_grey: Tensor, generator: torch.Generator) -> Mapping[str, Tensor]:
        x = _binarise(batch_of_grey, generator)
        if samples == 1:
            return {"loss": -vae.elbo(x, generator=generator).elbo.mean()}
        log_weights = vae.log_weights(x, samples=samples, generator=generator)
        return {"loss": -importance_weighted_bound(log_weights).mean()}

    optimiser = torch.optim.Adam(vae.parameters(), betas=(0.9, 0.999), eps=1e-4, fused=True)
    batches = Batches(grey, batch, generator=torch.Generator(device).manual_seed(seed + 1))
    generator = torch.Generator(device).manual_seed(seed + 2)
    return Trainer({"vae": Player(vae, optimiser, loss)}, batches, generator=generator)


class Run:
    """A training that is saved every few minutes, with the seconds it took.

    Attributes:
        seconds: Wall-clock seconds of training, those before a resume included.
        newest_loss: Mean loss of the newest epoch.
    """

    def __init__(self, trainer: Trainer, checkpoint: Path) -> None:
        self.trainer = trainer
        self.checkpoint = checkpoint
        self.facts = checkpoint.with_suffix(".json")
        self.seconds, self.newest_loss = 0.0, float("nan")
        if checkpoint.exists():
            trainer.load(checkpoint)
            facts = json.loads(self.facts.read_text())
            self.seconds, self.newest_loss = facts["seconds"], facts["newest_loss"]
        self.saved = time.monotonic()

    def one_epoch(self, rate: float) -> None:
        """Train for one epoch; the history keeps only this one's mean, so memory stays flat."""
        for group in self.trainer.players["vae"].optimiser.param_groups:
            group["lr"] = rate
        started = time.monotonic()
        steps = self.trainer.step + self.trainer.batches.steps_per_epoch
        history = self.trainer.run(steps, show_progress=False)
        self.newest_loss = history["vae"]["loss"].mean().item()
        self.trainer.history = History()
        if self.trainer.step < steps:
            raise KeyboardInterrupt
        self.seconds += time.monotonic() - started
        epoch = self.trainer.batches.epoch
        print(f"epoch {epoch}: rate {rate:.2g}, loss {self.newest_loss:.3f}", flush=True)
        if time.monotonic() - self.saved > SAVE_SECONDS:
            self.save()

    def save(self) -> None:
        """Write the state and its facts."""
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        self.trainer.save(self.checkpoint)
        facts = {"seconds": self.seconds, "newest_loss": self.newest_loss}
        replace_file(self.facts, [json.dumps(facts).encode()])
        self.saved = time.monotonic()


def log_likelihoods(trainer: Trainer, pictures: Tensor, samples: int) -> Tensor:
    """Return the estimate of log p(x) of each binary picture, in float64."""
    vae = trainer.players["vae"].module
    assert isinstance(vae, VAE)
    generator = torch.Generator(pictures.device).manual_seed(0)
    scores = [
        vae.log_likelihood(rows, samples=samples, generator=generator, chunk=50)
        for rows in pictures.split(100)
    ]
    return torch.cat(scores).double()


def _binarise(grey: Tensor, generator: torch.Generator) -> Tensor:
    """Draw a pixel of level k as 1 with probability k/255, exactly: a whole number below k."""
    below = torch.randint(
        0, GREY_LEVELS, grey.shape, dtype=torch.uint8, device=grey.device, generator=generator
    )
    return (below < grey).float()


def _start_at_mean_picture(vae: VAE, grey: Tensor) -> None:
    """Let the untrained decoder return the mean picture, as the authors do."""
    assert isinstance(vae.generator, BernoulliGenerator)
    mean = (grey.float().mean(dim=0) / GREY_LEVELS).clamp(0.001, 0.999)
    with torch.no_grad():
        vae.generator.logits.bias.copy_(mean.logit())


def table(stored: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the Markdown table of all stored runs, the published figures last."""
    lines = [
        "# Test log-likelihood of a VAE with one stochastic layer",
        "",
        "Written by `python -m benchmarks.likelihood`: 784-200-200-50, tanh, pictures binarised at "
        "every step. In nats, ± standard error over the test pictures.",
        "",
        "| k | epochs | batch | first rate | pictures | log p(x) | hours | device |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for run in stored.values():
        lines.append(
            f"| {run['samples']} | {run['epochs']:,} | {run['batch']} | {run['rate']} | "
            f"{run['pictures'][0]:,} | {run['log_likelihood']:.2f} ± {run['standard_error']:.2f} | "
            f"{run['training_seconds'] / 3600:.2f} | {run['device']}, {run['machine']['processor']}"
            " |"
        )
    for samples, value in PUBLISHED.items():
        lines.append(f"| {samples} | 3,280 | 20 | 0.001 | 60,000 | {value} | | published |")
    lines += [
        "",
        "Published: Burda, Grosse, Salakhutdinov, Importance Weighted Autoencoders, 2016.",
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
