"""Sphinx extension for the page of the API: docstrings as they are written, links that need no network, sources.

Links to other projects are a table here, because their inventories are fetched over the network and hold thousands of
names. A page with the source of every figure's experiment and plot is made beside those that viewcode makes.
"""

import inspect
import re

from docutils import nodes
from sphinx.util.nodes import make_refnode

from cemrnn.figures import find_figure, list_figures

PYTHON = "https://docs.python.org/3/library/"
ELSEWHERE = {
    **{name: f"{PYTHON}stdtypes.html#{name}" for name in ("bytes", "dict", "float", "int", "list", "slice", "str")},
    **{name: f"{PYTHON}stdtypes.html#{name}" for name in ("set", "tuple")},
    **{name: f"{PYTHON}functions.html#{name}" for name in ("bool", "object", "type")},
    **{name: f"{PYTHON}exceptions.html#{name}" for name in ("RuntimeError", "ValueError", "TypeError", "KeyError")},
    "None": f"{PYTHON}constants.html#None",
    "pathlib.Path": f"{PYTHON}pathlib.html#pathlib.Path",
    "gymnasium.core.Env": "https://gymnasium.farama.org/api/env/",
    **dict.fromkeys(
        ("Figure", "matplotlib.figure.Figure"),
        "https://matplotlib.org/stable/api/figure_api.html#matplotlib.figure.Figure",
    ),
    **dict.fromkeys(
        ("np.ndarray", "numpy.ndarray"), "https://numpy.org/doc/stable/reference/generated/numpy.ndarray.html"
    ),
    "numpy.random._generator.Generator": "https://numpy.org/doc/stable/reference/random/generator.html",
    "pandas.DataFrame": "https://pandas.pydata.org/docs/reference/api/pandas.DataFrame.html",
    "torch.Tensor": "https://docs.pytorch.org/docs/stable/tensors.html",
    "torch.device": "https://docs.pytorch.org/docs/stable/tensor_attributes.html#torch.device",
    "torch.nn.Module": "https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html",
    "xarray.DataArray": "https://docs.xarray.dev/en/stable/generated/xarray.DataArray.html",
    "xarray.Dataset": "https://docs.xarray.dev/en/stable/generated/xarray.Dataset.html",
}
ELSEWHERE |= {
    f"collections.abc.{name}": f"{PYTHON}collections.abc.html#collections.abc.{name}"
    for name in ("Callable", "Iterable", "Iterator", "Mapping", "Sequence")
}
MODULES = ("experiment", "plot")  # of a figure, whose source the book shows


def keep_text(app, what, name, obj, options, lines):
    """Let a docstring be the plain text that it is; of a module the first line counts."""
    lines[:] = [escape(line) for line in (lines[:2] if what == "module" else lines)]


def escape(line):
    """A line in which bars and stars mark nothing, and a letter with a full stop begins no list."""
    return re.sub(r"(: [A-Z])\.$", r"\1\\.", re.sub(r"([|*])", r"\\\1", line))


def keep_property(app, what, name, obj, options, lines):
    """Take back what napoleon does to a property: it reads what stands before a colon as a type."""
    if what == "property":
        lines[:] = [*map(escape, inspect.getdoc(obj).splitlines()), ""]


def find_reference(app, env, node, content):
    """Where a type of an annotation is explained: elsewhere, on this page under the name that users type, or nowhere.

    A type of another project that is not in the table stays without a target, which is a warning of Sphinx.
    """
    target = node.get("reftarget", "")
    if target in ELSEWHERE:
        return nodes.reference("", "", content, internal=False, refuri=ELSEWHERE[target])
    if node.get("refdomain") != "py" or not target.startswith("cemrnn."):
        return None
    name = target.rpartition(".")[2]
    known = env.get_domain("py").objects
    found = [full for full in known if full.startswith("cemrnn.") and full.rpartition(".")[2] == name]
    if len(found) != 1:
        return content  # a type of an inner room, which no user makes
    entry = known[found[0]]
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, content, found[0])


def show_sources(app):
    """Pages `_modules/cemrnn/figures/<figure>/<module>.html` with the source of every figure."""
    for stem in list_figures():
        for module in MODULES:
            source = (find_figure(stem) / f"{module}.py").read_text(encoding="utf-8")
            title = f"{stem}/{module}.py"
            body = f"<h1>{title}</h1>{app.builder.highlighter.highlight_block(source, 'python')}"
            yield f"_modules/cemrnn/figures/{stem}/{module}", {"title": title, "body": body, "parents": []}, "page.html"


def setup(app):
    """Connect the steps."""
    app.connect("autodoc-process-docstring", keep_text, priority=400)  # before napoleon, which writes stars and bars
    app.connect("autodoc-process-docstring", keep_property, priority=600)
    app.connect("missing-reference", find_reference)
    app.connect("html-collect-pages", show_sources)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
