"""The GPU benchmark on a machine without one: it builds, it counts, and it claims nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.gpu import BASE, NO_DEVICE, Row, measure, reached, table
from ecgscreen.bundle import load_bundle
from engines.base import EngineUnavailableError
from engines.cuda_driver import CudaDriver, Device
from engines.tensorrt_build import PRECISIONS

ROOT = Path(__file__).parents[2]
H100 = Device("NVIDIA H100 80GB HBM3", "9.0", "13.0")
SMALL = Device("NVIDIA L4", "8.9", "13.0")


def bench(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench.gpu", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_dry_run_builds_every_precision(bundle_dir: Path) -> None:
    done = bench("--dry-run", "--bundle", bundle_dir)
    assert done.returncode == 0, done.stderr
    for precision in PRECISIONS:
        assert f"tensorrt_rtx {precision}: " in done.stdout
    assert done.stdout.count(" MB, built in ") >= len(PRECISIONS)


def test_without_a_device_nothing_is_measured() -> None:
    try:
        CudaDriver()
    except EngineUnavailableError:
        done = bench()
        assert (done.returncode, done.stdout) == (NO_DEVICE, "")
        assert "nothing was measured: " in done.stderr
    else:
        pytest.skip("this machine has an NVIDIA device")


@pytest.mark.parametrize(
    ("device", "base", "rate", "expected"),
    [
        (SMALL, 5_000.0, 20_000.0, True),
        (SMALL, 5_000.0, 19_999.0, False),
        (H100, 20_000.0, 99_999.0, False),
        (H100, 20_000.0, 100_000.0, True),
        (H100, 30_000.0, 110_000.0, False),
    ],
)
def test_both_goals_count(device: Device, base: float, rate: float, expected: bool) -> None:
    rows = [Row(BASE, base, 1.0), Row("tensorrt f16", rate, 0.9999)]
    assert reached(device, rows) is expected
    lines = list(table(device, rows, ["pytorch f16 was not measured: a reason"]))
    assert f"| tensorrt f16 | {rate:,.0f} | {rate / base:.2f} | 0.999900 |" in lines
    assert "pytorch f16 was not measured: a reason" in lines
    assert lines[-1].endswith(": reached" if expected else ": NOT reached")


def test_every_runner_that_is_there_embeds_the_same(bundle_dir: Path) -> None:
    rows, missing = measure(load_bundle(bundle_dir), n_records=10, n_rounds=1)
    assert rows[0].name == BASE
    names = {row.name for row in rows} | {line.split(" was not")[0] for line in missing}
    assert {"pytorch f32", "pytorch f16", *(f"tensorrt {each}" for each in PRECISIONS)} <= names
    for row in rows:
        assert row.rate > 0
        assert row.cosine > 0.999


def test_what_was_not_measured_is_not_reached() -> None:
    assert not reached(SMALL, [Row(BASE, 1.0, 1.0)])
