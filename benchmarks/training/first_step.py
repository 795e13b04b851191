"""Seconds from ``import gm_course`` to the end of the first training step, in a new process."""

import sys
import time

STARTED = time.perf_counter()  # before the imports, which are most of what is measured

import gm_course  # noqa: E402
from benchmarks.training.course_way import vae_trainer  # noqa: E402
from benchmarks.training.digits import grey_levels  # noqa: E402
from gm_course.data import load_mnist  # noqa: E402


def main() -> int:
    """Do what the first cells of a notebook do, up to one step, and print how long it took."""
    runtime = gm_course.setup(seed=0)
    images = grey_levels(load_mnist("train").images)
    trainer = vae_trainer(images, 128, device=runtime.device)
    trainer.run(1, show_progress=False)
    print(time.perf_counter() - STARTED)
    return 0 if trainer.step == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
