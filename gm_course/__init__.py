"""Deep generative models: the helper package of the course.

Importing it prints nothing and changes no global state; call :func:`setup` at the top of a
notebook.
"""

from gm_course.runtime import Runtime, setup

__version__ = "0.1.0"
__all__ = ["Runtime", "setup"]
