"""All reports of a run: JSON, bounded memory, and failures that leave the old ones whole."""

from __future__ import annotations

import dataclasses
import json
import resource
import tracemalloc
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ecgscreen import next_shard, stored_rows
from ecgscreen.errors import ExitCode, StoreError
from ecgscreen.reports import DiagnosisRow, Report, RunSummary, write_reports
from ecgscreen.scoring import flags, score
from tests.ecgscreen.reports_written import (
    DIAGNOSES,
    DIRECTIONS,
    PROVENANCE,
    REFERENCE,
    RESULTS,
    SCORED,
    D,
    expected_embeddings,
    make_report,
    read_csv,
    text,
    write_sample,
)
from tests.ecgscreen.rows import scored


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunSummary]:
    """The reports of `RESULTS`."""
    return write_sample(tmp_path_factory.mktemp("screening"))


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
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stored_rows, "BLOCK_RECORDS", 3)
    summary = write_reports(make_report(tmp_path, RESULTS, REFERENCE), tmp_path)
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
    monkeypatch.setattr(next_shard, "SHARD_RECORDS", 3)
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
