"""The simulator: every claim is measured on the signal, not read from its settings."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgscreen.errors import UsageError
from ecgscreen.recording import LEADS, Recording
from ecgscreen.simulate import (
    HEART_RATES,
    STATEMENTS,
    TRUTH_COLUMNS,
    Artefacts,
    BeatKind,
    Fault,
    Rhythm,
    SimulatedRecording,
    SimulationSettings,
    dataset_settings,
    simulate,
    simulate_many,
    write_dataset,
    write_wfdb,
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


# --- the recording as such -------------------------------------------------------------


@pytest.mark.parametrize("rhythm", list(Rhythm))
def test_every_rhythm_gives_twelve_finite_leads_and_keeps_einthovens_law(rhythm: Rhythm) -> None:
    artefacts = Artefacts(white_mv=0.01, muscle_mv=0.02, wander_mv=0.2, mains_mv=0.05)
    settings = SimulationSettings(rhythm, sampling_rate=250, seed=5, artefacts=artefacts)
    recording = simulate(settings).recording
    assert recording.signal.shape == (12, 2500)
    assert recording.signal.dtype == np.float32
    assert recording.lead_names == LEADS
    assert np.isfinite(recording.signal).all()
    assert 0.1 < np.abs(recording.signal).max() < 5.0
    i, ii, iii, avr, avl, avf = recording.signal[:6]
    half = np.float32(0.5)
    np.testing.assert_array_equal(iii, ii - i)
    np.testing.assert_array_equal(avr, -half * (i + ii))
    np.testing.assert_array_equal(avl, i - half * ii)
    np.testing.assert_array_equal(avf, ii - half * i)
    assert rhythm in STATEMENTS


@pytest.mark.parametrize("rhythm", list(Rhythm))
def test_sampling_rates_sample_one_signal(rhythm: Rhythm) -> None:
    slow, fast = made(rhythm, 7, 100.0), made(rhythm, 7, 1000.0)
    np.testing.assert_array_equal(slow.beat_times_s, fast.beat_times_s)
    difference = slow.recording.signal - fast.recording.signal[:, ::10]
    assert np.abs(difference).max() < 0.002


@pytest.mark.parametrize("rate", [360.0, 257.5])
def test_uneven_rates_are_allowed(rate: float) -> None:
    recording = made(Rhythm.SINUS, rate=rate).recording
    assert recording.signal.shape[1] == round(10 * rate)
    assert recording.sampling_rate == rate


def test_equal_settings_give_equal_samples_and_another_seed_another_heart() -> None:
    first, again, other = made(Rhythm.SINUS, 1), made(Rhythm.SINUS, 1), made(Rhythm.SINUS, 2)
    np.testing.assert_array_equal(first.recording.signal, again.recording.signal)
    shapes = [mean_beat(made(Rhythm.SINUS, seed)).ravel() for seed in SEEDS]
    distances = [np.abs(a - b).max() for i, a in enumerate(shapes) for b in shapes[:i]]
    assert min(distances) > 0.1, "two seeds gave nearly the same beat"
    assert first.beat_times_s[:5].tolist() != other.beat_times_s[:5].tolist()


def test_a_recording_does_not_depend_on_its_neighbours() -> None:
    settings = list(dataset_settings(40, 9, sampling_rate=100))
    together = [one.recording.signal for one in simulate_many(settings)]
    for index in (0, 1, 7, 13, 31, 39):
        np.testing.assert_array_equal(simulate(settings[index]).recording.signal, together[index])


@pytest.mark.parametrize(
    "wrong",
    [
        {"sampling_rate": 99.9},
        {"sampling_rate": 1000.5},
        {"sampling_rate": float("nan")},
        {"duration_s": 0.5},
        {"heart_rate": 20.0},
        {"seed": -1},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        SimulationSettings(Rhythm.SINUS, **wrong)  # type: ignore[arg-type] # one a case


@pytest.mark.parametrize(
    "wrong", [{"white_mv": -1.0}, {"wander_mv": float("nan")}, {"clip_mv": 0.0}, {"mains_hz": 0.0}]
)
def test_artefacts_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Artefacts(**wrong)  # type: ignore[arg-type] # one a case


def test_an_unknown_lead_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown leads V9"):
        Artefacts(off_leads=("V9",))


# --- rhythm ----------------------------------------------------------------------------


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


# --- the shape of a beat ---------------------------------------------------------------


def test_a_normal_beat_looks_normal() -> None:
    for seed in SEEDS:
        beat = mean_beat(made(Rhythm.SINUS, seed, heart_rate=70.0))
        assert 70 <= qrs_width_ms(beat) <= 110
        qrs = beat[:, 170:240]
        r_wave = dict(zip(LEADS, qrs.max(axis=1), strict=True))
        s_wave = dict(zip(LEADS, -qrs.min(axis=1), strict=True))
        assert 0.4 < r_wave["II"] < 2.0
        assert r_wave["V1"] < s_wave["V1"]
        assert r_wave["V5"] > s_wave["V5"]
        assert r_wave["V6"] > s_wave["V6"]
        assert r_wave["V1"] < r_wave["V3"]
        t_wave = dict(zip(LEADS, beat[:, 300:380].mean(axis=1), strict=True))
        for name in ("II", "V4", "V5", "V6"):
            assert t_wave[name] > 0.02
        assert t_wave["aVR"] < 0


def test_left_bundle_branch_block_is_wide_negative_in_v1_and_positive_in_v6() -> None:
    for seed in SEEDS:
        beat = mean_beat(made(Rhythm.LBBB, seed, heart_rate=70.0), BeatKind.LBBB)
        normal = mean_beat(made(Rhythm.SINUS, seed, heart_rate=70.0))
        assert qrs_width_ms(beat) >= 125
        assert qrs_width_ms(beat) > qrs_width_ms(normal) + 35
        qrs = dict(zip(LEADS, beat[:, 165:240], strict=True))
        assert qrs["V1"].min() < -0.6
        assert qrs["V1"].max() < 0.3
        for name in ("I", "V6"):
            assert qrs[name].max() > 0.2
            assert qrs[name].min() > -0.15
        assert beat[LEADS.index("V1"), 300:380].mean() > 0
        assert beat[LEADS.index("V6"), 300:380].mean() < 0


def test_right_bundle_branch_block_ends_with_r_in_v1_and_s_in_v6() -> None:
    for seed in SEEDS:
        beat = mean_beat(made(Rhythm.RBBB, seed, heart_rate=70.0), BeatKind.RBBB)
        assert qrs_width_ms(beat) >= 115
        assert at_ms(beat, "V1", 55) > 0.3
        assert at_ms(beat, "V6", 55) < -0.15
        assert at_ms(beat, "I", 55) < -0.1
        before = beat[LEADS.index("V1"), 180:220]
        assert before.max() > 0.05, "no first r in V1"
        assert before.min() < at_ms(beat, "V1", 55) - 0.3, "no s between r and r'"


def test_pacing_spikes_come_before_wide_complexes() -> None:
    for seed in SEEDS:
        simulated = made(Rhythm.PACED, seed, 1000.0)
        # Second differences: nothing in a heart bends as sharply as a pacing spike.
        sharp = np.linalg.norm(np.diff(simulated.recording.signal, n=2, axis=1), axis=0)
        for time in inner_beats(simulated, BeatKind.PACED):
            at = round(time * 1000)
            spike = int(sharp[at - 150 : at + 150].argmax()) - 150
            assert -110 < spike < -60
        beat = mean_beat(made(Rhythm.PACED, seed), BeatKind.PACED)
        spike = int(np.linalg.norm(np.diff(beat, n=2, axis=1), axis=0).argmax()) + 1
        cut = np.arange(spike - 6, spike + 7)
        for samples in beat:
            samples[cut] = np.interp(cut, cut[[0, -1]], samples[cut[[0, -1]]])
        assert qrs_width_ms(beat) > 130
    p_waves = {made(Rhythm.PACED, seed, 100.0).p_times_s.size > 0 for seed in SEEDS}
    assert p_waves == {False, True}, "both kinds of pacemaker occur"


@pytest.mark.parametrize(
    ("rhythm", "raised", "lowered"),
    [
        (Rhythm.ST_ELEVATION_ANTERIOR, ("V1", "V2", "V3", "V4"), ()),
        (Rhythm.ST_ELEVATION_INFERIOR, ("II", "III", "aVF"), ("aVL",)),
        (Rhythm.ST_ELEVATION_LATERAL, ("I", "aVL", "V5", "V6"), ("III",)),
    ],
)
def test_st_level_is_raised_in_the_leads_of_its_site(
    rhythm: Rhythm, raised: tuple[str, ...], lowered: tuple[str, ...]
) -> None:
    for seed in SEEDS:
        beat = mean_beat(made(rhythm, seed, heart_rate=65.0))
        level = {name: at_ms(beat, name, 110) - at_ms(beat, name, -56) for name in LEADS}
        assert all(level[name] > 0.09 for name in raised), level
        assert all(level[name] < -0.03 for name in lowered), level
        normal = mean_beat(made(Rhythm.SINUS, seed, heart_rate=65.0))
        for name in LEADS:
            assert abs(at_ms(normal, name, 110) - at_ms(normal, name, -56)) < 0.08


def test_low_voltage_is_low_in_limb_and_chest_leads() -> None:
    for seed in range(30):
        spread = np.ptp(made(Rhythm.LOW_VOLTAGE, seed, 250.0).recording.signal, axis=1)
        assert spread[:6].max() < 0.5
        assert spread[6:].max() < 1.0
        assert spread.max() > 0.15
    assert np.ptp(made(Rhythm.SINUS, 0).recording.signal[:6], axis=1).max() > 0.5


# --- artefacts -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["white_mv", "muscle_mv"])
def test_noise_has_the_level_asked_for_and_leaves_the_heart_alone(name: str) -> None:
    artefacts = Artefacts(white_mv=0.05) if name == "white_mv" else Artefacts(muscle_mv=0.05)
    noise = lead(spoilt(artefacts=artefacts), "V3") - lead(spoilt(), "V3")
    assert np.sqrt(np.mean(noise**2)) == pytest.approx(0.05, rel=0.35)
    spectrum = np.abs(np.fft.rfft(noise)) ** 2
    high = spectrum[len(spectrum) // 2 :].sum() / spectrum.sum()
    if name == "white_mv":
        assert high == pytest.approx(0.5, abs=0.05)
        assert abs(noise.mean()) < 0.005
    else:
        assert high > 0.75
        thirds = [part.std() for part in np.array_split(noise, 10)]
        assert max(thirds) > 1.5 * min(thirds), "muscle noise comes in bursts"


def test_wander_is_slow_and_as_large_as_asked_for() -> None:
    difference = np.array(
        [
            lead(spoilt(artefacts=Artefacts(wander_mv=0.3)), name) - lead(spoilt(), name)
            for name in ("I", "II", *CHEST)
        ]
    )
    assert np.abs(difference).max() == pytest.approx(0.3, abs=1e-3)
    windowed = (difference - difference.mean(axis=1, keepdims=True)) * np.hanning(5000)
    spectrum = np.abs(np.fft.rfft(windowed)) ** 2
    assert spectrum[:, :8].sum() > 0.999 * spectrum.sum(), "above 0.8 Hz"


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
def test_hum_has_its_frequency_and_is_absent_above_half_the_rate(mains_hz: float) -> None:
    artefacts = Artefacts(mains_mv=0.1, mains_hz=mains_hz)
    hum = lead(spoilt(artefacts=artefacts), "V2") - lead(spoilt(), "V2")
    spectrum = np.abs(np.fft.rfft(hum))
    assert spectrum.argmax() == round(10 * mains_hz)
    assert 0.03 < np.abs(hum).max() <= 0.1001
    slow = spoilt(rate=100.0, artefacts=artefacts)
    np.testing.assert_array_equal(slow.signal, spoilt(rate=100.0).signal)


def test_lost_leads_lose_the_heart_and_the_others_keep_it() -> None:
    artefacts = Artefacts(
        off_leads=("V3",),
        flat_leads=("aVL",),
        drifting_leads=("V5",),
        clipped_leads=("V4",),
        clip_mv=0.4,
    )
    recording, clean = spoilt(artefacts=artefacts), spoilt()
    assert not lead(recording, "V3").any()
    assert np.ptp(lead(recording, "aVL")) == 0
    assert lead(recording, "aVL")[0] != 0
    drifting = lead(recording, "V5")
    assert np.ptp(drifting) > 0.5
    assert np.abs(np.diff(drifting)).max() < 0.4 * np.abs(np.diff(lead(clean, "V5"))).max()
    clipped = lead(recording, "V4")
    assert np.abs(clipped).max() == pytest.approx(0.4)
    assert np.count_nonzero(clipped == clipped.max()) > 20
    np.testing.assert_array_equal(clipped, np.clip(clean.signal[9], -0.4, 0.4))
    for name in set(LEADS) - {"V3", "aVL", "V5", "V4"}:
        np.testing.assert_array_equal(lead(recording, name), lead(clean, name))


def test_swapped_arms_invert_i_and_exchange_ii_with_iii() -> None:
    swapped, clean = spoilt(artefacts=Artefacts(swapped_arms=True)), spoilt()
    for name, was, sign in (
        ("I", "I", -1),
        ("II", "III", 1),
        ("III", "II", 1),
        ("aVR", "aVL", 1),
        ("aVL", "aVR", 1),
        ("aVF", "aVF", 1),
        *((name, name, 1) for name in CHEST),
    ):
        np.testing.assert_allclose(lead(swapped, name), sign * lead(clean, was), atol=1e-6)


# --- files -----------------------------------------------------------------------------


def test_wfdb_reads_back_what_was_written(tmp_path: Path) -> None:
    wfdb = pytest.importorskip("wfdb")
    recording = spoilt(artefacts=Artefacts(white_mv=0.02, wander_mv=0.3), rate=360.0)
    header = write_wfdb(recording, tmp_path, "one")
    assert header == tmp_path / "one.hea"
    read = wfdb.rdrecord(str(tmp_path / "one"))
    assert read.fs == 360
    assert read.sig_len == 3600
    assert read.sig_name == list(LEADS)
    assert read.units == ["mV"] * 12
    assert read.fmt == ["16"] * 12
    assert read.adc_gain == [1000.0] * 12
    np.testing.assert_allclose(read.p_signal.T, recording.signal, atol=0.0005 + 1e-6)
    digital = wfdb.rdrecord(str(tmp_path / "one"), physical=False).d_signal
    assert read.init_value == digital[0].tolist()
    for checksum, total in zip(read.checksum, digital.sum(axis=0), strict=True):
        assert -32768 <= checksum <= 32767
        assert (checksum - int(total)) % 65536 == 0


def test_samples_that_are_not_known_or_too_large_are_written_as_wfdb_has_it(
    tmp_path: Path,
) -> None:
    wfdb = pytest.importorskip("wfdb")
    signal = np.zeros((2, 100), dtype=np.float32)
    signal[0, 10], signal[1, 3], signal[1, 4] = np.nan, 99.0, -99.0
    recording = Recording(Path("x"), signal, 100.0, ("I", "V1"))
    write_wfdb(recording, tmp_path, "odd-1")
    read = wfdb.rdrecord(str(tmp_path / "odd-1"))
    assert np.flatnonzero(np.isnan(read.p_signal[:, 0])).tolist() == [10]
    assert read.p_signal[3:5, 1].tolist() == [32.767, -32.767]
    with pytest.raises(ValueError, match="record name"):
        write_wfdb(recording, tmp_path, "../out")


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def truth_of(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_folder_is_the_same_bytes_again_and_a_larger_one_begins_alike(tmp_path: Path) -> None:
    write_dataset(tmp_path / "a", 24, 5, sampling_rate=100.0, faults=2)
    write_dataset(tmp_path / "b", 24, 5, sampling_rate=100.0, faults=2)
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")
    write_dataset(tmp_path / "c", 12, 5, sampling_rate=100.0)
    write_dataset(tmp_path / "d", 24, 6, sampling_rate=100.0)
    large, small = hashes(tmp_path / "a"), hashes(tmp_path / "c")
    assert large["sim00000.dat"] == small["sim00000.dat"]
    assert large["sim00000.dat"] != hashes(tmp_path / "d")["sim00000.dat"]


def test_the_truth_table_tells_the_truth(tmp_path: Path) -> None:
    wfdb = pytest.importorskip("wfdb")
    seen: list[int] = []
    table = write_dataset(tmp_path, 30, 11, sampling_rate=250.0, on_written=seen.append)
    assert table == tmp_path / "truth.csv"
    assert seen == list(range(1, 31))
    rows = truth_of(table)
    assert tuple(rows[0]) == TRUTH_COLUMNS
    assert len(rows) == 30
    assert {row["rhythm"] for row in rows} == {rhythm.value for rhythm in Rhythm}
    assert not any(row["fault"] for row in rows)
    assert len(list(tmp_path.glob("*.hea"))) == len(list(tmp_path.glob("*.dat"))) == 30
    settings = list(dataset_settings(30, 11, sampling_rate=250.0))
    for row, one in list(zip(rows, settings, strict=True))[::5]:
        simulated = simulate(one)
        assert row["rhythm"] == one.rhythm.value
        assert row["statements"].split(";") == list(STATEMENTS[one.rhythm])
        assert int(row["seed"]) == one.seed
        read = wfdb.rdrecord(str(tmp_path / row["path"]).removesuffix(".hea"))
        np.testing.assert_allclose(read.p_signal.T, simulated.recording.signal, atol=0.00051)
        beats = simulated.beat_times_s
        measured = 60 * (beats.size - 1) / (beats[-1] - beats[0])
        assert float(row["heart_rate"]) == pytest.approx(measured, abs=0.06)


def test_named_artefacts_are_in_the_files(tmp_path: Path) -> None:
    rows = truth_of(write_dataset(tmp_path, 150, 2, sampling_rate=100.0, duration_s=5.0))
    named = [row for row in rows if row["artefact"]]
    assert 0.2 < len(named) / len(rows) < 0.6
    assert not any("mains" in row["artefact"] for row in named), "no hum below 120 Hz"
    off = [row for row in named if row["artefact"].startswith("lead off")]
    assert off
    for row in off:
        index = LEADS.index(row["artefact"].removeprefix("lead off "))
        samples = np.fromfile((tmp_path / row["path"]).with_suffix(".dat"), "<i2").reshape(-1, 12)
        assert not samples[:, index].any()
        assert samples.any(axis=0).sum() == 11


def test_many_recordings_are_laid_in_subfolders(tmp_path: Path) -> None:
    rows = truth_of(write_dataset(tmp_path, 11, 1, sampling_rate=100.0, per_folder=4))
    assert [row["path"].split("/")[0] for row in rows] == ["0000"] * 4 + ["0001"] * 4 + ["0002"] * 3
    assert all((tmp_path / row["path"]).is_file() for row in rows)


def test_each_fault_is_on_disk_and_only_as_many_as_asked_for(tmp_path: Path) -> None:
    n_faults = len(Fault)
    rows = truth_of(write_dataset(tmp_path, 3 * n_faults, 4, sampling_rate=100.0, faults=n_faults))
    by_fault = {row["fault"]: tmp_path / row["path"] for row in rows if row["fault"]}
    assert sorted(by_fault) == sorted(fault.value for fault in Fault)
    assert sum(bool(row["fault"]) for row in rows) == n_faults

    def header(fault: Fault) -> list[str]:
        return by_fault[fault.value].read_text(encoding="ascii").splitlines()

    def samples(fault: Fault) -> NDArray[np.int16]:
        return np.fromfile(by_fault[fault.value].with_suffix(".dat"), "<i2")

    assert samples(Fault.TRUNCATED).size < 0.5 * 12_000
    assert header(Fault.TRUNCATED)[0].split()[1:] == ["12", "100", "1000"]
    assert not by_fault[Fault.NO_SIGNAL_FILE.value].with_suffix(".dat").exists()
    assert not samples(Fault.ALL_ZERO).any()
    assert header(Fault.TOO_SHORT)[0].split()[3] == "200"
    assert samples(Fault.TOO_SHORT).size == 12 * 200
    assert header(Fault.NO_SIGNALS)[0].split()[1] == "0"
    assert by_fault[Fault.NO_HEADER.value].suffix == ".dat"
    assert not by_fault[Fault.NO_HEADER.value].with_suffix(".hea").exists()
    assert set(samples(Fault.ALL_INVALID).tolist()) == {-32768}
    assert not {line.split()[-1] for line in header(Fault.NO_KNOWN_LEAD)[1:]} & set(LEADS)
    assert header(Fault.ZERO_SAMPLING_RATE)[0].split()[2] == "0"
    assert header(Fault.ZERO_GAIN)[1].split()[2] == "0(0)/mV"


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": 0},
        {"faults": 5},
        {"faults": -1},
        {"seed": -1},
        {"sampling_rate": 50.0},
        {"per_folder": 0},
        {"duration_s": 0.0},
    ],
)
def test_arguments_out_of_range_are_refused_before_anything_is_written(
    tmp_path: Path, wrong: dict[str, float]
) -> None:
    arguments = {"count": 4, "seed": 1, **wrong}
    with pytest.raises(UsageError, match="expected"):
        write_dataset(tmp_path / "new", **arguments)  # type: ignore[arg-type] # one a case
    assert not (tmp_path / "new").exists()


def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        write_dataset(tmp_path, 1, 1)
    with pytest.raises(UsageError, match="is a file"):
        write_dataset(tmp_path / "mine.txt", 1, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
