"""JupyterLab as `make lab` starts it, in a copy of the course that tests may write to."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.loopback import free_port, wait_until_it_answers
from tests.notebook_files import copy_course

TOKEN = "browser-test"


@contextmanager
def running_lab(folder: Path) -> Iterator[str]:
    """Start `make lab` in a copy of the course below ``folder``; gives the server's address."""
    course = folder / "course"
    copy_course(course)
    port = free_port()
    options = f"--no-browser --port={port} --ServerApp.token={TOKEN} --expose-app-in-browser"
    log = folder / "make-lab.log"
    environment = os.environ | {
        # the copy's own package, and nobody's personal settings
        "PYTHONPATH": str(course),
        "JUPYTER_CONFIG_DIR": str(folder / "settings"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
    }
    with log.open("w") as output:
        server = subprocess.Popen(
            # The environment is borrowed and must not be rebuilt for the copy.
            ["make", "--old-file=.venv/.installed", "lab", f"LAB_ARGS={options}"],
            cwd=course, env=environment, start_new_session=True,
            stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        base = f"http://127.0.0.1:{port}"
        status = f"{base}/api/status?token={TOKEN}"
        wait_until_it_answers(server, status, log.read_text, attempts=1200)
        yield base
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=60)
