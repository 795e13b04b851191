"""Checks of Bayes' rule and of the logistic form of Gaussian classes, for lecture 1."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import scipy.stats
import torch
from torch import Tensor

from gm_course.em import FullGaussianMixture
from gm_course.ledger.draws import normal

# --- bayes-rule ---------------------------------------------------------------------------------


def bayes_error(posterior: Callable[[FullGaussianMixture, Tensor], Tensor]) -> float:
    """Largest deviation from P(y | x in a small box), a ratio of two probabilities.

    The box's half-width h is 1e-3 and 2e-3, from which its own error, of order h², is removed.
    """
    errors = []
    for dim in (1, 2):
        var = torch.tensor([[0.5, 1.5], [1.0, 0.3], [2.0, 0.8]]).double()[:, :dim]
        mixture = FullGaussianMixture(
            torch.tensor([0.2, 0.3, 0.5]).double(), normal(3, dim, seed=1), var.diag_embed()
        )
        x = 1.5 * normal(4, dim, seed=2)
        gaussians = scipy.stats.norm(mixture.means.numpy(), var.sqrt().numpy())
        given_box = []
        for h in (1e-3, 2e-3):
            points = x.numpy()[:, None]  # (N, 1, D) against components (K, D)
            box = np.prod(gaussians.cdf(points + h) - gaussians.cdf(points - h), axis=2)  # (N, K)
            joint = box * mixture.weights.numpy()
            given_box.append(joint / joint.sum(axis=1, keepdims=True))
        exact = (4 * given_box[0] - given_box[1]) / 3
        errors.append(np.abs(posterior(mixture, x).numpy() - exact).max())
    return float(max(errors))


def likelihood_only(mixture: FullGaussianMixture, x: Tensor) -> Tensor:
    """Return p(y|x) as if all classes were as frequent, shape (N, K)."""
    return (mixture.joint_log_prob(x) - mixture.weights.log()).softmax(dim=1)


def normalised_over_x(mixture: FullGaussianMixture, x: Tensor) -> Tensor:
    """Return the joint density divided by its sum over the points, shape (N, K)."""
    return mixture.joint_log_prob(x).softmax(dim=0)


# --- gda-is-logistic ----------------------------------------------------------------------------


def logit_weights(means: Tensor, cov: Tensor, prior1: float) -> tuple[Tensor, Tensor]:
    """Return w, b of p(y=1|x) = sigmoid(wᵀx + b) for means (2, D) and a shared cov (D, D)."""
    w = torch.linalg.solve(cov, means[1] - means[0])
    b = -0.5 * w @ (means[0] + means[1]) + math.log(prior1 / (1 - prior1))
    return w, b


def gda_error(weights: Callable[[Tensor, Tensor, float], tuple[Tensor, Tensor]]) -> float:
    """Largest deviation of wᵀx + b from the log-odds that SciPy's densities give."""
    errors = []
    for seed, (dim, prior1) in enumerate([(1, 0.5), (2, 0.2), (5, 0.7)]):
        means, root = normal(2, dim, seed=seed), normal(dim, dim, seed=10 + seed)
        cov = root @ root.T + 0.5 * torch.eye(dim).double()
        x = 2 * normal(6, dim, seed=20 + seed)
        w, b = weights(means, cov, prior1)
        log_density = [
            scipy.stats.multivariate_normal(mean.numpy(), cov.numpy()).logpdf(x.numpy())
            for mean in means
        ]
        exact = log_density[1] - log_density[0] + math.log(prior1) - math.log(1 - prior1)
        errors.append(np.abs((x @ w + b).numpy() - exact).max())
    return float(max(errors))


def logit_without_prior(means: Tensor, cov: Tensor, prior1: float) -> tuple[Tensor, Tensor]:
    """Return w, b with the log-odds of the classes left out."""
    return logit_weights(means, cov, 0.5)


def logit_without_half(means: Tensor, cov: Tensor, prior1: float) -> tuple[Tensor, Tensor]:
    """Return w, b with the quadratic form of b not halved."""
    w, b = logit_weights(means, cov, prior1)
    return w, b - 0.5 * w @ (means[0] + means[1])


def logit_with_cov(means: Tensor, cov: Tensor, prior1: float) -> tuple[Tensor, Tensor]:
    """Return w, b with the covariance in place of its inverse."""
    return logit_weights(means, torch.linalg.inv(cov), prior1)
