"""Settings: strict names and types, from profiles, from the command line and from a notebook's names."""

import dataclasses
import sys
import textwrap
from pathlib import Path

import papermill
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cemrnn.figures import config_class
from cemrnn.ranges import check_ranges
from cemrnn.reproduce.notebooks import read_shown
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.settings import (
    find_differing,
    find_injected,
    load_config,
    make_config,
    parse_overrides,
    parse_text,
    read_values,
)
from tests.fixtures.copies import add_figures, copy_tiny_project

STEM, ROOT = "fig1_tiny", Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The tiny project, opened in its folder of notebooks, without a run around it."""
    add_figures(monkeypatch)
    project = Project(copy_tiny_project(tmp_path / "tiny"))
    monkeypatch.chdir(project.root / "notebooks")
    monkeypatch.delenv("CEMRNN_PROFILE", raising=False)
    return project


def set_profile(project, text, name="other"):
    (project.root / "notebooks" / "params" / f"{name}.yml").write_text(text)


@pytest.mark.parametrize(
    ("hint", "text", "expected"),
    [
        (int, "128", 128),
        (int, "-3", -3),
        (float, "1e-3", 0.001),
        (float, "2", 2.0),
        (str, "007", "007"),
        (str, "true", "true"),
        (bool, "true", True),
        (bool, "False", False),
        (int | None, "none", None),
        (tuple[float, ...], "0,0.5,1", [0.0, 0.5, 1.0]),
        (tuple[float, ...], "[0, .5, 1e-1]", [0.0, 0.5, 0.1]),
        (tuple[int, ...], "4", [4]),
        (tuple[str, ...], "plain,combined", ["plain", "combined"]),
        (tuple[str, ...], "", []),
    ],
)
def test_text_becomes_the_type_of_the_field(hint, text, expected):
    value = parse_text(text, hint, "x")
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(("hint", "text"), [(int, "1.5"), (int, "1e3"), (float, "fast"), (bool, "1"), (int, "none")])
def test_mistyped_text_is_refused_by_name(hint, text):
    with pytest.raises(ValueError, match=f"n_units: expected {hint.__name__}, got '{text}'"):
        parse_text(text, hint, "n_units")


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=5))
def test_lists_survive_a_round_trip_through_text(values):
    assert parse_text(",".join(map(str, values)), tuple[float, ...], "levels") == values


def test_a_profile_stands_on_quick_and_its_own_section_on_the_shared_one(project):
    assert read_values(project, STEM, "quick") == {
        "seed": 7, "rate": 2.0, "n_points": 11, "label": "level", "levels": [0.5, 1.0],
    }  # fmt: skip
    set_profile(project, "networks: {seed: 1, n_points: 2}\nfig1_tiny: {seed: 3, rate: 1e-1}")
    changed = {"seed": 3, "n_points": 2, "rate": 0.1}
    assert read_values(project, STEM, "other") == read_values(project, STEM, "quick") | changed
    assert make_config(project, STEM, "other").fails is False  # the class has a default


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fig1_tyny: {seed: 1}", "unknown section of other.yml: 'fig1_tyny'; did you mean 'fig1_tiny'"),
        ("networks: {sead: 1}", "section networks of other.yml: 'sead'; did you mean 'seed'"),
        ("fig1_tiny: {rates: 1}", "section fig1_tiny of other.yml: 'rates'; did you mean 'rate'"),
        ("fig1_tiny: {n_points: many}", "n_points: expected int, got 'many'"),
    ],
)
def test_unknown_and_mistyped_entries_are_refused(project, text, message):
    set_profile(project, text)
    with pytest.raises(ValueError, match=message):
        make_config(project, STEM, "other")


def test_a_shared_value_reaches_only_figures_with_such_a_field(project):
    set_profile(project, "networks: {n_units: 5}")
    assert "n_units" not in read_values(project, STEM, "other")


def test_a_missing_value_is_told(project):
    set_profile(project, "networks: {seed: 7}", "quick")
    with pytest.raises(ValueError, match="TinyConfig: expected a value for rate, n_points, label, levels, got none"):
        make_config(project, STEM, "quick")


def test_overrides_are_typed_and_strict(project):
    assert parse_overrides(STEM, ["rate=3", "levels=1,2"]) == {"rate": 3.0, "levels": [1.0, 2.0]}
    with pytest.raises(ValueError, match="unknown parameter 'n_point'; did you mean 'n_points'"):
        parse_overrides(STEM, ["n_point=3"])
    with pytest.raises(ValueError, match="expected name=value, got 'rate'"):
        parse_overrides(STEM, ["rate"])


def test_settings_inside_settings_are_set_one_by_one():
    changes = parse_overrides("fig5_synergy", ["packing.n_updates=800", "packing.units=4,8", "seed=2"])
    assert changes == {"packing": {"n_updates": 800, "units": [4, 8]}, "seed": 2}
    with pytest.raises(ValueError, match="unknown parameter 'packing.n_update'; did you mean 'packing.n_updates'"):
        parse_overrides("fig5_synergy", ["packing.n_update=1"])


def test_what_the_parameters_cell_shows_of_quick_does_not_hide_the_profile(project, monkeypatch):
    monkeypatch.setenv("CEMRNN_PROFILE", "smoke")
    shown = {"rate": 2.0, "n_points": 11, "levels": [0.5, 1.0]}
    assert load_config(STEM, shown) == make_config(project, STEM, "smoke")
    assert load_config(STEM, shown | {"n_points": 5}).n_points == 5
    injected = {"In": ["", "# Parameters\nn_points = 11\n"]}
    assert load_config(STEM, shown | injected).n_points == 11  # the run asked for it


def test_names_that_are_no_settings_are_left_alone_unless_the_run_set_them(project):
    assert load_config(STEM, {"run": print, "In": ["n_point = 3"], "n_point": 3}).n_points == 11
    with pytest.raises(ValueError, match="unknown parameter of fig1_tiny 'n_point'; did you mean 'n_points'"):
        load_config(STEM, {"In": ["# Parameters\nn_point = 3\n"], "n_point": 3})
    assert find_injected(["x = 1", "# Parameters\na = [1]\nb = None\n"]) == {"a", "b"}


def test_text_in_a_notebook_is_read_as_on_the_command_line(project):
    config = load_config(STEM, {"levels": "0,0.5,1", "label": "7"})
    assert (config.levels, config.label) == ((0.0, 0.5, 1.0), "7")


def test_papermill_itself_is_as_strict(project, tmp_path):
    notebook, out = project.notebook(STEM), tmp_path / "out.ipynb"
    with pytest.raises(papermill.PapermillExecutionError, match="unknown parameter of fig1_tiny 'n_point'"):
        papermill.execute_notebook(notebook, out, {"n_point": 3}, cwd=notebook.parent, progress_bar=False)
    papermill.execute_notebook(notebook, out, {"seed": 3}, cwd=notebook.parent, progress_bar=False)
    text = (project.build / "custom" / "provenance" / f"{STEM}.json").read_text()
    assert '"profile": "custom"' in text and '"seed": 3' in text


def test_a_field_more_is_one_line_in_one_class(project, tmp_path, monkeypatch):
    """A figure outside the package, whose settings are those of the battery and one more."""
    source = """
        from dataclasses import dataclass

        from cemrnn.figures.remember import Scalars, Tables, experiment
        from cemrnn.figures.shared.battery import BatteryConfig


        @dataclass(frozen=True, kw_only=True)
        class WiderConfig(BatteryConfig):
            width_mm: float = 0.5  # of the drawing, mm


        @experiment
        def run(config: WiderConfig) -> tuple[Tables, Scalars]:
            return {}, {"width": config.width_mm}
    """
    folder = tmp_path / "more" / "fig92_wider"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "experiment.py").write_text(textwrap.dedent(source))
    add_figures(monkeypatch, folder.parent)
    set_profile(project, "networks: {arms: [bias], tasks: [delay_pro], preset: fast, encoding: cosine, n_units: 8,"
        " rank: 2, activation: relu, n_replicates: 1, seed: 1, n_updates: 1, batch_trials: 1, learning_rate: 0.1,"
        " target_score: 1.0, passing_score: 1.0, test_trials: 1}", "quick")  # fmt: skip
    plain = make_config(project, "fig92_wider", "quick")
    assert plain.width_mm == 0.5
    changes = parse_overrides("fig92_wider", ["width_mm=2"])
    assert make_config(project, "fig92_wider", "quick", changes) == dataclasses.replace(plain, width_mm=2.0)
    assert load_config("fig92_wider", {"In": ["# Parameters\nwidth_mm = 2\n"], "width_mm": 2}).width_mm == 2.0
    result = sys.modules[config_class("fig92_wider").__module__].run(plain)
    assert (result.stem, result.n_replicates, result.scalars) == (
        "fig92_wider",
        1,
        {"width": 0.5, "networks_failed": "none"},
    )


@pytest.mark.parametrize("profile", ["smoke", "quick"])
def test_figures_5_and_9_refer_to_the_networks_of_figure_3(profile):
    stems = ("fig3_packing", "fig5_synergy", "fig9_overhead_scaling")
    packing, *others = (make_config(Project(), stem, profile) for stem in stems)
    keys = {network.digest() for network in packing.map_conditions()}
    for config in others:
        own = {network.digest() for network in config.maps.map_conditions()}
        assert own and own <= keys


def test_what_differs_from_the_notebook_is_found_without_the_class_of_the_settings():
    project, n_differing = Project(ROOT), 0
    for stem in project.stems():
        shown = read_shown(project.notebook(stem))
        for profile in ("quick", "night"):
            values = read_values(project, stem, profile)
            expected = {name: values[name] for name in shown if values.get(name, shown[name]) != shown[name]}
            assert find_differing(project, stem, profile, shown) == expected, (stem, profile)
            n_differing += len(expected)
    assert n_differing > 0


def test_a_list_may_be_empty_where_none_is_the_default():
    kind = config_class("fig2_ambiguity")
    check_ranges({"stream_tasks": [], "side_arms": []}, kind)
    for values in ({"arms": []}, {"stream_tasks": ["integrate_1", "integrate_1"]}):
        with pytest.raises(ValueError, match="expected one or more, each once"):
            check_ranges(values, kind)
