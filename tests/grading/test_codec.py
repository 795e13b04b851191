"""Calls and responses as messages: nothing is lost, and nothing but the agreed is accepted."""

import ast
import base64
import copy
import importlib.util
import json
import math
import struct
import tracemalloc
import types
from dataclasses import replace
from pathlib import Path

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from gm_course.checks import exercise
from gm_course.checks.calls import (
    MAX_DEPTH,
    MAX_ENTRIES,
    MAX_ITEMS,
    MAX_MESSAGE,
    MAX_TYPE_NAME,
    Call,
    Derivative,
    Elsewhere,
    Foreign,
    Raised,
    Response,
    collect,
    plain,
)
from gm_course.sandbox import codec
from gm_course.sandbox.cells import Cell, Notebook
from gm_course.sandbox.codec import ProtocolError

from .submissions import NUMBERS, grade_id, worked

NAN, INF = math.nan, math.inf


def sent(data):
    """What arrives on the other side."""
    return codec.parse_json(json.dumps(data).encode())


def value_sent(value):
    return codec.decode(sent(codec.encode(value)))


def bits(value):
    """Something that is equal for values that are the same in every bit, and for no others."""
    if isinstance(value, Tensor):
        data = value.detach().clone().flatten().view(torch.uint8).tolist()
        return (type(value), value.dtype, tuple(value.shape), data)
    if isinstance(value, float):
        return (type(value), struct.pack("d", value))
    if isinstance(value, list | tuple):
        return (type(value), [bits(item) for item in value])
    if isinstance(value, dict):
        return (type(value), [(type(key), key, bits(item)) for key, item in value.items()])
    if isinstance(value, Response):
        fields = (value.value, value.gradient)
        return (*map(bits, fields), value.raised, value.modified, value.grad_switched)
    if isinstance(value, Call):
        derivative = value.derivative and (
            value.derivative.argument,
            bits(value.derivative.weights),
        )
        return (bits(dict(value.arguments)), bits(dict(value.keywords)), derivative)
    return (type(value), value)


# --- values -----------------------------------------------------------------------------------

FLOATS = [0.0, -0.0, 1.0, -1.5, 1e-320, 5e-324, 1e308, 0.1, NAN, INF, -INF]
VALUES = {
    "None": None,
    "bools": [True, False],
    "whole numbers": [0, 1, -1, 2**31, -(2**63), 2**64, 2**1000, -(2**1000), 2**1023 - 1],
    "floats": FLOATS,
    "text": Foreign('a "quoted"\ntext, \0 and é, 中 and \U0001f600, </script>'),
    "elsewhere": Elsewhere("cuda:1"),
    "empty": [[], (), {}, [()], ({},)],
    "nested": [(1, [2.0, {"a": None}])],
    "number as key": {1: 2.0, -5: [True], "1": 3, "": 4, "é\n": 5, 2**1000: 6},
    "as many items as may be": [0] * MAX_ITEMS,
    "scalar": torch.tensor(2.5),
    "scalar that is NaN": torch.tensor(NAN, dtype=torch.float64),
    "no entry": torch.empty(0),
    "no entry, two axes": torch.empty(3, 0, dtype=torch.complex128),
    "no entry, many axes": torch.empty(*[1] * 14, 0, 7, dtype=torch.bool),
    "many axes": torch.ones([1] * 16),
    "as many entries as may be": torch.arange(MAX_ENTRIES, dtype=torch.float64),
    "not contiguous": torch.arange(24.0).reshape(2, 3, 4).permute(2, 0, 1)[1:, :, ::2],
    "expanded": torch.tensor([[1.0], [2.0]]).expand(2, 3),
    "part of a larger one": torch.arange(10)[3:5],
    "conjugate": torch.tensor([1 + 2j, 3 - 4j]).conj(),
    "negative": torch.tensor([1 + 2j, 3 - 4j]).conj().imag,
    "negative, contiguous": torch._neg_view(torch.tensor([1.0, -2.0])),
    "with gradient": torch.tensor([1.0, 2.0], requires_grad=True),
    "tensors in all of them": {1: [torch.tensor([True]), (torch.tensor(3),)]},
}


@pytest.mark.parametrize("value", [pytest.param(v, id=k) for k, v in VALUES.items()])
def test_values_arrive_as_they_were(value):
    assert bits(value_sent(value)) == bits(value)


def _bytes_of(kind):
    return st.binary(min_size=6 * kind.itemsize, max_size=6 * kind.itemsize)


@pytest.mark.parametrize("name", codec._DTYPES)
@settings(max_examples=10, deadline=None, derandomize=True)
@given(data=st.data())
def test_every_bit_of_every_dtype_arrives(name, data):
    kind = getattr(torch, name)
    if kind is torch.bool:
        value = torch.tensor(data.draw(st.lists(st.booleans(), min_size=6, max_size=6)))
    else:
        raw = bytearray(data.draw(_bytes_of(kind)))
        value = torch.frombuffer(raw, dtype=torch.uint8).view(kind)
    for shaped in (value, value.reshape(2, 3), value.reshape(3, 2).T, value[:1], value[0]):
        arrived = value_sent(shaped)
        assert arrived.dtype is kind
        assert bits(arrived) == bits(shaped.contiguous())


@pytest.mark.parametrize("kind", [torch.uint16, torch.uint64, torch.float8_e5m2])
def test_tensors_of_other_dtypes_are_named(kind):
    value = torch.zeros(2).to(kind)
    assert value_sent(value) == Foreign(f"a tensor of dtype {str(kind).removeprefix('torch.')}")


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**1000), 2**1000)
    | st.floats()
    | st.builds(Foreign, st.text(max_size=20))
    | st.builds(Elsewhere, st.text(max_size=20))
    | st.lists(st.floats(width=32), max_size=4).map(torch.tensor)
    | st.lists(st.lists(st.booleans(), min_size=2, max_size=2), max_size=3).map(torch.tensor),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.integers() | st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(PLAIN)
def test_whatever_is_plain_arrives(value):
    value = plain(value)
    assert bits(value_sent(value)) == bits(value)


def test_the_deepest_plain_value_arrives_and_no_deeper_one():
    def nest(value, depth):
        for _ in range(depth):
            value = [value]
        return value

    for inner in (1, torch.tensor(1.0), Foreign("x"), Elsewhere("y")):
        value = nest(inner, MAX_DEPTH)
        assert bits(value_sent(value)) == bits(value)
    assert bits(plain(nest(1, MAX_DEPTH))) == bits(nest(1, MAX_DEPTH))
    for container in ([], (), {}):
        with pytest.raises(ProtocolError):
            value_sent(nest(container, MAX_DEPTH))
        assert isinstance(plain(nest(container, MAX_DEPTH))[0][0][0][0], Foreign)


def test_a_tensor_that_arrived_has_memory_of_its_own():
    data = sent(codec.encode(torch.zeros(3)))
    first, second = codec.decode(data), codec.decode(data)
    first += 1
    assert second.tolist() == [0, 0, 0]


def test_bools_are_zero_or_one():
    text = base64.b64encode(bytes([0, 1, 2, 255])).decode()
    arrived = codec.decode({"tensor": ["bool", [4], text]})
    assert arrived.view(torch.uint8).tolist() == [0, 1, 1, 1]


def test_long_texts_are_cut_and_invalid_ones_mended():
    assert codec.decode({"foreign": "x" * 10_000}) == Foreign("x" * codec.MAX_TEXT)
    assert codec.decode(sent({"foreign": "a\udc80\ud800b"})) == Foreign("a??b")
    assert codec.decode({"dict": [["k" * 10_000, 1]]}) == {"k" * codec.MAX_TEXT: 1}
    raised = codec.decode_raised(["C" * 999, "m" * 999 + "\ud800", 3, "call"])
    assert raised == Raised("C" * MAX_TYPE_NAME, "m" * MAX_MESSAGE, 3, "call")


def test_the_comparison_of_this_file_sees_every_difference():
    same = [
        (0.0, -0.0), (1, 1.0), (1, True), ([1], (1,)), ({1: 2}, {"1": 2}), ({1: 2}, {1: 2.0}),
        (None, False), (Foreign("a"), Elsewhere("a")), (torch.zeros(1), torch.zeros(())),
        (torch.zeros(1), -torch.zeros(1)), (torch.zeros(2), torch.zeros(2, dtype=torch.int32)),
        (torch.zeros(1, 2), torch.zeros(2, 1)), ({1: 2, 3: 4}, {3: 4, 1: 2}),
        (Response(1), Response(1, modified=("x",))), (Response(1), Response(2)),
        (Response(1), Response(1, gradient=torch.ones(1))),
        (Call({"x": 1}), Call({"y": 1})), (Call({"x": 1}), Call({}, {"x": 1})),
        (Call({"x": 1}), Call({"x": 1}, derivative=Derivative("x", torch.ones(1)))),
        (Call({}, derivative=Derivative("x", torch.ones(1))),
         Call({}, derivative=Derivative("x", torch.zeros(1)))),
    ]  # fmt: skip
    assert [pair for pair in same if bits(pair[0]) == bits(pair[1])] == []
    assert bits(NAN) == bits(NAN)


# --- calls and responses ----------------------------------------------------------------------


@pytest.mark.parametrize("number", NUMBERS)
def test_all_calls_of_the_exercises_arrive(number):
    for check in exercise(number).checks:
        arrived = codec.decode_calls(sent(codec.encode_calls(check.calls)))
        assert list(map(bits, arrived)) == list(map(bits, check.calls))


def answers_of(number):
    cells = [cell for cell in json.loads(worked(number))["cells"] if cell["cell_type"] == "code"]
    book = Notebook(
        [Cell(i, "".join(cell["source"]), grade_id(cell)) for i, cell in enumerate(cells, 1)]
    )
    for check in exercise(number).checks:
        namespace = {}
        for step in book.plan(check.name).steps:
            exec(step, namespace)
        yield check, namespace[check.name]


def responses_sent(responses):
    return codec.decode_responses(sent(codec.encode_responses(responses)), at_most=len(responses))


@pytest.mark.parametrize("number", NUMBERS)
def test_worked_answers_pass_after_having_been_sent(number):
    for check, function in answers_of(number):
        responses = collect(function, codec.decode_calls(sent(codec.encode_calls(check.calls))))
        arrived = responses_sent(responses)
        assert list(map(bits, arrived)) == list(map(bits, responses))
        assert check.judge(arrived).status == "passed"


# Two exercises that are quick to check, with answers of all kinds: numbers, dicts, pairs, tensors.
@pytest.mark.parametrize("number", ["13-4", "13-5"])
def test_wrong_answers_get_the_same_verdict_after_having_been_sent(number):
    path = Path(__file__).parents[1] / f"checks/corpus_{number.replace('-', '_')}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    corpus = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(corpus)
    statuses = set()
    for check in exercise(number).checks:
        for _, function, _ in corpus.WRONG[check.name][:4]:
            responses = collect(function, check.calls)
            verdict = check.judge(responses_sent(responses))
            assert verdict == check.judge(responses)
            statuses.add(verdict.status)
    assert "passed" not in statuses


class SpoiltError(Exception):
    def __str__(self):
        raise RuntimeError


def _raises(error):
    raise error


def _mended(response):
    if response.raised is None:
        return response
    message = response.raised.message.encode("utf-8", "replace").decode()
    return replace(response, raised=replace(response.raised, message=message))


def _changes(x):
    x += 1
    return x


def _switches(x):
    return x.requires_grad_()


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda x: x, id="identity"),
        pytest.param(lambda x: None, id="None"),
        pytest.param(lambda x: print, id="function"),
        pytest.param(lambda x: x.to_sparse(), id="sparse"),
        pytest.param(lambda x: x.to("meta"), id="no data"),
        pytest.param(lambda x: x.expand(20_000, 3), id="too large"),
        pytest.param(lambda x: [[[[[1]]]]], id="too deep"),
        pytest.param(lambda x: [0] * 1001, id="too long"),
        pytest.param(lambda x: 2**1024, id="too large a number"),
        pytest.param(lambda x: torch.complex(x, x).conj(), id="conjugate"),
        pytest.param(lambda x: (x * 2).T if x.ndim == 2 else 2 * x, id="differentiable"),
        pytest.param(lambda x: x.detach(), id="detached"),
        pytest.param(lambda x: _raises(ValueError("a\nb\ud800" * 100)), id="error"),
        pytest.param(lambda x: _raises(NotImplementedError), id="not attempted"),
        pytest.param(lambda x: _raises(SystemExit(3)), id="exit"),
        pytest.param(lambda x: _raises(SpoiltError), id="error without text"),
        pytest.param(_changes, id="changes its input"),
        pytest.param(_switches, id="switches gradients on"),
    ],
)
def test_whatever_a_function_does_can_be_sent(function):
    x = torch.tensor([1.0, 2.0, 3.0])
    calls = [Call({"x": x}), Call({"x": x}, derivative=Derivative("x", torch.ones(3)))]
    responses = collect(function, calls)
    arrived = responses_sent(responses)
    assert list(map(bits, arrived)) == [bits(_mended(item)) for item in responses]
    assert [item.is_not_attempted for item in arrived] == [
        item.is_not_attempted for item in responses
    ]


def test_fewer_responses_than_calls_arrive():
    assert responses_sent([]) == []
    assert codec.decode_responses(sent(codec.encode_responses([Response(1)])), at_most=5)


# --- malformed messages -----------------------------------------------------------------------

GOOD = codec.encode_responses(
    [
        Response(torch.tensor([1.0, 2.0]), gradient=torch.zeros(2)),
        Response((1, [2.0, {1: torch.tensor(3), "a": Foreign("x")}], Elsewhere("mps:0"))),
        Response(raised=Raised("ValueError", "no", 7, "reading"), modified=("x",)),
    ]
)


def tensor_message(dtype, shape=(1,), size=None):
    """A tensor of zeros; ``size`` bytes if it lies about its size."""
    size = math.prod(shape) * (4 if dtype == "float32" else 1) if size is None else size
    return {"tensor": [dtype, list(shape), base64.b64encode(bytes(size)).decode()]}


BAD_VALUES = {
    "text": "text",
    "bare list": [1],
    "empty list": [],
    "empty object": {},
    "two kinds": {"list": [], "tuple": []},
    "unknown kind": {"set": []},
    "pickle": {"pickle": "gASVAAAAAAAAAAAu"},
    "kind in capitals": {"Tensor": ["float32", [1], "AAAAAA=="]},
    "number too large": 2**1024,
    "number far too large": -(10**4000),
    "list of text": {"list": ["a"]},
    "list in a list": {"list": [[1]]},
    "no list": {"list": {"0": 1}},
    "list that is text": {"list": "abc"},
    "list that is a number": {"list": 3},
    "list that is None": {"list": None},
    "list too long": {"list": [0] * (MAX_ITEMS + 1)},
    "tuple too long": {"tuple": [None] * 10**5},
    "dict too long": {"dict": [[0, 0]] * (MAX_ITEMS + 1)},
    "too deep": {"list": [{"list": [{"list": [{"list": [{"list": []}]}]}]}]},
    "far too deep": eval('{"list": [' * 60 + "1" + "]}" * 60),
    "dict as an object": {"dict": {"a": 1}},
    "dict without pairs": {"dict": [1, 2]},
    "dict with a single": {"dict": [[1]]},
    "dict with a triple": {"dict": [[1, 2, 3]]},
    "dict with texts for pairs": {"dict": ["ab"]},
    "key that is None": {"dict": [[None, 1]]},
    "key that is a bool": {"dict": [[True, 1]]},
    "key that is a float": {"dict": [[1.0, 1]]},
    "key that is a list": {"dict": [[[], 1]]},
    "key that is an object": {"dict": [[{"list": []}, 1]]},
    "key too large": {"dict": [[2**1024, 1]]},
    "foreign number": {"foreign": 3},
    "foreign None": {"foreign": None},
    "elsewhere list": {"elsewhere": ["cpu"]},
    "tensor without parts": {"tensor": []},
    "tensor without data": {"tensor": ["float32", [1]]},
    "tensor with more": {"tensor": ["float32", [1], "AAAAAA==", 1]},
    "tensor that is text": {"tensor": "abc"},
    "tensor as an object": {"tensor": {"dtype": "float32"}},
    "dtype unknown": tensor_message("float31", size=4),
    "dtype of another name": tensor_message("double", size=8),
    "dtype with a module": tensor_message("torch.float32", size=4),
    "dtype not accepted": tensor_message("uint16", size=2),
    "dtype quantised": tensor_message("quint8"),
    "dtype dangerous": tensor_message("load"),
    "dtype a number": {"tensor": [3, [1], "AAAAAA=="]},
    "dtype a list": {"tensor": [["float32"], [1], "AAAAAA=="]},
    "dtype an object": {"tensor": [{}, [1], "AAAAAA=="]},
    "dtype None": {"tensor": [None, [1], "AAAAAA=="]},
    "shape a number": {"tensor": ["float32", 1, "AAAAAA=="]},
    "shape an object": {"tensor": ["float32", {}, "AAAAAA=="]},
    "shape None": {"tensor": ["float32", None, "AAAAAA=="]},
    "axis a float": {"tensor": ["float32", [1.0], "AAAAAA=="]},
    "axis a bool": {"tensor": ["float32", [True], "AAAAAA=="]},
    "axis text": {"tensor": ["float32", ["1"], "AAAAAA=="]},
    "axis None": {"tensor": ["float32", [None], "AAAAAA=="]},
    "axis a list": {"tensor": ["float32", [[1]], "AAAAAA=="]},
    "axis negative": {"tensor": ["float32", [-1], "AAAAAA=="]},
    "two axes negative": {"tensor": ["float32", [-1, -1], "AAAAAA=="]},
    "axis NaN": {"tensor": ["float32", [NAN], "AAAAAA=="]},
    "axis infinite": {"tensor": ["float32", [INF], "AAAAAA=="]},
    "axis too long": tensor_message("uint8", (MAX_ENTRIES + 1,)),
    "axis far too long": {"tensor": ["float32", [2**62], ""]},
    "axis beyond 64 bits": {"tensor": ["float32", [2**64], ""]},
    "axis beyond a float": {"tensor": ["float32", [2**2000], ""]},
    "too many entries": tensor_message("uint8", (101, 100)),
    "too many entries, without them": {"tensor": ["float64", [10_000] * 16, ""]},
    "too many axes": tensor_message("uint8", (1,) * 17),
    "far too many axes": tensor_message("uint8", (1,) * 100),
    "empty, and strides beyond 64 bits": {"tensor": ["float32", [0] + [10_000] * 15, ""]},
    "empty, and a size beyond 64 bits": {"tensor": ["float32", [10_000] * 15 + [0], ""]},
    "empty, with data": tensor_message("float32", (0,), size=4),
    "an entry too few": tensor_message("float32", (3,), size=8),
    "an entry too many": tensor_message("float32", (3,), size=16),
    "a byte too few": tensor_message("float32", (3,), size=11),
    "a byte too many": tensor_message("float32", (3,), size=13),
    "a byte too few for bools": tensor_message("bool", (3,), size=2),
    "two bytes too few for bools": tensor_message("bool", (3,), size=1),
    "much too many": tensor_message("uint8", (3,), size=10**5),
    "nothing for many": tensor_message("complex128", (100, 100), size=0),
    "data a list": {"tensor": ["uint8", [3], list("AAAA")]},
    "data bytes as numbers": {"tensor": ["uint8", [3], [0, 0, 0, 0]]},
    "data a number": {"tensor": ["uint8", [3], 0]},
    "data None": {"tensor": ["uint8", [3], None]},
    "data an object": {"tensor": ["uint8", [3], {"tensor": ["uint8", [3], "AAAA"]}]},
    "data with other characters": {"tensor": ["uint8", [3], "A-A_"]},
    "data with a line end": {"tensor": ["uint8", [3], "AAA\n"]},
    "data with letters beyond ASCII": {"tensor": ["uint8", [3], "AAAé"]},
    "data with half a character": {"tensor": ["uint8", [3], "AAA\ud800"]},
    "data with padding inside": {"tensor": ["uint8", [6], "AA==AAAA"]},
    "data with too much padding": {"tensor": ["uint8", [3], "A==="]},
    "data with padding in the place of data": {"tensor": ["uint8", [3], "AAA="]},
    "data of padding": {"tensor": ["uint8", [3], "===="]},
}

BAD_RAISED = {
    "text": "ValueError",
    "object": {"class_name": "ValueError"},
    "a part too few": ["ValueError", "", 3],
    "a part too many": ["ValueError", "", 3, "call", 1],
    "class a number": [3, "", 3, "call"],
    "class None": [None, "", 3, "call"],
    "message a number": ["ValueError", 3, 3, "call"],
    "message a list": ["ValueError", ["a"], 3, "call"],
    "line negative": ["ValueError", "", -1, "call"],
    "line too large": ["ValueError", "", 10**9, "call"],
    "line a float": ["ValueError", "", 3.0, "call"],
    "line a bool": ["ValueError", "", True, "call"],
    "line text": ["ValueError", "", "3", "call"],
    "line None": ["ValueError", "", None, "call"],
    "during something else": ["ValueError", "", 3, "judging"],
    "during a list": ["ValueError", "", 3, ["call"]],
    "during nothing": ["ValueError", "", 3, ""],
    "false": False,
    "zero": 0,
    "empty": [],
}

BAD_NAMES = {
    "text": "x",
    "None": None,
    "object": {"x": 1},
    "a number in it": [3],
    "a list in it": [["x"]],
    "None in it": [None],
    "too many": ["x"] * (codec.MAX_NAMES + 1),
    "far too many": ["x"] * 10**5,
}


def response_message(**changes):
    message = {"value": 1, "raised": None, "modified": [], "grad_switched": [], "gradient": None}
    return {**message, **changes}


def _bad_messages():
    for label, value in BAD_VALUES.items():
        yield f"value: {label}", [response_message(value=value)]
        yield f"value in a tuple: {label}", [response_message(value={"tuple": [0, value]})]
        yield f"gradient: {label}", [response_message(gradient=value)]
    for label, raised in BAD_RAISED.items():
        yield f"raised: {label}", [response_message(raised=raised)]
    for label, names in BAD_NAMES.items():
        yield f"modified: {label}", [response_message(modified=names)]
        yield f"grad_switched: {label}", [response_message(grad_switched=names)]
    for value in (0, 0.0, False, True, {"list": []}, {"foreign": "a"}, {"elsewhere": "b"}):
        yield f"gradient {value}", [response_message(gradient=value)]
    for message in (None, True, 3, "text", {}, {"0": response_message()}, response_message()):
        yield f"message {message}", message
    for item in (None, True, 3, "text", [], [1, None, [], [], None], {}):
        yield f"response {item}", [item]
    yield "response with more", [response_message(status="passed")]
    for name in response_message():
        yield f"response without {name}", [{**response_message(), name: 0, "x": 0}]
        partial = response_message()
        del partial[name]
        yield f"response without {name}", [partial]
    yield "one response too many", [response_message()] * 5
    yield "far too many responses", [response_message()] * 10**5
    yield "a bad one among good ones", [*GOOD, response_message(value="text")]


BAD_MESSAGES = list(_bad_messages())
BAD_JSON = {
    "nothing": b"",
    "no JSON": b"passed",
    "cut off": b'[{"value": 1',
    "two values": b"1 2",
    "not UTF-8": b'"\xff"',
    "UTF-16": "[1]".encode("utf-16"),
    "UTF-32": "[1]".encode("utf-32-le"),
    "byte-order mark": b"\xef\xbb\xbf[1]",
    "null character": b"[1]\0",
    "too deep": b"[" * 200_000 + b"]" * 200_000,
    "objects too deep": b'{"list":[' * 100_000,
    "number too long": b"9" * 5000,
    "too many lists": b"[" + b"[]," * codec.MAX_VALUES + b"[]]",
    "too many objects": b"[" + b"{}," * codec.MAX_VALUES + b"{}]",
    "too many objects in each other": b'{"":' * (codec.MAX_VALUES + 1),
    "single quotes": b"['a']",
    "pickle": b"\x80\x04K\x01.",
}


LITTLE = 100_000


def memory_taken(function):
    """The most that is taken at a time, in bytes."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def what_is_accepted(module):
    """Labels of the malformed messages that do not give a ProtocolError and nothing else."""

    def gets_through(decode, message):
        try:
            decode(message)
        except module.ProtocolError:
            return False
        except Exception:
            return True
        return True

    def decode(message):
        return module.decode_responses(message, at_most=4)

    long = [response_message(value=BAD_VALUES["much too many"])]
    wrong = ["memory"] if memory_taken(lambda: gets_through(decode, long)) > LITTLE else []
    wrong += [label for label, message in BAD_MESSAGES if gets_through(decode, message)]
    wrong += [label for label, text in BAD_JSON.items() if gets_through(module.parse_json, text)]
    if gets_through(decode, GOOD) and all(
        bits(one) == bits(other)
        for one, other in zip(decode(GOOD), codec.decode_responses(GOOD, at_most=4), strict=True)
    ):
        return wrong
    return [*wrong, "no longer what is good"]


def test_malformed_messages_give_protocol_errors_and_nothing_else():
    assert what_is_accepted(codec) == []


@pytest.mark.parametrize("decode", [codec.decode, codec.decode_raised])
def test_malformed_parts_give_protocol_errors_and_nothing_else(decode):
    for part in (BAD_VALUES if decode is codec.decode else BAD_RAISED).values():
        with pytest.raises(ProtocolError):
            decode(part)


def test_malformed_messages_take_no_memory(monkeypatch):
    taken = []
    for name in ("empty", "frombuffer"):
        function = getattr(torch, name)

        def watched(*arguments, function=function, **keywords):
            result = function(*arguments, **keywords)
            taken.append(result.numel() * result.itemsize)
            return result

        monkeypatch.setattr(torch, name, watched)
    for label, message in BAD_MESSAGES:
        assert memory_taken(lambda message=message: _is_refused(message)) < LITTLE, label
    assert max(taken, default=0) < 100


def _is_refused(message):
    with pytest.raises(ProtocolError):
        codec.decode_responses(message, at_most=4)


@pytest.mark.parametrize("unit", [b"{},", b"[", b"[],", b'{"":'])
def test_too_many_values_take_no_memory(unit):
    def parse(text=unit * 3_000_000):
        with pytest.raises(ProtocolError):
            codec.parse_json(text)

    assert memory_taken(parse) < LITTLE


def _weaker_checks():
    """The source of the decoder, with one of its checks, or a part of one, left out."""
    tree = ast.parse(Path(codec.__file__).read_text())

    def is_check(node):
        return (
            isinstance(node, ast.If)
            and isinstance(node.body[0], ast.Raise)
            and "ProtocolError" in ast.unparse(node.body[0])
        )

    count = sum(map(is_check, ast.walk(tree)))
    for number in range(count):
        variant = copy.deepcopy(tree)
        check = [node for node in ast.walk(variant) if is_check(node)][number]
        whole = ast.unparse(check.test)
        original = check.test
        check.test = ast.Constant(False)
        yield f"{number} without {whole}", ast.unparse(variant)
        check.test = original
        for node in ast.walk(original):
            parts = node.values if isinstance(node, ast.BoolOp) else []
            for index in range(len(parts)):
                node.values = [part for other, part in enumerate(parts) if other != index]
                left_out = ast.unparse(parts[index])
                yield f"{number} without {left_out} in {whole}", ast.unparse(variant)
                node.values = parts
            if isinstance(node, ast.Compare) and len(node.ops) == 2:
                left, ops, comparators = node.left, node.ops, node.comparators
                node.left, node.ops, node.comparators = comparators[0], ops[1:], comparators[1:]
                yield f"{number} without lower limit in {whole}", ast.unparse(variant)
                node.left, node.ops, node.comparators = left, ops[:1], comparators[:1]
                yield f"{number} without upper limit in {whole}", ast.unparse(variant)
                node.ops, node.comparators = ops, comparators


WEAKER = dict(_weaker_checks())


def test_the_decoder_has_the_checks_that_the_next_test_leaves_out():
    assert len(WEAKER) > 30
    assert any("size" in label for label in WEAKER)


@pytest.mark.parametrize("label", WEAKER)
def test_the_malformed_messages_find_out_about_a_missing_check(label):
    variant = types.ModuleType("variant")
    exec(compile(WEAKER[label], "variant", "exec"), vars(variant))
    assert what_is_accepted(variant) != []


# --- messages at random -----------------------------------------------------------------------

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 20_000)
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["float32", "bool", "call", "AAAA", "AAAAAA==", "ValueError"]),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.sampled_from(["tensor", "list", "tuple", "dict", "foreign", "elsewhere", "value"])
            | st.text(max_size=3),
            inner,
            max_size=2,
        )
    ),
    max_leaves=12,
)


def assert_plain(value, depth=0):
    """That it is what :func:`gm_course.checks.calls.plain` gives."""
    kind = type(value)
    assert kind in (type(None), bool, int, float, Tensor, Foreign, Elsewhere, list, tuple, dict)
    if kind is int:
        assert value.bit_length() < 1024
    elif kind is Tensor:
        assert value.numel() <= MAX_ENTRIES
        assert value.device.type == "cpu"
        assert not value.requires_grad
    elif kind in (list, tuple, dict):
        assert depth < MAX_DEPTH
        assert len(value) <= MAX_ITEMS
        for item in value.values() if kind is dict else value:
            assert_plain(item, depth + 1)


def assert_decoded_or_refused(message):
    try:
        decoded = codec.decode_responses(sent(message), at_most=4)
    except ProtocolError:
        return
    for response in decoded:
        assert_plain(response.value)
        assert response.gradient is None or type(response.gradient) is Tensor
        assert response.raised is None or 0 <= response.raised.line < 10**9
        for names in (response.modified, response.grad_switched):
            assert all(type(name) is str for name in names)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(JSON)
def test_any_json_is_decoded_or_refused(message):
    assert_decoded_or_refused(message)
    assert_decoded_or_refused([message])
    assert_decoded_or_refused([response_message(value=message)])
    assert_decoded_or_refused([response_message(gradient=message, raised=message)])


def _places(tree, place=()):
    yield place
    if isinstance(tree, list | dict):
        for key, item in enumerate(tree) if isinstance(tree, list) else tree.items():
            yield from _places(item, (*place, key))


def _at(tree, place):
    for key in place:
        tree = tree[key]
    return tree


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.data())
def test_changed_messages_are_decoded_or_refused(data):
    message = sent(GOOD)
    for _ in range(data.draw(st.integers(1, 3))):
        *place, key = data.draw(st.sampled_from(list(_places(message))[1:]))
        parent = _at(message, place)
        action = data.draw(st.sampled_from(["replace", "move", "remove", "repeat"]))
        if action == "replace":
            parent[key] = data.draw(JSON)
        elif action == "move":
            parent[key] = copy.deepcopy(
                _at(message, data.draw(st.sampled_from([*_places(message)])))
            )
        elif action == "remove":
            del parent[key]
        elif isinstance(parent, list):
            parent.insert(key, copy.deepcopy(parent[key]))
    assert_decoded_or_refused(message)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.data())
def test_changed_bytes_are_parsed_or_refused(data):
    text = bytearray(json.dumps(GOOD).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    try:
        message = codec.parse_json(bytes(text))
    except ProtocolError:
        return
    assert_decoded_or_refused(message)


@pytest.mark.parametrize("number", ["13-1", "13-4", "13-5"])
@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=st.data())
def test_whatever_was_decoded_can_be_judged(number, data):
    for check in exercise(number).checks:
        value = st.builds(plain, PLAIN)
        shown = data.draw(
            st.builds(
                Response,
                value=value,
                raised=st.none()
                | st.builds(
                    Raised,
                    st.sampled_from(["ValueError", "NotImplementedError", ""]),
                    st.text(max_size=5),
                    st.integers(0, 10**9 - 1),
                    st.sampled_from(["call", "reading", "differentiating"]),
                ),
                modified=st.tuples() | st.tuples(st.text(max_size=5)),
                grad_switched=st.tuples() | st.tuples(st.text(max_size=5)),
                gradient=st.none() | st.lists(st.floats(width=32), max_size=3).map(torch.tensor),
            )
        )
        count = data.draw(st.integers(0, len(check.calls)))
        verdict = check.judge(responses_sent([shown] * count))
        assert verdict.status != "passed"
