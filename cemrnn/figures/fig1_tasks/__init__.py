"""Figure 1: see `experiment` and `plot`."""
