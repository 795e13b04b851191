"""The hostile test set, graded together with honest submissions by the real command."""

import contextlib
import csv
import ctypes
import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pytest

import gm_course
from gm_course.checks import exercise
from gm_course.checks.registry import ANSWERS

from . import hostile

TIMEOUT = 2
TIMEOUT_OF_THE_GREEDY = 60  # filling 5 GiB may take half a minute on a busy machine
PATIENCE = 600  # for the whole run, should it hang

pytestmark = pytest.mark.skipif(
    shutil.which("bwrap") is None, reason="the sandbox needs bubblewrap (bwrap)"
)

ANSWER_STATUSES = {
    "passed",
    "failed",
    "not_attempted",
    "error",
    "timeout",
    "missing",
    "crashed",
}


# --- what the attacks try to reach ------------------------------------------------------------


class Listeners:
    """Sockets of the caller: nothing of a submission may reach them."""

    def __init__(self, abstract_name, socket_path):
        tcp, udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        tcp.bind(("127.0.0.1", 0))
        self.port = tcp.getsockname()[1]
        udp.bind(("127.0.0.1", self.port))
        abstract, path = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        abstract.bind("\0" + abstract_name)
        path.bind(socket_path)
        self._streams = {"TCP": tcp, "abstract": abstract, "path": path}
        self._udp = udp
        for listener in (*self._streams.values(), udp):
            listener.setblocking(False)
        for listener in self._streams.values():
            listener.listen()

    def reached(self):
        """The kinds of sockets that something has connected to or sent to."""
        found = set()
        for kind, listener in self._streams.items():
            with contextlib.suppress(BlockingIOError):
                listener.accept()[0].close()
                found.add(kind)
        with contextlib.suppress(BlockingIOError):
            self._udp.recv(10)
            found.add("UDP")
        return found

    def close(self):
        for listener in (*self._streams.values(), self._udp):
            listener.close()


@dataclass(frozen=True)
class Site:
    """A world to attack, with what is secret about it."""

    world: hostile.World
    base: Path
    classroom: Path
    results: Path
    listeners: Listeners
    secrets: tuple[str, ...]

    @property
    def environment(self):
        return {
            **os.environ,
            "HOME": self.world.home,
            "TMPDIR": str(self.base / "temporary"),
            "XDG_CACHE_HOME": str(self.base / "cache"),
            "XDG_CONFIG_HOME": str(self.base / "configuration"),
            hostile.SECRET_VARIABLE: self.secrets[0],
        }

    def fingerprint(self):
        """All files that nothing may change, with their contents."""
        folders = (self.classroom, Path(self.world.home), Path(self.world.scratch))
        found = {}
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                status = path.lstat()
                content = b""
                if path.is_file() and not path.is_symlink() and status.st_size < 10_000_000:
                    content = path.read_bytes()
                digest = hashlib.sha256(content).hexdigest()
                found[str(path)] = (status.st_mode, status.st_size, status.st_mtime_ns, digest)
        return found


@contextlib.contextmanager
def new_site():
    token = secrets.token_hex(6)
    words = tuple(secrets.token_hex(12) for _ in range(5))
    scratch = hostile.ROOT / f".pytest_cache/hostile-{token}"
    # Not below /tmp, which the sandbox replaces anyway.
    above = "/var/tmp" if os.access("/var/tmp", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="hostile-", dir=above) as name:
        base = Path(name)
        classroom = base / f"{hostile.CLASSROOM}-{token}"
        results = base / f"{hostile.CLASSROOM}-results-{token}"
        home = base / "home"
        folders = (base, classroom, home, scratch)
        for folder in (classroom, results, home, scratch, base / "temporary"):
            folder.mkdir(parents=True)
        for folder, word in zip(folders, words[1:], strict=True):
            (folder / "canary.txt").write_text(word)
        socket_path = str(classroom / "socket.ipynb")
        listeners = Listeners(f"hostile-{token}", socket_path)
        world = hostile.World(
            home=str(home),
            real_home=str(Path.home()),
            classroom=str(classroom),
            scratch=str(scratch),
            checkout_files=hostile.CHECKOUT_FILES,
            libraries=(sys.prefix, sys.base_prefix, str(Path(gm_course.__file__).parent)),
            port=listeners.port,
            abstract_name=f"hostile-{token}",
            socket_path=socket_path,
        )
        try:
            yield Site(world, base, classroom, results, listeners, words)
        finally:
            listeners.close()
            shutil.rmtree(scratch)


# --- the run ----------------------------------------------------------------------------------


def fill_classroom(site):
    """Write all submissions; return the names that must have an entry."""
    files = {}
    for attack in (*hostile.ATTACKS, *hostile.CHANNEL):
        files[f"{attack.name}.ipynb"] = attack.build(site.world)
    for damaged in hostile.DAMAGED:
        files[f"{damaged.name}.ipynb"] = damaged.content
    for name, content in {**hostile.INJECTIONS, **hostile.HONEST}.items():
        files[f"{name}.ipynb"] = content
    files["injection in code.ipynb"] = hostile.INJECTION_IN_CODE
    files["untouched.ipynb"] = hostile.UNTOUCHED
    files["noisy.ipynb"] = hostile.NOISY
    for name in (*hostile.FILE_NAMES, hostile.NOT_UTF8):
        files[name] = hostile.HONEST["honest 13-2"]
    for name, content in files.items():
        (site.classroom / name).write_bytes(content)
    (site.classroom / hostile.UNREADABLE_NAME).write_bytes(b"")
    with (site.classroom / "too large.ipynb").open("wb") as file:
        file.truncate(50_000_001)
    os.mkfifo(site.classroom / "pipe.ipynb")
    (site.classroom / "folder.ipynb").mkdir()
    links = {
        "link.ipynb": site.classroom / "honest 13-1.ipynb",
        "link to a secret.ipynb": Path(site.world.home) / "canary.txt",
        "link to nothing.ipynb": "/nowhere",
        "link to itself.ipynb": "link to itself.ipynb",
        "link to a device.ipynb": "/dev/zero",
        "link to a pipe.ipynb": "pipe.ipynb",
        "link to a folder.ipynb": ".",
    }
    for name, target in links.items():
        (site.classroom / name).symlink_to(target)
    # Students may hand in any file; the command is run in this folder.
    for module in ("json", "torch", "numpy", "click", "sitecustomize", "usercustomize", "ctypes"):
        path = site.classroom / f"{module}.py"
        path.write_text(f"open({str(site.classroom / 'planted-module-ran')!r}, 'w')\n")
    return {
        *files,
        hostile.UNREADABLE_NAME,
        "too large.ipynb",
        "link.ipynb",
        "link to a secret.ipynb",
    }


def descendants():
    """The processes that descend from this one and are not dead."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(folder.name)] = int(parent)
    found, waiting = set(), {os.getpid()}
    while waiting:
        waiting = {child for child, parent in parents.items() if parent in waiting}
        found |= waiting
    return found


@contextlib.contextmanager
def adopting_orphans():
    """Be the new parent of all descendants that lose theirs, so that none can hide."""
    set_child_subreaper = 36
    libc = ctypes.CDLL(None)
    assert libc.prctl(set_child_subreaper, 1, 0, 0, 0) == 0
    try:
        yield
    finally:
        libc.prctl(set_child_subreaper, 0, 0, 0, 0)


@dataclass(frozen=True)
class Outcome:
    site: Site
    status: int
    said: bytes
    json_bytes: bytes
    entries: dict
    expected_names: set
    csv_bytes: bytes
    pages: dict
    survivors: dict
    changed: dict

    def entry(self, name):
        return self.entries[name]

    def answers(self, name):
        entry = self.entry(name)
        assert entry["status"] == "graded", entry["message"]
        return {answer["name"]: answer for answer in entry["answers"]}


def grade(site, *options):
    """Run the command on the classroom; return its exit status and all it said."""
    terminal, inner = os.openpty()  # it must not get into a submission's hands
    # -P: what Python's own -m would do with modules in the current folder is not the matter here.
    command = [sys.executable, "-P", "-m", "gm_course", "grade", ".", *map(str, options)]
    try:
        with subprocess.Popen(
            command,
            cwd=site.classroom,
            env=site.environment,
            stdin=inner,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            try:
                said, _ = process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            return process.returncode, said
    finally:
        os.close(terminal)
        os.close(inner)


def survivors_of(before):
    """Processes left behind; those that are just ending get some seconds."""
    end = time.monotonic() + 5
    while (left := descendants() - before) and time.monotonic() < end:
        time.sleep(0.1)
    found = {}
    for process in left:
        with contextlib.suppress(OSError):
            found[process] = Path(f"/proc/{process}/cmdline").read_bytes()
    return found


def strict_json(text):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


@contextlib.contextmanager
def graded(fill, timeout):
    """Grade a classroom of its own, and look around afterwards."""
    with new_site() as site, adopting_orphans():
        names = fill(site)
        before, files = descendants(), site.fingerprint()
        json_path, csv_path = site.results / "results.json", site.results / "results.csv"
        feedback = site.results / "feedback"
        status, said = grade(
            site,
            *("--json", json_path, "--csv", csv_path, "--feedback", feedback),
            *("--jobs", 2, "--timeout", timeout),
        )
        survivors = survivors_of(before)
        assert json_path.exists(), said.decode(errors="replace")[-3000:]
        json_bytes = json_path.read_bytes()
        entries = strict_json(json_bytes.decode())
        after = site.fingerprint()
        yield Outcome(
            site=site,
            status=status,
            said=said,
            json_bytes=json_bytes,
            entries={entry["submission"].removeprefix("./"): entry for entry in entries},
            expected_names=names,
            csv_bytes=csv_path.read_bytes(),
            pages={path: path.read_bytes() for path in sorted(feedback.rglob("*.html"))},
            survivors=survivors,
            changed={
                path: (files.get(path), after.get(path))
                for path in files.keys() | after.keys()
                if files.get(path) != after.get(path)
            },
        )


@pytest.fixture(scope="module")
def outcome():
    with graded(fill_classroom, TIMEOUT) as found:
        yield found


@pytest.fixture(scope="module")
def greedy_outcome():
    def fill(site):
        files = {f"{attack.name}.ipynb": attack.build(site.world) for attack in hostile.GREEDY}
        files["honest.ipynb"] = hostile.HONEST["honest 13-2"]
        for name, content in files.items():
            (site.classroom / name).write_bytes(content)
        return set(files)

    with graded(fill, TIMEOUT_OF_THE_GREEDY) as found:
        yield found


def assert_full(outcome, name):
    entry = outcome.entry(name)
    assert entry["status"] == "graded", entry["message"]
    wrong = [answer for answer in entry["answers"] if answer["status"] != "passed"]
    assert wrong == []
    assert entry["score"] == entry["max_score"] > 0


# --- the set itself ---------------------------------------------------------------------------


def ids(items):
    return {"argvalues": items, "ids": [item.name for item in items]}


def test_the_set_is_large_enough():
    hostile_ones = [
        *hostile.ATTACKS,
        *hostile.CHANNEL,
        *hostile.GREEDY,
        *hostile.DAMAGED,
    ]
    names = [f"{item.name}.ipynb" for item in hostile_ones] + hostile.FILE_NAMES
    assert len(hostile.ATTACKS) >= 45
    assert len(names) == len(set(names))
    for attack in (*hostile.ATTACKS, *hostile.CHANNEL, *hostile.GREEDY):
        assert "passed" not in attack.allowed
        assert attack.allowed <= ANSWER_STATUSES


BARE_RUN = """
import json, sys
for name, source, function in json.load(sys.stdin):
    space = {}
    try:
        exec(source, space)
        space[function]()
        message = "returned"
    except BaseException as error:
        message = str(error)
    print(json.dumps([name, message]), flush=True)
"""


def test_attacks_succeed_without_a_sandbox():
    # Otherwise that they fail in it would prove nothing.
    attacks = [attack for attack in hostile.ATTACKS if attack.works_bare]
    attacks.sort(key=lambda attack: attack in hostile.DESTRUCTION)  # it removes what others read
    assert len(attacks) >= 10
    with new_site() as site:
        sources = [
            [attack.name, site.world.fill_in(source), name]
            for attack in attacks
            for name, source in attack.answers.items()
        ]
        done = subprocess.run(
            [sys.executable, "-P", "-c", BARE_RUN],
            input=json.dumps(sources),
            cwd=site.classroom,
            env=site.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        told = dict(map(json.loads, done.stdout.splitlines()))
        assert [name for name, text in told.items() if not text.startswith(hostile.LEAK)] == []
        assert len(told) == len(attacks)
        assert site.listeners.reached() == {"TCP", "UDP", "abstract", "path"}


# --- each of them -----------------------------------------------------------------------------


def assert_contained(outcome, attack):
    answers = outcome.answers(f"{attack.name}.ipynb")
    assert list(answers) == list(ANSWERS[attack.exercise])
    for name, answer in answers.items():
        if name in attack.answers:
            assert answer["status"] in attack.allowed, answer
            assert answer["score"] < answer["max_score"]
            assert hostile.LEAK not in json.dumps(answer), answer
            if answer["status"] == "error":
                assert attack.says in answer["diagnosis"]
        elif attack.others_pass:
            assert answer["status"] == "passed", answer
            assert answer["score"] == answer["max_score"]


@pytest.mark.parametrize("attack", **ids(hostile.ATTACKS + hostile.CHANNEL))
def test_attack_is_contained(outcome, attack):
    assert_contained(outcome, attack)


@pytest.mark.parametrize("attack", **ids(hostile.GREEDY))
def test_memory_is_limited(greedy_outcome, attack):
    assert_contained(greedy_outcome, attack)


def test_the_greedy_starve_nobody(greedy_outcome):
    assert_full(greedy_outcome, "honest.ipynb")
    assert greedy_outcome.survivors == {}
    assert greedy_outcome.changed == {}


@pytest.mark.parametrize("damaged", **ids(hostile.DAMAGED))
def test_damaged_file(outcome, damaged):
    entry = outcome.entry(f"{damaged.name}.ipynb")
    assert entry["status"] in damaged.statuses, entry["message"]
    if entry["status"] != "graded":
        assert entry["message"]
        return
    for answer in entry["answers"]:
        if answer["name"] in damaged.answers:
            assert answer["status"] in damaged.answers[answer["name"]], answer
            assert answer["score"] == 0
        elif not damaged.is_any:
            assert answer["status"] == "passed", answer


@pytest.mark.parametrize("name", [*hostile.HONEST, *hostile.INJECTIONS, "noisy"])
def test_right_answers_get_full_score(outcome, name):
    assert_full(outcome, f"{name}.ipynb")


@pytest.mark.parametrize("name", hostile.FILE_NAMES)
def test_odd_file_names(outcome, name):
    assert_full(outcome, name)


def test_untouched_is_not_attempted(outcome):
    answers = outcome.answers("untouched.ipynb")
    assert {answer["status"] for answer in answers.values()} == {"not_attempted"}
    assert outcome.entry("untouched.ipynb")["score"] == 0


def test_files_of_other_kinds(outcome):
    assert outcome.entry("too large.ipynb")["status"] == "unreadable"
    assert outcome.entry(hostile.UNREADABLE_NAME)["status"] == "unreadable"
    assert outcome.entry("link to a secret.ipynb")["status"] == "unreadable"
    link = outcome.entry("link.ipynb")
    assert link["status"] in ("graded", "unreadable")
    if link["status"] == "graded":
        assert_full(outcome, "link.ipynb")


def test_every_submission_has_one_entry(outcome):
    assert len(strict_json(outcome.json_bytes)) == len(outcome.entries)
    found = set(outcome.entries)
    (odd,) = found - outcome.expected_names - {"link to nothing.ipynb", "link to itself.ipynb"}
    assert odd.startswith("not-utf8-")
    assert_full(outcome, odd)
    assert outcome.expected_names - found == {hostile.NOT_UTF8}


# --- all together -----------------------------------------------------------------------------


def test_exit_status_tells_that_some_could_not_be_graded(outcome):
    assert outcome.status == 1


def test_entries_keep_to_the_contract(outcome):
    keys = {
        "submission",
        "exercise",
        "status",
        "score",
        "max_score",
        "message",
        "answers",
        "written",
    }
    for entry in outcome.entries.values():
        assert set(entry) == keys
        assert len(json.dumps(entry, ensure_ascii=False).encode()) <= 100_000
        assert entry["status"] in ("graded", "unreadable", "unknown_exercise")
        if entry["status"] == "graded":
            sheet = exercise(entry["exercise"])
            assert entry["max_score"] == sheet.max_score
            assert [answer["name"] for answer in entry["answers"]] == [
                check.name for check in sheet.checks
            ]
            assert [item["name"] for item in entry["written"]] == [sheet.written_name]
            assert all(item["score"] is None for item in entry["written"])
            points = {check.name: check.points for check in sheet.checks}
            assert {item["name"]: item["max_score"] for item in entry["answers"]} == points
        assert entry["score"] == pytest.approx(sum(item["score"] for item in entry["answers"]))
        for answer in entry["answers"]:
            assert answer["status"] in ANSWER_STATUSES
            assert 0 <= answer["score"] <= answer["max_score"]
            assert (answer["score"] == answer["max_score"]) == (answer["status"] == "passed")
            assert answer["score"] == 0 or answer["status"] in ("passed", "failed")


def test_nothing_survives(outcome):
    assert outcome.survivors == {}


def test_nothing_is_written_outside(outcome):
    assert outcome.changed == {}
    assert list((outcome.site.base / "temporary").iterdir()) == []


def test_no_connection_arrives(outcome):
    assert outcome.site.listeners.reached() == set()


def test_no_secret_gets_out(outcome):
    outputs = [outcome.json_bytes, outcome.csv_bytes, outcome.said, *outcome.pages.values()]
    for secret in outcome.site.secrets:
        assert not any(secret.encode() in output for output in outputs)
    assert not [
        answer
        for entry in outcome.entries.values()
        for answer in entry["answers"]
        if hostile.LEAK in json.dumps(answer)
    ]


def test_terminal_gets_no_control_sequence_of_a_file_name(outcome):
    assert b"\x1b]0;gm-title" not in outcome.said


# --- pages and tables -------------------------------------------------------------------------


class ActiveContent(HTMLParser):
    """Finds in a page what a student's text could do in the reader's browser."""

    LOADING = frozenset(
        {"src", "srcset", "href", "xlink:href", "data", "poster", "background", "action"}
        | {"formaction", "style", "content", "srcdoc", "ping", "manifest"}
    )
    SCHEMES = ("javascript:", "vbscript:", "data:text/html")

    def __init__(self):
        super().__init__()
        self.found = []
        self._raw = ""

    @classmethod
    def of(cls, page):
        parser = cls()
        parser.feed(page)
        parser.close()
        return parser.found

    def handle_starttag(self, tag, attributes):
        self._raw = tag if tag in ("script", "style") else ""
        for name, value in attributes:
            value = value or ""
            bare = re.sub("[\0-\x20]", "", value).lower()
            is_link = tag == "a" and name == "href"
            if (
                (name.startswith("on") and hostile.ALERT in value)
                or (name in self.LOADING and bare.startswith(self.SCHEMES))
                or (name in self.LOADING and hostile.BEACON in value and not is_link)
                or name == "srcdoc"
            ):
                self.found.append((tag, name, value))

    def handle_endtag(self, tag):
        self._raw = ""

    def handle_data(self, data):
        if self._raw == "script" and hostile.ALERT in data:
            self.found.append(("script", "", data))
        if self._raw == "style" and hostile.BEACON in data:
            self.found.append(("style", "", data))


@pytest.mark.parametrize(
    "page",
    [
        f"<script>{hostile.ALERT}</script>",
        f"<img src=x onerror={hostile.ALERT}>",
        f"<svg/onload={hostile.ALERT}>",
        f'<a href="java&#10;script:{hostile.ALERT}">a</a>',
        f'<a href=" JavaScript:{hostile.ALERT}">a</a>',
        f"<img src='http://127.0.0.1/{hostile.BEACON}'>",
        f"<style>@import url(http://127.0.0.1/{hostile.BEACON});</style>",
        f"<p style='background:url(//127.0.0.1/{hostile.BEACON})'>",
        f"<meta http-equiv=refresh content='0;url=http://127.0.0.1/{hostile.BEACON}'>",
        "<iframe srcdoc='x'></iframe>",
    ],
)
def test_active_content_is_recognised(page):
    assert ActiveContent.of(page)


def test_passive_content_is_left_alone():
    escaped = f"&lt;script&gt;{hostile.ALERT}&lt;/script&gt;"
    assert ActiveContent.of(f"<p title='{escaped}'>{escaped}</p><a href='https://x'>x</a>") == []
    assert ActiveContent.of("<script>const own = 1;</script><p onclick='own()'>x</p>") == []


def test_every_submission_has_a_page(outcome):
    assert len(outcome.pages) >= len(outcome.entries)


def test_pages_do_nothing_that_a_student_wants(outcome):
    for path, content in outcome.pages.items():
        assert len(content) <= 5_000_000, path
        page = content.decode()
        assert ActiveContent.of(page) == [], path
        assert hostile.ITS_VALUE not in page, path
        assert "\0" not in page, path


def test_pages_show_what_was_escaped(outcome):
    shown = [page for page in outcome.pages.values() if b"injection in code" in page]
    assert any(f"&lt;script&gt;{hostile.ALERT}".encode() in page for page in shown)


def test_table_holds_no_formula(outcome):
    rows = list(csv.reader(outcome.csv_bytes.decode("utf-8-sig").splitlines(keepends=True)))
    assert any("HYPERLINK" in cell for row in rows for cell in row)
    for row in rows:
        for cell in row:
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r")), cell
