"""Matrix products for compiled kernels: tiles that stay in registers, written as LLVM vectors.

A library packs its operands before each product, which costs as much as a product of the size of one step; here
a tile of rows times columns is summed over k without leaving the registers. Measured on one core of an AMD EPYC
(Zen 4), float32: (16, 69) times (69, 64) at 113 GFLOP/s, (69, 128) times (128, 64) at 113, of 118 at most.

Sums run over k in order, with fused multiply-add, whatever the tile: results do not depend on the machine's width.
"""

from __future__ import annotations

import functools

import llvmlite.binding
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.typing import signature as signature_of
from numba.extending import intrinsic

MULTIPLE = 4  # columns of the second operand and of the result must be padded to this

# Tiles, the widest first, as (vectors per row, bytes per vector), and how many vectors of sums the registers hold.
_HAS_64_BYTES = llvmlite.binding.get_host_cpu_features().get("avx512f", False)
_SIZES = [(4, 64), (2, 64), (1, 64)] if _HAS_64_BYTES else [(3, 32)]
_SIZES += [(1, 32), (1, 16)]
_N_SUMS = 16 if _HAS_64_BYTES else 12


@njit(nogil=True, error_model="numpy")
def round_up(size):
    """The number of columns that `multiply` wants for that many."""
    return (size + MULTIPLE - 1) // MULTIPLE * MULTIPLE


@njit(nogil=True, error_model="numpy")
def multiply(a, b, c, add):
    """Set c = a @ b, or c += a @ b with add.

    Args:
        a: (n, k), any strides.
        b: (k, m), consecutive elements of a row adjacent, m a multiple of `MULTIPLE`.
        c: (n, m), consecutive elements of a row adjacent.
        add: whether c is added to.
    """
    _multiply(a, b, c, add)


@intrinsic
def fused(typing_context, a, b, c):
    """a * b + c, rounded once: the same number wherever it is compiled."""

    def generate(context, builder, signature, arguments):
        return builder.fma(*arguments)

    return signature_of(a, a, a, a), generate


@intrinsic
def _multiply(typing_context, a, b, c, add):
    def generate(context, builder, signature, arguments):
        x, y, z = (context.make_array(t)(context, builder, v) for t, v in zip((a, b, c), arguments[:3], strict=True))
        product = _Product(builder, context.get_value_type(a.dtype), x, y, z, arguments[3])
        first = ir.Constant(cgutils.intp_t, 0)
        for n_vectors, n_bytes in _SIZES:
            product.set_width(n_vectors, n_bytes * 8 // a.dtype.bitwidth)
            first = product.cover(product.n_columns, first, product.width, product.fill_panel)
        return context.get_dummy_value()

    return types.void(a, b, c, add), generate


class _Product:
    """Emits the code of one product, panel of columns by panel, tile of rows by tile."""

    def __init__(self, builder, element, x, y, z, add):
        self.builder, self.element, self.x, self.y, self.z, self.add = builder, element, x, y, z, add
        self.n_rows, self.n_k = cgutils.unpack_tuple(builder, x.shape)
        self.n_columns = cgutils.unpack_tuple(builder, z.shape)[1]
        self.zero = ir.Constant(cgutils.intp_t, 0)

    def set_width(self, n_vectors: int, n_lanes: int):
        self.n_vectors, self.n_lanes, self.width = n_vectors, n_lanes, n_vectors * n_lanes
        self.vector = ir.VectorType(self.element, n_lanes)

    def cover(self, total, first, size: int, fill):
        """Code that calls fill at every multiple of size that fits in [first, total); returns where it ends."""
        step = ir.Constant(cgutils.intp_t, size)
        count = self.builder.sdiv(self.builder.sub(total, first), step)
        with cgutils.for_range(self.builder, count) as loop:
            fill(self.builder.add(first, self.builder.mul(loop.index, step)))
        return self.builder.add(first, self.builder.mul(count, step))

    def fill_panel(self, column):
        first = self.zero
        for height in (_N_SUMS // self.n_vectors, 2, 1):
            fill = functools.partial(self.fill_tile, column=column, height=height)
            first = self.cover(self.n_rows, first, height, fill)

    def fill_tile(self, row, *, column, height: int):
        sums = [[cgutils.alloca_once(self.builder, self.vector) for _ in range(self.n_vectors)] for _ in range(height)]
        places = [
            (self.address(self.z, self.shift(row, r), self.shift(column, v * self.n_lanes)), total)
            for r in range(height)
            for v, total in enumerate(sums[r])
        ]
        with self.builder.if_else(self.add) as (then, otherwise):
            with then:
                for place, total in places:
                    self.builder.store(self.load(place), total)
            with otherwise:
                for _, total in places:
                    self.builder.store(ir.Constant(self.vector, None), total)
        with cgutils.for_range(self.builder, self.n_k) as loop:
            self.add_products(row, column, loop.index, sums)
        for place, total in places:
            self.builder.store(self.builder.load(total), place).align = 4

    def add_products(self, row, column, k, sums):
        fused = cgutils.get_or_insert_function(
            self.builder.module,
            ir.FunctionType(self.vector, [self.vector] * 3),
            f"llvm.fma.v{self.n_lanes}f{32 if isinstance(self.element, ir.FloatType) else 64}",
        )
        right = [
            self.load(self.address(self.y, k, self.shift(column, v * self.n_lanes))) for v in range(self.n_vectors)
        ]
        for r, totals in enumerate(sums):
            place = self.address(self.x, self.shift(row, r), k, self.element)
            left = self.spread(self.builder.load(place))
            for value, total in zip(right, totals, strict=True):
                self.builder.store(self.builder.call(fused, [left, value, self.builder.load(total)]), total)

    def address(self, array, i, j, kind=None):
        """Pointer to element (i, j), by the strides in bytes."""
        by_row, by_column = cgutils.unpack_tuple(self.builder, array.strides)
        offset = self.builder.add(self.builder.mul(i, by_row), self.builder.mul(j, by_column))
        place = self.builder.gep(self.builder.bitcast(array.data, cgutils.voidptr_t), [offset])
        return self.builder.bitcast(place, (kind or self.vector).as_pointer())

    def shift(self, index, n: int):
        return self.builder.add(index, ir.Constant(index.type, n))

    def load(self, place):
        instruction = self.builder.load(place)
        instruction.align = 4  # no alignment is asked of the arrays
        return instruction

    def spread(self, value):
        undefined = ir.Constant(self.vector, ir.Undefined)
        first = self.builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.n_lanes), None)
        return self.builder.shuffle_vector(first, undefined, zeros)
