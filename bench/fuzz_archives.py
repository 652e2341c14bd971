"""Spoiled zip and tar archives of recordings."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import warnings
import zipfile
from pathlib import Path
from random import Random

from bench.fuzz_mutate import spoil_bytes
from bench.fuzz_target import Target, scan_folder
from bench.fuzz_wfdb import N_SAMPLES, RATE, samples

_NAMES = (
    *("ward/rec.hea", "../rec.hea", "/etc/passwd", "./rec.hea", "rec.hea/", "rec.hea", "..", ""),
    *(
        "a/../../rec.hea",
        "C:\\rec.hea",
        "rec.zip",
        "n" * 300,
        "a\0b.hea",
        "\N{BULLET}.hea",
        "rec.dat",
    ),
)
_ZEROS = bytes(80_000_000)


def _members(rng: Random) -> list[tuple[str, bytes]]:
    lines = [f"rec 3 {RATE} {N_SAMPLES}"]
    lines += [f"rec.dat 16 1000(0)/mV 16 0 0 0 0 {lead}" for lead in ("I", "II", "V1")]
    members = [("rec.hea", "\n".join(lines).encode()), ("rec.dat", samples(3))]
    if rng.random() < 0.3:
        members.append((rng.choice(_NAMES), b"# nothing\n"))
    if rng.random() < 0.3:
        place = rng.randrange(len(members))
        name, content = members[place]
        members[place] = (name, spoil_bytes(rng, content))
    if rng.random() < 0.02:
        members.append(("zeros.dat", _ZEROS))
    return members


def write_zip(rng: Random, folder: Path) -> None:
    """A zip with odd names, methods and links; its directory, or all of it, may be spoiled."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that stands twice
        for name, content in _members(rng):
            info = zipfile.ZipInfo(name or "a")
            info.external_attr = rng.choice((0, 0, 0, 0o100600, 0o120777, 0o010600)) << 16
            method = rng.choice((0, 8, 8, 8, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
            archive.writestr(info, content, 8 if content is _ZEROS else method)
    content = buffer.getvalue()
    way = rng.randrange(3)
    if way == 0:
        content = content[:-300] + spoil_bytes(rng, content[-300:])
    elif way == 1:
        content = spoil_bytes(rng, content)
    (folder / "night.zip").write_bytes(content)


def write_tar(rng: Random, folder: Path) -> None:
    """A tar, packed or not, with links and devices; spoiled half of the time."""
    buffer = io.BytesIO()
    suffix = rng.choice(("", "", "gz", "bz2", "xz"))
    with tarfile.open(fileobj=buffer, mode="w", format=rng.choice((0, 1, 2))) as archive:
        for name, content in _members(rng):
            info = tarfile.TarInfo(name or "a")
            info.size = len(content)
            if rng.random() < 0.1:
                info.type = rng.choice((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE))
                info.linkname, info.size = (
                    rng.choice(("/etc/passwd", "../outside.dat", "rec.dat")),
                    0,
                )
            try:
                archive.addfile(info, io.BytesIO(content[: info.size]))
            except ValueError:  # a name that this format has no room for
                continue
    content = buffer.getvalue()
    if rng.random() < 0.5:
        content = spoil_bytes(rng, content[:1024]) + content[1024:]
    if suffix == "gz":
        content = gzip.compress(content, 1, mtime=0)
    elif suffix == "bz2":
        content = bz2.compress(content, 1)
    elif suffix:
        content = lzma.compress(content, preset=0)
    if rng.random() < 0.2:
        content = spoil_bytes(rng, content)
    (folder / f"night.tar{'.' * bool(suffix)}{suffix}").write_bytes(content)


TARGETS = (
    Target("zip", 35, write_zip, scan_folder),
    Target("tar", 35, write_tar, scan_folder),
)
