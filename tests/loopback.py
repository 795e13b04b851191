"""Servers that a test starts on this machine."""

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_it_answers(
    server: subprocess.Popen, url: str, log: Callable[[], str], *, attempts: int = 600
) -> None:
    """Return when the server answers; fail if it ends, with its log, or is not ready in time."""
    for _ in range(attempts):
        assert server.poll() is None, log()
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                assert answer.status == 200
                return
        except urllib.error.URLError:
            time.sleep(0.1)
    raise AssertionError(f"{url} did not answer in {attempts} attempts")
