"""How to cite the software and the paper that it accompanies: BibTeX from CITATION.cff, which says it once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cemrnn.reproduce.documents import read_yaml

ARXIV = re.compile(r"arXiv:(\S+)")


def write_citation(path: Path) -> str:
    """Markdown with an entry of BibTeX for the software, and one for each work that it refers to.

    Args:
        path: CITATION.cff.
    """
    software = read_yaml(path)
    works = [*software.get("references", []), software]
    return "\n".join(f"```bibtex\n{to_bibtex(work)}\n```\n" for work in works)


def to_bibtex(work: Mapping[str, Any]) -> str:
    """One entry of BibTeX.

    Args:
        work: as CITATION.cff describes it: type, title and authors, and what else there is of version, year and url.
    """
    fields = {"author": " and ".join(map(_name, work["authors"])), "title": f"{{{work['title']}}}"}
    fields |= {
        name: str(work[name]) for name in ("journal", "version", "year", "license", "doi", "url") if name in work
    }
    if numbers := [ARXIV.search(entry["value"]) for entry in work.get("identifiers", [])]:
        fields |= {"eprint": numbers[0][1], "archiveprefix": "arXiv"} if numbers[0] else {}
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    kind = "software" if work["type"] == "software" else "article" if "journal" in work else "misc"
    return f"@{kind}{{{_key(work)},\n{lines}\n}}"


def _name(author: Mapping[str, str]) -> str:
    """Family and given name; a group in braces, so that it is not taken for a person."""
    return f"{{{author['name']}}}" if "name" in author else f"{author['family-names']}, {author['given-names']}"


def _key(work: Mapping[str, Any]) -> str:
    """The first author and the year, or the first word of the title where no person wrote it."""
    first = work["authors"][0]
    return re.sub(r"\W", "", first.get("family-names", work["title"].split()[0]).lower()) + str(work.get("year", ""))
