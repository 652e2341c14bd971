"""Files of no known format that may be recordings, cut or compressed: none is passed over."""

from __future__ import annotations

import bz2
import gzip
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from ecgscreen.discover import Discovery
from ecgscreen.readers.formats import HEAD_BYTES
from ecgscreen.recording import Recording, SkipReason
from tests.ecgscreen.formats import binary, xml
from tests.ecgscreen.formats.skipped import skipped

AECG = b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- a <b> --><hl7:AnnotatedECG xmlns:hl7="x"></hl7:A>'
OTHER = b'<?xml version="1.0"?><worklist><AnnotatedECG/></worklist>'
LONG = b"<?xml version='1.0'?><!-- " + b"x" * HEAD_BYTES
SUBSET = b'<?xml version="1.0"?><!DOCTYPE RestingECG [<!ENTITY a "b">'


def reasons(folder: Path) -> dict[str, SkipReason]:
    """Of what the walk finds, none of which can be read; the walk and the reader agree."""
    found = list(Discovery([folder]))
    assert all(one.problem is None for one in found)
    return {one.name: skipped(one.path).reason for one in found}


def n_ignored(folder: Path) -> int:
    discovery = Discovery([folder])
    list(discovery)
    return discovery.ignored


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be"])
def test_xml_cut_anywhere_is_a_row(tmp_path: Path, encoding: str) -> None:
    text = '<?xml version="1.0"?>\n<!-- a -->\n<!DOCTYPE RestingECG SYSTEM "a.dtd">\n<RestingECG>'
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    whole = mark + text.encode(encoding)
    for n in range(len(whole) + 1):
        (tmp_path / "cut.XML").write_bytes(whole[:n])
        ((name, reason),) = reasons(tmp_path).items()
        assert name == "cut.XML"
        # As soon as the root's name is there, it is the parser that refuses it.
        assert reason in {SkipReason.TRUNCATED, SkipReason.BAD_CONTENT}
        is_told = "<RestingECG" in whole[:n].removeprefix(mark).decode(encoding, errors="ignore")
        assert (reason is SkipReason.BAD_CONTENT) is is_told


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" \r\n\t",
        b"\xef\xbb\xbf\n",
        b'<?xml version="1.0"?>\n<!-- only this -->\n<?and this?>',
        b"<worklist",
        b"<ns:",
        SUBSET,
        bytes(9),
        bytes(3 * HEAD_BYTES),
        AECG[:50] + bytes(5000),
    ],
)
def test_xml_that_ends_before_it_says_what_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(content)
    assert reasons(tmp_path) == {"a.xml": SkipReason.TRUNCATED}
    assert n_ignored(tmp_path) == 0
    n = len(content.rstrip(b"\0"))
    assert skipped(path).detail == (
        f"{n} bytes of XML, which end before it can be told whether it is an ECG"
    )


@pytest.mark.parametrize(
    "content",
    [
        OTHER,
        OTHER[:35],
        b"<worklist/>",
        b"<worklist ",
        b'<!DOCTYPE html SYSTEM "odd[1]"><html/>',
        b"<!doctype html>",
        b"<![CDATA[",
        b"</ECG>",
        b"no XML at all",
        "<list>\n".encode("utf-16"),
        OTHER + bytes(100),
        LONG,
        b" " * HEAD_BYTES + b" <AnnotatedECG/>",
    ],
)
def test_other_xml_stays_ignored(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.xml").write_bytes(content)
    (tmp_path / "a.xml.gz").write_bytes(gzip.compress(content + b"\n" * 9))
    assert reasons(tmp_path) == {}
    assert n_ignored(tmp_path) == 2


def test_what_is_no_xml_by_its_name_may_be_empty(tmp_path: Path) -> None:
    for name in ("a", "a.txt", "a.gz", "a.txt.gz", "xml", "a.xmls"):
        (tmp_path / name).write_bytes(b"")
    assert reasons(tmp_path) == {}
    assert n_ignored(tmp_path) == 6


@pytest.mark.parametrize("name", ["a.scp", "a.ecg", "a.dcm", "a.EDF", "a.h5", "a.hdf5", "a.hea"])
@pytest.mark.parametrize("suffix", [".gz", ".GZ", ".bz2", ".xz", ".zst", ".Z"])
def test_a_name_that_promises_a_recording_promises_one_compressed(
    tmp_path: Path, name: str, suffix: str
) -> None:
    path = tmp_path / f"{name}{suffix}"
    for content in (b"", b"anything", gzip.compress(b"anything"), b"\x1f\x8b\x08 damaged"):
        path.write_bytes(content)
        assert reasons(tmp_path) == {path.name: SkipReason.UNSUPPORTED}
        assert skipped(path).detail == "it is compressed, which is not read: decompress it"


def test_compressed_content_is_recognised_whatever_the_name(
    tmp_path: Path, simulated: Recording
) -> None:
    written = [writes(simulated, tmp_path) for writes in (binary.write_scp, xml.write_aecg)]
    contents = [path.read_bytes() for path in written]
    for path in written:
        path.unlink()
    packed = {
        "scp": gzip.compress(contents[0]),
        "a.gz": gzip.compress(contents[0]),
        "a.xml": gzip.compress(contents[1]),
        "b.xml.gz": gzip.compress(contents[1]),
        "b.xml.GZ": gzip.compress(b"") + gzip.compress(contents[1][:50]) + gzip.compress(AECG),
        "cut.dat": gzip.compress(contents[1])[:300],
    }
    for name, content in packed.items():
        (tmp_path / name).write_bytes(content)
    assert reasons(tmp_path) == dict.fromkeys(sorted(packed), SkipReason.UNSUPPORTED)


def test_compressed_xml_is_told_as_xml_is(tmp_path: Path) -> None:
    whole = gzip.compress(AECG, mtime=0)
    damaged = whole[:10] + b"\xff" + whole[11:]
    contents = {
        "cut.xml.gz": (gzip.compress(AECG[:30]), SkipReason.TRUNCATED),
        "damaged.xml.gz": (damaged, SkipReason.BAD_CONTENT),
        "ends.xml.gz": (whole[:14], SkipReason.TRUNCATED),
        "mark.xml.gz": (b"\x1f", SkipReason.TRUNCATED),
        "none.xml.bz2": (b"", SkipReason.TRUNCATED),
        "none.xml.gz": (b"", SkipReason.TRUNCATED),
        "nothing.xml.gz": (gzip.compress(b""), SkipReason.TRUNCATED),
        "plain.xml.gz": (SUBSET, SkipReason.TRUNCATED),
        "spoilt.xml.gz": (gzip.compress(AECG[:30]) + b"rest", SkipReason.TRUNCATED),
        "zeros.xml.gz": (gzip.compress(bytes(99)), SkipReason.TRUNCATED),
    }
    ignored = {
        "damaged.txt.gz": damaged,
        "list.xml.gz": gzip.compress(OTHER),
        "list.xml.bz2": bz2.compress(OTHER),
        "long.xml.gz": gzip.compress(LONG),
        "members.xml.gz": gzip.compress(OTHER[:20]) + gzip.compress(OTHER[20:]),
        "stored.xml.gz": gzip.compress(b" " * 9 + LONG + OTHER, 0),
    }
    for name, content in ignored.items():
        (tmp_path / name).write_bytes(content)
    for name, (content, _) in contents.items():
        (tmp_path / name).write_bytes(content)
    assert reasons(tmp_path) == {name: reason for name, (_, reason) in contents.items()}
    assert n_ignored(tmp_path) == len(ignored)


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_bytes(b"1")


def test_what_belongs_to_a_compressed_recording_has_no_row_of_its_own(tmp_path: Path) -> None:
    make(tmp_path, "a.hea", "a.dat.gz", "b.hea.gz", "b.dat.gz", "b.mat.gz", "c.dat.gz", "d.atr.gz")
    make(tmp_path, "t.csv.gz", "t.json", "u.npy.xz", "u.json", "table.csv.gz", "other.json")
    discovery = Discovery([tmp_path])
    found = {one.name: one.files for one in discovery}
    assert list(found) == ["a.hea", "b.hea.gz", "c.dat.gz", "t.csv.gz", "u.npy.xz"]
    assert [file.name for file in found["t.csv.gz"]] == ["t.csv.gz", "t.json"]
    assert discovery.ignored == 3  # d.atr.gz, table.csv.gz, other.json
    for name in list(found)[1:]:
        assert skipped(tmp_path / name).reason is SkipReason.UNSUPPORTED


def test_a_copy_that_was_kept_has_no_row_beside_that_of_its_recording(tmp_path: Path) -> None:
    make(tmp_path, "a.hea", "limb.dat", "b.edf", "t.csv", "t.json", "lost.dat", "x.txt")
    (tmp_path / "a.hea").write_text("a 1 100 10\nlimb.dat 16\n")
    names = [found.name for found in Discovery([tmp_path])]
    copies = ["a.hea.gz", "limb.dat.gz", "b.edf.xz", "t.csv.gz", "lost.dat.gz", "x.txt.gz"]
    make(tmp_path, *copies)
    assert [found.name for found in Discovery([tmp_path])] == names
    assert n_ignored(tmp_path) == 1 + len(copies)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_members_of_archives_are_told_too(tmp_path: Path, kind: str) -> None:
    members = {"a.xml": b"<?xml", "b.xml.gz": gzip.compress(AECG), "c.xml": OTHER}
    archive = tmp_path / f"night.{kind}"
    for name, content in members.items():
        (tmp_path / name).write_bytes(content)
    with zipfile.ZipFile(archive, "w") if kind == "zip" else tarfile.open(archive, "w") as packed:
        for name in members:
            add = packed.write if isinstance(packed, zipfile.ZipFile) else packed.add
            add(tmp_path / name, name)
            (tmp_path / name).unlink()
    assert reasons(tmp_path) == {
        f"night.{kind}/a.xml": SkipReason.TRUNCATED,
        f"night.{kind}/b.xml.gz": SkipReason.UNSUPPORTED,
    }
    assert n_ignored(tmp_path) == 1


def test_ordinary_records_are_found_without_opening_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "a.hea", "a.dat", "b.hea", "b.mat")
    opened: list[str] = []
    system_open = os.open

    def noting(path: str, flags: int) -> int:
        opened.append(Path(path).name)
        return system_open(path, flags)

    monkeypatch.setattr(os, "open", noting)
    assert len(list(Discovery([tmp_path]))) == 2
    assert opened == []
    make(tmp_path, "c.atr", "d.xml", "e.xml.gz")
    assert len(list(Discovery([tmp_path]))) == 2
    assert sorted(opened) == ["c.atr", "d.xml", "e.xml.gz"]
