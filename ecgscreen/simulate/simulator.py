"""From settings to recordings: draw a heart, move its dipole, read the leads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.recording import LEADS, Recording
from ecgscreen.simulate.artefacts import add_to_measured, derive_leads, spoil_leads
from ecgscreen.simulate.atria import draw_fibrillation, draw_flutter
from ecgscreen.simulate.chance import between
from ecgscreen.simulate.dipole import N_PLACEMENT_DRAWS, draw_series, projections
from ecgscreen.simulate.kernels import Series, lay_kernels, sum_kernels
from ecgscreen.simulate.rhythm import Respiration, Timing, draw_timing
from ecgscreen.simulate.settings import (
    BeatKind,
    Rhythm,
    SimulatedRecording,
    SimulationSettings,
)

_BATCH_SAMPLES = 16_384
"""Samples a lead that are summed in one call: enough to amortise it, few enough to cache."""


@dataclass(frozen=True)
class _Heart:
    """What one seed draws, apart from artefacts.

    Attributes
    ----------
    timing
        When it beats.
    series
        Its waves.
    placement
        float64 (12,): how it lies, for `projections`.
    voltage
        A factor on all of that.
    atria
        float64 (3, n_samples): dipole of atria that fibrillate or flutter; else None.
    rng
        The seed's generator after that; artefacts draw from it last and so leave the heart
        as it was.
    """

    timing: Timing
    series: tuple[Series, ...]
    placement: NDArray[np.float64]
    voltage: float
    atria: NDArray[np.float64] | None
    rng: np.random.Generator


def simulate(settings: SimulationSettings) -> SimulatedRecording:
    """Simulate one recording.

    Parameters
    ----------
    settings
        Rhythm, sampling rate, duration, seed and artefacts.

    Returns
    -------
    A recording of all twelve leads, float32 (12, n_samples) in mV, with its beats.
    """
    return next(iter(simulate_many([settings])))


def simulate_many(settings: Iterable[SimulationSettings]) -> Iterator[SimulatedRecording]:
    """Simulate recordings in the order given; each as `simulate` makes it, only faster.

    Neighbours of one sampling rate and duration are evaluated together. Settings are taken
    from the iterable as they are needed: there may be millions.
    """
    for (_, n_samples), same in groupby(settings, lambda one: (one.sampling_rate, one.n_samples)):
        size = max(1, _BATCH_SAMPLES // n_samples)
        while batch := list(islice(same, size)):
            yield from _simulate_batch(batch)


def _simulate_batch(batch: Sequence[SimulationSettings]) -> Iterator[SimulatedRecording]:
    """All of one sampling rate and duration."""
    n_samples, sampling_rate = batch[0].n_samples, batch[0].sampling_rate
    hearts = [_draw_heart(settings) for settings in batch]
    kernels = lay_kernels([heart.series for heart in hearts])
    dipole = sum_kernels(kernels, len(hearts), n_samples, sampling_rate)
    for row, heart in enumerate(hearts):
        if heart.atria is not None:
            dipole[row] += heart.atria
    projection = projections(np.stack([heart.placement for heart in hearts]))
    projection *= np.array([heart.voltage for heart in hearts])[:, None, None]
    measured = np.matmul(projection.astype(np.float32), dipole.astype(np.float32))
    for row, (settings, heart) in enumerate(zip(batch, hearts, strict=True)):
        add_to_measured(measured[row], settings, heart.rng)
    leads = derive_leads(measured)
    for row, (settings, heart) in enumerate(zip(batch, hearts, strict=True)):
        spoil_leads(leads[row], settings, heart.rng)
        yield _recording(settings, heart.timing, leads[row])


def _draw_heart(settings: SimulationSettings) -> _Heart:
    """Draw a heart; nothing here depends on the sampling rate but where it is sampled."""
    rng = np.random.default_rng(settings.seed)
    rhythm = settings.rhythm
    respiration = Respiration(between(0.18, 0.35, rng), between(0.0, 2 * np.pi, rng))
    timing = draw_timing(rhythm, settings.duration_s, settings.heart_rate, respiration, rng)
    placement = rng.random(N_PLACEMENT_DRAWS)
    series = draw_series(rhythm, timing, respiration, rng)
    voltage, atria = 1.0, None
    if rhythm is Rhythm.LOW_VOLTAGE:
        voltage = _low_voltage(placement, series, between(0.25, 0.44, rng))
    if rhythm is Rhythm.ATRIAL_FIBRILLATION:
        atria = draw_fibrillation(_times(settings), rng)
    elif timing.flutter_hz is not None:
        atria = draw_flutter(_times(settings), timing.flutter_hz, float(timing.beats_s[0]), rng)
    return _Heart(timing, series, placement, voltage, atria, rng)


def _low_voltage(
    placement: NDArray[np.float64], series: tuple[Series, ...], limb_mv: float
) -> float:
    """Find the factor that brings a heart under the limits of low voltage.

    These are 0.5 mV peak to peak in the limb leads and 1 mV in the chest leads. The
    amplitude is measured on four seconds at one rate, so that the factor does not depend on
    the recording's rate; breathing takes the rest of the way to the limits.
    """
    dipole = sum_kernels(lay_kernels([series]), 1, 800, 200.0)
    measured = projections(placement[None]) @ dipole
    spread = np.ptp(derive_leads(measured.astype(np.float32))[0], axis=1)
    return float(min(limb_mv / spread[:6].max(), 0.88 / spread[6:].max()))


def _times(settings: SimulationSettings) -> NDArray[np.float64]:
    return np.arange(settings.n_samples) / settings.sampling_rate


def _recording(
    settings: SimulationSettings, timing: Timing, leads: NDArray[np.float32]
) -> SimulatedRecording:
    inside = (timing.beats_s >= 0) & (timing.beats_s < settings.duration_s)
    kinds = tuple(
        BeatKind.PVC if premature else timing.kind
        for premature in timing.premature[inside].tolist()
    )
    p_waves = timing.p_waves_s
    return SimulatedRecording(
        recording=Recording(
            path=Path(f"simulated-{settings.seed}"),
            signal=leads,
            sampling_rate=settings.sampling_rate,
            lead_names=LEADS,
        ),
        settings=settings,
        beat_times_s=timing.beats_s[inside],
        beat_kinds=kinds,
        p_times_s=p_waves[(p_waves >= 0) & (p_waves < settings.duration_s)],
    )
