"""What the simulator writes: WFDB files, folders of them, the truth beside them."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgscreen.errors import UsageError
from ecgscreen.recording import LEADS, Recording
from ecgscreen.simulate import (
    STATEMENTS,
    TRUTH_COLUMNS,
    Artefacts,
    Fault,
    Rhythm,
    dataset_settings,
    simulate,
    write_dataset,
    write_wfdb,
)
from tests.measured_beats import spoilt


def test_wfdb_reads_back_what_was_written(tmp_path: Path) -> None:
    wfdb = pytest.importorskip("wfdb")
    recording = spoilt(artefacts=Artefacts(white_mv=0.02, wander_mv=0.3), rate=360.0)
    header = write_wfdb(recording, tmp_path, "one")
    assert header == tmp_path / "one.hea"
    read = wfdb.rdrecord(str(tmp_path / "one"))
    assert read.fs == 360
    assert read.sig_len == 3600
    assert read.sig_name == list(LEADS)
    assert read.units == ["mV"] * 12
    assert read.fmt == ["16"] * 12
    assert read.adc_gain == [1000.0] * 12
    np.testing.assert_allclose(read.p_signal.T, recording.signal, atol=0.0005 + 1e-6)
    digital = wfdb.rdrecord(str(tmp_path / "one"), physical=False).d_signal
    assert read.init_value == digital[0].tolist()
    for checksum, total in zip(read.checksum, digital.sum(axis=0), strict=True):
        assert -32768 <= checksum <= 32767
        assert (checksum - int(total)) % 65536 == 0


def test_samples_that_are_not_known_or_too_large_are_written_as_wfdb_has_it(
    tmp_path: Path,
) -> None:
    wfdb = pytest.importorskip("wfdb")
    signal = np.zeros((2, 100), dtype=np.float32)
    signal[0, 10], signal[1, 3], signal[1, 4] = np.nan, 99.0, -99.0
    recording = Recording(Path("x"), signal, 100.0, ("I", "V1"))
    write_wfdb(recording, tmp_path, "odd-1")
    read = wfdb.rdrecord(str(tmp_path / "odd-1"))
    assert np.flatnonzero(np.isnan(read.p_signal[:, 0])).tolist() == [10]
    assert read.p_signal[3:5, 1].tolist() == [32.767, -32.767]
    with pytest.raises(ValueError, match="record name"):
        write_wfdb(recording, tmp_path, "../out")


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def truth_of(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_folder_is_the_same_bytes_again_and_a_larger_one_begins_alike(tmp_path: Path) -> None:
    write_dataset(tmp_path / "a", 24, 5, sampling_rate=100.0, faults=2)
    write_dataset(tmp_path / "b", 24, 5, sampling_rate=100.0, faults=2)
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")
    write_dataset(tmp_path / "c", 12, 5, sampling_rate=100.0)
    write_dataset(tmp_path / "d", 24, 6, sampling_rate=100.0)
    large, small = hashes(tmp_path / "a"), hashes(tmp_path / "c")
    assert large["sim00000.dat"] == small["sim00000.dat"]
    assert large["sim00000.dat"] != hashes(tmp_path / "d")["sim00000.dat"]


def test_the_truth_table_tells_the_truth(tmp_path: Path) -> None:
    wfdb = pytest.importorskip("wfdb")
    seen: list[int] = []
    table = write_dataset(tmp_path, 30, 11, sampling_rate=250.0, on_written=seen.append)
    assert table == tmp_path / "truth.csv"
    assert seen == list(range(1, 31))
    rows = truth_of(table)
    assert tuple(rows[0]) == TRUTH_COLUMNS
    assert len(rows) == 30
    assert TRUTH_COLUMNS[:4] == ("path", "patient_id", "report", "statements")
    assert len({row["patient_id"] for row in rows}) == 30
    assert {row["rhythm"] for row in rows} == {rhythm.value for rhythm in Rhythm}
    assert not any(row["fault"] for row in rows)
    assert len(list(tmp_path.glob("*.hea"))) == len(list(tmp_path.glob("*.dat"))) == 30
    settings = list(dataset_settings(30, 11, sampling_rate=250.0))
    for row, one in list(zip(rows, settings, strict=True))[::5]:
        simulated = simulate(one)
        assert row["rhythm"] == one.rhythm.value
        assert row["statements"].split(";") == list(STATEMENTS[one.rhythm])
        assert int(row["seed"]) == one.seed
        read = wfdb.rdrecord(str(tmp_path / row["path"]).removesuffix(".hea"))
        np.testing.assert_allclose(read.p_signal.T, simulated.recording.signal, atol=0.00051)
        beats = simulated.beat_times_s
        measured = 60 * (beats.size - 1) / (beats[-1] - beats[0])
        assert float(row["heart_rate"]) == pytest.approx(measured, abs=0.06)


def test_named_artefacts_are_in_the_files(tmp_path: Path) -> None:
    rows = truth_of(write_dataset(tmp_path, 150, 2, sampling_rate=100.0, duration_s=5.0))
    named = [row for row in rows if row["artefact"]]
    assert 0.2 < len(named) / len(rows) < 0.6
    assert not any("mains" in row["artefact"] for row in named), "no hum below 120 Hz"
    off = [row for row in named if row["artefact"].startswith("lead off")]
    assert off
    for row in off:
        index = LEADS.index(row["artefact"].removeprefix("lead off "))
        samples = np.fromfile((tmp_path / row["path"]).with_suffix(".dat"), "<i2").reshape(-1, 12)
        assert not samples[:, index].any()
        assert samples.any(axis=0).sum() == 11


def test_many_recordings_are_laid_in_subfolders(tmp_path: Path) -> None:
    rows = truth_of(write_dataset(tmp_path, 11, 1, sampling_rate=100.0, per_folder=4))
    assert [row["path"].split("/")[0] for row in rows] == ["0000"] * 4 + ["0001"] * 4 + ["0002"] * 3
    assert all((tmp_path / row["path"]).is_file() for row in rows)


def test_each_fault_is_on_disk_and_only_as_many_as_asked_for(tmp_path: Path) -> None:
    n_faults = len(Fault)
    rows = truth_of(write_dataset(tmp_path, 3 * n_faults, 4, sampling_rate=100.0, faults=n_faults))
    by_fault = {row["fault"]: tmp_path / row["path"] for row in rows if row["fault"]}
    assert sorted(by_fault) == sorted(fault.value for fault in Fault)
    assert sum(bool(row["fault"]) for row in rows) == n_faults

    def header(fault: Fault) -> list[str]:
        return by_fault[fault.value].read_text(encoding="ascii").splitlines()

    def samples(fault: Fault) -> NDArray[np.int16]:
        return np.fromfile(by_fault[fault.value].with_suffix(".dat"), "<i2")

    assert samples(Fault.TRUNCATED).size < 0.5 * 12_000
    assert header(Fault.TRUNCATED)[0].split()[1:] == ["12", "100", "1000"]
    assert not by_fault[Fault.NO_SIGNAL_FILE.value].with_suffix(".dat").exists()
    assert not samples(Fault.ALL_ZERO).any()
    assert header(Fault.TOO_SHORT)[0].split()[3] == "200"
    assert samples(Fault.TOO_SHORT).size == 12 * 200
    assert header(Fault.NO_SIGNALS)[0].split()[1] == "0"
    assert by_fault[Fault.NO_HEADER.value].suffix == ".dat"
    assert not by_fault[Fault.NO_HEADER.value].with_suffix(".hea").exists()
    assert set(samples(Fault.ALL_INVALID).tolist()) == {-32768}
    assert not {line.split()[-1] for line in header(Fault.NO_KNOWN_LEAD)[1:]} & set(LEADS)
    assert header(Fault.ZERO_SAMPLING_RATE)[0].split()[2] == "0"
    assert header(Fault.ZERO_GAIN)[1].split()[2] == "0(0)/mV"


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": 0},
        {"faults": 5},
        {"faults": -1},
        {"seed": -1},
        {"sampling_rate": 50.0},
        {"per_folder": 0},
        {"duration_s": 0.0},
    ],
)
def test_arguments_out_of_range_are_refused_before_anything_is_written(
    tmp_path: Path, wrong: dict[str, float]
) -> None:
    arguments = {"count": 4, "seed": 1, **wrong}
    with pytest.raises(UsageError, match="expected"):
        write_dataset(tmp_path / "new", **arguments)  # type: ignore[arg-type] # one a case
    assert not (tmp_path / "new").exists()


def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        write_dataset(tmp_path, 1, 1)
    with pytest.raises(UsageError, match="is a file"):
        write_dataset(tmp_path / "mine.txt", 1, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
