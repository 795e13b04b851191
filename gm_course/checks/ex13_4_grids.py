"""Pairs of densities on grids, for the cases of exercise 13-4."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gm_course.checks.inputs import Wide, log_uniform, wide


class Grid(NamedTuple):
    """Two densities and the quadrature weights under which each has mass 1 up to rounding."""

    p1: Tensor
    p2: Tensor
    weights: Tensor


@functools.cache
def grids(dtype: torch.dtype) -> tuple[tuple[str, Grid], ...]:
    """Return labelled grids, typical ones first; made once, as all checks draw on them.

    Where both densities are positive, neither is more than a few thousand times the other, so
    that ``1 - f`` still has digits when an answer computes it from the best classifier's ``f``.
    """

    def grid(
        seed: int,
        count: int,
        *,
        width: float = 1.0,
        zeros1: tuple[int, ...] = (),
        zeros2: tuple[int, ...] = (),
    ) -> Grid:
        weights = width * log_uniform(seed, (count,), low=0.1, high=1.0, dtype=torch.float64)
        weights = weights.to(dtype)

        def density(stream: int, zeros: tuple[int, ...]) -> Tensor:
            values = log_uniform(stream, (count,), low=0.05, high=3.0, dtype=torch.float64)
            values[list(zeros)] = 0.0
            return (values / (weights.double() @ values)).to(dtype)

        return Grid(density(seed + 1, zeros1), density(seed + 2, zeros2), weights)

    typical = grid(400, 6)
    return (
        ("typical values", typical),
        ("typical values", grid(410, 9)),
        ("typical values", grid(420, 5)),
        ("two points", grid(430, 2)),
        ("one point", grid(440, 1)),
        ("a hundred points", grid(450, 100)),
        ("equal densities", typical._replace(p2=typical.p1)),
        ("densities near 1e-9", grid(460, 6, width=1e9)),
        ("densities near 1e6", grid(470, 6, width=1e-6)),
        ("one density zero in places", grid(480, 7, zeros1=(0, 3), zeros2=(2, 5))),
        ("disjoint supports", grid(490, 6, zeros1=(0, 1, 5), zeros2=(2, 3, 4))),
        ("both densities zero in places", grid(500, 8, zeros1=(1, 4), zeros2=(1, 4, 6))),
    )


def tails(dtype: torch.dtype) -> list[tuple[str, Tensor, Tensor]]:
    """Return labelled pairs of densities as they are far out, without weights."""

    def pair(seed: int, scale1: float, scale2: float) -> tuple[Tensor, Tensor]:
        p1, p2 = (
            scale * log_uniform(stream, (5,), low=0.1, high=1.0, dtype=torch.float64)
            for stream, scale in ((seed, scale1), (seed + 1, scale2))
        )
        return p1.to(dtype), p2.to(dtype)

    return [
        ("densities near 1e-30", *pair(600, 1e-30, 1e-30)),
        ("p1 near 1e-30, p2 near 1", *pair(610, 1e-30, 1.0)),
        ("p2 near 1e-30, p1 near 1", *pair(620, 1.0, 1e-30)),
    ]


def log_or_zero(values: Wide) -> Wide:
    """Return log of the positive entries, 0 for those that are zero: for p·log p and for scales."""
    return np.log(np.where(values > 0, values, 1))


def share(p1: Wide, p2: Wide) -> Wide:
    """Return p1/(p1 + p2), ½ where both are zero."""
    total = p1 + p2
    return np.where(total > 0, p1 / np.where(total > 0, total, 1), np.longdouble(0.5))


def share_scale(p1: Wide, p2: Wide) -> Wide:
    """Return the scale of the rounding errors of :func:`share`, whichever way it is computed.

    The quotient itself, or 1 minus the other one: eps. Through logarithms, exp(log p1 − log(p1 +
    p2)) or a sigmoid of log p1 − log p2: the logs err by eps of their size, the share by that
    times the share.
    """
    logs = np.abs(log_or_zero(p1)) + np.abs(log_or_zero(p2)) + np.abs(log_or_zero(p1 + p2))
    return np.asarray(1 + share(p1, p2) * logs)


def wide_grid(grid: Grid) -> tuple[Wide, Wide, Wide]:
    """Return p1, p2 and the weights in extended precision."""
    return wide(grid.p1), wide(grid.p2), wide(grid.weights)
