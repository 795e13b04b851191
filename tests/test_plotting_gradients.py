"""Figures of gradient estimates: what they show is what they were given."""

import io

import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.quiver import Quiver

from gm_course import plotting
from gm_course.errors import ShapeError
from gm_course.plotting import gradients


def render(figure: Figure) -> None:
    """Draw the figure for real; layout and font problems only show then (warnings are errors)."""
    figure.savefig(io.BytesIO(), format="png")


def test_samples_lie_where_their_noise_puts_them_and_arrows_are_the_derivatives():
    noise = torch.tensor([-1.5, 0.0, 0.5])
    figure = gradients.reparameterised_samples([(0.0, 1.0), (2.0, 3.0)], noise)
    render(figure)
    for axis, (mean, std) in zip(figure.axes, [(0.0, 1.0), (2.0, 3.0)], strict=True):
        samples = axis.get_lines()[1]
        assert samples.get_xdata().tolist() == (mean + std * noise).tolist()
        assert samples.get_ydata().tolist() == [0, 1, 2]
        by_mean, by_std = (item for item in axis.collections if isinstance(item, Quiver))
        step = gradients.ARROW_STEP
        assert by_mean.U.tolist() == [step] * 3
        assert by_std.U.tolist() == (step * noise.double()).tolist()
        assert by_std.X.tolist() == samples.get_xdata().tolist()
        assert [text.get_text() for text in axis.get_yticklabels()] == ["-1.5", "0.0", "0.5"]


def test_density_has_the_area_one_up_to_its_scale():
    figure = gradients.reparameterised_samples([(0.5, 0.8)], torch.zeros(2))
    outline = torch.from_numpy(figure.axes[0].collections[0].get_paths()[0].vertices)
    base = outline[:, 1].min()
    ascending = outline[(outline[:, 1] > base + 1e-9).nonzero()[:, 0]]
    order = ascending[:, 0].argsort()
    area = torch.trapezoid(ascending[order, 1] - base, ascending[order, 0])
    # 400 points and a tail cut at 1e-9: the trapezoidal rule leaves less than 1e-6 of it.
    assert abs(area.item() / 2.5 - 1) < 1e-5


def test_exact_curves_are_lines_and_measurements_markers_of_the_same_colour():
    figure, (axis,) = plotting.new_figure()
    grid, points = torch.linspace(1, 2, 5), torch.tensor([1.0, 2.0])
    gradients.exact_and_measured(
        axis, grid, {"a": grid, "b": 2 * grid}, points, {"b": torch.tensor([2.1, 3.9])}
    )
    axis.legend()
    render(figure)
    line_a, line_b, points_b = axis.get_lines()
    assert line_a.get_ydata().tolist() == grid.tolist()
    assert points_b.get_ydata().tolist() == pytest.approx([2.1, 3.9])
    assert line_b.get_color() == points_b.get_color() != line_a.get_color()
    assert points_b.get_linestyle() == "None"
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["a", "b"]


def test_bands_hold_the_median_between_the_extremes():
    values = torch.tensor([[1.0, 5.0], [2.0, 4.0], [9.0, 3.0]])
    figure = gradients.loss_bands({"run": values}, ylabel="loss (nats)")
    render(figure)
    axis = figure.axes[0]
    assert axis.get_lines()[0].get_ydata().tolist() == [2, 4]
    heights = axis.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (1, 9)
    assert axis.get_ylabel() == "loss (nats)"
    assert axis.get_yscale() == "log"


def test_corners_of_the_simplex_are_the_categories():
    figure = gradients.simplex_samples(
        {"corners": torch.eye(3), "middle": torch.full((2, 3), 1 / 3)}
    )
    render(figure)
    left, right = figure.axes
    outline, *members = left.get_lines()
    corners = list(zip(outline.get_xdata(), outline.get_ydata(), strict=True))[:3]
    for corner, points in zip(corners, members, strict=True):
        assert (points.get_xdata()[0], points.get_ydata()[0]) == pytest.approx(corner)
    assert [text.get_text() for text in left.texts] == ["1", "2", "3"]
    centre = right.get_lines()[1]
    assert centre.get_xdata()[0] == pytest.approx(0.5)
    assert right.get_title() == "middle"


def test_points_without_three_entries_are_refused():
    with pytest.raises(ShapeError) as error:
        gradients.simplex_samples({"wrong": torch.rand(4, 2)})
    assert str(error.value) == (
        "simplex_samples: points must have shape (n, 3); got (4, 2). "
        "A triangle shows exactly three categories."
    )
