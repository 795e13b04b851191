"""Settings for the tests of the checks."""

import pytest

# It is no test file itself, but its assertions should explain themselves, too.
pytest.register_assert_rewrite("tests.checks.corpus_tests")
