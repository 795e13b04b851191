"""The equation ledger: every named equation of the chapter, checked against an independent oracle.

A module for each lecture lists its equations, ``catalogue`` puts them in the chapter's order, and
``gm-course ledger`` prints them.
"""
