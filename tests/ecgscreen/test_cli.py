"""What a shell and a person see: exit codes, and sentences instead of tracebacks."""

from __future__ import annotations

import csv
import json
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import pytest

from ecgscreen import __version__
from ecgscreen.bundle_manifest import FILES, OPTIONAL_FILES
from ecgscreen.commands.options import EngineName, PrecisionName
from ecgscreen.errors import ExitCode
from ecgscreen.label_list_file import shipped_lists
from ecgscreen.simulate import write_dataset
from engines.base import EngineUnavailableError
from engines.onnx_precision import with_precision
from engines.select import ENGINES, PRECISIONS, load_engine
from tests.command_line import Outcome, Run


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four recordings that can all be scored."""
    folder = tmp_path_factory.mktemp("good")
    write_dataset(folder, 4, seed=1)
    return folder


@pytest.fixture(scope="module")
def partly_faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six recordings; one is truncated, one is nothing but zeros."""
    folder = tmp_path_factory.mktemp("faulty")
    write_dataset(folder, 6, seed=1, faults=2)
    return folder


def test_every_recording_scored_is_0(
    run: Run, bundle_dir: Path, good: Path, tmp_path: Path
) -> None:
    out = tmp_path / "screening"
    result = run("scan", good, "--labels", "rhythm.txt", "--out", out, "--bundle", bundle_dir)
    assert result.code == ExitCode.OK
    assert result.out == ""
    assert "4 of 4 recordings scored" in result.err
    assert str(out / "report.html") in result.err
    names = {"report.h5", "report.csv", "report.html", "summary.json", "run.json"}
    assert names <= {path.name for path in out.iterdir()}
    assert json.loads((out / "summary.json").read_text(encoding="utf-8"))["exit_code"] == 0


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "ecgscreen: the memory ran out End"),
        (MemoryError("of 9 GB"), "the memory ran out: of 9 GB"),
        (RuntimeError("can't start new thread"), "no thread can be started End"),
    ],
)
def test_a_machine_that_has_no_more_is_a_sentence(
    error: Exception,
    said: str,
    run: Run,
    good: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(_path: Path) -> None:
        raise error

    monkeypatch.setattr("ecgscreen.scan.load_bundle", full)
    result = run("scan", good, "--labels", "rhythm.txt", "--out", tmp_path / "screening")
    assert result.code == ExitCode.FAILED
    assert said in result.said


def test_some_not_scored_is_3_and_each_is_named_with_the_reason(
    run: Run, bundle_dir: Path, partly_faulty: Path, tmp_path: Path
) -> None:
    out = tmp_path / "screening"
    result = run("scan", partly_faulty, "--labels", "form", "--out", out, "--bundle", bundle_dir)
    assert result.code == ExitCode.SOME_NOT_SCORED
    assert "4 of 6 recordings scored" in result.err
    with (out / "report.csv").open(encoding="utf-8", newline="") as file:
        reasons = {row["path"]: row["reason"] for row in csv.DictReader(file) if row["reason"]}
    with (partly_faulty / "truth.csv").open(encoding="utf-8", newline="") as file:
        faulty = {row["path"] for row in csv.DictReader(file) if row["fault"]}
    assert set(reasons) == faulty
    for path, reason in reasons.items():
        assert path in result.err
        assert reason.partition(":")[0] in result.err


def test_quiet_prints_nothing(
    run: Run, bundle_dir: Path, partly_faulty: Path, tmp_path: Path
) -> None:
    records = tmp_path / "records"
    assert run("simulate", records, "--count", 1, "--quiet") == Outcome(0, "", "")
    options = ("--labels", "rhythm.txt", "--bundle", bundle_dir, "--out", tmp_path / "screening")
    assert run("scan", partly_faulty, *options, "--quiet") == Outcome(3, "", "")
    assert (tmp_path / "screening" / "report.csv").is_file()


def test_quiet_still_prints_errors(run: Run, bundle_dir: Path, tmp_path: Path) -> None:
    result = run(
        *("scan", tmp_path / "nowhere", "--labels", "rhythm.txt", "--quiet"),
        *("--bundle", bundle_dir),
    )
    assert result.code == ExitCode.USAGE
    assert "nowhere does not exist" in result.err


def test_an_empty_folder_is_0_and_a_clear_word(run: Run, bundle_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    out = tmp_path / "screening"
    result = run(
        *("scan", tmp_path / "records", "--labels", "rhythm.txt"),
        *("--out", out, "--bundle", bundle_dir),
    )
    assert result.code == ExitCode.OK
    assert "no recording" in result.err
    with (out / "report.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert "sinus rhythm" in header
    assert rows == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("frobnicate",), "frobnicate"),
        (("scan",), "FOLDER"),
        (("scan", "."), "--labels"),
        (("scan", ".", "--labels", "rhythm.txt", "--frobnicate"), "--frobnicate"),
        (("scan", ".", "--labels", "rhythm.txt", "--batch-size", "0"), "--batch-size"),
        (("simulate", "new", "--count", "none"), "--count"),
        (("simulate", "new", "--rate", "5"), "5.0 Hz"),
        (("simulate", "new", "--count", "3", "--faults", "4"), "0 to 3"),
        (("evaluate", "ptb-xl", ".", "--task", "moods"), "moods"),
        (("train", ".", "--out", "new", "--train-folds", "1-3", "--validation-folds", "3"), "[3]"),
    ],
)
def test_usage_errors_are_2_and_name_what_is_wrong(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.code == ExitCode.USAGE
    assert said in result.err
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_2(run: Run, bundle_dir: Path, good: Path, tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    result = run(
        *("scan", good, missing, "--labels", "rhythm.txt"),
        *("--out", tmp_path / "out", "--bundle", bundle_dir),
    )
    assert result.code == ExitCode.USAGE
    assert f"{missing} does not exist" in result.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_an_out_that_is_a_file_is_2_before_the_work(
    run: Run, bundle_dir: Path, good: Path, tmp_path: Path, out: str
) -> None:
    (tmp_path / "file").touch()
    options = ("--labels", "rhythm.txt", "--bundle", bundle_dir, "--out", tmp_path / out)
    result = run("scan", good, *options)
    assert result.code == ExitCode.USAGE
    assert f"{tmp_path / 'file'} is no folder" in result.err


def test_an_empty_name_is_not_the_current_folder(run: Run, good: Path, tmp_path: Path) -> None:
    unset = ""
    assert run("scan", unset, "--labels", "rhythm", "--out", tmp_path / "s").code == ExitCode.USAGE
    assert run("scan", good, "--labels", "rhythm", "--out", unset).code == ExitCode.USAGE


def test_the_engines_and_precisions_offered_are_those_there_are() -> None:
    assert get_args(EngineName) == ENGINES
    assert get_args(PrecisionName) == PRECISIONS


def test_an_unknown_list_is_2_and_the_lists_that_ship_are_named(
    run: Run, bundle_dir: Path, good: Path, tmp_path: Path
) -> None:
    result = run(
        *("scan", good, "--labels", "rythm.txt"),
        *("--out", tmp_path / "out", "--bundle", bundle_dir),
    )
    assert result.code == ExitCode.USAGE
    assert "rythm.txt" in result.err
    assert "Did you mean rhythm.txt?" in result.err
    assert not (tmp_path / "out").exists()


def test_recordings_are_not_written_into_a_folder_in_use(run: Run, good: Path) -> None:
    before = sorted(good.iterdir())
    result = run("simulate", good, "--count", 2)
    assert result.code == ExitCode.USAGE
    assert f"{good} is not empty" in result.err
    assert sorted(good.iterdir()) == before


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize("damage", ["missing", "longer", "altered"])
def test_a_damaged_bundle_is_1_and_names_the_file(
    run: Run, bundle_dir: Path, good: Path, tmp_path: Path, name: str, damage: str
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(bundle_dir, bundle)
    file = bundle / name
    if damage == "missing":
        file.unlink()
    else:
        content = bytearray(file.read_bytes())
        if damage == "longer":
            content += b"\n"
        else:
            content[len(content) // 2] ^= 1
        file.write_bytes(content)
    result = run(
        *("scan", good, "--labels", "rhythm.txt"),
        *("--out", tmp_path / "out", "--bundle", bundle),
    )
    assert result.code == ExitCode.FAILED
    assert str(file) in result.err
    assert not (tmp_path / "out").exists()


def test_a_bundle_without_its_reference_population_is_whole(
    run: Run, bundle_dir: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(bundle_dir, bundle)
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    for name in OPTIONAL_FILES:
        (bundle / name).unlink()
        del manifest["files"][name]
    (bundle / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    result = run("info", "--bundle", bundle)
    assert result.code == ExitCode.OK
    assert "no reference population" in result.out


def test_version_and_info(run: Run, bundle_dir: Path) -> None:
    assert run("--version") == Outcome(0, f"ecgscreen {__version__}\n", "")
    result = run("info", "--bundle", bundle_dir)
    assert result.code == ExitCode.OK
    for expected in (__version__, str(bundle_dir), "tiny", "openvino: installed", "rhythm.txt"):
        assert expected in result.out


def test_an_engine_that_lacks_onnx_is_not_called_installed(
    run: Run, bundle_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("torch", "tensorrt_rtx"):
        pytest.importorskip(package)
    monkeypatch.setitem(sys.modules, "onnx", None)  # as if it were not there
    out = run("info", "--bundle", bundle_dir).out
    assert "pytorch: torch is installed, but does not run: it needs onnx too" in out
    assert "is installed, but builds f32 only: f16 and bf16 need onnx" in out
    assert "openvino: installed" in out
    with pytest.raises(EngineUnavailableError, match="onnx"):
        load_engine("pytorch", b"")
    with pytest.raises(EngineUnavailableError, match="onnx"):
        with_precision(b"", "f16")
    assert with_precision(b"as it is", "f32") == b"as it is"


def test_the_lists_that_ship_are_named_and_understood(run: Run, bundle_dir: Path) -> None:
    result = run("labels", "list")
    assert result.out.splitlines() == list(shipped_lists())
    for name in shipped_lists():
        checked = run("labels", "check", name, "--bundle", bundle_dir)
        assert checked.code == ExitCode.OK, checked.err


def test_a_list_is_shown_line_by_line(run: Run, bundle_dir: Path, tmp_path: Path) -> None:
    labels = tmp_path / "mine.txt"
    labels.write_text("# mine\nVorhofflimmern\nLBBB | left bundle branch block\n", "utf-8")
    result = run("labels", "check", labels, "--bundle", bundle_dir)
    assert result.code == ExitCode.OK
    first, second, *_, basis = result.out.splitlines()
    assert "reference population of " in basis
    assert first.strip() == (
        "2  Vorhofflimmern: atrial fibrillation (AFIB); prompted (seen); ranked, not flagged"
    )
    assert "3  LBBB | left bundle branch block:" in second


def test_a_list_that_cannot_be_understood_is_5_where_it_is_checked(
    run: Run, bundle_dir: Path, tmp_path: Path
) -> None:
    labels = tmp_path / "mine.txt"
    labels.write_text("sinus rhythm\natrial flutter | \n", "utf-8")
    result = run("labels", "check", labels, "--bundle", bundle_dir)
    assert result.code == ExitCode.CHECK_FAILED
    assert f"{labels}, line 2" in result.err


def test_a_message_does_not_steer_the_terminal(run: Run, bundle_dir: Path, tmp_path: Path) -> None:
    labels = tmp_path / "\x1b[31mmine.txt"
    labels.write_text("sinus rhythm |\n", "utf-8")
    result = run("labels", "check", labels, "--bundle", bundle_dir)
    assert result.code == ExitCode.CHECK_FAILED
    assert r"\x1b[31mmine.txt, line 1" in result.err
    assert "\x1b" not in result.err


def test_a_bundle_is_measured(
    run: Run, bundle_dir: Path, simulated_ptbxl: Path, tmp_path: Path
) -> None:
    figures = tmp_path / "figures.json"
    result = run(
        *("evaluate", "ptb-xl", simulated_ptbxl, "--task", "rhythm", "--folds", 2),
        *("--json", figures, "--bundle", bundle_dir),
    )
    assert result.code == ExitCode.OK
    assert "macro AUC" in result.err
    document = json.loads(figures.read_text(encoding="utf-8"))
    assert document["bundle"] == "tiny"
    low, high = document["macro_auc_ci"]["low"], document["macro_auc_ci"]["high"]
    assert 0 <= low < document["macro_auc"] < high <= 1


def test_it_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ecgscreen", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"ecgscreen {__version__}\n"


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.TERMINATED)],
)
def test_interrupted_and_terminated(tmp_path: Path, number: signal.Signals, code: int) -> None:
    folder = tmp_path / "records"
    arguments = ("simulate", str(folder), "--count", "1000000")
    with subprocess.Popen(
        [sys.executable, "-m", "ecgscreen", *arguments], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            # Not before everything is imported: an extension module that is being initialised
            # may swallow what a signal's handler raises.
            while not list(folder.rglob("*.hea")):
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(number)
            _, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == code
    assert "Traceback" not in err


def test_what_the_system_refuses_is_a_sentence(run: Run, tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
        outcome = run("simulate", tmp_path / "records", "--count", 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert outcome.code == ExitCode.FAILED
    assert f"{tmp_path / 'records'}: cannot be written: File too large" in outcome.err


@pytest.mark.parametrize("folder", ["file", "file/records", "loop", ""])
def test_recordings_cannot_be_simulated_into_a_file(run: Run, tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    outcome = run("simulate", tmp_path / folder if folder else "", "--count", 1)
    assert outcome.code == ExitCode.USAGE
    assert {path.name for path in tmp_path.iterdir()} == {"file", "loop"}
