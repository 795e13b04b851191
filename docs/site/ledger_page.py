"""The equation ledger as a page: a row for each equation, which links to where it is shown."""

from __future__ import annotations

import tomllib
from itertools import groupby
from pathlib import Path

from gm_course.ledger.equation import Equation

STATEMENTS = Path(__file__).with_name("ledger_statements.toml")


def page(equations: tuple[Equation, ...], titles: dict[str, str]) -> str:
    """Check the equations and return the page, in MyST Markdown.

    Args:
        equations: The catalogue, in the chapter's order.
        titles: The title of each lecture by the stem of its notebook.

    Raises:
        ValueError: If the statements are not those of the equations.
    """
    statements = tomllib.loads(STATEMENTS.read_text(encoding="utf-8"))
    difference = statements.keys() ^ {equation.name for equation in equations}
    if difference:
        raise ValueError(
            f"{STATEMENTS.name} must have a statement for each equation of the ledger and no "
            f"other; these differ: {', '.join(sorted(difference))}."
        )
    rows = {equation.name: equation.check() for equation in equations}
    lines = [
        "# The equation ledger",
        "",
        f"The chapter has {len(equations)} named equations. Each is compared with an *oracle*, an "
        "independent way to the same result, and each check is known to reject plausible wrong "
        f"versions of its equation. When this site was built, **"
        f"{sum(row.passed for row in rows.values())} of {len(rows)} held**.",
        "",
        "A name leads to the place in the lecture that shows the equation. The error is the "
        "largest deviation from the oracle; what it measures stands below it. "
        "`gm-course ledger` repeats all of this on your computer.",
    ]
    for notebook, group in groupby(equations, key=lambda equation: equation.notebook):
        lines += [
            "",
            f"## Lecture {titles[notebook]}",
            "",
            "```{list-table}",
            ":header-rows: 1",
            ":class: ledger",
            ":widths: 24 46 30",
            "",
            "* - equation",
            "  - statement",
            "  - error and tolerance",
        ]
        for equation in group:
            row = rows[equation.name]
            verdict = "[✓]{.holds}" if row.passed else "[✗]{.fails}"
            lines += [
                f"* - {verdict} [[`{row.name}`](#equation-{row.name})]{{#ledger-{row.name}}}",
                "",
                f"    {row.section}, [lecture {int(notebook[:2])}](notebooks/{notebook}.ipynb)",
                f"  - {statements[row.name]}",
                f"  - {row.error:.1e} {'≤' if row.passed else '>'} {row.tolerance:.1e}",
                "",
                f"    {_plain(equation.measure)}; oracle: {_plain(equation.oracle)}",
            ]
        lines.append("```")
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """The text with the characters escaped that Markdown would take for its own."""
    return "".join(
        f"\\{character}" if character in "\\`*_[]<>$" else character for character in text
    )
