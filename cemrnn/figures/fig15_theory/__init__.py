"""Figure 15: see `experiment` and `plot`."""
