"""The rhythm of simulated recordings, measured on the signal and not read from settings."""

from __future__ import annotations

import numpy as np
import pytest

from ecgscreen.recording import LEADS
from ecgscreen.simulate import (
    HEART_RATES,
    BeatKind,
    Rhythm,
)
from tests.measured_beats import (
    SEEDS,
    detected_beats,
    lead,
    made,
    mean_beat,
    qrs_width_ms,
)


@pytest.mark.parametrize(
    ("rhythm", "rate"),
    [
        (Rhythm.SINUS, 75.0),
        (Rhythm.SINUS_BRADYCARDIA, 45.0),
        (Rhythm.SINUS_TACHYCARDIA, 130.0),
        (Rhythm.ATRIAL_FLUTTER, 150.0),
        (Rhythm.LBBB, 70.0),
        (Rhythm.RBBB, 70.0),
    ],
)
def test_beats_found_in_the_signal_have_the_rate_asked_for(rhythm: Rhythm, rate: float) -> None:
    simulated = made(rhythm, heart_rate=rate, duration_s=30.0)
    found = detected_beats(simulated.recording)
    assert 60 * (found.size - 1) / (found[-1] - found[0]) == pytest.approx(rate, rel=0.04)
    assert simulated.heart_rate == pytest.approx(rate, rel=0.04)
    inside = simulated.beat_times_s[1:-1]
    nearest = np.abs(inside[:, None] - found).min(axis=1)
    assert nearest.max() < 0.12, "a beat of the truth is not in the signal"


@pytest.mark.parametrize("rhythm", list(Rhythm))
def test_a_drawn_rate_stays_in_its_range(rhythm: Rhythm) -> None:
    low, high = HEART_RATES[rhythm]
    for seed in SEEDS:
        rate = made(rhythm, seed, 100.0, duration_s=60.0).heart_rate
        assert 0.94 * low < rate < 1.06 * high


def test_intervals_are_regular_in_sinus_rhythm_and_irregular_in_fibrillation() -> None:
    def variation(rhythm: Rhythm, seed: int) -> float:
        found = detected_beats(made(rhythm, seed, heart_rate=80.0, duration_s=30.0).recording)
        intervals = np.diff(found)
        return float(intervals.std() / intervals.mean())

    assert all(0.002 < variation(Rhythm.SINUS, seed) < 0.06 for seed in SEEDS)
    assert all(variation(Rhythm.ATRIAL_FIBRILLATION, seed) > 0.12 for seed in SEEDS)


def test_p_waves_precede_sinus_beats_and_are_absent_in_fibrillation() -> None:
    for seed in SEEDS:
        sinus = made(Rhythm.SINUS, seed, heart_rate=70.0, duration_s=60.0)
        ii = mean_beat(sinus)[LEADS.index("II")]
        p_wave = ii[90:170].max() - ii[50:60].mean()
        assert 0.04 < p_wave < 0.25
        assert abs(sinus.p_times_s.size - sinus.beat_times_s.size) <= 1

        fibrillation = made(Rhythm.ATRIAL_FIBRILLATION, seed, heart_rate=70.0, duration_s=60.0)
        assert fibrillation.p_times_s.size == 0
        # What is left of unsynchronised f waves in the mean of 60 beats and more, on a T wave's
        # tail, is no P wave.
        ii = mean_beat(fibrillation)[LEADS.index("II")]
        line = np.linspace(ii[90], ii[170], 80)
        assert np.ptp(ii[90:170] - line) < 0.5 * p_wave


def test_f_waves_are_four_to_nine_a_second_and_largest_in_v1() -> None:
    for seed in SEEDS:
        fibrillating = made(Rhythm.ATRIAL_FIBRILLATION, seed, 100.0, heart_rate=60.0).recording
        beats = made(Rhythm.ATRIAL_FIBRILLATION, seed, 100.0, heart_rate=60.0).beat_times_s
        # The longest stretch from the end of a T wave to the next QRS complex.
        longest = int(np.diff(beats).argmax())
        start, stop = beats[longest] + 0.46, beats[longest + 1] - 0.06
        stretch = fibrillating.signal[:, round(start * 100) : round(stop * 100)]
        v1 = stretch[LEADS.index("V1")].astype(np.float64)
        assert np.ptp(v1) > 0.04
        spread = np.ptp(stretch, axis=1)
        assert spread[LEADS.index("V1")] > 1.2 * spread[LEADS.index("V6")]
        spectrum = np.abs(np.fft.rfft((v1 - v1.mean()) * np.hanning(v1.size), 4096))
        assert 4.0 <= float(np.fft.rfftfreq(4096, 0.01)[spectrum.argmax()]) <= 9.0


def test_flutter_waves_run_between_the_beats_of_the_inferior_leads() -> None:
    for seed in SEEDS:
        simulated = made(Rhythm.ATRIAL_FLUTTER, seed, 250.0, heart_rate=70.0, duration_s=20.0)
        assert simulated.p_times_s.size == 0
        times = np.arange(simulated.recording.signal.shape[1]) / 250
        beats = simulated.beat_times_s
        last = np.searchsorted(beats, times) - 1
        between = (last >= 0) & (times - beats[last] > 0.44) & (times - beats[last] < 0.80)
        for name in ("II", "III", "aVF"):
            quiet = lead(simulated.recording, name)[between]
            assert np.ptp(quiet) > 0.12
            # Which sine fits best what lies between T wave and QRS complex?
            trial = np.arange(2.0, 9.0, 0.02)
            angle = 2 * np.pi * trial[:, None] * times[between]
            fit = np.abs(np.exp(1j * angle) @ (quiet - quiet.mean()))
            assert trial[fit.argmax()] * 60 == pytest.approx(4 * 70, abs=10)


def test_pr_interval_is_long_in_first_degree_block() -> None:
    def p_to_r(rhythm: Rhythm, seed: int) -> float:
        ii = mean_beat(made(rhythm, seed, heart_rate=62.0))[LEADS.index("II")]
        return (200 - int(ii[10:175].argmax()) - 10) / 500

    for seed in SEEDS:
        assert 0.08 < p_to_r(Rhythm.SINUS, seed) < 0.19
        assert 0.20 < p_to_r(Rhythm.FIRST_DEGREE_AV_BLOCK, seed) < 0.35


def test_atria_and_ventricles_are_dissociated_in_complete_block() -> None:
    kinds: set[BeatKind] = set()
    for seed in SEEDS:
        simulated = made(Rhythm.COMPLETE_AV_BLOCK, seed, duration_s=30.0)
        kinds.update(simulated.beat_kinds)
        beats, p_waves = simulated.beat_times_s, simulated.p_times_s
        assert p_waves.size > 1.3 * beats.size
        assert np.std(np.diff(p_waves)) < 0.06 * np.mean(np.diff(p_waves))
        assert np.std(np.diff(beats)) < 0.03 * np.mean(np.diff(beats))
        before = beats[1:] - p_waves[np.searchsorted(p_waves, beats[1:]) - 1]
        assert np.ptp(before) > 0.15, "P waves keep a distance from QRS: they conduct"
    assert kinds == {BeatKind.JUNCTIONAL_ESCAPE, BeatKind.VENTRICULAR_ESCAPE}


def test_premature_complexes_are_early_wide_without_p_discordant_and_followed_by_a_pause() -> None:
    for seed in SEEDS:
        simulated = made(Rhythm.PVC, seed, heart_rate=70.0, duration_s=20.0)
        times, kinds = simulated.beat_times_s, simulated.beat_kinds
        premature = [k for k in range(1, len(kinds) - 1) if kinds[k] is BeatKind.PVC]
        assert premature
        mean_rr = 60 / 70
        for k in premature:
            assert times[k] - times[k - 1] < 0.72 * mean_rr
            assert times[k + 1] - times[k - 1] == pytest.approx(2 * mean_rr, rel=0.08)
            own_p = (simulated.p_times_s > times[k] - 0.3) & (simulated.p_times_s < times[k])
            assert not own_p.any()
        wide = mean_beat(simulated, BeatKind.PVC)
        assert qrs_width_ms(wide) > 120
        largest = int(np.abs(wide[:, 160:240]).max(axis=1).argmax())
        main = wide[largest, 160 + int(np.abs(wide[largest, 160:240]).argmax())]
        t_wave = wide[largest, 300:400][int(np.abs(wide[largest, 300:400]).argmax())]
        assert main * t_wave < 0


def test_every_other_beat_is_premature_in_bigeminy() -> None:
    for seed in SEEDS:
        simulated = made(Rhythm.BIGEMINY, seed, heart_rate=75.0)
        kinds = simulated.beat_kinds
        assert len({*kinds[::2]}) == len({*kinds[1::2]}) == 1
        assert {kinds[0], kinds[1]} == {BeatKind.NORMAL, BeatKind.PVC}
        assert qrs_width_ms(mean_beat(simulated, BeatKind.PVC)) > 120
