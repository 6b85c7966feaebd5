"""The kernel's own functions."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cemrnn.network.engine.kernel.forward import tanh_single

ULP = 2.0**-24  # half the spacing of float32 numbers just above 1


def test_tanh_is_accurate_where_it_bends_and_where_it_saturates():
    x = np.concatenate([np.linspace(-12, 12, 20001), np.geomspace(1e-20, 1, 2001)]).astype(np.float32)
    ours = np.array([tanh_single(v) for v in x])
    exact = np.tanh(x.astype(np.float64))
    error = np.abs(ours[x != 0] / exact[x != 0] - 1)
    # the fit is good to 2e-8; some ten roundings of 2^-24 each follow
    assert error.max() < 6 * ULP
    assert np.abs(ours).max() <= 1


@given(st.floats(width=32, allow_nan=False))
def test_tanh_is_odd_and_bounded(x):
    assert tanh_single(np.float32(x)) == -tanh_single(np.float32(-x))
    assert abs(tanh_single(np.float32(x))) <= 1


def test_tanh_keeps_what_is_not_a_number():
    assert np.isnan(tanh_single(np.float32("nan")))
