from __future__ import annotations

import numpy as np
import pytest

from ecgscreen.heard import HEARD_BAND, HEARD_HZ, as_heard
from ecgscreen.lead_faults import lead_faults
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.quality_baseline import baseline_marks
from ecgscreen.quality_noise import fast_share
from ecgscreen.quality_remarks import lead_remarks
from ecgscreen.resampling import resample
from tests.ecgscreen.test_quality import ecg
from tests.ecgscreen.test_quality_noise import bursts, seconds_of


def test_the_shipped_bundles_windows_are_heard() -> None:
    """Else a scan would resample twice."""
    config = PreprocessConfig()
    assert (config.sampling_rate, config.band) == (HEARD_HZ, HEARD_BAND)


@pytest.mark.parametrize("rate", [250.0, 257.0, 500.0, 1000.0])
def test_the_share_is_the_same_where_it_is_heard(rate: float) -> None:
    signal = ecg(rate)
    noise = bursts(rate, signal.shape[1], 1.0)
    deviation = (signal + noise * np.linspace(0, 0.5, 12, dtype=np.float32)[:, None])[np.newaxis]
    deviation -= deviation.mean(axis=-1, keepdims=True)
    heard, rate_heard = as_heard(deviation, rate)
    assert (rate_heard, heard.shape) == (100.0, (1, 12, 1000))
    expected = fast_share(seconds_of(deviation[0], rate), rate)
    assert expected.min() < 0.1, "a lead without noise"
    assert expected.max() > 0.4, "and one of much"
    share = fast_share(seconds_of(heard[0], rate_heard), rate_heard)
    assert share == pytest.approx(expected, abs=0.002)


@pytest.mark.parametrize("rate", [80.0, 100.0, 257.5, 2048.0])
def test_at_other_rates_it_is_looked_for_in_what_there_is(rate: float) -> None:
    deviation = np.zeros((1, 1, round(5 * rate)), np.float32)
    heard, rate_heard = as_heard(deviation, rate, resampled=np.ones((1, 1, 500), np.float32))
    assert heard is deviation
    assert rate_heard == rate


def test_what_is_resampled_already_is_not_resampled_again() -> None:
    deviation = (ecg(500.0) + bursts(500.0, 5000, 0.1))[np.newaxis]
    resampled = resample(deviation, 500.0, HEARD_HZ, HEARD_BAND)
    assert as_heard(deviation, 500.0, resampled)[0] is resampled
    assert (as_heard(deviation, 500.0)[0] == resampled).all()


@pytest.mark.parametrize("rate", [100.0, 500.0])
def test_what_is_found_does_not_depend_on_who_resampled(rate: float) -> None:
    signal = ecg(rate)
    times = np.arange(signal.shape[1]) / rate
    noisy = signal + bursts(rate, signal.shape[1], 0.5)
    wandering = signal + (1.5 * np.sin(2 * np.pi * 0.3 * times)).astype(np.float32)
    stepped = signal + np.where(times < 5.2, 0, 1).astype(np.float32)
    deviation = np.stack([signal, noisy, wandering, stepped])
    deviation -= deviation.mean(axis=-1, keepdims=True)
    resampled = resample(deviation, rate, HEARD_HZ, HEARD_BAND)
    faults = lead_faults(deviation, rate, amplitude_known=True)
    assert lead_faults(deviation, rate, amplitude_known=True, resampled=resampled) == faults
    assert [any(found) for found in faults] == [False, True, False, False]
    marks = lead_remarks(deviation, rate)
    assert lead_remarks(deviation, rate, resampled) == marks
    assert [bool(noted) for noted in marks[2:]] == [True, True]


@pytest.mark.parametrize("rate", [250.0, 500.0, 1000.0])
def test_baselines_are_the_same_where_they_are_heard(rate: float) -> None:
    signal = ecg(rate)
    times = np.arange(signal.shape[1]) / rate
    # Not about the limits, where a lead more or less is noted.
    heights = np.repeat(np.array([0.1, 0.2, 0.8, 1.2], np.float32), 3)[:, np.newaxis]
    wave = np.sin(2 * np.pi * 0.25 * times).astype(np.float32)
    # Nor in the middle of a median, which stand 0.2 s apart from 0.3 s on.
    step = (times > 4.87).astype(np.float32)
    deviation = np.stack([signal + heights * wave, signal + heights * step])
    deviation -= deviation.mean(axis=-1, keepdims=True)
    there, here = baseline_marks(*as_heard(deviation, rate)), baseline_marks(deviation, rate)
    for one, other in zip(there, here, strict=True):
        assert (one == other).all()
        assert 0 < np.count_nonzero(one) < one.size
