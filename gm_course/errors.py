"""The exceptions a user can meet, all derived from :class:`~gm_course.errors.CourseError`.

A message reads ``<function>: <argument> must <rule>; got <value>. <what to do next>.``
"""


class CourseError(Exception):
    """Base of every error the package raises on purpose."""


class ArgumentError(CourseError, ValueError):
    """An argument has a value outside its documented range."""


class ShapeError(ArgumentError):
    """A tensor has the wrong shape."""


class DeviceError(CourseError, RuntimeError):
    """The device asked for does not exist on this machine."""


class DataError(CourseError):
    """A data file is missing, truncated, corrupt or does not fit its companion."""


class CheckpointError(CourseError):
    """A checkpoint cannot be read or belongs to another model."""


class NonFiniteLossError(CourseError, ArithmeticError):
    """A loss became NaN or infinite during training."""


class BuildError(CourseError):
    """A notebook source is malformed or one of its cells failed."""


class UnreadableError(CourseError):
    """A submission is not a notebook that can be graded; the message says why."""


class SandboxError(CourseError, RuntimeError):
    """Untrusted code cannot be isolated here, or the sandbox itself failed."""


class GradingError(CourseError):
    """Results, points or a class of submissions cannot be processed."""
