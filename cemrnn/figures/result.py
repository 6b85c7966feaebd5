"""What an experiment returns: tables to plot and to download, scalars for the prose and the ledger."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from cemrnn.config import Config

Tables = dict[str, pd.DataFrame]  # by name
Scalars = dict[str, float | int | str]  # by name
FAILED = "networks_failed"  # scalar of every result: which networks had a loss that was not finite
NONE_FAILED = "none"
MEASURED = "measured"  # in a file of results: names of the scalars that differ from run to run


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
        measured: names of the scalars that rest on times or sizes of this machine, and differ from run to run.
    """

    stem: str
    config: Config
    tables: Tables
    scalars: Scalars
    n_replicates: int
    seconds: float
    measured: tuple[str, ...] = ()
