"""Words of a list that the vocabulary does not know, and that are refused for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ecgscreen.bundle import Bundle
from ecgscreen.diagnoses import Diagnosis
from ecgscreen.label_list_faults import Faults, LineError, Place
from ecgscreen.vocabulary import Vocabulary

MIN_CONCEPT_SIMILARITY = 0.45
"""Free text whose cosine to every ECG concept, in the language model's own space, is lower than
this is refused: a score of it would mean nothing. Measured with all-MiniLM-L6-v2
(`bench.far_text`): 40 English phrasings of ECG findings that the vocabulary does not hold lie at
0.48 and above; of 65 texts that are no ECG finding, medical ones among them, 57 lie below 0.45
(the others up to 0.62: "low voltage cable"). The model reads English: all 10 German findings that
the vocabulary does not hold lie below, and are refused rather than guessed."""

NEAREST_NAMED = 12
"""Texts that are held against every wording of the vocabulary: up to 0.1 s each."""

_NEVER_GUESSED = re.compile(r"[A-Z0-9][A-Z0-9/+_-]{0,7}|\d+|(?i:snomed|aha)\b.*")
"""Abbreviations and codes: a language model has an opinion on them all, and no knowledge."""


def unknown_codes(
    list_name: str, unknown: Sequence[Diagnosis], vocabulary: Vocabulary, faults: Faults
) -> None:
    """Refuse abbreviations and codes: they are never guessed.

    Parameters
    ----------
    list_name
        Name of the list.
    unknown
        Its diagnoses with free texts.
    vocabulary
        Where the three nearest concepts come from.
    faults
        Where each is put.
    """
    for diagnosis in unknown:
        for text, place in _placed(diagnosis):
            if not _NEVER_GUESSED.fullmatch(text):
                continue
            if faults.full:
                faults.n_more += 1
                continue
            nearest = ", ".join(near.name for near in vocabulary.nearest(text, 3))
            faults.add(
                LineError(
                    list_name,
                    place,
                    f"{text!r} is no abbreviation and no code that the vocabulary knows "
                    f"(nearest: {nearest})",
                    "Write the finding out in words: abbreviations are never guessed.",
                )
            )


def without_language_model(
    list_name: str,
    unknown: Sequence[Diagnosis],
    vocabulary: Vocabulary,
    faults: Faults,
    language_model: str = "",
) -> None:
    """Refuse what only a language model can embed, where there is none.

    Parameters
    ----------
    list_name, unknown, vocabulary, faults
        As of `unknown_codes`, which refuses the other texts. A fault is a line of the list.
    language_model
        Name or folder of one that is not on this machine; none if nothing is installed at all.
    """
    way_out = (
        "bring along the language model that the bundle was trained with; it is expected at "
        f"{language_model!r}, and not there."
        if language_model
        else "install the language model for free text: pip install 'ecgscreen[text]'."
    )
    n_nearest = 0
    for diagnosis in unknown:
        placed = [each for each in _placed(diagnosis) if not _NEVER_GUESSED.fullmatch(each[0])]
        if not placed:
            continue
        if faults.full:
            faults.n_more += 1
            continue
        said = []
        for text, _ in placed:
            n_nearest += 1
            near = vocabulary.nearest(text, 3) if n_nearest <= NEAREST_NAMED else ()
            names = ", ".join(concept.name for concept in near)
            said.append(f"{text!r} (nearest: {names})" if names else repr(text))
        faults.add(
            LineError(
                list_name,
                placed[0][1],
                f"not in the vocabulary: {'; '.join(said)}",
                f"Write it in words of the vocabulary, or {way_out}",
            )
        )


def far_texts(
    list_name: str,
    diagnosis: Diagnosis,
    raw: NDArray[np.float32],
    bundle: Bundle,
    vocabulary: Vocabulary,
    faults: Faults,
) -> None:
    """Refuse free texts that lie far from every concept.

    Parameters
    ----------
    list_name, vocabulary, faults
        As of `unknown_codes`, which refuses the other texts.
    diagnosis
        With free texts.
    raw
        float32, shape (T, E): the language model's embeddings of `Diagnosis.all_free_texts`.
    bundle
        Its concepts.
    """
    similarity = raw @ bundle.concept_texts.T
    for (text, place), row in zip(_placed(diagnosis), similarity, strict=True):
        if row.max() < MIN_CONCEPT_SIMILARITY and not _NEVER_GUESSED.fullmatch(text):
            if faults.full:
                faults.n_more += 1
                continue
            # By spelling: far in meaning from all, it is a slip of the pen or no finding.
            nearest = ", ".join(near.name for near in vocabulary.nearest(text, 3))
            faults.add(
                LineError(
                    list_name,
                    place,
                    f"{text!r} lies far from every ECG concept (nearest in spelling: {nearest})",
                    "Name a finding of an ECG in the words of a report, in English unless the "
                    "vocabulary knows it.",
                )
            )


def _placed(diagnosis: Diagnosis) -> Iterator[tuple[str, Place]]:
    return zip(diagnosis.all_free_texts, diagnosis.free_places, strict=True)
