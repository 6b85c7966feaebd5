"""Tasks: what they are made of (`family`), which exist (`registry`), and their trials (`stream`)."""

from cemrnn.tasks.family import Family, Stimuli, Task, Window
from cemrnn.tasks.own import OwnTasks
from cemrnn.tasks.planning import conflict_pairs
from cemrnn.tasks.presets import PRESETS, between, choice
from cemrnn.tasks.registry import BATTERY, CORE_TASKS, TASKS, register_task
from cemrnn.tasks.stream import TrialStream, open_stream
from cemrnn.tasks.taskset import TaskSet
from cemrnn.tasks.trials import Trials

__all__ = [
    "BATTERY", "CORE_TASKS", "PRESETS", "TASKS", "Family", "OwnTasks", "Stimuli", "Task", "TaskSet", "TrialStream",
    "Trials", "Window", "between", "choice", "conflict_pairs", "open_stream", "register_task",
]  # fmt: skip
