"""One run over a class: every file gets a result, and none that is known is worked out again."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from gm_course.errors import UnreadableError
from gm_course.grading.results import Result
from gm_course.grading.store import ResultStore
from gm_course.grading.submission import read_bytes
from gm_course.grading.workers import LostResult
from gm_course.interrupts import deferred_interrupt

# Takes submissions, each a number and the file's bytes, and yields their results in any order.
GradeAll = Callable[[Iterable[tuple[int, bytes]]], Generator[tuple[int, Result], None, None]]


def grade_class(
    files: Sequence[Path],
    grade_all: GradeAll,
    *,
    store: ResultStore,
    fresh: bool = False,
    report: Callable[[int, Result], None],
) -> None:
    """Find the result of every file: among those kept, or by grading it.

    A file is read when its turn comes, and files with the same content are graded once. Each
    result is kept before it is reported, so that an interrupted run loses only what was being
    worked on.

    Args:
        files: The submissions.
        grade_all: Grades those whose results are not known.
        store: Where results are kept.
        fresh: Grade also those whose results were kept by an earlier run.
        report: Called with the position of each file and its result, once, as it is found.

    Raises:
        SandboxError: If ``grade_all`` does.
    """
    known: dict[str, Result] = {}
    keys: dict[int, str] = {}
    waiting: dict[str, list[int]] = {}

    def unknown_contents() -> Iterator[tuple[int, bytes]]:
        for number, file in enumerate(files):
            try:
                content = read_bytes(file)
            except UnreadableError as error:
                report(number, Result("unreadable", message=str(error)))
                continue
            key = store.key(content)
            if key in waiting:
                waiting[key].append(number)
                continue
            result = known.get(key) or (None if fresh else store.find(key))
            if result is None:
                waiting[key] = [number]
                keys[number] = key
                yield number, content
            else:
                known[key] = result
                report(number, result)

    with closing(grade_all(unknown_contents())) as graded:
        for number, result in graded:
            key = keys.pop(number)
            with deferred_interrupt() as is_interrupted:
                if not isinstance(result, LostResult):
                    store.keep(key, result)
                known[key] = result
                for same in waiting.pop(key):
                    report(same, result)
            if is_interrupted:
                raise KeyboardInterrupt
