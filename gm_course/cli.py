"""The command ``gm-course``."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

import click

import gm_course
from gm_course.errors import CourseError
from gm_course.grading.cli import grade
from gm_course.grading.review_cli import review
from gm_course.ledger.cli import ledger

# Commands import what they need when they run: torch and nbformat take seconds to load, and
# `gm-course --help` should not wait for them.


class _FailureException(click.ClickException):
    """A CourseError as the command line shows it: one line for each thing that went wrong."""

    def show(self, file: IO[Any] | None = None) -> None:
        for line in self.message.splitlines():
            click.echo(f"gm-course: error: {line}", err=True)


class _CourseGroup(click.Group):
    """A group whose commands report a CourseError without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except CourseError as error:
            raise _FailureException(str(error)) from error


@click.group(cls=_CourseGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(gm_course.__version__, prog_name="gm-course")
def main() -> None:
    """Tools of the course on deep generative models.

    Exit status: 0 success, 1 the command failed or found problems, 2 wrong usage.
    """


main.add_command(grade)
main.add_command(review)
main.add_command(ledger)


@main.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[JUPYTERLAB_OPTIONS]...")
def lab(options: tuple[str, ...]) -> None:
    """Open the course in JupyterLab.

    JUPYTERLAB_OPTIONS, such as --no-browser and --port=9000, are handed on. Where the home
    directory cannot be written, settings go to a temporary one.

    Exit status: 0 JupyterLab was shut down, 1 it could not start, 2 wrong usage.
    """
    from gm_course.lab import open_course

    open_course(options)


@main.command()
@click.argument("names", nargs=-1)
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    show_default="current directory",
    help="The project's root, which contains sources/.",
)
@click.option("--force", is_flag=True, help="Build all, also what is up to date or edited by hand.")
@click.option("--check", is_flag=True, help="Build nothing; list what is not up to date.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Notebooks to run at once.",
)
@click.option(
    "--cell-timeout",
    type=click.IntRange(min=1),
    default=300,
    show_default=True,
    help="Seconds that one cell may take.",
)
def build(
    names: tuple[str, ...],
    root: Path,
    force: bool,
    check: bool,
    jobs: int,
    cell_timeout: int,
) -> None:
    """Build notebooks, solutions and exercises from sources/.

    NAMES are those of the notebooks to build, such as 05-training-a-vae; none means all. A
    notebook is run only if its source, or a module that it imports, has changed.

    Exit status: 0 all are up to date, 1 a notebook could not be built or --check found one that
    is not up to date, 2 wrong usage.
    """
    if check and force:
        raise click.UsageError("--check builds nothing, so --force cannot go with it.")
    from gm_course import notebooks

    if check:
        problems = notebooks.stale(root, names=names)
        for problem in problems:
            click.echo(problem)
        if problems:
            raise _FailureException("notebooks are not up to date; run: gm-course build")
        click.echo("all notebooks are up to date")
    else:
        notebooks.build(
            root,
            names=names,
            force=force,
            jobs=jobs,
            cell_timeout=cell_timeout,
            report=click.echo,
        )


@main.command()
def info() -> None:
    """Show versions, device, settings and data.

    They are what a notebook would use on this machine.

    Exit status: 0 success, 1 a GM_COURSE_ variable or the data it names is not usable, 2 wrong
    usage.
    """
    from gm_course.data.mnist import ROOT_VARIABLE, load_mnist

    runtime = gm_course.setup()
    digits = load_mnist("test").source
    if runtime.profile == "full" and not os.environ.get(ROOT_VARIABLE):
        digits += f"; set {ROOT_VARIABLE} to train longer, on the full MNIST"
    facts = {
        "gm-course": gm_course.__version__,
        "python": platform.python_version(),
        "torch": version("torch"),
        "torchvision": version("torchvision"),
        "device": runtime.device,
        "threads": runtime.threads,
        "profile": runtime.profile,
        "digits": digits,
    }
    for name, fact in facts.items():
        click.echo(f"{name:<12} {fact}")
