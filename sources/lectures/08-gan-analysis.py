# %% [markdown]
# # 8 · What a GAN minimises (生成对抗网络的分析)
#
# *Section 13.3.5 of the chapter.*
#
# Lecture 6 trained a generator against a discriminator, and it worked, most of the time. *Why* should it? And when it fails, why in just these two
# ways: the generator stops learning, or it produces the same few things over and over? This lecture answers with one idea. Imagine a discriminator
# that is the best possible one at every moment. Then the game disappears, and what the generator minimises can be written down: a divergence between
# two distributions. The shape of that divergence explains a good deal of what goes wrong. Not all of it, though, and we shall be careful to say where the explanation
# ends.
#
# **After this lecture you will be able to**
#
# - derive the optimal discriminator, and recognise it in a trained one;
# - show that with it the generator minimises the Jensen-Shannon divergence, and say why this holds for *that* discriminator only;
# - explain, and measure, the vanishing gradient (梯度消失) of the saturating loss, and the wrong gradient of a weak discriminator;
# - derive what the non-saturating loss minimises, and say what has to be held fixed in that argument;
# - tell forward from reverse KL by what each of them forgives;
# - provoke mode collapse (模型坍塌), measure it, and judge which explanations of it stand up to an experiment.
#
# **You need** [lecture 6](06-generative-adversarial-networks.ipynb): a discriminator (判别网络) returns $D(x)=\operatorname{sigmoid}(s(x))$, the probability that $x$ is
# real, and the players fight over the value
#
# $$L(\theta,\phi)=E_{x\sim p_r}[\log D(x;\phi)]+E_{x\sim p_\theta}[\log(1-D(x;\phi))],$$
#
# which the discriminator maximises over $\phi$ and the generator (生成网络) minimises over $\theta$. Here $p_r$ is the distribution of the real data and
# $p_\theta$ that of the generated ones; $s$ is the **logit**. All logarithms are natural.

# %%
import math

import torch
from torch.nn.functional import cosine_similarity, logsigmoid

import gm_course
from gm_course import plotting
from gm_course.claims import claim, claim_between

runtime = gm_course.setup(seed=0)

# %% [markdown]
# ## 1 · The best discriminator there is
#
# Hold the generator fixed and suppose that $D$ may be *any* function with values in $(0,1)$. Write both expectations as one integral:
#
# $$L=\int\Big[p_r(x)\log D(x)+p_\theta(x)\log(1-D(x))\Big]dx .$$
#
# The value $D(x)$ at one point appears only in the integrand at that point. So the integral is largest if the integrand is, *at every $x$ separately*. With
# $a=p_r(x)$ and $b=p_\theta(x)$ we have to maximise $h(D)=a\log D+b\log(1-D)$ over a single number:
#
# $$h'(D)=\frac aD-\frac b{1-D}=0\quad\Longleftrightarrow\quad a(1-D)=bD\quad\Longleftrightarrow\quad D=\frac a{a+b},$$
#
# and $h''(D)=-a/D^2-b/(1-D)^2<0$, so this is the maximum (for $a,b>0$; where only one density is positive, $h$ grows towards the edge, 0 or 1, that the
# formula names). This is the **optimal discriminator** (最优判别器, `optimal-discriminator`):
#
# $$\boxed{\;D^*(x)=\frac{p_r(x)}{p_r(x)+p_\theta(x)}\;}$$
#
# It is Bayes' rule for "real or generated?" with equal priors, and its logit is $s^*(x)=\log p_r(x)-\log p_\theta(x)$: *a discriminator estimates a ratio of
# densities*. (Goodfellow and others 2014; [exercise 13-4](../exercises/13-4.ipynb) asks for this proof.)
#
# To see it we need densities that we know. Let the data come from a mixture of two Gaussians on the line, and the model be a single Gaussian. Integrals are sums over
# a fine grid here (**quadrature**, 数值积分): 641 points, each with a weight, the distance of its neighbours.

# %%
from gm_course.distributions import GaussianMixture

x = torch.linspace(-8, 8, 641, dtype=torch.float64)  # grid, (n,)
w = torch.full_like(x, 16 / 640)  # quadrature weights, (n,)
data = GaussianMixture(
    torch.tensor([[-1.0], [2.0]], dtype=torch.float64),
    std=torch.tensor([0.5, 0.8], dtype=torch.float64),
)
log_r = data.log_prob(x[:, None])  # log p_r on the grid, (n,)


def log_model(parameters: torch.Tensor) -> torch.Tensor:
    """log p_θ on the grid, (n,): a Gaussian with θ = (mean, log of the standard deviation)."""
    mean, log_std = parameters
    return -0.5 * ((x - mean) / log_std.exp()) ** 2 - log_std - 0.5 * math.log(2 * math.pi)


theta = torch.tensor([-0.5, math.log(0.9)], dtype=torch.float64)
log_g = log_model(theta)
claim("both densities have mass 1 on the grid, to 1e-10", abs(log_r.exp() @ w - 1) < 1e-10)
claim("the same for the model", abs(log_g.exp() @ w - 1) < 1e-10)

# %% [markdown]
# We compute with the logit, because $\log D=\log\operatorname{sigmoid}(s)$ and $\log(1-D)=\log\operatorname{sigmoid}(-s)$ stay finite where $D$ rounds to 0 or 1. First
# test: does anything beat $s^*$? We add bumps of random height, place and width to it.


# %%
def value(logit: torch.Tensor, log_g: torch.Tensor) -> torch.Tensor:
    """E_{p_r} log D + E_{p_θ} log(1 − D) by quadrature; logits (n,) or (n, N) for N of them."""
    return (log_r.exp() * w) @ logsigmoid(logit) + (log_g.exp() * w) @ logsigmoid(-logit)


optimal_logit = log_r - log_g  # log D*/(1 − D*)
generator = torch.Generator().manual_seed(0)
height, place, width = torch.randn(3, 200, generator=generator, dtype=torch.float64)
bumps = height * torch.exp(-(((x[:, None] - 2 * place) / (0.3 + width.abs())) ** 2))  # (n, 200)
best = value(optimal_logit, log_g)

bumped = value(optimal_logit[:, None] + bumps, log_g)
# Bumps far out, where both densities are almost 0, change the value by less than its rounding.
claim("none of 200 bumps improves D* by more than 1e-12", (bumped < best + 1e-12).all())
claim("most of them cost more than 1e-3 nats", (bumped < best - 1e-3).sum() > 100)
claim("D* turned upside down is worse by more than 2 nats", value(-optimal_logit, log_g) < best - 2)

# %% [markdown]
# And does a *network* find it? A real discriminator never sees a density, only samples. Here is the usual training, on fresh samples of both.

# %%
from gm_course.gan import ScoreNetwork, discriminator_loss

torch.manual_seed(0)
dtype = runtime.precise_dtype  # float64, where the device has it
D = ScoreNetwork(1, hidden=(32, 32), activation=torch.nn.Tanh).to(runtime.device, dtype)
optimiser = torch.optim.Adam(D.parameters(), lr=5e-3)
noise = runtime.generator(1)
here = GaussianMixture(data.means.to(dtype), std=data.std.to(dtype)).to(runtime.device)
snapshots = {}
for step in range(1_001):
    if step in (0, 20, 1_000):
        snapshots[step] = D(x[:, None].to(dtype).to(runtime.device)).detach().cpu()
    eps = torch.randn(512, 1, generator=noise, device=runtime.device, dtype=dtype)
    fake = theta[0].item() + theta[1].exp().item() * eps
    loss = discriminator_loss(D(here.sample(512, generator=noise)), D(fake))
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()

# %%
figure, (top, below) = plotting.new_figure(rows=2, size=(6.5, 2.4))
for density, colour, name in ((log_r, 0, "data $p_r$"), (log_g, 1, "model $p_θ$")):
    top.fill_between(x, density.exp(), alpha=0.45, color=plotting.COLOURS[colour], label=name)
below.plot(x, optimal_logit.sigmoid(), color="black", linewidth=3, alpha=0.4, label="D*")
for (step, logit), dash, colour in zip(snapshots.items(), (":", "--", "-"), (6, 4, 2), strict=True):
    below.plot(x, logit.sigmoid(), dash, color=plotting.COLOURS[colour], label=f"step {step:,}")
top.set(xlim=(-4, 5), ylabel="density")
below.set(xlim=(-4, 5), xlabel="x", ylabel="D(x)", ylim=(-0.05, 1.05))
top.legend(loc="upper right")
below.legend(loc="lower right", ncols=2)
figure

# %% [markdown]
# **What to see.** After 1,000 steps the trained discriminator lies on the grey band wherever there are data. It is close to $\tfrac12$ where the two densities cross. On the far left it strays a little:
# hardly a sample ever comes from there, and being close to $D^*$ is only asked of it *where the samples are*.

# %%
middle = 0.5 * (log_r.exp() + log_g.exp()) * w  # mass of p_a = ½(p_r + p_θ), (n,)
error = {
    step: float(middle @ (s.sigmoid() - optimal_logit.sigmoid()).abs())
    for step, s in snapshots.items()
}
claim_between("untrained: mean |D − D*| where the samples are", error[0], 0.15, 0.4)
claim_between("trained: the same", error[1_000], 0, 0.06)
claim("its value does not exceed that of D*", value(snapshots[1_000], log_g) < best)
claim("and comes within 0.03 nats of it", value(snapshots[1_000], log_g) > best - 0.03)

# %% [markdown]
# ## 2 · The value of the game is a JS divergence
#
# Now put $D^*$ into $L$. With $p_a=\tfrac12(p_r+p_\theta)$, the average of the two, $D^*=\dfrac{p_r}{2p_a}$ and $1-D^*=\dfrac{p_\theta}{2p_a}$, so
#
# $$L(G|D^*)=E_{p_r}\Big[\log\frac{p_r}{2p_a}\Big]+E_{p_\theta}\Big[\log\frac{p_\theta}{2p_a}\Big]
#  =\underbrace{E_{p_r}\Big[\log\frac{p_r}{p_a}\Big]}_{\mathrm{KL}(p_r,p_a)}+\underbrace{E_{p_\theta}\Big[\log\frac{p_\theta}{p_a}\Big]}_{\mathrm{KL}(p_\theta,p_a)}-2\log 2 .$$
#
# The **Jensen-Shannon divergence** (JS 散度; Lin 1991) is *half* the sum of these two KL divergences (KL 散度): $\mathrm{JS}(p,q)=\tfrac12\mathrm{KL}(p,p_a)+\tfrac12\mathrm{KL}(q,p_a)$. Hence (`gan-value-is-js`)
#
# $$\boxed{\;L(G|D^*)=2\,\mathrm{JS}(p_r,p_\theta)-2\log 2\;}$$
#
# Two things can go astray in this line, and in circulated notes they do: the factor 2, and the sign of $2\log 2$. The test costs three lines.


# %%
def kl(log_p: torch.Tensor, log_q: torch.Tensor) -> torch.Tensor:
    """KL(p, q) = ∫ p (log p − log q) for densities that are nowhere 0, by quadrature."""
    return (log_p.exp() * (log_p - log_q)) @ w


def js(log_p: torch.Tensor, log_q: torch.Tensor) -> torch.Tensor:
    log_a = torch.logaddexp(log_p, log_q) - math.log(2)  # log ½(p + q)
    return 0.5 * kl(log_p, log_a) + 0.5 * kl(log_q, log_a)


claim(
    "L(G|D*) = 2 JS − 2 log 2, to 1e-12", abs(best - (2 * js(log_r, log_g) - math.log(4))) < 1e-12
)
claim("the half matters: JS without it is off by more than 0.1", js(log_r, log_g) > 0.1)

# %% [markdown]
# At the goal, $p_\theta=p_r$, the logit $s^*$ is 0 everywhere: $D^*=\tfrac12$, $\mathrm{JS}=0$ and $L=-2\log 2$ (`gan-optimum`). It is the *smallest* value that $L(G|D^*)$ can take, since a KL
# divergence is never negative, and zero only if both distributions are equal. So **with the optimal discriminator** the generator minimises $2\,\mathrm{JS}$, and the only minimiser is the data's own distribution.
#
# The words in bold carry the statement. "GANs minimise the JS divergence" is printed without them in many places, and that is not true: a discriminator with any other $D$ gives
# $L\le L(G|D^*)$, so in real training the value is a *lower bound* of $2\,\mathrm{JS}-2\log 2$. Pushing down a lower bound promises nothing about what lies above it. For our three snapshots:

# %%
claim("at p_θ = p_r: L = −2 log 2, to 1e-12", abs(value(0 * x, log_r) + math.log(4)) < 1e-12)
claim("and JS = 0, to 1e-12", js(log_r, log_r).abs() < 1e-12)
bound = {step: float(0.5 * (value(s, log_g) + math.log(4))) for step, s in snapshots.items()}
true_js = js(log_r, log_g).item()
claim("(L + 2 log 2)/2 is below JS for all three networks", max(bound.values()) < true_js)
claim("untrained, it is below a quarter of JS", bound[0] < 0.25 * true_js)
claim("trained, it is above 90 % of JS", bound[1_000] > 0.9 * true_js)

# %% [markdown]
# ## 3 · Two distributions that move apart
#
# How large can JS become? In $\mathrm{KL}(p,p_a)=E_p[\log(p/p_a)]$ the ratio $p/p_a=2p/(p+q)$ is never above 2. So each KL is at most $\log 2$, and with it
#
# $$0\le\mathrm{JS}(p,q)\le\log 2,\qquad\text{with }\mathrm{JS}=\log 2\text{ exactly if the supports are disjoint}$$
#
# (`js-bounds`): where $p>0$ we then have $q=0$ and the ratio *is* 2. (Support, 支撑集: the set where a density is not zero.) The KL divergence itself has no such bound: if $p>0$ where $q=0$, it is infinite.
#
# Now let the model be a copy of the data, moved by $\theta$. For **uniform** densities of width 1 the two overlap on a length $1-|\theta|$. There $p=q$ and nothing is contributed; on the remaining length $|\theta|$ the ratio
# is 2. Hence $\mathrm{JS}=|\theta|\log 2$ up to $|\theta|=1$, and $\log 2$ from there on: flat, whatever $\theta$ is. Its derivative is **zero** (`js-vanishing-gradient`). For comparison we
# also compute the Wasserstein distance (推土机距离, W), the topic of [lecture 9](09-wasserstein-gan.ipynb): how far mass must be carried on average. On the line it is the area between the two
# cumulative distribution functions, and for a shifted copy simply $|\theta|$.
#
# The package's `kl_divergence` and `js_divergence` do what our `kl` and `js` do, and treat zeros correctly: $0\log 0=0$, and a KL divergence that is infinite comes out as `inf`.

# %%
from gm_course.divergences import js_divergence, kl_divergence

h = 0.02
cells = torch.linspace(-4 + h / 2, 4 - h / 2, 400, dtype=torch.float64)  # middle of each cell
widths = torch.full_like(cells, h)
thetas = torch.linspace(-2.5, 2.5, 251, dtype=torch.float64)  # whole numbers of cells


def uniform(shift: torch.Tensor) -> torch.Tensor:
    """Log-density of U(shift − ½, shift + ½) on the cells: 0 inside and −∞ outside."""
    inside = (cells - shift[..., None]).abs() < 0.5
    return torch.where(inside, 0.0, -math.inf).double()


def gaussian(shift: torch.Tensor, std: float = 0.2) -> torch.Tensor:
    scaled = (cells - shift[..., None]) / std
    return -0.5 * scaled**2 - math.log(std * math.sqrt(2 * math.pi))


def wasserstein(log_p: torch.Tensor, log_q: torch.Tensor) -> torch.Tensor:
    """Area between the cumulative distribution functions."""
    return ((log_p.exp() - log_q.exp()) * widths).cumsum(dim=-1).abs() @ widths


# %%
shift = thetas.clone().requires_grad_()
curves, slopes = {}, {}
for shape in (uniform, gaussian):
    p, q = shape(torch.zeros_like(thetas)), shape(shift)  # p_r in every row; p_θ: (m, n)
    curves[shape] = {
        "JS": js_divergence(p, q, widths),
        "KL(p_r, p_θ)": kl_divergence(p, q, widths),
        "KL(p_θ, p_r)": kl_divergence(q, p, widths),
        "W": wasserstein(p, q),
    }
slopes[gaussian] = {
    name: torch.autograd.grad(curve.sum(), shift, retain_graph=True)[0]
    for name, curve in curves[gaussian].items()
}

# %% [markdown]
# Autograd cannot differentiate the uniform case through the grid: its densities jump, and jumps have no derivative that a program could see. There we differentiate the formulas, after testing them.

# %%
size, nowhere = thetas.abs(), torch.full_like(thetas, math.nan)
formulas = {"JS": math.log(2) * shift.abs().clamp(max=1), "W": shift.abs()}
for name, formula in formulas.items():
    claim(
        f"uniform: {name} on the grid is the formula, to 1e-10",
        (formula - curves[uniform][name]).abs().max() < 1e-10,
    )
slopes[uniform] = {
    name: torch.autograd.grad(formulas[name].sum(), shift)[0] if name in formulas else nowhere
    for name in curves[uniform]
}
apart = size > 1.001
for name in ("KL(p_r, p_θ)", "KL(p_θ, p_r)"):
    claim(
        f"uniform: {name} is infinite for every θ ≠ 0",
        (curves[uniform][name][size > 0.01] == math.inf).all(),
    )
claim(
    "disjoint: JS = log 2, to 1e-12",
    (curves[uniform]["JS"][apart] - math.log(2)).abs().max() < 1e-12,
)
claim("disjoint: the slope of JS is exactly 0", (slopes[uniform]["JS"][apart] == 0).all())
claim("disjoint: the slope of W is exactly ±1", (slopes[uniform]["W"][apart].abs() == 1).all())

# %%
from gm_course.plotting.divergence_pictures import Separation, separation_panels
from gm_course.widgets import Explorer, choice, slider


def separation(shape, theta: float) -> Separation:
    """What the panels need; KL of uniforms is infinite, and infinite values are not drawn."""
    at = torch.tensor([0.0, theta], dtype=torch.float64)
    real, model = shape(at).exp()
    title = f"{shape.__name__.capitalize()}, θ = {theta:.1f}".replace("-", "−")
    values = {name: curve.detach() for name, curve in curves[shape].items()}
    return Separation(title, cells, real, model, theta, thetas, values, slopes[shape])


separation_panels([separation(uniform, 1.5), separation(gaussian, 1.5)])

# %% [markdown]
# **What to see.** Top row: no overlap any more at $\theta=1.5$. JS (red, solid) has reached its ceiling $\log 2\approx 0.69$ and its slope is zero. Whether the model is one step or a mile from the data, the JS divergence
# does not know and cannot say in which direction to go. KL is infinite and not drawn. Only W (purple) says how far it is and keeps its slope. Bottom row: Gaussians are
# positive everywhere, so JS never quite reaches $\log 2$ and its slope is never exactly zero. It is only astronomically small. KL is $\theta^2/(2\cdot 0.2^2)$, the same both ways because the two have the
# same shape, and so steep that it leaves the panel almost at once.
#
# **Try it.** Move the slider through 0 and watch the slopes. At which $\theta$ is JS steepest for Gaussians? (At about 0.3, one and a half standard deviations, and not where they are far apart.) How far can uniforms be
# apart before their JS slope dies? (Exactly their width.)

# %%
Explorer(
    lambda shape, theta: separation_panels([separation(shape, theta)]),
    shape=choice("densities", [("uniform", uniform), ("Gaussian", gaussian)]),
    theta=slider("separation θ (units of x)", -2.5, 2.5, start=0.6, step=0.1),
)

# %%
steepness = slopes[gaussian]["JS"].abs()
claim_between("Gaussians: |dJS/dθ| at its steepest", steepness.max(), 1, 2)
claim_between("θ there", thetas[steepness.argmax()].abs(), 0.1, 0.5)
claim("|dJS/dθ| at θ = 2.5 is below 1e-6", steepness[-1] < 1e-6)
claim("|dW/dθ| there is 1, to 1e-6", abs(slopes[gaussian]["W"][-1] - 1) < 1e-6)

# %% [markdown]
# Are disjoint supports a textbook oddity? For images they are the rule. A generator that turns 100 numbers into the 12,288 of a colour image of 64 × 64 pixels cannot fill the space of images: its samples lie on a surface of at most 100 dimensions, and real
# images are thought to lie near a thin surface, too. Two such surfaces in general position meet in a set that has no mass, so that a perfect discriminator exists *however close they are* (Arjovsky and Bottou 2017).
# Then JS $=\log 2$, near or far.
#
# ## 4 · The vanishing gradient (梯度消失), measured
#
# The generator does not differentiate a divergence. It differentiates through the $D$ that it meets. On the eight small Gaussians of lecture 6, we now train a discriminator longer and longer against a generator
# that *stays as it is*, and ask at several times: how long is the generator's gradient, with the saturating loss $E\log(1-D(G(z)))$ and with the non-saturating $-E\log D(G(z))$? (The experiment is that
# of Arjovsky and Bottou 2017, at a small scale.)

# %%
from gm_course.data.toy import ring
from gm_course.gan import nonsaturating_loss, saturating_loss
from gm_course.museum.mode_collapse import ring_players

players = ring_players(seed=0, device=runtime.device)  # untrained
G, D = players["generator"].module, players["discriminator"].module
optimiser = players["discriminator"].optimiser
noise = runtime.generator(2)
z = torch.randn(1_000, 2, generator=noise, device=runtime.device, dtype=dtype)
circle = ring(std=0.05, dtype=dtype).to(runtime.device)


def gradient_length(loss) -> float:
    """Euclidean norm of the gradient in all parameters of G, for fixed noise."""
    parts = torch.autograd.grad(loss(D(G(z))), list(G.parameters()))
    return math.sqrt(sum(part.square().sum().item() for part in parts))


# %%
lengths = {"saturating": {}, "non-saturating": {}}
for step in range(1_001):
    if step in (0, 1, 3, 10, 30, 100, 300, 1_000):
        lengths["saturating"][step] = gradient_length(saturating_loss)
        lengths["non-saturating"][step] = gradient_length(nonsaturating_loss)
    fake = G.sample(128, generator=noise).detach()
    loss = discriminator_loss(D(circle.sample(128, generator=noise)), D(fake))
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()

# %%
figure, (axis,) = plotting.new_figure(size=(5.6, 3.3))
for (name, series), colour, dash in zip(lengths.items(), plotting.COLOURS, "os", strict=False):
    axis.loglog(
        [s + 1 for s in series], list(series.values()), dash + "-", color=colour, label=name
    )
axis.set(xlabel="discriminator steps + 1", ylabel="length of the generator's gradient")
axis.legend()
figure

# %% [markdown]
# **What to see.** The better the discriminator, the *worse* the teacher, if the loss saturates: from the thirtieth step on the gradient falls, in the end by a factor of many millions. (Both axes are logarithmic.) The non-saturating loss
# keeps its gradient, and it even grows. That is why everybody uses it. Yet long is not the same as good: Arjovsky and Bottou also show that these long gradients become noisy.

# %%
dead, alive = lengths["saturating"], lengths["non-saturating"]
claim(
    "saturating: longest among 1 to 100 steps, over 1,000 times that after 1,000 steps",
    max(dead[s] for s in (1, 3, 10, 30, 100)) > 1_000 * dead[1_000],
)
claim("non-saturating: longer after 1,000 steps than before the first", alive[1_000] > alive[0])

# %% [markdown]
# ## 5 · A weak discriminator points the wrong way
#
# So should we train the discriminator *less*? In practice nobody trains it to its optimum, and if the value of the game is only a lower bound, its gradient may be anything. First the good news. Which gradient does the generator get
# from the optimal discriminator, if it treats $D^*$ as a fixed function, although $D^*$ depends on $\theta$? The exact one. Write $L(\theta,D)$ for the value. Then $L(G|D^*)=\max_D L(\theta,D)$, and by the chain rule
#
# $$\nabla_\theta\,L(\theta,D^*_\theta)=\frac{\partial L}{\partial\theta}(\theta,D^*)+\underbrace{\frac{\partial L}{\partial D}(\theta,D^*)}_{=0\text{ at a maximum}}\cdot\frac{\partial D^*_\theta}{\partial\theta}
# =\nabla_\theta\,E_{p_\theta}[\log(1-D^*)]\Big|_{D^*\text{ fixed}}.$$
#
# (The *envelope theorem*, 包络定理; $E_{p_r}\log D$ drops out because with $D$ fixed it does not contain $\theta$.) So with a perfect discriminator the saturating loss has the gradient $2\nabla\mathrm{JS}$, and autograd agrees:

# %%
parameters = torch.tensor([-1.0, math.log(0.8)], dtype=torch.float64, requires_grad=True)
log_g = log_model(parameters)
(true_gradient,) = torch.autograd.grad(2 * js(log_r, log_g), parameters, retain_graph=True)
fixed = (log_r - log_g).detach()  # the logit of D*, held fixed
loss = (log_g.exp() * logsigmoid(-fixed)) @ w  # E_{p_θ} log(1 − D*)
(through_fixed,) = torch.autograd.grad(loss, parameters)
claim(
    "gradient through the fixed D* = 2∇JS, to 1e-12",
    (through_fixed - true_gradient).abs().max() < 1e-12,
)

# %% [markdown]
# Now the bad news. We train fifty small discriminators, one hidden layer with 32 units each, from different initial weights, on the *exact* value (by quadrature, so without any noise from samples). At several times we compare
# the generator's gradient in its two parameters with the true one, by the cosine of the angle between them: 1 is the right direction, below 0 means that a small step *increases* the JS divergence.

# %%
count, hidden = 50, 32
generator = torch.Generator().manual_seed(0)
slope, bias, outer = torch.randn(3, count, hidden, generator=generator, dtype=torch.float64)
weights = [slope, bias, outer / math.sqrt(hidden)]
for weight in weights:
    weight.requires_grad_()


def logits() -> torch.Tensor:
    """All discriminators on every fifth point of the grid, (n', count)."""
    slope, bias, outer = weights
    return (torch.tanh(x[::5, None, None] * slope + bias) * outer).sum(dim=2)


# The columns of J are dp_θ/dmean and dp_θ/dlog std, times quadrature weights: (n', 2)
jacobian = torch.autograd.functional.jacobian(lambda p: log_model(p).exp(), parameters.detach())
J = jacobian[::5] * 5 * w[0]
mass_r, mass_g = 5 * w[0] * log_r.exp()[::5], 5 * w[0] * log_g.detach().exp()[::5]

# %%
optimiser = torch.optim.Adam(weights, lr=1e-2)
cosines = {}
for step in range(301):
    s = logits()
    if step in (0, 1, 3, 10, 30, 100, 300):
        gradients = logsigmoid(-s.detach()).T @ J  # of E log(1 − D) in θ, (count, 2)
        cosines[step] = cosine_similarity(gradients, true_gradient[None])
    loss = -(mass_r @ logsigmoid(s) + mass_g @ logsigmoid(-s)).sum()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()

# %%
figure, (axis,) = plotting.new_figure(size=(5.6, 3.3))
for step, values in cosines.items():
    axis.scatter([step + 1] * count, values, s=14, color=plotting.COLOURS[0], alpha=0.5)
medians = [values.median() for values in cosines.values()]
axis.plot([s + 1 for s in cosines], medians, color=plotting.COLOURS[1], label="median")
axis.axhline(0, color="black", linestyle="--", linewidth=1)
axis.set(xscale="log", xlabel="discriminator steps + 1", ylabel="cosine with the true gradient")
axis.legend(loc="lower right")
figure

# %% [markdown]
# **What to see.** Each dot is one discriminator. Untrained, they point anywhere: about half of them the *wrong* way. After ten steps none does, and after 300 all agree with the gradient of the JS divergence.
# Together with section 4 this is the dilemma of the saturating loss: a weak discriminator gives wrong gradients and a strong one gives none. Hence the advice to keep $D$ "a little stronger than $G$, not too much" (训练稳定性, stability of training).

# %%
wrong = {step: (values < 0).double().mean() for step, values in cosines.items()}
claim_between("untrained: share of wrong directions", wrong[0], 0.25, 0.75)
claim("after 30 steps: none is wrong", wrong[30] == 0)
claim("after 300 steps: every cosine is above 0.95", cosines[300].min() > 0.95)

# %% [markdown]
# ## 6 · What the non-saturating loss minimises
#
# In practice the generator maximises $E_{p_\theta}[\log D]$. Again with $D=D^*$, which divergence is that? Start from the **reverse KL** (逆向 KL 散度), the one whose expectation is over the *model*, and extend the fraction by
# $p_r+p_\theta$:
#
# $$\mathrm{KL}(p_\theta,p_r)=E_{p_\theta}\Big[\log\frac{p_\theta}{p_r}\Big]
# =E_{p_\theta}\Big[\log\frac{p_\theta/(p_r+p_\theta)}{p_r/(p_r+p_\theta)}\Big]
# =E_{p_\theta}[\log(1-D^*)]-E_{p_\theta}[\log D^*].$$
#
# Solve for the last term, then replace $E_{p_\theta}[\log(1-D^*)]$ by $L(G|D^*)-E_{p_r}[\log D^*]$ and use section 2:
#
# $$\boxed{\;E_{p_\theta}[\log D^*]=-\mathrm{KL}(p_\theta,p_r)+2\,\mathrm{JS}(p_r,p_\theta)-2\log 2-E_{p_r}[\log D^*]\;}$$
#
# (`nonsaturating-decomposition`). Every term can be computed independently:

# %%
log_g = log_model(parameters)
log_d = logsigmoid(log_r - log_g)  # log D*, (n,)
left = (log_g.exp() * log_d) @ w
right = -kl(log_g, log_r) + 2 * js(log_r, log_g) - math.log(4) - (log_r.exp() * log_d) @ w
claim("both sides agree, to 1e-12", abs(left - right) < 1e-12)
without_last = right + (log_r.exp() * log_d) @ w
claim("without the last term they differ by more than 0.2", abs(left - without_last) > 0.2)

# %% [markdown]
# Textbooks continue: "the last two terms do not depend on the generator, so maximising $E_{p_\theta}\log D^*$ is minimising $\mathrm{KL}(p_\theta,p_r)-2\,\mathrm{JS}(p_r,p_\theta)$". The conclusion is right, but the reason needs care,
# for $D^*=p_r/(p_r+p_\theta)$ *does* contain $\theta$. What is meant: the generator's step differentiates with the discriminator **held fixed**. Let $D_0$ be the optimal discriminator at the current $\theta_0$. At $\theta=\theta_0$
#
# $$\nabla_\theta\mathrm{KL}(p_\theta,p_r)=\int\nabla p_\theta\,\log\frac{p_\theta}{p_r}\,dx+\underbrace{\int\nabla p_\theta\,dx}_{=\nabla 1=0}
# =\nabla_\theta E_{p_\theta}\Big[\log\frac{1-D_0}{D_0}\Big]=\underbrace{\nabla_\theta E_{p_\theta}[\log(1-D_0)]}_{=\,2\nabla\mathrm{JS},\text{ section 5}}-\nabla_\theta E_{p_\theta}[\log D_0],$$
#
# and therefore, with $D_0$ fixed (Arjovsky and Bottou 2017, theorem 2.5),
#
# $$-\nabla_\theta\,E_{p_\theta}[\log D_0]\Big|_{\theta_0}=\nabla_\theta\big[\mathrm{KL}(p_\theta,p_r)-2\,\mathrm{JS}(p_r,p_\theta)\big]\Big|_{\theta_0}.$$

# %%
target = kl(log_g, log_r) - 2 * js(log_r, log_g)
(target_gradient,) = torch.autograd.grad(target, parameters, retain_graph=True)
held = -(log_g.exp() * log_d.detach()) @ w  # D* fixed, as in training
(held_gradient,) = torch.autograd.grad(held, parameters, retain_graph=True)
(total_gradient,) = torch.autograd.grad(-left, parameters)  # also through D*
claim(
    "D* fixed: gradient = ∇[KL(p_θ, p_r) − 2 JS], to 1e-12",
    (held_gradient - target_gradient).abs().max() < 1e-12,
)
claim(
    "differentiating D* as well gives another one, off by more than 0.05",
    (total_gradient - target_gradient).norm() > 0.05,
)

# %% [markdown]
# Look at the sign of the second term: the non-saturating loss *rewards* a large JS divergence, in contradiction to what we wanted. But JS lies between 0 and $\log 2$, while the reverse KL is unbounded. So far from the goal
# the reverse KL decides. And what does it care for? It is an average over **generated** samples of $\log(p_\theta/p_r)$:
#
# - where the model puts mass and the data have none, $p_r\to 0$ and $\log(p_\theta/p_r)\to\infty$: an implausible sample costs a lot;
# - where the data have mass and the model has none, $p_\theta\log(p_\theta/p_r)\to 0$: a forgotten mode costs nothing at that place.
#
# The **forward KL** (前向 KL 散度) $\mathrm{KL}(p_r,p_\theta)$ has it the other way round. Two models, for data with two modes at $\pm 3$: one *forgets* a mode, the other covers both and *invents* a third between them.

# %%
ends, std = torch.tensor([[-3.0], [3.0]], dtype=torch.float64), 0.5
two_modes = GaussianMixture(ends, std).log_prob(x[:, None])
forgets = GaussianMixture(ends[:1], std).log_prob(x[:, None])
invents = GaussianMixture(torch.cat([ends, ends[:1] * 0]), std).log_prob(x[:, None])

claim_between("forgetting: reverse KL (log 2 = 0.693)", kl(forgets, two_modes), 0.69, 0.70)
claim_between("forgetting: forward KL", kl(two_modes, forgets), 30, 40)
claim_between("inventing: reverse KL", kl(invents, two_modes), 3.5, 4.5)
claim_between("inventing: forward KL (log 1.5 = 0.405)", kl(two_modes, invents), 0.40, 0.41)

# %% [markdown]
# The reverse KL asks a price of only $\log 2$ for losing *half* of the data, and more than five times as much for one sample in three that looks wrong. Such a judge breeds "safe" samples. The forward KL, which is maximum
# likelihood, prefers to invent.
#
# ## 7 · A Gaussian fitted both ways
#
# The chapter's figure shows the same preference geometrically: fit one Gaussian to a mixture of two (Bishop 2006, section 10.1). The **forward** fit has a formula. With $p_\theta=N(\mu,\Sigma)$ in $d$ dimensions, and up to the entropy of $p_r$, which does not
# contain the parameters,
#
# $$\mathrm{KL}(p_r,p_\theta)=\text{const}+\tfrac12\log|\Sigma|+\tfrac12E_{p_r}\big[(x-\mu)^\top\Sigma^{-1}(x-\mu)\big].$$
#
# Its derivative in $\mu$ is $-\Sigma^{-1}E_{p_r}[x-\mu]$, zero at $\mu=E_{p_r}[x]$. With $C$ the covariance of $p_r$ what remains is $\tfrac12\log|\Sigma|+\tfrac12\operatorname{tr}(\Sigma^{-1}C)$. Its derivative in $\Sigma^{-1}$
# is $\tfrac12(C-\Sigma)$: zero at $\Sigma=C$. The forward fit **matches mean and covariance** (`forward-kl-covers`). The **reverse** fit has no formula. We minimise both numerically, on a grid in the plane, from five starting points.

# %%
axis_grid = torch.linspace(-7, 7, 141, dtype=torch.float64)
x2, x1 = torch.meshgrid(axis_grid, axis_grid, indexing="ij")
points = torch.stack([x1.flatten(), x2.flatten()], dim=1)  # (n, 2)
areas = torch.full((len(points),), 0.1**2, dtype=torch.float64)
hills = GaussianMixture(
    torch.tensor([[-2.0, -1.0], [2.0, 1.5]], dtype=torch.float64),
    std=torch.tensor([0.6, 0.8], dtype=torch.float64),
    weights=torch.tensor([0.4, 0.6], dtype=torch.float64),
)
log_hills = hills.log_prob(points)


def unpack(p: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean (2,) and Cholesky factor R of the covariance RRᵀ from five free numbers."""
    return p[:2], torch.stack(
        [torch.stack([p[2].exp(), 0 * p[2]]), torch.stack([p[4], p[3].exp()])]
    )


# %%
def fit(divergence, start: tuple[float, float]) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Mean, covariance and divergence of the Gaussian that minimises ``divergence(log_q)``."""
    p = torch.tensor([*start, 0.0, 0.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([p], max_iter=100, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        mean, root = unpack(p)
        loss = divergence(
            torch.distributions.MultivariateNormal(mean, scale_tril=root).log_prob(points)
        )
        loss.backward()
        return loss

    optimiser.step(closure)
    mean, root = unpack(p.detach())
    return mean, root @ root.T, closure().item()


starts = [(-2.0, 0.0), (-1.0, -2.0), (2.0, 0.0), (1.0, 3.0), (3.0, 1.0)]
forward = [fit(lambda log_q: kl_divergence(log_hills, log_q, areas), s) for s in starts]
reverse = [fit(lambda log_q: kl_divergence(log_q, log_hills, areas), s) for s in starts]

# %%
from gm_course.plotting.divergence_pictures import gaussian_fits

titles = ("forward KL, any start", "reverse KL, started left", "reverse KL, started right")
fits = dict(zip(titles, (forward[0][:2], reverse[0][:2], reverse[2][:2]), strict=True))
gaussian_fits(axis_grid, log_hills.exp().reshape(141, 141), fits)

# %% [markdown]
# **What to see.** Blue: contours of the data's density. Red: the fitted Gaussian at one (solid) and two (dashed) standard deviations. The forward fit covers both hills, and has its highest density in the valley between them, where there are hardly any data. The
# reverse fits sit on one hill and ignore the other. Which one depends on the start (`reverse-kl-seeks`). How good is sitting on a hill? If the hills do not overlap, then on hill $k$, of
# weight $\pi_k$, $p_r=\pi_kp_\theta$ and so $\mathrm{KL}(p_\theta,p_r)=\log(1/\pi_k)$.

# %%
mass = log_hills.exp() * areas
mean = mass @ points
cov = (points - mean).T @ (mass[:, None] * (points - mean))
claim(
    "forward, all five starts: the data's mean, to 1e-3",
    all((f[0] - mean).abs().max() < 1e-3 for f in forward),
)
claim(
    "forward, all five starts: the data's covariance, to 1e-3",
    all((f[1] - cov).abs().max() < 1e-3 for f in forward),
)
hill = [int((f[0] - hills.means).norm(dim=1).argmin()) for f in reverse]
claim(
    "reverse: each mean is within 0.05 of a hill's centre",
    all((f[0] - hills.means[k]).norm() < 0.05 for f, k in zip(reverse, hill, strict=True)),
)
claim("both hills occur", set(hill) == {0, 1})
claim(
    "the divergence is log(1/weight) of the hill, to 0.01",
    all(abs(f[2] + hills.weights[k].log()) < 0.01 for f, k in zip(reverse, hill, strict=True)),
)

# %% [markdown]
# **Try it.** Move the hills together, for example to $(-0.7,-0.3)$ and $(0.7,0.5)$, and run the three cells again. When they overlap, the reverse fit covers both, and the difference between the two directions almost disappears:
# mode *seeking* (寻找单一模态) needs modes that are separated.
#
# ## 8 · Mode collapse (模型坍塌)
#
# A generator that produces only a few of the data's modes has collapsed. The usual explanation is now at hand: the non-saturating loss follows the reverse KL, and the reverse KL is content with one mode. It is a *possible* reason. Is it *the* reason?
# It assumes the optimal discriminator, and it predicts that a collapsed generator stays on its mode, content. Here is a rival that assumes nothing of the sort (Goodfellow 2016; Metz and others 2017). Hold **any** discriminator fixed
# and let the generator answer as well as it can:
#
# $$E_{x\sim p_\theta}[\log D(x)]\le\max_x\log D(x),\qquad\text{with equality if }p_\theta\text{ sits entirely on the maximum of }D .$$
#
# The best answer to a discriminator that stands still is *one point*, for either loss, since $\log(1-D)$ is smallest at the same place. Covering all modes is never the best answer; it only comes about because the discriminator moves.
# In other words, $\min_\theta\max_\phi$ asks for the data's distribution and $\max_\phi\min_\theta$ asks for a point, and alternating steps are neither. The rival predicts: the more the generator moves per discriminator step, the
# more it collapses; the collapsed generator does **not** stay, because $D$ learns to reject that point and its maximum jumps elsewhere; and the choice of divergence matters little. These predictions we can test.
#
# ### Failure museum: mode collapse
#
# The data are eight Gaussians with standard deviation 0.05 on a circle of radius 2. `ring_players` makes a generator and a discriminator with two hidden layers of 64 tanh units, and Adam with the same learning rate for both;
# `train_on_ring` is Algorithm 13.1 and draws 1,000 samples every 50 iterations. **The only switch** is how many steps the generator makes per discriminator step. We count the modes that have at
# least one sample within three standard deviations. You may change the switch to `"healthy"`; the claims about the collapsed run then rightly show ✗.

# %%
from gm_course.museum.mode_collapse import (
    EXHIBIT,
    GENERATOR_STEPS,
    covered_modes,
    ring_players,
    train_on_ring,
)

SWITCH = "collapsed"  # or "healthy"


def play(setting: str, loss=nonsaturating_loss, iterations: int = 700):
    players = ring_players(seed=0, device=runtime.device, generator_loss=loss)
    players["generator"].repeats = GENERATOR_STEPS[setting]  # 1 if healthy, 5 if collapsed
    return train_on_ring(players, seed=0, iterations=iterations)


healthy, switched = play("healthy"), play(SWITCH)

# %%
from gm_course.plotting.divergence_pictures import sample_snapshots

columns = (0, 3, 6, 9, 11, 12, 13)
sample_snapshots(
    {"healthy": healthy.snapshots[[*columns]], f"switch: {SWITCH}": switched.snapshots[[*columns]]},
    circle.means,
    times=[healthy.iterations[c] for c in columns],
)

# %% [markdown]
# **What to see.** Blue circles: the data's modes; red: samples. The healthy generator spreads out, finds the circle and thins out between the modes. The other one holds all its samples together in one small cloud, and the cloud never comes to
# rest: look at the last three columns, 50 iterations apart. This *oscillation between modes* (模态之间的振荡) is the chase that the rival explanation predicts.
#
# Is it this run, or always? The stored ranges come from five seeds each, so you can tell bad luck from a mistake of yours.

# %%
from gm_course.museum.exhibit import read_ranges

ranges = read_ranges("../benchmarks/results/failure_museum.json", EXHIBIT)
for setting in EXHIBIT.settings:
    print(f"{setting:9} {EXHIBIT.signal}: {ranges[setting]}")
normal = ranges["healthy"]
claim("healthy: at least 7 of 8 modes", covered_modes(healthy.snapshots[-1]) >= 7)
claim(
    f"{SWITCH}: fewer than half of the modes that a healthy run covers",
    covered_modes(switched.snapshots[-1]) < 0.5 * normal.low,
)


# %%
def visited(run) -> set[int]:
    """The modes to which the mean of the samples was closest, over all snapshots."""
    means = run.snapshots.mean(dim=1)  # (times, 2)
    return set(torch.cdist(means, circle.means).argmin(dim=1).tolist())


spread = switched.snapshots[4:].std(dim=1).norm(dim=1)  # of the cloud, from iteration 250 on
claim("its cloud is smaller than half the circle's spread of 2", spread.median() < 1)
claim("yet over time it has been at four modes or more", len(visited(switched)) >= 4)

# %% [markdown]
# Two of the three predictions hold. The third: does the divergence matter? We swap the generator's loss and nothing else. The **saturating** loss belongs to JS, which is symmetric and should not seek modes. A third loss, $-E[e^{s(G(z))}]$,
# belongs to the **forward** KL, which should *cover* modes: at the optimum $e^{s^*}=p_r/p_\theta$, and with $D^*$ fixed
# $-\nabla E_{p_\theta}[p_r/p_{\theta_0}]=-\int\nabla p_\theta\,\frac{p_r}{p_\theta}=-\nabla E_{p_r}[\log p_\theta]=\nabla\mathrm{KL}(p_r,p_\theta)$ (Goodfellow 2014).


# %%
def forward_kl_loss(fake_logits: torch.Tensor) -> torch.Tensor:
    return -fake_logits.exp().mean()


for name, loss in (("JS", saturating_loss), ("forward KL", forward_kl_loss)):
    covering, collapsing = play("healthy", loss), play("collapsed", loss, iterations=300)
    few = [covered_modes(samples) for samples in collapsing.snapshots]
    claim(f"{name}, 1 generator step: 7 modes or more", covered_modes(covering.snapshots[-1]) >= 7)
    claim(f"{name}, 5 generator steps: at most 4 modes, at each of six times", max(few) <= 4)

# %% [markdown]
# All three losses cover the ring with one setting and collapse with the other, the forward KL's included. So in this experiment it is the *dynamics* that decide, not the divergence. That fits what Goodfellow (2016) concludes in his
# tutorial, from experiments of Nowozin and others (2016): generators trained for the forward KL collapse as well; and the reverse KL gives no reason to use fewer modes than the generator *can* represent. (Its minimiser over all
# distributions is $p_r$ itself. One mode was the best choice in section 7 only because one Gaussian cannot do better. Our generator can cover all eight, as the healthy run shows.) The sentence "mode collapse comes from the reverse KL", which many notes print, is incomplete. Sections 6 and 7 are correct
# mathematics about the optimal discriminator. But the theorem's assumption is what training does not satisfy. Our test is a small one, in the plane; it refutes "always", and does not show "never".
#
# ## What commonly goes wrong
#
# | symptom | cause | how to tell |
# |---|---|---|
# | generator's loss flat, discriminator's near 0 | saturating loss with a $D$ that has won | length of the generator's gradient (section 4) |
# | generator wanders off at the start | weak discriminator, wrong direction | train $D$ alone for some steps, compare directions |
# | samples all alike | mode collapse | mode coverage; the spread of the samples |
# | samples change from check to check, never better | oscillation between modes | snapshots of *fixed* noise over time |
# | JS estimate above $\log 2$ or below 0 | factor ½ or $2\log 2$ lost, or a lower bound taken for the value | section 2 at $p_\theta=p_r$ |
# | KL on a grid is NaN | $0\cdot\log 0$ or $\infty-\infty$ | use `kl_divergence`, which treats zeros |
# | gradient of the "non-saturating divergence" does not match | differentiated through $D^*$ | hold it fixed with `.detach()` |
#
# ## Questions
#
# 1. A discriminator reaches $L=-2\log 2$ and stays there. Does this prove $p_\theta=p_r$?
#
# <details><summary>Answer</summary>
#
# No. It proves it only for the optimal $D$. The constant $D=\tfrac12$ has this value against *any* generator, so a discriminator that learned nothing looks the same. The value is a lower bound of $2\,\mathrm{JS}-2\log 2$.
#
# </details>
#
# 2. The data are 30 % class A and 70 % class B, without overlap; the generator produces perfect samples of B only. What are the reverse KL, the forward KL and the JS divergence?
#
# <details><summary>Answer</summary>
#
# Reverse: $\log(1/0.7)\approx 0.357$. Forward: infinite. JS: on A, $p_r/p_a=2$; on B, $p_a=0.85\,p_\theta$ and $p_r=0.7\,p_\theta$. So
# $\mathrm{JS}=\tfrac12(0.3\log 2+0.7\log\tfrac{0.7}{0.85})+\tfrac12\log\tfrac1{0.85}\approx 0.117$ nats.
#
# </details>
#
# 3. Why does the non-saturating loss keep a gradient when the supports are disjoint, although it has the same optimal discriminator?
#
# <details><summary>Answer</summary>
#
# In the logit: $\frac{d}{ds}\log\operatorname{sigmoid}(s)=1-\operatorname{sigmoid}(s)\to 1$ where $D$ rejects the samples, while $\frac{d}{ds}\log(1-\operatorname{sigmoid}(s))=-\operatorname{sigmoid}(s)\to 0$. It needs a discriminator whose *logit* still slopes there, which a
# network's does. (For $D^*$ itself the logit is $-\infty$ on the generated samples, and neither loss has a gradient to offer.)
#
# </details>
#
# 4. Somebody cures mode collapse by making ten discriminator steps per generator step. What might they meet next?
#
# <details><summary>Answer</summary>
#
# Section 4: with the saturating loss a vanishing gradient; with the non-saturating loss long but noisy gradients. Lecture 9 changes the divergence so that a strong opponent does no harm.
#
# </details>
#
# ## Equations of this lecture
#
# Each equation of section 13.3.5, checked against something that was computed in another way.

# %%
from gm_course.ledger import gan_analysis
from gm_course.ledger.equation import show_equations

show_equations(gan_analysis.EQUATIONS)

# %% [markdown]
# ## Summary
#
# - $D^*=p_r/(p_r+p_\theta)$, point by point; a trained discriminator approaches it where there are samples.
# - With $D^*$, and only with it, the generator minimises $2\,\mathrm{JS}-2\log 2$; any other discriminator gives a lower bound of that value, with a gradient that may point anywhere.
# - JS is at most $\log 2$, and flat once the supports are disjoint: the saturating loss then has no gradient.
# - With $D^*$ held fixed, the non-saturating loss has the gradient of $\mathrm{KL}(p_\theta,p_r)-2\,\mathrm{JS}$. The reverse KL punishes implausible samples and forgives forgotten modes; the forward KL does the opposite.
# - Mode collapse is not explained by that alone: the best answer to any fixed discriminator is a single point, and generators collapse under every one of the three losses when they move too fast.
#
# **Exercise that belongs to this lecture:** [13-4](../exercises/13-4.ipynb) (the optimal classifier under the cross-entropy).
#
# ## References
#
# - I. Goodfellow, J. Pouget-Abadie, M. Mirza, B. Xu, D. Warde-Farley, S. Ozair, A. Courville, Y. Bengio, *Generative Adversarial Nets*, 2014.
# - I. Goodfellow, *On Distinguishability Criteria for Estimating Generative Models*, 2014 (the forward-KL loss).
# - I. Goodfellow, *NIPS 2016 Tutorial: Generative Adversarial Networks*, 2016.
# - M. Arjovsky, L. Bottou, *Towards Principled Methods for Training Generative Adversarial Networks*, 2017.
# - L. Metz, B. Poole, D. Pfau, J. Sohl-Dickstein, *Unrolled Generative Adversarial Networks*, 2017.
# - S. Nowozin, B. Cseke, R. Tomioka, *f-GAN: Training Generative Neural Samplers using Variational Divergence Minimization*, 2016.
# - J. Lin, *Divergence Measures Based on the Shannon Entropy*, 1991.
# - C. M. Bishop, *Pattern Recognition and Machine Learning*, 2006, section 10.1 (Gaussian fits in both directions).
