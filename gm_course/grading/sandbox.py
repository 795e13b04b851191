"""The grader's side of the sandbox: starts bubblewrap and talks to the server inside.

What may be read in it: the system's libraries, Python and its packages, and this package without
the checks. What may be written: a temporary folder in memory. There is no network. See
:mod:`gm_course.sandbox` for what happens inside.
"""

from __future__ import annotations

import json
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gm_course
from gm_course.checks.calls import Call
from gm_course.errors import SandboxError
from gm_course.grading.limits import START_SECONDS
from gm_course.grading.submission import CodeCell
from gm_course.sandbox import isolation, messages
from gm_course.sandbox.codec import ProtocolError, encode_calls, parse_json

_PACKAGE = Path(gm_course.__file__).parent
_COURSE = "/course"

_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/tmp",
    "USER": "nobody",  # torch 2.11 asks for the user's name at its import, and there is no list
    "LANG": "C.UTF-8",
    "MPLBACKEND": "Agg",
    "MPLCONFIGDIR": "/tmp",
    "PYTHONDONTWRITEBYTECODE": "1",
    # A thread started before the fork does not exist after it; its work would never be done.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}

_INSTALL = (
    "Install it (Debian, Ubuntu: apt-get install bubblewrap; Fedora: dnf install bubblewrap)."
)
_TRY = (
    "If `bwrap --unshare-all --ro-bind / / true` fails as well, this system forbids its users the "
    "namespaces it needs: ask its administrator, or grade on another machine."
)
_WITHOUT = (
    "To run the submissions' code with your own rights instead, add --unsafe-no-sandbox, and do "
    "that only for code you trust."
)


def ensure_available() -> None:
    """Check that untrusted code can be isolated on this machine.

    Raises:
        SandboxError: If it cannot; the message says what to do.
    """
    if platform.system() != "Linux":
        raise SandboxError(f"sandbox: needs Linux; this is {platform.system()}. {_WITHOUT}")
    if platform.machine() not in ("x86_64", "aarch64"):
        raise SandboxError(
            f"sandbox: knows x86_64 and aarch64; got {platform.machine()}. {_WITHOUT}"
        )
    if shutil.which("bwrap") is None:
        raise SandboxError(
            f"sandbox: bubblewrap's command bwrap was not found. {_INSTALL} {_WITHOUT}"
        )


class Sandbox:
    """A warm server in isolation; one session at a time.

    Args:
        calls: Exercise → answer → the calls to make.
        session_seconds: Time after which a session is ended whatever it does.
        sandboxed: False runs everything with the rights of the caller.

    Raises:
        SandboxError: If it cannot be started.
    """

    def __init__(
        self,
        calls: Mapping[str, Mapping[str, Sequence[Call]]],
        *,
        session_seconds: float,
        sandboxed: bool = True,
    ) -> None:
        if sandboxed:
            ensure_available()
        self._sandboxed = sandboxed
        settings = {
            "calls": {
                exercise: {name: encode_calls(items) for name, items in answers.items()}
                for exercise, answers in calls.items()
            },
            "seconds": session_seconds,
        }
        self._settings = json.dumps(settings).encode()
        self._start()

    def _start(self) -> None:
        self._control, inner = socket.socketpair()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        kind = "sandboxed" if self._sandboxed else "unsafe"
        python, packages = sys.executable, [str(_PACKAGE.parent), *map(str, _outer_packages())]
        if self._sandboxed:
            python = _inside(Path(sys.executable))
            packages = [_COURSE, *map(_inside, _outer_packages())]
        server = [python, "-P", "-s", "-m", "gm_course.sandbox.server", str(inner.fileno()), kind]
        with inner:
            self._process = subprocess.Popen(
                [*_walls(), *server] if self._sandboxed else server,
                env={**_ENVIRONMENT, "PYTHONPATH": ":".join(packages)},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                pass_fds=[inner.fileno()],
                start_new_session=True,
            )
        try:
            self._control.settimeout(START_SECONDS)
            messages.send(self._control, messages.SETTINGS, self._settings)
            messages.receive(self._control)
        except OSError as error:
            said = self._last_words()
            self.close()
            raise SandboxError(
                f"sandbox: did not start; {said or error}. {_TRY} {_WITHOUT}"
            ) from error

    def restart(self) -> None:
        """Begin anew, whatever state a submission has left the server in.

        Raises:
            SandboxError: If it does not start again.
        """
        self.close()
        self._start()

    def session(self, exercise: str, cells: Iterable[CodeCell], *, seconds: float) -> Session:
        """Return a session for one submission.

        Args:
            exercise: The exercise's number.
            cells: The submission's code cells.
            seconds: Time to find the answers in them.

        Raises:
            SessionError: If the session died over the cells, or there was none.
        """
        ours, inner = socket.socketpair()
        try:
            with inner:
                socket.send_fds(self._control, [b"+"], [inner.fileno()])
        except OSError as error:
            ours.close()
            raise SessionError(str(error)) from error
        return Session(ours, exercise, cells, seconds=seconds)

    def close(self) -> None:
        """End the server and everything it has started."""
        self._control.close()
        self._process.kill()
        self._process.wait()
        self._log.close()

    def _last_words(self) -> str:
        self._log.seek(0)
        text = self._log.read()[-2000:].decode("utf-8", "replace").strip()
        return text.splitlines()[-1] if text else ""


class SessionError(Exception):
    """A session ended, fell silent or broke the protocol."""


class Session:
    """One submission in the sandbox.

    Attributes:
        plan: For each answer what was found of it, as plain JSON data.
    """

    def __init__(
        self, connection: socket.socket, exercise: str, cells: Iterable[CodeCell], *, seconds: float
    ) -> None:
        self._connection = connection
        notebook = {
            "exercise": exercise,
            "cells": [[cell.source, cell.grade_id] for cell in cells],
        }
        try:
            self._connection.settimeout(seconds)
            messages.send(self._connection, messages.NOTEBOOK, json.dumps(notebook).encode())
            kind, content = messages.receive(self._connection)
            if kind != messages.PLAN:
                raise SessionError("no plan")
            self.plan: dict[str, dict[str, Any]] = parse_json(content)
        except (OSError, ProtocolError, SessionError) as error:
            self.close()
            raise SessionError(str(error)) from error

    def run(
        self, names: Sequence[str], *, seconds: float, in_all: float
    ) -> tuple[list[bytes], str]:
        """Run answers together, in a process of their own.

        Args:
            names: The answers, in this order.
            seconds: Time for each of them.
            in_all: Time for all of them together.

        Returns:
            What the process wrote about each answer, possibly fewer than asked for and all of it
            under the student's control; and how the run ended: "done", "exit", "time", "memory",
            "tasks", "output" or the name of a signal.

        Raises:
            SessionError: If the session itself ended.
        """
        self._connection.settimeout(in_all + 10)
        order = {"names": list(names), "seconds": seconds, "in_all": in_all}
        answers: list[bytes] = []
        try:
            messages.send(self._connection, messages.RUN, json.dumps(order).encode())
            while True:
                kind, content = messages.receive(self._connection)
                if kind == messages.END:
                    return answers, str(parse_json(content))
                answers.append(content)
                if kind != messages.ANSWER or len(answers) > len(names):
                    raise SessionError("unexpected message")
        except (OSError, ProtocolError) as error:
            raise SessionError(str(error)) from error

    def close(self) -> None:
        """End the session and everything in it."""
        self._connection.close()


def _walls() -> list[str]:
    """The bubblewrap command line in front of the server's own."""
    walls = [
        str(shutil.which("bwrap")),
        *("--unshare-all", "--die-with-parent", "--new-session"),
        # For making the inner namespaces and for watching; a student's process gives both up.
        *("--cap-add", "CAP_SYS_ADMIN", "--cap-add", "CAP_SYS_PTRACE"),
        *("--uid", "65534", "--gid", "65534", "--hostname", "sandbox"),
    ]
    for name in ("lib", "lib32", "lib64", "bin"):
        folder = Path("/", name)
        if folder.is_symlink():
            walls += ["--symlink", f"usr/{name}", f"/{name}"]
        elif folder.is_dir():
            walls += ["--ro-bind", f"/{name}", f"/{name}"]
    walls += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    for folder, place in _shown_folders():
        walls += ["--ro-bind", str(folder), place]
    hidden = _PACKAGE.parent if (_PACKAGE.parent / "pyproject.toml").exists() else _PACKAGE
    if any(hidden.is_relative_to(folder) for folder, _ in _shown_folders()):
        walls += ["--tmpfs", _inside(hidden)]
    package = f"{_COURSE}/gm_course"
    walls += [
        *("--ro-bind", str(_PACKAGE), package),
        *("--tmpfs", f"{package}/checks"),
        *("--ro-bind", str(_PACKAGE / "checks/calls.py"), f"{package}/checks/calls.py"),
        *("--ro-bind", str(_PACKAGE / "sandbox/checks.py"), f"{package}/checks/__init__.py"),
        *("--remount-ro", f"{package}/checks"),
        *("--proc", "/proc", "--tmpfs", "/tmp", "--tmpfs", "/dev", "--dir", "/dev/shm"),
    ]
    for device in isolation.DEVICES:
        walls += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    return [*walls, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp", "--"]


def _shown_folders() -> list[tuple[Path, str]]:
    """Folders that may be read in the sandbox, each with its place there.

    An environment is put in a place of its own: it may lie in /tmp, which is another one inside.
    """
    shown = [(Path("/usr"), "/usr")]
    wanted = [(Path(sys.base_prefix), sys.base_prefix), (Path(sys.prefix), "/python")]
    wanted += [(item, f"/packages/{number}") for number, item in enumerate(_outer_packages())]
    for folder, place in wanted:
        if not any(folder.is_relative_to(other) for other, _ in shown):
            shown.append((folder, place))
    return shown


def _inside(path: Path) -> str:
    """Where a path in one of the shown folders is in the sandbox."""
    for folder, place in _shown_folders():
        if path.is_relative_to(folder):
            return str(place / path.relative_to(folder))
    return str(path)


def _outer_packages() -> list[Path]:
    """Folders with installed packages that lie outside Python's own: a user's, for example."""
    inner = (Path(sys.prefix), Path(sys.base_prefix))
    folders = [
        Path(item) for item in sys.path if Path(item).name in ("site-packages", "dist-packages")
    ]
    return [folder for folder in folders if not any(map(folder.is_relative_to, inner))]
