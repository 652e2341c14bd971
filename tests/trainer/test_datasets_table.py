"""A site's own table: columns, statements, patients, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ecgscreen.errors import UsageError
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.recording import SkippedRecording, SkipReason
from ecgscreen.simulate import write_dataset
from ecgscreen.vocabulary import load_vocabulary
from trainer.datasets.case import Case
from trainer.datasets.table import table_set

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a table beside a folder ``records`` of three recordings."""
    write_dataset(tmp_path / "records", 3, seed=3)
    names = sorted(path.name for path in (tmp_path / "records").rglob("*.hea"))

    def write(*lines: str) -> Path:
        text = "\n".join(lines)
        for number, name in enumerate(names):
            text = text.replace(f"@{number}", f"records/{name}")
        table = tmp_path / "site.csv"
        table.write_text(text, encoding="utf-8-sig")
        return table

    return write


def test_rows_become_cases(write: Write) -> None:
    table = write(
        "patient_id,path,report,statements",
        "p1,@0,Vorhofflimmern,AFIB",
        'p1,@1,"a; b",left bundle branch block; 427172004 ;',
        ",@2,,SR",
    )
    labelled = table_set([table], load_vocabulary())
    cases = [case for case in labelled.cases(PreprocessConfig()) if isinstance(case, Case)]
    assert [case.carried for case in cases] == [
        {"AFIB", "any:AFIB/AFLT"},
        {"CLBBB", "CD", "any:BBB", "PVC"},
        {"SR"},
    ]
    assert cases[0].patient == cases[1].patient == "p1"
    assert cases[2].patient not in {"p1", ""}
    assert set(labelled.annotated) == {
        "AFIB",
        "any:AFIB/AFLT",
        "CLBBB",
        "CD",
        "any:BBB",
        "PVC",
        "SR",
    }
    assert labelled.notes == ()
    # In the order of the vocabulary, and each call starts anew.
    order = [concept.id for concept in load_vocabulary().concepts]
    assert list(labelled.annotated) == sorted(labelled.annotated, key=order.index)
    assert len(list(labelled.cases(PreprocessConfig()))) == 3


def test_a_row_without_statements_is_unlabelled_not_negative(write: Write) -> None:
    labelled = table_set([write("path,statements", "@0,AFIB", "@1,", "@2, ; ")], load_vocabulary())
    assert len(list(labelled.cases(PreprocessConfig()))) == 1
    assert labelled.notes == ("2 rows without statements left out",)


def test_a_word_that_is_not_known_is_refused_with_line_and_neighbours(write: Write) -> None:
    table = write("path,statements", "@0,AFIB", "@1,atrial fibrilation")
    with pytest.raises(UsageError, match=r"line 3.*'atrial fibrilation'") as error:
        table_set([table], load_vocabulary())
    assert "AFIB" in error.value.advice


def test_nothing_outside_the_tables_folder_is_read(write: Write, tmp_path: Path) -> None:
    write_dataset(tmp_path.parent / f"{tmp_path.name}-other", 1, seed=1)
    (outside,) = (tmp_path.parent / f"{tmp_path.name}-other").rglob("*.hea")
    table = write("path,statements", f"{outside},AFIB", f"../{outside.parent.name}/x.hea,AFIB")
    found = list(table_set([table], load_vocabulary()).cases(PreprocessConfig()))
    assert isinstance(found[0], SkippedRecording)
    assert found[0].reason is SkipReason.OUTSIDE_FOLDER
    assert isinstance(found[1], SkippedRecording)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("path,report", "@0,x"), "no column statements"),
        (("",), "no column path and no column statements"),
        (("path,statements", "@0,"), "has statements"),
    ],
)
def test_tables_that_say_nothing_are_refused(
    write: Write, lines: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        table_set([write(*lines)], load_vocabulary())


def test_a_table_separated_by_semicolons_says_so(write: Write) -> None:
    with pytest.raises(UsageError, match="no column path") as refused:
        table_set([write("path;patient_id;statements", "@0;p1;AFIB")], load_vocabulary())
    assert "by commas" in refused.value.advice


def test_a_table_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="FileNotFoundError"):
        table_set([tmp_path / "none.csv"], load_vocabulary())
    (tmp_path / "latin.csv").write_bytes(b"path,statements\n\xfc,AFIB\n")
    with pytest.raises(UsageError, match="UnicodeDecodeError"):
        table_set([tmp_path / "latin.csv"], load_vocabulary())
