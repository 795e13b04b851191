"""Similar submissions: copies are found, and what a class agrees on is not held against it."""

import itertools
import math
import random

import pytest

from gm_course.grading.results import AnswerResult, Result, WrittenResult
from gm_course.grading.similarity import SimilarPair, similar_pairs

LONG = "In whole sentences, with every step of the derivation. " * 5


def graded(codes, *, written="", exercise="13-1", status="needs_review"):
    """A result with these fingerprints, one letter for each answer; "-" is an answer without."""
    return Result(
        "graded",
        exercise=exercise,
        answers=tuple(
            AnswerResult(f"answer{i}", "passed", 1.0, 1.0, fingerprint=code.strip("-"))
            for i, code in enumerate(codes)
        ),
        written=(WrittenResult("written", status, 4.0, text=written),),
    )


def pairs(*results, **options):
    """The pairs as (position, position, answers, written)."""
    names = [f"{i}.ipynb" for i in range(len(results))]
    return [
        (
            names.index(pair.first),
            names.index(pair.second),
            tuple(int(name[len("answer") :]) for name in pair.answers),
            pair.is_written_same,
        )
        for pair in similar_pairs(list(zip(names, results, strict=True)), **options)
    ]


def others(count, answers=5):
    """Submissions that have nothing in common with any other."""
    return [graded([f"{i}:{k}" for k in range(answers)]) for i in range(count)]


def test_a_copy_among_a_hundred_is_found():
    found = similar_pairs(
        [
            ("a.ipynb", graded("abcde")),
            *((f"{i}.ipynb", result) for i, result in enumerate(others(98))),
            ("b.ipynb", graded("abcde")),
        ]
    )
    answers = tuple(f"answer{i}" for i in range(5))
    assert found == [SimilarPair("a.ipynb", "b.ipynb", "13-1", answers, is_written_same=False)]
    assert found.left_out == 0


@pytest.mark.parametrize(
    ("first", "second", "answers"),
    [
        ("abcde", "abcXY", (0, 1, 2)),
        ("abcde", "abXYZ", None),  # fewer than half
        ("abcd", "abXY", (0, 1)),
        ("abcde", "--cdX", (2, 3)),  # of the three that both have
        ("abcde", "----e", (4,)),
        ("a----", "-b---", None),
        ("-----", "-----", None),
    ],
)
def test_half_of_the_answers_that_both_have_must_be_the_same(first, second, answers):
    found = pairs(graded(first), graded(second), *others(50))
    assert found == ([(0, 1, answers, False)] if answers else [])


def test_one_answer_is_remarkable_while_no_more_than_three_have_it():
    alone = ["a----"] * 3
    assert len(pairs(*map(graded, alone), *others(50))) == 3
    assert pairs(*map(graded, [*alone, "a----"]), *others(50)) == []


def test_what_everybody_writes_counts_for_nothing():
    everybody = [graded(["a", "b", "c", f"{i}", f"{i}"]) for i in range(60)]
    assert pairs(*everybody) == []
    assert pairs(*[graded("abcde")] * 60) == []


def test_what_everybody_writes_does_not_hide_a_copy():
    class_ = [graded(["a", "b", "c", f"{i}", f"{i}"]) for i in range(60)]
    class_[7] = class_[31]
    assert pairs(*class_) == [(7, 31, (0, 1, 2, 3, 4), False)]


def test_a_ring_is_found_in_a_small_class():
    ring = [graded("abcdef")] * 4
    assert len(pairs(*ring, *others(6, answers=6))) == 6


@pytest.mark.parametrize("seed", range(5))
def test_independent_answers_give_next_to_no_noise(seed):
    # Each answer in one of eight ways, the commonest of them chosen by a third of the class.
    draw = random.Random(seed)
    ways = "abcdefgh"
    weights = [1 / (rank + 1) for rank in range(8)]
    class_ = [graded(draw.choices(ways, weights, k=6)) for _ in range(200)]
    assert len(pairs(*class_)) < 20  # of 19,900


def test_exercises_are_not_mixed():
    results = [graded("abc", exercise="13-1", written=LONG) for _ in range(2)]
    results += [graded("abc", exercise="13-3", written=LONG) for _ in range(2)]
    assert [pair[:2] for pair in pairs(*results)] == [(0, 1), (2, 3)]


def test_submissions_that_are_not_graded_are_left_aside():
    assert pairs(*[Result("unreadable", message=LONG)] * 2) == []
    assert pairs() == []


# --- written answers --------------------------------------------------------------------------


def test_the_same_written_answer_is_remarkable_by_itself():
    upper = LONG.upper().replace(" ", "\n\n  ")
    assert pairs(graded("ab", written=LONG), graded("cd", written=upper)) == [(0, 1, (), True)]
    # …however many have it
    assert len(pairs(*[graded("ab", written=LONG)] * 30)) == math.comb(30, 2)


def test_short_and_different_written_answers_are_not():
    assert pairs(*[graded("--", written="x" * 199)] * 2) == []
    assert pairs(*[graded("--", written="x" * 200)] * 2) == [(0, 1, (), True)]
    assert pairs(*[graded("--", written="x  " * 80)] * 2) == []  # 159 without the doubled spaces
    assert pairs(graded("--", written=LONG), graded("--", written=LONG + "!")) == []


def test_the_line_that_was_handed_out_is_no_written_answer():
    assert pairs(*[graded("--", written=LONG, status="empty")] * 2) == []


def test_any_text_will_do():
    assert len(pairs(*[graded("--", written="\ud800" * 300)] * 2)) == 1


# --- order and number -------------------------------------------------------------------------


def test_the_most_remarkable_come_first():
    class_ = [
        graded("abX--"),
        graded("abY--"),  # two answers as 0
        graded("cde--"),
        graded("cde--"),  # three answers as 2
        graded("-----", written=LONG),
        graded("-----", written=LONG),
        graded("---fg"),
        graded("---fg"),
        graded("---fg"),
        *others(20),
    ]
    found = pairs(*class_)
    assert [pair[:2] for pair in found] == [(4, 5), (2, 3), (0, 1), (6, 7), (6, 8), (7, 8)]


def test_a_thousand_copies_of_one_notebook_give_a_bounded_list():
    found = similar_pairs([(f"{i}", graded("abcdef", written=LONG)) for i in range(1000)])
    assert len(found) == 10_000
    assert found.left_out == math.comb(1000, 2) - 10_000
    assert len({(pair.first, pair.second) for pair in found}) == 10_000


def test_what_is_left_out_is_counted():
    class_ = [graded("aa"), graded("aa"), graded("bb"), graded("bb"), graded("bb")]
    named = list(enumerate([*class_, *others(30, answers=2)]))
    assert similar_pairs(named).left_out == 0
    found = similar_pairs(named, max_pairs=3)
    assert [(pair.first, pair.second) for pair in found] == [(0, 1), (2, 3), (2, 4)]
    assert found.left_out == 1


# --- the rule, written down once more without grouping and shortcuts --------------------------


def by_comparing_all(results):
    """What the rule says about each pair, with all that can happen by chance spelt out."""
    codes = [[answer.fingerprint for answer in result.answers] for result in results]
    everybody = list(itertools.combinations(range(len(results)), 2))

    def pairs_with(place, code=None):
        """Pairs that both have an answer, or both have it with this code."""
        return [
            pair
            for pair in everybody
            if all(codes[i][place] and codes[i][place] == (code or codes[i][place]) for i in pair)
        ]

    def nats(place, code):
        return round(math.log(len(pairs_with(place)) / len(pairs_with(place, code))), 2)

    outcomes = []
    for place in range(len(codes[0])):
        shared = {code for code in {row[place] for row in codes} - {""} if pairs_with(place, code)}
        chances = [(nats(place, code), len(pairs_with(place, code))) for code in sorted(shared)]
        nothing = len(everybody) - sum(number for _, number in chances)
        outcomes.append([(0.0, nothing), *chances])
    scored = [
        (sum(score for score, _ in chosen), math.prod(n / len(everybody) for _, n in chosen))
        for chosen in itertools.product(*outcomes)
    ]
    listed = {}
    for i, j in everybody:
        both = [k for k in range(len(codes[0])) if codes[i][k] and codes[j][k]]
        same = tuple(k for k in both if codes[i][k] == codes[j][k])
        written = results[i].written[0].text == results[j].written[0].text != ""
        remarkable = False
        if same and len(same) / len(both) >= 0.5:
            own = sum(nats(k, codes[i][k]) for k in same)
            by_chance = sum(chance for score, chance in scored if score > own - 0.001)
            remarkable = by_chance * len(everybody) < 3.000001
        if written or remarkable:
            listed[i, j] = (same, written)
    return listed


@pytest.mark.parametrize("seed", range(30))
def test_the_same_pairs_are_found_by_comparing_all_with_all(seed):
    draw = random.Random(seed)
    answers, ways = draw.randint(1, 5), draw.choice(["ab", "abc-", "aaaab", "abcdefgh"])
    texts = draw.choice([[""], ["", LONG], [LONG, LONG + "!"]])
    class_ = [
        graded(draw.choices(ways, k=answers), written=draw.choice(texts))
        for _ in range(draw.randint(2, 25))
    ]
    found = pairs(*class_)
    assert {pair[:2]: pair[2:] for pair in found} == by_comparing_all(class_)
    assert len(found) == len({pair[:2] for pair in found})
