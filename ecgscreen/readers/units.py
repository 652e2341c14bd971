"""Units of amplitude."""

from __future__ import annotations

_MILLIVOLTS = {
    "uv": 1e-3,
    "\N{MICRO SIGN}v": 1e-3,
    "\N{GREEK SMALL LETTER MU}v": 1e-3,
    # The two above in UTF-8, read as Latin-1: the WFDB header has no declared encoding.
    "\N{GREEK SMALL LETTER MU}v".encode().decode("latin-1").casefold(): 1e-3,
    "\N{MICRO SIGN}v".encode().decode("latin-1").casefold(): 1e-3,
    "microvolt": 1e-3,
    "microvolts": 1e-3,
    "mv": 1.0,
    "millivolt": 1.0,
    "millivolts": 1.0,
    "v": 1e3,
    "volt": 1e3,
    "volts": 1e3,
}


def millivolts_per_unit(unit: str) -> float | None:
    """Give the factor from a unit to millivolts.

    Parameters
    ----------
    unit
        As in the file. Case does not matter: files say ``mv`` and ``MV`` and mean mV.

    Returns
    -------
    The factor, or None if the unit is no voltage (``NU``, for one).
    """
    return _MILLIVOLTS.get(unit.casefold())
