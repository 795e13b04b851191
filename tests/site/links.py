"""The links of a built site: which lead nowhere, and which lead out of it."""

from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

TARGETS = {"a": "href", "link": "href", "img": "src", "script": "src", "iframe": "src"}


@cache  # parsing all pages takes a while, and nobody changes them
def soup(page: Path) -> BeautifulSoup:
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


def links(page: BeautifulSoup) -> list[tuple[str, str]]:
    """Every link as the tag that holds it and its address."""
    return [
        (tag.name, tag[TARGETS[tag.name]])
        for tag in page.find_all(list(TARGETS))
        if tag.get(TARGETS[tag.name])
    ]


def is_local(address: str) -> bool:
    parts = urlsplit(address)
    return not parts.scheme and not parts.netloc


def broken(folder: Path) -> list[str]:
    """What is wrong with the links of the pages in a folder, one line for each.

    A link must lead to a file of the folder, and to an anchor that this file has. A link out of
    it may only be followed by hand: nothing that a page loads may come from elsewhere.
    """
    pages = {page: soup(page) for page in folder.rglob("*.html")}
    anchors = {
        page: {tag[name] for name in ("id", "name") for tag in content.find_all(attrs={name: True})}
        for page, content in pages.items()
    }
    problems = []
    for page, content in pages.items():
        name = page.relative_to(folder)
        for tag, address in links(content):
            parts = urlsplit(address)
            if not is_local(address):
                if tag != "a" and parts.scheme != "data":
                    problems.append(f"{name}: loads {address}")
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            if not target.is_relative_to(folder) or not target.is_file():
                problems.append(f"{name}: no file for {address}")
            elif parts.fragment and unquote(parts.fragment) not in anchors.get(target, ()):
                problems.append(f"{name}: no anchor for {address}")
    return problems


def external(folder: Path) -> set[str]:
    """Addresses outside the site that its pages name; nobody follows them here."""
    return {
        address
        for page in folder.rglob("*.html")
        for tag, address in links(soup(page))
        if tag == "a" and not is_local(address)
    }
