"""GAN losses against the definitions in D, autograd and closed forms; networks; penalties."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from gm_course.errors import ArgumentError, ShapeError
from gm_course.gan import (
    NoiseGenerator,
    ScoreNetwork,
    clip_weights,
    critic_generator_loss,
    critic_loss,
    discriminator_loss,
    gan_value,
    gradient_penalty,
    nonsaturating_loss,
    saturating_loss,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def logits(count=50, seed=0):
    return 3 * torch.randn(count, generator=seeded(seed), dtype=torch.float64)


# float64 rounding of a mean of 50 numbers below 20
TOLERANCE = {"rtol": 1e-12, "atol": 1e-12}


def test_value_and_losses_are_the_chapters_formulas_in_d():
    real, fake = logits(seed=1), logits(40, seed=2)
    d_real, d_fake = 1 / (1 + torch.exp(-real)), 1 / (1 + torch.exp(-fake))
    value = torch.log(d_real).mean() + torch.log(1 - d_fake).mean()
    torch.testing.assert_close(gan_value(real, fake), value, **TOLERANCE)
    torch.testing.assert_close(discriminator_loss(real, fake), -value, **TOLERANCE)
    torch.testing.assert_close(saturating_loss(fake), torch.log(1 - d_fake).mean(), **TOLERANCE)
    torch.testing.assert_close(nonsaturating_loss(fake), -torch.log(d_fake).mean(), **TOLERANCE)


def test_discriminator_loss_is_twice_the_cross_entropy():
    real, fake = logits(seed=1), logits(seed=2)
    labels = torch.cat([torch.ones(50), torch.zeros(50)]).double()
    cross_entropy = functional.binary_cross_entropy_with_logits(torch.cat([real, fake]), labels)
    torch.testing.assert_close(discriminator_loss(real, fake), 2 * cross_entropy, **TOLERANCE)


@pytest.mark.parametrize(
    ("loss", "slope"),
    [
        (saturating_loss, lambda s: -torch.sigmoid(s)),
        (nonsaturating_loss, lambda s: -(1 - torch.sigmoid(s))),
    ],
)
def test_gradients_in_the_logit(loss, slope):
    s = torch.linspace(-30, 30, 61, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(loss(s), s)
    torch.testing.assert_close(gradient * 61, slope(s.detach()), **TOLERANCE)


def test_losses_stay_finite_where_d_rounds_to_0_or_1():
    extreme = torch.tensor([-1000.0, 1000.0], requires_grad=True)
    losses = (
        gan_value(extreme, extreme),
        discriminator_loss(extreme, extreme),
        saturating_loss(extreme),
        nonsaturating_loss(extreme),
    )
    assert all(loss.isfinite() for loss in losses)
    assert torch.autograd.grad(sum(losses), extreme)[0].isfinite().all()


def test_critic_losses():
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([-1.0, 0.0, 4.0])
    assert critic_loss(real, fake) == 1 - 2
    assert critic_generator_loss(fake) == -1


@pytest.mark.parametrize("loss", [nonsaturating_loss, saturating_loss, critic_generator_loss])
def test_nan_and_empty_batches_show(loss):
    assert loss(torch.tensor([0.0, math.nan])).isnan()
    assert loss(torch.empty(0)).isnan()


def test_networks_have_the_promised_shapes_and_layers():
    network = NoiseGenerator(3, 2, hidden=(7, 5), activation=nn.Tanh)
    assert [type(layer).__name__ for layer in network.layers] == [
        "Linear", "Tanh", "Linear", "Tanh", "Linear",
    ]  # fmt: skip
    assert [p.shape[0] for p in network.parameters() if p.ndim == 1] == [7, 5, 2]
    assert network(torch.zeros(0, 3)).shape == (0, 2)
    assert ScoreNetwork(2, hidden=())(torch.zeros(1, 2)).shape == (1,)


def test_samples_come_from_the_given_generator_and_carry_gradients():
    network = NoiseGenerator(2, 2).double()
    samples = network.sample(4, generator=seeded())
    assert samples.dtype == torch.float64
    z = torch.randn(4, 2, generator=seeded(), dtype=torch.float64)
    assert torch.equal(samples, network(z))
    samples.sum().backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: NoiseGenerator(0, 2),
            "NoiseGenerator: each width must be a whole number of at least 1; got 0.",
        ),
        (
            lambda: ScoreNetwork(2, hidden=(1.5,)),
            "ScoreNetwork: each width must be a whole number of at least 1; got 1.5.",
        ),
        (
            lambda: NoiseGenerator(1, 1).sample(0, generator=seeded()),
            "NoiseGenerator.sample: n must be a whole number of at least 1; got 0.",
        ),
        (
            lambda: ScoreNetwork(2)(torch.zeros(3, 1)),
            "ScoreNetwork: x must have 2 features in its last dimension; got shape (3, 1). "
            "Flatten each example, and check that x and z are not swapped.",
        ),
        (
            lambda: clip_weights(nn.Linear(1, 1), 0.0),
            "clip_weights: limit must be positive and finite; got 0.0.",
        ),
        (
            lambda: gradient_penalty(
                lambda x: x[:, 0], torch.zeros(2, 1), torch.zeros(3, 1), generator=seeded()
            ),
            "gradient_penalty: real and fake must have the same shape; got real (2, 1), "
            "fake (3, 1). Nothing is broadcast here: expand the smaller one yourself if that is "
            "meant.",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ArgumentError) as caught:
        call()
    assert str(caught.value) == message


def test_clipping_moves_only_what_is_outside():
    layer = nn.Linear(2, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.5, -0.004]]))
        layer.bias.fill_(-3.0)
    clip_weights(layer, 0.01)
    assert layer.weight.tolist() == [[pytest.approx(0.01), pytest.approx(-0.004)]]
    assert layer.bias.tolist() == [pytest.approx(-0.01)]
    assert all(p.requires_grad for p in layer.parameters())


@pytest.mark.parametrize("shape", [(6, 3), (1, 3), (4, 2, 3, 5)])
def test_penalty_of_a_linear_critic(shape):
    """f(x) = ⟨a, x⟩ has the gradient a everywhere, so the penalty is (‖a‖ − 1)²."""
    a = torch.randn(shape[1:], generator=seeded(3), dtype=torch.float64)
    real, fake = torch.randn(2, *shape, generator=seeded(4), dtype=torch.float64)
    penalty = gradient_penalty(
        lambda x: (x * a).flatten(1).sum(dim=1), real, fake, generator=seeded()
    )
    torch.testing.assert_close(penalty, (a.norm() - 1).square(), **TOLERANCE)


def norm_over_channels(critic, real, fake):
    """The published mistake: on images, the norm over dimension 1 only."""
    between = (0.5 * (real + fake)).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(between).sum(), between)
    return (gradient.norm(2, dim=1) - 1).square().mean()


def test_the_norm_over_the_wrong_dimension_would_be_noticed():
    shape = (4, 2, 3, 5)
    real, fake = torch.randn(2, *shape, generator=seeded(4), dtype=torch.float64)
    a = torch.ones(shape[1:], dtype=torch.float64) / math.sqrt(30)  # norm 1: no penalty is due

    def critic(x):
        return (x * a).flatten(1).sum(dim=1)

    assert gradient_penalty(critic, real, fake, generator=seeded()) < 1e-24
    assert norm_over_channels(critic, real, fake) > 0.5


def test_penalty_is_taken_between_the_examples_and_at_each_ones_own_place():
    """With f = x²/2 the slope is the place itself: x̂ = u for real 1 and generated 0."""
    seen = []

    def critic(x):
        seen.append(x.detach())
        return x.square().sum(dim=1) / 2

    count = 1000
    penalty = gradient_penalty(
        critic, torch.ones(count, 1), torch.zeros(count, 1), generator=seeded()
    )
    (places,) = seen
    assert 0 <= places.min() < 0.01
    assert 0.99 < places.max() <= 1
    # E(u − 1)² = 1/3, standard deviation 0.298 over √1000
    assert abs(penalty - 1 / 3) < 5 * 0.298 / math.sqrt(count)


def test_penalty_reaches_the_critic_and_not_the_generator():
    critic = ScoreNetwork(2, hidden=(8,), activation=nn.Tanh)
    fake = torch.randn(5, 2, generator=seeded(), requires_grad=True)
    gradient_penalty(critic, torch.zeros(5, 2), fake, generator=seeded()).backward()
    assert all(p.grad is not None for name, p in critic.named_parameters() if "weight" in name)
    assert fake.grad is None


def test_shape_error_is_a_shape_error():
    with pytest.raises(ShapeError):
        ScoreNetwork(2)(torch.zeros(3, 5))
