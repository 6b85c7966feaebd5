"""Multitask recurrent networks whose context acts on excitability, on synaptic strength, or on both.

- `tasks`, `metrics`: what networks do, and how well.
- `modulation`, `recurrence`, `model`, `budget`: what they are.
- `training`, `store`, `sweep`: how they are trained, kept, and trained in numbers.
- `robustness`, `observer`, `intervals`, `claims`: what is measured, and what follows.
- `flow`, `fixed_points`: where the dynamics come to rest under a constant context, and how stable it is there.
- `experiments`, `figures`, `reproduce`: what is computed, drawn and published for each figure of the book.
"""

from cemrnn import process

__version__ = "0.1.0"

process.let_idle_threads_sleep()
process.keep_freed_memory()
