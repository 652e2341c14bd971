"""Reports with a row a recording: CSV and HDF5."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from ecgscreen.calibration import probabilities
from ecgscreen.reports import DiagnosisRow, RunSummary
from ecgscreen.reports.blocks import order_flagged
from ecgscreen.reports.csv import COLUMNS, text_cell
from ecgscreen.results import report_text
from ecgscreen.scoring import flags, percentiles, score
from tests.ecgscreen.reports_written import (
    DIAGNOSES,
    DIRECTIONS,
    REFERENCE,
    RESULTS,
    SCORED,
    expected_embeddings,
    read_csv,
    text,
    write_sample,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunSummary]:
    """The reports of `RESULTS`."""
    return write_sample(tmp_path_factory.mktemp("screening"))


def test_csv_has_a_row_a_recording_sorted_by_path(folder: tuple[Path, RunSummary]) -> None:
    header, *rows = read_csv(folder[0] / "report.csv")
    assert tuple(header[:6]) == COLUMNS
    assert header[6:] == [text_cell(row.name) for row in DIAGNOSES]
    assert header[7] == header[9] == "'=weird, line", "duplicates are kept, formulas defused"
    assert [row[0] for row in rows] == [
        "'=cmd|' /C calc'!A0.hea",
        'b/"quoted", with\nnewline.hea',
        "c/short.hea",
        "d/\\xff.hea",
        "e/cut.hea",
        "f/gone.hea",
        "g/ä.hea",
        "h/last.hea",
    ]
    assert [row[1] for row in rows] == [result.status for result in RESULTS]
    assert rows[2][2] == "too short: 2.0 s, at least 5 s"
    assert rows[5][2:] == ["vanished during the run", *[""] * 7]
    assert rows[0][2:5] == ["", "usable: V3 flat", "I II V1"]


def test_csv_scores_are_the_float32_of_the_embeddings(folder: tuple[Path, RunSummary]) -> None:
    rows = read_csv(folder[0] / "report.csv")[1:]
    expected = score(expected_embeddings(), DIRECTIONS)
    found = np.array([[float(cell or "nan") for cell in row[6:]] for row in rows])
    np.testing.assert_array_equal(found.astype(np.float32), expected)
    assert all(row[5:] == [""] * 5 for row, known in zip(rows, SCORED, strict=True) if not known)


def test_csv_is_rfc_4180(folder: tuple[Path, RunSummary]) -> None:
    content = (folder[0] / "report.csv").read_bytes()
    assert content.count(b"\r\n") == 1 + len(RESULTS)
    assert content.endswith(b"\r\n")
    assert b'"b/""quoted"", with\nnewline.hea"' in content
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(read_csv(folder[0] / "report.csv"))
    assert text.getvalue().encode() == content


def test_flagged_is_worst_first(folder: tuple[Path, RunSummary]) -> None:
    found = flags(
        score(expected_embeddings(), DIRECTIONS), np.array([row.threshold for row in DIAGNOSES])
    )
    ranked = {"Vorhofflattern ä": 2, "atrial fibrillation | AF": 0, "=weird, line": 3}
    lengths = set()
    for row, cells in enumerate(read_csv(folder[0] / "report.csv")[1:]):
        expected = [name for name, k in ranked.items() if found[row, k] == 1]
        assert cells[5] == text_cell("; ".join(expected))
        lengths.add(len(expected))
    assert max(lengths) > 1, "the example has no row with several flags"


def test_order_of_flags_is_severity_percentile_margin_list() -> None:
    rows = tuple(
        DiagnosisRow(str(k), "", severity, "vocabulary", 0.0)
        for k, severity in enumerate(["info", "attention", "critical", "critical", "critical"])
    )
    flags = np.array([[1, 1, 1, 1, 1], [-1, 0, 0, -1, 0], [1, 1, 0, 0, -1]], np.int8)
    margins = np.tile([0.9, 0.9, 0.1, 0.3, 0.3], (3, 1))
    without = np.full((3, 5), np.nan, np.float32)
    assert order_flagged(rows, flags, without, margins) == [[3, 4, 2, 1, 0], [], [1, 0]]
    ranks = np.tile(np.array([99, 99, 98, 97, 97.5], np.float32), (3, 1))
    assert order_flagged(rows, flags, ranks, margins) == [[2, 4, 3, 1, 0], [], [1, 0]]
    assert order_flagged(rows, flags[:0], ranks[:0], margins[:0]) == []


@pytest.mark.parametrize("first", list("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"))
def test_a_formula_becomes_text(first: str) -> None:
    assert text_cell(f"{first}1+1") == f"'{first}1+1"
    assert text_cell(f"a{first}1") == f"a{first}1"


def test_a_formula_behind_a_semicolon_becomes_text() -> None:
    assert text_cell("a;=1;b; -c") == "a;'=1;b; -c"


def test_hdf5_holds_what_the_store_held(folder: tuple[Path, RunSummary]) -> None:
    with h5py.File(folder[0] / "report.h5") as file:
        records = file["records"]
        assert text(records["path"]) == [report_text(result.path) for result in RESULTS]
        assert text(records["leads"]) == [" ".join(result.leads) for result in RESULTS]
        assert text(records["notes"]) == ["; ".join(result.notes) for result in RESULTS]
        for name in ("record_id", "status", "reason", "detail", "quality"):
            assert text(records[name]) == [str(getattr(result, name)) for result in RESULTS]
        # 500 Hz shows everything, and nothing is said of what was not read.
        assert set(text(records["not_judged"])) == {""}
        for name in ("sampling_rate", "duration_s"):
            expected = np.array([getattr(result, name) for result in RESULTS])
            np.testing.assert_array_equal(records[name], expected)
        for name in ("name", "code", "severity", "source"):
            assert text(file["diagnoses"][name]) == [getattr(row, name) for row in DIAGNOSES]
        np.testing.assert_array_equal(
            file["diagnoses/threshold"], [row.threshold for row in DIAGNOSES]
        )


def test_hdf5_values_follow_from_the_embeddings(folder: tuple[Path, RunSummary]) -> None:
    embeddings = expected_embeddings()
    scores = score(embeddings, DIRECTIONS)
    expected: dict[str, NDArray[Any]] = {
        "embeddings": embeddings,
        "scores": scores,
        "percentiles": percentiles(scores, REFERENCE),
        "flags": flags(scores, np.array([row.threshold for row in DIAGNOSES])),
        "probabilities": probabilities(scores, [row.platt for row in DIAGNOSES]),
    }
    with h5py.File(folder[0] / "report.h5") as file:
        for name, values in expected.items():
            assert file[name].dtype == values.dtype, name
            np.testing.assert_array_equal(file[name], values, err_msg=name)
        again = score(file["embeddings"][...], DIRECTIONS)
        assert again.tobytes() == file["scores"][...].tobytes(), "a rescore equals the scan"


def test_hdf5_windows_are_those_of_long_recordings(folder: tuple[Path, RunSummary]) -> None:
    long = [(row, result) for row, result in enumerate(RESULTS) if result.n_windows > 1]
    embeddings = np.concatenate([result.embeddings for _, result in long])
    with h5py.File(folder[0] / "report.h5") as file:
        windows = file["windows"]
        assert windows["record_index"][...].tolist() == [1, 1, 1, 6, 6]
        assert windows["start_s"][...].tolist() == [0, 10, 20, 0, 10]
        np.testing.assert_array_equal(windows["embeddings"], embeddings)
        np.testing.assert_array_equal(windows["scores"], score(embeddings, DIRECTIONS))


def test_hdf5_describes_itself(folder: tuple[Path, RunSummary]) -> None:
    without = []

    def look(name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset) and not node.attrs.get("description"):
            without.append(name)

    with h5py.File(folder[0] / "report.h5") as file:
        file.visititems(look)
        assert not without
        assert file["records/sampling_rate"].attrs["units"] == "Hz"
        assert file["percentiles"].attrs["units"] == "%"
        attributes = dict(file.attrs)
    assert attributes["started_utc"] == "2025-01-02T02:04:05+00:00"
    assert attributes["ended_utc"] == "2025-01-02T02:04:09+00:00"
    expected = {
        "ecgscreen_version": "0.1.0",
        "bundle_sha256": "b" * 64,
        "list_sha256": "c" * 64,
        "engine": "openvino",
        "device": "CPU x",
        "precision": "f32",
        "n_records": len(RESULTS),
        "n_ignored": 3,
    }
    assert {name: attributes[name] for name in expected} == expected
