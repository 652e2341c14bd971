"""The limb leads are two measurements and four sums: deriving what is missing, and checking.

Einthoven: III = II - I. Goldberger: aVR = -(I + II) / 2, aVL = I - II / 2, aVF = II - I / 2.
Einthoven, Pfluegers Archiv 122, 1908; Goldberger, American Heart Journal 23(4), 1942. Where all
six are there, they have to agree; where they do not, a name, a sign or a scale is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ecgscreen.recording import LEADS, Recording

LIMB_LEADS = LEADS[:6]

FROM_I_AND_II = {
    "III": (-1.0, 1.0),
    "aVR": (-0.5, -0.5),
    "aVL": (1.0, -0.5),
    "aVF": (-0.5, 1.0),
}
"""Lead -> its shares of I and II."""

LARGEST_SHARE = 0.3
"""Of the lead's own size that the sum may be off: filters and roundings that differ from lead to
lead stay far below, an exchange or a wrong sign far above."""

SMALLEST_MV = 0.02
"""Below it a lead is too quiet to tell."""

_MOST_SAMPLES = 1 << 15
_SCALES = (1000.0, 100.0, 10.0, 2.0, 0.5, 0.1, 0.01, 0.001)
_MOST_GUESSES = 2


def with_derived_leads(recording: Recording, usable: NDArray[np.bool_]) -> Recording:
    """Add the limb leads that are not there as the sums of I and II that they are.

    Parameters
    ----------
    recording
        Any; its signal is not changed.
    usable
        bool, shape (12,), in the order of `LEADS` (see `ecgscreen.quality.assess_quality`).

    Returns
    -------
    The recording with more leads and a note; the same one if there is nothing to derive, I or II
    is not usable, or the amplitude is unknown (leads scaled one by one have no sums).
    """
    missing = [name for name in FROM_I_AND_II if name not in recording.lead_names]
    if not missing or not usable[:2].all() or not recording.amplitude_known:
        return recording
    pair = recording.signal[[recording.lead_names.index(name) for name in ("I", "II")]]
    shares = np.array([FROM_I_AND_II[name] for name in missing], np.float32)
    return replace(
        recording,
        signal=np.concatenate([recording.signal, shares @ pair]),
        lead_names=(*recording.lead_names, *missing),
        notes=(*recording.notes, f"derived from I and II: {', '.join(missing)}"),
    )


def limb_lead_note(recording: Recording, usable: NDArray[np.bool_]) -> str | None:
    """Say what is wrong if the limb leads contradict each other.

    An exchange of the arms' electrodes is not seen here: its leads agree with each other.

    Parameters
    ----------
    recording
        Any.
    usable
        bool, shape (12,), in the order of `LEADS`; other leads are not looked at.

    Returns
    -------
    A note with at most two explanations that make the leads agree, or None if they do agree, or
    cannot be compared.
    """
    if not recording.amplitude_known or not usable[:2].all():
        return None
    names = [name for name, ok in zip(LIMB_LEADS, usable[:6], strict=True) if ok]
    if len(names) == 2:
        return None
    rows = [recording.lead_names.index(name) for name in names]
    signal = recording.signal[rows, :_MOST_SAMPLES]
    signal = signal - signal.mean(axis=1, keepdims=True)
    leads = dict(zip(names, signal, strict=True))
    wrong = _contradicting(leads)
    if not wrong:
        return None
    guesses = [text for text, changed in _explanations(leads) if not _contradicting(changed)]
    if guesses:
        explanation = " or ".join(guesses[:_MOST_GUESSES])
    else:
        explanation = f"{', '.join(wrong)} not as I and II make it"
    return f"limb leads contradict each other (Einthoven, Goldberger): {explanation}"


_Leads = dict[str, NDArray[np.float32]]


def _contradicting(leads: _Leads) -> list[str]:
    found = []
    for name, (share_1, share_2) in FROM_I_AND_II.items():
        if name not in leads:
            continue
        expected = share_1 * leads["I"] + share_2 * leads["II"]
        size = max(_size(leads[name]), _size(expected))
        if size > SMALLEST_MV and _size(leads[name] - expected) > LARGEST_SHARE * size:
            found.append(name)
    return found


def _size(signal: NDArray[np.float32]) -> float:
    """Root of the mean square, in mV."""
    return float(np.sqrt(np.dot(signal, signal) / len(signal)))


def _explanations(leads: _Leads) -> Iterator[tuple[str, _Leads]]:
    """What may have happened, each with the leads as they would be without it."""
    for name in leads:
        yield f"{name} looks inverted", leads | {name: -leads[name]}
    for one, other in combinations(leads, 2):
        exchanged = leads | {one: leads[other], other: leads[one]}
        yield f"{one} and {other} look exchanged", exchanged
    for name in leads:
        for scale in _SCALES:
            yield (
                f"{name} looks {scale:g} times as large as it is",
                leads | {name: leads[name] / np.float32(scale)},
            )
