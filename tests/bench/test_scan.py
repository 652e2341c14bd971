"""The benchmarks run; what they measure on a busy machine is of no interest here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.linked_records import write_linked
from bench.scan import Row
from ecgscreen.discover import Discovery
from ecgscreen.readers import read_recording
from ecgscreen.recording import Recording

ROOT = Path(__file__).parents[2]


def run(module: str, *arguments: object) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_every_row_is_measured(bundle_dir: Path, tmp_path: Path) -> None:
    _, _, *rows = run("bench.scan", "--small", "--bundle", bundle_dir, "--folder", tmp_path)
    assert len(rows) == 9
    for row in rows:
        _, what, measured, _, ratio, wanted, met, _ = (cell.strip() for cell in row.split("|"))
        assert what
        assert measured
        assert float(ratio.split()[0]) > 0 or "--help" in what
        assert wanted
        assert met in {"yes", "NO"}
    assert list(tmp_path.iterdir()) == []


def test_the_size_is_measured(bundle_dir: Path, tmp_path: Path) -> None:
    options = ("--counts", 5, 10, 20, "--bundle", bundle_dir, "--folder", tmp_path)
    _, _, *rows, _, verdict = run("bench.scale", *options)
    for row, count in zip(rows, (5, 10, 20), strict=True):
        _, recordings, seconds, _, megabytes, _ = (cell.strip() for cell in row.split("|"))
        assert int(recordings) == count
        assert float(seconds) > 0
        assert 50 < float(megabytes) < 5000
    assert "at most 2.1 x wanted" in verdict
    assert list(tmp_path.iterdir()) == []


def test_links_are_recordings(tmp_path: Path) -> None:
    found = list(Discovery([write_linked(tmp_path / "new", 405, 100.0)]))
    assert len(found) == len({one.name for one in found}) == 405
    assert isinstance(read_recording(found[-1].path, found[-1].root), Recording)


def test_a_row_says_whether_it_holds() -> None:
    assert str(Row("a", "b", "c", 3.14159, 3.0)) == "| a | b | c | 3.14 x | 3 x | yes |"
    assert str(Row("a", "b", "c", 3.14159, -3.0)) == "| a | b | c | 3.14 x | <= 3 x | NO |"
    assert str(Row("a", "b", "", 0.2, -0.25, " s")).endswith("| 0.2 s | <= 0.25 s | yes |")
