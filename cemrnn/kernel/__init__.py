"""The compiled kernels behind `cemrnn.compiled`: a block of trials of one network, forward and back in time."""

from cemrnn.kernel.arrays import Goal, Gradients, Incoming, Kept, Operands, Returning
from cemrnn.kernel.backward import run_backward
from cemrnn.kernel.fitting import run_fitting
from cemrnn.kernel.forward import run_forward

__all__ = [
    "Goal", "Gradients", "Incoming", "Kept", "Operands", "Returning", "run_backward", "run_fitting", "run_forward",
]  # fmt: skip
