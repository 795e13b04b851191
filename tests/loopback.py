"""Servers that a test starts on this machine."""

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running_server(
    command: Sequence[str | Path] | str,
    url: str,
    log: Path,
    *,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    attempts: int = 1200,
) -> Iterator[None]:
    """Start a server, wait until it answers at ``url``, and end it with its children afterwards.

    What it prints goes to ``log``, which a failure shows. A string is a line for the shell.
    """
    with log.open("w") as output:
        server = subprocess.Popen(
            command, shell=isinstance(command, str), cwd=cwd, start_new_session=True,
            env=None if environment is None else os.environ | environment,
            stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        _wait_until_it_answers(server, url, log, attempts)
        yield
    finally:
        with suppress(ProcessLookupError):  # it may have ended by itself
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=60)


def _wait_until_it_answers(server: subprocess.Popen, url: str, log: Path, attempts: int) -> None:
    for _ in range(attempts):
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                assert answer.status == 200
                return
        except urllib.error.URLError:
            time.sleep(0.1)
    raise AssertionError(f"{url} did not answer in {attempts} attempts:\n{log.read_text()}")
