"""What a notebook runs on: device, threads, profile and seed, chosen in one call."""

from __future__ import annotations

import os
import random
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gm_course.errors import ArgumentError, DeviceError
from gm_course.profiles import PROFILES, Sizes

if TYPE_CHECKING:  # torch takes a second to import; `gm-course --help` should not wait for it
    import torch


@dataclass(frozen=True)
class Runtime:
    """Where and how the notebook runs; returned by :func:`setup`.

    Attributes:
        device: The torch device that models and data go to.
        threads: CPU threads torch may use inside one operation.
        profile: ``"quick"`` (minutes on a laptop, what the stored notebooks show) or ``"full"``
            (the papers' sizes, meant for a GPU).
        seed: The seed given to Python, NumPy and torch.
    """

    device: torch.device
    threads: int
    profile: str
    seed: int

    @property
    def sizes(self) -> Sizes:
        """The profile's row in the table of network sizes and training lengths."""
        return PROFILES[self.profile]

    @property
    def precise_dtype(self) -> torch.dtype:
        """Float64, or float32 where the device is Apple's MPS, which has no float64."""
        return precise_dtype(self.device)

    def generator(self, stream: int = 0) -> torch.Generator:
        """Return a fresh random generator on the device; one independent stream per number.

        Args:
            stream: Any integer ≥ 0; the same number gives the same random numbers again.
        """
        import torch

        return torch.Generator(self.device).manual_seed((self.seed << 16) + stream)


def setup(seed: int = 0) -> Runtime:
    """Prepare a notebook: seed everything, pick the device, threads and profile.

    Environment variables override the defaults: ``GM_COURSE_DEVICE`` (``cpu``, ``cuda``,
    ``cuda:1``, ``mps``; default: the best one present), ``GM_COURSE_PROFILE`` (``quick`` or
    ``full``; default ``quick``) and ``GM_COURSE_THREADS`` (default 1, the fastest setting for
    the small models of this course on shared cores).

    The profile does not choose the data: ``load_mnist`` does, by ``GM_COURSE_DATA``. Without the
    full MNIST, ``full`` trains the same large networks on the 5,000 digits that come with the
    course, and stops earlier, before the networks know these by heart.

    Args:
        seed: Whole number ≥ 0 for the global generators of Python, NumPy and torch.

    Raises:
        ArgumentError: If the seed or one of the variables is malformed.
        DeviceError: If ``GM_COURSE_DEVICE`` names a device this machine does not have.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ArgumentError(
            f"setup: seed must be a whole number from 0 to 2**32 - 1; got {seed!r}."
        )
    profile = os.environ.get("GM_COURSE_PROFILE", "quick")
    if profile not in PROFILES:
        raise ArgumentError(
            f"setup: GM_COURSE_PROFILE must be one of {', '.join(PROFILES)}; got {profile!r}."
        )
    threads = _thread_count()
    device = pick_device(os.environ.get("GM_COURSE_DEVICE"))

    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - legacy global state is what libraries still draw from
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    _show_figures_inline()
    return Runtime(device=device, threads=threads, profile=profile, seed=seed)


def pick_device(request: str | None = None) -> torch.device:
    """Return the requested device, or the best present one (CUDA, then MPS, then CPU).

    Args:
        request: ``cpu``, ``cuda``, ``cuda:N`` or ``mps``; ``None`` or ``""`` to choose.

    Raises:
        DeviceError: If the requested device is unknown or absent.
    """
    import torch

    cuda_count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    present = [f"cuda:{index}" for index in range(cuda_count)]
    if torch.backends.mps.is_available():
        present.append("mps")
    present.append("cpu")
    if not request:
        return torch.device(present[0])
    wanted = "cuda:0" if request == "cuda" else request
    if wanted not in present:
        raise DeviceError(
            f"setup: GM_COURSE_DEVICE must name a device of this machine ({', '.join(present)}); "
            f"got {request!r}. Unset the variable to use {present[0]}."
        )
    return torch.device(wanted)


def precise_dtype(device: torch.device) -> torch.dtype:
    """Return the most precise floating-point type of a device: float64, but float32 for MPS."""
    import torch

    return torch.float32 if device.type == "mps" else torch.float64


def _thread_count() -> int:
    text = os.environ.get("GM_COURSE_THREADS", "1")
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentError(
            f"setup: GM_COURSE_THREADS must be a whole number of at least 1; got {text!r}."
        )
    return int(text)


def _show_figures_inline() -> None:
    """Let a notebook display a matplotlib Figure that is a cell's last expression."""
    if "IPython" not in sys.modules:
        return
    from IPython import get_ipython

    shell = get_ipython()
    if shell is not None and hasattr(shell, "kernel"):
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("png")
