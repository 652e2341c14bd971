"""The glossary, and reports in English."""

from __future__ import annotations

import pytest

from trainer.reports import coverage, normalise, to_english
from trainer.reports.glossary import FILES, ROLES, load_glossary
from trainer.reports.leads import spell_leads
from trainer.reports.phrases import PhraseIndex
from trainer.reports.tokens import tokenise


@pytest.mark.parametrize("language", sorted(FILES))
def test_the_tables_are_whole(language: str) -> None:
    glossary = load_glossary(language)
    assert len(glossary.terms) > 100
    for source, term in glossary.terms.items():
        assert term.role in ROLES
        assert source == source.lower().strip()
        assert term.english is None or term.english == term.english.strip() != ""
        found = glossary.index.find(tokenise(source))
        assert [match.first for match in found] == [0], source
        assert found[0].value.english == term.english, source


def test_there_is_no_glossary_of_another_language() -> None:
    with pytest.raises(KeyError):
        load_glossary("fr")


@pytest.mark.parametrize(
    ("report", "english"),
    [
        (
            "SINUSTACHYKARDIE LINKSTYP QRS(T) ABNORM INFERIORER INFARKT WAHRSCHEINLICH ALT",
            "Sinus tachycardia, left axis, abnormal QRS-T, inferior infarction probably old.",
        ),
        (
            "Verdacht auf P-sinistrocardiale. AV-Block I. Grades, ST-Senkung in V4-6",
            "Suspected left atrial P wave. First degree AV block, ST depression in V4-V6.",
        ),
        (
            "Links Schenkelblock, Hebung in II, III, aVF",
            "Left bundle branch block, elevation in II, III, aVF.",
        ),
        (
            "sinusrytm vänster el-axel, anterior infarkt kan ej uteslutas",
            "Sinus rhythm, left axis deviation, anterior infarction cannot be excluded.",
        ),
        (
            "st segments are depressed in i, avl. lvh is likely",
            "ST segments are depressed in I, aVL. Left ventricular hypertrophy is likely.",
        ),
        ("t wave changes of ischaemia persist", "T wave changes of ischaemia persist."),
        ("Sinusrhythmus Frobnikation", "Sinus rhythm frobnikation."),
        ("sinus rhythm (rate 80)", "Sinus rhythm (rate 80)."),
        ("", ""),
    ],
)
def test_to_english(report: str, english: str) -> None:
    assert to_english(report) == english


def test_no_german_is_left_of_known_words() -> None:
    english = to_english(
        "Unspezifische intraventrikuläre Leitungsstörung, mäßige ST-Hebung"
    ).lower()
    assert english == "non-specific intraventricular conduction disturbance, moderate st elevation."


def test_coverage_counts_words_leads_and_numbers() -> None:
    known, unknown = normalise("T negativ in V2-5. Frobnikation des Linkstyps in V1").sentences
    counted = coverage(known)
    assert (counted.tokens, counted.covered_tokens) == (4, 4)
    assert (counted.sentences, counted.covered_sentences) == (1, 1)
    total = counted + coverage(unknown)
    assert (total.tokens, total.covered_tokens) == (9, 7)
    assert (total.sentences, total.covered_sentences) == (2, 1)


@pytest.mark.parametrize(
    ("written", "spelled"),
    [("v1", "V1"), ("v1-3", "V1-V3"), ("v4 - v6", "V4-V6"), ("v2,3,5-6", "V2, V3, V5-V6")],
)
def test_leads(written: str, spelled: str) -> None:
    assert [token.kind for token in tokenise(written)] == ["leads"]
    assert spell_leads(written) == spelled


def test_the_longest_term_counts_and_none_crosses_a_break() -> None:
    index = PhraseIndex([("left", 1), ("left bundle branch block", 2), ("block", 3)])
    found = index.find(tokenise("left bundle branch blocks"))
    assert [match.value for match in found] == [2]
    found = index.find(tokenise("left, bundle branch block"))
    assert [match.value for match in found] == [1, 3]


def test_a_later_entry_replaces_an_equal_one() -> None:
    index = PhraseIndex([("linksschenkelblock", 1), ("links schenkelblock", 2)])
    assert [match.value for match in index.find(tokenise("linksschenkelblock"))] == [2]


def test_a_term_without_a_word_is_refused() -> None:
    with pytest.raises(ValueError, match="has no word"):
        PhraseIndex([(" - ", 1)])
