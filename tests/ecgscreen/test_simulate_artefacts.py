"""Artefacts do what they say, and leave the heart alone."""

from __future__ import annotations

import numpy as np
import pytest

from ecgscreen.recording import LEADS
from ecgscreen.simulate import (
    Artefacts,
)
from tests.measured_beats import (
    CHEST,
    lead,
    spoilt,
)


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


def test_a_step_moves_what_follows_it_and_nothing_else() -> None:
    moved = spoilt(artefacts=Artefacts(stepped_leads=("V2",), step_mv=0.8)).signal - spoilt().signal
    (at,) = np.flatnonzero(np.diff(moved[LEADS.index("V2")]).round(4))
    assert 0.2 <= at / moved.shape[1] <= 0.8
    assert not moved[LEADS.index("V2"), : at + 1].any()
    np.testing.assert_allclose(np.abs(moved[LEADS.index("V2"), at + 1 :]), 0.8, atol=1e-6)
    assert not np.delete(moved, LEADS.index("V2"), axis=0).any()


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
