"""Images and text as sequences: data that are split once, recipes of networks that learn them, and gated baselines."""

from cemrnn.sequences.batch import Batch, average_loss, cross_entropy
from cemrnn.sequences.config import SequenceConfig
from cemrnn.sequences.gated import GatedConfig, GatedEnsemble, match_gated
from cemrnn.sequences.images import ImageSet
from cemrnn.sequences.text import TextSet

__all__ = [
    "Batch", "GatedConfig", "GatedEnsemble", "ImageSet", "SequenceConfig", "TextSet", "average_loss", "cross_entropy",
    "match_gated",
]  # fmt: skip
