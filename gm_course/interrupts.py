"""Ctrl-C (the notebook's stop button) that waits for a safe moment."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class InterruptFlag:
    """Truthy once an interrupt has arrived."""

    def __init__(self) -> None:
        self._is_set = False

    def __bool__(self) -> bool:
        return self._is_set

    def set(self) -> None:
        """Note that an interrupt has arrived."""
        self._is_set = True


@contextmanager
def deferred_interrupt() -> Iterator[InterruptFlag]:
    """Collect the first Ctrl-C in a flag instead of raising; a second one raises at once.

    A step of training is thus never cut in half: the loop looks at the flag between steps. Outside
    the main thread, where Python delivers no signals, the flag simply stays unset.
    """
    flag = InterruptFlag()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return

    def note(_number: int, _frame: FrameType | None) -> None:
        if flag:
            raise KeyboardInterrupt
        flag.set()

    previous = signal.signal(signal.SIGINT, note)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, previous)
