"""A site's own table: columns, statements, patients, and what is refused."""

from __future__ import annotations

import os
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
from trainer.splits import patient_fold

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
    (tmp_path / "link").symlink_to(outside.parent)
    (tmp_path / "loop.hea").symlink_to("loop.hea")
    written = (str(outside), f"../{outside.parent.name}/x.hea", f"link/{outside.name}", "loop.hea")
    rows = [f"{path},AFIB" for path in (*written, "@0")]
    labelled = table_set([write("path,statements", *rows)], load_vocabulary())
    *found, good = labelled.cases(PreprocessConfig())
    assert isinstance(good, Case)
    for line, (path, one) in enumerate(zip(written, found, strict=True), start=2):
        assert isinstance(one, SkippedRecording)
        if path != "loop.hea":
            assert one.reason is SkipReason.OUTSIDE_FOLDER
            assert f"out of the table's folder, {tmp_path}" in one.detail
            assert ("through a link" in one.detail) == path.startswith("link")
        assert f"site.csv, line {line}: {path[:80]!r}" in one.detail
    (note,) = labelled.notes
    assert note.startswith("4 rows without a recording, the first: ")


def test_an_absolute_path_inside_the_folder_is_read(write: Write, tmp_path: Path) -> None:
    table = write("path,statements", f"{tmp_path}/@0,AFIB")
    (case,) = table_set([table], load_vocabulary()).cases(PreprocessConfig())
    assert isinstance(case, Case)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("records/gone.hea", "no such file, looked for as {folder}/records/gone.hea"),
        ("gone", "no such file, looked for as {folder}/gone"),
        ("records/@stem", "is there: write the header's whole name"),
        ("records\\sim00000.hea", "write / between folders, not \\"),
        ("", "the path is empty"),
        ("a\0b.hea", "cannot be a file's name"),
        ("x" * 300, "cannot be a file's name"),
        ("../gone.hea", "leads out of the table's folder, {folder}"),
    ],
)
def test_a_path_that_leads_nowhere_is_named_with_its_line_and_where_it_was_looked_for(
    write: Write, tmp_path: Path, written: str, said: str
) -> None:
    stem = min((tmp_path / "records").rglob("*.hea")).stem
    table = write("path,statements", f"{written.replace('@stem', stem)},AFIB")
    with pytest.raises(UsageError) as refused:
        table_set([table], load_vocabulary())
    message = refused.value.message
    assert f"{table}, line 2: " in message
    assert said.format(folder=tmp_path) in message
    assert "vanished" not in message
    assert "relative to the table's folder" in refused.value.advice


def test_a_recording_that_is_named_twice_counts_once(write: Write) -> None:
    table = write("path,statements,patient_id", "@0,AFIB,a", "./@0,AFIB,b", "@1,SR,c")
    labelled = table_set([table], load_vocabulary())
    assert len(list(labelled.cases(PreprocessConfig()))) == 2
    assert labelled.notes == ("1 row with the recording of an earlier row left out",)


def test_patients_of_trained_folds_are_left_out(write: Write) -> None:
    table = write("path,statements,patient_id", "@0,AFIB,p1", "@1,SR,p2", "@2,SR,")
    folds = (patient_fold("p1"),)
    assert patient_fold("p2") not in folds
    labelled = table_set([table], load_vocabulary(), folds)
    (case,) = labelled.cases(PreprocessConfig())
    assert isinstance(case, Case)
    assert case.patient == "p2"
    assert labelled.notes == ("2 rows of patients that the bundle was trained on left out",)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("path,report", "@0,x"), "no column statements; its first line has path, report"),
        (("path", "@0"), "no column statements; its first line has path"),
        (("",), "no column path and no column statements; its first line has nothing"),
        (("path,statements", "@0,"), "1 row without statements left out"),
        (("path,statements",), "it has none"),
        (("path,statements,path", "@0,SR,@1"), "the column path is there twice"),
        (("path,statements", "@0,SR,a, b"), "line 2: 4 cells, expected 2"),
        (("path;statements", "@0;SR;AFIB"), "line 2: 3 cells, expected 2"),
        (("path,statements", '@0,"SR', "@1,AFIB"), "line 3: unexpected end of data"),
        (("path,statements,report", "@0,SR," + 200_000 * "x"), "line 2: field larger than"),
    ],
)
def test_tables_that_say_nothing_are_refused(
    write: Write, lines: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        table_set([write(*lines)], load_vocabulary())
    assert refused.value.advice


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_columns_are_separated_as_in_the_header(write: Write, separator: str) -> None:
    cells = [("path", "patient_id", "statements"), ("@0", "p1", '"AFIB;CLBBB"'), ("@1",), ()]
    labelled = table_set([write(*map(separator.join, cells))], load_vocabulary())
    (case,) = labelled.cases(PreprocessConfig())
    assert isinstance(case, Case)
    assert {"AFIB", "CLBBB"} <= case.carried
    assert labelled.notes == ("1 row without statements left out",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path,statements\nä,SR\n".encode("latin-1"), "line 2: byte 0xe4 is not UTF-8"),
        ("path,statements\nä,SR\n".encode("utf-16"), "UTF-16, expected UTF-8"),
        (bytes(range(256)), "line 2: byte 0x80 is not UTF-8"),
    ],
)
def test_a_table_of_another_encoding_is_told_what_to_do(
    tmp_path: Path, content: bytes, message: str
) -> None:
    table = tmp_path / "site.csv"
    table.write_bytes(content)
    with pytest.raises(UsageError, match=message) as refused:
        table_set([table], load_vocabulary())
    assert "CSV UTF-8" in refused.value.advice


def test_a_table_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.csv does not exist"):
        table_set([tmp_path / "none.csv"], load_vocabulary())
    os.mkfifo(tmp_path / "pipe.csv")  # reading from it would wait for good
    for path in (tmp_path, tmp_path / "pipe.csv"):
        with pytest.raises(UsageError, match="is no regular file"):
            table_set([path], load_vocabulary())
