"""Training without a diagnosis, so that it can be measured as an unseen one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ecgscreen.errors import UsageError
from ecgscreen.vocabulary import Vocabulary
from trainer.data import LabelledRecordings
from trainer.reports import findings


def without_concepts(
    recordings: LabelledRecordings, vocabulary: Vocabulary, concept_ids: Sequence[str]
) -> LabelledRecordings:
    """The same recordings, none of which is said to carry these concepts.

    What goes: the concepts themselves, and what would stand for them (`stand_ins`). A recording
    that carries one of them stays, with its other statements. Its report says what must not be
    seen, and is emptied; so is every report that names it, denied or not.

    Parameters
    ----------
    recordings
        To train on; scores of an unseen concept need the recordings as they were.
    vocabulary
        Has the concepts.
    concept_ids
        Such as ``["AFIB"]``.

    Raises
    ------
    UsageError
        If an id is not in the vocabulary.
    """
    left_out = {*concept_ids, *stand_ins(recordings, vocabulary, concept_ids)}
    columns = [k for k, key in enumerate(recordings.concept_ids) if key in left_out]
    carriers = set(np.flatnonzero(recordings.carried[:, columns].any(axis=1)).tolist())
    carried = recordings.carried.copy()
    carried[:, columns] = False
    reports = tuple(
        "" if row in carriers or (report and _names(report, left_out)) else report
        for row, report in enumerate(recordings.reports)
    )
    return replace(recordings, carried=carried, reports=reports)


def stand_ins(
    recordings: LabelledRecordings, vocabulary: Vocabulary, concept_ids: Sequence[str]
) -> tuple[str, ...]:
    """Other concepts whose texts would give one of these away.

    A group (or any concept that is no statement) stands for another concept when more than half
    of its positives among the recordings carry that other one: "atrial fibrillation or flutter"
    for atrial fibrillation. Of a group that is left out itself, every member names it.

    Raises
    ------
    UsageError
        If an id is not in the vocabulary.
    """
    if unknown := [key for key in concept_ids if key not in vocabulary.by_id]:
        nearest = ", ".join(concept.id for concept in vocabulary.nearest(unknown[0]))
        raise UsageError(f"{unknown[0]!r} is no concept's id", f"The nearest are {nearest}.")
    column = {key: k for k, key in enumerate(recordings.concept_ids)}
    found = {member for key in concept_ids for member in vocabulary.by_id[key].members}
    for concept in vocabulary.concepts:
        positives = recordings.carried[np.flatnonzero(recordings.carried[:, column[concept.id]])]
        if concept.kind != "statement" and len(positives):
            shares = positives[:, [column[key] for key in concept_ids]].mean(axis=0)
            if (shares > 0.5).any():
                found.add(concept.id)
    return tuple(c.id for c in vocabulary.concepts if c.id in found - set(concept_ids))


def _names(report: str, concept_ids: set[str]) -> bool:
    return any(finding.concept_id in concept_ids for finding in findings(report))
