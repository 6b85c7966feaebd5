"""Figure 13: see `experiment` and `plot`."""
