"""Answers to exercise 13-5: right ones in many styles, and wrong ones with their diagnosis."""

import functools
import itertools
import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import torch
from scipy import linalg, optimize
from scipy.spatial.distance import pdist

# --- lipschitz_constants ----------------------------------------------------------------------


def constants_stated():
    return {1: 2.0, 2: math.inf, 3: 1.0, 4: math.inf}


def constants_whole_numbers():
    return {4: float("inf"), 3: 1, 2: np.inf, 1: 2}


def constants_from_derivatives():
    x = torch.linspace(-1, 1, 101, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad((x**2).sum(), x)
    far = torch.tensor(1e9, dtype=torch.float64, requires_grad=True)
    (limit,) = torch.autograd.grad(torch.sqrt(far**2 + 1), far)
    end = torch.zeros((), requires_grad=True)
    (steepest,) = torch.autograd.grad(torch.sqrt(end), end)
    return {1: slope.abs().max().item(), 2: math.inf, 3: limit.item(), 4: steepest.item()}


def constants_from_limits():
    far = np.float64(1e155)
    with np.errstate(over="ignore", divide="ignore"):
        return {
            np.int64(1): -optimize.minimize_scalar(lambda x: -2 * x, bounds=(1 - 1e-16, 1)).fun,
            np.int64(2): far * far,
            np.int64(3): far / np.hypot(far, 1),
            np.int64(4): np.float64(1) / np.sqrt(np.float64(0)),
        }


def constants_domain_ignored():
    return {1: math.inf, 2: math.inf, 3: 1, 4: math.inf}


def constants_largest_values():
    return {1: 1, 2: math.inf, 3: 1, 4: math.inf}


def constants_ends():
    return {1: 0, 2: math.inf, 3: 1, 4: math.inf}


def constants_not_smallest():
    return {1: 4.0, 2: math.inf, 3: 1.0, 4: math.inf}


def constants_same_for_both_parabolas():
    return {1: 2, 2: 2, 3: 1, 4: math.inf}


def constants_largest_float():
    return {1: 2, 2: 1.7976931348623157e308, 3: 1, 4: math.inf}


def constants_zero_for_none():
    return {1: 2, 2: 0, 3: 1, 4: math.inf}


def constants_unbounded_function():
    return {1: 2, 2: math.inf, 3: math.inf, 4: math.inf}


def constants_at_one():
    return {1: 2, 2: math.inf, 3: 0.5**0.5, 4: math.inf}


def constants_chain_rule():
    return {1: 2, 2: math.inf, 3: 0.5, 4: math.inf}


def constants_inner_derivative():
    return {1: 2, 2: math.inf, 3: 2.0, 4: math.inf}


def constants_flattest():
    return {1: 2, 2: math.inf, 3: 0.0, 4: math.inf}


def constants_compact():
    return {1: 2, 2: math.inf, 3: 1, 4: 1}


def constants_right_end():
    return {1: 2, 2: math.inf, 3: 1, 4: 0.5}


def constants_zero_for_root():
    return {1: 2, 2: math.inf, 3: 1, 4: 0}


def constants_on_a_grid():
    x = np.linspace(-1, 1, 1001)
    return {1: np.abs(np.diff(x**2) / np.diff(x)).max(), 2: math.inf, 3: 1.0, 4: math.inf}


def constants_yes_or_no():
    return {1: True, 2: False, 3: True, 4: False}


def constants_none_for_none():
    return {1: 2.0, 2: None, 3: 1.0, 4: None}


def constants_text_keys():
    return {"1": 2.0, "2": math.inf, "3": 1.0, "4": math.inf}


def constants_as_list():
    return [2.0, math.inf, 1.0, math.inf]


# --- steep_pair -------------------------------------------------------------------------------


def steep_from_zero(number, slope):
    return (0.0, 2 * slope) if number == 2 else (0.0, min(1.0, 1 / (4 * slope**2)))


def steep_one_more(number, slope):
    if number == 2:
        return slope, slope + 1
    return 0, (slope + 1) ** -2


def steep_negative_side(number, slope):
    if number == 2:
        return [-(1.5 * slope + 1.0), -1.0]
    b = np.float64(1.0)
    while 1 / np.sqrt(b) <= 1.01 * slope:
        b = b / 4
    return [b, np.float64(0.0)]


def steep_away_from_zero(number, slope):
    if number == 2:
        return math.ceil(slope), math.ceil(slope) + 3
    steeper = max(1.0, slope)
    return 0.01 / steeper**2, 0.09 / steeper**2  # 1/(√a + √b) = 1/(0.4/steeper)


def steep_next_float(number, slope):
    if number == 2:
        return math.nextafter(slope, math.inf), 0.0
    limit = 1 / Fraction(slope) ** 2  # b has to be below it, and at most 1
    b = float(min(limit, Fraction(1)))
    while Fraction(b) >= limit:
        b = math.nextafter(b, 0.0)
    return 0.0, b


def steep_decimal(number, slope):
    exact = Decimal(slope)
    if number == 2:
        return exact + 1, exact
    return Decimal(0), 1 / (2 * exact + 1) ** 2


def steep_numpy_float32(number, slope):
    if number == 2:
        return np.float32(0), np.float32(1.25 * slope)
    return np.float32(0), np.minimum(np.float32(0.5 / slope**2), np.float32(1))


def steep_exactly(number, slope):
    return (slope, 0.0) if number == 2 else (0.0, min(1 / slope**2, 1.0))


def steep_exactly_by_halves(number, slope):
    return (slope / 4, 3 * slope / 4) if number == 2 else steep_from_zero(number, slope)


def steep_tangent(number, slope):
    if number == 2:
        return slope / 2, slope / 2 - 0.1 * slope
    return 1 / (4 * slope**2 + 4), 1 / (slope**2 + 1)


def steep_fixed(number, slope):
    return (1.0, 1000.0) if number == 2 else (0.0, 1e-6)


def steep_outside(number, slope):
    return (0.0, slope + 1) if number == 2 else (0.0, 0.9 / slope**2)


def steep_negative_root(number, slope):
    return (0.0, slope + 1) if number == 2 else (-1 / slope, 0.0)


def steep_mirror(number, slope):
    return (-slope, slope) if number == 2 else (0.0, 1 / (slope + 1) ** 2)


def steep_tiny_step(number, slope):
    if number == 2:
        return slope + 1, slope + 1 + 1e-8
    return 1e-20, 2e-20


def steep_not_squared(number, slope):
    return (0.0, 2 * slope) if number == 2 else (0.0, min(1.0, 0.5 / slope))


def steep_root(number, slope):
    return (1.0, math.sqrt(slope)) if number == 2 else (0.0, 1 / (slope + 1) ** 2)


def steep_near_one(number, slope):
    return (0.0, 2 * slope) if number == 2 else (1.0, 1 - 0.5 / (1 + slope))


def steep_flat_end(number, slope):
    return (0.0, 1 / slope) if number == 2 else (0.0, 0.25 / (1 + slope**2))


def steep_tensors(number, slope):
    a, b = steep_from_zero(number, slope)
    return torch.tensor(a), torch.tensor(b)


def steep_not_a_number(number, slope):
    return (0.0, math.inf) if number == 2 else (0.0, 1 / (slope + 1) ** 2)


def steep_only_slope(number, slope):
    return 2 * slope if number == 2 else 1 / (slope + 1) ** 2


# --- near_extremal_pair -----------------------------------------------------------------------


def extremal_simple(number, eps):
    if number == 1:
        return 1.0, 1.0 - min(eps, 1.0) / 2
    return 1 / eps, 2 / eps


def extremal_negative(number, eps):
    if number == 1:
        return -1, -1 + min(eps, 2) / 4
    return -1 / math.sqrt(eps), -3 / math.sqrt(eps)


def extremal_neighbours(number, eps):
    if number == 1:
        return 1.0, math.nextafter(1.0, 0.0)
    far = float(math.ceil(1 / math.sqrt(eps)))
    return far, far + 1


def extremal_constant(number, eps):
    # One pair serves every eps in range, if it is steep enough for the smallest: floats are finite.
    return (np.float64(1.0), 1 - 2.0**-50) if number == 1 else (1e100, 2e100)


def extremal_from_zero(number, eps):
    if number == 1:
        eps = min(eps, 1)
        return [1 - 0.4 * eps, 1 - 0.3 * eps]
    return [0, 2 * math.ceil(1 / eps)]


def extremal_search(number, eps):
    if number == 1:
        return 1.0, 1 - float(Fraction(min(eps, 2)) * Fraction(99, 100))
    x = 1.0
    while 1 - x / math.hypot(x, 1) > eps / 10:  # the derivative at the flatter end
        x *= 2
    return x, 1.5 * x


def extremal_tangent(number, eps):
    # The chord is steeper than the tangent at its flatter end.
    eps = min(eps, 1)
    if number == 1:
        return 1 - 0.49 * eps, 1
    margin = 0.999 * eps
    x = (1 - margin) / math.sqrt(margin * (2 - margin))
    return np.float64(x), np.float64(x + 1)


def extremal_leaves_domain(number, eps):
    return (1.0, 1 - eps / 2) if number == 1 else (1e8, 2e8)


def extremal_same(number, eps):
    return (1.0, 1.0) if number == 1 else (1 / eps, 2 / eps)


def extremal_too_small_a_step(number, eps):
    return (1.0, 1.0 - eps * 1e-6) if number == 1 else (1 / eps, 2 / eps)


def extremal_outside(number, eps):
    return (1.0 + eps, 1.0) if number == 1 else (1 / eps, 2 / eps)


def extremal_ends(number, eps):
    return (-1.0, 1.0) if number == 1 else (1 / eps, 2 / eps)


def extremal_mirror(number, eps):
    return (1.0, 1 - min(eps, 1) / 2) if number == 1 else (-1 / eps, 1 / eps)


def extremal_edge(number, eps):
    return (1.0 - eps, 1.0) if number == 1 else (1 / eps, 2 / eps)


def extremal_edge_shared(number, eps):
    return (1.0 - 0.75 * eps, 1.0 - eps / 4) if number == 1 else (1 / eps, 2 / eps)


def extremal_fixed(number, eps):
    return (0.99, 1.0) if number == 1 else (10.0, 20.0)


def extremal_tangent_only(number, eps):
    # The derivative at a is 2 − eps, but b lies on the flatter side.
    return (1 - eps / 2, 1 - eps) if number == 1 else (1 / eps, 2 / eps)


def extremal_too_near(number, eps):
    step = min(eps, 1) / 2
    return (1.0, 1 - step) if number == 1 else (0.4 / math.sqrt(eps), 0.5 / math.sqrt(eps))


def extremal_root(number, eps):
    return (1.0, 1 - min(eps, 1) / 2) if number == 1 else (0.0, 1 / math.sqrt(eps))


def extremal_root_step(number, eps):
    return (1.0, 1 - math.sqrt(eps) / 2) if number == 1 else (1 / eps, 2 / eps)


def extremal_around_zero(number, eps):
    return (0.0, eps / 4) if number == 1 else (0.0, 2 * eps)


def extremal_float32(number, eps):
    if number == 1:
        return 1.0, torch.tensor(1 - eps / 2).item()
    return 1 / eps, 2 / eps


# --- empirical_lipschitz ----------------------------------------------------------------------


def empirical_broadcast(x, y):
    distances = (x[:, None] - x[None]).norm(dim=-1)
    slopes = (y[:, None] - y[None]).abs() / distances
    return slopes[distances > 0].max()


def empirical_loops(x, y):
    best = torch.zeros((), dtype=x.dtype)
    for i, j in itertools.combinations(range(len(x)), 2):
        if not torch.equal(x[i], x[j]):
            best = torch.maximum(best, (y[i] - y[j]).abs() / torch.dist(x[i], x[j]))
    return best


def empirical_pdist(x, y):
    distances = torch.pdist(x)
    rises = torch.pdist(y[:, None])
    return torch.where(distances > 0, rises / distances, torch.zeros_like(rises)).amax()


def empirical_cdist(x, y):
    is_equal = (x.unsqueeze(1) == x.unsqueeze(0)).all(dim=2)
    slopes = (y.unsqueeze(1) - y.unsqueeze(0)).abs() / torch.cdist(x, x)
    return slopes.masked_fill(is_equal, 0).max()


def empirical_scipy(x, y):
    distances = pdist(x.numpy().astype(np.float64))
    rises = pdist(y.numpy().astype(np.float64)[:, None])
    keep = distances > 0
    return torch.tensor((rises[keep] / distances[keep]).max(), dtype=x.dtype)


def empirical_einsum(x, y):
    i, j = torch.triu_indices(len(x), len(x), offset=1)
    steps = x[i] - x[j]
    squares = torch.einsum("pd,pd->p", steps, steps)
    is_pair = (steps != 0).any(1)
    return ((y[i] - y[j])[is_pair] ** 2 / squares[is_pair]).max().sqrt()


def empirical_signed(x, y):
    # Both orders of a pair are there, so the largest signed slope is the largest slope.
    distances = torch.linalg.vector_norm(x[:, None, :] - x, dim=-1)
    slopes = torch.where(distances == 0, -math.inf, (y[:, None] - y) / distances)
    return torch.max(slopes)


def empirical_nan_masked(x, y):
    slopes = (y[:, None] - y).abs() / torch.linalg.norm(x[:, None] - x, dim=2)
    slopes[(x[:, None] == x).all(2)] = 0
    return slopes.max()


def _mask(x):
    return (x[:, None] != x[None]).any(-1)


def _distances(x):
    return torch.linalg.vector_norm(x[:, None] - x[None], dim=-1)


def _rises(y):
    return torch.abs(y[:, None] - y[None])


def empirical_all_pairs(x, y):
    off_diagonal = ~torch.eye(len(x), dtype=torch.bool)
    slopes = (_rises(y) / _distances(x))[off_diagonal]
    return torch.nan_to_num(slopes, nan=0.0, posinf=math.inf).max()


def empirical_clamped(x, y):
    return (_rises(y) / _distances(x).clamp(min=1e-12)).max()


def empirical_padded(x, y):
    return (_rises(y) / (_distances(x) + 1e-6)).max()


def empirical_squared(x, y):
    return (_rises(y) / (x[:, None] - x[None]).pow(2).sum(-1))[_mask(x)].max()


def empirical_manhattan(x, y):
    return (_rises(y) / (x[:, None] - x[None]).abs().sum(-1))[_mask(x)].max()


def empirical_chebyshev(x, y):
    return (_rises(y) / (x[:, None] - x[None]).abs().amax(-1))[_mask(x)].max()


def empirical_consecutive(x, y):
    pairs = [i for i in range(len(x) - 1) if not torch.equal(x[i], x[i + 1])]
    return torch.stack([abs(y[i + 1] - y[i]) / torch.dist(x[i], x[i + 1]) for i in pairs]).max()


def empirical_first_point(x, y):
    keep = _mask(x)[0]
    return (_rises(y)[0][keep] / _distances(x)[0][keep]).max()


def empirical_one_order(x, y):
    i, j = torch.triu_indices(len(x), len(x), offset=1)
    keep = (x[i] != x[j]).any(-1)
    return ((y[j] - y[i])[keep] / (x[j] - x[i])[keep].norm(dim=-1)).max()


def empirical_extremes(x, y):
    return _rises(y).max() / _distances(x).max()


def empirical_average(x, y):
    return (_rises(y) / _distances(x))[_mask(x)].mean()


def empirical_minimum(x, y):
    return (_rises(y) / _distances(x))[_mask(x)].min()


def empirical_nan(x, y):
    return (_rises(y) / _distances(x)).max()


def empirical_matrix_product(x, y):
    squares = (x**2).sum(1)
    squared = (squares[:, None] + squares[None] - 2 * x @ x.T).clamp(min=0)
    return torch.where(squared > 0, _rises(y) / squared.sqrt(), torch.zeros_like(squared)).max()


def empirical_one_by_one(x, y):
    return empirical_broadcast(x, y).reshape(1)


def empirical_all_coordinates(x, y):
    is_pair = (x[:, None] != x).all(2)
    return torch.where(is_pair, _rises(y) / _distances(x), 0).max()


def empirical_isclose(x, y):
    is_pair = ~torch.isclose(x[:, None], x[None]).all(2)
    return torch.where(is_pair, _rises(y) / _distances(x), 0).max()


def empirical_threshold(x, y):
    distances = _distances(x)
    return torch.where(distances > 1e-9, _rises(y) / distances, 0).max()


def empirical_signed_loop(x, y):
    best = torch.zeros((), dtype=x.dtype)
    for i, j in itertools.combinations(range(len(x)), 2):
        if not torch.equal(x[i], x[j]):
            best = torch.maximum(best, (y[j] - y[i]) / torch.dist(x[i], x[j]))
    return best


def empirical_other_order(x, y):
    i, j = torch.triu_indices(len(x), len(x), 1)
    distances = (x[i] - x[j]).norm(dim=1)
    return torch.where(distances > 0, (y[i] - y[j]) / distances, -1e9).max()


def empirical_sorted(x, y):
    order = x[:, 0].argsort()
    return empirical_consecutive(x[order], y[order])


def empirical_first_occurrences(x, y):
    keep = [i for i in range(len(x)) if not any(torch.equal(x[i], x[j]) for j in range(i))]
    return empirical_broadcast(x[keep], y[keep])


def empirical_in_float32(x, y):
    return empirical_broadcast(x.float(), y.float()).to(x.dtype)


def empirical_as_float(x, y):
    return empirical_broadcast(x, y).item()


# --- mlp_lipschitz_bound ----------------------------------------------------------------------


def mlp_matrix_norm(weights):
    bound = torch.ones((), dtype=weights[0].dtype)
    for weight in weights:
        bound = bound * torch.linalg.matrix_norm(weight, ord=2)
    return bound


def mlp_svd(weights):
    return torch.stack([torch.linalg.svd(w).S.max() for w in weights]).prod()


def mlp_eigenvalues(weights):
    squares = [torch.linalg.eigvalsh(weight.T @ weight)[-1] for weight in weights]
    return math.prod(square.clamp(min=0).sqrt() for square in squares)


def mlp_numpy(weights):
    norms = [np.linalg.norm(weight.numpy(), 2) for weight in weights]
    return torch.tensor(np.prod(norms), dtype=weights[0].dtype)


def mlp_scipy(weights):
    norms = (linalg.svdvals(weight.double().numpy())[0] for weight in weights)
    return torch.as_tensor(math.prod(norms)).to(weights[0].dtype)


def mlp_logs(weights):
    norms = torch.stack([torch.linalg.svdvals(w.double())[0] for w in weights])
    return norms.log().sum().exp().to(weights[0].dtype)


def mlp_power_iteration(weights):
    bound = 1.0
    for weight in weights:
        gram = (weight.double().T @ weight.double()).numpy()
        scale = np.trace(gram)
        if scale == 0:
            return torch.zeros((), dtype=weights[0].dtype)
        gram = gram / scale
        for _ in range(40):  # squaring: 2^40 steps of power iteration
            gram = gram @ gram
            gram = gram / np.trace(gram)
        vector = gram[:, np.argmax(np.diag(gram))]
        image = weight.double().numpy() @ vector
        bound *= np.linalg.norm(image) / np.linalg.norm(vector)
    return torch.tensor(bound, dtype=weights[0].dtype)


def mlp_reduce(weights):
    return functools.reduce(torch.mul, [torch.linalg.norm(weight, 2) for weight in weights])


def mlp_frobenius(weights):
    return torch.stack([weight.norm() for weight in weights]).prod()


def mlp_squared(weights):
    values = [torch.linalg.eigvalsh(weight @ weight.T)[-1] for weight in weights]
    return torch.stack(values).prod()


def mlp_sum(weights):
    return sum(torch.linalg.matrix_norm(weight, 2) for weight in weights)


def mlp_maximum(weights):
    return torch.stack([torch.linalg.svdvals(weight).max() for weight in weights]).max()


def mlp_linear_network(weights):
    return torch.linalg.matrix_norm(functools.reduce(lambda a, b: b @ a, weights), 2)


def mlp_smallest(weights):
    return torch.stack([torch.linalg.svdvals(weight).min() for weight in weights]).prod()


def mlp_infinity_norm(weights):
    return torch.stack([torch.linalg.matrix_norm(w, math.inf) for w in weights]).prod()


def mlp_one_norm(weights):
    return torch.stack([torch.linalg.matrix_norm(w, 1) for w in weights]).prod()


def mlp_largest_weight(weights):
    return torch.stack([weight.abs().max() for weight in weights]).prod()


def mlp_hidden_only(weights):
    return math.prod(
        (torch.linalg.matrix_norm(weight, 2) for weight in weights[:-1]),
        start=torch.ones((), dtype=weights[0].dtype),
    )


def mlp_few_iterations(weights):
    bound = torch.ones((), dtype=weights[0].dtype)
    for weight in weights:
        vector = torch.ones(weight.shape[1], dtype=weight.dtype)
        for _ in range(3):
            vector = torch.nn.functional.normalize(weight.T @ (weight @ vector), dim=0)
        bound = bound * (weight @ vector).norm()
    return bound


def mlp_gradient(weights):
    x = torch.ones(weights[0].shape[1], dtype=weights[0].dtype, requires_grad=True)
    h = x
    for weight in weights[:-1]:
        h = torch.relu(weight @ h)
    (gradient,) = torch.autograd.grad((weights[-1] @ h).sum(), x)
    return gradient.norm()


def mlp_as_float(weights):
    return mlp_svd(weights).item()


def mlp_every_layer(weights):
    return torch.stack([torch.linalg.matrix_norm(weight, 2) for weight in weights])


# --- clipping_bound ---------------------------------------------------------------------------


def clipping_product(shapes, c):
    return math.prod(c * math.sqrt(out * inp) for out, inp in shapes)


def clipping_numpy(shapes, c):
    return np.prod(c * np.sqrt(np.prod(np.array(shapes, dtype=np.float64), axis=1)))


def clipping_logs(shapes, c):
    return math.exp(sum(math.log(c) + 0.5 * math.log(out * inp) for out, inp in shapes))


def clipping_powers(shapes, c):
    count = functools.reduce(lambda total, shape: total * shape[0] * shape[1], shapes, 1)
    return c ** len(shapes) * count**0.5


def clipping_constant_matrices(shapes, c):
    bound = 1.0
    for out, inp in shapes:  # the matrix of c's maps the unit vector 1/√in to its norm
        unit = np.full(inp, 1 / math.sqrt(inp))
        bound *= math.sqrt(out) * (c * unit.sum())
    return bound


def clipping_torch(shapes, c):
    counts = torch.tensor(shapes, dtype=torch.float64).prod(dim=1)
    return float((c * counts.sqrt()).prod())


def clipping_matrix_norm(shapes, c):
    full = [torch.full(shape, c, dtype=torch.float64) for shape in shapes]
    return math.prod(torch.linalg.matrix_norm(weight, 2).item() for weight in full)


def clipping_numpy_norm(shapes, c):
    return float(np.prod([np.linalg.norm(np.full(shape, c), 2) for shape in shapes]))


def clipping_frobenius(shapes, c):
    # A matrix of rank one has just one singular value.
    return math.prod(float(np.linalg.norm(np.full(shape, c))) for shape in shapes)


def clipping_no_root(shapes, c):
    return math.prod(c * out * inp for out, inp in shapes)


def clipping_c_once(shapes, c):
    return c * math.sqrt(math.prod(out * inp for out, inp in shapes))


def clipping_c_alone(shapes, c):
    return c ** len(shapes)


def clipping_inputs(shapes, c):
    return math.prod(c * inp**0.5 for _, inp in shapes)


def clipping_outputs(shapes, c):
    return math.prod(c * out**0.5 for out, _ in shapes)


def clipping_row_sums(shapes, c):
    return math.prod(c * inp for _, inp in shapes)


def clipping_random(shapes, c):
    return math.prod(c * (out**0.5 + inp**0.5) for out, inp in shapes)


def clipping_sum(shapes, c):
    return sum(c * math.sqrt(out * inp) for out, inp in shapes)


def clipping_largest(shapes, c):
    return max(c * math.sqrt(out * inp) for out, inp in shapes)


def clipping_sides(shapes, c):
    return math.prod(c * math.sqrt(sum(shape)) for shape in shapes)


def clipping_larger_side(shapes, c):
    return math.prod(c * max(shape) for shape in shapes)


def clipping_in_float32(shapes, c):
    counts = torch.tensor(shapes, dtype=torch.float32).prod(dim=1)
    return (c * counts.sqrt()).prod().item()


def clipping_as_tensor(shapes, c):
    return torch.tensor(clipping_product(shapes, c), dtype=torch.float64)


CORRECT = {
    "lipschitz_constants": [
        constants_stated,
        constants_whole_numbers,
        constants_from_derivatives,
        constants_from_limits,
    ],
    "steep_pair": [
        steep_from_zero,
        steep_one_more,
        steep_negative_side,
        steep_away_from_zero,
        steep_next_float,
        steep_decimal,
        steep_numpy_float32,
    ],
    "near_extremal_pair": [
        extremal_simple,
        extremal_negative,
        extremal_neighbours,
        extremal_constant,
        extremal_from_zero,
        extremal_search,
        extremal_tangent,
    ],
    "empirical_lipschitz": [
        empirical_broadcast,
        empirical_loops,
        empirical_pdist,
        empirical_cdist,
        empirical_scipy,
        empirical_einsum,
        empirical_signed,
        empirical_nan_masked,
    ],
    "mlp_lipschitz_bound": [
        mlp_matrix_norm,
        mlp_svd,
        mlp_eigenvalues,
        mlp_numpy,
        mlp_scipy,
        mlp_logs,
        mlp_power_iteration,
        mlp_reduce,
    ],
    "clipping_bound": [
        clipping_product,
        clipping_numpy,
        clipping_logs,
        clipping_powers,
        clipping_constant_matrices,
        clipping_torch,
        clipping_matrix_norm,
        clipping_numpy_norm,
        clipping_frobenius,
    ],
}

WRONG = {
    "lipschitz_constants": [
        ("no domain in 1", constants_domain_ignored, "1-domain-ignored"),
        ("largest values", constants_largest_values, "1-largest-value"),
        ("end to end", constants_ends, "1-end-to-end"),
        ("not the smallest", constants_not_smallest, "1-not-smallest"),
        ("2 as 1", constants_same_for_both_parabolas, "2-domain-ignored"),
        ("largest float", constants_largest_float, "2-largest-float"),
        ("0 for none in 2", constants_zero_for_none, "2-zero-for-none"),
        ("unbounded function", constants_unbounded_function, "3-unbounded-function"),
        ("slope at 1 in 3", constants_at_one, "3-slope-at-one"),
        ("½ left over", constants_chain_rule, "3-half"),
        ("½ forgotten", constants_inner_derivative, "3-inner-derivative"),
        ("slope at 0 in 3", constants_flattest, "3-slope-at-zero"),
        ("compact domain", constants_compact, "4-compact-domain"),
        ("slope at 1 in 4", constants_right_end, "4-slope-at-one"),
        ("0 for none in 4", constants_zero_for_root, "4-zero-for-none"),
        ("on a grid", constants_on_a_grid, "value"),
        ("yes or no", constants_yes_or_no, "type"),
        ("None for none", constants_none_for_none, "none"),
        ("text keys", constants_text_keys, "keys"),
        ("a list", constants_as_list, "type"),
    ],
    "steep_pair": [
        ("exactly the slope", steep_exactly, "equal-slope"),
        ("exactly, by halves", steep_exactly_by_halves, "equal-slope"),
        ("tangent", steep_tangent, "short-by-a-factor"),
        ("one pair", steep_fixed, "fixed-pair"),
        ("beyond 1", steep_outside, "outside-domain"),
        ("below 0", steep_negative_root, "outside-domain"),
        ("mirror images", steep_mirror, "horizontal"),
        ("a tiny step", steep_tiny_step, "same-point"),
        ("square forgotten", steep_not_squared, "grows-too-slowly"),
        ("square root", steep_root, "grows-too-slowly"),
        ("near 1", steep_near_one, "wrong-place"),
        ("near 0", steep_flat_end, "wrong-place"),
        ("tensors", steep_tensors, "type"),
        ("infinity", steep_not_a_number, "nonfinite"),
        ("one point", steep_only_slope, "type"),
    ],
    "near_extremal_pair": [
        ("one point", extremal_same, "same-point"),
        ("a tiny step", extremal_too_small_a_step, "same-point"),
        ("beyond 1", extremal_outside, "outside-domain"),
        ("beyond −1", extremal_leaves_domain, "outside-domain"),
        ("the ends", extremal_ends, "horizontal"),
        ("mirror images", extremal_mirror, "horizontal"),
        ("on the edge", extremal_edge, "on-the-edge"),
        ("on the edge, shared", extremal_edge_shared, "on-the-edge"),
        ("one pair", extremal_fixed, "fixed-pair"),
        ("tangent", extremal_tangent_only, "short-by-a-factor"),
        ("too near", extremal_too_near, "short-by-a-factor"),
        ("from zero", extremal_root, "shrinks-too-slowly"),
        ("root of eps", extremal_root_step, "shrinks-too-slowly"),
        ("around 0", extremal_around_zero, "wrong-place"),
        ("float32 inside", extremal_float32, "same-point"),
    ],
    "empirical_lipschitz": [
        ("all pairs", empirical_all_pairs, "equal-points-counted"),
        ("clamped distance", empirical_clamped, "special-inputs"),
        ("padded distance", empirical_padded, "value"),
        ("squared distance", empirical_squared, "squared-distance"),
        ("Manhattan distance", empirical_manhattan, "l1-distance"),
        ("Chebyshev distance", empirical_chebyshev, "largest-coordinate"),
        ("consecutive rows", empirical_consecutive, "neighbours-only"),
        ("from the first row", empirical_first_point, "from-first-point"),
        ("one order", empirical_one_order, "signed"),
        ("extremes", empirical_extremes, "ratio-of-extremes"),
        ("mean", empirical_average, "mean-slope"),
        ("minimum", empirical_minimum, "smallest-slope"),
        ("0/0", empirical_nan, "nonfinite"),
        ("by a matrix product", empirical_matrix_product, "special-inputs"),
        ("shape (1,)", empirical_one_by_one, "shape"),
        ("any coordinate equal", empirical_all_coordinates, "one-coordinate-equal"),
        ("isclose", empirical_isclose, "close-points-as-equal"),
        ("threshold", empirical_threshold, "close-points-as-equal"),
        ("signed loop", empirical_signed_loop, "signed"),
        ("other order", empirical_other_order, "signed-other-order"),
        ("sorted", empirical_sorted, "neighbours-after-sorting"),
        ("first occurrences", empirical_first_occurrences, "repeated-points-dropped"),
        ("float32 inside", empirical_in_float32, "float32-inside"),
        ("a float", empirical_as_float, "type"),
    ],
    "mlp_lipschitz_bound": [
        ("Frobenius", mlp_frobenius, "frobenius"),
        ("no root", mlp_squared, "singular-value-squared"),
        ("sum", mlp_sum, "sum-of-norms"),
        ("maximum", mlp_maximum, "largest-layer"),
        ("linear network", mlp_linear_network, "norm-of-product"),
        ("smallest", mlp_smallest, "smallest-singular-value"),
        ("∞-norm", mlp_infinity_norm, "row-sums"),
        ("1-norm", mlp_one_norm, "column-sums"),
        ("largest weight", mlp_largest_weight, "largest-weight"),
        ("no last layer", mlp_hidden_only, "last-layer-left-out"),
        ("three iterations", mlp_few_iterations, "value"),
        ("one gradient", mlp_gradient, "value"),
        ("a float", mlp_as_float, "type"),
        ("not multiplied", mlp_every_layer, "shape"),
    ],
    "clipping_bound": [
        ("no root", clipping_no_root, "no-root"),
        ("c once", clipping_c_once, "c-once"),
        ("c alone", clipping_c_alone, "c-only"),
        ("√in", clipping_inputs, "inputs-only"),
        ("√out", clipping_outputs, "outputs-only"),
        ("row sums", clipping_row_sums, "row-sum"),
        ("random weights", clipping_random, "random-matrix"),
        ("sum", clipping_sum, "sum-of-layers"),
        ("largest", clipping_largest, "largest-layer"),
        ("out + in", clipping_sides, "sum-of-sides"),
        ("larger side", clipping_larger_side, "value"),
        ("float32 inside", clipping_in_float32, "precision"),
        ("a tensor", clipping_as_tensor, "type"),
    ],
}

TEXTS = {
    ("lipschitz_constants", "unbounded function"): """
lipschitz_constants: not passed, 1.5 of 2 points.
  called     lipschitz_constants(), the four functions
  returned   entry 3: the number inf
  expected   the smallest constant, or math.inf where there is none, finite
  looks like an unbounded function taken for one with unbounded slopes
  hint       x itself is unbounded, too, and is Lipschitz continuous. How steep does
             √(x² + 1) get?
""",
    ("steep_pair", "exactly the slope"): """
steep_pair: not passed, 0 of 2 points.
  called     steep_pair(number=2, slope=3), x² on R, slope moderate
  returned   the points 3 and 0, whose slope is not above the one asked for
  expected   a tuple (a, b), two different points of R whose slope is above the one
             asked for, exactly
  fails on   15 of 15 inputs
  looks like a chord with just the slope asked for, not a larger one
  hint       The slope has to be exceeded, and rounding must not spoil it: leave some
             room.
  called     steep_pair(number=4, slope=10), √x on [0, 1], slope moderate
  returned   the points 0 and 0.01, whose slope is not above the one asked for
  expected   a tuple (a, b), two different points of [0, 1] whose slope is above the one
             asked for, exactly
  fails on   6 of 15 inputs: √x on [0, 1], slope moderate; √x on [0, 1], slope at most
             1; √x on [0, 1], slope large
  looks like a chord with just the slope asked for, not a larger one
  hint       The slope has to be exceeded, and rounding must not spoil it: leave some
             room.
""",
    ("steep_pair", "beyond 1"): """
steep_pair: not passed, 1 of 2 points.
  called     steep_pair(number=4, slope=0.7), √x on [0, 1], slope at most 1
  returned   the points 0 and 1.837, not both in [0, 1]
  expected   a tuple (a, b), two different points of [0, 1] whose slope is above the one
             asked for, exactly
  fails on   6 of 15 inputs: √x on [0, 1], slope at most 1
  looks like a point outside the domain [0, 1]
  hint       Number 4 is a function on [0, 1] only. What if the slope asked for is
             small?
""",
    ("near_extremal_pair", "from zero"): """
near_extremal_pair: not passed, 1.5 of 3 points.
  called     near_extremal_pair(number=3, eps=0.1), √(x² + 1) on R, eps moderate
  returned   the points 0 and 3.162, whose slope is not at least the smallest constant
             minus eps
  expected   a tuple (a, b), two different points of R whose slope is at least the
             smallest constant minus eps, exactly
  fails on   12 of 16 inputs: √(x² + 1) on R, eps moderate; √(x² + 1) on R, eps small
  looks like a slope that approaches the constant more slowly than eps goes to zero
  hint       How does what is missing depend on where the points are? Compare its power
             with the one you assumed.
""",
    ("empirical_lipschitz", "all pairs"): """
empirical_lipschitz: not passed, 0 of 2 points.
  called     empirical_lipschitz(x: float32 (11, 2), y: float32 (11,)), equal points
             with other values
  returned   the number inf
  expected   the largest slope between two distinct points, finite
  fails on   8 of 42 inputs
  looks like pairs with equal x that were not left out
  hint       Such a pair has distance 0 and says nothing about a slope; drop it before
             dividing.
""",
    ("clipping_bound", "row sums"): """
clipping_bound: not passed, 0 of 2 points.
  called     clipping_bound(shapes: list of 3, c=0.1), typical values
  returned   the number 0.07, which is wrong
  expected   the bound that holds for every network of these shapes with weights in [−c,
             c], exact up to rounding
  fails on   10 of 14 inputs
  looks like c times the number of inputs, which bounds the stretch in the maximum norm
  hint       Lengths are Euclidean here.
""",
}
