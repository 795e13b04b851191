"""File names for the pages of submissions, whatever the submissions are called."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePath
from unicodedata import category, normalize

_MAX_STEM_BYTES = 80
# The summary, and what Windows takes for a device, whatever the ending.
_RESERVED = {
    *("index", "con", "prn", "aux", "nul"),
    *(f"{port}{number}" for port in ("com", "lpt") for number in range(10)),
}
# Letters and marks that are not seen: some file systems take names that differ in them for one.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)


def page_names(names: Iterable[str]) -> dict[str, str]:
    """Return the page's file name for each submission, of letters and digits with hyphens.

    They differ on file systems that do not mind case or how a letter is composed, too, and have at
    most some 90 bytes in UTF-8.

    Example:
        >>> page_names(["a/作业 一.ipynb", "a/x_1.ipynb", "b/X 1.ipynb", "index.ipynb"]).values()
        dict_values(['作业-一.html', 'x-1.html', 'X-1-2.html', 'index-2.html'])
    """
    pages: dict[str, str] = {}
    taken = set(_RESERVED)
    numbers: dict[str, int] = {}
    for name in dict.fromkeys(names):
        stem = page = page_stem(name)
        while _folded(page) in taken:
            numbers[_folded(stem)] = numbers.get(_folded(stem), 1) + 1
            page = f"{stem}-{numbers[_folded(stem)]}"
        taken.add(_folded(page))
        pages[name] = f"{page}.html"
    return pages


def page_stem(name: str) -> str:
    """Return the letters, marks and digits of a file's name, with hyphens for what is between."""
    stem = ""
    for character in _UNSEEN.sub("", PurePath(name).stem):
        is_inside = stem != "" and stem[-1] != "-"
        if character.isalnum() or (is_inside and category(character) in ("Mn", "Mc")):
            stem += character
        elif is_inside:
            stem += "-"
    cut = normalize("NFC", stem).encode()[:_MAX_STEM_BYTES].decode(errors="ignore")
    return cut.rstrip("-") or "submission"


def _folded(stem: str) -> str:
    """Return what is the same for all names that some file system takes for one."""
    return normalize("NFKD", normalize("NFKD", stem).upper().casefold())
