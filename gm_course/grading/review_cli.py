"""The command ``gm-course review``."""

from __future__ import annotations

from pathlib import Path

import click

from gm_course.files import real_path

# What the command needs is imported when it runs; `gm-course --help` should not wait for it.

_INPUT = click.Path(exists=True, dir_okay=False, path_type=Path)
_OUTPUT = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("results", metavar="RESULTS.json", type=_INPUT)
@click.argument("tables", metavar="POINTS.csv...", nargs=-1, required=True, type=_INPUT)
@click.option(
    "--json", "json_file", metavar="FILE", type=_OUTPUT, help="Write the final scores as JSON."
)
@click.option(
    "--csv",
    "csv_file",
    metavar="FILE",
    type=_OUTPUT,
    help="Write a table for a spreadsheet, one row per submission.",
)
@click.pass_context
def review(
    context: click.Context,
    results: Path,
    tables: tuple[Path, ...],
    json_file: Path | None,
    csv_file: Path | None,
) -> None:
    """Merge points for written answers into final scores.

    RESULTS.json is what `gm-course grade --json` wrote. POINTS.csv are the tables points.csv of
    `gm-course grade --feedback`, filled in, or what the feedback pages save; several assistants
    may each have their own. A row without points means that the answer is not reviewed yet.

    Exit status: 0 all written answers are reviewed, 1 some are not (they are listed, and the
    output is written all the same) or the input is wrong (nothing is written), 2 wrong usage.
    """
    taken = [real_path(table) for table in (results, *tables)]
    for option, file in (("--json", json_file), ("--csv", csv_file)):
        if file is None:
            continue
        try:
            target = real_path(file)
        except OSError as error:
            raise click.BadParameter(f"{error}.", param_hint=option) from error
        if target in taken:
            raise click.BadParameter(f"{str(file)!r} would be overwritten.", param_hint=option)
        taken.append(target)
    from gm_course.grading.review import merge_points, read_points, read_results, write_final_csv
    from gm_course.grading.tables import write_json

    entries = read_results(results)
    merged = merge_points(entries, [row for table in tables for row in read_points(table)])
    if json_file is not None:
        write_json(json_file, merged.entries)
    if csv_file is not None:
        write_final_csv(csv_file, merged)
    for submission, name in merged.waiting:
        click.echo(f"needs review: {submission!r} {name}")
    final = sum(entry["final_score"] is not None for entry in merged.entries)
    ungraded = sum(entry["status"] != "graded" for entry in merged.entries)
    note = f"; {ungraded} could not be graded" if ungraded else ""
    click.echo(f"{final} of {len(merged.entries)} submissions have a final score{note}")
    context.exit(1 if merged.waiting else 0)
