"""The exhibit of mode collapse: reproducible, one switch, and a signal that counts modes."""

import pytest
import torch

from gm_course.data.toy import ring
from gm_course.errors import ArgumentError
from gm_course.gan import saturating_loss
from gm_course.museum import mode_collapse
from gm_course.museum.mode_collapse import EXHIBIT, covered_modes, ring_players, train_on_ring

CPU = torch.device("cpu")


def short_run(seed=0, iterations=60, **options):
    return train_on_ring(ring_players(seed, CPU, **options), seed=seed, iterations=iterations)


def test_the_healthy_setting_comes_first_and_only_the_generators_steps_differ():
    assert EXHIBIT.settings == ("healthy", "collapsed")
    assert mode_collapse.GENERATOR_STEPS == {"healthy": 1, "collapsed": 5}


def test_the_exhibit_uses_the_switch(monkeypatch):
    seen = {}

    def train(players, *, seed):
        seen[players["generator"].repeats] = players["discriminator"].repeats
        return short_run(seed, iterations=1)

    monkeypatch.setattr(mode_collapse, "train_on_ring", train)
    outcomes = [EXHIBIT.run(setting, 3, CPU) for setting in EXHIBIT.settings]
    assert seen == {1: 1, 5: 1}
    assert all(0 <= outcome.signal <= 8 for outcome in outcomes)


def test_a_run_depends_on_its_seed_only_and_leaves_global_state_alone():
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = short_run()
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert torch.equal(short_run().snapshots, first.snapshots)
    assert not torch.equal(short_run(seed=1).snapshots, first.snapshots)


def test_snapshots_every_fifty_iterations_and_at_the_end():
    run = short_run(iterations=60)
    assert run.iterations == (50, 60)
    assert run.snapshots.shape == (2, 1_000, 2)
    assert run.snapshots.dtype == torch.float64
    assert short_run(iterations=50).iterations == (50,)


def test_the_generators_loss_can_be_chosen():
    usual, other = short_run(iterations=5), short_run(iterations=5, generator_loss=saturating_loss)
    assert not torch.equal(usual.snapshots, other.snapshots)


def test_covered_modes_counts_modes_with_a_sample_within_three_standard_deviations():
    centres = ring(dtype=torch.float64).means
    step = mode_collapse.STD * torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    assert covered_modes(centres[:3] + 2.9 * step) == 3
    assert covered_modes(centres[:3] + 3.1 * step) == 0
    everything = ring(std=mode_collapse.STD).sample(500, generator=torch.Generator().manual_seed(0))
    assert covered_modes(everything) == 8


def test_more_generator_steps_leave_a_smaller_cloud():
    # The healthy samples spread over a disc as large as the ring, whose own spread is its radius 2;
    # the others hold together. Measured for seeds 0 to 2: 2.1 to 2.5 against 0.28 to 0.40.
    spreads = []
    for steps in (1, 5):
        players = ring_players(0, CPU)
        players["generator"].repeats = steps
        snapshots = train_on_ring(players, seed=0, iterations=150).snapshots
        spreads.append(snapshots[-1].std(dim=0).norm().item())
    assert spreads[0] > 1.0 > spreads[1]


def test_unknown_settings_and_lengths_are_refused():
    with pytest.raises(ArgumentError) as error:
        EXHIBIT.run("broken", 0, CPU)
    assert str(error.value) == (
        "mode_collapse: setting must be one of healthy, collapsed; got 'broken'."
    )
    with pytest.raises(ArgumentError) as error:
        train_on_ring(ring_players(0, CPU), seed=0, iterations=0)
    assert str(error.value) == (
        "train_on_ring: iterations must be a whole number of at least 1; got 0."
    )
