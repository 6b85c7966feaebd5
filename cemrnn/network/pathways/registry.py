"""Which pathways and arms there are, and what makes an arm of several pathways."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from cemrnn.config import digest, show, unknown_name
from cemrnn.network.pathways.matrix import CORE, ENCODER, STATE_ENCODER, Matrix
from cemrnn.network.pathways.pathway import JOINED, Look, Pathway
from cemrnn.system.source import code_of

P = TypeVar("P", bound=type[Pathway])
PATHWAYS: dict[str, Pathway] = {}
ARMS: dict[str, Arm] = {}
PACKAGED: set[str] = set()  # arms whose code is that of the package
# Weights that the engine takes beside those of every network: those that it steps with what they set, and the others.
STEPPED = {f"{name}_modulation": name for name in ("bias", "gain", "strength", "scale")}
SHARED = ("synaptic_in", "synaptic_out")
# What figures call something else: models, and ends of the names of results.
RESERVED = re.compile(r"separate|gru|lstm|\w+_(low|high|n|first|second)")


@dataclass(frozen=True)
class Arm:
    """What context reaches: pathways that act together.

    Attributes:
        name: in configs and in figures.
        pathways: in the order of their parameters; none for a network that no context reaches.
        look: in figures.
    """

    name: str
    pathways: tuple[Pathway, ...]
    look: Look

    @property
    def matrices(self) -> dict[str, Matrix]:
        """Trained tensors of all pathways."""
        return {name: matrix for pathway in self.pathways for name, matrix in pathway.matrices.items()}

    @property
    def learned(self) -> dict[str, Pathway]:
        """The pathways whose modulation is learned, by their names."""
        return {pathway.name: pathway for pathway in self.pathways if pathway.learned}

    @property
    def with_components(self) -> Pathway | None:
        """The pathway that has synaptic components."""
        return next((pathway for pathway in self.pathways if pathway.has_components), None)

    @property
    def sized_by(self) -> str:
        """Field of the config by which it meets a budget: the rank where a pathway has one, else the units."""
        return "rank" if any(pathway.sized_by == "rank" for pathway in self.pathways) else "n_units"

    def rank_of(self, rank: int) -> int:
        """The rank that a network of this arm has where others have the one given: the same, or 0."""
        return rank if self.with_components else 0

    def stepped(self, source: str) -> list[Pathway]:
        """Pathways whose part the engine makes step by step from the modulator, with a context from this source.

        The engine has one modulator, and one way to set a gain: where another pathway has a say in the same, what
        both set is joined before the trial.
        """
        found = [pathway for pathway in self.pathways if source in pathway.stepped_with]
        if source == "state":
            return found
        shared = [name for name in JOINED if sum(name in pathway.sets for pathway in self.pathways) > 1]
        return [p for p in found if p.modulator == found[0].modulator and not set(p.sets) & set(shared)]

    def engine_weights(self, source: str) -> list[str]:
        """Trained tensors that are weights of the engine, with a context from this source."""
        return [name for p in self.pathways for name in p.shared] + [p.stepped for p in self.stepped(source)]


def register_pathway(kind: P) -> P:
    """The class of a pathway, which arms can contain from now on.

    Raises:
        ValueError: it is no class of a pathway, sets what the engine does not know, has weights that the engine does
            not use, its code cannot be read (it has to stand in a file or in a notebook, because it is part of the key
            of each network), or another pathway has its name.
    """
    _check_members(kind)
    if unknown := set(kind.sets) - JOINED.keys():
        raise ValueError(
            f"sets of the pathway {kind.name}: expected some of {', '.join(JOINED)}, which the engine can vary with "
            f"the context, got {', '.join(sorted(unknown))}"
        )
    _check_engine(kind)
    _keep(PATHWAYS, "pathway", kind.name, kind(), lambda pathway: code_of(type(pathway)))
    return kind


def _check_members(kind: Any) -> None:
    """Refuse what is no class of a pathway, or one that lacks what a pathway has to say."""
    if not isinstance(kind, type) or not issubclass(kind, Pathway):
        raise ValueError(f"kind: expected a subclass of cemrnn.Pathway, got {show(kind)}")
    for name, of in {"name": str, "label": str, "look": Look, "matrices": Mapping, "sets": tuple}.items():
        value = getattr(kind, name, None)
        if not isinstance(value, of) or (not value and name != "matrices"):
            raise ValueError(f"{name} of the pathway {kind.__name__}: expected a {of.__name__}, got {show(value)}")
    for name, matrix in kind.matrices.items():
        if not isinstance(matrix, Matrix):
            raise ValueError(f"{name} of the pathway {kind.name}: expected a Matrix, got {show(matrix)}")


def _check_engine(kind: type[Pathway]) -> None:
    """Refuse weights that the engine would leave out without a word, or not know."""
    if unknown := set(kind.shared) - {*SHARED}:
        raise ValueError(
            f"shared of the pathway {kind.name}: expected some of {', '.join(SHARED)}, got {', '.join(sorted(unknown))}"
            f"; a context can act on {', '.join(JOINED)}, and on nothing else such as the readout"
        )
    learned = [name for name, matrix in kind.matrices.items() if matrix.rows == "context"]
    if kind.stepped and (learned != [kind.stepped] or kind.sets != (STEPPED.get(kind.stepped),)):
        raise ValueError(
            f'stepped of the pathway {kind.name}: expected "", or the only tensor that it learns, one of '
            f"{', '.join(STEPPED)}, and to set what that sets; got {kind.stepped!r}, learned {', '.join(learned)}"
        )


def register_arm(name: str, *pathways: str, look: Look | None = None) -> Arm:
    """A new arm of registered pathways, which every config and figure can name from now on.

    Args:
        name: an identifier, because results are named after it.
        pathways: names in PATHWAYS; where several set the same, shifts add up and gains multiply.
        look: in figures; None for that of its only pathway.

    Raises:
        ValueError: a pathway is unknown, two cannot be joined, or another arm has the name or the colour.
    """
    for pathway in pathways:
        if pathway not in PATHWAYS:
            raise ValueError(unknown_name(pathway, PATHWAYS, "pathway"))
    if not str(name).isidentifier() or RESERVED.fullmatch(name):
        own = "that is none of separate, gru, lstm and does not end in _low, _high, _n, _first or _second"
        raise ValueError(f"name: expected an identifier, such as input_gain, {own}, got {name!r}")
    if len(set(pathways)) < len(pathways):
        raise ValueError(f"pathways of the arm {name}: expected each once, got {', '.join(pathways)}")
    if not isinstance(look, Look | None):
        raise ValueError(f"look of the arm {name}: expected a Look, got {show(look)}")
    if look is None and len(pathways) != 1:
        raise ValueError(f"look of the arm {name}: expected one, because it has {len(pathways)} pathways")
    chosen = tuple(PATHWAYS[pathway] for pathway in pathways)
    _check_together(name, chosen)
    arm = Arm(name, chosen, look or chosen[0].look)
    if others := [other.name for other in ARMS.values() if other.look.colour == arm.look.colour and other.name != name]:
        raise ValueError(f"look of the arm {name}: expected a colour of its own, got that of {others[0]}")
    _keep(ARMS, "arm", name, arm, _code_of_arm)
    return ARMS[name]


def foreign_code(arm: str) -> str:
    """Digest of the code of an arm that was registered from outside the package; empty for an arm of the package."""
    return "" if arm in PACKAGED or arm not in ARMS else digest(_code_of_arm(ARMS[arm]))


def _code_of_arm(arm: Arm) -> dict[str, str]:
    return {pathway.name: code_of(type(pathway)) for pathway in arm.pathways}


def _keep(registry: dict, what: str, name: str, new, code) -> None:
    if name in registry and code(registry[name]) != code(new):
        raise ValueError(
            f"{what} {name}: expected a new name, or the code that was registered before; to replace that, "
            f"del cemrnn.network.pathways.{what.upper()}S[{name!r}]"
        )
    registry[name] = new


def _check_together(arm: str, pathways: tuple[Pathway, ...]) -> None:
    owned = [("the network", _names(CORE | ENCODER | STATE_ENCODER))]
    owned += [(p.name, _names(p.matrices) | {name for name in p.sets if JOINED[name] is None}) for p in pathways]
    for (first, of_first), (second, of_second) in itertools.combinations(owned, 2):
        if both := of_first & of_second:
            raise ValueError(
                f"arm {arm}: expected pathways that can act together, got {first} and {second}, which both have "
                f"{', '.join(sorted(both))}"
            )


def _names(matrices: Mapping[str, Matrix]) -> set[str]:
    """Names and letters."""
    return {*matrices, *(matrix.letter for matrix in matrices.values())}
