"""Garbage in cycles is looked for as ever while recordings are read, and seldom before."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecgscreen import garbage
from ecgscreen.simulate import write_dataset
from tests.command_line import Run


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = gc.get_threshold(), gc.isenabled()
    yield
    gc.set_threshold(*before[0])
    (gc.enable if before[1] else gc.disable)()
    gc.unfreeze()


def test_a_process_that_reads_recordings_looks_as_often_as_python_does(
    run: Run, bundle_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_ever = gc.get_threshold()
    seen = []

    def noted() -> None:
        seen.append(gc.get_threshold()[0])
        garbage.expect_work()

    monkeypatch.setattr("ecgscreen.embedding.expect_work", noted)
    write_dataset(tmp_path / "records", 2, seed=1, sampling_rate=100.0)
    gc.disable()  # as `ecgscreen.__main__` leaves it
    arguments = ("--labels", "rhythm", "--bundle", bundle_dir, "--out", tmp_path / "out")
    assert run("scan", tmp_path / "records", *arguments).code == 0
    assert seen == [garbage._WHILE_LOADING]
    assert gc.isenabled()
    assert gc.get_threshold() == as_ever


def test_reports_look_seldom_and_leave_it_as_it_was() -> None:
    as_ever = gc.get_threshold()
    with garbage.expecting_blocks():
        assert gc.get_threshold()[0] == garbage._WITH_BLOCKS
    assert gc.get_threshold() == as_ever


def test_at_the_end_nothing_is_looked_through() -> None:
    garbage.expect_end()
    assert not gc.isenabled()
    assert gc.get_freeze_count() > 0
    assert gc.collect() == 0


@pytest.mark.parametrize(("words", "code"), [(["--version"], 0), (["info", "--surely-not"], 2)])
def test_a_command_ends_as_it_should(words: list[str], code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ecgscreen", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert "Traceback" not in done.stderr
