"""The exhibit of weight clipping: reproducible, clipped, and its signal separates."""

import pytest
import torch

from gm_course.errors import ArgumentError
from gm_course.metrics import gradient_norms
from gm_course.museum import clipping

CPU = torch.device("cpu")


def signal(setting: str, seed: int, steps: int) -> float:
    critic = clipping.train(setting, seed, CPU, steps=steps)
    points = clipping.blob_sample(64, torch.Generator().manual_seed(seed))
    return gradient_norms(critic, points).mean().item()


def test_settings_start_with_health():
    assert clipping.EXHIBIT.settings == ("healthy", "too small", "too large")
    assert clipping.EXHIBIT.settings == tuple(clipping.LIMITS)


def test_runs_are_reproducible_and_leave_the_global_generator_alone():
    before = torch.get_rng_state()
    first, second = (clipping.train("healthy", 3, CPU, steps=3) for _ in range(2))
    other = clipping.train("healthy", 4, CPU, steps=3)
    assert torch.equal(torch.get_rng_state(), before)
    weights = [network.layers[0].weight for network in (first, second, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("setting", clipping.LIMITS)
def test_every_weight_is_clipped(setting):
    critic = clipping.train(setting, 0, CPU, steps=2)
    assert max(p.abs().max().item() for p in critic.parameters()) <= clipping.LIMITS[setting]


def test_signal_separates_after_a_short_run():
    # After 60 steps the clipped weights are not yet where they settle, but orders of magnitude
    # already lie between the settings.
    small, healthy, large = (signal(s, 0, 60) for s in ("too small", "healthy", "too large"))
    assert 30 * small < healthy < large / 30


def test_points_are_where_they_should_be():
    generator = torch.Generator().manual_seed(1)
    ring, blob = clipping.ring_sample(2_000, generator), clipping.blob_sample(2_000, generator)
    assert torch.allclose(ring.norm(dim=1), torch.full((2_000,), 2.0).double())
    # Standard errors: 2/√2/√2000 = 0.03 for a mean, and 0.5/√4000 = 0.008 for the deviation.
    assert ring.mean(dim=0).abs().max() < 5 * 0.032
    assert abs(blob.std().item() - 0.5) < 5 * 0.008


def test_message():
    with pytest.raises(ArgumentError) as caught:
        clipping.train("huge", 0, CPU)
    assert str(caught.value) == (
        "clipping: setting must be one of healthy, too small, too large; got 'huge'."
    )
