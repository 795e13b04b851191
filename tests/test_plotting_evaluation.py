"""Figures of the evaluation: neighbours in place, ranks as shades, and what is not defined."""

import io
import math
import re

import pytest
import torch
from matplotlib.figure import Figure

from gm_course.errors import ShapeError
from gm_course.plotting.evaluation import neighbour_pairs, rank_table, sample_and_neighbours

NAN = math.nan


def render(figure: Figure) -> None:
    """Draw the figure for real; layout and font problems only show then (warnings are errors)."""
    figure.savefig(io.BytesIO(), format="png")


def shown(axis) -> torch.Tensor:
    return torch.tensor(axis.get_images()[0].get_array().data)


def images(*values: float) -> torch.Tensor:
    """Flat grey images of 2 × 3 pixels."""
    return torch.stack([torch.full((2, 3), value) for value in values])


def test_neighbours_stand_below_their_samples():
    pairs = {
        "VAE": (images(0.0, 0.1), images(0.2, 0.3)),
        "GAN": (images(0.4, 0.5), images(0.6, 0.7)),
    }
    figure = neighbour_pairs(pairs)
    render(figure)
    upper, lower = figure.axes
    assert upper.get_ylabel() == "VAE\n(nearest below)"
    assert lower.get_ylabel() == "GAN\n(nearest below)"
    # One pixel of each image; rows are 2 pixels high, columns 3 pixels wide.
    expected = {upper: [[0.0, 0.1], [0.2, 0.3]], lower: [[0.4, 0.5], [0.6, 0.7]]}
    for axis, values in expected.items():
        assert torch.equal(shown(axis)[::2, ::3], torch.tensor(values))


def test_neighbours_of_a_single_sample():
    render(neighbour_pairs({"one": (images(0.5), images(0.6))}))


def test_sample_then_neighbours_then_classes():
    probabilities = torch.arange(10.0) / 45
    figure = sample_and_neighbours(images(0.5)[0], images(0.1, 0.2), [1.23, 4.56], probabilities)
    render(figure)
    *pictures, bars = figure.axes
    titles = [axis.get_title() for axis in pictures]
    assert titles == ["sample", "distance 1.2", "distance 4.6"]
    assert [shown(axis)[0, 0].item() for axis in pictures] == pytest.approx([0.5, 0.1, 0.2])
    assert [bar.get_width() for bar in bars.patches] == pytest.approx(probabilities.tolist())
    assert bars.yaxis_inverted()  # 0 on top
    assert bars.get_xlim() == (0, 1)  # so that certainty looks the same for every sample


VALUES = torch.tensor(
    [
        [NAN, 9.0, -30.0],
        [-107.0, 9.0, -745.0],
        [NAN, 4.0, -277.0],
    ]
)


@pytest.fixture
def axis():
    figure = rank_table(VALUES, rows=["real", "VAE", "GAN"], columns=["likelihood", "score", "-F"])
    render(figure)
    return figure.axes[0]


def test_shades_are_ranks_within_a_column(axis):
    # How many contestants are worse. The only defined number beats what is not defined, whatever
    # its size; equal values share a shade; a larger distance, negated, is worse.
    assert shown(axis).tolist() == [[0, 1, 2], [2, 1, 0], [0, 0, 1]]


def test_best_is_bold_and_distances_are_positive(axis):
    cells = [(text.get_text(), text.get_weight()) for text in axis.texts]
    assert cells == [
        ("not defined", "normal"), ("9", "bold"), ("30", "bold"),
        ("-107", "bold"), ("9", "bold"), ("745", "normal"),
        ("not defined", "normal"), ("4", "normal"), ("277", "normal"),
    ]  # fmt: skip
    assert [text.get_position() for text in axis.texts[:4]] == [(0, 0), (1, 0), (2, 0), (0, 1)]


def test_names_stand_at_the_edges(axis):
    assert [label.get_text() for label in axis.get_xticklabels()] == ["likelihood", "score", "F"]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["real", "VAE", "GAN"]


def test_a_column_without_any_number_has_no_best():
    figure = rank_table(torch.full((2, 1), NAN), rows=["a", "b"], columns=["c"])
    render(figure)
    assert [text.get_weight() for text in figure.axes[0].texts] == ["normal", "normal"]


def test_names_must_fit_the_values():
    message = (
        "rank_table: values must have shape (2, 3), one row per contestant and one column per "
        "measure; got (3, 3). Give every row and every column one name."
    )
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        rank_table(VALUES, rows=["real", "VAE"], columns=["a", "b", "c"])
