"""Names and links that lead out of the folder: a row that says so, and nothing is opened there.

What they lead to would be scored if it were read, and the kernel is asked whether it was opened.
"""

from __future__ import annotations

import io
import os
import socket
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from ecgscreen.recording import SkipReason
from tests.ecgscreen.hostile.conftest import HEALTHY, Rows, write_healthy
from tests.ecgscreen.hostile.headers import header, samples, secret, write
from tests.watched import Watch

BadRows = Callable[[Path], Rows]


def reasons(rows: Rows) -> dict[str, str]:
    """The class of fault of every row, without what was found."""
    return {path: row["reason"].partition(":")[0] for path, row in rows.items()}


ABOVE_ALL = "../" * 40
"""Leads to the root of the file system from any folder of a test."""


@pytest.mark.parametrize("way", ["two up", "over the root"])
def test_a_header_that_names_a_file_above(bad_rows: BadRows, folder: Path, way: str) -> None:
    """Also as a segment, whose header lies there as well."""
    passwd = secret(folder.parent.parent / "etc" / "passwd")
    write(passwd.parent, header("passwd"), name="passwd")
    above = {
        "two up": "../../etc/passwd",
        "over the root": f"{ABOVE_ALL}{passwd.relative_to('/')}",
    }[way]
    assert (folder / above).read_bytes() == passwd.read_bytes()
    write(folder, header(above))
    write(folder, header(above, form="212"), name="packed")
    write(folder, f"up/1 12 500 5000\n{above} 5000\n", name="up")
    with Watch(passwd, passwd.with_suffix(".hea")) as watch:
        rows = bad_rows(folder)
        assert watch.opened() == set()
    names = ["packed.hea", "rec.hea", "up.hea"]
    assert reasons(rows) == dict.fromkeys(names, SkipReason.OUTSIDE_FOLDER)


def test_a_header_that_names_an_absolute_path(bad_rows: BadRows, folder: Path) -> None:
    elsewhere = secret(folder.parent / "private" / "rec.dat")
    write(elsewhere.parent, header("rec.dat"))
    write(folder, header(f"{elsewhere}"))
    write(folder, header(f"{elsewhere}", form="212"), name="packed")
    write(folder, f"part/1 12 500 5000\n{elsewhere.with_suffix('')} 5000\n", name="part")
    with Watch(elsewhere, elsewhere.with_suffix(".hea"), elsewhere.parent) as watch:
        rows = bad_rows(folder)
        assert watch.opened() == set()
    names = ["packed.hea", "part.hea", "rec.hea"]
    assert reasons(rows) == dict.fromkeys(names, SkipReason.OUTSIDE_FOLDER)


def test_a_header_that_names_a_file_of_the_system(bad_rows: BadRows, folder: Path) -> None:
    """Which anybody on the machine may open meanwhile: only the process that scans is asked."""
    write(folder, header("/etc/passwd"), name="absolute")
    write(folder, header(f"{ABOVE_ALL}etc/passwd"), name="above")
    write(folder, header("../../etc/passwd"), name="missing")
    names = ["above.hea", "absolute.hea", "missing.hea"]
    assert reasons(bad_rows(folder)) == dict.fromkeys(names, SkipReason.OUTSIDE_FOLDER)


def test_a_header_that_names_a_url(bad_rows: BadRows, folder: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.setblocking(False)
        address = f"127.0.0.1:{server.getsockname()[1]}"
        for name, url in {
            "a": f"http://{address}/rec.dat",
            "b": f"file://{folder.parent}/rec.dat",
            "c": f"s3://{address}/rec.dat",
        }.items():
            write(folder, header(url), name=name)
            write(folder, header(url, form="524"), name=f"{name}-flac")
            write(folder, f"{name}s/1 12 500 5000\n{url} 5000\n", name=f"{name}s")
        rows = bad_rows(folder)
        with pytest.raises(BlockingIOError):  # nobody has knocked
            server.accept()
    assert len(rows) == 9
    assert set(reasons(rows).values()) == {SkipReason.OUTSIDE_FOLDER}


def test_a_folder_named_like_a_url_is_only_a_folder(bad_rows: BadRows, folder: Path) -> None:
    """The wfdb package takes such a path for the address of a cloud."""
    (folder / "s3::bucket").mkdir()
    write(folder / "s3::bucket", header(form="212"), samples())
    assert reasons(bad_rows(folder)) == {"s3::bucket/rec.hea": SkipReason.UNSUPPORTED}


@pytest.mark.parametrize("kind", ["pipe", "zero"])
def test_a_pipe_or_a_device_is_not_opened(bad_rows: BadRows, folder: Path, kind: str) -> None:
    """A pipe without a writer never ends, and neither does /dev/zero."""
    expected = {}
    files = {
        "header.hea": "header.hea",
        "signals.hea": "signals.dat",
        "packed.hea": "packed.dat",
        "part.hea": "segment.hea",
        "dicom.dcm": "dicom.dcm",
        "table.csv": "table.csv",
        "side.csv": "side.json",
        "array.hdf5": "array.hdf5",
    }
    write(folder, header("signals.dat"), name="signals")
    write(folder, header("packed.dat", form="212"), name="packed")
    write(folder, "part/1 12 500 5000\nsegment 5000\n", name="part")
    (folder / "table.json").write_text('{"sampling_rate": 500}')
    (folder / "side.csv").write_text("I,II\n" + "0,0\n" * 5000)
    for row, name in files.items():
        if kind == "pipe":
            os.mkfifo(folder / name)
        else:
            (folder / name).symlink_to("/dev/zero")
        expected[row] = {SkipReason.NOT_A_FILE, SkipReason.OUTSIDE_FOLDER}
    expected["segment.hea"] = expected["header.hea"]
    found = reasons(bad_rows(folder))
    assert found.keys() == expected.keys()
    assert {row for row, reason in found.items() if reason not in expected[row]} == set()


def test_a_link_that_leaves_the_folder(bad_rows: BadRows, folder: Path) -> None:
    outside = folder.parent / "private"
    write_healthy(outside)
    (outside / "healthy.hea").rename(outside / "theirs.hea")
    np.save(outside / "array.npy", np.zeros((2, 5000)))
    with h5py.File(outside / "ecg.h5", "w") as file:
        file["ecg"] = np.zeros((12, 5000), np.float32)
    (outside / "plain.xml").write_text("<AnnotatedECG/>")
    for name in ("theirs.hea", "ecg.h5", "array.npy", "plain.xml"):
        (folder / name).symlink_to(outside / name)
    (folder / "array.json").write_text('{"sampling_rate": 500, "leads": ["I", "II"], "unit": "mV"}')
    (folder / "linked").symlink_to(outside)
    (folder / "rec.dat").symlink_to(outside / "healthy.dat")
    write(folder, header())
    (folder / "packed.dat").symlink_to(outside / "healthy.dat")
    write(folder, header("packed.dat", form="212"), name="packed")
    (folder / "odd.dat").symlink_to(outside / "healthy.dat")
    write(folder, header("odd.dat"), name="named")
    with Watch(outside, *outside.iterdir()) as watch:
        rows = bad_rows(folder)
        assert watch.opened() == set()
    names = ["array.npy", "ecg.h5", "linked/", "named.hea", "packed.hea", "plain.xml", "rec.hea"]
    names.append("theirs.hea")
    assert reasons(rows) == dict.fromkeys(names, SkipReason.OUTSIDE_FOLDER)


def test_a_loop_of_links(bad_rows: BadRows, folder: Path) -> None:
    (folder / "day" / "night").mkdir(parents=True)
    (folder / "day" / "night" / "day").symlink_to("../..")
    (folder / "day" / "up").symlink_to(folder)
    (folder / "one.hea").symlink_to("two.hea")
    (folder / "two.hea").symlink_to("one.hea")
    (folder / "rec.dat").symlink_to("rec.dat")
    write(folder, header())
    names = ["one.hea", "rec.hea", "two.hea"]
    assert reasons(bad_rows(folder)) == dict.fromkeys(names, SkipReason.NOT_A_FILE)


def test_hdf5_that_keeps_its_samples_elsewhere(bad_rows: BadRows, folder: Path) -> None:
    outside = folder.parent / "private"
    outside.mkdir()
    ecg = np.zeros((12, 5000), np.float32)
    (outside / "raw").write_bytes(ecg.tobytes())
    with h5py.File(outside / "other.h5", "w") as file:
        file["ecg"] = ecg
    with h5py.File(folder / "link.h5", "w") as file:
        file["ecg"] = h5py.ExternalLink(str(outside / "other.h5"), "ecg")
    with h5py.File(folder / "raw.h5", "w") as file:
        file.create_dataset(
            "ecg", ecg.shape, "f4", external=[(str(outside / "raw"), 0, ecg.nbytes)]
        )
    layout = h5py.VirtualLayout(ecg.shape, "f4")
    layout[:] = h5py.VirtualSource(str(outside / "other.h5"), "ecg", ecg.shape)
    with h5py.File(folder / "virtual.h5", "w") as file:
        file.create_virtual_dataset("ecg", layout)
    with Watch(*outside.iterdir()) as watch:
        rows = bad_rows(folder)
        assert watch.opened() == set()
    names = ["link.h5", "raw.h5", "virtual.h5"]
    assert reasons(rows) == dict.fromkeys(names, SkipReason.UNSUPPORTED)


@pytest.mark.parametrize("root", ["AnnotatedECG", "restingecgdata", "RestingECG", "ECG"])
def test_xml_with_entities_of_another_file(bad_rows: BadRows, folder: Path, root: str) -> None:
    outside = folder.parent / "private"
    outside.write_text("zyx")
    (folder / "a.xml").write_text(
        f'<?xml version="1.0"?><!DOCTYPE {root} [<!ENTITY a SYSTEM "file://{outside}">]>'
        f"<{root}>&a;</{root}>"
    )
    with Watch(outside) as watch:
        (row,) = bad_rows(folder).values()
        assert watch.opened() == set()
    assert "zyx" not in row["reason"]


def test_an_archive_that_leads_out(bad_rows: BadRows, folder: Path) -> None:
    """Headers, names and links in archives, which are read in place."""
    private = secret(folder.parent / "private" / "rec.dat")
    good = header().encode()
    with zipfile.ZipFile(folder / "zip.zip", "w") as archive:
        archive.writestr("names.hea", header("../../private/rec.dat"))
        archive.writestr("absolute.hea", header(f"{private}"))
        archive.writestr("../../private/up.hea", good)
        archive.writestr("beside.hea", header("healthy.dat"))
    with tarfile.open(folder / "tar.tar", "w") as archive:
        for name, kind, target in (
            ("link.hea", tarfile.SYMTYPE, str(folder / HEALTHY)),
            ("hard.hea", tarfile.LNKTYPE, "../healthy.hea"),
            ("pipe.hea", tarfile.FIFOTYPE, ""),
            ("zero.hea", tarfile.CHRTYPE, ""),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)
        member = tarfile.TarInfo("linked.hea")
        member.size = len(good)
        archive.addfile(member, io.BytesIO(good.replace(b"rec.dat", b"out.dat")))
        member = tarfile.TarInfo("out.dat")
        member.type, member.linkname = tarfile.SYMTYPE, str(private)
        archive.addfile(member)
    with Watch(private, private.parent) as watch:
        rows = bad_rows(folder)
        assert watch.opened() == set()
    assert reasons(rows) == {
        "tar.tar": SkipReason.NOT_A_FILE,
        "tar.tar/linked.hea": SkipReason.NO_SIGNAL_FILE,
        "zip.zip": SkipReason.NOT_A_FILE,
        "zip.zip/absolute.hea": SkipReason.OUTSIDE_FOLDER,
        "zip.zip/beside.hea": SkipReason.NO_SIGNAL_FILE,
        "zip.zip/names.hea": SkipReason.OUTSIDE_FOLDER,
    }
    assert sorted(private.parent.iterdir()) == [private]
