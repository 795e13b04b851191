"""Figures of plans, potentials and critics: they show what they were given."""

import io

import pytest
import torch
from matplotlib.figure import Figure

from gm_course.plotting.transport import (
    coupling_matrices,
    critic_surfaces,
    distance_on_a_line,
    transport_moves,
)


def render(figure: Figure) -> None:
    """Draw the figure for real; layout and font problems only show then (warnings are errors)."""
    figure.savefig(io.BytesIO(), format="png")


def points(n: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 2, generator=generator, dtype=torch.float64)


def test_moves_are_lines_as_wide_as_their_mass():
    x, y = points(2, 0), points(3, 1)
    sparse = torch.tensor([[0.5, 0.0, 0.0], [0.0, 0.25, 0.25]])
    figure = transport_moves(x, y, {"few": sparse, "all": torch.full((2, 3), 1 / 6)})
    render(figure)
    few, everything = figure.axes
    assert [axis.get_title() for axis in figure.axes] == ["few", "all"]
    assert len(everything.get_lines()) == 6
    first, second, third = few.get_lines()
    assert first.get_xydata().tolist() == [x[0].tolist(), y[0].tolist()]
    assert third.get_xydata().tolist() == [x[1].tolist(), y[2].tolist()]
    # Widths compare across panels: half the mass, half the width.
    assert second.get_linewidth() == pytest.approx(first.get_linewidth() / 2)
    assert everything.get_lines()[0].get_linewidth() == pytest.approx(first.get_linewidth() / 3)


def test_matrices_have_discs_where_mass_moves_and_their_sums_at_the_sides():
    p, q = torch.tensor([0.25, 0.75]), torch.tensor([0.5, 0.25, 0.25])
    plan = torch.tensor([[0.25, 0.0, 0.0], [0.25, 0.25, 0.25]])
    figure = coupling_matrices(p, q, {"plan": plan, "independent": torch.outer(p, q)})
    render(figure)
    axis = figure.axes[0]
    (discs,) = axis.collections
    assert discs.get_offsets().tolist() == [[0, 0], [0, 1], [1, 1], [2, 1]]  # (column, row)
    top, side = axis.child_axes
    assert [bar.get_height() for bar in top.patches] == q.tolist()
    assert [bar.get_width() for bar in side.patches] == p.tolist()
    assert top.get_title() == "plan"
    assert axis.yaxis_inverted()  # row 0 on top, as in the matrix


def test_line_shows_plan_potential_and_stairs():
    x, y = torch.tensor([1.0, 0.0]), torch.tensor([3.0, 2.0])  # not in ascending order
    p, q = torch.tensor([0.75, 0.25]), torch.tensor([0.5, 0.5])
    plan = torch.tensor([[0.5, 0.25], [0.0, 0.25]])
    figure = distance_on_a_line(x, y, p, q, plan=plan, on_x=3 - x, on_y=3 - y)
    render(figure)
    moves, potential, stairs = figure.axes
    # Two bars for each side, and three arrows.
    assert len(moves.patches) == 4 + 3
    heights = [bar.get_height() for bar in moves.patches[:4]]
    assert heights == [0.75, 0.25, -0.5, -0.5]
    curve = potential.get_lines()[0]
    assert curve.get_xydata().tolist() == [[0, 3], [1, 2], [2, 1], [3, 0]]
    left, right = stairs.get_lines()
    assert left.get_xydata().tolist() == [[-0.5, 0], [0, 0.25], [1, 1], [3.5, 1]]
    assert right.get_xydata().tolist() == [[-0.5, 0], [2, 0.5], [3, 1], [3.5, 1]]


def test_shaded_area_is_the_distance():
    x, y = torch.tensor([1.0, 0.0]), torch.tensor([3.0, 2.0])
    p, q = torch.tensor([0.75, 0.25]), torch.tensor([0.5, 0.5])
    plan = torch.tensor([[0.5, 0.25], [0.0, 0.25]])
    figure = distance_on_a_line(x, y, p, q, plan=plan, on_x=3 - x, on_y=3 - y)
    (shaded,) = figure.axes[2].collections
    outline = torch.tensor(shaded.get_paths()[0].vertices)
    across, up = outline[:, 0], outline[:, 1]
    # Gauss's formula for the area of a polygon. W is the difference of the means, 2.5 - 0.75.
    area = (across * up.roll(-1) - across.roll(-1) * up).sum().abs() / 2
    assert float(area) == pytest.approx(1.75)


def test_surfaces_are_centred_and_oriented():
    real, fake = points(5, 2), points(4, 3)
    tilted = {"up": lambda x: 100 + x[:, 1], "right": lambda x: 7 + 2 * x[:, 0]}
    figure = critic_surfaces(tilted, real=real, fake=fake, reach=3, notes={"up": "slope 1"})
    render(figure)
    up, right = figure.axes[:2]
    assert up.get_xlabel() == "$x_1$\nslope 1"
    assert right.get_xlabel() == "$x_1$"
    assert up.collections[1].get_offsets().tolist() == real.tolist()
    for axis, steepness in ((up, 1), (right, 2)):
        contours = axis.collections[0]
        # From −3 to 3 times the slope, centred: f + constant is the same critic.
        assert contours.zmin == pytest.approx(-3 * steepness)
        assert contours.zmax == pytest.approx(3 * steepness)
    # The contours of the first are horizontal: each spans the whole width.
    path = up.collections[0].get_paths()[3].vertices
    assert (path[:, 0].min(), path[:, 0].max()) == (-3, 3)
    assert path[:, 1].max() - path[:, 1].min() < 1
