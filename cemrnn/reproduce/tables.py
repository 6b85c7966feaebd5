"""Tables of the task pages, written from the code, so that the book cannot say anything else."""

from __future__ import annotations

from cemrnn.tasks.family import EPOCHS, Family
from cemrnn.tasks.presets import PRESETS, Span
from cemrnn.tasks.registry import BATTERY, find_task


def describe_presets() -> str:
    """Markdown table with a row per preset: steps, noise, coherences, and what the modalities differ by in `multi`."""
    header = "| preset | step (ms) | τ (ms) | σₓ | σ of the cue | coherence, simultaneous | sequential | `multi` |"
    rows = [
        f"| `{name}` | {p.dt_ms:g} | {p.tau_ms:g} | {p.sigma_x:g} | {p.sigma_cue:g} "
        f"| {_describe(p.coherence_simultaneous)} | {_describe(p.coherence_sequential)} "
        f"| {_describe(p.multi_difference) if p.multi_difference else 'as `ctx`'} |"
        for name, p in PRESETS.items()
    ]
    return "\n".join([header, "|---|---:|---:|---:|---:|---|---|---|", *rows])


def describe_timings(preset: str) -> str:
    """Markdown table of epoch durations in ms: a row per timing, with the battery's tasks that share it."""
    settings = PRESETS[preset]
    rows: dict[tuple[str, ...], list[str]] = {}
    for name in BATTERY:
        rows.setdefault(_durations(find_task(name).family, preset), []).append(f"`{name}`")
    header = f"| {' | '.join(EPOCHS)} | tasks |"
    lines = [f"| {' | '.join(durations)} | {', '.join(names)} |" for durations, names in rows.items()]
    note = (
        f"One step is {settings.dt_ms:g} ms, and durations are {'cut' if settings.truncates else 'rounded'} to steps."
    )
    return "\n".join([header, "|---" * (len(EPOCHS) + 1) + "|", *lines, "", note])


def _durations(family: Family, preset: str) -> tuple[str, ...]:
    settings = PRESETS[preset]
    spans = family.durations_ms(settings)
    return tuple(_describe(spans[epoch], settings.stretch) if epoch in spans else "" for epoch in EPOCHS)


def _describe(span: Span, factor: float = 1.0) -> str:
    return (" - " if span.continuous else ", ").join(f"{factor * value:g}" for value in span.values)
