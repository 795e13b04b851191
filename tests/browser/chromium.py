"""The system's Chromium, which Playwright drives."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = (
    f"none of {', '.join(NAMES)} is on the PATH. Install one of them (Debian: apt-get install "
    "chromium) and run the same command again."
)


def executable() -> str | None:
    """Path of the first browser found, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def launched() -> Iterator[Browser]:
    """Start the browser, without its own sandbox for root, who is refused otherwise."""
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=options)
        yield browser
        browser.close()
