"""The system's Chromium, which Playwright drives."""

import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = (
    f"browser tests: none of {', '.join(NAMES)} is on the PATH. Install one of them (Debian: "
    "apt-get install chromium) and run make browser-test again."
)


def executable() -> str | None:
    """Path of the first browser found, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def options() -> list[str]:
    """Command-line switches; Chromium refuses to run as root with its own sandbox."""
    return ["--no-sandbox"] if os.geteuid() == 0 else []
