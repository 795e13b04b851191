"""One training loop for every model of the course.

A model trains as one :class:`Player` (a VAE) or as several that move in turn (the discriminator
and the generator of a GAN). Each player brings its loss as a callable; the loop knows nothing of
models.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from gm_course.arithmetic import flushed_denormals, rough_products, thread_count
from gm_course.checkpoint import read_checkpoint, write_checkpoint
from gm_course.data import Batches
from gm_course.errors import ArgumentError, CheckpointError, NonFiniteLossError
from gm_course.history import History
from gm_course.interrupts import deferred_interrupt
from gm_course.progress import ProgressBar
from gm_course.validation import require_count

Loss = Callable[[Tensor, torch.Generator], Mapping[str, Tensor]]

# Looking at a loss makes the host wait for an accelerator, and costs some microseconds on a CPU; so
# the losses are recorded after so many steps, or as soon as so many seconds have passed.
RECORD_STEPS = 50
RECORD_SECONDS = 0.2

CHECKPOINT_FORMAT = 2


@dataclass
class Player:
    """One side of a training problem: whose parameters move, and by which loss.

    Attributes:
        module: The network whose parameters the optimiser moves.
        optimiser: An optimiser over ``module.parameters()``.
        loss: Called as ``loss(batch, generator)``; returns named scalars of which ``"loss"`` is
            minimised and the others are recorded. All noise must come from ``generator``.
        repeats: Steps this player makes per iteration, each on a fresh batch (K in Algorithms
            13.1 and 13.2).
        after_step: Called with the module after every step (weight clipping, for example).
    """

    module: nn.Module
    optimiser: torch.optim.Optimizer
    loss: Loss
    repeats: int = 1
    after_step: Callable[[nn.Module], None] | None = None


class Trainer:
    """Trains one or more players and can stop, save, resume and go on bit-exactly.

    Args:
        players: The players by name, in the order in which they move.
        batches: The source of minibatches; its device is where the losses' noise is drawn.
        generator: Random generator for the losses, on the same device as the batches.
        autocast: ``torch.bfloat16`` to run the losses in mixed precision; ``None`` for the
            parameters' own precision.
        rough: Whether float32 matrix products may round their factors to bfloat16
            (:func:`gm_course.arithmetic.rough_products`); pays for fully connected networks.

    Attributes:
        step: Iterations done so far.
        history: The losses of those iterations.

    Raises:
        ArgumentError: If there is no player, a repeat count is below one, the generator is on
            another device than the batches, or ``autocast`` is anything but bfloat16.

    Example:
        >>> from gm_course.data import Batches
        >>> data = torch.linspace(-1.0, 1.0, 64)[:, None]
        >>> model = nn.Linear(1, 1)
        >>> def loss(batch, generator):
        ...     return {"loss": (model(batch) - 3 * batch).square().mean()}
        >>> player = Player(model, torch.optim.Adam(model.parameters(), lr=0.1), loss)
        >>> batches = Batches(data, 16, generator=torch.Generator().manual_seed(0))
        >>> trainer = Trainer({"line": player}, batches, generator=torch.Generator())
        >>> history = trainer.run(200, show_progress=False)
        >>> len(history["line"]["loss"]), round(model.weight.item(), 1)
        (200, 3.0)
    """

    def __init__(
        self,
        players: Mapping[str, Player],
        batches: Batches,
        *,
        generator: torch.Generator,
        autocast: torch.dtype | None = None,
        rough: bool = False,
    ) -> None:
        if not players:
            raise ArgumentError("Trainer: players must name at least one player; got none.")
        for player in players.values():
            require_count("Trainer", "repeats", player.repeats)
        if generator.device.type != batches.device.type:
            raise ArgumentError(
                f"Trainer: generator must be on the batches' device, {batches.device}; got one on "
                f"{generator.device}. Make it with runtime.generator()."
            )
        if autocast not in (None, torch.bfloat16):
            raise ArgumentError(
                f"Trainer: autocast must be torch.bfloat16 or None; got {autocast}. float16 would "
                "need loss scaling; for float64 convert model and data with .double()."
            )
        self.players = dict(players)
        self.batches = batches
        self.generator = generator
        self.autocast = autocast
        self.rough = rough
        self.step = 0
        self.history = History()
        self._unrecorded: list[dict[str, dict[str, Tensor]]] = []

    def run(
        self,
        steps: int,
        *,
        checkpoint: str | Path | None = None,
        save_every: int | None = None,
        threads: int | None = None,
        show_progress: bool = True,
    ) -> History:
        """Train until ``step`` reaches ``steps`` (a total, so a second call goes on from there).

        Ctrl-C, or the notebook's stop button, ends the run after the current step: what was
        trained is kept (and saved, if there is a checkpoint), and calling ``run`` again goes on.

        Args:
            steps: Iterations to have done in total; nothing happens if they are done already.
            checkpoint: File to save to at the end, on interruption and every ``save_every`` steps.
            save_every: Steps between two saves; needs ``checkpoint``.
            threads: CPU threads for this run only; ``None`` leaves the setting alone.
            show_progress: Whether to show a progress bar with the current losses.

        Returns:
            The history since the first step, also available as ``trainer.history``.

        Raises:
            ArgumentError: If a count is not a whole number in range.
            NonFiniteLossError: If a loss becomes NaN or infinite; the message names the step and
                the last finite value. On a CPU the parameters are those before the step whose
                ``"loss"`` went wrong; on an accelerator, where losses are looked at only every 50
                steps or 0.2 s, reload a checkpoint. The other terms are looked at as rarely on
                either.
            CheckpointError: If the checkpoint cannot be written.
        """
        require_count("Trainer.run", "steps", steps, minimum=0)
        if threads is not None:
            require_count("Trainer.run", "threads", threads)
        if save_every is not None:
            require_count("Trainer.run", "save_every", save_every)
            if checkpoint is None:
                raise ArgumentError("Trainer.run: save_every needs a checkpoint path; got None.")
        with (
            _training_mode([player.module for player in self.players.values()]),
            thread_count(threads),
            flushed_denormals(),
            rough_products(self.rough),
            deferred_interrupt() as interrupted,
            ProgressBar(total=steps, initial=self.step, is_shown=show_progress) as bar,
        ):
            next_record = time.monotonic() + RECORD_SECONDS
            try:
                while self.step < steps and not interrupted:
                    self._unrecorded.append(self._iterate())
                    self.step += 1
                    is_save_due = save_every is not None and self.step % save_every == 0
                    is_record_due = (
                        len(self._unrecorded) >= RECORD_STEPS or time.monotonic() >= next_record
                    )
                    if is_record_due or is_save_due or self.step == steps:
                        self._record()
                        bar.update(self.step, self.history.last)
                        next_record = time.monotonic() + RECORD_SECONDS
                    if is_save_due and checkpoint is not None:
                        self.save(checkpoint)
            finally:
                self._record()
            if checkpoint is not None:
                self.save(checkpoint)
        if interrupted:
            print(
                f"Interrupted after step {self.step:,} of {steps:,}; what was trained is kept. "
                f"Call run({steps}) again to go on."
            )
        return self.history

    def save(self, path: str | Path) -> None:
        """Save everything the run depends on: weights, optimisers, random states, step, history.

        The file is replaced as a whole: a write cut off half-way leaves the previous one intact.

        Raises:
            CheckpointError: If the file cannot be written.
        """
        state = {
            "format": CHECKPOINT_FORMAT,
            "signature": self._signature(),
            "step": self.step,
            "history": self.history.state_dict(),
            "modules": {name: p.module.state_dict() for name, p in self.players.items()},
            "optimisers": {name: p.optimiser.state_dict() for name, p in self.players.items()},
            "batches": self.batches.state_dict(),
            "generator": self.generator.get_state(),
            "global_generators": _global_random_states(self.batches.device),
        }
        write_checkpoint(path, state)

    def load(self, path: str | Path) -> None:
        """Take up the state saved in ``path``; going on gives the same bits as never stopping.

        Learning rates and other optimiser settings are the saved ones.

        Raises:
            CheckpointError: If the file is missing, damaged, or was saved by a trainer with other
                players, networks, optimisers, data or device. This trainer is then unchanged.
        """
        state = read_checkpoint(path)
        if state.get("format") != CHECKPOINT_FORMAT:
            raise CheckpointError(
                f"Trainer.load: {path} has checkpoint format {state.get('format')!r}, and this "
                f"version reads {CHECKPOINT_FORMAT}. Train again with this version."
            )
        difference = _first_difference(state["signature"], self._signature())
        if difference:
            raise CheckpointError(
                f"Trainer.load: {path} belongs to another training run: {difference}. "
                "Build the same networks, optimisers and data as when it was saved, or use "
                "another file."
            )
        self.batches.load_state_dict(state["batches"])
        for name, player in self.players.items():
            player.module.load_state_dict(state["modules"][name])
            player.optimiser.load_state_dict(state["optimisers"][name])
        self.generator.set_state(state["generator"])
        _restore_global_random_states(state["global_generators"])
        self.history = History(state["history"])
        self.step = state["step"]

    def _iterate(self) -> dict[str, dict[str, Tensor]]:
        """Let every player make its steps once; return the terms of each player's last step."""
        recorded = {}
        is_cpu = self.batches.device.type == "cpu"
        for name, player in self.players.items():
            for _ in range(player.repeats):
                player.optimiser.zero_grad(set_to_none=True)
                with self._precision():
                    terms = player.loss(self.batches.next_batch(), self.generator)
                loss = _objective(name, terms)
                if is_cpu and not math.isfinite(value := loss.item()):
                    self._record()
                    self._refuse(name, "loss", value, self.step + 1)
                loss.backward()
                player.optimiser.step()
                if player.after_step is not None:
                    player.after_step(player.module)
            recorded[name] = {term: value.detach() for term, value in terms.items()}
        return recorded

    def _precision(self) -> AbstractContextManager[object]:
        if self.autocast is None:
            return nullcontext()
        return torch.autocast(self.batches.device.type, dtype=self.autocast)

    def _record(self) -> None:
        """Move the unrecorded terms to the history with a single device-to-host copy."""
        if not self._unrecorded:
            return
        rows, self._unrecorded = self._unrecorded, []
        values = [v for row in rows for terms in row.values() for v in terms.values()]
        # Not float64 always: Apple's MPS has none.
        is_double = any(v.dtype == torch.float64 for v in values)
        dtype = torch.float64 if is_double else torch.float32
        numbers = iter(torch.stack([v.to(dtype) for v in values]).tolist())
        for step, row in enumerate(rows, start=self.step - len(rows) + 1):
            for name, terms in row.items():
                named = {term: next(numbers) for term in terms}
                for term, value in named.items():
                    if not math.isfinite(value):
                        self._refuse(name, term, value, step)
                self.history.append(name, named)

    def _refuse(self, player: str, term: str, value: float, step: int) -> NoReturn:
        newest = self.history.newest(player, term)
        before = "none" if newest is None else f"{newest:.6g}"
        raise NonFiniteLossError(
            f"Trainer.run: {player!r} {term} must stay finite; got {value} at step {step} (last "
            f"finite value: {before}). Lower the learning rate, or look for log(0), a division "
            "by zero or an overflow in the loss."
        )

    def _signature(self) -> dict[str, Any]:
        """What must be the same for a checkpoint to fit."""
        return {
            "device": self.batches.device.type,
            "players": {
                name: {
                    "optimiser": type(player.optimiser).__name__,
                    "repeats": player.repeats,
                    "network": {
                        key: f"{tuple(value.shape)} {value.dtype}"
                        for key, value in player.module.state_dict().items()
                    },
                }
                for name, player in self.players.items()
            },
        }


def _objective(player: str, terms: Mapping[str, Tensor]) -> Tensor:
    loss = terms.get("loss") if isinstance(terms, Mapping) else None
    if not isinstance(loss, Tensor) or loss.ndim != 0:
        raise ArgumentError(
            f"Trainer.run: the loss of player {player!r} must return a dict of scalar tensors with "
            f"the key 'loss'; got {_describe(terms)}. Reduce it with .mean() or .sum() first."
        )
    return loss


def _describe(terms: object) -> str:
    if isinstance(terms, Mapping):
        return ", ".join(
            f"{key!r}: {f'shape {tuple(v.shape)}' if isinstance(v, Tensor) else type(v).__name__}"
            for key, v in terms.items()
        )
    return f"a {type(terms).__name__}"


def _first_difference(saved: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Describe the first difference of two nested dicts of plain values; empty if equal."""
    for key in [*saved, *(key for key in here if key not in saved)]:
        if key not in here:
            return f"{key!r} is in the file but not here"
        if key not in saved:
            return f"{key!r} is here but not in the file"
        if isinstance(saved[key], Mapping) and isinstance(here[key], Mapping):
            inner = _first_difference(saved[key], here[key])
            if inner:
                return f"{key}: {inner}"
        elif saved[key] != here[key]:
            return f"{key} is {saved[key]} in the file and {here[key]} here"
    return ""


def _global_random_states(device: torch.device) -> dict[str, Tensor]:
    """Torch's own generators, which dropout and the like draw from."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def _restore_global_random_states(states: Mapping[str, Tensor]) -> None:
    torch.set_rng_state(states["cpu"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"])
    if "mps" in states:
        torch.mps.set_rng_state(states["mps"])


@contextmanager
def _training_mode(modules: list[nn.Module]) -> Iterator[None]:
    modes = [module.training for module in modules]
    for module in modules:
        module.train()
    try:
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.train(mode)
