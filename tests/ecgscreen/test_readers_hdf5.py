"""HDF5 that lies, leads elsewhere, or holds several recordings."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from ecgscreen.discover import Discovery
from ecgscreen.readers import read_recording
from ecgscreen.recording import LEADS, Recording, SkippedRecording, SkipReason
from tests.ecgscreen.formats.skipped import skipped


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


def test_a_real_hdf5_is_read(data_dir: Path) -> None:
    recording = read_recording(data_dir / "sph" / "SPH00002.h5")
    assert isinstance(recording, Recording)
    assert recording.lead_names == LEADS
    assert recording.signal.shape == (12, 6000)
    # Einthoven: the order of the leads is what it is taken for.
    assert np.abs(recording.signal[0] + recording.signal[2] - recording.signal[1]).max() < 0.02
