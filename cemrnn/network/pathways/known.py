"""The pathways and arms of the package."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from cemrnn.network.pathways.matrix import Matrix, gaussian
from cemrnn.network.pathways.pathway import Look, Pathway, Work, project
from cemrnn.network.pathways.registry import ARMS, PACKAGED, register_arm, register_pathway

INFERRED = ("input", "state")


@register_pathway
class Bias(Pathway):
    """A shift of threshold: beta = e E."""

    name, label, look = "bias", "bias", Look("#56B4E9", "v", "--")
    matrices = {"bias_modulation": Matrix("E", "context", "unit")}
    sets = ("bias",)
    stepped, stepped_with = "bias_modulation", INFERRED

    def drive(self, tensors, modulator):
        return {"bias": project(modulator, tensors["bias_modulation"])}


@register_pathway
class Gain(Pathway):
    """A sensitivity: g = 1 + e G."""

    name, label, look = "gain", "gain", Look("#0072B2", "^", "-.")
    matrices = {"gain_modulation": Matrix("G", "context", "unit")}
    sets = ("gain",)
    stepped, stepped_with = "gain_modulation", INFERRED

    def drive(self, tensors, modulator):
        return {"gain": 1 + project(modulator, tensors["gain_modulation"])}


@register_pathway
class Synaptic(Pathway):
    """Strengths s = q S of synaptic components, which are outer products of columns of V and U.

    They start with strength zero, and with directions of about unit length.
    """

    name, label, look = "synaptic", "synapses", Look("#D55E00", "s", "-")
    matrices = {
        "synaptic_in": Matrix("V", "unit", "component", gaussian),
        "synaptic_out": Matrix("U", "unit", "component", gaussian),
        "strength_modulation": Matrix("S", "context", "component"),
    }
    sets, modulator = ("strength",), "synaptic"
    shared = ("synaptic_in", "synaptic_out")
    stepped, stepped_with = "strength_modulation", ("state",)

    def drive(self, tensors, modulator):
        return {"strength": project(modulator, tensors["strength_modulation"])}

    def work(self, config):
        added = super().work(config)
        return added._replace(products=added.products + 2 * config.n_units * config.rank)

    def modulation(self, tensors):
        """Strengths in units of weights: times the sizes of their components."""
        return super().modulation(tensors) * self.component_sizes(tensors)[:, None]

    @staticmethod
    def component_sizes(tensors) -> Tensor:
        """Sizes (M, R) of the components: |u_r| |v_r|, the Frobenius norm of the weights at strength 1."""
        return (tensors["synaptic_in"].norm(dim=1) * tensors["synaptic_out"].norm(dim=1)).detach()


@register_pathway
class Neuromodulated(Synaptic):
    """Strengths s = sigmoid(q S) between 0 and 1, so that no component changes its sign.

    They start at one half. Source: Costacurta et al. 2024, whose networks have no other recurrent weights, and whose
    strengths are set by a network of their own; ours keep W, and a context sets the strengths.
    """

    name, label, look = "neuromodulated", "neuromodulated", Look("#999933", "<", "--")
    stepped, stepped_with = "", ()

    def drive(self, tensors, modulator):
        strength = project(modulator, tensors["strength_modulation"])
        # In double, because bits of a sigmoid in single precision depend on how many there are.
        return {"strength": strength.double().sigmoid().to(strength.dtype)}

    def modulation(self, tensors):
        """Strengths in units of weights: times the sizes of their components."""
        return tensors["strength_modulation"].detach().sigmoid() * self.component_sizes(tensors)[:, None]


@register_pathway
class Scale(Pathway):
    """One factor on all recurrent weights: kappa = 1 + q k."""

    name, label, look = "scale", "scale", Look("#E69F00", "P", ":")
    matrices = {"scale_modulation": Matrix("k", "context", "one")}
    sets, modulator = ("scale",), "synaptic"
    stepped, stepped_with = "scale_modulation", ("state",)

    def drive(self, tensors, modulator):
        return {"scale": 1 + project(modulator, tensors["scale_modulation"])}


@register_pathway
class Gate(Pathway):
    """A sensitivity of 0 or 1 that is drawn once, and never trained."""

    name, label, look = "gate", "gate", Look("#CC79A7", "X", "--")
    sets = ("gain",)

    def drive(self, tensors, modulator):
        return {"gain": project(modulator, tensors["gate"])}

    def draw_fixed(self, config, generator):
        return {"gate": draw_gate(generator, config.n_contexts, config.n_units, config.gate_fraction_off)}

    def refuse(self, source):
        return "" if source == "cue" else "gates that are drawn at random have to be told which of them to open"

    def work(self, config):
        return Work(products=0, passes=config.n_units, numbers=config.n_units)


def draw_gate(generator: np.random.Generator, n_contexts: int, n_units: int, fraction_off: float) -> np.ndarray:
    """Fixed 0/1 gates (K, N): in every context the same number of units is off, chosen at random.

    Source: context-dependent gating, Masse, Grant & Freedman 2018 (PNAS 115, E10467); there it multiplies
    the unit's activity, here the gain of its input.
    """
    n_off = round(fraction_off * n_units)
    order = generator.permuted(np.tile(np.arange(n_units), (n_contexts, 1)), axis=1)
    return (order >= n_off).astype(np.float32)


# Colours: Okabe & Ito 2008, "Color universal design"; markers and lines carry the same distinction without colour.
register_arm("plain", look=Look("#7F7F7F", "x", ":"))
register_arm("bias", "bias")
register_arm("gain", "gain")
register_arm("excitability", "bias", "gain", look=Look("#009E73", "o", "-"))
register_arm("synaptic", "synaptic")
register_arm("neuromodulated", "neuromodulated")
register_arm("scalar", "scale")
register_arm("gating", "gate")
register_arm("combined", "bias", "gain", "synaptic", look=Look("#000000", "D", "-"))
PACKAGED.update(ARMS)
