"""What can be simulated and what comes out: the vocabulary of the simulator."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from ecgscreen.recording import LEADS, Recording

MIN_SAMPLING_RATE = 100.0
MAX_SAMPLING_RATE = 1000.0
MIN_DURATION_S = 1.0
MAX_DURATION_S = 3600.0


class Rhythm(StrEnum):
    """A rhythm or condition; the value is what the truth table shows."""

    SINUS = "sinus rhythm"
    SINUS_BRADYCARDIA = "sinus bradycardia"
    SINUS_TACHYCARDIA = "sinus tachycardia"
    ATRIAL_FIBRILLATION = "atrial fibrillation"
    ATRIAL_FLUTTER = "atrial flutter"
    FIRST_DEGREE_AV_BLOCK = "first-degree AV block"
    COMPLETE_AV_BLOCK = "complete AV block"
    PVC = "ventricular premature complexes"
    BIGEMINY = "ventricular bigeminy"
    LBBB = "left bundle branch block"
    RBBB = "right bundle branch block"
    PACED = "paced rhythm"
    ST_ELEVATION_ANTERIOR = "anterior ST elevation"
    ST_ELEVATION_INFERIOR = "inferior ST elevation"
    ST_ELEVATION_LATERAL = "lateral ST elevation"
    LOW_VOLTAGE = "low voltage"


class BeatKind(StrEnum):
    """How a ventricular beat arose; the value is PhysioNet's annotation code."""

    NORMAL = "N"
    LBBB = "L"
    RBBB = "R"
    PVC = "V"
    PACED = "/"
    JUNCTIONAL_ESCAPE = "j"
    VENTRICULAR_ESCAPE = "E"


STATEMENTS: dict[Rhythm, tuple[str, ...]] = {
    Rhythm.SINUS: ("NORM", "SR"),
    Rhythm.SINUS_BRADYCARDIA: ("SBRAD",),
    Rhythm.SINUS_TACHYCARDIA: ("STACH",),
    Rhythm.ATRIAL_FIBRILLATION: ("AFIB",),
    Rhythm.ATRIAL_FLUTTER: ("AFLT",),
    Rhythm.FIRST_DEGREE_AV_BLOCK: ("SR", "1AVB"),
    Rhythm.COMPLETE_AV_BLOCK: ("3AVB",),
    Rhythm.PVC: ("SR", "PVC"),
    Rhythm.BIGEMINY: ("SR", "PVC", "BIGU"),
    Rhythm.LBBB: ("SR", "CLBBB"),
    Rhythm.RBBB: ("SR", "CRBBB"),
    Rhythm.PACED: ("PACE",),
    Rhythm.ST_ELEVATION_ANTERIOR: ("SR", "STE_"),
    Rhythm.ST_ELEVATION_INFERIOR: ("SR", "STE_"),
    Rhythm.ST_ELEVATION_LATERAL: ("SR", "STE_"),
    Rhythm.LOW_VOLTAGE: ("SR", "LVOLT"),
}
"""SCP-ECG statement codes that hold for each rhythm, as PTB-XL spells them."""

HEART_RATES: dict[Rhythm, tuple[float, float]] = {
    Rhythm.SINUS: (60.0, 98.0),
    Rhythm.SINUS_BRADYCARDIA: (40.0, 57.0),
    Rhythm.SINUS_TACHYCARDIA: (103.0, 150.0),
    Rhythm.ATRIAL_FIBRILLATION: (60.0, 145.0),
    Rhythm.ATRIAL_FLUTTER: (62.0, 165.0),
    Rhythm.FIRST_DEGREE_AV_BLOCK: (60.0, 88.0),
    Rhythm.COMPLETE_AV_BLOCK: (30.0, 48.0),
    Rhythm.PVC: (62.0, 92.0),
    Rhythm.BIGEMINY: (66.0, 92.0),
    Rhythm.LBBB: (60.0, 95.0),
    Rhythm.RBBB: (60.0, 95.0),
    Rhythm.PACED: (60.0, 85.0),
    Rhythm.ST_ELEVATION_ANTERIOR: (62.0, 98.0),
    Rhythm.ST_ELEVATION_INFERIOR: (62.0, 98.0),
    Rhythm.ST_ELEVATION_LATERAL: (62.0, 98.0),
    Rhythm.LOW_VOLTAGE: (60.0, 98.0),
}
"""Beats a minute from which a rate is drawn, and which a given rate may not leave."""


@dataclass(frozen=True)
class Artefacts:
    """What spoils a recording; the default spoils nothing.

    Noise, wander and mains arise in the eight leads that are measured, so the leads
    derived from them still obey Einthoven's law.

    Attributes
    ----------
    white_mv
        Root mean square of white noise, in mV.
    muscle_mv
        Root mean square of muscle noise, in mV: high-frequency, in bursts.
    wander_mv
        Largest excursion of the baseline, in mV (0.05 to 0.45 Hz).
    mains_mv, mains_hz
        Amplitude in mV and frequency in Hz of power-line hum. Hum at or above half the
        sampling rate is absent, as behind the anti-aliasing filter of a device.
    off_leads
        Leads that read exactly zero.
    drifting_leads
        Leads that show a drifting open input in place of the heart.
    flat_leads
        Leads stuck at a constant value other than zero.
    clipped_leads, clip_mv
        Leads whose amplifier saturates at plus and minus `clip_mv`.
    stepped_leads, step_mv
        Leads whose baseline jumps once by `step_mv`, up or down, in the middle three fifths of
        the recording, and stays there.
    swapped_arms
        Right and left arm electrode exchanged: I is inverted, II and III change places,
        aVR and aVL too.
    """

    white_mv: float = 0.0
    muscle_mv: float = 0.0
    wander_mv: float = 0.0
    mains_mv: float = 0.0
    mains_hz: float = 50.0
    off_leads: tuple[str, ...] = ()
    drifting_leads: tuple[str, ...] = ()
    flat_leads: tuple[str, ...] = ()
    clipped_leads: tuple[str, ...] = ()
    clip_mv: float = 1.0
    stepped_leads: tuple[str, ...] = ()
    step_mv: float = 1.0
    swapped_arms: bool = False

    def __post_init__(self) -> None:
        for name in ("white_mv", "muscle_mv", "wander_mv", "mains_mv"):
            level = getattr(self, name)
            if not (math.isfinite(level) and level >= 0):
                raise ValueError(f"{name} is {level}; expected mV, zero or more")
        for name in ("mains_hz", "clip_mv", "step_mv"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; expected more than zero")
        named = self.off_leads + self.drifting_leads + self.flat_leads
        named += self.clipped_leads + self.stepped_leads
        if unknown := sorted(set(named) - set(LEADS)):
            raise ValueError(f"unknown leads {', '.join(unknown)}; expected {', '.join(LEADS)}")


@dataclass(frozen=True)
class SimulationSettings:
    """One recording to simulate. Equal settings give equal samples.

    Attributes
    ----------
    rhythm
        What the heart does.
    sampling_rate
        In Hz, 100 to 1000. It does not change the heart: two rates sample one signal.
    duration_s
        In seconds, 1 to 3600.
    seed
        Everything that is left to chance: rate, axis, amplitudes, widths, noise.
    heart_rate
        Mean ventricular rate in beats a minute within `HEART_RATES`; None draws it.
    artefacts
        What spoils the recording.
    """

    rhythm: Rhythm
    sampling_rate: float = 500.0
    duration_s: float = 10.0
    seed: int = 0
    heart_rate: float | None = None
    artefacts: Artefacts = field(default_factory=Artefacts)

    def __post_init__(self) -> None:
        if not MIN_SAMPLING_RATE <= self.sampling_rate <= MAX_SAMPLING_RATE:
            raise ValueError(
                f"sampling rate is {self.sampling_rate} Hz; "
                f"expected {MIN_SAMPLING_RATE:g} to {MAX_SAMPLING_RATE:g} Hz"
            )
        if not MIN_DURATION_S <= self.duration_s <= MAX_DURATION_S:
            raise ValueError(
                f"duration is {self.duration_s} s; "
                f"expected {MIN_DURATION_S:g} to {MAX_DURATION_S:g} s"
            )
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; expected zero or more")
        low, high = HEART_RATES[self.rhythm]
        if self.heart_rate is not None and not low <= self.heart_rate <= high:
            raise ValueError(
                f"heart rate is {self.heart_rate} a minute; "
                f"expected {low:g} to {high:g} for {self.rhythm}"
            )

    @property
    def n_samples(self) -> int:
        """Samples a lead."""
        return round(self.duration_s * self.sampling_rate)


@dataclass(frozen=True)
class SimulatedRecording:
    """A recording and what is known about it.

    Attributes
    ----------
    recording
        float32 (12, n_samples) in mV, leads in the order of `LEADS`.
    settings
        What was asked for.
    beat_times_s
        float64 (n_beats,): the main deflection of each QRS complex, in seconds.
    beat_kinds
        One a beat.
    p_times_s
        float64 (n_p_waves,): the middle of each P wave in seconds; empty where the atria
        fibrillate or flutter.
    """

    recording: Recording
    settings: SimulationSettings
    beat_times_s: NDArray[np.float64]
    beat_kinds: tuple[BeatKind, ...]
    p_times_s: NDArray[np.float64]

    @property
    def rhythm(self) -> Rhythm:
        """What the heart does."""
        return self.settings.rhythm

    @property
    def statements(self) -> tuple[str, ...]:
        """SCP-ECG statement codes that hold."""
        return STATEMENTS[self.settings.rhythm]

    @property
    def heart_rate(self) -> float:
        """Mean ventricular rate in beats a minute; NaN with fewer than two beats."""
        if self.beat_times_s.size < 2:
            return math.nan
        span = float(self.beat_times_s[-1] - self.beat_times_s[0])
        return 60.0 * (self.beat_times_s.size - 1) / span
