"""What a template makes of what is put in."""

import pytest

from gm_course.grading.characters import visible
from gm_course.grading.pages import page_templates


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\tb\nc", "a\tb\nc"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("\x00\x1b\x7f\x85", r"\x00\x1b\x7f\x85"),
        ("\u202e\u2066\ud800\ufeff", r"\u202e\u2066\ud800\ufeff"),
        ("变分 ½ é \u200d 😀", "变分 ½ é \u200d 😀"),
    ],
)
def test_visible(text, expected):
    assert visible(text) == expected


def test_templates_escape_and_show_what_is_put_in():
    template = page_templates().from_string('<a title="{{ x }}">{{ x }}{{ x | code_marked }}</a>')
    page = template.render(x='"<b>`<i>`\u202e')
    assert page == (
        '<a title="&#34;&lt;b&gt;`&lt;i&gt;`\\u202e">&#34;&lt;b&gt;`&lt;i&gt;`\\u202e'
        "&#34;&lt;b&gt;<code>&lt;i&gt;</code>\\u202e</a>"
    )
