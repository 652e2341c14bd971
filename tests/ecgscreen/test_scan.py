"""The job from end to end: one row a recording, and the same bytes however it is run."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ecgscreen.bundle import load_bundle
from ecgscreen.errors import EngineError, ExitCode, LabelListError, UsageError
from ecgscreen.recording import LEADS
from ecgscreen.reports import RunSummary, write_reports
from ecgscreen.results import RecordResult
from ecgscreen.scan import Listener, ScanOptions, ScanResult, scan
from ecgscreen.scoring import quantise_directions, record_embedding, score
from ecgscreen.simulate import (
    Fault,
    Rhythm,
    SimulationSettings,
    simulate,
    write_dataset,
    write_faulty,
    write_wfdb,
)
from tests.ecgscreen.bundles import rewritten
from tests.ecgscreen.reports_read import Reports, reports_of
from tests.offline import run_offline

N_GOOD, N_FAULTY = 40, 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty-five recordings, five of them faulty, one of 25 s; no multiple of a batch."""
    path = tmp_path_factory.mktemp("in") / "records"
    write_dataset(path, N_GOOD + N_FAULTY - 1, seed=6, sampling_rate=250.0, faults=N_FAULTY)
    settings = SimulationSettings(Rhythm.ATRIAL_FIBRILLATION, 250.0, 25.0, seed=9)
    write_wfdb(simulate(settings).recording, path, "long")
    return path


def options(bundle: Path, out: Path, *roots: Path, labels: str = "rhythm.txt") -> ScanOptions:
    return ScanOptions(roots=roots, labels=labels, out=out, bundle=bundle)


def exit_code(result: ScanResult) -> int:
    return int(result.summary.exit_code)


@pytest.fixture(scope="module")
def reference(
    folder: Path, bundle_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ScanResult, Reports, Path]:
    out = tmp_path_factory.mktemp("out") / "screening"
    result = scan(options(bundle_dir, out, folder))
    return result, reports_of(out), out


def test_every_recording_is_a_row(
    reference: tuple[ScanResult, Reports, Path], folder: Path
) -> None:
    result, reports, out = reference
    with (folder / "truth.csv").open(encoding="utf-8", newline="") as file:
        truth = list(csv.DictReader(file))
    expected = sorted([row["path"] for row in truth] + ["long.hea"])
    assert [row["path"] for row in reports.rows] == expected
    faulty = {row["path"] for row in truth if row["fault"]}
    for row in reports.rows:
        scores = list(row.values())[6:]
        assert len(scores) == 12
        if row["path"] in faulty:
            assert row["status"] in {"error", "unusable"}
            assert row["reason"]
            assert scores == [""] * 12
        else:
            assert (row["status"], row["reason"]) == ("scored", "")
            assert all(-1 <= float(value) <= 1 for value in scores)
    assert exit_code(result) == ExitCode.SOME_NOT_SCORED
    assert (result.summary.n_records, result.summary.n_scored) == (N_GOOD + N_FAULTY, N_GOOD)
    assert {path.name for path in out.iterdir()} == {
        "report.h5",
        "report.csv",
        "report.html",
        "summary.json",
        "run.json",
        "store",
        "lock",
    }


def test_scores_are_cosines_of_the_stored_embeddings(
    reference: tuple[ScanResult, Reports, Path], bundle_dir: Path
) -> None:
    _, _, out = reference
    bundle = load_bundle(bundle_dir)
    with h5py.File(out / "report.h5") as file:
        codes = file["diagnoses/code"].asstr()[()]
        directions = quantise_directions(np.stack([bundle.concepts[code] for code in codes]))
        embeddings, scores = file["embeddings"][()], file["scores"][()]
        paths = file["records/path"].asstr()[()].tolist()
        windows, of_record = file["windows/embeddings"][()], file["windows/record_index"][()]
    assert embeddings.dtype == np.float16
    assert score(embeddings, directions).tobytes() == scores.tobytes()
    assert of_record.tolist() == [paths.index("long.hea")] * 3
    expected = record_embedding(windows)
    assert embeddings[paths.index("long.hea")].tobytes() == expected.tobytes()
    assert np.isnan(scores).all(axis=1).sum() == N_FAULTY


def test_recordings_differ(reference: tuple[ScanResult, Reports, Path]) -> None:
    scores = {tuple(row.values())[6:] for row in reference[1].rows if row["status"] == "scored"}
    assert len(scores) == N_GOOD


@pytest.mark.parametrize(
    ("batch_size", "threads", "workers"), [(1, 0, 0), (7, 1, 0), (32, 0, 1), (32, 2, 2)]
)
def test_how_it_is_run_changes_nothing(
    reference: tuple[ScanResult, Reports, Path],
    folder: Path,
    bundle_dir: Path,
    tmp_path: Path,
    batch_size: int,
    threads: int,
    workers: int,
) -> None:
    one = options(bundle_dir, tmp_path / "out", folder)
    scan(replace(one, batch_size=batch_size, threads=threads, workers=workers))
    found = reports_of(tmp_path / "out")
    assert found.csv == reference[1].csv
    assert found.arrays == reference[1].arrays
    assert "scores" in found.arrays


def test_workers_have_ended_when_the_reports_are_written(
    folder: Path, bundle_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_workers: list[int] = []

    def write_counting(*arguments: Any, **options: Any) -> RunSummary:
        n_workers.append(len(active_children()))
        return write_reports(*arguments, **options)

    monkeypatch.setattr("ecgscreen.scan.write_reports", write_counting)
    listener = Listener(done=lambda _result: n_workers.append(len(active_children())))
    scan(replace(options(bundle_dir, tmp_path / "out", folder), workers=2), listener)
    assert n_workers == [2] * (N_GOOD + N_FAULTY) + [0]


def test_the_order_of_folders_and_of_files_changes_nothing(
    reference: tuple[ScanResult, Reports, Path], folder: Path, bundle_dir: Path, tmp_path: Path
) -> None:
    halves = (tmp_path / "b", tmp_path / "a")
    files = sorted(path for path in folder.iterdir() if path.suffix in {".hea", ".dat"})
    # Written in reverse, the later half first: other places in the folder, other batch-mates.
    for number, half in enumerate(halves):
        half.mkdir()
        for path in reversed(files):
            if (path.stem < "sim00020") == bool(number):
                shutil.copy2(path, half / path.name)
    forwards, backwards = tmp_path / "forwards", tmp_path / "backwards"
    scan(options(bundle_dir, forwards, *halves))
    scan(options(bundle_dir, backwards, *halves[::-1]))
    assert reports_of(forwards).csv == reports_of(backwards).csv
    assert reports_of(forwards).arrays == reports_of(backwards).arrays
    of_name = {Path(row["path"]).name: row for row in reports_of(forwards).rows}
    assert len(of_name) == N_GOOD + N_FAULTY
    for row in reference[1].rows:
        assert list(of_name[row["path"]].values())[1:] == list(row.values())[1:]


def test_every_result_is_told_as_it_is_done(folder: Path, bundle_dir: Path, tmp_path: Path) -> None:
    told: list[RecordResult] = []
    scan(options(bundle_dir, tmp_path / "out", folder), Listener(done=told.append))
    assert [result.path for result in told] == [
        row["path"] for row in reports_of(tmp_path / "out").rows
    ]


def test_every_fault_is_a_row(bundle_dir: Path, tmp_path: Path) -> None:
    records = tmp_path / "records"
    records.mkdir()
    good = simulate(SimulationSettings(Rhythm.SINUS, seed=1)).recording
    for number, fault in enumerate(Fault):
        write_faulty(good, records, f"fault{number:02d}", fault)
    (records / "folder.hea").mkdir()
    (records / "empty.hea").write_bytes(b"")
    (records / "notes.txt").write_text("no recording")
    write_wfdb(good, records, "good")
    result = scan(options(bundle_dir, tmp_path / "out", records))
    reports = reports_of(tmp_path / "out")
    assert len(reports.rows) == len(Fault) + 3
    assert [row["path"] for row in reports.rows if row["status"] == "scored"] == ["good.hea"]
    assert all(row["reason"] for row in reports.rows if row["status"] != "scored")
    assert exit_code(result) == ExitCode.SOME_NOT_SCORED
    assert result.provenance.n_ignored == 1
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert (summary["n_records"], summary["n_scored"]) == (len(Fault) + 3, 1)


def test_three_known_leads_are_scored(bundle_dir: Path, tmp_path: Path) -> None:
    records = tmp_path / "records"
    records.mkdir()
    whole = simulate(SimulationSettings(Rhythm.SINUS, seed=2)).recording
    some = replace(
        whole, signal=whole.signal[[1, 7, 0, 3]], lead_names=("MLII", "v2", "Lead I", "resp")
    )
    write_wfdb(some, records, "some")
    result = scan(options(bundle_dir, tmp_path / "out", records))
    (row,) = reports_of(tmp_path / "out").rows
    assert exit_code(result) == ExitCode.OK
    assert row["leads"] == "I II III aVR aVL aVF V2"
    assert row["quality"].startswith("usable: ")
    assert all(list(row.values())[6:])


def test_a_lead_that_is_not_finite_is_left_out(bundle_dir: Path, tmp_path: Path) -> None:
    records = tmp_path / "records"
    records.mkdir()
    whole = simulate(SimulationSettings(Rhythm.SINUS, seed=2)).recording
    write_wfdb(replace(whole, signal=whole.signal.copy()), records, "whole")
    whole.signal[4, 1000:1010] = np.nan
    write_wfdb(whole, records, "holes")
    scan(options(bundle_dir, tmp_path / "out", records))
    reports = reports_of(tmp_path / "out")
    row = reports.row("holes.hea")
    assert row["status"] == "scored"
    assert row["leads"].split() == [name for name in LEADS if name != "aVL"]
    assert "aVL non-finite" in row["quality"]
    assert list(row.values())[6:] != list(reports.row("whole.hea").values())[6:]


def test_a_screening_inside_the_folder_is_not_scanned(bundle_dir: Path, tmp_path: Path) -> None:
    write_dataset(tmp_path / "records", 2, seed=1)
    for _ in range(2):
        result = scan(options(bundle_dir, tmp_path / "records" / "out", tmp_path / "records"))
        assert result.summary.n_records == 2


def test_the_screening_is_for_its_owner_only(bundle_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    scan(options(bundle_dir, tmp_path / "out", tmp_path / "records"))
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700


def test_an_empty_folder_is_fine(bundle_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    result = scan(options(bundle_dir, tmp_path / "out", tmp_path / "records"))
    assert exit_code(result) == ExitCode.OK
    assert result.summary.n_records == 0
    assert reports_of(tmp_path / "out").rows == []


def test_a_single_recording(folder: Path, bundle_dir: Path, tmp_path: Path) -> None:
    result = scan(options(bundle_dir, tmp_path / "out", folder / "long.hea"))
    (row,) = reports_of(tmp_path / "out").rows
    assert (row["path"], exit_code(result)) == ("long.hea", ExitCode.OK)


def test_without_reference_population_percentiles_are_empty(
    bundle_dir: Path, folder: Path, tmp_path: Path
) -> None:
    poorer = rewritten(bundle_dir, tmp_path / "bundle", contents={"reference.npz": None})
    for bundle, known in ((bundle_dir, True), (poorer, False)):
        out = tmp_path / f"out-{known}"
        scan(options(bundle, out, folder / "long.hea"))
        with h5py.File(out / "report.h5") as file:
            assert np.isfinite(file["percentiles"][()]).all() == known


def test_provenance_says_how_it_was_made(
    reference: tuple[ScanResult, Reports, Path], bundle_dir: Path
) -> None:
    result, _, out = reference
    run = json.loads((out / "run.json").read_text(encoding="utf-8"))
    bundle = load_bundle(bundle_dir)
    assert run["bundle"] == {"name": "tiny", "sha256": bundle.sha256}
    assert run["preprocessing"] == bundle.preprocessing.to_dict()
    assert run["engine"]["name"] == "openvino"
    assert run["engine"]["convolutions"] == "direct"  # too narrow for another way
    assert run["engine"]["reason"] == "the default"
    assert run["list"]["name"] == "rhythm.txt"
    assert result.provenance.started < result.provenance.ended


def test_another_engine_is_asked_for(folder: Path, bundle_dir: Path, tmp_path: Path) -> None:
    one = options(bundle_dir, tmp_path / "out", folder / "long.hea")
    result = scan(replace(one, engine="pytorch", precision="f32"))
    assert (result.provenance.engine.name, result.provenance.engine_reason) == (
        "pytorch",
        "asked for",
    )


def refused(error: type[Exception], match: str, one: ScanOptions) -> None:
    with pytest.raises(error, match=match):
        scan(one)
    assert not one.out.exists()


def test_what_cannot_be_done_is_refused_before_anything_is_written(
    folder: Path, bundle_dir: Path, tmp_path: Path
) -> None:
    one = options(bundle_dir, tmp_path / "out", folder)
    refused(UsageError, "does not exist", replace(one, roots=(folder, tmp_path / "nowhere")))
    refused(UsageError, "File name too long", replace(one, roots=(tmp_path / ("x" * 4000),)))
    refused(LabelListError, "nothing.txt", replace(one, labels="nothing.txt"))
    refused(EngineError, "no engine 'tpu'", replace(one, engine="tpu"))
    refused(EngineError, "not f16", replace(one, precision="f16"))


OFFLINE = """
import sys
from ecgscreen.cli import main
sys.argv = ["ecgscreen", *sys.argv[1:]]
try:
    main()
finally:
    heavy = {"torch", "transformers", "scipy", "pandas", "wfdb"}
    print(sorted(heavy & {name for name, module in sys.modules.items() if module is not None}))
"""


def test_a_scan_tells_nobody_and_leaves_nothing_elsewhere(
    folder: Path, bundle_dir: Path, empty_home: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    finished = run_offline(
        OFFLINE,
        empty_home,
        *("scan", str(folder), "--labels", "superclass.txt", "--out", str(out)),
        *("--bundle", str(bundle_dir), "--workers", "1"),
    )
    assert finished.returncode == ExitCode.SOME_NOT_SCORED, finished.stderr
    assert finished.stdout == "[]\n"
    assert list(empty_home.rglob("*")) == []
    assert len(reports_of(out).rows) == N_GOOD + N_FAULTY


def test_rows_are_cut_where_recordings_end(
    reference: tuple[ScanResult, Reports, Path], folder: Path, bundle_dir: Path, tmp_path: Path
) -> None:
    """The long one alone, and those around it, get what they got among the others."""
    for name in ("long.hea", "sim00000.hea"):
        scan(options(bundle_dir, tmp_path / name, folder / name))
        (row,) = reports_of(tmp_path / name).rows
        assert row == reference[1].row(name)
