"""What the first page says and shows: a sentence for each main claim by its verdict, the tally, and one figure."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from cemrnn.figures import style
from cemrnn.figures.result import Result
from cemrnn.figures.shared.frames import TOLD
from cemrnn.reproduce.claims import Claim, number_of, write_effect
from cemrnn.reproduce.documents import read_sections
from cemrnn.reproduce.ledger_page import SIGNS, mark

SENTENCES = "found.yml"  # in the folder of the book: claim -> verdict -> sentence
NO_EVIDENCE = "no evidence"
HERO = "hero.svg"
HERO_FIGURES = ("fig2_ambiguity", "fig3_packing")  # that its panels come from
ARMS = tuple(TOLD)
READINGS = {"units": "equal units", "parameters": "equal parameters"}


def load_sentences(path: Path, claims: list[Claim]) -> dict[str, dict[str, str]]:
    """Claim -> verdict -> sentence of the file; none if there is no such file.

    Raises:
        ValueError: a claim is not among the primary ones, or has no sentence for a verdict; "no evidence" needs none.
    """
    sentences = read_sections(path, "claims") if path.exists() else {}
    primary, wanted = {claim.id for claim in claims if claim.primary}, set(SIGNS) - {NO_EVIDENCE}
    for claim, texts in sentences.items():
        if claim not in primary:
            raise ValueError(f"{path.name}: expected primary claims, got {claim!r}")
        if not wanted <= set(texts) <= set(SIGNS):
            raise ValueError(f"{path.name}: {claim}: expected sentences for {sorted(wanted)}, got {sorted(texts)}")
    return sentences


def describe_found(sentences: Mapping[str, Mapping[str, str]], table: pd.DataFrame, claims: Iterable[Claim]) -> str:
    """HTML list with a sentence, effect, interval and unit for each claim that has sentences, linked to its figure.

    Args:
        sentences: see `load_sentences`.
        table: the ledger that the book goes by, indexed by position.
        claims: those of all figures.
    """
    rows, units = table.set_index("id"), {claim.id: claim.unit for claim in claims}
    items = []
    for claim, texts in sentences.items():
        row = rows.loc[claim]
        told = texts.get(row.verdict, f"No evidence yet: {row.statement}")
        link = f'<a href="{row.figure}.html">figure {number_of(row.figure)}</a>'
        firm = f'<a href="ledger.html#{claim}">{mark(row.verdict)}</a>'
        effect = write_effect(row)
        unit = f' <span class="unit">{html.escape(units[claim])}{_describe_beside(row)},</span>' if effect else ""
        items.append(f"<li>{html.escape(told)} <small>{effect}{unit} {link} {firm}</small></li>")
    return f'<ul class="found">{"".join(items)}</ul>' if items else ""


def _describe_beside(row: pd.Series) -> str:
    """The same measure at the other reading of a network of finite size, if it was taken."""
    if not row.reading or math.isnan(row.other_effect):
        return ""
    (other,) = {*READINGS} - {row.reading}
    return f" (at {READINGS[other]} {row.other_effect:.3f})"


@style.in_style
def draw_hero(results: tuple[Result, Result]) -> style.Figure:
    """Accuracy under noise and accuracy over maps, of both pathways and the two together, at both readings.

    Args:
        results: of figures 2 and 3.
    """
    noise, packing = results
    figure = style.open_figure(4.5, 4.3)
    panels = figure.subplots(2, 2, sharex="row", sharey="row")
    for axes, (reading, name) in zip(panels[0], READINGS.items(), strict=True):
        _draw_noise(axes, noise.tables["curves"], reading)
        axes.set_title(name, fontsize=9)
    for axes, reading in zip(panels[1], READINGS, strict=True):
        _draw_packing(axes, packing, reading)
    panels[0, 0].set_ylabel("accuracy (normalised)")
    panels[1, 0].set_ylabel("accuracy over maps")
    style.add_legend(figure, ARMS)
    return figure


def _draw_noise(axes: Axes, table: pd.DataFrame, reading: str) -> None:
    rows = table[(table["manipulation"] == "noise") & table["arm"].isin(ARMS)]
    both = (rows["arm"] == "combined") & (rows["group"] == "parameters")  # the same at both readings
    style.draw_curves(axes, rows[(rows["group"] == reading) | both], "level", "normalised")
    axes.set_xlabel("noise on the context, σ")


def _draw_packing(axes: Axes, result: Result, reading: str) -> None:
    table, config = result.tables["cells"], result.config
    rows = table[(table["match"] == reading) & (table["n_sites"] == config.n_sites) & table["arm"].isin(ARMS)]
    rows = rows[rows["n_units"] == max(config.units)]
    style.draw_curves(axes, rows, "n_tasks", "accuracy")
    for arm, learning in rows[~rows["counts"].astype(bool)].groupby("arm"):
        look = style.LOOKS[arm]
        hollow = dict(linestyle="none", marker=look.marker, color=look.colour, markerfacecolor="white", zorder=5)
        axes.plot(learning["n_tasks"], learning["accuracy"], **hollow)
    style.use_octaves(axes, config.task_counts)
    axes.set(xlabel="number of random maps, K", ylim=(0, 1.04))


def write_hero(results: tuple[Result | None, Result | None], folder: Path) -> str:
    """Markdown that shows the figure of the first page, which goes to the folder; empty if a result is lacking."""
    if any(result is None for result in results):
        return ""
    (folder / HERO).write_bytes(style.render(draw_hero(results), "svg", "hero"))
    n_units = max(results[1].config.units)
    caption = (
        "Above: accuracy as the context becomes noisier, for networks that never saw noise. "
        f"Below: accuracy as more random maps are packed into {n_units} units, or into as many parameters; "
        "hollow: networks that were still learning, and may hold more. "
        "Bands are 95 % intervals."
    )
    alt = (
        "Four panels with a curve each for excitability, synaptic and combined networks, at equal units and at equal "
        "parameters: accuracy falls as noise grows, and as the number of maps grows."
    )
    return f"```{{figure}} generated/{HERO}\n:alt: {alt}\n{caption}\n```"
