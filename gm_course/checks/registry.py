"""Finding a check by the answer's name or the exercise's number, and running it in a notebook."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable

from gm_course.checks.engine import AnswerCheck, Exercise
from gm_course.errors import ArgumentError, CourseError

# The names of the contract, so that one answer's check does not load every exercise's module.
ANSWERS = {
    "13-1": (
        "expectation_gradient",
        "score_function_terms",
        "optimal_baseline",
        "gumbel_softmax",
    ),
    "13-2": (
        "gaussian_kl_general",
        "gaussian_kl",
        "elbo_one_sample",
        "objective_13_28",
        "affine_map",
        "evidence_terms",
    ),
    "13-3": (
        "autoencoder_objective",
        "optimal_posterior_variance",
        "aggregate_moments",
        "prior_gap",
        "active_units",
    ),
    "13-4": (
        "classifier_objective",
        "objective_derivatives",
        "optimal_classifier",
        "optimal_classifier_from_logs",
        "optimal_value",
        "optimal_classifier_with_prior",
    ),
    "13-5": (
        "lipschitz_constants",
        "steep_pair",
        "near_extremal_pair",
        "empirical_lipschitz",
        "mlp_lipschitz_bound",
        "clipping_bound",
    ),
    "13-6": (
        "wasserstein_primal",
        "wasserstein_dual",
        "wasserstein_1d",
        "c_transform",
        "lipschitz_extension",
        "duality_gap",
        "k_lipschitz_value",
    ),
}


class _ShortTraceback:
    """Shown by IPython as its message alone; the frames would only lead into this package."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


class UnknownAnswerError(_ShortTraceback, ArgumentError):
    """What was given to ``check`` is not a function that an exercise asks for."""


class NotPassedError(_ShortTraceback, CourseError):
    """A check run by nbgrader was not passed; the verdict is printed above it."""


def exercise(number: str) -> Exercise:
    """Return the checks of an exercise, ``"13-1"`` … ``"13-6"``.

    Raises:
        ArgumentError: If there is no such exercise.

    Example:
        >>> exercise("13-2").written_name
        'written_13_2'
    """
    if number not in ANSWERS:
        raise ArgumentError(
            f"exercise: number must be one of {', '.join(ANSWERS)}; got {number!r}. "
            "Write chapter and exercise with a hyphen."
        )
    module = importlib.import_module(f"gm_course.checks.ex{number.replace('-', '_')}")
    found: Exercise = module.EXERCISE
    return found


def find_check(name: str) -> AnswerCheck:
    """Return the check of the answer with this name.

    Raises:
        UnknownAnswerError: If no exercise asks for such an answer.

    Example:
        >>> find_check("gaussian_kl").points
        2.0
    """
    for number, names in ANSWERS.items():
        if name in names:
            return next(item for item in exercise(number).checks if item.name == name)
    listed = "; ".join(f"{number}: {', '.join(names)}" for number, names in ANSWERS.items())
    raise UnknownAnswerError(
        f"check: function must have the name of an answer; got {name!r}. "
        f"Rename it to the one the exercise asks for ({listed})."
    )


def check(function: Callable[..., object]) -> None:
    """Check an answer and print the verdict; the check is found by the function's name.

    In a run where the environment has ``NBGRADER_EXECUTION`` (nbgrader sets it while it grades or
    validates) a check that is not passed also raises, so that nbgrader gives no points.

    Args:
        function: The answer itself: ``check(gaussian_kl)``.

    Raises:
        UnknownAnswerError: If this is not a named function that an exercise asks for.
        NotPassedError: In nbgrader's runs, if the check is not passed.

    Example:
        >>> def affine_map(data_dim, lam):
        ...     raise NotImplementedError
        >>> check(affine_map)
        affine_map: not attempted, 0 of 2 points.
          hint       Replace the line that raises NotImplementedError by your answer and run
                     both cells.
    """
    name = getattr(function, "__name__", None)
    if not callable(function) or not isinstance(name, str) or name == "<lambda>":
        what = "a lambda" if name == "<lambda>" else f"an object of type {type(function).__name__}"
        raise UnknownAnswerError(
            f"check: function must be an answer's function, defined with `def`; got {what}. "
            "Pass the function itself, without quotes or brackets: check(gaussian_kl)."
        )
    result = find_check(name).grade(function)
    print(result.text)
    if "NBGRADER_EXECUTION" in os.environ and result.status != "passed":
        raise NotPassedError(
            f"{name}: {result.status}, {result.score:g} of {result.points:g} points"
        )
