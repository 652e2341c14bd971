"""Recordings in PTB-XL's layout, with what is known of them."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecgscreen.errors import UsageError
from ecgscreen.preprocess import PreprocessConfig, preprocess
from ecgscreen.recording import SkipReason
from ecgscreen.simulate import Fault, Rhythm, SimulationSettings, simulate, write_faulty, write_wfdb
from ecgscreen.vocabulary import load_vocabulary
from tests.tiny_bundle import N_RECORDINGS, TRAIN_FOLD, VALIDATION_FOLD
from trainer.data import DATABASE, load_ptbxl, read_ptbxl_table

VOCABULARY = load_vocabulary()
CONFIG = PreprocessConfig()
COLUMNS = ("patient_id", "age", "sex", "scp_codes", "strat_fold", "filename_lr", "report")
GOOD = {
    "patient_id": "7",
    "age": "61.0",
    "sex": "1",
    "scp_codes": "{'AFIB': 0.0, 'LVH': 100.0}",
    "strat_fold": "3",
    "filename_lr": "one",
    "report": " vorhofflimmern ",
}
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes rows as a table, over one good recording called ``one``."""
    recording = simulate(SimulationSettings(Rhythm.ATRIAL_FIBRILLATION, 100.0, seed=1)).recording
    write_wfdb(recording, tmp_path, "one")

    def write(*rows: dict[str, str]) -> Path:
        with (tmp_path / DATABASE).open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, COLUMNS)
            table.writeheader()
            table.writerows(GOOD | row for row in rows)
        return tmp_path

    return write


def test_a_row_is_understood(write: Write) -> None:
    folder = write({})
    (row,) = read_ptbxl_table(folder, [3])
    assert row.path == folder / "one.hea"
    assert row.scp_codes == ("AFIB", "LVH")
    assert (row.patient, row.fold, row.age, row.sex) == ("7", 3, 61.0, 1.0)
    assert row.report == "vorhofflimmern"


def test_only_the_wanted_folds_are_given(write: Write) -> None:
    folder = write(*({"strat_fold": str(fold)} for fold in range(1, 11)))
    assert [row.fold for row in read_ptbxl_table(folder, (9, 2))] == [2, 9]


def test_what_is_not_known_of_a_person(write: Write) -> None:
    rows = list(
        read_ptbxl_table(
            write({"age": "300"}, {"age": "", "sex": "", "patient_id": ""}, {"age": "old"}), [3]
        )
    )
    assert rows[0].age == 90.0  # PTB-XL's code for over 89
    assert math.isnan(rows[1].age)
    assert math.isnan(rows[1].sex)
    assert math.isnan(rows[2].age)
    assert rows[1].patient not in {"", rows[0].patient}


@pytest.mark.parametrize(
    "change",
    [
        {"strat_fold": "three"},
        {"strat_fold": ""},
        {"scp_codes": "AFIB"},
        {"scp_codes": "{'AFIB': "},
        {"scp_codes": "__import__('os').mkdir('sprung')"},
        {"scp_codes": "17"},
        {"strat_fold": "inf"},
        {"scp_codes": 3_000 * "[" + 3_000 * "]"},
        {"scp_codes": 30_000 * "-" + "1"},
    ],
)
def test_a_row_that_is_not_understood_is_named(
    write: Write, change: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write({}, change)
    monkeypatch.chdir(folder)
    with pytest.raises(UsageError, match=f"{DATABASE}: line 3 is not as in PTB-XL"):
        load_ptbxl([folder], [3], VOCABULARY, CONFIG)
    assert not (folder / "sprung").exists()


def test_a_statement_that_is_not_known_is_named(write: Write) -> None:
    with pytest.raises(UsageError, match=r"one: 'ABC' is not an SCP-ECG statement"):
        load_ptbxl([write({"scp_codes": "{'ABC': 100}"})], [3], VOCABULARY, CONFIG)


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=DATABASE):
        load_ptbxl([tmp_path], [1], VOCABULARY, CONFIG)
    (tmp_path / DATABASE).write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(UsageError, match="line 2 is not as in PTB-XL"):
        load_ptbxl([tmp_path], [1], VOCABULARY, CONFIG)
    for content, said in (
        (b"\xe4" * 20, "can't decode byte 0xe4"),
        (b"a," + 200_000 * b"x", "field larger than field limit"),
    ):
        (tmp_path / DATABASE).write_bytes(content)
        with pytest.raises(UsageError, match=said):
            load_ptbxl([tmp_path], [1], VOCABULARY, CONFIG)


def test_a_recording_carries_its_statements_and_their_groups(write: Write) -> None:
    recordings = load_ptbxl([write({})], [3], VOCABULARY, CONFIG)
    carried = {
        c for c, is_so in zip(recordings.concept_ids, recordings.carried[0], strict=True) if is_so
    }
    assert carried == VOCABULARY.concepts_of(["AFIB", "LVH"])
    assert {"AFIB", "LVH", "HYP"} <= carried
    assert recordings.concept_ids == tuple(concept.id for concept in VOCABULARY.concepts)


def test_what_cannot_be_used_is_left_out_and_named(write: Write, tmp_path: Path) -> None:
    good = simulate(SimulationSettings(Rhythm.SINUS, 100.0, seed=2)).recording
    write_faulty(good, tmp_path, "cut", Fault.TRUNCATED)
    write_faulty(good, tmp_path, "zero", Fault.ALL_ZERO)
    folder = write(*({"filename_lr": name} for name in ("cut", "one", "zero", "gone")))
    recordings = load_ptbxl([folder], [3], VOCABULARY, CONFIG)
    assert len(recordings.windows) == 1
    assert [(skipped.path.name, skipped.reason) for skipped in recordings.skipped] == [
        ("cut.hea", SkipReason.TRUNCATED),
        ("zero.hea", SkipReason.NO_USABLE_LEAD),
        ("gone.hea", SkipReason.VANISHED),
    ]


def test_nothing_outside_the_folder_is_read(write: Write, tmp_path: Path) -> None:
    outside = write({"filename_lr": "../one"}, {"filename_lr": str(tmp_path / "one")}, {})
    assert (outside / "one.hea").is_file()
    inner = tmp_path / "inner"
    inner.mkdir()
    (outside / DATABASE).rename(inner / DATABASE)
    write_wfdb(simulate(SimulationSettings(Rhythm.SINUS, 100.0, seed=2)).recording, inner, "one")
    recordings = load_ptbxl([inner], [3], VOCABULARY, CONFIG)
    assert len(recordings.windows) == 1
    reasons = [skipped.reason for skipped in recordings.skipped]
    assert reasons == [SkipReason.OUTSIDE_FOLDER] * 2


def test_nothing_left_is_an_error(write: Write) -> None:
    with pytest.raises(UsageError, match=r"no recording of folds \(3,\).*1 skipped"):
        load_ptbxl([write({"filename_lr": "gone"})], [3], VOCABULARY, CONFIG)
    with pytest.raises(UsageError, match=r"no recording of folds \(4,\).*0 skipped"):
        load_ptbxl([write({})], [4], VOCABULARY, CONFIG)


def test_windows_are_those_of_a_scan(write: Write) -> None:
    recordings = load_ptbxl([write({}, {})], [3], VOCABULARY, CONFIG)
    simulated = simulate(SimulationSettings(Rhythm.ATRIAL_FIBRILLATION, 100.0, seed=1)).recording
    expected = preprocess(simulated, np.ones(12, np.bool_), CONFIG).windows[0]
    assert recordings.windows.shape == (2, 12, 1000)
    # Format 16 keeps microvolts: 0.005 units.
    assert recordings.windows[0] == pytest.approx(expected, abs=0.01)
    assert recordings.windows[0].tobytes() == recordings.windows[1].tobytes()
    assert recordings.amplitude_known.all()


def test_a_whole_folder(simulated_ptbxl: Path) -> None:
    both = load_ptbxl([simulated_ptbxl], (TRAIN_FOLD, VALIDATION_FOLD), VOCABULARY, CONFIG)
    n = len(both.windows)
    assert n + len(both.skipped) == N_RECORDINGS
    assert not both.skipped
    assert set(both.folds.tolist()) == {TRAIN_FOLD, VALIDATION_FOLD}
    assert len(set(both.patients.tolist())) == n
    assert both.lead_mask.shape == (n, 12)
    assert both.lead_mask.any(axis=1).all()
    assert both.ages.dtype == both.sexes.dtype == np.float32
    twice = load_ptbxl([simulated_ptbxl] * 2, [TRAIN_FOLD], VOCABULARY, CONFIG)
    assert len(twice.windows) == n


REAL_ROWS = 12


@pytest.mark.parametrize(("folder", "known"), [("ptb-xl", True), ("ptb-xl-zscored", False)])
def test_real_recordings(data_dir: Path, tmp_path: Path, folder: str, known: bool) -> None:
    with (data_dir / folder / DATABASE).open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = [row for row, _ in zip(reader, range(REAL_ROWS), strict=False)]
        names = reader.fieldnames or []
    short = tmp_path / folder
    short.mkdir()
    with (short / DATABASE).open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, names)
        table.writeheader()
        table.writerows(rows)
    for row in rows:
        for suffix in (".hea", ".dat"):
            target = (short / row["filename_lr"]).with_suffix(suffix)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((data_dir / folder / (row["filename_lr"] + suffix)).read_bytes())
    recordings = load_ptbxl([short], range(1, 11), VOCABULARY, CONFIG)
    assert not recordings.skipped
    assert recordings.windows.shape == (REAL_ROWS, 12, 1000)
    assert recordings.amplitude_known.tolist() == [known] * REAL_ROWS
    assert recordings.carried.any(axis=1).all()
    deviation = recordings.windows.std(axis=(1, 2))
    assert (deviation > 0.2).all()
    assert (deviation < 5).all()
    if not known:
        leads = recordings.windows.std(axis=2)[recordings.lead_mask]
        assert leads == pytest.approx(1.0, abs=0.02)
