"""Figures: they hold the data they were given, and nothing outside them changes."""

import io

import matplotlib as mpl
import pytest
import torch
from matplotlib.figure import Figure

from gm_course import plotting
from gm_course.errors import ShapeError


def render(figure: Figure) -> None:
    """Draw the figure for real; layout and font problems only show then (warnings are errors)."""
    figure.savefig(io.BytesIO(), format="png")


def test_style_stays_inside_the_figure():
    before = dict(mpl.rcParams)
    figure, _ = plotting.new_figure()
    assert dict(mpl.rcParams) == before
    assert not figure.axes[0].spines["top"].get_visible()


def test_loss_curves_average_and_reference():
    values = torch.arange(200.0)
    figure = plotting.loss_curves(
        {"loss": values, "KL": torch.ones(200)}, window=50, reference={"loss": 7.0}
    )
    render(figure)
    left, right = figure.axes
    raw, average, reference = left.get_lines()
    assert raw.get_ydata().tolist() == values.tolist()
    # The mean of 50 consecutive integers ending at n is n - 24.5.
    assert average.get_ydata().tolist() == (torch.arange(49.0, 200.0) - 24.5).tolist()
    assert average.get_xdata()[0] == 50
    assert set(reference.get_ydata()) == {7.0}
    assert (left.get_title(), right.get_title()) == ("loss", "KL")
    assert left.get_xlabel() == "iteration"
    assert left.get_ylabel() == "nats per example"


@pytest.mark.parametrize("steps", [1, 3])
def test_loss_curves_of_very_short_runs(steps):
    render(plotting.loss_curves({"loss": torch.rand(steps)}))


def test_histograms_mark_exact_values():
    figure = plotting.estimate_histograms(
        {"M = 1": torch.randn(500, generator=torch.Generator().manual_seed(0))},
        lines={"exact": 0.25},
        xlabel="x (nats)",
    )
    render(figure)
    assert figure.axes[0].get_lines()[0].get_xdata()[0] == 0.25


def shown(axis) -> torch.Tensor:
    return torch.tensor(axis.get_images()[0].get_array().data)


def test_image_grid_places_images_row_by_row_and_pads_with_white():
    images = torch.stack([torch.full((2, 3), value) for value in (0.0, 0.1, 0.2)])
    figure = plotting.image_grid(images, columns=2, title="three")
    render(figure)
    top = torch.tensor([[0.0] * 3 + [0.1] * 3] * 2)
    bottom = torch.tensor([[0.2] * 3 + [1.0] * 3] * 2)
    # White is value 0 in a reversed grey map; padding is drawn like the background.
    assert torch.equal(shown(figure.axes[0])[:2], top)
    assert torch.equal(shown(figure.axes[0])[2:, :3], bottom[:, :3])
    assert torch.equal(shown(figure.axes[0])[2:, 3:], torch.zeros(2, 3))


def test_image_rows_are_labelled():
    figure = plotting.image_rows({"original": torch.rand(4, 5, 5), "copy": torch.rand(4, 5, 5)})
    render(figure)
    assert [axis.get_ylabel() for axis in figure.axes] == ["original", "copy"]


def test_latent_manifold_has_both_panels_in_the_same_orientation():
    codes, labels = torch.randn(50, 2), torch.arange(50) % 10
    decoded = torch.zeros(3, 3, 4, 4)
    decoded[0, 2] = 1  # top right: largest z1 and z2
    figure = plotting.latent_manifold(codes, labels, decoded, coordinates=[-1.0, 0.0, 1.0])
    render(figure)
    left, right = figure.axes
    assert sum(len(points.get_offsets()) for points in left.collections) == 50
    assert {text.get_text() for text in left.texts} == {str(digit) for digit in range(10)}
    assert shown(right)[:4, 8:].min() == 1
    names = [text.get_text() for text in right.get_yticklabels()]
    ticks = dict(zip(names, right.get_yticks(), strict=True))
    assert ticks["1.0"] < ticks["−1.0"]  # image rows count downwards


def test_wrong_shapes_are_named():
    with pytest.raises(ShapeError, match=r"images must have shape \(n, height, width\); got \(4,"):
        plotting.image_grid(torch.rand(4, 784), columns=2)
    with pytest.raises(ShapeError, match=r"codes must have shape \(n, 2\); got \(4, 3\)"):
        plotting.latent_manifold(
            torch.rand(4, 3), torch.zeros(4), torch.rand(2, 2, 3, 3), coordinates=[0.0, 1.0]
        )
