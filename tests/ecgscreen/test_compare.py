"""Two screenings are compared: what changed, and what comes first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecgscreen.compare import CompareOptions, Kind, compare
from ecgscreen.compare import screening as screening_module
from ecgscreen.compare.changes import Moves
from ecgscreen.errors import NotComparableError
from ecgscreen.pseudonyms import Pseudonyms
from ecgscreen.reports import DiagnosisRow
from tests.ecgscreen.html_reports import DIAGNOSES
from tests.ecgscreen.nights_compared import (
    AF,
    KEY,
    NEW,
    OLD,
    WORST_FIRST,
    before_keys_were_named,
    kinds,
    write,
)


@pytest.fixture
def table(tmp_path: Path) -> Callable[[dict[str, str]], Path]:
    def make(patients: dict[str, str]) -> Path:
        path = tmp_path / "patients.csv"
        rows = "".join(f"{name},{patient}\n" for name, patient in patients.items())
        path.write_text(f"path,patient_id\n{rows}", encoding="utf-8-sig")
        return path

    return make


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


@pytest.mark.parametrize("old_version", [False, True])
def test_ids_of_one_key_are_compared_as_names_are(tmp_path: Path, old_version: bool) -> None:
    old = write(tmp_path / "old", OLD, key=KEY) / "report.h5"
    new = write(tmp_path / "new", NEW, key=KEY)
    if old_version:
        before_keys_were_named(old)
    found = kinds(compare(CompareOptions(old, new)).records)
    assert found == {Pseudonyms(KEY).of(name): each for name, each in WORST_FIRST.items()}


def test_what_is_empty_goes_with_any_names(tmp_path: Path) -> None:
    empty = write(tmp_path / "empty", ())
    hidden = write(tmp_path / "hidden", OLD, key=KEY)
    comparison = compare(CompareOptions(empty, hidden))
    assert comparison.counts[Kind.APPEARED] == len(OLD)
    assert compare(CompareOptions(hidden, empty)).counts[Kind.VANISHED] == len(OLD)
