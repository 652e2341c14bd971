"""Labelled sets that a bundle is measured on, one file a set; nothing here is trained on.

A set says which concepts its annotators looked for at all, and streams its cases: prepared
windows, the patient, the concepts carried. `embed_set` makes of it what is scored.
"""

from __future__ import annotations

from trainer.datasets.case import Case, LabelledFile, LabelledSet
from trainer.datasets.embedded import EmbeddedSet, Labels, embed_set

__all__ = ["Case", "EmbeddedSet", "LabelledFile", "LabelledSet", "Labels", "embed_set"]
