"""Labels for recordings without codes: the statements that their reports' text gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ecgscreen.vocabulary import Vocabulary
from trainer.data import LabelledRecordings, select
from trainer.reports import statements_from_report


def recordings_from_reports(
    recordings: LabelledRecordings, vocabulary: Vocabulary, *, conventions: bool = False
) -> LabelledRecordings:
    """The recordings whose reports name a finding, labelled by these findings alone.

    Whatever the recordings carried before is not looked at. A recording without a report, or of
    whose report nothing is understood, is left out: of it nothing is known, it is no negative.

    Parameters
    ----------
    recordings
        With their reports.
    vocabulary
        The one that the recordings were loaded with.
    conventions
        Whether PTB-XL's conventions of coding are applied to what is read. They were drawn from
        PTB-XL's codes: with them a training is no longer one from report text alone, and
        another site may code otherwise. Hence off.

    Returns
    -------
    Those of the N recordings with a statement, in their order.
    """
    column = {concept.id: k for k, concept in enumerate(vocabulary.concepts)}
    # Short reports repeat themselves many times over.
    read = {
        report: _labels(report, column, conventions=conventions)
        for report in set(recordings.reports)
    }
    carried = np.zeros((len(recordings.windows), len(column)), dtype=np.bool_)
    for row, report in enumerate(recordings.reports):
        carried[row] = read[report]
    labelled = replace(recordings, concept_ids=tuple(column), carried=carried)
    return select(labelled, np.flatnonzero(carried.any(axis=1)))


def _labels(report: str, column: dict[str, int], *, conventions: bool) -> NDArray[np.bool_]:
    labels = np.zeros(len(column), dtype=np.bool_)
    if report.strip():
        found = statements_from_report(report, conventions=conventions)
        labels[[column[concept_id] for concept_id in found]] = True
    return labels
