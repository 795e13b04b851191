"""Strangers' Markdown in bounds: texts that get out of hand, and the process that renders them."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from gm_course.grading import rendering
from gm_course.grading.rendering import MAX_CHARACTERS, MAX_HTML_BYTES, MEMORY, render_markdown

from .page_scan import elements, scan

N = MAX_CHARACTERS
DEEP = {
    **{f"{character!r}": character * N for character in "[]*`$<>|_~!(\\{}&#-+=\n\x00\ud800"},
    "brackets": "[" * (N // 2) + "]" * (N // 2),
    "links": "[a](" * 12_000,
    "images": "![" * 10_000,
    "emphasis": "*a **a " * 7_000,
    "delimiters": "*_" * 25_000,
    "quotes": ">" * 5_000,
    "quotes apart": "> " * 25_000,
    "lists in one line": "- " * 25_000,
    "lists": "\n".join("  " * depth + "- a" for depth in range(200)),
    "quotes in lists": "- > " * 12_000,
    "fractions": "$" + "\\frac{" * 9_000 + "$",
    "closed fractions": "$" + "\\frac{a}{" * 400 + "x" + "}" * 400 + "$",
    "closed roots": "$" + "\\sqrt{" * 120 + "x" + "}" * 120 + "$",
    "braces": "$" + "{" * 20_000 + "}" * 20_000 + "$",
    "matrices": "$" + "\\begin{matrix}" * 3_500 + "$",
    "environments": "\\begin{matrix}" * 3_500,
    "cells": "$\\begin{matrix}" + "&" * 49_000 + "\\end{matrix}$",
    "superscripts": "$x" + "^x" * 20_000 + "$",
    "recursive macro": "$\\def\\a{\\a\\a}\\a$",
    "ticks": " ".join("`" * length for length in range(1, 310)),
    "wide table": "|a" * 300 + "|\n" + "|-" * 300 + "|\n" + "|\n" * 1_000,
    "references": "[a]: http://x.org/" + "y" * 2_000 + "\n\n" + "[a]" * 15_000,
    "tags": "<a " * 16_000,
    "combining": "a" + "\u0301" * (N - 1),
    "dollars": "$a\n\n" * 12_000,
    "formulas": "$a$" * 5_000,
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP.keys())
def test_any_text_is_rendered_or_shown_as_typed(text):
    page = render_markdown(text)
    assert not scan(page, attributes={"class"}).offences
    assert len(page.encode()) <= max(MAX_HTML_BYTES, 6 * N) + 1_000


def test_a_long_text_is_cut_with_a_remark():
    page = render_markdown("a" * MAX_CHARACTERS)
    assert page == f"<p>{'a' * MAX_CHARACTERS}</p>"
    page = render_markdown("a" * 10_000_000)
    assert elements(page, "p") == [
        "a" * MAX_CHARACTERS,
        "Only the first 50,000 characters are shown; the notebook has more.",
    ]


def test_what_would_be_too_large_is_shown_as_typed():
    text = "[a]: http://x.org/" + "y" * 2_000 + "\n\n" + "[a]" * 15_000
    page = render_markdown(text)
    assert elements(page, "pre") == [text]
    assert elements(page, "p") == [
        "This could not be rendered as Markdown; it is shown as it was typed."
    ]


def macros(levels):
    """A formula that becomes 8 ** levels letters."""
    definitions = "".join(
        f"\\newcommand{{\\{name}}}[1]{{\\{inner}{{{'#1' * 8}}}}}"
        for name, inner in zip("ABCDEFGHI"[:levels], "BCDEFGHIJ", strict=False)
    )
    return f"${definitions}\\A{{x}}$"


@pytest.fixture
def child():
    child = rendering._Child(cpu_seconds=0.3, memory=MEMORY)
    yield child
    child.stop()


def test_a_text_that_takes_too_long_is_given_up_and_the_next_one_is_not(child):
    assert child.render("a") == "<p>a</p>"
    assert child.render(" ".join([macros(4)] * 60)) is None
    assert child.render("*b*") == "<p><em>b</em></p>"


def test_a_formula_that_takes_too_much_memory_is_shown_as_typed():
    child = rendering._Child(cpu_seconds=20, memory=200 << 20)
    page = child.render(macros(8) + " and $x$")
    assert page is None or ("newcommand" in page and page.count("<math ") == 1)
    assert child.render("*a*") == "<p><em>a</em></p>"
    child.stop()


def test_a_child_that_was_killed_is_replaced(child):
    assert child.render("a") == "<p>a</p>"
    process = child._process
    process.kill()
    process.wait()
    assert child.render("b") == "<p>b</p>"
    assert child._process is not process


def test_an_interrupted_text_is_not_taken_for_the_next_one(child, monkeypatch):
    exchange = child._exchange

    def interrupted(request):
        exchange(json.dumps("warm") + "\n")
        child._process.stdin.write(request)
        child._process.stdin.flush()
        raise KeyboardInterrupt

    monkeypatch.setattr(child, "_exchange", interrupted)
    with pytest.raises(KeyboardInterrupt):
        child.render("of one student")
    monkeypatch.undo()
    assert child.render("of another") == "<p>of another</p>"


def test_threads_get_their_own_texts():
    found = {}

    def render(name):
        found[name] = [render_markdown(f"{name} {number}") for number in range(20)]

    threads = [threading.Thread(target=render, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {name: [f"<p>{name} {number}</p>" for number in range(20)] for name in "abc"}


def test_no_module_is_taken_from_the_folder_of_the_submissions(child, tmp_path, monkeypatch):
    for name in ("json", "nh3", "markdown_it", "latex2mathml", "gm_course"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a stranger was here')")
    monkeypatch.chdir(tmp_path)
    assert child.render("*a* $b$").startswith("<p><em>a</em> <math ")
    naive = subprocess.run([sys.executable, "-c", "import nh3"], capture_output=True, check=False)
    assert b"a stranger was here" in naive.stderr


def test_the_child_ends_with_its_parent(tmp_path):
    program = """
import os
from gm_course.grading import rendering
rendering.render_markdown("a")
print(rendering._child._process.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == -9
    number = int(done.stdout)
    for _ in range(100):
        if not Path(f"/proc/{number}").exists() or is_zombie(number):
            return
        time.sleep(0.1)
    os.kill(number, 9)
    pytest.fail("the child outlived its parent")


def is_zombie(number):
    """Ended, and only not yet noticed by whoever inherited it."""
    return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
