"""When a recording was made: the one time of a file that goes further, and how it is written."""

from __future__ import annotations

import re
from datetime import datetime

EARLIEST, LATEST = 1950, 2250
"""Years. Before the first no file was written; data sets without identity shift into the next
century, but not beyond the second."""

_WFDB = re.compile(
    rb"(?P<hour>\d{1,2}):(?P<minute>\d{1,2}):(?P<second>\d{1,2})(?:\.\d*)?"
    rb"\s+(?P<day>\d{1,2})/(?P<month>\d{1,2})/(?P<year>\d{4})"
)
_DICOM = re.compile(
    r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?P<hour>\d{2})(?P<minute>\d{2})"
    r"(?P<second>\d{2})?(?:\.\d{1,6})?(?P<zone>[+-]\d{4})?"
)
_EDF = re.compile(
    rb"(?P<day>\d\d)\.(?P<month>\d\d)\.(?P<year>\d\d)"
    rb"(?P<hour>\d\d)\.(?P<minute>\d\d)\.(?P<second>\d\d)"
)
_FIELDS = ("year", "month", "day", "hour", "minute", "second")
_EDF_PIVOT = 85
_EDF_UNKNOWN = b"01.01.85"


def plausible(when: datetime | None) -> datetime | None:
    """Give a time back, to the second, if a recording can have been made then; else None."""
    if when is None or not EARLIEST <= when.year <= LATEST:
        return None
    return when.replace(microsecond=0)


def acquired_text(when: datetime | None) -> str:
    """Write a time for a report: ``2024-03-01 08:15:00``, with an offset where the file has one.

    Without an offset it is what the device's clock showed. Empty for None.
    """
    return "" if when is None else when.isoformat(" ", "seconds")


def from_wfdb(text: bytes) -> datetime | None:
    """Read base time and base date of a record line, ``13:05:00 25/04/1989`` (header(5)).

    None for a time without a date, and for what is written in another way.
    """
    match = _WFDB.fullmatch(text.strip())
    return None if match is None else _time({key: int(n) for key, n in match.groupdict().items()})


def from_dicom(text: str) -> datetime | None:
    """Read a value of type DT, ``20240301081500.000+0100`` (PS3.5, 6.2); None without a minute."""
    match = _DICOM.fullmatch(text.strip())
    if match is None:
        return None
    found = match.groupdict()
    zone = found.pop("zone")
    when = _time({key: int(number or 0) for key, number in found.items()})
    if when is None or zone is None:
        return when
    try:
        return datetime.fromisoformat(f"{when.isoformat()}{zone}")
    except ValueError:
        return when


def from_edf(date: bytes, time: bytes) -> datetime | None:
    """Read the start of an EDF, ``01.03.24`` and ``08.15.00``; 85 to 99 are of the last century.

    None for the first of January 1985, which anonymising programs write (EDF+, 2.1.3.3.4).
    """
    match = _EDF.fullmatch(date + time)
    if match is None or date == _EDF_UNKNOWN:
        return None
    fields = {key: int(number) for key, number in match.groupdict().items()}
    fields["year"] += 1900 if fields["year"] >= _EDF_PIVOT else 2000
    return _time(fields)


def _time(fields: dict[str, int]) -> datetime | None:
    year, month, day, hour, minute, second = (fields[key] for key in _FIELDS)
    try:
        return plausible(datetime(year, month, day, hour, minute, second))
    except ValueError:
        return None
