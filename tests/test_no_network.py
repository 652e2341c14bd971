"""Scan, train and evaluate need nobody: whole runs in which an internet socket is deadly.

The filter of `tests.offline` kills whoever asks for one, children included. HOME and TMPDIR are an
empty folder, which is empty afterwards too; CI, which silences telemetry, is not set.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ecgscreen.bundle import load_bundle
from ecgscreen.errors import ExitCode
from ecgscreen.simulate import Rhythm, SimulationSettings, simulate
from tests.ecgscreen.formats.table import FORMATS
from tests.ecgscreen.reports_read import reports_of
from tests.ecgscreen.wfdb_written import write_by_wfdb
from tests.offline import run_offline

COMMAND = """
import sys
from ecgscreen.cli import main
sys.argv = ["ecgscreen", *sys.argv[1:]]
main()
"""

TRAIN = """
import sys
from dataclasses import replace
from pathlib import Path
from rich.console import Console
from tests.tiny_bundle import ENCODER
from trainer.request import TrainRequest
from trainer.run import run_training

class Small(TrainRequest):
    def config(self, base=None):
        return replace(super().config(base), encoder=ENCODER)

recordings, language_model, out = sys.argv[1:]
run_training(
    Small(
        folders=(Path(recordings),), out=Path(out), name="offline", train_folds="1",
        validation_folds="2", epochs=1, batch_size=36, seed=0, text_encoder=language_model,
        licence="Apache-2.0", with_reference=True, device="cpu",
    ),
    Console(stderr=True),
)
"""


def left_in(home: Path) -> list[Path]:
    return list(home.rglob("*"))


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_scan_of_every_format(
    bundle_dir: Path, empty_home: Path, tmp_path: Path, workers: str
) -> None:
    records = tmp_path / "records"
    heart = simulate(SimulationSettings(Rhythm.SINUS, seed=3)).recording
    for number, form in enumerate(FORMATS.values()):
        settings = SimulationSettings(Rhythm.SINUS, sampling_rate=form.sampling_rate, seed=number)
        folder = records / f"{number}"
        folder.mkdir(parents=True)
        form.write(simulate(settings).recording, folder)
    for signal_format in ("212", "516"):
        write_by_wfdb(heart, records, signal_format)
    shutil.make_archive(str(records / "packed"), "zip", records / "0")
    out = tmp_path / "out"
    finished = run_offline(
        COMMAND,
        empty_home,
        *("scan", str(records), "--labels", "rhythm.txt", "--out", str(out)),
        *("--bundle", str(bundle_dir), "--workers", workers),
    )
    assert finished.returncode == ExitCode.OK, finished.stderr
    assert left_in(empty_home) == []
    rows = reports_of(out).rows
    assert [row["status"] for row in rows] == ["scored"] * (len(FORMATS) + 3)


def test_a_training(
    simulated_ptbxl: Path, language_model: Path, empty_home: Path, tmp_path: Path
) -> None:
    out = tmp_path / "bundle"
    arguments = (str(simulated_ptbxl), str(language_model), str(out))
    finished = run_offline(TRAIN, empty_home, *arguments)
    assert finished.returncode == 0, finished.stderr
    assert left_in(empty_home) == []
    assert load_bundle(out).name == "offline"


def test_an_evaluation(
    simulated_ptbxl: Path, bundle_dir: Path, empty_home: Path, tmp_path: Path
) -> None:
    figures = tmp_path / "figures.json"
    finished = run_offline(
        COMMAND,
        empty_home,
        *("evaluate", "ptb-xl", str(simulated_ptbxl), "--bundle", str(bundle_dir)),
        *("--folds", "2", "--task", "rhythm", "--json", str(figures)),
    )
    assert finished.returncode == 0, finished.stderr
    assert left_in(empty_home) == []
    assert json.loads(figures.read_text(encoding="utf-8"))
