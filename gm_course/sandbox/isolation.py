"""Closing the door behind a student's code: namespaces, limits, system calls (Linux).

bubblewrap has already taken away the network, the caller's files and its environment from all
processes here. What follows separates one submission from the next, and the student's code from
the session that watches it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import re
import resource
import signal
import struct
from pathlib import Path

MEMORY = 4 * 2**30
FILE_SIZE = 2**30
SHARED_MEMORY_FILES = 2**28
TASKS = 64
PROCESS_NUMBERS = 320
OPEN_FILES = 256
INODES = 20_000
DEVICES = ("null", "random", "urandom")  # not zero: a shared map of it is in no account
_OWN_PROCESSES = 8  # bubblewrap's, the server, the session

_CLONE_NEWNS = 0x00020000
_CLONE_NEWPID = 0x20000000
_CLONE_NEW_ANY = 0x7E020080  # every CLONE_NEW… flag that clone(2) takes
_MS_RDONLY = 1
_MS_NOSUID = 2
_PLAIN = _MS_NOSUID | 4 | 8  # no devices, no programs
_MS_REMOUNT = 32
_MS_BIND = 4096

_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAP_SYS_PTRACE = 19
_CAPABILITY_VERSION_3 = 0x20080522

# Denied: what reaches outside, holds memory that belongs to no process, looks into other
# processes, makes namespaces or mounts, or outlives the process. Numbers: x86-64, arm64.
_DENIED = {
    "socket": (41, 198),
    "socketpair": (53, 199),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "syslog": (103, 116),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "perf_event_open": (298, 241),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    "personality": (135, 92),
}
# Denied for some arguments: the argument's position, and bits of it of which any, or all, mean no.
_DENIED_WITH = (
    ((56, 220), 0, "any", _CLONE_NEW_ANY),  # clone, making namespaces
    ((302, 261), 0, "any", 0xFFFFFFFF),  # prlimit64 of another process: the session's, say
    ((9, 222), 3, "all", 0x21),  # mmap, shared and anonymous: unmapped, it is in no account
)
_CLONE3 = (435, 435)
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_X32_CALLS = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)


class ProcessNamespaces:
    """Forks children that are the first process of a pid namespace of their own.

    When such a child ends, the kernel ends everything it has started, however detached.
    """

    def __init__(self) -> None:
        for device in DEVICES:
            # They are the machine's own, and root outside may change their rights unless the
            # mount is read-only, capabilities or not. (bubblewrap's --remount-ro ends their use.)
            flags = _MS_REMOUNT | _MS_BIND | _MS_RDONLY | _MS_NOSUID
            _mount("none", f"/dev/{device}", "none", "", flags=flags)
        self._home = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)

    def fork(self) -> int:
        """Like ``os.fork``; the child is process 1, with its own /tmp, /dev/shm and /proc."""
        _call("unshare", _CLONE_NEWPID)
        child = os.fork()
        if child == 0:
            os.close(self._home)
            _prefer_to_be_killed()
            _private_mounts()
        else:
            _call("setns", self._home, _CLONE_NEWPID)  # the next child gets a new one
        return child


def _private_mounts() -> None:
    _call("unshare", _CLONE_NEWNS)
    for folder, size in (("/tmp", FILE_SIZE), ("/dev/shm", SHARED_MEMORY_FILES)):
        options = f"size={size},nr_inodes={INODES},mode=0700"
        _mount("tmpfs", folder, "tmpfs", options, flags=_PLAIN)
    _mount("proc", "/proc", "proc", "", flags=_PLAIN)
    if _kernel() >= [6, 14]:  # before, this limit was the whole machine's
        # A fork bomb does not grow beyond it until the session sees it.
        Path("/proc/sys/kernel/pid_max").write_text(str(PROCESS_NUMBERS))
    # Root outside is allowed to write to /proc/sys, capabilities or not.
    _mount("proc", "/proc", "proc", "", flags=_PLAIN | _MS_REMOUNT | _MS_RDONLY)


def become_watcher() -> None:
    """Keep of all privileges the one to read other processes' memory use; hide from them."""
    _call("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0)
    _drop_capabilities(keep=1 << _CAP_SYS_PTRACE)


def become_untrusted(seconds: float) -> None:
    """Give up everything that a student's code does not need, for this process and its children.

    Args:
        seconds: CPU time it may use.
    """
    _call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    _drop_capabilities(keep=0)
    _call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    limit_resources(seconds)
    _deny_system_calls()


def limit_resources(seconds: float) -> None:
    """Set the limits that a single process can be held to."""
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if _has_proc() else 0
    address_space = pages * resource.getpagesize() + MEMORY
    cpu = int(seconds) + 2
    wanted = {
        "RLIMIT_AS": (address_space, address_space),
        "RLIMIT_CPU": (cpu, cpu + 1),
        "RLIMIT_FSIZE": (FILE_SIZE, FILE_SIZE),
        "RLIMIT_NOFILE": (OPEN_FILES, OPEN_FILES),
        "RLIMIT_CORE": (0, 0),
        "RLIMIT_MSGQUEUE": (0, 0),
    }
    if _counts_processes_per_namespace():
        wanted["RLIMIT_NPROC"] = (TASKS + _OWN_PROCESSES, TASKS + _OWN_PROCESSES)
    for name, limits in wanted.items():
        if hasattr(resource, name) and not (name == "RLIMIT_AS" and not pages):
            resource.setrlimit(getattr(resource, name), limits)


def excess() -> str:
    """Return what the other processes of this pid namespace use too much of together.

    Returns:
        "memory" (files in the private folders included), "tasks" (processes and threads), or "".
    """
    # Cheap looks first, without locks: under a fork bomb the exact one takes long.
    processes = [name for name in os.listdir("/proc") if name.isdigit() and name != "1"]  # noqa: PTH208
    if len(processes) > TASKS:
        return "tasks"
    states = [_status(name) for name in processes]
    if sum(state.get(b"Threads", 0) for state in states) > TASKS:
        return "tasks"
    files = 0
    for folder in ("/tmp", "/dev/shm"):
        usage = os.statvfs(folder)
        files += (usage.f_blocks - usage.f_bfree) * usage.f_frsize
    # Counts memory that processes share, by forking, once for each of them.
    at_most = files + 1024 * sum(
        state.get(b"RssAnon", 0) + state.get(b"RssShmem", 0) for state in states
    )
    if at_most <= MEMORY:
        return ""
    os.kill(-1, signal.SIGSTOP)
    try:
        exact = files + sum(map(_proportional_memory, processes))
    except PermissionError:
        return "memory"  # a process that hides what it uses
    finally:
        os.kill(-1, signal.SIGCONT)
    return "memory" if exact > MEMORY else ""


def _status(process: str) -> dict[bytes, int]:
    """Return the numbers of a process's status; memory in KiB. None are left once it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_bytes().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    fields = (line.partition(b":")[::2] for line in lines)
    wanted = (b"Threads", b"RssAnon", b"RssShmem")
    return {name: int(value.split()[0]) for name, value in fields if name in wanted}


def _proportional_memory(process: str) -> int:
    """Bytes of a process, those it shares with others divided among them; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_bytes().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    own = (b"Pss_Anon:", b"Pss_Shmem:")
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith(own))


def _prefer_to_be_killed() -> None:
    """Make the kernel choose this process, not the grader, when the machine is out of memory."""
    Path("/proc/self/oom_score_adj").write_text("1000")


def _counts_processes_per_namespace() -> bool:
    """Whether RLIMIT_NPROC leaves out what else the caller runs, as it does since Linux 5.14."""
    return platform.system() == "Linux" and _kernel() >= [5, 14]


def _kernel() -> list[int]:
    """Major and minor version of the kernel."""
    return [int(number) for number in re.findall(r"\d+", platform.release())[:2]]


def _has_proc() -> bool:
    return Path("/proc/self/statm").exists()


def _drop_capabilities(*, keep: int) -> None:
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    low, high = keep & 0xFFFFFFFF, keep >> 32
    _call("capset", header, struct.pack("=6I", low, low, 0, high, high, 0))


def _deny_system_calls() -> None:
    """Install a seccomp filter: the calls of ``_DENIED`` fail with EPERM."""
    column, architecture = _ARCHITECTURES[platform.machine()]
    load, keep_bits, equal, at_least, any_bit, leave = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
    allow, kill = 0x7FFF0000, 0x80000000
    refuse, unknown = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS

    def step(code: int, value: int, *, then: int = 0, otherwise: int = 0) -> bytes:
        return struct.pack("=HBBI", code, then, otherwise, value)

    program = [
        step(load, 4),  # the architecture; a call by another one's numbers ends the process
        step(equal, architecture, then=1),
        step(leave, kill),
        step(load, 0),  # the system call's number
        step(at_least, _X32_CALLS, otherwise=1),
        step(leave, refuse),
    ]
    for numbers in _DENIED.values():
        program += [step(equal, numbers[column], otherwise=1), step(leave, refuse)]
    # clone3's flags lie in memory, out of the filter's sight; without it, libraries use clone.
    program += [step(equal, _CLONE3[column], otherwise=1), step(leave, unknown)]
    for numbers, position, kind, bits in _DENIED_WITH:
        test = [step(any_bit, bits, otherwise=1)]
        if kind == "all":
            test = [step(keep_bits, bits), step(equal, bits, otherwise=1)]
        test = [step(load, 16 + 8 * position), *test, step(leave, refuse), step(leave, allow)]
        program += [step(equal, numbers[column], otherwise=len(test)), *test]
    program.append(step(leave, allow))
    code = ctypes.create_string_buffer(b"".join(program))
    head = struct.pack("@HP", len(program), ctypes.addressof(code))
    _call("prctl", _PR_SET_SECCOMP, 2, head, 0, 0)


def _mount(source: str, folder: str, kind: str, options: str, *, flags: int) -> None:
    _call(
        "mount",
        source.encode(),
        folder.encode(),
        kind.encode(),
        flags,
        options.encode(),
    )


def _call(name: str, *arguments: int | bytes) -> None:
    converted = [ctypes.c_ulong(item) if isinstance(item, int) else item for item in arguments]
    if getattr(_libc, name)(*converted) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
