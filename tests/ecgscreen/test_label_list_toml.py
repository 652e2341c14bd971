"""Lists in TOML form: what an entry may say, and where an error says it stands."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ecgscreen.asked_threshold import AskedThreshold
from ecgscreen.diagnoses import DiagnosisList, load_list, unknown_lines
from ecgscreen.errors import LabelListError
from ecgscreen.vocabulary import load_vocabulary

WHOLE = """# ours
[[diagnosis]]
name = "fast AF"  # name = "not this"
code = "314208002"
synonyms = ["tachykardes Vorhofflimmern",
  "wobbly rhythm"]
counter_prompts = ["sinus rhythm", "no fibrillation"]
group = "rhythm"
severity = "critical"
threshold = "Top 2%"

[[diagnosis]]
name = "LBBB"
"""


def read(folder: Path, text: str | bytes) -> DiagnosisList:
    path = folder / "mine.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_list(str(path))


def test_everything_that_an_entry_may_say(tmp_path: Path) -> None:
    listed = read(tmp_path, WHOLE.replace("\n", "\r\n"))
    fast, block = listed.diagnoses
    assert (fast.name, fast.line, fast.group, fast.severity) == ("fast AF", 3, "rhythm", "critical")
    assert fast.concept_ids == ("snomed:314208002",)
    assert fast.free_texts == ("wobbly rhythm",)
    assert fast.code == ""
    assert fast.asked == AskedThreshold("top", "top 2 %", 2.0)
    assert fast.counter_concept_ids == ("SR",)
    assert fast.counter_free_texts == ("no fibrillation",)
    assert fast.free_places == ((6, 4), (7, 37))
    assert unknown_lines(listed) == (fast,)
    assert (block.line, block.code, block.severity, block.asked) == (13, "CLBBB", "info", None)
    assert (block.group, block.has_counter, block.source) == ("", False, "vocabulary")


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ("0.25", "score", "0.25"),
        ("-1", "score", "-1"),
        ("'sensitivity  0.950'", "criterion", "sensitivity 0.95"),
        ("'Specificity .98'", "criterion", "specificity 0.98"),
        ("'largest f1'", "criterion", "largest F1"),
        ("'youden'", "criterion", "Youden"),
        ("'top 0.5 %'", "top", "top 0.5 %"),
    ],
)
def test_thresholds(tmp_path: Path, value: str, kind: str, text: str) -> None:
    (found,) = read(tmp_path, f"[[diagnosis]]\nname = 'AFIB'\nthreshold = {value}\n").diagnoses
    assert found.asked is not None
    assert (found.asked.kind, found.asked.text) == (kind, text)


@pytest.mark.parametrize(
    ("entry", "place", "said"),
    [
        ("name = 'AFIB'\nseverty = 'info'", "line 3, column 1", "did you mean 'severity'?"),
        ("name = 'AFIB'\n  severity = 'crtical'", "line 3, column 3", "did you mean 'critical'?"),
        ("name = 'AFIB'\nseverity = 3", "line 3, column 1", "severity 3, one of critical"),
        ("name = 'AFIB'\nthreshold = 1.5", "line 3, column 1", "threshold 1.5, expected"),
        ("name = 'AFIB'\nthreshold = nan", "line 3, column 1", "threshold nan, expected"),
        ("name = 'AFIB'\nthreshold = true", "line 3, column 1", "threshold True, expected"),
        ("name = 'AFIB'\nthreshold = 'sensitivity 95'", "line 3, column 1", "'sensitivity 0.95'"),
        ("name = 'AFIB'\nthreshold = 'top 0 %'", "line 3, column 1", "'top 2 %'"),
        ("severity = 'info'", "line 1, column 1", "an entry without name"),
        ("name = ''", "line 2, column 1", "name is '', words are expected"),
        ("name = 7", "line 2, column 1", "name is 7, words are expected"),
        ("name = '???'", "line 2, column 9", "'???' is not a diagnosis"),
        ("name = 'AFIB'\nsynonyms = 'AF'", "line 3, column 1", "synonyms is no list"),
        ("name = 'AFIB'\nsynonyms = ['AF',\n '-']", "line 4, column 3", "'-' is not a diagnosis"),
        ("name = 'AFIB'\nsynonyms = ['AF', 3]", "line 3, column 1", "synonyms is 3"),
        (f"name = '{'x' * 10000}'", "line 2, column 9", "10000 characters, at most 500"),
        ("name = 'AFIB", "line 3, column 1", "not TOML"),
        ("name = 'AFIB'\nname = 'AFLT'", "line 3", "not TOML"),
        (f"name = 'AFIB'\nthreshold = {'9' * 5000}", "line 4", "not TOML: Exceeds the limit"),
        (f"name = 'AFIB'\nthreshold = 0x{'f' * 300}", "line 3", "threshold of more than 64 bits"),
        (f"name = 'AFIB'\nseverity = 0x{'f' * 5000}", "line 3", "severity what cannot be shown"),
        (f"name = [0x{'f' * 5000}]", "line 2", "name is what cannot be shown, words"),
        (f"name = 'AFIB'\n{'k' * 5000} = 1", "line 3", "unknown key 'kkkk"),
        ("name = 'AFIB'\na" + ".a" * 20 + " = 1", "line 3", "a key of more than 16 parts"),
        ("name = {b" + " . 'b'" * 20 + " = 1}", "line 2", "a key of more than 16 parts"),
        ("name = 'A........................' # ..................\nx = 1", "line 3", "key 'x'"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path: Path, entry: str, place: str, said: str) -> None:
    with pytest.raises(LabelListError) as caught:
        read(tmp_path, f"[[diagnosis]]\n{entry}\n")
    assert f"mine.toml, {place}" in caught.value.message
    assert said in caught.value.message
    assert caught.value.advice
    assert len(caught.value.message) < 1000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no diagnosis in it, at least one is expected; it has no line and no [[diagnosis]]"),
        ("# nothing\n", "at least one is expected; it has 1 line and no [[diagnosis]]"),
        ("# nothing\n\n#", "at least one is expected; it has 3 lines and no [[diagnosis]]"),
        ("diagnosis = 3\n", "a line [[diagnosis]] before each"),
        ("diagnosis = [{name = 'AFIB'}]\n", "a line [[diagnosis]] before each"),
        ("\n[diagnoses]\nname = 'AFIB'\n", "line 2, column 2: 'diagnoses' is not part of a list"),
        (b"[[diagnosis]]\nname = '\xfc'\n", "line 2, column 9: byte 0xfc is not UTF-8 text"),
    ],
)
def test_what_is_no_list_is_refused(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(LabelListError) as caught:
        read(tmp_path, text)
    assert said in caught.value.message


def test_lists_of_one_and_of_2000_entries(tmp_path: Path) -> None:
    names = [concept.name for concept in load_vocabulary().concepts]
    entries = [f'[[diagnosis]]\nname = "{names[k % len(names)]}"\n' for k in range(2000)]
    assert len(read(tmp_path, entries[0]).diagnoses) == 1
    listed = read(tmp_path, "".join(entries))
    assert [d.line for d in listed.diagnoses] == list(range(2, 4001, 2))
    assert unknown_lines(listed) == ()


def test_what_makes_the_parser_slow_is_refused_before(tmp_path: Path) -> None:
    started = time.process_time()
    for text in ("a" + ".a" * 300_000 + " = 1\n", "".join(f"k{n}.a.b = 1\n" for n in range(9000))):
        with pytest.raises(LabelListError):
            read(tmp_path, text)
    assert time.process_time() - started < 2.0


def test_more_diagnoses_than_anybody_asks_for_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelListError, match="5000 diagnoses, at most 4096 are allowed"):
        read(tmp_path, "[[diagnosis]]\nname = 'MI'\n" * 5000)
