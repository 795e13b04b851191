"""Answers to exercise 13-3: right ones in many styles, and wrong ones with their diagnosis."""

import math
import statistics

import numpy as np
import torch
from scipy import optimize, spatial
from torch.distributions import (
    Categorical,
    Independent,
    Laplace,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
    kl_divergence,
)
from torch.nn import functional

# --- autoencoder_objective --------------------------------------------------------------------


def reconstruction_formula(x, x_hat):
    return -0.5 * (x - x_hat).square().sum(dim=1)


def reconstruction_mse(x, x_hat):
    return -0.5 * functional.mse_loss(x_hat, x, reduction="none").sum(-1)


def reconstruction_expanded(x, x_hat):
    return (x * x_hat).sum(1) - 0.5 * (x * x).sum(1) - 0.5 * (x_hat * x_hat).sum(1)


def reconstruction_einsum(x, x_hat):
    error = x - x_hat
    return -torch.einsum("bd,bd->b", error, error) / 2


def reconstruction_scipy(x, x_hat):
    pairs = zip(x.numpy(), x_hat.numpy(), strict=True)
    return torch.tensor([-spatial.distance.sqeuclidean(a, b) / 2 for a, b in pairs]).to(x.dtype)


def reconstruction_loops(x, x_hat):
    rows = []
    for a, b in zip(x.tolist(), x_hat.tolist(), strict=True):
        rows.append(-0.5 * math.dist(a, b) ** 2)
    return torch.tensor(rows, dtype=x.dtype)


def reconstruction_density(x, x_hat):
    decoder = Independent(Normal(x_hat, torch.ones_like(x_hat)), 1)
    return decoder.log_prob(x) - decoder.log_prob(x_hat)


def reconstruction_no_half(x, x_hat):
    return -(torch.linalg.vector_norm(x - x_hat, dim=1) ** 2)


def reconstruction_loss(x, x_hat):
    return functional.mse_loss(x, x_hat, reduction="none").sum(1) / 2


def reconstruction_squared_error(x, x_hat):
    return (x_hat - x).pow(2).sum(1)


def reconstruction_mean(x, x_hat):
    return -0.5 * (x - x_hat).square().mean(1)


def reconstruction_norm(x, x_hat):
    return -0.5 * torch.linalg.norm(x - x_hat, dim=1)


def reconstruction_absolute(x, x_hat):
    return -0.5 * functional.l1_loss(x, x_hat, reduction="none").sum(1)


def reconstruction_laplace(x, x_hat):
    return Laplace(x_hat, 1.0).log_prob(x).sum(1)


def reconstruction_sum_squared(x, x_hat):
    return -((x.sum(1) - x_hat.sum(1)) ** 2) / 2


def reconstruction_normalised(x, x_hat):
    return Normal(x_hat, 1.0).log_prob(x).sum(1)


def reconstruction_penalised(x, x_hat):
    return -0.5 * (x - x_hat).square().sum(1) - 0.5 * x_hat.square().sum(1)


def reconstruction_total(x, x_hat):
    return -0.5 * functional.mse_loss(x, x_hat, reduction="sum")


def reconstruction_batch_mean(x, x_hat):
    return -0.5 * (x - x_hat).square().sum(1).mean()


def reconstruction_mse_loss(x, x_hat):
    return -functional.mse_loss(x, x_hat)


def reconstruction_per_pixel(x, x_hat):
    return -0.5 * (x - x_hat) ** 2


def reconstruction_kept_axis(x, x_hat):
    return -0.5 * (x - x_hat).square().sum(1, keepdim=True)


def reconstruction_broadcast(x, x_hat):
    return -0.5 * torch.cdist(x, x_hat) ** 2


def reconstruction_float32(x, x_hat):
    return reconstruction_formula(x.float(), x_hat.float()).to(x.dtype)


def reconstruction_in_place(x, x_hat):
    return -0.5 * x.sub_(x_hat).square().sum(1)


# --- optimal_posterior_variance ---------------------------------------------------------------


def variance_formula(w, lam):
    return lam / (lam + (w @ w).item())


def variance_numpy(w, lam):
    w = w.numpy()
    return 1 / (1 + np.dot(w, w) / lam)


def variance_loops(w, lam):
    precision = 1.0
    for entry in w.tolist():
        precision += entry * entry / lam
    return 1 / precision


def variance_posterior(w, lam):
    # the joint precision of (z, x) has the posterior's precision in its corner
    design = torch.cat([w, torch.tensor([math.sqrt(lam)], dtype=w.dtype)])
    return float(lam / torch.einsum("i,i->", design, design))


def variance_root(w, lam):
    # d/dt of −½·s·‖w‖² − lam·½(s − log s) at s = exp(t)
    square = float(w.double().square().sum())

    def slope(t):
        return lam - math.exp(t) * (square + lam)

    return math.exp(optimize.brentq(slope, -40.0, 1.0, xtol=1e-13))


def variance_autograd(w, lam):
    # Newton's method in log σ² on the derivative that autograd takes
    square = w.double().square().sum()
    t = torch.zeros((), dtype=torch.float64, requires_grad=True)
    for _ in range(200):
        objective = -0.5 * t.exp() * square - lam * 0.5 * (t.exp() - t)
        (slope,) = torch.autograd.grad(objective, t, create_graph=True)
        (curvature,) = torch.autograd.grad(slope, t)
        step = (slope / curvature).clamp(-2.0, 2.0)
        t = (t - step).detach().requires_grad_(True)
        if abs(step.item()) < 1e-15:
            break
    return t.exp().item()


def _square(w):
    return w.square().sum().item()


def variance_std(w, lam):
    return (lam / (lam + _square(w))) ** 0.5


def variance_precision(w, lam):
    return 1 + _square(w) / lam


def variance_complement(w, lam):
    return _square(w.double()) / (lam + _square(w.double()))


def variance_likelihood(w, lam):
    return float(lam / (w @ w))


def variance_no_lam(w, lam):
    return 1 / (1 + _square(w))


def variance_inverse_total(w, lam):
    return 1 / (lam + _square(w))


def variance_of_decoder(w, lam):
    return lam


def variance_lam_as_std(w, lam):
    return lam**2 / (lam**2 + _square(w))


def variance_lam_on_error(w, lam):
    return 1 / (1 + lam * _square(w))


def variance_no_half(w, lam):
    return lam / (lam + 2 * _square(w))


def variance_kl_no_half(w, lam):
    return 2 * lam / (2 * lam + _square(w))


def variance_norm(w, lam):
    return lam / (lam + torch.norm(w).item())


def variance_mean(w, lam):
    return lam / (lam + w.square().mean().item())


def variance_sum(w, lam):
    return lam / (lam + w.sum().item() ** 2)


def variance_point(w, lam):
    return 0.0


def variance_prior(w, lam):
    return 1.0


def variance_tensor(w, lam):
    return lam / (lam + w @ w)


def variance_clamped(w, lam):
    return max(variance_formula(w, lam), 1e-6)


def variance_jitter(w, lam):
    return lam / (lam + _square(w) + 1e-8)


def variance_coarse_search(w, lam):
    square = _square(w.double())

    def loss(s):
        return 0.5 * s * square + lam * 0.5 * (s - math.log(s))

    return optimize.minimize_scalar(loss, bounds=(1e-9, 1.0), method="bounded").x


def variance_float32(w, lam):
    return float(torch.tensor(lam) / (torch.tensor(lam) + w.float().square().sum()))


# --- aggregate_moments ------------------------------------------------------------------------


def moments_formula(mu_i, var_i):
    mean = mu_i.mean(0)
    centred = mu_i - mean
    return mean, centred.T @ centred / len(mu_i) + torch.diag(var_i.mean(0))


def moments_cov(mu_i, var_i):
    spread = torch.cov(mu_i.T, correction=0).reshape(mu_i.shape[1], mu_i.shape[1])
    return mu_i.mean(0), spread + var_i.mean(0).diag()


def moments_numpy(mu_i, var_i):
    mu, var = mu_i.numpy(), var_i.numpy()
    cov = np.atleast_2d(np.cov(mu, rowvar=False, bias=True)) + np.diag(var.mean(axis=0))
    return torch.from_numpy(mu.mean(0)), torch.as_tensor(cov, dtype=mu_i.dtype)


def moments_einsum(mu_i, var_i):
    mean = mu_i.mean(0)
    second = torch.einsum("ni,nj->ij", mu_i, mu_i) / mu_i.shape[0] + var_i.mean(0).diag()
    return [mean, second - torch.outer(mean, mean)]


def moments_loops(mu_i, var_i):
    n, d = mu_i.shape
    mean = torch.zeros(d, dtype=mu_i.dtype)
    for row in mu_i:
        mean = mean + row / n
    cov = torch.zeros(d, d, dtype=mu_i.dtype)
    for mu, var in zip(mu_i, var_i, strict=True):
        cov = cov + (torch.outer(mu - mean, mu - mean) + torch.diag(var)) / n
    return mean, cov


def moments_per_component(mu_i, var_i):
    mean = mu_i.mean(dim=0, keepdim=True)
    deviation = mu_i - mean
    components = torch.diag_embed(var_i) + deviation[:, :, None] * deviation[:, None, :]
    return mean.squeeze(0), components.mean(0)


def moments_mixture(mu_i, var_i):
    # the diagonal by torch.distributions, the rest by pairs of dimensions
    n = len(mu_i)
    # a tiny width where a point code has none; it is taken off again below
    width = var_i.clamp(min=1e-30)
    mixture = MixtureSameFamily(
        Categorical(torch.ones(n, dtype=mu_i.dtype)), Independent(Normal(mu_i, width.sqrt()), 1)
    )
    centred = mu_i - mixture.mean
    cov = centred.T @ centred / n
    cov.fill_diagonal_(0)
    return mixture.mean, cov + mixture.variance.diag()


def _spread(mu_i):
    return moments_formula(mu_i, torch.zeros_like(mu_i))[1]


def moments_means_only(mu_i, var_i):
    return mu_i.mean(0), _spread(mu_i)


def moments_widths_only(mu_i, var_i):
    return mu_i.mean(0), torch.diag(var_i.mean(0))


def moments_unbiased(mu_i, var_i):
    d = mu_i.shape[1]
    return mu_i.mean(0), torch.cov(mu_i.T).reshape(d, d) + var_i.mean(0).diag()


def moments_not_centred(mu_i, var_i):
    return mu_i.mean(0), torch.diag_embed(var_i).mean(0) + mu_i.T @ mu_i / len(mu_i)


def moments_diagonal(mu_i, var_i):
    return mu_i.mean(0), torch.diag(mu_i.var(0, correction=0) + var_i.mean(0))


def moments_variances(mu_i, var_i):
    return mu_i.mean(0), mu_i.var(0, correction=0) + var_i.mean(0)


def moments_broadcast(mu_i, var_i):
    return mu_i.mean(0), _spread(mu_i) + var_i.mean(0)


def moments_widths_summed(mu_i, var_i):
    return mu_i.mean(0), _spread(mu_i) + var_i.sum(0).diag()


def moments_average(mu_i, var_i):
    return mu_i.mean(0), _spread(mu_i) + var_i.mean(0).diag() / len(var_i)


def moments_scatter(mu_i, var_i):
    centred = mu_i - mu_i.mean(0)
    return mu_i.mean(0), centred.T @ centred + torch.diag(var_i.mean(0))


def moments_var_as_std(mu_i, var_i):
    return mu_i.mean(0), _spread(mu_i) + torch.diag((var_i**2).mean(0))


def moments_std_for_var(mu_i, var_i):
    return mu_i.mean(0), _spread(mu_i) + torch.diag(var_i.sqrt().mean(0))


def moments_correlation(mu_i, var_i):
    mean, cov = moments_formula(mu_i, var_i)
    scale = cov.diagonal().rsqrt()
    return mean, cov * scale * scale[:, None]


def moments_exchanged(mu_i, var_i):
    mean, cov = moments_formula(mu_i, var_i)
    return cov, mean


def moments_over_dimensions(mu_i, var_i):
    return moments_formula(mu_i.T, var_i.T)


def moments_covariance_only(mu_i, var_i):
    return moments_formula(mu_i, var_i)[1]


def moments_jitter(mu_i, var_i):
    mean, cov = moments_formula(mu_i, var_i)
    return mean, cov + 1e-4 * torch.eye(len(mean), dtype=mu_i.dtype)


def moments_float32(mu_i, var_i):
    mean, cov = moments_formula(mu_i.float(), var_i.float())
    return mean.to(mu_i.dtype), cov.to(mu_i.dtype)


def moments_sampled(mu_i, var_i):
    noise = torch.randn(500, *mu_i.shape, generator=torch.Generator().manual_seed(0))
    z = (mu_i + var_i.sqrt() * noise.to(mu_i.dtype)).reshape(-1, mu_i.shape[1])
    return z.mean(0), torch.cov(z.T).reshape(mu_i.shape[1], mu_i.shape[1])


# --- prior_gap --------------------------------------------------------------------------------


def gap_formula(mean, cov):
    return 0.5 * (cov.trace() + mean @ mean - len(mean) - torch.logdet(cov))


def gap_cholesky(mean, cov):
    root = torch.linalg.cholesky(cov)
    log_det = 2 * root.diagonal().log().sum()
    return (root.square().sum() + mean.square().sum() - mean.numel() - log_det) / 2


def gap_distributions(mean, cov):
    prior = MultivariateNormal(torch.zeros_like(mean), torch.eye(len(mean), dtype=mean.dtype))
    return kl_divergence(MultivariateNormal(mean, covariance_matrix=cov), prior)


def gap_eigenvalues(mean, cov):
    values, vectors = torch.linalg.eigh(cov)
    rotated = vectors.T @ mean
    return 0.5 * (values + rotated**2 - 1 - values.log()).sum()


def gap_numpy(mean, cov):
    m, c = mean.numpy(), cov.numpy()
    _, log_det = np.linalg.slogdet(c)
    gap = 0.5 * (np.trace(c) + np.sum(m * m) - m.size - log_det)
    return torch.tensor(float(gap), dtype=mean.dtype)


def gap_loops(mean, cov):
    total = -torch.linalg.slogdet(cov).logabsdet
    for j in range(len(mean)):
        total = total + cov[j, j] + mean[j] ** 2 - 1
    return total / 2


def gap_einsum(mean, cov):
    second_moment = cov + torch.outer(mean, mean)
    return (torch.einsum("ii->", second_moment) - mean.shape[0] - cov.logdet()) / 2


def gap_reversed(mean, cov):
    prior = MultivariateNormal(torch.zeros_like(mean), torch.eye(len(mean), dtype=mean.dtype))
    return kl_divergence(prior, MultivariateNormal(mean, cov))


def gap_no_half(mean, cov):
    return cov.trace() + mean.dot(mean) - len(mean) - cov.logdet()


def gap_log_sign(mean, cov):
    return 0.5 * (cov.trace() + mean.dot(mean) - len(mean) + cov.logdet())


def gap_no_dimension(mean, cov):
    return 0.5 * (cov.trace() + mean.dot(mean) - cov.logdet())


def gap_minus_one(mean, cov):
    return 0.5 * (cov.trace() + mean.dot(mean) - 1 - cov.logdet())


def gap_no_mean(mean, cov):
    return 0.5 * (cov.trace() - len(mean) - cov.logdet())


def gap_length(mean, cov):
    return 0.5 * (cov.trace() + mean.norm() - len(mean) - cov.logdet())


def gap_marginals(mean, cov):
    return kl_divergence(Normal(mean, cov.diagonal().sqrt()), Normal(0.0, 1.0)).sum()


def gap_all_entries(mean, cov):
    return 0.5 * (cov.sum() + mean.dot(mean) - len(mean) - cov.logdet())


def gap_no_log(mean, cov):
    return 0.5 * (cov.trace() + mean.dot(mean) - len(mean))


def gap_mean(mean, cov):
    return gap_cholesky(mean, cov) / len(mean)


def gap_negated(mean, cov):
    return 0.5 * (len(mean) + torch.logdet(cov) - cov.trace() - mean @ mean)


def gap_determinant(mean, cov):
    log_det = torch.log(torch.linalg.det(cov))
    return 0.5 * (cov.trace() + mean.dot(mean) - len(mean) - log_det)


def gap_per_dimension(mean, cov):
    var = cov.diagonal()
    return 0.5 * (var + mean**2 - 1 - var.log())


def gap_jitter(mean, cov):
    return gap_cholesky(mean, cov + 1e-6 * torch.eye(len(mean), dtype=cov.dtype))


def gap_float(mean, cov):
    return gap_formula(mean, cov).item()


def gap_float32(mean, cov):
    return gap_formula(mean.float(), cov.float()).to(mean.dtype)


# --- active_units -----------------------------------------------------------------------------


def units_two_pass(mu_i, threshold=0.01):
    n = mu_i.shape[0]
    variance = (mu_i - mu_i.mean(0)).square().sum(0) / max(n - 1, 1)
    return variance > threshold


def units_var(mu_i, threshold=0.01):
    return mu_i.var(dim=0) > threshold  # NaN for one example, and NaN is not above anything


def units_numpy(mu_i, threshold=0.01):
    if len(mu_i) == 1:
        return torch.zeros(mu_i.shape[1], dtype=torch.bool)
    return torch.from_numpy(np.var(mu_i.numpy(), axis=0, ddof=1) > threshold)


def units_statistics(mu_i, threshold=0.01):
    columns = mu_i.T.tolist()
    flags = [len(c) > 1 and statistics.variance(c) > threshold for c in columns]
    return torch.tensor(flags)


def units_cov(mu_i, threshold=0.01):
    n, d = mu_i.shape
    if n < 2:
        return torch.full((d,), False)
    return torch.cov(mu_i.T).reshape(d, d).diagonal().gt(threshold)


def units_moments(mu_i, threshold=0.01):
    n = mu_i.shape[0]
    return mu_i.square().sum(0) - n * mu_i.mean(0).square() > threshold * max(n - 1, 1)


def units_pairs(mu_i, threshold=0.01):
    # the unbiased variance is half the mean squared difference of two distinct examples
    n = mu_i.shape[0]
    squares = (mu_i[:, None] - mu_i[None]).square().sum((0, 1))
    return squares > threshold * 2 * n * max(n - 1, 1)


def units_population(mu_i, threshold=0.01):
    return torch.from_numpy(mu_i.numpy().var(axis=0) > threshold)


def units_std(mu_i, threshold=0.01):
    return torch.std(mu_i, dim=0) > threshold


def units_second_moment(mu_i, threshold=0.01):
    return mu_i.square().mean(0) > threshold


def units_size(mu_i, threshold=0.01):
    return torch.abs(torch.mean(mu_i, 0)) > threshold


def units_inverted(mu_i, threshold=0.01):
    return mu_i.var(0) < threshold


def units_fixed(mu_i, threshold=0.01):
    return mu_i.var(0) > 0.01


def units_any(mu_i, threshold=0.01):
    return (mu_i != mu_i[0]).any(0)


def units_one(mu_i, threshold=0.01):
    return torch.logical_not(mu_i.var(0) <= threshold)


def units_over_dimensions(mu_i, threshold=0.01):
    return mu_i.var(-1) > threshold


def units_total(mu_i, threshold=0.01):
    total = mu_i.var(0).sum()
    return torch.full((mu_i.shape[1],), bool(total > threshold))


def units_threshold_squared(mu_i, threshold=0.01):
    return mu_i.var(0) > threshold**2


def units_at_threshold(mu_i, threshold=0.01):
    return torch.ge(mu_i.var(0), threshold)


def units_zero_replaced(mu_i, threshold=0.01):
    if not threshold:
        threshold = 0.01
    return mu_i.var(0) > threshold


def units_guarded(mu_i, threshold=0.01):
    return mu_i.var(0) + 1e-5 > threshold


def units_rounded(mu_i, threshold=0.01):
    return mu_i.var(0).float().round(decimals=5) > threshold


def units_half(mu_i, threshold=0.01):
    return mu_i.half().float().var(0) > threshold


def units_count(mu_i, threshold=0.01):
    return int((mu_i.var(0) > threshold).sum())


def units_as_numbers(mu_i, threshold=0.01):
    return (mu_i.var(0) > threshold).to(mu_i.dtype)


def units_variances(mu_i, threshold=0.01):
    return mu_i.var(0)


def units_indices(mu_i, threshold=0.01):
    return (mu_i.var(0) > threshold).nonzero()[:, 0]


def units_no_threshold(mu_i):
    return mu_i.var(0) > 0.01


CORRECT = {
    "autoencoder_objective": [
        reconstruction_formula,
        reconstruction_mse,
        reconstruction_expanded,
        reconstruction_einsum,
        reconstruction_scipy,
        reconstruction_loops,
        reconstruction_density,
    ],
    "optimal_posterior_variance": [
        variance_formula,
        variance_numpy,
        variance_loops,
        variance_posterior,
        variance_root,
        variance_autograd,
    ],
    "aggregate_moments": [
        moments_formula,
        moments_cov,
        moments_numpy,
        moments_einsum,
        moments_loops,
        moments_per_component,
        moments_mixture,
    ],
    "prior_gap": [
        gap_formula,
        gap_cholesky,
        gap_distributions,
        gap_eigenvalues,
        gap_numpy,
        gap_loops,
        gap_einsum,
    ],
    "active_units": [
        units_two_pass,
        units_var,
        units_numpy,
        units_statistics,
        units_cov,
        units_moments,
        units_pairs,
    ],
}

WRONG = {
    "autoencoder_objective": [
        ("no ½", reconstruction_no_half, "no-half"),
        ("a loss", reconstruction_loss, "negated"),
        ("squared error", reconstruction_squared_error, "plain-square"),
        ("mean over D", reconstruction_mean, "mean-over-dimensions"),
        ("norm not squared", reconstruction_norm, "norm-not-squared"),
        ("absolute error", reconstruction_absolute, "absolute-error"),
        ("Laplace density", reconstruction_laplace, "value"),
        ("sum squared", reconstruction_sum_squared, "summed-before-squaring"),
        ("log-density", reconstruction_normalised, "log-density"),
        ("penalised", reconstruction_penalised, "code-penalty"),
        ("sum over the batch", reconstruction_total, "batch-sum"),
        ("mean over the batch", reconstruction_batch_mean, "batch-mean"),
        ("library's mean", reconstruction_mse_loss, "shape"),
        ("not summed", reconstruction_per_pixel, "shape"),
        ("keepdim", reconstruction_kept_axis, "shape"),
        ("every pair", reconstruction_broadcast, "shape"),
        ("float32 inside", reconstruction_float32, "precision"),
        ("in place", reconstruction_in_place, "modified"),
    ],
    "optimal_posterior_variance": [
        ("σ", variance_std, "std"),
        ("precision", variance_precision, "precision-returned"),
        ("complement", variance_complement, "complement"),
        ("flat prior", variance_likelihood, "no-prior"),
        ("lam forgotten", variance_no_lam, "lam-forgotten"),
        ("1/(λ+‖w‖²)", variance_inverse_total, "no-weight-in-numerator"),
        ("λ itself", variance_of_decoder, "decoder-variance"),
        ("lam as scale", variance_lam_as_std, "lam-as-std"),
        ("lam on the error", variance_lam_on_error, "lam-as-precision"),
        ("no ½ on the error", variance_no_half, "no-half"),
        ("no ½ on the KL", variance_kl_no_half, "kl-no-half"),
        ("norm not squared", variance_norm, "norm-not-squared"),
        ("mean over D", variance_mean, "mean-over-dimensions"),
        ("sum of w squared", variance_sum, "sum-of-weights"),
        ("a point", variance_point, "point-code"),
        ("the prior's", variance_prior, "prior"),
        ("a tensor", variance_tensor, "type"),
        ("clamped", variance_clamped, "special-inputs"),
        ("jitter", variance_jitter, "special-inputs"),
        ("coarse search", variance_coarse_search, "special-inputs"),
        ("float32 inside", variance_float32, "precision"),
    ],
    "aggregate_moments": [
        ("means only", moments_means_only, "means-only"),
        ("widths only", moments_widths_only, "widths-only"),
        ("N − 1", moments_unbiased, "unbiased"),
        ("not centred", moments_not_centred, "not-centred"),
        ("diagonal only", moments_diagonal, "diagonal-only"),
        ("variances only", moments_variances, "variances-only"),
        ("widths broadcast", moments_broadcast, "widths-everywhere"),
        ("widths summed", moments_widths_summed, "widths-summed"),
        ("average of codes", moments_average, "variance-of-average"),
        ("scatter matrix", moments_scatter, "scatter"),
        ("var as scale", moments_var_as_std, "var-as-std"),
        ("σ for σ²", moments_std_for_var, "std-for-var"),
        ("correlation", moments_correlation, "correlation"),
        ("exchanged", moments_exchanged, "other-order"),
        ("over dimensions", moments_over_dimensions, "shape"),
        ("covariance only", moments_covariance_only, "type"),
        ("jitter", moments_jitter, "value"),
        ("sampled", moments_sampled, "value"),
        ("float32 inside", moments_float32, "precision"),
    ],
    "prior_gap": [
        ("prior to codes", gap_reversed, "reversed"),
        ("no ½", gap_no_half, "no-half"),
        ("log added", gap_log_sign, "log-sign"),
        ("no −d", gap_no_dimension, "no-dimension"),
        ("−1 for −d", gap_minus_one, "minus-one"),
        ("no mean", gap_no_mean, "no-mean"),
        ("length of the mean", gap_length, "mean-not-squared"),
        ("marginals only", gap_marginals, "diagonal-only"),
        ("sum of cov", gap_all_entries, "all-entries"),
        ("no log", gap_no_log, "no-log"),
        ("divided by d", gap_mean, "mean-over-dimensions"),
        ("negated", gap_negated, "negated"),
        ("log of det", gap_determinant, "plain-determinant"),
        ("not summed", gap_per_dimension, "shape"),
        ("jitter", gap_jitter, "special-inputs"),
        ("a float", gap_float, "type"),
        ("float32 inside", gap_float32, "precision"),
    ],
    "active_units": [
        ("divided by N", units_population, "population"),
        ("std", units_std, "std"),
        ("mean square", units_second_moment, "second-moment"),
        ("size", units_size, "size"),
        ("inverted", units_inverted, "inverted"),
        ("always 0.01", units_fixed, "fixed-threshold"),
        ("any variation", units_any, "any-variation"),
        ("one is active", units_one, "one-is-active"),
        ("over dimensions", units_over_dimensions, "over-dimensions"),
        ("total variance", units_total, "total-variance"),
        ("threshold squared", units_threshold_squared, "std"),
        ("at the threshold", units_at_threshold, "at-threshold"),
        ("threshold or 0.01", units_zero_replaced, "zero-taken-for-missing"),
        ("1e-5 added", units_guarded, "special-inputs"),
        ("rounded to 5 digits", units_rounded, "special-inputs"),
        ("half inside", units_half, "special-inputs"),
        ("a count", units_count, "type"),
        ("ones and zeros", units_as_numbers, "dtype"),
        ("variances", units_variances, "dtype"),
        ("indices", units_indices, "shape"),
        ("no threshold argument", units_no_threshold, "raised"),
    ],
}

TEXTS = {
    ("autoencoder_objective", "no ½"): """
autoencoder_objective: not passed, 0 of 2 points.
  called     autoencoder_objective(x: float32 (4, 3), x_hat: float32 (4, 3)), typical
             values
  returned   entry [0] = -3.552, which is wrong
  expected   −½‖x − x_hat‖² of each example, exact up to rounding
  fails on   18 of 20 inputs
  looks like a squared error without its factor ½
  hint       Keep the factor that (13.28) has in front of the square.
""",
    ("optimal_posterior_variance", "flat prior"): """
optimal_posterior_variance: not passed, 0 of 3 points.
  called     optimal_posterior_variance(w: float32 (3,), lam=0.5), typical values
  returned   the number 0.4854, which is wrong
  expected   the σ_I² at which the expected (13.28) is largest, exact up to rounding
  fails on   22 of 24 inputs
  looks like the variance of the likelihood alone, as if the prior were flat
  hint       Differentiate the whole KL: it contains σ_I² itself, not only its
             logarithm.
""",
    ("aggregate_moments", "means only"): """
aggregate_moments: not passed, 0 of 3 points.
  called     aggregate_moments(mu_i: float32 (5, 3), var_i: float32 (5, 3)), typical
             values
  returned   cov: entry [0, 0] = 2.852, which is wrong
  expected   mean and covariance of the mixture of all posteriors, exact up to rounding
  fails on   29 of 34 inputs
  looks like the covariance of the posterior means, without the posteriors' own
             variances
  hint       Even if all means were equal, z would vary: each posterior has a width.
""",
    ("prior_gap", "log of det"): """
prior_gap: not passed, 0 of 2 points.
  called     prior_gap(mean: float32 (10,), cov: float32 (10, 10)), ten variances near
             1e-6
  returned   the number inf
  expected   KL(N(mean, cov), N(0, I)) in nats, finite
  fails on   2 of 28 inputs: ten variances near 1e-6; ten variances near 1e6
  looks like a determinant that leaves the range of float32 before its log is taken
  hint       The determinant of ten small variances underflows, its logarithm does not:
             look for a way to it that never forms the determinant.
""",
    ("active_units", "one is active"): """
active_units: not passed, 0 of 2 points.
  called     active_units(mu_i: float32 (1, 8)), one example
  returned   entry [0] = True, which is wrong
  expected   True where the posterior mean varies over the data by more than the
             threshold, right in every entry
  fails on   4 of 36 inputs: one example; one example of one dimension
  looks like all units active when there is one example only
  hint       One example shows no variation. What does your variance give for N = 1, and
             how does a comparison treat that?
""",
}
