from __future__ import annotations

import shutil
from pathlib import Path

from bench.default_model import TASKS, table
from tests.command_line import Run
from tests.tiny_bundle import VALIDATION_FOLD


def test_a_task_without_a_threshold_has_a_row(
    bundle_dir: Path, simulated_ptbxl: Path, tmp_path: Path, run: Run
) -> None:
    """Of the fold that thresholds come from, there are no figures at thresholds."""
    measured = ("ptb-xl", simulated_ptbxl, "--folds", VALIDATION_FOLD, "--task", "form")
    figures = tmp_path / "figures"
    assert run("evaluate", *measured, "--bundle", bundle_dir, "--json", figures).code == 0
    for task in TASKS:
        shutil.copy(figures, tmp_path / f"{task}.json")
    head, _, *rows = table(tmp_path).splitlines()
    assert [row.split(" | ")[0] for row in rows] == [f"| {task}" for task in TASKS]
    for row in rows:
        assert row.count("|") == head.count("|")
        assert row.endswith("| 0 |  |  |  |  |")
