"""Figure 9: see `experiment` and `plot`."""
