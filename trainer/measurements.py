"""What can be measured on every recording, as targets that train the encoder on the side.

Statements are few in a small training set, and rare ones rarer. Rate and regularity, the shape
of a beat, its amplitude, age and sex are there for every recording; an encoder that must
tell them has learned most of what the statements are about (multi-task learning: Caruana, Machine
Learning 1997). Nothing of it is left in the exported encoder but what it learned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ecgscreen.recording import LEADS
from trainer.augment import AugmentedBatch
from trainer.beats import median_beat, rhythm_figures
from trainer.data import LabelledRecordings

SHAPE_COMPONENTS = 32
_RHYTHM_WEIGHT = 1.0
_SHAPE_WEIGHT = 1 / 8
_PERSON_WEIGHT = 1 / 2
_AMPLITUDE_WEIGHT = 1 / 4
# Mean and spread of log peak-to-peak in units of the input, in round numbers: they only bring
# the target near zero and one.
_AMPLITUDE_MEAN = 1.8
_AMPLITUDE_SPREAD = 0.6


@dataclass(frozen=True)
class Measurements:
    """Standardised targets.

    Attributes
    ----------
    values
        float32, shape (N, M); NaN where something could not be measured.
    weights
        float32, shape (M,).
    """

    values: Tensor
    weights: Tensor


def measure(
    recordings: LabelledRecordings, train_rows: NDArray[np.intp], sampling_rate: float
) -> Measurements:
    """Measure rhythm, shape of the beat, age and sex.

    Parameters
    ----------
    recordings
        All of them are measured.
    train_rows
        Means, spreads and the components of the shape come from these only.
    sampling_rate
        Of the windows, in Hz.
    """
    rhythm = rhythm_figures(recordings.windows, sampling_rate)
    shape = _shape_components(recordings.windows, train_rows, sampling_rate)
    person = np.stack([recordings.ages, recordings.sexes], axis=1)
    values = np.concatenate([rhythm, shape, person], axis=1)
    weights = np.repeat(
        [_RHYTHM_WEIGHT, _SHAPE_WEIGHT, _PERSON_WEIGHT],
        [rhythm.shape[1], shape.shape[1], person.shape[1]],
    )
    train = values[train_rows]
    known = np.isfinite(train)
    n = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, train, 0).sum(axis=0) / n
    variance = np.where(known, (train - mean) ** 2, 0).sum(axis=0) / n
    standardised = (values - mean) / np.sqrt(np.where(variance > 0, variance, 1))
    return Measurements(
        torch.from_numpy(standardised.astype(np.float32)),
        torch.from_numpy(weights.astype(np.float32)),
    )


def _shape_components(
    windows: NDArray[np.float32], train_rows: NDArray[np.intp], sampling_rate: float
) -> NDArray[np.float32]:
    """Principal components of the median beats over all leads, shape (N, at most 32)."""
    beats = [median_beat(window, sampling_rate) for window in windows]
    found = np.array([beat is not None for beat in beats])
    train_found = np.intersect1d(train_rows, np.flatnonzero(found))
    if not len(train_found):
        return np.empty((len(windows), 0), dtype=np.float32)
    flat = np.stack([beat.ravel() for beat in beats if beat is not None])
    position = np.cumsum(found) - 1
    train = flat[position[train_found]]
    mean = train.mean(axis=0)
    _, _, components = np.linalg.svd(train - mean, full_matrices=False)
    projected = (flat - mean) @ components[:SHAPE_COMPONENTS].T
    values = np.full((len(windows), projected.shape[1]), np.nan, dtype=np.float32)
    values[found] = projected
    return values


class MeasurementHead(nn.Module):
    """Linear read-outs of the pooled features; thrown away after training."""

    def __init__(self, n_features: int, n_measurements: int) -> None:
        super().__init__()
        self.recording = nn.Linear(n_features, n_measurements)
        self.amplitude = nn.Linear(n_features, len(LEADS))

    def loss(
        self, features: Tensor, batch: AugmentedBatch, target: Tensor, weights: Tensor
    ) -> Tensor:
        """Weighted smooth L1 (Girshick, ICCV 2015), nothing where a target is not known.

        Parameters
        ----------
        features
            float, shape (N, n_features).
        batch
            What the encoder saw: amplitudes are measured on it, in leads that are in mV.
        target, weights
            Rows of `Measurements.values`, and its weights.
        """
        windows = batch.windows
        peak_to_peak = windows.amax(dim=-1) - windows.amin(dim=-1)
        amplitude = (torch.log(peak_to_peak + 0.1) - _AMPLITUDE_MEAN) / _AMPLITUDE_SPREAD
        in_mv = batch.lead_mask & batch.in_millivolts[:, None]
        recording = _masked_loss(self.recording(features).float(), target, ~target.isnan())
        leads = _masked_loss(self.amplitude(features).float(), amplitude, in_mv)
        total: Tensor = (recording * weights).sum(dim=1) + _AMPLITUDE_WEIGHT * leads.sum(dim=1)
        return total.mean()


def _masked_loss(measured: Tensor, target: Tensor, known: Tensor) -> Tensor:
    safe = torch.where(known, target, torch.zeros_like(target))
    return functional.smooth_l1_loss(measured, safe, reduction="none") * known
