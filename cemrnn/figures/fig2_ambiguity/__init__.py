"""Figure 2: see `experiment` and `plot`."""
