"""The commands of the README, run one after the other on simulated recordings."""

from __future__ import annotations

import csv
import shlex
import shutil
from pathlib import Path

import pytest

from ecgscreen.simulate import Rhythm, SimulationSettings, simulate
from ecgscreen.simulate.wfdb_writer import write_wfdb
from tests.command_line import exit_code_of
from tests.test_docs import README, blocks, shell_lines

ELSEWHERE = {
    "pip": "tests/test_wheel.py",
    "make": "tests/test_makefile.py",
    "ecgscreen compile": "tests/ecgscreen/test_verify.py",
    "ecgscreen verify --engine tensorrt": "tests/engines/test_tensorrt.py",
    "ecgscreen train": "tests/trainer/test_walk.py",
    "ecgscreen evaluate": "tests/trainer/test_evaluate_sets.py",
    "ecgscreen scan ./records --labels rhythm.txt --bundle": "tests/trainer/test_walk.py",
}
"""How lines begin that take minutes or a device -> the tests that run them."""

FEWER = {"--count 100": "--count 64", "--rate 500": "--rate 100"}
"""For the time that it takes."""


def run(line: str) -> int:
    """Run a command line as the shell would, and give its exit code."""
    for written, shorter in FEWER.items():
        line = line.replace(written, shorter)
    return exit_code_of(shlex.split(line, comments=True))


def prepare(folder: Path) -> None:
    """What the README supposes to be there."""
    heart = simulate(SimulationSettings(Rhythm.ATRIAL_FIBRILLATION, sampling_rate=100.0))
    for name in ("00001", "ward-3/p0815", "ward-4/p0816"):
        place = folder / "records" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        write_wfdb(heart.recording, place.parent, place.name)
    (mine,) = (block for block in blocks(README, "") if block.startswith("# what we look for"))
    (folder / "mine.txt").write_text(mine, encoding="utf-8")
    for ward, screening in (("ward-3", "ward-a"), ("ward-4", "ward-b")):
        assert run(f"ecgscreen scan ./records/{ward} --labels rhythm.txt --out ./{screening}") == 0


def tables(folder: Path) -> None:
    """The tables that the README names, of the recordings that were simulated and scanned."""
    with (folder / "records" / "truth.csv").open(encoding="utf-8", newline="") as file:
        truth = list(csv.DictReader(file))
    with (folder / "site.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "patient_id", "statements"])
        for row in truth:
            rows.writerow([f"records/{row['path']}", row["patient_id"], row["statements"]])
    with (folder / "patients.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "patient_id"])
        rows.writerows([[row["path"], row["patient_id"]] for row in truth])
    shutil.copytree(folder / "screening", folder / "last-week")


def test_the_commands_of_the_readme_do_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    lines = shell_lines(README)
    # It simulates into an empty folder for who has no recordings, which is so here.
    (making,) = (line for line in lines if line.startswith("ecgscreen simulate"))
    assert run(making) == 0
    prepare(tmp_path)
    left_out = set()
    for line in lines:
        elsewhere = [begin for begin in ELSEWHERE if line.startswith(begin)]
        left_out.update(elsewhere)
        if elsewhere or line == making:
            continue
        # Three of the recordings that were simulated are spoiled: 3 says so.
        expected = {0, 3} if line.startswith("ecgscreen scan") else {0}
        assert run(line) in expected, (line, capfd.readouterr().err)
        if line.startswith("ecgscreen scan") and not (tmp_path / "site.csv").exists():
            tables(tmp_path)
    assert left_out == set(ELSEWHERE)
    for name in ("00001.svg", "why.svg", "why.json", "changes.html", "both/report.html"):
        assert (tmp_path / name).is_file(), name
    assert "p0815" not in (tmp_path / "screening" / "report.csv").read_text(encoding="utf-8")
    calibrated = (tmp_path / "calibrated" / "run.json").read_text(encoding="utf-8")
    assert "site.json" in calibrated


@pytest.mark.parametrize("test", sorted(set(ELSEWHERE.values())))
def test_what_runs_the_others_is_there(test: str) -> None:
    assert (Path(__file__).parents[1] / test).is_file()
