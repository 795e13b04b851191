"""Gathering a process's memory in large pages, so that forking it is cheap.

A fork copies one table entry per page: one for 2 MiB then, instead of 512. With the libraries
loaded this saves about a sixth of the time that a submission takes.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

_MADV_COLLAPSE = 25  # since Linux 6.1; the mmap module has no name for it
_LARGE = 2 * 2**20


def gather_pages() -> None:
    """Put this process's heap and anonymous memory into large pages, where the kernel can."""
    libc = ctypes.CDLL(None)
    for line in Path("/proc/self/maps").read_text().splitlines():
        place, rights, *_, name = f"{line} ".split(" ", maxsplit=5)
        if rights != "rw-p" or name.strip() not in ("", "[heap]"):
            continue
        start, end = (int(address, 16) for address in place.split("-"))
        start, end = -(-start // _LARGE) * _LARGE, end // _LARGE * _LARGE
        if start < end:
            # What cannot be gathered stays as it is.
            libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_COLLAPSE)
