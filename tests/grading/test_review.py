"""`gm-course review`: points given by hand become final scores, and nothing wrong slips in."""

import codecs
import csv
import io
import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from gm_course.cli import _CourseGroup
from gm_course.errors import GradingError
from gm_course.grading.results import AnswerResult, Result, WrittenResult
from gm_course.grading.review import merge_points, read_points, read_results
from gm_course.grading.review_cli import review
from gm_course.grading.tables import write_json

HEADER = "submission,name,points,comment\n"


def graded(score=5.0, *, status="needs_review", text="Because."):
    answers = (AnswerResult("gaussian_kl", "failed", score, 8.0, diagnosis="d", hint="h"),)
    return Result("graded", "13-2", answers=answers, written=(written(status, text),))


def written(status="needs_review", text="Because."):
    return WrittenResult("written_13_2", status, 4.0, text=text)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def class_of(folder, **results):
    """Write results.json with these submissions, .ipynb added to each name."""
    results = {f"{name}.ipynb": result for name, result in results.items()}
    write_json(folder / "results.json", [result.entry(name) for name, result in results.items()])


def run(*arguments, tables=("points.csv",)):
    """Run the command; return exit status, standard output and standard error."""
    group = _CourseGroup(commands=[review])
    result = CliRunner().invoke(group, ["review", "results.json", *tables, *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


def points(folder, text, name="points.csv"):
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)


def final(folder):
    """Final score and written score of each submission in out.json."""
    entries = json.loads((folder / "out.json").read_bytes())
    return {
        entry["submission"]: (
            entry["final_score"],
            [(item["status"], item["score"]) for item in entry["written"]],
        )
        for entry in entries
    }


def final_table(folder):
    """The rows of out.csv."""
    text = (folder / "out.csv").read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_everything_reviewed(folder):
    class_of(folder, a=graded(5.0), b=graded(8.0))
    points(folder, HEADER + "a.ipynb,written_13_2,2.5,well begun\nb.ipynb,written_13_2,4,\n")
    status, out, err = run("--json", "out.json", "--csv", "out.csv")
    assert (status, out, err) == (0, "2 of 2 submissions have a final score\n", "")

    before = json.loads((folder / "results.json").read_bytes())
    after = json.loads((folder / "out.json").read_bytes())
    expected = [
        {**before[0], "final_score": 7.5, "final_max_score": 12.0},
        {**before[1], "final_score": 12.0, "final_max_score": 12.0},
    ]
    for entry, score in zip(expected, (2.5, 4.0), strict=True):
        entry["written"] = [{**entry["written"][0], "status": "reviewed", "score": score}]
    assert after == expected

    assert (folder / "out.csv").read_bytes().startswith(codecs.BOM_UTF8)
    assert final_table(folder)[0] == {
        "submission": "a.ipynb",
        "exercise": "13-2",
        "status": "graded",
        "score": "5.0",
        "max_score": "8.0",
        "written_score": "2.5",
        "written_max_score": "4.0",
        "final_score": "7.5",
        "final_max_score": "12.0",
        "comment": "well begun",
    }


def test_what_is_not_reviewed_is_listed_and_has_no_final_score(folder):
    class_of(folder, a=graded(), b=graded(), c=graded(), d=graded(status="empty", text=""))
    points(
        folder,
        HEADER + "a.ipynb,written_13_2,1,\nb.ipynb,written_13_2,,later\nd.ipynb,written_13_2,,\n",
    )
    assert run("--json", "out.json", "--csv", "out.csv") == (
        1,
        "needs review: 'b.ipynb' written_13_2\n"
        "needs review: 'c.ipynb' written_13_2\n"
        "2 of 4 submissions have a final score\n",
        "",
    )
    assert final(folder) == {
        "a.ipynb": (6.0, [("reviewed", 1.0)]),
        "b.ipynb": (None, [("needs_review", None)]),
        "c.ipynb": (None, [("needs_review", None)]),
        "d.ipynb": (5.0, [("empty", 0.0)]),
    }
    rows = final_table(folder)
    assert [row["final_score"] for row in rows] == ["6.0", "", "", "5.0"]
    assert [row["written_score"] for row in rows] == ["1.0", "", "", "0.0"]
    assert rows[1]["comment"] == "later"


def test_an_empty_answer_may_be_given_points(folder):
    class_of(folder, a=graded(status="empty", text=""))
    points(folder, HEADER + "a.ipynb,written_13_2,3,handed in on paper\n")
    assert run("--json", "out.json")[0] == 0
    assert final(folder) == {"a.ipynb": (8.0, [("reviewed", 3.0)])}


def test_submissions_that_could_not_be_graded_have_no_final_score(folder):
    class_of(folder, a=Result("unreadable", message="empty file"), b=graded(status="empty"))
    points(folder, HEADER)
    assert run("--json", "out.json", "--csv", "out.csv") == (
        0,
        "1 of 2 submissions have a final score; 1 could not be graded\n",
        "",
    )
    assert final(folder)["a.ipynb"] == (None, [])
    entry = json.loads((folder / "out.json").read_bytes())[0]
    assert (entry["final_max_score"], entry["message"]) == (None, "empty file")


def test_without_outputs_the_tables_are_checked(folder):
    class_of(folder, a=graded())
    points(folder, HEADER + "a.ipynb,written_13_2,1,\n")
    assert run()[0] == 0
    assert sorted(path.name for path in folder.iterdir()) == ["points.csv", "results.json"]


# --- tables as spreadsheets write them ---------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        HEADER + "a.ipynb,written_13_2,2.5,good",
        "submission,name,points,comment\r\na.ipynb,written_13_2,2.5,good\r\n",
        codecs.BOM_UTF8 + (HEADER + '"a.ipynb","written_13_2","2.5","good"\n').encode(),
        "submission;name;points;comment\r\na.ipynb;written_13_2;2,5;good\r\n;;;\r\n",
        "submission;name;points;comment\na.ipynb;written_13_2;2.5;good\n",
        "submission\tname\tpoints\tcomment\na.ipynb\twritten_13_2\t2,5\tgood\n",
        "Points,Comment,Submission,Name,Group\n2.50,good,a.ipynb,written_13_2,7\n",
        HEADER + "\n,,,\na.ipynb, written_13_2 , 2.5 , good ,,\n\n",
    ],
    ids=["plain", "CRLF", "BOM", "semicolon", "semicolon and point", "tab", "columns", "blanks"],
)
def test_forms_of_a_table(folder, text):
    points(folder, text)
    (row,) = read_points(folder / "points.csv")
    assert (row.submission, row.name, row.points, row.comment) == (
        "a.ipynb",
        "written_13_2",
        2.5,
        "good",
    )


def test_rows_may_be_short_and_comments_long(folder):
    comment = "First,\nthen \"that\"; finally\n'this'"
    quoted = comment.replace('"', '""')
    points(folder, f'{HEADER}a,w\nb,w,1\nc,w,1,"{quoted}"\nd,w,x,\n')
    with pytest.raises(GradingError, match=r"points\.csv:7: points must be a number"):
        read_points(folder / "points.csv")
    points(folder, f'{HEADER}a,w\nb,w,1\nc,w,1,"{quoted}"\n')
    rows = read_points(folder / "points.csv")
    assert [(row.points, row.comment) for row in rows] == [(None, ""), (1.0, ""), (1.0, comment)]


def test_protection_against_formulas_is_undone_and_put_back(folder):
    name = "=cmd|' /C calc'!A1.ipynb"
    write_json(folder / "results.json", [graded().entry(name), graded().entry("'quoted'.ipynb")])
    points(
        folder,
        HEADER
        + f"\"'{name}\",written_13_2,1,'-1 for the sign\n'quoted'.ipynb,written_13_2,1,'x'\n",
    )
    assert run("--json", "out.json", "--csv", "out.csv")[0] == 0
    assert list(final(folder)) == [name, "'quoted'.ipynb"]
    merged = merge_points(read_results(folder / "results.json"), read_points(folder / "points.csv"))
    assert merged.comments == ("-1 for the sign", "'x'")
    rows = final_table(folder)
    assert [row["submission"] for row in rows] == [f"'{name}", "'quoted'.ipynb"]
    assert [row["comment"] for row in rows] == ["'-1 for the sign", "'x'"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [("'=1", "=1"), ("'-1\nfor", "-1\nfor"), ("' +1", " +1"), ("'a'", "'a'"), ("''=1", "''=1")],
)
def test_only_protecting_apostrophes_are_removed_from_comments(folder, written, meant):
    points(folder, f'{HEADER}a,w,1,"{written}"\n')
    assert [row.comment for row in read_points(folder / "points.csv")] == [meant]


def test_odd_names_come_back_from_the_feedbacks_form(folder):
    # A spreadsheet's cell has no tab, and the table therefore a space in its place.
    write_json(folder / "results.json", [graded().entry("a\tb.ipynb"), graded().entry("ü ½.ipynb")])
    points(folder, HEADER + "a b.ipynb,written_13_2,1,\nü ½.ipynb,written_13_2,2,\n")
    assert run("--json", "out.json")[0] == 0
    assert [score for score, _ in final(folder).values()] == [6.0, 7.0]


# --- several tables ----------------------------------------------------------------------------


def test_tables_complement_each_other(folder):
    class_of(folder, a=graded(), b=graded())
    points(folder, HEADER + "a.ipynb,written_13_2,1,one\nb.ipynb,written_13_2,,\n")
    points(folder, HEADER + "b.ipynb,written_13_2,2,\na.ipynb,written_13_2,1.0,two\n", "more.csv")
    status, _, _ = run("--json", "out.json", "--csv", "out.csv", tables=["points.csv", "more.csv"])
    assert status == 0
    assert [score for score, _ in final(folder).values()] == [6.0, 7.0]
    rows = final_table(folder)
    assert rows[0]["comment"] == "one two"


def test_the_same_file_given_twice_counts_once(folder):
    entries = [graded().entry("a.ipynb")] * 2
    write_json(folder / "results.json", entries)
    points(folder, HEADER + "a.ipynb,written_13_2,1,\n")
    assert run("--json", "out.json")[0] == 0
    assert final(folder) == {"a.ipynb": (6.0, [("reviewed", 1.0)])}


# --- what is wrong is said, and nothing is written ---------------------------------------------


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("x.ipynb,written_13_2,1,", "submission must be one of the results; got 'x.ipynb'. "),
        ("A.ipynb,written_13_2,1,", "submission must be one of the results; got 'A.ipynb'. "),
        (",written_13_2,1,", "submission must be one of the results; got ''. "),
        ("a.ipynb,written_13_1,1,", "name must be that of a written answer, written_13_2; got "),
        ("a.ipynb,gaussian_kl,1,", "name must be that of a written answer, written_13_2; got "),
        ("bad.ipynb,written_13_2,1,", "could be graded; got 'bad.ipynb', which is unreadable. "),
        ("bad.ipynb,written_13_2,,", "could be graded; got 'bad.ipynb', which is unreadable. "),
        ("a.ipynb,written_13_2,4.1,", "points must be at most 4; got 4.1. "),
        ("a.ipynb,written_13_2,-1,", "points must be a number, 0 or more; got '-1'. "),
        ("a.ipynb,written_13_2,nan,", "points must be a number, 0 or more; got 'nan'. "),
        ("a.ipynb,written_13_2,inf,", "points must be a number, 0 or more; got 'inf'. "),
        ("a.ipynb,written_13_2,1e0,", "points must be a number, 0 or more; got '1e0'. "),
        ("a.ipynb,written_13_2,two,", "points must be a number, 0 or more; got 'two'. "),
        ("a.ipynb,written_13_2,1_0,", "points must be a number, 0 or more; got '1_0'. "),
        ("a.ipynb,written_13_2,٣,", "points must be a number, 0 or more; got '٣'. "),
        ('a.ipynb,written_13_2,"2,5",', "points must be a number, 0 or more; got '2,5'. "),
        ("a.ipynb,written_13_2,2,5,good", "a row must have 4 cells, like the header; got 5. "),
        ('a.ipynb,written_13_2,1,"no end', "a row must be valid CSV; got an error"),
        ('a.ipynb,written_13_2,1,"a" b', "a row must be valid CSV; got an error"),
        (
            "a.ipynb,written_13_2,1,\na.ipynb,written_13_2,2,",
            "points must be those of points.csv:2, which is about the same answer, 1; got 2. ",
        ),
    ],
)
def test_a_wrong_row_stops_everything(folder, row, message):
    class_of(folder, a=graded(), b=graded(), bad=Result("unreadable", message="empty"))
    points(folder, HEADER + row + "\n")
    status, out, err = run("--json", "out.json", "--csv", "out.csv")
    line = 3 if "\n" in row else 2
    assert (status, out) == (1, "")
    assert err.startswith(f"gm-course: error: review: points.csv:{line}: ")
    assert message in err
    assert err.count("\n") == 1
    assert sorted(path.name for path in folder.iterdir()) == ["points.csv", "results.json"]


def test_all_wrong_rows_are_named_up_to_a_limit(folder):
    class_of(folder, a=graded())
    points(folder, HEADER + "x.ipynb,written_13_2,1,\n" * 30)
    status, _, err = run("--json", "out.json")
    lines = err.splitlines()
    assert status == 1
    assert [line.split(":")[3:5] for line in lines[:20]] == [
        [" points.csv", str(number)] for number in range(2, 22)
    ]
    assert lines[20:] == ["gm-course: error: review: 10 more rows have such problems."]


def test_a_name_that_fits_several_submissions_is_refused(folder):
    write_json(folder / "results.json", [graded().entry("a\tb"), graded().entry("a b")])
    points(folder, HEADER + "a b,written_13_2,1,\n")
    status, _, err = run("--json", "out.json")
    assert status == 1
    assert "got 'a b' which fits 2 of them" in err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "points.csv:1: the first line must be the header"),
        (b"a.ipynb,written_13_2,1,\n", "points.csv:1: the first line must be the header"),
        (b"submission,name,points,points\n", "points.csv:1: the first line must be the header"),
        (
            "submission,name,points,comment\n".encode("utf-16"),
            "points.csv:1: the file must be UTF-8",
        ),
        (HEADER.encode() + b"a,w,1,\nb,w,1,\xe9\n", "points.csv:3: the file must be UTF-8"),
    ],
)
def test_a_file_that_is_no_table_is_refused(folder, content, message):
    class_of(folder, a=graded())
    points(folder, content)
    status, _, err = run("--json", "out.json")
    assert status == 1
    assert err.startswith(f"gm-course: error: review: {message}")


def broken(**changes):
    entry = json.loads(json.dumps(graded().entry("a.ipynb")))
    for key, value in changes.items():
        if value is None:
            del entry[key]
        else:
            entry[key] = value
    return json.dumps([entry])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "it is no JSON"),
        ("\xff", "it is no JSON"),
        ("[" * 100_000, "it is no JSON"),
        ("[NaN]", "it is no JSON"),
        ("{}", "it is no list of submissions"),
        ("[1]", "submission 1 has 1 in the place of an object"),
        (broken(written=None), "submission 1 has no 'written'"),
        (broken(status="passed"), "submission 1 has the status 'passed'"),
        (broken(score=-1), "submission 1 has the score -1"),
        (broken(score=True), "submission 1 has the score True"),
        (broken(max_score=10**400), "submission 1 has the max_score 1"),
        (broken(score=5.0).replace("5.0", "1e999"), "submission 1 has the score inf"),
        (broken(submission=3), "submission 1 has the submission 3"),
        (broken(answers=[{"name": "x"}]), "submission 1 has no 'status'"),
        (broken(written=[[]]), "submission 1 has [] in the place of an object"),
    ],
)
def test_results_of_another_kind_are_refused(folder, content, message):
    (folder / "results.json").write_text(content, encoding="latin-1")
    points(folder, HEADER)
    status, out, err = run("--json", "out.json")
    assert (status, out) == (1, "")
    assert err.startswith(
        "gm-course: error: review: RESULTS must be the file that `gm-course grade"
    )
    assert f"got results.json: {message}" in err
    assert not (folder / "out.json").exists()


def test_results_that_are_reviewed_already_are_refused(folder):
    class_of(folder, a=graded())
    points(folder, HEADER + "a.ipynb,written_13_2,1,\n")
    run("--json", "out.json")
    (folder / "out.json").replace(folder / "results.json")
    status, _, err = run("--json", "out.json")
    assert status == 1
    assert "submission 1 has the status 'reviewed'" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--json", "results.json"],
        ["--csv", "points.csv"],
        ["--json", "out", "--csv", "./out"],
        ["--json", "."],
        ["missing.csv"],
        ["--quickly"],
    ],
)
def test_wrong_usage(folder, arguments):
    class_of(folder, a=graded())
    points(folder, HEADER)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert run(*arguments)[:2] == (2, "")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_links_in_a_circle_are_wrong_usage(folder):
    class_of(folder, a=graded())
    points(folder, HEADER)
    (folder / "round").symlink_to("round")
    status, _, err = run("--json", "round")
    assert status == 2
    assert "Invalid value for --json" in err


def test_no_tables_is_wrong_usage(folder):
    class_of(folder, a=graded())
    assert run(tables=[])[0] == 2


def test_an_output_that_cannot_be_written_is_an_error(folder):
    class_of(folder, a=graded())
    points(folder, HEADER + "a.ipynb,written_13_2,1,\n")
    status, _, err = run("--csv", "nowhere/out.csv")
    assert status == 1
    assert err.startswith("gm-course: error: write_final_csv: path must be a file that can be")


def test_names_cannot_speak_to_the_terminal(folder):
    write_json(folder / "results.json", [graded().entry("\x1b[2J\n.ipynb")])
    points(folder, HEADER)
    status, out, _ = run()
    assert status == 1
    assert out.startswith("needs review: '\\x1b[2J\\n.ipynb' written_13_2\n")


def test_loading_the_command_is_light():
    code = (
        "import sys; import gm_course.grading.review_cli; "
        "print({'torch', 'numpy', 'jinja2'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "set()\n"
