"""The check of one answer: cases, what to expect of them, misconceptions, and the judge.

How to write the checks of an exercise (``ex13_2.py`` is the model)::

    def _cases(dtype: torch.dtype) -> Iterator[Case]:
        mu = normal(1, (3, 2), dtype=dtype)                        # seed, shape
        exact, scale = ...                                         # an oracle on wide(mu)
        yield Case(
            label="typical values",                                # kind of input, for messages
            call=Call({"mu": mu}, keywords={"baseline": 0.5}),     # names serve the messages only
            expected=Values(narrow(exact), rounding(dtype, scale), dtype),
        )

    EXERCISE = Exercise("13-2", checks=(AnswerCheck(
        name="gaussian_kl", points=2.0,
        meaning="the KL divergence of each example, in nats",      # said when a value is wrong
        hint="Which terms …?",                                     # when no mistake is recognised
        build_cases=in_both_dtypes(_cases),
        misconceptions=(Misconception("var-as-std", "…", "…", _var_as_std), …),
    ), …), written_points=4.0)

- Expected results: ``Values(values, tolerance, dtype)`` a tensor; ``Number(value, tolerance,
  dtype)`` a float; ``Items({"a": …, "b": …})`` a tuple; ``Entries({1: …, 2: …})`` a dict whose
  keys are parts; ``Rule(form, broken_by, requirement)`` where many results are right, on top of
  ``AnyTensor(shape, dtype)``, ``AnyNumber()`` or any of the above. An interval of right values is
  a ``Values`` with its middle and half its width.
- Where one mistake can lead to many results too: ``Rule(…, residuals=…)`` says what to compare,
  or ``Misconception(…, shows_in=…)`` tells from the failing calls whether it was made.
- Oracles are independent of the worked solution. From ``inputs``: ``normal``, ``uniform``,
  ``log_uniform``; ``wide`` gives NumPy's extended precision, ``narrow`` a float64 tensor of it;
  ``rounding(dtype, scale)`` is k·eps·scale: derive the scale from conditioning in a comment.
  ``gaussians`` has covariances, and KL oracles with their scales.
- Put typical cases first, and start their labels with "typical": the first failing case is the
  one the student is shown, and an answer that gets only other labels wrong is told so.
- Derivatives: ``Call(…, derivative=Derivative("logits", weights))`` and the case's
  ``expected_gradient``; a detached result is then a finding of its own.
- Partial points: ``AnswerCheck(parts=("1", "2"))`` with ``Case(part="1")``, or Entries; each part
  is worth the same, and a ``Misconception(part="1")`` is about that part only.
- A misconception's ``formula`` is a wrong answer; the checks' tests fail if two of one check
  cannot be told apart. Wrong type, length, shape, dtype, device, NaN, None, exceptions, in-place
  changes and float32 rounding are recognised without being listed.

``check.grade(function)`` gives the :class:`~gm_course.checks.verdict.Verdict`. A grader instead
sends ``case.call`` of every case to another process, calls
:func:`gm_course.checks.calls.collect` there and hands the responses to ``check.judge(responses)``
here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from gm_course.checks import verdict
from gm_course.checks.calls import Call, Response, collect
from gm_course.checks.comparison import Finding, compare, describe
from gm_course.checks.expected import Expected, Values
from gm_course.checks.misconceptions import Misconception, Recogniser
from gm_course.checks.verdict import GENERIC_HINTS, Problem, Verdict
from gm_course.errors import ArgumentError

# A finding explains those that come after it in this order; those in one row are equals.
_STAGES = (
    ("raised", "missing"),
    ("none", "type", "length", "keys", "device"),
    ("shape",),
    ("dtype",),
    ("modified",),
    ("nonfinite", "value", "rule", "detached", "gradient"),
)
_RANK = {kind: rank for rank, kinds in enumerate(_STAGES) for kind in kinds}
# A misconception about the mathematics may show in any of these.
_MATHEMATICAL = ("type", "length", "keys", "shape", "nonfinite", "value", "rule")
# For these it helps to know which inputs they happen on.
_ON_SOME_INPUTS = ("raised", "nonfinite", "value", "rule", "gradient")
_MAX_LABELS = 3


@dataclass(frozen=True, eq=False)
class Case:
    """One call and what it should do.

    Attributes:
        label: The kind of input, for people: ``"variances near 1e-6"``.
        call: The call.
        expected: What its result should be.
        expected_gradient: What its derivative should be, if the call asks for one.
        part: The part of the check it belongs to.
    """

    label: str
    call: Call
    expected: Expected
    expected_gradient: Values | None = None
    part: str = ""


def in_both_dtypes(
    build: Callable[[torch.dtype], Iterable[Case]],
) -> Callable[[], list[Case]]:
    """Return a ``build_cases`` that makes the cases of one dtype, float32 and then float64."""
    return lambda: [case for dtype in (torch.float32, torch.float64) for case in build(dtype)]


@dataclass(frozen=True, eq=False)
class AnswerCheck:
    """Everything known about one answer.

    Attributes:
        name: The function's name in the contract.
        points: What it is worth.
        meaning: What the result is, in words.
        hint: The hint when no misconception is recognised.
        build_cases: Makes the cases; called once per process, with the CPU as default device.
        misconceptions: The mistakes it recognises.
        parts: Names of the parts that earn points separately; one nameless part by default.
    """

    name: str
    points: float
    meaning: str
    hint: str
    build_cases: Callable[[], Sequence[Case]]
    misconceptions: tuple[Misconception, ...]
    parts: tuple[str, ...] = ("",)

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        """The cases, typical ones first."""
        with torch.device("cpu"), torch.inference_mode(False):
            return tuple(self.build_cases())

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """The calls of the cases, for :func:`gm_course.checks.calls.collect`."""
        return tuple(case.call for case in self.cases)

    def grade(self, function: Callable[..., object]) -> Verdict:
        """Call the function on every case, in this process, and judge what it did."""
        return self.judge(collect(function, self.calls))

    def judge(self, responses: Sequence[Response]) -> Verdict:
        """Return the verdict on the responses to ``calls``, in their order.

        Args:
            responses: One per call; fewer if the run ended early.

        Raises:
            ArgumentError: If there are more responses than calls.
        """
        if len(responses) > len(self.cases):
            raise ArgumentError(
                f"judge: responses must number at most {len(self.cases)}, one per call; "
                f"got {len(responses)}. Send the calls of this check only."
            )
        if responses and responses[0].raised and responses[0].is_not_attempted:
            return verdict.not_attempted(self.name, self.points, responses[0].raised.message)
        with torch.no_grad():
            found = self._findings(responses)
            if not found:
                return verdict.passed(self.name, self.points)
            spoilt = {part: self._concerning(part, found) for part in self.parts}
            spoilt = {part: items for part, items in spoilt.items() if items}
            problems = [self._problem(part, items, responses) for part, items in spoilt.items()]
            return verdict.wrong(
                self.name,
                self.points,
                problems,
                fraction=1 - len(spoilt) / len(self.parts),
                raised=any(item.kind == "raised" for _, item in found),
            )

    @cached_property
    def _recogniser(self) -> Recogniser:
        return Recogniser(self.misconceptions, self.calls, [case.expected for case in self.cases])

    def _findings(self, responses: Sequence[Response]) -> list[tuple[int, Finding]]:
        """Everything wrong, with the index of its case; run-ending errors only once."""
        found = [
            (index, finding)
            for index, (case, response) in enumerate(zip(self.cases, responses, strict=False))
            for finding in _case_findings(case, response)
        ]
        if not found and len(responses) < len(self.cases):
            missing = Finding("missing", "nothing: the run ended before it did", "a result")
            found.append((len(responses), missing))
        return found

    def _concerning(
        self, part: str, found: Sequence[tuple[int, Finding]]
    ) -> list[tuple[int, Finding]]:
        """The findings that spoil a part: its own and those that belong to no part."""
        concerning = []
        for index, finding in found:
            own = finding.part or self.cases[index].part
            if own == part or own not in self.parts:
                concerning.append((index, finding))
        return concerning

    def _problem(
        self,
        part: str,
        found: Sequence[tuple[int, Finding]],
        responses: Sequence[Response],
    ) -> Problem:
        index, finding = min(
            found, key=lambda item: (_RANK[item[1].kind], item[1].is_near, item[0])
        )
        cases = [i for i, other in enumerate(self.cases) if other.part in ("", part)]
        failing = {i for i, item in found if _RANK[item.kind] == _RANK[finding.kind]}
        case = self.cases[index]
        misconception = None
        if finding.kind in _MATHEMATICAL and len(responses) == len(self.cases):
            misconception = self._recogniser.recognise(
                responses, shown=index, failing={i for i, _ in found}, cases=cases, part=part
            )
        if misconception:
            mistake, looks_like = misconception.name, misconception.diagnosis
            hint = misconception.hint
        else:
            mistake, looks_like, topic = self._without_misconception(finding, found, cases)
            hint = GENERIC_HINTS.get(topic, self.hint)
        return Problem(
            mistake,
            looks_like,
            hint,
            called=f"{case.call.describe(self.name)}, {case.label}",
            returned=finding.returned,
            expected=self._expectation(finding),
            fails_on=self._scope(failing, cases) if finding.kind in _ON_SOME_INPUTS else "",
            entries=(finding.part,) if finding.part else (),
        )

    def _without_misconception(
        self, finding: Finding, found: Sequence[tuple[int, Finding]], cases: Sequence[int]
    ) -> tuple[str, str, str]:
        """Mistake, what it looks like, and topic of the hint where the mathematics says nothing."""
        wrong = {i for i, _ in found}
        # Small errors on typical inputs often come with the large ones elsewhere: a constant
        # added for safety does both.
        worst = {i for i, item in found if not item.is_near} or wrong
        typical = {i for i in cases if self._is_typical(i, first=cases[0])}
        if finding.kind == "value" and not worst & typical and 2 * len(worst) < len(cases):
            merit = "is close" if wrong & typical else "holds"
            topic = "special-inputs"
            return topic, f"an answer that {merit} on typical inputs only", topic
        if all(item.is_near for _, item in found):
            if wrong & typical and all(item.is_float32 for _, item in found):
                return "precision", "float32 arithmetic on float64 inputs", "float32"
            return "precision", "fewer digits than float64 has", "precision"
        return finding.kind, "", finding.topic or finding.kind

    def _is_typical(self, index: int, *, first: int) -> bool:
        label = self.cases[index].label
        return label.startswith("typical") or label == self.cases[first].label

    def _expectation(self, finding: Finding) -> str:
        if finding.kind in ("value", "nonfinite"):
            return f"{self.meaning}, {finding.expected}"
        return finding.expected

    def _scope(self, failing: set[int], cases: Sequence[int]) -> str:
        """Say on which kinds of input it fails, if that is not all of them; "" of one case."""
        if len(cases) == 1:
            return ""
        counted = f"{len(failing)} of {len(cases)} inputs"
        labels = dict.fromkeys(self.cases[i].label for i in sorted(failing))
        if len(failing) == len(cases) or len(labels) > _MAX_LABELS:
            return counted
        return f"{counted}: {'; '.join(labels)}"


@dataclass(frozen=True, eq=False)
class Exercise:
    """The checks of one exercise.

    Attributes:
        number: ``"13-1"`` … ``"13-6"``.
        checks: One per answer, in the notebook's order.
        written_points: What the written answer, graded by a person, is worth.
    """

    number: str
    checks: tuple[AnswerCheck, ...]
    written_points: float

    @property
    def written_name(self) -> str:
        """The ``grade_id`` of the written answer: ``"written_13_2"``."""
        return f"written_{self.number.replace('-', '_')}"

    @property
    def max_score(self) -> float:
        """Points of the automatically graded answers together."""
        return sum(check.points for check in self.checks)


def _case_findings(case: Case, response: Response) -> list[Finding]:
    raised = response.raised
    if raised:
        where = f" at line {raised.line}" if raised.line else ""
        during = {"reading": " when its result was read", "differentiating": " in backward"}
        text = f"{raised.class_name}{where}{during.get(raised.during, '')}"
        message = f": {raised.message}" if raised.message else ""
        return [Finding("raised", f"nothing: it raised {text}{message}", describe(case.expected))]
    found = compare(case.expected, response.value)
    if response.modified:
        changed = ", ".join(response.modified)
        found.append(
            Finding("modified", f"with {changed} changed in place", "inputs left as they were")
        )
    elif response.grad_switched:
        switched = f"with requires_grad set on {', '.join(response.grad_switched)}"
        found.append(
            Finding("modified", switched, "inputs left as they were", topic="requires-grad")
        )
    if case.expected_gradient is not None and not found:
        found = _gradient_findings(case.expected_gradient, response)
    return found


def _gradient_findings(expected: Values, response: Response) -> list[Finding]:
    if response.gradient is None:
        differentiable = "a result that can be differentiated"
        return [Finding("detached", "a result cut off from its inputs", differentiable)]
    return [
        Finding(
            "gradient",
            f"a result whose gradient has {item.returned}",
            "the exact gradient",
            topic=item.kind,
        )
        for item in compare(expected, response.gradient)
    ]
