"""Spoiled WFDB records: headers by their grammar, signals of all formats, segments, MATLAB."""

from __future__ import annotations

import io
import os
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import soundfile

from bench.fuzz_mutate import fragment, number, spoil_bytes, spoil_numbers, spoil_text
from bench.fuzz_target import PERSON, Target, scan_folder

N_SAMPLES = 600
RATE = 100
_LEADS = ("I", "II", "III", "aVR", "V1", "V2", "V6", "MLII", "-aVR", "RESP", "", "ECG V5")
_FORMATS = (16, 16, 16, 8, 24, 32, 61, 80, 160, 212, 212, 310, 311)
_FILES = (
    *("rec.dat", "REC.DAT", "rec.hea", "rec", "gone.dat", "../outside.dat", "/etc/passwd", "-"),
    *(
        "http://localhost/rec.dat",
        "..",
        ".",
        "~",
        "/dev/zero",
        "rec.dat\0",
        "r\xe9c.dat",
        "n" * 300,
    ),
    *("pipe", "folder", "link.dat", "rec.dat/", "s3://a/b", "physionet.org::mitdb/100", "a\\b"),
)
_FORMAT_TOKENS = (
    *("16", "212", "8", "0", "1", "17", "24", "61", "80", "160", "310", "311", "508", "516", "524"),
    *("16x2", "16x0", "16x99999", "16:3", "16:99999999", "16+24", "16+999999999999", "212x4:2+7"),
    *("16x", "16+", "16:", "1e2", "-16", "016", "16x1:0+0", "sixteen"),
)
_GAINS = (
    *(
        "200",
        "1000.0(0)/mV",
        "0",
        "-5(3)/uV",
        "1e-300",
        "1e300/mV",
        "nan/mV",
        "inf",
        "200(",
        "200()",
    ),
    *("200(9999999999)/mV", f"200({'9' * 400})", "1e-6/V", "1e12/NU", ".5/mV", "5./mV", "+3/\xb5V"),
)
_RATES = (
    *("100", "360/360", "100/0(0)", "99.5", "1e2", "0", "-1", "nan", "1e9", "20", "19.9", "100000"),
    *("19999.7", "333.33", "80.0001", "20000", "100/", "/", "1e-3", "250.0000001", "7919", "19997"),
)


@cache
def samples(n_signals: int) -> bytes:
    """Beats of an ECG in format 16, shape (N_SAMPLES, n_signals), one of the signals flat."""
    times = np.arange(N_SAMPLES)[:, np.newaxis] / RATE
    beats = 1000 * np.exp(-(((times % 0.8) - 0.4) ** 2) / 0.0008)
    stored = beats * np.linspace(0.2, 1.5, n_signals) + 50 * np.sin(times)
    return bytes(stored.astype("<i2").tobytes())


def _lines(rng: Random, form: str = "16", name: str = "rec.dat") -> list[list[str]]:
    """Fields of a header that is right."""
    leads = [rng.choice(_LEADS) for _ in range(rng.choice((1, 2, 3, 3, 12)))]
    signals = [[name, form, "1000(0)/mV", "16", "0", "0", "0", "0", lead] for lead in leads]
    return [["rec", str(len(leads)), str(RATE), str(N_SAMPLES)], *signals]


def _joined(rng: Random, lines: list[list[str]]) -> bytes:
    space = rng.choice((" ", " ", "  ", "\t"))
    end = rng.choice(("\n", "\n", "\r\n", "\r"))
    text = end.join([*(space.join(fields) for fields in lines), f"# {PERSON} 1901-02-03", ""])
    return text.encode("latin-1", "replace")


def _without_person(header: bytes) -> bytes:
    """Take the name out where it stands in another line than a comment: then it is a lead's."""
    lines = header.splitlines()
    if any(PERSON.encode() in line and not line.lstrip().startswith(b"#") for line in lines):
        return header.replace(PERSON.encode(), b"no name")
    return header


def _spoil_fields(rng: Random, lines: list[list[str]]) -> None:
    """Put other values, of the field's own kind or not, into some fields."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        record = rng.random() < 0.3
        line = lines[0] if record else rng.choice(lines[1:])
        place = rng.randrange(len(line))
        own: tuple[str, ...] = ()
        if record and place == 2:
            own = _RATES
        elif not record and place < 3:
            own = (_FILES, _FORMAT_TOKENS, _GAINS)[place]
        if own and rng.random() < 0.7:
            line[place] = rng.choice(own)
        elif rng.random() < 0.5:
            line[place] = number(rng)
        elif rng.random() < 0.5:
            line[place] += fragment(rng).decode("latin-1")
        else:
            del line[place:]
            if not line:
                line.append("")


def write_header(rng: Random, folder: Path) -> None:
    """A header with fields, lines or bytes changed, beside signal files that are right."""
    lines = _lines(rng)
    n_signals = len(lines) - 1
    way = rng.randrange(4)
    if way < 2:
        _spoil_fields(rng, lines)
    if rng.random() < 0.02:
        lines[1:] *= rng.choice((2, 600, 20_000))
    header = _joined(rng, lines)
    if way == 2:
        header = spoil_text(rng, header)
    elif way == 3:
        header = spoil_numbers(rng, header)
    (folder / "rec.hea").write_bytes(_without_person(header))
    (folder / "rec.dat").write_bytes(samples(n_signals))
    if rng.random() < 0.1:
        os.mkfifo(folder / "pipe")
        (folder / "folder").mkdir()
        (folder / "link.dat").symlink_to(folder.parent / "outside.dat")


def write_signal(rng: Random, folder: Path) -> None:
    """A signal file of any format that is spoiled, and small lies about it in the header."""
    form = str(rng.choice(_FORMATS))
    form += rng.choice(("", "", "", "x2", ":5", "+7", "x3:2"))
    lines = _lines(rng, form)
    if rng.random() < 0.3:
        lines[0][3] = number(rng)
    content = samples(len(lines) - 1) * rng.choice((1, 1, 2, 4))
    if rng.random() < 0.05:  # so long that it is read in pieces
        lines[0][3] = "15000"
        content *= 25
    (folder / "rec.hea").write_bytes(_joined(rng, lines))
    (folder / "rec.dat").write_bytes(spoil_bytes(rng, content))


def write_matlab(rng: Random, folder: Path) -> None:
    """A MATLAB v4 file: type, rows, columns, imaginary part and name, then samples."""
    lines = _lines(rng, "16+24", "rec.mat")
    n_signals = len(lines) - 1
    head = np.array([30, n_signals, N_SAMPLES, 0, 4], "<i4").tobytes() + b"val\0"
    content = head + samples(n_signals)
    header = _joined(rng, lines)
    way = rng.randrange(4)
    if way == 0:
        header = spoil_numbers(rng, header)
    elif way == 1:
        content = spoil_bytes(rng, head) + content[24:]
    elif way == 2:
        content = b"MATLAB 5.0 MAT-file" + spoil_bytes(rng, content)
    else:
        content = spoil_bytes(rng, content)
    (folder / "rec.hea").write_bytes(_without_person(header))
    (folder / "rec.mat").write_bytes(content)


@cache
def _flac(n_signals: int, n_samples: int) -> bytes:
    buffer = io.BytesIO()
    stored = np.frombuffer(samples(n_signals), "<i2").reshape(-1, n_signals)
    stored = stored if n_samples == N_SAMPLES else np.zeros((n_samples, n_signals), np.int16)
    soundfile.write(buffer, stored, 96_000, subtype="PCM_16", format="FLAC")
    return buffer.getvalue()


def write_flac(rng: Random, folder: Path) -> None:
    """A compressed signal file, or a long silence in a small one."""
    form = rng.choice(("516", "516", "516", "508", "524", "516x2"))
    lines = [*_lines(rng, form)[:1], *([_lines(rng, form)[1]] * 2)]
    lines[0][1] = "2"
    content = _flac(2, rng.choice((N_SAMPLES, N_SAMPLES, N_SAMPLES, 1_500_000)))
    if rng.random() < 0.4:
        lines[0][3] = rng.choice((number(rng), "30000000", "60000000", "1500000"))
    if rng.random() < 0.8:
        content = spoil_bytes(rng, content)
    (folder / "rec.hea").write_bytes(_joined(rng, lines))
    (folder / "rec.dat").write_bytes(content)


def write_segments(rng: Random, folder: Path) -> None:
    """A record of segments: repeated ones, gaps of days, ones that name each other."""
    count = rng.choice((1, 2, 3, 3, 40, 4096))
    names = [rng.choice(("s0", "s0", "s1", "~", "rec", "gone", "m")) for _ in range(count)]
    if rng.random() < 0.7:
        names = [rng.choice(("s0", "s1", "~")) for _ in range(count)]
    lengths = [N_SAMPLES // 2 if count > 3 else rng.choice((N_SAMPLES, 300)) for _ in names]
    for _ in range(rng.choice((0, 0, 1, 2))):
        lengths[rng.randrange(count)] = rng.choice((0, 1, 601, 10_000_000, 22_000_000, 10**14))
    total = str(sum(lengths)) if rng.random() < 0.8 else number(rng)
    lines = [[f"rec/{count}", "2", str(RATE), total]]
    lines += [[name, str(length)] for name, length in zip(names, lengths, strict=True)]
    header = _joined(rng, lines)
    header = spoil_text(rng, header) if rng.random() < 0.3 else header
    (folder / "rec.hea").write_bytes(_without_person(header))
    (folder / "m.hea").write_bytes(b"m/2 2 100 1200\nrec 600\ns0 600\n")
    for number_, form in enumerate(("16", rng.choice(("16", "212", "80")))):
        own = _lines(rng, form, f"s{number_}.dat")
        content = _joined(rng, [[f"s{number_}", *own[0][1:]], *own[1:]])
        if rng.random() < 0.1:
            content += b"#" + b" " * 200_000
        if rng.random() < 0.1:
            content = spoil_text(rng, content)
        (folder / f"s{number_}.hea").write_bytes(_without_person(content))
        (folder / f"s{number_}.dat").write_bytes(samples(len(own) - 1))


TARGETS = (
    Target("wfdb-header", 230, write_header, scan_folder),
    Target("wfdb-signal", 90, write_signal, scan_folder),
    Target("wfdb-flac", 15, write_flac, scan_folder),
    Target("wfdb-segments", 40, write_segments, scan_folder),
    Target("matlab", 80, write_matlab, scan_folder),
)
