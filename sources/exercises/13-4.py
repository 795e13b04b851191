# %% [markdown]
# # Exercise 13-4 · The optimal classifier
#
# *Section 13.3.5 of the chapter uses the result: a classifier of this kind is the discriminator of a GAN.*
#
# **The problem (习题 13-4).** Two classes $c_1,c_2$ (两类) have equal **prior** probabilities (先验概率) and the class densities (类条件密度)
# $p(x|c_1)$ and $p(x|c_2)$. A **classifier** (分类器) $f(x)$ predicts $p(c_1|x)$. Its objective, the negative of the
# **cross-entropy** (交叉熵) up to a factor, is
#
# $$\mathcal L(f)=E_{x\sim p(x|c_1)}\big[\log f(x)\big]+E_{x\sim p(x|c_2)}\big[\log(1-f(x))\big]$$
#
# and is to be **maximised**. Show that the best possible classifier is
#
# $$f^*(x)=\frac{p(x|c_1)}{p(x|c_1)+p(x|c_2)}.$$
#
# **Why it matters.** Take real data as $c_1$ and generated data as $c_2$. Then $f$ is the **discriminator** (判别网络) of a
# **generative adversarial network** (生成对抗网络, GAN), $\mathcal L$ is what it is trained with, and $f^*$ tells what it can learn at
# best, and what it can never know.
#
# **What you will do.** You write six short functions, which walk through the proof and a little beyond it, each followed by a
# check. A wrong step shows up as a check that does not pass, and the check tells you what your answer looks like. Then you write
# the proof itself.
#
# | | function | what it is | points |
# |---|---|---|---|
# | 1 | `classifier_objective` | the objective $\mathcal L(f)$ of any classifier | 2 |
# | 2 | `objective_derivatives` | how it changes with $f$ at one $x$ | 2 |
# | 3 | `optimal_classifier` | the best classifier | 2 |
# | 4 | `optimal_classifier_from_logs` | the same where densities are too small for the computer | 3 |
# | 5 | `optimal_value` | how well the best classifier does | 3 |
# | 6 | `optimal_classifier_with_prior` | the best classifier when one class is rarer | 2 |
# | | written | the proof | 4 |
#
# All logarithms are natural, so $\mathcal L$ is measured in nats. We write $p_1,p_2$ for the two class densities. They are given
# by their values at `N` grid points, with quadrature weights $w_n>0$ such that an integral becomes a sum,
# $\int g(x)\,dx\approx\sum_n w_n\,g(x_n)$, and $\sum_n w_n\,p(x_n)=1$ for both. `N` may be 1. Densities may be 0. Tensors are
# float32 or float64, and a result has the dtype of the inputs.

# %%
import itertools

import torch
from IPython.display import display
from torch.distributions import Categorical, MixtureSameFamily, Normal

import gm_course
from gm_course import plotting
from gm_course.checks import check
from gm_course.claims import claim, claim_between

runtime = gm_course.setup(seed=0)

# %% [markdown]
# ## Before you start: four classifiers
#
# Class $c_1$ comes in two lumps around $-2$ and $2$; class $c_2$ sits between them and is broader than either. Four people
# propose a classifier each.

# %%
means, half = (
    torch.tensor([-2.0, 2.0], dtype=torch.float64),
    torch.full((2,), 0.5, dtype=torch.float64),
)
class1 = MixtureSameFamily(Categorical(half), Normal(means, 0.6))
class2 = Normal(torch.zeros((), dtype=torch.float64), 1.0)

x = torch.linspace(-8, 8, 1601, dtype=torch.float64)  # the grid, (N,)
weights = torch.full_like(x, 0.01)  # the distance of neighbouring grid points, (N,)
density1, density2 = class1.log_prob(x).exp(), class2.log_prob(x).exp()  # (N,) each

candidates = {
    "always ½": lambda x: torch.full_like(x, 0.5),
    "one step": lambda x: torch.sigmoid(2 * x),
    "cautious": lambda x: torch.where(x.abs() > 1, 0.8, 0.2).to(x.dtype),
    "bold": lambda x: torch.where(x.abs() > 1, 0.9999, 0.0001).to(x.dtype),
}

# %%
figure, (left, right) = plotting.new_figure(2, size=(4.6, 3.1))
for density, name, colour in ((density1, "$p_1$", 0), (density2, "$p_2$", 1)):
    left.plot(x, density, color=plotting.COLOURS[colour], label=name)
    left.fill_between(x, density, color=plotting.COLOURS[colour], alpha=0.2)
left.set(xlabel="x", ylabel="density", xlim=(-5, 5))
left.legend()
for (name, candidate), colour in zip(candidates.items(), plotting.COLOURS[2:], strict=False):
    right.plot(x, candidate(x), color=colour, label=name)
right.set(xlabel="x", ylabel="f(x)", xlim=(-5, 5), ylim=(-0.03, 1.03))
right.legend()
figure

# %% [markdown]
# **What to see.** "Always ½" does not look at $x$ at all. "One step" believes that $c_1$ is on the right, and is wrong about half
# of it. "Cautious" and "bold" have understood the situation, and say $c_1$ at exactly the same places; but one of them is never
# quite sure and the other practically always.
#
# Now let them compete. The expectations in $\mathcal L(f)$ are averages over samples of each class, which is how a GAN computes
# them, too:

# %%
generator = torch.Generator().manual_seed(0)
count = 20_000
lumps = 2 * torch.randint(2, (count,), generator=generator) - 1  # −1 or 1
samples1 = 2 * lumps + 0.6 * torch.randn(count, generator=generator, dtype=torch.float64)
samples2 = torch.randn(count, generator=generator, dtype=torch.float64)


def score_by_sampling(f):
    """The two averages of log-probabilities, with their standard error."""
    log1, log2 = f(samples1).log(), (1 - f(samples2)).log()
    error = ((log1.var() + log2.var()) / count).sqrt()
    return (log1.mean() + log2.mean()).item(), error.item()


scores = {name: score_by_sampling(f)[0] for name, f in candidates.items()}
claim("'cautious' scores best of the four", max(scores, key=scores.get) == "cautious")
claim(
    "'one step' scores worse than 'always ½', which knows nothing",
    scores["one step"] < scores["always ½"] - 0.1,
)
claim("'bold' scores worst of all", min(scores, key=scores.get) == "bold")
claim_between(
    "points by which 'cautious' beats 'bold', in nats", scores["cautious"] - scores["bold"], 2, 3
)

# %% [markdown]
# "Cautious" and "bold" make the same decisions and therefore the same mistakes. What ruins the bold one is how it makes them:
# each time it is wrong it pays $\log 0.0001\approx-9$. So this objective does not ask *which class*, it asks *how sure*.
# Somewhere between caution and boldness there should be a best answer, at each $x$ another one. Is there a classifier that nobody
# can beat? Find it.

# %% [markdown]
# ## 1 · The objective
#
# Write the objective of an arbitrary classifier on the grid,
#
# $$\mathcal L(f)=\int \underbrace{p_1(x)\log f(x)+p_2(x)\log(1-f(x))}_{\text{the integrand}}\;dx .$$
#
# - `f`, `p1`, `p2`, `weights`: shape `(N,)` each; $0\le f\le 1$, both ends included.
# - The result is a scalar tensor (shape `()`), never positive.
# - An event that cannot happen costs nothing, whatever was predicted: $0\cdot\log 0=0$. In floating point a product does not know
#   this rule.
# - An event that can happen and was declared impossible costs everything: the result is $-\infty$ if $f=0$ at a point with
#   $p_1>0$, or $f=1$ at a point with $p_2>0$. No finite number will do in its place.


# %% nbgrader={"grade_id": "classifier_objective", "solution": true}
def classifier_objective(f, p1, p2, weights):
    """The objective of the classifier f, in nats; it is to be maximised.

    Args:
        f: Predicted probabilities of class 1, shape (N,), in [0, 1].
        p1, p2: Densities of the two classes, shape (N,) each, zeros allowed.
        weights: Quadrature weights, shape (N,), positive.

    Returns:
        A scalar tensor, shape (); −∞ if f rules out what can happen.
    """
    ### BEGIN SOLUTION
    from torch.special import xlog1py, xlogy

    # xlogy(a, b) is a·log b with exactly the rule we need: 0 where a = 0, whatever b is. Where a > 0
    # and b = 0 it is −∞, and one such point makes the whole sum −∞.
    reward1 = xlogy(p1, f)
    reward2 = xlog1py(p2, -f)  # p2·log(1 + (−f)), without rounding 1 − f for a small f
    return (weights * (reward1 + reward2)).sum()
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_classifier_objective", "grade": true, "locked": true, "points": 2}
check(classifier_objective)

# %% [markdown]
# Your sum over the grid against the averages over samples of the beginning:

# %%
try:
    on_grid = {
        name: classifier_objective(f(x), density1, density2, weights).item()
        for name, f in candidates.items()
    }
except NotImplementedError:
    print("Write `classifier_objective` first, then run this cell again.")
else:
    for name, f in candidates.items():
        by_sampling, error = score_by_sampling(f)
        claim(
            f"{name}: grid and samples agree within 5 standard errors",
            abs(on_grid[name] - by_sampling) <= 5 * error + 1e-9,
        )

# %% [markdown]
# ## 2 · One point at a time
#
# The classifier may take any value at any $x$, and its value at one $x$ does not bind it at another. So fix $x$. Then $p_1$ and
# $p_2$ are two numbers, and the integrand is an ordinary function of one number, $f$. Differentiate it with respect to $f$,
# twice. The first derivative will tell where the maximum may be, the second whether it is one.
#
# - `f`, `p1`, `p2`: shape `(N,)` each; $0<f<1$.
# - The result is the pair `(first, second)`, each of shape `(N,)`: one number per point, no weights, no sum.
# - By hand or by automatic differentiation, as you like. If by the latter: leave the inputs as they are.


# %% nbgrader={"grade_id": "objective_derivatives", "solution": true}
def objective_derivatives(f, p1, p2):
    """First and second derivative of p1·log f + p2·log(1 − f) with respect to f, at each point.

    Args:
        f: Predicted probabilities of class 1, shape (N,), strictly between 0 and 1.
        p1, p2: Densities of the two classes, shape (N,) each, zeros allowed.

    Returns:
        The pair (first, second), shape (N,) each.
    """
    ### BEGIN SOLUTION
    rest = 1 - f  # its inner derivative −1 enters once at each differentiation
    first = p1 / f - p2 / rest
    second = -p1 / f**2 - p2 / rest**2  # the two signs of the chain rule have cancelled
    return first, second
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_objective_derivatives", "grade": true, "locked": true, "points": 2}
check(objective_derivatives)

# %% [markdown]
# Look at the three points $x=0$, $x=1.3$ and $x=2$, and let $f$ run from almost 0 to almost 1 at each of them.

# %%
levels = torch.linspace(0.02, 0.98, 481, dtype=torch.float64)
spots = {spot: int((x - spot).abs().argmin()) for spot in (0.0, 1.3, 2.0)}
try:
    slopes = {
        spot: objective_derivatives(levels, density1[n].expand(481), density2[n].expand(481))
        for spot, n in spots.items()
    }
except NotImplementedError:
    print("Write `objective_derivatives` first, then run this cell again.")
else:
    figure, (axis,) = plotting.new_figure(size=(5.4, 3.1))
    for (spot, (first, second)), colour in zip(slopes.items(), plotting.COLOURS, strict=False):
        axis.plot(levels, first, color=colour, label=f"x = {spot:g}")
        (by_difference,) = torch.gradient(first, spacing=(levels,))
        inner = (levels > 0.1) & (levels < 0.9)
        claim(
            f"x = {spot:g}: the second derivative is the slope of the first, to 1 %",
            ((by_difference - second).abs() <= 0.01 * second.abs())[inner].all(),
        )
    axis.axhline(0, color="black", linewidth=0.8)
    axis.set(xlabel="f", ylabel="first derivative\nof the integrand", ylim=(-3, 3))
    axis.legend()
    display(figure)

# %% [markdown]
# **What to see** (once the figure is there). Each curve comes down from large positive values and goes off to large negative
# ones. How often can it cross the black line? Where a curve does not seem to reach it, look at what happens close to the edge of
# the figure.

# %% [markdown]
# ## 3 · The best classifier
#
# Put the pieces together: at which $f$ is the integrand largest, for given $p_1$ and $p_2$? Do not forget the points where one of
# the densities is zero, or both: there the two derivatives may have nothing to say.
#
# - `p1`, `p2`: shape `(N,)` each. They may be as small as $10^{-30}$ and still not be zero.
# - The result has shape `(N,)`.
# - Where both densities are zero every $f$ is as good as any other. We agree on ½, the answer that takes no side.


# %% nbgrader={"grade_id": "optimal_classifier", "solution": true}
def optimal_classifier(p1, p2):
    """The classifier that maximises the objective.

    Args:
        p1, p2: Densities of the two classes, shape (N,) each, zeros allowed.

    Returns:
        Probabilities of class 1, shape (N,); ½ where both densities are zero.
    """
    ### BEGIN SOLUTION
    from torch import where

    # p1/f = p2/(1 − f) is a linear equation in f once the denominators are gone. Its solution is also
    # right where one density is zero: 1 if p2 = 0, and 0 if p1 = 0. Only 0/0 needs a rule of its own.
    # A small constant in the denominator would not be that rule: it would spoil small densities.
    evidence = p1 + p2
    return where(evidence > 0, p1 / evidence, 0.5)
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_optimal_classifier", "grade": true, "locked": true, "points": 2}
check(optimal_classifier)

# %% [markdown]
# Can anybody beat it? We bend your classifier in 400 random ways, a little or a lot, and let the results compete.

# %%
try:
    best = optimal_classifier(density1, density2)
    best_score = classifier_objective(best, density1, density2, weights).item()
except NotImplementedError:
    print("Write `classifier_objective` and `optimal_classifier` first, then run this cell again.")
else:
    sizes = 0.05 + 1.45 * torch.rand(400, generator=generator, dtype=torch.float64)
    wave = torch.rand(2, 400, generator=generator, dtype=torch.float64)
    bends = [
        a * torch.sin((1 + 4 * k) * x + 6.3 * shift)
        for a, k, shift in zip(sizes, *wave, strict=True)
    ]
    bent = [torch.sigmoid(torch.logit(best) + bend) for bend in bends]
    gaps = torch.stack(
        [best_score - classifier_objective(f, density1, density2, weights) for f in bent]
    )
    claim(
        "your classifier beats the four of the beginning",
        all(best_score > score + 0.1 for score in scores.values()),
    )
    claim("none of 400 bent versions reaches it", (gaps > 1e-6).all())

    figure, (left, right) = plotting.new_figure(2, size=(4.6, 3.1))
    for f in bent[:12]:
        left.plot(x, f, color=plotting.COLOURS[6], linewidth=0.7)
    left.plot(x, best, color=plotting.COLOURS[0], label="yours")
    left.set(xlabel="x", ylabel="f(x)", xlim=(-5, 5))
    left.legend()
    right.plot(sizes, gaps, ".", color=plotting.COLOURS[0], markersize=3)
    right.set(xlabel="size of the bend", ylabel="loss against yours (nats)", ylim=(0, None))
    display(figure)

# %% [markdown]
# **What to see** (once the figure is there). The loss is never negative, and near the left edge it goes to zero faster than the
# bend does: half the bend, a quarter of the loss. That is the look of a maximum, where the first derivative is gone and the
# second one rules. Notice also that the blue curve does not simply rise from one class to the other: far out it comes down again.
# Why?

# %% [markdown]
# ## 4 · Where densities vanish
#
# In many dimensions a density is a product of many factors. For an image of 784 pixels $10^{-300}$ is nothing unusual, and below
# $10^{-308}$ (in float32: $10^{-38}$) the computer begins to run out of numbers. What one has instead are log-densities. Write
# the best classifier as a function of them.
#
# - `log_p1`, `log_p2`: shape `(N,)` each, between $-10^4$ and $10^4$, or $-\infty$ where a density is zero.
# - The result has shape `(N,)`: probabilities, not their logarithms.
# - It must be right, to 0.001 in float32 and to $10^{-9}$ in float64, also where `exp` of the inputs is 0 or infinite.
# - ½ where both inputs are $-\infty$, and only there.


# %% nbgrader={"grade_id": "optimal_classifier_from_logs", "solution": true}
def optimal_classifier_from_logs(log_p1, log_p2):
    """The classifier that maximises the objective, from the logarithms of the densities.

    Args:
        log_p1, log_p2: Log-densities of the two classes, shape (N,) each, −∞ allowed.

    Returns:
        Probabilities of class 1, shape (N,); ½ where both log-densities are −∞.
    """
    ### BEGIN SOLUTION
    from torch import sigmoid, where

    # Divide numerator and denominator by p1: f* = 1/(1 + p2/p1) = sigmoid(log p1 − log p2). Only the
    # ratio of the densities is left, and its logarithm is a harmless difference. The sigmoid is 0 or
    # 1 where that difference is −∞ or +∞, as it should be.
    log_ratio = log_p1 - log_p2

    # −∞ − (−∞) is NaN. It arises only where both densities are zero, so that is where the rule goes.
    return where(log_ratio.isnan(), 0.5, sigmoid(log_ratio))
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_optimal_classifier_from_logs", "grade": true, "locked": true, "points": 3}
check(optimal_classifier_from_logs)

# %% [markdown]
# How far out do the two versions agree? One dimension is enough to see it, if we go far enough.

# %%
far = torch.linspace(-60, 60, 1201, dtype=torch.float64)
log1, log2 = class1.log_prob(far), class2.log_prob(far)
outside = far.abs() > 40
try:
    by_density = optimal_classifier(log1.exp(), log2.exp())
    by_logs = optimal_classifier_from_logs(log1, log2)
except NotImplementedError:
    print(
        "Write `optimal_classifier` and `optimal_classifier_from_logs` first, then run this cell again."
    )
else:
    claim(
        "for |x| < 10 the two agree, to 1e-9",
        (by_density - by_logs)[far.abs() < 10].abs().max() < 1e-9,
    )
    claim(
        "for |x| > 40 both densities are 0 in float64",
        ((log1.exp() == 0) & (log2.exp() == 0))[outside].all(),
    )
    claim("the version with densities is undecided there", (by_density[outside] == 0.5).all())
    claim(
        "the version with logarithms is not: it is sure of class 2", (by_logs[outside] < 1e-9).all()
    )

    figure, (axis,) = plotting.new_figure(size=(6.0, 2.9))
    axis.plot(
        far, by_density, color=plotting.COLOURS[1], linewidth=3, alpha=0.6, label="from densities"
    )
    axis.plot(far, by_logs, color=plotting.COLOURS[0], label="from log-densities")
    axis.set(xlabel="x", ylabel="f(x)", ylim=(-0.03, 1.03))
    axis.legend()
    display(figure)

# %% [markdown]
# **What to see** (once the figure is there). Both are right in the middle. Beyond $|x|\approx 39$ the red curve jumps to ½: it
# applies, in good faith, the rule for points that no class produces. But these points are not impossible, only very unlikely, and
# one class is still incomparably less unlikely than the other. Out there a discriminator that is trained has never seen a sample
# either; what a network says at such points is extrapolation.

# %% [markdown]
# ## 5 · How well the best classifier does
#
# What does the best classifier score? The number $\mathcal L(f^*)$ no longer depends on a classifier, only on the two densities.
# It says how far apart they are, and there is a name for that: with the average $p_a=\tfrac12(p_1+p_2)$, the **Jensen–Shannon
# divergence** (JS 散度) is
#
# $$\mathrm{JS}(p_1,p_2)=\tfrac12\,\mathrm{KL}(p_1,p_a)+\tfrac12\,\mathrm{KL}(p_2,p_a),\qquad \mathrm{KL}(p,q)=\int p(x)\log\frac{p(x)}{q(x)}\,dx .$$
#
# The score is an affine function of it. Which one? Work it out, or compute $\mathcal L(f^*)$ without it; either way will do.
#
# - `p1`, `p2`, `weights`: shape `(N,)` each, with $\sum_n w_n\,p(x_n)=1$ for both densities.
# - The result is a scalar tensor (shape `()`), the score itself, not the divergence.
# - Zeros again: $0\cdot\log 0=0$, also where *both* densities are zero.
# - Two tests by thought: equal densities, and densities that are nowhere positive together.


# %% nbgrader={"grade_id": "optimal_value", "solution": true}
def optimal_value(p1, p2, weights):
    """The largest value of the objective, attained by the best classifier, in nats.

    Args:
        p1, p2: Densities of the two classes, shape (N,) each, zeros allowed.
        weights: Quadrature weights, shape (N,), positive.

    Returns:
        A scalar tensor, shape ().
    """
    ### BEGIN SOLUTION
    from math import log

    from torch.special import xlogy

    # f* = p1/(p1 + p2) = ½·p1/p_a, and likewise 1 − f* = ½·p2/p_a. Each of the two expectations
    # becomes a divergence from p_a plus log ½: together 2·JS − 2·log 2.
    average = (p1 + p2) / 2

    # log(p/p_a) as a difference: xlogy then takes care of p = 0, and p_a = 0 implies p = 0. It also keeps
    # the digits of a small 1 − f*, which would be lost by subtracting f* from 1.
    divergence1 = (weights * (xlogy(p1, p1) - xlogy(p1, average))).sum()  # KL(p1, p_a)
    divergence2 = (weights * (xlogy(p2, p2) - xlogy(p2, average))).sum()  # KL(p2, p_a)
    return divergence1 + divergence2 - 2 * log(2)
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_optimal_value", "grade": true, "locked": true, "points": 3}
check(optimal_value)

# %% [markdown]
# Two Gaussians of variance 1, moved apart step by step:

# %%
distances = torch.linspace(0, 8, 81, dtype=torch.float64)
line = torch.linspace(-12, 12, 2401, dtype=torch.float64)
line_weights = torch.full_like(line, 0.01)
try:
    values = torch.stack(
        [
            optimal_value(
                Normal(-d / 2, 1.0).log_prob(line).exp(),
                Normal(d / 2, 1.0).log_prob(line).exp(),
                line_weights,
            )
            for d in distances
        ]
    )
except NotImplementedError:
    print("Write `optimal_value` first, then run this cell again.")
else:
    undecided = 2 * torch.tensor(0.5, dtype=torch.float64).log()
    claim("at distance 0 nobody beats 'always ½', to 1e-9", abs(values[0] - undecided) < 1e-9)
    claim("the further apart, the better the best classifier", (values.diff() > 0).all())
    claim_between("its score at distance 8", values[-1], -0.001, 0)

    figure, (left, right) = plotting.new_figure(2, size=(4.4, 3.0))
    left.plot(distances, values, color=plotting.COLOURS[0])
    left.set(xlabel="distance of the means", ylabel="best score (nats)")
    right.plot(distances[1:], values.diff() / distances.diff(), color=plotting.COLOURS[1])
    right.set(xlabel="distance of the means", ylabel="its slope (nats per unit)")
    display(figure)

# %% [markdown]
# **What to see** (once the figure is there). The score rises from that of "always ½" and then runs into a ceiling. The right
# panel is what a generator would feel that tries to move $p_2$ towards $p_1$ while its opponent is always the best classifier.
# Close by there is something to follow. Far away, where it is needed most, there is next to nothing.

# %% [markdown]
# ## 6 · When one class is rarer
#
# Now let the classes have the prior probabilities $P(c_1)=\pi$ and $P(c_2)=1-\pi$. The objective becomes the expected
# log-probability of the true class,
#
# $$\mathcal L_\pi(f)=\pi\,E_{x\sim p_1}\big[\log f(x)\big]+(1-\pi)\,E_{x\sim p_2}\big[\log(1-f(x))\big].$$
#
# Which $f$ maximises it? You do not have to start again: look for the place where $\pi$ enters the argument.
#
# - `p1`, `p2`: shape `(N,)` each; `prior1`: the float $\pi$, $0<\pi<1$.
# - The result has shape `(N,)`. Where both densities are zero any number in $[0,1]$ is right.


# %% nbgrader={"grade_id": "optimal_classifier_with_prior", "solution": true}
def optimal_classifier_with_prior(p1, p2, prior1):
    """The classifier that maximises the expected log-probability of the true class.

    Args:
        p1, p2: Densities of the two classes, shape (N,) each, zeros allowed.
        prior1: The prior probability of class 1, a float strictly between 0 and 1.

    Returns:
        Probabilities of class 1, shape (N,); any in [0, 1] where both densities are zero.
    """
    ### BEGIN SOLUTION
    from torch import where

    # The priors multiply the densities in the integrand, and nothing else changes: the argument that
    # gave f* goes through with π·p1 and (1 − π)·p2 in place of p1 and p2. The result is Bayes' rule.
    joint1 = prior1 * p1
    marginal = joint1 + (1 - prior1) * p2
    return where(marginal > 0, joint1 / marginal, prior1)  # without evidence: the prior
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_optimal_classifier_with_prior", "grade": true, "locked": true, "points": 2}
check(optimal_classifier_with_prior)

# %% [markdown]
# The two classes of the beginning once more, with class 1 more and more rare:

# %%
priors = (0.9, 0.5, 0.1, 0.01)
try:
    curves = {prior: optimal_classifier_with_prior(density1, density2, prior) for prior in priors}
except NotImplementedError:
    print("Write `optimal_classifier_with_prior` first, then run this cell again.")
else:
    figure, (axis,) = plotting.new_figure(size=(6.0, 3.2))
    for (prior, f), colour in zip(curves.items(), plotting.COLOURS, strict=False):
        axis.plot(x, f, color=colour, label=f"π = {prior}")
        everything = (
            prior * density1 + (1 - prior) * density2
        )  # the density of x, whatever its class
        claim(
            f"π = {prior}: averaged over all data, the best f is π, to 1e-6",
            abs((weights * everything * f).sum() - prior) < 1e-6,
        )
    lower = [(rarer < f).all() for f, rarer in itertools.pairwise(curves.values())]
    claim("the rarer class 1, the lower the curve, everywhere", all(lower))
    axis.set(xlabel="x", ylabel="f(x)", xlim=(-5, 5), ylim=(-0.03, 1.2))
    axis.legend(loc="upper center", ncols=4)
    display(figure)

# %% [markdown]
# **What to see** (once the figure is there). A small prior pulls the curve down, but not by the same amount everywhere: where the
# evidence is overwhelming it hardly moves. On average the best classifier says "class 1" exactly as often as class 1 occurs. A
# GAN feeds its discriminator equally many real and generated samples, so $\pi=\tfrac12$ there, by design.

# %% [markdown]
# ## The written answer
#
# Prove the statement at the top of this notebook, in whole sentences and with every step. Then say what it means for the
# discriminator of a GAN.
#
# | points | for |
# |---|---|
# | 1 | why the problem may be solved at each $x$ by itself, and why a pointwise maximiser then maximises the integral |
# | 1 | the stationary point, and why it is the maximum on all of $[0,1]$: second-order condition and both ends |
# | 1 | the points where one density is zero or both are; in which sense the optimum is unique |
# | 1 | the discriminator: what the best one knows, its objective as a function of the two distributions, and what this says about the generator's training |

# %% [markdown] nbgrader={"grade_id": "written_13_4", "solution": true, "grade": true, "points": 4}
# **Setting.** Write $p_1,p_2$ for the class densities. A classifier is any measurable function $f$ with values in $[0,1]$. With
# the conventions $\log 0=-\infty$ and $0\cdot\log 0=0$,
#
# $$\mathcal L(f)=\int h_x\big(f(x)\big)\,dx,\qquad h_x(t)=p_1(x)\log t+p_2(x)\log(1-t)\quad\text{for } t\in[0,1].$$
#
# The integrand is never positive, so the integral is well defined, possibly $-\infty$. It is not $-\infty$ for every classifier:
# $f\equiv\tfrac12$ has $\mathcal L=-2\log 2$. With equal priors the cross-entropy is $-\tfrac12\mathcal L(f)$; so maximising
# $\mathcal L$ and minimising the cross-entropy are one and the same.
#
# **Step 1: the problem falls apart into one for each $x$.** No condition ties the value of $f$ at one point to its value at
# another. Suppose $f^*$ is a classifier such that for every $x$
#
# $$h_x(t)\le h_x\big(f^*(x)\big)\qquad\text{for all } t\in[0,1].$$
#
# For any classifier $f$, put $t=f(x)$ and integrate over $x$. The integral is monotone, hence $\mathcal L(f)\le\mathcal L(f^*)$.
# It remains to maximise the function $h_x$ of one variable, and to see that the result is measurable. From here on $x$ is fixed,
# and $a=p_1(x)\ge0$, $b=p_2(x)\ge0$.
#
# **Step 2: both densities positive.** On the open interval $0<t<1$ the function $h=h_x$ is differentiable with
#
# $$h'(t)=\frac at-\frac b{1-t},\qquad h''(t)=-\frac a{t^2}-\frac b{(1-t)^2}.$$
#
# A stationary point satisfies $a(1-t)=bt$. This equation is linear, and its only solution is
#
# $$t^*=\frac a{a+b},\qquad 0<t^*<1.$$
#
# A stationary point alone could be a minimum or neither. The second-order condition decides: $h''<0$ on the *whole* interval, so
# $h$ is strictly concave there, and $h'$ is strictly decreasing. As $h'(t^*)=0$, it is positive to the left of $t^*$ and negative
# to the right. Hence $h$ rises strictly up to $t^*$ and falls strictly after it. So $t^*$ is a global maximum on the open
# interval, and the only one.
#
# *The ends.* At $t=0$ the first term is $a\log 0=-\infty$, at $t=1$ the second one is $b\log 0=-\infty$, while $h(t^*)$ is
# finite. So neither end is a maximum, and $t^*$ is the unique maximiser on $[0,1]$.
#
# **Step 3: a density is zero.**
#
# - $a>0$, $b=0$. Then $h(t)=a\log t$ with $h'(t)=a/t>0$: there is no stationary point, and the condition $h'=0$ finds nothing.
#   But $h$ increases strictly on $[0,1]$, so its unique maximum is at the end $t=1$, where $h=0$. The formula $a/(a+b)$ gives
#   this value as well.
# - $a=0$, $b>0$. Likewise $h(t)=b\log(1-t)$ decreases strictly, and its unique maximum is at $t=0=a/(a+b)$.
# - $a=b=0$. Then $h\equiv0$ and every $t\in[0,1]$ is a maximiser. We choose $\tfrac12$; the choice adds nothing to the integral.
#
# In all cases
#
# $$\boxed{\;f^*(x)=\frac{p_1(x)}{p_1(x)+p_2(x)}\quad\text{where } p_1(x)+p_2(x)>0\;}$$
#
# maximises $h_x$. As a quotient of measurable functions, completed by a constant on a measurable set, $f^*$ is measurable. By
# step 1 no classifier scores higher.
#
# **Step 4: uniqueness, as far as it goes.** Let $f$ score as high as $f^*$. Since $\mathcal L(f^*)\ge-2\log2$ is finite, the two
# integrals may be subtracted:
#
# $$\int\Big[h_x\big(f^*(x)\big)-h_x\big(f(x)\big)\Big]dx=0 .$$
#
# The bracket is nowhere negative, so it vanishes except on a set of measure zero. Where it vanishes and $p_1+p_2>0$, steps 2 and
# 3 leave only $f(x)=f^*(x)$. Hence $f=f^*$ almost everywhere on the set where $p_1+p_2>0$. More cannot be said, and that is no
# defect of the proof: an integral does not see a set of measure zero, so $f^*$ may be changed on such a set without any effect,
# and where both densities vanish $f$ may be anything at all.
#
# *The size of the gap.* Where $p_1+p_2>0$, divide the bracket by $p_1+p_2$ and use $p_1=(p_1+p_2)f^*$, $p_2=(p_1+p_2)(1-f^*)$:
#
# $$\mathcal L(f^*)-\mathcal L(f)=\int(p_1+p_2)\Big[f^*\log\frac{f^*}{f}+(1-f^*)\log\frac{1-f^*}{1-f}\Big]dx .$$
#
# The bracket is the KL divergence between two coins, with the probabilities $f^*$ and $f$. So training a classifier with this
# objective means bringing $f(x)$ close to the true posterior $p(c_1|x)$, at each $x$ with the weight of how often $x$ occurs.
# This is a second proof, as a KL divergence is never negative.
#
# **Step 5: the value.** With $p_a=\tfrac12(p_1+p_2)$ we have $f^*=\tfrac12\,p_1/p_a$ and $1-f^*=\tfrac12\,p_2/p_a$ wherever
# $p_a>0$. As both densities integrate to 1,
#
# $$\mathcal L(f^*)=\int p_1\log\frac{p_1}{p_a}\,dx+\int p_2\log\frac{p_2}{p_a}\,dx-2\log2=2\,\mathrm{JS}(p_1,p_2)-2\log 2 .$$
#
# It lies between $-2\log 2$, if and only if the densities agree almost everywhere, and $0$, if they are nowhere positive
# together: then $f^*$ is 1 on the one support and 0 on the other, and never wrong.
#
# **Other priors.** With the weights $\pi$ and $1-\pi$ the integrand is $\pi p_1\log t+(1-\pi)p_2\log(1-t)$. Steps 1 to 4 used of
# $p_1,p_2$ only that they are not negative; so they hold for $\pi p_1$, $(1-\pi)p_2$, and the optimum is
# $\pi p_1/(\pi p_1+(1-\pi)p_2)=p(c_1|x)$, by Bayes' rule.
#
# **What it says about the discriminator.** Let $c_1$ stand for real data, $p_1=p_r$, and $c_2$ for generated data,
# $p_2=p_\theta$.
#
# - *What the best one knows.* $D^*=p_r/(p_r+p_\theta)$, hence $\log\frac{D^*}{1-D^*}=\log\frac{p_r}{p_\theta}$: in front of its
#   sigmoid the best discriminator holds the log-ratio of the two densities. Neither density alone can be read off it. It has
#   learned a density ratio from samples only; that is how a GAN gets along without an explicit density.
# - *Its objective measures a divergence.* With $D=D^*$ the generator minimises $2\,\mathrm{JS}(p_r,p_\theta)-2\log2$. The minimum
#   $-2\log2$ is attained exactly at $p_\theta=p_r$, and then $D^*\equiv\tfrac12$: the best discriminator can do no better than
#   toss a coin. A discriminator at ½ is therefore what success looks like. A poor discriminator looks the same, so ½ alone proves
#   nothing.
# - *A discriminator can be too good.* If the supports are disjoint, the value is $0$ whatever the distance between them. It stays
#   constant as long as they stay disjoint, so its gradient with respect to $\theta$ is zero: the generator learns nothing from a
#   perfect opponent. That was the right panel of part 5.
# - *What it does not say.* The proof lets $f$ be any function, and knows both densities. A network is one of a limited family, is
#   trained for finitely many steps, and sees samples. Where neither class has mass, $D^*$ is not determined at all, and what a
#   network says there is extrapolation; yet a generator may well be steered by it. $\blacksquare$

# %% [markdown]
# ## Where to read on
#
# - I. Goodfellow and others, *Generative Adversarial Nets*, 2014: proposition 1 is this exercise, theorem 1 is its consequence
#   for the generator.
# - C. M. Bishop, *Pattern Recognition and Machine Learning*, 2006: sections 1.5 and 4.2, on posterior probabilities and why the
#   sigmoid appears.
# - J. Lin, *Divergence Measures Based on the Shannon Entropy*, 1991: where the JS divergence comes from, and its bounds.
# - T. Gneiting, A. E. Raftery, *Strictly Proper Scoring Rules, Prediction, and Estimation*, 2007: all objectives whose optimum is
#   the true probability.
# - M. Sugiyama, T. Suzuki, T. Kanamori, *Density Ratio Estimation in Machine Learning*, 2012: classifiers as estimators of a
#   ratio.
# - S. Mohamed, B. Lakshminarayanan, *Learning in Implicit Generative Models*, 2016: GANs seen from there.
# - M. Arjovsky, L. Bottou, *Towards Principled Methods for Training Generative Adversarial Networks*, 2017: what goes wrong when
#   the discriminator is too good.
