"""What the kernels compile to for cards that need not be here (make test-gpu): every plan fits, and none is refused."""

import os

import pytest

triton = pytest.importorskip("triton")
if os.environ.get("TRITON_INTERPRET") == "1":
    pytest.skip("Triton's interpreter compiles nothing", allow_module_level=True)

from triton.backends.compiler import GPUTarget  # noqa: E402
from triton.compiler import ASTSource  # noqa: E402

from cemrnn.network.engine.fused import plans, steps  # noqa: E402
from cemrnn.network.engine.fused.launch import pad  # noqa: E402

# Shared memory of a program at most, in bytes: CUDA C++ Programming Guide, "Technical Specifications per Compute
# Capability", 163 KB on 8.0 (A100) and 227 KB on 9.0 (H100).
SHARED = {80: 163 * 1024, 90: 227 * 1024}
ABSENT = ("NOISE", "LENGTHS")


def compile_kernel(kernel, n_units, plan, capability, *, n_components=16):
    """The binary of a kernel with gain, scale, synapses and counted noise, all constant in the trial."""
    constants = dict.fromkeys(ABSENT) | dict(
        N=n_units, R=n_components, WIDTH=pad(n_units), RANK=pad(n_components), BLOCK=plan.block, TILE=plan.tile,
        BIAS_MOVES=False, GAIN_MOVES=False, STRENGTH_MOVES=False, SCALE_MOVES=False, PHI=2, PRECISION="tf32x3",
    )  # fmt: skip
    types = {"T": "i32", "B": "i32", "alpha": "fp32", "sigma": "fp32", "KEYS": "*i64"}
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
