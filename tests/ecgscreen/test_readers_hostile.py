"""Files that were made to do harm: a row with a sentence, in bounded memory and time."""

from __future__ import annotations

import os
import random
import signal
import zlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import pytest
from pydicom import dcmwrite
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from ecgscreen.discover import Discovery
from ecgscreen.readers import limited, read_recording
from ecgscreen.recording import LEADS, Recording, SkippedRecording, SkipReason
from ecgscreen.simulate import simulate
from ecgscreen.simulate.settings import Rhythm, SimulationSettings
from tests.ecgscreen.formats import binary, dicom, edf
from tests.offline import run_offline


@pytest.fixture(scope="module")
def simulated() -> Recording:
    return simulate(SimulationSettings(Rhythm.SINUS, seed=8, duration_s=6.0)).recording


def skipped(path: Path) -> SkippedRecording:
    result = read_recording(path)
    assert isinstance(result, SkippedRecording), result
    assert result.detail.isprintable()
    assert result.detail
    return result


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


def spoiled(content: bytes, at: int, field: str) -> bytes:
    return content[:at] + field.ljust(8).encode() + content[at + 8 :]


@pytest.mark.parametrize(
    ("at", "field", "reason"),
    [
        (236, "99999999", SkipReason.TRUNCATED),
        (236, "7", SkipReason.TRUNCATED),
        (236, "many", SkipReason.BAD_HEADER),
        (244, "0", SkipReason.BAD_CONTENT),
        (244, "1e9", SkipReason.BAD_SAMPLING_RATE),
        (256 + 14 * 216, "99999999", SkipReason.TRUNCATED),
        (256 + 14 * 216, "-5", SkipReason.BAD_HEADER),
    ],
)
def test_edf_that_lies(
    tmp_path: Path, simulated: Recording, at: int, field: str, reason: SkipReason
) -> None:
    path = edf.write_edf(simulated, tmp_path)
    path.write_bytes(spoiled(path.read_bytes(), at, field))
    assert skipped(path).reason is reason


def test_an_unfinished_edf_is_read_as_far_as_it_goes(tmp_path: Path, simulated: Recording) -> None:
    path = edf.write_edf(simulated, tmp_path)
    path.write_bytes(spoiled(path.read_bytes(), 236, "-1")[:-100])
    recording = read_recording(path)
    assert isinstance(recording, Recording)
    assert recording.duration_s == 5


def test_of_an_interrupted_edf_the_longest_piece_is_read(
    tmp_path: Path, simulated: Recording
) -> None:
    path = edf.write_edf(simulated, tmp_path)
    whole = read_recording(path)
    content = path.read_bytes().replace(b"EDF+C", b"EDF+D", 1)
    for second in (5, 4, 3, 2):
        content = content.replace(b"+%d\x14\x14" % second, b"+%d\x14\x14" % (second + 3), 1)
    path.write_bytes(content)
    piece = read_recording(path)
    assert isinstance(whole, Recording)
    assert isinstance(piece, Recording)
    assert piece.notes[-1] == ("1 gap: the longest piece is read, 4 s from second 5 on")
    assert piece.signal.tobytes() == whole.signal[:, 1000:].tobytes()


def test_names_that_promise_a_recording_get_a_row(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(b"\0" * 500)
    (tmp_path / "b.edf").write_bytes(b"")
    (tmp_path / "c.pdf").write_bytes(b"%PDF-1.7")
    (tmp_path / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    os.mkfifo(tmp_path / "d.dcm")
    (tmp_path / "e.dcm").symlink_to("/etc/passwd")
    discovery = Discovery([tmp_path])
    found = [one.path for one in discovery]
    assert [path.name for path in found] == ["a.dcm", "b.edf", "d.dcm", "e.dcm"]
    assert discovery.ignored == 2
    reasons = [skipped(path).reason for path in found]
    assert reasons == [
        SkipReason.UNSUPPORTED,
        SkipReason.UNSUPPORTED,
        SkipReason.NOT_A_FILE,
        SkipReason.OUTSIDE_FOLDER,
    ]


def test_without_the_package_a_file_says_what_to_install(
    tmp_path: Path, simulated: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = dicom.write_dicom(simulated, tmp_path)
    monkeypatch.setattr(
        limited, "find_spec", lambda name: None if name == "pydicom" else find_spec(name)
    )
    result = skipped(path)
    assert result.reason is SkipReason.MISSING_PACKAGE
    assert result.detail == "DICOM is read with pydicom: install ecgscreen[clinical]"
    assert [one.path for one in Discovery([tmp_path])] == [path]


def test_a_parser_that_hangs_or_dies_costs_one_row(
    tmp_path: Path, simulated: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = dicom.write_dicom(simulated, tmp_path)
    assert isinstance(read_recording(path), Recording)
    child = limited._child
    assert child is not None
    os.kill(child.process_id, signal.SIGSTOP)
    with monkeypatch.context() as patched:
        patched.setattr(limited, "TIME_LIMIT_S", 0.5)
        assert skipped(path).reason is SkipReason.TOOK_TOO_LONG
    with pytest.raises(ProcessLookupError):
        os.kill(child.process_id, 0)
    assert isinstance(read_recording(path), Recording)
    assert limited._child is not None
    os.kill(limited._child.process_id, signal.SIGKILL)
    result = skipped(path)
    assert (result.reason, result.detail) == (
        SkipReason.BAD_CONTENT,
        "its parser ended with code -9",
    )
    assert isinstance(read_recording(path), Recording)


def test_a_file_larger_than_any_recording_is_not_given_to_a_parser(
    tmp_path: Path, simulated: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = edf.write_edf(simulated, tmp_path)
    monkeypatch.setattr(limited, "MAX_FILE_BYTES", 1000)
    assert skipped(path).reason is SkipReason.TOO_LARGE


@pytest.mark.parametrize(
    ("side_car", "reason"),
    [
        (None, SkipReason.NO_HEADER),
        ("", SkipReason.BAD_HEADER),
        ("[" * 60_000, SkipReason.BAD_HEADER),
        ("[]", SkipReason.BAD_HEADER),
        ("{}", SkipReason.BAD_HEADER),
        (" " * 70_000, SkipReason.TOO_LARGE),
        ('{"sampling_rate": "500"}', SkipReason.BAD_HEADER),
        ('{"sampling_rate": NaN, "leads": ["I", "II"]}', SkipReason.BAD_SAMPLING_RATE),
        ('{"sampling_rate": 1e999, "leads": ["I", "II"]}', SkipReason.BAD_SAMPLING_RATE),
        ('{"sampling_rate": 500, "leads": []}', SkipReason.BAD_HEADER),
        ('{"sampling_rate": 500, "leads": ["I"]}', SkipReason.BAD_HEADER),
        ('{"sampling_rate": 500, "leads": ["I", 2]}', SkipReason.BAD_HEADER),
        ('{"sampling_rate": 500, "leads": ["I", "II"], "unit": 1}', SkipReason.BAD_HEADER),
        ('{"sampling_rate": 500, "leads": ["I", "II"], "unit": "ADC"}', SkipReason.BAD_HEADER),
        (
            '{"sampling_rate": 500, "leads": ["I", "II"], "unit": "ADC", "gain": 0}',
            SkipReason.BAD_GAIN,
        ),
        (
            '{"sampling_rate": 500, "leads": ["I", "II"], "unit": "ADC", "gain": [1, 2, 3]}',
            SkipReason.BAD_HEADER,
        ),
        ('{"sampling_rate": 500, "leads": ["EEG", "EMG"]}', SkipReason.NO_KNOWN_LEAD),
        ('{"sampling_rate": 500, "leads": ["I", "II"]}', SkipReason.BAD_AMPLITUDE),
    ],
)
def test_side_cars_that_lie(tmp_path: Path, side_car: str | None, reason: SkipReason) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.random.default_rng(0).normal(size=(2, 3000)) * 1e7)
    if side_car is not None:
        (tmp_path / "a.json").write_text(side_car)
    assert skipped(path).reason is reason


def npy(descr: str, shape: str) -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n"
    return b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header.encode()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (npy("'<i2'", "(2, 1000000000)"), SkipReason.TOO_LARGE),
        (npy("'<i2'", "(2, 5000)"), SkipReason.TRUNCATED),
        (npy("'<i2'", "(2, -5000)"), SkipReason.BAD_HEADER),
        (npy("'<i2'", "(2, 0)"), SkipReason.NO_SIGNALS),
        (npy("'<f1'", "(2, 5000)"), SkipReason.BAD_HEADER),
        (npy("'<i2'", "(2, 2)"), SkipReason.BAD_HEADER),
        (npy("'<i2'", "(2, 2, 500)"), SkipReason.BAD_HEADER),
        (npy("'|O'", "(2, 5000)") + b"cos\nsystem\n", SkipReason.BAD_HEADER),
        (npy("'<U9'", "(2, 5000)"), SkipReason.BAD_HEADER),
        (npy("[('a', '<i2')]", "(2, 5000)"), SkipReason.BAD_HEADER),
        (npy("__import__('os')", "(2, 5000)"), SkipReason.BAD_HEADER),
        (npy("'<i2'", "(" * 3000), SkipReason.BAD_HEADER),
        (npy("'<i2'", "(" + "1" * 9000), SkipReason.BAD_HEADER),
        (b"\x93NUMPY\7\0" + bytes(100), SkipReason.BAD_HEADER),
        (b"", SkipReason.BAD_HEADER),
    ],
)
def test_arrays_that_lie(tmp_path: Path, content: bytes, reason: SkipReason) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    (tmp_path / "a.json").write_text('{"sampling_rate": 500, "leads": ["I", "II"]}')
    assert skipped(tmp_path / "a.npy").reason is reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", SkipReason.NO_SIGNALS),
        ("I,II\n", SkipReason.NO_SIGNALS),
        ("I,II\n1,2\n3\n", SkipReason.BAD_CONTENT),
        ("I,II\n1,2\nZyx,Quorn\n", SkipReason.BAD_CONTENT),
        ("I,II\n1,2\n3,=cmd()\n", SkipReason.BAD_CONTENT),
        ("1\n" * 10, SkipReason.BAD_HEADER),
        ("," * 600 + "\n", SkipReason.TOO_LARGE),
    ],
)
def test_tables_that_lie(tmp_path: Path, content: str, reason: SkipReason) -> None:
    (tmp_path / "a.csv").write_text(content)
    (tmp_path / "a.json").write_text('{"sampling_rate": 500, "leads": ["I", "II"]}')
    result = skipped(tmp_path / "a.csv")
    assert result.reason is reason
    assert "Quorn" not in result.detail


def test_tables_without_a_side_car_are_no_recordings(tmp_path: Path) -> None:
    for name in ("a.csv", "a.json", "b.csv", "c.npy", "d.json"):
        (tmp_path / name).write_text("{}")
    discovery = Discovery([tmp_path])
    assert [one.name for one in discovery] == ["a.csv"]
    assert discovery.ignored == 3


def write_hdf5(path: Path, **datasets: object) -> None:
    with h5py.File(path, "w") as file:
        for name, content in datasets.items():
            file[name] = content


def test_hdf5_leads_to_no_other_file(tmp_path: Path) -> None:
    path, other = tmp_path / "a.h5", tmp_path / "other.h5"
    samples = np.zeros((12, 5000), np.float32)
    write_hdf5(other, ecg=samples)
    for link in (h5py.ExternalLink(str(other), "ecg"), h5py.SoftLink("/there")):
        write_hdf5(path, there=samples, ecg=link)
        assert skipped(path).reason is SkipReason.UNSUPPORTED
    raw = tmp_path / "raw"
    raw.write_bytes(samples.tobytes())
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "ecg", samples.shape, "f4", external=[(str(raw), 0, raw.stat().st_size)]
        )
    assert skipped(path).reason is SkipReason.UNSUPPORTED
    layout = h5py.VirtualLayout(samples.shape, "f4")
    layout[:] = h5py.VirtualSource(str(other), "ecg", samples.shape)
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("ecg", layout)
    assert skipped(path).reason is SkipReason.UNSUPPORTED


def test_hdf5_that_lies(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    for n_samples in (1_000_000_000, 20_000_000):
        with h5py.File(path, "w") as file:
            file.create_dataset("ecg", (12, n_samples), "f4", chunks=(12, 1000))
        assert skipped(path).reason is SkipReason.TOO_LARGE
    with h5py.File(path, "w") as file:
        file.create_dataset("ecg", (12, 9000), "f4", chunks=(12, 9000), maxshape=(12, None))
        file["tracings"] = np.zeros((3, 10))
    assert isinstance(read_recording(path), Recording)
    write_hdf5(path, ecg=np.zeros((8, 5000)))
    assert skipped(path).reason is SkipReason.UNSUPPORTED
    write_hdf5(path, ecg=np.array([b"Zyx"] * 12))
    assert skipped(path).reason is SkipReason.UNSUPPORTED
    assert [one.path for one in Discovery([tmp_path])] == [path]
    write_hdf5(path, records=np.zeros(3))
    assert skipped(path).reason is SkipReason.UNSUPPORTED
    assert list(Discovery([tmp_path])) == []
    path.write_bytes(path.read_bytes()[:200])
    assert skipped(path).reason is SkipReason.BAD_CONTENT
    assert [one.path for one in Discovery([tmp_path])] == [path]


def test_the_exams_of_a_file_are_recordings_of_their_own(tmp_path: Path) -> None:
    tracings = np.random.default_rng(1).normal(size=(3, 4096, 12)).astype(np.float32)
    tracings[1, :100] = 0.0
    write_hdf5(tmp_path / "b.hdf5", tracings=tracings, exam_id=np.array([30, 7, 200]))
    write_hdf5(tmp_path / "c.hdf5", tracings=tracings[:2], exam_id=np.array([5, 5]))
    discovery = Discovery([tmp_path])
    assert [one.name for one in discovery] == [
        *("b.hdf5/200", "b.hdf5/30", "b.hdf5/7", "c.hdf5/0", "c.hdf5/1")
    ]
    second = read_recording(tmp_path / "b.hdf5" / "7")
    assert isinstance(second, Recording)
    assert np.array_equal(second.signal, tracings[1, 100:].T)
    for member in ("8", "x", "../b.hdf5"):
        result = read_recording(tmp_path / "b.hdf5" / member)
        assert isinstance(result, SkippedRecording)


ENTITIES = """<?xml version="1.0"?>
<!DOCTYPE {0} [<!ENTITY a "zyx"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>
<{0}>&c;</{0}>"""
OUTSIDE = """<?xml version="1.0"?>
<!DOCTYPE {0} [<!ENTITY a SYSTEM "file://{1}">]><{0}>&a;</{0}>"""


@pytest.mark.parametrize("root", ["AnnotatedECG", "restingecgdata", "RestingECG", "ECG"])
def test_xml_without_entities_only(tmp_path: Path, root: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("zyx quorn")
    path = tmp_path / "a.xml"
    for text in (ENTITIES.format(root), OUTSIDE.format(root, secret), f"<{root}/>", f"<{root}>"):
        path.write_text(text)
        assert [one.path for one in Discovery([tmp_path])] == [path]
        result = skipped(path)
        assert result.reason in {SkipReason.BAD_CONTENT, SkipReason.NO_SIGNALS}
        assert "zyx" not in result.detail
    path.write_text("<!-- <AnnotatedECG/> --><html><AnnotatedECG/></html>")
    assert list(Discovery([tmp_path])) == []


def test_xml_nested_deeply_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text("<AnnotatedECG>" + "<a>" * 30_000 + "</a>" * 30_000 + "</AnnotatedECG>")
    skipped(path)
    path.write_text("<AnnotatedECG>" + "<a>" * 200_000)
    skipped(path)


@pytest.mark.parametrize(
    ("at", "content", "reason"),
    [
        (14, b"\xff\xff\xff\x7f", SkipReason.TRUNCATED),
        (10, b"\xff\xff\xff\xff", SkipReason.BAD_CONTENT),
        (156, b"\xe8\x03", SkipReason.TRUNCATED),
        (156, b"\0\0", SkipReason.BAD_CONTENT),
        (272, b"\0\0", SkipReason.BAD_CONTENT),
    ],
)
def test_ishne_that_lies(
    tmp_path: Path, simulated: Recording, at: int, content: bytes, reason: SkipReason
) -> None:
    path = binary.write_ishne(simulated, tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:at] + content + whole[at + len(content) :])
    assert skipped(path).reason is reason


def test_scp_mutations_never_raise(tmp_path: Path, simulated: Recording) -> None:
    path = binary.write_scp(simulated, tmp_path)
    whole = path.read_bytes()
    rng = random.Random(3)
    outcomes = set()
    for _ in range(40):
        changed = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            changed[rng.randrange(6, 600)] = rng.choice([0, 1, 127, 255])
        path.write_bytes(changed)
        result = read_recording(path)
        if isinstance(result, Recording):
            outcomes.add("read")
            assert set(result.lead_names) <= set(LEADS)
            damaged = "its checksum does not match: the file was changed or damaged"
            assert (damaged in result.notes) is (changed != whole)
        else:
            outcomes.add(result.reason)
            assert "Quorn" not in result.detail
    assert "read" in outcomes
    assert len(outcomes) > 1


def test_real_exports_are_read(data_dir: Path) -> None:
    """The SCP-ECG and the aECG are of one recording."""
    formats = data_dir / "formats"
    found = {one.path.suffix: read_recording(one.path) for one in Discovery([formats])}
    scp, xml = found[".scp"], read_recording(formats / "hl7_aecg" / "subject1_0.xml")
    assert isinstance(scp, Recording)
    assert isinstance(xml, Recording)
    assert scp.lead_names == xml.lead_names
    assert np.array_equal(scp.signal, xml.signal)
    for path in sorted((formats / "philips_sierra").glob("*.[xX]*")):
        recording = read_recording(path)
        assert isinstance(recording, Recording)
        assert recording.lead_names == LEADS
        # Eleven seconds, the last half second of which is a calibration pulse between zeros.
        assert 10.5 <= recording.duration_s <= 10.6
        assert recording.notes[0].startswith("left out, the same in all leads: 0.4")


def test_a_real_hdf5_is_read(data_dir: Path) -> None:
    recording = read_recording(data_dir / "sph" / "SPH00002.h5")
    assert isinstance(recording, Recording)
    assert recording.lead_names == LEADS
    assert recording.signal.shape == (12, 6000)
    # Einthoven: the order of the leads is what it is taken for.
    assert np.abs(recording.signal[0] + recording.signal[2] - recording.signal[1]).max() < 0.02


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
