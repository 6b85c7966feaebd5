"""What several figures compute from: populations, ambiguous trials, rotations, states, models of sequences."""
