"""A scan whose standard streams are closed, full or broken does its work all the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ecgscreen.errors import ExitCode
from ecgscreen.simulate import write_dataset


def in_a_process(*arguments: object, error_to: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "ecgscreen", *map(str, arguments)],
        stderr=error_to,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("device", ["full", "pipe"])
def test_a_scan_outlives_what_it_is_shown_on(bundle_dir: Path, tmp_path: Path, device: str) -> None:
    write_dataset(tmp_path / "records", 2, seed=1, sampling_rate=100.0, faults=1)
    arguments = ["scan", tmp_path / "records", "--bundle", bundle_dir, "--labels", "rhythm.txt"]
    if device == "pipe":
        read_end, descriptor = os.pipe()
        os.close(read_end)
    else:
        descriptor = os.open("/dev/full", os.O_WRONLY)
    scanned = in_a_process(*arguments, "--out", tmp_path / "out", error_to=descriptor)
    os.close(descriptor)
    assert scanned.wait(60) == ExitCode.SOME_NOT_SCORED
    assert (tmp_path / "out" / "report.csv").exists()


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_scan_needs_no_standard_streams(bundle_dir: Path, tmp_path: Path, closed: str) -> None:
    write_dataset(tmp_path / "records", 2, seed=1, sampling_rate=100.0, faults=1)
    words: list[object] = [tmp_path / "records", "--bundle", bundle_dir, "--labels", "rhythm.txt"]
    words += ["--out", tmp_path / "out", "--workers", 1, "--json"]
    command = [sys.executable, "-m", "ecgscreen", "scan", *map(str, words)]
    scanned = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *command],
        capture_output=True,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert scanned.returncode == ExitCode.SOME_NOT_SCORED
    assert bool(scanned.stdout) == (">&-" not in closed.split())
    assert b"Traceback" not in scanned.stderr
    assert (tmp_path / "out" / "report.csv").exists()
