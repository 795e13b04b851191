"""Checks of the exercises: ``check(answer)`` prints a verdict, ``exercise("13-2")`` lists them.

The exercises' modules, with their oracles, are only imported when one is asked for.
"""

from gm_course.checks.engine import AnswerCheck, Case, Exercise
from gm_course.checks.registry import check, exercise, find_check
from gm_course.checks.verdict import Verdict

__all__ = ["AnswerCheck", "Case", "Exercise", "Verdict", "check", "exercise", "find_check"]
