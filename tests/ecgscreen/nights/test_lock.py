"""Of two runs on a folder the second waits, or says which process holds it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ecgscreen.errors import ExitCode, LockedError
from tests.ecgscreen.nights.runs import N, Night

HOLD = """
import sys, time
from pathlib import Path
from ecgscreen.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def holding(folder: Path, seconds: float) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_run_says_who_holds_the_folder(night: Night) -> None:
    with holding(night.out, 60) as process:
        try:
            with pytest.raises(LockedError, match=f"process {process.pid}, since 20") as caught:
                night()
        finally:
            process.kill()
    assert caught.value.exit_code == ExitCode.LOCKED
    assert night().summary.n_records == N, "the lock did not outlive the process"


def test_a_second_run_waits_if_it_is_to(night: Night) -> None:
    with holding(night.out, 1.0) as process:
        try:
            night(wait_lock_s=60.0)
        finally:
            process.kill()
    assert len(night.read) == N
