"""A stranger's text without characters that act on what shows it instead of being shown."""

from __future__ import annotations

import re

# Controls that a page must not hold (tab and line feed may stay), lone surrogates, and the
# characters that reorder what stands around them: code could look different from what it does.
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff"
    r"\ufffe\uffff]"
)


def visible(text: str) -> str:
    r"""Return the text with controls, lone surrogates and reordering characters written out.

    Example:
        >>> print(visible("a\x00b"))
        a\x00b
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _INVISIBLE.sub(lambda match: ascii(match[0])[1:-1], text)
