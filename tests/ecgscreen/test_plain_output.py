"""What is printed where nobody looks on: in a log, in a pipe, in cron's mail."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ecgscreen.errors import ExitCode
from ecgscreen.simulate import write_dataset

ROOT = Path(__file__).parents[2]
LEAST = 40


def piped(*arguments: object, **environment: str) -> tuple[int, bytes]:
    """Run the program with both of its outputs in one pipe: exit code and what came."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if key not in {"COLUMNS", "LINES", "TERM", "FORCE_COLOR", "LANG", "LC_ALL", "LC_CTYPE"}
    }
    done = subprocess.run(
        [sys.executable, "-m", "ecgscreen", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**kept, "PYTHONPATH": str(ROOT), **environment},
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def scanned(
    bundle_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., tuple[int, str, Path]]:
    """Scans six recordings, one of them of a long name that is not ASCII, two of them faulty."""
    folder = tmp_path_factory.mktemp("plain")
    records = folder / "records"
    write_dataset(records, 6, seed=1, sampling_rate=100.0, faults=2)
    long_name = "日本ä" * 20
    header = (records / "sim00000.hea").read_text("ascii")
    for path in list(records.glob("sim00000.*")):
        path.rename(path.with_stem(long_name))
    (records / f"{long_name}.hea").write_text(header.replace("sim00000", long_name), "utf-8")

    def scan(**environment: str) -> tuple[int, str, Path]:
        out = folder / f"out{len(list(folder.iterdir()))}"
        code, printed = piped(
            *("scan", records, "--labels", "superclass.txt", "--bundle", bundle_dir),
            *("--out", out),
            **environment,
        )
        return code, printed.decode(environment.get("PYTHONIOENCODING", "utf-8")), out

    return scan


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"COLUMNS": "0"},
        {"COLUMNS": "7", "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "TERM": "dumb"},
    ],
    ids=["cron", "no width", "narrow, ASCII"],
)
def test_a_scan_prints_plain_lines(
    scanned: Callable[..., tuple[int, str, Path]], environment: dict[str, str]
) -> None:
    code, printed, out = scanned(**environment)
    assert code == ExitCode.SOME_NOT_SCORED
    # No colour, no bar, no spinner, nothing that moves a cursor.
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f]", printed) is None
    assert not set("━╸╺⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏") & set(printed)
    words = " ".join(printed.split())
    assert "4 of 6 recordings scored" in words
    assert "Not scored: 2 recordings" in words
    wide = [line for line in printed.splitlines() if len(line) > 80]
    assert all(line.startswith("Reports ") for line in wide)
    if environment:
        body = printed.partition("\nReports ")[0]
        assert max(map(len, body.splitlines())) <= LEAST + len("\\u65e5")
    if "PYTHONIOENCODING" in environment:
        code, standing = piped("status", out, **environment)
        assert code == ExitCode.OK
        assert standing.startswith(b"4 of 6 recordings scored\n")
        assert standing.isascii()


def test_errors_are_readable_in_a_narrow_place() -> None:
    code, printed = piped("scan", "records", "--frobnicate", COLUMNS="1", LC_ALL="C")
    assert code == ExitCode.USAGE
    assert b"\x1b" not in printed
    assert b"--frobnicate" in printed
