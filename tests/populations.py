"""Populations for packing, apart from `tests.networks`, which many child processes import."""

from cemrnn.figures.fig3_packing.populations import PackingConfig


def packing_config(**settings):
    """A small population for packing; the settings say what the test is about."""
    common = dict(preset="fast", activation="relu", seed=4, n_updates=20, batch_trials=8, learning_rate=0.01)
    common |= dict(target_score=1.0, test_trials=10, device="cpu", units_per_component=8, evaluation_trials=10)
    return PackingConfig(**common, battery_updates=10, battery_learning_rate=0.02, **settings)
