"""Whether probabilities mean what they say; numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.metrics import Interval
from trainer.operating_point import percentile_interval, resampled_sums

N_BINS = 15
"""Of `calibration_error`, as Guo et al. (ICML 2017) use."""


@dataclass(frozen=True)
class ReliabilityBins:
    """Recordings sorted by probability and cut into parts of equal number.

    Attributes
    ----------
    probability
        float64, shape (B,): the mean of each part.
    frequency
        float64, shape (B,): the share of positives.
    counts
        int64, shape (B,).
    """

    probability: NDArray[np.float64]
    frequency: NDArray[np.float64]
    counts: NDArray[np.int64]


def reliability_bins(
    probability: NDArray[np.floating], positive: NDArray[np.bool_], n_bins: int = N_BINS
) -> ReliabilityBins:
    """Cut into parts of equal mass, which no empty range of probabilities disturbs.

    Nguyen & O'Connor, EMNLP 2015; Nixon et al., CVPR Workshops 2019.

    Parameters
    ----------
    probability, positive
        Shape (N,), at least one.
    n_bins
        Fewer where there are fewer recordings.
    """
    order = np.argsort(probability, kind="stable")
    parts = np.array_split(order, min(n_bins, len(order)))
    return ReliabilityBins(
        probability=np.array([probability[part].mean(dtype=np.float64) for part in parts]),
        frequency=np.array([positive[part].mean() for part in parts]),
        counts=np.array([len(part) for part in parts]),
    )


def calibration_error(
    probability: NDArray[np.floating], positive: NDArray[np.bool_], n_bins: int = N_BINS
) -> float:
    """Expected calibration error: the mean distance of probability and frequency over the bins.

    A bin of few recordings lies off by chance alone, so that the error of few recordings is
    too large, never too small. Naeini, Cooper & Hauskrecht, AAAI 2015; the bins are those of
    `reliability_bins`.

    Parameters
    ----------
    probability, positive
        Shape (N,), of one class or of several pooled; without any, NaN.
    n_bins
        See `reliability_bins`.
    """
    if not len(probability):
        return float("nan")
    bins = reliability_bins(probability, positive, n_bins)
    distance = np.abs(bins.probability - bins.frequency)
    return float(np.average(distance, weights=bins.counts))


def calibration_intervals(
    probability: NDArray[np.floating],
    positive: NDArray[np.bool_],
    patients: NDArray[np.str_],
) -> tuple[Interval, Interval]:
    """Intervals of Brier score and calibration error, by bootstrap over patients.

    The bins stay those of all recordings. A draw lies off by more than the recordings themselves
    do, so that the second interval lies rather too high.

    Parameters
    ----------
    probability, positive, patients
        Shape (N,), of one class or of several pooled.
    """
    order = np.argsort(probability, kind="stable")
    off = probability - positive
    values = np.zeros((len(order), N_BINS + 2))
    for k, part in enumerate(np.array_split(order, N_BINS)):
        values[part, k] = off[part]
    values[:, -2] = off**2
    values[:, -1] = 1.0
    sums = resampled_sums(values, patients)
    n = sums[:, -1]
    return (
        percentile_interval(sums[:, -2] / n),
        percentile_interval(np.abs(sums[:, :N_BINS]).sum(axis=1) / n),
    )


def brier_score(probability: NDArray[np.floating], positive: NDArray[np.bool_]) -> float:
    """Mean squared error of a probability (Brier, Monthly Weather Review 1950); NaN of nothing."""
    if not len(probability):
        return float("nan")
    return float(np.square(probability - positive).mean(dtype=np.float64))
