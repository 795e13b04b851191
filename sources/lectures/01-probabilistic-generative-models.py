# %% [markdown]
# # 1 · Probabilistic generative models (概率生成模型)
#
# *Section 13.1 of the chapter.*
#
# Somebody hands you 1,433 images and asks for a machine that understands them. What could that mean? Two things, says this chapter: to say of any image how
# probable it is (**density estimation**, 密度估计), and to produce new images as if from the same source (**sampling**, 采样). A **generative model** (生成模型) is a
# distribution $p_\theta(x)$ with parameters $\theta$, fitted to samples of the unknown distribution $p_r(x)$, that can do one or both. No labels are needed: this is unsupervised learning (无监督学习).
#
# This lecture builds the smallest models that deserve the name. They are Gaussians and mixtures of Gaussians, everything about them can be checked, and yet every idea
# of the course is already here in miniature: maximum likelihood, hidden causes, the integral that cannot be computed, the bound that is raised instead, and noise pushed through a
# function until it looks like data.
#
# **After this lecture you will be able to**
#
# - turn a histogram into a density, and fit a Gaussian by hand, by formula, and by gradient;
# - derive EM for a mixture of Gaussians, prove that it never lowers the likelihood, and name three ways in which it disappoints;
# - write down the marginal $p(x)=\int p(x|z)p(z)\,dz$, compute it in one dimension, and say why the obvious estimate fails in ten;
# - sample from a latent-variable model, and test whether the samples are right;
# - turn noise into data without writing down a density: the seed of the GAN;
# - build a classifier from a generative model, and say what it can do that a discriminative model (判别模型) cannot, and the price.
#
# **You need** probability densities, the multivariate Gaussian, and derivatives. All logarithms are natural; log-likelihoods are in nats. $N$ is the number of images, $D$ the
# dimension of $x$, $K$ the number of classes or components.

# %%
import itertools
import math

import torch

import gm_course
from gm_course import plotting
from gm_course.claims import claim, claim_between

runtime = gm_course.setup(seed=0)
generator = torch.Generator().manual_seed(1)  # these models are tiny; everything runs on the CPU

# %% [markdown]
# ## 1 · From a histogram to a density
#
# The images are the 8 × 8 digits of scikit-learn (Alpaydin and Kaynak 1998). We begin with a single number per image: how much **ink** it contains, in per cent of a fully black
# image.

# %%
from gm_course.data import load_digits8

train_set, test_set = load_digits8("train"), load_digits8("test")
ink = 100 * train_set.images.double().mean(dim=1)  # (N,), per cent
test_ink = 100 * test_set.images.double().mean(dim=1)
claim("1,433 images to learn from, 364 to test on", (len(ink), len(test_ink)) == (1433, 364))

# %% [markdown]
# A histogram (直方图) counts how many of the $N$ values fall into each of its bins. Divide the count $n_b$ of bin $b$ by $N$ and by the bin's width $\delta$, and the bars become a density: they enclose the
# area $\sum_b \frac{n_b}{N\delta}\delta=1$. So the histogram is our first generative model. It even *is* a maximum-likelihood estimate: among all densities that are constant on each
# bin, it gives the data the highest likelihood (question 1). How many bins should it have? The data it was made from cannot tell. The test images can:


# %%
def histogram_log_likelihood(bins: int, values: torch.Tensor) -> float:
    """Average log-density of ``values`` under the histogram of the training images."""
    low, high, width = 15.0, 45.0, 30.0 / bins
    density = torch.histc(ink, bins, low, high) / (len(ink) * width)  # n_b / (N δ)
    bin_of = ((values - low) / width).long()  # (n,)
    return density[bin_of].log().mean().item()


few, few_test = (histogram_log_likelihood(10, values) for values in (ink, test_ink))
many, many_test = (histogram_log_likelihood(1_000, values) for values in (ink, test_ink))
claim_between("10 bins: training minus test score (nats per image)", few - few_test, 0, 0.1)
claim("1,000 bins: the training score is more than 1 nat higher", many > few + 1)
claim("1,000 bins: a test image falls into an empty bin, log 0 = -∞", many_test == -math.inf)

# %% [markdown]
# With 1,000 bins the histogram remembers its data instead of learning from them: it declares every value that it has not seen impossible. That is overfitting (过拟合), and with one number per image it
# is easily avoided. For whole images it is not. Split each of the 64 pixels into no more than *two* bins, and there are $2^{64}\approx 2\cdot10^{19}$ cells for 1,433 images. Density
# estimation in many dimensions must assume something. The rest of the course is about what to assume.
#
# ## 2 · Maximum likelihood (最大似然)
#
# Assume a shape with few parameters, a Gaussian with mean $\mu$ and variance $\sigma^2$, and let the data choose the parameters. The **log-likelihood** (对数似然)
#
# $$\ell(\mu,\sigma^2)=\frac1N\sum_{n=1}^N\log N(x_n;\mu,\sigma^2)=-\tfrac12\log(2\pi\sigma^2)-\frac1{2\sigma^2}\frac1N\sum_n(x_n-\mu)^2$$
#
# says how well a choice explains the data, in nats per image. **Try it:** before you read on, move the first two sliders and make it as large as you can; it stands above the picture. (The bins change the picture only.) Which hurts more, a bell that is too wide or
# one that is too narrow?

# %%
from gm_course.plotting.density_models import gaussian_fits
from gm_course.widgets import Explorer, slider, whole_number_slider


def draw_fit(mean, std, bins):
    return gaussian_fits(ink, [(mean, std)], bins=bins, xlabel="ink (per cent)")


Explorer(
    draw_fit,
    mean=slider("mean μ (per cent)", 20, 40, start=27, step=0.1),
    std=slider("std σ (per cent)", 0.5, 10, start=6, step=0.1),
    bins=whole_number_slider("bins", 2, 60, start=24),
)

# %% [markdown]
# Three settings side by side, for those who read without a kernel:

# %%
settings = [(30.5, 1.2), (30.5, 3.4), (30.5, 9.0)]
gaussian_fits(ink, settings, bins=24, xlabel="ink (per cent)")

# %% [markdown]
# **What to see.** All three bells have the right mean. The narrow one costs most: it calls the values in the tails nearly impossible, and the logarithm of a density near zero is very negative. The wide
# one wastes its probability on values that never occur, which costs about half a nat. Between them is the best.
#
# The best one has a formula. Set the derivative with respect to $\mu$ to zero: $\frac1{\sigma^2}\frac1N\sum_n(x_n-\mu)=0$, so $\hat\mu=\frac1N\sum_n x_n$. Set the one with respect
# to $\sigma^2$ to zero: $-\frac1{2\sigma^2}+\frac1{2\sigma^4}\frac1N\sum_n(x_n-\mu)^2=0$, so $\hat\sigma^2=\frac1N\sum_n(x_n-\hat\mu)^2$. Note the $N$: library functions divide by $N-1$ by default, which makes
# the estimate unbiased, but then it is not the maximum of the likelihood.
#
# Networks have no such formula, but they have gradients. The same maximum by gradient ascent, with autograd; the parameter is $\log\sigma$, because any real number is allowed there:

# %%
parameters = torch.tensor(
    [25.0, math.log(6.0)], dtype=torch.float64, requires_grad=True
)  # μ, log σ
path = []
for _ in range(600):
    mean, log_std = parameters
    squares = ((ink - mean) / log_std.exp()).square()
    log_likelihood = (-0.5 * squares - log_std - 0.5 * math.log(2 * math.pi)).mean()
    path.append(log_likelihood.item())
    (gradient,) = torch.autograd.grad(log_likelihood, parameters)
    parameters = (parameters + 0.5 * gradient).detach().requires_grad_()  # uphill

# %%
parameters = parameters.detach()
by_formula = torch.stack([ink.mean(), ink.var(correction=0).sqrt().log()])
claim("gradient and formula agree, to 1e-8", (parameters - by_formula).abs().max() < 1e-8)
claim("no step went downhill", all(b >= a - 1e-12 for a, b in itertools.pairwise(path)))
claim_between("mean (per cent)", parameters[0], 30, 31)
claim_between("standard deviation (per cent)", parameters[1].exp(), 3.2, 3.6)

# %% [markdown]
# ## 3 · Hidden causes, and the EM algorithm (EM 算法, 期望最大化)
#
# One number per image is little. Take two: the coordinates along the two directions in which the images of the digits 0, 4 and 6 vary most (their principal components, 主成分).
# The labels are put aside; the model will not see them.

# %%
chosen = torch.isin(train_set.labels, torch.tensor([0, 4, 6]))
images, hidden_labels = train_set.images[chosen].double(), train_set.labels[chosen]
_, directions = torch.linalg.eigh(images.T.cov())  # ascending variances
directions = directions[:, -2:].flip(1)  # the two largest, (64, 2)
directions = directions * directions.sum(dim=0).sign()  # an eigenvector's sign is arbitrary
points = (images - images.mean(dim=0)) @ directions  # (N, 2)
N, K = len(points), 3

# %% [markdown]
# One Gaussian would put its peak in the middle, where hardly any image is (look at the first panel below). The points seem to have a **hidden cause**: each belongs to one of
# a few groups, but nobody says to which. Make that cause part of the model, a **latent variable** (隐变量) $z\in\{1,\dots,K\}$: with $w_k=p(z=k)$,
#
# $$p(x)=\sum_{k=1}^K p(x|z=k)\,p(z=k)=\sum_{k=1}^K w_k\,N(x;\mu_k,\Sigma_k),$$
#
# where $\mu_k$ has shape $(D,)$ and $\Sigma_k$ is a $D\times D$ covariance matrix. This is a **mixture of Gaussians** (高斯混合模型), and the sum is the equation `marginal-density` for a discrete $z$. We have
# replaced one hard problem, $p(x)$, by two easy ones, $p(z)$ and $p(x|z)$.
#
# ### The derivation
#
# The log-likelihood $L(\theta)=\sum_n\log\sum_k p_\theta(x_n,k)$ has a sum inside the logarithm, so its derivative does not separate. Here is the trick on which half of this course rests. Give each point any
# weights $r_{nk}\ge 0$ with $\sum_k r_{nk}=1$. The logarithm is concave, so the logarithm of an average is at least the average of the logarithms (Jensen's inequality, Jensen 不等式):
#
# $$\log\sum_k p_\theta(x_n,k)=\log\sum_k r_{nk}\frac{p_\theta(x_n,k)}{r_{nk}}\;\ge\;\sum_k r_{nk}\log\frac{p_\theta(x_n,k)}{r_{nk}}.$$
#
# Call the right-hand side, summed over $n$, $F(r,\theta)$. It bounds $L$ from below for *every* $r$. Equality holds when the averaged quantity is the same for every $k$, that is when $r_{nk}\propto p_\theta(x_n,k)$. So:
#
# - **E-step.** Keep $\theta$, choose the best $r$: $\;r_{nk}=p_\theta(z=k|x_n)=\dfrac{w_kN(x_n;\mu_k,\Sigma_k)}{\sum_j w_jN(x_n;\mu_j,\Sigma_j)}$, the **responsibilities** (责任度). Now $F=L$.
# - **M-step.** Keep $r$, choose the best $\theta$. What depends on $\theta$ is $\sum_{nk}r_{nk}\log w_k+\sum_{nk}r_{nk}\log N(x_n;\mu_k,\Sigma_k)$. The second sum is a Gaussian log-likelihood in which point $n$ counts
#   $r_{nk}$ times, so section 2's answer holds with weights. With $N_k=\sum_n r_{nk}$,
#
#   $$\mu_k=\frac1{N_k}\sum_n r_{nk}x_n,\qquad \Sigma_k=\frac1{N_k}\sum_n r_{nk}(x_n-\mu_k)(x_n-\mu_k)^\top .$$
#
#   The first sum is $\sum_k N_k\log w_k$ under the constraint $\sum_k w_k=1$. With a Lagrange multiplier, $N_k/w_k=\text{const}$, so $w_k=N_k/N$.
#
# Both steps together never lower the likelihood (`em-monotone`), whatever the start:
#
# $$L(\theta_{\text{new}})\;\ge\;F(r,\theta_{\text{new}})\;\ge\;F(r,\theta_{\text{old}})\;=\;L(\theta_{\text{old}}).$$
#
# The three signs are: the bound; the M-step; the E-step. (Dempster, Laird and Rubin 1977.) In code:


# %%
def log_joint(x, weights, means, covs):
    """log p(x, z=k) = log w_k + log N(x; μ_k, Σ_k); (N, D) -> (N, K)."""
    centred = x[:, None, :] - means  # (N, K, D)
    squares = torch.einsum("nki,kij,nkj->nk", centred, covs.inverse(), centred)
    return weights.log() - 0.5 * (squares + (2 * math.pi * covs).logdet())


def e_step(x, weights, means, covs):
    joint = log_joint(x, weights, means, covs)
    return (joint - joint.logsumexp(dim=1, keepdim=True)).exp()  # r, (N, K)


def m_step(x, r):
    counts = r.sum(dim=0)  # N_k, (K,)
    means = r.T @ x / counts[:, None]  # (K, D)
    centred = x[:, None, :] - means  # (N, K, D)
    covs = torch.einsum("nk,nki,nkj->kij", r, centred, centred) / counts[:, None, None]
    return counts / len(x), means, covs


# %% [markdown]
# Start with three of the points as means, and with the covariance of all the data for each component. The package has the same two steps in one function, `em_step`, which we use from here on.

# %%
from gm_course.em import FullGaussianMixture, em_step


def random_start(seed: int) -> FullGaussianMixture:
    picks = torch.randperm(N, generator=torch.Generator().manual_seed(seed))[:K]
    equal = torch.full((K,), 1 / K, dtype=torch.float64)
    return FullGaussianMixture(equal, points[picks], points.T.cov().expand(K, 2, 2))


start = random_start(1)
by_hand = m_step(points, e_step(points, start.weights, start.means, start.covs))
package = em_step(start, points)
hand_and_package = zip(by_hand, (package.weights, package.means, package.covs), strict=True)
same = [torch.allclose(a, b) for a, b in hand_and_package]
claim("the package's em_step is these two functions", all(same))


# %%
def run_em(mixture: FullGaussianMixture, steps: int = 60):
    path = [mixture]
    for _ in range(steps):
        path.append(em_step(path[-1], points))
    return path, [mixture.log_prob(points).mean().item() for mixture in path]


path, scores = run_em(start)
claim(
    "60 steps, none lowers the likelihood (by more than rounding, 1e-12)",
    all(after >= before - 1e-12 for before, after in itertools.pairwise(scores)),
)
claim_between("gain from the start (nats per image)", scores[-1] - scores[0], 1.3, 1.6)
claim("the last ten steps change less than 1e-6", scores[-1] - scores[-11] < 1e-6)

# %%
from gm_course.plotting.density_models import mixture_panels

single = FullGaussianMixture(*m_step(points, torch.ones(N, 1, dtype=torch.float64)))
shown = {"one Gaussian": single} | {f"EM, step {step}": path[step] for step in (1, 15, 60)}
mixture_panels(points, shown)

# %% [markdown]
# **What to see.** Ellipses are drawn at one and two standard deviations; a point's colour blends those of the components in the proportion of its responsibilities, and its marker shows the largest. After one step the components
# overlap broadly, and few points belong to one alone. After fifteen, components 1 and 2 still share a cloud, and so do 2 and 3. In the end each holds one. Did the model find the digits? It does not know their names, but it has sorted them:

# %%
assigned = e_step(points, path[-1].weights, path[-1].means, path[-1].covs).argmax(dim=1)
majority = [(hidden_labels[assigned == k]).mode().values.item() for k in range(K)]
purity = sum(((assigned == k) & (hidden_labels == majority[k])).sum().item() for k in range(K)) / N
claim("each component has found another digit", sorted(majority) == [0, 4, 6])
claim_between("share of the images that are in their digit's component", purity, 0.97, 1)

# %% [markdown]
# ### Three ways in which EM disappoints
#
# **Local optima (局部最优).** Never going down is not the same as reaching the top. Start two of the components inside one cloud, and they share it for ever (we let it run for 2,000 steps), while the third has to cover the other two clouds. **Label switching
# (标签互换).** From another random start EM finds the same three clouds in another order: exchanging the names of components changes nothing in $p(x)$, so every maximum comes in $K!=6$ copies.
# Average the parameters of two runs, and you get nonsense. Follow both with the explorer: choose a start, then move through the steps with the arrow keys. The curve on the right always rises, but in the third run it stops too low.

# %%
from gm_course.plotting.density_models import em_progress
from gm_course.widgets import choice

trap = FullGaussianMixture(
    start.weights,
    torch.tensor([[1.2, 0.3], [1.25, 0.7], [-0.6, -0.3]], dtype=torch.float64),
    0.02 * torch.eye(2, dtype=torch.float64).expand(K, 2, 2),
)
runs = {
    "three random images": (path, scores),
    "three others": run_em(random_start(0)),
    "two in one cloud": run_em(trap),
}


# %%
def draw_em(start, step):
    return em_progress(points, *runs[start], step)


Explorer(
    draw_em,
    start=choice("start", list(runs)),
    step=whole_number_slider("EM steps", 0, 60, start=15),
)

# %%
ends = {name: path[-1] for name, (path, _) in runs.items()}
mixture_panels(points, ends)

# %% [markdown]
# **What to see.** Left and middle: the same clouds, other numbers. Right: the trap; one ellipse stretches across two clouds and the gap between them.

# %%
final = {name: scores[-1] for name, (_, scores) in runs.items()}
first, second = (ends[name].means for name in ("three random images", "three others"))
distances = torch.cdist(first, second)  # (K, K)
claim(
    "both random starts reach the same likelihood, to 1e-6",
    abs(final["three random images"] - final["three others"]) < 1e-6,
)
claim("every mean has a partner at distance below 1e-3", distances.min(dim=1).values.max() < 1e-3)
claim("but not the one with its own number", distances.diagonal().max() > 1)
claim_between(
    "what the trap costs (nats per image)",
    final["three random images"] - final["two in one cloud"],
    0.3,
    0.4,
)

# %% [markdown]
# **Singularities (奇异解).** The third is worse: the maximum that EM climbs towards does not exist. Let one component sit exactly on one data point and shrink. Its density there is $\propto 1/\sigma$ and grows without bound,
# while the other component looks after the rest. Watch it with the ink of section 2, the second component sitting on the image with the most ink:

# %%
from gm_course.distributions import GaussianMixture

spike = torch.stack([ink.mean(), ink.max()])[:, None]  # means, (2, 1)
shares = torch.tensor([len(ink) - 1.0, 1.0])  # weights, normalised by the class
widths = torch.logspace(0, -12, 49, dtype=torch.float64)
totals = []
for width in widths:
    stds = torch.stack([ink.std(correction=0), width])
    totals.append(GaussianMixture(spike, stds, shares).log_prob(ink[:, None]).sum().item())

# %%
figure, (axis,) = plotting.new_figure(size=(5.4, 3.0))
axis.semilogx(widths, totals, color=plotting.COLOURS[0], label="with a spike on one image")
axis.axhline(len(ink) * log_likelihood.item(), color="black", linestyle="--", label="one Gaussian")
axis.set(
    xlabel="standard deviation of the spike (per cent)",
    ylabel="log-likelihood of all\nimages (nats)",
)
axis.invert_xaxis()
axis.legend()
figure

# %% [markdown]
# **What to see.** A straight line upwards: every factor of ten by which the spike gets thinner is worth $\log 10\approx2.3$ nats, without end. The model with the highest likelihood is a useless one. In practice EM
# runs into this when a component is left with too few points; the package then refuses to go on. The usual remedy adds a small multiple of the identity to each covariance, at the price
# that the steps are no longer exactly those of the theorem.

# %%
slope = (totals[-1] - totals[-5]) / math.log(10)  # four steps of the grid are a factor of ten
claim_between("nats per factor e of thinning, at the end", slope, 0.999, 1.001)

# %%
loneliest = points[torch.cdist(points, points).kthvalue(2, dim=1).values.argmax()]  # (2,)
collapsing = FullGaussianMixture(
    start.weights,
    torch.stack([*path[-1].means[:2], loneliest]),
    torch.stack([*path[-1].covs[:2], 1e-4 * torch.eye(2).double()]),
)
try:
    run_em(collapsing)
except gm_course.errors.ArgumentError as error:
    claim("EM on a component that sits on one point is stopped", "has collapsed" in str(error))

# %% [markdown]
# ## 4 · A continuous hidden cause, and the integral nobody can do
#
# A class is one kind of hidden cause. Slant, size and pen pressure are others, and they vary continuously. The sum becomes an integral (`marginal-density`):
#
# $$p(x)=\int p(x|z)\,p(z)\,dz,\qquad z\sim N(0,I).$$
#
# With the prior (先验) $p(z)$ fixed to a standard Gaussian, all that remains to be learned is $p(x|z)$. Even a simple one gives a rich $p(x)$. Here $x$ and $z$ are numbers, and $x|z\sim N(g(z),0.3^2)$ with
# $g(z)=2\tanh(2z)$; there is no formula for this $p(x)$, but in one dimension a sum over a fine grid of $z$ will do (**quadrature**, 数值积分).

# %%
noise_std = 0.3
grid = torch.linspace(-8, 8, 4_001, dtype=torch.float64)  # of z


def bend(z):
    return 2 * torch.tanh(2 * z)


def gaussian_density(x, mean, std):
    return (-0.5 * ((x - mean) / std).square()).exp() / (std * math.sqrt(2 * math.pi))


def marginal(x, decoder=bend):
    """∫ p(x|z) p(z) dz by the trapezoidal rule; (n,) -> (n,)."""
    likelihood = gaussian_density(x[:, None], decoder(grid), noise_std)  # p(x|z), (n, grid)
    return torch.trapezoid(likelihood * gaussian_density(grid, 0.0, 1.0), grid, dim=1)


# %%
xs = torch.linspace(-5, 5, 1_001, dtype=torch.float64)
claim("p(x) integrates to 1, to 1e-9", abs(torch.trapezoid(marginal(xs), xs) - 1) < 1e-9)

straight = marginal(xs, decoder=lambda z: 1.5 * z)  # now everything is Gaussian: N(0, 1.5² + 0.3²)
exact = gaussian_density(xs, 0.0, math.hypot(1.5, noise_std))
claim("a straight g gives the known Gaussian, to 1e-9", (straight - exact).abs().max() < 1e-9)

# %% [markdown]
# ### Why not simply average?
#
# The integral is an expectation, $p(x)=E_{z\sim p(z)}[p(x|z)]$. So draw $S$ values of $z$ from the prior and average (naive Monte Carlo, 朴素蒙特卡罗). It is unbiased for every $S$ and needs no grid. What could go wrong?
#
# Take $x|z\sim N(z,\lambda I)$ in $d$ dimensions, $\lambda=0.04$, for which $p(x)=N(x;0,(1+\lambda)I)$ is known, and an ordinary point, $x=(1,\dots,1)$. The estimate's relative variance is
# $\frac1S\big(c^d-1\big)$, with the ratio $c=E[p(x|z)^2]/p(x)^2$ of one coordinate, because independent coordinates multiply. And since $N(x;z,\lambda)^2=N(x;z,\tfrac\lambda2)/(2\sqrt{\pi\lambda})$,
#
# $$c=\frac{N(1;0,1+\tfrac\lambda2)}{2\sqrt{\pi\lambda}\;N(1;0,1+\lambda)^2}\approx 5.8 .$$
#
# The error grows **exponentially** with the dimension. For one digit of accuracy, a relative error of $0.1$, one needs $S\approx100\,c^d$ samples: 600 in one dimension, several thousand million in ten. Does that really happen?

# %%
S, repetitions, var = 10_000, 100, 0.04
one = torch.ones((), dtype=torch.float64)
c = gaussian_density(one, 0, math.sqrt(1 + var / 2)) / (2 * math.sqrt(math.pi * var))
c = (c / gaussian_density(one, 0, math.sqrt(1 + var)) ** 2).item()

ratios = []  # estimate / truth for d = 1, ..., 12
for _ in range(repetitions):
    z = torch.randn(S, 12, generator=generator, dtype=torch.float64)
    log_ratio = (
        gaussian_density(one, z, math.sqrt(var)).log()
        - gaussian_density(one, 0, math.sqrt(1 + var)).log()
    )
    log_ratios = log_ratio.cumsum(dim=1)  # the first d coordinates, for every d at once
    ratios.append((log_ratios.logsumexp(dim=0) - math.log(S)).exp())
ratios = torch.stack(ratios)  # (repetitions, 12)

# %%
for d in (1, 2):
    measured, predicted = ratios[:, d - 1].std(), math.sqrt((c**d - 1) / S)
    claim_between(
        f"d = {d}: measured over predicted relative error", measured / predicted, 0.7, 1.3
    )
claim("d = 1: the error is below 5 %", ratios[:, 0].std() < 0.05)
claim(
    "d = 10: the median estimate is below a thousandth of the truth", ratios[:, 9].median() < 1e-3
)
claim_between("samples needed for d = 10, as a power of ten", math.log10(100 * c**10), 9, 10)

# %%
from gm_course.plotting.density_models import estimate_ratios

estimate_ratios(
    range(1, 13), ratios, xlabel="latent dimensions d", ylabel="estimate of p(x) / truth"
)

# %% [markdown]
# **What to see.** Up to three or four dimensions the estimates hug the dashed line. Then they sink below it, and by orders of magnitude. **Try it:** give it ten times as many samples, and see how many dimensions that buys. The estimate is unbiased, and yet nearly always too small: the mean is kept up by rare draws that come close
# to the $z$ that explains $x$, draws so rare that you never see one. The prior simply does not know where to look. What we need is a distribution that does, the posterior (后验) $p(z|x)$ or something like it. [Lecture 2](02-latent-variables-and-the-elbo.ipynb)
# takes it from here, [lecture 3](03-inference-and-generator-networks.ipynb) trains a network to find it, and that is the VAE.
#
# ## 5 · Sampling: first the cause, then the effect
#
# While $p(x)$ is hard, drawing from it is easy. Draw $z\sim p(z)$, then $x\sim p(x|z)$, and forget $z$. This is **ancestral sampling** (祖先采样), and the reason why it is right is one line: the pair
# $(z,x)$ has density $p(z)p(x|z)$, and forgetting $z$ means integrating over it (`ancestral-sampling`).

# %%
z = torch.randn(4_000, generator=generator, dtype=torch.float64)  # first z ~ p(z),
noise = torch.randn(4_000, generator=generator, dtype=torch.float64)
x = bend(z) + noise_std * noise  # then x ~ p(x|z)

# %% [markdown]
# Is it right? Look, and test. The **Kolmogorov–Smirnov test** (KS 检验) compares the share of samples below each $x$ with the distribution function (分布函数) $F(x)=\int\Phi\big(\tfrac{x-g(z)}{0.3}\big)p(z)\,dz$, where $\Phi$ is that
# of $N(0,1)$, and takes the largest difference $\Delta$. For samples of the right distribution $\sqrt n\,\Delta$ exceeds $2$ with probability below $2e^{-2\cdot2^2}<0.001$. A favourite mistake is to stop after the
# mean of $p(x|z)$, as one does when showing pictures of a VAE:

# %%
from scipy.stats import kstest


def exact_cdf(values):
    below = torch.special.ndtr((torch.as_tensor(values)[:, None] - bend(grid)) / noise_std)
    return torch.trapezoid(below * gaussian_density(grid, 0.0, 1.0), grid, dim=1).numpy()


draws = {"z, then x": x, "z, then the mean g(z)": bend(z)}
ks = {
    name: kstest(values.numpy(), exact_cdf).statistic * len(values) ** 0.5
    for name, values in draws.items()
}
claim("√n·Δ of ancestral samples is below 2", ks["z, then x"] < 2)
claim("without the second step it is above 5", ks["z, then the mean g(z)"] > 5)

# %%
figure, axes = plotting.new_figure(2, size=(4.0, 2.9))
for axis, (name, values), colour in zip(axes, draws.items(), plotting.COLOURS, strict=False):
    axis.hist(values.numpy(), bins=60, range=(-3.5, 3.5), density=True, color=colour, alpha=0.6)
    axis.plot(xs, marginal(xs), color="black", label="p(x), by quadrature")
    axis.set(title=name, xlabel="x", xlim=(-3.5, 3.5), ylim=(0, 1.2))
axes[0].set_ylabel("density")
axes[0].legend()
figure

# %% [markdown]
# **What to see.** Left, the histogram follows the exact density. Right, the samples pile up at $\pm2$, where $g$ is flat; the second step of noise is part of the model.
#
# ## 6 · Skip the density, learn $G$
#
# Turn the recipe round. A computer has only one kind of randomness, noise from a simple distribution; *every* sampler is a function of noise. So why not look for the function directly: a **generator** $G$ with $G(z)\sim p_r$?
# In one dimension it exists and is known. Let $F(x)=P(X\le x)$ be the distribution function of $p_r$ (not the bound $F$ of section 3), rising strictly from 0 to 1, and let $u$ be uniform on $[0,1]$. Then for $G=F^{-1}$
#
# $$P\big(G(u)\le x\big)=P\big(u\le F(x)\big)=F(x),$$
#
# so $G(u)$ has exactly the distribution $p_r$ (`pushforward-sampling`): $p_r$ is the **pushforward** (推前) of the noise. Normal noise $z$ serves as well, because $\Phi(z)$ is uniform: $G(z)=F^{-1}(\Phi(z))$. For a mixture of two
# Gaussians $F$ has a formula and $F^{-1}$ is found by bisection (二分法):


# %%
def target_cdf(x):
    return 0.3 * torch.special.ndtr((x + 2) / 0.5) + 0.7 * torch.special.ndtr(x - 1)


def target_density(x):
    return 0.3 * gaussian_density(x, -2.0, 0.5) + 0.7 * gaussian_density(x, 1.0, 1.0)


def inverse_cdf(u):
    """F⁻¹(u): halve an interval that contains the answer, 60 times."""
    low, high = torch.full_like(u, -20), torch.full_like(u, 20)
    for _ in range(60):
        middle = (low + high) / 2
        is_below = target_cdf(middle) < u
        low, high = torch.where(is_below, middle, low), torch.where(is_below, high, middle)
    return (low + high) / 2


# %%
uniform = torch.rand(4_000, generator=generator, dtype=torch.float64)
normal = torch.randn(4_000, generator=generator, dtype=torch.float64)
maps = {"uniform": inverse_cdf, "normal": lambda z: inverse_cdf(torch.special.ndtr(z))}


def ks_to_target(values):
    """√n·Δ between the values and the target distribution."""
    distance = kstest(values.numpy(), lambda v: target_cdf(torch.as_tensor(v)).numpy()).statistic
    return distance * len(values) ** 0.5


claim("uniform noise: √n·Δ is below 2", ks_to_target(maps["uniform"](uniform)) < 2)
claim("normal noise: √n·Δ is below 2", ks_to_target(maps["normal"](normal)) < 2)
claim("another G is as good, F⁻¹(1-u)", ks_to_target(inverse_cdf(1 - uniform)) < 2)

# %%
from gm_course.plotting.density_models import pushforwards

pushforwards(
    {"uniform": uniform, "normal": normal}, maps, density=target_density, limits=(-4.5, 4.5)
)

# %% [markdown]
# **What to see.** From left to right: the noise, the map, the result. Where $G$ is flat, many values of the noise land close together and the density is high; where it is steep, the density is low, as in the gap at $-0.8$. In a formula, which you
# obtain by differentiating $F(G(z))=F_{\text{noise}}(z)$: $\;p_r(G(z))\,G'(z)=p_{\text{noise}}(z)$. We check it with a difference quotient in place of $G'$.

# %%
z = torch.linspace(-2.5, 2.5, 101, dtype=torch.float64)
step = 1e-4
slope = (maps["normal"](z + step) - maps["normal"](z - step)) / (2 * step)  # G'(z)
deviation = target_density(maps["normal"](z)) * slope - gaussian_density(z, 0.0, 1.0)
claim("p_r(G(z)) G'(z) = p(z), to 1e-5", deviation.abs().max() < 1e-5)

# %% [markdown]
# To invert $F$ we had to know it. But a *sample* is enough. Sort the $N$ data; the value at rank $uN$ estimates $F^{-1}(u)$. Thus $G$ is learned from data, for the ink of section 1, and nowhere does a density appear. The judge is the test set: a two-sample
# KS test, which asks whether two samples come from the same distribution.

# %%
from scipy.stats import ks_2samp


def learned_map(u):
    return torch.quantile(ink, u)  # sorted data, interpolated between neighbouring ranks


new_ink = learned_map(torch.rand(2_000, generator=generator, dtype=torch.float64))
claim(
    "generated and test ink cannot be told apart (p above 0.05)",
    ks_2samp(new_ink.numpy(), test_ink.numpy()).pvalue > 0.05,
)
claim(
    "noise that did not pass through G can be",
    ks_2samp((40 * uniform[:2_000]).numpy(), test_ink.numpy()).pvalue < 1e-6,
)

# %% [markdown]
# This is the idea of the **generative adversarial network** (生成对抗网络, GAN; Goodfellow and others 2014) in one dimension: skip the density, learn $G$, and let a test that compares samples with samples be the judge. In 64 or 784 dimensions there is no sorting, so $G$ becomes a network; nor is there
# a Kolmogorov–Smirnov test, so the judge becomes a network, too. [Lecture 6](06-generative-adversarial-networks.ipynb) lets the two play against each other.
#
# ## 7 · Generative and discriminative classifiers
#
# Now use the labels: this is supervised learning (监督学习). A **generative** model of labelled images estimates the joint distribution $p(x,y)=p(y)\,p(x|y)$, and classifies by Bayes' rule (贝叶斯公式, `bayes-rule`):
#
# $$p(y|x)=\frac{p(x,y)}{\sum_{y'}p(x,y')}.$$
#
# A **discriminative** model goes straight for $p(y|x)$: logistic regression (逻辑回归), support vector machines (支持向量机), neural networks. You have already met Bayes' rule above: the E-step is nothing else, with the component as the class. With labels,
# the responsibilities are known, one for the right class and zero for the others, and a single M-step is the whole training. (For sequences the best-known generative classifier is the hidden Markov model, 隐马尔可夫模型.) Three models, which differ in what they assume about the covariances:
#
# - **naive Bayes** (朴素贝叶斯): given the class, pixels are independent, so each $\Sigma_k$ is diagonal;
# - **shared covariance**: one $\Sigma$ for all classes (linear discriminant analysis, 线性判别分析);
# - **own covariance**: a full $\Sigma_k$ for each class (quadratic discriminant analysis).
#
# The last two are also known as Gaussian discriminant analysis (高斯判别分析). Some pixels at the border are white in every image, so 0.01 is added to each variance.


# %%
def fit_classes(x, y, kind, ridge=0.01):
    """p(x, y) with Gaussian classes, by maximum likelihood and a ridge; x (N, D), y (N,)."""
    r = torch.nn.functional.one_hot(y).to(x)  # known responsibilities, (N, K)
    counts = r.sum(dim=0)
    means = r.T @ x / counts[:, None]  # (K, D)
    centred = x - means[y]  # (N, D)
    covs = torch.einsum("nk,ni,nj->kij", r, centred, centred) / counts[:, None, None]
    if "naive Bayes" in kind:
        covs = covs.diagonal(dim1=1, dim2=2).diag_embed()
    if "shared" in kind:
        covs = torch.einsum("k,kij->ij", counts / len(x), covs).expand_as(covs)
    return FullGaussianMixture(counts / len(x), means, covs + ridge * torch.eye(x.shape[1]).to(x))


# %%
def accuracy(model, x, y):
    """Share of images whose largest p(x, y), and hence p(y|x), is the right class."""
    return (model.joint_log_prob(x).argmax(dim=1) == y).double().mean().item()


# %%
from sklearn.linear_model import LogisticRegression

train_x, train_y = train_set.images.double(), train_set.labels
test_x, test_y = test_set.images.double(), test_set.labels
kinds = ("naive Bayes", "shared covariance", "own covariance")
models = {kind: fit_classes(train_x, train_y, kind) for kind in kinds}
logistic = LogisticRegression(max_iter=2_000, tol=1e-6).fit(train_x.numpy(), train_y.numpy())

claim_between("naive Bayes", accuracy(models["naive Bayes"], test_x, test_y), 0.90, 0.95)
claim_between(
    "shared covariance", accuracy(models["shared covariance"], test_x, test_y), 0.94, 0.98
)
claim_between("own covariance", accuracy(models["own covariance"], test_x, test_y), 0.98, 1)
claim_between("logistic regression", logistic.score(test_x.numpy(), test_y.numpy()), 0.94, 0.98)

# %% [markdown]
# ### A shared covariance gives logistic regression
#
# Two classes with densities $N(\mu_0,\Sigma)$ and $N(\mu_1,\Sigma)$ and priors $\pi_0,\pi_1$. Divide numerator and denominator of Bayes' rule by the numerator:
#
# $$p(y=1|x)=\frac{1}{1+e^{-a(x)}}=\operatorname{sigmoid}(a(x)),\qquad a(x)=\log\frac{\pi_1N(x;\mu_1,\Sigma)}{\pi_0N(x;\mu_0,\Sigma)} .$$
#
# The two normalising constants are the same and cancel. What remains of the exponents,
#
# $$a(x)=-\tfrac12(x-\mu_1)^\top\Sigma^{-1}(x-\mu_1)+\tfrac12(x-\mu_0)^\top\Sigma^{-1}(x-\mu_0)+\log\tfrac{\pi_1}{\pi_0},$$
#
# contains $\tfrac12x^\top\Sigma^{-1}x$ twice, with opposite signs. **They cancel, too**, and only because $\Sigma$ is shared. What is left is linear in $x$ (`gda-is-logistic`), with a vector $w$ of shape $(D,)$ (no longer the weights of a mixture) and a number $b$:
#
# $$a(x)=w^\top x+b,\qquad w=\Sigma^{-1}(\mu_1-\mu_0),\qquad b=-\tfrac12\mu_1^\top\Sigma^{-1}\mu_1+\tfrac12\mu_0^\top\Sigma^{-1}\mu_0+\log\frac{\pi_1}{\pi_0}.$$
#
# That is exactly the form of logistic regression. The two share the form of $p(y|x)$ and differ in how they find $w$ and $b$. We check it on the threes and eights, in 64 dimensions:

# %%
from gm_course.em import responsibilities

pair = (train_y == 3) | (train_y == 8)
pair_x, pair_y = train_x[pair], (train_y[pair] == 8).long()
shared = fit_classes(pair_x, pair_y, "shared covariance")
(mean0, mean1), precision = shared.means, shared.covs[0].inverse()
w = precision @ (mean1 - mean0)  # (D,)
b = (
    -0.5 * mean1 @ precision @ mean1
    + 0.5 * mean0 @ precision @ mean0
    + (shared.weights[1] / shared.weights[0]).log()
)

# %%
by_bayes = responsibilities(shared, pair_x)[:, 1]
claim(
    "sigmoid(wᵀx + b) is Bayes' rule, to 1e-9",
    ((pair_x @ w + b).sigmoid() - by_bayes).abs().max() < 1e-9,
)

# %% [markdown]
# **Beware:** with a covariance for *each* class the quadratic terms do not cancel. The matrix of second derivatives of $a(x)$ is $\Sigma_0^{-1}-\Sigma_1^{-1}$, and the boundary $a(x)=0$ is a conic: an ellipse, a parabola, a hyperbola. "Gaussian
# classes have linear boundaries" is true only of a shared covariance.

# %%
means = torch.tensor([[-0.8, -0.3], [0.9, 0.4]], dtype=torch.float64)
half = torch.full((2,), 0.5, dtype=torch.float64)
tilted = torch.tensor([[1.0, 0.5], [0.5, 0.8]], dtype=torch.float64)
small = torch.tensor([[0.3, -0.15], [-0.15, 0.4]], dtype=torch.float64)
toys = {
    "shared Σ: a line": FullGaussianMixture(half, means, torch.stack([tilted, tilted])),
    "own Σ: a conic": FullGaussianMixture(half, means, torch.stack([2 * tilted, small])),
}


# %%
def log_odds(toy):
    """a(x) of two classes, as a function of x (D,)."""
    return lambda x: toy.joint_log_prob(x[None]).diff(dim=1).squeeze()


for name, toy in toys.items():
    curvature = torch.autograd.functional.hessian(log_odds(toy), means[0])
    expected = toy.covs[0].inverse() - toy.covs[1].inverse()
    claim(f"{name}: ∂²a/∂x² = Σ₀⁻¹ - Σ₁⁻¹, to 1e-9", (curvature - expected).abs().max() < 1e-9)

# %%
from gm_course.plotting.density_models import class_boundaries

class_boundaries(toys, count=250, generator=generator)

# %% [markdown]
# **What to see.** The shades are $p(y=1|x)$, the black line is where it is one half. On the right the narrow class is enclosed: far away in *every* direction, the wide class wins, even behind the narrow one.
#
# ### Which one needs less data?
#
# Ng and Jordan (2002) compared naive Bayes with logistic regression, for class densities that give both the same form of $p(y|x)$, and found two regimes. The generative model reaches its own best accuracy with fewer examples: a number of the order of $\log D$ suffices, where the discriminative model may need one of the order of $D$.
# But the discriminative model's best is at least as good, because it assumes less: if the class densities are not what the generative model says, that model keeps paying for it, however many examples it sees. We test both halves, first on data for which naive Bayes is *right*: two
# classes $N(\pm\mu,I)$ in 20 dimensions with $\|\mu\|=1.25$, where no classifier can have a higher accuracy than $\Phi(1.25)\approx0.894$. Our naive Bayes knows that the classes share their variances, so it is a linear classifier, too.


# %%
def toy_classes(n):
    y = torch.arange(n) % 2
    centre = 1.25 / math.sqrt(20)
    return torch.randn(n, 20, generator=generator).double() + centre * (2 * y[:, None] - 1), y


def logistic_accuracy(x, y, far_x, far_y):
    fitted = LogisticRegression(max_iter=2_000).fit(x.numpy(), y.numpy())
    return fitted.score(far_x.numpy(), far_y.numpy())


# %%
far_x, far_y = toy_classes(10_000)  # the test set
on_toys = {"naive Bayes, shared": {}, "logistic regression": {}}
for n in (10, 20, 40, 80, 160, 320, 1_280):
    samples = [toy_classes(n) for _ in range(15)]
    fitted = [fit_classes(x, y, "naive Bayes, shared") for x, y in samples]
    on_toys["naive Bayes, shared"][n] = [accuracy(m, far_x, far_y) for m in fitted]
    on_toys["logistic regression"][n] = [logistic_accuracy(*s, far_x, far_y) for s in samples]

# %% [markdown]
# Then on the digits, where pixels are certainly not independent given the class. Each training set has the same number of every digit, and each size but the largest is drawn four times. (Here naive Bayes has a variance of its own for each class and pixel, as in the list above.)

# %%
members = [(train_y == digit).nonzero()[:, 0] for digit in range(10)]


def subset(n):
    """Indices of n training images, n / 10 of each digit."""
    picks = [m[torch.randperm(len(m), generator=generator)[: n // 10]] for m in members]
    return torch.cat(picks)


on_digits = {name: {} for name in ("naive Bayes", "logistic regression", "own covariance")}
for n in (20, 50, 100, 200, 500, 1_380):
    chosen = [subset(n) for _ in range(1 if n == 1_380 else 4)]
    for kind in ("naive Bayes", "own covariance"):
        fitted = [fit_classes(train_x[s], train_y[s], kind) for s in chosen]
        on_digits[kind][n] = [accuracy(m, test_x, test_y) for m in fitted]
    on_digits["logistic regression"][n] = [
        logistic_accuracy(train_x[s], train_y[s], test_x, test_y) for s in chosen
    ]

# %%
from gm_course.plotting.density_models import learning_curves

learning_curves(
    {"the assumption is right": on_toys, "the 8 × 8 digits": on_digits},
    limits={"the assumption is right": torch.special.ndtr(torch.tensor(1.25)).item()},
)


# %%
def lead(results, n, first, second="logistic regression"):
    """Mean accuracy of one classifier minus that of another, with n training examples."""
    return (torch.tensor(results[first][n]).mean() - torch.tensor(results[second][n]).mean()).item()


claim(
    "right assumption, 80 and 160 examples: naive Bayes leads by more than 0.01",
    all(lead(on_toys, n, "naive Bayes, shared") > 0.01 for n in (80, 160)),
)
at_the_end = abs(lead(on_toys, 1_280, "naive Bayes, shared"))
claim("right assumption, 1,280 examples: the two differ by less than 0.01", at_the_end < 0.01)
behind = -lead(on_digits, 1_380, "naive Bayes")
claim("digits, all examples: naive Bayes is behind by more than 0.02", behind > 0.02)
claim(
    "digits: own covariances beat logistic regression from 200 examples on",
    all(lead(on_digits, n, "own covariance") > 0 for n in (200, 500, 1_380)),
)

# %% [markdown]
# **What to see.** Bars show two standard errors over the draws. Left, where the assumption is right, the generative model leads from some tens of examples on (below that, the bars overlap), by about 0.02, and both end near the best possible accuracy. Right, naive Bayes flattens out: its assumption
# is wrong, and more data do not make it right. It has no lead even with 20 digits, perhaps because scikit-learn's logistic regression is mildly regularised (正则化), which the theory does not count. But look at the third curve, a generative model with a *better* assumption: from two hundred examples on it is clearly ahead of
# both. So the question is less "generative or discriminative?" than "how good is your model of $p(x|y)$?", and models of $p(x|y)$ are what the rest of the course is about.
#
# ### What only the generative model can do
#
# It has the whole joint distribution, so it can **sample**: draw $y$, then $x|y$, ancestral sampling again. And it knows $p(x)=\sum_y p(x,y)$, so it can say "this is no digit".

# %%
noise = torch.randn(10, 64, 1, generator=generator, dtype=torch.float64)
rows = {"real": test_x[[int((test_y == digit).nonzero()[0]) for digit in range(10)]]}
for kind, model in models.items():
    samples = model.means + (torch.linalg.cholesky(model.covs) @ noise)[..., 0]  # one per class
    rows[kind] = samples.clamp(0, 1)
plotting.image_rows({name: images.reshape(-1, 8, 8) for name, images in rows.items()})

# %% [markdown]
# **What to see.** Each column is a digit, each row a model, and all models were given the same noise; a sample shows what a model believes. For naive Bayes neighbouring pixels know nothing of each other, so the strokes are patchy. The shared covariance lets pixels vary together, but in the same way for all digits.
# With its own covariance each digit varies in its own way, and its strokes are cleaner. None of them is a good picture: a stroke that moves is not a Gaussian, and that is why the course goes on to networks. (The grey speckles in the margins, the same in every row, are the 0.01 that we added to each variance.)
# **Try it:** fit with `ridge=0.001`. The speckles fade, and all three accuracies fall a little: the ridge was also a help against overfitting.
#
# Now show the classifiers something else: the test digits mirrored at the diagonal, and digits whose 64 pixels were shuffled.

# %%
own = models["own covariance"]
shuffled = torch.stack([image[torch.randperm(64, generator=generator)] for image in test_x])
groups = {
    "test digits": test_x,
    "mirrored at the diagonal": test_x.reshape(-1, 8, 8).transpose(1, 2).reshape(-1, 64),
    "pixels shuffled": shuffled,
}
log_density = {name: own.log_prob(group) for name, group in groups.items()}  # log p(x)
confidence = {
    name: torch.from_numpy(logistic.predict_proba(group.numpy())).max(dim=1).values
    for name, group in groups.items()
}
threshold = own.log_prob(train_x).quantile(0.01)  # 1 % of the training digits lie below
alarms = {name: (values < threshold).double().mean().item() for name, values in log_density.items()}

# %%
claim(
    "log p(x) finds at least 99 % of the mirrored digits",
    alarms["mirrored at the diagonal"] >= 0.99,
)
claim("and of the shuffled ones", alarms["pixels shuffled"] >= 0.99)
claim_between("share of true digits that it rejects by mistake", alarms["test digits"], 0.02, 0.15)
claim(
    "logistic regression is surer of mirrored digits than of true ones",
    confidence["mirrored at the diagonal"].mean() > confidence["test digits"].mean() + 0.02,
)

# %%
from gm_course.plotting.density_models import outlier_scores

outlier_scores(
    {name: (log_density[name], confidence[name]) for name in groups},
    labels=("log p(x) of the generative model (nats)", "largest p(y|x) of logistic regression"),
)

# %% [markdown]
# **What to see.** Left, the groups hardly overlap. Right, the discriminative model is *more* certain of a mirrored digit than of a real one. It has not been asked whether $x$ is a digit, only which one, and so it answers. The generative classifier's own $p(y|x)$ is no wiser; it is $p(x)$ that raises the alarm.
# (With deep generative models on large images even $p(x)$ can be fooled: Nalisnick and others 2019.) The price of the threshold is a few true digits rejected: more than the one per cent of the training set, because the model has seen those.
#
# ### Not the other way round
#
# A generative model yields a discriminative one, by Bayes' rule. The converse fails: many joint distributions share one $p(y|x)$. Take a model with equal priors, means $\pm\mu$ and a shared $\Sigma$, where $w=\Sigma^{-1}(2\mu)$ and $b=0$. Double means and covariance: then $w=(2\Sigma)^{-1}(4\mu)$ is the same, and so is $b$. Not one
# classification changes, and everything about $x$ does.

# %%
centre = torch.tensor([[0.7, 0.2]], dtype=torch.float64)
model_a = FullGaussianMixture(half, torch.cat([-centre, centre]), torch.stack([tilted, tilted]))
model_b = FullGaussianMixture(
    half, torch.cat([-2 * centre, 2 * centre]), torch.stack([2 * tilted, 2 * tilted])
)
anywhere = 3 * torch.randn(1_000, 2, generator=generator, dtype=torch.float64)
same = (responsibilities(model_a, anywhere) - responsibilities(model_b, anywhere)).abs().max()
claim("the same p(y|x) everywhere, to 1e-12", same < 1e-12)
claim(
    "but log p(x) differs by more than 1 nat somewhere",
    (model_a.log_prob(anywhere) - model_b.log_prob(anywhere)).abs().max() > 1,
)

# %% [markdown]
# ## What commonly goes wrong
#
# | symptom | cause | how to tell |
# |---|---|---|
# | the variance is a little too large | division by $N-1$ where the maximum of the likelihood is meant | `var(correction=0)`, section 2 |
# | the likelihood falls in an EM step | a slip in one of the two steps: covariances about the wrong means or divided by $N$, hard assignments, weights left out | print it at every step: it may never fall |
# | EM ends at a poor fit | local optimum | several starts, keep the best likelihood |
# | the likelihood explodes, a matrix is not positive definite | a component has collapsed onto a point | smallest eigenvalue of each covariance |
# | two runs disagree about "component 1" | label switching | compare $p(x)$, or match the components |
# | an estimate of $p(x)$ is nearly always too small | naive Monte Carlo in many dimensions | double $S$: the estimate jumps now and then |
# | samples are too clean | the mean of $p(x|z)$ was shown instead of a draw | section 5 |
# | a classifier is sure of nonsense | $p(y|x)$ does not know $p(x)$ | section 7 |
# | NaN in $p(y|x)$ | densities of 64 pixels multiplied instead of log-densities added | `logsumexp`, `softmax` |
#
# ## Questions
#
# 1. Show that the histogram maximises the likelihood among densities that are constant on each bin.
#
# <details><summary>Answer</summary>
#
# Let the density be $h_b$ on bin $b$. The log-likelihood is $\sum_b n_b\log h_b$ under the constraint $\delta\sum_b h_b=1$. As for the weights of the mixture, a Lagrange multiplier gives $n_b/h_b=\text{const}$, so $h_b=n_b/(N\delta)$.
#
# </details>
#
# 2. Where in the derivation of EM is it used that the E-step computes the *exact* posterior? What remains if it does not?
#
# <details><summary>Answer</summary>
#
# In the last sign of the chain, $F(r,\theta_{\text{old}})=L(\theta_{\text{old}})$. With any other $r$ there is a gap, $F(r,\theta)<L(\theta)$; each step still raises the bound $F$, but the likelihood itself may fall. That is the situation of the VAE.
#
# </details>
#
# 3. All three components start with the *same* mean and covariance. What does EM do?
#
# <details><summary>Answer</summary>
#
# Nothing useful: all responsibilities are $1/3$, so the M-step gives all components the mean and covariance of the whole data, and so for ever. Symmetry has to be broken by the start.
#
# </details>
#
# 4. Why does `pushforward-sampling` not help directly with images?
#
# <details><summary>Answer</summary>
#
# In one dimension "below $x$" orders the values, and $F$ has an inverse. In many dimensions there is no such order, the distribution function has no unique inverse, and infinitely many maps $G$ push the noise to $p_r$. One has to be *learned*.
#
# </details>
#
# 5. Two classes with equal priors: write $p(y=1|x)$ with the two class densities only. You will meet it again as the best discriminator of a GAN.
#
# <details><summary>Answer</summary>
#
# $p(y=1|x)=\dfrac{p(x|1)}{p(x|1)+p(x|0)}$. [Exercise 13-4](../exercises/13-4.ipynb) shows that no function does better under the cross-entropy.
#
# </details>
#
# ## Equations of this lecture

# %%
from gm_course.ledger import probabilistic_models
from gm_course.ledger.equation import show_equations

show_equations(probabilistic_models.EQUATIONS)

# %% [markdown]
# ## Summary
#
# - A generative model is a density, a sampler, or both. Maximum likelihood fits it, by formula where there is one and by gradient otherwise.
# - Hidden causes turn simple pieces into rich densities: $p(x)=\int p(x|z)p(z)\,dz$, a sum when $z$ is discrete.
# - EM raises a lower bound of the likelihood, first in $r$, then in $\theta$. It never goes down, and it promises no more than that.
# - In many dimensions the integral defeats naive averaging, since the prior does not know where to look.
# - Sampling is easy where density is hard: first $z$, then $x$. Or push noise through a function $G$, and skip the density altogether.
# - Bayes' rule turns $p(x,y)$ into a classifier; a shared covariance gives logistic regression. The way back does not exist, and only the generative model can sample and say "this is no digit".
#
# Next: [lecture 2](02-latent-variables-and-the-elbo.ipynb), where the bound $F$ gets its name, the evidence lower bound.
#
# **Exercise that belongs to this lecture:** [13-4](../exercises/13-4.ipynb) (the best classifier between two densities).
#
# ## References
#
# - A. P. Dempster, N. M. Laird, D. B. Rubin, *Maximum Likelihood from Incomplete Data via the EM Algorithm*, 1977.
# - A. Y. Ng, M. I. Jordan, *On Discriminative vs. Generative Classifiers: A Comparison of Logistic Regression and Naive Bayes*, 2002.
# - E. Nalisnick, A. Matsukawa, Y. W. Teh, D. Gorur, B. Lakshminarayanan, *Do Deep Generative Models Know What They Don't Know?*, 2019.
# - I. Goodfellow, J. Pouget-Abadie, M. Mirza, B. Xu, D. Warde-Farley, S. Ozair, A. Courville, Y. Bengio, *Generative Adversarial Nets*, 2014.
# - E. Alpaydin, C. Kaynak, *Cascading Classifiers*, 1998 (the 8 × 8 digits).
