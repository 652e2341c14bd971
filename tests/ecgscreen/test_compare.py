"""Two screenings are compared: what is said, what comes first, and what is refused."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from rich.console import Console

from ecgscreen.compare import Change, CompareOptions, Comparison, Kind, compare
from ecgscreen.compare import screening as screening_module
from ecgscreen.compare.changes import Moves
from ecgscreen.compare.files import WRITERS, write_comparison
from ecgscreen.compare.terminal import print_comparison
from ecgscreen.compare.words import compare_words
from ecgscreen.errors import ExitCode, NotComparableError, ReportError, UsageError
from ecgscreen.pseudonyms import Pseudonyms
from ecgscreen.recording import SkipReason
from ecgscreen.reports import DiagnosisRow, Report, write_reports
from ecgscreen.reports.html.words import LANGUAGES
from ecgscreen.reports.pseudonymous import pseudonymous
from ecgscreen.results import RecordResult, Status, not_scored
from ecgscreen.run_store import RunStore
from ecgscreen.scoring import quantise_directions, score
from tests.command_line import Run
from tests.ecgscreen.html_reports import DIAGNOSES, PROVENANCE, D, Page, scored

AF = DIAGNOSES[1].name
OLD = (
    scored("a/same.hea", {1: 0.2}),
    scored("b/af.hea", {1: 0.2}),
    scored("c/cured.hea", {1: 0.8}),
    scored("d/block.hea", {2: 0.9}),
    scored("e/drift.hea", {1: 0.1}),
    scored("f/noisy.hea", {1: 0.2}, quality="good"),
    scored("g/gone.hea", {2: 0.9}),
    not_scored("h/cut.hea", Status.ERROR, SkipReason.TRUNCATED, "6 of 12 bytes"),
    scored("i/normal.hea", {0: 0.2}),
)
NEW = (
    scored("a/same.hea", {1: 0.2}),
    scored("b/af.hea", {1: 0.7}),
    scored("c/cured.hea", {1: 0.2}),
    not_scored("d/block.hea", Status.UNUSABLE, SkipReason.NO_USABLE_LEAD, "12 leads flat"),
    scored("e/drift.hea", {1: 0.4}),
    scored("f/noisy.hea", {1: 0.2}, quality="usable: V3 flat"),
    scored("h/cut.hea", {1: 0.2}),
    scored("i/normal.hea", {0: 0.9}),
    scored("j/new.hea", {2: 0.9}),
)
WORST_FIRST = {
    "j/new.hea": {Kind.APPEARED, Kind.NEWLY_FLAGGED},
    "b/af.hea": {Kind.NEWLY_FLAGGED},
    "d/block.hea": {Kind.RESULT_LOST},
    "g/gone.hea": {Kind.VANISHED},
    "e/drift.hea": {Kind.ROSE},
    "c/cured.hea": {Kind.CLEARED},
    "i/normal.hea": {Kind.NORMAL_FLAGGED},
    "f/noisy.hea": {Kind.QUALITY},
    "h/cut.hea": {Kind.RESULT_GAINED},
}


def write(
    folder: Path,
    results: Iterable[RecordResult],
    diagnoses: tuple[DiagnosisRow, ...] = DIAGNOSES[:3],
    provenance: Mapping[str, str] | None = None,
    key: bytes | None = None,
) -> Path:
    """Publish a screening of these results."""
    store = RunStore.create(folder / "store", {})
    for result in results:
        store.append(result)
    store.finish()
    directions = quantise_directions(np.eye(D)[: len(diagnoses)])
    report = Report(
        store=store,
        diagnoses=diagnoses,
        directions=directions,
        reference_scores=score(np.eye(D).astype(np.float16), directions),
        provenance=replace(PROVENANCE, **dict[str, Any](provenance or {})),
    )
    write_reports(report if key is None else pseudonymous(report, Pseudonyms(key)), folder)
    return folder


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("nights")
    return write(folder / "old", OLD), write(folder / "new", NEW)


@pytest.fixture
def table(tmp_path: Path) -> Callable[[dict[str, str]], Path]:
    def make(patients: dict[str, str]) -> Path:
        path = tmp_path / "patients.csv"
        rows = "".join(f"{name},{patient}\n" for name, patient in patients.items())
        path.write_text(f"path,patient_id\n{rows}", encoding="utf-8-sig")
        return path

    return make


def kinds(changes: Iterable[Change]) -> dict[str, set[Kind]]:
    return {change.name: set(change.kinds) for change in changes}


def test_every_kind_of_change_is_told_worst_first(nights: tuple[Path, Path]) -> None:
    comparison = compare(CompareOptions(*nights))
    assert kinds(comparison.records) == WORST_FIRST
    assert [change.name for change in comparison.records] == list(WORST_FIRST)
    assert comparison.counts[Kind.NEWLY_FLAGGED] == 2
    assert comparison.counts[Kind.NORMAL_FLAGGED] == 1
    assert comparison.patients is None
    assert comparison.is_worse


def test_a_flag_whose_result_is_lost_is_not_one_that_is_gone(nights: tuple[Path, Path]) -> None:
    changes = {each.name: each for each in compare(CompareOptions(*nights)).records}
    (lost,) = changes["d/block.hea"].findings
    assert (lost.kind, round(lost.old_score, 2)) == (Kind.RESULT_LOST, 0.9)
    assert np.isnan(lost.new_score)
    (gone,) = changes["g/gone.hea"].findings
    assert gone.kind is Kind.VANISHED
    (cleared,) = changes["c/cured.hea"].findings
    assert cleared.kind is Kind.CLEARED


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


def test_a_screening_compared_with_itself_has_no_change(nights: tuple[Path, Path]) -> None:
    comparison = compare(CompareOptions(nights[0], nights[0] / "report.h5"))
    assert comparison.records == ()
    assert not comparison.is_worse


def test_the_moves_asked_for_decide(nights: tuple[Path, Path]) -> None:
    far = compare(CompareOptions(*nights, moves=Moves(0.5, 100.0)))
    assert "e/drift.hea" not in kinds(far.records)
    near = compare(CompareOptions(*nights, moves=Moves(0.29, 100.0)))
    assert kinds(near.records)["e/drift.hea"] == {Kind.ROSE}


def test_blocks_make_no_difference(
    nights: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = compare(CompareOptions(*nights))
    monkeypatch.setattr(screening_module, "BLOCK_ROWS", 2)
    monkeypatch.setattr("ecgscreen.compare.records.BLOCK_ROWS", 3)
    assert kinds(compare(CompareOptions(*nights)).records) == kinds(whole.records)


def test_patients_take_their_recordings_together(
    nights: tuple[Path, Path], table: Callable[[dict[str, str]], Path]
) -> None:
    patients = table(
        {
            "a/same.hea": "P1",
            "c/cured.hea": "P2",
            "d/block.hea": "P2",
            "i/normal.hea": "P1",
            "j/new.hea": "P3",
            "nowhere.hea": "P4",
        }
    )
    comparison = compare(CompareOptions(*nights, patients=patients))
    assert comparison.patients is not None
    assert kinds(comparison.patients) == {
        "P3": {Kind.APPEARED, Kind.NEWLY_FLAGGED},
        # The block was flagged in a recording that has no result now: it is not cleared.
        "P2": {Kind.RESULT_LOST, Kind.CLEARED, Kind.RECORDINGS},
        "P1": {Kind.NORMAL_FLAGGED},
    }
    by_name = {each.name: each for each in comparison.patients}
    lost = {each.diagnosis: each.kind for each in by_name["P2"].findings}
    assert lost == {1: Kind.CLEARED, 2: Kind.RESULT_LOST}
    assert [each.key for each in comparison.notices] == ["without_patient"]
    assert {each.patient for each in comparison.records if each.name == "j/new.hea"} == {"P3"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path;patient_id\na;1\n", "no column path and no column patient_id"),
        ("path,patient_id\na.hea,1\na.hea,2\n", "line 3: this path stands there before"),
    ],
)
def test_a_table_that_cannot_be_understood_is_refused(
    nights: tuple[Path, Path], tmp_path: Path, text: str, said: str
) -> None:
    table = tmp_path / "patients.csv"
    table.write_text(text)
    with pytest.raises(UsageError, match=said):
        compare(CompareOptions(*nights, patients=table))


@pytest.mark.parametrize(
    ("provenance", "said"),
    [
        ({"bundle_sha256": "d" * 64, "bundle_name": "ours"}, "bundle: default b{12} and ours d"),
        ({"list_sha256": "e" * 64}, "list: <night>.txt c{12} and <night>.txt e{12}"),
    ],
)
def test_what_differs_is_named_and_refused(
    nights: tuple[Path, Path], tmp_path: Path, provenance: dict[str, str], said: str
) -> None:
    other = write(tmp_path / "other", NEW, provenance=provenance)
    with pytest.raises(NotComparableError, match=said) as caught:
        compare(CompareOptions(nights[0], other))
    assert "--common" in caught.value.advice
    assert compare(CompareOptions(nights[0], other, common=True)).records


def test_with_another_bundle_scores_do_not_move(nights: tuple[Path, Path], tmp_path: Path) -> None:
    other = write(tmp_path / "other", NEW, provenance={"bundle_sha256": "d" * 64})
    comparison = compare(CompareOptions(nights[0], other, common=True))
    found = kinds(comparison.records)
    assert "e/drift.hea" not in found
    assert found["b/af.hea"] == {Kind.NEWLY_FLAGGED}
    assert "other_bundle" in {each.key for each in comparison.notices}


def test_common_diagnoses_are_those_of_both_lists(
    nights: tuple[Path, Path], tmp_path: Path
) -> None:
    shorter = (DIAGNOSES[0], replace(DIAGNOSES[1], threshold=0.1))
    other = write(tmp_path / "other", NEW, shorter, {"list_sha256": "e" * 64})
    comparison = compare(CompareOptions(nights[0], other, common=True))
    assert [row.name for row in comparison.diagnoses] == ["normal ECG", AF]
    assert {each.key for each in comparison.notices} == {"other_list", "other_thresholds"}
    strange = write(
        tmp_path / "strange", NEW, (DiagnosisRow("x", "", "info", "y"),), {"list_sha256": "f" * 64}
    )
    with pytest.raises(NotComparableError, match="no diagnosis in common"):
        compare(CompareOptions(nights[0], strange, common=True))


KEY, OTHER_KEY = b"k" * 32, b"o" * 32


def before_keys_were_named(report: Path) -> Path:
    """The same report as versions wrote it that did not say whose ids its are."""
    with h5py.File(report, "a") as file:
        del file.attrs["pseudonyms"]
    return report


@pytest.mark.parametrize("old_version", [False, True])
def test_ids_of_one_key_are_compared_as_names_are(tmp_path: Path, old_version: bool) -> None:
    old = write(tmp_path / "old", OLD, key=KEY) / "report.h5"
    new = write(tmp_path / "new", NEW, key=KEY)
    if old_version:
        before_keys_were_named(old)
    found = kinds(compare(CompareOptions(old, new)).records)
    assert found == {Pseudonyms(KEY).of(name): each for name, each in WORST_FIRST.items()}


@pytest.mark.parametrize("old_version", [False, True])
@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ((KEY, OTHER_KEY), "old/report.h5 and .*new/report.h5 have ids"),
        ((None, KEY), "old/report.h5 has the names of recordings, .*new/report.h5 ids"),
        ((KEY, None), "new/report.h5 has the names of recordings, .*old/report.h5 ids"),
    ],
)
def test_names_that_cannot_be_matched_are_refused(
    tmp_path: Path, keys: tuple[bytes | None, bytes | None], said: str, old_version: bool
) -> None:
    """A report travels without its store: what is in it has to do."""
    old, new = (
        write(tmp_path / name, results, key=key) / "report.h5"
        for name, results, key in zip(("old", "new"), (OLD, NEW), keys, strict=True)
    )
    if old_version:
        before_keys_were_named(old)
        before_keys_were_named(new)
    for common in (False, True):
        with pytest.raises(NotComparableError, match=said) as caught:
            compare(CompareOptions(old, new, common=common))
        assert "which recordings are the same cannot be told" in caught.value.message
        assert "without --pseudonymise-paths" in caught.value.advice


def test_what_is_empty_goes_with_any_names(tmp_path: Path) -> None:
    empty = write(tmp_path / "empty", ())
    hidden = write(tmp_path / "hidden", OLD, key=KEY)
    comparison = compare(CompareOptions(empty, hidden))
    assert comparison.counts[Kind.APPEARED] == len(OLD)
    assert compare(CompareOptions(hidden, empty)).counts[Kind.VANISHED] == len(OLD)


def test_the_name_of_a_key_is_no_id_and_tells_keys_apart(tmp_path: Path) -> None:
    assert Pseudonyms(KEY).key_name != Pseudonyms(OTHER_KEY).key_name
    assert Pseudonyms(KEY).key_name not in {Pseudonyms(KEY).of(name) for name in ("key", "")}
    with h5py.File(write(tmp_path / "named", NEW) / "report.h5") as file:
        assert file.attrs["pseudonyms"] == ""
    with h5py.File(write(tmp_path / "hidden", NEW, key=KEY) / "report.h5") as file:
        assert file.attrs["pseudonyms"] == Pseudonyms(KEY).key_name


def test_what_is_no_report_is_refused_by_name(nights: tuple[Path, Path], tmp_path: Path) -> None:
    text = tmp_path / "text.h5"
    text.write_text("no HDF5")
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["x"] = 1
    cut = tmp_path / "cut.h5"
    with h5py.File(cut, "w") as file:
        file.attrs["format"] = "ecgscreen report"
    for path, said in (
        (tmp_path / "nowhere", "there is no such file"),
        (text, "cannot be read as HDF5"),
        (other, "expected 'ecgscreen report'"),
        (cut, "is no whole report"),
    ):
        with pytest.raises(ReportError, match=said):
            compare(CompareOptions(nights[0], path))


@pytest.fixture(scope="module")
def comparison(nights: tuple[Path, Path]) -> Comparison:
    return compare(CompareOptions(*nights))


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
