"""Tables of the task pages: every task once, numbers of the code."""

import re

import pytest

from cemrnn.reproduce.tables import describe_presets, describe_timings
from cemrnn.tasks import BATTERY, PRESETS


def rows(table):
    """Cells of a Markdown table, without header and rule."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize("preset", PRESETS)
def test_every_task_of_the_battery_is_named_once(preset):
    names = re.findall(r"`(\w+)`", describe_timings(preset))
    assert sorted(names) == sorted(BATTERY)


def test_durations_are_those_of_the_published_settings():
    by_task = {cells[-1]: cells[:-1] for cells in rows(describe_timings("yang"))}
    memory = by_task["`memory_pro`, `memory_anti`"]
    assert memory == ["300, 500, 700", "200, 400, 600", "200, 400, 800, 1600", "", "", "500"]
    assert by_task["`reaction_pro`, `reaction_anti`"][0] == "500 - 2500"


def test_fast_halves_every_duration_of_yang():
    numbers = {
        p: [float(x) for x in re.findall(r"\d+", describe_timings(p).rsplit("\n\n")[0])] for p in ("yang", "fast")
    }
    # Digits in task names are not durations: mod1 and ctx2 stay what they are.
    durations = [(y, f) for y, f in zip(numbers["yang"], numbers["fast"], strict=True) if y >= 100]
    assert len(durations) > 20
    assert all(f == y / 2 for y, f in durations)


def test_presets_have_step_noise_and_coherences():
    table = {cells[0]: cells[1:] for cells in rows(describe_presets())}
    assert set(table) == {f"`{name}`" for name in PRESETS}
    assert table["`driscoll`"] == ["20", "100", "0.1", "0.01, 0.02, 0.04, 0.08", "0.005 - 0.8"]
