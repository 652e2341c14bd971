"""Lead names as devices write them, and the standard name they stand for."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from ecgscreen.recording import LEADS

_LONGEST_NAME = 64
"""Longer texts are no lead names; the bound also keeps the cache small."""

_PREFIX = re.compile(
    r"""(?: mdc_ecg_(?:lead|elec_potl)_          # ISO/IEEE 11073-10102 reference identifiers
          | (?:ecg|ekg)[\s_.-]* (?:lead|abl)?[\s_.-]*
          | (?:lead|abl(?:eitung)?)[\s_.-]* )
    """,
    re.VERBOSE,
)
_INVERTED = re.compile("(?:^|(?<=\\s))[-\N{MINUS SIGN}\N{EN DASH}](?=[aivm])")
"""A minus that begins the name of a lead; the one in ``LEAD-II`` joins two words."""
_SEPARATORS = re.compile(r"[\s_.]+")

_OTHER_SPELLINGS = {
    # Modified limb leads (electrodes on the torso) of ambulatory recorders: MIT-BIH and
    # the ST-T databases show them beside standard leads, and cardiologists read them so.
    "mli": "I",
    "mlii": "II",
    "mliii": "III",
    "ml1": "I",
    "ml2": "II",
    "ml3": "III",
    # "Derivación/derivação", as devices sold in Latin America and Iberia print it.
    "di": "I",
    "dii": "II",
    "diii": "III",
    "d1": "I",
    "d2": "II",
    "d3": "III",
}
_STANDARD = {name.casefold(): name for name in LEADS} | _OTHER_SPELLINGS


@lru_cache(maxsize=4096)
def signed_lead_name(text: str) -> tuple[str, int] | None:
    """Give the standard name of a lead, and -1 if it is the inverted lead.

    Parameters
    ----------
    text
        The name in the file, for example ``AVR``, ``-aVR``, ``Lead II``.

    Returns
    -------
    A name of `LEADS` and 1 or -1, or None if the text names none of them.
    """
    if len(text) > _LONGEST_NAME:
        return None
    folded = unicodedata.normalize("NFKC", text).strip().casefold()
    upright, n_signs = _INVERTED.subn("", folded, count=1)
    prefix = _PREFIX.match(upright)
    if prefix is not None:
        upright = upright[prefix.end() :]
    name = _STANDARD.get(_SEPARATORS.sub("", upright))
    return None if name is None else (name, -1 if n_signs else 1)


def standard_lead_name(text: str) -> str | None:
    """Give the standard name of a lead, whatever its spelling.

    Case, separators and the prefixes ``Lead``, ``ECG`` and ``MDC_ECG_LEAD_`` do not matter.
    A sign does: ``-aVR`` (the inverted lead of the Cabrera sequence) is another lead than
    aVR, and a name that only resembles a standard one (``V7``, ``V3R``, ``CM5``) is unknown.

    Parameters
    ----------
    text
        The name in the file, for example ``AVR``, ``Lead II``, ``MLII``,
        ``MDC_ECG_LEAD_V1``.

    Returns
    -------
    A name of `LEADS`, or None if the text names none of them.
    """
    found = signed_lead_name(text)
    return found[0] if found is not None and found[1] > 0 else None
