r"""Expectation maximisation (EM) for mixtures of Gaussians with full covariances.

The model: a hidden class :math:`z \in \{1,\dots,K\}` with :math:`p(z=k) = w_k`, and then
:math:`x|z=k \sim N(\mu_k, \Sigma_k)`. Shapes: N points of dimension D, K components. Nothing here
is random, so that a step can be checked against its equations; float64 is recommended.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gm_course.distributions import LOG_2PI
from gm_course.errors import ArgumentError, ShapeError
from gm_course.validation import require_count, require_features, require_matrix


@dataclass(frozen=True, eq=False)
class FullGaussianMixture:
    r"""Mixture of K Gaussians with a covariance matrix each, :math:`\sum_k w_k N(\mu_k,\Sigma_k)`.

    Attributes:
        weights: w, shape (K,), positive, summing to 1.
        means: Shape (K, D).
        covs: Symmetric positive definite, shape (K, D, D).

    Raises:
        ShapeError: If the shapes do not fit together.
        ArgumentError: If a covariance is not positive definite, as after a component has collapsed
            onto a single point, or if the weights are not probabilities.

    Source:
        Chapter 13.1.1, ``marginal-density`` with a discrete latent variable.

    Example:
        >>> mixture = FullGaussianMixture(torch.ones(1), torch.zeros(1, 2), torch.eye(2)[None])
        >>> mixture.log_prob(torch.zeros(1, 2))  # -log(2π)
        tensor([-1.8379])
    """

    weights: Tensor
    means: Tensor
    covs: Tensor

    def __post_init__(self) -> None:
        require_matrix("FullGaussianMixture", "means", self.means)
        components, dim = self.means.shape
        for name, value, shape in (
            ("weights", self.weights, (components,)),
            ("covs", self.covs, (components, dim, dim)),
        ):
            if tuple(value.shape) != shape:
                raise ShapeError(
                    f"FullGaussianMixture: {name} must have shape {shape} to go with means "
                    f"{tuple(self.means.shape)}; got {tuple(value.shape)}. Means are rows, (K, D)."
                )
        total = float(self.weights.sum())
        if not (bool((self.weights > 0).all()) and abs(total - 1) < 1e-4):
            raise ArgumentError(
                "FullGaussianMixture: weights must be positive and sum to 1; got "
                f"{self.weights.tolist()}. Divide them by their sum, and drop empty components."
            )
        failed = torch.linalg.cholesky_ex(self.covs).info.nonzero()
        if len(failed):
            component = int(failed[0])
            raise ArgumentError(
                "FullGaussianMixture: covs must be positive definite; got "
                f"{self.covs[component].tolist()} for component {component}. If EM brought it "
                "there, the component has collapsed onto too few points: start elsewhere, or add a "
                "small multiple of the identity after each step."
            )

    def joint_log_prob(self, x: Tensor) -> Tensor:
        """Return log p(x, z=k) = log w_k + log N(x; μ_k, Σ_k), shape (N, K), for ``x`` (N, D)."""
        require_matrix("FullGaussianMixture.joint_log_prob", "x", x)
        dim = self.means.shape[1]
        require_features("FullGaussianMixture.joint_log_prob", "x", x, dim)
        cholesky: Tensor = torch.linalg.cholesky(self.covs)  # (K, D, D)
        centred = (x[:, None, :] - self.means).permute(1, 2, 0)  # (K, D, N)
        whitened: Tensor = torch.linalg.solve_triangular(cholesky, centred, upper=False)
        half_log_det = cholesky.diagonal(dim1=1, dim2=2).log().sum(dim=1)  # (K,)
        squares = whitened.square().sum(dim=1).T  # (N, K)
        return self.weights.log() - half_log_det - 0.5 * (squares + dim * LOG_2PI)

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log p(x) in nats, shape (N,), for ``x`` (N, D)."""
        return self.joint_log_prob(x).logsumexp(dim=1)

    def sample(self, n: int, *, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw ``n`` points by ancestral sampling; returns x (n, D) and the component z (n,)."""
        require_count("FullGaussianMixture.sample", "n", n)
        z = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        noise = torch.randn(
            (n, self.means.shape[1], 1), generator=generator, dtype=self.means.dtype,
            device=self.means.device,
        )  # fmt: skip
        cholesky: Tensor = torch.linalg.cholesky(self.covs)
        return self.means[z] + (cholesky[z] @ noise)[..., 0], z


def responsibilities(mixture: FullGaussianMixture, x: Tensor) -> Tensor:
    r"""E-step: the posterior :math:`r_{nk} = p(z=k|x_n)` of every point, by Bayes' rule.

    Args:
        mixture: The current parameters.
        x: Points, shape (N, D).

    Returns:
        Shape (N, K); rows sum to 1.

    Raises:
        ShapeError: If ``x`` is not (N, D).

    Source:
        Chapter 13.1.3, ``bayes-rule``, and 13.1.1; Dempster, Laird & Rubin, "Maximum Likelihood
        from Incomplete Data via the EM Algorithm", 1977.

    Example:
        >>> mixture = FullGaussianMixture(
        ...     torch.tensor([0.5, 0.5]), torch.tensor([[-1.0], [1.0]]), torch.ones(2, 1, 1)
        ... )
        >>> responsibilities(mixture, torch.zeros(1, 1))
        tensor([[0.5000, 0.5000]])
    """
    return mixture.joint_log_prob(x).softmax(dim=1)


def m_step(x: Tensor, shares: Tensor) -> FullGaussianMixture:
    r"""M-step: the maximiser of :math:`\sum_{nk} r_{nk} \log w_k N(x_n; \mu_k, \Sigma_k)`.

    Args:
        x: Points, shape (N, D).
        shares: Responsibilities r, shape (N, K), rows summing to 1.

    Returns:
        Weights, means and covariances, weighted by the responsibilities.

    Raises:
        ShapeError: If the shapes do not fit together.
        ArgumentError: If a component receives nothing, or too little for a covariance.

    Source:
        Chapter 13.1.1, ``em-monotone``; Dempster, Laird & Rubin 1977.

    Example:
        >>> m_step(torch.tensor([[0.0], [2.0]]), torch.ones(2, 1)).covs
        tensor([[[1.]]])
    """
    require_matrix("m_step", "x", x)
    require_matrix("m_step", "shares", shares)
    if len(x) != len(shares):
        raise ShapeError(
            f"m_step: shares must have one row per point, {len(x)}; got {len(shares)}. "
            "Pass the responsibilities of these points."
        )
    counts = shares.sum(dim=0)  # N_k, (K,)
    if not bool((counts > 0).all()):
        raise ArgumentError(
            "m_step: shares must give every component a share of some point; got column sums "
            f"{counts.tolist()}. Start with other means, or with fewer components."
        )
    means = shares.T @ x / counts[:, None]  # (K, D)
    centred = x[:, None, :] - means  # (N, K, D)
    covs = torch.einsum("nk,nki,nkj->kij", shares, centred, centred) / counts[:, None, None]
    return FullGaussianMixture(counts / len(x), means, covs)


def em_step(mixture: FullGaussianMixture, x: Tensor) -> FullGaussianMixture:
    r"""One step of EM; it leaves the log-likelihood :math:`\sum_n \log p(x_n)` no smaller.

    Args:
        mixture: The current parameters.
        x: Points, shape (N, D), in the dtype of the parameters.

    Returns:
        The next parameters.

    Raises:
        ShapeError: If ``x`` is not (N, D).
        ArgumentError: If a component has died or collapsed onto too few points.

    Source:
        Chapter 13.1.1, ``em-monotone``; Dempster, Laird & Rubin 1977.

    Example:
        >>> x = torch.tensor([[-1.1], [-0.9], [0.9], [1.1]])
        >>> start = FullGaussianMixture(
        ...     torch.tensor([0.5, 0.5]), torch.tensor([[-0.5], [0.5]]), torch.ones(2, 1, 1)
        ... )
        >>> bool(em_step(start, x).log_prob(x).sum() > start.log_prob(x).sum())
        True
    """
    return m_step(x, responsibilities(mixture, x))
