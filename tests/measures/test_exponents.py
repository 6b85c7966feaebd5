"""Exponents of known power laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cemrnn.measures.exponents import fit_slopes


@given(st.floats(-2, 3), st.floats(1e-3, 1e3), st.integers(3, 8))
def test_an_exponent_is_found_exactly(slope, factor, n):
    x = 2.0 ** np.arange(n)
    fitted = fit_slopes(x, factor * x**slope)
    # Logarithms of numbers below 1e9 in float64, divided by their spread of one at least.
    assert fitted == pytest.approx(slope, abs=1e-6)


def test_slopes_are_those_of_numpy_row_by_row():
    y = np.exp(np.random.default_rng(0).standard_normal((3, 4, 5)))
    x = [3, 5, 8, 20, 100]
    expected = [[np.polyfit(np.log(x), np.log(row), 1)[0] for row in block] for block in y]
    np.testing.assert_allclose(fit_slopes(x, y), expected, rtol=1e-10)
    with pytest.raises(ValueError, match=r"y: expected \(..., 5\), one value for each .*, got \(3, 4\)"):
        fit_slopes(x, y[..., 0])
