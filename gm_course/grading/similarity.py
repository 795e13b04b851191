"""Pairs of submissions that are worth a look because their answers are the same."""

from __future__ import annotations

import bisect
import hashlib
import heapq
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gm_course.grading.results import Result

# So many pairs that agree by chance may be listed.
MOST_BY_CHANCE = 3.0
# Nobody finds as many letters in the same words again.
LEAST_WRITTEN = 200
MAX_PAIRS = 10_000

_SCORES_PER_NAT = 100


@dataclass(frozen=True)
class SimilarPair:
    """Two submissions of one exercise with the same answers.

    Attributes:
        first: The submission that comes first in the class.
        second: The other one.
        exercise: The exercise.
        answers: Names of the answers whose code is the same up to names and formatting.
        is_written_same: Whether the written answer is the same up to capitals and spaces.
    """

    first: str
    second: str
    exercise: str
    answers: tuple[str, ...]
    is_written_same: bool


class SimilarPairs(list[SimilarPair]):
    """The pairs found, the most remarkable first.

    Attributes:
        left_out: How many more there are, none of them more remarkable than these.
    """

    def __init__(self, pairs: Iterable[SimilarPair], *, left_out: int) -> None:
        super().__init__(pairs)
        self.left_out = left_out


def similar_pairs(
    results: Sequence[tuple[str, Result]], *, max_pairs: int = MAX_PAIRS
) -> SimilarPairs:
    """Find pairs of submissions whose answers are the same up to names and formatting.

    A hint to look, never a verdict. Two pieces of code are the same if their fingerprints are;
    answers without one, because they are missing or short, are left aside. A pair is listed if

    - the written answers are the same, capitals and spaces aside, and have at least 200 letters; or
    - the code of at least half of the answers that both have is the same, and that is no chance:
      in a class whose members answer each question independently, in each way as often as this
      class does, no more than three pairs would be expected to agree as remarkably.

    Agreeing in an answer is the more remarkable the fewer pairs do; it is measured in nats, as
    minus the logarithm of their share of all pairs that have the answer, and added up over the
    answers. So what everybody writes counts for nothing, a single answer that two or three have
    in common may be remarkable where this is rare, and several answers that are popular each by
    itself are remarkable when found together more often than by chance.

    Pairs with the same written answer come first, then the most remarkable ones.

    Args:
        results: Name and result of every submission of the class; exercises may be mixed.
        max_pairs: How many pairs to return at most.

    Returns:
        The pairs; :attr:`SimilarPairs.left_out` says how many more there are.
    """
    classes: dict[str, list[tuple[int, Result]]] = {}
    for position, (_, result) in enumerate(results):
        if result.exercise is not None:
            classes.setdefault(result.exercise, []).append((position, result))
    found = 0

    def matches() -> Iterator[_Match]:
        nonlocal found
        for exercise, members in classes.items():
            for match in _ExerciseClass(exercise, members).matches():
                found += match.size
                yield match

    best = heapq.nsmallest(max_pairs, matches(), key=lambda match: match.rank)
    pairs = ((match, pair) for match in best for pair in match.pairs())
    listed = [
        SimilarPair(
            first=results[first][0],
            second=results[second][0],
            exercise=match.exercise,
            answers=match.answers,
            is_written_same=match.is_written_same,
        )
        for match, (first, second) in itertools.islice(pairs, max_pairs)
    ]
    return SimilarPairs(listed, left_out=found - len(listed))


@dataclass(frozen=True)
class _Profile:
    """What of a submission is compared; copies share a profile.

    Attributes:
        codes: The fingerprint of each answer of the exercise, empty where there is none.
        written: Digest of the written answer; empty if that is short.
    """

    codes: tuple[str, ...]
    written: str


@dataclass(frozen=True)
class _Match:
    """All pairs of a submission with one profile and a submission with another, or the same one.

    Attributes:
        exercise: The exercise.
        answers: The answers that are the same.
        is_written_same: Whether the written answer is.
        score: How remarkable it is that the answers are the same.
        first: Positions of the submissions with the first profile.
        second: Positions of those with the other one; None if it is the same profile.
    """

    exercise: str
    answers: tuple[str, ...]
    is_written_same: bool
    score: int
    first: Sequence[int]
    second: Sequence[int] | None

    @property
    def rank(self) -> tuple[bool, int, int, tuple[int, int]]:
        """Smaller for what is more remarkable."""
        return not self.is_written_same, -self.score, -len(self.answers), next(self.pairs())

    @property
    def size(self) -> int:
        """Number of pairs."""
        if self.second is None:
            return math.comb(len(self.first), 2)
        return len(self.first) * len(self.second)

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Yield the positions of each pair, the smaller one first."""
        if self.second is None:
            yield from itertools.combinations(self.first, 2)
        else:
            for one, other in itertools.product(self.first, self.second):
                yield min(one, other), max(one, other)


class _ExerciseClass:
    """The submissions of one exercise, grouped by profile."""

    def __init__(self, exercise: str, members: Sequence[tuple[int, Result]]) -> None:
        self._exercise = exercise
        answers = (answer.name for _, result in members for answer in result.answers)
        self._names = list(dict.fromkeys(answers))
        groups: dict[_Profile, list[int]] = {}
        for position, result in members:
            groups.setdefault(_profile(result, self._names), []).append(position)
        self._profiles = list(groups)
        self._positions = list(groups.values())
        counts: list[Counter[str]] = [Counter() for _ in self._names]
        for profile, positions in groups.items():
            for count, code in zip(counts, profile.codes, strict=True):
                if code:
                    count[code] += len(positions)
        self._scores = [
            {code: _score(number, count.total()) for code, number in count.items()}
            for count in counts
        ]
        self._least_score = _least_score(counts, len(members))

    def matches(self) -> Iterator[_Match]:
        """Yield what is to be listed."""
        for number, related in enumerate(self._related()):
            for other in related:
                match = self._match(number, other)
                if match is not None:
                    yield match

    def _match(self, number: int, other: int) -> _Match | None:
        one, two = self._profiles[number], self._profiles[other]
        both = [place for place, code in enumerate(one.codes) if code and two.codes[place]]
        same = [place for place in both if one.codes[place] == two.codes[place]]
        score = sum(self._scores[place][one.codes[place]] for place in same)
        is_written_same = one.written == two.written != ""
        is_remarkable = bool(same) and 2 * len(same) >= len(both) and score >= self._least_score
        if not (is_written_same or is_remarkable):
            return None
        return _Match(
            exercise=self._exercise,
            answers=tuple(self._names[place] for place in same),
            is_written_same=is_written_same,
            score=score,
            first=self._positions[number],
            second=None if number == other else self._positions[other],
        )

    def _related(self) -> Iterator[Sequence[int]]:
        """Yield for each profile those that may match it, from itself on.

        No sum is large unless one of the scores is. So a common answer alone relates nobody, and a
        class in which all answer alike is not compared all to all.
        """
        least = self._least_score / max(1, len(self._names))
        telling = []
        for profile in self._profiles:
            items = [item for item in enumerate(profile.codes) if item[1]]
            items = [item for item in items if self._scores[item[0]][item[1]] >= least]
            telling.append([*items, (-1, profile.written)] if profile.written else items)
        having: dict[tuple[int, str], list[int]] = {}
        for number, items in enumerate(telling):
            for item in items:
                having.setdefault(item, []).append(number)
        for number, items in enumerate(telling):
            related = {number} if len(self._positions[number]) > 1 else set()
            for item in items:
                numbers = having[item]
                related.update(numbers[bisect.bisect_right(numbers, number) :])
            yield sorted(related)


def _score(number: int, total: int) -> int:
    """Return how remarkable it is that a pair agrees in an answer.

    Args:
        number: How many have this code.
        total: How many have code for this answer.
    """
    if number < 2:
        return 0  # there is no pair
    nats = math.log(math.comb(total, 2) / math.comb(number, 2))
    return round(_SCORES_PER_NAT * nats)


def _least_score(counts: Sequence[Counter[str]], size: int) -> int:
    """Return the score that no more than three pairs of a class would be expected to reach.

    Args:
        counts: For each answer how many have which code.
        size: Number of submissions.
    """
    pairs = math.comb(size, 2)
    chances = {0: 1.0}  # of each score that two submissions can have together
    for count in counts:
        gains: Counter[int] = Counter()
        for number in count.values():
            gains[_score(number, count.total())] += math.comb(number, 2)
        gains[0] += pairs - gains.total()
        longer: dict[int, float] = {}
        for score, chance in chances.items():
            for gain, number in gains.items():
                together = score + gain
                longer[together] = longer.get(together, 0.0) + chance * number / max(1, pairs)
        chances = longer
    expected = 0.0
    least = max(chances) + 1
    for score in sorted(chances, reverse=True):
        expected += chances[score] * pairs
        if expected > MOST_BY_CHANCE + 1e-9:  # rounding
            break
        least = score
    return least


def _profile(result: Result, names: Sequence[str]) -> _Profile:
    codes = {answer.name: answer.fingerprint for answer in result.answers}
    texts = (written.text for written in result.written if written.status == "needs_review")
    words = " ".join(" ".join(texts).casefold().split())
    digest = hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()
    return _Profile(
        codes=tuple(codes.get(name, "") for name in names),
        written=digest if len(words) >= LEAST_WRITTEN else "",
    )
