"""Measurements on simulated recordings, from the signal and the beat times alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecgscreen.recording import LEADS, Recording
from ecgscreen.simulate import (
    Artefacts,
    BeatKind,
    Rhythm,
    SimulatedRecording,
    SimulationSettings,
    simulate,
)

SEEDS = range(8)
CHEST = LEADS[6:]

Samples = NDArray[np.float64]


def made(
    rhythm: Rhythm,
    seed: int = 0,
    rate: float = 500.0,
    heart_rate: float | None = None,
    duration_s: float = 10.0,
) -> SimulatedRecording:
    """Simulate without artefacts."""
    return simulate(SimulationSettings(rhythm, rate, duration_s, seed, heart_rate))


def spoilt(seed: int = 3, rate: float = 500.0, artefacts: Artefacts | None = None) -> Recording:
    """Simulate sinus rhythm with artefacts."""
    settings = SimulationSettings(Rhythm.SINUS, rate, seed=seed, artefacts=artefacts or Artefacts())
    return simulate(settings).recording


def lead(recording: Recording, name: str) -> Samples:
    samples: Samples = recording.signal[LEADS.index(name)].astype(np.float64)
    return samples


def inner_beats(simulated: SimulatedRecording, kind: BeatKind) -> Samples:
    """Beats of a kind that lie wholly inside the recording."""
    last = simulated.recording.duration_s - 0.5
    beats = zip(simulated.beat_times_s.tolist(), simulated.beat_kinds, strict=True)
    return np.array([time for time, one in beats if one is kind and 0.5 < time < last])


def mean_beat(simulated: SimulatedRecording, kind: BeatKind = BeatKind.NORMAL) -> Samples:
    """Average of a kind's beats: (12, 401), 0.4 s before to 0.4 s after, at 500 Hz."""
    signal, times = simulated.recording.signal, inner_beats(simulated, kind)
    at = np.rint(times * 500).astype(int)
    beats = np.array([signal[:, one - 200 : one + 201] for one in at])
    mean: Samples = beats.mean(axis=0, dtype=np.float64)
    return mean


def at_ms(beat: Samples, name: str, milliseconds: float) -> float:
    """Value of a mean beat, as `mean_beat` gives it, at a time from its main deflection."""
    return float(beat[LEADS.index(name), 200 + round(milliseconds / 2)])


def qrs_width_ms(beat: Samples) -> float:
    """Width of a mean beat's QRS complex: where any lead is steep, P and T waves apart."""
    slope = np.linalg.norm(np.diff(beat[:, 130:280], axis=1), axis=0)
    steep = np.flatnonzero(slope > 0.08 * slope.max())
    waves = np.split(steep, np.flatnonzero(np.diff(steep) > 22) + 1)
    qrs = next(wave for wave in waves if slope.argmax() in wave)
    return float(2 * (qrs[-1] - qrs[0] + 1))


def detected_beats(recording: Recording) -> Samples:
    """Find QRS complexes by their slope alone; times in seconds."""
    slope = np.linalg.norm(np.diff(recording.signal, axis=1), axis=0)
    slope = np.convolve(slope, np.ones(25) / 25, mode="same")
    above = slope > 0.35 * slope.max()
    starts: Samples = np.flatnonzero(above[1:] & ~above[:-1]) / recording.sampling_rate
    return np.array(
        [t for t, gap in zip(starts, np.diff(starts, prepend=-1), strict=True) if gap > 0.2]
    )
