"""Markdown with mathematics as HTML that is safe in a page of ours.

How long that takes and how large it gets is not bounded here, see
:mod:`gm_course.grading.rendering`.
"""

from __future__ import annotations

import html
import re
from functools import cache

import nh3
from markdown_it import MarkdownIt

from gm_course.grading.characters import visible
from gm_course.grading.formulas import PLACES, take_out_formulas
from gm_course.grading.mathml import Typesetter

_LENGTH = re.compile(r"-?[0-9]{0,2}(\.[0-9]+)?(em|ex|pt|px|mm|cm|in)?")
_LENGTHS = {"depth", "height", "linethickness", "lspace", "maxsize", "minsize", "rspace", "width"}
_OPERATOR = {"fence", "form", "largeop", "lspace", "maxsize", "minsize", "movablelimits", "rspace"}
_ATTRIBUTES: dict[str, set[str]] = {
    "*": set(),
    "a": {"href"},
    "code": {"class"},
    "math": {"display"},
    "mfrac": {"linethickness"},
    "mi": {"mathvariant"},
    "mn": {"mathvariant"},
    "mo": {*_OPERATOR, "mathvariant", "stretchy", "symmetric"},
    "mover": {"accent"},
    "mpadded": {"depth", "height", "width"},
    "mspace": {"width"},
    "mstyle": {"displaystyle", "scriptlevel"},
    "mtable": {"columnlines", "displaystyle", "rowlines"},
    "mtd": {"columnalign"},
    "mtext": {"mathvariant"},
    "munder": {"accentunder"},
    "munderover": {"accent", "accentunder"},
    "ol": {"start"},
}
_TAGS = {
    *("blockquote", "br", "em", "h3", "h4", "h5", "h6", "hr", "li", "p", "pre", "s", "strong"),
    *("table", "tbody", "td", "th", "thead", "tr", "ul"),
    *("menclose", "mmultiscripts", "mphantom", "mprescripts", "mroot", "mrow", "msqrt", "msub"),
    *("msubsup", "msup", "mtr", "none"),
    *(_ATTRIBUTES.keys() - {"*"}),
}


def safe_html(text: str) -> str:
    """Return Markdown as HTML that cannot do harm, whatever the text.

    Args:
        text: As :func:`~gm_course.grading.characters.visible` returns it.

    Example:
        >>> print(safe_html("*a* <b> [c](javascript:d)"))
        <p><em>a</em> &lt;b&gt; [c](javascript:d)</p>
    """
    text, formulas = take_out_formulas(text)
    left = dict(enumerate(formulas))
    typesetter = Typesetter()

    def in_code(place: re.Match[str]) -> str:
        return formulas[int(place[1])]

    def typeset(place: re.Match[str]) -> str:
        # once each: who writes a place as entities cannot multiply a formula
        formula = left.pop(int(place[1]), None)
        return "" if formula is None else typesetter.mathml(formula)

    parser = _parser()
    tokens = parser.parse(text)
    for block in tokens:
        for token in (block, *(block.children or ())):
            if token.type in ("code_inline", "code_block", "fence", "image"):
                token.content = PLACES.sub(in_code, token.content)
                token.info = ""
            elif token.type == "link_open":
                token.attrs.pop("title", None)  # there are no formulas in attributes
            elif token.type in ("heading_open", "heading_close"):
                token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"  # ours are h1 and h2
    body = parser.renderer.render(tokens, parser.options, {})
    clean = nh3.clean(
        PLACES.sub(typeset, body),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_attribute,
        url_schemes={"http", "https", "mailto"},
        url_relative="deny",
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )
    return visible(clean.strip())


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.add_render_rule(
        "image",
        lambda self, tokens, index, options, env: (
            f"<em>[image, not shown: {html.escape(tokens[index].content or 'no description')}]</em>"
        ),
    )
    return parser


def _attribute(tag: str, name: str, value: str) -> str | None:
    """Return the value that an allowed attribute may have; None drops it."""
    if name in _LENGTHS:  # a formula as wide as a street would hide what stands beside it
        return value if _LENGTH.fullmatch(value) else None
    if name == "class":
        return value if value == "math-error" else None
    return value
