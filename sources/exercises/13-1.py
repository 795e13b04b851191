# %% [markdown]
# # Exercise 13-1 · The gradient of an expectation over a discrete variable
#
# *Sections 13.2.5 and 13.2.6 of the chapter.*
#
# **The problem (习题 13-1).** For a discrete variable (离散变量) $z\sim p_\theta(z)$ and a function $f(z)$, how is the gradient (梯度) of the
# expectation (期望) $E[f(z)]$ with respect to $\theta$ computed?
#
# For a Gaussian $z$ the chapter answers with **reparameterisation** (再参数化): $z=\mu+\sigma\varepsilon$, and the gradient flows through $z$. A
# VAE with discrete **latent variables** (隐变量), a generator of text, or an agent that chooses between actions needs another answer. There are three, and you
# will write all of them: add up all categories, which is exact; the **score-function estimator** (得分函数估计), together with the **baseline** (基线) that
# makes it usable; and the **Gumbel-softmax** relaxation, which bends the problem until reparameterisation works again.
#
# | | function | | points |
# |---|---|---|---|
# | 1 | `expectation_gradient` | the exact gradient, by enumeration (枚举) | 2 |
# | 2 | `score_function_terms` | what one sample contributes to the estimate | 2 |
# | 3 | `optimal_baseline` | the baseline with the smallest variance (方差) | 2 |
# | 4 | `gumbel_softmax` | relaxed samples that can be differentiated | 2 |
# | | written | why a discrete $z$ is different, and what each answer costs | 4 |
#
# **Notation.** $z$ takes the values $0,\dots,K-1$. The parameters $\theta$ are the **logits** $\ell\in\mathbb R^K$; they may be any real numbers, and
#
# $$p(k)=\frac{e^{\ell_k}}{\sum_{j}e^{\ell_j}}\quad\text{(softmax)},\qquad E[f(z)]=\sum_{k}p(k)\,f(k).$$
#
# In code `logits` and `values` have shape `(K,)`, with `values[k]` $=f(k)$; $f$ does not depend on the logits. All gradients are with respect to the logits.
# Tensors are float32 or float64, and a result has the dtype of the inputs. Logits reach from $-1000$ to $1000$ unless something else is said: think of
# $e^{1000}$ before you write `exp`.

# %%
import torch
from IPython.display import display

import gm_course
from gm_course import plotting
from gm_course.checks import check
from gm_course.claims import claim, claim_between

runtime = gm_course.setup(seed=0)

# %% [markdown]
# ## Before you start: hold the randomness still, move the parameter
#
# Reparameterisation draws the noise once and asks how the sample moves when the parameter does. We can ask that of any sampler. On the left,
# $z=\mu+\varepsilon$ with five fixed draws of $\varepsilon\sim N(0,1)$, and $f(z)=\sin z$. On the right, $z$ is one of three categories with logits
# $(t,\,0,\,-0.5)$ and $f=(2,0,1)$; the sampler lays the three probabilities side by side on $[0,1]$ and looks where a uniform number $u$ falls. Five draws
# of $u$ are fixed, and $t$ moves.

# %%
noise = torch.tensor([-1.6, -0.7, 0.1, 0.8, 1.7], dtype=torch.float64)
uniforms = torch.tensor([0.12, 0.31, 0.5, 0.72, 0.93], dtype=torch.float64)
heights = torch.tensor([2.0, 0.0, 1.0], dtype=torch.float64)  # f of the three categories
path = torch.linspace(-4, 4, 401, dtype=torch.float64)  # of the parameter


def category_probabilities(t: torch.Tensor) -> torch.Tensor:
    """Shape (T,) -> (T, 3)."""
    return torch.stack([t, 0 * t, 0 * t - 0.5], dim=1).softmax(dim=1)


def sampled_heights(t: torch.Tensor) -> torch.Tensor:
    """f of the category in which each fixed uniform number falls; shape (T,) -> (T, 5)."""
    edges = category_probabilities(t).cumsum(dim=1)[:, :2]  # the right edges of two intervals
    return heights[(uniforms[:, None] > edges[:, None, :]).sum(dim=2)]


gaussian_paths = torch.sin(path[:, None] + noise)  # (401, 5)
gaussian_expectation = torch.sin(path) * torch.exp(
    torch.tensor(-0.5)
)  # E sin(μ + ε) = e^(−½) sin μ
category_paths = sampled_heights(path)
category_expectation = category_probabilities(path) @ heights

# %%
figure, axes = plotting.new_figure(2, size=(4.6, 3.2))
panels = [
    (gaussian_paths, gaussian_expectation, "a Gaussian z", "mean μ"),
    (category_paths, category_expectation, "a discrete z", "logit t of the first category"),
]
for axis, (samples, expectation, title, xlabel) in zip(axes, panels, strict=True):
    for column, colour in zip(samples.T, plotting.COLOURS, strict=False):
        axis.plot(path, column, color=colour, linewidth=1)
    axis.plot(path, expectation, color="black", linewidth=2.5, label="E[f(z)]")
    axis.set(title=title, xlabel=xlabel)
    axis.legend(loc="lower right")
axes[0].set_ylabel("f(z) of five samples")
figure

# %%
here, step = torch.tensor([0.3], dtype=torch.float64), 1e-6
difference = sampled_heights(here + step) - sampled_heights(here)
slope = (category_probabilities(here + step) - category_probabilities(here)) @ heights / step
claim("moving t by 1e-6 moves none of the five discrete samples", (difference == 0).all())
claim_between("the slope of E[f(z)] at the same place", slope, 0.2, 0.5)
difference = torch.sin(here + step + noise) - torch.sin(here + noise)
claim("moving μ by 1e-6 moves all of the five Gaussian samples", (difference != 0).all())

# %% [markdown]
# **What to see.** Both thick curves, the expectations, are smooth: there is a gradient to be found on either side. On the left each thin curve has a
# slope, and the slope of the thick one is their average. On the right every thin curve is flat, and then it jumps. What is the average of the slopes of
# the thin curves there, and what does it have to do with the slope of the thick one? Keep the question in mind; it comes back in the written part.

# %% [markdown]
# ## 1 · Adding up all categories
#
# With $K$ categories the expectation is a finite sum, and nothing needs to be sampled. Differentiate it:
#
# $$g_j=\frac{\partial}{\partial\ell_j}\sum_k p(k)\,f(k),\qquad j=0,\dots,K-1.$$
#
# The values $f(k)$ are constants; the probabilities depend on the logits, each of them on *every* logit.
#
# - `logits`, `values`: shape `(K,)`; $K=1$ is allowed.
# - The result has shape `(K,)`: entry $j$ is $g_j$.
# - Three tests by thought: adding one constant to all values must not change $g$; neither does adding one to all logits; and the entries of $g$ add up to 0. Why?


# %% nbgrader={"grade_id": "expectation_gradient", "solution": true}
def expectation_gradient(logits, values):
    """The exact gradient of E[f(z)] with respect to the logits.

    Args:
        logits: Parameters of the categorical variable z, shape (K,).
        values: f(k) for each category k, shape (K,).

    Returns:
        Shape (K,).
    """
    ### BEGIN SOLUTION
    from torch import softmax

    # torch's softmax subtracts the largest logit before it exponentiates, so that no exponential
    # overflows and at least one of them is 1.
    p = softmax(logits, dim=0)

    # ∂p(k)/∂ℓ_j = p(k)·(1[k = j] − p(j)). Multiply by f(k) and add up over k: the indicator leaves
    # p(j) f(j), the other term p(j) times the expectation.
    expectation = (p * values).sum()
    return p * (values - expectation)
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_expectation_gradient", "grade": true, "locked": true, "points": 2}
check(expectation_gradient)

# %% [markdown]
# ## 2 · The score-function estimator
#
# Enumeration needs $f$ for every category. If $z$ consists of 50 binary variables there are $2^{50}$ of them, and often $f$ can only be tried out, one $z$
# at a time. The score-function estimator (REINFORCE) gets by with samples. It rests on $\nabla p=p\,\nabla\log p$, which turns the gradient of an expectation into an expectation again:
#
# $$\nabla_\ell E[f(z)]=\sum_k f(k)\,\nabla_\ell\,p(k)=E\big[f(z)\,\nabla_\ell\log p(z)\big]\qquad(\texttt{score-function}).$$
#
# The vector $\nabla_\ell\log p(z)\in\mathbb R^K$ is called the **score**. A constant **baseline** $b$ may be subtracted from $f$. For samples
# $z_1,\dots,z_N$ the estimate is the average of the $N$ **terms**
#
# $$\big(f(z_n)-b\big)\,\nabla_\ell\log p(z_n).$$
#
# Write the function that returns all of them, *not* averaged.
#
# - `logits`, `values`: shape `(K,)`; `z`: shape `(N,)`, int64, the sampled categories; `baseline`: a float, 0 if not given.
# - The result has shape `(N, K)`: one row per sample, one column per logit.
# - Sampling has already happened: the function only gets its outcome, and any category may come, however improbable.


# %% nbgrader={"grade_id": "score_function_terms", "solution": true}
def score_function_terms(logits, values, z, baseline=0.0):
    """The contribution of each sample to the score-function estimate of the gradient.

    Args:
        logits: Parameters of the categorical variable, shape (K,).
        values: f(k) for each category k, shape (K,).
        z: Sampled categories, shape (N,), int64.
        baseline: A constant that is subtracted from f.

    Returns:
        Shape (N, K); row n is (f(z_n) − baseline) · ∇ log p(z_n).
    """
    ### BEGIN SOLUTION
    from torch import eye, softmax

    p = softmax(logits, dim=0)  # (K,)

    # log p(z) = ℓ_z − log Σ_j exp ℓ_j. The first term contributes a 1 in place z, the derivative of
    # the second is the softmax. No logarithm is ever taken, so a p(z) of 0 does no harm.
    one_hot = eye(len(p), dtype=p.dtype, device=p.device)[z]  # (N, K)
    score = one_hot - p

    advantage = values[z] - baseline  # (N,): how much better than the baseline each sample is
    return advantage[:, None] * score
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_score_function_terms", "grade": true, "locked": true, "points": 2}
check(score_function_terms)

# %% [markdown]
# Now let the two functions meet. With `z = 0, 1, …, K − 1` the rows are all the terms there are, and their average *with the weights $p(k)$* is the exact
# expectation of the estimator: no Monte Carlo needed, so no noise either.

# %%
toy_logits = torch.tensor([1.2, 0.3, -0.8], dtype=torch.float64)
toy_values = torch.tensor([2.0, 3.0, 6.0], dtype=torch.float64)
toy_p = toy_logits.softmax(dim=0)
every_category = torch.arange(3)

try:
    exact = expectation_gradient(toy_logits, toy_values)
    for b in (0.0, 2.5, -10.0):
        terms = score_function_terms(toy_logits, toy_values, every_category, baseline=b)
        error = (toy_p @ terms - exact).abs().max()
        claim(f"baseline {b:5}: the expected term is the exact gradient, to 1e-12", error < 1e-12)
except NotImplementedError:
    print("Write `expectation_gradient` and `score_function_terms` first, then run this again.")

# %% [markdown]
# ## 3 · The best baseline
#
# The baseline does not change the expectation of a term, but it changes its variance. The **total variance** of a term is the trace (迹) of its covariance, the
# variances of its $K$ entries added up. Written with the exact gradient $g$ of answer 1,
#
# $$V(b)=E\Big[\big\|\big(f(z)-b\big)\,\nabla_\ell\log p(z)-g\big\|^2\Big].$$
#
# Averaging $N$ independent terms divides it by $N$. Halving $V$ therefore saves half of the samples, and a constant costs nothing. Find the $b$ that minimises $V$.
#
# - `logits`: shape `(K,)`, here between $-50$ and $50$, with $K\ge2$ and no probability equal to 1; `values`: shape `(K,)`.
# - The result is a scalar tensor, shape `()`.
# - Two tests by thought: what must come out if all values are equal? And if all *probabilities* are equal?


# %% nbgrader={"grade_id": "optimal_baseline", "solution": true}
def optimal_baseline(logits, values):
    """The constant baseline that minimises the total variance of the score-function terms.

    Args:
        logits: Parameters of the categorical variable, shape (K,), K ≥ 2.
        values: f(k) for each category k, shape (K,).

    Returns:
        A scalar tensor, shape ().
    """
    ### BEGIN SOLUTION
    from torch import eye, softmax

    p = softmax(logits, dim=0)  # (K,)
    scores = eye(len(p), dtype=p.dtype, device=p.device) - p  # (K, K); row k is ∇ log p(k)

    # E‖term − g‖² = E‖term‖² − ‖g‖², and g does not depend on b. What is left,
    # Σ_k p(k) (f(k) − b)² ‖score_k‖², is a parabola in b; its derivative vanishes at a weighted mean.
    # The squares are added up as they are: expanded to 1 − 2p(k) + Σ_j p(j)² they would cancel, and
    # lose their digits, where p(k) is close to 1.
    weights = p * scores.square().sum(dim=1)  # (K,)
    return (weights * values).sum() / weights.sum()
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_optimal_baseline", "grade": true, "locked": true, "points": 2}
check(optimal_baseline)

# %% [markdown]
# What is it worth? The next cell draws $V(b)$ for the example above, again by enumeration, and marks three baselines: none, the popular $E[f(z)]$, and yours.


# %%
def total_variance(terms: torch.Tensor) -> torch.Tensor:
    """Trace of the covariance of the terms, one row for each category; shape (K, K) -> ()."""
    return toy_p @ (terms - toy_p @ terms).square().sum(dim=1)


try:
    best = optimal_baseline(toy_logits, toy_values).item()
    candidates = torch.linspace(-1, 7, 161, dtype=torch.float64)
    curve = torch.stack(
        [
            total_variance(score_function_terms(toy_logits, toy_values, every_category, baseline=b))
            for b in candidates.tolist()
        ]
    )
    marked = {"none": 0.0, "E[f(z)]": (toy_p @ toy_values).item(), "yours": best}
    variances = {
        name: total_variance(score_function_terms(toy_logits, toy_values, every_category, b)).item()
        for name, b in marked.items()
    }
except NotImplementedError:
    print("Write `score_function_terms` and `optimal_baseline` first, then run this again.")
else:
    claim(
        "no baseline on the grid has a smaller variance than yours",
        variances["yours"] <= curve.min(),
    )
    claim("not even E[f(z)]", variances["yours"] < variances["E[f(z)]"])
    claim_between(
        "variance without a baseline over variance with yours",
        variances["none"] / variances["yours"],
        5,
        12,
    )

    figure, (axis,) = plotting.new_figure(size=(5.4, 3.3))
    axis.plot(candidates, curve, color=plotting.COLOURS[0])
    for (name, b), marker, colour in zip(
        marked.items(), plotting.MARKERS, plotting.COLOURS[1:], strict=False
    ):
        axis.plot(b, variances[name], marker, color=colour, markersize=9, label=name)
    axis.set(xlabel="baseline b", ylabel="total variance of one term", ylim=(0, None))
    axis.legend(title="baseline")
    display(figure)

# %% [markdown]
# **What to see** (once the figure is there). A parabola, with your mark at its lowest point. $E[f(z)]$ already does most of the work, and
# people like it because it can be estimated as a running average. Even the lowest point is not at zero. A baseline removes what all samples have in common, not what
# distinguishes them.

# %% [markdown]
# ## 4 · The Gumbel-softmax relaxation
#
# There *is* a way to write a discrete sample as a function of the logits and of noise that does not depend on them. With $u_0,\dots,u_{K-1}$ uniform on $(0,1)$ and independent,
#
# $$G_k=-\log(-\log u_k)\quad\text{(Gumbel noise)},\qquad z=\arg\max_k\,(\ell_k+G_k)\ \text{ has the probabilities } p(k).$$
#
# This is the **Gumbel-max trick**. You met the obstacle in the first figure: an arg max jumps. The relaxation of Jang, Gu and Poole (2017) and of Maddison, Mnih and Teh (2017) puts
# a softmax with **temperature** (温度) $\tau>0$ where the arg max stood. Instead of the one-hot vector of $z$, a sample is then a vector of $K$ positive entries that add up to
# 1. As $\tau\to0$ it approaches the one-hot vector of the *same* $z$; as $\tau\to\infty$ all of its entries approach $1/K$.
#
# - `logits`: shape `(K,)`; `uniforms`: shape `(N, K)`, strictly between 0 and 1, but as close to either as the dtype allows; `temperature`: a float from 0.05 to 10.
# - The result has shape `(N, K)`: one relaxed sample per row. It must be differentiable in `logits`.
# - Use exactly the noise above: the check compares sample by sample, not only their distribution.


# %% nbgrader={"grade_id": "gumbel_softmax", "solution": true}
def gumbel_softmax(logits, uniforms, temperature):
    """Relaxed one-hot samples of a categorical variable, differentiable in the logits.

    Args:
        logits: Parameters of the categorical variable, shape (K,).
        uniforms: Uniform numbers in (0, 1), shape (N, K).
        temperature: τ > 0, a float.

    Returns:
        Shape (N, K); each row is positive and adds up to 1.
    """
    ### BEGIN SOLUTION
    from torch import log, softmax

    # Both logarithms are finite on the open interval, so nothing is clamped and no small constant
    # is added: either would cut off the largest noise.
    gumbel = -log(-log(uniforms))  # (N, K)

    # Logits and noise are divided alike. The order of the entries then does not depend on the
    # temperature, and the largest one marks a true sample.
    return softmax((logits + gumbel) / temperature, dim=1)
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_gumbel_softmax", "grade": true, "locked": true, "points": 2}
check(gumbel_softmax)

# %% [markdown]
# Three questions to your samples. Does the largest entry have the right distribution? How close to one-hot is a sample? And how good is the gradient? For the last
# one we extend $f$ from one-hot vectors to all vectors $y$ by $f(y)=\sum_k y_k f(k)$, differentiate $f(y)$ of each of 20,000 samples with respect to the
# logits, and compare mean and variance with the exact gradient of answer 1.

# %%
temperatures = (0.1, 0.25, 0.5, 1.0, 2.0)
repetitions = 20_000
generator = torch.Generator().manual_seed(5)
draws = torch.rand(repetitions, 3, generator=generator, dtype=torch.float64)


def pathwise_gradients(temperature: float) -> torch.Tensor:
    """The gradient of f(y) for each relaxed sample y; shape (repetitions, K)."""
    parameters = toy_logits.clone().requires_grad_(True)
    outcomes = gumbel_softmax(parameters, draws, temperature) @ toy_values  # f(y), (repetitions,)
    # Weighted by v_n the gradients add up to something linear in v; its derivative with respect to
    # v_n is the gradient of sample n alone. So K + 1 backward passes do, whatever the repetitions.
    v = torch.ones_like(outcomes, requires_grad=True)
    (weighted,) = torch.autograd.grad((v * outcomes).sum(), parameters, create_graph=True)
    columns = [torch.autograd.grad(one, v, retain_graph=True)[0] for one in weighted]
    return torch.stack(columns, dim=1)


try:
    exact = expectation_gradient(toy_logits, toy_values)
    samples = {tau: gumbel_softmax(toy_logits, draws, tau) for tau in temperatures}
    gradients = {tau: pathwise_gradients(tau) for tau in temperatures}
except NotImplementedError:
    print("Write `expectation_gradient` and `gumbel_softmax` first, then run this again.")
else:
    frequencies = samples[0.5].argmax(dim=1).bincount(minlength=3) / repetitions
    standard_error = (toy_p * (1 - toy_p) / repetitions).sqrt()
    claim(
        "the largest entry has the probabilities p(k), to 5 standard errors",
        ((frequencies - toy_p).abs() < 5 * standard_error).all(),
    )
    bias = {tau: (rows.mean(dim=0) - exact).norm().item() for tau, rows in gradients.items()}
    variance = {tau: rows.var(dim=0).sum().item() for tau, rows in gradients.items()}
    noise_level = {tau: (total / repetitions) ** 0.5 for tau, total in variance.items()}
    claim("temperature 2: the gradient is wrong on average, by over 10 standard errors",
          bias[2.0] > 10 * noise_level[2.0])  # fmt: skip
    claim("temperature 0.1: no error of the mean is visible within 5 standard errors",
          bias[0.1] < 5 * noise_level[0.1])  # fmt: skip
    ratio = variance[0.1] / variance[1.0]
    claim_between("variance at temperature 0.1 over variance at 1", ratio, 10, 100)

    figure, (left, middle, right) = plotting.new_figure(3, size=(3.5, 3.1))
    for tau, colour in zip((0.1, 0.5, 2.0), plotting.COLOURS, strict=False):
        largest = samples[tau].max(dim=1).values.sort().values
        share = torch.linspace(0, 1, repetitions)
        left.plot(share, largest, color=colour, label=f"τ = {tau}")
    left.set(xlabel="share of the samples", ylabel="largest entry at most", ylim=(0.3, 1.02))
    left.legend()
    middle.errorbar(
        temperatures, bias.values(), yerr=[2 * e for e in noise_level.values()], fmt="o-", capsize=3
    )
    middle.set(xscale="log", xlabel="temperature τ", ylabel="error of the mean gradient")
    right.loglog(temperatures, variance.values(), "s-", color=plotting.COLOURS[1])
    right.set(xlabel="temperature τ", ylabel="total variance of one gradient")
    display(figure)

# %% [markdown]
# **What to see** (once the figure is there). On the left, cold samples are almost one-hot, warm ones are mixtures. In the middle, the mean of the
# gradients departs from the exact one as the temperature rises (bars: two standard errors). On the right, the variance goes the other way. The temperature trades one against the other, and there is no setting
# at which both are zero.

# %% [markdown]
# ## The written answer
#
# Answer the question of the exercise, in whole sentences and with every step: how is $\nabla_\theta E[f(z)]$ computed for a discrete $z$? Explain why a discrete $z$ cannot be
# reparameterised as a Gaussian one can, derive each of the three ways of this notebook, and say what each of them pays: in evaluations of $f$, in bias, in variance, and
# in what it demands of $f$.
#
# | points | for |
# |---|---|
# | 1 | why not: what reparameterisation needs, a proof that a discrete sample cannot provide it, and which step of the Gaussian argument fails |
# | 1 | enumeration: the gradient in terms of $p$ and $f$, derived; its cost |
# | 1 | the score function: unbiasedness with any constant baseline, the best baseline derived, its cost |
# | 1 | Gumbel-softmax: why the arg max has the right distribution, what the relaxation changes, its cost; a comparison of the three |

# %% [markdown] nbgrader={"grade_id": "written_13_1", "solution": true, "grade": true, "points": 4}
# **Setting.** Let $z\in\{0,\dots,K-1\}$ with $p(k)=e^{\ell_k}/\sum_j e^{\ell_j}$. The parameter is $\ell\in\mathbb R^K$; for any other parameter $\theta$ of the probabilities, as in a network whose
# output is $\ell(\theta)$, the chain rule multiplies by $\partial\ell/\partial\theta$ in the end. Write $\bar f=E[f(z)]=\sum_kp(k)f(k)$.
#
# **1. Why not reparameterise?** Reparameterisation writes $z=h(\ell,\varepsilon)$, with noise $\varepsilon$ whose distribution does not depend on $\ell$, and then exchanges
#
# $$\nabla_\ell\,E_\varepsilon\big[f(h(\ell,\varepsilon))\big]=E_\varepsilon\big[\nabla_\ell\,f(h(\ell,\varepsilon))\big].$$
#
# The first half is always possible: let $\varepsilon$ be uniform on $(0,1)$ and let $h$ return the category in whose interval $\varepsilon$ falls. The second half is not. Fix $\varepsilon$. The map
# $\ell\mapsto h(\ell,\varepsilon)$ goes from $\mathbb R^K$, which is connected, into a finite set. If it is continuous it is constant, because the preimages of the categories are open, disjoint and cover a connected
# space. If it were constant for almost all $\varepsilon$, the distribution of $z$ would not depend on $\ell$, which it does. So for a set of $\varepsilon$ of positive probability the map *jumps*, and at any $\ell$ where it does not jump it is
# constant nearby and has the gradient 0. For the sampler above the jumps at a given $\ell$ belong to the $K-1$ interval ends $\varepsilon=p(0),\,p(0)+p(1),\dots$, a set of
# probability 0. Hence $E_\varepsilon[\nabla_\ell f(h)]=0$ whatever $f$ is, while $\nabla_\ell E[f(z)]$ is not 0 in general: **the right-hand side exists and is wrong.**
#
# The step that fails is the exchange. It is allowed when the difference quotients $\tfrac1s\big(f(h(\ell+se_j,\varepsilon))-f(h(\ell,\varepsilon))\big)$ are dominated by an integrable function as $s\to0$. For a Gaussian,
# $h=\mu+\sigma\varepsilon$ is differentiable in $\mu$ and $\sigma$ for every $\varepsilon$, and for a smooth $f$ with moderate growth they are dominated. For a discrete $z$ they are 0 for almost all $\varepsilon$, but of size
# $\tfrac1{|s|}$ on a set of $\varepsilon$ with a probability of about $c\,|s|$: wherever an interval end has passed over $\varepsilon$. That product does not vanish. With $K=2$ it can be seen completely. Let $p(0)=\pi$ and
# $z=0$ exactly if $\varepsilon<\pi$. Raising $\pi$ by $s$ changes $z$ from 1 to 0 for $\varepsilon\in[\pi,\pi+s)$ only, so the expectation changes by
# $s\,(f(0)-f(1))$: the whole derivative sits in the jump, and no sample has it in its own slope. There is a second difference: the Gaussian argument uses $f'$, and between the categories $f$ does not exist.
#
# **2. Enumeration.** The sum is finite, so it may be differentiated term by term. From $\log p(k)=\ell_k-\log\sum_je^{\ell_j}$ follows
# $\partial\log p(k)/\partial\ell_j=\mathbb 1[k=j]-p(j)$, hence $\partial p(k)/\partial\ell_j=p(k)\,(\mathbb 1[k=j]-p(j))$, and
#
# $$\boxed{\;\frac{\partial}{\partial\ell_j}E[f(z)]=\sum_kf(k)\,p(k)\,\big(\mathbb 1[k=j]-p(j)\big)=p(j)\,\big(f(j)-\bar f\big).\;}$$
#
# A logit should rise if its category is better than average, in proportion to how often it occurs. The entries add up to $\bar f-\bar f=0$, because adding a constant to all logits changes nothing. *It pays* with $K$
# evaluations of $f$ for every gradient. It has neither bias nor variance and demands nothing of $f$. For $n$ variables with $K$ categories each there are $K^n$ terms, which rules it out unless $f$ splits into parts with few variables each.
#
# **3. The score function.** Since $\nabla p=p\,\nabla\log p$ wherever $p>0$, which a softmax guarantees, the same sum is an expectation: $\nabla E[f(z)]=\sum_kp(k)\,f(k)\,\nabla\log p(k)=E[f(z)\,\nabla\log p(z)]$. What has been differentiated is the *probability*
# of a sample, which is smooth, and not the sample, which jumps. The average of $N$ terms with $z_n\sim p$ is an unbiased estimate.
#
# *Any constant baseline keeps it unbiased:* $E[b\,\nabla\log p(z)]=b\sum_k\nabla p(k)=b\,\nabla\sum_kp(k)=b\,\nabla1=0$. A baseline that depended on the sampled $z$ would not come out of the sum.
#
# *The best baseline.* Let $s_k=\nabla\log p(k)$, a vector with the entries $\mathbb 1[k=j]-p(j)$, and let $g=\nabla E[f(z)]$. The terms have the mean $g$ for every $b$, therefore
# $V(b)=E\|(f(z)-b)s_z-g\|^2=\sum_kp(k)\,(f(k)-b)^2\,\|s_k\|^2-\|g\|^2$. With $w_k=p(k)\|s_k\|^2$ its derivatives are $V'(b)=-2\sum_kw_k(f(k)-b)$ and $V''(b)=2\sum_kw_k$. For $K\ge2$ all $p(k)$ lie strictly between 0 and 1, so
# $s_k\ne0$ and $V''>0$. The parabola has its only minimum where $V'$ vanishes,
#
# $$\boxed{\;b^*=\frac{\sum_kw_kf(k)}{\sum_kw_k},\qquad w_k=p(k)\,\|s_k\|^2=p(k)\Big(1-2p(k)+\sum_jp(j)^2\Big).\;}$$
#
# It is an average of $f$ in which rare categories, whose score is long, count for more than in $\bar f$. For equal probabilities all $w_k$ are equal, and $b^*=\bar f$.
# *It pays* with variance. One evaluation of $f$ per sample is enough, there is no bias, and $f$ may be a black box, even one without derivatives. But $V(b^*)$ is positive as soon as the vectors
# $(f(k)-b^*)s_k$ differ, and the error of the average falls only as $1/\sqrt N$. With $n$ independent variables that all share one value $f$, the score is a vector with $n$ parts, each multiplied by the same noisy $f-b$: the variance grows with $n$.
#
# **4. Gumbel-softmax.** *The arg max.* $P(G\le x)=P\big(u\le e^{-e^{-x}}\big)=e^{-e^{-x}}$. So $\ell_k+G_k$ has the distribution function $e^{-e^{\ell_k-x}}$ and the density $e^{\ell_k-x}e^{-e^{\ell_k-x}}$. With $S=\sum_je^{\ell_j}$ and independence,
#
# $$P(\text{category }k\text{ is largest})=\int e^{\ell_k-x}\,e^{-e^{\ell_k-x}}\prod_{j\ne k}e^{-e^{\ell_j-x}}\,dx=e^{\ell_k}\int e^{-x}\,e^{-Se^{-x}}\,dx=\frac{e^{\ell_k}}S=p(k),$$
#
# since $\tfrac1Se^{-Se^{-x}}$ is an antiderivative of $e^{-x}e^{-Se^{-x}}$. Ties have probability 0. This is one more sampler $z=h(\ell,\varepsilon)$, and part 1 applies to it: it jumps.
#
# *The relaxation* replaces the arg max by $y=\operatorname{softmax}((\ell+G)/\tau)$. Now $y$ is a smooth function of $\ell$ for every noise, part 1 has no objection any more, and
# $\nabla_\ell E[f(y)]=E[\nabla_\ell f(y)]$ if $f$ is smooth on the simplex. So the gradient is unbiased, but for the expectation of *another variable*. As $\tau\to0$, $y$ approaches the one-hot
# vector of $z$ for almost every noise, and $E[f(y)]\to E[f(z)]$ for a bounded continuous $f$. The gradients converge too: as an integral over $a=\ell+G$, $E[f(y)]$ depends on $\ell$ only through the smooth
# density of $a$, which may be differentiated instead of $y$. At every positive $\tau$ the two differ in general, in value and in gradient: that is the bias.
#
# *Why not take $\tau$ tiny?* We have $\partial y_k/\partial\ell_j=\tfrac1\tau y_k(\mathbb 1[k=j]-y_j)$. This is of size $\tfrac1\tau$ if the two largest perturbed logits are closer than a few $\tau$, and exponentially small otherwise. Their difference has a
# density, so the first happens with a probability of about $c\,\tau$. The mean is therefore of order $c\,\tau\cdot\tfrac1\tau=c$, as it must be, but the mean square is of order $c\,\tau\cdot\tfrac1{\tau^2}=\tfrac c\tau$: the variance grows without bound as the temperature falls. At
# $\tau=0$ nothing is left but the jump of part 1. *It pays* with bias (more of it when warm), with variance (more of it when cold), with a temperature to be chosen, and with the demand that $f$ can be evaluated and differentiated between the categories, on mixtures that never occur. In return one evaluation of $f$
# and one of its gradient are enough, and the gradient of $f$ tells for all categories at once what a score-function term says about one.
#
# **5. Comparison.**
#
# | | what is differentiated | evaluations of $f$ | bias | variance | demands of $f$ |
# |:---|:---|:---|:---|:---|:---|
# | enumeration | the probabilities, all of them | $K$ (for $n$ variables $K^n$) | none | none | none |
# | score function | $\log p$ of the sample | 1 per sample | none | often large; lowered by baselines, not removed | none |
# | Gumbel-softmax | the sample, made soft | 1 per sample, and its gradient | yes, vanishes as $\tau\to0$ | about $1/\tau$ as $\tau\to0$ | smooth, defined on mixtures |
# | for a Gaussian: reparameterisation | the sample | 1 per sample, and its gradient | none | small as a rule | differentiable |
#
# The last row is what a Gaussian has and a discrete variable lacks: a path that is smooth and nevertheless exact. Enumerate when $K$ is small, relax when $f$ is a network and a little bias does no harm, and use the score function when $f$ is a black box or bias is not permitted. $\blacksquare$

# %% [markdown]
# ## Where to read on
#
# - R. J. Williams, *Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning*, 1992: the score-function estimator under the name REINFORCE, with baselines.
# - E. Greensmith, P. L. Bartlett, J. Baxter, *Variance Reduction Techniques for Gradient Estimates in Reinforcement Learning*, 2004: optimal baselines in general.
# - A. Mnih, K. Gregor, *Neural Variational Inference and Learning in Belief Networks*, 2014: training VAEs with discrete latent variables by score functions.
# - E. Jang, S. Gu, B. Poole, *Categorical Reparameterization with Gumbel-Softmax*, 2017, and C. J. Maddison, A. Mnih, Y. W. Teh, *The Concrete Distribution: A Continuous Relaxation of Discrete Random Variables*, 2017: the relaxation, found twice.
# - G. Tucker, A. Mnih, C. J. Maddison, D. Lawson, J. Sohl-Dickstein, *REBAR: Low-Variance, Unbiased Gradient Estimates for Discrete Latent Variable Models*, 2017: the relaxation used as a baseline, which removes its bias.
# - S. Mohamed, M. Rosca, M. Figurnov, A. Mnih, *Monte Carlo Gradient Estimation in Machine Learning*, 2020: a survey of all of these.
#
# In this course: lecture [5 · Training a VAE](../notebooks/05-training-a-vae.ipynb) uses the Gaussian reparameterisation that a discrete variable lacks.
