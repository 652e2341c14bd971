"""A comparison is shown: as table, JSON and page, on the terminal, in the exit code."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from ecgscreen.compare import CompareOptions, Comparison, Kind, compare
from ecgscreen.compare.files import WRITERS, write_comparison
from ecgscreen.compare.terminal import print_comparison
from ecgscreen.compare.words import compare_words
from ecgscreen.errors import ExitCode, UsageError
from ecgscreen.recording import SkipReason
from ecgscreen.reports import DiagnosisRow
from ecgscreen.reports.html.words import LANGUAGES
from tests.command_line import Run
from tests.ecgscreen.html_reports import Page, scored
from tests.ecgscreen.nights_compared import AF, NEW, WORST_FIRST, write


@pytest.fixture(scope="module")
def comparison(nights: tuple[Path, Path]) -> Comparison:
    return compare(CompareOptions(*nights))


def test_newly_flagged_are_findings_alone(tmp_path: Path, run: Run) -> None:
    """What is normal is told by itself, and neither stands out nor ends a check."""
    before = (scored("a.hea", {0: 0.9}), scored("b.hea", {0: 0.2}), scored("c.hea", {1: 0.2}))
    now = (scored("a.hea", {0: 0.2}), scored("b.hea", {0: 0.9}), scored("c.hea", {1: 0.2}))
    old = write(tmp_path / "old", before)
    normal = write(tmp_path / "normal", (*now, scored("new.hea", {0: 0.9})))
    page = tmp_path / "changes.html"
    told = run("compare", old, normal, "--out", page, "--check")
    assert told.code == ExitCode.OK
    sentence = (
        "Recordings that changed: 3 (1 appeared, 2 newly flagged as normal, "
        "1 no longer flagged as normal)"
    )
    assert sentence in " ".join(told.out.split())
    text = page.read_text(encoding="utf-8")
    assert "Recordings that changed: 3</h2>" in text
    assert "<li><b>2</b>newly flagged as normal</li>" in text
    assert 'class="look"' not in text

    also_af = (*now, scored("new.hea", {0: 0.55, 1: 0.8}))
    finding = write(tmp_path / "finding", also_af)
    told = run("compare", old, finding, "--out", page, "--check")
    assert told.code == ExitCode.CHECK_FAILED
    assert "3 (1 newly flagged, 1 appeared, 2 newly flagged as normal," in " ".join(
        told.out.split()
    )
    text = page.read_text(encoding="utf-8")
    assert '<li class="look"><b>1</b>newly flagged</li>' in text
    assert "<li><b>2</b>newly flagged as normal</li>" in text


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        ({}, ["appeared"]),
        ({0: 0.9}, ["appeared, newly flagged as normal"]),
        ({0: 0.55, 1: 0.8}, ["appeared, newly flagged", "appeared, newly flagged as normal"]),
    ],
)
def test_a_recording_that_appeared_has_a_row_a_flag(
    tmp_path: Path, scores: dict[int, float], told: list[str]
) -> None:
    same = scored("a.hea", {1: 0.2})
    old, new = write(tmp_path / "old", [same]), write(tmp_path / "new", [same, scored("n", scores)])
    write_comparison(compare(CompareOptions(old, new)), page := tmp_path / "changes.html", "en")
    table = page.read_text(encoding="utf-8").partition('<h2 id="records">')[2]
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in table.split("<tr>")[2:]]
    assert [row[:2] for row in cells] == [["n", what] for what in told]


def test_the_table_has_a_row_a_change(comparison: Comparison, tmp_path: Path) -> None:
    path = tmp_path / "changes.csv"
    write_comparison(comparison, path, "en")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == list(WORST_FIRST)
    af = rows[1]
    assert (af["diagnosis"], af["change"], af["severity"]) == (AF, "newly flagged", "attention")
    assert float(af["new_score"]) - float(af["old_score"]) == pytest.approx(0.5, abs=0.01)
    assert rows[2]["new_score"] == ""
    assert rows[2]["new_reason"] == SkipReason.NO_USABLE_LEAD


def test_json_has_everything(comparison: Comparison, tmp_path: Path) -> None:
    path = tmp_path / "changes.json"
    write_comparison(comparison, path, "en")
    document = json.loads(path.read_text())
    assert [each["name"] for each in document["records"]] == list(WORST_FIRST)
    assert document["counts"]["newly flagged"] == 2
    assert document["patients"] is None
    assert document["records"][2]["diagnoses"][0]["new_score"] is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_needs_nothing_and_escapes_everything(
    comparison: Comparison, tmp_path: Path, language: str
) -> None:
    path = tmp_path / "changes.html"
    write_comparison(comparison, path, language)
    page = Page(path)
    assert not {"script", "link", "img", "form"} & set(page.tags)
    text = path.read_text(encoding="utf-8")
    assert "&lt;b&gt;AF&lt;/b&gt;" in text
    assert "style-src 'sha256-" in text
    text = text.replace("/<wbr>", "/")
    assert text.index("j/new.hea") < text.index("b/af.hea") < text.index("h/cut.hea")


def test_the_languages_have_the_same_words() -> None:
    english, german = (compare_words(language).page for language in LANGUAGES)
    assert set(english) == set(german)
    assert set(Kind) <= set(english)


@pytest.mark.parametrize("width", [40, 100])
def test_the_terminal_shows_the_worst_first(comparison: Comparison, width: int) -> None:
    console = Console(width=width, record=True, file=io.StringIO())
    print_comparison(console, comparison)
    text = console.export_text()
    assert max(map(len, text.splitlines()[2:])) <= width
    assert text.index("j/new.hea") < text.index("b/af.hea") < text.index("h/cut.hea")
    assert "newly flagged: complete AV block" in " ".join(text.split())


@pytest.mark.parametrize(("code", "is_coloured"), [("NORM", False), ("AFIB", True)])
def test_what_is_normal_has_no_colour_whatever_its_severity(
    tmp_path: Path, code: str, is_coloured: bool
) -> None:
    diagnoses = (DiagnosisRow("as written", code, "critical", "prompted (seen)", 0.5),)
    old, new = (
        write(tmp_path / name, [scored("a.hea", {0: cosine})], diagnoses)
        for name, cosine in (("old", 0.2), ("new", 0.9))
    )
    console = Console(width=100, file=io.StringIO(), force_terminal=True, color_system="standard")
    print_comparison(console, compare(CompareOptions(old, new)))
    assert isinstance(console.file, io.StringIO)
    (line,) = (each for each in console.file.getvalue().splitlines() if "as written" in each)
    assert ("\x1b[1;31m" in line) == is_coloured


@pytest.mark.parametrize("suffix", [".txt", ""])
def test_an_unknown_form_is_refused_before_the_work(
    comparison: Comparison, tmp_path: Path, suffix: str
) -> None:
    with pytest.raises(UsageError, match=", ".join(WRITERS)):
        write_comparison(comparison, tmp_path / f"changes{suffix}", "en")


def test_a_shell_sees_what_changed_in_the_exit_code(
    nights: tuple[Path, Path],
    tmp_path: Path,
    run: Run,
) -> None:
    old, new = nights
    page = tmp_path / "changes.html"
    changed = run("compare", old, new, "--out", page)
    assert changed.code == ExitCode.OK
    assert page.is_file()
    assert "newly flagged" in changed.out
    assert run("compare", old, new, "--check", "--quiet").code == ExitCode.CHECK_FAILED
    same = run("compare", old, old, "--check")
    assert same.code == ExitCode.OK
    assert "Nothing changed." in same.out
    other = write(tmp_path / "other", NEW, provenance={"list_sha256": "e" * 64})
    refused = run("compare", old, other)
    assert refused.code == ExitCode.USAGE
    assert "not made with the same list" in refused.err
    assert run("compare", old, tmp_path / "nowhere").code == ExitCode.FAILED
