"""Modes and high-quality share of adversarial methods on the ring and the grid of Gaussians.

Every method gets the same data, networks and schedule of the learning rate, and the same number of
updates (of either network) but for the one that says otherwise; K and the rate were chosen for each
by a few trials on seed 0. A run that is stored is not repeated unless asked for. Writes
``benchmarks/results/modes.json`` and the tables ``modes.md``; a method that is not run this time
keeps what the files say of it.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import ROOT, machine
from gm_course.adversarial_training import gan_players, wgan_players
from gm_course.data import Batches
from gm_course.data.toy import grid, ring
from gm_course.distributions import GaussianMixture
from gm_course.files import replace_file
from gm_course.gan import NoiseGenerator, ScoreNetwork
from gm_course.metrics import mode_coverage
from gm_course.training import Player, Trainer

RESULTS = ROOT / "benchmarks" / "results"
UPDATES = 10_000
BATCH = 256
WARM_UP = 0.2  # share of the training
TARGETS: dict[str, Callable[[], GaussianMixture]] = {"ring": ring, "grid": grid}

# As the authors report them; networks, budgets and definitions of a mode differ from ours.
PUBLISHED = """\
| published, grid of 25 | modes | high quality |
|---|---|---|
| GAN (Lin, Khetan, Fanti, Oh: PacGAN, 2018) | 17.3 | 94.8 % |
| PacGAN2 (the same) | 23.8 | 91.3 % |
| VEEGAN (Srivastava et al., 2017) | 24.6 | 40 % |
"""


@dataclass(frozen=True)
class Method:
    """How a generator network is trained against a score network.

    Attributes:
        title: Its row in the table.
        steps: K, steps of the second network per iteration.
        rate: Largest learning rate of both; it rises during the first fifth of the training and
            then falls along a cosine to 1 %.
        clip: c of weight clipping, for a W-GAN.
        penalty: Weight of the gradient penalty, for a W-GAN; neither means a GAN.
        times: How many times the usual number of updates it gets.
    """

    title: str
    steps: int
    rate: float
    clip: float | None = None
    penalty: float | None = None
    times: int = 1


METHODS = {
    "gan": Method("GAN, non-saturating, K = 5", 5, 1e-3),
    "clip": Method("W-GAN, clipping 0.1, K = 5", 5, 1e-3, clip=0.1),
    "penalty": Method("W-GAN, penalty 10, K = 5", 5, 1e-3, penalty=10.0),
    "course": Method("W-GAN of lecture 9: penalty 1, K = 2", 2, 3e-3, penalty=1.0),
    "longer": Method("the same, three times as long", 2, 3e-3, penalty=1.0, times=3),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the methods named on the command line, or all; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.modes", description=__doc__.splitlines()[0]
    )
    parser.add_argument("names", nargs="*", metavar="METHOD", help=f"among {', '.join(METHODS)}")
    parser.add_argument("--seeds", type=int, default=10, help="number of seeds (default 10)")
    parser.add_argument("--fresh", action="store_true", help="run stored seeds again")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in METHODS]
    if unknown or options.seeds < 1:
        parser.error(f"METHOD must be among {', '.join(METHODS)}, and --seeds at least 1.")
    torch.set_num_threads(1)
    file = options.results / "modes.json"
    stored = json.loads(file.read_text()) if file.exists() else {}
    facts = machine(packages=("torch",))
    for name in options.names or METHODS:
        if options.fresh or name not in stored:
            stored[name] = {"runs": {target: [] for target in TARGETS}}
        for target, runs in stored[name]["runs"].items():
            for seed in range(len(runs), options.seeds):
                runs.append(measure(name, target, seed))
                stored[name]["machine"] = facts
                print(name, target, seed, runs[-1], file=sys.stderr, flush=True)
                _write(file, stored)
    _write(file, stored)
    print(file.with_suffix(".md").read_text(), end="")
    return 0


def measure(name: str, target: str, seed: int) -> dict[str, float]:
    """Return modes, high-quality share and CPU seconds of one training."""
    mixture = TARGETS[target]()
    started = time.process_time()
    generator_network = train(METHODS[name], mixture, seed)
    seconds = time.process_time() - started
    with torch.no_grad():
        samples = generator_network.sample(10_000, generator=_seeded(1_000 + seed))
    found = mode_coverage(samples, mixture.means, std=float(mixture.std[0]))
    return {
        "modes": found.modes,
        "high_quality": round(found.high_quality, 4),
        "cpu_seconds": round(seconds, 1),
    }


def _write(file: Path, stored: Mapping[str, Any]) -> None:
    ordered = {name: stored[name] for name in METHODS if name in stored}
    replace_file(file, [json.dumps(ordered, indent=1).encode(), b"\n"])
    complete = {name: entry for name, entry in ordered.items() if all(entry["runs"].values())}
    replace_file(file.with_suffix(".md"), [tables(complete).encode()])


def train(method: Method, mixture: GaussianMixture, seed: int) -> NoiseGenerator:
    """Train with one method and seed on 50,000 points of the mixture; return the generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator_network = NoiseGenerator(2, 2, hidden=(128, 128, 128))
        judge = ScoreNetwork(2, hidden=(128, 128))
    iterations = method.times * UPDATES // (method.steps + 1)
    players = _players(method, generator_network, judge)
    for player in players.values():
        _let_rate_move(player, iterations)
    data = mixture.sample(50_000, generator=_seeded(seed))
    batches = Batches(data, BATCH, generator=_seeded(seed + 1))
    trainer = Trainer(players, batches, generator=_seeded(seed + 2))
    trainer.run(iterations, show_progress=False)
    return generator_network


def _players(
    method: Method, generator_network: NoiseGenerator, judge: ScoreNetwork
) -> dict[str, Player]:
    def optimiser(network: torch.nn.Module) -> torch.optim.Optimizer:
        if method.clip is not None:
            return torch.optim.RMSprop(network.parameters(), lr=method.rate)
        betas = (0.5, 0.999) if method.penalty is None else (0.0, 0.9)
        return torch.optim.Adam(network.parameters(), lr=method.rate, betas=betas, fused=True)

    if method.clip is None and method.penalty is None:
        return gan_players(
            generator_network,
            judge,
            generator_optimiser=optimiser(generator_network),
            discriminator_optimiser=optimiser(judge),
            discriminator_steps=method.steps,
        )
    return wgan_players(
        generator_network,
        judge,
        generator_optimiser=optimiser(generator_network),
        critic_optimiser=optimiser(judge),
        critic_steps=method.steps,
        clip=method.clip,
        penalty=method.penalty,
    )


def _let_rate_move(player: Player, iterations: int) -> None:
    steps = iterations * player.repeats
    schedule = torch.optim.lr_scheduler.LambdaLR(
        player.optimiser, lambda step: _share_of_rate((step + 1) / steps)
    )
    clip = player.after_step

    def after_step(module: torch.nn.Module) -> None:
        if clip is not None:
            clip(module)
        schedule.step()

    player.after_step = after_step


def _share_of_rate(progress: float) -> float:
    if progress < WARM_UP:
        return progress / WARM_UP
    falling = min(1.0, (progress - WARM_UP) / (1 - WARM_UP))
    return 0.01 + 0.99 * (1 + math.cos(math.pi * falling)) / 2


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def tables(stored: Mapping[str, Any]) -> str:
    """Return a Markdown table for each target, mean ± standard deviation over the seeds."""
    lines = [
        "# Modes and quality on Gaussian mixtures",
        "",
        f"Written by `python -m benchmarks.modes`: {UPDATES:,} updates of either network, batch "
        f"{BATCH}, 10,000 samples. Quality: within three standard deviations of a centre. Mean ± "
        "standard deviation over the seeds, and the worst seed.",
    ]
    for target in TARGETS:
        total = len(TARGETS[target]().means)
        lines += [
            "",
            f"| {target} of {total} | seeds | modes | fewest | high quality | lowest | CPU s |",
            "|---|---|---|---|---|---|---|",
        ]
        for name, entry in stored.items():
            runs = entry["runs"][target]
            modes, quality, seconds = (
                torch.tensor([run[key] for run in runs], dtype=torch.float64)
                for key in ("modes", "high_quality", "cpu_seconds")
            )
            lines.append(
                f"| {METHODS[name].title} | {len(runs)} | {_spread(modes, '.1f')} | "
                f"{int(modes.min())} | {_spread(100 * quality, '.1f')} % | "
                f"{100 * quality.min():.1f} % | {seconds.mean():.0f} |"
            )
    return "\n".join([*lines, "", PUBLISHED])


def _spread(values: torch.Tensor, form: str) -> str:
    spread = values.std(correction=1).item() if len(values) > 1 else 0.0
    return f"{values.mean().item():{form}} ± {spread:{form}}"


if __name__ == "__main__":
    sys.exit(main())
