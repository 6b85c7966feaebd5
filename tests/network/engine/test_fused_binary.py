"""What the kernels compile to for cards that need not be here (make test-gpu): every plan fits, and none is refused."""

import os

import pytest

triton = pytest.importorskip("triton")
if os.environ.get("TRITON_INTERPRET") == "1":
    pytest.skip("Triton's interpreter compiles nothing", allow_module_level=True)

from triton.backends.compiler import GPUTarget  # noqa: E402
from triton.compiler import ASTSource  # noqa: E402

from cemrnn.network.engine.fused import normal, plans, steps  # noqa: E402
from cemrnn.network.engine.fused.launch import pad  # noqa: E402

# Shared memory of a program at most, in bytes: CUDA C++ Programming Guide, "Technical Specifications per Compute
# Capability", 163 KB on 8.0 (A100) and 227 KB on 9.0 (H100).
SHARED = {80: 163 * 1024, 90: 227 * 1024}
PRESENT = object()  # of an array that is given
MOVING = dict(BIAS_MOVES=True, GAIN_MOVES=True, STRENGTH_MOVES=True, SCALE_MOVES=True)
BARE = ("V", "U", "STRENGTH", "COMPONENT", "D_COMPONENT", "D_STRENGTH", "GAIN", "D_GAIN", "SCALE", "D_SCALE")


def compile_kernel(kernel, n_units, plan, capability, **changes):
    """The binary of a kernel; unless changed with gain, scale, synapses and counted noise, constant in the trial."""
    n_components = 16
    constants = dict(
        N=n_units, R=n_components, WIDTH=pad(n_units), RANK=pad(n_components), BLOCK=plan.block, TILE=plan.tile,
        BIAS_MOVES=False, GAIN_MOVES=False, STRENGTH_MOVES=False, SCALE_MOVES=False, PHI=2, PRECISION="tf32x3",
        NOISE=None, LENGTHS=None,
    ) | changes  # fmt: skip
    types = {"T": "i32", "B": "i32", "alpha": "fp32", "sigma": "fp32", "KEYS": "*i64", "LENGTHS": "*i64"}
    constants = {name: value for name, value in constants.items() if value is not PRESENT}
    names = kernel.arg_names
    signature = {name: "constexpr" if name in constants else types.get(name, "*fp32") for name in names}
    aligned = {(i,): [["tt.divisibility", 16]] for i, name in enumerate(names) if signature[name].startswith("*")}
    values = {(i,): constants[name] for i, name in enumerate(names) if name in constants}
    source = ASTSource(kernel, signature, values, aligned)
    options = dict(num_warps=plan.warps, num_stages=plans.STAGES)
    return triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)


def class_of(n_units):
    return next(plans_of for least, plans_of in plans.PLANS if n_units >= least)


@pytest.mark.parametrize(("n_units", "capability", "which"), [(128, 90, 0), (256, 90, 0), (512, 90, 0), (128, 80, -1)])
@pytest.mark.parametrize("kernel", ["forward", "backward"])
def test_the_first_plan_fits_an_h100_and_the_last_an_a100(kernel, n_units, capability, which):
    binary = compile_kernel(getattr(steps, kernel), n_units, class_of(n_units)[which], capability)
    assert binary.asm["cubin"]
    assert binary.metadata.shared <= SHARED[capability]


def test_what_does_not_fit_is_seen():  # negative control: 32 trials beside a W of 128 units
    binary = compile_kernel(steps.backward, 128, plans.Plan(32, 0, 8), 90)
    assert binary.metadata.shared > SHARED[90]


@pytest.mark.parametrize("phi", range(4))
@pytest.mark.parametrize("kernel", ["forward", "backward"])
@pytest.mark.parametrize("tile", [0, 16])
def test_every_kind_of_call_compiles(kernel, phi, tile):
    given = MOVING if phi % 2 else dict.fromkeys(BARE)
    lengths, precision = (PRESENT, "tf32x3") if phi < 2 else (None, "tf32")
    changes = given | dict(PHI=phi, LENGTHS=lengths, KEYS=None, NOISE=PRESENT, PRECISION=precision)
    assert compile_kernel(getattr(steps, kernel), 21, plans.Plan(16, tile, 4), 90, **changes).asm["cubin"]


@pytest.mark.parametrize("capability", [80, 90])
def test_drawing_compiles(capability):
    types = {"KEYS": "*i64", "OUT": "*fp32", "T": "i32", "P": "i32", "sigma": "fp32", "BLOCK": "constexpr"}
    source = ASTSource(normal.fill, types, {(5,): 1024}, {})
    assert triton.compile(source, target=GPUTarget("cuda", capability, 32)).asm["cubin"]
