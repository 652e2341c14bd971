"""Beats and rhythm measured on recordings whose rhythm is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgscreen.beats import beat_samples
from ecgscreen.preprocess import PreprocessConfig, preprocess
from ecgscreen.simulate import Artefacts, Rhythm, SimulatedRecording, SimulationSettings, simulate
from trainer.beats import N_RHYTHM_FIGURES, median_beat, rhythm_figures

CONFIG = PreprocessConfig()
RATE = CONFIG.sampling_rate
SEEDS = range(8)


def window_of(
    rhythm: Rhythm, seed: int, *, hidden: tuple[int, ...] = (), spoilt: Artefacts | None = None
) -> tuple[SimulatedRecording, NDArray[np.float32]]:
    settings = SimulationSettings(
        rhythm, 250.0, seed=seed, artefacts=spoilt or Artefacts(white_mv=0.01)
    )
    simulated = simulate(settings)
    usable = np.ones(12, dtype=np.bool_)
    usable[list(hidden)] = False
    return simulated, preprocess(simulated.recording, usable, CONFIG).windows[0]


REGULAR = (Rhythm.SINUS, Rhythm.SINUS_BRADYCARDIA, Rhythm.SINUS_TACHYCARDIA)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("rhythm", [*REGULAR, Rhythm.LBBB, Rhythm.RBBB])
def test_the_rate_is_measured(rhythm: Rhythm, seed: int) -> None:
    simulated, window = window_of(rhythm, seed)
    (figures,) = rhythm_figures(window[None], RATE)
    assert 60 / np.exp(figures[0]) == pytest.approx(simulated.heart_rate, rel=0.05)


@pytest.mark.parametrize("rhythm", [*REGULAR, Rhythm.ATRIAL_FIBRILLATION])
def test_every_beat_is_found_once(rhythm: Rhythm) -> None:
    spoilt = Artefacts(white_mv=0.01, wander_mv=0.2, muscle_mv=0.02)
    for seed in SEEDS:
        simulated, window = window_of(rhythm, seed, spoilt=spoilt)
        found = beat_samples(window, RATE) / RATE
        # At the very ends a beat may be cut in two.
        known = simulated.beat_times_s
        known = known[(known > 0.3) & (known < 9.7)]
        apart = np.abs(found[:, None] - known[None, :])
        assert apart.min(axis=0).max() < 0.1, seed
        inside = (found > 0.4) & (found < 9.6)
        assert apart.min(axis=1)[inside].max() < 0.1, seed
        assert (np.diff(found) > 0.25).all()


def test_leads_that_are_missing_do_not_matter() -> None:
    for seed in SEEDS:
        simulated, window = window_of(Rhythm.SINUS, seed, hidden=tuple(range(3, 12)))
        (figures,) = rhythm_figures(window[None], RATE)
        assert 60 / np.exp(figures[0]) == pytest.approx(simulated.heart_rate, rel=0.05)


def test_amplitude_does_not_matter() -> None:
    _, window = window_of(Rhythm.SINUS, 1)
    assert beat_samples(3 * window, RATE).tolist() == beat_samples(window, RATE).tolist()


def test_fibrillation_is_irregular() -> None:
    def figures(rhythm: Rhythm) -> NDArray[np.float32]:
        return rhythm_figures(np.stack([window_of(rhythm, seed)[1] for seed in SEEDS]), RATE)

    regular = np.concatenate([figures(rhythm) for rhythm in REGULAR])
    irregular = figures(Rhythm.ATRIAL_FIBRILLATION)
    assert regular.shape == (3 * len(SEEDS), N_RHYTHM_FIGURES)
    for column in (1, 2):
        assert irregular[:, column].min() > regular[:, column].max()


def test_bigeminy_alternates() -> None:
    _, window = window_of(Rhythm.BIGEMINY, 2)
    (figures,) = rhythm_figures(window[None], RATE)
    _, plain = window_of(Rhythm.SINUS, 2)
    (regular,) = rhythm_figures(plain[None], RATE)
    assert figures[2] > regular[2] + 1


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_nothing_has_no_rhythm(level: float) -> None:
    figures = rhythm_figures(np.full((2, 12, 1000), level, np.float32), RATE)
    assert figures.shape == (2, N_RHYTHM_FIGURES)
    assert np.isnan(figures).all()
    assert median_beat(np.full((12, 1000), level, np.float32), RATE) is None


def test_the_median_beat_is_that_of_the_heart() -> None:
    _, window = window_of(Rhythm.SINUS, 3)
    beat = median_beat(window, RATE)
    assert beat is not None
    assert beat.shape == (12, 70)
    larger = median_beat(2 * window, RATE)
    assert larger == pytest.approx(beat, abs=1e-4)
    other = median_beat(window_of(Rhythm.LBBB, 3)[1], RATE)
    assert other is not None
    wide = [
        (np.abs(np.diff(b[6])) > 0.3 * np.abs(np.diff(b[6])).max()).sum() for b in (beat, other)
    ]
    assert wide[1] > wide[0]
