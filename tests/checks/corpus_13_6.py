"""Answers to exercise 13-6: right ones in many styles, and wrong ones with their diagnosis."""

import functools
import itertools
import math

import numpy as np
import torch
from scipy import optimize, stats
from scipy.spatial.distance import cdist


def _solved_once(answer):
    """Remember what an answer returned: many wrong answers start from the same right one."""
    results = {}

    @functools.wraps(answer)
    def remembering(*tensors):
        key = tuple((t.dtype, t.shape, t.detach().numpy().tobytes()) for t in tensors)
        if key not in results:
            results[key] = answer(*tensors)
        return tuple(result.clone() for result in results[key])

    return remembering


# --- wasserstein_primal -----------------------------------------------------------------------


def _equations(n, m):
    rows = np.kron(np.eye(n), np.ones((1, m)))
    columns = np.kron(np.ones((1, n)), np.eye(m))
    return np.vstack([rows, columns])


@_solved_once
def primal_linprog(p, q, cost):
    n, m = cost.shape
    masses = torch.cat([p / p.sum(), q / q.sum()]).double().numpy()
    solved = optimize.linprog(cost.double().numpy().ravel(), A_eq=_equations(n, m), b_eq=masses)
    plan = torch.tensor(solved.x.reshape(n, m), dtype=cost.dtype)
    return (plan * cost).sum(), plan


def primal_no_renormalising(p, q, cost):
    n, m = cost.shape
    solved = optimize.linprog(
        cost.numpy().ravel(), A_eq=_equations(n, m), b_eq=np.concatenate([p, q]), bounds=(0, None)
    )
    return torch.tensor(solved.fun, dtype=p.dtype), torch.from_numpy(solved.x).to(p).view(n, m)


def primal_interior_point(p, q, cost):
    n, m = cost.shape
    scale = max(cost.max().item(), 1e-30)
    solved = optimize.linprog(
        cost.double().numpy().ravel() / scale,
        A_eq=_equations(n, m)[:-1],
        b_eq=torch.cat([p, q]).double().numpy()[:-1],
        method="highs-ipm",
    )
    plan = torch.from_numpy(solved.x.reshape(n, m)).to(cost.dtype)
    return [torch.einsum("ij,ij->", plan, cost), plan]


def _shortest_path(residual, source, sinks):
    """Bellman-Ford on a dict of arcs node -> {node: cost}; the path to the nearest sink."""
    best, parent = {source: 0.0}, {}
    for _ in range(len(residual)):
        changed = False
        for tail, arcs in residual.items():
            if tail not in best:
                continue
            for head, length in arcs.items():
                if best[tail] + length < best.get(head, math.inf) - 1e-12 * (1 + abs(length)):
                    best[head], parent[head], changed = best[tail] + length, tail, True
        if not changed:
            break
    sink = min((s for s in sinks if s in best), key=best.__getitem__)
    path = [sink]
    while path[-1] != source:
        path.append(parent[path[-1]])
    return path[::-1]


def primal_shortest_paths(p, q, cost):
    """Successive shortest paths, by hand."""
    n, m = cost.shape
    scale = max(cost.double().max().item(), 1e-30)
    price = (cost.double() / scale).tolist()
    supply, demand = p.double().tolist(), q.double().tolist()
    plan = np.zeros((n, m))
    for start in range(n):
        while supply[start] > 1e-12:
            open_sinks = [("t", j) for j in range(m) if demand[j] > 1e-12]
            if not open_sinks:
                break
            residual = {("s", i): {("t", j): price[i][j] for j in range(m)} for i in range(n)}
            for j in range(m):
                residual[("t", j)] = {("s", i): -price[i][j] for i in range(n) if plan[i, j] > 0}
            path = _shortest_path(residual, ("s", start), open_sinks)
            back = [(b, a) for a, b in itertools.pairwise(path) if a[0] == "t"]
            amount = min([supply[start], demand[path[-1][1]], *(plan[i[1], j[1]] for i, j in back)])
            for a, b in itertools.pairwise(path):
                if a[0] == "s":
                    plan[a[1], b[1]] += amount
                else:
                    plan[b[1], a[1]] -= amount
            supply[start] -= amount
            demand[path[-1][1]] -= amount
    plan = torch.tensor(plan, dtype=cost.dtype)
    return (plan * cost).sum(), plan


def primal_requires_grad(p, q, cost):
    n, m = cost.shape
    solved = optimize.linprog(
        cost.numpy().ravel(order="F"),
        A_eq=np.vstack([np.kron(np.ones((1, m)), np.eye(n)), np.kron(np.eye(m), np.ones((1, n)))]),
        b_eq=np.concatenate([p.double() / p.double().sum(), q.double() / q.double().sum()]),
        method="highs-ds",
    )
    plan = torch.tensor(solved.x.reshape(m, n), dtype=cost.dtype).T
    plan.requires_grad_()
    return torch.tensordot(plan, cost, dims=2), plan


def primal_product(p, q, cost):
    plan = p[:, None] * q
    return torch.sum(plan * cost), plan


def primal_greedy(p, q, cost):
    left, room, plan = p.clone(), q.clone(), torch.zeros_like(cost)
    for cell in np.argsort(cost.numpy(), axis=None, kind="stable"):
        i, j = np.unravel_index(cell, cost.shape)
        plan[i, j] = min(left[i], room[j])
        left[i] -= plan[i, j]
        room[j] -= plan[i, j]
    return (plan * cost).sum(), plan


def primal_north_west(p, q, cost):
    left, room, plan, i, j = p.clone(), q.clone(), torch.zeros_like(cost), 0, 0
    while i < len(p) and j < len(q):
        step = torch.minimum(left[i], room[j])
        plan[i, j] += step
        left[i] -= step
        room[j] -= step
        i, j = (i + 1, j) if left[i] <= room[j] else (i, j + 1)
    return (plan * cost).sum(), plan


def primal_maximum(p, q, cost):
    _, plan = primal_linprog(p, q, cost.max() - cost)
    return (plan * cost).sum(), plan


def primal_rows_only(p, q, cost):
    plan = p[:, None] * torch.nn.functional.one_hot(cost.argmin(1), len(q))
    return (p * cost.amin(1)).sum(), plan


def primal_columns_only(p, q, cost):
    plan = (q[:, None] * torch.nn.functional.one_hot(cost.argmin(0), len(p))).T
    return (q * cost.amin(0)).sum(), plan


def primal_upper_bounds(p, q, cost):
    n, m = cost.shape
    masses = torch.cat([p, q]).double().numpy()
    solved = optimize.linprog(cost.double().numpy().ravel(), A_ub=_equations(n, m), b_ub=masses)
    plan = torch.tensor(solved.x.reshape(n, m), dtype=cost.dtype)
    return (plan * cost).sum(), plan


def primal_squared(p, q, cost):
    return primal_linprog(p, q, cost.square())


def primal_root(p, q, cost):
    value, plan = primal_linprog(p, q, cost)
    return value**0.5, plan


def primal_mean(p, q, cost):
    _, plan = primal_linprog(p, q, cost)
    return torch.mean(plan * cost), plan


def primal_uniform(p, q, cost):
    n, m = cost.shape
    return primal_linprog(torch.full_like(p, 1 / n), torch.full_like(q, 1 / m), cost)


def primal_transposed(p, q, cost):
    value, plan = primal_linprog(p, q, cost)
    return value, plan.t()


def primal_conditional(p, q, cost):
    value, plan = primal_linprog(p, q, cost)
    return value, plan / plan.sum(1, keepdim=True)


def primal_unweighted(p, q, cost):
    _, plan = primal_linprog(p, q, cost)
    return (cost * (plan > 1e-9)).sum(), plan


def primal_sinkhorn(p, q, cost):
    eps = 0.05 * cost.max().clamp_min(1e-30)
    kernel, v = torch.exp(-cost / eps), torch.ones_like(q)
    for _ in range(100):
        u = p / (kernel @ v)
        v = q / (kernel.T @ u)
    plan = u[:, None] * kernel * v
    return (plan * cost).sum(), plan


def primal_right_value_other_plan(p, q, cost):
    value, _ = primal_linprog(p, q, cost)
    return value, torch.outer(p, q)


def primal_negative_mass(p, q, cost):
    value, plan = primal_linprog(p, q, cost)
    wobble = torch.zeros_like(plan)
    if min(plan.shape) > 1:
        wobble[:2, :2] = 0.01 * torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    return value, plan + wobble


def primal_plan_only(p, q, cost):
    return primal_linprog(p, q, cost)[1]


# --- wasserstein_dual -------------------------------------------------------------------------


def _dual(p, q, limits, *, bounds=None, keep=lambda i, j: True):
    n = len(p)
    A, b, unit = [np.zeros(n)], [0.0], np.eye(n)
    for i, j in itertools.permutations(range(n), 2):
        if keep(i, j):
            A.append(unit[i] - unit[j])
            b.append(float(limits[i, j]))
    weights = (q - p).double().numpy()
    bounds = bounds or [(None, None)] * (n - 1) + [(0, 0)]
    solved = optimize.linprog(weights, A_ub=np.array(A), b_ub=b, bounds=bounds)
    f = torch.tensor(solved.x, dtype=p.dtype)
    return torch.dot(p - q, f), f


def _euclid(points):
    return torch.from_numpy(cdist(points.double(), points.double()))


@_solved_once
def dual_linprog(p, q, points):
    return _dual(p, q, _euclid(points))


def dual_free_constant(p, q, points):
    return _dual(p, q, torch.cdist(points, points), bounds=[(None, None)] * len(p))


def dual_shifted(p, q, points):
    value, f = dual_shortest_paths(p, q, points)
    return value, f + 2.0


def dual_from_primal(p, q, points):
    """Solver's multipliers, made 1-Lipschitz everywhere by a c-transform."""
    cost, n = _euclid(points).numpy(), len(p)
    masses = torch.cat([p.double() / p.double().sum(), q.double() / q.double().sum()]).numpy()
    solved = optimize.linprog(cost.ravel(), A_eq=_equations(n, n), b_eq=masses)
    g = solved.eqlin.marginals[n:]
    f = np.min(cost - g[None], axis=1)
    return torch.tensor(solved.fun, dtype=p.dtype), torch.tensor(f, dtype=p.dtype)


def dual_mean_zero(p, q, points):
    _, f = _dual(p.double(), q.double(), _euclid(points))
    f = f - f.mean()
    value = (p.double() * f).sum() - (q.double() * f).sum()
    return value.to(p.dtype), f.to(p.dtype)


def dual_shortest_paths(p, q, points):
    """Potentials of the optimal flow: shortest paths in its residual network."""
    n, d = len(p), _euclid(points).numpy()
    _, plan = primal_shortest_paths(p, q, torch.from_numpy(d))
    length = d.copy()
    length[(plan.numpy() > 1e-9).T] = -d.T[(plan.numpy() > 1e-9).T]
    f = np.zeros(n)
    for _ in range(n):
        f = np.minimum(f, (f[:, None] + length).min(0))
    f = torch.from_numpy(-f).to(p.dtype)
    return ((p - q) * f).sum(), f


def dual_above(p, q, points):
    value, f = _dual(p, q, _euclid(points), bounds=[(0, None)] * len(p))
    return value, f + points.abs().max()


def dual_swapped(p, q, points):
    return dual_linprog(q, p, points)


def dual_minimised(p, q, points):
    value, f = dual_linprog(p, q, points)
    return -value, f


def dual_squared(p, q, points):
    return _dual(p, q, _euclid(points) ** 2)


def dual_manhattan(p, q, points):
    return _dual(p, q, torch.cdist(points, points, p=1))


def dual_chebyshev(p, q, points):
    return _dual(p, q, torch.cdist(points, points, p=math.inf))


def dual_chain(p, q, points):
    return _dual(p, q, _euclid(points), keep=lambda i, j: abs(i - j) == 1)


def dual_total_variation(p, q, points):
    f = torch.where(p > q, 1.0, torch.where(p < q, -1.0, 0.0)).to(p.dtype)
    return (p - q).abs().sum(), f


def dual_clipped(p, q, points):
    return _dual(p, q, _euclid(points), bounds=[(-1, 1)] * len(p))


def dual_linear(p, q, points):
    direction = p @ points - q @ points
    direction = direction / max(direction.norm().item(), 1e-30)
    f = points @ direction
    return torch.dot(p - q, f), f


def dual_doubled(p, q, points):
    value, f = dual_linprog(p, q, points)
    return value + value, f


def dual_absolute(p, q, points):
    _, f = dual_linprog(p, q, points)
    f = f - f[0]
    return torch.sum(torch.abs((p - q) * f)), f


def dual_only_on_masses(p, q, points):
    """No value where neither distribution has mass."""
    value, f = dual_linprog(p, q, points)
    f = f - f[0] + 50
    return value, torch.where((p == 0) & (q == 0), torch.zeros_like(f), f)


def dual_raw_multipliers(p, q, points):
    """The solver's multipliers as they are: free to be too small where p has no mass."""
    cost, n = _euclid(points).numpy(), len(p)
    masses = torch.cat([p.double() / p.double().sum(), q.double() / q.double().sum()]).numpy()
    solved = optimize.linprog(cost.ravel(), A_eq=_equations(n, n), b_eq=masses)
    f = torch.tensor(solved.eqlin.marginals[:n] - 40 * (p.double().numpy() == 0), dtype=p.dtype)
    return torch.tensor(solved.fun, dtype=p.dtype), f


def dual_too_steep(p, q, points):
    value, f = dual_linprog(p, q, points)
    return value, 1.01 * f


def dual_constant(p, q, points):
    value, f = dual_linprog(p, q, points)
    return value, torch.zeros_like(f)


def dual_value_only(p, q, points):
    return dual_linprog(p, q, points)[0]


# --- wasserstein_1d ---------------------------------------------------------------------------


def line_area(points, p, q):
    order = torch.argsort(points)
    F, G = p[order].cumsum(0), q[order].cumsum(0)
    return ((F - G)[:-1].abs() * points[order].diff()).sum()


def line_scipy(points, p, q):
    x = points.double().numpy()
    value = stats.wasserstein_distance(x, x, p.double().numpy(), q.double().numpy())
    return torch.tensor(value, dtype=points.dtype)


def line_loops(points, p, q):
    rows = sorted(zip(points.tolist(), p.tolist(), q.tolist(), strict=True))
    area = ahead = 0.0
    for (x, a, b), (following, _, _) in itertools.pairwise(rows):
        ahead += a - b
        area += abs(ahead) * (following - x)
    return torch.tensor(area, dtype=points.dtype)


def line_comparisons(points, p, q):
    edges = points.sort().values
    below = (points[None, :] <= edges[:, None]).to(p.dtype)  # (n, n)
    difference = torch.einsum("ij,j->i", below, p - q).abs()
    return difference[:-1] @ (edges[1:] - edges[:-1])


def line_quantiles(points, p, q):
    """Pair the masses from left to right."""
    order = points.argsort().tolist()
    left, right = p.double().clone(), q.double().clone()
    total, i, j = torch.zeros((), dtype=torch.float64), 0, 0
    while i < len(order) and j < len(order):
        a, b = order[i], order[j]
        step = torch.minimum(left[a], right[b])
        total += step * (points[a].double() - points[b].double()).abs()
        left[a] -= step
        right[b] -= step
        i, j = (i + 1, j) if left[a] <= right[b] else (i, j + 1)
    return total.to(points.dtype)


def line_linprog(points, p, q):
    cost = (points[:, None].double() - points.double()).abs()
    return primal_linprog(p, q, cost)[0].to(points.dtype)


def line_trapezoid(points, p, q):
    x, order = np.sort(points.numpy()), np.argsort(points.numpy())
    height = np.abs(np.cumsum((p - q).numpy()[order]))
    return torch.as_tensor(np.sum(height[:-1] * np.diff(x)), dtype=points.dtype)


def line_unsorted(points, p, q):
    return ((p.cumsum(0) - q.cumsum(0)).abs()[:-1] * points.diff()).sum()


def line_unsorted_magnitudes(points, p, q):
    return ((p.cumsum(0) - q.cumsum(0)).abs()[:-1] * points.diff().abs()).sum()


def line_masses_unsorted(points, p, q):
    x, _ = torch.sort(points)
    return ((p.cumsum(0) - q.cumsum(0)).abs()[:-1] * (x[1:] - x[:-1])).sum()


def line_no_gaps(points, p, q):
    order = points.argsort()
    return (p[order].cumsum(0) - q[order].cumsum(0))[:-1].abs().sum()


def line_mean(points, p, q):
    return ((p - q) * points).sum().abs()


def line_signed(points, p, q):
    return (q * points).sum() - (p * points).sum()


def line_cramer(points, p, q):
    order = points.argsort()
    return ((p - q)[order].cumsum(0)[:-1] ** 2 * points[order].diff()).sum()


def line_kolmogorov(points, p, q):
    order = torch.argsort(points)
    return torch.max(torch.abs(torch.cumsum(p[order], 0) - torch.cumsum(q[order], 0)))


def line_densities(points, p, q):
    order = points.argsort()
    return ((p - q)[order].abs()[:-1] * points[order].diff()).sum()


def line_shifted(points, p, q):
    order = points.argsort()
    return ((p - q)[order].cumsum(0).abs()[1:] * points[order].diff()).sum()


def line_total_variation(points, p, q):
    return 0.5 * torch.sum(torch.abs(p - q))


def line_second_order(points, p, q):
    """The masses paired from left to right, at squared costs."""
    order, total, i, j = points.argsort().tolist(), 0.0, 0, 0
    left, right = p.double().tolist(), q.double().tolist()
    while i < len(order) and j < len(order):
        a, b = order[i], order[j]
        step = min(left[a], right[b])
        total += step * (points[a].item() - points[b].item()) ** 2
        left[a], right[b] = left[a] - step, right[b] - step
        i, j = (i + 1, j) if left[a] <= right[b] else (i, j + 1)
    return torch.tensor(math.sqrt(total), dtype=points.dtype)


def line_distinct_only(points, p, q):
    """Masses of equal points overwritten instead of added."""
    first = dict(zip(points.tolist(), p.tolist(), strict=True))
    second = dict(zip(points.tolist(), q.tolist(), strict=True))
    x = sorted(first)
    area = sum(
        abs(sum(first[a] - second[a] for a in x[: k + 1])) * (x[k + 1] - x[k])
        for k in range(len(x) - 1)
    )
    return torch.tensor(float(area), dtype=points.dtype)


def line_float32(points, p, q):
    return line_area(points.float(), p.float(), q.float()).to(points.dtype)


# --- c_transform ------------------------------------------------------------------------------


def transform_min(f, cost):
    return (cost - f[:, None]).min(dim=0).values


def transform_loops(f, cost):
    n, m = cost.shape
    return torch.stack([min(cost[i, j] - f[i] for i in range(n)) for j in range(m)])


def transform_numpy(f, cost):
    return torch.from_numpy(np.min(cost.numpy() - f.numpy().reshape(-1, 1), axis=0))


def transform_max(f, cost):
    return -(f - cost.T).amax(dim=1)


def transform_sort(f, cost):
    return (cost.mT - f.unsqueeze(0)).sort(dim=1).values[:, 0]


def transform_double(f, cost):
    candidates = cost.double() - f.double().unsqueeze(-1)
    return candidates.gather(0, candidates.argmin(0, keepdim=True)).squeeze(0).to(f.dtype)


def transform_maximum(f, cost):
    return (cost - f[:, None]).max(dim=0).values


def transform_added(f, cost):
    return torch.min(f.unsqueeze(1) + cost, dim=0).values


def transform_rows(f, cost):
    return (cost - f[:, None]).min(dim=1).values


def transform_broadcast(f, cost):
    return (cost - f).min(dim=0).values


def transform_negated(f, cost):
    return (f[:, None] - cost).max(dim=0).values


def transform_without_f(f, cost):
    return cost.min(dim=0).values


def transform_magnitude(f, cost):
    return (cost - f[:, None]).abs().min(dim=0).values


def transform_mean(f, cost):
    return (cost - f[:, None]).mean(dim=0)


def transform_soft(f, cost):
    return -torch.log(torch.exp(f[:, None].double() - cost.double()).sum(0)).to(f.dtype)


def transform_matrix(f, cost):
    return torch.sub(cost, f.unsqueeze(1))


def transform_pair(f, cost):
    return torch.min(cost - f[:, None], dim=0)


def transform_clamped(f, cost):
    return (cost - f[:, None]).min(dim=0).values.clamp_min(0)


# --- lipschitz_extension ----------------------------------------------------------------------


def extension_upper(points, f, queries):
    d = torch.linalg.vector_norm(queries[:, None, :] - points[None, :, :], dim=-1)  # (k, n)
    return (f + d).min(dim=1).values


def extension_lower(points, f, queries):
    d = (points[:, None] - queries).square().sum(-1).sqrt()  # (n, k)
    return (f[:, None] - d).max(dim=0).values


def extension_middle(points, f, queries):
    d = torch.from_numpy(cdist(queries.double(), points.double()))
    values = ((f.double() + d).amin(1) + (f.double() - d).amax(1)) / 2
    return values.to(f.dtype)


def extension_loops(points, f, queries):
    values = []
    for y in queries.tolist():
        reach = [
            value + math.dist(x, y) for x, value in zip(points.tolist(), f.tolist(), strict=True)
        ]
        values.append(min(reach))
    return torch.tensor(values, dtype=f.dtype)


def extension_cdist(points, f, queries):
    return torch.max(f[None] - torch.cdist(queries, points), dim=1)[0]


def extension_clamped(points, f, queries):
    """Cutting a Lipschitz function off keeps it Lipschitz."""
    d = torch.norm(queries.unsqueeze(1) - points, dim=2)
    return (f + d).amin(dim=1).clamp(min=f.min(), max=f.max())


def extension_nearest(points, f, queries):
    return f[torch.cdist(queries, points).argmin(dim=1)]


def extension_loosest(points, f, queries):
    return (f + torch.cdist(queries, points)).amax(dim=1)


def extension_loosest_lower(points, f, queries):
    return (f - torch.cdist(queries, points)).amin(dim=1)


def extension_transform(points, f, queries):
    return (torch.cdist(queries, points) - f).amin(dim=1)


def extension_distance(points, f, queries):
    return torch.cdist(queries, points).amin(dim=1)


def extension_squared(points, f, queries):
    return (f + ((queries[:, None] - points) ** 2).sum(-1)).amin(dim=1)


def extension_half(points, f, queries):
    return (f + 0.5 * torch.cdist(queries, points)).amin(dim=1)


def extension_manhattan(points, f, queries):
    return (f + torch.cdist(queries, points, p=1)).amin(dim=1)


def extension_manhattan_lower(points, f, queries):
    return (f - torch.cdist(queries, points, p=1)).amax(dim=1)


def extension_weighted(points, f, queries):
    weights = torch.linalg.vector_norm(queries[:, None] - points, dim=-1).clamp_min(1e-12) ** -2
    return weights @ f / weights.sum(1)


def extension_mean(points, f, queries):
    return torch.full_like(queries[:, 0], f.mean().item())


def extension_points(points, f, queries):
    return (f[:, None] + torch.cdist(points, queries)).amin(dim=1)


def extension_kept_axis(points, f, queries):
    return (f + torch.cdist(queries, points)).min(dim=1, keepdim=True).values


def extension_mixed(points, f, queries):
    """The upper and the lower extension in turns: each is right, together they are not."""
    values = extension_upper(points, f, queries)
    values[::2] = extension_lower(points, f, queries)[::2]
    return values


def extension_first_point(points, f, queries):
    return f[0] + (queries - points[0]).norm(dim=1)


# --- duality_gap ------------------------------------------------------------------------------


def gap_sums(f, plan, points):
    d = torch.linalg.vector_norm(points[:, None] - points[None], dim=-1)
    return (plan * d).sum() - (f * (plan.sum(1) - plan.sum(0))).sum()


def gap_slack(f, plan, points):
    d = torch.cdist(points, points)
    return (plan * (d - (f[:, None] - f[None, :]))).sum()


def gap_einsum(f, plan, points):
    d = ((points.unsqueeze(0) - points.unsqueeze(1)) ** 2).sum(-1).sqrt()
    earned = torch.einsum("i,ij->", f, plan) - torch.einsum("j,ij->", f, plan)
    return torch.einsum("ij,ij->", plan, d) - earned


def gap_loops(f, plan, points):
    x, total = points.tolist(), 0.0
    for i, row in enumerate(plan.tolist()):
        for j, mass in enumerate(row):
            total += mass * (math.dist(x[i], x[j]) - f[i].item() + f[j].item())
    return torch.tensor(total, dtype=f.dtype)


def gap_scipy(f, plan, points):
    a, g = plan.double().numpy(), f.double().numpy()
    spent = np.sum(a * cdist(points.double(), points.double()))
    return torch.tensor(spent - g @ (a.sum(axis=1) - a.sum(axis=0)), dtype=f.dtype)


def gap_columns_first(f, plan, points):
    return gap_sums(f, plan.T, points)


def gap_negated(f, plan, points):
    return -gap_slack(f, plan, points)


def gap_primal(f, plan, points):
    return (plan * torch.cdist(points, points)).sum()


def gap_dual(f, plan, points):
    return f @ plan.sum(1) - f @ plan.sum(0)


def gap_clamped(f, plan, points):
    return torch.relu(gap_slack(f, plan, points))


def gap_magnitude(f, plan, points):
    return abs(gap_slack(f, plan, points))


def gap_potential_magnitudes(f, plan, points):
    return (plan * (torch.cdist(points, points) - torch.abs(f[:, None] - f))).sum()


def gap_squared(f, plan, points):
    return (plan * torch.cdist(points, points) ** 2).sum() - gap_dual(f, plan, points)


def gap_manhattan(f, plan, points):
    return (plan * torch.cdist(points, points, p=1)).sum() - gap_dual(f, plan, points)


def gap_rows(f, plan, points):
    return gap_primal(f, plan, points) - f @ plan.sum(dim=1)


def gap_both(f, plan, points):
    return gap_primal(f, plan, points) - f @ (plan.sum(1) + plan.sum(0))


def gap_unweighted(f, plan, points):
    return torch.cdist(points, points).sum() - gap_dual(f, plan, points)


def gap_vector(f, plan, points):
    d = torch.cdist(points, points)
    return (plan * d).sum(1) - f * (plan.sum(1) - plan.sum(0))


def gap_mean(f, plan, points):
    return gap_slack(f, plan, points) / len(f)


def gap_normalised(f, plan, points):
    return gap_sums(f, plan / plan.sum(), points)


def gap_float32(f, plan, points):
    return gap_sums(f.float(), plan.float(), points.float()).to(f.dtype)


# --- k_lipschitz_value ------------------------------------------------------------------------


def slope_scaled(p, q, points, k):
    return k * dual_linprog(p, q, points)[0]


def slope_limits(p, q, points, k):
    return _dual(p, q, k * _euclid(points))[0]


def slope_primal(p, q, points, k):
    return primal_linprog(p, q, k * torch.cdist(points, points))[0]


def slope_scaled_points(p, q, points, k):
    cost = cdist(k * points.double(), k * points.double())
    return primal_shortest_paths(p, q, torch.from_numpy(cost))[0].to(p.dtype)


def slope_potential(p, q, points, k):
    f = k * dual_mean_zero(p, q, points)[1].double()
    return (p.double() @ f - q.double() @ f).to(p.dtype)


def slope_one(p, q, points, k):
    return dual_linprog(p, q, points)[0]


def slope_divided(p, q, points, k):
    return dual_linprog(p, q, points)[0] / max(k, 1e-9)


def slope_squared_k(p, q, points, k):
    return k * slope_limits(p, q, points, k)


def slope_added(p, q, points, k):
    return dual_linprog(p, q, points)[0] + k


def slope_range(p, q, points, k):
    f = k * torch.sign(p - q)
    return torch.dot(p - q, f)


def slope_squared(p, q, points, k):
    return k * dual_squared(p, q, points)[0]


def slope_manhattan(p, q, points, k):
    return _dual(p, q, k * torch.cdist(points, points, p=1))[0]


def slope_infimum(p, q, points, k):
    return -slope_scaled(p, q, points, k)


def slope_linear(p, q, points, k):
    return k * torch.linalg.vector_norm(p @ points - q @ points)


def slope_at_least_one(p, q, points, k):
    return max(k, 1) * dual_linprog(p, q, points)[0]


def slope_float(p, q, points, k):
    return slope_scaled(p, q, points, k).item()


def slope_wasserstein_of_scaled_masses(p, q, points, k):
    return dual_linprog(p, q, points)[0] ** k


# The first right answers are called most often, and need no linear programme.
CORRECT = {
    "wasserstein_primal": [
        primal_shortest_paths,
        primal_linprog,
        primal_no_renormalising,
        primal_interior_point,
        primal_requires_grad,
    ],
    "wasserstein_dual": [
        dual_shortest_paths,
        dual_linprog,
        dual_free_constant,
        dual_shifted,
        dual_from_primal,
        dual_mean_zero,
        dual_above,
    ],
    "wasserstein_1d": [
        line_area,
        line_scipy,
        line_loops,
        line_comparisons,
        line_quantiles,
        line_linprog,
        line_trapezoid,
    ],
    "c_transform": [
        transform_min,
        transform_loops,
        transform_numpy,
        transform_max,
        transform_sort,
        transform_double,
    ],
    "lipschitz_extension": [
        extension_upper,
        extension_lower,
        extension_middle,
        extension_loops,
        extension_cdist,
        extension_clamped,
    ],
    "duality_gap": [gap_sums, gap_slack, gap_einsum, gap_loops, gap_scipy],
    "k_lipschitz_value": [
        slope_scaled_points,
        slope_scaled,
        slope_limits,
        slope_primal,
        slope_potential,
    ],
}

WRONG = {
    "wasserstein_primal": [
        ("independent coupling", primal_product, "independent-plan"),
        ("greedy", primal_greedy, "greedy"),
        ("north-west corner", primal_north_west, "ignores-cost"),
        ("maximised", primal_maximum, "maximised"),
        ("nearest target", primal_rows_only, "rows-only"),
        ("nearest source", primal_columns_only, "columns-only"),
        ("upper bounds", primal_upper_bounds, "inequality-marginals"),
        ("squared cost", primal_squared, "squared-cost"),
        ("root", primal_root, "root-of-value"),
        ("mean", primal_mean, "mean-cost"),
        ("uniform marginals", primal_uniform, "uniform-marginals"),
        ("transposed plan", primal_transposed, "transposed"),
        ("conditional plan", primal_conditional, "conditional-plan"),
        ("costs without masses", primal_unweighted, "unweighted-cost"),
        ("Sinkhorn", primal_sinkhorn, "value"),
        ("right value, other plan", primal_right_value_other_plan, "rule"),
        ("negative masses", primal_negative_mass, "rule"),
        ("plan alone", primal_plan_only, "type"),
    ],
    "wasserstein_dual": [
        ("p and q exchanged", dual_swapped, "negated-potential"),
        ("value of the minimum", dual_minimised, "negated-value"),
        ("squared distances", dual_squared, "squared-distance"),
        ("Manhattan", dual_manhattan, "manhattan-distance"),
        ("largest coordinate", dual_chebyshev, "largest-coordinate"),
        ("neighbours", dual_chain, "neighbours-only"),
        ("total variation", dual_total_variation, "bounded-instead"),
        ("clipped", dual_clipped, "bounded-too"),
        ("linear", dual_linear, "linear-potential"),
        ("doubled", dual_doubled, "doubled"),
        ("magnitudes", dual_absolute, "magnitudes"),
        ("nothing where no mass is", dual_only_on_masses, "rule"),
        ("raw multipliers", dual_raw_multipliers, "rule"),
        ("one per cent too steep", dual_too_steep, "rule"),
        ("constant potential", dual_constant, "rule"),
        ("value alone", dual_value_only, "type"),
    ],
    "wasserstein_1d": [
        ("unsorted", line_unsorted, "unsorted"),
        ("unsorted, magnitudes", line_unsorted_magnitudes, "unsorted-magnitudes"),
        ("masses unsorted", line_masses_unsorted, "masses-unsorted"),
        ("no gaps", line_no_gaps, "no-gaps"),
        ("means", line_mean, "absolute-mean"),
        ("signed", line_signed, "signed-area"),
        ("Cramér", line_cramer, "squared-difference"),
        ("Kolmogorov–Smirnov", line_kolmogorov, "largest-difference"),
        ("densities", line_densities, "densities"),
        ("shifted", line_shifted, "shifted"),
        ("total variation", line_total_variation, "total-variation"),
        ("second order", line_second_order, "second-order"),
        ("equal points overwritten", line_distinct_only, "special-inputs"),
        ("float32 inside", line_float32, "precision"),
    ],
    "c_transform": [
        ("maximum", transform_maximum, "maximum"),
        ("f added", transform_added, "f-added"),
        ("over columns", transform_rows, "wrong-axis"),
        ("no new axis", transform_broadcast, "raised"),
        ("negated", transform_negated, "negated"),
        ("without f", transform_without_f, "f-ignored"),
        ("magnitude", transform_magnitude, "magnitude"),
        ("mean", transform_mean, "mean"),
        ("soft minimum", transform_soft, "soft-minimum"),
        ("not reduced", transform_matrix, "not-reduced"),
        ("values and indices", transform_pair, "type"),
        ("cut off at 0", transform_clamped, "value"),
    ],
    "lipschitz_extension": [
        ("nearest point", extension_nearest, "nearest-point"),
        ("largest upper", extension_loosest, "largest-upper"),
        ("smallest lower", extension_loosest_lower, "smallest-lower"),
        ("c-transform", extension_transform, "f-subtracted"),
        ("distance", extension_distance, "distance-only"),
        ("squared distance", extension_squared, "squared-distance"),
        ("half slope", extension_half, "half-slope"),
        ("Manhattan", extension_manhattan, "manhattan-distance"),
        ("Manhattan from below", extension_manhattan_lower, "manhattan-distance-below"),
        ("weighted by squares", extension_weighted, "rule"),
        ("mean", extension_mean, "mean"),
        ("one per point", extension_points, "one-per-point"),
        ("axis kept", extension_kept_axis, "shape"),
        ("above and below in turns", extension_mixed, "rule"),
        ("first point only", extension_first_point, "rule"),
    ],
    "duality_gap": [
        ("columns first", gap_columns_first, "dual-added"),
        ("negated", gap_negated, "negated"),
        ("primal only", gap_primal, "primal-only"),
        ("dual only", gap_dual, "dual-only"),
        ("cut off", gap_clamped, "clamped"),
        ("magnitude", gap_magnitude, "magnitude"),
        ("magnitudes of f", gap_potential_magnitudes, "potential-magnitudes"),
        ("squared", gap_squared, "squared-distance"),
        ("Manhattan", gap_manhattan, "manhattan-distance"),
        ("rows only", gap_rows, "column-term-forgotten"),
        ("both added", gap_both, "marginals-added"),
        ("unweighted", gap_unweighted, "unweighted-distances"),
        ("per point", gap_vector, "shape"),
        ("mean", gap_mean, "value"),
        ("plan normalised", gap_normalised, "special-inputs"),
        ("float32 inside", gap_float32, "precision"),
    ],
    "k_lipschitz_value": [
        ("k = 1", slope_one, "k-ignored"),
        ("divided", slope_divided, "divided-by-k"),
        ("k twice", slope_squared_k, "k-squared"),
        ("added", slope_added, "k-added"),
        ("range", slope_range, "range-k"),
        ("squared distances", slope_squared, "squared-distance"),
        ("Manhattan", slope_manhattan, "manhattan-distance"),
        ("infimum", slope_infimum, "negated"),
        ("linear", slope_linear, "linear-potential"),
        ("k at least 1", slope_at_least_one, "special-inputs"),
        ("a float", slope_float, "type"),
        ("a power", slope_wasserstein_of_scaled_masses, "value"),
    ],
}

TEXTS = {
    ("wasserstein_primal", "greedy"): """
wasserstein_primal: not passed, 0 of 3 points.
  called     wasserstein_primal(p: float32 (3,), q: float32 (4,), cost: float32 (3, 4)),
             typical values
  returned   value: the number 2.296, which is wrong
  expected   the least cost of moving p to q, exact up to rounding
  fails on   8 of 30 inputs
  looks like a greedy plan that fills the cheapest cells first
  hint       A cheap cell taken now may force an expensive one later: all cells must be
             chosen together.
""",
    ("wasserstein_primal", "right value, other plan"): """
wasserstein_primal: not passed, 0 of 3 points.
  called     wasserstein_primal(p: float32 (3,), q: float32 (4,), cost: float32 (3, 4)),
             typical values
  returned   a plan that costs 2.312, more than the value returned with it
  expected   a tuple (value, plan), the plan moving p to q, whose sums are 1 only up to
             rounding, at the least possible cost
  fails on   20 of 30 inputs
  hint       Write it as a linear programme: what are the variables, which equations tie
             their row sums and column sums, and what is minimised?
""",
    ("wasserstein_dual", "p and q exchanged"): """
wasserstein_dual: not passed, 0 of 3 points.
  called     wasserstein_dual(p: float32 (5,), q: float32 (5,), points: float32 (5, 2)),
             five points in the plane
  returned   a potential with Σ p f − Σ q f = -1.989, not the value beside it
  expected   a tuple (value, f), f being 1-Lipschitz on the points and attaining the
             value
  fails on   24 of 28 inputs
  looks like a potential for p and q exchanged, or its negative
  hint       f must be large where p has more mass than q.
""",
    ("wasserstein_dual", "neighbours"): """
wasserstein_dual: not passed, 0 of 3 points.
  called     wasserstein_dual(p: float32 (5,), q: float32 (5,), points: float32 (5, 2)),
             five points in the plane
  returned   value: the number 2.431, which is wrong
  expected   the largest Σ p f − Σ q f over 1-Lipschitz f, exact up to rounding
  fails on   22 of 28 inputs
  looks like limits between consecutive points only
  hint       Points that do not follow each other may be close too. How many pairs are
             there?
""",
    ("wasserstein_1d", "unsorted"): """
wasserstein_1d: not passed, 0 of 2 points.
  called     wasserstein_1d(points: float32 (5,), p: float32 (5,), q: float32 (5,)),
             points in any order
  returned   the number -0.4348, which is wrong
  expected   the area between the two distribution functions, exact up to rounding
  fails on   22 of 30 inputs
  looks like points taken in the order given, as if it were ascending
  hint       A distribution function adds up mass from left to right: bring points and
             masses into that order, together.
""",
    ("c_transform", "over columns"): """
c_transform: not passed, 0 of 2 points.
  called     c_transform(f: float32 (3,), cost: float32 (3, 5)), more columns than rows
  returned   a float32 tensor of shape (3,)
  expected   a float32 tensor of shape (5,)
  looks like the minimum over the columns, one number for each row
  hint       The result lives where the targets are: one number for each column j.
""",
    ("lipschitz_extension", "nearest point"): """
lipschitz_extension: not passed, 0 of 3 points.
  called     lipschitz_extension(points: float32 (5, 2), f: float32 (5,), queries:
             float32 (7, 2)), typical values
  returned   entry [6] = 6.227, which is too steep: point 0, at a distance of 4.47, has
             f = 0
  expected   a float32 tensor of shape (7,), the values of one 1-Lipschitz function that
             equals f on the points
  fails on   14 of 26 inputs
  looks like the value of the nearest point
  hint       That function jumps half-way between two points: is it Lipschitz there?
""",
    ("duality_gap", "cut off"): """
duality_gap: not passed, 0 of 2 points.
  called     duality_gap(f: float32 (5,), plan: float32 (5, 5), points: float32 (5, 2)),
             a potential that is too steep
  returned   the number 0, which is wrong
  expected   what the plan costs less what the potential attains between the plan's
             marginals, exact up to rounding
  fails on   2 of 30 inputs: a potential that is too steep
  looks like a gap cut off at 0
  hint       A potential that is too steep shows up as a negative gap. Do not hide it.
""",
    ("k_lipschitz_value", "k = 1"): """
k_lipschitz_value: not passed, 0 of 2 points.
  called     k_lipschitz_value(p: float32 (5,), q: float32 (5,), points: float32 (5, 2),
             k=2.5), five points in the plane
  returned   the number 1.989, which is wrong
  expected   the largest Σ p f − Σ q f over f with ‖f‖_L ≤ k, exact up to rounding
  fails on   14 of 20 inputs
  looks like the value for k = 1
  hint       A critic that may be steeper separates the distributions further.
""",
}
