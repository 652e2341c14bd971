"""A recording as a DICOM 12-lead ECG with a rhythm and a median beat."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, generate_uid

from ecgscreen.recording import Recording
from tests.ecgscreen.formats.planted import PLANTED

UV_PER_UNIT = 1.25
TWELVE_LEAD = "1.2.840.10008.5.1.4.1.1.9.1.1"


def coded(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def channel(lead: str) -> Dataset:
    item = Dataset()
    item.ChannelLabel = f"{PLANTED} {lead}"
    item.ChannelSourceSequence = [coded("0:0", "99PRIVATE", f"Lead {lead} (Einthoven)")]
    item.ChannelSensitivity = UV_PER_UNIT
    item.ChannelSensitivityUnitsSequence = [coded("uV", "UCUM", "microvolt")]
    item.ChannelSensitivityCorrectionFactor = 1
    item.ChannelBaseline = 0
    item.WaveformBitsStored = 16
    return item


def group(
    signal: NDArray[np.float32], rate: float, leads: tuple[str, ...], label: str, order: str = "<"
) -> Dataset:
    stored = np.rint(signal * 1000 / UV_PER_UNIT).astype(f"{order}i2")
    item = Dataset()
    item.MultiplexGroupLabel = label
    item.WaveformOriginality = "DERIVED" if label == "MEDIAN BEAT" else "ORIGINAL"
    item.NumberOfWaveformChannels, item.NumberOfWaveformSamples = stored.shape
    item.SamplingFrequency = rate
    item.ChannelDefinitionSequence = [channel(lead) for lead in leads]
    item.WaveformBitsAllocated = 16
    item.WaveformSampleInterpretation = "SS"
    item.WaveformData = stored.T.tobytes()
    return item


def dataset(recording: Recording, order: str = "<") -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = TWELVE_LEAD
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[PLANTED])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian if order == "<" else ExplicitVRBigEndian
    written = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    written.SOPClassUID = TWELVE_LEAD
    written.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    written.PatientName = PLANTED
    written.PatientID = PLANTED
    written.PatientBirthDate = "19010203"
    written.PatientComments = PLANTED
    written.AcquisitionDateTime = "20240101120000.000"
    leads, rate = recording.lead_names, recording.sampling_rate
    n_beat = int(rate)
    written.WaveformSequence = [
        group(recording.signal[:, :n_beat], rate, leads, "MEDIAN BEAT", order),
        group(recording.signal, rate, leads, "RHYTHM", order),
    ]
    return written


def write_dicom(recording: Recording, folder: Path, order: str = "<") -> Path:
    path = folder / "written.dcm"
    dcmwrite(path, dataset(recording, order), enforce_file_format=True)
    return path
