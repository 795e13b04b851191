"""Endless minibatches from a tensor that already lies on the training device."""

from __future__ import annotations

import torch
from torch import Tensor

from gm_course.errors import ArgumentError, CheckpointError, ShapeError
from gm_course.validation import require_count


class Batches:
    """Minibatches without replacement, drawn by index in a new random order every epoch.

    An epoch has ``steps_per_epoch = len(data) // batch_size`` batches. What is left over when the
    size is not a multiple of the batch size is dropped for that epoch; the next epoch's order
    decides anew which examples those are. The data are taken as they are: NaNs, integers and
    float64 pass through unchanged.

    Args:
        data: Examples, shape (size, ...); kept by reference, never written to.
        batch_size: Examples per batch, from 1 to ``size``.
        generator: Source of the orders, on the data's kind of device. It may be shared with
            other code; only the state saved by :meth:`state_dict` matters for a resume.

    Raises:
        ShapeError: If ``data`` has no dimension to draw from.
        ArgumentError: If the batch size does not fit the data, or the generator's device differs.

    Example:
        >>> data = torch.arange(6.0).reshape(6, 1)
        >>> batches = Batches(data, 3, generator=torch.Generator().manual_seed(0))
        >>> epoch = torch.cat([batches.next_batch() for _ in range(batches.steps_per_epoch)])
        >>> epoch.sort(dim=0).values.equal(data), batches.epoch
        (True, 1)
    """

    def __init__(self, data: Tensor, batch_size: int, *, generator: torch.Generator) -> None:
        if data.ndim == 0:
            raise ShapeError(
                "Batches: data must have shape (size, ...); got a scalar. "
                "Give a tensor with one example per row."
            )
        require_count("Batches", "batch_size", batch_size)
        if batch_size > len(data):
            raise ArgumentError(
                f"Batches: batch_size must be at most the {len(data):,} examples of data; "
                f"got {batch_size:,}. Take smaller batches or more data."
            )
        if generator.device.type != data.device.type:
            raise ArgumentError(
                f"Batches: generator must be on the device of data, {data.device}; "
                f"got {generator.device}. Make it with torch.Generator({str(data.device)!r})."
            )
        self._data = data
        self._batch_size = batch_size
        self._generator = generator
        self._drawn = 0  # batches since the beginning
        self._order = torch.arange(len(data), device=data.device)  # shuffled at each epoch's start

    @property
    def batch_size(self) -> int:
        """Examples per batch."""
        return self._batch_size

    @property
    def device(self) -> torch.device:
        """Where the data lie and the batches appear."""
        return self._data.device

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one epoch, at least 1."""
        return len(self._data) // self._batch_size

    @property
    def epoch(self) -> int:
        """Epochs completed so far; 0 until the last batch of the first one is drawn."""
        return self._drawn // self.steps_per_epoch

    def next_batch(self) -> Tensor:
        """Return the next batch, a fresh tensor of shape (batch_size, ...) and the data's dtype."""
        step = self._drawn % self.steps_per_epoch
        if step == 0:
            self._order = torch.randperm(
                len(self._data), generator=self._generator, device=self.device
            )
        start = step * self._batch_size
        batch = self._data.index_select(0, self._order[start : start + self._batch_size])
        self._drawn += 1
        return batch

    def state_dict(self) -> dict[str, int | Tensor]:
        """Return the exact position as whole numbers and CPU tensors, all of them copies.

        The result survives ``torch.save`` and ``torch.load(weights_only=True)``.
        """
        return {
            "size": len(self._data),
            "batch_size": self._batch_size,
            "drawn": self._drawn,
            "order": self._order.to("cpu", copy=True),
            "generator": self._generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, int | Tensor]) -> None:
        """Continue where :meth:`state_dict` was taken: the same batches follow, bit for bit.

        The generator given at construction is set back too. A refused state changes nothing.

        Args:
            state: A result of :meth:`state_dict` for data of the same size, the same batch size
                and the same kind of device.

        Raises:
            CheckpointError: If the state is malformed or belongs to other batches.
        """
        for key, own in (("size", len(self._data)), ("batch_size", self._batch_size)):
            if state.get(key) != own:
                raise CheckpointError(
                    f"Batches.load_state_dict: state must have {key} {own}; got "
                    f"{state.get(key)!r}. Resume with the data and batch size it was saved with."
                )
        drawn, order, generator = (state.get(key) for key in ("drawn", "order", "generator"))
        if not isinstance(drawn, int) or drawn < 0:
            raise _malformed("drawn", "a whole number of at least 0")
        if not isinstance(order, Tensor) or not _is_permutation(order, len(self._data)):
            raise _malformed("order", f"a permutation of 0 to {len(self._data) - 1}")
        if not isinstance(generator, Tensor):
            raise _malformed("generator", "a generator's state")
        try:
            self._generator.set_state(generator.cpu())
        except (RuntimeError, TypeError) as error:
            raise _malformed("generator", f"the state of a {self.device.type} generator") from error
        self._drawn = drawn
        self._order = order.to(self.device, copy=True)


def _is_permutation(order: Tensor, size: int) -> bool:
    is_index = order.dtype == torch.int64
    return is_index and order.sort().values.equal(torch.arange(size, device=order.device))


def _malformed(key: str, rule: str) -> CheckpointError:
    return CheckpointError(
        f"Batches.load_state_dict: state[{key!r}] must be {rule}; got something else. "
        "Use a checkpoint written by Batches.state_dict on the same kind of device."
    )
