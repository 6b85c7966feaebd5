"""Figure 7: its title begins with the comparison that is least favourable to combined modulation."""

import numpy as np
import pytest

from cemrnn.figures.fig7_images.experiment import count_fallen, describe_scans, describe_title
from cemrnn.figures.shared import sequence_models


@pytest.mark.parametrize(
    ("rows", "pixels", "words"),
    [
        (-0.019, -0.118, "by pixels it does that, and by rows it does this"),
        (0.06, -0.01, "by pixels it does that, and by rows it does this"),
        (-0.06, 0.01, "by rows it does this, and by pixels it does that"),
    ],
)
def test_a_loss_is_told_before_a_win(rows, pixels, words):
    scalars = {"rows_combined_minus_gru": rows, "pixels_combined_minus_gru": pixels}
    scalars |= {"rows_against_gru": "does this", "pixels_against_gru": "does that"}
    assert describe_scans(scalars, "gru") == words


def test_a_title_says_what_came_out_against_both_rivals_the_worse_way_of_reading_first():
    scalars = {}
    for name, (lead, low, high) in {
        "rows_combined_minus_gru": (-0.02, -0.03, -0.01),
        "rows_combined_minus_plain": (0.01, -0.01, 0.03),
        "pixels_combined_minus_gru": (0.05, 0.03, 0.07),
        "pixels_combined_minus_plain": (0.2, 0.1, 0.3),
    }.items():
        scalars |= {name: lead, f"{name}_low": low, f"{name}_high": high}
    by_rows = "loses to a GRU and is ahead of a plain network (interval includes zero) by rows"
    by_pixels = "beats a GRU and beats a plain network by pixels"
    assert describe_title(scalars) == f"combined modulation {by_rows}, and {by_pixels}"


def test_networks_that_stay_behind_are_those_far_below_the_best_of_their_model():
    assert count_fallen(np.array([0.9, 0.92, 0.95, 0.5, 0.79, np.nan])) == 3
    assert count_fallen(np.array([0.95] * 9 + [0.4] * 11)) == 11  # more than half
    assert count_fallen(np.array([0.95, 0.93, 0.88])) == 0
    assert count_fallen(np.full(3, np.nan)) == 3


def test_a_network_that_fails_does_not_decide_between_models():
    first, second = np.linspace(0.9, 0.95, 10), np.linspace(0.8, 0.85, 10)
    first[3] = 0.1
    assert sequence_models.compare(first, second).low > 0.05
    assert sequence_models.compare(first[:4], second[:4]).low < 0  # of four none is left out
