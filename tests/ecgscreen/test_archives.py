"""Zip and tar are folders: read in place, with caps, and nothing of them is left behind."""

from __future__ import annotations

import io
import lzma
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from ecgscreen.discover import Discovery
from ecgscreen.found import Found
from ecgscreen.locate import open_shown
from ecgscreen.readers import archive_files, archive_listing, read_recording
from ecgscreen.readers.archives import archived, is_archive
from ecgscreen.readers.opened import noting
from ecgscreen.readers.pieces import Pieces
from ecgscreen.recording import Recording, SkippedRecording, SkipReason
from ecgscreen.simulate import Rhythm, SimulationSettings, simulate
from ecgscreen.simulate.wfdb_writer import write_wfdb
from tests.ecgscreen.formats.tables import write_csv

HEART = simulate(SimulationSettings(Rhythm.SINUS, sampling_rate=100.0)).recording
MODES = {
    ".tar": "w",
    ".gz": "w:gz",
    ".tgz": "w:gz",
    ".bz2": "w:bz2",
    ".tbz2": "w:bz2",
    ".xz": "w:xz",
    ".txz": "w:xz",
}
TARS = tuple(f"night{'.tar' * (suffix in {'.gz', '.bz2', '.xz'})}{suffix}" for suffix in MODES)
FORMS = ("night.zip", *TARS)


@pytest.fixture(autouse=True)
def temporary(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Where temporary files go; nothing is left there."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    archive_files.close_last()


@pytest.fixture(scope="module")
def loose(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two WFDB records, one with segments, one with a signal file of another name; a table."""
    folder = tmp_path_factory.mktemp("loose")
    (folder / "ward").mkdir()
    for name in ("ward/rec001", "ward/rec002", "part"):
        write_wfdb(HEART, folder / Path(name).parent, Path(name).name)
    (folder / "ward/rec002.dat").rename(folder / "ward/other.dat")
    header = folder / "ward/rec002.hea"
    header.write_text(header.read_text().replace("rec002.dat", "other.dat"))
    (folder / "whole.hea").write_text("whole/2 12 100 2000\npart 1000\npart 1000\n")
    write_csv(HEART, folder)
    (folder / "notes.txt").write_text("no recording")
    return folder


def pack(loose: Path, path: Path) -> Path:
    files = sorted(file for file in loose.rglob("*") if file.is_file())
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                archive.write(file, str(file.relative_to(loose)))
    else:
        with tarfile.open(path, MODES[path.suffix]) as tar:  # type: ignore[call-overload] # a text
            for file in files:
                tar.add(file, f"./{file.relative_to(loose)}")
    return path


def found_in(folder: Path) -> list[Found]:
    return list(Discovery([folder]))


def read(found: Found) -> Recording:
    recording = read_recording(found.path, found.root)
    assert isinstance(recording, Recording), recording
    return recording


@pytest.mark.parametrize("name", FORMS)
def test_an_archive_is_the_folder_that_was_packed(
    loose: Path, tmp_path: Path, temporary: Path, name: str
) -> None:
    pack(loose, tmp_path / name)
    outside, inside = Discovery([loose]), Discovery([tmp_path])
    expected, found = list(outside), list(inside)
    assert [each.name for each in found] == [f"{name}/{each.name}" for each in expected]
    assert inside.ignored == outside.ignored == 1
    for one, other in zip(found, expected, strict=True):
        assert one.problem is None
        recording = read(one)
        assert recording.path == one.path
        assert np.array_equal(recording.signal, read(other).signal)
        assert one.files[0].name == name
    assert list(temporary.iterdir()) == []


def test_it_stands_in_its_place_among_folders(loose: Path, tmp_path: Path) -> None:
    pack(loose, tmp_path / "b.zip")
    for folder in ("a", "c"):
        (tmp_path / folder).mkdir()
        write_wfdb(HEART, tmp_path / folder, "rec")
    names = [each.name for each in found_in(tmp_path)]
    assert names == sorted(names)
    assert names[0] == "a/rec.hea"
    assert names[1].startswith("b.zip/")


def test_one_that_is_given_itself_is_walked_and_found_again(loose: Path, tmp_path: Path) -> None:
    archive = pack(loose, tmp_path / "night.zip")
    for roots in ((archive,), (tmp_path,)):
        found = list(Discovery(roots))
        assert len(found) == 4
        for each in found:
            opened = open_shown(each.name, roots)
            assert isinstance(opened, Pieces), opened
            assert opened.whole.path == each.path
            assert np.isfinite(opened.read(0, 10)).all()


def test_what_was_unpacked_is_no_file_of_the_recording(loose: Path, tmp_path: Path) -> None:
    pack(loose, tmp_path / "night.zip")
    (one, *_) = found_in(tmp_path)
    with noting() as noted:
        read(one)
    assert noted.stamps(one.files, one.root) == one.files
    assert len(noted.sha256) == 64


def zip_of(path: Path, *members: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def tar_of(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def record() -> list[tuple[str, bytes]]:
    with tempfile.TemporaryDirectory() as folder:
        header = write_wfdb(HEART, Path(folder), "rec")
        return [(name, header.with_name(name).read_bytes()) for name in ("rec.hea", "rec.dat")]


def with_largest_dictionary(packed: bytes) -> bytes:
    """The same with 4 GiB asked for (The .xz File Format 1.2.1, 3.1 and 5.3.1)."""
    header = bytearray(packed[12:24])
    header[4] = 40
    header[8:] = zlib.crc32(header[:8]).to_bytes(4, "little")
    return packed[:12] + header + packed[24:]


def test_xz_of_several_streams_and_one_that_asks_for_too_much(loose: Path, tmp_path: Path) -> None:
    plain = pack(loose, tmp_path / "night.tar")
    content = plain.read_bytes()
    plain.unlink()
    half = len(content) // 2
    packed = lzma.compress(content[:half]) + bytes(8) + lzma.compress(content[half:]) + bytes(4)
    (tmp_path / "night.tar.xz").write_bytes(packed)
    assert len([read(each) for each in found_in(tmp_path)]) == 4
    (tmp_path / "night.tar.xz").write_bytes(with_largest_dictionary(lzma.compress(content)))
    (refused,) = found_in(tmp_path)
    assert refused.problem is not None
    assert refused.problem.reason is SkipReason.TOO_LARGE
    assert "134217728 bytes of memory" in refused.problem.detail


@pytest.mark.parametrize(
    "name", ["../evil.hea", "/etc/evil.hea", "a/../../evil.hea", "..\\evil.hea", "a//b.hea"]
)
def test_names_that_lead_out_are_refused_and_the_rest_is_read(tmp_path: Path, name: str) -> None:
    zip_of(tmp_path / "night.zip", (name, b"evil 1 100 10\n"), *record())
    refused, good = found_in(tmp_path)
    assert refused.name == "night.zip"
    assert refused.problem is not None
    assert refused.problem.detail.endswith("1 whose name leads out of it or is none")
    assert good.name == "night.zip/rec.hea"
    assert read(good).signal.shape == (12, 1000)
    assert not (tmp_path / "evil.hea").exists()


def test_links_and_devices_are_refused(tmp_path: Path) -> None:
    kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE)
    members = []
    for number, kind in enumerate(kinds):
        member = tarfile.TarInfo(f"rec{number}.hea")
        member.type, member.linkname = kind, "/etc/passwd"
        members.append(member)
    tar_of(tmp_path / "night.tar", *members)
    (refused,) = found_in(tmp_path)
    assert refused.problem is not None
    assert refused.problem.detail.endswith("4 that are no plain files")
    (tmp_path / "night.tar").unlink()
    link = zipfile.ZipInfo("rec.hea")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "night.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    (refused,) = found_in(tmp_path)
    assert refused.problem is not None
    assert refused.problem.reason is SkipReason.NOT_A_FILE


def test_of_a_name_that_stands_twice_none_is_read(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        zip_of(tmp_path / "night.zip", *record(), *record())
    (refused,) = found_in(tmp_path)
    assert refused.problem is not None
    assert refused.problem.detail.endswith("4 whose name stands twice")
    zip_of(tmp_path / "night.zip", ("rec.hea", b"x"), ("rec.hea/inner.hea", b"y"))
    refused, _ = found_in(tmp_path)
    assert refused.problem is not None
    assert "whose name is a folder's too" in refused.problem.detail


@pytest.mark.parametrize("name", FORMS)
def test_a_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, temporary: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_listing, "RATIO_COUNTS_FROM", 1 << 20)
    monkeypatch.setattr(archive_listing, "MAX_UNPACKED_BYTES", 1 << 22)
    zeros = tmp_path / "zeros" / "rec.dat"
    zeros.parent.mkdir()
    zeros.write_bytes(b"\0" * (5 << 20))
    packed = tmp_path / "in"
    packed.mkdir()
    pack(zeros.parent, packed / name)
    (refused,) = found_in(packed)
    assert refused.problem is not None
    assert refused.problem.reason is SkipReason.TOO_LARGE
    assert list(temporary.iterdir()) == []


def test_a_hundred_thousand_members_are_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_listing, "MAX_MEMBERS", 99_999)
    with zipfile.ZipFile(tmp_path / "night.zip", "w") as archive:
        for number in range(100_000):
            archive.writestr(zipfile.ZipInfo(f"{number}.txt"), b"")
    (refused,) = found_in(tmp_path)
    assert refused.problem is not None
    assert refused.problem.detail == ("an archive with more than 99999 members, the limit is 99999")
    monkeypatch.setattr(archive_files, "MAX_DIRECTORY_BYTES", 1000)
    archive_files.close_last()
    (refused,) = found_in(tmp_path)
    assert refused.problem is not None
    assert "a table of contents of" in refused.problem.detail


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def spoil(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[600:700] = bytes(100)
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [cut, spoil, lambda path: path.write_bytes(b"no archive")])
@pytest.mark.parametrize("name", FORMS)
def test_a_damaged_archive_is_rows_with_a_reason(
    loose: Path, tmp_path: Path, temporary: Path, name: str, damage: Callable[[Path], None]
) -> None:
    damage(pack(loose, tmp_path / name))
    for found in found_in(tmp_path):
        if found.problem is None:
            outcome = read_recording(found.path, found.root)
            assert isinstance(outcome, Recording | SkippedRecording)
        else:
            assert found.problem.detail
    assert list(temporary.iterdir()) == []


def test_a_password_is_said(tmp_path: Path) -> None:
    zip_of(tmp_path / "night.zip", *record())
    content = bytearray((tmp_path / "night.zip").read_bytes())
    entry = content.find(b"PK\1\2")
    content[entry + 8] |= 1
    (tmp_path / "night.zip").write_bytes(content)
    refused, *_ = found_in(tmp_path)
    assert refused.problem is not None
    assert refused.problem.detail.endswith("1 with a password")


def test_archives_in_archives_and_empty_ones_are_ignored(loose: Path, tmp_path: Path) -> None:
    inner = pack(loose, tmp_path / "inner.zip").read_bytes()
    (tmp_path / "inner.zip").unlink()
    zip_of(tmp_path / "outer.zip", ("inner.zip", inner))
    zip_of(tmp_path / "empty.zip")
    discovery = Discovery([tmp_path])
    assert list(discovery) == []
    assert discovery.ignored == 2


def test_a_member_that_went_is_vanished(loose: Path, tmp_path: Path) -> None:
    archive = pack(loose, tmp_path / "night.zip")
    gone = read_recording(archive / "ward" / "none.hea", tmp_path)
    assert isinstance(gone, SkippedRecording)
    assert gone.reason is SkipReason.VANISHED


def test_a_link_to_an_archive_outside_is_refused(loose: Path, tmp_path: Path) -> None:
    pack(loose, tmp_path / "night.zip")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link.zip").symlink_to(tmp_path / "night.zip")
    (refused,) = found_in(tmp_path / "in")
    assert refused.problem is not None
    assert refused.problem.reason is SkipReason.OUTSIDE_FOLDER


def test_what_is_an_archive_by_its_name(tmp_path: Path) -> None:
    assert is_archive("a.ZIP")
    assert is_archive("a.tar.gz")
    assert not is_archive("a.zip.hea")
    assert not is_archive("a.gz")
    (tmp_path / "folder.zip").mkdir()
    assert archived(tmp_path / "folder.zip" / "rec.hea") is None


def small_zip(content: bytes, method: int) -> bytearray:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("x.hea"), content, method)
    return bytearray(buffer.getvalue())


def lzma_spoiled() -> bytes:
    content = small_zip(bytes(range(256)) * 9, zipfile.ZIP_LZMA)
    content[60] ^= 0x55
    return bytes(content)


def nameless() -> bytes:
    """The name counts as the comment that stands behind it."""
    content = small_zip(b"x 1 100", zipfile.ZIP_STORED)
    entry = content.find(b"PK\1\2")
    content[entry + 28 : entry + 34] = b"\0\0\0\0\5\0"
    return bytes(content)


@pytest.mark.parametrize("make", [lzma_spoiled, nameless])
def test_what_the_library_does_not_expect_is_a_row(
    tmp_path: Path, make: Callable[[], bytes]
) -> None:
    (tmp_path / "night.zip").write_bytes(make())
    (found,) = Discovery([tmp_path])
    assert found.problem is not None
    assert found.problem.reason is SkipReason.BAD_CONTENT
    assert found.problem.detail.startswith("the archive is damaged (")
