"""Pathways: how a context becomes a shift of threshold, a sensitivity, or synaptic strengths; arms: sets of them.

A `Pathway` owns all that is known of it, and nothing else asks for its name. `register_pathway` and `register_arm`
add one, from a file of this folder or from a notebook.
"""

from cemrnn.network.pathways.known import draw_gate
from cemrnn.network.pathways.matrix import Matrix, gaussian, zeros
from cemrnn.network.pathways.modulation import Told, combine, low_pass, modulate
from cemrnn.network.pathways.pathway import Look, Pathway, Work, project
from cemrnn.network.pathways.registry import ARMS, PATHWAYS, Arm, foreign_code, register_arm, register_pathway

__all__ = [
    "ARMS",
    "PATHWAYS",
    "Arm",
    "Look",
    "Matrix",
    "Pathway",
    "Told",
    "Work",
    "combine",
    "draw_gate",
    "foreign_code",
    "gaussian",
    "low_pass",
    "modulate",
    "project",
    "register_arm",
    "register_pathway",
    "zeros",
]
