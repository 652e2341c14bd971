"""What is named and is no fault: on simulated recordings, of which the truth is known, and on
real ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecgscreen.assessment import assess, assess_together
from ecgscreen.lead_faults import row_means
from ecgscreen.quality import Grade, Quality, Remark, assess_quality
from ecgscreen.quality_remarks import lead_remarks, not_judged
from ecgscreen.readers import read_recording
from ecgscreen.recording import LEADS, Recording
from ecgscreen.simulate import Artefacts, Rhythm, SimulationSettings, simulate

QUIET = 0.005
"""The hiss of an amplifier, in mV."""


def recording_with(
    rate: float = 500.0, rhythm: Rhythm = Rhythm.SINUS, seed: int = 1, **artefacts: object
) -> Recording:
    spoilt = replace(Artefacts(white_mv=QUIET), **artefacts)  # type: ignore[arg-type]  # any field
    return simulate(SimulationSettings(rhythm, rate, seed=seed, artefacts=spoilt)).recording


def remarks_of(recording: Recording) -> dict[Remark, tuple[str, ...]]:
    quality = assess_quality(recording)
    assert quality.grade is Grade.GOOD
    assert quality.usable.all()
    return dict(quality.remarks)


@pytest.mark.parametrize("rate", [100.0, 257.5, 500.0, 1000.0])
@pytest.mark.parametrize("rhythm", [Rhythm.SINUS, Rhythm.ATRIAL_FIBRILLATION, Rhythm.PVC])
def test_a_clean_recording_has_none(rate: float, rhythm: Rhythm) -> None:
    quality = assess_quality(recording_with(rate, rhythm))
    assert quality.remarks == ()
    assert quality.summary == "good"


@pytest.mark.parametrize("rate", [100.0, 257.5, 500.0, 1000.0])
def test_a_step_is_named_in_its_lead(rate: float) -> None:
    found = [
        remarks_of(recording_with(rate, seed=seed, stepped_leads=("V2", "V5"), step_mv=1.0))
        for seed in range(6)
    ]
    # One close to an end of the recording can be missed.
    assert sum(one == {Remark.STEPS: ("V2", "V5")} for one in found) >= 5
    assert {lead for one in found for leads in one.values() for lead in leads} == {"V2", "V5"}
    small = recording_with(rate, stepped_leads=("V2",), step_mv=0.3)
    assert remarks_of(small) == {}


@pytest.mark.parametrize("rate", [100.0, 500.0])
def test_wander_is_named_and_is_no_step(rate: float) -> None:
    for seed in range(4):
        wandering = remarks_of(recording_with(rate, seed=seed, wander_mv=1.5))
        assert set(wandering) == {Remark.WANDER}
        assert len(wandering[Remark.WANDER]) >= 3
    assert remarks_of(recording_with(rate, wander_mv=0.2)) == {}


@pytest.mark.parametrize(("hz", "remark"), [(50.0, Remark.MAINS_50), (60.0, Remark.MAINS_60)])
@pytest.mark.parametrize("rate", [200.0, 257.5, 500.0, 1000.0])
def test_mains_hum_is_named_with_its_frequency(rate: float, hz: float, remark: Remark) -> None:
    found = remarks_of(recording_with(rate, mains_mv=0.06, mains_hz=hz))
    assert set(found) == {remark}
    assert len(found[remark]) >= 8
    # A mains that is off by a little hums all the same.
    assert set(remarks_of(recording_with(rate, mains_mv=0.06, mains_hz=hz + 0.3))) == {remark}
    assert remarks_of(recording_with(rate, mains_mv=0.01, mains_hz=hz)) == {}


def test_muscle_noise_is_no_hum() -> None:
    noisy = assess_quality(recording_with(muscle_mv=0.1))
    assert not {Remark.MAINS_50, Remark.MAINS_60} & {remark for remark, _ in noisy.remarks}


@pytest.mark.parametrize("rate", [500.0, 1000.0])
def test_spikes_of_a_pacemaker_are_noted(rate: float) -> None:
    for seed in range(4):
        found = remarks_of(recording_with(rate, Rhythm.PACED, seed))
        assert set(found) == {Remark.PACING}
    for rhythm in set(Rhythm) - {Rhythm.PACED}:
        assert remarks_of(recording_with(rate, rhythm)) == {}


def test_what_a_rate_cannot_show_is_said_and_not_guessed() -> None:
    assert not_judged(100.0) == ("mains hum", "pacing spikes")
    assert not_judged(149.9) == ("mains hum", "pacing spikes")
    assert not_judged(360.0) == ("pacing spikes",)
    assert not_judged(500.0) == ()
    assert not_judged(float("nan")) == ()
    assert remarks_of(recording_with(100.0, Rhythm.PACED)) == {}
    assert remarks_of(recording_with(360.0, Rhythm.PACED)) == {}
    # Folded to 40 Hz by sampling: it is there, and nothing says what it was.
    times = np.arange(1000) / 100
    folded = recording_with(100.0)
    folded.signal[:] += (0.05 * np.sin(2 * np.pi * 60 * times)).astype(np.float32)
    assert assess_quality(folded).remarks == ()


def test_the_phrase_keeps_faults_and_remarks_apart() -> None:
    recording = recording_with(
        mains_mv=0.06, stepped_leads=("V2",), clipped_leads=("V4",), clip_mv=0.2
    )
    recording.signal[LEADS.index("aVL")] = 0
    quality = assess_quality(recording)
    assert quality.grade is Grade.USABLE
    assert quality.summary.startswith("usable: aVL flat, V4 clipped; noted: V2 steps, ")
    assert quality.summary.endswith(" leads mains hum 50 Hz")
    assert "V4" not in {lead for _, leads in quality.remarks for lead in leads}


def test_without_a_unit_nothing_is_named() -> None:
    recording = recording_with(wander_mv=2.0, mains_mv=0.2, stepped_leads=("V1",))
    assert assess_quality(recording).remarks
    assert assess_quality(replace(recording, amplitude_known=False)).remarks == ()


def test_rows_in_another_order_and_rows_left_out() -> None:
    recording = recording_with(stepped_leads=("V6",))
    signal, names = recording.signal[::-1].copy(), LEADS[::-1]
    signal[3, 7] = np.nan
    quality = assess_quality(replace(recording, signal=signal, lead_names=names))
    assert quality.summary == "usable: V3 non-finite; noted: V6 steps"


def test_a_long_recording_is_taken_piece_by_piece() -> None:
    recording = recording_with(stepped_leads=("V3",))
    still = recording_with().signal
    signal = np.concatenate([*[still] * 70, recording.signal, still[:, :100]], axis=1)
    found = dict(assess_quality(replace(recording, signal=signal)).remarks)
    assert found[Remark.STEPS] == ("V3",)


@pytest.mark.parametrize("rate", [100.0, 500.0])
def test_together_is_as_alone(rate: float) -> None:
    recordings = [
        recording_with(rate),
        recording_with(rate, wander_mv=1.5),
        recording_with(rate, Rhythm.PACED, stepped_leads=("V2",)),
        recording_with(rate, mains_mv=0.06),
    ]
    signals = np.stack([one.signal for one in recordings])
    deviation = signals - row_means(signals)[..., np.newaxis]
    together: list[Quality] = [quality for _, quality in assess_together(recordings, deviation)]
    for one, quality in zip(recordings, together, strict=True):
        assert assess(one)[1].summary == quality.summary
    assert len({quality.summary for quality in together}) == (4 if rate == 500 else 3)


@pytest.mark.parametrize("rate", [0.3, 1.0, 3.0, 60.0, 150.0, 511.7])
@pytest.mark.parametrize("n_leads", [0, 1, 2])
def test_any_shape_is_taken(rate: float, n_leads: int) -> None:
    n_samples = max(3, int(5.5 * rate))
    signal = np.random.default_rng(0).normal(0, 0.1, (1, n_leads, n_samples)).astype(np.float32)
    assert isinstance(lead_remarks(signal, rate), list)


def test_real_recordings_with_and_without_a_pacemaker(data_dir: Path) -> None:
    """LUDB, 500 Hz: two unipolar devices are seen; there is no note where there is no device."""
    noted = []
    for path in sorted((data_dir / "ludb").rglob("*.hea")):
        recording = read_recording(path)
        assert isinstance(recording, Recording)
        if Remark.PACING in dict(assess_quality(recording).remarks):
            noted.append(path.stem)
    assert noted == ["45", "95"]


def test_real_hum_is_named(data_dir: Path) -> None:
    for name in ("JS20006", "JS45548"):
        (path,) = (data_dir / "cinc2021").rglob(f"{name}.hea")
        recording = read_recording(path)
        assert isinstance(recording, Recording)
        assert "mains hum 50 Hz" in assess_quality(recording).summary
