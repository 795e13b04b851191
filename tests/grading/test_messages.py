"""Messages on a socket: whole, in order, and no larger than agreed."""

import socket
import struct
import threading
import tracemalloc

import pytest

from gm_course.sandbox import messages
from gm_course.sandbox.messages import HEAD_SIZE, MAX_MESSAGE, ClosedError

KINDS = {
    name: kind
    for name, kind in vars(messages).items()
    if name.isupper() and isinstance(kind, bytes)
}


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(10)
        theirs.settimeout(10)
        yield ours, theirs


def head(kind, size):
    return struct.pack(">cI", kind, size)


def test_the_kinds_can_be_told_apart():
    assert len(set(KINDS.values())) == len(KINDS) == 7
    assert all(len(kind) == 1 for kind in KINDS.values())


def test_messages_arrive_in_their_order(pair):
    ours, theirs = pair
    sent = [(kind, name.encode() * 5) for name, kind in KINDS.items()]
    for message in sent:
        messages.send(ours, *message)
    assert [messages.receive(theirs) for _ in sent] == sent


@pytest.mark.parametrize("content", [b"", b"\0", b"\xff\n\0" * 7, bytes(range(256))])
def test_any_bytes_arrive(pair, content):
    ours, theirs = pair
    messages.send(ours, messages.ANSWER, content)
    messages.send(ours, messages.END)
    assert messages.receive(theirs) == (messages.ANSWER, content)
    assert messages.receive(theirs) == (messages.END, b"")


def test_what_is_on_the_wire(pair):
    ours, theirs = pair
    messages.send(ours, messages.RUN, b"abc")
    assert theirs.recv(100) == b"u\0\0\0\x03abc"
    assert HEAD_SIZE == 5


def test_messages_larger_than_the_socket_holds_arrive(pair):
    ours, theirs = pair
    content = bytes(range(256)) * 2**14
    thread = threading.Thread(target=messages.send, args=(ours, messages.NOTEBOOK, content))
    thread.start()
    assert messages.receive(theirs) == (messages.NOTEBOOK, content)
    thread.join()


def test_messages_in_pieces_arrive(pair):
    ours, theirs = pair
    data = head(b"a", 5) + b"hello" + head(b"e", 0)

    def drip():
        for index in range(len(data)):
            ours.sendall(data[index : index + 1])

    thread = threading.Thread(target=drip)
    thread.start()
    assert messages.receive(theirs) == (b"a", b"hello")
    assert messages.receive(theirs) == (b"e", b"")
    thread.join()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"a", id="kind only"),
        pytest.param(head(b"a", 5)[:-1], id="head cut off"),
        pytest.param(head(b"a", 5), id="head only"),
        pytest.param(head(b"a", 5) + b"hell", id="content cut off"),
        pytest.param(head(b"a", MAX_MESSAGE) + b"x" * 1000, id="most of the content missing"),
    ],
)
def test_a_connection_closed_early_is_noticed(pair, data):
    ours, theirs = pair
    ours.sendall(data)
    ours.close()
    with pytest.raises(ClosedError, match="closed"):
        messages.receive(theirs)


def test_a_connection_closed_without_having_read_is_noticed(pair):
    ours, theirs = pair
    messages.send(theirs, messages.ANSWER, b"unread")
    ours.close()
    with pytest.raises(ClosedError, match="closed"):
        messages.receive(theirs)


def test_a_connection_that_was_reset_is_a_closed_one():
    class Reset:
        def recv(self, size):
            raise ConnectionResetError

    with pytest.raises(ClosedError, match="closed"):
        messages.receive(Reset())


@pytest.mark.parametrize("size", [MAX_MESSAGE + 1, 2**31, 2**32 - 1])
def test_a_message_that_says_to_be_too_long_is_refused(pair, size):
    ours, theirs = pair
    ours.sendall(head(b"a", size))
    with pytest.raises(ClosedError, match="too long"):
        messages.receive(theirs)


def test_memory_is_taken_for_what_came_only(pair):
    ours, theirs = pair
    ours.sendall(head(b"a", MAX_MESSAGE) + b"x" * 1000)
    ours.close()
    tracemalloc.start()
    with pytest.raises(ClosedError):
        messages.receive(theirs)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 300_000


@pytest.mark.parametrize("data", [b"", head(b"a", 5), head(b"a", 5) + b"hell"])
def test_a_silent_connection_times_out(pair, data):
    ours, theirs = pair
    ours.sendall(data)
    theirs.settimeout(0.01)
    with pytest.raises(TimeoutError):
        messages.receive(theirs)


def test_errors_of_the_connection_are_os_errors():
    assert issubclass(ClosedError, OSError)
    assert issubclass(TimeoutError, OSError)
