"""Evidence from all replicates and from random halves of them."""

import numpy as np
import pytest

from cemrnn.measures.evidence import N_HALVES, weigh
from cemrnn.measures.intervals import estimate_difference, estimate_mean
from cemrnn.measures.robustness import Threshold, compare_thresholds


def test_halves_are_means_of_half_the_replicates():
    values = 2.0 ** np.arange(7)  # every sum tells its members
    scalars = weigh("auc", estimate_mean, values)
    halves = scalars["auc_halves"]
    assert (scalars["auc"], scalars["auc_n"]) == (pytest.approx(127 / 7), 7)
    assert len(halves) == N_HALVES
    assert {n for *_, n in halves} == {3}
    sums = [round(3 * value) for value, *_ in halves]
    assert all(s.bit_count() == 3 for s in sums)
    assert len(set(sums)) > 15  # of 35
    assert all(low < value < high for value, low, high, _ in halves)
    assert weigh("auc", estimate_mean, values) == scalars


def test_pairs_stay_together():
    shared = np.array([0.0, 100.0, 200.0, 300.0])
    scalars = weigh("difference", lambda a, b: estimate_difference(a, b, paired=True), shared + 1, shared)
    assert all(half == [1, 1, 1, 2] for half in scalars["difference_halves"])


def test_thresholds_are_halved_with_their_flags():
    hidden = Threshold(level=np.array([1.0, 2.0, 8.0, 8.0]), censored=np.array([0, 0, 1, 1]))
    scalars = weigh("octaves", lambda a, b: compare_thresholds(a, b, paired=False), hidden, hidden)
    values = [value for value, *_ in scalars["octaves_halves"]]
    assert scalars["octaves"] == 0
    assert 0 < np.isnan(values).sum() < N_HALVES  # where both are beyond the grid in both arms
