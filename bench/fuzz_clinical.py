"""Spoiled recordings of the clinical formats, whose parsers run in a process of their own."""

from __future__ import annotations

import re
import tempfile
import zlib
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from random import Random

import h5py
import numpy as np

from bench.fuzz_mutate import spoil_bytes, spoil_numbers, spoil_text
from bench.fuzz_target import Target, scan_folder
from ecgscreen.simulate import simulate
from ecgscreen.simulate.settings import Rhythm, SimulationSettings
from tests.ecgscreen.formats.table import FORMATS

_DURATION_S = 6.0
_SHARES = {
    "DICOM": 22,
    "DICOM, big-endian": 6,
    "EDF": 24,
    "HDF5, SPH": 16,
    "HDF5, CODE-15 %": 10,
    "HL7 aECG": 10,
    "GE MUSE XML": 8,
    "Philips Sierra XML": 8,
    "Mortara XML": 8,
    "SCP-ECG": 16,
    "ISHNE": 16,
}
_ENTITIES = b"""<!DOCTYPE a [<!ENTITY b "xxxxxxxxxx"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">
<!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;"><!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;">
<!ENTITY f "&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;"><!ENTITY g SYSTEM "file:///etc/passwd">]>"""
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_SHAPES = ((12, 0), (12, 20_000_000), (12, 5_000_000), (1, 12, 22_000_000), (3, 4096, 12), (12,))


@cache
def seed(name: str) -> tuple[str, bytes]:
    """Write a simulated recording in a format of the conformance test: file name and content."""
    written = FORMATS[name]
    settings = SimulationSettings(
        Rhythm.SINUS, seed=8, duration_s=_DURATION_S, sampling_rate=written.sampling_rate
    )
    with tempfile.TemporaryDirectory() as folder:
        path = written.write(simulate(settings).recording, Path(folder))
        path = path if path.is_file() else path.parent
        return path.name, path.read_bytes()


def _write(spoil: Callable[[Random, bytes], bytes], name: str, rng: Random, folder: Path) -> None:
    file_name, content = seed(name)
    whole = rng.random() < 0.05
    (folder / file_name).write_bytes(content if whole else spoil(rng, content))


def _binary(rng: Random, content: bytes) -> bytes:
    """Half of the changes within the first kilobyte, where these formats have their headers."""
    if rng.random() < 0.3:
        return spoil_numbers(rng, content, 1024)
    if rng.random() < 0.5:
        return spoil_bytes(rng, content[:1024]) + content[1024:]
    return spoil_bytes(rng, content)


def _dicom(rng: Random, content: bytes) -> bytes:
    """Also a data set that is deflated, or says so; a stream of zeros that is a thousandth."""
    if rng.random() > 0.06:
        return _binary(rng, content)
    mark = re.search(rb"1\.2\.840\.10008\.1\.2\.\d", content)
    begin = 144 + int.from_bytes(content[140:144], "little")
    if mark is None:
        return _binary(rng, content)
    meta = content[:begin].replace(mark[0] + b"\0", _DEFLATED, 1)
    meta = meta[: mark.start() - 2] + len(_DEFLATED).to_bytes(2, "little") + _DEFLATED
    meta += content[mark.end() + 1 : begin]
    meta = meta[:140] + (len(meta) - 144).to_bytes(4, "little") + meta[144:]
    packer = zlib.compressobj(1, wbits=-15)
    body = packer.compress(content[begin:])
    for _ in range(rng.choice((0, 400))):
        body += packer.compress(bytes(1 << 20))
    return meta + body + packer.flush()


def _xml(rng: Random, content: bytes) -> bytes:
    """Also entities, elements a thousand deep, and samples by the million."""
    way = rng.randrange(8)
    if way == 0:
        begin = content.find(b"?>") + 2
        return content[:begin] + _ENTITIES + content[begin:].replace(b">", b">&f;&g;", 1)
    if way == 1:
        place = content.find(b">", rng.randrange(len(content))) + 1
        inner = rng.choice(
            (b"<a>" * 1000, b"<!-- " * 900, b"<![CDATA[", b"&#0;", b"&e;", b"&#x1b;")
        )
        return content[:place] + inner + content[place:]
    if way < 4:
        return spoil_numbers(rng, content, rng.choice((2000, 4096, len(content))))
    return spoil_text(rng, content)


def _hdf5(rng: Random, content: bytes) -> bytes:
    """Also data sets that are much larger than the file, and links out of it."""
    if rng.random() > 0.1:
        return spoil_bytes(rng, content)
    shape = rng.choice(_SHAPES)
    name = "tracings" if len(shape) == 3 else "ecg"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.h5"
        with h5py.File(path, "w", track_order=False) as file:
            way = rng.randrange(3)
            if way == 0 and 0 not in shape:
                chunks = tuple(min(size, 4096) for size in shape)
                file.create_dataset(name, shape, rng.choice(("i1", "f4", "f8")), chunks=chunks)
            elif way == 1:
                target = rng.choice(("/etc/passwd", "../outside.dat", "missing.h5"))
                file[name] = h5py.ExternalLink(target, "/ecg")
            else:
                zeros = np.zeros(tuple(min(size, 4096) for size in shape), np.int16)
                file.create_dataset(name, data=zeros, compression="gzip")
        return path.read_bytes()


def _target(name: str) -> Target:
    kind = name.lower().replace(", ", "-").replace(" ", "-").replace("-%", "")
    spoil = _xml if "XML" in name or "aECG" in name else _binary
    spoil = _dicom if name == "DICOM" else _hdf5 if "HDF5" in name else spoil
    return Target(kind, _SHARES[name], partial(_write, spoil, name), scan_folder)


TARGETS = tuple(_target(name) for name in _SHARES)
