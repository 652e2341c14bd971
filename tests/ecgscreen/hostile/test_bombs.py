"""Small files that announce, or unpack to, more than any machine has: refused, and nobody waits."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import soundfile

from ecgscreen.readers.base import NO_MEMORY
from ecgscreen.recording import LEADS, SkipReason
from tests.ecgscreen.hostile.confined import ConfinedScans
from tests.ecgscreen.hostile.conftest import HEALTHY, Rows
from tests.ecgscreen.hostile.headers import header, samples, write
from tests.ecgscreen.hostile.test_elsewhere import reasons

BadRows = Callable[[Path], Rows]


def sparse(path: Path, n_bytes: int) -> None:
    """A file of that length which takes no room on the disk."""
    with path.open("wb") as file:
        os.truncate(file.fileno(), n_bytes)


@pytest.mark.parametrize("n_samples", [10**15 - 1, 10**15, 10**30])
def test_a_header_with_1e15_samples(bad_rows: BadRows, folder: Path, n_samples: int) -> None:
    write(folder, header(n_samples=f"{n_samples}"), samples())
    for name, form in (("packed", "212"), ("flac", "524")):
        write(folder, header(n_samples=f"{n_samples}", form=form), name=name)
    write(folder, f"seg/1 12 500 {n_samples}\nhealthy {n_samples}\n", name="seg")
    shape = f"(12, {n_samples})"
    array = f"{{'descr': '<i2', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    (folder / "a.npy").write_bytes(b"\x93NUMPY\1\0" + len(array).to_bytes(2, "little") + array)
    (folder / "a.json").write_text('{"sampling_rate": 500, "leads": ["I", "II"]}')
    rows = bad_rows(folder)
    assert sorted(rows) == ["a.npy", "flac.hea", "packed.hea", "rec.hea", "seg.hea"]
    assert set(reasons(rows).values()) <= {SkipReason.TOO_LARGE, SkipReason.BAD_HEADER}


def test_a_header_with_100_000_signals(bad_rows: BadRows, folder: Path) -> None:
    lines = "".join("r 16\n" for _ in range(100_000))
    write(folder, f"rec 100000 500 5000\n{lines}", samples())
    write(folder, "only 100000 500 5000\n", samples(), name="only")
    write(folder, "few 40000 500 5000\n" + "f 16\n" * 40_000, samples(), name="few")
    names = ["few.hea", "only.hea", "rec.hea"]
    assert reasons(bad_rows(folder)) == dict.fromkeys(names, SkipReason.TOO_LARGE)


def test_a_header_with_512_signals_of_64_gigabytes(bad_rows: BadRows, folder: Path) -> None:
    """Each signal in a file of its own, none of which is too large by itself."""
    n_frames, per_frame = 1000, 60_000
    sparse(folder / "zeros.bin", n_frames * per_frame * 3 // 2)
    lines = []
    for number in range(512):
        (folder / f"s{number}").symlink_to("zeros.bin")
        lines.append(f"s{number} 212x{per_frame} 200/mV 12 0 0 0 0 {'II' if number else 'I'}\n")
    write(folder, f"rec 512 500 {n_frames}\n" + "".join(lines))
    assert reasons(bad_rows(folder)) == {"rec.hea": SkipReason.TOO_LARGE}


def test_a_short_record_of_large_files(bad_rows: BadRows, folder: Path) -> None:
    """Of each a few bytes are read, and its hash would take a second."""
    lines = []
    for number in range(50):
        sparse(folder / f"s{number}", 700_000_000)
        lines.append(f"s{number} 212 200/mV 12 0 0 0 0 {LEADS[number % 12]}\n")
    write(folder, "rec 50 500 5000\n" + "".join(lines))
    assert reasons(bad_rows(folder)) == {"rec.hea": SkipReason.NO_USABLE_LEAD}


def test_segments_of_a_record_that_is_its_own_segment(bad_rows: BadRows, folder: Path) -> None:
    write(folder, "self/2 12 500 10000\nself 5000\nself 5000\n", name="self")
    write(folder, "one/1 12 500 5000\ntwo 5000\n", name="one")
    write(folder, "two/1 12 500 5000\none 5000\n", name="two")
    names = ["one.hea", "self.hea", "two.hea"]
    assert reasons(bad_rows(folder)) == dict.fromkeys(names, SkipReason.BAD_HEADER)


@pytest.mark.parametrize(
    "lines",
    [
        "thief/2 12 500 10000\nhealthy 5000\ngone 5000\n",
        "thief/2 12 500 10000\nhealthy 5000\nthief 5000\n",
        "thief/1 12 500 5000\nhealthy 0\n",
        "thief/1 12 100 5000\nhealthy 5000\n",
        "thief/3\nhealthy 5000",
    ],
)
def test_segments_that_are_somebody_elses_recording(
    bad_rows: BadRows, folder: Path, lines: str
) -> None:
    """The healthy recording is no part of what cannot be read."""
    write(folder, lines, name="thief")
    assert list(bad_rows(folder)) == ["thief.hea"]


@pytest.mark.parametrize(("form", "times"), [("16", 1000), ("212", 80)])
def test_segments_that_name_one_long_record_again_and_again(
    bad_rows: BadRows, folder: Path, form: str, times: int
) -> None:
    """Each time 10 MB would be read, and kept, for one sample."""
    long = 200_000
    write(folder, header("zeros.bin", n_samples=f"{long}", form=form), name="long")
    sparse(folder / "zeros.bin", 24 * long)
    write(folder, f"many/{times} 12 500 {times}\n" + "long 1\n" * times, name="many")
    rows = bad_rows(folder)
    assert set(rows) == {"long.hea", "many.hea"}
    assert set(reasons(rows).values()) <= {SkipReason.NO_USABLE_LEAD, SkipReason.TOO_SHORT}


def test_a_segment_of_22_gigabytes(bad_rows: BadRows, folder: Path) -> None:
    """Its own header leaves the length open."""
    n_samples = 22_000_000
    sparse(folder / "zeros.bin", 2 * 512 * n_samples)
    lines = "".join(f"zeros.bin 16 200/mV 12 0 0 0 0 S{number}\n" for number in range(511))
    write(folder, f"wide 512 500\nzeros.bin 16 200/mV 12 0 0 0 0 II\n{lines}", name="wide")
    write(folder, f"rec/1 512 500\nwide {n_samples}\n", name="rec")
    names = ["rec.hea", "wide.hea"]
    assert reasons(bad_rows(folder)) == dict.fromkeys(names, SkipReason.TOO_LARGE)


def test_a_zip_bomb_in_flac(bad_rows: BadRows, folder: Path) -> None:
    """A constant is a hundred bytes a second of audio and less: here 40 million samples of it."""
    n_samples, block = 40_000_000, np.zeros(1_000_000, np.int16)
    flac = folder / "rec.dat"
    with soundfile.SoundFile(flac, "w", 96_000, 1, "PCM_16", format="FLAC") as file:
        for _ in range(n_samples // len(block)):
            file.write(block)
    assert flac.stat().st_size < n_samples / 200
    line = "rec.dat 516 200/mV 16 0 0 0 0 II\n"
    write(folder, f"rec 1 500 {n_samples}\n{line}")
    # One that says less than it holds is not unpacked further than it says.
    write(folder, f"short 1 500 5000\n{line}", name="short")
    rows = bad_rows(folder)
    assert reasons(rows) == {
        "rec.hea": SkipReason.TOO_LARGE,
        "short.hea": SkipReason.NO_USABLE_LEAD,
    }


def test_a_flac_that_is_none(bad_rows: BadRows, folder: Path) -> None:
    write(folder, header(form="516"), b"fLaC" + bytes(1000))
    write(folder, header("wave.dat", form="524"), name="wave")
    (folder / "wave.dat").write_bytes(b"RIFF" + bytes(1000))
    names = ["rec.hea", "wave.hea"]
    assert reasons(bad_rows(folder)) == dict.fromkeys(names, SkipReason.UNSUPPORTED)


def test_a_table_of_millions_of_columns(bad_rows: BadRows, folder: Path) -> None:
    """As cells of a list the line would take 50 bytes for each of its own."""
    (folder / "a.csv").write_bytes(b"," * 20_000_000)
    (folder / "a.json").write_text(json.dumps({"sampling_rate": 500, "leads": ["II"]}))
    assert reasons(bad_rows(folder)) == {"a.csv": SkipReason.TOO_LARGE}


def test_hdf5_that_announces_a_million_recordings(bad_rows: BadRows, folder: Path) -> None:
    """They would be a million rows of the report, of a file of some kilobytes."""
    with h5py.File(folder / "many.hdf5", "w") as file:
        file.create_dataset("tracings", (1_000_000, 4096, 12), "f4", chunks=(1, 4096, 12))
    assert reasons(bad_rows(folder)) == {"many.hdf5": SkipReason.TOO_LARGE}


def test_hdf5_that_unpacks_a_thousandfold(bad_rows: BadRows, folder: Path) -> None:
    with h5py.File(folder / "zip.h5", "w") as file:
        file.create_dataset(
            "ecg", data=np.zeros((12, 3_000_000), np.float32), chunks=(12, 80_000), compression=1
        )
    assert (folder / "zip.h5").stat().st_size < 2_000_000
    assert reasons(bad_rows(folder)) == {"zip.h5": SkipReason.TOO_LARGE}


def test_a_recording_of_two_centuries(bad_rows: BadRows, folder: Path) -> None:
    """One lead at 20 Hz: eight gigabytes of nothing, which take no room on the disk."""
    n_samples = 1 << 32
    sparse(folder / "rec.dat", 2 * n_samples)
    write(folder, f"rec 1 20 {n_samples}\nrec.dat 16 200/mV 16 0 0 0 0 II\n")
    assert reasons(bad_rows(folder)) == {"rec.hea": SkipReason.TOO_LARGE}


def test_a_recording_of_a_working_day(
    confined: ConfinedScans,
    bundle_dir: Path,
    healthy_row: dict[str, str],
    folder: Path,
    tmp_path: Path,
) -> None:
    """One lead at 80 Hz: its windows are thirty times as large as the file."""
    beats = np.frombuffer(samples(4000), "<i2").reshape(-1, 12)[:, 1]
    content = np.tile(beats, 600).astype("<i2").tobytes()
    write(folder, f"rec 1 80 {len(content) // 2}\nrec.dat 16 1000/mV 16 0 0 0 0 II\n", content)
    outcome = confined.scan(bundle_dir, folder, tmp_path / "out")
    assert outcome.rows[HEALTHY] == healthy_row
    assert outcome.rows["rec.hea"]["status"] == "scored"
    assert outcome.peak_bytes < 120 << 20


@pytest.mark.parametrize("form", ["16", "212", "8", "8x2"])
def test_a_recording_larger_than_the_memory(
    confined: ConfinedScans,
    bundle_dir: Path,
    healthy_row: dict[str, str],
    folder: Path,
    tmp_path: Path,
    form: str,
) -> None:
    """Wherever in the scan the memory ends: the recording is a row, and the others are scored."""
    n_samples = "500000" if form == "8x2" else "1000000"
    write(folder, header(n_samples=n_samples, form=form), samples() * 200)
    statuses = set()
    for megabytes in (80, 2000):
        out = tmp_path / f"{megabytes}"
        outcome = confined.scan(bundle_dir, folder, out, memory_bytes=megabytes << 20)
        assert outcome.sentence == ""
        assert outcome.rows[HEALTHY] == healthy_row
        row = outcome.rows["rec.hea"]
        statuses.add(row["status"])
        if row["status"] == "error":
            assert row["reason"] == f"{SkipReason.TOO_LARGE}: {NO_MEMORY}"
    # Differences with several samples a frame are read whole: they do not fit.
    assert ("error" in statuses) is (form == "8x2")
    assert statuses - {"error"}


def test_a_gigabyte_in_compressed_xml(bad_rows: BadRows, folder: Path) -> None:
    """To tell what it is, a few kilobytes of it are unpacked."""
    blanks = gzip.compress(b" " * (1 << 26), 1)
    for name, begin in (("zeros", bytes(1 << 26)), ("ecg", b"<RestingECG>"), ("other", b"<a/>")):
        (folder / f"{name}.xml.gz").write_bytes(gzip.compress(begin, 1) + 16 * blanks)
    assert reasons(bad_rows(folder)) == {
        "ecg.xml.gz": SkipReason.UNSUPPORTED,
        "zeros.xml.gz": SkipReason.TRUNCATED,
    }
