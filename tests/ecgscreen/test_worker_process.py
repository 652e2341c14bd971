"""Processes that begin from nothing, and what they say where that cannot be."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import active_children
from pathlib import Path

import pytest

from ecgscreen.embedding import Preparing
from ecgscreen.errors import ExitCode, WorkerError
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.serving import Task
from ecgscreen.simulate import write_dataset
from ecgscreen.worker_process import WorkerProcess
from ecgscreen.workers import Crew
from tests.command_line import Run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("records")
    write_dataset(path, 6, seed=4, sampling_rate=100.0)
    return path


@pytest.fixture
def no_others() -> Iterator[None]:
    """None is there before the test, and none is left behind."""
    assert active_children() == []
    yield
    assert active_children() == []


@pytest.mark.usefixtures("no_others")
@pytest.mark.parametrize("n_left", [0, 1, 3])
def test_one_that_cannot_be_started_is_a_sentence(n_left: int) -> None:
    one = WorkerProcess()  # what all of them share is there now
    one.stop()
    one.join()
    free = os.dup(0)
    os.close(free)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + n_left, limits[1]))
    try:
        with pytest.raises(WorkerError, match="can be started: Too many open files"):
            Crew(Preparing(PreprocessConfig()), 8)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.usefixtures("no_others")
@pytest.mark.parametrize("error", [MemoryError, ImportError])
def test_one_that_finds_no_memory_prints_nothing(
    error: type[Exception], capfd: pytest.CaptureFixture[str]
) -> None:
    with (
        Crew(Unloadable(error), 1) as crew,
        pytest.raises(WorkerError, match=r"could not start \(exit code 1\)"),
    ):
        _ = crew.greeting
    assert capfd.readouterr() == ("", "")


@dataclass(frozen=True)
class Unloadable:
    """A work that cannot be begun with."""

    error: type[Exception]

    def begin(self) -> None:
        raise self.error

    def outcomes(self, tasks: Iterable[Task]) -> Iterator[Task]:
        yield from tasks


def test_one_whose_parent_is_gone_before_there_was_work_ends(
    capfd: pytest.CaptureFixture[str],
) -> None:
    process = WorkerProcess()
    (worker,) = active_children()
    process.connection.close()
    worker.join(20)
    assert worker.exitcode == 0
    assert capfd.readouterr().err == ""


@pytest.mark.usefixtures("no_others")
@pytest.mark.parametrize(
    ("spoiled", "code"), [("--labels", ExitCode.USAGE), ("--bundle", ExitCode.FAILED)]
)
def test_what_is_wrong_with_list_or_bundle_leaves_no_worker(
    run: Run, folder: Path, bundle_dir: Path, tmp_path: Path, spoiled: str, code: int
) -> None:
    given = {"--labels": "rhythm", "--bundle": bundle_dir, "--out": tmp_path / "out"}
    given[spoiled] = tmp_path / "missing"
    arguments = [each for pair in given.items() for each in pair]
    outcome = run("scan", folder, *arguments, "--workers", "2")
    assert outcome.code == code
    assert "missing" in outcome.err
    assert not (tmp_path / "out").exists()
