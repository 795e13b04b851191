"""Grading submissions from the command line: ``gm-course grade`` and ``gm-course review``.

Everything here is trusted code; a student's code runs in the processes of
:mod:`gm_course.sandbox` only, and only plain values come back from there.
"""
