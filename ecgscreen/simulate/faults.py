"""Recordings that no program can score, each spoilt in one known way."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path

import numpy as np

from ecgscreen.recording import Recording
from ecgscreen.simulate.wfdb_writer import header_text, to_bytes, to_samples, write_wfdb


class Fault(StrEnum):
    """What is wrong with a recording on disk; the value is what the truth table shows."""

    TRUNCATED = "signal file truncated"
    ALL_ZERO = "all samples zero"
    NO_SIGNAL_FILE = "signal file missing"
    TOO_SHORT = "two seconds long"
    NO_SIGNALS = "header without signals"
    NO_HEADER = "signal file without header"
    ALL_INVALID = "all samples invalid"
    NO_KNOWN_LEAD = "no known lead name"
    ZERO_SAMPLING_RATE = "sampling rate zero"
    ZERO_GAIN = "gain zero"


SHORT_S = 2.0
"""Length of a recording that is too short, in seconds."""


def write_faulty(recording: Recording, folder: Path, name: str, fault: Fault) -> Path:
    """Write a recording so that it cannot be used.

    Parameters
    ----------
    recording
        A good one.
    folder, name
        As for `write_wfdb`.
    fault
        What to spoil.

    Returns
    -------
    The path that names the recording: its header, or the signal file if it has none.
    """
    header, signal_file = folder / f"{name}.hea", folder / f"{name}.dat"
    samples = to_samples(recording.signal)
    rate, leads = recording.sampling_rate, recording.lead_names
    if fault is Fault.NO_SIGNALS:
        header.write_text(f"{name} 0 {rate:.10g} {samples.shape[1]}\n", encoding="ascii")
        return header
    if fault is Fault.ALL_ZERO:
        recording = replace(recording, signal=np.zeros_like(recording.signal))
    elif fault is Fault.ALL_INVALID:
        recording = replace(recording, signal=np.full_like(recording.signal, np.nan))
    elif fault is Fault.TOO_SHORT:
        recording = replace(recording, signal=recording.signal[:, : round(SHORT_S * rate)])
    elif fault is Fault.NO_KNOWN_LEAD:
        recording = replace(recording, lead_names=tuple(f"ch{i}" for i in range(len(leads))))
    write_wfdb(recording, folder, name)
    if fault is Fault.TRUNCATED:
        signal_file.write_bytes(to_bytes(samples)[: samples.nbytes * 2 // 5])
    elif fault is Fault.NO_SIGNAL_FILE:
        signal_file.unlink()
    elif fault is Fault.NO_HEADER:
        header.unlink()
        return signal_file
    elif fault is Fault.ZERO_SAMPLING_RATE:
        header.write_text(header_text(name, samples, 0.0, leads), encoding="ascii")
    elif fault is Fault.ZERO_GAIN:
        header.write_text(header_text(name, samples, rate, leads, gain=0), encoding="ascii")
    return header
