"""Every command in README's bash blocks is run here, as it stands there."""

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.loopback import free_port, running_server
from tests.pins import is_pinned_environment

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands(language: str = "bash") -> list[str]:
    blocks = re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def run(command: str, *, cwd: Path = ROOT, **environment: str) -> str:
    # Not as part of a `make` that runs this test and may have been given other settings.
    inherited = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    done = subprocess.run(
        command, shell=True, cwd=cwd, env=inherited | environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


# Commands that only print something: what must be in it.
PRINTING = {
    "make help": "make lab",
    "make gpu-test": "skipped: no GPU",
    ".venv/bin/gm-course info": "device",
    "GM_COURSE_DEVICE=cpu GM_COURSE_PROFILE=full .venv/bin/gm-course info": "full",
    ".venv/bin/gm-course build --check": "up to date",
    ".venv/bin/gm-course ledger": "42 of 42 equations hold",
    ".venv/bin/gm-course lab --help": "Exit status",
    ".venv/bin/gm-course grade --help": "Exit status",
    ".venv/bin/gm-course review --help": "Exit status",
}
# Commands run with settings, given by the environment, that keep the test small.
SMALL = {
    "make test": {"TEST_ARGS": "-q -p no:cacheprovider -o testpaths= tests/test_claims.py"},
    "make notebooks": {"BUILD_ARGS": "--check"},
    "make bench": {"BENCH_ARGS": "--help"},
    "make portability": {"PORTABILITY_ARGS": "--help"},
}
SERVERS = (
    "make lab",
    'make lab LAB_ARGS="--no-browser --port=9000"',
    ".venv/bin/gm-course lab",
)
DATA = "GM_COURSE_DATA=/path/to/mnist .venv/bin/gm-course info"
GRADE = (
    ".venv/bin/gm-course grade submissions --json results.json --csv results.csv "
    "--feedback feedback"
)
REVIEW = (
    ".venv/bin/gm-course review results.json feedback/points.csv --json final.json --csv final.csv"
)
INSTALLING = (
    "python3 -m venv .venv",
    '.venv/bin/python -m pip install --constraint constraints.txt --editable ".[dev]"',
)


def test_every_command_is_run_below():
    run_below = [*PRINTING, *SMALL, *SERVERS, DATA, GRADE, REVIEW, *INSTALLING]
    assert sorted(set(commands())) == sorted(run_below)


def test_blocks_that_are_not_run_are_only_those_the_text_names():
    languages = set(re.findall(r"^```(\w+)$", README, re.MULTILINE))
    assert languages == {"bash", "powershell", "console"}
    assert all("conda" in line or "gm-course lab" in line for line in commands("console"))


@pytest.mark.parametrize("command", PRINTING)
def test_printing_command(command):
    # Without a GPU, so that the same is printed everywhere.
    assert PRINTING[command] in run(command, CUDA_VISIBLE_DEVICES="")


@pytest.mark.parametrize("command", SMALL)
def test_small_run(command):
    if command == "make test" and not is_pinned_environment():
        pytest.skip("the types of other versions' interfaces may differ")
    run(command, **SMALL[command])


def test_info_names_the_full_set_it_was_given(tmp_path):
    folder = tmp_path / "mnist"
    folder.mkdir()
    for split, count in (("train", 20), ("t10k", 10)):
        images = np.zeros((count, 28, 28), dtype=np.uint8)
        labels = np.arange(count, dtype=np.uint8) % 10
        header = np.array([0x803, count, 28, 28], dtype=">u4").tobytes()
        (folder / f"{split}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        header = np.array([0x801, count], dtype=">u4").tobytes()
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(header + labels.tobytes())
    printed = run(DATA.replace("/path/to/mnist", shlex.quote(str(folder))))
    assert str(folder) in printed


@pytest.mark.skipif(
    shutil.which("bwrap") is None and not os.environ.get("CI"), reason="needs bubblewrap"
)
def test_class_is_graded_and_reviewed(tmp_path):
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    (tmp_path / "submissions").mkdir()
    for number in ("13-3", "13-5"):
        shutil.copy(ROOT / f"solutions/{number}.ipynb", tmp_path / "submissions")
    run(GRADE, cwd=tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert (tmp_path / "feedback/index.html").is_file()
    points = tmp_path / "feedback/points.csv"
    header, *rows = points.read_text(encoding="utf-8-sig").splitlines()
    assert header == "submission,name,points,comment"
    filled = [row.replace(",,", ",3.5,", 1) for row in rows]
    points.write_text("\n".join([header, *filled]), encoding="utf-8")
    run(REVIEW, cwd=tmp_path)
    final = json.loads((tmp_path / "final.json").read_text(encoding="utf-8"))
    assert [entry["final_score"] for entry in final] == [12 + 3.5, 13 + 3.5]


@pytest.mark.parametrize("command", SERVERS)
def test_lab_answers_and_serves_the_start_page(command, tmp_path):
    port, token = free_port(), "readme-test"
    # The same options the user would type, but on a free port and without opening a browser.
    options = f"--no-browser --port={port} --IdentityProvider.token={token}"
    if "LAB_ARGS" in command:
        literal = command.replace("9000", f"{port} --IdentityProvider.token={token}")
    elif command.startswith("make"):
        literal = f'{command} LAB_ARGS="{options}"'
    else:
        literal = f"{command} {options}"
    page = "api/contents/notebooks/00-start-here.ipynb"
    url = f"http://127.0.0.1:{port}/{page}?token={token}"
    with running_server(literal, url, tmp_path / "log", cwd=ROOT):
        pass


@pytest.mark.skipif(not is_pinned_environment(), reason="needs the pinned versions")
def test_installing_without_make(tmp_path):
    for name in ("pyproject.toml", "constraints.txt", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(
        ROOT / "gm_course", tmp_path / "gm_course", ignore=shutil.ignore_patterns("__pycache__")
    )
    make_environment, install = INSTALLING
    run(make_environment, cwd=tmp_path)
    # Without a network: pip finds the packages of the environment that runs this test, and checks
    # them against the declared ranges and the constraints as it would check a download.
    site_packages = str(Path(np.__file__).parent.parent)
    printed = run(
        install, cwd=tmp_path, PYTHONPATH=site_packages, PIP_NO_INDEX="1",
        PIP_NO_BUILD_ISOLATION="0", PIP_DISABLE_PIP_VERSION_CHECK="1",
    )  # fmt: skip
    assert "Successfully installed gm-course" in printed
    help_text = run(".venv/bin/gm-course --help", cwd=tmp_path, PYTHONPATH=site_packages)
    assert "Usage: gm-course" in help_text
