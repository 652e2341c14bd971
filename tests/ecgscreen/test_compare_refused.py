"""Screenings that cannot be compared are refused, with what differs."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from ecgscreen.compare import CompareOptions, compare
from ecgscreen.errors import NotComparableError, ReportError, UsageError
from ecgscreen.pseudonyms import Pseudonyms
from tests.ecgscreen.nights_compared import KEY, NEW, OLD, before_keys_were_named, write

OTHER_KEY = b"o" * 32


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path;patient_id\na;1\n", "no column path and no column patient_id"),
        ("path,patient_id\na.hea,1\na.hea,2\n", "line 3: this path stands there before"),
    ],
)
def test_a_table_that_cannot_be_understood_is_refused(
    nights: tuple[Path, Path], tmp_path: Path, text: str, said: str
) -> None:
    table = tmp_path / "patients.csv"
    table.write_text(text)
    with pytest.raises(UsageError, match=said):
        compare(CompareOptions(*nights, patients=table))


@pytest.mark.parametrize(
    ("provenance", "said"),
    [
        ({"bundle_sha256": "d" * 64, "bundle_name": "ours"}, "bundle: default b{12} and ours d"),
        ({"list_sha256": "e" * 64}, "list: <night>.txt c{12} and <night>.txt e{12}"),
    ],
)
def test_what_differs_is_named_and_refused(
    nights: tuple[Path, Path], tmp_path: Path, provenance: dict[str, str], said: str
) -> None:
    other = write(tmp_path / "other", NEW, provenance=provenance)
    with pytest.raises(NotComparableError, match=said) as caught:
        compare(CompareOptions(nights[0], other))
    assert "--common" in caught.value.advice
    assert compare(CompareOptions(nights[0], other, common=True)).records


@pytest.mark.parametrize("old_version", [False, True])
@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ((KEY, OTHER_KEY), "old/report.h5 and .*new/report.h5 have ids"),
        ((None, KEY), "old/report.h5 has the names of recordings, .*new/report.h5 ids"),
        ((KEY, None), "new/report.h5 has the names of recordings, .*old/report.h5 ids"),
    ],
)
def test_names_that_cannot_be_matched_are_refused(
    tmp_path: Path, keys: tuple[bytes | None, bytes | None], said: str, old_version: bool
) -> None:
    """A report travels without its store: what is in it has to do."""
    old, new = (
        write(tmp_path / name, results, key=key) / "report.h5"
        for name, results, key in zip(("old", "new"), (OLD, NEW), keys, strict=True)
    )
    if old_version:
        before_keys_were_named(old)
        before_keys_were_named(new)
    for common in (False, True):
        with pytest.raises(NotComparableError, match=said) as caught:
            compare(CompareOptions(old, new, common=common))
        assert "which recordings are the same cannot be told" in caught.value.message
        assert "without --pseudonymise-paths" in caught.value.advice


def test_the_name_of_a_key_is_no_id_and_tells_keys_apart(tmp_path: Path) -> None:
    assert Pseudonyms(KEY).key_name != Pseudonyms(OTHER_KEY).key_name
    assert Pseudonyms(KEY).key_name not in {Pseudonyms(KEY).of(name) for name in ("key", "")}
    with h5py.File(write(tmp_path / "named", NEW) / "report.h5") as file:
        assert file.attrs["pseudonyms"] == ""
    with h5py.File(write(tmp_path / "hidden", NEW, key=KEY) / "report.h5") as file:
        assert file.attrs["pseudonyms"] == Pseudonyms(KEY).key_name


def test_what_is_no_report_is_refused_by_name(nights: tuple[Path, Path], tmp_path: Path) -> None:
    text = tmp_path / "text.h5"
    text.write_text("no HDF5")
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["x"] = 1
    cut = tmp_path / "cut.h5"
    with h5py.File(cut, "w") as file:
        file.attrs["format"] = "ecgscreen report"
    for path, said in (
        (tmp_path / "nowhere", "there is no such file"),
        (text, "cannot be read as HDF5"),
        (other, "expected 'ecgscreen report'"),
        (cut, "is no whole report"),
    ):
        with pytest.raises(ReportError, match=said):
            compare(CompareOptions(nights[0], path))
