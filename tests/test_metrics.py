"""Active units: the definition, its edges and its killers."""

import math

import pytest
import torch

from gm_course.errors import ArgumentError, ShapeError
from gm_course.metrics import active_units


def test_a_unit_is_active_when_its_mean_varies_more_than_the_threshold():
    spread = torch.tensor([-1.0, 1.0])[:, None] * torch.tensor([0.05, 0.08, 3.0])
    # Unbiased variances of ±a over two points are 2a²: 0.005, 0.0128, 18.
    assert active_units(spread + 7).tolist() == [False, True, True]
    assert active_units(spread + 7, threshold=1.0).tolist() == [False, False, True]


def test_it_uses_the_unbiased_variance():
    # ±0.08 over two points: the biased variance 0.0064 would stay below the threshold.
    assert active_units(torch.tensor([[0.08], [-0.08]])).tolist() == [True]
    generator = torch.Generator().manual_seed(0)
    means = torch.randn((500, 40), generator=generator) * torch.linspace(0.01, 0.3, 40)
    assert torch.equal(active_units(means), means.var(dim=0) > 0.01)


def test_it_looks_at_the_variation_and_not_at_the_size():
    means = torch.tensor([[5.0, 0.0], [5.0, 1.0], [5.0, -1.0]])
    assert active_units(means).tolist() == [False, True]


def test_one_example_shows_no_active_unit():
    assert active_units(torch.tensor([[3.0, -9.0]])).tolist() == [False, False]


def test_bad_arguments_are_refused():
    with pytest.raises(ShapeError, match=r"posterior_mean must have shape \(batch, features\)"):
        active_units(torch.zeros(3))
    with pytest.raises(ArgumentError) as error:
        active_units(torch.zeros(0, 3))
    assert str(error.value) == (
        "active_units: posterior_mean must hold at least one example and only finite numbers; "
        "got shape (0, 3). Check the inference network's output."
    )
    with pytest.raises(ArgumentError) as error:
        active_units(torch.tensor([[math.nan], [1.0]]))
    assert str(error.value) == (
        "active_units: posterior_mean must hold at least one example and only finite numbers; "
        "got shape (2, 1) with NaN or inf. Check the inference network's output."
    )
    with pytest.raises(ArgumentError, match="threshold must be positive and finite; got 0"):
        active_units(torch.zeros(3, 2), threshold=0.0)
