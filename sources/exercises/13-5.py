# %% [markdown]
# # Exercise 13-5 · Lipschitz continuity (Lipschitz 连续)
#
# *Belongs to section 13.3.6, the Wasserstein GAN (W-GAN).*
#
# **The problem as the book states it.** Which of the following functions are Lipschitz continuous (Lipschitz 连续)?
#
# 1. $f:[-1,1]\to\mathbb R,\quad f(x)=x^2$
# 2. $f:\mathbb R\to\mathbb R,\quad f(x)=x^2$
# 3. $f:\mathbb R\to\mathbb R,\quad f(x)=\sqrt{x^2+1}$
# 4. $f:[0,1]\to[0,1],\quad f(x)=\sqrt x$
#
# A function $f$ is **Lipschitz continuous** if there is a number $L$ with $|f(a)-f(b)|\le L\,|a-b|$ for all $a,b$ of its domain.
# The smallest such $L$ is its Lipschitz constant (Lipschitz 常数), written $\|f\|_L$ (`lipschitz-norm`):
#
# $$\|f\|_L=\sup_{a\ne b}\frac{|f(a)-f(b)|}{|a-b|}.$$
#
# The fraction is the slope of a **chord** (弦), the straight line through two points of the graph, taken without its sign. So the question is:
# can the slopes of all chords be bounded by one number? The critic (评价网络) of a W-GAN must be such a function, and the second
# half of this exercise carries the question over to networks.
#
# You write six short functions, check each of them at once, and end with a proof.

# %%
import math

import torch
from IPython.display import display

import gm_course
from gm_course import plotting
from gm_course.checks import check
from gm_course.claims import claim

runtime = gm_course.setup(seed=0)

# %% [markdown]
# ## The idea: slopes of chords
#
# The four functions, and on each of them five chords between points drawn at random from the part of the domain that is shown. The steeper the chord, the darker its line.

# %%
functions = {
    1: ("$x^2$ on $[-1,1]$", lambda x: x**2, (-1.0, 1.0)),
    2: ("$x^2$ on $R$", lambda x: x**2, (-3.0, 3.0)),
    3: (r"$\sqrt{x^2+1}$ on $R$", lambda x: (x**2 + 1).sqrt(), (-3.0, 3.0)),
    4: (r"$\sqrt{x}$ on $[0,1]$", lambda x: x.sqrt(), (0.0, 1.0)),
}

generator = torch.Generator().manual_seed(3)
figure, axes = plotting.new_figure(4, size=(2.7, 2.7))
for axis, (number, (name, f, (low, high))) in zip(axes, functions.items(), strict=True):
    x = torch.linspace(low, high, 400)
    axis.plot(x, f(x), color=plotting.COLOURS[number - 1], linewidth=2)
    ends = low + (high - low) * torch.rand(5, 2, generator=generator)  # five chords
    slopes = (f(ends[:, 0]) - f(ends[:, 1])).abs() / (ends[:, 0] - ends[:, 1]).abs()
    for pair, darkness in zip(ends, slopes / slopes.max(), strict=True):
        strength = 0.15 + 0.75 * float(darkness)
        axis.plot(pair, f(pair), "o-", markersize=3.5, color="black", alpha=strength)
    axis.set(title=f"({number})  {name}", xlabel="$x$")
axes[0].set_ylabel("$f(x)$")
figure

# %% [markdown]
# **What to see.** On each curve some places have steeper chords than others. For each panel ask two questions. Where would you put the two points
# to get the steepest chord? And if you may move them as you like within the *domain* (which for (2) and (3) is much larger than the picture),
# does the slope stay below some number, or can you make it as large as you want?

# %% [markdown]
# ## 1 · The constants
#
# `lipschitz_constants()` returns a dictionary with the keys 1 to 4. Its values are the *smallest* constants $\|f\|_L$, or `math.inf` where
# there is none. Each of the four entries earns points of its own. Decide before you read on: for which of the functions the next two sections
# ask for what tells part of the answer.


# %% nbgrader={"grade_id": "lipschitz_constants", "solution": true}
import math


def lipschitz_constants() -> dict[int, float]:
    """Smallest Lipschitz constants of the four functions; math.inf where there is none."""
    ### BEGIN SOLUTION
    # (1) and (2): the slope of a chord of x² is |a + b|. On [−1, 1] that comes as near to 2 as we
    #     like; on R it has no bound.
    # (3): |a + b| / (√(a²+1) + √(b²+1)) is below 1, and tends to 1 far away from 0.
    # (4): a chord from 0 to b has the slope √b / b = 1/√b, without bound as b → 0.
    return {1: 2.0, 2: math.inf, 3: 1.0, 4: math.inf}
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_lipschitz_constants", "grade": true, "locked": true, "points": 2}
check(lipschitz_constants)

# %% [markdown]
# ## 2 · Where there is no constant: a witness
#
# "Not Lipschitz continuous" means: whatever number somebody proposes, there are two points between which $f$ is steeper. To prove it, name them.
# `steep_pair(number, slope)` is called with `number` 2 or 4 and any `slope` $s>0$ (the check goes up to $10^9$). It returns a tuple
# $(a,b)$ of two different points of that function's domain with
#
# $$|f(a)-f(b)| > s\,|a-b| .$$
#
# Any such pair will do. It is judged without rounding: the two floats that you return are taken as the exact numbers they are, and the inequality is
# decided in exact arithmetic. So an argument that holds on paper by a hair may fail here, and one with room to spare will not.


# %% nbgrader={"grade_id": "steep_pair", "solution": true}
def steep_pair(number: int, slope: float) -> tuple[float, float]:
    """Two different points (a, b) of the domain of function 2 or 4 with a chord above ``slope``."""
    ### BEGIN SOLUTION
    if number == 2:
        # From 0 to b the chord of x² has the slope b²/b = b. Twice the slope asked for leaves room.
        return 0.0, 2 * slope
    # From 0 to b the chord of √x has the slope 1/√b. It is 2·slope for b = 1/(4·slope²), but where
    # that lies beyond the domain (slope below 1/2), b = 1 has the slope 1, which is enough.
    return 0.0, min(1.0, 1 / (4 * slope**2))
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_steep_pair", "grade": true, "locked": true, "points": 2}
check(steep_pair)

# %% [markdown]
# ## 3 · Where there is a constant: no smaller one will do
#
# A bound on all slopes proves that *some* constant exists. That it is the *smallest* one takes a second step: for every $\varepsilon>0$ a chord
# that is steeper than the constant minus $\varepsilon$, or as steep. `near_extremal_pair(number, eps)` is called with `number` 1 or 3 and
# `eps` down to $10^{-12}$, and returns two different points $(a,b)$ of the domain with
#
# $$\frac{|f(a)-f(b)|}{|a-b|}\;\ge\;\|f\|_L-\varepsilon .$$
#
# Again every such pair is right, and again the judge does not round. Note what $10^{-12}$ means: floats near 1 are about $10^{-16}$ apart, so you have
# room, but not much; and computing the slope in floats to see whether it is large enough is not a proof.


# %% nbgrader={"grade_id": "near_extremal_pair", "solution": true}
import math


def near_extremal_pair(number: int, eps: float) -> tuple[float, float]:
    """Two different points (a, b) of the domain of function 1 or 3 with a chord that is
    at most ``eps`` less steep than the smallest constant.
    """
    ### BEGIN SOLUTION
    if number == 1:
        # The slope is |a + b| = 2 − eps/2, and half of eps is left for rounding. For a large eps
        # any chord is steep enough; max() then keeps b inside the domain.
        return 1.0, max(0.0, 1.0 - eps / 2)
    # Between x and 2x the slope of √(x²+1) is more than 1 − 1/(4x²) (see the written part).
    # With x = 1/√eps that is 1 − eps/4.
    x = 1 / math.sqrt(eps)
    return x, 2 * x
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_near_extremal_pair", "grade": true, "locked": true, "points": 3}
check(near_extremal_pair)

# %% [markdown]
# ## 4 · Measuring a Lipschitz constant
#
# For a function of which only $N$ samples are known, points $x_i\in\mathbb R^D$ and values $y_i$, the supremum becomes a maximum:
#
# $$\widehat L=\max_{i\ne j}\frac{|y_i-y_j|}{\|x_i-x_j\|},$$
#
# with the Euclidean norm. `empirical_lipschitz(x, y)` takes `x` of shape `(N, D)` and `y` of shape `(N,)` and returns a scalar (0-dimensional) tensor of
# their dtype. Points may occur several times: pairs with equal $x$ are **ignored**, whatever their values. At least two points are distinct.
# The data have up to 40 points, some of them close together or far from the origin.


# %% nbgrader={"grade_id": "empirical_lipschitz", "solution": true}
import torch


def empirical_lipschitz(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Largest slope between two distinct points; x: (N, D), y: (N,) -> scalar."""
    ### BEGIN SOLUTION
    steps = x[:, None, :] - x[None, :, :]  # (N, N, D)
    rises = (y[:, None] - y[None, :]).abs()  # (N, N)
    # The differences themselves are squared and summed. Expanding ‖a − b‖² = ‖a‖² + ‖b‖² − 2⟨a, b⟩
    # is faster for many points, but loses digits, and equal points may get a distance above 0.
    distances = steps.square().sum(dim=-1).sqrt()  # (N, N)
    is_pair = distances > 0  # also leaves out the diagonal, i = j
    return (rises[is_pair] / distances[is_pair]).max()
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_empirical_lipschitz", "grade": true, "locked": true, "points": 2}
check(empirical_lipschitz)

# %% [markdown]
# **Use it.** The next cell measures the four functions on more and more equally spaced points. For (2) and (3) the points also reach further and further out: $N$ of them cover
# $[-\sqrt N,\sqrt N]$.

# %%
counts = [4, 8, 16, 32, 64, 128, 256, 512]


def measured(number: int, count: int) -> float:
    """Empirical Lipschitz constant of one of the four functions on ``count`` points."""
    low, high = {1: (-1, 1), 4: (0, 1)}.get(number, (-math.sqrt(count), math.sqrt(count)))
    x = torch.linspace(low, high, count, dtype=torch.float64)
    _, f, _ = functions[number]
    return float(empirical_lipschitz(x[:, None], f(x)))


try:
    curves = {number: [measured(number, count) for count in counts] for number in functions}
    stated = lipschitz_constants()
except NotImplementedError:
    print("Write `lipschitz_constants` and `empirical_lipschitz` first, then run this cell again.")
else:
    figure, (axis,) = plotting.new_figure(size=(5.6, 3.4))
    for number, values in curves.items():
        axis.loglog(
            counts,
            values,
            color=plotting.COLOURS[number - 1],
            marker=plotting.MARKERS[number - 1],
            label=f"({number})  {functions[number][0]}",
        )
    axis.set(xlabel="number of points $N$", ylabel="empirical constant")
    axis.legend()
    display(figure)
    for number, values in curves.items():
        claim(
            f"({number}): no measurement exceeds the constant you stated",
            max(values) <= stated[number] * (1 + 1e-9),
        )

# %% [markdown]
# **What to see.** A measurement is always a *lower* bound: it can refute a constant, and never confirm one. Some of these curves level out and some keep climbing; but a curve
# that still climbs slowly at $N=512$ would be hard to tell from one that levels out. That is why the written part asks for proofs.

# %% [markdown]
# ## 5 · An upper bound for a network
#
# Let a network consist of matrices and ReLUs, $x\mapsto W_K\,\mathrm{ReLU}(W_{K-1}\cdots\mathrm{ReLU}(W_1x))$; biases change no difference, so they may be there as well.
# What can be said without any data, from its weights alone? Each piece has a Lipschitz constant of its own:
#
# - a matrix stretches the difference of two inputs by at most its **spectral norm** (谱范数), $\|W\|_2=\sup_{v\ne0}\|Wv\|/\|v\|$;
# - the ReLU never takes two numbers further apart;
# - and if $f$ and $g$ are Lipschitz continuous, what can $\|g(f(a))-g(f(b))\|$ be at most?
#
# `mlp_lipschitz_bound(weights)` takes a list of at least one matrix, each of shape `(out, in)`, in the order in which they are applied, and returns the bound on the network's
# Lipschitz constant that follows from these three facts, as a scalar tensor of the matrices' dtype.


# %% nbgrader={"grade_id": "mlp_lipschitz_bound", "solution": true}
import torch


def mlp_lipschitz_bound(weights: list[torch.Tensor]) -> torch.Tensor:
    """Lipschitz bound of the ReLU network with these layers; matrices (out, in) -> scalar."""
    ### BEGIN SOLUTION
    # The spectral norm is the largest singular value. `ord=2` is needed: the default is the Frobenius
    # norm √Σ w², an upper bound too, but a looser one.
    norms = [torch.linalg.matrix_norm(weight, ord=2) for weight in weights]
    return torch.stack(norms).prod()
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_mlp_lipschitz_bound", "grade": true, "locked": true, "points": 2}
check(mlp_lipschitz_bound)

# %% [markdown]
# ## 6 · What weight clipping guarantees
#
# Algorithm 13.2 keeps the critic Lipschitz continuous by **weight clipping** (权重截断): after each step every weight is put back into $[-c,c]$. Suppose that we know
# nothing else about the weights. How large can the spectral norm of *one* matrix of shape `(out, in)` be then? Find the matrix with entries in $[-c,c]$ that stretches most, and the vector that it
# stretches most; or bound $\|Wv\|$ row by row with the Cauchy–Schwarz inequality. Both give the same number, so it is the best that clipping alone guarantees for a layer
# (`clipping-bounds-lipschitz`).
#
# `clipping_bound(shapes, c)` takes the list of the layers' shapes, each a pair `(out, in)`, and the number $c>0$. It puts the layers together as in the previous answer, each with the largest spectral norm that
# clipping allows it, and returns the resulting bound for the whole network as a float.


# %% nbgrader={"grade_id": "clipping_bound", "solution": true}
import math


def clipping_bound(shapes: list[tuple[int, int]], c: float) -> float:
    """Lipschitz bound for all networks with layers of these (out, in) shapes, weights in [-c, c]."""
    ### BEGIN SOLUTION
    # Every layer is clipped, so every layer contributes a factor c. The bound of one layer is the
    # largest Frobenius norm, √(out·in·c²); the matrix full of c's attains it.
    return math.prod(c * math.sqrt(out * inp) for out, inp in shapes)
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_clipping_bound", "grade": true, "locked": true, "points": 2}
check(clipping_bound)

# %% [markdown]
# **Use it.** Here is a critic with two hidden layers on two-dimensional data, its weights drawn at random and then clipped. Three numbers describe how steep it is:
# what we measure on samples, what its weights allow, and what clipping guarantees for *any* critic of this shape.

# %%
shapes, c = [(32, 2), (32, 32), (1, 32)], 0.1
generator = torch.Generator().manual_seed(0)
weights = [
    (0.2 * torch.randn(shape, generator=generator, dtype=torch.float64)).clamp(-c, c)
    for shape in shapes
]


def critic(x: torch.Tensor) -> torch.Tensor:
    """A ReLU network with the weights above; (N, 2) -> (N,)."""
    for weight in weights[:-1]:
        x = torch.relu(x @ weight.T)
    return (x @ weights[-1].T)[:, 0]


points = torch.randn(300, 2, generator=generator, dtype=torch.float64)
try:
    levels = {
        "measured on 300 points": float(empirical_lipschitz(points, critic(points))),
        "allowed by its weights": float(mlp_lipschitz_bound(weights)),
        "guaranteed by clipping": clipping_bound(shapes, c),
    }
except NotImplementedError:
    print(
        "Write `empirical_lipschitz`, `mlp_lipschitz_bound` and `clipping_bound` first, then run "
        "this cell again."
    )
else:
    figure, (axis,) = plotting.new_figure(size=(5.6, 1.9))
    axis.semilogx(list(levels.values()), list(levels), "o", color=plotting.COLOURS[0], markersize=8)
    axis.set(xlabel="Lipschitz constant, or bound on it", xlim=(1e-3, 10), ylim=(2.5, -0.5))
    display(figure)
    low, middle, high = levels.values()
    claim("what was measured respects the bound from the weights", low < middle)
    claim("the bound from the weights respects the one from clipping", middle < high)
    claim("clipping alone allows for more than 5 times what was measured", high > 5 * low)

# %% [markdown]
# **What to see.** The guarantee is loose, and the looser the deeper the network, because each layer multiplies its own slack onto the rest. A W-GAN with clipping is therefore trained against *some* unknown
# constant $K$, which in itself would do no harm: over *all* functions with constant $K$ the maximum is $K$ times the Wasserstein distance (`k-lipschitz-scaling`), and the generator's gradient is only rescaled. But with
# a small $c$ and many layers that scale becomes tiny and gradients vanish; with a large $c$ they explode. Gradient penalties and spectral normalisation are
# attempts to control the constant more directly.

# %% [markdown]
# ## Written part: the four verdicts, with proofs (4 points)
#
# Decide for each of the four functions whether it is Lipschitz continuous, and prove it. For those that are, determine the smallest constant and prove that it *is*
# the smallest. For those that are not, show that no constant will do. Write whole sentences; the functions above are the building blocks, but a program is not a proof.
#
# | points | for |
# |---|---|
# | 1 | (1): the right verdict with a complete proof |
# | 1 | (2): the right verdict with a complete proof |
# | 1 | (3): the right verdict with a complete proof |
# | 1 | (4): the right verdict with a complete proof |
#
# A proof that a function *is* Lipschitz continuous is complete with a bound on all slopes (½ point) and the reason why no smaller one holds (½ point); say also whether any chord attains
# it. A proof that a function is *not* is complete with two points of the domain for every proposed constant (½ point) and the calculation that they refute it (½ point). A verdict alone earns nothing.
#
# A proof by derivatives is as good as one by chords, if it says which theorem it uses and how that covers the ends of the domain.

# %% [markdown] nbgrader={"grade_id": "written_13_5", "solution": true, "grade": true, "points": 4}
# **Tool.** Throughout, let $a\ne b$ be two points of the domain. Then $f$ has the Lipschitz constant $L$ if and only if the slope
# $\frac{|f(a)-f(b)|}{|a-b|}$ of every chord is at most $L$, and the smallest constant is the supremum of these slopes.
#
# **(1) $x^2$ on $[-1,1]$ is Lipschitz continuous, with smallest constant 2.** Since $a^2-b^2=(a+b)(a-b)$, the slope is
#
# $$\frac{|a^2-b^2|}{|a-b|}=|a+b|\le|a|+|b|\le 2,$$
#
# because $|a|\le1$ and $|b|\le1$. So 2 is a constant. It is the smallest one: let $0<\varepsilon\le1$ and take $a=1$, $b=1-\varepsilon$. Both lie in $[-1,1]$, they differ, and the slope is
# $|a+b|=2-\varepsilon$. Any constant must therefore be at least $2-\varepsilon$ for every such $\varepsilon$, hence at least 2. (No chord has the slope 2 itself: $|a+b|=2$ would need $a=b=\pm1$.)
#
# **(2) $x^2$ on $\mathbb R$ is not Lipschitz continuous.** Suppose that $L\ge0$ were a constant. Take $a=0$ and $b=L+1$. They differ, and as in (1) the slope is $|a+b|=L+1>L$, a contradiction.
# The formula is that of (1). What changed is the domain, and Lipschitz continuity belongs to a function *with* its domain.
#
# **(3) $\sqrt{x^2+1}$ on $\mathbb R$ is Lipschitz continuous, with smallest constant 1.** Write $f(x)=\sqrt{x^2+1}$ and multiply $f(a)-f(b)$ by $\frac{f(a)+f(b)}{f(a)+f(b)}$; the denominator is at least 2. Because
# $f(a)^2-f(b)^2=a^2-b^2$,
#
# $$\frac{|f(a)-f(b)|}{|a-b|}=\frac{|a^2-b^2|}{|a-b|\,(f(a)+f(b))}=\frac{|a+b|}{f(a)+f(b)}\le\frac{|a|+|b|}{f(a)+f(b)}<1,$$
#
# since $f(x)=\sqrt{x^2+1}>\sqrt{x^2}=|x|$. So 1 is a constant. It is the smallest one: for $x>0$ take $a=x$ and $b=2x$. From $f(x)-x=\frac{1}{f(x)+x}<\frac1{2x}$, and the same with $2x$ in place of $x$, we get
#
# $$1-\frac{|f(a)-f(b)|}{|a-b|}=\frac{(f(a)-a)+(f(b)-b)}{f(a)+f(b)}<\frac{\frac1{2x}+\frac1{4x}}{x+2x}=\frac{1}{4x^2}.$$
#
# Given $\varepsilon>0$, choose $x=1/\sqrt{\varepsilon}$: the slope is then above $1-\varepsilon/4$. So every constant is at least $1-\varepsilon$ for every $\varepsilon>0$, hence at least 1. The supremum 1 is not
# reached by any chord, as the strict inequality shows; it is approached far away from the origin, where the graph nears the lines $\pm x$. Note that $f$ is unbounded, and Lipschitz continuous all the same.
#
# *By derivatives:* $f'(x)=x/\sqrt{x^2+1}$ has $|f'(x)|<1$ for all $x$. By the mean value theorem each chord's slope equals $|f'(\xi)|$ for some $\xi$ between its ends, so it is below 1. Conversely the derivative is a limit of slopes, so every
# constant is at least $\sup_x|f'(x)|=\lim_{x\to\infty}f'(x)=1$.
#
# **(4) $\sqrt x$ on $[0,1]$ is not Lipschitz continuous.** Suppose that $L$ were a constant; any larger number is one, too, so let $L\ge1$. Take $a=0$ and $b=\frac1{4L^2}$, which lies in $(0,1]$. The slope is
#
# $$\frac{\sqrt b-\sqrt 0}{b-0}=\frac1{\sqrt b}=2L>L,$$
#
# a contradiction. So a continuous function on a closed bounded interval, which is bounded and even uniformly continuous, need not be Lipschitz continuous: its graph may become vertical at a point. (It is *Hölder* continuous: for $a>b$ we
# have $(\sqrt a-\sqrt b)^2\le(\sqrt a-\sqrt b)(\sqrt a+\sqrt b)=a-b$, so $|\sqrt a-\sqrt b|\le\sqrt{|a-b|}$.)
#
# **Summary.** (1) and (3) are Lipschitz continuous, with the smallest constants 2 and 1; (2) and (4) are not. $\blacksquare$

# %% [markdown]
# ## Where to read on
#
# - Exercise 13-6 proves (13.54), where the supremum runs over the functions with $\|f\|_L\le1$.
# - M. Arjovsky, S. Chintala, L. Bottou, *Wasserstein Generative Adversarial Networks*, 2017: the critic, weight clipping and its weaknesses.
# - I. Gulrajani, F. Ahmed, M. Arjovsky, V. Dumoulin, A. Courville, *Improved Training of Wasserstein GANs*, 2017: a penalty in place of clipping.
# - T. Miyato, T. Kataoka, M. Koyama, Y. Yoshida, *Spectral Normalization for Generative Adversarial Networks*, 2018: section 5, put to work.
# - K. Scaman, A. Virmaux, *Lipschitz Regularity of Deep Neural Networks: Analysis and Efficient Estimation*, 2018: how loose such bounds are, and what can be done about it.
