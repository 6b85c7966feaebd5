"""What an experiment returns: tables to plot and to download, scalars for the prose and the ledger."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from cemrnn.config import Config

Tables = dict[str, pd.DataFrame]  # by name
Scalars = dict[str, float | int | str | list]  # by name; a list of estimates from halves of the replicates
FAILED = "networks_failed"  # scalar of every result: which networks had a loss that was not finite
NONE_FAILED = "none"
MEASURED = "measured"  # in a file of results: names of the scalars that differ from run to run


@dataclass(frozen=True, kw_only=True)
class Result:
    """One experiment's outcome."""

    stem: str  # name shared by notebook, figure and files
    config: Config  # what it was computed from
    tables: Tables  # long tables; the figure plots these and nothing else
    scalars: Scalars  # numbers and texts; those of a measure come with `_low`, `_high` and `_n`
    n_replicates: int  # networks per condition
    seconds: float  # wall time of the computation, training included if it was not in the store
    measured: tuple[str, ...] = ()  # scalars that rest on times or sizes of this machine, and differ from run to run
