"""Populations for packing, apart from `tests.networks`, which many child processes import."""

from cemrnn.figures.fig3_packing.populations import PackingConfig


def packing_config(**settings):
    """A small population for packing; the settings say what the test is about."""
    common = dict(preset="fast", activation="relu", seed=4, n_updates=40, batch_trials=8, learning_rate=0.01)
    common |= dict(target_score=1.0, test_trials=10, device="cpu", units_per_component=4, evaluation_trials=5)
    common |= dict(n_sites=4, trials_per_task=2, criterion=0.9, settled_rise=0.03, units_updates=50)
    common |= dict(battery_replicates=2, battery_updates=40, battery_learning_rate=0.02, battery_target=0.9)
    return PackingConfig(**common | dict(added_updates=10) | settings)
