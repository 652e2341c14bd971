"""What is known of a patient, from the cells of a table."""

from __future__ import annotations

OLDEST = 90.0
"""In years: whoever is older is this old here."""
_NO_AGE = 130.0
_OVER_89 = 300.0
"""What PTB-XL writes for an age that would tell who it is."""


def number_or_nan(text: str | None) -> float:
    """A number of a table, with point or comma; NaN where there is none."""
    try:
        return float((text or "nan").replace(",", "."))
    except ValueError:
        return float("nan")


def age_or_nan(text: str | None) -> float:
    """An age in years, at most `OLDEST`; NaN for what is no age, such as -1 or 999.

    PTB-XL's 300 stands for over 89.
    """
    age = number_or_nan(text)
    return min(age, OLDEST) if 0 <= age <= _NO_AGE or age == _OVER_89 else float("nan")
