"""How many processes a scan is worth, told by names of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecgscreen import crew_size as module
from ecgscreen.crew_size import crew_size, most_workers
from ecgscreen.objects.address import path_of_text
from ecgscreen.run_store import MANIFEST
from ecgscreen.screening import STORE


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """So many make a folder large here."""
    monkeypatch.setattr(module, "FEW", 4)
    return 4


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("names", "is_large"),
    [
        (["1.hea", "2.hea", "3.hea", "4.edf"], True),
        (["1.hea", "1.dat", "2.hea", "2.dat", "3.hea", "3.dat"], False),
        (["a/1.hea", "a/b/2.hea", "c/1.hea", "1.hea"], True),
        (["1.hea", "2.hea", "3.hea", ".4.hea", ".hidden/5.hea"], False),
        ([], False),
    ],
)
def test_a_folder_is_large_if_many_names_differ_in_more_than_the_suffix(
    tmp_path: Path, few: int, names: list[str], is_large: bool
) -> None:
    folder = fill(tmp_path / "records", "1.hea", *names) if names else tmp_path
    assert crew_size([folder], tmp_path / "out") == (most_workers() if is_large else None)
    assert few == 4


def test_folders_count_together_and_what_cannot_be_listed_counts_nothing(
    tmp_path: Path, few: int
) -> None:
    halves = [fill(tmp_path / name, "1.hea", "2.hea") for name in "ab"]
    others = [tmp_path / "a" / "1.hea", tmp_path / "missing", path_of_text("s3://bucket/prefix")]
    assert crew_size([*others, halves[0]], tmp_path / "out") is None
    assert crew_size([*others, *halves], tmp_path / "out") == most_workers()
    assert few == 4


def test_a_link_to_a_folder_is_not_walked(tmp_path: Path, few: int) -> None:
    folder = fill(tmp_path / "a", *(f"{number}.hea" for number in range(few - 2)))
    (folder / "again.1").symlink_to(folder)
    assert crew_size([folder], tmp_path / "out") is None
    (folder / "once.more").touch()
    assert crew_size([folder], tmp_path / "out") == most_workers()


def test_what_is_stored_is_not_read_again_unless_asked_for(tmp_path: Path, few: int) -> None:
    folder = fill(tmp_path / "records", *(f"{number}.hea" for number in range(few)))
    fill(tmp_path, f"out/{STORE}/{MANIFEST}")
    assert crew_size([folder], tmp_path / "out") == 0
    assert crew_size([folder], tmp_path / "out", fresh=True) == most_workers()
    assert crew_size([folder], tmp_path / "out", workers=3) == 3
    assert crew_size([folder], tmp_path / "new", workers=0) == 0


def test_the_path_that_is_spelled_out_is_that_of_the_store() -> None:
    assert Path(STORE, MANIFEST) == module._MANIFEST
