"""Answers to exercise 13-1: right ones in many styles, and wrong ones with their diagnosis."""

import math

import numpy as np
import torch
from scipy import special, stats
from torch.distributions import Categorical, OneHotCategorical
from torch.func import grad, jacrev
from torch.nn import functional

# --- expectation_gradient ---------------------------------------------------------------------


def gradient_formula(logits, values):
    p = torch.softmax(logits, dim=-1)
    return p * (values - p @ values)


def gradient_autograd(logits, values):
    leaf = logits.clone().requires_grad_(True)
    expectation = torch.dot(leaf.softmax(0), values)
    return torch.autograd.grad(expectation, leaf)[0]


def gradient_backward(logits, values):
    leaf = logits.detach().clone().requires_grad_()
    (leaf.log_softmax(0).exp() * values).sum().backward()
    return leaf.grad


def gradient_func(logits, values):
    return grad(lambda parameters: functional.softmax(parameters, 0) @ values)(logits)


def gradient_jacobian(logits, values):
    p = logits.softmax(0)
    return (torch.diag(p) - torch.outer(p, p)) @ values


def gradient_jacrev(logits, values):
    return torch.einsum("jk,j->k", jacrev(lambda x: x.softmax(0))(logits), values)


def gradient_loops(logits, values):
    size = len(logits)
    top = max(float(x) for x in logits)
    masses = [math.exp(float(x) - top) for x in logits]
    p = [mass / sum(masses) for mass in masses]
    result = torch.zeros_like(values)
    for k in range(size):
        for j in range(size):
            derivative = p[j] * ((1.0 if j == k else 0.0) - p[k])
            result[k] += derivative * float(values[j])
    return result


def gradient_numpy(logits, values):
    x, f = logits.numpy(), values.numpy()
    p = np.exp(x - x.max())
    p /= p.sum()
    return torch.from_numpy(p * f - p * np.sum(p * f))


def gradient_scipy_log(logits, values):
    log_p = logits.numpy() - special.logsumexp(logits.numpy())
    p = np.exp(log_p)
    return torch.tensor(p * (values.numpy() - p @ values.numpy()), dtype=values.dtype)


def gradient_logsumexp(logits, values):
    p = (logits - logits.logsumexp(0)).exp()
    return p * values - p * (p * values).sum()


def gradient_enumerated_scores(logits, values):
    """Σ_k p_k f_k ∇ log p_k, the expectation of the score-function estimator."""
    scores = jacrev(lambda parameters: parameters.log_softmax(0))(logits)
    return torch.einsum("k,k,kj->j", logits.softmax(0), values, scores)


def gradient_distribution(logits, values):
    leaf = logits.clone().requires_grad_(True)
    variable = OneHotCategorical(logits=leaf)
    (variable.mean * values).sum().backward()
    return leaf.grad.clone()


def gradient_product(logits, values):
    return logits.softmax(0) * values


def gradient_diagonal(logits, values):
    p = logits.softmax(0)
    return torch.diagonal(torch.diag(p) - torch.outer(p, p)) * values


def gradient_in_p(logits, values):
    p = logits.softmax(0).requires_grad_(True)
    return torch.autograd.grad(p @ values, p)[0]


def gradient_unweighted(logits, values):
    return values - Categorical(logits=logits).probs.dot(values)


def gradient_plain_mean(logits, values):
    return logits.softmax(0) * (values - values.sum() / len(values))


def gradient_negated(logits, values):
    p = logits.softmax(0)
    return p * (p @ values - values)


def gradient_of_log(logits, values):
    p = logits.softmax(0)
    mean = p @ values
    return p * (values - mean) / mean


def gradient_not_normalised(logits, values):
    p = torch.exp(logits)
    return p * (values - (p * values).sum())


def gradient_logits_as_p(logits, values):
    return (torch.diag(logits) - torch.outer(logits, logits)) @ values


def gradient_sigmoid(logits, values):
    leaf = logits.clone().requires_grad_(True)
    return torch.autograd.grad((leaf.sigmoid() * values).sum(), leaf)[0]


def gradient_expectation(logits, values):
    return Categorical(logits=logits).probs @ values


def gradient_overflow(logits, values):
    masses = torch.exp(logits)
    p = masses / masses.sum()
    return p * (values - p @ values)


def gradient_clamped(logits, values):
    return gradient_formula(logits.clamp(-50, 50), values)


def gradient_float32(logits, values):
    return gradient_formula(logits.float(), values.float()).to(values.dtype)


def gradient_finite_difference(logits, values):
    step = 1e-3 * torch.eye(len(logits), dtype=logits.dtype)
    up, down = (logits + step).softmax(1) @ values, (logits - step).softmax(1) @ values
    return (up - down) / 2e-3


def gradient_sampled(logits, values):
    generator = torch.Generator().manual_seed(0)
    p = logits.softmax(0)
    z = torch.multinomial(p, 2000, replacement=True, generator=generator)
    return (values[z, None] * (functional.one_hot(z, len(p)) - p)).mean(0)


def gradient_column(logits, values):
    return gradient_formula(logits, values)[:, None]


def gradient_in_place(logits, values):
    logits -= logits.max()
    return gradient_formula(logits, values)


# --- score_function_terms ---------------------------------------------------------------------


def terms_formula(logits, values, z, baseline=0.0):
    p = torch.softmax(logits, 0)
    return (values[z] - baseline).unsqueeze(1) * (functional.one_hot(z, len(p)) - p)


def terms_autograd(logits, values, z, baseline=0.0):
    rows = []
    for k in z.tolist():
        leaf = logits.clone().requires_grad_(True)
        leaf.log_softmax(0)[k].backward()
        rows.append((values[k] - baseline) * leaf.grad)
    return torch.stack(rows)


def terms_func(logits, values, z, baseline=0.0):
    scores = jacrev(lambda parameters: functional.log_softmax(parameters, 0)[z])(logits)
    return torch.einsum("n,nk->nk", values[z] - baseline, scores)


def terms_distribution(logits, values, z, baseline=0.0):
    copies = logits.repeat(len(z), 1).requires_grad_(True)  # (N, K)
    log_p = Categorical(logits=copies).log_prob(z)
    (scores,) = torch.autograd.grad(log_p.sum(), copies)
    return scores * (values[z] - baseline).reshape(-1, 1)


def terms_loops(logits, values, z, baseline=0.0):
    p = logits.softmax(0)
    result = torch.empty(len(z), len(p), dtype=logits.dtype)
    for n in range(len(z)):
        for k in range(len(p)):
            score = 1 - p[k] if k == z[n] else -p[k]
            result[n, k] = (values[z[n]] - baseline) * score
    return result


def terms_numpy(logits, values, z, baseline=0.0):
    p = special.softmax(logits.numpy())
    score = np.eye(len(p), dtype=p.dtype)[z.numpy()] - p
    return torch.from_numpy((values.numpy()[z.numpy()] - np.float64(baseline))[:, None] * score).to(
        logits.dtype
    )


def terms_table(logits, values, z, baseline=0.0):
    table = (values - baseline)[:, None] * (torch.eye(len(values)) - logits.softmax(0))
    return table.to(values.dtype)[z]


def terms_multiplied_out(logits, values, z, baseline=0.0):
    score = -(logits - logits.logsumexp(0)).exp().expand(len(z), -1).clone()
    score[torch.arange(len(z)), z] += 1
    return values[z, None] * score - baseline * score


def terms_scatter(logits, values, z, baseline=0.0):
    advantage = values.gather(0, z) - baseline
    result = -torch.outer(advantage, logits.softmax(0))
    return result.scatter_add(1, z[:, None], advantage[:, None])


def terms_no_baseline(logits, values, z, baseline=0.0):
    return terms_formula(logits, values, z)


def terms_baseline_added(logits, values, z, baseline=0.0):
    return (values[z] + baseline)[:, None] * (
        functional.one_hot(z, len(values)) - logits.softmax(0)
    )


def terms_baseline_outside(logits, values, z, baseline=0.0):
    return terms_func(logits, values, z) - baseline


def terms_gradient_of_p(logits, values, z, baseline=0.0):
    slopes = jacrev(lambda parameters: parameters.softmax(0)[z])(logits)
    return (values[z] - baseline)[:, None] * slopes


def terms_in_p(logits, values, z, baseline=0.0):
    p = logits.softmax(0)
    result = torch.zeros(len(z), len(p), dtype=p.dtype)
    result[torch.arange(len(z)), z] = (values[z] - baseline) / p[z]
    return result


def terms_logit_alone(logits, values, z, baseline=0.0):
    slopes = jacrev(lambda parameters: parameters[z])(logits)
    return (values[z] - baseline)[:, None] * slopes


def terms_own_logit(logits, values, z, baseline=0.0):
    p = logits.softmax(0)
    return torch.diag((values - baseline) * (1 - p))[z]


def terms_by_column(logits, values, z, baseline=0.0):
    score = functional.one_hot(z, len(values)) - logits.softmax(0)
    return torch.einsum("k,nk->nk", values - baseline, score)


def terms_no_value(logits, values, z, baseline=0.0):
    return jacrev(lambda parameters: parameters.log_softmax(0)[z])(logits)


def terms_negated(logits, values, z, baseline=0.0):
    return (baseline - values[z])[:, None] * (
        functional.one_hot(z, len(values)) - logits.softmax(0)
    )


def terms_mean(logits, values, z, baseline=0.0):
    leaf = logits.clone().requires_grad_(True)
    loss = ((values[z] - baseline) * leaf.log_softmax(0)[z]).mean()
    return torch.autograd.grad(loss, leaf)[0]


def terms_sum(logits, values, z, baseline=0.0):
    leaf = logits.clone().requires_grad_(True)
    ((values[z] - baseline) * Categorical(logits=leaf).log_prob(z)).sum().backward()
    return leaf.grad


def terms_divided(logits, values, z, baseline=0.0):
    score = functional.one_hot(z, len(values)) - logits.softmax(0)
    return torch.einsum("n,nk->nk", values[z] - baseline, score) / z.numel()


def terms_transposed(logits, values, z, baseline=0.0):
    score = functional.one_hot(z, len(values)).T - logits.softmax(0)[:, None]
    return (values[z] - baseline) * score


def terms_overflow(logits, values, z, baseline=0.0):
    p = logits.exp() / logits.exp().sum()
    return (values[z] - baseline)[:, None] * (functional.one_hot(z, len(p)) - p)


def terms_log_of_softmax(logits, values, z, baseline=0.0):
    scores = jacrev(lambda parameters: parameters.softmax(0)[z].log())(logits)
    return (values[z] - baseline)[:, None] * scores


def terms_clamped_p(logits, values, z, baseline=0.0):
    scores = jacrev(lambda parameters: parameters.softmax(0)[z].clamp(min=1e-8).log())(logits)
    return (values[z] - baseline)[:, None] * scores


def terms_float32(logits, values, z, baseline=0.0):
    return terms_formula(logits.float(), values.float(), z, baseline).to(values.dtype)


def terms_batch_centred(logits, values, z, baseline=0.0):
    return terms_formula(logits, values, z, baseline + values[z].mean().item())


def terms_integer(logits, values, z, baseline=0.0):
    return (values[z] - baseline)[:, None] * functional.one_hot(z, len(values)).sub(
        logits.softmax(0).round().long()
    )


# --- optimal_baseline -------------------------------------------------------------------------


def baseline_scores(logits, values):
    p = logits.softmax(0)
    scores = torch.eye(len(p), dtype=p.dtype) - p
    weights = p * scores.pow(2).sum(1)
    return torch.dot(weights, values) / weights.sum()


def baseline_expanded(logits, values):
    p = torch.softmax(logits, 0)
    weights = p * (1 - 2 * p + (p**2).sum())
    return (weights * values).sum() / weights.sum()


def baseline_loops(logits, values):
    p = [float(x) for x in logits.double().softmax(0)]
    above = below = 0.0
    for k, p_k in enumerate(p):
        square = sum((float(j == k) - p_j) ** 2 for j, p_j in enumerate(p))
        above += p_k * square * float(values[k])
        below += p_k * square
    return torch.tensor(above / below, dtype=values.dtype)


def baseline_numpy(logits, values):
    p = special.softmax(logits.numpy())
    norms = np.linalg.norm(np.eye(len(p), dtype=p.dtype) - p, axis=1) ** 2
    return torch.tensor(np.average(values.numpy(), weights=p * norms), dtype=values.dtype)


def baseline_autograd_scores(logits, values):
    scores = jacrev(lambda parameters: parameters.log_softmax(0))(logits)  # (K, K)
    p = logits.softmax(0)
    return torch.einsum("k,k,kj,kj", p, values, scores, scores) / torch.einsum(
        "k,kj,kj", p, scores, scores
    )


def baseline_newton(logits, values):
    """One Newton step from 0 on the second moment, which is a parabola."""
    p = Categorical(logits=logits).probs
    scores = torch.eye(len(p), dtype=p.dtype) - p

    def second_moment(b):
        return p @ ((values - b)[:, None] * scores).square().sum(1)

    zero = torch.zeros((), dtype=p.dtype)
    return -grad(second_moment)(zero) / grad(grad(second_moment))(zero)


def baseline_least_squares(logits, values):
    """min over b of Σ_k p_k‖f_k s_k − b s_k‖²: regress √p f s on √p s."""
    p = special.softmax(logits.double().numpy())
    scores = np.sqrt(p)[:, None] * (np.eye(len(p)) - p)
    target = (values.double().numpy()[:, None] * scores).reshape(-1)
    solution, *_ = np.linalg.lstsq(scores.reshape(-1, 1), target, rcond=None)
    return torch.tensor(solution[0], dtype=values.dtype)


def baseline_expected_value(logits, values):
    return logits.softmax(0) @ values


def baseline_plain(logits, values):
    return values.sum() / values.numel()


def baseline_midrange(logits, values):
    return 0.5 * (values.amax() + values.amin())


def baseline_unweighted(logits, values):
    p = logits.softmax(0)
    squares = 1 - 2 * p + (p * p).sum()
    return (squares * values).sum() / squares.sum()


def baseline_norm(logits, values):
    p = logits.softmax(0)
    lengths = torch.linalg.vector_norm(torch.eye(len(p), dtype=p.dtype) - p, dim=1)
    return (p * lengths * values).sum() / (p * lengths).sum()


def baseline_own_logit(logits, values):
    p = logits.softmax(0)
    own = torch.diagonal(torch.eye(len(p), dtype=p.dtype) - p) ** 2
    return (p * own * values).sum() / (p * own).sum()


def baseline_indicator(logits, values):
    p = logits.softmax(0)
    weights = p - p * p
    return weights @ values / weights.sum()


def baseline_inverse(logits, values):
    p = logits.softmax(0)
    weights = p / (torch.eye(len(p), dtype=p.dtype) - p).square().sum(1)
    return weights @ values / weights.sum()


def baseline_not_normalised(logits, values):
    p = logits.softmax(0)
    return torch.einsum("k,k,kj->", p, values, (torch.eye(len(p), dtype=p.dtype) - p) ** 2)


def baseline_negated(logits, values):
    return -baseline_scores(logits, values)


def baseline_per_logit(logits, values):
    p = logits.softmax(0)
    squares = (torch.eye(len(p), dtype=p.dtype) - p) ** 2
    return (p * values) @ squares / (p @ squares)


def baseline_variance(logits, values):
    p = logits.softmax(0)
    scores = torch.eye(len(p), dtype=p.dtype) - p
    terms = (values - baseline_scores(logits, values))[:, None] * scores
    return p @ terms.square().sum(1) - (p @ terms).square().sum()


def baseline_float(logits, values):
    return baseline_scores(logits, values).item()


def baseline_vector(logits, values):
    return baseline_scores(logits, values)[None]


def baseline_guarded(logits, values):
    p = logits.softmax(0)
    weights = p * (torch.eye(len(p), dtype=p.dtype) - p).square().sum(1)
    return weights @ values / (weights.sum() + 1e-8)


def baseline_float32(logits, values):
    return baseline_scores(logits.float(), values.float()).to(values.dtype)


def baseline_grid(logits, values):
    p = logits.softmax(0)
    squares = (torch.eye(len(p), dtype=p.dtype) - p).square().sum(1)
    candidates = torch.linspace(float(values.min()), float(values.max()), 201).to(p.dtype)
    moments = (values - candidates[:, None]).square() @ (p * squares)
    return candidates[moments.argmin()]


# --- gumbel_softmax ---------------------------------------------------------------------------


def gumbel_formula(logits, uniforms, temperature):
    noise = -torch.log(-torch.log(uniforms))
    return torch.softmax((logits + noise) / temperature, dim=-1)


def gumbel_manual(logits, uniforms, temperature):
    exponents = (logits - (-uniforms.log()).log()) / temperature
    exponents = exponents - exponents.max(1, keepdim=True).values
    return exponents.exp() / exponents.exp().sum(1, keepdim=True)


def gumbel_logsumexp(logits, uniforms, temperature):
    y = (logits[None, :] - torch.log(-torch.log(uniforms))) / temperature
    return torch.exp(y - torch.logsumexp(y, 1, keepdim=True))


def gumbel_log_p(logits, uniforms, temperature):
    log_p = functional.log_softmax(logits, 0)
    return functional.softmax((log_p - (-uniforms.log()).log()) / temperature, 1)


def gumbel_distribution_logits(logits, uniforms, temperature):
    return (
        OneHotCategorical(logits=logits).logits.sub((-uniforms.log()).log()).div(temperature)
    ).softmax(1)


def gumbel_scipy(logits, uniforms, temperature):
    noise = torch.from_numpy(stats.gumbel_r.ppf(uniforms.double().numpy())).to(logits.dtype)
    return ((logits + noise) / temperature).softmax(1)


def gumbel_numpy_noise(logits, uniforms, temperature):
    noise = torch.from_numpy(-np.log(-np.log(uniforms.numpy())))
    return torch.stack([((logits + row) / temperature).softmax(0) for row in noise])


def gumbel_loops(logits, uniforms, temperature):
    rows = []
    for row in uniforms.tolist():
        noise = [-math.log(-math.log(u)) for u in row]
        exponents = [(x + g) / temperature for x, g in zip(logits, noise, strict=True)]
        top = max(float(x) for x in exponents)
        masses = [torch.exp(x - top) for x in exponents]
        total = sum(masses)
        rows.append(torch.stack([mass / total for mass in masses]))
    return torch.stack(rows)


def gumbel_double(logits, uniforms, temperature):
    y = (logits.double() - (-uniforms.double().log()).log()) / temperature
    return y.softmax(1).to(logits.dtype)


class _Relaxation(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, noise, temperature):
        samples = ((logits + noise) / temperature).softmax(1)
        ctx.save_for_backward(samples)
        ctx.temperature = temperature
        return samples

    @staticmethod
    def backward(ctx, weights):
        (samples,) = ctx.saved_tensors
        mean = torch.einsum("nk,nk->n", weights, samples)[:, None]
        return (samples * (weights - mean)).sum(0) / ctx.temperature, None, None


def gumbel_own_backward(logits, uniforms, temperature):
    return _Relaxation.apply(logits, -torch.log(-torch.log(uniforms)), temperature)


def gumbel_noise_negated(logits, uniforms, temperature):
    return ((logits + torch.log(-torch.log(uniforms))) / temperature).softmax(1)


def gumbel_one_logarithm(logits, uniforms, temperature):
    return ((logits + torch.log(uniforms).neg()) / temperature).softmax(1)


def gumbel_one_minus_u(logits, uniforms, temperature):
    return ((logits - torch.log(-torch.log1p(-uniforms))) / temperature).softmax(1)


def gumbel_no_noise(logits, uniforms, temperature):
    return (logits / temperature).softmax(0).repeat(len(uniforms), 1)


def gumbel_uniform_noise(logits, uniforms, temperature):
    return torch.softmax((uniforms + logits) / temperature, 1)


def gumbel_no_temperature(logits, uniforms, temperature):
    return gumbel_formula(logits, uniforms, 1.0)


def gumbel_multiplied(logits, uniforms, temperature):
    return gumbel_formula(logits, uniforms, 1 / temperature)


def gumbel_temperature_on_logits(logits, uniforms, temperature):
    return (logits / temperature - torch.log(-torch.log(uniforms))).softmax(1)


def gumbel_temperature_on_noise(logits, uniforms, temperature):
    return (logits - torch.log(-torch.log(uniforms)) / temperature).softmax(1)


def gumbel_on_probabilities(logits, uniforms, temperature):
    return ((logits.softmax(0) - torch.log(-torch.log(uniforms))) / temperature).softmax(1)


def gumbel_over_samples(logits, uniforms, temperature):
    return torch.softmax((logits - torch.log(-torch.log(uniforms))) / temperature, dim=0)


def gumbel_argmax(logits, uniforms, temperature):
    winners = (logits - torch.log(-torch.log(uniforms))).argmax(1)
    return functional.one_hot(winners, len(logits)).to(logits.dtype)


def gumbel_hard(logits, uniforms, temperature):
    soft = gumbel_formula(logits, uniforms, temperature)
    hard = functional.one_hot(soft.argmax(1), len(logits)).to(soft.dtype)
    return hard + soft - soft.detach()


def gumbel_no_softmax(logits, uniforms, temperature):
    return (logits - torch.log(-torch.log(uniforms))) / temperature


def gumbel_log_samples(logits, uniforms, temperature):
    return gumbel_manual(logits, uniforms, temperature).log()


def gumbel_guarded(logits, uniforms, temperature):
    noise = -torch.log(-torch.log(uniforms + 1e-10) + 1e-10)
    return ((logits + noise) / temperature).softmax(1)


def gumbel_clamped(logits, uniforms, temperature):
    return gumbel_formula(logits, uniforms.clamp(1e-6, 1 - 1e-6), temperature)


def gumbel_overflow(logits, uniforms, temperature):
    masses = torch.exp((logits - torch.log(-torch.log(uniforms))) / temperature)
    return masses / masses.sum(1, keepdim=True)


def gumbel_log_of_softmax(logits, uniforms, temperature):
    log_p = logits.softmax(0).log()
    return ((log_p - torch.log(-torch.log(uniforms))) / temperature).softmax(1)


def gumbel_log_of_clamped(logits, uniforms, temperature):
    log_p = logits.softmax(0).clamp(min=1e-30).log()
    return torch.softmax((log_p - torch.log(-torch.log(uniforms))) / temperature, 1)


def gumbel_log_of_guarded(logits, uniforms, temperature):
    log_p = (logits.softmax(0) + 1e-20).log()
    return torch.softmax((log_p - torch.log(-torch.log(uniforms))) / temperature, 1)


def gumbel_wrong_way_through(logits, uniforms, temperature):
    soft = gumbel_formula(logits, uniforms, temperature)
    hard = functional.one_hot(soft.argmax(1), len(logits)).to(soft.dtype)
    return hard - soft.detach() + soft


def gumbel_numpy(logits, uniforms, temperature):
    noise = -np.log(-np.log(uniforms.double().numpy()))
    y = special.softmax((logits.detach().double().numpy() + noise) / temperature, axis=1)
    return torch.from_numpy(y).to(logits.dtype)


def gumbel_wrong_backward(logits, uniforms, temperature):
    soft = gumbel_formula(logits, uniforms, temperature)
    smooth = gumbel_formula(logits, uniforms, 2 * temperature)
    return soft.detach() + smooth - smooth.detach()


def gumbel_float32(logits, uniforms, temperature):
    exponents = (logits - torch.log(-torch.log(uniforms))) / temperature
    return exponents.float().softmax(1).to(logits.dtype)


def gumbel_float32_uniforms(logits, uniforms, temperature):
    return gumbel_formula(logits.float(), uniforms.float(), temperature).to(logits.dtype)


CORRECT = {
    "expectation_gradient": [
        gradient_formula,
        gradient_autograd,
        gradient_backward,
        gradient_func,
        gradient_jacobian,
        gradient_jacrev,
        gradient_loops,
        gradient_numpy,
        gradient_scipy_log,
        gradient_logsumexp,
        gradient_enumerated_scores,
        gradient_distribution,
    ],
    "score_function_terms": [
        terms_formula,
        terms_autograd,
        terms_func,
        terms_distribution,
        terms_loops,
        terms_numpy,
        terms_table,
        terms_multiplied_out,
        terms_scatter,
    ],
    "optimal_baseline": [
        baseline_scores,
        baseline_expanded,
        baseline_loops,
        baseline_numpy,
        baseline_autograd_scores,
        baseline_newton,
        baseline_least_squares,
    ],
    "gumbel_softmax": [
        gumbel_formula,
        gumbel_manual,
        gumbel_logsumexp,
        gumbel_log_p,
        gumbel_distribution_logits,
        gumbel_scipy,
        gumbel_numpy_noise,
        gumbel_loops,
        gumbel_double,
        gumbel_own_backward,
    ],
}

WRONG = {
    "expectation_gradient": [
        ("p f", gradient_product, "normaliser-constant"),
        ("diagonal of the Jacobian", gradient_diagonal, "diagonal-only"),
        ("gradient in p", gradient_in_p, "gradient-in-p"),
        ("p forgotten", gradient_unweighted, "not-weighted"),
        ("plain mean", gradient_plain_mean, "plain-mean"),
        ("negated", gradient_negated, "negated"),
        ("gradient of the log", gradient_of_log, "log-gradient"),
        ("exp not normalised", gradient_not_normalised, "logits-as-log-p"),
        ("logits as p", gradient_logits_as_p, "logits-as-p"),
        ("sigmoid", gradient_sigmoid, "sigmoid"),
        ("the expectation", gradient_expectation, "expectation-instead"),
        ("overflow", gradient_overflow, "unstable-softmax"),
        ("clamped logits", gradient_clamped, "special-inputs"),
        ("finite differences", gradient_finite_difference, "value"),
        ("Monte Carlo", gradient_sampled, "value"),
        ("a column", gradient_column, "shape"),
        ("in place", gradient_in_place, "modified"),
        ("float32 inside", gradient_float32, "precision"),
    ],
    "score_function_terms": [
        ("no baseline", terms_no_baseline, "baseline-ignored"),
        ("baseline added", terms_baseline_added, "baseline-added"),
        ("baseline outside", terms_baseline_outside, "baseline-outside"),
        ("∇p", terms_gradient_of_p, "weighted-by-p"),
        ("gradient in p", terms_in_p, "gradient-in-p"),
        ("logit alone", terms_logit_alone, "normaliser-forgotten"),
        ("own logit", terms_own_logit, "own-logit"),
        ("values by column", terms_by_column, "values-by-column"),
        ("score alone", terms_no_value, "value-forgotten"),
        ("negated", terms_negated, "negated"),
        ("mean", terms_mean, "averaged"),
        ("sum", terms_sum, "summed"),
        ("divided by N", terms_divided, "divided-by-n"),
        ("transposed", terms_transposed, "transposed"),
        ("overflow", terms_overflow, "unstable-softmax"),
        ("log of softmax", terms_log_of_softmax, "nonfinite"),
        ("clamped p", terms_clamped_p, "special-inputs"),
        ("centred by the batch", terms_batch_centred, "value"),
        ("rounded p", terms_integer, "value"),
        ("float32 inside", terms_float32, "precision"),
    ],
    "optimal_baseline": [
        ("E[f]", baseline_expected_value, "expected-value"),
        ("plain mean", baseline_plain, "plain-mean"),
        ("midrange", baseline_midrange, "midrange"),
        ("p forgotten", baseline_unweighted, "not-weighted-by-p"),
        ("norm not squared", baseline_norm, "norm-not-squared"),
        ("own logit", baseline_own_logit, "own-logit"),
        ("p(1 − p)", baseline_indicator, "variance-of-indicator"),
        ("inverse", baseline_inverse, "inverse-weights"),
        ("not normalised", baseline_not_normalised, "not-normalised"),
        ("negated", baseline_negated, "negated"),
        ("per logit", baseline_per_logit, "per-logit"),
        ("the variance", baseline_variance, "variance-instead"),
        ("a float", baseline_float, "type"),
        ("shape (1,)", baseline_vector, "shape"),
        ("1e-8 in the denominator", baseline_guarded, "guarded-denominator"),
        ("grid search", baseline_grid, "value"),
        ("float32 inside", baseline_float32, "precision"),
    ],
    "gumbel_softmax": [
        ("log(−log u)", gumbel_noise_negated, "noise-negated"),
        ("−log u", gumbel_one_logarithm, "one-logarithm"),
        ("1 − u", gumbel_one_minus_u, "one-minus-u"),
        ("no noise", gumbel_no_noise, "no-noise"),
        ("u itself", gumbel_uniform_noise, "uniform-noise"),
        ("no temperature", gumbel_no_temperature, "no-temperature"),
        ("times temperature", gumbel_multiplied, "temperature-multiplied"),
        ("temperature on logits", gumbel_temperature_on_logits, "temperature-on-logits"),
        ("temperature on noise", gumbel_temperature_on_noise, "temperature-on-noise"),
        ("noise on p", gumbel_on_probabilities, "noise-on-probabilities"),
        ("over samples", gumbel_over_samples, "over-samples"),
        ("arg max", gumbel_argmax, "hard"),
        ("straight through", gumbel_hard, "hard"),
        ("straight through, in another order", gumbel_wrong_way_through, "hard"),
        ("no softmax", gumbel_no_softmax, "no-softmax"),
        ("log samples", gumbel_log_samples, "log-samples"),
        ("1e-10 in the logs", gumbel_guarded, "guarded-logarithms"),
        ("clamped uniforms", gumbel_clamped, "special-inputs"),
        ("overflow", gumbel_overflow, "unstable-softmax"),
        ("log of softmax", gumbel_log_of_softmax, "log-of-underflow"),
        ("log of clamped p", gumbel_log_of_clamped, "log-of-clamped"),
        ("log of p + 1e-20", gumbel_log_of_guarded, "special-inputs"),
        ("NumPy", gumbel_numpy, "detached"),
        ("gradient of another temperature", gumbel_wrong_backward, "gradient"),
        ("float32 inside", gumbel_float32, "precision"),
        ("uniforms rounded to 1", gumbel_float32_uniforms, "nonfinite"),
    ],
}

TEXTS = {
    ("expectation_gradient", "p f"): """
expectation_gradient: not passed, 0 of 2 points.
  called     expectation_gradient(logits: float32 (4,), values: float32 (4,)), typical
             values
  returned   entry [0] = 0.2464, which is wrong
  expected   the gradient of E[f(z)] with respect to each logit, exact up to rounding
  fails on   28 of 28 inputs
  looks like a softmax differentiated as if its denominator did not depend on the logits
  hint       Raise one logit: what happens to the probabilities of the other categories?
""",
    ("expectation_gradient", "overflow"): """
expectation_gradient: not passed, 0 of 2 points.
  called     expectation_gradient(logits: float32 (5,), values: float32 (5,)), logits
             near 1000
  returned   entry [0] = nan
  expected   the gradient of E[f(z)] with respect to each logit, finite
  fails on   6 of 28 inputs: logits near 1000; logits near -1000; logits from -1000 to
             1000
  looks like a softmax whose exponentials overflow or all vanish
  hint       exp(1000) has no floating-point value. The softmax does not change when the
             same number is added to all logits: choose that number well, or use a
             function that does.
""",
    ("score_function_terms", "baseline outside"): """
score_function_terms: not passed, 0 of 2 points.
  called     score_function_terms(logits: float32 (4,), values: float32 (4,), z: int64
             (6,), baseline=0.75), typical samples and baseline
  returned   entry [0, 0] = -0.6159, which is wrong
  expected   (f(z_n) − baseline)·∇ log p(z_n) in row n, the gradient being in the
             logits, exact up to rounding
  fails on   30 of 34 inputs
  looks like the baseline subtracted from the term instead of the value
  hint       Only a multiple of the score has expectation 0 and leaves the estimate
             unbiased.
""",
    ("score_function_terms", "mean"): """
score_function_terms: not passed, 0 of 2 points.
  called     score_function_terms(logits: float32 (4,), values: float32 (4,), z: int64
             (6,)), typical samples, no baseline
  returned   a float32 tensor of shape (4,)
  expected   a float32 tensor of shape (6, 4)
  looks like the average over the samples
  hint       Keep one row per sample: the variance needs them.
""",
    ("optimal_baseline", "E[f]"): """
optimal_baseline: not passed, 0 of 2 points.
  called     optimal_baseline(logits: float32 (4,), values: float32 (4,)), typical
             values
  returned   the number -0.5019, which is wrong
  expected   the constant baseline with the smallest total variance of the terms, exact
             up to rounding
  fails on   24 of 28 inputs
  looks like E[f(z)], which is a good baseline but not the best
  hint       Categories whose score is long contribute more to the variance.
""",
    ("gumbel_softmax", "temperature on noise"): """
gumbel_softmax: not passed, 0 of 2 points.
  called     gumbel_softmax(logits: float32 (3,), uniforms: float32 (4, 3),
             temperature=0.7), typical values
  returned   entry [0, 0] = 0.007849, which is wrong
  expected   one relaxed one-hot sample per row of the uniforms, exact up to rounding
  fails on   34 of 40 inputs
  looks like the temperature applied to the noise and not to the logits
  hint       The largest entry must not depend on the temperature, or samples follow
             another distribution.
""",
    ("gumbel_softmax", "NumPy"): """
gumbel_softmax: not passed, 0 of 2 points.
  called     gumbel_softmax(logits: float32 (3,), uniforms: float32 (4, 3),
             temperature=0.7), typical values
  returned   a result cut off from its inputs
  expected   a result that can be differentiated
  hint       The result must stay differentiable: no `.item()`, `.detach()`, NumPy or
             rounding on the way from input to result.
""",
    ("gumbel_softmax", "clamped uniforms"): """
gumbel_softmax: not passed, 0 of 2 points.
  called     gumbel_softmax(logits: float32 (3,), uniforms: float32 (4, 3),
             temperature=0.7), uniforms close to 0
  returned   entry [0, 0] = 0.07101, which is wrong
  expected   one relaxed one-hot sample per row of the uniforms, exact up to rounding
  fails on   6 of 40 inputs: uniforms close to 0; uniforms close to 1; some uniforms
             close to 1
  looks like an answer that holds on typical inputs only
  hint       Look at what is special about these inputs: a small constant added for
             safety, a clamp, digits lost by cancellation, an overflow that was papered
             over, an argument treated as an integer, or an axis of length 1.
""",
}
