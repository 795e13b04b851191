"""Build the site: ``python docs/site/build.py OUT``.

The sources of the pages are put together in a folder of their own beside OUT, because Sphinx reads
one folder: what lies here, the notebooks as pages, and the ledger. Then Sphinx runs; a warning is
an error. A source is only written when it changed, so a second build renders only what changed.

Exit status: 0 the site was built, 1 Sphinx found something wrong, 2 wrong usage.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import ledger_page
import nbformat
import notebook_pages
from sphinx.cmd.build import main as sphinx

import gm_course
from gm_course.ledger.catalogue import EQUATIONS

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def main() -> int:
    """Put the sources together and run Sphinx on them."""
    parser = argparse.ArgumentParser(description="Build the site of the course.")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder for the HTML")
    out = parser.parse_args().out.resolve()
    source = out.with_name(f"{out.name}-source")
    gm_course.setup()  # for the thread count: with several, the ledger's small tensors are slow
    stage(source)
    options = ["--fail-on-warning", "--nitpicky", "--quiet", "--conf-dir", str(HERE)]
    return int(sphinx([*options, "--builder", "html", str(source), str(out)]))


def stage(source: Path) -> None:
    """Write the source of every page into a folder, and remove sources that are no more."""
    own = [*HERE.glob("*.md"), *HERE.glob("*.rst")]
    files = {file.relative_to(HERE): file.read_bytes() for file in own}
    files[Path("latent-manifold.png")] = (ROOT / "docs/images/latent-manifold.png").read_bytes()
    titles = {}
    for file in built_notebooks():
        names = [equation.name for equation in EQUATIONS if equation.notebook == file.stem]
        page = notebook_pages.page(file, names)
        titles[file.stem] = page.cells[0].source.partition("\n")[0].lstrip("# ")
        files[file.relative_to(ROOT)] = nbformat.writes(page).encode()
    files[Path("ledger.md")] = ledger_page.page(EQUATIONS, titles).encode()

    for file, content in files.items():
        target = source / file
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_bytes() != content:
            target.write_bytes(content)
    for file in source.rglob("*"):  # those that Sphinx generated for the reference, too
        if file.is_file() and file.relative_to(source) not in files:
            file.unlink()


def built_notebooks() -> list[Path]:
    """The course's notebooks, without those that a reader may have put beside them."""
    folders = {"lectures": ("notebooks",), "exercises": ("exercises", "solutions")}
    return [
        ROOT / folder / f"{source.stem}.ipynb"
        for kind, targets in folders.items()
        for source in sorted(ROOT.glob(f"sources/{kind}/*.py"))
        for folder in targets
    ]


if __name__ == "__main__":
    raise SystemExit(main())
