"""Every answer of every corpus: right ones pass, wrong ones get their own diagnosis.

A corpus is a file ``corpus_13_x.py`` beside this one with

- ``CORRECT``: function name → at least three right answers in different styles;
- ``WRONG``: function name → at least five ``(label, answer, expected mistake)``;
- ``TEXTS``: (function name, label of a wrong answer) → the complete verdict.

Generic sabotages of the first right answer (wrong type, shape, dtype …) are applied to all.
"""

import functools
import importlib.util
import re
from pathlib import Path

import pytest
import torch

from gm_course.checks import exercise
from gm_course.checks.expected import AnyNumber, AnyTensor, Entries, Items, Number, Rule, Values
from gm_course.checks.verdict import GENERIC_HINTS


def _load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CORPORA = {
    path.stem.removeprefix("corpus_").replace("_", "-"): _load(path)
    for path in sorted(Path(__file__).parent.glob("corpus_*.py"))
}
CHECKS = {(number, check.name): check for number in CORPORA for check in exercise(number).checks}


@functools.cache
def grade(number, name, answer):
    return CHECKS[number, name].grade(answer)


def _named(rows):
    return [pytest.param(*row, id="-".join(map(str, row[:3]))) for row in rows]


def _right():
    return [
        (number, name, answer.__name__, answer)
        for number, corpus in CORPORA.items()
        for name, answers in corpus.CORRECT.items()
        for answer in answers
    ]


def _wrong():
    return [
        (number, name, label, answer, mistake)
        for number, corpus in CORPORA.items()
        for name, answers in corpus.WRONG.items()
        for label, answer, mistake in answers
    ]


# --- corpora ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "name", "label", "answer"), _named(_right()))
def test_right_answer_passes(number, name, label, answer):
    verdict = grade(number, name, answer)
    assert verdict.status == "passed", verdict.text
    assert verdict.score == verdict.points
    assert (verdict.mistake, verdict.diagnosis, verdict.hint) == ("", "", "")


@pytest.mark.parametrize(("number", "name", "label", "answer", "mistake"), _named(_wrong()))
def test_wrong_answer_gets_its_diagnosis(number, name, label, answer, mistake):
    verdict = grade(number, name, answer)
    assert verdict.mistake == mistake, verdict.text
    assert verdict.status in ("failed", "error")
    assert verdict.score < verdict.points
    assert verdict.diagnosis
    assert verdict.hint


@pytest.mark.parametrize("number", CORPORA)
def test_corpus_is_complete(number):
    corpus = CORPORA[number]
    names = [check.name for check in exercise(number).checks]
    assert list(corpus.CORRECT) == list(corpus.WRONG) == names
    for name in names:
        assert len(corpus.CORRECT[name]) >= 3
        assert len(corpus.WRONG[name]) >= 5
        assert len({mistake for _, _, mistake in corpus.WRONG[name]}) >= 5
    assert len(corpus.TEXTS) >= 3


def test_counts_of_false_verdicts(capsys):
    accepted = [row[:3] for row in _wrong() if grade(*row[:2], row[3]).status == "passed"]
    rejected = [row[:3] for row in _right() if grade(*row[:2], row[3]).status != "passed"]
    with capsys.disabled():
        print(
            f"\nfalse accepts {len(accepted)} of {len(_wrong())}, "
            f"false rejects {len(rejected)} of {len(_right())} ({', '.join(CORPORA)})"
        )
    assert accepted == []
    assert rejected == []


@pytest.mark.parametrize(
    ("number", "name", "label", "text"),
    _named(
        (number, name, label, text)
        for number, corpus in CORPORA.items()
        for (name, label), text in corpus.TEXTS.items()
    ),
)
def test_complete_verdict(number, name, label, text):
    (answer,) = (item[1] for item in CORPORA[number].WRONG[name] if item[0] == label)
    assert grade(number, name, answer).text == text.strip("\n")


# --- misconceptions ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "name", "label", "misconception"),
    _named(
        (number, name, item.name, item)
        for (number, name), check in CHECKS.items()
        for item in check.misconceptions
    ),
)
def test_misconception_is_wrong_and_told_from_the_others(number, name, label, misconception):
    check = CHECKS[number, name]
    names = [item.name for item in check.misconceptions]
    assert len(names) == len(set(names))
    assert not set(names) & (set(GENERIC_HINTS) | {"value", "rule", "gradient"})
    verdict = check.grade(_completed(check, misconception))
    assert verdict.mistake == misconception.name, verdict.text
    assert misconception.hint.rstrip().endswith((".", "?", ")"))


def _completed(check, misconception):
    """A misconception about one part, made an answer that is right about the others."""
    if not misconception.part:
        return misconception.formula
    right = next(c.CORRECT[check.name][0] for c in CORPORA.values() if check.name in c.CORRECT)
    parts = iter([case.part for case in check.cases])

    def answer(*arguments, **keywords):
        part, result = next(parts), right(*arguments, **keywords)
        if isinstance(result, dict):
            return {**result, **misconception.formula(*arguments, **keywords)}
        return (
            misconception.formula(*arguments, **keywords) if part == misconception.part else result
        )

    return answer


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


@pytest.mark.parametrize(("number", "name"), CHECKS)
def test_verdicts_show_no_expected_number(number, name):
    cases = CHECKS[number, name].cases
    exact = {abs(x) for case in cases for x in _exact_numbers(case.expected)}
    for _, answer, _ in CORPORA[number].WRONG[name]:
        rows = _rows(grade(number, name, answer).text)
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


@pytest.mark.parametrize(("number", "name"), CHECKS)
def test_cases_are_well_formed(number, name):
    check = CHECKS[number, name]
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


@pytest.mark.parametrize(("number", "name"), CHECKS)
def test_cases_are_deterministic(number, name):
    check = CHECKS[number, name]
    for case, again in zip(check.cases, check.build_cases(), strict=True):
        assert case.label == again.label
        assert case.call.describe(name) == again.call.describe(name)
        for key, value in case.call.arguments.items():
            if isinstance(value, torch.Tensor):
                assert torch.equal(value, again.call.arguments[key])


# --- generic sabotage -------------------------------------------------------------------------


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


def _sabotaged(right, spoil):
    def answer(*arguments, **keywords):
        return spoil(right(*arguments, **keywords))

    return answer


def _example(check, right):
    call = check.cases[0].call
    copies = {k: v.clone() if isinstance(v, torch.Tensor) else v for k, v in call.arguments.items()}
    return right(*copies.values(), **call.keywords)


def _is_bool(result):
    return isinstance(result, torch.Tensor) and result.dtype == torch.bool


def _sabotages():
    for (number, name), check in CHECKS.items():
        right = CORPORA[number].CORRECT[name][0]
        example = _example(check, right)
        for label, (kind, spoil, mistake) in RESULT_SABOTAGES.items():
            if kind in _kinds(example) and not (label == "NaN" and _is_bool(example)):
                yield number, name, label, _sabotaged(right, spoil), mistake


@pytest.mark.parametrize(("number", "name", "label", "answer", "mistake"), _named(_sabotages()))
def test_spoilt_result_is_caught(number, name, label, answer, mistake):
    verdict = CHECKS[number, name].grade(answer)
    assert verdict.status == "failed"
    assert verdict.mistake == mistake, verdict.text
    assert verdict.hint == GENERIC_HINTS[mistake]
    assert verdict.score < verdict.points


@pytest.mark.parametrize(("number", "name"), CHECKS)
def test_exception_is_told_without_traceback(number, name):
    def answer(*arguments, **keywords):
        raise ValueError("first line\nsecond line " + "x" * 1000)

    verdict = CHECKS[number, name].grade(answer)
    assert verdict.status == "error"
    assert verdict.mistake == "raised"
    assert "ValueError" in verdict.text
    assert "first line second line" in verdict.text
    assert "Traceback" not in verdict.text
    assert len(verdict.text) < 1500


@pytest.mark.parametrize(("number", "name"), CHECKS)
def test_untouched_stub_is_not_attempted(number, name):
    def answer(*arguments, **keywords):
        raise NotImplementedError

    verdict = CHECKS[number, name].grade(answer)
    assert (verdict.status, verdict.score) == ("not_attempted", 0)


@pytest.mark.parametrize(("number", "name"), CHECKS)
def test_input_changed_in_place_is_caught(number, name):
    right = CORPORA[number].CORRECT[name][0]

    def answer(*arguments, **keywords):
        result = right(*arguments, **keywords)
        _first_tensor(arguments).data.add_(1)
        return result

    if _first_tensor(CHECKS[number, name].cases[0].call.arguments.values()) is None:
        pytest.skip("takes no tensor")
    verdict = CHECKS[number, name].grade(answer)
    assert (verdict.status, verdict.mistake) == ("failed", "modified")


@pytest.mark.parametrize(("number", "name"), CHECKS)
def test_requires_grad_on_an_input_is_caught(number, name):
    right = CORPORA[number].CORRECT[name][0]

    def switch(arguments):
        for value in arguments:
            tensor = _first_tensor([value])
            if tensor is not None and tensor.is_floating_point() and not tensor.requires_grad:
                tensor.requires_grad_(True)
                return True
        return False

    def answer(*arguments, **keywords):
        result = right(*arguments, **keywords)
        switch(arguments)
        return result

    values = [
        value.clone() if isinstance(value, torch.Tensor) else value
        for value in CHECKS[number, name].cases[0].call.arguments.values()
        if not isinstance(value, list)
    ]
    if not switch(values):
        pytest.skip("takes no float tensor that does not require grad")
    verdict = CHECKS[number, name].grade(answer)
    assert (verdict.status, verdict.mistake) == ("failed", "modified")


@pytest.mark.parametrize(
    ("number", "name"),
    [key for key, check in CHECKS.items() if any(c.expected_gradient for c in check.cases)],
)
def test_detached_result_is_caught(number, name):
    right = CORPORA[number].CORRECT[name][0]
    verdict = CHECKS[number, name].grade(_sabotaged(right, torch.Tensor.detach))
    assert (verdict.status, verdict.mistake) == ("failed", "detached")


# --- settings a notebook may have changed -----------------------------------------------------


@pytest.mark.parametrize(("number", "name"), CHECKS)
def test_verdict_does_not_depend_on_global_settings(number, name):
    right = CORPORA[number].CORRECT[name][0]
    torch.set_default_dtype(torch.float64)
    try:
        CHECKS[number, name].__dict__.pop("cases", None)  # built anew, under this setting
        CHECKS[number, name].__dict__.pop("calls", None)
        with torch.no_grad():
            verdict = CHECKS[number, name].grade(right)
    finally:
        torch.set_default_dtype(torch.float32)
    assert verdict.status == "passed", verdict.text
