"""All that is wrong with a list is told in one go."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ecgscreen.bundle import Bundle, load_bundle
from ecgscreen.diagnoses import load_list, load_words
from ecgscreen.errors import BundleError, ExitCode, LabelListError, MissingExtraError
from ecgscreen.label_list_faults import FAULTS_NAMED, FaultyLinesError
from ecgscreen.label_list_file import MAX_FILE_SIZE
from ecgscreen.prompts import read_prompts
from ecgscreen.text_encoder import TextEncoder
from ecgscreen.vocabulary import load_vocabulary
from tests.command_line import Run
from tests.ecgscreen.bundles import rewritten

FAULTY = (
    *("AFIB", "banana bread", "x" * 10_000, "", "sinus rhythm |", "XYZQ", "# ???", "???"),
    *("atrial \u202eflutter", "[ ]", "Vorhofflimmern"),
)
FAULTY_TOML = """[[diagnosis]]
name = 'AFIB'
severty = 'info'
severity = 'urgent'
threshold = 2
synonyms = ['AF', '-', '']
counter_prompts = 'SR'

[[diagnosis]]
name = 'LBBB'

[[diagnosis]]
group = ''

[[diagnosis]]
name = 'banana bread'
"""


def written(folder: Path, text: str, name: str = "mine.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def places(error: LabelListError) -> list[str]:
    """Line and column of each row of a message."""
    rows = error.message.splitlines()
    return [row.partition(", line ")[2].partition(":")[0].replace(" column ", " ") for row in rows]


def missing(name: str) -> TextEncoder:
    raise MissingExtraError(f"no language model {name} here")


def test_every_bad_line_of_a_text_list(tmp_path: Path) -> None:
    path = written(tmp_path, "\n".join(FAULTY))
    with pytest.raises(FaultyLinesError) as caught:
        load_list(str(path))
    error = caught.value
    assert error.exit_code == ExitCode.USAGE
    assert places(error) == ["3, 1", "5, 15", "8, 1", "9, 8", "10, 1"]
    assert all(row.startswith(f"{path}, line ") for row in error.message.splitlines())
    assert len(error.advice.splitlines()) == 3  # that of the synonyms once, for three of the lines
    assert error.understood is not None
    names = [diagnosis.name for diagnosis in error.understood.diagnoses]
    assert names == ["AFIB", "banana bread", "XYZQ", "Vorhofflimmern"]


def test_every_bad_key_and_value_of_a_toml_list(tmp_path: Path) -> None:
    path = written(tmp_path, f"title = 'x'\n{FAULTY_TOML}\n[more]\n", "mine.toml")
    with pytest.raises(FaultyLinesError) as caught:
        load_list(str(path))
    expected = ["1, 1", "4, 1", "5, 1", "6, 1", "7, 1", "7, 20", "8, 1", "13, 1", "14, 1", "19, 2"]
    assert places(caught.value) == expected
    said = caught.value.message
    assert "did you mean 'severity'?" in said
    assert "'-' is not a diagnosis" in said
    assert "'more' is not part of a list" in said
    assert caught.value.understood is not None
    names = [diagnosis.name for diagnosis in caught.value.understood.diagnoses]
    assert names == ["LBBB", "banana bread"]


@pytest.mark.parametrize("name", ["mine.txt", "mine.toml"])
def test_faults_beyond_a_limit_are_counted(tmp_path: Path, name: str) -> None:
    line = "[[diagnosis]]\nname = '?'\n" if name.endswith(".toml") else "?\n"
    with pytest.raises(FaultyLinesError) as caught:
        load_list(str(written(tmp_path, line * (FAULTS_NAMED + 5), name)))
    rows = caught.value.message.splitlines()
    assert len(rows) == FAULTS_NAMED + 1
    assert rows[-1] == "and 5 more"
    with pytest.raises(FaultyLinesError) as caught:
        load_list(str(written(tmp_path, line * FAULTS_NAMED, name)))
    assert len(caught.value.message.splitlines()) == FAULTS_NAMED


@pytest.mark.parametrize(
    ("name", "piece", "begin"),
    [
        ("mine.txt", "?\n", ""),
        ("mine.txt", "[]\n", ""),
        ("mine.txt", "x\x0by\n", ""),
        ("mine.toml", "[[diagnosis]]\nx.y=1\n", ""),
        ("mine.toml", "k{}=1\n", "[[diagnosis]]\nname='AFIB'\n"),
        ("mine.toml", "k{}=1\n", ""),
    ],
)
def test_a_large_list_of_faults_is_told_in_a_moment(
    tmp_path: Path, name: str, piece: str, begin: str
) -> None:
    n = MAX_FILE_SIZE // (len(piece) + 5)
    if "diagnosis" in piece:
        n = 4096
    text = begin + "".join(piece.replace("{}", str(k)) for k in range(n))
    path = written(tmp_path, text, name)
    started = time.process_time()
    with pytest.raises(FaultyLinesError, match=r"and \d+ more$"):
        load_list(str(path))
    assert time.process_time() - started < 4.0


@pytest.fixture(scope="module")
def bundle(bundle_dir: Path) -> Bundle:
    return load_bundle(bundle_dir)


def test_bad_lines_and_unknown_words_in_one_go(bundle: Bundle, tmp_path: Path) -> None:
    path = written(tmp_path, "\n".join(FAULTY))
    with pytest.raises(FaultyLinesError) as caught:
        read_prompts(str(path), bundle, load_vocabulary(), missing)
    expected = ["2, 1", "3, 1", "5, 15", "6, 1", "8, 1", "9, 8", "10, 1"]
    assert places(caught.value) == expected
    assert "'banana bread' (nearest: " in caught.value.message
    assert "'XYZQ' is no abbreviation" in caught.value.message
    toml = written(tmp_path, FAULTY_TOML, "mine.toml")
    with pytest.raises(
        FaultyLinesError, match=r"line 16, column 9: not in the vocabulary"
    ) as found:
        read_prompts(str(toml), bundle, load_vocabulary(), missing)
    assert len(places(found.value)) == 9


def test_a_language_model_that_is_another_hides_no_bad_line(
    bundle: Bundle, bundle_dir: Path, tmp_path: Path
) -> None:
    named = {**bundle.manifest["text_encoder"], "sha256": "0" * 64}
    other = load_bundle(rewritten(bundle_dir, tmp_path / "bundle", text_encoder=named))
    path = written(tmp_path, "a finding that nobody has described\n???\n")
    with pytest.raises(FaultyLinesError) as caught:
        read_prompts(str(path), other, load_vocabulary())
    assert places(caught.value) == ["2, 1"]
    path = written(tmp_path, "a finding that nobody has described\nXYZQ\n")
    with pytest.raises(FaultyLinesError) as caught:
        read_prompts(str(path), other, load_vocabulary())
    assert places(caught.value) == ["2, 1"]
    path = written(tmp_path, "a finding that nobody has described\n")
    with pytest.raises(BundleError, match="the language model"):
        read_prompts(str(path), other, load_vocabulary())


def test_synonyms_typed_at_a_command_line() -> None:
    with pytest.raises(
        FaultyLinesError, match=r"^--diagnosis, line 1, column 7: a synonym is empt"
    ):
        load_words("AFIB |")
    with pytest.raises(LabelListError, match=r"^--diagnosis: no diagnosis in it.* no line$"):
        load_words("")


def test_commands_print_a_row_a_fault_and_their_exit_codes(
    run: Run, bundle_dir: Path, tmp_path: Path
) -> None:
    path = written(tmp_path, "AFIB\n???\nsinus rhythm |\n" + "x" * 10_000)
    checked = run("labels", "check", path, "--bundle", bundle_dir)
    assert checked.code == ExitCode.CHECK_FAILED
    scanned = run(
        "scan", tmp_path, "--labels", path, "--bundle", bundle_dir, "--out", tmp_path / "s"
    )
    assert scanned.code == ExitCode.USAGE
    for said in (checked.err, scanned.err):
        first, second, third, *advice = said.splitlines()
        assert first.startswith(f"ecgscreen: {path}, line 2, column 1: '???' is not a diagnosis")
        assert second.startswith(f"{path}, line 3, column 15: a synonym is empty")
        assert third.startswith(f"{path}, line 4, column 1: 10000 characters, at most 500")
        assert advice == [
            "  Write synonyms as 'atrial fibrillation | auricular fibrillation'.",
            "  Write one diagnosis a line, in a few words.",
        ]
    nothing = run("labels", "check", "", "--bundle", bundle_dir)
    assert nothing.code == ExitCode.CHECK_FAILED
    assert nothing.err.startswith("ecgscreen: no list of diagnoses is named: found ''")
    assert "rhythm.txt" in nothing.err
