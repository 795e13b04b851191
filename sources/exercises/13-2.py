# %% [markdown]
# # Exercise 13-2 · Deriving the objective (13.28) of a variational autoencoder
#
# *Section 13.2.6 of the chapter; lecture 5 prepares it.*
#
# **The problem (习题 13-2).** Derive (13.28) (推导公式 (13.28)), the objective with which a **variational autoencoder** (变分自编码器,
# VAE) is trained.
#
# A **latent variable** (隐变量) $z\in\mathbb R^d$ with **prior** (先验) $p(z)=N(0,I)$ explains an observation
# $x\in\mathbb R^D$. The **generator network** (生成网络) with parameters $\theta$ turns $z$ into
# $p(x|z;\theta)=N(x;\mu_G,\lambda I)$, with a fixed variance $\lambda>0$. The **inference network** (推断网络) with parameters
# $\phi$ turns $x$ into an approximate **posterior** (后验) $q(z|x;\phi)=N(z;\mu_I,\sigma_I^2I)$, where $\sigma_I^2$ is a
# vector with one variance for each latent dimension: the covariance is $\operatorname{diag}(\sigma_I^2)$. For one
# observation $x$ and one sample $z$ of $q$ the book arrives at
#
# $$J(\phi,\theta|x) = -\tfrac12\,\|x-\mu_G\|^2-\lambda\,\mathrm{KL}\big(N(\mu_I,\sigma_I^2I),\,N(0,I)\big), \tag{13.28}$$
#
# to be **maximised**. Two slips circulate in drafts of the book: (13.28) printed as $-\|x-\mu_G\|^2+\mathrm{KL}$, and an
# inference network that returns $[\mu_I;\sigma_I]$ where $\sigma_I^2$ is meant. If your copy has one of them, this
# exercise shows you what is wrong with it.
#
# **What you will do.** You write six short functions, which walk through the steps of the derivation, each followed by a
# check. A wrong step shows up as a check that does not pass, and the check tells you what your answer looks like. Then you
# write the derivation itself.
#
# | | function | step of the derivation | points |
# |---|---|---|---|
# | 1 | `gaussian_kl_general` | the KL divergence (KL 散度) between two Gaussians | 3 |
# | 2 | `gaussian_kl` | the same from $q$ to the prior | 2 |
# | 3 | `elbo_one_sample` | the evidence lower bound (证据下界, ELBO) with one sample | 2 |
# | 4 | `objective_13_28` | the objective | 2 |
# | 5 | `affine_map` | from the one to the other | 2 |
# | 6 | `evidence_terms` | the evidence decomposition, where everything can be computed | 3 |
# | | written | the derivation | 4 |
#
# All logarithms are natural: divergences and log-densities are in nats. `B` is the batch size, `D` the dimension of $x$,
# `d` that of $z$; each of them may be 1. Tensors are float32 or float64, and a tensor result has the dtype of the inputs.
# Variances and $\lambda$ range from $10^{-6}$ to $10^6$.

# %%
import torch
from IPython.display import display
from torch.distributions import Normal

import gm_course
from gm_course import plotting
from gm_course.checks import check
from gm_course.claims import claim, claim_between

runtime = gm_course.setup(seed=0)

# %% [markdown]
# ## Before you start: three landscapes
#
# What does it mean that (13.28) may replace the ELBO in training? Take the smallest VAE there is: one observation $x=1.5$,
# one latent dimension, and a generator that is not even a network, $\mu_G=1.2\,z$, with $\lambda=0.5$. The inference
# network has only two numbers to choose, $\mu_I$ and $\sigma_I^2$. So every objective is a landscape over a plane, and
# training means climbing it.
#
# We draw three: the ELBO $E_q[\log p(x|z)]-\mathrm{KL}(q,p)$, the objective (13.28), and its misprint, the latter two
# averaged over $z\sim q$ as well. To give nothing away, the cell uses no formula for a Gaussian KL: with
# $z=\mu_I+\sigma_I\varepsilon$ it adds up the definition $\mathrm{KL}(q,p)=E_q[\log q(z)-\log p(z)]$ over a fine grid of
# $\varepsilon$.

# %%
toy_x, toy_weight, toy_lam = torch.tensor(1.5, dtype=torch.float64), 1.2, 0.5

means = torch.linspace(-1, 3, 81, dtype=torch.float64)
variances = torch.linspace(0.02, 1.2, 60, dtype=torch.float64)
mean, var = torch.meshgrid(means, variances, indexing="xy")  # (60, 81) each: rows are variances

prior = Normal(torch.zeros((), dtype=torch.float64), 1.0)
noise = torch.linspace(-8, 8, 161, dtype=torch.float64)
weights = prior.log_prob(noise).softmax(dim=0)  # of the grid points; they add up to 1
z = mean[..., None] + var.sqrt()[..., None] * noise  # (60, 81, 161)
log_q = Normal(mean[..., None], var.sqrt()[..., None]).log_prob(z)
log_likelihood = Normal(toy_weight * z, toy_lam**0.5).log_prob(toy_x)

kl = (log_q - prior.log_prob(z)) @ weights  # (60, 81)
error = (toy_x - toy_weight * z).square() @ weights
landscapes = {
    "ELBO": log_likelihood @ weights - kl,
    "(13.28)": -error / 2 - toy_lam * kl,
    "misprint": -error + kl,
}

# %%
figure, axes = plotting.new_figure(3, size=(3.3, 3.1))
for axis, (name, height) in zip(axes, landscapes.items(), strict=True):
    top, drop = height.max(), height.max() - height.min()
    levels = top - drop * torch.linspace(1, 0, 15, dtype=torch.float64) ** 2  # denser near the top
    axis.contourf(means, variances, height, levels=levels, cmap="Blues")
    row, column = divmod(int(height.argmax()), len(means))
    axis.plot(
        means[column], variances[row], "*", color=plotting.COLOURS[1], markersize=14, clip_on=False
    )
    axis.set(title=name, xlabel=r"$\mu_I$")
axes[0].set_ylabel(r"$\sigma_I^2$")
figure

# %% [markdown]
# **What to see.** The darker, the higher; the star marks the highest point. The first two landscapes have the same shape:
# the same summit, the same paths to it. Only the heights read differently, and that is of no concern to somebody who
# climbs. The misprint is a different landscape: its star sits at the lower edge. It pays for a larger KL instead of
# charging for it, so $\sigma_I^2$ shrinks for as long as you let it train.
#
# "The same shape" can be said precisely. Draw one height against the other, a dot for each point of the plane:

# %%
figure, axes = plotting.new_figure(2, size=(3.6, 2.9))
for axis, name, colour in zip(axes, ("(13.28)", "misprint"), plotting.COLOURS, strict=False):
    axis.plot(
        landscapes["ELBO"].flatten(), landscapes[name].flatten(), ".", color=colour, markersize=1
    )
    axis.set(xlabel="ELBO (nats)", ylabel=name)
figure


# %%
def correlation(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    return torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1]


elbo, objective, misprint = landscapes.values()
claim(
    "the ELBO and (13.28) have their summit at the same point", elbo.argmax() == objective.argmax()
)
claim("their correlation is 1, to 1e-12", abs(correlation(elbo, objective) - 1) < 1e-12)
claim("the misprint's summit is elsewhere", misprint.argmax() != elbo.argmax())
claim("it lies at the smallest variance of the grid", misprint.argmax() < len(means))

# %% [markdown]
# **What to see.** On the left all dots lie on one rising line: whoever knows one of the two heights knows the other. On
# the right they do not, and no choice of units makes them. Your task is to find out where that line comes from, and which
# line it is.

# %% [markdown]
# ## 1 · The divergence between two Gaussians
#
# Two of the terms to come are KL divergences between Gaussians, so this tool is made first, in full generality. For
# densities $p_1,p_2$ on $\mathbb R^d$
#
# $$\mathrm{KL}(p_1,p_2)=E_{z\sim p_1}\big[\log p_1(z)-\log p_2(z)\big].$$
#
# Write `gaussian_kl_general` for $p_1=N(\mu_1,\Sigma_1)$ and $p_2=N(\mu_2,\Sigma_2)$. Put both log-densities into the
# definition and take the expectation term by term; what you need is the expectation of a quadratic form,
# $E[(z-c)^\top A\,(z-c)]$, for a vector $c$ and a matrix $A$.
#
# - `mu1`, `mu2`: shape `(d,)`; `cov1`, `cov2`: shape `(d, d)`, symmetric and positive definite, in general not diagonal.
# - The result is a scalar tensor (shape `()`).
# - Two tests by thought: equal distributions must give 0, and the order of the arguments matters.
# - With $d=10$ and variances near $10^{-6}$ some intermediate numbers do not fit into float32. Think before you form them.


# %% nbgrader={"grade_id": "gaussian_kl_general", "solution": true}
def gaussian_kl_general(mu1, cov1, mu2, cov2):
    """KL(N(mu1, cov1), N(mu2, cov2)) in nats.

    Args:
        mu1, mu2: Means, shape (d,) each.
        cov1, cov2: Covariances, shape (d, d) each, symmetric positive definite.

    Returns:
        A scalar tensor, shape ().
    """
    ### BEGIN SOLUTION
    from torch.linalg import cholesky, solve_triangular

    # Σ = L Lᵀ with L lower triangular. Then Σ⁻¹ = L⁻ᵀ L⁻¹ and log|Σ| = 2 Σ_j log L_jj: nothing is
    # inverted, and no determinant, which could leave the range of float32, is ever formed.
    L1, L2 = cholesky(cov1), cholesky(cov2)

    # tr(Σ2⁻¹ Σ1) = tr(L2⁻ᵀ L2⁻¹ L1 L1ᵀ) = ‖L2⁻¹ L1‖², the sum of all squared entries
    trace = solve_triangular(L2, L1, upper=False).square().sum()

    # (μ2 − μ1)ᵀ Σ2⁻¹ (μ2 − μ1) = ‖L2⁻¹ (μ2 − μ1)‖²
    shift = (mu2 - mu1).unsqueeze(1)  # (d, 1), because the solver wants a matrix
    distance = solve_triangular(L2, shift, upper=False).square().sum()

    log_det_ratio = 2 * (L2.diagonal().log() - L1.diagonal().log()).sum()  # log |Σ2| / |Σ1|

    d = len(mu1)  # what the first Gaussian's own quadratic form has as its expectation
    return 0.5 * (trace + distance - d + log_det_ratio)
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_gaussian_kl_general", "grade": true, "locked": true, "points": 3}
check(gaussian_kl_general)

# %% [markdown]
# ## 2 · The divergence from the prior
#
# In a VAE the first Gaussian is $q(z|x)=N(\mu_I,\operatorname{diag}(\sigma_I^2))$, the second is the prior $N(0,I)$, and
# there is one such pair for each example of a batch. Specialise your formula, simplify it until no matrix is left, and
# write it for a whole batch at once.
#
# - `mu`: shape `(B, d)`; `var`: shape `(B, d)`, the variances $\sigma_I^2$. **Not** $\sigma_I$ and not $\log\sigma_I^2$:
#   what a network that follows the second slip returns would have to be squared first.
# - The result has shape `(B,)`: one number per example, neither summed nor averaged over the batch.
# - A test by thought: at which $\mu$ and $\sigma^2$ must it be 0? What must happen as a variance goes to 0?


# %% nbgrader={"grade_id": "gaussian_kl", "solution": true}
def gaussian_kl(mu, var):
    """KL(N(mu, diag var), N(0, I)) of each example, in nats.

    Args:
        mu: Means, shape (B, d).
        var: Variances σ² (not σ, not log σ²), shape (B, d).

    Returns:
        Shape (B,).
    """
    ### BEGIN SOLUTION
    # With Σ1 = diag(σ²), μ2 = 0 and Σ2 = I each term of the general formula falls apart into a sum
    # over j: the trace into σ_j², the distance into μ_j², d into 1, and log|Σ2|/|Σ1| into −log σ_j².
    per_dimension = 0.5 * (var + mu**2 - 1 - var.log())  # (B, d)
    return per_dimension.sum(dim=1)  # independent dimensions: their divergences add up
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_gaussian_kl", "grade": true, "locked": true, "points": 2}
check(gaussian_kl)

# %% [markdown]
# ## 3 · The ELBO with one sample
#
# The ELBO is $E_{z\sim q}[\log p(x|z;\theta)]-\mathrm{KL}\big(q(z|x;\phi),p(z)\big)$. Training estimates the expectation
# with a single sample $z=\mu_I+\sigma_I\odot\varepsilon$, $\varepsilon\sim N(0,I)$ (*reparameterisation*, 再参数化), and takes
# the divergence exactly:
#
# $$\text{ELBO}_1=\log N(x;\mu_G,\lambda I)-\mathrm{KL}\big(N(\mu_I,\sigma_I^2I),N(0,I)\big),$$
#
# where $\mu_G$ is what the generator network returns for this $z$. Sampling and networks have done their work when the
# function is called; it gets their results. Keep **every** constant here: this is a bound on a log-density, and its value
# means something.
#
# - `x`, `mu_g`: shape `(B, D)`; `mu_i`, `var_i`: shape `(B, d)`, where `var_i` holds $\sigma_I^2$; `lam`: a float, the
#   variance $\lambda$.
# - The result has shape `(B,)`.
# - Answers do not call each other: write the divergence out again.


# %% nbgrader={"grade_id": "elbo_one_sample", "solution": true}
def elbo_one_sample(x, mu_g, mu_i, var_i, lam):
    """log N(x; mu_g, lam·I) − KL(N(mu_i, diag var_i), N(0, I)) of each example, in nats.

    Args:
        x: Observations, shape (B, D).
        mu_g: Outputs of the generator network for one sample z per example, shape (B, D).
        mu_i: Means of q(z|x), shape (B, d).
        var_i: Variances σ² of q(z|x), shape (B, d).
        lam: The decoder's variance λ, a positive float.

    Returns:
        Shape (B,).
    """
    ### BEGIN SOLUTION
    import math

    D = x.shape[1]
    squared_distance = ((x - mu_g) ** 2).sum(dim=1)  # ‖x − μ_G‖², (B,)

    # |λI| = λ^D, so the normalising constant (2π)^(D/2) |λI|^(1/2) is (2πλ)^(D/2).
    log_likelihood = -squared_distance / (2 * lam) - 0.5 * D * math.log(2 * math.pi * lam)

    to_prior = 0.5 * (var_i + mu_i**2 - 1 - var_i.log()).sum(dim=1)  # (B,)
    return log_likelihood - to_prior
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_elbo_one_sample", "grade": true, "locked": true, "points": 2}
check(elbo_one_sample)

# %% [markdown]
# ## 4 · The objective (13.28)
#
# This is the other end of the derivation, and the formula is given: it stands at the top of this notebook. Write it as it
# stands there, each factor and each sign, and compare it term by term with your `elbo_one_sample` while you do. Which
# terms are in both, and with which factors?
#
# - Arguments and shape of the result are those of `elbo_one_sample`.
# - Its values are in squared units of $x$, not in nats.


# %% nbgrader={"grade_id": "objective_13_28", "solution": true}
def objective_13_28(x, mu_g, mu_i, var_i, lam):
    """The objective (13.28) of each example, to be maximised.

    Args:
        x: Observations, shape (B, D).
        mu_g: Outputs of the generator network for one sample z per example, shape (B, D).
        mu_i: Means of q(z|x), shape (B, d).
        var_i: Variances σ² of q(z|x), shape (B, d).
        lam: The decoder's variance λ, a positive float.

    Returns:
        Shape (B,).
    """
    ### BEGIN SOLUTION
    # A sum over the D features, not their mean: the mean would divide this term, and only this
    # one, by D, which is the same as training with a λ that is D times as large.
    reconstruction = -0.5 * ((x - mu_g) ** 2).sum(dim=1)  # (B,)
    divergence = 0.5 * (var_i + mu_i**2 - 1 - var_i.log()).sum(dim=1)  # (B,)
    return reconstruction - lam * divergence
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_objective_13_28", "grade": true, "locked": true, "points": 2}
check(objective_13_28)

# %% [markdown]
# ## 5 · The line between them
#
# The dots of the second figure lie on a line. Now say which one: find the numbers $a$ and $b$, in terms of $D$ and
# $\lambda$ alone, with
#
# $$J=a\cdot\text{ELBO}_1+b\qquad\text{for all } x,\mu_G,\mu_I,\sigma_I^2.$$
#
# This is the step in which constants disappear from the objective; $b$ is where they went. A map of this kind is called
# *affine*, and with $a>0$ it preserves what training cares about.
#
# - `data_dim`: the dimension $D$ of $x$, an int; `lam`: a float.
# - The result is the pair `(a, b)` of floats, in this order.


# %% nbgrader={"grade_id": "affine_map", "solution": true}
def affine_map(data_dim, lam):
    """The numbers a and b with objective_13_28 = a · elbo_one_sample + b.

    Args:
        data_dim: D, the dimension of x, an int.
        lam: The decoder's variance λ, a positive float.

    Returns:
        The pair (a, b) of floats.
    """
    ### BEGIN SOLUTION
    from math import log, pi

    # ‖x − μ_G‖² has the factor −1/(2λ) in the ELBO and −½ in (13.28), the divergence −1 and −λ. One
    # number turns both into what they should be, and that there is one is why the map exists.
    a = lam

    # λ·ELBO₁ still carries λ times the log of the decoder's normalising constant; b cancels it.
    b = 0.5 * lam * data_dim * log(2 * pi * lam)
    return a, b
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_affine_map", "grade": true, "locked": true, "points": 2}
check(affine_map)

# %% [markdown]
# Your line against the landscapes of the beginning, which were computed without any of your formulas. There $D=1$.

# %%
try:
    slope, constant = affine_map(1, toy_lam)
except NotImplementedError:
    print("Write `affine_map` first, then run this cell again.")
else:
    mismatch = (objective - (slope * elbo + constant)).abs().max()
    claim("your line leads from the ELBO to (13.28) everywhere, to 1e-9", mismatch < 1e-9)
    claim("it rises, so the two have the same summit", slope > 0)

# %% [markdown]
# ## 6 · Where the ELBO comes from
#
# The derivation begins one step earlier, with the **evidence decomposition**: for every distribution $q$ of $z$
#
# $$\log p(x)=\text{ELBO}(q,x)+\mathrm{KL}\big(q(z),\,p(z|x)\big),\qquad
#   \text{ELBO}(q,x)=E_{z\sim q}\big[\log p(x,z)-\log q(z)\big].$$
#
# For a neural network only the ELBO can be computed. For a linear generator with a scalar latent variable all three can,
# and then the decomposition can be seen to hold. The model is
#
# $$z\sim N(0,1),\qquad x|z\sim N(w z,\,\lambda I)\ \text{ in } \mathbb R^D,\qquad q=N(m,s^2).$$
#
# Compute each of the three numbers **on its own**; then their sum is a test of your derivation. This ELBO is the exact
# one, with the expectation over $z\sim q$ taken, not that of one sample.
#
# - `x`, `w`: shape `(D,)`; `lam`: $\lambda>0$; `m`: the mean of $q$; `s2`: its variance $s^2>0$.
# - The result is the triple `(log_evidence, elbo, kl)` of floats, where `kl` is the divergence from $q$ to the posterior
#   $p(z|x)$.
# - Everything here is Gaussian: the joint density of $(x,z)$, the marginal of $x$ and the posterior of $z$. For the
#   posterior, look at $\log p(x,z)$ as a function of $z$ and complete the square.


# %% nbgrader={"grade_id": "evidence_terms", "solution": true}
def evidence_terms(x, w, lam, m, s2):
    """The three terms of the evidence decomposition for z ~ N(0, 1), x|z ~ N(w z, lam·I).

    Args:
        x: One observation, shape (D,).
        w: The linear generator, shape (D,).
        lam: The decoder's variance λ, a positive float.
        m: The mean of q, a float.
        s2: The variance of q, a positive float.

    Returns:
        The triple (log_evidence, elbo, kl) of floats, in nats; kl is from q to the posterior.
    """
    ### BEGIN SOLUTION
    from math import log, pi

    # The results are Python floats, so nothing is lost by computing in double precision.
    x, w = x.double(), w.double()
    D = len(x)
    ww = (w @ w).item()  # ‖w‖²
    log_constant = 0.5 * D * log(2 * pi * lam)  # of the decoder's density

    # Posterior. As a function of z, −‖x − w z‖²/(2λ) − z²/2 is a quadratic with the curvature
    # −(‖w‖² + λ)/λ and its maximum at wᵀx/(‖w‖² + λ).
    posterior_var = lam / (ww + lam)
    posterior_mean = (w @ x).item() / (ww + lam)

    # Evidence. Bayes' rule, log p(x) = log p(x|z) + log p(z) − log p(z|x), holds at every z. At the
    # posterior mean the last term is simplest, and no D × D covariance w wᵀ + λI is needed. The 2π
    # of the prior and that of the posterior cancel.
    residual = x - w * posterior_mean
    log_evidence = -(residual @ residual).item() / (2 * lam) - log_constant  # log p(x|z)
    log_evidence -= 0.5 * posterior_mean**2  # + log p(z), without its 2π
    log_evidence += 0.5 * log(posterior_var)  # − log p(z|x) at its maximum, without its 2π

    # ELBO. With z = m + s ε: E_q ‖x − w z‖² = ‖x − w m‖² + s²‖w‖², since E ε = 0 and E ε² = 1.
    residual = x - w * m
    expected_square = (residual @ residual).item() + s2 * ww
    to_prior = 0.5 * (s2 + m**2 - 1 - log(s2))
    elbo = -expected_square / (2 * lam) - log_constant - to_prior

    # Gap. The general formula of answer 1 with d = 1.
    ratio = s2 / posterior_var
    kl = 0.5 * (ratio + (m - posterior_mean) ** 2 / posterior_var - 1 - log(ratio))
    return log_evidence, elbo, kl
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_evidence_terms", "grade": true, "locked": true, "points": 3}
check(evidence_terms)

# %% [markdown]
# With the function written, look at the decomposition along a path. In the model of the beginning let $q=N(m,0.25)$ and
# move $m$. The evidence is computed a second time, by adding up $p(x)=\int p(x|z)\,p(z)\,dz$ on a fine grid of $z$.

# %%
grid = torch.linspace(-12, 12, 4001, dtype=torch.float64)
log_joint = Normal(toy_weight * grid, toy_lam**0.5).log_prob(toy_x) + prior.log_prob(grid)
evidence_by_quadrature = (log_joint.logsumexp(dim=0) + (grid[1] - grid[0]).log()).item()

path = torch.linspace(-0.6, 2.4, 61, dtype=torch.float64)
toy_w = torch.tensor([toy_weight], dtype=torch.float64)
try:
    terms = [evidence_terms(toy_x[None], toy_w, toy_lam, m, 0.25) for m in path.tolist()]
except NotImplementedError:
    print("Write `evidence_terms` first, then run this cell again.")
else:
    log_evidence, bound, gap = torch.tensor(terms, dtype=torch.float64).T
    deviation = (log_evidence - evidence_by_quadrature).abs().max()
    claim("log p(x) agrees with the integral and does not depend on q, to 1e-9", deviation < 1e-9)
    claim(
        "ELBO + KL = log p(x) all along the path, to 1e-9",
        (bound + gap - log_evidence).abs().max() < 1e-9,
    )
    claim_between("the smallest gap on the path, in nats", gap.min(), 0, 0.01)

    figure, (axis,) = plotting.new_figure(size=(5.6, 3.2))
    axis.plot(path, log_evidence, color="black", linestyle="--", label="log p(x)")
    axis.plot(path, bound, color=plotting.COLOURS[0], label="ELBO")
    axis.fill_between(
        path, bound, log_evidence, color=plotting.COLOURS[1], alpha=0.3, label="KL to the posterior"
    )
    axis.set(xlabel="mean m of q", ylabel="nats")
    axis.legend()
    display(figure)

# %% [markdown]
# **What to see** (once the figure is there). The evidence is a level ceiling: it knows nothing of $q$. The ELBO comes up
# to it, as nearly as the eye can tell, where $q$ comes closest to the posterior, and everywhere else the coloured gap is
# exactly what is missing.

# %% [markdown]
# ## The written answer
#
# Derive (13.28), from the evidence decomposition to the objective, in whole sentences and with every step. For each term
# that leaves the formula on the way, say which step it leaves in, where it goes, and why training may do without it. Close
# with the misprint: show that $-\|x-\mu_G\|^2+\mathrm{KL}$ cannot be obtained in the same manner.
#
# | points | for |
# |---|---|
# | 1 | the evidence decomposition, derived for an arbitrary $q$; why the ELBO is a bound and when it is tight |
# | 1 | the split of the ELBO in two, and the divergence from $q$ to the prior in closed form, derived from the definition |
# | 1 | the Gaussian log-likelihood with all its constants; why one sample is enough, and how gradients reach $\phi$ through it |
# | 1 | the passage to (13.28): every constant named, why the maximisers agree, what has to be fixed for that; the misprint |

# %% [markdown] nbgrader={"grade_id": "written_13_2", "solution": true, "grade": true, "points": 4}
# **Notation.** Write $q(z)$ for $q(z|x;\phi)=N(z;\mu_I,\operatorname{diag}(\sigma_I^2))$; let $x\in\mathbb R^D$ be fixed,
# $z\in\mathbb R^d$, and leave out $\theta$ and $\phi$ where they are clear. All densities that appear are positive
# everywhere.
#
# **Step 1: the decomposition.** For every $z$ the definition of the posterior says $p(x)=p(x,z)/p(z|x)$. Take logarithms,
# and add and subtract $\log q(z)$:
#
# $$\log p(x)=\big[\log p(x,z)-\log q(z)\big]+\big[\log q(z)-\log p(z|x)\big].$$
#
# The left-hand side does not depend on $z$, so it is its own expectation under any distribution of $z$. Taking the
# expectation under $q$ on both sides,
#
# $$\log p(x)=\underbrace{E_q\big[\log p(x,z)-\log q(z)\big]}_{\text{ELBO}}
#   +\underbrace{E_q\big[\log q(z)-\log p(z|x)\big]}_{\mathrm{KL}(q,\,p(z|x))}.$$
#
# **Step 2: the bound.** The logarithm is concave, hence by Jensen's inequality (詹森不等式)
# $-\mathrm{KL}(q,p(z|x))=E_q\big[\log\tfrac{p(z|x)}{q(z)}\big]\le\log E_q\big[\tfrac{p(z|x)}{q(z)}\big]=\log\int p(z|x)\,dz=0$.
# It is strictly concave, so equality needs a ratio that is constant, and two densities with constant ratio are equal. So
# $\text{ELBO}\le\log p(x)$, with equality exactly if $q$ is the posterior. The term $\mathrm{KL}(q,p(z|x))$, which nobody
# can compute, is left out at this point. **It is no constant**; it depends on $\phi$ and on $\theta$. What permits leaving
# it out is its sign. For fixed $\theta$ the sum of the two terms does not depend on $\phi$, and raising the ELBO lowers
# the divergence by the same amount; raising the ELBO in $\theta$ raises a lower bound of what we want.
#
# **Step 3: the split.** Since $p(x,z)=p(x|z)\,p(z)$,
#
# $$\text{ELBO}=E_q[\log p(x|z)]-E_q\big[\log q(z)-\log p(z)\big]=E_q[\log p(x|z)]-\mathrm{KL}(q,p(z)).$$
#
# **Step 4: the divergence between Gaussians.** A Gaussian in $\mathbb R^d$ has
# $\log N(z;\mu,\Sigma)=-\tfrac d2\log(2\pi)-\tfrac12\log|\Sigma|-\tfrac12(z-\mu)^\top\Sigma^{-1}(z-\mu)$. In the
# difference of two of them the terms $\tfrac d2\log(2\pi)$ cancel: **the first constant is gone**, without any
# approximation. What is left of the definition is
#
# $$\mathrm{KL}=\tfrac12\log\tfrac{|\Sigma_2|}{|\Sigma_1|}
#   +\tfrac12E_1\big[(z-\mu_2)^\top\Sigma_2^{-1}(z-\mu_2)\big]
#   -\tfrac12E_1\big[(z-\mu_1)^\top\Sigma_1^{-1}(z-\mu_1)\big].$$
#
# A scalar is its own trace, and a trace allows cyclic exchange. So for every vector $c$ and matrix $A$, with the
# expectation under $N(\mu_1,\Sigma_1)$,
#
# $$E_1\big[(z-c)^\top A(z-c)\big]=\operatorname{tr}\big(A\,E_1[(z-c)(z-c)^\top]\big)
#   =\operatorname{tr}(A\Sigma_1)+(\mu_1-c)^\top A(\mu_1-c).$$
#
# With $c=\mu_1$, $A=\Sigma_1^{-1}$ this is $\operatorname{tr}(I)=d$; with $c=\mu_2$, $A=\Sigma_2^{-1}$ it gives the other
# two terms of
#
# $$\mathrm{KL}\big(N(\mu_1,\Sigma_1),N(\mu_2,\Sigma_2)\big)
#   =\tfrac12\Big(\operatorname{tr}(\Sigma_2^{-1}\Sigma_1)+(\mu_2-\mu_1)^\top\Sigma_2^{-1}(\mu_2-\mu_1)
#   -d+\log\tfrac{|\Sigma_2|}{|\Sigma_1|}\Big).$$
#
# **Step 5: the prior.** Set $\mu_1=\mu_I$, $\Sigma_1=\operatorname{diag}(\sigma_I^2)$, $\mu_2=0$, $\Sigma_2=I$. The trace
# is $\sum_j\sigma_{I,j}^2$, the quadratic form $\sum_j\mu_{I,j}^2$, and $\log|\Sigma_1|=\sum_j\log\sigma_{I,j}^2$, so that
#
# $$\mathrm{KL}(q,p(z))=\tfrac12\sum_{j=1}^d\big(\sigma_{I,j}^2+\mu_{I,j}^2-1-\log\sigma_{I,j}^2\big).$$
#
# The constant $-\tfrac d2$ **stays**, inside the divergence: it is what makes the divergence 0 at $q=p(z)$.
#
# **Step 6: the decoder.** Now $p(x|z)=N(x;\mu_G,\lambda I)$ with $\mu_G=\mu_G(z;\theta)$. The covariance has the
# determinant $\lambda^D$ and the inverse $\lambda^{-1}I$:
#
# $$\log p(x|z)=-\tfrac1{2\lambda}\|x-\mu_G\|^2-\tfrac D2\log(2\pi\lambda).$$
#
# The **factor** $\tfrac12$ belongs to the exponent of a Gaussian. The last term is **the second constant**: it contains
# neither $z$ nor a parameter.
#
# **Step 7: one sample.** The expectation $E_q[\log p(x|z)]$ has no closed form when $\mu_G$ is a network. Write
# $z=\mu_I+\sigma_I\odot\varepsilon$ with $\varepsilon\sim N(0,I)$; then $z$ has the distribution $q$, and the expectation
# is over $\varepsilon$, whose distribution does not depend on $\phi$. For one draw,
#
# $$\text{ELBO}_1=-\tfrac1{2\lambda}\|x-\mu_G(\mu_I+\sigma_I\odot\varepsilon)\|^2-\tfrac D2\log(2\pi\lambda)
#   -\mathrm{KL}(q,p(z)),\qquad E_\varepsilon[\text{ELBO}_1]=\text{ELBO}.$$
#
# It is a differentiable function of $\theta$, $\mu_I$ and $\sigma_I$; and because $\varepsilon$ is drawn from a fixed
# distribution, differentiation and expectation may be exchanged (for networks of the usual kinds), so its gradient is an
# unbiased estimate of the gradient of the ELBO. That is all stochastic gradient ascent asks for: the noise averages out
# over minibatches and steps. The divergence is not sampled; step 5 has it exactly.
#
# **Step 8: the scale.** Multiply by $\lambda>0$:
#
# $$\lambda\,\text{ELBO}_1=-\tfrac12\|x-\mu_G\|^2-\tfrac{\lambda D}2\log(2\pi\lambda)-\lambda\,\mathrm{KL}(q,p(z)).$$
#
# The first and the last term together are $J(\phi,\theta|x)$ of (13.28). Hence
#
# $$\boxed{\;J=a\,\text{ELBO}_1+b\quad\text{with}\quad a=\lambda,\quad b=\tfrac{\lambda D}2\log(2\pi\lambda).\;}$$
#
# **The maximisers agree.** Neither $a$ nor $b$ depends on $\theta$, $\phi$, $x$ or $\varepsilon$, and $a>0$. So
# $J(\phi,\theta)\ge J(\phi',\theta')$ if and only if the same holds for $\text{ELBO}_1$. This survives averaging over
# $\varepsilon$, and summing over $N$ examples, which has $a$ unchanged and $Nb$ in the place of $b$. Each gradient of $J$
# is $\lambda$ times that of $\text{ELBO}_1$: plain gradient ascent needs a step size divided by $\lambda$ to take the same
# path. All this requires **one fixed $\lambda$**. Were $\lambda$ learned, $b$ would be part of the objective. Dropping it
# would be fatal: as the divergence is not negative, $J$ rises as $\lambda$ falls to 0, whatever the data, while in
# $\text{ELBO}_1$ the term $-\tfrac1{2\lambda}\|x-\mu_G\|^2$ forbids that.
#
# **Where each constant went.**
#
# | term | step | what became of it |
# |:---|:---:|:---|
# | $\mathrm{KL}(q,p(z\mid x))$ | 2 | no constant; left out because it is not negative, which makes the rest a bound |
# | $\tfrac d2\log(2\pi)$ of $q$ and of the prior | 4 | cancel each other |
# | $-\tfrac d2$ | 4, 5 | stays, as the $-1$ of each latent dimension |
# | $\tfrac12$ of the squared error | 6 | stays |
# | $\tfrac1\lambda$ of the squared error | 8 | multiplied away; reappears as the weight $\lambda$ of the divergence |
# | $-\tfrac D2\log(2\pi\lambda)$ | 6, 8 | times $\lambda$ it is $-b$; dropped, since $\lambda$ is fixed |
#
# **The misprint.** Suppose $-\|x-\mu_G\|^2+\mathrm{KL}=a'\,\text{ELBO}_1+b'$ for all outputs of the networks. Squared
# error and divergence vary independently of each other, so their coefficients must agree: $-1=-a'/(2\lambda)$ requires
# $a'=2\lambda>0$, and $+1=-a'$ requires $a'=-1$. No $a'$ does both. The factor alone could be mended, because
# $-\|x-\mu_G\|^2-\lambda\,\mathrm{KL}$ is twice (13.28) with $\lambda/2$ in the place of $\lambda$; the sign cannot. With
# it the objective has no maximum at all, because $\mathrm{KL}\to\infty$ as $\sigma_I^2\to0$ while the squared error stays
# bounded, and that is the star at the edge of the third landscape. Nor does the misprint
# have a unit: it adds nats to squared units of $x$. $\blacksquare$

# %% [markdown]
# ## Where to read on
#
# - D. P. Kingma, M. Welling, *Auto-Encoding Variational Bayes*, 2014: the original; appendix B has the divergence from the
#   prior.
# - D. J. Rezende, S. Mohamed, D. Wierstra, *Stochastic Backpropagation and Approximate Inference in Deep Generative
#   Models*, 2014: the same idea, found independently.
# - C. Doersch, *Tutorial on Variational Autoencoders*, 2016: the derivation at a slow pace.
# - D. P. Kingma, M. Welling, *An Introduction to Variational Autoencoders*, 2019: the authors' own survey.
# - C. M. Bishop, *Pattern Recognition and Machine Learning*, 2006: section 2.3 on linear Gaussian models, section 9.4 and
#   chapter 10 on the decomposition.
# - I. Higgins and others, *β-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework*, 2017: what
#   happens when the weight of the divergence is chosen freely.
# - O. Rybkin, K. Daniilidis, S. Levine, *Simple and Effective VAE Training with Calibrated Decoders*, 2021: what to do
#   when $\lambda$ is not fixed but learned.
#
# In this course: lecture [5 · Training a VAE](../notebooks/05-training-a-vae.ipynb) trains with (13.28); exercise
# [13-3](13-3.ipynb) asks what its second term does.
