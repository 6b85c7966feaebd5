"""Sphinx extension that keeps the built pages free of network requests.

MathJax comes from the installed `sphinx-mathjax-offline` wheel: one file that draws its own glyphs.
Thebe, which Jupyter Book always loads and which needs a server, is disconnected.
"""

import shutil
from importlib.metadata import files
from pathlib import Path

MATHJAX = "mathjax/tex-svg.js"


def keep_offline(app, config):
    """Point MathJax to the local file and drop the listeners and the style sheet of sphinx_thebe."""
    config.mathjax_path = MATHJAX
    for name, listeners in app.events.listeners.items():
        kept = [item for item in listeners if not item.handler.__module__.startswith("sphinx_thebe")]
        app.events.listeners[name] = kept
    app.registry.css_files[:] = [file for file in app.registry.css_files if "thebe" not in file[0]]


def copy_mathjax(app, exception):
    """Copy MathJax into the finished book: in a static folder Jupyter Book would load it on every page."""
    if exception is None and app.builder.format == "html":
        wheel = files("sphinx-mathjax-offline") or []
        source = next(file for file in wheel if file.name == "tex-svg.js").locate()
        target = Path(app.outdir) / "_static" / MATHJAX
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def setup(app):
    """Connect the two steps."""
    app.connect("config-inited", keep_offline)
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
