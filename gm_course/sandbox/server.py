"""The warm server: loads the libraries once, then forks a session for each submission.

Started by :mod:`gm_course.grading.sandbox`, with the number of its socket and "sandboxed" or
"unsafe" as arguments.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import time
import traceback

import numpy as np
import scipy.integrate
import scipy.linalg
import scipy.optimize
import scipy.special
import scipy.stats
import torch
import torch.distributions
import torch.func

from gm_course.sandbox import isolation, messages, session
from gm_course.sandbox.codec import decode_calls
from gm_course.sandbox.pages import gather_pages


def main() -> None:
    """Serve until the grader closes the socket."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    sandboxed = sys.argv[2] == "sandboxed"
    for number in (signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)  # process 1 of a namespace is immune to these then
    kind, content = messages.receive(control)
    assert kind == messages.SETTINGS
    settings = json.loads(content)
    calls = {
        exercise: {name: decode_calls(items) for name, items in answers.items()}
        for exercise, answers in settings["calls"].items()
    }
    _warm_up()
    namespaces = isolation.ProcessNamespaces() if sandboxed else None
    messages.send(control, messages.READY)
    while True:
        order, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not order:
            return
        connection = socket.socket(fileno=descriptors[0])
        reading, writing = os.pipe()
        child = namespaces.fork() if namespaces else os.fork()
        if child == 0:
            control.close()
            os.close(reading)
            try:
                if namespaces:
                    isolation.become_watcher()
                session.serve(connection, calls)
            except BaseException:
                traceback.print_exc()  # for the grader's log
                os._exit(1)
            os._exit(0)
        connection.close()
        os.close(writing)
        _wait(control, child, reading, seconds=settings["seconds"])
        os.close(reading)


def _wait(control: socket.socket, child: int, reading: int, *, seconds: float) -> None:
    """Wait for a session to end; end it when its time is up or the grader has gone."""
    poll = select.poll()
    poll.register(control, 0)  # hang-up only
    poll.register(reading, 0)  # the session holds the other end, and closes it by ending
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0 and not poll.poll(left * 1000):
        pass
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _warm_up() -> None:
    """Do once what is slow the first time, on one thread: a forked child inherits no others."""
    torch.set_num_threads(1)
    matrix = torch.eye(3, dtype=torch.float64, requires_grad=True)
    for function in (torch.linalg.cholesky, torch.linalg.inv, torch.linalg.slogdet):
        function(matrix)
    torch.linalg.eigh(matrix)
    torch.linalg.matrix_norm(matrix, ord=2).backward()
    (matrix @ matrix).exp().log().softmax(0).logsumexp(0).sum().backward()
    # The first use of torch.func loads a compiler: seconds, in every submission that uses it.
    torch.func.hessian(lambda x: (x**3).sum())(torch.ones(3))
    torch.func.jacrev(lambda x: x.log_softmax(0))(torch.ones(3))
    torch.autograd.functional.jacobian(torch.exp, torch.ones(3))
    torch.distributions.MultivariateNormal(torch.zeros(3), torch.eye(3)).rsample()
    torch.rand(3, generator=torch.Generator().manual_seed(0))
    scipy.optimize.linprog(np.ones(3), A_eq=np.ones((1, 3)), b_eq=np.ones(1))
    scipy.linalg.solve(np.eye(3), np.ones(3))
    gc.collect()
    gc.freeze()
    if sys.platform == "linux":
        gather_pages()


if __name__ == "__main__":
    main()
