"""The same training done the usual way and by the course, and the arithmetic alone."""
