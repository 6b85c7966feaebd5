"""Text that somebody typed or that came from a file, in Markdown."""

from __future__ import annotations

import re

SPECIAL = re.compile(r"[\\`*_{}\[\]<>$|&#~^%:@]")


def escape(text: str) -> str:
    """Markdown that shows a text as it is, in a sentence or a cell of a table: no markup, formula, role or control.

    Every run of blanks and control characters is one space.
    """
    plain = re.sub(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+", " ", text)
    return SPECIAL.sub(r"\\\g<0>", plain)
