"""A screening is held against its files, and whatever was altered is found and named."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecgscreen import score_again
from ecgscreen.errors import EngineError, ExitCode
from ecgscreen.merging import merge
from ecgscreen.remake import export
from ecgscreen.run_store import RunStore
from ecgscreen.score_again import Again, sample
from ecgscreen.verify_run import Check, verify_run
from engines.base import EngineUnavailableError
from tests.command_line import Run
from tests.ecgscreen.bundles import rewritten
from tests.ecgscreen.screenings import every_byte, recordings, rows, run_of, scanned


@pytest.fixture(scope="module")
def original(bundle_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 30 recordings, two of them faulty, a list, a bundle, and a screening."""
    folder = tmp_path_factory.mktemp("verify")
    recordings(folder / "records", 30, seed=1, faults=2)
    (folder / "night.txt").write_text("sinus rhythm\natrial fibrillation\n", "utf-8")
    shutil.copytree(bundle_dir, folder / "bundle")
    scanned(folder / "bundle", folder / "out", folder / "records", labels=str(folder / "night.txt"))
    return folder


def changed(folder: Path, again: Again | None = None, bundle: Path | None = None) -> list[Check]:
    """The checks that do not hold."""
    checks = verify_run(folder, again or Again(), bundle=bundle)
    return [check for check in checks if not check.holds]


def test_a_screening_as_it_was(original: Path, run: Run) -> None:
    before = every_byte(original / "records") + every_byte(original / "out" / "store")
    done = run("verify-run", original / "out", "--seed", 7)
    assert (done.code, done.err) == (ExitCode.OK, "")
    lines = done.out.splitlines()
    assert all(line.startswith("as it was: ") for line in lines)
    assert "as it was: reports, 3 files" in lines
    assert "as it was: inputs, 29 recordings; 1 without a hash, which could not be read" in lines
    (again,) = (line for line in lines if "scored again" in line)
    assert "10 recordings (seed 7): openvino" in again
    assert "to the last bit" in again
    assert every_byte(original / "records") + every_byte(original / "out" / "store") == before


def test_run_json_holds_what_anybody_can_compute_again(original: Path) -> None:
    """The digests, by hand: what sha256sum prints, and SHA-256 of that."""
    out = original / "out"
    document = run_of(out)
    for name, report in document["reports"].items():
        assert report["sha256"] == hashlib.sha256((out / name).read_bytes()).hexdigest()
    lines = []
    for path, row in rows(out).items():
        digest = "-"
        if row["status"] != "error":
            files = [original / "records" / path, (original / "records" / path).with_suffix(".dat")]
            inner = "".join(
                f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n"
                for file in sorted(files)
            )
            digest = hashlib.sha256(inner.encode()).hexdigest()
        lines.append(f"{digest}  {path}\n")
    assert document["inputs"] == {
        "n": 30,
        "n_hashed": sum(not line.startswith("-") for line in lines),
        "sha256": hashlib.sha256("".join(lines).encode()).hexdigest(),
    }


def alter_a_signal(folder: Path) -> None:
    path = folder / "records" / "sim00003.dat"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)


def remove_a_record(folder: Path) -> None:
    for suffix in (".hea", ".dat"):
        (folder / "records" / f"sim00003{suffix}").unlink()


def alter_the_list(folder: Path) -> None:
    with (folder / "night.txt").open("a", encoding="utf-8") as file:
        file.write("# nothing new\n")


def remove_the_list(folder: Path) -> None:
    (folder / "night.txt").unlink()


def alter_the_table(folder: Path) -> None:
    path = folder / "out" / "report.csv"
    path.write_text(path.read_text("utf-8").replace("sim00003", "sim99999"), "utf-8")


def alter_the_page(folder: Path) -> None:
    with (folder / "out" / "report.html").open("a", encoding="utf-8") as file:
        file.write("<!-- -->")


def alter_table_and_run(folder: Path) -> None:
    """What somebody does who knows of run.json."""
    path = folder / "out" / "report.csv"
    with path.open(encoding="utf-8", newline="") as file:
        table = list(csv.reader(file))
    table[1][-1] = "0.99"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(table)
    document = run_of(folder / "out")
    document["reports"]["report.csv"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "out" / "run.json").write_text(json.dumps(document), "utf-8")


def alter_the_inputs_digest(folder: Path) -> None:
    document = run_of(folder / "out")
    document["inputs"]["sha256"] = "0" * 64
    (folder / "out" / "run.json").write_text(json.dumps(document), "utf-8")


def rubbish_for_run_json(folder: Path) -> None:
    (folder / "out" / "run.json").write_text('{"reports": {"/dev/zero": []}, "inputs": 1}', "utf-8")


def remove_run_json(folder: Path) -> None:
    (folder / "out" / "run.json").unlink()


def alter_a_shard(folder: Path) -> None:
    path = next((folder / "out" / "store").glob("shard-*.npz"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def alter_the_bundle(folder: Path) -> None:
    path = folder / "bundle" / "encoder.onnx"
    path.write_bytes(path.read_bytes() + b"\0")


ALTERATIONS: dict[str, tuple[Callable[[Path], None], str]] = {
    "signal": (alter_a_signal, "sim00003.hea: "),
    "record": (remove_a_record, "sim00003.hea: is not there"),
    "list": (alter_the_list, "its file: "),
    "no list": (remove_the_list, "night.txt"),
    "table": (alter_the_table, "report.csv: "),
    "page": (alter_the_page, "report.html: "),
    "table and run.json": (alter_table_and_run, "report.csv made again: "),
    "run.json": (alter_the_inputs_digest, "the inputs in the store: "),
    "rubbish": (rubbish_for_run_json, "is not understood"),
    "no run.json": (remove_run_json, "cannot be read"),
    "shard": (alter_a_shard, "shard-000000"),
    "bundle": (alter_the_bundle, "encoder.onnx"),
}


@pytest.mark.parametrize("what", ALTERATIONS)
def test_what_was_altered_is_named(original: Path, run: Run, tmp_path: Path, what: str) -> None:
    alter, said = ALTERATIONS[what]
    # Moved, not copied: the screening knows where its recordings lie.
    kept = Path(shutil.copytree(original, tmp_path / "kept"))
    try:
        alter(original)
        done = run("verify-run", original / "out")
    finally:
        shutil.rmtree(original)
        shutil.copytree(kept, original)
    assert done.code == ExitCode.CHECK_FAILED
    assert "DIFFERS: " in done.out
    assert said in done.out


def test_another_bundle_of_the_same_name_is_not_the_one(
    original: Path, bundle_dir: Path, tmp_path: Path
) -> None:
    other = rewritten(bundle_dir, tmp_path / "other", licence="another")
    (check,) = changed(original / "out", bundle=other)
    assert check.what == "the bundle tiny"
    assert str(other) in check.differences[0]
    assert changed(original / "out", bundle=bundle_dir) == []


def test_an_embedding_that_no_recording_gives_is_found(original: Path, tmp_path: Path) -> None:
    """A store that agrees with itself and with its reports: only scoring again shows it."""
    out = Path(shutil.copytree(original / "out", tmp_path / "out"))
    store = RunStore.open(out / "store")
    results = [row.result for row in store.iter_rows()]
    forged = next(result for result in results if result.n_windows)
    forged.embeddings[0, :] = np.roll(forged.embeddings[0], 1)
    store.begin(store.provenance, store.runs[-1])
    store.append(forged, run=1)
    store.finish()
    export(out)
    (check,) = changed(out, Again(share=1.0))
    assert check.what.startswith("scored again, 30 recordings")
    (difference,) = check.differences
    assert difference.startswith(f"{forged.path}: scores differ by up to ")


def test_a_fault_that_is_none_any_more_is_found(original: Path) -> None:
    """Somebody brings the missing half of a file: nothing of it was hashed, but it is scored."""
    (faulty,) = (path for path, row in rows(original / "out").items() if row["status"] == "error")
    kept = {
        suffix: (original / "records" / faulty).with_suffix(suffix).read_bytes()
        for suffix in (".hea", ".dat")
    }
    good = (original / "records" / "sim00003.hea").read_text("ascii")
    try:
        (original / "records" / faulty).write_text(
            good.replace("sim00003", Path(faulty).stem), "ascii"
        )
        shutil.copy(
            original / "records" / "sim00003.dat",
            (original / "records" / faulty).with_suffix(".dat"),
        )
        (check,) = changed(original / "out", Again(share=1.0))
    finally:
        for suffix, content in kept.items():
            (original / "records" / faulty).with_suffix(suffix).write_bytes(content)
    assert check.differences == (f"{faulty}: was error, is scored",)


def test_the_sample_is_of_the_size_and_of_the_seed(original: Path) -> None:
    store = RunStore.open(original / "out" / "store")
    assert len(sample(store, Again(share=0.0))) == 10
    assert len(sample(store, Again(share=0.5))) == 15
    assert len(sample(store, Again(share=1.0))) == 30
    one, same, other = (sample(store, Again(seed=seed)).tolist() for seed in (1, 1, 2))
    assert one == same == sorted(set(one))
    assert one != other


def test_another_engine_is_within_its_tolerance(original: Path, run: Run) -> None:
    done = run("verify-run", original / "out", "--engine", "pytorch", "--precision", "f32")
    assert done.code == ExitCode.OK, done.out
    assert "pytorch f32, by up to " in done.out


def test_an_engine_that_is_not_here_says_how_to_go_on(
    original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object, **__: object) -> None:
        raise EngineUnavailableError("no such device", "Buy one.")

    monkeypatch.setattr(score_again, "load_engine", none)
    with pytest.raises(EngineError, match="no such device; openvino") as caught:
        changed(original / "out")
    assert "--engine" in caught.value.advice


def test_reports_without_names_are_verified_too(bundle_dir: Path, tmp_path: Path) -> None:
    records = recordings(tmp_path / "records", 4, seed=2, faults=1)
    scanned(bundle_dir, tmp_path / "out", records, pseudonymise_paths=True)
    assert changed(tmp_path / "out") == []
    (records / "sim00000.hea").write_bytes(b"")
    assert changed(tmp_path / "out") != []


def test_recordings_in_folders_of_an_archive_are_found_again(
    bundle_dir: Path, tmp_path: Path
) -> None:
    recordings(tmp_path / "packed" / "ward" / "a", 2, seed=3)
    night = tmp_path / "records" / "night"
    shutil.make_archive(str(night), "zip", tmp_path / "packed")
    scanned(bundle_dir, tmp_path / "out", tmp_path / "records")
    assert set(rows(tmp_path / "out")) == {f"night.zip/ward/a/sim0000{i}.hea" for i in range(2)}
    assert changed(tmp_path / "out") == []
    night.with_suffix(".zip").unlink()
    (inputs, again) = changed(tmp_path / "out")
    assert all("is not there" in difference for difference in inputs.differences)
    assert len(again.differences) == 2


def test_where_nobody_knows_where_recordings_lie_that_is_said(
    original: Path, bundle_dir: Path, tmp_path: Path
) -> None:
    records = recordings(tmp_path / "records", 2, seed=5)
    labels = str(original / "night.txt")
    scanned(original / "bundle", tmp_path / "two", records, labels=labels)
    merge([original / "out", tmp_path / "two"], tmp_path / "both", prefix=True)
    (check,) = changed(tmp_path / "both")
    assert "merged with --prefix" in check.differences[0]
    merge([original / "out", tmp_path / "two"], tmp_path / "merged")
    assert changed(tmp_path / "merged") == []


def test_an_archive_that_nobody_may_write_to_is_verified(
    original: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(original / "out", tmp_path / "out"))
    (out / "lock").unlink()
    # The tests may run as root, who may write anywhere: the system's answer is given here.
    monkeypatch.setattr("ecgscreen.verify_run.access", lambda _path, _mode: False)
    assert changed(out) == []
    assert not (out / "lock").exists()
