"""Multitask recurrent networks whose context acts on excitability, on synaptic strength, or on both.

- `tasks`: what networks do, how well, and from which cues; `network`: what they are and how they run.
- `training`, `store`, `sweep`: how they are trained, kept, and trained in numbers.
- `dynamics`, `measures`: where they come to rest, and what is measured on them.
- `figures`, `reproduce`: what is computed, drawn and published for each figure of the book.
"""

from cemrnn.system import startup

__version__ = "0.1.0"

startup.let_idle_threads_sleep()
startup.keep_freed_memory()
