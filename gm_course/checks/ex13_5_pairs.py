"""Checks of exercise 13-5's pairs of points: ``steep_pair`` and ``near_extremal_pair``.

Many pairs are right, so a pair is judged by the slope of its chord, exactly: the returned floats
are fractions, and square roots are compared by squaring. For the same reason a mistake is
recognised by what the wrong pairs have in common, not by comparing them with one wrong pair.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from gm_course.checks.calls import Call, Response
from gm_course.checks.comparison import compare
from gm_course.checks.engine import AnswerCheck, Case
from gm_course.checks.expected import AnyNumber, Items, Rule
from gm_course.checks.misconceptions import Failure, Misconception

_INTERVALS = {1: (-1, 1), 4: (0, 1)}  # 2 and 3 are defined on all of R
_DOMAINS = {1: "[−1, 1]", 2: "R", 3: "R", 4: "[0, 1]"}
_NAMES = {1: "x² on [−1, 1]", 2: "x² on R", 3: "√(x² + 1) on R", 4: "√x on [0, 1]"}
_LARGEST_SLOPES = {1: 2, 3: 1}
_PAIR = Items({"a": AnyNumber(), "b": AnyNumber()})

# --- chords, exactly --------------------------------------------------------------------------


def chord_excess(number: int, a: Fraction, b: Fraction, slope: Fraction) -> int:
    """Return the sign of ``|f(a) − f(b)| − slope·|a − b|`` for ``a ≠ b``, without rounding.

    Example:
        >>> chord_excess(4, Fraction(0), Fraction(1, 9), Fraction(3))
        0
    """
    # Divided by |a − b|, the first term is |a + b| for x², 1 / (√a + √b) for √x, and
    # |a + b| / (f(a) + f(b)) for √(x² + 1).
    if number == 3:
        return _excess_over_roots(abs(a + b), slope, a * a + 1, b * b + 1)
    if number == 4:
        return _excess_over_roots(Fraction(1), slope, a, b)
    return _sign(abs(a + b) - slope)


def _excess_over_roots(value: Fraction, factor: Fraction, first: Fraction, second: Fraction) -> int:
    """Sign of ``value − factor·(√first + √second)``; ``value ≥ 0`` and a root that is not 0."""
    if factor <= 0:
        return 1 if factor < 0 else _sign(value)
    rest = (value / factor) ** 2 - first - second  # to be compared with 2·√(first·second)
    return -1 if rest < 0 else _sign(rest**2 - 4 * first * second)


def _sign(value: Fraction) -> int:
    return (value > 0) - (value < 0)


def _is_inside(number: int, a: float, b: float) -> bool:
    low, high = _INTERVALS.get(number, (-math.inf, math.inf))
    return low <= a <= high and low <= b <= high


def _pair_rule(number: int, slope: Fraction, *, is_strict: bool, wanted: str) -> Rule:
    """Expect a pair whose chord is as steep as ``slope``, or steeper if that is strict."""

    def broken_by(pair: tuple[float, float]) -> str:
        points = f"the points {float(pair[0]):.4g} and {float(pair[1]):.4g}"
        if not _is_inside(number, *pair):
            return f"{points}, not both in {_DOMAINS[number]}"
        a, b = Fraction(pair[0]), Fraction(pair[1])
        if a == b:
            return f"{points}, which are the same"
        if chord_excess(number, a, b, slope) < (1 if is_strict else 0):
            return f"{points}, whose slope is not {wanted}"
        return ""

    requirement = f"two different points of {_DOMAINS[number]} whose slope is {wanted}, exactly"
    return Rule(_PAIR, broken_by, requirement)


# --- mistakes, by what the pairs have in common -----------------------------------------------


class _Attempt(NamedTuple):
    """A wrong pair, and the slope or eps that it was meant for."""

    number: int
    asked: float
    a: float
    b: float

    @property
    def slope(self) -> float:
        """Slope of the chord, to a few digits."""
        rise = abs(self.a + self.b)
        if self.number == 3:
            return rise / (math.hypot(self.a, 1) + math.hypot(self.b, 1))
        return 1 / (math.sqrt(self.a) + math.sqrt(self.b)) if self.number == 4 else rise

    @property
    def deficit(self) -> float:
        """How far the chord's slope lies below the largest possible one."""
        return _LARGEST_SLOPES[self.number] - self.slope


def _attempt(call: Call, response: Response) -> _Attempt | None:
    match response.value:
        case (float() | int() as a, float() | int() as b) if not compare(_PAIR, response.value):
            number, asked = call.arguments.values()
            assert isinstance(number, int)
            assert isinstance(asked, float)
            return _Attempt(number, asked, float(a), float(b))
    return None


def _in_pairs(is_made: Callable[[Sequence[_Attempt]], bool]) -> Callable[[Sequence[Failure]], bool]:
    """Make a ``shows_in`` of a predicate on the wrong pairs; anything but pairs shows nothing."""

    def shows_in(failures: Sequence[Failure]) -> bool:
        attempts = [_attempt(call, response) for call, response in failures]
        pairs = [attempt for attempt in attempts if attempt is not None]
        return len(pairs) == len(attempts) and is_made(pairs)

    return shows_in


def _is_same_point(attempts: Sequence[_Attempt]) -> bool:
    return attempts[0].a == attempts[0].b


def _is_outside(attempts: Sequence[_Attempt]) -> bool:
    first = attempts[0]
    return not _is_inside(first.number, first.a, first.b)


def _is_horizontal(attempts: Sequence[_Attempt]) -> bool:
    return attempts[0].a == -attempts[0].b != 0


def _is_fixed(attempts: Sequence[_Attempt]) -> bool:
    return len(attempts) > 1 and len({(item.a, item.b) for item in attempts}) == 1


def _exponent(attempts: Sequence[_Attempt], measure: Callable[[_Attempt], float]) -> float:
    """The p in ``measure ~ asked^p``, from the smallest to the largest asked; NaN if none."""
    usable = [item for item in attempts if _is_inside(item.number, item.a, item.b)]
    usable = sorted((item for item in usable if item.a != item.b), key=lambda item: item.asked)
    if not usable or usable[0].asked == usable[-1].asked:
        return math.nan
    low, high = measure(usable[0]), measure(usable[-1])
    if not (0 < low < math.inf and 0 < high < math.inf):
        return math.nan
    ratio = usable[-1].asked / usable[0].asked
    return (math.log(high) - math.log(low)) / math.log(ratio)


# --- steep_pair -------------------------------------------------------------------------------

# Below 1 the domain of √x limits how far apart its points may be. The reciprocals of the squares
# of these numbers are rounded in both directions.
_SLOPES = (3.0, 10.0, 0.7, 1.0, 123.456, 1e3, 0.5, 1 / 3, 0.1, 1e-3, 1e-6, 2.0, 1e6, 7.3e8, 1e9)


def _steep_cases() -> Iterator[Case]:
    for number in (2, 4):
        for slope in _SLOPES:
            rule = _pair_rule(
                number, Fraction(slope), is_strict=True, wanted="above the one asked for"
            )
            call = Call({"number": number, "slope": slope})
            size = "at most 1" if slope <= 1 else "moderate" if slope < 1e3 else "large"
            yield Case(f"{_NAMES[number]}, slope {size}", call, rule, part=str(number))


STEEP_PAIR = AnswerCheck(
    name="steep_pair",
    points=2.0,
    meaning="two points with a slope above the one asked for",
    hint="Write down the slope between a and b, simplified, and see which points make it large.",
    build_cases=lambda: list(_steep_cases()),
    parts=("2", "4"),
    misconceptions=(
        Misconception(
            "same-point",
            "two points that are one and the same",
            "A chord needs two ends. Close to a large float there may be no other float: is what "
            "you add larger than the spacing of floats there?",
            lambda number, slope: (0.5, 0.5),
            shows_in=_in_pairs(_is_same_point),
        ),
        Misconception(
            "outside-domain",
            "a point outside the domain [0, 1]",
            "Number 4 is a function on [0, 1] only. What if the slope asked for is small?",
            lambda number, slope: {2: (0.0, 2 * slope), 4: (0.0, 1 / (4 * slope**2))}[number],
            part="4",
            shows_in=_in_pairs(_is_outside),
        ),
        Misconception(
            "horizontal",
            "mirror images a = −b, between which x² does not change at all",
            "Draw the chord between your two points on the parabola.",
            lambda number, slope: {2: (-2 * slope, 2 * slope), 4: (0.0, min(1.0, 0.25 / slope**2))}[
                number
            ],
            part="2",
            shows_in=_in_pairs(_is_horizontal),
        ),
        Misconception(
            "fixed-pair",
            "one pair of points for every slope",
            "One pair only refutes one constant. Let the points depend on `slope`.",
            lambda number, slope: {2: (3.0, 5.0), 4: (0.0, 0.01)}[number],
            shows_in=_in_pairs(_is_fixed),
        ),
        Misconception(
            "equal-slope",
            "a chord with just the slope asked for, not a larger one",
            "The slope has to be exceeded, and rounding must not spoil it: leave some room.",
            lambda number, slope: {2: (0.0, slope), 4: (0.0, min(1.0, 1 / slope**2))}[number],
            shows_in=_in_pairs(
                lambda attempts: math.isclose(attempts[0].slope, attempts[0].asked, rel_tol=1e-6)
            ),
        ),
        Misconception(
            "short-by-a-factor",
            "a slope that is a fixed fraction of the one asked for",
            "Did you make the derivative at one end that large? Between the ends it is another "
            "matter: use the slope of the chord itself.",
            lambda number, slope: {2: (0.0, slope / 2), 4: (0.0, min(1.0, 4 / slope**2))}[number],
            shows_in=_in_pairs(
                lambda attempts: 0.9 < _exponent(attempts, lambda item: item.slope) < 1.1
            ),
        ),
        Misconception(
            "grows-too-slowly",
            "a slope that grows more slowly than the one asked for",
            "Solve for the point again: is there a square, or a square root, too few or too many?",
            lambda number, slope: {2: (0.0, math.sqrt(slope) / 2), 4: (0.0, min(1.0, 2 / slope))}[
                number
            ],
            shows_in=_in_pairs(
                lambda attempts: 0.25 < _exponent(attempts, lambda item: item.slope) <= 0.9
            ),
        ),
        Misconception(
            "wrong-place",
            "points that move to where the function is flat, or no steeper than elsewhere",
            "In the figure at the top, where on the curve do chords get steeper and steeper?",
            lambda number, slope: {2: (0.0, 1 / slope), 4: (1.0, slope / (1 + slope))}[number],
            shows_in=_in_pairs(
                lambda attempts: _exponent(attempts, lambda item: item.slope) <= 0.25
            ),
        ),
    ),
)

# --- near_extremal_pair -----------------------------------------------------------------------

# Up to the constant itself and beyond, where any chord is steep enough: the points must still lie
# in the domain. 1 − eps is rounded in both directions.
_EPSILONS = (0.1, 1e-2, 0.3, 1e-3, 0.5, 1e-4, 3e-5, 1e-6, 0.9, 7e-8, 1e-9, 3e-10, 1e-11, 1e-12)


def _extremal_cases() -> Iterator[Case]:
    for number, largest in _LARGEST_SLOPES.items():
        for eps in (*_EPSILONS, float(largest), 10.0):
            rule = _pair_rule(
                number,
                largest - Fraction(eps),
                is_strict=False,
                wanted="at least the smallest constant minus eps",
            )
            call = Call({"number": number, "eps": eps})
            size = "moderate" if eps >= 1e-3 else "small"
            yield Case(f"{_NAMES[number]}, eps {size}", call, rule, part=str(number))


NEAR_EXTREMAL_PAIR = AnswerCheck(
    name="near_extremal_pair",
    points=3.0,
    meaning="two points with a slope within eps of the smallest constant",
    hint="Write down the slope between a and b, simplified, and how much it falls short of the "
    "constant; then choose points for which that is at most eps.",
    build_cases=lambda: list(_extremal_cases()),
    parts=("1", "3"),
    misconceptions=(
        Misconception(
            "same-point",
            "two points that are one and the same",
            "A chord needs two ends. Floats are not dense: is what you add or take away larger "
            "than their spacing there?",
            lambda number, eps: (1.0, 1.0),
            shows_in=_in_pairs(_is_same_point),
        ),
        Misconception(
            "outside-domain",
            "a point outside the domain [−1, 1]",
            "Number 1 is a function on [−1, 1] only. From which side may you approach its ends?",
            lambda number, eps: {1: (1.0, 1.0 + eps / 2), 3: (1 / eps, 2 / eps)}[number],
            part="1",
            shows_in=_in_pairs(_is_outside),
        ),
        Misconception(
            "horizontal",
            "mirror images a = −b, between which the function does not change at all",
            "Both functions are even. Draw the chord between your two points.",
            lambda number, eps: {1: (-1.0, 1.0), 3: (-1 / eps, 1 / eps)}[number],
            shows_in=_in_pairs(_is_horizontal),
        ),
        Misconception(
            "fixed-pair",
            "one pair of points for every eps",
            "However steep one chord is, it does not show that no smaller constant would do. Let "
            "the points depend on `eps`.",
            lambda number, eps: {1: (0.95, 1.0), 3: (1e3, 2e3)}[number],
            shows_in=_in_pairs(_is_fixed),
        ),
        Misconception(
            "on-the-edge",
            "a chord that misses the bound by a rounding error",
            "On paper your pair attains constant − eps exactly; rounded to floats it may lie on "
            "either side. Leave some room.",
            lambda number, eps: {1: (1.0, 1.0 - eps), 3: (1 / eps, 2 / eps)}[number],
            shows_in=_in_pairs(
                lambda attempts: math.isclose(attempts[0].deficit, attempts[0].asked, rel_tol=1e-3)
            ),
        ),
        Misconception(
            "short-by-a-factor",
            "a slope that falls short by a fixed multiple of eps",
            "You have the right idea; count how much each of the two points costs.",
            lambda number, eps: {
                1: (1 - 0.4 * eps, 1 - eps),
                3: (1 / math.sqrt(8 * eps), 2 / math.sqrt(8 * eps)),
            }[number],
            shows_in=_in_pairs(
                lambda attempts: 0.9 < _exponent(attempts, lambda item: item.deficit) < 1.1
            ),
        ),
        Misconception(
            "shrinks-too-slowly",
            "a slope that approaches the constant more slowly than eps goes to zero",
            "How does what is missing depend on where the points are? Compare its power with the "
            "one you assumed.",
            lambda number, eps: {1: (1.0, 1 - math.sqrt(eps)), 3: (0.0, 1 / math.sqrt(eps))}[
                number
            ],
            shows_in=_in_pairs(
                lambda attempts: 0.25 < _exponent(attempts, lambda item: item.deficit) <= 0.9
            ),
        ),
        Misconception(
            "wrong-place",
            "points near which the function is flat, or no steeper than elsewhere",
            "In the figure at the top, where on the curve are the chords steepest?",
            lambda number, eps: (0.0, eps / 2),
            shows_in=_in_pairs(
                lambda attempts: _exponent(attempts, lambda item: item.deficit) <= 0.25
            ),
        ),
    ),
)
