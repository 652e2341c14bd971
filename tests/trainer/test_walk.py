"""The walk of docs/training.md: simulate, train on the table, measure, calibrate, scan."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import pytest

from ecgscreen.errors import ExitCode
from tests.command_line import Run
from trainer import check_sets

N_RECORDINGS = 400


def test_from_simulated_recordings_to_a_scan_with_thresholds_of_ones_own(
    run: Run,
    bundle_dir: Path,
    language_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(check_sets, "N_SIMULATED", 48)
    records, ours, figures = tmp_path / "practice", tmp_path / "ours", tmp_path / "figures.json"
    simulated = run("simulate", records, "--count", N_RECORDINGS, "--rate", 100, "--faults", 5)
    assert simulated.code == ExitCode.OK

    table = records / "truth.csv"
    trained = run(
        *("train", "--table", table, "--out", ours, "--base", bundle_dir, "--accept"),
        *("--text-encoder", language_model, "--epochs", 1, "--device", "cpu"),
    )
    assert trained.code == ExitCode.OK, trained.said
    assert "recordings cannot be used (" in trained.said
    assert f"bundle site is in {ours}" in trained.said

    measured = run("evaluate", "table", table, "--bundle", ours, "--json", figures)
    assert measured.code == ExitCode.OK, measured.said
    document = json.loads(figures.read_text(encoding="utf-8"))
    held_out = json.loads((ours / "comparison.json").read_text(encoding="utf-8"))["sets"][0]
    assert document["n"] == held_out["n"] < N_RECORDINGS / 3
    assert "rows of patients that the bundle was trained on left out" in measured.said

    calibration = tmp_path / "site.json"
    options = ("--labels", "rhythm", "--bundle", ours)
    calibrated = run("calibrate", table, *options, "--out", calibration)
    assert calibrated.code == ExitCode.OK, calibrated.said
    assert json.loads(calibration.read_text(encoding="utf-8"))["n"] == document["n"]

    night, out = tmp_path / "night", tmp_path / "screening"
    assert run("simulate", night, "--count", 4, "--rate", 100, "--seed", 1).code == ExitCode.OK
    scanned = run("scan", night, *options, "--calibration", calibration, "--out", out)
    assert scanned.code == ExitCode.OK, scanned.said
    with h5py.File(out / "report.h5") as report:
        criteria = report["diagnoses/criterion"].asstr()[...].tolist()
    assert any("site.json" in criterion for criterion in criteria)
