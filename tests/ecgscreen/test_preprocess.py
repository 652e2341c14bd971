"""The encoder's input: what the filter passes and stops, and that only the heart decides it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgscreen.preprocess import (
    MAX_SAMPLING_RATE,
    MIN_SAMPLING_RATE,
    Prepared,
    PreprocessConfig,
    preprocess,
)
from ecgscreen.recording import LEADS, Recording, RecordingError, SkipReason
from ecgscreen.resampling import (
    BandPass,
    low_pass_matrix,
    slow_cosines,
)
from ecgscreen.simulate import Rhythm, SimulationSettings, simulate

CONFIG = PreprocessConfig()
BAND = CONFIG.band
OUT_HZ = CONFIG.sampling_rate
RATES = (100.0, 128.0, 250.0, 257.0, 333.3, 360.0, 500.0, 1000.0)
ALL = np.ones(12, dtype=np.bool_)

Signal = NDArray[np.float64]


def recording(signal: Signal | NDArray[np.float32], rate: float) -> Recording:
    return Recording(Path("made.hea"), signal.astype(np.float32), rate, LEADS)


def prepare(signal: Signal | NDArray[np.float32], rate: float = 500.0) -> Prepared:
    return preprocess(recording(signal, rate), ALL, CONFIG)


def heart(rate: float = 500.0, rhythm: Rhythm = Rhythm.SINUS, seconds: float = 10.0) -> Recording:
    return simulate(SimulationSettings(rhythm, rate, seconds, seed=3)).recording


def times(rate: float, seconds: float = 10.0) -> Signal:
    return np.arange(round(rate * seconds)) / rate


def amplitude(signal: NDArray[np.float32], frequency: float, rate: float) -> float:
    """Of a tone of known frequency, fitted over the middle six seconds."""
    inner = slice(round(2 * rate), round(8 * rate))
    t = times(rate)[inner]
    waves = np.stack([np.sin(2 * np.pi * frequency * t), np.cos(2 * np.pi * frequency * t)], axis=1)
    fitted = np.linalg.lstsq(waves, signal[inner].astype(np.float64), rcond=None)[0]
    return float(np.hypot(*fitted))


def decibels(ratio: float) -> float:
    return float(20 * np.log10(ratio))


@pytest.mark.parametrize("rate", RATES)
def test_the_pass_band_is_flat(rate: float) -> None:
    frequencies = [1.0, 1.5, 3.0, 10.0, 20.0, 30.0, 38.0]
    tones = [np.sin(2 * np.pi * f * times(rate) + 0.3) for f in frequencies]
    signal = np.stack([*tones, *[tones[0]] * (12 - len(tones))])
    windows = prepare(signal, rate).windows[0] * CONFIG.millivolts_per_unit
    gains = [
        decibels(amplitude(row, f, OUT_HZ)) for row, f in zip(windows, frequencies, strict=False)
    ]
    assert np.abs(gains).max() < 0.1


@pytest.mark.parametrize("phase", np.linspace(0, np.pi, 5))
def test_wander_of_any_phase_leaves_little(phase: float) -> None:
    # 1 mV of wander at 0.05 Hz. Cut anywhere, its mirror image has a kink at the window's ends,
    # where up to a fifteenth remains; away from them it is a three hundredth at most.
    wander = np.sin(2 * np.pi * 0.05 * times(500.0) + phase)
    left = prepare(np.tile(wander, (12, 1))).windows[0, 0] * CONFIG.millivolts_per_unit
    assert np.abs(left).max() < 1 / 15
    assert np.abs(left[200:800]).max() < 1 / 300
    # A slope of 1 mV over the window, as an electrode that dries.
    left = prepare(np.tile(times(500.0) / 10, (12, 1))).windows[0, 0] * CONFIG.millivolts_per_unit
    assert np.abs(left).max() < 1 / 40


@pytest.mark.parametrize("rate", [100.0, 333.3, 500.0])
def test_an_electrode_offset_changes_nothing(rate: float) -> None:
    plain = heart(rate)
    offset = replace(plain, signal=plain.signal + np.float32(300.0))
    expected = preprocess(plain, ALL, CONFIG).windows
    # 300 mV leave a float32 15 nV of resolution: 1.5e-4 units.
    assert preprocess(offset, ALL, CONFIG).windows == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("amplitude_known", [True, False])
@pytest.mark.parametrize("level", [0.0, 0.7, -300.1, 12345.0])
@pytest.mark.parametrize("rate", [100.0, 333.3, 500.0])
def test_a_constant_becomes_zeros(rate: float, level: float, amplitude_known: bool) -> None:
    constant = replace(
        recording(np.full((12, round(10 * rate)), level), rate), amplitude_known=amplitude_known
    )
    windows = preprocess(constant, ALL, CONFIG).windows
    assert np.abs(windows).max() < 1e-6


@pytest.mark.parametrize("rhythm", [Rhythm.SINUS, Rhythm.LBBB, Rhythm.ATRIAL_FIBRILLATION])
def test_one_heart_gives_the_same_windows_at_every_rate(rhythm: Rhythm) -> None:
    finest = preprocess(heart(1000.0, rhythm), ALL, CONFIG).windows
    assert finest.shape == (1, 12, 1000)
    for rate in RATES:
        windows = preprocess(heart(rate, rhythm), ALL, CONFIG).windows
        assert windows.shape == finest.shape
        difference = np.abs(windows - finest)
        # Within a kernel's length of an end the mirrored signals differ, because the last samples
        # stand at different times: much, if a beat is cut in two. Elsewhere only what the heart
        # has above half the sampling rate does. A hundredth of a unit is 2 uV.
        assert difference[..., 60:-60].max() < (0.05 if rate == 100 else 0.01)
    assert np.abs(finest).max() > 3


@pytest.mark.parametrize("rate", RATES)
def test_a_signal_within_the_band_is_only_sampled_anew(rate: float) -> None:
    rng = np.random.default_rng(5)
    hertz, phase = rng.uniform(2, 38, size=(12, 8, 1)), rng.uniform(0, 6, size=(12, 8, 1))
    signal = np.sin(2 * np.pi * hertz * times(rate) + phase).mean(axis=1)
    expected = np.sin(2 * np.pi * hertz * times(OUT_HZ) + phase).mean(axis=1)
    windows = prepare(signal, rate).windows[0] * CONFIG.millivolts_per_unit
    assert windows[:, 200:-200] == pytest.approx(expected[:, 200:-200], abs=1e-3)


def in_float64(signal: NDArray[np.float32], rate: float) -> Signal:
    """The same operator as one dense matrix a step, in double precision."""
    centred = signal - signal.mean(axis=1, keepdims=True, dtype=np.float64)
    n_in = signal.shape[1]
    n_out = math.floor(n_in / rate * OUT_HZ + 1e-9)
    matrix, margin = low_pass_matrix(rate, OUT_HZ, BAND, n_in, n_out)
    slow = np.pad(centred, ((0, 0), (margin, margin)), mode="symmetric") @ matrix
    basis, removed = slow_cosines(n_out, OUT_HZ, BAND)
    flat: Signal = slow - (slow @ basis * removed) @ basis.T
    return flat / CONFIG.millivolts_per_unit


@pytest.mark.parametrize("rate", RATES)
def test_float32_in_pieces_equals_float64_as_a_whole(rate: float) -> None:
    one = heart(rate, Rhythm.PVC, seconds=5.0)
    windows = preprocess(one, ALL, CONFIG).windows
    expected = in_float64(one.signal, rate)
    assert windows[0, :, : expected.shape[1]] == pytest.approx(expected, abs=1e-4)
    assert not windows[0, :, 500:].any()


def test_masked_leads_are_zeros() -> None:
    usable = ALL.copy()
    usable[[0, 7]] = False
    broken = heart()
    broken.signal[[0, 7]] = np.nan
    prepared = preprocess(broken, usable, CONFIG)
    assert prepared.lead_mask.tolist() == usable.tolist()
    assert not prepared.windows[:, [0, 7]].any()
    assert prepared.windows[:, usable].tobytes() == (
        preprocess(heart(), ALL, CONFIG).windows[:, usable].tobytes()
    )


def test_leads_count_by_name() -> None:
    one = heart()
    order = np.random.default_rng(1).permutation(12)
    shuffled = replace(
        one, signal=one.signal[order], lead_names=tuple(LEADS[i] for i in order.tolist())
    )
    expected = preprocess(one, ALL, CONFIG)
    found = preprocess(shuffled, ALL, CONFIG)
    assert found.windows == pytest.approx(expected.windows, abs=1e-5)
    assert found.lead_mask.all()


def test_three_leads_of_twelve() -> None:
    one = heart()
    some = replace(one, signal=one.signal[[10, 1, 6]], lead_names=("V5", "II", "V1"))
    prepared = preprocess(some, ALL, CONFIG)
    assert [LEADS[i] for i in np.flatnonzero(prepared.lead_mask)] == ["II", "V1", "V5"]
    whole = preprocess(one, ALL, CONFIG).windows
    assert prepared.windows[:, [1, 6, 10]] == pytest.approx(whole[:, [1, 6, 10]], abs=1e-5)


def test_unknown_amplitude_becomes_unit_deviation() -> None:
    one = heart()
    prepared = [
        preprocess(
            replace(one, signal=one.signal * np.float32(gain), amplitude_known=False), ALL, CONFIG
        ).windows
        for gain in (1.0, 0.013, 4000.0)
    ]
    assert prepared[0].std(axis=-1) == pytest.approx(1.0, abs=1e-4)
    assert prepared[1] == pytest.approx(prepared[0], abs=1e-4)
    assert prepared[2] == pytest.approx(prepared[0], abs=1e-4)


def test_known_amplitude_is_kept() -> None:
    one = heart()
    doubled = replace(one, signal=one.signal * np.float32(2))
    expected = 2 * preprocess(one, ALL, CONFIG).windows
    assert preprocess(doubled, ALL, CONFIG).windows == pytest.approx(expected, abs=1e-4)


def test_a_jumping_electrode_is_cut_off() -> None:
    one = heart()
    one.signal[3, 2500:2600] += 80.0
    assert np.abs(preprocess(one, ALL, CONFIG).windows).max() == CONFIG.clip


# 7.3 s at 333.3 Hz are 2,433 samples, a third of a millisecond too few for a 730th.
@pytest.mark.parametrize(("rate", "n"), [(250.0, 730), (333.3, 729), (360.0, 730)])
def test_a_short_recording_is_filled_with_zeros(rate: float, n: int) -> None:
    prepared = preprocess(heart(rate, seconds=7.3), ALL, CONFIG)
    assert prepared.windows.shape == (1, 12, 1000)
    assert prepared.windows[..., n - 1].all()
    assert not prepared.windows[..., n:].any()
    assert prepared.starts_s.tolist() == [0.0]


@pytest.mark.parametrize("rate", [100.0, 333.3, 500.0])
def test_the_last_window_ends_with_the_recording(rate: float) -> None:
    long = heart(rate, seconds=25.0)
    prepared = preprocess(long, ALL, CONFIG)
    assert prepared.windows.shape == (3, 12, 1000)
    assert prepared.starts_s == pytest.approx([0.0, 10.0, 15.0], abs=1 / rate)
    assert prepared.starts_s.dtype == np.float32
    n = round(10 * rate)
    for window, part in zip(
        prepared.windows,
        (long.signal[:, :n], long.signal[:, n : 2 * n], long.signal[:, -n:]),
        strict=True,
    ):
        alone = preprocess(replace(long, signal=part), ALL, CONFIG)
        assert alone.windows.tobytes() == window.tobytes()


def test_whole_windows_follow_one_another() -> None:
    prepared = preprocess(heart(seconds=30.0), ALL, CONFIG)
    assert prepared.starts_s.tolist() == [0.0, 10.0, 20.0]


@pytest.mark.parametrize("rate", [MIN_SAMPLING_RATE - 0.1, MAX_SAMPLING_RATE + 1, 1.0])
def test_a_rate_that_the_filter_is_not_made_for_is_refused(rate: float) -> None:
    signal = np.zeros((12, round(max(rate, 1) * 10)))
    with pytest.raises(RecordingError, match="expected 80 to 20000 Hz") as caught:
        prepare(signal, rate)
    assert caught.value.reason == SkipReason.BAD_SAMPLING_RATE


@pytest.mark.parametrize("rate", [80.0, 81.7, 90.0])
def test_slow_recordings_lose_only_the_upper_part_of_the_band(rate: float) -> None:
    windows = prepare(np.tile(np.sin(2 * np.pi * 20 * times(rate)), (12, 1)), rate).windows
    gain = decibels(amplitude(windows[0, 0], 20.0, OUT_HZ) * CONFIG.millivolts_per_unit)
    assert gain == pytest.approx(0.0, abs=0.1)


def test_other_recordings_leave_no_trace() -> None:
    first = preprocess(heart(), ALL, CONFIG).windows.tobytes()
    for rate in RATES:
        preprocess(heart(rate, Rhythm.ATRIAL_FLUTTER, 13.0), ALL, CONFIG)
    assert preprocess(heart(), ALL, CONFIG).windows.tobytes() == first


def test_the_signal_is_not_altered() -> None:
    one = heart()
    before = one.signal.copy()
    preprocess(one, ALL, CONFIG)
    assert one.signal.tobytes() == before.tobytes()


def test_configuration_survives_the_manifest() -> None:
    config = PreprocessConfig(window_s=5.0, high_pass_hz=0.3)
    assert PreprocessConfig.from_dict(config.to_dict()) == config
    assert config.band == BandPass(0.3, 40.0, 50.0)
    values = config.to_dict()
    with pytest.raises(TypeError, match="clip"):
        PreprocessConfig.from_dict({k: v for k, v in values.items() if k != "clip"})
    with pytest.raises(TypeError, match="gain"):
        PreprocessConfig.from_dict({**values, "gain": 1.0})
