"""Figure 5: see `experiment` and `plot`."""
