"""What a program finds that a reader with a screen reader, a keyboard, or weak eyes could not use: nothing grave.

Source: the rules of axe-core, whose impacts are minor, moderate, serious and critical.
"""

from importlib.resources import files

import nbformat
import pytest
import yaml

from cemrnn.reproduce.book import build_book
from cemrnn.reproduce.notebooks import run_notebook
from cemrnn.reproduce.products import write_products
from cemrnn.reproduce.project import Project
from cemrnn.tasks import TaskSet
from tests.book.networks import RANKS, make_model
from tests.fixtures.copies import add_figures, copy_tiny_project

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
GRAVE = ("serious", "critical")
THEMES = ("light", "dark")


def find_faults(page):
    """The grave faults of a page: rule, impact, and where."""
    page.evaluate("document.getAnimations().forEach(animation => animation.finish())")  # colours on their way
    page.evaluate(AXE)
    found = page.evaluate("axe.run({ resultTypes: ['violations'], preload: false })")["violations"]
    return [(fault["id"], fault["nodes"][0]["target"]) for fault in found if fault["impact"] in GRAVE]


def add_tutorial(project):
    """A tutorial that has run, with text, code, an output and a table."""
    table = "<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>"
    output = nbformat.v4.new_output("display_data", {"text/html": table, "text/plain": "a"})
    code = nbformat.v4.new_code_cell("import math  # of Python\nmath.sqrt(2)", outputs=[output], execution_count=1)
    page = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A tutorial\n\nSome text."), code])
    page.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    source, ran = project.root / "notebooks" / "tutorials", project.build / "quick" / "notebooks"
    source.mkdir()
    for folder in (source, ran):
        nbformat.write(page, folder / "tutorial.ipynb")
    write_products(project.build / "quick", "tutorial", [])


@pytest.fixture(scope="module")
def html(browser, tmp_path_factory):
    """Folder of a book with a figure, a ledger and a tutorial."""
    project = Project(copy_tiny_project(tmp_path_factory.mktemp("book") / "tiny"))
    (project.root / "book" / "ledger.md").write_text("# All claims\n\n```{include} generated/ledger.md\n```\n")
    contents = yaml.safe_load((project.root / "book" / "_toc.yml").read_text())
    contents["parts"][-1]["chapters"] += [{"file": "ledger"}, {"file": "tutorial"}]
    (project.root / "book" / "_toc.yml").write_text(yaml.safe_dump(contents))
    with pytest.MonkeyPatch.context() as patch:
        add_figures(patch)
        run_notebook(project, "fig1_tiny", "quick", project.build / "quick")
        add_tutorial(project)
        yield build_book(project, "quick").parent


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", ["index", "fig1_tiny", "ledger", "tutorial"])
def test_pages_have_no_grave_fault(browser, html, name, theme):
    page = browser.new_page(viewport={"width": 1400, "height": 900}, color_scheme=theme)
    page.goto((html / f"{name}.html").as_uri())
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    assert find_faults(page) == []
    page.close()


@pytest.fixture(scope="module")
def data():
    """What the book exports, of networks of random weights."""
    tasks = TaskSet(names=("memory_pro", "memory_anti", "delay_pro", "delay_anti"), preset="fast")
    records = [make_model(arm, tasks, activation="rectified_tanh")[1] for arm in RANKS]
    curves = {name: {arm: [[0.0, 1.0], [1.0, 0.0]] for arm in RANKS} for name in ("mixture", "noise")}
    return records[0] | {"networks": [record["networks"][0] for record in records], "curves": curves}


@pytest.mark.parametrize("theme", THEMES)
def test_the_live_model_has_no_grave_fault(open_page, data, theme):
    assert find_faults(open_page(data, theme=theme)) == []


def test_a_grave_fault_is_found(browser):
    page = browser.new_page()
    page.set_content("<html lang='en'><title>A page</title><img src='data:,'></html>")
    assert [rule for rule, _ in find_faults(page)] == ["image-alt"]
    page.close()
