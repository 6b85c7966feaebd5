"""Multitask recurrent networks whose context acts on excitability, on synaptic strength, or on both."""

__version__ = "0.1.0"
