"""Monte-Carlo estimators: the importance-weighted bound, and gradients of expectations."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from gm_course.errors import ArgumentError, ShapeError
from gm_course.validation import (
    require_count,
    require_features,
    require_matrix,
    require_positive,
    require_same_shape,
)

Integrand = Callable[[Tensor], Tensor]
"""A function f of points (M, d) that returns one number for each of them, (M,)."""


def importance_weighted_bound(log_weights: Tensor) -> Tensor:
    r"""Log of the average importance weight, :math:`\log \tfrac1K \sum_k w_k`, in nats.

    With :math:`w_k = p(x, z_k) / q(z_k|x)` and :math:`z_k \sim q(z|x)` the weights average to
    p(x), so this estimates log p(x): from below in expectation, more closely the larger K is.
    One weight (K = 1) gives the one-sample ELBO. A row with a NaN gives NaN.

    Args:
        log_weights: log w, shape (K, B): K samples for each of B examples, K ≥ 1.

    Returns:
        Shape (B,).

    Raises:
        ShapeError: If ``log_weights`` is not (K, B) with at least one sample.

    Source:
        Burda, Grosse & Salakhutdinov, "Importance Weighted Autoencoders", 2016, section 3.

    Example:
        >>> import torch
        >>> importance_weighted_bound(torch.tensor([[1.0], [3.0]]).log())  # log 2
        tensor([0.6931])
    """
    if log_weights.ndim != 2 or log_weights.shape[0] == 0:
        raise ShapeError(
            "importance_weighted_bound: log_weights must have shape (K, B) with K of at least 1; "
            f"got {tuple(log_weights.shape)}. Stack one row per sample."
        )
    return log_weights.logsumexp(dim=0) - math.log(log_weights.shape[0])


class GaussianGradients(NamedTuple):
    r"""What each sample contributes to an estimate of the gradient of E[f(z)], z ~ N(μ, diag σ²).

    Attributes:
        mean: Contributions to the gradient in the mean μ, shape (M, d).
        std: Contributions to the gradient in the standard deviation σ (not σ²), shape (M, d).
            Divided by 2σ they are those in σ², multiplied by σ/2 those in log σ².
    """

    mean: Tensor
    std: Tensor


def pathwise_gradients(f: Integrand, mean: Tensor, std: Tensor, noise: Tensor) -> GaussianGradients:
    r"""Pathwise (reparameterisation) gradients of E[f(z)], one sample per row of the noise.

    With :math:`z = \mu + \sigma\odot\epsilon` the chain rule gives :math:`\nabla f(z)` for μ and
    :math:`\nabla f(z) \odot \epsilon` for σ. Their averages are unbiased if f is continuous and
    differentiable almost everywhere; at a jump of f they silently miss its share.

    Args:
        f: Differentiable; maps points (M, d) to one number each, (M,), row by row.
        mean: μ, shape (d,).
        std: σ (not σ²), shape (d,).
        noise: Draws ε of N(0, I), shape (M, d).

    Returns:
        Contributions, not averaged, (M, d) each; they carry no graph.

    Raises:
        ShapeError: If the shapes do not fit together.
        ArgumentError: If f cannot be differentiated at all, as a comparison cannot.

    Source:
        Chapter 13.2.5, ``reparameterisation``; Kingma & Welling, "Auto-Encoding Variational
        Bayes", 2014; Mohamed, Rosca, Figurnov & Mnih, "Monte Carlo Gradient Estimation in Machine
        Learning", 2020, section 5.

    Example:
        >>> def squared_length(z):
        ...     return z.square().sum(dim=1)
        >>> mean, std, noise = torch.ones(1), torch.ones(1), torch.tensor([[2.0]])  # so z = 3
        >>> pathwise_gradients(squared_length, mean, std, noise)
        GaussianGradients(mean=tensor([[6.]]), std=tensor([[12.]]))
    """
    _require_gaussian("pathwise_gradients", mean, std, noise)
    z = (mean + std * noise).detach().requires_grad_()  # (M, d)
    with torch.enable_grad():
        values = _evaluate("pathwise_gradients", f, z)
        if not values.requires_grad:
            raise ArgumentError(
                "pathwise_gradients: f must be differentiable in z; got a result that does not "
                "depend on z through differentiable operations. Use score_function_gradients."
            )
        (slope,) = torch.autograd.grad(values.sum(), z)  # row m belongs to z_m alone
    return GaussianGradients(slope, slope * noise)


def score_function_gradients(
    f: Integrand, mean: Tensor, std: Tensor, noise: Tensor, *, baseline: float = 0.0
) -> GaussianGradients:
    r"""Score-function (得分函数) gradients of E[f(z)], one sample per row of the noise.

    Each is :math:`(f(z) - b)\,\nabla\log q(z)`, where the score :math:`\nabla\log q(z)` is
    :math:`\epsilon/\sigma` in μ and :math:`(\epsilon^2-1)/\sigma` in σ. Their averages are unbiased
    for every f with a finite expectation of these products, continuous or not, and for every
    baseline that does not depend on the noise.

    Args:
        f: Maps points (M, d) to one number each, (M,), row by row; it is never differentiated.
        mean: μ, shape (d,).
        std: σ (not σ²), shape (d,).
        noise: Draws ε of N(0, I), shape (M, d).
        baseline: b, subtracted from f.

    Returns:
        Contributions, not averaged, (M, d) each; they carry no graph.

    Raises:
        ShapeError: If the shapes do not fit together.

    Source:
        Chapter 13.2.5, ``score-function``; Williams, "Simple Statistical Gradient-Following
        Algorithms for Connectionist Reinforcement Learning", 1992.

    Example:
        >>> def squared_length(z):
        ...     return z.square().sum(dim=1)
        >>> mean, std, noise = torch.ones(1), torch.ones(1), torch.tensor([[2.0]])  # so z = 3
        >>> score_function_gradients(squared_length, mean, std, noise)
        GaussianGradients(mean=tensor([[18.]]), std=tensor([[27.]]))
    """
    _require_gaussian("score_function_gradients", mean, std, noise)
    with torch.no_grad():
        z = mean + std * noise  # (M, d)
        advantage = _evaluate("score_function_gradients", f, z)[:, None] - baseline  # (M, 1)
        return GaussianGradients(
            mean=advantage * noise / std, std=advantage * (noise.square() - 1) / std
        )


def gumbel_noise(
    samples: int, categories: int, *, like: Tensor, generator: torch.Generator
) -> Tensor:
    r"""Draw standard Gumbel noise, whose distribution function is :math:`e^{-e^{-x}}`.

    Minus the logarithm of an exponential variable has that distribution.

    Args:
        samples: M, number of rows.
        categories: K, number of columns.
        like: A tensor with the dtype and on the device that the noise should have.
        generator: Source of the noise, on that device.

    Returns:
        Shape (M, K), finite.

    Raises:
        ArgumentError: If a number is not a whole number of at least 1.

    Source:
        Jang, Gu & Poole, "Categorical Reparameterization with Gumbel-Softmax", 2017.

    Example:
        >>> gumbel_noise(2, 3, like=torch.zeros(3), generator=torch.Generator()).shape
        torch.Size([2, 3])
    """
    require_count("gumbel_noise", "samples", samples)
    require_count("gumbel_noise", "categories", categories)
    waiting_times = torch.empty(samples, categories, dtype=like.dtype, device=like.device)
    waiting_times.exponential_(generator=generator)
    # A time of exactly 0 is possible in floating point, and its logarithm is not finite.
    return -waiting_times.clamp_min(torch.finfo(like.dtype).tiny).log()


def relaxed_one_hot(logits: Tensor, noise: Tensor, *, temperature: float) -> Tensor:
    r"""Gumbel-softmax samples: one-hot vectors made soft, and differentiable in the logits.

    :math:`y = \mathrm{softmax}((\ell + G)/\tau)`. The largest entry of y is where ℓ + G is largest,
    so it is category k with probability softmax(ℓ)_k at every temperature; as τ → 0 the sample
    approaches the one-hot vector of that category. An expectation over y is *not* the one over
    one-hot vectors, and neither is its gradient.

    Args:
        logits: ℓ, shape (K,).
        noise: Gumbel noise G, shape (M, K), from :func:`gumbel_noise`.
        temperature: τ > 0.

    Returns:
        Shape (M, K); rows are positive and sum to 1.

    Raises:
        ShapeError: If the noise does not have one column per logit.
        ArgumentError: If the temperature is not positive and finite.

    Source:
        Jang, Gu & Poole, "Categorical Reparameterization with Gumbel-Softmax", 2017; Maddison,
        Mnih & Teh, "The Concrete Distribution", 2017.

    Example:
        >>> noise = torch.tensor([[0.0, math.log(3.0)]])
        >>> relaxed_one_hot(torch.zeros(2), noise, temperature=1.0)
        tensor([[0.2500, 0.7500]])
        >>> relaxed_one_hot(torch.zeros(2), noise, temperature=0.5)  # colder: 1/10 and 9/10
        tensor([[0.1000, 0.9000]])
    """
    require_matrix("relaxed_one_hot", "noise", noise)
    require_features("relaxed_one_hot", "noise", noise, logits.numel())
    require_positive("relaxed_one_hot", "temperature", temperature)
    return ((logits + noise) / temperature).softmax(dim=-1)


def _require_gaussian(function: str, mean: Tensor, std: Tensor, noise: Tensor) -> None:
    require_same_shape(function, mean=mean, std=std)
    if mean.ndim != 1 or noise.ndim != 2 or noise.shape[1:] != mean.shape:
        raise ShapeError(
            f"{function}: mean and std must have shape (d,) and noise (M, d); got "
            f"{tuple(mean.shape)} and {tuple(noise.shape)}. Draw one row of noise per sample."
        )


def _evaluate(function: str, f: Integrand, z: Tensor) -> Tensor:
    values = f(z)
    if values.shape != z.shape[:1]:
        raise ShapeError(
            f"{function}: f must return one number per row, shape ({z.shape[0]},); got "
            f"{tuple(values.shape)}. Sum over the coordinates, dim=1, inside f."
        )
    return values
