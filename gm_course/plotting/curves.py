"""Losses over the iterations, and distributions of estimates."""

from collections.abc import Mapping

import torch
from matplotlib.figure import Figure
from torch import Tensor

from gm_course.plotting.figures import COLOURS, new_figure


def loss_curves(
    curves: Mapping[str, Tensor],
    *,
    ylabel: str = "nats per example",
    window: int = 50,
    reference: Mapping[str, float] | None = None,
) -> Figure:
    """Draw one panel per curve: every iteration faintly, its moving average on top.

    Args:
        curves: Values per iteration by name, each of shape (iterations,).
        ylabel: The unit of the values.
        window: Iterations in the moving average.
        reference: Values to mark by a dashed line, by curve name (a test-set value, say).
    """
    figure, axes = new_figure(len(curves), size=(3.6, 2.8))
    for axis, (name, values), colour in zip(axes, curves.items(), COLOURS, strict=False):
        values = values.detach().cpu()
        steps = torch.arange(1, len(values) + 1)
        axis.plot(steps, values, color=colour, alpha=0.25, linewidth=0.8)
        width = min(window, len(values))
        average = values.unfold(0, width, 1).mean(-1)
        axis.plot(steps[width - 1 :], average, color=colour, label=f"mean of {width} iterations")
        if reference and name in reference:
            axis.axhline(reference[name], color="black", linestyle="--", label="test set, now")
        # The first iterations dwarf the rest, so the view leaves the first fiftieth out.
        later = values[len(values) // 50 :]
        margin = 0.05 * float(later.max() - later.min()) + 1e-9
        axis.set(title=name, xlabel="iteration")
        axis.set_ylim(float(later.min()) - margin, float(later.max()) + margin)
        axis.legend()
    axes[0].set_ylabel(ylabel)
    return figure


def estimate_histograms(
    estimates: Mapping[str, Tensor], *, lines: Mapping[str, float], xlabel: str
) -> Figure:
    """Draw the distributions of estimates on one axis with vertical lines at exact values.

    Args:
        estimates: Samples of each estimator by name, each of shape (repetitions,).
        lines: Exact values by name.
        xlabel: What is estimated, with its unit.
    """
    figure, (axis,) = new_figure(size=(6.5, 3.2))
    everything = torch.cat([values.detach().cpu().double() for values in estimates.values()])
    low, high = everything.quantile(torch.tensor([0.001, 0.9999], dtype=torch.float64)).tolist()
    bins = torch.linspace(low, high, 90).tolist()
    for (name, values), colour in zip(estimates.items(), COLOURS, strict=False):
        axis.hist(
            values.detach().cpu().numpy(), bins=bins, density=True, alpha=0.55, color=colour,
            label=name,
        )  # fmt: skip
    for (name, value), dash in zip(lines.items(), ("-", "--", ":"), strict=False):
        axis.axvline(value, color="black", linestyle=dash, label=name)
    axis.set(xlabel=xlabel, ylabel="density of the estimates")
    axis.legend()
    return figure
