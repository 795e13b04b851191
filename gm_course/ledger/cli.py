"""The command ``gm-course ledger``."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gm_course.errors import ArgumentError
from gm_course.files import replace_file

if TYPE_CHECKING:  # loads torch, and `gm-course --help` should not wait for it
    from gm_course.ledger.equation import Row


@click.command()
@click.option(
    "--json",
    "json_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the rows to this file.",
)
def ledger(json_file: Path | None) -> None:
    """Check every equation of the chapter.

    Each is compared with an independent oracle. The columns are the equation's name, the chapter's
    section, the lecture that shows it, the largest error and the tolerance.

    Exit status: 0 every equation holds, 1 one does not or FILE cannot be written, 2 wrong usage.
    """
    import gm_course
    from gm_course.ledger.catalogue import EQUATIONS

    gm_course.setup()  # for the thread count: with several, tensors as small as these are slow
    rows = [equation.check() for equation in EQUATIONS]
    for line in table(rows):
        click.echo(line)
    if json_file is not None:
        write_json(json_file, rows)
    if not all(row.passed for row in rows):
        raise click.exceptions.Exit(1)


def table(rows: Sequence[Row]) -> list[str]:
    """Return a line for each row, in columns, and one that counts them."""
    name, section, notebook = (
        max(len(getattr(row, field)) for row in rows) for field in ("name", "section", "notebook")
    )
    lines = [
        f"{'✓' if row.passed else '✗'} {row.name:<{name}}  {row.section:<{section}}  "
        f"{row.notebook:<{notebook}}  {row.error:8.1e} {'≤' if row.passed else '>'} "
        f"{row.tolerance:.1e}"
        for row in rows
    ]
    return [*lines, f"{sum(row.passed for row in rows)} of {len(rows)} equations hold"]


def write_json(file: Path, rows: Sequence[Row]) -> None:
    """Write the rows as a list of objects; an error that is no finite number becomes null.

    Raises:
        ArgumentError: If the file cannot be written; an older one is then untouched.
    """
    entries = [
        {**asdict(row), "error": row.error if math.isfinite(row.error) else None} for row in rows
    ]
    text = json.dumps(entries, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        replace_file(file, [text.encode(), b"\n"])
    except OSError as error:
        raise ArgumentError(
            f"ledger: --json must name a file that can be written; got {file} ({error.strerror}). "
            "Choose a folder that exists and is yours."
        ) from error
