"""Finding the formulas in Markdown, as a notebook does.

They are taken out before Markdown is parsed: a bar in a formula then ends no table cell, a line of
it that begins with a minus is no list. (The plugins of markdown-it find formulas while parsing and
differ from the notebook there.)
"""

from __future__ import annotations

import re

PLACES = re.compile("\ue000([0-9]+)\ue001")  # private-use characters mark where a formula was
_PLACE = "\ue000{}\ue001"
_PRIVATE = str.maketrans({"\ue000": "\ufffd", "\ue001": "\ufffd"})

_MARKS = re.compile(
    r"""
      (?P<code> ^[ \t>]* (?P<fence>`{3,}|~{3,}) .*? (?: ^[ \t>]* (?P=fence) [`~]* [ \t]* $ | \Z )
      | (?<!`) (?P<ticks>`+) (?!`) (?: (?!\n[ \t]*\n) . )+? (?<!`) (?P=ticks) (?!`) )
    | (?P<environment> \\(?P<side>begin|end) [ ]* \{ (?P<name>[A-Za-z]+\*?) \} )
    | \\. | \$\$? | [{}] | \n[ \t]*\n
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)


def take_out_formulas(text: str) -> tuple[str, list[str]]:
    r"""Return the text with places in lieu of formulas, and the formulas with their delimiters.

    A place is a match of :data:`PLACES`; its group is the formula's index. Formulas are ``$…$``,
    ``$$…$$`` and environments; code has none.

    Example:
        >>> text, formulas = take_out_formulas("So $x > 0$, in code `$x$`.")
        >>> PLACES.sub("_", text), formulas
        ('So _, in code `$x$`.', ['$x > 0$'])
    """
    text = text.translate(_PRIVATE)
    pieces: list[str] = []
    formulas: list[str] = []
    done = 0
    start, closing, depth = 0, "", 0  # of the formula that is open, if closing says what ends it
    for match in _MARKS.finditer(text):
        mark = match[0]
        if match["environment"]:
            mark = rf"\{match['side']}{{{match['name']}}}"
        if not closing:
            if mark in ("$", "$$"):
                start, closing, depth = match.start(), mark, 0
            elif match["side"] == "begin":
                start, closing, depth = match.start(), mark.replace("begin", "end", 1), 0
        elif mark == closing and depth <= 0:
            pieces += [text[done:start], _PLACE.format(len(formulas))]
            formulas.append(text[start : match.end()])
            done, closing = match.end(), ""
        elif mark == "{":
            depth += 1
        elif mark == "}":
            depth -= 1
        elif mark[0] == "\n" or match["fence"]:
            closing = ""  # it was a dollar sign, not the beginning of a formula
    return "".join([*pieces, text[done:]]), formulas
