"""Notebooks to figures to book: parameters, runs, records, provenance, pages."""

from cemrnn.reproduce.record import record, show

__all__ = ["record", "show"]
