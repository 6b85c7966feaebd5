"""Figure 3: see `experiment` and `plot`."""
