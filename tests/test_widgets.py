"""Explorers: the picture follows the controls, and what is stored says the same every time."""

import base64
import gc
import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from matplotlib.image import imread

from gm_course import plotting
from gm_course.errors import ArgumentError
from gm_course.plotting.figures import drawing_over
from gm_course.widgets import Explorer, choice, slider, whole_number_slider


def bars(height, colour="black"):
    figure, (axis,) = plotting.new_figure(size=(2, 1.5))
    axis.bar(["height"], [height], color=colour)
    axis.set(ylim=(0, 3))
    return figure


@pytest.fixture
def explorer():
    return Explorer(
        bars,
        height=slider("height (m)", 0, 3, start=1, step=0.1),
        colour=choice("colour", ["black", "red"]),
    )


def shown(explorer):
    """The bytes of the picture, and how much of it is inked."""
    (picture,) = (child for child in explorer.children if hasattr(child, "format"))
    pixels = imread(io.BytesIO(picture.value))
    return picture.value, float((pixels[..., 1] < 0.5).mean())


def message(explorer):
    return explorer.children[-1].value


def test_the_picture_follows_each_control(explorer):
    height, colour = explorer.children[:2]
    first, low = shown(explorer)
    height.value = 2.0
    second, high = shown(explorer)
    assert high > low * 1.3
    colour.value = "red"
    third, _ = shown(explorer)
    assert len({first, second, third}) == 3


def test_the_same_settings_give_the_same_picture(explorer):
    height = explorer.children[0]
    height.value = 2.0
    before, _ = shown(explorer)
    height.value = 0.5
    height.value = 2.0
    assert shown(explorer)[0] == before


def draw_bars(left, right, figure):
    left.bar([0, 1], [2, 1], label="bars")
    left.legend()
    left.invert_yaxis()
    right.text(0.5, 0.5, "text")
    right.set(title="a title", xlabel="x", aspect="equal")
    figure.suptitle("bars")


def draw_image(left, right, figure):
    image = left.imshow(np.eye(3))
    figure.colorbar(image, ax=left)
    left.set_axis_off()
    right.spines[:].set_visible(False)
    right.set_xticks([0, 1], ["no", "yes"])
    figure.suptitle("an image")


def draw_lines(left, right, figure):
    left.semilogy([1, 10, 100], label="line")
    figure.legend(loc="outside lower center")
    right.fill_between([2, 3], [1, 2])
    right.inset_axes((0.5, 0.5, 0.3, 0.3)).plot([1, 2])
    figure.suptitle("lines")


@pytest.mark.parametrize("last", [draw_bars, draw_image, draw_lines])
def test_a_reused_figure_shows_nothing_of_the_one_before(last):
    drawings = [draw_bars, draw_image, draw_lines]

    def picture(figure, axes):
        last(*axes, figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="rgba", dpi=50)
        return np.frombuffer(buffer.getvalue(), np.uint8).astype(int)

    expected = picture(*plotting.new_figure(2, size=(3, 2)))
    figure, axes = plotting.new_figure(2, size=(3, 2))
    for draw in drawings:
        draw(*axes, figure)
        figure.draw_without_rendering()
        with drawing_over(figure):
            again, axes = plotting.new_figure(2, size=(3, 2))
        assert again is figure
    # The layout's solver starts from where panels are and ends within a tenth of a pixel, which
    # shades edges by up to 28 of 255; whatever is left over from another drawing differs by 100.
    assert np.abs(picture(figure, axes) - expected).max() < 64


def test_only_a_figure_of_the_same_panels_is_reused_and_only_once():
    def reused(old, *arguments, **options):
        with drawing_over(old):
            first, _ = plotting.new_figure(*arguments, **options)
            second, _ = plotting.new_figure(*arguments, **options)
        assert second is not old
        return first is old

    old, (axis, _) = plotting.new_figure(2, size=(2, 1.5))
    assert reused(old, 2, size=(2, 1.5))
    assert not reused(old, 2, size=(2, 2))
    assert not reused(old, 1, size=(4, 1.5))
    assert not reused(old, 1, size=(4, 0.75), rows=2)
    axis.bar(["a category"], [1])  # its axis would take numbers for categories
    assert not reused(old, 2, size=(2, 1.5))
    assert plotting.new_figure(2, size=(2, 1.5))[0] is not old


def test_panels_stay_where_they_are_when_labels_change():
    figures = []

    def draw(scale):
        figure, axes = plotting.new_figure(2, size=(2, 1.5))
        for axis in axes:
            axis.plot([0, 10.0**scale])
            axis.set_ylabel("some value")
        figures.append(figure)
        return figure

    explorer = Explorer(draw, scale=whole_number_slider("scale", 0, 6, start=0))
    first = [axis.get_position().bounds for axis in figures[-1].axes]
    explorer.children[0].value = 6
    assert np.allclose([axis.get_position().bounds for axis in figures[-1].axes], first)


@pytest.mark.parametrize(
    ("side", "longest"), [("y", "1,000"), ("y", "1,000,000,000"), ("x", "1,000,000,000")]
)
def test_panels_make_room_for_labels_that_have_grown(side, longest):
    figures = []

    def draw(size):
        figure, (axis,) = plotting.new_figure(size=(3, 1.5))
        axis.set(ylabel="some value", **{f"{side}ticks": [0, 1]})
        axis.set(**{f"{side}ticklabels": ["0", "1" if size == 0 else longest]})
        figures.append(figure)
        return figure

    explorer = Explorer(draw, size=whole_number_slider("size", 0, 1, start=0))
    explorer.children[0].value = 1
    figure = figures[-1]
    (axis,) = figure.axes
    # The corners (x, y) of what must be seen, in pixels.
    for text in (axis.yaxis.label, *axis.get_xticklabels(), *axis.get_yticklabels()):
        corners = text.get_window_extent().get_points()
        assert (corners >= 0).all()
        assert (corners <= figure.bbox.size).all()
    assert message(explorer) == ""


def test_a_label_is_not_pushed_over_the_panel_beside_it():
    figures = []

    def draw(size):
        figure, (_, right) = plotting.new_figure(2, size=(3, 1.5))
        right.set(ylabel="some value", yticks=[0, 1])
        right.set_yticklabels(["0", "1" if size == 0 else "1,000,000"])
        figures.append(figure)
        return figure

    explorer = Explorer(draw, size=whole_number_slider("size", 0, 1, start=0))
    explorer.children[0].value = 1
    left, right = figures[-1].axes
    assert right.yaxis.label.get_window_extent().x0 > left.bbox.x1
    assert message(explorer) == ""


def test_a_figure_of_another_size_is_drawn_whole():
    def draw(columns):
        figure, axes = plotting.new_figure(columns, size=(2, 1.5))
        axes[-1].fill([0, 1, 1, 0], [0, 0, 1, 1], color="black")
        return figure

    explorer = Explorer(draw, columns=whole_number_slider("columns", 1, 3, start=1))
    (picture,) = (child for child in explorer.children if hasattr(child, "format"))
    for columns in (3, 1, 2):
        explorer.children[0].value = columns
        pixels = imread(io.BytesIO(picture.value))
        assert pixels.shape == (165, 220 * columns, 4)  # 110 pixels per inch
        last_panel = pixels[:, -220:, 1]
        assert (last_panel < 0.5).mean() > 0.3


def test_an_error_is_shown_and_the_last_picture_stays():
    def draw(x):
        if x == 2:
            raise ZeroDivisionError("no such height")
        return bars(x)

    explorer = Explorer(draw, x=whole_number_slider("x", 1, 3, start=1))
    before, _ = shown(explorer)
    explorer.children[0].value = 2
    assert message(explorer) == "ZeroDivisionError: no such height"
    assert shown(explorer)[0] == before
    explorer.children[0].value = 3
    assert message(explorer) == ""
    assert shown(explorer)[0] != before


def test_two_threads_may_draw_at_once(explorer):
    alone = explorer._png()
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda _: explorer._png(), range(20)))
    assert set(together) == {alone}


@pytest.mark.parametrize("x", [2, 3])
def test_garbage_is_collected_again_after_a_picture_or_an_error(x):
    def draw(x):
        is_collecting.append(gc.isenabled())
        if x == 2:
            raise ZeroDivisionError("no such height")
        return bars(x)

    is_collecting = []
    explorer = Explorer(draw, x=whole_number_slider("x", 1, 3, start=1))
    explorer.children[0].value = x
    assert is_collecting == [True, False]
    assert gc.isenabled()


def test_an_error_at_the_start_is_raised():
    with pytest.raises(ZeroDivisionError):
        Explorer(lambda x: 1 / 0, x=whole_number_slider("x", 1, 3, start=1))


def test_what_a_notebook_stores(explorer):
    bundle = explorer._repr_mimebundle_()
    assert bundle["text/plain"] == "explorer with 2 controls: height (m), colour"
    assert base64.b64decode(bundle["image/png"]) == shown(explorer)[0]
    assert "model_id" in bundle["application/vnd.jupyter.widget-view+json"]


def test_controls():
    height = slider("height (m)", 0, 3, start=1, step=0.25)
    assert (height.min, height.max, height.value, height.step) == (0, 3, 1, 0.25)
    assert height.readout_format == ".2f"
    assert slider("x", -5, 5, start=0, step=1).readout_format == ".0f"
    assert choice("loss", [("the first", 1), ("the second", 2)]).value == 1


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: slider("x", 0, 1, start=2, step=0.1),
            "slider: low ≤ start ≤ high and 0 < step ≤ high - low must hold; got low=0, start=2, "
            "high=1, step=0.1.",
        ),
        (
            lambda: whole_number_slider("x", 3, 3, start=3),
            "whole_number_slider: low ≤ start ≤ high must hold, with low < high; got low=3, "
            "start=3, high=3.",
        ),
        (lambda: choice("x", []), "choice: options must have at least one entry; got none."),
        (lambda: Explorer(bars), "Explorer: controls must name at least one; got none."),
    ],
)
def test_bad_controls(make, text):
    with pytest.raises(ArgumentError) as caught:
        make()
    assert str(caught.value) == text
