"""The failure museum: what goes wrong, provoked by one switch and measured by one number.

Each exhibit is a module with ``EXHIBIT``. Its normal ranges over several seeds are measured by
``benchmarks/failure_museum.py`` and stored beside that script; ``exhibit.read_ranges`` reads them.
"""
