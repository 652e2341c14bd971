from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgscreen import quality as quality_module
from ecgscreen.quality import Grade, LeadFault, assess_quality
from ecgscreen.readers import read_recording
from ecgscreen.recording import LEADS, Recording, SkipReason


def ecg(rate: float = 100.0, duration_s: float = 10.0, seed: int = 0) -> NDArray[np.float32]:
    """Twelve rows of beats of 1 mV with T waves, wander and a little noise."""
    times = np.arange(round(rate * duration_s)) / rate
    phase = times % 0.8
    beat = np.exp(-(((phase - 0.3) / 0.02) ** 2)) + 0.25 * np.exp(-(((phase - 0.55) / 0.05) ** 2))
    weights = np.linspace(0.4, 1.6, 12)[:, np.newaxis] * np.where(np.arange(12) % 5, 1, -1)[:, None]
    noise = np.random.default_rng(seed).normal(0, 0.01, (12, times.size))
    return (weights * beat + 0.1 * np.sin(2 * times) + noise).astype(np.float32)


def recording_of(
    signal: NDArray[np.float32],
    rate: float = 100.0,
    names: tuple[str, ...] = LEADS,
    amplitude_known: bool = True,
) -> Recording:
    return Recording(Path("x.hea"), signal, rate, names, amplitude_known)


def faults_of(recording: Recording) -> dict[str, LeadFault]:
    quality = assess_quality(recording)
    assert [lead.name for lead in quality.leads] == list(LEADS)
    assert quality.usable.dtype == np.bool_
    if quality.grade is not Grade.UNUSABLE:
        assert quality.usable.tolist() == [lead.fault is None for lead in quality.leads]
    return {lead.name: lead.fault for lead in quality.leads if lead.fault is not None}


@pytest.mark.parametrize("rate", [100.0, 257.5, 500.0, 1000.0])
def test_a_clean_recording_is_good(rate: float) -> None:
    quality = assess_quality(recording_of(ecg(rate), rate))
    assert quality.grade is Grade.GOOD
    assert quality.summary == "good"
    assert quality.usable.all()
    assert quality.usable.shape == (12,)
    assert quality.reason is None


@pytest.mark.parametrize("amplitude_known", [True, False])
@pytest.mark.parametrize("level", [0.0, 0.35, -300.0])
def test_flat_leads(amplitude_known: bool, level: float) -> None:
    signal = ecg()
    signal[2] = level
    signal[7] = level
    signal[7, 400] = level + 2  # a spike, else nothing
    recording = recording_of(signal, amplitude_known=amplitude_known)
    assert faults_of(recording) == {"III": LeadFault.FLAT, "V2": LeadFault.FLAT}
    assert assess_quality(recording).summary == "usable: III flat, V2 flat"


def test_a_low_voltage_is_not_flat() -> None:
    assert faults_of(recording_of(ecg() * np.float32(0.1))) == {}
    tiny = recording_of(ecg() * np.float32(1e-4))
    assert set(faults_of(tiny).values()) == {LeadFault.FLAT}
    scaled = recording_of(ecg() * np.float32(1e-4), amplitude_known=False)
    assert faults_of(scaled) == {}


@pytest.mark.parametrize("rate", [100.0, 500.0])
def test_clipped_leads(rate: float) -> None:
    signal = ecg(rate)
    signal[8] = np.minimum(signal[8], 0.5)
    signal[0] = np.maximum(signal[0], -0.3)
    assert faults_of(recording_of(signal, rate)) == {
        "I": LeadFault.CLIPPED,
        "V3": LeadFault.CLIPPED,
    }


def test_what_looks_like_clipping_and_is_not() -> None:
    signal = ecg()
    signal[1] = np.maximum(signal[1], signal[1].mean() - 0.02)  # a quiet line on one value
    signal[3, -60:] = 3.0  # filled up with the last value
    assert faults_of(recording_of(signal)) == {}


@pytest.mark.parametrize("rate", [100.0, 500.0, 1000.0])
def test_noisy_leads(rate: float) -> None:
    signal = ecg(rate)
    rng = np.random.default_rng(1)
    times = np.arange(signal.shape[1]) / rate
    signal[5] = rng.normal(0, 1, signal.shape[1])
    signal[10] = rng.normal(0, 1, signal.shape[1])
    if rate > 100:  # the filter takes mains out, from noise as well as from an ECG
        signal[6] += 2 * np.sin(2 * np.pi * 50.2 * times)
        signal[9] += 2 * np.sin(2 * np.pi * 60 * times)
        signal[10] += 2 * np.sin(2 * np.pi * 50 * times)
    faults = faults_of(recording_of(signal, rate))
    assert faults == {"aVF": LeadFault.NOISY, "V5": LeadFault.NOISY}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_sample_that_is_no_number_takes_its_lead_out(value: float) -> None:
    signal = ecg()
    signal[11, 3] = value
    recording = recording_of(signal)
    assert faults_of(recording) == {"V6": LeadFault.NON_FINITE}
    assert assess_quality(recording).summary == "usable: V6 non-finite"


def test_amplitudes_that_no_heart_has() -> None:
    microvolts = recording_of(ecg() * np.float32(1000))
    assert set(faults_of(microvolts).values()) == {LeadFault.OUT_OF_RANGE}
    assert assess_quality(microvolts).reason is SkipReason.NO_USABLE_LEAD
    assert faults_of(recording_of(ecg() * np.float32(1000), amplitude_known=False)) == {}
    absurd = recording_of(ecg() * np.float32(1e30))
    assert assess_quality(absurd).detail == "12 leads out of range"


@pytest.mark.parametrize("rate", [100.0, 500.0])
def test_the_spikes_of_a_pacemaker_are_no_fault(rate: float) -> None:
    signal = ecg(rate)
    signal[:, 20 :: round(0.8 * rate)] += 5
    assert faults_of(recording_of(signal, rate)) == {}
    signal[:, 700] = 80  # one shock
    assert faults_of(recording_of(signal, rate)) == {}


def test_missing_leads_are_counted_or_named() -> None:
    signal = ecg()
    few = recording_of(signal[:10], names=LEADS[:10])
    assert assess_quality(few).summary == "usable: V5 missing, V6 missing"
    one = assess_quality(recording_of(signal[6:7], names=("V1",)))
    assert one.grade is Grade.USABLE
    assert one.summary == "usable: 11 leads missing"
    assert np.flatnonzero(one.usable).tolist() == [LEADS.index("V1")]


def test_leads_in_another_order() -> None:
    signal = ecg()[::-1].copy()
    signal[0] = 0
    assert faults_of(recording_of(signal, names=LEADS[::-1])) == {"V6": LeadFault.FLAT}


@pytest.mark.parametrize(
    ("n_samples", "usable"), [(0, False), (1, False), (499, False), (500, True)]
)
def test_under_five_seconds_is_unusable(n_samples: int, usable: bool) -> None:
    quality = assess_quality(recording_of(ecg()[:, :n_samples]))
    assert (quality.grade is not Grade.UNUSABLE) is usable
    assert quality.usable.any() == usable
    assert quality.reason is (None if usable else SkipReason.TOO_SHORT)
    assert quality.summary.startswith("good" if usable else "unusable: ")


def test_no_usable_lead() -> None:
    signal = np.zeros((2, 1000), np.float32)
    signal[1, 5] = np.nan
    quality = assess_quality(recording_of(signal, names=("II", "V5")))
    assert quality.grade is Grade.UNUSABLE
    assert quality.reason is SkipReason.NO_USABLE_LEAD
    assert quality.detail == "10 leads missing, II flat, V5 non-finite"


def test_a_long_recording_is_assessed_like_a_short_one() -> None:
    """Long recordings are taken in blocks of leads: the faults have to land on their leads."""
    signal = np.tile(ecg(), (1, 1000))
    signal[4] = 0
    signal[9, 77] = np.nan
    assert faults_of(recording_of(signal)) == {"aVL": LeadFault.FLAT, "V4": LeadFault.NON_FINITE}


def test_the_signal_is_left_as_it_was() -> None:
    signal = ecg()
    signal[3, 5] = np.nan
    before = signal.copy()
    assess_quality(recording_of(signal))
    assert np.array_equal(signal, before, equal_nan=True)


@pytest.mark.parametrize("folder", ["ptb-xl", "ptb-xl-zscored", "ludb"])
def test_real_recordings_are_never_unusable(data_dir: Path, folder: str) -> None:
    paths = sorted((data_dir / folder).rglob("*.hea"))
    grades = []
    for path in paths[::10]:
        recording = read_recording(path)
        assert isinstance(recording, Recording)
        grades.append(assess_quality(recording).grade)
    assert Grade.UNUSABLE not in grades
    assert grades.count(Grade.GOOD) > 0.95 * len(grades)


@pytest.mark.parametrize("rate", [100.0, 500.0])
@pytest.mark.parametrize("amplitude_known", [True, False])
def test_a_short_recording_is_judged_as_a_piece_of_a_long_one(
    rate: float, amplitude_known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    signals = [ecg(rate, 20.0, seed) for seed in range(5)]
    n = signals[0].shape[1]
    signals[1][2] += rng.standard_normal(n, np.float32)
    signals[1][[0, 7], 300] = np.nan
    signals[2][4:6] += np.linspace(0, 3, n, dtype=np.float32)
    signals[3][:] = np.nan
    signals[4][3] *= np.float32(1e20)
    recordings = [recording_of(signal, rate, LEADS, amplitude_known) for signal in signals]
    short = [assess_quality(recording) for recording in recordings]
    monkeypatch.setattr(quality_module, "_BLOCK_SAMPLES", 3 * n)
    for recording, quality in zip(recordings, short, strict=True):
        piece = assess_quality(recording)
        assert (piece.summary, piece.detail) == (quality.summary, quality.detail)
        assert piece.usable.tolist() == quality.usable.tolist()
    assert len({quality.summary for quality in short}) == (5 if amplitude_known else 4)
