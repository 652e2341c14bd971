"""Labelled recordings put together by hand, for what looks at labels and never at signals."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from ecgscreen.vocabulary import load_vocabulary
from trainer.data import LabelledRecordings


def labelled(
    carried: Sequence[Collection[str]],
    reports: Sequence[str] = (),
    patients: Sequence[str] = (),
    folds: Sequence[int] = (),
) -> LabelledRecordings:
    """Recordings of nothing, a patient and the fold 1 each unless said otherwise.

    Parameters
    ----------
    carried
        Of each recording the concepts, as ids.
    reports, patients, folds
        One each, or none at all.
    """
    ids = tuple(concept.id for concept in load_vocabulary().concepts)
    n = len(carried)
    return LabelledRecordings(
        windows=np.zeros((n, 12, 8), dtype=np.float32),
        lead_mask=np.ones((n, 12), dtype=np.bool_),
        amplitude_known=np.ones(n, dtype=np.bool_),
        concept_ids=ids,
        carried=np.array([[key in one for key in ids] for one in carried]),
        patients=np.array(patients or [f"patient {k}" for k in range(n)]),
        folds=np.array(folds or [1] * n),
        ages=np.full(n, np.nan, dtype=np.float32),
        sexes=np.full(n, np.nan, dtype=np.float32),
        skipped=(),
        reports=tuple(reports),
    )


def concepts_of(recordings: LabelledRecordings, row: int) -> set[str]:
    """Ids of what one recording carries."""
    return set(np.array(recordings.concept_ids)[recordings.carried[row]].tolist())
