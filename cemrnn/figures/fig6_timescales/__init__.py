"""Figure 6: see `experiment` and `plot`."""
