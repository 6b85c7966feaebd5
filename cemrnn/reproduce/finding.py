"""The text of a figure's page: its template with the numbers of a result.

`{auc_plain:.2f}` is a scalar of the result, in Python's format; a number that is not finite is shown as –, and a text
as it is, whatever it would mean in Markdown. A table has a row for every arm where the first cell of a row says
`<arm>`, and a column for every arm where its header does; what an arm has no number for is left out. `<model>` stands
for every model in the same way.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from cemrnn.config import unknown_name
from cemrnn.figures import find_figure
from cemrnn.figures.result import FAILED, NONE_FAILED, Result
from cemrnn.reproduce.markdown import escape

TEMPLATE = "finding.md"
FIELD = re.compile(r"\{([a-z]\w*)(?::([^{}]*))?\}")
ANY = re.compile(r"<(arm|model)>")
NONE = "–"


def write_finding(result: Result) -> str:
    """The text of a result's page as Markdown.

    Raises:
        ValueError: the template names a scalar that the result does not have.
    """
    template = (find_figure(result.stem) / TEMPLATE).read_text(encoding="utf-8")
    names = {kind: getattr(result.config, f"{kind}s", ()) for kind in ("arm", "model")}
    text, failed = fill_template(template, result.scalars, names), result.scalars.get(FAILED, NONE_FAILED)
    return text if failed == NONE_FAILED else f"**Failed, with a loss that is not finite:** {escape(failed)}.\n\n{text}"


def fill_template(template: str, scalars: Mapping[str, Any], names: Mapping[str, Sequence[str]]) -> str:
    """A template with its numbers.

    Args:
        template: Markdown; see the head of this module.
        scalars: name -> number or text.
        names: what "arm" and "model" stand for.

    Raises:
        ValueError: a name is that of no scalar, or of none for any arm.
    """
    blocks = re.split(r"\n{2,}", template.strip())
    filled = [_expand_table(block, scalars, names) if block.startswith("|") else block for block in blocks]
    return FIELD.sub(lambda field: _format(field, scalars), "\n\n".join(filled))


def _format(field: re.Match, scalars: Mapping[str, Any]) -> str:
    name, spec = field[1], field[2] or ""
    if name not in scalars:
        raise ValueError(unknown_name(name, scalars, "scalar in the template of the finding:"))
    value = scalars[name]
    if isinstance(value, str):
        return escape(format(value, spec))
    return format(value, spec) if value is not None and math.isfinite(value) else NONE


def _expand_table(block: str, scalars: Mapping[str, Any], names: Mapping[str, Sequence[str]]) -> str:
    table = [[cell.strip() for cell in line.strip("| ").split("|")] for line in block.splitlines()]
    header, rows = table[0], []
    for row in table:
        cells: list[str] = []
        for title, cell in zip(header, row, strict=True):
            kind = ANY.search(title)
            cells += [_name_one(cell, kind, name, scalars) or NONE for name in names[kind[1]]] if kind else [cell]
        line, kind = "|".join(cells), ANY.search(cells[0])
        lines = [_name_one(line, kind, name, scalars) for name in names[kind[1]]] if kind else [line]
        found = [line.split("|") for line in lines]
        if not any(map(any, found)):
            raise ValueError(f"no arm has the numbers of the row {' | '.join(row)}")
        rows += filter(any, found)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _name_one(text: str, kind: re.Match, name: str, scalars: Mapping[str, Any]) -> str:
    """The text for one arm or model; empty if it has none of the text's numbers."""
    text = text.replace(kind[0], name)
    wanted = [field[1] for field in FIELD.finditer(text)]
    return text if not wanted or any(field in scalars for field in wanted) else ""
