"""Training in numbers: jobs, what they cost, where they run, how far they are."""
