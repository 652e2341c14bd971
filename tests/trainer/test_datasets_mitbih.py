"""MIT-BIH: the rule for a window, annotations read, windows placed and labelled."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecgscreen.errors import UsageError
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.recording import LEADS, SkippedRecording
from ecgscreen.simulate import Rhythm, SimulationSettings, simulate
from ecgscreen.simulate.wfdb_writer import write_wfdb
from ecgscreen.vocabulary import load_vocabulary
from trainer.datasets.case import Case, classes_of
from trainer.datasets.mitbih import (
    ARRHYTHMIA,
    Annotations,
    concepts_of_window,
    mitbih_set,
    read_annotations,
)

RATE = 360.0
CODES = {"N": 1, "L": 2, "R": 3, "V": 5, "F": 6, "A": 8, "/": 12, "~": 14, '"': 22, "+": 28}
"""The numbers of annotation codes in the MIT format."""


def annotated(beats: str, rhythms: Sequence[tuple[float, str]] = ((0.0, "(N"),)) -> Annotations:
    """A beat a second, from 0.5 s on."""
    return Annotations(
        times_s=np.arange(len(beats), dtype=np.float64) + 0.5,
        symbols=tuple(beats),
        rhythm_starts_s=np.array([start for start, _ in rhythms]),
        rhythms=tuple(name for _, name in rhythms),
    )


@pytest.mark.parametrize(
    ("beats", "carried"),
    [
        ("NNNNNNNNNN", {"SR", "NORM"}),
        ("NNNN~NNNNN", {"SR", "NORM"}),
        ("NNNNVNNNNN", {"SR", "PVC"}),
        ("NNNNFNNNNN", {"SR", "PVC"}),
        ("NNNNANNNNN", {"SR", "PAC"}),
        ("NNNNaNNNNN", {"SR", "PAC"}),
        ("NNNNxNNNNN", {"SR", "snomed:251170000"}),
        ("NNNNQNNNNN", {"SR"}),
        ("LLLLLLLLLL", {"SR", "CLBBB"}),
        ("LLLLLNNNNN", {"SR", "CLBBB"}),
        ("LLLLNNNNNN", {"SR"}),
        ("LLLLVVVVLL", {"SR", "CLBBB", "PVC"}),
        ("RRRRRARRRR", {"SR", "CRBBB", "PAC"}),
        ("//f/f///VN", {"SR", "PACE", "PVC"}),
        ("NNNNENNNNN", {"SR", "snomed:75532003"}),
        ("", {"SR"}),
    ],
)
def test_beats_of_a_window(beats: str, carried: set[str]) -> None:
    assert concepts_of_window(annotated(beats), 0.0, 10.0) == carried


@pytest.mark.parametrize(
    ("rhythms", "carried"),
    [
        ([(0.0, "(AFIB")], {"AFIB"}),
        ([(0.0, "(N"), (5.0, "(AFIB")], {"SR", "AFIB"}),
        ([(0.0, "(N"), (5.1, "(AFIB")], {"SR"}),
        ([(0.0, "(N"), (1.0, "(AFIB"), (5.0, "(N"), (9.0, "(AFIB")], {"SR", "AFIB"}),
        ([(0.0, "(N"), (9.9, "(B")], {"SR"}),
        ([(0.0, "(B")], {"snomed:11157007"}),
        ([(3.0, "(N")], {"SR"}),
        ([(6.0, "(N")], set()),
        ([(0.0, "(UNHEARD OF")], set()),
        ([], set()),
    ],
)
def test_rhythm_of_a_window(rhythms: list[tuple[float, str]], carried: set[str]) -> None:
    assert concepts_of_window(annotated("N" * 10, rhythms), 0.0, 10.0) == carried


def test_a_beat_at_the_border_belongs_to_the_window_that_begins_there() -> None:
    shifted = replace(
        annotated("N" * 9 + "V" + "N" * 10), times_s=np.arange(1.0, 21.0, dtype=np.float64)
    )
    assert concepts_of_window(shifted, 0.0, 10.0) == {"SR", "NORM"}
    assert concepts_of_window(shifted, 10.0, 20.0) == {"SR", "PVC"}


def write_annotations(file: Path, entries: Sequence[tuple[float, str, str]]) -> None:
    """Write (second, code, note) in the MIT format: words of 6 bits code, 10 bits interval."""
    words = b""
    last = 0
    for time_s, symbol, note in entries:
        sample = round(time_s * RATE)
        interval = sample - last
        last = sample
        if interval > 1023:
            words += struct.pack("<HHH", 59 << 10, interval >> 16, interval & 0xFFFF)
            interval = 0
        words += struct.pack("<H", CODES[symbol] << 10 | interval)
        if note:
            raw = note.encode()
            words += struct.pack("<H", 63 << 10 | len(raw)) + raw + b"\0" * (len(raw) % 2)
    file.write_bytes(words + b"\0\0")


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """35 s of MLII and V1: 10 s sinus, then atrial fibrillation with a PVC at 15 s."""
    settings = SimulationSettings(rhythm=Rhythm.SINUS, seed=1, sampling_rate=RATE, duration_s=35.0)
    whole = simulate(settings).recording
    rows = [LEADS.index("II"), LEADS.index("V1")]
    two = replace(whole, signal=whole.signal[rows], lead_names=("MLII", "V1"))
    path = write_wfdb(two, tmp_path, "202")
    entries = [(0.1, "+", "(N"), *((t + 0.5, "N", "") for t in range(10))]
    entries += [(10.2, "+", "(AFIB"), (12.0, '"', "(a remark"), (15.0, "V", "")]
    entries += [(20.5, "N", ""), (29.9, "N", ""), (34.0, "L", "")]
    write_annotations(path.with_suffix(".atr"), entries)
    return path


def test_annotations_are_read_as_written(record: Path) -> None:
    read = read_annotations(record, record.parent, RATE)
    assert read.rhythms == ("(N", "(AFIB")
    np.testing.assert_allclose(read.rhythm_starts_s, [0.0, 10.2], atol=1 / RATE)
    assert "".join(read.symbols) == "+" + "N" * 10 + '+"VNNL'
    assert read.times_s[-1] == pytest.approx(34.0, abs=1 / RATE)


def test_windows_follow_one_another_and_none_twice(record: Path) -> None:
    labelled = mitbih_set([record.parent], load_vocabulary())
    cases = list(labelled.cases(PreprocessConfig()))
    assert len(cases) == 3  # the fourth window, 25 to 35 s, would share 5 s with the third
    for case in cases:
        assert isinstance(case, Case)
        assert case.windows.shape == (1, 12, 1000)
        assert [LEADS[k] for k in np.flatnonzero(case.lead_mask)] == ["II", "V1"]
        assert np.abs(case.windows[0]).max(axis=1).astype(bool).tolist() == list(case.lead_mask)
    carried = [case.carried for case in cases if isinstance(case, Case)]
    afib = {"AFIB", "any:AFIB/AFLT"}
    assert carried == [{"SR", "NORM"}, afib | {"PVC"}, afib]


def test_two_records_of_one_patient_are_one_patient(record: Path) -> None:
    for suffix in (".hea", ".dat", ".atr"):
        old = record.with_suffix(suffix).read_bytes()
        record.with_name(f"201{suffix}").write_bytes(old.replace(b"202", b"201"))
    labelled = mitbih_set([record.parent], load_vocabulary())
    cases = list(labelled.cases(PreprocessConfig()))
    assert len(cases) == 6
    assert {case.patient for case in cases if isinstance(case, Case)} == {"201"}


def test_a_record_that_cannot_be_read_is_named_and_left_out(record: Path) -> None:
    record.with_suffix(".dat").write_bytes(b"\0" * 100)
    labelled = mitbih_set([record.parent], load_vocabulary())
    (skipped,) = labelled.cases(PreprocessConfig())
    assert isinstance(skipped, SkippedRecording)
    assert skipped.path == record


def test_spoiled_annotations_are_an_error_that_names_the_file(record: Path) -> None:
    record.with_suffix(".atr").write_bytes(b"\xff" * 7)
    labelled = mitbih_set([record.parent], load_vocabulary())
    with pytest.raises(UsageError, match=r"202\.atr"):
        list(labelled.cases(PreprocessConfig()))


def test_a_folder_without_annotations_is_refused(record: Path) -> None:
    record.with_suffix(".atr").unlink()
    with pytest.raises(UsageError, match=r"\.atr"):
        mitbih_set([record.parent], load_vocabulary())


def test_the_set_speaks_of_what_was_annotated_and_of_nothing_else(record: Path) -> None:
    vocabulary = load_vocabulary()
    labelled = mitbih_set([record.parent], vocabulary)
    assert [c.id for c in classes_of(labelled, vocabulary, "arrhythmia")] == list(ARRHYTHMIA)
    # Bradycardia, fascicular block and infarction were not looked for.
    assert not {"SBRAD", "LAFB", "CD", "any:BBB", "MI", "STTC"} & set(labelled.annotated)
    assert {"SR", "AFLT", "BIGU", "TRIGU", "SVTAC", "WPW"} <= set(labelled.annotated)
    with pytest.raises(UsageError, match="for 1 class of"):
        classes_of(labelled, vocabulary, "superclass")
    with pytest.raises(UsageError, match="nonsense") as error:
        classes_of(labelled, vocabulary, "nonsense")
    assert "arrhythmia" in error.value.advice


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # Beats as the database's directory counts them, whole record.
        ("109", {"L": 2492, "V": 38}),
        ("118", {"R": 2166, "V": 16, "A": 96}),
        ("102", {"/": 2028, "f": 56, "N": 99, "V": 4}),
    ],
)
def test_real_annotations(data_dir: Path, name: str, expected: dict[str, int]) -> None:
    folder = data_dir / "mitdb"
    if not folder.is_dir():
        pytest.skip("MIT-BIH is not there")
    read = read_annotations(folder / f"{name}.hea", folder, RATE)
    assert {symbol: read.symbols.count(symbol) for symbol in expected} == expected
    assert read.rhythms[0] == ("(P" if name == "102" else "(N")
    assert read.times_s.max() < 1806
