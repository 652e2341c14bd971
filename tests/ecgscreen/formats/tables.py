"""A recording as CSV or NPY with a side-car."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ecgscreen.recording import Recording
from tests.ecgscreen.formats.planted import PLANTED


def write_side_car(folder: Path, recording: Recording, **fields: object) -> None:
    content = {
        "sampling_rate": recording.sampling_rate,
        "leads": [name.upper() for name in recording.lead_names],
        "patient": PLANTED,
        "born": "1901-02-03",
    }
    (folder / "written.json").write_text(json.dumps(content | fields))


def write_csv(recording: Recording, folder: Path) -> Path:
    """Millivolts with a decimal comma, a first line of names, and a column of times."""
    times = np.arange(recording.signal.shape[1]) / recording.sampling_rate
    rows = np.vstack([times, recording.signal]).T
    lines = [";".join(f"{value:.4f}" for value in row).replace(".", ",") for row in rows.tolist()]
    path = folder / "written.csv"
    path.write_text("\r\n".join(["time;" + ";".join(recording.lead_names), *lines]) + "\r\n")
    write_side_car(folder, recording, unit="mV", leads=None)
    return path


def write_npy(recording: Recording, folder: Path) -> Path:
    """Units of a converter, a column a lead, in Fortran's order."""
    counts = np.rint(recording.signal * 400 + 1024).astype(">i2")
    path = folder / "written.npy"
    np.save(path, np.asfortranarray(counts.T))
    write_side_car(folder, recording, unit="ADC", gain=[400] * len(counts), baseline=1024)
    return path
