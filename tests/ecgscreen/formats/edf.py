"""A recording as EDF+, with a respiration signal of another rate and an annotation."""

from __future__ import annotations

import datetime
from pathlib import Path

import edfio
import numpy as np

from ecgscreen.recording import Recording
from tests.ecgscreen.formats.planted import PLANTED

RANGE_UV = 8192.0
"""Of 65,536 digital values, hence a quarter of a microvolt a unit."""


def write_edf(recording: Recording, folder: Path) -> Path:
    signals = [
        edfio.EdfSignal(
            row.astype(np.float64) * 1000,
            recording.sampling_rate,
            label=f"ECG {lead}",
            physical_dimension="uV",
            physical_range=(-RANGE_UV, RANGE_UV),
        )
        for row, lead in zip(recording.signal, recording.lead_names, strict=True)
    ]
    breath = np.zeros(int(25 * recording.duration_s))
    signals.insert(1, edfio.EdfSignal(breath, 25, label="Resp chest", physical_range=(-1, 1)))
    edf = edfio.Edf(
        signals,
        patient=edfio.Patient(
            code=PLANTED, name=PLANTED, birthdate=datetime.date(1901, 2, 3), sex="F"
        ),
        starttime=datetime.time(12),
        recording=edfio.Recording(startdate=datetime.date(2024, 1, 1)),
        annotations=[edfio.EdfAnnotation(1.0, None, PLANTED)],
        data_record_duration=1,
    )
    path = folder / "written.edf"
    edf.write(path)
    return path
