"""Opening files of a folder in which somebody exchanges files and folders meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ecgscreen.readers.files import InsideFile
from ecgscreen.recording import RecordingError, SkipReason


def content(path: Path, root: Path) -> bytes:
    with InsideFile(str(path), root) as file:
        return file.read(file.size)


def refused(path: Path, root: Path) -> SkipReason:
    with pytest.raises(RecordingError) as raised:
        InsideFile(str(path), root)
    return raised.value.reason


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("root/day/ward", "root/night", "outside"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "rec").write_text(name)
    return tmp_path / "root"


def test_another_folder_of_the_same_name(root: Path) -> None:
    path = root / "day" / "ward" / "rec"
    assert content(path, root) == b"root/day/ward"
    (root / "day" / "ward").rename(root / "yesterday")
    (root / "night").rename(root / "day" / "ward")
    assert content(path, root) == b"root/night"


@pytest.mark.parametrize("moved", ["day", "day/ward"])
def test_a_folder_moved_out_is_not_read_by_a_link_to_it(root: Path, moved: str) -> None:
    path = root / "day" / "ward" / "rec"
    assert content(path, root) == b"root/day/ward"
    (root / moved).rename(root.parent / "moved")
    (root / moved).symlink_to(root.parent / "moved")
    assert refused(path, root) is SkipReason.OUTSIDE_FOLDER


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_what_is_exchanged_just_before_it_is_opened_gains_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = root / "day" / "ward" / "rec"
    open_now = os.open

    def late(name: str, flags: int) -> int:
        path.unlink()
        if kind == "link":
            path.symlink_to(root.parent / "outside" / "rec")
        elif kind == "folder":
            path.parent.rename(root / "yesterday")
            path.parent.symlink_to(root.parent / "outside")
        else:
            os.mkfifo(path)
        return open_now(name, flags)

    monkeypatch.setattr(os, "open", late)
    expected = SkipReason.NOT_A_FILE if kind == "pipe" else SkipReason.OUTSIDE_FOLDER
    assert refused(path, root) is expected


def test_a_link_in_a_folder_outside_may_lead_inside(root: Path) -> None:
    outside = root.parent / "outside"
    assert refused(outside / "rec", root) is SkipReason.OUTSIDE_FOLDER
    (outside / "link").symlink_to(root / "night" / "rec")
    assert content(outside / "link", root) == b"root/night"


def test_the_working_directory_counts(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = root / "night" / "rec"
    monkeypatch.chdir(root)
    assert content(path, Path("night")) == b"root/night"
    assert content(Path("night/rec"), Path()) == b"root/night"
    monkeypatch.chdir(root / "day")
    assert refused(path, Path("night")) is SkipReason.OUTSIDE_FOLDER
    assert content(Path("ward/rec"), Path()) == b"root/day/ward"
