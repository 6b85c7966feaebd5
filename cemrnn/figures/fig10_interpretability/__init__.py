"""Figure 10: see `experiment` and `plot`."""
