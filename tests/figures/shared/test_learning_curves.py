"""Learning against time, on histories made by hand."""

import numpy as np
import pandas as pd
import pytest

from cemrnn.figures.shared.learning_curves import follow, score_after, take_in_time, time_to_score, worst_histories
from cemrnn.training.learner import TrainedNetwork

HISTORIES = {
    "slow": [pd.DataFrame({"update": [10, 20, 30], "score": [0.2, 0.4, 0.8]})],
    "fast": [
        pd.DataFrame({"update": [10, 20, 30], "score": [0.1, 0.6, 0.5]}),
        pd.DataFrame({"update": [10], "score": [0.9]}),  # stopped
    ],
}
SECONDS = {"slow": 2.0, "fast": 1.0}


def test_a_network_that_has_stopped_keeps_its_score():
    curves = follow(HISTORIES, "score")
    stopped = curves[(curves["arm"] == "fast") & (curves["network"] == 1)]
    assert stopped["update"].tolist() == [10, 20, 30]
    assert stopped["score"].tolist() == [0.9, 0.9, 0.9]
    assert len(curves) == 9


def test_the_last_evaluation_in_time_counts():
    assert take_in_time(HISTORIES, SECONDS, 40.0, "score")["score"].tolist() == [0.4, 0.5, 0.9]
    assert take_in_time(HISTORIES, SECONDS, 39.9, "score")["score"].tolist() == [0.2, 0.5, 0.9]
    late = take_in_time(HISTORIES, SECONDS, 15.0, "score")["score"].tolist()
    assert np.isnan(late[0]) and late[1:] == [0.1, 0.9]


def test_scores_are_linear_between_evaluations_and_start_from_zero():
    assert score_after(HISTORIES, {"slow": 15.0, "fast": 5.0})["score"].tolist() == pytest.approx([0.3, 0.05, 0.45])
    assert score_after(HISTORIES, {"slow": 0.0, "fast": 99.0})["score"].tolist() == pytest.approx([0.0, 0.5, 0.9])


def test_the_time_to_a_score_is_that_of_its_first_evaluation():
    table = time_to_score(HISTORIES, SECONDS, 0.6, n_updates=50)
    assert table["seconds"].tolist() == [60.0, 20.0, 10.0]
    never = time_to_score(HISTORIES, SECONDS, 0.85, n_updates=50)
    assert never["seconds"].tolist() == [100.0, 50.0, 10.0]
    assert never["passed"].tolist() == [False, False, True]


def test_the_worst_task_counts():
    history = pd.DataFrame({"update": [5, 10], "loss": [0.0, 0.0], "a": [0.3, 0.9], "b": [0.5, 0.7], "c": [0.0, 0.0]})
    (frame,) = worst_histories([TrainedNetwork(None, "exhausted", 10, history)], ("a", "b"))
    assert frame["update"].tolist() == [5, 10]
    assert frame["score"].tolist() == [0.3, 0.7]
