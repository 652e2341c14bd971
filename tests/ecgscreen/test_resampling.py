"""The filter by itself: what it stops, how it is cut into pieces, and what it costs."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from ecgscreen.resampling import (
    BUTTERWORTH_ORDER,
    BandPass,
    low_pass_matrix,
    remove_baseline,
    resample,
)
from tests.ecgscreen.test_preprocess import OUT_HZ, RATES, amplitude, decibels, times

BAND = BandPass()


@pytest.mark.parametrize("rate", [rate for rate in RATES if rate > 120])
def test_mains_hum_is_stopped_before_it_can_fold_back(rate: float) -> None:
    # The tone is faded in and out: its edges would be broad-band, and pass rightly.
    fade = np.hanning(round(rate * 10) + 1)[:-1]
    for hertz in (50.0, 60.0):
        tone = (np.sin(2 * np.pi * hertz * times(rate)) * fade)[None].astype(np.float32)
        left = resample(tone, rate, OUT_HZ, BAND)
        assert decibels(float(np.abs(left).max())) < (-78 if hertz == 50 else -80)


@pytest.mark.parametrize("rate", [100.0, 333.3, 500.0])
def test_half_the_amplitude_is_left_at_the_edges_of_the_band(rate: float) -> None:
    upper = np.sin(2 * np.pi * 45.0 * times(rate))[None].astype(np.float32)
    left = resample(upper, rate, OUT_HZ, BAND)[0]
    assert amplitude(left, 45.0, OUT_HZ) == pytest.approx(0.5, abs=0.01)
    # A cosine that ends at a turning point is one of those that make up the baseline.
    lower = np.cos(np.pi * 10 * (np.arange(1000) + 0.5) / 1000)[None].astype(np.float32)
    assert remove_baseline(lower, OUT_HZ, BAND) == pytest.approx(0.5 * lower, abs=1e-5)


def test_baseline_follows_the_squared_butterworth_response() -> None:
    for k in (1, 2, 4, 6, 8, 12, 20):
        hertz = k * OUT_HZ / 2000
        wander = np.cos(np.pi * k * (np.arange(1000) + 0.5) / 1000)[None].astype(np.float32)
        kept = 1 / (1 + (0.5 / hertz) ** (2 * BUTTERWORTH_ORDER))
        left = remove_baseline(wander, OUT_HZ, BAND)
        assert left == pytest.approx(kept * wander, abs=2e-6)


@pytest.mark.parametrize("rate", [128.0, 333.3])
def test_columns_of_the_low_pass_sum_to_one(rate: float) -> None:
    for delay_s in (0.0, 0.4 / rate):
        matrix, margin = low_pass_matrix(rate, OUT_HZ, BAND, 400, 100, delay_s)
        assert matrix.shape == (400 + 2 * margin, 100)
        assert matrix.sum(axis=0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("rate", "n"), [(90.0, 451), (100.0, 1000), (257.0, 2003), (500.0, 2587), (1000.0, 3001)]
)
@pytest.mark.parametrize("n_leads", [1, 12])
def test_every_block_of_every_lead_is_that_of_one_large_matrix(
    rate: float, n: int, n_leads: int
) -> None:
    signal = np.random.default_rng(n).normal(0, 1, (3, n_leads, n)).astype(np.float32)
    n_out = int(n * OUT_HZ / rate)
    matrix, margin = low_pass_matrix(rate, OUT_HZ, BAND, n, n_out)
    mirrored = np.pad(signal, [(0, 0), (0, 0), (margin, margin)], mode="symmetric")
    together = resample(signal, rate, OUT_HZ, BAND)
    assert together.shape == (3, n_leads, n_out)
    assert together == pytest.approx(mirrored.astype(np.float64) @ matrix, abs=1e-5)
    for one, expected in zip(signal, together, strict=True):
        assert resample(one, rate, OUT_HZ, BAND).tobytes() == expected.tobytes()


def test_an_odd_and_high_rate_costs_little_memory() -> None:
    rate = 3_999.5
    tone = np.sin(2 * np.pi * 5 * times(rate))[None].astype(np.float32)
    tracemalloc.start()
    try:
        left = resample(tone, rate, OUT_HZ, BAND)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert amplitude(left[0], 5.0, OUT_HZ) == pytest.approx(1.0, abs=1e-3)
    assert most < 200 << 20
