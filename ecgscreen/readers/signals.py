"""From what a file holds to a `Recording`: the last step of every reader but WFDB's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.acquired import plausible
from ecgscreen.readers.amplitude import infer_unit
from ecgscreen.readers.base import check_sampling_rate, check_size
from ecgscreen.readers.lead_choice import choose_leads
from ecgscreen.recording import Recording

_SHORTEST_FILLER_S = 0.1
_FEWEST_LEADS = 3


@dataclass(frozen=True)
class Signals:
    """The signals of a file, before leads are chosen. Nothing else of the file goes further.

    Attributes
    ----------
    labels
        One a signal, as in the file.
    units
        One a signal, as in the file; empty where the file does not say.
    sampling_rate
        In Hz, the same for all.
    values
        Numbers of any kind, shape (n_signals, n_samples), in the units; NaN where invalid.
    notes
        What a reader of the report should know; our own words, never the file's.
    acquired
        See `Recording`.
    """

    labels: tuple[str, ...]
    units: tuple[str, ...]
    sampling_rate: float
    values: NDArray[np.generic]
    notes: tuple[str, ...] = ()
    acquired: datetime | None = None


@dataclass(frozen=True)
class LongSignals:
    """The signals of a file that is read a piece at a time.

    Attributes
    ----------
    labels, units, sampling_rate, notes, acquired
        As of `Signals`.
    n_samples
        Of each signal.
    read
        Of the file's path, a first sample and the one after the last: float64, shape
        (n_signals, n), in the units; NaN where invalid.
    """

    labels: tuple[str, ...]
    units: tuple[str, ...]
    sampling_rate: float
    n_samples: int
    read: Callable[[str, int, int], NDArray[np.float64]]
    notes: tuple[str, ...] = ()
    acquired: datetime | None = None

    def whole(self, path: str) -> Signals:
        """Read everything from the file at a path.

        Raises
        ------
        RecordingError
            NO_SIGNALS, TOO_LARGE.
        """
        check_size(len(self.labels), self.n_samples)
        return self.piece(path, 0, self.n_samples)

    def piece(self, path: str, start: int, stop: int) -> Signals:
        """Read the samples from a first one up to another from the file at a path."""
        values = self.read(path, start, stop)
        return Signals(
            self.labels, self.units, self.sampling_rate, values, self.notes, self.acquired
        )


def recording_of(signals: Signals, path: Path) -> Recording:
    """Choose the known leads and bring them to mV.

    Where no chosen lead has a unit, it is inferred from the amplitude, and a note says so.

    Parameters
    ----------
    signals
        Of any file.
    path
        The file that names the recording.

    Returns
    -------
    The recording; its signal is an array of its own.

    Raises
    ------
    RecordingError
        NO_SIGNALS, TOO_LARGE, BAD_SAMPLING_RATE, NO_KNOWN_LEAD, or BAD_AMPLITUDE if a unit had
        to be inferred and none fits.
    """
    check_size(*signals.values.shape)
    sampling_rate = check_sampling_rate(signals.sampling_rate)
    leads = choose_leads(signals.labels, signals.units)
    chosen = signals.values[list(leads.indices)]
    notes = signals.notes
    if unit := inferred_unit(signals):
        leads = choose_leads(signals.labels, (unit,) * len(signals.labels))
        notes += (f"the file names no unit: taken as {unit} by the amplitude",)
    # Beyond float32 is infinite, and what is no number stays none: quality reports both.
    with np.errstate(over="ignore", invalid="ignore"):
        physical = chosen.astype(np.float64)
        if any(factor != 1.0 for factor in leads.factors):
            physical *= np.array(leads.factors)[:, np.newaxis]
        signal = np.ascontiguousarray(physical, dtype=np.float32)
    return Recording(
        path,
        signal,
        sampling_rate,
        leads.names,
        leads.amplitude_known,
        leads.notes + notes,
        plausible(signals.acquired),
    )


def inferred_unit(signals: Signals) -> str:
    """Say which unit a recording is taken to have; empty where a known lead has one.

    Raises
    ------
    RecordingError
        NO_KNOWN_LEAD, or BAD_AMPLITUDE if no unit fits.
    """
    leads = choose_leads(signals.labels, signals.units)
    if any(signals.units[index] for index in leads.indices):
        return ""
    chosen = signals.values[list(leads.indices)]
    return infer_unit(chosen.astype(np.float64), signals.sampling_rate)


def stack(signals: Sequence[NDArray[np.generic]]) -> NDArray[np.float64]:
    """Lay signals of one sampling rate into one array, as long as the shortest.

    Devices round the ends of channels to whole blocks; what one channel has more of is cut.

    Returns
    -------
    float64, shape (n_signals, n_samples).

    Raises
    ------
    RecordingError
        NO_SIGNALS, TOO_LARGE.
    """
    n_samples = min((len(signal) for signal in signals), default=0)
    check_size(len(signals), n_samples)
    stacked = np.empty((len(signals), n_samples))
    for row, signal in zip(stacked, signals, strict=True):
        row[:] = signal[:n_samples]
    return stacked


def without_fillers(
    values: NDArray[np.float64], sampling_rate: float
) -> tuple[NDArray[np.float64], float, float]:
    """Cut what is the same in all leads off both ends: zeros, or a calibration pulse.

    A heart never gives twelve leads the same values; a device or a data set that fills up
    recordings does. An array without anything else is returned whole.

    Parameters
    ----------
    values
        float64, shape (n_leads, n_samples), all in one unit.
    sampling_rate
        In Hz.

    Returns
    -------
    The part between the fillers, and their lengths in seconds: before, after.
    """
    if len(values) < _FEWEST_LEADS:
        return values, 0.0, 0.0
    differ = np.flatnonzero((values != values[0]).any(axis=0))
    if not len(differ):
        return values, 0.0, 0.0
    n_samples = values.shape[1]
    start, stop = int(differ[0]), int(differ[-1]) + 1
    if start < _SHORTEST_FILLER_S * sampling_rate:
        start = 0
    if n_samples - stop < _SHORTEST_FILLER_S * sampling_rate:
        stop = n_samples
    return values[:, start:stop], start / sampling_rate, (n_samples - stop) / sampling_rate
