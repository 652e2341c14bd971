"""The shape of simulated beats, measured on their average."""

from __future__ import annotations

import numpy as np
import pytest

from ecgscreen.recording import LEADS
from ecgscreen.simulate import (
    BeatKind,
    Rhythm,
)
from tests.measured_beats import (
    SEEDS,
    at_ms,
    inner_beats,
    made,
    mean_beat,
    qrs_width_ms,
)


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
