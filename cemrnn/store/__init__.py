"""Trained networks on disk: what an entry is, how it comes and goes, and what is there."""
