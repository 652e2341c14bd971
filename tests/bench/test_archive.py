"""The made-up archive is a screening that every stage takes for a real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.archive import STAGES


def test_every_stage_runs(tmp_path: Path) -> None:
    for stage in STAGES.values():
        stage(tmp_path, 1_500)
    lines = (tmp_path / "out" / "report.csv").read_text("utf-8").splitlines()
    assert len(lines) == 1 + 1_500
    assert lines[-1].startswith("00001/record00001499.hea,scored,")


def test_a_store_that_lost_rows_is_noticed(tmp_path: Path) -> None:
    STAGES["make"](tmp_path, 20)
    for stage in ("open", "resume", "export"):
        with pytest.raises(SystemExit, match="recordings"):
            STAGES[stage](tmp_path, 21)
