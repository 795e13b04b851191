"""Both players of a GAN in the plane: data, samples, and what the discriminator believes."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from torch import Tensor

from gm_course.errors import ShapeError
from gm_course.plotting.figures import new_figure

REAL, FAKE = "#1F3F6B", "#A3243B"
"""Colours of real and of generated points; the markers differ, too."""

# Tints of the two colours: where D is near 0 the plane is reddish, near 1 bluish.
_BELIEF = LinearSegmentedColormap.from_list("belief", ["#F4A6A0", "#FFFFFF", "#9CC2E8"])


@dataclass(frozen=True)
class View:
    """The part of the plane that a picture shows.

    Attributes:
        x1: Smallest and largest first coordinate.
        x2: Smallest and largest second coordinate.
    """

    x1: tuple[float, float]
    x2: tuple[float, float]

    def points(self, size: int = 50) -> Tensor:
        """Return a grid of points, shape (size, size, 2), float64; row 0 is the smallest x2.

        Example:
            >>> View((0, 1), (0, 2)).points(2)[0]
            tensor([[0., 0.],
                    [1., 0.]], dtype=torch.float64)
        """
        columns = torch.linspace(*self.x1, size, dtype=torch.float64)
        rows = torch.linspace(*self.x2, size, dtype=torch.float64)
        x2, x1 = torch.meshgrid(rows, columns, indexing="ij")
        return torch.stack([x1, x2], dim=-1)


@dataclass(frozen=True)
class Scene:
    """One moment of a training.

    Attributes:
        samples: Generated points, shape (n, 2).
        belief: D at the view's points, between 0 and 1, shape (size, size), row 0 below.
    """

    samples: Tensor
    belief: Tensor


def players(
    scenes: Mapping[str, Scene],
    data: Tensor,
    *,
    view: View,
    columns: int = 4,
    width: float = 2.7,
) -> Figure:
    """Draw scenes side by side: data, samples, and the discriminator's belief D as a surface.

    Args:
        scenes: Scenes by their titles.
        data: Real points, shape (m, 2), drawn in every panel.
        view: What the panels show.
        columns: Panels in a row.
        width: Width of a panel in inches.

    Raises:
        ShapeError: If points are not (n, 2), or a belief is not a matrix.
    """
    named = {"data": data} | {f"samples of {k!r}": s.samples for k, s in scenes.items()}
    for name, value in named.items():
        if value.ndim != 2 or value.shape[1] != 2:
            raise ShapeError(
                f"players: {name} must have shape (n, 2); got {tuple(value.shape)}. Only points "
                "in the plane can be drawn."
            )
    for title, scene in scenes.items():
        if scene.belief.ndim != 2:
            raise ShapeError(
                f"players: belief of {title!r} must have shape (size, size); got "
                f"{tuple(scene.belief.shape)}. Evaluate D at view.points()."
            )
    columns = min(columns, len(scenes))
    rows = -(-len(scenes) // columns)
    height = width * (view.x2[1] - view.x2[0]) / (view.x1[1] - view.x1[0])
    figure, axes = new_figure(columns, rows=rows, size=(width + 0.25, height + 0.55))
    for axis, (title, scene) in zip(axes, scenes.items(), strict=False):
        surface = axis.imshow(
            scene.belief.detach().cpu().numpy(), origin="lower", extent=(*view.x1, *view.x2),
            cmap=_BELIEF, vmin=0, vmax=1, interpolation="bilinear", aspect="equal",
        )  # fmt: skip
        for points, colour, marker, size, name in (
            (data, REAL, "o", 7, "data"),
            (scene.samples, FAKE, "^", 10, "samples of G"),
        ):
            x1, x2 = points.detach().cpu().T
            axis.scatter(x1, x2, s=size, color=colour, marker=marker, alpha=0.6, linewidths=0,
                         label=name)  # fmt: skip
        axis.set(title=title, xlim=view.x1, ylim=view.x2)
        axis.grid(visible=False)
    for axis in axes[len(scenes) :]:
        axis.set_visible(False)
    for index, axis in enumerate(axes[: len(scenes)]):
        if index % columns == 0:
            axis.set_ylabel("$x_2$")
        if index + columns >= len(scenes):
            axis.set_xlabel("$x_1$")
    bar = figure.colorbar(surface, ax=axes, shrink=0.9, aspect=25 * rows)
    bar.set_label("$D(x)$, probability of real")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, markerscale=2)
    return figure
