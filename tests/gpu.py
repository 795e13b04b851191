"""Run the tests that use a GPU, then every notebook on it: ``python -m tests.gpu``.

Where torch sees no CUDA device nothing is run, and nothing is said to have passed.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping

import torch

PYTEST = (sys.executable, "-m", "pytest")
RUNS = (
    (*PYTEST, "tests", "-k", "cuda"),  # tests with a parameter "cuda" where there is one
    (*PYTEST, "notebooks", "solutions", "exercises"),  # strict nbval, by pyproject.toml
)


def execute(command: tuple[str, ...], environment: Mapping[str, str]) -> int:
    """Run a command to its end; return its exit status."""
    return subprocess.run(command, env=environment, check=False).returncode


def main(run: Callable[[tuple[str, ...], Mapping[str, str]], int] = execute) -> int:
    """Run everything on the GPU and return the exit status: 0, or that of the first failure."""
    if not torch.cuda.is_available() or torch.cuda.device_count() == 0:
        print("skipped: no GPU (torch sees none)")
        return 0
    print(f"on {torch.cuda.get_device_name()}, torch {torch.__version__}", flush=True)
    # The notebooks' kernels inherit it, so that none of them falls back on the CPU unnoticed.
    environment = os.environ | {"GM_COURSE_DEVICE": "cuda"}
    return next((status for command in RUNS if (status := run(command, environment))), 0)


if __name__ == "__main__":
    sys.exit(main())
