"""The picture of both players: the points and the surface it was given, the right way up."""

import io

import pytest
import torch

from gm_course.errors import ShapeError
from gm_course.plotting.players import Scene, View, players

VIEW = View((-1.0, 2.0), (0.0, 1.0))
DATA = torch.tensor([[0.0, 0.5], [1.0, 0.25]])


def scene(samples: torch.Tensor | None = None, size: int = 4) -> Scene:
    belief = VIEW.points(size)[..., 1]  # D grows upwards, from 0 to 1
    return Scene(torch.tensor([[-0.5, 0.75]]) if samples is None else samples, belief)


def test_view_points_run_from_the_lower_left_corner():
    points = VIEW.points(3)
    assert points.shape == (3, 3, 2)
    assert points[0, 0].tolist() == [-1.0, 0.0]
    assert points[0, -1].tolist() == [2.0, 0.0]  # a row keeps x2
    assert points[-1, 0].tolist() == [-1.0, 1.0]


def test_panels_hold_data_samples_and_surface():
    figure = players({"before": scene(), "after": scene()}, DATA, view=VIEW)
    figure.savefig(io.BytesIO(), format="png")  # layout problems only show then
    before, after, bar = figure.axes
    assert (before.get_title(), after.get_title()) == ("before", "after")
    assert (before.get_ylabel(), after.get_ylabel()) == ("$x_2$", "")
    assert before.get_xlabel() == after.get_xlabel() == "$x_1$"
    assert bar.get_ylabel() == "$D(x)$, probability of real"
    real, fake = before.collections
    assert real.get_offsets().tolist() == DATA.tolist()
    assert fake.get_offsets().tolist() == [[-0.5, 0.75]]
    (surface,) = before.get_images()
    # The killer: a surface drawn upside down would hold the same numbers; its origin tells.
    assert surface.origin == "lower"
    assert surface.get_array()[0].tolist() == [0.0] * 4
    assert surface.get_extent() == [-1.0, 2.0, 0.0, 1.0]
    assert surface.get_clim() == (0, 1)  # D = 1/2 is white in every panel


def test_a_last_row_that_is_not_full_leaves_its_panels_out():
    figure = players({str(i): scene() for i in range(3)}, DATA, view=VIEW, columns=2)
    figure.savefig(io.BytesIO(), format="png")
    assert [axis.get_visible() for axis in figure.axes[:4]] == [True, True, True, False]
    assert figure.axes[1].get_xlabel() == "$x_1$"  # nothing is drawn below it


def test_points_outside_the_plane_are_refused():
    with pytest.raises(ShapeError) as caught:
        players({"now": scene(torch.zeros(5, 3))}, DATA, view=VIEW)
    assert str(caught.value) == (
        "players: samples of 'now' must have shape (n, 2); got (5, 3). Only points in the plane "
        "can be drawn."
    )
    with pytest.raises(ShapeError, match=r"data must have shape \(n, 2\); got \(2,\)"):
        players({"now": scene()}, DATA[0], view=VIEW)


def test_a_belief_that_is_no_matrix_is_refused():
    flat = Scene(DATA, torch.zeros(16))
    with pytest.raises(ShapeError) as caught:
        players({"now": flat}, DATA, view=VIEW)
    assert str(caught.value) == (
        "players: belief of 'now' must have shape (size, size); got (16,). Evaluate D at "
        "view.points()."
    )
