"""File names of pages: whatever a submission is called, and wherever the folder is copied to."""

import unicodedata

import pytest

from gm_course.grading.page_names import page_names, page_stem


@pytest.mark.parametrize(
    ("names", "pages"),
    [
        (["a/x.ipynb", "b/x.ipynb", "b/X.ipynb"], ["x.html", "x-2.html", "X-3.html"]),
        (["x-2.ipynb", "x.ipynb", "c/x.ipynb"], ["x-2.html", "x.html", "x-3.html"]),
        (["index.ipynb", "INDEX.ipynb"], ["index-2.html", "INDEX-3.html"]),
        (["张三.ipynb", "李四.ipynb", "b/张三.ipynb"], ["张三.html", "李四.html", "张三-2.html"]),
        (["作业一.ipynb", "作业〇①.ipynb"], ["作业一.html", "作业〇①.html"]),
        (
            ["Zoë Mü 13-2.ipynb", "ZOE\u0308-mu\u0308_13.2.x"],
            ["Zoë-Mü-13-2.html", "ZOË-mü-13-2-2.html"],
        ),
        (["हिन्दी.ipynb", "עברית.ipynb"], ["हिन्दी.html", "עברית.html"]),
        (
            ["../../etc/passwd", "..", "..."],
            ["passwd.html", "submission.html", "submission-2.html"],
        ),
        (["a\\..\\b.ipynb", ".hidden.ipynb", "-x-.ipynb"], ["a-b.html", "hidden.html", "x.html"]),
        (["a\u202eb.ipynb", "😀.ipynb", "\u0301é"], ["a-b.html", "submission.html", "é.html"]),
        (["a\u3164\ufe0fb.ipynb", "x/ab.ipynb"], ["ab.html", "ab-2.html"]),
        (
            ["con.ipynb", "COM¹.ipynb", "ＮＵＬ.ipynb"],
            ["con-2.html", "COM¹-2.html", "ＮＵＬ-2.html"],
        ),
        (["a\x00\n\udce9.ipynb"], ["a.html"]),
        (["x" * 300, "a" + "业" * 300], ["x" * 80 + ".html", "a" + "业" * 26 + ".html"]),
    ],
)
def test_page_names(names, pages):
    assert list(page_names(names).values()) == pages


def test_any_character_leaves_a_sound_name():
    for code in range(0x32000):  # all assigned letters
        stem = page_stem(f"a{chr(code)}b")
        assert stem.replace("-", "").isprintable()
        assert unicodedata.is_normalized("NFC", stem)
        assert not set(stem) & set('<>:"/\\|?*. %#')
        assert stem.encode()


def test_names_differ_on_file_systems_that_mind_neither_case_nor_composition():
    names = [f"{folder}/{name}" for folder in range(40) for name in ("a", "A", "a-2", "a 2", "á")]
    pages = page_names(names)
    assert list(pages) == names
    assert len({page.lower() for page in pages.values()}) == len(names)
    assert pages == page_names(names)


def test_variants_of_any_letter_are_one_name():
    for code in range(0x32000):
        letter = chr(code)
        if not letter.isalnum():
            continue
        variants = {letter.upper(), letter.lower(), letter.title(), letter.casefold()}
        variants |= {unicodedata.normalize(form, letter) for form in ("NFC", "NFD")}
        for variant in variants - {letter}:
            first, second = page_names([f"a/{letter}", f"b/{variant}"]).values()
            assert second.endswith("-2.html"), (first, second)
