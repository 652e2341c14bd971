"""Leads as reports name them."""

from __future__ import annotations

import re

_LIMB = {
    "i": "I",
    "ii": "II",
    "iii": "III",
    "avr": "aVR",
    "avl": "aVL",
    "avf": "aVF",
}
_CHEST_PART = re.compile(r"(\d)(?:\s?-\s?v?(\d))?")


def spell_leads(text: str) -> str:
    """One lead or a compact group, in the standard spelling.

    Parameters
    ----------
    text
        A token of the kind ``leads``.

    Examples
    --------
    >>> spell_leads("avl"), spell_leads("v4,5,6"), spell_leads("v2-6")
    ('aVL', 'V4, V5, V6', 'V2-V6')
    """
    if text in _LIMB:
        return _LIMB[text]
    parts = _CHEST_PART.findall(text)
    return ", ".join(f"V{first}-V{last}" if last else f"V{first}" for first, last in parts)
