"""The JSON and the spreadsheet table: strict, bounded, whole or not there."""

import csv
import json
import os
import stat

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gm_course.errors import GradingError
from gm_course.files import real_path, replace_file
from gm_course.grading.results import AnswerResult, Result, WrittenResult
from gm_course.grading.tables import (
    MAX_CELL_CHARACTERS,
    MAX_ENTRY_BYTES,
    spreadsheet_safe,
    write_csv,
    write_json,
)

FIRST = Result(
    "graded",
    exercise="13-1",
    answers=(
        AnswerResult("expectation_gradient", "passed", 2.0, 2.0),
        AnswerResult("gumbel_softmax", "failed", 0.5, 3.0, diagnosis="d", hint="h"),
    ),
    written=(WrittenResult("written_13_1", "needs_review", 4.0),),
)
FOURTH = Result(
    "graded",
    exercise="13-4",
    answers=(AnswerResult("optimal_value", "timeout", 0.0, 1.0),),
    written=(WrittenResult("written_13_4", "empty", 4.0),),
)
UNREADABLE = Result("unreadable", message="grade: submission must be a notebook; got 12.")


def strictly_parsed(data):
    """Parse as a program would that accepts nothing but standard JSON in UTF-8."""

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    text = data.decode("utf-8")
    assert not text.startswith("\ufeff")
    value = json.loads(text, parse_constant=refuse)
    json.dumps(value, ensure_ascii=False).encode()  # fails on half surrogate pairs
    return value


def written_json(path, entries):
    write_json(path, entries)
    return strictly_parsed(path.read_bytes())


class TestJson:
    def test_entries_come_in_order_and_unchanged(self, tmp_path):
        entries = [
            FIRST.entry("张伟.ipynb"),
            UNREADABLE.entry("b\n.ipynb"),
            FOURTH.entry("class/c.ipynb"),
        ]
        assert written_json(tmp_path / "out.json", entries) == entries
        assert "张伟" in (tmp_path / "out.json").read_text("utf-8")

    def test_no_entries(self, tmp_path):
        assert written_json(tmp_path / "out.json", []) == []

    def test_half_surrogate_pairs_become_readable_escapes(self, tmp_path):
        entry = Result("unreadable", message="\udce9\ud83d").entry("a")
        (found,) = written_json(tmp_path / "out.json", [entry])
        assert found["message"] == "\\udce9\\ud83d"

    @pytest.mark.parametrize("number", [float("nan"), float("inf")])
    def test_what_is_no_number_is_never_written(self, tmp_path, number):
        with pytest.raises(ValueError, match="JSON"):
            write_json(tmp_path / "out.json", [{"score": number}])
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("character", ["x", "é", "张", "😀", "\x00", '"', "\ud800"])
    @pytest.mark.parametrize("count", [3, 7])
    def test_an_entry_stays_small_whatever_a_student_makes_it_say(self, tmp_path, character, count):
        answers = tuple(
            AnswerResult(f"a{n}", "error", 0.0, 1.0, diagnosis=character * 60_000, hint="short")
            for n in range(count)
        )
        name = "长" * 1000
        entry = Result("graded", message=character * 200_000, answers=answers).entry(name)
        (found,) = written_json(tmp_path / "out.json", [entry])
        # neither as it stands in the file nor as Python's default writes it again
        assert (tmp_path / "out.json").stat().st_size <= MAX_ENTRY_BYTES + 10
        assert len(json.dumps(found)) <= MAX_ENTRY_BYTES
        assert found["submission"] == name
        texts = [found["message"], *(answer["diagnosis"] for answer in found["answers"])]
        # shortened evenly, not more than needed, visibly
        assert len({len(text) for text in texts}) == 1
        assert all(text.endswith(" …") for text in texts)
        assert len(json.dumps(found, indent=1)) > 0.9 * MAX_ENTRY_BYTES
        assert [answer["hint"] for answer in found["answers"]] == ["short"] * count
        assert [answer["status"] for answer in found["answers"]] == ["error"] * count

    def test_a_long_entry_that_fits_is_not_touched(self, tmp_path):
        entry = Result("unreadable", message="x" * (MAX_ENTRY_BYTES - 1000)).entry("a")
        assert written_json(tmp_path / "out.json", [entry]) == [entry]

    def test_others_are_not_shortened_because_one_is(self, tmp_path):
        long, short = (Result("unreadable", message="x" * n).entry("a") for n in (10**6, 50_000))
        assert written_json(tmp_path / "out.json", [long, short])[1] == short

    def test_a_folder_that_is_gone_is_an_error_of_one_line(self, tmp_path):
        path = tmp_path / "gone\x1b" / "out.json"
        with pytest.raises(GradingError, match=r"^write_json: path must .*; got '.*\\x1b/out") as e:
            write_json(path, [])
        assert "No such file or directory" in str(e.value)
        assert str(e.value).isprintable()


def read_csv(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, strict=True))


class TestCsv:
    def test_one_row_per_submission(self, tmp_path):
        path = tmp_path / "out.csv"
        write_csv(path, [("d.ipynb", FOURTH), ("张伟.ipynb", FIRST), ("x.ipynb", UNREADABLE)])
        rows = read_csv(path)
        assert list(rows[0]) == [
            "submission",
            "exercise",
            "status",
            "score",
            "max_score",
            # the exercises in their order, not in that of the submissions
            "expectation_gradient",
            "expectation_gradient status",
            "gumbel_softmax",
            "gumbel_softmax status",
            "optimal_value",
            "optimal_value status",
            "written_13_1",
            "written_13_4",
            "message",
        ]
        filled = [{name: text for name, text in row.items() if text} for row in rows]
        assert filled == [
            {
                "submission": "d.ipynb",
                "exercise": "13-4",
                "status": "graded",
                "score": "0.0",
                "max_score": "1.0",
                "optimal_value": "0.0",
                "optimal_value status": "timeout",
            },
            {
                "submission": "张伟.ipynb",
                "exercise": "13-1",
                "status": "graded",
                "score": "2.5",
                "max_score": "5.0",
                "expectation_gradient": "2.0",
                "expectation_gradient status": "passed",
                "gumbel_softmax": "0.5",
                "gumbel_softmax status": "failed",
            },
            {
                "submission": "x.ipynb",
                "status": "unreadable",
                "score": "0.0",
                "max_score": "0.0",
                "message": UNREADABLE.message,
            },
        ]

    def test_spreadsheets_recognise_the_encoding(self, tmp_path):
        write_csv(tmp_path / "out.csv", [("张伟.ipynb", FIRST)])
        assert (tmp_path / "out.csv").read_bytes().startswith(b"\xef\xbb\xbfsubmission,")

    def test_no_submissions(self, tmp_path):
        write_csv(tmp_path / "out.csv", [])
        assert read_csv(tmp_path / "out.csv") == []

    @pytest.mark.parametrize("name", ["=1+1.ipynb", "-1.ipynb", 'a",b\r\n=1\x00.ipynb', "\udc80"])
    def test_odd_names_and_messages_stay_in_their_cells(self, tmp_path, name):
        result = Result("unreadable", message=name * 2)
        write_csv(tmp_path / "out.csv", [(name, result), ("b", FIRST)])
        first, second = read_csv(tmp_path / "out.csv")
        assert first["submission"] == spreadsheet_safe(name)
        assert first["message"] == spreadsheet_safe(name * 2)
        assert second["submission"] == "b"

    def test_a_folder_that_is_gone_is_an_error(self, tmp_path):
        with pytest.raises(GradingError, match=r"^write_csv: path must .*No such file"):
            write_csv(tmp_path / "gone" / "out.csv", [])


class TestSpreadsheetSafe:
    @pytest.mark.parametrize(
        "text",
        [
            "=1",
            "+1",
            "-1",
            "@a",
            "\t=1",
            "\r=1",
            "\n=1",
            " =1",
            "\u3000=1",
            "＝1",
            "＋1",
            "－1",
            "＠",
        ],
    )
    def test_what_starts_a_formula_is_text(self, text):
        assert spreadsheet_safe(text).startswith("'")

    @pytest.mark.parametrize("text", ["", "a=1", "1-2", "张伟.ipynb", "'quoted'", "a  b"])
    def test_other_text_is_left_alone(self, text):
        assert spreadsheet_safe(text) == text

    def test_a_long_text_is_cut_visibly(self):
        cut = spreadsheet_safe("=" + "x" * 100_000)
        assert cut.endswith("x …")
        assert MAX_CELL_CHARACTERS <= len(cut) < 32_767

    @given(st.text(st.characters(categories=None)))
    @example("\ud800=")
    @example("\x00=1")
    @example("\x85=1")
    def test_no_text_starts_a_formula_or_breaks_the_file(self, text):
        safe = spreadsheet_safe(text)
        safe.encode()
        assert not safe.strip().startswith(("=", "+", "-", "@"))
        assert "\0" not in safe
        assert not {"\r", "\n"} & set(safe)


class TestRealPath:
    def test_links_are_followed_also_to_what_does_not_exist(self, tmp_path):
        (tmp_path / "link").symlink_to("folder/missing")
        assert real_path(tmp_path / "link") == tmp_path.resolve() / "folder" / "missing"

    def test_links_in_a_circle_are_an_error(self, tmp_path):
        (tmp_path / "there").symlink_to("back")
        (tmp_path / "back").symlink_to("there")
        with pytest.raises(OSError, match="symbolic links"):
            real_path(tmp_path / "there")


class TestReplaceFile:
    def test_new_content_replaces_the_old(self, tmp_path):
        path = tmp_path / "file"
        for content in (b"old", b"new"):
            replace_file(path, [content[:1], content[1:]])
            assert path.read_bytes() == content
        assert list(tmp_path.iterdir()) == [path]

    def test_permissions(self, tmp_path):
        old = os.umask(0o027)
        try:
            replace_file(tmp_path / "new", [])
            replace_file(tmp_path / "private", [], mode=0o600)
            (tmp_path / "private").chmod(0o604)
            replace_file(tmp_path / "private", [b"again"])
        finally:
            os.umask(old)
        modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("new", "private")]
        assert modes == [0o640, 0o604]

    def test_a_link_stays_and_its_target_is_replaced(self, tmp_path):
        (tmp_path / "folder").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "folder" / "file")
        for content in (b"old", b"new"):
            replace_file(tmp_path / "link", [content])
            assert (tmp_path / "folder" / "file").read_bytes() == content
        assert (tmp_path / "link").is_symlink()

    def test_the_longest_name_works(self, tmp_path):
        replace_file(tmp_path / ("n" * 255), [b"content"])
        assert (tmp_path / ("n" * 255)).read_bytes() == b"content"

    @pytest.mark.parametrize("error", [OSError(28, "No space left"), KeyboardInterrupt()])
    def test_cut_off_it_leaves_the_old_file_and_nothing_else(self, tmp_path, error):
        def parts():
            yield b"half"
            raise error

        path = tmp_path / "file"
        path.write_bytes(b"old")
        with pytest.raises(type(error)):
            replace_file(path, parts())
        assert path.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [path]

    def test_the_content_is_on_the_disk_before_it_gets_the_name(self, tmp_path, monkeypatch):
        path = tmp_path / "file"
        path.write_bytes(b"old")
        seen = []

        def fsync(descriptor):
            seen.append((os.fstat(descriptor).st_size, path.read_bytes()))

        monkeypatch.setattr(os, "fsync", fsync)
        replace_file(path, [b"new content"])
        assert seen == [(11, b"old")]
