"""The benchmark of training with several processes runs."""

from __future__ import annotations

from pathlib import Path

from tests.bench.test_scan import run


def test_the_steps_of_a_training_are_timed(simulated_ptbxl: Path) -> None:
    options = ("--fold", 1, "--batch-size", 24, "--epochs", 2, "--processes", 1)
    _, _, row = run("bench.train_scaling", simulated_ptbxl, *options)
    _, processes, threads, seconds, rate, against, _ = (cell.strip() for cell in row.split("|"))
    assert (processes, threads, against) == ("1", "1", "1.00")
    assert float(seconds) > 0
    assert float(rate) > 0
