"""Figure 16: see `experiment` and `plot`."""
