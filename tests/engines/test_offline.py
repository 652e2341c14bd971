"""Importing and running OpenVINO reports to nobody and leaves nothing behind."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.offline import run_offline

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


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6"])
def test_the_guard_ends_whoever_asks_for_an_internet_socket(empty_home: Path, family: str) -> None:
    ask = f"import socket; socket.socket(socket.AF_UNIX); socket.socket(socket.{family})"
    assert run_offline(ask, empty_home).returncode == -signal.SIGSYS
    child = f"import subprocess, sys; print(subprocess.run([sys.executable, '-c', {ask!r}]))"
    assert f"returncode={-signal.SIGSYS}" in run_offline(child, empty_home).stdout


def test_openvino_tells_nobody_and_writes_nothing(
    empty_home: Path, tmp_path: Path, onnx_bytes: bytes
) -> None:
    onnx = tmp_path / "encoder.onnx"
    onnx.write_bytes(onnx_bytes)
    finished = run_offline(RUN_OPENVINO, empty_home, str(onnx))
    assert (finished.returncode, finished.stdout) == (0, "done\n"), finished.stderr
    assert list(empty_home.rglob("*")) == []


def test_an_import_from_elsewhere_is_left_alone(empty_home: Path, tmp_path: Path) -> None:
    """Who imported OpenVINO's telemetry before has made that choice; no second copy is made."""
    code = (
        "import sys, types; sys.modules['openvino_telemetry'] = kept = types.ModuleType('t');"
        "from engines.openvino import import_openvino;"
    )
    assert (
        run_offline(
            code + "print(sys.modules['openvino_telemetry'] is kept)", empty_home
        ).returncode
        == 0
    )


def test_what_converts_models_is_imported_by_who_asks_for_it_alone(empty_home: Path) -> None:
    code = (
        "import sys; from engines.openvino import import_openvino; import_openvino();"
        "print('openvino.tools.ovc' in sys.modules);"
        "from openvino.tools.ovc import convert_model; print(callable(convert_model))"
    )
    finished = run_offline(code, empty_home)
    assert finished.stdout.split() == ["False", "True"], finished.stderr
