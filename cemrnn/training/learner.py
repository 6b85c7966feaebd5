"""An ensemble in training: one update, one evaluation, who is done, and the state that a checkpoint keeps."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import pandas as pd
import torch
from torch import Tensor

from cemrnn.network.engine.recurrence import Objective
from cemrnn.network.model import CEMRNN
from cemrnn.network.noise import CountedNoise, NoiseStream
from cemrnn.tasks import Trials, open_stream
from cemrnn.tasks.cues import Cue, CueStream
from cemrnn.tasks.scores import score_per_task, score_trials
from cemrnn.training.continual import Pull, measure_fisher
from cemrnn.training.optimiser import Adam, Factors, clip_gradient

FAILED = "failed"  # the status of a network whose loss or weights were not finite
LATE = 0.8  # share of the updates with the full rate, in the schedule "late"
ROUNDING = 1e-6  # a score of .9 in float32 is not quite .9


@dataclass
class TrainedNetwork:
    """One replicate when its training ended.

    Attributes:
        flat: (P,) parameters, on the CPU.
        status: "reached" the target, "exhausted" the updates, or "failed" when its loss or its weights were not
            finite; it keeps those before.
        n_updates: updates it saw.
        history: a row per evaluation: update, loss since the last one, and the score on every task.
    """

    flat: Tensor
    status: Literal["reached", "exhausted", "failed"]
    n_updates: int
    history: pd.DataFrame


class TrialBatch(NamedTuple):
    """Trials of one update, with what the networks are told and the noise in them; see `CEMRNN.measure_error`."""

    inputs: Tensor  # (M, B, T, I)
    cue: Cue
    goal: Objective
    noise: Tensor | CountedNoise | None
    lengths: Tensor  # (M, B)


class Learner:
    """M networks that learn together; networks leave when they are done, the others go on as if alone.

    Attributes:
        active: index, among the configs, of every network still in training.
        finished: index -> trained network.
        n_updates: updates so far.
    """

    # Attributes that are random streams; looking draws from its own, so that it changes nothing.
    streams = ("trials", "cues", "noise", "evaluation", "evaluation_cues", "evaluation_noise")
    is_trained: Tensor | None = None  # (P,) bool parameters that change; None: all
    pull: Pull | None = None  # towards the starts

    def __init__(self, configs: Sequence, device: torch.device, starts: Sequence[TrainedNetwork] | None = None) -> None:
        seeds = [config.seed for config in configs]
        self.config, self.device = configs[0], device
        self.model = CEMRNN(self.config.network, seeds, device=device)
        if starts is not None:
            self._continue(starts, seeds)
        self.optimiser = Adam(self.model.flat, weight_decay=self.config.weight_decay)
        self.trials = open_stream(self.config.tasks, seeds, name="training")
        self.evaluation = open_stream(self.config.tasks, seeds, name="evaluation")
        self.cues = CueStream(self.config.cue, seeds, name="training")
        self.evaluation_cues = CueStream(self.config.cue, seeds, name="evaluation")
        self.noise = NoiseStream(seeds, name="training", device=device)
        self.evaluation_noise = NoiseStream(seeds, name="evaluation", device=device)
        self._begin(len(configs))

    def _begin(self, n_networks: int) -> None:
        self.active, self.finished = list(range(n_networks)), {}
        self.n_updates, self._losses = 0, []
        self._history: dict[int, list[dict[str, float]]] = {m: [] for m in self.active}

    def update(self) -> None:
        """Let every active network take one step; one that leaves what is finite ends as failed, where it was."""
        loss, failed = self.step(self.take_batch(), self.optimiser.advance(self._learning_rate()))
        self.n_updates += 1
        self._losses.append(loss)
        if failed.any():
            self._retire(dict.fromkeys(failed.nonzero().flatten().tolist(), FAILED))

    def step(self, batch: Any, factors: Factors) -> tuple[Tensor, Tensor]:
        """Loss (M,) of the active networks on a batch, and which failed (M,), after the others took one step.

        Args:
            batch: what `take_batch` returned.
            factors: of the optimiser's step.
        """
        loss = self.measure_loss(batch)
        gradients = torch.autograd.grad(loss.sum(), list(self.model.parameters.values()))
        loss = loss.detach()
        gradient = torch.cat([g.flatten(1) for g in gradients], dim=1)  # (M, P)
        if self.is_trained is not None:
            gradient *= self.is_trained
        norm = clip_gradient(gradient, self.config.clip_norm)
        before = self.model.flat.clone()
        self.optimiser.move(self.model.flat, gradient, factors)
        if self.pull is not None:
            self.pull.draw_back(self.model.flat, self.optimiser.scale(), self._learning_rate())
        failed = ~(torch.isfinite(loss + norm) & torch.isfinite(self.model.flat).all(1))
        self.model.flat.copy_(torch.where(failed[:, None], before, self.model.flat))
        return loss, failed

    def take_batch(self) -> TrialBatch:
        """What every active network learns from in the next update."""
        c = self.config
        trials = self.trials.draw(c.batch_trials, self._deal(c.batch_trials, self.n_updates))
        cue, trials = self._tell(self.cues, trials), trials.to(self.device)
        noise = self.noise.draw(*trials.inputs.shape[1:3], c.network)
        goal = Objective(trials.targets, trials.weights, trials.output_weights)
        return TrialBatch(trials.inputs, cue, goal, noise, trials.end_steps)

    def measure_loss(self, batch: TrialBatch) -> Tensor:
        """Loss (M,) of every active network on a batch; differentiable."""
        inputs, cue, goal, noise, lengths = batch
        return self.model.measure_error(inputs, cue.context, goal, previous=cue.previous, noise=noise, lengths=lengths)

    def evaluate(self) -> float:
        """Median over networks of the score on their worst task; networks that are done leave."""
        c, scores = self.config, self.score()
        losses = sum(self._losses) / len(self._losses)  # a reduction would depend on M to the last bit
        for position, m in enumerate(self.active):
            row = {"update": self.n_updates, "loss": losses[position].item()}
            self._history[m].append(row | dict(zip(c.score_names, scores[position].tolist(), strict=True)))
        worst = scores.amin(1)
        self._losses = []
        done = {}
        if self.n_updates >= c.n_updates:
            done = dict.fromkeys(range(len(self.active)), "exhausted")
        if c.target_score is not None:
            done |= dict.fromkeys((worst >= c.target_score - ROUNDING).nonzero().flatten().tolist(), "reached")
        if done:
            self._retire(done)
        return worst.median().item()

    def score(self) -> Tensor:
        """Score (M, trained task) of every active network on fresh trials, on the CPU."""
        c = self.config
        n_trials = len(c.trained_tasks) * c.evaluation_trials
        trials = self.evaluation.draw(n_trials, self._deal(n_trials))
        cue, trials = self._tell(self.evaluation_cues, trials), trials.to(self.device)
        outputs, _ = self.model.simulate(
            trials.inputs, cue.context, previous=cue.previous, noise=self.evaluation_noise, lengths=trials.end_steps
        )
        scores = score_per_task(score_trials(outputs, trials, c.score_rule), trials.task, c.tasks.n_contexts).cpu()
        return scores[:, c.first_task :]

    def stop(self) -> None:
        """End the training of all networks, as they are, as if their updates were exhausted."""
        self._retire(dict.fromkeys(range(len(self.active)), "exhausted"))

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor of the state, for a checkpoint."""
        current = {"flat": self.model.flat, "first": self.optimiser.first, "second": self.optimiser.second}
        losses = {"losses": torch.stack(self._losses)} if self._losses else {}
        return current | losses | {f"finished/{m}": network.flat for m, network in self.finished.items()}

    def document(self) -> dict[str, Any]:
        """Everything else of the state, JSON-ready."""
        return {
            "active": self.active,
            "n_updates": self.n_updates,
            "streams": {name: getattr(self, name).state() for name in self.streams},
            "history": {str(m): rows for m, rows in self._history.items()},
            "finished": {str(m): [network.status, network.n_updates] for m, network in self.finished.items()},
        }

    def restore(self, tensors: dict[str, Tensor], document: dict[str, Any]) -> None:
        """Go on where `tensors` and `document` were taken."""
        self._keep([self.active.index(m) for m in document["active"]])
        self.n_updates = self.optimiser.n_steps = document["n_updates"]
        self.model.load(tensors["flat"].to(self.device))
        self.optimiser.first, self.optimiser.second = (tensors[k].to(self.device) for k in ("first", "second"))
        self._losses = list(tensors["losses"].to(self.device)) if "losses" in tensors else []
        for name, state in document["streams"].items():
            getattr(self, name).load_state(state)
        self._history = {int(m): rows for m, rows in document["history"].items()}
        for m, (status, n_updates) in document["finished"].items():
            self._finish(int(m), tensors[f"finished/{m}"], status, n_updates)

    def _tell(self, cues: CueStream, trials: Trials) -> Cue:
        """What the networks are told in some trials: nothing if they infer their context."""
        cue = cues.draw(trials)
        return Cue(None, None) if self.config.network.infers_context else cue.to(self.device)

    def _deal(self, n_trials: int, n_batches: int = 0) -> Tensor:
        """Task of every trial: all trained tasks in turn, and the next batch goes on where the last one ended."""
        turn = torch.arange(n_trials) + n_batches * n_trials
        return self.config.first_task + turn % len(self.config.trained_tasks)

    def _continue(self, starts: Sequence[TrainedNetwork], seeds: list[int]) -> None:
        """Take the starts' parameters; those that they lack are trained alone, or all, with a pull to the starts."""
        c = self.config
        base = CEMRNN(c.start.network, seeds, device=self.device)
        base.load(torch.stack([network.flat for network in starts]).to(self.device))
        is_new = self.model.adopt(base)  # (P,)
        if not c.goes_on:
            self.is_trained = is_new
        elif c.ewc_strength:
            counts = dict(n_tasks=c.first_task, trials_per_task=c.fisher_trials)
            fisher = measure_fisher(self.model, c.tasks, seeds, **counts)
            self.pull = Pull(self.model.flat.clone(), c.ewc_strength * fisher)

    def _learning_rate(self) -> float:
        return self.config.learning_rate * schedule_rate(self.config.schedule, self.n_updates / self.config.n_updates)

    def _retire(self, done: dict[int, str]) -> None:
        for position, status in done.items():
            flat = self.model.flat[position].detach().cpu().clone()
            self._finish(self.active[position], flat, status, self.n_updates)
        self._keep([position for position in range(len(self.active)) if position not in done])

    def _finish(self, m: int, flat: Tensor, status: str, n_updates: int) -> None:
        columns = ["update", "loss", *self.config.score_names]
        self.finished[m] = TrainedNetwork(flat, status, n_updates, pd.DataFrame(self._history[m], columns=columns))

    def _keep(self, positions: list[int]) -> None:
        self.active = [self.active[position] for position in positions]
        self.model = self.model.select(positions)
        self._losses = [loss[positions] for loss in self._losses]
        pulls = [] if self.pull is None else [self.pull]
        for part in (self.optimiser, *pulls, *(getattr(self, name) for name in self.streams)):
            part.select(positions)


def schedule_rate(schedule: str, share: float) -> float:
    """Learning rate, as a share of its highest, after a share of the updates.

    Args:
        schedule: "constant"; "cosine", which falls to zero over all updates; or "late", which is constant for four
            fifths of them and falls to zero, as a cosine, over the last fifth, so that before it the loss shows what
            is still being learned and not how the rate falls.
        share: of the updates, in [0, 1].

    Source of "late": Hu et al. 2024 (arXiv 2404.06395), section 4, without warm-up; cosine in place of exponential.
    """
    falling = {"constant": 0.0, "cosine": share, "late": max(0.0, share - LATE) / (1 - LATE)}[schedule]
    return 0.5 * (1 + math.cos(math.pi * falling))


def choose_device(name: str) -> torch.device:
    """The device of that name, cpu, cuda or cuda:1; "auto" is CUDA if there is one, else the CPU.

    Raises:
        ValueError: there is no such device, or not here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    found = re.fullmatch(r"cpu|cuda(?::(\d+))?", str(name))
    if not found:
        raise ValueError(f"device: expected auto, cpu or cuda, got {name!r}")
    if found[0] != "cpu" and int(found[1] or 0) >= torch.cuda.device_count():
        raise ValueError("device: expected a CUDA device, got none on this machine; use cpu or auto")
    return torch.device(str(name))
