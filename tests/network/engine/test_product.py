"""The register-tile product against NumPy: every edge of the tiles, any strides of the first operand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cemrnn.network.engine.kernel.product import MULTIPLE, multiply, round_up

sizes = st.integers(0, 40)
panels = st.integers(1, 50).map(lambda n: n * MULTIPLE)  # from less than the narrowest tile to several of the widest


def draw_operands(n_rows, n_k, n_columns, dtype, seed):
    generator = np.random.default_rng(seed)
    return (generator.standard_normal(shape).astype(dtype) for shape in ((n_rows, n_k), (n_k, n_columns)))


def bound(a, b, dtype):
    """Largest rounding error of a sum of products: k roundings of its sum of magnitudes (Higham 2002, eq. 3.5)."""
    return (a.shape[1] + 1) * np.finfo(dtype).eps * (np.abs(a) @ np.abs(b)) + np.finfo(dtype).tiny


@given(sizes, sizes, panels, st.sampled_from([np.float32, np.float64]), st.booleans(), st.integers(0, 99))
@settings(max_examples=150, deadline=None)
def test_product_agrees_with_double_precision(n_rows, n_k, n_columns, dtype, add, seed):
    a, b = draw_operands(n_rows, n_k, n_columns, dtype, seed)
    c = np.full((n_rows, n_columns), 0.5 if add else np.nan, dtype)
    multiply(a[:, :], b[:, :], c[:, :], add)
    exact = a.astype(np.float64) @ b.astype(np.float64) + (0.5 if add else 0)
    assert (np.abs(c - exact) <= bound(a, b, dtype) + np.finfo(dtype).eps).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_transposed_and_sliced_operands_give_the_same_bits(dtype):
    a, b = draw_operands(37, 29, 68, dtype, 0)
    straight, strided = np.empty((37, 68), dtype), np.full((37, 80), 7, dtype)
    multiply(a[:, :], b[:, :], straight[:, :], False)
    wide = np.zeros((29, 100), dtype)
    wide[:, :68] = b
    multiply(np.ascontiguousarray(a.T).T[:, :], wide[:, :68], strided[:, :68], False)
    assert np.array_equal(straight, strided[:, :68])
    assert (strided[:, 68:] == 7).all()  # nothing is written beyond the result


def test_a_row_does_not_depend_on_the_rows_beside_it():
    a, b = draw_operands(21, 33, 132, np.float32, 1)
    together, alone = np.empty((21, 132), np.float32), np.empty((1, 132), np.float32)
    multiply(a[:, :], b[:, :], together[:, :], False)
    for row in range(len(a)):
        multiply(a[row : row + 1, :], b[:, :], alone[:, :], False)
        assert np.array_equal(together[row], alone[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_run_over_k_in_order(dtype):
    # 1 is lost beside 2 / eps unless it is added last, whatever the column's tile
    large = 2 / np.finfo(dtype).eps
    a = np.array([[large, 1, -large, 1]], dtype)
    c = np.empty((1, 124), dtype)
    multiply(a[:, :], np.ones((4, 124), dtype)[:, :], c[:, :], False)
    assert (c == 1).all()


@given(st.integers(0, 1000))
def test_round_up_is_the_next_multiple(size):
    padded = round_up(size)
    assert padded % MULTIPLE == 0
    assert 0 <= padded - size < MULTIPLE
