"""The registry: every task by name, and the two sets of tasks that the figures use."""

from __future__ import annotations

import re

from cemrnn.config import show, unknown_name
from cemrnn.tasks import decide, flipflop, integrate, maps, match, measure_wait_go, respond
from cemrnn.tasks.family import Task

TASKS: dict[str, Task] = {
    **respond.TASKS,
    **decide.TASKS,
    **match.TASKS,
    **integrate.TASKS,
    **flipflop.TASKS,
    **measure_wait_go.TASKS,
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

OWN: set[str] = set()  # names that were registered from outside the package

_ROTATE = re.compile(r"rotate_(\d+)_of_(\d+)")
_MAP = re.compile(r"map_(\d+)_of_(\d+)")


def register_task(name: str, task: Task) -> None:
    """Make a task known by its name, from a notebook or a file of one's own; the same name again replaces it.

    Its networks are found again by the code of its parts, which the store's key covers.

    Args:
        name: letters, digits and underscores.
        task: of a family of ours or of one's own, with a rule of ours or of one's own; ours are in the modules that
            this one imports.

    Raises:
        ValueError: it is no task, the name is none, or the package has it; or its rule reads more or fewer parameters.
    """
    if not isinstance(task, Task):
        raise ValueError(f"task: expected a Task of a family and a rule, got {show(task)}")
    if not str(name).isidentifier():
        raise ValueError(f"name: expected letters, digits and underscores, got {name!r}")
    if name in TASKS and name not in OWN or _ROTATE.fullmatch(name) or _MAP.fullmatch(name):
        raise ValueError(f"name: expected one that no task of the package has, got '{name}'")
    widths = {len(other.parameters) for other in TASKS.values() if other.rule is task.rule}
    if widths and len(task.parameters) not in widths:
        raise ValueError(f"parameters of {name}: expected {min(widths)}, which its rule reads, got {task.parameters}")
    TASKS[name] = task
    OWN.add(name)


def find_task(name: str) -> Task:
    """Task of that name: one of TASKS, "rotate_k_of_K" with k < K, or "map_k_of_S" with any k.

    Raises:
        ValueError: there is no such task; the nearest name is suggested.
    """
    if of_sites := _MAP.fullmatch(name):
        return maps.map_sites(int(of_sites[1]), int(of_sites[2]))
    rotation = _ROTATE.fullmatch(name)
    if rotation and int(rotation[1]) < int(rotation[2]):
        return respond.rotate(int(rotation[1]), int(rotation[2]))
    if name not in TASKS:
        raise ValueError(unknown_name(name, [*TASKS, "rotate_0_of_2", "map_0_of_8"], "task"))
    return TASKS[name]
