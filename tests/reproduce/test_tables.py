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


def test_fast_halves_every_duration_of_yang_but_the_response_of_the_category_tasks():
    yang, fast = (
        {task: cells for cells in rows(describe_timings(p)) for task in re.findall(r"`(\w+)`", cells[-1])}
        for p in ("yang", "fast")
    )
    for task, cells in yang.items():
        for epoch, (whole, half) in enumerate(zip(cells[:-1], fast[task][:-1], strict=True)):
            halved = [float(x) / 2 for x in re.findall(r"\d+", whole)]
            if "category" in task and epoch == 5:
                assert (whole, half) == ("200, 400, 600", "250")
            else:
                assert [float(x) for x in re.findall(r"\d+", half)] == halved


def test_presets_have_step_noise_and_coherences():
    table = {cells[0]: cells[1:] for cells in rows(describe_presets())}
    assert set(table) == {f"`{name}`" for name in PRESETS}
    assert table["`driscoll`"] == ["20", "100", "0.1", "0.1", "0.01, 0.02, 0.04, 0.08"] + ["0.005 - 0.8"] * 2
    assert table["`fast`"][3::3] == ["0", "as `ctx`"]
