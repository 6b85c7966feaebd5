"""Figure 8: see `experiment` and `plot`."""
