"""Long recordings in every format that is read in pieces: the pieces are the whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ecgscreen.readers import pieces as pieces_module
from ecgscreen.readers import read_recording, wfdb_differences
from ecgscreen.readers.age import CHILD_NOTE
from ecgscreen.readers.pieces import Pieces, announced_duration_s, open_pieces
from ecgscreen.recording import Recording, RecordingError, SkippedRecording, SkipReason
from ecgscreen.simulate import Rhythm, SimulationSettings, simulate
from ecgscreen.simulate.wfdb_writer import write_wfdb
from tests.ecgscreen.formats.binary import write_ishne
from tests.ecgscreen.formats.edf import write_edf

HEART = simulate(SimulationSettings(Rhythm.SINUS, sampling_rate=100.0)).recording
LONG = replace(HEART, signal=np.tile(HEART.signal, 15)[:, :-500])
"""145 s."""


def write_212(recording: Recording, folder: Path) -> Path:
    """Pairs of 12 bits in three bytes (signal(5)), 5 uV a unit."""
    values = np.rint(recording.signal.T * 200).astype(np.int64).ravel() & 0xFFF
    first, second = np.append(values, np.zeros(len(values) % 2, np.int64)).reshape(-1, 2).T
    packed = np.stack([first & 0xFF, first >> 8 | second >> 8 << 4, second & 0xFF], axis=1)
    (folder / "packed.dat").write_bytes(packed.astype(np.uint8).tobytes())
    lines = [f"packed {len(recording.lead_names)} 100 {recording.signal.shape[1]}"]
    lines += [f"packed.dat 212 200 12 0 0 0 0 {lead}" for lead in recording.lead_names]
    path = folder / "packed.hea"
    path.write_text("\n".join(lines))
    return path


def write_differences(recording: Recording, folder: Path) -> Path:
    """A byte a sample, the difference from the one before (signal(5)), 10 uV a unit."""
    values = np.rint(recording.signal.T * 100).astype(np.int64)
    first = values[0] + [0, 3, -3]
    steps = np.diff(values, axis=0, prepend=first[np.newaxis]).clip(-128, 127)
    (folder / "steps.dat").write_bytes(steps.astype(np.int8).tobytes())
    lines = [f"steps {len(recording.lead_names)} 100 {recording.signal.shape[1]}"]
    lines += [
        f"steps.dat 8 100({place}) 12 0 {value} 0 0 {lead}"
        for place, (value, lead) in enumerate(zip(first, recording.lead_names, strict=True))
    ]
    path = folder / "steps.hea"
    path.write_text("\n".join(lines))
    return path


def write_flac(recording: Recording, folder: Path) -> Path:
    """Compressed without loss, 1 uV a unit."""
    values = np.rint(recording.signal.T * 1000).astype(np.int16)
    soundfile.write(folder / "flac.dat", values, 100, format="FLAC", subtype="PCM_16")
    lines = [f"flac {len(recording.lead_names)} 100 {recording.signal.shape[1]}"]
    lines += [f"flac.dat 516 1000 16 0 0 0 0 {lead}" for lead in recording.lead_names]
    path = folder / "flac.hea"
    path.write_text("\n".join(lines))
    return path


HOLTER_LEADS = Recording(LONG.path, LONG.signal[[6, 1, 10]], 100.0, ("V1", "II", "V5"))
FORMATS = {
    "212": write_212,
    "8": write_differences,
    "FLAC": write_flac,
    "EDF": write_edf,
    "ISHNE": write_ishne,
}


@pytest.mark.parametrize("form", FORMATS)
def test_files_of_holter_recorders_are_read_in_pieces(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = FORMATS[form](HOLTER_LEADS, tmp_path)
    whole = read_recording(path)
    assert isinstance(whole, Recording)
    assert announced_duration_s(path, tmp_path) == pytest.approx(145, abs=0.5)
    monkeypatch.setattr(pieces_module, "read_recording", lambda *_: pytest.fail("read whole"))
    opened = open_pieces(path, tmp_path)
    assert isinstance(opened, Pieces)
    assert opened.n_samples == whole.signal.shape[1]
    assert opened.whole == replace(whole, signal=opened.whole.signal)
    assert opened.whole.signal.shape == (3, 0)
    monkeypatch.setattr(wfdb_differences, "_BLOCK_FRAMES", 4_000)
    pieces = ((9_000, 9_500), (0, 1000), (333, 14_500), (1, 2), (14_499, 14_500), (14_000, 14_500))
    for start, stop in pieces:
        piece = opened.read(start, stop)
        assert piece.dtype == np.float32
        assert np.array_equal(piece, whole.signal[:, start:stop])


def test_segments_are_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files, the second of fewer leads and in format 212, twice; a gap between them."""
    write_wfdb(LONG, tmp_path, "first")
    write_212(HOLTER_LEADS, tmp_path)
    lines = ["whole/4 12 100 44500", "first 14500", "~ 1000", "packed 14500", "packed 14500"]
    path = tmp_path / "whole.hea"
    path.write_text("\n".join(lines))
    whole = read_recording(path)
    assert isinstance(whole, Recording)
    assert announced_duration_s(path, tmp_path) == 445
    monkeypatch.setattr(pieces_module, "read_recording", lambda *_: pytest.fail("read whole"))
    opened = open_pieces(path, tmp_path)
    assert isinstance(opened, Pieces)
    assert opened.n_samples == 44_500
    assert opened.whole == replace(whole, signal=opened.whole.signal)
    for start, stop in ((0, 14_500), (14_400, 15_700), (29_000, 31_001), (44_499, 44_500)):
        piece = opened.read(start, stop)
        assert np.array_equal(piece, whole.signal[:, start:stop], equal_nan=True)
    assert np.isnan(opened.read(14_500, 15_500)).all()


def test_segments_that_are_nearly_all_gap_are_refused(tmp_path: Path) -> None:
    write_wfdb(LONG, tmp_path, "first")
    path = tmp_path / "whole.hea"
    path.write_text("whole/2 12 100 10014500\nfirst 14500\n~ 10000000")
    opened = open_pieces(path, tmp_path)
    assert isinstance(opened, SkippedRecording)
    assert opened.reason is SkipReason.TOO_LARGE
    assert "nearly all of them gaps" in opened.detail


@pytest.mark.parametrize("form", ["EDF", "ISHNE"])
def test_a_unit_that_no_piece_names_is_that_of_the_beginning(tmp_path: Path, form: str) -> None:
    path = FORMATS[form](HOLTER_LEADS, tmp_path)
    content = path.read_bytes()
    if form == "EDF":
        content = content.replace(b"uV      ", b"        ")
    else:
        content = content[:206] + bytes(24) + content[230:]
    path.write_bytes(content)
    opened = open_pieces(path, tmp_path)
    assert isinstance(opened, Pieces)
    assert any("names no unit: taken as uV" in note for note in opened.whole.notes)
    whole = read_recording(path)
    assert isinstance(whole, Recording)
    assert np.array_equal(opened.read(9_000, 9_500), whole.signal[:, 9_000:9_500])


def test_a_file_that_changes_between_two_pieces_is_an_error(tmp_path: Path) -> None:
    path = write_ishne(HOLTER_LEADS, tmp_path)
    opened = open_pieces(path, tmp_path)
    assert isinstance(opened, Pieces)
    content = path.read_bytes()
    path.write_bytes(content[:158] + b"\5\0" + content[160:])
    with pytest.raises(RecordingError, match="another recording than a moment ago"):
        opened.read(0, 100)
    path.write_bytes(content[:9_000])
    with pytest.raises(RecordingError):
        opened.read(9_000, 9_500)


def test_samples_that_a_holter_recorder_could_not_take_are_none(tmp_path: Path) -> None:
    path = write_ishne(HOLTER_LEADS, tmp_path)
    content = bytearray(path.read_bytes())
    content[-6:-4] = (-32768).to_bytes(2, "little", signed=True)
    path.write_bytes(content)
    recording = read_recording(path)
    assert isinstance(recording, Recording)
    assert np.isnan(recording.signal[0, -1])
    assert np.isfinite(recording.signal[1:]).all()


def test_the_age_is_noted_of_a_long_recording_too(tmp_path: Path) -> None:
    path = write_wfdb(LONG, tmp_path, "child")
    with path.open("a") as header:
        header.write("# Age: 9\n")
    opened = open_pieces(path, tmp_path)
    assert isinstance(opened, Pieces)
    assert opened.whole.notes == (CHILD_NOTE,)


def test_a_compressed_file_that_is_shorter_than_announced_is_an_error(tmp_path: Path) -> None:
    path = write_flac(HOLTER_LEADS, tmp_path)
    path.write_text(path.read_text().replace("14500", "15500"))
    opened = open_pieces(path, tmp_path)
    assert isinstance(opened, Pieces)
    assert opened.read(14_000, 14_500).shape == (3, 500)
    for start, stop in ((14_000, 15_500), (15_000, 15_500)):
        with pytest.raises(RecordingError, match="the wfdb package refused it"):
            opened.read(start, stop)
