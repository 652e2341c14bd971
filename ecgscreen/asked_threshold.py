"""A threshold as a list asks for it: a score, an operating point, a share of a population."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

EXPECTED = (
    "a number from -1 to 1, 'sensitivity 0.95', 'specificity 0.98', 'largest F1', 'Youden' or "
    "'top 2 %'"
)
_TARGET = re.compile(r"(sensitivity|specificity)\s+(0?\.\d+)", re.IGNORECASE)
_TOP = re.compile(r"top\s+(\d+(?:\.\d+)?)\s*%", re.IGNORECASE)
_NAMED = ("largest F1", "Youden")


@dataclass(frozen=True)
class AskedThreshold:
    """What the author of a list wants a flag to mean.

    Attributes
    ----------
    kind
        ``score``: the number itself. ``criterion``: an operating point, which somebody must have
        learned on labelled recordings. ``top``: a share of the reference population.
    text
        As the reports name it; of a criterion in the words of ``ecgscreen calibrate``.
    value
        The score, or the share in percent; NaN of a criterion.
    """

    kind: Literal["score", "criterion", "top"]
    text: str
    value: float = float("nan")


def parse_threshold(value: object) -> AskedThreshold:
    """Understand the threshold of a list's entry.

    Parameters
    ----------
    value
        A number, or one of the texts of `EXPECTED`.

    Raises
    ------
    ValueError
        If it is none of these: names what was found and what is expected.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not -1 <= value <= 1:
            # Whole numbers of any length can be written down; some have no float, some no text.
            huge = isinstance(value, int) and value.bit_length() > 64
            found = "of more than 64 bits" if huge else f"{value}"
            raise ValueError(f"threshold {found}, expected {EXPECTED}")
        return AskedThreshold("score", f"{value:g}", float(value))
    if isinstance(value, str):
        words = " ".join(value.split())
        for name in _NAMED:
            if words.casefold() == name.casefold():
                return AskedThreshold("criterion", name)
        if (target := _TARGET.fullmatch(words)) and float(target[2]) > 0:
            return AskedThreshold("criterion", f"{target[1].lower()} {float(target[2]):g}")
        if (top := _TOP.fullmatch(words)) and 0 < float(top[1]) < 100:
            return AskedThreshold("top", f"top {float(top[1]):g} %", float(top[1]))
    raise ValueError(f"threshold {value!r}, expected {EXPECTED}")
