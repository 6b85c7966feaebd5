"""How outputs at the end of a trial follow the cue: their derivatives, from one backward pass each."""

from __future__ import annotations

import torch
from torch import Tensor

from cemrnn.figures.fig15_theory.intervention import Clean, read_last
from cemrnn.figures.shared.ambiguity import ConflictTrials
from cemrnn.network.model import CEMRNN


def differentiate(model: CEMRNN, conflicts: ConflictTrials, cue: Tensor) -> Clean:
    """Outputs (M, B, O) at the last step with a cue (M, B, K) and no recurrent noise; their slopes (M, B, O, K)."""
    slopes = []
    for o in range(conflicts.trials.targets.shape[-1]):
        variable = cue.clone().requires_grad_()
        last = run_to_last(model, conflicts, variable)
        slopes.append(torch.autograd.grad(last[..., o].sum(), variable)[0])
    return last.detach().cpu().numpy(), torch.stack(slopes, dim=2).cpu().numpy()


def run_to_last(model: CEMRNN, conflicts: ConflictTrials, cue: Tensor) -> Tensor:
    """Outputs (M, B, O) at the last step with a cue, without recurrent noise; differentiable."""
    outputs, _ = model.run(conflicts.trials.inputs, conflicts.shown(cue), lengths=conflicts.trials.end_steps)
    return read_last(outputs, conflicts)
