"""Lectures, exercises and solutions, built from one text source each.

===========================  ======================  ==================================
source                       built notebook          what happens to it
===========================  ======================  ==================================
``sources/lectures/N.py``    ``notebooks/N.ipynb``   executed
``sources/exercises/N.py``   ``solutions/N.ipynb``   executed
the same                     ``exercises/N.ipynb``   answers removed, then executed
===========================  ======================  ==================================

A source is Python in jupytext's percent format; :mod:`gm_course.notebooks.sources` says what a
cell may carry.
"""

from gm_course.notebooks.building import build, stale

__all__ = ["build", "stale"]
