"""When the heart beats: the times of P waves, QRS complexes and pacing spikes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecgscreen.simulate.chance import between
from ecgscreen.simulate.settings import HEART_RATES, BeatKind, Rhythm
from ecgscreen.simulate.waves import BEATS, P_WAVE, FloatArray, qrs_onset_s

MARGIN_S = 0.8
"""Beats are made this long before and after the recording, so that its ends are full."""

_SINUS_KINDS = {Rhythm.LBBB: BeatKind.LBBB, Rhythm.RBBB: BeatKind.RBBB}


@dataclass(frozen=True)
class Respiration:
    """Breathing, which moves both the rate and the heart.

    Attributes
    ----------
    frequency_hz
        Breaths a second.
    phase
        In radians at time zero.
    """

    frequency_hz: float
    phase: float

    def at(self, times_s: FloatArray) -> FloatArray:
        """Return its course, -1 to 1, at `times_s`, of the same shape."""
        return np.sin(2 * np.pi * self.frequency_hz * times_s + self.phase)


@dataclass(frozen=True)
class Timing:
    """What happens when; times in seconds, also before zero and after the end.

    Attributes
    ----------
    beats_s
        float64 (n_beats,): main deflection of each QRS complex.
    premature
        bool (n_beats,): the beats that are ventricular premature complexes.
    kind
        Of all other beats.
    qt_rr_s
        float64 (n_beats,): the RR interval to which the QT interval has adapted.
    p_waves_s
        float64 (n_p_waves,): middle of each P wave.
    spikes_s
        float64 (n_spikes,): pacing spikes.
    flutter_hz
        Atrial cycles a second in flutter, with a cycle starting at the first beat; else None.
    """

    beats_s: FloatArray
    premature: NDArray[np.bool_]
    kind: BeatKind
    qt_rr_s: FloatArray
    p_waves_s: FloatArray
    spikes_s: FloatArray
    flutter_hz: float | None = None


def draw_timing(
    rhythm: Rhythm,
    duration_s: float,
    heart_rate: float | None,
    respiration: Respiration,
    rng: np.random.Generator,
) -> Timing:
    """Draw the times of one recording's events.

    The sinus node's intervals carry a low-frequency (0.1 Hz) and a respiratory modulation,
    as in McSharry et al. 2003, section II; the intervals of atrial fibrillation are
    independent draws from a gamma distribution.
    """
    flutter_ratio = 0
    if heart_rate is None:
        heart_rate = between(*HEART_RATES[rhythm], rng)
        if rhythm is Rhythm.ATRIAL_FLUTTER:
            flutter_ratio = 2 if rng.random() < 0.5 else 4
            heart_rate = between(250, 328, rng) / flutter_ratio
    elif rhythm is Rhythm.ATRIAL_FLUTTER:
        flutter_ratio = min((2, 3, 4), key=lambda ratio: abs(heart_rate * ratio - 300))
    mean_rr = 60.0 / heart_rate

    if rhythm is Rhythm.ATRIAL_FIBRILLATION:
        return _fibrillation(duration_s, mean_rr, rng)
    if rhythm is Rhythm.ATRIAL_FLUTTER:
        beats = _intervals(duration_s, mean_rr, 0.0, respiration, rng)
        timing = _supraventricular(beats, mean_rr, _NO_EVENTS, BeatKind.NORMAL)
        return replace(timing, flutter_hz=flutter_ratio / mean_rr)
    if rhythm is Rhythm.COMPLETE_AV_BLOCK:
        return _complete_block(duration_s, heart_rate, respiration, rng)
    if rhythm is Rhythm.PACED:
        return _paced(duration_s, mean_rr, respiration, rng)

    kind = _SINUS_KINDS.get(rhythm, BeatKind.NORMAL)
    beats = _intervals(duration_s, mean_rr, 1.0, respiration, rng)
    if rhythm is Rhythm.FIRST_DEGREE_AV_BLOCK:
        pr_s = between(0.23, 0.34, rng)
    else:
        pr_s = between(0.13, 0.19, rng) * min(1.0, 0.55 + 0.6 * mean_rr)
    p_waves = beats + _p_offset(kind, pr_s)
    timing = _supraventricular(beats, mean_rr, p_waves, kind)
    if rhythm in (Rhythm.PVC, Rhythm.BIGEMINY):
        return _with_premature(timing, rhythm, duration_s, rng)
    return timing


_NO_EVENTS: FloatArray = np.empty(0)


def _p_offset(kind: BeatKind, pr_s: float) -> float:
    """From the main deflection to the middle of the P wave, for a PR interval.

    The PR interval runs from the beginning of P to the beginning of QRS.
    """
    return qrs_onset_s(BEATS[kind]) - pr_s - qrs_onset_s(P_WAVE)


def _intervals(
    duration_s: float,
    mean_rr: float,
    variability: float,
    respiration: Respiration,
    rng: np.random.Generator,
) -> FloatArray:
    """Event times of a pacemaker cell; `variability` 0 to 1 scales its modulation."""
    n_beats = int((duration_s + 2 * MARGIN_S) / (0.88 * mean_rr)) + 3
    grid: FloatArray = mean_rr * np.arange(n_beats, dtype=np.float64)
    low, high, jitter, phase, start = rng.random(5).tolist()
    # A fast heart hardly varies: vagal tone, which makes the variation, is withdrawn.
    calm = variability * min(1.0, mean_rr / 0.8) ** 1.5
    modulation = calm * (
        (0.006 + 0.02 * low) * np.sin(2 * np.pi * (0.1 * grid + phase))
        + (0.006 + 0.028 * high) * respiration.at(grid)
        + (0.002 + 0.006 * jitter) * rng.standard_normal(n_beats)
    )
    first_s = -MARGIN_S - (1.0 + start) * mean_rr
    beats: FloatArray = np.cumsum(mean_rr * (1.0 + modulation)) + first_s
    return _until(duration_s + MARGIN_S, beats)


def _until(end_s: float, times_s: FloatArray) -> FloatArray:
    return times_s[: int(times_s.searchsorted(end_s))]


def _supraventricular(
    beats_s: FloatArray, mean_rr: float, p_waves_s: FloatArray, kind: BeatKind
) -> Timing:
    previous = np.full(beats_s.size, mean_rr)
    np.subtract(beats_s[1:], beats_s[:-1], out=previous[1:])
    return Timing(
        beats_s=beats_s,
        premature=np.zeros(beats_s.size, dtype=np.bool_),
        kind=kind,
        # The QT interval follows the rate of many beats, and only in part the last interval.
        qt_rr_s=0.75 * mean_rr + 0.25 * previous,
        p_waves_s=p_waves_s,
        spikes_s=_NO_EVENTS,
    )


def _fibrillation(duration_s: float, mean_rr: float, rng: np.random.Generator) -> Timing:
    n_beats = int((duration_s + 2 * MARGIN_S) / (0.6 * mean_rr)) + 6
    variation = between(0.18, 0.30, rng)
    shape = variation**-2
    # The AV node's refractory period bounds the shortest interval.
    intervals = np.maximum(rng.gamma(shape, mean_rr / shape, n_beats), 0.30)
    beats = np.cumsum(intervals) - MARGIN_S - (1.0 + rng.random()) * mean_rr
    beats = _until(duration_s + MARGIN_S, beats)
    return _supraventricular(beats, mean_rr, _NO_EVENTS, BeatKind.NORMAL)


def _complete_block(
    duration_s: float, heart_rate: float, respiration: Respiration, rng: np.random.Generator
) -> Timing:
    ratio = between(66, 100, rng) / heart_rate
    if abs(ratio - round(ratio)) < 0.15:
        # A whole number would look as if the atria were conducted, 2:1 or 3:1.
        ratio = round(ratio) + 0.2
    p_waves = _intervals(duration_s, 60.0 / (heart_rate * ratio), 0.8, respiration, rng)
    beats = _intervals(duration_s, 60.0 / heart_rate, 0.15, respiration, rng)
    junctional = heart_rate >= 40
    kind = BeatKind.JUNCTIONAL_ESCAPE if junctional else BeatKind.VENTRICULAR_ESCAPE
    return _supraventricular(beats, 60.0 / heart_rate, p_waves, kind)


def _paced(
    duration_s: float, mean_rr: float, respiration: Respiration, rng: np.random.Generator
) -> Timing:
    """Half of them follow the sinus node (DDD), half pace on their own (VVI)."""
    dual_chamber = rng.random() < 0.5
    beats = _intervals(duration_s, mean_rr, 0.8 if dual_chamber else 0.0, respiration, rng)
    av_delay_s = between(0.15, 0.20, rng)
    p_waves = beats + _p_offset(BeatKind.PACED, av_delay_s) if dual_chamber else _NO_EVENTS
    timing = _supraventricular(beats, mean_rr, p_waves, BeatKind.PACED)
    return replace(timing, spikes_s=beats + qrs_onset_s(BEATS[BeatKind.PACED]) - 0.004)


def _with_premature(
    timing: Timing, rhythm: Rhythm, duration_s: float, rng: np.random.Generator
) -> Timing:
    """Put premature complexes in the place of sinus beats.

    The sinus node keeps its time, so that the pause behind each is fully compensatory. The
    P wave of the beat that was not conducted is hidden in the premature complex.
    """
    beats = timing.beats_s.copy()
    premature = timing.premature.copy()
    if rhythm is Rhythm.BIGEMINY:
        premature[1 + int(rng.integers(2)) :: 2] = True
    else:
        inside = np.flatnonzero((beats > 0.5) & (beats < max(duration_s - 0.5, 0.6)))
        wanted = max(1, round(float(rng.integers(1, 4)) * duration_s / 10))
        for index in rng.permutation(inside[inside > 0]):
            if wanted and not premature[max(index - 2, 0) : index + 3].any():
                premature[index] = True
                wanted -= 1
    coupling = between(0.52, 0.64, rng) + 0.01 * rng.standard_normal(beats.size)
    early = np.roll(beats, 1) + coupling * (beats - np.roll(beats, 1))
    return replace(
        timing,
        beats_s=np.where(premature, early, beats),
        premature=premature,
        p_waves_s=timing.p_waves_s[~premature],
    )
