"""What a report is cleaned of, how it is spelled, where it is split, in which language it is."""

from __future__ import annotations

import pytest

from trainer.reports import normalise
from trainer.reports.tokens import stem, tokenise


def texts(report: str) -> list[str]:
    return [sentence.text for sentence in normalise(report).sentences]


@pytest.mark.parametrize(
    "ending",
    [
        "4.46 unbestätigter Bericht",
        "UNBESTÄTIGTER BERICHT",
        "unbestaetigter bericht",
        "4.46   UNBESTÄTIGT",
        "unbestäti",
        "unbestätigter beri",
        "4.46",
        "Unconfirmed report.",
        "gez. Dr. Beispiel",
        "Dr. med. Beispiel",
        "Edit: LVH 80, Sokolow 4,1 (NORM 15)",
        "(LVH 80, ISC_)",
        "(LVH 80, NORM 15)",
    ],
)
def test_boilerplate_and_label_notes_go(ending: str) -> None:
    if ending == "(LVH 80, ISC_)":
        assert "lvh 80" not in normalise(f"Sinusrhythmus. {ending}").text
        return
    normalised = normalise(f"Sinusrhythmus Lagetyp normal {ending}")
    assert texts(f"Sinusrhythmus Lagetyp normal {ending}") == ["sinusrhythmus lagetyp normal"]
    assert normalised.removed


def test_only_what_was_there_is_said_to_be_removed() -> None:
    assert normalise("Sinusrhythmus.").removed == ()
    assert normalise("Sinus rhythm. Edit: AFIB 100").removed == ("edit note",)


def test_an_undetermined_age_is_no_boilerplate() -> None:
    report = "Inferiorer Infarkt   ALTER UNBEST.   4.46  unbestätigter Bericht"
    assert texts(report) == ["inferiorer infarkt alter unbest."]


def test_a_likelihood_beside_other_words_is_no_statement_code() -> None:
    assert texts("Sinus rhythm, rate 100") == ["sinus rhythm, rate 100"]
    assert texts("RR 150/80") == ["rr 150/80"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Ueberdrehter Linkstyp", "überdrehter linkstyp"),
        ("Ãœberdrehter Linkstyp", "überdrehter linkstyp"),
        ("#berdrehter Linkstyp", "überdrehter linkstyp"),
        ("U\u0308berdrehter Linkstyp", "überdrehter linkstyp"),
        ("Amplitudenkriterien f#r Linkshypertrophie", "amplitudenkriterien für linkshypertrophie"),
        ("Amplitudenkriterien fuer Linkshypertrophie", "amplitudenkriterien für linkshypertrophie"),
        ("unregelmaessiger Rhythmus", "unregelmäßiger rhythmus"),
        ("vanster skankelblock", "vänster skänkelblock"),
        ("Sinusrhytmus", "sinusrhythmus"),
        ("ventrikuläre Extrasystole(n)", "ventrikuläre extrasystole"),
        ("premature ventricular contraction(s)", "premature ventricular contraction"),
        ("QRS(T) abnorm", "qrs-t abnorm"),
        ("  sinus \t rhythm \n", "sinus rhythm"),
    ],
)
def test_one_spelling(written: str, read: str) -> None:
    assert texts(written) == [read]


@pytest.mark.parametrize("word", ["dauer", "atypical", "steuer", "aneurysma", "inferior", "poet"])
def test_other_words_are_left_alone(word: str) -> None:
    assert texts(f"sinus rhythm {word}") == [f"sinus rhythm {word}"]


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (
            "Sinus rhythm. ST depressed in I. T flat!",
            ["sinus rhythm", "st depressed in i", "t flat"],
        ),
        ("AV-Block 1. Grades. Linkstyp", ["av-block 1. grades", "linkstyp"]),
        ("PR 0.22 sec. Prolonged QT.This is new", ["pr 0.22 sec", "prolonged qt", "this is new"]),
        ("V. a. Infarkt, z.T. neg. in V2", ["v.a. infarkt, z.t. neg. in v2"]),
        ("Intraventr. Leitungsstörung", ["intraventr. leitungsstörung"]),
        ("...", []),
        ("", []),
    ],
)
def test_sentences(report: str, expected: list[str]) -> None:
    assert texts(report) == expected


def test_places_of_the_sentences() -> None:
    normalised = normalise("Sinus rhythm. Left axis deviation; normal ECG!")
    for sentence in normalised.sentences:
        end = sentence.start + len(sentence.text)
        assert normalised.text[sentence.start : end] == sentence.text


def test_each_sentence_has_its_language() -> None:
    normalised = normalise(
        "Sinusrhythmus, überdrehter Linkstyp. Trace shows left axis deviation. "
        "Sinusrytm, vänster el-axel. Unspezifisches abnormes T. V2-6. Qwertz asdf."
    )
    languages = [sentence.language for sentence in normalised.sentences]
    assert languages == ["de", "en", "sv", "de", "de", "unknown"]
    assert normalised.language == "de"
    assert normalise("").language == "unknown"


def test_tokens_and_their_places() -> None:
    text = "t neg. in v2-6, v4,5,6 / avl: a-v block i (0.22 sec)"
    tokens = tokenise(text, offset=10)
    assert [(token.text, token.kind) for token in tokens] == [
        *(("t", "word"), ("neg", "word"), ("in", "word"), ("v2-6", "leads"), (",", "break")),
        *(("v4,5,6", "leads"), ("avl", "leads"), (":", "break"), ("a", "word"), ("v", "word")),
        *(("block", "word"), ("i", "number"), ("(", "break"), ("0.22", "number")),
        *(("sec", "word"), (")", "break")),
    ]
    assert all(text[t.start - 10 : t.end - 10] == t.text for t in tokens)


@pytest.mark.parametrize(
    "words",
    [
        ("inferiorer", "inferioren", "inferior", "inferiore"),
        ("infarct", "infarcts"),
        ("normales", "normalt", "normal"),
        ("kein", "keine", "keinen"),
    ],
)
def test_inflections_meet(words: tuple[str, ...]) -> None:
    assert len({stem(word) for word in words}) == 1


def test_short_words_have_no_endings() -> None:
    assert [stem(word) for word in ("t", "st", "av", "qrs", "left", "wave")] == [
        *("t", "st", "av", "qrs", "left", "wave")
    ]
