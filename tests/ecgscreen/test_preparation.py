"""Reading and preparing: a row or a prepared recording for each, the same from any process."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecgscreen.assessment import assess
from ecgscreen.discover import Discovery
from ecgscreen.found import Found
from ecgscreen.long_recording import LongRecording
from ecgscreen.preparation import PreparedRecord, prepare_recording, prepare_recordings
from ecgscreen.preprocess import PreprocessConfig, preprocess
from ecgscreen.readers import read_recording
from ecgscreen.recording import LEADS, Recording, SkippedRecording, SkipReason
from ecgscreen.results import RecordResult, Status
from ecgscreen.simulate import (
    Artefacts,
    Fault,
    Rhythm,
    SimulationSettings,
    simulate,
    write_dataset,
    write_faulty,
    write_wfdb,
)

CONFIG = PreprocessConfig()


def heart(seconds: float = 10.0, artefacts: Artefacts | None = None) -> Recording:
    settings = SimulationSettings(
        Rhythm.SINUS, 250.0, seconds, seed=8, artefacts=artefacts or Artefacts()
    )
    return simulate(settings).recording


def found(path: Path, problem: SkippedRecording | None = None) -> Found:
    return Found(path, path.parent, path.name, problem)


def prepared_as(path: Path) -> PreparedRecord:
    result = prepare_recording(found(path), CONFIG)
    assert isinstance(result, PreparedRecord), result
    return result


def row_of(path: Path, problem: SkippedRecording | None = None) -> RecordResult:
    result = prepare_recording(found(path, problem), CONFIG)
    assert isinstance(result, RecordResult)
    assert result.path == path.name
    assert result.n_windows == 0
    return result


def test_a_good_recording(tmp_path: Path) -> None:
    record = prepared_as(write_wfdb(heart(23.0), tmp_path, "good"))
    assert (record.name, record.quality, record.notes) == ("good.hea", "good", ())
    assert (record.sampling_rate, record.duration_s) == (250.0, 23.0)
    assert record.prepared.windows.shape == (3, 12, 1000)
    assert record.prepared.lead_mask.all()


def test_a_scored_row_keeps_everything(tmp_path: Path) -> None:
    artefacts = Artefacts(off_leads=("V3",))
    record = prepared_as(write_wfdb(heart(12.0, artefacts), tmp_path, "one"))
    embeddings = np.random.default_rng(0).normal(size=(2, 16)).astype(np.float32)
    row = record.scored(embeddings)
    assert row.status is Status.SCORED
    assert row.leads == tuple(name for name in LEADS if name != "V3")
    assert row.quality == "usable: V3 flat"
    assert row.embeddings.tobytes() == embeddings.astype(np.float16).tobytes()
    assert row.window_starts_s.tolist() == [0.0, 2.0]
    assert (row.reason, row.detail, row.duration_s) == ("", "", 12.0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_embedding_that_is_not_finite_is_an_error(tmp_path: Path, value: float) -> None:
    record = prepared_as(write_wfdb(heart(), tmp_path, "one"))
    row = record.scored(np.array([[1.0, value]], np.float32))
    assert (row.status, row.reason) == (Status.ERROR, SkipReason.NO_EMBEDDING)
    assert row.n_windows == 0


FAULTS = {
    Fault.TRUNCATED: (Status.ERROR, SkipReason.TRUNCATED),
    Fault.ALL_ZERO: (Status.UNUSABLE, SkipReason.NO_USABLE_LEAD),
    Fault.NO_SIGNAL_FILE: (Status.ERROR, SkipReason.NO_SIGNAL_FILE),
    Fault.TOO_SHORT: (Status.UNUSABLE, SkipReason.TOO_SHORT),
    Fault.NO_SIGNALS: (Status.ERROR, SkipReason.NO_SIGNALS),
    Fault.ALL_INVALID: (Status.UNUSABLE, SkipReason.NO_USABLE_LEAD),
    Fault.NO_KNOWN_LEAD: (Status.ERROR, SkipReason.NO_KNOWN_LEAD),
    Fault.ZERO_SAMPLING_RATE: (Status.ERROR, SkipReason.BAD_SAMPLING_RATE),
    Fault.ZERO_GAIN: (Status.ERROR, SkipReason.BAD_GAIN),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_recording_is_a_row_with_a_reason(tmp_path: Path, fault: Fault) -> None:
    row = row_of(write_faulty(heart(), tmp_path, "bad", fault))
    assert (row.status, row.reason) == FAULTS[fault]
    assert row.detail
    if row.status is Status.UNUSABLE:
        # It was read: what is known of it is kept.
        assert row.quality.startswith("unusable")
        assert row.sampling_rate == 250.0
        assert row.duration_s == (2.0 if fault is Fault.TOO_SHORT else 10.0)


def test_a_problem_of_the_walk_is_passed_on(tmp_path: Path) -> None:
    path = tmp_path / "alone.dat"
    row = row_of(path, SkippedRecording(path, SkipReason.NO_HEADER, "alone.hea is not there"))
    assert (row.status, row.reason) == (Status.ERROR, SkipReason.NO_HEADER)
    assert row.detail == "alone.hea is not there"


def test_a_recording_that_vanished(tmp_path: Path) -> None:
    assert row_of(tmp_path / "gone.hea").status is Status.VANISHED


def test_a_sampling_rate_beyond_the_filter_is_an_error(tmp_path: Path) -> None:
    slow = replace(heart(), sampling_rate=50.0)
    row = row_of(write_wfdb(slow, tmp_path, "slow"))
    assert (row.status, row.reason) == (Status.ERROR, SkipReason.BAD_SAMPLING_RATE)
    assert row.detail == "50 Hz, expected 80 to 20000 Hz"
    assert row.sampling_rate == 50.0


def test_a_recording_alone_is_what_it_is_among_others(tmp_path: Path) -> None:
    one = write_wfdb(heart(), tmp_path, "one")
    before = prepared_as(one)
    write_dataset(tmp_path / "others", 6, seed=4)
    for path in sorted((tmp_path / "others").glob("*.hea")):
        prepared_as(path)
    again = prepared_as(one)
    assert again.prepared.windows.tobytes() == before.prepared.windows.tobytes()


def as_alone(one: Found) -> bytes:
    """What the steps give for a recording by itself."""
    recording, quality = assess(read(one))
    if quality.reason is not None:
        return quality.summary.encode()
    prepared = preprocess(recording, quality.usable, CONFIG)
    parts = (prepared.windows, prepared.lead_mask, prepared.starts_s)
    words = f"{quality.summary} {recording.notes} {recording.duration_s}"
    return b"".join(part.tobytes() for part in parts) + words.encode()


def read(one: Found) -> Recording:
    recording = read_recording(one.path, one.root)
    assert isinstance(recording, Recording)
    return recording


def as_prepared(record: PreparedRecord | LongRecording | RecordResult) -> bytes:
    assert not isinstance(record, LongRecording)
    if isinstance(record, RecordResult):
        return record.quality.encode()
    prepared = record.prepared
    parts = (prepared.windows, prepared.lead_mask, prepared.starts_s)
    words = f"{record.quality} {record.notes} {record.duration_s}"
    return b"".join(part.tobytes() for part in parts) + words.encode()


def test_together_each_has_the_bits_that_it_has_alone(tmp_path: Path) -> None:
    write_dataset(tmp_path / "fast", 9, seed=8, sampling_rate=500.0)
    slow = tmp_path / "slow"
    write_dataset(slow, 40, seed=7, sampling_rate=100.0)
    ecg = heart()
    upside_down = np.array([-1, 1, -1, 1, 1, 1, 1, 1, 1, 1, 1, 1], np.float32)[:, np.newaxis]
    others = {
        "0a": heart(7.0),
        "0b": replace(ecg, signal=np.where(np.arange(2500) == 70, np.float32(np.nan), ecg.signal)),
        "0c": heart(artefacts=Artefacts(off_leads=("II", "V6"))),
        "0d": replace(ecg, signal=ecg.signal[[0, 2, 1, *range(3, 12)]]),
        "0e": replace(ecg, signal=ecg.signal[[0, 1, 2, 4, 3, *range(5, 12)]] * upside_down),
        "0f": replace(ecg, signal=ecg.signal * 0),
        "0g": replace(ecg, signal=ecg.signal[:3], lead_names=LEADS[:3]),
        "0h": heart(23.0),
    }
    for name, recording in others.items():
        write_wfdb(recording, slow, name)
        write_wfdb(ecg, slow, name + "_then")
    recordings = list(Discovery([tmp_path]))
    together = list(prepare_recordings(recordings, CONFIG))
    assert [as_prepared(one) for one in together] == [as_alone(one) for one in recordings]
    noted = {one.name for one in together if isinstance(one, PreparedRecord) and one.notes}
    assert {"slow/0d.hea", "slow/0e.hea", "slow/0g.hea"} <= noted
    qualities = Counter(
        one.quality.partition(":")[0] for one in together if not isinstance(one, LongRecording)
    )
    assert min(qualities["good"], qualities["usable"]) > 5
    assert qualities["unusable"] >= 2
