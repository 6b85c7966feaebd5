"""Notebooks: ten cells and a story, typed and documented parameters, no outputs, no hidden code, no typed results."""

import ast
import re
from pathlib import Path

import nbformat
import papermill
import pytest

from cemrnn.config import coerce, describe_fields
from cemrnn.figures import config_class, find_figure, list_figures, load_experiment, load_plot
from cemrnn.reproduce.finding import FIELD, TEMPLATE
from cemrnn.reproduce.notebooks import read_shown
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.settings import make_config, read_values

ROOT = Path(__file__).parents[2]
PROJECT = Project(ROOT)
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
KINDS = ["markdown", *["code"] * 6, "markdown", "code", "markdown"]
STORY = ["one-trial", "one-measure"]  # cells between the settings and the figure that tell the story with our verbs
APART = ["one-system", "one-run"]  # the same where there are no networks of ours, but another system
NEIGHBOURS = {"fig12_bandit", "fig13_specialisation", "fig14_spiking"}
WITHOUT_STORY = {"fig7_images", "fig8_text", "fig9_overhead_scaling"}
FORBIDDEN = (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While, ast.comprehension)
MAX_CODE_LINES = 60
ROLE = re.compile(r"\{[\w:]+\}`")  # a token of Sphinx, which Lab would show as it is
# A result typed by hand: a decimal number or a percentage outside a field.
TYPED_NUMBER = re.compile(r"\d\.\d|\d ?%")


def pytest_generate_tests(metafunc):
    if "path" in metafunc.fixturenames:
        metafunc.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@pytest.fixture
def all_cells(path):
    return nbformat.read(path, as_version=4).cells


@pytest.fixture
def cells(all_cells):
    """The ten cells that every notebook has."""
    return [cell for cell in all_cells if cell.id not in (*STORY, *APART)]


def code_of(cells):
    return [cell.source for cell in cells if cell.cell_type == "code"]


def breaches_of_style(source):
    """Names of the forbidden constructs in a piece of code."""
    return [type(node).__name__ for node in ast.walk(ast.parse(source)) if isinstance(node, FORBIDDEN)]


def test_every_figure_has_experiment_notebook_and_plot():
    stems = {path.stem for path in NOTEBOOKS}
    assert stems == set(list_figures())
    assert all(callable(load_plot(stem).plot) for stem in stems)


def test_ten_cells_without_outputs(cells, all_cells):
    assert [cell.cell_type for cell in cells] == KINDS
    assert all(cell.outputs == [] and cell.execution_count is None for cell in all_cells if cell.cell_type == "code")


def test_the_story_stands_before_the_figure_and_is_folded(path, all_cells):
    ids = [cell.id for cell in all_cells]
    told = [cell for cell in all_cells if cell.id in STORY]
    assert [cell.id for cell in told] == ([] if path.stem in WITHOUT_STORY | NEIGHBOURS else STORY)
    assert all(cell.metadata.tags == ["hide-cell"] for cell in told)
    if told:
        assert ids.index("one-trial") == 4 and ids.index("one-measure") == 5
        assert "cemrnn.load(config." in told[0].source and ".draw(" in told[0].source
        assert ".plot(" in told[0].source.splitlines()[-1] and len(told[0].metadata.mystnb.image.alt) > 50


def test_another_system_is_shown_before_the_figure_and_folded(path, all_cells):
    told = [cell for cell in all_cells if cell.id in APART]
    assert [cell.id for cell in told] == (APART if path.stem in NEIGHBOURS else [])
    assert all(cell.metadata.tags == ["hide-cell"] for cell in told)


def test_the_title_is_short_and_the_number_is_the_files(path, cells):
    number = re.match(r"fig(\d+)_", path.stem)[1]
    assert re.fullmatch(rf"# Figure {number}\. \w.{{5,30}}", cells[0].source.splitlines()[0])
    assert not any(cell.source.startswith("# ") for cell in cells[1:])


def test_code_is_short_and_defines_nothing(all_cells):
    code = code_of(all_cells)
    assert [breaches_of_style(source) for source in code] == [[]] * len(code)
    assert sum(len(source.splitlines()) for source in code) <= MAX_CODE_LINES


@pytest.mark.parametrize(
    "source", ["def f(): pass", "class A: pass", "for i in x: pass", "[i for i in x]", "lambda: 1"]
)
def test_the_style_check_can_fail(source):
    assert breaches_of_style(source) != []


def test_parameters_are_some_settings_with_their_meaning_listed_by_papermill(path, cells):
    assert "parameters" in cells[2].metadata.tags
    shown, fields = read_shown(path), describe_fields(config_class(path.stem))
    assert 8 <= len(shown) <= 12
    listed = papermill.inspect_notebook(path)
    assert list(listed) == list(shown)
    for name, value in shown.items():
        assert listed[name]["help"] == fields[name].meaning, name
        kind = re.sub(r"tuple\[(\w+), \.\.\.\]", r"list[\1]", fields[name].annotation)
        assert listed[name]["inferred_type_name"] == ("str" if kind.startswith("Literal") else kind)
        coerce(value, fields[name].hint, name)


def test_the_parameters_cell_shows_the_values_of_quick(path):
    shown, values = read_shown(path), read_values(PROJECT, path.stem, "quick")
    assert shown == {name: values[name] for name in shown}


def test_no_other_name_of_a_notebook_is_one_of_its_settings(all_cells, path):
    names = {name.partition(".")[0] for name in describe_fields(config_class(path.stem))}
    others = [cell.source for cell in all_cells if cell.cell_type == "code" and "parameters" not in cell.metadata.tags]
    assigned = {node.id for code in others for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    assert not assigned & names


@pytest.mark.parametrize("stem", list_figures())
def test_every_setting_says_what_it_is(stem):
    unclear = [name for name, field in describe_fields(config_class(stem)).items() if len(field.meaning) < 10]
    assert unclear == []


@pytest.mark.parametrize("profile", ["smoke", "quick", "full"])
def test_every_profile_is_a_valid_config_of_every_notebook(profile):
    for stem in PROJECT.stems():
        config = make_config(PROJECT, stem, profile)
        trains_networks = len(load_experiment(stem).conditions(config)) > 0
        assert trains_networks != (stem in NEIGHBOURS)


def test_one_call_each_to_compute_to_plot_to_record_and_to_tell(cells):
    assert cells[4].source == "result = run(config)"
    assert cells[5].source == "figure = show(plot(result), result)"
    assert cells[6].source == "record(result, figure)"
    assert cells[8].source == "tell(result)"


def test_the_figure_has_caption_label_and_alternative_text(path, cells):
    metadata = cells[5].metadata.mystnb
    assert len(metadata.image.alt) > 80
    assert metadata.figure.name == path.stem.replace("_", "-")
    captions = [metadata.figure.caption, *(part.caption for part in cells[5].metadata.get("cemrnn", {}).values())]
    assert any("95 %" in caption and "replicate" in caption for caption in captions)


def test_numbers_in_the_finding_are_those_of_the_result(path):
    finding = (find_figure(path.stem) / TEMPLATE).read_text(encoding="utf-8")
    assert FIELD.search(finding)
    assert TYPED_NUMBER.search(re.sub(r"\{[^{}]+\}", "", finding)) is None


def test_every_sentence_reads_as_text_in_lab(path, cells):
    finding = (find_figure(path.stem) / TEMPLATE).read_text(encoding="utf-8")
    texts = [finding, *(cell.source for cell in cells if cell.cell_type == "markdown")]
    assert [role for text in texts for role in ROLE.findall(text)] == []


def test_links_lead_somewhere_from_lab(path, cells):
    finding = (find_figure(path.stem) / TEMPLATE).read_text(encoding="utf-8")
    texts = [finding, *(cell.source for cell in cells if cell.cell_type == "markdown")]
    links = [link for text in texts for link in re.findall(r"\]\(([^)]+)\)", text)]
    assert [link for link in links if not (path.parent / link.partition("#")[0]).is_file()] == []
    glossary = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8").splitlines()
    linked = {link.partition("#")[2].replace("-", " ") for link in links if "/glossary.md#" in link}
    assert linked - set(glossary) == set()


def test_the_claim_cell_says_what_would_count_against_it(cells):
    assert "count against" in cells[9].source
    assert "Time" not in cells[9].source  # which is measured, and told by the page from one place
