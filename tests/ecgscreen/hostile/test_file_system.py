"""What a file system does to a night: no permission, no room, files that go, a clock set back."""

from __future__ import annotations

import csv
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self

import pytest

import ecgscreen.scan
from ecgscreen.errors import ExitCode
from ecgscreen.progress import print_summary, stderr_console
from ecgscreen.readers import read_recording
from ecgscreen.recording import Recording, SkippedRecording, SkipReason
from ecgscreen.scan import ScanOptions, ScanResult, scan
from tests.ecgscreen.hostile.child import run_child
from tests.ecgscreen.hostile.conftest import HEALTHY, write_healthy


def rows_of(out: Path) -> dict[str, dict[str, str]]:
    with (out / "report.csv").open(encoding="utf-8", newline="") as file:
        return {row["path"]: row for row in csv.DictReader(file)}


def scanned(folder: Path, out: Path, bundle: Path) -> ScanResult:
    return scan(ScanOptions((folder,), "superclass.txt", out, bundle, threads=1, workers=0))


@pytest.fixture
def public(bundle_dir: Path) -> Iterator[Path]:
    """A folder that every user can reach, with a bundle, and recordings that may be read."""
    folder = Path(tempfile.mkdtemp(prefix="ecgscreen-test-"))
    try:
        folder.chmod(0o755)
        shutil.copytree(bundle_dir, folder / "bundle")
        write_healthy(folder / "records")
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield folder
    finally:
        for path in folder.rglob("*"):
            if path.is_dir():
                path.chmod(0o755)
        shutil.rmtree(folder)


AS_NOBODY = """
import os
place = Path(sys.argv[1])
if os.geteuid() == 0:
    # Everything is imported before: the program may lie where only root can read.
    assert attempt(place / "bundle", place / "records", place / "warm")[0] == 0
    try:
        for path in (place, place / "records"):
            os.chown(path, 65534, 65534)
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    except OSError as error:
        not_possible(f"root cannot be dropped here: {error}")
    import ecgscreen.errors
    if not os.access(ecgscreen.errors.__file__, os.R_OK):
        not_possible("the program lies where only root can read")
assert os.geteuid() != 0
"""


def test_a_folder_of_recordings_that_is_read_only(public: Path) -> None:
    run_child(
        AS_NOBODY
        + """
records = place / "records"
records.chmod(0o555)
try:
    (records / "probe").touch()
    not_possible("this user writes everywhere")
except PermissionError:
    pass
before = sorted(path.name for path in records.iterdir())
assert attempt(place / "bundle", records, place / "out") == (0, "")
assert sorted(path.name for path in records.iterdir()) == before
""",
        public,
    )
    assert rows_of(public / "out")[HEALTHY]["status"] == "scored"


def test_recordings_without_permission_are_rows(public: Path) -> None:
    for name in ("header", "signal"):
        write_healthy(public / "records", name)
    write_healthy(public / "records" / "closed", "inside")
    (public / "records" / "device.xml").write_text("<what-nobody-can-tell/>")
    for path in ("header.hea", "signal.dat", "closed", "device.xml"):
        (public / "records" / path).chmod(0)
    run_child(
        AS_NOBODY + 'assert attempt(place / "bundle", place / "records", place / "out") == (3, "")',
        public,
    )
    rows = rows_of(public / "out")
    assert rows.pop(HEALTHY)["status"] == "scored"
    assert set(rows) == {"header.hea", "signal.hea", "closed/", "device.xml"}
    for row in rows.values():
        assert row["status"] == "error"
        assert row["reason"].startswith(f"{SkipReason.NO_PERMISSION}: ")


def test_a_screening_that_is_read_only_stays_as_it_was(public: Path) -> None:
    run_child(
        AS_NOBODY
        + """
bundle, records, out = place / "bundle", place / "records", place / "night" / "out"
assert attempt(bundle, records, out) == (0, "")
def as_it_is():
    files = [path for path in out.rglob("*") if path.is_file() and "lock" not in path.name]
    return {path: path.read_bytes() for path in files}
before = as_it_is()
assert out / "report.csv" in before
for path in (out / "store", out):
    path.chmod(0o555)
for suffix in (".hea", ".dat"):
    content = (records / f"healthy{suffix}").read_bytes()
    (records / f"new{suffix}").write_bytes(content)
code, sentence = attempt(bundle, records, out)
assert code == 1, code
assert str(out) in sentence and "written" in sentence, sentence
(place / "night").chmod(0o555)
code, sentence = attempt(bundle, records, place / "night" / "other")
assert code == 1, code
assert str(place / "night") in sentence and "written" in sentence, sentence
assert as_it_is() == before
for path in (out, out / "store"):
    path.chmod(0o755)
assert attempt(bundle, records, out) == (0, "")
""",
        public,
    )
    assert set(rows_of(public / "night" / "out")) == {HEALTHY, "new.hea"}


NO_ROOM = """
import ctypes, os, resource, shutil, signal
bundle, records, out, how = map(Path, sys.argv[1:])
out.mkdir()
filler = out / "filler"
if how.name == "tmpfs":
    libc = ctypes.CDLL(None, use_errno=True)
    # A mount that nobody else sees, and that ends with this process.
    if (
        libc.unshare(0x00020000) != 0
        or libc.mount(b"none", b"/", None, 0x4000 | 1 << 18, None) != 0
        or libc.mount(b"tmpfs", os.fsencode(out), b"tmpfs", 0, b"size=4m") != 0
    ):
        not_possible(f"no file system can be mounted here: {os.strerror(ctypes.get_errno())}")
else:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

def full(is_full):
    if how.name == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096 if is_full else -1, -1))
    elif is_full:
        descriptor = os.open(filler, os.O_WRONLY | os.O_CREAT)
        try:
            while os.write(descriptor, bytes(4096)):
                pass
        except OSError:
            os.ftruncate(descriptor, os.fstat(descriptor).st_size - 16384)
        os.close(descriptor)
    else:
        filler.unlink()

assert attempt(bundle, records, out) == (0, "")
before = (out / "report.csv").read_bytes(), (out / "report.h5").read_bytes()
for suffix in (".hea", ".dat"):
    for number in range(5):
        shutil.copy(records / f"healthy{suffix}", records / f"new{number}{suffix}")
full(True)
code, sentence = attempt(bundle, records, out)
assert code == 1, code
assert str(out) in sentence and ("No space" in sentence or "too large" in sentence), sentence
assert before == ((out / "report.csv").read_bytes(), (out / "report.h5").read_bytes())
assert not list(out.glob(".*.part"))
full(False)
assert attempt(bundle, records, out) == (0, "")
assert attempt(bundle, records, out.with_name("fresh")) == (0, "")
assert (out / "report.csv").read_bytes() == (out.with_name("fresh") / "report.csv").read_bytes()
"""


@pytest.mark.parametrize("how", ["tmpfs", "limit"])
def test_a_disk_that_is_full(bundle_dir: Path, folder: Path, tmp_path: Path, how: str) -> None:
    """A file system of 4 MB, or no file over 4 kB: the old report stays, the next run goes on."""
    run_child(NO_ROOM, bundle_dir, folder, tmp_path / "out", how)


def test_files_that_vanish_during_the_run(
    folder: Path, bundle_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them when the first recording is read, which the walk has seen with the others."""
    for name in ("no-header", "no-signal", "shorter"):
        write_healthy(folder, name)
    write_healthy(folder / "x", "inside")

    def vanish(path: Path, root: Path) -> Recording | SkippedRecording:
        if (folder / "x").exists():
            (folder / "no-header.hea").unlink()
            (folder / "no-signal.dat").unlink()
            os.truncate(folder / "shorter.dat", 1000)
            shutil.rmtree(folder / "x")
        return read_recording(path, root)

    monkeypatch.setattr("ecgscreen.preparation.read_recording", vanish)
    result = scanned(folder, tmp_path / "out", bundle_dir)
    assert result.summary.exit_code == ExitCode.SOME_NOT_SCORED
    rows = rows_of(tmp_path / "out")
    assert rows.pop(HEALTHY)["status"] == "scored"
    found = {path: (row["status"], row["reason"].partition(":")[0]) for path, row in rows.items()}
    assert found == {
        "no-header.hea": ("vanished", SkipReason.VANISHED),
        "no-signal.hea": ("error", SkipReason.NO_SIGNAL_FILE),
        "shorter.hea": ("error", SkipReason.TRUNCATED),
        "x/": ("vanished", SkipReason.VANISHED),
    }


class Backwards(datetime):
    """A clock that is set back by an hour whenever somebody looks."""

    hours = 0

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        cls.hours += 1
        return cls(2024, 3, 31, 12, tzinfo=tz) - timedelta(hours=cls.hours)


def test_a_clock_that_goes_backwards(
    folder: Path,
    bundle_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A run that ends before it began, the next one before that; files of the future and 1903."""
    for name, seconds in (("future", 9e9), ("past", -2.1e9), ("epoch", 0.0)):
        header = write_healthy(folder, name)
        os.utime(header, (seconds, seconds))
        os.utime(header.with_suffix(".dat"), (seconds, seconds))
    monkeypatch.setattr(ecgscreen.scan, "datetime", Backwards)
    out = tmp_path / "out"
    first = scanned(folder, out, bundle_dir)
    before = rows_of(out)
    assert {row["status"] for row in before.values()} == {"scored"}
    assert len(before) == 4
    assert first.provenance.ended < first.provenance.started
    assert first.provenance.duration_s == 0
    print_summary(stderr_console(quiet=False), first.summary, first.provenance, out)
    assert "4 of 4 recordings scored in 0.0 s" in capsys.readouterr().err
    write_healthy(folder, "new")
    second = scanned(folder, out, bundle_dir)
    assert second.provenance.started < first.provenance.started
    assert second.summary.exit_code == ExitCode.OK
    after = rows_of(out)
    assert after.pop("new.hea")["status"] == "scored"
    assert after == before
