"""Recordings as WFDB files of format 16, as PTB-XL has them.

Written after the specification: header(5) and signal(5) of the WFDB Applications Guide
(https://physionet.org/physiotools/wag/).
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.recording import Recording

GAIN_PER_MV = 1000
"""Units a millivolt: one unit is a microvolt."""

INVALID_SAMPLE = -32768
"""Format 16's value for a sample that is not known."""

_LARGEST = 32767
_NAME = re.compile(r"[A-Za-z0-9_-]+")


def write_wfdb(recording: Recording, folder: Path, name: str) -> Path:
    """Write a header and a signal file; existing ones of the name are overwritten.

    Parameters
    ----------
    recording
        Its signal in mV is rounded to the microvolt, and limited to 32.767 mV as by a
        16-bit converter; NaN is written as an invalid sample. Notes are not written.
    folder
        An existing folder.
    name
        Of the record: letters, digits, ``-`` and ``_``.

    Returns
    -------
    The path of the header, ``folder/name.hea``.

    Raises
    ------
    ValueError
        If the name is not allowed in a WFDB header.
    OSError
        If a file cannot be written.
    """
    samples = to_samples(recording.signal)
    header = folder / f"{name}.hea"
    text = header_text(name, samples, recording.sampling_rate, recording.lead_names)
    header.write_bytes(text.encode("ascii"))
    (folder / f"{name}.dat").write_bytes(to_bytes(samples))
    return header


def to_samples(signal: NDArray[np.float32]) -> NDArray[np.int16]:
    """Round mV to units of the converter.

    Parameters
    ----------
    signal
        float32 (n_leads, n_samples) in mV.

    Returns
    -------
    int16 (n_leads, n_samples); NaN becomes `INVALID_SAMPLE`.
    """
    scaled = signal * np.float32(GAIN_PER_MV)
    np.rint(scaled, out=scaled)
    np.clip(scaled, -_LARGEST, _LARGEST, out=scaled)
    unknown = np.isnan(scaled)
    if unknown.any():
        scaled[unknown] = INVALID_SAMPLE
    return scaled.astype(np.int16)


def to_bytes(samples: NDArray[np.int16]) -> bytes:
    """Lay samples out as format 16 does: little-endian, all leads of one instant together."""
    return samples.T.astype("<i2", order="C").tobytes()


def header_text(
    name: str,
    samples: NDArray[np.int16],
    sampling_rate: float,
    lead_names: tuple[str, ...],
    gain: int = GAIN_PER_MV,
) -> str:
    """Write the header of a record whose signals share one signal file.

    Parameters
    ----------
    name
        Of the record; the signal file is ``name.dat``.
    samples
        int16 (n_leads, n_samples): first values and checksums are taken from them.
    sampling_rate
        In Hz.
    lead_names
        One a row of `samples`.
    gain
        Units a millivolt.

    Raises
    ------
    ValueError
        If the name is not allowed in a WFDB header.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"record name is {name!r}; expected letters, digits, '-' and '_' only")
    n_leads, n_samples = samples.shape
    sums = samples.sum(axis=1, dtype=np.int64)
    # The low 16 bits as a signed number, as header(5) asks for.
    checksums = ((sums + 0x8000) % 0x10000 - 0x8000).tolist()
    firsts = samples[:, 0].tolist() if n_samples else [0] * n_leads
    lines = [f"{name} {n_leads} {sampling_rate:.10g} {n_samples}"]
    lines += [
        f"{name}.dat 16 {gain}(0)/mV 16 0 {first} {checksum} 0 {lead}"
        for first, checksum, lead in zip(firsts, checksums, lead_names, strict=True)
    ]
    return "\n".join(lines) + "\n"
