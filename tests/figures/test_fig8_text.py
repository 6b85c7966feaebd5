"""Figure 8: which registers it learns, which cues it tests with, what its titles say, and how it draws registers."""

import dataclasses
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import torch

from cemrnn.figures.fig8_text.experiment import change_cue, conditions, run, separate_registers
from cemrnn.figures.fig8_text.plot import plot
from cemrnn.figures.shared.sequence_models import describe_lead
from cemrnn.figures.style import render
from cemrnn.network.model import CEMRNN
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.settings import make_config
from tests.drawn import panels_of

SMOKE = make_config(Project(Path(__file__).parents[2]), "fig8_text", "smoke")
THREE = dataclasses.replace(
    SMOKE,
    registers=("code", "c", "prose"),
    models=("plain", "combined", "gru"),
    packing_models=("plain", "bias", "combined"),
    n_updates=4,
    device="cpu",
)


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """Three registers, hardly trained."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CEMRNN_STORE", str(tmp_path_factory.mktemp("store")))
        patch.delenv("CEMRNN_RESULTS", raising=False)
        yield run(THREE)


def test_the_first_register_is_learned_alone_and_a_corpus_takes_its_place(tmp_path):
    assert THREE.single.data.registers == ("code",)
    assert THREE.told.data.registers == THREE.inferred.data.registers == ("code", "c", "prose")
    path = tmp_path / "corpus.txt"
    path.write_text("".join(f"line {n} says {n * n}\n" for n in range(2000)), encoding="utf-8")
    other = dataclasses.replace(THREE, corpus=str(path))
    assert other.single.data.registers == ("corpus",)
    assert other.told.data.registers == ("corpus", "c", "prose")
    assert {recipe.data.corpus for recipe in conditions(other)} == {str(path)}


@pytest.mark.parametrize(
    ("registers", "message"),
    [
        (["prose", "cod"], "unknown register 'cod'; did you mean 'code'"),
        (["corpus", "code"], "unknown register 'corpus'; expected one of: c, code, prose"),
        (["prose"], "registers: expected 2 or more, each once, got prose"),
        ([], "registers: expected 2 or more, each once, got none"),
        (["prose", "code", "prose"], "registers: expected 2 or more, each once, got prose, code, prose"),
        ("prose", "registers: expected"),
    ],
)
def test_registers_that_cannot_be_compared_are_refused(registers, message):
    with pytest.raises(ValueError, match=message):
        type(SMOKE).from_params(SMOKE.to_dict() | {"registers": registers})


@pytest.mark.parametrize("n_registers", [2, 3, 4])
def test_a_swapped_cue_is_that_of_the_next_register_in_a_circle(n_registers):
    right = torch.eye(n_registers).repeat(2, 1, 1)
    assert (change_cue(right, "told") == right).all()
    swapped = change_cue(right, "swapped")
    expected = [*range(1, n_registers), 0]
    assert swapped.argmax(-1).tolist() == [expected] * 2
    assert (swapped.sum(-1) == 1).all()
    torch.testing.assert_close(change_cue(right, "ambiguous"), torch.full_like(right, 1 / n_registers))


@pytest.mark.parametrize("profile", ["smoke", "quick", "full"])
@pytest.mark.parametrize("registers", [("prose", "code"), ("prose", "code", "c")])
def test_every_model_matches_the_budget_with_two_registers_and_with_three(profile, registers):
    config = make_config(Project(Path(__file__).parents[2]), "fig8_text", profile)
    recipes = conditions(dataclasses.replace(config, registers=registers))
    told = [r for r in recipes if r.data.registers == registers]
    sizes = [r.n_parameters for r in told]
    assert max(sizes) / min(sizes) < 1.04  # each within two per cent of the combined arm


def test_every_cue_is_scored_on_every_register(result):
    packed = result.tables["packed"]
    cues = packed.groupby("arm")["cue"].agg(lambda column: set(column)).to_dict()
    told = {"told", "ambiguous", "swapped"}
    assert cues == {"plain": {"none"}, "bias": told, "combined": told | {"inferred"}}
    assert packed.groupby(["arm", "cue"])["register"].agg(list).map(sorted).map(tuple).unique().tolist() == [
        ("c", "code", "prose")
    ]
    assert result.scalars["registers"] == "code, c and prose"
    assert result.scalars["first_register"] == "code"
    assert result.scalars["separation_chance"] == pytest.approx(1 / 3)


def test_an_encoder_that_knows_the_characters_separates_more_than_one_that_ignores_them():
    networks = CEMRNN(THREE.inferred.network("combined"), [1, 2])
    drawn = separate_registers(networks, THREE)
    for name, parameter in networks.parameters.items():
        if "encod" in name or "context" in name:
            parameter.data.zero_()
    deaf = separate_registers(networks, THREE)
    np.testing.assert_allclose(deaf, 1 / 3)  # all contexts are equal, so that every passage goes to the first register
    assert (drawn > 0.45).all()


def test_the_figure_tells_three_registers_apart(result):
    panels = panels_of(plot(result))
    labels = [text.get_text() for text in panels["d"].get_legend().get_texts()]
    assert labels == ["code", "c", "prose"]
    n_conditions = len(panels["d"].get_yticks())
    points = [line for line in panels["d"].get_lines() if len(line.get_xdata()) == 1]
    assert len(points) == 3 * n_conditions
    places = sorted(float(line.get_ydata()[0]) for line in points)
    assert np.diff(places).min() > 0.15  # no two registers of a row on one line, nor rows that overlap
    assert len({line.get_fillstyle() for line in points}) == 3
    values = result.tables["packed"].set_index(["arm", "cue", "register"])["bits"]
    first = [line for line in points if abs(line.get_ydata()[0]) < 0.5]
    drawn = {line.get_fillstyle(): line.get_xdata()[0] for line in first}
    for fill, register in zip(("full", "none", "left"), labels, strict=True):
        assert drawn[fill] == pytest.approx(values["plain", "none", register])
    chance = next(line for line in panels["c"].get_lines() if line.get_linestyle() == ":")
    assert chance.get_xdata()[0] == pytest.approx(1 / 3)


def test_what_a_model_writes_is_drawn_character_by_character(result):
    text = "a \x00\x1b\x9b $x$ {glue}`b` <i>c</i> _d_ \ufffe"
    samples = result.tables["samples"].assign(text=text)
    figures = plot(dataclasses.replace(result, tables=result.tables | {"samples": samples}))
    ElementTree.fromstring(render(figures["b"], "svg", "x"))
    panel = panels_of(figures, "b")["a"]
    written = [drawn.get_text() for drawn in panel.texts if drawn.get_family() == ["monospace"]]
    assert written == ["a \ufffd\ufffd\ufffd \\$x\\$ {glue}`b` <i>c</i> _d_ \ufffd"] * len(samples)


def test_the_title_of_the_page_is_computed(result):
    title = result.scalars["title"]
    assert title.startswith("In predicting text, combined modulation ") and "a GRU" in title and "a plain" in title
    assert not re.search(r"\d", title)
    for rival in ("gru", "plain"):
        verb = re.match(r"[a-z]+ [a-z]+", result.scalars[f"bits_against_{rival}"])[0]
        assert verb.split()[0] in title


@pytest.mark.parametrize(
    ("lead", "low", "high", "words"),
    [
        (-0.084, -0.1, -0.06, "loses to a GRU by 0.084"),
        (-0.118, -0.206, 0.083, "is behind a GRU by 0.118 (interval includes zero)"),
        (-0.118, np.nan, np.nan, "is behind a GRU by 0.118 (no interval)"),
        (0.01, -0.01, 0.03, "is ahead of a GRU by 0.010 (interval includes zero)"),
        (0.141, 0.1, 0.2, "beats a GRU by 0.141"),
        (0.0002, -0.01, 0.01, "does as well as a GRU"),
        (np.nan, np.nan, np.nan, "was not compared with a GRU"),
    ],
)
def test_a_title_says_who_wins_and_by_how_much(lead, low, high, words):
    assert describe_lead({"m": lead, "m_low": low, "m_high": high}, "m", "a GRU") == words


def test_the_title_has_the_sign_of_the_bits(result):
    networks: pd.DataFrame = result.tables["networks"]
    bits = networks.groupby("arm")["bits"].mean()
    for rival in ("gru", "plain"):
        words = result.scalars[f"bits_against_{rival}"]
        difference = bits[rival] - bits["combined"]
        assert f"by {abs(difference):.3f}" in words
        assert words.startswith(("loses to", "is behind") if difference < 0 else ("beats", "is ahead of"))
