from __future__ import annotations

import io
import os
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from ecgscreen.progress import (
    FLAG_MEANS,
    NOT_A_DEVICE,
    ScanProgress,
    print_summary,
    shorten,
    stderr_console,
)
from ecgscreen.reports import DiagnosisRow, Provenance, RunSummary
from ecgscreen.reports.tally import DiagnosisSummary, RankedRecord
from ecgscreen.results import Status, not_scored, printable
from engines.base import EngineInfo
from tests.ecgscreen.rows import scored

STARTED = datetime(2025, 1, 2, tzinfo=UTC)
PROVENANCE = Provenance(
    version="0.1.0",
    command="scan",
    arguments={},
    started=STARTED,
    ended=STARTED + timedelta(seconds=4),
    bundle_name="default",
    bundle_sha256="",
    list_name="rhythm.txt",
    list_sha256="",
    preprocessing={},
    engine=EngineInfo("openvino", "2026.4", "A Processor", "f32", 32),
    engine_reason="the default",
)
LONG = "ward-7/2025/records500/00000/[bold]00001_hr with a long name.hea"
NO_THRESHOLD = float("nan")


def diagnosis(
    name: str, severity: str, threshold: float, n_flagged: int, path: str = LONG
) -> DiagnosisSummary:
    highest = tuple(RankedRecord(f"{i}{path}", 0.5 - i / 10, 99.0) for i in range(3))
    row = DiagnosisRow(name, "", severity, "vocabulary", threshold)
    return DiagnosisSummary(row, n_flagged, highest)


def ignoring(n_ignored: int) -> Provenance:
    return replace(PROVENANCE, n_ignored=n_ignored)


def summary(
    diagnoses: tuple[DiagnosisSummary, ...], n_scored: int = 1_790, n_error: int = 0
) -> RunSummary:
    missed = [
        not_scored(f"bad/{i}.hea", Status.ERROR, "signal file truncated", "6 of 12 bytes")
        for i in range(n_error)
    ]
    by_status = dict.fromkeys(Status, 0) | {Status.SCORED: n_scored, Status.ERROR: n_error}
    return RunSummary(
        by_status, {"signal file truncated": n_error}, 16, 16, diagnoses, tuple(missed[:10])
    )


MIXED = (
    diagnosis("sinus rhythm", "info", 0.1, 900),
    diagnosis("AF", "attention", 0.2, 1),
    diagnosis("complete AV block", "critical", 0.3, 15),
    diagnosis("flutter", "critical", 0.3, 0),
    diagnosis("free words", "info", NO_THRESHOLD, 0),
)


def printed(
    found: RunSummary,
    width: int = 80,
    folder: Path = Path("screening"),
    provenance: Provenance = PROVENANCE,
) -> str:
    file = io.StringIO()
    console = Console(file=file, width=width, markup=False, highlight=False, emoji=False)
    print_summary(console, found, provenance, folder)
    return file.getvalue()


@pytest.mark.parametrize("width", [40, 80, 132])
@pytest.mark.parametrize("diagnoses", [MIXED, MIXED[-1:]])
def test_every_line_fits_and_nothing_colours_a_pipe(
    width: int, diagnoses: tuple[DiagnosisSummary, ...]
) -> None:
    text = printed(summary(diagnoses, n_error=12), width)
    assert "\x1b" not in text
    lines = [line for line in text.splitlines() if not line.startswith("Reports ")]
    assert max(cell_len(line) for line in lines) <= width


def test_flagged_is_listed_worst_first() -> None:
    text = printed(summary(MIXED))
    assert "1,790 of 1,790 recordings scored in 4.0 s, 448 records/s" in text
    assert text.index("complete AV block") < text.index("AF ") < text.index("sinus rhythm")
    assert "critical        15" in text
    assert "Flagged with a finding: 16 of 1,790 recordings\n" in text
    assert FLAG_MEANS in text
    assert "flutter" not in text
    flagged, ranked = text.split("Ranked, not flagged: no threshold for these")
    rows = [line for line in flagged.splitlines() if "long name.hea" in line]
    assert len(rows) == 3 + 1 + 3, "no more recordings are named than were flagged"
    assert "free words" in ranked
    assert "0.500" in ranked


def test_what_is_normal_comes_last_and_is_counted_apart() -> None:
    normal = diagnosis("sinus rhythm", "info", 0.1, 900)
    normal = replace(normal, diagnosis=replace(normal.diagnosis, code="SR"))
    found = replace(summary((normal, *MIXED[1:2])), n_flagged=902, n_with_finding=1)
    text = printed(found)
    assert "Flagged with a finding: 1 of 1,790 recordings; as normal only: 901" in text
    assert text.index("AF ") < text.index("sinus rhythm")


def test_a_narrow_table_still_says_severity_count_and_recording() -> None:
    lines = printed(summary(MIXED), width=40).splitlines()
    row = next(i for i, line in enumerate(lines) if line.startswith("complete AV block"))
    assert lines[row].split()[-1] == "15"
    assert lines[row + 1].startswith("critical  0ward")
    assert lines[row + 1].rstrip().endswith("long name.hea")


@pytest.mark.parametrize("width", [40, 80])
def test_a_list_that_grades_nothing_shows_no_severity(width: int) -> None:
    text = printed(summary(MIXED[:1]), width)
    assert "sinus rhythm" in text
    assert "900" in text
    assert "severity" not in text
    assert "info" not in text


def test_one_is_one_recording_and_one_file() -> None:
    text = printed(summary(MIXED, n_scored=0, n_error=1), provenance=ignoring(1))
    assert "0 of 1 recording scored" in text
    assert "1 other file ignored" in text
    assert "Not scored: 1 recording\n" in text


def test_without_thresholds_the_highest_are_ranked() -> None:
    text = printed(summary(MIXED[-1:]))
    assert "Ranked, not flagged: no threshold for these" in text
    assert "0.500  0ward-7" in text


def test_nothing_flagged_is_said() -> None:
    assert "Nothing was flagged." in printed(summary(MIXED[3:4]))


def test_what_could_not_be_scored_is_named_with_the_reason() -> None:
    text = printed(summary(MIXED, n_error=13))
    assert "Not scored: 13 recordings" in text
    assert text.count("signal file truncated: 6 of 12 bytes") == 10
    assert "and 3 more in report.csv" in text
    assert "Not scored" not in printed(summary(MIXED))


def test_an_empty_folder_is_a_clear_word() -> None:
    text = printed(summary(MIXED, n_scored=0))
    assert "There is no recording" in text
    assert "flagged" not in text.lower()
    assert ".hea" not in text
    others = printed(summary(MIXED, n_scored=0), width=132, provenance=ignoring(8))
    assert "8 other files ignored: none of them is of a format that is read" in others


@pytest.mark.parametrize("width", [40, 80])
def test_where_the_reports_are_can_be_copied(width: int) -> None:
    folder = Path("/a/folder/that/is/longer/than/forty/columns/screening")
    assert f"Reports {folder}/report.html, report.csv, report.h5, summary.json" in printed(
        summary(MIXED), width, folder
    )


def test_engine_and_disclaimer_are_there() -> None:
    text = printed(summary(MIXED))
    assert "Engine openvino 2026.4, f32, A Processor (the default)" in text
    assert NOT_A_DEVICE in text


def test_names_are_shown_not_interpreted() -> None:
    evil = "[red]x[/red]\x1b[2J\n:smile:\u202e" + os.fsdecode(b"\xff")
    text = printed(summary((diagnosis(evil, "critical", 0.1, 1, path=evil),)), width=132)
    assert text.count("[red]x[/red]\\x1b[2J\\n:smile:\\u202e\\xff") == 2
    assert "\x1b" not in text


def test_printable_keeps_letters_of_any_script() -> None:
    assert printable("Müller 心电图.hea") == "Müller 心电图.hea"


@pytest.mark.parametrize("width", [5, 12, 21])
@pytest.mark.parametrize("text", ["short", "records500/00000/00001_hr.hea", "心电图" * 20])
def test_shorten_keeps_both_ends(text: str, width: int) -> None:
    short = shorten(text, width)
    assert cell_len(short) <= width
    if cell_len(text) <= width:
        assert short == text
    else:
        assert "…" in short
        assert short[-1] in (text[-1], " ")


def test_a_log_gets_a_plain_line_now_and_then() -> None:
    now = 0.0
    file = io.StringIO()
    console = Console(file=file, width=80)
    with ScanProgress(console, clock=lambda: now) as progress:
        progress.expect(5_000)
        for second in range(65):
            now = float(second)
            for _ in range(20):
                progress.done(scored("p"))
            progress.done(not_scored("q", Status.ERROR, "x"))
    assert file.getvalue().splitlines() == [
        "631 of 5,000 recordings, 30 not scored, 21 records/s",
        "1,261 of 5,000 recordings, 60 not scored, 21 records/s",
    ]


@pytest.mark.parametrize("width", [40, 80])
def test_a_terminal_gets_a_bar_on_one_line(width: int) -> None:
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=True, force_interactive=True)
    with ScanProgress(console) as progress:
        progress.done(scored("p"))
        progress.expect(1_234_567)
        progress.done(not_scored("q", Status.ERROR, "x"))
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue()))
    assert any("2/1,234,567" in line and "1 not scored" in line for line in lines)
    assert max(cell_len(line) for line in lines) <= width


def test_quiet_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    console = stderr_console(quiet=True)
    with ScanProgress(console, clock=iter(range(0, 1_000, 40)).__next__) as progress:
        progress.done(scored("p"))
    print_summary(console, summary(MIXED, n_error=3), PROVENANCE, Path("out"))
    assert capsys.readouterr() == ("", "")


def test_the_console_writes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(stderr_console(), summary(MIXED), PROVENANCE, Path("out"))
    out, err = capsys.readouterr()
    assert out == ""
    assert NOT_A_DEVICE in err
