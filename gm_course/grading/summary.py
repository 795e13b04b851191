"""The class at a glance, for the teacher: scores, misconceptions, and all submissions."""

from __future__ import annotations

import base64
import io
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gm_course.grading.pages import page_templates
from gm_course.grading.results import AnswerResult, Result

if TYPE_CHECKING:
    from gm_course.grading.similarity import SimilarPairs

BINS = 10  # of the score distribution, from 0 to all points
MAX_MISTAKES = 30
MAX_PAIRS = 1_000
MAX_LINKS = 40  # to the submissions of one mistake

_ROUNDING = 1e-6  # points are given in parts, and sums of them miss an edge by rounding
_STYLE = Path(__file__).parent.parent / "course.mplstyle"


@dataclass(frozen=True)
class Scores:
    """How the scores in one exercise are distributed.

    Attributes:
        exercise: Its number.
        max_score: Points of its functions.
        counts: Submissions in each tenth of the points, the last one with all points included.
        full: Submissions with all points.
        mean, median, lowest, highest: Of the scores.
    """

    exercise: str
    max_score: float
    counts: tuple[int, ...]
    full: int
    mean: float
    median: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class Success:
    """How one answer went: how often it has each status, partly right ones apart."""

    exercise: str
    name: str
    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        """Number of submissions that were asked for it."""
        return sum(self.counts.values())

    @property
    def share(self) -> float:
        """Share of them that passed."""
        return self.counts.get("passed", 0) / self.total


@dataclass(frozen=True)
class Mistake:
    """A mistake in one answer, with the submissions that made it.

    Attributes:
        exercise: The exercise's number.
        name: The answer's name.
        mistake: The mistake's machine-readable name.
        diagnosis: The mistake in words, as most of them were told.
        submissions: Who made it.
    """

    exercise: str
    name: str
    mistake: str
    diagnosis: str
    submissions: tuple[str, ...]


def summary_page(
    results: Sequence[tuple[str, Result]],
    pages: Mapping[str, str],
    *,
    similar: SimilarPairs,
    tables: Sequence[str] = (),
) -> str:
    """Return the summary of a class as HTML.

    Args:
        results: Name and result of every submission.
        pages: The address of each submission's page, relative to the summary.
        similar: From :func:`~gm_course.grading.similarity.similar_pairs`.
        tables: Addresses of the tables for the points of the written answers.
    """
    scores = score_distribution(results)
    template = page_templates().get_template("summary.html")
    return template.render(
        results=results,
        pages=pages,
        graded=sum(result.status == "graded" for _, result in results),
        to_review=sum(
            written.status == "needs_review" for _, result in results for written in result.written
        ),
        scores=scores,
        figure=_figure(scores) if scores else "",
        successes=success_per_answer(results),
        mistakes=common_mistakes(results)[:MAX_MISTAKES],
        max_links=MAX_LINKS,
        similar=similar[:MAX_PAIRS],
        left_out=max(0, len(similar) - MAX_PAIRS) + similar.left_out,
        tables=tables,
    )


def score_distribution(results: Iterable[tuple[str, Result]]) -> list[Scores]:
    """Return the distribution of the scores in each exercise that has graded submissions."""
    by_exercise: dict[str, list[Result]] = {}
    for _, result in results:
        if result.status == "graded" and result.exercise:
            by_exercise.setdefault(result.exercise, []).append(result)
    return [_distribution(number, by_exercise[number]) for number in sorted(by_exercise)]


def _distribution(exercise: str, results: Sequence[Result]) -> Scores:
    max_score = max(result.max_score for result in results)
    scores = [result.score for result in results]
    bins = Counter(min(int(score / max_score * BINS + _ROUNDING), BINS - 1) for score in scores)
    return Scores(
        exercise=exercise,
        max_score=max_score,
        counts=tuple(bins[number] for number in range(BINS)),
        full=sum(score > max_score - _ROUNDING for score in scores),
        mean=statistics.fmean(scores),
        median=statistics.median(scores),
        lowest=min(scores),
        highest=max(scores),
    )


def success_per_answer(results: Iterable[tuple[str, Result]]) -> list[Success]:
    """Return how every answer went, by exercise and in the order of its answers."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for exercise, answer, _ in _answers(results):
        is_partial = answer.status == "failed" and answer.score > 0
        status = "partly" if is_partial else answer.status
        counts.setdefault((exercise, answer.name), Counter())[status] += 1
    found = [Success(exercise, name, count) for (exercise, name), count in counts.items()]
    return sorted(found, key=lambda success: success.exercise)


def common_mistakes(results: Iterable[tuple[str, Result]]) -> list[Mistake]:
    """Return the mistakes in answers that ran, the commonest first."""
    made: dict[tuple[str, str, str], dict[str, str]] = {}
    for exercise, answer, submission in _answers(results):
        if answer.mistake and answer.status in ("failed", "error"):
            by_submission = made.setdefault((exercise, answer.name, answer.mistake), {})
            by_submission[submission] = answer.diagnosis
    mistakes = [
        Mistake(*key, Counter(diagnoses.values()).most_common(1)[0][0], tuple(diagnoses))
        for key, diagnoses in made.items()
    ]
    return sorted(mistakes, key=lambda item: (-len(item.submissions), item.exercise, item.name))


def _answers(
    results: Iterable[tuple[str, Result]],
) -> Iterable[tuple[str, AnswerResult, str]]:
    for name, result in results:
        for answer in result.answers:
            yield result.exercise or "", answer, name


def _figure(scores: Sequence[Scores]) -> str:
    """Return the score distribution, one panel per exercise, as the address of a PNG image."""
    import matplotlib.style
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    columns = min(len(scores), 3)
    rows = -(-len(scores) // columns)
    with matplotlib.style.context(_STYLE):
        figure = Figure(figsize=(3.3 * columns, 2.5 * rows), layout="constrained")
        axes = list(figure.subplots(rows, columns, squeeze=False).flat)
        for axis, item in zip(axes, scores, strict=False):
            width = item.max_score / BINS
            lefts = [number * width for number in range(BINS)]
            axis.bar(lefts, item.counts, width, align="edge", color="#4477AA", edgecolor="white")
            axis.axvline(item.mean, color="#AA3377", linestyle="--")
            axis.set(
                title=f"{item.exercise}: {sum(item.counts)} graded",
                xlabel=f"points of {item.max_score:g}",
                ylabel="submissions",
                xlim=(0, item.max_score),
            )
            axis.grid(visible=False, axis="x")
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
            axis.yaxis.set_major_locator(MaxNLocator(integer=True))
        for axis in axes[len(scores) :]:
            axis.remove()
        image = io.BytesIO()
        # no software version or date in the file: the same class gives the same page
        figure.savefig(image, format="png", dpi=144, metadata={"Software": None})
    return f"data:image/png;base64,{base64.b64encode(image.getvalue()).decode()}"
