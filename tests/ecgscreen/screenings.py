"""Screenings of simulated recordings, for the commands around the run store."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from ecgscreen.scan import ScanOptions, ScanResult, scan
from ecgscreen.simulate import write_dataset

REPORTS = ("report.csv", "report.h5", "report.html", "run.json", "summary.json")


def scanned(bundle: Path, out: Path, *roots: Path, **options: Any) -> ScanResult:
    """Scan some folders, in this process, with one thread."""
    one = ScanOptions(roots=roots, labels="superclass.txt", out=out, bundle=bundle, threads=1)
    return scan(replace(one, **{"workers": 0, **options}))


def recordings(folder: Path, n: int, seed: int, faults: int = 0) -> Path:
    """Write recordings of 10 s at 100 Hz, some faulty; returns the folder."""
    write_dataset(folder, n, seed, sampling_rate=100.0, faults=faults)
    return folder


def rows(out: Path) -> dict[str, dict[str, str]]:
    """The rows of ``report.csv`` by path; no path twice."""
    with (out / "report.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    by_path = {row["path"]: row for row in found}
    assert len(by_path) == len(found)
    return by_path


def run_of(out: Path) -> dict[str, Any]:
    """``run.json``."""
    document: dict[str, Any] = json.loads((out / "run.json").read_text(encoding="utf-8"))
    return document


def every_byte(folder: Path) -> bytes:
    """The content of all files below a folder, and their names, one behind the other."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return b"\n".join(str(path.relative_to(folder)).encode() + path.read_bytes() for path in files)
