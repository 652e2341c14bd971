"""Spoiled tables: CSV and NPY files, and the side-cars beside them."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import numpy as np

from bench.fuzz_mutate import number, spoil_bytes, spoil_document, spoil_numbers, spoil_text
from bench.fuzz_target import PERSON, Target, scan_folder
from bench.fuzz_wfdb import RATE, samples

_LEADS = ("I", "II", "V1")
_DTYPES = ("<i2", ">i2", "<i4", "<f4", "<f8", "|i1", "<u8", "<f2")
_SHAPES = (
    *("(3, 600)", "(3, 1000000000)", "(3, -600)", "(3,)", "()", "(3, 600, 1)", "(3L, 600)"),
    *("(3, 99999999999999)", "(3, 3)", "(0, 3)", "(True, 600)", "(3, 6e2)", "(" * 500),
)
_DESCRS = ("'|O'", "'<U9'", "'<M8[s]'", "[('a', '<i2')]", "'<i2'*9", "'<c8'", "__import__('os')")


def _side_car(rng: Random) -> dict[str, object]:
    side_car: dict[str, object] = {"sampling_rate": RATE, "leads": list(_LEADS), "patient": PERSON}
    if rng.random() < 0.5:
        side_car |= {
            "unit": "ADC",
            "gain": [1000, 1000, 1000],
            "baseline": rng.choice((0, [0] * 3)),
        }
    else:
        side_car["unit"] = rng.choice(("uV", "mV", "", "NU"))
    return side_car


def _write(folder: Path, name: str, content: bytes, side_car: bytes) -> None:
    (folder / name).write_bytes(content)
    (folder / "rec.json").write_bytes(side_car)


def _npy(descr: str, shape: str, content: bytes, version: bytes = b"\1\0") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    size = len(header).to_bytes(2 if version[0] == 1 else 4, "little")
    return b"\x93NUMPY" + version + size + header + content


def _csv(rng: Random) -> bytes:
    rows = np.frombuffer(samples(3), "<i2").reshape(-1, 3) / 1000
    delimiter = rng.choice((",", ";", "\t"))
    lines = [delimiter.join(_LEADS)] if rng.random() < 0.5 else []
    lines += [delimiter.join(f"{value:.3f}" for value in row) for row in rows.tolist()]
    text = rng.choice(("\n", "\r\n")).join(lines)
    return text.replace(".", "," if delimiter == ";" else ".").encode()


def write_side_car(rng: Random, folder: Path) -> None:
    """A side-car with values, keys or bytes changed beside a table that is right."""
    side_car = _side_car(rng)
    content = spoil_document(rng, side_car)
    if rng.random() < 0.3:
        content = spoil_text(rng, json.dumps(side_car).encode())
    if rng.random() < 0.02:
        content = b"[" * 60_000
    _write(folder, "rec.npy", _npy("'<i2'", f"({len(samples(3)) // 6}, 3)", samples(3)), content)


def write_npy(rng: Random, folder: Path) -> None:
    """An array whose header lies about its type, its shape or itself."""
    descr = f"'{rng.choice(_DTYPES)}'" if rng.random() < 0.4 else "'<i2'"
    shape = rng.choice(("(600, 3)", "(600, 3)", "(3, 600)"))
    content = samples(3)
    way = rng.randrange(5)
    if way == 0:
        descr = rng.choice(_DESCRS)
    elif way == 1:
        shape = rng.choice((*_SHAPES, f"(3, {number(rng)})"))
    version = rng.choice((*[b"\1\0"] * 6, b"\2\0", b"\3\0", b"\7\7"))
    array = _npy(descr, shape, content * 4, version)
    if way > 2:
        array = spoil_bytes(rng, array) if way == 3 else spoil_numbers(rng, array, 128)
    _write(folder, "rec.npy", array, json.dumps(_side_car(rng)).encode())


def write_csv(rng: Random, folder: Path) -> None:
    """A table of text with cells, lines, separators or bytes changed."""
    side_car = _side_car(rng)
    content = _csv(rng)
    way = rng.randrange(4)
    if way == 0:
        content = spoil_numbers(rng, content, len(content))
    elif way == 1:
        content = content.replace(b"0.0", rng.choice((PERSON.encode(), b"=cmd()", b"'")), 2)
    else:
        content = spoil_text(rng, content)
    if rng.random() < 0.3:
        del side_car["leads"]
    _write(folder, "rec.csv", content, json.dumps(side_car).encode())


TARGETS = (
    Target("side-car", 70, write_side_car, scan_folder),
    Target("csv", 45, write_csv, scan_folder),
    Target("npy", 65, write_npy, scan_folder),
)
