"""The registry: every task by name, and the two sets of tasks that the figures use."""

from __future__ import annotations

import re

from cemrnn.config import unknown_name
from cemrnn.tasks import decide, flipflop, integrate, match, respond
from cemrnn.tasks.family import Task

TASKS: dict[str, Task] = {
    **respond.TASKS,
    **decide.TASKS,
    **match.TASKS,
    **integrate.TASKS,
    **flipflop.TASKS,
}

# The 20 tasks of Yang et al. 2019.
BATTERY: tuple[str, ...] = (*respond.TASKS, *decide.TASKS, *match.TASKS)

# Eight tasks that a network of 64 units learns within minutes, with three pairs that only the context tells apart.
CORE_TASKS: tuple[str, ...] = (
    "memory_pro",
    "memory_anti",
    "decide_mod1_sequential",
    "decide_mod2_sequential",
    "decide_ctx1_sequential",
    "decide_ctx2_sequential",
    "match_location_go",
    "match_location_nogo",
)

_ROTATE = re.compile(r"rotate_(\d+)_of_(\d+)")


def find_task(name: str) -> Task:
    """Task of that name: one of TASKS, or "rotate_k_of_K" with k < K.

    Raises:
        ValueError: there is no such task; the nearest name is suggested.
    """
    rotation = _ROTATE.fullmatch(name)
    if rotation and int(rotation[1]) < int(rotation[2]):
        return respond.rotate(int(rotation[1]), int(rotation[2]))
    if name not in TASKS:
        raise ValueError(unknown_name(name, [*TASKS, "rotate_0_of_2"], "task"))
    return TASKS[name]
