"""What every lecture must have: claims that hold, figures, an explorer, questions, references."""

import re
from itertools import pairwise

import pytest

from gm_course.notebooks.execution import WIDGET_VIEW
from tests.notebook_files import ROOT, read

STEMS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
LECTURES = [stem for stem in STEMS if not stem.startswith("00-")]
MUSEUM = ("05", "06", "08", "09")
CHINESE = re.compile(r"[\u4e00-\u9fff]+")

each_notebook = pytest.mark.parametrize("stem", STEMS)
each_lecture = pytest.mark.parametrize("stem", LECTURES)


def cells(stem, kind):
    notebook = read(ROOT / "notebooks" / f"{stem}.ipynb")
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def prose(stem):
    return "\n\n".join(cell.source for cell in cells(stem, "markdown"))


def outputs(stem):
    return [output for cell in cells(stem, "code") for output in cell.outputs]


def test_the_course_has_all_its_lectures():
    assert [stem[:2] for stem in STEMS] == [f"{number:02}" for number in range(11)]


@each_notebook
def test_every_claim_holds(stem):
    printed = "".join(output.get("text", "") for output in outputs(stem))
    assert "✗" not in printed
    assert printed.count("✓") >= (5 if stem.startswith("00") else 15)


def test_at_most_15_percent_of_the_cells_are_not_compared():
    code = [cell for stem in STEMS for cell in cells(stem, "code")]
    ignored = [c for c in code if "nbval-ignore-output" in c.metadata.get("tags", [])]
    assert len(ignored) <= 0.15 * len(code)


@each_lecture
def test_the_parts_of_a_lecture(stem):
    text = prose(stem)
    assert re.match(rf"# {int(stem[:2])} · ", text)
    assert len(set(CHINESE.findall(text))) >= 5
    assert "**After this lecture you will be able to**" in text
    assert "**You need**" in text
    assert "What to see." in text
    titles = re.findall(r"^## (.+)$", text, re.MULTILINE)
    for title in ("What commonly goes wrong", "Questions", "Summary", "References"):
        assert any(found.startswith(title) for found in titles), title
    numbers = [int(title.split(" ")[0]) for title in titles if title[0].isdigit()]
    assert numbers == list(range(1, len(numbers) + 1))
    questions = text[text.index("## Questions") :]
    assert questions.count("<details>") == questions.count("</details>") >= 3


@each_lecture
def test_references_name_authors_title_and_year(stem):
    references = prose(stem).rpartition("## References")[2]
    entries = re.findall(r"^- (.+(?:\n  .+)*)$", references, re.MULTILINE)
    assert entries
    for entry in entries:
        assert re.search(r"\*[^*]+\*", entry), entry
        assert re.search(r"\b(19|20)\d\d\b", entry), entry


@each_lecture
def test_there_is_an_explorer_that_shows_something_without_a_kernel(stem):
    explorers = [o for o in outputs(stem) if WIDGET_VIEW in o.get("data", {})]
    assert explorers
    for output in explorers:
        assert output.data["text/plain"].startswith("explorer with ")
        assert len(output.data["image/png"]) > 1_000


@each_lecture
def test_there_are_figures(stem):
    assert sum("image/png" in output.get("data", {}) for output in outputs(stem)) >= 4


@pytest.mark.parametrize("stem", [stem for stem in STEMS if stem[:2] in MUSEUM])
def test_the_failure_museum_prints_the_normal_range(stem):
    assert "Failure museum" in prose(stem)
    printed = "".join(output.get("text", "") for output in outputs(stem))
    assert "over 5 seeds" in printed


@each_notebook
def test_links_lead_somewhere(stem):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose(stem)):
        assert (ROOT / "notebooks" / target).exists(), target


def test_the_start_page_lists_the_lectures_in_order():
    start = prose("00-start-here")
    positions = [start.index(f"({stem}.ipynb)") for stem in LECTURES]
    assert all(first < second for first, second in pairwise(positions))


@each_notebook
def test_no_code_cell_is_longer_than_a_screen(stem):
    for cell in cells(stem, "code"):
        assert len(cell.source.splitlines()) <= 40, cell.source
