"""ISHNE, the format of Holter recorders.

Badilini, The ISHNE Holter standard output file format, Annals of Noninvasive Electrocardiology
3(3), 1998: a header of 522 bytes, a block of text, and the samples of all leads in turn, 16 bits
each. Names, dates of birth and the text are not read. Runs behind `ecgscreen.readers.limited`.
"""

from __future__ import annotations

import binascii
import struct
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.readers.signals import LongSignals, Signals
from ecgscreen.recording import LEADS, RecordingError, SkipReason

HEADER_BYTES = 522
MOST_LEADS = 12

_CHECKED_FROM = 10
"""Byte from which the checksum counts, up to the samples."""

_FIRST_LEAD_CODE = 5
"""Of lead I; the others follow in the order of `LEADS`."""

_FAULT = -32768
"""In the place of a sample that the recorder could not take."""


def open_long(path: str) -> LongSignals:
    """Read the header.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    RecordingError
        TRUNCATED, or BAD_CONTENT where the header contradicts itself.
    """
    file = Path(path)
    size = file.stat().st_size
    with file.open("rb") as opened:
        head = opened.read(HEADER_BYTES)
        if len(head) < HEADER_BYTES:
            raise _truncated(size, HEADER_BYTES)
        checksum, text_bytes, n_announced = struct.unpack_from("<Hii", head, 8)
        n_leads, *numbers = struct.unpack_from("<37h", head, 156)
        codes, resolutions = numbers[:12], numbers[24:36]
        (rate,) = struct.unpack_from("<h", head, 272)
        begin = HEADER_BYTES + text_bytes
        if size < begin + 2 * n_leads * n_announced:
            raise _truncated(size, begin + 2 * n_leads * n_announced)
        if text_bytes < 0 or not 1 <= n_leads <= MOST_LEADS or rate <= 0:
            raise RecordingError(
                SkipReason.BAD_CONTENT,
                f"{n_leads} leads at {rate} Hz behind {text_bytes} bytes of text, expected 1 to "
                f"{MOST_LEADS} at some rate",
            )
        opened.seek(_CHECKED_FROM)
        found = binascii.crc_hqx(opened.read(begin - _CHECKED_FROM), 0xFFFF)
    n_samples = (size - begin) // (2 * n_leads)  # what the header says of it differs with recorders
    steps = np.array([max(number, 0) / 1000 or 1.0 for number in resolutions[:n_leads]])

    def read(path: str, start: int, stop: int) -> NDArray[np.float64]:
        with Path(path).open("rb") as opened:
            opened.seek(begin + 2 * n_leads * start)
            content = opened.read(2 * n_leads * (stop - start))
        samples = np.frombuffer(content, "<i2").reshape(-1, n_leads).T
        values: NDArray[np.float64] = samples * steps[:, np.newaxis]
        values[samples == _FAULT] = np.nan
        return values

    is_sound = checksum in (0, found, (found & 0xFF) << 8 | found >> 8)  # 0: there is none
    return LongSignals(
        labels=tuple(map(_label, codes[:n_leads])),
        units=tuple("uV" if number > 0 else "" for number in resolutions[:n_leads]),
        sampling_rate=float(rate),
        n_samples=n_samples,
        read=read,
        notes=() if is_sound else ("its checksum does not match: the file was changed or damaged",),
        acquired=_acquired(head),
    )


def read(path: str, member: str = "") -> Signals:  # noqa: ARG001 - one recording a file
    """Read all of a file; `member` is not used."""
    return open_long(path).whole(path)


def _label(code: int) -> str:
    place = code - _FIRST_LEAD_CODE
    return LEADS[place] if 0 <= place < len(LEADS) else ""


def _acquired(head: bytes) -> datetime | None:
    day, month, year = struct.unpack_from("<3h", head, 138)
    try:
        return datetime(year, month, day, *struct.unpack_from("<3h", head, 150))
    except ValueError:
        return None


def _truncated(size: int, expected: int) -> RecordingError:
    return RecordingError(SkipReason.TRUNCATED, f"{size} bytes, expected {expected}")
