"""Training on a CUDA card: trials and cues are filled on it, and the next batch is made while it works.

What it draws equals what the CPU draws, to float rounding, and what it keeps is the same. So it lies above `training`,
and a change of it makes no network anew.
"""
