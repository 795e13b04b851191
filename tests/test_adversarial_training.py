"""The players of GAN and W-GAN: who moves, by which loss, and how often."""

import pytest
import torch
from torch import nn

from gm_course.adversarial_training import gan_players, wgan_players
from gm_course.data import Batches
from gm_course.errors import ArgumentError
from gm_course.gan import NoiseGenerator, ScoreNetwork, saturating_loss
from gm_course.training import Trainer


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def networks():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return NoiseGenerator(1, 1, hidden=(8,)).double(), ScoreNetwork(1, hidden=(8,)).double()


def optimisers(networks, rate=0.01):
    return [torch.optim.SGD(network.parameters(), lr=rate) for network in networks]


def data():
    return torch.randn(64, 1, generator=seeded(5), dtype=torch.float64) + 3


def copies(network):
    return [parameter.detach().clone() for parameter in network.parameters()]


def moved(network, before):
    return not all(torch.equal(p, q) for p, q in zip(network.parameters(), before, strict=True))


def test_each_loss_moves_its_own_network_only(networks):
    network, judge = networks
    first, second = optimisers(networks)
    for players in (
        gan_players(network, judge, generator_optimiser=first, discriminator_optimiser=second),
        wgan_players(network, judge, generator_optimiser=first, critic_optimiser=second),
    ):
        assert list(players)[1] == "generator"
        for player in players.values():
            before = {name: copies(n) for name, n in (("own", network), ("other", judge))}
            player.optimiser.zero_grad()
            player.loss(data(), seeded())["loss"].backward()
            player.optimiser.step()
            assert moved(network, before["own"]) == (player.module is network)
            assert moved(judge, before["other"]) == (player.module is judge)


def test_discriminator_step_gives_the_generator_no_gradient(networks):
    network, judge = networks
    first, second = optimisers(networks)
    players = gan_players(network, judge, generator_optimiser=first, discriminator_optimiser=second)
    players["discriminator"].loss(data(), seeded())["loss"].backward()
    assert all(p.grad is None for p in network.parameters())


def test_losses_are_those_of_the_chapter(networks):
    network, judge = networks
    first, second = optimisers(networks)
    players = gan_players(
        network,
        judge,
        generator_optimiser=first,
        discriminator_optimiser=second,
        generator_loss=saturating_loss,
        discriminator_steps=4,
    )
    assert players["discriminator"].repeats == 4
    real = data()
    z = torch.randn(64, 1, generator=seeded(), dtype=torch.float64)
    d_real, d_fake = judge(real).sigmoid(), judge(network(z)).sigmoid()
    value = d_real.log().mean() + (1 - d_fake).log().mean()
    found = players["discriminator"].loss(real, seeded())["loss"]
    torch.testing.assert_close(found, -value)
    found = players["generator"].loss(real, seeded())["loss"]
    torch.testing.assert_close(found, (1 - d_fake).log().mean())


def test_clipping_and_distance(networks):
    network, judge = networks
    first, second = optimisers(networks)
    players = wgan_players(
        network, judge, generator_optimiser=first, critic_optimiser=second, clip=0.02
    )
    trainer = Trainer(players, Batches(data(), 16, generator=seeded()), generator=seeded())
    history = trainer.run(3, show_progress=False)
    assert max(p.abs().max() for p in judge.parameters()) <= 0.02
    assert torch.equal(history["critic"]["distance"], -history["critic"]["loss"])
    assert players["critic"].repeats == 5


def test_penalty_is_added_to_the_loss_and_not_to_the_distance(networks):
    network, _ = networks
    critic = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Flatten(0)).double()
    nn.init.constant_(critic[0].weight, 3.0)  # slope 3: the penalty is (3 - 1)² = 4
    first, second = optimisers((network, critic))
    players = wgan_players(
        network, critic, generator_optimiser=first, critic_optimiser=second, penalty=10.0
    )
    terms = players["critic"].loss(data(), seeded())
    torch.testing.assert_close(
        terms["loss"] + terms["distance"], torch.tensor(40.0, dtype=torch.float64)
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"clip": 0.01, "penalty": 10.0},
            "wgan_players: clip or penalty must be None, because one constraint is enough; got "
            "clip=0.01 and penalty=10.0.",
        ),
        ({"clip": 0.0}, "wgan_players: clip must be positive and finite; got 0.0."),
        ({"penalty": -1.0}, "wgan_players: penalty must be positive and finite; got -1.0."),
    ],
)
def test_bad_constraints(networks, options, message):
    first, second = optimisers(networks)
    with pytest.raises(ArgumentError) as caught:
        wgan_players(*networks, generator_optimiser=first, critic_optimiser=second, **options)
    assert str(caught.value) == message


def test_a_gan_learns_a_shifted_normal(networks):
    """Killer of wrong signs: with one flipped the samples run away from the data's mean, 3."""
    network, judge = networks
    players = wgan_players(
        network,
        judge,
        generator_optimiser=torch.optim.RMSprop(network.parameters(), lr=0.02),
        critic_optimiser=torch.optim.RMSprop(judge.parameters(), lr=0.02),
        clip=0.5,
    )
    before = network.sample(2000, generator=seeded(1)).mean().item()
    trainer = Trainer(players, Batches(data(), 32, generator=seeded()), generator=seeded())
    trainer.run(150, show_progress=False)
    after = network.sample(2000, generator=seeded(1)).mean().item()
    assert abs(before - 3) > 2.5
    assert abs(after - 3) < 0.7


def test_generator_step_leaves_the_judge_as_it_was_and_without_gradients(networks):
    network, judge = networks
    first, second = optimisers(networks)
    next(judge.parameters()).requires_grad_(False)  # somebody's own choice, to be kept
    choices = [parameter.requires_grad for parameter in judge.parameters()]
    for players in (
        gan_players(network, judge, generator_optimiser=first, discriminator_optimiser=second),
        wgan_players(network, judge, generator_optimiser=first, critic_optimiser=second),
    ):
        players["generator"].loss(data(), seeded())["loss"].backward()
        assert [parameter.requires_grad for parameter in judge.parameters()] == choices
        assert all(parameter.grad is None for parameter in judge.parameters())
        assert all(parameter.grad is not None for parameter in network.parameters())
