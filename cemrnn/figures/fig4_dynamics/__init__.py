"""Figure 4: see `experiment` and `plot`."""
