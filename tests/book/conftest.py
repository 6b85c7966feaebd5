"""A browser, and a page with the live model as the book has it, without the rest of the book."""

import json
import shutil
from importlib.metadata import files
from pathlib import Path

import pytest

from tests.fixtures.copies import REPOSITORY

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
MODEL, APP = (
    ("model.js", "trial.js", "flow.js", "state.js", "agents.js"),
    ("controls.js", "frame.js", "answer.js", "panels.js", "play.js", "bandit.js"),
)
SHEETS = {"pydata_sphinx_theme": "pydata-sphinx-theme.css", "sphinx_book_theme": "sphinx-book-theme.css"}


@pytest.fixture(scope="module")
def browser():
    """Chromium, or a skip where there is none."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no browser: the live model is tested in Chromium, and none of {', '.join(NAMES)} is installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as run:
        opened = run.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser, tmp_path):
    """A function that opens a page with these data from the file system; what the console says is an error."""
    opened, said = [], []

    def open_page(data, *, attributes="data-cemrnn-play", width=1400, theme="light"):
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.set_default_timeout(10_000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda asked: said.append(asked.url) if not asked.url.startswith("file:") else None)
        page.goto(write_page(tmp_path, data, attributes, theme).as_uri())
        opened.append(page)
        return page

    yield open_page
    for page in opened:
        page.close()
    assert said == []


def write_page(folder: Path, data: dict, attributes: str, theme: str) -> Path:
    """Path of a page that loads what a page of the book loads; without data, the model alone."""
    (folder / "data.js").write_text(f"(globalThis.cemrnnPlay ??= {{}}).data = {json.dumps(data)};")
    d3 = next(file for file in files("mpld3") if file.name == "d3.v5.min.js").locate()
    scripts = [folder / "data.js", *(REPOSITORY / "book" / "play" / name for name in MODEL)]
    scripts += [d3, *(REPOSITORY / "book" / "play" / name for name in APP)] if data else []
    sheets = [
        next(f for f in files(package.replace("_", "-")) if f.name == name).locate() for package, name in SHEETS.items()
    ]
    sheets += [REPOSITORY / "book" / "play" / name for name in ("play.css", "drawings.css")]
    links = [f'<link rel="stylesheet" href="{Path(s).as_uri()}">' for s in sheets]
    loads = [f'<script defer src="{Path(script).as_uri()}"></script>' for script in scripts]
    page = folder / f"page{len(list(folder.glob('*.html')))}.html"
    page.write_text(
        f'<!doctype html><html lang="en" data-theme="{theme}"><head><meta charset="utf-8"><title>Play</title>'
        f"{''.join(links + loads)}</head><body>"
        f'<main style="box-sizing: border-box; margin: auto; max-width: 55rem; padding: 0 1rem; width: 100%">'
        f"<div {attributes}></div></main></body></html>"
    )
    return page
