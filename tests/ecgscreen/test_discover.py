from __future__ import annotations

import os
from pathlib import Path

import pytest

from ecgscreen.discover import Discovery
from ecgscreen.found import Found
from ecgscreen.recording import SkipReason
from ecgscreen.shown_names import shown_name


def make(folder: Path, *names: str) -> None:
    """Make empty files, and a header's record line where it is a header."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = f"{path.stem} 1 100 10\n{path.stem}.dat 16\n" if path.suffix == ".hea" else ""
        path.write_bytes(os.fsencode(content))


def names_of(*roots: Path) -> list[str]:
    return [found.name for found in Discovery(roots)]


def problems_of(*roots: Path) -> dict[str, SkipReason]:
    return {found.name: found.problem.reason for found in Discovery(roots) if found.problem}


def test_a_header_and_its_signal_file_are_one_recording(tmp_path: Path) -> None:
    make(tmp_path, "b.hea", "b.dat", "a.hea", "a.mat", "sub/c.hea", "sub/c.dat")
    found = list(Discovery([tmp_path]))
    assert found == [
        Found(tmp_path / name, tmp_path, name, None) for name in ("a.hea", "b.hea", "sub/c.hea")
    ]


def test_names_come_in_byte_order_whatever_the_folders(tmp_path: Path) -> None:
    make(tmp_path, "ab.hea", "ab/x.hea", "ab-x.hea", "ab0.hea", "AB/z.hea", "a.hea", "z/a/b.hea")
    make(tmp_path, "\xe9.hea", "\u20ac/x.hea", "z.hea", "ab/x/y.hea", "ab/x-.hea")
    names = names_of(tmp_path)
    assert len(names) == 12
    assert names == sorted(names, key=str.encode)
    assert names_of(tmp_path) == names


def test_other_files_are_counted_not_listed(tmp_path: Path) -> None:
    make(tmp_path, "a.hea", "a.dat", "a.atr", "RECORDS", "LICENSE.txt", "ptbxl.csv", "notes.md")
    make(tmp_path, ".hidden.hea", ".git/x.hea", "empty.d/readme")
    discovery = Discovery([tmp_path])
    assert [found.name for found in discovery] == ["a.hea"]
    assert discovery.ignored == 8
    assert len(list(discovery)) == 1
    assert discovery.ignored == 8


def test_an_empty_folder_has_nothing(tmp_path: Path) -> None:
    discovery = Discovery([tmp_path])
    assert list(discovery) == []
    assert discovery.ignored == 0


def test_the_stream_is_lazy(tmp_path: Path) -> None:
    make(tmp_path, "a/x.hea", "b/y.hea")
    stream = iter(Discovery([tmp_path]))
    assert next(stream).name == "a/x.hea"
    make(tmp_path, "b/z.hea")
    assert [found.name for found in stream] == ["b/y.hea", "b/z.hea"]


def test_a_signal_file_without_header_is_a_problem(tmp_path: Path) -> None:
    make(tmp_path, "a.hea", "a.dat", "lost.dat", "lost.mat", "sub/a.dat")
    assert problems_of(tmp_path) == dict.fromkeys(
        ["lost.dat", "lost.mat", "sub/a.dat"], SkipReason.NO_HEADER
    )


def test_a_signal_file_of_another_name_belongs_to_the_header_that_names_it(
    tmp_path: Path,
) -> None:
    make(tmp_path, "a.dat", "limb.dat", "chest.dat", "lost.dat")
    (tmp_path / "a.hea").write_text("# lost.dat\na 2 100\nlimb.dat 16 1 I\n\nchest.dat 16 1 V1\n")
    assert names_of(tmp_path) == ["a.hea", "lost.dat"]
    (tmp_path / "a.hea").write_text("a 2 100\nlimb.dat\n\xff garbage (\nchest.dat 16\n")
    assert names_of(tmp_path) == ["a.hea", "lost.dat"]


def make_segments(folder: Path, *names: str) -> None:
    """Records of one lead and ten samples."""
    for name in names:
        (folder / f"{name}.hea").write_text(f"{name} 1 100 10\n{name}.dat 16 1/mV 16 0 0 0 0 II\n")
        (folder / f"{name}.dat").write_bytes(bytes(20))


WHOLE = "whole/4 1 100 25\nlay 0\ns1 10\n~ 5\ns2 10\n"


def test_segments_are_part_of_their_record(tmp_path: Path) -> None:
    make_segments(tmp_path, "s1", "s2", "other")
    (tmp_path / "lay.hea").write_text("lay 1 100 0\n~ 0 1/mV 16 0 0 0 0 II\n")
    (tmp_path / "whole.hea").write_text(WHOLE)
    assert names_of(tmp_path) == ["other.hea", "whole.hea"]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("whole/9\ns1\ns2\n", set()),
        (WHOLE.replace("s2 10", "s2 11"), set()),
        (WHOLE.replace("25", "26"), set()),
        (WHOLE.replace(" 100 ", " 200 "), set()),
        (WHOLE.replace("whole/4", "whole/3"), set()),
        (WHOLE.replace("s2", "gone"), set()),
        (WHOLE.replace("s2", "empty"), set()),
        ("whole/2 1 100 2\ns1 1\ns2 1\n", set()),
        ("whole/2 1 100 10\ns1 0\ns2 10\n", {"s2.hea"}),
    ],
)
def test_what_a_header_only_names_stays_a_recording(
    tmp_path: Path, text: str, part: set[str]
) -> None:
    make_segments(tmp_path, "s1", "s2", "empty")
    (tmp_path / "empty.dat").write_bytes(b"")
    (tmp_path / "lay.hea").write_text("lay 1 100 0\n~ 0 1/mV 16 0 0 0 0 II\n")
    (tmp_path / "whole.hea").write_text(text)
    all_headers = {"s1.hea", "s2.hea", "empty.hea", "lay.hea", "whole.hea"}
    assert {*names_of(tmp_path)} == all_headers - part


def test_a_header_takes_no_recording_of_another_format_away(tmp_path: Path) -> None:
    ishne = b"ISHNE1.0" + bytes(1000)
    (tmp_path / "holter.dat").write_bytes(ishne)
    (tmp_path / "a.hea").write_text("a 1 100 10\nholter.dat 16 1/mV 16 0 0 0 0 II\n")
    assert names_of(tmp_path) == ["a.hea", "holter.dat"]


def test_records_that_name_each_other_as_segments_stay(tmp_path: Path) -> None:
    (tmp_path / "a.hea").write_text("a/1 1 100 10\nb 10\n")
    (tmp_path / "b.hea").write_text("b/1 1 100 10\na 10\n")
    assert names_of(tmp_path) == ["a.hea", "b.hea"]


def test_what_is_no_regular_file_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "folder.hea").mkdir()
    make(tmp_path, "folder.hea/inside.hea", "folder.dat/inside.hea")
    os.mkfifo(tmp_path / "pipe.hea")
    os.mkfifo(tmp_path / "pipe.txt")
    assert names_of(tmp_path) == ["folder.dat/inside.hea", "folder.hea", "pipe.hea"]
    assert problems_of(tmp_path) == dict.fromkeys(["folder.hea", "pipe.hea"], SkipReason.NOT_A_FILE)


def test_links_are_followed_inside_the_folder_only(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    make(root, "real/a.hea", "real/a.dat", ".store/b")
    make(outside, "x.hea", "x.dat", "lost.dat", "readme.txt")
    (root / "inside.hea").symlink_to("real/a.hea")
    (root / "kept.hea").symlink_to(".store/b")
    for name in ("x.hea", "x.dat", "lost.dat", "readme.txt"):
        (root / name).symlink_to(outside / name)
    (root / "out").symlink_to(outside)
    (root / "out.hea").symlink_to(outside)
    (root / "dangling.hea").symlink_to("nothing")
    (root / "self.hea").symlink_to("self.hea")
    discovery = Discovery([root])
    assert [found.name for found in discovery if not found.problem] == [
        "inside.hea",
        "kept.hea",
        "readme.txt",  # nobody can tell what it is: reading it says where it leads
        "real/a.hea",
    ]
    assert problems_of(root) == {
        "dangling.hea": SkipReason.NOT_A_FILE,
        "lost.dat": SkipReason.OUTSIDE_FOLDER,
        "out.hea": SkipReason.OUTSIDE_FOLDER,
        "out/": SkipReason.OUTSIDE_FOLDER,
        "self.hea": SkipReason.NOT_A_FILE,
        "x.hea": SkipReason.OUTSIDE_FOLDER,
    }
    assert discovery.ignored == 1  # .store


def test_loops_of_links_end(tmp_path: Path) -> None:
    make(tmp_path, "a/x.hea", "b/y.hea")
    (tmp_path / "a" / "up").symlink_to("..")
    (tmp_path / "a" / "b").symlink_to("../b")
    (tmp_path / "b" / "a").symlink_to("../a")
    assert names_of(tmp_path) == ["a/x.hea", "b/y.hea"]


def test_deep_folders(tmp_path: Path) -> None:
    depth = 1200
    folder = tmp_path
    for _ in range(depth):
        folder = folder / "d"
        folder.mkdir()
    make(folder, "x.hea")
    try:
        assert names_of(tmp_path) == ["d/" * depth + "x.hea"]
    finally:  # what clears temporary folders recurses
        (folder / "x.hea").unlink()
        while folder != tmp_path:
            folder.rmdir()
            folder = folder.parent


def test_several_folders_are_told_apart_by_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "b/x.hea", "a/x.hea", "a-1/x.hea", "single.hea", "other.txt", "x.dat")
    monkeypatch.chdir(tmp_path)
    roots = [Path("b"), Path("a"), Path("a-1"), Path("single.hea")]
    assert names_of(*roots) == ["a-1/x.hea", "a/x.hea", "b/x.hea", "single.hea"]
    assert names_of(tmp_path / "b", Path("a")) == [f"{tmp_path}/b/x.hea", "a/x.hea"]
    assert names_of(Path("single.hea")) == ["single.hea"]
    assert problems_of(Path("other.txt"), Path("x.dat")) == {
        "other.txt": SkipReason.UNSUPPORTED,
        "x.dat": SkipReason.NO_HEADER,
    }


def test_a_folder_given_twice_counts_once(tmp_path: Path) -> None:
    make(tmp_path, "a/x.hea", "a/.h/y.hea")
    assert names_of(tmp_path, tmp_path) == [f"{tmp_path}/a/x.hea"]
    names = names_of(tmp_path / "a", tmp_path, tmp_path / "a" / "x.hea", tmp_path / "a" / ".h")
    assert names == [f"{tmp_path}/a/.h/y.hea", f"{tmp_path}/a/x.hea"]


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"new\nline\t.hea", "new\nline\t.hea"),
        ("\xe9\u20ac.hea".encode(), "\xe9\u20ac.hea"),
        (b"\xe9.hea", "\\xe9.hea"),
        (b"\\xe9.hea", "\\\\xe9.hea"),
        (b"\\\xe9.hea", "\\\\\\xe9.hea"),
        (b"\\\\xe9.hea", "\\\\\\\\xe9.hea"),
        (b"back\\slash.hea", "back\\slash.hea"),
        (b"=cmd.hea", "=cmd.hea"),
    ],
)
def test_strange_names_can_be_written_as_utf_8(tmp_path: Path, raw: bytes, shown: str) -> None:
    name = os.fsdecode(raw)
    make(tmp_path, name)
    (found,) = Discovery([tmp_path])
    assert found.name == shown_name(name) == shown
    assert found.path == tmp_path / name
    assert found.name.encode()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    make(tmp_path, "a/x.hea", "b.hea")
    (tmp_path / "a").chmod(0)
    assert problems_of(tmp_path) == {"a/": SkipReason.NO_PERMISSION}
    assert names_of(tmp_path) == ["a/", "b.hea"]
    (tmp_path / "a").chmod(0o700)


def test_a_folder_that_fails_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a/x.hea", "b.hea")
    scandir = os.scandir

    def fail_in_a(path: str) -> object:
        if path.endswith("/a"):
            raise PermissionError(13, "x")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", fail_in_a)
    assert names_of(tmp_path) == ["a/", "b.hea"]
    assert problems_of(tmp_path) == {"a/": SkipReason.NO_PERMISSION}
