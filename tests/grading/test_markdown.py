"""Strangers' Markdown: what it becomes, and that nothing harmful gets through."""

import html
import re

import pytest
from latex2mathml.converter import convert

from gm_course.grading.rendering import render_markdown

from .page_scan import BAD, HOSTILE, elements, scan


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a *b* **c** `d` ~~e~~", "<p>a <em>b</em> <strong>c</strong> <code>d</code> <s>e</s></p>"),
        ("# A\n## B\n###### C", "<h3>A</h3>\n<h4>B</h4>\n<h6>C</h6>"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
        ("3. a", '<ol start="3">\n<li>a</li>\n</ol>'),
        ("> a", "<blockquote>\n<p>a</p>\n</blockquote>"),
        ("```python\na < b  # $5$\n```", "<pre><code>a &lt; b  # $5$\n</code></pre>"),
        ("5 < 6 & 7", "<p>5 &lt; 6 &amp; 7</p>"),
        ("![a *scan*](attachment:x.png)", "<p><em>[image, not shown: a *scan*]</em></p>"),
        ("![](http://x.org/a.png)", "<p><em>[image, not shown: no description]</em></p>"),
        ("costs \\$5, or $5", "<p>costs $5, or $5</p>"),
        ("", ""),
    ],
)
def test_markdown(text, expected):
    assert render_markdown(text) == expected


def test_links_lead_to_the_web_or_a_mail_address_only():
    page = render_markdown(
        '[a](https://x.org "t") <http://y.org> <me@z.org> [b](javascript:alert(1)) '
        "[c](data:text/html,x) [d](file:///etc/passwd) [e](other.html) [f](//evil.org) [g](#h)"
    )
    anchors = [attributes for tag, attributes in scan(page).tags if tag == "a"]
    targets = [anchor["href"] for anchor in anchors if "href" in anchor]
    assert targets == ["https://x.org", "http://y.org", "mailto:me@z.org"]
    assert {anchor["rel"] for anchor in anchors} == {"noopener noreferrer nofollow"}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_nothing_harmful_gets_through(text):
    page = render_markdown(text)
    assert "as it was typed" not in page
    assert not scan(page).offences
    assert re.findall(r'class="(.*?)"', page) == ["math-error"] * page.count("class=")
    assert not re.search(r'"-?[0-9]{3,}em"', page)
    page.encode()


def test_the_scan_sees_what_the_converter_alone_would_let_through():
    assert scan(convert(r"\text{<script>alert(1)</script>}")).offences == [
        "<math xmlns>",
        "<script>",
    ]
    assert "href=javascript:alert(1)" in scan(convert(r"\href{javascript:alert(1)}{x}")).offences
    assert "<mrow style>" in scan(convert(r"\style{color:red}{x}")).offences
    assert scan("<p>a<!-- b --></p>\u202e").offences == ["<!-- b ", "\u202e"]


def test_text_stays_readable_when_html_is_shown_as_text():
    assert html.unescape(elements(render_markdown(BAD), "p")[0]) == BAD
