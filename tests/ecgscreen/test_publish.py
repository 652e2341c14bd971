from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from ecgscreen.errors import StoreError, UsageError
from ecgscreen.publish import (
    check_file_can_be,
    check_folder_can_be,
    make_private_folder,
    publish_bytes,
    publish_json,
    publishing,
    publishing_together,
    remove_leftovers,
    storing,
)


def test_the_old_file_stays_whole_until_the_new_one_is(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    publish_bytes(path, b"old")
    with publishing(path) as part:
        part.write_bytes(b"new, but")
        assert part.parent == path.parent, "a rename across file systems is not atomic"
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new, but"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("fault", [RuntimeError, KeyboardInterrupt])
def test_a_fault_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, fault: type[BaseException]
) -> None:
    path = tmp_path / "report.csv"
    publish_bytes(path, b"old")

    def interrupted() -> None:
        with publishing(path) as part:
            part.write_bytes(b"half")
            raise fault

    with pytest.raises(fault):
        interrupted()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("n_good", [0, 1, 2])
def test_files_that_belong_together_are_all_new_or_all_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_good: int
) -> None:
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for path in paths:
        publish_bytes(path, b"old")
    n_synced = 0

    def full(_descriptor: int) -> None:
        nonlocal n_synced
        if n_synced == n_good:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        n_synced += 1

    monkeypatch.setattr(os, "fsync", full)

    def write() -> None:
        with publishing_together(paths) as parts:
            for part in parts:
                part.write_bytes(b"new")

    with pytest.raises(OSError, match="No space"):
        write()
    assert {path.read_bytes() for path in paths} == {b"old"}
    assert sorted(tmp_path.iterdir()) == paths
    monkeypatch.undo()
    write()
    assert {path.read_bytes() for path in paths} == {b"new"}


def test_only_the_owner_reads_what_is_written(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_private_folder(tmp_path / "a" / "b")
        publish_bytes(tmp_path / "a" / "b" / "c", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "a" / "b" / "c").stat().st_mode & 0o777 == 0o600


def test_json_is_strict(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    publish_json(path, {"a": float("nan"), "b": [float("-inf"), 0.5, None, True], "\udcff": "ä\0"})

    def refuse(token: str) -> None:
        raise AssertionError(token)

    document = json.loads(path.read_text("utf-8"), parse_constant=refuse)
    assert document == {"a": None, "b": [None, 0.5, None, True], "\\xff": "ä\\x00"}


def test_a_refusal_of_the_system_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "no such folder" / "x"
    with pytest.raises(StoreError, match="No such file or directory") as caught, storing(path):
        publish_bytes(path, b"")
    assert str(path) in caught.value.message
    assert caught.value.advice


def test_what_a_crash_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".report.csv.abc.part").write_bytes(b"half")
    (tmp_path / "report.csv").write_bytes(b"whole")
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.csv"]


def test_a_file_that_could_not_be_is_refused_before_the_work(tmp_path: Path) -> None:
    check_file_can_be(tmp_path / "figures.json")
    with pytest.raises(UsageError, match="there is no folder"):
        check_file_can_be(tmp_path / "none" / "figures.json")
    with pytest.raises(UsageError, match="is a folder, expected a file"):
        check_file_can_be(tmp_path)


def test_a_file_of_another_kind_is_not_written_over(tmp_path: Path) -> None:
    for name, content in (
        ("list.json", "[1]"),
        ("other.json", '{"a": 1}'),
        ("deep.json", "[" * 100_000),
        ("table.csv", "path,statements"),
        ("empty", ""),
    ):
        path = tmp_path / name
        path.write_text(content, encoding="utf-8")
        check_file_can_be(path)
        with pytest.raises(UsageError, match="exists, and this command has not made it"):
            check_file_can_be(path, ("a", "b"))
    (tmp_path / "lost").symlink_to("nowhere")
    with pytest.raises(UsageError, match="exists, and this command has not made it"):
        check_file_can_be(tmp_path / "lost", ("a",))
    check_file_can_be(tmp_path / "other.json", ("a",))


def test_a_folder_that_could_not_be_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    for good in (tmp_path, tmp_path / "new", tmp_path / "new" / "er", Path(), Path("a/b")):
        check_folder_can_be(good)
    with pytest.raises(UsageError, match=r"file is no folder$"):
        check_folder_can_be(tmp_path / "file")
    with pytest.raises(UsageError, match="file is no folder: file/a/b cannot be made in it"):
        check_folder_can_be(Path("file/a/b"))
    # Whatever the file system says of a folder that may not be written to; root may all.
    monkeypatch.setattr(os, "access", lambda _path, mode: not mode & os.W_OK)
    with pytest.raises(StoreError, match="may not be written to"):
        check_folder_can_be(tmp_path / "new")
    with pytest.raises(StoreError, match="may not be written to"):
        check_file_can_be(tmp_path / "new.json")
