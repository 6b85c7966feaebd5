"""Tutorials: text in Lab, three exercises with answers that run, no outputs; run with the book."""

import ast
import re
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner

from cemrnn.commands.main import main
from cemrnn.reproduce.assembly import TERM, link_beside
from cemrnn.reproduce.documents import read_yaml
from cemrnn.reproduce.notebooks import run_notebook
from cemrnn.reproduce.products import find_lost
from cemrnn.reproduce.project import Project
from tests.fixtures.copies import add_figures, copy_tiny_project, run_make
from tests.reproduce.test_notebooks import ROLE, TYPED_NUMBER

ROOT = Path(__file__).parents[2]
PROJECT = Project(ROOT)
MAX_CODE_LINES = 120
TARGET = "build/quick/notebooks/tiny.ipynb"


def pytest_generate_tests(metafunc):
    if "path" in metafunc.fixturenames:
        paths = [PROJECT.notebook(stem) for stem in PROJECT.tutorials()]
        metafunc.parametrize("path", paths, ids=lambda path: path.stem)


@pytest.fixture
def cells(path):
    return nbformat.read(path, as_version=4).cells


def texts_of(cells):
    return [cell.source for cell in cells if cell.cell_type == "markdown"]


def answers_in(cells):
    return [cell for cell in cells if cell.id.startswith("answer-")]


def lines_of(cells):
    return [line for cell in cells if cell.cell_type == "code" for line in cell.source.splitlines() if line.strip()]


def test_the_book_lists_every_tutorial_at_its_beginning():
    parts = {part["caption"]: part for part in read_yaml(ROOT / "book" / "_toc.yml")["parts"]}
    assert list(parts)[:2] == ["Results", "Start"]
    start = parts["Start"]
    assert set(PROJECT.tutorials()) <= {chapter["file"] for chapter in start["chapters"]}


def test_no_output_is_tracked(cells):
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


def test_three_exercises_come_last_with_folded_answers(cells):
    assert [cell.id for cell in answers_in(cells)] == ["answer-1", "answer-2", "answer-3"]
    assert all(cell.metadata.tags == ["hide-cell"] for cell in answers_in(cells))
    ids = [cell.id for cell in cells]
    asked = [cells[ids.index(cell.id) - 1].source for cell in answers_in(cells)]
    assert [re.search(r"^\*\*(\d)\.\*\*", text, re.MULTILINE)[1] for text in asked] == ["1", "2", "3"]
    assert ids.index("exercises") < ids.index("answer-1") and ids[-2:] == ["answer-3", "next"]


def test_every_page_leads_to_another_one(cells):
    assert re.match(r"# \w.+", cells[0].source)
    assert [cell.id for cell in cells if cell.source.startswith("# ") and cell.cell_type == "markdown"] == ["title"]
    assert len(lines_of(cells)) <= MAX_CODE_LINES


def test_ten_lines_are_ten():
    cells = nbformat.read(PROJECT.notebook("ten_lines"), as_version=4).cells
    assert len(lines_of(cells)) - len(lines_of(answers_in(cells))) == 10


def test_every_sentence_reads_as_text_in_lab_and_no_number_is_typed(cells):
    texts = texts_of(cells)
    assert [role for text in texts for role in ROLE.findall(text)] == []
    assert [text for text in texts if TYPED_NUMBER.search(text.replace("0.2 at the last step", ""))] == []


def test_links_lead_somewhere_from_lab(path, cells):
    links = [link for text in texts_of(cells) for link in re.findall(r"\]\(([^)#]+)", text)]
    assert links and [link for link in links if not (path.parent / link).resolve().is_file()] == []


def test_what_draws_with_matplotlib_says_what_is_seen(cells):
    for cell in cells:
        if re.search(r"\.plot\(|\.subplots\(", cell.source) and cell.cell_type == "code":
            assert len(cell.metadata.mystnb.image.alt) > 50, cell.id


def test_no_code_needs_the_folder_that_it_runs_in(cells):
    literals = {
        node.value
        for cell in cells
        if cell.cell_type == "code" and not cell.source.startswith("%%")
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert not [text for text in literals if text.startswith(("./", "../", "/"))]


def test_links_lead_to_what_lies_beside_a_page_and_to_terms():
    written = "[K](../../book/model.md) [f](../fig2_ambiguity.ipynb) [n](to_torch.ipynb) [m](../book/model.md)"
    assert link_beside(written) == "[K](model.md) [f](fig2_ambiguity.ipynb) [n](to_torch.ipynb) [m](model.md)"
    assert link_beside("[maps](../../book/glossary.md#random-map)") == "{term}`maps <random map>`"
    assert (
        link_beside("[a](../fig2.svg) [b](https://x.org/book/a.md)") == "[a](../fig2.svg) [b](https://x.org/book/a.md)"
    )


def test_every_term_that_is_linked_is_in_the_glossary(cells):
    glossary = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
    linked = {found.replace("-", " ") for text in texts_of(cells) for _, found in TERM.findall(text)}
    assert [term for term in linked if not re.search(rf"^{re.escape(term)}$", glossary, re.MULTILINE)] == []


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The tiny project with a tutorial."""
    add_figures(monkeypatch)
    monkeypatch.delenv("CEMRNN_PROFILE", raising=False)
    root = copy_tiny_project(tmp_path / "tiny")
    (root / "notebooks" / "tutorials").mkdir()
    page = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Tiny"), nbformat.v4.new_code_cell("6 * 7")])
    nbformat.write(page, root / "notebooks" / "tutorials" / "tiny.ipynb")
    monkeypatch.chdir(root)
    return Project(root)


def test_a_tutorial_is_no_figure_and_has_no_settings(project):
    assert project.tutorials() == ["tiny"] and "tiny" not in [*project.stems(), *project.strays()]
    result = CliRunner().invoke(main, ["run", "tiny", "-p", "n_units=3"])
    assert result.exit_code == 1
    assert "tiny: expected no parameters, because it is a tutorial, got n_units=3" in result.stderr
    told = run_make(project.root, "figure")
    assert "fig1_tiny" in told.stderr and " tiny" not in told.stderr


def test_it_runs_once_at_a_profile_and_again_if_it_changed(project):
    make = [TARGET, "-o", "build/quick/trained"]
    made = run_make(project.root, *make)
    assert made.returncode == 0, made.stderr
    page = nbformat.read(project.root / TARGET, as_version=4)
    assert page.cells[1].outputs[0].data["text/plain"] == "42" and find_lost(project.build / "quick", "tiny") == []
    assert run_make(project.root, "-q", *make).returncode == 0
    again = run_make(project.root, "-n", "-W", "notebooks/tutorials/tiny.ipynb", *make)
    assert "main run tiny --profile quick" in again.stdout


def test_a_tutorial_that_fails_is_a_failure(project):
    page = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
    nbformat.write(page, project.notebook("tiny"))
    with pytest.raises(RuntimeError, match="notebook tiny failed: ZeroDivisionError"):
        run_notebook(project, "tiny", "quick", project.build / "quick")
