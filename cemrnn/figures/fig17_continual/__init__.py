"""Figure 17: see `experiment` and `plot`."""
