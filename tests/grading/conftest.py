"""A grader for the tests that need one; without bubblewrap they cannot run."""

import os
import shutil

import pytest

from gm_course.grading.grader import Grader


@pytest.fixture(scope="session")
def sandbox_tool():
    """Skip where bubblewrap is missing, except in CI, which has to have it."""
    if shutil.which("bwrap") is None:
        if os.environ.get("CI"):
            pytest.fail("CI needs bubblewrap: apt-get install bubblewrap")
        pytest.skip("needs bubblewrap (apt-get install bubblewrap)")


@pytest.fixture(scope="session")
def grader(sandbox_tool):
    with Grader(timeout=8) as started:
        yield started
