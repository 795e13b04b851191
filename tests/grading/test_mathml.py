"""Formulas of strangers: found as in a notebook, and set as TeX would."""

import html
import json
import re

import pytest

from gm_course.grading.markdown import safe_html

from .page_scan import elements, scan
from .submissions import NUMBERS, grade_id, worked


def mathematics(latex):
    page = safe_html(latex)
    assert "math-error" not in page
    return page


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("$p(x|z)$", "p(x|z)"),
        ("$$\\frac{a}{b}$$", "ab"),
        ("$x < y$", "x<y"),
        ("$\\text{a < b & c}$", "a < b & c"),
        ("$\\mathbb R^d$ $\\mathbb{R}$", "ℝd ℝ"),
        ("$q \\sim \\mathcal N$", "q∼𝒩"),
        ("$A^\\top$", "A⊤"),
        ("$\\arg\\max_z f$", "argmaxzf"),
        ("$\\operatorname*{arg\\,max}_z f$", "argmaxzf"),
        ("$\\lVert x\\rVert$", "‖x‖"),
        ("$\\text{für 变分}$", "für 变分"),
        ("$x \\nonumber \\label{eq:1}$", "x"),
        ("\\begin{align*}\na &= b \\\\\n- c &= d\n\\end{align*}", "a=b−c=d"),
        ("so \\begin{equation} a = b \\end{equation} holds", "so a=b holds"),
        ("$$\n\\begin{aligned}\na &= b \\\\\n&= c\n\\end{aligned}\n$$", "a=b=c"),
        ("$$\na\n= b\n- c\n$$", "a=b−c"),
        ("$\\newcommand{\\E}{\\mathbb{E}}$ $\\E$", "𝔼"),
    ],
)
def test_mathematics(text, shown):
    page = mathematics(text)
    assert "<math " in page
    assert "".join(scan(page).text.split()) == "".join(shown.split())
    assert not re.search(r"<(li|h[1-6]|hr)\b", page)  # a line of a formula is no Markdown


def test_display_mathematics_is_set_apart_and_limits_stand_below():
    assert 'display="block"' in mathematics("$$x$$")
    assert 'display="block"' in mathematics("\\begin{align}x\\end{align}")
    assert 'display="inline"' in mathematics("$x$")
    assert "<munder><mi>max</mi>" in mathematics("$$\\max_x f$$")
    assert "<msub><mi>max</mi>" in mathematics("$\\max_x f$")


def test_a_function_is_set_apart_from_letters_as_in_tex():
    space = '<mspace width="0.167em"></mspace>'
    page = mathematics("$2\\log p - \\log(q) + \\sin\\cos x$")
    assert page.count(space) == 4  # 2_log_p, log(q) without, sin_cos_x
    assert f"<mn>2</mn>{space}<mi>log</mi>{space}<mi>p</mi>" in page
    assert f"<mi>sin</mi>{space}<mi>cos</mi>{space}<mi>x</mi>" in page


def test_formulas_do_not_disturb_tables_and_lists():
    page = mathematics("| a | b |\n|---|---|\n| $p(x|z)$ | $\\|x\\|$ |\n\n- $a$\n  $$b$$\n")
    assert len(elements(page, "td")) == 2
    assert page.count("<math ") == 4
    assert len(elements(page, "li")) == 1


def test_code_is_left_alone():
    page = safe_html("`$a$` and ``b ` $c$``\n\n    $d$\n\n~~~\n$e$\n~~~\n\nand $f$ `g")
    assert [html.unescape(code).strip() for code in elements(page, "code")] == [
        "$a$",
        "b ` $c$",
        "$d$",
        "$e$",
    ]
    assert page.count("<math ") == 1


def test_a_dollar_sign_that_nothing_closes_is_text():
    page = safe_html("It costs $5.\n\nThen $x$ and \\begin{align} y")
    assert "It costs $5." in page
    assert page.count("<math ") == 1
    assert "\\begin{align} y" in page


def test_a_rejected_formula_is_shown_as_typed():
    page = safe_html("$\\frac$ and $\\left( <b>$ and $c$")
    assert elements(page, "code") == ["\\frac", "\\left( &lt;b&gt;"]
    assert page.count('<code class="math-error">') == 2
    assert page.count("<math ") == 1


@pytest.mark.parametrize("number", NUMBERS)
def test_worked_answers_are_rendered_whole(number):
    cells = json.loads(worked(number))["cells"]
    text = "".join(next(cell for cell in cells if grade_id(cell).startswith("written"))["source"])
    page = mathematics(text)
    formulas = re.findall(r"\$\$.+?\$\$|\$.+?\$|\\begin\{align\*?\}", text, re.DOTALL)
    assert page.count("<math ") == len(formulas) > 50
    assert not scan(page).offences
    shown = scan(page).text
    assert "$" not in shown
    assert not re.search(r"\\[a-zA-Z]", shown)  # no command was left over


def test_a_formula_cannot_be_multiplied_by_writing_its_place_as_entities():
    page = safe_html("$" + "x" * 1000 + "$ " + "&#xe000;0&#xe001;" * 1000)
    assert page.count("<math ") == 1
