"""The notebook builder, on small projects of its own.

Every kernel costs about a second, so one project is built once and shared by the tests that only
read it or work on a copy.
"""

import ast
import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace

import nbformat
import pytest
import zmq
import zmq.asyncio

from gm_course.errors import ArgumentError, BuildError
from gm_course.module_graph import read_module_graph
from gm_course.notebooks import build, building, stale
from gm_course.notebooks.execution import _keep_receiving
from tests.notebook_files import read

LECTURE = """\
# %% [markdown]
# # A lecture 讲座

# %%
import os, sys
from gm_course.shown import VALUE
print(VALUE)
print({name: value for name, value in os.environ.items() if name.startswith("GM_COURSE_")})
sys.stdout.flush()
print("done")

# %%
VALUE + 1

# %% tags=["raises-exception"]
raise ValueError("as promised")

# %% tags=["nbval-ignore-output"] reason="shows an address"
object()
"""

EXERCISE = '''\
# %% [markdown]
# # An exercise

# %% nbgrader={"grade_id": "double", "solution": true}
def double(number: int) -> int:
    """Return twice the number."""
    ### BEGIN SOLUTION
    secret_factor = 2
    return secret_factor * number
    ### END SOLUTION

# %% nbgrader={"grade_id": "double-check", "grade": true, "locked": true, "points": 2}
try:
    print("verdict", double(20) + 2)
except NotImplementedError:
    print("no answer yet")
### BEGIN HIDDEN TESTS
assert callable(double), "hidden"
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade_id": "why", "grade": true, "solution": true, "points": 1}
# Because a secret argument says so.
'''

MODULES = {
    "__init__": "",
    "shown": "from gm_course import base\nVALUE = base.VALUE\n",
    "base": "VALUE = 41\n",
    "other": "VALUE = 0\n",
}


def make_project(root, **sources):
    """Write sources (``lecture_x`` or ``exercise_x``) and a stand-in for the package."""
    for kind in ("lectures", "exercises"):
        (root / "sources" / kind).mkdir(parents=True)
    (root / "gm_course").mkdir()
    for name, text in MODULES.items():
        (root / "gm_course" / f"{name}.py").write_text(text)
    for name, text in sources.items():
        kind, stem = name.split("_")
        (root / "sources" / f"{kind}s" / f"{stem}.py").write_text(text, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = make_project(
        tmp_path_factory.mktemp("built"), lecture_one=LECTURE, exercise_two=EXERCISE
    )
    lines = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GM_COURSE_PROFILE", "full")
        patch.setenv("MPLBACKEND", "agg")
        written = build(root, jobs=2, report=lines.append)
    assert sorted(path.relative_to(root).as_posix() for path in written) == [
        "exercises/two.ipynb",
        "notebooks/one.ipynb",
        "solutions/two.ipynb",
    ]
    assert sorted(line.rsplit(" in ")[0] for line in lines) == [
        "built       exercises/two.ipynb",
        "built       notebooks/one.ipynb",
        "built       solutions/two.ipynb",
    ]
    return root


@pytest.fixture
def project(built, tmp_path):
    """A copy of the built project that a test may change."""
    return Path(shutil.copytree(built, tmp_path / "copy"))


def failure(root, **options):
    with pytest.raises(BuildError) as caught:
        build(root, report=lambda line: None, **options)
    return str(caught.value)


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# What is built


def test_lecture_in_full(built):
    text = (built / "notebooks/one.ipynb").read_text(encoding="utf-8")
    notebook = json.loads(text)
    nbformat.validate(notebook)
    assert text.endswith("}\n")
    assert not text.endswith("\n\n")
    assert "讲座" in text

    for digest in ("fingerprint", "cells"):
        assert len(notebook["metadata"]["gm_course"].pop(digest)) == 64
    assert notebook["metadata"] == {
        "gm_course": {"source": "sources/lectures/one.py"},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    cells = notebook["cells"]
    assert [cell["id"] for cell in cells] == [f"cell-00{n}" for n in range(1, 6)]
    assert [cell.get("execution_count") for cell in cells] == [None, 1, 2, 3, 4]
    assert cells[3]["metadata"] == {"tags": ["raises-exception"]}
    # one stream, however often it was flushed; only the device of the environment is set
    assert cells[1]["outputs"] == [
        {
            "name": "stdout",
            "output_type": "stream",
            "text": ["41\n", "{'GM_COURSE_DEVICE': 'cpu'}\n", "done\n"],
        }
    ]
    assert cells[2]["outputs"][0]["data"] == {"text/plain": ["42"]}
    assert cells[3]["outputs"] == [
        {
            "ename": "ValueError",
            "evalue": "as promised",
            "output_type": "error",
            "traceback": ["ValueError: as promised"],
        }
    ]


def test_solution_keeps_the_answer_as_written(built):
    notebook = read(built / "solutions/two.ipynb")
    assert [cell.source for cell in notebook.cells] == [
        "# An exercise",
        "def double(number: int) -> int:\n"
        '    """Return twice the number."""\n'
        "    ### BEGIN SOLUTION\n"
        "    secret_factor = 2\n"
        "    return secret_factor * number\n"
        "    ### END SOLUTION",
        'try:\n    print("verdict", double(20) + 2)\n'
        'except NotImplementedError:\n    print("no answer yet")\n'
        "### BEGIN HIDDEN TESTS\n"
        'assert callable(double), "hidden"\n'
        "### END HIDDEN TESTS",
        "Because a secret argument says so.",
    ]
    assert notebook.cells[2].outputs[0].text == "verdict 42\n"


def test_exercise_has_stubs_and_nothing_of_the_answer(built):
    notebook = read(built / "exercises/two.ipynb")
    assert [cell.source for cell in notebook.cells] == [
        "# An exercise",
        "def double(number: int) -> int:\n"
        '    """Return twice the number."""\n'
        "    raise NotImplementedError",
        'try:\n    print("verdict", double(20) + 2)\n'
        'except NotImplementedError:\n    print("no answer yet")',
        "*Write your answer here, in place of this line.*",
    ]
    assert notebook.cells[2].outputs[0].text == "no answer yet\n"
    assert notebook.cells[2].metadata == {
        "deletable": False,
        "editable": False,
        "nbgrader": {
            "grade": True,
            "grade_id": "double-check",
            "locked": True,
            "points": 2,
            "schema_version": 3,
            "solution": False,
            "task": False,
        },
    }
    text = (built / "exercises/two.ipynb").read_text(encoding="utf-8")
    for trace in ("secret", "SOLUTION", "HIDDEN", "hidden", "42"):
        for digest in (notebook.metadata.gm_course.fingerprint, notebook.metadata.gm_course.cells):
            text = text.replace(digest, "")
        assert trace not in text


# When it is built


def test_up_to_date_notebooks_are_not_touched(project):
    files = sorted(project.glob("*/*.ipynb"))
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in files]
    lines = []
    assert stale(project) == []
    assert build(project, report=lines.append) == []
    assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in files] == before
    assert lines == [
        "up to date  notebooks/one.ipynb",
        "up to date  solutions/two.ipynb",
        "up to date  exercises/two.ipynb",
    ]


def test_forced_rebuild_gives_the_same_bytes_but_for_the_address(project):
    target = project / "notebooks/one.ipynb"
    before = target.read_text(encoding="utf-8").splitlines()
    # names may be given as paths, as a shell completes them
    names = ["sources/lectures/one.py"]
    assert build(project, names=names, force=True, report=lambda line: None) == [target]
    after = target.read_text(encoding="utf-8").splitlines()
    assert len(after) == len(before)
    assert all("at 0x" in a for a, b in zip(after, before, strict=True) if a != b)
    assert not list(project.glob("**/*.partial"))


CHANGED = "its source, or a module it imports, has changed since it was built"


@pytest.mark.parametrize(
    ("file", "problems"),
    [
        ("sources/lectures/one.py", [f"notebooks/one.ipynb: {CHANGED}"]),
        ("gm_course/shown.py", [f"notebooks/one.ipynb: {CHANGED}"]),
        ("gm_course/base.py", [f"notebooks/one.ipynb: {CHANGED}"]),
        ("gm_course/__init__.py", [f"notebooks/one.ipynb: {CHANGED}"]),
        ("gm_course/other.py", []),
    ],
)
def test_outdated_only_by_what_the_notebook_reaches(project, file, problems):
    path = project / file
    path.write_text(path.read_text(encoding="utf-8") + "# more\n", encoding="utf-8")
    assert stale(project) == problems


def test_every_notebook_is_outdated_when_the_builder_changes(project, monkeypatch):
    monkeypatch.setattr(building, "FORMAT", building.FORMAT + 1)
    names = ["notebooks/one", "solutions/two", "exercises/two"]
    assert stale(project) == [f"{name}.ipynb: {CHANGED}" for name in names]


def edit_source(notebook):
    notebook.cells[1].source += "  # by hand"


def edit_metadata(notebook):
    notebook.cells[1].metadata["tags"] = ["nbval-skip"]


def drop_count(notebook):
    notebook.cells[1].execution_count = None


def drop_cell(notebook):
    del notebook.cells[-1]


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (edit_source, "cell 2 differs from the source"),
        (edit_metadata, "cell 2 differs from the source"),
        (drop_count, "cell 2 was not run in its turn"),
        (drop_cell, "it has 4 cells, its source 5"),
    ],
)
def test_edits_by_hand_are_found(project, edit, problem):
    target = project / "notebooks/one.ipynb"
    notebook = read(target)
    edit(notebook)
    target.write_text(nbformat.writes(notebook), encoding="utf-8")
    assert stale(project) == [f"notebooks/one.ipynb: {problem}"]


def test_answers_typed_into_an_exercise_are_not_overwritten(project):
    target = project / "exercises/two.ipynb"
    notebook = read(target)
    notebook.cells[1].source = "def double(number):\n    return number + number"
    nbformat.write(notebook, target)
    before = target.read_bytes()
    (project / "sources/exercises/two.py").write_text(EXERCISE + "\n# %% [markdown]\n# New\n")
    with pytest.raises(BuildError) as failure:
        build(project, names=["two"], report=lambda line: None)
    assert str(failure.value) == (
        "build: exercises/two.ipynb must be as it was built to be replaced; got cells that were "
        "edited by hand. Keep a copy of it if they matter, and carry changes over to "
        "sources/exercises/two.py; --force then replaces it."
    )
    assert target.read_bytes() == before
    build(project, names=["two"], force=True, report=lambda line: None)
    assert "YOUR" not in read(target).cells[1].source
    assert "NotImplementedError" in read(target).cells[1].source


def test_missing_unreadable_and_orphan_notebooks_are_found(project):
    (project / "notebooks/one.ipynb").write_text('{"cells": [')
    (project / "exercises/two.ipynb").rename(project / "exercises/three.ipynb")
    assert stale(project) == [
        "notebooks/one.ipynb: it is not a readable notebook",
        "exercises/two.ipynb: it has not been built",
        "exercises/three.ipynb: it has no source",
    ]
    assert stale(project, names=["one"]) == ["notebooks/one.ipynb: it is not a readable notebook"]


def test_bad_arguments(project, tmp_path):
    with pytest.raises(ArgumentError) as caught:
        build(project, names=["one", "three"])
    assert str(caught.value) == (
        "build: names must be among one, two; got three. Leave them out to build everything."
    )
    with pytest.raises(ArgumentError, match=r"^build: jobs must be a whole number .* got 0\.$"):
        build(project, jobs=0)
    with pytest.raises(BuildError, match="must contain a folder sources"):
        stale(tmp_path)


# Malformed sources: found before a kernel starts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '# %%\n1\n\n# %% tags=["nbval-ignore-outputs"]\n1\n',
            "build: sources/exercises/bad.py:4: cell 2 must have only the tags "
            "nbval-ignore-output, raises-exception; got 'nbval-ignore-outputs'. Correct the tag.",
        ),
        (
            '# %% tags=["nbval-ignore-output"]\n1\n',
            "build: sources/exercises/bad.py:1: cell 1 must say why it is tagged "
            "nbval-ignore-output; got reason ''. "
            'Add reason="..." behind the tags, or print what holds on every machine.',
        ),
        ('# %% tags=["nbval-ignore-output"] reason=" "\n1\n', "got reason ' '."),
        (
            '# %% tags="raises-exception"\n1\n',
            "bad.py must have cell metadata that fits the notebook format; got 'raises-",
        ),
        ("# %% tags=[raises-exception]\n1\n", "must carry no metadata but nbgrader, reason, tags;"),
        ("# %% a title\n1\n", "got title 'a title'. Write it as JSON"),
        ('# %%\n1\n# %% active="ipynb"\n1\n', "bad.py:3: cell 2 must carry no metadata but"),
        ("# %%\n1\n\n# %%\n", "bad.py:4: cell 2 must contain code; got nothing."),
        ("# %%\n1  \n# NBVAL_SKIP\n", "must steer nbval by tags, not comments; got NBVAL_SKIP."),
        ("print(1)\n\n# %%\n1\n", "bad.py must start its first cell with a line # %%"),
        ("", "bad.py must start its first cell with a line # %%"),
        ('# %%\ntext = """\n# %%\n"""\n', "got 2 such lines for 1 cells."),
        ("# %%\nif True:\n    # %%\n    pass\n", "got 1 such lines for 2 cells."),
        ("# %%\n%matplotlib inline\n", "build: sources/exercises/bad.py:2: the file must be valid"),
        (
            '# %% nbgrader={"grade_id": "a", "solution": true}\n1\n',
            "must enclose its answer in ### BEGIN SOLUTION and ### END SOLUTION; got",
        ),
        (
            '# %% nbgrader={"grade_id": "a", "locked": true}\n1\n'
            '# %% nbgrader={"grade_id": "a", "locked": true}\n1\n',
            "bad.py:3: cell 2 must have a grade_id of its own; got 'a' again.",
        ),
        (
            '# %% nbgrader={"grade_id": "a", "grade": true}\n1\n',
            "got nbgrader cell 'a' does not have points.",
        ),
        (
            '# %% nbgrader={"grade_id": "a", "worth": 1}\n1\n',
            "must have metadata that nbgrader accepts; got Additional properties",
        ),
        ('# %% nbgrader="a"\n1\n', "must have an object as its nbgrader metadata; got 'a'."),
        (
            '# %% nbgrader={"grade_id": "a", "solution": true}\n### BEGIN SOLUTION\n1\n',
            "must mark its answer as nbgrader expects; got no end solution statement found.",
        ),
        (
            "# %%\n### BEGIN SOLUTION\n1\n### END SOLUTION\n",
            "must mark its answer as nbgrader expects; got Solution region detected in a non-",
        ),
    ],
)
def test_malformed_source_is_refused_with_its_place(tmp_path, capfd, text, message):
    root = make_project(tmp_path, exercise_bad=text)
    problems = stale(root)
    assert message in problems[-1]
    assert "\n" not in "".join(problems)
    assert capfd.readouterr() == ("", "")


def test_header_and_comments_before_the_first_cell_are_allowed(tmp_path):
    header = "# ---\n# jupyter:\n#   kernelspec: {name: other}\n# ---\n\n# %%\n1\n"
    root = make_project(tmp_path, lecture_a=header)
    assert stale(root) == ["notebooks/a.ipynb: it has not been built"]


# Cells that fail


def test_broken_cell_leaves_the_notebook_before_it(tmp_path):
    root = make_project(
        tmp_path, lecture_a="# %%\nx = 1\n\n# %% [markdown]\n# text\n\n# %%\nx / 0\n"
    )
    (root / "notebooks").mkdir()
    (root / "notebooks/a.ipynb").write_text("the one before")
    lines = []
    with pytest.raises(BuildError) as caught:
        build(root, report=lines.append)
    assert str(caught.value) == (
        "build: sources/lectures/a.py:7: cell 3 must run without an error; "
        "got ZeroDivisionError: division by zero. "
        "Correct the source; a notebook built before is still in place."
    )
    assert lines == ["failed      notebooks/a.ipynb"]
    assert (root / "notebooks/a.ipynb").read_text() == "the one before"
    assert [path.name for path in (root / "notebooks").iterdir()] == ["a.ipynb"]


def test_outputs_that_would_not_repeat_are_refused(tmp_path):
    root = make_project(
        tmp_path,
        lecture_a="# %%\nimport warnings\nwarnings.warn('careful')\n",
        lecture_b="# %%\n[object()]\n",
        lecture_c="# %%\nimport gm_course\nprint(gm_course.__file__)\n",
        lecture_d='# %% tags=["raises-exception"]\n1\n',
    )
    first, second, third, fourth = sorted(failure(root, jobs=2).splitlines())
    assert "a.py:1: cell 1 must write nothing to stderr; got " in first
    assert "UserWarning: careful" in first
    assert "b.py:1: cell 1 must show no memory address, which differs from run to run;" in second
    assert "got [<object at 0x" in second
    assert f"c.py:1: cell 1 must show no path of this machine; got {root}. " in third
    assert "d.py:1: cell 1 must raise, as its tag raises-exception says; got no error" in fourth


# Kernels that stall or die


PID = "# %%\nimport os, pathlib, time\npathlib.Path('pid').write_text(str(os.getpid()))\n\n"


def test_stalled_cell_is_tried_twice_and_its_kernel_killed(tmp_path):
    root = make_project(tmp_path, lecture_a=PID + "# %%\ntime.sleep(600)\n")
    lines = []
    with pytest.raises(BuildError) as caught:
        build(root, cell_timeout=1, report=lines.append)
    assert str(caught.value) == (
        "build: sources/lectures/a.py:5: cell 2 must answer within 1 seconds; got no answer, in "
        "two kernels one after the other. "
        "Run the cell by hand to see what it waits for or what ends it."
    )
    assert lines == [
        "retrying    sources/lectures/a.py: cell 2: no answer",
        "failed      notebooks/a.ipynb",
    ]
    assert not is_running(int((root / "notebooks/pid").read_text()))


def test_dead_kernel_is_replaced_once(tmp_path):
    dies_once = """\
        # %%
        import os, pathlib
        if not pathlib.Path("died").exists():
            pathlib.Path("died").touch()
            os._exit(1)
        print("alive")
    """
    root = make_project(
        tmp_path, lecture_a=dedent(dies_once), lecture_b="# %%\nimport os\nos._exit(1)\n"
    )
    lines = []
    with pytest.raises(BuildError) as caught:
        build(root, jobs=2, report=lines.append)
    assert str(caught.value).startswith(
        "build: sources/lectures/b.py:1: cell 1 must leave its kernel alive; got a dead kernel, in "
        "two kernels one after the other."
    )
    assert "retrying    sources/lectures/a.py: cell 1: a dead kernel" in lines
    assert read(root / "notebooks/a.ipynb").cells[0].outputs[0].text == "alive\n"


def test_kernel_that_does_not_start(tmp_path):
    root = make_project(tmp_path, lecture_a="# %%\n1\n")
    (root / "ipykernel_launcher.py").write_text("raise SystemExit(1)\n")
    assert failure(root).startswith(
        "build: sources/lectures/a.py:1: cell 1 must find a running kernel; "
        "got Kernel died before replying to kernel_info"
    )


def test_a_reply_whose_notice_was_used_up_is_received():
    # What happens to one reply in nine behind an Output widget (33 of 300, measured), made certain:
    # the message is there, but the socket's file descriptor will not say so again.
    async def is_received(*, waking):
        context = zmq.asyncio.Context()
        with context.socket(zmq.PAIR) as client, context.socket(zmq.PAIR) as kernel:
            port = kernel.bind_to_random_port("tcp://127.0.0.1")
            client.connect(f"tcp://127.0.0.1:{port}")
            await kernel.send(b"first, so that both are connected")
            await client.recv()
            reply = asyncio.ensure_future(client.recv())
            await asyncio.sleep(0.05)  # the event loop is now waiting for a notice
            await kernel.send(b"reply")
            assert zmq.Socket.shadow(client.underlying).poll(10_000)  # blocks, and uses it up
            channel = SimpleNamespace(socket=client)
            tasks = [reply]
            if waking:
                kernel_client = SimpleNamespace(shell_channel=channel, iopub_channel=channel)
                tasks.append(asyncio.create_task(_keep_receiving(kernel_client)))
            done, pending = await asyncio.wait(
                tasks, timeout=10 if waking else 0.5, return_when=asyncio.FIRST_COMPLETED
            )
            for task in pending:
                task.cancel()
        context.term()
        return reply in done

    assert not asyncio.run(is_received(waking=False))
    assert asyncio.run(is_received(waking=True))


def test_widgets_are_stored_under_ids_that_do_not_change(tmp_path):
    cell = '# %% tags=["nbval-ignore-output"] reason="widgets"\n_ = interact(show, k=(1, 9))\n\n'
    # A bar such as the trainer's: a widget without a plain-text twin, of which nothing may stay.
    bar = (
        "from IPython.display import display\nfrom ipywidgets import FloatProgress, HBox\n"
        "bundle = HBox([FloatProgress()])._repr_mimebundle_()\ndel bundle['text/plain']\n"
        "display(bundle, raw=True)\n"
    )
    text = (
        f"# %%\nfrom ipywidgets import interact\n{bar}\ndef show(k=3):\n    print(k)\n\n" + 2 * cell
    )
    root = make_project(tmp_path, lecture_a=text)
    build(root, report=lambda line: None)
    target = root / "notebooks/a.ipynb"
    before = target.read_bytes()
    build(root, force=True, report=lambda line: None)
    assert target.read_bytes() == before

    notebook = read(target)
    states = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    assert sorted(states) == [f"{number:032x}" for number in range(len(states))]
    for cell in notebook.cells[1:]:
        view = cell.outputs[0].data["application/vnd.jupyter.widget-view+json"]
        assert view.model_id in states
    assert notebook.cells[0].outputs == []
    assert not [state for state in states.values() if state.model_name == "FloatProgressModel"]
    shown = [state for state in states.values() if state.model_name == "OutputModel"]
    assert [state.state.outputs[0].text for state in shown] == ["3\n", "3\n"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ")
def test_interrupting_a_build_leaves_no_kernel(tmp_path):
    root = make_project(tmp_path, lecture_a=PID + "# %%\ntime.sleep(600)\n")
    command = [
        sys.executable,
        "-c",
        "from gm_course.cli import main; main()",
        "build",
        "--root",
        root,
    ]
    with subprocess.Popen(
        command, cwd=root.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        pid_file = root / "notebooks/pid"
        deadline = time.monotonic() + 60
        while not (pid_file.exists() and pid_file.read_text()) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        try:
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, out, err.strip()) == (1, "", "Aborted!")
    assert not is_running(int(pid_file.read_text()))
    assert not (root / "notebooks/a.ipynb").exists()


# The import graph


def test_module_graph_follows_every_form_of_import(tmp_path):
    package = tmp_path / "gm_course"
    (package / "data").mkdir(parents=True)
    for name, text in {
        "__init__.py": "from gm_course.runtime import setup",
        "runtime.py": "import os",
        "a.py": "def f():\n    import gm_course.data.toy as toy",
        "b.py": "from gm_course import a, setup",
        "c.py": "from . import b\nfrom .data import moons",
        "data/__init__.py": "from .toy import moons",
        "data/toy.py": "from .. import runtime\nfrom gm_course.missing import x",
    }.items():
        (package / name).write_text(text + "\n")
    graph = read_module_graph(tmp_path)
    assert graph.imports == {
        "gm_course": {"gm_course.runtime"},
        "gm_course.a": {"gm_course.data.toy"},
        "gm_course.b": {"gm_course.a", "gm_course"},
        "gm_course.c": {"gm_course.b", "gm_course.data"},
        "gm_course.data": {"gm_course.data.toy"},
        "gm_course.data.toy": {"gm_course.runtime"},
        "gm_course.runtime": set(),
    }
    assert graph.reachable(["gm_course.a"]) == {
        "gm_course",
        "gm_course.runtime",
        "gm_course.a",
        "gm_course.data",
        "gm_course.data.toy",
    }
    assert graph.reachable([]) == set()


def test_module_graph_names_the_file_that_is_not_python(tmp_path):
    (tmp_path / "gm_course").mkdir()
    (tmp_path / "gm_course/a.py").write_text("x = 1\ny = (\n")
    with pytest.raises(BuildError, match=r"^build: gm_course/a\.py:2: the file must be valid"):
        read_module_graph(tmp_path)


def test_module_graph_covers_what_python_loads():
    # an oracle that parses nothing: the modules that are there after importing one of them
    name = "gm_course.module_graph"
    code = f"import sys, {name}; print([m for m in sys.modules if m.split('.')[0] == 'gm_course'])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ast.literal_eval(shown.stdout))
    graph = read_module_graph(Path(__file__).parents[1])
    assert loaded <= graph.reachable([name])
    assert {name, "gm_course", "gm_course.errors"} <= loaded
