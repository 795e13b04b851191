# %% [markdown]
# # 5 · Training a variational autoencoder (变分自编码器, VAE)
#
# *Section 13.2.6 of the chapter.*
#
# The previous lectures set the stage. A latent-variable model $p(x,z;\theta)=p(x|z;\theta)\,p(z)$ explains an image $x$ by
# a **latent variable** (隐变量) $z$. An **inference network** (推断网络) turns $x$ into an approximate posterior (后验)
# $q(z|x;\phi)=N(z;\mu_I,\operatorname{diag}\sigma_I^2)$, a **generator network** (生成网络) turns $z$ into a distribution
# of images, and the **evidence lower bound** (证据下界, ELBO) is what both networks maximise. This lecture makes that
# objective computable, trains it on handwritten digits, and examines the result.
#
# **After this lecture you will be able to**
#
# - estimate the ELBO with $M$ samples and say what a larger $M$ buys;
# - replace part of that estimate by the closed-form Gaussian KL, and say when this helps and when it does not;
# - derive the simplified objective (13.28), name the constant that was dropped, and say what is wrong with a circulated misprint;
# - train a VAE, read its two loss terms, and draw its latent manifold (隐变量流形);
# - measure how far the ELBO lies below the log-likelihood;
# - predict when a VAE stops using its latent variables (posterior collapse, 后验坍塌), and measure it.
#
# **You need** lectures [2](02-latent-variables-and-the-elbo.ipynb) to [4](04-reparameterisation.ipynb), or this one fact about them: for every distribution $q$,
#
# $$\log p(x) = \underbrace{E_{z\sim q}\big[\log p(x,z)-\log q(z)\big]}_{\text{ELBO}(q,x)}
#   + \underbrace{\mathrm{KL}\big(q(z),\,p(z|x)\big)}_{\ge 0},$$
#
# so the ELBO bounds $\log p(x)$ from below, and the gap closes exactly when $q$ is the posterior. All logarithms are natural,
# so everything is measured in nats. In shapes, $B$ is the number of images in a batch, $D$ that of numbers in an image, and $d$ the dimension of
# $z$; $\sigma_I^2$ is a vector of $d$ variances, and where the chapter writes $\sigma_I^2I$ it means the diagonal matrix with these.

# %%
import copy
import inspect
import itertools
import math

import torch

import gm_course
from gm_course.claims import claim, claim_between

runtime = gm_course.setup(seed=0)

# %% [markdown]
# ## 1 · The ELBO by Monte Carlo (蒙特卡罗)
#
# The ELBO is an expectation over $z\sim q$. With samples $z^{(1)},\dots,z^{(M)}$ from $q$ the obvious estimate is
#
# $$\widehat{\text{ELBO}}_M = \frac1M\sum_{m=1}^{M}\Big[\log p(x,z^{(m)})-\log q(z^{(m)})\Big],
#   \qquad z^{(m)}=\mu_I+\sigma_I\odot\varepsilon^{(m)},\quad \varepsilon^{(m)}\sim N(0,I).$$
#
# The sign $\odot$ multiplies element by element. (Samples are written this way, by *reparameterisation*, 再参数化, so that gradients can flow
# through them: Kingma and Welling 2014; Rezende, Mohamed and Wierstra 2014.) Two claims
# belong to this formula: it is **unbiased** for every $M$, and its **variance falls as $1/M$** (`monte-carlo-elbo`).
#
# To test claims about an estimate we need the exact value. One model provides it: with $z\sim N(0,I)$ and
# $x|z\sim N(Wz+b,\lambda I)$, where $W$ is a $D\times d$ matrix, $b$ an offset and $\lambda$ the variance of the noise, everything is Gaussian, so
# evidence and posterior have formulas. Here $x$ has three dimensions and
# $z$ has two, and we choose a $q$ that is deliberately *not* the posterior.

# %%
from gm_course.distributions import DiagonalGaussian, LinearGaussianModel

model = LinearGaussianModel(
    weight=torch.tensor([[1.0, 0.3], [-0.5, 0.8], [0.2, -1.0]], dtype=torch.float64),
    offset=torch.tensor([0.1, 0.0, -0.2], dtype=torch.float64),
    var=0.25,
)
x = torch.tensor([[0.8, -0.6, 0.4]], dtype=torch.float64)  # one example, (1, D)
posterior_mean, posterior_cov = model.posterior(x)  # (1, d), (d, d)

q = DiagonalGaussian(mean=posterior_mean + 0.25, var=1.5 * posterior_cov.diagonal()[None])

# %% [markdown]
# The exact ELBO can be had in two ways that share no step. Directly, because the expectation of a squared distance is known:
#
# $$E_q[\log p(x|z)] = \log N(x;W\mu_I+b,\lambda I)-\frac{1}{2\lambda}\operatorname{tr}\!\big(W\operatorname{diag}(\sigma_I^2)W^\top\big),$$
#
# from which $\mathrm{KL}(q,p(z))$ is subtracted. Or from the decomposition above, as $\log p(x)-\mathrm{KL}(q,p(z|x))$.

# %%
from gm_course.divergences import gaussian_kl, gaussian_kl_general

W = model.weight
trace = (W.square() * q.var).sum()  # tr(W diag(σ²) Wᵀ)
expected_reconstruction = model.likelihood(q.mean).log_prob(x) - trace / (2 * model.var)
exact_elbo = (expected_reconstruction - gaussian_kl(q.mean, q.var)).item()

log_evidence = model.log_evidence(x).item()
gap = gaussian_kl_general(q.mean[0], q.var[0].diag(), posterior_mean[0], posterior_cov).item()

claim("both ways give the same ELBO, to 1e-12", abs(exact_elbo - (log_evidence - gap)) < 1e-12)
claim("the ELBO lies below log p(x)", exact_elbo < log_evidence)

# %% [markdown]
# Now the estimate itself, $M$ samples at a time and 20,000 times over, so that its mean and variance can be seen. This is the
# formula above, word for word.


# %%
def log_weights(count: int, generator: torch.Generator) -> torch.Tensor:
    """log p(x,z) − log q(z) at ``count`` samples of q; shape (count,)."""
    noise = torch.randn(count, 2, generator=generator, dtype=torch.float64)
    z = q.mean + q.var.sqrt() * noise  # μ_I + σ_I ⊙ ε, (count, d)
    return model.joint_log_prob(x, z) - q.log_prob(z)


repetitions = 20_000
generator = torch.Generator().manual_seed(1)
estimates = {
    M: log_weights(repetitions * M, generator).reshape(repetitions, M).mean(dim=1)
    for M in (1, 10, 100)
}

# %%
for M, values in estimates.items():
    standard_error = values.std() / repetitions**0.5
    claim(
        f"M = {M:3}: the mean is within 5 standard errors of the exact ELBO",
        abs(values.mean() - exact_elbo) < 5 * standard_error,
    )
for M in (10, 100):
    ratio = estimates[1].var() / estimates[M].var()
    claim_between(f"variance at M = 1 over variance at M = {M}", ratio, 0.9 * M, 1.1 * M)

# %%
from gm_course import plotting

plotting.estimate_histograms(
    {f"M = {M}": values for M, values in estimates.items()},
    lines={"exact ELBO": exact_elbo, "log p(x)": log_evidence},
    xlabel="estimate of the ELBO (nats)",
)

# %% [markdown]
# **What to see.** The *mean* of each histogram is at the solid line, the exact ELBO: even a single sample is right on average. For $M=1$ the mean
# is not where the peak is. The distribution is skewed: its peak lies close to $\log p(x)$, and a long tail on the left pulls the mean down. So a
# single estimate may well exceed $\log p(x)$; only its expectation is a bound. More samples narrow the histogram, but they never move its mean
# towards the dashed line. The distance between the two lines is $\mathrm{KL}(q,p(z|x))$, and only a better $q$ closes it.
#
# This is why training uses **one sample per data point**: with the estimate its gradient is unbiased too, gradient descent averages over thousands of
# minibatches anyway, and a step with $M=1$ needs a tenth of the decoder's work of a step with $M=10$.

# %% [markdown]
# ## 2 · The KL term in closed form
#
# Split the ELBO into two halves (`elbo-split`):
#
# $$\text{ELBO} = \underbrace{E_{q}[\log p(x|z)]}_{\text{reconstruction}} - \underbrace{\mathrm{KL}\big(q(z|x),p(z)\big)}_{\text{regularisation}}.$$
#
# With a Gaussian $q$ and the prior (先验) $N(0,I)$ the second half needs no sampling. For one coordinate, with
# $\log q(z)=-\tfrac12\log 2\pi\sigma^2-\tfrac{(z-\mu)^2}{2\sigma^2}$ and $\log p(z)=-\tfrac12\log 2\pi-\tfrac{z^2}{2}$,
#
# $$E_q[\log q-\log p] = -\tfrac12\log\sigma^2-\tfrac12\underbrace{\tfrac{E(z-\mu)^2}{\sigma^2}}_{=1}+\tfrac12\underbrace{E z^2}_{=\mu^2+\sigma^2}.$$
#
# The two $\log 2\pi$ cancel. Independent coordinates add up, and the result is `gaussian-kl-standard`:
#
# $$\mathrm{KL}\big(N(\mu,\operatorname{diag}\sigma^2),\,N(0,I)\big)=\tfrac12\sum_j\big(\sigma_j^2+\mu_j^2-1-\log\sigma_j^2\big).$$
#
# The same calculation works for any two Gaussians in $d$ dimensions. With $z\sim N(\mu_1,\Sigma_1)$, the quadratic form of its own density has the mean
# $E\,(z-\mu_1)^\top\Sigma_1^{-1}(z-\mu_1)=\operatorname{tr}(\Sigma_1^{-1}\Sigma_1)=d$, that of the other density the mean
# $E\,(z-\mu_2)^\top\Sigma_2^{-1}(z-\mu_2)=\operatorname{tr}(\Sigma_2^{-1}\Sigma_1)+(\mu_1-\mu_2)^\top\Sigma_2^{-1}(\mu_1-\mu_2)$, and the normalisers leave a ratio of
# determinants. Together this is `gaussian-kl-general`,
#
# $$\mathrm{KL}\big(N(\mu_1,\Sigma_1),N(\mu_2,\Sigma_2)\big)=\tfrac12\Big(\operatorname{tr}(\Sigma_2^{-1}\Sigma_1)
#   +(\mu_2-\mu_1)^\top\Sigma_2^{-1}(\mu_2-\mu_1)-d+\log\tfrac{|\Sigma_2|}{|\Sigma_1|}\Big).$$
#
# Beside the constant $d$ it contains a spread and a distance, both measured by the yardstick of the second Gaussian, and a ratio of volumes. It served in section 1, as the divergence of
# $q$ from a posterior whose coordinates are correlated; with $\mu_2=0$, $\Sigma_2=I$ and a diagonal $\Sigma_1$ it becomes the formula before it.
#
# The symbol is $\sigma^2$ throughout. Circulated drafts let the inference network output $[\mu_I;\sigma_I]$ where $\sigma_I^2$ is meant,
# and code that follows them puts a standard deviation into this formula. The next cell shows that Monte Carlo notices.


# %%
def kl_to_prior(mean: torch.Tensor, var: torch.Tensor) -> torch.Tensor:
    """KL(N(mean, diag var), N(0, I)); shape (B, d) -> (B,)."""
    return 0.5 * (var + mean.square() - 1 - var.log()).sum(dim=1)


claim(
    "it is the package's gaussian_kl",
    torch.equal(kl_to_prior(q.mean, q.var), gaussian_kl(q.mean, q.var)),
)
as_general = gaussian_kl_general(
    q.mean[0], q.var[0].diag(), torch.zeros(2).double(), torch.eye(2).double()
)
claim(
    "and a special case of the general formula, to 1e-12",
    abs(kl_to_prior(q.mean, q.var)[0] - as_general) < 1e-12,
)

# %%
count = 200_000
z = q.mean + q.var.sqrt() * torch.randn(count, 2, generator=generator, dtype=torch.float64)
prior = DiagonalGaussian(torch.zeros_like(q.mean), torch.ones_like(q.var))
log_ratios = q.log_prob(z) - prior.log_prob(z)
standard_error = log_ratios.std() / count**0.5
right_off = abs(log_ratios.mean() - kl_to_prior(q.mean, q.var)) / standard_error
misprint_off = abs(log_ratios.mean() - kl_to_prior(q.mean, q.var.sqrt())) / standard_error

claim("the closed form is within 5 standard errors of Monte Carlo", right_off < 5)
claim("with σ in place of σ² it is off by more than 50", misprint_off > 50)

# %% [markdown]
# So we have two unbiased estimates of the same ELBO: the full Monte-Carlo one, and the one that samples only the reconstruction. Is the
# second less noisy? That depends on what you need: the *value*, or its *gradient*, with which the network is trained. We measure both for a
# model whose posterior has independent coordinates, so that $q$ can match it exactly; once for a $q$ as an untrained network returns it, with mean 0 and
# variance $\operatorname{softplus}(0)\approx 0.69$, and once at the optimum, where $q$ is the posterior.

# %%
orthogonal = LinearGaussianModel(
    weight=torch.eye(3, 2, dtype=torch.float64),
    offset=torch.zeros(3, dtype=torch.float64),
    var=0.25,
)
exact_mean, exact_cov = orthogonal.posterior(x)
untrained = DiagonalGaussian(torch.zeros_like(exact_mean), torch.full_like(exact_mean, math.log(2)))
optimal = DiagonalGaussian(exact_mean, exact_cov.diagonal()[None])


# %%
def noise_of(q: DiagonalGaussian) -> dict[str, tuple[float, float]]:
    """Variance of each one-sample estimate, and of its gradient in μ_I (summed)."""
    mean = q.mean.repeat(50_000, 1).requires_grad_()  # a row for each repetition, (n, d)
    rows = DiagonalGaussian(mean, q.var.expand_as(mean))
    z = rows.sample(generator=generator)  # μ_I + σ_I ⊙ ε
    estimates = {
        "all sampled": orthogonal.joint_log_prob(x, z) - rows.log_prob(z),
        "closed form": orthogonal.likelihood(z).log_prob(x) - gaussian_kl(mean, rows.var),
    }
    noise = {}
    for name, estimate in estimates.items():
        (gradient,) = torch.autograd.grad(estimate.sum(), mean, retain_graph=True)
        noise[name] = (estimate.var().item(), gradient.var(dim=0).sum().item())
    return noise


# %%
noise = noise_of(untrained)
claim(
    "untrained q: as a value, the closed form is the noisier one",
    noise["closed form"][0] > noise["all sampled"][0],
)
claim(
    "untrained q: as a gradient, it is the quieter one",
    noise["closed form"][1] < noise["all sampled"][1],
)

noise = noise_of(optimal)
claim(
    "optimal q: sampling everything gives a value without any noise (below 1e-20)",
    noise["all sampled"][0] < 1e-20,
)
claim_between(
    "optimal q: variance of the value with the closed form", noise["closed form"][0], 0.6, 0.95
)
ratio = noise["closed form"][1] / noise["all sampled"][1]
claim_between("optimal q: gradient noise, closed form relative to all sampled", ratio, 0.5, 0.8)

# %% [markdown]
# At the optimum $\log p(x,z)-\log q(z)=\log p(x)$ for *every* $z$: the noise of one half cancels that of the other, and the value cannot
# fluctuate. With the closed form only one half is sampled, and nothing cancels. As a *gradient* the fully sampled estimate is the noisier
# one nevertheless, here and at the start: backpropagation also differentiates $\log q$ with respect to its own parameters, and that part, zero on average, does not vanish.
# Roeder, Wu and Duvenaud (2017) leave exactly that part out. Practice mostly uses the closed form.

# %% [markdown]
# ## 3 · The simplified objective (13.28)
#
# Let the decoder be Gaussian with a fixed variance, $p(x|z)=N(x;\mu_G,\lambda I)$, and take one sample. Then
#
# $$\text{ELBO}_1 = -\frac{1}{2\lambda}\|x-\mu_G\|^2-\frac D2\log(2\pi\lambda)-\mathrm{KL}\big(N(\mu_I,\sigma_I^2I),N(0,I)\big).$$
#
# Multiply by $\lambda$ and drop the term that contains no parameter. What remains is the chapter's `objective-13-28`,
#
# $$\boxed{\;J(\phi,\theta|x) = -\tfrac12\|x-\mu_G\|^2-\lambda\,\mathrm{KL}\big(N(\mu_I,\sigma_I^2I),N(0,I)\big)\;}\tag{13.28}$$
#
# and, with every constant kept, $J=\lambda\,\text{ELBO}_1+\tfrac{\lambda D}{2}\log(2\pi\lambda)$ (`objective-is-scaled-elbo`). The map is affine with a
# positive slope, so $J$ and $\text{ELBO}_1$ have the same maximisers, and $\nabla J=\lambda\nabla\text{ELBO}_1$.
#
# One circulated draft prints $-\|x-\mu_G\|^2+\mathrm{KL}$. It hides three slips. The factor $\tfrac12$ is lost: by itself that would only mean another
# $\lambda$, half as large. The $\lambda$ is lost, too. And the sign of the KL is wrong, which no $\lambda$ repairs. We test this on random images,
# means and variances; $\mu_G$ plays the decoder's output.


# %%
def objective_13_28(x, mean_g, mean_i, var_i, lam):
    """J = −½‖x − μ_G‖² − λ·KL; shape (B,)."""
    return -0.5 * (x - mean_g).square().sum(dim=1) - lam * kl_to_prior(mean_i, var_i)


def elbo_one_sample(x, mean_g, mean_i, var_i, lam):
    """log N(x; μ_G, λI) − KL; shape (B,)."""
    decoder = DiagonalGaussian(mean_g, torch.full_like(mean_g, lam))
    return decoder.log_prob(x) - kl_to_prior(mean_i, var_i)


def misprint(x, mean_g, mean_i, var_i, lam):
    """−‖x − μ_G‖² + KL, as some drafts have it."""
    return -(x - mean_g).square().sum(dim=1) + kl_to_prior(mean_i, var_i)


# %%
B, D, d, lam = 64, 20, 3, 0.3
images, mean_g = torch.randn(2, B, D, generator=generator, dtype=torch.float64)
mean_i = torch.randn(B, d, generator=generator, dtype=torch.float64)
var_i = torch.rand(B, d, generator=generator, dtype=torch.float64) + 0.1
inputs = (images, mean_g, mean_i, var_i, lam)

constant = 0.5 * lam * D * math.log(2 * math.pi * lam)
residual = objective_13_28(*inputs) - (lam * elbo_one_sample(*inputs) + constant)
claim("J = λ·ELBO₁ + (λD/2)·log(2πλ), to 1e-12", residual.abs().max() < 1e-12)


# %%
def correlation(a, b):
    return torch.corrcoef(torch.stack([a, b]))[0, 1]


elbo = elbo_one_sample(*inputs)
claim(
    "J and ELBO₁ are perfectly correlated (1, to 1e-12)",
    abs(correlation(objective_13_28(*inputs), elbo) - 1) < 1e-12,
)
claim_between(
    "correlation of the misprint and ELBO₁", correlation(misprint(*inputs), elbo), 0.95, 0.999
)
without_half = -(images - mean_g).square().sum(dim=1) - lam * kl_to_prior(mean_i, var_i)
doubled = 2 * objective_13_28(images, mean_g, mean_i, var_i, lam / 2)
claim(
    "losing only the ½ gives (13.28) with λ/2, times 2, to 1e-12",
    (without_half - doubled).abs().max() < 1e-12,
)

# %% [markdown]
# The correlation of the misprint is still high, because the reconstruction dominates both. That is what makes such a slip hard to notice: the
# network learns to reconstruct. But its KL is *rewarded*, and the KL's gradient with respect to $\mu_I$ points the wrong way.

# %%
mean_i.requires_grad_(True)
gradients = {
    name: torch.autograd.grad(function(*inputs).sum(), mean_i)[0]
    for name, function in (
        ("elbo", elbo_one_sample),
        ("J", objective_13_28),
        ("misprint", misprint),
    )
}
claim("∇J = λ·∇ELBO₁, to 1e-12", (gradients["J"] - lam * gradients["elbo"]).abs().max() < 1e-12)
claim(
    "the misprint pushes every code away from the prior", (gradients["misprint"] * mean_i > 0).all()
)

# %% [markdown]
# ## 4 · Training on handwritten digits
#
# The images are MNIST digits (LeCun and others 1998), 28 × 28 grey values between 0 and 1, flattened to $D=784$. The course ships 5,000 of them, 4,000
# to train on and 1,000 to test on; if you point `GM_COURSE_DATA` at the full set, that is used instead. Grey values are turned into binary pixels by drawing each pixel as
# black with its grey value as probability, freshly every time an image is used (**dynamic binarisation**, 动态二值化, Salakhutdinov and Murray
# 2008). A Bernoulli decoder, whose outputs $\gamma_1,\dots,\gamma_D$ are the probabilities of black, is then the right likelihood,
# $\log p(x|z)=\sum_{j=1}^{D} x_j\log\gamma_j+(1-x_j)\log(1-\gamma_j)$, and $\log p(x)$ is the logarithm of a probability: it can be compared between
# models, and is never positive.

# %%
from gm_course.data import Batches, load_mnist
from gm_course.networks import BernoulliGenerator, InferenceNetwork
from gm_course.vae import VAE

train_set = load_mnist("train", device=runtime.device)
test_set = load_mnist("test", device=runtime.device)
claim("each image is a row of 784 numbers", train_set.images.shape[1] == 784)
claim("they lie in [0, 1]", train_set.images.min() >= 0 and train_set.images.max() <= 1)
claim("there are at least 4,000 of them to train on", len(train_set) >= 4_000)

# %% [markdown]
# Both networks have two hidden layers of 200 units (500 in the profile `full`). The inference network returns $\mu_I$ and, through
# $\operatorname{softplus}(a)=\log(1+e^a)$, which is always positive, the variances $\sigma_I^2$. The latent variable has **two** dimensions: too
# few for sharp images, but they fit on a page, and that is what we want to see.

# %%
hidden = runtime.sizes.vae_hidden
vae = VAE(
    InferenceNetwork(data_dim=784, latent_dim=2, hidden=hidden),
    BernoulliGenerator(latent_dim=2, data_dim=784, hidden=hidden),
).to(runtime.device)

# %% [markdown]
# The loss is the negative ELBO with one sample, averaged over the minibatch (Kingma and Welling 2014): everything from sections 1 and 2 in a few
# lines. It also reports its two halves, so that we can watch them separately; as part of a loss, the reconstruction term is
# $-\log p(x|z)$.


# %%
def negative_elbo(batch: torch.Tensor, generator: torch.Generator) -> dict[str, torch.Tensor]:
    x = torch.bernoulli(batch, generator=generator)  # dynamic binarisation, (B, D)
    q = vae.posterior(x)  # N(μ_I, diag σ_I²), (B, d)
    noise = torch.randn(q.mean.shape, generator=generator, device=x.device)
    z = q.mean + q.var.sqrt() * noise  # reparameterisation, (B, d)
    reconstruction = -vae.decode(z).log_prob(x).mean()
    kl = gaussian_kl(q.mean, q.var).mean()
    return {"loss": reconstruction + kl, "reconstruction": reconstruction, "KL": kl}


# %% [markdown]
# The training loop is the course's own: it draws minibatches, calls the loss, and shows a progress bar. You may interrupt the
# second cell with the stop button, look at the results so far, and run it again to go on.

# %%
from gm_course.profiles import MOST_PASSES
from gm_course.training import Player, Trainer

optimiser = torch.optim.Adam(vae.parameters(), lr=2e-3, fused=True)
batches = Batches(train_set.images, 128, generator=runtime.generator(1))
# More steps need more data: after too many passes over few images the test loss rises again.
steps = min(runtime.sizes.vae_steps, MOST_PASSES * batches.steps_per_epoch)
trainer = Trainer(
    {"vae": Player(vae, optimiser, negative_elbo)}, batches, generator=runtime.generator(2)
)

# %%
history = trainer.run(steps)

# %%
# Binarised once, for all tests.
test_x = torch.bernoulli(test_set.images, generator=runtime.generator(3))
with torch.no_grad():
    test_terms = vae.elbo(test_x, generator=runtime.generator(4), samples=10)
test_loss = {
    "loss": -test_terms.elbo.mean().item(),
    "reconstruction": -test_terms.reconstruction.mean().item(),
    "KL": test_terms.kl.mean().item(),
}
plotting.loss_curves(history["vae"], ylabel="nats per image", reference=test_loss)

# %% [markdown]
# **What to see.** The reconstruction term falls throughout. The KL, after a spike of the first iterations, *rises*: at first the codes carry nothing,
# and every nat of information that the network learns to put into $z$ is paid for here, and repaid with interest by a better reconstruction. A KL
# that stays at zero is an alarm; section 8 produces one. The dashed lines are the test set, about two nats worse so far. Fresh binarisation delays
# overfitting but does not prevent it: trained ten times longer on these 4,000 digits, the two part by more than ten nats.
#
# The first value lies far above the figure. It can be predicted: an untrained decoder says "black with probability one half" of every pixel, and so pays
# $784\cdot\log 2\approx 543$ nats.

# %%
curve = history["vae"]["loss"]
fair_coins = 784 * math.log(2)
claim_between(
    "first loss, minus that of a fair coin per pixel (nats)", curve[0] - fair_coins, -2, 20
)
claim_between("negative ELBO at the end, on the test set", test_loss["loss"], 120, 165)
claim_between("KL at the end, on the test set", test_loss["KL"], 4, 9)

# %% [markdown]
# ## 5 · Reconstructions and samples
#
# A *reconstruction* encodes a test image to $\mu_I$ and decodes it again. A *sample* starts from nothing: $z\sim N(0,I)$, then the decoder's
# mean (ancestral sampling, 祖先采样, without the pixel noise).

# %%
one_of_each = torch.cat([(test_set.labels == digit).nonzero()[:1, 0] for digit in range(10)])
with torch.no_grad():
    originals = test_x[one_of_each]
    reconstructions = vae.decode(vae.posterior(originals).mean).mean
plotting.image_rows(
    {
        "grey values": test_set.images[one_of_each].reshape(-1, 28, 28),
        "binarised": originals.reshape(-1, 28, 28),
        "reconstruction": reconstructions.reshape(-1, 28, 28),
    }
)

# %%
with torch.no_grad():
    z = vae.sample_prior(40, generator=runtime.generator(5))
    samples = vae.decode(z).mean
plotting.image_grid(
    samples.reshape(-1, 28, 28), columns=10, title="decoded samples of the prior N(0, I)"
)

# %% [markdown]
# **What to see.** Most reconstructions show the right digit; some are smears between two, or the wrong one, because with only two numbers one digit's
# code is easily another's. Decoded images are smooth, the binarised ones noisy: the decoder reports a *probability* for each pixel and hedges wherever
# the code does not determine it, and that is where a VAE's blur comes from.

# %%
with torch.no_grad():
    right = (reconstructions - originals).square().mean()
    shuffled = (reconstructions - originals.roll(1, dims=0)).square().mean()
claim("a reconstruction is closer to its own original than to its neighbour's", right < shuffled)
claim_between(
    "share of black in the samples, relative to the data's",
    samples.mean() / test_x.mean(),
    0.8,
    1.2,
)

# %% [markdown]
# ## 6 · The latent manifold (隐变量流形)
#
# Two views of the same plane. **Left:** where the inference network puts the test digits. The network never saw a label; the
# colours only show what it found out by itself. **Right:** what the generator network makes of every place. The grid is not spaced evenly in $z$
# but in probability: its coordinates are $\Phi^{-1}(u)$ for evenly spaced $u$, where $\Phi$ is the distribution function of $N(0,1)$.
# Each image then stands for the same share of the prior.

# %%
size = 15
u = torch.linspace(0.03, 0.97, size)
coordinates = torch.special.ndtri(u)  # Φ⁻¹(u), ascending
z2, z1 = torch.meshgrid(coordinates.flip(0), coordinates, indexing="ij")  # row 0: largest z₂
grid = torch.stack([z1, z2], dim=-1).to(runtime.device)  # (size, size, 2)
with torch.no_grad():
    codes = vae.posterior(test_x).mean  # (N, 2)
    decoded = vae.decode(grid).mean.reshape(size, size, 28, 28)
plotting.latent_manifold(codes, test_set.labels, decoded, coordinates=coordinates.tolist())

# %% [markdown]
# **What to see.** Most digits of a kind lie together, and neighbours on the left look alike on the right: walk from any digit to another and it
# changes shape gradually, without a cliff. The middle is crowded, and there some kinds overlap, as 4 and 9 do. The codes fill roughly the region of
# the prior, a little more widely than it does: the KL term has pressed them there, and that is the reason why samples of the prior decode to digits at
# all. An autoencoder without that term leaves holes ([exercise 13-3](../exercises/13-3.ipynb)).

# %%
train_x = torch.bernoulli(train_set.images[:4_000], generator=runtime.generator(9))
with torch.no_grad():
    train_codes = vae.posterior(train_x).mean
nearest = torch.cdist(codes[:1_000], train_codes).argmin(dim=1)
agrees = train_set.labels[nearest] == test_set.labels[:1_000]
claim_between(
    "share of test digits whose nearest training code has the same label",
    agrees.float().mean(),
    0.5,
    1,
)
claim_between("mean squared coordinate of the codes (prior: 1)", codes.square().mean(), 1, 2)

# %% [markdown]
# **Explore it.** Move the two sliders, or give one of them the focus and use the arrow keys. The cross shows where you are among the encoded test digits, the
# image what the generator network makes of that place. Walk slowly from the region of one digit to that of another and watch what becomes of the
# strokes. Then leave the cloud of codes altogether: out there no code ever was in training, and the images say so. (Without a kernel you see
# the starting point; the two panels above show the rest.)

# %%
from gm_course.widgets import Explorer, slider

shown_codes, shown_labels = codes[:600].cpu(), test_set.labels[:600].cpu()


def decoded_code(z1, z2):
    code = torch.tensor([[z1, z2]], device=runtime.device)
    with torch.no_grad():
        image = vae.decode(code).mean.reshape(28, 28)
    return plotting.decoded_code(shown_codes, shown_labels, (z1, z2), image)


Explorer(
    decoded_code,
    z1=slider("latent coordinate z₁", -4, 4, start=2, step=0.1),
    z2=slider("latent coordinate z₂", -4, 4, start=0, step=0.1),
)

# %% [markdown]
# ## 7 · How far is the ELBO from log p(x)?
#
# The ELBO is a bound, and so far we do not know how loose. Burda, Grosse and Salakhutdinov (2016) tighten it with $K$ samples:
#
# $$\mathcal L_K = E\Big[\log\frac1K\sum_{k=1}^{K} w_k\Big],\qquad w_k=\frac{p(x,z^{(k)})}{q(z^{(k)}|x)},\quad z^{(k)}\sim q(z|x).$$
#
# The average inside the logarithm is an unbiased estimate of $p(x)$ (importance sampling, 重要性采样). The logarithm of an average lies above the
# average of logarithms, so $\mathcal L_1=\text{ELBO}\le\mathcal L_K\le\mathcal L_{K+1}\le\log p(x)$, and $\mathcal L_K\to\log p(x)$ as $K$ grows.
# Note where the average stands: averaging *inside* the logarithm tightens the bound, averaging *outside* ($M$ in section 1) only removes noise.
#
# Does it converge to the right number? In the model of section 1 we know $\log p(x)$:

# %%
tightened = {
    K: log_weights(2_000 * K, generator).reshape(2_000, K).logsumexp(dim=1).mean() - math.log(K)
    for K in (1, 10, 100, 1_000)
}
below = {K: (log_evidence - bound).item() for K, bound in tightened.items()}
claim("each factor of ten brings it closer", below[1] > below[10] > below[100] > abs(below[1_000]))
claim_between("K = 1,000: nats below log p(x)", below[1_000], -0.005, 0.01)

# %% [markdown]
# For the VAE we do not know $\log p(x)$, and this is how it is estimated:

# %%
counts = (1, 10, 100, 1_000)
subset = test_x[:200]
bounds = [
    vae.log_likelihood(subset, samples=K, generator=runtime.generator(6)).mean().item()
    for K in counts
]
claim("the bound rises with K", all(low < high for low, high in itertools.pairwise(bounds)))
claim_between("nats per image between K = 1 and K = 1,000", bounds[-1] - bounds[0], 1, 10)
claim(
    "the last factor of ten brings less than the first",
    bounds[3] - bounds[2] < bounds[1] - bounds[0],
)

# %%
figure, (axis,) = plotting.new_figure(size=(5.2, 3.2))
axis.semilogx(counts, bounds, "o-", color=plotting.COLOURS[0])
axis.axhline(bounds[0], color="black", linestyle="--", label="ELBO (K = 1)")
axis.set(xlabel="importance samples K", ylabel="bound on log p(x)\n(nats per image)")
axis.legend()
figure

# %% [markdown]
# **What to see.** The curve climbs and flattens. The height of the last point above the dashed line estimates $\mathrm{KL}(q(z|x),p(z|x))$, from below. That
# gap has two causes: the posterior is not a Gaussian with independent coordinates, and a single network must find $q$ for every image (amortised
# inference, 摊销推断; Cremer, Li and Duvenaud 2018 take the two apart). When you compare models, compare $\mathcal L_K$ with the same $K$ and the same
# binarisation, not the ELBO: a model may have a better ELBO only because its posterior is simpler.

# %% [markdown]
# ## 8 · What λ does, and posterior collapse (后验坍塌)
#
# In (13.28) the number $\lambda$, the decoder's variance, weighs the KL against the squared error. It is not a matter of taste. A latent
# dimension that carries information costs KL and pays with a smaller squared error, and $\lambda$ sets the exchange rate. If no dimension pays, the optimal
# inference network ignores the image: $q(z|x)=N(0,I)$ for every $x$, the KL is zero, and the generator decodes everything to
# the mean image. That is **posterior collapse**.
#
# For a *linear* generator one can say exactly when. It is probabilistic principal component analysis (概率主成分分析, Tipping and Bishop 1999), and at the optimum a latent
# dimension is used if and only if its principal component has a variance above $\lambda$ (Lucas, Tucker, Grosse and Norouzi 2019). With a nonlinear
# generator this is only a guide, good for large $\lambda$ and too generous for small. The 8 × 8 digits of scikit-learn (Alpaydin and Kaynak 1998)
# are small enough to try:

# %%
from gm_course.data import load_digits8
from gm_course.metrics import active_units
from gm_course.networks import GaussianGenerator

small_train = load_digits8("train", device=runtime.device)
small_test = load_digits8("test", device=runtime.device)
component_variances = torch.linalg.eigvalsh(small_train.images.T.cov().cpu().double()).flip(0)
claim_between("largest principal variance of the 8 × 8 digits", component_variances[0], 0.65, 0.75)
claim("exactly 3 principal variances exceed λ = 0.4", (component_variances > 0.4).sum() == 3)

# %% [markdown]
# We train the same VAE, ten latent dimensions, with four values of $\lambda$. Divided by $\lambda$, $-J$ is the negative ELBO up to a constant, in nats.


# %%
def small_vae(lam: float) -> VAE:
    torch.manual_seed(0)  # the same initial weights every time
    generator_network = GaussianGenerator(10, 64, hidden=(64,), var=lam)
    return VAE(InferenceNetwork(64, 10, hidden=(64,)), generator_network).to(runtime.device)


def train(model: VAE, loss) -> VAE:
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3, fused=True)
    batches = Batches(small_train.images, 128, generator=runtime.generator(7))
    Trainer({"vae": Player(model, optimiser, loss)}, batches, generator=runtime.generator(8)).run(
        1_500
    )
    return model


# %%
def minus_j_over_lambda(model: VAE, lam: float):
    def loss(x, generator):
        q = model.posterior(x)
        mean_g = model.decode(q.sample(generator=generator)).mean
        return {"loss": -objective_13_28(x, mean_g, q.mean, q.var, lam).mean() / lam}

    return loss


models = {}
for lam in (0.01, 0.1, 0.4, 0.8):
    model = small_vae(lam)
    models[lam] = train(model, minus_j_over_lambda(model, lam))

# %% [markdown]
# A latent unit is **active** (活跃单元) if its posterior mean $\mu_{I,j}(x)$ varies over the data; the usual threshold is a variance of 0.01 (Burda et al. 2016). A
# collapsed unit has $\mu_{I,j}(x)=0$ for all $x$.

# %%
with torch.no_grad():
    posteriors = {lam: model.posterior(small_test.images) for lam, model in models.items()}
active = {lam: int(active_units(q.mean).sum()) for lam, q in posteriors.items()}
kl = {lam: gaussian_kl(q.mean, q.var).mean().item() for lam, q in posteriors.items()}

claim("λ = 0.01: at least 8 of the 10 units are active", active[0.01] >= 8)
claim("λ = 0.4: exactly 3 active units, as many as principal variances above 0.4", active[0.4] == 3)
claim("λ = 0.8, above every principal variance: no active unit", active[0.8] == 0)
claim("λ = 0.8: the KL is below 0.05 nats", kl[0.8] < 0.05)
linear_rule = int((component_variances > 0.1).sum())
claim(
    "λ = 0.1: the linear rule would use all 10 units, this VAE uses fewer",
    linear_rule >= 10 > active[0.1],
)

# %%
order = {lam: q.mean.var(dim=0).sort(descending=True).values.cpu() for lam, q in posteriors.items()}
figure, axes = plotting.new_figure(len(order), size=(2.5, 2.6))
for axis, (lam, variances), colour in zip(axes, order.items(), plotting.COLOURS, strict=False):
    axis.bar(range(1, 11), variances, color=colour)
    axis.axhline(0.01, color="black", linestyle="--", linewidth=1)
    axis.set(title=f"λ = {lam}: {active[lam]} active", xlabel="latent unit, sorted", ylim=(0, 1.15))
axes[0].set_ylabel("variance of $\\mu_I$ over the data")
figure

# %%
with torch.no_grad():
    rows = {"original": small_test.images[:12]} | {
        f"λ = {lam}": model.decode(posteriors[lam].mean[:12]).mean for lam, model in models.items()
    }
plotting.image_rows({name: images.reshape(-1, 8, 8) for name, images in rows.items()}, scale=0.6)

# %% [markdown]
# **What to see.** From left to right units switch off one after the other; the dashed line is the threshold. Most units are either far above it or
# practically on the floor; a bar close to the line is undecided, and with more steps or another seed it may fall or grow. In the images the row for
# $\lambda=0.8$ shows one and the same grey cloud for every digit: the mean of the data.
#
# Was that training merely unlucky? Start it from a model that does use its codes, the one trained with $\lambda=0.1$:

# %%
restarted = copy.deepcopy(models[0.1])
train(restarted, minus_j_over_lambda(restarted, 0.8))
with torch.no_grad():
    restarted_means = restarted.posterior(small_test.images).mean
claim(
    "λ = 0.8, started from a model with active units: none is left",
    not active_units(restarted_means).any(),
)

# %% [markdown]
# It is the objective that asks for the collapse, and training obeys.
#
# ### Failure museum: the mean over the pixels
#
# The same thing happens by accident. Library functions for the squared error average over the $D$ pixels by default, while (13.28) sums over them.
# With the same $\lambda$ in both lines,
#
# $$\underbrace{\frac{1}{2\lambda}\sum_{i=1}^{D}(x_i-\mu_{G,i})^2+\mathrm{KL}}_{-J/\lambda}
#   \qquad\text{and}\qquad
#   \frac{1}{2\lambda}\cdot\frac1D\sum_{i=1}^{D}(x_i-\mu_{G,i})^2+\mathrm{KL}
#   =\frac{1}{2\,(\lambda D)}\sum_{i=1}^{D}(x_i-\mu_{G,i})^2+\mathrm{KL}.$$
#
# The second is the first with $\lambda D$ in place of $\lambda$. For these digits $D=64$, and an innocent $\lambda=0.1$ acts like 6.4, far above the largest
# principal variance of 0.7. One word in the code decides; here it is a switch, and you may turn it.

# %%
from gm_course.museum import posterior_collapse
from gm_course.museum.exhibit import read_ranges

SWITCH = posterior_collapse.MEAN  # or posterior_collapse.SUM

print(inspect.getsource(posterior_collapse.negative_elbo))

# %%
outcomes = {
    setting: posterior_collapse.run(setting, seed=0, device=runtime.device)
    for setting in (posterior_collapse.SUM, SWITCH)
}
ranges = read_ranges("../benchmarks/results/failure_museum.json", posterior_collapse.EXHIBIT)
normal = ranges[posterior_collapse.SUM]
print(f"normal range of the signal, {posterior_collapse.EXHIBIT.signal}: {normal}")
claim("sum over pixels: at least 4 active units", outcomes[posterior_collapse.SUM].signal >= 4)
claim(
    f"{SWITCH}: fewer than half of the active units that the normal range begins with",
    outcomes[SWITCH].signal < normal.low / 2,
)

# %%
museum_images = {"original": small_test.images[:12]}
for setting, outcome in outcomes.items():
    with torch.no_grad():
        means = outcome.model.posterior(small_test.images[:12]).mean
        museum_images[setting] = outcome.model.decode(means).mean
plotting.image_rows({k: v.reshape(-1, 8, 8) for k, v in museum_images.items()}, scale=0.6)

# %% [markdown]
# **What to see.** The sum keeps enough units to tell the digits apart; the mean decodes every digit to the same cloud. The normal range tells bad luck from a bug: it
# spans what five healthy runs with different seeds gave, so a count of 0 is not bad luck. Look for a mean where a sum belongs.

# %% [markdown]
# ## What commonly goes wrong
#
# | symptom | cause | how to tell |
# |---|---|---|
# | KL near 0, every sample alike | posterior collapse: $\lambda$ too large, often through a mean over pixels | `active_units` |
# | KL very large, growing without bound | the sign of the KL | the two loss terms |
# | KL disagrees with Monte Carlo, or is NaN | $\sigma$ or $\log\sigma^2$ where $\sigma^2$ is meant | section 2 |
# | positive "log-likelihood" | a density, not a probability: a Gaussian decoder | section 4 |
# | a "log-likelihood" that is none | grey values under a Bernoulli decoder: the "probabilities" of all grey images do not integrate to 1 | section 4; lecture [3](03-inference-and-generator-networks.ipynb) |
# | NaN after a while | $\log\sigma^2$ of a variance that reached 0 | the trainer names the step |
# | two papers' numbers cannot be compared | different binarisation, or ELBO against $\mathcal L_K$ | read the fine print |
#
# ## Questions
#
# 1. Why may a single sample per data point suffice, although the estimate for one image is off by several nats?
#
# <details><summary>Answer</summary>
#
# The estimate is unbiased, and so is its gradient. A minibatch averages over 128 images and training over thousands of minibatches; the noise averages out
# while the bias, which would not, is zero.
#
# </details>
#
# 2. Increase $M$ from 1 to 1,000 in section 1, or $K$ from 1 to 1,000 in section 7. Which one comes closer to $\log p(x)$, and why?
#
# <details><summary>Answer</summary>
#
# $K$. An average outside the logarithm estimates the ELBO more precisely and stays below $\log p(x)$ by $\mathrm{KL}(q,p(z|x))$. An average inside the
# logarithm estimates $p(x)$ itself.
#
# </details>
#
# 3. In section 8, would 100 latent dimensions instead of 10 prevent the collapse at $\lambda=0.8$?
#
# <details><summary>Answer</summary>
#
# For a linear generator, no: no direction of these data has a variance above 0.8, so no unit, however many there are, earns back the KL it costs. For this
# VAE, try it.
#
# </details>
#
# 4. What is the limit of (13.28) as $\lambda\to 0$, and what is lost in that limit?
#
# <details><summary>Answer</summary>
#
# The squared error of an autoencoder (自编码器). Nothing rewards a variance any more, so $\sigma_I^2$ shrinks to 0 and the codes become points, which may lie
# anywhere; samples of the prior then no longer decode to digits (exercise 13-3).
#
# </details>

# %% [markdown]
# ## Equations of this lecture
#
# The equations with a name, `monte-carlo-elbo`, `gaussian-kl-general`, `gaussian-kl-standard`, `objective-13-28` and `objective-is-scaled-elbo`, are rows of the
# course's ledger: each is compared with the same quantity computed in another way. `gm-course ledger` prints all of them.

# %%
from gm_course.ledger import vae_training
from gm_course.ledger.equation import show_equations

show_equations(vae_training.EQUATIONS)

# %% [markdown]
# ## Summary
#
# - One sample gives an unbiased ELBO; more samples reduce its variance as $1/M$ and leave the gap to $\log p(x)$ alone.
# - The Gaussian KL has a closed form in $\sigma^2$. In our example it lowers the noise of the gradient, though not that of the value.
# - (13.28) is $\lambda$ times the one-sample ELBO plus a constant: $-\tfrac12\|x-\mu_G\|^2-\lambda\,\mathrm{KL}$, with a half and a minus.
# - Reconstruction and KL are an exchange: the codes take information only where it pays more than it costs.
# - Importance weighting measures the looseness of the bound; active units measure collapse.
#
# **Exercises that belong to this lecture:** [13-2](../exercises/13-2.ipynb) (derive (13.28)) and [13-3](../exercises/13-3.ipynb) (how a VAE
# differs from an autoencoder).
#
# ## References
#
# - D. P. Kingma, M. Welling, *Auto-Encoding Variational Bayes*, 2014.
# - D. J. Rezende, S. Mohamed, D. Wierstra, *Stochastic Backpropagation and Approximate Inference in Deep Generative Models*, 2014.
# - Y. Burda, R. Grosse, R. Salakhutdinov, *Importance Weighted Autoencoders*, 2016.
# - R. Salakhutdinov, I. Murray, *On the Quantitative Analysis of Deep Belief Networks*, 2008.
# - G. Roeder, Y. Wu, D. Duvenaud, *Sticking the Landing: Simple, Lower-Variance Gradient Estimators for Variational Inference*, 2017.
# - M. E. Tipping, C. M. Bishop, *Probabilistic Principal Component Analysis*, 1999.
# - C. Cremer, X. Li, D. Duvenaud, *Inference Suboptimality in Variational Autoencoders*, 2018.
# - Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, *Gradient-Based Learning Applied to Document Recognition*, 1998 (MNIST).
# - E. Alpaydin, C. Kaynak, *Cascading Classifiers*, 1998 (the 8 × 8 digits).
# - J. Lucas, G. Tucker, R. Grosse, M. Norouzi, *Don't Blame the ELBO! A Linear VAE Perspective on Posterior Collapse*, 2019.
