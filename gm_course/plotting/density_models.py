"""Figures of the first lecture: fitted densities, EM, noise pushed through a map, classifiers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from torch import Tensor

from gm_course.em import FullGaussianMixture, responsibilities
from gm_course.errors import ArgumentError
from gm_course.plotting.figures import COLOURS, MARKERS, new_figure, use_few_ticks


def gaussian_fits(
    values: Tensor, settings: Sequence[tuple[float, float]], *, bins: int, xlabel: str
) -> Figure:
    """Draw a histogram as a density with a Gaussian over it, one panel per setting.

    The title of a panel is the average log-likelihood of the values under its Gaussian.

    Args:
        values: Shape (N,).
        settings: Mean and standard deviation for each panel.
        bins: Number of bins between the smallest and the largest value.
        xlabel: What the values are, with their unit.
    """
    figure, axes = new_figure(len(settings), size=(3.6 if len(settings) > 1 else 5.6, 3.0))
    low, high = float(values.min()), float(values.max())
    grid = torch.linspace(low - 0.2 * (high - low), high + 0.2 * (high - low), 200)
    for axis, (mean, std) in zip(axes, settings, strict=True):
        heights, _, _ = axis.hist(
            values.numpy(), bins=bins, density=True, color=COLOURS[0], alpha=0.55, label="data"
        )
        axis.plot(grid, _log_bell(grid, mean, std).exp(), color=COLOURS[1], label="Gaussian")
        score = float(_log_bell(values, mean, std).mean())
        axis.set(title=f"{score:.2f} nats per image".replace("-", "−"), xlabel=xlabel)
        # The same scale for all settings, so that curves can be compared; a narrow bell is cut.
        axis.set_ylim(0, 1.6 * float(np.max(heights)))
    axes[0].set_ylabel("density")
    axes[0].legend(loc="upper right")
    return figure


def mixture_panels(x: Tensor, mixtures: Mapping[str, FullGaussianMixture]) -> Figure:
    """Draw points coloured by responsibility with each component's ellipses, a panel per mixture.

    Args:
        x: Points, shape (N, 2).
        mixtures: Mixtures of at most 7 components in two dimensions, by panel title.

    Raises:
        ArgumentError: If a mixture has too many components to be told apart.
    """
    figure, axes = new_figure(len(mixtures), size=(3.3, 3.3))
    for axis, (title, mixture) in zip(axes, mixtures.items(), strict=True):
        _draw_mixture(axis, x, mixture)
        axis.set_title(title)
    axes[0].set_ylabel("second principal component")
    return figure


def em_progress(
    x: Tensor, path: Sequence[FullGaussianMixture], log_likelihoods: Sequence[float], step: int
) -> Figure:
    """Draw the mixture after ``step`` steps of EM beside the log-likelihood of the whole path.

    Args:
        x: Points, shape (N, 2).
        path: The mixtures before the first and after each step.
        log_likelihoods: Average log-likelihood of each, in nats per point.
        step: Which one to draw.
    """
    figure, (left, right) = new_figure(2, size=(4.4, 3.6))
    _draw_mixture(left, x, path[step])
    left.set(title=f"step {step}", ylabel="second principal component")
    right.plot(log_likelihoods, color="black", linewidth=1)
    right.plot(step, log_likelihoods[step], "o", color=COLOURS[1], markersize=8)
    right.set(xlabel="EM steps", ylabel="log-likelihood (nats per image)", ylim=(-4.0, -1.5))
    right.set_title(f"{log_likelihoods[step]:.3f} nats per image".replace("-", "−"))
    use_few_ticks(left, right)
    return figure


def estimate_ratios(dims: Sequence[int], ratios: Tensor, *, xlabel: str, ylabel: str) -> Figure:
    """Draw the median and the middle 80 % of estimate/truth over the dimension, on a log scale.

    Args:
        dims: Dimensions, one per column.
        ratios: Estimates divided by the exact value, shape (repetitions, dimensions), positive.
        xlabel: What varies.
        ylabel: What was estimated.
    """
    figure, (axis,) = new_figure(size=(6.0, 3.2))
    quantiles = torch.tensor([0.1, 0.5, 0.9], dtype=ratios.dtype)
    low, middle, high = ratios.quantile(quantiles, dim=0)
    axis.fill_between(dims, low, high, color=COLOURS[0], alpha=0.3, label="middle 80 %")
    axis.semilogy(dims, middle, "o-", color=COLOURS[0], markersize=4, label="median estimate")
    axis.axhline(1, color="black", linestyle="--", label="truth")
    axis.set(xlabel=xlabel, ylabel=ylabel, xticks=list(dims))
    axis.legend(loc="lower left")
    return figure


def pushforwards(
    noises: Mapping[str, Tensor],
    push: Mapping[str, Callable[[Tensor], Tensor]],
    *,
    density: Callable[[Tensor], Tensor],
    limits: tuple[float, float],
) -> Figure:
    """Draw, one row per kind of noise, the noise, the map G, and G(noise) under its target.

    Args:
        noises: Draws by kind of noise, each of shape (n,).
        push: The map G for each kind.
        density: The target density, values (m,) to densities (m,).
        limits: Range of x that is shown.
    """
    figure, axes = new_figure(3, rows=len(noises), size=(3.3, 2.5))
    grid = torch.linspace(*limits, 200, dtype=torch.float64)
    for row, (name, noise) in enumerate(noises.items()):
        left, middle, right = axes[3 * row : 3 * row + 3]
        left.hist(noise.numpy(), bins=50, density=True, color=COLOURS[3])
        left.set(xlabel=f"{name} noise z", ylabel="density")
        inputs = noise.sort().values
        middle.plot(inputs, push[name](inputs), color="black")
        middle.set(xlabel=f"{name} noise z", ylabel="x = G(z)", ylim=limits)
        samples = push[name](noise)
        right.hist(
            samples.numpy(), bins=60, range=limits, density=True, color=COLOURS[0], alpha=0.6,
            label="G(z)",
        )  # fmt: skip
        right.plot(grid, density(grid), color=COLOURS[1], label="$p_r$")
        right.set(xlabel="x", ylabel="density", ylim=(0, 1.45 * float(density(grid).max())))
        right.legend(loc="upper left")
    return figure


def class_boundaries(
    panels: Mapping[str, FullGaussianMixture], *, count: int, generator: torch.Generator
) -> Figure:
    """Draw p(y=1|x) of two Gaussian classes as shades, its level 1/2 as a line, and samples.

    Args:
        panels: Mixtures of two components in two dimensions, by panel title.
        count: Points drawn from each mixture.
        generator: Source of the points.
    """
    figure, axes = new_figure(len(panels), size=(3.9, 3.6))
    ticks = torch.linspace(-4.5, 4.5, 120, dtype=torch.float64)
    second, first = torch.meshgrid(ticks, ticks, indexing="ij")
    grid = torch.stack([first, second], dim=-1).reshape(-1, 2)
    for axis, (title, mixture) in zip(axes, panels.items(), strict=True):
        probability = responsibilities(mixture, grid)[:, 1].reshape(120, 120)
        axis.contourf(ticks, ticks, probability, levels=10, vmin=0, vmax=1, cmap="PuOr", alpha=0.5)
        axis.contour(ticks, ticks, probability, levels=[0.5], colors="black", linewidths=1.5)
        points, classes = mixture.sample(count, generator=generator)
        for label, colour, marker in ((0, "#7F3B08", "o"), (1, "#2D004B", "^")):
            members = points[classes == label]
            axis.scatter(
                members[:, 0],
                members[:, 1],
                s=12,
                color=colour,
                marker=marker,
                label=f"y = {label}",
            )
        axis.set(title=title, xlabel="$x_1$", xlim=(-4.5, 4.5), ylim=(-4.5, 4.5))
        axis.set_aspect("equal")
    axes[0].set_ylabel("$x_2$")
    axes[0].legend(loc="upper left")
    return figure


def learning_curves(
    panels: Mapping[str, Mapping[str, Mapping[int, Sequence[float]]]],
    *,
    limits: Mapping[str, float],
) -> Figure:
    """Draw test accuracy over the size of the training set, one panel per data set.

    Args:
        panels: Accuracies of all repetitions by panel title, classifier and training size.
        limits: Accuracy to mark by a dashed line, by panel title.
    """
    figure, axes = new_figure(len(panels), size=(4.6, 3.4))
    for axis, (title, curves) in zip(axes, panels.items(), strict=True):
        for (name, by_size), colour, marker in zip(curves.items(), COLOURS, MARKERS, strict=False):
            table = [torch.tensor(list(values)) for values in by_size.values()]
            means = [float(values.mean()) for values in table]
            errors = [
                2 * float(values.std()) / math.sqrt(len(values)) if len(values) > 1 else 0.0
                for values in table
            ]
            axis.errorbar(
                list(by_size), means, yerr=errors, color=colour, marker=marker, markersize=4,
                linewidth=1.2, capsize=2, label=name,
            )  # fmt: skip
        if title in limits:
            axis.axhline(limits[title], color="black", linestyle="--", label="best possible")
        axis.set(title=title, xlabel="training examples", xscale="log")
        axis.legend(loc="lower right")
    axes[0].set_ylabel("accuracy on the test set")
    return figure


def outlier_scores(
    scores: Mapping[str, tuple[Tensor, Tensor]], *, labels: tuple[str, str]
) -> Figure:
    """Draw two scores of several groups of images, one box per group in each panel.

    Args:
        scores: By group, the first and the second score of its images, each of shape (n,).
        labels: What the scores are, with their units.
    """
    figure, axes = new_figure(2, size=(4.4, 2.9))
    names = list(scores)
    for index, (axis, label) in enumerate(zip(axes, labels, strict=True)):
        boxes = axis.boxplot(
            [scores[name][index].numpy() for name in names], orientation="horizontal",
            widths=0.6, patch_artist=True, medianprops={"color": "black"}, flierprops={"ms": 2},
        )  # fmt: skip
        for box, colour in zip(boxes["boxes"], COLOURS, strict=False):
            box.set_facecolor(colour)
        axis.set_yticks(range(1, len(names) + 1), names if index == 0 else [""] * len(names))
        axis.invert_yaxis()
        axis.set_xlabel(label)
    return figure


def _log_bell(x: Tensor, mean: float, std: float) -> Tensor:
    """Log-density of N(mean, std²) at ``x``."""
    return -0.5 * ((x - mean) / std).square() - math.log(std * math.sqrt(2 * math.pi))


def _draw_mixture(axis: Axes, x: Tensor, mixture: FullGaussianMixture) -> None:
    """Points in a blend of the components' colours; ellipses at one and two standard deviations."""
    components = len(mixture.weights)
    if components > len(MARKERS) - 1:
        raise ArgumentError(
            f"plotting: a mixture must have at most {len(MARKERS) - 1} components to be told "
            f"apart; got {components}. Fit a smaller one."
        )
    shares = responsibilities(mixture, x)
    palette = torch.tensor([to_rgb(colour) for colour in COLOURS[:components]]).to(shares)
    blend = (shares @ palette).clamp(0, 1)  # (N, 3)
    likeliest = shares.argmax(dim=1)
    angle = torch.linspace(0, 2 * math.pi, 60, dtype=mixture.means.dtype)
    circle = torch.stack([angle.cos(), angle.sin()])  # (2, 60)
    for k in range(components):
        members = likeliest == k
        axis.scatter(
            x[members, 0], x[members, 1], s=10, c=blend[members].numpy(), marker=MARKERS[k],
            linewidths=0, alpha=0.8,
        )  # fmt: skip
        root = torch.linalg.cholesky(mixture.covs[k])
        for radius, width in ((1, 1.8), (2, 0.9)):
            ellipse = mixture.means[k][:, None] + radius * root @ circle
            axis.plot(ellipse[0], ellipse[1], color=COLOURS[k], linewidth=width)
        first, second = mixture.means[k].tolist()
        axis.annotate(
            str(k + 1), (first, second), ha="center", va="center", fontsize=11,
            bbox={"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": COLOURS[k]},
        )  # fmt: skip
    axis.set(xlabel="first principal component", xlim=(-2.4, 2.4), ylim=(-2.2, 2.2))
    axis.set_aspect("equal")
