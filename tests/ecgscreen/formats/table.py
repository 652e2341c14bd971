"""Every format that is read, with what writes it and how finely."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from ecgscreen.recording import Recording
from ecgscreen.simulate.wfdb_writer import write_wfdb
from tests.ecgscreen.formats.binary import write_ishne, write_scp
from tests.ecgscreen.formats.dicom import write_dicom
from tests.ecgscreen.formats.edf import write_edf
from tests.ecgscreen.formats.hdf5 import write_code, write_sph
from tests.ecgscreen.formats.tables import write_csv, write_npy
from tests.ecgscreen.formats.xml import write_aecg, write_mortara, write_muse, write_sierra

NOON = datetime(2024, 1, 1, 12)


@dataclass(frozen=True)
class Written:
    """A format in the conformance test.

    Attributes
    ----------
    write
        Writes a recording of twelve leads into a folder and gives the path to read.
    step_mv
        The size of the format's smallest step, in mV.
    sampling_rate
        Of the recording to write, in Hz.
    states_unit
        Whether the format says what its numbers mean; else a note has to say what was assumed.
    acquired
        The time of acquisition that is written; None for a format without one.
    """

    write: Callable[[Recording, Path], Path]
    step_mv: float
    sampling_rate: float = 500.0
    states_unit: bool = True
    acquired: datetime | None = None


FORMATS: Mapping[str, Written] = MappingProxyType(
    {
        "WFDB": Written(lambda recording, folder: write_wfdb(recording, folder, "rec"), 1e-3),
        "DICOM": Written(write_dicom, 1.25e-3, acquired=NOON),
        "DICOM, big-endian": Written(
            lambda rec, folder: write_dicom(rec, folder, ">"), 1.25e-3, acquired=NOON
        ),
        "EDF": Written(write_edf, 0.25e-3, acquired=NOON),
        "CSV": Written(write_csv, 1e-4),
        "NPY": Written(write_npy, 2.5e-3),
        # Half precision: a step of 2 mV / 2^11 where it is largest in a simulated recording.
        "HDF5, SPH": Written(write_sph, 2e-3),
        "HDF5, CODE-15 %": Written(write_code, 1e-6, sampling_rate=400.0, states_unit=False),
        "HL7 aECG": Written(write_aecg, 2.5e-3, acquired=NOON),
        "GE MUSE XML": Written(write_muse, 2.5e-3, acquired=NOON),
        "Philips Sierra XML": Written(write_sierra, 5e-3, acquired=NOON),
        "Mortara XML": Written(write_mortara, 2.5e-3, acquired=NOON),
        "SCP-ECG": Written(write_scp, 2.5e-3, acquired=NOON),
        "ISHNE": Written(write_ishne, 2.5e-3, acquired=NOON),
    }
)
