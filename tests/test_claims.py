"""Claims print what was tested, and a false one prints something else."""

import math

import numpy as np
import pytest
import torch

from gm_course.claims import claim, claim_between
from gm_course.errors import ArgumentError


@pytest.mark.parametrize("truth", [True, np.True_, torch.tensor(True), torch.tensor([True])])
def test_true_claim(capsys, truth):
    claim("water is wet", truth)
    assert capsys.readouterr().out == "✓ water is wet\n"


@pytest.mark.parametrize("falsehood", [False, np.False_, torch.tensor(False)])
def test_false_claim_prints_another_line(capsys, falsehood):
    claim("water is dry", falsehood)
    assert capsys.readouterr().out == "✗ water is dry\n"


@pytest.mark.parametrize(
    "unclear",
    [1, 0.0, None, "yes", torch.tensor([True, False]), torch.tensor(1.0), np.array([True])],
)
def test_anything_but_one_truth_value_is_refused(unclear):
    with pytest.raises(ArgumentError, match="holds must be one truth value"):
        claim("?", unclear)


@pytest.mark.parametrize(
    ("value", "low", "high", "line"),
    [
        (0.5, 0, 1, "✓ x: between 0 and 1"),
        (torch.tensor(0.5), 0.25, 1e-3 + 1, "✓ x: between 0.25 and 1.001"),
        (0.5, -math.inf, 1, "✓ x: below 1"),
        (0.5, 0.1, math.inf, "✓ x: above 0.1"),
        (1.0, 0, 1, "✗ x: between 0 and 1"),
        (math.nan, 0, 1, "✗ x: between 0 and 1"),
        (math.inf, 0, math.inf, "✗ x: above 0"),
    ],
)
def test_bounds(capsys, value, low, high, line):
    claim_between("x", value, low, high)
    assert capsys.readouterr().out == line + "\n"


@pytest.mark.parametrize(("low", "high"), [(1, 0), (1, 1), (math.nan, 1)])
def test_bounds_out_of_order(low, high):
    with pytest.raises(ArgumentError, match="low must be below high"):
        claim_between("x", 0.5, low, high)
