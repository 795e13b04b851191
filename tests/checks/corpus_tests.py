"""Tests of one exercise's corpus: right answers pass, wrong ones get their own diagnosis.

A corpus is a file ``corpus_13_x.py`` beside this one with

- ``CORRECT``: function name → at least three right answers in different styles;
- ``WRONG``: function name → at least five ``(label, answer, expected mistake)``;
- ``TEXTS``: (function name, label of a wrong answer) → the complete verdict.

Generic sabotages of the first right answer (wrong type, shape, dtype …) are applied to all.
Each exercise has a file of its own, so that two processes can share the work.
"""

import functools
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from gm_course.checks import AnswerCheck, exercise
from gm_course.checks.expected import AnyNumber, AnyTensor, Entries, Items, Number, Rule, Values
from gm_course.checks.verdict import GENERIC_HINTS


def load_corpus(number):
    path = Path(__file__).parent / f"corpus_{number.replace('-', '_')}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True, eq=False)
class Subject:
    """One check and its part of the corpus."""

    check: AnswerCheck
    right: tuple
    wrong: dict  # label → (answer, expected mistake)
    texts: dict  # label → complete verdict

    @functools.cache  # noqa: B019
    def grade(self, answer):
        return self.check.grade(answer)

    @functools.cached_property
    def results(self):
        """What the first right answer returns on each case."""
        results = []

        def remembering(*arguments, **keywords):
            results.append(self.right[0](*arguments, **keywords))
            return results[-1]

        assert self.check.grade(remembering).status == "passed"
        return results

    def sabotaged(self, spoil):
        """An answer that returns the first right one's results, spoilt; for one grading."""
        results = iter(self.results)
        return lambda *arguments, **keywords: spoil(next(results))


@functools.cache
def subjects(number):
    corpus = load_corpus(number)
    checks = exercise(number).checks
    assert list(corpus.CORRECT) == list(corpus.WRONG) == [check.name for check in checks]
    return [
        Subject(
            check,
            tuple(corpus.CORRECT[check.name]),
            {label: (answer, mistake) for label, answer, mistake in corpus.WRONG[check.name]},
            {label: text for (name, label), text in corpus.TEXTS.items() if name == check.name},
        )
        for check in checks
    ]


# --- what a verdict may show ------------------------------------------------------------------

NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:e[-+]?\d+)?")


def _rows(text):
    """(label, text) of each row below the headline."""
    rows = []
    for line in text.splitlines()[1:]:
        label, rest = line[2:13].strip(), line[13:]
        if label:
            rows.append([label, rest])
        else:
            rows[-1][1] += " " + rest
    return rows


def _digits(token):
    return len(token.split("e")[0].replace(".", "").strip("0"))


def _exact_numbers(expected):
    match expected:
        case Values():
            return [float(value) for value in expected.values.reshape(-1)]
        case Number():
            return [expected.value]
        case Items():
            return [x for item in expected.items.values() for x in _exact_numbers(item)]
        case Entries():
            return [x for item in expected.entries.values() for x in _exact_numbers(item)]
        case Rule():
            return _exact_numbers(expected.form)
        case AnyTensor() | AnyNumber():
            return []


# --- the cases themselves ---------------------------------------------------------------------


def _leaves(expected):
    match expected:
        case Items():
            return [leaf for item in expected.items.values() for leaf in _leaves(item)]
        case Entries():
            return [leaf for item in expected.entries.values() for leaf in _leaves(item)]
        case Rule():
            return _leaves(expected.form)
        case _:
            return [expected]


# --- answers made from others -----------------------------------------------------------------


def _completed(subject, misconception):
    """A misconception about one part, made an answer that is right about the others."""
    if not misconception.part:
        return misconception.formula
    cases = iter(zip(subject.check.cases, subject.results, strict=True))

    def answer(*arguments, **keywords):
        case, right = next(cases)
        if not isinstance(right, dict):
            is_about = case.part == misconception.part
            return misconception.formula(*arguments, **keywords) if is_about else right
        return {**right, **misconception.formula(*arguments, **keywords)}

    return answer


def _mapped(result, on_tensor, on_number):
    if isinstance(result, torch.Tensor):
        return on_tensor(result)
    if isinstance(result, dict):
        return {key: _mapped(item, on_tensor, on_number) for key, item in result.items()}
    if isinstance(result, tuple | list):
        return [_mapped(item, on_tensor, on_number) for item in result]
    return on_number(result)


def _same(value):
    return value


def _other_dtype(tensor):
    return tensor.to(torch.float32 if tensor.dtype == torch.float64 else torch.float64)


def _nan(tensor):
    return tensor * float("nan") if tensor.is_floating_point() else tensor


# name → (kind of result it spoils, how, what the verdict calls it)
RESULT_SABOTAGES = {
    "returns None": (object, lambda r: None, "none"),
    "returns text": (object, lambda r: "0.5", "type"),
    "returns a function": (object, lambda r: print, "type"),
    "tensor as list": (torch.Tensor, lambda r: _mapped(r, torch.Tensor.tolist, _same), "type"),
    "tensor as array": (
        torch.Tensor,
        lambda r: _mapped(r, lambda t: t.detach().numpy(), _same),
        "type",
    ),
    "extra axis": (torch.Tensor, lambda r: _mapped(r, lambda t: t[None], _same), "shape"),
    "other dtype": (torch.Tensor, lambda r: _mapped(r, _other_dtype, _same), "dtype"),
    "other device": (torch.Tensor, lambda r: _mapped(r, lambda t: t.to("meta"), _same), "device"),
    "NaN": (object, lambda r: _mapped(r, _nan, lambda x: float("nan")), "nonfinite"),
    "number as tensor": (float, lambda r: _mapped(r, _same, torch.tensor), "type"),
    "number as bool": (float, lambda r: _mapped(r, _same, bool), "type"),
    "number as complex": (float, lambda r: _mapped(r, _same, complex), "type"),
    "one item more": (list, lambda r: [*r, r[0]], "length"),
    "one item less": (list, lambda r: r[:-1], "length"),
    "one key less": (dict, lambda r: dict([*r.items()][1:]), "keys"),
    "one key more": (dict, lambda r: {**r, "more": 0.0}, "keys"),
}


def _kinds(result):
    """The kinds of result, from the list above, that this one is or contains."""
    if isinstance(result, dict):
        return {object, dict}.union(*map(_kinds, result.values()))
    if isinstance(result, tuple | list):
        return {object, list}.union(*map(_kinds, result))
    return {object, torch.Tensor if isinstance(result, torch.Tensor) else float}


def _first_tensor(arguments):
    for value in arguments:
        if isinstance(value, torch.Tensor):
            return value
        if isinstance(value, list | tuple) and value and isinstance(value[0], torch.Tensor):
            return value[0]
    return None


def _is_bool(result):
    return isinstance(result, torch.Tensor) and result.dtype == torch.bool


def _switch_on_grad(arguments):
    """Let the first float tensor that does not require grad require it, if there is one."""
    for value in arguments:
        tensor = _first_tensor([value])
        if tensor is not None and tensor.is_floating_point() and not tensor.requires_grad:
            tensor.requires_grad_(True)
            return True
    return False


class CorpusTests:
    """The tests; a subclass names its exercise."""

    number = ""

    def pytest_generate_tests(self, metafunc):
        every = subjects(self.number)
        smooth = [item for item in every if any(c.expected_gradient for c in item.check.cases)]
        for argument, chosen in (("subject", every), ("smooth_subject", smooth)):
            if argument in metafunc.fixturenames:
                metafunc.parametrize(argument, chosen, ids=[item.check.name for item in chosen])

    # --- corpora ------------------------------------------------------------------------------

    def test_right_answers_pass(self, subject):
        assert len(set(subject.right)) >= 3
        for answer in subject.right:
            verdict = subject.grade(answer)
            assert verdict.status == "passed", f"{answer.__name__}\n{verdict.text}"
            assert verdict.score == verdict.points
            assert (verdict.mistake, verdict.diagnosis, verdict.hint) == ("", "", "")

    def test_wrong_answers_get_their_diagnosis(self, subject):
        assert len({mistake for _, mistake in subject.wrong.values()}) >= 5
        for label, (answer, mistake) in subject.wrong.items():
            verdict = subject.grade(answer)
            assert verdict.mistake == mistake, f"{label}\n{verdict.text}"
            assert verdict.status in ("failed", "error")
            assert verdict.score < verdict.points
            assert verdict.diagnosis
            assert verdict.hint

    def test_complete_verdicts(self, subject):
        for label, text in subject.texts.items():
            answer, _ = subject.wrong[label]
            assert subject.grade(answer).text == text.strip("\n")

    def test_counts_of_false_verdicts(self, record_property):
        every = subjects(self.number)
        wrong = [item.grade(answer) for item in every for answer, _ in item.wrong.values()]
        right = [item.grade(answer) for item in every for answer in item.right]
        accepted = [verdict for verdict in wrong if verdict.status == "passed"]
        rejected = [verdict for verdict in right if verdict.status != "passed"]
        # tests/conftest.py adds these up in the last lines of the run
        record_property("false accepts", (len(accepted), len(wrong)))
        record_property("false rejects", (len(rejected), len(right)))
        assert accepted == []
        assert rejected == []
        # Six exercises of this size have 160 wrong answers and 100 right ones at least.
        assert len(wrong) >= 27
        assert len(right) >= 17
        assert len({verdict.name for verdict in wrong}) == len(exercise(self.number).checks)
        assert sum(len(item.texts) for item in every) == len(load_corpus(self.number).TEXTS) >= 3

    def test_labels_are_used_once(self):
        for name, answers in load_corpus(self.number).WRONG.items():
            labels = [label for label, _, _ in answers]
            assert len(labels) == len(set(labels)), name

    # --- misconceptions -----------------------------------------------------------------------

    def test_misconceptions_are_wrong_and_told_from_each_other(self, subject):
        names = [item.name for item in subject.check.misconceptions]
        assert len(names) == len(set(names))
        assert not set(names) & (set(GENERIC_HINTS) | {"value", "rule", "gradient"})
        for misconception in subject.check.misconceptions:
            verdict = subject.check.grade(_completed(subject, misconception))
            assert verdict.mistake == misconception.name, verdict.text
            assert misconception.hint.rstrip().endswith((".", "?", ")"))

    # --- what a verdict may show --------------------------------------------------------------

    def test_verdicts_show_no_expected_number(self, subject):
        cases = subject.check.cases
        exact = {abs(x) for case in cases for x in _exact_numbers(case.expected)}
        for answer, _ in subject.wrong.values():
            rows = _rows(subject.grade(answer).text)
            # What came back is shown to four digits; an exception's message is the student's own.
            for label, row in rows:
                if label == "returned" and "it raised" not in row:
                    assert all(_digits(token) <= 4 for token in NUMBER.findall(row)), row
            # Nothing else shows a number near an expected one; short ones like ½ or 2 are no news.
            told = {
                float(token)
                for label, row in rows
                if label not in ("called", "returned")
                for token in NUMBER.findall(row)
                if _digits(token) >= 3
            }
            assert not [(shown, x) for shown in told for x in exact if abs(shown - x) <= 1e-3 * x]

    # --- the cases themselves -----------------------------------------------------------------

    def test_cases_are_well_formed(self, subject):
        check = subject.check
        assert check.points > 0
        assert all(case.part in check.parts or check.parts != ("",) for case in check.cases)
        for case in check.cases:
            given = {**case.call.arguments, **case.call.keywords}.values()
            for tensor in (value for value in given if isinstance(value, torch.Tensor)):
                assert tensor.device.type == "cpu"
                assert tensor.is_contiguous()
                assert not tensor.requires_grad
                assert not tensor.isnan().any()
            for leaf in _leaves(case.expected):
                if isinstance(leaf, Values):
                    tolerance = torch.as_tensor(leaf.tolerance, dtype=torch.float64)
                    assert leaf.values.dtype == torch.float64
                    assert not leaf.values.isnan().any()
                    assert tolerance.isfinite().all()
                    assert (tolerance >= 0).all()
                    assert tolerance.shape in ((), leaf.values.shape)
                if isinstance(leaf, Number):
                    assert leaf.value == leaf.value
                    assert 0 <= leaf.tolerance < float("inf")

    def test_cases_are_deterministic(self, subject):
        check = subject.check
        for case, again in zip(check.cases, check.build_cases(), strict=True):
            assert case.label == again.label
            assert case.call.describe(check.name) == again.call.describe(check.name)
            for key, value in case.call.arguments.items():
                if isinstance(value, torch.Tensor):
                    assert torch.equal(value, again.call.arguments[key])

    # --- generic sabotage ---------------------------------------------------------------------

    def test_spoilt_results_are_caught(self, subject):
        example = subject.results[0]
        for label, (kind, spoil, mistake) in RESULT_SABOTAGES.items():
            if kind in _kinds(example) and not (label == "NaN" and _is_bool(example)):
                verdict = subject.check.grade(subject.sabotaged(spoil))
                assert verdict.status == "failed"
                assert verdict.mistake == mistake, f"{label}\n{verdict.text}"
                assert verdict.hint == GENERIC_HINTS[mistake]
                assert verdict.score < verdict.points

    def test_exception_is_told_without_traceback(self, subject):
        def answer(*arguments, **keywords):
            raise ValueError("first line\nsecond line " + "x" * 1000)

        verdict = subject.check.grade(answer)
        assert verdict.status == "error"
        assert verdict.mistake == "raised"
        assert "ValueError" in verdict.text
        assert "first line second line" in verdict.text
        assert "Traceback" not in verdict.text
        assert len(verdict.text) < 1500

    def test_untouched_stub_is_not_attempted(self, subject):
        def answer(*arguments, **keywords):
            raise NotImplementedError

        verdict = subject.check.grade(answer)
        assert (verdict.status, verdict.score) == ("not_attempted", 0)

    def test_input_changed_in_place_is_caught(self, subject):
        if _first_tensor(subject.check.cases[0].call.arguments.values()) is None:
            pytest.skip("takes no tensor")
        right = subject.sabotaged(_same)

        def answer(*arguments, **keywords):
            _first_tensor(arguments).data.add_(1)
            return right()

        verdict = subject.check.grade(answer)
        assert (verdict.status, verdict.mistake) == ("failed", "modified")

    def test_requires_grad_on_an_input_is_caught(self, subject):
        values = [
            value.clone() if isinstance(value, torch.Tensor) else value
            for value in subject.check.cases[0].call.arguments.values()
            if not isinstance(value, list)
        ]
        if not _switch_on_grad(values):
            pytest.skip("takes no float tensor that does not require grad")
        right = subject.sabotaged(_same)

        def answer(*arguments, **keywords):
            _switch_on_grad(arguments)
            return right()

        verdict = subject.check.grade(answer)
        assert (verdict.status, verdict.mistake) == ("failed", "modified")

    def test_detached_result_is_caught(self, smooth_subject):
        verdict = smooth_subject.check.grade(smooth_subject.sabotaged(torch.Tensor.detach))
        assert (verdict.status, verdict.mistake) == ("failed", "detached")

    # --- settings a notebook may have changed -------------------------------------------------

    def test_verdict_does_not_depend_on_global_settings(self, subject):
        torch.set_default_dtype(torch.float64)
        try:
            subject.check.__dict__.pop("cases", None)  # built anew, under this setting
            subject.check.__dict__.pop("calls", None)
            with torch.no_grad():
                verdict = subject.check.grade(subject.right[0])
        finally:
            torch.set_default_dtype(torch.float32)
        assert verdict.status == "passed", verdict.text
