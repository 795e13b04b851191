"""Pictures of the bound: what is drawn is what was computed, at the right place."""

import io
import math

import pytest
import torch
from matplotlib.figure import Figure

from gm_course.errors import ShapeError
from gm_course.plotting import bounds


def render(figure: Figure) -> None:
    """Draw the figure for real; layout and font problems only show then (warnings are errors)."""
    figure.savefig(io.BytesIO(), format="png")


def texts(axis) -> set[str]:
    return {text.get_text() for text in axis.texts}


def split_figure(elbo: list[float], *, log_evidence: float = -2.0) -> Figure:
    z = torch.linspace(-5, 5, 101)
    density = torch.exp(-0.5 * z.square())
    return bounds.evidence_split(
        z, prior=density, posterior=0.5 * density,
        variational={f"{letter}: guess": 0.1 * density for letter in "ABC"[: len(elbo)]},
        elbo=elbo, log_evidence=log_evidence, depth=4.0,
    )  # fmt: skip


def test_bars_of_elbo_and_kl_always_end_at_the_evidence():
    figure = split_figure([-2.5, -5.0, -100.0])
    render(figure)
    *panels, bars = figure.axes
    assert len(panels) == 3
    plain, hatched = bars.patches[::2], bars.patches[1::2]
    # The edge is at -2 - 4 = -6; an ELBO below it leaves no plain part.
    tops = [bar.get_y() + bar.get_height() for bar in plain]
    assert tops == [-2.5, -5.0, -6.0]
    assert [bar.get_y() for bar in plain] == [-6.0] * 3
    assert [bar.get_y() for bar in hatched] == tops
    assert [bar.get_y() + bar.get_height() for bar in hatched] == [-2.0] * 3
    assert {"KL\n0.50", "KL\n3.00", "KL\n98.00", "ELBO\n−100.00"} <= texts(bars)
    assert [label.get_text() for label in bars.get_xticklabels()] == ["A", "B", "C"]
    # Killer: drawing the KL from the floor would put it at another height.
    assert hatched[0].get_height() == 0.5


def test_rounding_above_the_evidence_draws_no_negative_kl():
    figure = split_figure([-2.0 + 1e-12])
    bars = figure.axes[-1]
    assert bars.patches[1].get_height() == 0
    assert "KL\n0.00" in texts(bars)


def test_the_curves_are_the_densities_inside_the_view():
    panel = split_figure([-2.5]).axes[0]
    prior, posterior, q = (torch.as_tensor(line.get_ydata()) for line in panel.get_lines())
    assert prior.max() == 1
    assert posterior.max() == 0.5
    assert q.max() == pytest.approx(0.1)  # float32
    assert panel.get_lines()[0].get_xdata().min() == -3.5


def test_the_chord_shows_jensen():
    q = torch.tensor([0.25, 0.75], dtype=torch.float64)
    weights = torch.tensor([4.0, 1.0], dtype=torch.float64)
    figure = bounds.jensen_chords({"two": (q, weights)})
    render(figure)
    axis = figure.axes[0]
    _, chord, gap, square, diamond = axis.get_lines()
    # E[w] = 1 + 0.75 = 1.75 and E[log w] = 0.25 log 4.
    assert chord.get_xdata().tolist() == [4.0, 1.0]
    assert (square.get_xdata()[0], square.get_ydata()[0]) == (1.75, math.log(1.75))
    assert diamond.get_xdata()[0] == 1.75
    assert diamond.get_ydata()[0] == pytest.approx(0.25 * math.log(4), abs=1e-15)
    assert list(gap.get_ydata()) == [diamond.get_ydata()[0], square.get_ydata()[0]]
    # Killer: the unweighted middle of the chord is another point.
    assert diamond.get_ydata()[0] != pytest.approx(0.5 * math.log(4))
    assert texts(axis) == {"z = 1", "z = 2"}


def test_merged_weights_share_one_label():
    half = torch.tensor([0.5, 0.5])
    figure = bounds.jensen_chords({"posterior": (half, torch.tensor([0.2, 0.2]))})
    render(figure)
    assert "z = 1 and 2" in texts(figure.axes[0])


def test_quadratic_gaps_lie_on_their_lines():
    errors = torch.tensor([0.1, 0.2, 0.4])
    figure = bounds.quadratic_gaps(errors, {"mean": [0.02, 0.08]}, factors=[2.0])
    render(figure)
    line, marks = figure.axes[0].get_lines()
    assert line.get_ydata() == pytest.approx([0.02, 0.08, 0.32])  # 2 t²
    assert marks.get_xydata() == pytest.approx(line.get_xydata()[:2])
    assert figure.axes[0].get_xscale() == figure.axes[0].get_yscale() == "log"


def test_the_staircase_follows_the_path_and_its_bounds_touch():
    theta = torch.linspace(0, 2, 5, dtype=torch.float64)  # step 0.5
    a = torch.linspace(0, 2, 9, dtype=torch.float64)  # step 0.25
    log_likelihood = -(theta - 1).square()
    elbo = log_likelihood - (theta - a[:, None]).square()  # row: a, column: theta
    path = [(0.5, 2.0), (0.5, 0.5), (1.0, 0.5), (1.0, 1.0)]
    figure = bounds.ascent_staircase(
        theta, a, elbo, path=path, log_likelihood=log_likelihood, labels=("theta", "a")
    )
    render(figure)
    left, right = figure.axes
    segments = [list(zip(*line.get_data(), strict=True)) for line in left.get_lines()[1:4]]
    assert segments == [path[0:2], path[1:3], path[2:4]]
    e_step, m_step, again = (line.get_color() for line in left.get_lines()[1:4])
    assert e_step == again != m_step
    curve, first_bound, first_dot, second_bound, second_dot = right.get_lines()
    assert curve.get_ydata().tolist() == log_likelihood.tolist()
    assert first_bound.get_ydata().tolist() == elbo[2].tolist()  # a = 0.5
    assert second_bound.get_ydata().tolist() == elbo[4].tolist()  # a = 1.0
    # E-steps ended at θ = 0.5 and 1.0, where the log-likelihood is -0.25 and 0.
    assert (first_dot.get_xdata()[0], first_dot.get_ydata()[0]) == (0.5, -0.25)
    assert (second_dot.get_xdata()[0], second_dot.get_ydata()[0]) == (1.0, 0.0)
    assert (left.get_xlabel(), left.get_ylabel()) == ("theta", "a")


def test_ellipses_lie_two_standard_deviations_out():
    cov = torch.tensor([[2.0, 0.9], [0.9, 0.5]], dtype=torch.float64)
    reverse, marginal = torch.tensor([0.3, 0.1], dtype=torch.float64), cov.diagonal()
    figure = bounds.posterior_ellipses({"one": (cov, reverse, marginal)})
    render(figure)
    lines = figure.axes[0].get_lines()
    for line, expected in zip(lines, (cov, reverse.diag(), marginal.diag()), strict=True):
        points = torch.as_tensor(line.get_xydata())  # (n, 2)
        squared = (points @ torch.linalg.inv(expected) * points).sum(dim=1)
        # float64 with a condition number below 50
        torch.testing.assert_close(squared, torch.full_like(squared, 4.0), rtol=1e-12, atol=0)
        # Killer: the covariance in place of its root would give other distances.
        wrong = (points @ torch.linalg.inv(expected @ expected) * points).sum(dim=1)
        assert (wrong - 4).abs().max() > 0.1


def test_maxima_are_marked_where_they_are():
    theta = torch.linspace(0, 2, 21, dtype=torch.float64)
    objectives = {"likelihood": -(theta - 1).square(), "bound": -(theta - 1.5).square() - 0.3}
    figure = bounds.objectives_with_maxima(
        {"left": (theta, objectives), "right": (theta, objectives)}, truths=(1.0, 0.5), depth=1.0
    )
    render(figure)
    assert [axis.get_title() for axis in figure.axes] == ["left", "right"]
    for axis, truth in zip(figure.axes, (1.0, 0.5), strict=True):
        line, *curves = axis.get_lines()
        assert set(line.get_xdata()) == {truth}
        # Index 10 is θ = 1.0 and index 15 is θ = 1.5.
        assert [curve.get_markevery() for curve in curves] == [[10], [15]]


def test_wrong_shapes_are_named():
    z = torch.linspace(-1, 1, 5)
    with pytest.raises(ShapeError) as wrong:
        bounds.evidence_split(
            z, prior=z, posterior=z[:4], variational={"q": z}, elbo=[0.0], log_evidence=0.0
        )
    assert str(wrong.value) == (
        "evidence_split: z and posterior must have the same shape; got z (5,), posterior (4,). "
        "Nothing is broadcast here: expand the smaller one yourself if that is meant."
    )
    with pytest.raises(ShapeError) as wrong:
        bounds.evidence_split(
            z, prior=z, posterior=z, variational={"q": z}, elbo=[0.0, 1.0], log_evidence=0.0
        )
    assert str(wrong.value) == (
        "evidence_split: elbo must have one value per q; got 2 values for 1 q. "
        "Compute the ELBO of each."
    )
    with pytest.raises(ShapeError) as wrong:
        bounds.jensen_chords({"three": (torch.ones(3), torch.ones(3))})
    assert str(wrong.value) == (
        "jensen_chords: q and weights must have shape (2,); got (3,) and (3,). "
        "The chord joins two points."
    )
    with pytest.raises(ShapeError) as wrong:
        bounds.ascent_staircase(
            z, z[:3], torch.zeros(5, 3), path=[(0, 0)], log_likelihood=z, labels=("", "")
        )
    assert str(wrong.value) == (
        "ascent_staircase: elbo must have one row per q parameter and one column per theta, "
        "shape (3, 5); got (5, 3). Transpose it."
    )
