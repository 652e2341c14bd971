"""The limb leads are two measurements and four sums: deriving what is missing, and checking.

Einthoven: III = II - I. Goldberger: aVR = -(I + II) / 2, aVL = I - II / 2, aVF = II - I / 2.
Einthoven, Pfluegers Archiv 122, 1908; Goldberger, American Heart Journal 23(4), 1942. Where all
six are there, they have to agree; where they do not, a name, a sign or a scale is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import combinations
from typing import TypeAlias

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

MOST_SAMPLES = 1 << 15
"""Of a longer recording the beginning is looked at."""

_SCALES = (1000.0, 100.0, 10.0, 2.0, 0.5, 0.1, 0.01, 0.001)
_MOST_GUESSES = 2

_Shares: TypeAlias = NDArray[np.float64]
"""A row a sum of leads, a column a lead."""

_Forms: TypeAlias = NDArray[np.float64]
"""A column a sum of leads: from the products of each two leads to its square."""


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
    # Taking rows one by one copies them.
    chosen = slice(len(rows)) if rows == list(range(len(rows))) else rows
    signal = recording.signal[chosen, :MOST_SAMPLES]
    signal = signal - signal.mean(axis=1, keepdims=True)
    # What follows are sums of leads, and these products hold the sizes of all of them.
    products = signal @ signal.T / np.float32(signal.shape[1])
    checked, forms = _sums(tuple(names))
    wrong = _contradictions(forms, products)
    if not wrong.any():
        return None
    texts, explained = _explanations(tuple(names))
    explains = ~np.logical_or.reduce(_contradictions(explained, products), axis=-1)
    guesses = [texts[number] for number in np.flatnonzero(explains)]
    if guesses:
        explanation = " or ".join(guesses[:_MOST_GUESSES])
    else:
        off = [name for name, is_wrong in zip(checked, wrong.tolist(), strict=True) if is_wrong]
        explanation = f"{', '.join(off)} not as I and II make it"
    return f"limb leads contradict each other (Einthoven, Goldberger): {explanation}"


def limb_leads_agree(deviation: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Tell for many recordings at once in which `limb_lead_note` has nothing to say.

    Parameters
    ----------
    deviation
        float32, shape (n_recordings, 12, n_samples), in mV, of at most `MOST_SAMPLES`: all leads
        in the order of `LEADS`, finite, less the mean of each lead.

    Returns
    -------
    bool, shape (n_recordings,).
    """
    signal = deviation[:, : len(LIMB_LEADS)]
    # The leads are compared with sums of I and II: of other products nothing is asked.
    products = np.zeros((len(signal), len(LIMB_LEADS), len(LIMB_LEADS)))
    for two in (0, 1):
        products[:, two] = products[:, :, two] = np.vecdot(signal[:, two : two + 1], signal)
    each = np.arange(2, len(LIMB_LEADS))
    products[:, each, each] = np.vecdot(signal[:, 2:], signal[:, 2:])
    products /= signal.shape[-1]
    _, forms = _sums(LIMB_LEADS)
    agree: NDArray[np.bool_] = ~np.logical_or.reduce(_contradictions(forms, products), axis=-1)
    return agree


def _contradictions(forms: _Forms, products: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether each lead is not as I and II make it, from the mean product of each two, in mV^2.

    Parameters
    ----------
    forms
        Shape (n_leads^2, ..., 3, n_checked): of the leads to check, what they should be, and the
        rest.
    products
        Shape (..., n_leads, n_leads).
    """
    squares = products.reshape(*products.shape[:-2], -1) @ forms.reshape(len(forms), -1)
    sizes = np.sqrt(np.maximum(0, squares)).reshape(*squares.shape[:-1], *forms.shape[1:])
    own, expected, off = sizes[..., 0, :], sizes[..., 1, :], sizes[..., 2, :]
    size = np.maximum(own, expected)
    wrong: NDArray[np.bool_] = (size > SMALLEST_MV) & (off > LARGEST_SHARE * size)
    return wrong


@lru_cache(maxsize=64)
def _sums(names: tuple[str, ...]) -> tuple[tuple[str, ...], _Forms]:
    """Which leads I and II make, and the forms of these, of what they should be, and the rest."""
    checked, shares = _shares(names)
    return checked, _forms(shares)


def _shares(names: tuple[str, ...]) -> tuple[tuple[str, ...], _Shares]:
    checked = tuple(name for name in names if name in FROM_I_AND_II)
    own, expected = np.zeros((2, len(checked), len(names)))
    for row, name in enumerate(checked):
        own[row, names.index(name)] = 1
        expected[row, :2] = FROM_I_AND_II[name]
    return checked, np.stack([own, expected, own - expected])


def _forms(shares: _Shares) -> _Forms:
    """From shape (..., n_leads) to (n_leads^2, ...)."""
    pairs = shares[..., :, np.newaxis] * shares[..., np.newaxis, :]
    return np.moveaxis(pairs.reshape(*shares.shape[:-1], -1), -1, 0).copy()


@lru_cache(maxsize=64)
def _explanations(names: tuple[str, ...]) -> tuple[tuple[str, ...], _Forms]:
    """What may have happened, and the forms for the leads as they would be without it."""
    texts, found = zip(*_changes(names), strict=True)
    _, shares = _shares(names)
    return texts, _forms(np.stack([shares @ one for one in found]))


def _changes(names: Sequence[str]) -> Iterator[tuple[str, _Shares]]:
    """What may have happened, each with the leads without it as shares of those found."""
    found = np.eye(len(names))
    for row, name in enumerate(names):
        inverted = found.copy()
        inverted[row] *= -1
        yield f"{name} looks inverted", inverted
    for pair in combinations(range(len(names)), 2):
        exchanged = found.copy()
        exchanged[list(pair)] = found[list(pair[::-1])]
        yield f"{names[pair[0]]} and {names[pair[1]]} look exchanged", exchanged
    for row, name in enumerate(names):
        for scale in _SCALES:
            scaled = found.copy()
            scaled[row] /= scale
            yield f"{name} looks {scale:g} times as large as it is", scaled
