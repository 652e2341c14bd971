"""A recording in the two layouts of HDF5 that are read."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from ecgscreen.recording import Recording
from tests.ecgscreen.formats.planted import PLANTED


def write_sph(recording: Recording, folder: Path) -> Path:
    path = folder / "written.h5"
    with h5py.File(path, "w") as file:
        file.attrs["patient"] = PLANTED
        file.create_dataset(
            "ecg", data=recording.signal.astype(np.float16), chunks=(3, 1500), compression="gzip"
        )
    return path


def write_code(recording: Recording, folder: Path) -> Path:
    """One exam of a file in the layout of CODE-15 %, which is at 400 Hz."""
    path = folder / "written.hdf5"
    n_samples = recording.signal.shape[1]
    padded = np.zeros((1, 4096, 12), np.float32)
    start = (4096 - n_samples) // 2
    padded[0, start : start + n_samples] = recording.signal.T
    with h5py.File(path, "w") as file:
        file.attrs["patient"] = PLANTED
        file["tracings"] = padded
        file["exam_id"] = np.array([70_041])
    return path / "70041"
