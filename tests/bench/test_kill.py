"""A small campaign of kills; ``python -m bench.kill`` is the large one."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import pytest

from bench.kill import Job, differences, run
from ecgscreen.simulate import write_dataset


@pytest.fixture(scope="module")
def job(bundle_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Job:
    records = tmp_path_factory.mktemp("killed") / "records"
    write_dataset(records, 60, seed=2, sampling_rate=100.0, faults=4)
    return Job(records, bundle_dir, workers=1)


def test_what_was_killed_ends_with_the_same_report(job: Job, tmp_path: Path) -> None:
    outcomes = run(job, tmp_path, kills=3, again=1, seed=4)
    assert [outcome.faults for outcome in outcomes] == [()] * 3


def test_what_differs_is_told(job: Job, tmp_path: Path) -> None:
    expected, out = tmp_path / "expected", tmp_path / "out"
    job.finish(expected)
    shutil.copytree(expected, out)
    assert differences(out, expected) == []
    with (out / "report.csv").open("ab") as file:
        file.write(b"\r\n")
    with h5py.File(out / "report.h5", "r+") as file:
        file["scores"][0, 0] = 2.0
    (out / ".report.csv.1.part").touch()
    assert differences(out, expected) == [
        "report.csv differs",
        "report.h5: scores differs",
        "left behind: ['.report.csv.1.part']",
    ]
