"""Pictures of the evidence lower bound: its split, its two proofs, and climbing it."""

import itertools
import math
from collections.abc import Mapping, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from gm_course.errors import ShapeError
from gm_course.plotting.figures import COLOURS, MARKERS, new_figure, use_few_ticks
from gm_course.validation import require_same_shape

_POSTERIOR, _Q, _KL = COLOURS[0], COLOURS[1], COLOURS[3]
_DASHES = ("-", "--", ":")
_REACH = 3.5  # nearly all of a standard normal prior


def evidence_split(
    z: Tensor,
    *,
    prior: Tensor,
    posterior: Tensor,
    variational: Mapping[str, Tensor],
    elbo: Sequence[float],
    log_evidence: float,
    depth: float = 4.0,
) -> Figure:
    """Draw several q beside prior and posterior, and a stacked bar ELBO + KL for each of them.

    A bar starts at the lower edge of the picture, because the zero of a log-density depends on
    the unit of x and means nothing; the two parts meet at the ELBO and end at log p(x). A q whose
    ELBO lies below the edge shows the KL only; the numbers are written beside each bar.

    Args:
        z: Grid of the latent variable, shape (n,).
        prior: Density p(z) on the grid, shape (n,).
        posterior: Density p(z|x) on the grid, shape (n,).
        variational: Densities q(z) on the grid by title, each of shape (n,). What a title has
            before its colon, or all of it, also names the bar.
        elbo: The ELBO of each q in nats, in the same order.
        log_evidence: log p(x) in nats.
        depth: How many nats below log p(x) the bars start.

    Raises:
        ShapeError: If a density does not fit the grid, or the ELBOs do not fit the q.

    Source:
        Chapter 13.2.1, ``evidence-decomposition``.
    """
    densities = {"prior": prior, "posterior": posterior, **variational}
    for name, density in densities.items():
        require_same_shape("evidence_split", **{"z": z, name: density})
    if len(elbo) != len(variational):
        raise ShapeError(
            f"evidence_split: elbo must have one value per q; got {len(elbo)} values for "
            f"{len(variational)} q. Compute the ELBO of each."
        )
    count = len(variational)
    figure, axes = new_figure(count + 1, size=(4.4 if count == 1 else 3.2, 3.2))
    inside = z.abs() <= _REACH
    top = 2.1 * float(posterior.max())  # does not follow q, so that a moving q is seen to grow
    for axis, (title, q) in zip(axes[:-1], variational.items(), strict=True):
        axis.plot(z[inside], prior[inside], color="black", linestyle=":", label="prior $p(z)$")
        axis.fill_between(z[inside], posterior[inside], color=_POSTERIOR, alpha=0.3, linewidth=0)
        axis.plot(z[inside], posterior[inside], color=_POSTERIOR, label="posterior $p(z|x)$")
        axis.plot(z[inside], q[inside], color=_Q, linestyle="--", linewidth=2, label="$q(z)$")
        axis.set(title=title, xlabel="latent variable $z$", ylim=(0, top), xlim=(-_REACH, _REACH))
    axes[0].set_ylabel("density")
    axes[0].legend(loc="upper left", framealpha=0.9)

    bars, floor = axes[-1], log_evidence - depth
    above, boxed = (
        log_evidence + 0.03 * depth,
        {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 2},
    )
    for place, value in enumerate(elbo):
        meeting = min(max(value, floor), log_evidence)
        bars.bar(place, meeting - floor, bottom=floor, width=0.6, color=_Q, alpha=0.75)
        bars.bar(
            place, log_evidence - meeting, bottom=meeting, width=0.6, color=_KL, alpha=0.75,
            hatch="//", edgecolor="white",
        )  # fmt: skip
        kl = abs(log_evidence - value)  # the sign of a rounded zero is noise
        bars.text(place, above, f"KL\n{kl:.2f}", ha="center", va="bottom")
        bars.text(
            place, floor + 0.06 * depth, f"ELBO\n{value:.2f}".replace("-", "−"), ha="center",
            va="bottom", bbox=boxed,
        )  # fmt: skip
    bars.axhline(log_evidence, color="black", linewidth=1.2)
    bars.text(count + 0.25, above, "$\\log p(x)$", ha="right", va="bottom")
    bars.set(
        title="ELBO (plain) + KL (hatched)", ylabel="nats", xlim=(-0.6, count + 0.3),
        ylim=(floor, log_evidence + 0.25 * depth),
    )  # fmt: skip
    bars.set_xticks(range(count), [title.partition(":")[0] for title in variational])
    return figure


def jensen_chords(panels: Mapping[str, tuple[Tensor, Tensor]]) -> Figure:
    """Draw, for a latent variable with two values, why E log w lies below log E w.

    Args:
        panels: By title, the two probabilities q(z) and the two weights w = p(x,z)/q(z), each of
            shape (2,).

    Raises:
        ShapeError: If probabilities or weights do not have shape (2,).

    Source:
        Chapter 13.2.1, ``elbo-is-bound``.
    """
    figure, axes = new_figure(len(panels), size=(3.7, 3.3))
    all_weights = torch.cat([weights for _, weights in panels.values()])
    low, high = 0.6 * float(all_weights.min()), 1.3 * float(all_weights.max())
    bottom, height = math.log(low), math.log(high / low)
    curve = torch.linspace(low**0.5, high**0.5, 400).square()  # denser where it is steep
    for axis, (title, (q, weights)) in zip(axes, panels.items(), strict=True):
        if q.shape != (2,) or weights.shape != (2,):
            raise ShapeError(
                "jensen_chords: q and weights must have shape (2,); got "
                f"{tuple(q.shape)} and {tuple(weights.shape)}. The chord joins two points."
            )
        mean, mean_of_logs = float(q @ weights), float(q @ weights.log())
        axis.plot(curve, curve.log(), color="black", linewidth=1.2)
        axis.plot(weights, weights.log(), "o-", color=_Q, linewidth=1.5)
        have_merged = bool((weights[0] / weights[1]).log().abs() < 0.1)
        names = ("z = 1 and 2", "") if have_merged else ("z = 1", "z = 2")
        for name, weight in zip(names, weights.tolist(), strict=True):
            axis.annotate(
                name, (weight, math.log(weight)), xytext=(6, -14), textcoords="offset points",
                color=_Q,
            )  # fmt: skip
        log_mean = math.log(mean)
        axis.plot([mean, mean], [mean_of_logs, log_mean], color=_KL, linewidth=5, alpha=0.8)
        axis.plot(
            mean, log_mean, "s", color="black", markersize=7, label="$\\log E_q[w]=\\log p(x)$"
        )
        axis.plot(
            mean, mean_of_logs, "D", color=_POSTERIOR, markersize=5, label="$E_q[\\log w]$ = ELBO"
        )
        axis.set(
            title=title, xlabel="weight $w=p(x,z)/q(z)$", xlim=(0, high),
            ylim=(bottom, bottom + 1.35 * height),  # leaves room for the legend
        )  # fmt: skip
        axis.locator_params(axis="x", nbins=5)
    axes[0].set_ylabel("$\\log w$ (nats)")
    axes[0].legend(loc="upper left")
    return figure


def quadratic_gaps(
    errors: Tensor, gaps: Mapping[str, Sequence[float]], *, factors: Sequence[float]
) -> Figure:
    """Draw measured gaps over the error of q on logarithmic axes, each with a line factor · t².

    Args:
        errors: The errors t, shape (n,), positive.
        gaps: By what is in error, log p(x) − ELBO in nats for the first errors, at most n.
        factors: What t² is multiplied by, one per kind of error.
    """
    figure, (axis,) = new_figure(size=(6.0, 3.6))
    for (name, values), factor, colour, marker in zip(
        gaps.items(), factors, COLOURS, MARKERS, strict=False
    ):
        axis.loglog(errors, factor * errors.square(), color="black", linewidth=0.8, zorder=0)
        axis.loglog(
            errors[: len(values)], values, marker, color=colour, markersize=5,
            label=f"error in the {name}",
        )  # fmt: skip
    axis.set(xlabel="error t in the parameter of q", ylabel="gap, log p(x) − ELBO (nats)")
    axis.legend()
    return figure


def ascent_staircase(
    theta: Tensor,
    q_parameter: Tensor,
    elbo: Tensor,
    *,
    path: Sequence[tuple[float, float]],
    log_likelihood: Tensor,
    labels: tuple[str, str],
) -> Figure:
    """Draw EM as coordinate ascent: its path over the ELBO, and the bounds under log p.

    Left, contours of the ELBO over both parameters, with the path on top. Right, the
    log-likelihood with the bound that every second point of the path (those that an E-step
    reached) gives as a function of theta.

    Args:
        theta: Grid of the model's parameter, shape (n,).
        q_parameter: Grid of the parameter of q, shape (m,).
        elbo: ELBO per example in nats, shape (m, n).
        path: Points (theta, q parameter), beginning with the start; E-steps and M-steps alternate,
            so points 1, 3, 5, … lie where an E-step ended.
        log_likelihood: log p per example on the grid of theta in nats, shape (n,).
        labels: Axis labels of theta and of the parameter of q.

    Raises:
        ShapeError: If the ELBO does not have shape (m, n).

    Source:
        Neal & Hinton, "A View of the EM Algorithm that Justifies Incremental, Sparse, and Other
        Variants", 1998.
    """
    if elbo.shape != (len(q_parameter), len(theta)):
        raise ShapeError(
            "ascent_staircase: elbo must have one row per q parameter and one column per theta, "
            f"shape ({len(q_parameter)}, {len(theta)}); got {tuple(elbo.shape)}. Transpose it."
        )
    figure, (left, right) = new_figure(2, size=(4.9, 3.9))
    best = float(log_likelihood.max())
    # Levels close up towards the summit, so that the last steps cross some as well.
    depths = 10 ** torch.linspace(0.2, -3.0, 12, dtype=torch.float64)
    contours = left.contour(
        theta, q_parameter, elbo, levels=(best - depths).tolist(), cmap="Greys_r", linewidths=0.9
    )
    contours.set_clim(best - 1.2, best + 0.6)
    left.plot(theta, theta, color="black", linestyle=":", label="q is the posterior")
    for step, (start, end) in enumerate(itertools.pairwise(path)):
        colour = _POSTERIOR if step % 2 == 0 else _Q
        left.plot(*zip(start, end, strict=True), color=colour, linewidth=2)
    left.plot(*path[0], MARKERS[0], color="black", label="start")
    left.plot([], [], color=_POSTERIOR, linewidth=2, label="E-step (vertical)")
    left.plot([], [], color=_Q, linewidth=2, label="M-step (horizontal)")
    left.set(title="contours of the ELBO", xlabel=labels[0], ylabel=labels[1])
    # In the corner away from the start; the path soon stays near the diagonal.
    left.legend(
        loc="upper left" if path[0][1] < path[0][0] else "lower right", framealpha=0.95,
        fontsize=8.5,
    )  # fmt: skip

    right.plot(theta, log_likelihood, color="black", linewidth=2, label="log-likelihood")
    for number, (at_theta, at_q) in enumerate(path[1::2]):
        row = int((q_parameter - at_q).abs().argmin())
        colour = COLOURS[number % len(COLOURS)]
        label = "bounds after E-steps" if number == 0 else None
        right.plot(theta, elbo[row], color=colour, linewidth=1.2, linestyle="--", label=label)
        column = int((theta - at_theta).abs().argmin())
        right.plot(at_theta, log_likelihood[column], MARKERS[0], color=colour)
    lowest = float(log_likelihood.min())
    right.set(
        title="each bound touches, and is climbed", xlabel=labels[0], ylabel="nats per example",
        ylim=(lowest - 0.25 * (best - lowest), best + 0.2 * (best - lowest)),
    )  # fmt: skip
    right.legend(loc="lower right", framealpha=0.95, fontsize=8.5)
    use_few_ticks(left, right)
    return figure


def posterior_ellipses(panels: Mapping[str, tuple[Tensor, Tensor, Tensor]]) -> Figure:
    """Draw correlated Gaussian posteriors and two approximations with independent coordinates.

    An ellipse reaches two standard deviations in every direction.

    Args:
        panels: By title, the covariance of the posterior (2, 2), the variances (2,) of the
            mean-field q that minimises the reverse KL, and those of the marginals.

    Source:
        Chapter 13.3.5, ``reverse-kl-seeks``; Bishop, "Pattern Recognition and Machine Learning",
        2006, section 10.1.2.
    """
    figure, axes = new_figure(len(panels), size=(3.3, 3.4))
    reach = 2.25 * max(float(cov.diagonal().max()) for cov, _, _ in panels.values()) ** 0.5
    for axis, (title, (cov, reverse, marginal)) in zip(axes, panels.items(), strict=True):
        _ellipse(axis, cov, color=_POSTERIOR, dash="-", label="posterior", filled=True)
        _ellipse(axis, reverse.diag(), color=_Q, dash="--", label="reverse KL: best $q$")
        _ellipse(axis, marginal.diag(), color="black", dash=":", label="marginals: forward KL")
        axis.set(title=title, xlabel="$z_1$ − its mean", xlim=(-reach, reach), ylim=(-reach, reach))
        axis.set_aspect("equal")
    axes[0].set_ylabel("$z_2$ − its mean")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3)
    return figure


def objectives_with_maxima(
    panels: Mapping[str, tuple[Tensor, Mapping[str, Tensor]]],
    *,
    truths: Sequence[float],
    depth: float,
) -> Figure:
    """Draw objectives over one parameter, with a mark at the maximum of each.

    Args:
        panels: By title, the grid of the parameter (n,) and the objectives (n,) by name, the
            same names in every panel.
        truths: The parameter that made the data of each panel, a vertical line.
        depth: How many nats below the highest value the panels end.
    """
    figure, axes = new_figure(len(panels), size=(4.6, 3.5))
    for axis, (title, (theta, objectives)), truth in zip(axes, panels.items(), truths, strict=True):
        axis.axvline(truth, color="black", linewidth=0.8, linestyle="-.", label="truth")
        highest = max(float(values.max()) for values in objectives.values())
        for (name, values), colour, dash, marker in zip(
            objectives.items(), COLOURS, _DASHES, MARKERS, strict=False
        ):
            top = int(values.argmax())
            axis.plot(
                theta, values, color=colour, linestyle=dash, linewidth=2, label=name,
                marker=marker, markevery=[top], markersize=8,
            )  # fmt: skip
        axis.set(title=title, xlabel="parameter $\\theta$", ylim=(highest - depth, highest + 0.05))
    axes[0].set_ylabel("nats per example")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names))
    return figure


def _ellipse(
    axis: Axes, cov: Tensor, *, color: str, dash: str, label: str, filled: bool = False
) -> None:
    """Draw the ellipse of all points two standard deviations from the origin."""
    angle = torch.linspace(0, 2 * torch.pi, 200, dtype=cov.dtype)
    circle = torch.stack([angle.cos(), angle.sin()])  # (2, n)
    x, y = 2 * torch.linalg.cholesky(cov) @ circle
    axis.plot(x, y, color=color, linestyle=dash, linewidth=2, label=label)
    if filled:
        axis.fill(x, y, color=color, alpha=0.2, linewidth=0)
