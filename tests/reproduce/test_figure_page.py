"""The page of a figure: its own run is told with every picture that was left, narrow ones beside the wide."""

import nbformat
import pytest

from cemrnn.figures.style import IMAGE_METADATA
from cemrnn.reproduce import figure_page
from cemrnn.reproduce.beside import IN_CAPTION
from cemrnn.reproduce.figure_page import FILES, HOW, OWN, REFERENCE, Telling, arrange, draw_references, tell_own
from cemrnn.reproduce.products import write_products
from cemrnn.reproduce.project import Project
from cemrnn.reproduce.reference import read_reference

ORIGIN = {"stem": "fig1_tiny", "profile": "quick", "n_replicates": 3}


@pytest.mark.parametrize("narrow", [[], ["fig1_tiny.narrow.svg", "fig1_tinyb.narrow.svg"]])
def test_parts_are_those_of_wide_pictures_and_all_pictures_come_along(tmp_path, monkeypatch, narrow):
    monkeypatch.setattr("cemrnn.reproduce.figure_page.describe_line", lambda origin: "from here")
    out, source = tmp_path / "quick", tmp_path / "book"
    (out / "figures").mkdir(parents=True)
    names = [f"fig1_tiny{part}.{kind}" for part in ("", "b") for kind in IMAGE_METADATA] + narrow
    for name in [*names, "fig1_tiny.curves.csv", "fig1_tinyc.svg"]:  # the last was left by an older run
        (out / "figures" / name).write_text(name)
    write_products(out, "fig1_tiny", [(out / "figures" / name).relative_to(out) for name in names])
    told = tell_own(nbformat.v4.new_notebook(), ORIGIN, source, out)
    assert told.parts == ("", "b")
    assert {path.name for path in (source / FILES / OWN).iterdir()} == set(names)


@pytest.mark.parametrize("time", ["It takes 20 s.", ""])
def test_the_time_of_the_notebook_stands_above_its_cells(time):
    make = nbformat.v4
    pictured = make.new_code_cell("show()", metadata={"mystnb": {"figure": {"caption": "What it shows."}}})
    page = make.new_notebook(cells=[make.new_markdown_cell("# Figure"), pictured, make.new_code_cell("run()")])
    telling = Telling(name=OWN, title="Your run", parts=("",), finding="Found.", origin="*here*")
    cells = arrange(page, "fig1_tiny", [telling], "", "", time).cells
    made = next(i for i, cell in enumerate(cells) if cell.source.startswith(HOW))
    assert cells[made].source == f"{HOW}\n{time}".strip()
    assert {cell.cell_type for cell in cells[made + 1 :]} == {"code"}


@pytest.mark.parametrize("both", [frozenset(), frozenset({""})])
def test_the_caption_tells_whose_the_thin_lines_are_where_there_are_some(both):
    make = nbformat.v4
    pictured = make.new_code_cell("show()", metadata={"mystnb": {"figure": {"caption": "What it shows."}}})
    page = make.new_notebook(cells=[make.new_markdown_cell("# Figure"), pictured])
    telling = Telling(name=REFERENCE, title="Reference", parts=("", "b"), finding="Found.", origin="*here*", both=both)
    shown = arrange(page, "fig1_tiny", [telling], "", "", "").cells[1].source
    assert shown.count(IN_CAPTION) == len(both)


def test_several_processes_draw_what_one_does(tmp_path, monkeypatch):
    kept = [read_reference(Project(), stem) for stem in ("fig8_text", "fig12_bandit")]
    monkeypatch.setattr(figure_page, "count_cores", lambda: 2)
    drawn = {}
    for per_process in (1, 3):  # two processes, then this one
        monkeypatch.setattr(figure_page, "FIGURES_PER_PROCESS", per_process)
        source = tmp_path / str(per_process)
        parts = draw_references(kept, {"fig12_bandit": kept[1]}, source)
        assert parts == {"fig8_text": {"": False, "b": False}, "fig12_bandit": {"": True, "b": True}}
        drawn[per_process] = {path.name: path.read_bytes() for path in (source / FILES / REFERENCE).iterdir()}
    assert drawn[1] == drawn[3]
    assert {name.partition(".")[2] for name in drawn[1]} == {"svg", "narrow.svg"}
