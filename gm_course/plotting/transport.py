"""Transport plans, potentials and critics of the Wasserstein distance (Wasserstein 距离)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from torch import Tensor

from gm_course.plotting.figures import COLOURS, new_figure, use_few_ticks

REAL, FAKE = COLOURS[0], COLOURS[1]
"""Blue is what is there, red is where it shall be; or real and generated."""


def transport_moves(x: Tensor, y: Tensor, plans: Mapping[str, Tensor]) -> Figure:
    """Draw plans between points in the plane: a line for each move, the wider the more mass.

    Args:
        x: Where the mass is, shape (n, 2).
        y: Where it goes, shape (m, 2).
        plans: Masses that move from point i to point j by title, each of shape (n, m).
    """
    sources, targets = x.detach().cpu(), y.detach().cpu()
    figure, axes = new_figure(len(plans), size=(3.6, 3.6))
    largest = max(float(plan.max()) for plan in plans.values())
    for axis, (title, plan) in zip(axes, plans.items(), strict=True):
        for i, j in plan.nonzero().tolist():
            ends = torch.stack([sources[i], targets[j]])
            width = 2.5 * float(plan[i, j]) / largest
            axis.plot(ends[:, 0], ends[:, 1], color="#777777", linewidth=width, zorder=1)
        for points, colour, marker, label in (
            (sources, REAL, "o", "from $p$"),
            (targets, FAKE, "s", "to $q$"),
        ):
            axis.scatter(
                points[:, 0], points[:, 1], s=38, color=colour, marker=marker, zorder=2, label=label
            )
        axis.set(title=title, xlabel="$x_1$", ylabel="$x_2$")
        axis.set_aspect("equal", adjustable="datalim")
    axes[0].legend(loc="best")
    return figure


def coupling_matrices(p: Tensor, q: Tensor, plans: Mapping[str, Tensor]) -> Figure:
    """Draw plans as matrices of discs, with the row sums on the left and column sums on top.

    Args:
        p: Masses of the rows, shape (n,).
        q: Masses of the columns, shape (m,).
        plans: Masses that move from i to j by title, each of shape (n, m).
    """
    figure, axes = new_figure(len(plans), size=(4.2, 4.0))
    n, m = len(p), len(q)
    largest = max(float(plan.max()) for plan in plans.values())
    for axis, (title, plan) in zip(axes, plans.items(), strict=True):
        masses = plan.detach().cpu()
        rows, columns = masses.nonzero(as_tuple=True)
        axis.scatter(columns, rows, s=420 * masses[rows, columns] / largest, color="#555555")
        axis.set(
            xlabel="to position $j$", ylabel="from position $i$",
            xlim=(-0.6, m - 0.4), ylim=(n - 0.4, -0.6),
        )  # fmt: skip
        axis.set_xticks(range(m))
        axis.set_yticks(range(n))
        top = axis.inset_axes((0, 1.02, 1, 0.22), sharex=axis)
        top.bar(range(m), q.tolist(), color=FAKE, width=0.7)
        side = axis.inset_axes((1.02, 0, 0.22, 1), sharey=axis)
        side.barh(range(n), p.tolist(), color=REAL, height=0.7)
        for margin in (top, side):
            margin.set_axis_off()
        top.set_title(title)
        top.text(-0.5, 0, "$q$ ", color=FAKE, ha="right", va="bottom", clip_on=False)
        side.text(0, n - 0.45, "$p$", color=REAL, ha="left", va="top", clip_on=False)
    return figure


def distance_on_a_line(
    x: Tensor, y: Tensor, p: Tensor, q: Tensor, *, plan: Tensor, on_x: Tensor, on_y: Tensor
) -> Figure:
    """Draw W on a line in its three forms: moves, a potential, the area between the stairs.

    Args:
        x: Positions of the first distribution, shape (n,).
        y: Positions of the second one, shape (m,).
        p: Masses at x, shape (n,).
        q: Masses at y, shape (m,).
        plan: Masses that move, shape (n, m).
        on_x: A potential at x, shape (n,).
        on_y: The same potential at y, shape (m,).
    """
    figure, (moves, potential, stairs) = new_figure(3, size=(3.5, 2.7))
    positions = torch.cat([x, y])
    low, high = float(positions.min()) - 0.5, float(positions.max()) + 0.5
    _draw_moves(moves, x, y, p, q, plan)
    moves.set(title="a cheapest plan", xlabel="position", ylabel="mass", xlim=(low, high))
    moves.set_ylim(-0.75, 0.75)
    moves.set_yticks([-0.5, 0, 0.5], ["0.5", "0", "0.5"])

    order = positions.argsort()
    values = torch.cat([on_x, on_y])
    potential.plot(positions[order], values[order], color="black", linewidth=1.2)
    potential.plot(x, on_x, "o", color=REAL, label="at $p$")
    potential.plot(y, on_y, "s", color=FAKE, label="at $q$")
    potential.set(title="a best potential", xlabel="position", ylabel="$f$")
    potential.set_aspect("equal", adjustable="datalim")
    potential.legend()

    for places, masses, colour, dash, label in (
        (x, p, REAL, "-", "$F_p$"),
        (y, q, FAKE, "--", "$F_q$"),
    ):
        edges, heights = _stairs(places, masses, low, high)
        stairs.step(edges, heights, where="post", color=colour, linestyle=dash, label=label)
    both = torch.cat([positions, positions.new_tensor([low, high])]).sort().values
    levels = [((both[:, None] >= a) * w).sum(dim=1) for a, w in ((x, p), (y, q))]
    stairs.fill_between(both, levels[0], levels[1], step="post", color=COLOURS[6], alpha=0.6)
    stairs.set(title="area between the stairs", xlabel="position", ylabel="mass up to there")
    stairs.set_xlim(low, high)
    stairs.legend(loc="upper left")
    use_few_ticks(potential, stairs)
    moves.locator_params(axis="x", nbins=5)
    return figure


def critic_surfaces(
    critics: Mapping[str, Callable[[Tensor], Tensor]],
    *,
    real: Tensor,
    fake: Tensor,
    reach: float,
    notes: Mapping[str, str] | None = None,
) -> Figure:
    """Draw critics over the plane by contours, each on its own scale, with samples on top.

    Args:
        critics: By title; each maps (N, 2) to (N,).
        real: Real samples, shape (n, 2).
        fake: Generated samples, shape (m, 2).
        reach: The view is the square from −reach to reach.
        notes: Lines to write under a panel, by title.
    """
    side = torch.linspace(-reach, reach, 81, dtype=real.dtype, device=real.device)
    plane = torch.cartesian_prod(side, side)
    ticks = side.cpu()
    figure, axes = new_figure(len(critics), size=(3.5, 3.5))
    for axis, (title, critic) in zip(axes, critics.items(), strict=True):
        with torch.no_grad():
            scores = critic(plane).reshape(81, 81).T.cpu()
        scores = scores - scores.mean()  # f + constant is the same critic
        drawn = axis.contourf(ticks, ticks, scores, levels=14, cmap="Greys")
        bar = figure.colorbar(drawn, ax=axis, shrink=0.75)
        bar.ax.ticklabel_format(scilimits=(-2, 3))
        for points, colour, marker in ((real, REAL, "o"), (fake, FAKE, "s")):
            across, up = points.detach().cpu().T
            axis.scatter(
                across, up, s=11, color=colour, marker=marker,
                edgecolors="white", linewidths=0.4,
            )  # fmt: skip
        note = f"\n{notes[title]}" if notes and title in notes else ""
        axis.set(title=title, xlabel=f"$x_1${note}", xlim=(-reach, reach), ylim=(-reach, reach))
        axis.set_aspect("equal")
    axes[0].set_ylabel("$x_2$")
    return figure


def _draw_moves(axis: Axes, x: Tensor, y: Tensor, p: Tensor, q: Tensor, plan: Tensor) -> None:
    """Draw p as bars upwards, q as bars downwards, and the plan's moves as arrows between."""
    axis.bar(x.tolist(), p.tolist(), width=0.12, color=REAL, label="$p$")
    axis.bar(y.tolist(), (-q).tolist(), width=0.12, color=FAKE, label="$q$")
    largest = float(plan.max())
    for i, j in (plan > 1e-9).nonzero().tolist():
        axis.add_patch(
            FancyArrowPatch(
                (float(x[i]), float(p[i]) / 2), (float(y[j]), -float(q[j]) / 2),
                arrowstyle="-|>", mutation_scale=9, color="#555555", shrinkA=0, shrinkB=0,
                linewidth=0.5 + 2 * float(plan[i, j]) / largest, alpha=0.8,
            )
        )  # fmt: skip
    axis.axhline(0, color="black", linewidth=0.8)
    axis.legend(loc="upper left")


def _stairs(
    places: Tensor, masses: Tensor, low: float, high: float
) -> tuple[Sequence[float], Sequence[float]]:
    """Edges and heights of a distribution function from ``low`` to ``high``."""
    order = places.argsort()
    heights = [0.0, *masses[order].cumsum(0).tolist()]
    return [low, *places[order].tolist(), high], [*heights, heights[-1]]
