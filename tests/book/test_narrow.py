"""Figures on a phone: the browser takes the narrow rendering where there is one, and no other page is changed."""

import importlib.util
from types import SimpleNamespace

import pytest

from tests.fixtures.copies import REPOSITORY

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="{w}pt" height="100pt"><rect width="9" height="9"/></svg>'
FIGURE = '<figure><a class="reference" href="_static/results/run/{n}.svg"><img alt="Two panels." src="{n}.svg" /></a>'


@pytest.fixture
def offer():
    path = REPOSITORY / "book" / "_ext" / "narrow.py"
    spec = importlib.util.spec_from_file_location("narrow", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.offer_narrow


@pytest.fixture
def page(tmp_path, offer):
    """A page with a figure that has a narrow rendering and with one that has none."""
    folder = tmp_path / "_static" / "results" / "run"
    folder.mkdir(parents=True)
    for name, width in (("fig1", 648), ("fig1.narrow", 245), ("fig2", 648)):
        for place in (folder, tmp_path):
            (place / f"{name}.svg").write_text(SVG.format(w=width))
    context = {"body": "".join(FIGURE.format(n=name) + "</figure>" for name in ("fig1", "fig2"))}
    offer(SimpleNamespace(srcdir=tmp_path), "fig", "page.html", context, None)
    sheet = (REPOSITORY / "book" / "_static" / "book.css").as_uri()
    text = f'<!doctype html><html lang="en"><link rel="stylesheet" href="{sheet}"><article class="bd-article">'
    (tmp_path / "page.html").write_text(text + context["body"])
    return tmp_path / "page.html"


def test_a_source_stands_beside_an_image_that_has_one_alone(page):
    text = page.read_text()
    assert text.count("<picture>") == 1 and text.count("<img ") == text.count('alt="Two panels."') == 2
    assert 'srcset="_static/results/run/fig1.narrow.svg"' in text and "fig2.narrow" not in text


@pytest.mark.parametrize(("width", "shown"), [(390, "fig1.narrow.svg"), (1400, "fig1.svg")])
def test_the_browser_takes_what_fits(browser, page, width, shown):
    opened = browser.new_page(viewport={"width": width, "height": 900})
    opened.goto(page.as_uri())
    image = opened.locator("picture img")
    assert image.evaluate("image => image.currentSrc").endswith(f"/{shown}")
    box = image.bounding_box()
    assert box["x"] + box["width"] <= width
    opened.close()


def test_a_page_without_figures_stays_as_it_is(tmp_path, offer):
    context = {"body": "<p>text</p>"}
    offer(SimpleNamespace(srcdir=tmp_path), "page", "page.html", context, None)
    offer(SimpleNamespace(srcdir=tmp_path), "search", "search.html", {}, None)
    assert context == {"body": "<p>text</p>"}
