"""Signs measured on recordings whose rhythm and shape are known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgscreen.preprocess import PreprocessConfig, preprocess
from ecgscreen.simulate import Artefacts, Rhythm, SimulationSettings, simulate
from ecgscreen.vocabulary import load_vocabulary
from trainer.signs import SIGNS, signs_of
from trainer.signs.delineation import delineate

CONFIG = PreprocessConfig()
RATE = CONFIG.sampling_rate
SEEDS = range(6)
ALL = np.ones((1, 12), dtype=np.bool_)
NAMES = [sign.wordings[0] for sign in SIGNS]


def window_of(rhythm: Rhythm, seed: int) -> NDArray[np.float32]:
    settings = SimulationSettings(rhythm, 250.0, seed=seed, artefacts=Artefacts(white_mv=0.01))
    windows = preprocess(simulate(settings).recording, ALL[0], CONFIG).windows
    first: NDArray[np.float32] = windows[0]
    return first


def shown_by(rhythm: Rhythm) -> dict[str, float]:
    """Share of the seeds that show each sign, of those where it is known."""
    windows = np.stack([window_of(rhythm, seed) for seed in SEEDS])
    shown = signs_of(windows, np.repeat(ALL, len(windows), axis=0), RATE)
    found = {}
    for name, column in zip(NAMES, shown.T, strict=True):
        known = column[np.isfinite(column)]
        found[name] = float(known.mean()) if len(known) else math.nan
    return found


@pytest.mark.parametrize(
    ("rhythm", "present", "absent"),
    [
        (
            Rhythm.SINUS,
            [],
            [
                "irregular RR intervals",
                "fast heart rate",
                "slow heart rate",
                "wide QRS complex",
                "no P waves",
                "a beat that comes early",
            ],
        ),
        (Rhythm.SINUS_TACHYCARDIA, ["fast heart rate"], ["slow heart rate"]),
        (Rhythm.SINUS_BRADYCARDIA, ["slow heart rate"], ["fast heart rate"]),
        (Rhythm.ATRIAL_FIBRILLATION, ["irregular RR intervals"], ["slow heart rate"]),
        (
            Rhythm.FIRST_DEGREE_AV_BLOCK,
            ["slow conduction from the atria to the ventricles"],
            ["quick conduction from the atria to the ventricles"],
        ),
        (
            Rhythm.LBBB,
            ["wide QRS complex", "delayed activation of the left ventricle"],
            ["delayed activation of the right ventricle"],
        ),
        (
            Rhythm.RBBB,
            ["wide QRS complex", "delayed activation of the right ventricle"],
            ["delayed activation of the left ventricle"],
        ),
        (Rhythm.PVC, ["an early beat of another shape"], []),
        (
            Rhythm.ST_ELEVATION_INFERIOR,
            ["ST segment above the baseline in the inferior leads"],
            ["ST segment below the baseline in the inferior leads"],
        ),
        (
            Rhythm.ST_ELEVATION_ANTERIOR,
            ["ST segment above the baseline in the anterior leads"],
            ["ST segment below the baseline in the anterior leads"],
        ),
    ],
)
def test_signs_of_known_rhythms(rhythm: Rhythm, present: list[str], absent: list[str]) -> None:
    shown = shown_by(rhythm)
    assert {name: shown[name] for name in present if not shown[name] >= 0.8} == {}
    assert {name: shown[name] for name in absent if not shown[name] <= 0.2} == {}


def test_a_turned_over_recording_has_its_t_waves_turned_over() -> None:
    window = window_of(Rhythm.SINUS, 1)
    upright, turned = delineate(window, RATE), delineate(-window, RATE)
    assert upright is not None
    assert turned is not None
    np.testing.assert_allclose(turned.t, -upright.t, atol=0.02)
    assert abs((turned.axis - upright.axis) % 360 - 180) < 1
    assert turned.qrs_s == pytest.approx(upright.qrs_s)


def test_size_does_not_matter() -> None:
    window = window_of(Rhythm.LBBB, 2)
    small, large = delineate(window, RATE), delineate(5 * window, RATE)
    assert small is not None
    assert large is not None
    for key, value in vars(small).items():
        np.testing.assert_allclose(getattr(large, key), value, rtol=1e-3, atol=1e-3)


def test_what_cannot_be_told_is_nan() -> None:
    window = window_of(Rhythm.SINUS, 0)
    flat = np.zeros_like(window)
    one_lead_short = ALL.copy()
    one_lead_short[0, 7] = False
    assert np.isnan(signs_of(flat[None], ALL, RATE)).all()
    assert np.isnan(signs_of(window[None], one_lead_short, RATE)).all()
    border = replace(SIGNS[0], present=100.0, absent=90.0)
    figures = delineate(window, RATE)
    assert figures is not None
    shown = [border.shown(replace(figures, rate=rate)) for rate in (101.0, 95.0, 89.0)]
    assert shown[0] == 1.0
    assert math.isnan(shown[1])
    assert shown[2] == 0.0


def test_every_wording_belongs_to_one_sign() -> None:
    wordings = [text for sign in SIGNS for text in sign.wordings]
    assert len(wordings) == len(set(wordings))
    assert all(len(sign.wordings) >= 2 for sign in SIGNS)


def test_the_vocabulary_describes_its_concepts_in_signs_that_are_measured() -> None:
    described = {text for concept in load_vocabulary().concepts for text in concept.signs}
    assert described <= set(NAMES)
    assert len(described) > 20
