"""WFDB records of several segments against the wfdb package, and those that are refused."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path

import numpy as np
import pytest

from ecgscreen.readers import read_recording, wfdb_segments
from ecgscreen.readers.wfdb_header import Header, read_header
from ecgscreen.recording import LEADS, Recording, SkippedRecording, SkipReason
from tests.ecgscreen.wfdb_written import assert_equals_wfdb, read

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of pandas, about what the package does when imported
    import wfdb

pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword in:DeprecationWarning")


def write_segment(folder: Path, name: str, leads: list[str], n_samples: int, seed: int) -> None:
    samples = np.random.default_rng(seed).integers(-900, 900, (n_samples, len(leads)), np.int16)
    lines = "".join(f"{name}.dat 16 200/mV 16 0 0 0 0 {lead}\n" for lead in leads)
    (folder / f"{name}.hea").write_text(f"{name} {len(leads)} 100 {n_samples}\n{lines}")
    (folder / f"{name}.dat").write_bytes(samples.astype("<i2").tobytes())


def test_segments_of_a_fixed_layout_equal_wfdb(tmp_path: Path) -> None:
    for number, length in enumerate((300, 200)):
        write_segment(tmp_path, f"s{number}", ["II", "V1"], length, number)
    (tmp_path / "a.hea").write_text("a/2 2 100 500\ns0 300\ns1 200\n")
    assert_equals_wfdb(tmp_path / "a.hea")


def test_segments_of_a_variable_layout_equal_wfdb(tmp_path: Path) -> None:
    write_segment(tmp_path, "s0", ["II", "V1"], 300, 0)
    write_segment(tmp_path, "s1", ["V1"], 200, 1)
    layout = "".join(f"~ 0 200/mV 16 0 0 0 0 {lead}\n" for lead in ("II", "V1"))
    (tmp_path / "lay.hea").write_text(f"lay 2 100 0\n{layout}")
    (tmp_path / "a.hea").write_text("a/4 2 100 600\nlay 0\ns0 300\n~ 100\ns1 200\n")
    recording = read(tmp_path / "a.hea")
    assert recording.lead_names == ("II", "V1")
    theirs = wfdb.rdrecord(str(tmp_path / "a"))
    assert np.array_equal(recording.signal, theirs.p_signal.T.astype(np.float32), equal_nan=True)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("a 250\ns0 250\n", SkipReason.BAD_HEADER),
        ("m 250\ns0 250\n", SkipReason.BAD_HEADER),
        ("gone 250\ns0 250\n", SkipReason.NO_SIGNAL_FILE),
        ("../s0 250\ns0 250\n", SkipReason.OUTSIDE_FOLDER),
        ("s0 300\ns0 200\n", SkipReason.TRUNCATED),
        ("s0 250\ns0 251\n", SkipReason.BAD_HEADER),
        ("s0 250\n", SkipReason.BAD_HEADER),
        ("~ 250\n~ 250\n", SkipReason.NO_KNOWN_LEAD),
        ("fast 250\ns0 250\n", SkipReason.BAD_HEADER),
    ],
)
def test_segments_that_do_not_fit_are_refused(
    tmp_path: Path, lines: str, reason: SkipReason
) -> None:
    write_segment(tmp_path, "s0", ["II"], 250, 0)
    write_segment(tmp_path, "fast", ["II"], 250, 0)
    fast = tmp_path / "fast.hea"
    fast.write_text(fast.read_text().replace(" 100 ", " 500 "))
    (tmp_path / "m.hea").write_text("m/1 1 100 250\ns0 250\n")
    (tmp_path / "a.hea").write_text(f"a/2 1 100 500\n{lines}")
    skipped = read_recording(tmp_path / "a.hea")
    assert isinstance(skipped, SkippedRecording)
    assert skipped.reason is reason


def test_the_order_of_files_in_a_folder_does_not_matter(tmp_path: Path) -> None:
    """The caches of the header's columns give each record its own values."""
    gains = ["1000/mV", "200(5)/uV", "1000(5)/mV", "1000/NU"]
    samples = np.arange(100, dtype=np.int16)
    (tmp_path / "x.dat").write_bytes(samples.tobytes())
    texts = {gain: f"x 1 100 100\nx.dat 16 {gain} 16 0 0 0 0 II\n" for gain in gains}
    first: dict[str, Recording] = {}
    for order in itertools.islice(itertools.permutations(gains), 6):
        for gain in order:
            path = tmp_path / "x.hea"
            path.write_text(texts[gain])
            recording = read(path)
            seen = first.setdefault(gain, recording)
            assert np.array_equal(seen.signal, recording.signal)
            assert seen.amplitude_known is recording.amplitude_known


def test_a_segment_that_occurs_often_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_segment(tmp_path, "s0", ["II"], 300, 0)
    lines = "s0 300\n~ 100\ns0 200\n" * 3
    (tmp_path / "a.hea").write_text(f"a/9 1 100 1800\n{lines}")
    opened = []

    def counted(path: Path, root: Path) -> Header:
        opened.append(path.name)
        return read_header(path, root)

    monkeypatch.setattr(wfdb_segments, "read_header", counted)
    signal = read(tmp_path / "a.hea").signal[0]
    assert opened == ["s0.hea"]
    assert np.array_equal(signal[:300], signal[600:900])
    assert np.isnan(signal[300:400]).all()
    assert np.array_equal(signal[:200], signal[1600:])


@pytest.mark.parametrize("repeated", ["~ 20000000\n", "s0 3000\n" * 1000])
def test_a_few_lines_do_not_become_a_gigabyte(tmp_path: Path, repeated: str) -> None:
    write_segment(tmp_path, "s0", list(LEADS), 3000, 0)
    lines = "s0 3000\n" + repeated
    n_samples = sum(int(line.split()[1]) for line in lines.splitlines())
    (tmp_path / "a.hea").write_text(f"a/{lines.count(chr(10))} 12 100 {n_samples}\n{lines}")
    skipped = read_recording(tmp_path / "a.hea")
    assert isinstance(skipped, SkippedRecording)
    assert skipped.reason is SkipReason.TOO_LARGE
    assert skipped.detail.endswith("nearly all of them gaps or repeated")
