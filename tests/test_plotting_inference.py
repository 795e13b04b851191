"""Figures of lecture 3: they hold the data they were given, and the lines lie where they should."""

import dataclasses
import io
import math
import re

import matplotlib as mpl
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from gm_course.errors import ArgumentError, ShapeError
from gm_course.plotting.inference import (
    PosteriorView,
    ascent_paths,
    function_panels,
    mass_level,
    posterior_view,
    posterior_views,
)

MEAN, VAR = torch.tensor([0.5, -1.0]), torch.tensor([0.25, 1.0])


def render(figure: Figure) -> None:
    """Draw the figure for real; layout and font problems only show then (warnings are errors)."""
    figure.savefig(io.BytesIO(), format="png")


def view_of_a_gaussian(mean: torch.Tensor = MEAN, var: torch.Tensor = VAR) -> PosteriorView:
    """A posterior that is the Gaussian N(mean, diag var) itself, on the square [−5, 5]²."""
    z1, z2 = torch.linspace(-5, 5, 201), torch.linspace(-5, 5, 201)
    exponent = (z1[None] - mean[0]) ** 2 / var[0] + (z2[:, None] - mean[1]) ** 2 / var[1]
    return PosteriorView(
        title="a view",
        image=torch.rand(8, 8, generator=torch.Generator().manual_seed(0)),
        density=(-0.5 * exponent).exp(),
        extent=(-5.0, 5.0, -5.0, 5.0),
        gaussians={"exact": (mean, var)},
    )


def test_functions_keep_their_colour_in_every_panel():
    x = torch.linspace(0, 1, 5)
    figure = function_panels(
        x, {"value": {"line": x, "square": x**2}, "slope": {"line": x * 0, "square": 2 * x}},
        xlabel="x (m)",
    )  # fmt: skip
    render(figure)
    left, right = figure.axes
    assert [line.get_ydata().tolist() for line in right.get_lines()] == [
        [0.0] * 5,
        (2 * x).tolist(),
    ]
    assert [line.get_color() for line in left.get_lines()] == [
        line.get_color() for line in right.get_lines()
    ]
    assert (left.get_title(), right.get_title(), left.get_xlabel()) == ("value", "slope", "x (m)")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["line", "square"]


def contour_points(axis) -> torch.Tensor:
    """The vertices of the posterior's line, shape (n, 2)."""
    paths = [p for collection in axis.collections for p in collection.get_paths()]
    return torch.cat([torch.tensor(path.vertices, dtype=torch.float32) for path in paths])


def distance_from_ellipse(axis) -> float:
    """Largest deviation of the posterior's line from two standard deviations of N(MEAN, VAR)."""
    radius = ((contour_points(axis) - MEAN).square() / VAR).sum(dim=1).sqrt()
    return (radius - 2).abs().max().item()


def test_line_of_a_gaussian_posterior_is_its_ellipse():
    figure = posterior_views([view_of_a_gaussian()])
    render(figure)
    plane = figure.axes[1]
    # The level is that of the last cell inside: one cell of 0.05 × 0.05 holds 0.0007 of the mass at
    # most, so the radius is off by about 0.005; interpolation between grid points adds 0.01.
    assert distance_from_ellipse(plane) < 0.03
    (ellipse,) = (patch for patch in plane.patches if isinstance(patch, Ellipse))
    assert ellipse.get_center() == (0.5, -1.0)
    assert (ellipse.width, ellipse.height) == (2.0, 4.0)  # four standard deviations of 0.5 and 1
    assert (plane.get_xlabel(), plane.get_ylabel()) == ("$z_1$", "$z_2$")
    assert plane.get_xlim() == plane.get_ylim() == (-5.0, 5.0)


@pytest.mark.parametrize("wrong", ["transposed", "upside down", "squared"])
def test_a_wrong_density_would_be_seen(wrong):
    view = view_of_a_gaussian()
    density = {
        "transposed": view.density.T,
        "upside down": view.density.flip(0),
        "squared": view.density.square(),  # half the variance
    }[wrong]
    figure = posterior_views([dataclasses.replace(view, density=density)])
    assert distance_from_ellipse(figure.axes[1]) > 0.5


def test_several_views_stand_side_by_side_with_one_legend():
    figure = posterior_views([view_of_a_gaussian()] * 3)
    render(figure)
    assert len(figure.axes) == 6
    assert [axis.get_title() for axis in figure.axes[:3]] == ["a view"] * 3
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["exact posterior", "exact"]


@pytest.mark.parametrize("radius", [1.0, 2.0])
def test_mass_level_of_a_gaussian(radius):
    # In the plane r standard deviations hold 1 − exp(−r²/2), and the height there is exp(−r²/2)
    # of the peak. A cell of 0.05 × 0.05 holds below 0.1 % of the mass: heights to 1 %.
    level = mass_level(view_of_a_gaussian().density, 1 - math.exp(-(radius**2) / 2))
    assert level == pytest.approx(math.exp(-(radius**2) / 2), rel=0.01)


def test_ascent_paths_are_drawn_as_given():
    x, y = torch.linspace(0, 1, 4), torch.linspace(0, 2, 3)
    path = torch.tensor([[0.1, 0.2], [0.5, 1.0]])
    before = dict(mpl.rcParams)
    figure = ascent_paths(
        x, y, x[None] + y[:, None], {"both": path}, xlabel="v", ylabel="w", levels=[1.0, 2.0]
    )
    render(figure)
    assert dict(mpl.rcParams) == before
    (axis,) = figure.axes
    drawn, start = axis.get_lines()
    assert torch.equal(torch.tensor(drawn.get_xydata()).float(), path)
    assert start.get_xydata()[0].tolist() == pytest.approx([0.1, 0.2])
    assert (axis.get_xlim(), axis.get_ylim()) == ((0.0, 1.0), (0.0, 2.0))
    points = contour_points(axis)
    assert torch.allclose((points.sum(dim=1) - 1).abs().minimum((points.sum(dim=1) - 2).abs()),
                          torch.zeros(len(points)), atol=1e-6)  # fmt: skip


def test_wrong_arguments_are_named():
    with pytest.raises(ArgumentError) as no_view:
        posterior_views([])
    assert str(no_view.value) == ("posterior_views: views must have at least one entry; got none.")
    flat = dataclasses.replace(view_of_a_gaussian(), density=torch.ones(9))
    with pytest.raises(ShapeError) as not_a_matrix:
        posterior_views([flat])
    assert str(not_a_matrix.value) == (
        "posterior_views: density must have shape (rows, columns); got (9,). Reshape it to the "
        "grid it was computed on."
    )
    with pytest.raises(ShapeError) as swapped:
        ascent_paths(
            torch.ones(3), torch.ones(2), torch.ones(3, 2), {"p": torch.ones(1, 2)},
            xlabel="", ylabel="", levels=[0.0],
        )  # fmt: skip
    assert str(swapped.value) == (
        "ascent_paths: objective must have shape (2, 3), one row per value of y; got (3, 2). "
        "Transpose it if the parameters are swapped."
    )
    message = re.escape("mass_level: share must be between 0 and 1; got 1.")
    with pytest.raises(ArgumentError, match=message):
        mass_level(torch.ones(3), 1)


def test_view_holds_its_gaussians_and_has_the_density_on_its_extent():
    def log_joint(z: torch.Tensor) -> torch.Tensor:
        return -0.5 * ((z - MEAN).square() / VAR).sum(dim=1)

    far = (torch.tensor([3.5, -2.0]), torch.tensor([0.5, 0.5]))
    view = posterior_view("t", torch.rand(8, 8), log_joint, {"exact": (MEAN, VAR), "far": far})
    left, right, bottom, top = view.extent
    assert right - left == pytest.approx(top - bottom)
    for mean, var in view.gaussians.values():
        low, high = mean - 3 * var.sqrt(), mean + 3 * var.sqrt()
        assert left < low[0] < high[0] < right
        assert bottom < low[1] < high[1] < top
    # Rows along z₂: the line drawn from the density must be the exact Gaussian's ellipse. The
    # cells are 0.13 wide here, 0.26 standard deviations of z₁; swapped axes are off by over 1.
    figure = posterior_views([view])
    render(figure)
    assert distance_from_ellipse(figure.axes[1]) < 0.1


def test_view_without_a_gaussian():
    message = (
        "posterior_view: gaussians must have at least one entry; got none. They decide what part "
        "of the plane is shown."
    )
    with pytest.raises(ArgumentError, match=f"^{re.escape(message)}$"):
        posterior_view("t", torch.rand(8, 8), lambda z: z[:, 0], {})
