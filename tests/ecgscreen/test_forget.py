"""Recordings that have to go: afterwards nothing in the folder knows them."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from ecgscreen.errors import ExitCode, StoreError
from ecgscreen.forgetting import forget
from ecgscreen.lock import locked
from ecgscreen.results import record_id_of
from ecgscreen.run_store import NEXT_MANIFEST, RunStore
from ecgscreen.scan import Listener, ScanOptions, scan
from tests.command_line import Run
from tests.ecgscreen.crash_disk import CrashDisk
from tests.ecgscreen.screenings import REPORTS, every_byte, recordings, rows, scanned

GONE = "patient-b/sim00001.hea"


@pytest.fixture(scope="module")
def original(bundle_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with records and a screening of three runs: rows that were replaced lie in it."""
    folder = tmp_path_factory.mktemp("forget")
    records = folder / "records"
    recordings(records / "patient-a", 4, seed=1)
    recordings(records / "patient-b", 4, seed=2, faults=1)
    scanned(bundle_dir, folder / "out", records)
    for seed in (3, 4):
        # The signal of the one that goes changes each night: its old rows stay in the store.
        other = recordings(folder / f"other{seed}", 2, seed=seed)
        for suffix in (".hea", ".dat"):
            shutil.copy(other / f"sim00001{suffix}", (records / GONE).with_suffix(suffix))
        scanned(bundle_dir, folder / "out", records)
    return folder


@pytest.fixture
def without_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports are written many times: without their slowest part."""
    monkeypatch.setattr("ecgscreen.reports.html.writer.MAX_STRIPS", 0)


@pytest.fixture
def out(original: Path, tmp_path: Path) -> Path:
    """A copy of the screening."""
    return Path(shutil.copytree(original / "out", tmp_path / "out"))


def test_nothing_of_it_is_left_and_nothing_else_changes(
    original: Path, out: Path, run: Run
) -> None:
    before = rows(out)
    embeddings = [
        result.embeddings[0].tobytes()
        for row in RunStore.open(out / "store").iter_rows()
        if (result := row.result).path == GONE
    ]
    content = every_byte(out)
    assert GONE.encode() in content
    assert embeddings[0] in content
    done = run("forget", out, GONE)
    assert done.code == ExitCode.OK
    assert "1 forgotten; 7 left" in done.out
    # Its files still lie in the records: the next scan would find them.
    assert GONE in done.err
    content = every_byte(out)
    for trace in (GONE.encode(), record_id_of(GONE).encode(), *embeddings):
        assert trace not in content
    after = rows(out)
    assert after == {path: row for path, row in before.items() if path != GONE}
    store = RunStore.open(out / "store")
    assert {path.name for path in (out / "store").glob("*.npz")} == store.file_names
    assert not (out / "store" / NEXT_MANIFEST).exists()


def test_a_patient_and_a_record_id(out: Path) -> None:
    names = list(rows(out))
    done = forget(out, ["patient-b/", record_id_of("patient-a/sim00002.hea")])
    assert set(done.names) == {"patient-a/sim00002.hea", *(n for n in names if "-b/" in n)}
    assert done.unknown == ()
    assert list(rows(out)) == [f"patient-a/sim0000{n}.hea" for n in (0, 1, 3)]


def test_a_name_that_is_not_there_is_said_and_the_others_go(out: Path, run: Run) -> None:
    done = run("forget", out, "patient-a/sim00009.hea", "patient-a/sim00000.hea")
    assert done.code == ExitCode.USAGE
    assert "'patient-a/sim00009.hea'" in done.err
    assert len(rows(out)) == 7


def test_begun_again_after_a_crash_it_ends_in_the_same(
    out: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("ecgscreen.forgetting.write_stored", crash)
        with pytest.raises(KeyboardInterrupt):
            forget(out, [GONE])
    assert GONE in rows(out)  # the reports are the old ones
    forget(out, [GONE])
    assert GONE.encode() not in every_byte(out)
    assert len(rows(out)) == 7


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.TERMINATED)],
)
def test_interrupted_it_says_that_they_may_still_be_there(
    out: Path, monkeypatch: pytest.MonkeyPatch, run: Run, number: signal.Signals, code: ExitCode
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("ecgscreen.forgetting.write_stored", lambda *_: os.kill(os.getpid(), number))
        done = run("forget", out, GONE, "--quiet")
    assert (done.code, done.out) == (code, "")
    assert done.err == (
        f"Interrupted: {out} may still hold them; the same command takes them out.\n"
    )
    assert GONE in rows(out)
    run("forget", out, GONE)
    assert GONE.encode() not in every_byte(out)


@pytest.mark.usefixtures("without_strips")
def test_after_a_power_cut_at_any_moment_it_is_gone_and_nothing_else_is(
    out: Path, tmp_path: Path
) -> None:
    before = rows(out)
    expected = {path: row for path, row in before.items() if path != GONE}
    traces = (GONE.encode(), record_id_of(GONE).encode())
    with CrashDisk(out).watching() as disk:
        forget(out, [GONE])
        for files in disk.at_the_end():
            assert not any(trace in content for content in files.values() for trace in traces)
    assert len(disk.states) > 10
    for state in disk.states[::2]:  # every other one: each costs two passes over the disk
        after = tmp_path / "after"
        state.write(after)
        assert rows(after) in (before, expected), state.name
        forget(after, [GONE])
        assert rows(after) == expected, state.name
        content = every_byte(after)
        assert not any(trace in content for trace in traces), state.name


@pytest.mark.usefixtures("without_strips")
def test_a_disk_that_is_full_is_a_sentence_and_leaves_it_as_it_was(out: Path) -> None:
    """Every other operation fails in its turn; begun again, it ends in the same."""
    failed: list[str] = []
    while True:
        copy = Path(shutil.copytree(out, out.with_name("copy")))
        before = rows(copy)
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        disk = CrashDisk(copy, fail_at=2 * len(failed), fault=full)
        with disk.watching(), suppress(StoreError):
            forget(copy, [GONE])
        if not disk.failed:
            break
        failed.append(disk.failed)
        assert {path: row for path, row in rows(copy).items() if path != GONE} == {
            path: row for path, row in before.items() if path != GONE
        }
        forget(copy, [GONE])
        assert GONE.encode() not in every_byte(copy), failed
        assert len(rows(copy)) == 7
        shutil.rmtree(copy)
    assert len(failed) > 8
    assert {"fsync", "rename"} <= set(failed)


def test_what_an_interrupted_run_has_scored_goes_too(
    original: Path, bundle_dir: Path, out: Path, tmp_path: Path
) -> None:
    records = Path(shutil.copytree(original / "records", tmp_path / "more"))
    new = "patient-c/sim00001.hea"
    recordings(records / "patient-c", 2, seed=9)

    options = ScanOptions(
        (records,), "superclass.txt", out, bundle_dir, threads=1, workers=0, batch_size=1
    )
    told = []

    def stop_at_the_second(result: object) -> None:
        told.append(result)
        if len(told) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan(options, Listener(done=stop_at_the_second))
    assert new.encode() in every_byte(out)
    done = forget(out, [new])
    assert done.unknown == ()
    assert new.encode() not in every_byte(out)
    scan(options)
    assert len(rows(out)) == 10


def test_a_recording_that_was_given_by_its_name(bundle_dir: Path, tmp_path: Path) -> None:
    records, out = recordings(tmp_path / "records", 3, seed=1), tmp_path / "out"
    secret = records / "Mustermann.hea"
    (records / "sim00000.hea").rename(secret)
    scanned(bundle_dir, out, secret, records / "sim00001.hea")
    assert b"Mustermann" in every_byte(out)
    done = forget(out, [str(secret)])
    assert done.names == (str(secret),)
    assert b"Mustermann" not in every_byte(out)
    assert list(rows(out)) == [str(records / "sim00001.hea")]


def test_a_folder_in_use_is_left_alone(out: Path, run: Run) -> None:
    before = {name: (out / name).read_bytes() for name in REPORTS}
    with locked(out):
        done = run("forget", out, GONE)
    assert done.code == ExitCode.LOCKED
    assert f"process {os.getpid()}" in done.err
    assert {name: (out / name).read_bytes() for name in REPORTS} == before
