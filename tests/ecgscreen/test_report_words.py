"""The words of ``report.html``: English and German alike, and all that the program notes."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest

from ecgscreen.compare.words import compare_words
from ecgscreen.recording import SkipReason
from ecgscreen.reports.html.words import LANGUAGES, load_words
from ecgscreen.results import Status, not_scored
from tests.ecgscreen.html_reports import Page, scored, write_page

PACKAGE = Path(str(resources.files("ecgscreen")))

GERMAN = load_words("de")

MAKERS = {"SkippedRecording", "RecordingError", "not_scored"}
"""What is called to say why a recording has no score."""

NOTING = ("limb_leads", "arm_reversal", "quality", "objects/errors", "list_thresholds")
"""Further modules that make texts of a row, or of a diagnosis."""

ON_THE_TERMINAL = ("growing", "score_again")
"""Modules that make rows, but no texts of theirs."""

NOT_READ = "members that are not read: 7 "
PARTS = {
    "with a password": f"{NOT_READ}with a password",
    "that are no plain files": f"{NOT_READ}that are no plain files",
    "whose name stands twice": f"{NOT_READ}whose name stands twice",
    "whose name is a folder's too": f"{NOT_READ}whose name is a folder's too",
    "whose name leads out of it or is none": f"{NOT_READ}whose name leads out of it or is none",
    "of more than {} bytes": f"{NOT_READ}of more than 7 bytes",
    "amplitude unknown": "unit bar is no voltage: amplitude unknown",
    "unit {} is no voltage: {}": "unit bar is no voltage: amplitude unknown",
    "and {} more": "signals left out, no known lead: Resp, Pleth and 3 more",
    "exit code {}": "exit code 7, 3 times",
    "signal {}": "signal 9, 3 times",
    "{}, {} times": "signal 9, 3 times",
}
"""Texts that are part of others -> one of those."""

OF_QUALITY = {
    "usable: {}": "usable: V3 flat",
    "unusable: {}": "unusable: V3 flat",
    "{} leads {}": "unusable: 12 leads muscle noise",
    "{} of {} windows": "usable: 8 of 9 windows",
    "{} leads missing": "usable: 8 of 9 windows, 10 leads missing",
    "{} leads not in all of them": "usable: 8 of 9 windows, 5 leads not in all of them",
    "; noted:": "good; noted: steps in 7",
    "{}; noted: {}": "good; noted: V1 steps",
}
"""The same of a phrase about quality, which is put into German word by word."""

NEVER_SHOWN = (
    *("i ii iii iv ", "lead leads ecg ", "mv uv nv ", "sb ub ss "),  # words that a file may hold
    *("HL7 aECG", "Mortara XML", "Philips Sierra XML"),  # the same in German
    *("import json, sys;", r"\s+ | <\?", "memory usage limit", "objects of a recording"),
    *("opened files", "{} in {}", "{} {} in {}", "(left out)"),
)
"""How texts begin that nobody reads, or that are the same in German."""

NOTES = (
    "derived from I and II: III, aVF",
    "limb leads contradict each other (Einthoven, Goldberger): II and III look exchanged or "
    "aVF looks 0.1 times as large as it is",
    "limb leads contradict each other (Einthoven, Goldberger): III, aVF not as I and II make it",
)


def test_what_is_noted_and_what_a_rate_cannot_show(tmp_path: Path) -> None:
    english, german = (load_words(language) for language in LANGUAGES)
    phrase = "usable: 5 of 8 windows, V3 muscle noise in 2; noted: pacing spikes in 8"
    assert english.quality_phrase(phrase) == phrase
    assert german.quality_phrase(phrase) == (
        "verwendbar: 5 von 8 Fenstern, V3 Muskelrauschen in 2; vermerkt: Schrittmacherimpulse in 8"
    )
    for language, expected in (
        ("en", "Cannot be judged at this rate:</span> mains hum, pacing spikes"),
        ("de", "nicht zu beurteilen:</span> Netzbrummen, Schrittmacherimpulse"),
    ):
        page = write_page(tmp_path / language, language=language)
        assert expected in page.read_text(encoding="utf-8")


def test_both_languages_say_the_same() -> None:
    english, german = (load_words(language) for language in LANGUAGES)
    for one, other in ((english.page, german.page), (english.script, german.script)):
        assert list(one) == list(other)
        for key, words in one.items():
            values = [sorted(re.findall(r"\{\w+\}", text)) for text in (words, other[key])]
            assert values[0] == values[1], key
            assert not re.search("[<>&]", words + other[key]), "they go into HTML as they are"


def test_german_calls_nothing_urgent_that_is_not_for_urgent_use() -> None:
    words = compare_words("de")
    urgent = {
        key for key, text in {**words.page, **words.script}.items() if "dringend" in text.lower()
    }
    assert urgent == {"warning_more", "notice_critical"}, "where it says what it is not for"
    orders = [words[key] for key in ("table_worst", "strips", "patients", "records")]
    orders += [words.script[key] for key in ("worst_first", "worst_flag")]
    assert all("auffälligste" in text.lower() for text in orders)


def test_every_word_is_used() -> None:
    folder = resources.files("ecgscreen.reports.html")
    sources = "".join(
        path.read_text(encoding="utf-8")
        for path in folder.iterdir()
        if path.name.endswith((".py", ".js"))
    )
    tables = tomllib.loads(folder.joinpath("en.toml").read_text(encoding="utf-8"))
    composed = ("severity_", "status_", "read_", "show_")
    unused = [
        key
        for key in {**tables["page"], **tables["script"]}
        if not re.search(rf"[\"']{key}[\"']|\.{key}\b", sources) and not key.startswith(composed)
    ]
    assert unused == []


def test_notes_are_put_into_german(tmp_path: Path) -> None:
    noted = replace(scored("a.hea", {2: 0.9}), notes=(*NOTES, "something of its own"))
    page = write_page(tmp_path, [noted], language="de")
    assert Page(page).content["rows"][0][7] == (
        "aus I und II abgeleitet: III, aVF; "
        "Extremitätenableitungen widersprechen sich (Einthoven, Goldberger): "
        "II und III wirken vertauscht oder aVF wirkt auf das 0.1-Fache vergrößert; "
        "Extremitätenableitungen widersprechen sich (Einthoven, Goldberger): "
        "III, aVF anders als aus I und II zu erwarten; something of its own"
    )


def template(node: ast.AST) -> str:
    """A text as it stands in the source, its values as braces; empty for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
        return "".join(map(str, parts))
    return ""


def called(node: ast.AST) -> str:
    """The name of what is called here."""
    if not isinstance(node, ast.Call):
        return ""
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def templates(node: ast.AST) -> Iterator[str]:
    """Texts that may come to a person: no docstrings, and no errors that end the program."""
    if text := template(node):
        yield text
        return
    if isinstance(node, ast.Expr) and template(node.value):
        return
    if called(node).endswith("Error") and called(node) not in MAKERS:
        return
    for child in ast.iter_child_nodes(node):
        yield from templates(child)


def modules() -> Iterator[ast.Module]:
    """Those that make rows' texts."""
    for file in sorted(PACKAGE.rglob("*.py")):
        name = file.relative_to(PACKAGE).with_suffix("").as_posix()
        tree = ast.parse(file.read_text(encoding="utf-8"))
        makes = any(called(node) in MAKERS for node in ast.walk(tree))
        if name not in ON_THE_TERMINAL and (makes or name in NOTING or name.startswith("readers/")):
            yield tree


def in_german(text: str) -> bool:
    """Whether a text, values put in, becomes another in German, none of its own words left."""
    if text in OF_QUALITY:
        example = OF_QUALITY[text]
        return GERMAN.quality_phrase(example) != example
    if text in PARTS:
        own = text.replace("{}", "7").split()[0]
        return own not in GERMAN.note(PARTS[text]).split()
    put = text.replace("{}", "7")
    return GERMAN.reason(GERMAN.note(put)) != put


def test_all_that_is_said_of_a_recording_is_said_in_german() -> None:
    said = {text.strip("\n ") for tree in modules() for text in templates(tree)}
    sentences = {text for text in said if " " in text and re.search("[a-z]", text)}
    assert len(sentences) > 150
    used = {begin for begin in NEVER_SHOWN if any(text.startswith(begin) for text in sentences)}
    assert used == set(NEVER_SHOWN)
    assert set(PARTS) | set(OF_QUALITY) <= sentences
    shown = {text for text in sentences if not text.startswith(NEVER_SHOWN)}
    assert sorted(text for text in shown if not in_german(text)) == []


def test_every_reason_is_said_in_german() -> None:
    assert [one for one in SkipReason if GERMAN.reason(one) == one] == []


def test_every_note_in_german_is_one_that_the_program_makes() -> None:
    made = {text for tree in modules() for text in templates(tree)}
    patterns = [".+".join(map(re.escape, text.split("{}"))) for text in made if len(text) > 3]
    for note in GERMAN.notes:
        example = re.sub(r"\{\w+\}", "x", note)
        assert any(re.fullmatch(text, example) for text in patterns), note


@pytest.mark.parametrize(
    ("detail", "german"),
    [
        (
            "an archive with more than 5 bytes unpacked of 2, the limit is 5",
            "ein Archiv mit entpackt mehr als 5 Bytes aus 2, die Grenze ist 5",
        ),
        (
            "members that are not read: 3 with a password, 2 whose name leads out of it or is none",
            "nicht gelesene Einträge: 3 mit Passwort, 2 mit einem Namen, der hinausführt oder "
            "keiner ist",
        ),
        ("the folder: reading it is not permitted", "der Ordner: sie darf nicht gelesen werden"),
        (
            "it is a socket, expected a regular file",
            "ein Socket, erwartet wird eine gewöhnliche Datei",
        ),
        ("12 leads flat", "12 Ableitungen flach"),
        (
            "top 2 % of the reference population of 9",
            "die höchsten 2 % der Referenzpopulation von 9",
        ),
        ("something else of 3 leads", "something else of 3 leads"),
    ],
)
def test_a_detail_is_put_into_german_with_its_parts(detail: str, german: str) -> None:
    status = Status.UNUSABLE if "leads flat" in detail else Status.ERROR
    row = not_scored("a.hea", status, SkipReason.TOO_SHORT, detail)
    assert GERMAN.detail(row) == german
    assert load_words("en").detail(row) == detail
