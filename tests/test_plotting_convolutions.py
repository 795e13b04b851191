"""The convolution figures: the numbers and counts they show are the ones they were given."""

import io
import re
from itertools import product

import pytest
import torch

from gm_course.errors import ArgumentError, ShapeError
from gm_course.plotting.convolutions import feature_maps, number_grids, overlap_patterns


def render(figure):
    """Draw the figure for real; layout and font problems only show then (warnings are errors)."""
    figure.savefig(io.BytesIO(), format="png")


def written(axis):
    return [text.get_text() for text in axis.texts]


def test_number_grids_write_every_entry_row_by_row():
    figure = number_grids(
        {"a": torch.tensor([[1.0, -2.0], [0.5, -0.0]]), "b": torch.zeros(1, 4, dtype=torch.int64)}
    )
    render(figure)
    left, right = figure.axes
    assert (left.get_title(), right.get_title()) == ("a", "b")
    assert written(left) == ["1", "−2", "0.5", "0"]
    assert written(right) == ["0"] * 4
    positions = [text.get_position() for text in left.texts]
    assert positions == [(0, 0), (1, 0), (0, 1), (1, 1)]  # (column, row)


def test_number_grids_pale_zeros():
    axis = number_grids({"a": torch.tensor([[0.0, 3.0]])}).axes[0]
    assert [text.get_color() for text in axis.texts] == ["#AAAAAA", "black"]


def hits_by_enumeration(kernel, stride, padding, inputs):
    """For every output the inputs that write to it, from the definition 0 ≤ n − js < k."""
    size = (inputs - 1) * stride - 2 * padding + kernel
    return [sum(0 <= n + padding - j * stride < kernel for j in range(inputs)) for n in range(size)]


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(4, 2, 1), (5, 2, 2), (3, 2, 0), (2, 3, 0), (6, 1, 3)]
)
def test_overlaps_are_the_enumerated_ones(kernel, stride, padding):
    figure = overlap_patterns([(kernel, stride, padding)], inputs=5)
    render(figure)
    line, plane = figure.axes[:2]
    expected = hits_by_enumeration(kernel, stride, padding, 5)
    assert written(line) == [str(hits) for hits in expected]
    shown = torch.as_tensor(plane.get_images()[0].get_array().data)
    assert shown.tolist() == [[a * b for b in expected] for a in expected]
    # The bars, counted per output, say the same.
    covered = [0] * len(expected)
    for bar in line.patches:
        first = round(bar.get_x() + 0.5)
        for position in range(first, first + round(bar.get_width())):
            covered[position] += 1
    assert covered == expected
    assert line.get_title().endswith(f"5 → {len(expected)}")


def test_overlaps_of_several_settings_have_two_rows():
    settings = [(4, 2, 1), (5, 2, 2), (3, 2, 1)]
    figure = overlap_patterns(settings)
    render(figure)
    titles = [axis.get_title() for axis in figure.axes[:3]]
    assert [title.splitlines()[0] for title in titles] == [
        f"kernel {k}, stride {s}, padding {p}" for k, s, p in settings
    ]
    assert written(figure.axes[1]) == [str(h) for h in hits_by_enumeration(5, 2, 2, 6)]


def test_every_setting_of_the_lectures_explorer_can_be_drawn_or_is_refused():
    for kernel, stride, padding in product((1, 7), (1, 4), (0, 3)):
        if 5 * stride - 2 * padding + kernel < 1:
            with pytest.raises(ArgumentError):
                overlap_patterns([(kernel, stride, padding)])
        else:
            overlap_patterns([(kernel, stride, padding)])


def test_too_much_padding_is_named():
    message = (
        "overlap_patterns: padding must leave at least one output; got kernel=1, stride=1, "
        "padding=3, which leave 0. Take a smaller padding."
    )
    with pytest.raises(ArgumentError, match=f"^{re.escape(message)}$"):
        overlap_patterns([(1, 1, 3)])


def test_feature_maps_are_labelled_in_order():
    figure = feature_maps({"project": (1024, 4), "up_8": (512, 8), "image": (3, 64)})
    render(figure)
    texts = written(figure.axes[0])
    assert texts[0::2] == ["4 × 4\n× 1024", "8 × 8\n× 512", "64 × 64\n× 3"]
    assert texts[1::2] == ["project", "up_8", "image"]


def test_number_grids_need_matrices():
    message = (
        "number_grids: 'x' must have shape (rows, columns); got (1, 1, 3, 3). "
        "Leave out batch and channel dimensions with [0, 0]."
    )
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        number_grids({"x": torch.zeros(1, 1, 3, 3)})
