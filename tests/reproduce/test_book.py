"""The book: built from a real run of a tiny notebook with the real configuration and extension."""

import html as escaped
import math
import os
import re
import shutil
from pathlib import Path

import pytest

from cemrnn.reproduce import assembly
from cemrnn.reproduce.assembly import BookError, assemble, write_contents
from cemrnn.reproduce.book import build_book
from cemrnn.reproduce.notebooks import run_notebook
from cemrnn.reproduce.pages import find_problems
from cemrnn.reproduce.project import Project
from cemrnn.system.leases import BusyError, hold_alone
from tests.fixtures.copies import FIGURES, ODD, add_figures, copy_tiny_project

STEM = "fig1_tiny"


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The tiny project after its notebook ran."""
    project = Project(copy_tiny_project(tmp_path_factory.mktemp("executed") / ODD))
    with pytest.MonkeyPatch.context() as patch:
        add_figures(patch)
        run_notebook(project, STEM, "quick", project.build / "quick")
        yield project


@pytest.fixture(scope="module")
def html(executed):
    """Folder of the built book."""
    return build_book(executed, "quick").parent


@pytest.fixture
def project(executed, tmp_path):
    """A copy of the executed project that a test may spoil."""
    shutil.copytree(executed.root, tmp_path / "tiny")
    return Project(tmp_path / "tiny")


def read_text(html, page):
    """Text of a page without tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", (html / page).read_text(encoding="utf-8")).split())


def test_pages_need_no_network_and_every_image_has_a_text(html):
    assert find_problems(html) == []
    assert (html / "_static" / "mathjax" / "tex-svg.js").stat().st_size > 1e6
    page = (html / "index.html").read_text(encoding="utf-8")
    assert re.search(r'<script[^>]*src="_static/mathjax/tex-svg.js', page)
    assert "thebe" not in "".join(re.findall(r"<script[^>]*src=[^>]*>", page))


def test_every_local_script_style_image_and_download_exists(html):
    targets = set()
    for page in html.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        targets |= set(re.findall(r'(?:src|href)="((?:_static|_images|_downloads)[^"?#]*)', text))
    assert len(targets) > 10
    assert [target for target in targets if not (html / target).exists()] == []


def test_the_live_model_is_loaded_by_the_pages_that_have_it(html):
    loaded = {page.name: re.findall(r"_static/play/([\w.]+)", page.read_text()) for page in html.glob("*.html")}
    scripts = {name.split("?")[0] for name in loaded.pop("index.html")}
    assert {"play.css", "d3.v5.min.js", "data.js", "model.js", "play.js"} <= scripts
    assert set().union(*loaded.values()) == set()
    data = (html / "_static" / "play" / "data.js").read_text()
    assert '{"missing": "this clone has no fig1_tasks"}' in data


def test_numbers_captions_links_and_origin_reach_the_page(html):
    text = read_text(html, f"{STEM}.html")
    # Trapezoids of exp(-2t) with step 0.1 form a geometric series.
    ratio = math.exp(-0.2)
    area = 0.05 * (1 + ratio) * (1 - ratio**10) / (1 - ratio)
    assert f"is {area:.3f}." in text
    assert "Value against time for two starting levels." in text
    assert re.search(r"profile quick · seed 7 · 3 networks per condition · config \w{8} · commit", text)
    page = (html / f"{STEM}.html").read_text(encoding="utf-8")
    assert 'alt="Two curves that fall from 0.5 and 1 towards zero."' in page
    for kind in ("svg", "pdf", "zip"):
        assert f'href="_static/results/run/{STEM}.{kind}"' in page


def test_ledger_provenance_and_profile_are_generated(html):
    text = read_text(html, "index.html")
    assert "The value falls." in text
    assert "supported" in text
    assert "Profile quick: 3 networks per condition. Too few to conclude anything." in text
    assert re.search(rf"{STEM} quick 7 3 ", text)


def test_the_source_of_a_figure_is_a_page_that_links_reach(html):
    source, page = (FIGURES / STEM / "experiment.py").read_text(), f"_modules/cemrnn/figures/{STEM}/experiment.html"
    assert " ".join(source.split())[:200] in escaped.unescape(read_text(html, page))
    linked = {link for page in html.glob("*.html") for link in re.findall(r'href="(_modules/[^"#]+)', page.read_text())}
    assert page in linked and [link for link in linked if not (html / link).is_file()] == []


def test_a_link_that_leads_nowhere_stops_the_build(project):
    notebook = project.build / "quick" / "notebooks" / f"{STEM}.ipynb"
    text = notebook.read_text(encoding="utf-8")
    assert "](../book/references.md)" in text
    notebook.write_text(text.replace("](../book/references.md)", "](../book/reference.md)"), encoding="utf-8")
    before = (project.build / "quick" / "html" / "index.html").stat().st_mtime_ns
    with pytest.raises(BookError, match="reference.md"):
        build_book(project, "quick")
    assert (project.build / "quick" / "html" / "index.html").stat().st_mtime_ns == before


def test_an_image_without_alt_text_stops_the_build(project):
    notebook = project.build / "quick" / "notebooks" / f"{STEM}.ipynb"
    text = notebook.read_text(encoding="utf-8")
    assert '"alt": "Two curves' in text
    notebook.write_text(text.replace('"alt": "Two curves', '"class": "Two curves'), encoding="utf-8")
    with pytest.raises(BookError, match="alt text"):
        build_book(project, "quick")


def test_two_builds_at_once_are_told_apart(project):
    with hold_alone(project.build / "quick" / ".book.lock", "held"), pytest.raises(BusyError) as caught:
        build_book(project, "quick")
    assert re.match(
        rf"the book at profile quick is being built by process {os.getpid()} of .+; try again", str(caught.value)
    )


def test_a_notebook_that_has_not_run_is_named(project):
    (project.build / "quick" / "notebooks" / f"{STEM}.ipynb").unlink()
    with pytest.raises(BookError, match=f"cemrnn run {STEM} --profile quick"):
        assemble(project, "quick")


def test_the_contents_list_every_page_and_the_figures_in_order(tmp_path):
    root = Path(__file__).parents[2]
    listed = set(re.findall(r"(?:file|root): (\w+)", (root / "book" / "_toc.yml").read_text()))
    assert listed == {path.stem for path in (root / "book").glob("*.md")} | {*Project(root).tutorials()}
    contents = tmp_path / "_toc.yml"
    shutil.copy(root / "book" / "_toc.yml", contents)
    write_contents(["fig2_early", "fig10_late"], contents)
    found = re.findall(r"(?:file|root): (\w+)", contents.read_text())
    assert set(found) == listed | {"fig2_early", "fig10_late"}
    assert found.index("measures") < found.index("fig2_early") < found.index("fig10_late") < found.index("scaling")


def test_with_a_repository_each_page_leads_to_its_source_there(project, monkeypatch):
    monkeypatch.setenv("REPOSITORY", "https://github.com/some/name")
    html = build_book(project, "quick").parent
    figure, first = ((html / f"{page}.html").read_text(encoding="utf-8") for page in (STEM, "index"))
    assert f"https://mybinder.org/v2/gh/some/name/main?urlpath=lab/tree/notebooks/{STEM}.ipynb" in figure
    assert f"https://colab.research.google.com/github/some/name/blob/main/notebooks/{STEM}.ipynb" in figure
    assert f"https://github.com/some/name/edit/main/notebooks/{STEM}.ipynb" in figure
    assert "https://github.com/some/name/edit/main/book/index.md" in first
    assert f"https://github.com/some/name/blob/main/cemrnn/figures/{STEM}/experiment.py" in figure


def test_without_a_repository_no_page_leads_to_one(html):
    for page in html.glob("*.html"):
        assert not re.search("mybinder|colab|/edit/", page.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("counts", "warned"), [([2, 6, 8], False), ([2, 3, 1000], True)])
def test_a_reservation_is_made_if_most_figures_have_few_networks(tmp_path, monkeypatch, counts, warned):
    config = tmp_path / "_config.yml"
    config.write_text("html: {}\n")
    monkeypatch.setattr(assembly, "_count_networks", lambda folder: counts)
    monkeypatch.setattr(assembly, "kept_stems", lambda project: [])
    assembly._write_announcement(Project(tmp_path), "quick", config)
    told = " ".join(config.read_text().split())
    assert f"{counts[0]} to {counts[-1]} networks per condition" in told
    assert ("Too few to conclude anything" in told) == warned
