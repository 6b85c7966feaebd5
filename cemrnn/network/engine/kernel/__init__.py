"""The compiled kernels behind `compiled`: a block of trials of one network, forward and back in time."""

from cemrnn.network.engine.kernel.arrays import Goal, Gradients, Incoming, Kept, Operands, Returning
from cemrnn.network.engine.kernel.backward import run_backward
from cemrnn.network.engine.kernel.fitting import run_fitting
from cemrnn.network.engine.kernel.forward import run_forward

__all__ = [
    "Goal", "Gradients", "Incoming", "Kept", "Operands", "Returning",
    "run_backward", "run_fitting", "run_forward",
]  # fmt: skip
