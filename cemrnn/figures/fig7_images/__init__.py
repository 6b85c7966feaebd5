"""Figure 7: see `experiment` and `plot`."""
