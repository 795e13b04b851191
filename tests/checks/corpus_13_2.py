"""Answers to exercise 13-2: right ones in many styles, and wrong ones with their diagnosis."""

import math

import numpy as np
import torch
from scipy import linalg, stats
from torch.distributions import (
    Independent,
    LowRankMultivariateNormal,
    MultivariateNormal,
    Normal,
    kl_divergence,
)
from torch.nn.functional import gaussian_nll_loss

# --- gaussian_kl_general ----------------------------------------------------------------------


def general_inverse(mu1, cov1, mu2, cov2):
    inv2 = torch.linalg.inv(cov2)
    diff = mu2 - mu1
    log_ratio = torch.logdet(cov2) - torch.logdet(cov1)
    return 0.5 * (torch.trace(inv2 @ cov1) + diff @ inv2 @ diff - len(mu1) + log_ratio)


def general_cholesky(mu1, cov1, mu2, cov2):
    l1, l2 = torch.linalg.cholesky(cov1), torch.linalg.cholesky(cov2)
    white = torch.linalg.solve_triangular(l2, l1, upper=False)
    step = torch.linalg.solve_triangular(l2, (mu2 - mu1)[:, None], upper=False)
    logs = l2.diagonal().log().sum() - l1.diagonal().log().sum()
    return 0.5 * (white.square().sum() + step.square().sum() - mu1.numel()) + logs


def general_distributions(mu1, cov1, mu2, cov2):
    return kl_divergence(MultivariateNormal(mu1, cov1), MultivariateNormal(mu2, cov2))


def general_numpy(mu1, cov1, mu2, cov2):
    m1, s1, m2, s2 = (value.numpy() for value in (mu1, cov1, mu2, cov2))
    step = m2 - m1
    trace = np.trace(np.linalg.solve(s2, s1))
    logs = np.linalg.slogdet(s2).logabsdet - np.linalg.slogdet(s1).logabsdet
    kl = 0.5 * (trace + step @ np.linalg.solve(s2, step) - len(m1) + logs)
    return torch.tensor(kl, dtype=mu1.dtype)


def general_scipy_float64(mu1, cov1, mu2, cov2):
    s1, s2 = cov1.double().numpy(), cov2.double().numpy()
    step = (mu2.double() - mu1.double()).numpy()
    factor = linalg.cho_factor(s2, lower=True)
    trace = np.trace(linalg.cho_solve(factor, s1))
    log_det2 = 2 * np.log(np.diag(factor[0])).sum()
    log_det1 = 2 * np.log(np.diag(linalg.cholesky(s1, lower=True))).sum()
    kl = 0.5 * (trace + step @ linalg.cho_solve(factor, step) - len(step) + log_det2 - log_det1)
    return torch.as_tensor(kl).to(mu1.dtype)


def general_loops(mu1, cov1, mu2, cov2):
    inv2, d = torch.linalg.inv(cov2), mu1.shape[0]
    total = -float(d)
    for i in range(d):
        for j in range(d):
            total = total + inv2[i, j] * (cov1[j, i] + (mu2[i] - mu1[i]) * (mu2[j] - mu1[j]))
    log_dets = [torch.linalg.slogdet(cov)[1] for cov in (cov2, cov1)]
    return (total + log_dets[0] - log_dets[1]) / 2


def general_eigen(mu1, cov1, mu2, cov2):
    values1 = torch.linalg.eigvalsh(cov1)
    values2, vectors2 = torch.linalg.eigh(cov2)
    rotated = vectors2.T @ cov1 @ vectors2
    step = vectors2.T @ (mu2 - mu1)
    kl = ((rotated.diagonal() + step**2) / values2).sum() - len(mu1)
    return 0.5 * (kl + values2.log().sum() - values1.log().sum())


def general_einsum(mu1, cov1, mu2, cov2):
    precision = torch.cholesky_inverse(torch.linalg.cholesky(cov2))
    step = mu1 - mu2
    moments = cov1 + torch.outer(step, step)
    log_ratio = cov1.logdet() - cov2.logdet()
    return (torch.einsum("ij,ij->", precision, moments) - len(step) - log_ratio) / 2


def _general_parts(mu1, cov1, mu2, cov2):
    inverse, step = torch.linalg.inv(cov2), mu2 - mu1
    return (
        (inverse @ cov1).diagonal().sum(),
        step @ inverse @ step,
        len(mu1),
        torch.linalg.slogdet(cov2)[1] - torch.linalg.slogdet(cov1)[1],
    )


def general_swapped(mu1, cov1, mu2, cov2):
    return kl_divergence(MultivariateNormal(mu2, cov2), MultivariateNormal(mu1, cov1))


def general_no_half(mu1, cov1, mu2, cov2):
    trace, distance, d, log_ratio = _general_parts(mu1, cov1, mu2, cov2)
    return trace + distance - d + log_ratio


def general_flipped(mu1, cov1, mu2, cov2):
    trace, distance, d, log_ratio = _general_parts(mu1, cov1, mu2, cov2)
    return (trace + distance - d - log_ratio) / 2


def general_no_dimension(mu1, cov1, mu2, cov2):
    trace, distance, _, log_ratio = _general_parts(mu1, cov1, mu2, cov2)
    return (trace + distance + log_ratio) / 2


def general_marginals(mu1, cov1, mu2, cov2):
    first = Normal(mu1, cov1.diagonal().sqrt())
    second = Normal(mu2, cov2.diagonal().sqrt())
    return kl_divergence(first, second).sum()


def general_euclidean(mu1, cov1, mu2, cov2):
    trace, _, d, log_ratio = _general_parts(mu1, cov1, mu2, cov2)
    return (trace + torch.dist(mu1, mu2) ** 2 - d + log_ratio) / 2


def general_first_metric(mu1, cov1, mu2, cov2):
    trace, _, d, log_ratio = _general_parts(mu1, cov1, mu2, cov2)
    step = mu1 - mu2
    return (trace + step @ torch.linalg.inv(cov1) @ step - d + log_ratio) / 2


def general_trace_flipped(mu1, cov1, mu2, cov2):
    _, distance, d, log_ratio = _general_parts(mu1, cov1, mu2, cov2)
    return ((torch.linalg.inv(cov1) @ cov2).trace() + distance - d + log_ratio) / 2


def general_determinants(mu1, cov1, mu2, cov2):
    trace, distance, d, _ = _general_parts(mu1, cov1, mu2, cov2)
    ratio = torch.linalg.det(cov2) / torch.linalg.det(cov1)
    return (trace + distance - d + ratio.log()) / 2


def general_jitter(mu1, cov1, mu2, cov2):
    jitter = 1e-6 * torch.eye(len(mu1), dtype=mu1.dtype)
    return general_cholesky(mu1, cov1 + jitter, mu2, cov2 + jitter)


def general_float32(mu1, cov1, mu2, cov2):
    return general_cholesky(mu1.float(), cov1.float(), mu2.float(), cov2.float()).to(mu1.dtype)


# --- gaussian_kl ------------------------------------------------------------------------------


def kl_formula(mu, var):
    return 0.5 * (var + mu**2 - 1 - torch.log(var)).sum(dim=1)


def kl_log_var(mu, var):
    log_var = var.log()
    return -0.5 * torch.sum(1 + log_var - mu.pow(2) - log_var.exp(), dim=-1)


def kl_distributions(mu, var):
    prior = Normal(torch.zeros_like(mu), torch.ones_like(mu))
    return kl_divergence(Normal(mu, var.sqrt()), prior).sum(-1)


def kl_independent(mu, var):
    posterior = Independent(Normal(mu, var**0.5), 1)
    return kl_divergence(posterior, Independent(Normal(torch.zeros_like(mu), 1.0), 1))


def kl_multivariate(mu, var):
    d = mu.shape[1]
    prior = MultivariateNormal(torch.zeros(d, dtype=mu.dtype), torch.eye(d, dtype=mu.dtype))
    return kl_divergence(MultivariateNormal(mu, torch.diag_embed(var)), prior)


def kl_loops(mu, var):
    rows = []
    for m, v in zip(mu, var, strict=True):
        terms = [
            float(b) + float(a) ** 2 - 1 - math.log(float(b)) for a, b in zip(m, v, strict=True)
        ]
        rows.append(sum(terms) / 2)
    return torch.tensor(rows, dtype=mu.dtype)


def kl_numpy(mu, var):
    m, v = mu.numpy(), var.numpy()
    return torch.from_numpy((0.5 * (v + m * m - 1 - np.log(v))).sum(1))


def kl_entropies(mu, var):
    d = mu.shape[-1]
    cross = 0.5 * (d * math.log(2 * math.pi) + (var + mu**2).sum(-1))
    entropy = 0.5 * (d * math.log(2 * math.pi * math.e) + var.log().sum(-1))
    return cross - entropy


def kl_requires_grad(mu, var):
    scale = torch.ones((), dtype=mu.dtype, requires_grad=True)
    return scale * torch.einsum("bd->b", (var - 1) + mu * mu - var.log()) / 2


def kl_std_for_var(mu, var):
    sigma = torch.sqrt(var)
    return 0.5 * (sigma + mu**2 - 1 - torch.log(sigma)).sum(1)


def kl_var_as_std(mu, var):
    return kl_divergence(Normal(mu, var), Normal(0.0, 1.0)).sum(1)


def kl_var_as_log_var(mu, var):
    return -0.5 * torch.sum(1 + var - mu.pow(2) - var.exp(), dim=1)


def kl_log_std(mu, var):
    return ((var + mu**2 - 1) / 2 - var.log() / 4).sum(1)


def kl_no_half(mu, var):
    return (var + mu**2 - 1 - var.log()).sum(1)


def kl_no_minus_one(mu, var):
    return 0.5 * (var + mu**2 - var.log()).sum(1)


def kl_log_sign(mu, var):
    return 0.5 * (var + mu**2 - 1 + var.log()).sum(1)


def kl_negated(mu, var):
    return 0.5 * torch.sum(1 + var.log() - mu.pow(2) - var, dim=1)


def kl_mean(mu, var):
    return 0.5 * (var + mu**2 - 1 - var.log()).mean(1)


def kl_reversed(mu, var):
    prior = Normal(torch.zeros_like(mu), torch.ones_like(mu))
    return kl_divergence(prior, Normal(mu, var.sqrt())).sum(-1)


def kl_minus_one(mu, var):
    return 0.5 * ((var + mu**2 - var.log()).sum(1) - 1)


def kl_product(mu, var):
    return 0.5 * ((mu**2 + var - 1).sum(1) - var.prod(1).log())


def kl_product_of_std(mu, var):
    return 0.5 * (mu**2 + var - 1).sum(1) - var.sqrt().prod(1).log()


def kl_batch_sum(mu, var):
    return 0.5 * (var + mu**2 - 1 - torch.log(var)).sum()


def kl_batch_mean(mu, var):
    return 0.5 * (var + mu**2 - 1 - torch.log(var)).sum(1).mean()


def kl_kept_axis(mu, var):
    return 0.5 * (var + mu**2 - 1 - torch.log(var)).sum(1, keepdim=True)


def kl_per_dimension(mu, var):
    return 0.5 * (var + mu**2 - 1 - torch.log(var))


def kl_jitter(mu, var):
    return 0.5 * (var + mu**2 - 1 - torch.log(var + 1e-8)).sum(1)


def kl_clamped(mu, var):
    return kl_formula(mu, var.clamp(min=1e-5))


def kl_monte_carlo(mu, var):
    noise = torch.randn((2000, *mu.shape), generator=torch.Generator().manual_seed(0))
    posterior = Normal(mu, var.sqrt())
    z = mu + var.sqrt() * noise.to(mu.dtype)
    return (posterior.log_prob(z) - Normal(0.0, 1.0).log_prob(z)).mean(0).sum(-1)


def kl_float32(mu, var):
    return kl_formula(mu.float(), var.float()).to(mu.dtype)


# --- elbo_one_sample --------------------------------------------------------------------------


def _kl(mu, var):
    return 0.5 * (var + mu.square() - 1 - var.log()).sum(-1)


def elbo_formula(x, mu_g, mu_i, var_i, lam):
    D = x.shape[1]
    log_p = -0.5 * D * math.log(2 * math.pi * lam) - ((x - mu_g) ** 2).sum(1) / (2 * lam)
    return log_p - 0.5 * (var_i + mu_i**2 - 1 - var_i.log()).sum(1)


def elbo_distributions(x, mu_g, mu_i, var_i, lam):
    log_p = Normal(mu_g, math.sqrt(lam)).log_prob(x).sum(-1)
    return log_p - kl_divergence(Normal(mu_i, var_i.sqrt()), Normal(0.0, 1.0)).sum(-1)


def elbo_multivariate(x, mu_g, mu_i, var_i, lam):
    cov = lam * torch.eye(x.shape[1], dtype=x.dtype)
    log_p = MultivariateNormal(mu_g, covariance_matrix=cov).log_prob(x)
    prior = Independent(Normal(torch.zeros_like(mu_i), torch.ones_like(mu_i)), 1)
    return log_p - kl_divergence(Independent(Normal(mu_i, var_i.sqrt()), 1), prior)


def elbo_nll(x, mu_g, mu_i, var_i, lam):
    variance = torch.full_like(x, lam)
    nll = gaussian_nll_loss(mu_g, x, variance, full=True, eps=1e-12, reduction="none").sum(1)
    return -nll - _kl(mu_i, var_i)


def elbo_scipy(x, mu_g, mu_i, var_i, lam):
    log_p = stats.norm.logpdf(x.numpy(), mu_g.numpy(), np.sqrt(lam)).sum(1)
    mu, var = mu_i.numpy(), var_i.numpy()
    return torch.from_numpy(log_p - (0.5 * (var + mu**2 - 1 - np.log(var))).sum(1)).to(x.dtype)


def elbo_loops(x, mu_g, mu_i, var_i, lam):
    rows = []
    for b in range(x.shape[0]):
        total = 0.0
        for a, c in zip(x[b].tolist(), mu_g[b].tolist(), strict=True):
            total += -0.5 * math.log(2 * math.pi * lam) - (a - c) ** 2 / (2 * lam)
        for m, v in zip(mu_i[b].tolist(), var_i[b].tolist(), strict=True):
            total -= 0.5 * (v + m * m - 1 - math.log(v))
        rows.append(total)
    return torch.tensor(rows, dtype=x.dtype)


def _log_p(x, mu_g, variance):
    return Normal(mu_g, variance**0.5).log_prob(x).sum(-1)


def elbo_no_constant(x, mu_g, mu_i, var_i, lam):
    return -0.5 / lam * (x - mu_g).square().sum(1) - _kl(mu_i, var_i)


def elbo_no_two_pi(x, mu_g, mu_i, var_i, lam):
    nll = gaussian_nll_loss(mu_g, x, torch.full_like(x, lam), reduction="none", eps=1e-12)
    return -nll.sum(1) - _kl(mu_i, var_i)


def elbo_constant_once(x, mu_g, mu_i, var_i, lam):
    square = torch.norm(x - mu_g, dim=1) ** 2
    return -0.5 * math.log(2 * math.pi * lam) - square / 2 / lam - _kl(mu_i, var_i)


def elbo_lam_as_std(x, mu_g, mu_i, var_i, lam):
    return Normal(mu_g, lam).log_prob(x).sum(1) - _kl(mu_i, var_i)


def elbo_lam_as_precision(x, mu_g, mu_i, var_i, lam):
    return _log_p(x, mu_g, 1 / lam) - _kl(mu_i, var_i)


def elbo_no_half(x, mu_g, mu_i, var_i, lam):
    D = x.shape[1]
    log_p = -D / 2 * math.log(2 * math.pi * lam) - (x - mu_g).square().sum(1) / lam
    return log_p - _kl(mu_i, var_i)


def elbo_kl_added(x, mu_g, mu_i, var_i, lam):
    return _log_p(x, mu_g, lam) + _kl(mu_i, var_i)


def elbo_no_kl(x, mu_g, mu_i, var_i, lam):
    return Normal(mu_g, math.sqrt(lam)).log_prob(x).sum(1)


def elbo_beta(x, mu_g, mu_i, var_i, lam):
    return _log_p(x, mu_g, lam) - lam * _kl(mu_i, var_i)


def elbo_mean(x, mu_g, mu_i, var_i, lam):
    return Normal(mu_g, math.sqrt(lam)).log_prob(x).mean(1) - _kl(mu_i, var_i)


def elbo_square_mean(x, mu_g, mu_i, var_i, lam):
    square = (x - mu_g).square().mean(1)
    constant = x.shape[1] / 2 * math.log(2 * math.pi * lam)
    return -square / (2 * lam) - constant - _kl(mu_i, var_i)


def elbo_constant_of_latent(x, mu_g, mu_i, var_i, lam):
    d = mu_i.shape[1]
    square = (x - mu_g).square().sum(1)
    return -d / 2 * math.log(2 * math.pi * lam) - square / (2 * lam) - _kl(mu_i, var_i)


def elbo_product(x, mu_g, mu_i, var_i, lam):
    return _log_p(x, mu_g, lam) - kl_product(mu_i, var_i)


def elbo_determinant(x, mu_g, mu_i, var_i, lam):
    det = torch.det(2 * math.pi * lam * torch.eye(x.shape[1], dtype=x.dtype))
    return -0.5 * det.log() - (x - mu_g).square().sum(1) / (2 * lam) - _kl(mu_i, var_i)


def elbo_power(x, mu_g, mu_i, var_i, lam):
    constant = 0.5 * math.log((2 * math.pi * lam) ** x.shape[1])
    return -constant - (x - mu_g).square().sum(1) / (2 * lam) - _kl(mu_i, var_i)


def elbo_negated(x, mu_g, mu_i, var_i, lam):
    return -(_log_p(x, mu_g, lam) - _kl(mu_i, var_i))


def elbo_is_objective(x, mu_g, mu_i, var_i, lam):
    return -(x - mu_g).square().sum(1) / 2 - lam * _kl(mu_i, var_i)


def elbo_var_as_std(x, mu_g, mu_i, var_i, lam):
    posterior = Normal(mu_i, var_i)
    return _log_p(x, mu_g, lam) - kl_divergence(posterior, Normal(0.0, 1.0)).sum(1)


def elbo_batch_sum(x, mu_g, mu_i, var_i, lam):
    return (_log_p(x, mu_g, lam) - _kl(mu_i, var_i)).sum()


def elbo_batch_mean(x, mu_g, mu_i, var_i, lam):
    return (_log_p(x, mu_g, lam) - _kl(mu_i, var_i)).mean()


def elbo_clamped(x, mu_g, mu_i, var_i, lam):
    return elbo_formula(x, mu_g, mu_i, var_i, max(lam, 1e-5))


# --- objective_13_28 --------------------------------------------------------------------------


def objective_formula(x, mu_g, mu_i, var_i, lam):
    kl = 0.5 * (var_i + mu_i**2 - 1 - torch.log(var_i)).sum(1)
    return -0.5 * ((x - mu_g) ** 2).sum(1) - lam * kl


def objective_distributions(x, mu_g, mu_i, var_i, lam):
    kl = kl_divergence(Normal(mu_i, var_i.sqrt()), Normal(0.0, 1.0)).sum(1)
    return -torch.nn.functional.mse_loss(mu_g, x, reduction="none").sum(1) / 2 - lam * kl


def objective_from_elbo(x, mu_g, mu_i, var_i, lam):
    D = x.shape[1]
    log_p = Normal(mu_g, math.sqrt(lam)).log_prob(x).sum(1)
    return lam * (log_p - _kl(mu_i, var_i)) + lam * D / 2 * math.log(2 * math.pi * lam)


def objective_numpy(x, mu_g, mu_i, var_i, lam):
    square = np.linalg.norm(x.numpy() - mu_g.numpy(), axis=1) ** 2
    mu, var = mu_i.numpy(), var_i.numpy()
    kl = 0.5 * np.sum(var + mu**2 - 1 - np.log(var), axis=1)
    return torch.from_numpy(-0.5 * square - np.asarray(lam, dtype=mu.dtype) * kl)


def objective_expanded(x, mu_g, mu_i, var_i, lam):
    square = x.square().sum(1) - 2 * (x * mu_g).sum(1) + mu_g.square().sum(1)
    return -square / 2 - lam * _kl(mu_i, var_i)


def objective_loops(x, mu_g, mu_i, var_i, lam):
    out = torch.empty(x.shape[0], dtype=x.dtype)
    for b in range(x.shape[0]):
        error = x[b] - mu_g[b]
        kl = sum((v + m**2 - 1 - v.log()) / 2 for m, v in zip(mu_i[b], var_i[b], strict=True))
        out[b] = -torch.dot(error, error) / 2 - lam * kl
    return out


def _square(x, mu_g):
    return (x - mu_g).pow(2).sum(-1)


def objective_book(x, mu_g, mu_i, var_i, lam):
    return -(_square(x, mu_g) - _kl(mu_i, var_i))


def objective_no_half(x, mu_g, mu_i, var_i, lam):
    return -(torch.norm(x - mu_g, dim=1) ** 2) - lam * _kl(mu_i, var_i)


def objective_kl_added(x, mu_g, mu_i, var_i, lam):
    return lam * _kl(mu_i, var_i) - _square(x, mu_g) / 2


def objective_unweighted(x, mu_g, mu_i, var_i, lam):
    return -_square(x, mu_g) / 2 - _kl(mu_i, var_i)


def objective_divided(x, mu_g, mu_i, var_i, lam):
    return -(_square(x, mu_g) / (2 * lam) + _kl(mu_i, var_i))


def objective_lam_on_error(x, mu_g, mu_i, var_i, lam):
    return -(lam * _square(x, mu_g) / 2 + _kl(mu_i, var_i))


def objective_negated(x, mu_g, mu_i, var_i, lam):
    return _square(x, mu_g) / 2 + lam * _kl(mu_i, var_i)


def objective_mean(x, mu_g, mu_i, var_i, lam):
    return -0.5 * (x - mu_g).pow(2).mean(1) - lam * _kl(mu_i, var_i)


def objective_norm(x, mu_g, mu_i, var_i, lam):
    return -0.5 * torch.linalg.vector_norm(x - mu_g, dim=1) - lam * _kl(mu_i, var_i)


def objective_is_elbo(x, mu_g, mu_i, var_i, lam):
    return _log_p(x, mu_g, lam) - _kl(mu_i, var_i)


def objective_var_as_std(x, mu_g, mu_i, var_i, lam):
    kl = kl_divergence(Normal(mu_i, var_i), Normal(0.0, 1.0)).sum(1)
    return -_square(x, mu_g) / 2 - lam * kl


def objective_lam_squared(x, mu_g, mu_i, var_i, lam):
    return -_square(x, mu_g) / 2 - lam * lam * _kl(mu_i, var_i)


def objective_no_kl(x, mu_g, mu_i, var_i, lam):
    return -_square(x, mu_g) / 2


def objective_product(x, mu_g, mu_i, var_i, lam):
    return -_square(x, mu_g) / 2 - lam * kl_product(mu_i, var_i)


def objective_batch_sum(x, mu_g, mu_i, var_i, lam):
    return (-_square(x, mu_g) / 2 - lam * _kl(mu_i, var_i)).sum()


def objective_batch_mean(x, mu_g, mu_i, var_i, lam):
    return torch.mean(-_square(x, mu_g) / 2 - lam * _kl(mu_i, var_i))


def objective_broadcast(x, mu_g, mu_i, var_i, lam):
    square = ((x - mu_g) ** 2).sum(1, keepdim=True)
    return -0.5 * square - lam * _kl(mu_i, var_i)


# --- affine_map -------------------------------------------------------------------------------


def affine_formula(data_dim, lam):
    return lam, lam * data_dim / 2 * math.log(2 * math.pi * lam)


def affine_numpy(data_dim, lam):
    return [np.float64(lam), 0.5 * data_dim * lam * (np.log(2 * np.pi) + np.log(lam))]


def affine_torch(data_dim, lam):
    variance = torch.tensor(lam, dtype=torch.float64)
    b = variance * data_dim * torch.log(2 * math.pi * variance) / 2
    return variance.item(), b.item()


def affine_from_density(data_dim, lam):
    constant = Normal(0.0, torch.tensor(lam, dtype=torch.float64).sqrt()).log_prob(
        torch.zeros((), dtype=torch.float64)
    )
    return lam, float(-lam * data_dim * constant)


def affine_inverse(data_dim, lam):
    return 1 / lam, -data_dim / 2 * math.log(2 * math.pi * lam)


def affine_b_sign(data_dim, lam):
    return lam, -lam * data_dim / 2 * math.log(2 * math.pi * lam)


def affine_b_unscaled(data_dim, lam):
    return lam, data_dim / 2 * math.log(2 * math.pi * lam)


def affine_one_dimension(data_dim, lam):
    return lam, lam / 2 * math.log(2 * math.pi * lam)


def affine_no_half(data_dim, lam):
    return lam, lam * data_dim * math.log(2 * math.pi * lam)


def affine_no_two_pi(data_dim, lam):
    return lam, lam * data_dim / 2 * np.log(lam)


def affine_lam_as_std(data_dim, lam):
    return lam, lam * data_dim * math.log(lam * math.sqrt(2 * math.pi))


def affine_a_one(data_dim, lam):
    return 1, data_dim / 2 * math.log(2 * math.pi * lam)


def affine_b_zero(data_dim, lam):
    return lam, 0


def affine_swapped(data_dim, lam):
    return lam * data_dim / 2 * math.log(2 * math.pi * lam), lam


def affine_float32(data_dim, lam):
    variance = torch.tensor(lam)
    return variance.item(), (variance * data_dim / 2 * torch.log(2 * math.pi * variance)).item()


def affine_short_pi(data_dim, lam):
    return lam, lam * data_dim / 2 * math.log(2 * 3.14159265 * lam)


def affine_rounded_lam(data_dim, lam):
    return affine_formula(data_dim, round(lam) or lam)


# --- evidence_terms ---------------------------------------------------------------------------


def _gaussian_kl(m1, v1, m2, v2):
    return 0.5 * (v1 / v2 + (m1 - m2) ** 2 / v2 - 1 - math.log(v1 / v2))


def _elbo(x, w, lam, m, s2):
    error = x - w * m
    square = float(error @ error) + s2 * float(w @ w)
    log_p = -len(x) / 2 * math.log(2 * math.pi * lam) - square / (2 * lam)
    return log_p - _gaussian_kl(m, s2, 0.0, 1.0)


def _posterior(x, w, lam):
    var = 1 / (1 + float(w @ w) / lam)
    return var * float(w @ x) / lam, var


def evidence_multivariate(x, w, lam, m, s2):
    cov = torch.outer(w, w) + lam * torch.eye(len(x), dtype=x.dtype)
    log_evidence = MultivariateNormal(torch.zeros_like(x), cov).log_prob(x)
    return log_evidence.item(), _elbo(x, w, lam, m, s2), _gaussian_kl(m, s2, *_posterior(x, w, lam))


def evidence_low_rank(x, w, lam, m, s2):
    marginal = LowRankMultivariateNormal(torch.zeros_like(x), w[:, None], torch.full_like(x, lam))
    mean, var = _posterior(x, w, lam)
    q = Normal(torch.tensor(m, dtype=x.dtype), torch.tensor(s2, dtype=x.dtype).sqrt())
    p = Normal(torch.tensor(mean, dtype=x.dtype), torch.tensor(var, dtype=x.dtype).sqrt())
    log_evidence, kl = marginal.log_prob(x).item(), kl_divergence(q, p).item()
    return log_evidence, log_evidence - kl, kl


def evidence_decomposition(x, w, lam, m, s2):
    C = torch.outer(w, w) + lam * torch.eye(len(x), dtype=x.dtype)
    quadratic = x @ torch.linalg.solve(C, x)
    log_evidence = -0.5 * (len(x) * math.log(2 * math.pi) + torch.logdet(C) + quadratic)
    elbo = _elbo(x, w, lam, m, s2)
    return float(log_evidence), elbo, float(log_evidence) - elbo


def evidence_scipy(x, w, lam, m, s2):
    a, b = x.double().numpy(), w.double().numpy()
    cov = np.outer(b, b) + lam * np.eye(len(a))
    log_evidence = stats.multivariate_normal.logpdf(a, np.zeros(len(a)), cov)
    expected_log_p = stats.norm.logpdf(a, b * m, np.sqrt(lam)).sum() - s2 * b @ b / (2 * lam)
    elbo = expected_log_p - 0.5 * (s2 + m**2 - 1 - np.log(s2))
    return [log_evidence, elbo, log_evidence - elbo]


def evidence_expanded(x, w, lam, m, s2):
    xx, wx, ww = (x @ x).item(), (w @ x).item(), (w @ w).item()
    D = x.numel()
    elbo = -D / 2 * math.log(2 * math.pi * lam) - (xx - 2 * m * wx + (m * m + s2) * ww) / (2 * lam)
    elbo += 0.5 * (1 + math.log(s2) - m * m - s2)
    kl = _gaussian_kl(m, s2, wx / (lam + ww), lam / (lam + ww))
    return elbo + kl, elbo, kl


def evidence_tensors(x, w, lam, m, s2):
    lam_, m_, s2_ = (torch.tensor(value, dtype=x.dtype) for value in (lam, m, s2))
    total = lam_ + w.dot(w)
    mean, var = w.dot(x) / total, lam_ / total
    kl = 0.5 * ((s2_ + (m_ - mean) ** 2) / var - 1 + (var / s2_).log())
    error = x - m_ * w
    entropy = 0.5 * (2 * math.pi * math.e * s2_).log()
    elbo = Normal(0.0, lam_.sqrt()).log_prob(error).sum() - 0.5 * s2_ * w.dot(w) / lam_
    elbo = elbo - 0.5 * (m_**2 + s2_ + math.log(2 * math.pi)) + entropy
    det = (x.numel() - 1) * lam_.log() + total.log()
    quadratic = (x.dot(x) - w.dot(x) ** 2 / total) / lam_
    log_evidence = -0.5 * (x.numel() * math.log(2 * math.pi) + det + quadratic)
    return log_evidence.item(), elbo.item(), kl.item()


def _terms(x, w, lam, m, s2):
    return evidence_scipy(x, w, lam, m, s2)


def evidence_to_prior(x, w, lam, m, s2):
    log_evidence, elbo, _ = _terms(x, w, lam, m, s2)
    return log_evidence, elbo, 0.5 * (s2 + m**2 - 1 - math.log(s2))


def evidence_kl_reversed(x, w, lam, m, s2):
    log_evidence, elbo, _ = _terms(x, w, lam, m, s2)
    mean, var = _posterior(x.double(), w.double(), lam)
    return log_evidence, elbo, _gaussian_kl(mean, var, m, s2)


def evidence_kl_negated(x, w, lam, m, s2):
    log_evidence, elbo, _ = _terms(x, w, lam, m, s2)
    return log_evidence, elbo, elbo - log_evidence


def evidence_independent(x, w, lam, m, s2):
    _, elbo, kl = _terms(x, w, lam, m, s2)
    return Normal(0.0, (w.double() ** 2 + lam).sqrt()).log_prob(x.double()).sum().item(), elbo, kl


def evidence_at_mean(x, w, lam, m, s2):
    _, elbo, kl = _terms(x, w, lam, m, s2)
    return Normal(m * w.double(), lam**0.5).log_prob(x.double()).sum().item(), elbo, kl


def evidence_no_entropy(x, w, lam, m, s2):
    log_evidence, elbo, kl = _terms(x, w, lam, m, s2)
    return log_evidence, elbo - 0.5 * (1 + math.log(2 * math.pi * s2)), kl


def evidence_plug_in(x, w, lam, m, s2):
    log_evidence, _, kl = _terms(x, w, lam, m, s2)
    log_p = Normal(m * w.double(), lam**0.5).log_prob(x.double()).sum().item()
    return log_evidence, log_p - 0.5 * (s2 + m**2 - 1 - math.log(s2)), kl


def evidence_s2_as_std(x, w, lam, m, s2):
    return tuple(_terms(x, w, lam, m, s2 * s2))


def evidence_lam_as_std(x, w, lam, m, s2):
    x, w, var = x.double(), w.double(), lam * lam
    return evidence_expanded(x, w, var, m, s2)


def evidence_exchanged(x, w, lam, m, s2):
    log_evidence, elbo, kl = _terms(x, w, lam, m, s2)
    return elbo, log_evidence, kl


def evidence_two_items(x, w, lam, m, s2):
    return tuple(_terms(x, w, lam, m, s2))[:2]


def evidence_posterior_without_lam(x, w, lam, m, s2):
    log_evidence, elbo, _ = _terms(x, w, lam, m, s2)
    x, w = x.double(), w.double()
    total = lam + (w @ w).item()
    return log_evidence, elbo, _gaussian_kl(m, s2, (w @ x).item() / total, 1 / total)


def evidence_power(x, w, lam, m, s2):
    log_evidence, elbo, kl = _terms(x, w, lam, m, s2)
    constant = 0.5 * len(x) * math.log(2 * math.pi * lam)
    return log_evidence, elbo + constant - 0.5 * math.log((2 * math.pi * lam) ** len(x)), kl


def evidence_determinant_in_elbo(x, w, lam, m, s2):
    log_evidence, elbo, _ = _terms(x, w, lam, m, s2)
    constant = 0.5 * len(x) * math.log(2 * math.pi * lam)
    det = torch.det(2 * math.pi * lam * torch.eye(len(x), dtype=torch.float64))
    elbo = float(elbo + constant - 0.5 * det.log())
    return log_evidence, elbo, log_evidence - elbo


def evidence_determinant(x, w, lam, m, s2):
    C = torch.outer(w, w) + lam * torch.eye(len(x), dtype=x.dtype)
    norm = torch.sqrt((2 * math.pi) ** len(x) * torch.det(C))
    _, elbo, kl = _terms(x, w, lam, m, s2)
    return float(-0.5 * x @ torch.linalg.solve(C, x) - norm.log()), elbo, kl


CORRECT = {
    "gaussian_kl_general": [
        general_inverse,
        general_cholesky,
        general_distributions,
        general_numpy,
        general_scipy_float64,
        general_loops,
        general_eigen,
        general_einsum,
    ],
    "gaussian_kl": [
        kl_formula,
        kl_log_var,
        kl_distributions,
        kl_independent,
        kl_multivariate,
        kl_loops,
        kl_numpy,
        kl_entropies,
        kl_requires_grad,
    ],
    "elbo_one_sample": [
        elbo_formula,
        elbo_distributions,
        elbo_multivariate,
        elbo_nll,
        elbo_scipy,
        elbo_loops,
    ],
    "objective_13_28": [
        objective_formula,
        objective_distributions,
        objective_from_elbo,
        objective_numpy,
        objective_expanded,
        objective_loops,
    ],
    "affine_map": [affine_formula, affine_numpy, affine_torch, affine_from_density],
    "evidence_terms": [
        evidence_multivariate,
        evidence_low_rank,
        evidence_decomposition,
        evidence_scipy,
        evidence_expanded,
        evidence_tensors,
    ],
}

WRONG = {
    "gaussian_kl_general": [
        ("second to first", general_swapped, "swapped"),
        ("no ½", general_no_half, "no-half"),
        ("log|Σ1|/|Σ2|", general_flipped, "log-ratio-flipped"),
        ("no −d", general_no_dimension, "no-dimension"),
        ("marginals only", general_marginals, "diagonal-only"),
        ("Euclidean distance", general_euclidean, "euclidean-distance"),
        ("distance with cov1", general_first_metric, "distance-in-first"),
        ("trace of Σ1⁻¹Σ2", general_trace_flipped, "trace-flipped"),
        ("log of det", general_determinants, "plain-determinant"),
        ("jitter on the diagonal", general_jitter, "special-inputs"),
        ("float32 inside", general_float32, "precision"),
    ],
    "gaussian_kl": [
        ("σ for σ²", kl_std_for_var, "std-for-var"),
        ("var as scale", kl_var_as_std, "var-as-std"),
        ("var as log-variance", kl_var_as_log_var, "var-as-log-var"),
        ("log σ", kl_log_std, "log-std"),
        ("no ½", kl_no_half, "no-half"),
        ("no −1", kl_no_minus_one, "no-minus-one"),
        ("−1 for −d", kl_minus_one, "minus-one"),
        ("log of the product", kl_product, "product-of-variances"),
        ("log of the product of σ", kl_product_of_std, "product-of-variances"),
        ("log added", kl_log_sign, "log-sign"),
        ("negated", kl_negated, "negated"),
        ("mean over d", kl_mean, "mean-over-dimensions"),
        ("prior to posterior", kl_reversed, "reversed"),
        ("sum over the batch", kl_batch_sum, "batch-sum"),
        ("mean over the batch", kl_batch_mean, "batch-mean"),
        ("keepdim", kl_kept_axis, "shape"),
        ("not summed", kl_per_dimension, "shape"),
        ("jitter in the log", kl_jitter, "special-inputs"),
        ("clamped variance", kl_clamped, "special-inputs"),
        ("Monte Carlo", kl_monte_carlo, "value"),
        ("float32 inside", kl_float32, "precision"),
    ],
    "elbo_one_sample": [
        ("no constant", elbo_no_constant, "no-constant"),
        ("no 2π", elbo_no_two_pi, "no-two-pi"),
        ("constant once", elbo_constant_once, "constant-once"),
        ("lam as scale", elbo_lam_as_std, "lam-as-std"),
        ("lam as precision", elbo_lam_as_precision, "lam-as-precision"),
        ("no ½", elbo_no_half, "no-half"),
        ("KL added", elbo_kl_added, "kl-added"),
        ("KL forgotten", elbo_no_kl, "no-kl"),
        ("KL times lam", elbo_beta, "kl-weighted"),
        ("mean over D", elbo_mean, "mean-over-dimensions"),
        ("mean square", elbo_square_mean, "square-averaged"),
        ("d for D", elbo_constant_of_latent, "constant-of-latent"),
        ("log of the product", elbo_product, "product-of-variances"),
        ("log of det", elbo_determinant, "power-in-log"),
        ("log of a power", elbo_power, "raised"),
        ("negated", elbo_negated, "negated"),
        ("(13.28)", elbo_is_objective, "objective-instead"),
        ("var as scale", elbo_var_as_std, "var-as-std"),
        ("sum over the batch", elbo_batch_sum, "batch-sum"),
        ("mean over the batch", elbo_batch_mean, "batch-mean"),
        ("clamped lam", elbo_clamped, "special-inputs"),
    ],
    "objective_13_28": [
        ("the draft's slip", objective_book, "book-slip"),
        ("no ½", objective_no_half, "no-half"),
        ("KL added", objective_kl_added, "kl-added"),
        ("KL unweighted", objective_unweighted, "kl-unweighted"),
        ("error over lam", objective_divided, "divided-by-lam"),
        ("lam on the error", objective_lam_on_error, "lam-on-error"),
        ("negated", objective_negated, "negated"),
        ("mean over D", objective_mean, "mean-over-dimensions"),
        ("norm not squared", objective_norm, "norm-not-squared"),
        ("lam²", objective_lam_squared, "lam-squared"),
        ("KL forgotten", objective_no_kl, "no-kl"),
        ("log of the product", objective_product, "product-of-variances"),
        ("the ELBO", objective_is_elbo, "elbo-instead"),
        ("var as scale", objective_var_as_std, "var-as-std"),
        ("sum over the batch", objective_batch_sum, "batch-sum"),
        ("mean over the batch", objective_batch_mean, "batch-mean"),
        ("broadcast to (B, B)", objective_broadcast, "shape"),
    ],
    "affine_map": [
        ("inverse", affine_inverse, "inverse-map"),
        ("sign of b", affine_b_sign, "b-sign"),
        ("b without lam", affine_b_unscaled, "b-unscaled"),
        ("b without D", affine_one_dimension, "b-one-dimension"),
        ("b without ½", affine_no_half, "b-no-half"),
        ("b without 2π", affine_no_two_pi, "b-no-two-pi"),
        ("lam as scale", affine_lam_as_std, "b-lam-as-std"),
        ("a = 1", affine_a_one, "a-one"),
        ("b = 0", affine_b_zero, "b-zero"),
        ("exchanged", affine_swapped, "swapped"),
        ("lam rounded", affine_rounded_lam, "special-inputs"),
        ("float32 inside", affine_float32, "precision"),
        ("nine digits of π", affine_short_pi, "precision"),
    ],
    "evidence_terms": [
        ("KL to the prior", evidence_to_prior, "kl-to-prior"),
        ("KL from the posterior", evidence_kl_reversed, "kl-reversed"),
        ("KL negated", evidence_kl_negated, "kl-negated"),
        ("independent dimensions", evidence_independent, "independent-dimensions"),
        ("likelihood at m", evidence_at_mean, "likelihood-at-mean"),
        ("no entropy", evidence_no_entropy, "no-entropy"),
        ("z = m plugged in", evidence_plug_in, "plug-in"),
        ("s2 as scale", evidence_s2_as_std, "s2-as-std"),
        ("lam as scale", evidence_lam_as_std, "lam-as-std"),
        ("exchanged", evidence_exchanged, "other-order"),
        ("two items", evidence_two_items, "length"),
        ("posterior variance 1/(λ+‖w‖²)", evidence_posterior_without_lam, "posterior-without-lam"),
        ("log of det", evidence_determinant, "power-in-log"),
        ("log of det in the ELBO", evidence_determinant_in_elbo, "power-in-log"),
        ("log of a power", evidence_power, "raised"),
    ],
}

TEXTS = {
    ("gaussian_kl", "σ for σ²"): """
gaussian_kl: not passed, 0 of 2 points.
  called     gaussian_kl(mu: float32 (4, 3), var: float32 (4, 3)), typical values
  returned   entry [0] = 0.5987, which is wrong
  expected   the KL divergence of each example in nats, summed over the latent
             dimensions, exact up to rounding
  fails on   25 of 28 inputs
  looks like σ used where σ² is meant
  hint       The formula is in σ², which `var` holds: no square root is needed.
""",
    ("gaussian_kl", "keepdim"): """
gaussian_kl: not passed, 0 of 2 points.
  called     gaussian_kl(mu: float32 (4, 3), var: float32 (4, 3)), typical values
  returned   a float32 tensor of shape (4, 1)
  expected   a float32 tensor of shape (4,)
  hint       Follow the shapes line by line; a sum or a product over the wrong axis, or
             broadcasting, is the usual cause.
""",
    ("gaussian_kl", "jitter in the log"): """
gaussian_kl: not passed, 0 of 2 points.
  called     gaussian_kl(mu: float32 (3, 2), var: float32 (3, 2)), variances near 1e-6
  returned   entry [0] = 13.21, which is wrong
  expected   the KL divergence of each example in nats, summed over the latent
             dimensions, exact up to rounding
  fails on   14 of 28 inputs
  looks like an answer that is close on typical inputs only
  hint       Look at what is special about these inputs: a small constant added for
             safety, a clamp, digits lost by cancellation, an overflow that was papered
             over, an argument treated as an integer, or an axis of length 1.
""",
    ("gaussian_kl", "sum over the batch"): """
gaussian_kl: not passed, 0 of 2 points.
  called     gaussian_kl(mu: float32 (4, 3), var: float32 (4, 3)), typical values
  returned   a float32 tensor of shape ()
  expected   a float32 tensor of shape (4,)
  looks like a sum over the whole batch
  hint       Keep one number per example: sum over the last axis only.
""",
    ("gaussian_kl_general", "log of det"): """
gaussian_kl_general: not passed, 0 of 3 points.
  called     gaussian_kl_general(mu1: float32 (10,), cov1: float32 (10, 10), mu2:
             float32 (10,), cov2: float32 (10, 10)), ten variances near 1e-6
  returned   the number nan
  expected   KL(N(mu1, cov1), N(mu2, cov2)) in nats, finite
  fails on   2 of 32 inputs: ten variances near 1e-6; ten variances near 1e6
  looks like a determinant that leaves the range of float32 before its log is taken
  hint       The determinant of ten small variances underflows, its logarithm does not:
             compute the logarithm directly (`torch.logdet`, or the diagonal of a
             Cholesky factor).
""",
    ("objective_13_28", "the draft's slip"): """
objective_13_28: not passed, 0 of 2 points.
  called     objective_13_28(x: float32 (4, 5), mu_g: float32 (4, 5), mu_i: float32 (4,
             2), var_i: float32 (4, 2), lam=0.3), typical values
  returned   entry [0] = -13.03, which is wrong
  expected   −½‖x − mu_g‖² − lam·KL of each example, exact up to rounding
  fails on   34 of 34 inputs
  looks like −‖x − mu_g‖² + KL, as some drafts of the book print it
  hint       Both the factor of the first term and the sign of the second are wrong
             there: derive them from the ELBO.
""",
    ("affine_map", "inverse"): """
affine_map: not passed, 0 of 2 points.
  called     affine_map(data_dim=3, lam=0.5), typical values
  returned   a: the number 2, which is wrong
  expected   a and b with objective_13_28 = a·elbo_one_sample + b, whatever the networks
             return, exact up to rounding
  fails on   16 of 16 inputs
  looks like the map back, from the objective to the ELBO
  hint       Which of the two is multiplied by a?
""",
    ("evidence_terms", "KL to the prior"): """
evidence_terms: not passed, 0 of 3 points.
  called     evidence_terms(x: float32 (4,), w: float32 (4,), lam=0.5, m=0.3, s2=0.4),
             typical values
  returned   kl: the number 0.2031, which is wrong
  expected   log p(x), the ELBO of q, and KL from q to the posterior, in nats, exact up
             to rounding
  fails on   30 of 32 inputs
  looks like kl measured from q to the prior
  hint       The gap between log p(x) and the ELBO is a divergence from the posterior
             p(z|x).
""",
    ("evidence_terms", "two items"): """
evidence_terms: not passed, 0 of 3 points.
  called     evidence_terms(x: float32 (4,), w: float32 (4,), lam=0.5, m=0.3, s2=0.4),
             typical values
  returned   a tuple of 2 items
  expected   a tuple (log_evidence, elbo, kl)
  hint       Return every item the contract names, in its order.
""",
}
