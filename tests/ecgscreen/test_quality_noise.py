from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgscreen.quality import LeadFault, assess_quality
from ecgscreen.quality_noise import (
    LEAD_FAST_SHARE,
    LEAST_EVENNESS,
    MIN_LEADS_TOGETHER,
    MIN_QUIET_LEADS,
    QUIET_FAST_SHARE,
    RECORDING_FAST_SHARE,
    fast_share,
    muscle_noise,
)
from ecgscreen.recording import LEADS, Recording, SkipReason
from tests.ecgscreen.test_quality import ecg, faults_of, recording_of


def bursts(rate: float, n: int, size: float, seed: int = 3) -> NDArray[np.float32]:
    """Twelve rows of noise from 20 to 90 Hz that swells and fades."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.normal(0, 1, (12, n)), axis=1)
    frequency = np.fft.rfftfreq(n, 1 / rate)
    spectrum[:, (frequency < 20) | (frequency > 90)] = 0
    noise = np.fft.irfft(spectrum, n, axis=1)
    noise *= 1 + 0.5 * np.sin(2 * np.pi * np.arange(n) / rate / 3)
    scaled: NDArray[np.float32] = (size * noise / noise.std()).astype(np.float32)
    return scaled


def seconds_of(signal: NDArray[np.float32], rate: float) -> NDArray[np.float32]:
    n = int(rate)
    n_seconds = signal.shape[1] // n
    return signal[:, : n * n_seconds].reshape(len(signal), n_seconds, n)


@pytest.mark.parametrize("rate", [100.0, 257.5, 500.0, 1000.0])
def test_the_share_is_that_of_the_spectrum(rate: float) -> None:
    times = np.arange(round(10 * rate)) / rate
    slow, fast = np.sin(2 * np.pi * 10 * times), np.sin(2 * np.pi * 32 * times)
    signal = np.stack([slow, fast, slow + fast, 0 * times, 300 + 3 * np.sin(times) + slow])
    (share,) = fast_share(seconds_of(signal.astype(np.float32), rate)[np.newaxis], rate)
    assert share == pytest.approx([0, 1, 0.5, 0, 0], abs=0.01)
    assert share.dtype == np.float32


@pytest.mark.parametrize("rate", [100.0, 500.0])
def test_a_lead_of_muscle_noise_is_left_out(rate: float) -> None:
    signal = ecg(rate)
    noise = bursts(rate, signal.shape[1], 1.0)
    signal[[1, 7]] += noise[[1, 7]]
    faults = faults_of(recording_of(signal, rate))
    assert set(faults) == {"II", "V2"}
    assert set(faults.values()) <= {LeadFault.MUSCLE_NOISE, LeadFault.NOISY}


def test_leads_say_together_what_none_says_alone() -> None:
    signal = ecg(500.0)
    signal /= np.abs(signal).max(axis=1, keepdims=True)
    # The least noise that rejects all twelve, and the same in fewer leads than that takes.
    for size in np.arange(0.02, 0.4, 0.01):
        noisy = signal + bursts(500.0, signal.shape[1], float(size))
        quality = assess_quality(recording_of(noisy, 500.0))
        if quality.reason is not None:
            break
    assert quality.reason is SkipReason.NO_USABLE_LEAD
    assert quality.detail == "12 leads muscle noise"
    few = MIN_LEADS_TOGETHER - 1
    alone = recording_of(noisy[:few], 500.0, LEADS[:few])
    assert assess_quality(alone).usable.any()


def test_quiet_leads_are_kept_where_most_others_are_noise() -> None:
    signal = ecg(500.0)
    signal /= np.abs(signal).max(axis=1, keepdims=True)
    noise = bursts(500.0, signal.shape[1], 1.0)
    signal[:7] += noise[:7]
    found = faults_of(recording_of(signal, 500.0))
    assert set(found) == set(LEADS[:7])
    signal[7:9] += noise[7:9]
    quality = assess_quality(recording_of(signal, 500.0))
    assert quality.reason is SkipReason.NO_USABLE_LEAD, "three quiet leads are no proof"


def test_no_share_that_is_not_computed_would_have_told_more() -> None:
    """As the definition has it, where every lead's share is looked at."""
    rng = np.random.default_rng(6)
    base = ecg(100.0)
    noise = bursts(100.0, base.shape[1], 1.0)
    loud = rng.uniform(0, 1, (400, 12, 1)) < rng.uniform(0, 1, (400, 1, 1))
    signals = base + noise * loud * rng.uniform(0.02, 0.8, (400, 1, 1))
    signals[:40, 3:9] = 0
    heard = signals.astype(np.float32)
    evenness = rng.uniform(0.25, 0.65, (400, 12)).astype(np.float32)
    evenness[:40, 3:9] = 0
    share = fast_share(heard.reshape(400, 12, -1, 100), 100.0)
    expected = (evenness > LEAST_EVENNESS) & (share > LEAD_FAST_SHARE)
    together = 0
    for number, (of_lead, even) in enumerate(zip(share, evenness, strict=True)):
        changes = of_lead > 0
        if (
            changes.sum() >= MIN_LEADS_TOGETHER
            and np.median(of_lead[changes]) > RECORDING_FAST_SHARE
            and np.median(even[changes]) > LEAST_EVENNESS
        ):
            together += 1
            quiet = changes & (of_lead <= QUIET_FAST_SHARE)
            expected[number] |= changes & ~quiet if quiet.sum() >= MIN_QUIET_LEADS else changes
    assert 40 < together < 360
    assert (muscle_noise(heard, 100.0, evenness) == expected).all()


def test_wander_is_no_fault() -> None:
    signal = ecg(500.0)
    times = np.arange(signal.shape[1]) / 500
    signal += (8 * np.sin(2 * np.pi * 0.3 * times)).astype(np.float32)
    assert faults_of(recording_of(signal, 500.0)) == {}


def test_a_recording_too_slow_for_the_band_is_not_judged() -> None:
    signal = ecg(60.0)
    assert LeadFault.MUSCLE_NOISE not in faults_of(recording_of(signal, 60.0)).values()


def test_recorded_muscle_noise_is_rejected_and_wander_is_not(data_dir: Path) -> None:
    """The measure of bench.quality, on every sixth recording of LUDB."""
    from bench.noise import Ratio, read_noise
    from bench.quality import ludb, noised, rejected

    recordings: list[Recording] = ludb(data_dir)[::6]
    muscle, wander = (read_noise(data_dir / "nstdb", name) for name in ("ma", "bw"))
    assert rejected(recordings) == 0
    for ratio in Ratio:
        shares = [rejected(noised(recordings, muscle, d, ratio)) for d in (24, 6, -6)]
        assert shares[0] <= (0.06 if ratio is Ratio.QRS else 0.02)
        assert shares == sorted(shares)
        assert shares[2] >= 0.95
    assert rejected(noised(recordings, wander, -6, Ratio.ALL)) <= 0.02
