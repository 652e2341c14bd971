"""Importing and running OpenVINO reports to nobody and leaves nothing behind."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engines import offline

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in offline.SOCKET_CALL,
    reason="the guard against sockets is a Linux system call filter for x86_64 and aarch64",
)

RUN_OPENVINO = """
import sys
from pathlib import Path
import numpy as np
from engines.select import load_engine
engine = load_engine("openvino", Path(sys.argv[1]).read_bytes(), precision="f32")
found = engine.embed(np.ones((2, 12, 500), np.float32), np.ones((2, 12), np.bool_))
assert np.isfinite(found).all()
assert sys.modules["openvino_telemetry"] is None
assert "torch" not in sys.modules
print("done")
"""


def run_offline(code: str, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "CI"}
    environment |= {"HOME": str(home), "PYTHONPATH": str(ROOT), "TMPDIR": str(home)}
    return subprocess.run(
        [sys.executable, str(offline.__file__), sys.executable, "-c", code, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=home,
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty folder in which a process under the guard starts."""
    folder = tmp_path / "home"
    folder.mkdir()
    if (attempt := run_offline("print('alive')", folder)).returncode != 0:
        pytest.skip(f"no system call filter can be set here: {attempt.stderr[-200:]}")
    return folder


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6"])
def test_the_guard_ends_whoever_asks_for_an_internet_socket(home: Path, family: str) -> None:
    ask = f"import socket; socket.socket(socket.AF_UNIX); socket.socket(socket.{family})"
    assert run_offline(ask, home).returncode == -signal.SIGSYS
    child = f"import subprocess, sys; print(subprocess.run([sys.executable, '-c', {ask!r}]))"
    assert f"returncode={-signal.SIGSYS}" in run_offline(child, home).stdout


def test_openvino_tells_nobody_and_writes_nothing(
    home: Path, tmp_path: Path, onnx_bytes: bytes
) -> None:
    onnx = tmp_path / "encoder.onnx"
    onnx.write_bytes(onnx_bytes)
    finished = run_offline(RUN_OPENVINO, home, str(onnx))
    assert (finished.returncode, finished.stdout) == (0, "done\n"), finished.stderr
    assert list(home.rglob("*")) == []


def test_an_import_from_elsewhere_is_left_alone(home: Path, tmp_path: Path) -> None:
    """Who imported OpenVINO's telemetry before has made that choice; no second copy is made."""
    code = (
        "import sys, types; sys.modules['openvino_telemetry'] = kept = types.ModuleType('t');"
        "from engines.openvino import _import_openvino;"
    )
    assert (
        run_offline(code + "print(sys.modules['openvino_telemetry'] is kept)", home).returncode == 0
    )
