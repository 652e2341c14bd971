"""Which class each case was given instead of its own: the matrix, and its figures; numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainer.metrics import ConfusionFigures


def confusion_matrix(
    truth: NDArray[np.integer], given: NDArray[np.integer], n_classes: int
) -> NDArray[np.int64]:
    """Count cases by the class carried (rows) and the class given (columns).

    Parameters
    ----------
    truth, given
        Shape (n,), 0 to n_classes - 1.
    n_classes
        K.

    Returns
    -------
    int64, shape (K, K).
    """
    counts = np.bincount(truth * n_classes + given, minlength=n_classes**2)
    return counts.reshape(n_classes, n_classes).astype(np.int64)


def class_figures(
    confusion: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Precision, recall and F1 of each class, each shape (K,); NaN for a class without cases."""
    hits = confusion.diagonal().astype(np.float64)
    n_given, n_cases = confusion.sum(axis=0), confusion.sum(axis=1)
    hits[n_cases == 0] = np.nan
    return (
        hits / np.maximum(n_given, 1),
        hits / np.maximum(n_cases, 1),
        2 * hits / np.maximum(n_given + n_cases, 1),
    )


def macro_figures(confusion: NDArray[np.int64]) -> ConfusionFigures:
    """Means over the classes that have cases; accuracy over the cases."""
    precision, recall, f1 = class_figures(confusion)
    return ConfusionFigures(
        accuracy=float(confusion.trace() / confusion.sum()),
        precision=float(np.nanmean(precision)),
        recall=float(np.nanmean(recall)),
        f1=float(np.nanmean(f1)),
    )
