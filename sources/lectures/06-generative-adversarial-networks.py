# %% [markdown]
# # 6 · Generative adversarial networks (生成对抗网络, GAN)
#
# *Sections 13.3.1–13.3.3 of the chapter.*
#
# A forger paints; a detective says which paintings are forged. Each forgery that is found out teaches the forger something, and each one that passes
# teaches the detective. If both keep learning, the forgeries end up indistinguishable from the real thing, and nobody ever had to write down what makes
# a painting real. That is the idea of Goodfellow and others (2014): a generator needs no density, only somebody who tells its samples from data. In this
# lecture you build both players, derive what each of them minimises, let them train each other, and see why the balance between them is delicate.
#
# **After this lecture you will be able to**
#
# - say what an explicit and an implicit density (显式密度, 隐式密度) are, and what can be computed with each;
# - derive the loss of the discriminator (判别网络) from the cross-entropy (交叉熵), and compute it without overflow;
# - derive both losses of the generator and their gradients, and spot a published explanation that has them backwards;
# - write Algorithm 13.1 from memory, and watch both players learn in the plane;
# - measure what a discriminator that is too weak or too strong does to the generator;
# - explain with two numbers, $x$ and $y$, why two players who both descend need not arrive anywhere.
#
# **You need** lecture [1](01-probabilistic-generative-models.ipynb), or this: a generative model may be given by a **generator network** (生成网络) $G$
# that turns noise $z\sim p(z)$, usually $N(0,I)$, into a sample $x=G(z;\theta)$. The distribution of these samples is called $p_\theta$, that of the data
# $p_r$. $B$ is the number of examples in a batch, $d_x$ the dimension of $x$ and $d_z$ that of $z$; the letter $D$ is kept for the discriminator.

# %%
import math

import torch
from torch import nn
from torch.nn import functional

import gm_course
from gm_course import plotting
from gm_course.claims import claim, claim_between

runtime = gm_course.setup(seed=0)
double = torch.float64

# %% [markdown]
# ## 1 · Explicit and implicit densities
#
# A VAE has an **explicit density**: $p_\theta(x|z)$ and $p(z)$ are formulas, and $\log p_\theta(x)$ is bounded by something we can compute. A
# generator alone defines a distribution, too. Every expectation under it can be estimated from samples, because by definition (`generator-pushforward`)
#
# $$E_{x\sim p_\theta}[h(x)] = E_{z\sim p(z)}\big[h(G(z))\big].$$
#
# But does it also give the density $p_\theta(x)$? Take the friendliest case: one dimension, $G$ increasing and differentiable. The noise in
# a small interval of length $dz$ lands in an interval of length $dx=G'(z)\,dz$, and takes its probability along: $p_\theta(x)\,dx=p(z)\,dz$. So
#
# $$p_\theta(x)=\frac{p(z)}{|G'(z)|}\qquad\text{with } z=G^{-1}(x).$$
#
# This is the change of variables (变量替换). We try it with $G(z)=e^{z/2}$, whose inverse is $z=2\log x$ and whose slope is $G'(z)=\tfrac12e^{z/2}=\tfrac12x$.

# %%
noise = torch.Generator().manual_seed(1)  # this section stays on the CPU
z = torch.randn(200_000, generator=noise, dtype=double)
samples = torch.exp(z / 2)  # G(z)


def normal_density(z):
    return torch.exp(-0.5 * z.square()) / math.sqrt(2 * math.pi)


x = torch.linspace(0.01, 12, 20_000, dtype=double)
density = normal_density(2 * x.log()) / (0.5 * x)  # p(z) / G'(z)
claim_between("area under p_θ", torch.trapezoid(density, x), 0.9999, 1.0001)
without_slope = normal_density(2 * x.log())
claim_between("area if the slope is forgotten", torch.trapezoid(without_slope, x), 0.55, 0.58)

# %% [markdown]
# The first area shows that this is a density, the second what the denominator is for. Now the two sides of `generator-pushforward`, for
# $h(x)=\frac{x}{1+x}$: the left one by integrating the density, the right one by averaging over noise, without a density.


# %%
def h(x):
    return x / (1 + x)


by_density = torch.trapezoid(h(x) * density, x)
values = h(samples)
standard_error = values.std() / len(values) ** 0.5
claim(
    "E[h] from the density and from the samples: within 5 standard errors",
    abs(values.mean() - by_density) < 5 * standard_error,
)

# %% [markdown]
# So why does nobody compute the density of a GAN like this? Because the derivation used three things that a network does not offer.
#
# **$G$ must be invertible.** For $G(z)=z^2$ two values of noise, $\pm\sqrt x$, lead to the same $x$. Their contributions must be added, and who
# overlooks one of them gets a density of area ½. A network may have any number of such preimages, and finding them all is hopeless.

# %%
x = torch.linspace(-9, 3, 20_000, dtype=double).exp()  # dense near 0, where the density is steep
one_preimage = normal_density(x.sqrt()) / (2 * x.sqrt())  # |G'(z)| = 2|z| = 2√x
claim_between(
    "area with one preimage (what lies below the grid is missing)",
    torch.trapezoid(one_preimage, x),
    0.49,
    0.5,
)
claim_between("area with both", torch.trapezoid(2 * one_preimage, x), 0.98, 1)

# %% [markdown]
# **The dimensions must agree.** With $d_z<d_x$ there is no density at all. A smooth $G:\mathbb R^{d_z}\to\mathbb R^{d_x}$ fills only a thin sheet of the space, whose volume is
# zero, so all the probability sits on a set of volume zero. If there were a density at $x$, then the probability of a small disc around $x$, divided by the
# disc's area, would approach it as the disc shrinks. We measure that ratio for the curve $G(z)=(z,\sin 2z)$ in the plane, and for the same curve with
# some noise added, which does have a density.

# %%
z = torch.randn(2_000_000, generator=noise, dtype=double)
curve = torch.stack([z, torch.sin(2 * z)], dim=1)  # d_z = 1, d_x = 2
blurred = curve + 0.3 * torch.randn(curve.shape, generator=noise, dtype=double)


def mass_per_area(points, radius):
    return (points.norm(dim=1) < radius).double().mean() / (math.pi * radius**2)


for radius in (0.1, 0.05, 0.025):
    growth = mass_per_area(curve, radius / 2) / mass_per_area(curve, radius)
    claim_between(
        f"curve: half the radius, {radius} to {radius / 2}, grows it by", growth, 1.8, 2.2
    )
growth = mass_per_area(blurred, 0.05) / mass_per_area(blurred, 0.1)
claim_between("blurred: half the radius, 0.1 to 0.05, changes it by", growth, 0.85, 1.15)

# %% [markdown]
# On the curve every halving doubles the ratio, without end. (A typical GAN for images has $d_z=100$ and $d_x=64\cdot64\cdot3=12{,}288$.)
#
# **The determinant must be affordable.** In several dimensions the slope becomes the determinant of the Jacobian (雅可比行列式) $\frac{\partial G}{\partial z}$, which costs of the order of
# $d_x^3$ operations per sample. *Normalizing flows* (标准化流) are networks built to be invertible with a cheap determinant; they keep the density. A GAN gives it up and may use any
# network: its **implicit density** is a distribution that one can draw from and average over, but not evaluate.

# %%
figure, (left, middle, right) = plotting.new_figure(3, size=(3.5, 2.9))
grid = torch.linspace(0.02, 5, 400, dtype=double)
left.hist(samples.numpy(), bins=80, range=(0, 5), density=True, color=plotting.COLOURS[6])
left.plot(grid, normal_density(2 * grid.log()) / (0.5 * grid), color=plotting.COLOURS[0])
left.set(title="$G(z)=e^{z/2}$: density known", xlabel="x", ylabel="density")
middle.hist(
    z[:200_000].square().numpy(), bins=80, range=(0, 5), density=True, color=plotting.COLOURS[6]
)
half = normal_density(grid.sqrt()) / (2 * grid.sqrt())
middle.plot(grid, 2 * half, color=plotting.COLOURS[0], label="both preimages")
middle.plot(grid, half, color=plotting.COLOURS[1], linestyle="--", label="only one")
middle.set(title="$G(z)=z^2$: sum over preimages", xlabel="x", ylim=(0, 2))
middle.legend()
right.scatter(*curve[:1_500].T, s=3, color=plotting.COLOURS[0])
right.set(title="$G(z)=(z,\\sin 2z)$: no density", xlabel="$x_1$", ylabel="$x_2$", xlim=(-3.5, 3.5))
figure

# %% [markdown]
# **What to see.** The grey histograms are samples. On the left the formula fits them. In the middle it fits only if both
# preimages are counted. On the right the samples form a line: there is nothing that a curve of densities could be drawn over.
#
# Without a density there is no likelihood to maximise. What remains is to compare *samples* with *samples*, and for that we train a network.

# %% [markdown]
# ## 2 · The discriminator (判别网络)
#
# Build a classification problem. Toss a fair coin $y$. If $y=1$, draw $x$ from the data $p_r$; if $y=0$, draw it from the generator,
# $x=G(z)\sim p_\theta$. A network with parameters $\phi$ sees $x$ only and estimates the probability that it is real,
#
# $$D(x;\phi)=p(y=1|x)=\sigma\big(s(x;\phi)\big),\qquad \sigma(s)=\frac{1}{1+e^{-s}},$$
#
# where the number $s$ that the network itself returns is called the **logit** (对数几率). As for every classifier, the loss is the cross-entropy. Split the expectation
# by the two faces of the coin (`discriminator-cross-entropy`):
#
# $$\begin{aligned}
# -E_{x,y}\big[y\log D(x)+(1-y)\log(1-D(x))\big]
# &=-\tfrac12E\big[\log D(x)\,\big|\,y=1\big]-\tfrac12E\big[\log(1-D(x))\,\big|\,y=0\big]\\
# &=-\tfrac12\Big(E_{x\sim p_r}[\log D(x)]+E_{x\sim p_\theta}[\log(1-D(x))]\Big).
# \end{aligned}$$
#
# So minimising the cross-entropy in $\phi$ is maximising the bracket; the factor ½ changes neither the maximiser nor the direction of the gradient. We check
# it against torch's own function, with random logits for a batch of $B=64$ real and 64 generated examples.

# %%
real_logits = torch.randn(64, generator=noise, dtype=double) + 1
fake_logits = torch.randn(64, generator=noise, dtype=double) - 1


def bracket(real_logits, fake_logits):
    """E log D over the real + E log(1 − D) over the generated examples; a scalar."""
    real_D, fake_D = torch.sigmoid(real_logits), torch.sigmoid(fake_logits)
    return real_D.log().mean() + (1 - fake_D).log().mean()


def torch_cross_entropy(real_logits, fake_logits):
    y = torch.cat([torch.ones_like(real_logits), torch.zeros_like(fake_logits)])
    s = torch.cat([real_logits, fake_logits])
    return functional.binary_cross_entropy_with_logits(s, y)


# %%
ours = -0.5 * bracket(real_logits, fake_logits)
claim(
    "−½ of the bracket is the cross-entropy, to 1e-12",
    abs(ours - torch_cross_entropy(real_logits, fake_logits)) < 1e-12,
)
few = fake_logits[:16]
off = -0.5 * bracket(real_logits, few) - torch_cross_entropy(real_logits, few)
claim("with 64 real and 16 generated examples they differ by more than 0.001", abs(off) > 1e-3)

# %% [markdown]
# The last claim is a warning: torch averages over all examples, so classes of different size get different weights. The coin is fair only if both batches
# are equally large, or each has its own mean.
#
# A second warning is about arithmetic. In float32 the sigmoid of 20 rounds to exactly 1, and $\log(1-D)$ is $-\infty$. Computed from the logit it is harmless, because
# $1-\sigma(s)=\sigma(-s)$ and `logsigmoid` avoids the detour over $D$. That is why every loss of this course takes logits.

# %%
s = torch.tensor(20.0)
claim("log(1 − σ(20)) by way of D is −∞ in float32", torch.log(1 - torch.sigmoid(s)) == -math.inf)
claim_between("log σ(−20), directly", functional.logsigmoid(-s), -20.001, -19.999)

# %% [markdown]
# ## 3 · Two losses for the generator
#
# The generator wants its samples taken for real. The obvious loss is the part of the bracket that depends on it, with the opposite aim:
#
# $$\text{saturating (饱和):}\quad \min_\theta E_z\big[\log(1-D(G(z)))\big],\qquad
#   \text{non-saturating (非饱和):}\quad \max_\theta E_z\big[\log D(G(z))\big].$$
#
# Both pull $D(G(z))$ upwards. The difference is how hard, and when. The chain rule for one sample reads
#
# $$\frac{\partial}{\partial\theta}\,\ell\big(s(G(z;\theta))\big)=\underbrace{\frac{d\ell}{ds}}_{\text{a number}}\cdot\frac{\partial s}{\partial x}\cdot\frac{\partial G}{\partial\theta},$$
#
# and only the first factor knows which loss was taken. With $D=\sigma(s)$ we have $\frac{dD}{ds}=\sigma(s)(1-\sigma(s))=D(1-D)$, and so
#
# | | $\ell$ | $\frac{d\ell}{dD}$ | $\frac{d\ell}{ds}=\frac{d\ell}{dD}\,D(1-D)$ | as $D\to 0$, rejected | as $D\to 1$, believed |
# |---|---|---|---|---|---|
# | saturating, minimised | $\log(1-D)$ | $-\frac{1}{1-D}$ | $-D=-\sigma(s)$ | **0** | $-1$ |
# | non-saturating, maximised | $\log D$ | $\frac1D$ | $1-D=1-\sigma(s)$ | **1** | 0 |
#
# This is `saturating-gradient`; the last two columns are limits of $\frac{d\ell}{ds}$. At the start of training a generator is bad and $D(G(z))$ is near 0. Exactly then the saturating loss hardly pushes: the worse a
# sample, the less it learns from it. With the non-saturating one it is the other way round, and that is the loss used in practice.

# %%
D = torch.linspace(0.001, 0.999, 999, dtype=double)
s = torch.linspace(-8, 8, 401, dtype=double)
sigma = torch.sigmoid(s)
panels = (
    ("$D(G(z))$", D, {"$\\log(1-D)$": torch.log(1 - D), "$-\\log D$": -torch.log(D)}),
    ("$D(G(z))$", D, {"$-1/(1-D)$": -1 / (1 - D), "$-1/D$": -1 / D}),
    ("$s$ (0 is $D=1/2$)", s, {"$-\\sigma(s)$": -sigma, "$-(1-\\sigma(s))$": sigma - 1}),
)
figure, axes = plotting.new_figure(3, size=(3.5, 3.0))
for axis, (xlabel, place, curves) in zip(axes, panels, strict=True):
    for (name, curve), colour, dash in zip(
        curves.items(), plotting.COLOURS, ["-", "--"], strict=False
    ):
        axis.plot(place, curve, dash, color=colour, label=name)
    axis.set_xlabel(xlabel)
    axis.legend()
axes[0].set(title="loss of a sample (nats)", ylim=(-6, 6))
axes[1].set(title="its derivative with respect to $D$", ylim=(-10, 0.5))
axes[2].set(title="its derivative with respect to $s$", ylim=(-1.1, 0.1))
figure

# %% [markdown]
# **What to see.** Solid is the saturating loss, dashed the non-saturating one (as something to minimise, $-\log D$). Both fall from left to right: they want the same
# thing. Now compare the middle with the right panel at their left ends, where a sample is rejected. With respect to $D$ the solid curve starts at $-1$, not at 0,
# and the dashed one at $-\infty$. With respect to $s$, which is what the network returns, the solid one is 0 and the dashed one $-1$.
#
# ### An explanation to be careful with
#
# Saturation is explained wrongly in much teaching material. Three versions circulate:
#
# 1. *"$\log(1-D)$ is flat at $D=0$, so its gradient vanishes there."* Flat compared with $\log D$, yes; but its slope in $D$ at 0 is $-1$, not 0. What
#    vanishes is $\frac{dD}{ds}=D(1-D)$: it is the *sigmoid* that saturates, and $\log(1-D)$ does not undo it, whereas $\log D$ with its $\frac1D$ does.
# 2. *"$-\log D$ has an exploding gradient $\frac1D$ at bad samples."* The $\frac1D$ is cancelled by the same sigmoid. In $s$ no slope is steeper than 1.
# 3. *"$\log(1-D)$ is steep when $D\approx 0$ and saturates once the discriminator is fooled."* Backwards: its slope in $s$ is $-D$, so it pushes hardest where $D$ is fooled. In
#    that regime it is the non-saturating loss whose slope vanishes, and there it does no harm.
#
# Automatic differentiation decides between these explanations and the table:


# %%
def slopes(loss, D):
    """Derivatives of the loss with respect to D and to the logit s, at one value of D."""
    D = torch.tensor(D, dtype=double, requires_grad=True)
    (d_slope,) = torch.autograd.grad(loss(D), D)
    s = torch.logit(D.detach()).requires_grad_()
    (s_slope,) = torch.autograd.grad(loss(torch.sigmoid(s)), s)
    return d_slope, s_slope


def saturating(D):
    return torch.log(1 - D)


def nonsaturating(D):
    return -torch.log(D)


# %%
d_slope, s_slope = slopes(saturating, 0.001)  # a sample that is rejected
claim_between("rejected: slope of the saturating loss in D (version 1 says 0)", d_slope, -1.01, -1)
claim_between("rejected: slope of the saturating loss in s", s_slope, -0.0011, -0.0009)
d_slope, s_slope = slopes(nonsaturating, 0.001)
claim_between("rejected: slope of the non-saturating loss in D", d_slope, -1001, -999)
claim_between(
    "rejected: slope of the non-saturating loss in s (version 2: explodes)", s_slope, -1, -0.99
)
d_slope, s_slope = slopes(saturating, 0.999)  # a sample that is believed
claim_between("believed: slope of the saturating loss in s (version 3 says 0)", s_slope, -1, -0.99)

# %% [markdown]
# The slopes of the two losses in $s$ are $-D$ and $-(1-D)$. For one sample the gradients in $x$ therefore have the same direction, and lengths in the ratio $\frac{1-D}{D}$.
# For a batch the directions differ: the non-saturating loss gives weight to the rejected samples, the saturating one to those that are already believed. We check the ratio with two
# random networks.

# %%
from gm_course.gan import NoiseGenerator, ScoreNetwork

generator_network = NoiseGenerator(noise_dim=2, data_dim=2, hidden=(64, 64)).double()
discriminator = ScoreNetwork(data_dim=2, hidden=(64, 64)).double()  # returns logits
x = generator_network.sample(5, generator=noise).detach().requires_grad_()  # (B, d_x)
s = 4 * discriminator(x) - 2  # (B,); scaled so that D is small
D = torch.sigmoid(s).detach()
(weak,) = torch.autograd.grad(saturating(torch.sigmoid(s)).sum(), x, retain_graph=True)
(strong,) = torch.autograd.grad(nonsaturating(torch.sigmoid(s)).sum(), x)
claim(
    "for each sample: non-saturating gradient = (1 − D)/D times the saturating one, to 1e-9",
    ((strong - ((1 - D) / D)[:, None] * weak).abs() <= 1e-9 * strong.abs().max()).all(),
)

# %% [markdown]
# ## 4 · A minimax game (最小化最大化游戏)
#
# The discriminator maximises the bracket, and the generator with the saturating loss minimises it. Written as one formula (`minimax-objective`):
#
# $$\min_\theta\max_\phi\;V(\phi,\theta),\qquad V(\phi,\theta)=E_{x\sim p_r}\big[\log D(x;\phi)\big]+E_{z\sim p(z)}\big[\log\big(1-D(G(z;\theta);\phi)\big)\big].$$
#
# Read it from the inside: *for a given generator*, take the best discriminator; then choose the generator for which even the best one does badly. The smallest
# example has an $x$ with only two values, $a$ and $b$. The data have $p_r(a)=0.7$; the generator has one parameter, $p_\theta(a)=\theta$; and the discriminator
# consists of two numbers, $D_a$ and $D_b$. Then $V$ has no integral,
#
# $$V=0.7\log D_a+0.3\log D_b+\theta\log(1-D_a)+(1-\theta)\log(1-D_b),$$
#
# and we can try every discriminator on a grid.

# %%
thetas = torch.linspace(0, 1, 101, dtype=double)
choices = torch.linspace(0.005, 0.995, 199, dtype=double)  # candidates for D_a, and for D_b


def value(D_a, D_b, theta):
    real = 0.7 * torch.log(D_a) + 0.3 * torch.log(D_b)
    return real + theta * torch.log(1 - D_a) + (1 - theta) * torch.log(1 - D_b)


best = []
for theta in thetas:
    V = value(choices[:, None], choices[None, :], theta)  # (199, 199): every discriminator
    row, column = divmod(int(V.argmax()), len(choices))
    best.append((V.max(), choices[row], choices[column]))
best_value, best_a, best_b = (torch.stack(column) for column in zip(*best, strict=True))

# %%
at = int(best_value.argmin())
claim("the minimum over θ is at θ = 0.7, where p_θ = p_r", abs(thetas[at] - 0.7) < 1e-9)
claim("there the value is −2 log 2, to 1e-6", abs(best_value[at] + 2 * math.log(2)) < 1e-6)
claim(
    "and the best discriminator says ½ to both",
    max(abs(best_a[at] - 0.5), abs(best_b[at] - 0.5)) < 1e-9,
)

# %%
figure, (left, right) = plotting.new_figure(2, size=(4.6, 3.3))
for index, colour in ((20, 1), (70, 2), (95, 3)):
    line = value(best_a[index], best_b[index], thetas)
    name = f"best D for θ = {thetas[index]:.2f}"
    left.plot(thetas, line, "--", color=plotting.COLOURS[colour], label=name)
left.plot(thetas, best_value, color="black", linewidth=2, label="$\\max_\\phi V$")
left.set(xlabel="θ, the generator's $p_θ(a)$", ylabel="V (nats)", ylim=(-2.3, -0.2))
left.legend(fontsize=8)
right.plot(thetas, best_a, color=plotting.COLOURS[0], label="best $D_a$")
right.plot(thetas, best_b, "--", color=plotting.COLOURS[1], label="best $D_b$")
right.axvline(0.7, color="black", linestyle=":", label="$p_\\theta=p_r$")
right.set(xlabel="θ, the generator's $p_θ(a)$", ylabel="probability of real")
right.legend()
figure

# %% [markdown]
# **What to see.** For a *fixed* discriminator $V$ is a straight line in $\theta$ (dashed). The black curve takes the highest line at every $\theta$, and its lowest point is at $p_\theta=p_r$. There the
# discriminator is indifferent: both its curves on the right cross ½. Now look at the red dashed line, from the best $D$ for $\theta=0.2$. It
# slopes down all the way to $\theta=1$. A generator that is given too much time against that one discriminator runs past 0.7 and produces nothing but $a$.
# The line tells it in which *direction* to go, but not when to stop. That is why the two must alternate, in small steps.
#
# That the minimum is at $p_\theta=p_r$ is no accident of two values: [lecture 8](08-gan-analysis.ipynb) derives the best discriminator and what the black curve is in
# general.

# %%
theta = torch.tensor(0.2, dtype=double, requires_grad=True)
(slope,) = torch.autograd.grad(value(best_a[20], best_b[20], theta), theta)
claim("at θ = 0.2, against the best D: descending V increases θ, the right way", slope < 0)
theta = torch.tensor(0.9, dtype=double, requires_grad=True)
(slope,) = torch.autograd.grad(value(best_a[20], best_b[20], theta), theta)
claim("at θ = 0.9, against the same old D: it still increases θ, the wrong way", slope < 0)
(slope,) = torch.autograd.grad(value(best_a[90], best_b[90], theta), theta)
claim("at θ = 0.9, against a D that was updated: it decreases θ", slope > 0)

# %% [markdown]
# ## 5 · Algorithm 13.1
#
# For networks the maximum over $\phi$ cannot be found afresh for every $\theta$. Algorithm 13.1 does a little of both: in each iteration $K$ steps for the
# discriminator, then one for the generator.
#
# > **repeat**, until the samples are good:
# > 1. **repeat** $K$ times: take $B$ data points $x^{(i)}$ and $B$ noises $z^{(i)}$; move $\phi$ *up* the gradient of
# >    $\frac1B\sum_i\big[\log D(x^{(i)};\phi)+\log(1-D(G(z^{(i)};\theta);\phi))\big]$;
# > 2. take $B$ noises $z^{(i)}$; move $\theta$ *up* the gradient of $\frac1B\sum_i\log D(G(z^{(i)};\theta);\phi)$.
#
# Our data are the two moons: points on two half circles with a little noise. The generator gets two-dimensional noise; both networks have two hidden layers of 64 units. We train in
# double precision (双精度), because a game amplifies rounding errors, and in single precision your pictures would soon differ from ours.

# %%
from gm_course.data import Batches
from gm_course.data.toy import moons

dtype = runtime.precise_dtype  # float64, where the device has it
target = moons(noise=0.1, dtype=dtype)
data = target.sample(4_000, generator=runtime.generator(1))  # (N, 2)
held_out = target.sample(1_000, generator=runtime.generator(2))


def new_players(seed, discriminator_hidden=(64, 64)):
    torch.manual_seed(seed)
    G = NoiseGenerator(2, 2, hidden=(64, 64))
    D = ScoreNetwork(2, hidden=discriminator_hidden, activation=nn.LeakyReLU)
    return G.to(data), D.to(data)


def adam(network):
    return torch.optim.Adam(network.parameters(), lr=1e-3, betas=(0.5, 0.9), fused=True)


# %% [markdown]
# A leaky ReLU (带泄漏的 ReLU) keeps some gradient everywhere, which matters in $D$, because the generator learns through it. Adam's $\beta_1$ is usually lowered from 0.9 to
# 0.5 in GANs: momentum (动量) remembers where the other player used to be. For the same reason we take $\beta_2=0.9$ instead of 0.999.
#
# **In the code** `D` is the network, so `D(x)` is the logit $s$; the probability that the formulas call $D(x)$ is `torch.sigmoid(D(x))`.
#
# Beside the algorithm we keep *scenes*, that is samples and the surface of $D$ at some moments, to look at later.

# %%
from gm_course.plotting.players import Scene, View, players

view = View(x1=(-1.7, 2.7), x2=(-1.2, 1.7))
fixed_z = torch.randn(400, 2, generator=runtime.generator(3), dtype=dtype, device=runtime.device)


@torch.no_grad()
def scene(G, D, view=view):
    """Samples of G from the fixed noise, and D(x) on a grid of 50 × 50 points."""
    grid = view.points(50).to(data)  # (50, 50, 2)
    belief = torch.sigmoid(D(grid.reshape(-1, 2))).reshape(50, 50)
    return Scene(samples=G(fixed_z).cpu(), belief=belief.cpu())


# %% [markdown]
# And here it is, complete:

# %%
B, K, iterations = 128, 5, 300
G, D = new_players(seed=0)
D_optimiser, G_optimiser = adam(D), adam(G)
batches = Batches(data, B, generator=runtime.generator(4))
draw = runtime.generator(5)
scenes = {0: scene(G, D)}

for iteration in range(1, iterations + 1):
    for _ in range(K):
        real = batches.next_batch()  # (B, 2)
        fake = G.sample(B, generator=draw).detach()  # (B, 2); no gradient to θ from here
        s_real, s_fake = D(real), D(fake)  # logits, (B,) each
        D_loss = -functional.logsigmoid(s_real).mean() - functional.logsigmoid(-s_fake).mean()
        D_optimiser.zero_grad()
        D_loss.backward()
        D_optimiser.step()
    s_fake = D(G.sample(B, generator=draw))
    G_loss = -functional.logsigmoid(s_fake).mean()  # non-saturating
    G_optimiser.zero_grad()
    G_loss.backward()  # reaches φ, too, but only θ moves
    G_optimiser.step()
    if iteration % 10 == 0:
        scenes[iteration] = scene(G, D)

# %%
shown = (0, 10, 20, 40, 60, 100, 150, 300)
points = data[:400].cpu()
players({f"iteration {i}": scenes[i] for i in shown}, points, view=view)

# %% [markdown]
# **What to see.** Blue circles are data, red triangles samples; the plane is bluish where $D$ believes in data and reddish where it expects samples. At first all samples sit in
# one spot. The discriminator paints it red, and its surface slopes up towards the data: along this slope the samples climb. The red follows, so they may not rest in a heap: they stretch
# to a band across both moons, are scattered too widely, and are then gathered along the moons, where $D$ has no objection. At the end the plane is pale, near ½, wherever there are points, and colours remain only far out, where there are no points to correct them.
#
# **Try it.** Move the slider slowly from 0 to 10. Before each step look at the colours around the samples, and predict where these will go.

# %%
from gm_course.widgets import Explorer, choice, slider, whole_number_slider


def at_iteration(tens):
    title = f"iteration {10 * tens}"
    return players({title: scenes[10 * tens]}, points, view=view, width=4.8)


Explorer(at_iteration, tens=whole_number_slider("iteration / 10", 0, iterations // 10, start=4))

# %% [markdown]
# The losses of a GAN do not tell how good it is: each is measured against the other player. A number that does compares samples $x,x'\sim p_\theta$ with held-out data
# $y,y'\sim p_r$ by their distances, the **energy distance** (能量距离, Székely and Rizzo 2013),
#
# $$\mathcal E(p_\theta,p_r)=2\,E\|x-y\|-E\|x-x'\|-E\|y-y'\|\;\ge 0,$$
#
# which is zero only if the distributions are the same. For $n$ samples on each side it does not quite reach zero; how far it stays above, a fresh sample of the data shows.


# %%
def energy_distance(x, y):
    """Energy distance of two samples, (n, 2) and (m, 2); in the unit of x."""
    across = torch.cdist(x, y).mean()
    return (2 * across - torch.cdist(x, x).mean() - torch.cdist(y, y).mean()).item()


@torch.no_grad()
def quality(G):
    return energy_distance(G.sample(1_000, generator=runtime.generator(6)), held_out)


before, after = quality(new_players(seed=0)[0]), quality(G)
floor = energy_distance(target.sample(1_000, generator=runtime.generator(7)), held_out)
claim_between("energy distance before training", before, 0.4, 1.5)
claim_between("after training", after, 0, 0.05)
claim_between("of another sample of the data (the floor)", floor, 0, 0.015)

# %% [markdown]
# Section 4 found a discriminator that says ½ at the optimum. So on new points ours should be hardly better than a coin.


# %%
@torch.no_grad()
def accuracy(G, D):
    """Share of held-out data (logit above 0) and of new samples (below 0) that D gets right."""
    fake = G.sample(1_000, generator=runtime.generator(8))
    return 0.5 * ((D(held_out) > 0).double().mean() + (D(fake) < 0).double().mean()).item()


claim_between("accuracy of D at the end (a coin: 0.5)", accuracy(G, D), 0.4, 0.68)

# %% [markdown]
# ## 6 · How strong should the discriminator be?
#
# The chapter says: a little stronger than the generator, not too much. From here on the course's trainer runs the loop; `gan_players` are the two losses of the
# cell above with their $K$. We train with $K=1$, 5 and 20, and once with a discriminator that is weak by construction: without hidden layers it can only
# draw straight borders.

# %%
from gm_course.adversarial_training import gan_players
from gm_course.gan import nonsaturating_loss, saturating_loss
from gm_course.training import Trainer


def gradient_norm(loss, network):
    """Norm of the loss's gradient in all parameters of the network."""
    gradients = torch.autograd.grad(loss, list(network.parameters()))
    return torch.cat([gradient.flatten() for gradient in gradients]).norm().item()


# %%
def train(seed, K, hidden=(64, 64), iterations=200):
    """Train; return G, D and measurements every 10 iterations, (iterations / 10, 3)."""
    G, D = new_players(seed, hidden)
    draw = runtime.generator(100 + seed)
    trainer = Trainer(
        gan_players(
            G,
            D,
            generator_optimiser=adam(G),
            discriminator_optimiser=adam(D),
            discriminator_steps=K,
        ),
        Batches(data, 128, generator=draw),
        generator=draw,
    )
    rows = []
    for step in range(10, iterations + 1, 10):
        trainer.run(step, show_progress=False)
        loss = nonsaturating_loss(D(G.sample(1_000, generator=draw)))
        rows.append([quality(G), accuracy(G, D), gradient_norm(loss, G)])
    return G, D, torch.tensor(rows)


# %%
settings = {
    "K = 1": (1, (64, 64)),
    "K = 5": (5, (64, 64)),
    "K = 20": (20, (64, 64)),
    "linear D": (5, ()),
}
runs = {name: train(1, K, hidden) for name, (K, hidden) in settings.items()}

# %%
figure, axes = plotting.new_figure(3, size=(3.7, 3.0))
steps = range(10, 201, 10)
for (name, (_, _, rows)), colour, marker in zip(
    runs.items(), plotting.COLOURS, plotting.MARKERS, strict=False
):
    for axis, column in zip(axes, (0, 1, 2), strict=True):
        axis.plot(steps, rows[:, column], color=colour, marker=marker, markersize=3.5, label=name)
axes[0].axhline(floor, color="black", linestyle=":", label="floor")
axes[0].set(yscale="log", ylabel="energy distance", xlabel="iteration")
axes[1].axhline(0.5, color="black", linestyle=":")
axes[1].set(ylabel="accuracy of D", xlabel="iteration", ylim=(0, 1))
axes[2].set(
    yscale="log", ylabel="norm of the gradient of G\n(nats per unit of θ)", xlabel="iteration"
)
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=5)
figure

# %%
late = {name: rows[10:].median(dim=0).values for name, (_, _, rows) in runs.items()}
early = {name: rows[:5].median(dim=0).values for name, (_, _, rows) in runs.items()}
claim_between("K = 1: energy distance, second half of training", late["K = 1"][0], 0.05, math.inf)
claim_between("K = 5: energy distance, second half", late["K = 5"][0], 0, 0.05)
claim_between("K = 20: energy distance, second half", late["K = 20"][0], 0, 0.1)
claim_between("linear D: energy distance, second half", late["linear D"][0], 0.2, math.inf)
claim_between(
    "norm of G's gradient, second half, K = 1 relative to K = 5",
    late["K = 1"][2] / late["K = 5"][2],
    0.4,
    math.inf,
)
for name in ("K = 5", "K = 20"):
    claim_between(f"{name}: accuracy of D in the first 50 iterations", early[name][1], 0.52, 0.95)
    claim_between(f"{name}: accuracy of D, second half", late[name][1], 0.48, 0.7)

# %%
wide_view = View(x1=(-2.5, 3.5), x2=(-2.5, 2.5))
after_training = {name: scene(G, D, wide_view) for name, (G, D, _) in runs.items()}
players(after_training, points, view=wide_view)

# %% [markdown]
# **What to see.** With $K=5$ and $K=20$ the samples lie on the moons, and the accuracy sinks towards ½ from above: $D$ leads a little, and $G$ follows. With $K=1$ the samples wander
# about, sometimes all in the wrong place; the accuracy swings to both sides of ½. A $D$ that judges *worse* than a coin has not noticed yet where the samples are
# now, and its gradient sends them on in an outdated direction. The linear one can only say "real is over there". It tells $G$ nothing about the moons, it keeps
# pushing the same way however far the samples have gone, and they may leave the panel. So a weak discriminator does not give small gradients. It gives wrong ones: in the second half of the third panel
# of the curves, those of $K=1$ are no smaller than those of $K=5$.
#
# $K=20$ is no better than $K=5$ here, though every iteration costs more than three times as much. Its surface is bolder, with strong colours even where neither data nor
# samples lie and nothing corrects it. But it does no harm either. Two things protect the generator: the
# non-saturating loss, and data so spread out that no discriminator can be certain. The museum takes both away.
#
# ### Failure museum: a discriminator that is too strong
#
# Eight narrow Gaussians on a ring; a fresh generator's samples all lie in its empty middle. Now give $D$ a head start of 1,000 steps. It becomes nearly perfect, $D(G(z))\approx 0$, and the
# generator minimises the *saturating* loss, whose slope in the logit is $-D(G(z))$, next to nothing (Arjovsky and Bottou 2017). The switch has these positions:
#
# | switch | head start of $D$ | $K$ | loss of $G$ |
# |---|---|---|---|
# | `"healthy"` | 0 | 5 | saturating |
# | `"too strong"` | 1,000 | 10 | saturating |
# | `"too strong, non-saturating"` | 1,000 | 10 | non-saturating |
#
# The signal is the norm of the generator's gradient, $\|\nabla_\theta\,\text{loss}\|$: the median over 40 iterations. The **normal range** printed with it was measured once, over several seeds,
# and is stored with the course. It lets you tell bad luck from a bug: a signal outside its range by a factor of 2 may be luck, one outside by a factor of a thousand is not.
# (If you turn the switch to the third position, the second claim below shows ✗, and rightly so.)

# %%
from gm_course.museum.exhibit import read_ranges
from gm_course.museum.strong_discriminator import EXHIBIT

SWITCH = "too strong"  # try "too strong, non-saturating" too

ranges = read_ranges("../benchmarks/results/failure_museum.json", EXHIBIT)
for setting, normal in ranges.items():
    print(f"{setting}: {normal}")

# %%
healthy = EXHIBIT.run("healthy", 0, runtime.device)
broken = EXHIBIT.run(SWITCH, 0, runtime.device)
claim(
    "healthy: the signal is within a factor of 4 of its normal range",
    ranges["healthy"].low / 4 < healthy.signal < ranges["healthy"].high * 4,
)
claim(
    "this switch: the signal is below a thousandth of the healthy range",
    broken.signal < 1e-3 * ranges["healthy"].low,
)

# %%
from gm_course.data.toy import ring

ring_view = View(x1=(-3, 3), x2=(-3, 3))
ring_data = ring(std=0.1).sample(400, generator=torch.Generator().manual_seed(0))
pictures = {
    name: scene(contest.generator_network, contest.discriminator, ring_view)
    for name, contest in {"healthy": healthy.model, SWITCH: broken.model}.items()
}
players(pictures, ring_data, view=ring_view, width=3.4)

# %% [markdown]
# **What to see.** Left: after 40 iterations the samples have left the middle and spread over part of the ring. Right: they have not moved, and sit on
# a plateau where $D$ is 0. Now the gradients, and with them those of the third position of the switch.

# %%
rescued = EXHIBIT.run("too strong, non-saturating", 0, runtime.device)
figure, (axis,) = plotting.new_figure(size=(6.5, 3.3))
for (name, outcome), colour, marker in zip(
    {"healthy": healthy, SWITCH: broken, "too strong, non-saturating": rescued}.items(),
    plotting.COLOURS,
    plotting.MARKERS,
    strict=False,
):
    norms = outcome.model.gradient_norms
    axis.semilogy(
        range(1, len(norms) + 1), norms, marker=marker, markersize=3, color=colour, label=name
    )
axis.axhspan(ranges["healthy"].low, ranges["healthy"].high, color=plotting.COLOURS[6], alpha=0.5)
axis.set(xlabel="iteration", ylabel="norm of the gradient of G\n(nats per unit of θ)")
figure.legend(loc="outside upper center", ncols=3)
figure

# %% [markdown]
# **What to see.** The curve with squares lies eight orders of magnitude below the healthy one. (The grey band is the stored range of the healthy *medians*; single iterations
# may lie outside.) The third curve has the same head start, yet with the non-saturating loss the gradient is larger even than the healthy one: its factor $1-D$ is 1. The plateau is one of $D$ only; the
# logit $s$ still has a slope there, and the more certain the discriminator, the steeper it is.
#
# Two remarks. Adam divides a gradient by its recent size, down to about $10^{-8}$, and so partly makes up for what is lost; with another seed the generator may
# escape after some dozens of steps. And the non-saturating loss removes this symptom, not its cause, which is a discriminator that separates the two
# distributions perfectly: [lecture 8](08-gan-analysis.ipynb) analyses what that means for the game, and [lecture 9](09-wasserstein-gan.ipynb) replaces $D$ by a critic that may safely be strong.

# %%
claim("with the non-saturating loss the signal is above 1", rescued.signal > 1)
away = rescued.model.generator_network(fixed_z).norm(dim=1).mean().item()
claim_between(
    "and the samples have left the middle (ring: radius 2), mean distance from it", away, 1, 4
)

# %% [markdown]
# ## 7 · Why two descending players may never arrive
#
# Why does $K=1$ wander? Two numbers suffice to see one reason (the example is from Goodfellow's tutorial of 2016; $x$ and $y$ are not data here). One player holds $x$ and wants
# $xy$ small, the other holds $y$ and wants $xy$ large. The point $(0,0)$ is the equilibrium (均衡): neither can gain by moving alone. The gradients are $\partial_x(xy)=y$ and
# $\partial_y(xy)=x$, so with step size $\eta$ and **simultaneous** steps
#
# $$x'=x-\eta y,\qquad y'=y+\eta x,\qquad\text{hence}\quad x'^2+y'^2=(1+\eta^2)(x^2+y^2):$$
#
# the mixed terms $-2\eta xy$ and $+2\eta xy$ cancel. Every step leads *away* from the equilibrium, however small $\eta$ is. In **alternating** steps, as in Algorithm 13.1, the second player
# already sees the first one's move, $y'=y+\eta x'$. Then
#
# $$y'(y'-\eta x')=y'y=(y+\eta x')\,y,\qquad x'(x'+\eta y)=x'x=(x-\eta y)\,x,$$
#
# and if we add the two equations, $\eta x'y$ drops out on both sides, and $x'^2+y'^2-\eta x'y'=x^2+y^2-\eta xy$ remains. This quantity never changes. For $\eta<2$ its level
# sets are ellipses: the players go round for ever, and neither arrive nor escape.


# %%
def play(eta, alternating, steps=200):
    """Positions (x, y) from (1, 0) on; shape (steps + 1, 2)."""
    x, y = 1.0, 0.0
    path = [(x, y)]
    for _ in range(steps):
        new_x = x - eta * y
        y = y + eta * (new_x if alternating else x)
        x = new_x
        path.append((x, y))
    return torch.tensor(path, dtype=double)


outwards, around = play(0.1, alternating=False), play(0.1, alternating=True)
growth = outwards.square().sum(dim=1).diff() / outwards[:-1].square().sum(dim=1)
claim(
    "simultaneous: each step adds η² = 1 % to x² + y², to 1e-12",
    ((growth - 0.01).abs() < 1e-12).all(),
)
kept = around.square().sum(dim=1) - 0.1 * around.prod(dim=1)
claim("alternating: x² + y² − ηxy stays 1, to 1e-12", ((kept - 1).abs() < 1e-12).all())
claim_between(
    "distance from the equilibrium after 200 simultaneous steps", outwards[-1].norm(), 2.7, 2.71
)


# %%
def draw_game(eta, order):
    figure, (left, right) = plotting.new_figure(2, size=(3.6, 3.3))
    path = play(eta, alternating=order == "alternating")
    left.plot(*path.T, ".-", markersize=3, linewidth=0.7, color=plotting.COLOURS[0])
    left.plot(0, 0, "+", color="black", markersize=12)
    reach = max(1.3, 1.05 * path.abs().max().item())
    left.set(
        xlabel="x (wants xy small)",
        ylabel="y (wants xy large)",
        xlim=(-reach, reach),
        ylim=(-reach, reach),
    )
    left.set_aspect("equal")
    right.semilogy(path.norm(dim=1), color=plotting.COLOURS[1])
    right.set(xlabel="step", ylabel="distance from (0, 0)")
    return figure


Explorer(
    draw_game,
    eta=slider("step size η", 0.02, 0.6, start=0.1, step=0.02),
    order=choice("steps", ["simultaneous", "alternating"]),
)

# %% [markdown]
# **Try it.** Look for a step size at which simultaneous steps converge: there is none. Then switch to alternating. The four paths below are for readers without a
# kernel.

# %%
figure, axes = plotting.new_figure(4, size=(2.6, 2.8))
kinds = [(eta, alternating) for eta in (0.1, 0.5) for alternating in (False, True)]
for axis, (eta, alternating) in zip(axes, kinds, strict=True):
    path = play(eta, alternating, steps=100 if eta < 0.5 else 12)
    axis.plot(*path.T, ".-", markersize=4, linewidth=0.7, color=plotting.COLOURS[int(alternating)])
    axis.plot(0, 0, "+", color="black", markersize=12)
    axis.set(title=f"η = {eta}, {'alternating' if alternating else 'simultaneous'}", xlabel="x")
    axis.set_aspect("equal", adjustable="datalim")
axes[0].set_ylabel("y")
figure

# %% [markdown]
# **What to see.** Blue spirals outwards, red goes round an ellipse. (Black crosses mark the equilibrium.) A minimum of one function attracts everyone who descends; an equilibrium of a game
# need not. Real GANs are not bilinear, and noise, curvature and Adam all play a part, but the rotation is real, and Mescheder, Geiger and Nowozin (2018) show for very simple GANs
# that training circles for the same reason. What helps is a discriminator near its best response (larger $K$), as in section 6, or a penalty on its
# slope, as in lecture 9.

# %% [markdown]
# ## 8 · Slips that run without an error
#
# The two players share a graph, and most slips in GAN code are about whose gradient goes where. None raises an exception.
#
# **Forgetting `detach`.** Without it, the discriminator's loss also fills the gradients of $\theta$. As long as the generator clears its gradients before its own `backward`, only
# time is lost. If it does not, here is what happens. As a function of $\theta$ the discriminator's loss is *minus* the saturating loss; with the same noise the two
# cancel, and nothing is left to move by.

# %%
G, D = new_players(seed=0)
z = torch.randn(128, 2, generator=runtime.generator(9), dtype=dtype, device=runtime.device)
real = data[:128]


def collected(network):
    """All gradients a network's parameters hold at the moment, in one vector."""
    return torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])


D_loss = -functional.logsigmoid(D(real)).mean() - functional.logsigmoid(-D(G(z))).mean()
D_loss.backward()  # G(z) was not detached
leaked = collected(G)
claim("the discriminator's loss has left a gradient in the generator", leaked.norm() > 1e-3)
saturating_loss(D(G(z))).backward()  # and G's gradients were not cleared before
claim("the two cancel to 1e-5 of that", collected(G).norm() < 1e-5 * leaked.norm())

# %% [markdown]
# **Forgetting the other player's `zero_grad`.** The generator's `backward` runs through $D$ and leaves gradients in $\phi$ that point the wrong way: they would have $D$ believe the
# samples. If the discriminator does not clear them before its own `backward`, it learns from the sum.

# %%
G.zero_grad()
D.zero_grad()
nonsaturating_loss(D(G(z))).backward()
left_behind = collected(D)
D.zero_grad()
(-functional.logsigmoid(-D(G(z).detach())).mean()).backward()
own = collected(D)
cosine = functional.cosine_similarity(left_behind, own, dim=0)
claim_between(
    "cosine between what G leaves in φ and what D wants from the samples", cosine, -1, -0.9
)

# %% [markdown]
# **One optimiser for all parameters.** `Adam([*G.parameters(), *D.parameters()])` on the discriminator's loss moves the generator, too, and moves it to *help* the discriminator. Each
# player needs its own optimiser.
#
# **Batch normalisation (批量归一化).** In training mode it subtracts the mean of the *batch*. If real and generated examples come in separate batches, the discriminator cannot see
# a shift between them; in one common batch it can, and in evaluation mode it uses yet other means. [Lecture 7](07-dcgan.ipynb) has to live with this.

# %%
normalise = nn.BatchNorm1d(1, affine=False, dtype=double)
near, far = (torch.randn(1_000, 1, generator=noise, dtype=double) + mean for mean in (0, 5))
apart = normalise(far).mean() - normalise(near).mean()
together = normalise(torch.cat([near, far]))
claim(
    "separate batches: a shift of 5 standard deviations is invisible (below 1e-9)",
    abs(apart) < 1e-9,
)
claim_between("one batch: it shows", together[1_000:].mean() - together[:1_000].mean(), 1.5, 2)

# %% [markdown]
# ## What commonly goes wrong
#
# | symptom | cause | how to tell |
# |---|---|---|
# | $G$'s samples do not move, loss of $D$ near 0 | $D$ too strong for the saturating loss | norm of $G$'s gradient (museum) |
# | samples chase around, accuracy of $D$ swings around ½ | $D$ too weak: $K$ too small, or too small a network | raise $K$ |
# | loss is `inf` or `nan` | log of a $D$ that was rounded to 0 or 1 | compute with logits |
# | $G$ gets worse, steadily | sign of its loss, or gradients left over from $D$'s step | `zero_grad` of both; section 8 |
# | $D$ never gets better than a coin, samples are bad | $G$'s `backward` pollutes $\phi$; one optimiser for both | train $D$ alone: it must get good |
# | losses are flat, is it converged? | losses of a game say nothing about quality | energy distance, or look |
# | training differs from run to run | rounding errors amplified by the game | compare several seeds; use float64 |
#
# ## Questions
#
# 1. A student stops training when the discriminator's loss reaches $2\log 2$. When is that right, and when is it wrong?
#
# <details><summary>Answer</summary>
#
# $D=\tfrac12$ everywhere has this loss. If the discriminator is close to its best response, the distributions agree as far as it can see. But a discriminator
# that has just been left behind, or one that cannot learn at all (the linear one), may have the same loss with samples far off.
#
# </details>
#
# 2. In section 3, a sample has $D(G(z))=0.01$. How much longer is its gradient with the non-saturating loss? And for $D(G(z))=\tfrac12$?
#
# <details><summary>Answer</summary>
#
# $\frac{1-D}{D}=99$ times; for ½ both are equal.
#
# </details>
#
# 3. Your generator turns 100 numbers of noise into 784 pixels, and you are asked for the log-likelihood of the test set. What do you answer?
#
# <details><summary>Answer</summary>
#
# That there is none: the samples lie on a sheet of at most 100 dimensions, which has volume zero, so $p_\theta$ has no density in 784 dimensions. Add noise to the output and there is
# one, but then it is an integral over $z$ as in a VAE.
#
# </details>
#
# 4. In the game of section 4 the discriminator chooses after the generator. Would it do worse if it had to choose first?
#
# <details><summary>Answer</summary>
#
# Whoever moves second can react, so $\max_\phi\min_\theta V\le\min_\theta\max_\phi V$ in every game. In this one they are equal: with $D_a=D_b=\tfrac12$ the discriminator gets $-2\log2$
# whatever the generator does, and with $\theta=0.7$ the generator allows it no more.
#
# </details>
#
# ## Equations of this lecture

# %%
from gm_course.ledger import adversarial_networks
from gm_course.ledger.equation import show_equations

show_equations(adversarial_networks.EQUATIONS)

# %% [markdown]
# ## Summary
#
# - An implicit density can be sampled and averaged over, but not evaluated: $G$ need not be invertible, and with $d_z<d_x$ there is no density to evaluate.
# - The discriminator is a classifier; its cross-entropy is $-\tfrac12\big(E_{p_r}\log D+E_{p_\theta}\log(1-D)\big)$, and it is computed from logits.
# - In the logit the saturating loss has slope $-D$, the non-saturating one $-(1-D)$. It is the sigmoid that vanishes at rejected samples, and $\log D$ makes up for it.
# - Algorithm 13.1: $K$ steps up for $D$, one step for $G$. Too weak a $D$ misleads; too strong a $D$ silences, if the loss saturates and the distributions are apart.
# - An equilibrium is not a minimum: simultaneous steps on $xy$ spiral outwards, alternating ones go round.
#
# **Exercise that belongs to this lecture:** [13-4](../exercises/13-4.ipynb) (the best classifier between two densities), which also prepares
# [lecture 8](08-gan-analysis.ipynb). Next is [lecture 7](07-dcgan.ipynb), where both players become convolutional.
#
# ## References
#
# - I. Goodfellow, J. Pouget-Abadie, M. Mirza, B. Xu, D. Warde-Farley, S. Ozair, A. Courville, Y. Bengio, *Generative Adversarial Nets*, 2014.
# - I. Goodfellow, *NIPS 2016 Tutorial: Generative Adversarial Networks*, 2016.
# - L. Mescheder, A. Geiger, S. Nowozin, *Which Training Methods for GANs Do Actually Converge?*, 2018.
# - M. Arjovsky, L. Bottou, *Towards Principled Methods for Training Generative Adversarial Networks*, 2017.
# - G. J. Székely, M. L. Rizzo, *Energy Statistics: A Class of Statistics Based on Distances*, 2013.
