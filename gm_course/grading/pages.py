"""The templates of the pages: they escape what is put in, and admit no script but ours."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from gm_course.grading.characters import visible
from gm_course.grading.rendering import render_markdown


@cache
def page_templates() -> Environment:
    """Return the templates of the pages: what is put in is made visible and escaped.

    Beside the usual they know ``inline(name)``, the text of a file of ours, and the filters
    ``digest``, under which a Content-Security-Policy admits an inline block of that text;
    ``markdown``, see :func:`~gm_course.grading.rendering.render_markdown`; ``code_marked``, a
    plain text with code between backticks; ``cut(length)``, a text's beginning; and ``points``, a
    number without needless zeros.
    """
    environment = Environment(
        loader=PackageLoader("gm_course.grading"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.globals["inline"] = _inline
    environment.filters.update(
        code_marked=_code_marked,
        cut=_cut,
        digest=_digest,
        markdown=render_markdown,
        points=_points,
    )
    return environment


def _finalize(value: object) -> object:
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value


@cache
def _inline(name: str) -> Markup:
    return Markup(files("gm_course.grading").joinpath("templates", name).read_text("utf-8"))


def _digest(block: str) -> Markup:
    digest = hashlib.sha256(block.encode()).digest()
    return Markup(f"'sha256-{base64.b64encode(digest).decode()}'")


def _code_marked(text: str) -> Markup:
    return Markup(re.sub(r"`([^`\n]+)`", r"<code>\1</code>", str(escape(visible(text)))))


def _cut(text: str, length: int) -> str:
    left_out = len(text) - length
    return text if left_out <= 0 else f"{text[:length]} … ({left_out:,} more characters)"


def _points(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")
