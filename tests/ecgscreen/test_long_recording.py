"""Recordings of more than two minutes are read, judged and scored window by window."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from ecgscreen import long_recording
from ecgscreen.alike import prepare_alone
from ecgscreen.found import Found
from ecgscreen.long_recording import LongPreparation, LongRecording, is_announced_long
from ecgscreen.preprocess import Prepared, PreprocessConfig, preprocess
from ecgscreen.readers import pieces as pieces_module
from ecgscreen.readers import read_recording
from ecgscreen.readers.pieces import Pieces, announced_duration_s, in_memory, open_pieces
from ecgscreen.recording import LEADS, Recording, SkippedRecording, SkipReason
from ecgscreen.reports.html.words import load_words
from ecgscreen.results import RecordResult, Status
from ecgscreen.scan import ScanOptions, scan
from ecgscreen.scoring import worst_windows
from ecgscreen.simulate import Rhythm, SimulationSettings, simulate
from ecgscreen.simulate.wfdb_writer import write_wfdb
from ecgscreen.stamp import stamp_of

CONFIG = PreprocessConfig()
HEART = simulate(SimulationSettings(Rhythm.SINUS, sampling_rate=100.0)).recording
N_WINDOWS = 15
LONG = Recording(
    HEART.path, np.concatenate([HEART.signal] * N_WINDOWS, axis=1)[:, :-500], 100.0, LEADS
)
"""145 s: fifteen windows, the last of which begins five seconds before the one before it ends."""


@pytest.fixture(scope="module")
def long_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wfdb(LONG, tmp_path_factory.mktemp("long"), "long")


NOTHING = np.empty((0, 0), np.float32)


def long_at(path: Path) -> LongRecording:
    files = (stamp_of(str(path), path.name), stamp_of(str(path.with_suffix(".dat")), "long.dat"))
    return LongRecording(Found(path, path.parent, path.name, None, files), CONFIG)


def run(path: Path) -> tuple[RecordResult, list[int]]:
    """The row with embeddings that number the windows, and the sizes of the pieces."""
    preparation = LongPreparation(long_at(path))
    sizes: list[int] = []
    for windows, mask in preparation.pieces():
        assert windows.dtype == np.float32
        assert windows.shape[1:] == (12, 1000)
        assert mask.shape == windows.shape[:2]
        embeddings = np.zeros((len(windows), 4), np.float32)
        embeddings[:, 0] = sum(sizes) + np.arange(len(windows))
        preparation.add(embeddings)
        sizes.append(len(windows))
    return preparation.finish(NOTHING), sizes


def test_pieces_of_a_file_are_the_file(long_file: Path) -> None:
    whole = read_recording(long_file)
    opened = open_pieces(long_file, long_file.parent)
    assert isinstance(whole, Recording)
    assert isinstance(opened, Pieces)
    assert (opened.n_samples, opened.duration_s) == (14_500, 145.0)
    assert opened.whole.lead_names == whole.lead_names
    for start, stop in ((0, 1000), (333, 14_500), (14_499, 14_500)):
        assert np.array_equal(opened.read(start, stop), whole.signal[:, start:stop])


def test_pieces_make_no_difference_to_windows(
    long_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = read_recording(long_file)
    assert isinstance(whole, Recording)
    expected = preprocess(whole, np.ones(12, bool), CONFIG)
    monkeypatch.setattr(long_recording, "WINDOWS_A_PIECE", 4)
    preparation = LongPreparation(long_at(long_file))
    found = [windows for windows, _ in preparation.pieces()]
    assert [len(windows) for windows in found] == [4, 4, 4, 3]
    assert np.array_equal(np.concatenate(found), expected.windows)


@pytest.mark.parametrize("rate", [100.0, 500.0])
def test_each_window_is_what_it_is_as_a_recording(rate: float, tmp_path: Path) -> None:
    """Twelve leads are prepared together; noise, gaps, wander and a window without a lead too."""
    heart = simulate(SimulationSettings(Rhythm.SINUS, sampling_rate=rate)).recording.signal
    n = heart.shape[1]
    signal = np.concatenate([heart] * N_WINDOWS, axis=1)
    rng = np.random.default_rng(4)
    signal[3, 2 * n : 4 * n] += rng.normal(0, 2, 2 * n).astype(np.float32)
    signal[:, 5 * n : 6 * n] = 0
    signal[7, 8 * n + 9] = np.nan
    signal[1, 9 * n : 10 * n] += 3 * np.sin(np.arange(n) / n * 12, dtype=np.float32)
    path = write_wfdb(Recording(HEART.path, signal, rate, LEADS), tmp_path, "long")
    whole = read_recording(path)
    assert isinstance(whole, Recording)
    preparation = LongPreparation(long_at(path))
    ((windows, masks),) = preparation.pieces()
    alone = [
        prepare_alone(
            replace(whole, signal=np.ascontiguousarray(whole.signal[:, a : a + n])), CONFIG
        )
        for a in range(0, n * N_WINDOWS, n)
    ]
    prepared = [one for _, _, one in alone if isinstance(one, Prepared)]
    assert len(prepared) == N_WINDOWS - 1
    assert np.array_equal(windows, np.concatenate([one.windows for one in prepared]))
    assert np.array_equal(masks, np.stack([one.lead_mask for one in prepared]))
    preparation.add(np.ones((len(windows), 4), np.float32))
    row = preparation.finish(NOTHING)
    summaries = [quality.summary for _, quality, _ in alone if quality.reason is None]
    assert row.window_quality == tuple(summaries)
    assert len(set(summaries)) >= 4


def test_the_row_has_every_window_and_when_it_begins(long_file: Path) -> None:
    row, sizes = run(long_file)
    assert sizes == [N_WINDOWS]
    assert (row.status, row.quality, row.duration_s) == (Status.SCORED, "good", 145.0)
    assert row.leads == LEADS
    assert row.window_starts_s.tolist() == [*range(0, 140, 10), 135]
    assert row.embeddings[:, 0].tolist() == list(range(N_WINDOWS))


def test_windows_that_are_unusable_are_counted_and_not_embedded(tmp_path: Path) -> None:
    signal = LONG.signal.copy()
    signal[:, 2000:4000] = 0
    signal[8, 6000:10_000] = 0
    path = write_wfdb(Recording(LONG.path, signal, 100.0, LEADS), tmp_path, "holes")
    row, sizes = run(path)
    assert sizes == [N_WINDOWS - 2]
    assert row.quality == "usable: 13 of 15 windows, V3 flat in 4"
    assert {20.0, 30.0}.isdisjoint(row.window_starts_s.tolist())


def test_leads_that_a_recorder_does_not_have_are_missing(tmp_path: Path) -> None:
    signal = LONG.signal[[1, 6]].copy()
    signal[1, 6000:10_000] = 0
    path = write_wfdb(Recording(LONG.path, signal, 100.0, ("II", "V1")), tmp_path, "holter")
    row, _ = run(path)
    assert row.quality == "usable: 15 of 15 windows, 10 leads missing, V1 flat in 4"
    assert load_words("de").quality_phrase(row.quality) == (
        "verwendbar: 15 von 15 Fenstern, 10 Ableitungen fehlen, V1 flach in 4"
    )


def test_what_is_noted_in_a_tenth_of_the_windows_is_counted(tmp_path: Path) -> None:
    signal = LONG.signal.copy()
    signal[7, 1500:] += 2  # a step, and nothing else for the rest of the time
    path = write_wfdb(Recording(LONG.path, signal, 100.0, LEADS), tmp_path, "step")
    assert run(path)[0].quality == "good"
    times = np.arange(signal.shape[1]) / 100
    signal[7, 4000:7000] += np.sin(2 * np.pi * 0.2 * times[4000:7000]).astype(np.float32)
    path = write_wfdb(Recording(LONG.path, signal, 100.0, LEADS), tmp_path, "wander")
    assert run(path)[0].quality == "good; noted: wander in 3"


def test_it_is_unusable_only_if_all_windows_are(tmp_path: Path) -> None:
    signal = np.zeros_like(LONG.signal)
    path = write_wfdb(Recording(LONG.path, signal, 100.0, LEADS), tmp_path, "flat")
    row, sizes = run(path)
    assert sizes == []
    assert (row.status, row.reason) == (Status.UNUSABLE, SkipReason.NO_USABLE_LEAD)
    assert row.detail == "none of 15 windows has a usable lead"
    assert row.duration_s == 145.0
    signal[:, 5000:6000] = HEART.signal
    path = write_wfdb(Recording(LONG.path, signal, 100.0, LEADS), tmp_path, "nearly")
    row, _ = run(path)
    assert (row.status, row.quality) == (Status.SCORED, "usable: 1 of 15 windows")


def test_a_file_that_is_cut_while_it_is_read_is_a_row(long_file: Path, tmp_path: Path) -> None:
    path = write_wfdb(LONG, tmp_path, "cut")
    preparation = LongPreparation(long_at(path))
    pieces = preparation.pieces()
    signals = path.with_suffix(".dat")
    signals.write_bytes(signals.read_bytes()[:10_000])
    assert list(pieces) == []
    row = preparation.finish(NOTHING)
    assert (row.status, row.reason) == (Status.ERROR, SkipReason.TRUNCATED)
    path.unlink()
    preparation = LongPreparation(long_at(path))
    assert list(preparation.pieces()) == []
    assert preparation.finish(NOTHING).status is Status.VANISHED


def test_a_window_without_a_finite_embedding_has_no_result(long_file: Path) -> None:
    preparation = LongPreparation(long_at(long_file))
    for windows, _ in preparation.pieces():
        preparation.add(np.full((len(windows), 4), np.nan, np.float32))
    assert preparation.finish(NOTHING).reason is SkipReason.NO_EMBEDDING


def test_what_the_header_says_of_the_length(
    long_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert announced_duration_s(long_file, long_file.parent) == 145.0
    assert announced_duration_s(long_file.with_suffix(".dat"), long_file.parent) == 0.0
    assert announced_duration_s(tmp_path / "nowhere.hea", tmp_path) == 0.0
    assert not is_announced_long(long_at(long_file).found), "it is not even looked at"
    monkeypatch.setattr(long_recording, "PEEK_BYTES", 1000)
    assert is_announced_long(long_at(long_file).found)


def test_a_header_that_promises_a_month_is_refused_unread(
    long_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = long_file.read_text().splitlines()
    header = tmp_path / "long.hea"
    header.write_text("\n".join([lines[0].replace("14500", "15552000000"), *lines[1:]]))
    (tmp_path / "long.dat").write_bytes(b"\0" * 4800)
    opened = open_pieces(header, tmp_path)
    assert isinstance(opened, SkippedRecording)
    assert opened.reason is SkipReason.TRUNCATED
    monkeypatch.setattr(pieces_module, "MAX_LONG_SAMPLES", 1000)
    opened = open_pieces(long_file, long_file.parent)
    assert isinstance(opened, SkippedRecording)
    assert opened.reason is SkipReason.TOO_LARGE


def test_other_formats_are_read_whole_and_handed_out_in_pieces(long_file: Path) -> None:
    opened = in_memory(LONG)
    assert np.array_equal(opened.read(10, 20), LONG.signal[:, 10:20])
    assert opened.whole.signal.shape == (12, 0)


def test_the_worst_window_of_what_is_normal_is_the_lowest() -> None:
    scores = np.array([[0.1, 0.5], [0.7, 0.2], [0.7, 0.9]], np.float32)
    assert worst_windows(scores, np.array([True, False])).tolist() == [1, 1]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_scan_reads_long_recordings_in_pieces_between_others(
    bundle_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr(long_recording, "WINDOWS_A_PIECE", 4)
    records = tmp_path / "records"
    records.mkdir()
    for name, recording in (("a", HEART), ("b", LONG), ("c", HEART)):
        write_wfdb(recording, records, name)
    scan(
        ScanOptions(
            (records,),
            "rhythm.txt",
            tmp_path / "out",
            bundle=bundle_dir,
            threads=1,
            workers=workers,
        )
    )
    with h5py.File(tmp_path / "out" / "report.h5") as report:
        assert report["records/path"].asstr()[...].tolist() == ["a.hea", "b.hea", "c.hea"]
        assert report["windows/record_index"][...].tolist() == [1] * N_WINDOWS
        scores, windows = report["scores"][...], report["windows/scores"][...]
        assert report["scores"][0].tobytes() == report["scores"][2].tobytes()
        codes = report["diagnoses/code"].asstr()[...].tolist()
        sinus, af = codes.index("SR"), codes.index("AFIB")
        assert scores[1, af] == windows[:, af].max()
        assert scores[1, sinus] == windows[:, sinus].min()
        assert np.isnan(report["worst_start_s"][0]).all()
        # The windows are the same ten seconds that a and c are.
        assert scores[1, af] >= scores[0, af] - 1e-3
