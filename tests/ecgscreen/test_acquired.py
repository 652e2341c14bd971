"""When a recording was made, as the formats write it, and what is no such time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from ecgscreen.acquired import acquired_text, from_dicom, from_edf, from_wfdb, plausible
from ecgscreen.readers import read_recording
from ecgscreen.recording import Recording
from ecgscreen.simulate import Rhythm, SimulationSettings, simulate
from ecgscreen.simulate.wfdb_writer import write_wfdb
from ecgscreen.strip import cut_segment, draw_strip, terminal_strip

WHEN = datetime(1989, 4, 25, 13, 5, 9)


@pytest.mark.parametrize(
    ("text", "when"),
    [
        (b" 13:05:09 25/04/1989", WHEN),
        (b" 13:5:9.250 25/4/1989 ", WHEN),
        (b" 13:05:09", None),  # no date: of which day?
        (b" 0:0:0 0/0/0", None),
        (b" 12-May-2020 12:33:59", None),  # not the grammar of header(5)
        (b" 13:05:09 31/02/1989", None),
        (b" 13:05:09 25/04/1889", None),
        (b"", None),
    ],
)
def test_base_time_and_date_of_wfdb(text: bytes, when: datetime | None) -> None:
    assert from_wfdb(text) == when


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("19890425130509", WHEN),
        ("19890425130509.123456", WHEN),
        ("198904251305", WHEN.replace(second=0)),
        ("19890425130509.0+0200", WHEN.replace(tzinfo=timezone(timedelta(hours=2)))),
        ("19890425", None),
        ("19890425250509", None),
        ("", None),
    ],
)
def test_date_and_time_of_dicom(text: str, when: datetime | None) -> None:
    assert from_dicom(text) == when


@pytest.mark.parametrize(
    ("date", "time", "when"),
    [
        (b"25.04.89", b"13.05.09", WHEN),
        (b"25.04.24", b"13.05.09", WHEN.replace(year=2024)),
        (b"01.01.85", b"00.00.00", None),  # anonymised
        (b"25-04-89", b"13:05:09", None),
    ],
)
def test_start_of_an_edf(date: bytes, time: bytes, when: datetime | None) -> None:
    assert from_edf(date, time) == when


def test_how_it_is_written() -> None:
    assert acquired_text(WHEN) == "1989-04-25 13:05:09"
    assert acquired_text(WHEN.replace(tzinfo=UTC)) == "1989-04-25 13:05:09+00:00"
    assert acquired_text(None) == ""
    assert plausible(datetime(1901, 2, 3)) is None


@pytest.mark.parametrize("n_segments", [1, 2])
def test_it_goes_from_the_header_to_the_strip(tmp_path: Path, n_segments: int) -> None:
    recording = simulate(SimulationSettings(Rhythm.SINUS, sampling_rate=100.0)).recording
    path = write_wfdb(recording, tmp_path, "rec")
    if n_segments == 2:
        path = tmp_path / "both.hea"
        path.write_text("both/2 12 100 2000 13:05:09 25/04/1989\nrec 1000\nrec 1000\n")
    else:
        lines = path.read_text().splitlines()
        path.write_text("\n".join([f"{lines[0]} 13:05:09 25/04/1989", *lines[1:]]))
    read = read_recording(path)
    assert isinstance(read, Recording)
    assert read.acquired == WHEN
    assert "recorded 1989-04-25 13:05:09" in draw_strip(cut_segment(read), "x")
    assert "aufgezeichnet 1989-04-25 13:05:09" in terminal_strip(read, 80, language="de")[-1]
