"""From a recording to the encoder's input: the one copy, for training and for scanning."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgscreen.lead_faults import row_means
from ecgscreen.recording import LEADS, Recording, RecordingError, SkipReason
from ecgscreen.resampling import BandPass, remove_baseline, resample

MIN_SAMPLING_RATE = 80.0
"""Hz. Slower recordings have lost the QRS complex's detail below the pass band's edge."""
MAX_SAMPLING_RATE = 20_000.0
_ROUNDING = 1e-6
"""Of the largest sample: some units in the last place of a float32."""


@dataclass(frozen=True)
class PreprocessConfig:
    """How windows are made; travels with the model bundle.

    Attributes
    ----------
    sampling_rate
        Of the windows, in Hz.
    window_s
        Length of a window in seconds.
    high_pass_hz, low_pass_hz, stop_hz
        See `BandPass`.
    millivolts_per_unit
        Recordings in mV are divided by this, so that they come near unit variance.
    clip
        Samples beyond this many units are cut off: an electrode that jumps must not
        drown the heart.
    """

    sampling_rate: float = 100.0
    window_s: float = 10.0
    high_pass_hz: float = 0.5
    low_pass_hz: float = 40.0
    stop_hz: float = 50.0
    millivolts_per_unit: float = 0.2
    clip: float = 25.0

    def __post_init__(self) -> None:
        limits = {
            "sampling_rate": (40.0, 1000.0),
            "window_s": (1.0, 60.0),
            "high_pass_hz": (0.01, 5.0),
            "low_pass_hz": (10.0, self.stop_hz - 1.0),
            # A faster input's spectrum must not fold back into the pass band.
            "stop_hz": (11.0, self.sampling_rate / 2),
            "millivolts_per_unit": (1e-6, 1e6),
            "clip": (1.0, 1e6),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} is {value:g}, expected {low:g} to {high:g}")

    @property
    def band(self) -> BandPass:
        """The filter's edges."""
        return BandPass(self.high_pass_hz, self.low_pass_hz, self.stop_hz)

    @property
    def n_samples(self) -> int:
        """Samples of a window."""
        return round(self.sampling_rate * self.window_s)

    def to_dict(self) -> dict[str, float]:
        """As the bundle's manifest holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PreprocessConfig:
        """Read what `to_dict` wrote; else TypeError (keys) or ValueError (what they hold)."""
        if missing := set(asdict(cls())) - set(values):
            raise TypeError(f"missing keys: {', '.join(sorted(missing))}")
        return cls(**{key: float(value) for key, value in values.items()})


@dataclass(frozen=True)
class Prepared:
    """A recording ready for an engine.

    Attributes
    ----------
    windows
        float32, shape (n_windows, 12, n_samples), leads in the order of `LEADS`, zeros in a
        lead that is masked and after the end of a recording shorter than a window.
    lead_mask
        bool, shape (12,): the leads that count.
    starts_s
        float32, shape (n_windows,): where each window begins, in seconds.
    amplitude_known
        Whether the windows are millivolts over a constant, or standardised lead by lead.
    """

    windows: NDArray[np.float32]
    lead_mask: NDArray[np.bool_]
    starts_s: NDArray[np.float32]
    amplitude_known: bool


def preprocess(
    recording: Recording, usable: NDArray[np.bool_], config: PreprocessConfig
) -> Prepared:
    """Filter, resample, scale and cut a recording into windows.

    Windows follow one another; the last one is moved back to end with the recording, so that
    nothing is left out. Signals in mV are divided by a constant, so that voltage
    criteria survive; where the amplitude is not known, each lead of a window is divided by
    its own standard deviation.

    Parameters
    ----------
    recording
        Any length; NaN only in leads that are not usable.
    usable
        bool, shape (12,), in the order of `LEADS`: leads to use (see `assess_quality`).
    config
        From the model bundle.

    Raises
    ------
    RecordingError
        If the sampling rate is outside what the filter is made for.
    """
    rate = recording.sampling_rate
    if not takes_rate(rate):
        raise RecordingError(
            SkipReason.BAD_SAMPLING_RATE,
            f"{rate:g} Hz, expected {MIN_SAMPLING_RATE:g} to {MAX_SAMPLING_RATE:g} Hz",
        )
    signal, rows, columns = _chosen(recording, usable)
    n_total = recording.signal.shape[1]
    n_window = min(n_total, round(config.window_s * rate))
    starts = window_starts(n_total, n_window)
    windows = np.zeros((len(starts), len(LEADS), config.n_samples), dtype=np.float32)
    for window, start in zip(windows, starts, strict=True):
        cut = signal[rows, start : start + n_window]
        window[columns, : _n_out(n_window, rate, config)] = _one_window(
            cut, rate, recording.amplitude_known, config
        )
    starts_s = np.asarray(starts, dtype=np.float32) / np.float32(rate)
    return Prepared(windows, _mask(recording, usable), starts_s, recording.amplitude_known)


def _chosen(
    recording: Recording, usable: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], list[int] | slice, list[int] | slice]:
    """The signal, which rows of it to take, and their rows in a window."""
    if recording.lead_names == LEADS:  # as nearly always; taking rows one by one copies them
        signal = recording.signal
        if not usable.all():
            # All rows, so that the products have one shape: the others are zeros and stay so.
            signal = np.where(usable[:, np.newaxis], signal, np.float32(0))
        return signal, slice(None), slice(None)
    rows = [i for i, name in enumerate(recording.lead_names) if usable[LEADS.index(name)]]
    return recording.signal, rows, [LEADS.index(recording.lead_names[i]) for i in rows]


def _mask(recording: Recording, usable: NDArray[np.bool_]) -> NDArray[np.bool_]:
    there = np.array([name in recording.lead_names for name in LEADS])
    return there & usable


def low_passed(
    deviation: NDArray[np.float32], rate: float, config: PreprocessConfig
) -> NDArray[np.float32]:
    """The first half of the filter: leads without what is fast, at the windows' sampling rate.

    Parameters
    ----------
    deviation
        float32, shape (..., n_leads, n_samples): windows, less the mean of each lead.
    rate
        In Hz, one that `takes_rate` allows.
    config
        From the model bundle.

    Returns
    -------
    float32, shape (..., n_leads, n), n at most `config.n_samples`.
    """
    return resample(deviation, rate, config.sampling_rate, config.band)[..., : config.n_samples]


def preprocess_whole(slow: NDArray[np.float32], config: PreprocessConfig) -> NDArray[np.float32]:
    """As `preprocess`, for many recordings in mV of one shape that are no longer than a window.

    Parameters
    ----------
    slow
        float32, shape (n_recordings, 12, n): what `low_passed` gives of all leads in the order of
        `LEADS`; zeros in a lead that is not usable.
    config
        From the model bundle.

    Returns
    -------
    float32, shape (n_recordings, 12, config.n_samples); the bits that `preprocess` gives.
    """
    filtered = remove_baseline(slow, config.sampling_rate, config.band)
    np.divide(filtered, np.float32(config.millivolts_per_unit), out=filtered)
    np.clip(filtered, -config.clip, config.clip, out=filtered)
    n_filtered = filtered.shape[-1]
    if n_filtered == config.n_samples:
        return filtered
    windows = np.zeros((*filtered.shape[:-1], config.n_samples), np.float32)
    windows[..., :n_filtered] = filtered
    return windows


def takes_rate(rate: float) -> bool:
    """Whether the filter is made for a sampling rate, in Hz."""
    return MIN_SAMPLING_RATE <= rate <= MAX_SAMPLING_RATE


def _one_window(
    cut: NDArray[np.float32], rate: float, amplitude_known: bool, config: PreprocessConfig
) -> NDArray[np.float32]:
    # Less the mean: an electrode offset of hundreds of mV would cost the ECG's digits on top of it.
    slow = low_passed(cut - row_means(cut)[:, np.newaxis], rate, config)
    flat = remove_baseline(slow, config.sampling_rate, config.band)
    if amplitude_known:
        flat /= np.float32(config.millivolts_per_unit)
    else:
        # What is left of a constant is its rounding: no signal, however it is scaled.
        rounding = np.float32(_ROUNDING) * np.abs(cut).max(axis=1, keepdims=True)
        flat = standardise(flat, rounding)
    return np.clip(flat, -config.clip, config.clip, out=flat)


def standardise(
    signal: NDArray[np.float32], rounding: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Each lead divided by its standard deviation; a lead of nothing becomes zeros.

    Parameters
    ----------
    signal
        float32, shape (..., n_leads, n), of zero mean (as after `remove_baseline`).
    rounding
        float32, shape (..., n_leads, 1): a deviation up to this is nothing; None stands for 0.
    """
    deviation = np.sqrt(np.mean(np.square(signal), axis=-1, keepdims=True, dtype=np.float32))
    nothing = deviation <= (0 if rounding is None else rounding)
    return np.divide(signal, deviation, out=np.zeros_like(signal), where=~nothing)


def _n_out(n_window: int, rate: float, config: PreprocessConfig) -> int:
    return min(config.n_samples, math.floor(n_window * config.sampling_rate / rate + 1e-9))


def window_starts(n_total: int, n_window: int) -> list[int]:
    """Where windows of so many samples begin: one after the other, the last one at the end."""
    starts = list(range(0, n_total - n_window + 1, n_window))
    if starts[-1] + n_window < n_total:
        starts.append(n_total - n_window)
    return starts
