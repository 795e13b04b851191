"""VAE and DCGAN as most people train them, in the structure of PyTorch's own examples.

A torchvision dataset converts one picture after another, a DataLoader collates them, the optimiser
is the default one, and the losses are fetched with ``.item()`` at every step. Each function is an
endless training that yields after every step.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader
from torchvision import datasets, transforms


class UsualVAE(nn.Module):
    """The 784-400-20-400-784 network."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(784, 400)
        self.mean = nn.Linear(400, 20)
        self.log_var = nn.Linear(400, 20)
        self.decoder_hidden = nn.Linear(20, 400)
        self.decoder_out = nn.Linear(400, 784)

    def forward(self, x):
        """Return probabilities (B, 784), and mean and log-variance of the code, (B, 20) each."""
        h = functional.relu(self.hidden(x))
        mean, log_var = self.mean(h), self.log_var(h)
        z = mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)
        decoded = functional.relu(self.decoder_hidden(z))
        return torch.sigmoid(self.decoder_out(decoded)), mean, log_var


def train_vae(folder: Path, batch_size: int, device: torch.device) -> Iterator[None]:
    """Train the VAE on the digits under ``folder``; yield after each step."""
    dataset = datasets.MNIST(str(folder), train=True, transform=transforms.ToTensor())
    loader = DataLoader(dataset, batch_size=batch_size, shuffle=True)
    model = UsualVAE().to(device)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    model.train()
    while True:
        total = 0.0
        for images, _labels in loader:
            x = images.to(device).view(-1, 784)
            optimiser.zero_grad()
            probabilities, mean, log_var = model(x)
            cross_entropy = functional.binary_cross_entropy(probabilities, x, reduction="sum")
            kl = -0.5 * torch.sum(1 + log_var - mean.pow(2) - log_var.exp())
            loss = cross_entropy + kl
            loss.backward()
            total += loss.item()
            optimiser.step()
            yield


def generator_network(width: int) -> nn.Sequential:
    """100 numbers of noise to 64 × 64 grey pictures."""

    def doubling(width_in, width_out):
        return [
            nn.ConvTranspose2d(width_in, width_out, 4, 2, 1, bias=False),
            nn.BatchNorm2d(width_out),
            nn.ReLU(True),
        ]

    return nn.Sequential(
        nn.ConvTranspose2d(100, 8 * width, 4, 1, 0, bias=False),
        nn.BatchNorm2d(8 * width),
        nn.ReLU(True),
        *doubling(8 * width, 4 * width),
        *doubling(4 * width, 2 * width),
        *doubling(2 * width, width),
        nn.ConvTranspose2d(width, 1, 4, 2, 1, bias=False),
        nn.Tanh(),
    )


def discriminator_network(width: int) -> nn.Sequential:
    """64 × 64 grey pictures to the probability of being real."""

    def halving(width_in, width_out):
        return [
            nn.Conv2d(width_in, width_out, 4, 2, 1, bias=False),
            nn.BatchNorm2d(width_out),
            nn.LeakyReLU(0.2, inplace=True),
        ]

    return nn.Sequential(
        nn.Conv2d(1, width, 4, 2, 1, bias=False),
        nn.LeakyReLU(0.2, inplace=True),
        *halving(width, 2 * width),
        *halving(2 * width, 4 * width),
        *halving(4 * width, 8 * width),
        nn.Conv2d(8 * width, 1, 4, 1, 0, bias=False),
        nn.Sigmoid(),
    )


def train_dcgan(folder: Path, batch_size: int, width: int, device: torch.device) -> Iterator[None]:
    """Train a DCGAN on the digits under ``folder``, enlarged to 64 × 64; yield after each step."""
    steps = [transforms.Resize(64), transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))]
    dataset = datasets.MNIST(str(folder), train=True, transform=transforms.Compose(steps))
    loader = DataLoader(dataset, batch_size=batch_size, shuffle=True, num_workers=2)
    generator = generator_network(width).to(device)
    discriminator = discriminator_network(width).to(device)
    criterion = nn.BCELoss()
    optimiser_g = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    optimiser_d = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    while True:
        losses = []
        for images, _labels in loader:
            real = images.to(device)
            ones = torch.ones(len(real), device=device)
            zeros = torch.zeros(len(real), device=device)
            discriminator.zero_grad()
            loss_real = criterion(discriminator(real).view(-1), ones)
            loss_real.backward()
            fake = generator(torch.randn(len(real), 100, 1, 1, device=device))
            loss_fake = criterion(discriminator(fake.detach()).view(-1), zeros)
            loss_fake.backward()
            optimiser_d.step()

            generator.zero_grad()
            loss_g = criterion(discriminator(fake).view(-1), ones)
            loss_g.backward()
            optimiser_g.step()
            losses.append(((loss_real + loss_fake).item(), loss_g.item()))
            yield
