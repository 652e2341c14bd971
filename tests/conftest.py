"""Fixtures that several packages' tests share."""

from __future__ import annotations

import os
import platform
import signal
import sys
from pathlib import Path
from signal import SIGINT
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.command_line import Run

# Before torch is imported anywhere: on arrays as small as the tests', threads only wait for
# each other, and on a busy machine they wait long.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell's background job ignores SIGINT, and so would every process that a test starts and
# interrupts.
if signal.getsignal(SIGINT) is signal.SIG_IGN:
    signal.signal(SIGINT, signal.default_int_handler)

DATA_DIR = Path(
    os.environ.get("ECGSCREEN_DATA", Path(__file__).parents[1].parent / "shared" / "data")
)


_POLICY = os.sched_getscheduler(0) if hasattr(os, "sched_getscheduler") else None


@pytest.fixture(autouse=True)
def _usual_turns() -> None:
    """Undo what a worker's work asked for in this process: its children would take long turns."""
    if _POLICY is not None and os.sched_getscheduler(0) != _POLICY:
        os.sched_setscheduler(0, _POLICY, os.sched_param(0))


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real recordings; the test is skipped where it is absent."""
    if not (DATA_DIR / "ptb-xl").is_dir():
        pytest.skip(f"real recordings are not at {DATA_DIR} (set ECGSCREEN_DATA)")
    return DATA_DIR


@pytest.fixture(scope="session")
def simulated_ptbxl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated recordings in PTB-XL's layout; see `tests.tiny_bundle`. Not to be written to."""
    from tests.tiny_bundle import write_simulated_ptbxl

    return write_simulated_ptbxl(tmp_path_factory.mktemp("ptbxl") / "simulated-ptb-xl")


@pytest.fixture(scope="session")
def language_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny frozen language model of random weights. Not to be written to."""
    from tests.tiny_bundle import write_tiny_language_model

    return write_tiny_language_model(tmp_path_factory.mktemp("language-model") / "tiny")


@pytest.fixture(scope="session")
def bundle_dir(
    tmp_path_factory: pytest.TempPathFactory, simulated_ptbxl: Path, language_model: Path
) -> Path:
    """A whole model bundle of an untrained encoder. Not to be written to."""
    from tests.tiny_bundle import write_tiny_bundle

    folder = tmp_path_factory.mktemp("bundles") / "tiny"
    return write_tiny_bundle(folder, simulated_ptbxl, language_model)


@pytest.fixture
def empty_home(tmp_path: Path) -> Path:
    """An empty folder to be the home of a process started by `tests.offline.run_offline`."""
    from tests.offline import SOCKET_CALL, run_offline

    if sys.platform != "linux" or platform.machine() not in SOCKET_CALL:
        pytest.skip("the filter against internet sockets is for Linux on x86_64 and aarch64")
    folder = tmp_path / "home"
    folder.mkdir()
    if (attempt := run_offline("", folder)).returncode != 0:
        pytest.skip(f"no system call filter can be set here: {attempt.stderr[-200:]}")
    return folder


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line as the console script does, in this process."""
    from tests.command_line import command_line

    monkeypatch.setenv("COLUMNS", "200")
    return command_line(capsys)
