"""What runs inside the sandbox: a warm server that forks a process for each submission.

A student can read everything here, and :mod:`gm_course.checks.calls`; neither holds an expected
value. The trusted side is :mod:`gm_course.grading.sandbox`.

The processes, from the outside in::

    server          libraries loaded, all calls decoded; never sees a submission
    └─ session      one per submission, first process of its own pid namespace: parses the
       │            notebook, watches time and memory, passes on what the runs write
       └─ run       the student's code, without privileges
"""
