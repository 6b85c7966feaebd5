"""Tasks: what they are made of (`family`), which exist (`registry`), and their trials (`stream`)."""

from cemrnn.tasks.planning import conflict_pairs
from cemrnn.tasks.presets import PRESETS
from cemrnn.tasks.registry import BATTERY, CORE_TASKS, TASKS
from cemrnn.tasks.stream import TrialStream
from cemrnn.tasks.taskset import TaskSet
from cemrnn.tasks.trials import Trials

__all__ = ["BATTERY", "CORE_TASKS", "PRESETS", "TASKS", "TaskSet", "TrialStream", "Trials", "conflict_pairs"]
