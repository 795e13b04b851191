"""Results kept by content: what finds them again, what does not, and what damage does."""

import dataclasses
import json
import os
import pwd
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gm_course.grading import store as module
from gm_course.grading.results import AnswerResult, Result, WrittenResult
from gm_course.grading.store import ResultStore, default_folder, grading_fingerprint
from gm_course.module_graph import read_module_graph
from tests.grading.fake_graders import wait_until
from tests.grading.submissions import ROOT

GRAPH = read_module_graph(ROOT)

RESULT = Result(
    "graded",
    exercise="13-1",
    message="a remark",
    answers=(
        AnswerResult(
            "a", "failed", 0.1 + 0.2, 2.0, "sign", "Vorzeichen – 号", "hint", "r", "c", "f"
        ),
        # half a surrogate pair, as a notebook's JSON can hold it
        AnswerResult("b", "passed", 2.0, 2.0, code="x = '\udc80\x00'"),
    ),
    written=(WrittenResult("written_13_1", "needs_review", 4.0, "text"),),
)


@pytest.fixture
def store(tmp_path):
    return ResultStore(tmp_path / "new" / "grades", fingerprint="f")


def only_file(store):
    (file,) = store._folder.iterdir()
    return file


def test_a_kept_result_comes_back_whole(store):
    key = store.key(b"notebook")
    assert store.find(key) is None
    store.keep(key, RESULT)
    assert store.find(key) == RESULT
    assert not store.problem
    assert store.find(store.key(b"notebook ")) is None


def test_a_newer_result_replaces_the_older(store):
    key = store.key(b"notebook")
    store.keep(key, RESULT)
    store.keep(key, Result("unreadable"))
    assert store.find(key) == Result("unreadable")
    assert only_file(store)


def test_another_run_finds_it_unless_something_has_changed(store):
    store.keep(store.key(b"notebook"), RESULT)
    same = ResultStore(store._folder, fingerprint="f")
    assert same.find(same.key(b"notebook")) == RESULT
    other = ResultStore(store._folder, fingerprint="g")
    assert other.find(other.key(b"notebook")) is None


def test_only_the_user_can_read_what_is_kept(store):
    old = os.umask(0)
    try:
        open_store = ResultStore(store._folder.parent / "open", fingerprint="f")
        open_store.keep("0" * 64, RESULT)
    finally:
        os.umask(old)
    assert stat.S_IMODE(open_store._folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(only_file(open_store).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: b"",
        lambda text: text[: len(text) // 2],
        lambda text: text[:-1],
        lambda text: b"\xff" + text,
        lambda text: b"[]",
        lambda text: b"null",
        lambda text: b"{}",
        lambda text: b"[" * 100_000,
        lambda text: text.replace(b'"score": 2.0', b'"score": 9.0'),
        lambda text: text.replace(b"a remark", b"a r\\u0000mark"),
        lambda text: text.replace(b'"hint"', b'"hunt"'),
    ],
)
def test_a_damaged_file_counts_as_absent_and_is_replaced(store, damage):
    key = store.key(b"notebook")
    store.keep(key, RESULT)
    file = only_file(store)
    text = file.read_bytes()
    assert damage(text) != text
    file.write_bytes(damage(text))
    assert store.find(key) is None
    store.keep(key, RESULT)
    assert store.find(key) == RESULT


def test_a_file_of_another_key_or_form_counts_as_absent(store):
    key, other = store.key(b"notebook"), store.key(b"another")
    store.keep(key, RESULT)
    only_file(store).rename(store._folder / f"{other}.json")
    assert store.find(other) is None

    record = {"status": "graded", "unknown": 1}
    kept = {"key": key, "digest": module._digest(record), "result": record}
    (store._folder / f"{key}.json").write_text(json.dumps(kept))
    assert store.find(key) is None

    (store._folder / f"{store.key(b'folder')}.json").mkdir()
    assert store.find(store.key(b"folder")) is None


def test_every_field_of_a_result_is_kept():
    # RESULT must give no field its default, or the round trip above would not test it.
    for item in (RESULT, RESULT.answers[0], RESULT.written[0]):
        for field in dataclasses.fields(item):
            assert getattr(item, field.name) != field.default


def no_such_user(_number):
    raise KeyError


def no_room(*_arguments, **_options):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("obstacle", ["file", "proc"])
def test_a_folder_that_cannot_be_made_keeps_nothing(tmp_path, obstacle):
    folder = {"file": tmp_path / "file" / "grades", "proc": Path("/proc/grades")}[obstacle]
    (tmp_path / "file").write_text("")
    store = ResultStore(folder, fingerprint="f")
    assert str(folder) in store.problem
    store.keep("0" * 64, RESULT)
    assert store.find("0" * 64) is None


def test_results_kept_earlier_are_found_in_a_read_only_folder(store, monkeypatch):
    key = store.key(b"notebook")
    store.keep(key, RESULT)
    # Root may write anywhere, so the refusal is simulated.
    monkeypatch.setattr(module.tempfile, "TemporaryFile", no_room)
    read_only = ResultStore(store._folder, fingerprint="f")
    assert "No space left on device" in read_only.problem
    assert read_only.find(key) == RESULT
    read_only.keep(key, Result("unreadable"))
    assert read_only.find(key) == RESULT


def test_a_disk_that_fills_up_is_noted_and_leaves_the_old_result(store, monkeypatch):
    key = store.key(b"notebook")
    store.keep(key, RESULT)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", no_room)
        store.keep(key, Result("unreadable"))
    assert "No space left on device" in store.problem
    assert store.find(key) == RESULT
    assert only_file(store)


def test_without_a_home_nothing_is_kept():
    store = ResultStore(None, fingerprint="f")
    assert store.problem
    store.keep("0" * 64, RESULT)
    assert store.find("0" * 64) is None


def test_default_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "gm-course" / "grades"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_folder() == tmp_path / ".cache" / "gm-course" / "grades"


def test_a_user_without_a_home_has_no_default_folder(monkeypatch):
    for name in ("XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", no_such_user)
    assert default_folder() is None


@pytest.fixture
def quick_graph(monkeypatch):
    monkeypatch.setattr(module, "read_module_graph", lambda _root: GRAPH)


@pytest.mark.usefixtures("quick_graph")
def test_fingerprint_depends_on_the_settings():
    settings = [(10.0, True), (10.5, True), (10.0, False)]
    assert len({grading_fingerprint(timeout=t, sandboxed=s) for t, s in settings}) == 3
    assert grading_fingerprint(timeout=10, sandboxed=True) == grading_fingerprint(
        timeout=10.0, sandboxed=True
    )


@pytest.mark.usefixtures("quick_graph")
def test_fingerprint_depends_on_the_libraries(monkeypatch):
    before = grading_fingerprint(timeout=10.0, sandboxed=True)
    for library in ("torch", "numpy", "scipy"):
        with monkeypatch.context() as patch:
            patch.setattr(
                module, "version", lambda name, changed=library: "9" if name == changed else "1"
            )
            assert grading_fingerprint(timeout=10.0, sandboxed=True) != before
    monkeypatch.setattr(module.platform, "python_version", lambda: "3.99")
    assert grading_fingerprint(timeout=10.0, sandboxed=True) != before


@pytest.mark.parametrize(
    ("changed", "matters"),
    [
        ("checks.ex13_4_logs", True),
        ("checks.registry", True),
        ("sandbox.codec", True),
        ("sandbox.isolation", True),
        ("grading.grader", True),
        ("grading.sandbox", True),
        ("grading.submission", True),
        ("grading.results", True),
        ("errors", True),
        ("grading.tables", False),
        ("grading.workers", False),
        ("grading.cli", False),
        ("grading.store", False),
        ("vae", False),
        ("notebooks.building", False),
    ],
)
def test_fingerprint_depends_on_the_code_that_decides(monkeypatch, changed, matters):
    name = f"gm_course.{changed}"
    edited = dataclasses.replace(GRAPH, texts={**GRAPH.texts, name: GRAPH.texts[name] + "\n"})
    fingerprints = []
    for version in (GRAPH, edited):
        monkeypatch.setattr(module, "read_module_graph", lambda _root, version=version: version)
        fingerprints.append(grading_fingerprint(timeout=10.0, sandboxed=True))
    assert (fingerprints[0] != fingerprints[1]) == matters


WRITER = """
import sys
from pathlib import Path
from gm_course.grading.results import AnswerResult, Result
from gm_course.grading.store import ResultStore

store = ResultStore(Path(sys.argv[1]), fingerprint="f")
for number in range(10_000):
    code = str(number % 7) * 50_000
    result = Result("graded", answers=(AnswerResult("a", "passed", 1.0, 1.0, code=code),))
    store.keep(store.key(str(number % 5).encode()), result)
"""


def test_killed_at_any_moment_it_leaves_no_half_written_result(tmp_path):
    folder = tmp_path / "grades"
    for round_number in range(8):
        program = subprocess.Popen([sys.executable, "-c", WRITER, folder], cwd=ROOT)
        before = {file: file.stat().st_mtime_ns for file in folder.glob("*.json")}
        wait_until(
            lambda before=before: any(
                file.stat().st_mtime_ns != before.get(file) for file in folder.glob("*.json")
            )
        )
        # so that the kill hits another step of the writing each time
        for _ in range(round_number * 1000):
            os.getpid()
        program.send_signal(signal.SIGKILL)
        program.wait()
        store = ResultStore(folder, fingerprint="f")
        for number in range(5):
            key = store.key(str(number).encode())
            result = store.find(key)
            if result is not None:
                code = result.answers[0].code
                assert code == code[0] * 50_000
            assert (result is None) == (not (folder / f"{key}.json").exists())
