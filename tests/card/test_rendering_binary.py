"""What the kernel that fills trials compiles to for cards that need not be here (make test-gpu)."""

import os

import pytest

triton = pytest.importorskip("triton")
if os.environ.get("TRITON_INTERPRET") == "1":
    pytest.skip("Triton's interpreter compiles nothing", allow_module_level=True)

from triton.backends.compiler import GPUTarget  # noqa: E402
from triton.compiler import ASTSource  # noqa: E402

from cemrnn.card.kernels import BLOCK, STEPS, render  # noqa: E402

NOISE, EVENTS = ("KEYS", "START", "END", "SIGMA"), ("FEATURES", "ON", "OFF")


def compile_render(n_features, n_events, capability, absent=()):
    """The binary of the kernel for arrays without those that are absent."""
    constants = dict(F=n_features, E=n_events, STEPS=STEPS, BLOCK=BLOCK) | dict.fromkeys(absent)
    types = {"OUT": "*fp32", "FEATURES": "*fp32", "SIGMA": "*fp32", "T": "i32", "B": "i32"}
    names = render.arg_names
    signature = {name: "constexpr" if name in constants else types.get(name, "*i64") for name in names}
    values = {(i,): constants[name] for i, name in enumerate(names) if name in constants}
    return triton.compile(ASTSource(render, signature, values, {}), target=GPUTarget("cuda", capability, 32))


@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize(
    ("n_features", "n_events", "absent"),
    [(5, 3, ()), (65, 3, ()), (3, 2, NOISE), (1, 2, NOISE), (3, 1, EVENTS), (20, 1, ()), (20, 1, EVENTS)],
)
def test_every_kind_of_call_compiles(n_features, n_events, absent, capability):
    assert compile_render(n_features, n_events, capability, absent).asm["cubin"]


def test_what_cannot_be_compiled_is_seen():  # negative control
    with pytest.raises(Exception, match="KEYS|None|NoneType|pointer"):
        compile_render(3, 1, 90, absent=("START",))
