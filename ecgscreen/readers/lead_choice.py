"""Which signals of a file are leads that the encoder knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ecgscreen.leads import signed_lead_name, standard_lead_name
from ecgscreen.readers.base import safe_token
from ecgscreen.readers.units import millivolts_per_unit
from ecgscreen.recording import RecordingError, SkipReason

AMPLITUDE_UNKNOWN = "amplitude unknown"
"""How the note of a recording ends whose unit is no voltage."""

_MOST_NAMES_SHOWN = 4


@dataclass(frozen=True, slots=True)
class LeadChoice:
    """The signals to read, and how.

    Attributes
    ----------
    indices
        Of the signals in the file, ascending.
    names
        Standard lead names, one an index, no name twice.
    factors
        From each signal's unit to mV; 1 where the unit is no voltage. Negative for a lead that
        the file has inverted.
    amplitude_known
        False if the unit of one of them is no voltage.
    notes
        What was left out, and unknown units.
    """

    indices: tuple[int, ...]
    names: tuple[str, ...]
    factors: tuple[float, ...]
    amplitude_known: bool
    notes: tuple[str, ...]


def choose_leads(descriptions: Sequence[str], units: Sequence[str]) -> LeadChoice:
    """Keep the standard leads; of a lead that occurs twice, the first.

    An inverted lead (``-aVR``) is turned upright where the file has no upright one.

    Parameters
    ----------
    descriptions
        One a signal, as in the file.
    units
        One a signal, as in the file.

    Raises
    ------
    RecordingError
        NO_KNOWN_LEAD if no description is a lead's name.
    """
    index_of: dict[str, int] = {}
    unknown, repeated, turned = [], [], []
    upright = {standard_lead_name(description) for description in descriptions}
    for index, description in enumerate(descriptions):
        name, sign = signed_lead_name(description) or (None, 1)
        if name is None or (sign < 0 and name in upright):
            unknown.append(description)
        elif name in index_of:
            repeated.append(description)
        else:
            index_of[name] = index
            if sign < 0:
                turned.append(name)
    if not index_of:
        raise RecordingError(
            SkipReason.NO_KNOWN_LEAD,
            f"found {_shown(unknown)}, expected at least one of I, II, III, aVR ... V6",
        )
    indices = tuple(index_of.values())
    factors = [millivolts_per_unit(units[index]) for index in indices]
    notes = []
    if unknown:
        notes.append(f"signals left out, no known lead: {_shown(unknown)}")
    if repeated:
        notes.append(f"leads left out, name occurs before: {_shown(repeated)}")
    if None in factors:
        unit = units[indices[factors.index(None)]]
        notes.append(f"unit {safe_token(unit) or '(none)'} is no voltage: {AMPLITUDE_UNKNOWN}")
    if turned:
        notes.append(f"turned upright, the file has them inverted: {_shown(turned)}")
    return LeadChoice(
        indices,
        tuple(index_of),
        tuple(
            (1.0 if factor is None else factor) * (-1.0 if name in turned else 1.0)
            for name, factor in zip(index_of, factors, strict=True)
        ),
        None not in factors,
        tuple(notes),
    )


def _shown(descriptions: Sequence[str]) -> str:
    shown = [safe_token(text) or "(unnamed)" for text in descriptions[:_MOST_NAMES_SHOWN]]
    more = len(descriptions) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
