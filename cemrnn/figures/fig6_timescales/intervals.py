"""Measure, wait, go: how well networks of each arm give back intervals, trained and others, beside published errors.

Here no cue says anything: there is one task, and the context is what a network infers from its inputs and state at
every step. It is the part that the modulating network of Costacurta et al. 2024 has; theirs has dynamics of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import torch

from cemrnn.figures.fig6_timescales.config import TimescalesConfig
from cemrnn.figures.shared.battery import ReplicatesConfig
from cemrnn.network.budget import match_budget
from cemrnn.network.config import NetworkConfig
from cemrnn.network.model import CEMRNN
from cemrnn.tasks import TaskSet, TrialStream
from cemrnn.tasks.measure_wait_go import interval_errors
from cemrnn.training.config import TrainingConfig

TRAINED = TaskSet(names=("measure_wait_go",), preset="nm_rnn")
TESTED = TaskSet(names=("measure_wait_go_wide",), preset="nm_rnn")
# Mean absolute errors in steps, of one network each, after 100,000 updates. Source: Costacurta et al. 2024, from the
# outputs that are stored in their public repository.
PUBLISHED = {
    "NM-RNN": {"trained": 0.0, "extrapolated": 1.25, "all": 0.83},
    "low-rank RNN": {"trained": 0.75, "extrapolated": 5.0, "all": 3.58},
}


@dataclass(frozen=True, kw_only=True)
class IntervalsConfig(ReplicatesConfig):
    """Networks that learn to give intervals back."""

    arms: tuple[str, ...]  # what the inferred context reaches
    n_units: int  # of the combined arm; the others match its trained parameters
    rank: int  # synaptic components of the combined arm
    n_contexts: int  # inferred at each step
    n_updates: int  # updates of the weights
    batch_trials: int  # trials per update and network
    learning_rate: float  # of Adam, at the start; it falls to zero
    test_trials: int = 300  # fresh ones, over the twelve intervals

    @classmethod
    def of(cls, config: TimescalesConfig) -> IntervalsConfig:
        """What figure 6 says of them."""
        named = {"arms": "arms", "n_units": "units", "n_contexts": "contexts", "n_updates": "updates"}
        own = {name: getattr(config, f"interval_{ours}") for name, ours in named.items()}
        shared = ("rank", "batch_trials", "learning_rate", "seed", "device")
        return cls(n_replicates=config.interval_replicates, **own, **{name: getattr(config, name) for name in shared})

    def training(self, arm: str) -> list[TrainingConfig]:
        """The networks of an arm, one per replicate."""
        reference = NetworkConfig.for_tasks(
            TRAINED,
            arm="combined",
            n_units=self.n_units,
            rank=self.rank,
            n_contexts=self.n_contexts,
            activation="tanh",
            sigma_rec=0.0,
            context_source="state",
        )
        network = match_budget(arm, reference)
        return [
            TrainingConfig(
                network=network,
                tasks=TRAINED,
                n_updates=self.n_updates,
                batch_trials=self.batch_trials,
                learning_rate=self.learning_rate,
                schedule="cosine",
                evaluate_every=max(1, self.n_updates // 4),
                seed=seed,
            )
            for seed in self.seeds
        ]


@torch.no_grad()
def measure_intervals(model: CEMRNN, config: IntervalsConfig) -> pd.DataFrame:
    """Errors of every network: network, intervals ("trained", "extrapolated", "all"), error in steps.

    Args:
        model: M networks, which infer their context.
        config: number of test trials, and the seed that they are drawn from; the same trials for all networks.
    """
    trials = TrialStream(TESTED, [config.seed], name="intervals").draw(config.test_trials).repeat(model.n_networks)
    trials = trials.to(model.flat.device)
    outputs, _ = model.run(trials.inputs, None)
    errors = {name: error.tolist() for name, error in interval_errors(outputs, trials).items()}
    return pd.DataFrame(
        {"network": m, "intervals": name, "error_steps": error}
        for name, values in errors.items()
        for m, error in enumerate(values)
    )


def list_published() -> pd.DataFrame:
    """Errors of published networks: model, intervals, error in steps."""
    rows = [(model, name, error) for model, errors in PUBLISHED.items() for name, error in errors.items()]
    return pd.DataFrame(rows, columns=["model", "intervals", "error_steps"])
