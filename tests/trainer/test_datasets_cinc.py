"""Challenge folders: codes out of headers, and nothing else out of their comments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ecgscreen.errors import UsageError
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.simulate import write_dataset
from ecgscreen.vocabulary import load_vocabulary
from trainer.datasets.case import Case
from trainer.datasets.cinc import cinc_set, read_dx

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a simulated recording per text, which goes to the end of its header."""

    def write(*comments: bytes, names: tuple[str, ...] = ()) -> Path:
        write_dataset(tmp_path / "set", len(comments), seed=3)
        headers = sorted((tmp_path / "set").glob("*.hea"))
        for header, comment in zip(headers, comments, strict=True):
            header.write_bytes(header.read_bytes() + comment)
        for header, name in zip(headers, names, strict=False):
            header.rename(header.with_name(f"{name}.hea"))
        return tmp_path / "set"

    return write


@pytest.mark.parametrize(
    ("comment", "codes"),
    [
        (b"# Dx: 164889003,427172004\n", ("164889003", "427172004")),
        (b"#Dx: 164889003\r\n#Rx: Unknown\r\n", ("164889003",)),
        (b"# Age: 51\n# Sex: Male\n#Dx:  164889003 , 59118001", ("164889003", "59118001")),
        (b"# Dx: \n", ()),
        (b"# Rx: 164889003\n", None),
        (b"# Dx: Unknown\n", None),
        (b"", None),
    ],
)
def test_codes_of_a_header(write: Write, comment: bytes, codes: tuple[str, ...] | None) -> None:
    (header,) = write(comment).glob("*.hea")
    assert read_dx(header, header.parent) == codes


def test_a_header_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert read_dx(tmp_path / "none.hea", tmp_path) is None


def test_records_become_cases_with_broader_concepts(write: Write) -> None:
    folder = write(b"# Dx: 282825002,698252002\n", b"# Dx: 426783006\n", b"# Age: 3\n")
    labelled = cinc_set([folder], load_vocabulary())
    cases = [case for case in labelled.cases(PreprocessConfig()) if isinstance(case, Case)]
    assert [case.carried for case in cases] == [
        {"snomed:282825002", "AFIB", "any:AFIB/AFLT", "IVCD", "CD"},
        {"SR"},
    ]
    assert set(labelled.annotated) == cases[0].carried | cases[1].carried
    assert len({case.patient for case in cases}) == 2
    (note,) = labelled.notes
    assert note.startswith("1 file without")


def test_codes_out_of_the_vocabulary_are_told(write: Write) -> None:
    folder = write(b"# Dx: 426783006,84114007\n", b"# Dx: 84114007\n# Name: Somebody\n")
    labelled = cinc_set([folder], load_vocabulary())
    (note,) = labelled.notes
    assert "84114007" in note
    assert note.startswith("2 codes")
    assert "Somebody" not in str(labelled)


def test_ptb_xl_in_the_challenge_is_no_test_of_a_bundle_trained_on_it(write: Write) -> None:
    folder = write(b"# Dx: 426783006\n", b"# Dx: 164889003\n", names=("HR00001",))
    with pytest.raises(UsageError, match="1 of the recordings"):
        cinc_set([folder], load_vocabulary(), ["ptb-xl", "ptb-xl-zscored"])
    assert cinc_set([folder], load_vocabulary(), ["ours"]).annotated


def test_a_folder_without_codes_is_refused(write: Write) -> None:
    with pytest.raises(UsageError, match="#Dx"):
        cinc_set([write(b"")], load_vocabulary())


def test_real_headers(data_dir: Path) -> None:
    folder = data_dir / "cinc2021"
    if not folder.is_dir():
        pytest.skip("the Challenge's samples are not there")
    labelled = cinc_set([folder], load_vocabulary())
    assert labelled.notes == ()
    headers = sorted(folder.rglob("*.hea"))
    codes = [read_dx(header, folder) or () for header in headers]
    n_afib = sum("164889003" in found for found in codes)
    assert n_afib == sum(b"164889003" in header.read_bytes() for header in headers) > 0
    assert {"SR", "AFIB", "STACH", "MI"} <= set(labelled.annotated)
