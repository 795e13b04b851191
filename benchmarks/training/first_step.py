"""From ``import gm_course`` to the first training step; run as a program of its own."""

import sys

import gm_course
from benchmarks.training.course_way import vae_trainer
from benchmarks.training.digits import grey_levels
from gm_course.data import load_mnist


def main() -> int:
    """Do what the first cells of a notebook do, up to one step."""
    runtime = gm_course.setup(seed=0)
    images = grey_levels(load_mnist("train").images)
    trainer = vae_trainer(images, 128, device=runtime.device)
    trainer.run(1, show_progress=False)
    return 0 if trainer.step == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
