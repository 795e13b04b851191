"""What the sandbox keeps from a student's code, told by the code itself."""

import os
import re
import subprocess
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from gm_course.errors import SandboxError
from gm_course.grading.grader import Grader
from gm_course.grading.sandbox import ensure_available
from gm_course.sandbox import isolation
from tests.grading.submissions import ROOT, submission, worked


@pytest.fixture
def tell(grader):
    """Run code inside; return what it has put into ``found``, in words."""

    def run(code: str) -> str:
        # In the cell, not in the function, which would be called again and again.
        body = textwrap.dedent(code).strip("\n")
        source = f"import os\n{body}\nraise RuntimeError(f'<{{found}}>')\n"
        source += "def autoencoder_objective(x, x_hat): pass"
        notebook = submission("13-3", {"autoencoder_objective": source}, base=worked("13-3"))
        result = grader.grade(notebook)
        assert {answer.status for answer in result.answers[1:]} == {"passed"}
        told = re.search(r"RuntimeError.*<(.*)>", result.answers[0].diagnosis)
        return told[1] if told else result.answers[0].diagnosis

    return run


WRITABLE = """
found = []
for path in {paths}:
    try:
        os.chmod(path, os.stat(path).st_mode)
        found.append(path)
    except OSError:
        pass
"""


def test_machine_cannot_be_changed_even_if_root_grades(tell):
    devices = [f"/dev/{name}" for name in isolation.DEVICES]
    places = ["/", "/usr", "/dev", "/course", "/course/gm_course", "/course/gm_course/checks"]
    assert tell(WRITABLE.format(paths=devices + places)) == "[]"
    before = [Path(device).stat().st_mode for device in devices]
    tell(WRITABLE.replace("os.stat(path).st_mode", "0").format(paths=devices))
    assert [Path(device).stat().st_mode for device in devices] == before


def test_kernel_settings_cannot_be_opened_for_writing(tell):
    opened = """
    found = []
    for folder, _, files in os.walk("/proc/sys"):
        for name in files:
            try:
                os.close(os.open(os.path.join(folder, name), os.O_WRONLY))
                found.append(name)
            except OSError:
                pass
    """
    assert tell(opened) == "[]"


def test_only_own_temporary_folders_can_be_written(tell):
    places = [*map(str, (ROOT, Path.home(), Path(os.__file__).parent)), "/etc", "/var", "/course"]
    assert tell(
        f"""
        found = []
        for folder in {[*places, "/tmp", "/dev/shm"]}:
            try:
                open(os.path.join(folder, "x"), "w").close()
                found.append(folder)
            except OSError:
                pass
        """
    ) == str(["/tmp", "/dev/shm"])


def test_checkout_checks_and_solutions_are_not_there(tell):
    wanted = [str(ROOT / name) for name in ("solutions", "sources", "exercises", "tests", ".git")]
    assert tell(f"found = [path for path in {wanted} if os.path.exists(path)]") == "[]"
    assert tell("found = sorted(os.listdir('/course/gm_course/checks'))") == str(
        ["__init__.py", "calls.py"]
    )
    searched = """
    found = []
    for folder, _, files in os.walk("/course"):
        for name in files:
            with open(os.path.join(folder, name), "rb") as file:
                if b"Misconception(" in file.read() and "ex13" in name:
                    found.append(name)
    """
    assert tell(searched) == "[]"


def test_libraries_that_ask_for_the_user_get_a_name(tell):
    assert tell("import getpass\nfound = getpass.getuser()") == "nobody"


def test_environment_of_the_caller_is_not_there(tell, monkeypatch, sandbox_tool):
    monkeypatch.setenv("GRADER_SECRET", "hidden-in-the-environment")
    code = """
    import glob
    found = "GRADER_SECRET" in os.environ
    for path in glob.glob("/proc/*/environ"):
        try:
            found = found or b"hidden-in" in open(path, "rb").read()
        except OSError:
            pass
    """
    assert tell(code) == "False"
    with Grader(timeout=8) as started:  # the session's grader began before the secret was set
        server = psutil.Process(started._sandbox._process.pid)
        for process in [server, *server.children(recursive=True)]:
            assert "GRADER_SECRET" not in process.environ()


@pytest.mark.parametrize(
    "call",
    [
        "import socket; socket.socket()",
        "import socket; socket.socketpair()",
        "import socket; socket.create_connection(('127.0.0.1', 80), 1)",
        "os.memfd_create('x')",
        "os.mount = __import__('ctypes').CDLL(None, use_errno=True).mount; "
        "import ctypes; assert os.mount(b'x', b'/tmp', b'tmpfs', 0, None) == 0",
        "import ctypes; assert ctypes.CDLL(None).unshare(0x10000000) == 0",
        "import ctypes; assert ctypes.CDLL(None).ptrace(16, 1, 0, 0) == 0",
        "import ctypes; assert ctypes.CDLL(None).shmget(0, 4096, 0o1600) >= 0",
        "import mmap; mmap.mmap(-1, 4096)",
        "import resource; resource.prlimit(1, resource.RLIMIT_NOFILE, (1, 1))",
    ],
)
def test_system_call_is_refused(tell, call):
    said = tell(f"{call}\nfound = 'it worked'")
    assert "it worked" not in said
    assert "PermissionError" in said or "AssertionError" in said


def test_only_the_own_processes_are_visible(tell):
    assert tell("found = [name for name in os.listdir('/proc') if name.isdigit()][:1]") == "['1']"
    assert int(tell("found = os.getpid()")) < 20


def test_memory_of_all_processes_counts(tell, grader, monkeypatch):
    monkeypatch.setattr(grader, "_timeout", 60.0)  # a busy machine takes long to hand out 4 GiB
    said = tell(
        """
        import ctypes, time
        for _ in range(6):
            if os.fork() == 0:
                block = bytearray(2**30)
                ctypes.memset((ctypes.c_char * 2**30).from_buffer(block), 1, 2**30)
                time.sleep(60)
        time.sleep(60)
        """
    )
    assert "memory" in said


def test_usual_ways_to_take_memory_and_threads_are_open(tell):
    assert (
        tell(
            """
            import mmap, resource, subprocess, sys, threading
            block = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            thread = threading.Thread(target=block.write, args=(b"x",))
            thread.start(); thread.join()
            found = subprocess.run([sys.executable, "-c", "print(7)"], capture_output=True).stdout
            """
        )
        == "b'7\\n'"
    )


def test_more_than_the_allowed_processes_end_the_answer(tell):
    started = """
    import time
    for _ in range({count}):
        if os.fork() == 0:
            time.sleep({seconds})
            os._exit(0)
    time.sleep(0.3)
    found = "unhindered"
    """
    assert tell(started.format(count=40, seconds=0.2)) == "unhindered"
    said = tell(started.format(count=100, seconds=60))
    assert "processes" in said or "BlockingIOError" in said


def test_files_share_one_limit(tell):
    said = tell(
        """
        found = "unhindered"
        for number in range(12):
            with open(f"/tmp/{number}", "wb") as file:
                file.write(bytes(2**27))
        """
    )
    assert "No space left" in said


def test_nothing_is_left_behind(tell, grader):
    server = psutil.Process(grader._sandbox._process.pid)
    tell(
        """
        import time
        for _ in range(3):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    time.sleep(60)
                os._exit(0)
        found = 1
        """
    )
    deadline = time.monotonic() + 10
    while len(left := server.children(recursive=True)) > 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(left) <= 2  # bubblewrap's first process and the server


def test_files_of_one_submission_are_gone_for_the_next(tell):
    assert tell("open('/tmp/note', 'w').close(); open('/dev/shm/note', 'w').close(); found = 1")
    assert tell("found = os.listdir('/tmp') + os.listdir('/dev/shm')") == "[]"


def test_without_bubblewrap_nothing_is_run(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxError, match=r"apt-get install bubblewrap.*--unsafe-no-sandbox"):
        ensure_available()
    with pytest.raises(SandboxError, match="bwrap"), Grader():
        pass


def test_a_sandbox_that_does_not_start_says_what_went_wrong(monkeypatch, tmp_path):
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create a namespace' >&2; exit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(SandboxError, match="No permissions to create a namespace") as raised:
        Grader().__enter__()
    assert "apt-get" not in str(raised.value)  # it is installed
    command = re.search("`(.*?)`", str(raised.value))[1]
    assert subprocess.run(command.split(), check=False).returncode == 1


def test_without_the_sandbox_the_answers_are_the_same():
    with Grader(timeout=8, sandboxed=False) as unsafe:
        assert unsafe.grade(worked("13-3")).score == 12
        code = "import os\ndef autoencoder_objective(x, x_hat): os._exit(0)"
        notebook = submission("13-3", {"autoencoder_objective": code}, base=worked("13-3"))
        result = unsafe.grade(notebook)
        assert [answer.status for answer in result.answers] == ["crashed"] + ["passed"] * 4
