"""The command ``gm-course grade``: what it accepts, prints and writes, and how it ends."""

from __future__ import annotations

import functools
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from gm_course.errors import ArgumentError, CourseError, GradingError
from gm_course.files import real_path
from gm_course.grading.limits import ANSWERS_IN_ALL, DEFAULT_TIMEOUT, SPARE_SECONDS, START_SECONDS

# The rest is imported when the command runs; `gm-course --help` should not wait for it.
if TYPE_CHECKING:
    from gm_course.grading.class_run import GradeAll
    from gm_course.grading.results import Result
    from gm_course.grading.similarity import SimilarPairs
    from gm_course.grading.store import ResultStore

_LONGEST_TIMEOUT = 3600.0
_PAIRS_SHOWN = 20
_LONGEST_MESSAGE = 300
_INTERRUPTED = 130  # what shells report for a program ended by Ctrl-C


def _valid_timeout(_context: click.Context, _option: click.Parameter, seconds: float) -> float:
    if not 0 < seconds <= _LONGEST_TIMEOUT:  # not-a-number included
        raise click.BadParameter(f"{seconds:g} is not in the range 0<x<={_LONGEST_TIMEOUT:g}.")
    return seconds


@click.command()
@click.argument(
    "submissions",
    metavar="SUBMISSION...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
)
@click.option(
    "--json",
    "json_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the results as JSON, instead of printing a table.",
)
@click.option(
    "--csv",
    "csv_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write a table for a spreadsheet, one row per submission.",
)
@click.option(
    "--feedback",
    "feedback_folder",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write a page of feedback per submission and a summary of the class.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    show_default="number of usable cores",
    help="Submissions to grade at once.",
)
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=float,
    callback=_valid_timeout,
    default=DEFAULT_TIMEOUT,
    show_default=True,
    help="Time for one answer; a submission gets five times that in all.",
)
@click.option(
    "--cluster",
    metavar="ADDRESS",
    help="Grade on the Dask cluster with this scheduler, such as tcp://host:8786.",
)
@click.option(
    "--store",
    "store_folder",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    show_default="gm-course/grades in your cache folder",
    help="Where finished results are kept for the next run.",
)
@click.option("--fresh", is_flag=True, help="Grade again what earlier runs have finished.")
@click.option(
    "--unsafe-no-sandbox",
    is_flag=True,
    help="Run the submissions' code with your own rights. Only for code you trust.",
)
def grade(
    submissions: tuple[Path, ...],
    json_file: Path | None,
    csv_file: Path | None,
    feedback_folder: Path | None,
    jobs: int | None,
    timeout: float,
    cluster: str | None,
    store_folder: Path | None,
    fresh: bool,
    unsafe_no_sandbox: bool,
) -> None:
    """Grade submitted exercises.

    A SUBMISSION is a notebook, or a folder, which stands for the *.ipynb files in it. Exercises
    may be mixed; which one it is is recognised by the answers in it. Only the answers and what
    they need are run. Written answers are left to a person.

    The code runs in a sandbox (bubblewrap, on Linux): it sees no network, none of your files or
    environment variables and no other submission; it writes to memory only, and leaves no process
    behind. One submission may use 4 GiB of memory, files of 1 GiB and 64 processes; what it
    prints is not kept.

    Each finished result is kept. After Ctrl-C, or a crash, the same command goes on where it
    stopped; later runs repeat only what has changed, be it a submission or the checks. The results
    contain students' work and are readable by you alone. Output files are replaced as a whole, at
    the end.

    Pairs of submissions with the same code up to names and layout are listed. That is no verdict:
    short right answers look alike.

    Exit status: 0 all submissions were graded, 1 at least one could not be graded or something
    else failed, 2 wrong usage. After Ctrl-C it is 130.
    """
    if cluster is not None and jobs is not None:
        raise click.UsageError("--jobs counts processes here; a cluster has its own workers.")
    from gm_course.grading.class_run import grade_class
    from gm_course.grading.submission import shown_name

    files: list[Path] = []
    results: dict[int, Result] = {}
    store: ResultStore | None = None
    sandboxed = not unsafe_no_sandbox
    try:
        files = _find_files(submissions)
        _check_outputs(files, json_file=json_file, csv_file=csv_file, feedback=feedback_folder)
        store = _open_store(store_folder, timeout=timeout, sandboxed=sandboxed)
        is_noted = bool(store.problem)
        grade_all = (
            _on_this_machine(jobs, timeout=timeout, sandboxed=sandboxed)
            if cluster is None
            else _on_cluster(cluster, timeout=timeout, sandboxed=sandboxed)
        )
        with _progress_bar("grading", len(files)) as bar:

            def report(number: int, result: Result) -> None:
                results[number] = result
                bar.update()

            grade_class(files, grade_all, store=store, fresh=fresh, report=report)
        if not is_noted:  # the disk may have filled up
            _tell_problem(store)
        named = [(shown_name(file), results[number]) for number, file in enumerate(files)]
        _finish(named, json_file=json_file, csv_file=csv_file, feedback=feedback_folder)
    except KeyboardInterrupt:
        again = "run the same command again to go on"
        if store is not None and store.problem:
            again = "nothing could be kept"
        _tell(f"interrupted: {len(results)} of {len(files)} graded; {again}")
        sys.exit(_INTERRUPTED)
    except CourseError as error:
        raise GradingError(_visible(str(error))) from error
    if any(result.status != "graded" for _, result in named):
        sys.exit(1)


def _find_files(submissions: Sequence[Path]) -> list[Path]:
    from gm_course.grading.submission import find_submissions

    try:
        files = find_submissions(submissions)
    except ArgumentError as error:
        raise click.UsageError(_visible(str(error))) from error
    if not files:
        raise click.UsageError("the folder holds no notebook (*.ipynb).")
    return files


def _check_outputs(
    files: Sequence[Path],
    *,
    json_file: Path | None,
    csv_file: Path | None,
    feedback: Path | None,
) -> None:
    """Refuse now what would go wrong after hours of grading.

    Raises:
        click.UsageError: If an output cannot be written, or would overwrite a submission or
            another output.
    """
    tables = {"--json": json_file, "--csv": csv_file}
    targets = {option: file for option, file in tables.items() if file is not None}
    for option, file in targets.items():
        problem = _problem_with_file(file)
        if problem:
            raise click.UsageError(f"{option}: {problem}; got {_shown(file)}.")
        if any(_is_same(file, other) for other in files):
            raise click.UsageError(f"{option} would overwrite the submission {_shown(file)}.")
    if len(targets) == 2 and _is_same(*targets.values()):
        raise click.UsageError("--json and --csv name the same file.")
    if feedback is None:
        return
    problem = _problem_with_folder(feedback)
    if problem:
        raise click.UsageError(f"--feedback: {problem}; got {_shown(feedback)}.")
    for file in [*targets.values(), *files]:
        if _is_same(file, feedback) or (
            _is_same(file.parent, feedback) and _may_be_feedback(file.name)
        ):
            raise click.UsageError(
                f"--feedback keeps its own files in that folder; {_shown(file)} may not be there."
            )


def _problem_with_file(file: Path) -> str:
    try:
        if str(file) == "-":
            return "it must be a file; standard output holds other lines, too"
        if file.exists() and not file.is_file():
            return "it must be a regular file"
        return _problem_with_folder(real_path(file).parent, must_exist=True)
    except OSError:  # a name too long, links in a circle
        return "it must be a path that is possible"


def _problem_with_folder(folder: Path, *, must_exist: bool = False) -> str:
    try:
        if not must_exist and not folder.exists():
            return _problem_with_folder(real_path(folder).parent, must_exist=True)
        if not folder.is_dir():
            return "its folder must exist" if must_exist else "it must be a folder"
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError:
        return "its folder must be writable"


def _is_same(path: Path, other: Path) -> bool:
    """Whether two paths lead to the same place, which need not exist."""
    try:
        return real_path(path) == real_path(other) or path.samefile(other)
    except OSError:
        return False


def _may_be_feedback(name: str) -> bool:
    name = name.lower()
    return name.endswith(".html") or (name.startswith("points") and name.endswith(".csv"))


def _open_store(folder: Path | None, *, timeout: float, sandboxed: bool) -> ResultStore:
    from gm_course.grading.store import ResultStore, default_folder, grading_fingerprint

    fingerprint = grading_fingerprint(timeout=timeout, sandboxed=sandboxed)
    store = ResultStore(folder or default_folder(), fingerprint=fingerprint)
    _tell_problem(store)
    return store


def _tell_problem(store: ResultStore) -> None:
    if store.problem:
        _tell(f"note: results are not kept for another run: {store.problem}")


def _on_this_machine(jobs: int | None, *, timeout: float, sandboxed: bool) -> GradeAll:
    from gm_course.grading.workers import grade_all, start_grader, usable_cores

    return functools.partial(
        grade_all,
        make_grader=functools.partial(start_grader, timeout=timeout, sandboxed=sandboxed),
        jobs=jobs or usable_cores(),
        # A last resort behind the grader's own limits.
        patience=ANSWERS_IN_ALL * timeout + SPARE_SECONDS + START_SECONDS,
    )


def _on_cluster(address: str, *, timeout: float, sandboxed: bool) -> GradeAll:
    from gm_course.grading.cluster import grade_on_cluster

    return functools.partial(
        grade_on_cluster, address=address, timeout=timeout, sandboxed=sandboxed
    )


def _progress_bar(task: str, total: int) -> AbstractContextManager[Any]:
    """Return a bar with the time left on standard error, if that is a terminal."""
    from tqdm import tqdm

    bar: AbstractContextManager[Any] = tqdm(
        desc=task, total=total, disable=None, leave=False, miniters=1, dynamic_ncols=True
    )
    return bar


def _finish(
    named: Sequence[tuple[str, Result]],
    *,
    json_file: Path | None,
    csv_file: Path | None,
    feedback: Path | None,
) -> None:
    """Write what was asked for, and print the rest."""
    from gm_course.grading.similarity import similar_pairs
    from gm_course.grading.tables import write_csv, write_json

    pairs = similar_pairs(named)
    if json_file is not None:
        write_json(json_file, (result.entry(name) for name, result in named))
    if csv_file is not None:
        write_csv(csv_file, named)
    if feedback is not None:
        from gm_course.grading.feedback import write_feedback

        with _progress_bar("feedback", len(named)) as bar:
            points = write_feedback(feedback, named, similar=pairs, progress=bar.update)
        if points.left and points.written:
            _tell(f"note: new written answers are in {points.written}; your other tables are kept")
    lines = list(_counts(named))
    if json_file is None:
        lines = [*_table(named), *lines]
    for line in [*lines, *_pair_lines(pairs)]:
        _print(line)


def _table(named: Sequence[tuple[str, Result]]) -> Iterator[str]:
    """Yield a line per submission; the name comes last, where its width does not matter."""
    rows = [
        (
            result.exercise or "-",
            f"{result.score:g}/{result.max_score:g}" if result.status == "graded" else "-",
            _statuses(result),
            name if result.status == "graded" else f"{name}: {_start_of(result.message)}",
        )
        for name, result in named
    ]
    rows.insert(0, ("exercise", "score", "answers", "submission"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        columns = [text.ljust(width) for text, width in zip(row, widths, strict=False)]
        yield "  ".join([*columns, row[-1]])


def _statuses(result: Result) -> str:
    from gm_course.grading.results import AnswerStatus

    if result.status != "graded":
        return result.status.replace("_", " ")
    counts = Counter(answer.status for answer in result.answers)
    return ", ".join(
        f"{counts[status]} {status.replace('_', ' ')}"
        for status in get_args(AnswerStatus)
        if counts[status]
    )


def _start_of(message: str) -> str:
    return message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]} …"


def _counts(named: Sequence[tuple[str, Result]]) -> Iterator[str]:
    counts = Counter(result.status.replace("_", " ") for _, result in named)
    kinds = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    yield f"{len(named)} submission{'' if len(named) == 1 else 's'}: {kinds}"


def _pair_lines(pairs: SimilarPairs) -> Iterator[str]:
    if not pairs:
        return
    yield "the same up to names and layout (no verdict; short right answers look alike):"
    for pair in pairs[:_PAIRS_SHOWN]:
        same = [*pair.answers, *(["the written answer"] if pair.is_written_same else [])]
        yield f"  {pair.first}  {pair.second}  {', '.join(same)}"
    more = len(pairs[_PAIRS_SHOWN:]) + pairs.left_out
    if more:
        yield f"  … and {more} more in the summary page (--feedback)"


def _shown(path: Path) -> str:
    from gm_course.grading.submission import shown_name

    return repr(shown_name(path))


def _visible(text: str) -> str:
    """Return the text with everything that could act on a terminal written as an escape."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def _print(line: str) -> None:
    """Print a line on standard output, in whatever encoding that has."""
    encoding = sys.stdout.encoding or "utf-8"
    click.echo(_visible(line).encode(encoding, "backslashreplace").decode(encoding))


def _tell(line: str) -> None:
    click.echo(f"gm-course: {line}", err=True)
