"""Headers like those before are read by a mould: to the same outcome, whatever they hold."""

from __future__ import annotations

import random
from dataclasses import astuple, replace
from typing import Any

import pytest

from ecgscreen.readers import wfdb_header
from ecgscreen.readers.wfdb_header import content_lines, parse_header
from ecgscreen.readers.wfdb_mould import mould_of
from ecgscreen.recording import RecordingError

LEADS = ("I", "II", "lead aVR")
PIECES = b"\t\n\r #-/.019Ia\\\0\xff"


def header_like(name: str, seed: int, tail: str = "") -> bytes:
    """One of the headers that a device writes: names, initial values and checksums differ."""
    numbers = random.Random(seed)
    lines = [f"{name} {len(LEADS)} 500 5000"] + [
        f"{name}.dat 16 1000.0(-3)/mV {numbers.randint(8, 24)} 0 {numbers.randint(-999, 999)} "
        f"{numbers.randint(-32768, 32767)} 0 {lead}"
        for lead in LEADS
    ]
    return ("\n".join(lines) + "\n" + tail).encode()


def outcome(content: bytes) -> object:
    try:
        header = parse_header(content)
    except RecordingError as error:
        return error.reason, error.detail
    return replace(header, signals=()), tuple(map(astuple, header.signals))


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Forgets the headers that were read before."""
    return lambda: monkeypatch.setattr(wfdb_header, "_alike", wfdb_header._Alike())


def taught() -> wfdb_header._Alike:
    """Knows `header_like`."""
    for seed in range(wfdb_header._ALIKE):
        parse_header(header_like(f"r{seed}", seed))
    return wfdb_header._alike


def test_what_is_like_the_headers_before_says_the_same(begin: Any) -> None:
    begin()
    alike = taught()
    tails = ("", "# Age: 7\n", "#one\n# two", "\n")
    likes = [header_like(f"other_{seed}", seed, tails[seed % 4]) for seed in range(40, 48)]
    known = [alike.read(content) is not None for content in likes]
    assert known == [True, True, True, False] * 2
    fast = [outcome(content) for content in likes]
    slow = []
    for content in likes:
        begin()
        slow.append(outcome(content))
    assert fast == slow


def test_no_spoiled_header_is_taken_for_one_like_those_before(begin: Any) -> None:
    begin()
    alike = taught()
    numbers = random.Random(1)
    pieces = [b"", b" #", b"\n#", b"\n\n", b"..", *(b"%c" % byte for byte in PIECES)]
    n_known = 0
    for seed in range(3000):
        whole = header_like(f"r{seed}", seed, "#x\n" if seed % 2 else "")
        at = numbers.randrange(len(whole))
        spoiled = whole[:at] + numbers.choice(pieces) + whole[at + numbers.randrange(2) :]
        try:
            is_known = alike.read(spoiled) is not None
        except RecordingError:
            is_known = True
        if is_known:
            n_known += 1
            wfdb_header._alike = alike
            fast = outcome(spoiled)
            begin()
            assert fast == outcome(spoiled), spoiled
    assert n_known > 250


def test_headers_that_are_not_alike_make_no_mould(begin: Any) -> None:
    begin()
    for seed in range(3 * wfdb_header._ALIKE):
        content = header_like("r", seed)
        parse_header(content.replace(b" 500 ", b" 250 ") if seed % 5 == 0 else content)
    assert wfdb_header._alike._mould is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"r0 3 500", b"r0\t3 500"),
        (b"r0.dat", b"r1.dat"),
        (b" 0 lead aVR", b""),
        (b"r0 3", b"r0/1 3"),
        (b"II", b"I" * 600),
    ],
)
def test_what_has_no_regular_lines_makes_no_mould(old: bytes, new: bytes) -> None:
    content = header_like("r0", 0)
    assert old in content
    assert mould_of(content_lines(content)) is not None
    assert mould_of(content_lines(content.replace(old, new, 1))) is None
