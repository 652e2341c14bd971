"""Whatever fails, and wherever the power goes: the same command again gives the same report."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ecgscreen import next_shard
from ecgscreen.errors import ExitCode, StoreError
from ecgscreen.scan import ScanOptions, scan
from ecgscreen.simulate import write_dataset
from tests.ecgscreen.crash_disk import CrashDisk
from tests.ecgscreen.reports_read import Reports, reports_of

N_FIRST, N_MORE = 4, 3
PUBLISHED = ("report.csv", "report.h5", "report.html", "run.json", "summary.json")


@dataclass(frozen=True)
class Screening:
    """A screening of one night, and what the second night makes of it.

    Attributes
    ----------
    bundle, records
        The model; the recordings of both nights.
    first
        The folder after the first night.
    expected
        The content of the reports after the second.
    """

    bundle: Path
    records: Path
    first: Path
    expected: Reports

    def scan(self, out: Path) -> None:
        scan(ScanOptions((self.records,), "rhythm.txt", out, bundle=self.bundle, workers=0))


@pytest.fixture(scope="module")
def screening(bundle_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Screening:
    folder = tmp_path_factory.mktemp("crash")
    everything, records = folder / "everything", folder / "records"
    write_dataset(everything, N_FIRST + N_MORE, seed=3, sampling_rate=100.0, faults=2)
    shutil.copytree(everything, records)
    more = sorted(records.glob("*.hea"))[N_FIRST:]
    for header in more:
        for path in records.glob(f"{header.stem}.*"):
            path.unlink()
    first, second = folder / "first", folder / "second"
    screening = Screening(bundle_dir, records, first, Reports(b"", {}, []))
    with small_shards():
        screening.scan(first)
        shutil.copytree(everything, records, dirs_exist_ok=True, copy_function=copy_if_missing)
        shutil.copytree(first, second)
        screening.scan(second)
    return Screening(bundle_dir, records, first, reports_of(second))


def copy_if_missing(source: str, target: str) -> None:
    if not Path(target).exists():
        shutil.copy2(source, target)


@contextmanager
def small_shards() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(next_shard, "SHARD_RECORDS", 2)
        yield


@pytest.fixture(autouse=True)
def shards_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(next_shard, "SHARD_RECORDS", 2)


def failure(screening: Screening, out: Path) -> StoreError | None:
    try:
        screening.scan(out)
    except StoreError as error:
        return error
    return None


def published(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in PUBLISHED}


def test_after_a_power_cut_at_any_moment_the_next_run_gives_the_same(
    screening: Screening, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(screening.first, out)
    with CrashDisk(out).watching() as disk:
        screening.scan(out)
    assert reports_of(out) == screening.expected
    old = (screening.first / "report.csv").read_bytes()
    reports = {old, screening.expected.csv}
    assert len(reports) == 2
    assert disk.n_operations > 20
    assert len(disk.states) > 20
    for state in disk.states:
        assert state.files["report.csv"] in reports, f"{state.name}: a part of a report"
        after = tmp_path / "after"
        state.write(after)
        screening.scan(after)
        assert reports_of(after) == screening.expected, state.name
        assert not list(after.rglob("*.part")), state.name


def test_whatever_operation_fails_the_next_run_goes_on(
    screening: Screening, tmp_path: Path
) -> None:
    """One operation after the other fails, as on a full disk; the old report stays until then."""
    out = tmp_path / "out"
    failed: list[str] = []
    while True:
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(screening.first, out)
        before = published(out)
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        disk = CrashDisk(out, fail_at=len(failed), fault=full)
        with disk.watching():
            error = failure(screening, out)
        if not disk.failed:
            break
        failed.append(disk.failed)
        if error is not None:
            assert error.exit_code is ExitCode.FAILED
            assert os.strerror(errno.ENOSPC) in error.message
            assert error.advice
        now = published(out)
        if disk.failed != "rename":  # of several files no rename can be one step
            assert now == before or reports_of(out) == screening.expected
        assert now["report.csv"] in (before["report.csv"], screening.expected.csv)
        screening.scan(out)
        assert reports_of(out) == screening.expected, f"{len(failed)}, {disk.failed}"
    assert {"fsync", "rename"} <= set(failed)
    assert len(failed) > 15


def test_a_disk_that_fills_at_any_size_leaves_the_old_report_whole(
    screening: Screening, tmp_path: Path
) -> None:
    """Every file ends with EFBIG at a limit, the writes of the HDF5 library among them."""
    out = tmp_path / "out"
    sizes = {path.stat().st_size for path in screening.first.rglob("*") if path.is_file()}
    limits = sorted({size for each in sizes for size in (each // 2, each - 1)} - {0, -1})
    n_failed = 0
    for limit in limits:
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(screening.first, out)
        before = published(out)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            error = failure(screening, out)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        if error is not None:
            n_failed += 1
            assert "File too large" in error.message
            assert published(out) == before
        screening.scan(out)
        assert reports_of(out) == screening.expected, f"limit {limit}"
    assert n_failed > len(limits) // 2
