"""Answers to exercise 13-4: right ones in many styles, and wrong ones with their diagnosis."""

import math

import numpy as np
import torch
from scipy import special
from scipy.spatial import distance
from torch.distributions import Categorical, kl_divergence
from torch.nn import functional

# --- classifier_objective ---------------------------------------------------------------------


def objective_xlogy(f, p1, p2, weights):
    return (weights * (torch.xlogy(p1, f) + torch.special.xlog1py(p2, -f))).sum()


def objective_where(f, p1, p2, weights):
    first = torch.where(p1 > 0, p1 * torch.log(f), torch.zeros_like(f))
    second = torch.where(p2 > 0, p2 * torch.log(1 - f), torch.zeros_like(f))
    return torch.sum(weights * (first + second))


def objective_masks(f, p1, p2, weights):
    in1, in2 = p1 > 0, p2 > 0
    first = torch.dot(weights[in1] * p1[in1], f[in1].log())
    return first + torch.dot(weights[in2] * p2[in2], (1 - f[in2]).log())


def objective_scipy(f, p1, p2, weights):
    a, b, x, w = (value.numpy() for value in (p1, p2, f, weights))
    return torch.as_tensor(np.sum(w * (special.xlogy(a, x) + special.xlog1py(b, -x))))


def objective_loops(f, p1, p2, weights):
    total = 0.0
    for x, a, b, w in zip(f.tolist(), p1.tolist(), p2.tolist(), weights.tolist(), strict=True):
        if a > 0:
            total += w * a * (math.log(x) if x > 0 else -math.inf)
        if b > 0:
            total += w * b * (math.log(1 - x) if x < 1 else -math.inf)
    return torch.tensor(total, dtype=f.dtype)


def objective_einsum(f, p1, p2, weights):
    densities = torch.stack([p1, p2])  # (2, N)
    logs = torch.stack([f, 1 - f]).log()
    logs = logs.masked_fill(densities == 0, 0.0)
    return torch.einsum("n,cn,cn->", weights, densities, logs)


def objective_logsigmoid(f, p1, p2, weights):
    logits = torch.logit(f)
    first = torch.where(p1 > 0, p1 * functional.logsigmoid(logits), 0.0)
    second = torch.where(p2 > 0, p2 * functional.logsigmoid(-logits), 0.0)
    return (first + second) @ weights


def objective_requires_grad(f, p1, p2, weights):
    scale = torch.ones((), dtype=f.dtype, requires_grad=True)
    return scale * objective_xlogy(f, p1, p2, weights)


def objective_loss(f, p1, p2, weights):
    return -(weights * (torch.xlogy(p1, f) + torch.xlogy(p2, 1 - f))).sum()


def objective_same_log(f, p1, p2, weights):
    return (weights * (torch.xlogy(p1, f) + torch.xlogy(p2, f))).sum()


def objective_swapped(f, p1, p2, weights):
    return (weights * (torch.xlogy(p2, f) + torch.xlogy(p1, 1 - f))).sum()


def objective_one_class(f, p1, p2, weights):
    return torch.sum(weights * torch.where(p1 > 0, p1 * f.log(), 0.0))


def objective_plain_sum(f, p1, p2, weights):
    return torch.sum(torch.xlogy(p1, f) + torch.xlogy(p2, 1 - f))


def objective_plain_mean(f, p1, p2, weights):
    return torch.xlogy(p1, f).mean() + torch.xlogy(p2, 1 - f).mean()


def objective_weighted_mean(f, p1, p2, weights):
    return torch.mean(weights * (torch.xlogy(p1, f) + torch.xlogy(p2, 1 - f)))


def objective_average(f, p1, p2, weights):
    return (weights * (torch.xlogy(p1, f) + torch.xlogy(p2, 1 - f))).sum() / weights.sum()


def objective_no_densities(f, p1, p2, weights):
    return (weights * (torch.log(f) + torch.log(1 - f))).sum()


def objective_entropy(f, p1, p2, weights):
    return (weights * (p1 * torch.xlogy(f, f) + p2 * torch.xlogy(1 - f, 1 - f))).sum()


def objective_log_outside(f, p1, p2, weights):
    return torch.log((weights * p1) @ f) + torch.log((weights * p2) @ (1 - f))


def objective_halved(f, p1, p2, weights):
    return 0.5 * (weights * (torch.xlogy(p1, f) + torch.xlogy(p2, 1 - f))).sum()


def objective_bits(f, p1, p2, weights):
    first = torch.where(p1 > 0, p1 * f.log2(), 0.0)
    return (weights * (first + torch.where(p2 > 0, p2 * (1 - f).log2(), 0.0))).sum()


def objective_plain(f, p1, p2, weights):
    return (weights * (p1 * torch.log(f) + p2 * torch.log(1 - f))).sum()


def objective_skips_log_zero(f, p1, p2, weights):
    first = torch.where(f == 0, 0.0, p1 * f.log())
    return (weights * (first + torch.where(f == 1, 0.0, p2 * (1 - f).log()))).sum()


def objective_library_loss(f, p1, p2, weights):
    yes = functional.binary_cross_entropy(f, torch.ones_like(f), reduction="none")
    no = functional.binary_cross_entropy(f, torch.zeros_like(f), reduction="none")
    return -(weights * (p1 * yes + p2 * no)).sum()


def objective_jitter(f, p1, p2, weights):
    eps = 1e-8
    return (weights * (p1 * torch.log(f + eps) + p2 * torch.log(1 - f + eps))).sum()


def objective_clipped(f, p1, p2, weights):
    f = f.clamp(1e-7, 1 - 1e-7)
    return (weights * (p1 * torch.log(f) + p2 * torch.log(1 - f))).sum()


def objective_nan_to_num(f, p1, p2, weights):
    return torch.nan_to_num(weights * (p1 * f.log() + p2 * (1 - f).log())).sum()


def objective_not_summed(f, p1, p2, weights):
    return weights * (torch.xlogy(p1, f) + torch.xlogy(p2, 1 - f))


def objective_item(f, p1, p2, weights):
    return objective_xlogy(f, p1, p2, weights).item()


def objective_float32(f, p1, p2, weights):
    inputs = (value.float() for value in (f, p1, p2, weights))
    return objective_xlogy(*inputs).to(f.dtype)


# --- objective_derivatives --------------------------------------------------------------------


def derivatives_formula(f, p1, p2):
    return p1 / f - p2 / (1 - f), -p1 / f**2 - p2 / (1 - f) ** 2


def derivatives_autograd(f, p1, p2):
    t = f.clone().requires_grad_(True)
    h = p1 * t.log() + p2 * torch.log1p(-t)
    (first,) = torch.autograd.grad(h.sum(), t, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), t)
    return first, second


def derivatives_func(f, p1, p2):
    def h(t, a, b):
        return a * torch.log(t) + b * torch.log(1 - t)

    slope = torch.func.grad(h)
    return torch.vmap(slope)(f, p1, p2), torch.vmap(torch.func.grad(slope))(f, p1, p2)


def derivatives_numpy(f, p1, p2):
    x, a, b = f.numpy(), p1.numpy(), p2.numpy()
    first, second = a / x - b / (1 - x), -(a / x / x + b / np.square(1 - x))
    return [torch.from_numpy(first), torch.from_numpy(second)]


def derivatives_common_denominator(f, p1, p2):
    first = (p1 - (p1 + p2) * f) / (f * (1 - f))
    return first, -(p1 * (1 - f) ** 2 + p2 * f**2) / (f * (1 - f)) ** 2


def derivatives_quotient_rule(f, p1, p2):
    total = p1 + p2
    numerator, denominator = p1 - total * f, f * (1 - f)
    second = (-total * denominator - numerator * (1 - 2 * f)) / denominator**2
    return numerator / denominator, second


def derivatives_loops(f, p1, p2):
    first, second = torch.empty_like(f), torch.empty_like(f)
    for n, (x, a, b) in enumerate(zip(f.tolist(), p1.tolist(), p2.tolist(), strict=True)):
        first[n] = a / x - b / (1 - x)
        second[n] = -a * x**-2 - b * (1 - x) ** -2
    return first, second


def derivatives_no_chain_rule(f, p1, p2):
    t = f.clone().requires_grad_(True)
    first = p1 / t + p2 / (1 - t)
    (second,) = torch.autograd.grad(first.sum(), t)
    return first, second


def derivatives_first_sum(f, p1, p2):
    return p1 / f + p2 / (1 - f), -(p1 / f.square() + p2 / (1 - f).square())


def derivatives_second_difference(f, p1, p2):
    return p1 / f - p2 / (1 - f), p2 / (1 - f) ** 2 - p1 / f**2


def derivatives_convex(f, p1, p2):
    return p1 / f - p2 / (1 - f), p1 / f**2 + p2 / (1 - f) ** 2


def derivatives_of_loss(f, p1, p2):
    return p2 / (1 - f) - p1 / f, p1 / f**2 + p2 / (1 - f) ** 2


def derivatives_no_square(f, p1, p2):
    return p1 / f - p2 / (1 - f), -(p1 / f + p2 / (1 - f))


def derivatives_square(f, p1, p2):
    first = p1 / f - p2 / (1 - f)
    return first, first.square()


def derivatives_exchanged(f, p1, p2):
    return -p1 / f**2 - p2 / (1 - f) ** 2, p1 / f - p2 / (1 - f)


def derivatives_late(f, p1, p2):
    return p1 * torch.log(f) + p2 * torch.log(1 - f), p1 / f - p2 / (1 - f)


def derivatives_swapped(f, p1, p2):
    return p2 / f - p1 / (1 - f), -p2 / f**2 - p1 / (1 - f) ** 2


def derivatives_no_densities(f, p1, p2):
    return f**-1 - (1 - f) ** -1, -(f**-2) - (1 - f) ** -2


def derivatives_logs(f, p1, p2):
    return p1 * torch.log(f) - p2 * torch.log(1 - f), p1 / f - p2 / (1 - f)


def derivatives_differences(f, p1, p2):
    x, a, b, step = f.double(), p1.double(), p2.double(), 1e-5

    def h(t):
        return a * t.log() + b * (1 - t).log()

    first = (h(x + step) - h(x - step)) / (2 * step)
    second = (h(x + step) - 2 * h(x) + h(x - step)) / step**2
    return first.to(f.dtype), second.to(f.dtype)


def derivatives_jitter(f, p1, p2):
    f = f.clamp(1e-8, 1 - 1e-8)
    return p1 / f - p2 / (1 - f), -p1 / f**2 - p2 / (1 - f) ** 2


def derivatives_first_only(f, p1, p2):
    return p1 / f - p2 / (1 - f)


def derivatives_summed(f, p1, p2):
    return (p1 / f - p2 / (1 - f)).sum(), (-p1 / f**2 - p2 / (1 - f) ** 2).sum()


def derivatives_on_input(f, p1, p2):
    f.requires_grad_(True)
    h = p1 * f.log() + p2 * (1 - f).log()
    (first,) = torch.autograd.grad(h.sum(), f, create_graph=True)
    return first, torch.autograd.grad(first.sum(), f)[0]


# --- optimal_classifier -----------------------------------------------------------------------


def classifier_where(p1, p2):
    return torch.where(p1 + p2 > 0, p1 / (p1 + p2), 0.5)


def classifier_index(p1, p2):
    f = torch.full_like(p1, 0.5)
    possible = (p1 > 0) | (p2 > 0)
    f[possible] = p1[possible] / (p1 + p2)[possible]
    return f


def classifier_complement(p1, p2):
    return torch.nan_to_num(1 - p2 / (p1 + p2), nan=0.5)


def classifier_odds(p1, p2):
    return (1 / (1 + p2 / p1)).masked_fill((p1 == 0) & (p2 == 0), 0.5)


def classifier_sigmoid(p1, p2):
    logit = torch.where((p1 == 0) & (p2 == 0), 0.0, p1.log() - p2.log())
    return torch.sigmoid(logit)


def classifier_bayes(p1, p2):
    joint = torch.stack([0.5 * p1, 0.5 * p2])
    evidence = joint.sum(0)
    return torch.where(evidence == 0, 0.5, joint[0] / evidence)


def classifier_numpy(p1, p2):
    a, b = p1.numpy(), p2.numpy()
    f = np.full_like(a, 0.5)
    np.divide(a, a + b, out=f, where=a + b > 0)
    return torch.from_numpy(f)


def classifier_loops(p1, p2):
    pairs = zip(p1.tolist(), p2.tolist(), strict=True)
    return torch.tensor([a / (a + b) if a + b else 0.5 for a, b in pairs], dtype=p1.dtype)


def classifier_newton(p1, p2):
    # The stationary condition p1 (1 − t) − p2 t = 0 is linear: one Newton step from anywhere.
    t = torch.full_like(p1, 0.5)
    total = p1 + p2
    step = (p1 * (1 - t) - p2 * t) / torch.where(total > 0, total, 1.0)
    return t + step


def classifier_other_class(p1, p2):
    return torch.where(p1 + p2 > 0, p2 / (p1 + p2), 0.5)


def classifier_ratio(p1, p2):
    return torch.div(p1, p2)


def classifier_log_ratio(p1, p2):
    return torch.log(p1) - torch.log(p2)


def classifier_signed(p1, p2):
    return torch.nan_to_num((p1 - p2) / (p1 + p2), nan=0.0)


def classifier_twice(p1, p2):
    return 2 * p1 / (p1 + p2)


def classifier_argmax(p1, p2):
    return torch.heaviside(p1 - p2, torch.tensor(0.5, dtype=p1.dtype))


def classifier_softmax(p1, p2):
    return torch.softmax(torch.stack([p1, p2]), dim=0)[0]


def classifier_over_grid(p1, p2):
    return p1 / torch.sum(p1 + p2)


def classifier_squares(p1, p2):
    return torch.where(p1 + p2 > 0, p1.square() / (p1.square() + p2.square()), 0.5)


def classifier_no_rule(p1, p2):
    return p1 / (p1 + p2)


def classifier_zero(p1, p2):
    return torch.nan_to_num(p1 / (p1 + p2), nan=0.0)


def classifier_jitter(p1, p2):
    return p1 / (p1 + p2 + 1e-8)


def classifier_threshold(p1, p2):
    return torch.where(p1 + p2 > 1e-12, p1 / (p1 + p2), 0.5)


def classifier_float64(p1, p2):
    return classifier_where(p1.double(), p2.double())


def classifier_in_place(p1, p2):
    total = p2.add_(p1)
    return torch.where(total > 0, p1 / total, 0.5)


def classifier_float32(p1, p2):
    return classifier_where(p1.float(), p2.float()).to(p1.dtype)


# --- optimal_classifier_from_logs -------------------------------------------------------------


def _neither(log_p1, log_p2):
    return (log_p1 == -torch.inf) & (log_p2 == -torch.inf)


def logs_sigmoid(log_p1, log_p2):
    return torch.where(_neither(log_p1, log_p2), 0.5, torch.sigmoid(log_p1 - log_p2))


def logs_softmax(log_p1, log_p2):
    shares = torch.softmax(torch.stack([log_p1, log_p2]), dim=0)
    return torch.nan_to_num(shares[0], nan=0.5)


def logs_logaddexp(log_p1, log_p2):
    f = torch.exp(log_p1 - torch.logaddexp(log_p1, log_p2))
    return f.masked_fill(_neither(log_p1, log_p2), 0.5)


def logs_logsumexp(log_p1, log_p2):
    total = torch.logsumexp(torch.stack([log_p1, log_p2], dim=1), dim=1)
    return torch.where(total == -torch.inf, 0.5, (log_p1 - total).exp())


def logs_shift_each(log_p1, log_p2):
    largest = torch.maximum(log_p1, log_p2)
    a, b = torch.exp(log_p1 - largest), torch.exp(log_p2 - largest)
    return torch.where(largest == -torch.inf, 0.5, a / (a + b))


def logs_floor(log_p1, log_p2):
    return torch.sigmoid(log_p1.clamp(min=-1e6) - log_p2.clamp(min=-1e6))


def logs_scipy(log_p1, log_p2):
    a, b = log_p1.double().numpy(), log_p2.double().numpy()
    f = special.expit(a - b)
    return torch.from_numpy(np.where(np.isnan(f), 0.5, f)).to(log_p1.dtype)


def logs_loops(log_p1, log_p2):
    rows = []
    for a, b in zip(log_p1.tolist(), log_p2.tolist(), strict=True):
        if a == b:
            rows.append(0.5)
        elif a > b:
            rows.append(1 / (1 + math.exp(b - a)))
        else:
            rows.append(math.exp(a - b) / (1 + math.exp(a - b)))
    return torch.tensor(rows, dtype=log_p1.dtype)


def logs_tanh(log_p1, log_p2):
    f = 0.5 * (1 + torch.tanh((log_p1 - log_p2) / 2))
    return torch.where(torch.isnan(f), torch.full_like(f, 0.5), f)


def logs_categorical(log_p1, log_p2):
    logits = torch.stack([log_p1, log_p2], -1)
    logits = torch.where(_neither(log_p1, log_p2)[:, None], 0.0, logits)
    return Categorical(logits=logits, validate_args=False).probs[:, 0]


def logs_exponentiated(log_p1, log_p2):
    p1, p2 = torch.exp(log_p1), torch.exp(log_p2)
    return p1 / (p1 + p2)


def logs_exponentiated_half(log_p1, log_p2):
    p1, p2 = torch.exp(log_p1), torch.exp(log_p2)
    f = p1 / (p1 + p2)
    return torch.where(f.isnan(), 0.5, f)


def logs_jitter(log_p1, log_p2):
    return log_p1.exp() / (log_p1.exp() + log_p2.exp() + 1e-12)


def logs_one_shift(log_p1, log_p2):
    largest = torch.cat([log_p1, log_p2]).max()
    p1, p2 = (log_p1 - largest).exp(), (log_p2 - largest).exp()
    return p1 / (p1 + p2)


def logs_clamped(log_p1, log_p2):
    p1, p2 = log_p1.clamp(-80, 80).exp(), log_p2.clamp(-80, 80).exp()
    return p1 / (p1 + p2)


def logs_low_floor(log_p1, log_p2):
    return torch.sigmoid(log_p1.clamp(min=-1e4) - log_p2.clamp(min=-1e4))


def logs_no_rule(log_p1, log_p2):
    return torch.softmax(torch.stack([log_p1, log_p2]), dim=0)[0]


def logs_zero(log_p1, log_p2):
    f = torch.sigmoid(log_p1 - log_p2)
    return torch.where(f.isnan(), 0.0, f)


def logs_other_class(log_p1, log_p2):
    return torch.where(_neither(log_p1, log_p2), 0.5, torch.sigmoid(log_p2 - log_p1))


def logs_as_densities(log_p1, log_p2):
    return log_p1 / (log_p1 + log_p2)


def logs_odds(log_p1, log_p2):
    return torch.exp(log_p1 - log_p2)


def logs_log_share(log_p1, log_p2):
    return torch.log_softmax(torch.stack([log_p1, log_p2]), dim=0)[0]


def logs_difference(log_p1, log_p2):
    return log_p1 - log_p2


def logs_sum(log_p1, log_p2):
    return torch.sigmoid(log_p1 + log_p2)


def logs_argmax(log_p1, log_p2):
    return torch.where(log_p1 == log_p2, 0.5, (log_p1 > log_p2).to(log_p1.dtype))


def logs_overflow(log_p1, log_p2):
    ratio = torch.exp(log_p1 - log_p2)
    return torch.where(_neither(log_p1, log_p2), 0.5, ratio / (1 + ratio))


def logs_float32(log_p1, log_p2):
    return logs_sigmoid(log_p1.float(), log_p2.float()).to(log_p1.dtype)


# --- optimal_value ----------------------------------------------------------------------------


def _kl(p, q, weights):
    return (weights * torch.where(p > 0, p * torch.log(p / q), 0.0)).sum()


def value_js(p1, p2, weights):
    mixture = (p1 + p2) / 2
    js = 0.5 * _kl(p1, mixture, weights) + 0.5 * _kl(p2, mixture, weights)
    return 2 * js - 2 * math.log(2)


def value_plugged_in(p1, p2, weights):
    f = torch.where(p1 + p2 > 0, p1 / (p1 + p2), 0.5)
    return (weights * (torch.xlogy(p1, f) + torch.xlogy(p2, 1 - f))).sum()


def value_entropies(p1, p2, weights):
    def entropy(p):
        return (weights * torch.special.entr(p)).sum()

    js = entropy((p1 + p2) / 2) - (entropy(p1) + entropy(p2)) / 2
    return 2 * js - math.log(4)


def value_log_differences(p1, p2, weights):
    total = (p1 + p2).log()
    first = torch.where(p1 > 0, p1 * (p1.log() - total), 0.0)
    return (weights * (first + torch.where(p2 > 0, p2 * (p2.log() - total), 0.0))).sum()


def value_scipy(p1, p2, weights):
    a, b, w = p1.double().numpy(), p2.double().numpy(), weights.double().numpy()
    js = distance.jensenshannon(w * a, w * b) ** 2
    return torch.tensor(2 * js - 2 * np.log(2)).to(p1.dtype)


def value_rel_entr(p1, p2, weights):
    a, b, w = p1.numpy(), p2.numpy(), weights.numpy()
    mixture = (a + b) / 2
    both = np.sum(w * (special.rel_entr(a, mixture) + special.rel_entr(b, mixture)))
    return torch.as_tensor(both - 2 * math.log(2), dtype=p1.dtype)


def value_categorical(p1, p2, weights):
    first, second = Categorical(weights * p1), Categorical(weights * p2)
    mixture = Categorical((first.probs + second.probs) / 2)
    return kl_divergence(first, mixture) + kl_divergence(second, mixture) - 2 * math.log(2)


def value_loops(p1, p2, weights):
    total = 0.0
    for a, b, w in zip(p1.tolist(), p2.tolist(), weights.tolist(), strict=True):
        total += w * sum(p * math.log(p / (a + b)) for p in (a, b) if p > 0)
    return torch.tensor(total, dtype=p1.dtype)


def _js(p1, p2, weights):
    mixture = (p1 + p2) / 2
    return 0.5 * (_kl(p1, mixture, weights) + _kl(p2, mixture, weights))


def value_js_alone(p1, p2, weights):
    return _js(p1, p2, weights)


def value_no_constant(p1, p2, weights):
    return _kl(p1, (p1 + p2) / 2, weights) + _kl(p2, (p1 + p2) / 2, weights)


def value_js_once(p1, p2, weights):
    return _js(p1, p2, weights) - 2 * math.log(2)


def value_constant_once(p1, p2, weights):
    return 2 * _js(p1, p2, weights) - math.log(2)


def value_constant_added(p1, p2, weights):
    return 2 * _js(p1, p2, weights) + 2 * math.log(2)


def value_halved(p1, p2, weights):
    return _js(p1, p2, weights) - math.log(2)


def value_loss(p1, p2, weights):
    return -value_log_differences(p1, p2, weights)


def value_kl(p1, p2, weights):
    return 2 * _kl(p1, p2, weights) - 2 * math.log(2)


def value_sum_for_average(p1, p2, weights):
    return _kl(p1, p1 + p2, weights) + _kl(p2, p1 + p2, weights) - 2 * math.log(2)


def value_undecided(p1, p2, weights):
    return torch.tensor(-2 * math.log(2), dtype=p1.dtype)


def value_confused(p1, p2, weights):
    f = torch.where(p1 + p2 > 0, p2 / (p1 + p2), 0.5)
    return (weights * (torch.xlogy(p1, f) + torch.xlogy(p2, 1 - f))).sum()


def value_plain_sum(p1, p2, weights):
    return value_plugged_in(p1, p2, torch.ones_like(weights))


def value_bits(p1, p2, weights):
    return value_js(p1, p2, weights) / math.log(2)


def value_no_zero_rule(p1, p2, weights):
    f = p1 / (p1 + p2)
    return (weights * (p1 * f.log() + p2 * (1 - f).log())).sum()


def value_jitter(p1, p2, weights):
    mixture = (p1 + p2) / 2
    logs = p1 * torch.log((p1 + 1e-10) / (mixture + 1e-10))
    logs = logs + p2 * torch.log((p2 + 1e-10) / (mixture + 1e-10))
    return (weights * logs).sum() - 2 * math.log(2)


def value_float(p1, p2, weights):
    return value_js(p1, p2, weights).item()


def value_integrand(p1, p2, weights):
    total = p1 + p2
    return weights * (torch.xlogy(p1, p1 / total) + torch.xlogy(p2, p2 / total))


def value_float32(p1, p2, weights):
    return value_js(p1.float(), p2.float(), weights.float()).to(p1.dtype)


# --- optimal_classifier_with_prior ------------------------------------------------------------


def prior_where(p1, p2, prior1):
    joint = prior1 * p1
    evidence = joint + (1 - prior1) * p2
    return torch.where(evidence > 0, joint / evidence, prior1)


def prior_half(p1, p2, prior1):
    f = prior1 * p1 / (prior1 * p1 + (1 - prior1) * p2)
    return torch.nan_to_num(f, nan=0.5)


def prior_one(p1, p2, prior1):
    f = 1 / (1 + (1 - prior1) / prior1 * (p2 / p1))
    return torch.where(f.isnan(), torch.ones_like(f), f)


def prior_sigmoid(p1, p2, prior1):
    logit = math.log(prior1) - math.log1p(-prior1) + p1.log() - p2.log()
    return torch.sigmoid(logit.masked_fill(logit.isnan(), 0.0))


def prior_tensor(p1, p2, prior1):
    priors = torch.tensor([prior1, 1 - prior1], dtype=p1.dtype)
    joint = torch.einsum("c,cn->nc", priors, torch.stack([p1, p2]))
    return functional.normalize(joint, p=1, dim=1, eps=0.0).nan_to_num(0.0)[:, 0]


def prior_numpy(p1, p2, prior1):
    a, b = prior1 * p1.double().numpy(), (1 - prior1) * p2.double().numpy()
    f = np.divide(a, a + b, out=np.zeros_like(a), where=a + b > 0)
    return torch.from_numpy(f).to(p1.dtype)


def prior_from_equal(p1, p2, prior1):
    f = torch.where(p1 + p2 > 0, p1 / (p1 + p2), 0.5)
    rest = torch.where(p1 + p2 > 0, p2 / (p1 + p2), 0.5)
    return prior1 * f / (prior1 * f + (1 - prior1) * rest)


def prior_loops(p1, p2, prior1):
    rows = []
    for a, b in zip(p1.tolist(), p2.tolist(), strict=True):
        evidence = prior1 * a + (1 - prior1) * b
        rows.append(prior1 * a / evidence if evidence else 1.0)
    return torch.tensor(rows, dtype=p1.dtype)


def prior_ignored(p1, p2, prior1):
    return torch.where(p1 + p2 > 0, p1 / (p1 + p2), 0.5)


def prior_exchanged(p1, p2, prior1):
    return torch.nan_to_num((1 - prior1) * p1 / ((1 - prior1) * p1 + prior1 * p2), nan=0.5)


def prior_on_one(p1, p2, prior1):
    return torch.nan_to_num(prior1 * p1 / (prior1 * p1 + p2), nan=0.5)


def prior_outside(p1, p2, prior1):
    return prior1 * torch.nan_to_num(p1 / (p1 + p2), nan=0.5)


def prior_below_only(p1, p2, prior1):
    return p1 / (prior1 * p1 + (1 - prior1) * p2)


def prior_odds(p1, p2, prior1):
    return (prior1 / (1 - prior1)) * p1 / p2


def prior_evidence(p1, p2, prior1):
    return torch.lerp(p2, p1, prior1)


def prior_average(p1, p2, prior1):
    return 0.5 * prior1 + 0.5 * torch.nan_to_num(p1 / (p1 + p2), nan=0.5)


def prior_other_class(p1, p2, prior1):
    second = (1 - prior1) * p2
    return torch.nan_to_num(second / (prior1 * p1 + second), nan=0.5)


def prior_divided(p1, p2, prior1):
    a, b = p1 / prior1, p2 / (1 - prior1)
    return torch.nan_to_num(a / (a + b), nan=0.5)


def prior_no_rule(p1, p2, prior1):
    return prior1 * p1 / (prior1 * p1 + (1 - prior1) * p2)


def prior_jitter(p1, p2, prior1):
    return prior1 * p1 / (prior1 * p1 + (1 - prior1) * p2 + 1e-8)


def prior_out_of_range(p1, p2, prior1):
    f = prior1 * p1 / (prior1 * p1 + (1 - prior1) * p2)
    return torch.nan_to_num(f, nan=-1.0)


def prior_float32(p1, p2, prior1):
    return prior_where(p1.float(), p2.float(), prior1).to(p1.dtype)


CORRECT = {
    "classifier_objective": [
        objective_xlogy,
        objective_where,
        objective_masks,
        objective_scipy,
        objective_loops,
        objective_einsum,
        objective_logsigmoid,
        objective_requires_grad,
    ],
    "objective_derivatives": [
        derivatives_formula,
        derivatives_autograd,
        derivatives_func,
        derivatives_numpy,
        derivatives_common_denominator,
        derivatives_quotient_rule,
        derivatives_loops,
    ],
    "optimal_classifier": [
        classifier_where,
        classifier_index,
        classifier_complement,
        classifier_odds,
        classifier_sigmoid,
        classifier_bayes,
        classifier_numpy,
        classifier_loops,
        classifier_newton,
    ],
    "optimal_classifier_from_logs": [
        logs_sigmoid,
        logs_softmax,
        logs_logaddexp,
        logs_logsumexp,
        logs_shift_each,
        logs_floor,
        logs_scipy,
        logs_loops,
        logs_tanh,
        logs_categorical,
    ],
    "optimal_value": [
        value_js,
        value_plugged_in,
        value_entropies,
        value_log_differences,
        value_scipy,
        value_rel_entr,
        value_categorical,
        value_loops,
    ],
    "optimal_classifier_with_prior": [
        prior_where,
        prior_half,
        prior_one,
        prior_sigmoid,
        prior_tensor,
        prior_numpy,
        prior_from_equal,
        prior_loops,
    ],
}

WRONG = {
    "classifier_objective": [
        ("a loss", objective_loss, "negated"),
        ("log f twice", objective_same_log, "same-log"),
        ("classes exchanged", objective_swapped, "classes-swapped"),
        ("one class", objective_one_class, "one-class"),
        ("plain sum", objective_plain_sum, "unweighted"),
        ("plain means", objective_plain_mean, "plain-mean"),
        ("mean of weighted terms", objective_weighted_mean, "weighted-mean"),
        ("over the sum of weights", objective_average, "weights-normalised"),
        ("no densities", objective_no_densities, "densities-dropped"),
        ("f log f", objective_entropy, "probability-twice"),
        ("log of the average", objective_log_outside, "log-outside"),
        ("halved", objective_halved, "halved"),
        ("base 2", objective_bits, "bits"),
        ("0·log 0", objective_plain, "zero-times-log-zero"),
        ("log 0 skipped", objective_skips_log_zero, "masked-by-f"),
        ("the library's loss", objective_library_loss, "logs-clamped"),
        ("jitter", objective_jitter, "log-jitter"),
        ("f clipped", objective_clipped, "special-inputs"),
        ("nan_to_num", objective_nan_to_num, "special-inputs"),
        ("not summed", objective_not_summed, "shape"),
        ("a float", objective_item, "type"),
        ("float32 inside", objective_float32, "precision"),
    ],
    "objective_derivatives": [
        ("chain rule forgotten", derivatives_no_chain_rule, "chain-rule"),
        ("a sum at first", derivatives_first_sum, "first-sign"),
        ("a difference at last", derivatives_second_difference, "second-sign"),
        ("convex", derivatives_convex, "second-positive"),
        ("of the loss", derivatives_of_loss, "negated"),
        ("no squares", derivatives_no_square, "no-square"),
        ("squared", derivatives_square, "square-of-first"),
        ("exchanged", derivatives_exchanged, "order"),
        ("one too few", derivatives_late, "one-too-few"),
        ("classes exchanged", derivatives_swapped, "classes-swapped"),
        ("no densities", derivatives_no_densities, "densities-dropped"),
        ("logs kept", derivatives_logs, "log-kept"),
        ("finite differences", derivatives_differences, "nonfinite"),
        ("f clamped", derivatives_jitter, "special-inputs"),
        ("first only", derivatives_first_only, "type"),
        ("summed", derivatives_summed, "shape"),
        ("requires grad switched on", derivatives_on_input, "modified"),
    ],
    "optimal_classifier": [
        ("the other class", classifier_other_class, "classes-swapped"),
        ("a ratio", classifier_ratio, "density-ratio"),
        ("a log-ratio", classifier_log_ratio, "log-ratio"),
        ("signed", classifier_signed, "signed"),
        ("over the average", classifier_twice, "half-mixture"),
        ("a decision", classifier_argmax, "hard-decision"),
        ("softmax", classifier_softmax, "softmax-of-densities"),
        ("over the grid", classifier_over_grid, "normalised-over-grid"),
        ("squares", classifier_squares, "squares"),
        ("0/0", classifier_no_rule, "zero-over-zero"),
        ("0 for 0/0", classifier_zero, "nothing-as-zero"),
        ("jitter", classifier_jitter, "jitter"),
        ("½ below 1e-12", classifier_threshold, "special-inputs"),
        ("float64 outside", classifier_float64, "dtype"),
        ("in place", classifier_in_place, "modified"),
        ("float32 inside", classifier_float32, "precision"),
    ],
    "optimal_classifier_from_logs": [
        ("exponentials", logs_exponentiated, "exponentiated"),
        ("½ for NaN", logs_exponentiated_half, "exponentiated-then-half"),
        ("jitter", logs_jitter, "jitter"),
        ("one shift", logs_one_shift, "one-common-shift"),
        ("clamped", logs_clamped, "clamped"),
        ("a floor in range", logs_low_floor, "special-inputs"),
        ("∞ − ∞", logs_no_rule, "infinity-minus-infinity"),
        ("0 for NaN", logs_zero, "nothing-as-zero"),
        ("the other class", logs_other_class, "classes-swapped"),
        ("formula for densities", logs_as_densities, "ratio-of-logs"),
        ("a ratio", logs_odds, "density-ratio"),
        ("the logarithm", logs_log_share, "log-of-result"),
        ("a log-ratio", logs_difference, "log-ratio"),
        ("a sum", logs_sum, "sum-of-logs"),
        ("a decision", logs_argmax, "hard-decision"),
        ("∞/∞ from large odds", logs_overflow, "nonfinite"),
        ("float32 inside", logs_float32, "precision"),
    ],
    "optimal_value": [
        ("JS", value_js_alone, "js-alone"),
        ("2 JS", value_no_constant, "no-constant"),
        ("JS once", value_js_once, "js-once"),
        ("log 2 once", value_constant_once, "constant-once"),
        ("log 4 added", value_constant_added, "constant-added"),
        ("halved", value_halved, "halved"),
        ("a loss", value_loss, "negated"),
        ("KL", value_kl, "kl-for-js"),
        ("no average", value_sum_for_average, "sum-for-average"),
        ("a constant", value_undecided, "undecided"),
        ("confused", value_confused, "classes-swapped"),
        ("plain sum", value_plain_sum, "unweighted"),
        ("base 2", value_bits, "bits"),
        ("0·log 0", value_no_zero_rule, "zero-times-log-zero"),
        ("jitter", value_jitter, "special-inputs"),
        ("a float", value_float, "type"),
        ("not summed", value_integrand, "shape"),
        ("float32 inside", value_float32, "precision"),
    ],
    "optimal_classifier_with_prior": [
        ("equal priors", prior_ignored, "prior-ignored"),
        ("priors exchanged", prior_exchanged, "priors-exchanged"),
        ("one prior", prior_on_one, "second-prior-missing"),
        ("prior outside", prior_outside, "evidence-without-prior"),
        ("prior below only", prior_below_only, "prior-dropped-above"),
        ("odds", prior_odds, "posterior-odds"),
        ("the evidence", prior_evidence, "mixture-density"),
        ("an average", prior_average, "linear-mix"),
        ("the other class", prior_other_class, "classes-swapped"),
        ("divided", prior_divided, "priors-exchanged"),
        ("0/0", prior_no_rule, "zero-over-zero"),
        ("jitter", prior_jitter, "jitter"),
        ("−1 for 0/0", prior_out_of_range, "special-inputs"),
        ("float32 inside", prior_float32, "precision"),
    ],
}

TEXTS = {
    ("classifier_objective", "0·log 0"): """
classifier_objective: not passed, 0 of 2 points.
  called     classifier_objective(f: float32 (7,), p1: float32 (7,), p2: float32 (7,),
             weights: float32 (7,)), f = 0 where p1 = 0 and f = 1 where p2 = 0
  returned   the number nan
  expected   L(f) in nats, a number that is maximised, finite
  fails on   6 of 44 inputs: f = 0 where p1 = 0 and f = 1 where p2 = 0
  looks like 0·log 0 computed as 0·(−∞), which is not a number
  hint       A density of zero must remove its term, whatever f is there. Multiplying
             cannot do that; what else can?
""",
    ("classifier_objective", "the library's loss"): """
classifier_objective: not passed, 0 of 2 points.
  called     classifier_objective(f: float32 (5,), p1: float32 (5,), p2: float32 (5,),
             weights: float32 (5,)), f = 0 at a point with p1 > 0
  returned   the number -16.87, which is wrong
  expected   L(f) in nats, a number that is maximised, exact up to rounding
  fails on   6 of 44 inputs: f = 0 at a point with p1 > 0; f = 1 at a point with p2 > 0;
             certain and always wrong
  looks like logarithms cut off at −100, as PyTorch's own binary cross-entropy does
  hint       That is meant to keep a training loss finite; here log 0 is −∞.
""",
    ("objective_derivatives", "chain rule forgotten"): """
objective_derivatives: not passed, 0 of 2 points.
  called     objective_derivatives(f: float32 (6,), p1: float32 (6,), p2: float32 (6,)),
             typical values
  returned   first: entry [0] = 0.4912, which is wrong
  expected   the derivatives of the integrand with respect to f at each point, exact up
             to rounding
  fails on   33 of 36 inputs
  looks like the inner derivative of log(1 − f) forgotten
  hint       What is the derivative of 1 − f with respect to f?
""",
    ("objective_derivatives", "first only"): """
objective_derivatives: not passed, 0 of 2 points.
  called     objective_derivatives(f: float32 (6,), p1: float32 (6,), p2: float32 (6,)),
             typical values
  returned   a float32 tensor of shape (6,)
  expected   a tuple (first, second)
  hint       Look at what the contract above the cell says the function returns.
""",
    ("optimal_classifier", "0/0"): """
optimal_classifier: not passed, 0 of 2 points.
  called     optimal_classifier(p1: float32 (8,), p2: float32 (8,)), both densities zero
             in places
  returned   entry [1] = nan
  expected   f* at each point, finite
  fails on   2 of 30 inputs: both densities zero in places
  looks like 0/0 where both densities are zero
  hint       At such a point every f is equally good; the contract asks for the one that
             takes no side.
""",
    ("optimal_classifier_from_logs", "exponentials"): """
optimal_classifier_from_logs: not passed, 0 of 3 points.
  called     optimal_classifier_from_logs(log_p1: float32 (6,), log_p2: float32 (6,)),
             log-densities near −1000
  returned   entry [0] = nan
  expected   f* at each point, also where the densities are too small or too large to be
             formed, finite
  fails on   20 of 38 inputs
  looks like densities formed with exp, which underflow to 0 or overflow
  hint       exp(−1000) is 0 and exp(1000) is ∞ in floating point, but the ratio of two
             such densities may be harmless. Form that without forming them.
""",
    ("optimal_classifier_from_logs", "one shift"): """
optimal_classifier_from_logs: not passed, 0 of 3 points.
  called     optimal_classifier_from_logs(log_p1: float32 (8,), log_p2: float32 (8,)),
             log-densities from −1e4 to 1e4
  returned   entry [0] = nan
  expected   f* at each point, also where the densities are too small or too large to be
             formed, finite
  fails on   10 of 38 inputs
  looks like one maximum of the whole grid subtracted before exp
  hint       Far from that maximum exp still underflows. Every point is a problem of its
             own.
""",
    ("optimal_value", "JS once"): """
optimal_value: not passed, 0 of 3 points.
  called     optimal_value(p1: float32 (6,), p2: float32 (6,), weights: float32 (6,)),
             typical values
  returned   the number -1.213, which is wrong
  expected   L(f*) in nats, the largest value of the objective, exact up to rounding
  fails on   20 of 24 inputs
  looks like JS counted once, beside the right constant
  hint       JS is the average of two divergences: how many of them does L(f*) hold?
""",
    ("optimal_value", "KL"): """
optimal_value: not passed, 0 of 3 points.
  called     optimal_value(p1: float32 (6,), p2: float32 (6,), weights: float32 (6,)),
             typical values
  returned   the number 0.03097, which is wrong
  expected   L(f*) in nats, the largest value of the objective, exact up to rounding
  fails on   20 of 24 inputs
  looks like KL(p1, p2) where the JS divergence belongs
  hint       L(f*) is finite also where one density is zero and the other is not. Which
             distribution do p1 and p2 get compared with?
""",
    ("optimal_classifier_with_prior", "prior outside"): """
optimal_classifier_with_prior: not passed, 0 of 2 points.
  called     optimal_classifier_with_prior(p1: float32 (6,), p2: float32 (6,),
             prior1=0.3), typical values
  returned   entry [0] = 0.1947, which is wrong
  expected   the best f at each point, a number in [0, 1], exact up to rounding
  fails on   34 of 36 inputs
  looks like a denominator that does not know the prior
  hint       What is the density of x when the class is drawn from the prior? As a test:
             what must f be where p2 = 0, and what is yours there?
""",
    ("optimal_classifier_with_prior", "−1 for 0/0"): """
optimal_classifier_with_prior: not passed, 0 of 2 points.
  called     optimal_classifier_with_prior(p1: float32 (8,), p2: float32 (8,),
             prior1=0.85), both densities zero in places
  returned   entry [1] = -1, which is wrong
  expected   the best f at each point, a number in [0, 1], exact up to rounding
  fails on   2 of 36 inputs: both densities zero in places
  looks like an answer that holds on typical inputs only
  hint       Look at what is special about these inputs: a small constant added for
             safety, a clamp, digits lost by cancellation, an overflow that was papered
             over, an argument treated as an integer, or an axis of length 1.
""",
}
