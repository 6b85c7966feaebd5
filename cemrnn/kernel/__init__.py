"""The compiled kernels behind `cemrnn.compiled`: a block of trials of one network, forward and back in time."""

from cemrnn.kernel.backward import run_backward
from cemrnn.kernel.forward import run_forward

__all__ = ["run_backward", "run_forward"]
