r"""Generative adversarial networks (生成对抗网络, GAN), chapter 13.3: networks and losses.

Letters in the shape comments: B examples, D features of x, d numbers of noise z.

Discriminator (判别网络) and critic (评价网络) are the same kind of network, one number for each
example: a discriminator reads it as a logit s, with D(x) = σ(s), and a critic as a score f(x) of
unbounded range. The losses take these numbers, never D itself, so that log D stays finite where D
rounds to 0 or 1. All losses are means over the batch and are minimised; a NaN in a batch makes its
loss NaN, and so does an empty batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from gm_course.distributions import standard_normal
from gm_course.networks import hidden_layers
from gm_course.validation import (
    require_count,
    require_features,
    require_positive,
    require_same_shape,
)


class NoiseGenerator(nn.Module):
    """Generator network (生成网络) G(z;θ) from Gaussian noise to points; fully connected.

    Args:
        noise_dim: d, numbers of noise per sample.
        data_dim: D, features of a sample.
        hidden: Width of each hidden layer.
        activation: Builds the nonlinearity after each hidden layer.

    Raises:
        ArgumentError: If a width is not a whole number of at least 1.

    Source:
        Chapter 13.3.2.

    Example:
        >>> NoiseGenerator(2, 3).sample(5, generator=torch.Generator()).shape
        torch.Size([5, 3])
    """

    def __init__(
        self,
        noise_dim: int,
        data_dim: int,
        *,
        hidden: Sequence[int] = (128, 128),
        activation: Callable[[], nn.Module] = nn.ReLU,
    ) -> None:
        super().__init__()
        self.noise_dim = noise_dim
        self.layers = _fully_connected("NoiseGenerator", noise_dim, hidden, data_dim, activation)

    def forward(self, z: Tensor) -> Tensor:
        """Return the samples (B, D) for the noise ``z`` (B, d)."""
        samples: Tensor = self.layers(z)
        return samples

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """Draw ``n`` samples, shape (n, D): first z ~ N(0, I), then G(z); gradients flow to θ."""
        require_count("NoiseGenerator.sample", "n", n)
        weight = next(self.parameters())
        samples: Tensor = self(
            standard_normal((n, self.noise_dim), like=weight, generator=generator)
        )
        return samples


class ScoreNetwork(nn.Module):
    """One number for each example: a discriminator's logit or a critic's score; fully connected.

    Args:
        data_dim: D, features of x.
        hidden: Width of each hidden layer.
        activation: Builds the nonlinearity after each hidden layer.

    Raises:
        ArgumentError: If a width is not a whole number of at least 1.

    Source:
        Chapter 13.3.2 (discriminator) and 13.3.6 (critic, without sigmoid).

    Example:
        >>> ScoreNetwork(2)(torch.zeros(5, 2)).shape
        torch.Size([5])
    """

    def __init__(
        self,
        data_dim: int,
        *,
        hidden: Sequence[int] = (128, 128),
        activation: Callable[[], nn.Module] = nn.ReLU,
    ) -> None:
        super().__init__()
        self.data_dim = data_dim
        self.layers = _fully_connected("ScoreNetwork", data_dim, hidden, 1, activation)

    def forward(self, x: Tensor) -> Tensor:
        """Return one number per example, shape (B,), for ``x`` (B, D)."""
        require_features("ScoreNetwork", "x", x, self.data_dim)
        scores: Tensor = self.layers(x).squeeze(-1)  # (B, 1) -> (B,)
        return scores


def gan_value(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    r"""Value of the game, :math:`E_{p_r}\log D + E_{p_\theta}\log(1-D)`, in nats.

    The discriminator maximises it and the generator minimises it.

    Args:
        real_logits: s on real examples, shape (B,); D = σ(s).
        fake_logits: s on generated examples, shape (B',).

    Returns:
        A scalar, at most 0.

    Source:
        Chapter 13.3.2 and 13.3.3, ``minimax-objective``; Goodfellow et al., "Generative
        Adversarial Nets", 2014.

    Example:
        >>> gan_value(torch.zeros(3), torch.zeros(3))  # D = 1/2 everywhere: -2 log 2
        tensor(-1.3863)
    """
    # 1 - σ(s) = σ(-s)
    return functional.logsigmoid(real_logits).mean() + functional.logsigmoid(-fake_logits).mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Minus the value of the game: twice the cross-entropy if real and generated are as many.

    Args:
        real_logits: s on real examples, shape (B,).
        fake_logits: s on generated examples, shape (B',).

    Returns:
        A scalar, at least 0.

    Source:
        Chapter 13.3.2, ``discriminator-cross-entropy``.
    """
    return -gan_value(real_logits, fake_logits)


def saturating_loss(fake_logits: Tensor) -> Tensor:
    r"""Generator's loss :math:`E\log(1-D(G(z)))`; its gradient in s fades as D rejects (D → 0).

    Args:
        fake_logits: s on generated examples, shape (B,).

    Returns:
        A scalar, at most 0.

    Source:
        Chapter 13.3.2, ``saturating-gradient``.
    """
    return functional.logsigmoid(-fake_logits).mean()


def nonsaturating_loss(fake_logits: Tensor) -> Tensor:
    r"""Generator's loss :math:`-E\log D(G(z))`, the one used in practice.

    Args:
        fake_logits: s on generated examples, shape (B,).

    Returns:
        A scalar, at least 0.

    Source:
        Chapter 13.3.2, ``saturating-gradient``.
    """
    return -functional.logsigmoid(fake_logits).mean()


def critic_loss(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    r"""Critic's loss :math:`E_{p_\theta} f - E_{p_r} f`; unbounded below unless f is Lipschitz.

    For the best f with Lipschitz constant 1 it is minus the Wasserstein distance.

    Args:
        real_scores: f on real examples, shape (B,).
        fake_scores: f on generated examples, shape (B',).

    Returns:
        A scalar of either sign.

    Source:
        Chapter 13.3.6, ``critic-objective``; Arjovsky, Chintala & Bottou, "Wasserstein GAN", 2017.
    """
    return fake_scores.mean() - real_scores.mean()


def critic_generator_loss(fake_scores: Tensor) -> Tensor:
    r"""Generator's loss against a critic, :math:`-E f(G(z))`.

    Args:
        fake_scores: f on generated examples, shape (B,).

    Returns:
        A scalar of either sign.

    Source:
        Chapter 13.3.6, Algorithm 13.2.
    """
    return -fake_scores.mean()


def clip_weights(module: nn.Module, limit: float) -> None:
    """Set every parameter outside [−limit, limit] to the nearer bound, in place (权重截断).

    Args:
        module: The critic; weights and biases are clipped alike.
        limit: c, the chapter's 0.01.

    Raises:
        ArgumentError: If the limit is not positive.

    Source:
        Chapter 13.3.6, Algorithm 13.2, ``clipping-bounds-lipschitz``.
    """
    require_positive("clip_weights", "limit", limit)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.clamp_(-limit, limit)


def gradient_penalty(
    critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, *, generator: torch.Generator
) -> Tensor:
    r"""Mean of :math:`(\|\nabla f(\hat x)\| - 1)^2` at points between real and generated ones.

    Each point is :math:`\hat x = u x + (1-u) \tilde x` with its own u ~ U(0, 1), and the norm is
    taken over **all** features of an example, whatever its shape.

    Args:
        critic: Maps (B, ...) to scores (B,), each depending on its own example only (no batch
            normalisation).
        real: Real examples x, shape (B, ...).
        fake: Generated examples, same shape; no gradient flows to where they came from.
        generator: Source of u, on the examples' device.

    Returns:
        A scalar; backward through it reaches the critic's parameters.

    Raises:
        ShapeError: If the shapes differ.

    Source:
        Gulrajani, Ahmed, Arjovsky, Dumoulin & Courville, "Improved Training of Wasserstein GANs",
        2017.

    Example:
        >>> slope_two = lambda x: 2 * x[:, 0]
        >>> points = torch.zeros(4, 3)
        >>> gradient_penalty(slope_two, points, points, generator=torch.Generator())
        tensor(1.)
    """
    require_same_shape("gradient_penalty", real=real, fake=fake)
    shape = (real.shape[0],) + (1,) * (real.ndim - 1)  # one u per example
    u = torch.rand(shape, generator=generator, dtype=real.dtype, device=real.device)
    between = torch.lerp(fake.detach(), real.detach(), u).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    norms: Tensor = gradient.flatten(start_dim=1).norm(dim=1)
    return (norms - 1).square().mean()


def _fully_connected(
    function: str,
    in_dim: int,
    hidden: Sequence[int],
    out_dim: int,
    activation: Callable[[], nn.Module],
) -> nn.Sequential:
    for width in (in_dim, *hidden, out_dim):
        require_count(function, "each width", width)
    body, width = hidden_layers(in_dim, hidden, activation)
    return nn.Sequential(*body, nn.Linear(width, out_dim))
