"""The text of a page: numbers filled in strictly, tables with a row or a column for every arm."""

import math

import pytest
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.myst_role import myst_role_plugin

from cemrnn.reproduce.finding import fill_template
from cemrnn.reproduce.markdown import escape

SCALARS = {"auc_bias": 0.512, "auc_gain": math.nan, "n": 3, "size_bias": 2, "name": "GRU", "none": None}
NAMES = {"arm": ("bias", "gain"), "model": ("gru",)}


def fill(template):
    return fill_template(template, SCALARS, NAMES)


def test_fields_have_the_numbers_of_the_result_in_their_format():
    assert fill("It is {auc_bias:.2f} of {n:d} by {name}.") == "It is 0.51 of 3 by GRU."
    assert fill("{auc_gain:.2f} and {none:d}") == "– and –"


def test_braces_that_are_no_fields_stay():
    assert fill(r"$\sigma_{75}$, $e^{-t}$") == r"$\sigma_{75}$, $e^{-t}$"


def test_an_unknown_name_is_an_error():
    with pytest.raises(ValueError, match="finding: 'auc_bia'; did you mean 'auc_bias'"):
        fill("{auc_bia:.2f}")
    with pytest.raises(ValueError, match="no arm has the numbers of the row"):
        fill("| arm | x |\n|---|---|\n| <arm> | {acu_<arm>} |")


def test_a_row_for_every_arm_that_has_its_numbers():
    table = "| arm | area |\n|---|---:|\n| `<arm>` | {auc_<arm>:.1f} |\n| all | {n} |"
    expected = "| arm | area |\n| --- | ---: |\n| `bias` | 0.5 |\n| `gain` | – |\n| all | 3 |"
    assert fill(table) == expected
    assert fill("| arm | size |\n|---|---|\n| <arm> | {size_<arm>} |").splitlines()[2:] == ["| bias | 2 |"]


def test_a_column_for_every_arm():
    table = "| measure | <arm> |\n|---|---:|\n| area | {auc_<arm>:.1f} |\n| size | {size_<arm>} |"
    expected = ["| measure | bias | gain |", "| --- | ---: | ---: |", "| area | 0.5 | – |", "| size | 2 | – |"]
    assert fill(table).splitlines() == expected


@pytest.mark.parametrize(
    "text", ["$x$ and $$y$$", "{glue}`x`", "`code` **b** _u_", "<b>&amp;</b>", "a | b", "[l](u)", "\\$"]
)
def test_a_text_of_the_result_is_told_as_it_is_whatever_it_looks_like(text):
    filled = fill_template("It read {text}, all of it.", {"text": text}, NAMES)
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").use(dollarmath_plugin).use(myst_role_plugin)
    (inline,) = [token for token in tokens.parse(filled) if token.type == "inline"]
    assert {token.type for token in inline.children} <= {"text", "text_special"}
    assert "".join(token.content for token in inline.children) == f"It read {text}, all of it."
    row = fill_template("| a | b |\n|---|---|\n| {text} | 1 |", {"text": text}, NAMES)
    cells = [token for token in tokens.parse(row) if token.type == "td_open"]
    assert len(cells) == 2


def test_control_characters_and_lines_are_blanks():
    assert escape("a\x00b\nc\u2028d\x1b e") == "a b c d e"
