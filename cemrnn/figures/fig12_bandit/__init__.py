"""Figure 12: see `experiment` and `plot`."""
