"""The figures README shows are those that the benchmarks stored."""

import json
import re

import pytest

from benchmarks import likelihood, modes
from benchmarks.training.tables import tables
from tests.notebook_files import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = ROOT / "benchmarks" / "results"


def markdown_tables(text: str) -> list[str]:
    return re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)


@pytest.mark.parametrize("name", ["training", "modes", "likelihood"])
def test_readme_shows_the_stored_tables(name):
    stored = markdown_tables((RESULTS / f"{name}.md").read_text(encoding="utf-8"))
    shown = [table for table in stored if table in README]
    assert shown == [table for table in stored if not table.startswith("| ring")]


@pytest.mark.parametrize(
    ("name", "make_tables"),
    [("training", tables), ("modes", modes.tables), ("likelihood", likelihood.table)],
)
def test_stored_tables_are_those_of_the_stored_figures(name, make_tables):
    stored = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    assert (RESULTS / f"{name}.md").read_text(encoding="utf-8") == make_tables(stored)
