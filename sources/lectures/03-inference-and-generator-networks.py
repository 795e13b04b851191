# %% [markdown]
# # 3 · Inference and generator networks (推断网络与生成网络)
#
# *Sections 13.2.2 to 13.2.4 of the chapter.*
#
# Lecture 2 left us with a bound and two wishes. The bound is the **evidence lower bound** (证据下界, ELBO): for every distribution $q$,
#
# $$\log p(x) = \underbrace{E_{z\sim q}\big[\log p(x,z)-\log q(z)\big]}_{\text{ELBO}(q,x)}
#   + \underbrace{\mathrm{KL}\big(q(z),\,p(z|x)\big)}_{\ge 0}.$$
#
# The wishes are a good $q$ for every image $x$ (the E-step of EM) and a good model $p(x|z)$ (the M-step). As long as $p(x|z)$ is simple, both have formulas. We want
# it to be a neural network, and then neither has. This lecture puts a network in each place: the **inference network** (推断网络), or encoder (编码器), turns
# an image into a $q$; the **generator network** (生成网络), or decoder (解码器), turns a latent variable (隐变量) $z$, also called the code (编码) of the image, into a distribution of images; and one
# objective trains both. A network that answers for all images is convenient, and it costs something. We shall measure what.
#
# **After this lecture you will be able to**
#
# - write down an inference network with all its shapes, and say why its variance goes through a softplus;
# - explain why maximising the ELBO over $q$ *is* approximating the posterior (后验), and what the best Gaussian with independent coordinates is;
# - separate the two reasons why $q$ is not the posterior, the approximation gap and the amortisation gap, and measure each;
# - choose between a Bernoulli and a Gaussian decoder, and recognise the wrong one;
# - split the ELBO into reconstruction and KL, and say in what sense a VAE does the E-step and the M-step at once.
#
# **You need** [lecture 2](02-latent-variables-and-the-elbo.ipynb). Samples of $q$ are written as $z=\mu_I+\sigma_I\odot\varepsilon$ with $\varepsilon\sim N(0,I)$ so that gradients can pass through
# them; why this is allowed is the subject of [lecture 4](04-reparameterisation.ipynb). Logarithms are natural, so everything is measured in nats. In shapes, $B$ is
# the number of images in a batch, $D$ that of numbers in an image, $d$ the dimension of $z$ and $H$ the width of a hidden layer.

# %%
import math

import torch
from torch import nn
from torch.nn import functional

import gm_course
from gm_course import plotting
from gm_course.claims import claim, claim_between

runtime = gm_course.setup(seed=0)

# %% [markdown]
# ## 1 · The inference network
#
# For one image, $q$ shall be a Gaussian with independent coordinates, $q(z|x;\phi)=N(z;\mu_I,\operatorname{diag}\sigma_I^2)$. It is described by $2d$ numbers: $d$ means and
# $d$ variances. (The chapter writes $\sigma_I^2I$; the vector of $d$ variances on the diagonal is meant.) The network computes these numbers from $x$:
#
# $$h=\operatorname{sigmoid}(W_1x+b_1),\qquad \mu_I=W_2h+b_2,\qquad \sigma_I^2=\operatorname{softplus}(W_3h+b_3),$$
#
# and $\phi$ stands for all of $W_1,b_1,W_2,b_2,W_3,b_3$. Here $\operatorname{sigmoid}(a)=1/(1+e^{-a})$ is the logistic function, applied to each hidden unit, and
# $\operatorname{softplus}(a)=\log(1+e^a)$. Beware of the letter: the chapter writes $\sigma(\cdot)$ for the logistic function, which has nothing to do with the variance $\sigma_I^2$. In this
# course $\sigma$ is always a standard deviation (标准差), $\sigma^2$ a variance (方差).
#
# | quantity | shape, one image | shape, a batch |
# |---|---|---|
# | $x$ | $D$ | $(B, D)$ |
# | $W_1$, $b_1$ | $(H, D)$, $H$ | |
# | $h$ | $H$ | $(B, H)$ |
# | $W_2$, $W_3$ and $b_2$, $b_3$ | $(d, H)$ and $d$, each | |
# | $\mu_I$, $\sigma_I^2$ | $d$, each | $(B, d)$, each |
#
# In code it is as short as on paper. What it returns is not a point but a *distribution*.

# %%
from gm_course.distributions import DiagonalGaussian


class ChapterInferenceNetwork(nn.Module):
    def __init__(self, D: int, H: int, d: int) -> None:
        super().__init__()
        self.layer1 = nn.Linear(D, H)  # W1, b1
        self.layer2 = nn.Linear(H, d)  # W2, b2
        self.layer3 = nn.Linear(H, d)  # W3, b3

    def forward(self, x: torch.Tensor) -> DiagonalGaussian:
        h = torch.sigmoid(self.layer1(x))  # the logistic function, (B, D) -> (B, H)
        mean = self.layer2(h)  # (B, H) -> (B, d)
        var = functional.softplus(self.layer3(h))  # (B, H) -> (B, d), above 0
        return DiagonalGaussian(mean, var)


# %% [markdown]
# The package's `InferenceNetwork` is the same thing with a choice of layers and nonlinearity. With equal weights both must give equal answers, up to a small constant $10^{-6}$
# that the package adds to every variance; section 2 says why.

# %%
from gm_course.networks import VAR_FLOOR, InferenceNetwork

ours = ChapterInferenceNetwork(D=64, H=32, d=2)
theirs = InferenceNetwork(64, 2, hidden=(32,), activation=nn.Sigmoid)
theirs.body[0].load_state_dict(ours.layer1.state_dict())
theirs.mean.load_state_dict(ours.layer2.state_dict())
theirs.raw_var.load_state_dict(ours.layer3.state_dict())

x = torch.rand(5, 64)
q, same = ours(x), theirs(x)
count = sum(parameter.numel() for parameter in ours.parameters())
claim("five images give means and variances of shape (5, 2)", q.mean.shape == q.var.shape == (5, 2))
claim("both networks agree to 1e-5 in mean", (q.mean - same.mean).abs().max() < 1e-5)
claim("and in variance", (q.var + VAR_FLOOR - same.var).abs().max() < 1e-5)
claim("φ has DH + H + 2(Hd + d) = 2,212 numbers", count == 64 * 32 + 32 + 2 * (32 * 2 + 2) == 2_212)

# %% [markdown]
# ## 2 · Why softplus?
#
# The third output must be a variance: positive, whatever the weights. Call the number that comes out of the last layer $a=W_3h+b_3$. Three maps to positive
# numbers suggest themselves: $\operatorname{softplus}(a)$, $e^a$ and $|a|$. What distinguishes them is how they *learn*. One term of the ELBO depends on the variance in
# the same way in every VAE, the KL to the prior (先验) $N(0,I)$. Per coordinate it contains $\tfrac12(\sigma^2-1-\log\sigma^2)$, so by the chain rule
#
# $$\frac{\partial\,\mathrm{KL}}{\partial a}=\frac12\Big(1-\frac1{\sigma^2}\Big)\,\frac{d\sigma^2}{da}.$$
#
# - **exp.** $d\sigma^2/da=\sigma^2$, so the gradient is $\tfrac12(e^a-1)$. It explodes for large $a$.
# - **abs.** The gradient is $\tfrac12(1-1/|a|)\operatorname{sign}a$. It explodes at $a=0$, where the variance itself is 0 and the KL infinite.
# - **softplus.** $d\sigma^2/da=1/(1+e^{-a})$. Since $e^{-\sigma^2}=1/(1+e^a)$, that slope equals $1-e^{-\sigma^2}$, which is below 1 and below $\sigma^2$. If
#   $\sigma^2\ge1$, the gradient is $\tfrac12(1-1/\sigma^2)$ times a number below 1, hence below $\tfrac12$. If $\sigma^2<1$, its size is
#   $\tfrac12(1/\sigma^2-1)(1-e^{-\sigma^2})\le\tfrac12(1/\sigma^2-1)\,\sigma^2<\tfrac12$. So **the gradient never exceeds $\tfrac12$**, on either side.

# %%
a = torch.linspace(-6, 6, 2_001, dtype=torch.float64, requires_grad=True)
maps = {"softplus": functional.softplus, "exp": torch.exp, "abs": torch.abs}
variances, kl_gradients = {}, {}
for name, to_variance in maps.items():
    var = to_variance(a)
    kl = 0.5 * (var - 1 - var.log())  # the part of the KL that depends on the variance
    (gradient,) = torch.autograd.grad(kl[var > 0].sum(), a)
    # what is outside the picture is not drawn
    variances[name] = torch.where(var < 8, var, math.nan)
    kl_gradients[name] = torch.where((gradient.abs() < 3) & (a != 0), gradient, math.nan)

from gm_course.plotting.inference import function_panels

function_panels(
    a.detach(),
    {"the variance $\\sigma^2$": variances, "gradient of the KL in $a$": kl_gradients},
    xlabel="output $a$ of the last layer",
)

# %% [markdown]
# **What to see.** On the left all three are positive, but only two of them are one smooth curve. On the right the softplus curve
# stays between $-\tfrac12$ and $\tfrac12$, exp leaves the picture for moderate $a$, and abs leaves it upwards on one side of $a=0$ and comes back from below on the other.
#
# How much harm can a large gradient do? Let an unlucky batch push $a$ to 10, and take one ordinary step of gradient descent with rate 0.1.


# %%
def kl_after_one_step(to_variance, start: float = 10.0, rate: float = 0.1) -> float:
    a = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    var = to_variance(a)
    (gradient,) = torch.autograd.grad(0.5 * (var - 1 - var.log()), a)
    var = to_variance(a - rate * gradient)
    return (0.5 * (var - 1 - var.log())).item()


# %%
wide = torch.linspace(-30, 30, 4_001, dtype=torch.float64)
slope = 0.5 * (1 - 1 / functional.softplus(wide)) * torch.sigmoid(wide)
claim("softplus: the gradient of the KL stays below ½ for −30 ≤ a ≤ 30", slope.abs().max() < 0.5)
before = 0.5 * (10 - 1 - math.log(10))  # the KL at a = 10, where softplus(a) is 10.00005
claim(
    "softplus: the step from a = 10 lowers the KL", kl_after_one_step(functional.softplus) < before
)
claim(
    "exp: the same step leaves a variance of 0, an infinite KL",
    kl_after_one_step(torch.exp) == math.inf,
)

# %% [markdown]
# That does not make exp *wrong*: many programs let the network return $\log\sigma^2$ and do well, because optimisers such as Adam limit their steps, and gradients can be
# clipped. The softplus needs no such help.
#
# One hole remains. In 32-bit arithmetic $\operatorname{softplus}(-110)$ is not small but exactly 0, and $\log 0$ ruins the run. That is why the package adds the floor $10^{-6}$.

# %%
tiny = functional.softplus(torch.tensor(-110.0))
claim("softplus(−110) is exactly 0 in float32", tiny.item() == 0.0)
claim("with the floor its logarithm is finite", (tiny + VAR_FLOOR).log().isfinite())

# %% [markdown]
# **Try it.** Add the square, $a^2$, to `maps`. Which fault does it share with abs, and which with exp?
#
# ## 3 · What should the inference network aim at?
#
# We want $q(z|x;\phi)$ to resemble the posterior, so we should minimise $\mathrm{KL}(q,p(z|x))$ over $\phi$. But the posterior is exactly what we cannot compute! Look at the equation at the top
# again. Its left side, $\log p(x)$, contains no $\phi$. So the sum of ELBO and KL is the same for every $\phi$: what the one gains the other loses, nat by nat. Hence (`inference-objective`)
#
# $$\nabla_\phi\,\mathrm{ELBO}=-\nabla_\phi\,\mathrm{KL}\big(q,p(z|x)\big),\qquad
#   \arg\min_\phi \mathrm{KL}\big(q(z|x;\phi),p(z|x)\big)=\arg\max_\phi\,\text{ELBO}(q,x).$$
#
# The ELBO needs only the joint density $p(x,z)=p(x|z)p(z)$, which we have. That is the whole trick: *a quantity that we can compute has its maximum where a quantity that we
# cannot compute has its minimum.*
#
# To see it happen we need a model in which both can be computed: $z\sim N(0,I)$, $x|z\sim N(Wz+b,\lambda I)$, with a $D\times d$ matrix $W$, an offset $b$ and noise of variance $\lambda$. Its posterior, known from lecture 2, is
# a Gaussian with mean $m(x)=\Lambda^{-1}W^\top(x-b)/\lambda$ and covariance $\Lambda^{-1}$, where $\Lambda=I+W^\top W/\lambda$ is called the precision matrix (精度矩阵).

# %%
from gm_course.distributions import LinearGaussianModel

linear = LinearGaussianModel(
    weight=torch.tensor([[1.0, 0.6], [-0.5, 0.4], [0.2, 1.0], [0.8, 0.9]], dtype=torch.float64),
    offset=torch.tensor([0.1, 0.0, -0.2, 0.3], dtype=torch.float64),
    var=0.25,
)
cpu_generator = torch.Generator().manual_seed(1)  # sections 3 and 4 are small and stay on the CPU
known_x = linear.sample(400, generator=cpu_generator)  # the x to train on, (N, D)
new_x = linear.sample(400, generator=cpu_generator)  # the x to test on

# %% [markdown]
# For a Gaussian $q$ every expectation in the ELBO is known. With $w_j$ for the columns of $W$,
#
# $$E_q[\log p(x|z)]=\log N(x;W\mu_I+b,\lambda I)-\frac1{2\lambda}\sum_j\sigma_{I,j}^2\|w_j\|^2,$$
# $$E_q[\log p(z)]=-\tfrac12\sum_j\big(\mu_{I,j}^2+\sigma_{I,j}^2+\log2\pi\big),\qquad
#   -E_q[\log q]=\tfrac12\sum_j\big(1+\log2\pi+\log\sigma_{I,j}^2\big).$$
#
# The first holds because $E_q\|x-Wz-b\|^2$ is the squared distance at the mean plus the variance of $Wz$, summed over its $D$ entries; the others because $E z^2=\mu^2+\sigma^2$.


# %%
def linear_elbo(x: torch.Tensor, mean: torch.Tensor, var: torch.Tensor) -> torch.Tensor:
    """The exact ELBO of the linear model: x (B, D), mean and var (B, d) -> (B,)."""
    spread = (var * linear.weight.square().sum(dim=0)).sum(dim=1) / (2 * linear.var)
    likelihood = linear.likelihood(mean).log_prob(x) - spread  # E_q[log p(x|z)]
    prior = -0.5 * (mean.square() + var + math.log(2 * math.pi)).sum(dim=1)  # E_q[log p(z)]
    entropy = 0.5 * (1 + math.log(2 * math.pi) + var.log()).sum(dim=1)  # −E_q[log q]
    return likelihood + prior + entropy


# %% [markdown]
# Now both gradients at some $q$, by automatic differentiation: one of a formula that never mentions the posterior, the other of the KL to the posterior.

# %%
from gm_course.divergences import gaussian_kl, gaussian_kl_general

one_x = new_x[:1]
m, covariance = linear.posterior(one_x)  # (1, d), (d, d)
mean = torch.tensor([[0.5, -1.0]], dtype=torch.float64, requires_grad=True)
var = torch.tensor([[0.3, 0.6]], dtype=torch.float64, requires_grad=True)

elbo = linear_elbo(one_x, mean, var).sum()
kl = gaussian_kl_general(mean[0], var[0].diag(), m[0], covariance)
elbo_gradient = torch.cat(torch.autograd.grad(elbo, (mean, var)))
kl_gradient = torch.cat(torch.autograd.grad(kl, (mean, var)))

claim(
    "ELBO + KL = log p(x), to 1e-10", (elbo + kl - linear.log_evidence(one_x)).abs().max() < 1e-10
)
claim("the gradients are opposite, to 1e-10", (elbo_gradient + kl_gradient).abs().max() < 1e-10)
claim("and not zero", elbo_gradient.abs().min() > 0.01)

# %% [markdown]
# And where is the optimum? By `gaussian-kl-general` the KL to $N(m,\Lambda^{-1})$ is, up to a constant,
# $\tfrac12(\mu-m)^\top\Lambda(\mu-m)+\tfrac12\sum_j(\Lambda_{jj}\sigma_j^2-\log\sigma_j^2)$. The first term vanishes at $\mu=m$. Setting the derivative of the second to zero gives
#
# $$\mu_I=m(x),\qquad \sigma_{I,j}^2=\frac1{\Lambda_{jj}}.$$
#
# The mean is exact. The variance is *not* the posterior's variance $(\Lambda^{-1})_{jj}$ but something smaller: the variance of $z_j$ *given the other coordinates*. A Gaussian without
# correlations, fitted this way round, prefers to be too narrow: it must not put mass where the posterior has none.
# Plain gradient ascent of the ELBO knows nothing of this formula. Where does it end?

# %%
precision = torch.linalg.inv(covariance)
mean = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
log_var = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
for _ in range(400):
    elbo = linear_elbo(one_x, mean, log_var.exp()).sum()
    gradients = torch.autograd.grad(elbo, (mean, log_var))
    with torch.no_grad():
        mean += 0.1 * gradients[0]
        log_var += 0.1 * gradients[1]

best_var = 1 / precision.diagonal()
claim("argmax of the ELBO: the mean is m(x), to 1e-4", (mean - m).abs().max() < 1e-4)
claim("and the variances are 1/Λ_jj, to 1e-4", (log_var.exp() - best_var).abs().max() < 1e-4)
narrower = best_var / covariance.diagonal()
claim_between("best variance relative to the posterior's, at most", narrower.max(), 0.6, 0.75)

# %% [markdown]
# So even the best $q$ of this family misses the posterior, by the **approximation gap** (近似差距)
#
# $$\mathrm{KL}\big(N(m,\operatorname{diag}(1/\Lambda_{jj})),N(m,\Lambda^{-1})\big)=\tfrac12\Big(\sum_j\log\Lambda_{jj}-\log|\Lambda|\Big)\ge0 ,$$
#
# which is 0 exactly when $\Lambda$ is diagonal. It is the price of independent coordinates that you met in lecture 2, and no training of any network removes it.

# %%
approximation_gap = 0.5 * (precision.diagonal().log().sum() - torch.logdet(precision)).item()
best_elbo = linear_elbo(new_x, linear.posterior(new_x)[0], best_var.expand(len(new_x), 2))
below = linear.log_evidence(new_x) - best_elbo
claim(
    "the best ELBO lies this far below log p(x), for every x, to 1e-10",
    (below - approximation_gap).abs().max() < 1e-10,
)
claim_between("approximation gap (nats)", approximation_gap, 0.15, 0.25)

# %% [markdown]
# ## 4 · One network instead of many optimisations
#
# There are two ways to use what we found. The classical one keeps separate numbers $(\mu_n,\sigma_n^2)$ for each example $x_n$ and climbs the ELBO of each. The VAE trains
# one network on the *average* ELBO over all examples and reads the numbers off its outputs. The cost of inference is then paid once, in training, and
# shared by all later examples, like a loan: **amortised inference** (摊销推断; Gershman and Goodman 2014).
#
# | | separate optimisation | amortised |
# |---|---|---|
# | parameters for $N$ examples | $2dN$ | those of the network, whatever $N$ |
# | a new $x$ | a new optimisation | one forward pass |
# | quality | the best $q$ of the family, if the optimisation succeeds | whatever the network achieves |
#
# First the classical way: 400 new examples, all climbed at once from $N(0,I)$.


# %%
def climb(x: torch.Tensor, mean: torch.Tensor, var: torch.Tensor, steps: int) -> torch.Tensor:
    """Average ELBO after 0, 1, …, steps steps of Adam on each example's own numbers."""
    mean, log_var = mean.clone().requires_grad_(), var.log().requires_grad_()
    optimiser = torch.optim.Adam([mean, log_var], lr=0.1)
    averages = []
    for _ in range(steps + 1):
        elbo = linear_elbo(x, mean, log_var.exp())
        averages.append(elbo.mean().item())
        optimiser.zero_grad()
        (-elbo.sum()).backward()
        optimiser.step()
    return torch.tensor(averages)


cold = climb(new_x, torch.zeros(400, 2).double(), torch.ones(400, 2).double(), steps=60)

# %% [markdown]
# Now the network of section 1 with $H=16$, trained on the other 400 examples, the *known* ones. The new ones it never sees. (The ELBO is exact here, so there is no sampling.)


# %%
def trained_network(H: int) -> ChapterInferenceNetwork:
    torch.manual_seed(0)
    network = ChapterInferenceNetwork(D=4, H=H, d=2).double()
    optimiser = torch.optim.Adam(network.parameters(), lr=0.03)
    for _ in range(400):
        q = network(known_x)
        loss = -linear_elbo(known_x, q.mean, q.var).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network


# %%
network = trained_network(H=16)
with torch.no_grad():
    q = network(new_x)
    amortised_elbo = linear_elbo(new_x, q.mean, q.var)
warm = climb(new_x, q.mean, q.var, steps=60)

# %% [markdown]
# What the network's answer falls short of the best $q$ is the **amortisation gap** (摊销差距; Cremer, Li and Duvenaud 2018). Together the two gaps make up the distance from the ELBO to the evidence:
#
# $$\log p(x)-\text{ELBO}(q_\phi,x)=\underbrace{\log p(x)-\max_{q}\text{ELBO}(q,x)}_{\text{approximation gap}}
#   +\underbrace{\max_q\text{ELBO}(q,x)-\text{ELBO}(q_\phi,x)}_{\text{amortisation gap}}.$$

# %%
amortisation_gap = best_elbo - amortised_elbo  # (N,), exact
claim("the amortisation gap is never negative", (amortisation_gap > -1e-10).all())
claim_between("its average on new examples (nats)", amortisation_gap.mean(), 0.0005, 0.1)
claim("the network's answer is better than 30 steps from N(0, I)", cold[30] < amortised_elbo.mean())
claim(
    "60 steps from the network's answer close nine tenths of it",
    best_elbo.mean() - warm[-1] < 0.1 * amortisation_gap.mean(),
)

# %%
figure, (axis,) = plotting.new_figure(size=(6.2, 3.4))
axis.plot(cold, color=plotting.COLOURS[0], label="each $x$ from $N(0, I)$")
axis.plot(warm, "--", color=plotting.COLOURS[1], label="each $x$ from the network's answer")
axis.axhline(best_elbo.mean().item(), color="black", linewidth=1, label="best $q$ of the family")
axis.axhline(
    linear.log_evidence(new_x).mean().item(), color="black", linestyle=":", label="$\\log p(x)$"
)
axis.set(
    xlabel="gradient steps for each new example", ylabel="average ELBO (nats)", ylim=(-9, None)
)
axis.legend()
figure

# %% [markdown]
# **What to see.** The blue curve pays for every new example with dozens of gradient steps. The red one starts, at step 0, practically where the blue one ends: that is what training has bought. (Its little dip is Adam, whose first step has the same size wherever it starts.) The
# dotted line is out of reach for both; the distance to it is the approximation gap.
#
# Here the best answer, $m(x)$, is a linear function of $x$, and 16 hidden units do it justice. A network that is too small cannot. And a network knows only the kind of $x$ that it was trained
# on: for examples far from them its answer is an extrapolation, while separate optimisation does not care where $x$ comes from.


# %%
def gap_of(model: nn.Module, x: torch.Tensor) -> float:
    with torch.no_grad():
        q = model(x)
        best = linear_elbo(x, linear.posterior(x)[0], best_var.expand(len(x), 2))
        return (best - linear_elbo(x, q.mean, q.var)).mean().item()


far_x = linear.offset + 4 * (new_x - linear.offset)  # four times as far from the centre
narrow = trained_network(H=1)
claim("one hidden unit cannot steer two means: a gap above 0.3 nats", gap_of(narrow, new_x) > 0.3)
claim(
    "16 hidden units, examples unlike the training set: a gap above 5 nats",
    gap_of(network, far_x) > 5,
)

# %% [markdown]
# **Try it.** Train the network on `torch.cat([known_x, far_x])` and measure both gaps again.
#
# ## 5 · The generator network
#
# The second network goes the other way. It takes $z$ and returns a *distribution* of $x$; the prior stays fixed, $p(z)=N(0,I)$. Which distribution depends on what an $x$ is.
#
# **Binary $x$**, black or white pixels: the network returns $D$ numbers, the logits $a_j$, and $\gamma_j=\operatorname{sigmoid}(a_j)$ is the probability that pixel $j$ is black. Given
# $z$ the pixels are independent (`bernoulli-likelihood`):
#
# $$p(x|z)=\prod_{j=1}^D\gamma_j^{x_j}(1-\gamma_j)^{1-x_j},\qquad \log p(x|z)=\sum_{j=1}^D\Big(x_j\,a_j+\log(1-\gamma_j)\Big).$$
#
# The second form follows from $\log\gamma_j-\log(1-\gamma_j)=a_j$, and it is the one to compute: it stays finite where $\gamma_j$ rounds to 0 or 1.
#
# **Continuous $x$**: the network returns $\mu_G$, and either $D$ variances $\sigma_G^2$ of its own or one fixed number $\lambda$ for all (`gaussian-likelihood`):
#
# $$p(x|z)=N(x;\mu_G,\operatorname{diag}\sigma_G^2),\qquad
#   \log p(x|z)=-\frac12\sum_{j=1}^D\Big(\frac{(x_j-\mu_{G,j})^2}{\sigma_{G,j}^2}+\log\sigma_{G,j}^2+\log2\pi\Big).$$
#
# Conditional independence (条件独立) sounds like a strong assumption, as the pixels of a digit are anything but independent. But it is only made *given* $z$: whatever the pixels have in common must come
# through $z$.


# %%
def bernoulli_log_prob(logits: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return (x * logits + functional.logsigmoid(-logits)).sum(dim=-1)  # log(1−γ) = logsigmoid(−a)


def gaussian_log_prob(mean: torch.Tensor, var: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return -0.5 * ((x - mean).square() / var + var.log() + math.log(2 * math.pi)).sum(dim=-1)


logits = torch.randn(1, 10, generator=cpu_generator, dtype=torch.float64)
bits = torch.tensor([0.0, 1.0], dtype=torch.float64)
all_images = torch.cartesian_prod(*[bits] * 10)  # every picture of ten binary pixels, (1024, 10)
total = bernoulli_log_prob(logits, all_images).exp().sum()
claim("the probabilities of all 1,024 binary pictures sum to 1, to 1e-12", abs(total - 1) < 1e-12)
extreme = bernoulli_log_prob(torch.tensor([[800.0, -800.0]]), torch.tensor([[1.0, 0.0]]))
claim("sure and right costs nothing, even with logits of ±800", extreme.item() == 0.0)

# %% [markdown]
# For the Gaussian the corresponding statement is an integral. A *density* is not a probability, and nothing prevents it from exceeding 1: its logarithm may be positive.

# %%
line = torch.linspace(-1, 1, 20_001, dtype=torch.float64)[:, None]
narrow_var = torch.tensor([[1e-3]], dtype=torch.float64)
density = gaussian_log_prob(torch.zeros(1, 1, dtype=torch.float64), narrow_var, line).exp()
claim("the density integrates to 1, to 1e-9", abs(torch.trapezoid(density, line[:, 0]) - 1) < 1e-9)
claim("and exceeds 12 in the middle", density.max() > 12)

# %% [markdown]
# Two pictures belong to a decoder, and they are easily confused. Its **mean** ($\gamma$ or $\mu_G$) is what papers show. A **sample** draws every pixel from the distribution, and only the sample
# is what the model believes an $x$ looks like. Section 7 looks at both.
#
# ## 6 · One objective for both networks
#
# The ELBO is defined by $E_q[\log p(x,z)-\log q(z|x)]$ (lecture 2). Insert $p(x,z)=p(x|z)p(z)$ and sort:
#
# $$\text{ELBO}=E_q\big[\log p(x|z)+\log p(z)-\log q(z|x)\big]
#   =\underbrace{E_q[\log p(x|z)]}_{\text{reconstruction}}-\underbrace{E_q\Big[\log\frac{q(z|x)}{p(z)}\Big]}_{\mathrm{KL}(q(z|x),\,p(z))}.$$
#
# This is `elbo-split`. The first term, the **reconstruction** (重构), asks that $z$, drawn from $q(z|x)$, suffices to restore $x$. The second charges for every nat by which $q(z|x)$ departs from the prior. Note
# that this KL compares $q$ with the *prior*; the one of section 3, with the *posterior*, does not appear in what we compute. In the linear model:

# %%
q = DiagonalGaussian(torch.randn(400, 2).double(), torch.rand(400, 2).double() + 0.1)
spread = (q.var * linear.weight.square().sum(dim=0)).sum(dim=1) / (2 * linear.var)
reconstruction = linear.likelihood(q.mean).log_prob(new_x) - spread
split = reconstruction - gaussian_kl(q.mean, q.var)
claim(
    "reconstruction − KL is the ELBO of section 3, to 1e-10",
    (split - linear_elbo(new_x, q.mean, q.var)).abs().max() < 1e-10,
)

# %% [markdown]
# Both networks appear in it: $\phi$ in $q$, $\theta$ in $p(x|z;\theta)$. EM would alternate: climb in $\phi$ with $\theta$ fixed (E-step), then in $\theta$ with $\phi$ fixed (M-step). But both steps climb
# *the same function* (Neal and Hinton 1998), so nothing forbids climbing in both directions at once, along the gradient in $(\phi,\theta)$. That is what training a VAE is: **E-step and M-step in one**.
#
# The smallest example fits on a page. Let $x$ and $z$ be numbers, $x|z\sim N(wz,\lambda)$, and $q(z|x)=N(vx,s^2)$. The generator has one parameter $w$, the inference network one parameter $v$; we hold
# $s^2$ fixed, so that two remain. With $S$ for the average of $x^2$ over the data, the average ELBO is
#
# $$F(v,w)=-\frac12\log2\pi\lambda-\frac{(1-wv)^2S+w^2s^2}{2\lambda}-\frac12\big(s^2+v^2S-1-\log s^2\big).$$
#
# Setting $\partial F/\partial v=0$ gives the E-step $v=w/(w^2+\lambda)$, and $\partial F/\partial w=0$ gives the M-step $w=vS/(v^2S+s^2)$. The model gives $x$ the variance $w^2+\lambda$, which is the data's when
# $w^2+\lambda=S$. There $v=w/S$, and with $s^2=\lambda/S$, the posterior's own variance at that point, neither step moves any more.

# %%
S, lam = 2.0, 0.5
s2 = lam / S


def average_toy_elbo(v: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """F(v, w)."""
    error = ((1 - w * v) ** 2 * S + w**2 * s2) / (2 * lam)
    return -0.5 * math.log(2 * math.pi * lam) - error - 0.5 * (s2 + v**2 * S - 1 - math.log(s2))


def alternate(v: float, w: float, rounds: int) -> torch.Tensor:
    path = [(v, w)]
    for _ in range(rounds):
        v = w / (w**2 + lam)  # E-step
        path.append((v, w))
        w = v * S / (v**2 * S + s2)  # M-step
        path.append((v, w))
    return torch.tensor(path, dtype=torch.float64)


# %%
def climb_together(v: float, w: float, rate: float, steps: int) -> torch.Tensor:
    point = torch.tensor([v, w], dtype=torch.float64, requires_grad=True)
    path = [point.detach().clone()]
    for _ in range(steps):
        (gradient,) = torch.autograd.grad(average_toy_elbo(point[0], point[1]), point)
        point = (point.detach() + rate * gradient).requires_grad_()  # both networks at once
        path.append(point.detach().clone())
    return torch.stack(path)


paths = {
    "E-step, M-step, E-step, …": alternate(0.1, 0.15, rounds=8),
    "both at once": climb_together(0.1, 0.15, rate=0.05, steps=60),
}
best_w = math.sqrt(S - lam)
for name, path in paths.items():
    off = (path[-1] - torch.tensor([best_w / S, best_w])).abs().max()
    heights = average_toy_elbo(path[:, 0], path[:, 1])
    claim(f"{name}: never descends, to 1e-12", (heights.diff() > -1e-12).all())
    claim(f"{name}: ends within 0.02 of the optimum", off < 0.02)

# %%
from gm_course.plotting.inference import ascent_paths

v_axis, w_axis = torch.linspace(0, 0.9, 120), torch.linspace(0, 1.7, 120)
height = average_toy_elbo(v_axis[None, :], w_axis[:, None])  # rows along w
ascent_paths(
    v_axis, w_axis, height, paths,
    xlabel="$v$ (inference network)", ylabel="$w$ (generator network)",
    levels=[-6, -4.5, -3.5, -3, -2.7, -2.4, -2.2, -2.05, -1.95, -1.88, -1.83, -1.79],
)  # fmt: skip

# %% [markdown]
# **What to see.** EM moves parallel to the axes: horizontally to the best $q$ for this model, vertically to the best model for this $q$. The joint ascent changes both in every step and cuts the corners; both arrive at the same
# place. With networks the full E-step and M-step of the blue path have no formula, but a gradient step of the red path is always available.

# %% [markdown]
# ## 7 · The right decoder for the data, and the wrong one
#
# Now with real images: the 8 × 8 digits of scikit-learn (Alpaydin and Kaynak 1998), $D=64$ pixels with the 17 grey levels $0,\frac1{16},\dots,1$. We use them in two ways: as they are (**grey**), and
# with every pixel turned black with its grey value as probability, freshly for each batch (**binary**). The code has $d=2$ dimensions, which will allow us to compute things exactly in section 8.
#
# The loss is the split ELBO with its sign turned, one sample of $z$ per image, averaged over the batch.

# %%
from gm_course.data import Batches, load_digits8
from gm_course.networks import BernoulliGenerator, GaussianGenerator
from gm_course.training import Player, Trainer
from gm_course.vae import VAE

train_set = load_digits8("train", device=runtime.device)
test_set = load_digits8("test", device=runtime.device)
grey_x = test_set.images
binary_x = torch.bernoulli(grey_x, generator=runtime.generator(1))  # binarised once, for all tests


def negative_elbo(model: VAE, x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    q = model.posterior(x)  # N(μ_I, diag σ_I²), (B, d)
    z = q.sample(generator=generator)  # μ_I + σ_I ⊙ ε
    reconstruction = model.decode(z).log_prob(x)  # (B,)
    return (gaussian_kl(q.mean, q.var) - reconstruction).mean()


# %%
def trainer_for(model: VAE, *, is_binary: bool, trained: nn.Module | None = None) -> Trainer:
    """A trainer for the whole model, or for one of its parts."""

    def loss(batch: torch.Tensor, generator: torch.Generator) -> dict[str, torch.Tensor]:
        x = torch.bernoulli(batch, generator=generator) if is_binary else batch
        return {"loss": negative_elbo(model, x, generator)}

    trained = model if trained is None else trained
    optimiser = torch.optim.Adam(trained.parameters(), lr=3e-3, fused=True)
    batches = Batches(train_set.images, 128, generator=runtime.generator(2))
    return Trainer(
        {"vae": Player(trained, optimiser, loss)}, batches, generator=runtime.generator(3)
    )


def new_vae(generator_network: nn.Module) -> VAE:
    return VAE(InferenceNetwork(64, 2, hidden=(64,)), generator_network).to(runtime.device)


# %% [markdown]
# Both networks move with one optimiser over $(\phi,\theta)$: the red path of section 6. We train five models. Two decoders fit their data, Bernoulli on binary and
# Gaussian on grey images; two are swapped; and the fifth is a Gaussian that learns a variance for each pixel.

# %%
torch.manual_seed(0)
settings = {
    "Bernoulli, binary": (BernoulliGenerator(2, 64, hidden=(64,)), True),
    "Gaussian, binary": (GaussianGenerator(2, 64, hidden=(64,), var=0.1), True),
    "Bernoulli, grey": (BernoulliGenerator(2, 64, hidden=(64,)), False),
    "Gaussian, grey": (GaussianGenerator(2, 64, hidden=(64,), var=0.05), False),
    "Gaussian, grey, learned": (GaussianGenerator(2, 64, hidden=(64,), var=None), False),
}
models = {}
for name, (generator_network, is_binary) in settings.items():
    models[name] = new_vae(generator_network)
    trainer_for(models[name], is_binary=is_binary).run(700)

# %% [markdown]
# The natural thing to do is to compare their ELBOs.


# %%
def average_elbo(name: str) -> float:
    x = binary_x if settings[name][1] else grey_x
    with torch.no_grad():
        return models[name].elbo(x, generator=runtime.generator(4), samples=20).elbo.mean().item()


elbos = {name: average_elbo(name) for name in settings}
claim_between("Bernoulli on binary images, ELBO (nats)", elbos["Bernoulli, binary"], -28, -22)
claim_between('Bernoulli on grey images, "ELBO"', elbos["Bernoulli, grey"], -28, -22)
claim_between("Gaussian on grey images, ELBO", elbos["Gaussian, grey"], 2, 15)
claim_between("Gaussian with learned variances, ELBO", elbos["Gaussian, grey, learned"], 20, 110)

# %% [markdown]
# The numbers invite two false conclusions. "Grey images are as hard for the Bernoulli as binary ones" and "learned variances are better by tens of nats". We take them one after the other.
#
# ### Bernoulli on grey values: not a density
#
# Much published code feeds grey values into the Bernoulli formula, as "binary cross-entropy", and calls the result a log-likelihood. It is a formula one may evaluate, but
# as a density over $x\in[0,1]$ it is not normalised:
#
# $$\int_0^1\gamma^x(1-\gamma)^{1-x}\,dx=\frac{2\gamma-1}{\log\gamma-\log(1-\gamma)}\le\frac12,$$
#
# because the integrand is $(1-\gamma)\,e^{ax}$ with $a=\log\frac{\gamma}{1-\gamma}$. This exponential is convex, so it lies below its chord from $1-\gamma$ at $x=0$ to $\gamma$ at $x=1$, whose integral
# is $\tfrac12$; at $\gamma=\tfrac12$ the two coincide. With 64 pixels the total is at most $2^{-64}$ instead of 1. (With the missing factor it becomes a distribution of its own, the
# continuous Bernoulli: Loaiza-Ganem and Cunningham 2019.)

# %%
from scipy import integrate

worst, largest = 0.0, 0.0
for gamma in (0.01, 0.2, 0.499, 0.7, 0.99):
    formula = (2 * gamma - 1) / (math.log(gamma) - math.log(1 - gamma))
    total, _ = integrate.quad(lambda t, g=gamma: g**t * (1 - g) ** (1 - t), 0, 1)
    worst, largest = max(worst, abs(total - formula)), max(largest, total)
claim("quadrature agrees with the formula, to 1e-9", worst < 1e-9)
claim("the largest total is below 0.5001", largest < 0.5001)

# %% [markdown]
# Why does it seem to work? Because the *mean* is right. The derivative of $x\log\gamma+(1-x)\log(1-\gamma)$, averaged over the data, vanishes at $\gamma=E[x]$ also for grey $x$. So the picture of the decoder's mean
# looks as it should. What is wrong is everything else that the distribution says. Look at the samples:

# %%
generator = runtime.generator(5)
pictures = {}
for name, model in models.items():
    x = (binary_x if settings[name][1] else grey_x)[:10]
    with torch.no_grad():
        p = model.decode(model.posterior(x).mean)
    pictures[name] = {"data": x, "mean": p.mean, "sample": p.sample(generator=generator)}


def gallery(*names: str):
    rows = {"data": pictures[names[0]]["data"]}
    for name in names:
        rows |= {f"{name}: {kind}": pictures[name][kind] for kind in ("mean", "sample")}
    images = {label: row.clamp(0, 1).reshape(-1, 8, 8) for label, row in rows.items()}
    return plotting.image_rows(images, scale=0.55)


# %%
gallery("Bernoulli, binary", "Gaussian, binary")

# %%
gallery("Bernoulli, grey", "Gaussian, grey", "Gaussian, grey, learned")

# %% [markdown]
# **What to see.** First figure, binary data: the means of both models are grey, and by them you could not tell the models apart. But only the Bernoulli's *samples* are black and white like the data; the Gaussian draws grey noise on white paper. Second figure, grey data: now it
# is the Bernoulli that gives itself away, with hard black-and-white pixels that no grey image has. The Gaussian with the fixed $\lambda=0.05$ adds the same noise everywhere, on
# the empty border too; the one with learned variances keeps the border clean and puts its noise on the strokes. The means alone would have told you little of this.
#
# A number says the same: the share of pixels that lie strictly between 0.1 and 0.9.


# %%
def grey_share(x: torch.Tensor) -> float:
    return ((x > 0.1) & (x < 0.9)).float().mean().item()


samples = {name: picture["sample"] for name, picture in pictures.items()}
claim_between("grey pixels in the grey data", grey_share(grey_x), 0.3, 0.6)
claim_between(
    "in samples of the Gaussian trained on them", grey_share(samples["Gaussian, grey"]), 0.3, 0.8
)
claim(
    "in samples of the Bernoulli trained on them: none", grey_share(samples["Bernoulli, grey"]) == 0
)
claim_between(
    "Gaussian trained on binary data (which have none)",
    grey_share(samples["Gaussian, binary"]),
    0.2,
    0.8,
)

# %% [markdown]
# Turn the knobs yourself. $z_1$ and $z_2$ choose a place in the code, and the buttons one of the five models; the mean stands in the first row, eight samples from the *same* $z$ in the second. (Each model has
# arranged its codes in its own way, so the same $z$ means different digits for different models.)

# %%
from gm_course.widgets import Explorer, choice, slider, whole_number_slider


def draw_decoder(model: str, z1: float, z2: float):
    z = torch.tensor([[z1, z2]], device=runtime.device)
    generator = runtime.generator(6)  # the same noise every time, so only z changes
    with torch.no_grad():
        p = models[model].decode(z.expand(8, 2))
        sample = p.sample(generator=generator).clamp(0, 1)
    rows = {"mean": p.mean[:1].clamp(0, 1), "samples": sample}
    return plotting.image_rows({key: row.reshape(-1, 8, 8) for key, row in rows.items()}, scale=0.8)


Explorer(
    draw_decoder,
    model=choice("model", list(models)),
    z1=slider("z₁", -2.5, 2.5, start=0.5, step=0.1),
    z2=slider("z₂", -2.5, 2.5, start=-0.5, step=0.1),
)

# %% [markdown]
# Move $z_1$ slowly: the mean changes gradually from one digit to another. Watch the samples of "Bernoulli, binary" on the way. Between two digits many $\gamma_j$ are near $\tfrac12$, and the pixels
# flicker *independently*, each for itself: a decoder cannot say "either this stroke or that one". That either-or must be decided by $z$.
#
# ### A learned variance and a pixel that never changes
#
# Now the second false conclusion. Some pixels of these digits are white in every training image. If $x_j=\mu_{G,j}$ always, the Gaussian's log-density at that pixel is
# $-\tfrac12\log(2\pi\sigma_{G,j}^2)$, and it grows without bound as $\sigma_{G,j}^2\to0$. The optimiser finds this source of free nats at once, and only the floor $10^{-6}$ stops it.

# %%
constant = train_set.images.var(dim=0) == 0  # (D,)
learned, fixed = models["Gaussian, grey, learned"], models["Gaussian, grey"]
with torch.no_grad():
    at_mean = {name: models[name].decode(models[name].posterior(grey_x).mean) for name in models}
p, p_fixed = at_mean["Gaussian, grey, learned"], at_mean["Gaussian, grey"]
ceiling = -0.5 * math.log(2 * math.pi * VAR_FLOOR)
nats_from_constant = gaussian_log_prob(p.mean[:, constant], p.var[:, constant], grey_x[:, constant])

claim("3 of the 64 pixels never change", constant.sum() == 3)
claim("each could yield at most between 5.9 and 6.0 nats", 5.9 < ceiling < 6.0)
claim_between(
    "they do yield, together, per image (nats)", nats_from_constant.mean(), 3, 3 * ceiling
)
claim_between("smallest learned variance", p.var.min(), VAR_FLOOR, 1e-3)
error, error_fixed = ((dist.mean - grey_x).square().mean() for dist in (p, p_fixed))
claim("and yet the means have the larger squared error", error > error_fixed)

# %% [markdown]
# Why the larger error? With variances that differ, the likelihood weighs every pixel's squared error by $1/\sigma_{G,j}^2$. Almost constant pixels weigh most, the strokes in the
# middle least, and the code serves the former. A better density, and worse pictures.
#
# **A fair comparison.** The images have 17 grey levels, so a *probability* of an image exists, and every model can be made to state one. For a Gaussian it is its mass in the bin around the level
# (the outermost bins reach to infinity); for the "Bernoulli" it is $\gamma^x(1-\gamma)^{1-x}$ divided by its sum over the 17 levels. Then all speak of the same thing, and nobody can exceed 0.


# %%
def log_bin_mass(p: DiagonalGaussian, x: torch.Tensor) -> torch.Tensor:
    """Log-probability of the grey level x; Φ(high) − Φ(low) without cancellation, (B, D)."""
    low = torch.where(x == 0, -math.inf, (x - 1 / 32 - p.mean) / p.var.sqrt())
    high = torch.where(x == 1, math.inf, (x + 1 / 32 - p.mean) / p.var.sqrt())
    mirrored = low > 0  # the upper tail is the lower tail, mirrored
    low, high = torch.where(mirrored, -high, low), torch.where(mirrored, -low, high)
    log_high = torch.special.log_ndtr(high)
    return log_high + torch.log1p(-(torch.special.log_ndtr(low) - log_high).exp())


dtype = runtime.precise_dtype  # float64, where the device has it
levels = torch.arange(17, device=runtime.device).to(dtype) / 16


def log_level_probability(logits: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return x * logits - (levels[:, None, None] * logits).logsumexp(dim=0)  # (B, D)


# %%
def fair_elbo(name: str, samples: int = 10) -> float:
    """ELBO of the model that returns probabilities of grey levels (nats per image)."""
    model, x = models[name], grey_x.to(dtype)
    generator = runtime.generator(7)
    total = 0.0
    with torch.no_grad():
        q = model.posterior(grey_x)
        for _ in range(samples):
            p = model.decode(q.sample(generator=generator))
            if isinstance(p, DiagonalGaussian):
                terms = log_bin_mass(DiagonalGaussian(p.mean.to(dtype), p.var.to(dtype)), x)
            else:
                terms = log_level_probability(p.logits.to(dtype), x)
            total += terms.sum(dim=1).mean().item() / samples
        return total - gaussian_kl(q.mean, q.var).mean().item()


fair = {name: fair_elbo(name) for name in list(settings)[2:]}

# %%
by_density = elbos["Gaussian, grey, learned"] - elbos["Gaussian, grey"]
by_probability = fair["Gaussian, grey, learned"] - fair["Gaussian, grey"]
claim("as densities, learned variances lead by more than 15 nats", by_density > 15)
claim("as probabilities, the two are within 12 nats", abs(by_probability) < 12)
behind = fair["Gaussian, grey"] - fair["Bernoulli, grey"]
claim_between('the "Bernoulli" is behind the fixed Gaussian by (nats)', behind, 8, 30)
claim("all are better than guessing levels at random", min(fair.values()) > -64 * math.log(17))

# %% [markdown]
# Most of the lead was the free nats. (Others avoid the problem by adding uniform noise to the grey levels before training, so that no pixel is constant any more: Theis, van den Oord and Bethge 2016.)
#
# ### One λ, but which?
#
# A single $\lambda$ for all pixels is the robust middle way, and its best value has a formula. As a function of $\lambda$ the ELBO is $-\tfrac D2\log2\pi\lambda-\tfrac1{2\lambda}E_q\|x-\mu_G(z)\|^2$ plus terms without
# $\lambda$; the derivative vanishes at
#
# $$\lambda^*=\frac1D\,E\,\|x-\mu_G(z)\|^2,$$
#
# the average squared error of a pixel, over the data and $z\sim q$ (Rybkin, Daniilidis and Levine 2021). We chose 0.05 by eye. Replacing it costs one line, and no training at all:

# %%
with torch.no_grad():
    q = fixed.posterior(train_set.images)
    mean_g = fixed.decode(q.sample(generator=runtime.generator(8))).mean
    best_lam = (mean_g - train_set.images).square().mean().item()
    fixed.generator.fixed_var = best_lam
    improved = average_elbo("Gaussian, grey")
    fixed.generator.fixed_var = 0.05
claim_between("best λ for this decoder", best_lam, 0.028, 0.048)
claim_between(
    "gained on the test set by changing λ alone (nats)", improved - elbos["Gaussian, grey"], 0.05, 5
)

# %% [markdown]
# What $\lambda$ does to the *codes*, when the networks are trained with it, is a story of its own: [lecture 5](05-training-a-vae.ipynb), section 8.
#
# ## 8 · The amortisation gap on digits
#
# Back to inference, with the VAE for binary digits. Its posterior has no formula. But $z$ has only two dimensions, so the integral over $z$ can be done by brute force on a grid of the plane:
#
# $$p(x)=\int p(x|z)p(z)\,dz\approx\sum_k p(x|z_k)\,p(z_k)\,\Delta^2,$$
#
# with $\Delta$ the spacing of the grid. This gives $\log p(x)$ and the posterior, exactly for all practical purposes. (For $d=20$ the same grid would need $161^{20}$ points.)

# %%
from gm_course.distributions import standard_normal_log_prob

vae = models["Bernoulli, binary"]
chosen = binary_x[:100]  # the test images of this section


def log_joint_on_grid(x: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """log p(x, z_k) for each image and grid point: x (B, D), grid (K, d) -> (B, K)."""
    with torch.no_grad():
        logits = vae.decode(grid).logits  # (K, D)
        log_likelihood = x @ logits.T + functional.logsigmoid(-logits).sum(dim=1)
        return log_likelihood + standard_normal_log_prob(grid)


def log_evidence_on_grid(points: int) -> torch.Tensor:
    axis = torch.linspace(-5, 5, points, device=runtime.device)
    spacing = 10 / (points - 1)
    return log_joint_on_grid(chosen, torch.cartesian_prod(axis, axis)).logsumexp(1) + 2 * math.log(
        spacing
    )


log_evidence = log_evidence_on_grid(161)
claim(
    "a grid of a quarter of the points agrees, to 0.02 nats",
    (log_evidence - log_evidence_on_grid(81)).abs().max() < 0.02,
)

# %% [markdown]
# The ELBO of any Gaussian $q$ can be computed without noise as well, by Gauss–Hermite quadrature: $E_q[f(z)]\approx\sum_kc_k\,f(\mu_I+\sigma_I\odot\varepsilon_k)$ with fixed nodes $\varepsilon_k$ and weights
# $c_k$, here 10 in each direction. And because it is differentiable, we can climb it for each image separately, as in section 4. We start from the network's own answer.

# %%
import numpy as np

roots, weights = np.polynomial.hermite_e.hermegauss(10)
nodes = torch.tensor(roots, dtype=torch.float32, device=runtime.device)
share = torch.tensor(weights / weights.sum(), dtype=torch.float32, device=runtime.device)
epsilon = torch.cartesian_prod(nodes, nodes)  # (100, 2)
share = torch.outer(share, share).flatten()  # (100,), in the same order


def quadrature_elbo(x: torch.Tensor, mean: torch.Tensor, var: torch.Tensor) -> torch.Tensor:
    z = mean + var.sqrt() * epsilon[:, None, :]  # (K, B, d)
    reconstruction = (share[:, None] * vae.decode(z).log_prob(x)).sum(dim=0)  # (B,)
    return reconstruction - gaussian_kl(mean, var)


# %%
with torch.no_grad():
    q = vae.posterior(chosen)
    network_elbo = quadrature_elbo(chosen, q.mean, q.var)

mean, log_var = q.mean.clone().requires_grad_(), q.var.log().requires_grad_()
optimiser = torch.optim.Adam([mean, log_var], lr=0.05)
for step in range(150):
    optimiser.param_groups[0]["lr"] = 0.05 * (1 - step / 150)
    gradients = torch.autograd.grad(
        -quadrature_elbo(chosen, mean, log_var.exp()).sum(), (mean, log_var)
    )
    mean.grad, log_var.grad = gradients
    optimiser.step()
refined = DiagonalGaussian(mean.detach(), log_var.detach().exp())
with torch.no_grad():
    refined_elbo = quadrature_elbo(chosen, refined.mean, refined.var)

# %%
image_gaps = refined_elbo - network_elbo  # the amortisation gap of each image, (100,)
approximation, amortisation = (log_evidence - refined_elbo).mean(), image_gaps.mean()
claim(
    "every refined ELBO is below log p(x), to 0.01 nats", (refined_elbo < log_evidence + 0.01).all()
)
claim("refining never makes it worse, to 0.01 nats", (image_gaps > -0.01).all())
claim_between("approximation gap, average (nats)", approximation, 0.01, 0.25)
claim_between("amortisation gap, average (nats)", amortisation, 0.03, 0.7)
claim("the network loses more than the Gaussian family does", amortisation > approximation)

# %% [markdown]
# So for this VAE the culprit is the network rather than the Gaussian. (Climbing may end on a lesser hill, so the amortisation gap is, strictly, measured from below.) Cremer, Li and Duvenaud
# found the same on MNIST with larger models, and that the gap depends on the network's capacity. We can watch this. Freeze the generator, so that the best $q$ of each image stays what it is, and train fresh inference
# networks of different widths from scratch: a pure E-step.


# %%
def gap_curve(width: int, checkpoints: tuple[int, ...]) -> list[float]:
    """Amortisation gap on the test images after so many steps of a fresh inference network."""
    torch.manual_seed(width)
    fresh = InferenceNetwork(64, 2, hidden=(width,)).to(runtime.device)
    trainer = trainer_for(VAE(fresh, vae.generator), is_binary=True, trained=fresh)
    gaps = []
    for steps in checkpoints:
        trainer.run(steps)
        with torch.no_grad():
            q = fresh(chosen)
            gaps.append((refined_elbo - quadrature_elbo(chosen, q.mean, q.var)).mean().item())
    return gaps


checkpoints = (10, 30, 100, 300, 600)
gaps = {width: gap_curve(width, checkpoints) for width in (2, 8, 64)}

# %%
figure, (axis,) = plotting.new_figure(size=(6.0, 3.5))
for (width, curve), colour, marker in zip(
    gaps.items(), plotting.COLOURS, plotting.MARKERS, strict=False
):
    axis.loglog(checkpoints, curve, marker=marker, color=colour, label=f"H = {width}")
axis.axhline(approximation.item(), color="black", linestyle="--", label="approximation gap")
axis.set(
    xlabel="training steps of the inference network", ylabel="amortisation gap\n(nats per image)"
)
axis.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0))
figure

# %%
claim(
    "two hidden units: at the end more than three times the gap of 64",
    gaps[2][-1] > 3 * gaps[64][-1],
)
claim_between("64 hidden units at the end (nats)", gaps[64][-1], 0.03, 0.8)
claim("training shrinks it more than fivefold", gaps[64][0] > 5 * gaps[64][-1])

# %% [markdown]
# **What to see.** Each curve falls while the network learns. The narrowest network falls ever more slowly, far above the others: two hidden units cannot express a good $q$ for every image. The wide one comes down to
# one or two tenths of a nat. The dashed line never moves: it belongs to the family of Gaussians, not to the network.
#
# ### Where the network's Gaussian is poor
#
# An average hides the interesting cases. For some images we zoom in on the plane: grey is the exact posterior on a grid, the black line holds 86 % of its mass, and each coloured ellipse holds as much of a Gaussian.

# %%
from gm_course.plotting.inference import posterior_view, posterior_views


def view_of(index: int):
    x = chosen[index : index + 1]
    return posterior_view(
        f"amortisation gap {image_gaps[index]:.2f} nats",
        x.reshape(8, 8),
        lambda grid: log_joint_on_grid(x, grid)[0],
        {
            "network's $q$": (q.mean[index], q.var[index]),
            "refined $q$": (refined.mean[index], refined.var[index]),
        },
    )


# %%
by_gap = image_gaps.argsort(descending=True).tolist()
shown = by_gap[:4] + by_gap[10:50:10] + by_gap[-4:]  # the worst, some in between, the best
views = [view_of(index) for index in shown]
posterior_views([views[0], views[1], views[5], views[-1]])

# %% [markdown]
# **What to see.** The title gives each image's amortisation gap. The two on the left are the worst of the hundred, the last one is the best. In the worst cases the dashed ellipse lies *beside* the posterior's hill or between two hills, or has the wrong width:
# the network made a mistake about this image, and a few gradient steps, the solid ellipse, mend it. Where the posterior is tilted, bent, or has a second island, even the refined ellipse, whose axes must
# be parallel to the coordinates', cannot fill it: that remainder is the approximation gap.
#
# Go through twelve of the test images, from the worst to the best:

# %%
Explorer(
    lambda image: posterior_views([views[image - 1]]),
    image=whole_number_slider("image (1 = worst)", 1, 12, start=1),
)

# %% [markdown]
# Images 1 to 4 are the worst of the hundred, 9 to 12 the best. Look at the digit first: in the worst cases it is often one that you would hesitate to name yourself. Towards the
# end the dashed and the solid ellipse are hard to tell apart, and what is left is the shape: count how often the black line is tilted.
#
# One consequence for later lectures: the ELBO of a VAE can rank two *models* wrongly when one of them merely has the better inference network. Lecture 5 therefore estimates $\log p(x)$ itself.

# %%
worst_tenth = image_gaps[by_gap[:10]].sum() / image_gaps.sum()
claim_between(
    "share of the whole gap that the worst tenth of the images has", worst_tenth, 0.25, 0.95
)

# %% [markdown]
# ## What commonly goes wrong
#
# | symptom | cause | how to tell |
# |---|---|---|
# | KL infinite or NaN after a few steps | a variance of 0: exp that underflowed, abs, or softplus without a floor | the smallest variance; section 2 |
# | $q$ far too narrow or too wide everywhere | $\sigma_I$ where $\sigma_I^2$ is meant | compare with Monte Carlo (lecture 5, section 2) |
# | good on the training set, poor on unusual images | the amortisation gap: inference, not the model | refine $q$ for single images; section 8 |
# | ELBO positive, and rising without better pictures | Gaussian with learned variance on nearly constant pixels | the smallest variance against its floor; section 7 |
# | fine means, absurd samples | the likelihood does not fit the data | draw samples, not only means |
# | "log-likelihoods" of grey images around those of binary ones | a cross-entropy that is no density | does it integrate to 1? |
#
# ## Questions
#
# 1. Section 3 says that we can minimise the KL to the posterior without knowing the posterior. Do we then also know how large the KL is?
#
# <details><summary>Answer</summary>
#
# No. The ELBO is $\log p(x)-\mathrm{KL}$, and $\log p(x)$ is unknown. We know which $q$ is better and by how many nats, but not how far even the best is from the posterior. That is why section 8 needed the grid.
#
# </details>
#
# 2. Could the inference network of section 4 be *linear*, without a hidden layer, and lose nothing?
#
# <details><summary>Answer</summary>
#
# Yes, for this model: the best mean $m(x)$ is linear in $x$ (with an offset), and the best variance $1/\Lambda_{jj}$ does not depend on $x$ at all. For a nonlinear generator neither is true.
#
# </details>
#
# 3. A colleague reports an ELBO of +200 nats per image, with a Gaussian decoder on images in $[0,1]$. You rescale the pixels to $[0,255]$, and the decoder's standard deviations with them. What happens to the ELBO?
#
# <details><summary>Answer</summary>
#
# A density is per unit of volume. Stretching every pixel by 255 divides it by $255^D$, so the ELBO falls by $D\log255$ nats, for $D=64$ about 355, although the model is as good as before. Only differences on the same data in the same units mean
# anything.
#
# </details>
#
# 4. Why does the ELBO not simply fall when the joint ascent of section 6 moves $\phi$ and $\theta$ at the same time, each unaware of the other's step?
#
# <details><summary>Answer</summary>
#
# They are not opponents. Both follow the gradient of one function, so for a small enough rate the step of both together climbs. In a GAN (lecture 6) each player has its own objective, and there that argument fails.
#
# </details>
#
# 5. You train a VAE for twice as long and the ELBO rises by 0.2 nats. Has the model become better?
#
# <details><summary>Answer</summary>
#
# Not necessarily: $p(x)$ may be what it was, and only $q$ has come closer to the posterior. Estimate $\log p(x)$, or refine $q$ for some images and compare those ELBOs.
#
# </details>
#
# ## Equations of this lecture
#
# Every named equation above, compared with an independent computation:

# %%
from gm_course.ledger import inference_networks
from gm_course.ledger.equation import show_equations

show_equations(inference_networks.EQUATIONS)

# %% [markdown]
# ## Summary
#
# - The inference network returns the means and variances of a Gaussian; softplus keeps the variances positive and the gradient of the KL below $\tfrac12$.
# - $\log p(x)$ does not depend on $\phi$: climbing the ELBO in $\phi$ is descending the KL to the posterior.
# - The distance from the ELBO to $\log p(x)$ is the approximation gap of the Gaussian family plus the amortisation gap of the network. Both were measured.
# - The decoder is a distribution. Bernoulli for binary, Gaussian for continuous data; cross-entropy on grey values is no density, and a learned variance collects free nats from constant pixels. Judge by samples, and by probabilities of the same thing.
# - ELBO = reconstruction − KL, and one gradient in $(\phi,\theta)$ takes the place of E-step and M-step.
#
# **Exercises that belong to this lecture:** [13-2](../exercises/13-2.ipynb) starts from the split ELBO with a Gaussian decoder, and [13-3](../exercises/13-3.ipynb) asks what the KL term does; you can begin both now, and lecture 5 completes what they need.
#
# ## References
#
# - D. P. Kingma, M. Welling, *Auto-Encoding Variational Bayes*, 2014.
# - C. Cremer, X. Li, D. Duvenaud, *Inference Suboptimality in Variational Autoencoders*, 2018.
# - G. Loaiza-Ganem, J. P. Cunningham, *The Continuous Bernoulli: Fixing a Pervasive Error in Variational Autoencoders*, 2019.
# - L. Theis, A. van den Oord, M. Bethge, *A Note on the Evaluation of Generative Models*, 2016.
# - O. Rybkin, K. Daniilidis, S. Levine, *Simple and Effective VAE Training with Calibrated Decoders*, 2021.
# - S. J. Gershman, N. D. Goodman, *Amortized Inference in Probabilistic Reasoning*, 2014.
# - R. M. Neal, G. E. Hinton, *A View of the EM Algorithm that Justifies Incremental, Sparse, and Other Variants*, 1998.
# - E. Alpaydin, C. Kaynak, *Cascading Classifiers*, 1998 (the 8 × 8 digits).
