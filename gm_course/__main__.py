"""``python -m gm_course`` is the command ``gm-course``, for when it is not on the PATH."""

from gm_course.cli import main

if __name__ == "__main__":
    main(prog_name="gm-course")
