"""The networks of figure 1 on trials of the public generators, and on ours of the same distributions.

The networks learned a preset with a step, a stretch of the durations and an input noise of its own, and are tested
with these: of `fast`, in steps of 40 ms and with halved durations. A public generator draws halved durations in steps
of 40 ms if it is told that a step has 80 ms. Ours are drawn by its preset with the same changes. Strengths and
durations are then not those that the networks learned, so that scores are lower than in the figure, here and there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cemrnn.bench.generators import draw_theirs, rule_name
from cemrnn.bench.validate import Score, weigh
from cemrnn.figures.shared.battery import BatteryConfig, all_conditions
from cemrnn.network.model import CEMRNN
from cemrnn.network.noise import NoiseStream
from cemrnn.random import stream
from cemrnn.store.store import Store
from cemrnn.sweep.run import load_population
from cemrnn.tasks import PRESETS, TaskSet, Trials, TrialStream
from cemrnn.tasks.layout import Layout
from cemrnn.tasks.presets import Preset
from cemrnn.tasks.scores import score_trials

RULES = ("last36", "last18")


@dataclass(frozen=True, kw_only=True)
class RetimedTasks(TaskSet):
    """Tasks with the strengths and durations of `preset`, in the steps and the noise of another one."""

    learned: str  # that other preset

    @property
    def settings(self) -> Preset:
        """The values of the preset, with those of the other one for steps and noise."""
        names = ("dt_ms", "tau_ms", "stretch", "sigma_x", "sigma_cue")
        return replace(PRESETS[self.preset], **{name: getattr(PRESETS[self.learned], name) for name in names})


def load_networks(config: BatteryConfig) -> dict[str, CEMRNN]:
    """The trained networks by arm; none is trained here.

    Raises:
        LookupError: the store lacks some.
    """
    store, wanted = Store.default(), all_conditions(config)
    n_found = sum(store.load(network) is not None for network in wanted)
    if n_found < len(wanted):
        raise LookupError(f"expected {len(wanted)} trained networks in {store.root}, got {n_found}")
    return {arm: load_population(config.training(arm), store, device=config.device)[0] for arm in config.arms}


def score_generator(
    networks: Mapping[str, CEMRNN],
    config: BatteryConfig,
    preset: str,
    generator: Mapping[str, Any],
    n_trials: int,
    say: Callable[[str], None],
) -> list[Score]:
    """Scores of the networks on every task that they have learned and the generator has.

    Args:
        networks: see `load_networks`; these are their settings.
        preset: "yang" or "driscoll".
        generator: see `cemrnn.bench.generators.load_generator`.
        n_trials: per task.
        say: shows a line per task.
    """
    tasks = RetimedTasks(names=config.tasks, preset=preset, encoding=config.encoding, learned=config.preset)
    rows: list[Score] = []
    for k, task in enumerate(config.tasks):
        if rule_name(task) not in generator["rule_mapping"]:
            continue
        ours = TrialStream(tasks, [config.seed], name="validate").draw(n_trials, k)
        theirs = show_theirs(generator, tasks, k, n_trials, config.seed)
        found = [row for arm in networks for row in _score_arm(networks[arm], config, arm, ours, theirs)]
        rows += [row | {"preset": preset, "task": task} for row in found]
        apart = max(abs(row["ours"] - row["theirs"]) for row in found)
        say(f"{preset} {task}: scores of figure 1's networks differ by {100 * apart:.1f} points at most")
    return rows


def show_theirs(generator: Mapping[str, Any], tasks: RetimedTasks, context: int, n_trials: int, seed: int) -> Trials:
    """Trials (1, n_trials) of a public generator with our inputs, from its stimuli, timing and answers.

    Args:
        generator: see `cemrnn.bench.generators.load_generator`.
        tasks: whose preset is that of the generator.
        context: index of the task.
        seed: of the noise.
    """
    drawn = draw_theirs(generator, tasks.preset, tasks.names[context], n_trials, tasks.settings)
    keys = stream(seed, "validate", tasks.preset, tasks.names[context]).integers(
        2**64, size=(1, n_trials), dtype=np.uint64
    )
    return Layout(tasks).lay_out(drawn.as_plan(context, tasks.n_contexts), keys)


def _score_arm(model: CEMRNN, config: BatteryConfig, arm: str, ours: Trials, theirs: Trials) -> list[Score]:
    here, there = _share_right(model, config, ours, "ours"), _share_right(model, config, theirs, "theirs")
    return [Score(arm=arm, **weigh("", "", rule, here[rule], there[rule])) for rule in RULES]


def _share_right(model: CEMRNN, config: BatteryConfig, trials: Trials, name: str) -> dict[str, np.ndarray]:
    """Share (trial,) of the networks that are right, by rule, on the trials of one."""
    device = model.flat.device
    trials, seeds = trials.repeat(model.n_networks).to(device), config.seeds[: model.n_networks]
    noise = NoiseStream(seeds, name=f"validate {name}", device=device)
    outputs, _ = model.simulate(trials.inputs, trials.cue(), noise=noise, lengths=trials.end_steps)
    return {rule: score_trials(outputs, trials, rule).mean(0).cpu().numpy() for rule in RULES}
