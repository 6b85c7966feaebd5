"""Figure 7: its title begins with the comparison that is least favourable to combined modulation."""

import pytest

from cemrnn.figures.fig7_images.experiment import describe_scans


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
