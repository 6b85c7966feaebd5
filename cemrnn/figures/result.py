"""What an experiment returns: tables to plot and to download, scalars for the prose and the ledger."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from cemrnn.config import Config


@dataclass(frozen=True, kw_only=True)
class Result:
    """One experiment's outcome.

    Attributes:
        stem: name shared by notebook, figure and files.
        config: what it was computed from.
        tables: name -> long table; the figure plots these and nothing else.
        scalars: name -> number or text; those of a measure come with `_low`, `_high` and `_n`.
        n_replicates: networks per condition.
        seconds: wall time of the computation, training included if it was not in the store.
    """

    stem: str
    config: Config
    tables: dict[str, pd.DataFrame]
    scalars: dict[str, float | int | str]
    n_replicates: int
    seconds: float
