"""Finding, reading and parsing submissions: odd names, pipes, damage, and lying metadata."""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gm_course.checks import exercise
from gm_course.checks.registry import ANSWERS
from gm_course.errors import ArgumentError, UnreadableError
from gm_course.grading import submission as module
from gm_course.grading.submission import (
    CodeCell,
    Submission,
    find_submissions,
    parse,
    read_bytes,
    shown_name,
)
from gm_course.notebooks.sources import TEXT_STUB
from tests.grading.submissions import NUMBERS, ROOT, grade_id, untouched, worked
from tests.grading.submissions import submission as make

quick = settings(max_examples=150, deadline=None, derandomize=True, database=None)


@pytest.fixture
def no_endless_wait():
    """A read that waits for a pipe must fail its test, not stop the run."""

    def stop(*_):
        pytest.fail("it hangs")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


def notebook(*cells, **changes) -> bytes:
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells)}
    return json.dumps(content | changes).encode()


def cell(cell_type, source, name=None):
    metadata = {} if name is None else {"nbgrader": {"grade_id": name}}
    return {"cell_type": cell_type, "metadata": metadata, "source": source}


def markdown(source, name=None):
    return cell("markdown", source, name)


def code(source, name=None):
    return cell("code", source, name)


def changed(content, change):
    """The notebook after ``change`` was applied to each of its cells."""
    data = json.loads(content)
    for item in data["cells"]:
        change(item)
    return json.dumps(data).encode()


def without_metadata(content):
    return changed(content, lambda item: item.update(metadata={}))


def written_text(content):
    (answer,) = parse(content).written
    assert answer.is_empty == (not answer.text)
    return answer.text


def text_of(item):
    return "".join(item["source"])


def given_written_text(number):
    """Text of the cell that asks for the written answer, and that of the reading list."""
    cells = json.loads(untouched(number))["cells"]
    place = [grade_id(item) for item in cells].index(f"written_{number.replace('-', '_')}")
    return text_of(cells[place - 1]), text_of(cells[place + 1])


# --- finding -----------------------------------------------------------------------------------


def test_paths_stay_in_order_and_a_folder_stands_for_its_sorted_notebooks(tmp_path):
    for name in ("b.ipynb", "a.ipynb", "B.ipynb", "notes.txt", "a.ipynb.bak", ".hidden.ipynb"):
        (tmp_path / name).write_text("")
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / ".ipynb_checkpoints" / "a-checkpoint.ipynb").write_text("")
    (tmp_path / "deeper.ipynb").mkdir()
    (tmp_path / "deeper.ipynb" / "c.ipynb").write_text("")
    notes = tmp_path / "notes.txt"
    assert find_submissions([notes, tmp_path, notes]) == [
        notes,
        *(tmp_path / name for name in (".hidden.ipynb", "B.ipynb", "a.ipynb", "b.ipynb")),
        notes,
    ]


def test_in_a_folder_only_regular_files_and_links_to_them_count(tmp_path):
    outside, folder = tmp_path / "outside", tmp_path / "class"
    outside.write_text("")
    folder.mkdir()
    (folder / "file.ipynb").write_text("")
    (folder / "link.ipynb").symlink_to(outside)
    (folder / "link-to-link.ipynb").symlink_to("link.ipynb")
    (folder / "dangling.ipynb").symlink_to("nowhere")
    (folder / "loop.ipynb").symlink_to("loop.ipynb")
    (folder / "folder.ipynb").symlink_to(tmp_path)
    (folder / "device.ipynb").symlink_to("/dev/zero")
    (folder / "pipe-link.ipynb").symlink_to("pipe.ipynb")
    os.mkfifo(folder / "pipe.ipynb")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket.ipynb"))
        names = [path.name for path in find_submissions([folder])]
    assert names == ["file.ipynb", "link-to-link.ipynb", "link.ipynb"]


def test_odd_names_are_found_and_read(tmp_path):
    names = [
        b"\xff\xfe.ipynb",
        b"-o.ipynb",
        b"a\nb.ipynb",
        b" .ipynb",
        b".ipynb",
        b"\xe4\xb9\xa0.ipynb",
    ]
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(name)
    found = find_submissions([tmp_path])
    assert sorted(map(read_bytes, found)) == sorted(names)
    assert {os.fsencode(path.name) for path in found} == set(names)


def test_a_leading_dash_is_kept_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("-rf.ipynb").write_bytes(b"x")
    assert find_submissions([Path()]) == [Path("-rf.ipynb")]
    assert read_bytes(Path("-rf.ipynb")) == b"x"


@pytest.mark.parametrize("name", ["missing.ipynb", "file/inside.ipynb", "nul\0.ipynb", "\ud800"])
def test_a_path_that_does_not_exist_is_wrong_usage(tmp_path, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArgumentError, match=r"must be an existing file or folder; got '") as caught:
        find_submissions([tmp_path / "file", tmp_path / name])
    str(caught.value).encode()


def test_what_exists_but_cannot_be_read_keeps_its_place(tmp_path):
    dangling, loop, pipe = (tmp_path / name for name in ("dangling", "loop", "pipe"))
    dangling.symlink_to("nowhere")
    loop.symlink_to("loop")
    os.mkfifo(pipe)
    too_long = tmp_path / ("x" * 300)
    assert find_submissions([dangling, loop, pipe, too_long]) == [dangling, loop, pipe, too_long]


def test_a_folder_that_cannot_be_listed_is_wrong_usage(tmp_path, monkeypatch):
    def refuse(_path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(ArgumentError, match=r"can be listed; got .* \(Permission denied\)"):
        find_submissions([tmp_path])


def test_a_link_into_a_closed_folder_keeps_its_place(tmp_path, monkeypatch):
    class Closed:
        name = "closed.ipynb"

        def is_file(self):
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", lambda _path: nullcontext([Closed()]))
    assert find_submissions([tmp_path]) == [tmp_path / "closed.ipynb"]


def test_an_empty_folder_has_no_submissions(tmp_path):
    assert find_submissions([tmp_path]) == []


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"plain.ipynb", "plain.ipynb"),
        ("习题 é.ipynb".encode(), "习题 é.ipynb"),
        (b"Zo\xeb.ipynb", r"Zo\xeb.ipynb"),
        (b"\xc3\x28\x80\xff", r"\xc3(\x80\xff"),
        (b"a\nb\t\x1b[31m", "a\nb\t\x1b[31m"),
        (b"./x/../-y", "x/../-y"),
    ],
)
def test_names_are_shown_as_valid_text(raw, shown):
    assert shown_name(Path(os.fsdecode(raw))) == shown


def test_halves_of_characters_that_stand_for_no_byte_are_shown_by_their_number():
    assert shown_name(Path("\ud800 \udc7f \udd00")) == r"\ud800 \udc7f \udd00"


@quick
@given(st.text(st.characters(min_codepoint=1, exclude_categories=()), min_size=1))
@example("\ud800 \udcff \udfff")
def test_any_name_can_be_encoded(name):
    shown_name(Path(name)).encode()


# --- reading -----------------------------------------------------------------------------------


def test_content_is_read_exactly(tmp_path):
    path = tmp_path / "any"
    content = bytes(range(256)) * 9000  # more than one chunk
    path.write_bytes(content)
    link = tmp_path / "link"
    link.symlink_to(path)
    assert read_bytes(path) == read_bytes(link) == content


def test_what_is_no_regular_file_is_refused_by_its_kind(tmp_path, no_endless_wait):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        cases = {
            tmp_path / "pipe": "a named pipe",
            tmp_path / "link": "a named pipe",
            tmp_path / "socket": "a socket",
            tmp_path: "a folder",
            Path("/dev/zero"): "a device",
        }
        for path, kind in cases.items():
            with pytest.raises(UnreadableError, match=f"must be a regular file; got {kind}. Give"):
                read_bytes(path)


def test_a_device_is_not_even_opened(monkeypatch):
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("opened"))
    with pytest.raises(UnreadableError, match="a device"):
        read_bytes(Path("/dev/null"))


def test_a_file_exchanged_for_a_pipe_before_it_is_opened_does_not_hang(
    tmp_path, monkeypatch, no_endless_wait
):
    pipe, file = tmp_path / "pipe", tmp_path / "file"
    os.mkfifo(pipe)
    file.write_text("x")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    status = file.stat()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", lambda _self, **_: status)
        with pytest.raises(UnreadableError, match="a named pipe"):
            read_bytes(pipe)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_the_size_is_limited_before_reading(tmp_path, monkeypatch):
    path = tmp_path / "large"
    with path.open("wb") as stream:
        stream.truncate(module.MAX_BYTES + 1)
    monkeypatch.setattr(os, "read", lambda *_: pytest.fail("read"))
    with pytest.raises(UnreadableError, match=r"at most 50 MB; got 50.0 MB\. Clear the outputs"):
        read_bytes(path)


def test_a_file_of_the_largest_size_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    path = tmp_path / "ten"
    path.write_bytes(b"0123456789")
    assert read_bytes(path) == b"0123456789"


def test_a_file_that_grows_while_it_is_read_is_cut_short(tmp_path, monkeypatch):
    path = tmp_path / "grows"
    path.write_bytes(b"x")
    chunks = iter([b"x" * 1_000_000] * 51 + [b""])
    monkeypatch.setattr(os, "read", lambda *_: next(chunks))
    with pytest.raises(UnreadableError, match="at most 50 MB; got more"):
        read_bytes(path)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermissionError(13, "Permission denied"), r"Permission denied\. Give yourself"),
        (OSError(5, "Input/output error"), r"Input/output error\. Copy the file"),
        (BlockingIOError(11, "Resource temporarily unavailable"), r".* unavailable\. Copy"),
    ],
)
@pytest.mark.parametrize("call", ["open", "read"])
def test_errors_of_the_system_are_reasons(tmp_path, monkeypatch, call, error, reason):
    path = tmp_path / "file"
    path.write_bytes(b"x")

    def fail(*_):
        raise error

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(UnreadableError, match=f"be a file that can be read; got {reason}"):
        read_bytes(path)


@pytest.mark.parametrize(
    ("target", "reason"),
    [("nowhere", "No such file or directory. Put"), ("link", "Too many levels of symbolic links")],
)
def test_links_that_lead_nowhere_are_refused(tmp_path, target, reason):
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(UnreadableError, match=reason):
        read_bytes(tmp_path / "link")


def test_a_name_that_no_file_can_have_is_refused():
    with pytest.raises(UnreadableError, match="null"):
        read_bytes(Path("nul\0"))


def test_finding_and_reading_load_neither_torch_nor_the_checks(tmp_path):
    (tmp_path / "a.ipynb").write_bytes(b"x")
    program = f"""
import sys
from pathlib import Path
from gm_course.grading.submission import find_submissions, read_bytes
assert [read_bytes(path) for path in find_submissions([Path({str(tmp_path)!r})])] == [b"x"]
assert not {{"torch", "numpy", "nbformat", "jupytext", "gm_course.checks"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


# --- damage ------------------------------------------------------------------------------------

GOOD = untouched("13-2")
DEEP = 100_000

DAMAGED = {
    "empty": (b"", "must be a notebook; got an empty file. Ask for"),
    "white space": (b" \n\t\r\n", "an empty file"),
    "byte order mark alone": (b"\xef\xbb\xbf", "not JSON at line 1, column 1"),
    "UTF-16": (GOOD.decode().encode("utf-16"), "must be UTF-8 text; got bytes that are not"),
    "UTF-16 without a mark": ('{"a": 1}'.encode("utf-16-le"), "cut off|not JSON"),
    "Latin-1": (notebook().replace(b"{}", b'{"a": "\xe9"}'), "first at "),
    "UTF-8 with a surrogate": (b'{"a": "\xed\xa0\x80"}', "bytes that are not, first at 7"),
    "overlong UTF-8": (b'{"a": "\xc0\xaf"}', "bytes that are not, first at 7"),
    "binary": (b"\x89PNG\r\n\x1a\n\x00\xff", "bytes that are not, first at 0"),
    "web page": (b"<!DOCTYPE html>\n<html></html>", "not JSON at line 1, column 1"),
    "Python file": (b"import torch\n", "not JSON at line 1, column 1"),
    "cut off in the middle": (GOOD[: len(GOOD) // 2], "must be a whole notebook; got one that is"),
    "cut off at the end": (GOOD.rstrip()[:-1], "cut off"),
    "cut off at the start": (GOOD[5:], "not JSON"),
    "cut off after a bracket": (b'{"cells": [{"metadata": {}', "cut off"),
    "text behind": (GOOD + b"x", "not JSON at line"),
    "two notebooks": (GOOD + GOOD, "not JSON at line"),
    "conflict": (GOOD.replace(b'"cells"', b"<<<<<<< HEAD\n", 1), "not JSON at line 2, column 2"),
    "single quotes": (b"{'cells': []}", "not JSON at line 1, column 2"),
    "nested lists": (b"[" * DEEP, "nested too deep"),
    "nested lists, closed": (b"[" * DEEP + b"]" * DEEP, "nested too deep"),
    "nested objects": (b'{"a":' * DEEP, "nested too deep"),
    "nested in metadata": (
        notebook().replace(b"{}", b"[" * DEEP + b"]" * DEEP),
        "nested too deep",
    ),
    "null": (b"null", "JSON of something else"),
    "list": (b"[]", "JSON of something else"),
    "number": (b"1", "JSON of something else"),
    "huge number": (b"1" * 10_000, "JSON of something else"),
    "NaN": (b"NaN", "JSON of something else"),
    "string": (b'"cells"', "JSON of something else"),
    "other object": (b'{"cells": []}', "JSON of something else"),
    "format 3": (
        json.dumps({"nbformat": 3, "worksheets": [{"cells": []}]}).encode(),
        "must be a notebook of format 4; got format 3. Open it in JupyterLab, save it",
    ),
    "format 5": (notebook(nbformat=5), "another format"),
    "format of wrong type": (notebook(nbformat="4"), "another format"),
    "format huge": (notebook().replace(b": 4", b": " + b"9" * 5000), "another format"),
    "format not a number": (notebook(nbformat=float("nan")), "another format"),
    "no cells": (notebook(cells=None), "must have a list of cells; got none"),
    "cells an object": (notebook(cells={"0": code("x = 1")}), "list of cells; got none"),
    "too many cells": (notebook(*[0] * 5_001), "at most 5,000 cells; got 5,001"),
    "too much code": (
        notebook(code("x" * 600_000), code("é" * 200_001)),
        "at most 1,000,000 bytes of code; got 1,000,002",
    ),
    "too many values": (b"[" + b"[]," * 1_000_000 + b"[]]", "at most 2,000,000 values"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files_are_unreadable_with_the_reason(name):
    content, reason = DAMAGED[name]
    with pytest.raises(UnreadableError, match=reason) as caught:
        parse(content)
    message = str(caught.value)
    assert message.startswith("grade: submission must ")
    assert message.endswith(".")
    assert message.isprintable()  # so it is one line, too
    assert len(message) < 250


def test_the_reason_quotes_nothing_from_the_file():
    # It may be a link to a file that the reader of the result should not see.
    for content in (b"secret", b'{"secret": 1}', b'{"nbformat": "secret"}', b'{"secret'):
        with pytest.raises(UnreadableError) as caught:
            parse(content)
        assert "secret" not in str(caught.value)


def test_the_limits_themselves_are_allowed():
    assert len(parse(notebook(*[code("")] * 5_000)).cells) == 5_000
    assert len(parse(notebook(code("x" * 1_000_000))).cells[0].source) == 1_000_000


def test_only_code_counts_towards_the_limit_of_code():
    parse(notebook(markdown("x" * 2_000_000)))


@pytest.mark.parametrize(
    "damage",
    [
        None,
        0,
        "x",
        [],
        {},
        {"cell_type": "code"},
        {"cell_type": "code", "source": None},
        {"cell_type": "code", "source": 1},
        {"cell_type": "code", "source": ["x", 1]},
        {"cell_type": "code", "source": {"0": "x"}},
        {"cell_type": ["code"], "source": "x"},
        {"source": "x"},
    ],
)
def test_a_malformed_cell_does_not_spoil_the_others(damage):
    found = parse(notebook(code("a = 1"), damage, code("b = 2")))
    assert [item.source for item in found.cells] == ["a = 1", "b = 2"]


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        1,
        "x",
        [],
        {"nbgrader": None},
        {"nbgrader": ["grade_id"]},
        {"nbgrader": {"grade_id": 1}},
        {"nbgrader": {"grade_id": ["gaussian_kl"]}},
        {"nbgrader": {"grade_id": {"gaussian_kl": 1}}},
        {"nbgrader": {"grade_id": "x" * 1000}},
    ],
)
def test_malformed_metadata_costs_the_cell_its_name_only(metadata):
    assert parse(notebook(code("a = 1") | {"metadata": metadata})).cells == (CodeCell("a = 1", ""),)


def test_sources_may_be_text_or_lines():
    lines = parse(notebook(code(["def f():\n", "    return 1\n"])))
    assert lines == parse(notebook(code("def f():\n    return 1\n")))


def test_a_byte_order_mark_and_white_space_around_are_tolerated():
    assert parse(b"\xef\xbb\xbf \n" + GOOD + b"\n\n") == parse(GOOD)


def test_what_is_no_unicode_is_replaced():
    # Escapes may name halves of a pair alone, or split a pair between two lines.
    content = notebook(code("?", "?"), code(["?", "?"]))
    content = content.replace(b'"?"', rb'"\ud83d"')
    content = content.replace(b'"grade_id"', rb'"x": "\udc00", "grade_id"')
    first, second = parse(content).cells
    assert first == CodeCell("\ufffd", "\ufffd")
    assert second == CodeCell("\ufffd\ufffd", "")


def test_huge_numbers_anywhere_else_do_not_matter():
    huge = notebook(code("a = 1") | {"execution_count": "HUGE", "outputs": ["HUGE"]})
    assert parse(huge.replace(b'"HUGE"', b"-" + b"7" * 1_000_000)).cells[0].source == "a = 1"


def test_hard_text_is_read_in_one_pass():
    # Each of these takes a quadratic search hours.
    for line in ("a", "a ", "\t", "async ", "def\t", "a:b", "a:\n", "\n", "_=="):
        parse(notebook(code(line * (900_000 // len(line)))))
    for text in ("<!--", "-->", "<!---->", "<!-- ", TEXT_STUB, "| ", "#", "# ", "\n"):
        repeated = text * (4_000_000 // len(text))
        parse(notebook(markdown(repeated), markdown(repeated, "written_13_2")))
    parse(notebook(code("x")).replace(b"{}", b'"' + rb"\ud800" * 500_000 + b'"'))


# --- whatever the bytes ------------------------------------------------------------------------


def check_any(content):
    """Parse it; whatever comes back, or is raised, is well formed."""
    try:
        found = parse(content)
    except UnreadableError as error:
        texts = [str(error)]
    else:
        assert len(found.written) == (found.exercise in NUMBERS)
        texts = [text for item in found.cells for text in (item.source, item.grade_id)]
        texts += [text for item in found.written for text in (item.name, item.text)]
    for text in texts:
        text.encode()


SMALL = notebook(
    markdown("# Exercise 13-2"),
    code(["def gaussian_kl(mu, var):\n", "    return mu\n"], "gaussian_kl"),
    code("check(gaussian_kl)", "check_gaussian_kl"),
    markdown("## The written answer\n\n| points | for |\n|---|---|\n| 1 | all |"),
    markdown("Because ∫p = 1. <!-- ? -->", "written_13_2"),
    markdown("## Where to read on"),
)
QUOTING = [b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\\ud800", b"\xff", b"\xef\xbb\xbf"]
VALUES = [b"null", b"1e999", b"-", b"NaN", b"0", b"9" * 5000, b"\0", b'"source":', b"<!--"]


@quick
@given(st.data())
def test_mutated_notebooks_are_parsed_or_refused(data):
    content = bytearray(data.draw(st.sampled_from([SMALL, SMALL, GOOD]), label="notebook"))
    new = st.sampled_from(QUOTING + VALUES) | st.binary(max_size=8)
    for _ in range(data.draw(st.integers(1, 4), label="mutations")):
        start = data.draw(st.integers(0, len(content)), label="start")
        length = data.draw(st.integers(0, 40), label="length")
        content[start : start + length] = data.draw(new, label="new")
    check_any(bytes(content))


KEYS = st.sampled_from(
    ["cells", "nbformat", "metadata", "nbgrader", "grade_id", "source", "cell_type", "code"]
)
WORDS = KEYS | st.sampled_from(
    ["gaussian_kl", "written_13_2", "def gaussian_kl(", "\ud800", TEXT_STUB]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=25,
)
ODD_CELL = st.fixed_dictionaries(
    {},
    optional={
        "cell_type": st.sampled_from(["code", "markdown", "raw"]) | JSON,
        "metadata": st.fixed_dictionaries({"nbgrader": st.dictionaries(KEYS, JSON)}) | JSON,
        "source": st.lists(WORDS, max_size=3) | JSON,
    },
)


@quick
@given(JSON | st.lists(ODD_CELL, max_size=5).map(lambda cells: {"nbformat": 4, "cells": cells}))
def test_any_json_is_parsed_or_refused(value):
    check_any(json.dumps(value).encode())


@quick
@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(content):
    check_any(content)


# --- the exercise ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("base", [untouched, worked])
@pytest.mark.parametrize("change", [lambda content: content, without_metadata])
def test_the_exercises_are_recognised_with_and_without_metadata(number, base, change):
    content = change(base(number))
    found = parse(content)
    assert found.exercise == number
    codes = [item for item in json.loads(content)["cells"] if item["cell_type"] == "code"]
    assert found.cells == tuple(CodeCell(text_of(item), grade_id(item)) for item in codes)
    assert [answer.name for answer in found.written] == [exercise(number).written_name]


def test_notebooks_that_are_no_exercises_are_not_recognised():
    lecture = parse((ROOT / "notebooks/00-start-here.ipynb").read_bytes())
    assert (lecture.exercise, lecture.written) == (None, ())
    assert lecture.cells
    assert parse(notebook()) == Submission(None, (), ())


@pytest.mark.parametrize("number", NUMBERS)
def test_functions_of_other_exercises_do_not_mislead(number):
    # Students copy helpers; even all but one of another exercise's answers do not outweigh.
    other = "13-1" if number != "13-1" else "13-6"
    helpers = [f"def {name}():\n    return 1" for name in ANSWERS[other][:3]]
    content = make(number, {}, before=helpers)
    assert parse(content).exercise == number
    assert parse(without_metadata(content)).exercise == number


def test_handed_out_cells_outweigh_as_many_helpers():
    cells = [code("def gumbel_softmax(): pass"), markdown("Proof.", "written_13_4")]
    assert parse(notebook(*cells)).exercise == "13-4"
    assert parse(notebook(*cells[::-1])).exercise == "13-4"


def test_ties_go_to_the_first():
    cells = [code("def c_transform(): pass"), code("def gaussian_kl(): pass")]
    assert parse(notebook(*cells)).exercise == "13-2"


def test_a_repeated_name_counts_once():
    cells = [code("def c_transform(): pass", "c_transform")] * 3
    cells += [code("def prior_gap(): pass"), code("def active_units(): pass")]
    assert parse(notebook(*cells)).exercise == "13-3"


@pytest.mark.parametrize(
    "source",
    [
        "def gaussian_kl(mu, var):\n    pass",
        "import torch\n\n@torch.no_grad()\ndef  gaussian_kl (mu, var): pass",
        "x = 1\r\ndef gaussian_kl(mu, var): pass",
        "async def gaussian_kl(mu, var): pass",
        "gaussian_kl = lambda mu, var: mu",
        "gaussian_kl: Callable[..., Tensor]=lambda mu, var: mu",
    ],
)
def test_a_definition_is_a_hit(source):
    assert parse(notebook(code(source))).exercise == "13-2"


@pytest.mark.parametrize(
    "source",
    [
        "gaussian_kl(mu, var)",
        "gaussian_kl == other",
        "x = gaussian_kl",
        "# def gaussian_kl(mu, var):",
        "def my_gaussian_kl(mu, var): pass",
        "def gaussian_kl_2(mu, var): pass",
        "class A:\n    def gaussian_kl(self): pass",
        "a.gaussian_kl = 1",
        "gaussian_kl: Callable\nb = 1",
        "undef gaussian_kl",
    ],
)
def test_a_mention_is_no_hit(source):
    assert parse(notebook(code(source), markdown("def gaussian_kl(): pass"))).exercise is None


def test_the_metadata_of_a_cell_may_lie_about_all_but_its_name():
    lie = {"grade": "yes", "locked": True, "points": 1e9, "solution": False, "task": 7}
    content = changed(
        worked("13-3"),
        lambda item: item["metadata"].get("nbgrader", {}).update(lie),
    )
    assert parse(content) == parse(worked("13-3"))


# --- the written answer ------------------------------------------------------------------------


def test_the_placeholder_is_the_one_handed_out():
    assert module.TEXT_STUB == TEXT_STUB


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("change", [lambda content: content, without_metadata])
def test_untouched_is_empty_and_worked_is_found_whole(number, change):
    assert written_text(change(untouched(number))) == ""
    name = exercise(number).written_name
    cells = json.loads(worked(number))["cells"]
    (expected,) = (text_of(item) for item in cells if grade_id(item) == name)
    assert written_text(change(worked(number))) == expected.strip("\n")


@pytest.mark.parametrize("number", NUMBERS)
def test_given_text_is_never_the_students(number):
    # Whatever becomes of the answer's cell: what stands around it was handed out.
    asked, reading = given_written_text(number)
    name = exercise(number).written_name
    for content in (untouched(number), without_metadata(untouched(number))):
        data = json.loads(content)
        data["cells"] = [item for item in data["cells"] if text_of(item) != TEXT_STUB]
        assert written_text(json.dumps(data).encode()) == ""
    moved = [markdown("Mine.", name), markdown("# Title"), markdown(asked), markdown(reading)]
    assert written_text(notebook(*moved)) == "Mine."


@pytest.mark.parametrize("number", NUMBERS)
def test_cells_added_around_the_answer_belong_to_it(number):
    asked, reading = given_written_text(number)
    name = exercise(number).written_name
    cells = [
        markdown("Before everything."),
        markdown(asked),
        markdown("First."),
        markdown(f"{TEXT_STUB}\n\nSecond.", name),
        code("draw()"),
        markdown("# Third, with a heading"),
        markdown("check", "check_something"),
        markdown("Behind a given cell."),
        markdown(reading),
        markdown("After everything."),
    ]
    expected = "First.\n\nSecond.\n\n# Third, with a heading"
    assert written_text(notebook(*cells)) == expected
    cells[3] = markdown("Second.")
    cells += [code("", ANSWERS[number][0])]
    assert written_text(notebook(*cells)) == expected


def test_an_answer_under_the_students_own_heading_is_found():
    asked, _ = given_written_text("13-2")
    own = "## The written answer\n\nThe stationary point is unique."
    cells = [markdown(asked), markdown(own), code("", "gaussian_kl")]
    assert written_text(notebook(*cells)) == own


@pytest.mark.parametrize("cell_type", ["markdown", "code", "raw"])
def test_halves_of_a_split_cell_are_joined_whatever_their_type(cell_type):
    cells = [
        cell(cell_type, "First half.\n", "written_13_5"),
        code("x = 1"),
        cell(cell_type, " \n", "written_13_5"),
        cell(cell_type, "\nSecond half.", "written_13_5"),
    ]
    assert written_text(notebook(*cells)) == "First half.\n\nSecond half."


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t\u00a0\u3000",
        TEXT_STUB,
        f"\n{TEXT_STUB}\n{TEXT_STUB}",
        "<!-- nothing yet -->",
        f"<!-- a\n<!-- b --> \n{TEXT_STUB}<!---->",
    ],
)
def test_nothing_but_placeholder_space_and_comments_is_empty(text):
    assert written_text(notebook(markdown(text, "written_13_1"))) == ""


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "<!-- a --> b",
        "a <!-- b -->",
        "<!-- never closed",
        "<!-- a --> <!-- never closed",
        "-->",
        "a --> b <!-- c -->",
        "![photo](attachment:proof.png)",
        "*Write your answer here*",
        "习题",
    ],
)
def test_anything_else_is_kept_as_written(text):
    assert written_text(notebook(markdown(text, "written_13_1"))) == text


def test_an_answer_beside_the_placeholder_is_kept_without_it():
    content = make("13-2", {}, written=f"{TEXT_STUB} Because.\n\n    indented")
    assert written_text(content) == " Because.\n\n    indented"


def test_a_long_answer_is_cut_with_a_visible_remark():
    whole = "é" * module.MAX_WRITTEN
    assert written_text(make("13-2", {}, written=whole)) == whole
    text = written_text(make("13-2", {}, written=whole + "é"))
    assert text.startswith(whole + "\n")
    assert text.endswith("*[Cut here: only the first 50,000 characters are kept.]*")
    assert len(text) < module.MAX_WRITTEN + 100


def test_a_long_comment_does_not_hide_an_answer():
    comment = f"<!-- {'x' * 60_000} -->"
    assert written_text(make("13-2", {}, written=comment)) == ""
    assert written_text(make("13-2", {}, written=comment + "Because.")) != ""


def test_another_exercises_written_answer_does_not_count():
    data = json.loads(untouched("13-2"))
    data["cells"].insert(0, markdown("Not mine.", "written_13_4"))
    assert written_text(json.dumps(data).encode()) == ""
