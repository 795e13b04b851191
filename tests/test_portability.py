"""`make portability`: its settings take effect, and only what ran can pass."""

import os
import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests import portability
from tests.portability import NOTEBOOKS, SETTINGS, Place, Setting, main, run, share

# A stand-in for a notebook, so that a run takes a second.
TESTS = "import os\ndef test_place(): assert {}\n"


def fast(monkeypatch, *settings):
    monkeypatch.setattr(portability, "SETTINGS", settings)
    monkeypatch.setattr(portability, "PROBE", "import os; print('aten', os.environ.get('COLOUR'))")


def test_a_sample_runs_every_notebook_once():
    counted = Counter(name for setting in SETTINGS for name in share(setting))
    assert counted == Counter(NOTEBOOKS)
    assert len(NOTEBOOKS) == 23
    assert all(share(setting) for setting in SETTINGS)


def test_threads_take_effect_in_the_probe():
    place = Place(variables={"GM_COURSE_THREADS": "2"})
    printed = portability.python(place, "-c", portability.PROBE).stdout
    assert "threads:2,2" in printed
    assert "aten:" in printed


def test_a_setting_reaches_the_tests_it_runs(tmp_path, monkeypatch):
    (tmp_path / "test_it.py").write_text(TESTS.format("os.environ['COLOUR'] == 'red'"))
    setting = Setting("red", lambda folder: Place(tmp_path, {"COLOUR": "red"}), "aten red")
    fast(monkeypatch, setting)
    row = run(setting, ["test_it.py"])
    assert (row.result, row.failed) == ("1 passed", False)


def test_a_failure_is_shown_and_is_the_exit_status(tmp_path, monkeypatch, capsys):
    (tmp_path / "test_it.py").write_text(TESTS.format("False"))
    setting = Setting("broken", lambda folder: Place(tmp_path))
    fast(monkeypatch, setting)
    monkeypatch.setattr(portability, "NOTEBOOKS", ("test_it.py",))
    assert main([]) == 1
    printed = capsys.readouterr().out
    assert "assert False" in printed
    assert "| broken | 1 failed |" in printed


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        (Setting("a", lambda folder: Place(), "aten blue"), "no effect on this machine"),
        (Setting("b", lambda folder: Place(), tool="no-such-program"), "needs no-such-program"),
    ],
)
def test_what_cannot_run_has_not_passed(monkeypatch, capsys, setting, reason):
    fast(monkeypatch, setting)
    assert main([]) == 0
    printed = capsys.readouterr().out
    assert f"not run: {reason}" in printed
    assert "passed" not in printed


def test_a_place_in_which_python_does_not_start_fails(monkeypatch):
    setting = Setting("no room", lambda folder: Place(prefix=("prlimit", "--data=1000000")))
    row = run(setting, NOTEBOOKS[:1])
    assert row.failed
    assert row.result == "FAILED"


def test_tests_that_are_not_there_fail(tmp_path, monkeypatch):
    setting = Setting("empty", lambda folder: Place(tmp_path))
    fast(monkeypatch, setting)
    assert run(setting, ["absent.ipynb"]).failed


def test_strange_path_has_a_copy_of_the_course(tmp_path):
    place = portability.strange_path(tmp_path)
    done = portability.python(place, "-c", "import gm_course; print(gm_course.__file__)")
    assert Path(done.stdout.strip()) == place.folder / "gm_course/__init__.py"
    assert " " in str(place.folder)
    assert "深度" in str(place.folder)


@pytest.mark.skipif(
    shutil.which("bwrap") is None and not os.environ.get("CI"), reason="needs bubblewrap"
)
def test_read_only_means_read_only(tmp_path):
    place = portability.nothing_writable(tmp_path)
    code = """
from pathlib import Path
from gm_course.lab import can_be_written, course_folder, writable_home
print("before:", can_be_written(course_folder()), can_be_written(Path.home()))
with writable_home():
    print("inside:", can_be_written(Path.home()))
"""
    lines = portability.python(place, "-c", code).stdout.splitlines()
    assert {"before: False False", "inside: True"} < set(lines)


def test_wrong_usage(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--only", "no such setting"])
    assert end.value.code == 2
    assert "MKL: compatible" in capsys.readouterr().err
