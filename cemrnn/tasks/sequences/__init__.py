"""Images and text as sequences: data that are split once."""

from cemrnn.tasks.sequences.batch import Batch, average_loss, cross_entropy
from cemrnn.tasks.sequences.images import ImageSet
from cemrnn.tasks.sequences.text import TextSet

__all__ = ["Batch", "ImageSet", "TextSet", "average_loss", "cross_entropy"]
