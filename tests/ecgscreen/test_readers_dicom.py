"""DICOM that lies about what it holds: a row with a sentence."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmwrite
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from ecgscreen.readers import read_recording
from ecgscreen.recording import LEADS, Recording, SkipReason
from tests.ecgscreen.formats import dicom
from tests.ecgscreen.formats.skipped import skipped
from tests.offline import run_offline


def rhythm(dataset: FileDataset) -> Dataset:
    group: Dataset = dataset.WaveformSequence[1]
    return group


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: setattr(d, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.2"), SkipReason.UNSUPPORTED),
        (lambda d: delattr(d, "WaveformSequence"), SkipReason.NO_SIGNALS),
        (lambda d: d.WaveformSequence.pop(), SkipReason.NO_SIGNALS),
        (
            lambda d: setattr(rhythm(d), "NumberOfWaveformSamples", 1_000_000_000),
            SkipReason.TOO_LARGE,
        ),
        (lambda d: setattr(rhythm(d), "NumberOfWaveformSamples", 3001), SkipReason.TRUNCATED),
        (lambda d: setattr(rhythm(d), "NumberOfWaveformSamples", 0), SkipReason.NO_SIGNALS),
        (lambda d: setattr(rhythm(d), "NumberOfWaveformChannels", 65535), SkipReason.BAD_CONTENT),
        (lambda d: setattr(rhythm(d), "SamplingFrequency", 0), SkipReason.BAD_SAMPLING_RATE),
        (lambda d: delattr(rhythm(d), "SamplingFrequency"), SkipReason.BAD_CONTENT),
        (lambda d: setattr(rhythm(d), "WaveformBitsAllocated", 24), SkipReason.UNSUPPORTED),
        (
            lambda d: setattr(rhythm(d), "WaveformSampleInterpretation", "MB"),
            SkipReason.UNSUPPORTED,
        ),
        (
            lambda d: setattr(rhythm(d).ChannelDefinitionSequence[3], "ChannelSensitivity", 0),
            SkipReason.BAD_GAIN,
        ),
    ],
)
def test_dicom_that_lies(
    tmp_path: Path,
    simulated: Recording,
    change: Callable[[FileDataset], object],
    reason: SkipReason,
) -> None:
    dataset = dicom.dataset(simulated)
    change(dataset)
    path = tmp_path / "a.dcm"
    dcmwrite(path, dataset, enforce_file_format=True)
    assert skipped(path).reason is reason


def test_a_real_dicom_ecg_gives_its_rhythm() -> None:
    path = get_testdata_file("waveform_ecg.dcm", download=False)
    assert isinstance(path, str)
    recording = read_recording(Path(path))
    assert isinstance(recording, Recording)
    assert recording.lead_names == LEADS
    assert recording.signal.shape == (12, 10_000)
    assert recording.sampling_rate == 1000
    assert recording.notes == ()
    # The first sample of lead I is 80 units of 1.25 uV, as pydicom's manual prints it.
    assert recording.signal[0, 0] == pytest.approx(0.1)


def test_dicom_that_unpacks_to_gigabytes_is_refused(tmp_path: Path, simulated: Recording) -> None:
    dataset = dicom.dataset(simulated)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = tmp_path / "a.dcm"
    dcmwrite(path, dataset, enforce_file_format=True)
    assert isinstance(read_recording(path), Recording)
    content = path.read_bytes()
    begin = 144 + int.from_bytes(content[140:144], "little")
    packer = zlib.compressobj(1, wbits=-15)
    packed = packer.compress(zlib.decompress(content[begin:], -15))
    packed += b"".join(packer.compress(bytes(1 << 20)) for _ in range(400)) + packer.flush()
    path.write_bytes(content[:begin] + packed)
    assert path.stat().st_size < 3 << 20
    result = skipped(path)
    assert result.reason is SkipReason.TOO_LARGE
    assert result.detail.startswith("its parser wants more than ")


OFFLINE = """
import sys
from pathlib import Path
from ecgscreen.readers import read_recording
print(read_recording(Path(sys.argv[1])).signal.shape)
"""


def test_dicom_is_read_where_internet_sockets_are_forbidden(
    tmp_path: Path, empty_home: Path, simulated: Recording
) -> None:
    # urllib3 asks for one as soon as it is imported, which a package of pydicom's does.
    done = run_offline(OFFLINE, empty_home, str(dicom.write_dicom(simulated, tmp_path)))
    assert done.stdout.strip() == "(12, 3000)", done.stderr
