"""WFDB records written by a test, and what the wfdb package reads of them."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.leads import standard_lead_name
from ecgscreen.readers import read_recording
from ecgscreen.recording import Recording

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of pandas, about what the package does when imported
    import wfdb

FACTORS = {"mv": 1.0, "uv": 1e-3, "v": 1e3, "nu": 1.0}


def expected(path: Path) -> tuple[list[str], NDArray[np.float32]]:
    """Lead names and signal as the wfdb package gives them, in mV, float64 then cast."""
    record = wfdb.rdrecord(str(path.with_suffix("")))
    names: dict[str, int] = {}
    for index, description in enumerate(record.sig_name):
        name = standard_lead_name(description)
        if name is not None:
            names.setdefault(name, index)
    columns = list(names.values())
    factors = np.array([FACTORS[record.units[index].lower()] for index in columns])
    signal = (record.p_signal[:, columns] * factors).T.astype(np.float32)
    return list(names), signal


def read(path: Path) -> Recording:
    recording = read_recording(path)
    assert isinstance(recording, Recording), recording
    return recording


def assert_equals_wfdb(path: Path) -> None:
    recording = read(path)
    names, signal = expected(path)
    assert list(recording.lead_names) == names
    assert recording.signal.dtype == np.float32
    assert recording.signal.flags.c_contiguous
    assert np.array_equal(recording.signal, signal, equal_nan=True)


def write(folder: Path, header: str, **signals: NDArray[np.int16] | bytes) -> Path:
    """Write a header and its signal files (``a_dat`` is a.dat)."""
    for name, samples in signals.items():
        content = samples if isinstance(samples, bytes) else samples.astype("<i2").tobytes()
        (folder / name.replace("_", ".")).write_bytes(content)
    path = folder / "a.hea"
    path.write_bytes(header.encode("latin-1"))
    return path


def write_by_wfdb(recording: Recording, folder: Path, form: str) -> None:
    """Write a record in a format that is read through the wfdb package: ``wfdb212.hea``."""
    n_leads = len(recording.lead_names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the package's own use of pandas
        wfdb.wrsamp(
            f"wfdb{form}",
            fs=recording.sampling_rate,
            units=["mV"] * n_leads,
            sig_name=list(recording.lead_names),
            d_signal=np.rint(recording.signal.T * 200).astype(int),
            fmt=[form] * n_leads,
            adc_gain=[200.0] * n_leads,
            baseline=[0] * n_leads,
            write_dir=str(folder),
        )
