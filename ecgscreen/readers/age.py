"""Whether a patient is too young for the model: all that is taken from an age.

The age itself goes no further than this module: a row says only that somebody is under 18.
PTB-XL, and what follows it, writes 300 for an age over 89.
"""

from __future__ import annotations

import re

ADULT_YEARS = 18
CHILD_NOTE = "the patient is under 18; the model that ships was trained on adults"

_YEARS = {"Y": 1.0, "M": 12.0, "W": 52.0, "D": 365.0}
"""Of a unit, by its first letter, how many make a year."""

_COMMENT = re.compile(
    rb"^[ \t]*\#[ \t]*<?age>?[ \t]*[:=][ \t]*(\d{1,3}(?:\.\d{1,3})?)[ \t]*"
    rb"(years?|months?|weeks?|days?)?[ \t]*\r?$"
    rb"|^[ \t]*\#[ \t]*<age>[ \t]*:[ \t]*(\d{1,3})[ \t]",
    re.IGNORECASE | re.MULTILINE,
)
_DICOM = re.compile(r"(\d{3})([DWMY])")


def age_notes(years: float | None) -> tuple[str, ...]:
    """What a row says of an age: `CHILD_NOTE`, or nothing.

    Parameters
    ----------
    years
        None where it is not known.
    """
    return (CHILD_NOTE,) if years is not None and 0 <= years < ADULT_YEARS else ()


def header_age(content: bytes) -> float | None:
    """The age in the comments of a WFDB header, as the Challenge and LUDB write it.

    Parameters
    ----------
    content
        The file; ``# Age: 63``, ``#<age>: 63``, ``# Age: 8 months``.

    Returns
    -------
    Years; None where no comment says so in a way that is understood.
    """
    if b"#" not in content:  # as most headers: this is part of every reading
        return None
    match = _COMMENT.search(content)
    if match is None:
        return None
    number, unit, followed = match.groups()
    if number is None:
        return float(followed)
    return float(number) / _YEARS[(unit or b"y")[:1].decode("ascii").upper()]


def dicom_age(text: str) -> float | None:
    """An age string of DICOM (PS3.5, 6.2, AS), such as ``063Y`` or ``008M``, in years."""
    match = _DICOM.fullmatch(text.strip())
    return None if match is None else int(match[1]) / _YEARS[match[2]]
