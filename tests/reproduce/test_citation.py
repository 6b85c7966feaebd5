"""BibTeX of CITATION.cff: read by another library, it says the same."""

from pathlib import Path

import pytest
import yaml
from pybtex.database import parse_string

from cemrnn.reproduce.citation import to_bibtex, write_citation

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def entries():
    text = write_citation(ROOT / "CITATION.cff")
    return parse_string("\n".join(line for line in text.splitlines() if not line.startswith("```")), "bibtex").entries


def test_the_paper_and_the_software_are_those_of_the_file(entries):
    said = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    paper, software = entries["vedovati2024"], entries["cemrnn"]
    assert [str(person) for person in paper.persons["author"]] == ["Vedovati, Giacomo", "Ching, ShiNung"]
    assert paper.fields["eprint"] == "2408.01316" and paper.fields["url"] == said["references"][0]["url"]
    assert software.type == "software" and software.fields["version"] == said["version"]
    assert len(entries) == 2 and paper.type == "misc"  # it has no journal


def test_a_group_is_no_person(entries):
    (group,) = entries["cemrnn"].persons["author"]
    assert group.first_names == [] and group.last_names == ["{The cemrnn authors}"]


def test_the_paper_is_cited_as_in_the_bibliography(entries):
    ours = parse_string((ROOT / "book" / "references.bib").read_text(encoding="utf-8"), "bibtex").entries
    paper, listed = entries["vedovati2024"], ours["vedovati2024"]
    assert paper.persons["author"] == listed.persons["author"] and paper.fields["year"] == listed.fields["year"]
    assert paper.fields["title"].strip("{}") == listed.fields["title"]


def test_a_work_without_year_or_number_is_an_entry_too():
    text = to_bibtex(
        {"type": "dataset", "title": "Some data", "authors": [{"family-names": "Doe", "given-names": "A"}]}
    )
    assert text == "@misc{doe,\n  author = {Doe, A},\n  title = {{Some data}}\n}"
