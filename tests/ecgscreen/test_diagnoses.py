"""Lists of diagnoses: what is read, what is refused, and in which words."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from ecgscreen.diagnoses import (
    Diagnosis,
    DiagnosisList,
    load_list,
    unknown_lines,
)
from ecgscreen.errors import ExitCode, LabelListError
from ecgscreen.label_list_file import MAX_FILE_SIZE, shipped_lists
from ecgscreen.vocabulary import load_vocabulary


def write(folder: Path, content: str | bytes, name: str = "mine.txt") -> str:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def refusal(name_or_path: str) -> LabelListError:
    with pytest.raises(LabelListError) as caught:
        load_list(name_or_path)
    assert caught.value.exit_code == ExitCode.USAGE
    assert caught.value.advice
    return caught.value


def test_a_known_line_is_resolved(tmp_path: Path) -> None:
    assert load_list(write(tmp_path, "Vorhofflimmern\n")).diagnoses == (
        Diagnosis(
            name="Vorhofflimmern",
            concept_ids=("AFIB",),
            free_texts=(),
            code="AFIB",
            severity="info",
            source="vocabulary",
            line=1,
        ),
    )


def test_comments_blank_lines_and_line_numbers(tmp_path: Path) -> None:
    text = "# a list\n\n  atrial flutter  # sawtooth\n\t\n#\nV1#2 pattern\nLBBB #\n"
    found = [(d.line, d.name) for d in load_list(write(tmp_path, text)).diagnoses]
    assert found == [(3, "atrial flutter"), (6, "V1#2 pattern"), (7, "LBBB")]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_endings_and_byte_order_mark(tmp_path: Path, ending: str, mark: bytes) -> None:
    text = ending.join(["AFIB", "", "Linksschenkelblock", "überdrehter Linkstyp"])
    diagnoses = load_list(write(tmp_path, mark + text.encode())).diagnoses
    assert [d.concept_ids for d in diagnoses] == [("AFIB",), ("CLBBB",), ("snomed:39732003",)]
    assert [d.line for d in diagnoses] == [1, 3, 4]


def test_synonyms_keep_their_order_and_count_once(tmp_path: Path) -> None:
    text = "AFLT | AFIB|auricular fibrillation\nAF | Vorhofflimmern\n"
    first, second = load_list(write(tmp_path, text)).diagnoses
    assert first.name == "AFLT | AFIB|auricular fibrillation"
    assert (first.concept_ids, first.free_texts, first.code) == (("AFLT", "AFIB"), (), "")
    assert (second.concept_ids, second.code, second.source) == (("AFIB",), "AFIB", "vocabulary")


def test_duplicates_are_kept(tmp_path: Path) -> None:
    diagnoses = load_list(write(tmp_path, "AFIB\nAFIB\natrial fibrillation\n")).diagnoses
    assert [d.name for d in diagnoses] == ["AFIB", "AFIB", "atrial fibrillation"]
    assert [d.line for d in diagnoses] == [1, 2, 3]


def test_unknown_words_are_kept_as_free_text(tmp_path: Path) -> None:
    text = "SR\nlate potentials | zzz\nAFIB | wobbly baseline rhythm\n"
    listed = load_list(write(tmp_path, text))
    _, unknown, mixed = listed.diagnoses
    assert (unknown.source, unknown.concept_ids, unknown.code) == ("zero-shot", (), "")
    assert unknown.free_texts == ("late potentials", "zzz")
    assert (mixed.source, mixed.concept_ids, mixed.code) == ("mixed", ("AFIB",), "")
    assert mixed.free_texts == ("wobbly baseline rhythm",)
    assert unknown_lines(listed) == (unknown, mixed)


def test_the_hash_is_over_the_bytes(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbfAFIB\r\n# comment\r\n"
    listed = load_list(write(tmp_path, content))
    assert listed.sha256 == hashlib.sha256(content).hexdigest()
    assert listed.name == str(tmp_path / "mine.txt")


@pytest.mark.parametrize(
    ("name", "count"),
    [("superclass", 5), ("subclass", 23), ("diagnostic", 44), ("form", 19), ("rhythm", 12)],
)
def test_shipped_lists_cover_their_task(name: str, count: int) -> None:
    listed = load_list(f"{name}.txt")
    assert load_list(name) == listed
    assert listed.name == f"{name}.txt"
    assert unknown_lines(listed) == ()
    codes = [diagnosis.code for diagnosis in listed.diagnoses]
    assert len(codes) == count
    assert sorted(codes) == sorted(c.id for c in load_vocabulary().task(name))


def test_the_shipped_lists_are_these() -> None:
    assert shipped_lists() == (
        *("cinc2021.txt", "critical.toml", "diagnostic.txt", "form.txt", "rhythm.txt"),
        *("subclass.txt", "superclass.txt"),
    )


def test_the_challenge_s_list_holds_its_26_diagnoses() -> None:
    listed = load_list("cinc2021")
    assert unknown_lines(listed) == ()
    codes = {diagnosis.code for diagnosis in listed.diagnoses}
    assert len(codes) == len(listed.diagnoses) == 26
    known = load_vocabulary()
    codes_of_2021 = (
        "270492004 164889003 164890007 426627000 713427006 59118001 713426002 445118002 39732003 "
        "164909002 733534002 251146004 698252002 10370003 284470004 63593006 427172004 17338001 "
        "164947007 111975006 164917005 47665007 427393009 426177001 426783006 427084000 164934002 "
        "59931005 6374002 365413008"
    )
    scored = codes_of_2021.split()
    assert codes == {concept.id for code in scored if (concept := known.find(code)) is not None}


def test_the_critical_list_is_graded_and_known() -> None:
    listed = load_list("critical")
    assert listed == load_list("critical.toml")
    assert unknown_lines(listed) == ()
    assert all(d.group and d.severity in {"critical", "attention"} for d in listed.diagnoses)
    codes = [d.code for d in listed.diagnoses]
    assert len(set(codes)) == len(codes)
    assert {"clinical:stemi", "3AVB", "clinical:ventricular-tachycardia", "LNGQT"} <= set(codes)
    assert "snomed:314208002" in codes  # atrial fibrillation with fast rate


def test_one_finding_in_five_wordings_is_one_concept(tmp_path: Path) -> None:
    words = ("Vorhofflimmern", "AFIB", "auricular fibrillation", "164889003", "atrial fibrillation")
    listed = load_list(write(tmp_path, "\n".join(words)))
    assert {d.concept_ids for d in listed.diagnoses} == {("AFIB",)}
    assert unknown_lines(listed) == ()


def test_headings_are_groups(tmp_path: Path) -> None:
    listed = load_list(write(tmp_path, "SR\n[ rhythm ] # of the atria\nAFIB\n\n[form]\nPVC\n"))
    assert [(d.line, d.name, d.group) for d in listed.diagnoses] == [
        (1, "SR", ""),
        (3, "AFIB", "rhythm"),
        (6, "PVC", "form"),
    ]
    assert (
        "line 2, column 1: '[ ]' is not a diagnosis"
        in refusal(write(tmp_path, "SR\n[ ]\nAFIB\n")).message
    )


def test_a_list_of_2000_lines_is_read_in_a_moment(tmp_path: Path) -> None:
    names = [concept.name for concept in load_vocabulary().concepts]
    path = write(tmp_path, "\n".join(names[number % len(names)] for number in range(2000)))
    started = time.process_time()
    listed = load_list(path)
    assert time.process_time() - started < 2.0
    assert len(listed.diagnoses) == 2000
    assert unknown_lines(listed) == ()
    assert len(load_list(write(tmp_path, names[0])).diagnoses) == 1


def test_superclasses_come_in_the_order_of_the_papers() -> None:
    codes = [diagnosis.code for diagnosis in load_list("superclass").diagnoses]
    assert codes == ["NORM", "MI", "STTC", "CD", "HYP"]


def test_a_file_goes_before_a_shipped_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shipped = load_list("rhythm.txt")
    write(tmp_path, "AFIB\n", "rhythm.txt")
    assert len(load_list("rhythm.txt").diagnoses) == 1
    assert load_list("rhythm") == shipped
    (tmp_path / "form").mkdir()
    assert load_list("form").name == "form.txt"


def test_a_misspelt_list_name_gets_a_suggestion() -> None:
    error = refusal("rhytm.txt")
    assert error.message.startswith("rhytm.txt: no such file")
    assert "Did you mean rhythm.txt?" in error.advice
    assert all(name in error.advice for name in shipped_lists())
    assert "no such file" in refusal("nowhere/rhythm.txt").message
    far = refusal("mine.txt")
    assert "Did you mean" not in far.advice
    assert all(name in far.advice for name in shipped_lists())
    assert "no such file" in refusal("\0").message


def test_what_is_no_readable_file_is_refused(tmp_path: Path) -> None:
    assert "not a regular file" in refusal(str(tmp_path)).message
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refusal(str(tmp_path / "pipe")).message
    assert "cannot be read: File name too long" in refusal("x" * 5000).message
    large = write(tmp_path, b"# " + b"x" * MAX_FILE_SIZE)
    assert f"larger than {MAX_FILE_SIZE} bytes" in refusal(large).message


@pytest.mark.parametrize(
    ("content", "held"),
    [
        ("", "no line"),
        ("\ufeff", "no line"),
        ("\n\n", "2 lines: 2 blank lines"),
        ("# only a comment", "1 line: 1 comment"),
        ("# comments\r\n  # and more\r\n \t\r\n", "3 lines: 1 blank line, 2 comments"),
        ("[rhythm]\n\n[form] # none\n#\n", "4 lines: 1 blank line, 1 comment, 2 headings"),
    ],
)
def test_a_list_without_diagnosis_is_refused(tmp_path: Path, content: str, held: str) -> None:
    path = write(tmp_path, content)
    error = refusal(path)
    assert error.message == f"{path}: no diagnosis in it, at least one is expected; it has {held}"
    assert "one diagnosis a line" in error.advice


@pytest.mark.parametrize("nothing", ["", "  ", "\t"])
def test_a_list_that_is_not_named_is_refused(nothing: str) -> None:
    error = refusal(nothing)
    assert error.message.startswith(f"no list of diagnoses is named: found {nothing!r}, a file or")
    assert all(name in error.advice for name in shipped_lists())


@pytest.mark.parametrize(
    ("second_line", "column", "said"),
    [
        (b"\xfcberdrehter Linkstyp", 1, "byte 0xfc is not UTF-8 text"),
        (b"AF\x00IB", 3, "invisible character U+0000"),
        (b"AF\x1b[31mIB", 3, "invisible character U+001B"),
        ("AF\u202eIB".encode(), 3, "invisible character U+202E"),
        (b"AF\x0cIB", 3, "invisible character U+000C"),
        ("AF\u2028IB".encode(), 3, "invisible character U+2028"),
        (b"x" * 501, 1, "501 characters, at most 500"),
        (b"x" * 10_000, 1, "10000 characters, at most 500"),
        (b'""', 1, "is not a diagnosis"),
        (b"AFIB |", 7, "a synonym is empty"),
        (b"| AFIB", 1, "a synonym is empty"),
        (b"AFIB || AFLT", 7, "a synonym is empty"),
        (b"|", 1, "a synonym is empty"),
        (b"AFIB | # flutter", 7, "a synonym is empty"),
        (b"AFIB | ???", 8, "'???' is not a diagnosis"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, second_line: bytes, column: int, said: str) -> None:
    path = write(tmp_path, b"\xef\xbb\xbfSR\r\n" + second_line + b"\r\nAFIB\r\n")
    error = refusal(path)
    assert error.message.startswith(f"{path}, line 2, column {column}: ")
    assert said in error.message


def test_a_utf16_list_is_refused_by_name(tmp_path: Path) -> None:
    error = refusal(write(tmp_path, "AFIB\n".encode("utf-16")))
    assert "line 1, column 1: byte 0xff" in error.message
    assert "UTF-16" in error.advice


def test_the_longest_line_is_read(tmp_path: Path) -> None:
    listed: DiagnosisList = load_list(write(tmp_path, "x" * 500 + " # " + "y" * 900))
    assert listed.diagnoses[0].free_texts == ("x" * 500,)


def test_more_lines_than_anybody_asks_for_are_refused(tmp_path: Path) -> None:
    message = refusal(write(tmp_path, "MI\n" * 5000)).message
    assert message.endswith("5000 diagnoses, at most 4096 are allowed")
