"""Evidence from all replicates and from two disjoint halves of them."""

import numpy as np
import pytest

from cemrnn.measures.evidence import weigh
from cemrnn.measures.intervals import bootstrap_difference, bootstrap_mean
from cemrnn.measures.robustness import Threshold, compare_thresholds


def test_halves_are_disjoint_and_together_everything():
    values = np.array([1.0, 2.0, 3.0, 10.0, 20.0, 30.0, 40.0])
    scalars = weigh("auc", lambda x: bootstrap_mean(x, seed=1), values)
    assert [scalars[name] for name in ("auc", "auc_first", "auc_second")] == pytest.approx([106 / 7, 2, 25])
    assert [scalars[name] for name in ("auc_n", "auc_first_n", "auc_second_n")] == [7, 3, 4]
    assert scalars["auc_first_low"] < 2 < scalars["auc_first_high"]


def test_every_sample_is_halved():
    first, second = np.array([5.0, 5.0, 1.0, 1.0]), np.array([1.0, 1.0, 5.0, 5.0])
    scalars = weigh("difference", lambda a, b: bootstrap_difference(a, b, paired=False, seed=1), first, second)
    assert (scalars["difference"], scalars["difference_first"], scalars["difference_second"]) == (0, 4, -4)


def test_thresholds_are_halved_with_their_flags():
    hidden = Threshold(level=np.array([1.0, 2.0, 8.0, 8.0]), censored=np.array([0, 0, 1, 1]))
    scalars = weigh("octaves", lambda a, b: compare_thresholds(a, b, paired=False, seed=1), hidden, hidden)
    assert scalars["octaves"] == scalars["octaves_first"] == 0
    assert np.isnan(scalars["octaves_second"])  # beyond the grid in both arms
