"""The summary of a class."""

import base64
import html
import re
import subprocess
import sys
from dataclasses import replace

import matplotlib
import pytest

from gm_course.grading.results import AnswerResult, Result, WrittenResult
from gm_course.grading.similarity import SimilarPair, SimilarPairs
from gm_course.grading.summary import (
    MAX_LINKS,
    MAX_MISTAKES,
    common_mistakes,
    score_distribution,
    success_per_answer,
    summary_page,
)

from .page_scan import BAD, HOSTILE, scan
from .test_feedback import PAGE_ATTRIBUTES, PAGE_TAGS


def scored(score, *, of=8.0, exercise="13-1", status="failed", **changes):
    status = "passed" if score == of else status
    answer = replace(AnswerResult("optimal_baseline", status, score, of), **changes)
    written = WrittenResult("written_13_1", "needs_review", 4.0, "because")
    return Result("graded", exercise, answers=(answer,), written=(written,))


def named(results):
    return [(f"s{number}.ipynb", result) for number, result in enumerate(results)]


def page_of(results, *, pairs=(), left_out=0, tables=()):
    pages = {name: f"p{number}.html" for number, (name, _) in enumerate(results)}
    similar = SimilarPairs(pairs, left_out=left_out)
    return summary_page(results, pages, similar=similar, tables=tables)


def cells(page, heading):
    """The table below a heading, row by row."""
    section = page.partition(f'<h2 id="{heading}">')[2].partition("</section>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", section, re.DOTALL)
    found = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
    return [
        [" ".join(html.unescape(re.sub(r"<[^>]*>", " ", cell)).split()) for cell in row]
        for row in found
    ]


def test_scores_are_counted_in_tenths():
    # 0.8 of 8 is the lower edge of the second tenth; all points belong to the last one
    results = [scored(score) for score in (0.0, 0.79, 0.8, 4.0, 7.99, 8.0)]
    (found,) = score_distribution(named(results))
    assert found.counts == (2, 1, 0, 0, 0, 1, 0, 0, 0, 2)
    assert (found.full, found.lowest, found.highest) == (1, 0.0, 8.0)
    assert found.mean == pytest.approx(21.58 / 6)
    assert found.median == pytest.approx(2.4)


def test_rounding_moves_no_score_below_an_edge():
    parts = (AnswerResult("a", "failed", 0.7, 0.7), AnswerResult("b", "failed", 0.1, 0.3))
    result = Result("graded", "13-1", answers=parts)
    assert (result.score, result.max_score) == (0.7999999999999999, 1.0)
    (found,) = score_distribution(named([result]))
    assert found.counts.index(1) == 8


def test_exercises_are_apart_and_what_is_not_graded_does_not_count():
    results = [
        scored(2.0, of=4.0, exercise="13-4"),
        scored(8.0),
        Result("unreadable", message="x"),
        Result("unknown_exercise", message="y"),
    ]
    found = score_distribution(named(results))
    assert [(item.exercise, item.max_score, sum(item.counts)) for item in found] == [
        ("13-1", 8.0, 1),
        ("13-4", 4.0, 1),
    ]
    assert score_distribution([]) == []


def test_success_counts_partly_right_answers_apart():
    statuses = ["passed", "passed", "failed", "failed", "error", "timeout", "missing", "crashed"]
    answers = [AnswerResult("a", status, 0.0, 1.0) for status in statuses]
    answers[3] = replace(answers[3], score=0.5)
    results = [Result("graded", "13-1", answers=(answer,)) for answer in answers]
    (found,) = success_per_answer(named(results))
    assert found.counts == {
        **{"passed": 2, "failed": 1, "partly": 1},
        **{"error": 1, "timeout": 1, "missing": 1, "crashed": 1},
    }
    assert (found.total, found.share) == (8, 0.25)


def test_the_commonest_mistake_comes_first_in_the_words_most_were_told():
    def made(mistake, diagnosis, **changes):
        return scored(0.0, mistake=mistake, diagnosis=diagnosis, **changes)

    results = [
        made("value", "returned 1"),
        made("sign", "a wrong sign"),
        made("sign", "another wrong sign"),
        made("sign", "a wrong sign"),
        made("value", "returned 2", name="gumbel_softmax"),
        made("raised", "raised KeyError", status="error"),
        made("timeout", "took 10 s", status="timeout"),
        scored(8.0),
    ]
    found = common_mistakes(named(results))
    assert [(item.name, item.mistake, item.diagnosis, len(item.submissions)) for item in found] == [
        ("optimal_baseline", "sign", "a wrong sign", 3),
        ("gumbel_softmax", "value", "returned 2", 1),
        ("optimal_baseline", "value", "returned 1", 1),
        ("optimal_baseline", "raised", "raised KeyError", 1),
    ]
    assert found[0].submissions == ("s1.ipynb", "s2.ipynb", "s3.ipynb")


def test_the_page_has_the_numbers():
    results = named(
        [
            scored(8.0),
            scored(8.0),
            scored(2.0, mistake="sign", diagnosis="a wrong `sign`"),
            Result("unreadable", message="It ends in line 3."),
        ]
    )
    page = page_of(results, tables=["points.csv", "points-2.csv"])
    tiles = re.findall(r"<li><strong>(\d+)</strong> (.*?)</li>", page)
    assert tiles == [
        ("4", "submissions"),
        ("3", "graded"),
        ("1", "not graded"),
        ("3", "written answers to review"),
    ]
    assert ["13-1", "3", "8", "6", "8", "2", "8", "2"] in cells(page, "scores")
    assert ["13-1", "0", "0", "1", "0", "0", "0", "0", "0", "0", "2"] in cells(page, "scores")
    assert cells(page, "success")[1] == ["13-1", "optimal_baseline", "67 %", *"1––––"]
    assert cells(page, "mistakes")[1] == [
        "1",
        "13-1 optimal_baseline",
        "sign : a wrong sign Who s2.ipynb",
    ]
    assert cells(page, "submissions")[1:] == [
        ["s0.ipynb", "13-1", "8 of 8", ""],
        ["s1.ipynb", "13-1", "8 of 8", ""],
        ["s2.ipynb", "13-1", "2 of 8", ""],
        ["s3.ipynb", "–", "–", "✗ unreadable It ends in line 3."],
    ]
    links = re.findall(r'href="(.*?)"', page)
    assert links == ["points.csv", "points-2.csv", "p2.html", *(f"p{n}.html" for n in range(4))]


def test_similar_pairs_are_a_hint():
    pairs = [
        SimilarPair("s0.ipynb", "s1.ipynb", "13-1", ("a", "b"), is_written_same=True),
        SimilarPair("s0.ipynb", "gone.ipynb", "13-1", (), is_written_same=True),
    ]
    page = page_of(named([scored(8.0)] * 2), pairs=pairs, left_out=7)
    assert "This is a hint to look, no verdict" in page
    assert cells(page, "similar")[1:] == [
        ["13-1", "s0.ipynb s1.ipynb", "a , b , the written answer"],
        ["13-1", "s0.ipynb gone.ipynb", "the written answer"],
    ]
    assert "And 7 more" in page
    assert "No pairs were found." in page_of(named([scored(8.0)]))


def test_the_figure_is_in_the_page_with_a_description():
    before = dict(matplotlib.rcParams)
    page = page_of(named([scored(8.0), scored(1.0, of=4.0, exercise="13-4")]))
    (image, description) = re.search(
        r'<img src="data:image/png;base64,(.*?)" alt="(.*?)">', page
    ).groups()
    assert base64.b64decode(image).startswith(b"\x89PNG\r\n\x1a\n")
    assert "13-1, 13-4" in description
    assert "img-src data:; " in page
    assert "script-src" not in page
    assert "<img" not in page_of([("a", Result("unreadable"))])
    assert dict(matplotlib.rcParams) == before


def test_the_same_class_gives_the_same_page():
    results = named([scored(8.0), scored(3.0)])
    assert page_of(results) == page_of(results)


def test_a_class_without_graded_submissions_has_a_page():
    assert "<strong>0</strong> submissions" in page_of([])
    page = page_of([("a.ipynb", Result("unreadable", message="x"))])
    assert cells(page, "submissions")[1] == ["a.ipynb", "–", "–", "✗ unreadable x"]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_whatever_a_student_wrote_stays_text(text):
    results = [
        (text, scored(0.0, mistake=text, diagnosis=text, name=text)),
        (f"{text} 2", Result("unreadable", message=text)),
        (f"{text} 3", replace(scored(8.0), message=text)),
    ]
    pair = SimilarPair(text, text, "13-1", (text,), is_written_same=False)
    found = scan(
        page_of(results, pairs=[pair]),
        tags=PAGE_TAGS | {"img", "figure", "figcaption", "progress"},
        attributes=PAGE_ATTRIBUTES | {"src", "alt", "value"},
        links=r"p[0-9]\.html|data:image/png;base64,[A-Za-z0-9+/=]+$",
    )
    assert found.offences == ["<!--doctype html"]
    assert [tag for tag, _ in found.tags].count("img") == 1


def test_html_of_a_student_is_shown():
    page = page_of([(BAD, Result("unreadable", message=BAD))])
    assert html.unescape(page).count(BAD) == 2


def test_a_large_class_has_a_page_of_bearable_size():
    mistakes = [f"mistake {number}" for number in range(MAX_MISTAKES + 5)]
    results = named(
        [scored(0.0, mistake=mistakes[n % 35], diagnosis="d" * 9_000) for n in range(1400)]
    )
    results += [
        (f"t{n}", scored(0.0, mistake="common", diagnosis="c")) for n in range(MAX_LINKS + 3)
    ]
    pairs = [SimilarPair("s0.ipynb", "s1.ipynb", "13-1", ("a",), is_written_same=False)] * 1_200
    page = page_of(results, pairs=pairs, left_out=5)
    assert len(page) < 2_000_000
    assert len(cells(page, "mistakes")) == 1 + MAX_MISTAKES
    assert "<li>and 3 more</li>" in page
    assert "And 205 more" in page


def test_matplotlib_is_loaded_for_the_figure_only_and_pyplot_never():
    program = """
import sys
from gm_course.grading import feedback, summary
from gm_course.grading.results import AnswerResult, Result
from gm_course.grading.similarity import SimilarPairs
assert not {"matplotlib", "torch", "latex2mathml", "nh3"} & set(sys.modules)
result = Result("graded", "13-1", answers=(AnswerResult("a", "passed", 1.0, 1.0),))
summary.summary_page([("a", result)], {}, similar=SimilarPairs([], left_out=0))
assert "matplotlib" in sys.modules
assert not {"matplotlib.pyplot", "gm_course.plotting", "torch"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
