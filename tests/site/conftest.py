"""One build of the site and one browser for all of its tests."""

import subprocess
import sys

import pytest

from tests.browser import chromium
from tests.notebook_files import ROOT
from tests.site.browsing import served


def pytest_configure():
    if chromium.executable() is None:
        pytest.exit(f"site tests: {chromium.MISSING}", returncode=2)


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the built site."""
    out = tmp_path_factory.mktemp("build") / "site"
    command = [sys.executable, str(ROOT / "docs/site/build.py"), str(out)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, f"the site was not built:\n{result.stdout}{result.stderr}"
    return out


@pytest.fixture(scope="session")
def browser():
    with chromium.launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def address(site):
    with served(site) as address:
        yield address
