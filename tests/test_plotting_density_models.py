"""Figures of the first lecture: they show the data and the model they were given."""

import io
import math

import pytest
import torch
from matplotlib.figure import Figure

from gm_course.em import FullGaussianMixture
from gm_course.errors import ArgumentError
from gm_course.plotting import density_models


def render(figure: Figure) -> None:
    """Draw the figure for real; layout and font problems only show then (warnings are errors)."""
    figure.savefig(io.BytesIO(), format="png")


def seeded():
    return torch.Generator().manual_seed(0)


def mixture(components=2):
    means = torch.arange(2 * components).double().reshape(components, 2) / components
    eye = torch.eye(2).double().expand(components, 2, 2)
    return FullGaussianMixture(torch.full((components,), 1 / components).double(), means, eye)


def test_gaussian_fits_state_the_log_likelihood():
    values = torch.tensor([-1.0, 1.0, -1.0, 1.0]).double()
    figure = density_models.gaussian_fits(values, [(0.0, 1.0), (0.0, 1e-3)], bins=4, xlabel="x (m)")
    render(figure)
    left, right = figure.axes
    # All values are one standard deviation away: -log(2π)/2 - 1/2.
    assert left.get_title() == f"−{0.5 * math.log(2 * math.pi) + 0.5:.2f} nats per image"
    assert "−499994" in right.get_title()  # finite, although the density rounds to zero
    assert left.get_ylim() == right.get_ylim()
    assert left.get_xlabel() == "x (m)"


def test_mixture_panels_show_every_point_once_and_ellipses_in_place():
    x = torch.randn(50, 2, generator=seeded()).double()
    figure = density_models.mixture_panels(x, {"a": mixture(), "b": mixture(3)})
    render(figure)
    for axis, components in zip(figure.axes, (2, 3), strict=True):
        assert sum(len(points.get_offsets()) for points in axis.collections) == 50
        assert len(axis.get_lines()) == 2 * components
    inner, outer = figure.axes[0].get_lines()[2:4]  # of component 2, mean (1, 1.5), identity
    for line, radius in ((inner, 1), (outer, 2)):
        distance = (line.get_xdata() - 1.0) ** 2 + (line.get_ydata() - 1.5) ** 2
        assert abs(distance - radius**2).max() < 1e-9


def test_too_many_components_are_refused():
    with pytest.raises(ArgumentError) as caught:
        density_models.mixture_panels(torch.zeros(3, 2).double(), {"": mixture(7)})
    assert str(caught.value) == (
        "plotting: a mixture must have at most 6 components to be told apart; got 7. "
        "Fit a smaller one."
    )


def test_em_progress_marks_the_step():
    x = torch.randn(20, 2, generator=seeded()).double()
    figure = density_models.em_progress(x, [mixture()] * 4, [-3.0, -2.5, -2.25, -2.0], 2)
    render(figure)
    left, right = figure.axes
    assert left.get_title() == "step 2"
    assert right.get_lines()[0].get_ydata().tolist() == [-3.0, -2.5, -2.25, -2.0]
    assert right.get_lines()[1].get_xydata().tolist() == [[2.0, -2.25]]


def test_estimate_ratios_draw_the_median():
    ratios = torch.tensor([[1.0, 0.1], [2.0, 0.2], [9.0, 0.9]]).double()
    figure = density_models.estimate_ratios([1, 2], ratios, xlabel="d", ylabel="ratio")
    render(figure)
    assert figure.axes[0].get_lines()[0].get_ydata().tolist() == pytest.approx([2.0, 0.2])


def test_pushforwards_draw_the_map_over_sorted_noise():
    noise = torch.rand(100, generator=seeded()).double()
    figure = density_models.pushforwards(
        {"uniform": noise}, {"uniform": lambda u: 2 * u}, density=lambda x: 0 * x + 0.5,
        limits=(0.0, 2.0),
    )  # fmt: skip
    render(figure)
    line = figure.axes[1].get_lines()[0]
    assert (line.get_ydata() == 2 * line.get_xdata()).all()
    assert line.get_xdata().tolist() == sorted(noise.tolist())
    assert figure.axes[0].get_xlabel() == "uniform noise z"


def test_class_boundaries_pass_through_the_middle_of_equal_classes():
    pair = FullGaussianMixture(
        torch.full((2,), 0.5).double(),
        torch.tensor([[-1.0, 0.0], [1.0, 0.0]]).double(),
        torch.eye(2).double().expand(2, 2, 2),
    )
    figure = density_models.class_boundaries({"a": pair}, count=30, generator=seeded())
    render(figure)
    boundary = figure.axes[0].collections[1].get_paths()[0].vertices
    # The grid's step is 9/119; linear interpolation of a symmetric function is exact at 0.
    assert abs(boundary[:, 0]).max() < 1e-6


def test_learning_curves_draw_means_with_two_standard_errors():
    curves = {"toys": {"a": {10: [0.5, 0.7], 100: [0.9]}}}
    figure = density_models.learning_curves(curves, limits={"toys": 0.95})
    render(figure)
    (axis,) = figure.axes
    mean_line, *_ = axis.get_lines()
    assert mean_line.get_ydata().tolist() == pytest.approx([0.6, 0.9])
    (low, high), _ = axis.collections[0].get_segments()
    # Two draws 0.2 apart: standard deviation 0.1·√2, standard error 0.1, so 0.6 ± 0.2.
    assert [low[1], high[1]] == pytest.approx([0.4, 0.8])
    assert axis.get_xscale() == "log"


def test_outlier_scores_name_the_groups_once():
    scores = {"real": (torch.zeros(5), torch.ones(5)), "noise": (torch.ones(5), torch.zeros(5))}
    figure = density_models.outlier_scores(scores, labels=("first (nats)", "second"))
    render(figure)
    left, right = figure.axes
    assert [text.get_text() for text in left.get_yticklabels()] == ["real", "noise"]
    assert (left.get_xlabel(), right.get_xlabel()) == ("first (nats)", "second")
    assert left.yaxis_inverted()
