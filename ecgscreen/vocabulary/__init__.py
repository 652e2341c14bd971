"""ECG concepts: names, English and German wordings, SCP-ECG, AHA and SNOMED CT codes.

The table is the TOML files of this package, in the order of `table.FILES`. It says what a
word means; what a model has seen in training is the bundle's business.

    vocabulary = load_vocabulary()
    vocabulary.find("Vorhofflimmern").id           # "AFIB"
    vocabulary.concepts_of(["AFIB", "LVH"])        # statements and their groups
"""

from __future__ import annotations

from ecgscreen.vocabulary.concept import Concept
from ecgscreen.vocabulary.folding import fold
from ecgscreen.vocabulary.lookup import Vocabulary, load_vocabulary

__all__ = ["Concept", "Vocabulary", "fold", "load_vocabulary"]
