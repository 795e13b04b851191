"""Which answers count as leaving nothing behind."""

import ast

import pytest

from gm_course.sandbox.cells import Cell, Notebook
from gm_course.sandbox.tameness import is_tame
from tests.grading.submissions import NUMBERS, worked

TAME = [
    "import torch\ndef f(x):\n    x = x.detach().clone()\n    x.requires_grad = True\n    return x",
    "import numpy as np\ndef f(p):\n    out = np.zeros(3)\n    out[0] = 1\n    return out",
    "from scipy.optimize import linprog\ndef f(c):\n    return linprog(c).fun",
    "import torch.nn.functional as F\ndef f(x):\n    return F.softmax(x, dim=0)",
    "from functools import lru_cache\n@lru_cache\ndef f(n):\n    return n",
    "def f(x):\n    raise NotImplementedError",
    "from torch.autograd.functional import hessian",
]
NOT_TAME = {
    "import os": "a library that reaches outside",
    "import scipy._lib": "a private module",
    "from torch import os": "one through another",
    "import torch\nx = torch.os.getpid()": "the same",
    "from . import helper": "a relative import",
    "import torch\ntorch.exp = torch.log": "a patched library",
    "import torch\ntorch.Tensor.sum = None": "a patched class",
    "import torch\ndel torch.exp": "a deleted function",
    "import torch\nfor torch.exp in [None]:\n    pass": "patched by a loop",
    "import torch\nsetattr(torch, 'exp', None)": "patched by name",
    "import torch\ntorch.__dict__['exp'] = None": "patched in its dictionary",
    "import torch\nvars(torch)['exp'] = None": "the same",
    "import torch\ntorch.set_default_dtype(torch.float64)": "a setting",
    "import torch\ntorch.use_deterministic_algorithms(True)": "a setting",
    "import torch\ntorch.backends.mkldnn.enabled = False": "a setting",
    "import numpy as np\nnp.seterr(all='raise')": "a setting",
    "import torch\ndef f(x):\n    x.register_hook(print)": "a hook",
    "def f(x):\n    global g\n    g = x": "a global name",
    "exec('import os')": "hidden code",
    "__import__('os').fork()": "a hidden import",
    "def f(x):\n    return ().__class__.__base__.__subclasses__()": "a way around",
    "def f(x):\n    open('/tmp/x', 'w')": "a file",
}


@pytest.mark.parametrize("source", TAME)
def test_code_that_only_computes_is_tame(source):
    assert is_tame(ast.parse(source).body)


@pytest.mark.parametrize("source", NOT_TAME, ids=NOT_TAME.values())
def test_code_that_may_leave_something_behind_is_not(source):
    assert not is_tame(ast.parse(source).body)


@pytest.mark.parametrize("number", NUMBERS)
def test_worked_answers_are_tame(number):
    from gm_course.checks.registry import ANSWERS
    from gm_course.grading.submission import parse

    cells = [
        Cell(i, cell.source, cell.grade_id) for i, cell in enumerate(parse(worked(number)).cells)
    ]
    notebook = Notebook(cells)
    assert all(is_tame(notebook.plan(name).statements) for name in ANSWERS[number])
