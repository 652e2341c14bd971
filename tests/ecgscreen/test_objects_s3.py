"""A bucket is scanned like a folder: against a server of S3 on loopback."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecgscreen.errors import ExitCode, UsageError
from ecgscreen.objects import store
from ecgscreen.objects.address import path_of_text
from ecgscreen.recording import SkipReason
from ecgscreen.results import Status
from ecgscreen.run_store import RunStore
from tests.command_line import Run
from tests.ecgscreen.object_server import BUCKET, SECRET, ObjectServer, object_server, upload, use
from tests.ecgscreen.screenings import every_byte, recordings, rows, scanned

ADDRESS = f"s3://{BUCKET}/night"
ROOT = path_of_text(ADDRESS)


@pytest.fixture(scope="module")
def served() -> Iterator[ObjectServer]:
    with object_server() as server, pytest.MonkeyPatch.context() as patch:
        use(server, patch)
        store.file_system("s3").mkdir(BUCKET)
        yield server
    store.file_system.cache_clear()


@pytest.fixture
def server(served: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> ObjectServer:
    use(served, monkeypatch)
    served.forget()
    return served


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, served: ObjectServer) -> Path:
    """Recordings, two of them faulty, and the same in the bucket."""
    path = recordings(tmp_path_factory.mktemp("s3") / "records", 9, seed=3, faults=2)
    upload(path, ADDRESS)
    return path


def without_paths(out: Path) -> list[list[str]]:
    with (out / "report.csv").open(encoding="utf-8", newline="") as file:
        return [row[1:] for row in csv.reader(file)]


def stored(out: Path) -> dict[str, tuple[Status, str]]:
    """Status and SHA-256 of the recordings, by name."""
    store = RunStore.open(out / "store")
    results = (row.result for row in store.iter_rows())
    return {result.path.rpartition("/")[2]: (result.status, result.sha256) for result in results}


@pytest.mark.parametrize("workers", [0, 1])
def test_the_report_is_that_of_the_folder(
    bundle_dir: Path, folder: Path, server: ObjectServer, tmp_path: Path, workers: int
) -> None:
    scanned(bundle_dir, tmp_path / "local", folder)
    scanned(bundle_dir, tmp_path / "s3", ROOT, workers=workers)
    assert without_paths(tmp_path / "s3") == without_paths(tmp_path / "local")
    names = [path.name for path in folder.glob("*.hea")]
    assert sorted(rows(tmp_path / "s3")) == sorted(f"{ADDRESS}/{name}" for name in names)
    assert stored(tmp_path / "s3") == stored(tmp_path / "local")
    assert set(server.fetched) == {f"night/{path.name}" for path in folder.iterdir()}


def test_what_did_not_change_is_not_fetched_again(
    bundle_dir: Path, folder: Path, server: ObjectServer, tmp_path: Path
) -> None:
    scanned(bundle_dir, tmp_path, ROOT)
    server.forget()
    assert scanned(bundle_dir, tmp_path, ROOT).summary.n_new == 0
    # The table that is no recording is looked at again; the strips of the report are not.
    assert server.fetched == ["night/truth.csv"]
    # The same length and, to the second, the same time: the ETag is another one.
    changed = folder / "sim00001.dat"
    store.file_system("s3").pipe_file(f"{BUCKET}/night/{changed.name}", changed.read_bytes()[::-1])
    try:
        server.forget()
        assert scanned(bundle_dir, tmp_path, ROOT).summary.n_new == 1
        assert server.fetched == ["night/sim00001.dat", "night/sim00001.hea", "night/truth.csv"]
    finally:
        upload(folder, ADDRESS)


def test_an_object_that_cannot_be_fetched_is_named_and_tried_again(
    bundle_dir: Path, folder: Path, server: ObjectServer, tmp_path: Path
) -> None:
    server.refused = {
        "sim00000.dat": "404 NoSuchKey",
        "sim00001.dat": "403 AccessDenied",
        "sim00002.hea": "500 InternalError",
        "sim00004.dat": "403 ExpiredToken",
    }
    scanned(bundle_dir, tmp_path, ROOT)
    found = rows(tmp_path)
    told = {n: found[f"{ADDRESS}/sim0000{n}.hea"]["reason"] for n in (0, 1, 2, 4)}
    assert told == {
        0: f"{SkipReason.VANISHED}: it is not there any more",
        1: f"{SkipReason.NO_PERMISSION}: reading it is not permitted",
        2: f"{SkipReason.READ_ERROR}: the object store says InternalError",
        4: f"{SkipReason.READ_ERROR}: the object store says ExpiredToken",
    }
    server.forget()
    again = scanned(bundle_dir, tmp_path, ROOT)
    assert again.summary.n_new == len(told)
    assert stored(tmp_path) == stored_of_folder(bundle_dir, folder, tmp_path)


def test_an_object_that_is_gone_is_told(
    bundle_dir: Path, folder: Path, server: ObjectServer, tmp_path: Path
) -> None:
    upload(folder, f"{ADDRESS}-2")
    root = path_of_text(f"{ADDRESS}-2")
    scanned(bundle_dir, tmp_path, root)
    for suffix in ("hea", "dat"):
        store.file_system("s3").rm_file(f"{BUCKET}/night-2/sim00001.{suffix}")
    scanned(bundle_dir, tmp_path, root)
    assert rows(tmp_path)[f"{ADDRESS}-2/sim00001.hea"]["status"] == Status.VANISHED


def stored_of_folder(bundle: Path, folder: Path, tmp_path: Path) -> object:
    scanned(bundle, tmp_path / "local", folder)
    return stored(tmp_path / "local")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("s3://no-such-bucket", "s3://no-such-bucket does not exist"),
        ("s3://no-such-bucket/night", "s3://no-such-bucket/night does not exist"),
        (f"s3://{BUCKET}/nothing", f"s3://{BUCKET}/nothing does not exist"),
        ("https://example.org/night", "https:// is not read"),
        (f"s3://user:{SECRET}@{BUCKET}/night", "holds a user, a password or a query"),
        (f"{ADDRESS}?X-Amz-Signature={SECRET}", "holds a user, a password or a query"),
        ("s3://", "a part of the address is empty"),
        (f"s3://{BUCKET}/../other", "a part of the address is empty"),
    ],
)
def test_what_cannot_be_scanned_is_a_sentence(
    server: ObjectServer, bundle_dir: Path, tmp_path: Path, run: Run, address: str, said: str
) -> None:
    out = tmp_path / "out"
    ended = run("scan", address, "--labels", "rhythm.txt", "--bundle", bundle_dir, "--out", out)
    assert ended.code == ExitCode.USAGE
    assert said in ended.err
    assert SECRET not in ended.err
    assert not out.exists()


def test_without_a_server_or_credentials_nothing_begins(
    server: ObjectServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    store.file_system.cache_clear()
    with pytest.raises(UsageError, match="the object store says NoCredentialsError") as told:
        store.check_root(ROOT)
    assert "Give credentials" in told.value.advice
    server.refused = {f"/{BUCKET}": "403 AccessDenied"}
    use(server, monkeypatch)
    with pytest.raises(UsageError, match="access is denied"):
        store.check_root(ROOT)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    store.file_system.cache_clear()
    with pytest.raises(UsageError, match="the object store says EndpointConnectionError"):
        store.check_root(ROOT)


def test_credentials_are_written_nowhere(
    server: ObjectServer, bundle_dir: Path, folder: Path, tmp_path: Path, run: Run
) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    ended = run(
        *("scan", ADDRESS, "--labels", "rhythm.txt", "--bundle", bundle_dir, "--out", out),
        *("--log-file", log, "--json"),
    )
    assert ended.code == ExitCode.SOME_NOT_SCORED
    assert ADDRESS.encode() in every_byte(out)
    for said in (every_byte(tmp_path), ended.out.encode(), ended.err.encode()):
        assert SECRET.encode() not in said
        assert b"an-id" not in said


def test_show_and_the_other_commands_find_the_objects(
    server: ObjectServer, bundle_dir: Path, folder: Path, tmp_path: Path, run: Run
) -> None:
    out, drawing = tmp_path / "out", tmp_path / "one.svg"
    run("scan", ADDRESS, "--labels", "rhythm.txt", "--bundle", bundle_dir, "--out", out)
    assert run("show", f"{ADDRESS}/sim00000.hea", "--out", drawing).code == ExitCode.OK
    run("show", folder / "sim00000.hea", "--out", tmp_path / "local.svg")
    assert drawing.read_bytes() == (tmp_path / "local.svg").read_bytes()
    assert run("show", f"{ADDRESS}/none.hea").code == ExitCode.FAILED
    assert run("verify-run", out).code == ExitCode.OK
    status = run("status", out)
    assert status.code == ExitCode.OK
    forgotten = run("forget", out, f"{ADDRESS}/sim00000.hea")
    assert forgotten.code == ExitCode.OK
    assert b"sim00000" not in every_byte(out)
