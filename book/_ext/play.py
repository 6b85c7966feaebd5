"""Sphinx extension that brings the live model to the pages which mention it.

A page has the live model where its source has `<div data-cemrnn-play></div>` in a raw block; it then loads the
scripts, in order and after the text. With `<div data-cemrnn-bandit></div>` such a page has a bandit to play, too. The
scripts lie outside the static folder, from which Jupyter Book would load them on every page. D3 comes from the
installed wheel of mpld3: of the libraries that come with a Python package and draw without a network it is the
lightest (240 kB against 1.3 MB of BokehJS), it draws into the page's own SVG, whose colours follow the theme and whose
boxes a test can measure, and its axes, scales and drag are all that is needed.
"""

import shutil
from importlib.metadata import files
from pathlib import Path

from docutils import nodes

FOLDER = "play"
D3 = "d3.v5.min.js"
MARK = "data-cemrnn-play"
SHEETS = ("play.css", "drawings.css")
SCRIPTS = (D3, "data.js", "model.js", "trial.js", "flow.js", "state.js", "controls.js", "frame.js",
           "answer.js", "panels.js", "play.js", "agents.js", "bandit.js")  # fmt: skip


def add_scripts(app, pagename, templatename, context, doctree):
    """Let a page load the live model if it has one."""
    if doctree is None or not any(MARK in raw.astext() for raw in doctree.findall(nodes.raw)):
        return
    for sheet in SHEETS:
        app.add_css_file(f"{FOLDER}/{sheet}")
    for script in SCRIPTS:
        app.add_js_file(f"{FOLDER}/{script}", loading_method="defer")


def copy_scripts(app, exception):
    """Copy the scripts, the data and D3 into the finished book."""
    source = Path(app.srcdir) / FOLDER
    if exception is not None or app.builder.format != "html" or not source.is_dir():
        return
    target = Path(app.outdir) / "_static" / FOLDER
    shutil.copytree(source, target, dirs_exist_ok=True)
    library = next(file for file in files("mpld3") if file.name == D3).locate()
    shutil.copyfile(library, target / D3)


def setup(app):
    """Connect the two steps."""
    app.connect("html-page-context", add_scripts)
    app.connect("build-finished", copy_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
