"""Notebooks to figures to book: parameters, runs, records, provenance, pages.

Nothing is imported here: `record` loads matplotlib and IPython, which commands do not need.
"""
