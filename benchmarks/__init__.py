"""Measurements of the course's tools; see README.md beside this file."""
