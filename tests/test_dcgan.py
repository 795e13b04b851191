"""DCGAN's networks against what the chapter says of them (13.3.4), layer by layer.

The rules are tested on networks of every kind of size; each has a killer: a network in which one
rule is broken must be noticed by the same test.
"""

import re

import pytest
import torch
from torch import nn

from gm_course.dcgan import DCGANDiscriminator, DCGANGenerator
from gm_course.errors import ArgumentError, ShapeError

SMALL = {"image_size": 16, "image_channels": 1, "base_width": 4}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def kinds(network):
    return [type(layer).__name__ for layer in network.layers]


def shapes_along(network, x):
    """Shape of every layer's output, by name, without computing any number."""
    shapes = {}
    for name, layer in network.layers.named_children():
        x = layer(x)
        shapes[name] = tuple(x.shape[1:])
    return shapes


# --- the chapter's size ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chapter():
    # The meta device has shapes and no numbers: nothing of the 25 million weights is computed.
    with torch.device("meta"):
        return DCGANGenerator(), DCGANDiscriminator()


def test_the_chapters_generator(chapter):
    network, _ = chapter
    shapes = shapes_along(network, torch.empty(2, 100, device="meta"))
    assert shapes["reshape"] == (1024, 4, 4)
    assert [shapes[f"up_{side}"] for side in (8, 16, 32, 64)] == [
        (512, 8, 8), (256, 16, 16), (128, 32, 32), (3, 64, 64),
    ]  # fmt: skip
    block = ["BatchNorm2d", "ReLU", "ConvTranspose2d"]
    assert kinds(network) == ["Linear", "Unflatten", *block * 4, "Tanh"]


def test_the_chapters_discriminator(chapter):
    _, network = chapter
    shapes = shapes_along(network, torch.empty(2, 3, 64, 64, device="meta"))
    assert [shapes[f"down_{side}"] for side in (32, 16, 8, 4)] == [
        (128, 32, 32), (256, 16, 16), (512, 8, 8), (1024, 4, 4),
    ]  # fmt: skip
    assert shapes["logit_1"] == (1, 1, 1)
    block = ["Conv2d", "BatchNorm2d", "LeakyReLU"]
    assert kinds(network) == ["Conv2d", "LeakyReLU", *block * 3, "Conv2d"]
    slopes = {m.negative_slope for m in network.modules() if isinstance(m, nn.LeakyReLU)}
    assert slopes == {0.2}


def test_parameter_counts(chapter):
    # By hand: weights of the linear layer and the convolutions (16 = 4 · 4 kernel entries), scale
    # and offset per normalised channel, offsets of the layers without normalisation.
    generator_weights = 100 * 16_384 + 16 * (1024 * 512 + 512 * 256 + 256 * 128 + 128 * 3)
    assert count(chapter[0]) == generator_weights + 2 * (1024 + 512 + 256 + 128) + 3
    discriminator_weights = 16 * (3 * 128 + 128 * 256 + 256 * 512 + 512 * 1024 + 1024)
    assert count(chapter[1]) == discriminator_weights + 2 * (256 + 512 + 1024) + 128 + 1


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


# --- any size -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [8, 16, 32, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_sizes_fit_together(size, channels):
    options = {"image_size": size, "image_channels": channels, "base_width": 2}
    images = DCGANGenerator(noise_dim=7, **options).sample(3, generator=seeded())
    assert images.shape == (3, channels, size, size)
    assert DCGANDiscriminator(**options)(images).shape == (3,)


@pytest.mark.parametrize("batch", [1, 2])
def test_small_batches_pass(batch):
    # The smallest normalised maps are 4 × 4, so one image suffices even in training mode.
    network = DCGANGenerator(**SMALL)
    logits = DCGANDiscriminator(**SMALL)(network.sample(batch, generator=seeded()))
    assert logits.shape == (batch,)
    assert logits.isfinite().all()


def test_images_stay_within_the_range_of_tanh():
    network = DCGANGenerator(**SMALL)
    with torch.no_grad():
        network.layers.up_16.weight.mul_(1e4)
        images = network.sample(8, generator=seeded())
    low, high = images.aminmax()
    assert (low, high) == (-1, 1)  # saturated at both ends, never beyond


def test_every_parameter_gets_a_gradient():
    network, judge = DCGANGenerator(**SMALL), DCGANDiscriminator(**SMALL)
    judge(network.sample(4, generator=seeded())).square().sum().backward()
    for name, parameter in [*network.named_parameters(), *judge.named_parameters()]:
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_an_offset_before_a_normalisation_would_be_dead():
    # Why those layers have none: in training mode the normalisation subtracts it again.
    layers = nn.Sequential(nn.Conv2d(1, 2, 3, bias=True), nn.BatchNorm2d(2)).double()
    x = torch.randn(4, 1, 6, 6, generator=seeded(), dtype=torch.float64)
    layers(x).pow(3).sum().backward()
    # Zero up to rounding: terms below 1e3, eps 2e-16.
    assert layers[0].bias.grad.abs().max() < 1e-10
    assert layers[0].weight.grad.abs().max() > 1e-3


def test_the_sample_is_the_network_at_its_noise():
    network = DCGANGenerator(**SMALL).eval()
    noise = torch.randn(3, 100, generator=seeded(5))
    assert torch.equal(network.sample(3, generator=seeded(5)), network(noise))


def test_sampling_follows_the_networks_precision():
    assert DCGANGenerator(**SMALL).double().sample(2, generator=seeded()).dtype == torch.float64


def test_in_evaluation_mode_images_do_not_depend_on_their_companions():
    network = DCGANGenerator(**SMALL).double()
    noise = torch.randn(6, 100, generator=seeded(), dtype=torch.float64)
    with torch.no_grad():
        network(noise)  # moves the running averages away from their start
        companions = network(noise)[:2], network(noise[:2])
        network.eval()
        alone = network(noise)[:2], network(noise[:2])
    # Rounding only, of sums of at most 32 terms below 1.
    torch.testing.assert_close(*alone, rtol=0, atol=1e-12)
    with pytest.raises(AssertionError):  # killer: training mode
        torch.testing.assert_close(*companions, rtol=0, atol=1e-12)


# --- initial weights ------------------------------------------------------------------------------


@pytest.mark.parametrize("network_class", [DCGANGenerator, DCGANDiscriminator])
def test_initial_weights(network_class):
    network = network_class(image_size=32, base_width=32, generator=seeded())
    weights = torch.cat([
        layer.weight.flatten()
        for layer in network.modules()
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)
    ])  # fmt: skip
    # Over 160,000 draws: the mean's standard error is 0.02/√n, that of the std 0.02/√(2n).
    standard_error = 0.02 / len(weights) ** 0.5
    assert len(weights) > 160_000
    assert abs(weights.mean()) < 5 * standard_error
    assert abs(weights.std() - 0.02) < 5 * standard_error / 2**0.5
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            assert (layer.weight == 1).all()
        if getattr(layer, "bias", None) is not None:
            assert (layer.bias == 0).all()


def test_torchs_own_initial_weights_would_be_noticed():
    # Killer: uniform with std 1/√(3·fan_in), here 0.036 for 256 inputs.
    assert abs(nn.Conv2d(16, 8, 4).weight.std() - 0.02) > 0.005


@pytest.mark.parametrize("network_class", [DCGANGenerator, DCGANDiscriminator])
def test_the_generator_decides_the_weights(network_class):
    first, again, other = (
        network_class(**SMALL, generator=seeded(seed)).state_dict() for seed in (1, 1, 2)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    changed = {name for name in first if not torch.equal(first[name], other[name])}
    named = network_class(**SMALL).layers.named_children()
    weight_layers = [
        n for n, m in named if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)
    ]
    assert changed == {f"layers.{name}.weight" for name in weight_layers}


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("network_class", [DCGANGenerator, DCGANDiscriminator])
@pytest.mark.parametrize("size", [4, 12, 28, 63])
def test_sizes_that_do_not_double_up(network_class, size):
    message = (
        f"{network_class.__name__}: image_size must be a power of two of at least 8; got {size}. "
        "Pad or resize the images (28 × 28 digits fit into 32 × 32)."
    )
    with pytest.raises(ArgumentError, match=f"^{re.escape(message)}$"):
        network_class(image_size=size)


@pytest.mark.parametrize("name", ["image_size", "image_channels", "base_width", "noise_dim"])
def test_counts_are_checked(name):
    message = f"DCGANGenerator: {name} must be a whole number of at least 1; got 0."
    with pytest.raises(ArgumentError, match=f"^{re.escape(message)}$"):
        DCGANGenerator(**{**SMALL, name: 0})


def test_noise_of_the_wrong_shape():
    message = (
        "DCGANGenerator: z must have shape (batch, features); got (100,). "
        "Flatten each example, or add a batch dimension with x[None]."
    )
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        DCGANGenerator(**SMALL)(torch.zeros(100))


@pytest.mark.parametrize("shape", [(5, 256), (5, 1, 28, 28), (5, 3, 16, 16), (1, 16, 16)])
def test_images_of_the_wrong_shape(shape):
    message = (
        f"DCGANDiscriminator: x must have shape (batch, 1, 16, 16); got {shape}. Turn flat images "
        "into (batch, channels, side, side) with .reshape; other sizes need another image_size."
    )
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        DCGANDiscriminator(**SMALL)(torch.zeros(shape))
