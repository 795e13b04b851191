"""`gm-course lab`: JupyterLab on the course, whatever can be written."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from gm_course import lab
from gm_course.errors import DataError
from tests.loopback import free_port, running_server
from tests.notebook_files import ROOT


def test_the_course_is_the_folder_of_the_package():
    assert lab.course_folder() == ROOT


def test_a_package_without_notebooks_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(lab, "__file__", str(tmp_path / "site-packages/gm_course/lab.py"))
    with pytest.raises(DataError, match=r"pip install --editable"):
        lab.open_course()


def test_a_home_that_can_be_written_is_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    with lab.writable_home():
        assert Path.home() == tmp_path
    assert not list(tmp_path.iterdir())
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("is_set", [True, False])
def test_another_home_is_temporary_and_put_back(tmp_path, monkeypatch, capsys, is_set):
    missing = tmp_path / "missing"
    if is_set:
        monkeypatch.setenv("HOME", str(missing))
    else:
        monkeypatch.delenv("HOME")
        monkeypatch.setattr(lab, "can_be_written", lambda folder: False)
    with lab.writable_home():
        home = Path.home()
        assert home != missing
        (home / "settings").write_text("x")
    assert not home.exists()
    assert os.environ.get("HOME") == (str(missing) if is_set else None)
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.skipif(
    shutil.which("bwrap") is None and not os.environ.get("CI"), reason="needs bubblewrap"
)
def test_lab_starts_where_nothing_can_be_written_and_says_so(tmp_path):
    port, token, log = free_port(), "lab-test", tmp_path / "log"
    read_only = [argument for path in (ROOT, Path.home()) for argument in ("--ro-bind", path, path)]
    options = ("--no-browser", f"--port={port}", f"--IdentityProvider.token={token}")
    # From a folder with other letters, Python before 3.13 finds no editable package in locale C.
    locale = "C" if str(ROOT).isascii() else "C.UTF-8"
    with running_server(
        ["bwrap", "--die-with-parent", "--dev-bind", "/", "/", *read_only,
         sys.executable, "-m", "gm_course", "lab", *options],
        f"http://127.0.0.1:{port}/api/contents/notebooks/00-start-here.ipynb?token={token}",
        log, cwd=ROOT, environment={"LC_ALL": locale},
    ):  # fmt: skip
        pass
    printed = log.read_text()
    assert f"{str(ROOT)!r} cannot be written" in printed
    assert f"{str(Path.home())!r} cannot be written" in printed
    assert "Traceback" not in printed
