"""Which concepts a report names, and whether it affirms them."""

from __future__ import annotations

import pytest

from ecgscreen.vocabulary import load_vocabulary
from trainer.reports import findings, normalise
from trainer.reports.lexicon import FILES
from trainer.reports.tables import read_table


def judged(report: str) -> dict[str, str]:
    return {finding.concept_id: finding.certainty for finding in findings(report)}


CERTAIN, UNCERTAIN, NEGATED = "certain", "uncertain", "negated"


@pytest.mark.parametrize(
    ("report", "concepts"),
    [
        # compounds, split and joined, inflected
        ("Linksschenkelblock", {"CLBBB"}),
        ("kompletter Links-Schenkelblock", {"CLBBB"}),
        ("unvollständigem Rechtsschenkelblock", {"IRBBB"}),
        ("linksanteriorer Hemiblock", {"LAFB"}),
        ("Sinusrhythmus, AV-Block I. Grades", {"SR", "1AVB"}),
        ("A-V Block I", {"1AVB"}),
        ("ST-Senkung in V5", {"STD_"}),
        ("ST-Streckenhebungen in II", {"STE_"}),
        ("ventrikuläre Extrasystole(n)", {"PVC"}),
        ("mäßige Amplitudenkriterien für Linkshypertrophie", {"VCLVH"}),
        ("periphere Niederspannung", {"LVOLT"}),
        ("sinusbradykardi, vänstersidigt skänkelblock", {"SBRAD", "CLBBB"}),
        ("förmaksflimmer med hög kammarfrekvens", {"snomed:314208002"}),
        ("atrial fibrillation with rapid ventricular response", {"snomed:314208002"}),
        ("Vorhofflimmern/-flattern", {"AFIB", "any:AFIB/AFLT"}),
        # a region and a noun, in any combination
        ("inferiorer Myokardschaden", {"IMI"}),
        ("old inferior and lateral myocardial infarction", {"IMI", "LMI"}),
        (
            "Q waves in II consistent with old anterior and inferior infarcts",
            {"QWAVE", "AMI", "IMI"},
        ),
        ("Infarkt, posterior, chronisch", {"PMI"}),
        ("lateral ischaemia or subendocardial infarction", {"ISCLA", "INJLA"}),
        ("anterolateral ischemi eller vänster belastning", {"ISCAL"}),
        ("myocardial infarction", {"MI"}),
        ("Ischämie", {"ISC_"}),
        # a wave and what is said of it
        ("T waves are low in I and inverted in aVL", {"LOWT", "INVT"}),
        ("T flach in V3-6, neg in V1", {"LOWT", "INVT"}),
        ("flaches T in V1, neg P in V1", {"LOWT"}),
        ("ST segments are elevated and T waves inverted in V2", {"STE_", "INVT"}),
        ("T neg in V2-5", {"INVT"}),
        ("PR interval is prolonged", {"LPR"}),
        # a pacemaker that is none
        ("wandernder Schrittmacher", {"snomed:195101003"}),
        # codes and short words of other languages are no wordings
        ("svårbestämmbar el-axel", {"snomed:251200008"}),
        ("compared with tracing of earlier today", set()),
        ("", set()),
    ],
)
def test_concepts(report: str, concepts: set[str]) -> None:
    assert judged(report) == dict.fromkeys(concepts, CERTAIN)


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        # English
        ("No evidence of ischaemia or infarction", {"ISC_": NEGATED, "MI": NEGATED}),
        ("without st depression", {"STD_": NEGATED}),
        ("no atrial fibrillation but sinus arrhythmia", {"AFIB": NEGATED, "SARRH": CERTAIN}),
        ("acute pericarditis would be unlikely", {"clinical:pericarditis": NEGATED}),
        ("old inferior infarct cannot be entirely excluded", {"IMI": UNCERTAIN}),
        ("inferior infarct can not be ruled out", {"IMI": UNCERTAIN}),
        ("this may be due to lateral ischaemia", {"ISCLA": UNCERTAIN}),
        ("probable left atrial enlargement", {"LAO/LAE": UNCERTAIN}),
        ("consider anterior infarct", {"AMI": UNCERTAIN}),
        ("left bundle branch block is a possibility", {"CLBBB": UNCERTAIN}),
        ("this does not exclude inferior infarction", {"IMI": UNCERTAIN}),
        ("not suggestive of ischaemia", {"ISC_": NEGATED}),
        ("no significant change, left bundle branch block", {"CLBBB": CERTAIN}),
        ("anteroseptal infarct of uncertain age", {"ASMI": CERTAIN}),
        ("rhythm was previously atrial fibrillation", {"AFIB": NEGATED}),
        ("left bundle branch block, no atrial fibrillation", {"CLBBB": CERTAIN, "AFIB": NEGATED}),
        ("septal hypertrophy rather than inferior infarction", {"SEHYP": CERTAIN, "IMI": NEGATED}),
        (
            "consider early repolarization, pericarditis, or lateral ischaemia",
            {
                "snomed:428417006": UNCERTAIN,
                "clinical:pericarditis": UNCERTAIN,
                "ISCLA": UNCERTAIN,
            },
        ),
        # German
        ("Kein Infarkt, keine Ischämie", {"MI": NEGATED, "ISC_": NEGATED}),
        ("ohne ST-Hebung, T-Negativierung in V1", {"STE_": NEGATED, "INVT": CERTAIN}),
        ("kein Hinweis auf Ischämie oder Linkshypertrophie", {"ISC_": NEGATED, "LVH": NEGATED}),
        ("kein sicherer Hinweis auf einen alten Vorderwandinfarkt", {"AMI": NEGATED}),
        ("V. a. inferioren Infarkt", {"IMI": UNCERTAIN}),
        ("Verdacht auf P-sinistrocardiale", {"LAO/LAE": UNCERTAIN}),
        ("fraglich Linkshypertrophie", {"LVH": UNCERTAIN}),
        ("ST-Senkung in V5, fraglich Linkshypertrophie", {"STD_": CERTAIN, "LVH": UNCERTAIN}),
        (
            "inferiorer Infarkt möglich septaler Infarkt nicht auszuschliessen T abnorm",
            {"IMI": UNCERTAIN, "ASMI": UNCERTAIN, "TAB_": CERTAIN},
        ),
        ("inferiorer Infarkt wahrscheinlich alt", {"IMI": CERTAIN}),
        ("wahrscheinlich anterolaterale Ischämie", {"ISCAL": UNCERTAIN}),
        ("Kammerhypertrophie wahrscheinlich", {"any:VH": UNCERTAIN}),
        # Swedish
        ("inga tecken på ischemi", {"ISC_": NEGATED}),
        ("ej förmaksflimmer", {"AFIB": NEGATED}),
        ("troligen inferior infarkt", {"IMI": UNCERTAIN}),
        ("anterior infarkt bör övervägas", {"AMI": UNCERTAIN}),
        ("lateral myokardskada kan ej uteslutas", {"LMI": UNCERTAIN}),
        ("inferior infarkt, ålder ej bestämmbar", {"IMI": CERTAIN}),
        # the words themselves leave it open
        ("Normal ECG", {"NORM": CERTAIN}),
        ("otherwise normal ECG", {"NORM": UNCERTAIN}),
        ("sonst normales EKG", {"NORM": UNCERTAIN}),
    ],
)
def test_certainty(report: str, expected: dict[str, str]) -> None:
    assert judged(report) == expected


def test_a_sentence_ends_every_scope() -> None:
    assert judged("No. Atrial fibrillation. Possible. Sinus arrhythmia") == {
        "AFIB": CERTAIN,
        "SARRH": CERTAIN,
    }


def test_a_concept_may_be_denied_and_affirmed() -> None:
    found = findings("No ischaemia in V1. Ischaemia in V5.")
    assert [(f.concept_id, f.certainty) for f in found] == [("ISC_", NEGATED), ("ISC_", CERTAIN)]


def test_spans_point_into_the_normalised_text() -> None:
    report = "Sinusrhythmus   LAGETYP NORMAL.  Ueberdrehter Linkstyp, Rechtsschenkelblock"
    text = normalise(report).text
    spans = {f.concept_id: text[slice(*f.span)] for f in findings(report)}
    assert spans["SR"] == "sinusrhythmus"
    assert spans["CRBBB"] == "rechtsschenkelblock"
    assert spans["LAFB"] == "überdrehter linkstyp"


def test_every_wording_of_the_vocabulary_is_found() -> None:
    """Without its commas, which no term crosses; unless a report means something else by it."""
    said_otherwise = {
        text
        for file in FILES
        for row in read_table(file).values()
        for texts in row.values()
        for text in texts
    }
    missed = [
        (concept.id, wording)
        for concept in load_vocabulary().concepts
        for wording in (*concept.wordings, *concept.abbreviations, *concept.german)
        if wording.lower() not in said_otherwise and not findings(wording.replace(",", ""))
    ]
    assert missed == []


def test_the_tables_name_concepts_of_the_vocabulary() -> None:
    table = read_table("compositions.toml")
    named = {id_ for head in table["head"] for key, id_ in head.items() if key != "nouns"}
    named |= {id_ for wave in table["wave"] for id_ in wave if id_ != "names"}
    named |= {concept_id for file in FILES for concept_id in read_table(file)}
    assert named <= set(load_vocabulary().by_id)
    regions = {key for head in table["head"] for key in head} - {"nouns", "alone"}
    assert regions == set(table["regions"])
