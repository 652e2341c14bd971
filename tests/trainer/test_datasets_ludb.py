"""LUDB: what each phrase of the table is taken for."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from ecgscreen.errors import UsageError
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.simulate import write_dataset
from ecgscreen.vocabulary import load_vocabulary
from trainer.datasets.case import Case
from trainer.datasets.ludb import PHRASES, concepts_of_row, ludb_set

COLUMNS = ("ID", "Sex", "Age", *PHRASES)


def row(**cells: str) -> dict[str, str]:
    """A row of the table; underscores in a column's name stand for spaces."""
    return dict.fromkeys(COLUMNS, "") | {key.replace("_", " "): cells[key] for key in cells}


@pytest.mark.parametrize(
    ("cells", "carried"),
    [
        ({"Rhythms": "Sinus rhythm"}, {"SR", "NORM"}),
        ({"Rhythms": "Sinus bradycardia"}, {"SBRAD"}),
        ({"Rhythms": "Atrial flutter, typical\nAberrant conduction"}, {"AFLT"}),
        ({"Rhythms": "Atrial fibrillation "}, {"AFIB"}),
        (
            {
                "Rhythms": "Sinus rhythm",
                "Electric_axis_of_the_heart": "Electric axis of the heart: horizontal",
            },
            {"SR", "NORM"},
        ),
        (
            {
                "Rhythms": "Sinus rhythm",
                "Electric_axis_of_the_heart": "Electric axis of the heart: left axis deviation",
            },
            {"SR", "snomed:39732003"},
        ),
        ({"Conduction_abnormalities": "I degree av block"}, {"1AVB"}),
        ({"Conduction_abnormalities": "Iii degree av-block"}, {"3AVB"}),
        ({"Conduction_abnormalities": "Incomplete right bundle branch block"}, {"IRBBB"}),
        ({"Conduction_abnormalities": "Complete right bundle branch block"}, {"CRBBB"}),
        ({"Conduction_abnormalities": "Non-specific intravintricular conduction delay"}, {"IVCD"}),
        ({"Extrasystolies": "Ventricular extrasystole, type: couplet"}, {"snomed:251182009"}),
        ({"Extrasystolies": "Ventricular extrasystole, morphology: polymorphic"}, {"PVC"}),
        ({"Extrasystolies": "Atrial extrasystole, type: single pac"}, {"PAC"}),
        (
            {"Hypertrophies": "Left ventricular hypertrophy\nLeft atrial overload\n"},
            {"LVH", "LAO/LAE"},
        ),
        ({"Hypertrophies": "Left ventricular overload"}, {"snomed:370365005"}),
        ({"Cardiac_pacing": "Pacemaker presence, undefined"}, {"PACE"}),
        ({"Cardiac_pacing": "Unipolar ventricular pacing"}, {"snomed:251266004"}),
        ({"Ischemia": "Stemi: anterior wall"}, {"clinical:anterior-stemi", "sub:AMI", "MI"}),
        ({"Ischemia": "Scar formation: posterior wall"}, {"snomed:164867002", "PMI", "MI"}),
        ({"Ischemia": "Ischemia: inferior wall"}, {"ISCIN"}),
        ({"Ischemia": "Undefined ischemia/scar/supp.nstemi: apical"}, {"ISC_"}),
        (
            {
                "Non-specific_repolarization_abnormalities": (
                    "Non-specific repolarization abnormalities: septal"
                )
            },
            {"any:NSSTT", "STTC"},
        ),
        ({"Other_states": "Early repolarization syndrome"}, {"snomed:428417006"}),
    ],
)
def test_phrases(cells: dict[str, str], carried: set[str]) -> None:
    concepts, unknown = concepts_of_row(row(**cells))
    assert concepts == carried
    assert unknown == ()


def test_a_phrase_that_is_not_known_is_told_and_keeps_normal_away() -> None:
    row_of_table = row(Rhythms="Sinus rhythm", Other_states="Something new.")
    concepts, unknown = concepts_of_row(row_of_table)
    assert concepts == {"SR"}
    assert unknown == ("something new",)


def test_every_concept_of_the_table_is_in_the_vocabulary() -> None:
    named = {key for phrases in PHRASES.values() for ids in phrases.values() for key in ids}
    assert named <= set(load_vocabulary().by_id)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """LUDB's layout: two recordings, three rows, one with an unknown phrase."""
    write_dataset(tmp_path / "data", 2, seed=1)
    for number, header in enumerate(sorted((tmp_path / "data").glob("*.hea")), start=1):
        signal = header.with_suffix(".dat")
        text = header.read_text(encoding="ascii").replace(header.stem, str(number))
        (tmp_path / "data" / f"{number}.hea").write_text(text, encoding="ascii")
        signal.rename(tmp_path / "data" / f"{number}.dat")
        header.unlink()
    rows = [
        row(ID="1", Age="51\n", Rhythms="Sinus rhythm\n"),
        row(ID="2", Rhythms="Atrial fibrillation", Other_states="Unheard of"),
        row(ID="3", Rhythms="Sinus rhythm"),
    ]
    with (tmp_path / "ludb.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return tmp_path


def test_recordings_that_are_there_become_cases(folder: Path) -> None:
    labelled = ludb_set([folder], load_vocabulary())
    cases = [case for case in labelled.cases(PreprocessConfig()) if isinstance(case, Case)]
    assert [case.path.name for case in cases] == ["1.hea", "2.hea"]
    assert [case.windows.shape for case in cases] == [(1, 12, 1000)] * 2
    assert [case.carried for case in cases] == [{"SR", "NORM"}, {"AFIB", "any:AFIB/AFLT"}]
    assert len({case.patient for case in cases}) == 2
    (note,) = labelled.notes
    assert "1 phrases" in note
    assert "unheard" not in note.casefold()


def test_a_folder_that_is_not_ludb_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"ludb\.csv"):
        ludb_set([folder / "data"], load_vocabulary())
    (folder / "ludb.csv").write_text("ID,Rhythms\n1,x\n", encoding="utf-8")
    with pytest.raises(UsageError, match="Hypertrophies"):
        ludb_set([folder], load_vocabulary())


def test_the_real_table(data_dir: Path) -> None:
    if not (data_dir / "ludb").is_dir():
        pytest.skip("LUDB is not there")
    labelled = ludb_set([data_dir / "ludb"], load_vocabulary())
    assert labelled.notes == ()
    with (data_dir / "ludb" / "ludb.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = [concepts_of_row(cells)[0] for cells in rows]
    for column, word, concept in (
        ("Rhythms", "fibrillation", "AFIB"),
        ("Hypertrophies", "Left ventricular hypertrophy", "LVH"),
        ("Conduction abnormalities", "Incomplete right", "IRBBB"),
        ("Cardiac pacing", "a", "PACE"),
    ):
        says = [word in cells[column] for cells in rows]
        assert sum(says) > 3
        assert [concept in concepts for concepts in found] == says
