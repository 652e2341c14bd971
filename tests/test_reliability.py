"""docs/reliability.md is held to the tests that it names, and to what the program says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ecgscreen.errors import ExitCode
from ecgscreen.recording import SkipReason

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)
GUARDS = {"test_confined.py"}
"""Tests of what the other tests rest on: no fault of their own."""


def rows_of(section: str) -> list[list[str]]:
    """The cells of the table of a section, without its head."""
    text = PAGE.split(f"## {section}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def names_in(path: Path) -> set[str]:
    return set(re.findall(r"^def (test_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[name for _, name in NAMED])
def test_every_test_named_exists(file: str, name: str) -> None:
    assert name in names_in(ROOT / "tests" / file)


def test_every_row_names_a_test() -> None:
    sections = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    assert len(sections) == 7
    n_rows = 0
    for section in sections[:-1]:
        rows = rows_of(section)
        assert rows, section
        for cells in rows:
            n_rows += 1
            assert re.search(r"`[\w/]+\.py::test_\w+`", cells[-1]), cells[0]
            assert all(cells), cells[0]
    assert n_rows > 50


def test_every_test_of_hostile_folders_is_named() -> None:
    folder = ROOT / "tests" / "ecgscreen" / "hostile"
    for path in sorted(folder.glob("test_*.py")):
        if path.name not in GUARDS:
            named = {name for file, name in NAMED if file.endswith(f"hostile/{path.name}")}
            missing = names_in(path) - named
            assert not missing, f"{path.name}: {sorted(missing)} stand in no row"


def test_reasons_are_quoted_as_the_report_has_them() -> None:
    reasons = set(SkipReason)
    quoted = set()
    for cells in rows_of("Recordings that lie"):
        quoted |= set(re.findall(r'"([^"]+)"', cells[1]))
    assert quoted <= reasons
    assert len(quoted) > 8


def test_exit_codes_are_some_of_the_programs() -> None:
    for section in ("Names and file systems", "Runs that are stopped"):
        for cells in rows_of(section):
            codes = re.findall(r"\d+", cells[2])
            assert codes or cells[2] == "-", cells
            assert {int(code) for code in codes} <= {code.value for code in ExitCode}
