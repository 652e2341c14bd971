"""The reports of a scan, read again."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np


@dataclass(frozen=True)
class Reports:
    """What a scan left, without what differs between any two runs (times)."""

    csv: bytes
    arrays: dict[str, bytes]
    rows: list[dict[str, str]]

    def row(self, path: str) -> dict[str, str]:
        (row,) = (row for row in self.rows if row["path"] == path)
        return row


def reports_of(out: Path) -> Reports:
    arrays: dict[str, bytes] = {}

    def keep(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            texts = item.dtype.kind == "O"
            value = item.asstr()[()].astype("U") if texts else item[()]
            arrays[name] = np.asarray(value).tobytes()

    with h5py.File(out / "report.h5") as file:
        file.visititems(keep)
    content = (out / "report.csv").read_bytes()
    rows = list(csv.DictReader(content.decode("utf-8").splitlines()))
    return Reports(content, arrays, rows)
