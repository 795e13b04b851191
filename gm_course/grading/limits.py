"""How long grading may take, in seconds; light to import, for the command line's sake."""

from __future__ import annotations

# For one answer, unless the user says otherwise.
DEFAULT_TIMEOUT = 10.0
# A submission may take this many times the time of one answer.
ANSWERS_IN_ALL = 5
# On top of a submission's own time, until its session is ended whatever it does.
SPARE_SECONDS = 60.0
# For the sandbox to load the libraries.
START_SECONDS = 120.0
