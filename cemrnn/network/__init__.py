"""What a network is: shape, pathways, parameters, recurrence; and the gated baselines."""
