"""Figure 13: planted modules whose specialisation is known, states by hand, and made-up pairs with known verdicts."""

import dataclasses
import functools
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from cemrnn.figures.fig13_specialisation import experiment as fig13
from cemrnn.figures.fig13_specialisation import modules
from cemrnn.figures.fig13_specialisation.modules import PARITY, Pairs, Setting, Trials, draw_mask
from cemrnn.figures.fig13_specialisation.plot import plot
from cemrnn.figures.fig13_specialisation.specialisation import ablate, correlate_classes, probe, specialise
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.settings import make_config
from cemrnn.tasks.sequences.images import split_images
from tests.drawn import find_faults, panels_of
from tests.verdicts import judge_result

CONFIG = dataclasses.replace(
    make_config(Project(Path(__file__).parents[2]), "fig13_specialisation", "smoke"), device="cpu"
)
DEFAULT = Setting(n_units=6, coupling=0.25, alike=0.0, senders=6, channel="always", n_steps=3, arm=PARITY)
JITTER = np.array([-1.3, 1.3, -0.8, 0.8, -0.4, 0.4, -0.1, 0.1])  # of replicates; both halves keep their mean
OWN = torch.tensor([[1.0, 0.0], [0.0, 1.0]])  # what module m has of digit i: its own
PLANTED = {  # how much of each digit's code modules hold -> specialisation
    "own": (OWN, 1.0),
    "swapped": (OWN.flip(0), 1.0),
    "shared": (torch.ones(2, 2), 0.0),
    "one module has all": (torch.tensor([[1.0, 1.0], [0.0, 0.0]]), 0.0),
    "one module has half": (torch.tensor([[1.0, 1.0], [0.5, 0.5]]), 0.0),
}


def plant_states(has, n_trials=1500, seed=0, noise=0.1):
    """States (1, B, 2, 20) with a one-hot code of every digit that a module has, and labels (1, B, 2)."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(10, (1, n_trials, 2), generator=generator)
    code = torch.nn.functional.one_hot(labels, 10).float()  # (1, B, digit, 10)
    states = torch.einsum("mi,kbic->kbmic", has, code).flatten(3)
    return states + noise * torch.randn(states.shape, generator=generator), labels


def draw(settings, seeds, n_trials=40, name="test"):
    return Trials(split_images("digits")["test"], seeds, settings, name).draw(n_trials)


def make_pairs(settings, seeds, *, shake=0.0):
    """Pairs, with weights of the context that do something."""
    pairs = Pairs(settings, seeds, rank=2, n_pixels=64)
    generator = torch.Generator().manual_seed(3)
    for name in ("threshold", "gain", "strength", "b", "d"):
        with torch.no_grad():
            pairs.weights[name] += shake * torch.randn(pairs.weights[name][0].shape, generator=generator)
    return pairs


@pytest.mark.parametrize(("has", "expected"), PLANTED.values(), ids=PLANTED)
def test_planted_modules_have_the_specialisation_that_was_planted_by_states(has, expected):
    (fitted, fitted_labels), (states, labels) = plant_states(has), plant_states(has, seed=1)
    assert specialise(probe(fitted, fitted_labels, states, labels)).item() == pytest.approx(expected, abs=0.1)
    assert specialise(correlate_classes(states, labels)).item() == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize(("has", "expected"), PLANTED.values(), ids=PLANTED)
def test_planted_modules_have_the_specialisation_that_was_planted_by_ablation(has, expected):
    labels = torch.randint(10, (1, 4000, 2), generator=torch.Generator().manual_seed(5))
    counted = torch.arange(4000)[None] % 2
    answers = labels.gather(2, counted[..., None])[..., 0]
    right = torch.nn.functional.one_hot(answers, 10)
    wrong = torch.nn.functional.one_hot((answers + 1 + torch.arange(4000) % 9) % 10, 10)
    able = (has[:, counted[0]].T[None] > 0)[..., None]  # (1, B, 2, 1)
    outputs = torch.where(able, right[:, :, None], wrong[:, :, None]).float()
    assert specialise(ablate(outputs, answers, counted)).item() == pytest.approx(expected, abs=1e-6)


def test_specialisation_between_the_extremes_is_its_formula():
    torch.testing.assert_close(specialise(torch.tensor([[0.6, 0.2], [0.2, 0.6]])), torch.tensor(0.5))
    torch.testing.assert_close(specialise(torch.tensor([[0.9, 0.3], [0.1, 0.1]])), torch.tensor(0.15))
    assert specialise(torch.zeros(2, 2)) == 0


def test_a_probe_of_labels_that_were_dealt_at_random_tells_nothing():
    (fitted, labels), (states, others) = plant_states(torch.ones(2, 2)), plant_states(torch.ones(2, 2), seed=1)
    dealt = labels[:, torch.randperm(labels.shape[1], generator=torch.Generator().manual_seed(2))]
    assert probe(fitted, dealt, states, others).max() < 0.06
    assert probe(fitted, labels, states, others).min() > 0.9


def test_intraclass_correlation_is_the_share_of_variance_between_classes():
    has = torch.tensor([[1.0, 0.5], [0.0, 0.0]])
    states, labels = plant_states(has, n_trials=20_000, noise=0.0)
    between = torch.tensor([1.0, 0.25]) * 10 / 9  # of ten classes, as a sample, relative to the variance of a code
    expected = between / (between + torch.tensor([0.25, 1.0]))  # within a class only the other digit differs
    torch.testing.assert_close(correlate_classes(states, labels)[0, 0], expected, atol=0.005, rtol=0)
    assert (correlate_classes(states, labels)[0, 1] == 0).all()


@pytest.mark.parametrize("arm", [PARITY, *fig13.ARMS])
def test_states_are_those_of_units_one_by_one(arm):
    setting = DEFAULT._replace(arm=arm)
    pairs, batch = make_pairs([setting], [7], shake=0.5), draw([setting], [7], 4)
    run = pairs.simulate(batch.images)
    weights = {name: w[0].detach().double().numpy() for name, w in pairs.weights.items()}
    on_threshold, on_gain, on_synapses = modules.REACHED[arm]
    n, width, masks = 6, 12, draw_mask(setting, 7).double().numpy()
    for trial in range(4):
        k = trial // 2 if setting.n_contexts == 2 else 0
        strength = on_synapses * weights["strength"][k]
        synapses = weights["W"] + weights["V"] @ np.diag(strength) @ weights["U"].T
        before = np.zeros(width)
        for t in range(setting.n_steps):
            now = np.zeros(width)
            for unit in range(width):
                module = unit // n
                total = batch.images[0, trial, module].double().numpy() @ weights["input"][module, :, unit % n]
                for sender in range(width) if t else ():
                    total += before[sender] * masks[t - 1, sender, unit] * synapses[sender, unit]
                gain = 1 + on_gain * weights["gain"][k, unit]
                now[unit] = np.tanh(gain * total + weights["b"][unit] + on_threshold * weights["threshold"][k, unit])
            got = run.states[t, 0, trial].reshape(-1).detach().numpy()
            np.testing.assert_allclose(got, now, atol=2e-6)
            before = now
        for module in range(2):
            told = before.reshape(2, n)[module] @ weights["readout"][module] + weights["d"][module]
            np.testing.assert_allclose(run.outputs[0, trial, module].detach().numpy(), told, atol=1e-5)


def test_masks_have_the_connections_that_the_setting_says():
    n, seed = 6, 4
    inside = 1 - np.eye(n)
    before = np.zeros((n, n))
    for coupling, number in ((0.0, 1), (0.1, 3), (0.5, 18), (1.0, 36)):
        mask = draw_mask(DEFAULT._replace(coupling=coupling), seed)[0].numpy()
        assert (mask[:n, :n] == inside).all() and (mask[n:, n:] == inside).all()
        assert mask[:n, n:].sum() == mask[n:, :n].sum() == number
        assert (mask[:n, n:] >= before).all()
        before = mask[:n, n:]
    few = draw_mask(DEFAULT._replace(coupling=1.0, senders=2), seed)[0].numpy()
    assert (few[:n, n:].any(axis=1) == [True] * 2 + [False] * 4).all()


@pytest.mark.parametrize(
    ("channel", "opened"),
    [("always", [1, 1, 1]), ("first", [1, 0, 0]), ("last", [0, 0, 1]), ("never", [0, 0, 0])],
)
def test_a_digit_reaches_the_other_module_when_the_channel_is_open_and_never_else(channel, opened):
    setting = DEFAULT._replace(channel=channel, n_steps=4, coupling=1.0)
    assert draw_mask(setting, 1)[:, :6, 6:].any(dim=(1, 2)).tolist() == [bool(x) for x in opened]
    images = draw([setting], [1], 8).images
    other = images.clone()
    other[:, :, 1] = images[:, :, 1].roll(1, dims=1)
    states, changed = (make_pairs([setting], [1]).simulate(x).states[..., 0, :] for x in (images, other))
    reached = (states != changed).flatten(1).any(dim=1).tolist()
    assert reached == [False, *np.maximum.accumulate(opened).astype(bool).tolist()]


def test_digits_count_by_parity_or_by_context_and_are_alike_as_often_as_is_said():
    settings = [DEFAULT, DEFAULT._replace(alike=0.5), DEFAULT._replace(alike=1.0)]
    batch = draw(settings, [1, 1, 1], 4000)
    first, second = batch.labels.unbind(dim=-1)
    torch.testing.assert_close(batch.answers, torch.where((first - second) % 2 == 1, first, second))
    same = (first == second).double().mean(dim=1)
    torch.testing.assert_close(same, torch.tensor([0.1, 0.55, 1.0], dtype=torch.double), atol=0.03, rtol=0)
    assert (batch.labels[0, :, 0] == batch.labels[1, :, 0]).all()
    of_context = draw([DEFAULT._replace(arm="bias")], [1], 10)
    assert of_context.counted.tolist() == [[0] * 5 + [1] * 5]
    shown = split_images("digits")["test"]
    pictures = {tuple(x.ravel()): label for x, label in zip(shown.pixels, shown.labels, strict=True)}
    for trial, module in itertools.product(range(10), range(2)):
        picture = tuple(of_context.images[0, trial, module].numpy())
        assert pictures[picture] == of_context.labels[0, trial, module]


def test_a_pair_learns_and_is_the_same_alone_and_beside_others():
    settings = [DEFAULT._replace(arm="combined", coupling=c) for c in (1.0, 0.1)]
    images = split_images("digits")["training"]
    of = {}
    for name, chosen in {"both": settings, "alone": settings[1:]}.items():
        pairs = Pairs(chosen, [5] * len(chosen), rank=2, n_pixels=64)
        trials = Trials(images, [5] * len(chosen), chosen, "training")
        modules.train(pairs, trials, n_updates=150, batch_trials=32, learning_rate=0.01)
        of[name] = pairs
    for name, weights in of["both"].weights.items():
        torch.testing.assert_close(weights[1], of["alone"].weights[name][0], atol=1e-3, rtol=1e-3)
    batch = draw(settings, [5, 5], 400)
    with torch.no_grad():
        answers = of["both"].simulate(batch.images).outputs.amax(dim=2).argmax(dim=-1)
    assert (answers == batch.answers).float().mean(dim=1).min() > 0.4  # a tenth by chance


def test_modularity_is_its_formula():
    assert fig13.modularity(1.0, 10) == 0
    assert fig13.modularity(0.1, 10) == pytest.approx(0.5 * 0.9 / 1.1)
    assert fig13.modularity(0.0, 5) == pytest.approx(0.5 * 0.96 / 1.04)  # one of 25


def make_up(level, spread):
    """What `measure_pairs` gives if every setting has its level, and correlation follows it or runs against it."""

    def measure(group, config):
        rows = []
        for (setting, seed), trained in itertools.product(group, (False, True)):
            jitter = spread * JITTER[seed - config.seed]
            for step in range(1, setting.n_steps + 1):
                base, left = level(setting, config), setting.n_steps - step
                probed = base + level.tilt * left * (setting.n_steps == fig13.LONG)
                values = dict(
                    ablation=base + jitter, correlation=level.order * base, probe=probed + jitter, accuracy=0.9
                )
                rows.append(
                    setting._asdict()
                    | dict(network=seed - config.seed, step=step, trained=trained, accuracy=0.9)
                    | values
                )
        return pd.DataFrame(rows)

    return measure


class Level:
    """Specialisation of a setting in a made-up world."""

    def __init__(self, *, context, structure, tilt, order, closed):
        self.context, self.structure, self.tilt, self.order, self.closed = context, structure, tilt, order, closed

    def __call__(self, setting, config):
        if setting.channel == "never":
            return self.closed
        if setting.arm != PARITY:
            return 0.3 + self.context * (setting.arm == "combined")
        sizes, most_alike = config.module_units, config.correlations[-1]
        more = setting.coupling > config.couplings[0]  # than the fewest connections
        small, alike = setting.n_units == sizes[0], setting.alike == most_alike
        return 0.5 - self.structure * more + self.structure * (int(small) - int(alike)) / 2


WORLDS = {
    "supported": (Level(context=0.4, structure=0.4, tilt=0.1, order=1, closed=1.0), 0.01),
    "opposite": (Level(context=-0.25, structure=-0.4, tilt=-0.1, order=-1, closed=0.3), 0.01),
    "undecided": (Level(context=0.1, structure=0.1, tilt=0.03, order=1, closed=0.8), 0.5),
}


@functools.cache
def result_of(name):
    """The result of figure 13 in a made-up world."""
    config = dataclasses.replace(CONFIG, n_replicates=8, n_units=10, couplings=(0.0, 0.1, 1.0), coupling=0.1)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CEMRNN_RESULTS", raising=False)
        patch.setattr(fig13, "measure_pairs", make_up(*WORLDS[name]))
        return fig13.run(config)


@pytest.mark.parametrize("name", WORLDS)
def test_known_pairs_get_their_verdict(tmp_path, name):
    verdicts = judge_result(result_of(name), tmp_path)["verdict"]
    if name == "undecided":  # pairs of one seed differ alike, so that only what is not paired is uncertain
        verdicts = verdicts[["modules-structure", "modules-resources"]]
    if name == "opposite":  # no specialisation is far enough below 0
        assert verdicts.pop("modules-control-closed") == "equivalent"
    assert verdicts.to_dict() == dict.fromkeys(verdicts.index, name)


def test_effects_are_differences_of_the_settings_that_the_claims_name():
    scalars = result_of("supported").scalars
    assert scalars["ablation_beyond_best"] == pytest.approx(0.4)
    assert scalars["ablation_beyond_sum"] == pytest.approx(0.4)
    assert scalars["ablation_independent_minus_correlated"] == pytest.approx(0.2)
    assert scalars["ablation_small_minus_large"] == pytest.approx(0.2)
    assert scalars["probe_early_minus_late"] == pytest.approx(0.3)  # steps 2 and 5
    assert scalars["probe_closed"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(couplings=(0.1, 0.5)), "couplings: expected 2 or more increasing levels from 0 on that include"),
        (dict(correlations=(0.0, 1.5)), "correlations: expected shares from 0 to 1"),
        (dict(test_trials=101), "test_trials: expected an even number"),
        (dict(module_units=(10, 5)), "module_units: expected 2 or more increasing levels"),
    ],
)
def test_settings_that_cannot_be_run_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **change)


@pytest.mark.parametrize("n_units", [8, 512])
def test_any_size_of_a_module_is_one_of_those_compared(n_units):
    config = dataclasses.replace(CONFIG, n_units=n_units)
    assert config.sizes == sorted({*CONFIG.module_units, n_units})
    compared = {setting.n_units for setting in config.sweeps()["size"]}
    assert compared == set(config.sizes) and config.base in config.sweeps()["size"]


def test_all_panels_are_drawn_and_can_be_read():
    figure = plot(result_of("supported"))
    assert set(panels_of(figure)) == set("abcdef")
    assert not find_faults(figure)
    lines = {line.get_label(): line for line in panels_of(figure)["f"].get_lines()}
    np.testing.assert_allclose(lines["combined"].get_ydata(), 0.7)
    np.testing.assert_allclose(lines["excitability"].get_ydata(), 0.3)
