"""The same command, night after night."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ecgscreen.run_store import RunStore
from ecgscreen.scan import Listener, ScanOptions, ScanResult, scan
from ecgscreen.screening import STORE
from tests.ecgscreen.reports_read import Reports, reports_of

N = 12
"""Recordings before the first night, two of them faulty."""


class Night:
    """The same command, night after night; remembers what each run read."""

    def __init__(self, bundle: Path, records: Path, out: Path) -> None:
        self.options = ScanOptions(roots=(records,), labels="rhythm.txt", out=out, bundle=bundle)
        self.out = out
        self.read: list[str] = []

    def __call__(self, **changed: Any) -> ScanResult:
        self.read.clear()
        return scan(
            replace(self.options, **changed),
            Listener(done=lambda result: self.read.append(result.path)),
        )

    @property
    def reports(self) -> Reports:
        return reports_of(self.out)

    def status(self, path: str) -> str:
        return self.reports.row(path)["status"]


def rows_of(out: Path) -> dict[str, int]:
    """Which run made each row."""
    return {row.result.path: row.run for row in RunStore.open(out / STORE).iter_rows()}


def same(night: Night, fresh: Night) -> None:
    assert night.reports.csv == fresh.reports.csv
    assert night.reports.arrays == fresh.reports.arrays
