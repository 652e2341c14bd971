from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import random
import resource
import tracemalloc
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from ecgscreen import run_store, stored_rows
from ecgscreen.calibration import PlattScaling, probabilities
from ecgscreen.errors import ExitCode, StoreError
from ecgscreen.reports import DiagnosisRow, Provenance, Report, RunSummary, write_reports
from ecgscreen.reports.csv import COLUMNS, order_flagged, text_cell
from ecgscreen.results import RecordResult, Status, not_scored, record_id_of, report_text
from ecgscreen.run_store import RunStore
from ecgscreen.scoring import flags, percentiles, quantise_directions, record_embedding, score
from engines.base import EngineInfo

D = 16
RNG = np.random.default_rng(0)
DIAGNOSES = (
    DiagnosisRow("atrial fibrillation | AF", "AFIB", "attention", "vocabulary", -0.2),
    DiagnosisRow("=weird, line", "", "info", "zero-shot"),
    DiagnosisRow(
        "Vorhofflattern ä",
        "AFLT",
        "critical",
        "vocabulary",
        0.0,
        "largest F1",
        PlattScaling(5.0, -1.0),
    ),
    DiagnosisRow("=weird, line", "", "info", "zero-shot", -0.9),
)
DIRECTIONS = quantise_directions(RNG.standard_normal((len(DIAGNOSES), D)))
STARTED = datetime(2025, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=1)))
PROVENANCE = Provenance(
    version="0.1.0",
    command="scan",
    arguments={"roots": ["records"], "engine": None},
    started=STARTED,
    ended=STARTED + timedelta(seconds=4),
    bundle_name="default",
    bundle_sha256="b" * 64,
    list_name="rhythm.txt",
    list_sha256="c" * 64,
    preprocessing={"sampling_rate": 100.0, "band": [0.5, 40.0]},
    engine=EngineInfo("openvino", "2026.4", "CPU x", "f32", 32),
    engine_reason="the default",
    n_ignored=3,
)


def unit_rows(n: int, seed: int) -> NDArray[np.float16]:
    rows = np.random.default_rng(seed).standard_normal((n, D))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float16)


def scored(path: str, n_windows: int = 1, seed: int = 0) -> RecordResult:
    return RecordResult(
        path=path,
        record_id=record_id_of(path),
        status=Status.SCORED,
        reason="",
        detail="",
        quality="usable: V3 flat",
        sampling_rate=500.0,
        duration_s=10.0 * n_windows,
        leads=("I", "II", "V1"),
        notes=("unit unknown", "V3 left out"),
        window_starts_s=np.arange(n_windows, dtype=np.float32) * 10,
        embeddings=unit_rows(n_windows, seed),
    )


RAW_BYTE = os.fsdecode(b"d/\xff.hea")
RESULTS = [
    scored("=cmd|' /C calc'!A0.hea", seed=1),
    scored('b/"quoted", with\nnewline.hea', n_windows=3, seed=2),
    not_scored("c/short.hea", Status.UNUSABLE, "too short", "2.0 s,\nat least 5 s"),
    scored(RAW_BYTE, seed=3),
    not_scored("e/cut.hea", Status.ERROR, "signal file truncated", "6 of 12 bytes"),
    not_scored("f/gone.hea", Status.VANISHED, "vanished during the run"),
    scored("g/ä.hea", n_windows=2, seed=4),
    scored("h/last.hea", seed=5),
]
SCORED = np.array([result.status is Status.SCORED for result in RESULTS])


def make_report(
    folder: Path, results: Iterable[RecordResult], reference: NDArray[np.float32] | None = None
) -> Report:
    store = RunStore.create(folder / "store", {})
    for each in results:
        store.append(each)
    store.finish()
    return Report(store, DIAGNOSES, DIRECTIONS, reference, PROVENANCE)


@pytest.fixture(scope="module")
def reference() -> NDArray[np.float32]:
    return score(unit_rows(40, seed=9), DIRECTIONS)


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory, reference: NDArray[np.float32]
) -> tuple[Path, RunSummary]:
    """The reports of `RESULTS`, which arrived in another order."""
    out = tmp_path_factory.mktemp("screening")
    shuffled = random.Random(3).sample(RESULTS, len(RESULTS))
    return out, write_reports(make_report(out, shuffled, reference), out)


def expected_embeddings() -> NDArray[np.float16]:
    rows = np.full((len(RESULTS), D), np.nan, np.float16)
    for row, result in enumerate(RESULTS):
        if result.n_windows:
            rows[row] = record_embedding(result.embeddings)
    return rows


def read_csv(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, strict=True))


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


def text(dataset: h5py.Dataset) -> list[str]:
    assert h5py.check_string_dtype(dataset.dtype) == ("utf-8", None)
    return [value.decode("utf-8") for value in dataset[...]]


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


def test_hdf5_values_follow_from_the_embeddings(
    folder: tuple[Path, RunSummary], reference: NDArray[np.float32]
) -> None:
    embeddings = expected_embeddings()
    scores = score(embeddings, DIRECTIONS)
    expected: dict[str, NDArray[Any]] = {
        "embeddings": embeddings,
        "scores": scores,
        "percentiles": percentiles(scores, reference),
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


def strict_json(path: Path) -> Any:
    def refuse(token: str) -> None:
        raise AssertionError(f"{path}: {token} is no JSON")

    return json.loads(path.read_bytes().decode("utf-8"), parse_constant=refuse)


def test_summary_json_counts(folder: tuple[Path, RunSummary]) -> None:
    out, summary = folder
    found = flags(
        score(expected_embeddings(), DIRECTIONS), np.array([row.threshold for row in DIAGNOSES])
    )
    document = strict_json(out / "summary.json")
    assert document["exit_code"] == summary.exit_code == ExitCode.SOME_NOT_SCORED
    assert document["n_records"] == 8
    assert document["n_scored"] == 5
    assert document["n_not_scored"] == 3
    assert document["n_flagged"] == int((found == 1).any(axis=1).sum())
    assert document["by_status"] == {"scored": 5, "unusable": 1, "error": 1, "vanished": 1}
    assert document["by_reason"] == {
        "signal file truncated": 1,
        "too short": 1,
        "vanished during the run": 1,
    }
    flagged = [each["n_flagged"] for each in document["diagnoses"]]
    assert flagged == [int((found[:, 0] == 1).sum()), None, *(found[:, 2:] == 1).sum(0).tolist()]
    assert [each["threshold"] for each in document["diagnoses"]] == [-0.2, None, 0.0, -0.9]
    assert document["records_per_s"] == 2.0
    assert all((out / name).is_file() for name in document["reports"])


def test_run_json_says_how_it_was_made(folder: tuple[Path, RunSummary]) -> None:
    document = strict_json(folder[0] / "run.json")
    assert document["engine"]["reason"] == "the default"
    assert document["engine"]["precision"] == "f32"
    assert document["bundle"] == {"name": "default", "sha256": "b" * 64}
    assert document["list"]["sha256"] == "c" * 64
    assert document["calibration"] is None
    assert document["preprocessing"] == {"sampling_rate": 100.0, "band": [0.5, 40.0]}
    assert document["versions"]["numpy"] == np.__version__
    assert document["started_utc"] == "2025-01-02T02:04:05+00:00"


def test_the_summary_names_the_highest_and_the_unread(folder: tuple[Path, RunSummary]) -> None:
    scores = score(expected_embeddings(), DIRECTIONS)
    for k, each in enumerate(folder[1].diagnoses):
        best = np.argsort(-scores[:, k], kind="stable")[:3]
        assert [record.path for record in each.highest] == [RESULTS[row].path for row in best]
        assert [record.score for record in each.highest] == scores[best, k].tolist()
    unread = [result.path for result, known in zip(RESULTS, SCORED, strict=True) if not known]
    assert [result.path for result in folder[1].not_scored] == unread


def test_blocks_do_not_show(
    folder: tuple[Path, RunSummary],
    reference: NDArray[np.float32],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stored_rows, "BLOCK_RECORDS", 3)
    summary = write_reports(make_report(tmp_path, RESULTS, reference), tmp_path)
    for name in ("report.csv", "summary.json"):
        assert (tmp_path / name).read_bytes() == (folder[0] / name).read_bytes()
    runs = [json.loads((path / "run.json").read_bytes()) for path in (tmp_path, folder[0])]
    for run in runs:
        del run["reports"]["report.h5"]  # the same values, otherwise laid out
    assert runs[0] == runs[1]
    assert summary.diagnoses == folder[1].diagnoses
    with h5py.File(tmp_path / "report.h5") as a, h5py.File(folder[0] / "report.h5") as b:
        for name in ("scores", "percentiles", "flags", "embeddings", "windows/scores"):
            assert a[name][...].tobytes() == b[name][...].tobytes()
        assert text(a["records/path"]) == text(b["records/path"])


def test_an_empty_folder_gives_empty_reports(tmp_path: Path) -> None:
    summary = write_reports(make_report(tmp_path, []), tmp_path)
    assert summary.exit_code is ExitCode.OK
    assert len(read_csv(tmp_path / "report.csv")) == 1
    with h5py.File(tmp_path / "report.h5") as file:
        assert file["scores"].shape == (0, 4)
        assert file["embeddings"].shape == (0, D)
        assert file["windows/scores"].shape == (0, 4)
        assert len(file["records/path"]) == 0


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_reports_that_fail_leave_the_old_ones_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_reports(make_report(tmp_path, RESULTS[:2]), tmp_path)
    before = contents(tmp_path)
    assert sorted(before) == ["report.csv", "report.h5", "report.html", "run.json", "summary.json"]
    monkeypatch.setattr(run_store, "SHARD_RECORDS", 3)
    monkeypatch.setattr(stored_rows, "BLOCK_RECORDS", 3)
    report = make_report(tmp_path, RESULTS)
    real = report.store.iter_sorted

    def breaks_off() -> Any:
        stream = real()
        yield next(stream)
        (tmp_path / "store").rename(tmp_path / "gone")
        yield from stream

    monkeypatch.setattr(report.store, "iter_sorted", breaks_off)
    with pytest.raises(StoreError, match=r"shard-.*cannot be read"):
        write_reports(report, tmp_path)
    assert contents(tmp_path) == before


def test_a_full_disk_leaves_the_old_reports_whole(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_reports(make_report(tmp_path, RESULTS[:2]), tmp_path)
    before = contents(tmp_path)
    report = make_report(tmp_path, [scored(f"{i:04d}.hea", seed=i) for i in range(500)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (10_000, 60_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with pytest.raises(StoreError, match="cannot be written: File too large"):
                write_reports(report, tmp_path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert contents(tmp_path) == before
    assert capfd.readouterr() == ("", ""), "HDF5 printed its own account of the fault"


def test_reports_are_for_their_owner(folder: tuple[Path, RunSummary]) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder[0].iterdir()}
    assert modes.pop("store") == 0o700
    assert set(modes.values()) == {0o600}
    assert sorted(modes) == ["report.csv", "report.h5", "report.html", "run.json", "summary.json"]


def test_a_report_that_does_not_fit_together_is_refused(tmp_path: Path) -> None:
    report = make_report(tmp_path, [])
    with pytest.raises(ValueError, match="for 4 diagnoses"):
        Report(report.store, DIAGNOSES, DIRECTIONS[:2], None, PROVENANCE)
    with pytest.raises(ValueError, match="one of critical, attention, info"):
        DiagnosisRow("x", "", "urgent", "vocabulary")


def test_memory_grows_by_little_more_than_the_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 50 MB between 2,000 and 200,000 records are 250 bytes a record.
    monkeypatch.setattr(stored_rows, "BLOCK_RECORDS", 1_000)
    peaks = []
    model = scored("")
    for n in (2_000, 20_000):
        paths = (f"records500/{i // 1000:05d}/{i:05d}_hr.hea" for i in range(n))
        rows = (dataclasses.replace(model, path=path) for path in paths)
        report = make_report(tmp_path / str(n), rows)
        report = dataclasses.replace(report, diagnoses=DIAGNOSES[1:2], directions=DIRECTIONS[1:2])
        tracemalloc.start()
        summary = write_reports(report, tmp_path / str(n))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert summary.n_scored == n
    assert peaks[1] - peaks[0] < 18_000 * 250
