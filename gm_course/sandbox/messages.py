"""Messages on the sockets between grader, server and session: a length, then that many bytes."""

from __future__ import annotations

import socket
import struct

_HEAD = struct.Struct(">cI")
HEAD_SIZE = _HEAD.size
MAX_MESSAGE = 64 * 2**20

# Kinds of message.
SETTINGS = b"s"  # grader → server: calls and limits, JSON
READY = b"r"  # server → grader: libraries are loaded
NOTEBOOK = b"n"  # grader → session: exercise and cells, JSON
PLAN = b"p"  # session → grader: what was found for each answer, JSON
RUN = b"u"  # grader → session: names of the answers to run together, JSON
ANSWER = b"a"  # session → grader: what the student's process wrote about the next answer
END = b"e"  # session → grader: how the run ended, JSON


class ClosedError(ConnectionError):
    """The other side has closed the connection or sent nonsense."""


def send(connection: socket.socket, kind: bytes, content: bytes = b"") -> None:
    """Send one message."""
    connection.sendall(_HEAD.pack(kind, len(content)) + content)


def receive(connection: socket.socket) -> tuple[bytes, bytes]:
    """Return kind and content of the next message.

    Raises:
        ClosedError: If there is none, or it is too long.
        TimeoutError: If the connection has a time limit and it passed.
    """
    kind, size = _HEAD.unpack(_read(connection, HEAD_SIZE))
    if size > MAX_MESSAGE:
        raise ClosedError("message too long")
    return kind, _read(connection, size)


def _read(connection: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        try:
            part = connection.recv(min(size - len(parts), 2**16))
        except ConnectionResetError:  # closed with something of ours unread
            part = b""
        if not part:
            raise ClosedError("connection closed")
        parts += part
    return bytes(parts)
