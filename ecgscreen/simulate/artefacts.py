"""What electrodes, muscles, mains and amplifiers add to a recording."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecgscreen.recording import LEADS
from ecgscreen.simulate.chance import white_noise
from ecgscreen.simulate.settings import Artefacts, SimulationSettings

_I, _II = 0, 1

FLAT_MV = 0.35
"""Where a stuck lead is stuck: anything but zero."""


def derive_leads(measured: NDArray[np.float32]) -> NDArray[np.float32]:
    """Make twelve leads of the eight that are measured.

    Einthoven: III = II - I. Goldberger: aVR = -(I + II) / 2, aVL = I - II / 2,
    aVF = II - I / 2.

    Parameters
    ----------
    measured
        float32 (n, 8, n_samples): I, II, V1 to V6.

    Returns
    -------
    float32 (n, 12, n_samples), in the order of `LEADS`.
    """
    n_recordings, _, n_samples = measured.shape
    leads = np.empty((n_recordings, len(LEADS), n_samples), dtype=np.float32)
    first, second = measured[:, _I], measured[:, _II]
    half = np.float32(0.5)
    leads[:, 0] = first
    leads[:, 1] = second
    leads[:, 2] = second - first
    leads[:, 3] = -half * (first + second)
    leads[:, 4] = first - half * second
    leads[:, 5] = second - half * first
    leads[:, 6:] = measured[:, 2:]
    return leads


def add_to_measured(
    measured: NDArray[np.float32], settings: SimulationSettings, rng: np.random.Generator
) -> None:
    """Add, in place, what arises before the leads are derived.

    Parameters
    ----------
    measured
        float32 (8, n_samples): I, II, V1 to V6 in mV.
    settings
        Of the recording; its artefacts and sampling rate count.
    rng
        After the heart has drawn from it, so that artefacts leave the heart as it was.
    """
    artefacts = settings.artefacts
    times = np.arange(measured.shape[1]) / settings.sampling_rate
    if artefacts.wander_mv:
        measured += _wander(artefacts.wander_mv, times, rng.random((8, 7)))
    if artefacts.mains_mv and artefacts.mains_hz < settings.sampling_rate / 2:
        hum = np.sin(2 * np.pi * (artefacts.mains_hz * times + rng.random()))
        gain = artefacts.mains_mv * rng.uniform(0.4, 1.0, (8, 1))
        measured += (gain * hum).astype(np.float32)
    if artefacts.white_mv:
        measured += white_noise((8, times.size), artefacts.white_mv, rng)
    if artefacts.muscle_mv:
        measured += _muscle(artefacts.muscle_mv, times, rng)
    if artefacts.swapped_arms:
        # I is LA - RA and II is LL - RA: with RA and LA exchanged I changes its sign, and
        # II becomes LL - LA, which is III.
        measured[_II] -= measured[_I]
        measured[_I] *= np.float32(-1)


def _wander(
    peak_mv: float, times: NDArray[np.float64], draw: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Three slow sines, the same for all leads but in weight, so that they can be shared."""
    frequency = np.array([0.05, 0.14, 0.28]) + np.array([0.06, 0.10, 0.15]) * draw[0, :3]
    angle = 2 * np.pi * frequency[:, None] * times
    basis = np.concatenate([np.sin(angle), np.cos(angle)])
    weight = (2 * draw[:, 1:] - 1) * np.array([1.0, 0.6, 0.4, 1.0, 0.6, 0.4])
    drift: NDArray[np.float64] = weight @ basis
    drift *= peak_mv / max(float(np.abs(drift).max()), 1e-12)
    return drift.astype(np.float32)


def _muscle(
    rms_mv: float, times: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float32]:
    """First differences of white noise (high-pass), swelling in bursts."""
    n_bursts = 4
    noise = white_noise((8, times.size + 1), 1.0, rng)
    noise = noise[:, 1:] - np.float32(0.8) * noise[:, :-1]
    centre, width = rng.uniform(0, times[-1], n_bursts), rng.uniform(0.3, 1.2, n_bursts)
    bursts = np.exp(-0.5 * np.square((times - centre[:, None]) / width[:, None])).sum(axis=0)
    noise *= (0.3 + bursts).astype(np.float32)
    noise *= np.float32(rms_mv / np.sqrt(np.mean(np.square(noise))))
    return noise


def spoil_leads(
    leads: NDArray[np.float32], settings: SimulationSettings, rng: np.random.Generator
) -> None:
    """Move, replace or clip, in place, the leads that an artefact names.

    Parameters
    ----------
    leads
        float32 (12, n_samples) in the order of `LEADS`, in mV.
    settings, rng
        As for `add_to_measured`.
    """
    artefacts: Artefacts = settings.artefacts
    for name in artefacts.stepped_leads:
        at = int(rng.uniform(0.2, 0.8) * leads.shape[1])
        leads[LEADS.index(name), at:] += np.float32(artefacts.step_mv * rng.choice((-1, 1)))
    for name in artefacts.clipped_leads:
        lead = leads[LEADS.index(name)]
        np.clip(lead, -artefacts.clip_mv, artefacts.clip_mv, out=lead)
    for name in artefacts.flat_leads:
        leads[LEADS.index(name)] = FLAT_MV
    for name in artefacts.drifting_leads:
        n_samples = leads.shape[1]
        times = np.arange(n_samples) / settings.sampling_rate
        drift = _wander(float(rng.uniform(0.6, 2.0)), times, rng.random((1, 7)))[0]
        leads[LEADS.index(name)] = drift + white_noise((1, n_samples), 0.01, rng)[0]
    for name in artefacts.off_leads:
        leads[LEADS.index(name)] = 0.0
