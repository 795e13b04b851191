"""A formula in LaTeX as MathML that browsers lay out as TeX would."""

from __future__ import annotations

import html
import re
from xml.etree.ElementTree import Element, tostring

from latex2mathml.converter import Converter

# Environments that the converter does not know, by what comes nearest of those it does.
_ENVIRONMENTS = {
    "aligned": "align*",
    "eqnarray": "align*",
    "eqnarray*": "align*",
    "flalign": "align",
    "flalign*": "align*",
    "gather": "matrix",
    "gather*": "matrix",
    "gathered": "matrix",
    "multline": "matrix",
    "multline*": "matrix",
    "dcases": "cases",
}
_ENVIRONMENT = re.compile(r"\\(begin|end) *\{([A-Za-z]+\*?)\}")
_LABEL = re.compile(r"\\label *\{[^{}]*\}")
_ARG = re.compile(r"\\arg(?![A-Za-z])")
_SPACED_NAME = re.compile(r"\\operatorname\*? *\{[^{}]*\}")
_SPACE = re.compile(r"\\[,;:! ]|~")
_BARE_ALPHABET = re.compile(r"\\(math(?:bb|bf|cal|frak|scr|sf|tt)) *([A-Za-z])")

_NAME = re.compile(r"[A-Za-z]{2,}")
_LIMITS = {"argmax", "argmin", "inf", "lim", "liminf", "limsup", "max", "min", "sup"}
_UNDER = {"msub": "munder", "msup": "mover", "msubsup": "munderover"}
_WITHOUT_MEANING = {r"\hfill", r"\nolimits", r"\nonumber", r"\notag"}
_RELATIONS = dict(zip("~:±⩽⩾⟂⟵⟶⟷⟸⟹⟺", "∼:±⩽⩾⟂⟵⟶⟷⟸⟹⟺", strict=True))
_THIN_SPACE = "0.167em"


class Typesetter:
    """Turns the formulas of one text into MathML: a macro is known to the formulas after it."""

    def __init__(self) -> None:
        self._converter = Converter()

    def mathml(self, formula: str) -> str:
        """Return a formula, given with its delimiters, as MathML; as its source if it is rejected.

        The converter lets attributes through that a page must not hold: sanitise the result.
        """
        dollars = 2 if formula.startswith("$$") else 1 if formula.startswith("$") else 0
        source = formula[dollars : len(formula) - dollars]
        self._converter.display = "inline" if dollars == 1 else "block"
        try:
            math = self._converter.convert_to_element(_prepared(source))
            for element in math.iter():
                _correct(element, is_display=dollars != 1)
            for element in math.iter():
                _space_functions(element)
            return tostring(math, encoding="unicode", short_empty_elements=False)
        except Exception:  # whatever it raises: IndexError, StopIteration, RecursionError, …
            return f'<code class="math-error">{html.escape(source)}</code>'


def _prepared(latex: str) -> str:
    """Return a formula in words that the converter knows; it covers nearly all students use."""
    latex = _ARG.sub(r"\\operatorname{arg}", _LABEL.sub("", latex))
    latex = _SPACED_NAME.sub(lambda match: _SPACE.sub(" ", match[0]), latex)
    latex = _BARE_ALPHABET.sub(r"\\\1{\2}", latex)
    return _ENVIRONMENT.sub(
        lambda match: rf"\{match[1]}{{{_ENVIRONMENTS.get(match[2], match[2])}}}", latex
    )


def _correct(element: Element, *, is_display: bool) -> None:
    """Correct what the converter makes of characters, relations, and names such as max."""
    # It writes characters as entities, and would leave "<" as it is.
    element.text = html.unescape(element.text or "")
    if element.text in _WITHOUT_MEANING:
        element.text = ""
    elif element.tag == "mi" and element.text in _RELATIONS:
        element.tag, element.text = "mo", _RELATIONS[element.text]  # with spaces around it
    elif element.tag == "mo" and (_NAME.fullmatch(element.text) or element.text == "⊤"):
        element.tag = "mi"  # without: a function, or transposed
    elif is_display and element.tag in _UNDER and html.unescape(element[0].text or "") in _LIMITS:
        element.tag = _UNDER[element.tag]


def _space_functions(row: Element) -> None:
    """Set a function's name apart from a letter beside it, as TeX does: "log p", not "logp"."""
    if row.tag not in ("math", "mrow", "mstyle", "mtd"):
        return
    children = list(row)
    for index in range(len(children) - 1, -1, -1):
        if not _is_function(children[index]):
            continue
        before = children[index - 1] if index else None
        after = children[index + 1] if index + 1 < len(children) else None
        if after is not None and _is_letter(after):
            row.insert(index + 1, Element("mspace", width=_THIN_SPACE))
        if before is not None and _is_letter(before) and not _is_function(before):
            row.insert(index, Element("mspace", width=_THIN_SPACE))


def _is_function(element: Element) -> bool:
    if element.tag in (*_UNDER, *_UNDER.values()) and len(element):
        element = element[0]
    return element.tag == "mi" and bool(_NAME.fullmatch(element.text or ""))


def _is_letter(element: Element) -> bool:
    return element.tag not in ("mo", "mspace", "mtext") and bool(element.text or len(element))
