"""Figure 14: see `experiment` and `plot`."""
