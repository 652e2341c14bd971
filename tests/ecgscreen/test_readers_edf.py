"""EDF that lies, ends early or was interrupted."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecgscreen.readers import read_recording
from ecgscreen.recording import Recording, SkipReason
from tests.ecgscreen.formats import edf
from tests.ecgscreen.formats.skipped import skipped


def spoiled(content: bytes, at: int, field: str) -> bytes:
    return content[:at] + field.ljust(8).encode() + content[at + 8 :]


@pytest.mark.parametrize(
    ("at", "field", "reason"),
    [
        (236, "99999999", SkipReason.TRUNCATED),
        (236, "7", SkipReason.TRUNCATED),
        (236, "many", SkipReason.BAD_HEADER),
        (244, "0", SkipReason.BAD_CONTENT),
        (244, "1e9", SkipReason.BAD_SAMPLING_RATE),
        (256 + 14 * 216, "99999999", SkipReason.TRUNCATED),
        (256 + 14 * 216, "-5", SkipReason.BAD_HEADER),
    ],
)
def test_edf_that_lies(
    tmp_path: Path, simulated: Recording, at: int, field: str, reason: SkipReason
) -> None:
    path = edf.write_edf(simulated, tmp_path)
    path.write_bytes(spoiled(path.read_bytes(), at, field))
    assert skipped(path).reason is reason


def test_an_unfinished_edf_is_read_as_far_as_it_goes(tmp_path: Path, simulated: Recording) -> None:
    path = edf.write_edf(simulated, tmp_path)
    path.write_bytes(spoiled(path.read_bytes(), 236, "-1")[:-100])
    recording = read_recording(path)
    assert isinstance(recording, Recording)
    assert recording.duration_s == 5


def test_of_an_interrupted_edf_the_longest_piece_is_read(
    tmp_path: Path, simulated: Recording
) -> None:
    path = edf.write_edf(simulated, tmp_path)
    whole = read_recording(path)
    content = path.read_bytes().replace(b"EDF+C", b"EDF+D", 1)
    for second in (5, 4, 3, 2):
        content = content.replace(b"+%d\x14\x14" % second, b"+%d\x14\x14" % (second + 3), 1)
    path.write_bytes(content)
    piece = read_recording(path)
    assert isinstance(whole, Recording)
    assert isinstance(piece, Recording)
    assert piece.notes[-1] == ("1 gap: the longest piece is read, 4 s from second 5 on")
    assert piece.signal.tobytes() == whole.signal[:, 1000:].tobytes()
