# %% [markdown]
# # 2 · Latent variables and the evidence lower bound (隐变量与证据下界)
#
# *Section 13.2.1 of the chapter.*
#
# You hear a noise from the street and think: a bus, or a lorry. You did not observe the cause, you observed what it caused, and you reasoned backwards. A **latent variable**
# (隐变量) $z$ is such a cause: a model needs it to tell how the observation $x$ came about, but no data set contains it. Two questions follow at once. How probable is $x$,
# when *any* cause may have produced it? And which cause was it? Both answers need a sum or an integral over all causes, and in any interesting model nobody can compute it.
#
# This lecture shows the way out, on which the whole of the variational autoencoder (变分自编码器) rests: replace the answer to the second question by a guess $q$, and receive a lower bound on the answer to
# the first. We do it in models so small that the exact answers are known, so that nothing has to be believed: the bound, its gap, the exact identity between them, and what becomes of learning when the
# guess is poor.
#
# **After this lecture you will be able to**
#
# - write down the joint density, the evidence and the posterior of a latent-variable model, and compute them where that is possible;
# - derive the evidence lower bound (证据下界, ELBO) in two ways, and say what the second tells you that the first does not;
# - read $\log p(x)=\text{ELBO}+\mathrm{KL}$ off a picture and predict how it changes when $q$ moves;
# - explain EM (期望最大化) as climbing the ELBO, alternately in two coordinates, and prove that the likelihood never falls;
# - say how much is lost when the family of $q$ is too small, and why $q$ then tends to come out too narrow;
# - predict in which direction the gap pulls the model's parameters away from the maximum-likelihood estimate.
#
# **You need** Bayes' rule, Gaussian densities, and from [lecture 1](01-probabilistic-generative-models.ipynb) the mixture model. The **Kullback–Leibler divergence** (KL 散度)
# $\mathrm{KL}(q,p)=E_{z\sim q}[\log q(z)-\log p(z)]$ is never negative, and zero only if $q=p$; section 2 proves that on the way. All logarithms are natural, so the
# unit is the nat.

# %%
import itertools
import math

import torch
from torch.distributions import Normal
from torch.nn.functional import logsigmoid

import gm_course
from gm_course import plotting
from gm_course.claims import claim, claim_between

runtime = gm_course.setup(seed=0)

# %% [markdown]
# Everything below is small, so it stays on the CPU and in double precision (`float64`), whatever device your computer has.
#
# ## 1 · A model with a hidden cause
#
# A latent-variable model tells a story in two steps. First a cause is drawn from the **prior** (先验) $p(z;\theta)$, then an observation from the **likelihood** (似然) $p(x|z;\theta)$. Multiplying the two steps
# gives the density of the whole story (`joint-factorisation`):
#
# $$p(x,z;\theta)=p(x|z;\theta)\,p(z;\theta).$$
#
# Here $\theta$ stands for all parameters of the model; where it does not matter we leave it out. The observer sees only $x$. Summing the stories that end in this $x$ gives the **evidence** (证据), also called
# marginal likelihood (边际似然), and the share of each story in that sum is the **posterior** (后验), by Bayes' rule (`posterior`):
#
# $$p(x)=\int p(x|z)\,p(z)\,dz,\qquad p(z|x)=\frac{p(x|z)\,p(z)}{\int p(x|z)\,p(z)\,dz}=\frac{p(x,z)}{p(x)}.$$
#
# For a discrete $z$ read a sum for the integral. Our first model has only two causes. Machine 1 makes three tenths of all parts, machine 2 the rest. The deviation $x$ of a
# part from its nominal size, in tenths of a millimetre, is $N(-1,1)$ from machine 1 and $N(2,1)$ from machine 2. You measure a part, $x=-0.2$. Which machine was it?

# %%
prior = torch.tensor([0.3, 0.7], dtype=torch.float64)  # p(z), (2,)
machine_means = torch.tensor([-1.0, 2.0], dtype=torch.float64)

x = torch.tensor(-0.2, dtype=torch.float64)
joint = Normal(machine_means, 1.0).log_prob(x).exp() * prior  # p(x|z) p(z), (2,)
evidence = joint.sum()  # p(x), a number
posterior = joint / evidence  # p(z|x), (2,)

claim_between("evidence p(x)", evidence, 0.11, 0.12)
claim_between("posterior probability of machine 1", posterior[0], 0.77, 0.79)

# %% [markdown]
# One measurement has turned 30 % into 78 %. What does that number mean? Tell the two-step story very often, keep only the runs in which $x$ came out close to
# $-0.2$, and count the causes among *these*:

# %%
generator = torch.Generator().manual_seed(1)
causes = torch.multinomial(prior, 400_000, replacement=True, generator=generator)  # 0 is machine 1
noise = torch.randn(400_000, generator=generator, dtype=torch.float64)
observations = machine_means[causes] + noise  # x given z
similar = (observations - x).abs() < 0.05
share = (causes[similar] == 0).double().mean()

claim("at least 3,000 runs came out close to -0.2", similar.sum() >= 3_000)
claim_between(
    "share of machine 1 among them, minus the posterior", share - posterior[0], -0.03, 0.03
)
frequency = similar.double().mean() / 0.1  # per unit of x; the window is 0.1 wide
claim_between("their frequency per unit of x, over the evidence", frequency / evidence, 0.9, 1.1)

# %% [markdown]
# That sum had two terms. With $z\in\mathbb R^d$ it becomes an integral, and a grid of 100 points in each of only 20 directions has $10^{40}$ terms. A generator network makes it worse: even *one* $z$ costs a
# pass through the network, and nearly all $z$ explain a given image not at all. So neither evidence nor posterior can be had exactly, and we look for something that can.
#
# ## 2 · Any guess gives a bound: Jensen's inequality
#
# Invent a distribution $q(z)$, any one that is positive wherever $p(x,z)$ is. It is called the **variational distribution** (变分分布), and it is our guess of the posterior. Multiply and divide by it:
#
# $$\log p(x)=\log\int p(x,z)\,dz=\log\int q(z)\,\frac{p(x,z)}{q(z)}\,dz=\log E_{z\sim q}[w(z)],\qquad w(z)=\frac{p(x,z)}{q(z)}.$$
#
# Nothing has happened yet. Now the one step with content: the logarithm is concave, so the logarithm of an average is at least the average of the logarithms (**Jensen's inequality**, Jensen 不等式). Hence (`elbo-definition`, `elbo-is-bound`)
#
# $$\log p(x)=\log E_{q}[w]\;\ge\;E_{q}[\log w]=E_{z\sim q}\big[\log p(x,z)-\log q(z)\big]=:\text{ELBO}(q,x).$$
#
# Look at what the right-hand side needs: the joint density, which is the product of two things the model *is made of*, and $q$, which we chose. The evidence does not occur in it. The logarithm is *strictly* concave, so equality needs a
# weight that is the same for all $z$. (With a density $p(z)$ in place of $p(x,z)$ the inequality reads $0=\log 1\ge-\mathrm{KL}(q,p)$, with equality only for $q=p$: that is what we said about the KL.)
#
# With two causes a guess is one number, $r=q(z=1)$, and Jensen's inequality is a chord under a curve. There are two weights, $w_1$ and $w_2$; their average is $p(x)$ *for every* $r$.


# %%
def two_machine_guess(r: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Probabilities q(z) and weights w(z) = p(x,z)/q(z), each of shape (2,)."""
    q = torch.tensor([r, 1 - r], dtype=torch.float64)
    return q, joint / q


r_star = posterior[0].item()
for r in (0.3, 0.55, 0.9, r_star):
    q, w = two_machine_guess(r)
    elbo = q @ (joint.log() - q.log())  # E_q[log p(x,z) − log q(z)]
    name = "the posterior" if r == r_star else f"{r:.2f}"
    claim(f"r = {name}: E_q[w] = p(x), to 1e-12", (q @ w - evidence).abs() < 1e-12)
    claim(f"r = {name}: ELBO at most log p(x)", elbo <= evidence.log() + 1e-12)

# %%
from gm_course.plotting import bounds

bounds.jensen_chords(
    {
        "a poor guess, r = 0.10": two_machine_guess(0.1),
        "q = prior, r = 0.30": two_machine_guess(0.3),
        "q = posterior, r = 0.78": two_machine_guess(r_star),
    }
)

# %% [markdown]
# **What to see.** The black curve is the logarithm; the red chord joins the two weights. The black square lies on the curve above the average weight: it is $\log p(x)$, and it stays where it is in
# all three panels. The blue diamond lies on the chord, at the same place from left to right: it is the ELBO, and the yellow piece between them is what Jensen's inequality gives away. The better the guess, the closer the
# two weights come together. In the right panel they have merged: the weight is the same for every cause, there is no chord left, and nothing is lost. When is $w(z)=p(x,z)/q(z)$ the same for all $z$? When $q(z)\propto p(x,z)$, and
# that is the posterior.
#
# **Try it.** Move $r$ (the axes follow, to hold both weights). Find the value at which the chord has no length, and compare it with 0.78. Then go to both ends. Ignoring machine 2 ($r=0.99$) costs 0.21 nats, ignoring machine 1 ($r=0.05$) costs 1.24. Neither is
# infinite: a guess that puts everything on one cause loses minus the logarithm of that cause's true share, $-\log0.78\approx0.25$ for machine 1 and $-\log0.22\approx1.5$ for machine 2. Section 7 comes back to this leniency.

# %%
from gm_course.widgets import Explorer, choice, slider, whole_number_slider


def draw_chord(r: float):
    """One panel of the figure above, for any guess."""
    q, w = two_machine_guess(r)
    gap = (evidence.log() - q @ w.log()).item()
    return bounds.jensen_chords({f"r = {r:.2f}: {max(gap, 0):.3f} nats lost": (q, w)})


Explorer(draw_chord, r=slider("r = q(z = 1)", 0.05, 0.99, start=0.3, step=0.01))

# %% [markdown]
# ## 3 · The same bound as an exact identity
#
# Jensen's inequality says that something is lost, but not how much. A second derivation does. Bayes' rule, read backwards, holds for *every* $z$:
#
# $$\log p(x)=\log p(x,z)-\log p(z|x).$$
#
# The left-hand side does not depend on $z$; average both sides over $q$, then subtract and add $\log q(z)$:
#
# $$\log p(x)=E_q\big[\log p(x,z)-\log p(z|x)\big]
#   =\underbrace{E_q\big[\log p(x,z)-\log q(z)\big]}_{\text{ELBO}(q,x)}+\underbrace{E_q\big[\log q(z)-\log p(z|x)\big]}_{\mathrm{KL}(q(z),\,p(z|x))}.$$
#
# This is `evidence-decomposition`, and there is no inequality in it. Three things follow without further work.
#
# - **A bound.** The KL is never negative, so $\text{ELBO}\le\log p(x)$.
# - **Tightness.** The KL is zero only if $q$ is the posterior, so the bound is reached there and nowhere else.
# - **A way to infer.** $\log p(x)$ does not depend on $q$. So whoever *raises* the ELBO by changing $q$ *lowers* $\mathrm{KL}(q,p(z|x))$ by the same amount: we approach a posterior that we cannot compute, by maximising something
#   that we can.
#
# We check the identity for both machines, and also in a model with a continuous latent variable, the package's `LinearGaussianModel`: $z\sim N(0,I)$ in $d$ dimensions and $x|z\sim N(Wz+b,\lambda I)$ in $D$. All its
# distributions are Gaussian, so evidence, posterior and KL have formulas; the ELBO is averaged over a million draws.

# %%
for r in (0.05, 0.3, 0.55, 0.99):
    q, w = two_machine_guess(r)
    elbo = q @ w.log()
    kl = q @ (q.log() - posterior.log())
    claim(
        f"r = {r:.2f}: ELBO + KL = log p(x), to 1e-12", (elbo + kl - evidence.log()).abs() < 1e-12
    )

# %%
from gm_course.distributions import DiagonalGaussian, GaussianMixture, LinearGaussianModel
from gm_course.divergences import gaussian_kl, gaussian_kl_general

model = LinearGaussianModel(
    weight=torch.tensor([[1.0, 0.4], [0.4, 1.0], [-0.5, 0.3]], dtype=torch.float64),  # W, (D, d)
    offset=torch.zeros(3, dtype=torch.float64),
    var=0.5,
)
point = torch.tensor([[1.0, -0.5, 0.3]], dtype=torch.float64)  # x, (1, D)
guess = DiagonalGaussian(
    torch.tensor([[0.5, 0.0]], dtype=torch.float64), torch.full((1, 2), 0.4, dtype=torch.float64)
)

# %%
noise = torch.randn(1_000_000, 2, generator=generator, dtype=torch.float64)
z = guess.mean + guess.var.sqrt() * noise  # a million draws of q, (n, d)
log_weights = model.joint_log_prob(point, z) - guess.log_prob(z)  # log p(x,z) − log q(z), (n,)
posterior_mean, posterior_cov = model.posterior(point)
kl = gaussian_kl_general(guess.mean[0], guess.var[0].diag(), posterior_mean[0], posterior_cov)

claim_between("the KL (nats)", kl, 0.1, 2)
off = log_weights.mean() + kl - model.log_evidence(point)
standard_error = log_weights.std() / len(z) ** 0.5
claim("ELBO + KL = log p(x), within 5 standard errors", off.abs() < 5 * standard_error)

# %% [markdown]
# ## 4 · A picture that moves
#
# From here on $z$ is a single number and $q=N(m,s^2)$, with mean $m$ and standard deviation $s$, so that everything can be drawn. We observe $x=1.25$ in two models, both with the prior
# $N(0,1)$. In the **straight** one $x|z\sim N(z,\,0.75^2)$. It is a linear-Gaussian model, so its posterior is Gaussian. In the **bent** one $x|z\sim N(z^2/2,\,0.15)$: the sign of $z$ leaves no trace in $x$, and the posterior must have
# two humps.
#
# One dimension is so small that a grid settles everything: an integral is a sum over the grid times its step. The function below is the whole lecture so far.

# %%
x = torch.tensor(1.25, dtype=torch.float64)
z = torch.linspace(-15, 15, 3001, dtype=torch.float64)
dz = 0.01
log_prior = Normal(0.0, 1.0).log_prob(z)
log_joints = {
    "straight": Normal(z, 0.75).log_prob(x) + log_prior,  # log p(x|z) + log p(z)
    "bent": Normal(z.square() / 2, 0.15**0.5).log_prob(x) + log_prior,
}


# %%
def split(log_joint: torch.Tensor, log_q: torch.Tensor) -> tuple[float, float, float]:
    """log p(x), ELBO and KL(q, p(z|x)) by sums over the grid."""
    log_evidence = (log_joint.exp().sum() * dz).log()
    log_posterior = log_joint - log_evidence
    elbo = (log_q.exp() * (log_joint - log_q)).sum() * dz
    kl = (log_q.exp() * (log_q - log_posterior)).sum() * dz
    return log_evidence.item(), elbo.item(), kl.item()


def log_gaussian(mean: float, std: float) -> torch.Tensor:
    return Normal(torch.full_like(z, mean), std).log_prob(z)  # keeps float64


# %%
for name, log_joint in log_joints.items():
    for mean, std in ((0.0, 1.0), (0.8, 0.6), (-1.0, 0.3)):
        log_evidence, elbo, kl = split(log_joint, log_gaussian(mean, std))
        claim(
            f"{name}, q = N({mean}, {std}²): ELBO + KL = log p(x), to 1e-9",
            abs(elbo + kl - log_evidence) < 1e-9,
        )

one = torch.ones(1, 1, dtype=torch.float64)
straight = LinearGaussianModel(weight=one, offset=torch.zeros(1, dtype=torch.float64), var=0.75**2)
mean, cov = straight.posterior(x.reshape(1, 1))
claim("straight: the posterior is N(0.8, 0.6²)", abs(mean - 0.8) < 1e-9 and abs(cov - 0.36) < 1e-9)
log_evidence, elbo, kl = split(log_joints["straight"], log_gaussian(0.8, 0.6))
exact = straight.log_evidence(x.reshape(1, 1)).item()
claim("straight: with that q the ELBO is log p(x), to 1e-9", abs(elbo - exact) < 1e-9)

# %% [markdown]
# **Try it.** The bar on the right is the identity: the plain part reaches up to the ELBO, the hatched part is the KL, and together they always end at the line $\log p(x)$. (The bar's foot has no meaning: it is the edge of
# the picture.) You move the meeting point, never the line.
#
# 1. In the straight model, make the KL zero. Which mean and standard deviation do it, and does any other pair?
# 2. Put the mean right and move only the standard deviation. Is it worse to be twice as wide as the posterior, or half as wide?
# 3. Switch to the bent model. Find the best $q$ that you can. Then find *another* one, equally good. What is the best with $m=0$?
#
# You should find: (1) 0.8 and 0.6, and no other pair. (2) Twice as wide costs 0.81 nats, half as wide 0.32: a $q$ that is too wide puts mass where the posterior has none, and is made to pay for it. (3) The best $q$ sits on
# one hump and leaves the other alone, at $m\approx\pm1.4$ and $s\approx0.3$. About 0.74 nats remain, however you set the sliders, and spanning both humps costs more than twice as much.


# %%
def draw_guesses(decoder: str, guesses: dict[str, tuple[float, float]]):
    """Curves of prior, posterior and each q = N(m, s²), given as title: (m, s); and the bars."""
    log_joint = log_joints[decoder]
    log_qs = {title: log_gaussian(*numbers) for title, numbers in guesses.items()}
    splits = [split(log_joint, log_q) for log_q in log_qs.values()]
    log_evidence = splits[0][0]
    return bounds.evidence_split(
        z, prior=log_prior.exp(), posterior=(log_joint - log_evidence).exp(),
        variational={title: log_q.exp() for title, log_q in log_qs.items()},
        elbo=[elbo for _, elbo, _ in splits], log_evidence=log_evidence,
    )  # fmt: skip


# %%
def draw_split(decoder: str, mean: float, std: float):
    title = f"q = N({mean:.2f}, {std:.2f}²)".replace("-", "−")
    return draw_guesses(decoder, {title: (mean, std)})


Explorer(
    draw_split,
    decoder=choice("model", ["straight", "bent"]),
    mean=slider("mean m of q", -3, 3, start=0, step=0.05),
    std=slider("standard deviation s of q", 0.1, 2, start=1, step=0.05),
)

# %% [markdown]
# The same without sliders: three guesses in the straight model, three in the bent one.

# %%
draw_guesses(
    "straight",
    {
        "A: the prior": (0.0, 1.0),
        "B: right mean, too wide": (0.8, 1.2),
        "C: the posterior": (0.8, 0.6),
    },
)

# %%
draw_guesses(
    "bent",
    {"A: one hump": (1.4, 0.3), "B: the other hump": (-1.4, 0.3), "C: both humps": (0.0, 0.9)},
)

# %% [markdown]
# **What to see.** In the upper figure the bars fill up as $q$ (red, dashed) approaches the posterior (blue), and in the last one the hatched part is gone. In the lower figure it never goes: no Gaussian has two humps. The two narrow guesses are equally
# good, and each overlooks half of the truth. Were the humps perfect Gaussians, far apart and each covered exactly, the gap would be $\log2\approx0.69$ nats: on its hump $q$ is twice as high as the posterior, so $\log q-\log p(z|x)=\log 2$ wherever $q$
# has any mass. The wide guess covers both humps, but also the valley between them, and that is dearer.

# %%
_, _, twice = split(log_joints["straight"], log_gaussian(0.8, 1.2))
_, _, half = split(log_joints["straight"], log_gaussian(0.8, 0.3))
claim_between("straight: KL with twice the standard deviation", twice, 0.80, 0.82)
claim_between("straight: KL with half the standard deviation", half, 0.31, 0.33)

grid = itertools.product(torch.arange(-2, 2.01, 0.1).tolist(), torch.arange(0.1, 2, 0.05).tolist())
gaps = {(m, s): split(log_joints["bent"], log_gaussian(m, s))[2] for m, s in grid}
best_mean, best_std = min(gaps, key=gaps.__getitem__)
claim_between("bent: |m| of the best Gaussian on a grid", abs(best_mean), 1.35, 1.45)
claim_between("bent: its s", best_std, 0.2, 0.35)
claim_between("bent: its gap, more than log 2", min(gaps.values()), math.log(2), 0.78)
centred = min(gap for (m, _), gap in gaps.items() if abs(m) < 0.01)
claim("bent: the best with m = 0 loses more than twice as much", centred > 2 * min(gaps.values()))

# %% [markdown]
# ## 5 · Close to the posterior the gap is quadratic
#
# How precisely must $q$ match? Let $q=p^*+tu$, where $p^*$ is the posterior, $u$ a direction with $\int u\,dz=0$, and $t$ small. Expand the logarithm, $\log(1+y)=y-\tfrac12y^2+O(y^3)$ with $y=tu/p^*$:
#
# $$\mathrm{KL}(q,p^*)=\int(p^*+tu)\log\Big(1+\frac{tu}{p^*}\Big)dz=t\underbrace{\int u\,dz}_{=0}+\frac{t^2}{2}\int\frac{u^2}{p^*}\,dz+O(t^3).$$
#
# No linear term: the posterior is the summit of the ELBO, and a summit is flat. Half the error leaves a quarter of the gap. In our examples, with $p^*=N(m^*,s^{*2})$ in the straight model and $r^*$ for the machines:
#
# | error in | gap |
# |---|---|
# | the mean, $m=m^*+t$ | $t^2/(2s^{*2})$, exactly |
# | the standard deviation, $s=e^t s^*$ | $\tfrac12(e^{2t}-1)-t=t^2+O(t^3)$ |
# | the probability, $r=r^*\pm t$ | $t^2/\big(2r^*(1-r^*)\big)+O(t^3)$ |

# %%
errors = torch.logspace(-2.5, 0, 26, dtype=torch.float64)


def gap_in_straight_model(mean: float, std: float) -> float:
    return split(log_joints["straight"], log_gaussian(mean, std))[2]


def gap_for_machines(r: float) -> float:
    q, _ = two_machine_guess(r)
    return (q @ (q.log() - posterior.log())).item()


steps = errors.tolist()
gap_curves = {
    "mean": [gap_in_straight_model(0.8 + t, 0.6) for t in steps],
    "log standard deviation": [gap_in_straight_model(0.8, 0.6 * math.exp(t)) for t in steps],
    "probability r": [gap_for_machines(r_star - t) for t in steps if t < 0.7],
}

# %%
leading = (0.5 / 0.6**2, 1.0, 0.5 / (r_star * (1 - r_star)))  # factors of t² in the table
bounds.quadratic_gaps(errors, gap_curves, factors=leading)

# %% [markdown]
# **What to see.** On logarithmic axes a quadratic is a straight line of slope 2. The thin lines are the three formulas of the table with only their leading terms, the marks are the measured gaps. The errors of the mean follow their line throughout; the other
# two leave it when the error is no longer small. So a $q$ that is *nearly* right costs next to nothing. The other side of the coin: an ELBO within a hundredth of a nat of the best may still belong to a $q$ that is visibly off.

# %%
half_and_whole = {
    "mean": [gap_in_straight_model(0.8 + t, 0.6) for t in (0.01, 0.02)],
    "log std": [gap_in_straight_model(0.8, 0.6 * math.exp(t)) for t in (0.01, 0.02)],
    "probability r": [gap_for_machines(r_star + t) for t in (0.005, 0.01)],
}
for name, (half, whole) in half_and_whole.items():
    claim_between(
        f"error in the {name}: gap, over the gap at half the error", whole / half, 3.9, 4.1
    )

# %% [markdown]
# The same argument gives a gauge that works where the posterior is unknown. Write $\log w=\text{ELBO}+Y$ with $E_q[Y]=0$. Then
# $\log p(x)=\log E_q[w]=\text{ELBO}+\log E_q[e^Y]\approx\text{ELBO}+\tfrac12\operatorname{Var}_q[\log w]$, if $Y$ is small: *near the optimum the gap is half the variance of the log-weights*, and those can be sampled.
# At the optimum they do not vary at all. [Lecture 5](05-training-a-vae.ipynb) meets this fact again.

# %%
log_q = log_gaussian(0.85, 0.62)
log_weights = log_joints["straight"] - log_q
_, elbo, gap = split(log_joints["straight"], log_q)
variance = ((log_q.exp() * (log_weights - elbo).square()).sum() * dz).item()
claim_between("half the variance of log w, over the gap", 0.5 * variance / gap, 0.9, 1.1)

# %% [markdown]
# ## 6 · EM climbs the ELBO
#
# So far the model was given. Now its parameter $\theta$ must be learnt from data $x_1,\dots,x_N$, by maximising the log-likelihood $L(\theta)=\frac1N\sum_n\log p(x_n;\theta)$, per example this time. Every $x_n$ has a cause of its own, so every one has a $q_n$ of its own, and averaging
# the identity of section 3 over the data gives
#
# $$L(\theta)=F(\theta,q)+\frac1N\sum_n\mathrm{KL}\big(q_n(z),p(z|x_n;\theta)\big),\qquad F(\theta,q)=\frac1N\sum_n\text{ELBO}(q_n,x_n;\theta).$$
#
# $F$ has two arguments, and we may climb it one coordinate at a time (**coordinate ascent**, 坐标上升). That is the EM algorithm:
#
# - **E-step**: keep $\theta$, maximise $F$ over $q$. By the identity the maximum is the posterior, $q_n(z)=p(z|x_n;\theta)$, and there $F=L$.
# - **M-step**: keep $q$, maximise $F$ over $\theta$. As $\log q$ contains no $\theta$, this is $\max_\theta\frac1N\sum_nE_{q_n}[\log p(x_n,z;\theta)]$: fitting a model as if the causes had been observed.
#
# That the likelihood never falls (`em-monotone` of lecture 1) is now one line. With $q^{(k)}$ the posterior at $\theta^{(k)}$,
#
# $$L(\theta^{(k)})\overset{\text{E}}{=}F(\theta^{(k)},q^{(k)})\overset{\text{M}}{\le}F(\theta^{(k+1)},q^{(k)})\overset{\text{bound}}{\le}L(\theta^{(k+1)}).$$
#
# To *see* it we need a model in which $\theta$ and $q$ are one number each. Two equally frequent kinds of point, $x|z{=}1\sim N(\theta,1)$ and $x|z{=}2\sim N(-\theta,1)$, do it. Bayes' rule gives the posterior
#
# $$p(z{=}1|x;\theta)=\frac{e^{-(x-\theta)^2/2}}{e^{-(x-\theta)^2/2}+e^{-(x+\theta)^2/2}}=\frac1{1+e^{-2\theta x}}.$$
#
# So take as guesses $q_n(z{=}1)=1/(1+e^{-2ax_n})$ with one number $a$: the posteriors of a model whose parameter were $a$. The family contains the posterior for every $\theta$, at $a=\theta$, and that is the E-step.
# For the M-step, write $r_n=q_n(z{=}1)$, keep what depends on $\theta$, and set the derivative to zero:
#
# $$\frac{\partial F}{\partial\theta}=\frac1N\sum_n\big[r_n(x_n-\theta)-(1-r_n)(x_n+\theta)\big]=\frac1N\sum_n(2r_n-1)\,x_n-\theta=0
#   \;\Rightarrow\;\theta=\frac1N\sum_nx_n\tanh(ax_n),$$
#
# since $2r_n-1=\tanh(ax_n)$.

# %%
kinds = GaussianMixture(torch.tensor([[-1.0], [1.0]], dtype=torch.float64), std=1.0)
data = kinds.sample(400, generator=torch.Generator().manual_seed(0))[:, 0]  # true θ = 1, (N,)


def log_joint_of(theta: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """log p(x_n, z; θ) for z = 1 and z = 2; θ of any shape S gives S + (N,)."""
    mean = theta[..., None]
    half = math.log(0.5)
    return half + Normal(mean, 1.0).log_prob(data), half + Normal(-mean, 1.0).log_prob(data)


# %%
def average_elbo(theta: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    """F, the ELBO averaged over the data; θ and a broadcast."""
    log_r, log_rest = logsigmoid(2 * a[..., None] * data), logsigmoid(-2 * a[..., None] * data)
    first, second = log_joint_of(theta)
    terms = log_r.exp() * (first - log_r) + log_rest.exp() * (second - log_rest)
    return terms.mean(dim=-1)


def log_likelihood(theta: torch.Tensor) -> torch.Tensor:
    """L, the log-likelihood averaged over the data."""
    return torch.logaddexp(*log_joint_of(theta)).mean(dim=-1)


# %%
def em(theta: float, a: float, steps: int) -> list[tuple[float, float]]:
    """The path (θ, a): the start, then E-steps and M-steps in turn, ``steps`` of both kinds."""
    path = [(theta, a)]
    for step in range(steps):
        if step % 2 == 0:
            a = theta  # E-step: q becomes the posterior
        else:
            theta = (data * (a * data).tanh()).mean().item()  # M-step
        path.append((theta, a))
    return path


# %%
path = torch.tensor(em(theta=0.2, a=1.3, steps=60), dtype=torch.float64)  # (61, 2)
elbo_along = average_elbo(path[:, 0], path[:, 1])
likelihood_along = log_likelihood(path[:, 0])
claim("F rises with every half-step, to 1e-12", (elbo_along.diff() > -1e-12).all())
claim("the log-likelihood never falls, to 1e-12", (likelihood_along.diff() > -1e-12).all())
claim(
    "after each E-step F = L, to 1e-12", (elbo_along - likelihood_along)[1::2].abs().max() < 1e-12
)
opened = (likelihood_along - elbo_along)[2::2].max()  # after an M-step
claim_between("largest gap L − F that an M-step opens (nats)", opened, 0.001, 0.2)

# %%
theta_grid = torch.linspace(0, 1.6, 81, dtype=torch.float64)
elbo_grid = average_elbo(theta_grid, theta_grid[:, None])  # row: a, column: θ; (81, 81)
likelihood_grid = log_likelihood(theta_grid)


def draw_staircase(theta: float, a: float, steps: int):
    """EM's path from (θ, a) over the contours of F, and the bounds that its E-steps give."""
    return bounds.ascent_staircase(
        theta_grid, theta_grid, elbo_grid, path=em(theta, a, steps),
        log_likelihood=likelihood_grid, labels=("parameter $\\theta$", "parameter $a$ of $q$"),
    )  # fmt: skip


draw_staircase(0.2, 1.3, 10)

# %% [markdown]
# **What to see.** Left, the landscape of $F$ seen from above. The E-step goes straight up or down to the dotted diagonal, where $q$ is the posterior; the M-step goes sideways to where $F$ is highest in its row. Each half-step crosses contours uphill
# only, and the stairs become ever smaller towards the summit, which lies on the diagonal. Right, the same as seen from the side. Each E-step builds a bound (dashed) that touches the log-likelihood at the current
# $\theta$ (dot) and lies below it everywhere else. The M-step walks to the top of that bound, where the log-likelihood is higher still; there the next bound is built.
#
# Where a bound touches, it also has the same *slope*: a smooth curve that touches another from below without crossing cannot do otherwise. So at the posterior $\nabla_\theta F=\nabla_\theta L$, and the gradient of a likelihood that we cannot
# compute is the gradient of an expectation that we can (Fisher's identity). Away from the posterior the two differ, and section 8 is about the consequences.

# %%
theta = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
(slope,) = torch.autograd.grad(log_likelihood(theta), theta)
guesses = torch.tensor(
    [0.5, 1.3], dtype=torch.float64
)  # a: the posterior's, and an overconfident q
at_posterior, overconfident = (
    torch.autograd.grad(average_elbo(theta, a), theta)[0] - slope for a in guesses
)
claim("a = θ, the posterior: F and L have the same slope, to 1e-12", at_posterior.abs() < 1e-12)
claim("a = 1.3, overconfident: the slopes differ by more than 0.1", overconfident.abs() > 0.1)

summit = theta_grid[likelihood_grid.argmax()]
claim_between("θ after 60 half-steps, minus L's maximum", path[-1, 0] - summit, -0.021, 0.021)

# %% [markdown]
# **Try it.** Start far to the right ($\theta=1.5$), or with a hopeless $q$ ($a=1.6$): the first E-step forgets where $a$ started. Then start at $\theta=0$. The M-step gives $\theta=0$ again, for ever: at $\theta=0$ both kinds of
# point are the same, the posterior is one half for every $x$, and no data can tell them apart. EM stops where the slope is zero, and that need not be a maximum. Start at 0.05, as the sliders do: close to zero each M-step only multiplies $\theta$ by the mean of $x_n^2$, which is about 2.

# %%
Explorer(
    draw_staircase,
    theta=slider("initial θ", 0, 1.6, start=0.05, step=0.05),
    a=slider("initial a", 0, 1.6, start=1.0, step=0.05),
    steps=whole_number_slider("half-steps", 1, 24, start=7),
)

# %% [markdown]
# ## 7 · When the family is too small
#
# An E-step needs the posterior, and we have just said that there usually is none to be had. **Variational inference** (变分推断) settles for less: maximise the ELBO over $q$ in a family $\mathcal Q$ that one can handle. By the identity this
# finds the member with the smallest $\mathrm{KL}(q,p(z|x))$, and the gap that remains is that smallest KL.
#
# The most used family is the **mean field** (平均场): $q(z)=\prod_jq_j(z_j)$, all coordinates independent. The inference network of a VAE also returns independent coordinates, $N(\mu_I,\operatorname{diag}\sigma_I^2)$. What does that cost? Suppose two
# people speak into two microphones, and each microphone also hears the other person, at $\theta$ times the volume (crosstalk, 串扰):
#
# $$x=\begin{pmatrix}1&\theta\\\theta&1\end{pmatrix}z+\text{noise of variance }\lambda,\qquad z\sim N(0,I).$$
#
# If what you hear can come from either person, then the more the one has said, the less is left for the other. Causes that are independent *before* the observation are correlated *after* it (**explaining away**, 相消解释). The posterior is
# Gaussian with the precision matrix $\Lambda=I+W^\top W/\lambda$, covariance $\Sigma=\Lambda^{-1}$, and its correlation is $\rho=-2\theta/(1+\theta^2+\lambda)$.
#
# The best Gaussian with independent coordinates can be found on paper. For $q=N(m,\operatorname{diag}(v))$, the general Gaussian formula (`gaussian-kl-general`) reads
#
# $$\mathrm{KL}(q,p(z|x))=\tfrac12\Big(\sum_j\Lambda_{jj}v_j+(m-\mu)^\top\Lambda(m-\mu)-2-\sum_j\log v_j-\log|\Lambda|\Big).$$
#
# The middle term asks for $m=\mu$, the posterior mean. Differentiating with respect to $v_j$ gives $\Lambda_{jj}=1/v_j$. With two coordinates, $1/\Lambda_{jj}=(1-\rho^2)\Sigma_{jj}$, so
#
# $$v_j=(1-\rho^2)\,\Sigma_{jj},\qquad\text{gap}=\tfrac12\log\frac{\Lambda_{11}\Lambda_{22}}{|\Lambda|}=-\tfrac12\log(1-\rho^2).$$
#
# The mean is right, the variance **too small**: it is the variance of $z_1$ when $z_2$ is *known*. We do not take that on trust but let an optimiser find the best $q$.


# %%
def crosstalk(theta: float, var: float = 0.25) -> LinearGaussianModel:
    weight = torch.tensor([[1.0, theta], [theta, 1.0]], dtype=torch.float64)
    return LinearGaussianModel(weight, offset=torch.zeros(2, dtype=torch.float64), var=var)


# %%
def best_mean_field(
    mean: torch.Tensor, cov: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Mean (2,), variances (2,) and KL of the best q with independent coordinates."""
    m = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    log_var = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [m, log_var], max_iter=100, tolerance_grad=1e-10, line_search_fn="strong_wolfe"
    )

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        kl = gaussian_kl_general(m, log_var.exp().diag(), mean, cov)
        kl.backward()
        return kl

    optimiser.step(closure)
    return m.detach(), log_var.detach().exp(), closure().item()


# %%
heard = torch.tensor([[1.0, 0.2]], dtype=torch.float64)  # x, (1, D)
approximations = {}
for theta in (0.1, 0.3, 0.8):
    mean, cov = crosstalk(theta).posterior(heard)  # (1, d), (d, d)
    m, var, gap = best_mean_field(mean[0], cov)
    rho = -2 * theta / (1 + theta**2 + 0.25)
    title = f"θ = {theta}, ρ = −{abs(rho):.2f}\ngap {gap:.2f} nats"
    approximations[title] = (cov, var, cov.diagonal())
    mean_error = (m - mean[0]).abs().max()
    var_error = (var - (1 - rho**2) * cov.diagonal()).abs().max()
    gap_error = abs(gap + 0.5 * math.log(1 - rho**2))
    claim(f"θ = {theta}: the best mean is the posterior's, to 1e-5", mean_error < 1e-5)
    claim(f"θ = {theta}: its variances are (1 − ρ²) times as large, to 1e-5", var_error < 1e-5)
    claim(f"θ = {theta}: the gap is −½ log(1 − ρ²), to 1e-8", gap_error < 1e-8)

# %%
bounds.posterior_ellipses(approximations)

# %% [markdown]
# **What to see.** Each ellipse contains the points within two standard deviations. Almost no crosstalk: all three agree, and the gap is practically zero. The more crosstalk, the longer and narrower the posterior
# (blue), and $q$ (red, dashed) shrinks into its waist instead of covering it.
#
# The reason lies in the direction of the KL. $\mathrm{KL}(q,p)=E_{\boldsymbol q}[\log q-\log p]$ is an average over $q$: where $q$ has mass and $p$ has none, it is fined heavily; where $p$ has mass and $q$ has none, nobody looks (ignoring machine 2 altogether cost a quarter of a nat
# in section 2). This is the **reverse KL** (逆向 KL 散度), and it
# prefers too small to too large. With the arguments exchanged, $\mathrm{KL}(p,q)$ is the forward one, and its best $q$ has the variances of the marginals (dotted): that one covers everything, corners included where the posterior has
# no mass at all. The bent model of section 4, where $q$ chose one hump, shows the same preference; and [lecture 8](08-gan-analysis.ipynb) will meet it as the reason why a GAN forgets modes. Remember it when you read off uncertainties from a variational
# posterior: the mean may be fine, but where the family is too small the **spread is usually an underestimate**.

# %% [markdown]
# ## 8 · A gap pulls the parameters away
#
# One might say: never mind the gap, we want $\theta$. But the gap moves $\theta$. Let $q$ be as good as its family allows, and let $g(\theta)\ge0$ be the gap that remains, averaged over the data. What we climb is
#
# $$\max_{q\in\mathcal Q}F(\theta,q)=L(\theta)-g(\theta).$$
#
# At the maximum-likelihood estimate $\hat\theta$ the slope of $L$ is zero, so there this objective still has the slope $-g'(\hat\theta)$: the optimiser walks on, *towards models whose posterior the family can represent*. If $L$ is curved as $L''=-c$, it comes to rest
# after about $-g'(\hat\theta)/c$. The likelihood says which $\theta$ explains the data; the gap says which $\theta$ is convenient; and the ELBO adds the two. Two examples, in which it goes two ways.
#
# **A $q$ that may not doubt.** In the model of section 6 let every $q_n$ decide for one kind, $q_n\in\{0,1\}$. (Where $q$ is zero the causes in question drop out of $E_q[w]$, which makes it smaller: the bound holds all the more.) The best decision is the more probable kind, and $\log q=0$ there, so $F$ becomes $\frac1N\sum_n\max_z\log p(x_n,z;\theta)$. This is "hard EM", and here it is $k$-means ($k$ 均值)
# with the centres $\theta$ and $-\theta$. Points of the right kind on the wrong side of zero are counted to the other kind, so each kind looks further away than it is: setting the derivative to zero gives $\theta=\frac1N\sum_n|x_n|$.
#
# **A $q$ that may not correlate.** In the crosstalk model the mean-field gap is $-\frac12\log(1-\rho^2)$ and grows with $\theta$ over the range that we draw. For the ELBO itself we average $\log p(x|z)$ over $q$, as in lecture 5, and subtract the KL to the prior.

# %%
hard = torch.maximum(*log_joint_of(theta_grid)).mean(dim=-1)  # ELBO of the best hard q
claim("a hard q gives a bound as well", (hard <= likelihood_grid + 1e-12).all())

# %%
recording = crosstalk(0.6).sample(2_000, generator=torch.Generator().manual_seed(0))  # true θ = 0.6


def mean_field_elbo(theta: float) -> torch.Tensor:
    """E_q[log p(x|z)] − KL(q, prior) with the best mean-field q, averaged over the recording."""
    model = crosstalk(theta)
    mean, cov = model.posterior(recording)  # (N, d), (d, d)
    var = (1 / torch.linalg.inv(cov).diagonal()).expand_as(mean)  # 1/Λ_jj, (N, d)
    trace = (model.weight.square() * var[0]).sum()  # tr(W diag(v) Wᵀ)
    reconstruction = model.likelihood(mean).log_prob(recording) - trace / (2 * model.var)
    return (reconstruction - gaussian_kl(mean, var)).mean()


# %%
crosstalk_grid = torch.linspace(0, 1.0, 101, dtype=torch.float64)
exact_curve = torch.stack(
    [crosstalk(t).log_evidence(recording).mean() for t in crosstalk_grid.tolist()]
)
elbo_curve = torch.stack([mean_field_elbo(t) for t in crosstalk_grid.tolist()])
rho = -2 * crosstalk_grid / (1 + crosstalk_grid**2 + 0.25)
gap_curve = -0.5 * (1 - rho.square()).log()
claim(
    "mean field: L − ELBO is the gap of section 7, to 1e-9",
    (exact_curve - elbo_curve - gap_curve).abs().max() < 1e-9,
)

# %%
panels = {
    "two kinds of point: q may not doubt": (
        theta_grid,
        {"log-likelihood (exact q)": likelihood_grid, "ELBO, best q in the family": hard},
    ),
    "crosstalk: q may not correlate": (
        crosstalk_grid,
        {"log-likelihood (exact q)": exact_curve, "ELBO, best q in the family": elbo_curve},
    ),
}
bounds.objectives_with_maxima(panels, truths=(1.0, 0.6), depth=0.9)

# %% [markdown]
# **What to see.** The marks are the maxima, the vertical line is the $\theta$ that made the data. With the exact posterior learning finds it, up to the randomness of the sample. On the left the hard $q$ fits best where the kinds are far apart, because
# there is nothing to doubt; so the two curves approach each other towards the right, and the maximum of the ELBO is too far to the *right*. On the right the mean field fits best where there is no crosstalk; the curves
# meet at $\theta=0$, and the maximum of the ELBO is too far to the *left*: it finds half of the crosstalk.

# %%
ml, hard_estimate = theta_grid[likelihood_grid.argmax()], theta_grid[hard.argmax()]
claim_between("two kinds, truth 1: maximum likelihood", ml, 0.8, 1.2)
claim_between("two kinds: hard q, minus maximum likelihood", hard_estimate - ml, 0.1, 0.25)
claim(
    "the hard estimate is the mean of |x|, to the grid's step",
    abs(hard_estimate - data.abs().mean()) < 0.02,
)
ml, mean_field_estimate = crosstalk_grid[exact_curve.argmax()], crosstalk_grid[elbo_curve.argmax()]
claim_between("crosstalk, truth 0.6: maximum likelihood", ml, 0.54, 0.66)
claim_between("crosstalk, truth 0.6: mean field", mean_field_estimate, 0.24, 0.36)

# %%
exact_top, elbo_top = exact_curve.argmax(), elbo_curve.argmax()
claim(
    "from the one to the other the ELBO rises by more than 0.1 nats per example ...",
    elbo_curve[elbo_top] - elbo_curve[exact_top] > 0.1,
)
claim(
    "... while the likelihood falls by more than 0.05",
    exact_curve[exact_top] - exact_curve[elbo_top] > 0.05,
)

# %% [markdown]
# With exact E-steps the last two lines could not both be true: that is where the proof of section 6 needs $F=L$. More data do not help: this is not noise but bias, and it stays when the noise has gone. With 100,000 points EM finds $\theta=1$ to two decimals, while for the hard $q$ the estimate tends to
# $E|x|=\theta\,(2\Phi(\theta)-1)+2\varphi(\theta)\approx1.167$, with the distribution function $\Phi$ and the density $\varphi$ of $N(0,1)$.

# %%
many = kinds.sample(100_000, generator=torch.Generator().manual_seed(0))[:, 0]
theta = 0.2
for _ in range(200):
    theta = (many * (theta * many).tanh()).mean().item()  # E-step and M-step in one
limit = math.erf(1 / math.sqrt(2)) + 2 * Normal(0.0, 1.0).log_prob(torch.tensor(1.0)).exp().item()
claim_between("100,000 points, truth 1: EM", theta, 0.98, 1.02)
claim_between("100,000 points, truth 1: hard q", many.abs().mean(), 1.155, 1.18)
claim_between("its limit E|x|", limit, 1.166, 1.167)

# %% [markdown]
# So the family of $q$ decides not only how tight the bound is but also which *model* is learnt. A VAE adjusts its generator in the same way, towards one whose posteriors its inference network can represent. What counts is the *slope* of the gap, not its size: a gap that is the same for all $\theta$ would do no harm,
# and a tighter bound is no guarantee of better parameters. In time series Turner and Sahani (2011) found cases in which the mean field is less biased than richer families.
#
# ## 9 · Three slips, and what they look like
#
# The formula $E_{z\sim q}[\log p(x,z)-\log q(z)]$ is short, and there are three popular ways to get it wrong. We take the straight model with less noise, $x|z\sim N(z,0.2^2)$, leave the mean of $q$ at the posterior's and vary its
# standard deviation.
#
# 1. **The average under the prior**, $E_{z\sim p(z)}[\dots]$. That is $E_{p(z)}[\log p(x|z)]+\mathrm{KL}(p(z),q)$: a $q$ that gets narrow makes it as large as one likes.
# 2. **No $-\log q$.** What is left, $E_q[\log p(x,z)]=\text{ELBO}-H(q)$, lacks the entropy (熵) $H(q)=-E_q[\log q]$, and with it every reason to have any width: the best $q$ is a spike at the most probable $z$.
# 3. **One sample taken for a bound.** $\log p(x,z)-\log q(z)$ at a single $z\sim q$ estimates the ELBO without bias, but only its *average* lies below $\log p(x)$.

# %%
noise_std = 0.2
sharp = Normal(z, noise_std).log_prob(x) + log_prior
widths = torch.linspace(0.04, 0.6, 113, dtype=torch.float64)
centre = 1.25 / (1 + noise_std**2)  # the posterior's mean; its standard deviation:
posterior_width = noise_std / math.sqrt(1 + noise_std**2)
log_qs = Normal(centre, widths[:, None]).log_prob(z)  # one row for each width, (113, 3001)
wrong_and_right = {
    "ELBO": (log_qs.exp() * (sharp - log_qs)).sum(dim=1) * dz,
    "average under the prior": (log_prior.exp() * (sharp - log_qs)).sum(dim=1) * dz,
    "no −log q": (log_qs.exp() * sharp).sum(dim=1) * dz,
}
log_evidence = (sharp.exp().sum() * dz).log()

# %%
figure, (axis,) = plotting.new_figure(size=(6.4, 3.6))
for (name, values), colour, dash in zip(
    wrong_and_right.items(), plotting.COLOURS, ("-", "--", "-."), strict=False
):
    axis.plot(widths, values, color=colour, linestyle=dash, linewidth=2, label=name)
axis.axhline(log_evidence, color="black", linewidth=1, label="log p(x)")
axis.axvline(posterior_width, color="black", linestyle=":", label="posterior's width")
axis.set(xlabel="standard deviation of q", ylabel="nats", ylim=(log_evidence - 4, log_evidence + 3))
axis.legend(loc="upper right")
figure

# %% [markdown]
# **What to see.** Only the ELBO (solid) stays below the line and touches it, exactly at the posterior's width. The average under the prior (dashed) shoots through the line where $q$ is narrow. Without $-\log q$ the curve (dash-dotted) also crosses the line,
# and climbs steadily towards width zero: whoever maximises it gets a point and calls it a distribution. The third slip has no curve, but a number: of single samples from a $q$ one and a half times as wide as the posterior, more than half lie *above* $\log p(x)$.
#
# **Try it.** Set `noise_std` to 0.75 and run the two cells again. The dash-dotted curve now stays *below* the line, and still has its maximum at a point: a wrong formula does not always announce itself by exceeding $\log p(x)$.

# %%
best = {name: widths[values.argmax()].item() for name, values in wrong_and_right.items()}
claim("the ELBO is nowhere above log p(x)", (wrong_and_right["ELBO"] <= log_evidence + 1e-9).all())
claim_between("the width that maximises the ELBO", best["ELBO"], 0.19, 0.205)
claim(
    "both others are largest at the smallest width tried",
    best["no −log q"] == best["average under the prior"] == widths[0].item(),
)
for name in ("average under the prior", "no −log q"):
    claim(
        f"{name}: exceeds log p(x) by more than 0.5 nats",
        wrong_and_right[name].max() > log_evidence + 0.5,
    )

# %%
log_q = log_gaussian(centre, 0.3)
above = log_q.exp()[sharp - log_q > log_evidence].sum() * dz  # probability under q
claim_between(
    "probability that a single sample lies above log p(x), q = N(1.20, 0.3²)", above, 0.5, 0.65
)

# %% [markdown]
# ## What commonly goes wrong
#
# | symptom | cause | how to tell |
# |---|---|---|
# | the "bound" lies above a known $\log p(x)$ | average under the prior, or no $-\log q$ | section 9; test in a linear-Gaussian model |
# | $q$ shrinks to a point | no $-\log q$ | its variance falls without end |
# | an estimate of the ELBO from one $z$ above $\log p(x)$ | one sample is no bound | average many; [lecture 5](05-training-a-vae.ipynb), section 1 |
# | a positive ELBO | nothing need be wrong: $x$ has a density, and densities may exceed 1 | change the unit of $x$ |
# | the likelihood falls in an "EM" step | the E-step is not the posterior, or belongs to the parameters before last | $F=L$ after each E-step |
# | EM does not move | a stationary point that is no maximum, such as identical components | start elsewhere, and see whether the likelihood ends higher |
# | error bars too small | the family of $q$ is too small, and reverse KL shrinks it | compare with the exact posterior of a small problem |
# | biased parameters, however many data | a gap that depends on $\theta$ | section 8; compare families of $q$, or the exact likelihood of a small problem |
#
# ## Questions
#
# 1. The ELBO of model A is $-95$ nats, that of model B $-97$. Is A the better model?
#
# <details><summary>Answer</summary>
#
# Not necessarily. Both numbers are lower bounds: $\log p(x)$ may be $-94.9$ for A and $-93$ for B, whose posterior is merely harder to approximate. Lecture 5 shows how to tighten the bound before comparing.
#
# </details>
#
# 2. In section 2 the average weight is $p(x)$ for every $q$. Why then not average weights under the prior, $w=p(x|z)$, and never think about $q$ again?
#
# <details><summary>Answer</summary>
#
# It is correct on average and useless in practice: nearly all draws of the prior explain $x$ not at all, and a few rare ones carry the whole sum. A good $q$ looks for causes where they are; with the posterior every weight is the same.
#
# </details>
#
# 3. The identity of section 3 holds for every $q$. Why does the *E-step* nevertheless need $q$ to be the posterior, if the likelihood is never to fall?
#
# <details><summary>Answer</summary>
#
# The proof begins with $L(\theta^{(k)})=F(\theta^{(k)},q^{(k)})$. If the bound does not touch, the M-step raises $F$ from a lower level, and $L$ may fall while $F$ rises: part of the gain in $F$ is a smaller gap.
#
# </details>
#
# 4. Fix $q$ at the prior in the model of section 6, $q_n=\tfrac12$ for all $n$. What does the M-step learn?
#
# <details><summary>Answer</summary>
#
# That is $a=0$, and the M-step gives $\theta=\frac1N\sum_nx_n\tanh(0)=0$. A $q$ that ignores the data teaches a model that ignores its cause.
#
# </details>
#
# 5. In section 8 the hard $q$ pushes $\theta$ up and the mean field pushes it down. What decides the direction?
#
# <details><summary>Answer</summary>
#
# The slope of the gap. The ELBO's maximum moves to where the gap is smaller: well separated kinds in one case, no crosstalk in the other.
#
# </details>
#
# ## Equations of this lecture
#
# Every named equation is in the course's ledger, with a check against an independent computation. `joint-factorisation` and `posterior` are tested in linear-Gaussian models, `elbo-definition`, `evidence-decomposition` and `elbo-is-bound` in straight, bent and
# two-state models like the ones above. The slips of section 9 are in the ledger, too: put in place of the right formula, each must fail its check.

# %%
from gm_course.ledger import latent_variables
from gm_course.ledger.equation import show_equations

show_equations(latent_variables.EQUATIONS)

# %% [markdown]
# ## Summary
#
# - A latent-variable model is a prior times a likelihood. Evidence and posterior need a sum over all causes, which is rarely possible.
# - For every $q$: $\log p(x)=\text{ELBO}+\mathrm{KL}(q,p(z|x))$. Jensen's inequality gives the bound, Bayes' rule the gap. Evaluating the ELBO needs only the joint density and $q$.
# - The bound is tight exactly at the posterior, and near it the gap is quadratic in the error of $q$.
# - EM climbs the ELBO in turn over $q$ and over $\theta$. The E-step closes the gap, and therefore the likelihood never falls.
# - A family that is too small leaves a gap and usually makes $q$ too narrow; where the gap depends on $\theta$, it biases $\theta$ towards models that are convenient for the family.
#
# [Lecture 3](03-inference-and-generator-networks.ipynb) lets one network propose $q$ for every $x$ and another describe $p(x|z)$, and both climb this bound together.
#
# **Exercises that belong to this lecture:** [13-2](../exercises/13-2.ipynb) starts from the identity of section 3.
#
# ## References
#
# - A. P. Dempster, N. M. Laird, D. B. Rubin, *Maximum Likelihood from Incomplete Data via the EM Algorithm*, 1977.
# - R. M. Neal, G. E. Hinton, *A View of the EM Algorithm that Justifies Incremental, Sparse, and Other Variants*, 1998.
# - M. I. Jordan, Z. Ghahramani, T. S. Jaakkola, L. K. Saul, *An Introduction to Variational Methods for Graphical Models*, 1999.
# - C. M. Bishop, *Pattern Recognition and Machine Learning*, 2006, chapters 9 and 10.
# - R. E. Turner, M. Sahani, *Two Problems with Variational Expectation Maximisation for Time-Series Models*, 2011.
# - D. M. Blei, A. Kucukelbir, J. D. McAuliffe, *Variational Inference: A Review for Statisticians*, 2017.
