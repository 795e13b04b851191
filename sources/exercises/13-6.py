# %% [markdown]
# # Exercise 13-6 · The Kantorovich–Rubinstein duality
#
# *Belongs to section 13.3.6 of the chapter, the W-GAN.*
#
# > **13-6** Prove (13.54):
# > $$W(p_r,p_\theta)=\sup_{\|f\|_L\le 1}\; E_{x\sim p_r}[f(x)]-E_{x\sim p_\theta}[f(x)].$$
#
# On the left stands the **Wasserstein distance** (Wasserstein 距离), or **earth-mover's distance** (推土机距离): the least cost of moving
# the mass of $p_r$ until it lies as in $p_\theta$, where moving one unit of mass from $x$ to $y$ costs $\|x-y\|$,
#
# $$W(p_r,p_\theta)=\inf_{\gamma\in\Gamma(p_r,p_\theta)}E_{(x,y)\sim\gamma}\|x-y\|,$$
#
# and $\Gamma$ holds all joint distributions whose marginals are $p_r$ and $p_\theta$: the **transport plans** (运输方案). On the right stands
# what the **critic** (评价网络) of a W-GAN tries to reach: the largest difference of two expectations over all functions that are **Lipschitz
# continuous** (Lipschitz 连续) with constant 1. An infimum over joint distributions of images is
# nothing that a training loop could compute. A supremum over functions is a job for a network, and that is why the W-GAN exists.
#
# You will compute both sides on finite supports, where each is a **linear programme** (线性规划), build the bridge between them piece by piece,
# and then write the proof. Every function below is one step of it. Write $p$ for $p_r$, $q$ for $p_\theta$, $n$ and $m$ for the numbers of
# points, $x_i$ for the points and $d_{ij}=\|x_i-x_j\|$. Inputs are float32 or float64 tensors, and tensor results have the inputs' dtype.

# %%
import torch

import gm_course
from gm_course import plotting
from gm_course.checks import check
from gm_course.claims import claim

runtime = gm_course.setup(seed=0)

# %% [markdown]
# ## The idea in one picture
#
# Eight crates stand on a street and shall stand elsewhere. A list of moves `(from, to, crates)` is a plan; its cost is the number of steps walked with a crate.
# Now a haulier offers to do the work. He charges $f(x)$ for every crate that he picks up at $x$ and gives back $f(y)$ for every crate that he sets down at $y$.
# A crate that goes from $x$ to $y$ thus costs you $f(x)-f(y)$. If $f$ is 1-Lipschitz, that is never more than walking yourself, so you accept; what he earns is the
# right-hand side of (13.54). Below are two plans and two price lists.

# %%
before = {0: 3, 1: 1, 5: 4}  # position -> crates
after = {1: 1, 2: 2, 3: 3, 4: 2}
plans = {
    "a clumsy plan": [(0, 4, 2), (0, 1, 1), (1, 2, 1), (5, 2, 1), (5, 3, 3)],
    "a better plan": [(0, 1, 1), (0, 2, 2), (1, 3, 1), (5, 3, 2), (5, 4, 2)],
}
prices = {"a price list": 2, "a better price list": 3}  # f(x) is the distance to this position

efforts = {name: sum(n * abs(b - a) for a, b, n in moves) for name, moves in plans.items()}
gains = {
    name: sum(n * abs(x - kink) for x, n in before.items())
    - sum(n * abs(x - kink) for x, n in after.items())
    for name, kink in prices.items()
}
for name, effort in efforts.items():
    print(f"{name} costs {effort} crate-steps")
for name, gain in gains.items():
    print(f"{name} earns {gain} crate-steps")
claim("no price list earns more than any plan costs", max(gains.values()) <= min(efforts.values()))
claim(
    "the better ones meet, so neither can be improved",
    efforts["a better plan"] == gains["a better price list"],
)

# %%
figure, axes = plotting.new_figure(3, size=(3.5, 2.9))
for axis, (name, moves) in zip(axes, plans.items(), strict=False):
    for a, b, crates in moves:
        axis.plot([a, b], [1, 0], color="#555555", linewidth=1.4 * crates, alpha=0.6, zorder=1)
    for height, piles, colour in ((1, before, "#4477AA"), (0, after, "#EE6677")):
        for position, crates in piles.items():
            axis.scatter(position, height, s=110 * crates, color=colour, zorder=2)
    axis.set(title=f"{name}: {efforts[name]}", xlabel="position", xlim=(-0.7, 5.7))
    axis.set_ylim(-0.3, 1.3)
    axis.set_yticks([0, 1], ["after", "before"])
street = torch.linspace(-0.5, 5.5, 121)
for (name, kink), dash in zip(prices.items(), ("--", "-"), strict=True):
    axes[2].plot(street, (street - kink).abs(), f"k{dash}", label=f"{name}: {gains[name]}")
axes[2].set(title="price lists", xlabel="position", ylabel="$f(x)$", ylim=(-0.1, 5))
axes[2].legend()
figure

# %% [markdown]
# **What to see.** Lines are moves, thicker for more crates; discs are as large as the piles. In the clumsy plan lines cross: crates pass each other.
# Plans come down in cost, price lists go up in what they earn, and 13 is where they meet. (13.54) says that they always do. Look at the better pair once more:
# along every move of that plan, its price list falls by exactly the distance. That is no accident, and the proof will explain it.

# %% [markdown]
# ## 1 · The primal: an optimal plan
#
# Let `p` have shape `(n,)`, `q` shape `(m,)`, and let `cost` hold $c_{ij}\ge 0$, the price of moving one unit of mass from source $i$ to target $j$, shape
# `(n, m)`. A plan is a matrix $\gamma$ of the same shape with $\gamma_{ij}\ge 0$ whose row sums are $p$ and whose column sums are $q$. Wanted is one that makes
# $\sum_{ij}\gamma_{ij}c_{ij}$ smallest, together with that smallest value: the tuple `(value, plan)`, `value` a 0-dimensional tensor.
# If several plans are optimal, return any of them.
#
# `scipy.optimize.linprog` solves linear programmes. It wants the unknowns as *one* vector and the equations as a matrix: flatten $\gamma$ row by row.
# `p` and `q` sum to 1 up to rounding; in float32 the two sums may differ by $10^{-7}$.


# %% nbgrader={"grade_id": "wasserstein_primal", "solution": true}
import torch


def wasserstein_primal(p, q, cost):
    """Solve the optimal-transport problem between p and q.

    Args:
        p: Probabilities of the sources, shape (n,); zeros may occur.
        q: Probabilities of the targets, shape (m,); zeros may occur.
        cost: Finite costs >= 0, shape (n, m).

    Returns:
        A tuple: the least cost, a 0-dimensional tensor; an optimal plan, shape (n, m).
    """
    ### BEGIN SOLUTION
    import numpy as np
    from scipy.optimize import linprog

    n, m = cost.shape
    # Unknowns: γ flattened row by row, so that γ[i, j] has index i·m + j. One equation per source
    # adds up row i, one per target adds up column j.
    row_sums = np.kron(np.eye(n), np.ones((1, m)))  # (n, n·m)
    column_sums = np.kron(np.ones((1, n)), np.eye(m))  # (m, n·m)
    # Float64 inside, and both sides of exactly the same mass: otherwise rounding alone could make
    # the equations contradict each other.
    supply, demand = p.double() / p.double().sum(), q.double() / q.double().sum()
    solution = linprog(
        cost.double().flatten().numpy(),
        A_eq=np.concatenate([row_sums, column_sums]),
        b_eq=torch.cat([supply, demand]).numpy(),
        bounds=(0, None),
    )
    plan = torch.from_numpy(solution.x).reshape(n, m)
    value = (plan * cost.double()).sum()
    return value.to(cost.dtype), plan.to(cost.dtype)
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_wasserstein_primal", "grade": true, "locked": true, "points": 3}
check(wasserstein_primal)

# %% [markdown]
# ## 2 · The dual: an optimal critic
#
# Now the right-hand side of (13.54). On a finite support a function is a vector: `f[i]` is $f(x_i)$. Both distributions live on the same
# points, `points` of shape `(n, d)`, all distinct, with `p` and `q` of shape `(n,)`; a point where only one of them has mass has a zero in the other. Wanted is an
# `f` with $|f_i-f_j|\le d_{ij}$ for *all* pairs of points that makes $\sum_i p_if_i-\sum_i q_if_i$ largest, and that largest value: the tuple `(value, f)`.
# Any such `f` will do.
#
# Two questions to answer first. The supremum does not change if a constant is added to $f$: what does that mean for a solver? And
# must $f$ keep the limits at points where neither `p` nor `q` has mass?


# %% nbgrader={"grade_id": "wasserstein_dual", "solution": true}
import torch


def wasserstein_dual(p, q, points):
    """Find a 1-Lipschitz function on the points that attains the supremum of (13.54).

    Args:
        p: First probabilities, shape (n,); zeros may occur.
        q: Second probabilities, shape (n,); zeros may occur.
        points: Distinct points, shape (n, d).

    Returns:
        A tuple: the supremum, a 0-dimensional tensor; the potential f, shape (n,).
    """
    ### BEGIN SOLUTION
    import numpy as np
    from scipy.optimize import linprog

    n = len(points)
    x = points.double()
    limits = torch.linalg.vector_norm(x[:, None] - x[None, :], dim=-1)  # (n, n)
    # One inequality f[i] − f[j] ≤ limits[i, j] for every ordered pair; both orders together bound
    # |f[i] − f[j]|. The pairs with i = j say 0 ≤ 0.
    unit = np.eye(n)
    differences = (unit[:, None] - unit[None, :]).reshape(n * n, n)
    # A constant in f changes nothing, so we pin f[0] = 0; the feasible set is then bounded.
    solution = linprog(
        (q.double() - p.double()).numpy(),  # linprog minimises
        A_ub=differences,
        b_ub=limits.flatten().numpy(),
        bounds=[(0, 0)] + [(None, None)] * (n - 1),
    )
    f = torch.from_numpy(solution.x)
    value = (p.double() * f).sum() - (q.double() * f).sum()
    return value.to(p.dtype), f.to(p.dtype)
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_wasserstein_dual", "grade": true, "locked": true, "points": 3}
check(wasserstein_dual)

# %% [markdown]
# ## 3 · One dimension: no programme at all
#
# On a line the distance can be read off. Let $F(t)$ and $G(t)$ be the **distribution functions** (分布函数) of $p$ and $q$. Across the place $t$ at least the mass
# $|F(t)-G(t)|$ must be carried, in one direction or the other; moving everything in order needs no more. Summed over all places:
#
# $$W(p,q)=\int_{-\infty}^{\infty}|F(t)-G(t)|\,dt,$$
#
# the area between two staircases. `points` has shape `(n,)` here, comes in any order and may repeat a position; the result is a 0-dimensional tensor.


# %% nbgrader={"grade_id": "wasserstein_1d", "solution": true}
def wasserstein_1d(points, p, q):
    """Wasserstein distance on a line, as the area between the distribution functions.

    Args:
        points: Positions in any order, shape (n,).
        p: First probabilities, shape (n,).
        q: Second probabilities, shape (n,).

    Returns:
        The distance, a 0-dimensional tensor.
    """
    ### BEGIN SOLUTION
    order = points.argsort()
    # F − G is constant between neighbouring points; behind the last point it is 0.
    heights = (p - q)[order].cumsum(0)[:-1].abs()  # (n − 1,)
    widths = points[order].diff()  # (n − 1,); 0 where a point is repeated
    return (heights * widths).sum()
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_wasserstein_1d", "grade": true, "locked": true, "points": 2}
check(wasserstein_1d)

# %% [markdown]
# ## 4 · From two prices to one: the c-transform
#
# The dual that a textbook on linear programming writes down for task 1 has *two* vectors, a price $f_i$ for each source and a price $g_j$ for each target,
# tied by $f_i+g_j\le c_{ij}$. (13.54) has one function. The tool that leads from one to the other is the **c-transform** (c-变换): the largest $g$ that a
# given $f$ allows,
#
# $$f^c_j=\min_i\,(c_{ij}-f_i).$$
#
# `f` has shape `(n,)`, `cost` shape `(n, m)`, the result shape `(m,)`. In the proof you will need three facts about it when $c_{ij}=d_{ij}$. Which ones?


# %% nbgrader={"grade_id": "c_transform", "solution": true}
def c_transform(f, cost):
    """The largest g with f[i] + g[j] <= cost[i, j].

    Args:
        f: Prices of the sources, shape (n,).
        cost: Shape (n, m).

    Returns:
        Prices of the targets, shape (m,).
    """
    ### BEGIN SOLUTION
    # f belongs to the rows: as a column, (n, 1), it meets cost[i, j] with its index i.
    return (cost - f[:, None]).min(dim=0).values
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_c_transform", "grade": true, "locked": true, "points": 2}
check(c_transform)

# %% [markdown]
# ## 5 · From the points to the whole space
#
# The supremum in (13.54) runs over functions on all of $\mathbb R^d$, while task 2 only found values at finitely many points. It could be that no 1-Lipschitz function
# on $\mathbb R^d$ takes these values. It is not so: every 1-Lipschitz function on a subset extends (延拓) to the whole space with the same constant, and the
# extension can be written down. Each point $x_i$ with its value $f_i$ limits the value at a new place $y$ from above and from below, through $\|y-x_i\|$. Start there.
#
# Given `points` $(n,d)$, values `f` of shape `(n,)` that are 1-Lipschitz on them, and `queries` $(k,d)$, return the extension's values at the queries, shape `(k,)`.
# There are many extensions; return any one, but it must be *one* function: 1-Lipschitz between queries as well, and equal to $f_i$ at $x_i$.


# %% nbgrader={"grade_id": "lipschitz_extension", "solution": true}
import torch


def lipschitz_extension(points, f, queries):
    """Evaluate a 1-Lipschitz function on R^d that equals f on the points.

    Args:
        points: Shape (n, d).
        f: Values at the points, 1-Lipschitz there, shape (n,).
        queries: Where to evaluate, shape (k, d).

    Returns:
        Values at the queries, shape (k,).
    """
    ### BEGIN SOLUTION
    # A distance is 1-Lipschitz in y, so is f[i] + ‖y − x_i‖, and so is the smallest of these. At
    # y = x_i the i-th gives f[i], and the others are no smaller because f is 1-Lipschitz.
    reach = torch.linalg.vector_norm(queries[:, None] - points[None], dim=-1)  # (k, n)
    return (f + reach).min(dim=1).values
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_lipschitz_extension", "grade": true, "locked": true, "points": 3}
check(lipschitz_extension)

# %% [markdown]
# ## 6 · A certificate: the duality gap
#
# How do you convince someone that a plan is optimal, without asking for trust in a solver? Hand over a potential as well. For any plan $\gamma$, optimal or not,
# with marginals $p$ (row sums) and $q$ (column sums), and any $f$, the **duality gap** (对偶间隙) is
#
# $$\sum_{ij}\gamma_{ij}\,\|x_i-x_j\|\;-\;\Big(\sum_i p_i f_i-\sum_i q_i f_i\Big).$$
#
# If $f$ is 1-Lipschitz it is never negative, and if it is 0 both are optimal. If $f$ is too steep it may be negative: return it as it is. `f` has shape `(n,)`, `plan`
# shape `(n, n)`, `points` shape `(n, d)`; the result is a 0-dimensional tensor.


# %% nbgrader={"grade_id": "duality_gap", "solution": true}
import torch


def duality_gap(f, plan, points):
    """Cost of a plan less what a potential attains between the plan's marginals.

    Args:
        f: Potential, shape (n,).
        plan: Masses that move from point i to point j, shape (n, n).
        points: Shape (n, d).

    Returns:
        The gap, a 0-dimensional tensor.
    """
    ### BEGIN SOLUTION
    lengths = torch.linalg.vector_norm(points[:, None] - points[None], dim=-1)  # (n, n)
    spent = (plan * lengths).sum()
    attained = (f * (plan.sum(dim=1) - plan.sum(dim=0))).sum()
    return spent - attained
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_duality_gap", "grade": true, "locked": true, "points": 2}
check(duality_gap)

# %% [markdown]
# ## 7 · Steeper critics
#
# Weight clipping (权重截断) bounds the Lipschitz constant of a W-GAN's critic by *some* $k$, hardly ever by 1. What does the critic then estimate? Return
#
# $$\sup_{\|f\|_L\le k}\;\sum_i p_if_i-\sum_i q_if_i,\qquad k\ge 0,$$
#
# as a 0-dimensional tensor; `p` and `q` have shape `(n,)`, `points` has shape `(n, d)`, and `k` is a float, possibly 0.


# %% nbgrader={"grade_id": "k_lipschitz_value", "solution": true}
import torch


def k_lipschitz_value(p, q, points, k):
    """The supremum of (13.54) over functions with Lipschitz constant at most k.

    Args:
        p: First probabilities, shape (n,).
        q: Second probabilities, shape (n,).
        points: Distinct points, shape (n, d).
        k: Largest slope, a float >= 0.

    Returns:
        The supremum, a 0-dimensional tensor.
    """
    ### BEGIN SOLUTION
    import numpy as np
    from scipy.optimize import linprog

    # f ↦ f / k turns k-Lipschitz functions into 1-Lipschitz ones and divides the objective by k.
    # So one programme, for slope 1, answers the question for every k; k = 0 leaves constants, and
    # their value 0.
    n = len(points)
    x = points.double()
    lengths = torch.linalg.vector_norm(x[:, None] - x[None, :], dim=-1)
    unit = np.eye(n)
    solution = linprog(
        (q.double() - p.double()).numpy(),
        A_ub=(unit[:, None] - unit[None, :]).reshape(n * n, n),
        b_ub=lengths.flatten().numpy(),
        bounds=[(0, 0)] + [(None, None)] * (n - 1),
    )
    return torch.tensor(-k * solution.fun, dtype=p.dtype)
    ### END SOLUTION


# %% nbgrader={"grade_id": "check_k_lipschitz_value", "grade": true, "locked": true, "points": 2}
check(k_lipschitz_value)

# %% [markdown]
# ## The pieces together
#
# Twelve points in the plane: six carry the mass of $p$, six that of $q$. The next cell puts your functions side by side: plan and potential, the gap between
# them, the potential's c-transform, the area formula against the programme once all points are pressed onto a line, and a steeper critic.

# %%
generator = torch.Generator().manual_seed(7)
points = torch.randn(12, 2, generator=generator, dtype=torch.float64)
points[:6, 0] -= 2
points[6:, 0] += 1
weights = torch.rand(12, generator=generator, dtype=torch.float64) + 0.2
side = torch.arange(12) < 6
p = torch.where(side, weights, 0.0) / weights[side].sum()
q = torch.where(side, 0.0, weights) / weights[~side].sum()
lengths = torch.cdist(points, points)

try:
    cheapest, plan = wasserstein_primal(p, q, lengths)
    largest, f = wasserstein_dual(p, q, points)
    gap = duality_gap(f, plan, points)
    transformed = c_transform(f, lengths)
    on_a_line = wasserstein_1d(points[:, 0], p, q)
    flat = (points[:, :1] - points[:, 0]).abs()
    flat_cheapest, _ = wasserstein_primal(p, q, flat)
    steeper = k_lipschitz_value(p, q, points, 2.5)
except NotImplementedError:
    print("Write the functions above first, then run this cell again.")
else:
    moved = plan > 1e-6
    drops = f[:, None] - f[None]
    claim(
        "the cheapest plan costs what the best critic attains, to 1e-6",
        abs(cheapest - largest) < 1e-6,
    )
    claim("the gap between this plan and this potential is below 1e-6", abs(gap) < 1e-6)
    claim(
        "along every move f falls by the distance, to 1e-6",
        ((drops - lengths)[moved].abs() < 1e-6).all(),
    )
    claim(
        "f and its c-transform g keep f[i] + g[j] ≤ c[i, j], to 1e-6",
        (f[:, None] + transformed <= lengths + 1e-6).all(),
    )
    claim(
        "on a line the area agrees with the programme, to 1e-6",
        abs(on_a_line - flat_cheapest) < 1e-6,
    )
    claim("a critic that may be steeper attains more", steeper > 1.1 * largest)

# %% [markdown]
# And the picture of it. Your `lipschitz_extension` turns the potential into a critic on the whole plane, drawn in colour; the plan is drawn as lines on top.

# %%
try:
    _, plan = wasserstein_primal(p, q, lengths)
    _, f = wasserstein_dual(p, q, points)
    across, up = torch.linspace(-5, 3.5, 120), torch.linspace(-3, 3, 90)
    plane = torch.cartesian_prod(across, up).double()
    critic = lipschitz_extension(points, f, plane).reshape(120, 90)
except NotImplementedError:
    figure = None
    print("Write the primal, the dual and the extension first, then run this cell again.")
else:
    figure, (axis,) = plotting.new_figure(size=(6.6, 4.2))
    colours = axis.contourf(across, up, critic.T, levels=24, cmap="cividis")
    figure.colorbar(colours, label="critic $f(x)$")
    for i, j in (plan > 1e-6).nonzero().tolist():
        axis.plot(*points[[i, j]].T, color="white", linewidth=18 * float(plan[i, j]), alpha=0.8)
    for name, mass, colour, marker in (("$p$", p, "#4477AA", "o"), ("$q$", q, "#EE6677", "s")):
        style = {"color": colour, "marker": marker, "edgecolors": "black", "zorder": 3}
        axis.scatter(*points[mass > 0].T, s=600 * mass[mass > 0], label=name, **style)
    axis.set(xlabel="$x_1$", ylabel="$x_2$", title="an optimal plan on an optimal critic")
    axis.grid(visible=False)
    axis.legend(loc="lower right", markerscale=0.6)
    claim(
        "the critic equals f at the points, to 1e-12",
        ((lipschitz_extension(points, f, points) - f).abs() < 1e-12).all(),
    )
figure

# %% [markdown]
# **What to see, once it is drawn.** The critic is high where $p$ has its mass and low where $q$ has. Every move runs straight down the slope, with the steepest
# descent that is allowed: the gradient's norm is 1 along the lines. This is what the gradient penalty (梯度惩罚) of later W-GANs asks of a critic.
# A generator, whose samples are the squares, is trained to climb $f$: it pushes them back along these lines.

# %% [markdown]
# ## Written answer
#
# **Prove (13.54).** Let $p$ and $q$ have a finite support $x_1,\dots,x_n\in\mathbb R^d$ (points where only one of them has mass included). You may use the
# **strong duality theorem of linear programming** (线性规划强对偶定理): if a linear programme has a finite optimum, so has its dual, both are attained, and the optimal
# values are equal. Prove everything else.
#
# | points | for |
# |---|---|
# | 1 | *Weak duality* (弱对偶): for every plan and every 1-Lipschitz $f$ the inequality, with the step at which each assumption is used |
# | 1 | *Linear programming*: primal and dual stated, why the primal has a finite optimum, what strong duality gives |
# | 1 | *One function*: from an optimal pair of prices to a single $f$; why it is 1-Lipschitz, and why the value does not fall |
# | 1 | *Everywhere and at every slope*: the extension to $\mathbb R^d$ with proof (½); the supremum over $\|f\|_L\le K$, $K=0$ included (½) |
#
# A remark on distributions without a finite support is welcome, but earns nothing extra. The functions above walk through the steps; name the one that belongs to each.

# %% [markdown] nbgrader={"grade_id": "written_13_6", "solution": true, "grade": true, "points": 4}
# Let $d_{ij}=\|x_i-x_j\|$, let $\Gamma$ be the set of matrices $\gamma\ge 0$ with row sums $p$ and column sums $q$, and write
# $$W=\inf_{\gamma\in\Gamma}\sum_{ij}\gamma_{ij}d_{ij},\qquad D=\sup_{\|f\|_L\le1}\Big(\sum_i p_if(x_i)-\sum_i q_if(x_i)\Big),$$
# where the supremum runs over functions on $\mathbb R^d$. Only $x_1,\dots,x_n$ carry mass, so these sums are the expectations of (13.54). We show $D\le W$, then $D\ge W$.
#
# **1. Weak duality** (`duality_gap` is never negative). Let $\gamma\in\Gamma$ and let $f$ be 1-Lipschitz; write $f_i=f(x_i)$. The row sums of $\gamma$ are $p$
# and its column sums are $q$, so
# $$\sum_i p_if_i-\sum_j q_jf_j=\sum_{ij}\gamma_{ij}f_i-\sum_{ij}\gamma_{ij}f_j=\sum_{ij}\gamma_{ij}(f_i-f_j)\le\sum_{ij}\gamma_{ij}d_{ij}.$$
# The first equality uses the marginals, the inequality uses $f_i-f_j\le d_{ij}$ (Lipschitz) together with $\gamma_{ij}\ge0$. The left side does not depend on $\gamma$ and the
# right side not on $f$. Taking the supremum on the left and the infimum on the right gives $D\le W$.
# Equality for one pair $(\gamma,f)$ makes both optimal, and it holds exactly if $f_i-f_j=d_{ij}$ wherever $\gamma_{ij}>0$: along every move $f$ falls by the distance.
#
# **2. Linear programming** (`wasserstein_primal`). Computing $W$ is the linear programme
# $$\min_{\gamma\ge0}\sum_{ij}d_{ij}\gamma_{ij}\quad\text{subject to}\quad\sum_j\gamma_{ij}=p_i,\quad\sum_i\gamma_{ij}=q_j.$$
# It is feasible, since $\gamma_{ij}=p_iq_j$ satisfies all constraints, and its objective is bounded below by 0, so its optimum is finite. To find its dual, give the equations
# multipliers $u_i$ and $v_j$ and form the Lagrangian
# $$\sum_{ij}d_{ij}\gamma_{ij}+\sum_iu_i\Big(p_i-\sum_j\gamma_{ij}\Big)+\sum_jv_j\Big(q_j-\sum_i\gamma_{ij}\Big)=\sum_iu_ip_i+\sum_jv_jq_j+\sum_{ij}\gamma_{ij}(d_{ij}-u_i-v_j).$$
# Its infimum over $\gamma\ge0$ is $\sum_iu_ip_i+\sum_jv_jq_j$ if $u_i+v_j\le d_{ij}$ for all $i,j$, and $-\infty$ otherwise. The dual programme is therefore
# $$\max_{u,v}\;\sum_iu_ip_i+\sum_jv_jq_j\quad\text{subject to}\quad u_i+v_j\le d_{ij}\ \text{ for all } i,j.$$
# By strong duality both optima are attained and equal: there are $u^*,v^*$ with $u^*_i+v^*_j\le d_{ij}$ and $\sum_iu^*_ip_i+\sum_jv^*_jq_j=W$.
#
# **3. One function instead of two** (`c_transform`). Replace $u^*$ by the largest prices that $v^*$ allows,
# $$f_i=\min_j\,(d_{ij}-v^*_j),$$
# the c-transform of $v^*$ (the matrix $d$ is symmetric). Three facts:
#
# (a) *$f_i\ge u^*_i$*, because $u^*_i\le d_{ij}-v^*_j$ holds for every $j$, hence also for the smallest right side.
#
# (b) *$-f_j\ge v^*_j$*, because the minimum that defines $f_j$ is at most its $j$-th term: $f_j\le d_{jj}-v^*_j=-v^*_j$. Here $d_{jj}=0$ is used.
#
# (c) *$f$ is 1-Lipschitz on the points.* Let $j$ attain the minimum for $i'$. Then, by the triangle inequality,
# $$f_i\le d_{ij}-v^*_j\le d_{ii'}+d_{i'j}-v^*_j=d_{ii'}+f_{i'},$$
# and the same with $i,i'$ exchanged, so $|f_i-f_{i'}|\le d_{ii'}$.
#
# Since $p_i\ge0$ and $q_j\ge0$, (a) and (b) give
# $$\sum_ip_if_i-\sum_jq_jf_j\;\ge\;\sum_ip_iu^*_i+\sum_jq_jv^*_j=W.$$
# By the calculation of step 1, which only used the Lipschitz inequality between the points, the left side is at most $W$. Hence it equals $W$: the maximum over functions that are
# 1-Lipschitz *on the points* is $W$, and $f$ attains it (`wasserstein_dual`).
#
# **4. The extension to all of $\mathbb R^d$** (`lipschitz_extension`; McShane 1934). Define
# $$F(y)=\min_i\,(f_i+\|y-x_i\|),\qquad y\in\mathbb R^d.$$
# *$F$ extends $f$:* the term $i=k$ shows $F(x_k)\le f_k$; and for every $i$, (c) gives $f_i+\|x_k-x_i\|\ge f_k$, so $F(x_k)\ge f_k$.
# *$F$ is 1-Lipschitz:* for $y,y'$ let $i$ attain the minimum for $y'$; then
# $$F(y)\le f_i+\|y-x_i\|\le f_i+\|y'-x_i\|+\|y-y'\|=F(y')+\|y-y'\|,$$
# and $y,y'$ may be exchanged. So $F$ is admitted in the supremum $D$, and its value is that of $f$, which is $W$. Therefore $D\ge W$. With step 1, $D=W$, and $F$ attains the supremum. This is (13.54).
#
# **5. The $K$-Lipschitz form** (`k_lipschitz_value`). Let $K>0$. If $\|f\|_L\le K$, then $g=f/K$ has $\|g\|_L\le1$, and conversely $f=Kg$; this is a one-to-one correspondence.
# The objective is linear in $f$, so it is $K$ times as large for $f$ as for $g$, and
# $$\sup_{\|f\|_L\le K}\Big(\sum_ip_if_i-\sum_iq_if_i\Big)=K\sup_{\|g\|_L\le1}\Big(\sum_ip_ig_i-\sum_iq_ig_i\Big)=K\,W.$$
# For $K=0$ only constants remain; both probability vectors sum to 1, so their value is $0=0\cdot W$. A critic of unknown slope thus estimates $W$ up to an unknown factor, which does not change
# the direction in which the generator should move.
#
# **6. Remark: general distributions.** Let $p,q$ have finite first moments, so that $E\|x\|<\infty$ and expectations of Lipschitz functions exist. Step 1 holds word for word with integrals for sums: $D(p,q)\le W(p,q)$.
# For the converse approximate. Given $\varepsilon>0$, choose a ball outside of which $\int\|x\|$ is below $\varepsilon/2$ for both, cut it into finitely many cells of diameter below $\varepsilon/2$, move the mass of every cell to one of its
# points and the mass outside to the origin. The results $p_\varepsilon,q_\varepsilon$ have finite support, and these moves are plans that cost at most $\varepsilon$: $W(p,p_\varepsilon)\le\varepsilon$, $W(q,q_\varepsilon)\le\varepsilon$.
# The triangle inequality of $W$ (plans can be joined at their common marginal) gives $W(p,q)\le W(p_\varepsilon,q_\varepsilon)+2\varepsilon$. On the other side, weak duality gives
# $|E_pf-E_{p_\varepsilon}f|\le\varepsilon$ for every 1-Lipschitz $f$, and the same for $q$, so $D(p_\varepsilon,q_\varepsilon)\le D(p,q)+2\varepsilon$. With the finite case in the middle,
# $$W(p,q)\le W(p_\varepsilon,q_\varepsilon)+2\varepsilon=D(p_\varepsilon,q_\varepsilon)+2\varepsilon\le D(p,q)+4\varepsilon,$$
# and $\varepsilon\to0$ yields $W\le D$. (13.54) holds for all distributions with a finite first moment. $\blacksquare$

# %% [markdown]
# ## Where to read on
#
# - L. V. Kantorovich, G. Sh. Rubinstein, *On a Space of Completely Additive Functions*, 1958: where the theorem comes from.
# - E. J. McShane, *Extension of Range of Functions*, 1934: how Lipschitz functions extend.
# - C. Villani, *Optimal Transport: Old and New*, 2009, chapters 5 and 6: duality for general costs, and the metric properties of $W$.
# - G. Peyré, M. Cuturi, *Computational Optimal Transport*, 2019, chapters 2, 3 and 6: linear programmes, solvers, and c-transforms.
# - M. Arjovsky, S. Chintala, L. Bottou, *Wasserstein GAN*, 2017: what (13.54) was put to use for.
# - I. Gulrajani, F. Ahmed, M. Arjovsky, V. Dumoulin, A. Courville, *Improved Training of Wasserstein GANs*, 2017: an optimal critic's gradient has norm 1 along the optimal plan.
