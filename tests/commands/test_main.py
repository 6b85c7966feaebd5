"""The command: user mistakes are one line, and each command does what it says."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

import cemrnn
from cemrnn.commands.main import main
from cemrnn.commands.sweep import train_figure
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.run_progress import RunProgress
from cemrnn.reproduce.settings import make_config
from tests.fixtures.copies import add_figures, copy_tiny_project


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The tiny project as the current folder."""
    folder = copy_tiny_project(tmp_path / "tiny")
    add_figures(monkeypatch)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def small_project(tmp_path, monkeypatch):
    """The notebooks of figures 1 and 2, which share their networks, at a profile of a few small ones."""
    root, notebooks = Path(__file__).parents[2], tmp_path / "small" / "notebooks"
    (notebooks / "params").mkdir(parents=True)
    for stem in ("fig1_tasks", "fig2_ambiguity"):
        shutil.copy(root / "notebooks" / f"{stem}.ipynb", notebooks)
    sizes = dict(arms=["plain", "combined"], tasks=["reaction_pro", "reaction_anti"], n_replicates=2, n_units=16)
    sizes |= dict(n_updates=5, batch_trials=8, rank=2, device="cpu")
    shutil.copy(root / "notebooks" / "params" / "quick.yml", notebooks / "params")
    alone = {"fig2_ambiguity": {"stream_tasks": []}}  # no networks but those that both share
    (notebooks / "params" / "tiny.yml").write_text(yaml.safe_dump({"networks": sizes} | alone))
    monkeypatch.chdir(notebooks.parent)
    monkeypatch.setenv("CEMRNN_STORE", str(tmp_path / "store"))


def call(*arguments):
    return CliRunner().invoke(main, arguments)


def write_scalars(project, change, width):
    scalars = {"change": change, "change_low": change - width, "change_high": change + width, "change_n": 5}
    path = project / "build" / "quick" / "results" / "fig1_tiny.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(scalars))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "fig1_tinny"], "unknown notebook 'fig1_tinny'; did you mean 'fig1_tiny'?"),
        (["run", "fig1_tiny", "-p", "rat=1"], "unknown parameter 'rat'; did you mean 'rate'?"),
        (["run", "fig1_tiny", "-p", "n_points=few"], "n_points: expected int, got 'few'"),
        (["run", "fig1_tiny", "--profile", "fast"], "unknown profile 'fast'; expected one of: quick, smoke"),
        (["run", "fig5_synergy", "-p", "packing.n_update=1"], "unknown notebook 'fig5_synergy'"),
        (["params", "fig2_tiny"], "unknown notebook 'fig2_tiny'; did you mean 'fig1_tiny'?"),
        (["book"], "fig1_tiny has not run at profile quick"),
    ],
)
def test_a_mistake_is_one_line_without_a_traceback(project, arguments, message):
    result = call(*arguments)
    assert result.exit_code == 1
    assert message in result.stderr
    assert result.stderr.splitlines()[-1].startswith("Error: ")
    assert "Traceback" not in result.output
    assert not (project / "build" / "custom").exists()


def test_help_names_every_command_and_what_it_does():
    for command in ("run", "sweep", "params", "claims", "verify", "book"):
        assert f"\n  {command} " in call("--help").output
        assert len(call(command, "--help").output.splitlines()) > 5


def test_params_lists_type_value_and_meaning(project):
    lines = call("params", "fig1_tiny", "--profile", "smoke").output.splitlines()
    assert lines[:2] == ["rate=0.1", "    float: decay rate, 1/s"]
    assert "levels=0.5,1.0" in lines
    assert lines[-1] == "    bool: whether the computation raises an error"
    assert len(lines) == 14


def test_a_run_with_other_parameters_goes_to_custom(project):
    result = call("run", "fig1_tiny", "--profile", "smoke", "-p", "n_points=4", "-p", "levels=2")
    assert result.exit_code == 0, result.output
    (folder,) = (path for path in (project / "build" / "custom").iterdir() if not path.is_symlink())
    assert f"build/custom/{folder.name}/notebooks/fig1_tiny.ipynb" in result.output
    assert f"picture: build/custom/{folder.name}/figures/fig1_tiny.png" in result.output
    assert "profile smoke has no results of its own to compare with" in result.output
    origin = json.loads((project / "build" / "custom" / "latest" / "provenance" / "fig1_tiny.json").read_text())
    assert origin["profile"] == "custom"
    assert origin["config"]["n_points"] == 4
    assert origin["config"]["seed"] == 8
    assert not (project / "build" / "smoke").exists()


def test_runs_with_other_values_lie_side_by_side_and_are_compared(project):
    call("run", "fig1_tiny")
    told = [call("run", "fig1_tiny", "-p", f"rate={rate}").output for rate in (1.0, 0.1)]
    folders = {path.resolve() for path in (project / "build" / "custom").iterdir()}
    assert len(folders) == 2
    assert "settings, quick -> this run:\n  rate: 2.0 -> 0.1" in told[1] and "numbers, quick -> this run:" in told[1]
    text = call("compare", "quick", "latest").stdout
    assert "rate: 2.0 -> 0.1" in text and "area: " in text and "fig1_tiny.curves.csv: value by up to" in text
    same = call("compare", "latest", "latest", "--figure", "fig1").stdout
    assert same.splitlines() == [
        "fig1_tiny",
        *(f" {k}: no difference" for k in ("settings", "verdicts", "numbers", "tables")),
    ]
    refused = call("compare", "quick", "smoke")
    assert refused.exit_code == 1 and "smoke: expected a run that has results" in refused.stderr


def test_a_sweep_trains_what_is_missing_and_then_nothing(small_project):
    first, second = (call("sweep", "--profile", "tiny") for _ in range(2))
    assert first.exit_code == second.exit_code == 0, first.output
    assert (
        "training: 8 of 8 networks missing" in first.stdout
    )  # two arms, one trained with noise too; both figures share
    assert "training: 8 networks trained" in first.stdout
    assert "8 networks, " in first.stderr
    assert "training: all 8 networks are in the store, nothing to do" in second.stdout
    assert "training: 0 networks trained" in second.stdout
    assert second.stderr == ""


def test_a_run_trains_what_its_figure_lacks_and_shows_it(small_project, capsys):
    project, progress = Project(), RunProgress("fig2_ambiguity")
    config = make_config(project, "fig2_ambiguity", "tiny")
    for _ in range(2):
        train_figure("fig2_ambiguity", config, progress)
    told = capsys.readouterr()
    assert told.err.splitlines()[0] == "training: 8 of 8 networks missing"
    assert told.err.count("networks missing") == 1 and "networks, " in told.err.splitlines()[1]
    assert progress.doing == ""
    assert call("sweep", "--profile", "tiny").stdout.startswith("training: all 8 networks are in the store")


def test_a_run_whose_networks_are_known_to_be_there_looks_for_none_and_loads_no_settings(project, monkeypatch):
    def look(*_):
        raise AssertionError("looked for networks")

    monkeypatch.setattr("cemrnn.commands.main.train_figure", look)
    monkeypatch.setattr("cemrnn.reproduce.settings.make_config", look)
    assert call("run", "fig1_tiny", "--trained").exit_code == 0
    assert Path("build/quick/results/fig1_tiny.json").exists()
    refused = call("run", "fig1_tiny", "--trained", "-p", "rate=1")
    assert refused.exit_code == 2 and "--trained: expected no other values with it" in refused.output
    with pytest.raises(AssertionError, match="looked for networks"):
        CliRunner().invoke(main, ["run", "fig1_tiny"], catch_exceptions=False)


def test_a_sweep_tells_how_many_networks_failed(small_project):
    profile = Path("notebooks/params/tiny.yml")
    sizes = yaml.safe_load(profile.read_text())
    profile.write_text(yaml.safe_dump(sizes | {"networks": sizes["networks"] | {"learning_rate": 1e30}}))
    told = "8 of them failed: their loss or weights were not finite; cemrnn store ls --status failed lists them"
    assert told in call("sweep", "--profile", "tiny").stdout.splitlines()


def test_a_failing_run_is_an_exit_code(project):
    result = call("run", "fig1_tiny", "-p", "fails=true")
    assert result.exit_code == 1
    assert "RuntimeError: asked to fail" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("change", "width", "verdict"), [(-0.9, 0.1, "supported"), (0.9, 0.1, "opposite"), (-0.2, 0.5, "undecided")]
)
def test_claims_prints_verdict_and_effect(project, change, width, verdict):
    write_scalars(project, change, width)
    line = call("claims").output.rstrip("\n")
    assert line.startswith(f"{verdict} ")
    assert f"The value falls. ({change:.3f} [{change - width:.3f}, {change + width:.3f}])" in line
    assert line.endswith(" networks would decide]") == (verdict == "undecided")
    (row,) = json.loads(call("claims", "--json").output)
    assert row["verdict"] == verdict
    assert row["effect"] == change


@pytest.mark.parametrize("command", ["claims", "verify"])
def test_nothing_is_told_of_what_was_not_made(project, command):
    result = call(command)
    assert result.exit_code == 1
    assert result.output == "Error: nothing was made at profile quick yet: make reproduce PROFILE=quick\n"


def test_the_smallest_profile_decides_nothing(project):
    write_scalars(project, -0.9, 0.1)
    (project / "build" / "quick").rename(project / "build" / "smoke")
    told = call("claims", "--profile", "smoke")
    assert told.stdout.startswith("supported") and "a verdict decides nothing" in told.stderr
    refused = call("verify", "--profile", "smoke")
    assert refused.exit_code == 1 and "nothing is expected of effects in two networks" in refused.stderr


def test_a_figure_is_found_by_its_number(project):
    assert call("params", "fig1").stdout == call("params", "fig1_tiny").stdout
    assert "unknown notebook 'fig'" in call("params", "fig").stderr


def test_the_version_is_that_of_the_package():
    assert call("--version").output.split() == ["cemrnn", cemrnn.__version__]


def test_what_a_sweep_would_cost_is_told_by_figure_and_in_all_at_the_end(small_project):
    lines = call("sweep", "--profile", "tiny", "--dry-run").stdout.splitlines()
    assert [line.split()[:3] for line in lines[1:4]] == [
        ["fig1_tasks", "4", "4"],
        ["fig2_ambiguity", "4", "4"],
        ["all", "8", "8"],
    ]
    assert ("hours on one GPU" in lines[0]) != (lines[-2] == "GPU: not timed, because there is no CUDA device here")
    assert lines[-1].startswith("training: 8 of 8 networks missing, at most about")
    detailed = call("sweep", "--profile", "tiny", "--dry-run", "--details").stdout
    assert "combined, N = 16, R = 2, K = 2, noisy cue" in detailed and "fig1_tasks" not in detailed
    assert "expected --dry-run with it" in call("sweep", "--details").stderr
