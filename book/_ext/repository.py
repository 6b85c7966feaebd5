"""Sphinx extension: buttons that lead to a repository know in which folder a page's source lies there."""

import re

FIGURE = re.compile(r"fig\d+_")


def find_folder(app, page):
    """The folder of a page's source in the repository."""
    if not str(app.env.doc2path(page)).endswith(".ipynb"):
        return "book"
    return "notebooks" if FIGURE.match(page) else "notebooks/tutorials"


def place(app, pagename, templatename, context, doctree):
    """Tell the theme, before it draws the buttons of a page, where that page's source lies."""
    if pagename in app.env.found_docs:
        context["doc_path"] = app.config.html_theme_options["path_to_docs"] = find_folder(app, pagename)


def setup(app):
    """Connect it before the theme's own listeners."""
    app.connect("html-page-context", place, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
