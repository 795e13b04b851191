"""Fingerprints: blind to names and formatting, and to nothing else."""

import ast
import importlib.util
import inspect
import io
import json
import textwrap
import tokenize
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

import pytest

from gm_course.checks.registry import ANSWERS
from gm_course.sandbox import fingerprints
from gm_course.sandbox.fingerprints import answer_fingerprint

ROOT = Path(__file__).parent.parent.parent
# Long enough to have a fingerprint, whatever it is added to.
PADDING = f"pad({', '.join(map(str, range(fingerprints.LEAST_NODES)))})"


def fingerprint(source, name="answer"):
    return answer_fingerprint(ast.parse(source), name)


def fingerprints_of(*sources):
    """Fingerprints of answers that are made long enough by the same addition to each."""
    found = []
    for source in sources:
        tree = ast.parse(textwrap.dedent(source))
        tree.body[-1].body += ast.parse(PADDING).body
        found.append(answer_fingerprint(tree, "answer"))
    assert all(found)
    return found


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(
            "def answer(x, y):\n    total = x + y\n    return total * x",
            "def answer(a, b):\n    c = a + b\n    return c * a",
            id="parameters and variables",
        ),
        pytest.param(
            '''
            def answer(x: int) -> int:
                """What it does."""
                # why
                size: int = (x
                    + 1)
                later: int
                return size''',
            "def answer(x):\n    size = x + 1\n    return size",
            id="docstring, comment, annotation, formatting",
        ),
        pytest.param(
            "import numpy as np\ndef answer(x):\n    return np.linalg.norm(np.exp(x))",
            """
            from numpy import exp as e
            from numpy import linalg
            def answer(x):
                from numpy.linalg import norm
                return norm(e(x))""",
            id="imports",
        ),
        pytest.param(
            "import torch.nn.functional as F\ndef answer(x):\n    return F.softmax(x, dim=0)",
            "import torch.nn\ndef answer(x):\n    return torch.nn.functional.softmax(x, dim=0)",
            id="submodules",
        ),
        pytest.param(
            """
            def one(x, scale):
                return x * scale
            def two(x):
                return x + LIMIT
            LIMIT = 3
            def answer(x):
                return two(one(x, scale=2))""",
            """
            BOUND = 3
            def g(u):
                return u + BOUND
            def f(u, v):
                return u * v
            def answer(x):
                return g(f(x, v=2))""",
            id="helpers, their order and their parameters",
        ),
        pytest.param(
            "def answer(x):\n    return x",
            "UNUSED = 1\ndef other(x):\n    return 2\ndef answer(x):\n    return 1\n"
            "def answer(x):\n    return x",
            id="what the answer does not reach",
        ),
        pytest.param(
            """
            def answer(x):
                y = [k for k in x if k]
                k = 1
                return [(lambda k: k + y)(j) for j in x], k""",
            """
            def answer(x):
                y = [i for i in x if i]
                z = 1
                return [(lambda y_: y_ + y)(y_) for y_ in x], z""",
            id="the same name in several scopes",
        ),
        pytest.param(
            """
            def answer(x):
                if any((found := k) > 1 for k in x):
                    return found""",
            """
            def answer(x):
                if any((k := item) > 1 for item in x):
                    return k""",
            id="walrus in a comprehension",
        ),
        pytest.param(
            """
            def answer(x):
                try:
                    with open(x) as file:
                        first, *rest = file
                except OSError as error:
                    raise ValueError(error) from None
                match x:
                    case {"a": [1, *more], **others}:
                        return more, others
                    case (1 | 2) as number:
                        return number""",
            """
            def answer(x):
                try:
                    with open(x) as f:
                        a, *b = f
                except OSError as e:
                    raise ValueError(e) from None
                match x:
                    case {"a": [1, *c], **d}:
                        return c, d
                    case (1 | 2) as g:
                        return g""",
            id="names bound in other ways",
        ),
        pytest.param(
            """
            def answer(x):
                count = 0
                def add(step):
                    nonlocal count
                    count += step
                add(step=x)
                return count""",
            """
            def answer(x):
                n = 0
                def increase(by):
                    nonlocal n
                    n += by
                increase(by=x)
                return n""",
            id="nested function",
        ),
    ],
)
def test_the_same_up_to_names_and_formatting(first, second):
    first, second = fingerprints_of(first, second)
    assert first == second


START = """
import torch
def helper(a, b):
    return a - b
def answer(x, y=1, *, z=2):
    total = [torch.exp(k) for k in x if k > 0]
    for k in x:
        total += helper(k, b=y)
    return -total * z
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("torch.exp", "torch.expm1"),
        ("torch.exp(k)", "k.exp()"),
        ("torch.exp(k)", "torch.exp(x)"),
        ("import torch", "import numpy as torch"),
        ("y=1", "y=1.0"),
        ("y=1", "y=True"),
        ("y=1", "y='1'"),
        ("y=1", "y"),
        ("*, z", "z"),
        ("y=1, *,", "y=1, /, *,"),
        ("y=1, *,", "y=1, *rest,"),
        ("k > 0", "k >= 0"),
        (" if k > 0", ""),
        ("[torch.exp(k) for k in x if k > 0]", "{torch.exp(k) for k in x if k > 0}"),
        ("for k in x:", "for k in y:"),
        ("for k in x:", "for x in x:"),
        ("for k in x:", "while x:"),
        ("    return -total", "        return -total"),
        ("total += helper", "total -= helper"),
        ("total += helper(k, b=y)", "total += helper(k, a=y)"),
        ("total += helper(k, b=y)", "total += helper(y, b=k)"),
        ("total += helper(k, b=y)", "total += helper(k, y)"),
        ("total += helper(k, b=y)", "total += helper(k, **y)"),
        ("total += helper(k, b=y)", "total += k - y"),
        ("a - b", "b - a"),
        ("-total * z", "-(total * z)"),
        ("-total * z", "total * z"),
        ("-total * z", "-total * y"),
        ("-total * z", "-total * w"),
        ("return -total", "yield -total"),
        ("def answer", "@torch.no_grad()\ndef answer"),
        ("def answer", "async def answer"),
    ],
)
def test_any_other_change_shows(before, after):
    assert START.count(before) == 1
    first, second = fingerprints_of(START, START.replace(before, after))
    assert first != second


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # Whether an inner function assigns its own variable or one of the two outside
        ("nonlocal a\n        a = 1", "nonlocal b\n        b = 1"),
        ("nonlocal a\n        a = 1", "a = 1"),
        ("nonlocal a\n        a = 1", "c = 1"),
    ],
)
def test_nonlocal_shows(first, second):
    source = "def answer(a, b):\n    def inner():\n        {}\n    inner()\n    return a, b"
    first, second = fingerprints_of(source.format(first), source.format(second))
    assert first != second


def test_constants_that_python_does_not_print():
    numbers = [hex(2**20_000), hex(2**20_000 + 1), "1e999", "-1e999", "1e999j", "'\\ud800'"]
    texts = ["b'a'", "'a'", "...", "None", "'None'", "f'{x}'", "f'{x!r}'", "f'{x:2}'", "f'x'"]
    found = fingerprints_of(*(f"def answer(x): return {text}" for text in [*numbers, *texts]))
    assert len(set(found)) == len(found)


# --- the corpora: hundreds of real answers ----------------------------------------------------


def corpus(number):
    path = ROOT / f"tests/checks/corpus_{number.replace('-', '_')}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def names_of(statement):
    """Every name that a statement mentions, its own included."""
    named = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
    return named | {getattr(statement, "name", "")}


def with_helpers(statements, name):
    """A tree of the imports, the function of this name and the helpers that it mentions."""
    functions = {item.name: item for item in statements if isinstance(item, ast.FunctionDef)}
    wanted, taken = [name], {}
    while wanted:
        item = functions.get(wanted.pop())
        if item is not None and item.name not in taken:
            taken[item.name] = item
            wanted += names_of(item)
    others = [item for item in statements if isinstance(item, ast.Import | ast.ImportFrom)]
    return ast.Module([*others, *taken.values()], [])


@dataclass(frozen=True)
class Sample:
    """An answer of a corpus."""

    answer: str
    name: str
    code: CodeType
    tree: ast.Module

    @property
    def source(self):
        return inspect.getsource(self.code)

    def fingerprint(self):
        return answer_fingerprint(self.tree, self.name)


@pytest.fixture(scope="module", params=sorted(ANSWERS))
def corpus_answers(request):
    """Exercise and the answers of its corpus that have a name, right ones and wrong ones."""
    module = corpus(request.param)
    statements = ast.parse(inspect.getsource(module)).body
    samples = []
    for answer in ANSWERS[request.param]:
        functions = [*module.CORRECT[answer], *(item[1] for item in module.WRONG[answer])]
        for name in sorted({getattr(function, "__name__", "") for function in functions}):
            if inspect.isfunction(function := getattr(module, name, None)):
                tree = with_helpers(statements, name)
                samples.append(Sample(answer, name, inspect.unwrap(function).__code__, tree))
    assert len(samples) > 80
    return request.param, samples


def test_answers_written_independently_differ(corpus_answers):
    _, samples = corpus_answers
    found = [(sample.answer, sample.fingerprint()) for sample in samples]
    long_enough = [item for item in found if item[1]]
    assert len(long_enough) > 20
    assert len(set(long_enough)) == len(long_enough)


def test_worked_answers_are_like_no_other_unless_they_are_short(corpus_answers, monkeypatch):
    number, samples = corpus_answers
    notebook = json.loads((ROOT / f"solutions/{number}.ipynb").read_text())
    sources = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    statements = ast.parse("\n\n".join(sources)).body

    def coincidences(least_nodes):
        monkeypatch.setattr(fingerprints, "LEAST_NODES", least_nodes)
        known = {(sample.answer, sample.fingerprint()) for sample in samples}
        worked = {
            (name, answer_fingerprint(with_helpers(statements, name), name))
            for name in ANSWERS[number]
        }
        return {name for name, found in worked & known if found}

    short = {
        "13-4": {"optimal_classifier_with_prior"},
        "13-5": {"lipschitz_constants", "clipping_bound"},
        "13-6": {"c_transform"},
    }
    least_nodes = fingerprints.LEAST_NODES
    assert coincidences(0) == short.get(number, set())
    assert coincidences(32) == set()
    assert least_nodes >= 32


def renamed(source, names):
    """The source with variables renamed, by its text rather than by its tree."""
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    changed = []
    for before, token in zip([None, *tokens], tokens, strict=False):
        text = token.string
        if token.type == tokenize.NAME and text in names and (not before or before.string != "."):
            text = f"{text}_{len(text)}"
        changed.append((token.type, text))
    return tokenize.untokenize(changed)


def variables(code):
    """Names of parameters and variables, those of functions inside included."""
    inner = [part for part in code.co_consts if inspect.iscode(part)]
    names = {*code.co_varnames, *code.co_cellvars}
    names = {name for name in names if not name.startswith(".")}
    return names.union(*map(variables, inner))


def test_renamed_and_reformatted_corpus_answers_stay_the_same(corpus_answers, monkeypatch):
    monkeypatch.setattr(fingerprints, "LEAST_NODES", 0)
    _, samples = corpus_answers
    compared = 0
    for sample in samples[::3]:
        tree = ast.parse(sample.source)
        fixed = {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                fixed |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
        local = variables(sample.code) - fixed
        changed = ast.unparse(ast.parse(renamed(sample.source, local)))
        assert not local or changed != ast.unparse(tree)
        assert fingerprint(changed, sample.name) == fingerprint(sample.source, sample.name)
        compared += bool(local)
    assert compared > 30


def mutants(tree):
    """The tree with one thing changed, for each thing; the same tree every time."""
    swapped = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            value = node.value
            node.value = value + 1
            yield node
            node.value = value
        elif isinstance(node, ast.Attribute):
            node.attr += "_"
            yield node
            node.attr = node.attr[:-1]
        elif isinstance(node, ast.BinOp) and type(node.op) in swapped:
            operator = node.op
            node.op = swapped[type(operator)]()
            yield node
            node.op = operator
            node.left, node.right = node.right, node.left
            if ast.dump(node.left) != ast.dump(node.right):
                yield node
            node.left, node.right = node.right, node.left
        elif isinstance(node, ast.Call) and len(node.args) > 1:
            last = node.args.pop()
            yield node
            node.args.append(last)


def test_every_mutant_of_a_corpus_answer_differs(corpus_answers, monkeypatch):
    monkeypatch.setattr(fingerprints, "LEAST_NODES", 0)
    _, samples = corpus_answers
    count = 0
    for sample in samples[::6]:
        tree = ast.parse(sample.source)
        original = answer_fingerprint(tree, sample.name)
        for node in mutants(tree):
            assert answer_fingerprint(tree, sample.name) != original, ast.unparse(node)
            count += 1
        assert answer_fingerprint(tree, sample.name) == original
    assert count > 100


# --- nothing to compare -----------------------------------------------------------------------


def test_untouched_answers_have_none():
    for number, names in ANSWERS.items():
        notebook = json.loads((ROOT / f"exercises/{number}.ipynb").read_text())
        cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        tree = ast.parse("\n\n".join("".join(cell["source"]) for cell in cells))
        assert {answer_fingerprint(tree, name) for name in names} == {""}


@pytest.mark.parametrize(
    "source",
    [
        "",
        "other = 1",
        "import answer",
        "def answer(x):\n    return x",
        "answer = 3",
        f"def other():\n    {PADDING}",
        f"{PADDING}\ndef answer(x):\n    return x",
    ],
)
def test_missing_or_short_answers_have_none(source):
    assert fingerprint(source) == ""


def test_an_answer_need_not_be_a_function():
    assert fingerprint(f"answer = lambda x: {PADDING}") != ""
    assert fingerprint(f"class answer:\n    {PADDING}") != ""


# --- hostile trees ----------------------------------------------------------------------------


def test_no_depth_is_too_much():
    expression = ast.Name("x", ast.Load())
    for _ in range(20_000):
        expression = ast.UnaryOp(ast.USub(), ast.Lambda(NO_PARAMETERS, expression))
    tree = ast.Module([ast.Assign([ast.Name("answer", ast.Store())], expression)], [])
    try:
        assert answer_fingerprint(tree, "answer")
    finally:  # level by level: Python itself frees a deep tree by recursion
        while isinstance(expression, ast.UnaryOp):
            inner = expression.operand.body
            expression.operand.body = None
            expression = inner


NO_PARAMETERS = ast.arguments([], [], None, [], [], None, [])


def test_the_bytes_hashed_are_in_proportion_to_the_source(monkeypatch):
    hashed = 0

    class Counting:
        def update(self, data):
            nonlocal hashed
            hashed += len(data)

        def hexdigest(self):
            return ""

    monkeypatch.setattr(fingerprints.hashlib, "blake2b", lambda **_: Counting())
    name, size = "m" * 20_000, 5_000
    for source in (
        f"import {name} as m\ndef answer():\n" + "    m.a\n" * size,
        f"from {name} import {','.join(f'a{i}' for i in range(size))}\n"
        f"def answer():\n    return [{','.join(f'a{i}' for i in range(size))}]",
        "def f(" + ",".join(f"p{i}" for i in range(size)) + "): pass\n"
        "def answer(): f(" + ",".join(f"p{i}=0" for i in range(size)) + ")",
        "a = 1\n" * size + "def answer(): return " + "+".join(["a"] * 500),
    ):
        hashed = 0
        fingerprint(source)
        assert size < hashed < 50 * len(source)
