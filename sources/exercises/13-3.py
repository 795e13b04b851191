# %% [markdown]
# # Exercise 13-3 · VAE versus autoencoder
#
# *Section 13.2 of the chapter; lecture 5 trains the model that this exercise takes apart.*
#
# > **The problem.** From (13.28), explain how a variational autoencoder (变分自编码器, VAE) differs in mechanism from an
# > autoencoder (自编码器).
#
# For a generator network (生成网络) with density $p(x|z)=N(x;\mu_G,\lambda I)$ and an inference network (推断网络) with output
# $q(z|x)=N(z;\mu_I,\operatorname{diag}\sigma_I^2)$, the objective is
#
# $$\mathcal J(\phi,\theta\,|\,x) = -\tfrac12\|x-\mu_G\|^2-\lambda\,\mathrm{KL}\big(N(\mu_I,\sigma_I^2 I),\,N(0,I)\big),
#   \qquad z=\mu_I+\sigma_I\odot\varepsilon,\quad\varepsilon\sim N(0,I). \tag{13.28}$$
#
# An autoencoder has the same two networks. It encodes $x$ as one point $z$, decodes the point, and minimises the squared error. On paper
# that looks like a small difference. You will train both, see what differs, measure it with five functions of your own, and then write
# down why.
#
# **How to work.** Write each function in its cell and run the check below it. Where an experiment follows, run its cell again once the
# check has passed. All functions take `torch` tensors of type float32 or float64 and return results of the same type. The letters in
# the shapes: `B` or `N` examples, `D` data dimensions, `d` latent dimensions; any of them may be 1.

# %%
import itertools

import torch
from IPython.display import display
from torch.nn import functional

import gm_course
from gm_course import plotting
from gm_course.checks import check
from gm_course.claims import claim, claim_between

runtime = gm_course.setup(seed=0)

# %% [markdown]
# ## Two models, one difference
#
# Both models below consist of the same two networks, start from the same random weights and see the same 8 × 8 digits in the same
# order. Only the loss differs: the autoencoder decodes the mean $\mu_I$ and counts the squared error; the VAE decodes a sample and
# uses (13.28) with $\lambda=0.2$. (The inference network's second output, $\sigma_I^2$, goes unused in the autoencoder.)

# %%
from gm_course.data import Batches, load_digits8
from gm_course.networks import GaussianGenerator, InferenceNetwork
from gm_course.training import Player, Trainer
from gm_course.vae import VAE, objective_13_28

lam = 0.2
train_x = load_digits8("train", device=runtime.device).images  # (1433, 64), grey values 0 to 1
test_x = load_digits8("test", device=runtime.device).images  # (364, 64)


def two_networks() -> VAE:
    torch.manual_seed(0)
    inference = InferenceNetwork(64, 10, hidden=(64,))
    return VAE(inference, GaussianGenerator(10, 64, hidden=(64,), var=lam)).to(runtime.device)


autoencoder, vae = two_networks(), two_networks()
models = {"autoencoder": autoencoder, "VAE": vae}


# %%
def autoencoder_loss(x, generator):
    decoded = autoencoder.decode(autoencoder.posterior(x).mean).mean
    return {"loss": functional.mse_loss(decoded, x, reduction="sum") / len(x)}


def vae_loss(x, generator):
    q = vae.posterior(x)
    decoded = vae.decode(q.sample(generator=generator)).mean
    return {"loss": -objective_13_28(x, decoded, q.mean, q.var, lam).mean()}


for model, loss in ((autoencoder, autoencoder_loss), (vae, vae_loss)):
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3, fused=True)
    batches = Batches(train_x, 128, generator=runtime.generator(1))
    trainer = Trainer(
        {"model": Player(model, optimiser, loss)}, batches, generator=runtime.generator(2)
    )
    trainer.run(1_000)

# %% [markdown]
# First the task that an autoencoder is made for: encode test digits (as the mean $\mu_I$, in both models) and decode them again.

# %%
with torch.no_grad():
    decoded = {
        name: model.decode(model.posterior(test_x).mean).mean for name, model in models.items()
    }
rows = {"original": test_x[:12]} | {name: images[:12] for name, images in decoded.items()}
plotting.image_rows({name: images.reshape(-1, 8, 8) for name, images in rows.items()})

# %% [markdown]
# Then the task of a generative model: draw $z\sim N(0,I)$, the prior (先验), and decode it. No digit is involved.

# %%
z = vae.sample_prior(500, generator=runtime.generator(3))
with torch.no_grad():
    samples = {name: model.decode(z).mean for name, model in models.items()}
plotting.image_rows({name: images[:12].reshape(-1, 8, 8) for name, images in samples.items()})

# %%
squared_error = {name: (images - test_x).square().sum(1).mean() for name, images in decoded.items()}
claim_between(
    "squared error of a reconstruction, VAE's over autoencoder's",
    squared_error["VAE"] / squared_error["autoencoder"],
    1.5,
    4,
)


def distance_to_digits(images):
    """Mean squared distance to the nearest training digit."""
    return torch.cdist(images, train_x).min(dim=1).values.square().mean()


for name, (low, high) in {"autoencoder": (3, 30), "VAE": (0.5, 2)}.items():
    claim_between(
        f"{name}: a prior sample's squared distance to the nearest digit, a test digit's being 1",
        distance_to_digits(samples[name]) / distance_to_digits(test_x),
        low,
        high,
    )

# %% [markdown]
# **What to see.** The autoencoder copies better, and what it makes of the prior is not a digit. The VAE copies worse, and many of
# its samples could pass for digits; on average they are hardly farther from the data than a fresh digit is. The same networks, the
# same data: the cause must lie in the two terms of (13.28). The five functions lead to it.
#
# For the experiments below, here is what both inference networks say about the training digits. The autoencoder's code is a point, so its
# variance is 0.

# %%
with torch.no_grad():
    posteriors = {name: model.posterior(train_x) for name, model in models.items()}
means = {name: q.mean.cpu().double() for name, q in posteriors.items()}  # (N, 10) each
variances = {
    "autoencoder": torch.zeros_like(means["autoencoder"]),
    "VAE": posteriors["VAE"].var.cpu().double(),
}

# %% [markdown]
# ## 1 · What is left without a prior
#
# **`autoencoder_objective(x, x_hat)`** Let the code be a point, and let there be no prior that it is compared with. What does
# (13.28) become?
#
# - `x`: examples, shape `(B, D)`; `x_hat`: their reconstructions $\mu_G$, same shape.
# - Returns shape `(B,)`: one number per example, **to be maximised**, like (13.28). Keep the factor and the sign that (13.28) has.


# %% nbgrader={"grade_id": "autoencoder_objective", "solution": true}
def autoencoder_objective(x, x_hat):
    """(13.28) with a point code and no prior; x and x_hat (B, D), result (B,)."""
    ### BEGIN SOLUTION
    # Without a prior there is no KL term, and with it λ disappears. ‖·‖² sums over the D
    # dimensions and leaves the batch alone.
    error = x - x_hat  # (B, D)
    return -0.5 * error.square().sum(dim=1)  # (B,)
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_autoencoder_objective", "grade": true, "locked": true, "points": 2}
check(autoencoder_objective)

# %% [markdown]
# **Experiment.** Take the VAE's posteriors (后验) as they are and let $\lambda$ in (13.28) go to 0.

# %%
try:
    x, mu_i, var_i = (t[:50].cpu().double() for t in (train_x, means["VAE"], variances["VAE"]))
    with torch.no_grad():
        x_hat = vae.decode(posteriors["VAE"].mean[:50]).mean.cpu().double()
    without_prior = autoencoder_objective(x, x_hat)
    distance = [
        (objective_13_28(x, x_hat, mu_i, var_i, small) - without_prior).abs().max()
        for small in (1e-2, 1e-4, 1e-6)
    ]
    claim("λ = 1e-6: (13.28) is within 1e-4 of the autoencoder's objective", distance[2] < 1e-4)
    claim(
        "dividing λ by 100 divides the distance by 100 (to 1 %)",
        all(abs(a / b - 100) < 1 for a, b in itertools.pairwise(distance)),
    )
except NotImplementedError:
    print("Write `autoencoder_objective` first, then run this cell again.")

# %% [markdown]
# ## 2 · How much noise a code should carry
#
# **`optimal_posterior_variance(w, lam)`** In (13.28) the decoder sees $z=\mu_I+\sigma_I\varepsilon$, not $\mu_I$. Noise in a code
# can only hurt the reconstruction; what stops $\sigma_I^2$ from going to 0? The linear generator $\mu_G=w\,z$ with one latent
# dimension lets you answer exactly. Take the expectation of (13.28) over $\varepsilon\sim N(0,1)$,
#
# $$\bar{\mathcal J}(\mu_I,\sigma_I^2) = E_{z\sim N(\mu_I,\sigma_I^2)}\Big[-\tfrac12\|x-w z\|^2\Big]-\lambda\,\mathrm{KL}\big(N(\mu_I,\sigma_I^2),\,N(0,1)\big),$$
#
# and find the $\sigma_I^2$ that maximises it.
#
# - `w`: shape `(D,)`; it may be zero. `lam`: a float $\lambda>0$.
# - Returns a float (not a tensor): the variance $\sigma_I^2$. It depends on neither $x$ nor $\mu_I$.


# %% nbgrader={"grade_id": "optimal_posterior_variance", "solution": true}
def optimal_posterior_variance(w, lam):
    """The σ_I² that maximises the expected (13.28) for μ_G = w z; w (D,), lam > 0, a float."""
    ### BEGIN SOLUTION
    # E‖x − w z‖² = ‖x − w μ_I‖² + σ_I² ‖w‖², and KL = ½(σ_I² + μ_I² − 1 − log σ_I²). In s = σ_I²
    # the expected objective is −½ s‖w‖² − ½ λ (s − log s) + const. It is concave, and its
    # derivative −½‖w‖² − ½ λ (1 − 1/s) vanishes at s = λ / (λ + ‖w‖²).
    squared_length = float(w.square().sum())
    return lam / (lam + squared_length)
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_optimal_posterior_variance", "grade": true, "locked": true, "points": 3}
check(optimal_posterior_variance)

# %% [markdown]
# **Experiment.** The expected objective as a function of $\sigma_I^2$, averaged over samples, for three generators. Your optimum is marked.

# %%
noise = torch.randn(2_000, 1, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
noise = torch.cat([noise, -noise])  # pairs ±ε: their mean is exactly 0
x_one, mu_one = torch.tensor([[0.5, -0.4, 0.3]], dtype=torch.float64), 0.2


def average_objective(w, var):
    """(13.28) averaged over z ~ N(0.2, var), for the generator w z and λ = 0.2."""
    z = mu_one + var**0.5 * noise
    code = torch.tensor([[mu_one]], dtype=torch.float64), torch.tensor([[var]], dtype=torch.float64)
    copies = len(z)
    return objective_13_28(
        x_one.expand(copies, 3), z * w, *(part.expand(copies, 1) for part in code), lam
    ).mean()


direction = torch.tensor([0.6, -0.64, 0.48], dtype=torch.float64)  # of length 1
figure, (axis,) = plotting.new_figure(size=(5.6, 3.3))
try:
    for length, colour in zip((0.0, 0.5, 2.0), plotting.COLOURS, strict=False):
        w = length * direction
        best = optimal_posterior_variance(w, lam)
        top = average_objective(w, best)
        worse = [average_objective(w, factor * best) for factor in (0.5, 2.0)]
        claim(f"‖w‖ = {length}: half or twice your σ_I² is worse", top > max(worse))
        grid = torch.logspace(-2.5, 0.7, 60).tolist()
        curve = [average_objective(w, var) - top for var in grid]
        axis.semilogx(grid, curve, color=colour, label=f"‖w‖ = {length}")
        axis.plot(best, 0.0, "o", color=colour)
    axis.set(
        xlabel="σ$_I$²",
        ylabel="expected (13.28)\nminus its value at your σ$_I$²",
        ylim=(-0.5, 0.05),
    )
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    display(figure)
except NotImplementedError:
    print("Write `optimal_posterior_variance` first, then run this cell again.")

# %% [markdown]
# **What to see.** Each dot sits on top of its curve: noise has a best amount, and it depends on how strongly the generator reacts to $z$.
#
# Does this say anything about the trained VAE, whose generator is not linear? Around a code it nearly is: unit $j$ then acts like a linear
# generator with $w=\partial\mu_G/\partial z_j$. So your function predicts what $\sigma_{I,j}^2$ the inference network should have learnt.
# In the figure every dot is one unit for one digit; look also at the dense spot where both axes say 1.

# %%
try:
    codes = posteriors["VAE"].mean[:100]
    jacobian = torch.func.vmap(torch.func.jacrev(lambda z: vae.decode(z).mean))(codes)
    jacobian = jacobian.detach().cpu().double()  # (100, 64, 10): ∂μ_G / ∂z for each digit
    predicted = torch.tensor(
        [[optimal_posterior_variance(w, lam) for w in one.T] for one in jacobian]
    )
    learnt = variances["VAE"][:100]
    ratio = (learnt / predicted).log()
    claim_between("median of σ_I² learnt over σ_I² predicted", ratio.median().exp(), 0.8, 1.25)
    claim(
        "the two differ by less than a factor 2 in 19 of 20 cases",
        (ratio.abs() < 0.69).double().mean() > 0.95,
    )

    figure, (axis,) = plotting.new_figure(size=(4.6, 3.6))
    axis.loglog([0.08, 1.2], [0.08, 1.2], color="black", linestyle="--", label="equal")
    axis.loglog(predicted.flatten(), learnt.flatten(), ".", color=plotting.COLOURS[0], alpha=0.4)
    axis.set(xlabel="σ$_I$² predicted by your function", ylabel="σ$_I$² that the VAE has learnt")
    axis.legend()
    display(figure)
except NotImplementedError:
    print("Write `optimal_posterior_variance` first, then run this cell again.")

# %% [markdown]
# ## 3 · Where the codes of all the data lie
#
# **`aggregate_moments(mu_i, var_i)`** Encode *all* examples and forget which code came from which: what remains is the **aggregate
# posterior** (聚合后验), a mixture with $N$ components of equal weight,
#
# $$\bar q(z)=\frac1N\sum_{n=1}^{N} N\big(z;\,\mu_I^{(n)},\operatorname{diag}\sigma_I^{2\,(n)}\big).$$
#
# Find its mean and its covariance matrix. It is a distribution known exactly, so these are *population* moments.
#
# - `mu_i`: posterior means, shape `(N, d)`; `var_i`: posterior variances $\sigma_I^2\ge0$, same shape. A point code has variance 0.
# - Returns a tuple `(mean, cov)` of shapes `(d,)` and `(d, d)`.


# %% nbgrader={"grade_id": "aggregate_moments", "solution": true}
import torch


def aggregate_moments(mu_i, var_i):
    """Mean (d,) and covariance (d, d) of the aggregate posterior; mu_i and var_i (N, d)."""
    ### BEGIN SOLUTION
    # Law of total variance: the covariance of the component means plus the mean of the component
    # covariances. The components are diagonal, so the second part only adds to the diagonal.
    mean = mu_i.mean(dim=0)  # (d,)
    centred = mu_i - mean  # centring first avoids the cancellation in E[z zᵀ] − E[z] E[z]ᵀ
    between = centred.T @ centred / len(mu_i)  # (d, d), over N, not N − 1
    within = torch.diag(var_i.mean(dim=0))  # (d, d)
    return mean, between + within
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_aggregate_moments", "grade": true, "locked": true, "points": 3}
check(aggregate_moments)

# %% [markdown]
# **Experiment.** Draw one $z$ from the component of every training digit and look at the cloud along two directions of the latent
# space: the one in which $\bar q$ is widest and the one in which it is narrowest. The circles hold 39 % and 86 % of the prior's
# probability. Look for two things: where the cloud is centred, and whether it fills the circles in *both* directions.

# %%
try:
    figure, axes = plotting.new_figure(2, size=(3.9, 3.9))
    for axis, name, colour in zip(axes, models, plotting.COLOURS, strict=False):
        noise = torch.randn(means[name].shape, generator=torch.Generator().manual_seed(5)).double()
        cloud = means[name] + variances[name].sqrt() * noise
        _, cov = aggregate_moments(means[name], variances[name])
        width, directions = torch.linalg.eigh(cov)
        points = cloud @ directions[:, [-1, 0]]
        axis.plot(points[:, 0], points[:, 1], ".", markersize=3, color=colour, alpha=0.5)
        turn = torch.linspace(0, 2 * torch.pi, 100)
        for radius in (1, 2):
            axis.plot(radius * turn.cos(), radius * turn.sin(), color="black", linewidth=1)
        axis.set(title=name, xlabel="widest direction", xlim=(-4, 4), ylim=(-4, 4))
        axis.set_aspect("equal")
        claim_between(
            f"{name}: variance of the codes, narrowest direction over widest",
            width[0] / width[-1],
            *((0, 0.3) if name == "autoencoder" else (0.5, 1)),
        )
    axes[0].set_ylabel("narrowest direction")
    display(figure)
except NotImplementedError:
    print("Write `aggregate_moments` first, then run this cell again.")

# %% [markdown]
# ## 4 · How far they are from the prior
#
# **`prior_gap(mean, cov)`** Put the two moments into one number: the divergence of the Gaussian with these moments from the prior,
# $\mathrm{KL}\big(N(m,C),\,N(0,I)\big)$, in nats.
#
# - `mean`: $m$, shape `(d,)`; `cov`: $C$, shape `(d, d)`, symmetric positive definite, with variances from $10^{-6}$ to $10^6$.
# - Returns a scalar, a tensor of shape `()`.


# %% nbgrader={"grade_id": "prior_gap", "solution": true}
import torch


def prior_gap(mean, cov):
    """KL(N(mean, cov), N(0, I)) in nats; mean (d,), cov (d, d), result ()."""
    ### BEGIN SOLUTION
    # The general KL between Gaussians with μ₂ = 0, Σ₂ = I: ½(tr C + ‖m‖² − d − log|C|).
    # |C| of ten small variances underflows in float32; Cholesky's factor L gives log|C| =
    # 2 Σ log L_jj without ever forming it.
    lower = torch.linalg.cholesky(cov)
    log_det = 2 * lower.diagonal().log().sum()
    return 0.5 * (cov.trace() + mean.square().sum() - len(mean) - log_det)
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_prior_gap", "grade": true, "locked": true, "points": 2}
check(prior_gap)

# %% [markdown]
# **Experiment.** Whose codes fill the prior? For comparison, the last claim uses the quantity that a VAE pays for in its objective,
# the average KL of the *single* posteriors from the prior. It is an upper bound of the gap, and a generous one. (Why both? That
# belongs in your written answer.)

# %%
from gm_course.divergences import gaussian_kl

try:
    gap = {name: prior_gap(*aggregate_moments(means[name], variances[name])) for name in models}
    claim_between("autoencoder: gap to the prior in nats", gap["autoencoder"], 3, 15)
    claim_between("VAE: gap to the prior in nats", gap["VAE"], 0, 0.1)
    average_kl = gaussian_kl(means["VAE"], variances["VAE"]).mean()
    claim_between(
        "VAE: average KL of one posterior over that gap", average_kl / gap["VAE"], 20, 5_000
    )
except NotImplementedError:
    print("Write `aggregate_moments` and `prior_gap` first, then run this cell again.")

# %% [markdown]
# ## 5 · Which units are used at all
#
# **`active_units(mu_i, threshold=0.01)`** A latent unit carries information about the data only if its posterior mean moves from
# one example to the next. Call unit $j$ **active** if the variance of $\mu_{I,j}$ over the $N$ examples, the *unbiased sample
# variance* (divided by $N-1$), lies above the threshold (Burda, Grosse and Salakhutdinov 2016).
#
# - `mu_i`: posterior means, shape `(N, d)`; `threshold`: a float.
# - Returns booleans, shape `(d,)`. A single example shows no variation: for `N = 1` all are False.


# %% nbgrader={"grade_id": "active_units", "solution": true}
def active_units(mu_i, threshold=0.01):
    """Whether each unit's posterior mean varies over the data; mu_i (N, d), result (d,) bool."""
    ### BEGIN SOLUTION
    # Written out, because var() of a single example is 0/0: NaN and a warning. With at least 1 in
    # the denominator it is 0, and nothing is active.
    deviation = mu_i - mu_i.mean(dim=0)
    variance = deviation.square().sum(dim=0) / max(len(mu_i) - 1, 1)
    return variance > threshold
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_active_units", "grade": true, "locked": true, "points": 2}
check(active_units)

# %% [markdown]
# **Experiment.** Both models have ten units. Count the active ones. Then take the five units whose means have the shortest reach,
# replace their codes by noise from the prior, and decode: who notices?

# %%
reach = {name: mu.quantile(0.95, dim=0) - mu.quantile(0.05, dim=0) for name, mu in means.items()}
try:
    active = {name: int(active_units(means[name]).sum()) for name in models}
    claim("autoencoder: all 10 units are active", active["autoencoder"] == 10)
    claim_between("VAE: active units", active["VAE"], 2.5, 7.5)

    for name, (low, high) in {"autoencoder": (3, 100), "VAE": (0.9, 1.3)}.items():
        weakest = reach[name].argsort()[:5].to(runtime.device)
        with torch.no_grad():
            codes = models[name].posterior(test_x).mean
            codes[:, weakest] = models[name].sample_prior(
                len(codes), generator=runtime.generator(6)
            )[:, weakest]
            error = (models[name].decode(codes).mean - test_x).square().sum(1).mean()
        claim_between(
            f"{name}: squared error with 5 units scrambled over that without",
            error / squared_error[name],
            low,
            high,
        )
except NotImplementedError:
    print("Write `active_units` first, then run this cell again.")

# %% [markdown]
# The picture to it: how the means of each unit are spread over the training digits (box: the middle half, whiskers: 5 % to 95 %).
# A unit whose box is a line says the same about every digit.

# %%
figure, axes = plotting.new_figure(2, size=(3.6, 2.7))
for axis, name, colour in zip(axes, models, plotting.COLOURS, strict=False):
    order = reach[name].argsort(descending=True)
    axis.boxplot(
        means[name][:, order].numpy(), whis=(5, 95), showfliers=False,
        medianprops={"color": colour, "linewidth": 2},
    )  # fmt: skip
    axis.set(title=name, xlabel="latent unit, sorted", ylim=(-3.5, 3.5))
axes[0].set_ylabel("$\\mu_I$ of the training digits")
figure

# %% [markdown]
# ## Written answer: the difference in mechanism
#
# Explain from (13.28) how a VAE differs in mechanism from an autoencoder. Write in whole sentences, derive what you claim, and use what you
# have measured above. One point for each of:
#
# 1. **The objective (1 point).** Which parts of (13.28) are missing in an autoencoder, in which limit it arises, and why its
#    objective cannot tell one arrangement of the codes from another.
# 2. **The noise (1 point).** What the expectation over $z$ adds to the squared error, what stops $\sigma_I^2$ from vanishing, and
#    why neighbouring codes therefore decode alike.
# 3. **The prior (1 point).** How the KL terms of single examples shape the distribution of *all* codes, and why this makes
#    samples of the prior decode to digits.
# 4. **The exchange (1 point).** What $\lambda$ trades against what, and why a VAE may ignore a latent dimension while an autoencoder never has a reason to.

# %% [markdown] nbgrader={"grade_id": "written_13_3", "solution": true, "grade": true, "points": 4}
# **1. The objective.** An autoencoder encodes $x$ as the point $\mu_I(x)$ and maximises $-\frac12\|x-\mu_G(\mu_I(x))\|^2$. Compared
# with (13.28) two things are missing: the noise $\sigma_I\odot\varepsilon$ in $z$, and the term $-\lambda\,\mathrm{KL}$. Both go in
# one limit. For fixed $\sigma_I^2>0$ the KL is a finite number, so $\lambda\,\mathrm{KL}\to0$ as $\lambda\to0$ (experiment 1), and
# once it no longer counts, nothing rewards $\sigma_I^2>0$: by part 2 the best $\sigma_I^2$ goes to 0 in proportion to $\lambda$
# wherever the generator reacts to $z$. (Even then $\lambda\,\mathrm{KL}$ vanishes, like $\lambda\log\frac1\lambda$.) An autoencoder
# is a VAE in the limit of a noiseless decoder.
#
# In this limit the codes' arrangement is not determined. Let $A$ be any invertible map of the latent space. Replacing the encoder
# $\mu_I$ by $A\circ\mu_I$ and the decoder $\mu_G$ by $\mu_G\circ A^{-1}$ leaves every reconstruction, hence the objective, as it
# was. The codes may be shifted, stretched, bent or torn into islands at no cost. In (13.28) this freedom is gone, because
# $\mathrm{KL}(q(z|x),N(0,I))$ changes when the codes are moved or stretched: the only linear maps that leave the prior as it is are
# rotations and reflections.
#
# **2. The noise.** Write $z_j=\mu_{I,j}+\sigma_{I,j}\varepsilon_j$ and let $w_j=\partial\mu_G/\partial z_j$ at $\mu_I$. To first
# order $\mu_G(z)=\mu_G(\mu_I)+\sum_j w_j\sigma_{I,j}\varepsilon_j$, exactly so for a linear generator. The $\varepsilon_j$ are
# independent with mean 0 and variance 1, so in the expected square all mixed terms vanish:
#
# $$E\,\|x-\mu_G(z)\|^2=\|x-\mu_G(\mu_I)\|^2+\sum_j\sigma_{I,j}^2\,\|w_j\|^2 .$$
#
# The first term is the autoencoder's. The second is new: noise makes it expensive for the generator to react strongly to $z$. Only
# this would drive $\sigma_I^2$ to 0, but the KL contains $-\frac12\log\sigma_{I,j}^2$, which grows without bound. Together, the
# part of the expected objective that depends on $s=\sigma_{I,j}^2$ is
#
# $$-\tfrac12 s\,\|w_j\|^2-\tfrac\lambda2\,(s-\log s),\qquad\text{derivative}\quad -\tfrac12\|w_j\|^2-\tfrac\lambda2\Big(1-\frac1s\Big),\qquad\text{second derivative}\quad -\frac{\lambda}{2s^2}<0 .$$
#
# It is strictly concave, so its stationary point is the maximum:
#
# $$\sigma_{I,j}^2=\frac{\lambda}{\lambda+\|w_j\|^2}.$$
#
# It lies between 0 (approached by the autoencoder's limit, $\lambda\to0$) and 1 (the prior's variance, reached for $w_j=0$), and
# the trained VAE has found it (experiment 2). Put it back: up to constants the noise costs $\frac\lambda2\log(1+\|w_j\|^2/\lambda)$
# per unit, a penalty on the generator's slope. A code thus occupies a region of width $\sigma_I$ instead of a point, and the
# generator must decode the whole region to something close to $x$. Where the regions of two examples overlap it must serve both, so
# it interpolates. In an autoencoder only the codes themselves are ever decoded; between them $\mu_G$ is free to do anything.
#
# **3. The prior.** The objective sees the KL of single posteriors $q_n(z)=q(z|x_n)$. Their average splits. Add and subtract
# $\log\bar q(z)$ inside the expectation and use $\frac1N\sum_n q_n=\bar q$:
#
# $$\frac1N\sum_n\mathrm{KL}(q_n,p)=\frac1N\sum_n E_{q_n}\Big[\log\frac{q_n}{\bar q}\Big]+E_{\bar q}\Big[\log\frac{\bar q}{p}\Big]
# =\underbrace{\frac1N\sum_n\mathrm{KL}(q_n,\bar q)}_{I(n;z)\,\ge\,0}+\mathrm{KL}(\bar q,p).$$
#
# The first part is the information that a code carries about its example; the second measures how well all codes together fill the
# prior. It bounds `prior_gap`: let $g=N(m,C)$ have the moments of $\bar q$. Both $\log g$ and $\log p$ are quadratic in $z$, so
# their expectations under $\bar q$ and under $g$ agree, and
#
# $$\mathrm{KL}(\bar q,p)=E_{\bar q}\Big[\log\frac{\bar q}{g}\Big]+E_{\bar q}\Big[\log\frac{g}{p}\Big]=\mathrm{KL}(\bar q,g)+\mathrm{KL}(g,p)\;\ge\;\mathrm{KL}(g,p).$$
#
# Hence `prior_gap` $\le\mathrm{KL}(\bar q,p)\le$ the average KL that the VAE pays for. The experiment found more than twenty times
# as much average KL as gap: as far as the moments tell, what is paid is paid for information, and next to nothing for a mismatch,
# which would bring no better reconstruction. A sample of the prior then lies where codes of the data lie, and there the generator
# has been trained; it decodes to a digit. The autoencoder pays nothing for a mismatch. Its codes form a shifted, flat cloud,
# several nats from $N(0,I)$, so that a sample of the prior typically lies off the cloud, where the generator has never been asked
# for anything.
#
# **4. The exchange.** Dividing (13.28) by $\lambda$ shows $\lambda$ as an exchange rate: one nat of KL may be spent if it lowers
# $\frac12\|x-\mu_G\|^2$ by more than $\lambda$. To see when a unit pays, take a linear generator with one unit and centred data
# whose variance along the unit vector $u$ is $a$, and let $w=r u$. Averaged over $z$, (13.28) is $\lambda$ times the ELBO plus a
# constant. Here the posterior is Gaussian, so that with the best $q$ the ELBO reaches $\log p(x)$; and marginally $x\sim
# N(0,\lambda I+r^2uu^\top)$. With $v=\lambda+r^2\ge\lambda$ the average log-likelihood is
#
# $$-\tfrac12\Big(\log v+\frac av\Big)+\text{const},\qquad\text{derivative}\quad\frac{a-v}{2v^2}.$$
#
# It increases up to $v=a$ and decreases beyond. If $a>\lambda$ the optimum is $r^2=a-\lambda>0$. If $a\le\lambda$ it is at the
# edge, $r=0$: the generator ignores the unit. Then $\sigma_I^2=1$ by part 2 and, as nothing but $-\frac\lambda2\mu_I^2$ depends on
# it any more, $\mu_I=0$. The unit's posterior is the prior for every $x$, and it costs nothing. This is what the inactive units of
# the VAE did (experiment 5), and why scrambling them went unnoticed. For an autoencoder every additional unit can lower the squared
# error, if only a little, and costs nothing: it used all ten, and scrambling five of them ruined the images. The same exchange
# explains why the VAE copies worse: it leaves out every detail that is worth less than $\lambda$ per nat.
#
# **In one sentence.** An autoencoder learns to copy through a bottleneck whose codes may lie anywhere; a VAE is a latent-variable
# model whose codes are distributions, charged in nats for what they tell about $x$, and therefore smooth, packed into the prior,
# and fit to be sampled.

# %% [markdown]
# ## Where to read on
#
# - D. P. Kingma, M. Welling, *Auto-Encoding Variational Bayes*, 2014: section 2.3 on the two terms of the objective.
# - G. E. Hinton, R. R. Salakhutdinov, *Reducing the Dimensionality of Data with Neural Networks*, 2006: the deep autoencoder.
# - M. E. Tipping, C. M. Bishop, *Probabilistic Principal Component Analysis*, 1999: the linear generator, solved exactly.
# - M. D. Hoffman, M. J. Johnson, *ELBO Surgery: Yet Another Way to Carve Up the Variational Evidence Lower Bound*, 2016: the aggregate posterior.
# - Y. Burda, R. Grosse, R. Salakhutdinov, *Importance Weighted Autoencoders*, 2016: active units.
# - J. Lucas, G. Tucker, R. Grosse, M. Norouzi, *Don't Blame the ELBO! A Linear VAE Perspective on Posterior Collapse*, 2019.
# - A. Kumar, B. Poole, *On Implicit Regularization in β-VAEs*, 2020: the noise as a penalty on the generator's slope.
