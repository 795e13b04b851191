"""The pages show what the notebooks, the ledger and the package hold."""

import tomllib

import pytest

from gm_course.ledger.catalogue import EQUATIONS
from tests.notebook_files import ROOT, read
from tests.site.links import soup

FOLDERS = {"lectures": ("notebooks",), "exercises": ("exercises", "solutions")}
NOTEBOOKS = [
    f"{folder}/{source.stem}"
    for kind, folders in FOLDERS.items()
    for source in sorted((ROOT / "sources" / kind).glob("*.py"))
    for folder in folders
]


def outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def is_answer(cell):
    return cell.metadata.get("nbgrader", {}).get("solution", False)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_page_shows_every_stored_output(site, name):
    notebook, page = read(ROOT / f"{name}.ipynb"), soup(site / f"{name}.html")
    printed = "\n".join(block.get_text() for block in page.select(".cell_output pre"))
    for output in outputs(notebook):
        if output.output_type == "stream":
            assert output.text.strip("\n") in printed
    pictures = [output for output in outputs(notebook) if "image/png" in output.get("data", {})]
    assert len(page.select(".cell_output img")) == len(pictures)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_page_needs_no_kernel(site, name):
    html = (site / f"{name}.html").read_text()
    assert "vnd.jupyter.widget" not in html
    assert "require.js" not in html


@pytest.mark.parametrize("name", [name for name in NOTEBOOKS if name.startswith("solutions/")])
def test_answers_are_folded(site, name):
    cells = [cell for cell in read(ROOT / f"{name}.ipynb").cells if is_answer(cell)]
    page = soup(site / f"{name}.html")
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert len(page.select("details.hide")) == len(code)
    written = [
        fold for fold in page.select("details") if "Show the written answer" in fold.summary.text
    ]
    assert len(written) == len(cells) - len(code)
    assert all(len(fold.get_text()) > 500 for fold in written)  # it encloses the answer
    assert page.select("details[open]") == []


def test_the_ledger_has_a_row_for_each_equation(site):
    page = soup(site / "ledger.html")
    rows = page.select("table.ledger tbody tr")
    assert len(rows) == len(EQUATIONS) == 42
    statements = tomllib.loads((ROOT / "docs/site/ledger_statements.toml").read_text())
    for row, equation in zip(rows, EQUATIONS, strict=True):
        text = row.get_text(" ", strip=True)
        assert text.startswith(f"✓ {equation.name} {equation.section}, lecture")
        assert f"≤ {equation.tolerance:.1e}" in text
        place = f"notebooks/{equation.notebook}.html"
        assert {link["href"] for link in row.select("a")} == {
            place,
            f"{place}#equation-{equation.name}",
        }
        assert bool(row.select(".math")) == ("$" in statements[equation.name])


def test_the_start_page_leads_to_every_notebook(site):
    targets = {link["href"] for link in soup(site / "index.html").select("article a[href]")}
    assert {f"{name}.html" for name in NOTEBOOKS} <= targets


def test_the_reference_shows_signature_arguments_and_source(site):
    page = soup(site / "api/gm_course.divergences.html")
    entry = page.find(id="gm_course.divergences.gaussian_kl").parent
    text = entry.get_text(" ", strip=True)
    for part in ("gaussian_kl", "Parameters", "Returns", "Source", "Example"):
        assert part in text
