"""Notebooks: nine cells, typed and documented parameters, no outputs, no hidden code, no typed results."""

import ast
import dataclasses
import re
from pathlib import Path

import nbformat
import papermill
import pytest
from cemrnn.reproduce.parameters import read_parameters

from cemrnn.figures import config_class, list_figures, load_experiment, load_plot
from cemrnn.reproduce.project import Project

ROOT = Path(__file__).parents[2]
PROJECT = Project(ROOT)
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
KINDS = ["markdown", "markdown", *["code"] * 6, "markdown"]
FORBIDDEN = (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While, ast.comprehension)
MAX_CODE_LINES = 60
GLUED = re.compile(r"\{glue:text\}`[\w:.+%,]+`")
ROLES = re.compile(r"\{[\w:]+\}`[^`]+`")
# A result typed by hand: a decimal number or a percentage outside a role.
TYPED_NUMBER = re.compile(r"\d\.\d|\d ?%")


def pytest_generate_tests(metafunc):
    if "path" in metafunc.fixturenames:
        metafunc.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@pytest.fixture
def cells(path):
    return nbformat.read(path, as_version=4).cells


def code_of(cells):
    return [cell.source for cell in cells if cell.cell_type == "code"]


def breaches_of_style(source):
    """Names of the forbidden constructs in a piece of code."""
    return [type(node).__name__ for node in ast.walk(ast.parse(source)) if isinstance(node, FORBIDDEN)]


def test_every_figure_has_experiment_notebook_and_plot():
    stems = {path.stem for path in NOTEBOOKS}
    assert stems == set(list_figures())
    assert all(callable(load_plot(stem).plot) for stem in stems)


def test_nine_cells_without_outputs(cells):
    assert [cell.cell_type for cell in cells] == KINDS
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells[2:8])


def test_the_title_is_the_finding_and_the_number_is_the_files(path, cells):
    number = re.match(r"fig(\d+)_", path.stem)[1]
    assert re.match(rf"# Figure {number}\. \w.{{10,}}", cells[0].source)
    assert not any(cell.source.startswith("# ") for cell in cells[1:])


def test_code_is_short_and_defines_nothing(cells):
    code = code_of(cells)
    assert [breaches_of_style(source) for source in code] == [[]] * 6
    assert sum(len(source.splitlines()) for source in code) <= MAX_CODE_LINES


@pytest.mark.parametrize(
    "source", ["def f(): pass", "class A: pass", "for i in x: pass", "[i for i in x]", "lambda: 1"]
)
def test_the_style_check_can_fail(source):
    assert breaches_of_style(source) != []


def test_parameters_are_typed_documented_and_listed_by_papermill(path, cells):
    assert cells[3].metadata.tags == ["parameters"]
    parameters = read_parameters(path)
    listed = papermill.inspect_notebook(path)
    assert list(listed) == list(parameters)
    for name, parameter in parameters.items():
        assert listed[name]["inferred_type_name"] == parameter.annotation
        assert len(listed[name]["help"]) > 10, name


def test_every_parameter_is_a_field_of_the_config_and_no_field_is_hidden(path):
    assert set(read_parameters(path)) == {field.name for field in dataclasses.fields(config_class(path.stem))}


def test_defaults_are_those_of_quick(path):
    parameters = read_parameters(path)
    assert PROJECT.profile("quick")[path.stem] == {name: p.default for name, p in parameters.items()}


@pytest.mark.parametrize("profile", ["smoke", "quick", "full"])
def test_every_profile_is_a_valid_config_of_every_notebook(profile):
    for stem in PROJECT.stems():
        config = config_class(stem).from_params(PROJECT.values(stem, profile))
        assert len(load_experiment(stem).conditions(config)) > 0


def test_one_call_each_to_compute_to_plot_and_to_record(cells):
    assert re.fullmatch(r"result = run\(config\)", cells[5].source)
    assert re.fullmatch(r"figure = show\(plot\(result\), result\)", cells[6].source)
    assert re.fullmatch(r"record\(result, figure\)", cells[7].source)


def test_the_figure_has_caption_label_and_alternative_text(path, cells):
    metadata = cells[6].metadata.mystnb
    assert len(metadata.image.alt) > 80
    assert metadata.figure.name == path.stem.replace("_", "-")
    assert "95 %" in metadata.figure.caption
    assert "replicate" in metadata.figure.caption


def test_numbers_in_the_finding_are_glued(cells):
    finding = cells[8].source
    assert GLUED.search(finding)
    assert TYPED_NUMBER.search(ROLES.sub("", finding)) is None


def test_the_claim_cell_says_what_would_count_against_it(cells):
    assert "count against" in cells[1].source
    assert all(f"`{profile}`" in cells[1].source for profile in ("smoke", "quick", "full"))
