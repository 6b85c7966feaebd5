"""What a user types: networks in hand, loaded, trained or taken from torch; run, scored, disturbed, drawn and kept.

Arrays come with named axes (xarray), so that `.mean("trial")` and `.sel(network=0)` mean what they say.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cemrnn.config import coerce, show, unknown_name
from cemrnn.dynamics.fixed_points import CARRIED, FixedPoints, carry, find_fixed_points
from cemrnn.dynamics.flow import Flow
from cemrnn.figures import load_experiment
from cemrnn.network import torch_module
from cemrnn.network.config import NetworkConfig, list_matrices
from cemrnn.network.model import CEMRNN
from cemrnn.network.noise import NoiseStream
from cemrnn.network.pathways import ARMS
from cemrnn.random import stream
from cemrnn.ranges import check_numbers
from cemrnn.reproduce.populations import (
    as_they_stand,
    check_configs,
    choose_configs,
    figure_config,
    is_folder,
    plan_training,
    refuse_arguments,
)
from cemrnn.store.bundle import read_bundle, write_bundle
from cemrnn.store.store import Store
from cemrnn.sweep.run import load_population
from cemrnn.tasks import OwnTasks, TaskSet
from cemrnn.tasks.drawing import Disturbance, Tasks, TrialBatch
from cemrnn.tasks.scores import score_trials
from cemrnn.training.config import TrainingConfig
from cemrnn.training.learner import FAILED, TrainedNetwork
from cemrnn.training.train import TrainingInterrupted

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Networks:
    """M networks of one shape; `networks[0]` is one of them, `networks[:3]` are some.

    Attributes:
        model: the ensemble.
        seeds: one per network.
        tasks: what they learned; None if nobody said.
        history: how they learned: network, update, loss, and the score on every task.
        status: of every network: "reached" the target score, "exhausted" its updates, or "failed" when its loss or its
            weights were not finite, and kept those before; empty if nobody said.
    """

    model: CEMRNN
    seeds: tuple[int, ...]
    tasks: Tasks | None = None
    history: pd.DataFrame = dataclasses.field(default_factory=pd.DataFrame)
    status: tuple[str, ...] = ()

    def __len__(self) -> int:
        """M."""
        return len(self.seeds)

    def __getitem__(self, index: int | slice) -> Networks:
        """One network (`Network`), or some of them."""
        kind = Networks if isinstance(index, slice) else Network
        kept = range(len(self))[index] if kind is Networks else [range(len(self))[index]]
        history = self.history
        if len(history):
            history = history[history["network"].isin(kept)]
            history = history.assign(network=history["network"].map({m: i for i, m in enumerate(kept)}))
        of_kept = [tuple(values[m] for m in kept if values) for values in (self.seeds, self.status)]
        return kind(self.model.select(kept), of_kept[0], self.tasks, history, of_kept[1])

    def __repr__(self) -> str:
        c = self.model.config
        names = "no tasks" if self.tasks is None else ", ".join(self.tasks.names)
        failed = f", {self.status.count(FAILED)} failed" if FAILED in self.status else ""
        return f"<{len(self)} x {c.arm}, N = {c.n_units}, K = {c.n_contexts}: {names}{failed}>"

    @property
    def config(self) -> NetworkConfig:
        """Shape and physics, the same for all."""
        return self.model.config

    def run(
        self,
        trials: TrialBatch,
        *,
        cue: Any = None,
        strength: float = 1.0,
        noise: float = 0.0,
        onset_ms: float = 0.0,
        switch: tuple[str, float] | None = None,
        recurrent_noise: bool = True,
    ) -> xarray.Dataset:
        """What every network does on every trial, with the same recurrent noise on every call.

        Args:
            trials: see `Tasks.draw`.
            cue, strength, noise, onset_ms, switch: what is done to the cue, see `cemrnn.tasks.drawing.Disturbance`.
            recurrent_noise: whether units are noisy, as in training.

        Returns:
            outputs (network, trial, time, output) and rates (network, trial, time, unit), 0 after the end of a trial.

        Raises:
            ValueError: the cue does not fit, a number is out of its range, or networks that infer context get one.
        """
        _check_trials(trials)
        disturbance = Disturbance(cue=cue, strength=strength, noise=noise, onset_ms=onset_ms, switch=switch)
        device = self.model.flat.device
        given = trials.trials.repeat(len(self)).to(device)
        stream = NoiseStream(self.seeds, name="run", device=device) if recurrent_noise else None
        outputs, rates = self.model.simulate(
            given.inputs, self._tell(trials, disturbance), noise=stream, lengths=given.end_steps, keep_rates=True
        )
        return _name_axes(trials, self.seeds, outputs=outputs, rates=rates)

    def save(self, folder: str | Path) -> None:
        """Write the networks into a folder, from where `load` takes them, in any project."""
        document = {"network": self.config.to_dict(), "seeds": self.seeds, "format": 1}
        document["status"] = self.status
        document["tasks"] = None if self.tasks is None else self.tasks.source.to_dict()
        write_bundle(Path(folder).expanduser(), self.model.flat, self.history, document)

    def _tell(self, trials: TrialBatch, disturbance: Disturbance) -> Tensor | None:
        if self.config.infers_context:
            if not disturbance.is_none:
                raise ValueError(f"cue: expected none, because these networks infer it from the "
                                 f"{self.config.context_source}")  # fmt: skip
            return None
        return disturbance.apply(trials, self.seeds).to(self.model.flat.device)


class Network(Networks):
    """One network."""

    @property
    def weights(self) -> Weights:
        """Name or letter of the model -> array, trained and fixed; row = where a connection comes from."""
        tensors = self.model.parameters | self.model.fixed
        letters = {matrix.letter: name for name, matrix in list_matrices(self.config).items()}
        return Weights({name: x[0].detach().cpu().numpy() for name, x in tensors.items()}, letters)

    def to_torch(self) -> torch_module.CEMRNN:
        """A copy as a `torch.nn.Module`; `from_torch` takes it back."""
        return torch_module.CEMRNN.of(self.model, 0, self.seeds[0])

    def fixed_points(
        self,
        task: str,
        epoch: str,
        *,
        inputs: np.ndarray | None = None,
        n_starts: int = 64,
        n_stimuli: int = 8,
        seed: int = 0,
    ) -> FixedPoints:
        """Fixed and slow points under the cue of a task while the input of one of its epochs is held.

        Args:
            task: its name.
            epoch: as in `trials.trials.epochs`; its input is held without noise, and its states are started from.
            inputs: (I,) another input to be held.
            n_starts: states that are started from under every input.
            n_stimuli: stimuli that are drawn, each an input of its own, where the epoch shows any.
            seed: of trials and starts.

        Raises:
            ValueError: task or epoch are unknown, or the context follows the state.
            NotConvergedError: hardly any start led to a point.
        """
        tasks = _need_tasks(self)
        check_numbers(n_starts=n_starts, n_stimuli=n_stimuli, seed=seed)
        if inputs is None:
            held = tasks.epoch_inputs(task, epoch, n_stimuli=n_stimuli, seed=seed)
        else:
            held = np.asarray(inputs)[None]
        trials = tasks.draw(n_starts, task, seed=seed)
        visited = self.run(trials).rates.values[0][trials.in_epoch(epoch)]  # (state, N)
        picked = stream(seed, "fixed points").integers(len(visited), size=(len(held), n_starts))
        device, told = self.model.flat.device, ARMS[self.config.arm].pathways and not self.config.infers_context
        context = torch.from_numpy(trials.cue(task)[:1]).expand(len(held), -1) if told else None
        which = torch.zeros(len(held), dtype=torch.int64)
        flow = Flow.of(self.model, which, torch.as_tensor(held, device=device), context)
        return find_fixed_points(flow, *carry(flow, visited[picked], CARRIED, device))

    def plot(self, trial: TrialBatch, **disturbance: Any) -> Figure:
        """Inputs, rates, outputs and target of one trial.

        Args:
            trial: one, as `trials[3]`.
            disturbance: of the cue, as in `run`.

        Raises:
            ValueError: it is not one trial.
        """
        from cemrnn.figures.shared.one_trial import draw_trial

        _check_trials(trial)
        if len(trial) != 1:
            raise ValueError(f"trial: expected one, such as trials[0], got {len(trial)}")
        out = self.run(trial, **disturbance)
        shown = trial.inputs[0], out.rates.values[0, 0], out.outputs.values[0, 0], trial.targets[0]
        return draw_trial(trial.time_ms, *shown, title=trial.names[0].replace("_", " "))


class Weights(dict):
    """Arrays by name, and by the letters of the model."""

    def __init__(self, arrays: Mapping[str, np.ndarray], letters: Mapping[str, str]) -> None:
        super().__init__(arrays)
        self._letters = letters

    def __missing__(self, letter: str) -> np.ndarray:
        """The array that a letter stands for."""
        if letter in self._letters:
            return self[self._letters[letter]]
        raise KeyError(unknown_name(letter, [*self, *self._letters], "weights"))


def score(out: xarray.Dataset, trials: TrialBatch, rule: str = "last36") -> xarray.DataArray:
    """1 where a trial was answered right, else 0, with the axes (network, trial); see `score_trials` for the rules.

    Own tasks are scored as they say themselves, whatever the rule: by R squared where answers are numbers.

    Args:
        out: what `Networks.run` returned on these trials.
        trials: the trials.
        rule: "last36", "last18" or "strict".
    """
    _check_trials(trials)
    outputs = torch.from_numpy(out.outputs.values)
    right = score_trials(outputs, trials.trials.repeat(len(outputs)), rule)
    return _name_axes(trials, out.seed.values, score=right).score


def load(
    what: str | Path | Sequence[TrainingConfig],
    *,
    arm: str | None = None,
    profile: str = "quick",
    label: str = "",
    **overrides: Any,
) -> Networks:
    """The networks of one arm of a figure, trained if the store lacks them; or those of a folder that `save` wrote.

    Args:
        what: name of a figure, for example "fig2_ambiguity"; a folder; or configs that differ in the seed alone. The
            last two know all that the other arguments say.
        arm: which networks, if the figure has several arms.
        profile: its sizes.
        label: a part of the label ("combined, N = 8, K = 4"), if the arm has networks of several shapes.
        overrides: other values of the figure's settings.

    Raises:
        ValueError: a name is unknown, more than one shape of network fits, or a folder or configs come with arguments.
    """
    given = overrides | {name: value for name, value in (("arm", arm), ("label", label)) if value}
    given |= {"profile": profile} if profile != "quick" else {}
    if not isinstance(what, str | Path):
        device = given.pop("device", "auto")
        refuse_arguments(given, "configs")
        return _obtain(check_configs(what), device)
    if is_folder(what):
        refuse_arguments(given, "a folder")
        return _load_folder(Path(what).expanduser())
    config = figure_config(str(what), profile, overrides)
    conditions = load_experiment(str(what)).conditions(config)
    configs = choose_configs(conditions, arm, label)
    return _obtain(configs, getattr(config, "device", "auto"))


def from_torch(modules: torch_module.CEMRNN | Sequence[torch_module.CEMRNN], tasks: Tasks | None = None) -> Networks:
    """Networks that were trained as torch modules of one config.

    Args:
        modules: one or more.
        tasks: what they learned, for example `nets.tasks`.
    """
    modules = [modules] if isinstance(modules, torch_module.CEMRNN) else list(modules)
    if not all(isinstance(module, torch_module.CEMRNN) for module in modules):
        raise ValueError(f"modules: expected cemrnn.nn.CEMRNN, one or more, got {show(modules)}")
    return Networks(torch_module.join(modules), tuple(module.seed for module in modules), tasks)


def train(
    tasks: Iterable[str] | TaskSet | OwnTasks | Tasks,
    *,
    arm: str,
    n_units: int = 64,
    n_networks: int = 8,
    profile: str = "quick",
    **settings: Any,
) -> Networks:
    """Networks that learned some tasks; the same call again finds them in the store.

    Ctrl-C returns the networks as they are then, and the same call goes on from there.

    Args:
        tasks: names of tasks, or a set of tasks, or own ones.
        arm: what context reaches, a name in ARMS.
        n_units: N.
        n_networks: M, with seeds from `seed` on.
        profile: gives the settings that are not given here.
        settings: any of NetworkConfig, TaskSet and TrainingConfig, and `device`.

    Raises:
        ValueError: a name or a value is not valid; the nearest name is suggested.

    Networks whose loss or weights were not finite are told in a warning, and by their `status`.
    """
    defaults = vars(figure_config("fig1_tasks", profile, {}))
    device = settings.pop("device", defaults["device"])
    source = tasks.source if isinstance(tasks, Tasks) else tasks
    configs = plan_training(
        source, arm=arm, n_units=n_units, n_networks=n_networks, defaults=defaults, settings=settings
    )
    try:
        return _obtain(configs, device)
    except TrainingInterrupted as error:
        log.warning("%s; the networks are returned as they stand", error)
        return _gather(*as_they_stand(configs))


def _obtain(configs: Sequence[TrainingConfig], device: str) -> Networks:
    """The networks of configs that differ in the seed alone; what the store lacks is trained, with a bar."""
    return _gather(configs, *load_population(configs, Store.default(), device=device))


def _gather(configs: Sequence[TrainingConfig], model: CEMRNN, records: Sequence[TrainedNetwork]) -> Networks:
    history = pd.concat([r.history.assign(network=m) for m, r in enumerate(records)], ignore_index=True)
    status = tuple(record.status for record in records)
    if n_failed := status.count(FAILED):
        told = (
            "%d of %d networks failed: their loss or weights were not finite, and they kept those before; see `status`"
        )
        log.warning(told, n_failed, len(status))
    return Networks(model, tuple(config.seed for config in configs), Tasks(configs[0].tasks), history, status)


def _load_folder(folder: Path) -> Networks:
    flat, history, document = read_bundle(folder)
    model = CEMRNN(NetworkConfig.from_params(document["network"]), document["seeds"])
    model.load(flat)
    tasks = document["tasks"]
    learned, status = tasks and Tasks(coerce(tasks, TaskSet | OwnTasks, "tasks")), tuple(document.get("status", ()))
    return Networks(model, tuple(document["seeds"]), learned, history, status)


def _check_trials(trials: Any) -> None:
    if not isinstance(trials, TrialBatch):
        raise ValueError(f"trials: expected those of nets.tasks.draw, got {show(trials)}")


def _need_tasks(networks: Networks) -> Tasks:
    if networks.tasks is None:
        raise ValueError("tasks: expected networks whose tasks are known, got none; set them with `tasks=`")
    return networks.tasks


def _name_axes(trials: TrialBatch, seeds: Sequence[int], **tensors: Tensor) -> xarray.Dataset:
    """Tensors (network, trial, ...) as arrays with named axes."""
    import xarray

    last = {"outputs": ("time", "output"), "rates": ("time", "unit"), "score": ()}
    arrays = {name: (("network", "trial", *last[name]), x.cpu().numpy()) for name, x in tensors.items()}
    coordinates = {"seed": ("network", list(seeds)), "task": ("trial", trials.names)}
    if any("time" in axes for axes, _ in arrays.values()):
        coordinates["time"] = ("time", trials.time_ms, {"units": "ms"})
    return xarray.Dataset(arrays, coordinates)
