"""Sphinx extension that shows the narrow rendering of a figure on a phone, where there is one.

A browser takes one of the two pictures; a screen reader meets one image with one text.
"""

import re
from pathlib import Path

MEDIA = "(max-width: 700px)"  # as in _static/book.css
PICTURED = re.compile(r'(<a [^>]*href="([^"]*_static/results/[^"]+)\.svg"[^>]*>)\s*(<img [^>]*>)')


def offer_narrow(app, pagename, templatename, context, doctree):
    """Put a source for narrow screens beside every linked image that has a narrow rendering."""

    def offer(match):
        link, target, image = match.groups()
        narrow = f"{target}.narrow.svg"
        if not (Path(app.srcdir) / narrow[narrow.index("_static/") :]).exists():
            return match[0]
        return f'{link}<picture><source media="{MEDIA}" srcset="{narrow}">{image}</picture>'

    if "body" in context:
        context["body"] = PICTURED.sub(offer, context["body"])


def setup(app):
    """Connect the step."""
    app.connect("html-page-context", offer_narrow)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
