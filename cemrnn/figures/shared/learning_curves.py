"""Learning against time: scores from the histories of networks, and what each arm has reached when time is up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from cemrnn.training.learner import TrainedNetwork

Histories = Mapping[str, Sequence[pd.DataFrame]]  # arm -> a frame per network, with the columns update and a score


def follow(histories: Histories, score_name: str) -> pd.DataFrame:
    """Score of every network at all evaluations of its arm: arm, network, update, score.

    A network that has stopped keeps its last score.
    """
    parts = []
    for arm, frames in histories.items():
        updates = sorted({update for frame in frames for update in frame["update"]})
        for m, frame in enumerate(frames):
            score = frame.set_index("update")[score_name].reindex(updates).ffill()
            parts.append(score.reset_index().assign(arm=arm, network=m))
    return pd.concat(parts, ignore_index=True)[["arm", "network", "update", score_name]]


def worst_histories(networks: Sequence[TrainedNetwork], tasks: Sequence[str]) -> list[pd.DataFrame]:
    """Update and score on the worst task at every evaluation, a frame per network."""
    return [
        pd.DataFrame({"update": n.history["update"], "score": n.history[list(tasks)].min(axis="columns")})
        for n in networks
    ]


def take_in_time(histories: Histories, seconds: Mapping[str, float], limit_s: float, score_name: str) -> pd.DataFrame:
    """Score of every network at its last evaluation in time, NaN if there is none: arm, network, score.

    Args:
        histories: of every arm.
        seconds: of an update of a network, by arm.
        limit_s: time for each network.
        score_name: column of the histories.
    """
    rows = []
    for arm, m, frame in _each(histories):
        in_time = frame["update"] * seconds[arm] <= limit_s * (1 + 1e-9)
        score = frame.loc[in_time, score_name].iloc[-1] if in_time.any() else np.nan
        rows.append({"arm": arm, "network": m, score_name: float(score)})
    return pd.DataFrame(rows)


def score_after(histories: Histories, updates: Mapping[str, float]) -> pd.DataFrame:
    """Score of every network after so many updates: arm, network, score.

    Linear between two evaluations, and from zero before the first, so that a little more time is never a whole
    evaluation more; a network that has stopped keeps its last score.

    Args:
        histories: of every arm, with the column score.
        updates: by arm; need not be whole.
    """
    rows = []
    for arm, m, frame in _each(histories):
        score = np.interp(updates[arm], [0, *frame["update"]], [0.0, *frame["score"]])
        rows.append({"arm": arm, "network": m, "score": float(score)})
    return pd.DataFrame(rows)


def time_to_score(histories: Histories, seconds: Mapping[str, float], score: float, n_updates: int) -> pd.DataFrame:
    """Time of every network until its first evaluation with the score: arm, network, seconds, passed.

    A network that never has it counts with all updates that it could have had.

    Args:
        histories: of every arm, with the column score.
        seconds: of an update of a network, by arm.
        score: to be reached.
        n_updates: at most.
    """
    rows = []
    for arm, m, frame in _each(histories):
        reached = frame.loc[frame["score"] >= score, "update"]
        updates = reached.iloc[0] if len(reached) else n_updates
        rows.append({"arm": arm, "network": m, "seconds": updates * seconds[arm], "passed": len(reached) > 0})
    return pd.DataFrame(rows)


def _each(histories: Histories) -> Iterator[tuple[str, int, pd.DataFrame]]:
    """Arm, number of the network, and its history."""
    return ((arm, m, frame) for arm, frames in histories.items() for m, frame in enumerate(frames))
