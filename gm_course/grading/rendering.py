"""Rendering strangers' Markdown in bounded time and memory, in a child process that stays warm.

A process is the one mechanism that bounds time *and* memory, in native code as well as in Python,
in any thread and without touching this process's signals. The child sets its own limits: where a
text exceeds them the system ends it, the text is shown as typed, and the next text gets a new
child.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
import threading

from markupsafe import Markup, escape

from gm_course.grading.characters import visible

MAX_CHARACTERS = 50_000  # of Markdown; a worked answer has 9,000
MAX_HTML_BYTES = 1_500_000  # that one text may become; a page has at most 5 MB
CPU_SECONDS = 5  # for one text; 50,000 characters of ordinary mathematics take half a second
MEMORY = 1 << 30  # bytes of address space; ordinary texts need 200 MB, most of it libraries

_CHILD = """
import sys
cpu_seconds, memory, *sys.path[:] = sys.argv[1:]
from gm_course.grading.rendering import serve
serve(cpu_seconds=float(cpu_seconds), memory=int(memory))
"""


def render_markdown(text: str) -> Markup:
    """Return a stranger's Markdown as HTML that may stand in a page of ours.

    As in a notebook ``$…$``, ``$$…$$`` and environments such as ``align`` are mathematics; it
    becomes MathML. Raw HTML is shown as text. There are no images and no links but to the web and
    to mail addresses. What cannot be rendered in bounded time and memory is shown as typed.

    Example:
        >>> print(render_markdown("*Yes*: <b>$f$"))
        <p><em>Yes</em>: &lt;b&gt;<math display="inline"><mrow><mi>f</mi></mrow></math></p>
    """
    shown = visible(text[: MAX_CHARACTERS + 1])
    remarks = []
    if len(shown) > MAX_CHARACTERS:
        shown = shown[:MAX_CHARACTERS]
        remarks.append(
            f"Only the first {MAX_CHARACTERS:,} characters are shown; the notebook has more."
        )
    rendered = _child.render(shown)
    if rendered is None:
        rendered = escape(shown).join((Markup("<pre>"), Markup("</pre>")))
        remarks.append("This could not be rendered as Markdown; it is shown as it was typed.")
    return rendered + Markup("").join(
        Markup('\n<p class="remark">{}</p>').format(remark) for remark in remarks
    )


class _Child:
    """The process that renders, started when it is first needed and again after it was ended."""

    def __init__(self, *, cpu_seconds: float, memory: int) -> None:
        self._limits = str(cpu_seconds), str(memory)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def render(self, text: str) -> Markup | None:
        """Return the text as safe HTML, or None if it is more than the limits allow."""
        with self._lock:
            try:
                reply = self._exchange(json.dumps(text) + "\n")
            except OSError:  # it was gone already
                reply = ""
            except BaseException:  # Ctrl-C: the reply would be taken for the next text's
                self._stop()
                raise
            if not reply.endswith("\n"):  # it ended, perhaps in the middle of its reply
                self._stop()
                return None
        rendered = json.loads(reply)
        return None if rendered is None else Markup(rendered)

    def _exchange(self, request: str) -> str:
        if self._process and self._process.poll() is not None:
            self._stop()
        if self._process is None:
            self._process = subprocess.Popen(
                # isolated: no module is taken from the folder that the submissions are in
                [sys.executable, "-I", "-c", _CHILD, *self._limits, *sys.path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="ascii",
                start_new_session=True,  # a Ctrl-C in the terminal is not for it
            )
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(request)
        self._process.stdin.flush()
        return self._process.stdout.readline()

    def stop(self) -> None:
        """End the process; the next text starts a new one."""
        with self._lock:
            self._stop()

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


_child = _Child(cpu_seconds=CPU_SECONDS, memory=MEMORY)
atexit.register(_child.stop)


def serve(*, cpu_seconds: float, memory: int) -> None:
    """Answer the requests on standard input, one JSON string a line; run by the child only.

    Args:
        cpu_seconds: What one text may take; the process ends where one takes more.
        memory: Bytes of address space for the process.
    """
    import resource
    import signal

    from gm_course.grading.markdown import safe_html  # the parent needs none of its libraries

    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    for line in sys.stdin:
        # Nothing handles the timer's signal, so that it ends the process whatever it is doing.
        # Time of the processor, so that a page does not depend on what else the machine does.
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
        try:
            rendered = safe_html(json.loads(line))
        except Exception:  # whatever the libraries raise on it, RecursionError and MemoryError too
            rendered = None
        signal.setitimer(signal.ITIMER_PROF, 0)
        if rendered is not None and len(rendered.encode()) > MAX_HTML_BYTES:
            rendered = None
        print(json.dumps(rendered), flush=True)
