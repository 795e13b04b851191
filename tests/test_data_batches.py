"""Minibatches: each epoch a fresh order without repeats, and a resume that is exact to the bit."""

import io

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gm_course.data import Batches
from gm_course.errors import ArgumentError, CheckpointError, ShapeError

DEVICES = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])


def seeded(seed=0, device="cpu"):
    return torch.Generator(device).manual_seed(seed)


def numbered(size, device="cpu"):
    """Examples whose value is their index, so that a batch shows what was drawn."""
    return torch.arange(size, device=device)


def draw(batches, count):
    return [batches.next_batch().tolist() for _ in range(count)]


def draw_epoch(batches):
    return [index for batch in draw(batches, batches.steps_per_epoch) for index in batch]


def through_a_file(state):
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


def is_resume_exact(kind, position, device="cpu"):
    """Compare a run with one that was saved, forgotten and resumed after ``position`` batches."""
    original = kind(numbered(10, device), 3, generator=seeded(1, device))
    draw(original, position)
    state = through_a_file(original.state_dict())
    resumed = kind(numbered(10, device), 3, generator=seeded(2, device))
    resumed.load_state_dict(state)
    is_same_epoch = resumed.epoch == original.epoch
    return is_same_epoch and draw(resumed, 8) == draw(original, 8)


@st.composite
def sizes(draw_from):
    size = draw_from(st.integers(1, 40))
    return size, draw_from(st.integers(1, size))


@settings(deadline=None)
@given(sizes(), st.integers(0, 2**32))
def test_every_epoch_visits_each_index_at_most_once(size_and_batch, seed):
    size, batch_size = size_and_batch
    batches = Batches(numbered(size), batch_size, generator=seeded(seed))
    for _ in range(3):
        visited = draw_epoch(batches)
        assert len(set(visited)) == len(visited) == size - size % batch_size
        assert set(visited) <= set(range(size))


def test_epochs_have_different_orders_and_different_left_overs():
    batches = Batches(numbered(20), 3, generator=seeded())
    epochs = [draw_epoch(batches) for _ in range(4)]
    assert len({tuple(epoch) for epoch in epochs}) == 4
    assert len({frozenset(epoch) for epoch in epochs}) == 4


def test_first_positions_are_uniform():
    # Counts of the first index over 3,000 epochs of 5: variance n p (1-p) = 480; five standard
    # deviations are 110. An order that favours an index or is never shuffled fails by far.
    batches = Batches(numbered(5), 5, generator=seeded())
    first = torch.tensor([batches.next_batch()[0] for _ in range(3000)])
    assert (first.bincount(minlength=5) - 600).abs().max() < 110


def test_epoch_counts_completed_epochs():
    batches = Batches(numbered(7), 3, generator=seeded())
    assert (batches.steps_per_epoch, batches.batch_size, batches.epoch) == (2, 3, 0)
    seen = []
    for _ in range(5):
        batches.next_batch()
        seen.append(batches.epoch)
    assert seen == [0, 1, 1, 2, 2]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("position", range(10))  # 3 batches an epoch: starts, middles and ends
def test_resume_is_exact_at_any_position(device, position):
    assert is_resume_exact(Batches, position, device)


class ForgetsGenerator(Batches):
    def load_state_dict(self, state):
        super().load_state_dict({**state, "generator": self._generator.get_state()})


class ForgetsOrder(Batches):
    def load_state_dict(self, state):
        super().load_state_dict({**state, "order": torch.arange(state["size"])})


class ForgetsPosition(Batches):
    def load_state_dict(self, state):
        super().load_state_dict({**state, "drawn": 0})


@pytest.mark.parametrize("wrong", [ForgetsGenerator, ForgetsOrder, ForgetsPosition])
def test_killers_an_inexact_resume_is_noticed(wrong):
    position = 4  # inside the second epoch, where all three matter
    assert is_resume_exact(Batches, position)
    assert not is_resume_exact(wrong, position)


def test_saved_state_is_a_copy_both_ways():
    batches, twin = (Batches(numbered(6), 2, generator=seeded()) for _ in range(2))
    draw(batches, 1), draw(twin, 1)
    batches.state_dict()["order"].zero_()
    state = batches.state_dict()
    batches.load_state_dict(state)
    state["order"].zero_()
    assert draw(batches, 5) == draw(twin, 5)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"size": 9}, "size"),
        ({"batch_size": 4}, "batch_size"),
        ({"drawn": -1}, "drawn"),
        ({"drawn": None}, "drawn"),
        ({"order": torch.zeros(10, dtype=torch.int64)}, "order"),
        ({"order": torch.arange(9)}, "order"),
        ({"order": torch.arange(10.0)}, "order"),
        ({"order": 3}, "order"),
        ({"generator": torch.zeros(3, dtype=torch.uint8)}, "generator"),
        ({"generator": torch.zeros(3)}, "generator"),
        ({"generator": None}, "generator"),
    ],
)
def test_a_foreign_state_is_refused_and_changes_nothing(change, named):
    batches, twin = (Batches(numbered(10), 3, generator=seeded(5)) for _ in range(2))
    draw(batches, 4), draw(twin, 4)
    with pytest.raises(CheckpointError, match=rf"^Batches\.load_state_dict: .*{named}"):
        batches.load_state_dict({**batches.state_dict(), **change})
    assert draw(batches, 6) == draw(twin, 6)


def test_an_empty_state_is_refused():
    with pytest.raises(CheckpointError, match="must have size 4; got None"):
        Batches(numbered(4), 2, generator=seeded()).load_state_dict({})


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.uint8])
def test_shape_dtype_and_values_pass_through(dtype):
    data = torch.arange(24, dtype=dtype).reshape(4, 1, 3, 2)
    batch = Batches(data, 4, generator=seeded()).next_batch()
    assert batch.shape == data.shape
    assert batch.dtype == dtype
    order = batch[:, 0, 0, 0].argsort()
    assert batch[order].equal(data)


def test_nan_passes_through():
    batch = Batches(torch.tensor([float("nan"), 1.0]), 2, generator=seeded()).next_batch()
    assert batch.isnan().sum() == 1


def test_a_batch_is_a_fresh_tensor():
    data = torch.ones(3, 2)
    Batches(data, 3, generator=seeded()).next_batch().zero_()
    assert data.equal(torch.ones(3, 2))


def test_one_example_is_enough():
    batches = Batches(torch.tensor([[7.0]]), 1, generator=seeded())
    assert draw(batches, 3) == [[[7.0]]] * 3
    assert batches.epoch == 3


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    draw(Batches(numbered(4), 2, generator=seeded()), 4)
    assert torch.get_rng_state().equal(before)


def test_the_same_seed_gives_the_same_batches_and_another_seed_others():
    first, again, other = (
        draw(Batches(numbered(30), 10, generator=seeded(seed)), 6) for seed in (3, 3, 4)
    )
    assert first == again != other


@pytest.mark.parametrize(
    ("data", "batch_size", "error", "text"),
    [
        (torch.tensor(1.0), 1, ShapeError, r"data must have shape \(size, ...\); got a scalar"),
        (torch.zeros(0, 3), 1, ArgumentError, "at most the 0 examples of data; got 1"),
        (torch.zeros(3, 1), 4, ArgumentError, "at most the 3 examples of data; got 4"),
        (torch.zeros(3, 1), 0, ArgumentError, "batch_size must be a whole number of at least 1"),
        (torch.zeros(3, 1), 1.5, ArgumentError, "batch_size must be a whole number of at least 1"),
        (
            torch.zeros(3, 1, device="meta"),
            1,
            ArgumentError,
            r"generator must be on the device of data, meta; got cpu\. Make it with "
            r"torch\.Generator\('meta'\)",
        ),
    ],
)
def test_arguments_are_checked(data, batch_size, error, text):
    with pytest.raises(error, match=rf"^Batches: .*{text}"):
        Batches(data, batch_size, generator=seeded())
