"""Holm's correction against an example and its bounds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cemrnn.measures.multiple_tests import adjust_holm


def test_holm_on_an_example_worked_by_hand():
    # sorted .01 .02 .03 .4, times 4 3 2 1: .04 .06 .06 .4; never falling
    assert adjust_holm([0.03, np.nan, 0.01, 0.4, 0.02]) == pytest.approx([0.06, np.nan, 0.04, 0.4, 0.06], nan_ok=True)
    assert adjust_holm([0.5, 0.6]).tolist() == [1, 1]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_between_the_single_test_and_bonferroni(p):
    adjusted, p = adjust_holm(p), np.array(p)
    assert (adjusted >= p).all() and (adjusted <= np.minimum(len(p) * p, 1) + 1e-12).all()
