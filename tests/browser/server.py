"""JupyterLab as `make lab` starts it, in a copy of the course that tests may write to."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.loopback import free_port, running_server
from tests.notebook_files import copy_course

TOKEN = "browser-test"


@contextmanager
def running_lab(folder: Path) -> Iterator[str]:
    """Start `make lab` in a copy of the course below ``folder``; gives the server's address."""
    course = folder / "course"
    copy_course(course)
    port = free_port()
    options = f"--no-browser --port={port} --ServerApp.token={TOKEN} --expose-app-in-browser"
    environment = {
        # the copy's own package, and nobody's personal settings
        "PYTHONPATH": str(course),
        "JUPYTER_CONFIG_DIR": str(folder / "settings"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
    }
    base = f"http://127.0.0.1:{port}"
    with running_server(
        # The environment is borrowed and must not be rebuilt for the copy.
        ["make", "--old-file=.venv/.installed", "lab", f"LAB_ARGS={options}"],
        f"{base}/api/status?token={TOKEN}",
        folder / "make-lab.log",
        cwd=course,
        environment=environment,
    ):
        yield base
