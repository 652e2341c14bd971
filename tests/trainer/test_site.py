"""A site's tables: who is on which side, what is left out, what is refused."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from ecgscreen.errors import UsageError
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.simulate import Rhythm, SimulationSettings, simulate, write_wfdb
from ecgscreen.vocabulary import load_vocabulary
from tests.labelled_recordings import concepts_of, labelled
from trainer.config import TrainConfig
from trainer.site import MIN_RECORDINGS, check_parts, held_out_folds, load_site
from trainer.splits import patient_fold

VOCABULARY = load_vocabulary()
CONFIG = PreprocessConfig()
COLUMNS = ("path", "patient_id", "report", "statements", "age", "sex")
Write = Callable[..., Path]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good recordings ``r0.hea`` and so on: one signal, each with an amplitude of its own."""
    folder = tmp_path_factory.mktemp("site")
    recording = simulate(SimulationSettings(Rhythm.SINUS, 100.0, seed=1)).recording
    header = write_wfdb(recording, folder, "r").read_text(encoding="ascii")
    assert " 1000(0)" in header
    for k in range(60):
        text = header.replace(" 1000(0)", f" {1000 + k}(0)")
        (folder / f"r{k}.hea").write_text(text, encoding="ascii")
    return folder


@pytest.fixture
def write(folder: Path) -> Write:
    """Writes rows as a table beside the recording, with a blank for what is not given."""

    def write(rows: Sequence[dict[str, str]], columns: Sequence[str] = COLUMNS) -> Path:
        path = folder / "site.csv"
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            table = csv.DictWriter(file, columns, extrasaction="ignore")
            table.writeheader()
            table.writerows({"path": f"r{k}.hea"} | row for k, row in enumerate(rows))
        return path

    return write


def rows(n: int = MIN_RECORDINGS, **more: str) -> list[dict[str, str]]:
    """Rows of a patient each, every second one in atrial fibrillation."""
    cells = [("AFIB", "Vorhofflimmern"), ("SR", "Sinusrhythmus")]
    return [
        {"patient_id": f"p{k}", "statements": cells[k % 2][0], "report": cells[k % 2][1]} | more
        for k in range(n)
    ]


def test_a_patient_has_one_fold_for_good() -> None:
    # Fixed for good: another value here would train on patients who were held out.
    assert [patient_fold(f"p{k}") for k in range(6)] == [10, 3, 8, 3, 1, 6]
    counts = Counter(patient_fold(f"{k}") for k in range(5000))
    assert set(counts) == set(range(1, 11))
    assert min(counts.values()) > 400


def test_all_recordings_of_a_patient_are_on_one_side(write: Write) -> None:
    several = [row | {"patient_id": f"p{k // 3}"} for k, row in enumerate(rows(60))]
    recordings = load_site([write(several)], VOCABULARY, CONFIG).recordings
    for patient in np.unique(recordings.patients):
        assert len(set(recordings.folds[recordings.patients == patient].tolist())) == 1


def test_statements_come_first_and_rows_without_are_left_out(write: Write) -> None:
    table = write([*rows(), *rows(4, statements="", report="Linksschenkelblock")])
    site = load_site([table], VOCABULARY, CONFIG)
    assert site.labels_from == "statements"
    assert len(site.recordings.windows) == MIN_RECORDINGS
    assert site.notes[0].startswith("50 recordings have statements, 4 none")
    assert concepts_of(site.recordings, 0) == {"AFIB", "any:AFIB/AFLT"}


def test_reports_label_where_there_are_no_statements(write: Write) -> None:
    table = write([*rows(52, statements=""), *rows(3, report="siehe oben", statements="")])
    site = load_site([table], VOCABULARY, CONFIG)
    assert site.labels_from == "reports"
    assert site.notes[0].startswith("52 recordings got statements from reports, 3 none")
    assert concepts_of(site.recordings, 1) == {"SR"}


def test_reports_label_where_they_are_asked_to(write: Write) -> None:
    wrong = rows(statements="CLBBB")
    site = load_site([write(wrong)], VOCABULARY, CONFIG, labels_from="reports")
    assert concepts_of(site.recordings, 0) == {"AFIB", "any:AFIB/AFLT"}


def test_age_and_sex_are_understood(write: Write) -> None:
    people = [("93", "w"), ("55", "M"), ("", ""), ("x", "divers")]
    table = [
        row | dict(zip(("age", "sex"), people[k % 4], strict=True)) for k, row in enumerate(rows())
    ]
    recordings = load_site([write(table)], VOCABULARY, CONFIG).recordings
    np.testing.assert_array_equal(recordings.ages[:4], [90, 55, np.nan, np.nan])
    np.testing.assert_array_equal(recordings.sexes[:4], [1, 0, np.nan, np.nan])


def test_ages_that_are_none_are_unknown(write: Write) -> None:
    ages = ["-5", "NaN", "300", "999", "inf", "63,5", "1e400", "abc", "", "\0"]
    table = [row | {"age": age} for row, age in zip(rows(60), 6 * ages, strict=True)]
    site = load_site([write(table)], VOCABULARY, CONFIG)
    nan = np.nan
    expected = [nan, nan, 90, nan, nan, 63.5, nan, nan, nan, nan]
    np.testing.assert_array_equal(site.recordings.ages[:10], expected)
    assert site.notes[1].startswith("42 rows with an age that is none")


def test_a_recording_of_two_patients_is_on_one_side_only(write: Write) -> None:
    again = [{"path": "r0.hea", "patient_id": f"q{k}", "statements": "SR"} for k in range(10)]
    site = load_site([write([*rows(), *again])], VOCABULARY, CONFIG)
    assert len(site.recordings.windows) == MIN_RECORDINGS
    assert not any(patient.startswith("q") for patient in site.recordings.patients)
    assert site.notes[1].startswith("10 rows with the signal of an earlier row: left out")


@pytest.mark.parametrize("report", ["   ", "\0", "x\0y", "\u2028", "Sinusrhythmus " * 9_000])
def test_reports_may_be_anything_that_fits_a_cell(write: Write, report: str) -> None:
    table = write([*rows(statements=""), *rows(2, statements="", report=report, patient_id="p")])
    assert len(load_site([table], VOCABULARY, CONFIG).recordings.windows) >= MIN_RECORDINGS


def test_a_report_that_fits_no_cell_is_named_with_its_line(write: Write) -> None:
    table = write([*rows(statements=""), *rows(1, report="x" * 10_000_000)])
    with pytest.raises(UsageError, match="line 52: field larger than field limit"):
        load_site([table], VOCABULARY, CONFIG)


def test_what_cannot_be_used_is_counted(write: Write) -> None:
    table = write([*rows(), *rows(2, path="gone.hea"), *rows(3, patient_id=" ")])
    site = load_site([table], VOCABULARY, CONFIG)
    assert len(site.recordings.windows) == MIN_RECORDINGS
    assert site.notes[1] == "3 rows without patient_id: left out"
    assert site.notes[2].startswith("2 recordings cannot be used (could not be read: 2), the first")
    assert "site.csv, line 52: 'gone.hea': no such file" in site.notes[2]


@pytest.mark.parametrize(
    ("table", "columns", "message"),
    [
        (rows(), ("path", "report"), "no column patient_id: patients cannot be kept apart"),
        (rows(), ("path", "patient_id"), "no column report and no column statements"),
        (rows(), ("patient_id", "report"), "no column path"),
        ([*rows(49), *rows(2, patient_id="")], COLUMNS, r"49 rows \(2 more without patient_id\)"),
        (rows(49), COLUMNS, r"49 rows, at least 50 are needed"),
        (rows(60, patient_id=""), COLUMNS, "no row has a patient_id"),
        (rows(report="", statements=""), COLUMNS, "no row has a report, and none has statements"),
        (rows(report="siehe oben", statements=""), COLUMNS, "0 recordings with statements"),
        (rows(path="gone.hea"), COLUMNS, "line 2: 'gone.hea': no such file"),
        ([*rows(1), *rows(2, path="../r0.hea")], COLUMNS, r"1 row \(2 more without a recording"),
        (rows(statements="AFIB"), COLUMNS, "one class only: none of 2 statements and groups is"),
        (rows(statements="LVOLT"), COLUMNS, "one class only: the one statement is not carried"),
        ([*rows(48, statements="SR"), *rows(4)], COLUMNS, "one class only"),
        (rows(statements="AFIP"), COLUMNS, "line 2: 'AFIP' is no statement"),
    ],
)
def test_refusals_say_what_is_needed(
    write: Write, table: list[dict[str, str]], columns: Sequence[str], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as refusal:
        load_site([write(table, columns)], VOCABULARY, CONFIG)
    assert refusal.value.advice


def test_statements_that_were_asked_for_have_to_be_there(write: Write) -> None:
    with pytest.raises(UsageError, match="no row has statements"):
        load_site([write(rows(statements=""))], VOCABULARY, CONFIG, labels_from="statements")


def test_every_side_needs_somebody() -> None:
    config = TrainConfig(train_folds=tuple(range(1, 8)), validation_folds=(8,))
    assert held_out_folds(config) == (9, 10)
    check_parts(labelled([{"SR"}] * 3, folds=[1, 8, 10]), config)
    for folds, nobody in (([1, 8], "hold out"), ([8, 9], "train on"), ([1, 9], "validate on")):
        with pytest.raises(UsageError, match=f"2 patients leave nobody to {nobody}"):
            check_parts(labelled([{"SR"}] * 2, folds=folds), config)
