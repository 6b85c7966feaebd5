"""What the ledger of the book says about scalars that were made up, for tests of the measures that it judges."""

import json
from pathlib import Path

import pandas as pd

from cemrnn.figures import list_figures
from cemrnn.reproduce.claims import ledger, load_claims

CLAIMS = load_claims(list_figures())


def judge_result(result, folder: Path) -> pd.DataFrame:
    """Rows of the ledger about the result's figure, by the id of the claim."""
    (folder / f"{result.stem}.json").write_text(json.dumps(result.scalars, default=float))
    table = ledger(folder, CLAIMS)
    return table[table["figure"] == result.stem].set_index("id")
