"""The table says what PTB-XL and the CinC Challenge say, and no wording means two things."""

from __future__ import annotations

import ast
import csv
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from ecgscreen.vocabulary import Concept, Vocabulary, fold, load_vocabulary
from ecgscreen.vocabulary.concept import KINDS, TASKS
from ecgscreen.vocabulary.table import read_concepts

SCORED_IN_CINC2021 = re.findall(
    r"\d+",
    """
    164889003 164890007 6374002 426627000 733534002 713427006 270492004 713426002
    39732003 445118002 164909002 251146004 698252002 426783006 284470004 10370003
    365413008 427172004 164947007 111975006 164917005 47665007 59118001 427393009
    426177001 427084000 63593006 164934002 59931005 17338001
    """,
)


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return load_vocabulary()


def database_rows(data_dir: Path) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    for folder in ("ptb-xl", "ptb-xl-zscored"):
        with (data_dir / folder / "ptbxl_database.csv").open(encoding="utf-8", newline="") as file:
            rows.extend(csv.DictReader(file))
    return rows


def test_no_wording_belongs_to_two_concepts(vocabulary: Vocabulary) -> None:
    owner: dict[str, str] = {}
    for concept in vocabulary.concepts:
        for key in concept.keys:
            assert owner.setdefault(fold(key), concept.id) == concept.id, key


def test_a_wording_of_two_concepts_is_refused() -> None:
    twice = Vocabulary([Concept("A", "flutter"), Concept("B", "other", synonyms=("Flutter!",))])
    with pytest.raises(ValueError, match="'Flutter!' means both 'A' and 'B'"):
        twice.find("anything")


def test_two_concepts_of_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="same id"):
        Vocabulary([Concept("A", "flutter"), Concept("A", "other")])


def test_every_key_finds_its_concept(vocabulary: Vocabulary) -> None:
    for concept in vocabulary.concepts:
        for key in concept.keys:
            assert vocabulary.find(key) is concept
            assert vocabulary.find(f"  {key.upper()}. ") is concept


def test_every_concept_is_complete_and_fits_the_others(vocabulary: Vocabulary) -> None:
    for concept in vocabulary.concepts:
        assert concept.kind in KINDS, concept.id
        assert set(concept.tasks) <= set(TASKS), concept.id
        assert (concept.scp == concept.id) == (concept.kind == "statement"), concept.id
        assert bool(concept.tasks) == (concept.kind in {"statement", "superclass", "subclass"})
        assert bool(concept.members) == (concept.kind in {"superclass", "subclass", "group"})
        for text in concept.keys:
            assert fold(text), (concept.id, text)
            assert not set(text) & set("|#\n"), (concept.id, text)
        for other in (*concept.members, *concept.broader, concept.superclass, concept.subclass):
            assert other is None or other in vocabulary.by_id, (concept.id, other)
        if concept.kind == "statement":
            assert not concept.broader, concept.id


def test_wordings_are_enough_and_different(vocabulary: Vocabulary) -> None:
    for concept in vocabulary.concepts:
        folded = [fold(wording) for wording in concept.wordings]
        assert len(folded) == len(set(folded)), concept.id
        if concept.tasks:
            assert 4 <= len(folded) <= 12, concept.id


@pytest.mark.parametrize(
    ("task", "count"),
    [("superclass", 5), ("subclass", 23), ("diagnostic", 44), ("form", 19), ("rhythm", 12)],
)
def test_tasks_have_the_sizes_of_the_benchmark(
    vocabulary: Vocabulary, task: str, count: int
) -> None:
    assert len(vocabulary.task(task)) == count


def test_an_unknown_task_is_refused(vocabulary: Vocabulary) -> None:
    with pytest.raises(ValueError, match="'beat' is not one of superclass, subclass"):
        vocabulary.task("beat")


def test_the_statements_are_those_of_ptb_xl(vocabulary: Vocabulary, data_dir: Path) -> None:
    with (data_dir / "ptb-xl" / "scp_statements.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row[""] for row in rows} == {c.scp for c in vocabulary.concepts if c.scp}
    for row in rows:
        concept = vocabulary.by_id[row[""]]
        flags = {task for task in ("diagnostic", "form", "rhythm") if row[task]}
        assert set(concept.tasks) & {"diagnostic", "form", "rhythm"} == flags
        assert (concept.superclass or "") == row["diagnostic_class"]
        assert (concept.subclass or "").removeprefix("sub:") == row["diagnostic_subclass"]
        assert row["AHA code"] in {"", str(concept.aha)}
        assert (concept.refid or "") == row["aECG REFID"]
        assert vocabulary.find(row["description"]) is concept
        for group in vocabulary.concepts:
            if group.kind in {"superclass", "subclass"}:
                above = {concept.superclass, concept.subclass}
                assert (concept.id in group.members) == (group.id in above), (concept.id, group.id)


def test_every_code_of_the_recordings_resolves(vocabulary: Vocabulary, data_dir: Path) -> None:
    for row in database_rows(data_dir):
        codes = ast.literal_eval(row["scp_codes"])
        assert vocabulary.concepts_of(codes) >= set(codes)
        assert all(vocabulary.find(code) is vocabulary.by_id[code] for code in codes)


def test_german_terms_are_those_of_real_reports(vocabulary: Vocabulary, data_dir: Path) -> None:
    reports = "|".join(fold(row["report"]) for row in database_rows(data_dir))
    terms = {fold(term) for concept in vocabulary.concepts for term in concept.german}
    assert sum(term in reports for term in terms) >= 90


def test_every_snomed_code_of_the_challenge_samples_resolves(
    vocabulary: Vocabulary, data_dir: Path
) -> None:
    seen: Counter[str] = Counter()
    for header in sorted((data_dir / "cinc2021").glob("*.hea")):
        match = re.search(r"^#\s*Dx:\s*([\d,]+)", header.read_text("utf-8"), re.MULTILINE)
        assert match is not None, header.name
        seen.update(match[1].split(","))
    assert len(seen) >= 30
    assert [code for code in seen if vocabulary.find(code) is None] == []


def test_every_scored_diagnosis_of_the_challenge_is_there(vocabulary: Vocabulary) -> None:
    assert len(set(SCORED_IN_CINC2021)) == 30
    for code in SCORED_IN_CINC2021:
        concept = vocabulary.find(code)
        assert concept is not None, code
        assert code in concept.snomed


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("733534002", "164909002"),
        ("713427006", "59118001"),
        ("284470004", "63593006"),
        ("427172004", "17338001"),
    ],
)
def test_codes_that_the_challenge_scored_as_one_are_one(
    vocabulary: Vocabulary, one: str, other: str
) -> None:
    assert vocabulary.find(one) is vocabulary.find(other)


@pytest.mark.parametrize(
    ("text", "concept_id"),
    [
        ("Vorhofflimmern", "AFIB"),
        ("AFIB", "AFIB"),
        ("AF", "AFIB"),
        ("auricular fibrillation", "AFIB"),
        ("atrial  Fibrillation.", "AFIB"),
        ("164889003", "AFIB"),
        ("SNOMED 164889003", "AFIB"),
        ("SNOMED CT: 164889003", "AFIB"),
        ("AHA 50", "AFIB"),
        ("MDC_ECG_RHY_ATR_FIB", "AFIB"),
        ("NORM", "NORM"),
        ("normal ECG", "NORM"),
        ("AMI", "AMI"),
        ("MI", "MI"),
        ("STTC", "STTC"),
        ("LVH", "LVH"),
        ("LAO/LAE", "LAO/LAE"),
        ("PRC(S)", "PRC(S)"),
        ("NST_", "NST_"),
        ("sub:AMI", "sub:AMI"),
        ("LBBB", "CLBBB"),
        ("left bundle branch block", "CLBBB"),
        ("Linksschenkelblock", "CLBBB"),
        ("RBBB", "CRBBB"),
        ("incomplete RBBB", "IRBBB"),
        ("anterior ischemia", "ISCAN"),
        ("Anteriore Ischaemie", "ISCAN"),
        ("überdrehter Linkstyp", "snomed:39732003"),
        ("ueberdrehter linkstyp", "snomed:39732003"),
        ("u\u0308berdrehter Linkstyp", "snomed:39732003"),
        ("T-wave inversion", "INVT"),
        ("hyperkalemia", "clinical:hyperkalaemia"),
        ("torsades de pointes", "clinical:torsade-de-pointes"),
        ("VT", "clinical:ventricular-tachycardia"),
        ("STEMI", "clinical:stemi"),
    ],
)
def test_find(vocabulary: Vocabulary, text: str, concept_id: str) -> None:
    concept = vocabulary.find(text)
    assert concept is not None
    assert concept.id == concept_id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "?",
        "banana bread",
        "no atrial fibrillation",
        "atrial fibrilation",
        "SA",  # sinus arrhythmia or sinoatrial
        "LAD",  # left axis deviation or left anterior descending
        "LAH",  # left anterior hemiblock or left atrial hypertrophy
        "ST",
        "50",
        "AHA",
        "SNOMED",
        "84114007",  # heart failure
    ],
)
def test_what_is_not_listed_is_not_guessed(vocabulary: Vocabulary, text: str) -> None:
    assert vocabulary.find(text) is None


def test_nearest_suggests_what_was_misspelt(vocabulary: Vocabulary) -> None:
    assert vocabulary.nearest("atrial fibrilation")[0].id == "AFIB"
    assert vocabulary.nearest("Vorhofflimern", n=1) == (vocabulary.by_id["AFIB"],)
    assert len({concept.id for concept in vocabulary.nearest("banana bread")}) == 3
    assert len(vocabulary.nearest("x", n=1000)) == len(vocabulary.concepts)


def test_a_recording_carries_its_statements_and_their_groups(vocabulary: Vocabulary) -> None:
    assert vocabulary.concepts_of([]) == frozenset()
    assert vocabulary.concepts_of(["SR"]) == {"SR"}
    assert vocabulary.concepts_of(["NORM"]) == {"NORM"}
    assert vocabulary.concepts_of({"ASMI": 50.0, "LAFB": 0.0}) == {
        *("ASMI", "sub:AMI", "MI"),
        *("LAFB", "sub:LAFB/LPFB", "CD"),
    }
    # A reader who saw paroxysmal SVT did not state SVT: statements imply no statements.
    assert vocabulary.concepts_of(["PSVT"]) == {"PSVT"}


@pytest.mark.parametrize("code", ["afib", "MI", "sub:AMI", "snomed:39732003", ""])
def test_what_is_no_statement_is_refused(vocabulary: Vocabulary, code: str) -> None:
    with pytest.raises(ValueError, match="not an SCP-ECG statement"):
        vocabulary.concepts_of(["SR", code])


def test_snomed_codes_bring_broader_concepts_and_groups(vocabulary: Vocabulary) -> None:
    assert vocabulary.from_snomed(["426783006", " 39732003"]) == {"SR", "snomed:39732003"}
    assert vocabulary.from_snomed(["164867002"]) == {"snomed:164867002", "MI"}
    assert vocabulary.from_snomed(["282825002"]) == {"snomed:282825002", "AFIB", "any:AFIB/AFLT"}
    assert vocabulary.from_snomed(["251173003"]) == {
        *("snomed:251173003", "snomed:251168009", "BIGU", "PAC"),
    }
    assert vocabulary.from_snomed(["84114007", "nonsense"]) == frozenset()


def test_fold_ignores_what_does_not_distinguish() -> None:
    assert fold("Maß") == fold("mass")
    assert fold("ÄÖÜ") == fold("aeoeue")
    assert fold("Wenckebäch\u00a0-  Block\t(I°)") == "wenckebaechblocki"
    assert fold("ischaemia") == fold("ISCHEMIA") == "ischemia"
    assert fold("sa\u030asom") == "sasom"
    assert fold("LAE") == "lae"
    assert fold("PVC") != fold("PVCs")
    assert fold(" -_/()") == ""


def test_loading_is_fast_and_light() -> None:
    best = 1.0
    for _ in range(5):
        start = time.perf_counter()
        read_concepts()
        best = min(best, time.perf_counter() - start)
    # Takes about 10 ms; the margin is for a busy machine.
    assert best < 0.06
    code = """
import sys
from ecgscreen.vocabulary import load_vocabulary
load_vocabulary()
assert not {"numpy", "torch", "transformers", "pandas", "scipy", "wfdb"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
