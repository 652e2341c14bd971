"""The simulator's recordings as such: leads, rates, seeds, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from ecgscreen.recording import LEADS
from ecgscreen.simulate import (
    STATEMENTS,
    Artefacts,
    Rhythm,
    SimulationSettings,
    dataset_settings,
    simulate,
    simulate_many,
)
from tests.measured_beats import (
    SEEDS,
    made,
    mean_beat,
)


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
