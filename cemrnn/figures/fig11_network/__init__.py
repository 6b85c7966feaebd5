"""Figure 11: see `experiment` and `plot`."""
