"""One server and one browser for all browser tests; a picture of the page after each of them."""

import re

import pytest

from tests.browser import chromium
from tests.browser.latency import Latencies
from tests.browser.server import running_lab
from tests.notebook_files import ROOT

SCREENSHOTS = ROOT / "build" / "browser"
LATENCIES = pytest.StashKey[Latencies]()


def pytest_configure(config):
    if chromium.executable() is None:
        pytest.exit(f"browser tests: {chromium.MISSING}", returncode=2)
    config.stash[LATENCIES] = Latencies()


def pytest_terminal_summary(terminalreporter, config):
    for line in config.stash[LATENCIES].table():
        terminalreporter.write_line(line)
    terminalreporter.write_line(f"screenshots: {SCREENSHOTS.relative_to(ROOT)}")


@pytest.fixture
def latencies(pytestconfig):
    """Where the explorers' reaction times are collected."""
    return pytestconfig.stash[LATENCIES]


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """The address of a running JupyterLab."""
    with running_lab(tmp_path_factory.mktemp("lab")) as address:
        yield address


@pytest.fixture(scope="session")
def browser():
    with chromium.launched() as browser:
        yield browser


@pytest.fixture
def keep_screenshot(browser):
    """Save the page as it stands now under a name."""

    def keep(name):
        for context in browser.contexts:
            for page in context.pages:
                page.screenshot(path=SCREENSHOTS / f"{name}.png")

    return keep


@pytest.fixture(autouse=True)
def last_screenshot(request, keep_screenshot):
    """Keep a picture of the page as the test left it, passed or failed."""
    yield
    keep_screenshot(re.sub(r"[^\w-]+", "-", request.node.name).strip("-"))
