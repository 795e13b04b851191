"""The page of a submission, and the folder of pages."""

import base64
import csv
import hashlib
import html
import io
import itertools
import re
from dataclasses import replace
from urllib.parse import unquote

import pytest

from gm_course.errors import GradingError
from gm_course.grading import feedback
from gm_course.grading.feedback import PointsTables, feedback_page, write_feedback
from gm_course.grading.results import AnswerResult, Result, WrittenResult
from gm_course.grading.review import read_points
from gm_course.grading.rubrics import rubric
from gm_course.grading.similarity import SimilarPairs

from .page_scan import BAD, HOSTILE, scan

PAGE_TAGS = {
    *("html", "head", "meta", "title", "style", "body", "script", "header", "main", "section"),
    *("h1", "h2", "article", "aside", "div", "span", "bdi", "dl", "dt", "dd", "details", "summary"),
    *("label", "input", "textarea", "output", "button"),
}
PAGE_ATTRIBUTES = {
    *(
        "lang",
        "charset",
        "http-equiv",
        "content",
        "name",
        "id",
        "for",
        "type",
        "min",
        "max",
        "step",
    ),
    *("role", "scope", "tabindex", "readonly", "rows", "maxlength", "inputmode", "autocomplete"),
    *("aria-hidden", "aria-label", "aria-labelledby", "aria-describedby", "open"),
    *("data-submission", "data-name", "data-file"),
}
STATUSES = {
    "passed": "passed",
    "failed": "not passed",
    "not_attempted": "not attempted",
    "error": "raised an error",
    "timeout": "took too long",
    "missing": "not found",
    "crashed": "crashed",
}
NO_PAIRS = SimilarPairs([], left_out=0)


def answer(status="passed", **changes):
    points = {"passed": 2.0}.get(status, 0.0)
    return replace(AnswerResult("gaussian_kl", status, points, 2.0), **changes)


def graded(*answers, text="I *think* $x$.", exercise="13-2", message=""):
    written = WrittenResult(
        f"written_{exercise.replace('-', '_')}", "needs_review" if text else "empty", 4.0, text
    )
    return Result("graded", exercise, message, answers or (answer(),), (written,))


def scan_page(page):
    return scan(
        page,
        tags=PAGE_TAGS,
        attributes=PAGE_ATTRIBUTES,
        links=r"(https?|mailto):|#answer-[0-9]+$|[A-Za-z0-9-]+\.(html|csv)$",
    )


def shown(page):
    """The text of a page without our style and script, spaces evened out."""
    body = re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def attributes_of(page, tag):
    return [attributes for name, attributes in scan_page(page).tags if name == tag]


# -- the page


def test_what_the_grader_found_stands_on_the_page():
    found = answer(
        "failed",
        score=0.5,
        diagnosis="a missing factor ½",
        hint="Look at `log`.",
        report="gaussian_kl: not passed\n  called  gaussian_kl(…)",
        code="def gaussian_kl(mu, var):\n    return 0 < 1",
    )
    page = feedback_page("class/Zoë.ipynb", graded(found, answer(name="affine_map"), message="Hm."))
    text = shown(page)
    for part in (
        "Exercise 13-2: Zoë.ipynb",
        "2.5 of 4 points",
        "partly right",
        "0.5 of 2 points",
        "a missing factor ½",
        "Look at log .",
        "gaussian_kl: not passed called gaussian_kl(…)",
        "def gaussian_kl(mu, var): return 0 < 1",
        "affine_map",
        "Hm.",
        "I think x .",
        "I *think* $x$.",
        *(" ".join(row.text.split()[:3]) for row in rubric("13-2")),
    ):
        assert part in text
    assert "<title>13-2 · Zoë.ipynb</title>" in page
    assert "<code>log</code>" in page


@pytest.mark.parametrize(("status", "words"), STATUSES.items())
def test_every_status_has_words_and_a_symbol(status, words):
    page = feedback_page("a.ipynb", graded(answer(status)))
    badges = re.findall(r'<span class="badge (\w+)"><span .*?>(.)</span> (.*?)</span>', page)
    assert {words} == {badge[2] for badge in badges}
    assert len(badges) == 2
    assert all(other == words or f">{other}<" not in page for other in STATUSES.values())


def test_symbols_differ():
    symbols = {symbol for symbol, _, _ in feedback._LABELS.values()}
    assert len(symbols) == len(STATUSES)


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("unreadable", "the file cannot be read as a notebook."),
        ("unknown_exercise", "it is not one of the exercises."),
    ],
)
def test_a_submission_that_is_not_graded_gets_a_page_that_says_why(status, says):
    page = feedback_page("a.ipynb", Result(status, message="It ends <in> line 3."))
    assert f"Not graded: {says} It ends <in> line 3." in shown(page)
    assert "<title>Not graded · a.ipynb</title>" in page
    assert not {"input", "table"} & {tag for tag, _ in scan_page(page).tags}


def test_nothing_written_leaves_nothing_to_fill_in():
    page = feedback_page("a.ipynb", graded(text=""))
    assert "Nothing was written: 0 of 4 points." in shown(page)
    assert not attributes_of(page, "input")


@pytest.mark.parametrize("number", [f"13-{number}" for number in range(1, 7)])
def test_each_row_of_the_rubric_has_a_field(number):
    page = feedback_page("a.ipynb", graded(exercise=number))
    fields = [field for field in attributes_of(page, "input") if field["type"] == "number"]
    assert [(field["min"], field["max"], field["step"]) for field in fields] == [
        ("0", f"{row.points:g}", "0.5") for row in rubric(number)
    ]


def test_the_page_is_sound():
    """What a validator and a reader by ear would look for."""
    page = feedback_page("a.ipynb", graded(answer("failed", code="x", report="y")))
    tags = scan_page(page).tags
    names = [tag for tag, _ in tags]
    assert page.startswith('<!doctype html>\n<html lang="en">')
    assert names.count("h1") == names.count("main") == names.count("title") == 1
    levels = [int(name[1]) for name in names if re.fullmatch("h[1-6]", name)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    labelled = {label["for"] for label in attributes_of(page, "label")}
    fields = attributes_of(page, "input") + attributes_of(page, "textarea")
    assert {field["id"] for field in fields} == labelled
    for attribute in ("aria-labelledby", "aria-describedby", "href"):
        targets = {item[attribute].removeprefix("#") for _, item in tags if attribute in item}
        assert targets <= set(ids)
    for name in ("html", "head", "body", "main", "header", "section", "table", "pre", "details"):
        assert len(re.findall(rf"<{name}\b", page)) == page.count(f"</{name}>")


def test_the_policy_admits_our_two_blocks_and_nothing_else():
    page = feedback_page("a.ipynb", graded())
    policies = [item["content"] for item in attributes_of(page, "meta") if "http-equiv" in item]

    def digest(tag):
        (block,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        return base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()

    assert policies == [
        f"default-src 'none'; style-src 'sha256-{digest('style')}'; "
        f"script-src 'sha256-{digest('script')}'; base-uri 'none'; form-action 'none'"
    ]
    assert page.index("Content-Security-Policy") < page.index("<style>")
    assert "@import" not in page
    assert "url(" not in page


# -- what a student could do to it


def everywhere(text):
    """A result with the text wherever a stranger's text may stand."""
    found = [
        answer(status, name=f"{status}{text}", diagnosis=text, hint=text, report=text, code=text)
        for status in STATUSES
    ]
    return graded(*found, text=text, message=text)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_whatever_a_student_wrote_stays_text(text):
    honest = [tag for tag, _ in scan_page(feedback_page("a.ipynb", everywhere("x"))).tags]
    for name in ("a.ipynb", f"{text}.ipynb"):
        page = feedback_page(name, everywhere(text))
        scanned = scan_page(page)
        assert scanned.offences == ["<!--doctype html"]
        tags = [tag for tag, _ in scanned.tags]
        for tag in ("script", "style", "input", "button", "meta", "article", "title"):
            assert tags.count(tag) == honest.count(tag)
        page.encode()
    if text.isprintable() and "`" not in text:
        assert shown(feedback_page("a.ipynb", everywhere(text))).count(BAD) >= text.count(BAD)


def test_the_scan_would_see_an_unescaped_page():
    page = feedback_page("a.ipynb", graded(answer(code="@@")))
    for bad in (BAD, "<b style=x>", '<a href="evil">', "\u202e"):
        assert len(scan_page(page.replace("@@", bad)).offences) > 1


def test_a_page_has_at_most_5_mb():
    for character in ('"', "\u202e", "\U0001f600", "$a$", "<"):
        text = character * 1_000_000
        found = everywhere(text)
        found = replace(
            found, answers=tuple(replace(item, name="gaussian_kl") for item in found.answers)
        )
        assert len(feedback_page("a.ipynb", found).encode()) <= 5_000_000


# -- the folder


def write(folder, results):
    calls = []
    tables = write_feedback(folder, results, similar=NO_PAIRS, progress=lambda: calls.append(1))
    assert len(calls) == len(results)
    return tables


def rows(path):
    return list(csv.reader(io.StringIO(path.read_text("utf-8-sig"), newline="")))


CLASS = [
    ("class/b.ipynb", graded()),
    ("class/=1+1.ipynb", graded()),
    ("class/empty.ipynb", graded(text="")),
    ("class/broken.ipynb", Result("unreadable", message="Truncated.")),
]


def test_a_folder_has_a_page_each_a_summary_and_a_table(tmp_path):
    folder = tmp_path / "new" / "feedback"
    write(folder, CLASS)
    assert sorted(path.name for path in folder.iterdir()) == [
        "1-1.html",
        "b.html",
        "broken.html",
        "empty.html",
        "index.html",
        "points.csv",
    ]
    assert (folder / "b.html").read_text("utf-8") == feedback_page(*CLASS[0])
    assert 'href="broken.html"' in (folder / "index.html").read_text("utf-8")
    assert (folder / "points.csv").read_bytes().startswith(b"\xef\xbb\xbfsubmission,name,")
    assert rows(folder / "points.csv") == [
        ["submission", "name", "points", "comment"],
        ["class/b.ipynb", "written_13_2", "", ""],
        ["class/=1+1.ipynb", "written_13_2", "", ""],
    ]


def test_pages_keep_the_letters_of_any_script_and_links_lead_there(tmp_path):
    names = ["作业一.ipynb", "作业二.ipynb", "other/作业一.ipynb", "Zoe\u0308 & Åsa.ipynb"]
    write(tmp_path, [(name, graded()) for name in names])
    pages = {path.name for path in tmp_path.glob("*.html")} - {"index.html"}
    assert pages == {"作业一.html", "作业二.html", "作业一-2.html", "Zoë-Åsa.html"}
    index = (tmp_path / "index.html").read_text("utf-8")
    links = [link for link in re.findall(r'href="(.*?)"', index) if link.endswith(".html")]
    assert links[0] == "%E4%BD%9C%E4%B8%9A%E4%B8%80.html"
    assert all(link.isascii() for link in links)
    assert {unquote(link) for link in links} == pages
    (panel,) = attributes_of((tmp_path / "作业一.html").read_text("utf-8"), "aside")
    assert panel["data-file"] == "作业一-points.csv"
    assert panel["data-submission"] == "作业一.ipynb"


def test_the_same_class_gives_the_same_folder(tmp_path):
    for name in ("one", "two"):
        write(tmp_path / name, CLASS)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_no_cell_of_the_table_is_a_formula(tmp_path):
    starts = ("=", "+", "-", "@", "\t=", "\r=", " =")
    names = [f"{start}{number}+1" for number, start in enumerate(starts)]
    write(tmp_path, [(name, graded()) for name in names])
    written = [row[0] for row in rows(tmp_path / "points.csv")[1:]]
    assert len(written) == len(names)
    assert all(cell.startswith("'") for cell in written)


def test_the_page_names_a_submission_as_the_table_does(tmp_path):
    name = '=x, "y"\n\u202e&amp;<b> 张.ipynb'
    write(tmp_path, [(name, graded())])
    (page,) = (path for path in tmp_path.glob("*.html") if path.name != "index.html")
    (panel,) = attributes_of(page.read_text("utf-8"), "aside")
    assert [panel["data-submission"], panel["data-name"]] == rows(tmp_path / "points.csv")[1][:2]


def test_a_table_that_exists_is_never_touched(tmp_path):
    points = tmp_path / "points.csv"
    assert write(tmp_path, CLASS[:1]) == PointsTables((), written="points.csv")
    done = points.read_text("utf-8-sig").replace("13_2,,", "13_2,3.5,well argued")
    points.write_text(done, "utf-8")  # without the mark, as some editors write it
    assert write(tmp_path, CLASS) == PointsTables(("points.csv",), written="points-2.csv")
    assert points.read_text("utf-8") == done
    (given,) = read_points(points)
    assert (given.submission, given.points, given.comment) == ("class/b.ipynb", 3.5, "well argued")
    assert rows(tmp_path / "points-2.csv")[1:] == [["class/=1+1.ipynb", "written_13_2", "", ""]]
    before = {path.name: path.read_bytes() for path in tmp_path.glob("points*")}
    assert write(tmp_path, CLASS) == PointsTables(("points.csv", "points-2.csv"), written=None)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("points*")} == before
    tables = write(tmp_path, [*CLASS, ("late.ipynb", graded())])
    assert tables.names == ("points.csv", "points-2.csv", "points-3.csv")
    assert rows(tmp_path / "points-3.csv")[1:] == [["late.ipynb", "written_13_2", "", ""]]
    index = (tmp_path / "index.html").read_text("utf-8")
    assert re.findall(r'href="(points.*?)"', index) == list(tables.names)


@pytest.mark.parametrize(
    ("content", "is_known"),
    [
        (b"submission;name;points;comment\nclass/b.ipynb;written_13_2;3,5;\n", True),
        ("submission\tname\tpoints\nclass/b.ipynb\twritten_13_2\t1\n".encode("utf-8-sig"), True),
        (b"submission,name,points,comment\nclass/b.ipynb,written_13_2,three,\n", True),
        ("submission,name\nclass/b.ipynb,written_13_2\n".encode("utf-16"), False),
        (b"", False),
        (b"something else\n\x00\xff", False),
        (b'submission,name\n"' + b"a" * 200_000, False),
    ],
)
def test_a_table_from_a_spreadsheet_is_read_if_it_can_be(tmp_path, content, is_known):
    (tmp_path / "points.csv").write_bytes(content)
    write(tmp_path, CLASS[:1])
    assert (tmp_path / "points.csv").read_bytes() == content
    assert (tmp_path / "points-2.csv").exists() is not is_known
    write(tmp_path, CLASS[:1])
    assert not (tmp_path / "points-3.csv").exists()


def test_other_files_are_left_alone_and_links_are_not_followed(tmp_path):
    folder = tmp_path / "feedback"
    folder.mkdir()
    outside = tmp_path / "outside.html"
    for path in (outside, folder / "points-b.csv", folder / "notes.html"):
        path.write_text("mine")
    (folder / "b.html").symlink_to(outside)
    (folder / "points.csv").symlink_to(tmp_path / "nowhere.csv")
    write(folder, CLASS)
    for path in (outside, folder / "points-b.csv", folder / "notes.html"):
        assert path.read_text() == "mine"
    assert not (folder / "b.html").is_symlink()
    assert not (tmp_path / "nowhere.csv").exists()
    assert len(rows(folder / "points-2.csv")) == 3


def test_a_folder_that_cannot_be_written_is_reported(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(GradingError, match=r"^write_feedback: folder must be .*file'.*\. Choose"):
        write(tmp_path / "file", CLASS)


def test_an_interrupted_run_leaves_whole_files_only(tmp_path):
    done = []

    def interrupt():
        done.append(1)
        if len(done) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_feedback(tmp_path, CLASS, similar=NO_PAIRS, progress=interrupt)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1-1.html", "b.html"]
    assert all(path.read_text("utf-8").endswith("</html>") for path in tmp_path.iterdir())
