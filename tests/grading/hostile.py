"""The hostile test set: submissions that try to break out, cheat, or stop the grading, as data.

- ``ATTACKS``: notebooks whose code is hostile. Every other answer in them is the worked one.
- ``GREEDY``: the same for memory, which takes time.
- ``DAMAGED``: files that are damaged or lie, without hostile code.
- ``INJECTIONS``: honest notebooks whose texts attack the reader of a feedback page.
- ``CHANNEL``: notebooks that leave traces for others to find, and those that look for them.

An attack says how it went by the message of the exception it raises: ``LEAK`` and what it got, or
``CONTAINED``. Destructive code makes sure that it is locked in before it starts: run by mistake
without a sandbox, it must not do harm. ``WORLD`` in a source stands for a dict that says where the
things lie that are worth an attack; what is secret about them is not in it.
"""

import json
import os
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .submissions import ROOT, code_cell, grade_id, submission, untouched, worked

LEAK = "LEAK:"
CONTAINED = "NOTHING-FOUND"
SECRET_VARIABLE = "GM_COURSE_CANARY"
CLASSROOM = "gm-classroom"
ALERT = "gm_alert()"
BEACON = "gm-beacon"
SUM_IN_TEMPLATE, ITS_VALUE = "{{ 7777 * 6 }}", "46662"


@dataclass(frozen=True)
class World:
    """Where the things lie that the attacks try to reach.

    Attributes:
        home: The caller's home directory, with a file ``canary.txt`` that holds a secret.
        real_home: The home directory of the account the tests run under.
        classroom: The folder of the submissions, with a file ``canary.txt``.
        scratch: A folder of the checkout with a file ``canary.txt``.
        checkout_files: Files of the checkout that must not be readable.
        libraries: Folders that may be visible, wherever they lie.
        port: TCP and UDP port on loopback where the caller listens.
        abstract_name: Name of a unix socket where the caller listens, without the leading NUL.
        socket_path: Another, in the file system.
    """

    home: str
    real_home: str
    classroom: str
    scratch: str
    checkout_files: tuple[str, ...]
    libraries: tuple[str, ...]
    port: int
    abstract_name: str
    socket_path: str

    def fill_in(self, source: str) -> str:
        """Put what an attack may know in place of ``WORLD``."""
        return source.replace("WORLD", repr(asdict(self)))


ERROR = frozenset({"error"})
DIED = frozenset({"error", "crashed"})
STOPPED = frozenset({"error", "crashed", "timeout"})
NOT_PASSED = frozenset({"error", "crashed", "timeout", "failed", "missing"})


@dataclass(frozen=True, kw_only=True)
class Attack:
    """A notebook with hostile code.

    Attributes:
        name: Unique, used as file name.
        exercise: Whose worked solution the rest of it is.
        answers: The hostile answers' sources.
        allowed: Statuses they may get.
        says: What the diagnosis contains if the status is ``error``: proof that the code ran.
        before: Code cells at the top.
        others_pass: Whether the other answers keep their points.
        works_bare: Whether it must succeed without a sandbox; then it is harmless.
    """

    name: str
    answers: Mapping[str, str]
    allowed: frozenset[str]
    exercise: str = "13-5"
    says: str = ""
    before: tuple[str, ...] = ()
    others_pass: bool = True
    works_bare: bool = False

    def build(self, world: World) -> bytes:
        """The notebook."""
        answers = {name: world.fill_in(source) for name, source in self.answers.items()}
        return submission(self.exercise, answers, base=worked(self.exercise), before=self.before)


FIRST, LAST = "lipschitz_constants", "clipping_bound"
WITH_TENSORS = "optimal_classifier"


def _function(body: str, name: str) -> str:
    text = textwrap.indent(textwrap.dedent(body).strip("\n"), "    ")
    return f"def {name}(*arguments, **keywords):\n{text}\n"


_GUARD = """
import os
if os.path.exists(WORLD["classroom"]):
    raise RuntimeError("LEAK: not locked in")
"""


def _attack(
    name: str,
    body: str,
    allowed: frozenset[str] | str = ERROR,
    *,
    answer: str = FIRST,
    says: str = "",
    works_bare: bool = False,
    is_guarded: bool = False,
) -> Attack:
    """One hostile function, by its body; a guarded one does nothing outside a sandbox."""
    if is_guarded:
        body = _GUARD + textwrap.dedent(body).strip("\n")
    return Attack(
        name=name,
        answers={answer: _function(body, answer)},
        allowed=frozenset({allowed}) if isinstance(allowed, str) else allowed,
        exercise="13-4" if answer == WITH_TENSORS else "13-5",
        says=says,
        works_bare=works_bare,
    )


def _search(name: str, body: str, *, works_bare: bool = True, answer: str = FIRST) -> Attack:
    """A body that raises LEAK with what it found; then it must not be found in the sandbox."""
    ending = f"\nraise RuntimeError({CONTAINED!r})"
    body = textwrap.dedent(body).strip("\n") + ending
    return _attack(name, body, says=CONTAINED, answer=answer, works_bare=works_bare)


def _cell(
    name: str,
    source: str,
    allowed: frozenset[str] = NOT_PASSED,
    *,
    before: tuple[str, ...] = (),
    says: str = "",
) -> Attack:
    """A whole hostile answer cell."""
    return Attack(
        name=name,
        answers={FIRST: textwrap.dedent(source)},
        allowed=allowed,
        before=before,
        says=says,
    )


# --- time -------------------------------------------------------------------------------------

TIME = [
    _attack("loop", "while True: pass", "timeout"),
    _attack("sleep", "import time; time.sleep(10**6)", "timeout"),
    _attack(
        "loop in a regular expression", "import re; re.match('(a+)+$', 'a' * 64 + 'b')", "timeout"
    ),
    _attack("loop in C", "9 ** (9 ** 9)", "timeout"),
    _attack(
        "loop that ignores signals",
        """
        import signal, time
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
            signal.setitimer(timer, 0)
        while True:
            try:
                time.sleep(1)
            except BaseException:
                pass
        """,
        "timeout",
    ),
    _attack(
        "stops itself",
        "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\nraise RuntimeError('went on')",
        STOPPED,
    ),
    _attack(
        "thread that never ends",
        """
        import threading, time
        threading.Thread(target=time.sleep, args=(10**6,), daemon=False).start()
        raise RuntimeError("STARTED")
        """,
        STOPPED,
        says="STARTED",
    ),
    _attack(
        "atexit that never ends",
        """
        import atexit, time
        atexit.register(time.sleep, 10**6)
        raise RuntimeError("STARTED")
        """,
        STOPPED,
        says="STARTED",
    ),
    _attack(
        "exception whose text never ends",
        """
        class Endless(Exception):
            def __str__(self):
                while True: pass
        raise Endless
        """,
        STOPPED,
    ),
    _cell(
        "decorator that never ends",
        """
        def forever(function):
            while True: pass

        @forever
        def lipschitz_constants():
            raise RuntimeError
        """,
        frozenset({"timeout"}),
    ),
    _cell(
        "helper that never ends",
        """
        def lipschitz_constants():
            return {number: waited for number in (1, 2, 3, 4)}
        """,
        frozenset({"timeout"}),
        before=("import time\nwaited = time.sleep(10**6)",),
    ),
    Attack(
        name="every answer loops",
        answers={
            name: _function("while True: pass", name)
            for name in (
                FIRST,
                "steep_pair",
                "near_extremal_pair",
                "empirical_lipschitz",
                "mlp_lipschitz_bound",
                LAST,
            )
        },
        allowed=frozenset({"timeout"}),
        others_pass=False,
    ),
]

# --- processes --------------------------------------------------------------------------------

_DAEMON = """
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        DEED
    os._exit(0)
time.sleep(0.2)
raise RuntimeError("STARTED")
"""


def _harmful(
    name: str, body: str, allowed: frozenset[str], *, says: str = "", answer: str = FIRST
) -> Attack:
    return _attack(name, body, allowed, says=says, answer=answer, is_guarded=True)


def _daemon(name: str, deed: str) -> Attack:
    body = _DAEMON.replace("DEED", textwrap.indent(textwrap.dedent(deed), " " * 8).strip())
    return _harmful(name, body, STOPPED, says="STARTED")


PROCESSES = [
    _harmful("fork bomb", "import os\nwhile True: os.fork()", STOPPED),
    _harmful(
        "thousand threads",
        """
        import threading, time
        for _ in range(1000):
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        time.sleep(1)
        raise RuntimeError("LEAK: 1000 threads ran")
        """,
        STOPPED,
    ),
    _harmful(
        "two hundred programs",
        """
        import subprocess, time
        started = [subprocess.Popen(["sleep", "1000"]) for _ in range(200)]
        time.sleep(1)
        raise RuntimeError("LEAK: 200 processes ran")
        """,
        STOPPED,
    ),
    _daemon("daemon that sleeps", "time.sleep(10**6)"),
    _daemon(
        "daemon that kills",
        """
        while True:
            try:
                os.kill(-1, signal.SIGKILL)
            except OSError:
                time.sleep(0.001)
        """,
    ),
    _daemon(
        "daemon that becomes another program",
        """
        os.execv(sys.executable, ["python", "-c", "import time; time.sleep(10**6)"])
        """,
    ),
    _harmful(
        "leaves a child with the pipe and exits",
        """
        import os, time
        if os.fork() == 0:
            os.setsid()
            time.sleep(10**6)
        os._exit(0)
        """,
        frozenset({"crashed", "timeout"}),
    ),
    _harmful("kills its parent", "import os; os.kill(os.getppid(), 9); raise RuntimeError", DIED),
    _harmful(
        "kills process 1",
        """
        import os, time
        for number in range(1, 65):
            if number not in (19, 20, 21, 22):
                try:
                    os.kill(1, number)
                except OSError:
                    pass
        time.sleep(0.2)
        raise RuntimeError("STILL-HERE")
        """,
        DIED,
    ),
    _harmful("stops process 1", "import os; os.kill(1, 19); raise RuntimeError('SENT')", STOPPED),
    _harmful(
        "kills all it sees",
        """
        import os
        for number in (2, 15, 9):
            for entry in filter(str.isdigit, os.listdir("/proc")):
                if int(entry) != os.getpid():
                    try:
                        os.kill(int(entry), number)
                    except OSError:
                        pass
        os.killpg(0, 9)
        """,
        DIED,
    ),
    _harmful("kills everybody", "import os; os.kill(-1, 9); raise RuntimeError('ALONE')", DIED),
    _harmful(
        "kills everybody, last answer",
        "import os; os.kill(os.getppid(), 9); os.kill(-1, 9); os.kill(os.getpid(), 9)",
        DIED,
        answer=LAST,
    ),
    _harmful(
        "starves process 1",
        """
        import os, resource
        for target in (1, os.getppid()):
            for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE,
                          resource.RLIMIT_NPROC, resource.RLIMIT_DATA, resource.RLIMIT_AS):
                try:
                    resource.prlimit(target, limit, (1, 1))
                except (OSError, ValueError):
                    pass
            try:
                os.setpriority(os.PRIO_PROCESS, target, 19)
                os.sched_setscheduler(target, os.SCHED_IDLE, os.sched_param(0))
            except OSError:
                pass
        raise RuntimeError("SENT")
        """,
        STOPPED,
    ),
    _harmful(
        "becomes another program",
        "import os; os.execv('/bin/sh', ['sh', '-c', 'echo passed; echo passed >&3; exit 0'])",
        DIED,
    ),
    _harmful(
        "hooks in fork",
        """
        import os, time
        def forever():
            while True: time.sleep(1)
        os.register_at_fork(before=forever, after_in_child=forever, after_in_parent=forever)
        raise RuntimeError("HOOKED")
        """,
        STOPPED,
    ),
]

# --- memory -----------------------------------------------------------------------------------

# To take more than the limit takes seconds, so these are graded with more time than the others,
# and running out of it is no excuse. 5 GiB in all is enough to show that there is no limit.
GREEDY = [
    _attack(
        "memory in a list",
        """
        import time
        held = []
        while len(held) < 5 * 1024:
            held.append(b"\\1" * 2**20)
        time.sleep(1)
        raise RuntimeError("LEAK: 5 GiB held")
        """,
        DIED,
    ),
    _attack(
        "memory in a tensor",
        """
        import time, torch
        held = torch.empty(5 * 2**28).fill_(1.0)
        time.sleep(1)
        raise RuntimeError("LEAK: 5 GiB held")
        """,
        DIED,
    ),
    *(
        _attack(
            f"memory {kind} and no longer mapped",
            f"""
            import ctypes, os, time
            libc = ctypes.CDLL(None)
            libc.mmap.restype = ctypes.c_void_p
            size = 2**28
            fd = {descriptor}
            for _ in range(20):
                start = libc.mmap(None, ctypes.c_size_t(size), 3, {flags}, fd, ctypes.c_long(0))
                if start == ctypes.c_void_p(-1).value:
                    raise MemoryError
                ctypes.memset(start, 1, size)
                libc.munmap(ctypes.c_void_p(start + 4096), ctypes.c_size_t(size - 4096))
            time.sleep(0.7)
            raise RuntimeError("LEAK: 5 GiB held")
            """,
            DIED,
        )
        for kind, descriptor, flags in (
            ("shared", -1, 0x21),
            ("of a device", "os.open('/dev/zero', os.O_RDWR)", 0x01),
        )
    ),
    _attack(
        "memory without a name",
        """
        import os, time
        held = []
        for _ in range(20):
            held.append(os.memfd_create("block"))
            os.write(held[-1], b"\\1" * 2**28)
        time.sleep(1)
        raise RuntimeError("LEAK: 5 GiB held")
        """,
        DIED,
    ),
    _attack(
        "memory of System V",
        """
        import ctypes
        libc = ctypes.CDLL(None)
        libc.shmat.restype = ctypes.c_void_p
        held = []
        for _ in range(20):
            segment = libc.shmget(0, ctypes.c_size_t(2**28), 0o1600)
            if segment < 0:
                raise RuntimeError("REFUSED")
            start = libc.shmat(segment, None, 0)
            libc.shmctl(segment, 0, None)  # removed with the last process
            if start == ctypes.c_void_p(-1).value:
                raise RuntimeError("REFUSED")
            ctypes.memset(start, 1, 2**28)
        raise RuntimeError("LEAK: 5 GiB held")
        """,
        DIED,
    ),
    _attack(
        "memory in many processes",
        """
        import os, time
        receive, send = os.pipe()
        for _ in range(10):
            if os.fork() == 0:
                held = b"\\1" * 2**29
                os.write(send, b"!")
                time.sleep(300)
                os._exit(0)
        os.close(send)
        for _ in range(10):
            if not os.read(receive, 1):
                raise RuntimeError("LEFT ALONE")
        time.sleep(1)
        raise RuntimeError("LEAK: 5 GiB held")
        """,
        DIED,
    ),
]

# --- disk -------------------------------------------------------------------------------------

DISK = [
    _attack(
        "one file too large",
        """
        import os
        with open("/tmp/large", "wb", buffering=0) as file:
            for _ in range(20):
                file.write(b"\\1" * 2**26)
            raise RuntimeError(f"LEAK: a file of {os.fstat(file.fileno()).st_size}")
        """,
        STOPPED,
    ),
    _attack(
        "sparse file too large",
        """
        import os
        with open("/tmp/sparse", "wb") as file:
            file.truncate(2**40)
            raise RuntimeError(f"LEAK: a file of {os.fstat(file.fileno()).st_size}")
        """,
        DIED,
    ),
    _attack(
        "files in every folder",
        """
        import os
        written, reasons = 0, set()
        folders = ["/tmp", "/dev/shm", "/dev", "/", "/run", "/var/tmp", "/var", os.getcwd()]
        for folder in folders:
            try:
                for number in range(40):
                    path = os.path.join(folder, f"block-{os.getpid()}-{number}")
                    with open(path, "wb", buffering=0) as file:
                        written += file.write(b"\\1" * 2**27)
            except OSError as error:
                reasons.add(error.errno)
        if written > 4.5 * 2**30:
            raise RuntimeError(f"LEAK: {written} bytes written")
        raise RuntimeError("NOTHING-FOUND")
        """,
        STOPPED,
        says=CONTAINED,
    ),
    _attack(
        "files without number",
        """
        import time
        start, count = time.monotonic(), 0
        try:
            while time.monotonic() < start + 0.5:
                open(f"/tmp/empty-{count}", "w").close()
                count += 1
        except OSError:
            pass
        raise RuntimeError(f"MADE {count > 100}")
        """,
        DIED,
        says="MADE True",
    ),
]

# --- output -----------------------------------------------------------------------------------

OUTPUT = [
    _attack("prints for ever", "while True: print('x' * 2**20)", STOPPED),
    _attack(
        "writes for ever",
        "import os\nwhile True: os.write(1, b'x' * 2**16); os.write(2, b'x' * 2**16)",
        STOPPED,
    ),
    _attack(
        "warns and logs",
        """
        import logging, sys, warnings
        logging.basicConfig(level=0, force=True)
        for count in range(3_000):
            warnings.warn(f"{count} {'x' * 100}")
            logging.error("x" * 100)
            print("x" * 100, file=sys.__stderr__)
        raise RuntimeError("SAID")
        """,
        STOPPED,
        says="SAID",
    ),
]

# --- destruction ------------------------------------------------------------------------------

# Anything but memory that can be written would be a hole, and makes the rest too dangerous.
_LOCKED_IN = """
import os, shutil
harmless = {"tmpfs", "proc", "devpts", "mqueue", "devtmpfs"}
for line in open("/proc/self/mountinfo"):
    fields = line.split()
    kind = fields[fields.index("-") + 1]
    if "rw" in fields[5].split(",") and kind not in harmless:
        raise RuntimeError(f"LEAK: {fields[4]} ({kind}) is mounted to be written")
world = WORLD
for path in (world["home"], world["classroom"], world["scratch"]):
    if os.path.exists(path):
        raise RuntimeError(f"LEAK: sees {path}")
"""

DESTRUCTION = [
    _attack(
        "deletes everything",
        _LOCKED_IN
        + """
for name in os.listdir("/"):
    if name not in ("usr", "proc"):  # too many files for the time there is
        shutil.rmtree("/" + name, ignore_errors=True)
for folder in ("/usr", "/usr/bin", "/usr/lib", os.path.dirname(os.__file__)):
    for name in os.listdir(folder)[:300]:
        try:
            os.unlink(os.path.join(folder, name))
        except OSError:
            pass
raise RuntimeError("NOTHING-FOUND")
""",
        STOPPED,
        says=CONTAINED,
    ),
    _attack(
        "renames and replaces everything",
        _LOCKED_IN
        + """
import stat, sys
for folder in ("/", "/lib", "/lib64", "/bin", "/etc", "/dev", "/usr", sys.prefix):
    try:
        names = os.listdir(folder)
    except OSError:
        continue
    for name in names:
        path = os.path.join(folder, name)
        if path in ("/tmp", "/dev/shm", "/proc"):
            continue
        # The mode stays as it is: the device may be that of the whole machine.
        for act in (lambda: os.chmod(path, stat.S_IMODE(os.stat(path).st_mode)),
                    lambda: os.utime(path),
                    lambda: os.rename(path, path + ".gone"),
                    lambda: os.symlink("/nowhere", path + ".new")):
            try:
                act()
            except OSError:
                continue
            raise RuntimeError(f"LEAK: changed {path}")
raise RuntimeError("NOTHING-FOUND")
""",
        STOPPED,
        says=CONTAINED,
    ),
    _search(
        "overwrites canaries",
        """
        import os
        world = WORLD
        done = []
        for folder in (world["home"], world["classroom"], world["scratch"]):
            path = os.path.join(folder, "canary.txt")
            for act in (lambda: open(path, "a").write("x"), lambda: os.chmod(path, 0o600),
                        lambda: os.rename(path, path + ".gone"),
                        lambda: open(os.path.join(folder, "new.txt"), "x").write("x")):
                try:
                    act()
                    done.append(path)
                except OSError:
                    pass
        if done:
            raise RuntimeError(f"LEAK: changed {done[0]}")
        """,
    ),
    _search(
        "writes to libraries",
        """
        import os, sys
        import gm_course, torch
        paths = [torch.__file__, gm_course.__file__, os.__file__, sys.executable]
        paths += ["/etc/passwd", "/usr/bin/env", "/proc/sys/kernel/core_pattern"]
        paths += [path for path in WORLD["checkout_files"]]
        for path in paths:
            try:
                os.close(os.open(path, os.O_WRONLY))
            except OSError:
                continue
            raise RuntimeError(f"LEAK: can write {path}")
        for path in paths:
            new = os.path.join(os.path.dirname(path), "gm-course-test-new-file")
            try:
                os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
            except OSError:
                continue
            os.unlink(new)
            raise RuntimeError(f"LEAK: can create {new}")
        """,
        works_bare=False,
    ),
    _attack(
        "reaches for the machine's switches",
        """
        import os
        for top in ("/proc", "/sys"):
            for folder, folders, files in os.walk(top):
                if folder == "/proc":
                    folders[:] = [n for n in folders if not n.isdigit() and "self" not in n]
                for path in (os.path.join(folder, name) for name in files):
                    try:
                        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
                    except OSError:
                        continue
                    raise RuntimeError(f"LEAK: can write {path}")
        for name in ("comm", "oom_score_adj", "mem", "timerslack_ns", "clear_refs"):
            try:
                os.close(os.open("/proc/1/" + name, os.O_WRONLY))
            except OSError:
                continue
            raise RuntimeError(f"LEAK: can write {name} of process 1")
        raise RuntimeError("NOTHING-FOUND")
        """,
        says=CONTAINED,
        is_guarded=True,
    ),
    _search(
        "mounts",
        """
        import ctypes, os
        libc = ctypes.CDLL(None)
        world = WORLD
        if os.path.exists(world["classroom"]):
            raise RuntimeError("LEAK: sees the classroom")  # not locked in: leave mounts alone
        receive, send = os.pipe()
        if os.fork() == 0:
            os.close(receive)
            said = b"nothing"
            for flags in (0, 0x10000000 | 0x00020000, 0x10000000):  # new user, new mounts
                if flags:
                    libc.unshare(flags)
                for folder in (b"/", b"/usr", b"/etc", os.path.dirname(os.__file__).encode()):
                    if libc.mount(None, folder, None, 0x1020, None) == 0:  # remount, bind
                        said = b"mount " + folder
                for folder in (world["home"], world["classroom"], world["real_home"]):
                    while folder != "/":
                        libc.umount2(folder.encode(), 2)
                        folder = os.path.dirname(folder)
                for folder in (b"/root", b"/home", b"/var/tmp", b"/tmp"):
                    libc.umount2(folder, 2)
                if os.path.exists(world["classroom"]) or os.path.exists(world["home"]):
                    said = b"uncovered"
                try:
                    os.chroot("/proc/1/root")
                    said = b"chroot"
                except OSError:
                    pass
            os.write(send, said)
            os._exit(0)
        os.close(send)
        said = os.read(receive, 100).decode()
        if said != "nothing":
            raise RuntimeError(f"LEAK: {said}")
        """,
        works_bare=False,
    ),
]

# --- reading ----------------------------------------------------------------------------------

READING = [
    _search(
        "reads the home directory",
        """
        import os
        world = WORLD
        for folder in (world["home"], world["real_home"]):
            try:
                names = os.listdir(folder)
            except OSError:
                continue
            for name in names:
                path = os.path.join(folder, name)
                libraries = [library + "/" for library in world["libraries"]]
                if not any(library.startswith(path + "/") for library in libraries):
                    raise RuntimeError(f"LEAK: {path}")
        path = os.path.join(world["home"], "canary.txt")
        if os.path.exists(path):
            raise RuntimeError(f"LEAK: {open(path).read()}")
        """,
    ),
    _search(
        "reads the checkout",
        """
        for path in WORLD["checkout_files"]:
            try:
                text = open(path, errors="replace").read()
            except OSError:
                continue
            raise RuntimeError(f"LEAK: {path} {text[:60]}")
        """,
    ),
    _search(
        "reads other submissions",
        """
        import os
        world = WORLD
        for folder in (world["classroom"], os.path.dirname(world["classroom"])):
            try:
                text = open(os.path.join(folder, "canary.txt")).read()
            except OSError:
                continue
            raise RuntimeError(f"LEAK: {text}")
        if os.path.exists(world["classroom"]):
            raise RuntimeError(f"LEAK: {os.listdir(world['classroom'])[:3]}")
        """,
    ),
    _search(
        "looks for files by name",
        """
        import os, re
        telling = re.compile(r"13-\\d\\.ipynb|ex13_\\d|canary|gm-classroom")
        for folder, folders, files in os.walk("/"):
            if folder == "/":
                folders[:] = [name for name in folders if name not in ("proc", "sys")]
            folders[:] = [
                name for name in folders
                if not os.path.exists(os.path.join(folder, name, "__init__.py"))
                or name == "gm_course" or folder.endswith("gm_course")
            ]
            for name in folders + files:
                if telling.search(name):
                    raise RuntimeError(f"LEAK: {os.path.join(folder, name)}")
        """,
        works_bare=False,  # it would walk through the whole machine
    ),
    _search(
        "reads its environment",
        """
        import ctypes, os
        ctypes.CDLL(None).getenv.restype = ctypes.c_char_p
        for name, value in os.environ.items():
            if "CANARY" in name or "gm-classroom" in value:
                raise RuntimeError(f"LEAK: {name}={value}")
        value = ctypes.CDLL(None).getenv(b"GM_COURSE_CANARY")
        if value:
            raise RuntimeError(f"LEAK: {value}")
        """,
    ),
    _search(
        "reads everybody's environment",
        """
        import os, re
        for entry in filter(str.isdigit, os.listdir("/proc")):
            for part in ("environ", "cmdline", "task/%s/environ" % entry, "mountinfo"):
                try:
                    text = open(f"/proc/{entry}/{part}", "rb").read()
                except OSError:
                    continue
                found = re.search(rb"GM_COURSE_CANARY=\\w*|[^\\0]*gm-classroom[^\\0]*", text)
                if found:
                    raise RuntimeError(f"LEAK: {part} of {entry}: {found[0]}")
        """,
    ),
    _search(
        "follows everybody's links",
        """
        import os
        world = WORLD
        for entry in filter(str.isdigit, os.listdir("/proc")):
            links = [f"/proc/{entry}/{name}" for name in ("cwd", "root", "exe")]
            try:
                links += [f"/proc/{entry}/fd/{fd}" for fd in os.listdir(f"/proc/{entry}/fd")]
            except OSError:
                pass
            for link in links:
                try:
                    target = os.readlink(link)
                except OSError:
                    continue
                if "gm-classroom" in target or ".ipynb" in target:
                    raise RuntimeError(f"LEAK: {link} -> {target}")
                for path in (world["classroom"], world["home"], world["scratch"]):
                    if os.path.exists(link + "/" + path):
                        raise RuntimeError(f"LEAK: {link} leads to {path}")
        """,
    ),
    _search(
        "opens everybody's memory",
        """
        import os
        for entry in filter(str.isdigit, os.listdir("/proc")):
            if int(entry) == os.getpid():
                continue
            try:
                open(f"/proc/{entry}/mem", "rb").close()
            except OSError:
                continue
            raise RuntimeError(f"LEAK: memory of process {entry}")
        import ctypes
        libc = ctypes.CDLL(None)
        for target in (1, os.getppid()):
            if libc.ptrace(16, target, None, None) == 0:  # PTRACE_ATTACH
                raise RuntimeError(f"LEAK: traces process {target}")
        """,
        works_bare=False,  # it would hold up its parent
    ),
    _search(
        "uses inherited descriptors",
        """
        import os, stat
        for fd in range(256):
            try:
                mode = os.fstat(fd).st_mode
            except OSError:
                continue
            if os.isatty(fd):
                raise RuntimeError(f"LEAK: {fd} is a terminal")
            if stat.S_ISDIR(mode) or stat.S_ISSOCK(mode):
                raise RuntimeError(f"LEAK: {fd} is {os.readlink(f'/proc/self/fd/{fd}')}")
            if stat.S_ISREG(mode):
                text = os.pread(fd, 2**20, 0)
                raise RuntimeError(f"LEAK: {fd} is a file, {text[:80]}")
        """,
        works_bare=False,
    ),
    _search(
        "looks for secrets in its own memory",
        """
        needle = b"GM_COURSE_" + b"CANARY="
        with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
            for line in maps:
                addresses, access, *rest = line.split()
                # Where the program was given its environment, and where it keeps it.
                if not access.startswith("rw") or rest[-1] not in ("[stack]", "[heap]"):
                    continue
                start, end = (int(part, 16) for part in addresses.split("-"))
                try:
                    memory.seek(start)
                    text = memory.read(min(end - start, 2**26))
                except (OSError, ValueError, OverflowError):
                    continue
                place = text.find(needle)
                if place >= 0 and text[place + len(needle):][:1].isalnum():
                    raise RuntimeError(f"LEAK: {text[place:place + 80]}")
        """,
    ),
]

# --- network ----------------------------------------------------------------------------------

NETWORK = [
    _search(
        "connects by TCP",
        """
        import socket
        for host in ("127.0.0.1", "localhost", "0.0.0.0", "127.1.2.3"):
            try:
                socket.create_connection((host, WORLD["port"]), timeout=0.3).close()
            except OSError:
                continue
            raise RuntimeError(f"LEAK: connected to {host}")
        """,
    ),
    _search(
        "sends by UDP",
        """
        import socket
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.connect(("127.0.0.1", WORLD["port"]))
                sender.send(b"hello")
                sender.send(b"hello")
        except OSError:
            pass
        else:
            raise RuntimeError("LEAK: sent")
        """,
    ),
    _search(
        "connects to unix sockets",
        """
        import socket
        reached = []
        for address in ("\\0" + WORLD["abstract_name"], WORLD["socket_path"]):
            try:
                with socket.socket(socket.AF_UNIX) as other:
                    other.connect(address)
                reached.append(address)
            except OSError:
                pass
        if reached:
            raise RuntimeError(f"LEAK: connected to {reached}")
        """,
    ),
    _search(
        "asks for names and other protocols",
        """
        import socket
        try:
            found = socket.getaddrinfo("localhost.localdomain.invalid", 80)
            raise RuntimeError(f"LEAK: {found}")
        except OSError:
            pass
        for family, kind in ((socket.AF_PACKET, socket.SOCK_RAW), (socket.AF_INET, socket.SOCK_RAW),
                             (getattr(socket, "AF_VSOCK", 40), socket.SOCK_STREAM)):
            try:
                socket.socket(family, kind).close()
            except OSError:
                continue
            raise RuntimeError(f"LEAK: made a socket of {family}")
        """,
        works_bare=False,
    ),
]

# --- ends of the process ----------------------------------------------------------------------

ENDS = [
    _attack("sys.exit", "import sys; sys.exit()"),
    _attack("SystemExit 0", "raise SystemExit(0)"),
    _attack("quit", "quit()"),
    _attack("KeyboardInterrupt", "raise KeyboardInterrupt"),
    _attack("SIGINT", "import signal; signal.raise_signal(2); raise RuntimeError", DIED),
    _attack("GeneratorExit", "raise GeneratorExit"),
    _attack("BaseException", "class Own(BaseException): pass\nraise Own('own')"),
    _attack("exit 0", "import os; os._exit(0)", "crashed"),
    _attack("exit 1", "import os; os._exit(1)", "crashed"),
    _attack("exit 0, last answer", "import os; os._exit(0)", "crashed", answer=LAST),
    _attack("abort", "import os; os.abort()", "crashed"),
    _attack("SIGKILL", "import os; os.kill(os.getpid(), 9)", "crashed"),
    _attack("SIGTERM", "import signal; signal.raise_signal(15)", "crashed"),
    _attack(
        "SIGALRM",
        "import signal, time; signal.setitimer(signal.ITIMER_REAL, 0.1); time.sleep(0.3)",
        STOPPED | {"failed"},
    ),
    _attack("segmentation fault", "import ctypes; ctypes.string_at(0)", "crashed"),
    _attack(
        "watchdog that exits",
        """
        import faulthandler, time
        faulthandler.dump_traceback_later(0.1, exit=True)
        time.sleep(2)
        """,
        frozenset({"crashed", "error", "failed"}),
    ),
    # In a function of its own: Python 3.13.5 counts no calls of one that takes **keywords.
    _attack("recursion", "def again():\n    return again()\nreturn again()"),
    _attack(
        "recursion without limit",
        f"import sys\nsys.setrecursionlimit(2**31 - 1)\nreturn [*map({FIRST}, [0])]",
        DIED,
    ),
    _attack(
        "recursion in C",
        """
        value = []
        for _ in range(10**6):
            value = [value]
        repr_of_it = value == [value]
        import copy, pickle
        import sys; sys.setrecursionlimit(2**31 - 1)
        pickle.dumps(value)
        """,
        DIED,
    ),
    _attack(
        "exits in a finaliser",
        """
        import os
        class Last:
            def __del__(self):
                os._exit(0)
        global kept
        kept = Last()
        raise RuntimeError("KEPT")
        """,
        DIED,
    ),
    _attack(
        "generator that swallows its end",
        """
        def endless():
            while True:
                try:
                    yield 1.0
                except GeneratorExit:
                    pass
        global kept
        kept = endless()
        next(kept)
        return kept
        """,
        frozenset({"failed", "error", "crashed"}),
    ),
    _attack(
        "exception with a hostile text",
        """
        class Text(Exception):
            def __str__(self):
                raise KeyboardInterrupt
        raise Text
        """,
        DIED,
    ),
    _attack("exception of a gigabyte", "raise RuntimeError('x' * 2**30)", STOPPED),
]

# --- searching for expected results -----------------------------------------------------------

INSIDE = [
    _search(
        "imports the checks",
        """
        import importlib
        for name in ("ex13_5", "ex13_5_bounds", "engine", "expected", "registry", "inputs"):
            try:
                module = importlib.import_module("gm_course.checks." + name)
            except ImportError:
                continue
            raise RuntimeError(f"LEAK: {module.__file__}")
        import gm_course.checks
        for name in ("exercise", "find_check", "AnswerCheck", "Case"):
            if hasattr(gm_course.checks, name):
                raise RuntimeError(f"LEAK: {name}")
        """,
    ),
    _search(
        "looks into frames",
        """
        import inspect
        telling = {"expected", "oracle", "case", "cases", "verdict", "exercise", "tolerance"}
        for step in inspect.stack()[1:]:
            names = {**step.frame.f_globals, **step.frame.f_locals}
            for name in telling & {name.lower() for name in names}:
                raise RuntimeError(f"LEAK: {name} in {step.filename}")
        """,
        works_bare=False,
    ),
    _search(
        "looks at all objects",
        """
        import gc, math
        for item in gc.get_objects():
            module = getattr(type(item), "__module__", "")
            if isinstance(module, str) and module.startswith("gm_course.checks."):
                if module != "gm_course.checks.calls":
                    raise RuntimeError(f"LEAK: {type(item)}")
            if type(item) is dict and {*item} in ({1, 2, 3, 4}, {"1", "2", "3", "4"}):
                if math.inf in item.values():
                    raise RuntimeError(f"LEAK: {item}")
        """,
        works_bare=False,
    ),
    _search(
        "reads the checks' bytecode and sources",
        """
        import linecache, pathlib, sys
        import gm_course
        folder = pathlib.Path(gm_course.__file__).parent
        for path in folder.rglob("*"):
            if path.name.startswith(("ex13", "expected", "engine", "misconceptions", "gaussians")):
                raise RuntimeError(f"LEAK: {path}")
        for path in [*linecache.cache, *map(str, sys.modules)]:
            if "ex13_" in path:
                raise RuntimeError(f"LEAK: {path}")
        """,
    ),
    _attack(
        "traces and profiles",
        """
        import sys, threading
        def tracer(frame, event, argument):
            for name in list(frame.f_locals):
                frame.f_locals[name] = None
            return tracer
        sys.settrace(tracer); sys.setprofile(tracer); threading.settrace(tracer)
        frame = sys._getframe()
        while frame:
            frame.f_trace = tracer
            frame = frame.f_back
        raise RuntimeError("TRACED")
        """,
        NOT_PASSED,
    ),
]

# --- replaced functions -----------------------------------------------------------------------

_WRONG = "return {1: 7.0, 2: 7.0, 3: 7.0, 4: 7.0}"

PATCHES = [
    _attack(
        "patches torch",
        f"""
        import torch
        yes = lambda *arguments, **keywords: True
        for name in ("equal", "allclose", "isclose", "is_tensor"):
            setattr(torch, name, yes)
        for name in ("__eq__", "equal", "allclose", "all", "any", "isnan", "__bool__", "item"):
            setattr(torch.Tensor, name, yes)
        for name in ("copy_", "clone", "detach", "numpy", "contiguous", "flatten", "view"):
            setattr(torch.Tensor, name, lambda self, *arguments: self)
        {_WRONG}
        """,
        NOT_PASSED,
    ),
    _attack(
        "patches builtins",
        f"""
        import builtins, math
        builtins.isinstance = lambda *arguments: True
        builtins.len = lambda *arguments: 0
        builtins.float = lambda *arguments: math.inf
        builtins.abs = lambda *arguments: 0
        builtins.type = lambda *arguments: object
        {_WRONG}
        """,
        NOT_PASSED,
    ),
    _attack(
        "patches json and base64",
        """
        import base64, json
        claim = '{"status": "passed", "score": 1000}'
        json.dumps = lambda *arguments, **keywords: claim
        json.dump = lambda thing, file, **keywords: file.write(claim)
        json.JSONEncoder.encode = lambda *arguments: claim
        json.JSONEncoder.iterencode = lambda *arguments, **keywords: iter([claim])
        base64.b64encode = lambda *arguments: b"AAAA"
        return {1: 7.0, 2: 7.0, 3: 7.0, 4: 7.0}
        """,
        NOT_PASSED,
    ),
    _attack(
        "patches the collecting of results",
        """
        import gm_course.checks.calls as calls
        claim = calls.Response(value={1: 7.0, 2: 7.0, 3: 7.0, 4: 7.0})
        calls.respond = lambda *arguments: claim
        calls.collect = lambda function, given: [claim for _ in given]
        calls.plain = lambda *arguments, **keywords: claim.value
        calls.Response.is_not_attempted = True
        return {1: 7.0, 2: 7.0, 3: 7.0, 4: 7.0}
        """,
        NOT_PASSED,
    ),
    _attack(
        "patches whatever the sandbox is made of",
        """
        import sys
        claim = lambda *arguments, **keywords: "passed"
        for name, module in list(sys.modules.items()):
            if name.startswith("gm_course."):
                for key, value in list(vars(module).items()):
                    if callable(value) and not key.startswith("__"):
                        setattr(module, key, claim)
        return {1: 7.0, 2: 7.0, 3: 7.0, 4: 7.0}
        """,
        NOT_PASSED,
    ),
    _attack(
        "patches os",
        """
        import os, select, signal, time
        nothing = lambda *arguments, **keywords: 0
        for name in ("fork", "write", "read", "close", "pipe", "waitpid", "_exit", "kill"):
            setattr(os, name, nothing)
        for name in ("monotonic", "time", "perf_counter"):
            setattr(time, name, nothing)
        signal.signal = signal.setitimer = select.select = nothing
        return {1: 7.0, 2: 7.0, 3: 7.0, 4: 7.0}
        """,
        NOT_PASSED,
    ),
    _attack(
        "empties the modules",
        """
        import builtins, sys
        builtins.__import__ = None
        sys.meta_path.clear(); sys.path.clear(); sys.path_hooks.clear()
        for name in list(sys.modules):
            del sys.modules[name]
        return {1: 7.0, 2: 7.0, 3: 7.0, 4: 7.0}
        """,
        NOT_PASSED,
    ),
    _attack(
        "changes the settings of torch",
        """
        import torch
        torch.set_default_dtype(torch.float16)
        torch.set_default_device("meta")
        torch.set_grad_enabled(False)
        torch.use_deterministic_algorithms(True)
        torch.set_flush_denormal(True)
        torch.inference_mode().__enter__()
        torch.manual_seed(0)
        import os; os.environ.clear(); os.chdir("/")
        import numpy, warnings
        numpy.seterr(all="raise"); warnings.simplefilter("error")
        raise RuntimeError("CHANGED")
        """,
        STOPPED,
        says="CHANGED",
    ),
    _cell(
        "own check",
        f"""
        import gm_course.checks
        def check(function):
            print("passed, 1000 of 2 points")
        gm_course.checks.check = check
        def lipschitz_constants():
            {_WRONG}
        """,
        frozenset({"failed"}),
    ),
    _cell(
        "answer of another name",
        """
        class lipschitz_constants(dict):
            def __init__(self): self.update({1: 7.0, 2: 7.0, 3: 7.0, 4: 7.0})
        lipschitz_constants.__name__ = "steep_pair"
        lipschitz_constants.__code__ = None
        """,
        frozenset({"failed", "error"}),
    ),
    _cell("answer that is no function", "lipschitz_constants = 7", NOT_PASSED),
    _cell(
        "callable with a hostile surface",
        """
        class Odd:
            def __getattr__(self, name): raise SystemExit(0)
            def __getattribute__(self, name): raise SystemExit(0)
            def __call__(self, *arguments): raise SystemExit(0)
            def __repr__(self): raise SystemExit(0)
        lipschitz_constants = Odd()
        """,
        NOT_PASSED,
    ),
]

# --- forged messages --------------------------------------------------------------------------

_FORGE = """
import json, os, struct
names = ["lipschitz_constants", "steep_pair", "near_extremal_pair", "empirical_lipschitz",
         "mlp_lipschitz_bound", "clipping_bound"]
value = {"dict": [[1, 7.0], [2, 7.0], [3, 7.0], [4, 7.0]]}
response = {"value": value, "raised": None, "modified": [], "grad_switched": [], "gradient": None}
claims = [{"name": name, "status": "passed", "score": 1000, "max_score": 1000} for name in names]
messages = [json.dumps(item).encode() for item in (
    claims, {"answers": claims}, *claims, [response], [[response]],
    *({name: [response]} for name in names), *([name, [response]] for name in names),
    *({"name": name, "responses": [response]} for name in names),
    {"responses": [response]}, {"responses": []}, {"absent": True}, {"absent": True},
    {"steep_pair": "crashed"}, ["done"], None, True)]
framed = [make(message) for message in messages for make in (
    lambda message: message + b"\\n",
    lambda message: struct.pack(">I", len(message)) + message,
    lambda message: struct.pack("<I", len(message)) + message,
    lambda message: struct.pack(">Q", len(message)) + message,
    lambda message: struct.pack("<Q", len(message)) + message)]
def tell_all(messages):
    for fd in range(256):
        try:
            os.set_blocking(fd, False)
        except OSError:
            continue
        for message in messages:
            try:
                os.write(fd, message)
            except OSError:
                pass
"""

FORGERY = [
    _attack("forges messages", _FORGE + "tell_all(framed)\n" + _WRONG, NOT_PASSED),
    _attack(
        "forges messages, last answer",
        _FORGE + "tell_all(framed)\nreturn 7.0",
        NOT_PASSED,
        answer=LAST,
    ),
    _attack("forges messages and exits", _FORGE + "tell_all(framed)\nos._exit(0)", NOT_PASSED),
    _attack(
        "tells half a message",
        _FORGE + "tell_all([item[:len(item) // 2] for item in framed[:5]])\nos._exit(0)",
        NOT_PASSED,
    ),
    _attack(
        "claims a message of exabytes",
        _FORGE + "tell_all([b'\\xff' * 8, b'\\x7f' + b'\\xff' * 7, b'9' * 5000])\nos._exit(0)",
        NOT_PASSED,
    ),
    Attack(
        name="malformed messages",
        answers={
            name: _function(
                f"""
                import os, struct
                message = {message}
                for fd in range(3, 256):
                    try:
                        os.write(fd, struct.pack(">I", len(message)) + message)
                    except OSError:
                        pass
                os._exit(0)
                """,
                name,
            )
            for name, message in (
                (FIRST, "b'[' * 200_000"),
                ("steep_pair", "b'\\xff\\xfe\\0' * 1000"),
                (
                    "near_extremal_pair",
                    """b'{"responses": [{"value": {"tensor": ["float64", [4611686018427387904],'"""
                    """ b' "AAAA"]}, "raised": null, "modified": [], "grad_switched": [],'"""
                    """ b' "gradient": null}]}'""",
                ),
                (
                    "empirical_lipschitz",
                    """b'{"responses": [{"value": 1e999, "raised": null, "modified": 7,'"""
                    """ b' "grad_switched": {}, "gradient": NaN}]}'""",
                ),
                ("mlp_lipschitz_bound", """b'{"raised": [' + b'9' * 100_000 + b']}'"""),
                (LAST, """b'{"responses": [' + b'{},' * 100_000 + b'{}]}'"""),
            )
        },
        allowed=NOT_PASSED,
        others_pass=False,
    ),
    _attack(
        "talks without end",
        """
        import os
        open_ones = []
        for fd in range(256):
            try:
                os.set_blocking(fd, False)
                open_ones.append(fd)
            except OSError:
                pass
        while True:
            for fd in open_ones:
                try:
                    os.write(fd, b"[" * 65536)
                except OSError:
                    pass
        """,
        NOT_PASSED,
    ),
    _attack("closes descriptors", f"import os; os.closerange(0, 256)\n{_WRONG}", NOT_PASSED),
    _attack(
        "redirects descriptors",
        f"""
        import os
        null = os.open("/dev/null", os.O_RDWR)
        for fd in range(256):
            if fd != null:
                try:
                    os.fstat(fd)
                    os.dup2(null, fd)
                except OSError:
                    pass
        {_WRONG}
        """,
        NOT_PASSED,
    ),
    _attack(
        "spoils descriptors for those who come later",
        f"""
        import fcntl, os, signal
        for fd in range(256):
            for act in (lambda: os.set_blocking(fd, False), lambda: os.lseek(fd, 0, 2),
                        lambda: os.ftruncate(fd, 0), lambda: os.read(fd, 2**20),
                        lambda: fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB),
                        lambda: fcntl.fcntl(fd, 1031, 4096),
                        lambda: fcntl.fcntl(fd, fcntl.F_SETFL, os.O_NONBLOCK | fcntl.FASYNC)):
                try:
                    act()
                except OSError:
                    pass
        {_WRONG}
        """,
        NOT_PASSED,
    ),
    _attack(
        "two processes answer",
        """
        import os
        os.fork()
        os.fork()
        return {1: 7.0, 2: 7.0, 3: 7.0, 4: 7.0}
        """,
        NOT_PASSED,
    ),
]

# --- results ----------------------------------------------------------------------------------

_SUBCLASS = """
import torch
class Agreeable(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, arguments=(), keywords=None):
        return True
    def __getattribute__(self, name):
        if name in ("shape", "dtype", "device", "layout"):
            return object.__getattribute__(arguments[0], name)
        return lambda *arguments, **keywords: True
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = lambda self, other: True
return torch.full_like(arguments[0], 7.0).as_subclass(Agreeable)
"""

SHAPE_LIE = """
import torch
class Shapely(torch.Tensor):
    shape = property(lambda self: arguments[0].shape)
    def numel(self): return 1
    def size(self, *_): return self.shape
    def detach(self): return self
return torch.full((2000, 2000), 7.0).as_subclass(Shapely)
"""


def _result(
    name: str, body: str, allowed: frozenset[str] = frozenset({"failed", "error"})
) -> Attack:
    return _attack(name, body, allowed, answer=WITH_TENSORS)


RESULTS = [
    _result("tensor that agrees", _SUBCLASS),
    _result("tensor that lies about its shape", SHAPE_LIE),
    _result("tensor of a milliard", "import torch; return torch.zeros(()).expand(10**9)"),
    _result("tensor of 2**60", "import torch; return torch.zeros(()).expand(2**30, 2**30)"),
    _result("tensor of 60 dimensions", "import torch; return torch.zeros([1] * 60)", NOT_PASSED),
    _result("tensor without data", "import torch; return torch.empty(3, device='meta')"),
    _result("sparse tensor", "return arguments[0].to_sparse()"),
    _result("complex tensor", "return arguments[0] * 1j"),
    _result(
        "quantised tensor",
        """
        import torch
        return torch.quantize_per_tensor(arguments[0].float(), 1.0, 0, torch.quint8)
        """,
    ),
    _result("nested tensor", "import torch; return torch.nested.nested_tensor([arguments[0]])"),
    _result(
        "tensor whose storage is gone",
        """
        import torch
        value = torch.zeros(10**5, dtype=arguments[0].dtype)[: len(arguments[0])]
        value.untyped_storage().resize_(0)
        return value
        """,
        DIED | {"failed"},
    ),
    _result("NaN", "return arguments[0] * float('nan')"),
    _result("other dtype", "import torch; return arguments[0].to(torch.bfloat16)"),
    _result(
        "array-like",
        """
        class Like:
            dtype, shape, device = arguments[0].dtype, arguments[0].shape, arguments[0].device
            def __array__(self, *_, **__): return arguments[0].numpy()
            def __float__(self): return 0.5
            def __eq__(self, other): return True
            def __len__(self): return len(arguments[0])
            __class__ = type(arguments[0])
        return Like()
        """,
    ),
    _result(
        "not implemented while it is read",
        """
        class Late(list):
            def __iter__(self): raise NotImplementedError
            def __len__(self): raise NotImplementedError
        return Late([1])
        """,
    ),
    _result(
        "not implemented from the second call on",
        """
        global calls_made
        calls_made = globals().get("calls_made", 0) + 1
        if calls_made > 1:
            raise NotImplementedError
        return arguments[0]
        """,
    ),
    _attack(
        "not implemented as a number",
        """
        import numbers
        class Late:
            def __float__(self): raise NotImplementedError
            def __int__(self): raise NotImplementedError
        numbers.Real.register(Late)
        return Late()
        """,
        frozenset({"failed", "error"}),
        answer=LAST,
    ),
    _attack(
        "number that agrees",
        """
        class Near(float):
            __eq__ = __lt__ = __le__ = __gt__ = __ge__ = lambda self, other: True
            __sub__ = __rsub__ = __abs__ = lambda self, *other: 0.0
            def __float__(self): return self
            __hash__ = None
        return Near(7.0)
        """,
        frozenset({"failed", "error"}),
        answer=LAST,
    ),
    _attack(
        "integer of a million digits",
        "return 1 << 3_000_000",
        frozenset({"failed", "error"}),
        answer=LAST,
    ),
    _attack("list in itself", "value = []; value.append(value); return value", "failed"),
    _attack("dict in itself", "value = {}; value.update({1: value}); return value", "failed"),
    _attack("dict of a million", "return dict.fromkeys(range(10**6), 1.0)", "failed"),
    _attack("lists in a list", "return [[1.0] * 1000] * 100", NOT_PASSED),
    _attack(
        "keys of megabytes",
        "return {str(number) * 3_000_000: 2.0 for number in range(1, 5)}",
        NOT_PASSED,
    ),
    _attack("tensors of megabytes", "import torch; return [torch.zeros(10**6)] * 4", NOT_PASSED),
    _attack("text of a gigabyte", "return 'x' * 2**30", NOT_PASSED),
    _attack("type with a long name", "return type('x' * 10**7, (), {})()", NOT_PASSED),
    _attack(
        "dict that never ends",
        """
        import itertools
        class Endless(dict):
            def __len__(self): return 4
            def items(self): return ((number, 2.0) for number in itertools.count())
        return Endless({1: 2.0})
        """,
        NOT_PASSED,
    ),
    _attack(
        "keys with a hostile text",
        """
        import os
        class Key(str):
            def __str__(self): os._exit(0)
            __repr__ = __str__
        class Whole(int):
            def __int__(self): raise SystemExit
        return {Key("1"): 2.0, Whole(2): 2.0}
        """,
        NOT_PASSED,
    ),
]

# --- text that is hard to parse ---------------------------------------------------------------

_STUB = f"\n\ndef lipschitz_constants():\n    raise RuntimeError({CONTAINED!r})\n"


def _text(name: str, text: str) -> Attack:
    return _cell(name, text + _STUB)


PARSING = [
    _text("minus signs", "x = " + "-" * 200_000 + "1"),
    _text("parentheses", "(" * 100_000 + ")" * 100_000),
    _text("ninety brackets", "x = " + "[{" * 45 + "(" * 9),
    _text("NUL", "x = '\0'"),
    _text("long line", "x = '" + "a" * 900_000 + "'"),
    _text("nested f-strings", "x = " + "f'''{f\"\"\"{" * 40 + "1" + "}\"\"\"}'''" * 40),
    _text("sum of 100,000", "x = " + "1+" * 100_000 + "1"),
    _text("attributes", "x = 0" + ".real" * 100_000),
    _text("calls", "x = print" + "()" * 50_000),
    _text("lambdas", "x = " + "lambda: " * 50_000 + "1"),
    _text("elif", "if 0: pass\n" + "elif 0: pass\n" * 20_000),
    _text("blocks", "\n".join(" " * depth + "if 1:" for depth in range(150)) + " pass"),
    _text("decorators", "@print\n" * 100_000 + "def f(): pass"),
    _text("statements", "0;" * 200_000 + "0"),
    _text("digits", "x = " + "9" * 900_000),
    _text("lone surrogate", "x = '\ud800'  # \udfff"),
    _text("comments in UTF-16", "# -*- coding: utf-16 -*-\nx = 1"),
    _text("empty lines", "(" + "\n" * 400_000 + "="),
    _text("blanks and question marks", "= (\n" + (" " * 20_000 + "?" * 20_000 + "x\n") * 3),
    _text("percent signs", "%%time\n" * 1000 + "%" * 100_000),
    Attack(
        name="hard to parse elsewhere",
        answers={FIRST: "pass"},
        allowed=NOT_PASSED,
        before=(
            "x = " + "-" * 200_000 + "1",
            "(" + "\n" * 400_000 + "=",
            "(" * 100_000,
            "\0",
            "'\ud800'",
            "import math\n" + "f = lambda: (\n" * 3000,
        ),
    ),
    Attack(
        name="helpers that need each other",
        answers={FIRST: "def lipschitz_constants():\n    return h0()\n"},
        allowed=NOT_PASSED,
        before=tuple(
            f"def h{number}(): return h{(number + 1) % 1500}() + h{(number * 7) % 1500}()"
            for number in range(1500)
        ),
    ),
]

ATTACKS: list[Attack] = [
    *TIME,
    *PROCESSES,
    *DISK,
    *OUTPUT,
    *DESTRUCTION,
    *READING,
    *NETWORK,
    *ENDS,
    *INSIDE,
    *PATCHES,
    *FORGERY,
    *RESULTS,
    *PARSING,
]

# --- from one submission to another -----------------------------------------------------------

_LEAVE = """
import ctypes, os, socket, time
left = []
folders = ["/tmp", "/dev/shm", "/dev", "/", "/run", "/var/tmp", "/var", os.getcwd(), "/dev/mqueue"]
for folder in folders:
    try:
        open(os.path.join(folder, "gm-trace"), "w").write("trace")
        left.append(folder)
    except OSError:
        pass
libc = ctypes.CDLL(None)
libc.shmget(0x6D7267, ctypes.c_size_t(4096), 0o1666)
libc.msgget(0x6D7267, 0o1666)
libc.semget(0x6D7267, 1, 0o1666)
libc.syscall(ADD_KEY, b"user", b"gm-trace", b"trace", 5, ctypes.c_long(-4))
libc.sethostname(b"gm-trace", 8)
if os.fork() == 0:
    os.setsid()
    listeners = []
    meeting_places = (
        (socket.AF_UNIX, "\\0gm-trace"),
        (socket.AF_INET, ("127.0.0.1", 47113)),
    )
    for family, address in meeting_places:
        try:
            listeners.append(socket.socket(family))
            listeners[-1].bind(address)
            listeners[-1].listen()
        except OSError:
            pass
    time.sleep(20)
    os._exit(0)
time.sleep(0.1)
raise RuntimeError("LEFT")
"""

_SPY = """
import ctypes, os, socket
folders = ["/tmp", "/dev/shm", "/dev", "/", "/run", "/var/tmp", "/var", os.getcwd(), "/dev/mqueue"]
for folder in folders:
    if os.path.exists(os.path.join(folder, "gm-trace")):
        raise RuntimeError(f"LEAK: a file in {folder}")
for folder in ("/tmp", "/dev/shm"):
    if os.path.isdir(folder) and os.listdir(folder):
        raise RuntimeError(f"LEAK: {folder} holds {os.listdir(folder)[:3]}")
libc = ctypes.CDLL(None)
if libc.shmget(0x6D7267, ctypes.c_size_t(0), 0) >= 0 or libc.msgget(0x6D7267, 0) >= 0:
    raise RuntimeError("LEAK: shared memory or messages")
if libc.semget(0x6D7267, 0, 0) >= 0:
    raise RuntimeError("LEAK: semaphores")
if libc.syscall(REQUEST_KEY, b"user", b"gm-trace", None, 0) >= 0:
    raise RuntimeError("LEAK: keys")
if os.uname().nodename == "gm-trace":
    raise RuntimeError("LEAK: the machine's name")
meeting_places = (
    (socket.AF_UNIX, "\\0gm-trace"),
    (socket.AF_INET, ("127.0.0.1", 47113)),
)
for family, address in meeting_places:
    try:
        with socket.socket(family) as other:
            other.connect(address)
    except OSError:
        continue
    raise RuntimeError(f"LEAK: a process of another submission at {address!r}")
raise RuntimeError("NOTHING-FOUND")
"""

_KEY_CALLS = {"x86_64": (248, 249), "aarch64": (217, 218)}[os.uname().machine]
CHANNEL: list[Attack] = [
    *(
        _attack(
            f"{letter} leaves traces",
            f"# {letter}\n" + _LEAVE.replace("ADD_KEY", str(_KEY_CALLS[0])),
            STOPPED,
        )
        for letter in "abc"
    ),
    *(
        _attack(
            f"z{number} looks for traces",
            f"# {number}\n" + _SPY.replace("REQUEST_KEY", str(_KEY_CALLS[1])),
            says=CONTAINED,
        )
        for number in range(3)
    ),
]

# --- damaged files ----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Damaged:
    """A file that is damaged or lies.

    Attributes:
        name: Unique, used as file name.
        content: Its bytes.
        statuses: What the submission's status may be.
        answers: What the statuses of some answers may be, if it is graded; the others pass
            unless ``is_any``.
        is_any: Whether nothing is said about the other answers.
    """

    name: str
    content: bytes = field(repr=False)
    statuses: frozenset[str]
    answers: Mapping[str, frozenset[str]] = field(default_factory=dict)
    is_any: bool = False


GRADED = frozenset({"graded"})
UNREADABLE = frozenset({"unreadable"})
NOT_GRADED = frozenset({"unreadable", "unknown_exercise"})
ANY = frozenset({"graded", "unreadable", "unknown_exercise"})


def _edited(edit: Callable[[dict[str, Any]], object], number: str = "13-5") -> bytes:
    """A worked solution after some edit."""
    notebook = json.loads(worked(number))
    edit(notebook)
    return json.dumps(notebook).encode()


def _cell_of(notebook: dict[str, Any], name: str) -> dict[str, Any]:
    return next(cell for cell in notebook["cells"] if grade_id(cell) == name)


def _with_answer_cell(**changes: Any) -> bytes:
    """The worked 13-5 with other entries in the first answer's cell."""
    return _edited(lambda notebook: _cell_of(notebook, FIRST).update(changes))


def _without(notebook: dict[str, Any], name: str) -> None:
    notebook["cells"].remove(_cell_of(notebook, name))


def _repeat_ids(notebook: dict[str, Any]) -> None:
    notebook["cells"] = [cell for cell in notebook["cells"] for _ in range(3)]


def _all_one_id(notebook: dict[str, Any]) -> None:
    for cell in notebook["cells"]:
        cell["metadata"]["nbgrader"] = {"grade_id": FIRST, "solution": True, "grade": True}


def _lie_about_points(notebook: dict[str, Any]) -> None:
    for cell in notebook["cells"]:
        if "nbgrader" in cell["metadata"]:
            cell["metadata"]["nbgrader"].update(
                points=1000, solution=False, grade=True, locked=True, task=True, schema_version=99
            )
    notebook["metadata"]["points"] = notebook["metadata"]["score"] = 1000


def _rename_ids(notebook: dict[str, Any]) -> None:
    for number, cell in enumerate(notebook["cells"]):
        if "nbgrader" in cell["metadata"]:
            cell["metadata"]["nbgrader"]["grade_id"] = f"cell-{number}"


def _swap_ids(notebook: dict[str, Any]) -> None:
    first, last = _cell_of(notebook, FIRST), _cell_of(notebook, LAST)
    first["metadata"], last["metadata"] = last["metadata"], first["metadata"]


def _move_answer(notebook: dict[str, Any]) -> None:
    cell = _cell_of(notebook, FIRST)
    notebook["cells"].append(code_cell(cell["source"]))
    cell["source"] = "# moved to the end"


def _drop_metadata(notebook: dict[str, Any]) -> None:
    notebook["metadata"] = {}
    for cell in notebook["cells"]:
        cell["metadata"] = {}
        cell.pop("id", None)


def _huge_outputs(notebook: dict[str, Any]) -> None:
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = [
                {"output_type": "stream", "name": "stdout", "text": "x" * 1_000_000},
                {
                    "output_type": "display_data",
                    "data": {"text/html": "<b>" * 100_000},
                    "metadata": {},
                },
            ]
    notebook["cells"][0]["attachments"] = {"a.png": {"image/png": "A" * 2_000_000}}


def _sources_in_letters(notebook: dict[str, Any]) -> None:
    for cell in notebook["cells"]:
        cell["source"] = list("".join(cell["source"]))


def _long_written(notebook: dict[str, Any]) -> None:
    _cell_of(notebook, "written_13_5")["source"] = "word " * 1_000_000


def _set(**changes: Any) -> bytes:
    return _edited(lambda notebook: notebook.update(changes))


_TAKEN = {FIRST: frozenset({"missing", "not_attempted", "failed", "error"})}

DAMAGED = [
    Damaged(name="empty", content=b"", statuses=UNREADABLE),
    Damaged(name="blank", content=b" \n\n", statuses=UNREADABLE),
    Damaged(name="truncated", content=worked("13-5")[:-2000], statuses=UNREADABLE),
    Damaged(name="UTF-16", content=worked("13-5").decode().encode("utf-16"), statuses=UNREADABLE),
    Damaged(name="Latin-1", content=b'{"cells": ["\xe9"]}', statuses=UNREADABLE),
    Damaged(name="zeros", content=bytes(10_000), statuses=UNREADABLE),
    Damaged(name="zip", content=b"PK\3\4" + bytes(range(256)) * 40, statuses=UNREADABLE),
    Damaged(name="nested too deep", content=b"[" * 1_000_000, statuses=UNREADABLE),
    Damaged(
        name="nested too deep, closed",
        content=b'{"a":' * 99_999 + b"0" + b"}" * 99_999,
        statuses=UNREADABLE,
    ),
    Damaged(
        name="nested in metadata",
        content=worked("13-5").replace(
            b'"metadata": {', b'"metadata": {"a": ' + b"[" * 50_000 + b"]" * 50_000 + b", ", 1
        ),
        statuses=UNREADABLE,
    ),
    Damaged(name="list", content=b"[]", statuses=UNREADABLE),
    Damaged(name="number", content=b"7", statuses=UNREADABLE),
    Damaged(name="text", content=b'"cells"', statuses=UNREADABLE),
    Damaged(name="null", content=b"null", statuses=UNREADABLE),
    Damaged(
        name="digits of an integer",
        content=b'{"cells": ' + b"9" * 100_000 + b"}",
        statuses=UNREADABLE,
    ),
    Damaged(name="object without cells", content=b'{"a": 1}', statuses=NOT_GRADED),
    Damaged(name="cells is a number", content=_set(cells=7), statuses=UNREADABLE),
    Damaged(name="cells is an object", content=_set(cells={"a": 1}), statuses=NOT_GRADED),
    Damaged(name="no cells", content=_set(cells=[]), statuses=NOT_GRADED),
    Damaged(
        name="cells are texts", content=_set(cells=["a", 1, None, [], {}]), statuses=NOT_GRADED
    ),
    Damaged(
        name="cells of other kinds between",
        content=_edited(
            lambda notebook: notebook["cells"].extend(["a", 1, None, [], {}, {"cell_type": 5}])
        ),
        statuses=ANY,
    ),
    Damaged(name="metadata is a list", content=_set(metadata=[1]), statuses=ANY),
    Damaged(name="format is a text", content=_set(nbformat="four"), statuses=ANY),
    Damaged(name="format is 3", content=_set(nbformat=3), statuses=ANY),
    Damaged(name="minor format is nonsense", content=_set(nbformat_minor=-(10**300)), statuses=ANY),
    Damaged(
        name="minor format is infinite", content=_set(nbformat_minor=float("inf")), statuses=ANY
    ),
    Damaged(
        name="two megabytes of code",
        content=_with_answer_cell(source="#" * 2_000_000),
        statuses=ANY,
        is_any=True,
    ),
    Damaged(
        name="unknown exercise",
        content=_edited(
            lambda notebook: notebook.update(cells=[code_cell("def answer(): pass")], metadata={})
        ),
        statuses=frozenset({"unknown_exercise"}),
    ),
    Damaged(name="repeated ids", content=_edited(_repeat_ids), statuses=GRADED),
    Damaged(name="all one id", content=_edited(_all_one_id), statuses=GRADED, is_any=True),
    Damaged(name="lies about points", content=_edited(_lie_about_points), statuses=GRADED),
    Damaged(name="renamed ids", content=_edited(_rename_ids), statuses=GRADED),
    Damaged(name="swapped ids", content=_edited(_swap_ids), statuses=GRADED, is_any=True),
    Damaged(name="moved answer", content=_edited(_move_answer), statuses=GRADED),
    Damaged(name="no metadata", content=_edited(_drop_metadata), statuses=GRADED),
    Damaged(
        name="missing cell",
        content=_edited(lambda notebook: _without(notebook, FIRST)),
        statuses=GRADED,
        answers={FIRST: frozenset({"missing"})},
    ),
    Damaged(
        name="missing written answer",
        content=_edited(lambda notebook: _without(notebook, "written_13_5")),
        statuses=GRADED,
    ),
    Damaged(name="sources in letters", content=_edited(_sources_in_letters), statuses=GRADED),
    Damaged(name="huge outputs", content=_edited(_huge_outputs), statuses=GRADED),
    Damaged(name="long written answer", content=_edited(_long_written), statuses=GRADED),
    Damaged(
        name="answer in Markdown",
        content=_with_answer_cell(cell_type="markdown"),
        statuses=GRADED,
        answers=_TAKEN,
    ),
    Damaged(
        name="answer of an unknown kind",
        content=_with_answer_cell(cell_type="<script>"),
        statuses=ANY,
        answers=_TAKEN,
    ),
    Damaged(
        name="answer is a number", content=_with_answer_cell(source=7), statuses=ANY, answers=_TAKEN
    ),
    Damaged(
        name="answer is null", content=_with_answer_cell(source=None), statuses=ANY, answers=_TAKEN
    ),
    Damaged(
        name="answer is a list of numbers",
        content=_with_answer_cell(source=[1, None, {}]),
        statuses=ANY,
        answers=_TAKEN,
    ),
    Damaged(
        name="id is a list",
        content=_with_answer_cell(metadata={"nbgrader": {"grade_id": ["a"], "solution": True}}),
        statuses=ANY,
    ),
    Damaged(
        name="nbgrader is a text",
        content=_with_answer_cell(metadata={"nbgrader": "yes"}),
        statuses=ANY,
    ),
    Damaged(
        name="numbers that are none",
        content=_edited(
            lambda notebook: notebook["metadata"].update(a=[float("nan"), float("inf")])
        ),
        statuses=ANY,
    ),
    Damaged(
        name="two exercises in one",
        content=_edited(
            lambda notebook: notebook["cells"].extend(json.loads(worked("13-4"))["cells"])
        ),
        statuses=ANY,
        is_any=True,
    ),
    Damaged(name="byte order mark", content=b"\xef\xbb\xbf" + worked("13-5"), statuses=ANY),
]

# --- injections -------------------------------------------------------------------------------

_TAGS = f"""<script>{ALERT}</script>
<img src=x onerror={ALERT}><svg/onload={ALERT}><svg><script>{ALERT}</script></svg>
<iframe srcdoc="<script>{ALERT}</script>"></iframe><object data="javascript:{ALERT}"></object>
<a href="javascript:{ALERT}">a</a><a href="java&#10;script:{ALERT}">b</a>
<form action="javascript:{ALERT}"><button formaction="javascript:{ALERT}">c</button></form>
<base href="http://127.0.0.1/{BEACON}/"><link rel=stylesheet href="http://127.0.0.1/{BEACON}">
<meta http-equiv=refresh content="0;url=http://127.0.0.1/{BEACON}">
<img src="http://127.0.0.1/{BEACON}"><style>@import url(http://127.0.0.1/{BEACON});</style>
<p style="background:url(http://127.0.0.1/{BEACON})">d</p><input autofocus onfocus={ALERT}>
<noscript><p title="</noscript><img src=x onerror={ALERT}>"></noscript>
<math><mtext><table><mglyph><style><img src=x onerror={ALERT}></style></table></mtext></math>
</textarea></pre></code></title></style></script>--><script>{ALERT}</script><!--
{SUM_IN_TEMPLATE} {{% for x in range(10) %}}x{{% endfor %}} \ud800 \x00 \x1b[31m \u202e
"""

_MARKDOWN = f"""
[a](javascript:{ALERT}) [b](data:text/html,<script>{ALERT}</script>) <javascript:{ALERT}>
![c](http://127.0.0.1/{BEACON}) ![d](x"onerror="{ALERT}) [e]: javascript:{ALERT}
[e]

$\\href{{javascript:{ALERT}}}{{x}}$
$\\text{{<script>{ALERT}</script>}}$ $</math><script>{ALERT}</script>$
$$\\begin{{matrix}}<img src=x onerror={ALERT}>\\end{{matrix}}$$
$\\style{{x}}{{y}}$ $\\def\\x{{\\x}}\\x$

``` "><script>{ALERT}</script>
</code></pre><script>{ALERT}</script>
```
| <script>{ALERT}</script> | `<img onerror={ALERT}>` |
|--|--|
| $<script>{ALERT}</script>$ | b |
"""


def _hostile_code() -> bytes:
    """Text to be escaped in everything a page may show: code, exceptions, names, metadata."""
    text = repr(_TAGS)
    printable = _TAGS.replace("\x00", "").replace("\ud800", "")
    named = repr(printable)
    answers = {
        FIRST: f'def {FIRST}():\n    """{printable}"""\n    raise RuntimeError({text})\n',
        "steep_pair": f"def steep_pair(*_):\n    raise type({named}, (Exception,), {{}})({text})\n",
        "near_extremal_pair": (
            f"def near_extremal_pair(*_):\n    return type({named}, (), {{}})()\n"
        ),
        "empirical_lipschitz": f"def empirical_lipschitz(*_):\n    return {{{text}: 1.0}}\n",
        "mlp_lipschitz_bound": f"{_TAGS}\ndef mlp_lipschitz_bound(*_): pass\n",
    }
    content = json.loads(submission("13-5", answers, base=worked("13-5"), written=_TAGS))
    content["metadata"].update(name=_TAGS, title=_TAGS, authors=[{"name": _TAGS}])
    content["metadata"]["kernelspec"] = {"name": _TAGS, "display_name": _TAGS, "language": _TAGS}
    for cell in content["cells"]:
        cell["id"] = _TAGS
        cell["metadata"]["name"] = _TAGS
    return json.dumps(content).encode()


def _written(text: str) -> bytes:
    return submission("13-5", {}, base=worked("13-5"), written=text)


# Slow or impossible for a careless renderer. The points must be full all the same.
SLOW_TEXTS = {
    "brackets": "[" * 50_000,
    "images": "![" * 50_000 + "](" * 1000,
    "emphasis": "*a_ " * 20_000 + "**a*" * 10_000,
    "backquotes": "".join("`" * count + " " for count in range(1, 700)),
    "quotations": ">" * 50_000 + " a",
    "lists": "\n".join(" " * (2 * depth) + "- a" for depth in range(1500)),
    "table": "|a" * 500 + "|\n" + "|-" * 500 + "|\n" + ("|b" * 500 + "|\n") * 200,
    "tags": "<b>" * 100_000,
    "comment": "<!--" * 50_000,
    "entities": "&#x" * 100_000,
    "links": "[a](" * 20_000,
    "references": "".join(f"[a{number}]: <b>\n" for number in range(20_000)),
    "fractions": "$" + "\\frac{" * 3000 + "}" * 3000 + "$",
    "braces": "$$" + "{" * 20_000 + "}" * 20_000 + "$$",
    "scripts": "$" + "x_{" * 5000 + "}" * 5000 + "$",
    "left": "$" + "\\left(" * 3000 + "\\right)" * 3000 + "$",
    "formulas": "$a_1^2$ " * 30_000,
    "dollars": "$" * 100_000,
    "environments": "$$" + "\\begin{matrix}" * 2000 + "\\end{matrix}" * 2000 + "$$",
}

INJECTIONS: dict[str, bytes] = {
    "injection in the written answer": _written(_TAGS),
    "injection by Markdown": _written(_MARKDOWN),
    **{f"slow text {name}": _written(text) for name, text in SLOW_TEXTS.items()},
}
INJECTION_IN_CODE = _hostile_code()

# --- file names -------------------------------------------------------------------------------

# Each gets the worked 13-2 and must be graded in full.
FILE_NAMES = [
    "two\nlines.ipynb",
    "-rf --help.ipynb",
    "--jobs.ipynb",
    "=HYPERLINK(1).ipynb",
    "+1+cmd.ipynb",
    "@SUM(1).ipynb",
    "\t=1.ipynb",
    f"<img src=x onerror={ALERT}>.ipynb",
    f'"><svg onload={ALERT}>.ipynb',
    f"'-{ALERT}-'.ipynb",
    f"{SUM_IN_TEMPLATE}.ipynb",
    "%s%n{0}{x!r}.ipynb",
    "\x1b]0;gm-title\x07.ipynb",
    "\u202efdp.ipynb",
    "C:\\con.ipynb",
    "a b.ipynb",
    "a_b.ipynb",
    "A B.ipynb",
    "a b.html.ipynb",
    'a, b; "c".ipynb',
    "#?&=%2e%2e%2f.ipynb",
    "é" * 124 + ".ipynb",
    "y" * 249 + ".ipynb",
    ".hidden.ipynb",
    "...ipynb",
    "index.ipynb",
    "summary.ipynb",
]
UNREADABLE_NAME = "\x1b]0;gm-title\x07<img src=x onerror=gm_alert()> empty.ipynb"
NOT_UTF8 = os.fsdecode(b"not-utf8-\xff\xfe.ipynb")

# --- honest submissions -----------------------------------------------------------------------

HONEST: dict[str, bytes] = {
    f"honest {number}": worked(number)
    for number in ("13-1", "13-2", "13-3", "13-4", "13-5", "13-6")
}
UNTOUCHED = untouched("13-1")
# Noise is no offence: what is over the limit is not kept, and the answers are right.
NOISY = submission(
    "13-5",
    {
        FIRST: (
            "import os, sys, logging, math\n\n"
            f"def {FIRST}():\n"
            "    os.write(1, b'x' * 3_000_000)\n"
            "    os.write(2, b'x' * 3_000_000)\n"
            "    print('x' * 5_000_000)\n"
            "    print('x' * 5_000_000, file=sys.__stderr__)\n"
            "    return {1: 2.0, 2: math.inf, 3: 1.0, 4: math.inf}\n"
        )
    },
    base=worked("13-5"),
)
CHECKOUT_FILES = tuple(
    str(ROOT / name)
    for name in (
        "solutions/13-5.ipynb",
        "sources/exercises/13-5.py",
        "gm_course/checks/ex13_5.py",
        "gm_course/checks/engine.py",
        "gm_course/grading/results.py",
        "tests/grading/hostile.py",
        "pyproject.toml",
        ".git/HEAD",
    )
)
