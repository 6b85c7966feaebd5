"""Arms that are shown beside the others have fewer networks, and everything about them is of those."""

import dataclasses
from pathlib import Path

import pytest

from cemrnn.figures.shared.battery import all_conditions
from cemrnn.figures.shared.conflict_groups import PopulationKey, seen_by
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.settings import make_config

ROOT = Path(__file__).parents[3]
CONFIG = make_config(Project(ROOT), "fig2_ambiguity", "smoke", {"n_replicates": 4, "trained_replicates": 3})


def test_side_arms_have_the_first_of_the_seeds():
    config = dataclasses.replace(CONFIG, side_arms=("bias",), side_replicates=2)
    seeds = {arm: [training.seed for training in config.training(arm)] for arm in ("bias", "gain")}
    assert seeds == {"bias": config.seeds[:2], "gain": config.seeds}
    assert len(all_conditions(config)) == 4 * len(config.arms) - 2
    assert seen_by(PopulationKey("parameters", "bias"), config).seeds == seeds["bias"]
    assert seen_by(PopulationKey("trained", "excitability"), config).n_replicates == 3
    assert dataclasses.replace(config, side_replicates=9).count_arm("bias") == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"side_arms": ("baias",)}, "unknown arm 'baias'; did you mean 'bias'"),
        ({"side_replicates": 0}, "side_replicates: expected at least 1, got 0"),
    ],
)
def test_side_arms_that_cannot_be_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **change)


def test_synergy_needs_every_network_of_its_design():
    with pytest.raises(ValueError, match="side_arms: expected none of combined, .* got synaptic"):
        make_config(Project(ROOT), "fig5_synergy", "smoke", {"side_arms": ("synaptic",)})
