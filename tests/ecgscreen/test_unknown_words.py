"""Words outside the vocabulary where there is no language model: what is said of them."""

from __future__ import annotations

import time
from pathlib import Path

from ecgscreen.diagnoses import load_list, unknown_lines
from ecgscreen.label_list_faults import FAULTS_NAMED, Faults, FaultyLinesError
from ecgscreen.unknown_words import NEAREST_NAMED, unknown_codes, without_language_model
from ecgscreen.vocabulary import load_vocabulary


def refusal(folder: Path, text: str) -> FaultyLinesError:
    """Of a list's unknown words, all of them."""
    path = folder / "mine.txt"
    path.write_text(text, encoding="utf-8")
    listed = load_list(str(path))
    codes, others = Faults(), Faults()
    for refuse, faults in ((unknown_codes, codes), (without_language_model, others)):
        refuse(listed.name, unknown_lines(listed), load_vocabulary(), faults)
    return FaultyLinesError(codes, others)


def test_an_unknown_line_without_language_model_names_the_ways_out(tmp_path: Path) -> None:
    error = refusal(tmp_path, "SR\natrial fibrilation | banana bread\nAFIB\nzzz\n")
    vocabulary = load_vocabulary()
    path = tmp_path / "mine.txt"
    first, second = error.message.splitlines()
    assert first.startswith(f"{path}, line 2, column 1: ")
    assert second.startswith(f"{path}, line 4, column 1: not in the vocabulary: 'zzz' (nearest: ")
    assert "'atrial fibrilation' (nearest: atrial fibrillation, " in error.message
    nearest = ", ".join(concept.name for concept in vocabulary.nearest("banana bread", 3))
    assert f"'banana bread' (nearest: {nearest})" in error.message
    assert "vocabulary" in error.advice
    assert "pip install 'ecgscreen[text]'" in error.advice


def test_codes_and_words_are_told_in_the_order_of_the_list(tmp_path: Path) -> None:
    error = refusal(tmp_path, "banana bread | XYZQ\n164889004\nAFIB\nbanana split\n")
    rows = [row.removeprefix(f"{tmp_path / 'mine.txt'}, ") for row in error.message.splitlines()]
    assert [row.partition(" (nearest: ")[0] for row in rows] == [
        "line 1, column 1: not in the vocabulary: 'banana bread'",
        "line 1, column 16: 'XYZQ' is no abbreviation and no code that the vocabulary knows",
        "line 2, column 1: '164889004' is no abbreviation and no code that the vocabulary knows",
        "line 4, column 1: not in the vocabulary: 'banana split'",
    ]
    assert all("(nearest: " in row for row in rows)
    assert len(error.advice.splitlines()) == 2


def test_many_unknown_lines_are_named_up_to_a_limit(tmp_path: Path) -> None:
    error = refusal(tmp_path, "".join(f"zz{k}\nZZ{k}\n" for k in range(1000, 1018)))
    rows = error.message.splitlines()
    assert len(rows) == FAULTS_NAMED + 1
    assert [f"line {k + 1}, " in row for k, row in enumerate(rows[:-1])] == [True] * FAULTS_NAMED
    assert rows[-1] == "and 16 more"


def test_long_unknown_lines_are_told_in_a_moment(tmp_path: Path) -> None:
    line = " | ".join(f"atrial fibrillation {'sinus ' * 30} {number}" for number in range(2))
    started = time.process_time()
    error = refusal(tmp_path, f"{line}\n" * 60)
    assert time.process_time() - started < 3.0
    assert error.message.count("nearest: ") == NEAREST_NAMED
    assert error.message.splitlines()[FAULTS_NAMED - 1].endswith("1'")
