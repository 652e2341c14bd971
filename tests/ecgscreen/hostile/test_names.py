"""Names that a file system takes and a report, a terminal or a spreadsheet may not."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import h5py
import pytest

from ecgscreen.errors import ExitCode
from ecgscreen.recording import SkipReason
from ecgscreen.scan import ScanOptions, scan
from ecgscreen.shown_names import shown_name
from tests.ecgscreen.hostile.conftest import HEALTHY, write_healthy
from tests.ecgscreen.hostile.run_cli import run_cli

NAMES = (
    b"M\xfcller \xe9.hea",
    b"line\nbreak\r\n.hea",
    b"tab\tinside.hea",
    b"comma,and;semicolon.hea",
    b"=HYPERLINK(1).hea",
    b"+1.hea",
    b"-1.hea",
    b"@sum.hea",
    b"\"quoted\" 'twice'.hea",
    b"\x1b[31mred\x1b]0;title\x07.hea",
    b"<img src=x onerror=alert(1)>.hea",
    b"<script>alert(1)<!--.hea",
    b"\xe2\x80\xaegnp.hea",
    b"\\xe9 \\.hea",
    b"%s {0} $HOME `id`.hea",
    b" leading and trailing .hea",
    b"\x01\x7f.hea",
)
"""As bytes: Latin-1, control characters, formulas, markup, text that runs from right to left."""


@pytest.fixture
def strange(folder: Path) -> Path:
    """The healthy recording under every name."""
    for name in NAMES:
        text = (folder / HEALTHY).read_text()
        (folder / os.fsdecode(name)).write_text(text)
    return folder


def cells_of(out: Path) -> list[dict[str, str]]:
    text = (out / "report.csv").read_bytes().decode("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_every_name_is_scored_and_comes_back_as_it_was(
    strange: Path, bundle_dir: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = scan(ScanOptions((strange,), "rhythm.txt", out, bundle_dir, threads=1, workers=0))
    assert result.summary.exit_code == ExitCode.OK
    expected = {shown_name(os.fsdecode(name)) for name in NAMES} | {HEALTHY}
    rows = cells_of(out)
    assert {row["path"].removeprefix("'") for row in rows} == expected
    assert {tuple(row.values())[6:] for row in rows} == {tuple(rows[0].values())[6:]}
    assert not any(row["path"].startswith(tuple("=+-@\t\r\n")) for row in rows)
    with h5py.File(out / "report.h5") as file:
        assert set(file["records/path"].asstr()[()]) == expected
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert summary["n_scored"] == len(NAMES) + 1


class Elements(HTMLParser):
    """Names of all elements, and of their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {tag, *(name for name, _ in attrs)}


def test_no_name_becomes_markup(strange: Path, bundle_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    scan(ScanOptions((strange,), "rhythm.txt", out, bundle_dir, threads=1, workers=0))
    page = (out / "report.html").read_text(encoding="utf-8")
    elements = Elements()
    elements.feed(page)
    assert not elements.found & {"img", "onerror", "iframe", "onload"}
    assert "<script>alert" not in page


def test_no_name_steers_the_terminal(strange: Path, bundle_dir: Path, tmp_path: Path) -> None:
    """Not when all is well, and not where a row says why something was not scored."""
    for name in NAMES[1:]:
        (strange / os.fsdecode(name)).write_text("garbage\n")
    finished = run_cli(
        *("scan", str(strange), "--out", str(tmp_path / "out"), "--bundle", str(bundle_dir)),
        *("--labels", "superclass.txt", "--workers", "0"),
    )
    assert finished.returncode == ExitCode.SOME_NOT_SCORED, finished.stderr
    printed = finished.stdout + finished.stderr
    lines = printed.splitlines()
    assert all(line.isprintable() for line in lines)
    assert any("\\x1b[31mred" in line for line in lines)
    assert not any(line.lstrip().startswith(("break", "red")) for line in lines)


@pytest.fixture
def deep(folder: Path) -> Iterator[Path]:
    """A folder whose path is as long as a path may be; cleared by hand, level by level."""
    made = [folder]
    while len(os.fsencode(made[-1])) < 4000 - 201:
        made.append(made[-1] / ("d" * min(200, 4000 - 1 - len(os.fsencode(made[-1])))))
        made[-1].mkdir()
    yield made[-1]
    for one in reversed(made[1:]):
        for file in one.iterdir():
            file.unlink()
        one.rmdir()


def test_a_path_of_4_000_bytes(deep: Path, folder: Path, bundle_dir: Path, tmp_path: Path) -> None:
    stem = "n" * (4000 - len(os.fsencode(deep)) - len("/.hea"))
    header = (folder / HEALTHY).read_text().replace("healthy.dat", f"{stem}.dat")
    (deep / f"{stem}.hea").write_text(header)
    assert len(os.fsencode(deep / f"{stem}.hea")) == 4000
    (deep / f"{stem}.dat").write_bytes((folder / "healthy.dat").read_bytes())
    out = tmp_path / "out"
    result = scan(ScanOptions((folder,), "rhythm.txt", out, bundle_dir, threads=1, workers=0))
    assert result.summary.exit_code == ExitCode.OK
    long, short = sorted(cells_of(out), key=lambda row: -len(row["path"]))
    assert folder / long.pop("path") == deep / f"{stem}.hea"
    assert short.pop("path") == HEALTHY
    assert long == short


def test_a_path_that_is_longer_than_paths_may_be(
    folder: Path, bundle_dir: Path, tmp_path: Path
) -> None:
    """Made from inside, folder by folder; the walk meets it from outside."""
    here = os.open(folder, os.O_RDONLY)
    levels = [here]
    for _ in range(25):
        os.mkdir("d" * 200, dir_fd=levels[-1])
        levels.append(os.open("d" * 200, os.O_RDONLY, dir_fd=levels[-1]))
    try:
        out = tmp_path / "out"
        result = scan(ScanOptions((folder,), "rhythm.txt", out, bundle_dir, threads=1, workers=0))
        assert result.summary.exit_code == ExitCode.SOME_NOT_SCORED
        bad, good = cells_of(out)
        assert good["path"] == HEALTHY
        assert good["status"] == "scored"
        assert bad["path"].endswith("d/")
        assert bad["reason"].startswith(f"{SkipReason.READ_ERROR}: ")
        assert "ENAMETOOLONG" in bad["reason"]
    finally:
        while len(levels) > 1:
            os.close(levels.pop())
            os.rmdir("d" * 200, dir_fd=levels[-1])
        os.close(here)


def test_a_screening_in_a_folder_with_such_a_name(bundle_dir: Path, tmp_path: Path) -> None:
    place = tmp_path / os.fsdecode(b"n\xe9w\nline\t=1")
    write_healthy(place / "records")
    finished = run_cli(
        *("scan", str(place / "records"), "--out", str(place / "out"), "--bundle"),
        *(str(bundle_dir), "--labels", "superclass.txt", "--workers", "0"),
    )
    assert finished.returncode == ExitCode.OK, finished.stderr
    assert all(line.isprintable() for line in finished.stderr.splitlines())
    assert "\\xe9w\\nline\\t" in finished.stderr
    (row,) = cells_of(place / "out")
    assert (row["path"], row["status"]) == (HEALTHY, "scored")
