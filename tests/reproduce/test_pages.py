"""Checks of built pages: each rule is seen to fail on a page that breaks it."""

import pytest

from cemrnn.reproduce.pages import find_problems

GOOD = """<html><head><script src="_static/a.js"></script><link rel="stylesheet" href="_static/a.css">
<link rel="canonical" href="https://example.org/"><style>p { background: url("_static/a.png") }</style></head>
<body><a href="https://example.org/">a link is no resource</a><a href="a.png">plot.png</a>
<img src="a.png" alt="Accuracy falls as the cue becomes ambiguous."></body></html>"""


def problems_of(folder, page, style=""):
    (folder / "page.html").write_text(page)
    (folder / "style.css").write_text(style)
    return find_problems(folder)


def test_a_good_page_has_no_problems(tmp_path):
    assert problems_of(tmp_path, GOOD, "a { background: url(local.png) }") == []


@pytest.mark.parametrize(
    "element",
    [
        '<script src="https://cdn.example.org/a.js"></script>',
        '<script src="//cdn.example.org/a.js"></script>',
        '<link rel="stylesheet" href="http://cdn.example.org/a.css">',
        '<link rel="preconnect" href="https://fonts.example.org">',
        '<img src="https://example.org/a.png" alt="A plot.">',
        '<iframe src="https://example.org/"></iframe>',
        '<style>@import "https://example.org/a.css";</style>',
        '<p style="background: url(https://example.org/a.png)"></p>',
    ],
)
def test_an_external_resource_is_found(tmp_path, element):
    found = problems_of(tmp_path, GOOD.replace("<body>", f"<body>{element}"))
    assert len(found) == 1
    assert found[0].startswith("page.html: external resource ")


def test_an_external_resource_in_a_style_sheet_is_found(tmp_path):
    found = problems_of(tmp_path, GOOD, "@font-face { src: url('https://fonts.example.org/a.woff') }")
    assert found == ["style.css: external resource https://fonts.example.org/a.woff"]


@pytest.mark.parametrize("alt", ["", 'alt=""', 'alt="plot.png"', 'alt="_images/0a1b.svg"'])
def test_an_image_without_real_alt_text_is_found(tmp_path, alt):
    found = problems_of(tmp_path, f"<img src='a.png' {alt}>")
    assert len(found) == 1
    assert "alt text" in found[0]
