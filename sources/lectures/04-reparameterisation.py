# %% [markdown]
# # 4 · Reparameterisation (再参数化)
#
# *Section 13.2.5 of the chapter.*
#
# Lecture 3 built the two networks of a variational autoencoder (变分自编码器, VAE) and left one thing open. Both are to be trained on the evidence lower
# bound (证据下界, ELBO), and the ELBO contains an expectation over $z\sim q(z|x;\phi)$. We can estimate that expectation by sampling. But training needs its **gradient** in
# $\phi$, and $\phi$ is what we sample *with*. What is the derivative of a random number with respect to the distribution it was drawn from?
#
# The question is older than the VAE and wider than it: reinforcement learning (强化学习), statistics and finance ask it too. There are two classical answers. One *moves* the samples,
# the other *weighs* them. This lecture derives both, measures them against exact gradients, and shows what happens if one forgets that there was a question at all.
#
# **After this lecture you will be able to**
#
# - explain why backpropagation (反向传播) stops at a sample, and recognise a model that was trained in spite of it;
# - derive the pathwise gradient (路径梯度) and the score-function gradient (得分函数估计), and say what each demands of $f$ and of $q$;
# - predict how the variance (方差) of both grows with the dimension, and what a baseline (基线) can and cannot do about it;
# - name cases in which the score function is the better estimate, or the only one;
# - tell gradients in $\sigma$, $\sigma^2$ and $\log\sigma^2$ apart, in formulas and in code;
# - relax a discrete variable with Gumbel-softmax, and choose its temperature (温度) knowing what you pay.
#
# **You need** the Gaussian distribution, the chain rule, and from [lecture 2](02-latent-variables-and-the-elbo.ipynb) that the ELBO is
# $E_{q}[\log p(x|z)]-\mathrm{KL}(q(z|x),p(z))$. Letters: $f$ is any function whose expectation we want, $d$ the dimension of $z$, $M$ the number of samples.
# $\mu$ and $\sigma$ are vectors with $d$ entries, the chapter's $\mu_I$ and $\sigma_I$; $\sigma$ is always a standard deviation (标准差), and the logistic function is
# written sigmoid. The symbol $\odot$ multiplies entry by entry.

# %%
import itertools
import math

import torch
from scipy import stats

import gm_course
from gm_course import plotting
from gm_course.claims import claim, claim_between
from gm_course.plotting import gradients as drawings

runtime = gm_course.setup(seed=0)

# %% [markdown]
# ## 1 · A gradient that sampling loses
#
# Take the smallest example there is: $z\sim N(\mu,\sigma^2)$ in one dimension and $f(z)=(z-a)^2$. The expectation is known,
#
# $$E[f(z)]=(\mu-a)^2+\sigma^2,\qquad \frac{\partial}{\partial\mu}E[f(z)]=2(\mu-a),\qquad\frac{\partial}{\partial\sigma}E[f(z)]=2\sigma,$$
#
# so there *is* a gradient, and it is not zero. Now let PyTorch find it from samples. The method of `torch.distributions` that one reaches for first is `sample`:

# %%
a = 0.5
mean = torch.tensor(1.5, requires_grad=True)
std = torch.tensor(0.8, requires_grad=True)

z = torch.distributions.Normal(mean, std).sample((1_000,))
average = (z - a).square().mean()
exact = (1.5 - a) ** 2 + 0.8**2
claim_between("the average of f, relative to E[f(z)]", average / exact, 0.8, 1.2)

try:
    average.backward()
except RuntimeError as error:
    print(error)

# %% [markdown]
# The *value* is right. The gradient does not exist: as far as PyTorch is concerned, $z$ is a table of numbers without a history. And PyTorch has a point. Once the
# samples $z^{(1)},\dots,z^{(M)}$ are drawn, their average $\tfrac1M\sum_mf(z^{(m)})$ contains no $\mu$ and no $\sigma$ any more. Where did the parameters go? Write the expectation out:
#
# $$E_{z\sim q_\phi}[f(z)]=\int f(z)\,q_\phi(z)\,dz.$$
#
# They are in the *density*, that is, in how often each $z$ comes up, and not in $f$. Sampling turned the density into a list of places, and the dependence on $\phi$ went
# with it. In particular **the gradient must not be pulled inside**: $E_q[\nabla_\phi f(z)]$ is zero, since $f$ does not depend on $\phi$, while
# $\nabla_\phi E_q[f(z)]$ is not.
#
# There is a second method, `rsample`, and with it the gradient is there. The *r* stands for reparameterised. Not every distribution has it:

# %%
z = torch.distributions.Normal(mean, std).rsample((100_000,))
(z - a).square().mean().backward()
claim_between("gradient in μ by rsample; exact: 2", mean.grad, 1.95, 2.05)
claim_between("gradient in σ by rsample; exact: 1.6", std.grad, 1.5, 1.7)

families = ("Normal", "Exponential", "Gamma", "Bernoulli", "Categorical", "Poisson")
can = [name for name in families if getattr(torch.distributions, name).has_rsample]
print("rsample:     ", *can)
print("sample only: ", *[name for name in families if name not in can])

# %% [markdown]
# Sections 3 and 4 explain what `rsample` does and what to do where it does not exist. First, a warning. We were lucky to get an *error*. It came because nothing in
# `average` could be differentiated.

# %% [markdown]
# ## 2 · What breaks, silently: a VAE with detached samples
#
# In a VAE the decoder (解码器, the generator network) has parameters of its own, so there is always something to differentiate. If the sample has lost its graph, because of `sample` instead of `rsample`, or a
# `detach`, or a detour through NumPy, there is no error message. We train the same small VAE twice, on 8 × 8 digits (Alpaydin and Kaynak 1998), with four latent dimensions
# and a Gaussian decoder of variance 0.1. The only difference is one word.

# %%
from gm_course.data import Batches, load_digits8
from gm_course.divergences import gaussian_kl
from gm_course.metrics import active_units
from gm_course.networks import GaussianGenerator, InferenceNetwork
from gm_course.training import Player, Trainer
from gm_course.vae import VAE

train_set = load_digits8("train", device=runtime.device)
test_set = load_digits8("test", device=runtime.device)


def small_vae() -> VAE:
    torch.manual_seed(0)  # the same initial weights every time
    generator_network = GaussianGenerator(4, 64, hidden=(64,), var=0.1)
    return VAE(InferenceNetwork(64, 4, hidden=(64,)), generator_network).to(runtime.device)


# %%
def negative_elbo(vae: VAE, *, detached: bool):
    def loss(x, generator):
        q = vae.posterior(x)  # N(μ_I, diag σ_I²), (B, d)
        z = q.sample(generator=generator)  # μ_I + σ_I ⊙ ε, (B, d)
        if detached:
            z = z.detach()  # the same numbers, without their history
        reconstruction = -vae.decode(z).log_prob(x).mean()
        kl = gaussian_kl(q.mean, q.var).mean()
        return {"loss": reconstruction + kl, "reconstruction": reconstruction, "KL": kl}

    return loss


# %%
def train(vae: VAE, loss):
    optimiser = torch.optim.Adam(vae.parameters(), lr=3e-3)
    batches = Batches(train_set.images, 128, generator=runtime.generator(1))
    trainer = Trainer(
        {"vae": Player(vae, optimiser, loss)}, batches, generator=runtime.generator(2)
    )
    return trainer.run(1_000, show_progress=False)["vae"]


vaes = {"reparameterised": small_vae(), "detached": small_vae()}
history = {
    name: train(vae, negative_elbo(vae, detached=name == "detached")) for name, vae in vaes.items()
}

# %%
figure, axes = plotting.new_figure(2, size=(4.2, 3.0))
for axis, term in zip(axes, ("KL", "reconstruction"), strict=True):
    for (name, curves), colour in zip(history.items(), plotting.COLOURS, strict=False):
        smooth = curves[term].unfold(0, 25, 1).mean(dim=1)
        axis.plot(range(25, 1_001), smooth, color=colour, label=name)
    axis.set(xlabel="iteration", ylabel="nats per image", title=f"{term} term of the loss")
axes[0].legend(loc="center right")
figure

# %%
with torch.no_grad():
    posteriors = {name: vae.posterior(test_set.images) for name, vae in vaes.items()}
    reconstructions = {
        name: vae.decode(posteriors[name].mean[:12]).mean for name, vae in vaes.items()
    }
rows = {"original": test_set.images[:12]} | reconstructions
plotting.image_rows({name: images.reshape(-1, 8, 8) for name, images in rows.items()}, scale=0.6)

# %% [markdown]
# **What to see.** The reparameterised model spends KL on information in its codes, and its reconstruction term keeps falling. With detached samples the KL is zero from the first point on (curves are means of 25
# iterations), and the reconstruction stops early. Every image of the last row is the same: a mean digit. Nothing crashed, and the loss fell, as it should.
#
# The cause can be read off the loss. It depends on $\phi$ in two places: through $z$ in the reconstruction, and directly in the KL. The first is cut. The whole gradient of the encoder (编码器, the inference network) is
# then the gradient of $\mathrm{KL}(q(z|x),N(0,I))$, and a network that minimises only this maps *every* image to the prior (先验). The decoder gets codes without any information and
# does the best it can, which is the mean. Check both statements:

# %%
x = test_set.images[:64]
for name, vae in vaes.items():
    terms = negative_elbo(vae, detached=name == "detached")(x, runtime.generator(3))
    encoder = list(vae.inference.parameters())
    received = torch.autograd.grad(terms["reconstruction"], encoder, allow_unused=True)
    reached = sum(gradient is not None for gradient in received)
    print(f"{name}: the reconstruction's gradient reaches {reached} of {len(encoder)} tensors")

kl = {name: gaussian_kl(q.mean, q.var).mean() for name, q in posteriors.items()}
active = {name: active_units(q.mean).sum() for name, q in posteriors.items()}
claim_between("reparameterised: KL (nats per image)", kl["reparameterised"], 3, 6)
claim("reparameterised: all four latent units are active", active["reparameterised"] == 4)
claim("detached: the KL is below 0.01 nats", kl["detached"] < 0.01)
claim("detached: no latent unit is active", active["detached"] == 0)

# %%
with torch.no_grad():
    blurred = vaes["detached"].decode(posteriors["detached"].mean).mean
errors = {
    "detached": (blurred - test_set.images).square().sum(dim=1).mean(),
    "mean image": (train_set.images.mean(dim=0) - test_set.images).square().sum(dim=1).mean(),
}
claim_between(
    "squared error with detached samples, relative to that of the mean image",
    errors["detached"] / errors["mean image"],
    0.95,
    1.05,
)

# %% [markdown]
# This looks exactly like the posterior collapse (后验坍塌) of [lecture 5](05-training-a-vae.ipynb), but the objective is innocent here: the *gradient* is not the objective's. That is why the first thing to check
# in a collapsed VAE is the line in which $z$ is made.

# %% [markdown]
# ## 3 · First way out: move the samples
#
# The trouble was that $\phi$ hides in the density. So let us get it out of there. In one dimension, with $\varphi(\varepsilon)=\tfrac{1}{\sqrt{2\pi}}e^{-\varepsilon^2/2}$ the density of
# $N(0,1)$,
#
# $$E_{z\sim N(\mu,\sigma^2)}[f(z)]=\int f(z)\,\frac1\sigma\,\varphi\Big(\frac{z-\mu}{\sigma}\Big)\,dz.$$
#
# Substitute $\varepsilon=\tfrac{z-\mu}{\sigma}$, that is $z=\mu+\sigma\varepsilon$ and $dz=\sigma\,d\varepsilon$. The factor $\sigma$ cancels:
#
# $$E_{z\sim N(\mu,\sigma^2)}[f(z)]=\int f(\mu+\sigma\varepsilon)\,\varphi(\varepsilon)\,d\varepsilon=E_{\varepsilon\sim N(0,1)}\big[f(\mu+\sigma\varepsilon)\big].$$
#
# The right side is an expectation over a *fixed* distribution, and the parameters are inside $f$, where the chain rule finds them. Now the gradient may go inside,
#
# $$\frac{\partial}{\partial\mu}E[f]=E\big[f'(\mu+\sigma\varepsilon)\cdot1\big],\qquad
#   \frac{\partial}{\partial\sigma}E[f]=E\big[f'(\mu+\sigma\varepsilon)\cdot\varepsilon\big],$$
#
# because for a continuous $f$ with a derivative that does not grow too wildly the limit of difference quotients and the integral may be exchanged (dominated convergence, 控制收敛). In $d$ dimensions each
# coordinate has its own $\varepsilon_j$, so $z=\mu+\sigma\odot\varepsilon$ with $\varepsilon\sim N(0,I)$, and $f'$ becomes $\nabla f$. This is **reparameterisation** (`reparameterisation`), and the
# estimate is called **pathwise**: each sample has a path along which it moves when the parameters do (Kingma and Welling 2014; Rezende, Mohamed and Wierstra 2014).
#
# It helps to *see* the path. Five draws of $\varepsilon$ are held fixed; $\mu$ and $\sigma$ are yours.

# %%
from gm_course.widgets import Explorer, slider

five = torch.tensor([-1.6, -0.7, 0.1, 0.8, 1.7])


def draw_samples(mean, std):
    return drawings.reparameterised_samples([(mean, std)], five)


Explorer(
    draw_samples,
    mean=slider("mean μ", -3, 3, start=0, step=0.1),
    std=slider("standard deviation σ", 0.1, 2.5, start=1, step=0.1),
)

# %% [markdown]
# **Try it.** Move $\mu$: all five samples walk in step, whatever their $\varepsilon$. Then move $\sigma$: they spread like an accordion, and each moves in proportion to its own $\varepsilon$. The one with
# $\varepsilon=0.1$ hardly stirs. Nothing jumps, nothing is drawn anew: with $\varepsilon$ fixed, $z$ is an ordinary function of $\mu$ and $\sigma$. Three settings side by side:

# %%
drawings.reparameterised_samples([(0, 1), (2, 1), (0, 2)], five)

# %% [markdown]
# **What to see.** The grey hill is the density, and below it each sample has a row of its own. The blue arrows show $dz/d\mu=1$, the red ones $dz/d\sigma=\varepsilon$ (drawn for a step of 0.6 in the parameter). From the left
# panel to the middle one every sample follows its blue arrow; from the left to the right one, its red arrow. The arrows are the same in all panels, because $z$ is linear in both parameters.
#
# As code it is two lines. Here is the whole estimator for one dimension, with the derivative of $f$ taken by autograd; each sample contributes one number to each gradient.


# %%
def pathwise(f, mean, std, noise):
    """Contributions of each sample to ∂E[f]/∂μ and ∂E[f]/∂σ; shapes (M,)."""
    z = (mean + std * noise).requires_grad_()  # (M,)
    (slope,) = torch.autograd.grad(f(z).sum(), z)  # f'(z⁽ᵐ⁾), (M,)
    return slope, slope * noise


# %% [markdown]
# The same recipe works wherever samples can be written as a smooth function of the parameters and of parameter-free noise: location-scale families as here; an exponential variable as $z=-\tfrac1r\log u$, with
# rate $r$ and $u$ uniform on $(0,1)$; in one dimension every distribution with a smooth inverse of its distribution function $F$, as $z=F^{-1}(u)$. For Gamma variables, where $F^{-1}$ has no formula, one differentiates
# $F(z;\phi)=u$ implicitly (Figurnov, Mohamed and Mnih 2018). For a *discrete* variable there is no smooth function: section 9.

# %% [markdown]
# ## 4 · Second way out: weigh the samples
#
# Leave the samples where they are and differentiate the density instead. The places $z$ are just a variable of integration, so
#
# $$\nabla_\phi\int f(z)\,q_\phi(z)\,dz=\int f(z)\,\nabla_\phi q_\phi(z)\,dz.$$
#
# That is a correct formula, but not an expectation, so it cannot be estimated from samples. The **log-derivative trick** makes it one. From $\nabla\log q=\tfrac{\nabla q}{q}$ follows
# $\nabla q=q\,\nabla\log q$, and
#
# $$\nabla_\phi E_q[f(z)]=\int q_\phi(z)\,f(z)\,\nabla_\phi\log q_\phi(z)\,dz=E_q\big[f(z)\,\nabla_\phi\log q_\phi(z)\big].$$
#
# This is the **score-function estimator** (`score-function`), known as REINFORCE in reinforcement learning (Williams 1992); $\nabla_\phi\log q_\phi(z)$ is called the **score** (得分). Read it as advice to a gambler: *whatever
# you just did, do it more often, in proportion to what it paid.* The direction comes from $q$ alone. Of $f$ it needs only values. For the Gaussian,
#
# $$\log q(z)=-\tfrac12\log2\pi-\log\sigma-\frac{(z-\mu)^2}{2\sigma^2}
#   \quad\Longrightarrow\quad
#   \frac{\partial\log q}{\partial\mu}=\frac{z-\mu}{\sigma^2}=\frac{\varepsilon}{\sigma},\qquad
#   \frac{\partial\log q}{\partial\sigma}=-\frac1\sigma+\frac{(z-\mu)^2}{\sigma^3}=\frac{\varepsilon^2-1}{\sigma}.$$


# %%
def score_function(f, mean, std, noise, baseline=0.0):
    """Contributions of each sample to ∂E[f]/∂μ and ∂E[f]/∂σ; shapes (M,)."""
    z = mean + std * noise
    payoff = f(z) - baseline
    return payoff * noise / std, payoff * (noise.square() - 1) / std


# %% [markdown]
# What is the **baseline** $b$? The average score is zero: $E_q[\nabla\log q]=\int\nabla q\,dz=\nabla\!\int q\,dz=\nabla1=0$. So a constant may be subtracted from $f$ without changing the expectation; section 6 shows why
# one would want to.
#
# Both derivations claim that the estimate is **unbiased** (无偏): its average is the exact gradient. We test that with the quadratic of section 1 and with a quartic. For $f(z)=(z-a)^4$ write $c=\mu-a$; the odd moments of
# $\varepsilon$ vanish, $E\varepsilon^2=1$ and $E\varepsilon^4=3$, hence $E[f]=E(c+\sigma\varepsilon)^4=c^4+6c^2\sigma^2+3\sigma^4$.

# %%
m, s = 1.5, 0.8  # μ and σ
c = m - a
functions = {
    "quadratic": (lambda z: (z - a) ** 2, (2 * c, 2 * s)),
    "quartic": (lambda z: (z - a) ** 4, (4 * c**3 + 12 * c * s**2, 12 * c**2 * s + 12 * s**3)),
}
estimators = {
    "pathwise": pathwise,
    "score function": score_function,
    "score function, b = 3": lambda *inputs: score_function(*inputs, baseline=3.0),
}
count = 200_000
noise = torch.randn(count, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

for name, (f, exact) in functions.items():
    for estimator, contributions in estimators.items():
        off = [
            (part.mean() - value).abs() / (part.std() / count**0.5)
            for part, value in zip(contributions(f, m, s, noise), exact, strict=True)
        ]
        claim(f"{name}, {estimator}: within 5 standard errors of both gradients", max(off) < 5)

# %% [markdown]
# Zero, which is what a detached sample gives, would fail every line. From now on we use the package's versions of the two functions, which work in $d$ dimensions and are checked against these:

# %%
from gm_course.estimators import pathwise_gradients, score_function_gradients


def quartic(z):  # (M, d) -> (M,)
    return (z - a).square().square().sum(dim=1)


inputs = (torch.tensor([m]).double(), torch.tensor([s]).double(), noise[:1_000, None])
for ours, theirs in ((pathwise, pathwise_gradients), (score_function, score_function_gradients)):
    one = ours(functions["quartic"][0], m, s, noise[:1_000])
    many = theirs(quartic, *inputs)
    same = all(torch.allclose(u, v[:, 0]) for u, v in zip(one, many, strict=True))
    claim(f"{ours.__name__} and the package's {theirs.__name__} agree", same)

# %% [markdown]
# ## 5 · With respect to what? σ, σ² and log σ²
#
# The chapter's inference network returns a *variance*, $\sigma_I^2=\operatorname{softplus}(\cdot)$, and reparameterisation multiplies the noise by a *standard deviation*. Some drafts write
# $[\mu_I;\sigma_I]$ for the network's output where $\sigma_I^2$ is meant. It sounds like a trifle. The gradients differ by a factor that depends on $\sigma$ itself:
#
# $$\frac{\partial}{\partial\sigma^2}=\frac{d\sigma}{d\sigma^2}\,\frac{\partial}{\partial\sigma}=\frac1{2\sigma}\,\frac{\partial}{\partial\sigma},
# \qquad
# \frac{\partial}{\partial\log\sigma^2}=\sigma^2\,\frac{\partial}{\partial\sigma^2}=\frac\sigma2\,\frac{\partial}{\partial\sigma}.$$
#
# In code the right factor appears by itself if the *sample* is written correctly for the parameter at hand:

# %%
parameters = {"σ": s, "σ²": s**2, "log σ²": math.log(s**2)}
scales = {"σ": lambda p: p, "σ²": lambda p: p.sqrt(), "log σ²": lambda p: (p / 2).exp()}
gradients = {}
for name, value in parameters.items():
    parameter = torch.tensor(value, dtype=torch.float64, requires_grad=True)
    z = m + scales[name](parameter) * noise
    (gradients[name],) = torch.autograd.grad(functions["quartic"][0](z).mean(), parameter)

claim(
    "∂/∂σ² = 1/(2σ) · ∂/∂σ, to 1e-12",
    abs(gradients["σ²"] / gradients["σ"] - 1 / (2 * s)) < 1e-12,
)
claim(
    "∂/∂log σ² = σ/2 · ∂/∂σ, to 1e-12",
    abs(gradients["log σ²"] / gradients["σ"] - s / 2) < 1e-12,
)

# %% [markdown]
# The factors say something about training. For a small $\sigma$, $\tfrac1{2\sigma}$ is large and $\tfrac\sigma2$ is small: the same loss pushes a variance hard, and its logarithm gently. None of this moves
# the optimum. **Mixing** them does. Suppose the network's output $o$ serves as the standard deviation in $z=\mu+o\,\varepsilon$ and as the variance in the KL. Take one latent dimension with the decoder
# $x|z\sim N(z,\lambda)$, so that the variance of $z$ contributes $\tfrac1{2\lambda}\operatorname{var}(z)$ to the negative ELBO and the KL contributes $\tfrac12(\sigma^2-1-\log\sigma^2)$. The true posterior (后验) has the
# variance $1/(1+\tfrac1\lambda)$, which is 0.2 for $\lambda=0.25$:

# %%
lam = 0.25
output = torch.linspace(0.001, 1.5, 150_000, dtype=torch.float64)
kl_term = 0.5 * (output - 1 - output.log())  # both read o as a variance here
right = output[(output / (2 * lam) + kl_term).argmin()]
mixed = output[(output.square() / (2 * lam) + kl_term).argmin()]  # z = μ + o·ε has variance o²

claim(
    "o is the variance in both places: the best variance is 0.2, to 1e-4", abs(right - 0.2) < 1e-4
)
claim_between("o mixed up: variance of the samples at its optimum", mixed**2, 0.087, 0.089)
ratio = mixed**2 / 0.2
# the KL between two Gaussians of equal mean
claim_between("nats lost per latent dimension", 0.5 * (ratio - 1 - ratio.log()), 0.12, 0.14)

# %% [markdown]
# The mixed-up model trains without complaint, and its samples have less than half of the variance they ought to have. The remedy: name the variable after what it is, `var`, `std` or `log_var`, and never
# `sigma`.

# %% [markdown]
# ## 6 · Which one is noisier, and how does that grow?
#
# Two unbiased estimates: the one with the smaller variance wins. We compute both variances exactly, for
#
# $$f(z)=\|z-a\|^2,\qquad z=\mu+\sigma\varepsilon\in\mathbb R^d,\qquad c=\mu-a,\quad C=\|c\|^2,\quad n=\|\varepsilon\|^2,$$
#
# with one $\sigma$ for all coordinates, and for the gradient in $\mu$. Its exact value is $g=2c$, with $\|g\|^2=4C$. The **total variance** $V=E\|\hat g-g\|^2=E\|\hat g\|^2-\|g\|^2$ adds up those of the $d$ entries of one sample's contribution $\hat g$.
#
# **Pathwise.** $\hat g=\nabla f(z)=2(c+\sigma\varepsilon)$. Only $2\sigma\varepsilon$ is random, so $V_{\text{path}}=4\sigma^2d$.
#
# **Score function.** $\hat g=(f(z)-b)\,\varepsilon/\sigma$, where $f(z)=C+2\sigma\,c^\top\varepsilon+\sigma^2n$. Square it; terms with an odd power of $\varepsilon$ average to zero:
#
# $$E\|\hat g\|^2=\frac1{\sigma^2}E\Big[\big((C-b+\sigma^2n)^2+4\sigma^2(c^\top\varepsilon)^2\big)\,n\Big].$$
#
# The moments of $n$, a chi-squared variable (卡方分布), are $E\,n=d$, $E\,n^2=d(d+2)$, $E\,n^3=d(d+2)(d+4)$. And $E[(c^\top\varepsilon)^2n]=\sum_jc_j^2\,E[\varepsilon_j^2n]$, where by symmetry each $E[\varepsilon_j^2n]$ is
# $\tfrac1dE\,n^2=d+2$; together $C(d+2)$. Subtract $\|g\|^2=4C$:
#
# $$V(b)=\frac{(C-b)^2d}{\sigma^2}+2(C-b)\,d(d+2)+\sigma^2d(d+2)(d+4)+4C(d+1).$$
#
# Let every coordinate be at the same distance from its target, $c_j=1$, so that $C=d$. *Without* a baseline all of the first three terms grow like $d^3$. With the baseline $b=E[f]=C+\sigma^2d$ they add up to $2\sigma^2d(d+4)$: the cubic parts cancel, and
# $V=2\sigma^2d(d+4)+4C(d+1)$ grows like $d^2$. The pathwise variance grows like $d$.

# %%
sigma_squared = 1.0


def score_variance(d, b):
    """V(b) for c = (1, …, 1), so that C = d."""
    cubic = (d - b) ** 2 * d / sigma_squared + 2 * (d - b) * d * (d + 2)
    return cubic + sigma_squared * d * (d + 2) * (d + 4) + 4 * d * (d + 1)


dims = torch.arange(1, 129, dtype=torch.float64)
exact_variance = {
    "score function": score_variance(dims, b=0 * dims),
    "with baseline E[f]": score_variance(dims, b=dims + sigma_squared * dims),
    "pathwise": 4 * sigma_squared * dims,
}

# %% [markdown]
# And now measured, from 20,000 samples at each of eight dimensions:


# %%
def squared_distance(z):  # (M, d) -> (M,); the target a is the origin and μ = (1, …, 1)
    return z.square().sum(dim=1)


measured_dims = 2 ** torch.arange(8)  # 1, 2, 4, …, 128
generator = torch.Generator().manual_seed(2)
measured = {name: [] for name in exact_variance}
for d in measured_dims.tolist():
    mean, std = torch.ones(2, d, dtype=torch.float64)
    noise = torch.randn(20_000, d, generator=generator, dtype=torch.float64)
    inputs = (squared_distance, mean, std, noise)
    for name, contributions in (
        ("score function", score_function_gradients(*inputs)),
        ("with baseline E[f]", score_function_gradients(*inputs, baseline=2.0 * d)),
        ("pathwise", pathwise_gradients(*inputs)),
    ):
        measured[name].append(contributions.mean.var(dim=0).sum())
measured_variance = {name: torch.stack(values) for name, values in measured.items()}


# %%
def samples_needed(variances, d):
    """For a relative error of 10 %: V / M = (0.1·‖g‖)², with ‖g‖² = 4C = 4d."""
    return {name: values / (0.01 * 4 * d) for name, values in variances.items()}


# %%
figure, (left, right) = plotting.new_figure(2, size=(4.8, 3.6))
drawings.exact_and_measured(left, dims, exact_variance, measured_dims, measured_variance)
left.set(ylabel="total variance of one sample's gradient")
left.legend()
drawings.exact_and_measured(
    right,
    dims,
    samples_needed(exact_variance, dims),
    measured_dims,
    samples_needed(measured_variance, measured_dims),
)
right.set(ylabel="samples for a relative error of 10 %")
for axis in (left, right):
    axis.set(xscale="log", yscale="log", xlabel="dimension d")
figure

# %% [markdown]
# **What to see.** Lines are the formulas, points the measurements; they coincide. On the left three slopes: 3, 2 and 1. The right panel says what that means. The pathwise gradient needs a hundred samples for a relative error of 10 %,
# *in any dimension*: it is told by $\nabla f$ which way each coordinate should go. The score function gets one number for all of them. In 128 dimensions it needs more than a million
# samples, and with the baseline some twenty thousand. VAEs have tens of latent dimensions and take *one* sample.

# %%
for name, slope in (("score function", 3), ("with baseline E[f]", 2), ("pathwise", 1)):
    values = measured_variance[name]
    measured_slope = (values[-1] / values[-3]).log() / math.log(4)  # between d = 32 and d = 128
    claim_between(f"{name}: slope, about {slope}", measured_slope, slope - 0.15, slope + 0.05)
    off = (values / exact_variance[name][measured_dims - 1] - 1).abs().max()
    claim(f"{name}: every measured variance is within 15 % of its formula", off < 0.15)

# %%
needed = {name: values[-1] for name, values in samples_needed(exact_variance, dims).items()}
for name, low, high in (("score function", 10_000, 20_000), ("with baseline E[f]", 150, 250)):
    times = needed[name] / needed["pathwise"]
    claim_between(f"d = 128: samples, {name} over pathwise", times, low, high)

# %% [markdown]
# **Baselines and control variates.** A *control variate* (控制变量) is a random quantity of known mean, here the score with mean zero, that is subtracted because it is correlated with the estimate. Subtracting $b$ times the score is exactly the baseline. It removes
# what all values of $f$ have in common. It cannot remove that $f$ is *one* number for $d$ coordinates: the slope stays at 2. In practice $b$ is a running mean, or a second network that predicts $f$ from $x$ (Mnih and Gregor 2014); it must not
# look at the sample it is subtracted from. Mohamed, Rosca, Figurnov and Mnih (2020) survey the whole family. Which constant is best? For discrete variables you will find out in [exercise 13-1](../exercises/13-1.ipynb).
#
# **Try it.** Replace `z.square().sum(dim=1)` by `z.square().sum(dim=1) + 100`. The expectation's gradient is unchanged. Which of the three measured curves change? And what must the baseline in the loop become?
# Undo it afterwards: the formulas do not know about the 100.

# %% [markdown]
# ## 7 · Where the score function wins
#
# "The pathwise gradient has the smaller variance" is a statement about examples, not a theorem. There are cases where it goes the other way, and cases where the pathwise gradient is plainly wrong.
#
# **A jump.** Let $f(z)=1$ for $z>0$ and 0 otherwise, and $z\sim N(\mu,1)$. Then $E[f]=P(z>0)=\Phi(\mu)$, with the slope $\varphi(\mu)$. But $f'=0$ almost everywhere, so the pathwise estimate is zero, always. The step in section 3 that fails is the exchange of limit and
# integral: if $\mu$ grows by $h$, a fraction of about $h\,\varphi(\mu)$ of the samples crosses the jump, and each of them contributes a difference quotient of $1/h$. The slope sits in the jump, and no sample sees it. PyTorch, asked to differentiate `sign`, does not complain: it returns zeros.
#
# **A fast wave.** Let $f(z)=\cos kz$. Here both are unbiased. From $E\cos(t\varepsilon)=e^{-t^2/2}$ one gets $E[f]=e^{-k^2/2}\cos k\mu$, so $g=-k\,e^{-k^2/2}\sin k\mu$. The pathwise contribution $-k\sin kz$ grows with $k$; the score's, $\varepsilon\cos kz$, does not. With $\cos^2=\tfrac12(1+\cos2kz)$, $\sin^2=\tfrac12(1-\cos2kz)$ and
# $E[\varepsilon^2\cos(t\varepsilon)]=(1-t^2)e^{-t^2/2}$ (minus the second derivative of $e^{-t^2/2}$),
#
# $$V_{\text{path}}=\tfrac{k^2}2\big(1-e^{-2k^2}\cos2k\mu\big)-g^2,\qquad V_{\text{score}}=\tfrac12\big(1+(1-4k^2)\,e^{-2k^2}\cos2k\mu\big)-g^2.$$


# %%
def step(z):
    return (1 + z[:, 0].sign()) / 2


noise = torch.randn(20_000, 1, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
one = torch.ones(1, dtype=torch.float64)
means = torch.linspace(-2.5, 2.5, 11, dtype=torch.float64)
step_path = torch.stack([pathwise_gradients(step, m * one, one, noise).mean for m in means])
step_score = torch.stack([score_function_gradients(step, m * one, one, noise).mean for m in means])
step_path, step_score = step_path[:, :, 0], step_score[:, :, 0]  # (11, M)
step_errors = step_score.std(dim=1) / 20_000**0.5
step_exact = torch.from_numpy(stats.norm.pdf(means.numpy()))

claim("step: every pathwise contribution is exactly 0", (step_path == 0).all())
claim(
    "step: the score function is within 5 standard errors of φ(μ) for every μ",
    ((step_score.mean(dim=1) - step_exact).abs() < 5 * step_errors).all(),
)


# %%
def wave_variances(k, mu=0.5):
    """Exact variances of both estimates for f(z) = cos kz and σ = 1."""
    squared_gradient = (k * torch.exp(-k.square() / 2) * torch.sin(k * mu)).square()
    decay = torch.exp(-2 * k.square()) * torch.cos(2 * k * mu)
    return {
        "score function": 0.5 * (1 + (1 - 4 * k.square()) * decay) - squared_gradient,
        "pathwise": 0.5 * k.square() * (1 - decay) - squared_gradient,
    }


waves = torch.logspace(-1, 1, 200, dtype=torch.float64)
points = torch.tensor([0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0], dtype=torch.float64)
measured_waves = {"score function": [], "pathwise": []}
for k in points:
    inputs = (lambda z, k=k: torch.cos(k * z).sum(dim=1), 0.5 * one, one, noise)
    measured_waves["score function"].append(score_function_gradients(*inputs).mean.var())
    measured_waves["pathwise"].append(pathwise_gradients(*inputs).mean.var())
measured_waves = {name: torch.stack(values) for name, values in measured_waves.items()}

# %%
figure, (left, right) = plotting.new_figure(2, size=(4.8, 3.4))
fine = torch.linspace(-3, 3, 200)
left.plot(fine, stats.norm.pdf(fine), color="black", label="exact: $\\varphi(\\mu)$")
left.errorbar(
    means, step_score.mean(dim=1), yerr=2 * step_errors, fmt="o", capsize=3,
    color=plotting.COLOURS[0], label="score function",
)  # fmt: skip
left.plot(means, step_path.mean(dim=1), "s", color=plotting.COLOURS[1], label="pathwise")
left.set(xlabel="mean μ", ylabel="gradient in μ", title="a jump", ylim=(-0.03, 0.6))
left.legend(loc="upper right", ncols=2, fontsize=9)
drawings.exact_and_measured(right, waves, wave_variances(waves), points, measured_waves)
right.set(xscale="log", yscale="log", xlabel="frequency k", title="a fast wave")
right.set(ylabel="variance of one sample's gradient")
right.legend()
figure

# %%
at = {
    k: {name: v.item() for name, v in wave_variances(torch.tensor(k)).items()} for k in (0.1, 8.0)
}
ratio = {k: values["score function"] / values["pathwise"] for k, values in at.items()}
claim("k = 0.1: the pathwise variance is over 1,000 times smaller", ratio[0.1] > 1_000)
claim("k = 8: the pathwise variance is over 50 times larger", ratio[8.0] < 1 / 50)
for name, exact_values in wave_variances(points).items():
    off = (measured_waves[name] / exact_values - 1).abs().max()
    claim(f"{name}: every measured variance is within 15 % of its formula", off < 0.15)

# %% [markdown]
# **What to see.** On the left the score function (bars: two standard errors) follows the exact gradient across the jump. The pathwise points lie on zero, all of them, with no error bar that could warn you. On the right the curves cross near $k=1$, where one period
# of the wave, $2\pi/k$, begins to fit into the width of $q$. Smooth functions *on the scale of $q$*, as decoders usually are, belong on the left of the crossing. Keep the rule: **the pathwise gradient uses the slope of $f$, and is as good as that slope is informative.**

# %% [markdown]
# ## 8 · Does it matter for training?
#
# Variance is a number; training is what we care about. Take ten latent dimensions, the decoder $x|z\sim N(z,\tfrac14I)$, and one $x$. Then the exact posterior is $N(\tfrac45x,\tfrac15I)$, and the distance of
# $q=N(\mu,\operatorname{diag}\sigma^2)$ from it is known in closed form; it is the gap between the ELBO and $\log p(x)$, and it is *not* what the estimators get to see. They see one sample per step. Five seeds run side by side as rows.
#
# A practical point first. Backpropagation wants a loss, and the score-function gradient is not the derivative of the estimated ELBO. But it is the derivative of a **surrogate** (替代损失): in $f(z)\cdot\log q_\phi(z)$, with $z$ and the payoff $f(z)$ held constant, only $\log q_\phi$ depends on $\phi$, and
# the gradient is $f(z)\,\nabla_\phi\log q_\phi(z)$. (Schulman, Heess, Weber and Abbeel 2015 build such surrogates for any graph.) The *value* of the surrogate means nothing.

# %%
decoder_var, posterior_var = 0.25, 0.2
x_one = torch.linspace(-1.5, 1.5, 10, dtype=torch.float64)


def gap(mean, log_var):
    """KL(q, p(z|x)) for each row, exact; (R, d) -> (R,)."""
    var = log_var.exp()
    distance = (mean - 0.8 * x_one).square()
    return 0.5 * ((var + distance) / posterior_var - 1 - (var / posterior_var).log()).sum(dim=1)


def payoff(z):
    """log p(x|z) without its constant; (R, d) -> (R,)."""
    return -0.5 * (x_one - z).square().sum(dim=1) / decoder_var


# %%
def loss_pathwise(mean, log_var, noise, baseline):
    z = mean + (log_var / 2).exp() * noise
    return gaussian_kl(mean, log_var.exp()) - payoff(z), payoff(z).detach()


def loss_score_function(mean, log_var, noise, baseline):
    z = (mean + (log_var / 2).exp() * noise).detach()  # a sample, held where it is
    log_q = -0.5 * ((z - mean).square() / log_var.exp() + log_var).sum(dim=1)
    surrogate = (payoff(z) - baseline) * log_q
    return gaussian_kl(mean, log_var.exp()) - surrogate, payoff(z)


# %%
def optimise(loss_function, *, with_baseline, steps=600, seeds=5):
    """The exact gap before every step, (seeds, steps)."""
    mean, log_var = torch.zeros(2, seeds, 10, dtype=torch.float64).unbind()
    parameters = [mean.requires_grad_(), log_var.requires_grad_()]
    optimiser = torch.optim.Adam(parameters, lr=0.02)
    generator = torch.Generator().manual_seed(5)
    gaps, baseline = [], torch.zeros(seeds, dtype=torch.float64)
    for _ in range(steps):
        gaps.append(gap(mean, log_var).detach())
        noise = torch.randn(seeds, 10, generator=generator, dtype=torch.float64)
        loss, value = loss_function(mean, log_var, noise, baseline)
        optimiser.zero_grad()
        loss.sum().backward()  # rows do not touch each other
        optimiser.step()
        if with_baseline:
            baseline = 0.9 * baseline + 0.1 * value  # of earlier samples only
    return torch.stack(gaps, dim=1)


# %%
curves = {
    "score function": optimise(loss_score_function, with_baseline=False),
    "with running baseline": optimise(loss_score_function, with_baseline=True),
    "pathwise": optimise(loss_pathwise, with_baseline=False),
}
drawings.loss_bands(curves, ylabel="KL(q, p(z|x)) (nats)")

# %%
finals = {name: values[:, -50:].mean(dim=1) for name, values in curves.items()}
start = curves["pathwise"][:, 0].max()
claim_between("the gap at the start (nats)", start, 15, 40)
claim("pathwise: below 0.3 nats in all five runs", finals["pathwise"].max() < 0.3)
claim(
    "the worst pathwise run beats the best one with baseline",
    finals["pathwise"].max() < finals["with running baseline"].min(),
)
claim(
    "the worst run with baseline beats the best one without",
    finals["with running baseline"].max() < finals["score function"].min(),
)

# %% [markdown]
# **What to see.** All start at the same $q$, the prior. Lines are medians of five runs, bands reach from the best to the worst. After the first few steps the bands do not overlap any more: the pathwise gradient is done while the score function has barely begun, and the baseline lies
# in between. (The green curve stays near 0.1 because the noise of one sample, at a constant step size, never lets it rest.) None of them is biased: with more and smaller steps the others get there too. Variance costs *time*.
#
# In a VAE the network shares what it learns between images, and that forgives much. Our digits once more, with the score function for the encoder; the decoder's gradient needs no trick, because $\theta$ is not in $q$.


# %%
def negative_elbo_score_function(vae: VAE):
    baseline = torch.zeros((), device=runtime.device)

    def loss(x, generator):
        nonlocal baseline
        q = vae.posterior(x)
        z = q.sample(generator=generator).detach()
        log_likelihood = vae.decode(z).log_prob(x)  # (B,)
        payoff = log_likelihood.detach()
        surrogate = (payoff - baseline) * q.log_prob(z)  # for the encoder
        baseline = 0.9 * baseline + 0.1 * payoff.mean()
        kl = gaussian_kl(q.mean, q.var).mean()
        reconstruction = -log_likelihood.mean()
        loss = reconstruction + kl - surrogate.mean()
        return {"loss": loss, "reconstruction": reconstruction, "KL": kl}

    return loss


# %%
vaes["score function"] = small_vae()
history["score function"] = train(
    vaes["score function"], negative_elbo_score_function(vaes["score function"])
)

# %%
with torch.no_grad():
    units = active_units(vaes["score function"].posterior(test_set.images).mean).sum()
claim("score function: all four latent units are active", units == 4)

averages = {  # the negative ELBO (nats per image), mean of iterations 200 to 400
    name: (curves["reconstruction"] + curves["KL"])[200:400].mean()
    for name, curves in history.items()
}
claim(
    "iterations 200 to 400: behind the pathwise gradient",
    averages["score function"] > averages["reparameterised"],
)
claim(
    "but ahead of detached samples by more than 1 nat",
    averages["score function"] < averages["detached"] - 1,
)

# %% [markdown]
# The detached VAE lost the gradient and learned nothing. This one has a noisy gradient of the *right* expectation, and it learns, only later. With four latent dimensions the price is modest; section 6 says how it grows.

# %% [markdown]
# ## 9 · Discrete latent variables
#
# Sometimes $z$ *is* a category: a cluster, a word, an action. A discrete sample cannot move a little, so its path has slope zero wherever it has one: the jump of section 7, built in. Two ways remain. If there are few categories,
# **enumerate** (枚举): the expectation is a finite sum, and its gradient needs no sampling. It is exact, and it will be our oracle. Or use the score function, which never asked for a slope.
#
# The third way begins with an odd way to draw a category. Let $\ell_1,\dots,\ell_K$ be logits, $p_k=e^{\ell_k}/\sum_je^{\ell_j}$, and let $G_1,\dots,G_K$ be independent **Gumbel** variables (Gumbel 分布), that is $G=-\log E$ with $E$ exponential of rate 1. Then
#
# $$z=\arg\max_k\,(\ell_k+G_k)\quad\text{has the probabilities } p_k\qquad\text{(Gumbel-max).}$$
#
# For $\ell_k+G_k=-\log(E_k/r_k)$ with $r_k=e^{\ell_k}$, so the largest $\ell_k+G_k$ belongs to the smallest $T_k=E_k/r_k$. That is an exponential variable of rate $r_k$, with the density $r_ke^{-r_kt}$, and it
# exceeds $t$ with probability $e^{-r_kt}$. Hence
#
# $$P(T_k\text{ is the smallest})=\int_0^\infty r_ke^{-r_kt}\prod_{j\ne k}e^{-r_jt}\,dt=\frac{r_k}{\sum_jr_j}=p_k.$$
#
# For two categories, 0 and 1, with $\ell_0=0$ and $\ell_1=x$ this says $P(G_0-G_1<x)=\operatorname{sigmoid}(x)$, for every $x$: the difference of two Gumbel variables is *logistic* (logistic 分布). We shall need that in section 10. Both statements can be
# tested:

# %%
from gm_course.estimators import gumbel_noise, relaxed_one_hot

logits = torch.tensor([0.5, 0.0, -1.0], dtype=torch.float64)
draws = 20_000
gumbel = gumbel_noise(draws, 3, like=logits, generator=torch.Generator().manual_seed(6))  # (M, K)

distance = stats.kstest((gumbel[:, 0] - gumbel[:, 1]).numpy(), "logistic").statistic
claim("G₀ − G₁ is logistic: distribution functions within 0.016", distance < 0.016)

p = logits.softmax(dim=0)
shares = (logits + gumbel).argmax(dim=1).bincount(minlength=3) / draws
standard_errors = (p * (1 - p) / draws).sqrt()
claim(
    "arg max: the shares are within 5 standard errors of softmax(ℓ)",
    ((shares - p).abs() < 5 * standard_errors).all(),
)

# %% [markdown]
# All randomness is now in $G$, which has no parameter. That is half of a reparameterisation; the other half, smoothness, fails at the arg max. **Gumbel-softmax** (Jang, Gu and Poole 2017; Maddison, Mnih and Teh 2017, who call it the Concrete distribution) replaces it by
# a softmax with temperature $\tau$,
#
# $$y=\operatorname{softmax}\Big(\frac{\ell+G}\tau\Big),\qquad\tau>0.$$
#
# A sample is no longer a category but a point of the **simplex** (单纯形), the triangle of all $(y_1,y_2,y_3)$ with $y_k\ge0$ and $\sum_ky_k=1$. Its corners are the categories.

# %%
some, settings = gumbel[:300], (0.1, 0.5, 1.0, 3.0)
drawings.simplex_samples(
    {f"τ = {tau}": relaxed_one_hot(logits, some, temperature=tau) for tau in settings}
)

# %% [markdown]
# **What to see.** The noise is the same in every panel; colour and marker tell which entry is largest. Cold samples huddle in the corners and are categories in all but name. Warm ones gather in the middle and are mixtures.

# %%
warmth = {tau: relaxed_one_hot(logits, gumbel, temperature=tau) for tau in settings}
winners = {tau: y.argmax(dim=1) for tau, y in warmth.items()}
claim(
    "the largest entry is the same category at every temperature",
    all(torch.equal(winners[tau], winners[0.1]) for tau in settings),
)
certainty = {tau: y.max(dim=1).values.mean() for tau, y in warmth.items()}
claim_between("mean of the largest entry at τ = 0.1", certainty[0.1], 0.9, 1)
claim_between("mean of the largest entry at τ = 3", certainty[3.0], 1 / 3, 0.6)

# %% [markdown]
# **Try it.** Lower $\tau$ slowly and watch each point run to *its* corner, without ever changing its colour. Then move the logit: now points glide, and some change colour as they cross a border. At $\tau=0.05$ the same slider
# makes a few of them leap, while the others rest: seldom a gradient, but then a large one. Section 10 measures what that costs.


# %%
def draw_simplex(temperature, logit):
    changed = torch.stack([logits[0], logits[1], logits.new_tensor(logit)])
    points = relaxed_one_hot(changed, some, temperature=temperature)
    return drawings.simplex_samples({f"τ = {temperature:.2f}": points})


Explorer(
    draw_simplex,
    temperature=slider("temperature τ", 0.05, 5, start=0.5, step=0.05),
    logit=slider("logit of category 3", -3, 3, start=-1, step=0.1),
)

# %% [markdown]
# ## 10 · The price of a temperature
#
# The smallest discrete problem is the one of Tucker and others (2017): $z\in\{0,1\}$ with $P(z=1)=p=\operatorname{sigmoid}(\ell)$ and $f(z)=(z-0.45)^2$. The best that can be done is $z=0$ always, since $f(0)=0.2025<f(1)=0.3025$. By enumeration, and with $\tfrac{dp}{d\ell}=p(1-p)$,
#
# $$E[f(z)]=p\,f(1)+(1-p)\,f(0),\qquad g=\frac{dE[f]}{d\ell}=p\,(1-p)\,\big(f(1)-f(0)\big)>0.$$
#
# With two categories Gumbel-softmax needs only a logistic variable $L=G_1-G_0$: $y=\operatorname{sigmoid}\big(\tfrac{\ell+L}\tau\big)$. By the chain rule, one sample's pathwise gradient is $f'(y)\,\tfrac{y(1-y)}\tau$.
#
# A cousin is the **straight-through** estimator (直通估计; Bengio, Léonard and Courville 2013; with Gumbel noise, Jang and others): use the hard $z=\mathbb 1[y>\tfrac12]$ in the forward pass and pretend in the backward pass that it was $y$. The value of $f$ is then the right one, and the gradient is
# $f'(z)\,\tfrac{y(1-y)}\tau$. In PyTorch it is one line, `hard + soft - soft.detach()`.

# %%
target = 0.45


def toy(z):
    return (z - target) ** 2


def relaxed_gradients(logit, noise, temperature, *, straight_through):
    """One gradient per sample; noise of shape (M,) -> (M,)."""
    copies = torch.full_like(noise, logit).requires_grad_()  # a copy of ℓ for each sample
    soft = torch.sigmoid((copies + noise) / temperature)
    hard = (soft > 0.5).double()
    y = hard + soft - soft.detach() if straight_through else soft
    (gradient,) = torch.autograd.grad(toy(y).sum(), copies)
    return gradient


# %% [markdown]
# The oracles: enumeration for the exact gradient, and for mean and variance of the relaxed gradients an integral over $L$, computed as a sum. With $u=\tfrac{\ell+L}\tau$ and the density $\operatorname{sigmoid}(x)\operatorname{sigmoid}(-x)$ of $L$, a function $h(u)$ has the mean
# $\int h(u)\operatorname{sigmoid}(\tau u-\ell)\operatorname{sigmoid}(\ell-\tau u)\,\tau\,du$.

# %%
u = torch.linspace(-60, 60, 24_001, dtype=torch.float64)  # beyond, y(1 − y) is below 1e-26


def exact_moments(logit, temperature, *, straight_through):
    """Mean and variance of one relaxed gradient, by the trapezoidal rule."""
    density = torch.sigmoid(temperature * u - logit) * torch.sigmoid(logit - temperature * u)
    y = torch.sigmoid(u)
    point = (y > 0.5).double() if straight_through else y
    h = 2 * (point - target) * y * (1 - y) / temperature
    first, second = (torch.trapezoid(power * density * temperature, u) for power in (h, h.square()))
    return torch.stack([first, second - first.square()])


# %%
logit = -2.0
parameter = torch.tensor(logit, dtype=torch.float64, requires_grad=True)
expectation = parameter.sigmoid() * toy(1.0) + (1 - parameter.sigmoid()) * toy(0.0)
(exact,) = torch.autograd.grad(expectation, parameter)  # by enumeration

p1 = torch.sigmoid(torch.tensor(logit, dtype=torch.float64))
z = torch.bernoulli(p1.expand(draws), generator=torch.Generator().manual_seed(7))
copies = torch.full_like(z, logit).requires_grad_()
log_p = torch.distributions.Bernoulli(logits=copies).log_prob(z)
(score_terms,) = torch.autograd.grad((toy(z) * log_p).sum(), copies)  # f(z) ∇log p(z), (M,)
score_variance_toy = score_terms.var()
claim(
    "score function: within 5 standard errors of enumeration",
    (score_terms.mean() - exact).abs() < 5 * (score_variance_toy / draws).sqrt(),
)

# %%
kinds = {"Gumbel-softmax": False, "straight-through": True}
grid = torch.logspace(-1.3, 0.7, 60, dtype=torch.float64)
exact_curves = {
    kind: torch.stack([exact_moments(logit, tau, straight_through=hard) for tau in grid])
    for kind, hard in kinds.items()
}  # (60, 2): mean and variance
temperatures = torch.tensor([0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0], dtype=torch.float64)
logistic = gumbel[:, 1] - gumbel[:, 0]
samples = {
    kind: torch.stack(
        [relaxed_gradients(logit, logistic, tau, straight_through=hard) for tau in temperatures]
    )
    for kind, hard in kinds.items()
}  # (7, M)

# %%
figure, (left, right) = plotting.new_figure(2, size=(4.8, 3.6))
means = {kind: values[:, 0] for kind, values in exact_curves.items()}
variances = {kind: values[:, 1] for kind, values in exact_curves.items()}
drawings.exact_and_measured(
    left, grid, means, temperatures, {kind: rows.mean(dim=1) for kind, rows in samples.items()}
)
drawings.exact_and_measured(
    right, grid, variances, temperatures, {kind: rows.var(dim=1) for kind, rows in samples.items()}
)
left.axhline(exact, color="black", linestyle="--", label="exact gradient")
left.axhline(0, color="black", linewidth=0.8)
right.axhline(score_variance_toy, color="black", linestyle=":", label="score function")
left.set(xscale="log", xlabel="temperature τ", ylabel="mean of the gradient", ylim=(-0.065, 0.03))
right.set(xscale="log", yscale="log", xlabel="temperature τ", ylabel="variance of the gradient")
for axis in (left, right):
    axis.legend(loc="lower left", fontsize=9)
figure

# %%
for kind, rows in samples.items():
    oracle = torch.stack(
        [exact_moments(logit, tau, straight_through=kinds[kind]) for tau in temperatures]
    )
    errors = (rows.mean(dim=1) - oracle[:, 0]).abs() / (rows.var(dim=1) / draws).sqrt()
    claim(f"{kind}: measured means within 5 standard errors of the integral", errors.max() < 5)
    claim(
        f"{kind}: at τ = 0.2 and τ = 1 the mean gradient has the wrong sign",
        oracle[[2, 4], 0].max() < 0,
    )
    claim_between(
        f"{kind}: variance at τ = 0.05 over that at τ = 1", oracle[0, 1] / oracle[4, 1], 20, 40
    )

# %%
score_quieter = {
    tau: exact_moments(logit, tau, straight_through=False)[1] > score_variance_toy
    for tau in (0.2, 0.5)
}
claim(
    "the score function is quieter than Gumbel-softmax at τ = 0.2, not at τ = 0.5",
    score_quieter[0.2] and not score_quieter[0.5],
)
cold = exact_moments(logit, torch.tensor(0.01).double(), straight_through=False)
claim_between(
    "Gumbel-softmax at τ = 0.01: mean relative to the exact gradient", cold[0] / exact, 0.8, 1
)

# %% [markdown]
# **What to see.** On the left, the relaxed gradients approach the exact one only when the temperature is very low, and above $\tau\approx0.15$ both have the *wrong sign*. The reason is the function between the categories, which the original problem never asked about: $f$ has its minimum at
# $y=0.45$, a mixture that no category can be, and the relaxation is drawn to it. On the right, the variance grows like $1/\tau$ when it gets cold: a slope of size $1/\tau$ is met with a probability of about $\tau$, so the mean square is about $1/\tau$. Below $\tau\approx0.4$ the score function (dotted),
# which has no bias at all, is quieter than Gumbel-softmax. Straight-through is no rescue here: it is noisier, and no less biased.
#
# If one *trains* with $\tau=1$, where does it end? Where the relaxed gradient vanishes:

# %%
grid_logits = torch.linspace(-4, 4, 161, dtype=torch.float64)
relaxed = torch.stack([exact_moments(ell, 1.0, straight_through=False)[0] for ell in grid_logits])
crossings = [
    (low.item(), high.item())
    for (low, high), (before, after) in zip(
        itertools.pairwise(grid_logits), itertools.pairwise(relaxed), strict=True
    )
    if before < 0 <= after
]
claim("the relaxed objective at τ = 1 has one minimum between ℓ = −4 and 4", len(crossings) == 1)
rest = crossings[0][1]
claim_between("the logit at which training with τ = 1 comes to rest; best: −∞", rest, -1, 0)
claim_between("share of wrong choices, z = 1, there", 1 / (1 + math.exp(-rest)), 0.3, 0.5)

# %% [markdown]
# This toy problem was designed to be unkind: with an $f$ that is monotone between the categories the signs agree, and in practice a temperature between 0.5 and 1, often lowered during training, works well enough to be popular. But remember what kind of error it is. Variance averages out over many steps. **Bias does not.**

# %% [markdown]
# ## What commonly goes wrong
#
# | symptom | cause | how to tell |
# |---|---|---|
# | "does not require grad" | everything depends on a detached sample | be grateful: section 1 |
# | KL falls to 0, all reconstructions alike | `sample` instead of `rsample`, `detach`, NumPy, `no_grad` | `z.requires_grad`; the reconstruction's gradient in the encoder is None: section 2 |
# | samples too narrow or too wide, KL wrong | σ, σ² and log σ² mixed up | compare the variance of $z$ with the one in the KL: section 5 |
# | gradient exactly 0 | a jump (`round`, `sign`, `argmax`, a threshold) on the path | section 7 |
# | score function hardly learns | no baseline, or many dimensions behind one payoff | the gradient's variance from a few hundred samples: section 6 |
# | score function learns the wrong thing | a baseline that depends on the sample itself; the payoff not detached | compare with an exact gradient in a toy problem |
# | relaxed model good, discrete model bad | temperature too high | evaluate with the arg max: section 10 |
#
# ## Questions
#
# 1. Some write the whole ELBO as $\log p(x,z)-\log q(z)$ and detach $z$. Which gradient does the encoder then get on average?
#
# <details><summary>Answer</summary>
#
# Only $-\nabla_\phi\log q_\phi(z)$ is left, and its expectation is zero. So not even the KL acts: the encoder makes a random walk. With the closed-form KL, as in section 2, at least the KL is right.
#
# </details>
#
# 2. In section 6 $f$ is a sum over coordinates, $f(z)=\sum_jf_j(z_j)$ with independent $z_j$. How can the score function use that, and what happens to its slope of 2?
#
# <details><summary>Answer</summary>
#
# For coordinate $j$ all terms but $f_j$ are independent of the score of $z_j$: their product with it has mean zero, so they may be left out. Each coordinate is then a one-dimensional problem, and the total variance grows like $d$, as the pathwise one does. The decoder of a VAE mixes all coordinates, so there
# is no such split. But where the structure of a model provides one, it is worth more than any constant baseline.
#
# </details>
#
# 3. Let $z$ be uniform on $(0,\theta)$. Its density is $1/\theta$ there, so $\partial_\theta\log q=-1/\theta$. Does $E[f(z)\cdot(-1/\theta)]$ give the gradient of $E[f(z)]$? And the pathwise gradient with $z=\theta u$?
#
# <details><summary>Answer</summary>
#
# No. $E[f]=\tfrac1\theta\int_0^\theta f\,dz$ has the derivative $\tfrac1\theta f(\theta)-\tfrac1{\theta^2}\int_0^\theta f\,dz$, and the score gives only the second part. The first comes from the *boundary*, which moves with $\theta$: pulling the gradient into the integral in section 4 is not allowed when the support depends on the
# parameter. The pathwise gradient $E[f'(\theta u)\,u]$ is right for smooth $f$. So each method has a jump it cannot see: the one in $f$, the other in $q$.
#
# </details>
#
# 4. Replace the step of section 7 by the steep but smooth $f(z)=\operatorname{sigmoid}(z/s)$ with a small $s>0$. Is the pathwise gradient biased? What happens as $s\to0$?
#
# <details><summary>Answer</summary>
#
# It is unbiased for each $s>0$. Its contributions are of size $1/s$ for the few samples within a few $s$ of the jump, a share of about $s$, and nearly zero for the others: the variance grows like $1/s$. In the limit it becomes zero with certainty. Section 10 has the same phenomenon, with $\tau$ in the place of $s$.
#
# </details>
#
# 5. As $\tau\to0$ the straight-through gradient of section 10 tends to $p(1-p)\cdot\tfrac12\big(f'(0)+f'(1)\big)$. For which $f$ is it then unbiased?
#
# <details><summary>Answer</summary>
#
# If $\tfrac12(f'(0)+f'(1))=f(1)-f(0)$: the trapezoidal rule for $\int_0^1f'$, exact for the quadratic of section 10. For $f(z)=z^3$ it gives $\tfrac32$ instead of 1, a bias that no temperature removes, whereas Gumbel-softmax becomes unbiased in the limit.
#
# </details>
#
# ## Equations of this lecture
#
# The course keeps a ledger of the chapter's equations, each checked against an independent calculation.

# %%
from gm_course.ledger import reparameterisation
from gm_course.ledger.equation import show_equations

show_equations(reparameterisation.EQUATIONS)

# %% [markdown]
# ## Summary
#
# - A sample carries no gradient by itself. A VAE trained on detached samples keeps only the KL's gradient, and its encoder goes to the prior without a word.
# - Reparameterisation, $z=\mu+\sigma\odot\varepsilon$, moves the parameters from the density into $f$: differentiate the *path*. It needs a smooth $f$ and a smooth sampler.
# - The score function, $f(z)\nabla\log q(z)$, differentiates the *density*. It needs only values of $f$, and a support that does not move.
# - Both are unbiased. For $\|z-a\|^2$ the total variances grow like $d$ and $d^3$; a baseline makes the latter $d^2$.
# - For jumps and fast waves the score function is better, or the only one that is right.
# - Gumbel-softmax reparameterises an *approximation* of a discrete variable: bias when warm, variance when cold.
# - Name what you have: `std`, `var`, or `log_var`.
#
# Next: [lecture 5](05-training-a-vae.ipynb) puts reparameterisation to work and trains a VAE on handwritten digits.
#
# **Exercise that belongs to this lecture:** [13-1](../exercises/13-1.ipynb) (the gradient of an expectation over a discrete variable).
#
# ## References
#
# - R. J. Williams, *Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning*, 1992.
# - D. P. Kingma, M. Welling, *Auto-Encoding Variational Bayes*, 2014.
# - D. J. Rezende, S. Mohamed, D. Wierstra, *Stochastic Backpropagation and Approximate Inference in Deep Generative Models*, 2014.
# - A. Mnih, K. Gregor, *Neural Variational Inference and Learning in Belief Networks*, 2014.
# - J. Schulman, N. Heess, T. Weber, P. Abbeel, *Gradient Estimation Using Stochastic Computation Graphs*, 2015.
# - S. Mohamed, M. Rosca, M. Figurnov, A. Mnih, *Monte Carlo Gradient Estimation in Machine Learning*, 2020.
# - M. Figurnov, S. Mohamed, A. Mnih, *Implicit Reparameterization Gradients*, 2018.
# - E. Jang, S. Gu, B. Poole, *Categorical Reparameterization with Gumbel-Softmax*, 2017.
# - C. J. Maddison, A. Mnih, Y. W. Teh, *The Concrete Distribution: A Continuous Relaxation of Discrete Random Variables*, 2017.
# - G. Tucker, A. Mnih, C. J. Maddison, D. Lawson, J. Sohl-Dickstein, *REBAR: Low-Variance, Unbiased Gradient Estimates for Discrete Latent Variable Models*, 2017.
# - Y. Bengio, N. Léonard, A. Courville, *Estimating or Propagating Gradients Through Stochastic Neurons for Conditional Computation*, 2013.
# - E. Alpaydin, C. Kaynak, *Cascading Classifiers*, 1998 (the 8 × 8 digits).
