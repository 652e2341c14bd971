"""The command ``calibrate``, and the scan and the measurement that use its file."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ecgscreen.bundle import load_bundle
from ecgscreen.calibration import PlattScaling, probabilities
from ecgscreen.errors import CalibrationError, ExitCode
from ecgscreen.recording import Recording, signal_fingerprint
from ecgscreen.simulate import write_dataset
from ecgscreen.site_calibration import load_calibration
from tests import command_line
from tests.ecgscreen.bundles import rewritten
from tests.labelled_sets import write_table
from tests.tiny_bundle import TRAIN_FOLD, VALIDATION_FOLD

Run = Callable[..., tuple[int, str]]
LIST = (
    "sinus rhythm\nSR\natrial fibrillation\nAFIB | atrial flutter\nleft ventricular hypertrophy\n"
)


@pytest.fixture
def run(run: command_line.Run) -> Run:
    """Runs the command line; gives the exit code and what was printed on stderr, on one line."""

    def code_and_words(*arguments: object) -> tuple[int, str]:
        outcome = run(*arguments)
        return outcome.code, " ".join(outcome.err.split())

    return code_and_words


def site_in(folder: Path, seed: int) -> Path:
    """A site's table of 72 simulated recordings, each of a patient of its own."""
    return write_table(folder / "site.csv", folder / "records", 72, seed, patient="name{}".format)


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lists") / "mine.txt"
    path.write_text(LIST, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return site_in(tmp_path_factory.mktemp("site"), seed=5)


def calibrate(
    run: Run, labels: Path, bundle_dir: Path, out: Path, *more: object
) -> tuple[int, str]:
    options = ("--bundle", bundle_dir, "--precision", "f32", "--labels", labels, "--out", out)
    return run("calibrate", *more, *options)


def test_from_a_table_to_a_scan(
    run: Run, labels: Path, site: Path, bundle_dir: Path, tmp_path: Path
) -> None:
    file = tmp_path / "site.json"
    code, printed = calibrate(
        run,
        labels,
        bundle_dir,
        file,
        site,
        *("--operating-point", "sensitivity 0.9", "--prevalence", "0.1"),
    )
    assert code == ExitCode.OK
    assert "72 recordings of 72 patients, 0 not scored" in printed
    assert "at a prevalence of 10.00%: PPV" in printed
    assert "atrial fibrillation: left out, 9 positive recordings, 11 missing to 20" in printed
    assert "hypertrophy: left out, nobody wrote of LVH in these recordings" in printed
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    assert f"SHA-256 {sha256}" in printed

    document = json.loads(file.read_text(encoding="utf-8"))
    assert document["format_version"] == 1
    assert document["dataset"] == ["site.csv"]
    assert document["bundle"]["sha256"] == load_bundle(bundle_dir).sha256
    assert document["list"]["sha256"] == hashlib.sha256(labels.read_bytes()).hexdigest()
    assert (document["n"], document["n_patients"], len(document["signals"])) == (72, 72, 72)
    assert "name" not in json.dumps(document["signals"])
    assert not any(f"name{n}" in json.dumps(document) for n in range(72))
    (sinus,) = document["diagnoses"]  # the second line means the same, the fourth has too few
    assert sinus["concepts"] == ["SR"]
    assert sinus["criterion"] == "sensitivity 0.9"
    assert sinus["sensitivity"] >= 0.9
    assert sinus["sensitivity_ci"]["low"] <= sinus["sensitivity"] <= sinus["sensitivity_ci"]["high"]
    assert sinus["n_independent"] == sinus["n_positive"]  # a patient each
    assert {each["name"]: each["n_positive"] for each in document["left_out"]} == {
        "atrial fibrillation": 9,
        "AFIB | atrial flutter": 12,
        "left ventricular hypertrophy": 0,
    }

    # A probability, whatever this untrained encoder makes of it.
    sinus["platt"] = {"slope": 3.0, "intercept": -1.0}
    file.write_text(json.dumps(document), encoding="utf-8")
    scan = ("scan", site.parent / "records", "--labels", labels, "--bundle", bundle_dir)
    options = ("--out", tmp_path / "out", "--precision", "f32", "--calibration", file, "--quiet")
    assert run(*scan, *options)[0] == ExitCode.OK
    made = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    named = made["calibration"]
    assert named["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (named["file"], named["dataset"], named["n"]) == ("site.json", ["site.csv"], 72)
    with h5py.File(tmp_path / "out" / "report.h5") as report:
        thresholds = report["diagnoses/threshold"][...]
        criteria = report["diagnoses/criterion"].asstr()[...].tolist()
        scores, found = report["scores"][...], report["probabilities"][...]
        flags = report["flags"][...]
        assert report.attrs["calibration_sha256"] == named["sha256"]
    assert thresholds[:2].tolist() == [sinus["threshold"]] * 2
    assert criteria[:3] == ["sensitivity 0.9, site.json"] * 2 + [""]
    expected = probabilities(scores[:, :2], [PlattScaling(3.0, -1.0)] * 2)
    np.testing.assert_array_equal(found[:, :2], expected)
    assert np.isfinite(expected).all()
    assert np.isnan(found[:, 2:]).all()
    assert (flags[:, 0] == (scores[:, 0] >= sinus["threshold"])).all()


def test_nothing_is_measured_on_what_was_learned_on(
    run: Run, labels: Path, site: Path, bundle_dir: Path, tmp_path: Path
) -> None:
    file, figures = tmp_path / "site.json", tmp_path / "figures.json"
    assert calibrate(run, labels, bundle_dir, file, site)[0] == ExitCode.OK
    options = ("--bundle", bundle_dir, "--precision", "f32", "--calibration", file)
    code, printed = run("evaluate", "table", site, *options)
    assert code == ExitCode.USAGE
    assert "learned on 72 of these recordings" in printed

    other = site_in(tmp_path / "other", seed=6)
    code, printed = run("evaluate", "table", other, *options, "--json", figures)
    assert code == ExitCode.OK
    found = json.loads(figures.read_text(encoding="utf-8"))
    (sinus,) = json.loads(file.read_text(encoding="utf-8"))["diagnoses"]
    assert sinus["n_independent"] is None  # of the largest F1 nothing is promised
    assert found["per_class"]["SR"]["threshold"] == sinus["threshold"]
    assert found["n_thresholds"] == 1
    check = found["calibration"]
    assert check["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert check["per_concept"]["SR"].keys() >= {"sensitivity_ci", "sensitivity_op_ci", "brier"}

    # One recording of the site, under another name: a copy of its two files, and a table of it.
    header = next((site.parent / "records").glob("*.hea"))
    copy = tmp_path / "other" / "records" / "copied.hea"
    text = header.read_text(encoding="ascii").replace(header.stem, "copied")
    copy.write_text(text, encoding="ascii")
    copy.with_suffix(".dat").write_bytes(header.with_suffix(".dat").read_bytes())
    with other.open("a", encoding="utf-8", newline="") as table:
        csv.writer(table).writerow(("records/copied.hea", "someone", "AFIB"))
    code, printed = run("evaluate", "table", other, *options)
    assert code == ExitCode.USAGE
    assert "learned on 1 of these recordings" in printed
    assert "copied" not in printed

    code, printed = run("evaluate", "table", other, *options, "--protocol", "argmax")
    assert "argmax has no thresholds" in printed


def test_folds_of_ptb_xl(
    run: Run, labels: Path, simulated_ptbxl: Path, bundle_dir: Path, tmp_path: Path
) -> None:
    file = tmp_path / "ptb-xl.json"
    folder = simulated_ptbxl
    code, printed = calibrate(run, labels, bundle_dir, file, folder)
    assert (code, "no folds are given" in printed) == (ExitCode.USAGE, True)
    code, printed = calibrate(run, labels, bundle_dir, file, folder, "--folds", TRAIN_FOLD)
    assert (code, "was trained on folds [1]" in printed) == (ExitCode.USAGE, True)
    assert not file.exists()
    code, _ = calibrate(run, labels, bundle_dir, file, folder, "--folds", VALIDATION_FOLD)
    assert code == ExitCode.OK
    options = ("--bundle", bundle_dir, "--folds", VALIDATION_FOLD, "--calibration", file)
    code, printed = run("evaluate", "ptb-xl", folder, *options)
    assert code == ExitCode.USAGE
    assert f"learned on folds [{VALIDATION_FOLD}]" in printed


def test_too_few_for_any_diagnosis_is_a_sentence(
    run: Run, site: Path, bundle_dir: Path, tmp_path: Path
) -> None:
    labels, out = tmp_path / "rare.txt", tmp_path / "out.json"
    labels.write_text("atrial fibrillation\n", encoding="utf-8")
    code, printed = calibrate(run, labels, bundle_dir, out, site)
    assert code == ExitCode.USAGE
    assert "11 missing to 20" in printed
    assert "no diagnosis of" in printed
    assert not out.exists()
    code, printed = calibrate(
        run, tmp_path / "rare.txt", bundle_dir, out, site, "--operating-point", "often"
    )
    assert (code, "expected 'largest F1'" in printed) == (ExitCode.USAGE, True)


def test_a_file_that_could_not_be_written_is_refused_before_the_work(
    run: Run, site: Path, bundle_dir: Path, tmp_path: Path
) -> None:
    labels = tmp_path / "rare.txt"
    labels.write_text("atrial fibrillation\n", encoding="utf-8")
    code, printed = calibrate(run, labels, bundle_dir, tmp_path / "none" / "out.json", site)
    assert (code, "there is no folder" in printed) == (ExitCode.USAGE, True)
    assert "missing to 20" not in printed


@pytest.fixture
def document(bundle_dir: Path) -> dict[str, Any]:
    bundle = load_bundle(bundle_dir)
    return {
        "format": "ecgscreen calibration",
        "format_version": 1,
        "created": "2026-01-01",
        "list": {"name": "rhythm", "sha256": "0" * 64},
        "bundle": {"name": bundle.name, "sha256": bundle.sha256},
        "dataset": ["site.csv"],
        "folds": [],
        "n": 50,
        "diagnoses": [
            {
                "name": "AFIB",
                "concepts": ["AFIB"],
                "threshold": 0.5,
                "threshold_draws": [0.4, 0.6],
                "criterion": "Youden",
                "platt": None,
            }
        ],
        "signals": ["ab" * 16],
    }


def test_another_bundles_calibration_is_refused(
    bundle_dir: Path, tmp_path: Path, document: dict[str, Any]
) -> None:
    file = tmp_path / "site.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    found = load_calibration(file, load_bundle(bundle_dir))
    assert found.diagnoses[frozenset({"AFIB"})].threshold == 0.5
    assert found.diagnoses[frozenset({"AFIB"})].n_independent is None  # as once was written
    other = load_bundle(rewritten(bundle_dir, tmp_path / "other", name="other"))
    with pytest.raises(CalibrationError, match=r"made with the bundle tiny .* not with other"):
        load_calibration(file, other)


def test_a_calibration_for_other_diagnoses_is_refused_before_the_scan(
    run: Run, bundle_dir: Path, tmp_path: Path, document: dict[str, Any]
) -> None:
    file, labels = tmp_path / "site.json", tmp_path / "mine.txt"
    file.write_text(json.dumps(document), encoding="utf-8")
    write_dataset(tmp_path / "records", 2, seed=1, sampling_rate=100.0)
    out = tmp_path / "out"
    options = ("--labels", labels, "--bundle", bundle_dir, "--calibration", file, "--out", out)
    labels.write_text("left ventricular hypertrophy\n", encoding="utf-8")
    for words in (
        ("scan", tmp_path / "records", *options),
        ("labels", "check", labels, "--bundle", bundle_dir, "--calibration", file),
    ):
        code, printed = run(*words)
        assert code == ExitCode.USAGE
        assert "of no diagnosis of this list: it was learned for rhythm, and has AFIB" in printed
    assert not out.exists()
    labels.write_text("left ventricular hypertrophy\natrial fibrillation\n", encoding="utf-8")
    assert run("scan", tmp_path / "records", *options)[0] == ExitCode.OK


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format": "a poem"}, "format 'a poem'"),
        ({"format_version": 2}, "format version 2, expected 1"),
        ({"bundle": None}, "not a calibration"),
        ({"threshold": None}, "threshold None of 'AFIB'"),
        ({"threshold": float("nan")}, "threshold nan"),
        ({"threshold_draws": [0.4, float("nan")]}, "threshold_draws of 'AFIB'"),
        ({"threshold_draws": "123"}, "threshold_draws of 'AFIB'"),
        ({"n_independent": "many"}, "n_independent 'many' of 'AFIB'"),
        ({"n_independent": 0.0}, "n_independent 0.0 of 'AFIB'"),
        ({"concepts": "AFIB"}, "concepts 'AFIB', expected a list"),
        ({"signals": []}, "no signals of"),
        ({"signals": "abc"}, "signals, expected fingerprints"),
        ({"n": float("inf")}, "not a calibration"),
        ({"platt": {"slope": -1.0, "intercept": 0.0}}, "slope above zero"),
    ],
)
def test_what_is_no_calibration_is_a_sentence(
    bundle_dir: Path, tmp_path: Path, document: dict[str, Any], changes: dict[str, Any], says: str
) -> None:
    (diagnosis,) = document["diagnoses"]
    for key, value in changes.items():
        (document if key in document else diagnosis)[key] = value
    file = tmp_path / "site.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(CalibrationError, match=says):
        load_calibration(file, load_bundle(bundle_dir))


def test_a_diagnosis_that_stands_in_it_twice_is_a_sentence(
    bundle_dir: Path, tmp_path: Path, document: dict[str, Any]
) -> None:
    document["diagnoses"] *= 2
    file = tmp_path / "site.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(CalibrationError, match="'AFIB' stands in it twice"):
        load_calibration(file, load_bundle(bundle_dir))


@pytest.mark.parametrize("content", [b"", b"[]", b"[" * 100_000, b"\xff"])
def test_what_is_no_json_object_is_a_sentence(
    bundle_dir: Path, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "site.json"
    file.write_bytes(content)
    with pytest.raises(CalibrationError, match="not a calibration"):
        load_calibration(file, load_bundle(bundle_dir))
    with pytest.raises(CalibrationError, match="No such file"):
        load_calibration(tmp_path / "none.json", load_bundle(bundle_dir))


def test_a_signal_is_known_by_its_samples_alone() -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(2, 500)).astype(np.float32)
    one = Recording(Path("a.hea"), samples, 100.0, ("I", "II"))
    fingerprint = signal_fingerprint(one)
    assert len(fingerprint) == 32
    turned = Recording(Path("b.hea"), samples[::-1], 100.0, ("II", "I"), notes=("copied",))
    assert signal_fingerprint(turned) == fingerprint
    others = (
        Recording(Path("a.hea"), samples, 250.0, ("I", "II")),
        Recording(Path("a.hea"), samples, 100.0, ("I", "III")),
        Recording(Path("a.hea"), np.nextafter(samples, np.float32(9)), 100.0, ("I", "II")),
    )
    assert fingerprint not in {signal_fingerprint(other) for other in others}
