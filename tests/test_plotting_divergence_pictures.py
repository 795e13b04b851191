"""Figures of lecture 8 hold the data they were given."""

import io
import math

import pytest
import torch

from gm_course.errors import ShapeError
from gm_course.plotting.divergence_pictures import (
    Separation,
    gaussian_fits,
    sample_snapshots,
    separation_panels,
)


def render(figure):
    figure.savefig(io.BytesIO(), format="png")


def case(theta=0.5):
    thetas = torch.linspace(-1, 1, 5)
    curves = {"JS": thetas.square(), "KL": torch.full((5,), math.inf), "W": thetas.abs()}
    slopes = {"JS": 2 * thetas, "KL": torch.full((5,), math.nan), "W": thetas.sign()}
    x = torch.linspace(-2, 2, 9)
    return Separation(
        f"θ = {theta}", x, (-x.square()).exp(), x.exp(), theta, thetas, curves, slopes
    )


def test_separation_panels_show_curves_slopes_and_the_current_separation():
    figure = separation_panels([case(0.5), case(-1.0)])
    render(figure)
    assert len(figure.axes) == 6
    for row, theta in enumerate((0.5, -1.0)):
        densities, values, slopes = figure.axes[3 * row : 3 * row + 3]
        assert densities.get_title() == f"θ = {theta}"
        assert len(densities.collections) == 2
        js, _, w, mark = values.get_lines()
        assert js.get_ydata().tolist() == case().divergences["JS"].tolist()
        assert w.get_ydata().tolist() == case().divergences["W"].tolist()
        assert set(mark.get_xdata()) == {theta}
        assert slopes.get_lines()[0].get_ydata().tolist() == case().slopes["JS"].tolist()
        assert [t.get_text() for t in slopes.get_legend().get_texts()] == ["JS", "KL", "W"]


def test_gaussian_fits_draw_ellipses_of_one_and_two_standard_deviations():
    grid = torch.linspace(-3, 3, 31, dtype=torch.float64)
    density = (-grid.square()[:, None] - grid.square()).exp()
    mean = torch.tensor([0.5, -1.0], dtype=torch.float64)
    cov = torch.tensor([[1.0, 0.3], [0.3, 0.5]], dtype=torch.float64)
    figure = gaussian_fits(grid, density, {"first": (mean, cov), "second": (0 * mean, cov)})
    render(figure)
    assert [axis.get_title() for axis in figure.axes] == ["first", "second"]
    one, two, centre = figure.axes[0].get_lines()
    assert (centre.get_xdata()[0], centre.get_ydata()[0]) == (0.5, -1.0)
    for radius, line in ((1, one), (2, two)):
        offsets = torch.tensor([line.get_xdata().tolist(), line.get_ydata().tolist()]).double()
        offsets -= mean[:, None]
        # Every point of the ellipse has Mahalanobis distance radius; float32 input, so 1e-5.
        distance = (offsets * torch.linalg.solve(cov, offsets)).sum(dim=0).sqrt()
        assert (distance - radius).abs().max() < 1e-5


def test_sample_snapshots_place_runs_in_rows_and_times_in_columns():
    runs = {"one": torch.zeros(3, 4, 2), "two": torch.ones(3, 4, 2)}
    figure = sample_snapshots(runs, torch.eye(2), times=(5, 10, 15))
    render(figure)
    titles = [axis.get_title() for axis in figure.axes[:3]]
    assert titles == ["iteration 5", "iteration 10", "iteration 15"]
    assert [figure.axes[k].get_ylabel() for k in (0, 3)] == ["one", "two"]
    centres, samples = figure.axes[4].collections
    assert centres.get_offsets().tolist() == torch.eye(2).tolist()
    assert samples.get_offsets().tolist() == torch.ones(4, 2).tolist()


def test_wrong_shapes_are_named():
    with pytest.raises(ShapeError) as error:
        gaussian_fits(torch.linspace(0, 1, 3), torch.zeros(9), {})
    assert str(error.value) == (
        "gaussian_fits: density must have shape (3, 3), as the grid; got (9,). "
        "Reshape it, the second coordinate along the rows."
    )
    with pytest.raises(ShapeError) as error:
        sample_snapshots({"run": torch.zeros(2, 4, 2)}, torch.eye(2), times=(1, 2, 3))
    assert str(error.value) == (
        "sample_snapshots: 'run' must have 3 snapshots, one per time; got shape (2, 4, 2). "
        "Select the same times from every run."
    )
