"""How outputs at the end of a trial follow the cue: their derivatives, from one backward pass each."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from cemrnn.figures.shared.ambiguity import ConflictTrials
from cemrnn.network.model import CEMRNN


def differentiate(model: CEMRNN, conflicts: ConflictTrials, cue: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Outputs (M, B, O) at the last step with a cue (M, B, K) and no recurrent noise; their slopes (M, B, O, K)."""
    trials, slopes = conflicts.trials, []
    for o in range(trials.targets.shape[-1]):
        variable = cue.clone().requires_grad_()
        last = run_to_last(model, conflicts, variable)
        slopes.append(torch.autograd.grad(last[..., o].sum(), variable)[0])
    return last.detach().cpu().numpy(), torch.stack(slopes, dim=2).cpu().numpy()


def run_to_last(model: CEMRNN, conflicts: ConflictTrials, cue: Tensor) -> Tensor:
    """Outputs (M, B, O) at the last step with a cue, without recurrent noise; differentiable."""
    trials = conflicts.trials
    outputs, _ = model.run(trials.inputs, cue, lengths=trials.end_steps)
    last = (trials.end_steps - 1)[..., None, None].expand(-1, -1, 1, outputs.shape[-1])
    return outputs.gather(2, last)[:, :, 0]
