"""What defines a training, and how it is done: recipes, learners, optimiser, stops, checkpoints."""
