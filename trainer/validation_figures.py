"""What a bundle says of its validation fold: operating points, and a figure a task; numpy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecgscreen.calibration import OperatingPoint
from ecgscreen.vocabulary import Vocabulary
from ecgscreen.vocabulary.concept import TASKS
from trainer.metrics import best_f1_threshold, macro_auc, measurable
from trainer.platt import MIN_POSITIVES_TO_LEARN


def operating_points(
    scores: NDArray[np.float32],
    carried: NDArray[np.bool_],
    concept_ids: Sequence[str],
    seen: set[str],
) -> dict[str, OperatingPoint]:
    """The largest F1, for seen concepts with enough positives.

    Parameters
    ----------
    scores, carried
        Shape (n, K), of the validation recordings.
    concept_ids
        The K concepts.
    seen
        Those that occurred in training.
    """
    return {
        concept: OperatingPoint(
            threshold=best_f1_threshold(scores[:, k], carried[:, k])[0],
            n_positive=int(carried[:, k].sum()),
            n=len(scores),
            criterion="largest F1",
        )
        for k, concept in enumerate(concept_ids)
        if concept in seen and carried[:, k].sum() >= MIN_POSITIVES_TO_LEARN
    }


def task_macro_aucs(
    scores: NDArray[np.float32],
    carried: NDArray[np.bool_],
    concept_ids: Sequence[str],
    vocabulary: Vocabulary,
) -> dict[str, float]:
    """Macro AUC of each task of PTB-XL that has a measurable class, rounded to four digits."""
    enough = measurable(carried)
    tasks = {
        task: [
            k
            for k, c in enumerate(concept_ids)
            if enough[k] and c in {concept.id for concept in vocabulary.task(task)}
        ]
        for task in TASKS
    }
    return {
        task: round(macro_auc(scores[:, columns], carried[:, columns]), 4)
        for task, columns in tasks.items()
        if columns
    }
